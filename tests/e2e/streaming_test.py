#!/usr/bin/env python3
"""A file of each format is split as a stream: memory grows by no more than --growth MB whatever the size, one record in a thousand is
wrong and is dead-lettered alone, and the process is killed in the middle of it. Prints the rate of each.

streaming_test.py [--megabytes 24] [--csv-megabytes N] [--xml-megabytes N] [--growth 64] [--no-kill] [--json FILE]"""
import argparse, json, os, sys, tempfile, time

from bus import Bus, Cases, Memory, configuration, wait_for

WRONG = 1000  # one record in so many
PEOPLE = ('Abigail', 'Bo', 'Constance Margaret', 'Dürer', 'Eve-Ann', 'Fitzgerald')

LAYOUT = '''<layout xmlns="urn:clrbus:fixed:1"><record name="head" at="first"><match from="1" value="H"/><field name="day" from="2" length="8" type="date" pattern="yyyyMMdd"/></record>
<record name="job"><match from="1" value="J"/><field name="n" from="2" length="9" type="integer" pad="0"/><field name="name" from="11" length="30" required="true"/>
<field name="begin" from="41" length="8" type="date" pattern="yyyyMMdd"/><field name="pay" from="49" length="9" type="decimal" decimals="2" pad="0"/><field name="note" from="58" length="100"/></record>
<record name="end" at="last"><match from="1" value="T"/><field name="jobs" from="2" length="9" type="integer" pad="0"/><total field="jobs" of="job"/></record></layout>
'''


def csv(n):
    if n % WRONG == 0:
        return b'%d,ragged\r\n' % n
    name = PEOPLE[n % 6]
    return ('%09d,"%s, Jr.",%s@example.edu,2024-09-%02d,%d.%02d,"a ""quoted"" note, with a delimiter and %d",MATH-%d,Fall 2024,A-,3.0,3.0,enrolled,main campus\r\n'
            % (n, name, name.replace(' ', '.'), n % 28 + 1, n % 900, n % 100, n, n % 500)).encode()


def xml(n):
    if n % WRONG == 0:
        return b'<course n="%d"><wrong/></course>\n' % n
    return ('<course n="%d"><subject>MATH</subject><number>%d</number><title>Linear Algebra &amp; Its Applications</title><term year="2024">Fall</term>'
            '<grade>A-</grade><credit attempted="3.0">3.0</credit><note>%s, section %d</note></course>\n' % (n, n % 500, PEOPLE[n % 6], n % 90)).encode()


def line(n):
    if n % WRONG == 0:
        return b'{"n":%d,}\n' % n
    return ('{"n":%d,"person":{"name":"%s","ids":["%09d","x%d"]},"term":"Fall 2024","credit":3.0,"grade":"A-","active":true,"advisor":null}\n' % (n, PEOPLE[n % 6], n, n)).encode()


def x12(n):
    credit = 'wrong' if n % WRONG == 0 else '%d.5' % (n % 30)
    return ('ST*130*%09d~\nBGN*00*T%d*20240601*0930*CT~\nERP*PS*B48~\nREF*LR*A%08d~\nN1*AS*EXAMPLE STATE*73*009999~\nN1*AT*SAMPLE COLLEGE*73*009998~\n'
            'IN1*1*04*S2~\nIN2*05*Roe~\nIN2*02*Jo~\nSUM*S*B*Y*%s*12*12*0*4*3.667~\nLX*1~\nSES*202308**20232024*2*FALL 2023~\nCRS*R*S*3*3*25*A**L******CS*4337*TELECOMMUNICATIONS~\nSE*14*%09d~\n'
            % (n, n, n, credit, n)).encode()


def fixed(n):
    name = '' if n % WRONG == 0 else 'Roe %d' % n
    return ('J%09d%-30s20240901%09d%-100s\r\n' % (n, name, n % 100000, 'a note about job %d' % n)).encode()


class Format:
    def __init__(self, name, split, record, head=b'', tail=None, extension='txt'):
        self.name, self.split, self.record, self.head, self.extension = name, split, record, head, extension
        self.tail = tail or (lambda n: b'')

    def route(self):
        return ('<routes xmlns="urn:clrbus:routes:1" xmlns:directory="urn:clrbus:adapter:directory:1">\n'
                '<route id="%s" system="Test" approach="extract" steward="Test" refresh="P1D" retain="P1D" max-bytes="8589934592">\n'
                '<from><directory:pickup match="*.%s"/></from>\n%s\n<filter test="false()" reason="measured alone"/><to><records/></to>\n</route></routes>\n'
                % (self.name, self.extension, self.split))

    def make(self, path, megabytes):
        n = 0
        with open(path, 'wb', 1 << 20) as out:
            out.write(self.head)
            while out.tell() < megabytes << 20:
                for _ in range(200):
                    n += 1
                    out.write(self.record(n))
            out.write(self.tail(n))
        return n


def formats(schema):
    isa = b'ISA*00*          *00*          *22*009999         *22*009998         *240601*0935*U*00401*000000001*1*T*>~\n'
    group = b'GS*ED*009999*009998*20240601*0935*45*X*004010ED0040~\n'
    return [
        Format('csv', '<split format="csv"/>', csv, b'id,name,mail,date,amount,note,course,term,grade,attempted,earned,state,campus\r\n', extension='csv'),
        Format('xml', '<split format="xml" path="batch/*"/><validate schema="%s"/>' % schema, xml, b'<?xml version="1.0" encoding="UTF-8"?>\n<batch>\n', lambda n: b'</batch>\n', extension='xml'),
        Format('json-lines', '<split format="json-lines"/>', line, extension='jsonl'),
        Format('x12', '<split format="x12" tables="x12/004010.xml"/>', x12, isa + group, lambda n: b'GE*%d*45~\nIEA*1*000000001~\n' % n, extension='edi'),
        Format('fixed', '<split format="fixed" layout="streaming.xml"/>', fixed, b'H20240901\r\n', lambda n: b'T%09d\r\n' % n),
    ]


