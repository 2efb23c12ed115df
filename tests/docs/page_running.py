#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The page about running the gateway, typed word for word; the metrics that it names are there."""
import os
import re
import sys

import page
import product
import report
import wire

LISTENER, ADMIN = wire.unused_port(), wire.unused_port()
PAGE = page.Page("running.md", (("127.0.0.1:8080", f"127.0.0.1:{LISTENER}"), ("127.0.0.1:9464", f"127.0.0.1:{ADMIN}"),
                                 ("/tmp/countersign.sock", f"{product.new_directory()}/admin.sock")))
RESULTS = PAGE.typed("gateway.conf")


def test_every_command_of_the_page_succeeds():
    report.check(len(PAGE.commands) >= 12, f"{len(PAGE.commands)} commands")
    for command, status, output in RESULTS:
        report.equal(status, 0, f"exit of {command!r}: {output.strip()[-300:]}")
    report.equal(len(RESULTS), len(PAGE.commands), "commands that ended")


def test_the_log_tells_what_was_done():
    with open(os.path.join(PAGE.place, "gateway.log"), encoding="utf-8") as text:
        log = text.read()
    for event in ("reloaded", "route-held", "route-released", "upgraded"):
        report.check(event in log, f"{event} is not in the log:\n{log[-600:]}")


def test_the_metrics_of_the_page_exist():
    with open(os.path.join(product.ROOT, "docs", "running.md"), encoding="utf-8") as text:
        named = set(re.findall(r"countersign_[a-z_]+", text.read()))
    made = set()
    for name in os.listdir(os.path.join(product.ROOT, "gateway")):
        if name.startswith("metrics") and name.endswith(".c"):
            with open(os.path.join(product.ROOT, "gateway", name), encoding="utf-8") as text:
                made |= set(re.findall(r"countersign_[a-z_]+", text.read()))
    report.equal(sorted(named - made), [], "metrics that nobody makes")


if __name__ == "__main__":
    report.run("page of running", report.tests_of(sys.modules[__name__]))
