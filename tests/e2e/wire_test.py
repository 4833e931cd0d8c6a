#!/usr/bin/env python3
"""A system is wired by commands alone, as the README says, in a site of its own: from a sample file to a route that holds its case."""
import json, os, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLRBUS = os.environ.get('CLRBUS', os.path.join(ROOT, 'build', 'release', 'bin', 'clrbus'))
DATA = os.path.join(ROOT, 'bus', 'workbench', 'testdata')
passed, failed = 0, 0


def hold(what, condition, detail=''):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail)[:2000]))


def run(*arguments, site, status=0):
    done = subprocess.run([CLRBUS, *arguments], cwd=site, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    hold('clrbus %s ends with %d' % (' '.join(arguments[:3]), status), done.returncode == status, done.stdout + done.stderr)
    return done.stdout


def wire(site, name, sample, component, kind, refused):
    made = json.loads(run('new', 'system', name, '--sample', os.path.join(DATA, sample), '--component', component, '--type', kind, '--steward',
                          'A unit', '--json', site=site))
    hold(name + ': nothing is missing', made['missing'] == [], made)
    hold(name + ': the sample gets through', all(o == 'to records' for o in made['outcomes']), made['outcomes'])
    sheet = os.path.join(site, name + '.csv')
    run('mapping', 'show', name, '--out', sheet, site=site)
    before = open(os.path.join(site, 'transforms', name + '.xsl')).read()
    run('mapping', 'write', name, sheet, site=site)
    hold(name + ': the sheet makes the same stylesheet', open(os.path.join(site, 'transforms', name + '.xsl')).read() == before)
    run('test', name, site=site)
    tried = json.loads(run('try', name, os.path.join(DATA, sample), '--json', site=site))
    hold(name + ': try shows what comes out', all(r['outputs'] for r in tried['records']), tried)
    for word in refused:
        found = subprocess.run(['grep', '-rl', word, os.path.join(site, 'routes', name)], stdout=subprocess.PIPE, text=True).stdout
        hold(name + ': nobody of the sample is in the case', found == '', found)
    # A sheet with a wrong row is refused with its line, and the stylesheet stays.
    rows = open(sheet).read().replace('achievement/name', 'achievement/nam', 1)
    open(sheet, 'w').write(rows)
    run('mapping', 'write', name, sheet, site=site, status=3)
    hold(name + ': a wrong sheet changes nothing', open(os.path.join(site, 'transforms', name + '.xsl')).read() == before)


def main():
    with tempfile.TemporaryDirectory() as site:
        for folder in ('conf', 'routes', 'transforms', 'xsd', 'adapters'):
            shutil.copytree(os.path.join(ROOT, folder), os.path.join(site, folder))
        wire(site, 'clubs', 'clubs.csv', 'activities', 'Membership', ['Rivera', '00184372'])
        wire(site, 'volunteers', 'volunteers.json', 'volunteering', 'CommunityService', ['Rivera', '00184372'])
        wire(site, 'licences', 'licences.xml', 'licensures', 'License', ['Rivera', '900-11'])
        run('new', 'system', 'clubs', '--sample', os.path.join(DATA, 'clubs.csv'), site=site, status=3)
        run('check', site=site)
    sys.exit(1 if failed else 0)


main()
