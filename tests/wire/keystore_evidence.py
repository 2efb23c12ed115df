#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 180
"""Evidence before a removal: exact counts over several gateways, senders, silent nodes; names of nodes; who a client is."""
import json
import os
import signal
import sqlite3
import sys
import time

import keys
import product
import report
import soap
import wire
from report import check, equal, until
from stores import DAY, PLACE, Store, instant, made, records, rfc3339, stopped_between_writes

ROUTE = 'partner acme {{ policy repeats; }}\npolicy repeats {{ replay off; }}\nroute in {{ listener front; path "/in"; upstream "{url}"; request {{ verify acme; }} }}\n'


class Site:
    """Gateways of one keystore, each a node with its own name."""

    def __init__(self, store, names, same=False):
        self.store = store
        self.upstream = wire.Upstream(wire.reply_octets(b"<ok/>"))
        self.gateway = {}
        for name in names:
            place = os.path.join(os.path.dirname(store.path), name)
            os.mkdir(place)
            node = "gw1" if same else name
            self.gateway[name] = product.Gateway(place, store, ROUTE.format(url=self.upstream.url), f"node {node};")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for gateway in self.gateway.values():
            gateway.__exit__()
        self.upstream.stop()

    def send(self, name, pair, count, source="127.0.0.1", passes=True, whole=False):
        with wire.Client(self.gateway[name].address, source=source) as client:
            for _ in range(count):
                text = soap.sign(pair)
                reply = client.post(text if passes or whole else soap.tampered(text), "/in")
                equal(reply.status == 200, passes, f"a message of {source} through {name}: {reply.status}")


def safe(store, entry, *more):
    done = store.run("safe-to-remove", entry, "--json", *more, check=False)
    return done.returncode, json.loads(done.stdout), done.stderr


def test_counts_of_three_gateways_are_exact():
    store = Store()
    store.verifier("one", "--activate")
    store.verifier("two", "--activate")
    with Site(store, ["gw1", "gw2", "gw3"]) as site:
        site.send("gw1", made("one"), 7)
        site.send("gw2", made("one"), 5, "127.0.0.2")
        site.send("gw2", made("one"), 3, "127.0.0.3")
        site.send("gw3", made("one"), 2, "127.0.0.2")
        site.send("gw3", made("one"), 4, passes=False)
        site.send("gw3", made("two"), 1)
        code, answer, said = safe(store, "acme-sign#1", "--wait", "60s")
        equal((code, answer["safe"], said), (1, False, ""), "answer")
        equal((answer["uses"], answer["recent_uses"]), (17, 17), "counted")
        equal({(s["node"], s["sender"]): s["uses"] for s in answer["senders"]},
              {("gw1", "127.0.0.1"): 7, ("gw2", "127.0.0.2"): 5, ("gw2", "127.0.0.3"): 3, ("gw3", "127.0.0.2"): 2}, "senders")
        equal([s["uses"] for s in answer["senders"]], [7, 5, 3, 2], "most first")
        check(answer["refused"][0]["guard"] == "G7", answer["refused"])
        equal(answer["where_used"], [{"route": "in", "alias": None, "partner": "acme", "nodes": 3}], "where used")
        equal(safe(store, "acme-sign#2", "--wait", "60s")[1]["uses"], 1, "the other entry")
        check("where used: route in (partner, 3 nodes)" in store.run("show", "acme-sign#1").stdout, "show says where")
        text = store.run("safe-to-remove", "acme-sign#1", "--wait", "60s", check=False).stdout
        check(text.startswith("NO  - G7 ") and "senders: 127.0.0.1 (7), 127.0.0.2 (5)" in text and "route in (partner, 3 nodes)" in text, text)


