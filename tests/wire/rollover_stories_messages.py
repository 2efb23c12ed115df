#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""Roll-overs of the keys of messages from end to end, with a gateway that is running and a partner that takes what it is
told to take: own signing keys, own decryption keys, a partner's encryption certificate; of requests and of responses;
partners that take two keys at a time, and partners that take one. Nothing is lost."""
import contextlib
import os

import faketime
import keys
import load
import product
import report
import soap
import wire
from report import check, equal
from story import SOON_S, Story, instant

ROUTE = """
partner acme {{ }}
route orders {{
    listener front; path "/orders"; methods POST; upstream "{url}";
    {side} {{ {action} }}
    hold {{ queue 1000; wait 300s; }}
}}
"""
PLAIN = {"request": soap.envelope(), "response": soap.envelope(soap.ANSWER)}
MARK = {"request": b"4711", "response": b"shipped"}
PARTNER = {"request": "receiver-admin", "response": "sender-admin"}


class Messages(Story):
    """A route that signs, encrypts or decrypts on one side, and what stands there beside it: a receiver on the side of
    requests, a client on that of responses. Both work with the entries that `taken` names."""

    def __init__(self, side, action):
        self.side = side
        self.taken = {1}
        place = product.new_directory()
        keystore = product.Keystore(place)
        self.prepare(place, keystore)
        upstream = wire.Upstream(self.answer)
        super().__init__(product.Gateway(place, keystore, ROUTE.format(url=upstream.url, side=side, action=action)), keystore, upstream)

    def answer(self, request):
        good = self.side == "response" or self.takes(request.body.decode())
        return wire.reply_octets(self.given("response"), "200 OK" if good else "500 Internal Server Error")

    def given(self, side):
        """A message as it comes to the gateway."""
        return PLAIN[side]

    def takes(self, text):
        """Can the partner do anything with a message that comes out of the gateway?"""
        raise NotImplementedError

    def good(self, reply):
        return reply.status == 200 and (self.side == "request" or self.takes(reply.body.decode()))

    def load(self, connections=2, per_second=20):
        return load.Load(self.gateway.address, connections, per_second, body=self.given("request"), good=self.good)

    @contextlib.contextmanager
    def rolling(self, runbook, *args):
        """A roll-over of the slot of this story from its beginning to its end, while traffic flows."""
        with self.flowing() as running:
            self.roll("start", runbook, "--alias", self.alias, "--partner", "acme", *args)
            yield running
            self.over()

    def rolling_in_a_window(self, runbook):
        return self.rolling(runbook, "--window", instant(SOON_S), instant(3600))

    def in_its_window(self):
        """Hold and exchange without a hand, the partner takes the new one alone and says so, and what waited goes out."""
        self.until("6")
        self.taken = {2}
        self.said("7")
        self.until("8")


class Signing(Messages):
    alias = "own-sign"

    def __init__(self, side):
        super().__init__(side, "sign own-sign { parts Body Timestamp; }")

    def prepare(self, place, keystore):
        self.folder = place
        keystore.run("generate", "--role", "sign", "--alias", "own-sign", "--subject", "CN=own", "--key", "rsa:2048")

    def takes(self, text):
        der = soap.signer(text)
        return der is not None and der in [self.der(n) for n in self.taken]

    def der(self, number):
        path = os.path.join(self.folder, f"own-sign-{number}.der")
        if not os.path.exists(path):
            self.keystore.run("export", f"own-sign#{number}", "--format", "der", "-o", path)
        with open(path, "rb") as certificate:
            return certificate.read()


class Encrypting(Messages):
    alias = "acme-enc"

    def __init__(self, side):
        super().__init__(side, "encrypt acme;")

    def prepare(self, place, keystore):
        self.pairs = {n: keys.new_pair(place, f"acme-{n}") for n in (1, 2)}
        keystore.run("add", "--role", "encrypt-to", "--partner", "acme", "--alias", "acme-enc", self.pairs[1].certificate_file, "--activate")

    def takes(self, text):
        plain = soap.opened(text, [self.pairs[n].key for n in self.taken])
        return plain is not None and MARK[self.side] in plain

    def receive(self):
        """The partner's next certificate comes in."""
        self.keystore.run("add", "--role", "encrypt-to", "--partner", "acme", "--alias", "acme-enc", self.pairs[2].certificate_file,
                          "--expect-sha256", self.pairs[2].sha256)


