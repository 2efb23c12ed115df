# SPDX-License-Identifier: Apache-2.0
"""A roll-over while it happens: its steps as they close, and the traffic of which nothing may be lost."""
import contextlib
import datetime
import json

import faketime
import load
import product
import report
from report import check, equal

SOON_S = 10  # ahead of now: a command that is given an instant needs some time to begin
LONG_S = 240  # leases of a minute and more run out in between


class Story:
    """A gateway and its keystore, the peer behind it, and roll-over R-1 as `rollover status` shows it."""

    def __init__(self, gateway, keystore, upstream=None):
        self.gateway = gateway
        self.keystore = keystore
        self.upstream = upstream
        self.shown = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        if self.upstream is not None:
            self.upstream.stop()

    def load(self, connections=6, per_second=60):
        """The traffic of this story, not yet begun."""
        return load.Load(self.gateway.address, connections, per_second, good=lambda reply: reply.status == 200)

    @contextlib.contextmanager
    def flowing(self, **how):
        """Traffic from before the first step until behind the last one, of which nothing may be lost. how: for load()"""
        with self.load(**how) as running:
            running.wait_for(20)
            yield running
            nothing_lost(running)

    def roll(self, *args, exits=0):
        done = product.countersign("-c", self.gateway.conf_file, "rollover", *args, check=False)
        equal(done.returncode, exits, f"exit of rollover {' '.join(args)}: {done.stderr.strip()}")
        return done

    def status(self):
        now = json.loads(self.roll("status", "R-1", "--json").stdout)
        for step in now["steps"]:
            if step["done_at"] and step["step"] not in self.shown:
                self.shown[step["step"]] = step["evidence"]
                print(f"# {now['runbook']:18} {step['step']:3} {step['who'][0]:22} {step['title'][:52]:52} {step['evidence'][:60]}",
                      flush=True)
        return now

    def states(self):
        return {step["step"]: step["state"] for step in self.status()["steps"]}

    @contextlib.contextmanager
    def later(self, seconds, routes, **how):
        """The gateway and its people so much later: a new process on the same keystore, with these routes."""
        self.gateway.__exit__()
        with faketime.ahead(seconds):
            self.keystore.run("clock", "accept", check=False)
            self.gateway = product.Gateway(product.new_directory(), self.keystore, routes, **how)
            yield

    def fact(self, word):
        """What is seen of a check just now."""
        return self.status()["facts"][word]["seen"]

    def said(self, step, note="Jo Doe by phone"):
        """Somebody outside said that a step is done."""
        self.roll("confirm", "R-1", step, "--note", note)

    def until(self, step, state="done"):
        """Wait for a step to be in that state; one that is done is so when it is written down, with what was seen."""
        def look():
            return self.states()[step] == state and (state != "done" or step in self.shown)
        try:
            report.until(look, LONG_S, f"step {step} {state}")
        except AssertionError as error:
            lacks = [(s["step"], s["lacks"]) for s in self.status()["steps"] if s["state"] == "ready"]
            raise AssertionError(f"{error}; ready: {lacks}; {self.gateway.stderr()[-500:]}") from error

    def over(self, state="done"):
        report.until(lambda: self.status()["state"] == state, LONG_S, f"the roll-over {state}")
        rows = self.keystore.run("audit", "verify")
        check(rows.stdout.startswith("ok"), rows.stdout)


def instant(seconds):
    return (datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def nothing_lost(running):
    running.stop()
    check(not running.troubles, f"{len(running.troubles)} of {running.answered}: {running.troubles[:3]}")
    print(f"# {running.answered} requests, 0 lost", flush=True)
