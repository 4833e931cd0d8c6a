#!/usr/bin/env python3
"""Hostile and broken bytes: each is refused in bounded time and memory with a message that names the place, and the next good document passes."""
import argparse, os, shutil, socket, ssl, struct, tempfile, threading, time

import documents as make
from bus import ROOT, Bus, Cases, configuration, wait_for, write_text

GROWTH = 192 << 20  # of resident memory, over all of it: the longest text that is read is 64 MB here, and twice that as UTF-16
ATTRIBUTE = 1 << 30

# A transform that works long on one small document, well below every limit: what has it in hand when the process ends is suspect.
SLOW = '''<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/">
    <xsl:for-each select="//i"><xsl:for-each select="//i"><xsl:for-each select="//i"><xsl:if test="concat(., '-') = 'never'">x</xsl:if></xsl:for-each></xsl:for-each></xsl:for-each>
    <done/>
  </xsl:template>
</xsl:stylesheet>
'''
ROUTES = '''<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1" xmlns:http-listen="urn:clrbus:adapter:http-listen:1">
  <route id="slow" system="Test" steward="Test" refresh="P1D" retain="P1D">
    <from><http-listen:post/></from>
    <transform stylesheet="slow.xsl"/>
    <filter test="false()" reason="done"/>
    <to><records/></to>
  </route>
</routes>
'''


class Hostile:
    def __init__(self, bus):
        self.bus, self.good = bus, 0

    def post(self, route, data, seconds=30):
        kind = 'application/json' if route == 'canvas' else 'application/xml'
        started = time.monotonic()
        status, headers, body = self.bus.http('POST', '/in/' + route, data, self.bus.token('publish-' + route), {'Content-Type': kind})
        assert time.monotonic() - started < seconds, 'took %d s' % (time.monotonic() - started)
        return status, headers, body.decode(errors='replace')

    def refused(self, route, data, codes, place):
        """At the door with 4xx, or as a dead letter; either names code and place."""
        before = {d['number'] for d in self.bus.dead_letters(route)}
        status, headers, body = self.post(route, data)
        if status == 202:
            self.bus.settled()
            new = [d for d in self.bus.dead_letters(route) if d['number'] not in before]
            assert len(new) == 1, 'dead letters: %s' % new
            code, told = new[0]['code'], '%s %s %s %s' % (new[0]['line'], new[0]['path'], new[0]['reason'], new[0]['row'])
        else:
            assert 400 <= status < 500, (status, body)
            code, told = body, body
        assert any(c in code for c in codes), 'the code: %s' % (code,)
        assert place in told, 'the place: %s' % (told,)
        self.passes()

    def passes(self):
        """The next good document."""
        self.good += 1
        for route, data in (('pesc', make.transcript(1, document='G-%d' % self.good)), ('canvas', make.grade_event(1, submission=7000 + self.good))):
            status, headers, body = self.post(route, data)
            assert status == 202, (status, body)
            wait_for('the next good document', lambda: self.bus.dead() or b'"delivered"' in self.bus.http('GET', headers['Location'], token=self.bus.token('publish-' + route))[2])

    def dropped(self, route, name, data, code, place):
        before = {d['number'] for d in self.bus.dead_letters(route)}
        self.bus.drop(route, name, data)
        new = wait_for('the dead letter', lambda: self.bus.dead() or [d for d in self.bus.dead_letters(route) if d['number'] not in before])
        assert len(new) == 1 and new[0]['code'].startswith(code) and place in '%(line)s %(path)s %(row)s %(reason)s' % new[0], new
        self.passes()


def declared(doctype, body='<x>&a;</x>'):
    return ('<?xml version="1.0"?>\n%s\n%s' % (doctype, body)).encode()


def big_attribute_by_https(bus):
    """1 GB streamed: refused by its announced length, before it is read."""
    context = ssl.create_default_context(cafile=bus.access['ca'])
    started, sent = time.monotonic(), 0
    with socket.create_connection(('localhost', bus.ports['https']), timeout=60) as plain, context.wrap_socket(plain, server_hostname='localhost') as s:
        head = b'<a b="'
        s.sendall(('POST /in/pesc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n'
                   % (bus.token('publish-pesc'), ATTRIBUTE + len(head))).encode() + head)
        answer = b''
        try:
            while sent < ATTRIBUTE and not answer:
                s.sendall(b'x' * 65536)
                sent += 65536
                s.settimeout(0.001)
                try:
                    answer = s.recv(4096)
                except (TimeoutError, ssl.SSLWantReadError):
                    pass
                s.settimeout(60)
            answer = answer or s.recv(4096)
        except OSError:
            pass  # closed in the middle, which is an answer too: the status came before
    assert b' 413 ' in answer or sent < 64 << 20, (answer[:200], sent)
    assert time.monotonic() - started < 60


