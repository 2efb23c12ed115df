#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 200
"""keystore renew, auto and tick of the real program: the successor of a certificate is made in time, once, and takes its place."""
import json
import sys

import keys
import report
from report import check, equal
from stores import DAY, PLACE, Store, instant, records, rfc3339

START = instant("2026-03-01T00:00:00Z")
MAKE = ["generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256", "--days", "100"]
END = START + 100 * DAY


def at(store, seconds, *args, **how):
    return store.run("--now", rfc3339(seconds), *args, **how)


def new_store(*auto):
    store = Store()
    at(store, START, *MAKE)
    if auto:
        at(store, START, "auto", "ack-client", *auto)
    return store


def entries(store, seconds=END):
    listed = at(store, seconds, "list", "--json", "--role", "tls-client").stdout.splitlines()
    return {r["entry"].split("#")[1]: r["state"] for r in map(json.loads, listed)}


def tick(store, seconds, code=0):
    done = at(store, seconds, "tick", "--json", check=False)
    equal(done.returncode, code, done.stderr)
    return [(r["action"], r["entry"], r["done"]) for r in map(json.loads, done.stdout.splitlines())]


def rehearsed(store):
    """When the successor of the active entry is due."""
    shown = json.loads(at(store, START, "auto", "ack-client", "on", "--dry-run", "--json").stdout)
    return instant(shown["regenerates"])


def test_within_fourteen_days_it_is_made_and_active_and_the_old_deactivated():
    store = new_store("on")
    due = rehearsed(store)
    check(END - 14 * DAY <= due <= END - 12.6 * DAY, f"{(END - due) / DAY} days before the end")
    equal(tick(store, due - 1), [], "a second before")
    equal(tick(store, due), [("regenerate", "ack-client#2", True), ("activate", "ack-client#2", True)], "then")
    equal(entries(store), {"1": "deactivated", "2": "active"}, "states")
    old, new = records(at(store, due, "show", "ack-client", "--json"))
    equal((old["subject"], old["issuer"]), (new["subject"], new["issuer"]), "name and issuer")
    check(old["spki_sha256"] != new["spki_sha256"], "a new key")
    equal(round((instant(new["not_after"]) - due) / DAY), 100, "as long as the one before")
    equal(tick(store, due + 1), [], "once")
    equal(tick(store, due + DAY), [], "once")
    audit = at(store, due, "audit", "list", "--json").stdout
    check('"regenerate"' in audit and '"keeper"' in audit, audit[-400:])
    equal(at(store, due, "audit", "verify").returncode, 0, "audit")


def test_the_record_tells_how_a_slot_renews_itself():
    store = new_store()
    listed = lambda seconds: json.loads(at(store, seconds, "list", "--json", "--role", "tls-client").stdout.splitlines()[0])["auto"]
    equal(listed(START), None, "never said")
    at(store, START, "auto", "ack-client", "on", "--window", "Mon-Fri 08:00-18:00 UTC", "--days", "10")
    told = listed(START)
    equal({k: told[k] for k in ("on", "days", "pinning", "window", "ends", "successor", "error")},
          {"on": True, "days": 10, "pinning": "dn", "window": "Mon-Fri 08:00-18:00 UTC", "ends": "ack-client#1", "successor": None, "error": None}, "on")
    check(END - 10 * DAY <= instant(told["regenerates"]) <= END - DAY, told["regenerates"])
    at(store, START, "auto", "ack-client", "off")
    told = json.loads(at(store, START, "show", "ack-client#1", "--json").stdout)["auto"]
    equal((told["on"], told["regenerates"]), (False, None), "off")


def test_the_next_year_the_slot_is_full_and_the_old_one_makes_room():
    store = new_store("on")
    tick(store, rehearsed(store))
    again = rehearsed(store)
    equal(tick(store, again), [("regenerate", "ack-client#3", True), ("activate", "ack-client#3", True)], "again")
    equal(entries(store, again + 1)["3"], "active", "third")


def test_off_never_acts_and_a_rehearsal_changes_nothing():
    store = new_store("on")
    due = rehearsed(store)
    before = store.content()
    equal([d[2] for d in tick_dry(store, due)], [False], "rehearsal")
    equal(store.content(), before, "content")
    at(store, START, "auto", "ack-client", "off")
    for seconds in (due, END - DAY, END + DAY):
        equal(tick(store, seconds), [], "off")
    check("auto off" in at(store, due, "list").stdout, "list")


def tick_dry(store, seconds):
    done = at(store, seconds, "tick", "--json", "--dry-run")
    return [(r["action"], r["entry"], r["done"]) for r in map(json.loads, done.stdout.splitlines())]


