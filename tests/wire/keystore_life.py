#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""The life of an entry by commands: windows with open messages, the trash, a key in wrong hands, verbs set for an instant, the clock;
and the gateway that does by itself what is due."""
import json
import sqlite3
import sys
import time

import product
import report
from report import check, equal
from stores import DAY, Store, instant, made, records, rfc3339
from story import SOON_S

ROUTE = 'route in { listener front; path "/"; upstream "http://127.0.0.1:9"; request { verify acme; } }'


def state(store, entry, *when):
    return records(store.run("show", entry, "--json", *when))[0]["state"]


def accepted(store, at):
    return store.run("acceptable", "--partner", "acme", "--at", rfc3339(at)).stdout != ""


def deactivated():
    """A store whose only entry was deactivated just now. @return it, and its process stop"""
    store = Store()
    store.verifier("new", "--activate")
    store.run("deactivate", "acme-sign#1")
    return store, instant(store.entries()["acme-sign#1"]["process_stop"])


def test_an_open_message_moves_the_end_and_keeps_the_entry():
    store, stop = deactivated()
    late = stop - 5 * DAY
    store.run("open-message", "add", "dlq/17", "--entry", "acme-sign#1", "--now", rfc3339(late))
    moved = instant(store.entries()["acme-sign#1"]["process_stop"])
    equal(moved, late + 14 * DAY, "process stop: the open message and a guaranteed delivery")
    store.refuses(10, "remove", "acme-sign#1", "--now", rfc3339(moved - 1), says=("refused G8 retention: ", "moved by an open message"))
    store.refuses(10, "remove", "acme-sign#1", "--now", rfc3339(moved), says="refused G9 evidence: 1 open message needs acme-sign#1")
    store.refuses(10, "remove", "acme-sign#1", "--force", "--now", rfc3339(moved), says="--reason TEXT")
    store.refuses(64, "open-message", "close", "dlq/18", "--entry", "acme-sign#1", says="no open message dlq/18")
    store.run("open-message", "close", "dlq/17", "--entry", "acme-sign#1", "--now", rfc3339(moved))
    equal(instant(store.entries()["acme-sign#1"]["process_stop"]), moved, "it never shrinks")
    told = store.refuses(0, "remove", "acme-sign#1", "--dry-run", "--now", rfc3339(moved))
    check("T5 retire acme-sign#1: content are G1 G2 G3 G8 G9" in told.stderr and "T9 remove acme-sign#1" in told.stderr, told.stderr)
    store.run("remove", "acme-sign#1", "--now", rfc3339(moved))


def test_the_trash_gives_back_what_was_removed():
    store, stop = deactivated()
    store.run("remove", "acme-sign#1", "--now", rfc3339(stop))
    equal(store.entries(), {}, "entries")
    listed = records(store.run("trash", "list", "--json"))
    equal([(r["entry"], instant(r["trash_until"])) for r in listed], [("acme-sign#1", stop + 30 * DAY)], "trash")
    store.refuses(64, "suspend", "acme-sign#1", says="countersign keystore trash restore acme-sign#1")
    store.run("trash", "restore", "acme-sign#1", "--now", rfc3339(stop + 1))
    equal(list(store.entries()), ["acme-sign#1"], "entries")
    store.refuses(64, "trash", "discard", "acme-sign#1", says="not in the trash")
    store.run("remove", "acme-sign#1", "--now", rfc3339(stop + 2))
    store.refuses(0, "tick", "--now", rfc3339(stop + 2 + 30 * DAY - 1))
    store.run("tick", "--now", rfc3339(stop + 2 + 30 * DAY))
    equal(state(store, "acme-sign#1"), "destroyed", "state after 30 days")
    store.run("audit", "verify")


def test_a_compromise_takes_every_entry_of_the_key_and_cuts_the_past():
    store = Store()
    begun = time.time()
    store.verifier("new", "--activate")
    store.verifier("new", "--activate", alias="acme-other")
    done = store.run("compromise", "acme-sign#1", "--since", rfc3339(begun + 10 * DAY), "--now", rfc3339(begun + 20 * DAY))
    check("acme-other#1 holds the same key: it is compromised, too" in done.stderr, done.stderr)
    equal({e: r["state"] for e, r in store.entries().items()}, {"acme-sign#1": "compromised", "acme-other#1": "compromised"}, "states")
    equal([accepted(store, begun + days * DAY) for days in (9, 11, 21)], [True, False, False], "accepted")
    store.refuses(10, "remove", "acme-sign#1", "--now", rfc3339(begun + 21 * DAY), says="refused G8 retention: ")
    store.run("compromise", "acme-sign#1", "--undo", "--now", rfc3339(begun + 30 * DAY))
    equal({r["state"] for r in store.entries().values()}, {"active"}, "states")
    equal([accepted(store, begun + days * DAY) for days in (11, 21, 31)], [True, False, True], "accepted: but for the days in which it was refused")
    store.run("audit", "verify")


def test_an_archived_entry_is_reopened_with_a_reason_until_a_new_end():
    store, stop = deactivated()
    store.run("tick", "--now", rfc3339(stop))
    equal(state(store, "acme-sign#1"), "archived", "state")
    until = rfc3339(stop + 10 * DAY)
    store.refuses(64, "reopen", "acme-sign#1", "--until", until, "--now", rfc3339(stop + DAY), says="--reason")
    store.run("reopen", "acme-sign#1", "--until", until, "--reason", "late batch", "--now", rfc3339(stop + DAY))
    equal([accepted(store, stop + days * DAY) for days in (0.5, 2, 9, 11)], [False, True, True, False], "accepted")


def test_a_verb_is_set_for_its_instant_and_taken_back():
    store = Store()
    store.verifier("new", "--activate")
    at = time.time() + 10 * DAY
    store.refuses(64, "deactivate", "acme-sign#1", "--at", "2020-01-01T00:00:00Z", says="of the past")
    store.refuses(10, "remove", "acme-sign#1", "--at", rfc3339(at), says="refused G7")
    done = json.loads(store.run("deactivate", "acme-sign#1", "--at", rfc3339(at), "--json").stdout)
    wanted = [{"action": "deactivate", "at": rfc3339(at)}]
    equal((done["state"], done["scheduled"]), ("active", wanted), "record of the change")
    equal([r["scheduled"] for r in records(store.run("list", "--json"))], [wanted], "record of the list")
    check(f"active, deactivate {rfc3339(at)[:10]} " in store.run("list").stdout, "the table")
    page = store.run("show", "acme-sign#1").stdout
    check(f"scheduled: deactivate at {rfc3339(at)}" in page and "deactivate acme-sign#1 --cancel" in page, page)
    store.run("deactivate", "acme-sign#1", "--cancel")
    equal([r["scheduled"] for r in records(store.run("list", "--json"))], [[]], "taken back")
    store.refuses(64, "deactivate", "acme-sign#1", "--cancel", says="not scheduled")
    store.refuses(0, "tick", "--now", rfc3339(at))
    store.run("deactivate", "acme-sign#1", "--at", rfc3339(at), "--reason", "agreed")
    store.refuses(0, "tick", "--now", rfc3339(at - 1))
    store.run("tick", "--now", rfc3339(at))
    equal(state(store, "acme-sign#1", "--now", rfc3339(at)), "deactivated", "state")
    store.refuses(0, "tick", "--now", rfc3339(at + 1))


def test_a_clock_in_doubt_stops_what_is_done_by_itself():
    store = Store()
    store.verifier("new", "--activate")
    store.change("update meta set value=? where key='clock_high_water'", rfc3339(time.time() + 3600))
    store.run("suspend", "acme-sign#1")
    equal(store.run("clock", check=False).returncode, 1, "exit of clock")
    waiting = store.run("tick", check=False)
    equal(waiting.returncode, 1, "exit of tick")
    check("clock-suspect" in waiting.stderr and "clock accept" in waiting.stderr, waiting.stderr)
    store.run("clock", "accept", "--reason", "checked")
    equal(store.run("clock").returncode, 0, "exit of clock")
    store.run("tick")
    store.run("audit", "verify")


def test_a_clock_that_leaves_the_running_machine_is_in_doubt():
    store = Store()
    store.verifier("new", "--activate")
    store.run("tick")
    with sqlite3.connect(store.path) as db:
        boot, ran, _ = db.execute("select value from meta where key='clock_witness'").fetchone()[0].split()
    store.change("update meta set value=? where key='clock_witness'", f"{boot} {ran} {rfc3339(time.time() - 120)}")
    done = store.run("clock", check=False)
    check(done.returncode == 1 and "the clock went ahead by 1" in done.stdout, done.stdout)
    equal(store.run("tick", check=False).returncode, 1, "exit of tick")
    store.run("clock", "accept", "--reason", "set by hand, and right")
    equal(store.run("clock").returncode, 0, "exit of clock")
    store.run("tick")
    store.run("audit", "verify")


def test_a_node_without_the_entry_holds_up_a_protecting_role():
    store = Store()
    store.signer("new", "--activate")
    store.signer("next")
    store.change("insert into node(node_id, applied_gen, applied_at, clock_at) values('gw1', 1, 0, ?)", int(time.time()))
    store.change("insert into node(node_id, applied_gen, applied_at, clock_at) values('gw2', 1, 0, 1000)")
    done = store.refuses(10, "activate", "own-sign#2", "--json", says=("node gw1 works with generation 1", "node gw2 was last heard of"))
    equal([r["guard"] for r in json.loads(done.stdout)["refused"]], ["G6", "G6"], "guards")
    store.refuses(10, "activate", "own-sign#2", "--without-node", "gw1", "--without-node", "gw2", says="needs a reason")
    store.run("activate", "own-sign#2", "--without-node", "gw1", "--without-node", "gw2", "--reason", "both are gone")


def test_a_gateway_does_what_is_due():
    place = product.new_directory()
    keystore = product.Keystore(place)
    keystore.add_verifier(made("new"))
    keystore.add_verifier(made("next"))
    with product.Gateway(place, keystore, ROUTE) as gateway:
        keystore.run("suspend", min(keystore.entries()), "--at", rfc3339(time.time() + SOON_S))
        report.until(lambda: "suspended" in {r["state"] for r in keystore.entries().values()} or not gateway.running(), what="the verb")
        check(gateway.running(), "the gateway has ended")
    rows = keystore.run("audit", "verify")
    check(rows.stdout.startswith("ok"), rows.stdout)


if __name__ == "__main__":
    report.run("keystore-life", report.tests_of(sys.modules[__name__]))
