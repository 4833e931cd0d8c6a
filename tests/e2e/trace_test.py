#!/usr/bin/env python3
"""clrbus messages and trace against a real bus: found by key, learner, route, state and time; the journey of a message through a split, a
dead letter, a replay and into a record; after kill -9, beside a stopped bus, with a damaged file; nothing of a person in the index."""
import csv, io, json, os, re, shutil, signal, subprocess, tempfile

from bus import CLRBUS, ROOT, Bus, Cases, configuration, wait_for

ROUTE = '''<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1" xmlns:http-listen="urn:clrbus:adapter:http-listen:1">
  <route id="orders" system="Orders" steward="Shop" refresh="PT24H" retain="P1Y">
    <from><http-listen:post/></from>
    <key name="order" xpath="/json/order" personal="no"/>
    <key name="buyer" xpath="/json/buyer"/>
    <key name="fails" xpath="$no-such-variable"/>
    <parse format="json"/>
    <filter test="not(/json/test)" reason="a test"/>
    <wire-tap><to><route id="copies"/></to></wire-tap>
    <transform stylesheet="people.xsl"/>
    <to><records/></to>
  </route>
  <route id="copies" system="Orders" steward="Shop" refresh="PT24H" retain="P1Y">
    <parse format="json"/>
    <filter test="false()" reason="counted"/>
    <to><records/></to>
  </route>
</routes>
'''
STUDENT = 'U7654321'
OTHER = 'U7654399'


def roster(rows):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(['institution_id', 'sis_id', 'given_name', 'family_name', 'updated_at'])
    writer.writerows(rows)
    return out.getvalue().encode()


