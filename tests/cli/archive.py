#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 400
"""archive verify: stored messages, each as of its own time, in every form in which they are kept."""
import bz2
import collections
import datetime
import gzip
import io
import json
import lzma
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import forms
import journal as journals
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
BY_NAME = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)")
COUNT = 400


class House:
    """A keystore with four generations, a tree of messages and their ledger; made once."""

    def __init__(self):
        self.directory = product.new_directory()
        self.keystore = product.Keystore(self.directory)
        self.generations = stored.four_generations(self.directory, self.keystore, TODAY)
        stranger = keys.new_pair(self.directory, "stranger", "ec:P-256", days=(-2000, 400))
        self.items = stored.three_years(self.generations, COUNT, TODAY, stranger)
        self.tree = os.path.join(self.directory, "in")
        stored.write_tree(self.tree, self.items)
        for form in ("tar", "tar-gz", "zip", "lines"):
            forms.FORMS[form](self.directory, "all", self.items)
        self.runs = 0

    def verify(self, *args, journal=True, stdin=None, **how):
        """Run it in the directory. @return exit code, records, CompletedProcess"""
        self.runs += 1
        place = os.path.join(self.directory, f"run-{self.runs}")
        command = [product.COUNTERSIGN, "--keystore", self.keystore.uri, "archive", "verify", *args]
        command += ["--journal", place] if journal else []
        done = subprocess.run(command, cwd=self.directory, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1200, check=False, **how)
        return done.returncode, journals.read(place) if journal else [], done

    def path(self, name):
        return os.path.join(self.directory, name)


def told(record):
    return record["verdict"], record["reason"]


HOUSE = House()


def agree(found, prefix, items=None):
    """Every item of the ledger has its verdict, under a loc that ends in its name."""
    items = HOUSE.items if items is None else items
    by_loc = {record["loc"]: record for record in found}
    report.equal(len(found), len(by_loc), "no loc stands twice")
    report.equal(len(found), len(items), "records")
    for item in items:
        record = by_loc.get(prefix.format(item.name))
        report.check(record is not None, f"{prefix.format(item.name)} is there")
        report.equal(told(record), item.expected, item.name)
        report.equal(record["payload_sha256"], item.sha256, item.name)
        report.equal(record["certificate"] and record["certificate"]["entry"], item.entry, item.name)


# ---- verdicts --------------------------------------------------------------------------------------------------------

def test_every_message_has_the_verdict_of_its_own_time():
    code, found, done = HOUSE.verify("in", *BY_NAME)
    report.equal(code, 1, done.stderr)
    agree(found, "in/{}")
    report.equal([r["seq"] for r in found], list(range(1, COUNT + 1)), "records are in the order of the walk")
    counts = collections.Counter(((r["certificate"] or {}).get("entry"), *told(r)) for r in found)
    report.equal(dict(counts), stored.ledger(HOUSE.items), "sums per certificate")
    report.check(all(r["time_source"] == "received" for r in found), "times are those of the names")


def test_verdict_now_tells_what_live_traffic_would():
    _, found, _ = HOUSE.verify("in", *BY_NAME)
    now = {r["reason_now"] for r in found if r["verdict"] == "pass" and r["certificate"]["entry"] == "acme-sign#1"}
    report.equal(now, {"certificate-archived"}, "of the first certificate")
    now = {r["verdict_now"] for r in found if r["verdict"] == "pass" and r["certificate"]["entry"] == "acme-sign#4"}
    report.equal(now, {"pass"}, "of the present one")
    states = {r["state_at_t"] for r in found if r["verdict"] == "pass"}
    report.check(states <= {"active", "deactivated"}, str(states))


def test_what_no_time_settles_is_indeterminate():
    code, found, done = HOUSE.verify("in")
    weak = {told(r) for r in found if (r["certificate"] or {}).get("entry") == "acme-sign#1" and r["facts"] == "ok"}
    report.equal(weak, {("indeterminate", "time-unknown")}, "an archived certificate, judged as of now")
    report.equal({r["sub_indication"] for r in found if r["reason"] == "time-unknown"}, {"NO_POE"}, "")
    report.check(b"--received-from" in done.stderr and code == 1, "the run names the cure")
    code, found, _ = HOUSE.verify("in", "--trust-claimed")
    passes = [r for r in found if r["verdict"] == "pass"]
    report.equal({r["time_source"] for r in passes}, {"claimed"}, "")
    report.equal(len(passes), sum(i.expected[0] == "pass" for i in HOUSE.items), "what is signed counts where it is trusted")
    code, found, _ = HOUSE.verify("in", "--as-of", stored.text_of(HOUSE.generations[0].begin + datetime.timedelta(days=5)))
    report.equal({r["certificate"]["entry"] for r in found if r["verdict"] == "pass"}, {"acme-sign#1"}, "one instant for all")


