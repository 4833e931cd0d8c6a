#!/usr/bin/env python3
"""The Debian package: made, unpacked, and what it installs starts, takes a message and stops; the unit is one that systemd reads."""
import glob, json, os, shutil, signal, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CLRBUS_BUILD', os.path.join(ROOT, 'build', 'release'))
failed = 0


def hold(what, condition, detail=''):
    global failed
    failed += not condition
    print(('ok ' if condition else 'not ok ') + what + ('' if condition else ': ' + str(detail).replace('\n', ' ')[:1500]))


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)


def main():
    if not shutil.which('dpkg-shlibdeps'):
        print('skip package: dpkg-dev is not installed')
        return
    with tempfile.TemporaryDirectory() as folder:
        made = run('cpack', '--config', os.path.join(BUILD, 'CPackConfig.cmake'), '-B', folder, cwd=folder)
        packages = glob.glob(os.path.join(folder, 'clrbus_*.deb'))
        hold('cpack makes a package', made.returncode == 0 and len(packages) == 1, made.stdout)
        depends = run('dpkg-deb', '-f', packages[0], 'Depends').stdout
        hold('it names its libraries', all(name in depends for name in ('libxerces-c3.2', 'libxslt1.1', 'libqpid-proton', 'libsqlite3-0')), depends)
        root = os.path.join(folder, 'root')
        run('dpkg-deb', '-x', packages[0], root)
        conffiles = run('dpkg-deb', '-I', packages[0], 'conffiles').stdout.split()
        lying = [os.path.join('/', os.path.relpath(os.path.join(d, f), root)) for d, _, files in os.walk(os.path.join(root, 'etc')) for f in files]
        hold('every file of the site is a conffile', sorted(conffiles) == sorted(lying), set(conffiles) ^ set(lying))
        program, conf = os.path.join(root, 'usr/bin/clrbus'), os.path.join(root, 'etc/clrbus/conf/clrbus.xml')
        checked = run(program, 'check', '--config', conf)
        hold('the configuration that comes along can be deployed', checked.returncode == 0, checked.stdout)
        tested = run(program, 'test', '--config', conf)
        hold('its cases hold', tested.returncode == 0, tested.stdout)
        state = os.path.join(folder, 'state')
        bus = subprocess.Popen([program, 'run', '--config', conf, '--state', state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 60
        while not os.path.exists(os.path.join(state, 'ports.json')) and bus.poll() is None and time.time() < deadline:
            time.sleep(0.05)
        sample = glob.glob(os.path.join(root, 'etc/clrbus/routes/people/cases/crosswalk/input.*'))[0]
        shutil.copy(sample, os.path.join(state, 'drop', 'people', 'people.csv'))
        accepted = 0
        while accepted == 0 and time.time() < deadline:
            ledger = json.loads(run(program, 'ledger', '--json', '--state', state).stdout or '{}')
            accepted = sum(a.get('accepted', 0) for a in ledger.get('accounts', []))
        hold('what is installed takes a message', accepted > 0)
        bus.send_signal(signal.SIGTERM)
        hold('SIGTERM drains it', bus.wait(timeout=60) == 0)
        unit = os.path.join(root, 'usr/lib/systemd/system/clrbus.service')
        if shutil.which('systemd-analyze'):
            text = open(unit).read().replace('/usr/bin/clrbus', program)
            copy = os.path.join(folder, 'clrbus.service')
            open(copy, 'w').write(text)
            verified = run('systemd-analyze', 'verify', '--man=no', copy)
            hold('systemd reads the unit', 'clrbus.service' not in verified.stdout, verified.stdout)
        else:
            print('skip the unit: systemd is not installed')
    sys.exit(1 if failed else 0)


main()
