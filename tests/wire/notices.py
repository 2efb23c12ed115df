#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""Notices by mail against a real mail server: which mails come when, to whom, what they say; servers that refuse, hang
or are down; a sender that is killed at any moment."""
import collections
import hmac
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys

import admin
import keys
import product
import report
import wire
from mailbox_server import Mailbox
from report import check, equal
from stores import DAY, Store, instant, records, rfc3339

EXPIRATION = "Outbound Certificate Expiration. SAP CPI System: Tenant One"


class Noticed:
    """A store with own certificate ack-client that ends in a hundred days, and a configuration that mails to url."""

    def __init__(self, url, *people, mail="", after="", timeout="30s"):
        self.store = Store()
        self.conf = os.path.join(product.new_directory(), "countersign.conf")
        self.way(url, mail, after, timeout)
        self.run("generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256", "--days", "100",
                 "--system-type", "SAP CPI", "--system-name", "Tenant One")
        self.record = records(self.store.run("show", "ack-client#1", "--json"))[0]
        self.end = int(instant(self.record["not_after"]))
        for person in people:
            self.subscribe(person)

    def way(self, url, mail="", after="", timeout="30s"):
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{self.store.path}";\n{after}'
                      f'mail {{ server "{url}"; from "gateway@example.com"; timeout {timeout}; {mail} }}\n')

    def run(self, *args, check=True, at=None):
        when = ["--now", rfc3339(at)] if at is not None else []
        return product.countersign("-c", self.conf, *when, "keystore", *args, check=check)

    def subscribe(self, address, name="Anna Berg"):
        return self.run("subscribe", "ack-client", "--name", name, "--mail", address)

    def tick(self, at):
        return self.run("tick", at=at)

    def states(self):
        import sqlite3
        with sqlite3.connect(f"file:{self.store.path}?mode=ro", uri=True) as db:
            return dict(db.execute("select mail || ' ' || dedup_key, state from delivery where mail <> ''"))


def subjects(box):
    return [(to[0], message["Subject"]) for to, message in box.mails]


def test_mails_come_at_30_14_and_3_days_exactly():
    with Mailbox() as box:
        n = Noticed(box.url, "anna@example.com")
        n.subscribe("ops@example.com", "Operations")
        for days in (30, 14, 3):
            box.mails.clear()
            n.tick(n.end - days * DAY - 1)
            equal(subjects(box), [], f"one second before {days} days")
            n.tick(n.end - days * DAY)
            equal(sorted(subjects(box)), [("anna@example.com", EXPIRATION), ("ops@example.com", EXPIRATION)], f"at {days} days")
            n.tick(n.end - days * DAY)
            n.tick(n.end - days * DAY + 3600)
            equal(len(box.mails), 2, "told once")
            body = box.mails[0][1].get_body().get_content()
            for said in (f"ends in {days} days", "ack-client#1", n.record["sha256"], n.record["serial"], "Subject:     CN=acme",
                         n.record["not_after"], "countersign keystore generate --alias ack-client", "keystore unsubscribe ack-client --mail"):
                check(said in body, f"the mail lacks {said!r}: {body}")
            equal(len({message["Message-ID"] for _, message in box.mails}), 2, "ids")
            equal(box.mails[0][1]["List-Unsubscribe"], None, "a link that nobody serves")
            equal(box.mails[0][1]["From"], "countersign <gateway@example.com>", "sender")


def test_a_gap_tells_the_nearest_with_the_true_days():
    with Mailbox() as box:
        n = Noticed(box.url, "anna@example.com")
        n.tick(n.end - 5 * DAY)
        equal(subjects(box), [("anna@example.com", EXPIRATION)], "mails")
        check("ends in 5 days" in box.mails[0][1].get_body().get_content(), "days left")


def test_who_unsubscribed_gets_none():
    with Mailbox() as box:
        n = Noticed(box.url, "anna@example.com", "ben@example.com")
        n.run("unsubscribe", "ack-client", "--mail", "ben@example.com")
        equal([r["mail"] for r in map(json.loads, n.run("subscribers", "ack-client", "--json").stdout.splitlines())],
              ["anna@example.com"], "subscribers")
        n.tick(n.end - 30 * DAY)
        equal(subjects(box), [("anna@example.com", EXPIRATION)], "mails")
        equal(n.run("audit", "verify").returncode, 0, "audit")


def test_refusals_touch_only_their_own_letter():
    with Mailbox() as box:
        n = Noticed(box.url, "anna@example.com", "later@example.com", "never@example.com", "zoe@example.com")
        begin = n.end - 30 * DAY
        n.tick(begin)
        equal(sorted(to for to, _ in subjects(box)), ["anna@example.com", "zoe@example.com"], "who was reached")
        states = {key.split()[0]: state for key, state in n.states().items()}
        equal(states, {"anna@example.com": "sent", "zoe@example.com": "sent", "later@example.com": "queued", "never@example.com": "failed"},
              "states")
        box.refused.clear()
        n.tick(begin + 59)
        equal(box.refused, [], "before a minute is over")
        n.tick(begin + 60)
        equal(box.refused, ["later@example.com"], "after a minute")
        n.tick(begin + 179)
        equal(len(box.refused), 1, "the wait doubles")
        n.tick(begin + 180)
        equal(len(box.refused), 2, "the wait doubles")
        equal(len(box.mails), 2, "the others")


def test_a_server_that_is_down_or_hangs_delays_and_loses_nothing():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        n = Noticed(f"smtp://127.0.0.1:{mute.getsockname()[1]}", "anna@example.com", timeout="2s")
        begin = n.end - 30 * DAY
        hung = n.tick(begin)
        check("1 notice not sent" in hung.stderr, hung.stderr)
    down = n.tick(begin + 60)
    check("1 notice not sent" in down.stderr, down.stderr)
    with Mailbox() as box:
        n.way(box.url)
        n.tick(begin + 60 + 120)
        equal(subjects(box), [("anna@example.com", EXPIRATION)], "mails")


def test_tls_and_login():
    place = product.new_directory()
    authority = keys.issue(place, "mail-ca", authority=True)
    server = keys.issue(place, "mail-server", issuer=authority, hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    password = os.path.join(place, "password")
    with open(password, "w", encoding="utf-8") as out:
        out.write("open sesame\n")
    login = f'user "gateway"; password file "{password}"; ca-file "{authority.certificate_file}";'
    with Mailbox(tls=context, user=("gateway", "open sesame")) as box:
        n = Noticed(box.url, mail=login)
        n.run("test-mail", "anna@example.com")
        equal((subjects(box)[0][0], box.logins[-1]), ("anna@example.com", ("gateway", "open sesame")), "test mail")
        n.way(box.url, f'user "gateway"; password file "{password}";')
        equal(n.run("test-mail", "anna@example.com", check=False).returncode, 69, "authority unknown")
        with open(password, "w", encoding="utf-8") as out:
            out.write("wrong\n")
        n.way(box.url, login)
        refused = n.run("test-mail", "anna@example.com", check=False)
        equal(refused.returncode, 69, "wrong password")
        check("sesame" not in refused.stderr and "wrong" not in refused.stderr, refused.stderr)
    with Mailbox() as box:
        n.way(box.url, "starttls required;")
        equal(n.run("test-mail", "anna@example.com", check=False).returncode, 69, "no TLS")
        n.way(box.url)
        n.run("test-mail", "anna@example.com")
        equal(len(box.mails), 1, "opportunistic")


def test_nothing_stored_adds_a_header():
    with Mailbox() as box:
        n = Noticed(box.url)
        for args in (["--name", "Anna\nBcc: eve@example.com", "--mail", "anna@example.com"],
                     ["--name", "Anna", "--mail", "anna@example.com\r\nBcc: eve@example.com"],
                     ["--name", "Anna", "--mail", "anna@example.com>, <eve@example.com"]):
            equal(n.run("subscribe", "ack-client", *args, check=False).returncode, 64, repr(args))
        for option in ("--system-type", "--system-name"):
            equal(n.run("generate", "--alias", "ack-client", option, "x\nBcc: eve@example.com", check=False).returncode, 64, option)
        n.subscribe("joerg@example.com", 'Jörg "Jo" Müller-Lüdenscheidt von der ganz langen Abteilung für Zertifikate')
        n.store.change("insert into subscriber(slot_id,name,mail,kind,added_at,actor) select slot_id, ?, 'x@example.com', 'other', 0, 'eve' "
                       "from slot where alias='ack-client'", "Eve\r\nBcc: eve@example.com")
        n.tick(n.end - 30 * DAY)
        equal([to for to, _ in subjects(box)], ["joerg@example.com"], "who was reached")
        header = str(box.mails[0][1]["To"])
        check("Müller-Lüdenscheidt" in header and header.endswith("<joerg@example.com>"), header)


def test_a_running_gateway_sends_by_itself_from_within_its_sandbox():
    with Mailbox() as box:
        store = Store()
        store.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "20")
        store.run("subscribe", "ack-client", "--name", "Anna", "--mail", "anna@example.com")
        url = box.url.replace("127.0.0.1", "localhost")
        with product.Gateway(product.new_directory(), store, 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; }',
                             extra=f'mail {{ server "{url}"; from "gateway@example.com"; }}'):
            report.until(lambda: box.mails, what="the mail has come")
        equal(subjects(box), [("anna@example.com", "Outbound Certificate Expiration. tls-client System: ack-client")], "mails")


class Hook:
    """A program that is told: it keeps what it gets, and answers as wanted."""

    def __init__(self, tls=None, answer=200):
        self.got = []
        self.answer = answer
        self.upstream = wire.Upstream(self.take, close=True, tls=tls)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.upstream.stop()

    def take(self, request):
        self.got.append((*map(request.fields.get, ("idempotency-key", "countersign-signature")), request.body, request.fields["content-type"]))
        return wire.reply_octets(b"as you say", status=f"{self.answer} as you say")

    def block(self, secret, more=""):
        return f'webhook {{ url "{self.upstream.url}"; secret file "{secret}"; timeout 30s; {more} }}\n'


def secret_file():
    path = os.path.join(product.new_directory(), "secret")
    with open(path, "w", encoding="utf-8") as out:
        out.write("hook secret\n")
    return path


def signed(signature, body):
    at, mac = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", signature).groups()
    return mac == hmac.new(b"hook secret", at.encode() + b"." + body, "sha256").hexdigest()


def test_a_webhook_is_told_once_signed_and_under_one_key():
    secret = secret_file()
    with Mailbox() as box, Hook() as hook:
        n = Noticed(box.url, "anna@example.com", after=hook.block(secret))
        at = n.end - 30 * DAY
        hook.answer = 503
        n.tick(at)
        n.tick(at + 59)
        equal((len(hook.got), len(box.mails)), (1, 1), "not taken: asked again after a minute; mail is not held up")
        hook.answer = 200
        n.tick(at + 60)
        n.tick(at + 600)
        equal(len(hook.got), 2, "told")
        equal(len({key for key, *_ in hook.got}), 1, "keys")
        key, signature, body, kind = hook.got[-1]
        check(signed(signature, body) and not signed(signature, body + b" "), "signature")
        told = json.loads(body)
        equal((told["id"], told["kind"], told["subject"], told["occasion"], kind), (key, "expiration", EXPIRATION, 30, "application/json"), "told")
        equal((told["certificate"]["entry"], told["certificate"]["sha256"], told["certificate"]["days_left"]),
              ("ack-client#1", n.record["sha256"], 29), "certificate")
        hook.answer = 422
        n.tick(n.end - 14 * DAY)
        n.tick(n.end - 14 * DAY + 3600)
        equal(len(hook.got), 3, "refused for good")


def test_a_webhook_that_comes_later_is_not_flooded_and_one_that_is_down_stops_no_mail():
    secret = secret_file()
    with Mailbox() as box, Hook() as hook:
        n = Noticed(box.url, "anna@example.com")
        n.tick(n.end - 30 * DAY)
        n.way(box.url, after=hook.block(secret))
        n.tick(n.end - 20 * DAY)
        equal(hook.got, [], "old facts are no news")
        n.way(box.url, after='webhook { url "http://127.0.0.1:9/"; secret file "%s"; timeout 2s; }\n' % secret)
        n.tick(n.end - 14 * DAY)
        equal(len(box.mails), 2, "mails")
        n.way(box.url, after=hook.block(os.path.join(product.new_directory(), "not-there")))
        done = n.tick(n.end - 14 * DAY + 120)
        check("cannot be read" in done.stderr and hook.got == [], done.stderr)
    for url in ("http://ops.example/", "ftp://127.0.0.1/", "https://", "https://a@b/", "http://127.0.0.1.example/"):
        n.way("smtp://127.0.0.1:1", after=f'webhook {{ url "{url}"; secret file "{secret}"; }}\n')
        done = n.run("list", check=False)
        equal((done.returncode, "no address for a webhook" in done.stderr), (78, True), done.stderr)


def test_a_webhook_under_tls_is_told_by_a_running_gateway():
    place = product.new_directory()
    authority = keys.issue(place, "hook-ca", authority=True)
    server = keys.issue(place, "hook-server", issuer=authority, hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    http = f"127.0.0.1:{wire.unused_port()}"
    with Hook(tls=context) as hook:
        store = Store()
        store.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "20")
        block = hook.block(secret_file(), f'ca-file "{authority.certificate_file}";')
        with product.Gateway(product.new_directory(), store, 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; }',
                             extra=f"admin {{ http {http}; }}\n{block}"):
            told = lambda: {t["kind"]: t for t in (json.loads(body) for _, _, body, _ in hook.got)}
            report.until(lambda: {"expiration", "audit-checkpoint"} <= set(told()), what="the webhook is told")
            counted = lambda **labels: admin.value(admin.metrics(http), "countersign_notices_total", **labels)
            report.until(lambda: counted(result="sent") == len(hook.got) == 2, what="count")
            equal(admin.value(admin.metrics(http), "countersign_notices_unreached"), 0, "a program was reached")
        check(all(signed(signature, body) for _, signature, body, _ in hook.got), "signatures")
        equal(told()["expiration"]["subject"], "Outbound Certificate Expiration. tls-client System: ack-client", "subject")
        line = told()["audit-checkpoint"]["text"]
        check(store.run("audit", "verify", "--from", line).stdout.startswith("ok"), f"the checkpoint that was told: {line}")


def test_a_gateway_tells_that_a_notice_reaches_nobody():
    http = f"127.0.0.1:{wire.unused_port()}"
    place = product.new_directory()
    path = os.path.join(place, "admin.sock")
    store = Store()
    store.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "20")
    with product.Gateway(place, store, 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; }',
                         extra=f'admin {{ socket "{path}"; http {http}; }}\n') as gateway:
        report.until(lambda: admin.value(admin.metrics(http), "countersign_notices_unreached") == 1, what="metric")
        equal(admin.ask(path, "status")["notices"], {"sent": 0, "failed": 0, "waiting": 0, "unreached": 1}, "status")
        check("NOBODY IS TOLD" in product.countersign("-c", gateway.conf_file, "status").stdout, "status for people")
        report.until(lambda: "notice-undeliverable" in gateway.stderr(), what="the line in the log")


def test_a_fact_that_reaches_nobody_is_told():
    n = Noticed("smtp://127.0.0.1:1")
    check("notice-undeliverable" not in n.run("list").stderr, "nothing is due yet")
    n.tick(n.end - 30 * DAY)
    check("notice-undeliverable: ack-client#1" in n.run("list").stderr, "alert")


def ticked_or_killed(n, box, at, mails, pause):
    """Send, and be killed a pause after the server took so many mails. @return whether it was; else all was sent before."""
    taken = len(box.mails) + mails
    child = subprocess.Popen([product.COUNTERSIGN, "-q", "-c", n.conf, "--now", rfc3339(at), "keystore", "tick"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    report.until(lambda: len(box.mails) >= taken or child.poll() is not None, what="mails, or the end")
    try:
        child.wait(timeout=pause)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    return child.wait() != 0


def test_50_kills_while_mails_are_sent_lose_none_and_none_has_two_ids():
    people = [f"p{i}@example.com" for i in range(24)]
    with Mailbox(slow_s=0.01) as box:
        n = Noticed(box.url, *people)
        random.seed(os.environ.get("NOTICE_SEED", "7"))
        kills = 0
        for days, wanted in ((30, 17), (14, 34), (3, 50)):
            at = n.end - days * DAY
            while kills < wanted:
                kills += ticked_or_killed(n, box, at, random.randint(0, 1), random.uniform(0.0, 0.04))
                at += 400  # the lease of what was under way is over
            n.tick(at)
            equal(set(n.states().values()), {"sent"}, f"after {kills} kills, at {days} days")
        equal({subject for _, subject in subjects(box)}, {EXPIRATION}, "subjects")
        ids = collections.defaultdict(set)
        for to, message in box.mails:
            ids[message["Message-ID"]].add(to)
        check(all(len(to) == 1 for to in ids.values()), "an id went to two people")
        for person in people:
            got = {m["Message-ID"]: m.get_body().get_content() for to, m in box.mails if to == (person,)}
            told = sorted(int(re.search(r"ends in (\d+) days", body).group(1)) for body in got.values())
            check(len(told) == 3 and all(days - 1 <= said <= days for said, days in zip(told, (3, 14, 30))), f"{person} was told at {told}")
        twice = len(box.mails) - len(ids)
        print(f"# {kills} kills, {len(ids)} mails, {twice} of them came a second time with the same id")
        check(twice <= kills, f"{len(box.mails)} mails with {len(ids)} ids after {kills} kills")


if __name__ == "__main__":
    report.run("notices", report.tests_of(sys.modules[__name__]))
