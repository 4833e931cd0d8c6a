#!/usr/bin/env python3
"""The cases of the shipped routes through `clrbus test`, a line each, and `clrbus check` over the shipped configuration."""
import json, os, subprocess

from bus import CLRBUS, ROOT, Cases

CONFIG = os.path.join(ROOT, 'conf', 'clrbus.xml')


def held(case):
    assert case['held'], case['difference']


def check():
    done = subprocess.run([CLRBUS, 'check', '--config', CONFIG, '--json'], stdout=subprocess.PIPE, text=True, timeout=120)
    answer = json.loads(done.stdout)
    errors = [f for f in answer['found'] if f['severity'] == 'error']
    assert done.returncode == 0 and answer['good'] and not errors and answer['routes'] >= 5, (done.returncode, errors)


def reference():
    done = subprocess.run([os.path.join(ROOT, 'tools', 'make-reference'), '--check'], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def explain():
    done = subprocess.run([CLRBUS, 'explain', 'still-003'], stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith('STILL-003\n') and 'What to do: ' in done.stdout, done.stdout
    done = subprocess.run([CLRBUS, 'explain', 'STILL-999'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and 'STILL-003' in done.stderr, done.stderr


def main():
    cases = Cases()
    cases.run('the pages of steps and codes are as schema and source say', reference)
    cases.run('a code is explained', explain)
    cases.run('the shipped configuration is in order', check)
    done = subprocess.run([CLRBUS, 'test', '--config', CONFIG, '--json'], stdout=subprocess.PIPE, text=True, timeout=300)
    answer = json.loads(done.stdout)
    for case in answer['cases']:
        cases.run(case['case'], lambda: held(case))

    def count():
        folders = sum(os.path.isdir(os.path.join(ROOT, 'routes', r, 'cases', c)) for r in os.listdir(os.path.join(ROOT, 'routes'))
                      if os.path.isdir(os.path.join(ROOT, 'routes', r, 'cases')) for c in os.listdir(os.path.join(ROOT, 'routes', r, 'cases')))
        assert len(answer['cases']) >= folders > 0, '%d cases in %d folders' % (len(answer['cases']), folders)
        assert (done.returncode == 0) == (answer['failed'] == 0), done.returncode

    cases.run('every case folder was run', count)
    cases.end()


main()
