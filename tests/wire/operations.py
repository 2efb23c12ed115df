#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The admin socket and the probes: who may ask, what is answered, what a wrong line does."""
import os
import re
import stat
import subprocess
import sys
import tempfile

import admin
import product
import report
import wire

ROUTES = 'route plain {{ listener front; path "/"; methods POST; upstream "{url}" {{ response-timeout 120s; }} }}\n'


class Scene(admin.Scene):
    """A gateway with an admin socket and an admin port in front of one upstream."""

    def __init__(self, routes=ROUTES, extra="", users="", place=None):
        self.place = place or product.new_directory()
        os.chmod(self.place, 0o755)
        self.keystore = product.Keystore(self.place)
        self.upstream = wire.Upstream(wire.reply_octets(b"<ok/>"))
        self.path = f"{self.place}/run/admin.sock"
        self.http = f"127.0.0.1:{wire.unused_port()}"
        self.routes = routes.format(url=self.upstream.url)
        self.extra = f'admin {{ socket "{self.path}"; http {self.http}; {users} }}\n{extra}'
        self.gateway = product.Gateway(self.place, self.keystore, self.routes, self.extra)

    def post(self, path="/x"):
        with wire.Client(self.gateway.address) as client:
            return client.post(b"<a/>", path)


def test_the_socket_is_for_its_owner_and_group():
    with Scene() as scene:
        report.equal(stat.S_IMODE(os.stat(scene.path).st_mode), 0o660, "mode of the socket")
        mask = os.umask(0o077)
        os.umask(mask)
        report.equal(stat.S_IMODE(os.stat(os.path.dirname(scene.path)).st_mode), 0o750 & ~mask, "mode of its directory")


def test_another_account_is_refused_unless_it_is_listed():
    if os.getuid() != 0:
        raise report.Skip("needs to be root, to be somebody else")
    talk = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ntry:\n    s.sendall(b'status\\n')\nexcept OSError:\n    pass\n" \
           "try:\n    print(s.recv(9999))\nexcept OSError:\n    print(b'')"
    for users, allowed in (("", False), ("users nobody;", True)):
        place = tempfile.mkdtemp(prefix="cs-others-", dir="/var/tmp")  # this tree may stand where others may not enter
        with Scene(users=users, place=place) as scene:
            os.chmod(os.path.dirname(scene.path), 0o755)
            os.chmod(scene.path, 0o666)
            done = subprocess.run([sys.executable, "-c", talk, scene.path], stdout=subprocess.PIPE, text=True, user="nobody", check=True, timeout=report.PATIENCE_S)
            report.equal("listeners" in done.stdout, allowed, f"an answer with {users!r}")
            if not allowed:
                report.until(lambda: "admin-refused" in scene.gateway.stderr(), what="the refusal in the log")
        product.remove(place)


def test_status_tells_what_the_gateway_does():
    with Scene() as scene:
        report.equal(scene.post().status, 200, "status")
        scene.gateway.logged_count(1)
        status = report.until(lambda: (said := admin.ask(scene.path, "status"))["exchanges"]["in_flight"] == 0 and said, what="the end of the exchange")
        report.equal((status["ok"], status["state"], status["ready"], status["exchanges"]["ended"], status["exchanges"]["in_flight"]),
                     (True, "running", True, 1, 0), "status")
        report.equal(status["listeners"], [scene.gateway.address], "listeners")
        report.equal([(r["route"], r["usable"]) for r in status["routes"]], [("plain", True)], "routes")
        shown = scene.command("status")
        report.check("route plain" in shown.stdout and "exchanges     0 in flight, 1 ended" in shown.stdout, shown.stdout)


def test_lines_that_are_no_commands_are_answered_and_long_ones_end_the_connection():
    with Scene() as scene:
        with admin.AdminSocket(scene.path) as talk:
            for line in ("nonsense", "status now", "", "reload \x01", "a b c d e", "log-level loud"):
                answer = talk.ask(line)
                report.equal((answer["ok"], answer["exit"]), (False, 64), f"answer to {line!r}")
            talk.send(b"log-level\nlog-level\r\n")
            report.equal([talk.answer()["level"], talk.answer()["level"]], ["notice", "notice"], "two lines in one piece")
            for octet in b"status\n":
                talk.send(bytes([octet]))
            report.equal(talk.answer()["ok"], True, "a line that comes octet by octet")
        with admin.AdminSocket(scene.path) as talk:
            try:
                talk.send(b"x" * 100000)
                report.equal(talk.answer(), None, "answer to a line without an end")
            except (ConnectionResetError, BrokenPipeError):
                pass
        report.equal(admin.ask(scene.path, "status")["ok"], True, "status behind it")


def test_reload_answers_with_success_or_with_the_place_of_the_error():
    with Scene() as scene:
        done = scene.command("reload")
        report.check("in force" in done.stderr, done.stderr)
        scene.gateway.configure("route x { listener frnt; path \"/\"; upstream \"http://h\"; }", scene.extra)
        done = scene.command("reload", check=False)
        report.equal(done.returncode, 78, "exit status")
        report.check(f"{scene.gateway.conf_file}:" in done.stderr and "did you mean front" in done.stderr, done.stderr)
        report.equal(scene.post().status, 200, "status behind it")
        scene.gateway.configure("route x {", scene.extra)
        done = scene.command("reload", check=False)
        report.equal((done.returncode, "'}' is missing" in done.stderr), (78, True), "a file whose grammar is wrong")
        reloads = admin.ask(scene.path, "status")["reload"]
        report.equal((reloads["done"], reloads["refused"], reloads["last_good"]), (1, 2, False), "reloads")