def big_attribute_by_file(bus, route, folder):
    """1 GB of attribute as a file: larger than the route takes, so it goes to failed/ with its reason."""
    path = os.path.join(folder, 'attribute.xml')
    with open(path, 'wb') as out:
        out.write(b'<?xml version="1.0"?>\n<a b="')
        for _ in range(ATTRIBUTE >> 20):
            out.write(b'x' * (1 << 20))
        out.write(b'"/>')
    target = os.path.join(bus.state, 'drop', route)
    os.makedirs(target, exist_ok=True)
    os.rename(path, os.path.join(target, 'attribute.xml'))
    receipt = os.path.join(target, 'failed', 'attribute.xml.receipt.csv')
    wait_for('the receipt', lambda: bus.dead() or os.path.exists(receipt), 120)
    text = open(receipt).read()
    assert 'DIR-003' in text, text
    for name in ('attribute.xml', 'attribute.xml.receipt.csv'):
        path = os.path.join(target, 'failed', name)
        if os.path.exists(path):
            os.remove(path)


def attribute_below_the_limit(hostile, route, megabytes):
    """An attribute that the door takes and the parser refuses."""
    hostile.dropped(route, 'attribute-%d.xml' % megabytes, b'<?xml version="1.0"?>\n<OAI-PMH b="' + b'x' * (megabytes << 20) + b'"/>', 'X', '')


def slow_clients(hostile, count, patient):
    """They send one byte a second, to HTTPS and to AMQP; a good client beside them is served."""
    bus, sockets = hostile.bus, []
    context = ssl.create_default_context(cafile=bus.access['ca'])
    end = threading.Event()
    refused = []

    def drip():
        request = b'POST /in/pesc HTTP/1.1\r\nHost: localhost\r\nX: ' + b'y' * 500
        at = 0
        while not end.wait(1.0):
            for kind, s in sockets:
                try:
                    s.send(request[at:at + 1] if kind == 'https' else b'AMQP\x03\x01\x00\x00'[at:at + 1] or b'\x00')
                except OSError:
                    refused.append((kind, s))
            at += 1

    try:
        for n in range(count):
            plain = socket.create_connection(('localhost', bus.ports['https' if n % 2 else 'amqp']), timeout=20)
            sockets.append(('https' if n % 2 else 'amqp', context.wrap_socket(plain, server_hostname='localhost') if n % 4 == 1 else plain))
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        started = time.monotonic()
        for _ in range(10):
            hostile.passes()
        took = time.monotonic() - started
        assert took < 20, 'ten good documents took %d s' % took
        answered = bus.command('publish', 'oai-pmh', write(bus, 'amqp-good.xml', make.thesis(1)), '--content-type', 'application/xml')
        assert answered, 'AMQP beside them'
        if patient:
            # None of them holds its connection for ever.
            wait_for('every slow client to be refused', lambda: bus.dead() or len({s for _, s in refused}) >= count, 240)
            hostile.passes()
        end.set()
        thread.join()
    finally:
        end.set()
        for _, s in sockets:
            s.close()


def write(bus, name, data):
    path = os.path.join(bus.state, '..', os.path.basename(bus.state) + '-' + name)
    with open(path, 'wb') as f:
        f.write(data)
    return path


