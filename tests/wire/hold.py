#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A route on hold: requests wait and none is lost, nothing is under way, and what is let go carries the keys of now."""
import base64
import json
import os
import signal
import socket
import sys
import threading

import admin
import keys
import product
import report
import soap
import wire

ROUTES = """
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{url}" {{ response-timeout 120s; }}
    request {{ sign own-sign {{ parts Body Timestamp; }} }}
    hold {{ queue {queue}; wait {wait}; }}
}}
route other {{ listener front; path "/other"; methods POST; upstream "{url}"; }}
"""


class Scene(admin.Scene):
    """A gateway that signs in front of one upstream, with an admin socket."""

    def __init__(self, queue=100, wait="120s", loops=2):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.pairs = [keys.new_pair(self.place, "own1"), keys.new_pair(self.place, "own2")]
        self.keystore.add_signer(self.pairs[0])
        self.answer = wire.reply_octets(b"<ok/>")
        self.upstream = wire.Upstream(lambda request: self.answer(request) if callable(self.answer) else self.answer)
        self.path = f"{self.place}/admin.sock"
        self.routes = ROUTES.format(url=self.upstream.url, queue=queue, wait=wait)
        self.extra = f'loops {loops}; admin {{ socket "{self.path}"; }}'
        self.gateway = product.Gateway(self.place, self.keystore, self.routes, self.extra)

    def route(self, name="orders"):
        return next(r for r in admin.ask(self.path, "status")["routes"] if r["route"] == name)

    def route_now(self):
        """The same, or nothing while one process takes the place of another."""
        try:
            return self.route()
        except (OSError, TypeError):
            return {}

    def hold(self):
        self.command("hold", "orders")
        report.until(lambda: self.route()["held"], what="the hold in force")

    def send(self, number):
        client = wire.Client(self.gateway.address)
        client.send(wire.post_octets(soap.envelope(f'<o:n xmlns:o="urn:o">{number}</o:n>'), "/orders"))
        return client

    def waiting(self, count):
        report.until(lambda: self.route()["waiting"] == count, what=f"{count} waiting requests")


def certificate_in(request, pair):
    return base64.b64encode(pair.der) in b"".join(request.body.split())


def test_requests_wait_and_go_out_with_the_key_of_their_release():
    with Scene() as scene:
        report.equal(scene.send(0).reply().status, 200, "status before")
        scene.hold()
        clients = [scene.send(n) for n in range(1, 41)]
        scene.waiting(40)
        report.equal(len(scene.upstream.requests), 1, "requests that the upstream saw meanwhile")
        scene.keystore.add_signer(scene.pairs[1])
        scene.command("release", "orders")
        for client in clients:
            report.equal(client.reply().status, 200, "status of one that waited")
            client.close()
        report.equal(len(scene.upstream.requests), 41, "requests that the upstream saw")
        report.check(certificate_in(scene.upstream.requests[0], scene.pairs[0]), "the first carries the old certificate")
        late = sum(certificate_in(r, scene.pairs[1]) for r in scene.upstream.requests[1:])
        report.equal(late, 40, "requests behind the hold with the new certificate")
        record = scene.gateway.logged(lambda r: r["us"]["hold"] > 0)
        report.equal((record["status"], record["request"]["signed_with"]), (200, "own-sign#2"), "record")


def test_a_loop_lets_go_in_the_order_of_arrival():
    with Scene(loops=1) as scene, socket.create_server(("127.0.0.1", 0)) as receiver:
        plain = f'route plain {{ listener front; path "/plain"; methods POST; upstream "http://127.0.0.1:{receiver.getsockname()[1]}/"; }}'
        scene.gateway.configure(scene.routes + plain, scene.extra)
        scene.command("reload")
        scene.command("hold", "plain")
        report.until(lambda: scene.route("plain")["held"], what="the hold in force")
        clients = []
        for number in range(10):
            clients.append(wire.Client(scene.gateway.address))
            clients[-1].send(wire.post_octets(f"<n{number}/>", "/plain"))
            report.until(lambda: scene.route("plain")["waiting"] == number + 1, what="one more that waits")
        scene.command("release", "plain")
        order = []
        streams = []
        for _ in clients:
            streams.append(wire.Stream(receiver.accept()[0]))
            _, fields = streams[-1].head()
            order.append(streams[-1].body(fields).decode())
        report.equal(order, [f"<n{n}/>" for n in range(10)], "order in which the receiver was asked")
        for stream in streams:
            stream.sock.sendall(wire.reply_octets(b"<ok/>"))
            stream.sock.close()
        report.equal([c.reply().status for c in clients], [200] * 10, "replies")


