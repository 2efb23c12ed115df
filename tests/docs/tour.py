#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The tour of README.md, typed word for word: every command of it does what the reader is told."""
import json
import os
import re
import subprocess
import sys

import product
import report

END = "\x1e"

# In the order of the tour: how the command begins, its exit status, what stands in its output (stdout and stderr).
EXPECTED = (
    ("cd build", 0, ""),
    ("openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key", 0, ""),
    ("openssl req -x509 -newkey rsa:2048 -nodes -keyout new.key", 0, ""),
    ("countersign --keystore sqlite:ks.db keystore init", 0, ""),
    ("countersign --keystore sqlite:ks.db keystore add --role verifier --partner acme --alias acme-sign old.pem", 0, r"(?m)^acme-sign#1$"),
    ("countersign --keystore sqlite:ks.db keystore add --role sign --alias own-sign old.pem", 0, r"(?m)^own-sign#1$"),
    ("countersign --keystore sqlite:ks.db sign --alias own-sign --timestamp", 0, ""),
    ("countersign --keystore sqlite:ks.db verify --partner acme signed.xml", 0, r"pass\b.*acme-sign#1"),
    ("countersign --keystore sqlite:ks.db verify --partner acme --explain signed.xml", 0, r"(?s)^signed.xml: pass.*sha256 digest fits.*verdict +ok"),
    ("sed 's/4711/4712/' signed.xml | countersign", 1, r'"verdict":"fail","reason":"digest-mismatch"'),
    ("countersign --keystore sqlite:ks.db keystore add --role verifier --partner acme --alias acme-sign new.pem", 0, r"(?m)^acme-sign#2$"),
    ("countersign --keystore sqlite:ks.db keystore deactivate acme-sign#1", 0, "process stop|until"),
    ("countersign --keystore sqlite:ks.db verify --partner acme signed.xml", 0, r"pass\b.*acme-sign#1"),
    ("countersign --keystore sqlite:ks.db keystore remove acme-sign#1", 10, r"refused G8.*\d{4}-\d\d-\d\d"),
    ("countersign --keystore sqlite:ks.db keystore list", 0, r"(?s)acme-sign#1.*deactivated.*acme-sign#2.*active"),
)


def tour():
    """@return the commands of the tour, comments left out"""
    with open(os.path.join(product.ROOT, "README.md"), encoding="utf-8") as text:
        block = re.search(r"## A five-minute tour\n```\n(.*?)```\n", text.read(), re.S)
    report.check(block, "README.md has no tour")
    return [line for line in block.group(1).splitlines() if line.strip() and not line.startswith("#")]


def house():
    """@return a directory as a reader has it after make: build/ with the command, samples/ beside it"""
    place = product.new_directory()
    os.mkdir(os.path.join(place, "build"))
    os.symlink(product.COUNTERSIGN, os.path.join(place, "build", "countersign"))
    os.symlink(os.path.join(product.ROOT, "samples"), os.path.join(place, "samples"))
    return place


def typed(commands, place):
    """Type the commands into one shell. @return status and output of each"""
    script = "".join(f"{command}\nprintf '{END}%s{END}' $?\n" for command in commands)
    done = subprocess.run(["bash", "--norc"], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=report.PATIENCE_S,
                          check=False, cwd=place)
    pieces = done.stdout.split(END)
    return [(int(status), output) for output, status in zip(pieces[0::2], pieces[1::2])]


COMMANDS = tour()
PLACE = house()
RESULTS = typed(COMMANDS, PLACE)


def test_every_command_of_the_tour_is_known_here():
    report.equal(len(COMMANDS), len(EXPECTED), "commands in the tour")
    report.equal(len(RESULTS), len(EXPECTED), "commands that ended")
    for command, (start, _, _) in zip(COMMANDS, EXPECTED):
        report.check(command.startswith(start), f"{command!r} does not begin with {start!r}")


def one(number, status, pattern):
    def test():
        found, output = RESULTS[number]
        report.equal(found, status, f"exit of {COMMANDS[number]!r} ({output.strip()[-200:]!r})")
        report.check(re.search(pattern, output), f"{COMMANDS[number]!r} said {output!r}, expected {pattern!r}")
    return test


def test_what_lies_there_afterwards():
    entries = product.countersign("--keystore", f"sqlite:{PLACE}/build/ks.db", "keystore", "list", "--json").stdout.splitlines()
    states = {record["entry"]: record["state"] for record in map(json.loads, entries)}
    report.equal(states, {"acme-sign#1": "deactivated", "acme-sign#2": "active", "own-sign#1": "active"}, "states")


def test_what_the_readme_points_to_is_there():
    with open(os.path.join(product.ROOT, "README.md"), encoding="utf-8") as text:
        for target in re.findall(r"\]\(([^)#:]+)\)", text.read()):
            report.check(os.path.exists(os.path.join(product.ROOT, target)), f"{target} is missing")


STEPS = [(f"step {number + 1}: {start}", one(number, status, pattern)) for number, (start, status, pattern) in enumerate(EXPECTED)]
report.run("tour", [report.tests_of(sys.modules[__name__])[0], *STEPS, *report.tests_of(sys.modules[__name__])[1:]])
