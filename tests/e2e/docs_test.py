#!/usr/bin/env python3
"""What the documents tell people to type works: the worked path of adapters/README.md, and each route of routes/FROM-OTHERS.md compiles."""
import json, os, re, shlex, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLRBUS = os.environ.get('CLRBUS', os.path.join(ROOT, 'build', 'release', 'bin', 'clrbus'))
passed, failed = 0, 0


def hold(what, condition, detail=''):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail)[:2000]), flush=True)


def run(site, *arguments):
    return subprocess.run([CLRBUS, *arguments], cwd=site, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)


def site_of(folder):
    for name in ('conf', 'routes', 'transforms', 'xsd', 'adapters'):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name))
    return folder


def blocks(path, kind):
    return re.findall(r'^```%s\n(.*?)^```' % kind, open(os.path.join(ROOT, path)).read(), re.M | re.S)


def the_worked_path(site):
    with open(os.path.join(site, 'clubs.csv'), 'w') as f:
        f.write(blocks('adapters/README.md', 'csv')[0])
    commands = [line for block in blocks('adapters/README.md', 'sh') for line in block.splitlines() if line.startswith('clrbus ')]
    hold('there are commands to run', len(commands) >= 6, commands)
    for command in commands:
        done = run(site, *shlex.split(command)[1:])
        hold(command[:60], done.returncode == 0, done.stdout)


def the_routes(site):
    routes = [b for b in blocks('routes/FROM-OTHERS.md', 'xml') if b.startswith('<route ')]
    hold('there are routes to compile', len(routes) >= 5, len(routes))
    adapters = ' '.join('xmlns:%s="urn:clrbus:adapter:%s:1"' % (a, a) for a in ('directory', 'http-listen', 'http-call', 'http-poll', 'timer'))
    os.makedirs(os.path.join(site, 'routes', 'others'))
    with open(os.path.join(site, 'routes', 'others', 'routes.xml'), 'w') as f:
        f.write('<routes xmlns="urn:clrbus:routes:1" %s>\n%s</routes>\n' % (adapters, ''.join(routes)))
    answer = json.loads(run(site, 'check', '--json').stdout)
    errors = [f for f in answer['found'] if f['severity'] == 'error']
    hold('each compiles', answer['good'] and not errors, errors)


def main():
    with tempfile.TemporaryDirectory() as top:
        the_worked_path(site_of(os.path.join(top, 'path')))
        the_routes(site_of(os.path.join(top, 'others')))
        for path in ('adapters/README.md', 'routes/FROM-OTHERS.md', 'routes/README.md', 'README.md'):
            for link in re.findall(r'\]\(([^)#:]+)\)', open(os.path.join(ROOT, path)).read()):
                hold('%s: %s is there' % (path, link), os.path.exists(os.path.join(ROOT, os.path.dirname(path), link)))
    sys.exit(1 if failed else 0)


main()
