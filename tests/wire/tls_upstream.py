#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""TLS towards receivers: which servers are talked to, what is presented, and that an exchanged certificate is not seen
again: not on a connection, not on a session."""
import ssl
import sys
import threading

import report
import tls
import wire
from cryptography import x509

ANCHORS = "anchors receivers;"
PRESENTS = "anchors receivers; client-certificate ack-client;"
FRONT = 'listener front { address 127.0.0.1:0; }'
ROUTE = 'route plain {{ listener front; path "/plain"; upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; {upstream} }} }}\n'
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def house(upstream=ANCHORS, hosts=("127.0.0.1",), server=None, version=None, mutual=False, prepare=None, answer=None, routes=ROUTE, **more):
    """A plain listener in front of an https upstream."""
    def context(home):
        pair = server(home) if server else home.issue("receiver", home.receivers, hosts=hosts)
        return tls.server_context(pair, home.senders if mutual else None, version)

    def ready(home):
        if "ack-client" in upstream:
            home.first = home.issue("ack-1")
            home.add("tls-client", "ack-client", home.first)
        if prepare:
            prepare(home)
    return tls.House(upstream=upstream, upstream_tls=context, prepare=ready, answer=answer, routes=routes, listeners=FRONT, **more)


def call(home):
    with wire.Client(home.gateway.address) as client:
        return client.post(tls.BODY, "/plain")


def failed(home):
    """A request that must end with 502 and the reason upstream-tls. @return the detail"""
    seen = len(home.upstream.requests)
    report.equal(call(home).status, 502, "status")
    record = home.gateway.logged(lambda r: r["reason"] == "upstream-tls")
    report.equal(len(home.upstream.requests), seen, "requests at the upstream")
    return record["detail"]


def serial_of(request):
    return x509.load_der_x509_certificate(request.certificate).serial_number if request.certificate else None


def test_requests_go_over_tls_and_connections_are_kept():
    for version in VERSIONS:
        with house(version=version) as home:
            with wire.Client(home.gateway.address) as client:
                for _ in range(3):
                    report.equal(client.post(tls.BODY, "/plain").status, 200, f"status under {version.name}")
            report.equal(home.upstream.connections, 1, f"connections under {version.name}")
            report.equal(home.upstream.requests[0].socket.version().replace(".", "_"), version.name, "version")


def test_servers_that_are_not_the_right_ones_get_no_request():
    wrong = {"another name": ({"hosts": ["other.test"]}, "mismatch"),
             "another address": ({"hosts": ["127.0.0.2"]}, "mismatch"),
             "another authority": ({"server": lambda home: home.issue("receiver", home.senders, hosts=["127.0.0.1"])}, "unable to get local issuer"),
             "expired": ({"server": lambda home: home.issue("receiver", home.receivers, hosts=["127.0.0.1"], days=(-9, -1))}, "expired"),
             "self-signed": ({"server": lambda home: tls.keys.issue(home.place, "alone", hosts=["127.0.0.1"])}, "unable to get local issuer")}
    for what, (how, words) in wrong.items():
        with house(**how) as home:
            detail = failed(home)
            report.check(words in detail, f"{what}: {detail}")


def test_a_revoked_server_gets_no_request():
    with house() as home:
        report.equal(call(home).status, 200, "status before")
        with open(f"{home.place}/receiver.pem", "rb") as pem:
            receiver = tls.keys.Pair(None, x509.load_pem_x509_certificate(pem.read()), None, None)
        home.keystore.run("add-crl", "--alias", "receivers", tls.keys.new_crl(home.place, "list", home.receivers, [receiver]))
        report.until(lambda: call(home).status == 502, what="refusal after the list came")
        report.check("revoked" in failed(home), "detail")


def test_a_list_that_stands_in_another_slot_counts_on_kept_connections_too():
    """The authority on the way is nobody's anchor here; its list came with a slot of its own."""
    def server(home):
        home.middle = home.issue("middle", home.receivers, authority=True)
        home.receiver = tls.keys.issue(home.place, "receiver", home.middle, hosts=["127.0.0.1"], chain=[home.middle])
        return home.receiver
    with house(server=server) as home:
        home.keystore.run("add", "--role", "trust-anchor", "--alias", "others", home.middle.certificate_file, "--activate")
        report.equal(call(home).status, 200, "status before")
        home.keystore.run("add-crl", "--alias", "others", tls.keys.new_crl(home.place, "list", home.middle, [home.receiver]))
        report.until(lambda: call(home).status == 502, what="refusal after the list came")
        report.check("revoked" in failed(home), "detail")


def test_a_change_elsewhere_keeps_connections():
    with house(PRESENTS, mutual=True) as home:
        with wire.Client(home.gateway.address) as client:
            report.equal(client.post(tls.BODY, "/plain").status, 200, "status before")
            home.keystore.run("add", "--role", "trust-anchor", "--alias", "unused", home.senders.certificate_file, "--activate")
            generation = home.gateway.record_of(client)["generation"]
            report.until(lambda: client.post(tls.BODY, "/plain").status == 200 and home.gateway.log()[-1]["generation"] > generation,
                         what="the new generation")
        report.equal(home.upstream.connections, 1, "connections")
        report.check("tls-changed" not in home.gateway.stderr(), "contexts were made anew")


