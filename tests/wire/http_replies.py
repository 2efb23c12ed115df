#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Upstreams that are down, lie about their framing, cut, flood or say nothing: the client gets a plain 502 or 504 and
not one octet of the reply; the connection to the upstream is never used again."""
import socket
import struct
import sys
import threading

import house
import keys
import product
import report
import soap
import wire

SECRET = b"secret" * 20


def reply(fields, body=SECRET, status="200 OK", version="HTTP/1.1"):
    return f"{version} {status}\r\nContent-Type: text/xml\r\n{fields}\r\n".encode("latin-1") + body


def length(octets):
    return f"Content-Length: {octets}\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = b"78\r\n" + SECRET + b"\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"

# name, octets of the upstream, reason
FRAMING = "upstream-framing"
REFUSED = [
    ("length and chunked", reply(length(5) + CHUNKED, CHUNKS), FRAMING),
    ("two lengths", reply(length(120) + length(120)), FRAMING),
    ("length with a sign", reply(length("+120")), FRAMING),
    ("coding list", reply("Transfer-Encoding: gzip, chunked\r\n", CHUNKS), FRAMING),
    ("chunked on 1.0", reply(CHUNKED, CHUNKS, version="HTTP/1.0"), FRAMING),
    ("bad chunk size", reply(CHUNKED, b"0x78\r\n" + SECRET + b"\r\n0\r\n\r\n"), FRAMING),
    ("bad chunk end", reply(CHUNKED, b"78\r\n" + SECRET + b"\n0\r\n\r\n"), FRAMING),
    ("trailer that names framing", reply(CHUNKED, CHUNKS[:-2] + b"Content-Length: 1\r\n\r\n"), FRAMING),
    ("neither length nor chunked", reply(""), FRAMING),
    ("HTTP/0.9", b"<html>" + SECRET + b"</html>", FRAMING),
    ("HTTP/2.0", reply(length(120), version="HTTP/2.0"), FRAMING),
    ("status of four digits", reply(length(120), status="2000 OK"), FRAMING),
    ("bare LF", reply(length(120)).replace(b"\r\n", b"\n"), FRAMING),
    ("fold", reply("X: 1\r\n 2\r\n" + length(120)), FRAMING),
    ("NUL in a value", reply("X: \0\r\n" + length(120)), FRAMING),
    ("huge head", reply("".join(f"X{i}: {'a' * 1000}\r\n" for i in range(40)) + length(120)), FRAMING),
    ("101", reply("Connection: Upgrade\r\nUpgrade: x\r\n", status="101 Switching Protocols"), FRAMING),
    ("204 with a body", reply(length(120), status="204 No Content"), FRAMING),
    ("interim flood", INTERIM * 9 + reply(length(120)), FRAMING),
    ("interim without end", INTERIM * 5000, FRAMING),
    ("declared body over the limit", reply(length(70000000)), "limit-body"),
    ("chunk over the limit", reply(CHUNKED, b"4300000\r\n" + SECRET), "limit-body"),
]

# what no signature can be found in, on a route that demands one; reason and whether the client gets a fault
UNSIGNED = [
    ("an HTML page", wire.reply_octets(b"<html>secret</html>", content_type="text/html"), None),
    ("an empty 200", wire.reply_octets(b""), None),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", None),
    ("a redirect", wire.reply_octets(b"secret", status="302 Found", fields=["Location: http://evil.test/"]), None),
    ("a coded body", wire.reply_octets(b"secret", fields=["Content-Encoding: gzip"]), None),
    ("206", wire.reply_octets(b"secret", status="206 Partial Content", fields=["Content-Range: bytes 0-5/10"]), None),
    ("500 without SOAP", wire.reply_octets(b"secret", status="500 Internal Server Error", content_type="text/plain"), None),
    ("an unsigned SOAP answer", wire.reply_octets(soap.envelope(soap.ANSWER)), "no-security"),
    ("an unsigned SOAP fault", wire.reply_octets(soap.envelope(
        "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>secret</faultstring></soap:Fault>"),
        status="500 Internal Server Error"), "no-security"),
]


def refused(home, octets, reason):
    connections = home.upstream.connections
    home.refused_reply(octets, 502, reason)
    report.check(home.upstream.connections > connections, "the good call went over the connection of the bad reply")


def unsigned(home, octets, reason):
    seen = len(home.upstream.requests)
    home.answer = octets
    with home.client() as client:
        answer = client.post(soap.envelope(), "/replies")
    home.answer = None
    report.equal(answer.status, 502, "status")
    report.check(b"secret" not in answer.body and b"shipped" not in answer.body, "content of a refused reply came through")
    report.check(answer.field("location") is None, "Location came through")
    report.equal(len(home.upstream.requests), seen + 1, "requests that the upstream saw")
    record = home.record(client)
    found = product.reason_of(record)
    report.check(found != "ok" if reason is None else found == reason, f"reason in the access log: {found}")
    home.good()


def accepted_one_way(home):
    """202 without a body is the answer to a one-way call."""
    home.answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    with home.client() as client:
        report.equal(client.post(soap.envelope(), "/replies").status, 202, "status")
    home.answer = None


def cut_everywhere(home):
    """The upstream closes at places all over its reply: always 502, never a part of it."""
    whole = wire.reply_octets(soap.sign(home.acme))
    head = whole.index(b"\r\n\r\n") + 4
    for cut in (0, 1, 12, head - 1, head, head + 1, (head + len(whole)) // 2, len(whole) - 1):
        home.answer = lambda _, c=cut: whole[:c]
        home.upstream.close_after = True
        with home.client() as client:
            answer = client.post(soap.envelope(), "/replies")
        home.upstream.close_after = False
        home.answer = None
        report.equal(answer.status, 502, f"status when cut at {cut}")
        report.check(b"shipped" not in answer.body, "a part of a cut reply came through")
        home.logged(client, "upstream-closed")
    home.good()


def cut_chunked(home):
    home.upstream.close_after = True
    home.answer = reply(CHUNKED, CHUNKS[:-5])
    with home.client() as client:
        report.equal(client.post(soap.envelope(), "/raw").status, 502, "status")
    home.upstream.close_after = False
    home.answer = None
    home.logged(client, "upstream-closed")
    home.good()


def silent():
    """The upstream takes the request and says nothing, or stops in the middle."""
    with house.House(extra="loops 1;", response_timeout="2s") as home:
        for pieces in ([], [b"HTTP/1.1 200 OK\r\n"], [reply(length(1000), b"secret")]):
            home.answer = slow = Slow(pieces)
            with home.client() as client:
                answer = client.post(soap.envelope(), "/replies")
            home.answer = None
            slow.over.set()
            report.equal(answer.status, 504, "status")
            report.check(b"secret" not in answer.body, "content of a refused reply came through")
            home.logged(client, "upstream-timeout")


class Slow(list):
    """Pieces, and then nothing until it is over: iterated by the upstream's thread."""

    def __init__(self, pieces):
        super().__init__(pieces)
        self.over = threading.Event()

    def __iter__(self):
        yield from list.__iter__(self)
        self.over.wait(report.PATIENCE_S)


