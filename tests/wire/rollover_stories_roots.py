#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 600
# tests/run: table
"""Roll-overs in which the authority changes, from end to end behind a running gateway: the new root is known to the one
who checks before anything that it signed is shown to him. Nothing is lost."""
import os
import sys

from cryptography import x509

import faketime
import keys
import product
import report
import tls
import wire
from authority import PEM, Authority
from presented import Presented
from report import check, equal
from story import LONG_S, Story

CHECKED = """
route orders {{ listener front; path "/orders"; methods POST; upstream "{url}" {{ anchors receivers; response-timeout 120s; }} }}
"""


class Rooted(Story):
    """A receiver whose server certificate is of an old root, and whose next one is of a new root."""

    def __init__(self):
        place = product.new_directory()
        keystore = product.Keystore(place)
        self.roots = [keys.issue(place, f"root-{n}", authority=True, subject=f"CN=Root {n},O=ACME") for n in (1, 2)]
        self.servers = [tls.server_context(keys.issue(place, f"server-{n}", root, hosts=["127.0.0.1"]))
                        for n, root in enumerate(self.roots, 1)]
        keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", self.roots[0].certificate_file, "--activate")
        upstream = wire.Upstream(self.answer, tls=self.servers[0])
        super().__init__(product.Gateway(place, keystore, CHECKED.format(url=upstream.url)), keystore, upstream)

    def answer(self, request):
        """As a server does that was set up anew: connections from before it are ended with their next reply."""
        kept = request.socket.context is self.upstream.tls
        return wire.reply_octets("<ok/>", fields=() if kept else ["Connection: close"])

    def exchange(self, number):
        self.upstream.tls = self.servers[number - 1]

    def status_of_one(self):
        """Of one more request, which may find a connection from before."""
        with wire.Client(self.gateway.address) as client:
            return client.post("<a/>").status

    def served(self):
        """Which server certificate the connection of the newest request began with."""
        return 1 + self.servers.index(self.upstream.requests[-1].socket.context)


def test_a_receiver_exchanges_its_server_certificate_for_one_of_a_new_root():
    with Rooted() as story:
        with story.flowing() as running:
            new = story.roots[1]
            story.roll("start", "receiver-server", "--alias", "receivers")
            story.until("1", "ready")
            refused = story.keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", new.certificate_file, "--activate",
                                         "--expect-sha256", story.roots[0].sha256, check=False)
            check(refused.returncode != 0 and story.states()["1"] == "ready", f"another root than was said: {refused.stderr}")
            story.keystore.run("add", "--role", "trust-anchor", "--alias", "receivers", new.certificate_file, "--activate",
                               "--expect-sha256", new.sha256)
            story.until("2")
            story.said("3", "told by phone")
            story.until("4", "ready")
            equal(story.served(), 1, "the server certificate before the receiver exchanges it")
            story.exchange(2)
            report.until(lambda: story.served() == 2, LONG_S, "a connection with the new server certificate")
            story.said("4")
            story.roll("next", "R-1")
            story.until("5a")
            running.wait_for(20)
            refused = story.roll("next", "R-1", exits=10)
            check("refused G8 retention" in refused.stderr, refused.stderr)
        with story.later(91 * faketime.DAY, CHECKED.format(url=story.upstream.url)):
            with story.flowing():
                story.until("5b")
                story.over()
            story.exchange(1)
            report.until(lambda: story.status_of_one() == 502, LONG_S, "a receiver with a certificate of the old root is refused")


def test_a_receiver_knows_a_new_authority_before_it_sees_a_certificate_of_it():
    authority = Authority()
    with Presented() as story:
        root = os.path.join(story.place, "outside-root.pem")
        with open(root, "wb") as out:
            out.write(authority.root.public_bytes(PEM))
        with story.flowing() as running:
            story.roll("start", "tls-client.root", "--alias", "ack-client")
            request, reply = (os.path.join(story.place, name) for name in ("request.csr", "reply.pem"))
            story.keystore.run("csr", "--alias", "ack-client", "-o", request)
            with open(request, "rb") as text, open(reply, "wb") as out:
                out.write(authority.pem(authority.answer(x509.load_pem_x509_csr(text.read()))))
            story.keystore.run("import-reply", "--alias", "ack-client", reply)
            story.until("1")
            story.said("2", "given by hand")
            story.taken = {1, 2}
            story.roll("probe", "R-1")
            report.until(lambda: "refused" in story.fact("probe-both"), LONG_S, "the probe with the new one is refused")
            equal(story.states()["3"], "ready", "the receiver does not know the new root")
            story.upstream.tls = story.trusting(story.root, root)
            story.roll("probe", "R-1")
            story.until("3")
            check(story.shown["3"].startswith("probe-both"), story.shown["3"])
            story.roll("next", "R-1")
            story.until("5")
            running.wait_for(20)
            equal(story.sent()[-1], 2, "the certificate presented last")
            story.upstream.tls = story.trusting(root)
            story.roll("probe", "R-1")
            report.until(lambda: "refused" in story.fact("probe-old-refused"), LONG_S, "the old one is refused")
            story.said("6")
            story.over()
        check({1, 2} == set(story.sent()), "both were in use")


if __name__ == "__main__":
    report.run("rollover-stories-roots", report.tests_of(sys.modules[__name__]))
