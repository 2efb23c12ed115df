#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 90
"""Probes (guard G11) against other people's servers: nginx that accepts the old certificate alone, then both, under
TLS 1.2 and 1.3, with traffic before and after."""
import os
import shutil
import signal
import subprocess
import sys

import keys
import product
import report
import tls
import wire
from report import equal, until

NGINX = """
daemon off; master_process on; worker_processes 1; pid {place}/nginx.pid; error_log {place}/nginx.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {place}/n1; proxy_temp_path {place}/n2; fastcgi_temp_path {place}/n3;
    uwsgi_temp_path {place}/n4; scgi_temp_path {place}/n5;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pair}.pem; ssl_certificate_key {pair}.key; ssl_protocols {version};
        ssl_verify_client on; ssl_client_certificate {place}/accepted.pem;
        location / {{ return 200 "<ok/>"; default_type text/xml; }}
    }}
}}
"""
ROUTE = """route plain {{ listener front; path "/plain"; methods POST GET; probe {{ expect 200; }}
    upstream "https://127.0.0.1:{port}/soap" {{ anchors receivers; client-certificate ack-client; }} }}"""


class House:
    def __init__(self, version):
        if shutil.which("nginx") is None:
            raise report.Skip("nginx is not installed")
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        receivers = keys.issue(self.place, "receivers", authority=True)
        keys.issue(self.place, "receiver", receivers, hosts=("127.0.0.1",))
        self.old, self.new = (keys.new_pair(self.place, name, kind="ec:P-256") for name in ("old", "new"))
        self.keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", receivers.certificate_file, "--activate")
        for pair, more in ((self.old, ["--activate"]), (self.new, [])):
            self.keystore.run("add", "--role", "tls-client", "--alias", "ack-client", pair.certificate_file, "--private-key", pair.key_file,
                              *more)
        self.port = wire.unused_port()
        self.accept(self.old)
        conf = os.path.join(self.place, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(NGINX.format(place=self.place, port=self.port, pair=os.path.join(self.place, "receiver"), version=version))
        self.nginx = subprocess.Popen(["nginx", "-c", conf, "-p", self.place], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.gateway = product.Gateway(self.place, self.keystore, ROUTE.format(port=self.port))
        until(lambda: self.call() == 200, what="nginx")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.nginx.terminate()
        self.nginx.wait(report.PATIENCE_S)
        self.gateway.__exit__()

    def accept(self, *pairs):
        with open(os.path.join(self.place, "accepted.pem"), "w", encoding="ascii") as out:
            for pair in pairs:
                with open(pair.certificate_file, encoding="ascii") as text:
                    out.write(text.read())

    def reload(self, *pairs):
        self.accept(*pairs)
        self.nginx.send_signal(signal.SIGHUP)

    def call(self):
        with wire.Client(self.gateway.address) as client:
            return client.post(tls.BODY, "/plain").status

    def activate(self, n):
        return self.keystore.run("activate", f"ack-client#{n}", check=False)


def test_nginx_decides_whether_the_new_certificate_is_activated():
    for version in ("TLSv1.2", "TLSv1.3"):
        with House(version) as house:
            done = house.activate(2)
            equal((done.returncode, "refused (400)" in done.stderr), (10, True), done.stderr)
            equal(house.call(), 200, "traffic with the old one")
            house.reload(house.old, house.new)
            until(lambda: house.activate(2).returncode == 0, what="both are accepted")
            equal(house.call(), 200, "traffic with the new one")


if __name__ == "__main__":
    sys.exit(report.run("probe_peers", report.tests_of(sys.modules[__name__])))
