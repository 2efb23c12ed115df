#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""User names and passwords in messages: a partner's are judged, ours are borne; a password in the clear only under TLS; a
changed password is in force behind a reload, within the sandbox."""
import json
import os
import re
import stat
import sys
import uuid

import keys
import product
import report
import soap
import tls
import wire

LISTENERS = "listener front { address 127.0.0.1:0; tls front-tls; }\nlistener open { address 127.0.0.1:0; }"
ROUTES = """
tls front-tls {{ certificate gw; {tls} }}
partner sender {{ users anna bert; }}
partner other {{ users clara; }}
partner we {{ users me; }}
route in {{ listener front; path "/in"; upstream "{url}" {{ anchors receivers; {upstream} }} request {{ verify sender; }} {route} }}
route clear {{ listener open; path "/in"; upstream "{url}" {{ anchors receivers; }} request {{ verify sender; }} }}
route digest {{ listener open; path "/digest"; upstream "{url}" {{ anchors receivers; }} request {{ sign own-sign {{ username me; }} }} }}
route text {{ listener open; path "/text"; upstream "{url}" {{ anchors receivers; }} request {{ sign own-sign {{ parts Body Timestamp; username me text; }} }} }}
"""
USERS = 'user {name} {{ {said} password file "{file}"; }}\n'


class Home(tls.House):
    def __init__(self):
        super().__init__(routes=ROUTES, listeners=LISTENERS, upstream_tls=self._upstream, prepare=self._prepare, extra=lambda home: home.users)

    @staticmethod
    def _upstream(home):
        return tls.server_context(home.issue("receiver", home.receivers, hosts=("127.0.0.1",)))

    @staticmethod
    def _prepare(home):
        home.sender = keys.new_pair(home.place, "sender")
        own = keys.new_pair(home.place, "own")
        home.keystore.add_verifier(home.sender, "sender")
        home.keystore.add_signer(own)
        home.keystore.add_verifier(own, "we")
        os.mkdir(os.path.join(home.place, "secrets"))
        home.users = home.password("anna", "s3cret") + home.password("bert", "b3rt", 'name "ACME\\\\bert";')
        home.users += home.password("clara", "cl4ra") + home.password("me", "my <own> & word", 'name "we & us";')

    def password(self, user, password, said="", mode=0o600):
        """Write the file of a user. @return its statement"""
        path = os.path.join(self.place, "secrets", user)
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(password + "\n")
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)
        return USERS.format(name=user, said=said, file=path)

    def send(self, message, path="/in", front=True):
        """@return (status, record, what the upstream saw or None)"""
        seen = len(self.upstream.requests)
        if front:
            client = self.client()
            client.send(tls.post(path, body=message.encode()))
        else:
            client = wire.Client(self.gateway.addresses[1])
            client.send(wire.post_octets(message, path))
        with client:
            status = client.reply().status
        record = self.gateway.record_of(client)
        requests = self.upstream.requests[seen:]
        return status, record, requests[0].body.decode() if requests else None

    def message(self, user="anna", password="s3cret", **how):
        token = soap.user_token(user, password, **how)
        return soap.sign(self.sender, body=soap.ORDER, parts=("Body", "TS", "UT"), inside=token)


def test_a_digest_and_under_tls_a_password_pass(home):
    for message, front in ((home.message(), True), (home.message(), False), (home.message(text=True), True),
                           (home.message("ACME\\bert", "b3rt"), True)):
        status, record, seen = home.send(message, front=front)
        report.equal((status, record["request"]["reason"]), (200, "ok"), "a good token")
        report.equal(seen, message, "what the upstream received")
        report.check(record["request"]["user"] in ("anna", "ACME\\bert"), "the record names no user")


def test_every_doubt_about_a_token_is_one_refusal_and_nothing_goes_on(home):
    known = uuid.uuid4().bytes
    report.equal(home.send(home.message(nonce=known))[0], 200, "the first with that nonce")
    cases = {
        "a wrong password": (home.message(password="S3cret"), True, "username-token-refused"),
        "nobody of that name": (home.message("dora"), True, "username-token-refused"),
        "as the configuration calls it": (home.message("bert", "b3rt"), True, "username-token-refused"),
        "a user of another partner": (home.message("clara", "cl4ra"), True, "username-token-refused"),
        "a password in the clear without TLS": (home.message(text=True), False, "username-token-refused"),
        "an old one": (home.message(created_s=-700), True, "username-token-refused"),
        "one that nobody signed": (soap.sign(home.sender, body=soap.ORDER, inside=soap.user_token("anna", "s3cret")), True, "part-not-signed"),
        "the same nonce again": (home.message(nonce=known), True, "replay"),
    }
    for what, (message, front, reason) in cases.items():
        status, record, seen = home.send(message, front=front)
        report.equal((status, product.reason_of(record), seen), (500, reason, None), what)
        report.equal(record["request"].get("user"), "anna" if reason == "replay" else None, f"{what}: user of the record")
    for word in ("s3cret", "b3rt", "S3cret", "my <own>"):
        report.check(word not in home.gateway.stderr() + json.dumps(home.gateway.log()), "a password stands in a log")


def verified(home, message, *options):
    """How the partner `we` is judged. @return the record"""
    path = os.path.join(home.place, "made.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(message)
    done = product.countersign("-c", home.gateway.conf_file, "verify", "--partner", "we", "--json", *options, path, check=False)
    return json.loads(done.stdout)


def test_our_own_messages_bear_a_signed_token(home):
    for path, options, words in (("/digest", (), ["Body", "UsernameToken"]), ("/text", ("--over-tls",), ["Body", "Timestamp", "UsernameToken"])):
        status, _, seen = home.send(soap.envelope(soap.ORDER), path, front=False)
        report.equal(status, 200, f"status of {path}")
        record = verified(home, seen, *options)
        report.equal((record["reason"], record.get("user"), sorted(record["covers"])), ("ok", "we & us", words), f"{path}: {record['detail']}")
        report.equal("my &lt;own&gt; &amp; word" in seen, path == "/text", "the password in the clear")
        nonces = re.findall(r"Nonce [^>]*>([^<]+)<", seen)
        report.equal(len(nonces), 1, "nonces")
    report.equal(verified(home, seen)["reason"], "username-token-refused", "clear text of unknown way")


def test_the_command_line_makes_the_same(home):
    done = product.countersign("-c", home.gateway.conf_file, "sign", "--alias", "own-sign", "--user", "me", stdin=soap.envelope(soap.ORDER))
    record = verified(home, done.stdout)
    report.equal((record["reason"], record.get("user")), ("ok", "we & us"), "a token of the command line")
    done = product.countersign("-c", home.gateway.conf_file, "sign", "--alias", "own-sign", "--user", "mi", stdin=soap.envelope(), check=False)
    report.equal(done.returncode, 64, "an unknown user")
    done = product.countersign("-c", home.gateway.conf_file, "sign", "--alias", "own-sign", "--password-text", stdin=soap.envelope(), check=False)
    report.equal(done.returncode, 64, "a password of nobody")


def test_a_changed_password_is_in_force_behind_a_reload(home):
    home.password("anna", "n3w")
    report.equal(home.send(home.message())[0], 200, "the old password before the reload")
    home.gateway.reload()
    report.until(lambda: home.send(home.message(password="n3w"))[0] == 200, what="the new password")
    report.equal(home.send(home.message())[0], 500, "the old password behind the reload")
    home.password("anna", "exposed", mode=stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
    home.gateway.reload()
    report.until(lambda: "is open to others" in home.gateway.stderr(), what="the refused reload")
    report.equal(home.send(home.message(password="n3w"))[0], 200, "the password in force")
    home.password("anna", "s3cret")
    home.gateway.reload()
    report.until(lambda: home.send(home.message())[0] == 200, what="the first password again")


def test_a_wrong_configuration_names_its_place(home):
    path = os.path.join(home.place, "other.conf")
    with open(home.gateway.conf_file, encoding="utf-8") as text:
        good = text.read()
    secrets = os.path.join(home.place, "secrets")
    for name, content in (("empty", "\n"), ("long", "x" * 300), ("nothing", None)):
        if content is not None:
            with open(os.path.join(secrets, name), "w", encoding="utf-8") as out:
                out.write(content)
            os.chmod(os.path.join(secrets, name), 0o600)
    anna = os.path.join(secrets, "anna")
    cases = [
        ("users anna bert;", "users anna berta;", 'no user "berta"'),
        ("users anna bert;", "users anna anna;", "only one of them"),
        ("username me text;", "username mine text;", "no user mine"),
        ("username me text;", "username me plain;", "does not take"),
        (anna, os.path.join(secrets, "empty"), "holds no password"),
        (anna, os.path.join(secrets, "long"), "254 octets"),
        (anna, os.path.join(secrets, "nothing"), "No such file"),
        (anna, secrets, "is no file"),
        (f'password file "{anna}"', 'password "s3cret"', "password"),
        (f'password file "{anna}"', 'password is "s3cret"', "file of its own"),
        ("https://", "http://", "in the clear without TLS"),
    ]
    for old, new, words in cases:
        report.check(old in good, f"{old} is not in the configuration")
        with open(path, "w", encoding="utf-8") as out:
            out.write(good.replace(old, new))
        done = product.countersign("-c", path, "gateway", "--check", check=False)
        report.equal(done.returncode, 78, f"{new}: {done.stderr}")
        report.check(re.search(r"other\.conf:\d+:\d+: ", done.stderr) and words in done.stderr, f"{new}: {done.stderr}")
        report.check("s3cret\n" not in done.stderr, "a password is printed")


def test_a_policy_that_demands_a_token_of_nobody_is_warned_of(home):
    path = os.path.join(home.place, "warned.conf")
    with open(home.gateway.conf_file, encoding="utf-8") as text:
        changed = text.read().replace("users anna bert;", "policy named;")
    with open(path, "w", encoding="utf-8") as out:
        out.write(changed + "policy named { require-signed Body UsernameToken; }\n")
    done = product.countersign("-c", path, "gateway", "--check", check=False)
    report.equal(done.returncode, 0, done.stderr)
    report.check("nobody's password is known" in done.stderr, done.stderr)


def main():
    with Home() as home:
        report.run("wire/user_names", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
