#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 240
"""Certificates of outside issuers that answer by themselves: CMP against OpenSSL's server side, EST, a program; what they
must not give; issuers that are away, that let us wait; a kill while one is asked."""
import datetime
import json
import os
import signal
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import keys
import product
import report
from authority import PEM, Authority, name
from est_server import EstServer
from report import check, equal, until
from stores import DAY, Store, instant, rfc3339

ASK = ["generate", "--role", "tls-client", "--alias", "ack-client", "--subject", "CN=acme,O=Acme AG", "--key", "ec:P-256"]
LOGIN = ("gw-4711", "a secret of this test")
GUARD, CONFLICT, USAGE, AWAY, WAITS = 10, 12, 64, 69, 75


class House:
    """A store, an authority of others, and the issuer corp in a configuration."""

    def __init__(self, issuer=""):
        self.place = product.new_directory()
        self.authority = Authority()
        self.store = Store()
        self.conf = os.path.join(self.place, "countersign.conf")
        self.ca = self.file("ca.pem", self.authority.issuer.public_bytes(PEM) + self.authority.root.public_bytes(PEM))
        self.secret = self.file("secret", (LOGIN[1] + "\n").encode())
        self.key = self.file("ca.key", self.authority.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                                                        serialization.NoEncryption()))
        self.server = keys.issue(self.place, "server", subject="CN=ca.test", hosts=("127.0.0.1",))
        self.issuer(issuer)

    def file(self, called, data):
        path = os.path.join(self.place, called)
        with open(path, "wb") as out:
            out.write(data)
        os.chmod(path, 0o600)
        return path

    def issuer(self, words, timeout="60s"):
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write(f'keystore sqlite "{self.store.path}";\nissuer corp {{ {words} timeout {timeout}; }}\n')

    def login(self):
        return f'user "{LOGIN[0]}"; password file "{self.secret}";'

    def run(self, *args, at=None, check=True):
        when = ["--now", rfc3339(at)] if at is not None else []
        return product.countersign("-c", self.conf, *when, "keystore", *args, check=check, timeout=report.PATIENCE_S)

    def fails(self, code, *args, says="", at=None):
        done = self.run(*args, check=False, at=at)
        equal(done.returncode, code, f"{args}: {done.stderr.strip()}; exit")
        check(says in done.stderr, f"{args}: stderr lacks {says!r}: {done.stderr.strip()}")
        return done

    def entries(self):
        listed = map(json.loads, self.run("list", "--json").stdout.splitlines())
        return {r["entry"]: r["state"] for r in listed if r["role"] == "tls-client" and "sha256" in r}

    def record(self, entry):
        return json.loads(self.run("show", entry, "--json").stdout.splitlines()[0])

    def spki_waiting(self):
        csr = x509.load_pem_x509_csr(self.run("csr", "--alias", "ack-client").stdout.encode())
        return csr.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def audit_holds(self):
        equal(self.run("audit", "verify").returncode, 0, "audit")


class Cmp:
    """The authority of a house behind CMP. asked: what was asked for, in order."""

    def __init__(self, house, mode="grant"):
        self.house = house
        self.process = product.Process(product.new_directory(), "cmp",
                                       [os.path.join(product.OUT, "peers", "cmp_server"), house.ca, house.key, *LOGIN, mode])

    def __enter__(self):
        until(lambda: "\n" in self.process.stdout(), what="port of the CMP server")
        self.house.issuer(f'cmp "http://127.0.0.1:{self.process.stdout().splitlines()[0]}/cmp"; ca-file "{self.house.ca}"; '
                          f'{self.house.login()}')
        return self

    def __exit__(self, *_):
        self.process.kill()

    def asked(self):
        return self.process.stdout().splitlines()[1:]


def command(house, text, timeout="60s"):
    """An issuer that is a program of the shell."""
    path = house.file("hook", ("#!/bin/sh\n" + text + "\n").encode())
    os.chmod(path, 0o700)
    house.issuer(f'exec "{path}" "--test";', timeout)
    return path


