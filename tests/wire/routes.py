#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""What a route says beyond path and partner: SOAPAction, signatures on replies, monitoring of whole replies, unsigned
faults, service descriptions; and replies whose status or head no signature covers."""
import sys

import house
import keys
import product
import report
import soap
import wire

WSA = "http://www.w3.org/2005/08/addressing"
ROUTES = """
policy lenient {{ allow unsigned-faults; replay off; }}
policy repeats {{ replay off; }}
partner sender {{ policy repeats; }}
partner acme {{ policy repeats; }}
partner faulty {{ policy lenient; }}
route replies {{ listener front; path "/replies"; upstream "{url}"; response {{ verify acme; }} }}
route watched {{ listener front; path "/watched"; upstream "{url}"; response {{ verify acme; on-failure monitor until 2199-01-01; }} }}
route faults {{ listener front; path "/faults"; upstream "{url}"; response {{ verify faulty; }} }}
route named {{ listener front; path "/named"; soap-action match; upstream "{url}"; request {{ verify sender; remove-security-header yes; }} }}
route plain {{ listener front; path "/plain"; upstream "{url}"; request {{ verify sender; }} }}
route outgoing {{ listener front; path "/outgoing"; soap-action match; upstream "{url}"; request {{ sign own-sign; }} }}
route signs {{ listener front; path "/signs"; upstream "{url}"; response {{ sign own-sign {{ parts Body Timestamp; }} }} }}
route both {{ listener front; path "/both"; upstream "{url}"; response {{ verify acme; remove-security-header yes; sign own-sign; }} }}
route described {{ listener front; path "/described"; methods POST GET; upstream "{url}"; response {{ verify acme; }} }}
"""


class Home(house.House):
    def __init__(self):
        super().__init__(extra="", routes=ROUTES)

    def prepare(self):
        self.own = keys.new_pair(self.place, "own")
        self.keystore.add_signer(self.own)
        self.keystore.add_verifier(self.acme, partner="faulty")

    def call(self, path, body, fields=(), content_type="text/xml; charset=utf-8"):
        seen = len(self.upstream.requests)
        with self.client() as client:
            reply = client.post(body, path, content_type, fields)
        record = self.record(client)
        return reply, record, self.upstream.requests[seen:]


def answer(body, status="200 OK", fields=(), content_type="text/xml; charset=utf-8"):
    return wire.reply_octets(body, status, content_type, fields)


def unfit(home):
    """(name, reply): a correct signature, but a status or head that it does not cover; or nothing to verify at all."""
    signed = soap.sign(home.acme)
    twice = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(signed), signed.encode())
    return [
        ("redirect", answer(signed, "302 Found", ["Location: http://elsewhere.test/"])),
        ("permanent redirect without a body", answer("", "308 Permanent Redirect", ["Location: http://elsewhere.test/"])),
        ("not modified", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n"),
        ("part", answer(signed, "206 Partial Content", ["Content-Range: bytes 0-9/10"])),
        ("coded", answer(signed, fields=["Content-Encoding: gzip"])),
        ("two types", twice),
        ("page", answer("<html>secret</html>", content_type="text/html")),
        ("empty", answer("")),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ]


def test_what_a_signature_does_not_cover_never_passes(home):
    for name, octets in unfit(home):
        home.answer = octets
        reply, record, _ = home.call("/replies", soap.envelope())
        report.equal((reply.status, record["reason"]), (502, "upstream-reply"), name)
        report.check(b"shipped" not in reply.body and b"secret" not in reply.body, f"{name}: content came through")
        report.equal(reply.field("location"), None, f"{name}: Location")
    home.answer = None


def test_a_one_way_answer_passes(home):
    home.answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    reply, record, _ = home.call("/replies", soap.envelope())
    home.answer = None
    report.equal((reply.status, record["reason"]), (202, "ok"), "status and reason")


def test_a_monitored_route_breaks_no_reply(home):
    """Everything goes on as received, and the log tells what would have been refused."""
    for name, octets in unfit(home):
        home.answer = octets
        reply, record, _ = home.call("/watched", soap.envelope())
        report.equal(reply.status, int(octets.split(b" ")[1]), f"{name}: status")
        report.equal((record["monitored"], record["response"]["verdict"], record["response"]["reason"]), (True, "fail", "upstream-reply"), name)
        report.equal(record["reason"], "ok", f"{name}: reason of the exchange")
    home.answer = answer(soap.sign(home.acme))
    _, record, _ = home.call("/watched", soap.envelope())
    home.answer = None
    report.equal((record["monitored"], record["response"]["verdict"]), (False, "pass"), "a good reply")


def test_unsigned_faults_pass_only_where_the_policy_says_so(home):
    fault = soap.envelope('<soap:Fault><faultcode>soap:Server</faultcode><faultstring>no stock</faultstring></soap:Fault>')
    home.answer = answer(fault, "500 Internal Server Error")
    reply, record, _ = home.call("/faults", soap.envelope())
    report.equal((reply.status, record["reason"]), (500, "ok"), "status and reason")
    report.check(b"no stock" in reply.body, "the fault did not come through")
    report.check(any("fault" in note for note in record["notes"]), f"notes {record['notes']}")
    reply, record, _ = home.call("/replies", soap.envelope())
    report.equal((reply.status, record["reason"]), (502, "no-security"), "without the word")
    for name, octets in (("a fault that says 200", answer(fault)), ("a message that says 500", answer(soap.envelope(soap.ANSWER), "500 Internal Server Error"))):
        home.answer = octets
        reply, _, _ = home.call("/faults", soap.envelope())
        report.equal(reply.status, 502, name)
        report.check(b"no stock" not in reply.body and b"shipped" not in reply.body, f"{name}: content came through")
    home.answer = None


def action(value):
    return [f'SOAPAction: "{value}"']


def signed_action(home, value):
    return soap.sign(home.sender, body=soap.ORDER, parts=("Body", "TS", "A"),
                     other_header=f'<wsa:Action xmlns:wsa="{WSA}" xmlns:wsu="{soap.WSU}" wsu:Id="A">{value}</wsa:Action>')


def judged(home, path, message, fields, content_type="text/xml; charset=utf-8"):
    reply, record, seen = home.call(path, message, fields, content_type)
    report.equal(len(seen), 1 if reply.status == 200 else 0, "requests that the upstream saw")
    return reply.status, record["reason"]


def test_soap_action_may_not_contradict_a_signed_action(home):
    home.answer = wire.reply_octets(b"<a/>")
    message = signed_action(home, "urn:example:orders/GetOrder")
    good, bad = (200, "ok"), (500, "soap-action-mismatch")
    for fields, expected in (([], good), (action(""), good), (action("urn:example:orders/GetOrder"), good), (["SOAPAction: urn:example:orders/GetOrder"], good),
                             (action("urn:example:orders/DeleteOrder"), bad), (action("") + action("urn:x"), bad), (['SOAPAction: "a"b"'], bad)):
        report.equal(judged(home, "/plain", message, fields), expected, str(fields))
    report.equal(judged(home, "/plain", soap.sign(home.sender, body=soap.ORDER), action("urn:anything")), good, "without wsa:Action")
    home.answer = None


def test_soap_action_names_the_message_where_the_route_says_so(home):
    home.answer = wire.reply_octets(b"<a/>")
    message = soap.sign(home.sender, body=soap.ORDER)
    good, bad = (200, "ok"), (500, "soap-action-mismatch")
    for value, expected in (("GetOrder", good), ("urn:example:orders/GetOrder", good), ("urn:example:orders#GetOrder", good), ("", bad),
                            ("urn:example:orders/DeleteOrder", bad), ("urn:other/GetOrder", bad)):
        report.equal(judged(home, "/named", message, action(value)), expected, value)
        report.equal(judged(home, "/outgoing", soap.envelope(), action(value)), expected, f"{value}, to be signed")
    report.equal(judged(home, "/named", signed_action(home, "urn:a"), action("urn:a")), good, "wsa:Action")
    report.equal(judged(home, "/named", signed_action(home, "urn:a"), action("GetOrder")), bad, "wsa:Action, another one")
    home.answer = None


def test_a_reply_is_signed_on_its_way(home):
    home.keystore.run("add", "--role", "verifier", "--partner", "we", "--alias", "we-sign", home.own.certificate_file, "--activate")
    for path, octets in (("/signs", answer(soap.envelope(soap.ANSWER))), ("/both", answer(soap.sign(home.acme)))):
        home.answer = octets
        reply, record, _ = home.call(path, soap.envelope())
        report.equal((reply.status, record["response"].get("signed_with")), (200, "own-sign#1"), f"{path}: status, signed with")
        done = product.countersign("--keystore", home.keystore.uri, "verify", "--partner", "we", "-", stdin=reply.body.decode(), check=False)
        report.equal(done.returncode, 0, f"{path}: verdict of the command line: {done.stdout}{done.stderr}")
    home.answer = answer("<html>secret</html>", "500 Oops", content_type="text/html")
    reply, _, _ = home.call("/signs", soap.envelope())
    home.answer = None
    report.equal(reply.status, 502, "a page that cannot be signed")
    report.check(b"secret" not in reply.body, "the page came through")


def test_a_description_in_another_encoding_is_read(home):
    text = '<?xml version="1.0" encoding="utf-16"?><wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"/>'
    for octets, status in ((text.encode("utf-16"), 200), (text.replace("wsdl/", "wsdl2/").encode("utf-16"), 502),
                           (text.replace("/>", ">").encode("utf-16"), 502)):
        home.answer = wire.reply_octets(octets, content_type="text/xml")
        with home.client() as client:
            client.send(b"GET /described?wsdl HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
            reply = client.reply()
        report.equal(reply.status, status, "status")
        report.equal(reply.body == octets, status == 200, "octets came through unchanged")
    home.answer = None


def check(home, text):
    """@return (exit status, stderr) of gateway --check"""
    path = f"{home.place}/checked.conf"
    with open(path, "w", encoding="utf-8") as conf:
        conf.write(f'keystore sqlite "{home.keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\n{text}')
    done = product.countersign("-c", path, "gateway", "--check", check=False)
    return done.returncode, done.stderr


def test_check_tells_where_the_order_is_another_one(home):
    status, said = check(home, 'route a { listener front; path "/a"; upstream "http://127.0.0.1:1/"; request {\n'
                         'sign own-sign; remove-security-header yes;\nverify sender;\n} }\n')
    report.equal(status, 0, said)
    report.check(":4:16: " in said and ":5:1: " in said, said)
    report.check("remove-security-header runs before sign" in said and "verify runs before remove-security-header" in said, said)
    status, said = check(home, 'route a { listener front; path "/a"; upstream "http://127.0.0.1:1/"; request { verify sender; remove-security-header yes; sign own-sign; } }')
    report.equal(status, 0, said)
    report.check("runs before" not in said, said)


def test_words_of_a_route_are_checked(home):
    status, said = check(home, 'route a { listener front; path "/a"; soap-action match; upstream "http://127.0.0.1:1/"; '
                         'probe { method HEAD; query "singleWsdl"; expect 200 405; } }\n')
    report.equal(status, 78, said)
    report.check("soap-action match needs" in said, said)
    status, said = check(home, 'route a { listener front; path "/a"; upstream "http://127.0.0.1:1/"; probe { method POST; } }\n')
    report.equal(status, 78, said)


def main():
    with Home() as home:
        report.run("routes", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
