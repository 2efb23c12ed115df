#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: alone
"""Certificates come and go, configurations are read anew, the gateway ends: under load nothing may be lost."""
import signal
import statistics
import sys
import time

import keys
import load
import product
import report
import soap
import wire

PARTNERS_KEYS = 4
ROUNDS = 5
RELOADS = 20
IN_FORCE_S = 1.0

ROUTES = """
partner acme {{ }}
route orders {{
    listener front; path "/orders"; methods POST;
    upstream "{receiver}";
    request {{ sign own-sign {{ parts Body Timestamp; }} }}
    response {{ verify acme; remove-security-header yes; }}
}}
route probe {{
    listener front; path "/probe"; methods POST;
    upstream "{probe}";
    response {{ verify acme; }}
}}
"""


class Scene:
    """A gateway in front of a signing receiver, and a probe route whose upstream signs with any key at once."""

    def __init__(self, receiver_options=()):
        place = product.new_directory()
        self.pairs = [keys.new_pair(place, f"acme{i}") for i in range(PARTNERS_KEYS)]
        self.keystore = product.Keystore(place)
        self.keystore.add_verifier(self.pairs[0])
        self.keystore.add_signer(keys.new_pair(place, "own"))
        self.probe_pair = self.pairs[0]
        self.probe = wire.Upstream(lambda _: wire.reply_octets(soap.sign(self.probe_pair)))
        self.receiver = product.Receiver(place, *self.pairs, options=receiver_options)
        self.routes = ROUTES.format(receiver=self.receiver.url, probe=self.probe.url)
        self.gateway = product.Gateway(place, self.keystore, self.routes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.__exit__()
        self.receiver.kill()
        self.probe.stop()

    def in_force_after(self, pair, passes=True):
        """Seconds until the gateway accepts (or no more accepts) what pair signs."""
        self.probe_pair = pair
        started = time.monotonic()
        with wire.Client(self.gateway.address) as client:
            while True:
                reply = client.post(soap.envelope(), "/probe")
                took = time.monotonic() - started
                if (reply.status == 200) == passes:
                    return took
                report.check(took < report.PATIENCE_S, "the change was not in force")


def expect_clean(running):
    running.stop()
    report.check(not running.troubles, f"{len(running.troubles)} of {running.answered}: {running.troubles[:3]}")
    print(f"  # {running.answered} requests, {running.rate():.0f}/s, 0 lost", flush=True)


def test_certificates_come_and_go_under_load():
    took = []
    with Scene() as scene, load.Pace() as pace, load.Load(scene.gateway.address) as running:
        running.wait_for(100)
        for number in range(1, PARTNERS_KEYS):
            entry = scene.keystore.add_verifier(scene.pairs[number])
            report.equal(entry, f"acme-sign#{number + 1}", "entry")
            took.append(scene.in_force_after(scene.pairs[number]))
            scene.receiver.rotate()
            running.wait_for(50)
            scene.keystore.run("deactivate", f"acme-sign#{number}")
            running.wait_for(50)
        for _ in range(ROUNDS * PARTNERS_KEYS):
            scene.receiver.rotate()
            running.wait_for(50)
        expect_clean(running)
        entries = scene.keystore.entries()
        report.equal(entries["acme-sign#1"]["state"], "deactivated", "state of the first entry")
        scene.gateway.logged(lambda r: (r.get("response") or {}).get("state") == "deactivated")
    print(f"  # from the end of `keystore add` to the first pass: median {statistics.median(took) * 1000:.0f} ms, "
          f"longest {max(took) * 1000:.0f} ms", flush=True)
    report.check(max(took) <= IN_FORCE_S + 2 * pace.worst_s, f"a change was in force only after {max(took):.2f} s")


def test_suspended_certificate_is_refused_and_comes_back_under_load():
    with Scene() as scene:
        scene.keystore.add_verifier(scene.pairs[1])
        scene.in_force_after(scene.pairs[1])
        with load.Load(scene.gateway.address) as running:
            running.wait_for(50)
            scene.keystore.run("suspend", "acme-sign#2")
            scene.in_force_after(scene.pairs[1], passes=False)
            scene.keystore.run("resume", "acme-sign#2")
            scene.in_force_after(scene.pairs[1])
            running.wait_for(50)
            expect_clean(running)


def test_reload_under_load_loses_nothing():
    with Scene() as scene, load.Load(scene.gateway.address) as running:
        for number in range(RELOADS):
            scene.gateway.configure(scene.routes, extra=f"# configuration {number}")
            scene.gateway.reload()
            running.wait_for(20)
        expect_clean(running)


def test_wrong_configuration_leaves_the_old_one_in_force():
    with Scene() as scene, load.Load(scene.gateway.address) as running:
        scene.gateway.configure(scene.routes + "route broken { listener nowhere; path \"/broken\"; methods POST; }")
        scene.gateway.reload()
        report.until(lambda: "countersign.conf:" in scene.gateway.stderr(), what="a message with the place of the error")
        running.wait_for(50)
        expect_clean(running)


def test_stop_under_load_cuts_no_request():
    with Scene(receiver_options=["--delay-ms", "50"]) as scene:
        with load.Load(scene.gateway.address, per_second=100) as running:
            running.wait_for(50)
            scene.gateway.signal(signal.SIGTERM)
            status = scene.gateway.wait()
            running.join()
        report.equal(status, 0, "exit status")
        report.check(not running.troubles, f"{len(running.troubles)} of {running.answered}: {running.troubles[:3]}")


if __name__ == "__main__":
    report.run("roll-over under load", report.tests_of(sys.modules[__name__]))
