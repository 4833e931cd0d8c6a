#!/usr/bin/env python3
"""The command line: help with examples, exit statuses, one JSON document, and every command against a running bus."""
import base64, hashlib, json, os, re, subprocess, tempfile

import documents as make
from bus import CLRBUS, Bus, Cases, configuration, wait_for, write_text

LEAVES = ('run', 'check', 'test', 'status', 'queues', 'ledger', 'resume', 'publish', 'dead list', 'dead show', 'dead replay', 'dead edit', 'dead discard',
          'waiting list', 'waiting show', 'waiting attach', 'waiting reject', 'learners', 'learner', 'why', 'clr', 'reader', 'verify', 'keys list',
          'keys rotate', 'disclosures', 'route list', 'route show', 'route history', 'route diff', 'route reload', 'route rollback', 'route unpin',
          'mapping show', 'mapping write', 'mapping targets', 'new system', 'try', 'inventory', 'report', 'reconcile', 'route export',
          'route import', 'messages', 'trace', 'alerts list', 'alerts test', 'approve', 'approvals', 'explain', 'backup', 'restore')


def call(*arguments, env=None):
    done = subprocess.run([CLRBUS] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, env=env)
    return done.returncode, done.stdout, done.stderr


def needs(status, *arguments):
    got, out, err = call(*arguments)
    assert got == status, '%s: status %d, expected %d: %s%s' % (' '.join(arguments), got, status, out[-300:], err[-300:])
    return out, err


def help_texts():
    out, _ = needs(0, '--help')
    listed = out[out.index('Subcommands:'):out.index('Exit status')]
    top = {line.split()[0] for line in listed.splitlines()[1:] if line.strip()}
    assert top == {c.split()[0] for c in LEAVES}, sorted(top ^ {c.split()[0] for c in LEAVES})
    for command in LEAVES:
        out, _ = needs(0, *command.split(), '--help')
        _, _, examples = out.partition('Example')  # "Example:" or "Examples:"
        assert 'clrbus ' + command in examples, command + ' has no example'


def wrong_use():
    for arguments in (('nonsense',), (), ('dead',), ('dead', 'show'), ('run', '--role', 'x'), ('learner', '--nonsense'), ('clr', '--out'),
                      ('publish', 'pesc'), ('verify', '/no/such/file'), ('waiting', 'attach', 'x'), ('keys', 'list', 'surplus')):
        out, err = needs(2, *arguments)
        assert err and not out, '%s: on standard output: %s' % (arguments, out[:200])


def far_side_away(folder):
    for command in (('status',), ('ledger',), ('queues',), ('learners',), ('dead', 'list'), ('waiting', 'list'), ('keys', 'list')):
        out, err = needs(4, *command, '--state', folder)
        assert 'CTRL-001' in err, err
    file = write_text(os.path.join(folder, 'a.xml'), '<a/>')
    os.chmod(write_text(os.path.join(folder, 'password'), 'secret\n'), 0o600)
    needs(4, 'publish', 'pesc', file, '--state', folder, '--url', 'amqp://127.0.0.1:1', '--user', 'x', '--password-file',
          os.path.join(folder, 'password'))


def configuration_errors(folder):
    config = configuration(folder)
    needs(0, 'check', '--config', config)
    text = open(config).read()
    number = next(n for n, line in enumerate(text.splitlines(), 1) if '<listen' in line)
    broken = write_text(os.path.join(folder, 'broken.xml'), text.replace('protocol="amqp" port="0"', 'protocol="amqp" port="many"', 1))
    out, _ = needs(3, 'check', '--config', broken)
    assert '%s:%d' % (broken, number) in out, out
    _, err = needs(3, 'run', '--config', broken, '--state', os.path.join(folder, 'state'))
    assert '%s:%d' % (broken, number) in err, err
    needs(3, 'check', '--config', os.path.join(folder, 'none.xml'))
    route = os.path.join(folder, 'routes', 'pesc', 'routes.xml')
    text = open(route).read()
    number = next(n for n, line in enumerate(text.splitlines(), 1) if '<transform' in line)
    write_text(route, text.replace('pesc-college-transcript.xsl', 'no-such-file.xsl'))
    out, _ = needs(3, 'check', '--config', config)
    assert '%s:%d' % (route, number) in out, out
    answer = json.loads(call('check', '--config', config, '--json')[1])
    assert answer['good'] is False and any(f['severity'] == 'error' for f in answer['found']), answer


