#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The process and its connections: clients that leave, retries, ceilings, reload, drain, the end."""
import os
import re
import signal
import socket
import sys
import threading

import admin
import keys
import product
import report
import wire

BODY = b"<a/>"

PLAIN = 'route plain {{ listener front; path "/"; methods POST GET; upstream "{url}" {{ response-timeout 120s; }} }}\n'


class Process(admin.Scene):
    """A gateway with plain routes in front of one upstream; answer as in wire.Upstream."""

    def __init__(self, routes=PLAIN, extra="", answer=None, **more):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.answer = answer or wire.reply_octets(b"<ok/>")
        self.upstream = wire.Upstream(lambda request: self.answer(request) if callable(self.answer) else self.answer)
        self.gateway = product.Gateway(self.place, self.keystore, routes.format(url=self.upstream.url, dead=wire.unused_port()), extra, **more)

    def client(self):
        return wire.Client(self.gateway.address)

    def post(self, path="/x", body=BODY):
        with self.client() as client:
            return client.post(body, path)

    def logged(self, path):
        return self.gateway.logged(lambda record: record["path"] == path)

    def stderr_has(self, text):
        return report.until(lambda: text in self.gateway.stderr(), what=text)


class Gate:
    """An answer that waits until it is told."""

    def __init__(self, octets):
        self.octets = octets
        self.asked = threading.Event()
        self.open = threading.Event()

    def __call__(self, _):
        self.asked.set()
        self.open.wait(report.PATIENCE_S)
        return self.octets


# ---- clients that leave ---------------------------------------------------------------------------------------------

def test_a_client_that_leaves_before_its_request_is_whole_cancels_it():
    with Process() as home:
        with home.client() as client:
            client.send(wire.post_octets(BODY, "/half")[:-1])
        record = home.logged("/half")
        report.equal((record["reason"], record["last_state"], record["status"]), ("client-gone", "BODY", None), "record")
        report.equal(len(home.upstream.requests), 0, "requests that the upstream saw")


def test_a_client_that_leaves_later_still_has_its_reply_read_and_logged():
    gate = Gate(wire.reply_octets(b"<late/>"))
    with Process(answer=gate) as home:
        with home.client() as client:
            client.send(wire.post_octets(BODY, "/later"))
            report.check(gate.asked.wait(report.PATIENCE_S), "the upstream was not asked")
        gate.open.set()
        record = home.logged("/later")
        report.equal((record["reason"], record["client_gone"], record["upstream"]["status"], record["response"]["bytes"]),
                     ("client-gone", True, 200, 7), "record")


# ---- retries --------------------------------------------------------------------------------------------------------

RETRY = '''route once {{ listener front; path "/once"; upstream "{url}"; }}
route idempotent {{ listener front; path "/idempotent"; upstream "{url}" {{ idempotent yes; }} }}
route two {{ listener front; path "/two"; upstream "http://127.0.0.1:{dead}"; upstream "{url}"; }}
route dead {{ listener front; path "/dead"; upstream "http://127.0.0.1:{dead}"; }}
'''


def closing(seen):
    """An upstream that answers the first request of a connection and closes at the second without a word."""
    def answer(request):
        seen.append(request)
        return None if len(seen) == 2 else wire.reply_octets(b"<ok/>")
    return answer


def test_a_request_that_may_have_arrived_is_not_sent_again():
    seen = []
    with Process(RETRY, "loops 1;", closing(seen)) as home:
        report.equal(home.post("/once").status, 200, "first")
        report.equal(home.post("/once").status, 502, "second")
        report.equal(len(seen), 2, "requests that the upstream saw")
        record = home.gateway.logged(lambda r: r["status"] == 502)
        report.equal((record["reason"], record["upstream"]["reused"], record["upstream"]["retried"]), ("upstream-closed", True, False), "record")
        report.equal(home.post("/once").status, 200, "third")


def test_an_idempotent_one_is_sent_again_once():
    seen = []
    with Process(RETRY, "loops 1;", closing(seen)) as home:
        report.equal(home.post("/idempotent").status, 200, "first")
        report.equal(home.post("/idempotent").status, 200, "second")
        report.equal(len(seen), 3, "requests that the upstream saw")
        report.check(home.gateway.logged(lambda r: r["upstream"]["retried"]), "retried")


