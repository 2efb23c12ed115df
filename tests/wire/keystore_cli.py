#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The keystore commands of the real program: the documented examples, a life, every refusal, bad input. What is refused
must leave the store as it was, row for row."""
import datetime
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

from cryptography.hazmat.primitives import serialization

import product
import report
from product import countersign
from report import check, equal
from stores import DAY, PARTNER, PLACE, Store, instant, made, records, rfc3339, weak_pair, write


# ---- the documented examples -------------------------------------------------------------------------------------

def test_examples_work_as_written():
    place = product.new_directory()
    for name in ("new", "next"):
        shutil.copy(made(name).certificate_file, os.path.join(place, f"{name}.pem"))
    shutil.copy(made("own").certificate_file, os.path.join(place, "cert.pem"))
    shutil.copy(made("own").key_file, os.path.join(place, "key.pem"))

    def ks(*args):
        return subprocess.run([product.COUNTERSIGN, "--keystore", "sqlite:ks.db", "keystore", *args], cwd=place, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=report.PATIENCE_S, check=False)

    equal(ks("init").returncode, 0, "init")
    one = ks(*"add --role verifier --partner acme --alias acme-sign new.pem --activate".split())
    equal((one.returncode, one.stdout), (0, "acme-sign#1\n"), "first add")
    two = ks(*"add --role verifier --partner acme --alias acme-sign next.pem --activate".split())
    equal((two.returncode, two.stdout), (0, "acme-sign#2\n"), "second add")
    equal({r["entry"] for r in records(ks("acceptable", "--partner", "acme", "--json"))}, {"acme-sign#1", "acme-sign#2"}, "accepted")
    equal(ks("deactivate", "acme-sign#1").returncode, 0, "deactivate")
    listed = {r["entry"]: r for r in records(ks("list", "--json"))}
    equal(listed["acme-sign#1"]["state"], "deactivated", "state")
    equal(listed["acme-sign#1"]["partner"], "acme", "partner")
    equal(listed["acme-sign#1"]["sha256"], made("new").sha256, "sha256")
    equal(listed["acme-sign#2"]["state"], "active", "state")
    stop = listed["acme-sign#1"]["process_stop"]
    equal(instant(stop) - instant(listed["acme-sign#1"]["exchanged_at"]), 90 * DAY, "window")
    past = ks("acceptable", "--partner", "acme", "--at", "2020-03-03T00:00:00Z")
    equal((past.returncode, past.stdout), (0, ""), "acceptable before there was a keystore")
    early = ks("remove", "acme-sign#1")
    equal(early.returncode, 10, "exit of early remove")
    check(early.stderr.startswith("refused G8 retention: ") and stop in early.stderr, early.stderr)
    own = ks(*"add --role sign --alias own-sign cert.pem --private-key key.pem --activate".split())
    equal((own.returncode, own.stdout), (0, "own-sign#1\n"), "add of an own key")
    equal(ks("audit", "verify").returncode, 0, "audit verify")


def test_init_twice_changes_nothing():
    store = Store()
    store.verifier("new")
    before = store.content()
    again = store.run("init", "--json")
    equal(json.loads(again.stdout)["created"], False, "created")
    equal(store.content(), before, "content")
    equal(os.stat(store.path + ".kek").st_mode & 0o777, 0o600, "mode of the key-encryption key")
    equal(os.stat(store.path).st_mode & 0o077, 0, "mode of the store for others")


def test_one_record_everywhere():
    store = Store()
    made = records(store.verifier("new", "--activate", "--json"))[0]
    shown = records(store.run("show", "acme-sign#1", "--json"))[0]
    listed = records(store.run("list", "--json"))[0]
    accepted = records(store.run("acceptable", "--partner", "acme", "--json"))[0]
    acted = records(store.run("suspend", "acme-sign#1", "--json"))[0]
    for other in (listed, accepted):
        equal(other, shown, "record")
    for key in shown:
        equal(made[key], shown[key], f"{key} of add")
    equal(acted["state"], "suspended", "state")
    equal(made["possible_actions"], ["deactivate", "suspend", "compromise"], "possible actions")
    refusal = made["refused_actions"][0]
    equal((refusal["action"], refusal["guard"], refusal["reason"]), ("remove", "G7", "inactive-only"), "refused action")


def test_a_table_for_people():
    store = Store()
    store.verifier("new", "--activate")
    store.verifier("soon", "--activate")
    store.run("deactivate", "acme-sign#1")
    lines = store.run("list").stdout.splitlines()
    equal(lines[0].split()[:4], ["ENTRY", "ROLE", "PARTNER", "STATE"], "heading")
    equal(len(lines), 3, "lines")
    check("deactivated" in lines[1] and "(90 d after exchange)" in lines[1], lines[1])
    check("8 d!" in lines[2] or "9 d!" in lines[2], lines[2])
    equal(len({line.index(word) for line, word in zip(lines, ("STATE", "deactivated", "active"))}), 1, "columns that begin a STATE")
    page = store.run("show", "acme-sign").stdout
    check("acme-sign#1" in page and "acme-sign#2" in page and "EXPIRES IN" in page and "refused now: remove (G8" in page, page)


def test_the_page_and_the_record_name_what_was_found_by_another_hand():
    store = Store()
    store.verifier("new")
    record = records(store.run("show", "acme-sign#1", "--json"))[0]
    certificate = made("new").certificate
    equal(record["serial"], str(certificate.serial_number), "serial")
    equal(record["subject"], certificate.subject.rfc4514_string(), "subject")
    equal(instant(record["not_after"]), certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp(), "not_after")
    spki = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    equal(record["spki_sha256"], hashlib.sha256(spki).hexdigest(), "spki_sha256")
    equal((record["key_algorithm"], record["key_bits"]), ("EC", 256), "key")


def test_export_gives_the_certificate_back():
    store = Store()
    store.verifier("new")
    with open(made("new").certificate_file, encoding="ascii") as text:
        pem = text.read()
    equal(store.run("export", "acme-sign#1").stdout, pem, "PEM")
    out = os.path.join(PLACE, "exported.pem")
    store.run("export", "acme-sign#1", "-o", out)
    with open(out, encoding="ascii") as text:
        equal(text.read(), pem, "PEM in a file")
    several = [subprocess.Popen([product.COUNTERSIGN, "--keystore", store.uri, "keystore", "export", "acme-sign#1", "-o", out]) for _ in range(8)]
    equal([child.wait(report.PATIENCE_S) for child in several], [0] * len(several), "written by several at the same time")
    with open(out, encoding="ascii") as text:
        equal(text.read(), pem, "whole, whoever was last")
    equal([name for name in os.listdir(PLACE) if name.startswith("exported.pem")], ["exported.pem"], "and nothing beside it")
    pipe = os.path.join(PLACE, "exported.pipe")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        store.run("export", "acme-sign#1", "-o", pipe)
        equal(reader.communicate(timeout=report.PATIENCE_S)[0], pem, "a pipe is written into, not replaced")
    store.refuses(69, "export", "acme-sign#1", "-o", PLACE, says="cannot be written")
    store.refuses(64, "export", "acme-sign#7", says="no entry acme-sign#7")
    store.refuses(64, "export", "acme-sign", says="which entry")


def test_filters():
    store = Store()
    store.verifier("new", "--activate")
    store.verifier("next")
    store.signer("own", "--activate")

    def entries(*args):
        return [r["entry"] for r in records(store.run("list", "--json", *args))]

    equal(entries("--role", "sign"), ["own-sign#1"], "by role")
    equal(entries("--partner", "acme"), ["acme-sign#1", "acme-sign#2"], "by partner")
    equal(entries("--state", "pre-active"), ["acme-sign#2"], "by state")
    equal(entries("--state", "suspended"), [], "none in that state")
    unknown = store.run("list", "--partner", "acne")
    check("did you mean acme?" in unknown.stderr and unknown.stdout == "", unknown.stderr)
    store.refuses(64, "list", "--role", "verifer", says="none of")


# ---- a life ------------------------------------------------------------------------------------------------------

def test_removal_is_refused_one_second_before_and_done_at_the_instant():
    store = Store()
    store.verifier("new", "--activate")
    store.run("deactivate", "acme-sign#1")
    stop = store.entries()["acme-sign#1"]["process_stop"]
    before = rfc3339(instant(stop) - 1)
    done = store.refuses(10, "--now", before, "--json", "remove", "acme-sign#1", says=("refused G8 retention: ", stop, "keystore suspend acme-sign#1"))
    refused = json.loads(done.stdout)["refused"]
    equal([(r["guard"], r["reason"], r["allowed_from"]) for r in refused], [("G8", "retention", stop)], "refused")
    equal(records(store.run("list", "--json", "--as-of", before))[0]["state"], "deactivated", "state before")
    equal(records(store.run("list", "--json", "--as-of", stop))[0]["state"], "archived", "state from then on")
    equal(store.run("--now", stop, "remove", "acme-sign#1").stdout.split(",")[0], "acme-sign#1 removed", "removal")
    equal(store.entries(), {}, "entries")
    equal(records(store.run("show", "acme-sign#1", "--json"))[0]["state"], "archived", "the record stays")


def test_a_store_with_traffic_takes_no_other_time():
    store = Store()
    store.verifier("new", "--activate")
    routes = 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; response { verify acme; } }'
    with product.Gateway(os.path.dirname(store.path), store, routes):
        pass
    store.verifier("next", "--activate")
    store.run("deactivate", "acme-sign#1")
    stop = store.entries()["acme-sign#1"]["process_stop"]
    store.refuses(64, "--now", stop, "remove", "acme-sign#1", says="--dry-run")
    store.refuses(0, "--now", stop, "remove", "acme-sign#1", "--dry-run")


def test_a_partners_own_delivery_promise_lengthens_the_window():
    store = Store()
    conf = write("partner.conf", f'keystore sqlite "{store.path}";\npartner acme {{ guaranteed-delivery 120d; trust pinned; }}\n')
    countersign("-c", conf, "keystore", "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("new").certificate_file, "--activate")
    countersign("-c", conf, "keystore", "deactivate", "acme-sign#1")
    record = store.entries()["acme-sign#1"]
    equal(instant(record["process_stop"]) - instant(record["exchanged_at"]), 120 * DAY, "window")


def test_back_and_forth():
    store = Store()
    store.verifier("new", "--activate")
    store.run("deactivate", "acme-sign#1")
    store.run("activate", "acme-sign#1")
    equal(store.entries()["acme-sign#1"]["state"], "active", "rolled back")
    equal(store.entries()["acme-sign#1"]["process_stop"], None, "process stop")
    store.run("suspend", "acme-sign#1")
    equal(store.run("acceptable", "--partner", "acme").stdout, "", "accepted while suspended")
    store.refuses(64, "activate", "acme-sign#1", says="keystore resume")
    store.refuses(10, "remove", "acme-sign#1", says="refused G7 inactive-only: ")
    store.run("resume", "acme-sign#1")
    equal(store.entries()["acme-sign#1"]["state"], "active", "resumed")
    again = store.refuses(0, "activate", "acme-sign#1", says="nothing to do")
    check("acme-sign#1 active" in again.stdout, again.stdout)


def test_an_own_key_is_exchanged_in_one_change():
    store = Store()
    store.signer("own", "--activate")
    done = records(store.signer("own2", "--activate", "--json"))[0]
    equal((done["entry"], done["exchanged"]), ("own-sign#2", "own-sign#1"), "exchange")
    entries = store.entries()
    equal([entries["own-sign#1"]["state"], entries["own-sign#2"]["state"]], ["deactivated", "active"], "states")
    equal(entries["own-sign#1"]["exchanged_at"], entries["own-sign#2"]["activated_at"], "one instant")
    store.run("activate", "own-sign#1")
    equal(store.entries()["own-sign#2"]["state"], "deactivated", "rolled back")


def test_no_key_octets_lie_open():
    store = Store()
    store.signer("own", "--activate")
    secret = made("own").key.private_numbers().private_value.to_bytes(32, "big")
    for name in os.listdir(os.path.dirname(store.path)):
        with open(os.path.join(os.path.dirname(store.path), name), "rb") as data:
            check(secret not in data.read(), f"the private key stands in {name}")


def test_a_dry_run_tells_and_changes_nothing():
    store = Store()
    store.refuses(0, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("new").certificate_file, "--dry-run")
    store.verifier("new", "--activate")
    told = store.refuses(0, "deactivate", "acme-sign#1", "--dry-run", "--json")
    record = records(told)[0]
    equal((record["state"], record["dry_run"], record["done"]), ("deactivated", True, False), "dry run")
    equal((record["nodes_informed"], record["routes_concerned"]), ([], []), "nobody serves it")
    store.change("insert into node(node_id, applied_gen, applied_at, clock_at) values('gw1', 1, 0, ?)", int(time.time()))
    store.change("insert into node_uses(node_id, route, alias, partner) values('gw1', 'orders', '', 'acme')")
    told = store.run("suspend", "acme-sign#1", "--dry-run", check=False)
    equal(told.returncode, 10, "the only verifier of a partner with traffic")
    store.verifier("next", "--activate")
    told = store.refuses(0, "deactivate", "acme-sign#1", "--dry-run")
    check("informed: node gw1\nconcerned: route orders" in told.stdout, told.stdout)
    store.change("delete from node_uses")
    store.change("delete from node")
    store.refuses(10, "remove", "acme-sign#1", "--dry-run", says="refused G7 inactive-only: ")
    equal(store.entries()["acme-sign#1"]["state"], "active", "state")


def test_a_stale_version_is_a_conflict():
    store = Store()
    store.verifier("new", "--activate")
    version = store.entries()["acme-sign#1"]["version"]
    store.refuses(12, "deactivate", "acme-sign#1", "--expect-version", str(version + 1))
    store.run("deactivate", "acme-sign#1", "--expect-version", str(version))
    store.refuses(12, "activate", "acme-sign#1", "--expect-version", str(version))


def test_the_audit_says_who_and_why():
    store = Store()
    store.verifier("new", "--activate", "--reason", "agreed with Jo")
    with sqlite3.connect(store.path) as db:
        reasons = [row[0] for row in db.execute("select reason from audit where object='acme-sign#1'")]
        actors = {row[0] for row in db.execute("select actor from audit where object='acme-sign#1'")}
    check("agreed with Jo" in reasons, str(reasons))
    check(actors and "" not in actors, str(actors))
    equal(json.loads(store.run("audit", "verify", "--json").stdout)["audit"], "ok", "audit")


def test_an_altered_audit_row_is_named():
    store = Store()
    store.verifier("new", "--activate")
    store.change("drop trigger audit_fixed")
    store.change("update audit set actor='nobody' where seq=2")
    done = store.refuses(1, "audit", "verify")
    check("broken" in done.stdout and "2" in done.stdout, done.stdout)


def test_what_was_accepted_then_and_what_was_known_of_it():
    store = Store()
    start = instant("2026-02-01T00:00:00Z")
    store.verifier("early", "--activate", "--now", rfc3339(start))
    store.run("--now", rfc3339(start + 10 * DAY), "suspend", "acme-sign#1")
    store.run("--now", rfc3339(start + 20 * DAY), "resume", "acme-sign#1")

    def accepted(days, *more):
        return [r["entry"] for r in records(store.run("acceptable", "--partner", "acme", "--json", "--at", rfc3339(start + days * DAY), *more))]

    equal(accepted(-1), [], "before")
    equal(accepted(0), ["acme-sign#1"], "at the first instant")
    equal(accepted(9), ["acme-sign#1"], "while active")
    equal(accepted(15), [], "while suspended")
    equal(accepted(25), ["acme-sign#1"], "resumed")
    equal(accepted(15, "--known-at", rfc3339(start + 5 * DAY)), ["acme-sign#1"], "as it looked before the suspension")
    equal(accepted(25, "--known-at", "1990-01-01T00:00:00Z"), [], "before the first generation")


def test_a_certificate_of_the_past_serves_only_the_past():
    store = Store()
    now = int(time.time())
    store.verifier("gone", "--since", "not-before", "--until", rfc3339(now - 100 * DAY))
    record = store.entries()["acme-sign#1"]
    equal(record["state"], "archived", "state")
    equal(store.run("acceptable", "--partner", "acme").stdout, "", "accepted now")
    accepted = store.run("acceptable", "--partner", "acme", "--at", rfc3339(now - 200 * DAY), "--json")
    equal([r["entry"] for r in records(accepted)], ["acme-sign#1"], "accepted then")


# ---- guards ------------------------------------------------------------------------------------------------------

def test_g1_at_most_eight_active_verifiers():
    store = Store()
    for i in range(8):
        store.verifier(f"many{i}", "--activate")
    store.refuses(10, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("many8").certificate_file, "--activate",
                  says="refused G1 one-active: ")
    store.verifier("many8")
    store.refuses(10, "activate", "acme-sign#9", says="refused G1 one-active: ")


def test_g3_a_partner_with_traffic_keeps_one():
    store = Store()
    store.verifier("new", "--activate")
    store.change("insert into node_uses(node_id, route, alias, partner) values('gw1', 'orders', '', 'acme')")
    store.refuses(10, "suspend", "acme-sign#1", says=("refused G3 last-acceptable: ", "keystore add"))
    store.verifier("next", "--activate")
    store.run("suspend", "acme-sign#1")


def test_g4_dates():
    store = Store()
    done = store.refuses(10, "add", "--json", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("expired").certificate_file,
                         "--activate", says=("refused G4 overlap: ", "expired", "--since"))
    equal([r["guard"] for r in json.loads(done.stdout)["refused"]], ["G4"], "refused")
    done = store.refuses(10, "add", "--json", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("future").certificate_file,
                         "--activate", says="refused G4 overlap: ")
    begins = made("future").certificate.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ")
    equal(json.loads(done.stdout)["refused"][0]["allowed_from"], begins, "allowed from")
    store.verifier("future")
    store.run("--now", begins, "activate", "acme-sign#1")
    store.signer("own", "--activate")
    store.refuses(10, "add", "--role", "sign", "--alias", "own-sign", made("short").certificate_file, "--private-key", made("short").key_file,
                  "--activate", says=("refused G4 overlap: ", "--shorter-ok"))
    store.signer("short", "--activate", "--shorter-ok")


def test_g5_key_and_certificate():
    store = Store()
    weak_certificate, weak_key = weak_pair()
    own = ["add", "--role", "sign", "--alias", "own-sign"]
    partner = ["add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign"]
    store.refuses(10, *own, made("own").certificate_file, "--private-key", made("new").key_file, says="refused G5 key-match: ")
    store.refuses(10, *own, made("own").certificate_file, says="refused G5 key-match: ")
    store.refuses(10, *own, weak_certificate, "--private-key", weak_key, says="refused G5 key-match: ")
    store.refuses(10, *partner, weak_certificate, says="refused G5 key-match: ")
    store.refuses(10, *own, made("small").certificate_file, "--private-key", made("small").key_file, says="refused G5 key-match: ")
    warned = store.run(*partner, made("small").certificate_file)
    check("1024" in warned.stderr, warned.stderr)


def test_g7_an_active_entry_is_not_removed():
    store = Store()
    store.verifier("new", "--activate")
    store.refuses(10, "remove", "acme-sign#1", says=("refused G7 inactive-only: ", "keystore deactivate acme-sign#1"))
    store.verifier("next")
    store.run("remove", "acme-sign#2")
    equal(list(store.entries()), ["acme-sign#1"], "never used: gone at once")


# ---- bad input ---------------------------------------------------------------------------------------------------

def test_files_that_are_no_certificate():
    store = Store()
    with open(made("new").certificate_file, "rb") as data:
        pem = data.read()
    csr = os.path.join(PLACE, "request.pem")
    subprocess.run(["openssl", "req", "-new", "-key", made("new").key_file, "-subj", "/CN=x", "-out", csr], check=True, stderr=subprocess.DEVNULL)
    cases = [(64, write("text", "not a certificate\n"), "no X.509 certificate"), (64, write("empty", ""), "certificate"),
             (64, made("new").key_file, "private key"), (64, csr, "request"), (64, write("megabyte", pem * (2**20 // len(pem) + 1)), "larger"),
             (64, write("zeros", b"\0" * 2**20), "larger"), (64, write("cut", pem[:len(pem) // 2]), "certificate"),
             (64, write("cut.der", made("new").der[:-1]), "certificate"), (64, write("tail.der", made("new").der + b"x"), "certificate"),
             (3, os.path.join(PLACE, "missing"), "cannot be read"), (3, PLACE, "cannot be read")]
    for status, path, says in cases:
        done = store.refuses(status, *PARTNER, path, "--activate", says=says)
        equal(done.stdout, "", f"stdout for {path}")


def test_der_and_stdin():
    store = Store()
    equal(store.run(*PARTNER, write("new.der", made("new").der)).stdout, "acme-sign#1\n", "DER")
    with open(made("next").certificate_file, encoding="ascii") as text:
        done = countersign("--keystore", store.uri, "keystore", *PARTNER, "-", stdin=text.read())
    equal(done.stdout, "acme-sign#2\n", "stdin")
    key = write("own.key.der", made("own").key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL,
                                                            serialization.NoEncryption()))
    equal(store.run("add", "--role", "sign", "--alias", "own-sign", made("own").certificate_file, "--private-key", key).stdout, "own-sign#1\n", "DER key")


def test_keys_that_cannot_be_read():
    store = Store()
    own = ["add", "--role", "sign", "--alias", "own-sign", made("own").certificate_file, "--private-key"]
    locked = write("locked.key", made("own").key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                              serialization.BestAvailableEncryption(b"secret")))
    store.refuses(64, *own, locked, says="passphrase")
    store.refuses(64, *own, made("own").certificate_file, says="no private key")
    store.refuses(64, *own, write("huge.key", "x" * 2**20), says="larger")
    store.refuses(3, *own, os.path.join(PLACE, "missing"), says="cannot be read")


def test_one_subject_twice():
    store = Store()
    both = [store.verifier(name, "--activate").stdout for name in ("twin1", "twin2")]
    equal(both, ["acme-sign#1\n", "acme-sign#2\n"], "entries")
    entries = store.entries()
    equal(entries["acme-sign#1"]["subject"], entries["acme-sign#2"]["subject"], "subject")
    check(entries["acme-sign#1"]["sha256"] != entries["acme-sign#2"]["sha256"], "fingerprints")


def test_a_certificate_held_already():
    store = Store()
    store.verifier("new")
    store.refuses(12, *PARTNER, made("new").certificate_file, says="acme-sign#1 holds this certificate already")
    store.verifier("new", alias="acme-other")


def test_names_and_arguments():
    store = Store()
    store.verifier("new", "--activate")
    new = made("next").certificate_file
    slot = ["add", "--role", "verifier", "--partner", "acme", "--alias"]
    for alias in ("a b", "../x", "-x", "a" * 65, "ä", "a#1"):
        store.refuses(64, *slot, alias, new)
    store.refuses(64, "add", "--role", "verifier", "--alias", "x", new, says="--partner")
    store.refuses(64, "add", "--role", "verifier", "--partner", "acme", new, says="--alias")
    store.refuses(64, "add", "--partner", "acme", "--alias", "x", new, says="--role")
    store.refuses(64, "add", "--role", "signer", "--alias", "x", new, says="none of")
    store.refuses(64, "add", "--role", "sign", "--alias", "acme-sign", new, says="has role verifier")
    store.refuses(64, "add", "--role", "verifier", "--partner", "other", "--alias", "acme-sign", new, says="belongs to partner acme")
    store.refuses(64, *PARTNER, new, "--since", "yesterday", says="--since")
    store.refuses(64, *PARTNER, new, "--until", "2026-01-01T00:00:00Z", says="--since")
    store.refuses(64, *PARTNER, new, "--expect-sha256", "abc", says="--expect-sha256")
    store.refuses(64, *PARTNER, new, "--expect-sha256", "0" * 64, says=made("next").sha256)
    for entry in ("acme-sign", "acme-sign#0", "acme-sign#", "#1", "acme-sign#1x", "acme-sign#01", "acme-sign#-1", "acme-sign#99999999999"):
        store.refuses(64, "deactivate", entry)
    store.refuses(64, "deactivate", "acme-sign#9", says="holds no entry #9")
    store.refuses(64, "deactivate", "acme-sing#1", says="did you mean acme-sign?")
    store.refuses(64, "show", "acme-sing", says="did you mean acme-sign?")
    equal(store.run("list", "--as-of", "2020-01-01T00:00:00Z").stdout, "", "entries before there was a keystore")
    store.refuses(64, "delete", "acme-sign#1", says="unknown command")
    octets = made("next").sha256.upper()
    store.run(*PARTNER, new, "--expect-sha256", ":".join(octets[i:i + 2] for i in range(0, 64, 2)))


def test_new_names_are_announced_with_the_nearest_known():
    store = Store()
    first = store.verifier("new").stderr
    check("alias acme-sign is new" in first and "partner acme is new" in first, first)
    near = store.run("add", "--role", "verifier", "--partner", "acne", "--alias", "acme-sing", made("next").certificate_file).stderr
    check("acme-sing is new; nearest known: acme-sign" in near and "acne is new; nearest known: acme" in near, near)
    again = store.verifier("many1").stderr
    check("is new" not in again and "next: countersign keystore activate acme-sign#2" in again, again)
    equal(countersign("-q", "--keystore", store.uri, "keystore", *PARTNER, made("many2").certificate_file).stderr, "", "stderr with -q")


def test_help_of_every_command():
    for command in ("init", "list", "show", "add", "activate", "deactivate", "suspend", "resume", "remove", "export", "acceptable"):
        text = countersign("keystore", command, "--help").stdout
        check(f"Usage: countersign keystore {command}" in text and "--json" in text, text)
    check("keystore audit verify" in countersign("keystore", "--help").stdout, "help of the group")


if __name__ == "__main__":
    report.run("keystore-cli", report.tests_of(sys.modules[__name__]))
