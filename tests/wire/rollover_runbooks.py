#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 600
"""What people read of each step of each runbook that is shipped, when its turn has come: whose turn it is, what is to be
done by which command, what it waits for, until when. No gap is left in a sentence or in a command."""
import glob
import os
import re
import sys
import time

import keys
import product
import report
from report import check, equal
from stores import DAY, rfc3339

MIDNIGHT = time.time() // DAY * DAY + 10 * DAY
ADDED, BEGUN, FROM, TO = (rfc3339(MIDNIGHT + hours * 3600) for hours in (0, 24, 46, 47))
MADE_HERE = ("tls-client", "tls-server", "sign", "decrypt")
PARTNER = {"verifier": ("--partner", "acme"), "encrypt-to": ("--partner", "acme")}
RETAINED = ("verifier", "trust-anchor", "sign", "decrypt")
OUTSIDE = ("receiver-admin", "sender-admin", "lb-admin")
GAPS = ("{{", "}}", "(none)", "(not set)", "(not known yet)", "(new)", "none known")


class Step:
    """A step as its file has it."""

    def __init__(self, text):
        self.text = text
        self.number = re.match(r" +step (\w+)", text).group(1)
        self.kind = re.search(r"(?m)^ +kind (\w+);", text).group(1)
        self.who = [w for w in re.search(r"(?m)^ +who ([^;]+);", text).group(1).split() if w != "each"]
        self.run = re.findall(r'(?m)^ +run "(.*)";', text)
        self.by_hand = re.findall(r'(?m)^ +by-hand "(.*)";', text)
        self.mail = re.findall(r'(?m)^ +text "(.*)";', text)

    def alone(self):
        """The same, but its turn comes with step 0, and a word alone closes it."""
        kept = [line for line in self.text.splitlines() if not re.match(r" +(after|closes|evidence|evidence-optional|skip-if|each-sender)\b", line)]
        end = max(i for i, line in enumerate(kept) if line == "    }")
        return "\n".join(kept[:end] + ["        after 0;", "        evidence confirmed;", "    }"]) + "\n"


class Runbook:
    def __init__(self, path):
        with open(path, encoding="utf-8") as text:
            head, *steps = re.split(r"(?m)^(?=    step )", text.read())
        self.name = os.path.basename(path)[:-len(".conf")]
        self.role = re.search(r"slot-role ([\w-]+);", head).group(1)
        self.window = "window needed" in head
        self.steps = [Step(text) for text in steps]
        self.flat = head + '    step 0 { who tenant-admin; kind do; title "begin"; evidence confirmed; }\n' + \
            "".join(step.alone() for step in self.steps) + "}\n"

    def stages(self):
        """Where the slot stands when a step's turn comes: 0 nothing is new, 1 the new certificate is there, 2 it is active, 3 and
        the old one is not."""
        at = 0
        one = self.role not in ("verifier", "trust-anchor", "authz-client")
        for step in self.steps:
            yield step, at
            for command, then in (("generate", 1), ("activate {{new}}", 3 if one else 2), ("deactivate {{old}}", 3)):
                at = max(at, then) if any(command in run and "--at" not in run for run in step.run) else at
            at = max(at, 1) if "evidence received" in step.text or "evidence key-match" in step.text else at


