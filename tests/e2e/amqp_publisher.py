#!/usr/bin/python3
"""Publishes messages to in/ROUTE over AMQP and writes the id of each accepted one, a line each, as soon as it is accepted.

amqp_publisher.py URL USER PASSWORD LISTING OUT: LISTING has a line "ROUTE ID FILE" for each message. What is already in OUT is not
sent again; the connection is made anew until all are accepted. Uses Debian's python3-qpid-proton."""
import sys, time
from proton import Message, SSLDomain
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Publisher(MessagingHandler):
    def __init__(self, url, user, password, todo, out):
        super().__init__(auto_settle=True)
        self.url, self.user, self.password, self.out = url, user, password, out
        self.todo = todo  # route -> list of (id, file)
        self.senders, self.sent, self.left = {}, {}, sum(len(v) for v in todo.values())

    def on_start(self, event):
        self.connection = event.container.connect(self.url, user=self.user, password=self.password, reconnect=False, allow_insecure_mechs=True,
                                                  allowed_mechs='PLAIN', heartbeat=None)
        for route in self.todo:
            self.senders[event.container.create_sender(self.connection, 'in/' + route)] = list(self.todo[route])

    def on_sendable(self, event):
        waiting = self.senders.get(event.sender)
        while waiting and event.sender.credit:
            key, file = waiting.pop(0)
            with open(file, 'rb') as f:
                message = Message(id=key, durable=True, body=f.read(), inferred=True)
            self.sent[event.sender.send(message)] = key

    def on_accepted(self, event):
        key = self.sent.pop(event.delivery, None)
        if key is None:
            return
        self.out.write(key + '\n')
        self.out.flush()
        self.left -= 1
        if self.left == 0:
            self.connection.close()

    def on_released(self, event):
        self.connection.close()

    def on_rejected(self, event):
        print('rejected', self.sent.get(event.delivery), event.delivery.remote.condition, file=sys.stderr)
        self.connection.close()

    def on_transport_error(self, event):
        event.container.stop()

    def on_disconnected(self, event):
        event.container.stop()


def main():
    url, user, password, listing, out = sys.argv[1:6]
    lines = [line.split() for line in open(listing)]
    port_file = url[5:] if url.startswith('file:') else None
    tries = 0
    while True:
        try:
            done = set(open(out).read().split())
        except FileNotFoundError:
            done = set()
        todo = {}
        for route, key, file in lines:
            if key not in done:
                todo.setdefault(route, []).append((key, file))
        if not todo:
            return 0
        tries += 1
        if tries > 2000:
            return 1
        try:
            if port_file:
                import json
                url = 'amqp://127.0.0.1:%d' % json.load(open(port_file))['amqp']
            with open(out, 'a') as handle:
                Container(Publisher(url, user, password, todo, handle)).run()
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.05)  # the far side is away: between two tries, not a wait for a result


sys.exit(main())
