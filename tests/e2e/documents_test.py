#!/usr/bin/env python3
"""Real documents of PESC, Canvas and OAI-PMH, each on a fresh state: recorded with what the document says, compared with the document.

The documents are not part of this project: without them (CLRBUS_SHARED, or a folder beside the checkout) the cases are skipped."""
import concurrent.futures, json, os, re, tempfile
import xml.etree.ElementTree as ET
from collections import Counter

import documents as make
import pesc_check
from bus import SHARED, Bus, Cases, wait_for

LR = '{urn:clrbus:learner-record:1}'
OAI = '{http://www.openarchives.org/OAI/2.0/}'
DC = '{http://purl.org/dc/elements/1.1/}'
TRANSCRIPTS = os.path.join(SHARED, 'pesc', 'samples', 'transcripts')
CANVAS = os.path.join(SHARED, 'samples', 'canvas-live-events')
PAGES = os.path.join(SHARED, 'samples', 'oai-pmh')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def post(bus, route, data, key):
    """Sends a document, waits until it is through, and gives what its Location says."""
    kind = 'application/json' if route.startswith('canvas') else 'application/xml'
    status, headers, body = bus.http('POST', '/in/' + route, data, bus.token('publish-' + route), {'Content-Type': kind, 'Idempotency-Key': key})
    assert status == 202, (status, body)
    bus.settled()
    status, _, body = bus.http('GET', headers['Location'], token=bus.token('publish-' + route))
    assert status == 200, (status, body)
    return json.loads(body)


def counts(bus):
    return len(bus.learners()), len(bus.waiting()), len(bus.dead_letters())


def roster(bus):
    bus.drop('people', 'one.csv', make.person(1))
    return wait_for('the learner', lambda: bus.learners())[0]['learner']


def waits(bus):
    return [bus.control('waiting-show', number=w['number'], purpose='test') for w in bus.waiting()]


# ── PESC ──

def text(node, path):
    found = node.find(path)
    return ' '.join(''.join(found.itertext()).split()) if found is not None else ''


def courses_of_source(root):
    """(code, title, grade, credit earned, session) of each course."""
    out = Counter()
    student = root.find('Student')
    for record in student.findall('AcademicRecord'):
        for session, node in [(None, c) for c in record.findall('Course')] + [(s, c) for s in record.findall('AcademicSession') for c in s.findall('Course')]:
            code = (text(node, 'CourseSubjectAbbreviation') + ' ' + text(node, 'CourseNumber')).strip()
            earned = text(node, 'CourseCreditEarned')
            detail = 'AcademicSessionDetail/Session'
            name = '' if session is None else text(session, detail + 'Name') or (
                text(session, detail + 'Designator') + ' ' + text(session, detail + 'DesignatorSuffix')).strip()
            out[(code, text(node, 'CourseTitle') or code or 'Course', text(node, 'CourseAcademicGrade'), float(earned) if earned else 0.0, name)] += 1
    return out


def courses_of_credential(credential):
    out = Counter()
    for one in credential['credentialSubject']['verifiableCredential']:
        subject, achievement = one['credentialSubject'], one['credentialSubject']['achievement']
        if achievement['achievementType'] != 'Course':
            continue
        grade = [r['value'] for r in subject.get('result', []) if r['resultDescription'].endswith('#final-grade')]
        assert len(grade) <= 1, 'a course with two final grades'
        out[(achievement.get('humanCode', ''), achievement['name'], grade[0] if grade else '', float(subject.get('creditsEarned', 0)), subject.get('term', ''))] += 1
    return out


def transcript_is_recorded(path):
    data, source = read(path), ET.parse(path).getroot()
    with Bus() as bus, tempfile.TemporaryDirectory() as folder:
        learner = roster(bus)
        answer = post(bus, 'pesc', data, 'first')
        assert answer['state'] == 'delivered', answer
        # None of these people is in the roster, or their number is a placeholder: a person decides.
        held = waits(bus)
        assert len(held) == 1 and counts(bus) == (1, 1, 0), (len(held), counts(bus))
        canonical = os.path.join(folder, 'canonical.xml')
        with open(canonical, 'w') as f:
            f.write(held[0]['xml'])
        differences = pesc_check.differences(path, canonical)
        assert not differences, differences
        # The same key with the same bytes is no second one.
        assert post(bus, 'pesc', data, 'second')['state'] == 'delivered'
        assert counts(bus) == (1, 1, 0), 'the same bytes again: %s' % (counts(bus),)
        bus.command('waiting', 'attach', str(held[0]['number']), learner, '--why', 'the card was shown')
        record = bus.control('learner', learner=learner, purpose='test')
        assert [s['key'] for s in record['statements']] == [held[0]['key']] and counts(bus) == (1, 0, 0), (record['statements'], counts(bus))
        original = record['statements'][0]['provenance']['original']
        credential = json.loads(bus.control('clr', learner=learner)['credential'])
        expected, found = courses_of_source(source), courses_of_credential(credential)
        assert found == expected, 'courses: missing %s, too many %s' % (list((expected - found).items())[:3], list((found - expected).items())[:3])
        post(bus, 'pesc', data, 'third')
        again = bus.control('learner', learner=learner, purpose='test')
        assert again['version'] == record['version'] and counts(bus) == (1, 0, 0), 'the same bytes again: version %s, %s' % (again['version'], counts(bus))
        assert original.startswith('sha256:')
        # The same key with other bytes waits for a person.
        encoding = 'utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8'
        other = re.sub(r'<CourseCreditEarned>[^<]*<', '<CourseCreditEarned>1.25<', data.decode(encoding), count=1)
        if other == data.decode(encoding):
            other = re.sub(r'<LastName>[^<]*<', '<LastName>Other<', other, count=1)
        assert other.encode(encoding) != data
        assert post(bus, 'pesc', other.encode(encoding), 'fourth')['state'] == 'delivered'
        held = bus.waiting()
        assert [w['reason'] for w in held] == ['document-conflict'], held
        last = bus.control('learner', learner=learner, purpose='test')
        assert last['statements'] == record['statements'], 'a conflict changed the record'
        assert courses_of_credential(json.loads(bus.control('clr', learner=learner)['credential'])) == expected, 'a conflict changed the credential'


