#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""What a configuration says about TLS and authorization is checked before it is in force: every error has its place, names the
cure, and stops start and reload."""
import os
import sys

import keys
import product
import report

LISTENER = 'listener front {{ address 127.0.0.1:8443; {} }}\n'
ROUTE = 'route plain {{ listener front; path "/plain"; upstream "{url}" {{ {upstream} }} {more} }}\n'


class Bench:
    """A keystore with one slot of each role, against which configurations are checked."""

    def __init__(self):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.authority = keys.issue(self.place, "ca", authority=True)
        self.keystore.run("add", "--role", "trust-anchor", "--alias", "ca", self.authority.certificate_file, "--activate")
        for role, alias, active in (("tls-server", "gw", True), ("tls-client", "ack", True), ("tls-server", "idle", False), ("tls-client", "lazy", False)):
            other = keys.issue(self.place, alias, self.authority, hosts=["gw.test"])
            self.keystore.run("add", "--role", role, "--alias", alias, other.certificate_file, "--private-key", other.key_file,
                              *(["--activate"] if active else ["--reason", "later"]))

    def check(self, tls=None, listener="tls front-tls;", url="http://127.0.0.1:1/", upstream="", more=""):
        text = f'keystore sqlite "{self.keystore.path}";\n'
        text += f"tls front-tls {{ {tls} }}\n" if tls is not None else ""
        text += LISTENER.format(listener if tls is not None else "")
        text += ROUTE.format(url=url, upstream=upstream, more=more)
        path = os.path.join(self.place, "check.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return product.countersign("-c", path, "gateway", "--check", check=False)


BENCH = Bench()
HTTPS = "https://127.0.0.1:1/"
GOOD = {"tls": "certificate gw; client-anchors ca;"}

WRONG = [
    ({"tls": ""}, ":2:1:", "has no certificate"),
    ({"tls": "certificate nowhere;"}, ":2:", "no alias nowhere"),
    ({"tls": "certificate ca;"}, ":2:", "has the role trust-anchor"),
    ({"tls": "certificate idle;"}, ":2:", "no active entry with a key"),
    ({"tls": "certificate gw#7;"}, ":2:", "no such entry"),
    ({"tls": "certificate gw#x;"}, ":2:", "neither an alias nor an entry"),
    ({"tls": "certificate gw; client-anchors gw;"}, ":2:", "one of role trust-anchor"),
    ({"tls": "certificate gw; client-certificate require;"}, ":2:", "has no client-anchors"),
    ({"tls": "certificate gw; client-certificate optional;"}, ":2:", "has no client-anchors"),
    ({"tls": "certificate gw; crl require;"}, ":2:", "crl require needs client certificates"),
    ({"tls": "certificate gw; minimum TLSv1.1;"}, ":2:", "TLSv1.2"),
    ({"tls": "certificate gw; } tls front-tls { certificate gw;"}, ":2:", "there is a tls front-tls already"),
    ({"tls": "certificate gw;", "listener": "tls front-tsl;"}, ":3:", "did you mean front-tls?"),
    ({"url": HTTPS}, ":3:", "needs anchors"),
    ({"url": HTTPS, "upstream": "anchors ack;"}, ":3:", "one of role trust-anchor"),
    ({"url": HTTPS, "upstream": "anchors ca; client-certificate gw;"}, ":3:", "one of role tls-client"),
    ({"upstream": "anchors ca;"}, ":3:", "for an https:// upstream"),
    ({"upstream": "client-certificate ack;"}, ":3:", "over https:// only"),
    ({"more": "authorize { }"}, ":3:", "asks for none"),
    ({"tls": "certificate gw;", "more": "authorize { }"}, ":4:", "asks for none"),
    ({"more": 'user-header "X-User";'}, ":3:", "needs authorize"),
    ({**GOOD, "more": 'authorize { subject "nonsense" issuer "CN=a"; }'}, ":4:", "is not a name"),
    ({**GOOD, "more": 'authorize { subject "CN=a" issuer ""; }'}, ":4:", "is not a name"),
    ({**GOOD, "more": 'authorize { } user-header "Content-Length";'}, ":4:", "not a header field of its own"),
    ({**GOOD, "more": 'authorize { } user-header "X User";'}, ":4:", "not a header field of its own"),
]

FINE = [
    ({}, ""),
    (GOOD, ""),
    ({"tls": "certificate gw idle#1; client-anchors ca; client-certificate optional; minimum TLSv1.3; crl require; unknown-name first;"}, ""),
    ({"tls": "certificate gw; client-anchors ca; client-certificate none;"}, "of no use"),
    ({"url": HTTPS, "upstream": "anchors ca; crl require;"}, ""),
    ({"url": HTTPS, "upstream": "anchors ca; client-certificate ack;"}, "for whoever reaches"),
    ({"url": HTTPS, "upstream": "anchors ca; client-certificate lazy;"}, "requests of route plain are refused"),
    ({**GOOD, "more": 'authorize { certificate-user "a" "b"; subject "CN=a" issuer "CN=b"; } user-header "X-User";'}, ""),
]


def test_wrong_ones_stop_with_their_place_and_cure():
    for words, place, text in WRONG:
        done = BENCH.check(**words)
        report.equal(done.returncode, 78, f"exit status of {words}: {done.stderr}")
        report.check(any(place in line and text in line for line in done.stderr.splitlines()), f"{words}: {done.stderr}")


def test_right_ones_pass_and_warn_where_it_helps():
    for words, warning in FINE:
        done = BENCH.check(**words)
        report.equal(done.returncode, 0, f"exit status of {words}: {done.stderr}")
        report.check(warning in done.stderr, f"{words}: {done.stderr}")


def test_off_loopback_our_certificate_is_lent_to_nobody():
    done = BENCH.check(url=HTTPS, upstream="anchors ca; client-certificate ack;")
    report.equal(done.returncode, 0, "exit status on loopback")
    text = open(os.path.join(BENCH.place, "check.conf"), encoding="utf-8").read().replace("127.0.0.1:8443", "*:8443")
    path = os.path.join(BENCH.place, "open.conf")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    done = product.countersign("-c", path, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit status off loopback")
    report.check("needs authorize" in done.stderr, done.stderr)


if __name__ == "__main__":
    report.run("tls check", report.tests_of(sys.modules[__name__]))
