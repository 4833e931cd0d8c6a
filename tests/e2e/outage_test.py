#!/usr/bin/env python3
"""A far side that answers 503, then 401, for as long as the test likes: no dead letter, the endpoint named as away since when, every item
there once afterwards, other routes at their rate; killed with -9 in the middle.

outage_test.py [--count 300]"""
import argparse, http.server, json, os, tempfile, threading, time
from collections import Counter

from bus import Bus, Cases, configuration, wait_for, write_text

ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="%(id)s" system="test" steward="Test" refresh="P1D" retain="P1D">
    <from><listen:post/></from>
    <to><http:post url="http://127.0.0.1:%(port)d/%(id)s" authentication="bearer" secret="far-side" timeout="PT2S"/></to>
    <on-fault><attempts most="2" first="PT1S" factor="1"/></on-fault>
  </route>
</routes>'''


class FarSide:
    """Says what the test wants. Takes an item once under one key, as a far side that knows Idempotency-Key does, and counts repeats."""

    def __init__(self):
        self.mood, self.secret = {}, 'secret-1'
        self.items, self.repeats, self.said, self.lock = {}, 0, Counter(), threading.Lock()
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                route = self.path[1:]
                with far.lock:
                    status = far.mood.get(route, 202)
                    if self.headers['Authorization'] != 'Bearer ' + far.secret:
                        status = 401
                    if status == 202:
                        taken = far.items.setdefault(route, {})
                        key = self.headers['Idempotency-Key']
                        if key in taken:
                            far.repeats += 1
                        taken[key] = body
                    far.said[status] += 1
                self.send_response(status)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def got(self, route):
        with self.lock:
            return Counter(self.items.get(route, {}).values())


class Outage:
    def __init__(self, count):
        self.count, self.far, self.next = count, FarSide(), Counter()
        self.folder = tempfile.mkdtemp(prefix='clrbus-outage-')
        config = configuration(self.folder, ['people'], more={r: ROUTE % {'id': r, 'port': self.far.port} for r in ('grades', 'jobs')})
        text = open(config).read()
        self.secret_file = os.path.join(self.folder, 'far-side.secret')
        self.rotate('secret-1')
        write_text(config, text.replace('<records ', '<secret name="far-side" file="far-side.secret"/>\n  <records ', 1))
        self.bus = Bus(config=config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)

    def rotate(self, secret):
        with open(self.secret_file + '.new', 'w') as f:
            f.write(secret + '\n')
        os.chmod(self.secret_file + '.new', 0o600)
        os.rename(self.secret_file + '.new', self.secret_file)

    def send(self, route, many):
        for _ in range(many):
            n = self.next[route]
            self.next[route] += 1
            status, _, _ = self.bus.http('POST', '/in/' + route, b'<item n="%d"/>' % n, self.bus.token('publish-' + route),
                                         {'Content-Type': 'application/xml', 'Idempotency-Key': '%s-%d' % (route, n)})
            assert status == 202, status

    def endpoint(self, route):
        return next(e for e in self.bus.control('status')['endpoints'] if e['route'] == route)

    def everything_there(self, route):
        wait_for('every item of %s' % route, lambda: len(self.far.got(route)) == self.next[route], 60)
        assert set(self.far.got(route).values()) == {1}
        assert set(self.far.got(route)) == {b'<item n="%d"/>' % n for n in range(self.next[route])}

    def away_with(self, code, waiting):
        def is_away():
            e = self.endpoint('grades')
            return e if e['state'] == 'away' and e['code'] == code and e['waiting'] == waiting else None
        return wait_for('the endpoint to be away with %s and %d to wait' % (code, waiting), is_away)

    # ── cases ──
    def a_secret_that_others_may_read_is_refused(self):
        os.chmod(self.secret_file, 0o644)
        import subprocess
        from bus import CLRBUS
        done = subprocess.run([CLRBUS, 'check', '--config', self.bus.config], stdout=subprocess.PIPE, text=True)
        assert done.returncode == 3 and 'CONF-031' in done.stdout and 'secret-1' not in done.stdout, done.stdout
        os.chmod(self.secret_file, 0o600)
        done = subprocess.run([CLRBUS, 'check', '--config', self.bus.config], stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stdout

    def everything_arrives_while_the_far_side_is_there(self):
        self.bus.start()
        self.send('grades', 20)
        self.everything_there('grades')

    def a_503_is_waited_for_and_holds_up_no_other_route(self):
        self.far.mood['grades'] = 503
        before = time.time()
        self.send('grades', self.count)
        self.send('jobs', self.count)
        self.everything_there('jobs')
        away = self.away_with('HTTP-083', self.count)
        assert abs(time.mktime(time.strptime(away['since'][:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone - before) < 120, away
        status = self.bus.command('status', expect=1)
        problem = next(p for p in status['problems'] if 'out/grades/post' in p['what'])
        assert 'is away: HTTP-083, %d wait' % self.count in problem['what'] and problem['since'] == away['since'], problem
        wait_for('more tries than there are attempts', lambda: self.far.said[503] > 8 + 4)
        assert len(self.far.got('grades')) == 20

    def a_kill_in_the_middle_loses_nothing(self):
        self.bus.kill()
        self.bus.start()
        self.send('grades', 50)
        self.send('jobs', 50)
        self.everything_there('jobs')
        self.away_with('HTTP-083', self.count + 50)

    def a_401_after_that_is_waited_for_too(self):
        with self.far.lock:
            self.far.mood['grades'], self.far.secret = 202, 'secret-2'
        self.away_with('HTTP-078', self.count + 50)
        wait_for('more tries than there are attempts', lambda: self.far.said[401] > 8)
        self.bus.kill()
        self.bus.start()
        self.away_with('HTTP-078', self.count + 50)
        assert self.bus.dead_letters() == []

    def every_item_is_there_once_afterwards(self):
        self.rotate('secret-2')
        deadline = threading.Thread(target=lambda: wait_for('some to arrive', lambda: len(self.far.got('grades')) > 60))
        deadline.start()
        deadline.join()
        self.bus.kill()  # with messages on their way
        self.bus.start()
        self.everything_there('grades')
        wait_for('the endpoint to be well', lambda: self.endpoint('grades')['state'] == 'ok' and self.endpoint('grades')['waiting'] == 0)
        assert self.bus.dead_letters() == []
        assert self.far.repeats <= 8 * 3, self.far.repeats  # what was on its way when it was killed, under the same key

    def the_ledger_of_the_endpoint_adds_up(self):
        ledger = self.bus.settled()
        total = self.next['grades']
        out = ledger['out/grades/post']
        assert out['taken'] == out['delivered'] == total and 'dead' not in out, out
        assert ledger['grades']['delivered'] == total

    def no_secret_in_the_state_directory(self):
        import subprocess
        for secret in ('secret-1', 'secret-2'):
            done = subprocess.run(['grep', '-rlas', secret, self.bus.state], stdout=subprocess.PIPE, text=True)
            assert done.stdout == '', done.stdout

    def it_stops_with_messages_that_wait(self):
        self.far.mood['grades'] = 503
        self.send('grades', 5)
        self.away_with('HTTP-083', 5)
        assert self.bus.stop() == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--count', type=int, default=300)
    outage = Outage(parser.parse_args().count)
    cases = Cases()
    try:
        for name in ('a_secret_that_others_may_read_is_refused', 'everything_arrives_while_the_far_side_is_there',
                     'a_503_is_waited_for_and_holds_up_no_other_route', 'a_kill_in_the_middle_loses_nothing',
                     'a_401_after_that_is_waited_for_too', 'every_item_is_there_once_afterwards', 'the_ledger_of_the_endpoint_adds_up',
                     'no_secret_in_the_state_directory', 'it_stops_with_messages_that_wait'):
            cases.run(name.replace('_', ' '), getattr(outage, name))
    finally:
        outage.bus.clean()
        import shutil
        shutil.rmtree(outage.folder, ignore_errors=True)
    cases.end()


main()