def state_directories(bus):
    status, _, err = call('run', '--config', bus.config, '--state', bus.state)
    assert status == 3, 'a second process on one state: %d %s' % (status, err)
    with tempfile.TemporaryDirectory() as folder:
        with Bus() as other:
            other.stop()
            with open(os.path.join(other.state, 'format'), 'w') as f:
                f.write('99\n')
            status, _, err = call('run', '--config', other.config, '--state', other.state)
            assert status == 3 and 'STATE-00' in err, (status, err)
        # One that others could read is closed to them before anything is written into it.
        mine = os.path.join(folder, 'open')
        os.makedirs(mine)
        os.chmod(mine, 0o755)
        with Bus(state=mine):
            assert os.stat(mine).st_mode & 0o77 == 0, oct(os.stat(mine).st_mode)


def fill(bus):
    bus.drop('people', 'two.csv', make.person(1) + make.person(2).split(b'\r\n', 1)[1])
    wait_for('the learners', lambda: bus.dead() or len(bus.learners()) == 2)
    for name, data in (('one', make.transcript(1)), ('nobody', make.transcript(50)), ('nobody2', make.transcript(51)), ('broken', make.transcript(1, unit='Semester ')),
                       ('broken2', make.transcript(2, unit='x'))):
        status, _, body = bus.http('POST', '/in/pesc', data, bus.token('publish-pesc'), {'Content-Type': 'application/xml', 'Idempotency-Key': name})
        assert status == 202, body
    bus.settled()


def one_json_each(bus):
    for command in (('status',), ('queues',), ('ledger',), ('dead', 'list'), ('waiting', 'list'), ('learners',), ('keys', 'list'), ('disclosures',)):
        status, out, err = call(*command, '--state', bus.state, '--json')
        assert status == 0 and isinstance(json.loads(out), dict), (command, status, out[:200], err)
        assert len(out.strip().splitlines()) == 1, command
        status, out, _ = call(*command, '--state', bus.state)
        assert status == 0 and out and not out.startswith('{'), command
    status, out, err = call('learner', 'nobody', '--state', bus.state, '--json')
    assert status == 1 and json.loads(out)['error']['exit'] == 1 and err, (status, out, err)


def dead_letters(bus):
    two = bus.command('dead', 'list', 'pesc')['dead']
    assert len(two) == 2 and all(d['path'].endswith('CourseCreditUnits') for d in two), two
    number = str(two[0]['number'])
    assert 'body' not in bus.command('dead', 'show', 'pesc', number), 'values without --values'
    shown = bus.command('dead', 'show', 'pesc', number, '--values')
    assert shown['body'].startswith('<?xml') and shown['code'] == two[0]['code'], shown['code']
    plan = bus.command('dead', 'replay', 'pesc', number, '--dry-run')
    assert plan['dry'] is True and plan['would_fail'] == 1 and plan['records'] == 0, plan
    assert bus.command('dead', 'replay', 'pesc', '--code', two[0]['code'])['dry'] is True, 'a selection is only looked at without --yes'
    assert bus.command('dead', 'replay', 'pesc', '--code', 'NONE-000', '--yes')['replayed'] == 0
    assert bus.command('dead', 'replay', 'pesc', '--since', '2999-01-01')['selected'] == 0
    bus.command('dead', 'replay', 'pesc', number, '--only', 'nonsense', expect=1)
    bus.command('dead', 'replay', 'pesc', number, '--from-step', '--from-start', expect=2)
    assert len(bus.command('dead', 'list', 'pesc')['dead']) == 2, 'a dry run changed something'
    assert bus.command('dead', 'replay', 'pesc', number)['replayed'] == 1
    again = wait_for('it to die again', lambda: (lambda d: d if len(d) == 2 and number not in {str(x['number']) for x in d} else None)(bus.dead_letters('pesc')))
    bus.command('dead', 'discard', 'pesc', str(again[0]['number']), expect=2)
    bus.command('dead', 'discard', 'pesc', str(again[0]['number']), '--why', 'sent by mistake')
    assert len(bus.dead_letters('pesc')) == 1
    bus.command('dead', 'show', 'pesc', '999999', expect=1)
    bus.command('dead', 'list', 'nonsense', expect=1)
    purposes = [(x['purpose'], x['what']) for x in bus.command('disclosures')['lines']]
    assert any('discarded' in p for p, _ in purposes) and any(w == 'dead/pesc/' + number for _, w in purposes), purposes
    bus.settled()


