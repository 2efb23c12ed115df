#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""keystore csr and import-reply of the real program: the key is in the store before the request leaves; what comes back
must be the certificate that was asked for."""
import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

import product
import report
from authority import DER, PEM, Authority, name
from report import check, equal
from stores import DAY, PLACE, Store, records, write

ASK = ["csr", "--alias", "ack-client", "--role", "tls-client", "--subject", "CN=acme,O=Acme AG", "--key", "ec:P-256"]
AUTHORITY = Authority()


def ask(store, *args):
    path = os.path.join(product.new_directory(), "request.csr")
    done = store.run(*(args or ASK), "-o", path)
    with open(path, "rb") as text:
        return x509.load_pem_x509_csr(text.read()), done


def reply(store, data, *more, **how):
    return store.run("import-reply", "--alias", "ack-client", write("reply", data), *more, **how)


def entries(store):
    return [(r["entry"], r["state"]) for r in map(json.loads, store.run("list", "--json").stdout.splitlines()) if "sha256" in r]


def test_the_key_is_kept_before_the_request_leaves():
    store = Store()
    csr, done = ask(store)
    check(csr.is_signature_valid, "signature of the request")
    equal([a.value for a in csr.subject], ["Acme AG", "acme"], "name, in the order of certificates")
    usage = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    equal(list(usage), [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH], "extended key usage")
    check("import-reply --alias ack-client FILE" in done.stderr, done.stderr)
    check("ack-client#1  tls-client  -  pre-active (no certificate)" in store.run("list").stdout, store.run("list").stdout)
    record = json.loads(store.run("show", "ack-client", "--json").stdout)
    equal((record["entry"], record["state"], record["certificate"], record["private_key"]),
          ("ack-client#1", "pre-active", False, True), "record")
    again, done = ask(store, "csr", "--alias", "ack-client")
    equal(again.public_bytes(DER), csr.public_bytes(DER), "asked again")
    check("waits already" in done.stderr, done.stderr)
    before = store.content()
    for more, says in ((["--subject", "CN=other"], "another name"), (["--key", "rsa:2048"], "another kind of key")):
        refused = store.run("csr", "--alias", "ack-client", *more, check=False)
        equal((refused.returncode, says in refused.stderr, "--discard" in refused.stderr), (12, True, True), refused.stderr)
    equal(store.content(), before, "content")
    equal(store.run("audit", "verify").returncode, 0, "audit")


def test_every_form_of_the_reply_is_taken_and_the_first_is_active_at_once():
    leaf = None

    def seven(x):
        return pkcs7.serialize_certificates([AUTHORITY.root, x, AUTHORITY.issuer], DER)

    for form in (lambda x: AUTHORITY.pem(x, (2, 0, 1)), lambda x: x.public_bytes(DER), seven,
                 lambda x: pkcs7.serialize_certificates([x, AUTHORITY.issuer], PEM)):
        store = Store()
        csr, _ = ask(store)
        leaf = AUTHORITY.answer(csr)
        done = reply(store, form(leaf))
        equal((done.returncode, done.stdout), (0, "ack-client#1\n"), done.stderr)
        record = records(store.run("show", "ack-client#1", "--json"))[0]
        equal((record["state"], record["sha256"], record["private_key"]), ("active", leaf.fingerprint(hashes.SHA256()).hex(), True), "entry")
        equal(len(store.run("list", "--json").stdout.splitlines()), 1, "no request any more")
        equal(store.run("audit", "verify").returncode, 0, "audit")
    equal(reply(store, leaf.public_bytes(PEM), check=False).returncode, 12, "it came already")
    path = write("passphrase", "only for this test, long\n")
    exported = store.run("export", "ack-client#1", "--private", "--passphrase-file", path).stdout
    key = serialization.load_pem_private_key(exported.encode(), b"only for this test, long")
    equal(key.public_key().public_numbers(), leaf.public_key().public_numbers(), "key of the request")


def test_the_second_keeps_name_and_kind_and_waits_for_activate():
    store = Store()
    csr, _ = ask(store)
    reply(store, AUTHORITY.pem(AUTHORITY.answer(csr)))
    second, _ = ask(store, "csr", "--alias", "ack-client")
    equal(second.subject.public_bytes(), csr.subject.public_bytes(), "name")
    check(second.public_key().public_numbers() != csr.public_key().public_numbers(), "a key of its own")
    done = reply(store, AUTHORITY.pem(AUTHORITY.answer(second)))
    equal((done.stdout, entries(store)), ("ack-client#2\n", [("ack-client#1", "active"), ("ack-client#2", "pre-active")]), done.stderr)
    third = store.run("csr", "--alias", "ack-client", check=False)
    equal((third.returncode, "G2" in third.stderr, third.stdout), (10, True, ""), third.stderr)
    store.run("activate", "ack-client#2")
    equal(entries(store), [("ack-client#1", "deactivated"), ("ack-client#2", "active")], "exchanged")


def test_what_was_not_asked_for_is_refused_and_the_request_stays_open():
    store = Store()
    csr, _ = ask(store)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    server = x509.oid.ExtendedKeyUsageOID.SERVER_AUTH
    cases = ((AUTHORITY.answer(csr, key=other), 10, "has not the key of the request"),
             (AUTHORITY.answer(csr, subject=name((NameOID.COMMON_NAME, "acme"))), 10, "requested was"),
             (AUTHORITY.answer(csr, usage=server), 10, "G5"),
             (AUTHORITY.answer(csr, days=(-20, -1)), 64, "ended"))
    for leaf, exit_code, says in cases:
        store.refuses(exit_code, "import-reply", "--alias", "ack-client", write("bad", leaf.public_bytes(PEM)), says=[says])
    store.refuses(64, "import-reply", "--alias", "ack-client", write("bad", b"no certificate at all"))
    store.refuses(64, "import-reply", "--alias", "ack-klient", write("bad", AUTHORITY.pem(AUTHORITY.answer(csr))), says=["ack-client"])
    equal(reply(store, AUTHORITY.pem(AUTHORITY.answer(csr))).stdout, "ack-client#1\n", "the right one")


def test_a_reply_of_another_authority_is_told_and_one_without_overlap_is_not_activated():
    store = Store()
    csr, _ = ask(store)
    reply(store, AUTHORITY.pem(AUTHORITY.answer(csr)))
    stranger = Authority(issuer="another issuer")
    for answer, says in ((lambda c: stranger.pem(stranger.answer(c)), None),
                         (lambda c: AUTHORITY.pem(AUTHORITY.answer(c, days=(30, 800))), "G4 overlap"),
                         (lambda c: AUTHORITY.pem(AUTHORITY.answer(c, days=(-1, 90))), "G4 overlap")):
        second, _ = ask(store, "csr", "--alias", "ack-client")
        done = reply(store, answer(second))
        entry = done.stdout.strip()
        equal("has another issuer: a partner that checks the issuer must be told" in done.stderr, says is None, done.stderr)
        if says is not None:
            store.refuses(10, "activate", entry, says=[says])
        store.run("remove", entry)
    equal(entries(store), [("ack-client#1", "active")], "the first one serves")


def test_a_request_given_up_takes_its_key_along():
    store = Store()
    csr, _ = ask(store)
    store.run("csr", "--alias", "ack-client", "--discard")
    check("no certificate" not in store.run("list").stdout, "list")
    store.refuses(64, "import-reply", "--alias", "ack-client", write("late", AUTHORITY.pem(AUTHORITY.answer(csr))),
                  says=["waits for no certificate"])
    store.refuses(64, "csr", "--alias", "ack-client", "--discard", says=["waits for no certificate"])
    equal(store.run("audit", "verify").returncode, 0, "audit")


def test_a_rehearsal_keeps_nothing():
    store = Store()
    before = store.content()
    done = store.run(*ASK, "--dry-run")
    equal((done.stdout, store.content()), ("", before), done.stderr)
    csr, _ = ask(store)
    before = store.content()
    equal(reply(store, AUTHORITY.pem(AUTHORITY.answer(csr)), "--dry-run").returncode, 0, "rehearsal")
    equal(store.content(), before, "content")


def test_a_waiting_key_is_sealed_anew_with_the_others():
    """A rekey that reached only keys of entries lost the key of an open request."""
    store = Store()
    csr, _ = ask(store)
    store.run("rekey")
    equal(reply(store, AUTHORITY.pem(AUTHORITY.answer(csr))).stdout, "ack-client#1\n", "after rekey")


if __name__ == "__main__":
    report.run("keystore-csr", report.tests_of(sys.modules[__name__]))