def group(pid_file):
    with open(pid_file, encoding="utf-8") as text:
        return int(text.read())


def group_lives(pid_file):
    try:
        os.killpg(group(pid_file), 0)
        return True
    except ProcessLookupError:
        return False


def signs(house, days=800):
    return (f"openssl x509 -req -CA {house.ca} -CAkey {house.key} -days {days} -copy_extensions copy 2>/dev/null || exit 1\n"
            f"cat {house.ca}")


def test_cmp_gives_a_first_certificate_under_the_secret_and_a_successor_under_the_one_before():
    house = House()
    with Cmp(house) as cmp:
        done = house.run(*ASK, "--issuer", "corp")
        equal((done.stdout.strip(), "generated successfully" in done.stderr), ("ack-client#1", True), done.stderr)
        equal(cmp.asked(), ["ir", "conf"], "first")
        equal(house.entries(), {"ack-client#1": "active"}, "entries")
        first = house.record("ack-client#1")
        check("outside issuer" in first["issuer"], first["issuer"])
        house.run("renew", "ack-client", at=instant(first["not_after"]) - 80 * DAY)
        equal(cmp.asked()[2:], ["kur", "conf"], "successor")
    house.audit_holds()


def test_cmp_that_polls_is_waited_for_and_one_that_refuses_or_hangs_up_leaves_the_request_open():
    house = House()
    with Cmp(house, "pending") as cmp:
        equal(house.run(*ASK, "--issuer", "corp").stdout.strip(), "ack-client#1", "entry")
        equal(cmp.asked(), ["ir", "poll", "poll", "ir", "conf"], "asked")
    house = House()
    for mode, says in (("reject", "gives you nothing"), ("die", "")):
        with Cmp(house, mode):
            house.fails(AWAY, *ASK, "--issuer", "corp", says=says)
    waiting = house.spki_waiting()
    with Cmp(house):
        equal(house.run(*ASK).stdout.strip(), "ack-client#1", "the slot knows its issuer")
    shown = x509.load_pem_x509_certificate(house.run("export", "ack-client#1").stdout.encode()).public_key()
    equal(shown.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo), waiting, "the same key")
    house.audit_holds()


def test_cmp_never_brings_another_key_or_another_name():
    for mode, says in (("key", ""), ("name", "requested was")):
        house = House()
        with Cmp(house, mode):
            house.fails(AWAY, *ASK, "--issuer", "corp", says=says)
        equal(house.entries(), {}, mode)


def test_est_enrols_under_a_login_and_reenrols_under_the_certificate_before():
    house = House()
    house.authority.answer_days = 40
    with EstServer(house.authority, house.server, login=LOGIN, clients=house.ca) as est:
        est.answer = lambda csr: house.authority.answer(csr, days=(-1, 40))
        house.issuer(f'est "{est.url}"; ca-file "{house.server.certificate_file}"; {house.login()}')
        equal(house.run(*ASK, "--issuer", "corp").stdout.strip(), "ack-client#1", "entry")
        equal(est.asked, [("simpleenroll", LOGIN[0], None)], "first")
        est.answer = house.authority.answer
        house.run("auto", "ack-client", "on")
        due = instant(json.loads(house.run("auto", "ack-client", "on", "--dry-run", "--json").stdout)["regenerates"])
        done = house.run("tick", at=due)
        equal(house.entries(), {"ack-client#1": "deactivated", "ack-client#2": "active"}, done.stderr + done.stdout)
        equal(est.asked[1:], [("simplereenroll", LOGIN[0], "acme")], "successor")
    house.audit_holds()


