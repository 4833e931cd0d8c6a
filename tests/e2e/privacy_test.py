#!/usr/bin/env python3
"""No name, social security number, birth date, address or source id of any sample in logs, reasons, metrics, health or the names of files.

The samples of tools/make-samples, broken documents among them, go through all doors under harmless file names; then everything that
operations may see is searched for every personal value that they hold."""
import csv, json, os, re, subprocess, sys, tempfile

from bus import ROOT, Bus, Cases, wait_for

PERSON = ('FirstName', 'MiddleName', 'LastName', 'SchoolAssignedPersonID', 'RecipientAssignedID', 'SSN', 'BirthDate', 'AddressLine', 'EmailAddress')
COLUMNS = ('institution_id', 'sis_id', 'canvas_uuid', 'canvas_global_id', 'hr_id', 'orcid', 'email', 'given_name', 'family_name', 'EMPLOYEE_ID', 'SSN', 'GIVEN_NAME',
           'FAMILY_NAME')
MEMBERS = ('student_id', 'user_id', 'student_sis_id', 'user_sis_id', 'user_login', 'email', 'name', 'user_uuid', 'grader_id')


def personal(folder):
    """Every value of a person in the samples, read by our own eyes, not by the bus."""
    found = set()
    for path in files(folder):
        data = open(path, 'rb').read()
        if path.endswith('.xml'):
            text = data.decode('utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8', 'replace')
            for tag in PERSON:
                found.update(re.findall('<%s>([^<]+)<' % tag, text))
            for creator in re.findall('<dc:creator>([^<]+)<', text):
                found.update(re.split('[,;()]', creator))
        elif path.endswith('.csv'):
            for row in csv.DictReader(data.decode('utf-8', 'replace').splitlines()):
                found.update(v for k, v in row.items() if k in COLUMNS and v)
        elif path.endswith('.json') and not path.endswith('manifest.json'):
            for member in MEMBERS:
                found.update(re.findall(r'"%s":\s*"([^"]+)"' % member, data.decode()))
    values = {' '.join(v.split()) for v in found}
    # Too short to be told from anything else: single letters, small numbers.
    return {v for v in values if len(v) >= 5 and not v.startswith('https:') and v not in ('orcid', 'unknown')}


def files(folder):
    for where, _, names in os.walk(folder):
        for name in sorted(names):
            yield os.path.join(where, name)


