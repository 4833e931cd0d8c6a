#!/usr/bin/env python3
"""A registrar signs for a generation of a route: what an unapproved one says enters no signed record, the last approved word stays, and
restarts, rollbacks and retractions change nothing about that. Then a source's control totals are compared with the records."""
import base64, json, os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bus import CLRBUS, ROOT, Bus, configuration, wait_for, write_text  # noqa: E402

passed, failed = 0, 0

ROUTE = '''<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1">
  <route id="grades" system="Grades" component="academic-record" steward="Office of the Registrar" refresh="PT24H" retain="P1Y">
    <from><directory:pickup match="*.xml" settle="PT0S"/></from>
    <transform stylesheet="grades.xsl"/>
    <to><records/></to>
  </route>
</routes>
'''
SHEET = '''<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/grade">
    <statement xmlns="urn:clrbus:learner-record:1" source="grades" key="{@who}" version="{@v}" covers="all">
      <learner><identifier scheme="institution-id" issuer="FICE:003658" value="{@who}"/></learner>
      <authority name="Office of the Registrar"/>
      <organization name="Example University"><code scheme="FICE" value="003658"/></organization>
      <achievement key="c1" type="Course" component="academic-record" status="Completed">
        <name>MARK</name>
        <session designator="2024-01"/>
        <credits earned="{@credits}" units="Semester"/>
        <result type="LetterGrade" name="Final grade" value="{@grade}"/>
      </achievement>
    </statement>
  </xsl:template>
</xsl:stylesheet>
'''

def hold(what, condition, detail=''):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail)[:2000]), flush=True)


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.sheet = os.path.join(folder, 'transforms', 'grades.xsl')
        shutil.copytree(os.path.join(ROOT, 'transforms'), os.path.join(folder, 'transforms'))
        write_text(self.sheet, SHEET.replace('MARK', 'one'))
        config = configuration(folder, routes=['people'], more={'grades': ROUTE})
        text = open(config).read().replace('"%s/transforms"' % ROOT, '"%s/transforms"' % folder)
        write_text(config, text.replace('<records match', '<records approval="required" match'))
        self.config = config
        self.bus = Bus(config)

    def call(self, *arguments):
        done = subprocess.run([CLRBUS, *arguments, '--state', self.bus.state, '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}

    def wait_quiet(self):
        wait_for('all to be through', lambda: self.call('ledger')[1]['balanced'] and
                 all(q['ready'] + q['in_hand'] == 0 for q in self.call('queues')[1]['queues']))

    def send(self, name, text, route='grades'):
        folder = os.path.join(self.bus.state, 'drop', route)
        path = write_text(os.path.join(self.folder, 'out', name), text)
        os.rename(path, os.path.join(folder, name))
        wait_for('%s to be taken' % name, lambda: any(os.path.exists(os.path.join(folder, d, name)) for d in ('done', 'failed')))
        self.wait_quiet()

    def grade(self, name, version, grade, credits='4.0', who='S0000001'):
        self.send(name, '<grade who="%s" v="%s" grade="%s" credits="%s"/>' % (who, version, grade, credits))

    def change(self, mark):
        """A new generation, taken."""
        before = self.generation()
        write_text(self.sheet, SHEET.replace('MARK', mark))
        wait_for('the new generation', lambda: self.call('route', 'reload') and self.generation() != before)

    def generation(self):
        return next(r['generation'] for r in self.call('route', 'list')[1]['routes'] if r['route'] == 'grades')

    def signed(self):
        """What the signed record says: name and grade of each course, and whether it says that it is partial."""
        status, answer = self.call('clr', self.learner)
        if status != 0:
            return [], False
        part = answer['token'].split('.')[1]
        credential = json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))
        credential = credential.get('vc', credential)
        grades = [(c['credentialSubject']['achievement']['name'], r['value'])
                  for c in credential['credentialSubject']['verifiableCredential'] for r in c['credentialSubject'].get('result', [])]
        return grades, credential.get('partial', False)


