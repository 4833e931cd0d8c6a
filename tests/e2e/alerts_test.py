#!/usr/bin/env python3
"""Every condition of the alerts is provoked and ended, with a real mail server (STARTTLS and log-in), a webhook receiver that checks the
signature, and a program: one notice at begin and one at end, over kill -9, and over mail servers that are away, slow, refusing or mad."""
import json, os, shutil, signal, subprocess, tempfile, threading, time

from bus import Bus, CLRBUS, Cases, configuration, wait_for, write_text
from alert_receivers import BadServer, FarSide, MailServer, Webhook, certificate, certificates

SUPPORT = os.path.dirname(CLRBUS)
HEAD = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
'''
ROUTES = HEAD + '''  <route id="plain" system="test" steward="Test" retain="P1D"><from><listen:post/></from><parse format="xml"/>
    <filter test="/item" reason="not an item"/><to><records/></to></route>
  <route id="other" system="test" steward="Test" retain="P1D"><from><listen:post/></from><parse format="xml"/><to><records/></to></route>
  <route id="slow" system="test" steward="Test" retain="P1D" workers="1"><from><listen:post/></from>
    <program command="wait-for-go" time="PT100S" output="body"/><filter test="false()" reason="enough"/><to><records/></to></route>
  <route id="fed" system="test" steward="Test" refresh="PT4S" retain="P1D"><from><listen:post/></from><filter test="false()" reason="enough"/><to><records/></to></route>
  <route id="far" system="test" steward="Test" retain="P1D"><from><listen:post/></from>
    <to><http:post url="http://127.0.0.1:%(far)d/far" authentication="bearer" secret="far-side" timeout="PT2S"/></to></route>
</routes>'''
ALERTS = '''<secret name="far-side" file="secret-1"/><secret name="mail" file="mail-password"/><secret name="hook" file="hook-key"/>
  <secret name="ending" file="secret-1" expires="%(expires)s"/>
'''
CHANNELS = '''<alerts look="PT1S" group="PT1S" quiet="PT3S" retry="PT1S" away="PT3S" oldest-waiting="PT3S" late-by="PT1S" free-bytes="%(free)d" expiry-days="5">
    <mail name="ops" host="localhost" port="%(mail)d" ca-file="tls/ca.pem" user="clrbus" password-secret="mail" from="clrbus@example.edu" to="ops@example.edu second@example.edu" timeout="PT6S"/>
    <webhook name="hook" url="http://127.0.0.1:%(hook)d/alerts" signature-secret="hook"/>
    <command name="page" program="programs/page" when="disk dead-letters"/>
  </alerts>
