"""Items of one's own choice about people of the roster, the stylesheet that records them, and what publishes them over HTTPS and AMQP,
for the tests that change a route while it runs. An item is <item n="7"/>; its person is that of n modulo the people, plus one."""
import http.client, os, shutil, subprocess, threading, time

import documents as make
from bus import ROOT, configuration, ssl, wait_for, write_text

STYLESHEET = '''<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:clrbus:learner-record:1">
  <xsl:template match="/item">
    %(check)s
    <xsl:variable name="who" select="1000001 + @n mod %(people)d"/>
    <statement source="%(source)s" key="item-{@n}" version="2024-06-01T00:00:00Z" covers="all">
      <learner><identifier scheme="institution-id" issuer="FICE:003658" value="U{$who}"/></learner>
      <authority name="Test"/>
      <achievement key="v%(version)d-item-{@n}" type="Assignment" component="outcomes" status="Completed"><name>Item <xsl:value-of select="@n"/></name></achievement>
    </statement>
  </xsl:template>
</xsl:stylesheet>
'''


def replace_text(path, text):
    """As an editor does: written beside it, then in its place."""
    write_text(path + '.new', text)
    os.rename(path + '.new', path)


def own_transforms(folder, routes, more):
    """A configuration with the roster, routes of the test's own and a copy of the stylesheets that the test may change."""
    shutil.copytree(os.path.join(ROOT, 'transforms'), os.path.join(folder, 'transforms'))
    for name, text in more.items():
        write_text(os.path.join(folder, 'transforms', name), text)
    config = configuration(folder, ['people'], more=routes)
    text = open(config).read().replace('%s/transforms"' % ROOT, '%s/transforms"' % folder)
    return write_text(config, text.replace('<routes ', '<routes when-broken="last-good" ', 1))


def roster(bus, people):
    rows = [make.person(n).decode().split('\r\n') for n in range(1, people + 1)]
    bus.drop('people', 'roster.csv', '\r\n'.join([rows[0][0]] + [r[1] for r in rows] + ['']).encode())
    wait_for('the roster', lambda: len(bus.learners()) == people)


class HttpsPublisher:
    """Sends items on one connection; after a fault connects anew and sends the same again until it is accepted."""

    def __init__(self, bus, route):
        self.bus, self.route, self.connection = bus, route, None

    def send(self, n, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.connection is None:
                    context = ssl.create_default_context(cafile=self.bus.access['ca'])
                    self.connection = http.client.HTTPSConnection('localhost', self.bus.ports['https'], context=context, timeout=20)
                self.connection.request('POST', '/in/' + self.route, b'<item n="%d"/>' % n,
                                        {'Authorization': 'Bearer ' + self.bus.token('publish-' + self.route), 'Content-Type': 'application/xml',
                                         'Idempotency-Key': '%s-%d' % (self.route, n)})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status == 202:
                    return
                if answer.status != 503:  # the bus asked to wait
                    raise AssertionError('item %d: status %d' % (n, answer.status))
            except (OSError, http.client.HTTPException):
                if self.connection is not None:
                    self.connection.close()
                self.connection = None
            time.sleep(0.02)  # between two tries, while nobody listens
        raise AssertionError('item %d was not accepted' % n)


class AmqpPublisher:
    """Sends items by amqp_publisher.py, which connects anew until all are accepted."""

    def __init__(self, bus, route, folder, name):
        self.bus, self.route, self.folder, self.name, self.rounds = bus, route, os.path.join(folder, name), name, 0
        os.makedirs(self.folder)

    def send_all(self, numbers):
        self.rounds += 1
        listing, out = (os.path.join(self.folder, '%s.%d' % (kind, self.rounds)) for kind in ('listing', 'accepted'))
        lines = []
        for n in numbers:
            path = write_text(os.path.join(self.folder, str(n)), '<item n="%d"/>' % n)
            lines.append('%s %s-%d %s\n' % (self.route, self.route, n, path))
        write_text(listing, ''.join(lines))
        subprocess.run(['/usr/bin/python3', os.path.join(ROOT, 'tests/e2e/amqp_publisher.py'), 'file:' + os.path.join(self.bus.state, 'ports.json'),
                        'publisher', self.bus.password('publisher'), listing, out], check=True, timeout=120)


class Stream(threading.Thread):
    """Publishers' work in a thread of its own; join() says what went wrong there."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.error = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except Exception as e:
            self.error = e

    def done(self, seconds=120):
        self.join(seconds)
        if self.is_alive():
            raise AssertionError('a publisher is not through')
        if self.error:
            raise self.error


def recorded(bus):
    """Item number -> (version of the stylesheet, provenance), read from all learners; an item that is there twice is a fault."""
    out = {}
    for one in bus.learners():
        record = bus.control('learner', learner=one['learner'], purpose='test')
        for statement in record['statements']:
            if not statement['key'].startswith('item-'):
                continue
            n = int(statement['key'][5:])
            assert n not in out, 'item %d is recorded twice' % n
            assert len(statement['achievements']) == 1, statement
            version, _, rest = statement['achievements'][0].partition('-')
            assert rest == statement['key'], statement
            out[n] = int(version[1:]), statement['provenance'], one['learner'], statement['achievements'][0]
    return out