def test_hold_waits_until_nothing_is_under_way_and_no_connection_is_open():
    with Scene() as scene:
        release = threading.Event()
        asked = threading.Event()

        def late(_):
            asked.set()
            release.wait(report.PATIENCE_S)
            return wire.reply_octets(b"<ok/>")

        scene.answer = late
        busy = scene.send(1)
        report.check(asked.wait(report.PATIENCE_S), "the upstream was not asked")
        done = scene.command("hold", "orders", "--wait", "300ms", "--reason", "maintenance of the receiver", check=False)
        report.equal(done.returncode, 13, "exit status while one is under way")
        report.check("1 exchanges are under way" in done.stderr, done.stderr)
        route = scene.route()
        report.equal((route["held"], route["in_flight"], route["connections"]), (True, 1, 1), "status")
        release.set()
        report.equal(busy.reply().status, 200, "status of the one under way")
        report.equal(scene.command("hold", "orders", "--wait", "60s").returncode, 0, "exit status behind it")
        route = scene.route()
        report.equal((route["in_flight"], route["connections"], route["waiting"]), (0, 0, 0), "status")
        report.check("ON HOLD" in scene.command("status").stdout, "countersign status says it")
        audit = product.countersign("--keystore", scene.keystore.uri, "keystore", "audit", "verify")
        report.equal(audit.returncode, 0, "the audit")


def test_another_route_goes_on():
    with Scene() as scene:
        scene.hold()
        with wire.Client(scene.gateway.address) as client:
            report.equal(client.post(b"<a/>", "/other").status, 200, "status on the other route")


def refused_while_held(scene, count):
    """So many were answered 503 because of the hold, and none reached the upstream."""
    scene.gateway.logged_count(count)
    records = [r for r in scene.gateway.log() if r["status"] == 503]
    report.equal({(r["reason"], r["last_state"]) for r in records}, {("route-held", "HELD")}, "records")
    report.equal(len(scene.upstream.requests), 0, "requests that the upstream saw")


def test_what_is_too_many_is_answered_503():
    with Scene(queue=3) as scene:
        scene.hold()
        waiting = [scene.send(n) for n in range(3)]
        scene.waiting(3)
        beyond = scene.send(9).reply()
        report.equal((beyond.status, beyond.field("retry-after") is not None), (503, True), "the fourth")
        refused_while_held(scene, 1)
        scene.command("release", "orders")
        report.equal([client.reply().status for client in waiting], [200] * 3, "those that waited")


def test_what_waits_too_long_is_answered_503():
    with Scene(queue=3, wait="700ms") as scene:
        scene.hold()
        for client in [scene.send(n) for n in range(3)]:
            report.equal(client.reply().status, 503, "status of one that waited too long")
        refused_while_held(scene, 3)
        scene.waiting(0)


def test_a_client_that_leaves_waits_no_more():
    with Scene() as scene:
        scene.hold()
        clients = [scene.send(n) for n in range(3)]
        scene.waiting(3)
        clients[1].close()
        scene.waiting(2)
        scene.command("release", "orders")
        report.equal([clients[0].reply().status, clients[2].reply().status], [200, 200], "the others")


def test_a_hold_survives_reload_and_restart():
    with Scene() as scene:
        scene.hold()
        client = scene.send(1)
        scene.waiting(1)
        scene.command("reload")
        report.equal((scene.route()["held"], scene.route()["waiting"]), (True, 1), "status behind a reload")
        scene.command("release", "orders")
        report.equal(client.reply().status, 200, "status of one that waited over a reload")
        scene.hold()
        scene.gateway.__exit__()
        with product.Gateway(scene.place, scene.keystore, scene.routes, scene.extra):
            report.equal(scene.route()["held"], True, "held behind a restart")


def test_what_waits_stays_with_its_process_over_an_upgrade():
    with Scene() as scene:
        scene.hold()
        client = scene.send(1)
        scene.waiting(1)
        old = scene.gateway.serving_pid
        scene.gateway.signal(signal.SIGUSR2)
        report.until(lambda: "upgraded" in scene.gateway.stderr(), what="the upgrade")
        report.until(lambda: scene.route_now().get("waiting") == 0, what="the new process")
        status = report.until(lambda: os.path.exists(f"{scene.path}.{old}") and admin.ask(f"{scene.path}.{old}", "status"), what="the old one")
        report.equal([r["waiting"] for r in status["routes"] if r["route"] == "orders"], [1], "what waits in the old process")
        report.equal(scene.route()["held"], True, "held in the new process")
        scene.command("release", "orders")
        report.equal(client.reply().status, 200, "status of one that waited in the old process")
        client.close()


def test_one_whose_route_is_gone_meanwhile_learns_so():
    with Scene() as scene:
        scene.hold()
        client = scene.send(1)
        scene.waiting(1)
        other = scene.routes[scene.routes.index("route other"):]
        scene.gateway.configure(other, scene.extra)
        scene.command("reload")
        report.equal(client.reply().status, 404, "status")
        report.equal(scene.command("release", "orders").returncode, 0, "the row in the keystore can still be removed")


def test_sigterm_answers_what_waits():
    with Scene() as scene:
        scene.hold()
        client = scene.send(1)
        scene.waiting(1)
        scene.gateway.signal(signal.SIGTERM)
        reply = client.reply()
        report.equal((reply.status, reply.field("retry-after") is not None, reply.field("connection")), (503, True, "close"), "reply")
        report.equal(scene.gateway.wait(), 0, "exit status")


def test_wrong_names_are_answered_with_the_nearest():
    with Scene() as scene:
        done = scene.command("hold", "order", check=False)
        report.equal((done.returncode, "did you mean orders?" in done.stderr), (64, True), done.stderr)
        done = scene.command("release", "orders", "--json")
        report.equal(json.loads(done.stdout)["already"], True, "releasing what is not held")


if __name__ == "__main__":
    report.run("hold", report.tests_of(sys.modules[__name__]))
