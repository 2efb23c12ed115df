# SPDX-License-Identifier: Apache-2.0
"""Another date for the programs under test (libfaketime), at the usual pace."""
import contextlib
import os
import subprocess

import product

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
DAY = 86400


def preloaded():
    """The library in front; a sanitizer's runtime must come before it."""
    linked = subprocess.run(["ldd", product.COUNTERSIGN], stdout=subprocess.PIPE, text=True, check=True).stdout
    runtime = [line.split()[2] for line in linked.splitlines() if "libasan" in line]
    return " ".join(runtime + [LIBRARY])


@contextlib.contextmanager
def ahead(seconds):
    """What is started within lives so much ahead. Monotonic clocks are left alone: timeouts are not dates."""
    moved = {"LD_PRELOAD": preloaded(), "FAKETIME": f"{seconds:+d}", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
    before = {name: os.environ.get(name) for name in moved}
    os.environ.update(moved)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def day(number):
    """Likewise, in days."""
    return ahead(number * DAY)