def transcript_is_filtered(path):
    with Bus() as bus:
        answer = post(bus, 'pesc', read(path), 'first')
        assert (answer['state'], answer['reason']) == ('filtered', 'test'), answer
        assert counts(bus) == (0, 0, 0), counts(bus)


def transcript_is_refused(path):
    with Bus() as bus:
        answer = post(bus, 'pesc', read(path), 'first')
        dead = bus.dead_letters('pesc')
        assert len(dead) >= 1, answer
        for d in dead:
            assert d['code'] and d['reason'] and (d['path'] or d['line']), d
        assert counts(bus)[:2] == (0, 0), counts(bus)


def pesc(cases):
    if not os.path.isdir(TRANSCRIPTS):
        print('skip real transcripts: %s is not there' % TRANSCRIPTS)
        return
    for name in sorted(os.listdir(TRANSCRIPTS)):
        path = os.path.join(TRANSCRIPTS, name)
        root = ET.parse(path).getroot()
        if 'INVALID' in name or pesc_check.local(root.tag) != 'CollegeTranscript':
            cases.run(name + ' is refused with its place', lambda path=path: transcript_is_refused(path))
        elif text(root, 'TransmissionData/DocumentProcessCode') == 'TEST':
            cases.run(name + ' is filtered: test', lambda path=path: transcript_is_filtered(path))
        else:
            cases.run(name + ' is recorded', lambda path=path: transcript_is_recorded(path))


# ── Canvas ──

def one_waits(route, data):
    """The statement that waits, as XML, and its identifiers."""
    with Bus() as bus:
        roster(bus)
        answer = post(bus, route, data, 'first')
        assert answer['state'] in ('delivered', 'split'), answer
        post(bus, route, data, 'second')
        assert counts(bus) == (1, 1, 0), counts(bus)
        held = waits(bus)[0]
        return ET.fromstring(held['xml']), {(i['scheme'], i['value']) for i in held['identifiers']}, held


def result(root, wanted):
    return next(r for r in root.iter(LR + 'result') if r.get('type') == wanted or r.get('name') == wanted)


def grade_change():
    event = json.loads(read(os.path.join(CANVAS, 'canvas-grade_change.json')))
    root, identifiers, held = one_waits('canvas', json.dumps(event).encode())
    body = event['body']
    assert ('canvas-global-id', body['student_id']) in identifiers and ('sis-id', body['student_sis_id']) in identifiers, identifiers
    assert body['grader_id'] not in held['xml'] and event['metadata']['user_login'] not in held['xml'], 'the teacher is in it'
    scores = [(r.get('value'), r.get('maximum') or r.get('max')) for r in root.iter(LR + 'result')]
    assert (str(body['score']), str(body['points_possible'])) in scores, scores
    assert body['submission_id'] in root.get('key') and root.get('version').startswith('2019-11-01T19:11:05.222'), (root.get('key'), root.get('version'))


def caliper_grade_change():
    event = json.loads(read(os.path.join(CANVAS, 'caliper-grade_change.json')))
    root, identifiers, held = one_waits('canvas-caliper', json.dumps(event).encode())
    one = event['data'][0]
    student = one['object']['assignee']['id'].rsplit(':', 1)[1]
    assert ('canvas-global-id', student) in identifiers, identifiers
    assert one['actor']['id'].rsplit(':', 1)[1] not in held['xml'], 'the teacher is in it'
    assert one['object']['extensions']['com.instructure.canvas']['entity_id'] in root.get('key')
    assert str(one['generated']['scoreGiven']) in [r.get('value') for r in root.iter(LR + 'result')]