def test_a_list_can_be_demanded():
    with house(ANCHORS + "crl require;") as home:
        report.check("CRL" in failed(home), "detail")
        home.keystore.run("add-crl", "--alias", "receivers", tls.keys.new_crl(home.place, "list", home.receivers))
        report.until(lambda: call(home).status == 200, what="reply with a current list")


def test_a_server_that_speaks_no_tls_or_asks_for_a_certificate_that_is_not_there():
    with house(mutual=True) as home:
        report.equal(call(home).status, 502, "status without a certificate of ours")
        report.equal(home.upstream.requests, [], "requests")
    with house(routes=ROUTE.replace("connect-timeout 60s", "connect-timeout 3s")) as home:  # it waits for more of what it takes for a line
        home.upstream.tls = None
        failed(home)


def test_our_certificate_is_presented():
    for version in VERSIONS:
        with house(PRESENTS, mutual=True, version=version) as home:
            report.equal(call(home).status, 200, f"status under {version.name}")
            report.equal(serial_of(home.upstream.requests[0]), home.first.certificate.serial_number, "serial")


def test_without_an_active_entry_no_connection_is_made():
    with house(PRESENTS, mutual=True) as home:
        report.equal(call(home).status, 200, "status before")
        home.keystore.run("suspend", "ack-client#1")
        report.until(lambda: call(home).status == 502, what="refusal")
        report.check("no entry is active" in failed(home), "detail")
        home.keystore.run("resume", "ack-client#1")
        report.until(lambda: call(home).status == 200, what="reply after resume")


CHECK = ' check http "/health"; check-interval 100ms; eject-after 0;'


def checks_of(home):
    return [r for r in home.upstream.requests if r.start.startswith("GET /health ")]


def test_a_check_by_http_is_made_under_tls_with_our_certificate_and_follows_its_exchange():
    for version in VERSIONS:
        with house(PRESENTS + CHECK, mutual=True, version=version) as home:
            report.until(lambda: len(checks_of(home)) > 2, what="checks")
            report.equal({serial_of(r) for r in checks_of(home)}, {home.first.certificate.serial_number}, "what they present")
            second = home.issue("ack-2")
            home.add("tls-client", "ack-client", second)
            report.until(lambda: serial_of(checks_of(home)[-1]) == second.certificate.serial_number, what="the new certificate")
            report.equal(call(home).status, 200, "status of a request")
            report.check("upstream-down" not in home.gateway.stderr(), "a receiver that is well was called down")


def test_a_check_by_http_takes_a_server_for_down_that_no_request_would_go_to():
    with house(ANCHORS + CHECK, hosts=("other.test",)) as home:
        report.until(lambda: "upstream-down" in home.gateway.stderr(), what="the log line")
        report.equal(checks_of(home), [], "what it was asked")
    answers = ["503 Away"]
    with house(ANCHORS + CHECK, answer=lambda request: wire.reply_octets(b"<a/>", status=answers[0])) as home:
        report.until(lambda: "upstream-down" in home.gateway.stderr(), what="the log line of a server that is not well")
        answers[0] = "200 OK"
        report.until(lambda: "upstream-up" in home.gateway.stderr(), what="the log line when it is well again")


def test_after_an_exchange_the_old_certificate_is_not_seen_again():
    """With tickets on, on kept connections and on sessions taken up, under both versions."""
    for version in VERSIONS:
        with house(PRESENTS, mutual=True, version=version) as home:
            stop = threading.Event()
            statuses = []

            def load():
                with wire.Client(home.gateway.address) as client:
                    while not stop.is_set():
                        statuses.append(client.post(tls.BODY, "/plain").status)
            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads:
                thread.start()
            report.until(lambda: len(home.upstream.requests) > 50, what="traffic")
            second = home.issue("ack-2")
            home.add("tls-client", "ack-client", second, "--activate", "--wait", "60s")
            # It is in force: every request that arrives from now on, but for those on their way, shows the new one.
            after = len(home.upstream.requests)
            report.until(lambda: len(home.upstream.requests) > after + 100, what="traffic afterwards")
            home.upstream.cut(2)
            report.until(lambda: len(home.upstream.requests) > after + 200, what="traffic over new connections")
            stop.set()
            for thread in threads:
                thread.join()
            serials = {serial_of(r) for r in home.upstream.requests[after + 8:]}
            report.equal(serials, {second.certificate.serial_number}, f"serials under {version.name}")
            report.equal({s for s in statuses if s != 502}, {200}, "statuses")


if __name__ == "__main__":
    report.run("tls upstream", report.tests_of(sys.modules[__name__]))
