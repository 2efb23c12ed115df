#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
"""A journal whose certificates or policies have changed since: it is refused, or decided again from what it says, and
equals a run from the beginning. Only what its records do not answer is read again."""
import datetime
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
BY_NAME = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")
COUNT = 100
POLICY = "keystore sqlite \"%s\";\npolicy p { require-signed Body; %s }\npartner acme { policy p; %s }\n"


class House:
    """A hundred messages of three years, and a journal of them; each test begins with a copy of all."""

    def __init__(self):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.generations = stored.four_generations(self.place, self.keystore, TODAY)
        self.stranger = keys.new_pair(self.place, "stranger", "ec:P-256", days=(-2000, 400))
        self.items = stored.three_years(self.generations, COUNT, TODAY, self.stranger, padding=100)
        stored.write_tree(os.path.join(self.place, "in"), self.items)
        again = os.path.join(self.place, "in", "again-" + os.path.basename(self.items[0].name))
        shutil.copy(os.path.join(self.place, "in", self.items[0].name), again)

    def scene(self, *args, rules=("", "")):
        return Scene(self, args, rules)


class Scene:
    def __init__(self, house, args, rules):
        self.place = product.new_directory()
        for name in ("ks.db", "ks.db-wal", "ks.db-shm"):
            if os.path.exists(os.path.join(house.place, name)):
                shutil.copy(os.path.join(house.place, name), self.place)
        for name in os.listdir(house.place):
            if name.startswith("ks.db.") or name.endswith("kek"):
                shutil.copy(os.path.join(house.place, name), self.place)
        shutil.copytree(os.path.join(house.place, "in"), self.path("in"))
        self.args = args
        self.rules(*rules)
        self.run("in", *args, "--journal", "j")

    def path(self, *names):
        return os.path.join(self.place, *names)

    def rules(self, policy="", partner=""):
        with open(self.path("c.conf"), "w", encoding="utf-8") as conf:
            conf.write(POLICY % (self.path("ks.db"), policy, partner))

    def command(self, *args):
        return [product.COUNTERSIGN, "-c", "c.conf", "archive", "verify", *args, "--progress", "none"]

    def run(self, *args):
        return subprocess.run(self.command(*args), cwd=self.place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=report.PATIENCE_S, check=False)

    def keys(self, *args):
        product.countersign("--keystore", f"sqlite:{self.path('ks.db')}", "keystore", *args)

    def records(self, journal="j"):
        with open(self.path(journal, "results.ndjson"), encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def octets(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def revalidate(self):
        """@return (exit code, records that stood, records there were)"""
        done = self.run("--journal", "j", "--resume", "--revalidate")
        told = [line for line in done.stderr.splitlines() if "records stand" in line]
        report.equal(len(told), 1, f"{done.returncode}: {done.stderr}")
        words = told[0].replace("countersign: ", "").split()
        return done.returncode, int(words[0]), int(words[2])

    def equals_a_fresh_run(self, what):
        self.run("in", *self.args, "--journal", "fresh")
        report.equal(by_loc(self.records()), by_loc(self.records("fresh")), what)
        report.equal([r["seq"] for r in self.records()], list(range(1, len(self.records()) + 1)), f"{what}: numbers")
        report.equal(sum(r["dup_of"] is not None for r in self.records()), sum(r["dup_of"] is not None for r in self.records("fresh")), what)
        shutil.rmtree(self.path("fresh"))


HOUSE = House()


def by_loc(records):
    """What is the same in two runs; the second at which a run began is none."""
    found = {}
    for r in records:
        report.check(r["loc"] not in found, f"{r['loc']} twice")
        found[r["loc"]] = {k: v for k, v in r.items() if k not in ("run", "us", "seq", "dup_of")}
        if r["time_source"] == "now":
            found[r["loc"]]["t"] = "now"
            found[r["loc"]]["notes"] = [n for n in r["notes"] if not n.startswith("late ")]
    return found


def test_what_changed_is_told_and_nothing_is_written():
    scene = HOUSE.scene(*BY_NAME)
    before = scene.octets("j", "results.ndjson"), scene.octets("j", "run.json")
    scene.keys("compromise", "acme-sign#3", "--since", stored.text_of(TODAY - datetime.timedelta(days=200)), "--reason", "laptop stolen")
    done = scene.run("--journal", "j", "--resume")
    report.equal((done.returncode, "--resume --revalidate" in done.stderr), (75, True), done.stderr)
    scene.rules("expired-certificate refuse;")
    done = scene.run("--journal", "j", "--resume")
    report.equal((done.returncode, "--resume --revalidate" in done.stderr), (75, True), done.stderr)
    report.check((scene.octets("j", "results.ndjson"), scene.octets("j", "run.json")) == before, "as it was")
    done = scene.run("in", "--journal", "other", "--revalidate")
    report.equal((done.returncode, os.path.exists(scene.path("other"))), (64, False), done.stderr)


def test_a_stolen_key_is_decided_without_the_messages():
    scene = HOUSE.scene(*BY_NAME)
    old = scene.records()
    passed = [r["loc"] for r in old if r["verdict"] == "pass"]
    failed = [r["loc"] for r in old if r["facts"] != "ok"]
    scene.keys("compromise", "acme-sign#3", "--since", stored.text_of(TODAY - datetime.timedelta(days=200)), "--reason", "laptop stolen")
    report.equal(scene.revalidate(), (1, len(old) - len(failed), len(old)), "those with a good signature")
    scene.equals_a_fresh_run("stolen")
    lost = [r for r in scene.records() if r["loc"] in passed and r["reason"] == "certificate-compromised"]
    report.check(lost and {r["verdict"] for r in lost} == {"fail", "indeterminate"}, "passes that are none any more")
    (before,) = [name for name in os.listdir(scene.path("j")) if name.startswith("before-")]
    report.equal(by_loc(scene.records(os.path.join("j", before))), by_loc(old), "the journal as it was")
    diff = product.countersign("archive", "diff", scene.path("j", before), scene.path("j"), check=False)
    report.equal(diff.returncode, 1, diff.stdout + diff.stderr)
    report.equal(sorted(os.listdir(scene.path("j"))), sorted([before, "conclusion.json", "results.ndjson", "run.json"]), "nothing else is left")
    for item in HOUSE.items:  # they are gone: what stands needs none of them
        os.remove(scene.path("in", item.name))
    scene.keys("compromise", "acme-sign#3", "--undo", "--reason", "found again")
    code, stand, _ = scene.revalidate()
    report.equal((code, stand), (1, len(old) - len(failed)), "without their messages")
    report.equal([r["loc"] for r in sorted(scene.records(), key=lambda r: r["loc"]) if r["verdict"] == "pass"], sorted(passed), "as at first")


def test_what_is_gone_is_an_error_and_not_lost():
    scene = HOUSE.scene(*BY_NAME)
    unknown = next(r for r in scene.records() if r["reason"] == "certificate-unknown")
    os.remove(scene.path(unknown["loc"].split("#")[0]))
    scene.keys("compromise", "acme-sign#3", "--since", stored.text_of(TODAY - datetime.timedelta(days=200)), "--reason", "laptop stolen")
    for turn in ("first", "second"):
        code, _, items = scene.revalidate()
        report.equal((code, items, len(scene.records())), (1, COUNT + 1, COUNT + 1), f"{turn}: all items")
        (gone,) = [r for r in scene.records() if r["loc"] == unknown["loc"]]
        report.equal((gone["verdict"], gone["reason"], "not there any more" in gone["detail"]), ("error", "io-error", True), f"{turn}: {gone['detail']}")


def test_a_certificate_of_the_past_that_was_missing():
    scene = HOUSE.scene(*BY_NAME)
    unknown = [r["loc"] for r in scene.records() if r["reason"] == "certificate-unknown"]
    scene.keys("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-old", HOUSE.stranger.certificate_file, "--since",
               stored.text_of(TODAY - datetime.timedelta(days=1500)), "--until", stored.text_of(TODAY))
    scene.revalidate()
    scene.equals_a_fresh_run("a certificate more")
    report.equal({r["loc"]: r["verdict"] for r in scene.records() if r["loc"] in unknown}, dict.fromkeys(unknown, "pass"), "found now")


def test_another_certificate_for_the_same_key_is_asked_too():
    scene = HOUSE.scene(*BY_NAME)
    old = scene.records()
    scene.keys("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-twin", HOUSE.generations[2].pair.certificate_file, "--since",
               stored.text_of(TODAY - datetime.timedelta(days=1500)), "--until", stored.text_of(TODAY))
    _, stand, _ = scene.revalidate()
    third = sum(r["facts"] == "ok" and r["certificate"]["entry"] == "acme-sign#3" for r in old)
    report.equal(stand, sum(r["facts"] == "ok" for r in old) - third, "those of that key are looked at again")
    scene.equals_a_fresh_run("a twin")


def test_rules_about_time_are_decided_and_rules_about_messages_judged_again():
    scene = HOUSE.scene(*BY_NAME)
    items = len(scene.records())
    for rules, all_stand in ((("expired-certificate refuse;", ""), True), (("expired-certificate refuse;", "expired-certificate grace 24h;"), True),
                             (("", ""), True), (("timestamp { required yes; }", ""), False), (("digest-algorithms sha512;", ""), False)):
        scene.rules(*rules)
        _, stand, _ = scene.revalidate()
        report.check(stand == items if all_stand else stand == 0, f"{rules}: {stand}")
        scene.equals_a_fresh_run(str(rules))


def test_a_message_s_own_time_counts_where_its_entry_was_exchanged():
    for args in ((), ("--trust-claimed",), ("--received-from", "mtime")):
        scene = HOUSE.scene(*args)
        scene.equals_a_fresh_run(f"{args}: a run is the same twice")
        scene.keys("deactivate", "acme-sign#4")
        _, stand, _ = scene.revalidate()
        report.check(stand > 0, f"{args}: {stand} stand")
        scene.equals_a_fresh_run(f"{args}: exchanged")
        sources = {r["time_source"] for r in scene.records()}
        report.check("claimed" in sources, f"{args}: {sources}")


def test_a_run_that_was_stopped_goes_on_under_the_new_rules():
    scene = HOUSE.scene(*BY_NAME)
    lines = scene.octets("j", "results.ndjson").splitlines(keepends=True)
    with open(scene.path("j", "results.ndjson"), "wb") as out:
        out.writelines(lines[:40] + [lines[40][:70]])
    os.remove(scene.path("j", "conclusion.json"))
    scene.rules("expired-certificate refuse;")
    _, stand, items = scene.revalidate()
    report.equal((stand, items), (40, 40), "what it holds")
    scene.equals_a_fresh_run("gone on with")


def test_killed_at_any_moment_it_holds_one_or_the_other():
    scene = HOUSE.scene(*BY_NAME)
    chance = random.Random(8)
    old = by_loc(scene.records())
    scene.rules("expired-certificate refuse;")
    whole = time.monotonic()
    scene.revalidate()
    whole = time.monotonic() - whole
    for turn in range(12):
        child = subprocess.Popen(scene.command("--journal", "j", "--resume", "--revalidate"), cwd=scene.place, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(timeout=chance.uniform(0.1, 1.1) * whole)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        held = by_loc(scene.records())
        report.check(all(held[loc]["facts"] == old[loc]["facts"] for loc in held), f"{turn}: records are whole")
    scene.revalidate()
    scene.equals_a_fresh_run("after kills")
    report.check(not os.path.exists(scene.path("j", "revalidating")), "nothing is left behind")


def test_a_full_disk_leaves_the_journal_as_it_was():
    scene = HOUSE.scene(*BY_NAME)
    before = scene.octets("j", "results.ndjson"), scene.octets("j", "run.json")
    names = sorted(os.listdir(scene.path("j")))
    scene.rules("expired-certificate refuse;")
    done = subprocess.run(scene.command("--journal", "j", "--resume", "--revalidate"), cwd=scene.place, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10)))
    report.equal((done.returncode, "make room" in done.stderr), (75, True), done.stderr)
    report.check((scene.octets("j", "results.ndjson"), scene.octets("j", "run.json")) == before, "as it was")
    report.equal(sorted(os.listdir(scene.path("j"))), names, "nothing is left behind")
    scene.revalidate()
    scene.equals_a_fresh_run("with room again")


if __name__ == "__main__":
    report.run("cli/archive_revalidate", report.tests_of(sys.modules[__name__]))