def send_broken(bus, key, who, unit):
    """A transcript that its schema refuses: its dead letter's number, and the hash of what the door let through."""
    known = {d['number'] for d in bus.dead_letters('pesc')}
    data = make.transcript(who, unit=unit)
    status, _, body = bus.http('POST', '/in/pesc', data, bus.token('publish-pesc'), {'Content-Type': 'application/xml', 'Idempotency-Key': key})
    assert status == 202, body
    letter = wait_for('it to die', lambda: [d for d in bus.dead_letters('pesc') if d['number'] not in known])[0]
    return letter['original'][len('sha256:'):], str(letter['number'])


def dead_edit(bus, folder):
    before, number = send_broken(bus, 'edit', 2, 'misspelt')
    mended = make.transcript(2)
    new = write_text(os.path.join(folder, 'new.xml'), mended.decode())
    why = 'the unit was misspelt'
    edit = ('dead', 'edit', 'pesc', number)
    for arguments in ((), ('--file', new), ('--show', '--file', new), ('--values', '--file', new, '--why', why), ('--file', '/no/such', '--why', why)):
        bus.command(*edit, *arguments, expect=2)
    bus.command(*edit, '--show', expect=1)
    bus.command(*edit, '--file', new, '--why', 'x' * 201, expect=1)
    bus.command('dead', 'edit', 'pesc', '999999', '--file', new, '--why', why, expect=1)
    bus.command(*edit, '--file', write_text(os.path.join(folder, 'empty'), ''), '--why', why, expect=1)
    assert number in {str(d['number']) for d in bus.dead_letters('pesc')}, 'a refusal changed something'
    done = bus.command(*edit, '--file', new, '--why', why)
    after = hashlib.sha256(mended).hexdigest()
    assert (done['from'], done['to']) == ('sha256:' + before, 'sha256:' + after), done
    assert bus.command(*edit, '--file', new, '--why', why)['child'] == done['child'], 'the same again made another'
    bus.command(*edit, '--file', write_text(os.path.join(folder, 'other.xml'), '<a/>'), '--why', why, expect=1)
    bus.settled()
    record = bus.command('learner', '--by', 'institution-id:FICE:003658:U1000002')
    key = next(k for s in record['statements'] for k in s['achievements'] if '|course|' in k)
    word = bus.command('why', record['learner'], '--achievement', key)['words'][0]
    by_hand = word['provenance']['corrected_by_hand']
    assert word['in_force'] and by_hand['why'] == why and by_hand['by'] == done['by'] and by_hand['dead_letter'] == 'pesc/' + number, word
    assert word['provenance']['original'] == 'sha256:' + after, word
    credential = call('clr', record['learner'], '--credential', '--state', bus.state)[1]
    assert 'corrected by hand by ' + done['by'] in credential and why not in credential, 'the record does not say so'
    for digest, unit in ((before, b'>misspelt<'), (after, b'>Semester<')):
        kept = open(os.path.join(bus.state, 'originals', digest[:2], digest[2:]), 'rb').read()
        assert hashlib.sha256(kept).hexdigest() == digest and unit in kept, 'a body was touched'
    assert 'difference' not in bus.command(*edit, '--show') and bus.command('dead', 'show', 'pesc', number)['corrected_by_hand'] is True
    shown = bus.command(*edit, '--show', '--values')['difference']
    assert any(x.startswith('-') and 'misspelt' in x for x in shown.splitlines()), shown[:500]
    purposes = [(x['purpose'], x['what']) for x in bus.command('disclosures')['lines']]
    assert ('dead letter corrected by hand: ' + why, 'dead/pesc/' + number) in purposes and ('dead letter, its correction', 'dead/pesc/' + number) in purposes


def dead_edit_in_editor(bus, folder):
    before, number = send_broken(bus, 'editor', 1, 'odd')
    unit = re.search(rb'>([^<]*)</(?:\w+:)?CourseCreditUnits>', make.transcript(1)).group(1).decode()
    log = os.path.join(folder, 'seen')
    place = os.path.join(folder, 'place')
    os.makedirs(place)
    script = write_text(os.path.join(folder, 'editor'), '#!/bin/sh\nstat -c "%%a" "$2" "$(dirname "$2")" > %s\ncp "$2" "$2~"\nsed -i "s/>odd</>$1</" "$2"\n' % log)
    os.chmod(script, 0o700)
    arguments = ('dead', 'edit', 'pesc', number, '--why', 'asked the school', '--state', bus.state, '--json')
    for editor, status in (('false', 3), ('/no/such/editor', 3), ('true', 1)):
        got, out, err = call(*arguments, env=dict(os.environ, EDITOR=editor, VISUAL='', TMPDIR=place, XDG_RUNTIME_DIR=''))
        assert got == status and err and not os.listdir(place), (editor, got, err, os.listdir(place))
    got, out, err = call(*arguments, env=dict(os.environ, EDITOR=script + ' ' + unit, VISUAL='', TMPDIR=place, XDG_RUNTIME_DIR=''))
    assert got == 0 and json.loads(out)['from'] == 'sha256:' + before, (got, err)
    assert open(log).read().split() == ['600', '700'], open(log).read()
    assert not os.listdir(place), 'the editor left something'
    assert number not in {str(d['number']) for d in bus.dead_letters('pesc')}
    bus.settled()


