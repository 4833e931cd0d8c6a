#!/usr/bin/env python3
"""A system that is read page by page (http-poll): it changes meanwhile, limits, fails, hangs up and changes its token, and the bus is killed
with -9 at random moments: every version of every item comes out once.

poll_test.py [--items 400] [--kills 4] [--seed 1]"""
import argparse, json, os, random, shutil, tempfile, threading, urllib.parse
from collections import defaultdict

from bus import Bus, Cases, configuration, wait_for, write_text
from http_side import Answering, serve

ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:poll="urn:clrbus:adapter:http-poll:1">
  <route id="polled" system="test" steward="Test" refresh="PT1S" retain="P1D">
    <from>
      <poll:get url="http://127.0.0.1:%(port)d/items" schedule="PT1S" away-most="PT1S" timeout="PT5S" authentication="bearer" secret="far-side"
                records="items" key="id" mark="n" mark-type="number" paging="cursor" cursor="next">
        <poll:parameter name="after" value="{since}"/>
        <poll:parameter name="cursor" value="{cursor}"/>
      </poll:get>
    </from>
    <to><http:post url="http://127.0.0.1:%(port)d/taken" authentication="bearer" secret="far-side" timeout="PT5S"/></to>
  </route>
</routes>'''
PAGE = 20


class FarSide:
    """Both ends: items that are read from it, and what comes back to it."""

    def __init__(self, seed):
        self.random, self.trouble, self.status, self.secret = random.Random(seed), 0.0, 200, 'secret-1'
        self.items, self.taken, self.requests, self.lock = [], defaultdict(set), 0, threading.Lock()
        far = self

        class Handler(Answering):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                with far.lock:
                    good = self.headers['Authorization'] == 'Bearer ' + far.secret
                    if good:
                        far.taken[body].add(self.headers['Idempotency-Key'])
                self.answer(202 if good else 401)

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                with far.lock:
                    far.requests += 1
                    trouble = far.random.random() < far.trouble and far.random.choice(['429', '500', 'half', 'gone', 'nonsense'])
                    body = far.page(int(query.get('cursor') or query.get('after') or 0))
                    status = far.status if self.headers['Authorization'] == 'Bearer ' + far.secret else 401
                if status != 200:
                    self.answer(status)
                elif trouble == '429':
                    self.answer(429, Retry_After='1')
                elif trouble == '500':
                    self.answer(500, b'a private word')
                elif trouble == 'nonsense':
                    self.answer(200, b'<html>a private word')
                elif trouble == 'gone':
                    self.close_connection = True
                else:
                    self.answer(200, body, cut=trouble == 'half')

        self.server = serve(Handler)
        self.server.handle_error = lambda *_: None  # a client that was killed
        self.port = self.server.server_address[1]

    def page(self, after):
        some = self.items[after:after + PAGE]
        last = after + len(some)
        return json.dumps({'items': some, 'next': str(last) if last < len(self.items) else ''}).encode()

    def offer(self, identifier):
        with self.lock:
            self.items.append({'id': identifier, 'n': len(self.items) + 1})

    def everything_once(self):
        """True when each version came; throws when one came twice."""
        with self.lock:
            for body, keys in self.taken.items():
                assert len(keys) == 1, 'it came as %d messages' % len(keys)
            return {json.loads(b)['n'] for b in self.taken} == {i['n'] for i in self.items}


class Poll:
    def __init__(self, options):
        self.options, self.far, self.random = options, FarSide(options.seed), random.Random(options.seed)
        self.folder = tempfile.mkdtemp(prefix='clrbus-poll-')
        config = configuration(self.folder, ['people'], more={'polled': ROUTE % {'port': self.far.port}})
        self.secret_file = os.path.join(self.folder, 'far-side.secret')
        self.rotate('secret-1')
        text = open(config).read()
        write_text(config, text.replace('<records ', '<secret name="far-side" file="far-side.secret"/>\n  <records ', 1))
        self.bus = Bus(config=config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)

    def rotate(self, secret):
        with open(self.secret_file + '.new', 'w') as f:
            f.write(secret + '\n')
        os.chmod(self.secret_file + '.new', 0o600)
        os.rename(self.secret_file + '.new', self.secret_file)

    def door(self):
        problems = self.bus.command('status', expect=None)['problems']
        return next((p for p in problems if 'door polled http-poll' in p['what']), None)

    def away(self, code):
        return wait_for('the door to be named with ' + code, lambda: (lambda d: d if d and code in d['what'] else None)(self.door()))

    def came(self):
        return wait_for('every version', lambda: self.bus.dead() or self.far.everything_once(), 120)

    # ── cases ──
    def what_is_there_comes(self):
        for n in range(50):
            self.far.offer('item-%d' % n)
        self.bus.start()
        self.came()

    def kills_and_faults_lose_and_double_nothing(self):
        self.far.trouble = 0.2
        for _ in range(self.options.kills):
            for _ in range(self.options.items // self.options.kills):
                self.far.offer('item-%d' % self.random.randrange(self.options.items))
            seen = self.far.requests + self.random.randrange(2, 8)
            wait_for('some requests', lambda: self.far.requests >= seen)
            self.bus.kill()
            self.bus.start()
        self.came()
        self.far.trouble = 0.0
        line = self.bus.settled(['polled'])['polled']
        assert line.get('dead', 0) == 0 and line['accepted'] - line.get('duplicate', 0) == len(self.far.items), line

    def a_far_side_that_is_away_is_named_since_when(self):
        self.far.status = 503
        since = self.away('HTTP-083')['since']
        assert since and 'private' not in json.dumps(self.door())
        self.far.offer('item-503')
        self.bus.kill()
        self.bus.start()
        self.away('HTTP-083')
        self.far.status = 200
        self.came()
        wait_for('the door to be well', lambda: self.door() is None)

    def a_rotated_token_is_used(self):
        with self.far.lock:
            self.far.secret = 'secret-2'
        self.far.offer('item-401')
        self.away('HTTP-078')
        self.rotate('secret-2')
        self.bus.command('resume', 'polled', expect=None)  # the way out has the same secret
        self.came()

    def no_word_of_the_far_side_is_in_the_log(self):
        for name in os.listdir(self.bus.state):
            path = os.path.join(self.bus.state, name)
            if os.path.isfile(path):
                data = open(path, 'rb').read()
                assert b'private word' not in data and b'secret-1' not in data and b'secret-2' not in data, name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--items', type=int, default=400)
    parser.add_argument('--kills', type=int, default=4)
    parser.add_argument('--seed', type=int, default=1)
    poll, cases = Poll(parser.parse_args()), Cases()
    try:
        for case in (poll.what_is_there_comes, poll.kills_and_faults_lose_and_double_nothing, poll.a_far_side_that_is_away_is_named_since_when,
                     poll.a_rotated_token_is_used, poll.no_word_of_the_far_side_is_in_the_log):
            cases.run('poll: ' + case.__name__.replace('_', ' '), case)
    finally:
        poll.bus.clean()
        shutil.rmtree(poll.folder, ignore_errors=True)
    cases.end()


if __name__ == '__main__':
    main()
