"""The same documents through the embedded broker, and over RabbitMQ with 1, 2 and 4 worker processes: documents/s, and whose CPU it was.
Called by tools/bench, which gives its own helpers."""
import contextlib, os, shutil, tempfile, time

import workers
from bus import Bus, configuration, wait_for

WORKERS = (1, 2, 4)
DOCUMENTS = 200  # of one round and set-up
KIND = 'pesc'


def cpu_of(processes):
    """Seconds of CPU, all threads, of each process's own clock."""
    out = 0.0
    for process in processes:
        with contextlib.suppress(OSError):
            out += time.clock_gettime(~process << 3 | 2)
    return out


class SetUp:
    """A bus with its people known, whose processes are counted in two parts: ours and the broker's."""

    def __init__(self, bus, broker=None):
        self.bus, self.broker = bus, broker

    def ours(self):
        more = getattr(self.bus, 'workers', ())
        return [self.bus.process.pid] + [w.process.pid for w in more if w.process is not None]

    def theirs(self):
        return self.broker.processes() if self.broker else []

    def keep(self, count):
        """So many workers, no more and no less."""
        for number, worker in enumerate(self.bus.workers):
            running = worker.process is not None
            if number < count and not running:
                worker.start()
            if number >= count and running:
                worker.stop()
                worker.process = None

    def idle(self, counted):
        """What each part costs in a second while it is asked as often as later."""
        before, begin = (cpu_of(self.ours()), cpu_of(self.theirs())), time.monotonic()
        for _ in range(5):
            time.sleep(0.2)
            counted(self.bus)
        took = time.monotonic() - begin
        return [(after - b) / took for after, b in zip((cpu_of(self.ours()), cpu_of(self.theirs())), before)]

    def measure(self, files, counted, drop_many):
        """Documents/s, and seconds of CPU a document: ours, the broker's."""
        idle = self.idle(counted)
        goal = counted(self.bus) + len(files)
        before = cpu_of(self.ours()), cpu_of(self.theirs())
        begin = time.monotonic()
        drop_many(self.bus, KIND, files)

        def done():
            time.sleep(0.02)
            return counted(self.bus) >= goal
        wait_for('%d documents in the records' % len(files), done, 300)
        took = time.monotonic() - begin
        cost = [max(0.0, after - b - i * took) / len(files) for after, b, i in zip((cpu_of(self.ours()), cpu_of(self.theirs())), before, idle)]
        return len(files) / took, cost[0], cost[1]


def run(report, rounds, make, work, roster, counted, drop_many, say):
    if not workers.rabbitmq_server.installed():
        return say('RabbitMQ is not installed (apt-get install rabbitmq-server): the group workers is left out')
    count = DOCUMENTS * len(WORKERS) * (rounds + 1)
    load = os.path.join(work, 'load-workers-%d' % count)
    for kind in (KIND, 'people'):
        make(os.path.join(load, kind + '-load'), '--count', str(count), '--kind', kind)
    folder = os.path.join(load, KIND + '-load', KIND)
    files = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    found = {name: [] for name in (0,) + WORKERS}
    place = tempfile.mkdtemp(prefix='workers-', dir=work)
    plain = Bus(state=tempfile.mkdtemp(prefix='state-', dir=work))
    plain.own = True
    shared = None
    try:
        shared = workers.SharedBus(configuration(place), place, max(WORKERS))
        for bus in (plain, shared):
            bus.start()
            roster(bus, load)
        one, over = SetUp(plain), SetUp(shared, shared.broker)
        for i in range(rounds + 1):  # the first one warms: parsers made, large schemas compiled in each process
            for place_in_round, name in enumerate(found):
                first = DOCUMENTS * (i * len(WORKERS) + max(0, place_in_round - 1))
                if name:
                    over.keep(max(WORKERS) if i == 0 else name)
                numbers = (over if name else one).measure(files[first:first + DOCUMENTS], counted, drop_many)
                if i:
                    found[name].append(numbers)
                    say('%s: %.0f documents/s, %.1f ms ours, %.1f ms the broker\'s' % (
                        '%d workers' % name if name else 'embedded', numbers[0], numbers[1] * 1e3, numbers[2] * 1e3))
    finally:
        for bus in (plain, shared):
            if bus is not None:
                bus.clean()
        shutil.rmtree(place, ignore_errors=True)
    embedded = found[0]
    report.line('workers.rate-embedded', 'documents/s', [e[0] for e in embedded], 'the same over RabbitMQ with one worker process', [m[0] for m in found[1]])
    for name in WORKERS:
        mine = found[name]
        report.line('workers.rate-%d' % name, 'documents/s', [m[0] for m in mine], 'the same on the embedded broker, one process', [e[0] for e in embedded])
        report.line('workers.cpu-%d' % name, 'ms CPU per document, ours', [m[1] * 1e3 for m in mine], 'the same on the embedded broker, one process',
                    [e[1] * 1e3 for e in embedded])
        report.line('workers.ours-%d' % name, 'of the CPU of a document is ours', [m[1] / (m[1] + m[2]) for m in mine], "ours and RabbitMQ's together", [1.0] * len(mine))
