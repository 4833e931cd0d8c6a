#!/usr/bin/env python3
"""Every accepted message ends exactly once in a learner record, in the waiting list or in a dead-letter queue, whatever kill -9 does.

kill_test.py [--count 2000] [--kills 3] [--seed 1] [--power-cut] [--workers N [--queues classic|quorum] [--kill-broker]]

Documents of all five kinds go in over four connections (two HTTPS, two AMQP) while the process is killed at moments that the seed
chooses, and started again; each publisher goes on until everything of its own was accepted. Some documents are broken, some people are
unknown: how many, and which, is known before. --power-cut: what was not synced at the kill is gone from the disk. --workers: the inboxes
are shared over RabbitMQ by so many worker processes; killed are the process that keeps the books, a worker, all of them, and with
--kill-broker RabbitMQ, in turn."""
import argparse, http.client, os, random, subprocess, tempfile, threading, time
from collections import Counter

import documents as make
import workers
from bus import ROOT, Bus, Cases, configuration, ssl, wait_for

BUILD = os.environ.get('CLRBUS_BUILD', os.path.join(ROOT, 'build', 'release'))
PER_PERSON = 10
TYPES = {'pesc': 'application/xml', 'canvas': 'application/json'}


class Document:
    def __init__(self, route, key, data, person, expect, statement=None):
        self.route, self.key, self.data, self.person, self.expect, self.statement = route, key, data, person, expect, statement
        self.id = None  # as the bus knows it


def broken(n):
    """A document that can never work: five kinds of broken, one of them a row of a file."""
    kind = n % 5
    if kind == 0:
        return 'pesc', make.transcript(n, unit='Semester ')
    if kind == 1:
        return 'canvas', make.grade_event(n)[:-40]
    if kind == 2:
        return 'oai-pmh', make.thesis(n)[:-60]
    if kind == 3:
        return 'hr-csv', make.JOB_HEADER.encode() + b'SA-1,E-1,ragged\r\n'
    return 'pesc', make.transcript(n).replace(b'CollegeTranscript', b'CollageTranscript')