def octets_behind(home):
    """What stands behind a complete reply is not the next client's answer."""
    good = wire.reply_octets(soap.sign(home.acme))
    evil = wire.reply_octets(b"secret")
    home.answer = good + evil
    with home.client() as client:
        report.equal(client.post(soap.envelope(), "/replies").status, 200, "status")
        home.answer = None
        for _ in range(3):
            answer = client.post(soap.envelope(), "/raw")
            report.check(b"secret" not in answer.body, "the octets behind came through")
    home.good()


def in_pieces(home):
    """A good reply octet by octet, chunked, behind two 1xx: passes, with Content-Length."""
    text = soap.sign(home.acme).encode()
    body = b"".join(b"%x\r\n%s\r\n" % (len(text[i:i + 700]), text[i:i + 700]) for i in range(0, len(text), 700)) + b"0\r\nX-T: 1\r\n\r\n"
    octets = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply(CHUNKED, body)
    home.answer = lambda _: [octets[i:i + 1] for i in range(len(octets))]
    with home.client() as client:
        answer = client.post(soap.envelope(), "/replies")
    home.answer = None
    report.equal(answer.status, 200, "status")
    report.equal(answer.body, text, "body")
    report.equal(answer.field("content-length"), str(len(text)), "Content-Length")
    report.check(answer.field("transfer-encoding") is None and answer.field("link") is None, "framing or 1xx fields came through")


