#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""Roll-overs by commands: steps in their order, words of the wrong role, out of turn or twice, files that are none,
the way back from every step."""
import datetime
import json
import os
import pwd
import re
import sys

import keys
import product
import report
from report import check, equal

NOW = "2026-06-01T00:00:00Z"
LONG = (-3000, 3000)  # whatever day it is, NOW is among them
FROM, TO = "2026-06-02T22:00:00Z", "2026-06-02T23:00:00Z"


class Rolled:
    """A store with an own client certificate, and roll-overs of it at instants that are given."""

    def __init__(self, conf=""):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.conf = os.path.join(self.place, "countersign.conf")
        self.now = NOW
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{self.keystore.path}";\n{conf}\n')

    def command(self, *args, exits=0, says=None):
        done = product.countersign("-c", self.conf, "--now", self.now, *args, check=False)
        equal(done.returncode, exits, f"exit of {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        check(says is None or says in done.stderr, f"{says!r} is not said by {' '.join(args)}: {done.stderr}")
        return done

    def generate(self, alias="ack-client", role="tls-client"):
        self.command("keystore", "generate", "--role", role, "--alias", alias, "--subject", "CN=acme", "--key", "ec:P-256")

    def roll(self, *args, **how):
        return self.command("rollover", *args, **how)

    def start(self, runbook, *args, alias="ack-client", **how):
        return self.roll("start", runbook, "--alias", alias, *args, **how)

    def status(self, number=1):
        return json.loads(self.roll("status", f"R-{number}", "--json").stdout)

    def states(self, number=1):
        return {s["step"]: s["state"] for s in self.status(number)["steps"]}

    def entries(self):
        return {name: r["state"] for name, r in self.keystore.entries().items()}

    def sound(self):
        check(self.command("keystore", "audit", "verify").stdout.startswith("ok"), "the audit is sound")


def test_a_newcomer_reads_who_does_what_next_and_why_the_rest_waits():
    r = Rolled()
    r.generate()
    told = r.start("tls-client.dual").stdout
    for said in ("R-1 tls-client.dual  ack-client  old #1 ", "new not there yet", "to do: countersign rollover next R-1   "
                 "(countersign keystore generate --alias ack-client)", "lasts longer than the old one (key-match: no new certificate yet)",
                 "now: step 1, tenant-admin\n",
                 "waits for step 1: new key pair, certificate signed by an authority\n"):
        check(said in told, f"{said!r} is missing in {told}")
    r.roll("next", "R-1")
    told = r.roll("status").stdout
    for said in ("by root: key-match (ack-client#2)", "countersign rollover message R-1 2 -o FILE", "receiver-admin said so (confirmed): countersign rollover confirm R-1 3",
                 "now: step 2, tenant-admin; step 3, receiver-admin\n", "old certificate: both accepted (probe-both: "):
        check(said.replace("root", pwd.getpwuid(os.getuid()).pw_name) in told, f"{said!r} is missing in {told}")


MADE_HERE = ("tls-client", "tls-server", "sign", "decrypt")
BROUGHT = {"verifier": ("--partner", "acme"), "encrypt-to": ("--partner", "acme"), "trust-anchor": (), "authz-client": ()}


def slot_for(r, runbook, role):
    """A slot of its own for a runbook."""
    alias = runbook.replace(".", "-")
    if role in MADE_HERE:
        r.command("keystore", "generate", "--role", role, "--alias", alias, "--subject", "CN=acme", "--key", "rsa:2048")
    else:
        pair = keys.issue(r.place, alias, authority=True, days=LONG) if role == "trust-anchor" else keys.new_pair(r.place, alias, days=LONG)
        r.command("keystore", "add", "--role", role, *BROUGHT[role], "--alias", alias, pair.certificate_file, "--activate")
    return alias


def reasons(text):
    """What is said below each step: its number, its lines."""
    found = {}
    for line in text.splitlines():
        step = re.match(r" (\d+[a-z]?) +[a-z]+-[a-z]", line)
        if step:
            found[step.group(1)] = []
        elif found:
            found[list(found)[-1]].append(line.strip())
    return found


def test_each_step_of_each_runbook_says_what_it_lacks_or_waits_for():
    r = Rolled("partner acme { }")
    names = [json.loads(line) for line in r.roll("list-runbooks", "--json").stdout.splitlines()]
    check(len(names) >= 20, f"runbooks: {names}")
    for book in names:
        alias = slot_for(r, book["runbook"], book["slot_role"])
        done = product.countersign("-c", r.conf, "--now", r.now, "rollover", "start", book["runbook"], "--alias", alias,
                                   *(("--window", FROM, TO) if book["window"] else ()))
        steps = reasons(done.stdout)
        equal(list(steps), [s["step"] for s in book["steps"]], f"steps of {book['runbook']}: {done.stdout}")
        ready = [n for n, said in steps.items() if said[0].startswith("NEXT")]
        equal(re.findall(r"(?:now:|;) step (\S+), [a-z]", done.stdout), ready, f"whose turn it is in {book['runbook']}")
        for place, (number, said) in enumerate(steps.items()):
            text = "\n".join(said)
            if number in ready:
                check("done when: " in text, f"step {number} of {book['runbook']}: {text}")
                continue
            waits = re.findall(r"(?:waits for|and) step (\S+): (.+)", text)
            check(waits and all(n in list(steps)[:place] and title for n, title in waits) or said[0].startswith("done"),
                  f"step {number} of {book['runbook']}: {text}")


def test_the_manual_exchange_ends_with_one_certificate():
    r = Rolled()
    r.generate()
    r.start("outbound.manual")
    r.roll("confirm", "R-1", "1")
    r.roll("next", "R-1")
    equal(r.entries()["ack-client#2"], "pre-active", "the second one")
    r.roll("confirm", "R-1", "3", "--note", "uploaded by Jo")
    r.roll("next", "R-1")
    equal(r.entries(), {"ack-client#1": "deactivated", "ack-client#2": "active", "own-ca#1": "active"}, "entries")
    r.roll("next", "R-1")
    equal(r.status()["state"], "done", "state")
    check("ack-client#1" not in r.entries(), "the old one is gone")
    check("uploaded by Jo" in r.roll("history", "R-1").stdout, "the note is kept")
    equal(r.roll("status").stdout, "", "nothing is open")
    r.sound()


def test_a_word_out_of_turn_twice_or_of_the_wrong_step_is_refused():
    r = Rolled()
    r.generate()
    r.start("tls-client.dual")
    r.roll("confirm", "R-1", "3", exits=12, says="it waits for step 1")
    r.roll("confirm", "R-1", "1", exits=64, says="closes by what is seen, not by a word; it lacks: key-match")
    r.roll("confirm", "R-1", "11", exits=64, says="has no step 11; its steps are 1, 2, 3, ")
    r.roll("confirm", "R-2", "1", exits=64, says="there is no roll-over R-2")
    r.roll("confirm", "seventeen", "1", exits=64, says="is no roll-over")
    r.roll("next", "R-1")
    r.roll("confirm", "R-1", "2")
    r.roll("confirm", "R-1", "2", exits=12, says="step 2 of R-1 is done already")
    r.start("tls-client.dual", exits=10, says="refused G13 one-rollover: roll-over R-1 of ack-client is under way")
    r.roll("abort", "R-1", exits=64)
    r.roll("abort", "R-1", "--reason", "a test")
    r.roll("confirm", "R-1", "3", exits=12, says="is aborted")
    r.roll("abort", "R-1", "--reason", "a test", exits=12, says="is aborted already")
    r.sound()


def test_a_word_of_the_wrong_role_is_refused():
    me = pwd.getpwuid(os.getuid()).pw_name
    r = Rolled(f'operator dev {{ uid {me}; roles integration-developer; }}')
    r.generate()
    r.start("outbound.manual")
    r.roll("confirm", "R-1", "1", exits=10, says="is for tenant-admin: only who has that role may confirm it")
    shown = r.roll("next", "R-1").stdout
    check("NEXT" in shown, "nothing was carried out, it is shown whose turn it is")
    with open(r.conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{r.keystore.path}";\noperator dev {{ uid {me}; roles tenant-admin; }}\n')
    r.roll("confirm", "R-1", "1")
    r.roll("abort", "R-1", "--reason", "a test")
    r.start("tls-client.dual")
    r.roll("next", "R-2")
    r.roll("confirm", "R-2", "2")
    r.roll("confirm", "R-2", "3", exits=10, says="or a tenant-admin who says with --note who told him")
    r.roll("confirm", "R-2", "3", "--note", "Jo Doe by phone")
    equal(r.states(2)["4"], "done", "closed with 3")


def test_what_cannot_begin_says_why():
    r = Rolled()
    r.generate()
    r.start("tls-client.duel", exits=64, says="did you mean tls-client.dual?")
    r.start("verifier", exits=64, says="is for slots of role verifier, ack-client has the role tls-client")
    r.start("tls-client.dual", alias="ack-klient", exits=64, says="did you mean ack-client?")
    r.start("tls-client.window", exits=64, says="needs --window FROM TO")
    r.start("tls-client.dual", "--window", FROM, TO, exits=64, says="has no window")
    r.start("tls-client.window", "--window", TO, FROM, exits=64, says="ends behind its beginning")
    r.start("tls-client.window", "--window", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", exits=64, says="not in the past")
    r.start("tls-client.window", "--auto-release", "--release-by-hand", "--window", FROM, TO, exits=64, says="exclude each other")
    check("dry run" in r.start("tls-client.dual", "--dry-run").stdout, "a rehearsal")
    r.start("tls-client.window", "--window", FROM, TO, says="in the window nothing would be put on hold")
    r.roll("abort", "R-1", "--reason", "a test")
    check("R-2" not in r.roll("history").stdout, "nothing else has begun")
    r.command("keystore", "suspend", "own-ca#1", exits=0)
    r.sound()


def test_the_slots_of_one_key_begin_together_or_not_at_all():
    r = Rolled()
    r.now = datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
    pair = keys.new_pair(r.place, "own")
    for role, alias in (("sign", "own-sign"), ("decrypt", "own-decrypt")):
        r.command("keystore", "add", "--role", role, "--alias", alias, pair.certificate_file, "--private-key", pair.key_file, "--activate")
    spki = r.keystore.entries()["own-sign#1"]["spki_sha256"]

    def start(*books, **how):
        return r.roll("start", *books, "--key", spki, **how)
    start("sign.request.dual", exits=64, says="own-decrypt has that key, and the role decrypt: name a runbook for it")
    start("sign.request.dual", "sign.response.dual", "decrypt.request", exits=64, says="only one runbook")
    start("sign.request.dual", "decrypt.request", "verifier", exits=64, says="none of them has that key")
    r.roll("start", "sign.request.dual", "--key", "00" * 32, exits=64, says="no slot has an active certificate")
    r.roll("start", "sign.request.dual", "--key", "zz", exits=64, says="64 hexadecimal digits")
    r.roll("start", "sign.request.dual", "--key", spki, "--alias", "own-sign", exits=64, says="--alias ALIAS, or all slots of a key")
    check("own-decrypt would begin" in start("sign.request.dual", "decrypt.request", "--dry-run").stdout, "a rehearsal of both")
    equal(r.roll("history").stdout, "", "nothing has begun")
    start("sign.request.dual", "decrypt.request")
    check("the same key is exchanged by R-2 of own-sign" in r.roll("status", "R-1").stdout, "what belongs together")
    r.roll("abort", "R-1", "--reason", "a test")
    start("sign.request.dual", "decrypt.request", exits=10, says="refused G13 one-rollover: roll-over R-2 of own-sign")
    check("R-3" not in r.roll("history").stdout, "one of two has not begun alone")
    r.sound()


def test_a_file_with_an_unknown_check_is_refused_and_a_changed_one_changes_nothing():
    r = Rolled()
    r.generate()
    folder = os.path.join(r.place, "runbooks")
    os.mkdir(folder)
    os.environ["COUNTERSIGN_RUNBOOKS"] = folder
    good = ('runbook mine { title "Mine"; slot-role tls-client;\n'
            'step 1 { who tenant-admin; kind do; title "say so"; evidence confirmed; }\n'
            'step 2 { who tenant-admin; kind do; title "and so"; evidence confirmed; }\n}\n')
    try:
        path = os.path.join(folder, "mine.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(good.replace("evidence confirmed", "evidence confirmd", 1))
        r.start("mine", exits=78, says=f'{path}:2:62: unknown check "confirmd"; did you mean confirmed?')
        r.roll("list-runbooks", exits=1, says="1 file is no runbook")
        with open(path, "w", encoding="utf-8") as out:
            out.write(good)
        r.start("mine")
        before = r.status()["runbook_sha256"]
        with open(path, "w", encoding="utf-8") as out:
            out.write(good.replace("step 2", "step 9"))
        equal(r.status()["runbook_sha256"], before, "the hash of what was begun")
        r.roll("confirm", "R-1", "1")
        r.roll("confirm", "R-1", "2")
        equal(r.status()["state"], "done", "state")
    finally:
        del os.environ["COUNTERSIGN_RUNBOOKS"]


def abort_after(runbook, window, moves):
    """Abort once before each move and once behind the last: what was before is there again."""
    for stop in range(len(moves) + 1):
        r = Rolled()
        r.generate()
        r.start(runbook, *window)
        for move in moves[:stop]:
            move(r)
        r.roll("abort", "R-1", "--reason", "a test", "--dry-run")
        r.roll("abort", "R-1", "--reason", "a test")
        entries = r.entries()
        equal(entries["ack-client#1"], "active", f"the old one after {stop} moves of {runbook}")
        check(entries.get("ack-client#2") in (None, "deactivated"), f"the new one is out of use: {entries}")
        equal(r.status()["state"], "aborted", "state")
        equal(r.command("status", exits=69).stdout, "", "no gateway here")
        r.sound()
        r.start(runbook, *window)


def test_abort_at_every_step_leads_back():
    abort_after("tls-client.dual", (), [
        lambda r: r.roll("next", "R-1"),
        lambda r: r.roll("confirm", "R-1", "2"),
        lambda r: r.roll("confirm", "R-1", "3"),
        lambda r: r.roll("next", "R-1"),
    ])
    abort_after("tls-client.window", ("--window", FROM, TO), [
        lambda r: r.roll("next", "R-1"),
        lambda r: r.roll("confirm", "R-1", "2"),
        lambda r: (setattr(r, "now", "2026-06-02T22:00:01Z"), r.command("keystore", "tick")),
    ])


def test_behind_a_step_of_no_return_nothing_is_undone():
    r = Rolled()
    r.generate()
    r.start("tls-client.window", "--window", FROM, TO)
    r.roll("next", "R-1")
    r.roll("confirm", "R-1", "2")
    r.now = "2026-06-02T22:00:01Z"
    r.command("keystore", "tick")
    equal(r.entries()["ack-client#2"], "active", "exchanged by itself in the window")
    r.roll("confirm", "R-1", "8")
    r.roll("abort", "R-1", "--reason", "a test", says="step 8 cannot be taken back")
    equal(r.entries()["ack-client#2"], "active", "the receiver has the new one only")
    r.sound()


def test_a_window_is_agreed_by_both_moved_and_agreed_again():
    me = pwd.getpwuid(os.getuid()).pw_name
    r = Rolled(f'operator anna {{ uid {me}; roles tenant-admin; }}')
    r.generate()
    r.start("tls-client.window", "--window", FROM, TO)
    r.roll("next", "R-1")
    r.roll("confirm", "R-1", "2")
    r.roll("confirm", "R-1", "2", exits=12, says="tenant-admin said so already")
    equal(r.states()["2"], "ready", "one of two")
    r.roll("confirm", "R-1", "2", "--note", "Jo Doe by phone")
    equal((r.states()["2"], r.states()["3"]), ("done", "ready"), "both")
    r.roll("window", "R-1", FROM, "2026-06-01T23:00:00Z", exits=64)
    r.roll("window", "R-1", "2026-06-03T22:00:00Z", "2026-06-03T23:00:00Z")
    equal((r.states()["2"], r.states()["3"]), ("ready", "waits"), "to be agreed again")
    r.now = "2026-06-03T22:30:00Z"
    r.command("keystore", "tick")
    equal(r.entries()["ack-client#2"], "pre-active", "nothing happens without agreement")
    r.roll("confirm", "R-1", "2", "--note", "Jo Doe by phone")
    r.command("keystore", "tick")
    equal(r.entries()["ack-client#2"], "active", "exchanged")
    r.roll("window", "R-1", "2026-06-03T22:10:00Z", "2026-06-03T23:30:00Z", exits=64, says="only its end can be moved")
    r.roll("window", "R-1", "2026-06-03T22:00:00Z", "2026-06-03T23:30:00Z")
    equal(r.states()["2"], "done", "a later end needs no new word")


def test_a_sender_with_unchanged_names_skips_what_is_about_names():
    r = Rolled()
    r.now = datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
    ca = keys.issue(r.place, "ca", authority=True)
    old = keys.issue(r.place, "old", ca, subject="CN=sender")
    new = keys.issue(r.place, "new", ca, subject="CN=sender")
    r.command("keystore", "add", "--role", "trust-anchor", "--alias", "senders-ca", ca.certificate_file, "--activate", "--since", "not-before")
    r.command("keystore", "add", "--role", "authz-client", "--alias", "senders", old.certificate_file, "--activate", "--since", "not-before")
    r.command("keystore", "mapping", "add", "--certificate", "senders#1", "--user", "orders-sender")
    r.start("authz-client", alias="senders")
    r.roll("confirm", "R-1", "1")
    r.roll("confirm", "R-1", "2", exits=64)
    r.command("keystore", "add", "--role", "authz-client", "--alias", "senders", new.certificate_file)
    r.command("keystore", "tick")
    states = r.states()
    equal({n: states[n] for n in ("2", "3a", "3b", "4a", "4b")}, {"2": "done", "3a": "done", "3b": "skipped", "4a": "skipped", "4b": "ready"}, "states")
    r.roll("next", "R-1")
    users = [(m["entry"], m["user"]) for m in map(json.loads, r.command("keystore", "mapping", "list", "--json").stdout.splitlines())]
    equal(users, [("senders#1", "orders-sender"), ("senders#2", "orders-sender")], "both stand for the user")
    equal(r.states()["4b"], "done", "same user")
    r.sound()


def test_each_sender_says_for_himself_that_he_is_ready_and_who_is_not_is_named():
    r = Rolled("".join(f'partner {p} {{ contact sender-admin "A of {p}" "a@{p}.example"; }}' for p in ("acme", "beta")))
    r.generate("gw", "tls-server")
    r.start("tls-server", "--require-all", "--window", FROM, TO, alias="gw")
    r.roll("next", "R-1")
    r.roll("next", "R-1")
    r.roll("confirm", "R-1", "3")
    r.roll("confirm", "R-1", "4", "--note", "by phone", exits=64, says="not yet: acme, beta. For one of them: countersign rollover "
           "confirm R-1 4/SENDER")
    r.roll("confirm", "R-1", "4/acne", "--note", "by phone", exits=64, says="not yet: acme, beta")
    shown = r.roll("confirm", "R-1", "4/acme", "--note", "Anna by phone").stdout
    check("acme: done, said by" in shown and "beta: not yet; told by another way: countersign rollover confirm R-1 4/beta" in shown, shown)
    check("put off when a sender is not ready one hour before it" in shown, shown)
    r.roll("confirm", "R-1", "4/acme", "--note", "again", exits=12, says="acme said already")
    four, = [s for s in r.status()["steps"] if s["step"] == "4"]
    equal([(s["partner"], s["done"]) for s in four["senders"]], [("acme", True), ("beta", False)], "senders")
    r.now = FROM.replace("T22:00", "T21:30")
    r.command("keystore", "tick", exits=1)  # what is put off is told
    equal((r.states()["2a"], r.entries()["gw#2"]), ("ready", "pre-active"), "put off")
    r.roll("next", "R-1", exits=10, says="not every sender is ready, as R-1 requires; not yet: beta")
    r.roll("confirm", "R-1", "4/beta", "--note", "Bea by mail")
    r.roll("next", "R-1")
    r.now = FROM
    r.command("keystore", "tick")
    equal((r.states()["5"], r.entries()["gw#2"]), ("done", "active"), "exchanged")
    r.sound()


if __name__ == "__main__":
    report.run("rollover", report.tests_of(sys.modules[__name__]))
