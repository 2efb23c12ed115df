# SPDX-License-Identifier: Apache-2.0
"""Raw HTTP on sockets: a client that can send anything, and upstreams that answer anything."""
import datetime
import itertools
import os
import socket
import threading

from report import PATIENCE_S


class Reply:
    """One HTTP reply as received."""

    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def field(self, name):
        return self.fields.get(name.lower())


class Closed(Exception):
    """The peer closed before a whole message was there; .octets holds what came."""

    def __init__(self, octets):
        super().__init__(f"closed after {len(octets)} octets")
        self.octets = octets


class Stream:
    """Reads HTTP/1.1 messages from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.ahead = b""
        self.lines = []  # of the last head

    def more(self):
        octets = self.sock.recv(65536)
        if not octets:
            raise Closed(self.ahead)
        self.ahead += octets

    def take(self, count):
        ahead = bytearray(self.ahead)
        while len(ahead) < count:
            octets = self.sock.recv(1 << 20)
            if not octets:
                raise Closed(bytes(ahead))
            ahead += octets
        octets, self.ahead = bytes(ahead[:count]), bytes(ahead[count:])
        return octets

    def line(self):
        while b"\r\n" not in self.ahead:
            self.more()
        line, self.ahead = self.ahead.split(b"\r\n", 1)
        return line

    def head(self):
        """(start line, fields) of the next message."""
        start = self.line().decode("latin-1")
        fields = {}
        self.lines = []
        while True:
            line = self.line().decode("latin-1")
            if not line:
                return start, fields
            self.lines.append(line)
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()

    def chunked(self):
        body = b""
        while True:
            size = int(self.line().split(b";")[0], 16)
            body += self.take(size)
            if size == 0:
                while self.line():
                    pass
                return body
            self.take(2)

    def body(self, fields):
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return self.chunked()
        return self.take(int(fields.get("content-length", "0")))

    def reply(self):
        start, fields = self.head()
        status = int(start.split(" ")[1])
        body = b"" if status in (204, 304) or 100 <= status < 200 else self.body(fields)
        return Reply(status, fields, body)


class Client:
    """One connection to the gateway. tls: an ssl.SSLContext; name: the host that the handshake asks for; session: one to
    take up; source: the address that it comes from; receive: octets of its socket for what
    comes. The access log knows it by .name, from .born on: ports come again."""

    def __init__(self, address, timeout=PATIENCE_S, tls=None, name=None, session=None, source=None, receive=None):
        host, port = address.rsplit(":", 1)
        self.born = datetime.datetime.utcnow().isoformat(timespec="milliseconds")
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        if receive is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if source is not None:
            self.sock.bind((source, 0))
        try:
            self.sock.connect((host, int(port)))
        except BaseException:
            self.sock.close()
            raise
        self.name = "%s:%d" % self.sock.getsockname()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            try:
                self.sock = tls.wrap_socket(self.sock, server_hostname=name, session=session)
            except BaseException:
                self.sock.close()
                raise
        self.stream = Stream(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def reply(self):
        return self.stream.reply()

    def post(self, body, path="/orders", content_type="text/xml; charset=utf-8", fields=()):
        """Send a POST with Content-Length and read its reply."""
        self.send(post_octets(body, path, content_type, fields))
        return self.reply()

    def closed(self):
        """Has the peer closed, with nothing more to read? Waits up to the timeout of the socket."""
        try:
            return self.stream.ahead == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


def post_octets(body, path="/orders", content_type="text/xml; charset=utf-8", fields=()):
    """A whole POST request as octets."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"POST {path} HTTP/1.1", "Host: gateway.test", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += list(fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reply_octets(body, status="200 OK", content_type="text/xml; charset=utf-8", fields=()):
    """A whole reply as octets."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"] + list(fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Request:
    """One request as the upstream received it."""

    def __init__(self, start, fields, body):
        self.start = start
        self.fields = fields
        self.body = body
        self.socket = None
        self.certificate = None  # DER of the client's, under TLS
        self.lines = []  # field lines as they came


class Upstream:
    """A receiver on a thread per connection. `answer` is octets, a function of the request that gives octets (or a list
    of pieces, sent one by one), or None to close without an answer. `close` ends the connection after each answer.
    tls: an ssl.SSLContext; a request then carries the DER of the client's certificate."""

    def __init__(self, answer, close=False, port=0, tls=None):
        self.answer = answer
        self.close_after = close
        self.tls = tls
        self.requests = []
        self.connections = 0
        self.ended = 0  # connections that are closed
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.sockets = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/soap"

    def stop(self):
        """Stop listening and close every connection."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()

    def cut(self, most=None):
        """End so many connections (all of them), also in the middle of what they do."""
        with self.lock:  # those that close do so behind it: no socket here has given its descriptor back
            for sock in list(self.sockets)[:most]:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of the connection; that of TLS would have its thread go on in the clear
                except OSError:
                    pass  # the peer ended it

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.sockets.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            certificate = None
            if self.tls is not None:
                with self.lock:  # the descriptor moves over
                    self.sockets.discard(sock)
                    sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                    self.sockets.add(sock)
                sock.do_handshake()
                certificate = sock.getpeercert(True)
            stream = Stream(sock)
            while True:
                start, fields = stream.head()
                request = Request(start, fields, stream.body(fields))
                request.socket = sock
                request.lines = stream.lines
                request.certificate = certificate
                with self.lock:
                    self.requests.append(request)
                answer = self.answer(request) if callable(self.answer) else self.answer
                if answer is None:
                    return
                for piece in answer if isinstance(answer, list) else [answer]:
                    sock.sendall(piece)
                if self.close_after:
                    return
        except (OSError, Closed):
            pass
        finally:
            with self.lock:
                self.sockets.discard(sock)
            sock.close()
            with self.lock:
                self.ended += 1


def _range_of_the_kernel():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        return tuple(map(int, text.read().split()))


LOWEST, HIGHEST = 10240, 65535
TRIED = itertools.count(os.getpid() * 101)  # each process begins somewhere else


def unused_port():
    """A port on which nothing listens, and which the kernel gives to nobody by itself: neither to one who connects nor to
    one who asks for any port, in this test or in one beside it."""
    first, last = _range_of_the_kernel()
    ports = [port for port in range(LOWEST, HIGHEST) if not first <= port <= last] or list(range(LOWEST, HIGHEST))
    for _ in ports:
        port = ports[next(TRIED) % len(ports)]
        try:
            with socket.create_server(("", port)):
                return port
        except OSError:
            continue
    raise AssertionError("every port is taken")


def kernel_room():
    """Octets that the kernel may take on their way over a connection, besides those that the reader has read."""
    total = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open(f"/proc/sys/net/ipv4/{name}", encoding="ascii") as text:
            total += int(text.read().split()[2])
    return total
