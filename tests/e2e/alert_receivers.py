"""Who is told by alerts: a real SMTP server (aiosmtpd) with STARTTLS and log-in, servers that misbehave, a webhook receiver that checks
signatures, and a program."""
import email, email.policy, hashlib, hmac, json, os, re, socket, ssl, subprocess, threading, time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from http_side import Answering, serve


def certificates(folder):
    """An authority and a certificate for localhost, by openssl: ca.pem, server.pem, server.key."""
    def run(*command):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.makedirs(folder, exist_ok=True)
    run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '400', '-subj', '/CN=Test CA')
    certificate(folder, 'server', 'DNS:localhost,IP:127.0.0.1', 300)
    return folder


def certificate(folder, name, names, days):
    with open(os.path.join(folder, name + '.ext'), 'w') as f:
        f.write('subjectAltName=%s\n' % names)
    subprocess.run(['openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', name + '.key', '-out', name + '.csr', '-subj', '/CN=' + name],
                   cwd=folder, check=True, stderr=subprocess.DEVNULL)
    subprocess.run(['openssl', 'x509', '-req', '-in', name + '.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', name + '.pem',
                    '-days', str(days), '-extfile', name + '.ext'], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    os.chmod(os.path.join(folder, name + '.key'), 0o600)


class MailServer:
    """Takes mail from the user with the password, after STARTTLS alone. mood: a reply that refuses, or none."""

    def __init__(self, folder, user, password, port=0):
        self.mails, self.mood, self.secure, self.logins, self.repeats = [], None, [], [], 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, 'server.pem'), os.path.join(folder, 'server.key'))
        server = self

        def authenticate(_server, session, _envelope, mechanism, data):
            good = (data.login, data.password) == (user.encode(), password[0].encode())
            server.logins.append((mechanism, good))
            return AuthResult(success=good, handled=good)  # not handled: the server says 535

        class Handler:
            async def handle_DATA(self, _server, session, envelope):
                if server.mood:
                    return server.mood
                server.secure.append(session.ssl is not None and session.authenticated)
                mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
                # As mail systems do: the same Message-ID again is the same mail again.
                if mail['Message-ID'] in [m['Message-ID'] for m in server.mails]:
                    server.repeats += 1
                else:
                    server.mails.append(mail)
                return '250 taken'

        if not port:
            with socket.socket() as free:
                free.bind(('127.0.0.1', 0))
                port = free.getsockname()[1]
        self.port = port
        self.controller = Controller(Handler(), hostname='127.0.0.1', port=port, tls_context=context, require_starttls=True, auth_required=True,
                                     authenticator=authenticate)
        self.controller.start()

    def stop(self):
        self.controller.stop()

    def text(self, mail):
        return mail.get_content().replace('\r\n', '\n')


class BadServer:
    """A port that answers as told: 'slow' drips, 'nonsense' sends garbage without end, 'silent' says nothing."""

    def __init__(self, port, how):
        self.socket = socket.create_server(('127.0.0.1', port))
        self.how, self.connections, self.ended = how, 0, threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        try:
            while not self.ended.is_set():
                if self.how == 'nonsense':
                    peer.sendall(b'220-' + b'x' * 65000)
                elif self.how == 'slow':
                    peer.sendall(b'2')
                    time.sleep(0.05)
                elif not peer.recv(100):
                    return
        except OSError:
            pass

    def stop(self):
        self.ended.set()
        # A listener that another thread waits at is closed by shutdown alone.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Webhook:
    def __init__(self, key):
        self.notices, self.refused, self.status, self.ids, self.repeats, self.lock = [], [], 200, [], 0, threading.Lock()
        hook = self

        class Handler(Answering):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                stamp, signature = re.fullmatch(r't=(\d+),v1=([0-9a-f]{64})', self.headers['Clrbus-Signature']).groups()
                wanted = hmac.new(key.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()
                with hook.lock:
                    status = hook.status if hmac.compare_digest(wanted, signature) and abs(time.time() - int(stamp)) < 60 else 403
                    if self.headers['Idempotency-Key'] in hook.ids:
                        hook.repeats += 1
                    elif status == 200:
                        hook.notices.append(json.loads(body))
                        hook.ids.append(self.headers['Idempotency-Key'])
                    else:
                        hook.refused.append(status)
                self.answer(status)

        self.server = serve(Handler)
        self.port = self.server.server_address[1]

    def events(self):
        with self.lock:
            return [(side, one['key']) for n in self.notices for side in ('began', 'ended') for one in n[side]]


class FarSide:
    """Answers every POST with `status`."""

    def __init__(self):
        self.status = 202
        far = self

        class Handler(Answering):
            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                self.answer(far.status)

        self.server = serve(Handler)
        self.port = self.server.server_address[1]
