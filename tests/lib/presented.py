# SPDX-License-Identifier: Apache-2.0
"""A receiver under TLS behind a gateway with an own client certificate, and what it saw of that."""
import hashlib

import keys
import product
import report
import tls
import wire
from report import check
from story import LONG_S, Story

OWN = """
route orders {{
    listener front; path "/orders"; methods POST; {probe}
    upstream "{url}" {{ client-certificate ack-client; anchors receivers; response-timeout 120s; }}
    hold {{ queue 1000; wait 300s; }}
}}
"""


class Presented(Story):
    """A receiver under TLS that takes the client certificates that it is told to, of the authorities that it trusts."""

    def __init__(self, probe="", days=365):
        self.place = place = product.new_directory()
        keystore = product.Keystore(place)
        receivers = keys.issue(place, "receivers", authority=True, subject="CN=Receivers CA")
        self.server = keys.issue(place, "server", receivers, hosts=["127.0.0.1"])
        keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", receivers.certificate_file, "--activate")
        keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256",
                     "--days", str(days))
        self.root = f"{place}/own-ca.pem"
        keystore.run("export", "own-ca#1", "-o", self.root)
        upstream = wire.Upstream(self.answer, tls=self.trusting(self.root))
        self.taken = {1}
        gateway = product.Gateway(place, keystore, OWN.format(url=upstream.url, probe=probe))
        super().__init__(gateway, keystore, upstream)

    def trusting(self, *roots):
        """What the receiver is set up with when it trusts these files."""
        context = tls.server_context(self.server)
        context.verify_mode = tls.ssl.CERT_REQUIRED
        for root in roots:
            context.load_verify_locations(root)
        return context

    def answer(self, request):
        number = self.number(request)
        return wire.reply_octets("<ok/>") if number in self.taken else wire.reply_octets("<no/>", "403 Forbidden")

    def number(self, request):
        """Which entry was presented."""
        shown = hashlib.sha256(request.certificate).hexdigest()
        if shown not in self.numbers():
            self.known = None
        return self.numbers().get(shown)

    known = None

    def numbers(self):
        if self.known is None:
            self.known = {r["sha256"]: int(name.split("#")[1]) for name, r in self.keystore.entries().items()
                          if name.startswith("ack-client#")}
        return self.known

    def sent(self):
        """Which entries were presented with requests of the traffic, in order: a probe is none."""
        return [self.number(r) for r in self.upstream.requests if r.start.startswith("POST")]

    def asked(self, number):
        """Wait for a probe with that entry, which nobody asked for by hand."""
        report.until(lambda: any(r.start.startswith("GET") and self.number(r) == number for r in self.upstream.requests),
                     LONG_S, f"a probe with #{number}")

    def held_and_delivered(self, count):
        """So many requests waited on hold, and then each got the answer of the receiver."""
        held = [r for r in self.gateway.log() if r["us"]["hold"] > 0]
        check(len(held) >= count and {r["status"] for r in held} == {200}, f"{len(held)}: {[r['status'] for r in held]}")
        print(f"# {len(held)} requests waited on hold for up to {max(r['us']['hold'] for r in held) / 1e6:.1f} s, all delivered", flush=True)
