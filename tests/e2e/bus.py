"""A real bus for the tests of tests/e2e: started on a state directory of its own, killed, restarted, asked. Standard library only."""
import contextlib, http.client, json, os, re, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get('CLRBUS_SHARED', os.path.join(os.path.dirname(ROOT), 'shared'))
CLRBUS = os.environ.get('CLRBUS', os.path.join(ROOT, 'build', 'release', 'bin', 'clrbus'))


def wait_for(what, condition, seconds=60):
    """Waits for a condition; it is looked at again and again, a time is only the limit."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError('gave up after %d s waiting for %s' % (seconds, what))
        time.sleep(0.02)


def configuration(folder, routes=(), keep_drops=True, more=None):
    """Writes conf.xml and a copy of the routes into the folder and gives the path of the configuration. routes: the ids of the shipped
    ones to copy (all without it); keep_drops=False: without <drop> and <keep>, so that AMQP clients may publish to them; more: folder
    name -> text of a routes.xml of the test's own."""
    for name in routes or sorted(os.listdir(os.path.join(ROOT, 'routes'))):
        source = os.path.join(ROOT, 'routes', name, 'routes.xml')
        if not os.path.exists(source):
            continue
        text = open(source).read()
        if not keep_drops:
            text = re.sub(r'<(drop|keep) [^>]*/>', '', text)
        write_text(os.path.join(folder, 'routes', name, 'routes.xml'), text)
    for name, text in (more or {}).items():
        write_text(os.path.join(folder, 'routes', name, 'routes.xml'), text)
    text = open(os.path.join(ROOT, 'conf', 'clrbus.xml')).read()
    text = text.replace('"../routes"', '"%s/routes"' % folder).replace('"../xsd"', '"%s/xsd"' % ROOT)
    text = text.replace('"../transforms"', '"%s/transforms"' % ROOT).replace('"codes"', '"%s/conf/codes"' % ROOT)
    return write_text(os.path.join(folder, 'clrbus.xml'), text)


