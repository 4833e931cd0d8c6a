#!/usr/bin/env python3
"""order="key" under kill -9: a far side refuses for now (409) and is away (503) again and again, the process is killed while the head of
a key waits for its next attempt. Of each key the far side is asked in order, never about one before the one in front of it was
answered; each message comes out once.

key_order_test.py [--keys 6] [--each 25] [--kills 5] [--seed 1]"""
import argparse, http.server, os, random, re, tempfile, threading, time
from collections import Counter

from bus import Bus, Cases, configuration, wait_for

ROUTES = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="work" system="test" steward="Test" refresh="P1D" retain="P1D" workers="%(workers)d" order="key" order-key="/e/@k">
    <from><listen:post/></from>
    <parse format="xml"/>
    <request-reply name="judge" timeout="PT20S"><http:post url="http://127.0.0.1:%(port)d/" again="409"/></request-reply>
    <to><route id="end"/></to>
    <on-fault><attempts most="50" first="PT1S" factor="1"/></on-fault>
  </route>
  <route id="end" system="test" steward="Test" refresh="P1D" retain="P1D">
    <deduplicate key="concat(/e/@k, ' ', /e/@n)"/>
    <filter test="false()" reason="counted"/>
    <to><records/></to>
  </route>
</routes>'''
WORKERS = 4


class FarSide:
    """Knows what it answered. Some it refuses twice before it takes them, and at some it is away once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken, self.refused, self.wrong, self.repeats, self.done = Counter(), Counter(), [], 0, 0
        self.on_refusal = lambda: None
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                status = far.judge(*re.search(rb'k="(\w+)" n="(\d+)"', body).groups())
                self.send_response(status)
                self.send_header('Content-Type', 'application/xml')
                self.send_header('Content-Length', str(len(body) if status == 200 else 0))
                self.end_headers()
                self.wfile.write(body if status == 200 else b'')
                if status == 409:
                    far.on_refusal()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.handle_error = lambda *_: None  # connections of a process that was killed
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def judge(self, key, number):
        number = int(number)
        with self.lock:
            if number > self.taken[key]:
                self.wrong.append('%s %d was asked before %d was answered' % (key.decode(), number, self.taken[key]))
            elif number < self.taken[key] - 1:
                self.wrong.append('%s %d was asked again behind %d' % (key.decode(), number, self.taken[key] - 1))
            elif number == self.taken[key] - 1:
                self.repeats += 1  # answered, and the process ended before that was on disk
                return 200
            self.refused[key, number] += 1
            if number % 5 == 2 and self.refused[key, number] <= 2:
                return 409
            if number % 11 == 6 and self.refused[key, number] == 1:
                return 503
            self.taken[key] = number + 1
            self.done += 1
            return 200


class KeyOrder:
    def __init__(self, arguments):
        self.keys, self.each, self.kills = arguments.keys, arguments.each, arguments.kills
        self.total = self.keys * self.each
        self.random, self.far = random.Random(arguments.seed), FarSide()
        folder = tempfile.mkdtemp(prefix='clrbus-key-order-')
        routes = ROUTES % {'port': self.far.port, 'workers': WORKERS}
        self.bus = Bus(config=configuration(folder, ['people'], more={'work': routes}), state=os.path.join(folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)

    def send(self):
        for n in range(self.each):
            for k in range(self.keys):
                while True:  # until it is accepted: the bus is killed now and then
                    try:
                        status, _, _ = self.bus.http('POST', '/in/work', b'<e k="k%d" n="%d"/>' % (k, n), self.bus.token('publish-work'),
                                                     {'Content-Type': 'application/xml', 'Idempotency-Key': 'e-%d-%d' % (k, n)})
                        if status == 202:
                            break
                    except Exception:  # whatever a process that is killed leaves of a connection
                        pass
                    time.sleep(0.05)

    def killed_while_the_head_waits(self):
        self.bus.start()
        sender = threading.Thread(target=self.send, daemon=True)
        sender.start()
        for _ in range(self.kills):
            # Behind those that were in hand at the last kill: a second one would have them dead-lettered as what ends the process.
            goal = min(self.far.done + self.random.randrange(2 * WORKERS, 4 * WORKERS), self.total - self.keys)
            wait_for('%d to be taken' % goal, lambda goal=goal: self.far.done >= goal, 120)
            refused = threading.Event()
            self.far.on_refusal = refused.set
            assert refused.wait(60), 'nothing was refused'
            self.bus.kill()
            self.bus.start()
        sender.join(120)
        assert not sender.is_alive(), 'not all are accepted'

    def each_key_kept_its_order(self):
        wait_for('all to be taken', lambda: self.far.done == self.total or self.far.wrong, 180)
        assert not self.far.wrong, self.far.wrong[:5]
        assert self.far.repeats <= self.kills * WORKERS, self.far.repeats

    def each_came_out_once(self):
        lines = self.bus.settled(['work', 'end'])
        work, end = lines['work'], lines['end']
        found = {'delivered': work.get('delivered', 0), 'dead': work.get('dead', 0), 'end': end.get('filtered', 0), 'twice': end.get('duplicate', 0)}
        assert found == {'delivered': self.total, 'dead': 0, 'end': self.total, 'twice': 0}, found


def main():
    parser = argparse.ArgumentParser()
    for name, default in (('keys', 6), ('each', 25), ('kills', 5), ('seed', 1)):
        parser.add_argument('--' + name, type=int, default=default)
    test, cases = KeyOrder(parser.parse_args()), Cases()
    cases.run('killed while the head of a key waits', test.killed_while_the_head_waits)
    cases.run('each key kept its order', test.each_key_kept_its_order)
    cases.run('each message came out once', test.each_came_out_once)
    test.bus.clean()
    cases.end()


if __name__ == '__main__':
    main()
