#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 200
# tests/run: alone
"""Certificates of TLS are exchanged under load, ours towards receivers and ours towards clients at the same time, with
nginx as a receiver that gives tickets: no request is lost, and after a second nobody is shown what was replaced."""
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

import load
import product
import report
import tls
import wire
from cryptography import x509

SWITCHES = 20
UPGRADES = 3
PROMISE_S = 1.0
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

NGINX = """
daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/nginx.log;
events {{ worker_connections 512; }}
http {{
    log_format serials '$msec $server_port $ssl_client_serial $ssl_session_reused $ssl_protocol';
    access_log {place}/serials.log serials;
    client_body_temp_path {place}/n1; proxy_temp_path {place}/n2; fastcgi_temp_path {place}/n3;
    uwsgi_temp_path {place}/n4; scgi_temp_path {place}/n5;
    keepalive_requests 20;
    ssl_certificate {pair}.pem; ssl_certificate_key {pair}.key;
    ssl_session_tickets on; ssl_session_cache shared:s:1m;
    ssl_verify_client on; ssl_client_certificate {authority};
    server {{ listen 127.0.0.1:{ports[0]} ssl; ssl_protocols TLSv1.2; return 200 "<ok/>"; }}
    server {{ listen 127.0.0.1:{ports[1]} ssl; ssl_protocols TLSv1.3; return 200 "<ok/>"; }}
}}
"""
ROUTES = """
tls front-tls {{ certificate gw; client-anchors senders; client-certificate require; }}
route old {{ listener front; path "/TLSv1.2"; methods GET; upstream "https://127.0.0.1:%d/" {{ {upstream} }} {route} }}
route new {{ listener front; path "/TLSv1.3"; methods GET; upstream "https://127.0.0.1:%d/" {{ {upstream} }} {route} }}
"""
UPSTREAM = "anchors receivers; client-certificate ack-client;"
AUTHORIZE = 'authorize { subject "CN=sender" issuer "CN=Senders CA"; }'


