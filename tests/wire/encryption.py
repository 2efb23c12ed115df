#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: engines
"""Encryption on its way through the gateway: opened for the receiver in both orders, sealed for a partner in both orders,
refused with one and the same fault whatever was wrong."""
import re
import sys

import house
import keys
import product
import report
import soap
import wire

ROUTES = """
partner sender {{ }}
partner acme {{ }}
route opened {{
    listener front; path "/opened"; upstream "{url}" {{ response-timeout {response_timeout}; }}
    request {{ decrypt own-dec; verify sender; remove-security-header yes; }}
}}
route plain {{ listener front; path "/plain"; upstream "{url}"; request {{ decrypt; }} }}
route sealed {{
    listener front; path "/sealed"; upstream "{url}";
    request {{ sign own-sign {{ parts Body Timestamp; }} encrypt we {{ parts Body Signature; }} }}
    response {{ decrypt; verify acme; remove-security-header yes; }}
}}
route inside {{
    listener front; path "/inside"; upstream "{url}";
    request {{ encrypt we {{ key-transport rsa-oaep-mgf1p; key-reference thumbprint; }} sign own-sign {{ parts Body Timestamp; }} }}
}}
route nobody {{ listener front; path "/nobody"; upstream "{url}"; request {{ encrypt stranger; }} }}
"""


class Home(house.House):
    def __init__(self):
        super().__init__(routes=ROUTES)

    def prepare(self):
        self.own = keys.new_pair(self.place, "own")
        self.enc = keys.new_pair(self.place, "enc")
        self.keystore.add_signer(self.own)
        add = lambda *args: self.keystore.run("add", *args, "--activate")
        add("--role", "decrypt", "--alias", "own-dec", self.enc.certificate_file, "--private-key", self.enc.key_file)
        add("--role", "encrypt-to", "--partner", "we", "--alias", "we-enc", self.enc.certificate_file)
        add("--role", "verifier", "--partner", "we", "--alias", "we-sign", self.own.certificate_file)

    def command(self, *args, text, check=True):
        return product.countersign("--keystore", self.keystore.uri, *args, "-", stdin=text, check=check)

    def encrypted(self, text, *options):
        return self.command("encrypt", "--partner", "we", *options, text=text).stdout

    def call(self, path, body, status=200, reason="ok"):
        """@return (reply, record, what the upstream saw or None)"""
        before = len(self.upstream.requests)
        with self.client() as client:
            reply = client.post(body, path)
        record = self.logged(client, reason)
        report.equal(reply.status, status, "status")
        seen = self.upstream.requests[before:]
        return reply, record, seen[0].body.decode() if seen else None


def test_what_was_signed_then_encrypted_is_opened_verified_and_sent_on(home):
    message = home.encrypted(soap.sign(home.sender, body=soap.ORDER), "--parts", "Body,Signature")
    report.check("4711" not in message, "the message is not encrypted")
    _, record, seen = home.call("/opened", message)
    report.check("4711" in seen and "Security" not in seen, "the receiver did not get the plain message")
    report.equal((record["request"]["decrypted_with"], record["request"]["entry"]), ("own-dec#1", "sender-sign#1"), "entries")


def test_a_message_in_the_clear_passes_the_same_route(home):
    _, record, seen = home.call("/opened", soap.sign(home.sender, body=soap.ORDER))
    report.check("4711" in seen and "decrypted_with" not in record["request"], "not judged as ever")


def test_decryption_alone_asks_nobody_who_sent_it(home):
    message = soap.envelope(soap.ORDER)
    _, record, seen = home.call("/plain", home.encrypted(message))
    report.equal(seen, message, "what the upstream received")
    report.equal(record["request"]["decrypted_with"], "own-dec#1", "decrypted with")


def test_every_failure_behind_decryption_answers_alike(home):
    good = home.encrypted(soap.sign(home.sender, body=soap.ORDER))
    broken = re.sub(r"(<soap:Body[^>]*>.*?<xenc:CipherValue>)(.)", lambda m: m.group(1) + ("B" if m.group(2) == "A" else "A"), good, flags=re.S)
    tampered = home.encrypted(soap.tampered(soap.sign(home.sender, body=soap.ORDER), "4711", "4712"))
    unsigned = home.encrypted(soap.envelope(soap.ORDER))
    answers = []
    for message, reason in ((broken, "decryption-failed"), (tampered, "digest-mismatch"), (unsigned, "no-signature")):
        reply, record, seen = home.call("/opened", message, 500, reason)
        report.equal(seen, None, "what the upstream saw")
        report.check(record["fault"].encode() in reply.body, "the fault has no id")
        answers.append(reply.body.replace(record["fault"].encode(), b"ID"))
    report.equal(len(set(answers)), 1, "different answers")
    report.equal(soap.fault_code(reply.body)[0], "FailedCheck", "fault code")


def test_signed_then_encrypted_for_a_partner(home):
    home.answer = wire.reply_octets(home.encrypted(soap.sign(home.acme)))
    reply, record, seen = home.call("/sealed", soap.envelope(soap.ORDER))
    home.answer = None
    report.check("4711" not in seen and "SignedInfo" not in seen, "the request went on in the clear")
    opened = home.command("decrypt", text=seen).stdout
    report.check("4711" in opened, "the partner cannot open it")
    report.equal(home.command("verify", "--partner", "we", text=seen).returncode, 0, "verification of what was sent on")
    report.equal((record["request"]["signed_with"], record["request"]["encrypted_to"]), ("own-sign#1", "we-enc#1"), "entries")
    report.check(b"shipped" in reply.body and b"Security" not in reply.body, "the reply was not opened")


def test_encrypted_then_signed_for_a_partner(home):
    _, _, seen = home.call("/inside", soap.envelope(soap.ORDER))
    report.check("4711" not in seen and "SignedInfo" in seen, "not encrypted inside of the signature")
    report.equal(len(re.findall(r"<\w+:Security[ >]", seen)), 1, "Security headers")
    done = home.command("verify", "--partner", "we", "--json", text=seen)
    report.check('"decrypted_with":"own-dec#1"' in done.stdout, "not opened behind its signature")


def test_without_a_certificate_of_the_partner_nothing_is_sent(home):
    _, _, seen = home.call("/nobody", soap.envelope(soap.ORDER), 500, "key-unavailable")
    report.equal(seen, None, "what the upstream saw")


def main():
    with Home() as home:
        report.run("encryption", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
