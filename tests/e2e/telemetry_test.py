#!/usr/bin/env python3
"""A trace through the bus: from the sender's traceparent to spans at a collector (OTLP/HTTP, JSON) and on to the far side; and a collector that
is away, which nobody waits for. Where opentelemetry-proto is installed the requests are read by it too."""
import base64, http.server, json, os, re, shutil, tempfile, threading

from bus import Bus, Cases, configuration, wait_for, write_text

ROUTES = '''<?xml version="1.0" encoding="UTF-8"?>
<routes xmlns="urn:clrbus:routes:1" xmlns:http="urn:clrbus:adapter:http-call:1" xmlns:listen="urn:clrbus:adapter:http-listen:1">
  <route id="first" system="test" steward="Test" retain="P1D"><from><listen:post/></from><parse format="xml"/>
    <to><route id="second"/></to></route>
  <route id="second" system="test" steward="Test" retain="P1D"><from><listen:post/></from><to><http:post url="http://127.0.0.1:%d/far" timeout="PT5S"/></to></route>
</routes>'''
TRACE, PARENT = '0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'


class Receiver:
    """Takes POSTs and keeps them; status 0 hangs up."""

    def __init__(self, status=200):
        self.status, self.got, self.lock = status, [], threading.Lock()
        me = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                with me.lock:
                    me.got.append((dict(self.headers), body))
                self.send_response(me.status)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', '2')
                self.end_headers()
                self.wfile.write(b'{}')

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def spans_of(collector):
    """Every span, after the form of each request was checked against the protocol's JSON."""
    out = []
    for fields, body in list(collector.got):
        assert fields['Content-Type'] == 'application/json' and fields['Authorization'] == 'Bearer collector-secret-1', fields
        request = json.loads(body)
        assert set(request) == {'resourceSpans'}
        for resource in request['resourceSpans']:
            facts = {a['key']: a['value']['stringValue'] for a in resource['resource']['attributes']}
            assert facts['service.name'] == 'clrbus' and facts['service.instance.id'] and facts['service.version'], facts
            for scope in resource['scopeSpans']:
                for span in scope['spans']:
                    assert re.fullmatch('[0-9a-f]{32}', span['traceId']) and re.fullmatch('[0-9a-f]{16}', span['spanId']), span
                    assert re.fullmatch('[0-9a-f]{16}', span.get('parentSpanId', '0' * 16)) and span['kind'] in range(1, 6), span
                    assert re.fullmatch(r'\d+', span['startTimeUnixNano']) and int(span['startTimeUnixNano']) <= int(span['endTimeUnixNano']), span
                    assert span['status']['code'] in (1, 2), span
                    span['facts'] = {a['key']: a['value']['stringValue'] for a in span['attributes']}
                    out.append(span)
        read_by_protobuf(json.loads(body))
    return out


def read_by_protobuf(request):
    try:
        from google.protobuf import json_format
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        return
    # OTLP says hex where protobuf's own JSON says base64.
    for resource in request['resourceSpans']:
        for scope in resource['scopeSpans']:
            for span in scope['spans']:
                for name in ('traceId', 'spanId', 'parentSpanId'):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    json_format.ParseDict(request, ExportTraceServiceRequest())


