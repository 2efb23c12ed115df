#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Who may use a route: asked for every request on the newest keystore, on open connections and on sessions taken up."""
import datetime
import json
import ssl
import sys
import time

import report
import tls
import wire

MUTUAL = "client-anchors senders; client-certificate require;"
OPTIONAL = "client-anchors senders; client-certificate optional;"
NAMES = 'authorize { subject "CN=orders,O=ACME" issuer "CN=Senders CA"; } user-header "X-Countersign-User";'
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def house(tls_words=MUTUAL, route=NAMES, **more):
    return tls.House(tls=tls_words, route=route, **more)


def orders(home, name="orders", **more):
    return home.issue(name, subject=more.pop("subject", "CN=orders,OU=1,O=ACME"), **more)


def denied(home, client, reason="client-denied"):
    """The next request on an open connection gets 403 and the end of it, and nothing reaches the receiver."""
    before = len(home.upstream.requests)
    report.equal(home.post(client).status, 403, "status")
    report.check(client.closed(), "the connection stays open")
    record = report.until(lambda: next((r for r in home.gateway.records_of(client) if r["status"] == 403), None), what="access log line")
    report.equal(record["reason"], reason, "reason")
    report.equal(len(home.upstream.requests), before, "requests at the receiver")
    return record


def test_a_name_rule_lets_in_and_the_receiver_learns_who_it_is():
    with house() as home:
        with home.client(orders(home)) as client:
            reply = home.post(client, fields=["X-Countersign-User: forged", "x_countersign_user: forged", "X-COUNTERSIGN-USER: forged"])
            report.equal(reply.status, 200, "status")
        request = home.upstream.requests[0]
        users = [line for line in request.lines if line.lower().replace("_", "-").startswith("x-countersign-user")]
        report.equal(users, ["X-Countersign-User: CN=orders,OU=1,O=ACME"], "user at the receiver")
        record = home.gateway.record_of(client)
        report.equal(record["user"], "CN=orders,OU=1,O=ACME", "user in the log")
        report.equal(record["client_certificate"]["issuer"], "CN=Senders CA,O=ACME", "issuer in the log")
        report.check(record["client_certificate"]["sha256"], "certificate in the log")


def test_other_names_are_denied():
    with house() as home:
        for subject in ("CN=orders", "CN=orders2,O=ACME", "CN=orders,O=ACME,O=Other", "O=orders,CN=ACME", "CN=Orders Sub,O=ACME"):
            with home.client(orders(home, "other", subject=subject)) as client:
                record = denied(home, client)
                report.equal(record["user"], None, "user in the log")


def test_the_issuer_counts_as_much_as_the_subject():
    with house() as home:
        middle = home.issue("middle", authority=True, subject="CN=Other CA")
        pair = tls.keys.issue(home.place, "far", middle, subject="CN=orders,O=ACME", chain=[middle])
        with home.client(pair) as client:
            denied(home, client)


def test_without_a_certificate_an_authorized_route_is_closed_and_others_are_open():
    open_route = 'route open { listener front; path "/open"; upstream "%s"; }\n'
    with house(OPTIONAL) as home:
        home.gateway.configure(home.routes.format(**home.text) + open_route % home.upstream.url)
        home.gateway.reload()
        report.until(lambda: post_once(home, "/open") == 200, what="reload")
        with home.client() as client:
            record = denied(home, client, "client-certificate")
            report.equal(record["client_certificate"], None, "certificate in the log")
        with home.client(orders(home)) as client:
            report.equal(home.post(client).status, 200, "status with a certificate")


def post_once(home, path="/plain", pair=None):
    with home.client(pair) as client:
        return home.post(client, path).status


def test_a_certificate_that_expires_is_refused_at_its_next_request():
    with house(extra="timeouts { head 120s; keep-alive 120s; }") as home:
        pair = orders(home, days=(-1, 12 / 86400))
        with home.client(pair) as client, home.client(pair) as other:
            report.equal(home.post(client).status, 200, "status while it is valid")
            end = pair.certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()
            report.until(lambda: time.time() > end + 1, what="end of the certificate")
            report.check("expired" in denied(home, client, "client-certificate")["detail"], "detail")
            denied(home, other, "client-certificate")


