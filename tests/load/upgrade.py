#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 400
# tests/run: alone
"""Upgrades, reloads and a gateway process that dies, under load: the service goes on and no request is lost that had
not reached the process that died."""
import os
import signal
import socket
import sys
import time

import admin
import load
import product
import report
import wire

UPGRADES = 10
RELOADS = 100
RSS_GROWTH = 1.02

ROUTES = """
route orders {{ listener front; path "/orders"; methods POST; upstream "{url}"; }}
"""


class Scene(admin.Scene):
    """A gateway with a master in front of one plain upstream."""

    def __init__(self, answer=None, extra=""):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.upstream = wire.Upstream(answer or wire.reply_octets(b"<shipped/>"))
        self.routes = ROUTES.format(url=self.upstream.url)
        self.path = f"{self.place}/admin.sock"
        self.extra = f'admin {{ socket "{self.path}"; }}\n{extra}'
        self.gateway = product.Gateway(self.place, self.keystore, self.routes, self.extra)

    def status(self):
        try:
            return admin.ask(self.path, "status")
        except OSError:
            return None

    def serving_other_than(self, pid):
        """Wait until another process answers at the socket. @return its id"""
        return report.until(lambda: (self.status() or {"pid": pid})["pid"] not in (pid, None) and self.status()["pid"], what="another process")

    def upgrade(self):
        pid = self.status()["pid"]
        self.gateway.signal(signal.SIGUSR2)
        return self.serving_other_than(pid)

    def memory(self):
        with open(f"/proc/{self.status()['pid']}/statm", encoding="ascii") as text:
            return int(text.read().split()[1])


def expect_clean(running):
    running.stop()
    report.check(not running.troubles, f"{len(running.troubles)} of {running.answered}: {running.troubles[:3]}")
    print(f"  # {running.answered} requests, {running.rate():.0f}/s, 0 lost", flush=True)


def test_upgrades_under_load_lose_nothing():
    with Scene() as scene, load.Reconnecting(scene.gateway.address, connections=6, per_second=150) as running:
        seen = {scene.status()["pid"]}
        for _ in range(UPGRADES):
            running.wait_for(30, 60)
            seen.add(scene.upgrade())
        running.wait_for(30, 60)
        report.equal(len(seen), UPGRADES + 1, "processes that served")
        expect_clean(running)
        report.check(scene.gateway.running(), "the master is still the same process")


def test_an_upgrade_keeps_the_name_of_the_node_without_an_admin_socket_too():
    place = product.new_directory()
    keystore = product.Keystore(place)
    with wire.Upstream(wire.reply_octets(b"<ok/>")) as upstream, product.Gateway(place, keystore, ROUTES.format(url=upstream.url)) as gateway:
        gateway.signal(signal.SIGUSR2)
        report.until(lambda: "upgraded" in gateway.stderr(), what="the upgrade")
        report.check("node-name" not in gateway.stderr(), gateway.stderr())


def test_connections_that_wait_in_the_queue_are_served_over_an_upgrade():
    with Scene() as scene:
        waiting = []
        scene.gateway.signal(signal.SIGUSR2)
        for _ in range(200):
            client = wire.Client(scene.gateway.address)
            client.send(wire.post_octets(b"<a/>"))
            waiting.append(client)
        report.equal([c.reply().status for c in waiting], [200] * 200, "replies")
        for client in waiting:
            client.close()


def test_reloads_under_load_lose_nothing_and_keep_no_memory():
    with Scene() as scene, load.Load(scene.gateway.address, connections=4, per_second=100) as running:
        sizes = []
        for number in range(RELOADS + 20):
            scene.gateway.configure(scene.routes, extra=f"{scene.extra}# configuration {number}\n")
            report.equal(admin.ask(scene.path, "reload")["ok"], True, "reload")
            if number >= 20:
                sizes.append(scene.memory())
        expect_clean(running)
        first, last = max(sizes[:10]), max(sizes[-10:])
        print(f"  # resident after 20 reloads {first * 4} KB, after {RELOADS + 20} {last * 4} KB", flush=True)
        if "san" not in product.OUT:
            report.check(last <= first * RSS_GROWTH, f"resident memory grew from {first * 4} to {last * 4} KB")


def test_a_gateway_process_that_is_killed_is_started_again():
    with Scene() as scene:
        kept = wire.Client(scene.gateway.address)
        report.equal(kept.post(b"<a/>").status, 200, "status before")
        pid = scene.status()["pid"]
        os.kill(pid, signal.SIGKILL)
        report.check(kept.closed(), "a connection of the dead process is closed")
        with wire.Client(scene.gateway.address, timeout=report.PATIENCE_S) as client:
            report.equal(client.post(b"<a/>").status, 200, "status of one that connected meanwhile")
        report.check(scene.serving_other_than(pid) != pid, "another process")
        report.check("gateway-died" in scene.gateway.stderr(), "the master says so")


