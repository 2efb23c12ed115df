#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 200
"""An auditor with a bundle and no keystore: the same verdicts as by the keystore, and files that are no bundle any more."""
import base64
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
BY_NAME = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")
COUNT = 150
PLACE = product.new_directory()
AUDITOR = os.path.join(PLACE, "auditor")


def make():
    """Messages of three years and the bundle of their keystore, which the auditor cannot reach."""
    keystore = product.Keystore(PLACE)
    generations = stored.four_generations(PLACE, keystore, TODAY)
    stranger = keys.new_pair(PLACE, "stranger", "ec:P-256", days=(-2000, 400))
    stored.write_tree(os.path.join(PLACE, "in"), stored.three_years(generations, COUNT, TODAY, stranger, padding=100))
    os.mkdir(AUDITOR)
    own = keys.new_pair(PLACE, "own-decrypt", "rsa:2048")
    keystore.run("add", "--role", "decrypt", "--alias", "own-decrypt", own.certificate_file, "--private-key", own.key_file, "--activate")
    keystore.run("add", "--role", "encrypt-to", "--partner", "us", "--alias", "to-us", own.certificate_file, "--activate")
    plain = os.path.join(PLACE, "plain.xml")
    with open(plain, "wb") as f:
        f.write(stored.Maker(2).message(generations[3].pair, TODAY))
    os.mkdir(os.path.join(PLACE, "sealed"))
    product.countersign("--keystore", keystore.uri, "encrypt", "--partner", "us", plain, "-o", os.path.join(PLACE, "sealed", "1.xml"))
    now = datetime.datetime.now(stored.UTC)
    keystore.run("bundle", "--as-of", stored.text_of(now), "-o", os.path.join(AUDITOR, "bundle.json"))
    return keystore


KEYSTORE = make()


def run(judge, journal, *args, inputs=("../in",)):
    command = [product.COUNTERSIGN, *judge, "archive", "verify", *inputs, *args, "--journal", journal, "--progress", "none"]
    return subprocess.run(command, cwd=AUDITOR, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=report.PATIENCE_S, check=False)


def audit(journal, *args, bundle="bundle.json", **more):
    return run((), journal, *args, "--bundle", bundle, **more)


def records(journal):
    with open(os.path.join(AUDITOR, journal, "results.ndjson"), encoding="utf-8") as lines:
        return {r["loc"]: {k: v for k, v in r.items() if k not in ("run", "us")} for r in map(json.loads, lines)}


def sealed(text):
    """Text of a bundle without its last member, closed again with a hash that fits."""
    return text + ',"sha256":"' + hashlib.sha256(text.encode()).hexdigest() + '"}\n'


TAIL = re.compile(r'(?:,"signature":"([^"]*)")?,"sha256":"[^"]*"}\n$')


def body(text):
    """Without its last members."""
    return text[:TAIL.search(text).start()]


def resigned(text, key):
    """As its maker's, by another key."""
    content = re.sub('"audit_key":"[0-9a-f]*"', f'"audit_key":"{raw(key)}"', body(text))
    statement = "cs-bundle-1 " + hashlib.sha256(content.encode()).hexdigest()
    return sealed(content + ',"signature":"' + base64.b64encode(key.sign(statement.encode())).decode() + '"')