def test_a_certificate_that_is_revoked_is_refused_at_its_next_request():
    with house() as home:
        pair = orders(home)
        with home.client(pair) as client, home.client(orders(home, "second")) as other:
            report.equal(home.post(client).status, 200, "status before")
            home.keystore.run("add-crl", "--alias", "senders", tls.keys.new_crl(home.place, "list", home.senders, [pair]))
            until_denied(home, client)
            report.equal(home.post(other).status, 200, "status of another one")


def until_denied(home, client):
    """Soon after the change the open connection is refused; requests before that may pass. How soon that is, is measured
    under load."""
    def over():
        reply = home.post(client)
        if reply.status == 403:
            report.check(client.closed(), "the connection stays open")
            return True
        report.equal(reply.status, 200, "status")
        return reply.field("connection") == "close"  # what it was served with is replaced: the next one is refused in its handshake
    report.until(over, what="refusal on the open connection")


def spare_anchor(home):
    spare = tls.keys.issue(home.place, "spare", authority=True)
    home.keystore.run("add", "--role", "trust-anchor", "--alias", "senders", spare.certificate_file, "--activate")


def test_an_anchor_that_is_suspended_takes_its_clients_with_it():
    """On a connection that was idle meanwhile, and on a session that is taken up."""
    for version in VERSIONS:
        with house(prepare=spare_anchor) as home:
            pair = orders(home)
            context = tls.client_context(home.receivers, pair, version)
            with home.client(context=context) as client:
                report.equal(home.post(client).status, 200, "status before")
                session = client.sock.session
                with home.client(context=context, session=session) as again:
                    report.equal(home.post(again).status, 200, "status of a session taken up")
                    report.check(again.sock.session_reused, f"no session is taken up under {version.name}")
                    session = again.sock.session
                home.keystore.run("suspend", "senders#1")
                report.until(lambda: "tls-changed" in home.gateway.stderr(), what="change in force")
                denied(home, client, "client-certificate")
            try:
                with home.client(context=context, session=session) as late:
                    home.post(late)
                raise AssertionError("let in")
            except (ssl.SSLError, ConnectionError, wire.Closed):
                pass


def test_a_path_goes_with_the_session():
    """A session that is taken up shows the leaf only; what stood beside it is judged all the same."""
    for version in VERSIONS:
        with house(route="") as home:
            middle = home.issue("middle", authority=True)
            pair = tls.keys.issue(home.place, "far", middle, chain=[middle])
            context = tls.client_context(home.receivers, pair, version)
            session = None
            for turn in range(4):
                with home.client(context=context, session=session) as client:
                    report.equal(home.post(client).status, 200, f"status of turn {turn} under {version.name}")
                    report.equal(client.sock.session_reused, turn > 0, f"session taken up in turn {turn} under {version.name}")
                    session = client.sock.session


def test_the_wrong_certificate_of_a_route_does_not_hurt_another_route():
    second = 'route second { listener front; path "/second"; upstream "%s"; authorize { subject "CN=billing" issuer "CN=Senders CA"; } }\n'
    with house() as home:
        home.gateway.configure(home.routes.format(**home.text) + second % home.upstream.url)
        home.gateway.reload()
        billing = home.issue("billing")
        report.until(lambda: post_once(home, "/second", billing) == 200, what="reload")
        report.equal(post_once(home, "/plain", billing), 403, "status on the other route")
        report.equal(post_once(home, "/plain", orders(home)), 200, "status of the one it is for")


def test_a_certificate_has_its_rate_whatever_its_addresses():
    with house(route="rate { per-certificate 2; }") as home:
        first, second = orders(home), orders(home, "second")
        clients = [home.client(first) for _ in range(12)]
        for client in clients:
            client.send(tls.post())
        statuses = [client.reply().status for client in clients]
        for client in clients:
            client.close()
        report.equal(set(statuses), {200, 429}, f"statuses {statuses}")
        report.equal(post_once(home, pair=second), 200, "status of another certificate")
        record = home.gateway.logged(lambda r: r["status"] == 429)
        report.equal(record["reason"], "rate-limit", "reason")


# ---- what the keystore maps ------------------------------------------------------------------------------------------

USERS = 'authorize { certificate-user "orders-sender" "spare-sender"; } user-header "X-Countersign-User";'


