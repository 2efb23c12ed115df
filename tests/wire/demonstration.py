#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The demonstration of `make run` comes out as told, and leaves nothing running."""
import os
import re
import signal
import subprocess
import sys

import product
import report

DEMO = os.path.join(product.ROOT, "samples", "demo")


def start(**environment):
    return subprocess.Popen([DEMO], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=dict(os.environ, OUT=product.OUT, **environment))


def running(text):
    """Those of the processes which the story names that are still there."""
    return [pid for pid in set(re.findall(r"kill -USR1 (\d+)", text)) if product.alive(pid)]


def test_story_comes_out_as_told():
    demo = start(RUN_ONCE="1")
    text, _ = demo.communicate(timeout=report.PATIENCE_S)
    told = [line.strip() for line in text.splitlines() if "✗" in line]
    report.equal(demo.returncode, 0, f"status ({' '.join(told)})")
    for word in ("certificate-unknown", "digest-mismatch", "refused G8", '"deactivated"', "came out as told"):
        report.check(word in text, f"the story does not say {word}")
    report.equal(running(text), [], "processes left")


def test_it_stays_up_until_it_is_interrupted():
    demo = start(RUN_ONCE="")
    text = ""
    while "keystore remove" not in text.partition("stays up")[2]:
        line = demo.stdout.readline()
        report.check(line, f"the demonstration ended: {text[-300:]!r}")
        text += line
    address = re.search(r"orders, verified +http://(\S+)/orders", text).group(1)
    answer = subprocess.run(["curl", "-sS", "-H", "Content-Type: text/xml", "--data-binary",
                             f"@{product.ROOT}/samples/messages/get-order-soap12.xml", f"http://{address}/orders"],
                            stdout=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=True).stdout
    report.check("shipped" in answer, f"no order but {answer}")
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=report.PATIENCE_S)
    report.equal(demo.returncode, 0, "status")
    report.equal(running(text), [], "processes left")


if __name__ == "__main__":
    report.run("demonstration", report.tests_of(sys.modules[__name__]))
