#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 120
"""An ACME authority (pebble) that is asked by the program conf/issuers/acme-lego: a certificate for a server's key that
never leaves the keystore, validated by HTTP-01, and its successor."""
import json
import os
import shutil
import subprocess
import sys
import time

import keys
import product
import report
import wire
from report import check, equal, until

HOOK = os.path.join(product.ROOT, "conf", "issuers", "acme-lego")
HOST = "gw.example"


class Acme:
    """pebble and its name server, on loopback."""

    def __init__(self):
        for program in ("pebble", "pebble-challtestsrv", "lego"):
            if shutil.which(program) is None:
                raise report.Skip(f"{program} is not installed")
        self.place = product.new_directory()
        self.pair = keys.issue(self.place, "pebble", subject="CN=localhost", hosts=("127.0.0.1",))
        api, management, self.http, tls, dns, control = (wire.unused_port() for _ in range(6))
        self.directory = f"https://127.0.0.1:{api}/dir"
        conf = os.path.join(self.place, "pebble.json")
        with open(conf, "w", encoding="utf-8") as out:
            json.dump({"pebble": {"listenAddress": f"127.0.0.1:{api}", "managementListenAddress": f"127.0.0.1:{management}",
                                  "certificate": self.pair.certificate_file, "privateKey": self.pair.key_file, "httpPort": self.http,
                                  "tlsPort": tls, "ocspResponderURL": "", "externalAccountBindingRequired": False}}, out)
        self.log = os.path.join(self.place, "pebble.out")
        with open(self.log, "wb") as log:
            self.children = [
                subprocess.Popen(["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}", "-http01",
                                  "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{control}"], stdout=log, stderr=log),
                subprocess.Popen(["pebble", "-config", conf, "-strict", "-dnsserver", f"127.0.0.1:{dns}"], stdout=log, stderr=log,
                                 env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"})]
        self.ports = (api, control)

    def __enter__(self):
        until(lambda: all(map(self.listens, self.ports)), what="pebble")
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
            child.wait(report.PATIENCE_S)

    @staticmethod
    def listens(port):
        try:
            wire.Client(f"127.0.0.1:{port}").close()
            return True
        except OSError:
            return False

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()


def test_a_server_certificate_and_its_successor_come_from_an_acme_authority():
    with Acme() as acme:
        store = product.Keystore(acme.place)
        conf = os.path.join(acme.place, "countersign.conf")
        # lego learns of the test's authority by a variable, which a program of the keystore does not get from outside
        hook = os.path.join(acme.place, "hook")
        with open(hook, "w", encoding="utf-8") as out:
            out.write(f'#!/bin/sh\nLEGO_CA_CERTIFICATES={acme.pair.certificate_file} exec {HOOK} "$@"\n')
        os.chmod(hook, 0o700)
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{store.path}";\nissuer acme {{ exec "{hook}" "{acme.directory}" "ops@example.com" '
                      f'"{acme.place}/acme" "127.0.0.1:{acme.http}"; timeout 100s; }}\n')

        def run(*args):
            return product.countersign("-c", conf, "keystore", *args, timeout=report.PATIENCE_S).stdout
        equal(run("generate", "--role", "tls-server", "--alias", "gw", "--subject", f"CN={HOST}", "--host", HOST, "--key", "ec:P-256",
                  "--issuer", "acme").strip(), "gw#1", "entry")
        first = json.loads(run("show", "gw#1", "--json").splitlines()[0])
        check("Pebble" in first["issuer"] and first["subject"] == f"CN={HOST}", first)
        check("set VALID by completed challenge" in acme.said() and "ALWAYS_VALID" not in acme.said(), "it looked at our answer")
        begun = time.time()
        until(lambda: int(time.time()) > int(begun), what="the next second: a successor ends later")
        run("renew", "gw")
        second = json.loads(run("show", "gw#2", "--json").splitlines()[0])
        check(second["spki_sha256"] != first["spki_sha256"] and second["issuer"] == first["issuer"], second)
        chain = run("export", "gw#2", "--chain")
        check(chain.count("BEGIN CERTIFICATE") >= 2, "its issuer stands behind it")


if __name__ == "__main__":
    sys.exit(report.run("acme", report.tests_of(sys.modules[__name__])))