'''
HOOK_KEY = 'hook-key-of-the-test'


class Alerts:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='clrbus-alerts-')
        self.tls = certificates(os.path.join(self.folder, 'tls'))
        certificate(self.tls, 'listener', 'DNS:localhost,IP:127.0.0.1', 2)
        self.password = ['mail-password-1']
        self.mail = MailServer(self.tls, 'clrbus', self.password)
        self.hook, self.far = Webhook(HOOK_KEY), FarSide()
        self.secret('secret-1', 'secret-1'), self.secret('mail-password', self.password[0]), self.secret('hook-key', HOOK_KEY)
        self.go, self.paged = os.path.join(self.folder, 'go'), os.path.join(self.folder, 'paged')
        self.program('page', 'cat >> %s; echo >> %s\n' % (self.paged, self.paged))
        self.program('wait-for-go', 'while [ ! -e %s ]; do sleep 0.1; done; cat\n' % self.go)
        self.free = shutil.disk_usage(self.folder).free - (3 << 30)
        self.config = configuration(self.folder, ['people'], more={'tests': ROUTES % {'far': self.far.port}})
        self.plain = open(self.config).read()
        self.expires = time.strftime('%Y-%m-%d', time.gmtime(time.time() + 2 * 86400))
        self.write()
        self.bus = Bus(config=self.config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)
        self.feeding, self.stopped, self.item = threading.Event(), threading.Event(), 0

    def write(self, **other):
        values = dict(expires=self.expires, free=self.free, mail=self.mail.port, hook=self.hook.port)
        values.update(other)
        text = self.plain.replace('<records ', ALERTS % values + '<records ', 1)
        text = text.replace('<routes folder', '<programs folder="programs"/>\n  <routes folder', 1)
        text = text.replace('</clrbus>', CHANNELS % values + '</clrbus>')
        text = text.replace('<listen protocol="https" port="0"/>',
                            '<listen protocol="https" port="0" certificate-file="tls/listener.pem" key-file="tls/listener.key"/>')
        write_text(self.config, text)

    def secret(self, name, value):
        path = os.path.join(self.folder, name)
        with open(path, 'w') as f:
            f.write(value + '\n')
        os.chmod(path, 0o600)

    def program(self, name, body):
        path = write_text(os.path.join(self.folder, 'programs', name), '#!/bin/sh\n' + body)
        os.chmod(path, 0o755)
        os.chmod(os.path.dirname(path), 0o755)

    def start(self):
        checked = subprocess.run([CLRBUS, 'check', '--config', self.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert checked.returncode == 0, checked.stdout
        self.bus.start()
        # Its own authority, beside that of the development certificates.
        self.bus.access['ca'] = os.path.join(self.tls, 'ca.pem')
        self.keep_fed()

    def keep_fed(self):
        """The route "fed" hears something every half a second as long as feeding is set, so that it is late only when the test wants it."""
        def feed():
            while not self.stopped.wait(0.5):
                if self.feeding.is_set():
                    try:
                        self.post('fed', b'<item/>')
                    except OSError:
                        pass
        if not self.feeding.is_set():
            self.feeding.set()
            threading.Thread(target=feed, daemon=True).start()

    def post(self, route, body):
        self.item += 1
        return self.bus.http('POST', '/in/' + route, body, self.bus.token('publish-' + route), {'Content-Type': 'application/xml', 'Idempotency-Key': 'i%d' % self.item})

    def times(self, side, key):
        return self.hook.events().count((side, key))

    def began(self, key):
        wait_for(key + ' to begin', lambda: self.times('began', key) == 1, 60)

    def ended(self, key):
        wait_for(key + ' to end', lambda: self.times('ended', key) == 1, 60)

    def mailed(self, what, section):
        """The mails that name it in that section."""
        out = []
        for mail in list(self.mail.mails):
            text = self.mail.text(mail)
            part = text.split('\nENDED\n')
            part = (part[1] if len(part) > 1 else '') if section == 'ENDED' else part[0].partition('\nBEGAN\n')[2]
            if what in part:
                out.append(mail)
        return out

    def mailed_once(self, what):
        for section in ('BEGAN', 'ENDED'):
            wait_for('a mail about "%s" under %s' % (what, section), lambda: self.mailed(what, section), 60)
            assert len(self.mailed(what, section)) == 1, [self.mail.text(m) for m in self.mailed(what, section)]

    def discard(self, route):
        for dead in self.bus.dead_letters(route):
            self.bus.command('dead', 'discard', route, str(dead['number']), '--why', 'test')

    def status(self):
        return self.bus.control('status')

    # ── cases ──
    def a_test_arrives_every_way(self):
        answer = self.bus.command('alerts', 'test')
        assert answer['ok'] and len(answer['channels']) == 3, answer
        wait_for('the test mail', lambda: self.mail.mails)
        mail = self.mail.mails.pop(0)
        assert 'test of the alerts' in mail['Subject'] and mail['Auto-Submitted'] == 'auto-generated' and mail['Message-ID'], mail
        assert self.mail.secure == [True] and self.mail.logins[-1][1]
        assert self.hook.notices.pop(0)['test'] and json.loads(open(self.paged).read())['test']
        os.remove(self.paged)

    def a_certificate_and_a_secret_that_end_soon(self):
        self.began("expiry certificate of listener 'https'")
        self.began("expiry secret 'ending'")
        # What falls together is one mail.
        wait_for('the mail', lambda: self.mail.mails)
        assert self.mailed("listener 'https' ends on", 'BEGAN') == self.mailed("secret 'ending' ends on", 'BEGAN')
        assert {w['code'] for w in self.status()['warnings']} == {'STILL-016'} and self.status()['ok']
        certificate(self.tls, 'listener', 'DNS:localhost,IP:127.0.0.1', 100)
        self.bus.process.send_signal(signal.SIGHUP)
        self.ended("expiry certificate of listener 'https'")
        self.mailed_once("certificate of listener 'https'")

    def dead_letters_of_two_routes_are_one_mail(self):
        for route in ('plain', 'other'):
            assert self.post(route, b'<item>')[0] == 202
        self.began('dead plain'), self.began('dead other')
        wait_for('the mail', lambda: self.mailed("'plain' has dead letters", 'BEGAN'))
        assert self.mailed("'plain' has dead letters", 'BEGAN') == self.mailed("'other' has dead letters", 'BEGAN')
        assert '<item>' not in self.mail.text(self.mail.mails[-1])

    def killed_between_they_are_not_said_again_and_their_end_is(self):
        # A notice whose arrival is noted is not sent again; one that the kill finds between comes again under its id.
        wait_for('the notices to be noted', lambda: not [c for c in self.bus.control('alerts')['channels'] if c['pending']])
        self.bus.kill()
        self.feeding.clear()
        self.bus.start()
        self.bus.access['ca'] = os.path.join(self.tls, 'ca.pem')
        self.feeding.set()
        looked = len(self.hook.events())
        for route in ('plain', 'other'):
            self.discard(route)
        self.ended('dead plain'), self.ended('dead other')
        assert not [e for e in self.hook.events()[looked:] if e[0] == 'began'], self.hook.events()[looked:]
        self.mailed_once("'plain' has dead letters")
        assert not self.mail.repeats and not self.hook.repeats
        paged = [json.loads(line) for line in open(self.paged) if line.strip()]
        assert {e['key'] for n in paged for e in n['began'] + n['ended']} == {'dead plain', 'dead other'}, paged

    def a_message_that_waits(self):
        for _ in range(3):
            self.post('slow', b'<item/>')
        self.began('oldest in/slow')
        answer = self.bus.command('status', expect=1)
        problem = next(p for p in answer['problems'] if p['key'] == 'oldest in/slow')
        assert problem['since'] and problem['oldest_seconds'] >= 3 and problem['page'] == 'clrbus explain STILL-003', problem
        screen = subprocess.run([CLRBUS, 'status', '--state', self.bus.state], stdout=subprocess.PIPE, text=True)
        assert screen.returncode == 1
        for part in ('SOMETHING STANDS STILL', 'the oldest message in in/slow waits', 'the oldest message waits since', 'page: clrbus explain STILL-003'):
            assert part in screen.stdout, screen.stdout
        write_text(self.go, '')
        self.ended('oldest in/slow')
        self.mailed_once('the oldest message in in/slow')

    def a_source_that_is_late(self):
        self.feeding.clear()
        self.began('late fed')
        self.feeding.set()
        self.ended('late fed')
        self.mailed_once("source 'fed' is late")

    def a_disk_that_fills(self):
        big = os.path.join(self.bus.state, 'big')
        subprocess.run(['fallocate', '-l', '8G', big], check=True)
        self.began('disk')
        os.remove(big)
        self.ended('disk')
        self.mailed_once('MB free on the disk of the state directory, below')
        wait_for('the program to be told', lambda: '"key":"disk"' in open(self.paged).read() and open(self.paged).read().count('"key":"disk"') == 2)

    def a_far_side_that_is_away(self):
        self.far.status = 503
        self.post('far', b'<item/>')
        self.began('away out/far/post')
        # Killed while it is away: it goes on, and does not begin again.
        self.bus.kill()
        self.feeding.clear()
        self.bus.start()
        self.bus.access['ca'] = os.path.join(self.tls, 'ca.pem')
        self.feeding.set()
        wait_for('it to be away again', lambda: [p for p in self.status()['problems'] if p['key'] == 'away out/far/post'])
        self.far.status = 202
        wait_for('it to be tried', lambda: self.bus.command('resume', 'far'))
        self.ended('away out/far/post')
        assert self.times('began', 'away out/far/post') == 1
        self.mailed_once("endpoint 'out/far/post' is away")

    def a_route_that_stands_still(self):
        for _ in range(21):
            self.post('plain', b'<item>')
        self.began('paused plain')
        self.bus.command('status', expect=1)
        self.bus.command('resume', 'plain')
        self.ended('paused plain')
        self.mailed_once("route 'plain' is paused")
        # Dead letters again: a second alert of the same key.
        wait_for('them to begin', lambda: self.times('began', 'dead plain') == 2)
        self.discard('plain')
        wait_for('them to end', lambda: self.times('ended', 'dead plain') == 2)

    def a_ledger_that_does_not_balance(self):
        def book(count):
            self.feeding.clear()
            self.bus.stop()
            subprocess.run([os.path.join(SUPPORT, 'unbalance'), os.path.join(self.bus.state, 'queues'), 'plain', str(count)], check=True)
            self.bus.start()
            self.bus.access['ca'] = os.path.join(self.tls, 'ca.pem')
            self.feeding.set()
        book(1)
        self.began('ledger plain')
        wait_for('status to say so', lambda: not self.status()['ok'])
        self.bus.command('status', expect=1)
        book(-1)
        self.ended('ledger plain')
        self.mailed_once("the ledger of 'plain' does not balance")

    def a_mail_server_that_is_away_or_mad_holds_up_nobody(self):
        mails, port = len(self.mail.mails), self.mail.port
        self.mail.stop()
        self.post('other', b'<item>')
        wait_for('the webhook to be told', lambda: self.times('began', 'dead other') == 2)

        def state():
            return next(c for c in self.bus.control('alerts')['channels'] if c['channel'] == 'mail ops')
        wait_for('the channel to fail', lambda: state()['code'] == 'ALERT-010')
        self.began('undelivered mail ops')
        def tried(code):
            answer = self.bus.command('alerts', 'test', 'mail ops', expect=1)
            assert answer['channels'][0]['code'] == code, answer
        for how, code in (('silent', 'ALERT-010'), ('slow', 'ALERT-010'), ('nonsense', 'ALERT-012')):
            bad = BadServer(port, how)
            tried(code)
            # Messages do not wait for it, and memory does not grow with what it sends.
            before = time.monotonic()
            assert self.post('fed', b'<item/>')[0] == 202 and time.monotonic() - before < 2
            assert self.bus.rss()[0] < 600 << 20
            bad.stop()
        self.password[0] = 'another'
        self.mail = MailServer(self.tls, 'clrbus', self.password, port)
        tried('ALERT-015')
        self.password[0] = 'mail-password-1'
        self.mail.mood = '451 not now'
        tried('ALERT-011')
        assert state()['pending'] >= 1 and not self.mail.mails and mails
        self.mail.mood = None
        self.bus.command('alerts', 'test', 'mail ops')
        wait_for('the mail', lambda: self.mailed("'other' has dead letters", 'BEGAN'), 60)
        assert len(self.mailed("'other' has dead letters", 'BEGAN')) == 1
        self.ended('undelivered mail ops')
        wait_for('the channel to be well', lambda: state()['state'] == 'ok' and state()['pending'] == 0)

    def a_certificate_of_somebody_else_is_not_trusted(self):
        self.mail.stop()
        shutil.copy(os.path.join(self.tls, 'ca.pem'), os.path.join(self.tls, 'ca.good'))
        wrong = certificates(os.path.join(self.folder, 'wrong'))
        self.mail = MailServer(wrong, 'clrbus', self.password, self.mail.port)
        tried = self.bus.command('alerts', 'test', 'mail ops', expect=1)
        assert tried['channels'][0]['code'] == 'ALERT-013' and not self.mail.mails and not self.mail.logins, tried
        self.mail.stop()
        certificate(self.tls, 'server', 'DNS:mail.example.edu', 300)
        self.mail = MailServer(self.tls, 'clrbus', self.password, self.mail.port)
        tried = self.bus.command('alerts', 'test', 'mail ops', expect=1)
        assert tried['channels'][0]['code'] == 'ALERT-013' and not self.mail.logins, tried
        self.mail.stop()
        certificate(self.tls, 'server', 'DNS:localhost', 300)
        self.mail = MailServer(self.tls, 'clrbus', self.password, self.mail.port)
        self.bus.command('alerts', 'test', 'mail ops')
        self.bus.command('alerts', 'test', 'nobody', expect=1)

    def a_new_date_ends_it_and_everything_ended_once(self):
        self.discard('other')
        self.feeding.clear()
        self.bus.kill()
        self.write(expires='2099-01-01')
        self.bus.start()
        self.bus.access['ca'] = os.path.join(self.tls, 'ca.pem')
        self.feeding.set()
        self.ended("expiry secret 'ending'")
        def still_open():
            return [one['key'] for one in self.bus.control('alerts')['open']]
        try:
            wait_for('no alert to be open', lambda: not still_open(), 30)
        except AssertionError as e:
            raise AssertionError('%s: %s' % (e, still_open()))
        events = self.hook.events()
        for key in {key for _, key in events}:
            sides = [side for side, one in events if one == key]
            assert sides == ['began', 'ended'] * (len(sides) // 2), (key, sides)
        token = next(t['token'] for t in self.bus.access['tokens'] if 'operate' in t['may'])
        # The mail may still be on its way: each channel has its own pace.
        for part in (b'clrbus_alerts_open{kind="disk"} 0', b'clrbus_alerts_sent_total{channel="mail ops"}'):
            wait_for('the counter %r' % part, lambda: part in self.bus.http('GET', '/metrics', token=token)[2], 60)

    def run(self):
        cases = Cases()
        try:
            self.start()
            for case in (self.a_test_arrives_every_way, self.a_certificate_and_a_secret_that_end_soon, self.dead_letters_of_two_routes_are_one_mail,
                         self.killed_between_they_are_not_said_again_and_their_end_is, self.a_message_that_waits, self.a_source_that_is_late,
                         self.a_disk_that_fills, self.a_far_side_that_is_away, self.a_route_that_stands_still, self.a_ledger_that_does_not_balance,
                         self.a_mail_server_that_is_away_or_mad_holds_up_nobody, self.a_certificate_of_somebody_else_is_not_trusted,
                         self.a_new_date_ends_it_and_everything_ended_once):
                cases.run(case.__name__.replace('_', ' '), case)
        finally:
            self.stopped.set()
            self.bus.clean()
            shutil.rmtree(self.folder, ignore_errors=True)
        return cases.end()


if __name__ == '__main__':
    raise SystemExit(Alerts().run())
