#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""backup, restore, bundle and export of the real program: what comes back is what was there; what was changed, cut off or
is sealed under another key is refused; no private octet is in any of these files."""
import datetime
import json
import os
import shutil
import subprocess
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import product
import report
import stores
from report import check, equal
from stores import Store, made, write

CLOSED = stores.rfc3339(time.time() - 300 * stores.DAY)  # in the life of what is gone
PASS = write("export-pass", "correct horse battery\n")
os.chmod(PASS, 0o600)


def revocation_list(store):
    """An authority as trust-anchor, and its empty list of what it revoked."""
    place = os.path.dirname(write("authority.txt", ""))
    key, certificate = os.path.join(place, "authority.key"), os.path.join(place, "authority.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "300", "-subj",
                    "/CN=authority", "-addext", "keyUsage=keyCertSign,cRLSign", "-keyout", key, "-out", certificate], check=True,
                   stderr=subprocess.DEVNULL)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)
    crl = x509.CertificateRevocationListBuilder(issuer_name=x509.load_pem_x509_certificate(read(certificate)).subject, last_update=now,
                                                next_update=now + datetime.timedelta(days=9))
    signed = crl.sign(serialization.load_pem_private_key(read(key), None), hashes.SHA256())
    path = os.path.join(place, "authority.crl")
    with open(path, "wb") as out:
        out.write(signed.public_bytes(serialization.Encoding.PEM))
    store.run("add", "--role", "trust-anchor", "--alias", "authority", certificate, "--activate")
    store.run("add-crl", "--alias", "authority", path)


def filled():
    """Five slots, entries of several states, a decrypt and a sign key."""
    store = Store()
    store.verifier("new", "--activate")
    store.verifier("twin1", "--activate")
    store.run("deactivate", "acme-sign#1")
    store.signer("new", "--activate")
    store.signer("twin2", "--activate")
    store.run("generate", "--role", "tls-client", "--alias", "client", "--key", "ec:P-256")
    revocation_list(store)
    store.verifier("gone", "--since", "not-before", "--until", CLOSED, alias="past")
    return store


def backup(store, name="store.backup"):
    path = os.path.join(product.new_directory(), name)
    store.run("backup", "-o", path)
    return path


def empty_with_key_of(store):
    """A new store that was made with the other one's key-encryption key."""
    directory = product.new_directory()
    shutil.copy(store.path + ".kek", os.path.join(directory, "ks.db.kek"))
    fresh = Store.__new__(Store)
    product.Keystore.__init__(fresh, directory)
    return fresh


def acceptable(store, at):
    return store.run("acceptable", "--partner", "acme", "--at", at, "--json").stdout


def private_octets(name):
    """What must never be found: the secret number of a key, and its PKCS#8 form."""
    key = made(name).key
    number = key.private_numbers().private_value
    return number.to_bytes(32, "big"), key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def read(path):
    with open(path, "rb") as data:
        return data.read()


def test_an_empty_store_takes_everything():
    store = filled()
    path = backup(store)
    equal(os.stat(path).st_mode & 0o777, 0o600, "mode of the backup")
    fresh = empty_with_key_of(store)
    told = fresh.run("restore", path)
    check("only in the backup" in told.stdout and "nothing was changed" in told.stderr, told.stdout)
    equal(fresh.entries(), {}, "entries after a look")
    back = json.loads(fresh.run("restore", path, "--merge", "--json").stdout)
    equal((back["done"], back["whole"]), (True, True), "what was said")
    before = {e: (r["state"], r["sha256"], r["process_stop"]) for e, r in store.entries().items()}
    equal({e: (r["state"], r["sha256"], r["process_stop"]) for e, r in fresh.entries().items()}, before, "entries")
    for at in ("2025-06-01T00:00:00Z", CLOSED, "2030-01-01T00:00:00Z"):
        equal([json.loads(x)["sha256"] for x in acceptable(fresh, at).splitlines()],
              [json.loads(x)["sha256"] for x in acceptable(store, at).splitlines()], f"acceptable at {at}")
    equal(fresh.run("audit", "verify").returncode, 0, "the chain holds")
    message = write("plain.xml", "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body/></e:Envelope>")
    product.countersign("--keystore", fresh.uri, "sign", "--alias", "own-sign", message, "-o", os.devnull)
    fresh.run("deactivate", "acme-sign#2")
    equal(fresh.run("audit", "verify").returncode, 0, "the chain goes on")