def hop_by_hop_stays(home):
    fields = ["Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Upgrade: h2c", "Proxy-Authenticate: Basic", "X-Through: yes"]
    home.answer = wire.reply_octets(b"x", fields=fields)
    with home.client() as client:
        answer = client.post(soap.envelope(), "/raw")
    home.answer = None
    for name in ("x-hop", "upgrade", "proxy-authenticate"):
        report.check(answer.field(name) is None, f"{name} came through")
    report.equal(answer.field("x-through"), "yes", "an end-to-end field")


def head_has_no_body(home):
    home.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    with home.client() as client:
        client.send(b"HEAD /raw HTTP/1.1\r\nHost: a\r\n\r\n")
        start, fields = client.stream.head()
        report.equal((start.split()[1], fields.get("content-length")), ("200", "5000"), "reply to HEAD")
        home.answer = None
        report.equal(client.post(soap.envelope(), "/raw").status, 200, "the call behind it")


def answered_and_reset():
    """A receiver answers in the middle of a large request and resets the connection: its answer was lost whenever the
    failed write was noticed before the octets that could still be read."""
    place = product.new_directory()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = "http://127.0.0.1:%d/" % listener.getsockname()[1]
        with product.Gateway(place, product.Keystore(place), f'route raw {{ listener front; path "/"; upstream "{url}"; }}') as gateway:
            for _ in range(40):
                with wire.Client(gateway.address) as client:
                    client.send(wire.post_octets(b"x" * (6 << 20), "/"))
                    peer = listener.accept()[0]
                    stream = wire.Stream(peer)
                    stream.head()
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    peer.sendall(wire.reply_octets(b"too large", status="413 Too Large"))
                    peer.close()
                    report.equal(client.reply().status, 413, "status")


def upstream_reused_and_closed(home):
    """An idle connection that the upstream closed is noticed: the next call takes a new one and is sent once."""
    home.good()
    home.upstream.close_after = True
    home.good()
    used = home.upstream.requests[-1].socket
    report.until(lambda: used.fileno() == -1, what="the end of the upstream's connection")
    home.upstream.close_after = False
    for _ in range(3):
        home.good()


def upstream_down():
    """Nothing listens: 502, and calls pass as soon as something does."""
    place = product.new_directory()
    acme = keys.new_pair(place, "acme")
    keystore = product.Keystore(place)
    keystore.add_verifier(acme)
    port = wire.unused_port()
    routes = f'''partner acme {{ }}
route replies {{ listener front; path "/replies"; methods POST; upstream "http://127.0.0.1:{port}/soap"; response {{ verify acme; }} }}'''
    with product.Gateway(place, keystore, routes) as gateway, wire.Client(gateway.address) as client:
        answer = client.post(soap.envelope(), "/replies")
        report.equal(answer.status, 502, "status")
        report.equal(product.reason_of(gateway.logged_count(1)), "upstream-connect", "reason in the access log")
        with wire.Upstream(lambda _: wire.reply_octets(soap.sign(acme))) as upstream:
            gateway.configure(routes.replace(str(port), str(upstream.port)))
            gateway.reload()
            report.until(lambda: client.post(soap.envelope(), "/replies").status == 200, what="the call to pass")


TOLD = [accepted_one_way, cut_everywhere, cut_chunked, octets_behind, in_pieces, hop_by_hop_stays, head_has_no_body,
        upstream_reused_and_closed]


def main():
    with house.House(extra="loops 1;") as home:
        tests = [(f"refused: {name}", lambda o=octets, r=reason: refused(home, o, r)) for name, octets, reason in REFUSED]
        tests += [(f"never passes: {name}", lambda o=octets, r=reason: unsigned(home, o, r)) for name, octets, reason in UNSIGNED]
        tests += [(f.__name__.replace("_", " "), lambda f=f: f(home)) for f in TOLD]
        tests += [("silent", silent), ("upstream down", upstream_down), ("answered and reset", answered_and_reset)]
        report.run("http replies", tests)


if __name__ == "__main__":
    sys.exit(main())