def dead_edit_killed(bus, folder):
    """Killed between the question and the answer: asked again, there is one child, and the ledger adds up."""
    made = []
    for n in range(4):
        _, number = send_broken(bus, 'killed%d' % n, 1, 'broken%d' % n)
        new = write_text(os.path.join(folder, 'new%d.xml' % n), make.transcript(1).decode() + '<!-- %d -->' % n)
        edit = ('dead', 'edit', 'pesc', number, '--file', new, '--why', 'the unit was misspelt')
        before = bus.ledger()['pesc']['made']
        asking = subprocess.Popen([CLRBUS] + list(edit) + ['--state', bus.state, '--json'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        first = ''
        if n % 2:  # the answer came; else whatever the moment gives
            first, _ = asking.communicate(timeout=60)
        bus.kill()
        if not first:
            first, _ = asking.communicate(timeout=60)
        bus.start()
        done = bus.command(*edit)
        assert not first.strip() or json.loads(first).get('child', done['child']) == done['child'], (first, done)
        line = bus.settled()['pesc']
        assert line['made'] == before + 1, (before, line)
        made.append(done['child'])
    assert len(set(made)) == 4


def waiting_list(bus):
    first, second = bus.command('waiting', 'list')['waiting']
    shown = bus.command('waiting', 'show', str(first['number']))
    assert shown['identifiers'] and shown['xml'].startswith('<statement'), shown['identifiers']
    learner = bus.command('learner', '--by', 'institution-id:FICE:003658:U1000002')['learner']
    bus.command('waiting', 'attach', str(first['number']), learner, expect=2)  # without a reason
    bus.command('waiting', 'attach', '999999', learner, '--why', 'x', expect=1)
    bus.command('waiting', 'attach', str(first['number']), learner, '--why', 'asked the department')
    assert shown['key'] in [s['key'] for s in bus.command('learner', learner)['statements']]
    bus.command('waiting', 'reject', str(second['number']), '--why', 'not a student of ours')
    assert bus.command('waiting', 'list')['count'] == 0
    text = json.dumps(bus.command('disclosures')['lines'])
    assert 'waiting' in text or 'attach' in text, text[:500]


def learner_and_why(bus):
    record = bus.command('learner', '--by', 'institution-id:FICE:003658:U1000001', '--purpose', 'asked at the desk')
    key = next(k for s in record['statements'] for k in s['achievements'] if '|course|' in k)
    words = bus.command('why', record['learner'], '--achievement', key)['words']
    assert words[0]['provenance']['route'] == 'pesc' and words[0]['provenance']['generation'] == 1 and words[0]['in_force'], words
    bus.command('why', record['learner'], '--achievement', 'nonsense', expect=1)
    bus.command('learner', '--by', 'institution-id:FICE:003658:U9', expect=1)
    bus.command('learner', '--by', 'nonsense', expect=1)
    assert any(x['purpose'] == 'asked at the desk' for x in bus.command('disclosures', record['learner'])['lines'])


def signed(bus, folder):
    learner = bus.command('learner', '--by', 'institution-id:FICE:003658:U1000001')['learner']
    files = {}
    for alg in ('ES256', 'RS256'):
        files[alg] = os.path.join(folder, alg + '.jwt')
        bus.command('clr', learner, '--alg', alg, '--out', files[alg])
        head = json.loads(base64.urlsafe_b64decode(open(files[alg]).read().split('.')[0] + '=='))
        assert head['alg'] == alg, head
        needs(0, 'verify', files[alg], '--state', bus.state)
        bus.command('verify', files[alg])
    bus.command('clr', learner, '--alg', 'HS256', expect=1)
    before = bus.command('keys', 'list')['keys']
    for alg in ('ES256', 'RS256'):
        bus.command('keys', 'rotate', '--alg', alg)
    after = bus.command('keys', 'list')['keys']
    assert len(after) == len(before) + 2, (before, after)
    for file in files.values():
        needs(0, 'verify', file, '--state', bus.state)  # signed before
    new = os.path.join(folder, 'new.jwt')
    bus.command('clr', learner, '--out', new)
    needs(0, 'verify', new, '--state', bus.state)
    kid = lambda f: json.loads(base64.urlsafe_b64decode(open(f).read().split('.')[0] + '=='))['kid']
    assert kid(new) != kid(files['ES256']), 'signed with the key of before'
    token = open(files['ES256']).read().strip()
    head, body, signature = token.split('.')
    for name, text in (('empty', ''), ('cut', token[:-20]), ('no dots', token.replace('.', '')), ('other body', '.'.join([head, body[:-8] + 'AAAAAAAA', signature])),
                       ('no signature', head + '.' + body + '.'), ('unsigned', base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip('=') + '.' + body + '.'),
                       ('bytes', '\x00\x01\x02'), ('json', '{"a":1}'), ('deep', '[' * 100000)):
        status, out, err = call('verify', write_text(os.path.join(folder, 'damaged'), text), '--state', bus.state, '--json')
        assert status == 1, '%s: status %d %s %s' % (name, status, out[:200], err[:200])
        assert name == 'deep' or json.loads(out), name
    jwks = write_text(os.path.join(folder, 'jwks.json'), json.dumps(json.loads(json.dumps(bus.command('keys', 'list')['jwks']))) if isinstance(
        bus.command('keys', 'list')['jwks'], dict) else bus.command('keys', 'list')['jwks'])
    needs(0, 'verify', files['RS256'], '--jwks', jwks)
    needs(1, 'verify', files['RS256'], '--jwks', write_text(os.path.join(folder, 'other.json'), '{"keys":[]}'))
    out = call('clr', learner, '--credential', '--state', bus.state)[1]
    assert json.loads(out)['type'], 'the credential as JSON'


def publish(bus, folder):
    good = write_text(os.path.join(folder, 'thesis.xml'), make.thesis(1).decode())
    answer = bus.command('publish', 'oai-pmh', good, '--content-type', 'application/xml')
    assert answer, answer
    bus.command('publish', 'nonsense', good, expect=None)
    status, _, err = call('publish', 'nonsense', good, '--state', bus.state)
    assert status in (1, 4) and err, (status, err)
    status, _, err = call('publish', 'pesc', good, '--state', bus.state)
    assert status in (1, 4) and err, 'a route that drops takes nothing from AMQP: %s %s' % (status, err)
    bus.settled()


def stops(bus):
    for n in range(200, 260):
        bus.http('POST', '/in/canvas', make.grade_event(1, submission=n), bus.token('publish-canvas'), {'Content-Type': 'application/json'})
    accepted = bus.ledger()['canvas']['accepted']
    assert bus.stop() == 0, 'SIGTERM ended with %s' % bus.process.returncode
    assert not os.path.exists(os.path.join(bus.state, 'ports.json')), 'ports.json is still there'
    bus.start()
    line = bus.settled()['canvas']
    assert line['accepted'] == accepted == 60 and line['delivered'] == 60, line
    assert bus.stop() == 0


def main():
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='clrbus-commands-') as folder:
        sub = lambda name: (os.makedirs(os.path.join(folder, name)), os.path.join(folder, name))[1]
        cases.run('every command has help with an example', help_texts)
        cases.run('wrong use is status 2', wrong_use)
        cases.run('no bus is status 4', lambda: far_side_away(sub('away')))
        cases.run('a configuration error is status 3 with file and line', lambda: configuration_errors(sub('configuration')))
        bus = Bus()
        try:
            bus.start()
            fill(bus)
            cases.run('a state directory is held by one process, of this format, and private', lambda: state_directories(bus))
            cases.run('each command prints one JSON document', lambda: one_json_each(bus))
            cases.run('dead letters are shown, replayed and discarded', lambda: dead_letters(bus))
            cases.run('a dead letter is corrected by hand', lambda: dead_edit(bus, sub('edit')))
            cases.run('and in an editor', lambda: dead_edit_in_editor(bus, sub('editor')))
            cases.run('and killed in between', lambda: dead_edit_killed(bus, sub('killed')))
            cases.run('what waits is shown, attached and rejected', lambda: waiting_list(bus))
            cases.run('a learner, and why', lambda: learner_and_why(bus))
            cases.run('records are signed, keys rotated, damage refused', lambda: signed(bus, sub('signed')))
            cases.run('files are published', lambda: publish(bus, sub('publish')))
            cases.run('SIGTERM drains and ends with 0', lambda: stops(bus))
        finally:
            bus.clean()
    cases.end()


main()
