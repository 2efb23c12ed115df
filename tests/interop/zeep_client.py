#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""zeep, a WSDL client that nobody here wrote, through a running gateway to a receiver that signs its responses."""
import datetime
import os
import sys

import zeep
from zeep.transports import Transport
from zeep.wsse.signature import BinarySignature, Signature, verify_envelope
from zeep.wsse.utils import WSU, get_security_header, get_timestamp
import xmlsec

import keys
import product
import report

WSDL = os.path.join(product.ROOT, "samples", "messages", "orders.wsdl")
SIGN = {"signature_method": xmlsec.Transform.RSA_SHA256, "digest_method": xmlsec.Transform.SHA256}

ROUTES = """
policy client-default {{ require-signed Body Timestamp; timestamp {{ required yes; ttl 300s; skew 60s; }} }}
partner buyer {{ policy client-default; }}
partner acme {{ policy client-default; }}
route orders {{
    listener front; path "/orders"; methods POST GET;
    upstream "{receiver}";
    request {{ verify buyer; remove-security-header yes; sign own-sign {{ parts Body Timestamp; }} }}
    response {{ verify acme; }}
}}
route tampered {{
    listener front; path "/tampered"; methods POST;
    upstream "{tamper}";
    request {{ verify buyer; remove-security-header yes; sign own-sign {{ parts Body Timestamp; }} }}
    response {{ verify acme; }}
}}
"""


def add_timestamp(envelope):
    """As zeep writes instants: in UTC with the offset +00:00."""
    created = datetime.datetime.utcnow()
    times = [get_timestamp(created), get_timestamp(created + datetime.timedelta(seconds=120))]
    report.check(times[0].endswith("+00:00"), f"zeep writes {times[0]}")
    get_security_header(envelope).append(WSU.Timestamp(WSU.Created(times[0]), WSU.Expires(times[1])))


class Stamped:
    """zeep's own signature, over Body and a Timestamp; replies are verified by zeep with the partner's certificate."""

    def __init__(self, kind, pair, partner):
        self.signature = kind(pair.key_file, pair.certificate_file, **SIGN)
        self.partner = partner

    def apply(self, envelope, headers):
        add_timestamp(envelope)
        return self.signature.apply(envelope, headers)

    def verify(self, envelope):
        if not envelope.xpath("//*[local-name() = 'Fault']"):
            verify_envelope(envelope, self.partner.certificate_file)
        return envelope


class Scene:
    """One gateway, receiver, tampering hop and keystore for all tests of this file."""

    def __init__(self):
        place = product.new_directory()
        self.acme = keys.new_pair(place, "acme")
        self.buyer = keys.new_pair(place, "buyer")
        self.stranger = keys.new_pair(place, "stranger")
        own = keys.new_pair(place, "own")
        keystore = product.Keystore(place)
        keystore.add_verifier(self.acme)
        keystore.add_verifier(self.buyer, partner="buyer")
        keystore.add_signer(own)
        self.receiver = product.Receiver(place, self.acme, options=["--wsdl", WSDL, "--require-signed-by", own.certificate_file])
        self.tamper = product.Tamper(place, self.receiver.port)
        self.gateway = product.Gateway(place, keystore, ROUTES.format(receiver=self.receiver.url, tamper=self.tamper.url))

    def stop(self):
        self.gateway.__exit__()
        self.tamper.kill()
        self.receiver.kill()

    def call(self, port="Soap11", path="/orders", kind=BinarySignature, pair=None, wsdl=WSDL):
        wsse = Stamped(kind, pair or self.buyer, self.acme)
        client = zeep.Client(wsdl, wsse=wsse, transport=Transport(timeout=report.PATIENCE_S, operation_timeout=report.PATIENCE_S))
        service = client.create_service("{urn:example:orders}Orders" + port, f"http://{self.gateway.address}{path}")
        return service.GetOrder(number="4711")


SCENE = None


def expect_fault(code, reason, **call):
    try:
        SCENE.call(**call)
    except zeep.exceptions.Fault as fault:
        found = " ".join([str(fault.code)] + [str(c) for c in fault.subcodes or []])
        report.check(code in found, f"expected fault {code}, found {found}: {fault.message}")
    else:
        raise AssertionError("expected a fault, found an answer")
    SCENE.gateway.logged(lambda r: product.reason_of(r) == reason)


def test_signed_call_over_soap_1_1():
    answer = SCENE.call()
    report.equal((answer.number, answer.state), ("4711", "shipped"), "answer")


def test_signed_call_over_soap_1_2():
    answer = SCENE.call(port="Soap12")
    report.equal((answer.number, answer.state), ("4711", "shipped"), "answer")


def test_request_is_verified_with_the_buyers_certificate():
    SCENE.call()
    record = SCENE.gateway.logged(lambda r: (r.get("request") or {}).get("verdict") == "pass")
    report.equal(record["request"]["entry"], "buyer-sign#1", "entry of the request")
    report.equal(record["response"]["entry"], "acme-sign#1", "entry of the response")


def test_zeeps_x509_data_reference_is_understood():
    answer = SCENE.call(kind=Signature)
    report.equal(answer.state, "shipped", "state")


def test_wsdl_is_fetched_through_the_gateway():
    answer = SCENE.call(wsdl=f"http://{SCENE.gateway.address}/orders?wsdl")
    report.equal(answer.state, "shipped", "state")


def test_request_signed_by_a_stranger_is_refused():
    before = SCENE.receiver.stderr()
    expect_fault("FailedCheck", "certificate-unknown", pair=SCENE.stranger)
    report.equal(SCENE.receiver.stderr(), before, "what the receiver saw")


def test_request_signed_by_a_stranger_is_refused_over_soap_1_2():
    expect_fault("FailedCheck", "certificate-unknown", pair=SCENE.stranger, port="Soap12")


def test_tampered_response_becomes_a_fault():
    expect_fault("FailedCheck", "digest-mismatch", path="/tampered")


def main():
    global SCENE  # pylint: disable=global-statement
    SCENE = Scene()
    try:
        report.run("zeep", report.tests_of(sys.modules[__name__]))
    finally:
        SCENE.stop()


if __name__ == "__main__":
    main()
