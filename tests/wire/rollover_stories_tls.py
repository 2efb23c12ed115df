#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""Roll-overs from end to end in front of the gateway: certificates of senders and of the listener, with a gateway that
is running, senders that change over while they send, and nothing lost."""
import contextlib
import json
import ssl
import sys

import keys
import load
import report
import story
import tls
from report import check, equal

DAY_OVER_S = 25 * 3600
MUTUAL = "client-anchors senders; client-certificate require;"
ROUTES = tls.ROUTE + """
route named {{ listener front; path "/named"; methods POST; upstream "{url}"; authorize {{ }} user-header "X-Countersign-User"; }}
"""
USERS = 'authorize { certificate-user "orders-sender"; } user-header "X-Countersign-User";'


class Sender(story.Story):
    """A sender whose certificate stands for a user on route plain and is let in by its names on route named. It makes a
    connection for each request, with the certificate that it has by then."""

    def __init__(self, subject, new_subject=None, new_issuer=None):
        self.home = home = tls.House(tls=MUTUAL, route=USERS, routes=ROUTES, prepare=lambda home: self.prepare(home, subject))
        self.issuer = keys.issue(home.place, "next-ca", authority=True, subject=new_issuer) if new_issuer else home.senders
        self.new = home.issue("new", self.issuer, subject=new_subject or subject)
        self.sends_with = self.old
        super().__init__(home.gateway, home.keystore)

    def prepare(self, home, subject):
        self.old = home.issue("old", subject=subject)
        home.keystore.run("add", "--role", "authz-client", "--alias", "sender", self.old.certificate_file, "--activate")
        home.keystore.run("mapping", "add", "--certificate", "sender#1", "--user", "orders-sender")
        home.keystore.run("mapping", "add", "--route", "named", "--subject", subject, "--issuer", "CN=Senders CA,O=ACME")

    def __exit__(self, *what):
        self.home.__exit__(*what)

    def load_of(self, path):
        return load.Reconnecting(None, 2, 12, good=lambda reply: reply.status == 200, connect=lambda: self.home.client(self.sends_with),
                                 octets=tls.post(path, fields=["Connection: close"]))

    def open_mappings(self):
        rows = [json.loads(line) for line in self.keystore.run("mapping", "list", "--json").stdout.splitlines()]
        return sorted(row.get("entry") or row["subject"] for row in rows)

    def status_of(self, pair, path):
        with self.home.client(pair) as client:
            return self.home.post(client, path).status

    @contextlib.contextmanager
    def flowing(self):
        """Traffic on both routes, of which nothing may be lost."""
        with self.load_of("/plain") as users, self.load_of("/named") as names:
            yield users, names
            for running in (users, names):
                running.wait_for(10)
                story.nothing_lost(running)

    @contextlib.contextmanager
    def a_day_later(self):
        with self.later(DAY_OVER_S, ROUTES.format(**self.home.text), listeners=tls.LISTENER):
            self.home.gateway = self.gateway
            yield


def test_a_sender_of_another_name_and_authority_is_let_in_beside_the_old_one():
    with Sender("CN=orders-1,O=ACME", "CN=orders-2,O=ACME", "CN=Next CA,O=ACME") as sender:
        with sender.flowing() as flows:
            sender.roll("start", "authz-client", "--alias", "sender")
            sender.keystore.run("add", "--role", "authz-client", "--alias", "sender", sender.new.certificate_file, "--activate")
            sender.until("2")
            sender.until("3a", "ready")  # its authority is not known yet
            sender.keystore.run("add", "--role", "trust-anchor", "--alias", "senders", sender.issuer.certificate_file, "--activate")
            sender.until("3a")
            sender.until("3b")
            sender.roll("next", "R-1")
            sender.roll("next", "R-1")
            for step in ("4a", "4b"):  # names and user of the new one
                sender.until(step)
            equal(sender.open_mappings(), ["CN=orders-1,O=ACME", "CN=orders-2,O=ACME", "sender#1", "sender#2"], "mappings")
            sender.until("5")
            sender.said("6", "told by phone")
            sender.until("7", "ready")  # nobody sends with it yet
            sender.sends_with = sender.new
            sender.until("7")
            for running in flows:
                running.wait_for(10)
            sender.said("8")
            sender.until("9a")
            refused = sender.roll("next", "R-1", exits=10)
            check("still seen" in refused.stderr, refused.stderr)
            users = {r.fields["x-countersign-user"] for r in sender.home.upstream.requests}
            equal(users, {"orders-sender", "CN=orders-1,O=ACME", "CN=orders-2,O=ACME"}, "users that the receiver saw")
        with sender.a_day_later(), sender.flowing():
            sender.roll("next", "R-1")
            sender.roll("next", "R-1")
            sender.over()
            equal(sender.open_mappings(), ["CN=orders-2,O=ACME", "sender#2"], "mappings that are left")
            for path in ("/plain", "/named"):
                equal(sender.status_of(sender.old, path), 403, f"the old one on {path}")


def test_a_sender_of_unchanged_names_changes_its_user_alone():
    with Sender("CN=orders,O=ACME") as sender:
        with sender.flowing():
            sender.roll("start", "authz-client", "--alias", "sender")
            sender.keystore.run("add", "--role", "authz-client", "--alias", "sender", sender.new.certificate_file, "--activate")
            sender.until("3a")
            report.until(lambda: sender.status() and "4a" in sender.shown, story.LONG_S, "step 4a")
            equal((sender.states()["4a"], sender.shown["4a"]), ("skipped", "dn-unchanged (subject and issuer are the same)"), "step 4a")
            sender.roll("next", "R-1")
            equal(sender.open_mappings(), ["CN=orders,O=ACME", "sender#1", "sender#2"], "mappings")
            sender.said("6", "told by phone")
            sender.sends_with = sender.new
            sender.until("7")
            sender.said("8")
            check("still seen" in sender.roll("next", "R-1", exits=10).stderr, "the old one was used just now")
        with sender.a_day_later(), sender.flowing():
            sender.roll("next", "R-1")
            sender.over()
            equal(sender.open_mappings(), ["CN=orders,O=ACME", "sender#2"], "mappings that are left")
            equal((sender.status_of(sender.old, "/plain"), sender.status_of(sender.old, "/named")), (403, 200),
                  "the old one is nobody; its names, which are those of the new one, stay")


class Listener(story.Story):
    """A listener whose certificate is of an old root, and whose next one is of a new root; senders that trust the roots that
    they were given by then. They make a connection for each request."""

    def __init__(self):
        self.home = home = tls.House()
        self.root = keys.issue(home.place, "next-root", authority=True, subject="CN=Next Root")
        self.new = home.issue("gw-2", self.root, hosts=[tls.HOST])
        self.trusted = [home.receivers]
        self.presented = []
        super().__init__(home.gateway, home.keystore)

    def connect(self):
        trusted = self.trusted  # the story exchanges the list at any time
        context = tls.client_context(trusted[0])
        for more in trusted[1:]:
            context.load_verify_locations(more.certificate_file)
        client = self.home.client(context=context)
        self.presented.append(client.sock.getpeercert(True))
        return client


def test_a_server_certificate_of_a_new_root_is_exchanged_at_its_instant():
    listener = Listener()
    home = listener.home
    presented = listener.presented
    octets = tls.post(fields=["Connection: close"])
    with home, load.Reconnecting(None, 4, 30, good=lambda r: r.status == 200, connect=listener.connect, octets=octets) as running:
        running.wait_for(20)
        listener.roll("start", "tls-server", "--alias", "gw", "--window", story.instant(3600), story.instant(7200))
        home.add("tls-server", "gw", listener.new, "--reason", "the next one")
        listener.until("1")
        listener.roll("next", "R-1")
        listener.until("2a")
        listener.until("2b")
        listener.said("3", "told by phone")
        listener.trusted = [home.receivers, listener.root]
        listener.said("4")
        running.wait_for(20)
        listener.until("5", "ready")
        equal(set(presented), {home.server.der}, "before the instant")
        listener.roll("window", "R-1", story.instant(story.SOON_S), story.instant(3600))
        for step in ("2a", "2b", "3"):  # the instant that is set is not the agreed one any more, nor the one that people know
            equal(listener.states()[step], "waits" if step != "2a" else "ready", f"step {step}")
        listener.roll("next", "R-1")
        listener.until("2b")
        listener.roll("confirm", "R-1", "3", "--note", "told of the new instant by phone")
        listener.until("5")
        running.wait_for(10)
        del presented[:]
        listener.trusted = [listener.root]
        running.wait_for(20)
        check(set(presented) == {listener.new.der}, f"{len(presented)} connections behind the instant; {running.troubles[:3]}")
        try:
            home.client(context=tls.client_context(home.receivers))
            check(False, "a sender that was forgotten trusts the new root")
        except ssl.SSLError:
            pass
        report.until(lambda: listener.status()["facts"]["none-refused"]["seen"].startswith("1 refused: 127.0.0.1 1"), what="who refuses is counted")
        listener.said("6")
        listener.over()
        story.nothing_lost(running)


if __name__ == "__main__":
    report.run("rollover-stories-tls", report.tests_of(sys.modules[__name__]))
