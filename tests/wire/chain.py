#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Partners with trust chain: countersign verify, keystore add-crl, gateway --check and a running gateway, with an authority
made at run time whose certificates the keystore does not hold."""
import base64
import datetime
import http.client
import json
import os
import re
import sys

import product
import soap
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from keys import Pair, new_key, new_pair
from report import PATIENCE_S, check, equal, run, tests_of, until

DIRECTORY = product.new_directory()
KEYSTORE = product.Keystore(DIRECTORY)
DAY = datetime.timedelta(days=1)


def path(name):
    return os.path.join(DIRECTORY, name)


def written(name, text):
    with open(path(name), "wb" if isinstance(text, bytes) else "w") as out:
        out.write(text)
    return path(name)


def distinguished(organization, common):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certify(name, organization, common, issuer=None, authority=False, days=(-10, 100)):
    """A key with a certificate that issuer (a Pair; None: itself) has signed."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    key = new_key("ec:P-256")
    subject = distinguished(organization, common)
    builder = x509.CertificateBuilder(issuer_name=issuer.certificate.subject if issuer else subject, subject_name=subject,
                                      public_key=key.public_key(), serial_number=x509.random_serial_number(),
                                      not_valid_before=now + days[0] * DAY, not_valid_after=now + days[1] * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    key_file = written(f"{name}.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                        serialization.NoEncryption()))
    return Pair(key, certificate, key_file, written(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM)))


def crl(name, issuer, revoked=(), days=(-1, 1)):
    """A file with a list of what issuer has revoked an hour ago."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder(issuer_name=issuer.certificate.subject, last_update=now + days[0] * DAY,
                                                    next_update=now + days[1] * DAY)
    for pair in revoked:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(
            serial_number=pair.certificate.serial_number, revocation_date=now - DAY / 24).build())
    return written(name, builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


ROOT = certify("root", "ACME", "ACME Root", authority=True)
ISSUING = certify("issuing", "ACME", "ACME Issuing CA", ROOT, authority=True)
SIGNER = certify("signer", "ACME Ltd", "signer", ISSUING)
NEXT = certify("next", "ACME Ltd", "signer", ISSUING)
EXPIRED = certify("expired", "ACME Ltd", "signer", ISSUING, days=(-10, -1))
COUSIN = certify("cousin", "Globex", "signer", ISSUING)
FALSE_ISSUING = certify("false-issuing", "ACME", "ACME Issuing CA", authority=True)
FALSE_SIGNER = certify("false-signer", "ACME Ltd", "signer", FALSE_ISSUING)


def add_anchor(alias, pair):
    KEYSTORE.run("add", "--role", "trust-anchor", "--alias", alias, pair.certificate_file, "--activate")


add_anchor("acme-root", ROOT)
add_anchor("acme-ca", ISSUING)


def conf(anchors="acme-ca", more="", subject="O=ACME*", issuer="CN=ACME Issuing CA,O=ACME"):
    return written("chain.conf", f'''keystore sqlite "{KEYSTORE.path}";
partner acme {{ trust chain {{ anchors {anchors}; subject "{subject}"; issuer "{issuer}"; {more} }} }}
listener front {{ address 127.0.0.1:0; }}
''')


def judged(message, *args, config=None):
    """(exit code, record) of a message under the partner's rule"""
    done = product.countersign("-c", config or conf(), "verify", "--json", *args, written("message.xml", message), check=False)
    return done.returncode, json.loads(done.stdout)


def reason(pair, **keywords):
    return judged(soap.sign(pair), "--partner", "acme", **keywords)[1]["reason"]


def test_a_certificate_that_nobody_stored_passes_under_its_authority():
    code, record = judged(soap.sign(SIGNER), "--partner", "acme")
    equal((code, record["reason"]), (0, "ok"), "verdict")
    equal((record["certificate"]["entry"], record["certificate"]["sha256"]), ("acme-ca#1", SIGNER.sha256), "certificate")
    check("chain to acme-ca#1" in record["notes"], record["notes"])
    equal(reason(NEXT), "ok", "its successor")


def test_without_partner_the_rule_of_the_file_is_tried_too():
    code, record = judged(soap.sign(SIGNER))
    equal((code, record["partner"]), (0, "acme"), "record")
    code, record = judged(soap.sign(FALSE_SIGNER))
    equal((code, record["partner"]), (1, None), "a stranger's record")


def test_pinned_partners_take_no_certificate_from_a_message():
    done = product.countersign("--keystore", KEYSTORE.uri, "verify", "--json", "--partner", "acme",
                               written("message.xml", soap.sign(SIGNER)), check=False)
    equal((done.returncode, json.loads(done.stdout)["reason"]), (1, "certificate-unknown"), "record")


def test_each_refusal_has_its_reason():
    equal(judged(soap.tampered(soap.sign(SIGNER)), "--partner", "acme")[1]["reason"], "digest-mismatch", "changed")
    equal(reason(FALSE_SIGNER), "certificate-chain", "an authority that only bears the name")
    equal(reason(EXPIRED), "certificate-expired", "an expired certificate")
    equal(reason(COUSIN), "subject-denied", "another subject of the same authority")
    equal(reason(SIGNER, config=conf(issuer="CN=ACME Root,O=ACME")), "subject-denied", "another issuer")
    equal(reason(SIGNER, config=conf(anchors="acme-root")), "certificate-chain", "the authority on the way is not there")
    equal(reason(ISSUING), "certificate-unknown", "an authority that signs messages")


def test_a_path_in_the_message_leads_to_the_root():
    chained = written("chained.pem", open(SIGNER.certificate_file).read() + open(ISSUING.certificate_file).read())
    KEYSTORE.run("add", "--role", "sign", "--alias", "own-sign", chained, "--private-key", SIGNER.key_file, "--activate")
    plain = written("plain.xml", soap.envelope())
    for kind, expected in (("pkipath", "ok"), ("direct", "certificate-chain"), ("thumbprint", "certificate-unknown")):
        signed = product.countersign("--keystore", KEYSTORE.uri, "sign", "--alias", "own-sign", "--timestamp", "--key-reference", kind, plain).stdout
        code, record = judged(signed, "--partner", "acme", config=conf(anchors="acme-root"))
        equal((record["reason"], code), (expected, int(expected != "ok")), kind)


def test_bare_certificates_in_any_order_with_their_issuers():
    def data(*pairs):
        octets = "".join(f"<ds:X509Certificate>{base64.b64encode(p.der).decode()}</ds:X509Certificate>" for p in pairs)
        return f"<ds:KeyInfo><ds:X509Data>{octets}</ds:X509Data></ds:KeyInfo>"
    signed = soap.sign(SIGNER, token=False)
    root = conf(anchors="acme-root")
    for pairs, expected in (((SIGNER, ISSUING), "ok"), ((ISSUING, SIGNER), "ok"), ((ROOT, ISSUING, SIGNER), "ok"),
                            ((SIGNER,), "certificate-chain"), ((SIGNER, FALSE_ISSUING), "certificate-chain"),
                            ((NEXT, ISSUING), "signature-mismatch"), ((ISSUING,), "certificate-unknown")):
        message = re.sub("<ds:KeyInfo>.*</ds:KeyInfo>", data(*pairs), signed)
        names = " ".join(p.certificate.subject.rfc4514_string() for p in pairs)
        equal(judged(message, "--partner", "acme", config=root)[1]["reason"], expected, names)


def test_a_stored_certificate_has_its_entrys_state():
    stored = certify("stored", "ACME Ltd", "signer", ISSUING)
    entry = KEYSTORE.add_verifier(stored)
    equal(reason(stored), "ok", "active")
    spare = new_pair(DIRECTORY, "spare")
    KEYSTORE.add_verifier(spare)
    KEYSTORE.run("suspend", entry)
    equal(reason(stored), "certificate-suspended", "suspended, whatever its chain says")
    equal(reason(NEXT), "ok", "another one of the same authority")


def test_a_suspended_anchor_vouches_for_nobody():
    KEYSTORE.run("suspend", "acme-ca#1")
    equal(reason(SIGNER), "certificate-chain", "suspended")
    KEYSTORE.run("resume", "acme-ca#1")
    equal(reason(SIGNER), "ok", "resumed")


def test_add_crl_and_crl_require():
    require = conf(more="crl require;")
    equal(reason(SIGNER, config=require), "revocation-unknown", "no list")
    done = KEYSTORE.run("add-crl", "--alias", "acme-ca", crl("first.crl", ISSUING, days=(-2, 1)), "--dry-run")
    check(done.stdout.startswith("dry run: CRL of "), done.stdout)
    equal(reason(SIGNER, config=require), "revocation-unknown", "a dry run")
    done = KEYSTORE.run("--json", "add-crl", "--alias", "acme-ca", path("first.crl"))
    record = json.loads(done.stdout)
    equal((record["signer"], record["revoked"], record["done"]), ("acme-ca#1", 0, True), "record")
    equal(reason(SIGNER, config=require), "ok", "a current list")
    equal(KEYSTORE.run("add-crl", "--alias", "acme-ca", path("first.crl"), check=False).returncode, 12, "the same again")
    later = (datetime.datetime.utcnow() + 3 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = soap.sign(SIGNER)
    equal(judged(message, "--partner", "acme", "--as-of", later, config=require)[1]["reason"], "revocation-unknown", "stale")
    equal(judged(message, "--partner", "acme", "--as-of", later, config=conf())[1]["reason"], "ok", "stale and not required")
    for name, issuer, alias, code in (("false.crl", FALSE_ISSUING, "acme-ca", 64), ("root.crl", ROOT, "acme-ca", 64),
                                      ("older.crl", ISSUING, "acme-ca", 12), ("any.crl", ISSUING, "acme-cb", 64)):
        done = KEYSTORE.run("add-crl", "--alias", alias, crl(name, issuer, days=(-5, 1)), check=False)
        equal(done.returncode, code, f"{name}: {done.stderr}")
    equal(KEYSTORE.run("add-crl", "--alias", "acme-ca", path("nothing.crl"), check=False).returncode, 3, "no file")
    revoked = certify("revoked", "ACME Ltd", "signer", ISSUING)
    KEYSTORE.run("add-crl", "--alias", "acme-ca", crl("second.crl", ISSUING, [revoked]))
    equal(reason(revoked), "certificate-revoked", "a revoked one")
    equal(reason(SIGNER), "ok", "another one")
    equal(KEYSTORE.run("audit", "verify").returncode, 0, "audit")


ROUTE = ('route orders { listener front; path "/orders"; upstream "%s"; '
         'response { verify acme; remove-security-header no; } }')


def test_check_names_an_anchor_that_is_not_there():
    for anchors, code, says in (("acme-ca acme-root", 0, ""), ("acme-ca acme-rot", 78, "no alias acme-rot"), ("own-sign", 78, "role sign")):
        file = conf(anchors=anchors)
        with open(file, "a") as out:
            out.write(ROUTE % "http://127.0.0.1:9/soap")
        done = product.countersign("-c", file, "gateway", "--check", check=False)
        equal(done.returncode, code, f"{anchors}: {done.stderr}")
        check(says in done.stderr and (code == 0 or "chain.conf:2:" in done.stderr), done.stderr)


def post(address):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
    try:
        connection.request("POST", "/orders", soap.envelope(), {"Content-Type": soap.content_type()})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_a_gateway_follows_the_authority_not_the_certificate():
    serving = certify("serving", "ACME Ltd", "signer", ISSUING)
    extra = ('partner acme { trust chain { anchors acme-ca; subject "O=ACME*"; issuer "CN=ACME Issuing CA,O=ACME"; } }')
    with product.Receiver(DIRECTORY, serving, FALSE_SIGNER) as receiver, \
            product.Gateway(DIRECTORY, KEYSTORE, ROUTE % receiver.url, extra) as gateway:
        equal(post(gateway.address), 200, "status")
        alone = KEYSTORE.run("suspend", "acme-ca#1", check=False)
        check(alone.returncode == 10 and "refused G3" in alone.stderr, f"the anchor of a partner with traffic: {alone.stderr}")
        check("orders" in KEYSTORE.run("show", "acme-ca").stdout, "where the anchor is used")
        KEYSTORE.run("add-crl", "--alias", "acme-ca", crl("third.crl", ISSUING, [serving], days=(-0.5, 1)), "--wait", "60s")
        until(lambda: post(gateway.address) == 502, what="a revoked signer is refused")
        gateway.logged(lambda r: product.reason_of(r) == "certificate-revoked")
        receiver.rotate()
        equal(post(gateway.address), 502, "status under a false authority")
        gateway.logged(lambda r: product.reason_of(r) == "certificate-chain")


if __name__ == "__main__":
    run("trust chain", tests_of(sys.modules[__name__]))