class Trace:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='clrbus-trace-')
        self.bus = Bus(configuration(self.folder, more={'orders': ROUTE}), state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state)
        self.bus.start()

    def messages(self, *arguments, expect=0):
        return self.bus.command('messages', *arguments, expect=expect)['messages']

    def trace(self, message):
        return self.bus.command('trace', message)['journey']

    def post(self, route, document):
        status, headers, body = self.bus.http('POST', '/in/' + route, json.dumps(document).encode(), self.bus.token('publish-' + route),
                                              {'Content-Type': 'application/json'})
        assert status == 202, (status, body)
        return headers['Location'].rsplit('/', 1)[1]

    def refusals(self):
        for arguments, status in ((('trace',), 2), (('trace', 'nobody-knows-this'), 1), (('messages', '--most', '0'), 2),
                                  (('messages', '--since', 'yesterday'), 1), (('messages', '--learner', 'nobody'), 0)):
            got = subprocess.run([CLRBUS, *arguments, '--state', self.bus.state], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert got.returncode == status, (arguments, got.returncode, got.stdout, got.stderr)
        assert self.messages() == [] and self.messages('--key', 'x' * 100000) == []

    def a_record_is_found_by_its_keys(self):
        self.bus.drop('people', 'roster.csv', roster([[STUDENT, '70000001', 'Ida', 'Known', '2026-01-01T00:00:00Z'], [OTHER, '70000002', 'Ole', 'Known', '2026-01-01T00:00:00Z'],
                                                      ['', '', '', '', 'never']]))
        self.bus.settled()
        for key in ('institution-id=' + STUDENT, STUDENT, 'sis-id=70000001'):
            found = self.messages('--key', key)
            assert len(found) == 1, (key, found)
            assert found[0]['route'] == 'people' and found[0]['row'] == 1 and found[0]['state'] == 'delivered', found
            assert found[0]['keys'] == {'institution-id': None, 'sis-id': None}, found[0]['keys']
        assert self.messages('--key', 'hr-id=' + STUDENT) == [], 'the value of another key'
        assert len(self.messages('--key', STUDENT, '--route', 'people')) == 1
        assert self.messages('--key', STUDENT, '--route', 'canvas') == []
        assert self.messages('--key', STUDENT, '--since', '2999-01-01') == []
        assert self.messages('--key', STUDENT, '--until', '2001-01-01') == []

    def a_row_is_traced_from_its_file_to_the_record(self):
        row = self.messages('--key', STUDENT)[0]
        journey = self.trace(row['id'])
        assert [(j['is'], j['queue'], j['state']) for j in journey] == [
            ('parent', 'in/people', 'split'), ('message', 'in/people', 'delivered'), ('output', 'records', 'applied')], journey
        assert journey[1]['generation'] == 1 and journey[1]['parent'] == journey[0]['id'], journey
        assert journey[1]['worked_microseconds'] > 0 and journey[2]['milliseconds'] >= 0, journey
        file = self.trace(journey[0]['id'])
        states = sorted(j['state'] for j in file if j['is'] == 'record')
        assert states == ['dead', 'delivered', 'delivered'], file
        dead = next(j for j in file if j['state'] == 'dead')
        assert dead['row'] == 3 and dead['code'].startswith('XSD-') and dead['dead_letter'] == self.bus.dead_letters('people')[0]['number'], dead
        assert 'then' not in dead, 'it lies there'
        up = self.trace(journey[2]['id'])
        assert [j['is'] for j in up] == ['parent', 'parent', 'message'], up

    def a_learner_is_what_went_into_the_record(self):
        learner = next(l['learner'] for l in self.bus.learners())
        found = self.messages('--learner', learner)
        assert len(found) == 1 and found[0]['route'] == 'people' and found[0]['record'] == 'applied', found

    def dead_letters_as_they_are_now(self):
        assert len(self.messages('--state', 'dead')) == 1
        number = self.bus.dead_letters('people')[0]['number']
        row = self.messages('--state', 'dead')[0]
        self.bus.command('dead', 'replay', 'people', str(number), '--yes')
        self.bus.settled()
        journey = self.trace(row['id'])
        mine = [j for j in journey if j['id'] == row['id']]
        assert [j['state'] for j in mine] == ['dead', 'replayed', 'dead'], mine
        assert mine[0]['then'] == 'replayed' and 'then' not in mine[2], mine
        found = self.messages('--state', 'dead')
        assert [f['dead_letter'] for f in found] == [mine[2]['dead_letter']], found
        self.bus.command('dead', 'discard', 'people', str(mine[2]['dead_letter']), '--why', 'of no use')
        assert self.messages('--state', 'dead') == []
        assert self.messages('--state', 'discarded') == [], 'it was no message that came'
        assert self.trace(row['id'])[-1]['state'] == 'discarded'

    def keys_that_fail_and_wire_taps(self):
        test = self.post('orders', {'order': 'A-1', 'buyer': 'Ida Known', 'test': 1})
        large = self.post('orders', {'order': 'x' * 1000000, 'buyer': '   '})
        real = self.post('orders', {'order': 'A-2', 'buyer': 'Ida Known'})
        self.bus.settled()
        assert [m['id'] for m in self.messages('--key', 'order=A-1')] == [test]
        assert self.messages('--key', 'order=A-1')[0]['reason'] == 'a test'
        assert self.messages('--key', 'order=A-2')[0]['keys'] == {'order': 'A-2', 'buyer': None}
        assert {m['id'] for m in self.messages('--key', 'buyer=Ida Known')} == {test, real}
        assert {m['id'] for m in self.messages('--key', 'Ida Known', '--state', 'filtered')} == {test}
        found = [m for m in self.messages('--route', 'orders') if m['id'] == large]
        assert found and found[0]['keys'] == {'order': None}, 'no key of 1 MB is kept: %s' % str(found)[:300]
        taps = [j for j in self.trace(real) if j['queue'] == 'in/copies']
        assert [t['state'] for t in taps] == ['filtered'] or found[0]['state'] == 'dead', self.trace(real)
        status, _, metrics = self.bus.http('GET', '/metrics', token=self.bus.token('operator'))
        assert status == 200 and re.search(r'clrbus_trace_keys_failed_total\{route="orders"\} [3-9]', metrics.decode()), 'failed keys are counted'

    def nothing_of_a_person_lies_in_the_index(self):
        self.bus.command('messages')  # all of it is written
        for name in os.listdir(os.path.join(self.bus.state, 'trace')):
            data = open(os.path.join(self.bus.state, 'trace', name), 'rb').read()
            for value in (STUDENT, OTHER, '70000001', 'Ida Known', 'Known'):
                assert value.encode() not in data, (name, value)

    def statistics_survive(self):
        def of(route):
            return next(s for s in self.bus.command('status', expect=None)['statistics'] if s['route'] == route)
        before = of('people')
        assert before['received'] == 1 and before['applied'] == 2 and before['dead'] == 2 and before['last_success'], before
        assert of('orders')['filtered'] == 1, of('orders')
        self.bus.kill()
        self.bus.start()
        after = of('people')
        assert after['last_success'] and after['last_success'] <= before['last_success'], (after, before)
        times = ('last_success', 'last_received')
        assert {k: v for k, v in after.items() if k not in times} == {k: v for k, v in before.items() if k not in times}, (after, before)

    def killed_and_nothing_is_missing(self):
        sent = [self.post('orders', {'order': 'K-%d' % n, 'test': 1}) for n in range(300)]
        self.bus.kill()  # what the index had in memory is gone
        self.bus.start()
        self.bus.settled()
        assert len({m['id'] for m in self.messages('--route', 'orders', '--most', '1000')} & set(sent)) == 300
        for n in (0, 150, 299):
            found = self.messages('--key', 'order=K-%d' % n)
            assert [(m['id'], m['state']) for m in found] == [(sent[n], 'filtered')], found
        assert self.bus.command('messages')['index']['gaps'] == []

    def beside_a_stopped_bus(self):
        assert self.bus.stop() == 0
        before = sorted(os.listdir(os.path.join(self.bus.state, 'trace')))
        answer = self.bus.command('messages', '--key', STUDENT)
        assert len(answer['messages']) == 1 and not answer['index']['live'], answer
        assert [j['state'] for j in self.trace(answer['messages'][0]['id'])] == ['split', 'delivered', 'applied']
        refused = self.bus.command('messages', '--learner', 'x', expect=1)
        assert refused['error']['code'] == 'MGMT-031', refused
        assert sorted(os.listdir(os.path.join(self.bus.state, 'trace'))) == before, 'nothing was changed'
        text = subprocess.run([CLRBUS, 'messages', '--key', STUDENT, '--state', self.bus.state], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert 'The bus is stopped' in text and '(personal)' in text, text

    def a_damaged_file_is_put_aside_and_said(self):
        folder = os.path.join(self.bus.state, 'trace')
        largest = max((os.path.join(folder, n) for n in os.listdir(folder) if n.endswith('.seg')), key=os.path.getsize)
        with open(largest, 'r+b') as f:
            f.seek(os.path.getsize(largest) // 3)
            f.write(b'\0\xff' * 8)
        self.bus.start()
        answer = self.bus.command('messages', '--most', '1')
        assert len(answer['index']['gaps']) == 1 and 'damaged' in answer['index']['gaps'][0]['why'], answer['index']
        assert os.path.exists(largest + '.damaged')
        sent = self.post('orders', {'order': 'after', 'test': 1})
        self.bus.settled()
        assert [m['id'] for m in self.messages('--key', 'order=after')] == [sent], 'it goes on'
        text = subprocess.run([CLRBUS, 'messages', '--disk', '--state', self.bus.state], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert 'MISSING' in text and re.search(r'^20\d\d-\d\d-\d\d +\d+$', text, re.M), text
        assert self.bus.stop() == 0


def main():
    test, cases = Trace(), Cases()
    try:
        for name in ('refusals', 'a_record_is_found_by_its_keys', 'a_row_is_traced_from_its_file_to_the_record', 'a_learner_is_what_went_into_the_record',
                     'dead_letters_as_they_are_now', 'keys_that_fail_and_wire_taps', 'nothing_of_a_person_lies_in_the_index', 'statistics_survive',
                     'killed_and_nothing_is_missing', 'beside_a_stopped_bus', 'a_damaged_file_is_put_aside_and_said'):
            cases.run(name.replace('_', ' '), getattr(test, name))
    finally:
        test.bus.clean()
        shutil.rmtree(test.folder, ignore_errors=True)
    cases.end()


main()
