#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""More than there may be: connections of an address, requests per second, requests under way, work that waits. Each is
refused with its own reason and a hint to come again, before the body is read, and service goes on."""
import fcntl
import os
import select
import sys
import threading
import time

import house
import product
import report
import soap
import tls
import wire

ROUTES = """
partner sender {{ }}
partner acme {{ policy repeats; }}
route orders {{ listener front; path "/orders"; upstream "{url}"; request {{ verify sender; }} response {{ verify acme; }} }}
route few {{ listener front; path "/few"; concurrency 2; upstream "{url}"; }}
route slowly {{ listener front; path "/slowly"; rate {{ per-address 3; }} upstream "{url}"; }}
partner two {{ policy repeats; concurrency 2; }}
route first {{ listener front; path "/first"; upstream "{url}"; response {{ verify two; on-failure monitor; }} }}
route second {{ listener front; path "/second"; upstream "{url}"; request {{ verify two; on-failure monitor; }} response {{ verify two; on-failure monitor; }} }}
route raw {{ listener front; path "/raw"; upstream "{url}"; }}
"""
EXTRA = "loops 1; workers 1; shed { queue-wait 20ms; interval 50ms; } timeouts { body-idle 4s; body-rate 100k; } policy repeats { replay off; }"


class Home(house.House):
    """One worker only, so that work can wait; the signatures seen are in a file, whose lock a test may hold."""

    def __init__(self):
        self.replays = os.path.join(product.new_directory(), "replay")
        super().__init__(extra=f'{EXTRA} replay {{ store local; file "{self.replays}"; entries 4k; }}', routes=ROUTES)


def refused(home, client, status, reason):
    reply = client.reply()
    report.equal((reply.status, reply.field("retry-after")), (status, "1"), "status and Retry-After")
    home.logged(client, reason)
    return reply


def reload(home):
    before = home.gateway.stderr().count("reloaded")
    home.gateway.reload()
    report.until(lambda: home.gateway.stderr().count("reloaded") > before, what="the reload")


def requests_under_way_are_bounded(home):
    release = threading.Event()
    home.answer = lambda request: release.wait(report.PATIENCE_S) and wire.reply_octets(b"<a/>")
    seen = len(home.upstream.requests)
    clients = [home.client() for _ in range(2)]
    for client in clients:
        client.send(wire.post_octets(b"<a/>", "/few"))
    report.until(lambda: len(home.upstream.requests) == seen + 2, what="two requests under way")
    with home.client() as client:
        client.send(wire.post_octets(b"<a/>", "/few"))
        reply = refused(home, client, 503, "concurrency-limit")
        report.check(b"Fault" not in reply.body, "a fault where a plain status is due")
    with home.client() as client:  # other routes have their own
        client.send(wire.post_octets(b"<a/>", "/raw"))
        release.set()
        report.equal(client.reply().status, 200, "status on another route")
    for client in clients:
        report.equal(client.reply().status, 200, "status of one under way")
        client.close()
    home.answer = None
    report.equal(len(home.upstream.requests), seen + 3, "requests that the upstream saw")
    with home.client() as client:
        report.equal(client.post(b"<a/>", "/few").status, 200, "status when there is room again")


def a_partner_has_its_share_over_all_routes(home):
    """Two under way, one on each of its routes: the third is refused on both, other partners are served; a reload does
    not forget them, and each gives its place back."""
    release = threading.Event()
    home.answer = lambda request: release.wait(report.PATIENCE_S) and wire.reply_octets(soap.envelope(soap.ANSWER))
    seen = len(home.upstream.requests)
    message = soap.envelope(soap.ORDER)
    clients = [home.client() for _ in range(2)]
    for client, path in zip(clients, ("/first", "/second")):
        client.send(wire.post_octets(message, path))
    report.until(lambda: len(home.upstream.requests) == seen + 2, what="two requests under way")
    for again in (False, True):
        if again:
            reload(home)
        for path in ("/first", "/second"):
            with home.client() as client:
                client.send(wire.post_octets(message, path))
                refused(home, client, 503, "partner-limit")
    report.equal(len(home.upstream.requests), seen + 2, "requests that the upstream saw")
    release.set()
    for client in clients:
        report.equal(client.reply().status, 200, "status of one under way")
        client.close()
    for path in ("/first", "/second", "/first", "/second"):
        with home.client() as client:
            report.equal(client.post(message, path).status, 200, "status when there is room again")
    home.answer = None
    home.good()


def a_client_that_sends_too_fast_is_told_to_wait(home):
    home.answer = wire.reply_octets(b"<a/>")
    seen = len(home.upstream.requests)
    with home.client() as client:
        for _ in range(3):
            report.equal(client.post(b"<a/>", "/slowly").status, 200, "status")
        statuses = []
        while 429 not in statuses and len(statuses) < 50:  # a slow machine may earn some more on the way
            statuses.append(client.post(b"<a/>", "/slowly").status)
        report.equal(statuses[-1], 429, "status of the one too many")
        report.check(client.closed(), "the connection was not closed")
        home.logged(client, "rate-limit", 3 + len(statuses))
    home.answer = None
    report.equal(len(home.upstream.requests), seen + 2 + len(statuses), "requests that the upstream saw")
    home.good()


def sent(home):
    """A good message on its way on a connection of its own."""
    client = home.client()
    client.send(wire.post_octets(soap.sign(home.sender, body=soap.ORDER)))
    return client


def work_that_waits_too_long_is_shed(home):
    """Somebody holds the lock of the signatures seen, so the one worker stands still: work that arrives then waits, and is
    refused once the wait is too long. Who was taken before that is served when the lock is gone."""
    waiting = {}
    with open(home.replays, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 0, 2)  # the octets before tell who has the file open
        shed = []
        while not shed and len(waiting) < 200:
            client = sent(home)
            waiting[client.sock] = client
            shed = select.select(list(waiting), [], [], 0.3)[0]
        report.check(shed, "nothing was refused")
        for sock in shed:
            with waiting.pop(sock) as client:
                refused(home, client, 503, "shed")
    served = 0
    for client in waiting.values():
        with client:
            reply = client.reply()
            served += reply.status == 200
            if reply.status != 200:  # a slow machine was late with it
                report.equal((reply.status, home.logged(client, "shed")["status"]), (503, 503), "status of one that was not taken")
    report.check(served >= 2, f"{served} of {len(waiting)} messages that waited were served")
    report.until(lambda: calm(home), what="service for everybody again")


def calm(home):
    with home.client() as client:
        return client.post(soap.sign(home.sender, body=soap.ORDER)).status == 200


def a_body_below_the_least_rate_has_its_own_reason(home):
    with home.client() as client:
        client.send(wire.post_octets(b"x" * 100000, "/raw")[:-50000])
        client.sock.settimeout(0.2)
        octets = b""
        deadline = time.monotonic() + report.PATIENCE_S
        while time.monotonic() < deadline:
            try:
                client.send(b"x")
                octets = client.sock.recv(4096)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        report.check(octets.startswith(b"HTTP/1.1 408 "), f"answer {octets[:30]!r}")
        home.logged(client, "http-body-rate")


def connections_of_an_address_are_bounded(home):
    home.gateway.configure(ROUTES.format(url=home.upstream.url), EXTRA + " limits { per-address 4; }")
    reload(home)
    clients = report.until(lambda: served(home, 4), what="four at a time, once those of before are forgotten")
    with home.client() as client:
        report.check(client.closed(), "the fifth connection was not closed")
    report.until(lambda: "connection-limit" in home.gateway.stderr(), what="the log line")
    clients.pop().close()
    report.until(lambda: accepted(home), what="room for another connection")
    for client in clients:
        report.equal(client.post(b"<a/>", "/raw").status, 200, "status of those that were there")
        client.close()


def a_certificate_has_a_rate_of_its_own(_):
    """Two clients of one address: the one that is too fast does not use up what the other may send."""
    with tls.House(tls="client-anchors senders; client-certificate require;", route="rate { per-certificate 2; }") as home:
        with home.client(home.issue("busy")) as busy:
            statuses = []
            while 429 not in statuses and len(statuses) < 50:
                statuses.append(home.post(busy).status)
            report.equal(statuses[-1], 429, "status of the one too many")
            home.gateway.logged(lambda r: product.reason_of(r) == "rate-limit")
        with home.client(home.issue("calm")) as calm_one:
            report.equal([home.post(calm_one).status for _ in range(2)], [200, 200], "statuses of the other")


def served(home, count):
    """So many connections, each of which was served; none when there is no room for all."""
    clients = []
    try:
        for _ in range(count):
            clients.append(home.client())
            report.equal(clients[-1].post(b"<a/>", "/raw").status, 200, "status")
        return clients
    except (OSError, wire.Closed):
        for client in clients:
            client.close()
        return []


def accepted(home):
    try:
        with home.client() as client:
            return client.post(b"<a/>", "/raw").status == 200
    except (OSError, wire.Closed):
        return False


TESTS = [requests_under_way_are_bounded, a_partner_has_its_share_over_all_routes, a_client_that_sends_too_fast_is_told_to_wait, work_that_waits_too_long_is_shed,
         a_body_below_the_least_rate_has_its_own_reason, connections_of_an_address_are_bounded,
         a_certificate_has_a_rate_of_its_own]


def main():
    with Home() as home:
        report.run("overload", [(f.__name__.replace("_", " "), lambda f=f: f(home)) for f in TESTS])


if __name__ == "__main__":
    sys.exit(main())
