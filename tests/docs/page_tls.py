#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The page about TLS, typed word for word: its commands succeed, its configuration is good, and a gateway with it serves the
client of the page."""
import json
import os
import re
import subprocess
import sys

import page
import product
import report
import wire

PAGE = page.Page("tls.md")
COMMANDS, CONFIGURATION, PLACE = PAGE.commands, PAGE.configuration, PAGE.place
RESULTS = PAGE.typed("tls.conf")


def test_every_command_of_the_page_succeeds():
    report.check(len(COMMANDS) >= 14, f"{len(COMMANDS)} commands")
    report.equal(len(RESULTS), len(COMMANDS), "commands that ended")
    for command, status, output in RESULTS:
        report.equal(status, 0, f"exit of {command!r}: {output.strip()[-300:]}")


def test_the_exchange_of_the_page_took_place():
    done = product.countersign("--keystore", f"sqlite:{PLACE}/ks.db", "keystore", "list", "--json")
    states = {record["entry"]: record["state"] for record in map(json.loads, done.stdout.splitlines())}
    report.equal((states["ack-client#1"], states["ack-client#2"]), ("deactivated", "active"), "states")


def test_the_client_of_the_page_is_served_and_nobody_else():
    port = wire.unused_port()
    with wire.Upstream(wire.reply_octets(b"<ok/>")) as upstream:
        text = CONFIGURATION.replace("127.0.0.1:8443", f"127.0.0.1:{port}").replace('sqlite "ks.db"', f'sqlite "{PLACE}/ks.db"')
        text = re.sub(r'upstream "https.*?}', f'upstream "{upstream.url}";', text)
        conf = os.path.join(PLACE, "run.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(text)
        with product.Process(PLACE, "gateway", [product.COUNTERSIGN, "-c", conf, "gateway"]) as gateway:
            command = ["curl", "-sSk", "--connect-to", f"gw.example:{port}:127.0.0.1:{port}", "-o", "/dev/null", "-w", "%{http_code}",
                       "-H", "Content-Type: text/xml", "-d", "<a/>", f"https://gw.example:{port}/orders"]

            def status(*more):
                return subprocess.run([*command, *more], cwd=PLACE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False).stdout
            report.until(lambda: status("--cert", "client.pem", "--key", "client.key") == "200", what=gateway.stderr())
            report.equal(status(), "000", "status without a certificate")
            report.equal({r.fields["x-countersign-user"] for r in upstream.requests}, {"orders-sender"}, "user at the receiver")


if __name__ == "__main__":
    report.run("page of TLS", report.tests_of(sys.modules[__name__]))
