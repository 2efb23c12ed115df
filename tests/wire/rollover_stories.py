#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""Roll-overs from end to end with a running gateway, traffic that flows and peers that change over: nothing is lost, and
each step closes on what was seen."""
import hashlib
import itertools
import sys
import time

import keys
import load
import product
import report
import soap
import tls
import wire
from report import check, equal
from story import Story, instant, nothing_lost

OWN = """
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{url}" {{ client-certificate ack-client; anchors receivers; response-timeout 60s; }}
    hold {{ queue 1000; wait 60s; }}
}}
"""
SIGNED = """
partner acme {{ }}
route orders {{
    listener front; path "/orders"; methods POST; upstream "{url}";
    response {{ verify acme; remove-security-header yes; }}
}}
"""


class Presented(Story):
    """A receiver under TLS that takes the client certificates that it is told to."""

    def __init__(self):
        place = product.new_directory()
        keystore = product.Keystore(place)
        receivers = keys.issue(place, "receivers", authority=True, subject="CN=Receivers CA")
        server = keys.issue(place, "server", receivers, hosts=["127.0.0.1"])
        keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", receivers.certificate_file, "--activate")
        keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256")
        root = f"{place}/own-ca.pem"
        keystore.run("export", "own-ca#1", "-o", root)
        context = tls.server_context(server)
        context.verify_mode = tls.ssl.CERT_REQUIRED
        context.load_verify_locations(root)
        self.upstream = wire.Upstream(self.answer, tls=context)
        self.taken = {1}
        gateway = product.Gateway(place, keystore, OWN.format(url=self.upstream.url))
        super().__init__(gateway, keystore)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        self.upstream.stop()

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

    def load(self):
        return load.Load(self.gateway.address, connections=6, per_second=60, good=lambda reply: reply.status == 200)


def test_a_receiver_that_accepts_both_sees_the_new_one_without_a_restart():
    with Presented() as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "tls-client.dual", "--alias", "ack-client")
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "2", "--note", "given by hand")
        story.taken = {1, 2}
        story.roll("confirm", "R-1", "3", "--note", "Jo Doe by phone")
        story.until("4")  # 3 closes 4
        story.roll("next", "R-1")
        story.until("7")
        running.wait_for(20)
        equal(story.number(story.upstream.requests[-1]), 2, "the certificate presented last")
        story.roll("confirm", "R-1", "8", "--note", "told by phone")
        story.taken = {2}
        running.wait_for(20)
        story.roll("confirm", "R-1", "9", "--note", "Jo Doe by phone")
        story.over()
        nothing_lost(running)


def test_a_receiver_that_accepts_one_is_changed_over_in_a_window():
    with Presented() as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "tls-client.window", "--alias", "ack-client", "--window", instant(8), instant(120))
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "2")
        story.until("6")
        count = len(story.upstream.requests)
        old = [story.number(r) for r in story.upstream.requests]
        equal(set(old), {1}, "certificates before the window")
        time.sleep(0.5)
        equal(len(story.upstream.requests), count, "requests that got out of the hold")
        story.taken = {2}
        story.roll("confirm", "R-1", "7", "--note", "given by hand")
        story.roll("confirm", "R-1", "8", "--note", "Jo Doe by phone")
        story.until("11")
        running.wait_for(20)
        nothing_lost(running)
        equal({story.number(r) for r in story.upstream.requests[count:]}, {2}, "certificates behind the window")
        story.roll("confirm", "R-1", "10", exits=12)
        story.over()


def test_an_overrun_window_rolls_back_and_lets_what_waited_go():
    with Presented() as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "tls-client.window", "--alias", "ack-client", "--window", instant(6), instant(14))
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "2")
        story.until("6")
        equal(story.keystore.entries()["ack-client#2"]["state"], "active", "the new one in the window")
        story.over("aborted")
        running.wait_for(20)
        nothing_lost(running)
        equal({story.number(r) for r in story.upstream.requests}, {1}, "certificates that the receiver saw")
        equal(story.keystore.entries()["ack-client#1"]["state"], "active", "the old one")


def test_a_verifier_is_exchanged_on_the_first_use_of_the_new_one():
    place = product.new_directory()
    keystore = product.Keystore(place)
    old, new = keys.new_pair(place, "old"), keys.new_pair(place, "new")
    keystore.add_verifier(old)
    signer = [old]
    count = itertools.count()  # no two messages are the same: the second one would be a replay
    with wire.Upstream(lambda _: wire.reply_octets(soap.sign(signer[0], f'<n xmlns="urn:n">{next(count)}</n>'))) as upstream, \
            product.Gateway(place, keystore, SIGNED.format(url=upstream.url)) as gateway, \
            load.Load(gateway.address, connections=2, per_second=20, good=lambda reply: reply.status == 200) as running:
        story = Story(gateway, keystore)
        running.wait_for(10)
        story.roll("start", "verifier", "--alias", "acme-sign")
        story.roll("confirm", "R-1", "1", "--note", "Jo Doe by phone")
        keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", new.certificate_file)
        story.until("2")
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "4", "--note", "told by phone")
        story.until("5", "ready")  # nobody signs with it yet
        signer[0] = new
        story.until("5")
        story.roll("confirm", "R-1", "6", "--note", "Jo Doe by phone")
        story.roll("next", "R-1")
        story.until("8a")
        story.until("8b", "ready")  # the window of the old one runs
        running.wait_for(10)
        nothing_lost(running)
        equal(keystore.entries()["acme-sign#1"]["state"], "deactivated", "the old one")
        refused = product.countersign("-c", gateway.conf_file, "rollover", "next", "R-1", check=False)
        equal(refused.returncode, 10, "removal in the window")
        check("refused G8 retention" in refused.stderr, refused.stderr)


if __name__ == "__main__":
    report.run("rollover-stories", report.tests_of(sys.modules[__name__]))
