#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The page about roll-overs: its configuration is good, its example goes as it says, each of its commands is one."""
import os
import re
import sys

import keys
import product
import report

with open(os.path.join(product.ROOT, "docs", "rollover.md"), encoding="utf-8") as page:
    TEXT = page.read()
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.M | re.S)


def test_its_configuration_is_good():
    place = product.new_directory()
    store = product.Keystore(place)
    conf = os.path.join(place, "page.conf")
    lines = next(b for b in BLOCKS if b.startswith("operator "))
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{store.path}";\nlistener front {{ address 127.0.0.1:0; }}\n{lines}')
    product.countersign("-c", conf, "gateway", "--check")


def test_its_example_goes_as_it_says():
    place = product.new_directory()
    store = product.Keystore(place)
    pair = keys.issue(place, "ack-client")
    store.run("add", "--role", "tls-client", "--alias", "ack-client", pair.certificate_file, "--private-key", pair.key_file, "--activate")
    example = next(b for b in BLOCKS if "rollover start" in b)
    status = ""
    for command in re.findall(r"^\$ countersign (rollover .*?)(?: +#.*)?$", example, re.M):
        status = product.countersign("--keystore", f"sqlite:{store.path}", *command.split()).stdout
    for line in re.findall(r"^ +(?:\d|waits|NEXT|closes).*$", example, re.M):
        report.check(line.strip() in status, f"{line!r} is not in:\n{status}")


def test_each_command_of_its_table_is_one():
    commands = re.findall(r"^\| `rollover ([a-z-]+)", TEXT, re.M)
    report.check(len(commands) >= 8, commands)
    for command in commands:
        product.countersign("rollover", command, "--help")


if __name__ == "__main__":
    report.run("page of roll-overs", report.tests_of(sys.modules[__name__]))
