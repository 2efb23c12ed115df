#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mails that somebody sends who has no gateway (keystore tick): links in them, the one click that ends them, reminders of
steps; and how people come on the list of a certificate and leave it."""
import json
import os
import pwd
import re
import sys
import time
import urllib.error
import urllib.request

import keys
import product
import report
import wire
from mailbox_server import Mailbox
from report import check, equal, until
from stores import DAY, Store, instant, rfc3339

NOW = int(time.time())
ROUTE = 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; }'
BEN = "ben@acme.example"


class Office:
    """A store and a configuration that mails to box and has links; port is where a gateway would answer them."""

    def __init__(self, box, more=""):
        self.store = Store()
        self.port = wire.unused_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.extra = (f'mail {{ server "{box.url}"; from "gateway@example.com"; timeout 30s; }}\n'
                      f'admin {{ http 127.0.0.1:{self.port}; links "{self.base}"; }}\n{more}')
        self.conf = os.path.join(product.new_directory(), "countersign.conf")
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{self.store.path}";\n{self.extra}')
        self.box = box

    def command(self, *args, at=None, exits=0, says=None):
        when = ["--now", rfc3339(at)] if at is not None else []
        done = product.countersign("-c", self.conf, *when, *args, check=False)
        equal(done.returncode, exits, f"exit of {' '.join(args)}: {done.stderr or done.stdout}")
        check(says is None or says in done.stderr, f"{says!r} is not said by {' '.join(args)}: {done.stderr}")
        return done

    def generate(self, alias="ack-client", at=None, days=100):
        self.command("keystore", "generate", "--role", "tls-client", "--alias", alias, "--key", "ec:P-256", "--days", str(days), at=at)

    def told(self, alias="ack-client"):
        lines = self.command("keystore", "subscribers", alias, "--json").stdout.splitlines()
        return [(r["mail"], r["name"], r["kind"]) for r in map(json.loads, lines)]

    def take(self, address=None):
        """Mails to an address that came since, and no longer."""
        mails = [m for to, m in self.box.mails if address is None or to == (address,)]
        self.box.mails.clear()
        return mails

    def tick(self, at):
        self.command("keystore", "tick", at=at)


def ask(url, body=None):
    """A form is posted, or the page looked at."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=report.PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def text(mail):
    return mail.get_body().get_content()


