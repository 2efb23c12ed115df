#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's TLS in front of the gateway and behind it: nginx, HAProxy and curl as clients with a certificate, nginx as a
receiver that asks for ours."""
import os
import shutil
import subprocess
import sys

import report
import tls
import wire

MUTUAL = "client-anchors senders; client-certificate require;"
NAMES = 'authorize { subject "CN=sender" issuer "CN=Senders CA"; } user-header "X-Countersign-User";'
CALLS = 60

NGINX = """
daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {place}/n1; proxy_temp_path {place}/n2; fastcgi_temp_path {place}/n3;
    uwsgi_temp_path {place}/n4; scgi_temp_path {place}/n5;
    upstream gateway {{ server {gateway}; keepalive {keep}; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass https://gateway; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host {host};
            proxy_ssl_certificate {pair}.pem; proxy_ssl_certificate_key {pair}.key; proxy_ssl_protocols {version};
            proxy_ssl_trusted_certificate {authority}; proxy_ssl_verify on; proxy_ssl_name {host}; proxy_ssl_server_name on;
        }}
    }}
}}
"""
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
frontend front
    bind 127.0.0.1:{port}
    default_backend gateway
backend gateway
    http-request set-header Host {host}
    http-reuse always
    server gateway {gateway} ssl crt {both} ca-file {authority} verify required verifyhost {host} sni str({host}) alpn http/1.1 ssl-min-ver {version} ssl-max-ver {version}
"""


def needs(program):
    if shutil.which(program) is None:
        raise report.Skip(f"{program} is not installed")


class Front:
    """A program in front of the gateway that speaks TLS to it with a client certificate."""

    def __init__(self, home, command):
        self.port = wire.unused_port()
        self.child = subprocess.Popen(command(home, self.port), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        report.until(self.listens, what="the program in front listens")
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait(report.PATIENCE_S)

    def listens(self):
        try:
            wire.Client(f"127.0.0.1:{self.port}").close()
            return True
        except OSError:
            return False

    def calls(self, count):
        with wire.Client(f"127.0.0.1:{self.port}") as client:
            return [client.post(tls.BODY, "/plain").status for _ in range(count)]


def sender(home):
    pair = home.issue("sender", subject="CN=sender")
    both = os.path.join(home.place, "sender.both")
    with open(both, "w", encoding="ascii") as out:
        for path in (pair.certificate_file, pair.key_file):
            with open(path, encoding="ascii") as text:
                out.write(text.read())
    return os.path.join(home.place, "sender"), both


def nginx(version, keep):
    def command(home, port):
        path = os.path.join(home.place, f"nginx-{version}-{keep}.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(NGINX.format(place=home.place, gateway=home.gateway.address, port=port, host=tls.HOST, pair=sender(home)[0],
                                   authority=home.receivers.certificate_file, version=version, keep=keep))
        return ["nginx", "-c", path, "-p", home.place]
    return command


def haproxy(version):
    def command(home, port):
        path = os.path.join(home.place, f"haproxy-{version}.cfg")
        with open(path, "w", encoding="utf-8") as out:
            out.write(HAPROXY.format(gateway=home.gateway.address, port=port, host=tls.HOST, both=sender(home)[1],
                                     authority=home.receivers.certificate_file, version=version))
        return ["haproxy", "-db", "-q", "-f", path]
    return command


def served(home, version):
    """Every call was authorized as the sender, under that version."""
    users = {r.fields.get("x-countersign-user") for r in home.upstream.requests}
    report.equal(users, {"CN=sender"}, "users at the receiver")
    def lines():
        rows = [r for r in home.gateway.log() if r["tls"]]
        return rows if len(rows) >= CALLS else None
    rows = report.until(lines, what="a line in the log for each call")
    report.equal({r["tls"]["version"] for r in rows}, {version}, "versions in the log")


def test_nginx_in_front():
    needs("nginx")
    for version in ("TLSv1.2", "TLSv1.3"):
        for keep in (8, 1):
            with tls.House(tls=MUTUAL, route=NAMES) as home, Front(home, nginx(version, keep)) as front:
                report.equal(set(front.calls(CALLS)), {200}, f"statuses with {version}, {keep} kept")
                served(home, version)


def test_nginx_in_front_sees_an_exchange_without_a_lost_call():
    needs("nginx")
    with tls.House(tls=MUTUAL, route=NAMES) as home, Front(home, nginx("TLSv1.3", 8)) as front:
        report.equal(set(front.calls(CALLS)), {200}, "statuses before")
        home.add("tls-server", "gw", home.issue("gw-2", home.receivers, hosts=[tls.HOST]))
        report.until(lambda: "tls-changed" in home.gateway.stderr(), what="change in force")
        report.equal(set(front.calls(CALLS)), {200}, "statuses afterwards")


def test_haproxy_in_front():
    needs("haproxy")
    for version in ("TLSv1.2", "TLSv1.3"):
        with tls.House(tls=MUTUAL, route=NAMES) as home, Front(home, haproxy(version)) as front:
            report.equal(set(front.calls(CALLS)), {200}, f"statuses with {version}")
            served(home, version)


def test_curl_with_and_without_a_certificate():
    needs("curl")
    with tls.House(tls=MUTUAL, route=NAMES) as home:
        pair = sender(home)[0]
        port = home.gateway.address.rsplit(":", 1)[1]
        command = ["curl", "-sS", "--cacert", home.receivers.certificate_file, "--resolve", f"{tls.HOST}:{port}:127.0.0.1", "-o", "/dev/null",
                   "-w", "%{http_code} %{http_version} %{num_connects}\\n", "-H", "Content-Type: text/xml", "-d", "<a/>"]
        url = f"https://{tls.HOST}:{port}/plain"
        good = subprocess.run([*command, "--cert", f"{pair}.pem", "--key", f"{pair}.key", url, "-o", "/dev/null", url], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
        report.equal(good.stdout.split("\n")[:2], ["200 1.1 1", "200 1.1 0"], f"what curl says: {good.stderr}")
        bad = subprocess.run([*command, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
        report.equal(bad.returncode, 56, f"exit status of curl without a certificate: {bad.stderr}")


if __name__ == "__main__":
    report.run("TLS peers", report.tests_of(sys.modules[__name__]))
