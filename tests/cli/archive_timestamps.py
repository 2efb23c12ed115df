#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
"""Time-stamp tokens beside stored messages prove when they existed; those that do not hold prove nothing and say why.
The authority is `openssl ts`, moved to the time of each message."""
import datetime
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import keys
import product
import report
import stored
from stamper import Stamper

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
BY_NAME = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")
class House:
    """A keystore whose second certificate was stolen, and messages that were signed with it before: without proof of
    their age nobody can tell them from the thief's."""

    def __init__(self):
        self.directory = product.new_directory()
        self.keystore = product.Keystore(self.directory)
        generations = stored.four_generations(self.directory, self.keystore, TODAY)
        self.stolen = generations[1]
        self.stamper = Stamper(self.directory, "stamper")
        self.other = Stamper(self.directory, "other")
        self.anchor("stamps", self.stamper)
        maker = stored.Maker()
        self.received = self.stolen.begin + datetime.timedelta(days=60)
        self.octets = maker.message(self.stolen.pair, self.received - datetime.timedelta(seconds=2))
        self.name = f"m-{self.received.strftime(stored.FORMAT)}.xml"
        self.runs = 0

    def anchor(self, alias, stamper):
        self.keystore.run("add", "--role", "trust-anchor", "--alias", alias, stamper.root.certificate_file, "--activate")

    def judge(self, token, *more, octets=None, anchors=("stamps",), name=None):
        """The one record of a message with that token beside it (None: none)."""
        self.runs += 1
        name = name or self.name
        tree = os.path.join(self.directory, f"in-{self.runs}")
        os.makedirs(tree)
        with open(os.path.join(tree, name), "wb") as out:
            out.write(octets or self.octets)
        if token is not None:
            with open(os.path.join(tree, name + ".tsr"), "wb") as out:
                out.write(token)
        found = self.verify(f"in-{self.runs}", *more, *(w for a in anchors for w in ("--timestamp-anchors", a)))
        return next(r for r in found if r["loc"].endswith(".xml")), found

    def verify(self, *args):
        place = os.path.join(self.directory, f"run-{self.runs}-{len(os.listdir(self.directory))}")
        done = subprocess.run([product.COUNTERSIGN, "--keystore", self.keystore.uri, "archive", "verify", *args, "--journal", place],
                              cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=report.PATIENCE_S, check=False)
        self.said = done.stderr.decode()
        with open(os.path.join(place, "results.ndjson"), encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


HOUSE = House()
UNPROVEN = ("indeterminate", "certificate-compromised", "received")


def told(record):
    return record["verdict"], record["reason"], record["time_source"]


def unproven(token, note, *more, **how):
    record, found = HOUSE.judge(token, *BY_NAME, *more, **how)
    report.equal((told(record), note in record["notes"]), (UNPROVEN, True), f"{note}: {record['notes']} {HOUSE.said}")
    return found


def test_a_token_proves_that_a_message_is_older_than_the_theft():
    report.equal(told(HOUSE.judge(None, *BY_NAME)[0]), UNPROVEN, "without a token")
    for how in ({}, {"bare": True}, {"digest": "sha512"}, {"signer_digest": "sha384"}):
        record, found = HOUSE.judge(HOUSE.stamper.token(HOUSE.octets, HOUSE.received, **how), *BY_NAME)
        report.equal((told(record), record["notes"]), (("pass", "ok", "poe"), []), f"{how}: {HOUSE.said}")
        report.equal(len(found), 1, "the token is no item itself")
    proven = datetime.datetime.strptime(record["t"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=stored.UTC)
    late = (proven - HOUSE.received).total_seconds()
    report.check(3 <= late <= 120, f"accuracy is counted to the late side: {late}")


def test_a_token_of_after_the_theft_is_no_help():
    moment = HOUSE.stolen.compromised + datetime.timedelta(days=3)
    record, _ = HOUSE.judge(HOUSE.stamper.token(HOUSE.octets, moment), *BY_NAME)
    report.equal(told(record), ("fail", "certificate-compromised", "poe"), "the proven instant counts, not the name")


def test_judges_without_files_see_the_token_too():
    record, _ = HOUSE.judge(HOUSE.stamper.token(HOUSE.octets, HOUSE.received), *BY_NAME, "--isolate")
    report.equal(told(record), ("pass", "ok", "poe"), HOUSE.said)
    unproven(b"", "timestamp-unreadable", "--isolate")


def packed(form, members):
    """members [(name, octets)] as a tar, tar.gz or zip."""
    with io.BytesIO() as out:
        if form == "zip":
            with zipfile.ZipFile(out, "w") as made:
                for name, octets in members:
                    made.writestr(name, octets)
        else:
            with tarfile.open(fileobj=out, mode="w:gz" if form == "tar.gz" else "w") as made:
                for name, octets in members:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(octets)
                    made.addfile(entry, io.BytesIO(octets))
        return out.getvalue()


def of_archive(form, members, *more):
    HOUSE.runs += 1
    with open(os.path.join(HOUSE.directory, f"in-{HOUSE.runs}.{form}"), "wb") as out:
        out.write(packed(form, members))
    return HOUSE.verify(f"in-{HOUSE.runs}.{form}", *BY_NAME, "--timestamp-anchors", "stamps", *more)


def test_a_token_behind_its_message_in_an_archive_counts():
    token = HOUSE.stamper.token(HOUSE.octets, HOUSE.received)
    stranger = HOUSE.other.token(HOUSE.octets, HOUSE.received)
    second = HOUSE.name.replace("m-", "n-")
    for form in ("tar", "tar.gz", "zip"):
        for more in ((), ("--isolate",), ("--jobs", "3")):
            found = of_archive(form, [(HOUSE.name, HOUSE.octets), (HOUSE.name + ".tsr", token), (second, HOUSE.octets),
                                      (second + ".tsr", stranger), ("x/" + HOUSE.name, HOUSE.octets)], *more)
            report.equal([told(r) for r in found], [("pass", "ok", "poe"), UNPROVEN, UNPROVEN], f"{form} {more}: {HOUSE.said}")
            report.equal([r["seq"] for r in found], [1, 2, 3], "a token has no number")
            report.equal([[n for n in r["notes"] if "timestamp" in n] for r in found], [[], ["timestamp-untrusted"], []], f"{form}: notes")


def test_a_token_in_an_archive_belongs_to_the_member_before_it_alone():
    token = HOUSE.stamper.token(HOUSE.octets, HOUSE.received)
    apart = of_archive("tar", [(HOUSE.name, HOUSE.octets), ("other.xml", b"<a/>"), (HOUSE.name + ".tsr", token)])
    report.equal([told(r)[:2] for r in apart], [UNPROVEN[:2], ("error", "unsupported-format"), ("error", "unsupported-format")], "apart: an item")
    alone = of_archive("tar", [(HOUSE.name + ".tsr", token)])
    report.equal([r["reason"] for r in alone], ["unsupported-format"], "without its message")
    message = of_archive("tar", [(HOUSE.name, HOUSE.octets), (HOUSE.name + ".tsr", HOUSE.octets)])
    report.equal([r["verdict"] for r in message], ["indeterminate"] * 2, "a message of that name is none")
    long = of_archive("tar", [(HOUSE.name, HOUSE.octets), (HOUSE.name + ".tsr", b"\x30\x82" + bytes(70000)), (HOUSE.name + "2", HOUSE.octets)])
    report.equal((len(long), "timestamp-unreadable" in long[0]["notes"]), (2, True), f"too long: {long[0]['notes']}")
    twice = of_archive("tar", [(HOUSE.name, HOUSE.octets), (HOUSE.name + ".tsr", token), (HOUSE.name + ".tsr", token)])
    report.equal([told(r)[0] for r in twice], ["pass", "error"], "a second one is an item")


def test_a_run_that_goes_on_passes_over_tokens_of_what_is_done():
    token = HOUSE.stamper.token(HOUSE.octets, HOUSE.received)
    members = []
    for number in range(6):
        name = HOUSE.name.replace("m-", f"m{number}-")
        members += [(name, HOUSE.octets), (name + ".tsr", token)]
    whole = of_archive("tar", members)
    journal = max((os.path.join(HOUSE.directory, n) for n in os.listdir(HOUSE.directory) if n.startswith(f"run-{HOUSE.runs}-")), key=os.path.getmtime)
    results = os.path.join(journal, "results.ndjson")
    with open(results, "rb") as lines:
        all_lines = lines.readlines()
    for kept in range(6):
        with open(results, "wb") as out:
            out.writelines(all_lines[:kept])
        if os.path.exists(os.path.join(journal, "conclusion.json")):
            os.remove(os.path.join(journal, "conclusion.json"))
        done = subprocess.run([product.COUNTERSIGN, "--keystore", HOUSE.keystore.uri, "archive", "verify", "--journal", journal, "--resume"],
                              cwd=HOUSE.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=report.PATIENCE_S, check=False)
        with open(results, encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        report.equal([(r["loc"], told(r), r["seq"]) for r in found], [(r["loc"], told(r), r["seq"]) for r in whole],
                     f"{kept} kept: {done.stderr.decode()}")


def test_what_does_not_hold_proves_nothing_and_says_why():
    good = HOUSE.stamper.token(HOUSE.octets, HOUSE.received)
    unproven(HOUSE.stamper.token(HOUSE.octets + b"\n", HOUSE.received), "timestamp-of-other-octets")
    unproven(HOUSE.other.token(HOUSE.octets, HOUSE.received), "timestamp-untrusted")
    unproven(good[:-40] + bytes([good[-40] ^ 1]) + good[-39:], "timestamp-untrusted")
    unproven(good[:-1], "timestamp-malformed")
    unproven(good + b"\0", "timestamp-malformed")
    unproven(b"\x30" * 70000, "timestamp-unreadable")
    unproven(HOUSE.stamper.token(HOUSE.octets, HOUSE.received, digest="sha1"), "timestamp-weak-digest")
    unproven(HOUSE.stamper.token(HOUSE.octets, HOUSE.received, signer_digest="sha1"), "timestamp-weak-digest")
    unproven(HOUSE.stamper.token(HOUSE.octets, TODAY + datetime.timedelta(days=1)), "timestamp-ahead")
    unproven(good, "timestamp-not-checked", anchors=())
    unproven(good, "timestamp-untrusted", anchors=("stmaps",))
    report.check("stmaps" in HOUSE.said, "a slot that is not there is told")


def test_only_the_slot_that_is_named_counts():
    HOUSE.anchor("elsewhere", HOUSE.other)
    token = HOUSE.other.token(HOUSE.octets, HOUSE.received)
    unproven(token, "timestamp-untrusted")
    report.equal(told(HOUSE.judge(token, *BY_NAME, anchors=("stamps", "elsewhere"))[0]), ("pass", "ok", "poe"), HOUSE.said)


def test_a_certificate_that_stamps_no_time_or_not_then_is_refused():
    late = Stamper(HOUSE.directory, "late", days=(-10, 400))
    server = Stamper(HOUSE.directory, "brief", days=(-2000, -1990))
    for one in (late, server):
        HOUSE.anchor(one.name, one)
        unproven(one.token(HOUSE.octets, HOUSE.received), "timestamp-untrusted", anchors=(one.name,))


def test_a_stolen_or_revoked_authority_dates_nothing_back():
    revoked, stolen, known = (Stamper(HOUSE.directory, name) for name in ("revoked", "stolen", "known"))
    tokens = {}
    for one in (revoked, stolen, known):
        HOUSE.anchor(one.name, one)
        tokens[one.name] = one.token(HOUSE.octets, HOUSE.received)
        record, _ = HOUSE.judge(tokens[one.name], *BY_NAME, anchors=(one.name,))
        report.equal(told(record), ("pass", "ok", "poe"), f"{one.name}, before: {record['notes']}")
    HOUSE.keystore.run("add-crl", "--alias", "revoked", keys.new_crl(HOUSE.directory, "list", revoked.root, [revoked.pair]))
    unproven(tokens["revoked"], "timestamp-revoked", anchors=("revoked",))
    HOUSE.keystore.run("compromise", "stolen#1", "--reason", "left in a train")
    unproven(tokens["stolen"], "timestamp-untrusted", anchors=("stolen",))
    HOUSE.keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "same-key", known.pair.certificate_file)
    HOUSE.keystore.run("compromise", "same-key#1", "--reason", "found in a bin")
    unproven(tokens["known"], "timestamp-revoked", anchors=("known",))


def test_a_message_with_such_a_name_is_a_message():
    _, found = HOUSE.judge(HOUSE.octets, *BY_NAME)
    report.equal(sorted((r["loc"].rsplit(".", 1)[1], r["verdict"]) for r in found),
                 [("tsr", "indeterminate"), ("xml", "indeterminate")], "none is lost")
    report.check("timestamp-malformed" in found[0]["notes"] + found[1]["notes"], "and it is no token")


def test_the_word_of_the_operator_stands_above():
    moment = stored.text_of(HOUSE.received)
    record, _ = HOUSE.judge(HOUSE.stamper.token(HOUSE.octets, HOUSE.received), "--as-of", moment)
    report.equal(record["time_source"], "as-of", HOUSE.said)


if __name__ == "__main__":
    report.run("cli/archive_timestamps", report.tests_of(sys.modules[__name__]))
