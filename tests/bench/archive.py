# SPDX-License-Identifier: Apache-2.0
"""Bulk verification: what a run costs beside verification alone, how it scales with workers, what memory it takes."""
import datetime
import os
import resource
import shutil
import statistics
import subprocess
import time

import forms
import keys
import product
import soap
import stored

COST_TARGET = 1.3            # CPU of a run, journal and report included, of verification alone
SCALE_TARGET = 1.8           # throughput of two workers, of one
MEMORY_TARGET_MB = 256
DONE_ITEMS = 10_000_000
LARGE = 1000 << 20           # octets
TINY = 1_000_000             # files
LINKS = 50_000               # names of one file, at most
PADDING = 1200               # makes messages of about 4 KB
RECEIVED = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")


def line(text, value, unit, verdict):
    print(f"  {text:66} {value:9.2f} {unit:3} {verdict}", flush=True)


def at_most(value, target):
    return f"target <= {target:g}: {'met' if value <= target else 'NOT met'}"


def at_least(value, target):
    return f"target >= {target:g}: {'met' if value >= target else 'NOT met'}"


class Archives:
    """The same messages as files, as one tar, as one tar.zst."""

    def __init__(self, out, place, rounds, count):
        self.out = out
        self.place = place
        self.rounds = rounds
        self.count = count
        self.program = os.path.join(out, "countersign")
        self.uri = f"sqlite:{place}/archive.db"
        self.runs = 0

    def make(self):
        pair = keys.new_pair(self.place, "archived", "ec:P-256", days=(-500, 400))
        begin = datetime.datetime.now(stored.UTC).replace(microsecond=0) - datetime.timedelta(days=400)
        maker = stored.Maker()
        items = []
        for number in range(self.count):
            received = begin + datetime.timedelta(seconds=300 * number // max(1, self.count // 100000))
            name = f"{number // 1000:04d}/{number:06d}-{received.strftime(stored.FORMAT)}.xml"
            items.append(stored.Item(name, maker.message(pair, received, PADDING), received, None, ("pass", "ok")))
        for form in ("tree", "tar", "tar-zst"):
            forms.FORMS[form](self.place, form, items)
        self.keystore("init")
        self.keystore("add", "--role", "verifier", "--partner", "acme", "--alias", "acme", pair.certificate_file, "--activate",
                      "--since", stored.text_of(begin - datetime.timedelta(days=1)))
        self.names = "".join(f"{self.place}/tree/{item.name}\n" for item in items)
        self.certificate, self.key = pair.certificate_file, pair.key_file
        self.octets = len(items[0].octets)

    def keystore(self, *args):
        subprocess.run([self.program, "-q", "--keystore", self.uri, "keystore", *args], check=True, stdout=subprocess.DEVNULL)

    def verify(self, operand, jobs, *more, code=0):
        """@return (CPU seconds, seconds) of a run with journal and summary"""
        self.runs += 1
        journal = os.path.join(self.place, f"run-{self.runs}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        done = subprocess.run([self.program, "--keystore", self.uri, "archive", "verify", operand, *RECEIVED, "--journal", journal, "--jobs", str(jobs),
                               "--progress", "none", *more], cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        shutil.rmtree(journal)
        if done.returncode != code:
            raise AssertionError(f"exit {done.returncode} of a run over {operand}: {done.stderr}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds

    def pure_us(self):
        done = subprocess.run([os.path.join(self.out, "bench", "bench_pure"), self.certificate], input=self.names, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout.split()[1])

    def cost(self):
        shares = {"tar.tar": [], "tree": []}
        for _ in range(self.rounds):
            pure = self.pure_us()
            for operand, seen in shares.items():
                seen.append(self.verify(operand, 1)[0] * 1e6 / self.count / pure)
        line(f"CPU of verification alone, {self.octets} octets, P-256", pure, "us", "")
        for operand, text in (("tar.tar", "one tar"), ("tree", "loose files, what the system takes for them included")):
            share = statistics.median(shares[operand])
            line(f"CPU of a run, {text}, of that", share, "", at_most(share, COST_TARGET))

    def scale(self):
        for operand, text in (("tree", "loose files"), ("tar-zst.tar.zst", "one tar.zst")):
            gains, rates = [], []
            for _ in range(self.rounds):
                one = self.verify(operand, 1)[1]
                two = self.verify(operand, 2)[1]
                gains.append(one / two)
                rates.append(self.count / two)
            gain = statistics.median(gains)
            line(f"two workers, {text}, of one ({statistics.median(rates):.0f}/s)", gain, "", at_least(gain, SCALE_TARGET))

    def resumed(self):
        done = subprocess.run([os.path.join(self.out, "bench", "bench_done"), str(DONE_ITEMS)], stdout=subprocess.PIPE, text=True, check=True,
                              env=dict(os.environ, TMPDIR=self.place))
        _, us, peak = done.stdout.split()
        line(f"memory for a journal of {DONE_ITEMS} items that is gone on with", int(peak) / 1024, "MB", at_most(int(peak) / 1024, MEMORY_TARGET_MB))
        line("CPU for each of them", float(us), "us", "")

    def large(self):
        """One message of a GB, signed by the product, which holds none of it either."""
        chunk = ("<i>" + "0123456789abcdef klmnopqrstuvwxyz " * 8 + "</i>\n") * 256
        head, tail = soap.envelope("@").split("@")
        plain, stored_as = os.path.join(self.place, "plain.xml"), os.path.join(self.place, "large.xml")
        with open(plain, "w", encoding="utf-8") as out:
            out.write(head)
            for _ in range(LARGE // len(chunk)):
                out.write(chunk)
            out.write(tail)
        conf = os.path.join(self.place, "large.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write("policy large { limits { body 1G; } }\n")
        self.keystore("add", "--role", "sign", "--alias", "own", self.certificate, "--private-key", self.key, "--activate")
        subprocess.run([self.program, "--keystore", self.uri, "sign", "--alias", "own", "--timestamp", plain, "-o", stored_as], check=True)
        os.unlink(plain)
        begun = time.monotonic()
        peak = product.peak_kb(self.program, "-c", conf, "--keystore", self.uri, "archive", "verify", stored_as, "--policy", "large", "--trust-claimed",
                               "--max-member", "1G", "--timeout-per-item", "600s", "--progress", "none")
        seconds = time.monotonic() - begun
        line(f"memory for one message of {LARGE >> 20} MB ({seconds:.0f} s)", peak / 1024, "MB", at_most(peak / 1024, MEMORY_TARGET_MB))
        os.unlink(stored_as)

    def tiny(self):
        """A million files in one directory; names of a few files, so that making them takes no longer than judging them."""
        below = os.path.join(self.place, "tiny")
        os.mkdir(below)
        for number in range(TINY):
            path = os.path.join(below, f"{number:07d}.xml")
            if number % LINKS == 0:
                first = path
                with open(path, "w", encoding="ascii") as out:
                    out.write(f"<a>{number}</a>")
            else:
                os.link(first, path)
        journal = os.path.join(self.place, "run-tiny")
        begun = time.monotonic()
        peak = product.peak_kb(self.program, "--keystore", self.uri, "archive", "verify", below, "--journal", journal, "--progress", "none", "--fail-on", "gap",
                               "--expect-count", str(TINY))
        rate = TINY / (time.monotonic() - begun)
        line(f"memory for {TINY} tiny files in one directory ({rate:.0f}/s)", peak / 1024, "MB", at_most(peak / 1024, MEMORY_TARGET_MB))
        shutil.rmtree(below)
        shutil.rmtree(journal)

    def run(self):
        print(f"Archives of {self.count} messages (median of {self.rounds} rounds)")
        self.make()
        self.cost()
        self.scale()
        self.resumed()
        self.large()
        self.tiny()
        print()
