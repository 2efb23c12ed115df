#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""TLS in front: who is served, who is refused in the handshake, and what a request under TLS may not do."""
import socket
import ssl
import subprocess
import sys
import threading

import report
import tls
import wire

MUTUAL = "client-anchors senders; client-certificate require;"


def refused(house, **how):
    """The error of a handshake (TLS 1.3 tells a client of its certificate only when it reads)."""
    try:
        with house.client(**how) as client:
            house.post(client)
    except (ssl.SSLError, ConnectionError, wire.Closed) as error:
        return str(error)
    raise AssertionError("the handshake was not refused")


def test_a_request_passes_under_both_versions():
    with tls.House() as house:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with house.client(version=version) as client:
                report.equal(house.post(client).status, 200, f"status under {version.name}")
                report.equal(house.post(client).status, 200, f"status of the second request under {version.name}")
                record = house.gateway.record_of(client)
                report.equal(record["tls"]["version"].replace(".", "_"), version.name, "version in the log")


def test_without_a_certificate_there_is_no_handshake():
    with tls.House(tls=MUTUAL) as house:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            refused(house, version=version)
        report.equal(house.upstream.requests, [], "requests at the upstream")
        with house.client(house.issue("good")) as client:
            report.equal(house.post(client).status, 200, "status with one")
        report.until(lambda: "peer did not return a certificate" in house.gateway.stderr(), what="line about it")


def refused_by_now(house, **how):
    """The same while a change is on its way; "" while it is not."""
    try:
        return refused(house, **how)
    except AssertionError:
        return ""


def test_certificates_that_are_not_good_are_refused_in_the_handshake():
    with tls.House(tls=MUTUAL) as house:
        revoked = house.issue("revoked")
        house.keystore.run("add-crl", "--alias", "senders", tls.keys.new_crl(house.place, "list", house.senders, [revoked]))
        bad = {"other authority": (house.issue("stranger", house.receivers), "unknown ca"),
               "self-signed": (tls.keys.issue(house.place, "alone"), "unknown ca"),
               "expired": (house.issue("expired", days=(-20, -1)), "expired"),
               "not yet valid": (house.issue("early", days=(1, 20)), "bad certificate"),
               "RSA of 1024 bits": (house.issue("weak", kind="rsa:1024"), ""),
               "revoked": (revoked, "revoked")}
        report.until(lambda: "revoked" in refused_by_now(house, pair=revoked), what="list in force")
        before = len(house.upstream.requests)  # those of the revoked one until then
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for what, (pair, words) in bad.items():
                context = tls.client_context(house.receivers, version=version)
                context.set_ciphers("DEFAULT:@SECLEVEL=0")
                context.load_cert_chain(pair.certificate_file, pair.key_file)
                said = refused(house, context=context)
                report.check(words in said, f"{what} under {version.name}: {said}")
        report.equal(len(house.upstream.requests), before, "requests at the upstream")
        for words in ("unable to get local issuer", "certificate has expired", "not yet valid", "key too weak", "certificate revoked"):
            report.until(lambda said=words: said in house.gateway.stderr(), what=f"a line of the log that says {words}")
        with house.client(house.issue("good")) as client:
            report.equal(house.post(client).status, 200, "status of a good one")


def test_a_path_over_an_intermediate_authority_is_followed():
    with tls.House(tls=MUTUAL) as house:
        middle = house.issue("middle", authority=True)
        with house.client(house.issue("far", middle, chain=[middle])) as client:
            report.equal(house.post(client).status, 200, "status with the path sent")
        refused(house, pair=house.issue("farther", middle))


def test_a_list_of_an_authority_on_the_way_counts_whatever_slot_it_stands_in():
    with tls.House(tls=MUTUAL) as house:
        middle = house.issue("middle", authority=True)
        pair = house.issue("far", middle, chain=[middle])
        with house.client(pair) as client:
            report.equal(house.post(client).status, 200, "status before")
            house.keystore.run("add", "--role", "trust-anchor", "--alias", "others", middle.certificate_file, "--activate")
            house.keystore.run("add-crl", "--alias", "others", tls.keys.new_crl(house.place, "list", middle, [pair]))
            report.until(lambda: house.post(client).status == 403, what="refusal on the open connection")
        report.check("revoked" in refused(house, pair=pair), "handshake")


