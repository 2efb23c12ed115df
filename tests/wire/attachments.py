#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""Messages with attachments through the gateway: signed ones pass octet for octet and are found whole by another reader of
MIME; whatever is exchanged, added or taken away stops here. A hundred megabytes lie in the spool, not in memory."""
import base64
import hashlib
import os
import re
import sys
import threading

from lxml import etree

import house
import keys
import mime
import product
import report
import soap
import wire

MB = 1 << 20
LIMITS = 'memory 64M; body-memory 256k; spool {{ directory "{place}/spool"; quota 300M; }} loops 1; workers 1;'
ROUTES = """
policy large {{ limits {{ body 200M; }} }}
partner sender {{ policy large; }}
partner acme {{ policy large; }}
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; }}
    request {{ verify sender; }}
    response {{ verify acme; }}
}}
route replies {{
    listener front; path "/replies"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; }}
    response {{ verify acme; remove-security-header yes; }}
}}
route signed {{
    listener front; path "/signed"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; }}
    request {{ sign own-sign {{ parts Body Timestamp attachments; }} }}
    response {{ verify acme; }}
}}
route closed {{
    listener front; path "/closed"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; }}
    request {{ sign own-sign {{ parts Body Timestamp attachments; }} encrypt we {{ parts Body attachments; }} }}
    response {{ verify acme; }}
}}
route opened {{
    listener front; path "/opened"; methods POST;
    upstream "{url}" {{ connect-timeout 60s; response-timeout 120s; }}
    request {{ decrypt own-read; verify sender; remove-security-header yes; }}
    response {{ verify acme; }}
}}
"""


class Home(house.House):
    """Routes that verify and sign; large bodies in the directory of the test."""

    def __init__(self):
        self.spool = product.new_directory()
        # what is freed counts as gone under a sanitizer, too, or nothing could be said of memory there
        os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1", "thread_local_quarantine_size_kb=64")))
        super().__init__(extra=LIMITS.format(place=self.spool), routes=ROUTES)

    def prepare(self):
        self.keystore.add_signer(self.sender)
        reader = keys.new_pair(self.place, "reader")
        add = lambda *args: self.keystore.run("add", *args, "--activate")
        add("--role", "decrypt", "--alias", "own-read", reader.certificate_file, "--private-key", reader.key_file)
        add("--role", "encrypt-to", "--partner", "we", "--alias", "we-read", reader.certificate_file)


def signed(pair, *parts, body=soap.ORDER):
    """A package signed by pair. parts: (id, octets)"""
    envelope = soap.sign(pair, body=body, attachments=[(f"cid:{i}", octets) for i, octets in parts])
    return mime.package(envelope, *(mime.part(i, octets) for i, octets in parts))


def reply(octets, content_type=mime.TYPE):
    return wire.reply_octets(octets, content_type=content_type)


def post(home, octets, path="/orders", content_type=mime.TYPE):
    with home.client() as client:
        answer = client.post(octets, path, content_type)
        answer.client = client
    return answer


def signed_attachments_pass_both_ways_octet_for_octet(home):
    picture, notes = os.urandom(300_000), b"line\r\n\r\n--=_nex\r\n"
    message = signed(home.sender, ("picture@house", picture), ("notes@house", notes))
    home.answer = reply(signed(home.acme, ("answer@house", picture[::-1]), body=soap.ANSWER))
    answer = post(home, message)
    report.equal(answer.status, 200, "status")
    seen = home.upstream.requests[-1]
    report.equal(seen.fields["content-type"], mime.TYPE, "Content-Type upstream")
    report.check(seen.body == message, "the upstream received other octets")
    report.check(("picture@house", picture) in mime.read(seen.body, mime.TYPE), "another reader does not find the picture")
    report.check(answer.body == wire_body(home.answer), "the client received other octets")
    report.equal(answer.field("content-type"), mime.TYPE, "Content-Type of the reply")
    home.answer = None


def wire_body(octets):
    return octets.split(b"\r\n\r\n", 1)[1]


def the_security_header_goes_and_the_attachments_stay(home):
    octets = signed(home.acme, ("a@house", b"attached"), body=soap.ANSWER)
    home.answer = reply(octets)
    answer = post(home, soap.envelope().encode(), "/replies", "text/xml")
    home.answer = None
    report.equal(answer.status, 200, "status")
    parts = mime.read(answer.body, mime.TYPE)
    report.check(b"Security" not in parts[0][1] and b"shipped" in parts[0][1], "the SOAP part")
    report.equal(parts[1:], [("a@house", b"attached")], "attachments")


def what_was_changed_is_refused(home):
    good = signed(home.sender, ("a@house", b"attached"), ("b@house", b"other"))
    extra = mime.part("c@house", b"unsigned")
    cases = (("changed", good.replace(b"attached", b"attacked"), "digest-mismatch"),
             ("swapped", good.replace(b"attached", b"@").replace(b"other", b"attached").replace(b"@\r", b"other\r"), "digest-mismatch"),
             ("added", good.replace(b"--=_next--", b"--=_next\r\n" + extra + b"\r\n--=_next--"), "part-not-signed"),
             ("removed", good.replace(b"--=_next\r\n" + mime.part("b@house", b"other") + b"\r\n", b""), "attachment-missing"),
             ("renamed", good.replace(b"<b@house>", b"<d@house>"), "attachment-missing"),
             ("a bare line end in front of a boundary", good.replace(b"attached\r\n", b"attached\n"), "mime-malformed"),
             ("text behind", good + b"more", "mime-malformed"),
             ("header without end", good.replace(b"Content-ID: <a@house>", b"X: " + b"x" * 70000), "limit-parts"))
    report.equal(post(home, good).status, 200, "the twin of all of them")
    for what, octets, reason in cases:
        report.check(octets != good, f"{what}: nothing was changed")
        seen = len(home.upstream.requests)
        with home.client() as client:
            answer = client.post(octets, "/orders", mime.TYPE)
            report.equal(answer.status, 500, f"{what}: status")
        home.logged(client, reason)
        report.equal(len(home.upstream.requests), seen, f"{what}: requests that the upstream saw")


def a_changed_reply_stays_here(home):
    home.answer = reply(signed(home.acme, ("a@house", b"secret"), body=soap.ANSWER).replace(b"secret", b"secre!"))
    with home.client() as client:
        answer = client.post(soap.envelope(), "/replies")
    home.answer = None
    report.equal(answer.status, 502, "status")
    report.check(b"secre" not in answer.body, "content of a refused reply came through")
    home.logged(client, "digest-mismatch")


def an_xop_package_passes_as_it_came(home):
    octets = os.urandom(200_001)
    text = base64.b64encode(octets).decode()
    body = f'<o:GetOrder xmlns:o="urn:example:orders"><o:file>{text}</o:file></o:GetOrder>'
    include = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:file%40house"/>'
    envelope = soap.sign(home.sender, body=body).replace(text, include)
    message = mime.package(envelope, mime.part("file@house", octets), root=mime.XOP_ROOT)
    report.equal(post(home, message, content_type=mime.XOP).status, 200, "status")
    report.check(home.upstream.requests[-1].body == message, "the upstream received other octets")
    changed = message.replace(octets, octets[:-1] + bytes([octets[-1] ^ 1]))
    report.equal(post(home, changed, content_type=mime.XOP).status, 500, "status of a changed one")


def parts_of_a_removed_header_go_with_it(home):
    def include(name):
        return f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{name}%40house"/>'

    def package(pair):
        octets = os.urandom(5000)
        text = base64.b64encode(octets).decode()
        envelope = soap.sign(pair, body=f'<o:Answer xmlns:o="urn:example:orders"><o:file>{text}</o:file></o:Answer>')
        token = re.search(r"<wsse:BinarySecurityToken[^>]*>([^<]+)<", envelope).group(1)
        envelope = envelope.replace(text, include("file")).replace(token, include("token"))
        parts = (mime.part("token@house", base64.b64decode(token)), mime.part("file@house", octets))
        return octets, mime.package(envelope, *parts, root=mime.XOP_ROOT)

    def look(octets, of):
        (_, root), *others = mime.read(of, mime.XOP)
        report.check(b"Security" not in root and b"file%40house" in root, root[:300])
        report.equal(others, [("file@house", octets)], "the other parts")
    octets, message = package(home.acme)
    home.answer = reply(message, mime.XOP)
    answer = post(home, signed(home.sender), "/replies")
    home.answer = None
    report.equal((answer.status, answer.field("content-type")), (200, mime.XOP), "the reply")
    look(octets, answer.body)
    for sealed in (False, True):
        octets, message = package(home.sender)
        if sealed:
            name, out = (os.path.join(home.place, which) for which in ("plain.xop", "sealed.xop"))
            with open(name, "wb") as text:
                text.write(message)
            product.countersign("--keystore", home.keystore.uri, "encrypt", "--partner", "we", "--content-type", mime.XOP, name, "-o", out)
            with open(out, "rb") as text:
                message = text.read()
            report.check(b"CipherValue" in message, "the body is sealed")
        home.upstream.requests.clear()
        report.equal(post(home, message, "/opened", mime.XOP).status, 200, f"status, sealed: {sealed}")
        look(octets, home.upstream.requests[-1].body)


def what_the_gateway_signs_another_reader_verifies(home):
    parts = (("a@house", b"attached\x00\xff"), ("b&c@house", b"other"))
    message = mime.package(soap.envelope(), *(mime.part(i, octets) for i, octets in parts))
    report.equal(post(home, message, "/signed").status, 200, "status")
    seen = home.upstream.requests[-1]
    found = mime.read(seen.body, mime.TYPE)
    report.equal(found[1:], list(parts), "attachments")
    root = etree.fromstring(found[0][1])
    digests = {r.get("URI"): r.findtext(f"{{{soap.DS}}}DigestValue") for r in root.iter(f"{{{soap.DS}}}Reference")}
    for uri, octets in (("cid:a@house", parts[0][1]), ("cid:b%26c@house", parts[1][1])):
        report.equal(digests.get(uri), base64.b64encode(hashlib.sha256(octets).digest()).decode(), f"digest of {uri}")
    report.equal(post(home, seen.body).status, 200, "status of the same message where it is verified")


def attachments_are_sealed_on_one_way_and_opened_on_the_other(home):
    picture = os.urandom(200_000)
    message = mime.package(soap.envelope(), mime.part("picture@house", picture, "image/png"))
    report.equal(post(home, message, "/closed").status, 200, "status of the sealed way")
    sealed = home.upstream.requests[-1].body
    report.check(picture[:64] not in sealed and b"image/png" not in mime.read(sealed, mime.TYPE)[1][1], "the picture is in clear")
    report.equal(post(home, sealed, "/opened").status, 200, "status of the opened way")
    found = mime.read(home.upstream.requests[-1].body, mime.TYPE)
    report.equal(found[1], ("picture@house", picture), "the picture")
    report.check(b"4711" in found[0][1] and b"Security" not in found[0][1], "the SOAP part")
    report.equal(post(home, message, "/closed").status, 200, "status of another one")
    sealed = home.upstream.requests[-1].body
    at = sealed.index(b"\r\n\r\n", sealed.index(b"<picture@house>")) + 1000
    changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:]
    seen = len(home.upstream.requests)
    with home.client() as client:
        report.equal(client.post(changed, "/opened", mime.TYPE).status, 500, "status of a changed one")
    home.logged(client, "decryption-failed")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")


class Memory:
    """Watches how much of a process is in memory that is its own, and in none of its files."""

    def __init__(self, pid):
        self.pid = pid
        self.most = self.now()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def now(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))

    def _watch(self):
        while not self.stop.wait(0.005):
            self.most = max(self.most, self.now())

    def end(self):
        self.stop.set()
        self.thread.join()
        return max(self.most, self.now())


def a_hundred_megabytes_are_not_held_in_memory(home):
    octets = os.urandom(MB) * 100
    message = signed(home.sender, ("large@house", octets))
    memory = Memory(home.gateway.serving_pid)
    before = memory.most
    answer = post(home, message)
    most = memory.end()
    report.equal(answer.status, 200, "status")
    report.check(home.upstream.requests[-1].body == message, "the upstream received other octets")
    home.upstream.requests.clear()
    print(f"  # own memory {before >> 20} MB before, {most >> 20} MB at most")
    report.check(most - before < 32 * MB, f"{(most - before) >> 20} MB more than before")


def large_attachments_are_sealed_and_opened_in_files(home):
    octets = os.urandom(MB) * 60  # what a route without a policy of its own takes is 64 MB
    message = mime.package(soap.envelope(), mime.part("large@house", octets, "image/png"))
    memory = Memory(home.gateway.serving_pid)
    before = memory.most
    report.equal(post(home, message, "/closed").status, 200, "status of the sealed way")
    sealed = home.upstream.requests.pop().body
    report.check(octets[:64] not in sealed, "the attachment is in clear")
    report.equal(post(home, sealed, "/opened").status, 200, "status of the opened way")
    opened = home.upstream.requests.pop().body
    most = memory.end()
    report.check(opened.endswith(octets + b"\r\n--=_next--\r\n"), "other octets were opened")
    print(f"  # own memory {before >> 20} MB before, {most >> 20} MB at most")
    report.check(most - before < 32 * MB, f"{(most - before) >> 20} MB more than before")
    # the room in files is given back: eight more of them would be beyond the quota
    small = mime.package(soap.envelope(), mime.part("large@house", octets[:40 * MB], "image/png"))
    for _ in range(8):
        report.equal(post(home, small, "/closed").status, 200, "status of one more")
        home.upstream.requests.clear()
    changed = sealed[:-1000] + bytes([sealed[-1000] ^ 1]) + sealed[-999:]
    with home.client() as client:
        report.equal(client.post(changed, "/opened", mime.TYPE).status, 500, "status of a changed one")
    home.logged(client, "decryption-failed")
    report.equal(len(home.upstream.requests), 0, "requests that the upstream saw")


def main():
    with Home() as home:
        return report.run("attachments", [
            ("signed attachments pass both ways octet for octet", lambda: signed_attachments_pass_both_ways_octet_for_octet(home)),
            ("the Security header goes and the attachments stay", lambda: the_security_header_goes_and_the_attachments_stay(home)),
            ("what was changed is refused", lambda: what_was_changed_is_refused(home)),
            ("a changed reply stays here", lambda: a_changed_reply_stays_here(home)),
            ("an XOP package passes as it came", lambda: an_xop_package_passes_as_it_came(home)),
            ("parts of a removed header go with it", lambda: parts_of_a_removed_header_go_with_it(home)),
            ("what the gateway signs another reader verifies", lambda: what_the_gateway_signs_another_reader_verifies(home)),
            ("attachments are sealed on one way and opened on the other",
             lambda: attachments_are_sealed_on_one_way_and_opened_on_the_other(home)),
            ("a hundred megabytes are not held in memory", lambda: a_hundred_megabytes_are_not_held_in_memory(home)),
            ("large attachments are sealed and opened in files", lambda: large_attachments_are_sealed_and_opened_in_files(home)),
        ])


if __name__ == "__main__":
    sys.exit(main())
