#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""countersign diagnose: likely cause, sender's software, certificates tried; nothing of the payload in the report."""
import base64
import json
import os
import sys

from cryptography.hazmat.primitives.asymmetric import utils

import product
import soap
from keys import new_pair
from report import check, equal, run, tests_of

DIRECTORY = product.new_directory()
KEYSTORE = product.Keystore(DIRECTORY)
ACME = new_pair(DIRECTORY, "acme")
CURVE = new_pair(DIRECTORY, "curve", "ec:P-256")
STRANGER = new_pair(DIRECTORY, "stranger")
KEYSTORE.add_verifier(ACME)
KEYSTORE.add_verifier(CURVE)

SECRET = "wellingtonboot"
PAYLOAD = (f'<{SECRET}Element xmlns="urn:{SECRET}" {SECRET}Attribute="{SECRET}"><number>4711</number><state>shipped</state>'
           f'{SECRET}</{SECRET}Element>')
CODES = {"pass": 0, "fail": 1}


def diagnose(text, *args, partner="acme"):
    """@return exit code, the JSON report, the report for people"""
    path = os.path.join(DIRECTORY, "message.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    asked = ["--keystore", KEYSTORE.uri, "diagnose", path, *(["--partner", partner] if partner else []), *args]
    machine = product.countersign("--json", *asked, check=False)
    people = product.countersign(*asked, check=False)
    equal(people.returncode, machine.returncode, "exit code of both forms")
    for output in (machine.stdout, machine.stderr, people.stdout, people.stderr):
        check(SECRET not in output.lower(), f"payload in the report: {output}")
    return machine.returncode, json.loads(machine.stdout), people.stdout


def test_a_good_message_exits_0_and_names_who_signed():
    code, report, people = diagnose(soap.sign(ACME, body=PAYLOAD))
    equal(code, 0, "exit code")
    equal(report["reason"], "ok", "reason")
    check("it signed" in people, people)


def test_no_word_of_the_payload_is_in_any_report():
    signed = soap.sign(ACME, body=PAYLOAD)
    for text in (signed, soap.tampered(signed), soap.sign(STRANGER, body=PAYLOAD), soap.envelope(PAYLOAD),
                 signed.replace('"#Body"', f'"#{SECRET}"'), signed.replace("<soap:Body", f"<{SECRET}/><soap:Body"),
                 signed.replace("<ds:SignatureValue>", f"<{SECRET} xmlns='urn:x'/><ds:SignatureValue>"), signed + SECRET,
                 signed.replace(soap.EXC, f"http://www.w3.org/{SECRET}/").replace(soap.SHA256, f"urn:{SECRET}"), f"<{SECRET}>"):
        equal(diagnose(text)[1]["verdict"], "pass" if text == signed else "fail", "verdict")


def test_a_changed_part_is_told_from_a_wrong_key():
    code, report, _ = diagnose(soap.tampered(soap.sign(ACME)))
    equal((code, report["reason"]), (1, "digest-mismatch"), "exit and reason")
    check("changed afterwards" in report["cause"], report["cause"])
    signed = [t for t in report["certificates_tried"] if t["named"]]
    equal(len(signed), 1, "named certificates")
    check("made the signature" in signed[0]["finding"], signed[0]["finding"])


def test_an_unknown_certificate_says_how_to_add_it():
    code, report, _ = diagnose(soap.sign(STRANGER))
    equal((code, report["reason"]), (1, "certificate-unknown"), "exit and reason")
    check("keystore add" in report["cause"], report["cause"])
    check(all(not t["named"] for t in report["certificates_tried"]), report["certificates_tried"])


def test_the_distance_of_the_clocks_is_told():
    code, report, _ = diagnose(soap.sign(ACME, created_s=7200))
    equal((code, report["reason"]), (1, "timestamp-future"), "exit and reason")
    check(7100 < report["created_ahead_s"] <= 7200, report["created_ahead_s"])
    check("ahead of this clock" in report["cause"], report["cause"])
    _, report, _ = diagnose(soap.sign(ACME, created_s=-7200))
    check(report["created_ahead_s"] <= -7200, report["created_ahead_s"])


def test_ecdsa_as_gsoap_writes_it_is_recognised():
    signed = soap.sign(CURVE)
    before, rest = signed.split("<ds:SignatureValue>")
    value, after = rest.split("</ds:SignatureValue>")
    raw = base64.b64decode(value)
    half = len(raw) // 2
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))
    for shorter in (0, 8, 16):  # a number that begins with zeros is written with fewer octets
        der = utils.encode_dss_signature(r >> shorter, s)
        code, report, _ = diagnose(f"{before}<ds:SignatureValue>{base64.b64encode(der).decode()}</ds:SignatureValue>{after}")
        equal((code, report["reason"], report["sender_stack"]), (1, "signature-malformed", "gSOAP"), "exit, reason, stack")
        check("DER" in report["cause"], report["cause"])


def test_senders_are_recognised_by_their_habits():
    enveloped = f'<ds:Transform Algorithm="{soap.DS}enveloped-signature"></ds:Transform>'
    signed = soap.sign(ACME)
    for text, stack in ((signed, "WSS4J (CXF, Axis2, Spring-WS)"),
                        (signed.replace("<ds:Transforms>", "<ds:Transforms>" + enveloped), "node-soap"),
                        (signed.replace("X509-", "X509Token-"), "gSOAP"),
                        (signed.replace("X509-", "uuid-").replace("SIG-", "_"), "WCF (.NET)"),
                        (signed.replace("X509-", "a").replace("SIG-", "b"), None)):
        _, report, _ = diagnose(text)
        equal(report["sender_stack"], stack, "sender")


def test_what_is_no_message_still_gets_a_report():
    for text, reason in (("", "xml-malformed"), ("<a", "xml-malformed"), (soap.envelope(), "no-security")):
        code, report, _ = diagnose(text)
        equal((code, report["reason"]), (1, reason), "exit and reason")
        check(report["cause"] != "", "no cause")


def test_usage_and_input_errors_have_their_exit_codes():
    for args, expected in ((("diagnose",), 64), (("diagnose", DIRECTORY), 64), (("diagnose", "a", "b"), 64),
                           (("diagnose", os.path.join(DIRECTORY, "nothing")), 3)):
        equal(product.countersign("--keystore", KEYSTORE.uri, *args, check=False).returncode, expected, " ".join(args))


if __name__ == "__main__":
    run("diagnose", tests_of(sys.modules[__name__]))
