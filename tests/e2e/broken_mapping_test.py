#!/usr/bin/env python3
"""A live stylesheet breaks 300 of 1,000 documents. Mended, taken while the bus runs, and replayed with --only records: the 300 are recorded
once, a kill -9 in the middle included, and no system outside gets anything again. Then the way back.

broken_mapping_test.py [--count 1000]"""
import argparse, os, shutil, tempfile, threading, time
from collections import Counter

from bus import Bus, Cases, wait_for
from http_side import Answering, serve
from items import STYLESHEET, AmqpPublisher, HttpsPublisher, Stream, own_transforms, recorded, replace_text, roster

PEOPLE = 20
# 'intake' tells a system outside and hands on; what 'mapping' makes is recorded, and told to another system.
ROUTES = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="intake" system="test" steward="Test" refresh="P1D" retain="P1D">
    <from><listen:post/></from>
    <multicast>
      <to name="told"><http:post url="http://127.0.0.1:%(port)d/intake"/></to>
      <to><route id="mapping"/></to>
    </multicast>
  </route>
  <route id="mapping" system="test" steward="Test" refresh="P1D" retain="P1D" match="institution-id">
    <multicast>
      <to name="told"><http:post url="http://127.0.0.1:%(port)d/before"/></to>
      <branch>
        <transform stylesheet="mapping.xsl"/>
        <multicast>
          <to><records/></to>
          <to name="made"><http:post url="http://127.0.0.1:%(port)d/after"/></to>
        </multicast>
      </branch>
    </multicast>
  </route>
