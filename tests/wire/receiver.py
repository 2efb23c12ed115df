#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each answer that the sample receiver can give, through a route that verifies: what passes, and with which status."""
import sys

import keys
import product
import report
import soap
import wire

ROUTE = """
partner acme {{ }}
route orders {{ listener front; path "/orders"; methods POST; upstream "{url}"; response {{ verify acme; }} }}
"""


def answer(*options, soap_version=soap.SOAP11):
    """@return (reply to the client, access log record) of one call to a receiver with these options"""
    place = product.new_directory()
    pair = keys.new_pair(place, "acme")
    keystore = product.Keystore(place)
    keystore.add_verifier(pair)
    with product.Receiver(place, pair, options=options) as receiver:
        with product.Gateway(place, keystore, ROUTE.format(url=receiver.url)) as gateway:
            with wire.Client(gateway.address) as client:
                reply = client.post(soap.envelope(soap=soap_version), content_type=soap.content_type(soap_version))
            return reply, gateway.logged_count(1)


def test_signed_answer_passes():
    reply, record = answer()
    report.equal((reply.status, product.reason_of(record)), (200, "ok"), "status and reason")
    report.check(b"shipped" in reply.body, "no answer")


def test_signed_answer_of_a_megabyte_passes():
    reply, record = answer("--records", "9000")
    report.equal((reply.status, product.reason_of(record)), (200, "ok"), "status and reason")
    report.check(len(reply.body) > 1000000, f"only {len(reply.body)} octets")


def test_signed_fault_passes_with_its_own_status():
    for version in (soap.SOAP11, soap.SOAP12):
        reply, record = answer("--fault", soap_version=version)
        report.equal((reply.status, product.reason_of(record)), (500, "ok"), "status and reason")
        report.check(b"the warehouse is closed" in reply.body, "not the receiver's fault")


def test_unsigned_fault_is_refused():
    for version in (soap.SOAP11, soap.SOAP12):
        reply, record = answer("--plain-fault", soap_version=version)
        report.equal((reply.status, product.reason_of(record)), (502, "no-security"), "status and reason")
        report.equal(soap.fault_code(reply.body)[0], "InvalidSecurity", "fault code")
        report.check(b"warehouse" not in reply.body, "the unsigned fault got through")


def test_unsigned_answer_is_refused():
    reply, record = answer("--unsigned")
    report.equal((reply.status, product.reason_of(record)), (502, "no-security"), "status and reason")
    report.check(b"shipped" not in reply.body, "the unsigned answer got through")


def test_receiver_that_demands_signed_requests_refuses_a_bare_one():
    place = product.new_directory()
    stranger = keys.new_pair(place, "stranger")
    reply, record = answer("--require-signed-by", stranger.certificate_file)
    report.equal((reply.status, product.reason_of(record)), (502, "no-security"), "status and reason")
    report.check(b"shipped" not in reply.body, "an order without a signed request")


if __name__ == "__main__":
    report.run("receiver", report.tests_of(sys.modules[__name__]))
