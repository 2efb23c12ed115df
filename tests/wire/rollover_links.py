#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Links in the mails of roll-overs: each works once, for its step, for 72 hours; looking at it does nothing."""
import json
import re
import sqlite3
import sys
import urllib.error
import urllib.request

import keys
import product
import report
import wire
from mailbox_server import Mailbox
from report import check, equal

ROUTES = """
partner acme {{ contact receiver-admin "Jo Doe" "jo@acme.example"; }}
route orders {{ listener front; path "/orders"; methods POST; upstream "http://127.0.0.1:9/"; response {{ verify acme; }} }}
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/rollover/confirm/([0-9a-f]{32})\b")


class Linked:
    """A running gateway that mails to box and serves links, with roll-over R-1 of a verifier begun."""

    def __init__(self, box):
        place = product.new_directory()
        self.keystore = product.Keystore(place)
        self.keystore.add_verifier(keys.new_pair(place, "old"))
        self.port = wire.unused_port()
        extra = (f'mail {{ server "{box.url}"; from "gateway@example.com"; timeout 30s; }}\n'
                 f'admin {{ http 127.0.0.1:{self.port}; links "http://127.0.0.1:{self.port}"; }}')
        self.gateway = product.Gateway(place, self.keystore, ROUTES.format(), extra)
        self.box = box
        self.roll("start", "verifier", "--alias", "acme-sign")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()

    def roll(self, *args):
        return product.countersign("-c", self.gateway.conf_file, "rollover", *args)

    def states(self):
        return {s["step"]: s["state"] for s in json.loads(self.roll("status", "R-1", "--json").stdout)["steps"]}

    def token(self, step):
        """That of the mail of a step, when it has come."""
        def look():
            for to, message in list(self.box.mails):
                if f"step {step}:" in message["Subject"] and to[0] == "jo@acme.example":
                    return LINK.search(message.get_body().get_content())
            return None
        return report.until(look, what=f"the mail of step {step}").group(1)

    def ask(self, token, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/rollover/confirm/{token}", method=method,
                                         data=b"" if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=report.PATIENCE_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def test_a_link_closes_its_step_once():
    with Mailbox() as box, Linked(box) as linked:
        token = linked.token("1")
        status, page = linked.ask(token)
        equal(status, 200, "looked at")
        check("new key pair" in page and "<form" in page and token not in page, page)
        equal(linked.states()["1"], "ready", "a look closes nothing")
        equal(linked.ask(token, "POST")[0], 200, "sent")
        equal(linked.states()["1"], "done", "closed")
        status, page = linked.ask(token, "POST")
        equal(status, 409, "sent twice")
        check("it works once" in page, page)
        equal(linked.ask("0" * 32)[0], 404, "a token that is none")
        equal(linked.ask("../" + token[3:])[0] in (400, 404), True, "no token at all")
        with open(linked.keystore.path, "rb") as store, open(linked.keystore.path + "-wal", "rb") as log:
            check(token.encode() not in store.read() + log.read(), "the store holds the token")
        check(token not in linked.gateway.stderr(), "the log holds the token")
        rows = linked.keystore.run("audit", "list", "--json").stdout
        check('"link"' in rows and token not in rows, "the audit tells of the link, not of its token")
        check(linked.keystore.run("audit", "verify").stdout.startswith("ok"), "audit")


def test_a_link_that_is_over_does_nothing():
    with Mailbox() as box, Linked(box) as linked:
        token = linked.token("1")
        with sqlite3.connect(linked.keystore.path, timeout=report.PATIENCE_S) as store:
            store.execute("update link set expires=1")
        store.close()
        status, page = linked.ask(token, "POST")
        equal(status, 409, "expired")
        check("this link ended" in page, page)
        equal(linked.states()["1"], "ready", "nothing was closed")
        linked.roll("abort", "R-1", "--reason", "a test")
        equal(linked.ask(token)[0], 409, "of a roll-over that is over")


if __name__ == "__main__":
    report.run("rollover-links", report.tests_of(sys.modules[__name__]))
