#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Private keys in a process of their own: signing, decryption and TLS work as ever, the gateway process cannot read a key,
and the keys process may be killed at any moment: what waited ends cleanly and the service goes on."""
import os
import re
import signal
import ssl
import sys
import threading

import house
import keys
import product
import report
import soap
import wire

ROUTES = """
partner sender {{ }}
partner acme {{ }}
route signed {{ listener front; path "/signed"; upstream "{url}"; request {{ sign own-sign {{ parts Body Timestamp; }} }} }}
route curve {{ listener front; path "/curve"; upstream "{url}"; request {{ sign curve-sign; }} }}
route opened {{ listener front; path "/opened"; upstream "{url}"; request {{ decrypt; }} }}
route agreed {{ listener front; path "/agreed"; upstream "{url}"; request {{ decrypt curve-dec; }} }}
"""
CURVES = ("ec:P-256", "ec:P-384", "ec:P-521")
EXTRA = """
process {{ keys yes; }}
tls back {{ certificate gw-server; }}
route secure {{ listener secure; path "/secure"; upstream "{url}"; request {{ verify sender; }} }}
"""


class Home(house.House):
    def __init__(self):
        self.place = product.new_directory()
        self.sender = keys.new_pair(self.place, "sender")
        self.own = keys.new_pair(self.place, "own")
        self.curve = keys.new_pair(self.place, "curve", kind="ec:P-256")
        self.enc = keys.new_pair(self.place, "enc")
        self.server = keys.issue(self.place, "gateway.test", hosts=("gateway.test",), kind="rsa:2048")
        self.keystore = product.Keystore(self.place)
        self.keystore.add_verifier(self.sender, partner="sender")
        self.keystore.add_signer(self.own)
        self.keystore.add_signer(self.curve, alias="curve-sign")
        add = lambda *args: self.keystore.run("add", *args, "--activate")
        add("--role", "decrypt", "--alias", "own-dec", self.enc.certificate_file, "--private-key", self.enc.key_file)
        add("--role", "encrypt-to", "--partner", "we", "--alias", "we-enc", self.enc.certificate_file)
        for kind in CURVES:
            pair = keys.new_pair(self.place, kind[3:].lower(), kind=kind)
            add("--role", "decrypt", "--alias", "curve-dec", pair.certificate_file, "--private-key", pair.key_file)
            add("--role", "encrypt-to", "--partner", kind[3:].lower(), "--alias", f"{kind[3:].lower()}-enc", pair.certificate_file)
        add("--role", "verifier", "--partner", "we", "--alias", "we-sign", self.own.certificate_file)
        add("--role", "verifier", "--partner", "we", "--alias", "we-curve", self.curve.certificate_file)
        add("--role", "tls-server", "--alias", "gw-server", self.server.certificate_file, "--private-key", self.server.key_file)
        self.answer = wire.reply_octets(soap.envelope(soap.ANSWER))
        self.upstream = wire.Upstream(self._answer)
        url = self.upstream.url
        self.gateway = product.Gateway(self.place, self.keystore, ROUTES.format(url=url), extra=EXTRA.format(url=url),
                                       listeners="listener front { address 127.0.0.1:0; }\nlistener secure { address 127.0.0.1:0; tls back; }")

    def call(self, path, body, status=200, reason="ok"):
        before = len(self.upstream.requests)
        with self.client() as client:
            reply = client.post(body, path)
        self.logged(client, reason)
        report.equal(reply.status, status, "status")
        seen = self.upstream.requests[before:]
        return seen[0].body.decode() if seen else None

    def in_order(self, text):
        done = product.countersign("--keystore", self.keystore.uri, "verify", "--partner", "we", "-", stdin=text, check=False)
        return done.returncode == 0

    def keys_process(self, but=None):
        """Process id of the keys process: the child of the keeper, which is a child of a gateway process."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8") as text:
                    pid, comm, _, parent = re.match(r"(\d+) \((.*)\) (\S) (\d+)", text.read()).groups()
                if comm == "countersign-key" and int(pid) != but and self._ours(int(parent)):
                    return int(pid)
            except (OSError, AttributeError):
                continue
        return None

    def _ours(self, pid):
        while pid > 1:
            if pid == self.gateway.pid:
                return True
            with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
                pid = int(re.match(r"\d+ \(.*\) \S (\d+)", text.read()).group(1))
        return False


