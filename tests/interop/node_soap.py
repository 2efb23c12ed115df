#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
"""node-soap (npm `soap`), a client that nobody here wrote, through a running gateway to a receiver that signs."""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys

import keys
import product
import report

SOURCE = os.path.join(product.ROOT, "tests", "interop", "node-soap")
WSDL = os.path.join(product.ROOT, "samples", "messages", "orders.wsdl")

# node-soap's Timestamp lives ten minutes
ROUTES = """
policy client-default {{ require-signed Body Timestamp; timestamp {{ required yes; ttl 600s; skew 60s; }} }}
partner buyer {{ policy client-default; }}
partner acme {{ policy client-default; }}
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{receiver}";
    request {{ verify buyer; remove-security-header yes; }}
    response {{ verify acme; remove-security-header yes; }}
}}
route tampered {{
    listener front; path "/tampered"; methods POST;
    upstream "{tamper}";
    request {{ verify buyer; remove-security-header yes; }}
    response {{ verify acme; remove-security-header yes; }}
}}
"""


def installed_client():
    """Install what the lock file names, once for each content of it, whoever else wants it now. @return the directory"""
    with open(os.path.join(product.OUT, "node-soap.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return install()


def install():
    """The work of installed_client(), alone."""
    with open(os.path.join(SOURCE, "package-lock.json"), "rb") as lock:
        mark = hashlib.sha256(lock.read()).hexdigest()[:16]
    place = os.path.join(product.OUT, f"node-soap-{mark}")
    if not os.path.exists(os.path.join(place, "installed")):
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(os.path.join(SOURCE, name), place)
        done = subprocess.run(["npm", "ci"], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=240, check=False)
        report.equal(done.returncode, 0, f"npm ci: {done.stdout}")
        with open(os.path.join(place, "installed"), "w", encoding="utf-8"):
            pass
    shutil.copy(os.path.join(SOURCE, "client.mjs"), place)
    return place


class Scene:
    """One gateway, receiver, tampering hop and keystore for all tests of this file."""

    def __init__(self):
        place = product.new_directory()
        self.client = installed_client()
        self.acme = keys.new_pair(place, "acme")
        self.buyer = keys.new_pair(place, "buyer")
        self.stranger = keys.new_pair(place, "stranger")
        keystore = product.Keystore(place)
        keystore.add_verifier(self.acme)
        keystore.add_verifier(self.buyer, partner="buyer")
        self.calls = 0
        self.receiver = product.Receiver(place, self.acme)
        self.tamper = product.Tamper(place, self.receiver.port)
        self.gateway = product.Gateway(place, keystore, ROUTES.format(receiver=self.receiver.url, tamper=self.tamper.url))

    def stop(self):
        self.gateway.__exit__()
        self.tamper.kill()
        self.receiver.kill()

    def call(self, path="/orders", pair=None, version="soap11"):
        """One call, each with another number: two alike within a second have the same signature, which is a replay."""
        pair = pair or self.buyer
        self.calls += 1
        done = subprocess.run(["node", "client.mjs", f"http://{self.gateway.address}{path}", WSDL, pair.key_file,
                               pair.certificate_file, version, str(4710 + self.calls)], cwd=self.client, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
        report.equal(done.returncode, 0, f"node: {done.stderr}")
        return json.loads(done.stdout)


SCENE = None


def expect_order(result):
    report.check(result.get("answer"), f"expected an answer, found {result}")
    report.equal((result["answer"]["number"], result["answer"]["state"]), (str(4710 + SCENE.calls), "shipped"), "answer")


def expect_fault(result, reason):
    report.check("answer" not in result, f"expected a fault, found {result}")
    report.check("FailedCheck" in json.dumps(result["fault"]), f"expected wsse:FailedCheck, found {result}")
    SCENE.gateway.logged(lambda r: product.reason_of(r) == reason)


def test_signed_call_over_soap_1_1():
    expect_order(SCENE.call())


def test_signed_call_over_soap_1_2():
    expect_order(SCENE.call(version="soap12"))


def test_both_directions_are_verified():
    SCENE.call()
    record = SCENE.gateway.logged(lambda r: (r.get("request") or {}).get("verdict") == "pass")
    report.equal(record["request"]["entry"], "buyer-sign#1", "entry of the request")
    report.equal(record["response"]["entry"], "acme-sign#1", "entry of the response")


def test_request_signed_by_a_stranger_is_refused():
    expect_fault(SCENE.call(pair=SCENE.stranger), "certificate-unknown")


def test_tampered_response_becomes_a_fault():
    expect_fault(SCENE.call(path="/tampered"), "digest-mismatch")


def main():
    global SCENE  # pylint: disable=global-statement
    SCENE = Scene()
    try:
        report.run("node-soap", report.tests_of(sys.modules[__name__]))
    finally:
        SCENE.stop()


if __name__ == "__main__":
    main()
