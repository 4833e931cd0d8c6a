#!/usr/bin/env python3
"""The table of `clrbus check`: each file of tests/check is a broken set of files with all that is said about it, place and nearest name
too. And each code that the check can meet has a row."""
import json, os, re, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLRBUS = os.environ.get('CLRBUS', os.path.join(ROOT, 'build', 'release', 'bin', 'clrbus'))
TABLE = os.path.join(ROOT, 'tests', 'check')
passed, failed = 0, 0

# A site that holds: each row lays its files over it.
BASE = {
    'conf/clrbus.xml': '<clrbus xmlns="urn:clrbus:configuration:1">\n  <instance kind="test"/>\n  <listen protocol="amqp" port="0"/>\n'
                       '  <access development="true"/>\n</clrbus>\n',
    'conf/codes/empty.csv': 'key,name\n',
    'transforms/one.xsl': '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
                          '<xsl:template match="/"><a/></xsl:template></xsl:stylesheet>\n',
    'routes/one/routes.xml': '<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1">\n'
                             '  <route id="one" system="One" steward="A unit" refresh="PT24H" retain="P1Y">\n'
                             '    <from><directory:pickup match="*.xml"/></from>\n    <to><records/></to>\n  </route>\n</routes>\n',
    'routes/one/cases/a/input.xml': '<a/>\n',
    'routes/one/cases/a/expected.txt': 'dead:\n',
}

# Codes that no row can show, and why.
ELSEWHERE = {
    'CONF-010': 'the schema refuses it first', 'CONF-011': 'the schema refuses it first', 'CONF-012': 'the schema refuses it first',
    'CONF-013': 'the schema refuses it first', 'CONF-014': 'the schema refuses it first', 'ROUTE-013': 'the schema refuses it first',
    'ROUTE-022': 'the schema refuses it first', 'ROUTE-137': 'the schema refuses it first', 'XSL-001': 'ROUTE-011 says it first',
    'ROUTE-016': 'the schema refuses it first', 'ROUTE-030': 'of the state directory, at a start',
    'ROUTE-031': 'of the state directory, at a start', 'LINK-014': 'needs a broker: tests/e2e/workers.py',
    'LINK-015': 'needs a broker: tests/e2e/workers.py', 'CODE-001': 'a folder that is not there is no error', 'CODE-002': 'xml/xpath_test.cpp',
    'XSD-050': 'ROUTE-011 says it first', 'XSD-055': 'what Xerces takes and libxml2 does not: xml/schemas_test.cpp',
    'ROUTE-081': 'of the state directory', 'ROUTE-083': 'of the state directory', 'ROUTE-086': 'of a reload: routing/reloader_test.cpp',
}
# Where `check` comes to: the files whose configuration errors it can meet, and the codes that belong to it.
SOURCES = ('bus/app/check.cpp', 'bus/app/settings.cpp', 'bus/app/secrets.cpp', 'bus/app/endpoint_factory.cpp', 'bus/config', 'bus/routing',
           'bus/workbench', 'bus/xml')
CODES = re.compile(r'(?:fail\(|kConfig, |kError, |kWarning, |check_refuse\(|codes_refuse\(\s*)"((?:CHECK|CONF|ROUTE|XPATH|XSL|XSD|CODE|LINK)-[0-9]+)"')


def hold(what, condition, detail=''):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail)[:3000]))


