#!/usr/bin/env python3
"""A stylesheet is changed again and again, well and badly, while four publishers send and the process is killed: nothing is lost or
doubled, every record names the generation that made it, and that one was active; the way back and the way down.

reload_test.py [--count 1600] [--changes 20]"""
import argparse, http.server, os, shutil, signal, socket, tempfile, threading

from bus import Bus, Cases, wait_for
from items import STYLESHEET, AmqpPublisher, HttpsPublisher, Stream, own_transforms, recorded, replace_text, roster

PEOPLE = 20
ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="load" system="test" steward="Test" refresh="P1D" retain="P1D" match="institution-id">
    <from><listen:post/></from>
    <transform stylesheet="load.xsl"/>
    <to><records/></to>
  </route>
</routes>'''
SLOW = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="slow" system="test" steward="Test" refresh="P1D" retain="P1D" match="institution-id">
    <from><listen:post/></from>
    <request-reply name="far" timeout="PT60S"><http:post url="http://127.0.0.1:%d/" timeout="PT60S"/></request-reply>
    <transform stylesheet="slow.xsl"/>
    <to><records/></to>
  </route>
</routes>'''
# What is broken, and the line that is named.
BROKEN = [('not well-formed', lambda text: text.replace('</statement>', '</statment>')), ('an expression', lambda text: text.replace('1000001 + @n', '1000001 + (@n')),
          ('an element', lambda text: text.replace('<xsl:variable', '<xsl:varyable')), ('a function', lambda text: text.replace('select="@n"', 'select="no-such(@n)"')),
          ('an import', lambda text: text.replace('<xsl:template', '<xsl:import href="lib/none.xsl"/><xsl:template'))]


class SlowSide:
    """Says nothing until it is let; then sends back what it got."""

    def __init__(self):
        self.go, self.asked = threading.Event(), threading.Semaphore(0)
        slow = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                slow.asked.release()
                slow.go.wait(120)
                try:
                    self.send_response(200)
                    self.send_header('Content-Type', 'application/xml')
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the bus is gone

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def sheet(version, source='load'):
    return STYLESHEET % {'check': '', 'people': PEOPLE, 'source': source, 'version': version}