def main():
    with tempfile.TemporaryDirectory() as folder:
        site = Site(folder)
        with site.bus:
            site.send('people.csv', 'institution_id,given_name,family_name\nS0000001,Ana,Lopez\n', 'people')
            learners = site.call('learners')[1]['learners']
            hold('one learner is there', len(learners) == 1, learners)
            site.learner = learners[0]['learner']

            site.grade('1.xml', '1', 'B')
            hold('unapproved: nothing of it is signed', site.signed()[0] == [], site.signed())
            hold('staff see what stands', site.call('learner', site.learner)[1]['statements'] != [])
            state = site.call('approvals', 'grades')[1]['running'][0]['state']
            hold('approvals say that it waits', state == 'WAITS FOR APPROVAL', state)
            hold('a word without a steward is refused', site.call('approve', 'grades', '--why', 'x')[0] == 1)
            hold('a route that is not there is refused', site.call('approve', 'none', '--steward', 'R', '--why', 'x')[0] == 1)
            one = site.generation()
            status, line = site.call('approve', 'grades', '--steward', 'Office of the Registrar', '--why', 'compared')
            hold('it is approved', status == 0 and line['generation'] == one and line['steward'] and line['at'], line)
            hold('approving twice is refused', site.call('approve', 'grades', '--steward', 'R', '--why', 'x')[0] == 1)
            hold('approved: it is signed', site.signed()[0] == [('one', 'B')], site.signed())

            site.change('two')
            site.grade('2.xml', '2', 'A')
            hold('a new generation: the last approved word stays, and the record says it is partial', site.signed() == ([('one', 'B')], True),
                 site.signed())
            site.bus.kill()
            site.bus.start()
            hold('after kill -9 too', site.signed() == ([('one', 'B')], True), site.signed())
            site.call('approve', 'grades', '--steward', 'Office of the Registrar', '--why', 'compared again')
            hold('approved: the new word is signed', site.signed() == ([('two', 'A')], False), site.signed())
            two = site.generation()

            status, answer = site.call('route', 'rollback', 'grades', str(one))
            hold('a rollback is a new number', status == 0 and site.generation() not in (one, two), answer)
            state = site.call('approvals', 'grades')[1]
            hold('and has the word of its content', state['running'][0]['state'] == 'approved' and state['lines'][-1]['same_as'], state)
            site.grade('3.xml', '3', 'C')
            hold('so that what it says is signed', site.signed()[0] == [('one', 'C')], site.signed())
            back = site.generation()
            status, _ = site.call('approve', 'grades', '--generation', str(back), '--withdraw', '--why', 'wrong unit')
            hold('withdrawn: the word before it stands again', status == 0 and site.signed() == ([('two', 'A')], True), site.signed())
            last = site.call('approvals')[1]['lines'][-1]
            hold('who and why are kept', last['what'] == 'withdrawn' and last['why'] == 'wrong unit' and last['who'], last)
            log = open(os.path.join(site.bus.state, 'clrbus.log')).read()
            hold('it is logged, without anything personal', 'approval withdrawn' in log and 'S0000001' not in log)

            reconcile(site)
            hold('the ledger balances', site.call('ledger')[0] == 0)
    sys.exit(1 if failed else 0)


def reconcile(site):
    def totals(text, encoding='utf-8'):
        path = os.path.join(site.folder, 'totals.csv')
        with open(path, 'wb') as f:
            f.write(text.encode(encoding) if isinstance(text, str) else text)
        return site.call('reconcile', path, '--source', 'grades')
    who = 'institution-id:FICE:003658:S0000001'
    status, answer = totals('term,courses,credits,learners\n2024-01,1,4.0,1\n')
    hold('totals that agree end with 0', status == 0 and answer['held'] and answer['count'] == 0, answer)
    status, answer = totals('term,courses,credits,learners\n2024-01,2,4.0,1\n2031-01,1,3,1\n')
    hold('totals that differ end with 1, each named', status == 1 and answer['count'] == 4 and answer['differences'][0]['found'] == '1', answer)
    status, answer = totals('term,courses,credits,learners,learner\n2024-01,1,4.0,1,\n2024-01,9,,,institution-id:x:S9\n')
    hold('a learner whom nobody knows is a row number, no name', status == 1 and answer['unknown_rows'] == [2] and 'S9' not in json.dumps(answer),
         answer)
    status, answer = totals('term,courses,credits,learners,learner\n2024-01,2,4.0,,%s\n' % who)
    hold('a learner who differs is named by our id', status == 1 and answer['differences'][0]['learner'] == site.learner, answer)
    for what, text in (('no header', ''), ('no such columns', 'a,b\n1,2\n'), ('a count that is none', 'term,courses\n2024-01,many\n'),
                       ('credits that are none', 'term,courses,credits\n2024-01,1,1e9\n'), ('a row twice', 'term,courses\n1,1\n1,1\n'),
                       ('a learner that is none', 'term,courses,learner\n1,1,Ada\n'), ('bytes that are no text', b'term,courses\n\xff\xfe\x00,1\n'),
                       ('an open quotation', 'term,courses\n"2024,1\n'), ('a ragged row', 'term,courses\n1\n'), ('no rows', 'term,courses\n')):
        status, answer = totals(text)
        hold('refused: ' + what, status == 1 and answer['error']['code'], answer)
    log = open(os.path.join(site.bus.state, 'clrbus.log')).read()
    hold('no identifier is in the log', 'S0000001' not in log and 'S9' not in log and 'Ada' not in log)


main()