def raw(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def bundle_text(name="bundle.json"):
    with open(os.path.join(AUDITOR, name), encoding="utf-8") as f:
        return f.read()


def write(name, text):
    with open(os.path.join(AUDITOR, name), "w", encoding="utf-8") as f:
        f.write(text)
    return name


def test_a_bundle_gives_the_records_that_the_keystore_gives():
    code = run(("--keystore", KEYSTORE.uri), "by-keystore", *BY_NAME).returncode
    done = audit("by-bundle", *BY_NAME)
    report.equal(done.returncode, code, done.stderr)
    found = records("by-bundle")
    report.equal(len(found), COUNT, "items")
    report.equal(found, records("by-keystore"), "records")
    reasons = {r["reason"] for r in found.values()}
    report.check({"ok", "certificate-unknown", "certificate-compromised", "certificate-pre-active"} <= reasons, str(reasons))


def test_an_encrypted_message_is_left_open_for_want_of_its_key():
    for judge, name, args in ((("--keystore", KEYSTORE.uri), "open", ()), ((), "shut", ("--bundle", "bundle.json"))):
        run(judge, name, *args, inputs=("../sealed",))
    (opened,), (shut,) = records("open").values(), records("shut").values()
    report.equal(opened["verdict"], "pass", str(opened))
    report.equal((shut["verdict"], shut["reason"]), ("indeterminate", "no-decryption-key"), str(shut))


def test_no_keystore_is_opened_beside_a_bundle():
    done = run(("--keystore", "sqlite:/nowhere/ks.db"), "nowhere", "--bundle", "bundle.json", *BY_NAME)
    report.equal(records("nowhere"), records("by-bundle"), done.stderr)


def test_workers_of_their_own_judge_by_the_bundle_too():
    done = audit("isolated", "--isolate", *BY_NAME)
    report.equal(records("isolated"), records("by-bundle"), done.stderr)


def test_a_run_goes_on_with_its_own_bundle_alone():
    write("own.json", bundle_text())
    audit("to-resume", *BY_NAME, bundle="own.json")
    path = os.path.join(AUDITOR, "to-resume", "results.ndjson")
    with open(path, "rb") as f:
        lines = f.readlines()
    with open(path, "wb") as f:
        f.writelines(lines[:20])
    again = [product.COUNTERSIGN, "archive", "verify", "--journal", os.path.join(AUDITOR, "to-resume"), "--resume", "--progress", "none"]
    text = bundle_text()
    write("own.json", sealed(body(text).replace('"generation":', '"generation":1', 1)))
    done = subprocess.run(again, cwd=PLACE, capture_output=True, text=True, timeout=report.PATIENCE_S, check=False)
    report.equal(done.returncode, 75, done.stderr)
    write("own.json", text)
    done = subprocess.run(again, cwd=PLACE, capture_output=True, text=True, timeout=report.PATIENCE_S, check=False)
    report.equal(records("to-resume"), records("by-bundle"), done.stderr)


def test_what_arrived_after_the_bundle_is_left_open():
    then = stored.text_of(TODAY - datetime.timedelta(days=400))
    KEYSTORE.run("bundle", "--as-of", then, "-o", os.path.join(AUDITOR, "early.json"))
    audit("early", *BY_NAME, bundle="early.json")
    whole = records("by-bundle")
    later = {loc: r for loc, r in records("early").items() if r["t"] > then}
    report.check(later and all(r["verdict"] != "pass" for r in later.values()), "later ones")
    for loc, r in later.items():
        if whole[loc]["verdict"] == "pass":
            report.equal((r["verdict"], r["reason"], r["sub_indication"]), ("indeterminate", "time-unknown", "NO_POE"), loc)
    before = [loc for loc in whole if loc not in later and whole[loc]["verdict"] == "pass"]
    report.check(before and all(records("early")[loc]["verdict"] == "pass" for loc in before), "earlier ones")


def test_a_bundle_is_its_maker_s_by_the_key_of_the_audit():
    text = bundle_text()
    key = json.loads(text)["audit_key"]
    with open(KEYSTORE.path + ".audit.key", "rb") as file:
        own = serialization.load_pem_private_key(file.read(), None)
    report.equal(raw(own), key, "the key whose public half the bundle tells")
    report.check(resigned(text, own) == text, "the signature is that of docs/bundle.md")
    other = ed25519.Ed25519PrivateKey.generate()
    changed = body(text).replace('"state":"compromised"', '"state":"archived"')
    report.check(changed != body(text), "a change that matters")
    done = audit("signed", *BY_NAME, "--bundle-key", key.upper())
    report.equal((records("signed"), "bundle" in done.stderr), (records("by-bundle"), False), done.stderr)
    cases = [
        ("said", text, (), None, "--bundle-key " + key),
        ("unsigned", sealed(body(text)), (), None, "nobody signed"),
        ("stripped", sealed(body(text)), ("--bundle-key", key), 78, "nobody signed"),
        ("edited", sealed(changed + text[len(body(text)):TAIL.search(text).end(1) + 1]), (), 78, "not as its keystore signed it"),
        ("foreign", resigned(changed + ',"sha256":""}\n', other), ("--bundle-key", key), 78, "is signed by " + raw(other)),
        ("own-foreign", resigned(changed + ',"sha256":""}\n', other), ("--bundle-key", raw(other)), None, ""),
        ("borrowed", sealed(body(resigned(text, other)) + text[len(body(text)):TAIL.search(text).end(1) + 1]), (), 78, "not as its keystore signed it"),
        ("digits", text, ("--bundle-key", key[:-1]), 64, "64 hexadecimal digits"),
    ]
    for name, content, args, code, words in cases:
        done = audit("signature-" + name, *BY_NAME, *args, bundle=write(name + ".json", content))
        report.equal((done.returncode, words in done.stderr), (code or 1, True), f"{name}: {done.stderr}")
    done = run(("--keystore", KEYSTORE.uri), "no-bundle", "--bundle-key", key)
    report.equal(done.returncode, 64, done.stderr)


def test_a_bundle_that_was_damaged_is_refused_with_its_reason():
    text = bundle_text()
    at = text.index('"from":"20') + 8
    cases = [
        ("cut", text[:len(text) // 2], 78, "cut or changed"),
        ("changed", text[:at] + "19" + text[at + 2:], 78, "cut or changed"),
        ("span", sealed(body(text).replace('"from":"20', '"from":"x0', 1)), 78, "span of an entry"),
        ("swapped", sealed(body(text).replace('"alias":"acme-', '"alias":"acne-', 1)), 78, "entry"),
        ("version", sealed(body(text).replace('"version":1', '"version":2', 1)), 64, "version 2"),
        ("other", "<Envelope/>", 64, "not a bundle"),
        ("empty", "", 64, "not a bundle"),
    ]
    for name, content, code, words in cases:
        done = audit("refused-" + name, *BY_NAME, bundle=write(name + ".json", content))
        report.equal(done.returncode, code, name + ": " + done.stderr)
        report.check(words in done.stderr, name + ": " + done.stderr)
        report.check(not os.path.exists(os.path.join(AUDITOR, "refused-" + name, "results.ndjson")), name + ": a journal was begun")
    done = audit("none", *BY_NAME, bundle="none.json")
    report.equal(done.returncode, 64, done.stderr)


if __name__ == "__main__":
    report.run("cli/archive_bundle", report.tests_of(sys.modules[__name__]))
