#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 120
"""archive plan: what lies there, and what a sample says of a run before it is begun."""
import datetime
import json
import os
import re
import subprocess
import sys

import forms
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
PLACE = product.new_directory()
KEYSTORE = product.Keystore(PLACE)
ITEMS = stored.three_years(stored.four_generations(PLACE, KEYSTORE, TODAY), 300, TODAY)


def plan(*args, code=0):
    done = subprocess.run([product.COUNTERSIGN, "--keystore", KEYSTORE.uri, "--now", stored.text_of(TODAY), *args], cwd=PLACE,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
    report.equal(done.returncode, code, f"exit code: {done.stdout}{done.stderr}")
    return done


def planned(*args):
    return json.loads(plan("--json", "archive", "plan", *args).stdout)


def test_files_are_counted_and_the_hint_works():
    forms.FORMS["tree"](PLACE, "in", ITEMS)
    found = planned("in")
    octets = sum(len(i.octets) for i in ITEMS)
    report.equal((found["files"], found["octets"], found["items_expected"]), (300, octets, 300), "")
    report.equal(found["forms"], {"message": {"files": 300, "octets": octets}}, "")
    report.equal((found["sample"]["items"], found["sample"]["time_sources"]), (100, {"now": 100}), "")
    report.equal(found["sample"]["partners"], {"acme": 100}, "")
    report.check(len(found["sample"]["entries"]) == 4, f"files are drawn from the whole archive: {found['sample']['entries']}")
    spec = re.search(r"--received-from (name:)'(.+)'", found["hints"][0])
    found = planned("in", "--received-from", spec.group(1) + spec.group(2))
    report.equal((found["sample"]["time_sources"], found["hints"]), ({"received": 100}, []), "the hint was followed")


def test_archives_are_expected_to_hold_what_they_hold():
    operands = []
    for form in ("tar", "tar-gz", "zip", "lines"):
        operands += forms.FORMS[form](PLACE, "all", ITEMS)[0]
    found = planned(*operands)
    report.equal((found["files"], sorted(found["forms"])), (4, ["archive", "compressed", "json-lines", "zip-7z"]), "")
    report.check(1000 < found["items_expected"] < 1500, f"of 1200 items {found['items_expected']} are expected")
    report.equal(found["largest_archive"]["octets"], max(os.path.getsize(os.path.join(PLACE, o)) for o in operands), "")
    report.check("name:" in planned("all.tar")["hints"][0], "names in an archive are looked at, too")


def test_what_a_run_would_stumble_over_is_named():
    stranger = keys.new_pair(PLACE, "stranger", "ec:P-256", days=(-2000, 400))
    odd = os.path.join(PLACE, "odd")
    os.makedirs(odd)
    for number in range(10):
        with open(os.path.join(odd, f"@{number}.xml"), "wb") as out:
            out.write(stored.Maker().message(stranger, TODAY))
    for number in range(5):
        with open(os.path.join(odd, f"a%{number}\xff.bin".encode("latin-1").decode("latin-1")), "wb") as out:
            out.write(b"\x00\x01")
    os.symlink("/etc/passwd", os.path.join(odd, "link"))
    with open(os.path.join(odd, "empty"), "wb"):
        pass
    found = planned("odd")
    report.equal((found["files"], found["unreadable"], found["items_expected"]), (16, 1, 17), "")
    report.equal(found["sample"]["facts"], {"certificate-unknown": 10, "unsupported-format": 5}, "")
    hints = " ".join(found["hints"])
    report.check("5 of 15 items of the sample are no messages" in hints, hints)
    report.check("10 of 15" in hints and "keystore add" in hints, hints)
    text = plan("archive", "plan", "odd").stdout
    report.check("about 17 messages in 16 files" in text and "unreadable" in text and "hint" in text, text)


def test_the_same_files_give_the_same_plan_also_as_a_file():
    done = plan("--json", "archive", "plan", "in", "-o", "plan.json")
    with open(os.path.join(PLACE, "plan.json"), encoding="utf-8") as text:
        kept = json.load(text)
    report.equal(dict(kept, cpu_seconds_expected=0), dict(json.loads(done.stdout), cpu_seconds_expected=0), "")
    report.equal(dict(kept, cpu_seconds_expected=0), dict(planned("in"), cpu_seconds_expected=0), "a second time")
    report.check("cannot be written" in plan("archive", "plan", "in", "-o", "no/where.json", code=69).stderr, "")


def test_what_cannot_be_planned_is_refused():
    os.makedirs(os.path.join(PLACE, "nothing"))
    plan("archive", "plan", "nothing", code=4)
    report.check("read once" in plan("archive", "plan", "-", code=64).stderr, "")
    plan("archive", "plan", "in", "--received-from", "name:[", code=64)
    plan("archive", "plan", "in", "--partner", "acne", code=64)
    report.check("PATH" in plan("archive", "plan", code=64).stderr, "")


if __name__ == "__main__":
    report.run("archive plan", report.tests_of(sys.modules[__name__]))