class Mapped(tls.House):
    """A route for users; the slot `clients` has a certificate that stands for orders-sender."""

    def __init__(self, route=USERS):
        def prepare(home):
            home.first = home.issue("first", subject="CN=first")
            home.entry = home.add_client(home.first)
            home.map(home.entry, "orders-sender")
        super().__init__(tls=MUTUAL, route=route, prepare=prepare)

    def add_client(self, pair):
        return self.keystore.run("add", "--role", "authz-client", "--alias", "clients", pair.certificate_file, "--activate").stdout.strip()

    def map(self, entry, user=None, like=None):
        more = ["--user", user] if user else ["--copy-user-from", like]
        return json.loads(self.keystore.run("mapping", "add", "--certificate", entry, *more, "--json").stdout)

    def number(self, entry):
        rows = [json.loads(line) for line in self.keystore.run("mapping", "list", "--json").stdout.splitlines()]
        return str(next(row["mapping"] for row in rows if row.get("entry") == entry))

    def user_of(self, client):
        """The status of one request, and who the receiver was told that it is."""
        seen = len(self.upstream.requests)
        status = self.post(client).status
        told = [r.fields.get("x-countersign-user") for r in self.upstream.requests[seen:]]
        return status, told[0] if told else None


def test_a_mapped_certificate_is_its_user_and_several_may_be():
    with Mapped() as home:
        second = home.issue("second", subject="CN=second")
        with home.client(home.first) as old:
            report.equal(home.user_of(old), (200, "orders-sender"), "the first certificate")
            report.equal(home.gateway.record_of(old)["user"], "orders-sender", "user in the log")
            entry = home.add_client(second)
            home.map(entry, like=home.number(home.entry))
            report.until(lambda: post_once(home, pair=second) == 200, what="the second certificate in force")
            with home.client(second) as again:
                report.equal(home.user_of(again), (200, "orders-sender"), "user of the second certificate")
            report.equal(home.user_of(old), (200, "orders-sender"), "the first certificate beside it")
            home.keystore.run("mapping", "retire", home.number(home.entry))
            until_denied(home, old)
        with home.client(second) as again:
            report.equal(home.user_of(again), (200, "orders-sender"), "the second certificate afterwards")


def test_entries_taken_out_are_denied_at_their_next_request():
    """On an open connection and on a session taken up, for each way of taking one out."""
    for verb in (["suspend"], ["compromise"], ["deactivate", "remove"]):
        for version in VERSIONS:
            with Mapped() as home:
                spare = home.add_client(home.issue("spare", subject="CN=spare"))
                home.map(spare, "orders-sender")
                context = tls.client_context(home.receivers, home.first, version)
                with home.client(context=context) as client:
                    report.equal(home.post(client).status, 200, "status before")
                    session = client.sock.session
                    for each in verb:
                        home.keystore.run(each, home.entry, "--reason", "test")
                    until_denied(home, client)
                with home.client(context=context, session=session) as client:
                    report.equal(home.post(client).status, 403, f"status on a session taken up after {verb}")


def test_rows_of_names_count_like_rules_of_the_file():
    with tls.House(tls=MUTUAL, route='authorize { } user-header "X-Countersign-User";') as home:
        pair = orders(home)
        with home.client(pair) as client:
            denied(home, client)
        home.keystore.run("mapping", "add", "--route", "plain", "--subject", "CN=orders,O=ACME", "--issuer", "CN=Senders CA")
        report.until(lambda: post_once(home, pair=pair) == 200, what="row in force")
        report.equal(post_once(home, pair=home.issue("other", subject="CN=other,O=ACME")), 403, "status of another name")
        report.equal(home.upstream.requests[-1].fields["x-countersign-user"], "CN=orders,OU=1,O=ACME", "user")
        row = json.loads(home.keystore.run("mapping", "list", "--json").stdout.splitlines()[0])
        with home.client(pair) as client:
            report.equal(home.post(client).status, 200, "status before")
            home.keystore.run("mapping", "retire", str(row["mapping"]))
            until_denied(home, client)


def test_requests_are_evidence_of_use():
    with Mapped() as home:
        with home.client(home.first) as client:
            report.equal(home.post(client).status, 200, "status")
        report.until(lambda: home.keystore.entries()[home.entry].get("last_use"), what="last use of the client's entry")


if __name__ == "__main__":
    report.run("authorize", report.tests_of(sys.modules[__name__]))