def test_answer_names_the_instant_and_then_is_yes():
    store = Store()
    store.verifier("one", "--activate")
    store.verifier("two", "--activate")
    store.run("deactivate", "acme-sign#1")
    stop = [r for r in records(store.run("list", "--json")) if r["entry"] == "acme-sign#1"][0]["process_stop"]
    code, answer, _ = safe(store, "acme-sign#1")
    equal((code, answer["earliest"], answer["last_use"]), (1, stop, None), "in the window")
    code, answer, _ = safe(store, "acme-sign#1", "--now", rfc3339(instant(stop) - 1))
    equal((code, answer["earliest"]), (1, stop), "one second before")
    code, answer, _ = safe(store, "acme-sign#1", "--now", stop)
    equal((code, answer["safe"], answer["refused"]), (0, True, []), "at the instant")
    text = store.run("safe-to-remove", "acme-sign#1", "--now", stop).stdout
    check(text.startswith("YES - no message has used it\n") and "next: countersign keystore remove acme-sign#1" in text, text)


def test_silent_node_is_named_and_forgotten():
    store = Store()
    store.verifier("one", "--activate")
    store.verifier("two", "--activate")
    store.run("deactivate", "acme-sign#1")
    stop = [r for r in records(store.run("list", "--json")) if r["entry"] == "acme-sign#1"][0]["process_stop"]
    with Site(store, ["gw1"]) as site:
        site.send("gw1", made("two"), 1)
        store.refuses(12, "nodes", "forget", "gw1", says=["gw1", "alive"])
        store.refuses(64, "nodes", "forget", "gw7", says=["gw7"])
        site.gateway["gw1"].crash()
    store.change("update node set clock_at = clock_at - 61")
    node = json.loads(store.run("nodes", "--json").stdout)
    equal((node["node"], node["live"], node["behind"]), ("gw1", False, 0), "node")
    check(node["version"] and len(node["configuration"]) == 64, node)
    code, answer, _ = safe(store, "acme-sign#1", "--now", stop)
    equal((code, answer["safe"], answer["silent_nodes"], answer["refused"]), (1, False, ["gw1"], []), "silent")
    check("silent" in store.run("nodes").stdout, "table")
    store.run("nodes", "forget", "gw1", "--reason", "scrapped")
    equal(store.run("nodes", "--json").stdout, "", "nodes")
    equal(safe(store, "acme-sign#1", "--now", stop)[0], 0, "after it was forgotten")


def test_two_gateways_of_one_name_are_told_apart():
    store = Store()
    store.verifier("one", "--activate")
    with Site(store, ["a", "b"], same=True) as site:
        names = {json.loads(line)["node"] for line in store.run("nodes", "--json").stdout.splitlines()}
        equal(names, {"gw1", "gw1~2"}, "names")
        check("node-name" in site.gateway["b"].stderr() and "gw1~2" in site.gateway["b"].stderr(), site.gateway["b"].stderr())
        site.send("a", made("one"), 3)
        site.send("b", made("one"), 4)
        counted = {s["node"]: s["uses"] for s in safe(store, "acme-sign#1", "--wait", "60s")[1]["senders"]}
        equal(counted, {"gw1": 3, "gw1~2": 4}, "counted apart")
        # a change is in force on both before the command ends
        done = store.verifier("two", "--activate", "--wait", "60s")
        generation = max(r["version"] for r in records(store.run("list", "--json")))
        applied = [json.loads(line)["generation"] for line in store.run("nodes", "--json").stdout.splitlines()]
        check(all(a >= generation for a in applied), f"{applied} {generation} {done.stderr}")
    equal(store.run("nodes", "--json").stdout, "", "who ends says goodbye")


def followed(store):
    """Every node serves the newest generation, and has said so: none of them writes now."""
    lines = store.run("nodes", "--json").stdout.splitlines()
    return all(json.loads(line)["behind"] == 0 and json.loads(line)["configuration"] for line in lines)


def test_change_that_a_node_does_not_follow_is_said():
    store = Store()
    store.verifier("one", "--activate")
    with Site(store, ["gw1", "gw2"]) as site:
        until(lambda: followed(store), what="both nodes to follow")
        serving = site.gateway["gw2"].serving_pid
        until(lambda: stopped_between_writes(serving, store), what="gw2 to stand still")  # it lives by its lease, and does not follow
        try:
            late = store.verifier("two", "--activate", "--wait", "15s", check=False)  # gw1 has followed by then
            equal((late.returncode, late.stdout), (13, "acme-sign#2\n"), "late")
            check("gw2" in late.stderr and "gw1" not in late.stderr, late.stderr)
            code, _, said = safe(store, "acme-sign#1", "--wait", "500ms")
            check(code == 1 and "gw2" in said, said)
        finally:
            os.kill(serving, signal.SIGCONT)
        until(lambda: followed(store), what="gw2 to follow")


