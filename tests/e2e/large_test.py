#!/usr/bin/env python3
"""A large CSV file and a large JSON array go through in bounded memory, killed twice on the way, without a row lost or doubled.

large_test.py [--rows 30000] [--megabytes 20] [--growth 64]"""
import argparse, os, tempfile

import documents as make
from bus import Bus, Cases, Memory, configuration, wait_for

EVERY_BROKEN = 1000  # one row in so many is ragged, one event in so many says not whose grade it is
FILLER = 3600  # what Canvas may add to an event, so that the array grows in bytes and not in events alone

ROUTE = '''<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1">
  <route id="grades" system="Canvas" component="outcomes" approach="extract" steward="Test" refresh="P1D" retain="P1D" match="canvas-global-id">
    <from><directory:pickup match="*.json"/></from>
    <split format="json"/>
    <validate schema="canvas/live-event.xsd"/>
    <transform stylesheet="canvas-grade-change.xsl"><param name="institution" value="FICE:003658"/></transform>
    <to><records/></to>
  </route>
</routes>
'''


def roster(path, rows):
    header, first = make.person(1).split(b'\r\n')[:2]
    with open(path, 'wb') as out:
        out.write(header + b'\r\n')
        for n in range(1, rows + 1):
            out.write(b'U%d,ragged\r\n' % n if n % EVERY_BROKEN == 0 else make.person(n).split(b'\r\n')[1] + b'\r\n')
    return rows // EVERY_BROKEN


def grades(path, megabytes, rows):
    filler = b'{"body":{"more":"' + b'x' * FILLER + b'",'
    number = size = 0
    with open(path, 'wb') as out:
        out.write(b'[')
        while size < megabytes << 20:
            number += 1
            person = number % rows + 1
            if person % EVERY_BROKEN == 0:
                person += 1  # that row was ragged
            event = make.grade_event(person, submission=number)
            if number % EVERY_BROKEN == 0:
                event = event.replace(b'"student_id":"2107%013d",' % person, b'').replace(b',"user_id":"2107%013d"' % person, b'')
            event = (b',\n' if number > 1 else b'') + event.replace(b'"body":{', filler[1:], 1)
            out.write(event)
            size += len(event)
        out.write(b']')
    return number


def reached(bus, route, count):
    made = next(a for a in bus.control('ledger')['accounts'] if a['account'] == route).get('made', 0)
    return made if made >= count else 0


def through(bus, route, file, expected):
    """Drops the file, kills the process twice while its records are made, and waits until all are through."""
    before = bus.ledger()[route].get('made', 0)
    folder = os.path.join(bus.state, 'drop', route)
    os.makedirs(folder, exist_ok=True)
    os.rename(file, os.path.join(folder, 'large.' + file.rsplit('.', 1)[1]))
    at = []
    for part in (0.25, 0.6):
        made = wait_for('%d records' % (expected * part), lambda: bus.dead() or reached(bus, route, before + expected * part), 900)
        assert made < before + expected, 'it was through before the kill: the file is too small'
        bus.kill()
        bus.start()
        at.append(made - before)
    lines = bus.settled(seconds=1200)
    print('%s: killed behind %s of %d records' % (route, ' and '.join(map(str, at)), expected), flush=True)
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--rows', type=int, default=30000)
    parser.add_argument('--megabytes', type=int, default=20)
    parser.add_argument('--growth', type=int, default=64)
    options = parser.parse_args()
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='clrbus-large-') as folder:
        bus = Bus(config=configuration(folder, routes=['people'], more={'grades': ROUTE}))
        # One file system for the files and the state: dropping is a rename.
        csv, array = os.path.join(folder, 'r.csv'), os.path.join(folder, 'g.json')
        memory = Memory(bus)
        known = {}
        try:
            bus.start()

            def warm():
                # One after the other: a grade that comes before its person is held first, and counted so.
                bus.drop('people', 'first.csv', make.person(options.rows + 5))
                wait_for('the first person', lambda: bus.dead() or bus.control('status')['records']['learners'] == 1)
                bus.drop('grades', 'first.json', b'[' + make.grade_event(options.rows + 5, submission=999999999) + b']')
                wait_for('the first two', lambda: bus.dead() or all(bus.ledger()[r].get('split', 0) == 1 for r in ('people', 'grades')))
                bus.settled()
                known['start'] = bus.rss()[0]
                memory.start()

            def the_csv():
                broken = roster(csv, options.rows)
                line = through(bus, 'people', csv, options.rows)['people']
                found = [line.get(k, 0) for k in ('accepted', 'made', 'split', 'delivered', 'dead')]
                assert found == [2, options.rows + 1, 2, options.rows - broken + 1, broken], line
                learners = bus.control('status')['records']['learners']
                assert learners == options.rows - broken + 1, '%d learners' % learners
                rows = sorted(int(d['row']) for d in bus.dead_letters('people'))
                assert rows == list(range(EVERY_BROKEN, options.rows + 1, EVERY_BROKEN)), rows[:5]

            def the_array():
                events = grades(array, options.megabytes, options.rows)
                broken = events // EVERY_BROKEN
                lines = through(bus, 'grades', array, events)
                line = lines['grades']
                found = [line.get(k, 0) for k in ('accepted', 'made', 'split', 'delivered', 'dead')]
                assert found == [2, events + 1, 2, events - broken + 1, broken], line
                records, status = lines['records'], bus.control('status')['records']
                assert status['statements'] == events - broken + 1 and status['waiting_for_identity'] == 0, status
                people = lines['people']['delivered']
                assert records['taken'] == people + line['delivered'] and records['applied'] == records['taken'], records

            def memory_stays():
                memory.end.set()
                memory.join()
                grown = (memory.most - known['start']) >> 20
                print('resident memory: %d MB at the start, at most %d MB more' % (known['start'] >> 20, grown), flush=True)
                assert grown <= options.growth, 'memory grew by %d MB' % grown

            cases.run('two small files', warm)
            cases.run('%d rows of CSV, two kills' % options.rows, the_csv)
            cases.run('%d MB of JSON, two kills' % options.megabytes, the_array)
            cases.run('memory grows by no more than %d MB' % options.growth, memory_stays)
        finally:
            bus.clean()
    cases.end()


main()
