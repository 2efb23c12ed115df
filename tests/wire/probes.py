#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 180
"""Probes with the new client certificate, before it is activated (guard G11): receivers that accept both, one, or none;
that ask for no certificate; under TLS 1.2 and 1.3; by a person and by the keeper."""
import os
import re
import ssl
import sys

import keys
import report
import tls
import wire
from report import check, equal, until

PROBE = "probe { method GET; query \"wsdl\"; expect 200; }"
ROUTES = """
route plain {{ listener front; path "/plain"; {route}
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; anchors receivers; client-certificate ack-client; }} }}
"""
FRONT = "listener front { address 127.0.0.1:0; }"


class House(tls.House):
    """A gateway with ack-client#1 (active) and #2 in front of a receiver that lets in whom accepts() said."""

    def __init__(self, route=PROBE, version=None, prepare=None):
        self.version = version
        super().__init__(route=route, routes=ROUTES, listeners=FRONT, prepare=prepare or House.two, upstream_tls=House.first_context)

    def two(self):
        self.old, self.new = (keys.new_pair(self.place, name, kind="ec:P-256") for name in ("old", "new"))
        self.add("tls-client", "ack-client", self.old)
        self.keystore.run("add", "--role", "tls-client", "--alias", "ack-client", self.new.certificate_file, "--private-key",
                          self.new.key_file)

    def first_context(self):
        self.receiver = self.issue("receiver", self.receivers, hosts=("127.0.0.1",))
        return self.context(self.old if hasattr(self, "old") else self.senders)

    def context(self, *pairs, demand=True):
        context = tls.server_context(self.receiver, pairs[0] if demand else None, self.version)
        for pair in pairs[1:]:
            context.load_verify_locations(pair.certificate_file)
        return context

    def accepts(self, *pairs, **more):
        self.upstream.tls = self.context(*pairs, **more)

    def activate(self, *more):
        return self.keystore.run("activate", "ack-client#2", *more, check=False)

    def states(self):
        return {r["entry"]: r["state"] for r in self.keystore.entries().values() if r["alias"] == "ack-client"}


def test_one_that_accepts_both_lets_the_new_one_be_activated():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with House(version=version) as house:
            house.accepts(house.old, house.new)
            done = house.activate()
            equal(done.returncode, 0, done.stderr)
            check("G11 probe with ack-client#2" in done.stderr and "accepted (200)" in done.stderr, done.stderr)
            equal(house.states(), {"ack-client#1": "deactivated", "ack-client#2": "active"}, "states")
            request = house.upstream.requests[-1]
            equal((request.start.split()[0:2], request.certificate), (["GET", "/soap?wsdl"], house.new.der), "the probe")


def test_one_that_accepts_the_old_one_alone_keeps_it():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with House(version=version) as house:
            done = house.activate()
            equal(done.returncode, 10, done.stderr)
            check("refused G11 probe" in done.stderr and "refused" in done.stderr, done.stderr)
            equal(house.states(), {"ack-client#1": "active", "ack-client#2": "pre-active"}, "states")
            house.accepts(house.old, house.new)
            until(lambda: house.activate().returncode == 0, what="activation, once it is accepted")


def test_a_refusal_is_heard_though_the_receiver_hangs_up_with_it():
    with House(version=ssl.TLSVersion.TLSv1_3) as house:
        for _ in range(12):  # whether the request or the end of the connection comes first is chance
            done = house.activate()
            check(re.search(r"ack-client#2: \S+ refused", done.stderr), done.stderr)
        check("why=\"the server ended it: TLS alert unknown CA\"" in house.gateway.stderr(), house.gateway.stderr()[-300:])


