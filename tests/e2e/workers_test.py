#!/usr/bin/env python3
"""The same routes, documents and commands on the embedded broker and over RabbitMQ with worker processes: the same records, ledger, dead
letters and answers. And routes that change while worker processes run them.

workers_test.py [--count 200] [--workers 2] [--queues classic|quorum]"""
import argparse, json, os, socket, subprocess, tempfile

import documents as make
import workers
from bus import CLRBUS, Bus, Cases, configuration, wait_for
from items import STYLESHEET, HttpsPublisher, own_transforms, recorded, replace_text, roster
from kill_test import PER_PERSON, documents

ENDS = {'pesc': 'xml', 'canvas': 'json', 'oai-pmh': 'xml', 'hr-csv': 'csv', 'people': 'csv'}
ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="load" system="test" steward="Test" refresh="P1D" retain="P1D" match="institution-id">
    <from><listen:post/></from>
    %s<transform stylesheet="load.xsl"/>
    <to><records/></to>
  </route>
</routes>'''
PEOPLE = 10


# ── both alike ──
def through(bus, todo):
    """The people first, so that what waits for one is known before."""
    for people in (True, False):
        for d in todo:
            if (d.route == 'people') == people:
                bus.drop(d.route, d.key + '.' + ENDS[d.route], d.data)
        lines = lambda: {n: a.get('accepted', 0) for n, a in bus.ledger().items()}
        wanted = sum((d.route == 'people') >= people for d in todo)
        wait_for('%d documents at the doors' % wanted, lambda: bus.dead() or sum(lines().values()) >= wanted, 200)
        bus.settled(seconds=200)


def without(entry, *names):
    return {k: v for k, v in entry.items() if k not in names}


def records(bus):
    out = {}
    for one in bus.learners():
        record = bus.control('learner', learner=one['learner'], purpose='test')
        who = next(i['value'] for i in record['identifiers'] if i['scheme'] == 'institution-id')
        for statement in record['statements']:
            statement['provenance'] = without(statement['provenance'], 'accepted', 'applied', 'source_number', 'position')
        out[who] = {'names': record['names'], 'identifiers': sorted(json.dumps(i, sort_keys=True) for i in record['identifiers']),
                    'statements': sorted(json.dumps(s, sort_keys=True) for s in record['statements'])}
    return out


def waiting(bus):
    return sorted(bus.control('waiting-show', number=w['number'], purpose='test')['key'] for w in bus.waiting())


def dead(bus):
    found = bus.command('dead', 'list', '--most', '10000')['dead']
    return sorted(json.dumps(without(d, 'number', 'id', 'at', 'accepted', 'trace', 'bytes'), sort_keys=True) for d in found)


def queues(bus):
    return [without(q, 'bytes', 'oldest') for q in bus.command('queues')['queues']]


def same(name, of, pair):
    one, other = (of(bus) for bus in pair)
    if one != other:
        different = [k for k in one if one[k] != other.get(k)][:3] if isinstance(one, dict) else [x for x in one if x not in other][:3]
        raise AssertionError('%s: %d and %d; only on the embedded broker: %s' % (name, len(one), len(other), json.dumps(different)[:800]))
    assert one, name + ': there is nothing'


def mended(bus):
    """Replays what is dead of a route, which is as broken as before, and discards one: what the commands said, without numbers."""
    route = bus.command('dead', 'list')['dead'][0]['route']
    numbers = lambda: sorted(d['number'] for d in bus.command('dead', 'list', route)['dead'])
    before = numbers()
    plan = bus.command('dead', 'replay', route, '--dry-run')
    done = bus.command('dead', 'replay', route)
    bus.settled()
    again = numbers()
    bus.command('dead', 'discard', route, str(again[0]), '--why', 'test')
    bus.command('dead', 'discard', route, str(again[0]), '--why', 'test', expect=1)
    return {'dead': len(before), 'planned': sorted(plan), 'replayed': done.get('replayed'), 'again': len(again), 'ledger': bus.settled()}


# ── reload ──
def sheet(version):
    return STYLESHEET % {'check': '', 'people': PEOPLE, 'source': 'load', 'version': version}


def ask(worker):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(worker.state, 'control.sock'))
        s.sendall(b'{"command":"status"}\n')
        return json.loads(s.makefile().readline())


class Reload:
    def __init__(self, folder, options):
        config = own_transforms(folder, {'load': ROUTE % ''}, {'load.xsl': sheet(0)})
        self.sheet, self.route = os.path.join(folder, 'transforms', 'load.xsl'), os.path.join(folder, 'routes', 'load', 'routes.xml')
        self.bus, self.next = workers.SharedBus(config, folder, options.workers, kind=options.queues), 0

    def begin(self):
        self.bus.start()
        roster(self.bus, PEOPLE)
        self.send(40, 0)

    def send(self, many, version):
        publisher, numbers = HttpsPublisher(self.bus, 'load'), range(self.next, self.next + many)
        for n in numbers:
            publisher.send(n)
        self.next += many
        load = self.bus.settled(['load'])['load']
        assert (load['accepted'], load['delivered'], load.get('dead', 0)) == (self.next, self.next, 0), load
        found = recorded(self.bus)
        assert set(found) == set(range(self.next)), '%d of %d' % (len(found), self.next)
        assert {found[n][0] for n in numbers} == {version}, {found[n][0] for n in numbers}
        return {found[n][1]['generation'] for n in numbers}

    def generation(self):
        return next(r for r in self.bus.command('route', 'list', expect=None)['routes'] if r['route'] == 'load')['generation']

    def a_changed_stylesheet_is_taken_by_all(self):
        replace_text(self.sheet, sheet(1))
        wait_for('the books to take it', lambda: self.generation() == 2)
        assert self.send(60, 1) == {2}
        done = [r['done'] for w in self.bus.workers for r in ask(w)['routes'] if r['route'] == 'load']
        assert sum(done) > 0, done

    def under_load_each_is_made_once_by_one_of_them(self):
        publisher = HttpsPublisher(self.bus, 'load')
        numbers = range(self.next, self.next + 200)
        for n in numbers:
            publisher.send(n)
            if n == self.next + 100:
                replace_text(self.sheet, sheet(2))
        self.next += 200
        wait_for('the books to take it', lambda: self.generation() == 3)
        self.bus.settled(['load'])
        found = recorded(self.bus)
        assert set(found) == set(range(self.next)), '%d of %d' % (len(found), self.next)
        made = {(found[n][0], found[n][1]['generation']) for n in numbers}
        assert made <= {(1, 2), (2, 3)} and (1, 2) in made, made

    def a_broken_one_is_refused_and_the_one_before_runs_on(self):
        replace_text(self.sheet, sheet(3).replace('</statement>', '</statment>'))
        for worker in self.bus.workers:
            refused = wait_for('a worker to refuse it', lambda: ask(worker)['refused'])
            assert refused[0]['route'] == 'load' and refused[0]['runs'] and 'load.xsl:' in refused[0]['text'], refused
        assert self.send(20, 2) == {3}
        replace_text(self.sheet, sheet(4))
        wait_for('the workers to take the mended one', lambda: not any(ask(w)['refused'] for w in self.bus.workers))
        wait_for('the books to take it', lambda: self.generation() == 4)
        self.send(20, 4)

    def a_step_that_keeps_state_brings_the_route_home_and_back(self):
        done = lambda: sum(r['done'] for w in self.bus.workers for r in ask(w)['routes'] if r['route'] == 'load')
        replace_text(self.route, ROUTE % '<deduplicate key="concat(/item/@n, \'\')" window="PT1H"/>\n    ')
        wait_for('the books to take it', lambda: self.generation() == 5)
        wait_for('the workers to leave it', lambda: done() == 0)
        check = json.loads(subprocess.run([CLRBUS, 'check', '--config', self.bus.config, '--broker', '--json'], stdout=subprocess.PIPE, timeout=60).stdout)
        bound = [f['text'] for f in check['found'] if f['code'] == 'LINK-012']
        assert len(bound) == 1 and "route 'load'" in bound[0] and 'deduplicate' in bound[0] and check['good'], check
        self.send(30, 4)
        assert done() == 0, 'a worker process worked on it'
        replace_text(self.route, ROUTE % '')
        wait_for('the books to take it', lambda: self.generation() == 6)
        self.send(30, 4)
        assert done() > 0, 'no worker process works on it again'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--count', type=int, default=200)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--queues', choices=('classic', 'quorum'), default='classic')
    options = parser.parse_args()
    if not workers.rabbitmq_server.installed():
        print('skip workers: RabbitMQ is not installed (apt-get install rabbitmq-server)')
        return
    cases = Cases()
    todo = documents(options.count // PER_PERSON)
    with tempfile.TemporaryDirectory(prefix='clrbus-workers-') as folder:
        places = [os.path.join(folder, name) for name in ('one', 'many')]
        pair = [Bus(config=configuration(places[0], keep_drops=False)),
                workers.SharedBus(configuration(places[1], keep_drops=False), places[1], options.workers, kind=options.queues)]
        try:
            for bus, where in zip(pair, ('on the embedded broker', 'over RabbitMQ with %d workers' % options.workers)):
                cases.run('%d documents go through %s' % (len(todo), where), lambda: through(bus.start(), todo))
            for name, of in (('records', records), ('waiting list', waiting), ('dead', dead), ('queues', queues), ('ledger', lambda bus: bus.ledger())):
                cases.run('the same: ' + name, lambda: same(name, of, pair))
            cases.run('the same: dead replay, dead discard', lambda: same('mended', mended, pair))
        finally:
            for bus in pair:
                bus.clean()
        place = os.path.join(folder, 'reload')
        os.makedirs(place)
        test = Reload(place, options)
        try:
            for name in ('begin', 'a_changed_stylesheet_is_taken_by_all', 'under_load_each_is_made_once_by_one_of_them',
                         'a_broken_one_is_refused_and_the_one_before_runs_on', 'a_step_that_keeps_state_brings_the_route_home_and_back'):
                cases.run('reload: ' + name.replace('_', ' '), getattr(test, name))
        finally:
            test.bus.clean()
    cases.end()


main()
