#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Requests on raw sockets: malformed ones are answered with a plain 4xx, closed, logged with their reason, and never
reach the upstream; the good ones reach it in one unmistakable form."""
import socket
import sys
import time

import house
import report
import soap
import wire

BODY = soap.envelope().encode()


def get(fields="", start="GET /raw HTTP/1.1", host="Host: gateway.test\r\n"):
    return f"{start}\r\n{host}{fields}\r\n".encode("latin-1")


def post(fields, body=b"", path="/raw", version="HTTP/1.1"):
    return f"POST {path} {version}\r\nHost: gateway.test\r\nContent-Type: text/xml\r\n{fields}\r\n".encode("latin-1") + body


def chunked(body, fields=""):
    return post("Transfer-Encoding: chunked\r\n" + fields, body)


def length(octets, extra=""):
    return f"Content-Length: {octets}\r\n{extra}"


# name, octets, status, reason
REFUSED = [
    ("HTTP/0.9", b"GET /raw\r\n", 400, "http-request-line"),
    ("HTTP/1.2", get(start="GET /raw HTTP/1.2"), 400, "http-request-line"),
    ("HTTP/3.0", get(start="GET /raw HTTP/3.0"), 400, "http-request-line"),
    ("tab in the request line", get(start="GET\t/raw HTTP/1.1"), 400, "http-request-line"),
    ("two blanks in the request line", get(start="GET  /raw HTTP/1.1"), 400, "http-request-line"),
    ("control in the target", get(start="GET /raw\x01 HTTP/1.1"), 400, "http-request-line"),
    ("TLS to a plain port", bytes.fromhex("16030100c8010000c4"), 400, "http-request-line"),
    ("bare LF", b"GET /raw HTTP/1.1\nHost: a\n\n", 400, "http-line-end"),
    ("bare CR in a value", get("X: 1\r2\r\n"), 400, "http-line-end"),
    ("CR CR LF", get("X: 1\r\r\n"), 400, "http-line-end"),
    ("fold", get("X: 1\r\n 2\r\n"), 400, "http-fold"),
    ("fold on the first field", get(host=" Host: gateway.test\r\n"), 400, "http-fold"),
    ("NUL in a value", get("X: \0\r\n"), 400, "http-field"),
    ("blank before the colon", get("X : 1\r\n"), 400, "http-field"),
    ("no colon", get("X\r\n"), 400, "http-field"),
    ("empty name", get(": 1\r\n"), 400, "http-field"),
    ("Connection names Content-Type", get("Connection: Content-Type\r\n"), 400, "http-field"),
    ("no Host", get(host=""), 400, "http-host"),
    ("two Hosts", get("Host: gateway.test\r\n"), 400, "http-host"),
    ("no Host on 1.0", get(start="GET /raw HTTP/1.0", host=""), 400, "http-host"),
    ("absolute target of another host", get(start="GET http://other.test/raw HTTP/1.1"), 400, "http-host"),
    ("empty segment", get(start="GET //raw HTTP/1.1"), 400, "http-target"),
    ("dot segments", get(start="GET /x/../raw HTTP/1.1"), 400, "http-target"),
    ("encoded dot segments", get(start="GET /x/%2e%2E/raw HTTP/1.1"), 400, "http-target"),
    ("encoded NUL", get(start="GET /raw%00 HTTP/1.1"), 400, "http-target"),
    ("asterisk", get(start="OPTIONS * HTTP/1.1"), 400, "http-target"),
    ("length with a sign", post(length("+5"), b"hello"), 400, "http-length"),
    ("length as a list", post(length("5, 5"), b"hello"), 400, "http-length"),
    ("length of nothing", post(length(""), b"hello"), 400, "http-length"),
    ("length overflow", post(length("18446744073709551621"), b"hello"), 400, "http-length"),
    ("two equal lengths", post(length(5, length(5)), b"hello"), 400, "http-length"),
    ("two lengths", post(length(5, length(6)), b"hello!"), 400, "http-length"),
    ("length and chunked", post(length(5, "Transfer-Encoding: chunked\r\n"), b"0\r\n\r\n"), 400, "http-length"),
    ("chunked and length", post("Transfer-Encoding: chunked\r\n" + length(5), b"0\r\n\r\n"), 400, "http-length"),
    ("length and an odd coding", post(length(5, "Transfer-Encoding: xchunked\r\n"), b"hello"), 400, "http-length"),
    ("coding list", post("Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400, "http-transfer-encoding"),
    ("two codings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, "http-transfer-encoding"),
    ("identity", post("Transfer-Encoding: identity\r\n", b""), 400, "http-transfer-encoding"),
    ("chunked on 1.0", post("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", version="HTTP/1.0"), 400, "http-transfer-encoding"),
    ("chunk size with a prefix", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 400, "http-chunk"),
    ("chunk size with a blank", chunked(b"5 \r\nhello\r\n0\r\n\r\n"), 400, "http-chunk"),
    ("chunk size overflow", chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, "http-chunk"),
    ("chunk line with bare LF", chunked(b"5\nhello\r\n0\r\n\r\n"), 400, "http-chunk"),
    ("chunk without CRLF behind", chunked(b"5\r\nhello0\r\n\r\n"), 400, "http-chunk"),
    ("chunk extension over the limit", chunked(b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n"), 400, "http-chunk"),
    ("trailer that names framing", chunked(b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"), 400, "http-trailer"),
    ("trailer that names a host", chunked(b"5\r\nhello\r\n0\r\nHost: a\r\n\r\n"), 400, "http-trailer"),
    ("huge field", get("X: " + "a" * 9000 + "\r\n"), 431, "http-head-size"),
    ("huge head", get("".join(f"X{i}: {'a' * 1000}\r\n" for i in range(40))), 431, "http-head-size"),
    ("many fields", get("".join(f"X{i}: a\r\n" for i in range(200))), 431, "http-head-size"),
    ("endless field", b"GET /raw HTTP/1.1\r\nX: " + b"a" * 40000, 431, "http-head-size"),
    ("huge target", get(start="GET /raw" + "a" * 9000 + " HTTP/1.1"), 414, "http-target-size"),
    ("declared body over the limit", post(length(70000000)), 413, "limit-body"),
    ("announced chunk over the limit", chunked(b"4300000\r\nhello"), 413, "limit-body"),
    ("GET with a body", get(length(5)) + b"hello", 405, "http-method"),
    ("GET chunked", get("Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 405, "http-method"),
    ("method that the route lacks", get(start="DELETE /raw HTTP/1.1"), 405, "http-method"),
    ("method that nobody knows", get(start="BREW /raw HTTP/1.1"), 405, "http-method"),
    ("GET on a checked route", get(start="GET /orders HTTP/1.1"), 405, "http-method"),
    ("PUT on a checked route", post(length(5), b"hello", path="/orders").replace(b"POST", b"PUT", 1), 405, "http-method"),
    ("upgrade", get("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), 400, "http-upgrade"),
    ("CONNECT", get(start="CONNECT a:443 HTTP/1.1"), 400, "http-upgrade"),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http-upgrade"),
    ("POST without a length", post(""), 411, "http-length-missing"),
    ("other expectation", post(length(5, "Expect: miracles\r\n"), b"hello"), 417, "http-expect"),
    ("coded body", post(length(5, "Content-Encoding: gzip\r\n"), b"hello"), 415, "http-content"),
    ("no SOAP kind", wire.post_octets(BODY, content_type="text/html"), 415, "http-content"),
    ("two Content-Types", wire.post_octets(BODY, fields=["Content-Type: text/xml"]), 415, "http-content"),
    ("unknown path and unknown method", get(start="BREW /nowhere HTTP/1.1"), 404, "route-unknown"),
    ("unknown path", get(start="GET /nowhere HTTP/1.1"), 404, "route-unknown"),
    ("path that only begins like one", get(start="GET /rawer HTTP/1.1"), 404, "route-unknown"),
]


def refused(home, octets, status, reason):
    reply, _ = home.refused_request(octets, status, reason)
    if status == 405:
        report.check(reply.field("allow"), "405 without Allow")


def refused_in_pieces(home):
    """The same, octet by octet, for one of each kind."""
    for name in ("HTTP/0.9", "bare LF", "fold", "length and chunked", "chunk size with a prefix", "trailer that names a host"):
        _, octets, status, reason = next(row for row in REFUSED if row[0] == name)
        with home.client() as client:
            try:
                for i in range(len(octets)):
                    client.send(octets[i:i + 1])
            except OSError:
                pass  # refused and closed before the last octet
            report.equal(client.reply().status, status, f"status of {name}")
        home.logged(client, reason)
    home.good()


def smuggled_second(home):
    """What stands behind a refused request is not read as another one."""
    inner = get(start="GET /raw HTTP/1.1")
    octets = post(length(len(inner), "Transfer-Encoding: chunked\r\n"), b"0\r\n\r\n" + inner)
    home.refused_request(octets, 400, "http-length")


def echo(request):
    return wire.reply_octets(request.body, fields=["X-Start: " + request.start])


def raw_call(home, octets):
    """Send octets to the route without checks. @return (reply, what the upstream received)"""
    home.answer = echo
    with home.client() as client:
        client.send(octets)
        reply = client.reply()
    home.answer = None
    return reply, home.upstream.requests[-1]


def chunked_becomes_length(home):
    reply, seen = raw_call(home, chunked(b"5;x=1\r\nhello\r\n6;y\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n", "TE: trailers\r\nConnection: TE\r\n"))
    report.equal((reply.status, reply.body), (200, b"hello world"), "reply")
    report.equal(seen.body, b"hello world", "body at the upstream")
    report.equal(seen.fields.get("content-length"), "11", "Content-Length at the upstream")
    for name in ("transfer-encoding", "te", "trailer", "x-trailer", "connection"):
        report.check(name not in seen.fields or (name, seen.fields[name]) == ("connection", "keep-alive"), f"{name} went on")


def chunked_octet_by_octet(home):
    octets = chunked(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
    home.answer = echo
    with home.client() as client:
        for i in range(len(octets)):
            client.send(octets[i:i + 1])
        report.equal(client.reply().body, b"hello!", "body")
    home.answer = None


def hop_by_hop_stays(home):
    fields = length(1, "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nAccept-Encoding: gzip\r\nRange: bytes=0-0\r\n"
                    "If-Range: x\r\nContent_Length: 9\r\nX-Through: yes\r\n")
    _, seen = raw_call(home, post(fields, b"x"))
    for name in ("x-hop", "keep-alive", "proxy-connection", "accept-encoding", "range", "if-range", "content_length"):
        report.check(name not in seen.fields, f"{name} went on")
    report.equal(seen.fields.get("x-through"), "yes", "an end-to-end field")
    report.equal(seen.fields.get("host"), f"127.0.0.1:{home.upstream.port}", "Host at the upstream")


def blanks_around_values(home):
    reply, seen = raw_call(home, b"\r\n" + post("Content-Length: \t 1 \t\r\nX:\t a \r\n", b"x"))
    report.equal((reply.status, seen.fields.get("x")), (200, "a"), "reply and field")


def absolute_form(home):
    reply, seen = raw_call(home, get(start="GET http://gateway.test/raw HTTP/1.1"))
    report.equal(reply.status, 200, "status")
    report.check(seen.start.startswith("GET /soap"), f"start line at the upstream: {seen.start}")


def keep_alive(home):
    with home.client() as client:
        for _ in range(5):
            reply = client.post(soap.sign(home.sender, body=soap.ORDER))
            report.equal(reply.status, 200, "status")
    report.check(reply.field("connection") in (None, "keep-alive"), "Connection on a kept connection")


def connection_close(home):
    with home.client() as client:
        reply = client.post(soap.sign(home.sender, body=soap.ORDER), fields=["Connection: close"])
        report.equal(reply.status, 200, "status")
        report.check(client.closed(), "the connection was not closed")


def one_zero_closes(home):
    home.answer = echo
    with home.client() as client:
        client.send(post(length(2), b"hi", version="HTTP/1.0"))
        report.equal(client.reply().body, b"hi", "body")
        report.check(client.closed(), "the connection was not closed")
    home.answer = None


def pipelining(home):
    """Two requests in one write are answered in their order; the second reaches the upstream after the first's reply."""
    order = []

    def slow_first(_):
        time.sleep(0.2)  # the second must wait for this, however long
        order.append(len(home.upstream.requests))
        return wire.reply_octets(b"first")

    home.answer = lambda request: echo(request) if b"second" in request.body else slow_first(request)
    seen = len(home.upstream.requests)
    with home.client() as client:
        client.send(post(length(5), b"first") + post(length(6), b"second"))
        replies = [client.reply().body, client.reply().body]
    home.answer = None
    report.equal(replies, [b"first", b"second"], "replies")
    report.equal(order, [seen + 1], "requests at the upstream while the first was unanswered")


