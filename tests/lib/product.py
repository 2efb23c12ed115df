# SPDX-License-Identifier: Apache-2.0
"""The programs under test: the command line, a keystore, a running gateway, the sample receiver."""
import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from report import PATIENCE_S, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.environ.get("COUNTERSIGN_OUT", os.path.join(ROOT, "build"))
COUNTERSIGN = os.path.join(OUT, "countersign")
LONGEST = 80  # the path of a socket has room for 107 octets


def new_directory():
    """A directory for one test below TMPDIR, which tests/run removes; or, where that is a long way, elsewhere."""
    place = tempfile.mkdtemp(prefix="cs-")
    if len(place) > LONGEST:
        os.rmdir(place)
        place = tempfile.mkdtemp(prefix="cs-", dir="/var/tmp")
        atexit.register(remove, place)
    return place


def countersign(*args, stdin=None, check=True, timeout=PATIENCE_S):
    """Run one command. @return CompletedProcess with text output; with check a status other than 0 fails the test"""
    done = subprocess.run([COUNTERSIGN, *args], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"countersign {' '.join(args)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def peak_kb(*command):
    """Most memory of one command, which must exit 0. A small process starts it: what its parent held when it was started counts
    for a program, too."""
    done = subprocess.run([sys.executable, "-c", "import resource, subprocess, sys\n"
                           "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
                           "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", *command],
                          stdout=subprocess.PIPE, text=True, check=True)
    code, peak = done.stdout.split()
    if code != "0":
        raise AssertionError(f"exit {code} of {' '.join(command)}")
    return int(peak)


class Keystore:
    """A keystore in a file of its own."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "ks.db")
        self.uri = f"sqlite:{self.path}"
        self.run("init")

    def run(self, *args, check=True):
        return countersign("--keystore", self.uri, "keystore", *args, check=check)

    def add_verifier(self, pair, partner="acme", alias=None, activate=True):
        """@return the entry, e.g. acme-sign#1"""
        args = ["add", "--role", "verifier", "--partner", partner, "--alias", alias or f"{partner}-sign", pair.certificate_file]
        return self.run(*args, *(["--activate"] if activate else [])).stdout.strip()

    def add_signer(self, pair, alias="own-sign"):
        return self.run("add", "--role", "sign", "--alias", alias, pair.certificate_file, "--private-key", pair.key_file,
                        "--activate").stdout.strip()

    def entries(self):
        """The records of `keystore list`, by entry."""
        lines = self.run("list", "--json").stdout.splitlines()
        return {record["entry"]: record for record in map(json.loads, lines)}


def descendants(pid):
    """The process and all that it started and they started, parents first."""
    yield pid
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    yield from descendants(int(child))
    except FileNotFoundError:
        pass


def alive(pid):
    """Does the process run? One that ended and that nobody has fetched yet does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
            return text.read().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Process:
    """A program of ours that stays up; its output goes to files. Stopped by pid, at the latest by __exit__."""

    def __init__(self, directory, name, command, pass_fds=()):
        self.name = name
        self.stdout_file = os.path.join(directory, f"{name}.out")
        self.stderr_file = os.path.join(directory, f"{name}.err")
        with open(self.stdout_file, "wb") as out, open(self.stderr_file, "wb") as err:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, pass_fds=pass_fds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        return self.child.pid

    def stdout(self):
        with open(self.stdout_file, encoding="utf-8", errors="replace") as text:
            return text.read()

    def stderr(self):
        with open(self.stderr_file, encoding="utf-8", errors="replace") as text:
            return text.read()

    def signal(self, number):
        self.child.send_signal(number)

    def running(self):
        return self.child.poll() is None

    def wait(self, seconds=PATIENCE_S):
        """@return the exit status"""
        return self.child.wait(timeout=seconds)

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()


class Gateway(Process):
    """A running gateway. routes: text of the route blocks, {listener} is `front`. extra: top-level statements."""

    def __init__(self, directory, keystore, routes, extra="", listeners="listener front { address 127.0.0.1:0; }"):
        self.access_file = os.path.join(directory, "access.json")
        self.conf_file = os.path.join(directory, "countersign.conf")
        self.read_to = 0
        self.records = []
        self.head = f'keystore sqlite "{keystore.path}";\nlog {{ access "{self.access_file}"; }}\n'
        self.listeners = listeners
        self.configure(routes, extra)
        read_end, write_end = os.pipe()
        try:
            super().__init__(directory, "gateway", [COUNTERSIGN, "-c", self.conf_file, "gateway", "--ready-fd", str(write_end)],
                             pass_fds=(write_end,))
        finally:
            os.close(write_end)
        with os.fdopen(read_end, encoding="utf-8") as ready:
            line = ready.readline().split()
        if not line or line[0] != "ready":
            self.kill()
            raise AssertionError(f"the gateway did not start: {self.stderr().strip()}")
        self.addresses = line[1:]
        self.address = self.addresses[0]

    def configure(self, routes, extra="", listeners=None):
        """Write the configuration; it is in force after a start or reload()."""
        with open(self.conf_file, "w", encoding="utf-8") as conf:
            conf.write(f"{self.head}{extra}\n{listeners or self.listeners}\n{routes}\n")

    def __exit__(self, *_):
        """Stop as an operator does who does not wait for idle connections, so that a report of a sanitizer shows."""
        for patience_s in (2.0, PATIENCE_S):
            if self.running():
                self.signal(signal.SIGTERM)
                try:
                    self.wait(patience_s)
                except subprocess.TimeoutExpired:
                    pass
        if self.running():
            self.kill()
            raise AssertionError("the gateway did not end after a second SIGTERM")
        refused = [line for line in self.stderr().splitlines() if "sandbox-refused" in line]
        if refused:
            raise AssertionError(f"the gateway's own sandbox stood in its way: {refused[0]}")

    @property
    def serving_pid(self):
        """The process that serves: the newest child of the master."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
            return int(children.read().split()[-1])

    def reload(self):
        self.signal(signal.SIGHUP)

    def crash(self):
        """All of it ends without a word, as when the machine loses its power: nobody notices the end of another one."""
        stopped = []
        for pid in descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):  # one that ends by itself
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()
        until(lambda: not any(map(alive, stopped)), what="the end of all processes")

    def log(self):
        """All access log records so far."""
        try:
            with open(self.access_file, encoding="utf-8") as text:
                text.seek(self.read_to)
                while True:
                    line = text.readline()
                    if not line.endswith("\n"):
                        break
                    self.records.append(json.loads(line))
                    self.read_to = text.tell()
        except FileNotFoundError:
            pass
        return self.records

    def logged(self, wanted, seconds=PATIENCE_S):
        """Wait for a record for which wanted(record) holds, and return the newest such one."""
        return until(lambda: next((r for r in reversed(self.log()) if wanted(r)), None), seconds, "access log line")

    def record_of(self, client, count=1):
        """Wait for the count-th record of the connection of a wire.Client, and return it."""
        def found():
            mine = self.records_of(client)
            return mine[count - 1] if len(mine) >= count else None
        return until(found, what=f"access log line of {client.name}")

    def records_of(self, client):
        """The records so far of the connection of a wire.Client."""
        return [r for r in self.log() if r["client"] == client.name and r["t"] >= client.born]

    def logged_count(self, count, seconds=PATIENCE_S):
        """Wait until so many records are there, and return the newest."""
        return until(lambda: len(self.log()) >= count and self.records[-1], seconds, f"{count} access log lines")


