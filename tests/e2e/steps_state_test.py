#!/usr/bin/env python3
"""What waits in steps survives kill -9: rows of files are delayed, put in order and put together while the process is killed again and
again. Each group comes out once, whole and in order, and the ledger says so.

steps_state_test.py [--files 6] [--groups 40] [--kills 4] [--seed 1]"""
import argparse, os, random, tempfile

from bus import Bus, Cases, configuration, wait_for

SIZE = 3  # rows of a group
ROUTES = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="work" system="test" steward="Test" refresh="P1D" retain="P1D">
    <from><listen:post/></from>
    <split format="csv"/>
    <delay for="PT1S"/>
    <resequence correlation="/row/g" number="/row/n" gap="PT1H"/>
    <aggregate correlation="/row/g" count="%(size)d" late="dead"/>
    <to><route id="seen"/></to>
  </route>
  <route id="seen" system="test" steward="Test" refresh="P1D" retain="P1D">
    <deduplicate key="/aggregate/@correlation"/>
    <filter test="count(/aggregate/member) = %(size)d and not(/aggregate/member[row/n != position()])" reason="not whole, or not in order"/>
    <to><route id="end"/></to>
  </route>
  <route id="end" system="test" steward="Test" refresh="P1D" retain="P1D">
    <filter test="false()" reason="counted"/>
    <to><records/></to>
  </route>
</routes>''' % {'size': SIZE}


class Waiting:
    def __init__(self, arguments):
        self.files, self.groups, self.kills = arguments.files, arguments.groups, arguments.kills
        self.random = random.Random(arguments.seed)
        self.folder = tempfile.mkdtemp(prefix='clrbus-steps-')
        self.bus = Bus(config=configuration(self.folder, ['people'], more={'work': ROUTES}), state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)
        self.total = self.files * self.groups

    def file(self, number):
        rows = ['g%d-%d,%d' % (number, g, n) for g in range(self.groups) for n in range(1, SIZE + 1)]
        self.random.shuffle(rows)
        return ('g,n\n' + '\n'.join(rows) + '\n').encode()

    def account(self, name):
        return self.bus.ledger().get(name, {})

    def killed_while_they_wait(self):
        self.bus.start()
        # One file between two kills at least: at each kill rows wait in all three steps, or are on their way between them.
        for number in range(self.files):
            status, _, _ = self.bus.http('POST', '/in/work', self.file(number), self.bus.token('publish-work'),
                                         {'Content-Type': 'text/csv', 'Idempotency-Key': 'file-%d' % number})
            assert status == 202, status
            if number < self.kills:
                goal = self.account('work').get('aggregated', 0) + self.random.randrange(1, SIZE * self.groups // 2)
                wait_for('%d rows put together' % goal, lambda goal=goal: self.account('work').get('aggregated', 0) >= goal)
                self.bus.kill()
                self.bus.start()

    def each_group_comes_out_once(self):
        lines = self.bus.settled(['work', 'seen', 'end'])
        rows = self.total * SIZE
        work, seen, end = lines['work'], lines['seen'], lines['end']
        found = {'split': work.get('split', 0), 'made': work.get('made', 0), 'aggregated': work.get('aggregated', 0),
                 'delivered': work.get('delivered', 0), 'seen': seen.get('delivered', 0), 'end': end.get('filtered', 0)}
        assert found == {'split': self.files, 'made': rows + self.total, 'aggregated': rows, 'delivered': self.total,
                         'seen': self.total, 'end': self.total}, found
        wrong = {n: (a.get('dead', 0), a.get('duplicate', 0)) for n, a in (('work', work), ('seen', seen), ('end', end))}
        assert all(w == (0, 0) for w in wrong.values()), wrong
        assert seen.get('filtered', 0) == 0, '%d groups were not whole or not in order' % seen['filtered']

    def nothing_is_left(self):
        queues = {q['queue']: q['ready'] + q['in_hand'] + q['delayed'] for q in self.bus.control('queues')['queues']}
        steps = {n: w for n, w in queues.items() if n.startswith('step/work/')}
        assert steps == {'step/work/delay-1': 0, 'step/work/resequence-1': 0, 'step/work/aggregate-1': 0}, steps


def main():
    parser = argparse.ArgumentParser()
    for name, default in (('files', 6), ('groups', 40), ('kills', 4), ('seed', 1)):
        parser.add_argument('--' + name, type=int, default=default)
    test, cases = Waiting(parser.parse_args()), Cases()
    cases.run('rows wait in steps while the process is killed', test.killed_while_they_wait)
    cases.run('each group comes out once, whole and in order', test.each_group_comes_out_once)
    cases.run('nothing is left in a step', test.nothing_is_left)
    test.bus.clean()
    cases.end()


if __name__ == '__main__':
    main()
