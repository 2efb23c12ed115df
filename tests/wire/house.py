# SPDX-License-Identifier: Apache-2.0
"""The house in which the wire tests live: a gateway with three routes, partners on both sides, an upstream that answers
as each test wants. After every refusal the house must still serve a good call."""
import report
import soap
import wire

import keys
import product

ROUTES = """
partner sender {{ }}
partner acme {{ }}
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout {response_timeout}; }}
    request {{ verify sender; }}
    response {{ verify acme; }}
}}
route replies {{
    listener front; path "/replies"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout {response_timeout}; }}
    response {{ verify acme; }}
}}
route raw {{
    listener front; path "/raw"; methods POST PUT GET HEAD;
    upstream "{url}" {{ connect-timeout 60s; response-timeout {response_timeout}; }}
}}
"""


class House:
    """Use as a context. answer: what the upstream gives to a request, octets or a function (see wire.Upstream)."""

    def __init__(self, extra="", response_timeout="120s", routes=ROUTES):
        self.place = product.new_directory()
        self.acme = keys.new_pair(self.place, "acme")
        self.sender = keys.new_pair(self.place, "sender")
        self.keystore = product.Keystore(self.place)
        self.keystore.add_verifier(self.acme)
        self.keystore.add_verifier(self.sender, partner="sender")
        extra += self.prepare() or ""
        self.answer = None
        self.upstream = wire.Upstream(self._answer)
        routes = routes.format(url=self.upstream.url, response_timeout=response_timeout)
        self.gateway = product.Gateway(self.place, self.keystore, routes, extra=extra)

    def prepare(self):
        """What else a house puts into its keystore before the gateway starts. @return more statements, or None"""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.upstream.stop()
        self.gateway.__exit__()
        if kind in (None, SystemExit):
            report.equal(self.gateway.wait(), 0, "exit status of the gateway")

    def _answer(self, request):
        if self.answer is None:
            return wire.reply_octets(soap.sign(self.acme))
        return self.answer(request) if callable(self.answer) else self.answer

    def client(self):
        """A connection of its own."""
        return wire.Client(self.gateway.address)

    def record(self, client, count=1):
        """Wait for the count-th access log record of a client's connection."""
        return self.gateway.record_of(client, count)

    def logged(self, client, reason, count=1):
        """The same, which must name the reason. @return the record"""
        record = self.record(client, count)
        report.equal(product.reason_of(record), reason, "reason in the access log")
        return record

    def good(self):
        """One call that must pass on a new connection, answered by a signed reply whatever `answer` is now."""
        answer, self.answer = self.answer, None
        try:
            before = len(self.upstream.requests)
            with self.client() as client:
                reply = client.post(soap.sign(self.sender, body=soap.ORDER))
            report.equal(reply.status, 200, "status of a good call")
            report.check(b"shipped" in reply.body, "the good reply did not come through")
            report.equal(len(self.upstream.requests), before + 1, "requests that the upstream saw of a good call")
        finally:
            self.answer = answer

    def refused_request(self, octets, status, reason, fault=None, closes=None):
        """Send octets on a new connection: this status and reason, nothing reaches the upstream, and a good call passes.
        closes: the connection must end (default: for 4xx). @return (reply, log record)"""
        seen = len(self.upstream.requests)
        with self.client() as client:
            client.send(octets)
            reply = client.reply()
            report.equal(reply.status, status, "status")
            if closes or (closes is None and 400 <= status < 500):
                report.equal(reply.field("connection"), "close", "Connection")
                report.check(client.closed(), "the connection was not closed")
        record = self.logged(client, reason)
        report.equal(record["status"], status, "status in the access log")
        self._fault(reply, record, fault)
        report.equal(len(self.upstream.requests), seen, "requests that the upstream saw")
        self.good()
        return reply, record

    def refused_reply(self, answer, status, reason, fault=None, path="/replies"):
        """Let the upstream answer so: the client gets this status and nothing of it, and a good call passes.
        @return (reply, log record)"""
        seen = len(self.upstream.requests)
        self.answer = answer
        with self.client() as client:
            reply = client.post(soap.envelope(), path)
        self.answer = None
        report.equal(reply.status, status, "status")
        report.check(b"shipped" not in reply.body and b"secret" not in reply.body, "content of a refused reply came through")
        record = self.logged(client, reason)
        report.equal(record["status"], status, "status in the access log")
        self._fault(reply, record, fault)
        report.check(len(self.upstream.requests) > seen, "the upstream saw no request")
        self.good()
        return reply, record

    @staticmethod
    def _fault(reply, record, fault):
        if fault is None:
            report.check(b"Fault" not in reply.body, "a SOAP fault where a plain status is due")
            return
        found = soap.fault_code(reply.body)
        report.check(found is not None, "no SOAP fault")
        report.equal(found[0], fault, "fault code")
        report.check(record.get("fault") and record["fault"].encode() in reply.body, "the fault's id is not the logged one")