def test_one_click_ends_the_mails_about_a_certificate_for_one_address():
    with Mailbox() as box:
        office = Office(box)
        office.generate(days=20)
        for name in ("anna", "ben"):
            office.command("keystore", "subscribe", "ack-client", "--name", name, "--mail", f"{name}@example.com")
        office.command("keystore", "tick")
        mails = {mail["To"].addresses[0].username: mail for mail in office.take()}
        equal(sorted(mails), ["anna", "ben"], "who got one")
        link = re.fullmatch(r"<(.*)>", mails["anna"]["List-Unsubscribe"]).group(1)
        check(re.fullmatch(re.escape(office.base) + "/notices/unsubscribe/[0-9a-f]{32}", link), link)
        equal(mails["anna"]["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click", "RFC 8058")
        check(link in text(mails["anna"]), "people find it, too")
        check(mails["ben"]["List-Unsubscribe"] != mails["anna"]["List-Unsubscribe"], "each has its own")
        token = link[-32:]
        with product.Gateway(product.new_directory(), office.store, ROUTE, office.extra) as gateway:
            status, page = ask(link)
            equal((status, "<form" in page, token in page), (200, True, False), page)
            check("anna@example.com gets mails about the certificate ack-client" in page, page)
            equal(len(office.told()), 2, "a look ends nothing")
            for _ in range(2):  # mail programs try again
                status, page = ask(link, b"List-Unsubscribe=One-Click")
                equal(status, 200, page)
                check("anna@example.com gets no more mails" in page and "<form" not in page, page)
                equal([mail for mail, *_ in office.told()], ["ben@example.com"], "who is told")
            equal(ask(link[:-32] + "0" * 32, b"List-Unsubscribe=One-Click")[0], 404, "a token that is none")
            equal(ask(link.replace("notices/unsubscribe", "rollover/confirm"), b"")[0], 404, "for this alone")
            check(token not in gateway.stderr(), "the log holds the token")
        rows = office.command("keystore", "audit", "list", "--json").stdout
        check('"link"' in rows and token not in rows, "the audit tells of the link, not of its token")
        with open(office.store.path, "rb") as store:
            check(token.encode() not in store.read(), "the store holds the token")
        check(office.command("keystore", "audit", "verify").stdout.startswith("ok"), "audit")


def test_whoever_has_a_step_to_do_is_reminded_with_a_fresh_link():
    with Mailbox() as box:
        office = Office(box, f'partner acme {{ contact receiver-admin "Ben" "{BEN}"; }}\n')
        pair = keys.issue(product.new_directory(), "old", days=(-10, 400))
        office.command("keystore", "add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", pair.certificate_file, "--activate", at=NOW)
        office.command("rollover", "start", "verifier", "--alias", "acme-sign", at=NOW)
        record = json.loads(office.command("keystore", "show", "acme-sign#1", "--json", at=NOW).stdout)
        end = int(instant(record["not_after"]))
        office.tick(NOW)
        first, = office.take(BEN)
        check("Reminder" not in first["Subject"], first["Subject"])
        links = {re.search(r"/rollover/confirm/[0-9a-f]{32}", text(first)).group(0)}
        for days in (30, 14, 3):
            office.tick(end - days * DAY - 1)
            equal(office.take(BEN), [], f"one second before {days} days")
            for at in (0, 60, 3600):
                office.tick(end - days * DAY + at)
            again, = office.take(BEN)
            equal(again["Subject"], "Reminder: " + first["Subject"], "subject")
            check(f"Time left: {days} days; the old certificate ends {record['not_after']}" in text(again), text(again))
            links.add(re.search(r"/rollover/confirm/[0-9a-f]{32}", text(again)).group(0))
        equal(len(links), 4, "each mail has a link of its own")


def test_an_agreed_instant_is_reminded_of_a_week_a_day_and_an_hour_before():
    with Mailbox() as box:
        office = Office(box, f'partner acme {{ contact sender-admin "Ben" "{BEN}"; }}\n')
        begin = NOW + 20 * DAY
        office.command("keystore", "generate", "--role", "tls-server", "--alias", "gw-server", "--key", "ec:P-256", at=NOW)
        office.command("rollover", "start", "tls-server", "--alias", "gw-server", "--partner", "acme", "--window", rfc3339(begin), rfc3339(begin + 3600), at=NOW)
        for _ in range(2):  # a new key, the instant of its activation
            office.command("rollover", "next", "R-1", at=NOW)
        for _ in range(2):  # the sender is told; then it is the turn of the sender
            office.tick(NOW)
        equal(len(office.take(BEN)), 2, "told of the instant, and asked for the root")
        office.tick(begin - 7 * DAY - 1)
        equal(office.take(BEN), [], "a second before a week")
        for before, left in ((7 * DAY, "7 days"), (DAY, "1 day"), (3600, "1 hour")):
            office.tick(begin - before)
            office.tick(begin - before + 1)
            mail, = office.take(BEN)
            check(f"Time left: {left}; the agreed instant is {rfc3339(begin)}" in text(mail), text(mail))
        office.tick(begin - 1)
        equal(office.take(BEN), [], "no more")


def test_people_come_on_the_list_and_leave_it_as_a_newcomer_would_try():
    me = pwd.getpwuid(os.getuid()).pw_name
    with Mailbox() as box:
        nobody = Office(box)
        nobody.generate()
        nobody.command("keystore", "subscribe", "ack-client", "--me", exits=64, says=f"operator NAME {{ uid {me};")
        office = Office(box, f'operator anna {{ uid {me}; name "Anna Berg"; mail "anna@example.com"; roles tenant-admin; }}\n')
        office.generate()
        office.command("keystore", "subscribe", "ack-client", "--me", says="anna@example.com is told about ack-client")
        office.command("keystore", "subscribe", "ack-client", "--name", "Jörg Müller", "--mail", "joerg@example.com")
        office.command("keystore", "subscribe", "ack-client", "--group", "--name", "Operations", "--mail", "ops@example.com")
        equal(office.told(), [("anna@example.com", "Anna Berg", "me"), ("joerg@example.com", "Jörg Müller", "other"),
                              ("ops@example.com", "Operations", "group")], "who is told")
        office.command("keystore", "subscribe", "ack-client", "--me", exits=12, says="told about ack-client already")
        for wrong, says in ((["--name", "Jo"], "both --name NAME and --mail ADDRESS"), (["--mail", "jo@example.com"], "both --name NAME and --mail ADDRESS"),
                            (["--me", "--name", "Jo"], "--me stands alone"), ([], "--me, or both"),
                            (["--group", "--mail", "ops2@example.com"], "both --name NAME"), (["--name", "Jo", "--mail", "no address"], "not an address")):
            office.command("keystore", "subscribe", "ack-client", *wrong, exits=64, says=says)
        office.command("keystore", "subscribe", "ack-cleint", "--me", exits=64, says="did you mean ack-client?")
        office.command("keystore", "unsubscribe", "ack-client", "--mail", "eve@example.com", exits=64, says="countersign keystore subscribers ack-client")
        office.command("keystore", "subscribe", "ack-client", "--name", "Jo", "--mail", "jo@example.com", "--dry-run", says="dry run")
        office.command("keystore", "unsubscribe", "ack-client", "--me", says="anna@example.com is no longer told")
        office.command("keystore", "unsubscribe", "ack-client", "--mail", "JOERG@example.com")
        equal([mail for mail, *_ in office.told()], ["ops@example.com"], "who is left")
        office.command("keystore", "test-mail", "ops@example.com", says="took the mail for ops@example.com")
        mail, = office.take("ops@example.com")
        equal(mail["List-Unsubscribe"], None, "a test mail is about no certificate")
        check(office.command("keystore", "audit", "verify").stdout.startswith("ok"), "audit")


def test_an_hour_s_growth_of_the_audit_reaches_the_auditor():
    with Mailbox() as box:
        office = Office(box, 'operator ada { mail "ada@example.com"; roles auditor; }\n')
        office.generate()
        office.command("keystore", "tick")
        office.command("keystore", "tick")
        until(lambda: box.mails, what="the mail")
        mail, = office.take("ada@example.com")
        check(mail["Subject"].startswith("Audit Checkpoint. row "), mail["Subject"])
        line = re.search(r"^cs-checkpoint-1 .*$", text(mail), re.M).group(0)
        check(office.command("keystore", "audit", "verify", "--from", line).stdout.startswith("ok"), "the line of the mail fits")


if __name__ == "__main__":
    report.run("notice-links", report.tests_of(sys.modules[__name__]))