class Walk:
    """A roll-over along a runbook whose steps are all ready at once."""

    def __init__(self, runbook):
        self.runbook = runbook
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.alias = "the-slot"
        self.conf = os.path.join(self.place, "countersign.conf")
        self.now = ADDED
        folder = os.path.join(self.place, "runbooks")
        os.mkdir(folder)
        os.environ["COUNTERSIGN_RUNBOOKS"] = folder
        for path, text in ((self.conf, f'keystore sqlite "{self.keystore.path}";\npartner acme {{ }}\n'),
                           (os.path.join(folder, f"{runbook.name}.conf"), runbook.flat)):
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        self.add(1, "--activate")
        if runbook.role == "authz-client":
            self.command("keystore", "mapping", "add", "--route", "orders", "--subject", "CN=c-1", "--issuer", "CN=c-1")
            self.command("keystore", "mapping", "add", "--certificate", f"{self.alias}#1", "--user", "orders-sender")
        self.now = BEGUN
        self.command("rollover", "start", runbook.name, "--alias", self.alias, "--partner", "acme", *(("--window", FROM, TO) if runbook.window else ()))
        self.command("rollover", "confirm", "R-1", "0")

    def command(self, *args):
        return product.countersign("-c", self.conf, "--now", self.now, *args).stdout

    def add(self, number, *more):
        if self.runbook.role in MADE_HERE:
            kind = "rsa:2048" if self.runbook.role == "decrypt" else "ec:P-256"
            how = ("--role", self.runbook.role, "--subject", "CN=acme", "--key", kind) if number == 1 else ()
            self.command("keystore", "generate", "--alias", self.alias, *how)
            return
        pair = keys.issue(self.place, f"c-{number}", authority=self.runbook.role == "trust-anchor", days=(-300, 364 + number))
        self.command("keystore", "add", "--role", self.runbook.role, *PARTNER.get(self.runbook.role, ()), "--alias", self.alias,
                     pair.certificate_file, *more)

    def stage(self, number):
        """Go on to that one. @return what is said below each step"""
        if number == 1:
            self.add(2)
        elif number == 2:
            self.command("keystore", "activate", f"{self.alias}#2")
        elif number == 3 and self.runbook.role in ("verifier", "trust-anchor", "authz-client"):
            self.command("keystore", "deactivate", f"{self.alias}#1")
        said = {}
        shown = self.command("rollover", "status", "R-1")
        for line in shown.splitlines():
            step = re.match(r" (\d+[a-z]?) +[a-z]+-[a-z]", line)
            if step:
                said[step.group(1)] = [line]
            elif said:
                said[list(said)[-1]].append(line.strip())
        check(self.until_when() in re.search(r"(?m)^  in time: (.+)$", shown).group(1), f"{self.until_when()!r} is missing: {shown}")
        return said

    def until_when(self):
        if self.runbook.window:
            return " h left; the agreed instant is " + FROM
        if self.keystore.entries()[f"{self.alias}#1"]["state"] == "active":
            return " d left; the old certificate ends 20"
        return "90 d left; the retention of the old certificate ends 20" if self.runbook.role in RETAINED else "nothing presses"


def look_at(runbook, step, said, mail):
    text = "\n".join(said)
    where = f"step {step.number} of {runbook.name}: {text}"
    check(said[1].startswith("NEXT"), where)
    told = said[1:next((i for i, line in enumerate(said) if line.startswith("done when: ")), 0)]
    check(told and f"confirm R-1 {step.number}" in text, f"{where}: what closes it")
    check(step.kind != "do" or step.run or step.by_hand, f"{where}: nothing is to be done")
    equal(sum("countersign rollover next R-1   (countersign " in line for line in told),
          len([run for run in step.run if "{{routes}}" not in run and "mapping" not in run]) or sum("mapping" in run for run in step.run),
          f"{where}: commands")
    check(len(told) > 1 or step.kind in ("wait", "auto"), f"{where}: what is to be done")
    if step.kind == "inform" or (step.mail and any(who in OUTSIDE for who in step.who)):
        check(f"to do: countersign rollover message R-1 {step.number} -o FILE, and send it to " in text, f"{where}: who tells it")
    for gap in GAPS:
        check(gap not in text + mail.replace("Routes: none known", ""), f"{gap} in {where}\n{mail}")  # no gateway runs here
    check(step.kind != "inform" or step.mail, f"{where}: its mail says nothing")


def walk(path):
    runbook = Runbook(path)
    with open(os.path.join(product.ROOT, "docs", "rollover.md"), encoding="utf-8") as page:
        check(f"`{runbook.name}`" in page.read().split("## Commands")[0], "which case it is for stands in docs/rollover.md")
    going = Walk(runbook)
    at = -1
    for step, stage in runbook.stages():
        while at < stage:
            at += 1
            said = going.stage(at)
        mail = going.command("rollover", "message", "R-1", step.number) if step.mail else ""
        look_at(runbook, step, said[step.number], mail)


def main():
    paths = sorted(glob.glob(os.path.join(product.ROOT, "conf", "runbooks", "*.conf")))
    check(len(paths) >= 20, f"runbooks: {paths}")
    try:
        report.run("rollover-runbooks", [(os.path.basename(path)[:-len(".conf")], lambda path=path: walk(path)) for path in paths])
    finally:
        os.environ.pop("COUNTERSIGN_RUNBOOKS", None)


if __name__ == "__main__":
    sys.exit(main())