def test_times_come_from_an_index_a_field_or_the_file():
    some = [i for i in HOUSE.items if i.expected == ("pass", "ok")][:20]
    with open(HOUSE.path("times.tsv"), "w", encoding="utf-8") as out:
        out.write("path\treceived\n" + "".join(f"in/{i.name}\t{stored.text_of(i.received)}\n" for i in some))
    with open(HOUSE.path("list"), "w", encoding="utf-8") as out:
        out.write("".join(f"in/{i.name}\n" for i in some))
    code, found, done = HOUSE.verify("@list", "--received-from", "index:times.tsv")
    report.equal((code, len(found)), (0, 20), done.stderr)
    with open(HOUSE.path("lines.ndjson"), "w", encoding="utf-8") as out:
        for i in some:
            out.write(json.dumps({"received": str(int(i.received.timestamp())), "message": i.octets.decode()}) + "\n")
    code, found, done = HOUSE.verify("lines.ndjson", "--ndjson-field", "message", "--ndjson-encoding", "text",
                                     "--received-from", "field:received", "--received-format", "%s")
    report.equal((code, len(found)), (0, 20), done.stderr)
    report.equal(found[3]["loc"], "lines.ndjson#3", "")
    for i in some:
        os.utime(os.path.join(HOUSE.tree, i.name), (i.received.timestamp(), i.received.timestamp()))
    code, found, done = HOUSE.verify("@list", "--received-from", "name:(nothing)", "--received-from", "mtime")
    report.equal((code, {r["time_source"] for r in found}), (0, {"mtime"}), done.stderr)
    report.check(all("received-from-missed" in r["notes"] for r in found), "a SPEC that does not fit is told")


# ---- forms -----------------------------------------------------------------------------------------------------------