def crash_twice(hostile):
    """Two documents are in hand when the process ends, again and again: the one that never gets through dies, the other goes on."""
    bus = hostile.bus
    # The mapped file has the numbers of the messages that steps work on.
    slots = lambda: {n for (n,) in struct.iter_unpack('<Q', open(os.path.join(bus.state, 'in-hand'), 'rb').read()) if n}
    first = None
    for items in (1500, 60):
        status, headers, body = hostile.post('slow', b'<all>' + b'<i>1</i>' * items + b'</all>')
        assert status == 202, (status, body)
        first = first or wait_for('it to be in hand', slots)
    for _ in range(2):
        wait_for('it to be in hand', lambda: bus.dead() or first <= slots())
        bus.kill()
        bus.start()
    wait_for('the dead letter', lambda: bus.dead() or bus.dead_letters('slow'))
    line = bus.settled()['slow']
    dead = bus.dead_letters('slow')
    assert [d['code'] for d in dead] == ['ROUTE-105'] and 'twice' in dead[0]['reason'] and dead[0]['bytes'] > 10000, dead
    assert (line['accepted'], line['filtered'], line['dead']) == (2, 1, 1), line
    hostile.passes()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--clients', type=int, default=300)
    parser.add_argument('--patient', action='store_true', help='wait until each slow client is refused')
    options = parser.parse_args()
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='clrbus-hostile-') as folder:
        config = configuration(folder, more={'slow': ROUTES})
        bus = Bus(config=slow_stylesheet(config, folder))
        hostile = Hostile(bus)
        good = make.transcript(1)
        deep = 100000
        bomb = ''.join('<!ENTITY a%d "%s">' % (n, '&a%d;' % (n - 1) * 10 if n else 'ha') for n in range(10))
        try:
            bus.start()
            bus.drop('people', 'one.csv', make.person(1))
            wait_for('the learner', lambda: bus.dead() or bus.learners())
            hostile.passes()
            start = bus.rss()[0]
            run = lambda name, *arguments: cases.run(name, lambda: hostile.refused(*arguments))
            run('an XML bomb', 'pesc', declared('<!DOCTYPE x [%s]>' % bomb, '<x>&a9;</x>'), ('XML-', 'XSD-'), '2')
            run('a quadratic blow-up', 'pesc', declared('<!DOCTYPE x [<!ENTITY a "%s">]>' % ('a' * 50000), '<x>%s</x>' % ('&a;' * 5000)), ('XML-', 'XSD-'), '2')
            run('an external entity', 'pesc', declared('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), ('XML-', 'XSD-'), '2')
            run('an external DTD', 'pesc', declared('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">', '<x/>'), ('XML-', 'XSD-'), '2')
            run('a parameter entity', 'pesc', declared('<!DOCTYPE x [<!ENTITY %% p SYSTEM "file:///etc/hostname"> %%p;]>', '<x/>'), ('XML-', 'XSD-'), '2')
            run('100,000 elements deep', 'pesc', b'<a>' * deep + b'</a>' * deep, ('XML-', 'XSD-'), '1')
            run('100,000 elements deep, never closed', 'pesc', b'<a>' * deep, ('XML-', 'XSD-'), '1')
            run('100,000 arrays deep', 'canvas', b'{"metadata":' + b'[' * deep + b']' * deep + b'}', ('JSON-',), '/metadata')
            run('100,000 objects deep', 'canvas', b'{"a":' * deep + b'1' + b'}' * deep, ('JSON-',), '/a')
            run('invalid UTF-8 in XML', 'pesc', good.replace(b'Foundations', b'Found\xff\xfeations'), ('XML-',), '28')
            run('invalid UTF-8 in JSON', 'canvas', make.grade_event(1).replace(b'"355"', b'"3\xff5"'), ('JSON-',), '1')
            run('an overlong UTF-8 sequence', 'pesc', good.replace(b'Foundations', b'Found\xc0\xafations'), ('XML-',), '28')
            run('a null byte', 'pesc', good.replace(b'Foundations', b'Found\x00ations'), ('XML-',), '28')
            run('half a document', 'pesc', good[:len(good) // 2], ('XML-',), '/CollegeTranscript')
            run('half an event', 'canvas', make.grade_event(1)[:-60], ('JSON-',), '/body')
            run('another root', 'pesc', b'<?xml version="1.0"?>\n<library/>', ('XSD-',), 'library')
            run('another root in a known namespace', 'pesc', good.replace(b'CollegeTranscript>', b'CollegeTranscripts>').replace(b'CollegeTranscript xmlns', b'CollegeTranscripts xmlns'), ('XSD-',), 'CollegeTranscripts')
            run('an array where an event is expected', 'canvas', b'[1,2]', ('JSON-', 'XSD-'), '')
            run('no bytes that are XML', 'pesc', b'PK\x03\x04' + bytes(range(256)) * 8, ('XML-',), '2')
            run('an attribute of 9 MB', 'pesc', b'<?xml version="1.0"?>\n<a b="' + b'x' * (9 << 20) + b'"/>', ('XML-', 'XSD-'), '2')
            cases.run('a ragged row', lambda: hostile.dropped('people', 'ragged.csv', make.person(2).split(b'\r\n')[0] + b'\r\nU1,71,1\r\n', 'CSV-', '1'))
            cases.run('a row with too many fields', lambda: hostile.dropped('people', 'wide.csv', make.person(2)[:-2] + b',,,,,\r\n', 'CSV-', '1'))
            cases.run('a quote that never ends', lambda: hostile.dropped('people', 'quote.csv', make.person(2).replace(b'Given2', b'"Given2'), 'CSV-', '2'))
            cases.run('invalid UTF-8 in CSV', lambda: hostile.dropped('people', 'latin.csv', make.person(2).replace(b'Given2', b'Giv\xe9n2'), 'CSV-', '1'))
            cases.run('an attribute of 64 MB in a file', lambda: attribute_below_the_limit(hostile, 'oai-pmh', 64))
            cases.run('an attribute of 1 GB by HTTPS', lambda: (big_attribute_by_https(bus), hostile.passes()) and None)
            cases.run('an attribute of 1 GB in a file', lambda: (big_attribute_by_file(bus, 'oai-pmh', folder), hostile.passes()) and None)
            cases.run('%d clients that send a byte a second' % options.clients, lambda: slow_clients(hostile, options.clients, options.patient))

            def memory():
                grown = bus.rss()[1] - start
                print('resident memory: %d MB, at most %d MB more' % (start >> 20, grown >> 20), flush=True)
                assert grown <= GROWTH, 'memory grew by %d MB' % (grown >> 20)

            cases.run('memory stays bounded', memory)
            cases.run('a document in hand at two crashes', lambda: crash_twice(hostile))
            cases.run('the ledger balances', lambda: bus.settled() and None)
        finally:
            bus.clean()
    cases.end()


def slow_stylesheet(config, folder):
    """The configuration with a transforms folder that has one stylesheet more."""
    transforms = os.path.join(folder, 'transforms')
    shutil.copytree(os.path.join(ROOT, 'transforms'), transforms)
    write_text(os.path.join(transforms, 'slow.xsl'), SLOW)
    return write_text(config, open(config).read().replace('%s/transforms' % ROOT, transforms))


main()
