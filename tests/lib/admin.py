# SPDX-License-Identifier: Apache-2.0
"""The admin side of a running gateway: its socket, its HTTP port, its metrics."""
import json
import re
import socket

import product
import wire
from report import PATIENCE_S


class AdminSocket:
    """One connection to the admin socket; used as a context."""

    def __init__(self, path, timeout=PATIENCE_S):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.ahead = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def answer(self):
        """@return the next answer, None: closed"""
        while b"\n" not in self.ahead:
            octets = self.sock.recv(65536)
            if not octets:
                return None
            self.ahead += octets
        line, self.ahead = self.ahead.split(b"\n", 1)
        return json.loads(line)

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.answer()


def ask(path, line):
    """One question on a connection of its own."""
    with AdminSocket(path) as admin:
        return admin.ask(line)


def get(address, path):
    """GET on a connection of its own."""
    with wire.Client(address) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        return client.reply()


SERIES = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def metrics(address):
    """/metrics as a list of (name, labels, value)."""
    found = []
    for line in get(address, "/metrics").body.decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = SERIES.match(line).groups()
            found.append((name, dict(LABEL.findall(labels or "")), float(value)))
    return found


def value(series, name, **labels):
    """Sum of the series of that name with these labels."""
    return sum(v for n, have, v in series if n == name and all(have.get(k) == w for k, w in labels.items()))


class Scene:
    """What tests of an operator's commands stand on: a gateway in front of one upstream; used as a context."""

    gateway = None
    upstream = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        self.upstream.stop()

    def command(self, *words, check=True):
        """A command with the gateway's configuration."""
        return product.countersign("-c", self.gateway.conf_file, *words, check=check)