def test_compressed_files_and_pipes_are_read_through():
    item = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    stem = os.path.basename(item.name)
    for suffix, pack in ((".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)):
        with open(HOUSE.path(stem + suffix), "wb") as out:
            out.write(pack(item.octets))
        code, found, done = HOUSE.verify(stem + suffix, *BY_NAME)
        report.equal((code, found[0]["loc"], found[0]["payload_sha256"]), (0, stem + suffix, item.sha256), done.stderr)
    code, found, done = HOUSE.verify("-", "--as-of", stored.text_of(item.received), stdin=item.octets)
    report.equal((code, found[0]["loc"]), (0, "-"), done.stderr)
    code, found, done = HOUSE.verify("-", *BY_NAME, stdin=f"in/{item.name}\0".encode())
    report.equal((code, found[0]["loc"]), (0, f"in/{item.name}"), done.stderr)
    with open(HOUSE.path("all.tar.gz"), "rb") as packed:
        code, found, done = HOUSE.verify("-", *BY_NAME, stdin=packed.read())
    agree(found, "-!{}#0")
    head = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml;\r\n charset=utf-8\r\nX-Received: "
    with open(HOUSE.path("dump.as4in"), "wb") as out:
        out.write(head + item.received.strftime("%a, %d %b %Y %H:%M:%S GMT").encode() + b"\r\n\r\n" + item.octets)
    code, found, done = HOUSE.verify("dump.as4in", "--received-from", "header:x-received")
    report.equal((code, found[0]["t"]), (0, stored.text_of(item.received)), done.stderr)
    fields = b"Server: peer/4.1\r\nDate: Mon, 07 Mar 2022 16:36:51 GMT\r\nTransfer-Encoding: chunked\r\nX-Frame: a\r\nX-Frame: b\r\n"
    with open(HOUSE.path("fields.as4in"), "wb") as out:
        out.write(fields + b"Content-Type: text/xml; charset=UTF-8\r\n\r\n" + item.octets)
    code, found, done = HOUSE.verify("fields.as4in", "--as-of", stored.text_of(item.received))
    report.equal((code, found[0]["verdict"]), (0, "pass"), "a dump without its first line, body no longer chunked")


def test_archives_in_archives_end_at_a_depth():
    item = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    octets = item.octets
    for depth in range(1, 6):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as out:
            info = tarfile.TarInfo(os.path.basename(item.name) if depth == 1 else "inner.tar.gz")
            info.size = len(octets)
            out.addfile(info, io.BytesIO(octets))
        octets = buffer.getvalue()
        with open(HOUSE.path(f"deep-{depth}.tar.gz"), "wb") as out:
            out.write(octets)
        code, found, _ = HOUSE.verify(f"deep-{depth}.tar.gz", *BY_NAME)
        expected = ("pass", "ok") if depth <= 3 else ("error", "limit-nesting")
        report.equal(([told(r) for r in found], code), ([expected], 0 if depth <= 3 else 3), f"depth {depth}")


# ---- bad input --------------------------------------------------------------------------------------------------------

def test_bombs_are_one_item_each():
    with open(HOUSE.path("bomb.xml.gz"), "wb") as out:
        out.write(gzip.compress(b"<a>" + b" " * 50000000))
    code, found, done = HOUSE.verify("bomb.xml.gz")
    report.equal((code, [told(r) for r in found]), (3, [("error", "limit-ratio")]), done.stderr)
    with zipfile.ZipFile(HOUSE.path("bomb.zip"), "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.xml", b"<a>" + b"b" * 50000000)
        out.writestr(HOUSE.items[40].name, HOUSE.items[40].octets)
    code, found, done = HOUSE.verify("bomb.zip", "--max-ratio", "100000", "--max-member", "1M", *BY_NAME)
    report.equal([told(r) for r in found], [("error", "limit-member"), HOUSE.items[40].expected], done.stderr)
    code, found, done = HOUSE.verify("all.tar", "--max-members", "10", *BY_NAME)
    report.equal((len(found), found[-1]["reason"], found[-1]["loc"]), (11, "limit-members", "all.tar"), done.stderr)


def test_a_cut_archive_keeps_what_it_gave():
    with open(HOUSE.path("all.tar.gz"), "rb") as whole, open(HOUSE.path("cut.tar.gz"), "wb") as out:
        out.write(whole.read()[:os.path.getsize(HOUSE.path("all.tar.gz")) // 2])
    code, found, _ = HOUSE.verify("cut.tar.gz", *BY_NAME)
    whole = [r for r in found if r["verdict"] != "error"]
    report.check(50 < len(whole) < COUNT, f"{len(whole)} of {COUNT}")
    report.equal({r["reason"] for r in found if r["verdict"] == "error"}, {"io-error"}, "")
    expected = {f"cut.tar.gz!{i.name}#0": i.expected for i in HOUSE.items}
    report.check(all(told(r) == expected[r["loc"]] for r in whole), "what came before is judged as ever")
    report.equal(code, 1, "")


def test_names_and_links_lead_nowhere():
    tree = HOUSE.path("odd")
    os.makedirs(os.path.join(tree, "sub"))
    item = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    raw = os.fsencode(os.path.join(tree, "sub/"))
    for name in (b"a\xff\nb!c#1%.xml", "f\u00fcr-\u202eevil.xml".encode()):
        with open(raw + name, "wb") as out:
            out.write(item.octets)
    os.symlink("..", os.path.join(tree, "sub", "loop"))
    os.symlink("/etc/passwd", os.path.join(tree, "sub", "out"))
    os.symlink("nowhere", os.path.join(tree, "sub", "dangling"))
    os.mkfifo(os.path.join(tree, "sub", "pipe"))
    for name, octets in (("empty.xml", b""), ("binary.bin", b"\x00\x01\x02"), ("key.pem", b"-----BEGIN PRIVATE KEY-----\n"), ("no.xml", b"<a/>"), ("broken.xml", b"<a><b></a>")):
        with open(os.path.join(tree, name), "wb") as out:
            out.write(octets)
    if os.getuid() != 0:
        os.chmod(os.path.join(tree, "no.xml"), 0)
    code, found, done = HOUSE.verify("odd", "--as-of", stored.text_of(item.received))
    by_loc = {r["loc"]: told(r) for r in found}
    report.equal(by_loc.get("odd/sub/a%FF%0Ab%21c%231%25.xml"), ("pass", "ok"), f"{by_loc} {done.stderr}")
    report.equal(by_loc.get("odd/sub/f\u00fcr-%E2%80%AEevil.xml"), ("pass", "ok"), str(by_loc))
    report.equal({k: by_loc[f"odd/sub/{k}"] for k in ("loop", "out", "dangling", "pipe")},
                 {k: ("error", "io-error") for k in ("loop", "out", "dangling", "pipe")}, "")
    report.equal(by_loc["odd/empty.xml"], ("error", "unsupported-format"), "")
    report.equal(by_loc["odd/binary.bin"], ("error", "unsupported-format"), "")
    report.equal(by_loc["odd/key.pem"], ("error", "unsupported-format"), "no multipart")
    report.equal(by_loc["odd/broken.xml"], ("error", "xml-malformed"), "")
    report.equal((len(found), code), (11, 3), "")
    with tarfile.open(HOUSE.path("odd.tar"), "w") as out:
        for name in ("../../etc/evil.xml", "twice.xml", "twice.xml"):
            info = tarfile.TarInfo(name)
            info.size = len(item.octets)
            out.addfile(info, io.BytesIO(item.octets))
        link = tarfile.TarInfo("link")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        out.addfile(link)
    code, found, _ = HOUSE.verify("odd.tar", "--as-of", stored.text_of(item.received))
    report.equal([(r["loc"], r["verdict"]) for r in found],
                 [("odd.tar!../../etc/evil.xml#0", "pass"), ("odd.tar!twice.xml#0", "pass"), ("odd.tar!twice.xml#3", "pass"),
                  ("odd.tar!link#0", "error")], "")
    report.equal([r["dup_of"] for r in found], [None, 1, 1, None], "equal payloads are named")
    report.check(not os.path.exists(HOUSE.path("../etc/evil.xml")), "nothing is written under a member's name")


# ---- coverage, exit codes -----------------------------------------------------------------------------------------------

def test_gaps_are_named():
    good = [i for i in HOUSE.items if i.expected == ("pass", "ok")][:30]
    stored.write_tree(HOUSE.path("good"), good)
    manifest = "".join(f"{i.sha256}  {i.name}\n" for i in good)

    def run(text, *more):
        with open(HOUSE.path("sums"), "w", encoding="utf-8") as out:
            out.write(text)
        code, _, done = HOUSE.verify("good", *BY_NAME, "--expect-manifest", "sums", *more)
        return code, done.stdout.decode() + done.stderr.decode()

    code, text = run(manifest)
    report.equal(code, 0, text)
    code, text = run(manifest + f"{'ab' * 32}  2026/gone.xml\n")
    report.check(code == 5 and "missing: 2026/gone.xml" in text, text)
    code, text = run("".join(manifest.splitlines(True)[1:]))
    report.check(code == 5 and f"extra: good/{good[0].name}" in text, text)
    code, text = run(manifest.replace(good[3].sha256, "cd" * 32))
    report.check(code == 5 and f"different: good/{good[3].name}" in text, text)
    report.equal(run("no manifest\n")[0], 64, "")
    report.equal(run(manifest, "--expect-count", "31")[0], 5, "count")
    report.equal(run(manifest, "--expect-count", "30")[0], 0, "count")
    report.equal(run(manifest + f"{'ab' * 32}  gone\n", "--fail-on", "fail,error")[0], 0, "a gap that does not count")
    os.makedirs(HOUSE.path("nothing"))
    report.equal(HOUSE.verify("nothing", *BY_NAME)[0], 4, "nothing to verify")
    report.equal(HOUSE.verify("in", *BY_NAME, "--fail-on", "none")[0], 0, "nothing counts")
    report.equal(HOUSE.verify("in", "--received-from", "name:[")[0], 64, "not an expression")
    report.equal(HOUSE.verify("in", "--partner", "acne")[0], 64, "not a partner")


def test_shards_together_are_the_whole():
    seen = []
    for shard in range(4):
        _, found, _ = HOUSE.verify("in", "all.tar", *BY_NAME, "--shard", f"{shard}/4")
        report.check(COUNT // 4 < len(found) < COUNT, f"shard {shard} has {len(found)}")
        seen += [r["loc"] for r in found]
    report.equal((len(seen), len(set(seen))), (2 * COUNT, 2 * COUNT), "each item in one shard")


# ---- stopping and going on ----------------------------------------------------------------------------------------------

def killed(child, wait, place):
    """Kill it after wait seconds; None: as soon as its journal has grown. @return whether it was not over before"""
    path = os.path.join(place, "results.ndjson")
    before = os.path.getsize(path) if os.path.exists(path) else 0
    if wait is None:
        report.until(lambda: child.poll() is not None or (os.path.exists(path) and os.path.getsize(path) > before), what="records")
    else:
        try:
            child.wait(timeout=wait)
        except subprocess.TimeoutExpired:
            pass
    if child.poll() is not None:
        return False
    child.kill()
    child.wait()
    return True


def test_a_run_that_is_killed_20_times_goes_on_where_it_was():
    """At random moments, and when something was just written; a run that is over before is compared, and another one begun."""
    operands = ["all.tar.gz", "all.zip", "all.ndjson", *forms.RECEIVED, "--jobs", "2"]
    begun = time.monotonic()
    _, whole, _ = HOUSE.verify(*operands)
    seconds = time.monotonic() - begun
    command = [product.COUNTERSIGN, "--keystore", HOUSE.keystore.uri, "archive", "verify", "--progress", "none"]
    chance = random.Random(5)
    kills = runs = 0
    while kills < 20:
        runs += 1
        place = HOUSE.path(f"killed-{runs}")
        code = None
        while code is None:
            resume = os.path.exists(os.path.join(place, "run.json"))
            child = subprocess.Popen([*command, "--journal", place, *(["--resume"] if resume else operands)], cwd=HOUSE.directory,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if kills < 20 and killed(child, chance.uniform(0, seconds / 2) if kills % 3 else None, place):
                kills += 1
                continue
            code = child.wait(timeout=1200)
        report.equal(code, 1, "")
        found = journals.read(place)
        report.equal(len(found), len(whole), "every item once")
        report.equal(journals.stable(found), journals.stable(whole), "as if it had never been killed")


def test_a_signal_stops_cleanly_and_says_how_to_go_on():
    place = HOUSE.path("stopped")
    with open(HOUSE.path("all.tar"), "rb") as whole:
        octets = whole.read()
    child = subprocess.Popen([product.COUNTERSIGN, "--keystore", HOUSE.keystore.uri, "archive", "verify", "-", "in", *BY_NAME,
                              "--journal", place, "--progress", "json"], cwd=HOUSE.directory, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdin.write(octets[:len(octets) // 2])
    child.stdin.flush()
    report.until(lambda: os.path.exists(os.path.join(place, "results.ndjson")) and len(records_so_far(place)) > 20, what="records")
    child.terminate()
    try:
        child.stdin.write(octets[len(octets) // 2:])
    except BrokenPipeError:
        pass  # it has stopped already
    err = child.communicate(timeout=report.PATIENCE_S)[1]
    report.equal(child.returncode, 75, err)
    report.check(b"--resume" in err, err.decode())
    report.check(20 < len(journals.read(place)) < 2 * COUNT, "whole records")


def test_a_list_in_a_pipe_is_read_by_the_run_alone():
    names = "".join(f"in/{i.name}\n" for i in HOUSE.items).encode()
    read_end, write_end = os.pipe()
    os.write(write_end, names)
    os.close(write_end)
    code, found, done = HOUSE.verify(f"@/dev/fd/{read_end}", *BY_NAME, "--progress", "json", pass_fds=(read_end,))
    os.close(read_end)
    report.equal(code, 1, done.stderr)
    agree(found, "in/{}")
    last = json.loads(done.stderr.splitlines()[-1])
    report.equal((last["items"], last["permille"], last["over"]), (COUNT, None, True), "how much it is was not known")


def test_a_bar_knows_how_far_it_is_by_the_sizes_of_files():
    command = [product.COUNTERSIGN, "--keystore", HOUSE.keystore.uri, "archive", "verify", "in", "all.tar", "--progress", "json", *BY_NAME]
    lines = []
    for _ in range(100):  # a run may be over before its files are counted
        done = subprocess.run(command, cwd=HOUSE.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
        if lines[-1]["permille"] is not None:
            break
    report.equal((lines[-1]["permille"], lines[-1]["seconds_left"], lines[-1]["octets"]),
                 (1000, 0, sum(len(i.octets) for i in HOUSE.items) + os.path.getsize(HOUSE.path("all.tar"))), "")


def judges_of(pid):
    """Processes that judge for the run pid: its template's children."""
    found = []
    for template in children(pid):
        found += children(template)
    return found


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as pids:
            found += [int(p) for p in pids.read().split()]
    return found


def test_a_judge_that_ends_or_hangs_costs_one_item():
    with open(HOUSE.path("all.tar"), "rb") as whole:
        octets = whole.read()
    _, expected, _ = HOUSE.verify("-", *BY_NAME, stdin=octets)
    for number, limit, cost in ((signal.SIGKILL, "600s", "worker-crash"), (signal.SIGSTOP, "5s", "item-timeout")):
        place = HOUSE.path(f"isolated-{number}")
        child = subprocess.Popen([product.COUNTERSIGN, "--keystore", HOUSE.keystore.uri, "archive", "verify", "-", *BY_NAME, "--journal", place,
                                  "--isolate", "--jobs", "1", "--timeout-per-item", limit], cwd=HOUSE.directory, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdin.write(octets[:len(octets) // 2])
        child.stdin.flush()
        report.until(lambda at=place: os.path.exists(os.path.join(at, "results.ndjson")) and len(records_so_far(at)) > 20, what="records")
        judge = report.until(lambda run=child.pid: judges_of(run), what="a judge")[0]
        alone(judge)
        os.kill(judge, number)
        child.stdin.write(octets[len(octets) // 2:])
        err = child.communicate(timeout=report.PATIENCE_S)[1]
        found = journals.read(place)
        report.equal((child.returncode, len(found)), (1, COUNT), err)
        odd = [told(f) for f, e in zip(found, expected) if journals.stable([f]) != journals.stable([e])]
        # the killed one may have had nothing in hand; a machine that is slow beyond measure may give up more than the stopped one
        report.check(set(odd) <= {("error", cost)} and (len(odd) <= 1 if number == signal.SIGKILL else odd), f"what a judge had in hand: {odd}")


def alone(pid):
    """A judge has neither files nor the means to get some."""
    links = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
    files = [path for path in links if not path.startswith(("/dev/null", "socket:", "pipe:"))]
    report.equal(files, [], "files of a judge")
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
    report.equal(fields["NoNewPrivs"], "1", "")
    if not product.OUT.endswith("san"):
        report.equal(fields["Seccomp"], "2", "")


def records_so_far(place):
    with open(os.path.join(place, "results.ndjson"), "rb") as lines:
        return [line for line in lines.read().split(b"\n")[:-1] if line]


def test_another_keystore_or_policy_does_not_finish_a_run():
    place = HOUSE.path("moved")
    other = product.new_directory()
    shutil.copy(HOUSE.keystore.path, os.path.join(other, "ks.db"))
    shutil.copy(HOUSE.keystore.path + ".kek", os.path.join(other, "ks.db.kek"))
    uri = f"sqlite:{other}/ks.db"
    done = product.countersign("--keystore", uri, "archive", "verify", HOUSE.tree, *BY_NAME, "--journal", place, check=False)
    report.equal(done.returncode, 1, done.stderr)
    before = journals.read(place)
    done = product.countersign("--keystore", uri, "archive", "verify", "--journal", place, "--resume", check=False)
    report.equal((done.returncode, journals.read(place)), (1, before), "nothing was left to do")
    product.countersign("--keystore", uri, "keystore", "compromise", "acme-sign#3", "--reason", "found late")
    done = product.countersign("--keystore", uri, "archive", "verify", "--journal", place, "--resume", check=False)
    report.equal((done.returncode, journals.read(place)), (75, before), done.stderr)
    done = product.countersign("--keystore", uri, "archive", "verify", HOUSE.tree, *BY_NAME, "--journal", place, check=False)
    report.equal(done.returncode, 64, "a journal is not begun twice")


if __name__ == "__main__":
    report.run("archive", report.tests_of(sys.modules[__name__]))