def test_what_somebody_prepared_is_activated_and_a_short_one_replaced():
    store = new_store("on")
    at(store, START + DAY, "generate", "--alias", "ack-client", "--days", "150")
    equal(tick(store, rehearsed(store)), [("activate", "ack-client#2", True)], "prepared")
    store = new_store("on")
    at(store, START + DAY, "generate", "--alias", "ack-client", "--days", "100")
    due = rehearsed(store)
    equal(tick(store, due), [("regenerate", "ack-client#3", True), ("activate", "ack-client#3", True)], "too short")
    equal(entries(store), {"1": "deactivated", "3": "active"}, "the short one is gone")


def test_expired_beside_a_second_that_never_was_active_gives_the_three_results():
    store = new_store()
    at(store, START + DAY, "generate", "--alias", "ack-client", "--days", "300")
    at(store, END + DAY, "auto", "ack-client", "on")
    generation = lambda: json.loads(at(store, END + DAY, "auto", "ack-client", "on", "--dry-run", "--json").stdout)["generation"]
    before = generation()
    equal(tick(store, END + DAY), [("regenerate", "ack-client#3", True)], "one act")
    equal(generation(), before + 1, "one transaction")
    equal(entries(store), {"1": "deactivated", "3": "active"}, "1 new and active, 2 expired inactive, 3 the second deleted")
    equal(tick(store, END + 2 * DAY), [], "once")


def test_pinned_by_fingerprint_it_is_made_and_not_activated():
    store = new_store("on", "--pinning", "fingerprint")
    due = rehearsed(store)
    equal(tick(store, due), [("regenerate", "ack-client#2", True)], "made")
    for seconds in (due + DAY, END - 1, END + DAY):
        equal(tick(store, seconds), [], "never by itself")
    equal(entries(store), {"1": "active", "2": "pre-active"}, "states")
    check("#2 was made for #1" in at(store, due, "list").stdout, at(store, due, "list").stdout)


def test_a_window_is_kept_to_and_never_beats_the_end():
    store = new_store("on", "--window", "Wed 09:00-10:00 UTC")
    due = rehearsed(store)
    check(rfc3339(due)[11:13] == "09" and int(due // DAY) % 7 == 6, rfc3339(due))
    check(END - 14 * DAY <= due <= END - DAY, rfc3339(due))
    store = new_store("on", "--window", "Mon 00:00-00:01 UTC", "--days", "2")
    check(END - 2 * DAY <= rehearsed(store) <= END - DAY, rfc3339(rehearsed(store)))
    store = new_store("on", "--window", "Mon-Sun 09:00-10:00 Asia/Kathmandu")
    due = rehearsed(store)
    check(rfc3339(due)[11:16] >= "03:15" and rfc3339(due)[11:16] < "04:15", f"nine o'clock in Nepal: {rfc3339(due)}")
    for window in ("sometimes", "Mon-Thu 25:00-26:00", "Mon 12:00-09:00", "Mon 09:00-12:00 Mars/Base", "Mon 09:00-12:00 ../passwd", "Mon 09:00-12:00 Europe/Berlin x", "Mon 0"):
        refused = at(store, START, "auto", "ack-client", "on", "--window", window, check=False)
        equal((refused.returncode, "is no window" in refused.stderr), (64, True), refused.stderr)
    for more in (["--days", "15"], ["--pinning", "name"]):
        equal(at(store, START, "auto", "ack-client", "on", *more, check=False).returncode, 64, str(more))


def test_of_an_outside_authority_nothing_is_made_here():
    store = Store()
    pair = keys.new_pair(PLACE, "outside", kind="ec:P-256")
    store.run("add", "--role", "tls-client", "--alias", "their", pair.certificate_file, "--private-key", pair.key_file, "--activate")
    for command in (("auto", "their", "on"), ("renew", "their")):
        store.refuses(64, *command, says=["keystore csr --alias their"])
    store.verifier("one", "--activate")
    store.refuses(64, "auto", "acme-sign", "on", says=["verifier"])


def test_renew_replaces_the_inactive_of_a_full_slot_after_the_use_check():
    store = new_store()
    equal(at(store, START + DAY, "renew", "ack-client").stdout, "ack-client#2\n", "room for it")
    equal(at(store, START + 2 * DAY, "renew", "ack-client").stdout, "ack-client#3\n", "the one that waited goes")
    equal(entries(store), {"1": "active", "3": "pre-active"}, "two at most")
    at(store, START + 3 * DAY, "activate", "ack-client#3")
    done = at(store, START + 9 * DAY, "renew", "ack-client")
    equal((done.stdout, "ack-client#1 made room" in done.stderr), ("ack-client#4\n", True), done.stderr)
    check("ack-client#1" in at(store, START + 9 * DAY, "trash", "list").stdout, "it can be had back")
    equal(at(store, START, "audit", "verify").returncode, 0, "audit")


if __name__ == "__main__":
    report.run("keystore-renewal", report.tests_of(sys.modules[__name__]))
