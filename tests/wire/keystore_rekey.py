#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The key-encryption key of a running gateway: without it none starts; the next one comes by reload and rekey while
messages are signed, and none is lost; before every node has it, rekey refuses."""
import datetime
import json
import os
import sys
import threading

import house
import keys
import product
import report
import soap
import wire
from report import check, equal

ROUTES = """
route sign {{ listener front; path "/sign"; upstream "{url}"; request {{ sign own-sign {{ parts Body; }} }} }}
"""


class Home(house.House):
    def __init__(self):
        self.place = product.new_directory()
        self.acme = keys.new_pair(self.place, "own")
        self.kek = [os.path.join(self.place, name) for name in ("first.kek", "second.kek")]
        for path in self.kek:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
                out.write(os.urandom(32).hex() + "\n")
        self.one, self.both = f'key-encryption-key file "{self.kek[0]}";', f'key-encryption-key file "{self.kek[1]}" previous file "{self.kek[0]}";'
        self.conf = os.path.join(self.place, "commands.conf")
        self.path = os.path.join(self.place, "ks.db")
        self.keystore = self
        self.answer = None
        self.command(self.one, "init")
        self.command(self.one, "add", "--role", "sign", "--alias", "own-sign", self.acme.certificate_file, "--private-key", self.acme.key_file, "--activate")
        past = datetime.datetime.utcnow() - datetime.timedelta(days=90)
        self.command(self.one, "--now", past.strftime("%Y-%m-%dT%H:%M:%SZ"), "generate", "--role", "tls-client", "--alias", "own-client",
                     "--subject", "CN=own-client", "--key", "ec:P-256", "--days", "100")
        self.upstream = wire.Upstream(self._answer)
        self.routes = ROUTES.format(url=self.upstream.url)
        self.gateway = product.Gateway(self.place, self, self.routes, extra=self.one)

    def command(self, source, *args, check_it=True):
        """keystore … under a configuration with these sources."""
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{self.path}";\n{source}\n')
        return product.countersign("-c", self.conf, "keystore", *args, check=check_it)


def test_a_gateway_that_cannot_open_its_keys_does_not_start(home):
    conf = os.path.join(home.place, "without.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{home.path}";\nkey-encryption-key file "{home.kek[1]}";\nlistener front {{ address 127.0.0.1:0; }}\n{home.routes}')
    for args in (["gateway", "--check"], ["gateway"]):
        done = product.countersign("-c", conf, *args, check=False)
        equal(done.returncode, 78, f"exit of {args}: {done.stderr}")
        check("own-client#1" in done.stderr and "previous" in done.stderr, done.stderr)


def test_a_running_gateway_makes_a_successor_with_its_key_encryption_key(home):
    home.command(home.one, "auto", "own-client", "on")

    def active():
        listed = home.command(home.one, "list", "--json", "--role", "tls-client").stdout.splitlines()
        return [r["entry"] for r in map(json.loads, listed) if r["state"] == "active"]
    report.until(lambda: active() == ["own-client#2"], what="the successor in its place")


def test_rekey_under_load_loses_no_message(home):
    refused = home.command(home.both, "rekey", check_it=False)
    equal(refused.returncode, 13, f"before the gateway has the new key: {refused.stderr}")
    stop, failed, sent = threading.Event(), [], []

    def sender():
        try:
            with home.client() as client:
                while not stop.is_set():
                    equal(client.post(soap.envelope(), "/sign").status, 200, "status")
                    sent.append(1)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)

    senders = [threading.Thread(target=sender) for _ in range(2)]
    for thread in senders:
        thread.start()
    try:
        home.gateway.configure(home.routes, home.both)
        home.gateway.reload()
        report.until(lambda: home.command(home.both, "rekey", check_it=False).returncode == 0, what="rekey after the reload")
        more = keys.new_pair(home.place, "more")
        home.command(home.both, "add", "--role", "sign", "--alias", "own-sign", more.certificate_file, "--private-key", more.key_file, "--activate", "--wait", "60s")
        enough = len(sent) + 10
        report.until(lambda: len(sent) > enough or failed, what="messages after the rekey")
    finally:
        stop.set()
        for thread in senders:
            thread.join()
    equal(failed, [], "failed senders")
    os.rename(home.kek[0], home.kek[0] + ".away")
    home.command(f'key-encryption-key file "{home.kek[1]}";', "export", "own-sign#2")
    check(home.command(home.both, "rekey", check_it=False).returncode == 64, "all is under the new key")


def main():
    with Home() as home:
        report.run("keystore-rekey", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