</routes>'''
BREAKS = '''<xsl:if test="@n mod 10 &lt; 3"><xsl:message terminate="yes">MAP-001|error|/item/@n|a number that the mapping cannot take</xsl:message></xsl:if>'''


class FarSide:
    """Counts the requests of each path by Idempotency-Key and by body."""

    def __init__(self):
        self.keys, self.bodies, self.lock = {}, {}, threading.Lock()
        far = self

        class Handler(Answering):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                with far.lock:
                    far.keys.setdefault(self.path, Counter())[self.headers['Idempotency-Key']] += 1
                    far.bodies.setdefault(self.path, {})[self.headers['Idempotency-Key']] = body
                self.answer(202)

        self.server = serve(Handler)
        self.port = self.server.server_address[1]

    def got(self):
        with self.lock:
            return {path: Counter(keys) for path, keys in self.keys.items()}


def sheet(version, breaks=False):
    return STYLESHEET % {'check': BREAKS if breaks else '', 'people': PEOPLE, 'source': 'mapping', 'version': version}


def is_broken(n):
    return n % 10 < 3


class BrokenMapping:
    def __init__(self, count):
        self.count, self.next, self.broken = count, count, sum(map(is_broken, range(count)))
        self.folder, self.far = tempfile.mkdtemp(prefix='clrbus-mapping-'), FarSide()
        config = own_transforms(self.folder, {'mapping': ROUTES % {'port': self.far.port}}, {'mapping.xsl': sheet(1)})
        self.file = os.path.join(self.folder, 'transforms', 'mapping.xsl')
        self.bus = Bus(config=config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state)

    def mapping(self):
        return next(r for r in self.bus.control('route-list')['routes'] if r['route'] == 'mapping')

    def change(self, text):
        before = self.mapping()['generation']
        replace_text(self.file, text)
        wait_for('the change to be taken', lambda: self.mapping()['generation'] != before)
        return self.mapping()['generation']

    def quiet(self):
        """Nothing waits in a route, in the records or for the far side, and the ledger balances."""
        return self.bus.settled(['intake', 'mapping', 'out/intake/told', 'out/mapping/told', 'out/mapping/made'])

    def dead(self):
        return self.bus.dead_letters('mapping')

    def three_hundred_of_a_thousand_fail(self):
        self.bus.start()
        roster(self.bus, PEOPLE)
        self.good = self.mapping()['generation']
        self.bad = self.change(sheet(2, breaks=True))

        def https(i):
            publisher = HttpsPublisher(self.bus, 'intake')
            for n in range(i, self.count, 4):
                publisher.send(n)
        streams = [Stream(lambda i=i: https(i)) for i in (0, 1)] + [
            Stream(lambda i=i: AmqpPublisher(self.bus, 'intake', self.folder, 'amqp-%d' % i).send_all(range(i, self.count, 4))) for i in (2, 3)]
        for stream in streams:
            stream.done()
        lines = self.quiet()
        line = lines['mapping']
        assert (line['delivered'], line['dead'], line['waiting']) == (self.count - self.broken, self.broken, 0), line
        dead = self.dead()
        assert len(dead) == self.broken and {(d['code'], d['generation']) for d in dead} == {('MAP-001', str(self.bad))}, dead[:2]
        assert {n for n in recorded(self.bus)} == {n for n in range(self.count) if not is_broken(n)}
        self.before = self.far.got()
        # All outputs of a message are one Unit: of what failed in 'mapping' only 'intake' has told.
        assert {p: len(k) for p, k in self.before.items()} == {
            '/intake': self.count, '/before': self.count - self.broken, '/after': self.count - self.broken}, self.before.keys()
        assert all(set(k.values()) == {1} for k in self.before.values())

    def a_dry_run_says_what_would_come_of_it(self):
        still = self.bus.command('dead', 'replay', 'mapping', '--dry-run')
        assert (still['selected'], still['would_fail'], still['records']) == (self.broken, self.broken, 0), {k: still[k] for k in still if k != 'messages'}
        first = self.dead()[0]
        self.bus.command('dead', 'replay', 'mapping', str(first['number']), '--only', 'records')
        self.quiet()
        again = next(d for d in self.dead() if d['id'] == first['id'])
        assert again['number'] != first['number'] and again['history'] and len(self.dead()) == self.broken, again
        self.mended = self.change(sheet(3))
        whole = self.bus.command('dead', 'replay', 'mapping', '--dry-run')
        assert whole['dry'] and (whole['selected'], whole['would_fail'], whole['records'], whole['suppressed']) == (self.broken, 0, self.broken, 0), whole['messages'][0]
        assert whole['other_outputs'] == 2 * self.broken, whole['messages'][0]
        only = self.bus.command('dead', 'replay', 'mapping', '--only', 'records', '--dry-run')
        assert (only['records'], only['other_outputs'], only['suppressed']) == (self.broken, 0, 2 * self.broken), only['messages'][0]
        assert len(self.dead()) == self.broken and self.far.got() == self.before, 'a dry run did something'
        one = self.bus.command('dead', 'show', 'mapping', str(self.dead()[0]['number']))
        assert one['generation'] == str(self.bad) and one['code'] == 'MAP-001', one

    def replayed_through_a_kill(self):
        first = self.broken // 10
        self.bus.command('dead', 'replay', 'mapping', '--only', 'records', '--yes', '--most', str(first))
        self.quiet()

        def rest():
            try:
                self.bus.command('dead', 'replay', 'mapping', '--only', 'records', '--yes', expect=None)
            except ValueError:
                pass  # cut off by the kill
        asked = Stream(rest)
        # Asked again and again without a pause: the rest is through within some ten milliseconds.
        before, through = self.count - self.broken + first, 0
        until = time.monotonic() + 60
        while through <= 0 and time.monotonic() < until:
            through = next(a for a in self.bus.control('ledger')['accounts'] if a['account'] == 'mapping')['delivered'] - before
        self.bus.kill()
        assert through > 0, 'the rest was not replayed'
        asked.done()
        self.bus.start()
        self.quiet()
        left = self.dead()
        print('killed when %d of %d were through; %d were still dead letters' % (first + through, self.broken, len(left)), flush=True)
        if left:
            self.bus.command('dead', 'replay', 'mapping', '--only', 'records', '--yes')
        self.quiet()
        assert self.dead() == [], self.dead()[:2]

    def the_three_hundred_are_recorded_once(self):
        lines = self.quiet()
        found = recorded(self.bus)
        assert set(found) == set(range(self.count)), len(found)
        for n, (version, provenance, _, _) in found.items():
            wanted = (3, self.mended) if is_broken(n) else (2, self.bad)
            assert (version, provenance['generation']) == wanted, (n, version, provenance)
        assert lines['records']['taken'] == self.count + PEOPLE, lines['records']
        assert lines['mapping']['delivered'] == self.count, lines['mapping']
        for n in (0, 5):  # of either kind
            _, provenance, learner, key = found[n]
            words = self.bus.command('why', learner, '--achievement', key)['words']
            assert [w['provenance']['generation'] for w in words] == [self.mended if is_broken(n) else self.bad], words
            assert words[0]['provenance']['route'] == 'mapping', words

    def trace_shows_both_generations(self):
        found = self.bus.command('messages', '--route', 'mapping', '--most', '10000')['messages']
        failed = [m for m in found if m['state'] == 'dead' and m['generation'] == self.bad]
        assert len({m['id'] for m in failed}) >= self.broken, len(failed)
        for message in (failed[0], failed[-1]):
            journey = self.bus.command('trace', message['id'])['journey']
            mine = [j for j in journey if j['id'] == message['id'] and j['queue'] == 'in/mapping']
            assert [(j['generation'], j['state']) for j in mine][0] == (self.bad, 'dead'), mine
            assert mine[0]['then'] == 'replayed' and mine[0]['code'] == 'MAP-001', mine
            assert (mine[-1]['generation'], mine[-1]['state']) == (self.mended, 'delivered'), mine
            assert [j['state'] for j in journey if j['queue'] == 'records'] == ['applied'], journey
        assert self.bus.command('messages', '--route', 'mapping', '--state', 'dead')['messages'] == []

    def nothing_went_outside_again(self):
        assert self.far.got() == self.before, {p: (len(k), sum(k.values())) for p, k in self.far.got().items()}

    def rollback_returns(self):
        self.bus.command('route', 'rollback', 'mapping', str(self.bad))
        assert self.mapping()['pinned'] == self.bad, self.mapping()
        publisher = HttpsPublisher(self.bus, 'intake')
        publisher.send(self.next)  # breaks again: n mod 10 is 0
        self.quiet()
        dead = self.dead()
        assert [d['code'] for d in dead] == ['MAP-001'] and dead[0]['generation'] == str(self.mapping()['generation']), dead
        self.bus.command('route', 'rollback', 'mapping', str(self.good))
        self.bus.kill()
        self.bus.start()
        assert self.mapping()['pinned'] == self.good, self.mapping()
        HttpsPublisher(self.bus, 'intake').send(self.next + 1)
        self.bus.command('dead', 'replay', 'mapping', str(dead[0]['number']))
        self.quiet()
        found = recorded(self.bus)
        assert [found[n][0] for n in (self.next, self.next + 1)] == [1, 1], [found[n][:2] for n in (self.next, self.next + 1)]
        self.bus.command('route', 'unpin', 'mapping')
        HttpsPublisher(self.bus, 'intake').send(self.next + 2)
        self.quiet()
        assert recorded(self.bus)[self.next + 2][0] == 3
        assert self.bus.stop() == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--count', type=int, default=1000)
    test, cases = BrokenMapping(parser.parse_args().count), Cases()
    try:
        for name in ('three_hundred_of_a_thousand_fail', 'a_dry_run_says_what_would_come_of_it', 'replayed_through_a_kill',
                     'the_three_hundred_are_recorded_once', 'trace_shows_both_generations', 'nothing_went_outside_again', 'rollback_returns'):
            cases.run(name.replace('_', ' '), getattr(test, name))
    finally:
        test.bus.clean()
        shutil.rmtree(test.folder, ignore_errors=True)
    cases.end()


main()