class OneShot:
    """An upstream that says nothing of closing, and closes behind each answer."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.closed = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                stream = wire.Stream(sock)
                _, fields = stream.head()
                stream.body(fields)
                sock.sendall(wire.reply_octets(b"<ok/>"))
                sock.close()
            except OSError:
                return
            self.closed += 1


def test_a_connection_that_closed_while_idle_costs_nothing():
    upstream = OneShot()
    with Process(RETRY.replace("{url}", upstream.url), "loops 1;") as home:
        for count in range(1, 11):
            report.equal(home.post("/once").status, 200, "status")
            report.until(lambda: upstream.closed == count, what="the end of the upstream's connection")
    upstream.listener.close()


def test_of_two_upstreams_the_one_that_answers_is_taken():
    with Process(RETRY) as home:
        for _ in range(6):
            report.equal(home.post("/two").status, 200, "status")
        report.equal(home.post("/dead").status, 502, "status of the route without a living one")
        report.equal(home.logged("/dead")["reason"], "upstream-connect", "reason")


# ---- ceilings -------------------------------------------------------------------------------------------------------

def test_bodies_beyond_the_memory_ceiling_wait_for_better_times():
    with Process(extra="memory 1M;") as home:
        for path, body, answer in (("/request", b"z" * 2000000, None), ("/reply", BODY, wire.reply_octets(b"z" * 2000000))):
            home.answer = answer or wire.reply_octets(b"<ok/>")
            reply = home.post(path, body)
            report.equal(reply.status, 503, f"status of a large {path[1:]}")
            report.equal(home.logged(path)["reason"], "out-of-memory", "reason")
        report.equal(home.logged("/request")["last_state"], "HEAD", "refused before the body was read")
        home.answer = wire.reply_octets(b"<ok/>")
        report.equal(home.post("/request").field("retry-after"), None, "Retry-After of a good reply")
        for _ in range(50):
            report.equal(home.post("/x", b"z" * 400000).status, 200, "status behind it: what was reserved is given back")


def test_a_chunked_body_is_stopped_in_its_middle():
    with Process(extra="memory 1M;") as home:
        with home.client() as client:
            client.send(b"POST /chunked HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(16):
                    client.send(b"20000\r\n" + b"z" * 0x20000 + b"\r\n")
            except OSError:
                pass
            reply = client.reply()
        report.equal((reply.status, reply.field("retry-after"), reply.field("connection")), (503, "1", "close"), "reply")


def test_connections_beyond_the_limit_wait_until_one_ends():
    with Process(extra="limits { connections 2; }") as home:
        first, second = home.client(), home.client()
        for client in (first, second):
            report.equal(client.post(BODY).status, 200, "status")
        third = home.client()
        third.send(wire.post_octets(BODY, "/third"))
        third.sock.settimeout(0.3)
        try:
            third.sock.recv(1)
            report.check(False, "a third connection was served")
        except socket.timeout:
            pass
        third.sock.settimeout(20)
        first.close()
        report.equal(third.reply().status, 200, "status of the third")
        for client in (second, third):
            client.close()


# ---- reload ---------------------------------------------------------------------------------------------------------

def test_a_reload_changes_routes_and_listeners_and_keeps_connections():
    with Process() as home:
        kept = home.client()
        report.equal(kept.post(BODY).status, 200, "status before")
        port = wire.unused_port()
        home.gateway.configure(PLAIN.format(url=home.upstream.url) + f'route new {{ listener second; path "/new"; upstream "{home.upstream.url}"; }}',
                               listeners=f"listener front {{ address 127.0.0.1:0; }} listener second {{ address 127.0.0.1:{port}; }}")
        home.gateway.reload()
        second = report.until(lambda: connected(f"127.0.0.1:{port}"), what="the new listener")
        report.equal(second.post(BODY, "/new").status, 200, "status on the new listener")
        report.equal(second.post(BODY, "/x").status, 404, "status of a path that the new listener does not have")
        second.close()
        report.equal(kept.post(BODY).status, 200, "status on the kept connection")
        home.gateway.configure(PLAIN.format(url=home.upstream.url))
        home.gateway.reload()
        report.until(lambda: connected(f"127.0.0.1:{port}") is None, what="the end of the listener")
        report.equal(kept.post(BODY).status, 200, "status on the kept connection")
        kept.close()


def connected(address):
    try:
        return wire.Client(address)
    except ConnectionRefusedError:
        return None


def test_a_wrong_file_leaves_the_old_one_in_force_and_is_named():
    with Process() as home:
        good = PLAIN.format(url=home.upstream.url)
        for text, says in (("route x {", "'}' is missing"), ('route x { listener frnt; path "/"; upstream "http://h"; }', "did you mean front"),
                           ("listener broken { address 192.0.2.1:1; }" + good, "cannot take 192.0.2.1:1")):
            home.gateway.configure(text)
            home.gateway.reload()
            home.stderr_has(says)
            report.equal(home.post().status, 200, "status behind it")


def test_check_names_every_error_and_exits_78():
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/bad.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'''keystore sqlite "{keystore.path}";
listener front {{ address 127.0.0.1:0; }}
listener outside {{ address 0.0.0.0:0; }}
route a {{ listener front; path "/a"; upstream "http://127.0.0.1:1"; response {{ verify nobody; }} }}
route b {{ listener frnt; path "/b"; }}
route c {{ listener outside; path "/c"; upstream "http://127.0.0.1:1"; request {{ sign missing; on-failure monitor; }} }}
route c {{ listener front; path "/a"; upstream "http://127.0.0.1:1"; }}
''')
    done = product.countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit status")
    for line, says in ((4, "partner nobody is known neither"), (5, "no listener frnt; did you mean front?"), (5, "route b has no upstream"),
                       (6, "no alias missing"), (6, "sign never stands beside"), (6, "needs authorize"), (6, "on-failure needs verify"),
                       (7, "there is a route c already, on line 6"), (7, "serve the same path and method")):
        report.check(re.search(rf"^{re.escape(conf)}:{line}:\d+: .*{re.escape(says)}", done.stderr, re.M), f"line {line}: {says}: {done.stderr}")


def test_https_upstreams_without_anchors_are_refused_with_a_reason():
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/tls.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\n'
                  'route a { listener front; path "/a"; upstream "https://receiver.example/"; }\n')
    done = product.countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit status")
    report.check("needs anchors" in done.stderr, done.stderr)


def test_a_misspelt_part_method_alias_or_partner_is_named_before_any_message():
    """--check was silent about the first two, and every request was refused then."""
    place = product.new_directory()
    keystore = product.Keystore(place)
    keystore.run("generate", "--role", "sign", "--alias", "own-sign")
    keystore.run("generate", "--role", "tls-client", "--alias", "own-client")
    keystore.add_verifier(keys.new_pair(place, "acme"))
    conf = f"{place}/words.conf"
    for route, says in (("methods PSOT;", 'did you mean "POST"'),
                        ("request { sign own-sign { parts Body Timestmp; } }", "part Timestmp is not known; did you mean Timestamp?"),
                        ("request { sign own-sign { parts Body Signature; } }", "part Signature cannot be signed"),
                        ("request { encrypt acme { parts Bdy; } }", "part Bdy is not known; did you mean Body?"),
                        ("request { encrypt acme { parts Timestamp; } }", "part Timestamp cannot be encrypted"),
                        ("request { sign own-sgn; }", "no alias own-sgn; did you mean own-sign?"),
                        ("request { sign mine; }", "no alias mine; countersign keystore add --role sign --alias mine FILE"),
                        ("request { sign own-client; }", "alias own-client has the role tls-client, one of role sign is needed"),
                        ("response { verify acm; }", "partner acm is known neither here nor to the keystore; did you mean acme?")):
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{keystore.path}"; listener front {{ address 127.0.0.1:0; }}\n'
                      f'route a {{ listener front; path "/a"; upstream "http://127.0.0.1:1"; {route} }}\n')
        done = product.countersign("-c", conf, "gateway", "--check", check=False)
        report.equal((done.returncode, says in done.stderr), (78, True), f"{route}: {done.stderr}")


def test_files_that_are_read_late_are_looked_for_at_the_check():
    """They showed when the first mail could not be sent, or a renewal failed."""
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/late.conf"
    for text, says in ((f'mail {{ server "smtp://mail.test"; from "a@b.test"; user "u"; password file "{place}/none"; }}', f"2:76: warning: there is no file {place}/none"),
                       (f'issuer corp {{ cmp "https://ca.test/cmp"; user "u"; password file "{keystore.path}"; ca-file "{place}/ca.pem"; }}', "ca.pem"),
                       (f'issuer corp {{ exec "{place}/program"; }}', "there is no file"),
                       (f'webhook {{ url "https://hook.test/"; secret file "{place}/none"; }}', "there is no file"),
                       (f'log {{ access "{place}/none/access.json"; }}', "2:7: warning: access log")):
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{keystore.path}"; listener front {{ address 127.0.0.1:0; }}\n{text}\n')
        done = product.countersign("-c", conf, "gateway", "--check")
        report.check(says in done.stderr, f"{text}: {done.stderr}")


def test_a_configuration_without_a_listener_is_named_with_its_file():
    place = product.new_directory()
    conf = f"{place}/empty.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write(f'keystore sqlite "{product.Keystore(place).path}";\n')
    done = product.countersign("-c", conf, "gateway", "--check", check=False)
    report.equal((done.returncode, f"{conf}:1:1: no listener" in done.stderr), (78, True), done.stderr)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = product.new_directory()
        keystore = product.Keystore(place)
        conf = f"{place}/taken.conf"
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{keystore.path}";\nlistener front {{ address 127.0.0.1:{taken.getsockname()[1]}; }}\n')
        done = product.countersign("-c", conf, "gateway", check=False)
        report.equal(done.returncode, 78, "exit status")
        report.check(f"{conf}:2:1: listener front cannot take" in done.stderr and "in use" in done.stderr, done.stderr)


# ---- the end --------------------------------------------------------------------------------------------------------

def test_sigterm_finishes_what_is_in_flight_and_cuts_no_idle_connection():
    gate = Gate(wire.reply_octets(b"<late/>"))
    with Process() as home:
        idle, busy = home.client(), home.client()
        report.equal(idle.post(BODY).status, 200, "status")
        home.answer = gate
        busy.send(wire.post_octets(BODY, "/busy"))
        report.check(gate.asked.wait(report.PATIENCE_S), "the upstream was not asked")
        home.gateway.signal(signal.SIGTERM)
        report.until(lambda: connected(home.gateway.address) is None, what="end of accepting")
        home.answer = wire.reply_octets(b"<ok/>")
        reply = idle.post(BODY)
        report.equal((reply.status, reply.field("connection")), (200, "close"), "reply on the idle connection")
        gate.open.set()
        reply = busy.reply()
        report.equal((reply.status, reply.body, reply.field("connection")), (200, b"<late/>", "close"), "reply that was in flight")
        report.check(idle.closed() and busy.closed(), "a connection whose reply said close stays open")
        idle.close()
        busy.close()
        report.equal(home.gateway.wait(), 0, "exit status")


def test_a_second_sigterm_ends_at_once():
    gate = Gate(wire.reply_octets(b"<late/>"))
    with Process(answer=gate) as home:
        with home.client() as client:
            client.send(wire.post_octets(BODY, "/cut"))
            report.check(gate.asked.wait(report.PATIENCE_S), "the upstream was not asked")
            home.gateway.signal(signal.SIGTERM)
            home.stderr_has("drains")
            home.gateway.signal(signal.SIGTERM)
            report.equal(home.gateway.wait(), 0, "exit status while one is under way")
        report.equal(home.logged("/cut")["status"], None, "status of the exchange that was cut")
        gate.open.set()


def waits_for(pid, count):
    """That many signals wait in the process, or none: it took them."""
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        waiting = int(re.search(r"^ShdPnd:\s*([0-9a-f]+)$", text.read(), re.M).group(1), 16)
    return bin(waiting).count("1") == count


def both_get(home, number):
    """The signal reaches the process that serves first, then the master, which asks that process before it looks at anything."""
    serving = home.gateway.serving_pid
    os.kill(serving, signal.SIGSTOP)
    os.kill(serving, number)
    home.gateway.signal(number)
    report.until(lambda: waits_for(home.gateway.pid, 0) and waits_for(serving, 2), what="what the master asks")
    os.kill(serving, signal.SIGCONT)


def test_a_signal_to_the_whole_group_reloads_and_ends():
    """Of two SIGTERM that wait in a process one is lost: it was the master's, and the gateway never ended. As from timeout(1)."""
    with Process() as home:
        both_get(home, signal.SIGHUP)
        home.stderr_has("reloaded")
        both_get(home, signal.SIGTERM)
        report.equal(home.gateway.wait(), 0, "exit status")


def test_a_drain_that_takes_too_long_is_cut():
    gate = Gate(wire.reply_octets(b"<late/>"))
    with Process(extra="timeouts { drain 300ms; }", answer=gate) as home:
        with home.client() as client:
            client.send(wire.post_octets(BODY, "/cut"))
            report.check(gate.asked.wait(report.PATIENCE_S), "the upstream was not asked")
            home.gateway.signal(signal.SIGTERM)
            report.equal(home.gateway.wait(), 0, "exit status")
        gate.open.set()


if __name__ == "__main__":
    report.run("process", report.tests_of(sys.modules[__name__]))
