#!/usr/bin/env python3
"""The page of a learner's record and the data inventory in a real browser (Debian's Chromium), with axe from npm."""
import os, shutil, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import documents
from bus import CLRBUS, ROOT, Bus

MODULES = os.path.join(ROOT, 'build', 'e2e-page')
HERE = os.path.join(ROOT, 'tests', 'e2e', 'page')


def skip(why):
    print('skip page: ' + why)
    sys.exit(0)


def main():
    chromium = shutil.which('chromium')
    if not chromium or not shutil.which('npm'):
        skip('chromium or npm is not installed')
    os.makedirs(MODULES, exist_ok=True)
    for name in ('package.json', 'look.mjs'):
        shutil.copy(os.path.join(HERE, name), MODULES)
    if not os.path.isdir(os.path.join(MODULES, 'node_modules', 'axe-core')):
        done = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error'], cwd=MODULES, timeout=240,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            skip('the npm registry is out of reach')
    samples = os.path.join(MODULES, 'samples')
    subprocess.run([os.path.join(ROOT, 'tools', 'make-samples'), samples, '--learners', '10'], check=True, stdout=subprocess.DEVNULL)
    with Bus() as bus:
        for route in ('people', 'pesc', 'canvas', 'hr-csv', 'oai-pmh'):
            folder = os.path.join(samples, route)
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), 'rb') as f:
                    bus.drop(route, name, f.read())
        import json
        first = json.load(open(os.path.join(samples, 'manifest.json')))['first']['institution-id']

        def known():
            answer = bus.command('learner', '--by', 'institution-id:FICE:003658:' + first, expect=None)
            return answer if len({s['provenance']['source'] for s in answer.get('statements', [])}) >= 4 else None
        from bus import wait_for
        learner = wait_for('the record of the first learner', known, 60)['learner']
        status, headers, page = bus.http('GET', '/learners/' + learner, token=bus.token('staff'))
        assert status == 200, status
        print('ok the page allows no script' if "script-src" in headers.get('Content-Security-Policy', '') or "default-src 'none'" in
              headers.get('Content-Security-Policy', '') else 'not ok the page allows no script: no policy')
        subprocess.run([CLRBUS, 'report', '--html', '--state', bus.state, '--out', os.path.join(MODULES, 'report.html')], cwd=ROOT, timeout=120)
        report = open(os.path.join(MODULES, 'report.html')).read()
        print(('not ok' if first in report else 'ok') + ' the report names no learner')
    file = os.path.join(MODULES, 'page.html')
    with open(file, 'wb') as f:
        f.write(page)
    status = subprocess.run(['node', 'look.mjs', chromium, file, MODULES, 'page'], cwd=MODULES, timeout=120).returncode
    inventory = os.path.join(MODULES, 'inventory.html')
    subprocess.run([CLRBUS, 'inventory', '--html', '--out', inventory], cwd=ROOT, check=True, timeout=120)
    status |= subprocess.run(['node', 'look.mjs', chromium, inventory, MODULES, 'inventory'], cwd=MODULES, timeout=120).returncode
    status |= subprocess.run(['node', 'look.mjs', chromium, os.path.join(MODULES, 'report.html'), MODULES, 'report'], cwd=MODULES,
                             timeout=120).returncode
    sys.exit(status)


main()
