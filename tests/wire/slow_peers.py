#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Clients that are slow to send or to read: they lose their own connection after the configured time, nobody else waits."""
import resource
import socket
import sys
import time

import house
import report
import soap
import wire

LIMITS = "timeouts { head 3s; body-idle 3s; body-rate 1k; keep-alive 3s; write-idle 4s; }"  # a good call of a slow machine is faster
LARGE = 8 << 20


def answered_408(home, reason, pieces):
    """Send pieces, then nothing: 408 and the end of the connection, not at once, and nothing upstream."""
    seen = len(home.upstream.requests)
    started = time.monotonic()
    with home.client() as client:
        for piece in pieces:
            client.send(piece)
        home.good()  # nobody else waits
        report.equal(client.reply().status, 408, "status")
        report.check(client.closed(), "the connection was not closed")
    report.check(time.monotonic() - started > 1, "before the configured time")
    home.logged(client, reason)
    report.equal(len(home.upstream.requests), seen + 1, "requests that the upstream saw beside the good one")


def half_a_head(home):
    answered_408(home, "http-head-timeout", [b"POST /orders HTTP/1.1\r\nHost: gate"])


def half_a_body(home):
    whole = wire.post_octets(soap.sign(home.sender, body=soap.ORDER))
    answered_408(home, "http-body-timeout", [whole[:-100]])


def half_a_chunk(home):
    head = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    answered_408(home, "http-body-timeout", [head + b"100\r\nabc"])


def trickled_head(home):
    """An octet now and then does not prolong the time for the head."""
    started = time.monotonic()
    with home.client() as client:
        client.send(b"POST /orders HTTP/1.1\r\nHost: a\r\n")
        client.sock.settimeout(0.1)
        octets = b""
        while not octets and time.monotonic() - started < report.PATIENCE_S:
            try:
                client.send(b"X: 1\r\n")
                octets = client.sock.recv(100)
            except socket.timeout:
                pass
            except OSError:
                break
        report.check(time.monotonic() - started < report.PATIENCE_S, "the head was waited for without end")
    report.check(octets.startswith(b"HTTP/1.1 408") or not octets, f"answer {octets[:20]!r}")
    home.good()


def silent_connection(home):
    """A kept connection that says nothing more is closed without a word when its time is over."""
    with home.client() as client:
        started = time.monotonic()
        report.equal(client.post(soap.sign(home.sender, body=soap.ORDER)).status, 200, "status")
        report.check(client.closed(), "the idle connection was not closed")
        report.check(time.monotonic() - started > 1, "closed at once")


def large(_):
    return wire.reply_octets(b"a" * LARGE)


def slow_reader(home):
    """Who reads nothing of a large reply is dropped; meanwhile others are served."""
    home.answer = large
    seen = len(home.upstream.requests)
    client = wire.Client(home.gateway.address, receive=4096)
    client.send(wire.post_octets(soap.envelope(), "/raw"))
    report.until(lambda: len(home.upstream.requests) > seen, what="the request at the upstream")
    home.good()
    home.logged(client, "client-slow")
    octets = 0
    try:
        while piece := client.sock.recv(65536):
            octets += len(piece)
    except OSError:
        pass
    client.close()
    home.answer = None
    report.check(octets < LARGE, "all of it came although nobody read in time")
    home.good()


def patient_reader(home):
    """Who reads slowly but steadily gets all of it."""
    home.answer = large
    with home.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(wire.post_octets(soap.envelope(), "/raw"))
        octets = 0
        started = time.monotonic()
        while octets < LARGE:
            piece = client.sock.recv(262144)
            report.check(piece, f"closed after {octets}")
            octets += len(piece)
            if time.monotonic() - started < 6:
                time.sleep(0.06)  # longer than write-idle in all, never in one go
    home.answer = None


CROWD = 1000


def a_crowd_of_slow_senders(home):
    """While a thousand bodies trickle in, every call of a fast client is served between two octets of theirs: none of the
    crowd is answered first, and all of them are served in the end."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = CROWD if hard == resource.RLIM_INFINITY else min(CROWD, (hard - 128) // 2)  # each has a connection behind it, too
    whole = wire.post_octets(b"<slow>%s</slow>" % (b"x" * 200), "/raw")
    crowd = [home.client() for _ in range(count)]
    seen = len(home.upstream.requests)
    for client in crowd:
        client.send(whole[:-30])
    for turn in range(20):
        home.good()
        for client in crowd[turn::20]:
            client.send(whole[-30:-20])
    report.equal(len(home.upstream.requests), seen + 20, "requests that the upstream saw while the crowd was sending")
    home.answer = wire.reply_octets(b"<ok/>")
    for client in crowd:
        client.send(whole[-20:])
    report.equal([client.reply().status for client in crowd].count(200), count, "slow senders served in the end")
    home.answer = None
    for client in crowd:
        client.close()


TESTS = [half_a_head, half_a_body, half_a_chunk, trickled_head, silent_connection, slow_reader, patient_reader]
PATIENT = "timeouts { head 60s; body-idle 60s; body-rate 0; } loops 1; workers 1;"


def main():
    with house.House(extra=LIMITS) as home:
        with house.House(extra=PATIENT, response_timeout="120s") as large:
            tests = [(f.__name__.replace("_", " "), lambda f=f: f(home)) for f in TESTS]
            report.run("slow peers", tests + [("a crowd of slow senders", lambda: a_crowd_of_slow_senders(large))])


if __name__ == "__main__":
    sys.exit(main())
