#!/usr/bin/env python3
"""Backups under load, restored into empty directories: the ledger balances, nothing that was accepted before is missing, what comes after
is sent again and applied once; keys sign in the old name; a damaged backup is refused; none is taken where it must not be."""
import os, subprocess, sys, tempfile, threading

import documents as make
from bus import CLRBUS, Bus, configuration, wait_for


failed = 0


def check(what, held, detail=''):
    global failed
    failed += not held
    print('%s %s%s' % ('ok' if held else 'not ok', what, '' if held else ': ' + str(detail).replace('\n', ' ')[:1000]), flush=True)


SENT = {'pesc': (make.transcript, 'application/xml'), 'canvas': (make.grade_event, 'application/json')}


def post(bus, route, n):
    data, kind = SENT[route]
    status, _, _ = bus.http('POST', '/in/' + route, data(n), token=bus.token('publish-' + route),
                            headers={'Idempotency-Key': '%s-%d' % (route, n), 'Content-Type': kind})
    assert status == 202, status


def roster(bus, people):
    for n in range(1, people + 1):
        bus.drop('people', 'p%d.csv' % n, make.person(n))
    wait_for('the roster', lambda: len(bus.learners()) == people, 60)


def records_of(bus):
    """Every learner's record without what a restart may change: (statement key, achievements)."""
    out = {}
    for line in bus.learners():
        record = bus.command('learner', line['learner'])
        out[line['learner']] = sorted((s['provenance']['source'], s['key'], s.get('version', '')) for s in record['statements'])
    return out


def restore(backup, target, status=0):
    done = subprocess.run([CLRBUS, 'restore', backup, '--state', target, '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != status:
        raise AssertionError('restore ended with %d: %s' % (done.returncode, done.stdout + done.stderr))
    return done.stdout + done.stderr


def settle(bus, least=0):
    def still():
        ledger = bus.command('ledger', expect=None)
        waiting = sum(a['waiting'] for a in ledger['accounts'])
        taken = sum(a.get('taken', 0) for a in ledger['accounts'])
        return ledger if waiting == 0 and taken >= least and ledger['balanced'] else None
    return wait_for('everything applied', still, 120)


def main():
    people = 150
    with tempfile.TemporaryDirectory() as folder:
        bus = Bus(configuration(os.path.join(folder, 'site'), keep_drops=False), os.path.join(folder, 'state'))
        os.makedirs(bus.state)
        bus.start()
        stop, sent, at_backup, lock = threading.Event(), [], [], threading.Lock()

        roster(bus, people)

        def send():
            for n in range(1, people + 1):
                for route in SENT:
                    post(bus, route, n)
                    with lock:
                        sent.append((route, n))

        sender = threading.Thread(target=send)
        sender.start()
        backups = []
        for i in range(3):
            wait_for('more messages', lambda: len(sent) > 60 * (i + 1) or not sender.is_alive(), 120)
            with lock:
                at_backup.append(list(sent))
            target = os.path.join(folder, 'backup%d' % i)
            bus.command('backup', target)
            backups.append(target)
        sender.join()
        check('the backups were taken while messages came', len(at_backup[-1]) < 3 * people)
        inside = subprocess.run([CLRBUS, 'backup', os.path.join(bus.state, 'b'), '--state', bus.state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check('none into the state directory', inside.returncode == 3)
        again = subprocess.run([CLRBUS, 'backup', backups[0], '--state', bus.state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check('none over another one', again.returncode == 3)
        settle(bus)
        whole = records_of(bus)
        first = sorted(whole)[0]
        token = bus.command('clr', first)['token']
        bus.stop()

        for i, backup in enumerate(backups):
            state = os.path.join(folder, 'restored%d' % i)
            restore(backup, state)
            other = Bus(bus.config, state)
            other.start()
            settle(other)
            check('backup %d: the ledger balances' % i, other.command('ledger')['balanced'])
            found = records_of(other)
            statements = {s[1] for record in found.values() for s in record}
            missing = [n for route, n in at_backup[i] if route == 'pesc' and 'FICE:003658|7%07d|undergraduate' % (1000000 + n) not in statements]
            check('backup %d: what was accepted before is there' % i, not missing, missing[:5])
            # The sources send everything again, as after any loss: each once.
            for route, n in sent:
                post(other, route, n)
            settle(other)
            again = records_of(other)
            check('backup %d: sent again, the records are those of the bus that went on' % i,
                        sorted(again.values()) == sorted(whole.values()))
            check('backup %d: the ledger balances then' % i, other.command('ledger')['balanced'])
            if i == 0:
                signed = os.path.join(folder, 'signed.jwt')
                with open(signed, 'w') as f:
                    f.write(token)
                verified = subprocess.run([CLRBUS, 'verify', signed, '--state', state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                check('what was signed before verifies with the restored keys', verified.returncode == 0, verified.stdout)
            other.stop()

        name = next(os.path.join(d, f) for d, _, files in os.walk(os.path.join(backups[0], 'records')) for f in files if f == 'records.db')
        with open(name, 'r+b') as f:
            f.seek(5000)
            f.write(b'damage')
        check('a damaged backup is refused with its file', 'records.db' in restore(backups[0], os.path.join(folder, 'r'), 1))
        check('and nothing was made of it', not os.path.exists(os.path.join(folder, 'r')))
        os.remove(os.path.join(backups[1], 'backup.json'))
        check('one that was not finished is refused', 'BACKUP-011' in restore(backups[1], os.path.join(folder, 'r'), 1))
        check('not into a directory in use', 'BACKUP-003' in restore(backups[2], bus.state, 3))
    sys.exit(1 if failed else 0)


main()
