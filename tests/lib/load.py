# SPDX-License-Identifier: Apache-2.0
"""A steady load over keep-alive connections that counts everything that did not come out well."""
import threading
import time

import soap
import wire
from report import PATIENCE_S


class Load:
    """So many connections, each one request every interval_s, checked by good(reply). Used as a context.
    connect: makes one connection, where a plain one will not do. octets: the whole request."""

    def __init__(self, address, connections=8, per_second=300, path="/orders", body=None, good=None, connect=None, octets=None):
        self.connect = connect or (lambda: wire.Client(address))
        self.octets = octets or wire.post_octets(body or soap.envelope(), path)
        self.interval_s = connections / per_second
        self.good = good or (lambda reply: reply.status == 200 and b"shipped" in reply.body)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.answered = 0
        self.troubles = []
        self.started = 0.0
        self.seconds = 0.0
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def __enter__(self):
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.join()

    def join(self, seconds=PATIENCE_S):
        for thread in self.threads:
            thread.join(timeout=seconds)
        if not self.seconds:
            self.seconds = time.monotonic() - self.started

    def rate(self):
        return self.answered / (self.seconds or time.monotonic() - self.started)

    def wait_for(self, count, seconds=PATIENCE_S):
        """Let so many more requests be answered."""
        wanted = self.answered + count
        deadline = time.monotonic() + seconds
        while self.answered < wanted and not self.troubles:
            if time.monotonic() > deadline:
                raise AssertionError(f"the load stands still: {self.answered} of {wanted} answered")
            time.sleep(0.01)

    def _count(self, trouble=None):
        with self.lock:
            self.answered += 1
            if trouble is not None:
                self.troubles.append(trouble)

    def _run(self):
        """One connection from start to end; it ends early only when the gateway announces it with a reply."""
        try:
            client = self.connect()
        except OSError as error:
            self._count(f"connect: {error}")
            return
        due = time.monotonic()
        with client:
            while not self.stopping.is_set():
                try:
                    client.send(self.octets)
                    reply = client.reply()
                except (OSError, wire.Closed) as error:
                    self._count(f"no reply: {error!r}")
                    return
                self._count(None if self.good(reply) else f"HTTP {reply.status}: {reply.body[:300]!r}")
                if (reply.field("connection") or "").lower() == "close":
                    return
                due = max(due + self.interval_s, time.monotonic() - 1.0)
                self.stopping.wait(max(0.0, due - time.monotonic()))


class Pace(threading.Thread):
    """How late this machine is: the longest time beyond its end that a short sleep took. Used as a context, around what is
    measured; a promise about seconds is one of a machine that goes on meanwhile."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst_s = 0.0
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            time.sleep(0.01)
            self.worst_s = max(self.worst_s, time.monotonic() - began - 0.01)


class Reconnecting(Load):
    """A load whose connections, when the gateway says close with a reply, are made anew."""

    def _run(self):
        while not self.stopping.is_set():
            before = len(self.troubles)
            super()._run()
            if len(self.troubles) > before:
                return