def sections(path):
    parts = re.split(r'^=== (.+)\n', open(path).read(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def lay(site, files):
    for name in ('configuration.xsd', 'routes.xsd', 'learner-record.xsd'):
        os.makedirs(os.path.join(site, 'xsd'), exist_ok=True)
        shutil.copy(os.path.join(ROOT, 'xsd', name), os.path.join(site, 'xsd', name))
    os.symlink(os.path.join(ROOT, 'adapters'), os.path.join(site, 'adapters'))
    for name, text in files.items():
        path = os.path.join(site, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o644)


def found(site, arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith('CLRBUS_NOT_SET')}
    done = subprocess.run([CLRBUS, 'check', '--json', *arguments], cwd=site, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, env=environment)
    answer = json.loads(done.stdout)
    lines = []
    for f in answer['found']:
        place = os.path.relpath(os.path.join(site, f['file']), site) if f['file'] else ''
        line = '%s %s %s:%d:%d: %s; expected: %s' % (f['severity'], f['code'], place, f['line'], f['column'], f['text'], f['expected'])
        lines.append((line + ('; nearest: ' + f['nearest'] if f['nearest'] else '')).replace(site + '/', ''))
    return done.returncode, answer, lines


def same(line, wanted):
    """[…] in a row stands for any text: names of all adapters or steps, which grow."""
    front, gap, back = wanted.partition('[…]')
    return line == wanted if not gap else line.startswith(front) and line.endswith(back)


def row(path):
    parts = sections(path)
    expected = parts.pop('expect', '').strip().splitlines()
    arguments = parts.pop('arguments', '').split()
    rights = parts.pop('rights', '').split()
    with tempfile.TemporaryDirectory() as site:
        site = os.path.realpath(site)
        lay(site, dict(BASE, **parts))
        for mode, name in zip(rights[::2], rights[1::2]):
            os.chmod(os.path.join(site, name), int(mode, 8))
        status, answer, lines = found(site, arguments)
    name = os.path.basename(path)[:-4]
    if '--write' in sys.argv:
        text = open(path).read().split('=== expect\n')[0]
        open(path, 'w').write(text + '=== expect\n' + ''.join(line + '\n' for line in lines))
        return lines
    hold(name, lines and len(lines) == len(expected) and all(map(same, lines, expected)), '\n  '.join(['found:'] + lines + ['expected:'] + expected))
    errors = any(line.startswith('error ') for line in lines)
    hold(name + ': status', status == (3 if errors else 0) and answer['good'] == (not errors), status)
    hold(name + ': each has a place and what was expected', all(f['file'] and f['line'] and f['column'] and f['expected'] for f in answer['found']),
         answer)
    hold(name + ': no secret is shown', 'hunter2' not in json.dumps(answer) and 's3cret' not in json.dumps(answer))
    return expected


def codes_of_the_source():
    out = {}
    for source in SOURCES:
        top = os.path.join(ROOT, source)
        files = [top] if os.path.isfile(top) else [os.path.join(folder, f) for folder, _, names in os.walk(top) for f in names]
        for file in files:
            if not file.endswith('.cpp') or file.endswith('_test.cpp') or '/testdata/' in file:
                continue
            for code in CODES.findall(open(file).read()):
                out.setdefault(code, os.path.relpath(file, ROOT))
    return out


def main():
    with tempfile.TemporaryDirectory() as site:
        site = os.path.realpath(site)
        lay(site, BASE)
        status, answer, lines = found(site, [])
        hold('the site below all rows holds', status == 0 and not lines, lines)
        text = subprocess.run([CLRBUS, 'check', '--overlay', 'none.xml'], cwd=site, stdout=subprocess.PIPE, text=True, timeout=60).stdout
        hold('the text says file:line:column first', re.search(r'^none.xml:1:1: error: CONF-001: ', text, re.M), text)
        os.rename(os.path.join(site, 'routes/one/cases'), os.path.join(site, 'routes/one/no-cases'))
        hold('a warning alone can be deployed', found(site, [])[0] == 0)
        hold('and cannot with --strict', found(site, ['--strict'])[0] == 3)
    shown = set()
    for name in sorted(os.listdir(TABLE)):
        if name.endswith('.txt'):
            shown |= {line.split()[1] for line in row(os.path.join(TABLE, name))}
    if '--write' in sys.argv:
        return
    for code, file in sorted(codes_of_the_source().items()):
        hold('%s (%s) has a row' % (code, file), code in shown or code in ELSEWHERE)
    hold('what is shown elsewhere is not shown here', not shown & set(ELSEWHERE), shown & set(ELSEWHERE))
    sys.exit(1 if failed else 0)


main()
