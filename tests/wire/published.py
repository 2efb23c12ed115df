#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""/.well-known/countersign/certs: which certificates are there, where it is served, and that what a partner took is known."""
import json
import sqlite3
import sys

import report
import tls
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from report import check, equal, until

CERTS = "/.well-known/countersign/certs"
FRONT = "listener front { address 127.0.0.1:0; tls front-tls; publish certificates; } listener back { address 127.0.0.1:0; }"
ROUTES = tls.ROUTE + 'route other {{ listener back; path "/other"; upstream "{url}"; }}\n'


def prepare(house):
    house.partner = house.issue("partner")
    house.keystore.run("add", "--role", "authz-client", "--alias", "partner", house.partner.certificate_file, "--activate")
    house.keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", house.issue("acme").certificate_file,
                       "--activate")
    house.keystore.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256")
    house.keystore.run("generate", "--alias", "ack-client")
    house.add("sign", "own-sign", house.issue("own-sign"))
    house.add("sign", "own-sign", house.issue("own-sign-2"), "--activate")


def house():
    return tls.House(tls="client-anchors senders; client-certificate optional;", prepare=prepare, routes=ROUTES, listeners=FRONT)


def get(house, pair=None, fields=(), path=CERTS):
    with house.client(pair) as client:
        lines = [f"GET {path} HTTP/1.1", f"Host: {tls.HOST}", *fields]
        client.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        return client.reply()


def test_own_certificates_in_use_and_to_come_and_anchors_are_there_and_no_others():
    with house() as home:
        reply = get(home)
        equal((reply.status, reply.fields["content-type"]), (200, "application/json"), "reply")
        found = json.loads(reply.body)["certificates"]
        equal([(c["alias"], c["n"], c["state"]) for c in found],
              [("ack-client", 1, "active"), ("ack-client", 2, "pre-active"), ("gw", 1, "active"), ("own-ca", 1, "active"),
               ("own-sign", 2, "active"), ("receivers", 1, "active"), ("senders", 1, "active")], "certificates")
        check(b"PRIVATE" not in reply.body, "no key")
        for c in found:
            leaf = x509.load_pem_x509_certificate(c["pem"].encode())
            equal(leaf.fingerprint(hashes.SHA256()).hex(), c["sha256"], c["alias"])
        tag = reply.fields["etag"]
        equal(get(home, fields=[f"If-None-Match: {tag}"]).status, 304, "the same")
        home.keystore.run("activate", "ack-client#2")
        until(lambda: get(home, fields=[f"If-None-Match: {tag}"]).status == 200, what="another tag after a change")
        equal(get(home, path="/.well-known/countersign/keys").status, 404, "elsewhere")
        record = home.gateway.logged(lambda r: r["status"] == 200)
        equal(record["reason"], "ok", record)


def test_only_the_listener_that_says_so_serves_it():
    with house() as home, wire.Client(home.gateway.addresses[1]) as client:
        client.send(f"GET {CERTS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        equal(client.reply().status, 404, "status")


def test_what_a_partner_took_is_written_down_and_what_a_stranger_took_is_not():
    with house() as home:
        def taken():
            with sqlite3.connect(f"file:{home.keystore.path}?mode=ro", uri=True) as db:
                return {row[0] for row in db.execute("select object from observation where kind='fetched'")}
        published = {c["sha256"] for c in json.loads(get(home).body)["certificates"]}
        equal(get(home, home.issue("stranger")).status, 200, "a stranger")
        equal(taken(), set(), "taken by nobody known")
        equal(get(home, home.partner).status, 200, "a partner")
        until(lambda: taken() == published, what="what the partner took")


if __name__ == "__main__":
    sys.exit(report.run("published", report.tests_of(sys.modules[__name__])))