def test_est_that_lets_wait_is_asked_again_when_it_said():
    house = House()
    later = []
    with EstServer(house.authority, house.server) as est:
        est.answer = lambda csr: later.pop() if later else house.authority.answer(csr)
        house.issuer(f'est "{est.url}"; ca-file "{house.server.certificate_file}";')
        later.append((202, {"Retry-After": "3600"}, b""))
        house.fails(WAITS, *ASK, "--issuer", "corp", says="waits for its certificate")
        now = datetime.datetime.now().timestamp()
        waiting = house.spki_waiting()
        equal((house.run("tick", at=now + 3000).returncode, len(est.asked)), (0, 1), "too early")
        house.run("tick", at=now + 3700)
        equal((house.entries(), len(est.asked)), ({"ack-client#1": "active"}, 2), "then")
        check(waiting.hex() in x509.load_pem_x509_certificate(house.run("export", "ack-client#1").stdout.encode()).public_bytes(
            serialization.Encoding.DER).hex(), "the same key")


def test_est_of_a_stranger_gets_no_request():
    house = House()
    with EstServer(house.authority, house.server) as est:
        house.issuer(f'est "{est.url}"; ca-file "{house.ca}"; {house.login()}')
        house.fails(AWAY, *ASK, "--issuer", "corp", says="certificate")
        equal(est.asked, [], "asked")


def test_a_program_gets_the_request_and_little_else_and_its_complaint_is_told():
    house = House()
    seen = os.path.join(house.place, "seen")
    command(house, f"env > {seen}; echo \"$@\" >> {seen}; ls /proc/$$/fd >> {seen}\n{signs(house)}")
    equal(house.run(*ASK, "--issuer", "corp").stdout.strip(), "ack-client#1", "entry")
    with open(seen, encoding="utf-8") as text:
        lines = text.read().splitlines()
    given = {line.split("=")[0] for line in lines if "=" in line}
    equal(given - {"PWD", "OLDPWD", "SHLVL", "_"}, {"PATH", "COUNTERSIGN_ALIAS", "COUNTERSIGN_ROLE", "COUNTERSIGN_ISSUER",
                                                    "COUNTERSIGN_OLD_SHA256"}, "environment")
    check("--test" in lines, lines)
    house = House()
    command(house, "cat >/dev/null; echo 'quota is used up' >&2; exit 3")
    house.fails(AWAY, *ASK, "--issuer", "corp", says="exit 3: quota is used up")
    command(house, "exit 75")
    house.fails(WAITS, "generate", "--alias", "ack-client", says="exit 75")
    equal(house.entries(), {}, "entries")
    house.issuer('exec "/nowhere/at/all";')
    house.fails(AWAY, "generate", "--alias", "ack-client", says="cannot be started")


def test_a_program_that_hangs_or_floods_is_ended():
    house = House()
    pid = os.path.join(house.place, "pid")
    command(house, f"echo $$ > {pid}; sleep 600", "3s")
    house.fails(AWAY, *ASK, "--issuer", "corp", says="did not end in 3 s")
    until(lambda: not group_lives(pid), what="its end")
    command(house, "cat /dev/zero")
    house.fails(AWAY, "generate", "--alias", "ack-client", says="wrote more than")


def near_the_end(issuer_words, first_days=40):
    """A house whose entry #1 of 40 days is near its end, auto on. @return house, the instant when its successor is due"""
    house = House()
    command(house, signs(house, first_days))
    house.run(*ASK, "--issuer", "corp")
    issuer_words(house)
    house.run("auto", "ack-client", "on")
    return house, instant(json.loads(house.run("auto", "ack-client", "on", "--dry-run", "--json").stdout)["regenerates"])


def test_what_comes_by_itself_must_do_what_the_one_before_did_for_longer():
    stranger = House()
    cases = (
        ("ends no later", lambda h: command(h, signs(h, 39)), "not after ack-client#1"),
        ("too short", lambda h: command(h, signs(h, 41)), "lasts 30 days at least"),
        ("another authority", lambda h: command(h, signs(stranger)), "anchor-changed"),
        ("another name", lambda h: command(h, "cat >/dev/null; cat " + h.file("bad", h.authority.pem(h.authority.sign(
            name((NameOID.COMMON_NAME, "else")), ec.generate_private_key(ec.SECP256R1()).public_key(), h.authority.issuer.subject,
            h.authority.key)))), "has not the key"),
        ("nothing", lambda h: command(h, "cat >/dev/null"), ""),
        ("no certificate", lambda h: command(h, "cat >/dev/null; echo hello"), ""),
    )
    for what, words, says in cases:
        house, due = near_the_end(words)
        done = house.fails(1, "tick", at=due, says=says)
        equal(house.entries(), {"ack-client#1": "active"}, what + done.stderr)
        shown = json.loads(house.run("auto", "ack-client", "on", "--dry-run", "--json").stdout)
        check(says in json.dumps(shown), f"{what}: {shown}")
        before = house.store.content()
        house.run("tick", at=due + 60, check=False)
        equal(house.store.content(), before, f"{what}: a minute later")
        command(house, signs(house))
        house.run("tick", at=due + DAY)
        equal(house.entries(), {"ack-client#1": "deactivated", "ack-client#2": "active"}, what)
        house.audit_holds()


