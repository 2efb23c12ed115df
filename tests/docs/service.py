#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The units for the service manager: well formed, and as closed as they say."""
import os
import re
import shutil
import subprocess
import sys

import product
import report

UNITS = os.path.join(product.ROOT, "conf", "systemd")
EXPOSURE = 1.5


def tool(*command):
    if shutil.which(command[0]) is None:
        raise report.Skip(f"{command[0]} is not there")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=report.PATIENCE_S, check=False)
    return done.returncode, done.stdout


def copied():
    """The units with the program of this build, in a directory of their own."""
    place = product.new_directory()
    for name in ("countersign.service", "countersign.socket", "countersign-tick.service", "countersign-tick.timer"):
        with open(os.path.join(UNITS, name), encoding="utf-8") as text:
            unit = text.read().replace("/usr/bin/countersign", product.COUNTERSIGN)
        with open(os.path.join(place, name), "w", encoding="utf-8") as out:
            out.write(unit)
    return place


def test_the_units_are_well_formed():
    place = copied()
    _, said = tool("systemd-analyze", "verify", "--man=no", f"{place}/countersign.service", f"{place}/countersign.socket",
                   f"{place}/countersign-tick.service", f"{place}/countersign-tick.timer")
    found = [line for line in said.splitlines() if "countersign" in line]
    report.equal(found, [], "what systemd says of them")


def test_the_service_is_as_closed_as_it_says():
    place = copied()
    code, said = tool("systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={int(EXPOSURE * 10)}", f"{place}/countersign.service")
    level = re.search(r"Overall exposure level for \S+: (\S+)", said)
    report.check(level, said[-500:])
    print(f"  # exposure {level.group(1)}", flush=True)
    report.equal((code, float(level.group(1)) <= EXPOSURE), (0, True), f"exposure {level.group(1)}")


def test_the_service_may_confine_itself_further():
    with open(os.path.join(UNITS, "countersign.service"), encoding="utf-8") as text:
        allowed = re.search(r"^SystemCallFilter=@system-service (.*)$", text.read(), re.M).group(1).split()
    report.equal(sorted(allowed), ["landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp"],
                 "without them the sandbox would be degraded under systemd")


def test_the_end_is_waited_for_longer_than_a_drain_takes():
    with open(os.path.join(UNITS, "countersign.service"), encoding="utf-8") as text:
        unit = text.read()
    report.check(int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M).group(1)) >= 120 + 10 + 10, "TimeoutStopSec")
    report.check("\nKillMode=mixed\n" in unit, "SIGTERM goes to the master alone")


def test_what_makes_account_and_directories_is_well_formed():
    for command, name in (("systemd-sysusers", "countersign.sysusers"), ("systemd-tmpfiles", "countersign.tmpfiles")):
        path = os.path.join(UNITS, name)
        root = product.new_directory()
        os.mkdir(f"{root}/etc")
        for account in ("passwd", "group"):
            with open(f"{root}/etc/{account}", "w", encoding="utf-8") as out:
                out.write("root:x:0:0::/root:/bin/sh\n" if account == "passwd" else "root:x:0:\n")
        if command == "systemd-sysusers":
            code, said = tool(command, f"--root={root}", path)
            report.equal(code, 0, said)
            with open(f"{root}/etc/passwd", encoding="utf-8") as text:
                report.check("countersign:" in text.read(), "the account")
        else:
            with open(path, encoding="utf-8") as text:
                lines = [line for line in text if line.strip() and not line.startswith("#")]
            report.check(all(re.fullmatch(r"d /(etc|var)/\S*countersign 07[05]0 (root|countersign) countersign -\n", line) for line in lines), lines)


def test_the_log_is_rotated_where_the_configuration_puts_it():
    with open(os.path.join(product.ROOT, "conf", "countersign.logrotate"), encoding="utf-8") as text:
        rotate = text.read()
    with open(os.path.join(product.ROOT, "conf", "countersign.conf"), encoding="utf-8") as text:
        conf = text.read()
    directory = os.path.dirname(re.search(r'access "([^"]+)"', conf).group(1))
    report.check(f"{directory}/*.json {{" in rotate, rotate)


def test_the_addresses_of_the_socket_stand_in_the_configuration():
    """Who copied both got a warning, and a listener that the service manager did not hold."""
    with open(os.path.join(product.ROOT, "conf", "systemd", "countersign.socket"), encoding="utf-8") as text:
        held = re.findall(r"^ListenStream=(.+)$", text.read(), re.M)
    with open(os.path.join(product.ROOT, "conf", "countersign.conf"), encoding="utf-8") as text:
        report.equal(re.findall(r"^    address (.+);$", text.read(), re.M), held, "addresses")


if __name__ == "__main__":
    report.run("service", report.tests_of(sys.modules[__name__]))
