#!/usr/bin/env python3
"""Steps whose state is more than a queue: each is killed with -9 in the middle of what it promises, and keeps the promise afterwards.
circuit-breaker while it is open, half-open and while messages wait; throttle inside its period; resequence with a gap; deduplicate between
what came and what went; aggregate by count, time and predicate. A far side counts what comes, and when.

steps_killed_test.py"""
import http.server, os, tempfile, threading, time
from collections import Counter

from bus import Bus, Cases, configuration, wait_for

ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="%(id)s" system="test" steward="Test" refresh="P1D" retain="P1D">
    <from><listen:post/></from>
    <parse format="xml"/>
    %(steps)s
    <to><http:post url="http://127.0.0.1:%(port)d/%(id)s" timeout="PT30S" window="1"/></to>
    <on-fault><attempts most="2" first="PT1S" factor="1"/></on-fault>
  </route>
</routes>'''
PACE = 1.0  # seconds between two messages of the throttle
STEPS = {
    'broken': '<circuit-breaker faults="3" within="PT1H" open-for="PT2S"><request-reply name="far"><http:post url="http://127.0.0.1:'
              '%(port)d/asked" timeout="PT30S"/></request-reply></circuit-breaker>',
    'paced': '<throttle rate="60" per="PT1M" key="/m/@g"/>',
    'ordered': '<resequence correlation="/m/@g" number="/m/@n" gap="PT1H"/>',
    'once': '<deduplicate key="/m/@g"/>',
    'counted': '<aggregate correlation="/m/@g" count="3" late="dead"/>',
    'timed': '<aggregate correlation="/m/@g" after-first="PT4S" late="dead"/>',
    'held': '<aggregate correlation="/m/@g" until="sum(/aggregate/member/m/@n) &gt;= 6" late="dead"/>',
}


class FarSide:
    """Takes what the routes send, with the time, once under one key; holds back or refuses where the test says so."""

    def __init__(self):
        self.got, self.keys, self.asked, self.mood, self.lock = [], set(), 0, '', threading.Lock()
        self.let_go = threading.Event()
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                route, status = self.path[1:], 200
                with far.lock:
                    mood = far.mood
                    if route == 'asked':
                        far.asked += 1
                        status = 503 if mood == 'away' else 200
                    elif (route, self.headers['Idempotency-Key']) not in far.keys:
                        far.keys.add((route, self.headers['Idempotency-Key']))
                        far.got.append((route, body, time.monotonic()))
                if route == 'asked' and mood == 'silent':
                    far.let_go.wait(60)
                try:
                    self.send_response(status)
                    answer = body.encode() if route == 'asked' and status == 200 else b''
                    if answer:
                        self.send_header('Content-Type', 'application/xml')
                    self.send_header('Content-Length', str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass  # the same

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.handle_error = lambda *_: None  # who asked was killed
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, route):
        with self.lock:
            return [(body, at) for r, body, at in self.got if r == route]

    def bodies(self, route):
        return [body.split('?>')[-1].strip() for body, _ in self.of(route)]

    def set(self, mood):
        with self.lock:
            self.mood, self.asked = mood, 0


def message(group, number):
    return '<m g="%s" n="%d"/>' % (group, number)


class Killed:
    def __init__(self):
        self.far = FarSide()
        folder = tempfile.mkdtemp(prefix='clrbus-killed-')
        more = {r: ROUTE % {'id': r, 'port': self.far.port, 'steps': s.replace('%(port)d', str(self.far.port))} for r, s in STEPS.items()}
        self.bus = Bus(config=configuration(folder, ['people'], more=more), state=os.path.join(folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)
        self.sent = Counter()

    def send(self, route, group, number):
        self.sent[route] += 1
        status, _, answer = self.bus.http('POST', '/in/' + route, message(group, number).encode(), self.bus.token('publish-' + route),
                                          {'Content-Type': 'application/xml', 'Idempotency-Key': '%s-%d' % (route, self.sent[route])})
        assert status == 202, (status, answer)

    def again(self):
        self.bus.kill()
        self.bus.start()

    def step(self, route):
        return next(s for s in self.bus.control('status')['steps'] if s['route'] == route)

    def wait_in_step(self, route, many):
        wait_for('%d messages in the step of %s' % (many, route), lambda: self.step(route)['waiting'] == many)

    def arrive(self, route, many, seconds=60):
        wait_for('%d messages of %s' % (many, route), lambda: len(self.far.of(route)) >= many, seconds)

    def account(self, route, **wanted):
        line = self.bus.settled([route])[route]
        wanted.setdefault('dead', 0)
        found = {n: line.get(n, 0) for n in wanted}
        assert found == wanted, (route, found, wanted)
        assert not self.bus.dead_letters(route)

    # circuit-breaker
    def breaker(self):
        far = self.far
        far.set('away')
        for n in range(1, 4):
            self.send('broken', 'b', n)
        wait_for('the breaker to open', lambda: self.step('broken')['condition'].startswith('open until'))
        for n in range(4, 9):
            self.send('broken', 'b', n)
        wait_for('messages to wait', lambda: self.step('broken')['waiting'] >= 5)
        self.again()
        # Open until its time, killed or not: only a probe asks, one at a time.
        assert self.step('broken')['condition'] != 'closed', self.step('broken')
        assert not far.of('broken')
        far.set('silent')
        wait_for('the probe', lambda: far.asked == 1)
        assert self.step('broken')['condition'].startswith('half open'), self.step('broken')
        self.again()  # the probe was on its way: it is not lost, and another one may go
        wait_for('the next probe', lambda: far.asked == 2)
        far.set('')
        far.let_go.set()
        self.arrive('broken', 8)
        assert Counter(far.bodies('broken')) == Counter(message('b', n) for n in range(1, 9)), far.bodies('broken')
        wait_for('the breaker to close', lambda: self.step('broken')['condition'] == 'closed')
        self.account('broken', delivered=8)

    # throttle
    def throttle(self):
        begin = time.monotonic()
        for n in range(1, 6):
            self.send('paced', 't', n)
        self.arrive('paced', 2)
        self.again()  # three wait; their slots stay
        self.arrive('paced', 3)
        self.bus.kill()
        down = time.monotonic()
        wait_for('slots to pass', lambda: time.monotonic() > down + 2 * PACE)  # while nothing runs
        there, up = len(self.far.of('paced')), time.monotonic()
        self.bus.start()
        self.arrive('paced', 5)
        self.again()  # inside the last slot
        self.send('paced', 't', 6)
        self.arrive('paced', 6)
        assert self.far.bodies('paced') == [message('t', n) for n in range(1, 7)], self.far.bodies('paced')
        # The n-th cannot be there before n slots have passed, since the first was sent and since the process runs again: only too early is
        # wrong, a busy machine is late. A hundredth for clocks that count in milliseconds.
        times = [at for _, at in self.far.of('paced')]
        early = [n for n, at in enumerate(times) if at < begin + n * PACE - 0.01 or at < up + (n - there) * PACE - 0.01 and n >= there]
        assert not early, (early, [at - begin for at in times], up - begin)
        self.account('paced', delivered=6)

    # resequence
    def resequence(self):
        for n in (4, 2, 5):
            for group in 'xyz':
                self.send('ordered', group, n)
        self.wait_in_step('ordered', 9)
        self.again()
        for group in 'xyz':
            self.send('ordered', group, 1)
        self.arrive('ordered', 6)  # 1 and 2 of each
        self.wait_in_step('ordered', 6)  # 3 is missing
        self.again()
        for group in 'xyz':
            self.send('ordered', group, 3)
        self.arrive('ordered', 15)
        for group in 'xyz':
            found = [b for b in self.far.bodies('ordered') if 'g="%s"' % group in b]
            assert found == [message(group, n) for n in range(1, 6)], found
        self.account('ordered', delivered=15)

    # deduplicate
    def deduplicate(self):
        for n in range(1, 41):
            self.send('once', 'k%d' % n, 1)
            if n == 20:
                self.again()  # some have their key and are not out yet
        self.again()
        for n in range(1, 41):
            self.send('once', 'k%d' % n, 2)
        self.arrive('once', 40)
        self.account('once', delivered=40, duplicate=40)
        assert Counter(self.far.bodies('once')) == Counter(message('k%d' % n, 1) for n in range(1, 41)), self.far.bodies('once')

    # aggregate
    def aggregate(self):
        routes = ('counted', 'timed', 'held')
        for route in routes:
            for n in (1, 2):
                for group in 'pq':
                    self.send(route, group, n)
        for route in ('counted', 'held'):
            self.wait_in_step(route, 4)
        self.again()
        for route in ('counted', 'held'):
            assert not self.far.of(route), self.far.of(route)
            for group in 'pq':
                self.send(route, group, 3)
        self.again()
        for route in routes:
            self.arrive(route, 2)
            members = 2 if route == 'timed' else 3
            for body in self.far.bodies(route):
                assert body.count('<member ') == members and body.count('<m ') == members, body
                assert all('n="%d"' % n in body for n in range(1, members + 1)), body
            self.account(route, delivered=2, aggregated=2 * members)


def main():
    test, cases = Killed(), Cases()
    test.bus.start()
    cases.run('a circuit breaker is killed while it is open, half open and while messages wait', test.breaker)
    cases.run('a throttle keeps its rate over kills', test.throttle)
    cases.run('resequence keeps its order and its gap over kills', test.resequence)
    cases.run('deduplicate knows over kills what it has seen', test.deduplicate)
    cases.run('aggregate completes by count, time and predicate over kills', test.aggregate)
    test.bus.clean()
    cases.end()


if __name__ == '__main__':
    main()