def test_the_log_level_can_be_changed():
    with Scene() as scene:
        report.equal(scene.command("log-level").stdout, "notice\n", "level")
        report.equal(scene.command("log-level", "debug").stdout, "debug\n", "new level")
        admin.ask(scene.path, "status")
        report.until(lambda: "over the admin socket" in scene.gateway.stderr(), what="a line of that level")


def test_drain_ends_the_gateway_and_probes_say_so_meanwhile():
    with Scene(extra="timeouts { drain-delay 10s; }") as scene:
        report.equal(admin.get(scene.http, "/readyz").status, 200, "/readyz before")
        with wire.Client(scene.gateway.address) as kept:
            report.equal(kept.post(b"<a/>", "/x").status, 200, "status")
            scene.command("drain")
            reply = admin.get(scene.http, "/readyz")
            report.equal((reply.status, b'"draining":true' in reply.body), (503, True), "/readyz while it drains")
            report.equal(admin.get(scene.http, "/livez").status, 200, "/livez while it drains")
            report.equal(scene.post().status, 200, "a new connection within drain-delay")
            reply = report.until(lambda: drained(kept), what="a reply that says close")
            report.equal(reply.status, 200, "its status")
        report.equal(scene.gateway.wait(), 0, "exit status")
        report.check(not os.path.exists(scene.path), "the socket is gone")
        report.equal(scene.command("status", check=False).returncode, 69, "exit status of status without a gateway")


def drained(client):
    reply = client.post(b"<a/>", "/x")
    return reply if reply.field("connection") == "close" else None


def test_a_gateway_without_a_usable_route_is_not_ready():
    with Scene(routes='route plain {{ listener front; path "/"; methods POST; upstream "http://no-such-host.invalid/"; }}') as scene:
        reply = admin.get(scene.http, "/readyz")
        report.equal((reply.status, b'"not_usable":["plain"]' in reply.body), (503, True), "/readyz")
        report.equal(admin.get(scene.http, "/livez").status, 200, "/livez")
        done = scene.command("status", check=False)
        report.equal((done.returncode, "NOT READY" in done.stdout and "no upstream has an address" in done.stdout), (1, True), "countersign status")


def test_the_admin_port_answers_probes_and_nothing_else():
    with Scene() as scene:
        with wire.Client(scene.http) as client:
            for request, status in ((b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200), (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
                                    (b"DELETE /livez HTTP/1.1\r\nHost: a\r\n\r\n", 405), (b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", 200)):
                client.send(request)
                report.equal(client.reply().status, status, f"status of {request[:20]}")
            client.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
            report.equal([client.reply().status, client.reply().status], [200, 200], "two requests in one piece")
            client.send(b"GET /livez HTTP/1.1\nHost: a\n\n")
            report.equal(client.reply().status, 400, "status of bare line feeds")
            report.check(client.closed(), "the connection ends behind it")


def test_trace_fields_pass_or_are_made_and_logged():
    given = ("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate: a=b", "X-Request-Id: r-1")
    with Scene(extra="trace { create yes; }") as scene:
        for fields in (given, ()):
            with wire.Client(scene.gateway.address) as client:
                report.equal(client.post(b"<a/>", "/x", fields=fields).status, 200, "status")
        passed, made = [request.fields for request in scene.upstream.requests]
        report.equal([passed[n] for n in ("traceparent", "tracestate", "x-request-id")], [f.split(": ")[1] for f in given], "what was given")
        scene.gateway.logged_count(2)
        first, second = sorted(scene.gateway.log(), key=lambda r: r["request_id"] != "r-1")  # two loops write as they like
        report.equal((first["traceparent"], first["request_id"]), (passed["traceparent"], "r-1"), "the log of what was given")
        report.equal((second["traceparent"], second["request_id"]), (made["traceparent"], second["exchange"]), "the log of what was made")
        report.check(re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", made["traceparent"]), made["traceparent"])
        report.check(made["traceparent"].split("-")[1] == second["exchange"].replace("-", ""), "the trace is named as the exchange")
    with Scene() as scene:
        report.equal(scene.post().status, 200, "status")
        fields = scene.upstream.requests[0].fields
        report.check("traceparent" not in fields and "x-request-id" not in fields, f"nothing is made unasked: {fields}")


def test_an_admin_port_off_loopback_is_refused_and_told_of_health():
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/c.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{keystore.path}";\nadmin {{ http 0.0.0.0:9464; }}\nlistener front {{ address 127.0.0.1:0; }}\n')
    done = product.countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit status")
    report.check(f"{conf}:2:9: " in done.stderr and "write health 0.0.0.0:9464;" in done.stderr, done.stderr)


def test_a_second_gateway_does_not_take_the_socket_of_the_first():
    with Scene() as scene:
        done = product.countersign("-c", scene.gateway.conf_file, "gateway", check=False)
        report.equal(done.returncode, 78, "exit status")
        report.equal(admin.ask(scene.path, "status")["master"], scene.gateway.pid, "who answers")


def test_a_socket_left_behind_by_a_kill_is_taken_over():
    with Scene() as scene:
        scene.gateway.crash()
        report.check(os.path.exists(scene.path), "the socket of the dead one")
        with product.Gateway(scene.place, scene.keystore, scene.routes, scene.extra) as again:
            report.equal(admin.ask(scene.path, "status")["master"], again.pid, "who answers")


if __name__ == "__main__":
    report.run("operations", report.tests_of(sys.modules[__name__]))
