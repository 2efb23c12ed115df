#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Own client certificates by the commands alone, from the first one on: two at most, of one name and one authority, told
apart by their fingerprints, exactly one of them active; each can be looked at and downloaded, only an inactive one deleted."""
import json
import os
import sys

import report
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from report import check, equal
from stores import DAY, Store, instant, records, rfc3339

START = instant("2026-03-01T00:00:00Z")
MAKE = ["generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme", "--key", "ec:P-256", "--days", "100",
        "--system-type", "Target", "--system-name", "ABAP"]
DONE = "countersign: Certificate generated successfully\n"


class Tenant:
    """Somebody who looks after one system, and the days that go by."""

    def __init__(self):
        self.store = Store()
        self.day = 0
        self.run(*MAKE, says=DONE)

    def run(self, *args, code=0, says=""):
        done = self.store.run("--now", rfc3339(START + self.day * DAY), *args, check=False)
        equal(done.returncode, code, f"exit of keystore {' '.join(args)}: {done.stderr}")
        for text in (says,) if isinstance(says, str) else says:
            check(text in done.stderr, f"{text!r} is not said by keystore {' '.join(args)}: {done.stderr}")
        return done

    def states(self):
        return {r["entry"].split("#")[1]: r["state"] for r in records(self.run("list", "--role", "tls-client", "--json"))}

    def record(self, entry):
        return records(self.run("show", entry, "--json"))[0]

    def download(self, entry):
        path = os.path.join(os.path.dirname(self.store.path), "download.pem")
        self.run("export", entry, "-o", path)
        with open(path, "rb") as pem:
            return x509.load_pem_x509_certificate(pem.read())

    def one_is_active(self):
        states = self.states()
        equal(list(states.values()).count("active"), 1, f"active ones of {states}")
        return states


def test_the_first_is_active_and_shows_all_that_a_system_asks_for():
    tenant = Tenant()
    equal(tenant.one_is_active(), {"1": "active"}, "states")
    record = tenant.record("ack-client#1")
    loaded = tenant.download("ack-client#1")
    equal((loaded.fingerprint(hashes.SHA256()).hex(), str(loaded.serial_number)), (record["sha256"], record["serial"]), "what is downloaded")
    page = tenant.run("show", "ack-client").stdout
    for said in ("subject CN=acme", f"issuer {record['issuer']}", "signed by ecdsa-with-SHA384", "valid 2026-02-28", "to 2026-06-09", "EC 256 bits",
                 f"sha256 {record['sha256']}"):
        check(said in page, f"{said!r} is missing in {page}")
    tenant.run("remove", "ack-client#1", code=10, says="refused G7 inactive-only: ack-client#1 is active")


def test_thirty_days_before_the_end_a_warning_stands_where_one_looks():
    tenant = Tenant()
    for day, warned in ((69, False), (71, True), (101, True)):
        tenant.day = day
        shown = tenant.run("show", "ack-client").stdout, tenant.run("list").stdout
        word = "EXPIRE" if day < 100 else "EXPIRED"
        equal((word in shown[0], "d!" in shown[1] or "ended" in shown[1]), (warned, warned), f"day {day}: {shown}")
        equal(tenant.run("expiring", "--within", "30d", code=1 if warned else 0).stdout.count("next: countersign keystore generate --alias ack-client"),
              1 if warned else 0, f"what next on day {day}")


def test_a_second_one_takes_over_by_hand():
    tenant = Tenant()
    tenant.day = 80
    tenant.run("generate", "--alias", "ack-client", says=DONE)
    equal(tenant.one_is_active(), {"1": "active", "2": "pre-active"}, "the second is inactive")
    old, new = tenant.record("ack-client#1"), tenant.record("ack-client#2")
    equal((new["subject"], new["issuer"]), (old["subject"], old["issuer"]), "name and authority")
    check(new["sha256"] != old["sha256"] and new["spki_sha256"] != old["spki_sha256"], "told apart by fingerprint; a new key")
    refused = json.loads(tenant.run("generate", "--alias", "ack-client", "--json", code=10, says="refused G2 limit-two").stdout)
    equal((refused["can_generate"], refused["done"]), (False, False), "a third one")
    for entry, record in (("ack-client#1", old), ("ack-client#2", new)):  # active and inactive
        equal(tenant.download(entry).fingerprint(hashes.SHA256()).hex(), record["sha256"], f"download of {entry}")
        check(record["sha256"] in tenant.run("show", entry).stdout, f"page of {entry}")
    tenant.run("remove", "ack-client#1", code=10, says="First put another in its place: countersign keystore activate ack-client#2")
    tenant.run("activate", "ack-client#2", says="to roll back: countersign keystore activate ack-client#1")
    equal(tenant.one_is_active(), {"1": "deactivated", "2": "active"}, "the one before is inactive")
    tenant.run("activate", "ack-client#1", "--shorter-ok")
    equal(tenant.one_is_active(), {"1": "active", "2": "deactivated"}, "rolled back")
    tenant.run("activate", "ack-client#2")
    tenant.run("remove", "ack-client#2", code=10, says="refused G7")
    equal(tenant.download("ack-client#1").fingerprint(hashes.SHA256()).hex(), old["sha256"], "download of what is inactive now")
    tenant.run("remove", "ack-client#1")
    equal(tenant.one_is_active(), {"2": "active"}, "one is left")
    tenant.run("generate", "--alias", "ack-client", says=DONE)  # there is room again
    equal(tenant.one_is_active(), {"2": "active", "3": "pre-active"}, "the next one")
    tenant.run("remove", "ack-client#3")
    equal(tenant.states(), {"2": "active"}, "an inactive one that never was active can be deleted, too")


def test_an_expired_one_is_succeeded_not_extended():
    tenant = Tenant()
    tenant.day = 101
    tenant.run("generate", "--alias", "ack-client", says=DONE)
    equal(tenant.one_is_active(), {"1": "active", "2": "pre-active"}, "before")
    tenant.run("activate", "ack-client#2")
    tenant.run("activate", "ack-client#1", "--shorter-ok", code=10, says="refused G4")
    tenant.run("remove", "ack-client#1")
    equal(tenant.states(), {"2": "active"}, "afterwards")


def test_automatic_on_and_off():
    tenant = Tenant()
    tenant.run("auto", "ack-client", "on", says="systems that know the certificate by its fingerprint refuse the new one")
    shown = tenant.run("show", "ack-client").stdout
    check("auto on: regenerates 2026-05-2" in shown, shown)
    tenant.run("auto", "ack-client", "off")
    tenant.day = 99
    tenant.run("tick")
    equal(tenant.states(), {"1": "active"}, "off: nothing is made")
    tenant.run("generate", "--alias", "ack-client", "--days", "300")
    tenant.day = 101
    tenant.run("auto", "ack-client", "on")
    tenant.run("tick")
    equal(tenant.one_is_active(), {"1": "deactivated", "3": "active"}, "1 a new one active, 2 the expired inactive, 3 the second deleted")
    tenant.day = 102
    tenant.run("tick")
    equal(tenant.states(), {"1": "deactivated", "3": "active"}, "once")


if __name__ == "__main__":
    sys.exit(report.run("outbound", report.tests_of(sys.modules[__name__])))