def test_a_name_that_no_certificate_has_gets_an_alert():
    with tls.House() as house:
        context = tls.client_context(house.receivers)
        context.check_hostname = False
        said = refused(house, context=context, name="other.test")
        report.check("unrecognized name" in said, said)
        report.until(lambda: "no certificate has the name other.test" in house.gateway.stderr(), what="line about it")
        with house.client(context=context, name=None) as client:
            report.equal(house.post(client, host="anything.test").status, 200, "status without SNI")


def test_a_host_other_than_the_name_of_the_connection_is_misdirected():
    with tls.House() as house:
        with house.client() as client:
            reply = house.post(client, host="other.test")
            report.equal(reply.status, 421, "status")
            report.check(client.closed(), "the connection stays open")
        record = house.gateway.logged(lambda r: r["status"] == 421)
        report.equal(record["reason"], "tls-name", "reason")
        with house.client() as client:
            report.equal(house.post(client, host="GW.test:8443").status, 200, "status with a port and other case")


def test_names_choose_the_certificate_and_key_types_follow_the_client():
    def prepare(house):
        house.add("tls-server", "gw", house.issue("gw-rsa", house.receivers, hosts=[tls.HOST], kind="rsa:2048"))
        house.add("tls-server", "second", house.issue("second", house.receivers, hosts=["second.test", "*.wild.test"]))
        house.add("tls-server", "third", house.issue("third", house.receivers, hosts=["second.test"], kind="rsa:2048"))
    with tls.House(tls="certificate second third;", prepare=prepare) as house:
        for name, algorithms, expected in [(tls.HOST, "ECDSA+SHA256", "gw-1"), (tls.HOST, "RSA-PSS+SHA256", "gw-rsa"),
                                           ("second.test", "ECDSA+SHA256", "second"), ("second.test", "RSA-PSS+SHA256", "third"),
                                           ("a.wild.test", "ECDSA+SHA256", "second")]:
            said = openssl(house, "-servername", name, "-sigalgs", algorithms, "-tls1_3")
            report.check(f"subject=CN = {expected}\n" in said, f"{name} with {algorithms}: {said[:400]}")


def test_one_entry_can_be_shown_on_trial():
    """A listener of its own shows the next certificate before it is active."""
    trial = tls.ROUTE + 'tls trial {{ certificate "gw#2"; }}\nroute trial {{ listener trial; path "/plain"; upstream "{url}"; methods GET; }}\n'
    def prepare(house):
        house.add("tls-server", "gw", house.issue("gw-2", house.receivers, hosts=[tls.HOST]), "--reason", "the next one")
    with tls.House(prepare=prepare, routes=trial, listeners=tls.LISTENER + "listener trial { address 127.0.0.1:0; tls trial; }") as house:
        for address, expected in zip(house.gateway.addresses, ("gw-1", "gw-2")):
            said = subprocess.run(["openssl", "s_client", "-connect", address, "-servername", tls.HOST], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=report.PATIENCE_S, check=False).stdout.decode("latin-1")
            report.check(f"subject=CN = {expected}\n" in said, said[:400])