def test_what_was_in_flight_at_a_kill_gets_no_reply_that_looks_whole():
    body = b"x" * 40000000
    with Scene(answer=wire.reply_octets(body)) as scene:
        client = wire.Client(scene.gateway.address)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(wire.post_octets(b"<a/>"))
        head = client.sock.recv(1000)
        report.check(b"Content-Length: 40000000" in head, head[:200])
        os.kill(scene.status()["pid"], signal.SIGKILL)
        client.stream.ahead = head
        try:
            client.reply()
            report.check(False, "a whole reply came from a dead process")
        except (wire.Closed, ConnectionResetError):
            pass


def test_an_upgrade_to_a_wrong_configuration_leaves_the_old_process_serving():
    with Scene() as scene:
        pid = scene.status()["pid"]
        scene.gateway.configure("route x {", scene.extra)
        scene.gateway.signal(signal.SIGUSR2)
        report.until(lambda: "upgrade-failed" in scene.gateway.stderr(), what="the refusal")
        report.equal(scene.status()["pid"], pid, "who serves")
        with wire.Client(scene.gateway.address) as client:
            report.equal(client.post(b"<a/>").status, 200, "status")
        scene.gateway.configure(scene.routes, scene.extra)
        report.check(scene.upgrade() != pid, "the next upgrade")


def test_the_old_process_finishes_what_it_has_and_is_asked_under_its_own_name():
    gate = []

    def slow(_):
        gate.append(1)
        report.until(lambda: len(gate) > 1, what="the word")
        return wire.reply_octets(b"<late/>")

    with Scene(answer=slow) as scene:
        client = wire.Client(scene.gateway.address, timeout=report.PATIENCE_S)
        client.send(wire.post_octets(b"<a/>"))
        report.until(lambda: gate, what="the request at the upstream")
        old = scene.status()["pid"]
        scene.upgrade()
        status = report.until(lambda: os.path.exists(f"{scene.path}.{old}") and admin.ask(f"{scene.path}.{old}", "status"), what="the old one's socket")
        report.equal((status["pid"], status["state"], status["exchanges"]["in_flight"]), (old, "draining", 1), "the old process")
        gate.append(2)
        reply = client.reply()
        report.equal((reply.status, reply.body, reply.field("connection")), (200, b"<late/>", "close"), "its reply")
        report.until(lambda: not product.alive(old), what="its end")
        report.check(not os.path.exists(f"{scene.path}.{old}"), "its socket is gone")


def test_listeners_handed_over_by_the_service_manager_are_used():
    place = product.new_directory()
    keystore = product.Keystore(place)
    with socket.create_server(("127.0.0.1", 0)) as given, wire.Upstream(wire.reply_octets(b"<ok/>")) as upstream:
        address = "127.0.0.1:%d" % given.getsockname()[1]
        conf = f"{place}/c.conf"
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{keystore.path}";\nlog {{ access "{place}/a.json"; }}\nlistener front {{ address {address}; }}\n'
                      + ROUTES.format(url=upstream.url))
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(f"{place}/notify")
        told.settimeout(30)
        start = f'exec 3<&{given.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=front NOTIFY_SOCKET={place}/notify exec {product.COUNTERSIGN} -c {conf} gateway'
        with product.Process(place, "activated", ["/bin/bash", "-c", start], pass_fds=(given.fileno(),)) as running:
            report.equal(told.recv(999), b"READY=1", "what the service manager is told")
            client = wire.Client(address)
            report.equal(client.post(b"<a/>").status, 200, "status")
            client.close()
            running.signal(signal.SIGHUP)
            report.check(told.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC="), "reloading")
            report.equal(told.recv(999), b"READY=1", "reloaded")
            running.signal(signal.SIGTERM)
            report.equal(told.recv(999), b"STOPPING=1", "stopping")
            report.equal(running.wait(report.PATIENCE_S), 0, "exit status")
        told.close()


def test_a_gateway_that_cannot_start_ends_with_its_status():
    place = product.new_directory()
    conf = f"{place}/c.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write("listener x {")
    begin = time.monotonic()
    report.equal(product.countersign("-c", conf, "gateway", check=False).returncode, 78, "exit status")
    report.check(time.monotonic() - begin < 30, "it does not try again")


if __name__ == "__main__":
    report.run("upgrade", report.tests_of(sys.modules[__name__]))