class Telemetry:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='clrbus-telemetry-')
        self.collector, self.far = Receiver(), Receiver(202)
        self.config = configuration(self.folder, ['people'], more={'tests': ROUTES % self.far.port})
        with open(os.path.join(self.folder, 'collector'), 'w') as f:
            f.write('collector-secret-1\n')
        os.chmod(f.name, 0o600)
        self.plain = open(self.config).read().replace('<records ', '<secret name="collector" file="collector"/>\n  <records ', 1)
        self.configure('')
        self.bus = Bus(config=self.config, state=os.path.join(self.folder, 'state'))
        os.makedirs(self.bus.state, exist_ok=True)

    def configure(self, more):
        write_text(self.config, self.plain.replace('</clrbus>', '<telemetry url="http://127.0.0.1:%d/v1/traces" token-secret="collector" every="PT1S"%s/></clrbus>' % (self.collector.port, more)))

    def post(self, n, body=b'<item/>', **fields):
        status, _, _ = self.bus.http('POST', '/in/first', body, self.bus.token('publish-first'), dict({'Content-Type': 'application/xml', 'Idempotency-Key': 'k%d' % n}, **fields))
        assert status == 202, status

    def metric(self, name):
        token = next(t['token'] for t in self.bus.access['tokens'] if 'operate' in t['may'])
        text = self.bus.http('GET', '/metrics', token=token)[2].decode()
        found = re.search('^%s (\\d+)$' % name, text, re.M)
        return int(found.group(1)) if found else 0

    # ── cases ──
    def a_trace_goes_through_the_bus(self):
        self.post(1, traceparent='00-%s-%s-01' % (TRACE, PARENT))
        spans = wait_for('the spans', lambda: {s['name']: s for s in spans_of(self.collector) if s['traceId'] == TRACE} if len(self.collector.got) and
                         any(s['name'] == 'out/second/post' for s in spans_of(self.collector)) else None)
        assert set(spans) == {'first', 'first wait', 'second', 'second wait', 'out/second/post'}, set(spans)
        assert spans['first']['parentSpanId'] == spans['first wait']['parentSpanId'] == PARENT
        assert spans['second']['parentSpanId'] == spans['first']['spanId']
        assert spans['out/second/post']['parentSpanId'] == spans['second']['spanId']
        assert len({s['spanId'] for s in spans.values()}) == 5
        assert spans['first']['facts']['clrbus.outcome'] == 'delivered' and spans['first']['facts']['clrbus.outputs'] == '1', spans['first']
        assert self.far.got[0][0]['traceparent'] == '00-%s-%s-01' % (TRACE, spans['second']['spanId'])

    def one_that_is_not_sampled_is_not_exported(self):
        other = 'f' * 32
        self.post(2, traceparent='00-%s-%s-00' % (other, PARENT))
        wait_for('it to arrive', lambda: len(self.far.got) == 2)
        assert self.far.got[1][0]['traceparent'].startswith('00-%s-' % other) and self.far.got[1][0]['traceparent'].endswith('-00')
        self.post(3)  # without one: a trace begins
        wait_for('it to arrive', lambda: len(self.far.got) == 3)
        began = self.far.got[2][0]['traceparent'].split('-')[1]
        spans = wait_for('its spans', lambda: [s for s in spans_of(self.collector) if s['traceId'] == began and s['name'] == 'first'])
        assert 'parentSpanId' not in spans[0] and not [s for s in spans_of(self.collector) if s['traceId'] == other]

    def a_dead_letter_is_an_error_without_its_values(self):
        self.post(4, b'<item>private-7f3a')
        spans = wait_for('the span', lambda: [s for s in spans_of(self.collector) if s['status']['code'] == 2])
        assert spans[0]['facts']['error.type'].startswith('XML-'), spans[0]
        assert not [body for _, body in self.collector.got if b'private-7f3a' in body]

    def nobody_waits_for_a_collector_that_is_away(self):
        self.bus.stop()
        self.configure(' ring="20"')
        self.collector.status = 503
        self.bus.start()
        before = len(self.far.got)
        for n in range(100, 140):
            self.post(n)
        wait_for('all of them to arrive', lambda: len(self.far.got) == before + 40)
        assert self.metric('clrbus_spans_dropped_total') >= 100 and self.metric('clrbus_spans_exported_total') == 0
        self.collector.status = 200
        wait_for('it to be told what the ring kept', lambda: self.metric('clrbus_spans_exported_total') >= 20, 90)

    def run(self):
        cases = Cases()
        try:
            self.bus.start()
            assert 'first' in [r['route'] for r in self.bus.control('status')['routes']], self.bus.control('status')['problems']
            for case in (self.a_trace_goes_through_the_bus, self.one_that_is_not_sampled_is_not_exported, self.a_dead_letter_is_an_error_without_its_values,
                         self.nobody_waits_for_a_collector_that_is_away):
                cases.run(case.__name__.replace('_', ' '), case)
        finally:
            self.bus.clean()
            shutil.rmtree(self.folder, ignore_errors=True)
        return cases.end()


if __name__ == '__main__':
    raise SystemExit(Telemetry().run())