def reason_of(record):
    """The reason of a record, whichever part of the exchange refused it; ok when nothing did."""
    for part in (record, record.get("request") or {}, record.get("response") or {}):
        if part.get("reason") not in (None, "ok"):
            return part["reason"]
    return "ok"


class Receiver(Process):
    """samples/receiver with these pairs; key change by rotate()."""

    def __init__(self, directory, *pairs, options=(), name="receiver"):
        command = [os.path.join(OUT, "samples", "receiver"), *options]
        for pair in pairs:
            command += ["--certificate", pair.certificate_file, "--key", pair.key_file]
        super().__init__(directory, name, command)
        self.port = int(self._line("listening"))
        self._line("signing with")

    def _line(self, start, count=1):
        """Wait for the count-th line with this start, and return the rest of it."""
        def seen():
            lines = [line for line in self.stdout().splitlines() if line.startswith(start + " ")]
            if not self.running():
                raise AssertionError(f"{self.name} ended: {self.stderr().strip()}")
            return lines[count - 1][len(start) + 1:] if len(lines) >= count else None
        return until(seen, PATIENCE_S, f"{self.name}: {start}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/soap"

    def rotate(self):
        """Go on to the next key, and wait until it is in use. @return the certificate file"""
        count = self.stdout().count("signing with ") + 1
        self.signal(signal.SIGUSR1)
        return self._line("signing with", count)


class Tamper(Process):
    """samples/tamper in front of a port."""

    def __init__(self, directory, upstream_port):
        super().__init__(directory, "tamper", [os.path.join(OUT, "samples", "tamper"), "--upstream", str(upstream_port)])
        self.port = int(until(lambda: self.stdout().startswith("listening ") and self.stdout().split()[1], PATIENCE_S, "tamper: listening"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/soap"


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)
