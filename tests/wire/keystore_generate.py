#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""keystore generate of the real program: the documented example, the life of two certificates, the limits, names, and
what was made, judged by another program."""
import json
import os
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

import product
import report
from report import check, equal
from stores import DAY, Store, instant, records, write

DONE = "Certificate generated successfully"
FIRST = ["generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256"]


def certificates(store, entry):
    """What export --chain gives, as objects."""
    pem = store.run("export", entry, "--chain").stdout
    mark = "-----END CERTIFICATE-----\n"
    return [x509.load_pem_x509_certificate((part + mark).encode()) for part in pem.split(mark) if part.strip()]


def test_the_documented_example_gives_an_active_entry():
    store = Store()
    done = store.run(*FIRST)
    equal((done.returncode, done.stdout), (0, "ack-client#1\n"), "result")
    check(f"countersign: {DONE}\n" in done.stderr, done.stderr)
    record = records(store.run("show", "ack-client#1", "--json"))[0]
    equal((record["state"], record["role"], record["subject"]), ("active", "tls-client", "CN=acme"), "entry")
    equal((record["key_algorithm"], record["key_bits"], record["private_key"]), ("EC", 256, True), "key")
    check(abs(instant(record["not_after"]) - instant(record["created_at"]) - 365 * DAY) < 2, record["not_after"])
    leaf, authority = certificates(store, "ack-client#1")
    anchor = write("anchor.pem", store.run("export", "own-ca#1").stdout)
    equal(authority.public_bytes(serialization.Encoding.PEM).decode(), store.run("export", "own-ca#1").stdout, "issuer behind the certificate")
    judged = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", anchor,
                             write("leaf.pem", store.run("export", "ack-client#1").stdout)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False)
    equal(judged.returncode, 0, f"openssl verify: {judged.stdout}")
    usage = leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    equal(list(usage), [ExtendedKeyUsageOID.CLIENT_AUTH], "extended key usage")
    key_usage = leaf.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    check(key_usage.critical and key_usage.value.digital_signature and not key_usage.value.key_cert_sign, str(key_usage))
    constraints = leaf.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    check(constraints.critical and not constraints.value.ca, str(constraints))
    equal(store.run("audit", "verify").returncode, 0, "audit")


def test_two_at_most_and_the_second_takes_over():
    store = Store()
    store.run(*FIRST)
    second = store.run("generate", "--alias", "ack-client")
    equal(second.stdout, "ack-client#2\n", "second")
    one, two = (certificates(store, f"ack-client#{n}") for n in (1, 2))
    equal(two[0].subject.public_bytes(), one[0].subject.public_bytes(), "subject octets")
    equal(two[0].issuer.public_bytes(), one[0].issuer.public_bytes(), "issuer octets")
    equal(two[1], one[1], "authority")
    check(two[0].public_key().public_numbers() != one[0].public_key().public_numbers(), "the key was kept")
    states = {r["entry"]: r["state"] for r in records(store.run("list", "--role", "tls-client", "--json"))}
    equal(states, {"ack-client#1": "active", "ack-client#2": "pre-active"}, "states")
    third = store.refuses(10, "generate", "--alias", "ack-client", says="refused G2 limit-two: ")
    equal(third.stdout, "", "what a refusal prints")
    check(DONE not in third.stderr, third.stderr)
    store.refuses(10, "remove", "ack-client#1", says="refused G7")
    store.run("activate", "ack-client#2")
    states = {r["entry"]: r["state"] for r in records(store.run("list", "--role", "tls-client", "--json"))}
    equal(states, {"ack-client#1": "deactivated", "ack-client#2": "active"}, "states after activation")
    store.run("activate", "ack-client#1")
    store.run("activate", "ack-client#2")
    store.refuses(10, "generate", "--alias", "ack-client", says="refused G2 limit-two: ")
    store.run("remove", "ack-client#1")
    equal(store.run("generate", "--alias", "ack-client").stdout, "ack-client#3\n", "after the inactive one went")


def test_many_at_once_make_two():
    store = Store()
    command = [product.COUNTERSIGN, "--keystore", store.uri, "keystore", *FIRST]
    running = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(8)]
    said = [(process.communicate(timeout=report.PATIENCE_S), process.returncode) for process in running]
    equal(sorted(out for (out, _), _ in said), [""] * 6 + ["ack-client#1\n", "ack-client#2\n"], "entries printed")
    equal(sorted(status for _, status in said), [0, 0] + [10] * 6, "status")
    states = {r["entry"]: r["state"] for r in records(store.run("list", "--json"))}
    equal(states, {"ack-client#1": "active", "ack-client#2": "pre-active", "own-ca#1": "active"}, "states")
    equal(store.run("audit", "verify").returncode, 0, "audit")


def test_a_dry_run_changes_nothing():
    store = Store()
    before = store.content()
    for form in ((), ("--json",)):
        done = store.run(*FIRST, "--dry-run", *form)
        check(DONE not in done.stderr, done.stderr)
        equal(store.content(), before, "content")
    equal(json.loads(done.stdout)["done"], False, "done")
    store.run(*FIRST)
    store.run(*FIRST)
    store.refuses(10, *FIRST, "--dry-run", says="refused G2")


def test_quiet_and_json():
    store = Store()
    quiet = store.run(*FIRST, "-q")
    equal((quiet.stdout, quiet.stderr), ("ack-client#1\n", ""), "quiet")
    record = records(store.run("generate", "--role", "sign", "--alias", "own-sign", "--key", "ed25519", "--json"))[0]
    equal((record["entry"], record["action"], record["done"]), ("own-sign#1", "generate", True), "record")
    equal((record["key_algorithm"], record["subject"]), ("Ed25519", "CN=own-sign"), "key and name")


def test_a_subject_cannot_bring_in_what_it_does_not_say():
    store = Store()
    for subject in ("", "acme", "CN=a+O=Evil", "CN=a,XX=b", "CN=\"a,O=Evil\"", "CN=a\nO=Evil", "/CN=a/O=Evil", "CN=a\\0aO=Evil", "CN=a;O=Evil",
                    "CN=#0c0161", "C=Germany", "CN=" + "a" * 65, "2.5.4.3=a", "CN=a\\"):
        store.refuses(64, "generate", "--role", "sign", "--alias", "own-sign", "--key", "ec:P-256", "--subject", subject)
    store.run("generate", "--role", "sign", "--alias", "own-sign", "--key", "ec:P-256", "--subject", "CN=a\\,O\\=b,O=Acme\\+Co,C=DE")
    name = certificates(store, "own-sign#1")[0].subject
    equal([(a.oid, a.value) for a in name],
          [(NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Acme+Co"), (NameOID.COMMON_NAME, "a,O=b")], "attributes")
    store.refuses(64, "generate", "--alias", "own-sign", "--subject", "CN=b", says="keeps that name")


def test_what_does_not_fit():
    store = Store()
    for kind in ("rsa:1024", "rsa:8192", "ec:P-224", "ec", "dsa:2048", "RSA:2048"):
        store.refuses(64, "generate", "--role", "sign", "--alias", "own-sign", "--key", kind, says="no kind of key")
    store.refuses(64, "generate", "--role", "decrypt", "--alias", "own-open", "--key", "ed25519", says="only signs")
    store.refuses(64, "generate", "--role", "verifier", "--alias", "own-sign", says="none of")
    store.refuses(64, "generate", "--alias", "own-sign", says="--role")
    store.refuses(64, "generate", "--role", "sign", says="--alias")
    store.refuses(64, "generate", "--role", "sign", "--alias", "own-ca", says="certification authority")
    for days in ("0", "3651", "x", "-1"):
        store.refuses(64, "generate", "--role", "sign", "--alias", "own-sign", "--days", days)
    store.refuses(64, "generate", "--role", "sign", "--alias", "own-sign", "--issuer", "other", says="the configuration has no issuer other")


def test_days():
    store = Store()
    record = records(store.run(*FIRST, "--days", "30", "--json"))[0]
    check(abs(instant(record["not_after"]) - instant(record["created_at"]) - 30 * DAY) < 2, record["not_after"])


def test_no_key_stands_open_in_the_file():
    store = Store()
    store.run("generate", "--role", "sign", "--alias", "own-sign", "--key", "rsa:2048")
    with open(store.path, "rb") as file:
        data = file.read()
    for mark in (b"PRIVATE KEY", bytes.fromhex("300d06092a864886f70d0101010500048204")):  # the head of an RSA key in PKCS#8
        check(mark not in data, f"{mark!r} in the store")
    equal(os.stat(store.path).st_mode & 0o077, 0, "mode of the store for others")


def test_a_message_is_signed_with_a_generated_key():
    store = Store()
    store.run("generate", "--role", "sign", "--alias", "own-sign", "--key", "ec:P-384")
    certificate = store.run("export", "own-sign#1").stdout
    store.run("add", "--role", "verifier", "--partner", "self", "--alias", "self-sign", write("self.pem", certificate), "--activate")
    envelope = write("plain.xml", '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a/></s:Body></s:Envelope>')
    signed = product.countersign("--keystore", store.uri, "sign", "--alias", "own-sign", envelope)
    equal(signed.returncode, 0, f"sign: {signed.stderr}")
    verified = product.countersign("--keystore", store.uri, "verify", "--partner", "self", "--json", write("signed.xml", signed.stdout))
    equal(json.loads(verified.stdout)["verdict"], "pass", f"verdict: {verified.stdout}")


if __name__ == "__main__":
    report.run("keystore-generate", report.tests_of(sys.modules[__name__]))
