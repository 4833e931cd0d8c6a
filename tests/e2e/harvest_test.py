#!/usr/bin/env python3
"""Repositories are harvested (oai-pmh): an OAI-PMH server that someone else wrote (oai_repo of PyPI), whose records change and are deleted, whose
tokens expire and which asks to be left alone, and kill -9 at random moments: the last version of each record comes, none twice. Then
through the route oai-pmh into the records. Skipped where the package cannot be had.

harvest_test.py [--records 120] [--kills 3] [--seed 1]"""
import argparse, datetime, os, random, re, shutil, subprocess, sys, tempfile, threading, urllib.parse
from collections import defaultdict

import documents as make
from bus import ROOT, Bus, Cases, configuration, wait_for, write_text
from http_side import Answering, serve

BUILD = os.environ.get('CLRBUS_BUILD', os.path.join(ROOT, 'build', 'release'))
HARVEST = '<oai:harvest xmlns:oai="urn:clrbus:adapter:oai-pmh:1" url="%s" schedule="PT1S" overlap="PT5S" away-most="PT1S" timeout="PT5S"%s/>'
ROUTE = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1">
  <route id="harvested" system="test" steward="Test" refresh="PT1S" retain="P1D">
    <from>%s</from>
    <to><http:post url="http://127.0.0.1:%d/taken" timeout="PT5S"/></to>
  </route>
