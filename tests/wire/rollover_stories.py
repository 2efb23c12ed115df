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
from story import LONG_S, Story, instant, nothing_lost

OWN = """
route orders {{
    listener front; path "/orders"; methods POST; {probe}
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

    def __init__(self, probe="", days=365):
        place = product.new_directory()
        keystore = product.Keystore(place)
        receivers = keys.issue(place, "receivers", authority=True, subject="CN=Receivers CA")
        server = keys.issue(place, "server", receivers, hosts=["127.0.0.1"])
        keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", receivers.certificate_file, "--activate")
        keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256",
                     "--days", str(days))
        root = f"{place}/own-ca.pem"
        keystore.run("export", "own-ca#1", "-o", root)
        context = tls.server_context(server)
        context.verify_mode = tls.ssl.CERT_REQUIRED
        context.load_verify_locations(root)
        self.upstream = wire.Upstream(self.answer, tls=context)
        self.taken = {1}
        gateway = product.Gateway(place, keystore, OWN.format(url=self.upstream.url, probe=probe))
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

    def load(self):
        return load.Load(self.gateway.address, connections=6, per_second=60, good=lambda reply: reply.status == 200)


def test_a_receiver_that_accepts_both_sees_the_new_one_without_a_restart():
    with Presented() as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "tls-client.dual", "--alias", "ack-client")
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "2", "--note", "given by hand")
        story.asked(2)
        equal(story.states()["3"], "ready", "the receiver does not take the new one yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("4")  # 3 closes 4
        check(story.shown["3"].startswith("probe-both"), story.shown["3"])
        story.roll("next", "R-1")
        story.until("7")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        story.roll("confirm", "R-1", "8", "--note", "told by phone")
        story.taken = {2}
        running.wait_for(20)
        story.roll("confirm", "R-1", "9", "--note", "Jo Doe by phone")
        story.over()
        nothing_lost(running)


def change_over(ends_s, late, *more):
    """A downtime of a receiver that takes one certificate at a time; late: it is ready behind its end."""
    with Presented() as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "tls-client.window", "--alias", "ack-client", "--window", instant(6), instant(ends_s), *more)
        story.roll("next", "R-1")
        story.roll("confirm", "R-1", "2")
        story.until("6")
        count = len(story.sent())
        equal(set(story.sent()), {1}, "certificates before the window")
        time.sleep(0.5)
        equal(len(story.sent()), count, "requests that got out of the hold")
        story.roll("confirm", "R-1", "7", "--note", "given by hand")
        story.asked(2)
        if late:
            report.until(lambda: "stay on hold" in story.gateway.stderr(), LONG_S, "the end of the window")
            equal(story.states()["8"], "ready", "the receiver is late")
        story.taken = {2}
        story.until("11")  # nobody lends a hand: probes find it out
        check(story.shown["8"].startswith("probe-new"), story.shown["8"])
        running.wait_for(20)
        nothing_lost(running)
        equal(set(story.sent()[count:]), {2}, "certificates behind the window")
        story.held_and_delivered(6)
        story.roll("confirm", "R-1", "10", exits=12)
        story.over()


def test_a_receiver_that_accepts_one_is_changed_over_in_a_window():
    change_over(120, False)


def test_routes_that_stay_on_hold_are_let_go_when_the_receiver_is_late():
    change_over(14, True, "--stay-held")


def test_an_overrun_window_rolls_back_and_what_was_held_is_delivered():
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
        equal(set(story.sent()), {1}, "certificates that the receiver saw with requests of the traffic")
        equal(story.keystore.entries()["ack-client#1"]["state"], "active", "the old one")
        story.held_and_delivered(6)


def test_a_second_certificate_is_activated_when_a_probe_finds_it_accepted():
    with Presented('probe { method GET; query "wsdl"; expect 200; }') as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "outbound.manual", "--alias", "ack-client")
        story.roll("confirm", "R-1", "1")
        story.roll("next", "R-1")
        story.asked(2)
        equal(story.states()["3"], "ready", "the receiver does not take it yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("3")
        check("probe-new" in story.shown["3"], story.shown["3"])
        story.roll("next", "R-1")
        story.until("4")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        story.taken = {2}
        story.roll("next", "R-1")
        story.over()
        check("ack-client#1" not in story.keystore.entries(), "the old one is deleted")
        running.wait_for(20)
        nothing_lost(running)


def test_a_certificate_that_renews_itself_is_followed_step_by_step():
    with Presented(days=10) as story, story.load() as running:
        running.wait_for(20)
        story.roll("start", "outbound.auto", "--alias", "ack-client")
        equal(story.states()["1"], "ready", "nothing is regenerated without being told to")
        story.taken = {1, 2}  # it knows name and authority
        story.keystore.run("auto", "ack-client", "on")
        story.over()
        equal(story.states()["2"], "skipped", "no step of the other side")
        states = {name: r["state"] for name, r in story.keystore.entries().items() if r["role"] == "tls-client"}
        equal(states, {"ack-client#1": "deactivated", "ack-client#2": "active"}, "states")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        nothing_lost(running)


def test_one_known_by_its_fingerprint_waits_for_the_other_side():
    with Presented(days=10) as story, story.load() as running:
        running.wait_for(20)
        story.keystore.run("auto", "ack-client", "on", "--pinning", "fingerprint")
        story.roll("start", "outbound.auto", "--alias", "ack-client")
        story.until("1")
        story.asked(2)
        equal((story.states()["2"], story.keystore.entries()["ack-client#2"]["state"]), ("ready", "pre-active"), "not uploaded yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("2")
        check(story.shown["2"].startswith("probe-new"), story.shown["2"])
        story.roll("next", "R-1")
        story.over()
        story.taken = {2}
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        nothing_lost(running)


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
