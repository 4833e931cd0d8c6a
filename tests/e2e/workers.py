"""A bus whose inboxes are shared over RabbitMQ: one process that keeps the books (clrbus run --role records) and workers, each on a
state directory of its own. Standard library only."""
import contextlib, glob, json, os, random, re, shutil, signal, subprocess, sys, tempfile

from bus import CLRBUS, ROOT, Bus, wait_for, write_text

sys.path.insert(0, os.path.join(ROOT, 'tests', 'support'))
import rabbitmq_server  # noqa: E402


def with_broker(config, broker, folder, more=''):
    """The configuration, with the broker and a folder of originals that all share."""
    text = open(config).read()
    secret = write_text(os.path.join(folder, 'broker-password'), 'guest\n')
    os.chmod(secret, 0o600)
    element = '<broker url="amqp://127.0.0.1:%d" user="guest" password-file="%s" originals-folder="%s/shared-originals" %s/>' % (
        broker.port, secret, folder, more)
    return write_text(config, text.replace('<records ', element + '\n  <records '))


def queue_names(config):
    """What clrbus calls its queues at the broker, for the routes beside the configuration."""
    names = ['clrbus.results']
    for path in sorted(glob.glob(os.path.join(os.path.dirname(config), 'routes', '*', 'routes.xml'))):
        names += ['clrbus.in.' + route for route in re.findall(r'<route\s+id="([^"]+)"', open(path).read())]
    return names


class Worker:
    def __init__(self, config, environment):
        self.config, self.environment = config, environment
        self.state = tempfile.mkdtemp(prefix='clrbus-e2e-worker-')
        self.process = None

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.state, 'ports.json'))
        self.output = open(self.state + '.out', 'ab')
        self.process = subprocess.Popen([CLRBUS, 'run', '--role', 'worker', '--config', self.config, '--state', self.state], stdout=self.output,
                                        stderr=subprocess.STDOUT, env=self.environment)
        wait_for('a worker', lambda: os.path.exists(os.path.join(self.state, 'ports.json')) or self.dead())

    def dead(self):
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError('a worker ended with %s\n%s' % (self.process.returncode, open(self.state + '.out', errors='replace').read()[-3000:]))
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        return self.process.returncode

    def clean(self):
        with contextlib.suppress(Exception):
            self.stop()
        with contextlib.suppress(Exception):
            self.kill()
        shutil.rmtree(self.state, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.state + '.out')


class SharedBus(Bus):
    """kill() takes one of them, as the dice say: the books, a worker, everything, and the broker when it is among the victims."""

    def __init__(self, config, folder, workers, seed=1, victims=('books', 'worker', 'all'), kind='classic'):
        """kind: classic queues, which are declared by attaching to them, or quorum queues, which are made before."""
        made = [(name, kind) for name in queue_names(config)] if kind == 'quorum' else []
        self.broker = rabbitmq_server.RabbitMQ(os.path.join(folder, 'rabbitmq'), made)
        self.broker.start()
        super().__init__(config=with_broker(config, self.broker, folder, 'queues="exist" ' if made else ''))
        self.dice, self.victims, self.killed = random.Random(seed), victims, []
        self.workers = [Worker(self.config, self.environment) for _ in range(workers)]

    def start(self, seconds=60):
        if self.process is None or self.process.poll() is not None:
            self.role_start(seconds)
        for worker in self.workers:
            if worker.process is None or worker.process.poll() is not None:
                worker.start()
        return self

    def role_start(self, seconds):
        self.output = open(os.path.join(self.state, '..', os.path.basename(self.state) + '.out'), 'ab')
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.state, 'ports.json'))
        self.process = subprocess.Popen([CLRBUS, 'run', '--role', 'records', '--config', self.config, '--state', self.state], stdout=self.output,
                                        stderr=subprocess.STDOUT, env=self.environment)
        wait_for('ports.json', lambda: os.path.exists(os.path.join(self.state, 'ports.json')) or self.dead(), seconds)
        self.ports = json.load(open(os.path.join(self.state, 'ports.json')))
        self.access = json.load(open(os.path.join(self.state, 'access.json')))

    def dead(self):
        return super().dead() or any(w.dead() for w in self.workers)

    def kill(self):
        # Each kind in turn, so that none is left out by chance.
        victim = self.victims[len(self.killed) % len(self.victims)]
        self.killed.append(victim)
        if victim in ('books', 'all'):
            super().kill()
        if victim == 'worker':
            self.dice.choice(self.workers).kill()
        if victim == 'all':
            for worker in self.workers:
                worker.kill()
        if victim == 'broker':
            self.broker.end(signal.SIGKILL)
            self.broker.start()

    def stop(self):
        stopped = [w.stop() for w in self.workers if w.process is not None]
        own = super().stop()
        return own or next((s for s in stopped if s), 0)

    def clean(self):
        for worker in self.workers:
            worker.clean()
        super().clean()
        self.broker.close()
