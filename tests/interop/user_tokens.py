#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""UsernameToken between countersign and WSS4J, in both directions: signed, as a digest and in the clear, each beside twins with
another password, another user, a changed token and a token that nobody signed."""
import json
import os
import re

from product import countersign
from report import check, equal, run
from signatures import WORLD, Wss4j
from soap import SOAP11, SOAP12

SECRET = "s3cr<t & more"
KINDS = ("digest", "text")
VERSIONS = ((SOAP11, "1.1"), (SOAP12, "1.2"))
CONF = """
policy named {{ require-signed Body Timestamp UsernameToken; comments allow; }}
user anna {{ password file "{secret}"; }}
partner peer {{ policy named; users anna; }}
"""


def prepare():
    secret = WORLD.path("secret")
    with open(secret, "w", encoding="utf-8") as out:
        out.write(SECRET + "\n")
    os.chmod(secret, 0o600)
    with open(WORLD.path("named.conf"), "w", encoding="utf-8") as conf:
        conf.write(CONF.format(secret=secret))


def product(*words):
    return countersign("-c", WORLD.path("named.conf"), "--keystore", WORLD.keystore.uri, *words, check=False)


def judged(file, *options):
    done = product("verify", "--partner", "peer", "--json", *options, file)
    check(done.stdout, done.stderr.strip())
    return json.loads(done.stdout)


def expect(file, options, reason, what):
    record = judged(file, *options)
    equal((record["reason"], record.get("user")), (reason, "anna" if reason == "ok" else None), f"{what} ({record['detail']})")


def made_by(peer, soap, kind, user="anna", secret=SECRET):
    file = WORLD.new_file()
    equal(peer.task("user", WORLD.path("rsa.p12"), user, secret, kind, WORLD.plain(soap), file), "ok", "answer of WSS4J")
    return file


def changed(file, pattern, to):
    """The same message with one piece of its token another; to: as for re.sub()."""
    with open(file, encoding="utf-8") as text:
        good = text.read()
    twin = WORLD.new_file()
    with open(twin, "w", encoding="utf-8") as out:
        out.write(re.sub(pattern, to, good, count=1))
    with open(twin, encoding="utf-8") as text:
        check(text.read() != good, f"nothing to change: {pattern}")
    return twin


def other_octet(found):
    return found.group(1) + ("A" if found.group(2) != "A" else "B")


def ours_takes_what_wss4j_makes(peer, soap, kind):
    options = ("--over-tls",) if kind == "text" else ()
    file = made_by(peer, soap, kind)
    expect(file, options, "ok", "a good token")
    expect(made_by(peer, soap, kind, secret="secret"), options, "username-token-refused", "another password")
    expect(made_by(peer, soap, kind, user="bert"), options, "username-token-refused", "another user")
    expect(changed(file, "<wsu:Created>2", "<wsu:Created>1"), options, "digest-mismatch", "another instant")
    expect(WORLD.sign(soap, "rsa", "direct"), options, "part-not-signed", "no token")
    if kind == "text":
        expect(file, (), "username-token-refused", "a password in the clear on an unknown way")


def wss4j_takes_what_ours_makes(peer, soap, kind):
    file = WORLD.new_file()
    options = ("--password-text",) if kind == "text" else ()
    done = product("sign", "--alias", "own-rsa", "--timestamp", "--user", "anna", *options, WORLD.plain(soap), "-o", file)
    equal(done.returncode, 0, done.stderr)
    task = ("check-user", WORLD.path("rsa.p12"))
    equal(peer.task(*task, SECRET, file), "ok", "answer of WSS4J")
    check(peer.task(*task, "secret", file) != "ok", "WSS4J takes another password")
    check(peer.task(*task, SECRET, changed(file, "(Nonce[^>]*>)(.)", other_octet)) != "ok", "WSS4J takes another nonce")
    check(peer.task(*task, SECRET, WORLD.sign(soap, "rsa", "direct")) != "ok", "WSS4J takes a message without a token")


def main():
    prepare()
    peers = []

    def judge(test, soap, kind):
        if not peers:
            peers.append(Wss4j(WORLD))
        test(peers[0], soap, kind)

    try:
        run("user names with WSS4J", [
            (f"{name}, {kind}, SOAP {version}", lambda a=(test, soap, kind): judge(*a))
            for soap, version in VERSIONS for kind in KINDS
            for name, test in (("WSS4J makes it", ours_takes_what_wss4j_makes), ("we make it", wss4j_takes_what_ours_makes))])
    finally:
        for peer in peers:
            peer.close()


if __name__ == "__main__":
    main()
