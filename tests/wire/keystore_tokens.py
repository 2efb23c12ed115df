#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keys that stay in a token (SoftHSM): one signs messages through the gateway, from several workers at once; another
wraps the key-encryption key of a store."""
import os
import subprocess
import sys
import threading

import house
import keys
import product
import report
import soap
import wire
from report import check, equal

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "87654321"
THREADS, EACH = 4, 25

ROUTES = """
route sign {{ listener front; path "/sign"; upstream "{url}"; request {{ sign hsm-sign {{ parts Body Timestamp; }} }} }}
"""


class Token:
    """A token in a directory of its own, named by the environment of every program started from here."""

    def __init__(self, directory):
        self.directory = directory
        tokens = os.path.join(directory, "tokens")
        os.mkdir(tokens)
        conf = os.path.join(directory, "softhsm2.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = conf
        self.pin_file = os.path.join(directory, "pin")
        with open(os.open(self.pin_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
            out.write(PIN)
        self.run("--init-token", "--free", "--label", "cs", "--so-pin", "12345678", "--pin", PIN)

    def run(self, *args):
        subprocess.run(["softhsm2-util", *args], check=True, stdout=subprocess.DEVNULL)

    def take(self, pair, label, number):
        self.run("--import", pair.key_file, "--token", "cs", "--label", label, "--id", number, "--pin", PIN)
        return self.uri(label)

    def uri(self, label, pin_file=None):
        return f"pkcs11:token=cs;object={label};type=private?module-path={MODULE}&pin-source=file:{pin_file or self.pin_file}"


class Home(house.House):
    def __init__(self):
        self.place = product.new_directory()
        self.token = Token(self.place)
        self.pair = keys.new_pair(self.place, "hsm")
        self.acme = self.pair  # signs the replies
        self.key = self.token.take(self.pair, "sig", "01")
        self.keystore = product.Keystore(self.place)
        self.added = self.keystore.run("add", "--role", "sign", "--alias", "hsm-sign", self.pair.certificate_file, "--private-key", self.key, "--activate")
        self.keystore.add_verifier(self.pair, "ourselves")
        self.answer = None
        self.upstream = wire.Upstream(self._answer)
        self.gateway = product.Gateway(self.place, self.keystore, ROUTES.format(url=self.upstream.url))


def test_a_key_of_the_token_signs_through_the_gateway(home):
    equal(home.added.stdout, "hsm-sign#1\n", "entry")
    errors = []

    def sender():
        try:
            with home.client() as client:
                for _ in range(EACH):
                    equal(client.post(soap.envelope(), "/sign").status, 200, "status")
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    before = len(home.upstream.requests)
    senders = [threading.Thread(target=sender) for _ in range(THREADS)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    equal(errors, [], "errors")
    seen = [request.body.decode() for request in home.upstream.requests[before:]]
    equal(len(seen), THREADS * EACH, "messages that arrived")
    files = []
    for i, message in enumerate(seen):
        files.append(os.path.join(home.place, f"signed-{i}.xml"))
        with open(files[-1], "w", encoding="utf-8") as out:
            out.write(message)
    done = product.countersign("--keystore", home.keystore.uri, "verify", "--partner", "ourselves", *files, check=False)
    equal(done.returncode, 0, f"all verify: {done.stdout[-300:]}")


def test_no_octet_of_the_key_is_in_the_store(home):
    with open(home.keystore.path, "rb") as data:
        store = data.read()
    numbers = home.pair.key.private_numbers()
    for prime in (numbers.p, numbers.q, numbers.d):
        check(prime.to_bytes((prime.bit_length() + 7) // 8, "big") not in store, "a number of the key is in the store")
    check(PIN.encode() not in store, "the PIN is in the store")


def kept(home):
    """The entries without the counters that the gateway keeps up."""
    return sorted((e, r["state"], r["sha256"]) for e, r in home.keystore.entries().items())


def test_addresses_and_pins_that_do_not_serve_are_refused(home):
    wrong = os.path.join(home.place, "wrong-pin")
    exposed = os.path.join(home.place, "exposed-pin")
    for path, text, mode in ((wrong, "0000", 0o600), (exposed, PIN, 0o644)):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
    other = keys.new_pair(home.place, "other")
    table = (
        (home.token.uri("absent"), home.pair, 78, "the token gives no key"),
        (home.token.uri("sig", wrong), home.pair, 78, "the token gives no key"),
        (home.token.uri("sig", exposed), home.pair, 78, "chmod 600"),
        (home.token.uri("sig", "/nowhere/pin"), home.pair, 78, "PIN file"),
        (home.key.replace("pin-source=file:" + home.token.pin_file, f"pin-value={PIN}"), home.pair, 64, "pin-source=file:"),
        ("pkcs11:token=cs", home.pair, 64, "names no key"),
        (home.key.replace(MODULE, "/nowhere/module.so"), home.pair, 78, "[pkcs11]"),
        (home.key, other, 10, "refused G5"),
    )
    before = kept(home)
    for uri, pair, code, says in table:
        done = home.keystore.run("add", "--role", "sign", "--alias", "more", pair.certificate_file, "--private-key", uri, check=False)
        equal(done.returncode, code, f"{uri}: {done.stderr}; status")
        check(says in done.stderr, f"{uri}: {done.stderr}")
    equal(kept(home), before, "entries")


def test_a_key_of_the_token_wraps_the_key_encryption_key(home):
    wrapper = home.token.take(keys.new_pair(home.place, "wrapper"), "wrap", "02")
    conf = os.path.join(home.place, "wrapped.conf")
    path = os.path.join(home.place, "wrapped.db")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{path}";\nkey-encryption-key pkcs11 "{wrapper}";\n')
    own = keys.new_pair(home.place, "own")
    message = os.path.join(home.place, "plain.xml")
    with open(message, "w", encoding="utf-8") as out:
        out.write(soap.envelope())

    def run(*args, check_it=True):
        return product.countersign("-c", conf, *args, check=check_it)

    run("keystore", "init")
    check(not os.path.exists(path + ".kek"), "a key-encryption key lies beside the store")
    run("keystore", "add", "--role", "sign", "--alias", "own-sign", own.certificate_file, "--private-key", own.key_file, "--activate")
    run("sign", "--alias", "own-sign", message, "-o", os.devnull)
    run("keystore", "rekey")
    run("sign", "--alias", "own-sign", message, "-o", os.devnull)
    alone = product.countersign("--keystore", f"sqlite:{path}", "sign", "--alias", "own-sign", message, "-o", os.devnull, check=False)
    check(alone.returncode != 0, "the store opens without the token")


def main():
    with Home() as home:
        report.run("keystore-tokens", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