def test_a_reply_that_is_valid_only_later_leaves_a_gap():
    house, due = near_the_end(lambda h: None)
    early = x509.load_pem_x509_certificate(house.run("export", "ack-client#1").stdout.encode())
    answer = os.path.join(house.place, "answer")
    command(house, f"cat > {house.place}/csr; until test -s {answer}; do sleep 0.1; done; cat {answer}")
    running = subprocess.Popen([product.COUNTERSIGN, "-c", house.conf, "--now", rfc3339(due), "keystore", "tick"], stderr=subprocess.PIPE,
                               text=True)
    try:
        until(lambda: os.path.exists(house.place + "/csr") and os.path.getsize(house.place + "/csr") > 0, what="request")
        with open(house.place + "/csr", "rb") as text:
            csr = x509.load_pem_x509_csr(text.read())
        late = (early.not_valid_after - datetime.datetime.utcnow()).days + 10
        with open(answer + ".new", "wb") as out:
            out.write(house.authority.pem(house.authority.answer(csr, days=(late, 800))))
        os.rename(answer + ".new", answer)
        stderr = running.communicate(timeout=report.PATIENCE_S)[1]
    finally:
        running.kill()
    check("leaves a gap" in stderr, stderr)
    equal(house.entries(), {"ack-client#1": "active"}, "entries")