class Reload:
    def __init__(self, options):
        self.count, self.changes, self.next = options.count, options.changes, options.count
        self.folder = tempfile.mkdtemp(prefix='clrbus-reload-')
        self.slow = SlowSide()
        config = own_transforms(self.folder, {'load': ROUTE, 'slow': SLOW % self.slow.port}, {'load.xsl': sheet(0), 'slow.xsl': sheet(0, 'slow')})
        self.file = os.path.join(self.folder, 'transforms', 'load.xsl')
        self.bus = Bus(config=config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state)
        self.versions, self.good, self.refusals = {}, 0, 0  # generation -> version of the stylesheet

    def load(self):
        return next(r for r in self.bus.control('route-list')['routes'] if r['route'] == 'load')

    def begin(self):
        self.bus.start()
        roster(self.bus, PEOPLE)
        self.versions[self.load()['generation']] = 0

    def change(self, number):
        """One change: the running bus takes it, or refuses it and says where."""
        before = self.load()['generation']
        if number % 4 != 3:
            self.good = number
            replace_text(self.file, sheet(number))
            after = wait_for('change %d to be taken' % number, lambda: (lambda r: r if r['generation'] != before and not r['refused'] else None)(self.load()))
            self.versions[after['generation']] = number
            return
        what, spoil = BROKEN[number // 4 % len(BROKEN)]
        text = spoil(sheet(number))
        line = next(i for i, (a, b) in enumerate(zip(text.splitlines(), sheet(number).splitlines()), 1) if a != b)
        replace_text(self.file, text)
        refused = wait_for('%s to be refused' % what, lambda: self.load()['refused'])
        # What an import cannot find has no line of its own: then it is that of the step.
        place = 'routes.xml:5' if what == 'an import' else 'load.xsl:%d' % line
        assert place in refused['text'] and self.file in refused['text'], '%s: %s, expected %s' % (what, refused['text'], place)
        assert refused['runs'] and self.load()['generation'] == before and self.load()['state'] == 'change refused', self.load()
        problems = [p['what'] for p in self.bus.command('status', expect=1)['problems']]
        assert any("route 'load'" in p and 'refused' in p and place in p for p in problems), problems
        assert [r['route'] for r in self.bus.command('route', 'list', expect=1)['refused']] == ['load']
        self.refusals += 1

    def twenty_changes_under_load(self):
        # A share of each publisher's goes out with each change, so that there is load at all of them.
        gates = [threading.Event() for _ in range(self.changes)]
        mine = lambda i: range(i, self.count, 4)

        def https(i):
            publisher, numbers = HttpsPublisher(self.bus, 'load'), mine(i)
            for k, gate in enumerate(gates):
                gate.wait(300)
                for n in numbers[len(numbers) * k // len(gates):len(numbers) * (k + 1) // len(gates)]:
                    publisher.send(n)

        def amqp(i):
            publisher, numbers, rounds = AmqpPublisher(self.bus, 'load', self.folder, 'amqp-%d' % i), mine(i), 4
            for k in range(rounds):
                gates[len(gates) * k // rounds].wait(300)
                publisher.send_all(numbers[len(numbers) * k // rounds:len(numbers) * (k + 1) // rounds])

        streams = [Stream(lambda i=i: (https if i < 2 else amqp)(i)) for i in range(4)]
        try:
            for number in range(1, self.changes + 1):
                gates[number - 1].set()
                self.change(number)
                if number == self.changes // 2 + 1:  # the file is broken just now: the last kept generation goes on
                    before = self.load()
                    self.bus.kill()
                    self.bus.start()
                    assert before['refused'] and self.load()['refused'], self.load()
                    assert self.versions[before['generation']] == self.good
                    self.versions.setdefault(self.load()['generation'], self.good)
        finally:
            for gate in gates:
                gate.set()
        for stream in streams:
            stream.done()
        assert self.refusals == self.changes // 4, self.refusals

    def everything_is_there_once(self):
        lines = self.bus.settled(['load'])
        load = lines['load']
        assert (load['accepted'] - load.get('duplicate', 0), load['delivered'], load.get('dead', 0)) == (self.next, self.next, 0), load
        self.found = recorded(self.bus)
        assert set(self.found) == set(range(self.next)), '%d of %d' % (len(self.found), self.next)

    def every_record_names_the_generation_that_made_it(self):
        history = self.bus.command('route', 'history', 'load')['generations']
        assert {h['generation'] for h in history} == set(self.versions), (history, self.versions)
        for n, (version, provenance, _, _) in self.found.items():
            assert self.versions[provenance['generation']] == version, (n, version, provenance)
        used = {p['generation'] for _, p, _, _ in self.found.values()}
        assert len(used) > self.changes // 3, 'too few generations at work: %s' % sorted(used)
        for n in range(0, self.next, 40):
            version, provenance, learner, key = self.found[n]
            words = self.bus.command('why', learner, '--achievement', key)['words']
            assert [w['provenance']['generation'] for w in words] == [provenance['generation']], words
            assert provenance['route'] == 'load', provenance

    def more(self, many, version):
        publisher = HttpsPublisher(self.bus, 'load')
        numbers = range(self.next, self.next + many)
        for n in numbers:
            publisher.send(n)
        self.next += many
        self.bus.settled(['load'])
        found = recorded(self.bus)
        assert {found[n][0] for n in numbers} == {version}, {found[n][0] for n in numbers}

    def rollback_returns_and_survives_a_kill(self):
        earlier = sorted(self.versions)[2]
        self.bus.command('route', 'rollback', 'load', str(earlier))
        now = self.load()
        assert now['pinned'] == earlier and now['generation'] > max(self.versions), now
        self.versions[now['generation']] = self.versions[earlier]
        self.more(5, self.versions[earlier])
        self.bus.kill()
        self.bus.start()
        assert (self.load()['pinned'], self.load()['generation']) == (earlier, now['generation']), self.load()
        self.more(5, self.versions[earlier])

    def unpin_runs_the_files_again(self):
        self.bus.command('route', 'unpin', 'load')
        now = self.load()
        assert now['pinned'] is None and now['generation'] > max(self.versions), now
        self.versions[now['generation']] = self.good
        self.more(5, self.good)
        self.everything_is_there_once()
        self.every_record_names_the_generation_that_made_it()

    def sigterm_drains(self):
        publisher = HttpsPublisher(self.bus, 'load')
        for n in range(self.next, self.next + 50):
            publisher.send(n)
        self.next += 50
        assert self.bus.stop() == 0
        self.bus.start()
        self.everything_is_there_once()

    def a_second_sigterm_ends_at_once(self):
        publisher, numbers = HttpsPublisher(self.bus, 'slow'), range(1000000, 1000003)
        for n in numbers:
            publisher.send(n)
        assert self.slow.asked.acquire(timeout=60)
        self.bus.process.send_signal(signal.SIGTERM)

        def closed():
            try:
                socket.create_connection(('127.0.0.1', self.bus.ports['https']), 1).close()
                return False
            except OSError:
                return True
        wait_for('the doors to close', closed)
        assert self.bus.process.poll() is None, 'it did not wait for the far side'
        self.bus.process.send_signal(signal.SIGTERM)
        assert self.bus.process.wait(20) == 1, self.bus.process.returncode  # far below drain="PT30S" and the far side's 60 s
        self.slow.go.set()
        self.bus.start()
        lines = self.bus.settled(['slow'])
        assert (lines['slow']['accepted'], lines['slow']['delivered'], lines['slow'].get('dead', 0)) == (3, 3, 0), lines['slow']
        found = recorded(self.bus)
        assert set(found) == set(range(self.next)) | set(numbers), len(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--count', type=int, default=1600)
    parser.add_argument('--changes', type=int, default=20)
    test, cases = Reload(parser.parse_args()), Cases()
    try:
        for name in ('begin', 'twenty_changes_under_load', 'everything_is_there_once', 'every_record_names_the_generation_that_made_it',
                     'rollback_returns_and_survives_a_kill', 'unpin_runs_the_files_again', 'sigterm_drains', 'a_second_sigterm_ends_at_once'):
            cases.run(name.replace('_', ' '), getattr(test, name))
    finally:
        test.slow.go.set()
        test.bus.clean()
        shutil.rmtree(test.folder, ignore_errors=True)
    cases.end()


main()