def test_a_store_in_use_takes_what_it_lacks():
    store = filled()
    path = backup(store)
    other = empty_with_key_of(store)
    other.verifier("short", "--activate")
    other.run("add", "--role", "sign", "--alias", "own-sign", made("soon").certificate_file, "--private-key", made("soon").key_file, "--activate")
    only = json.loads(other.run("restore", path, "--only", "acme-sign", "--json").stdout)
    equal((only["done"], only["whole"], only["taken"]), (True, False, 2), "one alias")
    states = {r["sha256"]: r["state"] for r in other.entries().values()}
    equal((states[made("new").sha256], states[made("twin1").sha256], states[made("short").sha256]), ("deactivated", "active", "active"), "states")
    rehearsed = json.loads(other.run("restore", path, "--merge", "--dry-run", "--json").stdout)
    check(not rehearsed["done"] and rehearsed["taken"] > 0, str(rehearsed))
    check(rehearsed["revocation_lists"] == 1, str(rehearsed))
    merged = other.run("restore", path, "--merge")
    check("1 revocation lists came in" in merged.stderr, merged.stderr)
    signers = {r["sha256"]: (e, r["state"]) for e, r in other.entries().items() if r["alias"] == "own-sign"}
    equal(signers[made("soon").sha256][1], "active", "the one in use stays")
    equal(signers[made("twin2").sha256][1], "pre-active", "the active one of the backup waits")
    other.run("activate", signers[made("twin2").sha256][0], "--shorter-ok")
    message = write("plain.xml", "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body/></e:Envelope>")
    product.countersign("--keystore", other.uri, "sign", "--alias", "own-sign", message, "-o", os.devnull)
    again = json.loads(other.run("restore", path, "--merge", "--json").stdout)
    equal((again["done"], again["taken"], again["revocation_lists"]), (False, 0, 0), "a second time")
    equal(other.run("audit", "verify").returncode, 0, "audit")
    check(other.run("export", "past#1").stdout.startswith("-----BEGIN"), "a certificate of the past")


def test_a_decrypt_key_goes_only_when_a_backup_has_it():
    store = filled()
    store.run("generate", "--role", "decrypt", "--alias", "inbox")
    store.run("generate", "--alias", "inbox")
    store.run("activate", "inbox#2", "--shorter-ok")
    later = stores.rfc3339(time.time() + 200 * stores.DAY)
    store.refuses(10, "remove", "inbox#1", "--now", later, says="refused G14")
    backup(store)
    store.run("remove", "inbox#1", "--now", later)