def test_a_kill_while_the_issuer_is_asked_leaves_the_key_and_the_next_round_asks_again():
    house = House()
    begun = os.path.join(house.place, "begun")
    pid = os.path.join(house.place, "pid")
    command(house, f"echo $$ > {pid}; cat > {begun}; sleep 600")
    running = subprocess.Popen([product.COUNTERSIGN, "-c", house.conf, "keystore", *ASK, "--issuer", "corp"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists(begun) and b"END" in open(begun, "rb").read(), what="request")
    running.send_signal(signal.SIGKILL)
    running.wait(report.PATIENCE_S)
    os.killpg(group(pid), signal.SIGKILL)
    with open(begun, "rb") as text:
        first = x509.load_pem_x509_csr(text.read()).public_key()
    equal(house.entries(), {}, "entries")
    command(house, signs(house))
    now = datetime.datetime.now().timestamp()
    house.run("tick", at=now + 1)
    equal(house.entries(), {}, "the claim still stands")
    house.run("tick", at=now + 600)
    equal(house.entries(), {"ack-client#1": "active"}, "then")
    made = x509.load_pem_x509_certificate(house.run("export", "ack-client#1").stdout.encode()).public_key()
    equal(made.public_numbers(), first.public_numbers(), "the same key")
    house.audit_holds()


def test_an_expired_one_is_succeeded_at_once_and_a_full_slot_makes_room():
    house, due = near_the_end(lambda h: command(h, signs(h)))
    house.run("tick", at=due)
    equal(house.entries(), {"ack-client#1": "deactivated", "ack-client#2": "active"}, "first")
    house, due = near_the_end(lambda h: command(h, signs(h)))
    end = instant(house.record("ack-client#1")["not_after"])
    house.run("tick", at=end + DAY)
    equal(house.entries()["ack-client#2"], "active", "after the end")
    command(house, signs(house, 1600))
    house.run("renew", "ack-client", at=end + 2 * DAY)
    equal(house.entries(), {"ack-client#2": "active", "ack-client#3": "pre-active"}, "the full slot")
    house.audit_holds()


def test_pinned_by_fingerprint_it_is_fetched_and_not_activated():
    house, due = near_the_end(lambda h: command(h, signs(h)))
    house.run("auto", "ack-client", "on", "--pinning", "fingerprint")
    house.run("tick", at=due + DAY)
    house.run("tick", at=due + 2 * DAY)
    equal(house.entries(), {"ack-client#1": "active", "ack-client#2": "pre-active"}, "entries")


def serve(house):
    """A gateway over the store of a house, with its issuer."""
    with open(house.conf, encoding="utf-8") as text:
        issuer = text.read().splitlines()[1]
    route = 'route orders { listener front; path "/orders"; upstream "http://127.0.0.1:9/"; }'
    return product.Gateway(house.place, house.store, route, extra=issuer)


def test_a_running_gateway_asks_by_itself_and_never_runs_a_program():
    house = House()
    with EstServer(house.authority, house.server, clients=house.ca) as est:
        est.answer = lambda csr: house.authority.answer(csr, days=(-1, 10))
        house.issuer(f'est "{est.url}"; ca-file "{house.server.certificate_file}";')
        house.run(*ASK, "--issuer", "corp")
        est.answer = house.authority.answer
        with serve(house) as gateway:
            house.run("auto", "ack-client", "on")
            until(lambda: house.entries() == {"ack-client#1": "deactivated", "ack-client#2": "active"}, what="the exchange")
            until(lambda: "certificate-issued" in gateway.stderr(), what="the word about it")
        equal([asked[0] for asked in est.asked], ["simpleenroll", "simplereenroll"], "asked")
    house.audit_holds()


def test_a_running_gateway_never_runs_a_program():
    house = House()
    ran = os.path.join(house.place, "ran")
    hook = command(house, f"touch {ran}; exit 75")
    house.run("generate", "--role", "tls-client", "--alias", "a-program", "--issuer", "corp", check=False)
    os.remove(ran)
    with EstServer(house.authority, house.server) as est:
        house.issuer(f'exec "{hook}"; }} issuer dept {{ est "{est.url}"; ca-file "{house.server.certificate_file}";')
        later = [(202, {"Retry-After": "3600"}, b"")]
        est.answer = lambda csr: later.pop() if later else house.authority.answer(csr)
        house.fails(WAITS, *ASK, "--issuer", "dept")
        house.store.change("update issuing set next_at=0")
        with serve(house) as gateway:
            until(lambda: house.entries() == {"ack-client#1": "active"}, what="what comes behind the program in the same round")
            equal((os.path.exists(ran), "gateway-died" in gateway.stderr()), (False, False), "no program ran")
    house.run("tick", check=False)
    check(os.path.exists(ran), "tick runs it")


def test_words_that_make_no_issuer_are_refused():
    house = House()
    house.fails(USAGE, *ASK, "--issuer", "nobody", says="there are: own csr-only corp")
    house.fails(78, *ASK, "--issuer", "corp", says="tells no way")
    for words, says in (('cmp "http://a/x"; est "https://a/x";', "one of cmp, est, exec"), ('est "http://a/x";', "is no address"),
                        ('exec "acme.sh";', "by its whole path"), ('cmp "http://u:p@a/x";', "is no address"),
                        ('cmp "http://a/x"; password "secret";', ""), ('cmp "http://a/x"; timeout 10m;', "stands already")):
        house.issuer(words)
        house.fails(78, "list", says=says)
    house.issuer('cmp "http://a/x";', "10m")
    house.fails(78, "list", says="1s to 300s")
    house.issuer("")
    house.fails(USAGE, *ASK, "--issuer", "csr-only", says="keystore csr")
    house.run(*ASK, "--issuer", "own")
    check("own CA" in house.record("ack-client#1")["issuer"], "own")


if __name__ == "__main__":
    sys.exit(report.run("keystore_issuers", report.tests_of(sys.modules[__name__])))