def pipelined_behind_bad(home):
    """Behind a refusal the connection ends: what was pipelined is not served."""
    seen = len(home.upstream.requests)
    with home.client() as client:
        client.send(post(length("x")) + post(length(6), b"second"))
        report.equal(client.reply().status, 400, "status")
        report.check(client.closed(), "something came behind the refusal")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")


def expect_continue(home):
    body = soap.sign(home.sender, body=soap.ORDER).encode()
    head, _ = wire.post_octets(body, fields=["Expect: 100-continue"]).split(b"\r\n\r\n", 1)
    with home.client() as client:
        client.send(head + b"\r\n\r\n")
        report.equal(client.reply().status, 100, "interim status")
        client.send(body)
        report.equal(client.reply().status, 200, "status")
    report.check("expect" not in home.upstream.requests[-1].fields, "Expect went on")


def expect_refused(home):
    """Who will be refused anyway is not asked to send."""
    head, _ = wire.post_octets(b"x" * 10, path="/nowhere", fields=["Expect: 100-continue"]).split(b"\r\n\r\n", 1)
    home.refused_request(head + b"\r\n\r\n", 404, "route-unknown")
    head = post(length(70000000, "Expect: 100-continue\r\n"))
    home.refused_request(head, 413, "limit-body")


def counted_over_limit(home):
    """Chunks that add up to more than the limit are not read on."""
    seen = len(home.upstream.requests)
    piece = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    most = 80 + (wire.kernel_room() >> 20)
    sent = 0
    with home.client() as client:
        client.send(chunked(b""))
        try:
            for _ in range(most):
                client.send(piece)
                sent += 1
        except OSError:
            pass
        report.check(sent < most, "all was taken")
    home.logged(client, "limit-body")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")
    home.good()


