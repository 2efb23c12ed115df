#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Large bodies: through the spool octet for octet, both ways; refused with 503 when memory or spool have no room, before
a declared body is read and in the middle of one that declared nothing; nothing stays behind."""
import glob
import os
import select
import socket
import sys
import threading

import house
import product
import report
import soap
import wire

LIMITS = 'memory 8M; body-memory 128k; spool {{ directory "{place}/spool"; quota 24M; }} loops 1; workers 1;'
MB = 1 << 20


class Home(house.House):
    """A gateway with little memory; its spool is in the directory of the test."""

    def __init__(self):
        self.spool = product.new_directory()
        super().__init__(extra=LIMITS.format(place=self.spool), response_timeout="120s")

    def spooled(self):
        """Descriptors of the gateway that lie in the spool."""
        found = []
        for link in glob.glob(f"/proc/{self.gateway.serving_pid}/fd/*"):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith(f"{self.spool}/spool/"):
                found.append(target)
        return found

    def nothing_left(self):
        report.until(lambda: not self.spooled(), what="the end of all spool files")
        report.equal(os.listdir(f"{self.spool}/spool"), [], "names in the spool directory")


def filled(octets):
    record = "<o:item><o:article>A-{:08d}</o:article></o:item>"
    count = octets // len(record.format(0))
    return '<o:GetOrder xmlns:o="urn:example:orders">' + "".join(record.format(i) for i in range(count)) + "</o:GetOrder>"


def in_chunks(octets, path="/raw", size=100003):
    head = f"POST {path} HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    pieces = [octets[i:i + size] for i in range(0, len(octets), size)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def a_large_signed_message_passes_both_ways_octet_for_octet(home):
    message = soap.sign(home.sender, body=filled(5 * MB)).encode()
    answer = soap.sign(home.acme, body=filled(4 * MB)).encode()
    home.answer = wire.reply_octets(answer)
    with home.client() as client:
        reply = client.post(message)
    home.answer = None
    report.equal(reply.status, 200, "status")
    report.check(home.upstream.requests[-1].body == message, "the upstream received other octets")
    report.check(reply.body == answer, "the client received other octets")
    home.nothing_left()


def a_chunked_body_goes_on_with_its_length(home):
    octets = os.urandom(3 * MB + 17)
    home.answer = wire.reply_octets(octets[::-1])
    with home.client() as client:
        client.send(in_chunks(octets))
        reply = client.reply()
    home.answer = None
    report.equal(reply.status, 200, "status")
    seen = home.upstream.requests[-1]
    report.equal(seen.fields.get("content-length"), str(len(octets)), "Content-Length upstream")
    report.check("transfer-encoding" not in seen.fields, "chunked went on")
    report.check(seen.body == octets and reply.body == octets[::-1], "other octets came through")
    home.nothing_left()


def a_body_in_the_spool_has_no_name(home):
    octets = b"x" * (2 * MB)
    whole = wire.post_octets(octets, "/raw")
    with home.client() as client:
        client.send(whole[:-10])
        files = report.until(home.spooled, what="a spool file")
        if not all("deleted" in f or "#" in f for f in files):  # a file system that makes no file without a name: it lasts a moment
            report.until(lambda: all("deleted" in f for f in home.spooled()), what="the end of their names")
        report.equal(os.listdir(f"{home.spool}/spool"), [], "names in the spool directory")
        client.send(whole[-10:])
        report.equal(client.reply().status, 200, "status")
    home.nothing_left()


def refused(home, octets, reason):
    with home.client() as client:
        try:
            client.send(octets)
        except OSError:
            pass
        reply = client.reply()
        report.equal((reply.status, reply.field("retry-after")), (503, "1"), "status and Retry-After")
        report.equal(reply.field("connection"), "close", "Connection")
    home.logged(client, reason)


def a_declared_body_beyond_the_quota_is_refused_before_it_is_read(home):
    seen = len(home.upstream.requests)
    head = f"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {30 * MB}\r\n\r\n"
    refused(home, head.encode(), "spool-full")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")
    home.good()
    home.nothing_left()


def a_chunked_body_is_refused_when_the_quota_is_reached(home):
    seen = len(home.upstream.requests)
    refused(home, in_chunks(b"x" * (30 * MB)), "spool-full")
    report.equal(len(home.upstream.requests), seen, "requests that the upstream saw")
    home.good()
    home.nothing_left()


def many_bodies_at_once_use_no_more_than_there_is(home):
    """Promises are held by bodies under way; who comes too late is refused, and later served again."""
    head = f"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {7 * MB}\r\n\r\n".encode()
    clients = [home.client() for _ in range(3)]
    for client in clients:
        client.send(head + b"x")
    report.until(lambda: len(home.spooled()) == 0 and home_waits(home, clients), what="three bodies under way")
    refused(home, head, "spool-full")
    clients[0].close()
    report.until(lambda: home.gateway.records_of(clients[0]), what="the end of one")
    with home.client() as client:
        client.send(head + b"x" * (7 * MB))
        report.equal(client.reply().status, 200, "status once there is room")
    for client in clients[1:]:
        client.close()
    home.nothing_left()


def home_waits(home, clients):
    """Has the gateway accepted the heads? A head refused would be in the log."""
    home.good()
    mine = [r for c in clients for r in home.gateway.records_of(c)]
    report.equal(mine, [], "refusals")
    return True


def a_reply_beyond_the_quota_is_refused(home):
    home.answer = [f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {30 * MB}\r\n\r\n".encode(), b"secret"]
    with home.client() as client:
        reply = client.post(soap.envelope(), "/raw")
    home.answer = None
    report.equal(reply.status, 503, "status")
    home.logged(client, "spool-full")
    home.good()
    home.nothing_left()


def a_client_is_not_read_while_its_first_request_is_under_way(home):
    """What it sends ahead waits in its own socket, not in our memory, and is served when its turn comes."""
    release = threading.Event()
    home.answer = lambda request: release.wait(report.PATIENCE_S) and wire.reply_octets(b"<a/>")
    seen = len(home.upstream.requests)
    body = os.urandom(20 * MB)
    second = wire.post_octets(body, "/raw")
    with home.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        client.send(wire.post_octets(b"<a/>", "/raw"))
        report.until(lambda: len(home.upstream.requests) == seen + 1, what="the first request at the upstream")
        sent = 0
        while select.select([], [client.sock], [], 1)[1] and sent < len(second):
            sent += client.sock.send(second[sent:sent + 65536])
        report.check(sent < 10 * MB, f"{sent} octets were taken ahead")
        report.equal(home.spooled(), [], "spool files of what is not read")
        release.set()
        report.equal(client.reply().status, 200, "status of the first")
        client.sock.sendall(second[sent:])
        report.equal(client.reply().status, 200, "status of the second")
    home.answer = None
    report.check(home.upstream.requests[-1].body == body, "the upstream received other octets")
    home.nothing_left()


def a_reply_without_end_is_not_read_beyond_the_quota(home):
    poured = []

    def pour(request):
        sock = request.socket
        sent = 0
        try:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
            while sent < 200 * MB:
                sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
        poured.append(sent)
    home.answer = pour
    with home.client() as client:
        reply = client.post(soap.envelope(), "/raw")
    home.answer = None
    report.equal(reply.status, 503, "status")
    record = home.logged(client, "spool-full")
    report.until(lambda: poured, what="the end of the upstream's connection")
    report.check(record["response"]["bytes"] <= 24 * MB, f"{record['response']['bytes']} octets were kept")
    report.check(poured[0] < 48 * MB + wire.kernel_room(), f"{poured[0]} octets of the reply were taken")
    home.good()
    home.nothing_left()


def a_directory_that_others_may_enter_stops_the_start(home):
    place = product.new_directory()
    os.chmod(place, 0o755)
    path = os.path.join(home.place, "checked.conf")
    with open(path, "w", encoding="utf-8") as conf:
        conf.write(f'keystore sqlite "{home.keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\nspool {{ directory "{place}"; }}\n')
    done = product.countersign("-c", path, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, done.stderr)
    report.check(":3:1: " in done.stderr and "chmod 0700" in done.stderr, done.stderr)


TESTS = [a_directory_that_others_may_enter_stops_the_start, a_large_signed_message_passes_both_ways_octet_for_octet, a_chunked_body_goes_on_with_its_length,
         a_body_in_the_spool_has_no_name, a_declared_body_beyond_the_quota_is_refused_before_it_is_read,
         a_chunked_body_is_refused_when_the_quota_is_reached, many_bodies_at_once_use_no_more_than_there_is,
         a_reply_beyond_the_quota_is_refused, a_client_is_not_read_while_its_first_request_is_under_way,
         a_reply_without_end_is_not_read_beyond_the_quota]


def main():
    with Home() as home:
        report.run("bodies", [(f.__name__.replace("_", " "), lambda f=f: f(home)) for f in TESTS])


if __name__ == "__main__":
    sys.exit(main())