class Scene:
    """The gateway between clients and nginx, each own slot with two entries to switch between."""

    def __init__(self):
        self.ports = [wire.unused_port(), wire.unused_port()]
        self.house = tls.House(upstream=UPSTREAM, route=AUTHORIZE, routes=ROUTES % tuple(self.ports), prepare=self.prepare)

    def prepare(self, home):
        self.serial = {"ack-client": [], "gw": [home.server.certificate.serial_number]}
        for number in (1, 2):
            pair = home.issue(f"ack-{number}")
            home.add("tls-client", "ack-client", pair, *(["--activate"] if number == 1 else ["--reason", "the next one"]))
            self.serial["ack-client"].append(pair.certificate.serial_number)
        second = home.issue("gw-2", home.receivers, hosts=[tls.HOST])
        home.add("tls-server", "gw", second, "--reason", "the next one")
        self.serial["gw"].append(second.certificate.serial_number)
        home.issue("receiver", home.receivers, hosts=["127.0.0.1"])
        conf = os.path.join(home.place, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(NGINX.format(place=home.place, pair=f"{home.place}/receiver", authority=home.senders.certificate_file, ports=self.ports))
        self.nginx = subprocess.Popen(["nginx", "-c", conf, "-p", home.place], stdin=subprocess.DEVNULL)
        self.sender = home.issue("sender", subject="CN=sender")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.house.__exit__()
        self.nginx.terminate()
        self.nginx.wait()

    def switch(self, number):
        """Make the entries with that number (1, 2) the active ones. @return when that began and when it was done"""
        began = time.time()
        for alias in ("ack-client", "gw"):
            self.house.keystore.run("activate", f"{alias}#{number}", "--reason", "switch")
        return began, time.time(), number

    def shown(self):
        """What nginx saw: (time, port, serial, session taken up) per request."""
        with open(os.path.join(self.house.place, "serials.log"), encoding="ascii") as text:
            rows = [line.split() for line in text if line.endswith("\n")]
        return [(float(t), int(port), int(serial, 16), reused == "r") for t, port, serial, reused, _ in rows]


class Client(threading.Thread):
    """Connections one after the other, each taking up the session of the one before; some requests on each."""

    def __init__(self, scene, version, stop, path=None):
        super().__init__(daemon=True)
        self.scene = scene
        self.path = path or f"/{version}"
        self.context = tls.client_context(scene.house.receivers, scene.sender, VERSIONS[version])
        self.stop = stop
        self.statuses = {}
        self.troubles = []
        self.connections = []  # (when its handshake began, serial of the server, session taken up)

    def run(self):
        session = None
        while not self.stop.is_set():
            began = time.time()
            try:
                with self.scene.house.client(context=self.context, session=session) as client:
                    serial = x509.load_der_x509_certificate(client.sock.getpeercert(True)).serial_number
                    self.connections.append((began, serial, client.sock.session_reused))
                    for _ in range(random.randrange(1, 30)):
                        client.send(f"GET {self.path} HTTP/1.1\r\nHost: {tls.HOST}\r\n\r\n".encode())
                        reply = client.reply()
                        self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
                        if (reply.field("connection") or "").lower() == "close" or self.stop.is_set():
                            break
                        time.sleep(0.005)
                    session = client.sock.session
            except (OSError, wire.Closed) as error:
                self.troubles.append(repr(error))


def stale(rows, switches, serials, promise_s):
    """Of (time, serial, …) rows those that show something other than what was active for longer than the promise."""
    found = []
    for row in rows:
        past = [switch for switch in switches if switch[1] + promise_s < row[0]]
        under_way = any(began <= row[0] <= done + promise_s for began, done, _ in switches)
        if past and not under_way and row[1] != serials[past[-1][2] - 1]:
            found.append(row)
    return found


def test_switches_under_load_lose_nothing_and_show_nothing_old():
    if shutil.which("nginx") is None:
        raise report.Skip("nginx is not installed")
    stop = threading.Event()
    with Scene() as scene, load.Pace() as pace:
        report.until(lambda: answers(scene), what="an answer through nginx")
        clients = [Client(scene, version, stop) for version in VERSIONS for _ in range(3)]
        times = []
        for client in clients:
            client.start()
        for number in range(SWITCHES):
            times.append(scene.switch(2 - number % 2))
            time.sleep(PROMISE_S + 0.3)  # the promise, and some traffic behind it
        stop.set()
        for client in clients:
            client.join(report.PATIENCE_S)
        troubles = [trouble for client in clients for trouble in client.troubles]
        statuses = {}
        for client in clients:
            for status, count in client.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        report.equal(troubles[:3], [], "connections that failed")
        report.equal(list(statuses), [200], f"statuses {statuses}")
        upstream = scene.shown()
        promise_s = PROMISE_S + 2 * pace.worst_s
        for port in scene.ports:
            mine = [(t, serial, reused) for t, p, serial, reused in upstream if p == port]
            report.check(len(mine) > 100, "too little traffic")
            report.check(any(reused for _, _, reused in mine), "no session was ever taken up: the test proves little")
            report.equal(stale(mine, times, scene.serial["ack-client"], promise_s)[:3], [], "old certificate at the receiver")
        front = sorted(row for client in clients for row in client.connections)
        report.check(any(reused for _, _, reused in front), "no client ever took a session up: the test proves little")
        report.equal(stale(front, times, scene.serial["gw"], promise_s)[:3], [], "old certificate towards clients")
        print(f"  # {SWITCHES} switches, {statuses[200]} requests, {len(front)} client connections "
              f"({sum(row[2] for row in front)} taken up), {sum(row[3] for row in upstream)} requests at nginx on sessions taken up, "
              f"this machine was late by {pace.worst_s * 1000:.0f} ms at most", flush=True)


def test_upgrades_of_the_program_under_tls_lose_nothing():
    """The new process has ticket keys of its own: sessions of the old one end in a full handshake, not in an error."""
    stop = threading.Event()
    with tls.House(tls="client-anchors senders;") as house:
        scene = type("Plain", (), {"house": house, "sender": house.issue("sender")})
        clients = [Client(scene, version, stop, path="/plain") for version in VERSIONS for _ in range(2)]
        for client in clients:
            client.start()
        for number in range(UPGRADES):
            answered = sum(sum(client.statuses.values()) for client in clients)
            report.until(lambda n=answered: sum(sum(c.statuses.values()) for c in clients) > n + 100, what="traffic")
            house.gateway.signal(signal.SIGUSR2)
            report.until(lambda n=number: house.gateway.stderr().count("accepts connections") > n + 1, what="the new process")
        stop.set()
        for client in clients:
            client.join(report.PATIENCE_S)
        report.equal([trouble for client in clients for trouble in client.troubles][:3], [], "connections that failed")
        report.equal({status for client in clients for status in client.statuses}, {200}, "statuses")


def answers(scene):
    try:
        with scene.house.client(scene.sender) as client:
            client.send(f"GET /TLSv1.3 HTTP/1.1\r\nHost: {tls.HOST}\r\n\r\n".encode())
            return client.reply().status == 200
    except (OSError, wire.Closed):
        return False


if __name__ == "__main__":
    report.run("TLS exchange under load", report.tests_of(sys.modules[__name__]))