def outcome_result():
    event = json.loads(read(os.path.join(CANVAS, 'canvas-learning_outcome_result_created.json')))
    root, identifiers, _ = one_waits('canvas', json.dumps(event).encode())
    body = event['body']
    assert ('canvas-uuid', body['user_uuid']) in identifiers, identifiers
    achievement = root.find(LR + 'achievement')
    assert achievement.get('type') == 'Competency', achievement.attrib
    assert str(body['score']) in [r.get('value') for r in root.iter(LR + 'result')], 'the score'
    assert any('Mastered' in (r.get('value') or '') for r in root.iter(LR + 'result')), [r.attrib for r in root.iter(LR + 'result')]


def course_completed():
    event = json.loads(read(os.path.join(CANVAS, 'canvas-course_completed.json')))
    root, identifiers, held = one_waits('canvas', json.dumps(event).encode())
    body = event['body']
    assert ('canvas-id', body['user']['id']) in identifiers, identifiers
    assert root.findtext(LR + 'achievement/' + LR + 'name') == body['course']['name']
    assert body['user']['email'] not in held['xml'], 'an address that identifies nobody'


def other_kind():
    with Bus() as bus:
        answer = post(bus, 'canvas', read(os.path.join(CANVAS, 'canvas-enrollment_created.json')), 'first')
        assert answer['state'] == 'filtered' and answer['reason'], answer
        assert counts(bus) == (0, 0, 0), counts(bus)


def canvas(cases):
    if not os.path.isdir(CANVAS):
        print('skip real Canvas events: %s is not there' % CANVAS)
        return
    for name, case in (('canvas-grade_change.json', grade_change), ('caliper-grade_change.json', caliper_grade_change),
                       ('canvas-learning_outcome_result_created.json', outcome_result), ('canvas-course_completed.json', course_completed)):
        cases.run(name + ' waits with its content', case)
    cases.run('canvas-enrollment_created.json is filtered', other_kind)


# ── OAI-PMH ──

def page(path):
    records = list(ET.parse(path).getroot().iter(OAI + 'record'))
    with Bus() as bus:
        bus.drop('oai-pmh', 'page.xml', read(path))
        wait_for('the page to be taken', lambda: bus.dead() or bus.ledger()['oai-pmh'].get('accepted', 0) == 1)
        line = bus.settled()['oai-pmh']
        assert (line.get('made', 0), line.get('delivered', 0), line.get('dead', 0)) == (len(records), len(records), 0), line
        held = {h['key']: h for h in waits(bus)}
        alive = [r for r in records if r.find(OAI + 'header').get('status') != 'deleted']
        assert len(bus.learners()) == 0 and set(held) >= {r.findtext(OAI + 'header/' + OAI + 'identifier') for r in alive}, sorted(held)
        for record in alive:
            key = record.findtext(OAI + 'header/' + OAI + 'identifier')
            work, root = record.find(OAI + 'metadata')[0], ET.fromstring(held[key]['xml'])
            first = lambda name: next((' '.join(e.text.split()) for e in work.findall(DC + name) if e.text and e.text.strip()), '')
            achievement = root.find(LR + 'achievement')
            assert achievement.findtext(LR + 'name') == first('title')[:1000], 'title'
            assert (achievement.findtext(LR + 'description') or '') == first('description')[:20000], 'description'
            assert achievement.find(LR + 'evidence').get('name') == first('title')[:1000], 'evidence'
            subjects = [' '.join(e.text.split())[:1000] for e in work.findall(DC + 'subject') if e.text and e.text.strip()][:50]
            assert [e.text for e in achievement.findall(LR + 'tag')] == subjects, 'subjects'
            dates = [e.text.strip() for e in work.findall(DC + 'date') if e.text]
            assert not achievement.get('awarded') or any(d.startswith(achievement.get('awarded')) for d in dates), (achievement.get('awarded'), dates)
            creators = [' '.join(e.text.split()) for e in work.findall(DC + 'creator') if e.text and e.text.strip()]
            name = root.find(LR + 'learner/' + LR + 'name').get('full')
            assert any(c.startswith(name) for c in creators), 'the creator'
            link = achievement.find(LR + 'evidence').get('url')
            names = ' '.join(e.text for n in ('identifier', 'relation') for e in work.findall(DC + n) if e.text)
            assert not link or link in names or link.replace('https://doi.org/', '') in names, (link, names)


def oai(cases):
    if not os.path.isdir(PAGES):
        print('skip real OAI-PMH pages: %s is not there' % PAGES)
        return
    for name in sorted(os.listdir(PAGES)):
        if name.endswith('.xml'):
            cases.run('%s goes in record by record' % name, lambda name=name: page(os.path.join(PAGES, name)))


class Later:
    """Takes cases, and runs them four at a time: each waits for a bus of its own more than it works."""

    def __init__(self):
        self.pool, self.taken = concurrent.futures.ThreadPoolExecutor(4), []

    def run(self, name, function):
        self.taken.append((name, self.pool.submit(function)))


def main():
    cases, later = Cases(), Later()
    pesc(later)
    canvas(later)
    oai(later)
    for name, one in later.taken:
        cases.run(name, one.result)
    cases.end()


main()