def documents(people):
    """Ten for each person; every 20th person is unknown (a broken document instead of the roster row), every 25th sends a broken event."""
    out = []

    def add(n, route, data, expect, statement=None):
        out.append(Document(route, 'k%06d-%d' % (n, len(out)), data, n, expect, statement))

    for n in range(1, people + 1):
        unknown = n % 20 == 0
        ends = 'waiting' if unknown else 'recorded'
        if unknown:
            route, data = broken(n // 20)
            add(n, route, data, 'dead')
        else:
            add(n, 'people', make.person(n), 'person')
        add(n, 'pesc', make.transcript(n), ends, 'FICE:003658|7%07d|undergraduate' % (1000000 + n))
        for k in range(6):
            submission = n * 10 + k
            if k == 5 and n % 25 == 0:
                add(n, 'canvas', make.grade_event(n)[:-1], 'dead')
            else:
                add(n, 'canvas', make.grade_event(n, submission=submission), ends, 'canvas.example.edu|submission|2107%013d' % submission)
        add(n, 'hr-csv', make.reduced_job(n), ends, 'SA-%d|E-%06d' % (n, n))
        add(n, 'oai-pmh', make.thesis(n), ends, 'oai:repository.example.edu:1/%d' % n)
    return out


class HttpsPublisher(threading.Thread):
    """Sends its documents one after the other on one connection; after a fault connects anew and sends the same again."""

    def __init__(self, bus, todo):
        super().__init__(daemon=True)
        self.bus, self.todo, self.accepted, self.refused, self.again = bus, todo, 0, [], 0

    def run(self):
        connection = None
        for document in self.todo:
            while document.id is None:
                try:
                    if connection is None:
                        context = ssl.create_default_context(cafile=self.bus.access['ca'])
                        connection = http.client.HTTPSConnection('localhost', self.bus.ports['https'], context=context, timeout=20)
                    connection.request('POST', '/in/' + document.route, document.data,
                                       {'Authorization': 'Bearer ' + self.bus.token('publish-' + document.route),
                                        'Content-Type': TYPES[document.route], 'Idempotency-Key': document.key})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 202:
                        document.id = answer.getheader('Location').rsplit('/', 1)[1]
                        self.accepted += 1
                    elif answer.status == 503:
                        time.sleep(0.05)  # the bus asked to wait
                    else:
                        self.refused.append((document.key, answer.status))
                        document.id = 'refused'
                except (OSError, http.client.HTTPException):
                    self.again += 1
                    if connection is not None:
                        connection.close()
                    connection = None
                    time.sleep(0.02)  # between two tries, while nobody listens


class AmqpPublisher:
    def __init__(self, bus, todo, folder, name):
        self.todo, self.out = todo, os.path.join(folder, name + '.accepted')
        listing = os.path.join(folder, name + '.listing')
        with open(listing, 'w') as lines:
            for document in todo:
                path = os.path.join(folder, document.key)
                with open(path, 'wb') as f:
                    f.write(document.data)
                lines.write('%s %s %s\n' % (document.route, document.key, path))
                document.id = document.key
        self.process = subprocess.Popen(['/usr/bin/python3', os.path.join(ROOT, 'tests/e2e/amqp_publisher.py'), 'file:' + os.path.join(bus.state, 'ports.json'),
                                         'publisher', bus.password('publisher'), listing, self.out])

    @property
    def accepted(self):
        try:
            with open(self.out) as f:
                return f.read().count('\n')
        except FileNotFoundError:
            return 0

    def is_alive(self):
        return self.process.poll() is None


def power_cut(bus, log, seed):
    subprocess.run([os.path.join(BUILD, 'bin', 'undo_unsynced'), bus.state, log, str(seed)], check=True, timeout=300)


def publish_and_kill(bus, todo, options, folder, log):
    dice = random.Random(options.seed)
    https, amqp = [], []
    for d in todo:
        (https if d.route in TYPES and d.person % 3 else amqp).append(d)
    publishers = [AmqpPublisher(bus, amqp[0::2], folder, 'amqp-1'), AmqpPublisher(bus, amqp[1::2], folder, 'amqp-2'),
                  HttpsPublisher(bus, https[0::2]), HttpsPublisher(bus, https[1::2])]
    for p in publishers[2:]:
        p.start()
    count = lambda: sum(p.accepted for p in publishers)
    # The last one falls behind the last acceptance, while routes and records still work.
    moments = sorted(dice.sample(range(len(todo) // 50, len(todo)), options.kills - 1)) + [len(todo)]
    at = []
    for number, moment in enumerate(moments):
        wait_for('%d of %d accepted' % (moment, len(todo)), lambda: bus.dead() or count() >= moment, 280)
        time.sleep(dice.random() * 0.02)  # not always right behind an acceptance
        bus.kill()
        at.append(count())
        if options.power_cut:
            power_cut(bus, log, options.seed * 100 + number)
        bus.start()
    wait_for('every publisher to be through', lambda: bus.dead() or not any(p.is_alive() for p in publishers), 280)
    assert count() == len(todo), 'accepted %d of %d' % (count(), len(todo))
    assert not any(p.refused for p in publishers[2:]), publishers[2].refused[:5] + publishers[3].refused[:5]
    print('killed behind %s acceptances; %d times sent again over HTTPS' % (', '.join(map(str, at)), sum(p.again for p in publishers[2:])), flush=True)


def replay_the_suspected(bus):
    """A document that was in hand at two of the kills is suspected of them and lies in dead/ROUTE as ROUTE-105: replayed, as an operator
    does, it goes through. How many there were of each route."""
    found = Counter(d['route'] for d in bus.dead_letters() if d['code'] == 'ROUTE-105')
    for route in found:
        assert bus.control('dead-replay', route=route, code='ROUTE-105')['replayed'] == found[route]
    print('%d in hand at two kills, replayed' % sum(found.values()), flush=True)
    return found


def the_ledger(lines, todo, replayed):
    """The sums of every route and of the records are those that were known before."""
    split = ('people', 'hr-csv', 'oai-pmh')
    for route in ('people', 'pesc', 'canvas', 'hr-csv', 'oai-pmh'):
        own = [d for d in todo if d.route == route]
        dead = sum(d.expect == 'dead' for d in own)
        line = lines[route]
        found = (line.get('accepted', 0) - line.get('duplicate', 0), line.get('delivered', 0), line.get('dead', 0), line['waiting'])
        again = replayed.get(route, 0)
        assert found == (len(own), len(own) - dead, dead + again, 0), '%s: %s, expected %s' % (route, found, (len(own), len(own) - dead, dead + again, 0))
        # A broken page is one dead document; a ragged row is a dead child of a file that was split.
        made = sum(d.expect != 'dead' or d.route == 'hr-csv' for d in own) if route in split else 0
        assert (line.get('made', 0), line.get('split', 0)) == (made + again, made), '%s: %s' % (route, line)
    records = lines['records']
    delivered = sum(d.expect != 'dead' for d in todo)
    held = sum(d.expect == 'waiting' for d in todo)
    assert records['taken'] == delivered and records.get('dead', 0) == 0, records
    # What came before its roster row was held too, and attached by itself when the row came.
    assert records.get('held', 0) >= held and records['in'] == records['out'], records


def the_records(bus, todo):
    wanted = {}
    for d in todo:
        if d.expect in ('person', 'recorded'):
            wanted.setdefault('U%07d' % (1000000 + d.person), Counter()).update([d.statement] if d.statement else [])
    learners = bus.learners()
    assert len(learners) == len(wanted), '%d learners, expected %d' % (len(learners), len(wanted))
    for one in learners:
        record = bus.control('learner', learner=one['learner'], purpose='test')
        who = next(i['value'] for i in record['identifiers'] if i['scheme'] == 'institution-id')
        found = Counter(s['key'] for s in record['statements'])
        assert found == wanted.pop(who), 'a learner has %s' % sorted(found.items())
    assert not wanted, '%d learners are missing' % len(wanted)


def the_waiting_list(bus, todo):
    found = Counter(bus.control('waiting-show', number=w['number'], purpose='test')['key'] for w in bus.waiting())
    wanted = Counter(d.statement for d in todo if d.expect == 'waiting')
    assert found == wanted, '%d wait, expected %d; missing %d, too many %s' % (
        sum(found.values()), sum(wanted.values()), len(wanted - found), list((found - wanted).items())[:3])


def the_dead_letters(bus, todo):
    found, why = Counter(), {}
    for d in bus.dead_letters():
        parent = bus.control('dead-show', route=d['route'], number=d['number'])['headers'].get('clrbus-parent') if d['row'] else None
        found[(d['route'], parent or d['id'])] += 1
        why[(d['route'], parent or d['id'])] = d['code'], d['reason'], d['at']
    wanted = Counter((d.route, d.id) for d in todo if d.expect == 'dead')
    assert found == wanted, 'missing %s, too many %s' % (list((wanted - found).items())[:5], [(k, why[k]) for k in list(found - wanted)[:5]])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--count', type=int, default=2000)
    parser.add_argument('--kills', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--power-cut', action='store_true')
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument('--queues', choices=('classic', 'quorum'), default='classic')
    parser.add_argument('--kill-broker', action='store_true')
    options = parser.parse_args()
    if options.workers and not workers.rabbitmq_server.installed():
        print('skip kill -9 with workers: RabbitMQ is not installed (apt-get install rabbitmq-server)')
        return
    todo = documents(options.count // PER_PERSON)
    random.Random(options.seed).shuffle(todo)
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='clrbus-kill-') as folder:
        log = os.path.join(folder, 'undo')
        config = configuration(folder, keep_drops=False)
        if options.workers:
            victims = ('books', 'worker', 'all') + (('broker',) if options.kill_broker else ())
            bus = workers.SharedBus(config, folder, options.workers, options.seed, victims, options.queues)
        else:
            bus = Bus(config=config)
        if options.power_cut:
            os.makedirs(log)
            bus.environment.update(LD_PRELOAD=os.path.join(BUILD, 'bin', 'libdiscard_unsynced.so'), CLRBUS_DISCARD_DIR=bus.state, CLRBUS_DISCARD_LOG=log)
        lines, replayed = {}, Counter()
        try:
            bus.start()
            cases.run('%d documents are accepted through %d kills' % (len(todo), options.kills), lambda: publish_and_kill(bus, todo, options, folder, log))
            cases.run('the queues run empty and the ledger balances', lambda: bus.settled(seconds=250) and None)
            cases.run('what the kills made suspect goes through when it is replayed', lambda: replayed.update(replay_the_suspected(bus)))
            cases.run('the queues are empty again', lambda: lines.update(bus.settled(seconds=60)))
            cases.run('the sums of the ledger are exact', lambda: the_ledger(lines, todo, replayed))
            cases.run('every learner holds each statement once', lambda: the_records(bus, todo))
            cases.run('the waiting list holds each statement of an unknown person once', lambda: the_waiting_list(bus, todo))
            cases.run('each broken document is one dead letter', lambda: the_dead_letters(bus, todo))
            cases.run('it stops with status 0', lambda: None if bus.stop() == 0 else 1 / 0)
        finally:
            bus.clean()
    cases.end()


if __name__ == '__main__':
    main()