class Decrypting(Messages):
    """Messages that the partner encrypted to the newest entry of `taken`."""

    alias = "own-dec"

    def __init__(self, side):
        self.sealed = {}
        super().__init__(side, "decrypt own-dec;")
        self.seal(1)

    def prepare(self, place, keystore):
        self.folder = place
        keystore.run("generate", "--role", "decrypt", "--alias", "own-dec", "--subject", "CN=own", "--key", "rsa:2048")

    def seal(self, number):
        """Give the partner an own certificate."""
        other = product.Keystore(product.new_directory())
        path = os.path.join(self.folder, f"own-dec-{number}.pem")
        self.keystore.run("export", f"own-dec#{number}", "-o", path)
        other.run("add", "--role", "encrypt-to", "--partner", "we", "--alias", "we", path, "--activate")
        self.sealed[number] = product.countersign("--keystore", other.uri, "encrypt", "--partner", "we", "-", stdin=PLAIN[self.side]).stdout

    def given(self, side):
        return self.sealed[max(self.taken)] if side == self.side else PLAIN[side]

    def takes(self, text):
        return MARK[self.side] in text.encode()


def sign_dual(side):
    with Signing(side) as story:
        with story.rolling(f"sign.{side}.dual") as running:
            story.roll("next", "R-1")
            story.said("2")
            story.until("4", "waits")
            story.taken = {1, 2}
            story.said("3")
            story.roll("next", "R-1")
            story.until("5")
            story.taken = {2}
            running.wait_for(10)
            story.said("6")
            story.until("7", "ready")
            story.said("7")
        equal(story.keystore.entries()["own-sign#1"]["state"], "deactivated", "the old one, which is kept for its window")


def sign_window(side):
    with Signing(side) as story, story.rolling_in_a_window(f"sign.{side}.window") as running:
        story.roll("next", "R-1")
        story.said("2")
        story.in_its_window()
        running.wait_for(10)


def encrypt_dual(side):
    with Encrypting(side) as story, story.rolling(f"encrypt.{side}.dual") as running:
        story.until("1", "ready")
        story.taken = {1, 2}
        story.receive()
        story.until("2")
        story.roll("next", "R-1")
        story.until("4")
        story.taken = {2}
        running.wait_for(10)
        story.said("5")
        story.said("6")


def encrypt_window(side):
    with Encrypting(side) as story, story.rolling_in_a_window(f"encrypt.{side}.window") as running:
        story.receive()
        story.until("1")
        story.said("2")
        story.in_its_window()
        running.wait_for(10)


def decrypt(side):
    with Decrypting(side) as story:
        with story.flowing() as running:
            story.roll("start", f"decrypt.{side}", "--alias", story.alias, "--partner", "acme")
            story.roll("next", "R-1")
            story.roll("next", "R-1")
            running.wait_for(10)  # with the old one, which decrypts on
            story.said("3")
            story.until("4", "ready")
            story.seal(2)
            story.taken = {1, 2}
            running.octets = wire.post_octets(story.given("request"))
            story.until("4")
            running.wait_for(10)
            story.said("5")
            refused = story.roll("next", "R-1", exits=10)
            check("refused G8 retention" in refused.stderr, refused.stderr)
        story.gateway.__exit__()
        with faketime.day(91):
            story.keystore.run("clock", "accept", check=False)
            story.keystore.run("tick")
            equal(story.keystore.entries()["own-dec#1"]["state"], "archived", "when its window is over")
            refused = story.roll("next", "R-1", exits=10)
            check("refused G14 backup" in refused.stderr, refused.stderr)
            story.keystore.run("backup", "-o", os.path.join(story.folder, "backup"))
            story.roll("next", "R-1")
            story.over()


SCENES = {"an own signing key of {} for a partner that takes two": sign_dual,
          "an own signing key of {} for a partner that takes one": sign_window,
          "the certificate to which {} are encrypted for a partner that opens with two": encrypt_dual,
          "the certificate to which {} are encrypted for a partner that opens with one": encrypt_window,
          "an own key that decrypts {}": decrypt}


def main():
    tests = [(name.format(side + "s"), lambda scene=scene, side=side: scene(side)) for name, scene in SCENES.items() for side in PARTNER]
    report.run("rollover-stories-messages", tests)


if __name__ == "__main__":
    main()
