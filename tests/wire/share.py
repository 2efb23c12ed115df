#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""A share of requests is signed with the successor before it is activated: exactly that share, spread evenly; when the
other side refuses the new key the share ends by itself, is told and audited, and every request got an answer. Only what is
about the signature counts, said by somebody who is believed."""
import json
import sys

import keys
import product
import report
import soap
import tls
import wire
from mailbox_server import Mailbox


def fault(code, ns=soap.WSSE, version=soap.SOAP11, status="500 Internal Server Error"):
    """A SOAP fault with that code, as a reply."""
    named = f'xmlns:x="{ns}">x:{code}<'
    said = f"<faultcode {named}/faultcode><faultstring>no</faultstring>" if version == soap.SOAP11 else \
        f"<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value {named}/e:Value></e:Subcode></e:Code>"
    return wire.reply_octets(soap.envelope(f'<e:Fault xmlns:e="{version}">{said}</e:Fault>', soap=version), status,
                             content_type=soap.content_type(version))


REFUSED = fault("FailedCheck")
ROUTES = 'route orders {{ listener front; path "/orders"; upstream "{url}"; request {{ sign own-sign {{ parts Body Timestamp; }} }} }}\n'
SHARE = ("activate", "own-sign#2", "--canary")


class Scene:
    def __init__(self, routes=ROUTES, extra="", before=None):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.pairs = [keys.new_pair(self.place, name) for name in ("own1", "own2")]
        self.keystore.add_signer(self.pairs[0])
        self.keystore.run("add", "--role", "sign", "--alias", "own-sign", self.pairs[1].certificate_file,
                          "--private-key", self.pairs[1].key_file)
        with open(self.pairs[1].certificate_file, encoding="ascii") as pem:
            self.new = "".join(line.strip() for line in pem if "-----" not in line)
        self.refuses = self.broken = None
        self.upstream = wire.Upstream(self.answer)
        if before is not None:
            before(self)
        self.gateway = product.Gateway(self.place, self.keystore, routes.format(url=self.upstream.url), extra)

    def __enter__(self):
        self.gateway.__enter__()
        return self

    def __exit__(self, *what):
        self.gateway.__exit__(*what)
        self.upstream.stop()

    def signed_with_new(self, request):
        return self.new in "".join(request.body.decode().split())

    def answer(self, request):
        if self.broken or (self.refuses and self.signed_with_new(request)):
            return self.broken or self.refuses
        return wire.reply_octets(soap.envelope(soap.ANSWER))

    def send(self, count):
        """@return statuses, and which requests were signed with the successor"""
        before = len(self.upstream.requests)
        with wire.Client(self.gateway.address) as client:
            statuses = [client.post(soap.envelope("<a/>")).status for _ in range(count)]
        seen = self.upstream.requests[before:]
        report.equal((len(statuses), len(seen)), (count, count), "requests answered, and received: none is lost")
        return statuses, [self.signed_with_new(r) for r in seen]

    def record(self):
        return json.loads(self.keystore.run("show", "own-sign#2", "--json").stdout)

    def share(self, text, *more, check=True):
        return self.keystore.run(*SHARE, text, *more, check=check)

    def begin(self, text):
        self.share(text, "--wait", "60s")
        report.until(lambda: any(self.send(20)[1]), what="the share in force")


def test_exactly_the_share_is_signed_with_the_successor():
    with Scene() as scene:
        report.equal(sum(scene.send(20)[1]), 0, "without a share")
        rehearsed = scene.share("20%", "--dry-run", "--wait", "60s")
        report.check("share" not in scene.record(), f"a rehearsal changes nothing: {rehearsed.stdout}")
        scene.begin("20%")
        report.equal((scene.record()["state"], scene.record()["share"]), ("pre-active", 20), "state and share")
        report.check("signs 20 %" in scene.keystore.run("list").stdout, scene.keystore.run("list").stdout)
        statuses, new = scene.send(500)
        report.equal((set(statuses), sum(new)), ({200}, 100), "of 500 requests")
        report.check(all(sum(new[i:i + 5]) <= 2 for i in range(0, 500, 5)), "spread evenly")
        scene.share("0")
        report.until(lambda: not any(scene.send(20)[1]), what="taken back by hand")
        scene.begin("20%")
        scene.keystore.run("activate", "own-sign#2", "--wait", "60s")
        report.until(lambda: all(scene.send(10)[1]), what="activated")
        report.check("share" not in scene.record(), "the share ends with the activation")
        scene.keystore.run("audit", "verify")


def test_refusals_of_the_new_key_end_the_share():
    with Mailbox() as box, Scene(extra=f'mail {{ server "{box.url}"; from "gateway@example.com"; }}') as scene:
        scene.keystore.run("subscribe", "own-sign", "--name", "Anna Berg", "--mail", "anna@example.com")
        scene.begin("20%")
        scene.refuses = REFUSED
        statuses, new = scene.send(500)
        report.check(3 <= sum(new) <= 8, f"{sum(new)} were signed with the new key")
        report.equal(statuses.count(500), sum(new), "refused ones")
        report.until(lambda: "share" not in scene.record(), what="the share is taken back in the keystore")
        rows = scene.keystore.run("audit", "list", "--json").stdout
        report.check("requests refused with the new key" in rows, rows[-600:])
        report.equal(sum(scene.send(100)[1]), 0, "signed with the new key afterwards")
        report.equal(scene.record()["state"], "pre-active", "the successor")
        report.until(lambda: box.mails, what="the mail about it")
        subject, text = box.mails[0][1]["Subject"], box.mails[0][1].get_body().get_content()
        report.equal(subject, "Outbound Certificate Refused. sign System: own-sign", "subject")
        report.check("requests refused with the new key" in text and "keystore activate own-sign#2 --canary" in text, text)
        report.equal(len(box.mails), 1, "mails")


def test_only_what_is_about_the_signature_counts():
    with Scene() as scene:
        text = "text/xml; charset=utf-8"
        for name, reply, counts in (
                ("a fault of the business", fault("OutOfStock", "urn:example:orders"), False),
                ("the server's own trouble", fault("Server", soap.SOAP11), False),
                ("a name that is like one", fault("FailedCheck", "urn:example:orders"), False),
                ("a message that is late", fault("MessageExpired", soap.WSU), False),
                ("no XML", wire.reply_octets(b"<oops", "500 Internal Server Error", content_type=text), False),
                ("a document type", wire.reply_octets(b"<!DOCTYPE a>" + soap.envelope("<a/>").encode(), "500 Internal Server Error",
                                                      content_type=text), False),
                ("too busy", wire.reply_octets(b"later", "503 Service Unavailable"), False),
                ("another path", wire.reply_octets(b"", "404 Not Found"), False),
                ("a token that is not accepted", fault("InvalidSecurityToken"), True),
                ("SOAP 1.2", fault("FailedAuthentication", version=soap.SOAP12, status="400 Bad Request"), True),
                ("WSS4J", fault("SecurityError", "http://ws.apache.org/wss4j"), True),
                ("a status alone", wire.reply_octets(b"", "403 Forbidden"), True)):
            scene.refuses = None
            scene.begin("20%")
            scene.refuses = reply
            statuses, new = scene.send(100)
            report.equal(sum(new) < 20, counts, f"{name}: {sum(new)} of 100 were signed with the new key")
            report.equal(sum(s >= 400 for s in statuses), sum(new), f"{name}: as the receiver answered")
            if counts:
                report.until(lambda: "share" not in scene.record(), what=f"{name}: the end of the share")
            else:
                scene.share("0", "--wait", "60s")


def over_tls(scene):
    authority = keys.issue(scene.place, "receivers", authority=True)
    scene.keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", authority.certificate_file, "--activate")
    scene.upstream.stop()
    scene.upstream = wire.Upstream(scene.answer, tls=tls.server_context(keys.issue(scene.place, "server", authority, hosts=("127.0.0.1",))))


TLS = ROUTES.replace('"{url}"; ', '"{url}" {{ anchors receivers; }} ')


def test_what_the_receiver_refuses_by_a_fault_over_tls_is_signed_again_with_the_active_key():
    with Scene(TLS, before=over_tls) as scene:
        for reply, again in ((REFUSED, True), (wire.reply_octets(b"", "403 Forbidden"), False), (fault("Server", soap.SOAP11), False)):
            scene.begin("20%")
            before = len(scene.upstream.requests)
            scene.refuses = reply
            with wire.Client(scene.gateway.address) as client:
                answers = [client.post(soap.envelope("<a/>")) for _ in range(10)]
            seen = [scene.signed_with_new(r) for r in scene.upstream.requests[before:]]
            report.equal(sum(seen), 2, "requests that were signed with the new key")
            report.equal((len(seen), sum(r.status == 200 for r in answers)), (12, 10) if again else (10, 8), "requests received, answers 200")
            scene.refuses = None
            scene.share("0", "--wait", "60s")
        retried = report.until(lambda: len(found := [r["request"] for r in scene.gateway.log() if "refused_with" in r["request"]]) > 1 and found,
                               what="access log lines")
        report.equal([(r["refused_with"], r["signed_with"]) for r in retried], [("own-sign#2", "own-sign#1")] * 2, "what the log says")
        scene.begin("20%")
        scene.refuses = REFUSED
        with wire.Client(scene.gateway.address) as client:
            report.equal({client.post(soap.envelope("<a/>")).status for _ in range(200)}, {200}, "nobody notices")
        report.until(lambda: "share" not in scene.record(), what="the end of the share")
        scene.refuses = None
        scene.begin("20%")
        scene.broken = REFUSED
        before = len(scene.upstream.requests)
        with wire.Client(scene.gateway.address) as client:
            report.equal({client.post(soap.envelope("<a/>")).status for _ in range(10)}, {500}, "the active key is refused, too")
        report.equal(len(scene.upstream.requests) - before, 12, "requests received: each at most twice")


def test_a_new_key_is_activated_only_when_the_first_requests_signed_with_it_were_accepted():
    with Scene(ROUTES.replace('path "/orders";', 'path "/orders"; probe {{ accepted 5; }}')) as scene:
        def activate(code):
            done = scene.keystore.run("activate", "own-sign#2", check=False)
            report.equal(done.returncode, code, done.stderr)
            return done.stderr
        said = activate(10)
        report.check("refused G11 probe" in said and "countersign keystore activate own-sign#2 --canary 5%" in said, said)
        scene.begin("20%")
        scene.refuses = REFUSED
        scene.send(30)
        report.until(lambda: "share" not in scene.record(), what="the end of a share that is refused")
        report.check("refused G11 probe" in activate(10), "nothing was accepted")
        scene.refuses = None
        scene.begin("20%")
        report.check("of 5 requests signed with it were accepted" in activate(10), "too few")
        scene.send(30)
        report.until(lambda: scene.keystore.run("activate", "own-sign#2", check=False).returncode == 0, what="activation")
        scene.keystore.run("activate", "own-sign#1", "--shorter-ok")  # back to one that is known


def test_who_is_not_believed_does_not_end_it():
    def partner(scene):
        scene.keystore.add_verifier(keys.new_pair(scene.place, "acme"))
    verified = ROUTES.replace("}} }}\n", "}} response {{ verify acme; }} }}\n")
    with Scene("partner acme {{ }}\n" + verified, before=partner) as scene:
        scene.share("20%", "--wait", "60s")
        scene.refuses = REFUSED
        statuses, new = scene.send(100)
        report.equal((sum(new), set(statuses)), (20, {502}), "not signed, and not over TLS")


def test_refusals_of_both_keys_do_not_end_it():
    with Scene() as scene:
        scene.begin("20%")
        scene.broken = REFUSED
        statuses, new = scene.send(200)
        report.equal((set(statuses), sum(new)), ({500}, 40), "of 200 requests, all refused")


def test_share_that_cannot_be_is_refused():
    with Scene() as scene:
        for text in ("100%", "-1", "5.5%", "x", "%", "5%%"):
            report.equal(scene.share(text, check=False).returncode, 64, text)
        report.equal(scene.keystore.run("activate", "own-sign#1", "--canary", "5%", check=False).returncode, 64, "the active one")
        report.equal(scene.share("5%", "--at", "2099-01-01T00:00:00Z", check=False).returncode, 64, "with --at")


if __name__ == "__main__":
    report.run("a share of requests is signed with the successor", report.tests_of(sys.modules[__name__]))
