#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Files that other products hand out, as keystore import and add take them: every format made by OpenSSL's own command
line or by Java, and a table of bad ones, each of which is refused with its reason and changes nothing."""
import os
import subprocess
import sys

import report
from report import check, equal
from stores import Store, made, write

PASSPHRASE = "correct horse battery"
ROLE = {"sign": ["--role", "sign", "--alias", "own-sign"], "verifier": ["--role", "verifier", "--partner", "acme", "--alias", "acme-sign"]}


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    equal(done.returncode, 0, f"openssl {' '.join(args)}: {done.stderr.decode()}; status")


def at(name):
    return os.path.join(os.path.dirname(write(".place", "")), name)


def secret(name, text):
    path = write(name, text)
    os.chmod(path, 0o600)
    return path


def read(path):
    with open(path, "rb") as data:
        return data.read()


PASS = secret("pass", PASSPHRASE + "\n")
WRONG = secret("wrong", "something else\n")
BY = ["--passphrase-file", PASS]


def make_files():
    """A leaf of an authority, in every form."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=Formats CA", "-days", "300")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", at("leaf.key"), "-out", at("leaf.csr"), "-subj", "/CN=leaf")
    openssl("x509", "-req", "-in", at("leaf.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-set_serial", "7", "-days", "200", "-out", at("leaf.pem"))
    pair = ["-in", at("leaf.pem"), "-inkey", at("leaf.key")]
    openssl("pkcs12", "-export", *pair, "-certfile", at("ca.pem"), "-out", at("new.p12"), "-passout", f"file:{PASS}")
    openssl("pkcs12", "-export", "-legacy", *pair, "-certfile", at("ca.pem"), "-out", at("old.p12"), "-passout", f"file:{PASS}")
    openssl("pkcs12", "-export", *pair, "-out", at("open.p12"), "-passout", "pass:")
    openssl("pkcs12", "-export", "-nokeys", "-in", at("leaf.pem"), "-certfile", at("ca.pem"), "-out", at("nokey.p12"), "-passout", f"file:{PASS}")
    openssl("crl2pkcs7", "-nocrl", "-certfile", at("ca.pem"), "-certfile", at("leaf.pem"), "-outform", "DER", "-out", at("reply.p7b"))
    openssl("crl2pkcs7", "-nocrl", "-certfile", at("ca.pem"), "-certfile", at("leaf.pem"), "-out", at("reply.p7.pem"))
    openssl("x509", "-in", at("leaf.pem"), "-outform", "DER", "-out", at("leaf.der"))
    openssl("pkcs8", "-topk8", "-in", at("leaf.key"), "-out", at("sealed.key"), "-passout", f"file:{PASS}")
    openssl("pkcs8", "-topk8", "-scrypt", "-in", at("leaf.key"), "-outform", "DER", "-out", at("sealed.der"), "-passout", f"file:{PASS}")
    openssl("rsa", "-traditional", "-aes256", "-in", at("leaf.key"), "-out", at("old-way.key"), "-passout", f"file:{PASS}")
    openssl("pkey", "-in", at("leaf.key"), "-outform", "DER", "-out", at("leaf.key.der"))
    write("upside.pem", read(at("ca.pem")) + read(at("leaf.pem")))
    write("all.pem", read(at("leaf.key")) + read(at("ca.pem")) + read(at("leaf.pem")))
    for name in ("new.p12", "reply.p7b", "leaf.der", "sealed.der"):
        write(f"cut-{name}", read(at(name))[:-40])
    write("cut.pem", read(at("leaf.pem"))[:-60])
    octets = bytearray(read(at("new.p12")))
    octets[len(octets) // 2] ^= 1
    write("changed.p12", bytes(octets))
    write("two-keys.pem", read(at("all.pem")) + read(made("new").key_file))
    write("strangers.pem", read(at("leaf.pem")) + read(made("new").certificate_file))
    write("other-key.pem", read(at("leaf.pem")) + read(made("new").key_file))
    write("only-key.pem", read(at("leaf.key")))
    write("jks", b"\xfe\xed\xfe\xed\0\0\0\2" + bytes(40))
    write("jceks", b"\xce\xce\xce\xce\0\0\0\2" + bytes(40))
    write("large.pem", b"-----BEGIN CERTIFICATE-----\n" + b"A" * (1 << 20))
    write("text", "no certificate at all\n")
    write("nothing", "")


make_files()

# what is taken in: file, role, further arguments, length of the chain that export --chain shows
GOOD = (
    ("new.p12", "sign", BY, 2),
    ("old.p12", "sign", BY, 2),
    ("open.p12", "sign", [], 1),
    ("nokey.p12", "verifier", BY, 2),
    ("reply.p7b", "verifier", [], 2),
    ("reply.p7.pem", "verifier", [], 2),
    ("leaf.der", "verifier", [], 1),
    ("upside.pem", "verifier", [], 2),
    ("all.pem", "sign", [], 2),
    ("leaf.pem", "sign", ["--private-key", "sealed.key", *BY], 1),
    ("leaf.pem", "sign", ["--private-key", "sealed.der", *BY], 1),
    ("leaf.pem", "sign", ["--private-key", "old-way.key", *BY], 1),
    ("leaf.pem", "sign", ["--private-key", "leaf.key.der"], 1),
)

# what is refused: file, role, further arguments, exit code, words of the sentence
BAD = (
    ("new.p12", "sign", ["--passphrase-file", WRONG], 64, "passphrase-wrong"),
    ("old.p12", "sign", ["--passphrase-file", WRONG], 64, "passphrase-wrong"),
    ("new.p12", "sign", [], 64, "passphrase-missing"),
    ("new.p12", "sign", ["--passphrase-file", "absent"], 3, "passphrase-unreadable"),
    ("cut-new.p12", "sign", BY, 64, "input-cut-off"),
    ("changed.p12", "sign", BY, 64, "passphrase-wrong"),
    ("cut-reply.p7b", "verifier", [], 64, "input-cut-off"),
    ("cut-leaf.der", "verifier", [], 64, "input-cut-off"),
    ("cut.pem", "verifier", [], 64, "damaged or cut off"),
    ("leaf.pem", "sign", ["--private-key", "cut-sealed.der", *BY], 64, "input-cut-off"),
    ("leaf.pem", "sign", ["--private-key", "sealed.key", "--passphrase-file", WRONG], 64, "passphrase-wrong"),
    ("leaf.pem", "sign", ["--private-key", "old-way.key", "--passphrase-file", WRONG], 64, "passphrase-wrong"),
    ("leaf.pem", "sign", ["--private-key", "sealed.key"], 64, "--passphrase-file"),
    ("leaf.pem", "sign", [], 10, "refused G5"),
    ("new.p12", "verifier", BY, 10, "refused G5"),
    ("two-keys.pem", "sign", [], 64, "several-keys"),
    ("strangers.pem", "verifier", [], 64, "several-certificates"),
    ("other-key.pem", "sign", [], 64, "key-differs"),
    ("only-key.pem", "sign", [], 64, "no certificate of it"),
    ("leaf.csr", "verifier", [], 64, "CERTIFICATE REQUEST"),
    ("jks", "sign", BY, 64, "keytool -importkeystore"),
    ("jceks", "sign", BY, 64, "keytool -importkeystore"),
    ("large.pem", "verifier", [], 64, "input-too-large"),
    ("text", "verifier", [], 64, "none of: PEM, DER"),
    ("nothing", "verifier", [], 64, "empty"),
    ("absent", "verifier", [], 3, "input-unreadable"),
)


def words(role, name, more):
    return ["import", *ROLE[role], at(name), *[at(m) if m.endswith((".key", ".der")) or m == "absent" else m for m in more]]


def test_every_format_comes_in_with_its_issuers_in_order():
    for name, role, more, length in GOOD:
        store = Store()
        done = store.run(*words(role, name, more), "--activate")
        entry = "own-sign#1" if role == "sign" else "acme-sign#1"
        equal(done.stdout, f"{entry}\n", name)
        equal(store.entries()[entry]["subject"], "CN=leaf", name)
        equal(store.run("export", entry, "--chain").stdout.count("BEGIN CERTIFICATE"), length, f"chain of {name}")
        equal("legacy" in done.stderr, name == "old.p12", f"what is said of {name}: {done.stderr}")
        check(PASSPHRASE not in done.stderr + done.stdout, "the passphrase was printed")
        equal(store.run("audit", "verify").returncode, 0, "audit")


def test_what_is_bad_is_refused_and_changes_nothing():
    store = Store()
    for name, role, more, code, says in BAD:
        store.refuses(code, *words(role, name, more), says=says)


def test_weak_expired_and_unfit_certificates_are_refused_by_their_guard():
    store = Store()
    for name, says in (("gone", "expired"), ("future", "valid from")):
        store.refuses(10, "import", *ROLE["verifier"], made(name).certificate_file, "--activate", says=["refused G4", says])
    store.refuses(10, "import", *ROLE["sign"], made("small").certificate_file, "--private-key", made("small").key_file, says="refused G5")
    store.refuses(10, "import", "--role", "trust-anchor", "--alias", "ca", made("new").certificate_file, says="refused G5")


def test_java_keystores_come_in_by_the_command_that_is_named():
    try:
        subprocess.run(["keytool", "-genkeypair", "-alias", "j", "-keyalg", "RSA", "-dname", "CN=java", "-storetype", "JKS", "-storepass", PASSPHRASE,
                        "-keypass", PASSPHRASE, "-keystore", at("real.jks")], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError as absent:
        raise report.Skip("keytool is not installed") from absent
    store = Store()
    store.refuses(64, "import", *ROLE["sign"], at("real.jks"), *BY, says="keytool -importkeystore")
    subprocess.run(["keytool", "-importkeystore", "-srckeystore", at("real.jks"), "-srcalias", "j", "-destkeystore", at("real.p12"),
                    "-deststoretype", "PKCS12", "-srcstorepass", PASSPHRASE, "-deststorepass", PASSPHRASE],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    equal(store.run("import", *ROLE["sign"], at("real.p12"), *BY, "--activate").stdout, "own-sign#1\n", "entry")


def list_file(*lines):
    return write("list.tsv", "alias\trole\tpartner\tfile\tprivate_key\tsince\tuntil\tactivate\n# a comment\n" + "".join(line + "\n" for line in lines))


def test_a_list_comes_in_as_one_change():
    store = Store()
    lines = (f"acme-sign\tverifier\tacme\t{made('new').certificate_file}\t-\t-\t-\tyes",
             f"acme-sign\tverifier\tacme\t{made('twin1').certificate_file}\t-\t-\t-\tno",
             f"own-sign\tsign\t-\t{at('leaf.pem')}\t{at('sealed.key')}\t-\t-\tyes",
             f"past\tverifier\tacme\t{made('gone').certificate_file}\t-\tnot-before\t{'2100-01-01T00:00:00Z'}",)
    rehearsed = store.run("import", "--list", list_file(*lines[:3]), *BY, "--dry-run")
    equal(rehearsed.stdout.count("dry run:"), 3, "rehearsal")
    equal(store.entries(), {}, "entries after a rehearsal")
    done = store.run("import", "--list", list_file(*lines[:3]), *BY)
    equal(done.stdout, "acme-sign#1\nacme-sign#2\nown-sign#1\n", "entries")
    equal({e: r["state"] for e, r in store.entries().items()}, {"acme-sign#1": "active", "acme-sign#2": "pre-active", "own-sign#1": "active"}, "states")
    equal(store.run("audit", "verify").returncode, 0, "audit")
    store.refuses(64, "import", "--list", list_file(lines[3]), says=["list.tsv:3", "of the past"])


def test_one_bad_line_keeps_the_whole_list_out():
    good = f"acme-sign\tverifier\tacme\t{made('new').certificate_file}"
    table = ((f"{good}\t-\t-\t-\tyes\tmore", 64, "more than eight columns"), ("acme-sign\tverifier", 64, "alias, role and file are needed"),
             (f"x\tnobody\t-\t{made('new').certificate_file}", 64, "unknown role"), (f"{good}\t-\tlong ago", 64, "since"),
             (f"{good}\t-\tnot-before\tsoon", 64, "until"), (f"{good}\t-\t-\t-\tmaybe", 64, "activate is yes or no"),
             (f"acme-sign\tverifier\tacme\t{at('text')}", 64, "list.tsv:4"), (f"acme-sign\tverifier\tacme\t{at('absent')}", 3, "list.tsv:4"),
             (f"acme-sign\tverifier\tacme\t{made('gone').certificate_file}\t-\t-\t-\tyes", 10, "list.tsv:4"),
             (good, 12, "holds this certificate already"), (f"acme-sign\tsign\t-\t{at('all.pem')}", 64, "has role"))
    store = Store()
    for line, code, says in table:
        store.refuses(code, "import", "--list", list_file(good, line), says=says)
    store.refuses(64, "import", "--list", list_file(), says="holds no line")
    store.refuses(64, "import", "--list", list_file(good), "--alias", "x", says="the lines say")


if __name__ == "__main__":
    report.run("keystore-formats", report.tests_of(sys.modules[__name__]))
