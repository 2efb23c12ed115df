#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The same signed request twice: refused as a replay over a reload, a restart, a kill and by a second gateway, when
signatures seen are kept in a file; and files that no gateway starts with."""
import os
import re
import signal
import sys

import keys
import product
import report
import soap
import wire

ROUTE = """
partner sender {{ }}
partner other {{ }}
route orders {{ listener front; path "/orders"; methods POST; upstream "{url}"; request {{ verify sender; }} }}
route others {{ listener front; path "/others"; methods POST; upstream "{url}"; request {{ verify other; }} }}
"""


class Site:
    """A keystore and an upstream; gateways come and go."""

    def __init__(self):
        self.place = product.new_directory()
        self.sender = keys.new_pair(self.place, "sender")
        self.other = keys.new_pair(self.place, "other")
        self.keystore = product.Keystore(self.place)
        self.keystore.add_verifier(self.sender, partner="sender")
        self.keystore.add_verifier(self.other, partner="other")
        self.upstream = wire.Upstream(wire.reply_octets(soap.envelope(soap.ANSWER)))
        self.routes = ROUTE.format(url=self.upstream.url)
        self.file = os.path.join(self.place, "replay")

    def gateway(self, replay=None):
        """A new gateway process, with configuration and log of its own."""
        place = product.new_directory()
        words = replay if replay is not None else f'store local; file "{self.file}"; entries 4k;'
        return product.Gateway(place, self.keystore, self.routes, extra=f"replay {{ {words} }}")


SITE = Site()


def message(pair=None):
    return soap.sign(pair or SITE.sender, body=soap.ORDER)


def outcome(gateway, text, path="/orders"):
    """Send it. @return the reason in the access log, ok when it passed and the upstream saw it"""
    seen = len(SITE.upstream.requests)
    with wire.Client(gateway.address) as client:
        status = client.post(text, path).status
    record = gateway.record_of(client)
    reason = product.reason_of(record)
    report.equal((status, len(SITE.upstream.requests) - seen), (200, 1) if reason == "ok" else (500, 0), f"status and upstream at {reason}")
    return reason


def ended(gateway):
    gateway.__exit__()
    report.equal(gateway.wait(), 0, "exit status of the gateway")


def test_a_reload_forgets_nothing():
    text = message()
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "ok", "first")
        report.equal(outcome(gateway, text), "replay", "second")
        gateway.reload()
        report.until(lambda: "reloaded" in gateway.stderr() or "read anew" in gateway.stderr(), what="reload in the log")
        report.equal(outcome(gateway, text), "replay", "after the reload")
        report.equal(outcome(gateway, message()), "ok", "another message")
        ended(gateway)


def test_a_restart_forgets_nothing():
    text = message()
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "ok", "first")
        ended(gateway)
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "replay", "after the restart")
        ended(gateway)


def test_a_killed_gateway_forgets_nothing():
    text = message()
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "ok", "first")
        gateway.signal(signal.SIGKILL)
        gateway.wait()
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "replay", "after the kill")
        ended(gateway)


def test_two_gateways_share_what_they_saw():
    texts = [message(), message()]
    with SITE.gateway() as old, SITE.gateway() as new:
        report.equal(outcome(old, texts[0]), "ok", "first at the old one")
        report.equal(outcome(new, texts[0]), "replay", "second at the new one")
        report.equal(outcome(new, texts[1]), "ok", "first at the new one")
        report.equal(outcome(old, texts[1]), "replay", "second at the old one")
        ended(old)
        ended(new)


def test_two_messages_of_one_instant_are_two():
    """Equal but for what their signer drew by chance: no replay. On a fast machine two messages made by one after the other are
    such a pair."""
    real, instant = soap._instant, soap._instant(0)
    soap._instant = lambda seconds: instant if seconds == 0 else real(seconds)
    try:
        texts = [message(), message()]
    finally:
        soap._instant = real
    with SITE.gateway("store local;") as gateway:
        for text in texts:
            report.equal(outcome(gateway, text), "ok", "a message of one instant")
            report.equal(outcome(gateway, text), "replay", "the same octets again")
        ended(gateway)


def test_more_entries_forget_nothing():
    text = message()
    with SITE.gateway() as gateway:
        report.equal(outcome(gateway, text), "ok", "first")
        ended(gateway)
    with SITE.gateway(f'file "{SITE.file}"; entries 8k;') as gateway:
        report.equal(outcome(gateway, text), "replay", "in the larger file")
        ended(gateway)


def test_without_a_file_a_restart_forgets():
    text = message()
    with SITE.gateway("store local;") as gateway:
        report.equal(outcome(gateway, text), "ok", "first")
        report.equal(outcome(gateway, text), "replay", "second")
        ended(gateway)
    with SITE.gateway("store local;") as gateway:
        report.equal(outcome(gateway, text), "ok", "after the restart")
        ended(gateway)


def test_one_partner_cannot_use_up_the_store():
    """1,024 entries, one in a hundred for each partner: ten, then this partner is refused and no other one."""
    words = f'file "{SITE.file}.small"; entries 1024; partner-share 1;'
    with SITE.gateway(words) as gateway:
        first = message()
        report.equal(outcome(gateway, first), "ok", "first")
        for _ in range(9):
            report.equal(outcome(gateway, message()), "ok", "within the share")
        report.equal(outcome(gateway, message()), "replay-store-unavailable", "beyond the share")
        report.equal(outcome(gateway, first), "replay", "a replay beyond the share")
        report.equal(outcome(gateway, message(SITE.other), "/others"), "ok", "another partner")
        ended(gateway)


def refused_start(path, says):
    """Neither --check nor a start takes the file; both name the line."""
    conf = os.path.join(SITE.place, "bad.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{SITE.keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\nreplay {{ file "{path}"; }}\n{SITE.routes}')
    for arguments in (["--check"], []):
        done = product.countersign("-c", conf, "gateway", *arguments, check=False)
        report.equal(done.returncode, 78, "exit")
        report.check(re.search(rf"bad\.conf:3:\d+: .*{says}", done.stderr), f"what it says: {done.stderr.strip()}")


def test_a_bad_file_stops_the_start():
    bad = os.path.join(SITE.place, "bad")
    with SITE.gateway(f'file "{bad}"; entries 4k;') as gateway:
        ended(gateway)
    with open(bad, "rb") as whole:
        octets = whole.read()
    for content, says in ((b"", "too short"), (b"x" * 5000, "not a replay store"), (octets[:-64], "was cut"),
                          (octets[:16] + b"\x02" + octets[17:], "another version")):
        with open(bad, "wb") as out:
            out.write(content)
        refused_start(bad, says)
    refused_start(os.path.join(SITE.place, "missing", "replay"), "cannot be made")


if __name__ == "__main__":
    report.run("replays", report.tests_of(sys.modules[__name__]))