SCHEMA = '''<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="course"><xs:complexType><xs:sequence>
<xs:element name="subject" type="xs:token"/><xs:element name="number" type="xs:integer"/><xs:element name="title" type="xs:token"/>
<xs:element name="term"><xs:complexType><xs:simpleContent><xs:extension base="xs:token"><xs:attribute name="year" type="xs:gYear"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
<xs:element name="grade" type="xs:token"/><xs:element name="credit"><xs:complexType><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="attempted" type="xs:decimal"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
<xs:element name="note" type="xs:string"/></xs:sequence><xs:attribute name="n" type="xs:integer"/></xs:complexType></xs:element></xs:schema>
'''


def project(folder):
    """The shipped schemas by links, with the test's own beside them."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    os.makedirs(os.path.join(folder, 'xsd'))
    for name in os.listdir(os.path.join(root, 'xsd')):
        os.symlink(os.path.join(root, 'xsd', name), os.path.join(folder, 'xsd', name))
    for name, text in (('streaming.xml', LAYOUT), ('streaming.xsd', SCHEMA)):
        with open(os.path.join(folder, 'xsd', name), 'w') as out:
            out.write(text)
    config = configuration(folder, routes=['people'], more={f.name: f.route() for f in formats('streaming.xsd')})
    text = open(config).read().replace('"%s/xsd"' % root, '"%s/xsd"' % folder)
    with open(config, 'w') as out:
        out.write(text)
    return config


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--megabytes', type=int, default=24)
    parser.add_argument('--csv-megabytes', type=int)
    parser.add_argument('--xml-megabytes', type=int)
    parser.add_argument('--growth', type=int, default=64)
    parser.add_argument('--no-kill', action='store_true')
    parser.add_argument('--only', help='one format')
    parser.add_argument('--json', metavar='FILE', help='the rates, one object a line')
    options = parser.parse_args()
    cases = Cases()
    rates = []
    with tempfile.TemporaryDirectory(prefix='clrbus-streaming-') as folder:
        bus = Bus(config=project(folder))
        memory = Memory(bus)
        known = {}

        def made(route):
            return next((a for a in bus.control('ledger')['accounts'] if a['account'] == route), {}).get('made', 0)

        def one(format):
            megabytes = getattr(options, format.name + '_megabytes', None) or options.megabytes
            path = os.path.join(folder, 'load.' + format.extension)
            records = format.make(path, megabytes)
            size = os.path.getsize(path)
            target = os.path.join(bus.state, 'drop', format.name)
            os.makedirs(target, exist_ok=True)
            os.rename(path, os.path.join(target, 'load.' + format.extension))
            killed = 0
            if not options.no_kill:
                killed = wait_for('a third of the records', lambda: made(format.name) > records / 3 and made(format.name), 3600)
                bus.kill()
                bus.start()
            begin, at = time.monotonic(), made(format.name)
            wait_for('all records', lambda: made(format.name) >= records, 3600)
            seconds = time.monotonic() - begin
            account = bus.settled(seconds=600)[format.name]
            found = [account.get(k, 0) for k in ('accepted', 'made', 'split', 'filtered', 'dead')]
            assert found == [1, records, 1, records - records // WRONG, records // WRONG], account
            assert not options.no_kill or at < records, 'it was through before it was looked at'
            share = (records - at) / records
            rate = size / 1e6 * share / seconds if seconds > 0.2 else 0
            rates.append({'name': 'streaming.' + format.name, 'value': round(rate, 1), 'unit': 'MB/s', 'records': round((records - at) / max(seconds, 0.001))})
            print('%s: %d MB, %d records, killed behind %d; %.1f MB/s, %d records/s' % (format.name, size >> 20, records, killed, rate, rates[-1]['records']), flush=True)

        def bad_records():
            for format in chosen:
                rows = sorted(int(d['row']) for d in bus.dead_letters(format.name))
                assert rows[:3] == [WRONG, 2 * WRONG, 3 * WRONG][:len(rows)] and len(set(rows)) == len(rows), rows[:5]

        def memory_stays():
            memory.end.set()
            memory.join()
            grown = (memory.most - known['start']) >> 20
            print('resident memory: %d MB at the start, at most %d MB more' % (known['start'] >> 20, grown), flush=True)
            assert grown <= options.growth, 'memory grew by %d MB' % grown

        chosen = [f for f in formats('streaming.xsd') if options.only in (None, f.name)]
        try:
            bus.start()
            known['start'] = bus.rss()[0]
            memory.start()
            for format in chosen:
                cases.run('%s is split as a stream' % format.name, lambda: one(format))
            cases.run('each wrong record is dead-lettered alone', bad_records)
            cases.run('memory grows by no more than %d MB' % options.growth, memory_stays)
        finally:
            bus.clean()
    if options.json:
        with open(options.json, 'w') as out:
            for rate in rates:
                out.write(json.dumps(rate) + '\n')
    cases.end()


main()
