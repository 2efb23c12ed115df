#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One reading only: generated and mutated requests and replies go through the gateway, nginx and HAProxy alike.

Each request is sent together with a second, plain one behind it. Whatever the gateway lets through, the other two read as
the same messages in the same order, or refuse; what the gateway refuses reaches nobody, nor does what stands behind it.
What the gateway writes, the other two take without a refusal. A broken reply never becomes a second one, and a reply that
the gateway lets through has the body that the others read. Arguments: [--count N] [--seed S]."""
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import urllib.parse
from concurrent import futures

import product
import report
import wire

COUNT = 400
LANES = 6  # each with an address of all three proxies and a receiver of its own: most of the time is waiting
SEED = 20260802
NGINX = """
daemon off; master_process off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/nginx.err crit;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u;
    scgi_temp_path {place}/s; client_max_body_size 0; client_header_timeout 400ms; client_body_timeout 400ms; proxy_read_timeout 2500ms;
    proxy_next_upstream off; proxy_http_version 1.1; proxy_set_header Connection "";
    {lanes}
}}
"""
NGINX_LANE = "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}"
HAPROXY = """
global
    maxconn 256
defaults
    mode http
    timeout client 8s
    timeout server 2500ms
    timeout connect 30s
    timeout http-request 400ms
    retries 0
{lanes}
"""
HAPROXY_LANE = """
frontend front{port}
    bind 127.0.0.1:{port}
    default_backend origin{port}
backend origin{port}
    http-reuse never
    server origin 127.0.0.1:{upstream}
"""
ROUTE = """
route all{lane} {{ listener front{lane}; path "/"; methods POST GET PUT HEAD DELETE; query pass;
    upstream "http://127.0.0.1:{upstream}" {{ response-timeout 2500ms; max-idle 0; }} }}
