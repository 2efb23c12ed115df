# SPDX-License-Identifier: Apache-2.0
"""What the scripts about the keystore commands share: keys made once, a store that can be compared, checked records."""
import datetime
import functools
import json
import os
import re
import signal
import sqlite3
import subprocess

import keys
import product
from report import PATIENCE_S, check, equal

DAY = 86400
RECORD = {"alias", "entry", "role", "partner", "state", "not_before", "not_after", "process_stop", "exchanged_at", "last_use", "uses",
          "sha256", "spki_sha256", "subject", "issuer", "serial", "key_algorithm", "key_bits", "version", "possible_actions",
          "refused_actions"}
PLACE = product.new_directory()
PARTNER = ["add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign"]
PAIRS = {"soon": {"days": (-1, 9)}, "early": {"days": (-2000, 365)}, "gone": {"days": (-400, -100)}, "expired": {"days": (-400, -1)},
         "future": {"days": (10, 400)}, "short": {"days": (-1, 20)}, "small": {"kind": "rsa:1024"}, "twin1": {"subject": "twin"},
         "twin2": {"subject": "twin"}}


@functools.lru_cache(maxsize=None)
def made(name):
    """A key and certificate, made on first use; what is not said in PAIRS is a P-256 key, valid from yesterday for a year."""
    return keys.new_pair(PLACE, name, **{"kind": "ec:P-256", **PAIRS.get(name, {})})


def weak_pair():
    """RSA-512, which python's module does not make. @return certificate file, key file"""
    certificate, key = os.path.join(PLACE, "weak.pem"), os.path.join(PLACE, "weak.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=weak", "-days", "30", "-keyout", key,
                    "-out", certificate], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(name, data):
    path = os.path.join(PLACE, name)
    with open(path, "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())
    return path


class Store(product.Keystore):
    """A keystore whose content can be compared."""

    def __init__(self, directory=None):
        super().__init__(directory or product.new_directory())

    def content(self):
        """Everything stored, as text."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            live = re.compile(f"""INSERT INTO "?(({"|".join(self.LIVE)})"?[ (]|meta" VALUES\\('clock_|(notification|delivery)" VALUES\\('audit-checkpoint)""")
            return "\n".join(line for line in db.iterdump() if not live.match(line))

    def change(self, sql, *values):
        """Alter the file behind the program's back."""
        with sqlite3.connect(self.path, timeout=PATIENCE_S) as db:
            db.execute(sql, values)

    def verifier(self, name, *more, check=True, alias="acme-sign"):
        return self.run("add", "--role", "verifier", "--partner", "acme", "--alias", alias, made(name).certificate_file, *more, check=check)

    def signer(self, name, *more, check=True):
        return self.run("add", "--role", "sign", "--alias", "own-sign", made(name).certificate_file, "--private-key", made(name).key_file,
                        *more, check=check)

    LIVE = ("node", "lease", "use_day", "use_sender", "observation")

    def refuses(self, exit_code, *args, says=()):
        """Run a command that must end so, say this on stderr, and change nothing (but what a running gateway writes for
        itself). @return what it printed"""
        before = self.content()
        done = self.run(*args, check=False)
        equal(done.returncode, exit_code, f"exit of {' '.join(args)}: {done.stderr.strip()}; status")
        for text in (says,) if isinstance(says, str) else says:
            check(text in done.stderr, f"{' '.join(args)}: stderr lacks {text!r}: {done.stderr.strip()}")
        equal(self.content(), before, "content of the store after a refusal")
        return done


def stopped_between_writes(pid, store):
    """Stop the process, unless it is just then in the middle of a transaction, which would keep everybody out."""
    os.kill(pid, signal.SIGSTOP)
    db = sqlite3.connect(store.path, timeout=0, isolation_level=None)
    try:
        db.execute("begin immediate")
        db.execute("rollback")
        return True
    except sqlite3.OperationalError:
        os.kill(pid, signal.SIGCONT)
        return False
    finally:
        db.close()


def records(done):
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for record in found:
        check(RECORD <= set(record), f"record lacks {RECORD - set(record)}")
    return found


def filled_store():
    store = Store()
    store.verifier("new", "--activate")
    return store
