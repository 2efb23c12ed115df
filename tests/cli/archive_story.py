#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""An archive of three years, signed with four certificates of which one was stolen, in every form in which messages are
kept: each item has the verdict of the ledger, and the sums per certificate are the ledger's.

STORY_MESSAGES=100000 for a long one; STORY_EACH=1 puts all messages into every form, one run per form, instead of
spreading them over the forms for one run (make archive-story does both)."""
import collections
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import time

import forms
import keys
import product
import report
import stored

COUNT = int(os.environ.get("STORY_MESSAGES", "6000"))
EACH = os.environ.get("STORY_EACH", "") == "1"
TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
CODES = {"fail": 1, "indeterminate": 2, "pass": 0}


class House:
    """The keystore, and the messages in the order of time."""

    def __init__(self):
        self.directory = product.new_directory()
        self.keystore = product.Keystore(self.directory)
        self.generations = stored.four_generations(self.directory, self.keystore, TODAY)
        stranger = keys.new_pair(self.directory, "stranger", "ec:P-256", days=(-2000, 400))
        self.items = stored.three_years(self.generations, COUNT, TODAY, stranger, packages=7)

    def verify(self, operands, journal):
        command = [product.COUNTERSIGN, "--keystore", self.keystore.uri, "archive", "verify", *operands, *forms.RECEIVED, "--journal", journal,
                   "--expect-count", str(COUNT), "--report", f"summary:{journal}.json", "--json"]
        begun = time.monotonic()
        done = subprocess.run(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        return done, time.monotonic() - begun

    def path(self, name):
        return os.path.join(self.directory, name)

    def records(self, journal):
        with open(os.path.join(self.path(journal), "results.ndjson"), encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


HOUSE = House()


def kind_of(item):
    return item.entry, *item.expected


def compare_records(kept, journal):
    """Every item once, under its loc, with its verdict."""
    left = {k.loc: k for k in kept}
    report.equal(len(left), len(kept), "places of the generator are different ones")
    for record in HOUSE.records(journal):
        found = left.pop(record["loc"], None)
        report.check(found is not None, f"{record['loc']}: not in the ledger, or a second time")
        entry = (record["certificate"] or {}).get("entry")
        report.equal((entry, record["verdict"], record["reason"]), kind_of(found.item), record["loc"])
        report.equal((record["payload_sha256"], record["t"], record["time_source"]), (found.sha256, stored.text_of(found.item.received), "received"),
                     record["loc"])
    report.equal(len(left), 0, f"items without a record, as {next(iter(left), None)}")


def compare_summary(journal):
    """Counts, first and last of each certificate, against the ledger."""
    with open(HOUSE.path(journal + ".json"), encoding="utf-8") as text:
        found = json.load(text)
    ledger = collections.defaultdict(lambda: {"pass": 0, "fail": 0, "indeterminate": 0, "error": 0, "times": []})
    for item in HOUSE.items:
        ledger[item.entry][item.expected[0]] += 1
        ledger[item.entry]["times"].append(stored.text_of(item.received))
    verdicts = ("pass", "fail", "indeterminate", "error")
    for row in found["certificates"]:
        expected = ledger.pop(row["entry"])
        report.equal([row[v] for v in verdicts], [expected[v] for v in verdicts], f"counts of {row['entry']}")
        report.equal((row["first_seen"], row["last_seen"]), (min(expected["times"]), max(expected["times"])), f"times of {row['entry']}")
        report.equal(sum(m["pass"] + m["fail"] + m["indeterminate"] for m in row["months"]), len(expected["times"]), f"months of {row['entry']}")
    report.equal(dict(ledger), {}, "certificates of the ledger that the summary leaves out")
    reasons = collections.Counter(i.expected[1] for i in HOUSE.items if i.expected[0] != "pass")
    report.equal(found["reasons"], dict(reasons), "reasons")
    report.equal((found["messages"], found["coverage"][0]["complete"]), (COUNT, True), "messages")


def judge(operands, kept, journal):
    done, seconds = HOUSE.verify(operands, journal)
    report.equal(done.returncode, 1, f"exit code: {done.stderr}")
    compare_records(kept, journal)
    compare_summary(journal)
    print(f"# {journal:12} {COUNT} messages, {COUNT / seconds:.0f}/s", flush=True)


def test_the_ledger_knows_every_kind():
    found = {kind_of(item) for item in HOUSE.items}
    for expected in (("acme-sign#1", "pass", "ok"), ("acme-sign#2", "fail", "certificate-compromised"), ("acme-sign#4", "pass", "ok"),
                     ("acme-sign#2", "indeterminate", "certificate-compromised"), (None, "fail", "certificate-unknown"),
                     ("acme-sign#3", "fail", "digest-mismatch"), ("acme-sign#1", "fail", "certificate-pre-active")):
        report.check(expected in found, f"{expected} is none of {found}")


def test_every_item_of_every_form_has_the_verdict_of_the_ledger():
    if EACH:
        for form, write in forms.FORMS.items():
            operands, kept = write(HOUSE.directory, form, HOUSE.items)
            judge(operands, kept, f"run-{form}")
            for name in os.listdir(HOUSE.directory):
                if name.startswith((form, f"run-{form}")):
                    shutil.rmtree(HOUSE.path(name), ignore_errors=True) if os.path.isdir(HOUSE.path(name)) else os.unlink(HOUSE.path(name))
        return
    mixed = list(HOUSE.items)
    random.Random(1).shuffle(mixed)
    operands, kept = [], []
    for number, (form, write) in enumerate(forms.FORMS.items()):
        some = sorted(mixed[number::len(forms.FORMS)], key=lambda item: item.received)
        more, places = write(HOUSE.directory, form, some)
        operands += more
        kept += places
    judge(operands, kept, "run-all")


def test_captures_written_by_a_second_hand_are_a_whole_chain():
    if EACH:
        raise report.Skip("captures were looked at")
    done = product.countersign("--keystore", HOUSE.keystore.uri, "archive", "chain", HOUSE.path("captures"), check=False)
    report.equal(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    report.run("archive story", report.tests_of(sys.modules[__name__]))