"""
LISTENER = "listener front{lane} {{ address 127.0.0.1:0; }}"
GATEWAY = "loops 1; timeouts { head 400ms; body-idle 400ms; }"


class Recorder:
    """An upstream that writes down what it receives, octets included. reply: what to answer to the first request."""

    def __init__(self):
        self.seen = []
        self.raw = []
        self.reply = None
        self.server = wire.Upstream(self._answer)
        self.port = self.server.port

    def _answer(self, request):
        method, target, _ = request.start.split(" ")
        self.seen.append((method, target, request.body))
        if self.reply is not None and "second" not in target:
            return self.reply
        return wire.reply_octets(b"second" if "second" in target else b"first")

    def take(self):
        seen, self.seen = self.seen, []
        return [(m, plain_target(t), b) for m, t, b in seen]


def plain_target(target):
    """Origin-form with escapes undone where that changes nothing."""
    if target.lower().startswith("http://"):
        rest = target[len("http://"):]
        target = rest[rest.find("/"):] if "/" in rest else "/" + rest[rest.find("?"):] if "?" in rest else "/"
    return urllib.parse.unquote(target, "latin-1")


class Proxy:
    """One address of one of the three, in front of a recorder of its own."""

    def __init__(self, name, address, recorder):
        self.name = name
        self.address = address
        self.recorder = recorder

    def send(self, octets):
        """@return (all octets that came back until the close, what the recorder saw)"""
        with wire.Client(self.address, timeout=60.0) as client:
            try:
                client.send(octets)
            except OSError:
                pass
            answer = b""
            try:
                while True:
                    piece = client.sock.recv(65536)
                    if not piece:
                        break
                    answer += piece
            except OSError:
                answer += b"<no end>"
        return answer, self.recorder.take()


OTHERS = (("nginx", "nginx", NGINX, NGINX_LANE, ["nginx", "-q", "-c"]), ("HAProxy", "haproxy", HAPROXY, HAPROXY_LANE, ["haproxy", "-db", "-q", "-f"]))


def start(place):
    """@return (processes, one list of proxies per lane)"""
    children, lanes = [], [[] for _ in range(LANES)]
    for name, program, conf, lane_conf, command in OTHERS:
        if shutil.which(program) is None:
            print(f"skip differential: {name} is not installed", flush=True)
            continue
        text = ""
        for lane in lanes:
            recorder, port = Recorder(), wire.unused_port()
            lane.append(Proxy(name, f"127.0.0.1:{port}", recorder))
            text += lane_conf.format(port=port, upstream=recorder.port)
        path = os.path.join(place, f"{program}.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(conf.format(place=place, lanes=text))
        children.append(subprocess.Popen([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for lane in lanes:
            report.until(lambda p=lane[-1]: listens(p.address), what=f"{name} to listen")
    return children, lanes


def listens(address):
    try:
        wire.Client(address).close()
        return True
    except OSError:
        return False


# ---- messages ----------------------------------------------------------------------------------------------------------

SECOND = b"GET /second HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n"
HOST = b"Host: gateway.test\r\n"
REQUESTS = [
    b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Type: text/xml\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    b"POST /a?b=c HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n",
    b"GET /a/b HTTP/1.1\r\n" + HOST + b"X-One: 1\r\nX-Two:\ttwo words \r\n\r\n",
    b"PUT http://gateway.test/a%41 HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nContent-Length: 20\r\n" + HOST + b"\r\nGET /x HTTP/1.1\r\nA: ",
    b"DELETE /a HTTP/1.1\r\n" + HOST + b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n",
]
REPLIES = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nX-One: 1\r\nContent-Length: 2\r\nX-Two: 2\r\n\r\nno",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nX-One: 1\r\n\r\n",
]
PIECES = [b"\r", b"\n", b"\r\n", b"\r\r\n", b"\n\r", b" ", b"\t", b"\0", b"\x0b", b":", b";", b",", b"0", b"00", b"+", b"-", b"0x", b"_", b"\xff", b"%2f", b"%00", b"//", b"/../",
          b"Content-Length: 3\r\n", b"Content-Length: 5\r\n", b"content-length:5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
          b"Transfer-Encoding:chunked\r\n", b"Transfer-Encoding: x, chunked\r\n", b"TRANSFER-ENCODING: Chunked\r\n", b"Transfer_Encoding: chunked\r\n", b" folded\r\n", b"Host: other.test\r\n", b"HTTP/1.0",
          b"HTTP/1.2", b"Connection: close\r\n", b"Connection: Content-Length\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"0\r\n\r\n", b"1\r\nx\r\n", b"ffffffffffffffff\r\n", b"X-Long: " + b"a" * 300 + b"\r\n"]


HARMLESS = [b"X-A: b\r\n", b"x-b:c\r\n", b"X-Empty:\r\n", b"X-Blanks: \t  a  b \t\r\n", b"Accept: */*\r\n", b"X-Quoted: \"a, b\"\r\n", b"Connection: keep-alive\r\n", b"Te: trailers\r\n",
            b"X-High: \xe4\r\n", b"Cookie: a=b\r\n"]


def lines_of(octets):
    """Places where a line begins within the head."""
    end = octets.find(b"\r\n\r\n")
    places = [i + 2 for i in range(0, max(end, 0) + 1) if octets[i:i + 2] == b"\r\n"]
    return places or [0]


def mutate(octets, rng):
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        at = rng.choice((rng.randrange(len(octets) + 1), rng.choice(lines_of(octets))))
        kind = rng.randrange(8)
        if kind <= 2:
            octets = octets[:at] + rng.choice(PIECES) + octets[at:]
        elif kind == 3:
            octets = octets[:at] + octets[at + rng.randrange(1, 4):]
        elif kind == 4:
            octets = octets[:at] + bytes([rng.randrange(256)]) + octets[at + 1:]
        elif kind == 5:  # what every parser should bear
            octets = octets[:at] + octets[at:at + 6].swapcase() + octets[at + 6:]
        elif kind == 6:
            line = rng.choice(lines_of(octets))
            octets = octets[:line] + rng.choice(HARMLESS) + octets[line:]
        else:
            begin = rng.choice(lines_of(octets))
            end = octets.find(b"\r\n", begin) + 2
            octets = octets[:at] + octets[begin:end] + octets[at:]
    return octets


# ---- the comparison ------------------------------------------------------------------------------------------------------

def same_or_refused(ours, theirs):
    """Did the other proxy read the same messages, or stop before it read another one?"""
    return theirs == ours[:len(theirs)]


def statuses(answer):
    """Statuses of the replies in an answer, interim ones left out."""
    stream = wire.Stream(None)
    stream.ahead = answer
    stream.more = lambda: (_ for _ in ()).throw(wire.Closed(b""))
    found = []
    try:
        while stream.ahead:
            reply = stream.reply()
            if reply.status >= 200:
                found.append((reply.status, reply.body))
    except (wire.Closed, ValueError, IndexError):
        found.append((0, stream.ahead))
    return found


class Comparison:
    """Work for all lanes at once; the first finding of any lane is the test's."""

    def __init__(self, lanes, count, seed):
        self.lanes = lanes
        self.count = count
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.tally = {}

    def note(self, what):
        with self.lock:
            self.tally[what] = self.tally.get(what, 0) + 1

    def spread(self, judge, messages):
        """Each message goes to the next free lane, there to all proxies at once."""
        waiting = list(messages)

        def work(lane):
            with futures.ThreadPoolExecutor(len(lane)) as pool:
                while True:
                    with self.lock:
                        if not waiting:
                            return
                        octets = waiting.pop()
                    judge(octets, lane, pool)
        with futures.ThreadPoolExecutor(len(self.lanes)) as pool:
            for done in [pool.submit(work, lane) for lane in self.lanes]:
                done.result()

    def one_request(self, octets, lane, pool):
        (answer, ours), *rest = pool.map(lambda proxy: proxy.send(octets + SECOND), lane)
        self.note("requests accepted" if ours else "requests refused")
        if not ours:
            found = statuses(answer)
            report.check(len(found) <= 1 and all(400 <= s <= 505 for s, _ in found), f"{octets!r}: refused, but answered with {answer!r}")
            return
        for other, (_, theirs) in zip(lane[1:], rest):
            self.note(f"{other.name} {'reads the same' if theirs == ours else 'refuses' if not theirs else 'stops earlier or later'}")
            report.check(same_or_refused(ours, theirs) or same_or_refused(theirs, ours), f"{octets!r}: the gateway reads {ours}, {other.name} {theirs}")

    def requests(self):
        for octets in REQUESTS:
            answer, ours = self.lanes[0][0].send(octets + SECOND)
            report.equal([s for s, _ in statuses(answer)], [200, 200], f"{octets!r}: statuses")
            report.equal(len(ours), 2, f"{octets!r}: messages")
        self.spread(self.one_request, [mutate(self.rng.choice(REQUESTS), self.rng) for _ in range(self.count)])

    def written(self):
        """What the gateway writes, the others take as the same one message."""
        tap = Tap()
        place = product.new_directory()
        text = ROUTE.format(upstream=tap.port, lane=0)
        with product.Gateway(place, product.Keystore(place), text, GATEWAY, listeners=LISTENER.format(lane=0)) as gateway:
            for octets in [*REQUESTS, *(mutate(self.rng.choice(REQUESTS), self.rng) for _ in range(self.count // 8))]:
                del tap.octets[:]
                with wire.Client(gateway.address, timeout=60.0) as client:
                    client.send(octets)
                    try:
                        client.reply()
                    except (OSError, wire.Closed, ValueError, IndexError):
                        pass
                written = bytes(tap.octets)
                if written:
                    self.note("requests written anew")
                    for other in self.lanes[0][1:]:
                        _, theirs = other.send(written + SECOND)
                        report.equal(len(theirs), 2, f"{other.name} on {written!r}: messages {theirs}")
        tap.stop()

    def one_reply(self, octets, lane, pool):
        ask = b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n" + SECOND
        for proxy in lane:
            proxy.recorder.reply = octets
        (answer, _), *rest = pool.map(lambda proxy: proxy.send(ask), lane)
        ours = statuses(answer)
        # whatever the first reply was, the second one is the second request's own
        report.check(len(ours) == 2 and ours[1] == (200, b"second"), f"{octets!r}: the client got {answer!r}")
        passed = ours[0][0] not in (502, 504)
        self.note("replies passed" if passed else "replies refused")
        for other, (theirs, _) in zip(lane[1:], rest):
            read = statuses(theirs)
            if passed and read and read[0][0] not in (0, 502, 504):
                report.equal(read[0], ours[0], f"{octets!r}: {other.name} and the gateway")

    def replies(self):
        self.spread(self.one_reply, [*REPLIES, *(mutate(self.rng.choice(REPLIES), self.rng) for _ in range(self.count // 2))])
        for lane in self.lanes:
            for proxy in lane:
                proxy.recorder.reply = None


class Tap:
    """A receiver that keeps the octets which it was sent."""

    def __init__(self):
        self.octets = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            stream = wire.Stream(Copying(sock, self.octets))
            try:
                _, fields = stream.head()
                stream.body(fields)
                sock.sendall(wire.reply_octets(b"ok", fields=["Connection: close"]))
            except (OSError, wire.Closed):
                pass
            sock.close()

    def stop(self):
        self.listener.close()


class Copying:
    """A socket of which all that is received is kept."""

    def __init__(self, sock, octets):
        self.sock = sock
        self.octets = octets

    def recv(self, count):
        piece = self.sock.recv(count)
        self.octets += piece
        return piece


def argument(name, otherwise):
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else otherwise


def main():
    count, seed = argument("--count", COUNT), argument("--seed", SEED)
    del sys.argv[1:]
    place = product.new_directory()
    children, lanes = start(place)
    recorders = [Recorder() for _ in lanes]
    try:
        routes = "".join(ROUTE.format(upstream=r.port, lane=i) for i, r in enumerate(recorders))
        listeners = "".join(LISTENER.format(lane=i) for i in range(LANES))
        with product.Gateway(place, product.Keystore(place), routes, GATEWAY, listeners=listeners) as gateway:
            for lane, address, recorder in zip(lanes, gateway.addresses, recorders):
                lane.insert(0, Proxy("gateway", address, recorder))
            c = Comparison(lanes, count, seed)
            try:
                report.run("differential", [("mutated requests have one reading", c.requests), ("what the gateway writes has one reading", c.written),
                                            ("mutated replies have one reading", c.replies)])
            finally:
                print(f"# {', '.join(f'{k}: {v}' for k, v in sorted(c.tally.items()))}", flush=True)
    finally:
        for child in children:
            child.terminate()
            child.wait(report.PATIENCE_S)


if __name__ == "__main__":
    main()