</routes>'''
PREFIX = 'oai:repository.example.edu:1/'


def package():
    """The server's package, in a folder of the build; why not, when it cannot be had."""
    folder = os.path.join(BUILD, 'outside', 'oai_repo-0.5.2-py%d%d' % sys.version_info[:2])
    if not os.path.exists(folder):
        part = folder + '.part'
        shutil.rmtree(part, ignore_errors=True)
        try:
            done = subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--target', part, 'oai_repo==0.5.2'], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return 'PyPI does not answer'
        if done.returncode != 0:
            return 'oai_repo cannot be installed from PyPI'
        os.rename(part, folder)
    sys.path.insert(0, folder)
    return None


class Repository:
    """The server; beside it what takes the messages of the test's own route."""

    def __init__(self, seed):
        import oai_repo
        from lxml import etree
        self.lock, self.random, self.trouble, self.requests = threading.RLock(), random.Random(seed), 0.0, 0
        self.records, self.taken, self.said = {}, defaultdict(set), defaultdict(int)
        far = self

        class Data(oai_repo.DataInterface):
            limit = 10

            def get_identify(self):
                out = oai_repo.Identify()
                out.repository_name, out.base_url, out.admin_email = 'Test', far.url(), ['library@example.edu']
                out.earliest_datestamp, out.deleted_record, out.granularity = '2020-01-01T00:00:00Z', 'persistent', 'YYYY-MM-DDThh:mm:ssZ'
                return out

            def is_valid_identifier(self, identifier):
                return identifier in far.records

            def get_metadata_formats(self, identifier=None):
                return [oai_repo.MetadataFormat('oai_dc', 'http://www.openarchives.org/OAI/2.0/oai_dc.xsd', 'http://www.openarchives.org/OAI/2.0/oai_dc/')]

            def get_record_header(self, identifier):
                stamp, deleted, _ = far.records[identifier]
                out = oai_repo.RecordHeader()
                out.identifier, out.datestamp, out.setspecs = identifier, stamp, ['theses']
                out.status = 'deleted' if deleted else None
                return out

            def get_record_metadata(self, identifier, metadataprefix):
                _, deleted, xml = far.records[identifier]
                return etree.Element('gone') if deleted else etree.fromstring(xml).find('.//{http://www.openarchives.org/OAI/2.0/oai_dc/}dc')

            def get_record_abouts(self, identifier):
                return []

            def list_set_specs(self, identifier=None, cursor=0):
                return ['theses'], 1, None

            def get_set(self, setspec):
                out = oai_repo.Set()
                out.spec, out.name, out.description = 'theses', 'Theses', []
                return out if setspec == 'theses' else None

            def list_identifiers(self, metadataprefix, filter_from=None, filter_until=None, filter_set=None, cursor=0):
                def stamp(one):
                    return datetime.datetime.strptime(far.records[one][0], '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=datetime.timezone.utc)
                found = [one for one in sorted(far.records) if (not filter_from or stamp(one) >= filter_from) and (not filter_until or stamp(one) <= filter_until)]
                # A token holds while no record changes.
                return found[cursor:cursor + self.limit], len(found), max(r[0] for r in far.records.values())

        repository = oai_repo.OAIRepository(Data())

        class Handler(Answering):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                with far.lock:
                    far.taken[body].add(self.headers['Idempotency-Key'])
                self.answer(202)

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                with far.lock:
                    far.requests += 1
                    trouble = far.random.random() < far.trouble and far.random.choice(['503', 'half', 'html'])
                    # The package has no deleted records: it leaves out what has no metadata, and a status with it. They are made here.
                    body = re.sub(rb'<header>((?:(?!</record>).)*?)<metadata>\s*<gone\s*/>\s*</metadata>', rb'<header status="deleted">\1',
                                  bytes(repository.process(query)), flags=re.S)
                    for code in re.findall(rb'<error code="(\w+)"', body):
                        far.said[code.decode()] += 1
                if trouble == '503':
                    self.answer(503, Retry_After='1')
                elif trouble == 'html':
                    self.answer(200, b'<html><p>a private word')
                else:
                    self.answer(200, body, cut=trouble == 'half')

        self.server = serve(Handler)
        self.server.handle_error = lambda *_: None  # a client that was killed

    def url(self):
        return 'http://127.0.0.1:%d/oai' % self.server.server_address[1]

    def write(self, n, deleted=False, title=''):
        now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
        with self.lock:
            self.records[PREFIX + str(n)] = (now, deleted, make.thesis(n).replace(b'Tidal pools', b'Tidal pools ' + title.encode()))

    def came(self):
        """identifier -> what came of it: (datestamp, deleted, title). Throws when the same thing came as two messages."""
        out = defaultdict(list)
        with self.lock:
            for body, keys in self.taken.items():
                assert len(keys) == 1, 'the same record came as %d messages' % len(keys)
                text = body.decode()
                title = re.search('<dc:title>(.*?)</dc:title>', text)
                out[re.search('<identifier>(.*?)</identifier>', text).group(1)].append(
                    (re.search('<datestamp>(.*?)</datestamp>', text).group(1), 'status="deleted"' in text, title and title.group(1)))
        return out

    def everything_came(self):
        with self.lock:
            came = self.came()
            for one, (stamp, deleted, xml) in self.records.items():
                title = None if deleted else re.search('<dc:title>(.*?)</dc:title>', xml.decode()).group(1)
                if (stamp, deleted, title) not in came[one]:
                    return False
            return True


class Harvest:
    def __init__(self, options):
        self.options, self.random = options, random.Random(options.seed)
        self.folder = tempfile.mkdtemp(prefix='clrbus-harvest-')
        self.repository, self.bus = None, None

    def start(self, routes, more):
        config = configuration(self.folder, routes, more=more)
        self.bus = Bus(config=config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)
        self.bus.start()

    # ── cases ──
    def all_records_come_once(self):
        why = package()
        if why:
            return why
        self.repository = Repository(self.options.seed)
        for n in range(self.options.records):
            self.repository.write(n)
        self.start(['people'], {'harvested': ROUTE % (HARVEST % (self.repository.url(), ' sets="theses"'), self.repository.server.server_address[1])})
        wait_for('all records', self.repository.everything_came)
        assert sum(len(v) for v in self.repository.came().values()) == self.options.records
        assert self.repository.requests >= self.options.records // 10
        return None

    def changes_kills_faults_and_expired_tokens_lose_and_double_nothing(self):
        if self.repository is None:
            return 'no server'
        self.repository.trouble = 0.1
        for kill in range(self.options.kills):
            for _ in range(20):
                self.repository.write(self.random.randrange(self.options.records), self.random.random() < 0.2, 'version %d' % kill)
                seen = self.repository.requests
                wait_for('a request', lambda: self.repository.requests > seen)
            self.bus.kill()
            self.bus.start()
        self.repository.trouble = 0.0
        wait_for('the last version of all records', lambda: self.bus.dead() or self.repository.everything_came(), 120)
        assert self.repository.said['badResumptionToken'] > 0, dict(self.repository.said)
        line = self.bus.settled(['harvested'])['harvested']
        assert line.get('dead', 0) == 0, line
        self.bus.stop()
        return None

    def the_records_come_into_the_route_oai_pmh(self):
        if self.repository is None:
            return 'no server'
        self.bus.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = tempfile.mkdtemp(prefix='clrbus-harvest-')
        with self.repository.lock:
            self.repository.records.clear()
        for n in range(1, 31):
            self.repository.write(n)
        route = open(os.path.join(ROOT, 'routes', 'oai-pmh', 'routes.xml')).read()
        route = re.sub('<from>.*?</from>', lambda _: '<from>%s</from>' % (HARVEST % (self.repository.url(), '')), route, flags=re.S)
        self.start(['people'], {'oai-pmh': route})
        header, people = make.person(1).split(b'\r\n')[0], []
        for n in range(1, 21):  # ten are unknown
            people.append(make.person(n).split(b'\r\n')[1])
        self.bus.drop('people', 'people.csv', b'\r\n'.join([header] + people) + b'\r\n')

        def applied(many, held):
            def ready():
                self.bus.dead()
                line = self.bus.ledger().get('records', {})
                return line if line.get('applied', 0) == many and line.get('held', 0) == held else None
            return wait_for('%d applied, %d held' % (many, held), ready)
        applied(20 + 20, 10)
        self.repository.write(1, deleted=True)
        self.repository.write(2, title='again')
        applied(20 + 20 + 2, 10)
        self.bus.settled(['oai-pmh', 'people'])
        assert not self.bus.dead_letters('oai-pmh')
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--records', type=int, default=120)
    parser.add_argument('--kills', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    harvest, cases = Harvest(parser.parse_args()), Cases()
    try:
        for case in (harvest.all_records_come_once, harvest.changes_kills_faults_and_expired_tokens_lose_and_double_nothing,
                     harvest.the_records_come_into_the_route_oai_pmh):
            cases.run('harvest: ' + case.__name__.replace('_', ' '), case)
    finally:
        if harvest.bus:
            harvest.bus.clean()
        shutil.rmtree(harvest.folder, ignore_errors=True)
    cases.end()


if __name__ == '__main__':
    main()
