"""RabbitMQ as a peer of the broker benchmarks: Debian's package, started by hand on a directory of its own, ended by its own process
numbers. Nothing of an instance that the system runs is touched."""
import contextlib, glob, json, os, shutil, signal, socket, subprocess, time


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def waiting(seconds, condition):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def rabbitmq(folder, say):
    """Gives "URL ADDRESS USER PASSWORD" of a quorum queue, or None where the package is not installed."""
    homes = glob.glob('/usr/lib/rabbitmq/lib/rabbitmq_server-*')
    if not homes:
        say('RabbitMQ is not installed (apt-get install rabbitmq-server): the comparison with it is left out')
        yield None
        return
    scripts = os.path.join(homes[0], 'sbin') if os.path.isdir(os.path.join(homes[0], 'sbin')) else os.path.join(homes[0], 'bin')
    shutil.rmtree(folder, ignore_errors=True)
    for name in ('mnesia', 'log', 'home'):
        os.makedirs(os.path.join(folder, name))
    port, distribution, epmd = free_port(), free_port(), free_port()

    def write(name, text):
        with open(os.path.join(folder, name), 'w') as out:
            out.write(text)
        return os.path.join(folder, name)
    environment = dict(os.environ, HOME=os.path.join(folder, 'home'), RABBITMQ_NODENAME='bench@localhost',
                       RABBITMQ_CONFIG_FILE=write('rabbitmq.conf', 'listeners.tcp.1 = 127.0.0.1:%d\namqp1_0.default_user = guest\ndisk_free_limit.absolute = 1GB\n' % port),
                       RABBITMQ_CONF_ENV_FILE=write('none.conf', ''), RABBITMQ_ENABLED_PLUGINS_FILE=write('enabled_plugins', '[rabbitmq_amqp1_0].\n'),
                       RABBITMQ_MNESIA_BASE=os.path.join(folder, 'mnesia'), RABBITMQ_LOG_BASE=os.path.join(folder, 'log'), RABBITMQ_DIST_PORT=str(distribution),
                       ERL_EPMD_PORT=str(epmd), ERL_EPMD_ADDRESS='127.0.0.1')
    definitions = write('definitions.json', json.dumps({'vhosts': [{'name': '/'}], 'queues': [
        {'name': 'qq', 'vhost': '/', 'durable': True, 'auto_delete': False, 'arguments': {'x-queue-type': 'quorum'}}]}))
    out = open(os.path.join(folder, 'out.log'), 'wb')
    # epmd first and as our own child: what the server starts by itself would outlive it.
    daemon = subprocess.Popen(['epmd', '-port', str(epmd), '-address', '127.0.0.1'], env=environment, stdout=out, stderr=out)
    server = subprocess.Popen([os.path.join(scripts, 'rabbitmq-server')], env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        log = os.path.join(folder, 'out.log')
        if not waiting(60, lambda: server.poll() is not None or b'completed with' in open(log, 'rb').read()) or server.poll() is not None:
            say('RabbitMQ did not start: see ' + log)
            yield None
            return
        subprocess.run([os.path.join(scripts, 'rabbitmqctl'), 'import_definitions', definitions], env=environment, stdout=out, stderr=out, check=True)
        yield 'amqp://127.0.0.1:%d /amq/queue/qq guest guest' % port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        daemon.terminate()
        daemon.wait(10)
        out.close()
