#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: engines
# tests/run: quick
"""Messages that must not pass, as requests and as replies: each gets its reason, a fault that says no more than it
must, and the side behind the gateway never sees it."""
import datetime
import sys

import house
import keys
import report
import soap
import wire

IN_ITS_LIFE = (datetime.datetime.utcnow() - datetime.timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Home(house.House):
    """With a certificate of each partner that was activated in its life, which is over."""

    def prepare(self):
        self.expired = {partner: keys.new_pair(self.place, f"{partner}-expired", days=(-10, -1)) for partner in ("acme", "sender")}
        for partner, pair in self.expired.items():
            self.keystore.run("--now", IN_ITS_LIFE, "add", "--role", "verifier", "--partner", partner, "--alias", f"{partner}-sign",
                              pair.certificate_file, "--activate")


def doubled_security(text):
    """The message with its Security header twice."""
    start = text.index("<wsse:Security")
    end = text.index("</wsse:Security>") + len("</wsse:Security>")
    return text[:end] + text[start:end] + text[end:]


def nested(count):
    return soap.envelope("<a>" * count + "</a>" * count)


def one_octet_of_signature(text):
    """Another digit in the middle of the SignatureValue."""
    at = text.index("<ds:SignatureValue>") + 100
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def cases(right, stranger, expired):
    """(name, text, reason, fault code): right is the key of the partner, the others are not or no longer good."""
    def signed(**options):
        return soap.sign(right, body=soap.ANSWER, **options)

    return [
        ("not XML", "this is no XML", "xml-malformed", "Client"),
        ("nothing", "", "xml-malformed", "Client"),
        ("cut XML", signed()[:-20], "xml-malformed", "Client"),
        ("not SOAP", "<a/>", "soap-shape", "Client"),
        ("DTD", '<!DOCTYPE a [<!ENTITY b "c">]>' + signed(), "dtd-forbidden", "Client"),
        ("entity bomb", '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY c "&b;&b;&b;">]>' + soap.envelope("&c;"), "dtd-forbidden", "Client"),
        ("10,000 nested elements", nested(10000), "limit-depth", "Client"),
        ("no Security header", soap.envelope(soap.ANSWER), "no-security", "InvalidSecurity"),
        ("two Security headers", doubled_security(signed()), "multiple-security", "InvalidSecurity"),
        ("unknown certificate", soap.sign(stranger), "certificate-unknown", "FailedCheck"),
        ("expired certificate", soap.sign(expired), "certificate-expired", "InvalidSecurityToken"),
        ("one changed octet in the Body", soap.tampered(signed(), "4711", "4712"), "digest-mismatch", "FailedCheck"),
        ("one changed octet in the Timestamp", soap.tampered(signed(), "Z</wsu:Expires>", "0Z</wsu:Expires>"), "digest-mismatch", "FailedCheck"),
        ("one changed octet of the signature", one_octet_of_signature(signed()), "signature-mismatch", "FailedCheck"),
        ("stale Timestamp", signed(created_s=-3600, ttl_s=240), "timestamp-expired", "MessageExpired"),
        ("Timestamp of the future", signed(created_s=3600, ttl_s=240), "timestamp-future", "MessageExpired"),
        ("Body not signed", signed(parts=("TS",)), "part-not-signed", "FailedCheck"),
        ("NUL", signed().replace("shipped", "ship\0ped"), "xml-malformed", "Client"),
        ("SOAP 1.2, changed", soap.tampered(soap.sign(right, soap=soap.SOAP12), "4711", "4712"), "digest-mismatch", "FailedCheck"),
    ]


def main():
    with Home() as home:
        stranger = keys.new_pair(home.place, "stranger")
        home.good()

        def request(text, reason, fault):
            kind = soap.content_type(soap.SOAP12 if soap.SOAP12 in text else soap.SOAP11)
            # SOAP 1.2 calls it Sender and answers 400; everything that is not clearly 1.2 is answered as 1.1
            status = 400 if soap.SOAP12 in text else 500
            home.refused_request(wire.post_octets(text, content_type=kind), status, reason, fault, closes=False)

        def reply(text, reason, fault):
            kind = soap.content_type(soap.SOAP12 if soap.SOAP12 in text else soap.SOAP11)
            home.refused_reply(wire.reply_octets(text, content_type=kind), 502, reason, fault)

        def replay():
            octets = wire.post_octets(soap.sign(home.sender, body=soap.ORDER))
            with home.client() as client:
                client.send(octets)
                report.equal(client.reply().status, 200, "status of the first")
            home.refused_request(octets, 500, "replay", "FailedCheck", closes=False)

        def many_nested():
            """In the time that a client waits, which would not do for work that grows with the square of the depth."""
            home.refused_request(wire.post_octets(nested(200000)), 500, "limit-depth", "Client", closes=False)

        tests = []
        for name, text, reason, fault in cases(home.sender, stranger, home.expired["sender"]):
            tests.append((f"request: {name}", lambda t=text, r=reason, f=fault: request(t, r, f)))
        for name, text, reason, fault in cases(home.acme, stranger, home.expired["acme"]):
            if text == "":
                continue  # an empty reply is no message: see http_replies
            tests.append((f"reply: {name}", lambda t=text, r=reason, f=fault: reply(t, r, f)))
        tests += [("request: replayed", replay), ("request: 200,000 nested elements", many_nested)]
        report.run("bad messages", tests)


if __name__ == "__main__":
    sys.exit(main())
