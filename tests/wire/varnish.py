#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Runs the scripts of vtc/ with varnishtest: client, gateway and receiver of one behaviour in one script. They share one
gateway, whose address is ${gateway} in a script; its receiver is whoever listens at ${upstream}. Its limits are small, so
that a script can exceed them: head 2k, field 512, 20 fields, target 256; body of /small 1k; 3 s for head and body, 4 s
for a reply. Every class of malformed input has a script here; those of TLS have their tests in tls_front.py and
tls_upstream.py, for varnishtest speaks none. Names of scripts as arguments select some."""
import glob
import os
import shutil
import subprocess
import sys

import product
import report
import wire

FOLDER = os.path.join(product.ROOT, "tests", "wire", "vtc")
EXTRA = """
loops 1;
timeouts {{ head 3s; body-idle 3s; keep-alive 5s; }}
limits {{ head 2k; field 512; fields 20; target 256; }}
policy tight {{ limits {{ body 1k; }} }}
partner small {{ policy tight; }}
partner sender {{ }}
"""
ROUTES = """
route all {{ listener front; path "/"; methods POST GET PUT HEAD; upstream "http://{upstream}/" {{ response-timeout 4s; }} }}
route soap {{ listener front; path "/soap"; upstream "http://{upstream}/"; request {{ verify sender; }} }}
route small {{ listener front; path "/small"; upstream "http://{upstream}/"; request {{ verify small; }} }}
"""
LIMIT_S = 120


def run(script, gateway, upstream):
    done = subprocess.run(["varnishtest", "-t", str(LIMIT_S), "-D", f"gateway={gateway.address}", "-D", f"upstream={upstream}", script],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT_S + 30, check=False)
    report.check(gateway.running(), "the gateway has ended")
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if not line.startswith("****")]
        raise AssertionError(f"varnishtest: {' | '.join(said[-8:])}")


def main():
    if shutil.which("varnishtest") is None:
        print("skip varnish: varnishtest is not installed")
        return
    place = product.new_directory()
    upstream = f"127.0.0.1:{wire.unused_port()}"
    keystore = product.Keystore(place)
    with product.Gateway(place, keystore, ROUTES.format(upstream=upstream), EXTRA.format()) as gateway:
        scripts = sorted(glob.glob(os.path.join(FOLDER, "*.vtc")))
        report.run("varnish", [(os.path.basename(s)[:-4].replace("_", " "), lambda s=s: run(s, gateway, upstream)) for s in scripts])


if __name__ == "__main__":
    sys.exit(main())