def test_messages_are_signed_with_keys_that_are_elsewhere(home):
    for path in ("/signed", "/curve"):
        report.check(home.in_order(home.call(path, soap.envelope(soap.ORDER))), f"the signature of {path} is not good")


def test_what_ends_the_service_does_not_end_its_keys_before_it(home):
    """Ctrl-C and service managers signal all processes: requests in flight are signed until the gateway itself ends."""
    pid = home.keys_process()
    with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
        keeper = int(re.match(r"\d+ \(.*\) \S (\d+)", text.read()).group(1))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(keeper, number)
        os.kill(pid, number)
    report.check(home.in_order(home.call("/signed", soap.envelope(soap.ORDER))), "the signature is not good")
    report.equal(home.keys_process(), pid, "keys process")


def test_messages_are_decrypted_with_keys_that_are_elsewhere(home):
    text = soap.envelope(soap.ORDER)
    for transport in ("rsa-oaep", "rsa-oaep-mgf1p"):
        sealed = product.countersign("--keystore", home.keystore.uri, "encrypt", "--partner", "we", "--key-transport", transport, "-", stdin=text)
        report.equal(home.call("/opened", sealed.stdout), text, "what the upstream received")


def test_keys_are_agreed_on_with_keys_that_are_elsewhere(home):
    text = soap.envelope(soap.ORDER)
    for kind in CURVES:
        sealed = product.countersign("--keystore", home.keystore.uri, "encrypt", "--partner", kind[3:].lower(), "-", stdin=text).stdout
        report.check("ECDH-ES" in sealed, "another key transport")
        report.equal(home.call("/agreed", sealed), text, f"what the upstream received, {kind}")
        changed = re.sub("(PublicKey>....................)(.)", lambda m: m.group(1) + ("A" if m.group(2) != "A" else "B"), sealed, count=1)
        report.equal(home.call("/agreed", changed, 500, "decryption-failed"), None, "a point beside the curve")


def test_a_listener_speaks_tls_with_a_key_that_is_elsewhere(home):
    context = ssl.create_default_context(cafile=home.server.certificate_file)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        with wire.Client(home.gateway.addresses[1], tls=context, name="gateway.test") as client:
            reply = client.post(soap.sign(home.sender, body=soap.ORDER), "/secure")
            report.equal(reply.status, 200, f"status over {version.name}")


def test_a_new_key_is_used_without_a_restart(home):
    fresh = keys.new_pair(home.place, "fresh")
    home.keystore.run("add", "--role", "sign", "--alias", "own-sign", fresh.certificate_file, "--private-key", fresh.key_file, "--activate")
    home.keystore.run("add", "--role", "verifier", "--partner", "we", "--alias", "we-fresh", fresh.certificate_file, "--activate")
    def signed():
        text = home.call("/signed", soap.envelope(soap.ORDER))
        record = [r for r in home.gateway.log() if r["route"] == "signed"][-1]
        return text if record["request"]["signed_with"] == "own-sign#2" else None
    report.check(home.in_order(report.until(signed, what="the new entry in use")), "the signature is not good")


def test_a_killed_keys_process_costs_nothing_but_a_moment(home):
    stop = threading.Event()
    statuses = []

    def load():
        while not stop.is_set():
            with home.client() as client:
                statuses.append(client.post(soap.envelope(soap.ORDER), "/signed").status)
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    pid = home.keys_process()
    for _ in range(5):
        report.check(pid, "no keys process")
        before = len(statuses)
        os.kill(pid, signal.SIGKILL)
        pid = report.until(lambda old=pid: home.keys_process(old), what="another keys process")
        report.until(lambda n=before: len(statuses) > n + 80, what="replies behind the kill")
    stop.set()
    for thread in threads:
        thread.join()
    report.check(set(statuses) <= {200, 503}, f"statuses {sorted(set(statuses))}")
    report.check(statuses.count(200) > len(statuses) * 9 // 10, f"{statuses.count(503)} of {len(statuses)} failed")
    report.check(home.in_order(home.call("/signed", soap.envelope(soap.ORDER))), "the service does not go on")


def main():
    with Home() as home:
        report.run("keys process", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
