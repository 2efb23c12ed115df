#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""Roll-overs from end to end with a running gateway, traffic that flows and peers that change over: nothing is lost, and
each step closes on what was seen."""
import itertools
import sys
import time

import keys
import product
import report
import soap
import wire
from presented import Presented
from report import check, equal
from story import LONG_S, SOON_S, Story, instant

SIGNED = """
partner acme {{ }}
route orders {{
    listener front; path "/orders"; methods POST; upstream "{url}";
    response {{ verify acme; remove-security-header yes; }}
}}
"""


def test_a_receiver_that_accepts_both_sees_the_new_one_without_a_restart():
    with Presented() as story, story.flowing() as running:
        story.roll("start", "tls-client.dual", "--alias", "ack-client")
        story.roll("next", "R-1")
        story.said("2", "given by hand")
        story.asked(2)
        equal(story.states()["3"], "ready", "the receiver does not take the new one yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("4")  # 3 closes 4
        check(story.shown["3"].startswith("probe-both"), story.shown["3"])
        story.roll("next", "R-1")
        story.until("7")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        story.said("8", "told by phone")
        story.taken = {2}
        running.wait_for(20)
        story.said("9")
        story.over()


def change_over(late, *more):
    """A downtime of a receiver that takes one certificate at a time; late: it is ready behind its end."""
    with Presented() as story:
        with story.flowing() as running:
            begin = instant(SOON_S)
            story.roll("start", "tls-client.window", "--alias", "ack-client", "--window", begin, instant(3600), *more)
            story.roll("next", "R-1")
            story.roll("confirm", "R-1", "2")
            story.until("6")
            count = len(story.sent())
            equal(set(story.sent()), {1}, "certificates before the window")
            time.sleep(0.5)
            equal(len(story.sent()), count, "requests that got out of the hold")
            story.said("7", "given by hand")
            story.asked(2)
            if late:
                story.roll("window", "R-1", begin, instant(SOON_S))
                report.until(lambda: "stay on hold" in story.gateway.stderr(), LONG_S, "the end of the window")
                equal(story.states()["8"], "ready", "the receiver is late")
            story.taken = {2}
            story.until("11")  # nobody lends a hand: probes find it out
            check(story.shown["8"].startswith("probe-new"), story.shown["8"])
            running.wait_for(20)
        equal(set(story.sent()[count:]), {2}, "certificates behind the window")
        story.held_and_delivered(6)
        story.roll("confirm", "R-1", "10", exits=12)
        story.over()


def test_a_receiver_that_accepts_one_is_changed_over_in_a_window():
    change_over(False)


def test_routes_that_stay_on_hold_are_let_go_when_the_receiver_is_late():
    change_over(True, "--stay-held")


def test_an_overrun_window_rolls_back_and_what_was_held_is_delivered():
    with Presented() as story:
        with story.flowing() as running:
            begin = instant(SOON_S)
            story.roll("start", "tls-client.window", "--alias", "ack-client", "--window", begin, instant(3600))
            story.roll("next", "R-1")
            story.roll("confirm", "R-1", "2")
            story.until("6")
            equal(story.keystore.entries()["ack-client#2"]["state"], "active", "the new one in the window")
            story.roll("window", "R-1", begin, instant(SOON_S))
            story.over("aborted")
            running.wait_for(20)
        equal(set(story.sent()), {1}, "certificates that the receiver saw with requests of the traffic")
        equal(story.keystore.entries()["ack-client#1"]["state"], "active", "the old one")
        story.held_and_delivered(6)


def test_a_second_certificate_is_activated_when_a_probe_finds_it_accepted():
    with Presented('probe { method GET; query "wsdl"; expect 200; }') as story, story.flowing() as running:
        story.roll("start", "outbound.manual", "--alias", "ack-client")
        story.roll("confirm", "R-1", "1")
        story.roll("next", "R-1")
        story.asked(2)
        equal(story.states()["3"], "ready", "the receiver does not take it yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("3")
        check("probe-new" in story.shown["3"], story.shown["3"])
        story.roll("next", "R-1")
        story.until("4")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")
        story.taken = {2}
        story.roll("next", "R-1")
        story.over()
        check("ack-client#1" not in story.keystore.entries(), "the old one is deleted")
        running.wait_for(20)


def test_a_certificate_that_renews_itself_is_followed_step_by_step():
    with Presented(days=10) as story, story.flowing() as running:
        story.roll("start", "outbound.auto", "--alias", "ack-client")
        equal(story.states()["1"], "ready", "nothing is regenerated without being told to")
        story.taken = {1, 2}  # it knows name and authority
        story.keystore.run("auto", "ack-client", "on")
        story.over()
        equal(story.states()["2"], "skipped", "no step of the other side")
        states = {name: r["state"] for name, r in story.keystore.entries().items() if r["role"] == "tls-client"}
        equal(states, {"ack-client#1": "deactivated", "ack-client#2": "active"}, "states")
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")


def test_one_known_by_its_fingerprint_waits_for_the_other_side():
    with Presented(days=10) as story, story.flowing() as running:
        story.keystore.run("auto", "ack-client", "on", "--pinning", "fingerprint")
        story.roll("start", "outbound.auto", "--alias", "ack-client")
        story.until("1")
        story.asked(2)
        equal((story.states()["2"], story.keystore.entries()["ack-client#2"]["state"]), ("ready", "pre-active"), "not uploaded yet")
        story.taken = {1, 2}
        story.roll("probe", "R-1")
        story.until("2")
        check(story.shown["2"].startswith("probe-new"), story.shown["2"])
        story.roll("next", "R-1")
        story.over()
        story.taken = {2}
        running.wait_for(20)
        equal(story.sent()[-1], 2, "the certificate presented last")


def test_a_verifier_is_exchanged_on_the_first_use_of_the_new_one():
    place = product.new_directory()
    keystore = product.Keystore(place)
    old, new = keys.new_pair(place, "old"), keys.new_pair(place, "new")
    keystore.add_verifier(old)
    signer = [old]
    count = itertools.count()  # no two messages are the same: the second one would be a replay
    with wire.Upstream(lambda _: wire.reply_octets(soap.sign(signer[0], f'<n xmlns="urn:n">{next(count)}</n>'))) as upstream, \
            Story(product.Gateway(place, keystore, SIGNED.format(url=upstream.url)), keystore) as story, \
            story.flowing(connections=2, per_second=20) as running:
        story.roll("start", "verifier", "--alias", "acme-sign")
        story.said("1")
        keystore.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", new.certificate_file)
        story.until("2")
        story.roll("next", "R-1")
        story.said("4", "told by phone")
        story.until("5", "ready")  # nobody signs with it yet
        signer[0] = new
        story.until("5")
        story.said("6")
        story.roll("next", "R-1")
        story.until("8a")
        story.until("8b", "ready")  # the window of the old one runs
        running.wait_for(10)
        equal(keystore.entries()["acme-sign#1"]["state"], "deactivated", "the old one")
        refused = product.countersign("-c", story.gateway.conf_file, "rollover", "next", "R-1", check=False)
        equal(refused.returncode, 10, "removal in the window")
        check("refused G8 retention" in refused.stderr, refused.stderr)


if __name__ == "__main__":
    report.run("rollover-stories", report.tests_of(sys.modules[__name__]))