def test_what_is_no_evidence_does_not_pass():
    with House() as house:
        house.accepts(house.new, demand=False)
        done = house.activate()
        equal((done.returncode, "no evidence" in done.stderr), (10, True), done.stderr)
        house.accepts(house.new)
        house.upstream.answer = wire.reply_octets(b"<no/>", status="404 Not Found")
        until(lambda: "no evidence (404)" in house.activate().stderr, what="another status")
        house.upstream.answer = wire.reply_octets(b"<no/>", status="403 Forbidden")
        until(lambda: "refused (403)" in house.activate().stderr, what="a refusal above TLS")
        house.upstream.stop()
        until(lambda: "no evidence" in house.activate().stderr, what="nobody there")
        equal(house.states()["ack-client#2"], "pre-active", "state")


def test_without_the_block_nobody_is_called():
    with House(route="") as house:
        equal(house.activate().returncode, 0, "activation")
        equal(house.upstream.requests, [], "requests")


def test_a_stranger_in_the_place_of_the_receiver_is_no_evidence():
    with House() as house:
        house.receiver = house.issue("stranger", house.senders, hosts=("127.0.0.1",))
        house.accepts(house.old, house.new)
        done = house.activate()
        equal((done.returncode, "no evidence" in done.stderr), (10, True), done.stderr)
        equal(house.upstream.requests, [], "requests")


def test_on_the_last_day_a_refused_probe_warns_only():
    def own(house, days="1"):
        house.keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", days)
        path = os.path.join(house.place, "own-ca.pem")
        house.keystore.run("export", "own-ca#1", "-o", path)
        house.old = keys.Pair(None, None, None, path)
    for days, states in (("1", {"ack-client#1": "deactivated", "ack-client#2": "active"}),
                         ("2", {"ack-client#1": "active", "ack-client#2": "pre-active"})):
        with House(prepare=lambda house, days=days: own(house, days)) as house:
            house.accepts(keys.issue(house.place, "other", authority=True))
            house.keystore.run("auto", "ack-client", "on")
            until(lambda: "activate" in house.gateway.stderr() and " probe: " in house.gateway.stderr(), what="a probe, and what follows")
            until(lambda: house.states() == states, what=f"states with {days} days left")
            rows = house.keystore.run("audit", "list", "--json").stdout
            equal("the one before ends within a day" in rows, days == "1", "the reason in the audit")
            refused = house.keystore.run("activate", "ack-client#2", check=False)
            equal(refused.returncode, 10 if days == "2" else 0, "a person is refused ever")
    with House(prepare=own) as house:
        house.accepts(keys.issue(house.place, "other", authority=True))
        house.keystore.run("auto", "ack-client", "on", "--pinning", "fingerprint")
        until(lambda: house.states().get("ack-client#2") == "pre-active", what="a successor")
        house.keystore.run("tick", check=False)
        equal(house.states(), {"ack-client#1": "active", "ack-client#2": "pre-active"}, "known by its fingerprint it waits for a hand")


def test_the_keeper_probes_what_it_made_before_it_activates_it():
    def own(house):
        house.keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "10")
        path = os.path.join(house.place, "own-ca.pem")
        house.keystore.run("export", "own-ca#1", "-o", path)
        house.old = keys.Pair(None, None, None, path)
    with House(prepare=own) as house:
        other = keys.issue(house.place, "other", authority=True)
        house.accepts(other)
        house.keystore.run("auto", "ack-client", "on")
        until(lambda: house.states().get("ack-client#2") == "pre-active", what="a successor")
        until(lambda: " probe: " in house.gateway.stderr(), what="a probe")
        equal(house.states(), {"ack-client#1": "active", "ack-client#2": "pre-active"}, "refused")
        house.accepts(other, house.old)
        until(lambda: house.activate().returncode == 0, what="activation")
    with House(prepare=own) as house:
        house.accepts(house.old)
        house.keystore.run("auto", "ack-client", "on")
        until(lambda: house.states() == {"ack-client#1": "deactivated", "ack-client#2": "active"}, what="the exchange")
        check(any(r.start.startswith("GET /soap?wsdl") for r in house.upstream.requests), "a probe came first")


if __name__ == "__main__":
    sys.exit(report.run("probes", report.tests_of(sys.modules[__name__])))