def test_bad_backups_are_refused_and_change_nothing():
    store = filled()
    good = read(backup(store))
    target = empty_with_key_of(store)
    target.verifier("short", "--activate")
    lines = good.split(b"\n")
    row = next(i for i, line in enumerate(lines) if line.startswith(b"R\t") and b"acme-sign" in line)
    dropped = b"\n".join(lines[:row] + lines[row + 1:])
    table = (
        (good[:-10], "cut off"), (good[:len(good) // 2], "cut off"), (good[:40], "cut off"), (b"", "no backup"), (b"PK\3\4 something", "no backup"),
        (good.replace(b"acme-sign", b"acme-sigm", 1), "backup-changed"), (dropped, "damaged"), (good + b"R\tn\n", "damaged"),
        (good.replace(b"T\tentry\t", b"T\tsqlite_master\t"), "does not take"), (good.replace(b"H\tschema\t", b"H\tschema\t9"), "newer release"),
        (good.replace(b"\nR\t", b"\nR\tt\\x\t", 1), "damaged"), (good.replace(b"\ti", b"\tiz", 1), "damaged"),
    )
    for data, says in table:
        path = write("bad.backup", data)
        code = 78 if says == "newer release" else 64
        for how in ([], ["--merge"]):
            target.refuses(code, "restore", path, *how, says=says)
    stranger = Store()
    stranger.refuses(78, "restore", write("good.backup", good), "--merge", says="kek-unavailable")
    stranger.refuses(3, "restore", "/nowhere/backup")


def test_a_key_encryption_key_of_before_opens_an_old_backup():
    store = filled()
    path = backup(store)
    store.run("rekey")
    check("hold the same entries" in store.run("restore", path).stderr, "the old backup is read")
    os.unlink(store.path + ".kek.old")
    store.refuses(78, "restore", path, says="kek-unavailable")


def test_no_private_octet_is_in_any_file():
    store = filled()
    path = backup(store)
    bundle = os.path.join(product.new_directory(), "bundle.json")
    store.run("bundle", "--as-of", "2030-01-01T00:00:00Z", "-o", bundle)
    kek = read(store.path + ".kek").strip()
    files = [path, bundle, store.path] + [f for f in (store.path + "-wal",) if os.path.exists(f)]
    for file in files:
        data = read(file)
        for name in ("new", "twin2"):
            number, pkcs8 = private_octets(name)
            for secret in (number, number.hex().encode(), pkcs8[:40], pkcs8[:40].hex().encode(), pkcs8):
                check(secret not in data, f"{file} holds octets of a private key")
        check(kek not in data and bytes.fromhex(kek.decode()) not in data, f"{file} holds the key-encryption key")


def test_a_bundle_tells_who_was_accepted_when():
    store = filled()
    path = os.path.join(product.new_directory(), "bundle.json")
    store.run("bundle", "--as-of", CLOSED, "-o", path)
    early = json.loads(read(path))
    equal([e["entry"] for e in early["entries"]], ["past#1"], "what was accepted then")
    store.run("bundle", "--as-of", "2030-01-01T00:00:00Z", "-o", path)
    bundle = json.loads(read(path))
    equal((bundle["format"], bundle["version"]), ("countersign-bundle", 1), "format")
    entries = {e["entry"]: e for e in bundle["entries"]}
    first = entries["acme-sign#1"]
    equal([s["capability"] for s in first["accepted"]], ["verify"], "capabilities")
    check(first["accepted"][0]["to"] is not None and entries["acme-sign#2"]["accepted"][0]["to"] is None, "ends of the spans")
    certificate = x509.load_pem_x509_certificate(first["certificate"].encode())
    equal(certificate.public_bytes(serialization.Encoding.PEM).decode(), read(made("new").certificate_file).decode(), "certificate")
    check("BEGIN CERTIFICATE" in entries["client#1"]["issuers"], "issuers")
    equal(bundle["audit_hash"], bundle["audit_hash"].lower(), "audit head")


def test_certificates_leave_in_every_form():
    store = filled()
    chain = store.run("export", "client#1", "--chain").stdout
    equal(chain.count("BEGIN CERTIFICATE"), 2, "chain")
    equal(store.run("export", "client#1", "--root").stdout, store.run("export", "own-ca#1").stdout, "root")
    out = os.path.join(product.new_directory(), "out")
    store.run("export", "client#1", "--format", "der", "-o", out)
    equal(x509.load_der_x509_certificate(read(out)).serial_number, x509.load_pem_x509_certificate(chain.encode()).serial_number, "DER")
    store.run("export", "client#1", "--chain", "--format", "pkcs7", "-o", out)
    listed = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-in", out, "-print_certs"], check=True, stdout=subprocess.PIPE, text=True).stdout
    equal(listed.count("BEGIN CERTIFICATE"), 2, "PKCS#7")
    store.refuses(64, "export", "client#1", "--chain", "--format", "der", says="DER holds one")
    store.refuses(64, "export", "client#9", says="no entry")


def test_a_private_key_leaves_encrypted_and_audited():
    store = filled()
    done = store.run("export", "own-sign#2", "--private", "--passphrase-file", PASS, "--reason", "move to another product")
    check("BEGIN ENCRYPTED PRIVATE KEY" in done.stdout, done.stdout)
    key = serialization.load_pem_private_key(done.stdout.encode(), b"correct horse battery")
    equal(key.private_numbers(), made("twin2").key.private_numbers(), "the key")
    equal(store.run("audit", "verify").returncode, 0, "audit")
    check("export-private" in store.content() and "move to another product" in store.content(), "what left is in the audit")
    store.refuses(64, "export", "own-sign#2", "--private", says="only encrypted")
    short = write("short-pass", "short\n")
    os.chmod(short, 0o600)
    store.refuses(64, "export", "own-sign#2", "--private", "--passphrase-file", short, says="at least 12")
    store.refuses(64, "export", "acme-sign#1", "--private", "--passphrase-file", PASS, says="no private key")


if __name__ == "__main__":
    report.run("keystore-backup", report.tests_of(sys.modules[__name__]))