def openssl(house, *args, stdin=b""):
    """What openssl s_client says."""
    done = subprocess.run(["openssl", "s_client", "-connect", house.gateway.address, "-CAfile", house.receivers.certificate_file,
                           *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=report.PATIENCE_S, check=False)
    return done.stdout.decode("latin-1")


def test_old_versions_weak_ciphers_and_other_protocols_are_refused():
    with tls.House() as house:
        for what, args in {"TLS 1.1": ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                           "static RSA": ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                           "CBC": ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA"],
                           "HTTP/2 only": ["-alpn", "h2"]}.items():
            said = openssl(house, *args)
            report.check("Cipher is (NONE)" in said or "New, (NONE)" in said, f"{what} was spoken")
        report.check("ALPN protocol: http/1.1" in openssl(house, "-alpn", "h2,http/1.1"), "HTTP/1.1 was not chosen")


def test_renegotiation_is_refused():
    with tls.House() as house:
        with subprocess.Popen(["openssl", "s_client", "-connect", house.gateway.address, "-tls1_2", "-servername", tls.HOST],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            child.stdin.write(b"R\n")
            child.stdin.flush()
            said = child.stdout.read().decode("latin-1")
        report.check("RENEGOTIATING" in said and "no renegotiation" in said, said)
        with house.client() as client:
            report.equal(house.post(client).status, 200, "status afterwards")


def test_octets_that_are_no_tls_are_closed_and_nobody_else_is_hurt():
    with tls.House(extra="timeouts { head 4s; }") as house:
        for octets in (b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\x41" * 70000, b"\x00" * 300, b"\x80"):
            with wire.Client(house.gateway.address) as client:
                client.send(octets)
                try:
                    while client.sock.recv(4096):
                        pass
                except ConnectionError:
                    pass
        with wire.Client(house.gateway.address) as slow:
            slow.send(b"\x16\x03")
            with house.client() as client:
                report.equal(house.post(client).status, 200, "status beside them")
            report.check(slow.closed(), "a handshake without end is kept")
        report.until(lambda: "it was not over in time" in house.gateway.stderr(), what="line about the slow one")


def test_a_look_at_the_port_is_no_handshake_that_failed():
    with tls.House() as house:
        for _ in range(3):
            wire.Client(house.gateway.address).close()
        with wire.Client(house.gateway.address) as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            report.until(lambda: house.gateway.stderr().count("tls-refused") == 1, what="line about the one that spoke")
        report.equal(house.gateway.stderr().count("tls-refused"), 1, "lines")


def test_a_reload_begins_and_ends_tls_on_the_same_address():
    with tls.House() as house:
        house.gateway.configure(house.routes.format(**house.text), listeners=tls.LISTENER.replace("tls front-tls;", ""))
        with house.client() as client:
            report.equal(house.post(client).status, 200, "status under TLS")
            house.gateway.reload()
            report.until(lambda: answers_plain(house), what="plain answer")
            report.until(lambda: last_reply(house, client), what="the last reply on the connection from before")
            report.check(client.closed(), "the connection from before goes on for ever")
        house.gateway.configure(house.routes.format(**house.text))
        house.gateway.reload()
        report.until(lambda: not answers_plain(house), what="end of plain answers")
        with house.client() as client:
            report.equal(house.post(client).status, 200, "status under TLS again")


def test_after_an_exchange_idle_connections_end_and_busy_ones_with_their_reply():
    gate = threading.Event()

    def answer(request):
        if b"slow" in request.body:
            gate.wait(report.PATIENCE_S)
        return wire.reply_octets(b"<ok/>")
    with tls.House(answer=answer, extra="timeouts { head 120s; }") as house:
        with house.client() as idle, house.client() as busy, house.client() as fresh:
            report.equal(house.post(idle).status, 200, "status of the idle one")
            busy.send(tls.post(body=b"<slow/>"))
            report.until(lambda: len(house.upstream.requests) == 2, what="request at the upstream")
            house.add("tls-server", "gw", house.issue("gw-2", house.receivers, hosts=[tls.HOST]))
            report.check(idle.closed(), "the idle connection goes on for ever")
            gate.set()
            reply = busy.reply()
            report.equal((reply.status, reply.field("connection")), (200, "close"), "reply on the busy one")
            reply = house.post(fresh)
            report.equal((reply.status, reply.field("connection")), (200, "close"), "reply on one that had no request yet")
        with house.client() as client:
            reply = house.post(client)
            report.equal((reply.status, reply.field("connection")), (200, None), "reply on a new one")


def last_reply(house, client):
    reply = house.post(client)
    report.equal(reply.status, 200, "status on the connection from before")
    return reply.field("connection") == "close"


def answers_plain(house):
    try:
        with wire.Client(house.gateway.address) as client:
            return house.post(client).status == 200
    except (OSError, wire.Closed):
        return False


def test_handshakes_are_evidence_for_our_certificate_and_alerts_against_it():
    """A sender without the new root is counted and named."""
    with tls.House() as house:
        with house.client() as client:
            report.equal(house.post(client).status, 200, "status")
        report.until(lambda: house.keystore.entries()["gw#1"].get("last_use"), what="last use of our certificate")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            said = refused(house, context=tls.client_context(house.senders, version=version))
            report.check("certificate verify failed" in said, said)
        report.until(lambda: house.gateway.stderr().count("alert unknown ca") == 2, what="lines about it")
        bad = "select coalesce(sum(bad),0) from use_day"
        report.until(lambda: sqlite(house, bad) == "2", what="uses that failed")


def sqlite(house, query):
    return subprocess.run(["sqlite3", house.keystore.path, query], stdout=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False).stdout.strip()


class Trickle:
    """Between a client and the gateway: passes octets one by one."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.far = socket.create_connection((host, int(port)))
        self.far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        near, _ = self.listener.accept()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.copy, args=(self.far, near), daemon=True).start()
        self.copy(near, self.far)

    @staticmethod
    def copy(source, sink):
        try:
            while octets := source.recv(65536):
                for octet in octets:
                    sink.sendall(bytes([octet]))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @property
    def address(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]


def test_a_record_that_comes_octet_by_octet_is_read():
    with tls.House(tls=MUTUAL) as house:
        pair = house.issue("good")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            trickle = Trickle(house.gateway.address)
            with wire.Client(trickle.address, tls=tls.client_context(house.receivers, pair, version), name=tls.HOST) as client:
                report.equal(house.post(client).status, 200, f"status under {version.name}")
                report.equal(house.post(client).status, 200, f"status of the second one under {version.name}")


def test_large_bodies_go_both_ways_whole():
    big = bytes(range(256)) * 8192
    echo = lambda request: wire.reply_octets(request.body, content_type="text/plain")
    with tls.House(answer=echo) as house:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with house.client(version=version) as client:
                client.send(tls.post(body=big))  # a connection of TLS is for one thread at a time; the echo comes when all was read
                report.check(house_reply(client).body == big, f"the body came back otherwise under {version.name}")
                client.send(tls.post(body=b"x") + tls.post(body=b"y"))
                report.equal([client.reply().body, client.reply().body], [b"x", b"y"], "two requests sent at once")


def house_reply(client):
    reply = client.reply()
    report.equal(reply.status, 200, "status")
    return reply


def test_a_reader_that_stops_gets_the_rest_later():
    big = b"z" * (8 << 20)
    with tls.House(answer=lambda _: wire.reply_octets(big, content_type="text/plain")) as house:
        with house.client() as client:
            client.send(tls.post())
            report.until(lambda: house.upstream.requests, what="request at the upstream")
            with house.client() as other:
                client.sock.recv(1000)
                report.equal(other.sock.version(), "TLSv1.3", "version")
            taken = 1000
            while taken < len(big):
                octets = client.sock.recv(1 << 20)
                report.check(octets, f"closed after {taken} octets")
                taken += len(octets)


def test_a_cut_connection_ends_no_message():
    """Without close_notify a close is an accident, not an end: the request is not served."""
    with tls.House() as house:
        with house.client() as client:
            client.send(tls.post()[:-2])
            client.sock.close()
        record = house.gateway.record_of(client)
        report.equal(record["reason"], "client-gone", "reason")
        report.equal(house.upstream.requests, [], "requests at the upstream")


if __name__ == "__main__":
    report.run("tls front", report.tests_of(sys.modules[__name__]))
