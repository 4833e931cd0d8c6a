#!/usr/bin/env python3
"""Documents of all five kinds about one learner, in any order, each twice, end in the same record and the same credential.

orders_test.py [--orders 24] [--seed 1]: each order runs on a fresh state; the next document goes in when the one before is through."""
import argparse, concurrent.futures, json, random, re

import documents as make
from bus import Bus, Cases, wait_for

N = 7
# Name, route, bytes. Each kind, and what changes its mind: a replaced transcript, a second score, a thesis that is taken back.
DOCUMENTS = [
    ('roster', 'people', make.person(N)),
    ('transcript', 'pesc', make.transcript(N, grade='C', document='D-1', created='2024-06-01T09:00:00-05:00')),
    ('replacement', 'pesc', make.transcript(N, grade='A', document='D-2', created='2024-06-08T09:00:00-05:00', kind='Replace')),
    ('grade', 'canvas', make.grade_event(N, score=5, time='2024-05-01T10:00:00Z')),
    ('second grade', 'canvas', make.grade_event(N, score=9, time='2024-05-02T10:00:00Z')),
    ('job', 'hr-csv', make.job(N)),
    ('thesis', 'oai-pmh', make.thesis(N)),
    ('thesis, then taken back', 'oai-pmh', make.thesis(N + 100, creator='Family7, Given7; https://orcid.org/' + make.orcid(N), stamp='2024-05-28T09:30:00Z')),
    ('taken back', 'oai-pmh', make.thesis(N + 100, deleted=True, stamp='2024-06-02T09:30:00Z')),
]
ENDS = {'people': 'csv', 'hr-csv': 'csv', 'oai-pmh': 'xml'}
OURS = {'learner', 'version', 'accepted', 'applied', 'source_number'}  # our id and counters, and when it came


def orders(count, seed):
    """The roster first and last, each document first once, and others that the seed chooses."""
    numbers = list(range(len(DOCUMENTS)))
    out = [numbers, numbers[1:] + numbers[:1], numbers[::-1]]
    dice = random.Random(seed)
    while len(out) < count:
        order = numbers[:]
        dice.shuffle(order)
        if order not in out:
            out.append(order)
    return out[:count]


def send(bus, number, again):
    name, route, data = DOCUMENTS[number]
    before = bus.ledger()[route].get('accepted', 0)
    if route in ENDS:
        bus.drop(route, 'd%d%s.%s' % (number, again, ENDS[route]), data)
    else:
        status, _, body = bus.http('POST', '/in/' + route, data, bus.token('publish-' + route),
                                   {'Content-Type': 'application/xml' if route == 'pesc' else 'application/json', 'Idempotency-Key': 'd%d%s' % (number, again)})
        assert status == 202, (status, body)
    wait_for(name + ' to be accepted', lambda: bus.dead() or bus.ledger()[route].get('accepted', 0) > before)
    bus.settled()


def without(value, names):
    """A JSON value without these members, lists in a fixed order."""
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, list):
        return sorted((without(v, names) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def achievements(credential):
    """Each achievement with its results and evidence, by its kind and name; our own ids and the time of acceptance are left out."""
    text = re.sub(r'urn:uuid:[0-9a-f-]{36}', 'urn:uuid:OURS', json.dumps(credential))
    text = re.sub(r'received \d{4}-\d\d-\d\dT[0-9:.]+Z', 'received THEN', text)
    found = {}
    for one in json.loads(text)['credentialSubject']['verifiableCredential']:
        subject = one['credentialSubject']
        name = '%s %s' % (subject['achievement']['achievementType'], subject['achievement']['name'])
        assert name not in found, 'twice in one credential: ' + name
        found[name] = without({'subject': subject, 'evidence': one.get('evidence'), 'awarded': one.get('awardedDate')}, set())
    return found


def run(order, whole_twice):
    """The end record of one order; each document twice in a row, or the whole order twice."""
    with Bus() as bus:
        for again in ('', '-again') if whole_twice else ('',):
            for number in order:
                send(bus, number, again)
                if not whole_twice:
                    send(bus, number, '-again')
        dead, waiting, learners = bus.dead_letters(), bus.waiting(), bus.learners()
        assert (len(dead), len(waiting), len(learners)) == (0, 0, 1), 'dead %s, waiting %s, learners %s' % (dead, waiting, learners)
        learner = learners[0]['learner']
        record = without(bus.control('learner', learner=learner, purpose='test'), OURS)
        credential = json.loads(bus.control('clr', learner=learner)['credential'])
        return record, achievements(credential)


def the_record_is_right(record, credential):
    keys = sorted(s['key'] for s in record['statements'])
    assert keys == sorted(['FICE:003658|7%07d|undergraduate' % (1000000 + N), 'canvas.example.edu|submission|2107%013d' % (50000 + N),
                           'SA-%d|E-%06d' % (N, N), 'oai:repository.example.edu:1/%d' % N]), keys
    text = json.dumps(credential)
    results = [r['value'] for a in credential.values() for r in a['subject'].get('result', []) if r['resultDescription'].endswith(('#final-grade', '#score'))]
    assert sorted(results) == ['9', 'A'], results  # neither the replaced grade nor the first score
    assert 'part 7' in text and 'part 107' not in text, 'the thesis that was taken back'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--orders', type=int, default=24)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    cases, first = Cases(), []
    chosen = orders(options.orders, options.seed)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, order, number % 2 == 1) for number, order in enumerate(chosen)]
        for number, (order, result) in enumerate(zip(chosen, runs)):
            def same():
                record, credential = result.result()
                if not first:
                    the_record_is_right(record, credential)
                    first.extend((record, credential))
                for what, mine, other in (('record', record, first[0]), ('credential', credential, first[1])):
                    differ = [(k, mine.get(k), other.get(k)) for k in sorted(set(mine) | set(other)) if mine.get(k) != other.get(k)]
                    assert not differ, 'the %s differs: %s' % (what, str(differ)[:3000])
            cases.run('order %02d (%s), %s twice' % (number + 1, ' '.join(map(str, order)), 'as a whole' if number % 2 else 'each'), same)
    cases.end()


main()
