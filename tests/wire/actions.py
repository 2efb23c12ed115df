#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway does with messages that are in order: verify both ways, cut our header, sign, monitor, replay,
service descriptions, replies that belong to another request. Exactly the octets that were judged go on."""
import re
import sys

import house
import keys
import product
import report
import soap
import wire

WSA = "http://www.w3.org/2005/08/addressing"
WSDL = b'<?xml version="1.0"?><wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"/>'

ROUTES = """
partner sender {{ }}
partner acme {{ }}
partner noreplay {{ policy repeats; }}
policy repeats {{ replay off; }}
route both {{
    listener front; path "/both"; upstream "{url}";
    request {{ verify sender; remove-security-header yes; sign own-sign {{ parts Body Timestamp; }} }}
    response {{ verify acme; remove-security-header yes; }}
}}
route strip {{ listener front; path "/strip"; upstream "{url}"; request {{ verify sender; remove-security-header yes; }} }}
route keep {{ listener front; path "/keep"; upstream "{url}"; request {{ verify sender; }} }}
route again {{ listener front; path "/again"; upstream "{url}"; request {{ verify noreplay; }} }}
route sign {{ listener front; path "/sign"; upstream "{url}"; request {{ sign own-sign {{ parts Body Timestamp; key-reference thumbprint; }} }} }}
route nokey {{ listener front; path "/nokey"; upstream "{url}"; request {{ sign spare; }} }}
route watched {{ listener front; path "/watched"; upstream "{url}"; request {{ verify sender; on-failure monitor; }} response {{ verify acme; on-failure monitor; }} }}
route ended {{ listener front; path "/ended"; upstream "{url}"; request {{ verify sender; on-failure monitor until 2020-01-01; }} }}
route described {{ listener front; path "/described"; methods POST GET; upstream "{url}"; response {{ verify acme; }} }}
route related {{ listener front; path "/related"; upstream "{url}"; request {{ verify sender; }} response {{ verify acme; }} }}
"""


class Home(house.House):
    def __init__(self):
        self.place = product.new_directory()
        self.acme = keys.new_pair(self.place, "acme")
        self.sender = keys.new_pair(self.place, "sender")
        self.own = keys.new_pair(self.place, "own")
        self.keystore = product.Keystore(self.place)
        self.keystore.add_verifier(self.acme)
        self.keystore.add_verifier(self.sender, partner="sender")
        self.keystore.add_verifier(self.sender, partner="noreplay")
        self.keystore.add_signer(self.own)
        spare = keys.new_pair(self.place, "spare")
        self.keystore.run("add", "--role", "sign", "--alias", "spare", spare.certificate_file, "--private-key", spare.key_file)
        self.answer = None
        self.upstream = wire.Upstream(self._answer)
        self.gateway = product.Gateway(self.place, self.keystore, ROUTES.format(url=self.upstream.url))

    def call(self, path, body, status=200, reason="ok"):
        """@return (reply, record, what the upstream saw or None)"""
        before = len(self.upstream.requests)
        with self.client() as client:
            reply = client.post(body, path)
        record = self.logged(client, reason)
        report.equal(reply.status, status, "status")
        seen = self.upstream.requests[before:]
        report.check(len(seen) <= 1, "the upstream saw the request twice")
        return reply, record, seen[0].body if seen else None

    def verified(self, message, partner):
        """Does the command line, another way in, find this message in order?"""
        done = product.countersign("--keystore", self.keystore.uri, "verify", "--partner", partner, "-", stdin=message, check=False)
        return done.returncode == 0


def without_security(text):
    return re.sub(r"<soap:Header><wsse:Security.*?</wsse:Security></soap:Header>", "", text, flags=re.S)


def test_a_verified_request_goes_on_octet_for_octet(home):
    message = soap.sign(home.sender, body=soap.ORDER)
    _, record, seen = home.call("/keep", message)
    report.equal(seen, message.encode(), "what the upstream received")
    report.equal(record["request"]["verdict"], "pass", "verdict of the request")
    report.equal(record["request"]["entry"], "sender-sign#1", "entry")
    report.equal(sorted(record["request"]["covers"]), ["Body", "Timestamp"], "covers")
    report.equal(record["request"]["bytes"], len(message), "bytes of the request")


def test_our_header_is_cut_and_nothing_else_changes(home):
    message = soap.sign(home.sender, body=soap.ORDER)
    _, _, seen = home.call("/strip", message)
    report.equal(seen.decode(), without_security(message), "what the upstream received")


def test_a_request_that_fails_never_reaches_the_upstream(home):
    for message, reason in ((soap.envelope(), "no-security"), (soap.tampered(soap.sign(home.sender, body=soap.ORDER), "4711", "4712"), "digest-mismatch"),
                            (soap.sign(home.acme, body=soap.ORDER), "certificate-unknown")):
        reply, record, seen = home.call("/keep", message, 500, reason)
        report.equal(seen, None, "what the upstream saw")
        report.equal(record["last_state"], "WORKING", "last state")
        report.check(record["fault"].encode() in reply.body, "the fault has no id")


def test_a_request_sent_twice_is_a_replay(home):
    message = soap.sign(home.sender, body=soap.ORDER)
    home.call("/keep", message)
    _, _, seen = home.call("/keep", message, 500, "replay")
    report.equal(seen, None, "what the upstream saw")
    home.call("/keep", soap.sign(home.sender, body=soap.ORDER))


def test_a_policy_may_allow_repetition(home):
    message = soap.sign(home.sender, body=soap.ORDER)
    home.call("/again", message)
    home.call("/again", message)


def test_many_at_once_one_is_new(home):
    message = soap.sign(home.sender, body=soap.ORDER)
    before = len(home.upstream.requests)
    clients = [home.client() for _ in range(12)]
    for client in clients:
        client.send(wire.post_octets(message, "/keep"))
    statuses = sorted(client.reply().status for client in clients)
    for client in clients:
        client.close()
    report.equal(statuses, [200] + [500] * 11, "statuses")
    report.equal(len(home.upstream.requests) - before, 1, "requests that the upstream saw")


def test_a_request_is_signed_on_its_way(home):
    message = soap.envelope()
    _, record, seen = home.call("/sign", message)
    report.equal(record["request"]["signed_with"], "own-sign#1", "signed with")
    report.check(b"ThumbprintSHA1" in seen and b"<o:number>4711</o:number>" in seen, "the message is not signed as told")
    home.keystore.run("add", "--role", "verifier", "--partner", "we", "--alias", "we-sign", home.own.certificate_file, "--activate")
    report.check(home.verified(seen.decode(), "we"), "the signature is not good")


def test_without_an_active_key_nothing_is_sent(home):
    reply, _, seen = home.call("/nokey", soap.envelope(), 500, "key-unavailable")
    report.equal(seen, None, "what the upstream saw")
    report.equal(soap.fault_code(reply.body)[0], "Server", "fault code")


def test_verified_cut_and_signed_anew_both_ways(home):
    answer = soap.sign(home.acme)
    home.answer = wire.reply_octets(answer)
    reply, record, seen = home.call("/both", soap.sign(home.sender, body=soap.ORDER))
    home.answer = None
    for name in (b"Security", b"Signature"):
        report.equal(len(re.findall(rb"<\w+:" + name + rb"[ >]", seen)), 1, f"{name.decode()} elements of the request sent on")
    report.equal(reply.body.decode(), without_security(answer), "what the client received")
    report.equal((record["request"]["signed_with"], record["response"]["entry"]), ("own-sign#1", "acme-sign#1"), "entries")


def test_a_monitored_route_judges_logs_and_lets_pass(home):
    home.answer = wire.reply_octets(soap.envelope(soap.ANSWER))
    message = soap.tampered(soap.sign(home.sender, body=soap.ORDER), "4711", "4712")
    reply, record, seen = home.call("/watched", message, 200, "digest-mismatch")
    home.answer = None
    report.equal(seen, message.encode(), "what the upstream received")
    report.check(b"shipped" in reply.body, "the reply did not pass")
    report.equal(record["monitored"], True, "monitored")
    report.equal((record["request"]["verdict"], record["response"]["verdict"]), ("fail", "fail"), "verdicts")


def test_a_monitor_whose_date_is_past_refuses(home):
    _, record, seen = home.call("/ended", soap.envelope(), 500, "no-security")
    report.equal((seen, record["monitored"]), (None, False), "sent on, monitored")


def get(home, target, method="GET"):
    with home.client() as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode())
        return client.reply(), home.record(client)


def test_a_service_description_passes_and_nothing_else(home):
    home.answer = wire.reply_octets(WSDL)
    reply, _ = get(home, "/described?wsdl")
    report.equal((reply.status, reply.body), (200, WSDL), "reply")
    report.check(home.upstream.requests[-1].start.split(" ")[1].endswith("?wsdl"), "the query did not go on")
    seen = len(home.upstream.requests)
    for target in ("/described", "/described?other", "/described?wsdl&x=1"):
        reply, record = get(home, target)
        report.equal((reply.status, reply.field("allow"), record["reason"]), (405, "POST", "http-method"), target)
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")
    for body in (b"<html/>", soap.envelope(soap.ANSWER).encode(), b"<!DOCTYPE x>" + WSDL):
        home.answer = wire.reply_octets(body)
        reply, record = get(home, "/described?wsdl")
        report.equal((reply.status, record["reason"]), (502, "upstream-reply"), "reply that is no description")
    home.answer = None


def signed_header(pair, name, value, body):
    return soap.sign(pair, body=body, parts=("Body", "TS", "A"),
                     other_header=f'<wsa:{name} xmlns:wsa="{WSA}" xmlns:wsu="{soap.WSU}" wsu:Id="A">{value}</wsa:{name}>')


def test_a_reply_belongs_to_its_request(home):
    home.answer = wire.reply_octets(signed_header(home.acme, "RelatesTo", "urn:uuid:1", soap.ANSWER))
    home.call("/related", signed_header(home.sender, "MessageID", "urn:uuid:1", soap.ORDER))
    home.answer = wire.reply_octets(signed_header(home.acme, "RelatesTo", "urn:uuid:2", soap.ANSWER))
    reply, _, _ = home.call("/related", signed_header(home.sender, "MessageID", "urn:uuid:1", soap.ORDER), 502, "relates-to-mismatch")
    home.answer = None
    report.check(b"shipped" not in reply.body, "a reply to another request came through")


def main():
    with Home() as home:
        report.run("actions", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
