#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 180
"""The window of an exchanged certificate with the clock of the machine moved: day 89 verifies, day 91 is refused with its
reason, an archive of day 80 is judged as of day 80; by the command and by a running gateway, and late use extends."""
import contextlib
import json
import os
import shutil
import sqlite3
import sys

import keys
import product
import report
import soap
import wire
from faketime import day
from report import check, equal
from stores import DAY, Store, instant, made, records, rfc3339

OPENED = ('partner sender {{ }}\nroute in {{ listener front; path "/in"; upstream "{url}"; '
          'request {{ decrypt own-dec; verify acme; remove-security-header yes; }} }}\n')
ROUTE = 'partner acme {{ }}\nroute in {{ listener front; path "/in"; upstream "{url}"; request {{ verify acme; }} }}\n'


def exchanged():
    """acme-sign#2 has taken the place of acme-sign#1 just now."""
    store = Store()
    store.verifier("one", "--activate")
    store.verifier("two", "--activate")
    store.run("deactivate", "acme-sign#1")
    return store


def message(store, name, number):
    """A message signed with acme-sign#1 on that day. @return its file"""
    path = os.path.join(os.path.dirname(store.path), name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(soap.sign(made("one"), created_s=number * DAY))
    return path


def judged(store, number, path, *more):
    with day(number):
        done = product.countersign("--keystore", f"sqlite:{store.path}", "verify", "--partner", "acme", "--json", *more, path, check=False)
    return done.returncode, json.loads(done.stdout)


def test_command_judges_by_the_day():
    store = exchanged()
    code, verdict = judged(store, 89, message(store, "89.xml", 89))
    equal((code, verdict["verdict"], verdict["certificate"]["entry"], verdict["certificate"]["state"]), (0, "pass", "acme-sign#1", "deactivated"), "day 89")
    code, verdict = judged(store, 91, message(store, "91.xml", 91))
    equal((code, verdict["verdict"], verdict["reason"]), (1, "fail", "certificate-archived"), "day 91")
    exchange = instant([r for r in records(store.run("list", "--json")) if r["entry"] == "acme-sign#1"][0]["exchanged_at"])
    code, verdict = judged(store, 91, message(store, "80.xml", 80), "--as-of", rfc3339(exchange + 80 * DAY + 60))
    equal((code, verdict["verdict"], verdict["certificate"]["state"]), (0, "pass", "deactivated"), "day 80, asked on day 91")
    code, verdict = judged(store, 91, message(store, "now.xml", 80), "--as-of", rfc3339(exchange + 90 * DAY + 60))
    equal((code, verdict["reason"]), (1, "certificate-archived"), "as of an instant after the window")


def test_a_longer_promise_of_delivery_is_a_longer_window():
    store = Store()
    conf = os.path.join(os.path.dirname(store.path), "promise.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{store.path}";\nretention 90d;\nguaranteed-delivery 120d;\n')
    store.verifier("one", "--activate")
    store.verifier("two", "--activate")
    done = product.countersign("-c", conf, "keystore", "deactivate", "acme-sign#1", "--json")
    record = json.loads(done.stdout)
    equal(instant(record["process_stop"]) - instant(record["exchanged_at"]), 120 * DAY, "window")
    for number, wanted in ((91, (0, "ok")), (119, (0, "ok")), (121, (1, "certificate-archived"))):
        code, verdict = judged(store, number, message(store, f"promise-{number}.xml", number))
        equal((code, verdict["reason"]), wanted, f"day {number}")
    stop = instant(record["process_stop"])
    refused = product.countersign("-c", conf, "--now", rfc3339(stop - 1), "keystore", "remove", "acme-sign#1", check=False)
    equal(refused.returncode, 10, "a second before its end")
    check("refused G8" in refused.stderr and rfc3339(stop) in refused.stderr, refused.stderr)
    product.countersign("-c", conf, "--now", rfc3339(stop), "keystore", "remove", "acme-sign#1")


def test_a_retention_below_ninety_days_starts_nothing():
    store = Store()
    conf = os.path.join(os.path.dirname(store.path), "short.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{store.path}";\nlistener front {{ address 127.0.0.1:0; }}\nretention 89d;\n')
    for words in (("gateway",), ("gateway", "--check"), ("keystore", "list"), ("keystore", "tick")):
        done = product.countersign("-c", conf, *words, check=False)
        equal(done.returncode, 78, f"exit of {words}")
        check(f"{conf}:3:11: retention 89d is below 90d" in done.stderr, done.stderr)


def pass_through(store, number, upstream, messages, route=ROUTE):
    """Through a gateway of that day. @return statuses, access log records"""
    place = os.path.join(os.path.dirname(store.path), f"gateway-{number}")
    os.mkdir(place)
    with day(number), contextlib.ExitStack() as stack:
        gateway = stack.enter_context(product.Gateway(place, store, route.format(url=upstream.url)))
        with wire.Client(gateway.address) as client:
            statuses = [client.post(text, "/in").status for text in messages]
        gateway.logged_count(len(messages))
        return statuses, gateway.log()


def test_gateway_judges_by_the_day():
    store = exchanged()
    copy = Store()
    shutil.copy(store.path + ".kek", copy.path + ".kek")
    copy_of(store, copy)
    upstream = wire.Upstream(wire.reply_octets(b"<ok/>"))
    try:
        statuses, log = pass_through(store, 89, upstream, [soap.sign(made("one"), created_s=89 * DAY)])
        equal(statuses, [200], f"day 89: {log}")
        # a gateway that saw no late use: from process stop on it refuses, and says why
        statuses, log = pass_through(copy, 91, upstream, [soap.sign(made("one"), created_s=91 * DAY), soap.sign(made("two"), created_s=91 * DAY)])
        equal(statuses, [500, 200], f"day 91: {log}")
        equal(product.reason_of(log[0]), "certificate-archived", "reason")
        # the use of day 89 holds the window open for the guaranteed delivery, 14 days, and no longer
        statuses, log = pass_through(store, 91, upstream, [soap.sign(made("one"), created_s=91 * DAY)])
        equal(statuses, [200], f"day 91 after a use on day 89: {log}")
        statuses, log = pass_through(store, 106, upstream, [soap.sign(made("one"), created_s=106 * DAY)])
        equal(statuses, [500], f"day 106: {log}")
        equal(product.reason_of(log[0]), "certificate-archived", "reason")
    finally:
        upstream.stop()
    listed = [r for r in records(store.run("list", "--json")) if r["entry"] == "acme-sign#1"][0]
    days = (instant(listed["process_stop"]) - instant(listed["exchanged_at"])) / DAY
    check(105 <= days < 105.1, f"process stop {days} days after the exchange")
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as db:
        told = db.execute("select n from notification join entry using(entry_id) where kind='retention-extended'").fetchall()
    check(told and set(told) == {(1,)}, f"people are told that the window was moved: {told}")


def own_key(name):
    """An RSA pair to be encrypted to."""
    return keys.new_pair(product.new_directory(), name, "rsa:2048")


def two_own_keys():
    """own-dec#2 has taken the place of own-dec#1 just now; a partner still encrypts to the first. @return both stores"""
    store = Store()
    partner = Store()
    store.verifier("one", "--activate")
    old = own_key("old")
    for pair in (old, own_key("new")):
        store.run("add", "--role", "decrypt", "--alias", "own-dec", pair.certificate_file, "--private-key", pair.key_file, "--activate")
    states = {r["entry"]: r["state"] for r in records(store.run("list", "--json"))}
    if states["own-dec#1"] == "active":
        store.run("deactivate", "own-dec#1")
    partner.run("add", "--role", "encrypt-to", "--partner", "us", "--alias", "us-enc", old.certificate_file, "--activate")
    return store, partner


def sealed(partner, number):
    """Signed by acme and encrypted to the first key, on that day."""
    text = soap.sign(made("one"), body=soap.ORDER, created_s=number * DAY)
    return product.countersign("--keystore", partner.uri, "encrypt", "--partner", "us", "--parts", "Body,Signature", stdin=text).stdout


def test_an_exchanged_key_decrypts_through_the_gateway_on_day_89_and_not_on_day_91():
    store, partner = two_own_keys()
    copy = Store()
    shutil.copy(store.path + ".kek", copy.path + ".kek")
    copy_of(store, copy)
    upstream = wire.Upstream(wire.reply_octets(b"<ok/>"))
    try:
        statuses, log = pass_through(store, 89, upstream, [sealed(partner, 89)], OPENED)
        equal((statuses, log[0]["request"].get("decrypted_with")), ([200], "own-dec#1"), f"day 89: {log}")
        check(b"4711" in upstream.requests[0].body and b"Security" not in upstream.requests[0].body, "the receiver did not get the plain message")
        statuses, log = pass_through(copy, 91, upstream, [sealed(partner, 91)], OPENED)
        equal((statuses, product.reason_of(log[0])), ([500], "no-decryption-key"), f"day 91: {log}")
        equal(len(upstream.requests), 1, "requests that reached the upstream")
    finally:
        upstream.stop()
    # what came on day 80 is asked for on day 91: it was good then, and the answer says what is missing now
    path = os.path.join(os.path.dirname(copy.path), "80.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(sealed(partner, 80))
    exchange = instant([r for r in records(copy.run("list", "--json")) if r["entry"] == "own-dec#1"][0]["exchanged_at"])
    for ticked in (False, True):
        if ticked:
            with day(91):
                copy.run("clock", "accept")
                copy.run("tick")
        code, verdict = judged(copy, 91, path, "--as-of", rfc3339(exchange + 80 * DAY + 60))
        equal((code, verdict["reason"]), (1, "no-decryption-key"), f"day 80, asked on day 91, ticked {ticked}")
        for word in ("own-dec#1", "deactivated then", "closed now"):
            check(word in verdict["detail"], f"detail lacks {word}: {verdict['detail']}")
        code, verdict = judged(copy, 91, path, "--as-of", rfc3339(exchange + 91 * DAY))
        equal((code, verdict["reason"]), (1, "no-decryption-key"), f"day 91, asked on day 91, ticked {ticked}")
    code, verdict = judged(store, 89, path, "--as-of", rfc3339(exchange + 80 * DAY + 60))
    equal((code, verdict["verdict"], verdict["decrypted_with"]), (0, "pass", "own-dec#1"), "day 80, asked on day 89")


def copy_of(store, copy):
    """The content of one store in the place of another."""
    with sqlite3.connect(store.path) as source, sqlite3.connect(copy.path) as target:
        source.backup(target)


if __name__ == "__main__":
    sys.exit(report.run("wire/retention", report.tests_of(sys.modules[__name__])))
