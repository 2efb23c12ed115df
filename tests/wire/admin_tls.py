#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Admin http under TLS: who is served off loopback, what is shown, and how long what was shown holds."""
import ssl
import sys

import product
import report
import tls
import wire
from report import check, equal, until

GET = "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n"


class House(tls.House):
    """A gateway whose admin http is under TLS by the block admin-tls, on every address of the machine."""

    def __init__(self, words="", block="tls admin-tls;", address="0.0.0.0", keys="no"):
        self.keys = keys
        self.port = wire.unused_port()
        self.words = words
        self.address = address
        super().__init__(extra=self.admin(block))

    def admin(self, block="tls admin-tls;"):
        return f'process {{ keys {self.keys}; }}\ntls admin-tls {{ certificate gw; {self.words} }}\nadmin {{ http {self.address}:{self.port}; {block} }}\n'

    def reload(self, block):
        self.gateway.configure(self.routes.format(**self.text), self.admin(block))
        self.gateway.reload()

    def asker(self, pair=None, version=None):
        return wire.Client(f"127.0.0.1:{self.port}", tls=tls.client_context(self.receivers, pair, version), name=tls.HOST)

    def get(self, client, path="/livez"):
        client.send(GET.format(path, tls.HOST).encode())
        return client.reply()

    def shown(self, **how):
        """Serial number of the certificate that a new connection gets to see."""
        with self.asker(**how) as client:
            return client.sock.getpeercert()["serialNumber"]

    def refused(self, **how):
        try:
            with self.asker(**how) as client:
                self.get(client)
        except (OSError, wire.Closed):
            return True
        return False


def test_what_administers_is_served_off_loopback_under_tls_only():
    with House() as house:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with house.asker(version=version) as client:
                for path, status in (("/livez", 200), ("/metrics", 200), ("/readyz", 200), ("/nothing", 404),
                                     ("/notices/unsubscribe/" + "0" * 32, 404)):
                    equal(house.get(client, path).status, status, f"{path} under {version.name}")
        with wire.Client(f"127.0.0.1:{house.port}") as plain:
            plain.send(GET.format("/livez", tls.HOST).encode())
            check(not plain.sock.recv(4096).startswith(b"HTTP"), "answered without TLS")
        until(lambda: "a TLS handshake with admin http failed" in house.gateway.stderr(), what="the log tells of it")
        with wire.Client(f"127.0.0.1:{house.port}"):
            pass
        used = house.keystore.run("show", "gw").stdout
        check("admin" in used, f"where it is used: {used}")


def test_a_port_that_was_opened_under_tls_never_serves_without():
    with House(address="127.0.0.1") as house:
        with house.asker() as client:
            equal(house.get(client).status, 200, "status")
        house.reload("")
        until(house.refused, what="the end of TLS")
        with wire.Client(f"127.0.0.1:{house.port}") as plain:
            check(plain.closed(), "served without TLS")
        house.reload("tls admin-tls;")
        until(lambda: not house.refused(), what="TLS again")


def test_a_port_on_loopback_goes_over_to_tls_by_a_reload():
    with House(address="127.0.0.1", block="") as house:
        with wire.Client(f"127.0.0.1:{house.port}") as plain:
            equal(house.get(plain).status, 200, "plain")
        house.reload("tls admin-tls;")
        until(lambda: not house.refused(), what="TLS")


def test_a_key_that_stands_in_a_process_of_its_own_serves():
    with House(keys="yes") as house:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with house.asker(version=version) as client:
                equal(house.get(client).status, 200, version.name)


def test_after_an_exchange_new_connections_see_the_new_certificate_and_old_ones_end():
    with House() as house:
        before = house.shown()
        with house.asker() as kept:
            equal(house.get(kept).status, 200, "status")
            house.add("tls-server", "gw", house.issue("gw-2", house.receivers, hosts=[tls.HOST]))
            check(kept.closed(), "a connection from before goes on")
        until(lambda: house.shown() != before, what="the new certificate")


def test_with_anchors_only_those_come_in_whose_certificate_is_good_at_each_request():
    with House("client-anchors senders;") as house:
        monitor = house.issue("monitor")
        house.keystore.run("add", "--role", "authz-client", "--alias", "monitor", monitor.certificate_file, "--activate")
        check(house.refused(), "came in without a certificate")
        check(house.refused(pair=house.issue("stranger", house.receivers)), "came in with a stranger's")
        with house.asker(monitor) as client:
            equal([house.get(client).status for _ in range(2)], [200, 200], "status")
            check(client.sock.session is None or not client.sock.session.has_ticket, "a session to take up again")
            house.keystore.run("compromise", "monitor#1")
            until(lambda: lost(house, client), what="the end of the connection")


def lost(house, client):
    try:
        return house.get(client).status != 200
    except (OSError, wire.Closed):
        return True


def test_wrong_ones_stop_with_their_place_and_cure():
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/c.conf"
    for words, says in (("http 0.0.0.0:9464; tls nowhere;", "no block tls nowhere"), ("tls nowhere;", "there is none")):
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{keystore.path}";\nadmin {{ {words} }}\nlistener front {{ address 127.0.0.1:0; }}\n')
        done = product.countersign("-c", conf, "gateway", "--check", check=False)
        equal(done.returncode, 78, "exit status")
        check(f"{conf}:2:" in done.stderr and says in done.stderr, done.stderr)


if __name__ == "__main__":
    report.run("admin-tls", report.tests_of(sys.modules[__name__]))
