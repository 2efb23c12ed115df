#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 400
"""Finished runs of archive verify: shards that become one journal, what would be lost without a certificate, and reports
beside the verdicts. Each answer is compared with a real run."""
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import journal
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
BY_NAME = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")
COUNT = 200


class House:
    """Messages of three years; the newest certificate was renewed with the same key under another alias."""

    def __init__(self):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.generations = stored.four_generations(self.place, self.keystore, TODAY)
        self.renewed = self.renew(self.generations[3].pair)
        self.keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-renewed", self.renewed.certificate_file,
                          "--since", stored.text_of(TODAY - datetime.timedelta(days=45)), "--activate")
        self.add_twin(self.keystore)
        stranger = keys.new_pair(self.place, "stranger", "ec:P-256", days=(-2000, 400))
        self.items = stored.three_years(self.generations, COUNT, TODAY, stranger, padding=200)
        stored.write_tree(os.path.join(self.place, "in"), self.items)
        shutil.copy(os.path.join(self.place, "in", self.items[0].name), os.path.join(self.place, "in", "again-" + os.path.basename(self.items[0].name)))
        self.run(self.keystore, "all", "in", *BY_NAME)

    def add_twin(self, keystore):
        """The newest certificate once more, in a slot of its own, for the last weeks."""
        keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-twin", self.generations[3].pair.certificate_file,
                     "--since", stored.text_of(TODAY - datetime.timedelta(days=30)), "--activate")

    def renew(self, pair):
        """Another certificate for the same key."""
        fresh = keys.new_pair(self.place, "renewed", "ec:P-256", days=(-60, 700))
        return keys.write_pair(self.place, "renewed", pair.key, keys_certificate(pair.key, fresh))

    def run(self, keystore, journal, *args):
        command = [product.COUNTERSIGN, "--keystore", keystore.uri, "archive", "verify", *args, "--journal", journal, "--progress", "none"]
        return subprocess.run(command, cwd=self.place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=1200, check=False)

    def path(self, name):
        return os.path.join(self.place, name)

    def records(self, name):
        with open(os.path.join(self.place, name, "results.ndjson"), encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


def keys_certificate(key, like):
    """A certificate as of like, over key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    old = like.certificate
    builder = x509.CertificateBuilder(issuer_name=old.subject, subject_name=old.subject, public_key=key.public_key(),
                                      serial_number=x509.random_serial_number(), not_valid_before=old.not_valid_before,
                                      not_valid_after=old.not_valid_after)
    return builder.sign(key, hashes.SHA256())


HOUSE = House()


def plain(record, *without):
    return {k: v for k, v in record.items() if k not in ("run", "us", "seq", "dup_of", *without)}


def ask(*args, check=False):
    return product.countersign("--keystore", HOUSE.keystore.uri, *args, check=check)


# ---- shards ----------------------------------------------------------------------------------------------------------

def shards(prefix, n=4):
    for number in range(n):
        HOUSE.run(HOUSE.keystore, f"{prefix}{number}", "in", *BY_NAME, "--shard", f"{number}/{n}")
    return [HOUSE.path(f"{prefix}{number}") for number in range(n)]


SHARDS = shards("shard-")


def test_shards_collected_equal_one_run():
    done = ask("archive", "collect", *SHARDS, "--journal", HOUSE.path("whole"), "--report", "summary:-", "--json")
    report.equal(done.returncode, 1, done.stderr)
    whole = {r["loc"]: r for r in HOUSE.records("whole")}
    alone = {r["loc"]: r for r in HOUSE.records("all")}
    report.equal(len(whole), COUNT + 1, "items")
    report.equal({loc: plain(r) for loc, r in whole.items()}, {loc: plain(r) for loc, r in alone.items()}, "records")
    report.equal([r["seq"] for r in HOUSE.records("whole")], list(range(1, COUNT + 2)), "numbers")
    doubles = [sum(r["dup_of"] is not None for r in HOUSE.records(name)) for name in ("whole", "all")]
    report.equal(doubles, [1, 1], "duplicates over all shards")
    report.equal(json.loads(done.stdout)["messages"], COUNT + 1, "summary")
    report.equal(ask("archive", "diff", HOUSE.path("all"), HOUSE.path("whole")).stdout, "", "difference")


def test_a_missing_shard_is_named():
    done = ask("archive", "collect", *SHARDS[:2], SHARDS[3])
    report.equal(done.returncode, 5, done.stderr)
    report.check("1 of 4 shards is missing: 2/4" in done.stderr, done.stderr)


def test_shards_that_are_not_one_order_are_refused():
    other = HOUSE.path("other")
    HOUSE.run(HOUSE.keystore, other, "in", "--shard", "3/4")
    for given, code, part in ((SHARDS[:3] + [other], 64, "another order"), (SHARDS + SHARDS[:1], 64, "given twice"),
                              ([HOUSE.path("all")], 64, "is no shard")):
        done = ask("archive", "collect", *given)
        report.equal((done.returncode, part in done.stderr), (code, True), done.stderr)


def changed(name, change):
    """The shards with a copy of the first in its place, changed."""
    copy = HOUSE.path(name)
    shutil.copytree(SHARDS[0], copy)
    change(copy)
    return [copy] + SHARDS[1:]


def test_a_shard_that_is_not_whole_is_not_taken():
    def no_end(place):
        os.remove(os.path.join(place, "conclusion.json"))

    def cut(place):
        path = os.path.join(place, "results.ndjson")
        with open(path, "rb") as lines:
            kept = lines.readlines()[:-1]
        with open(path, "wb") as lines:
            lines.writelines(kept)

    def doubled(place):
        path = os.path.join(place, "results.ndjson")
        with open(path, "rb") as lines:
            kept = lines.readlines()
        with open(path, "wb") as lines:
            lines.writelines(kept[:-1] + kept[:1])

    def foreign(place):
        with open(os.path.join(SHARDS[1], "results.ndjson"), "rb") as lines:
            one = lines.readline()
        path = os.path.join(place, "results.ndjson")
        with open(path, "rb") as lines:
            kept = lines.readlines()
        with open(path, "wb") as lines:
            lines.writelines(kept[:-1] + [one])
    for change, part in ((no_end, "is not finished; go on with"), (cut, "its run ended with"), (doubled, "one item has two records"),
                         (foreign, "does not belong")):
        done = ask("archive", "collect", *changed("shard-" + change.__name__, change))
        report.equal((done.returncode, part in done.stderr), (5, True), f"{change.__name__}: {done.stderr}")


def test_what_was_not_active_yet_is_not_told_its_end():
    details = {r["detail"] for r in HOUSE.records("all") if r["reason"] == "certificate-pre-active"}
    report.equal(details, {"acme-sign#1 is pre-active"}, "pre-active")
    ended = {r["detail"] for r in HOUSE.records("all") if r["reason"] == "certificate-archived"}
    report.check(ended and all("; process stop was 20" in detail for detail in ended), ended)


# ---- without certificates ----------------------------------------------------------------------------------------------

def keystore_without(numbers):
    """A keystore with the same entries but these, in the same order and state."""
    place = product.new_directory()
    other = product.Keystore(place)
    for number, one in enumerate(HOUSE.generations, 1):
        if number in numbers:
            continue
        other.run("add", "--role", "verifier", "--partner", "acme", "--alias", f"acme-{number}", one.pair.certificate_file, "--since",
                  stored.text_of(one.begin), *(["--until", stored.text_of(one.end)] if one.end else ["--activate"]))
        if one.compromised:
            other.run("compromise", f"acme-{number}#1", "--since", stored.text_of(one.compromised), "--reason", "laptop stolen")
    other.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-renewed", HOUSE.renewed.certificate_file, "--since",
              stored.text_of(TODAY - datetime.timedelta(days=45)), "--activate")
    HOUSE.add_twin(other)
    return other


def test_impact_equals_a_real_run_without_the_entries():
    before = {r["loc"]: r["verdict"] for r in HOUSE.records("all")}
    for numbers in ((1,), (3,), (4,), (1, 3)):
        name = "without-" + "-".join(map(str, numbers))
        HOUSE.run(keystore_without(numbers), name, "in", *BY_NAME)
        real = {r["loc"]: (r["verdict"], r["reason"]) for r in HOUSE.records(name)}
        lost = {loc for loc, verdict in before.items() if verdict == "pass" and real[loc][0] != "pass"}
        done = ask("archive", "impact", "--journal", HOUSE.path("all"), "--without", ",".join(f"acme-sign#{n}" for n in numbers),
                   "--list", "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found = lines.pop()
        report.equal({line["loc"] for line in lines}, lost, f"lost without {numbers}")
        report.equal(found["lost"], len(lost), "their number")
        report.equal(done.returncode, 1, done.stderr)
        if numbers == (4,):
            report.check(lost, "those before the twin counted are lost")


def test_impact_of_what_nothing_depends_on_is_empty():
    done = ask("archive", "impact", "--journal", HOUSE.path("all"), "--without", "acme-renewed#1")
    report.equal((done.returncode, "no message of 201" in done.stdout), (0, True), done.stdout + done.stderr)
    done = ask("archive", "impact", "--journal", HOUSE.path("all"), "--without", "acme-twin#1", "--json")
    twin = json.loads(done.stdout)["entries"][0]
    report.equal((done.returncode, twin["lost"], twin["held_by_others"]), (0, 0, twin["pass"]), "the other slot holds them")
    report.check(twin["pass"] > 0, "messages of the twin")
    done = ask("archive", "impact", "--journal", HOUSE.path("all"), "--without", "acme-sign#4", "--at",
               stored.text_of(TODAY - datetime.timedelta(days=29)))
    report.equal(done.returncode, 0, done.stdout)
    done = ask("archive", "impact", "--journal", HOUSE.path("all"), "--without", "acme-sign")
    report.equal((done.returncode, "is no entry" in done.stderr), (64, True), done.stderr)


def test_remove_tells_what_stored_messages_depend_on_it():
    done = ask("keystore", "remove", "acme-sign#4", "--dry-run", "--archive", HOUSE.path("all"))
    report.check("would stop verifying: " in done.stdout and "by it alone" in done.stdout, done.stdout)
    report.equal(done.returncode, 10, done.stderr)
    done = ask("keystore", "remove", "acme-sign#4", "--archive", HOUSE.path("all"))
    report.equal((done.returncode, "--dry-run" in done.stderr), (64, True), done.stderr)


# ---- evidence ----------------------------------------------------------------------------------------------------------

def root_of(proof, line):
    """The root that a proof leads to, as docs/evidence.md tells it."""
    node, place, count = hashlib.sha256(b"\0" + line).digest(), proof["leaf"], proof["leaves"]
    path = [bytes.fromhex(step) for step in proof["path"]]
    while count > 1:
        if place % 2 == 1:
            node = hashlib.sha256(b"\1" + path.pop(0) + node).digest()
        elif place + 1 < count:
            node = hashlib.sha256(b"\1" + node + path.pop(0)).digest()
        place, count = place // 2, (count + 1) // 2
    report.equal(path, [], "steps left")
    return node.hex()


def test_evidence_is_checked_by_other_tools():
    files = [HOUSE.path("evidence.zip"), HOUSE.path("again.zip")]
    for path in files:
        done = ask("archive", "export", "--journal", HOUSE.path("all"), "--select", "verdict=fail,partner=acme", "-o", path)
        report.equal(done.returncode, 0, done.stderr)
    with open(files[0], "rb") as one, open(files[1], "rb") as other:
        report.check(one.read() == other.read(), "the same octets")
    place = product.new_directory()
    with zipfile.ZipFile(files[0]) as packed:
        packed.extractall(place)
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=place, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    report.equal(done.returncode, 0, done.stdout)

    def lines_of(name):
        with open(os.path.join(place, name), "rb") as text:
            return text.read().splitlines()
    records = [json.loads(line) for line in lines_of("records.ndjson")]
    report.equal([r["loc"] for r in records], [r["loc"] for r in HOUSE.records("all") if r["verdict"] == "fail" and r["partner"] == "acme"], "records")
    whole = journal.merkle(journal.lines(HOUSE.path("all"))).hex()
    report.equal(lines_of("merkle-root"), [whole.encode()], "root of the run")
    for line, proof in zip(lines_of("records.ndjson"), map(json.loads, lines_of("proofs.ndjson"))):
        report.equal(root_of(proof, line), whole, "proof")
    for record in records:
        with open(os.path.join(place, "payload", f"{record['seq']:012}"), "rb") as octets:
            report.equal(hashlib.sha256(octets.read()).hexdigest(), record["payload_sha256"], record["loc"])
    with open(os.path.join(place, "bundle.json"), encoding="utf-8") as text:
        report.check(len(json.load(text)["entries"]) >= 5, "certificates")


def test_evidence_is_not_made_of_what_has_changed():
    passed = next(r for r in HOUSE.records("all") if r["verdict"] == "pass")
    path, out = HOUSE.path(passed["loc"]), HOUSE.path("broken.zip")
    with open(path, "rb") as octets:
        before = octets.read()
    try:
        for change, part in ((lambda: open(path, "ab").write(b" "), "was changed since it was judged"), (lambda: os.remove(path), "is not there any more")):
            change()
            done = ask("archive", "export", "--journal", HOUSE.path("all"), "--select", "verdict=pass", "-o", out)
            report.equal((done.returncode, part in done.stderr, os.path.exists(out)), (5, True, False), done.stderr)
    finally:
        with open(path, "wb") as octets:
            octets.write(before)
    for select, code in (("verdict=passed", 64), ("colour=red", 64), ("entry=nobody#1", 4)):
        done = ask("archive", "export", "--journal", HOUSE.path("all"), "--select", select, "-o", out)
        report.equal(done.returncode, code, done.stderr)


# ---- reports of a run ----------------------------------------------------------------------------------------------------

def test_reports_are_written_by_the_run_and_afterwards_alike():
    junit, after = HOUSE.path("junit.xml"), HOUSE.path("after.xml")
    done = HOUSE.run(HOUSE.keystore, "reported", "in", *BY_NAME, "--expect-count", "300", "--report", f"summary:-,junit:{junit}")
    report.equal(done.returncode, 1, done.stderr)
    report.check("count NOT COMPLETE" in done.stdout and "acme-sign#1" in done.stdout, done.stdout)
    ask("archive", "report", HOUSE.path("reported"), "--report", f"junit:{after}", check=True)
    with open(junit, "rb") as one, open(after, "rb") as other:
        report.check(one.read() == other.read(), "the same")
    later = ask("archive", "report", HOUSE.path("reported"), check=True).stdout
    report.check("count NOT COMPLETE" in later, "what was found is kept")


if __name__ == "__main__":
    report.run("cli/archive_runs", report.tests_of(sys.modules[__name__]))
