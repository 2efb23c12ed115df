#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several gateways on one keystore: one of them does what is due, and when it ends another one goes on."""
import contextlib
import json
import os
import signal
import sys

import keys
import product
import report
from report import check, equal
from story import LONG_S, SOON_S, instant

ROUTES = 'route orders { listener front; path "/orders"; methods POST; upstream "http://127.0.0.1:9/"; response { verify acme; } }'


class Several:
    """Gateways gw1 and gw2 on one keystore, with certificates to be activated."""

    def __init__(self):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.keystore.add_verifier(keys.new_pair(self.place, "old"))
        for name in ("first", "second"):
            self.keystore.add_verifier(keys.new_pair(self.place, name), activate=False)
        self.gateways = {}

    def __enter__(self):
        for node in ("gw1", "gw2"):
            place = os.path.join(self.place, node)
            os.mkdir(place)
            self.gateways[node] = product.Gateway(place, self.keystore, ROUTES, extra=f"node {node};")
        return self

    def __exit__(self, *what):
        for gateway in self.gateways.values():
            gateway.__exit__(*what)

    def keepers(self):
        rows = map(json.loads, self.keystore.run("nodes", "--json").stdout.splitlines())
        return [row["node"] for row in rows if row["keeper"]]

    def activate(self, entry):
        """At an instant, by the keeper. @return the nodes that say that they did it"""
        self.keystore.run("activate", entry, "--at", instant(SOON_S))
        report.until(lambda: self.keystore.entries()[entry]["state"] == "active", LONG_S, f"{entry} active")

        def who():
            return [node for node, gateway in self.gateways.items()
                    if any("keeper-done" in line and line.endswith(f"n={entry[-1]}") for line in gateway.stderr().splitlines())]
        report.until(who, LONG_S, "a word of who did it")
        return who()


def test_one_of_two_gateways_does_what_is_due_and_the_other_goes_on_when_it_ends():
    with Several() as several:
        report.until(several.keepers, LONG_S, "a keeper")
        first, = several.keepers()
        equal(several.activate("acme-sign#2"), [first], "who activated the first one")
        other, = set(several.gateways) - {first}
        check("keeper-begins" not in several.gateways[other].stderr(), "the other one began, too")
        several.gateways.pop(first).__exit__()
        report.until(lambda: several.keepers() == [other], LONG_S, "the other one has taken over")
        equal(several.activate("acme-sign#3"), [other], "who activated the second one")


def test_a_gateway_that_is_killed_leaves_the_work_to_another():
    with Several() as several:
        report.until(several.keepers, LONG_S, "a keeper")
        first, = several.keepers()
        other, = set(several.gateways) - {first}
        gone = several.gateways.pop(first)
        serving = gone.serving_pid
        gone.kill()  # the one that would start it again first
        with contextlib.suppress(ProcessLookupError):
            os.kill(serving, signal.SIGKILL)
        report.until(lambda: several.keepers() == [other], LONG_S, "the other one has taken over")
        equal(several.activate("acme-sign#2"), [other], "who activated it")
    told = several.keystore.run("audit", "verify").stdout
    check(told.startswith("ok"), told)


if __name__ == "__main__":
    report.run("keeper", report.tests_of(sys.modules[__name__]))
