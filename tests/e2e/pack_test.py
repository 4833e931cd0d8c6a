#!/usr/bin/env python3
"""A route leaves one campus as a file and is installed on another; hostile files install nothing."""
import base64, hashlib, json, os, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLRBUS = os.environ.get('CLRBUS', os.path.join(ROOT, 'build', 'release', 'bin', 'clrbus'))
passed, failed = 0, 0


def hold(what, condition, detail=''):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail)[:2000]), flush=True)


def run(*arguments, site):
    return subprocess.run([CLRBUS, *arguments], cwd=site, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)


def site_of(folder):
    for name in ('conf', 'routes', 'transforms', 'xsd', 'adapters'):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name))
    return folder


def everything(site):
    out = {}
    for folder, _, names in os.walk(site):
        for name in names:
            path = os.path.join(folder, name)
            out[os.path.relpath(path, site)] = open(path, 'rb').read()
    return out


def entry(text):
    return {'sha256': hashlib.sha256(text.encode()).hexdigest(), 'base64': base64.b64encode(text.encode()).decode()}


def main():
    with tempfile.TemporaryDirectory() as top:
        here, there = site_of(os.path.join(top, 'here')), site_of(os.path.join(top, 'there'))
        pack_file = os.path.join(top, 'hr.json')
        done = run('route', 'export', 'hr-csv', '--out', pack_file, site=here)
        hold('it is exported', done.returncode == 0, done.stderr)
        text = open(pack_file).read()
        again = run('route', 'export', 'hr-csv', site=here)
        hold('the same files make the same bytes', again.stdout == text)
        pack = json.loads(text)
        names = set(pack['files'])
        hold('route, stylesheet, schema and cases are in it',
             'routes/hr-csv/routes.xml' in names and any(n.startswith('transforms/') for n in names) and
             any(n.startswith('xsd/hr-csv/') for n in names) and any('/cases/' in n for n in names), sorted(names))
        hold('what every installation has is named by its hash alone', all(n.startswith(('transforms/lib/', 'xsd/')) for n in pack['needs']) and
             not any(n.startswith('transforms/lib/') for n in names), pack['needs'])

        # The other campus has nothing of it.
        for name in names:
            path = os.path.join(there, 'conf', name) if name.startswith('codes/') else os.path.join(there, name)
            if not name.startswith('codes/') and os.path.exists(path):
                os.remove(path)
        shutil.rmtree(os.path.join(there, 'routes', 'hr-csv'))
        before = everything(there)
        done = run('route', 'import', pack_file, '--dry-run', '--json', site=there)
        hold('a dry run installs nothing', done.returncode == 0 and everything(there) == before and json.loads(done.stdout)['cases'] > 0,
             done.stdout + done.stderr)

        def refused(what, change, code):
            hostile = json.loads(text)
            changed = change(hostile)
            hostile = changed if isinstance(changed, bytes) else hostile
            path = os.path.join(top, 'hostile.json')
            with open(path, 'wb') as f:
                f.write(hostile if isinstance(hostile, bytes) else json.dumps(hostile).encode())
            found = run('route', 'import', path, site=there)
            hold('refused: ' + what, found.returncode in (1, 3) and code in found.stderr and everything(there) == before,
                 (found.returncode, found.stdout, found.stderr))

        def put(name, body='x'):
            return lambda p: p['files'].update({name: entry(body)})
        for name in ('../x', 'routes/hr-csv/../../x', '/etc/x', 'routes/other/routes.xml', 'transforms/../conf/clrbus.xml', 'conf/clrbus.xml',
                     'routes/hr-csv/.hidden', 'xsd//x', 'transforms/', 'codes/a\\b', 'transforms/lib/x.xsl', 'xsd/routes.xsd', 'xsd/' + 'a' * 300,
                     'routes/hr-csv/\u0000x', 'routes'):
            refused('a file named %r' % name[:40], put(name), 'PACK-013')
        refused('a name of another folder', lambda p: p.update(name='../x'), 'PACK-013')
        refused('a wrong hash', lambda p: p['files']['routes/hr-csv/routes.xml'].update(sha256='0' * 64), 'PACK-015')
        refused('no base64', lambda p: p['files']['routes/hr-csv/routes.xml'].update(base64='%%%'), 'PACK-014')
        refused('another version', lambda p: p.update(version=2), 'PACK-012')
        refused('another format', lambda p: p.update(format='zip'), 'PACK-010')
        refused('no route in it', lambda p: p['files'].pop('routes/hr-csv/routes.xml') and None, 'PACK-010')
        refused('no JSON', lambda p: b'PK\x03\x04', 'PACK-010')
        refused('deep JSON', lambda p: b'[' * 100000, 'PACK-010')
        refused('cut off', lambda p: text[:len(text) // 2].encode(), 'PACK-010')
        refused('nothing', lambda p: b'', 'PACK-010')
        refused('too large', lambda p: b'{"a":"' + b'x' * (66 << 20) + b'"}', 'CONF-001')
        refused('too many files', lambda p: p['files'].update({'codes/a%d.csv' % i: entry('') for i in range(2001)}), 'PACK-011')
        refused('a shared file that is not here', lambda p: p['needs'].update({'transforms/lib/none.xsl': '0' * 64}), 'PACK-021')
        refused('another version of a shared file', lambda p: p['needs'].update({k: '0' * 64 for k in p['needs']}), 'PACK-022')
        refused('a need that is none', lambda p: p['needs'].update({'conf/clrbus.xml': '0' * 64}), 'PACK-013')
        refused('a route that does not compile', put('routes/hr-csv/routes.xml', '<routes xmlns="urn:clrbus:routes:1"><route id="x"/></routes>'), 'XSD-')
        case = next(n for n in names if '/cases/' in n and n.endswith('expected.xml'))
        refused('a case that does not hold', put(case, '<other/>'), 'PACK-025')
        refused('a route id that is taken', put('routes/hr-csv/routes.xml',
                base64.b64decode(pack['files']['routes/hr-csv/routes.xml']['base64']).decode().replace('id="hr-csv"', 'id="people"')), 'PACK-020')
        sheet = next(n for n in names if n.startswith('transforms/'))
        os.makedirs(os.path.join(there, 'transforms'), exist_ok=True)
        with open(os.path.join(there, sheet), 'w') as f:
            f.write('<other/>')
        before = everything(there)
        refused('a file of another content is here', lambda p: None, 'PACK-024')
        os.remove(os.path.join(there, sheet))
        os.symlink('/etc/passwd', os.path.join(there, sheet))
        refused_link = run('route', 'import', pack_file, site=there)
        hold('refused: a link stands where a file would go', refused_link.returncode == 1 and 'PACK-023' in refused_link.stderr, refused_link.stderr)
        os.remove(os.path.join(there, sheet))
        before = everything(there)

        done = run('route', 'import', pack_file, '--json', site=there)
        hold('it is installed', done.returncode == 0 and json.loads(done.stdout)['routes'] == ['hr-csv'], done.stdout + done.stderr)
        hold('its cases hold there', run('test', 'hr-csv', site=there).returncode == 0)
        hold('and the whole can be deployed', run('check', site=there).returncode == 0)
        hold('exported from there it is the same', run('route', 'export', 'hr-csv', site=there).stdout == text)
        before = everything(there)
        refused('a route that is there', lambda p: None, 'PACK-020')

        # What may not leave.
        route = os.path.join(here, 'routes', 'hr-csv', 'routes.xml')
        good = open(route).read()
        with open(os.path.join(here, 'routes', 'hr-csv', 'key.txt'), 'w') as f:
            f.write('-----BEGIN PRIVATE KEY-----\nMIG\n')
        done = run('route', 'export', 'hr-csv', site=here)
        hold('a secret does not leave', done.returncode == 1 and 'PACK-004' in done.stderr and 'MIG' not in done.stderr + done.stdout, done.stderr)
        os.remove(os.path.join(here, 'routes', 'hr-csv', 'key.txt'))
        os.symlink('/etc/passwd', os.path.join(here, 'routes', 'hr-csv', 'link.txt'))
        done = run('route', 'export', 'hr-csv', site=here)
        hold('nor what a link points to', done.returncode == 1 and 'PACK-003' in done.stderr and not done.stdout, done.stderr)
        os.remove(os.path.join(here, 'routes', 'hr-csv', 'link.txt'))
        hold('a name that is none is refused', run('route', 'export', '../conf', site=here).returncode == 1)
        hold('and one that is not there', run('route', 'export', 'none', site=here).returncode == 1 and good)
    sys.exit(1 if failed else 0)


main()
