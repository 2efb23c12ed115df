#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Several receivers of one route: who is chosen, who is ejected and comes back, what the active check does, and that
nothing which a receiver may have seen is ever sent twice."""
import socket
import sys

import product
import report
import wire

BODY = b"<a/>"


class Receiver:
    """A receiver that may be stopped and started again on its port."""

    def __init__(self, name):
        self.name = name
        self.up = None
        self.served = 0
        self.broken = False
        self.port = wire.unused_port()  # which nobody gets while it is away
        self.start()

    def start(self):
        if self.up is None:
            self.up = wire.Upstream(self._answer, port=self.port)

    def stop(self):
        if self.up is not None:
            self.up.stop()
            self.up = None

    def _answer(self, request):
        if self.broken:
            return wire.reply_octets(b"sorry", status="503 Away") if request.start.startswith("GET ") else None
        self.served += not request.start.startswith("GET ")
        return wire.reply_octets(f"<from-{self.name}/>")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"


def post(gateway, path="/"):
    with wire.Client(gateway.address) as client:
        reply = client.post(BODY, path)
    return reply.status, reply.body


def gateway(receivers, words=""):
    """A gateway in front of the receivers; words: statements of each upstream."""
    place = product.new_directory()
    upstreams = " ".join(f'upstream "{r.url}" {{ connect-timeout 60s; response-timeout 120s; max-idle 0; {words} }}' for r in receivers)
    return product.Gateway(place, product.Keystore(place), f'route all {{ listener front; path "/"; {upstreams} }}', extra="loops 1;")


def work_is_shared_by_receivers_that_have_as_much_to_do():
    receivers = [Receiver(name) for name in "abc"]
    with gateway(receivers) as gw:
        for _ in range(30):
            report.equal(post(gw)[0], 200, "status")
    report.equal([r.served for r in receivers], [10, 10, 10], "requests of each")


def one_that_is_away_costs_no_request_and_is_ejected():
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], "eject-after 2;") as gw:
        a.stop()
        for _ in range(20):
            report.equal(post(gw)[0], 200, "status while one is away")
        report.until(lambda: "upstream-ejected" in gw.stderr(), what="the log line")
        report.equal(b.served, 20, "requests of the other")
        a.start()
        report.until(lambda: post(gw)[0] == 200 and a.served > 0, what="the receiver that came back")
        report.until(lambda: "upstream-back" in gw.stderr(), what="the log line")


def one_that_answers_nothing_is_never_asked_the_same_twice():
    """Closing without an answer is no reason to send to the other one: the receiver may have acted."""
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], "eject-after 3;") as gw:
        a.broken = True
        statuses = [post(gw)[0] for _ in range(12)]
        lost = statuses.count(502)
        report.equal(sorted(set(statuses)), [200, 502], "statuses")
        report.equal((len(a.up.requests), b.served), (lost, 12 - lost), "requests that it saw, and the other")
        # three until it is ejected; a slow machine comes to the end of that, and every one that is tried then has it ejected anew
        report.until(lambda: gw.stderr().count("upstream-ejected") == lost - 2, what="log lines")


def when_all_are_ejected_the_answer_is_at_once():
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], "eject-after 1;") as gw:
        a.stop()
        b.stop()
        statuses = {post(gw)[0] for _ in range(6)}
        report.check(statuses <= {502, 503}, f"statuses {statuses}")

        def refused():
            with wire.Client(gw.address) as client:
                reply = client.post(BODY, "/")
            return (reply.status, reply.field("retry-after")) == (503, "1")
        report.until(refused, what="503 with Retry-After, between two tries")
        gw.logged(lambda r: product.reason_of(r) == "upstream-unavailable")


def the_only_receiver_is_not_ejected():
    a = Receiver("a")
    with gateway([a], "eject-after 1;") as gw:
        a.stop()
        for _ in range(5):
            report.equal(post(gw)[0], 502, "status")
        a.start()
        report.equal(post(gw)[0], 200, "status as soon as it is there")


def a_check_takes_out_one_that_is_down(kind):
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], f"eject-after 0; check {kind}; check-interval 100ms;") as gw:
        report.equal(post(gw)[0], 200, "status")
        a.stop()
        report.until(lambda: "upstream-down" in gw.stderr(), what="the log line")
        served = b.served
        for _ in range(6):
            report.equal(post(gw)[0], 200, "status while one is down")
        report.equal(b.served, served + 6, "requests of the other")
        report.check(not any(r["upstream"]["retried"] for r in gw.logged_count(7) and gw.log()[-6:]), "a request was tried at the one that is down")
        a.start()
        report.until(lambda: "upstream-up" in gw.stderr(), what="the log line")
        seen = a.served
        report.until(lambda: post(gw)[0] == 200 and a.served > seen, what="the receiver that came back")


def a_check_by_http_hears_a_5xx():
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], 'eject-after 0; check http "/health?x=1"; check-interval 100ms;') as gw:
        report.until(lambda: any(r.start == "GET /health?x=1 HTTP/1.1" for r in a.up.requests), what="a check")
        a.broken = True
        report.until(lambda: "upstream-down" in gw.stderr(), what="the log line")
        for _ in range(6):
            report.equal(post(gw)[0], 200, "status while one is down")
        a.broken = False
        report.until(lambda: "upstream-up" in gw.stderr(), what="the log line")


def health_survives_a_reload():
    a, b = Receiver("a"), Receiver("b")
    with gateway([a, b], "eject-after 1;") as gw:
        a.stop()
        for _ in range(4):
            post(gw)
        gw.reload()
        report.until(lambda: "reloaded" in gw.stderr(), what="the reload")
        ejections = gw.stderr().count("upstream-ejected")
        report.equal(post(gw)[0], 200, "status")
        report.check(gw.stderr().count("upstream-ejected") in (ejections, ejections + 1), "ejected anew")


def a_connection_that_is_not_taken_is_tried_elsewhere():
    """A receiver whose backlog is full answers nothing at all: the other one gets the request, once."""
    b = Receiver("b")
    full, waiting = full_listener()
    port = full.getsockname()[1]
    try:
        place = product.new_directory()
        urls = " ".join(f'upstream "http://127.0.0.1:{p}/" {{ connect-timeout 300ms; }}' for p in (port, b.port))
        with product.Gateway(place, product.Keystore(place), f'route all {{ listener front; path "/"; {urls} }} '
                             f'route one {{ listener front; path "/one"; upstream "http://127.0.0.1:{port}/" {{ connect-timeout 300ms; }} }}') as gw:
            for _ in range(4):
                report.equal(post(gw)[0], 200, "status")
            report.equal(b.served, 4, "requests of the other")
            report.equal(post(gw, "/one")[0], 504, "status of the route with that one alone")
            gw.logged(lambda r: product.reason_of(r) == "upstream-connect-timeout")
    finally:
        for sock in waiting + [full]:
            sock.close()


def full_listener():
    """A listener that takes no more connections. @return (it, sockets that keep it full)"""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(16):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
        waiting.append(sock)
    probe = socket.socket()
    probe.settimeout(0.5)
    try:
        probe.connect(full.getsockname())
        raise report.Skip("the backlog does not fill up here")
    except TimeoutError:
        pass
    finally:
        probe.close()
    return full, waiting


TESTS = [("work is shared by receivers that have as much to do", work_is_shared_by_receivers_that_have_as_much_to_do),
         ("one that is away costs no request and is ejected", one_that_is_away_costs_no_request_and_is_ejected),
         ("one that answers nothing is never asked the same twice", one_that_answers_nothing_is_never_asked_the_same_twice),
         ("when all are ejected the answer is at once", when_all_are_ejected_the_answer_is_at_once),
         ("the only receiver is not ejected", the_only_receiver_is_not_ejected),
         ("a TCP check takes out one that is down", lambda: a_check_takes_out_one_that_is_down("tcp")),
         ("an HTTP check takes out one that is down", lambda: a_check_takes_out_one_that_is_down("http")),
         ("a check by HTTP hears a 5xx", a_check_by_http_hears_a_5xx),
         ("health survives a reload", health_survives_a_reload),
         ("a connection that is not taken is tried elsewhere", a_connection_that_is_not_taken_is_tried_elsewhere)]


if __name__ == "__main__":
    sys.exit(report.run("upstreams", TESTS))
