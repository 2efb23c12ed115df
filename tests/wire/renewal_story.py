#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""A year's end of own client certificates with the clock of the machine moved: a gateway that is running, with traffic,
succeeds them in time and tells people, at 30, 14 and 3 days and on renewal; nothing is lost, nobody lends a hand."""
import contextlib
import hashlib
import json
import os
import ssl
import sys
import time

import faketime
import keys
import load
import product
import report
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from mailbox_server import Mailbox
from report import check, equal, until
from stores import DAY, Store, instant

ROUTE = 'route {name} {{ listener front; path "/{name}"; upstream "{url}" {{ anchors receivers; client-certificate {name}; }} }}\n'
EXPIRATION = "Outbound Certificate Expiration. Target System: {}"
RENEWED = "Outbound Certificate Renewed. Target System: {}"
NO_CHECK_TIME = 0x200000  # of X509_V_FLAG: the receiver of this test stays in the present
LASTS = 100


class Office:
    """A keystore with own client certificates that end in a hundred days, and a receiver that wants one of them by name
    and issuer."""

    def __init__(self, box, *aliases):
        self.place = product.new_directory()
        self.store = Store()
        self.box = box
        self.aliases = aliases
        self.begin = time.time()
        for alias in aliases:
            self.store.run("generate", "--role", "tls-client", "--alias", alias, "--subject", f"CN={alias}", "--key", "ec:P-256",
                           "--days", str(LASTS), "--system-type", "Target", "--system-name", alias)
            self.store.run("subscribe", alias, "--name", "Anna Berg", "--mail", f"anna+{alias}@example.com")
        self.end = {alias: instant(self.record(f"{alias}#1")["not_after"]) for alias in aliases}
        authority = keys.issue(self.place, "receivers", authority=True, subject="CN=Receivers CA", days=(-1, 900))
        server = keys.issue(self.place, "server", issuer=authority, hosts=("127.0.0.1",), days=(-1, 900))
        self.store.run("add", "--role", "trust-anchor", "--alias", "receivers", authority.certificate_file, "--activate")
        root = os.path.join(self.place, "own-ca.pem")
        self.store.run("export", f"{aliases[0]}#1", "--root", "-o", root)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate_file, server.key_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= NO_CHECK_TIME
        context.load_verify_locations(root)
        self.upstream = wire.Upstream(wire.reply_octets(b"<ok/>"), tls=context)
        self.answered = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.upstream.stop()

    def record(self, entry):
        return json.loads(self.store.run("show", entry, "--json").stdout)

    def states(self, alias):
        listed = map(json.loads, self.store.run("list", "--json", "--role", "tls-client").stdout.splitlines())
        return {r["entry"].split("#")[1]: r["state"] for r in listed if r["alias"] == alias}

    def lists(self, alias, old, new):
        """`keystore list` shows both: one name, one authority, told apart by fingerprint, exactly one of them active."""
        with faketime.ahead(round(self.end[alias] - 12 * DAY - time.time())):
            shown = self.store.run("list", "--role", "tls-client").stdout
        print("".join(f"# {line}\n" for line in shown.splitlines()), end="")
        lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith(f"{alias}#")}
        equal({entry: line.split()[3] for entry, line in lines.items()}, {f"{alias}#1": "deactivated", f"{alias}#2": "active"}, "states")
        equal((old["subject"], old["issuer"]), (new["subject"], new["issuer"]), "name and authority")
        check(old["sha256"] != new["sha256"] and old["spki_sha256"] != new["spki_sha256"], "told apart by fingerprint; a new key")
        for record in (old, new):
            line = lines[record["entry"]]
            check(record["sha256"][:8] in line and record["not_after"][:10] in line, f"fingerprint and end in {line}")
        check("ended" in lines[f"{alias}#1"], f"who is accepted: {shown}")

    def regenerates(self, alias):
        """When the successor is due."""
        return instant(json.loads(self.store.run("auto", alias, "on", "--dry-run", "--json").stdout)["regenerates"])

    def subjects(self, alias):
        """What the subscriber of a slot got, in order."""
        return [message["Subject"] for to, message in self.box.mails if to == (f"anna+{alias}@example.com",)]

    @contextlib.contextmanager
    def running(self, at):
        """A gateway at that instant, with traffic on all routes of which every request must come out well."""
        routes = "".join(ROUTE.format(name=alias, url=self.upstream.url) for alias in self.aliases)
        mail = f'mail {{ server "{self.box.url}"; from "gateway@example.com"; }}\n'
        place = os.path.join(self.place, f"gateway-{at:.0f}")
        os.mkdir(place)
        with faketime.ahead(round(at - time.time())):
            self.store.run("clock", "accept", check=False)
            with contextlib.ExitStack() as stack:
                gateway = stack.enter_context(product.Gateway(place, self.store, routes, mail))
                flows = [stack.enter_context(load.Load(gateway.address, 2, 20, f"/{alias}", good=lambda reply: reply.status == 200))
                         for alias in self.aliases]
                for flow in flows:
                    flow.wait_for(5)
                yield gateway
                for flow in flows:
                    flow.wait_for(10)
                    flow.stop()
                    equal(flow.troubles, [], "requests that were lost")
                    self.answered += flow.answered

    def presented(self):
        """Fingerprints of client certificates, as the receiver saw them one after the other."""
        return [hashlib.sha256(r.certificate).hexdigest() for r in self.upstream.requests]


def test_at_14_days_one_is_regenerated_and_active_without_a_hand_another_warned_of_at_30_14_and_3():
    with Mailbox() as box, Office(box, "renewing", "manual") as office:
        office.store.run("auto", "renewing", "on")
        print("# renewing: auto on; manual: auto off; both end", office.record("manual#1")["not_after"])
        with office.running(office.end["manual"] - 30 * DAY - 5):
            until(lambda: office.subjects("manual"), what="the mail at 30 days")
        print("# at 30 days:", [m["Subject"] for _, m in box.mails])
        equal((office.subjects("manual"), office.subjects("renewing")), ([EXPIRATION.format("manual")], []), "mails at 30 days")

        due = office.regenerates("renewing")
        check(office.end["renewing"] - 14 * DAY <= due <= office.end["renewing"] - 12.6 * DAY, "within 14 days prior to its expiration")
        old = office.record("renewing#1")
        seen = len(office.upstream.requests)
        with office.running(due - 8):
            until(lambda: office.states("renewing") == {"1": "deactivated", "2": "active"}, what="the successor in use")
            until(lambda: office.subjects("renewing") and len(office.subjects("manual")) == 2, what="the mails")
        new = office.record("renewing#2")
        print("# renewed:", old["sha256"][:12], "→", new["sha256"][:12], "with", office.answered, "requests answered, 0 lost")
        presented = [s for s in office.presented()[seen:] if s in (old["sha256"], new["sha256"])]
        equal(presented[-1], new["sha256"], "what is presented at the end")
        print("# presented: the old one", presented.count(old["sha256"]), "times, then the new one", presented.count(new["sha256"]), "times")
        equal(office.subjects("renewing"), [RENEWED.format("renewing")], "mail on renewal")
        letter = [m for to, m in box.mails if m["Subject"].startswith("Outbound Certificate Renewed")][0]
        attached = x509.load_pem_x509_certificate(next(letter.iter_attachments()).get_content())
        equal(attached.fingerprint(hashes.SHA256()).hex(), new["sha256"], "the certificate that is attached")
        check("renewing#1, which is deactivated" in letter.get_body().get_content(), letter.get_body().get_content())
        office.lists("renewing", old, new)

        with office.running(office.end["manual"] - 3 * DAY - 5):
            until(lambda: len(office.subjects("manual")) == 3, what="the mail at 3 days")
        equal(office.subjects("manual"), [EXPIRATION.format("manual")] * 3, "mails at 30, 14 and 3 days")
        equal(office.subjects("renewing"), [RENEWED.format("renewing")], "mails about the renewed one")
        equal(len({m["Message-ID"] for _, m in box.mails}), 4, "mails in all, each once")
        letters = [m.get_body().get_content() for to, m in box.mails if "manual" in to[0]]
        check("in 30 days" in letters[0] and "in 3 days" in letters[2], f"days left: {letters}")
        equal(office.store.run("audit", "verify").returncode, 0, "audit")


def test_expired_beside_a_second_and_pinned_by_fingerprint():
    with Mailbox() as box, Office(box, "expired", "pinned") as office:
        with faketime.day(1):
            office.store.run("generate", "--alias", "expired", "--days", "300")
        with office.running(office.end["expired"] + DAY):
            until(lambda: office.subjects("expired") and office.subjects("pinned"), what="the mails on expiry")
            equal(office.states("expired"), {"1": "active", "2": "pre-active"}, "off: nothing is done")
            office.store.run("auto", "pinned", "on", "--pinning", "fingerprint")
            office.store.run("auto", "expired", "on")
            until(lambda: office.states("expired") == {"1": "deactivated", "3": "active"}, what="1 new and active, 2 expired inactive, 3 second deleted")
            until(lambda: office.states("pinned") == {"1": "active", "2": "pre-active"}, what="made, not activated")
            until(lambda: len(box.mails) == 4, what="mails")
            equal(office.subjects("expired")[1:], [RENEWED.format("expired")], "mail on renewal")
            equal(office.subjects("pinned")[1:], [RENEWED.format("pinned")], "mail to whom the new one must be given")
            letter = [m for to, m in box.mails if "pinned" in to[0]][1]
            check("not in use yet" in letter.get_body().get_content(), letter.get_body().get_content())
            equal(office.states("pinned"), {"1": "active", "2": "pre-active"}, "it waits for a hand")
            office.store.run("activate", "pinned#2", "--wait", "60s")
            until(lambda: len(box.mails) == 5, what="the mail on activation")
        equal(office.subjects("pinned")[2:], ["Outbound Certificate Activated. Target System: pinned"], "mail on activation")
        equal(office.states("pinned"), {"1": "deactivated", "2": "active"}, "by a hand")
        print("#", office.answered, "requests answered, 0 lost")


if __name__ == "__main__":
    sys.exit(report.run("renewal-story", report.tests_of(sys.modules[__name__])))