def write_text(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        f.write(text)
    return path


class Bus:
    def __init__(self, config=None, state=None, overlay=None, environment=None, wrapper=()):
        self.config = config or os.path.join(ROOT, 'conf', 'clrbus.xml')
        self.overlay = overlay
        self.own = state is None
        self.state = state or tempfile.mkdtemp(prefix='clrbus-e2e-')
        self.environment = dict(os.environ, **(environment or {}))
        self.wrapper = list(wrapper)
        self.process = None

    def start(self, seconds=60):
        command = self.wrapper + [CLRBUS, 'run', '--config', self.config, '--state', self.state]
        if self.overlay:
            command += ['--overlay', self.overlay]
        self.output = open(os.path.join(self.state, '..', os.path.basename(self.state) + '.out'), 'ab')
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.state, 'ports.json'))
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, env=self.environment)
        wait_for('ports.json', lambda: os.path.exists(os.path.join(self.state, 'ports.json')) or self.dead(), seconds)
        self.ports = json.load(open(os.path.join(self.state, 'ports.json')))
        self.access = json.load(open(os.path.join(self.state, 'access.json')))
        return self

    def dead(self):
        if self.process.poll() is not None:
            text = open(self.output.name, errors='replace').read()
            raise AssertionError('the bus ended with %s\n%s' % (self.process.returncode, text[-3000:]))
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError('the bus did not stop within 60 s')
        return self.process.returncode if self.process else None

    def clean(self):
        with contextlib.suppress(Exception):
            self.stop()
        if self.own:
            shutil.rmtree(self.state, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.state + '.out')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.clean()

    # ── asking ──
    def command(self, *arguments, expect=0):
        done = subprocess.run([CLRBUS] + list(arguments) + ['--state', self.state, '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if expect is not None and done.returncode != expect:
            raise AssertionError('clrbus %s ended with %d\n%s%s' % (' '.join(arguments), done.returncode, done.stdout[-2000:], done.stderr[-2000:]))
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def control(self, command, **arguments):
        """Asks the running bus itself, which knows more arguments ("most", "after", "number") than the command line."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.state, 'control.sock'))
            s.sendall((json.dumps(dict(arguments, command=command)) + '\n').encode())
            text = b''
            while not text.endswith(b'\n'):
                more = s.recv(1 << 20)
                if not more:
                    break
                text += more
        answer = json.loads(text)
        if 'error' in answer:
            raise AssertionError('%s: %s' % (command, answer['error']))
        return answer

    def learners(self):
        out = []
        while True:
            some = self.control('learners', most=1000, after=out[-1]['learner'] if out else '')['learners']
            out += some
            if len(some) < 1000:
                return out

    def waiting(self):
        out = []
        while True:
            some = self.control('waiting-list', most=1000, after=out[-1]['number'] if out else 0)['waiting']
            out += some
            if len(some) < 1000:
                return out

    def dead_letters(self, route=''):
        return self.control('dead-list', route=route, most=1000000)['dead']

    def rss(self):
        """Resident memory in bytes, and the most there ever was."""
        text = open('/proc/%d/status' % self.process.pid).read()
        return tuple(int(re.search(r'%s:\s+(\d+)' % n, text).group(1)) << 10 for n in ('VmRSS', 'VmHWM'))

    def token(self, name):
        return next(t['token'] for t in self.access['tokens'] if t['name'] == name)

    def password(self, name):
        return next(u['password'] for u in self.access['users'] if u['name'] == name)

    def http(self, method, path, body=None, token=None, headers=None):
        context = ssl.create_default_context(cafile=self.access['ca'])
        connection = http.client.HTTPSConnection('localhost', self.ports['https'], context=context, timeout=60)
        fields = dict(headers or {})
        if token:
            fields['Authorization'] = 'Bearer ' + token
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def drop(self, route, name, content):
        folder = os.path.join(self.state, 'drop', route)
        os.makedirs(folder, exist_ok=True)
        part = os.path.join(folder, name + '.part')
        with open(part, 'wb') as f:
            f.write(content)
        os.rename(part, os.path.join(folder, name))

    def ledger(self):
        return {a['account']: a for a in self.command('ledger', expect=None)['accounts']}

    def settled(self, routes=None, seconds=120):
        """Waits until nothing waits in the inboxes and the records queue, then gives the balanced ledger."""
        def quiet():
            self.dead()
            answer = self.command('ledger', expect=None)
            if 'error' in answer:
                raise AssertionError('the ledger: %s' % answer['error'])
            lines = {a['account']: a for a in answer['accounts']}
            waiting = sum(a['waiting'] for n, a in lines.items() if routes is None or n in routes or n == 'records')
            return lines if waiting == 0 and answer['balanced'] else None
        return wait_for('the queues to be empty and the ledger to balance', quiet, seconds)


class Memory(threading.Thread):
    """The most resident memory of the processes, one after the other."""

    def __init__(self, bus):
        super().__init__(daemon=True)
        self.bus, self.most, self.end = bus, 0, threading.Event()

    def run(self):
        while not self.end.wait(0.1):
            try:
                self.most = max(self.most, self.bus.rss()[1])
            except (OSError, AttributeError):
                pass  # between two processes


class Cases:
    """Collects the lines that tools/run-tests counts."""
    def __init__(self):
        self.failed = 0

    def run(self, name, function):
        try:
            why = function()
            print('skip %s: %s' % (name, why) if why else 'ok %s' % name, flush=True)
        except Exception as e:  # a failed case must not stop the others
            self.failed += 1
            import traceback
            print('not ok %s: %s' % (name, str(e).replace('\n', ' | ')[:1500]), flush=True)
            traceback.print_exc(file=sys.stderr)

    def end(self):
        sys.exit(1 if self.failed else 0)