# ---- the partner's next certificate --------------------------------------------------------------------------------

def seen(store):
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as db:
        return db.execute("select partner, lower(hex(sha256)), n from seen_certificate order by 2").fetchall(), \
            db.execute("select object, sum(n) from observation where kind='unknown-successor' group by 1").fetchall()


def test_unknown_successor_is_kept_only_when_its_authority_is_stored():
    store = Store()
    authority = keys.issue(PLACE, "seen-authority", subject="CN=Partner CA", authority=True)
    stranger = keys.issue(PLACE, "seen-stranger", subject="CN=Partner CA", authority=True)
    now, following, look_alike = (keys.issue(PLACE, f"seen-{name}", issuer, subject="CN=acme signer") for name, issuer in
                                  [("now", authority), ("next", authority), ("alike", stranger)])
    store.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", now.certificate_file, "--activate")
    with Site(store, ["gw1"]) as site:
        site.send("gw1", now, 1)
        for pair in (following, look_alike):
            site.send("gw1", pair, 2, passes=False, whole=True)
        until(lambda: seen(store)[1] == [("acme", 4)], what="what was seen to be written")
        equal(seen(store)[0], [], "nobody stored the authority: only counted")
        store.run("add", "--role", "trust-anchor", "--alias", "partner-ca", authority.certificate_file, "--activate", "--wait", "60s")
        for pair in (following, look_alike):
            site.send("gw1", pair, 3, passes=False, whole=True)
        until(lambda: seen(store) == ([("acme", following.sha256, 3)], [("acme", 7)]), what="the one that the authority signed")
        until(lambda: "partner-switched" in site.gateway["gw1"].stderr() and following.sha256 in site.gateway["gw1"].stderr(), what="the word about it")
        with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as db:
            told = db.execute("select about, text from notification where kind='partner-switched'").fetchall()
        equal(told, [("acme", f"SHA-256 of the certificate: {following.sha256}")], "people are told once, and of which one")
        store.refuses(64, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", "--seen", look_alike.sha256)
        store.refuses(64, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", "--seen", following.sha256[:16])
        store.refuses(64, "add", "--role", "verifier", "--partner", "other", "--alias", "other-sign", "--seen", following.sha256)
        store.refuses(64, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", "--seen", following.sha256, "x.pem")
        done = store.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", "--seen", following.sha256,
                         "--activate", "--wait", "60s")
        equal(done.stdout, "acme-sign#2\n", "accepted")
        site.send("gw1", following, 2)


def test_unknown_successors_are_capped_per_partner():
    store = Store()
    authority = keys.issue(PLACE, "many-authority", subject="CN=Partner CA", authority=True)
    store.run("add", "--role", "trust-anchor", "--alias", "partner-ca", authority.certificate_file, "--activate")
    pairs = [keys.issue(PLACE, f"many-{i}", authority, subject="CN=acme signer") for i in range(20)]
    store.run("add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", pairs[0].certificate_file, "--activate")
    with Site(store, ["gw1"]) as site:
        for pair in pairs[1:]:
            site.send("gw1", pair, 1, passes=False, whole=True)
        until(lambda: len(seen(store)[0]) == 16, what="sixteen to be kept")
    equal(len(seen(store)[0]), 16, "no more than that")


# ---- as of another time --------------------------------------------------------------------------------------------

def test_list_shows_the_states_of_a_past_instant():
    store = Store()
    begin = instant(rfc3339(time.time())) + 10
    def at(offset, *args):
        return store.run(*args, "--now", rfc3339(begin + offset))
    at(0, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("one").certificate_file)
    at(100, "activate", "acme-sign#1")
    at(200, "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", made("two").certificate_file, "--activate")
    at(300, "deactivate", "acme-sign#1")
    at(400, "suspend", "acme-sign#1")
    at(500, "resume", "acme-sign#1")
    def states(offset, *more):
        listed = records(store.run("list", "--json", "--now", rfc3339(begin + 90 * DAY), "--as-of", rfc3339(begin + offset), *more))
        return {r["entry"]: r["state"] for r in listed}
    one, two = "acme-sign#1", "acme-sign#2"
    for offset, expected in [(-1, {}), (0, {one: "pre-active"}), (99, {one: "pre-active"}), (100, {one: "active"}),
                             (200, {one: "active", two: "active"}), (300, {one: "deactivated", two: "active"}),
                             (400, {one: "suspended", two: "active"}), (500, {one: "deactivated", two: "active"}),
                             (300 + 90 * DAY, {one: "archived", two: "active"})]:
        equal(states(offset), expected, f"at {offset}")
    equal(states(400, "--state", "suspended"), {one: "suspended"}, "filter of that time")


def test_expiring_says_who_breaks_then_and_what_to_do():
    store = Store()
    store.verifier("short", "--activate")
    store.signer("soon", "--activate")
    now = time.time()
    found = {r["entry"]: r for r in map(json.loads, store.run("expiring", "--json", check=False).stdout.splitlines())}
    equal(sorted(found), ["acme-sign#1", "own-sign#1"], "end within 30 days")
    equal(found["own-sign#1"]["next"], "countersign keystore generate --alias own-sign", "next")
    equal(store.run("expiring", check=False).returncode, 1, "exit")
    equal(store.run("expiring", "--within", "2d", check=False).returncode, 0, "not that soon")
    equal(store.run("expiring", "--at", rfc3339(now + 15 * DAY), check=False).stdout.split()[0], "own-sign#1", "only that one by then")
    store.verifier("two")
    found = {r["entry"]: r for r in map(json.loads, store.run("expiring", "--json", check=False).stdout.splitlines())}
    equal((found["acme-sign#1"]["covered_by"], found["acme-sign#1"]["next"]), (None, "countersign keystore activate acme-sign#2"), "ready")
    store.run("activate", "acme-sign#2")
    done = store.run("expiring", "--json", "--at", rfc3339(now + 100 * DAY), check=False)
    found = {r["entry"]: r for r in map(json.loads, done.stdout.splitlines())}
    equal((found["acme-sign#1"]["covered_by"], found["own-sign#1"]["covered_by"]), ("acme-sign#2", None), "covered")
    equal(done.returncode, 1, "the signer is not")
    store.refuses(64, "expiring", "--at", "2020-01-01T00:00:00Z")
    equal(json.loads(store.run("expiring", "--json", "--at", rfc3339(now + 400 * DAY), check=False).stdout.splitlines()[1])["covered_by"],
          None, "by then the other one has ended, too")


def test_expiring_knows_what_happens_by_itself_and_which_routes_break():
    store = Store()
    store.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "20")
    store.change("insert into node_uses(node_id, route, alias, partner) values('gw1', 'orders', 'ack-client', '')")
    store.change("insert into node_uses(node_id, route, alias, partner) values('gw2', 'orders', 'ack-client', '')")

    def expiring(code):
        done = store.run("expiring", "--json", check=False)
        equal(done.returncode, code, done.stdout + done.stderr)
        return {r["entry"]: r for r in map(json.loads, done.stdout.splitlines())}["ack-client#1"]
    equal(expiring(1)["routes"], ["orders"], "routes")
    check("breaks route orders" in store.run("expiring", check=False).stdout, "in words")
    store.run("auto", "ack-client", "on")
    found = expiring(0)
    check(found["renews_at"] is not None and found["next"] is None and found["covered_by"] is None, found)
    check("renews itself" in store.run("expiring").stdout, "in words")
    store.run("auto", "ack-client", "on", "--pinning", "fingerprint")
    equal(expiring(1)["renews_at"], None, "a person must activate what is made")
    store.run("auto", "ack-client", "off")
    store.run("generate", "--alias", "ack-client", "--days", "100")
    equal(expiring(1)["next"], "countersign keystore activate ack-client#2", "ready")
    store.run("activate", "ack-client#2", "--at", rfc3339(time.time() + 10 * DAY))
    found = expiring(0)
    check(found["planned_at"] is not None and found["next"] is None, found)
    store.run("activate", "ack-client#2", "--cancel")
    store.run("activate", "ack-client#2", "--at", rfc3339(time.time() + 30 * DAY))
    equal(expiring(1)["planned_at"], None, "too late")


# ---- who a client is ---------------------------------------------------------------------------------------------

def client(store, name):
    return store.run("add", "--role", "authz-client", "--alias", "senders", made(name).certificate_file, "--activate")


def test_mapping_of_certificates():
    store = Store()
    client(store, "one")
    client(store, "two")
    first = json.loads(store.run("mapping", "add", "--certificate", "senders#1", "--user", "orders-sender", "--json").stdout)
    equal((first["mapping"], first["entry"], first["user"], first["done"]), (1, "senders#1", "orders-sender", True), "added")
    store.refuses(12, "mapping", "add", "--certificate", "senders#1", "--user", "orders-sender", says=["mapping 1"])
    rehearsed = store.run("mapping", "add", "--certificate", "senders#2", "--copy-user-from", "1", "--dry-run", "--json")
    equal(json.loads(rehearsed.stdout)["done"], False, "rehearsed")
    copied = json.loads(store.run("mapping", "add", "--certificate", "senders#2", "--copy-user-from", "1", "--json").stdout)
    equal((copied["user"], copied["generation"]), ("orders-sender", json.loads(rehearsed.stdout)["generation"]), "copied user")
    equal([(r["mapping"], r["entry"]) for r in map(json.loads, store.run("mapping", "list", "--json").stdout.splitlines())],
          [(1, "senders#1"), (2, "senders#2")], "listed")
    check("any more" not in store.run("mapping", "retire", "1").stderr, "one is left")
    store.refuses(12, "mapping", "retire", "1", says=["retired"])
    check("orders-sender any more" in store.run("mapping", "retire", "2").stderr, "none is left")
    equal(store.run("mapping", "list").stdout, "", "none in force")
    equal(len(store.run("mapping", "list", "--retired").stdout.splitlines()), 2, "the records stay")
    equal(store.run("audit", "verify").returncode, 0, "audit")


def test_mapping_refuses_what_it_cannot_mean():
    store = Store()
    client(store, "one")
    store.verifier("two", "--activate")
    for exit_code, args in [
            (64, ["--certificate", "senders#7", "--user", "u"]), (64, ["--certificate", "acme-sign#1", "--user", "u"]),
            (64, ["--certificate", "senders#1"]), (64, ["--certificate", "senders#1", "--user", "u", "--copy-user-from", "1"]),
            (64, ["--certificate", "senders#1", "--user", "a\nb"]), (64, ["--certificate", "senders#1", "--user", "u" * 65]),
            (64, ["--certificate", "senders#1", "--copy-user-from", "9"]), (64, ["--route", "orders", "--subject", "CN=a"]),
            (64, ["--route", "no route", "--subject", "CN=a", "--issuer", "CN=b"]),
            (64, ["--route", "orders", "--subject", "sender", "--issuer", "CN=b"]), (64, [])]:
        store.refuses(exit_code, "mapping", "add", *args)
    store.refuses(64, "mapping", "retire", "1", says=["mapping 1"])
    store.refuses(64, "mapping", "retire", "one")


def test_mapping_of_names():
    store = Store()
    store.run("mapping", "add", "--route", "orders", "--subject", "CN=sender,O=ACME*", "--issuer", "CN=Senders CA")
    listed = json.loads(store.run("mapping", "list", "--json").stdout)
    equal((listed["route"], listed["subject"], listed["issuer"], listed["to"]), ("orders", "CN=sender,O=ACME*", "CN=Senders CA", None), "listed")
    store.refuses(12, "mapping", "add", "--route", "orders", "--subject", "CN=sender,O=ACME*", "--issuer", "CN=Senders CA")


if __name__ == "__main__":
    sys.exit(report.run("wire/keystore_evidence", report.tests_of(sys.modules[__name__])))