def half_sent(home):
    """A client that leaves in the middle harms nobody."""
    whole = wire.post_octets(soap.sign(home.sender, body=soap.ORDER))
    seen = len(home.upstream.requests)
    for cut in (1, 20, whole.index(b"\r\n\r\n") + 3, whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
        with home.client() as client:
            client.send(whole[:cut])
            client.sock.shutdown(socket.SHUT_WR)
            try:
                report.check(client.sock.recv(12) in (b"", b"HTTP/1.1 400"), "an answer to half a request")
            except OSError:
                pass
        home.logged(client, "client-gone")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")
    home.good()


ACCEPTED = [chunked_becomes_length, chunked_octet_by_octet, hop_by_hop_stays, blanks_around_values, absolute_form, keep_alive,
            connection_close, one_zero_closes, pipelining, pipelined_behind_bad, expect_continue, expect_refused,
            counted_over_limit, half_sent, refused_in_pieces, smuggled_second]


def main():
    with house.House() as home:
        tests = [(f"refused: {name}", lambda o=octets, s=status, r=reason: refused(home, o, s, r)) for name, octets, status, reason in REFUSED]
        tests += [(f.__name__.replace("_", " "), lambda f=f: f(home)) for f in ACCEPTED]
        report.run("http requests", tests)


if __name__ == "__main__":
    sys.exit(main())