def send(bus, samples):
    """Through all doors: HTTPS and dropped files by turns, and AMQP; names that say nothing."""
    number = 0
    for route in ('people', 'pesc', 'canvas', 'hr-csv', 'oai-pmh'):
        for path in sorted(files(os.path.join(samples, route))):
            number += 1
            data, kind = open(path, 'rb').read(), path.rsplit('.', 1)[1]
            if route in ('pesc', 'canvas') and number % 2:
                status, _, body = bus.http('POST', '/in/' + route, data, bus.token('publish-' + route),
                                           {'Content-Type': 'application/' + kind, 'Idempotency-Key': 'n%d' % number})
                assert status in (202, 400), (status, body)
                yield body.decode(errors='replace')
            elif route == 'oai-pmh':
                done = subprocess.run([os.environ.get('CLRBUS', os.path.join(ROOT, 'build/release/bin/clrbus')), 'publish', route, path, '--state', bus.state, '--content-type', 'application/xml'],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
                assert done.returncode == 0, done.stdout
            else:
                bus.drop(route, 'f%d.%s' % (number, kind), data)
    # Hand-broken: a value of a person in the place where something else is expected. Names of elements are structure, and shown.
    for n, broken in enumerate(hand_broken(samples)):
        status, _, body = bus.http('POST', '/in/' + broken[0], broken[1], bus.token('publish-' + broken[0]), {'Content-Type': broken[2], 'Idempotency-Key': 'b%d' % n})
        yield body.decode(errors='replace')
    wait_for('every file to be taken', lambda: bus.dead() or not [p for r in os.listdir(os.path.join(bus.state, 'drop'))
                                                              for p in os.listdir(os.path.join(bus.state, 'drop', r)) if p.startswith('f') and not p.startswith('failed')])
    bus.settled()


def hand_broken(samples):
    good = open(os.path.join(samples, 'pesc', 'own-0001.xml'), 'rb').read()
    name = re.search(rb'<LastName>([^<]+)<', good).group(1)
    number = re.search(rb'<SchoolAssignedPersonID>([^<]+)<', good).group(1)
    yield 'pesc', good.replace(b'<CourseCreditUnits>Semester<', b'<CourseCreditUnits>' + name + b'<', 1), 'application/xml'
    yield 'pesc', re.sub(rb'<CreatedDateTime>[^<]*<', b'<CreatedDateTime>' + number + b'<', good), 'application/xml'
    yield 'pesc', good.replace(b'<LastName>', b'<LastName x="' + name + b'">', 1), 'application/xml'
    yield 'pesc', good.replace(b'<LastName>' + name, b'<LastName>' + name + b'\x01', 1), 'application/xml'
    event = sorted(p for p in files(os.path.join(samples, 'canvas')) if 'grade' in os.path.basename(p) and 'broken' not in p)[0]
    text = open(event, 'rb').read()
    yield 'canvas', re.sub(rb'"event_time":\s*"[^"]*"', b'"event_time": "' + name + b'"', text), 'application/json'
    yield 'canvas', text.replace(b'"student_id"', b'"' + name + b'"'), 'application/json'
    yield 'canvas', text[:text.index(b'"student_id"') + 30], 'application/json'


def search(what, text, values):
    """Whole words: a year or a code that is part of a hash is none of them."""
    hits = [v for v in values if re.search(r'(?<![A-Za-z0-9])' + re.escape(v) + r'(?![A-Za-z0-9])', text)]
    assert not hits, '%s: %d values of persons, the first is %d characters long and begins with %r' % (what, len(hits), len(hits[0]), hits[0][:2])


def main():
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='clrbus-privacy-') as folder:
        samples = os.path.join(folder, 'samples')
        subprocess.run([sys.executable, os.path.join(ROOT, 'tools/make-samples'), samples, '--learners', '20'], check=True, stdout=subprocess.DEVNULL)
        values = personal(samples)
        assert len(values) > 100, len(values)
        with Bus() as bus:
            answers = []
            cases.run('all samples go in', lambda: answers.extend(send(bus, samples)))
            bus.command('learner', '--by', 'institution-id:FICE:003658:' + json.load(open(os.path.join(samples, 'manifest.json')))['first']['institution-id'])
            dead = bus.command('dead', 'list')
            cases.run('there are dead letters of several kinds', lambda: None if len({d['code'] for d in dead['dead']}) >= 5 else 1 / 0)
            cases.run('answers of the HTTPS door', lambda: search('an answer', '\n'.join(answers), values))
            cases.run('reasons of dead letters', lambda: search('a reason', json.dumps(dead), values))
            cases.run('the waiting list', lambda: search('the list', json.dumps(bus.command('waiting', 'list')), values))
            for command in ('status', 'queues', 'ledger'):
                cases.run(command, lambda: search(command, json.dumps(bus.command(command, expect=None)), values))
            found = bus.command('messages', '--most', '10000')['messages']
            cases.run('messages', lambda: search('messages', json.dumps(found), values) if len(found) > 100 else 1 / 0)
            cases.run('traces', lambda: search('a trace', json.dumps([bus.command('trace', m['id']) for m in found[::40]]), values))
            cases.run('the index of messages', lambda: search('the index', ''.join(open(p, 'rb').read().decode('latin-1') for p in files(os.path.join(bus.state, 'trace'))), values))
            for page in ('/metrics', '/health'):
                for who in (None, 'operator'):
                    cases.run('%s for %s' % (page, who or 'nobody'),
                              lambda: search(page, bus.http('GET', page, token=bus.token(who) if who else None)[2].decode(), values))
            bus.stop()
            cases.run('standard error and output', lambda: search('the output', open(bus.state + '.out').read(), values))
            logs = [p for p in files(bus.state) if os.path.basename(p).startswith('clrbus.log')]
            cases.run('the log file', lambda: search('the log', ''.join(open(p).read() for p in logs) if logs else 1 / 0, values))
            cases.run('names of files', lambda: search('a name', '\n'.join(files(bus.state)).replace(bus.state, ''), values))
            cases.run('receipts beside dropped files', lambda: search('a receipt', ''.join(open(p).read() for p in files(bus.state) if p.endswith('.receipt.csv')), values))
    cases.end()


main()
