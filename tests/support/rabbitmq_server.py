#!/usr/bin/env python3
"""RabbitMQ as another broker in tests and benchmarks: Debian's package, started by hand on a directory of its own and on free ports,
ended by its own process numbers. Nothing of an instance that the system runs is touched.

rabbitmq_server.py FOLDER [NAME=quorum|classic ...] [heartbeat=SECONDS] [tls=CERTIFICATE,KEY,CA]

As a program: prints the ports when it answers ("-" where the package is not installed; the second one is that of TLS), then obeys lines
on standard input until they end: restart (killed, started again on the same port and files), kill, start, list, purge NAME,
ctl WORDS. Each is answered by a line. With tls, a certificate of that CA logs in as the user
of its common name (EXTERNAL)."""
import glob, json, os, shutil, signal, socket, subprocess, sys, time

HOMES = glob.glob('/usr/lib/rabbitmq/lib/rabbitmq_server-*')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def installed():
    return bool(HOMES)


class RabbitMQ:
    def __init__(self, folder, queues=(), heartbeat=None, tls=None):
        """queues: (name, kind) pairs that are defined at the first start; kind: quorum or classic. tls: certificate, key, CA of clients."""
        self.folder = folder
        self.scripts = next(d for d in (os.path.join(HOMES[0], 'sbin'), os.path.join(HOMES[0], 'bin')) if os.path.isdir(d))
        shutil.rmtree(folder, ignore_errors=True)
        for name in ('mnesia', 'log', 'home'):
            os.makedirs(os.path.join(folder, name))
        self.port, distribution, epmd, self.tls_port = free_port(), free_port(), free_port(), free_port() if tls else 0
        more = 'heartbeat = %d\n' % heartbeat if heartbeat else ''
        if tls:
            more += ('listeners.ssl.1 = 127.0.0.1:%d\nssl_options.certfile = %s\nssl_options.keyfile = %s\nssl_options.cacertfile = %s\n'
                     'ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\nssl_cert_login_from = common_name\n'
                     'auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\n' % (self.tls_port, *tls))
        self.environment = dict(
            os.environ, HOME=self.path('home'), RABBITMQ_NODENAME='clrbus@localhost',
            RABBITMQ_CONFIG_FILE=self.write('rabbitmq.conf', 'listeners.tcp.1 = 127.0.0.1:%d\namqp1_0.default_user = guest\n'
                                            'disk_free_limit.absolute = 1GB\n' % self.port + more),
            RABBITMQ_CONF_ENV_FILE=self.write('none.conf', ''),
            RABBITMQ_ENABLED_PLUGINS_FILE=self.write('enabled_plugins', '[rabbitmq_amqp1_0%s].\n' % (',rabbitmq_auth_mechanism_ssl' if tls else '')),
            RABBITMQ_MNESIA_BASE=self.path('mnesia'), RABBITMQ_LOG_BASE=self.path('log'), RABBITMQ_DIST_PORT=str(distribution),
            ERL_EPMD_PORT=str(epmd), ERL_EPMD_ADDRESS='127.0.0.1')
        self.definitions = self.write('definitions.json', json.dumps({'vhosts': [{'name': '/'}], 'queues': [
            {'name': name, 'vhost': '/', 'durable': True, 'auto_delete': False,
             'arguments': {'x-queue-type': 'quorum'} if kind == 'quorum' else {}} for name, kind in queues]}))
        self.out = open(self.path('out.log'), 'ab')
        # epmd first and as our own child: what the server starts by itself would outlive it.
        self.daemon = subprocess.Popen(['epmd', '-port', str(epmd), '-address', '127.0.0.1'], env=self.environment, stdout=self.out, stderr=self.out)
        self.server = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), 'w') as out:
            out.write(text)
        return self.path(name)

    def start(self, seconds=90):
        seen = os.path.getsize(self.path('out.log'))
        self.server = subprocess.Popen([os.path.join(self.scripts, 'rabbitmq-server')], env=self.environment, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out,
                                       start_new_session=True)
        until = time.monotonic() + seconds
        while True:
            with open(self.path('out.log'), 'rb') as log:
                log.seek(seen)
                if b'completed with' in log.read():
                    break
            if self.server.poll() is not None or time.monotonic() > until:
                raise RuntimeError('RabbitMQ did not start: see ' + self.path('out.log'))
            time.sleep(0.1)
        if self.definitions:
            self.ctl('import_definitions', self.definitions)
            self.definitions = None
            self.keep_declared()

    def keep_declared(self):
        """RabbitMQ 3.10 writes down where the log of a quorum queue lies (quorum/*/names.dets) only when nothing was declared for three
        minutes. Killed before that, it starts the queue anew with an empty log, and the queue stays without a leader for good. Tests that
        kill cannot wait so long."""
        self.ctl('eval', '[ok = dets:sync(T) || T <- dets:all()].')

    def ctl(self, *words):
        return subprocess.run([os.path.join(self.scripts, 'rabbitmqctl'), '--quiet', *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=self.out, check=True, text=True).stdout

    def end(self, how=signal.SIGTERM):
        if self.server is None:
            return
        try:
            os.killpg(self.server.pid, how)
            self.server.wait(20)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
        self.server = None

    def close(self):
        self.end(signal.SIGKILL)
        self.daemon.terminate()
        self.daemon.wait(10)
        self.out.close()

    def processes(self):
        """Of the server's session: for who wants to know what they cost."""
        return [int(p) for p in os.listdir('/proc') if p.isdigit() and session_of(p) == self.server.pid]


def session_of(process):
    try:
        with open('/proc/%s/stat' % process) as f:
            return int(f.read().rsplit(')', 1)[1].split()[3])
    except (OSError, IndexError):
        return None


def main():
    say = lambda text: print(text, flush=True)
    if not installed():
        return say('-')
    words = [w.split('=') for w in sys.argv[2:]]
    given = dict(w for w in words if w[0] in ('heartbeat', 'tls'))
    broker = RabbitMQ(sys.argv[1], [w for w in words if w[0] not in given], int(given.get('heartbeat', 0)),
                      given['tls'].split(',') if 'tls' in given else None)
    try:
        broker.start()
        say('%d %d' % (broker.port, broker.tls_port))
        for line in sys.stdin:
            words = line.split()
            if words[0] in ('restart', 'kill'):
                broker.end(signal.SIGKILL)
            if words[0] in ('restart', 'start'):
                broker.start()
            if words[0] == 'list':
                say(' '.join(broker.ctl('list_queues', 'name', 'messages', '--no-table-headers').split()))
            elif words[0] == 'ctl':
                say(' '.join(broker.ctl(*words[1:]).split()) or 'done')
            elif words[0] == 'purge':
                broker.ctl('purge_queue', words[1])
                say('done')
            else:
                say('done')
    finally:
        broker.close()


if __name__ == '__main__':
    main()
