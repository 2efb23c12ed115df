#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 400
"""Archives that are damaged, hostile or changed below a run, and disks that are full: an error of one item or a clean stop,
never a wrong verdict, never an item that is lost or judged twice.

    what                                   shown by
    truncated archives                     here: cut, zip; unit feed
    octets that changed in an archive      here: bits
    zip, gzip and other bombs              here: bombs; archive.py: bombs
    three archives in each other           archive.py: archives in archives
    paths with "..", links, other names    archive.py: names and links
    unreadable files                       here: unreadable
    a file that changes while it is read   unit feed
    empty input                            here: empty; archive.py: gaps
    a member of 2 GB                       here: 2 GB; large.py: an archive run
    a million tiny files                   tests/bench/run --only archive
    kill -9 at any moment                  archive.py: a run that is killed
    a full disk below the journal          here: full; unit journal
    a journal of another policy            here: another policy; archive.py: another keystore
"""
import bz2
import datetime
import gzip
import io
import json
import lzma
import os
import random
import resource
import subprocess
import sys
import tarfile
import zipfile

import forms
import journal
import keys
import product
import report
import stored

TODAY = datetime.datetime.now(stored.UTC).replace(microsecond=0)
COUNT = 40
PACKED = ("tar-gz", "tar-zst", "tar-xz", "tar-bz2", "zip", "7z")
PLAIN = ("tar", "cpio", "lines")
GB = 1 << 30


class House:
    """A keystore with four generations and some messages, which each test puts into archives of its own."""

    def __init__(self):
        self.directory = product.new_directory()
        self.keystore = product.Keystore(self.directory)
        generations = stored.four_generations(self.directory, self.keystore, TODAY)
        stranger = keys.new_pair(self.directory, "stranger", "ec:P-256", days=(-2000, 400))
        self.items = stored.three_years(generations, COUNT, TODAY, stranger, padding=300)
        self.archives = {}
        for form in PACKED + PLAIN:
            operands, kept = forms.FORMS[form](self.directory, form, self.items)
            with open(self.path(operands[0]), "rb") as octets:
                self.archives[form] = octets.read(), operands[0][len(form):], kept
        self.runs = 0

    def path(self, name):
        return os.path.join(self.directory, name)

    def put(self, name, octets):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as out:
            out.write(octets)
        return name

    def command(self, *args):
        return [product.COUNTERSIGN, "--keystore", self.keystore.uri, "archive", "verify", *args]

    def verify(self, *args, prefix=(), **how):
        """@return exit code, records, CompletedProcess"""
        self.runs += 1
        place = self.path(f"run-{self.runs}")
        done = subprocess.run([*prefix, *self.command(*args, *forms.RECEIVED, "--journal", place, "--progress", "none")], cwd=self.directory,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1200, check=False, **how)
        return done.returncode, journal.read(place), done


HOUSE = House()
EXPECTED = {form: {k.loc: (k.item.entry, *k.item.expected) for k in kept} for form, (_, _, kept) in HOUSE.archives.items()}


def told(record):
    return (record["certificate"] or {}).get("entry"), record["verdict"], record["reason"]


def by_archive(found):
    """Records of each file below a directory, under what stands behind its name."""
    files = {}
    for record in found:
        name = os.path.basename(record["loc"].split("!")[0].split("#")[0])
        files.setdefault(name, []).append((record["loc"][record["loc"].index(name) + len(name):], record))
    return files


def compare(form, some):
    """@return (items as in the ledger, items that differ, items without a record, errors)"""
    whole = {loc[len(form + HOUSE.archives[form][1]):]: expected for loc, expected in EXPECTED[form].items()}
    places = [place for place, _ in some]
    report.equal(len(set(places)), len(places), f"{form}: no place stands twice")
    good = [place for place, record in some if whole.get(place) == told(record)]
    other = [(place, told(record)) for place, record in some if place in whole and whole[place] != told(record)]
    errors = [record for _, record in some if record["verdict"] == "error"]
    foreign = [place for place, record in some if place not in whole and record["verdict"] != "error"]
    report.check(not foreign or (errors and form not in ("tar", "cpio")) or form == "cpio", f"{form}: items that nobody stored: {foreign}")
    renamed = len(foreign) if form == "cpio" else 0  # where nothing protects a name
    return len(good), other, len(whole) - len(good) - len(other) - renamed, errors


def tar_ends():
    """Where the members of the tar begin, and where the last one ends."""
    with tarfile.open(fileobj=io.BytesIO(HOUSE.archives["tar"][0])) as archive:
        members = archive.getmembers()
    return [member.offset for member in members], members[-1].offset_data + (members[-1].size + 511) // 512 * 512


# ---- damage -------------------------------------------------------------------------------------------------------------

def test_an_archive_that_was_cut_says_so_and_keeps_what_it_gave():
    chance = random.Random(7)
    starts, end = tar_ends()
    with zipfile.ZipFile(io.BytesIO(HOUSE.archives["zip"][0])) as packed:
        heads = [info.header_offset for info in packed.infolist()]
    exact = {"tar": starts[1:4] + starts[-1:] + [end], "zip": heads[1:3] + heads[-1:]}
    for form, (octets, suffix, _) in HOUSE.archives.items():
        for at in exact.get(form, []) + [chance.randrange(20, len(octets) * 9 // 10) for _ in range(6)]:
            HOUSE.put(f"cut/{form}-{at}{suffix}", octets[:at])
    code, found, done = HOUSE.verify("cut")
    report.equal(code, 1, done.stderr)
    for name, some in by_archive(found).items():
        form = name.split(".")[0].rsplit("-", 1)[0]
        _, other, missing, errors = compare(form, some)
        report.check(all(verdict == "error" for _, (_, verdict, _) in other), f"{name}: {other}")
        at_line = form == "lines" and HOUSE.archives[form][0][int(name.split(".")[0].rsplit("-", 1)[1]) - 1] == 10
        report.check(missing == 0 or errors or at_line, f"{name}: {missing} items are gone without a word")
        report.check(not (form == "tar" and not errors), f"{name}: a tar without its end")


def test_bits_that_changed_are_told_by_the_archive_or_cost_the_item_that_they_are_in():
    chance = random.Random(11)
    for form, (octets, suffix, _) in HOUSE.archives.items():
        for _ in range(6):
            changed = bytearray(octets)
            changed[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
            HOUSE.put(f"bits/{form}-{chance.randrange(1 << 30)}{suffix}", bytes(changed))
    _, found, done = HOUSE.verify("bits")
    for name, some in by_archive(found).items():
        form = name.split(".")[0].rsplit("-", 1)[0]
        good, other, missing, errors = compare(form, some)
        report.check(missing == 0 or errors, f"{name}: {missing} items are gone without a word: {done.stderr}")
        report.check(form in PLAIN or not other or errors, f"{name}: {other} and no word about damage")
        at_once = good == 0 and errors  # by the head by which it is known
        report.check(form not in ("tar", "cpio") or good >= COUNT - 5 or at_once, f"{name}: one bit cost {COUNT - good} items")


def test_a_damaged_head_costs_its_member_and_is_told_where_it_stood():
    octets = HOUSE.archives["tar"][0]
    starts, _ = tar_ends()
    for number in (1, 20, COUNT - 1):
        changed = bytearray(octets)
        changed[starts[number] + 5] ^= 1
        code, found, _ = HOUSE.verify(HOUSE.put("tar.tar", bytes(changed)))
        report.equal([r["loc"] for r in found if r["loc"] not in EXPECTED["tar"]], [f"tar.tar!#{number + 1}"], "what is told")
        report.equal([told(r) for r in found if r["loc"] not in EXPECTED["tar"]], [(None, "error", "io-error")], "")
        report.equal((code, len(found)), (1, COUNT), "items")


def test_members_behind_damaged_ones_of_a_zip_are_judged():
    octets = HOUSE.archives["zip"][0]
    with zipfile.ZipFile(io.BytesIO(octets)) as packed:
        infos = packed.infolist()
    changed = bytearray(octets)
    for number in (3, 4, 17):
        at = infos[number].header_offset + 30 + len(infos[number].filename)
        changed[at:at + 40] = b"\xff" * 40
    _, found, _ = HOUSE.verify(HOUSE.put("zip.zip", bytes(changed)))
    report.equal([r["loc"] for r in found], [f"zip.zip!{info.filename}#0" for info in infos], "all are there")
    report.equal([n for n, r in enumerate(found) if told(r) != EXPECTED["zip"][r["loc"]]], [3, 4, 17], "those that are damaged")
    report.equal({told(found[n]) for n in (3, 4, 17)}, {(None, "error", "io-error")}, "")


def test_gzip_that_was_damaged_is_no_forgery():
    """Files of one message, so that the item itself knows."""
    good = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    packed = gzip.compress(good.octets)
    stem = os.path.basename(good.name)
    for what, octets, expected in (("whole", packed, ("pass", "ok")), ("zeros behind it", packed + bytes(700), ("pass", "ok")),
                                   ("in two", gzip.compress(good.octets[:900]) + gzip.compress(good.octets[900:]), ("pass", "ok")),
                                   ("checksum", packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:], ("error", "io-error")),
                                   ("length", packed[:-1] + b"\x01", ("error", "io-error")), ("cut", packed[:-3], ("error", "io-error")),
                                   ("something behind it", packed + b"x", ("error", "io-error")), ("ten octets", packed[:10], ("error", "io-error"))):
        _, found, _ = HOUSE.verify(HOUSE.put(stem + ".gz", octets))
        report.equal([told(r)[1:] for r in found], [expected], what)


def test_archives_one_behind_the_other_are_all_read():
    octets, _, kept = HOUSE.archives["tar"]
    code, found, _ = HOUSE.verify(HOUSE.put("tar.tar", octets + octets))
    report.equal((code, len(found)), (1, 2 * COUNT), "items of both")
    report.equal([r["payload_sha256"] for r in found], [k.sha256 for k in kept] * 2, "payloads")
    report.equal([told(r) for r in found[COUNT:]], [told(r) for r in found[:COUNT]], "verdicts")
    report.equal([r["dup_of"] for r in found[COUNT:]], list(range(1, COUNT + 1)), "each a duplicate of the first")


def zip_of(items, where=None, **how):
    """A zip of items; where: what zipfile writes into, how: of its members."""
    out = where or io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for item in items:
            with packed.open(zipfile.ZipInfo(item.name), "w", **how) as member:
                member.write(item.octets)
    return out.getvalue()


class Stream(io.BytesIO):
    """What cannot be sought in: sizes stand behind the members."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise OSError("a stream")


def test_a_zip_whose_table_leaves_something_out_says_so():
    """Members are read by the table; without a look at what it names, the others would be gone without a word."""
    good = [i for i in HOUSE.items if i.expected == ("pass", "ok")][:3]
    whole, other = zip_of(good), zip_of(good[:1])
    table = zipfile.ZipFile(io.BytesIO(whole)).start_dir
    with zipfile.ZipFile(io.BytesIO(whole)) as packed:
        second = packed.infolist()[1].header_offset
    end = whole[-22:]

    def moved(octets, by):
        """An end record that finds the table where it is now, the entries as they were."""
        return octets + end[:16] + (table + by).to_bytes(4, "little") + end[20:]
    doubled = whole[table:-22].replace(second.to_bytes(4, "little"), bytes(4))
    odd = {"one behind the other": other + whole, "cut before the table": whole[:table], "cut in the table": whole[:-30], "cut in its end": whole[:-1],
           "something behind it": whole + b"x", "much behind it": whole + bytes(100000),
           "a member without entry": moved(whole[:table] + other[:zipfile.ZipFile(io.BytesIO(other)).start_dir] + whole[table:-22],
                                           zipfile.ZipFile(io.BytesIO(other)).start_dir),
           "an entry of another name": whole[:table] + whole[table:].replace(good[1].name.encode(), good[1].name.upper().encode()),
           "two entries of one member": whole[:table] + doubled + end, "fewer entries than told": whole[:-14] + b"\2\0\2\0" + whole[-10:]}
    directory = io.BytesIO(whole)
    with zipfile.ZipFile(directory, "a") as packed:
        packed.writestr("empty/", b"")
        packed.comment = b"as it was"
    names = "".join(f"in/{item.name}\n" for item in good)
    stored.write_tree(HOUSE.path("in"), good)
    subprocess.run(["bsdtar", "-C", HOUSE.directory, "--format", "zip", "-cf", "by-bsdtar.zip", "-T", "-"], input=names.encode(), cwd=HOUSE.directory, check=True)
    with open(HOUSE.path("by-bsdtar.zip"), "rb") as octets:
        even = {"whole": whole, "streamed": zip_of(good, Stream()), "of 64 bits": zip_of(good, force_zip64=True), "with a directory": directory.getvalue(),
                "by bsdtar": octets.read(), "streamed, of 64 bits": zip_of(good, Stream(), force_zip64=True)}
    for what, octets in {**odd, **even}.items():
        code, found, done = HOUSE.verify(HOUSE.put("odd.zip", octets))
        errors = [r["loc"] for r in found if told(r)[1:] == ("error", "io-error")]
        passed = [r for r in found if r["verdict"] == "pass"]
        if what in even:
            report.equal((code, len(passed), errors), (0, 3, []), f"{what}: {done.stdout}")
        else:
            report.check(code == 3 and "odd.zip" in errors and len(passed) + len(errors) == len(found), f"{what}: {found}")


def test_damage_is_told_alike_by_a_run_that_goes_on_and_by_shards():
    chance = random.Random(13)
    for form, (octets, suffix, _) in HOUSE.archives.items():
        changed = bytearray(octets)
        changed[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
        HOUSE.put(f"mended/bit-{form}{suffix}", bytes(changed))
        HOUSE.put(f"mended/cut-{form}{suffix}", octets[:chance.randrange(len(octets) // 2, len(octets))])
    _, whole, _ = HOUSE.verify("mended")
    with open(HOUSE.path(f"run-{HOUSE.runs}/results.ndjson"), "rb") as lines:
        written = lines.readlines()
    for kept in (5, len(written) // 2, len(written) - 1):
        place = HOUSE.path(f"on-{kept}")
        os.makedirs(place)
        with open(os.path.join(place, "results.ndjson"), "wb") as out:
            out.writelines(written[:kept])
        with open(HOUSE.path(f"run-{HOUSE.runs}/run.json"), "rb") as run:
            HOUSE.put(f"on-{kept}/run.json", run.read())
        product.countersign("--keystore", HOUSE.keystore.uri, "archive", "verify", "--journal", place, "--resume", "--fail-on", "none")
        report.equal(journal.stable(journal.read(place)), journal.stable(whole), f"after {kept} records")
    shards = []
    for number in range(3):
        shards += HOUSE.verify("mended", "--shard", f"{number}/3")[1]
    report.equal({r["loc"]: told(r) for r in shards}, {r["loc"]: told(r) for r in whole}, "of shards")
    report.equal(len(shards), len(whole), "each in one shard")


# ---- much out of little ---------------------------------------------------------------------------------------------------

def packed_with_zstd(octets):
    return subprocess.run(["zstd", "-q", "-c"], input=octets, stdout=subprocess.PIPE, check=True).stdout


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for info, octets in members:
            out.addfile(info, io.BytesIO(octets) if octets is not None else None)
    return buffer.getvalue()


def test_bombs_of_every_kind_end_early():
    directory = tarfile.TarInfo("d")
    directory.type = tarfile.DIRTYPE
    bombs = {"message": b"<a>" + b" " * (24 << 20), "end": HOUSE.archives["tar"][0] + bytes(24 << 20), "heads": tar_of(*[(directory, None)] * 40000),
             "damaged": HOUSE.archives["tar"][0][:4096] + (b"x" + bytes(511)) * 40000}
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lambda o: lzma.compress(o, preset=1), "zst": packed_with_zstd}
    for what, octets in bombs.items():
        for suffix, pack in packers.items():
            HOUSE.put(f"bombs/{what}.{suffix}", pack(octets))
    code, found, done = HOUSE.verify("bombs", "--timeout-per-item", "600s")
    reasons = {name: {told(r)[1:] for _, r in some if r["verdict"] == "error"} for name, some in by_archive(found).items()}
    report.equal(set(reasons), {f"{what}.{suffix}" for what in bombs for suffix in packers}, done.stderr)
    for name, some in reasons.items():
        report.check(("error", "limit-ratio") in some, f"{name}: {some}")
    report.equal(code, 1, "messages before the bombs were judged")


def test_a_member_of_2_GB_costs_one_item_and_no_memory():
    """Sparse: as a file, and in archives whose heads say how large it is."""
    good = [i for i in HOUSE.items if i.expected == ("pass", "ok")][:2]
    names = [os.path.basename(i.name) for i in good]
    for item, name in zip(good, names):
        HOUSE.put(f"huge/{name}", item.octets)
    HOUSE.put("huge/big.xml", b"<a>")
    os.truncate(HOUSE.path("huge/big.xml"), 2 * GB)
    subprocess.run(["tar", "-C", HOUSE.path("huge"), "-S", "-cf", HOUSE.path("sparse.tar"), names[0], "big.xml", names[1]], check=True)
    info = tarfile.TarInfo("big.xml")
    info.size = 2 * GB
    head = info.tobuf(tarfile.GNU_FORMAT)
    HOUSE.put("claimed.tar", head + b"<a>")
    command = HOUSE.command("huge", "sparse.tar", "claimed.tar", *forms.RECEIVED, "--journal", HOUSE.path("run-huge"), "--fail-on", "none", "--mem", "8M")
    peak = product.peak_kb("env", "-C", HOUSE.directory, *command)
    found = {r["loc"]: told(r)[1:] for r in journal.read(HOUSE.path("run-huge"))}
    error = ("error", "limit-member")
    report.equal(found, {f"huge/{names[0]}": ("pass", "ok"), f"huge/{names[1]}": ("pass", "ok"), "huge/big.xml": error,
                         f"sparse.tar!{names[0]}#0": ("pass", "ok"), f"sparse.tar!{names[1]}#0": ("pass", "ok"), "sparse.tar!big.xml#0": error,
                         "claimed.tar!big.xml#0": error, "claimed.tar": ("error", "io-error")}, "")
    if not product.OUT.endswith("san"):
        report.check(peak < 100 << 10, f"{peak} KB")


def test_a_line_that_is_too_long_costs_itself():
    octets, _, kept = HOUSE.archives["lines"]
    lines = octets.splitlines()[:4]
    long = b'{"payload": "' + b"A" * (3 << 20) + b'"}'
    code, found, done = HOUSE.verify(HOUSE.put("lines.ndjson", b"\r\n".join([lines[0], b"", long, lines[1], b"{}", lines[2], long[:-1]]) + b"\n"), "--max-member", "100k")
    expected = [None] * 7
    for place, number in ((0, 0), (3, 1), (5, 2)):
        expected[place] = (f"lines.ndjson#{place}", kept[number].item.entry, *kept[number].item.expected)
    for place, reason in ((2, "limit-member"), (4, "unsupported-format"), (6, "limit-member")):
        expected[place] = (f"lines.ndjson#{place}", None, "error", reason)
    report.equal([(r["loc"], *told(r)) for r in found], [e for e in expected if e], done.stderr)
    report.check(code in (1, 3), done.stderr)


# ---- files ----------------------------------------------------------------------------------------------------------------

def test_unreadable_files_are_one_error_each():
    good = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    name = os.path.basename(good.name)
    for below in ("closed", "closed/in", "closed/shut"):
        HOUSE.put(f"{below}/{name}", good.octets)
    os.chmod(HOUSE.path(f"closed/{name}"), 0)
    os.chmod(HOUSE.path("closed/shut"), 0)
    prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search") if os.getuid() == 0 else ()
    try:
        code, found, done = HOUSE.verify("closed", prefix=prefix)
    finally:
        os.chmod(HOUSE.path("closed/shut"), 0o700)
    report.equal({r["loc"]: told(r)[1:] for r in found},
                 {f"closed/{name}": ("error", "io-error"), f"closed/in/{name}": ("pass", "ok"), "closed/shut": ("error", "io-error")}, done.stderr)
    report.equal((code, {r["detail"] for r in found if r["verdict"] == "error"}), (3, {"it cannot be opened: Permission denied"}), "")


def test_what_is_named_twice_is_judged_once():
    good = [i for i in HOUSE.items if i.expected == ("pass", "ok")][:3]
    stored.write_tree(HOUSE.path("named"), good)
    stored.write_tree(HOUSE.path("named-x"), good[:1])
    names = [f"named/{item.name}" for item in good]
    for operands in (("named", "named"), ("named/", "./named"), (names[0], "named-x", ".//named")):
        code, found, done = HOUSE.verify(*operands)
        report.equal((code, found, "judged twice" in done.stderr), (64, [], True), done.stderr)
    HOUSE.put("names", "\n".join([names[1], "./" + names[1], "named-x", names[0], names[1] + "/", names[0], "named-x/" + good[0].name]).encode())
    code, found, done = HOUSE.verify("@names")
    report.equal((code, [r["loc"] for r in found]), (0, [names[1], f"named-x/{good[0].name}", names[0]]), done.stderr)


def test_empty_input_is_nothing_or_one_error():
    HOUSE.put("empty/zip.zip", b"PK\5\6" + bytes(18))
    HOUSE.put("empty/tar.tar.gz", gzip.compress(b""))
    HOUSE.put("empty/none", b"")
    HOUSE.put("list", b"")
    code, found, done = HOUSE.verify("empty")
    report.equal((code, {r["loc"]: r["verdict"] for r in found}), (3, {"empty/none": "error", "empty/tar.tar.gz": "error"}), done.stderr)
    report.equal(HOUSE.verify("@list")[0], 4, "a list of nothing")
    report.equal(HOUSE.verify("empty/zip.zip")[0], 4, "an archive of nothing")


# ---- full disks, other policies ---------------------------------------------------------------------------------------------

def many():
    """An archive whose journal has more than a MB."""
    octets = HOUSE.archives["tar"][0]
    return HOUSE.put("many.tar", octets * 30)


def namespace():
    """A command that runs others with mounts of their own; none where that is not allowed."""
    for prefix in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if subprocess.run([*prefix, "mount", "-t", "tmpfs", "none", HOUSE.directory], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return prefix
    raise report.Skip("nothing may be mounted here")


def test_a_full_disk_stops_the_run_cleanly_and_room_lets_it_go_on():
    _, whole, _ = HOUSE.verify(many())
    os.makedirs(HOUSE.path("small"))
    script = """mount -t tmpfs -o size=600k none small && small=small/run
    "$@" many.tar %s --journal $small 2>said; echo $? >first; cp $small/results.ndjson first.ndjson
    "$@" --journal $small --resume 2>>said; echo $? >second; cp $small/results.ndjson second.ndjson
    mount -o remount,size=16m small
    "$@" --journal $small --resume 2>>said; echo $? >third; mkdir done; cp $small/results.ndjson done/
    """ % " ".join(f"'{word}'" for word in forms.RECEIVED)
    subprocess.run([*namespace(), "sh", "-c", script, "sh", *HOUSE.command("--progress", "none")], cwd=HOUSE.directory, stdout=subprocess.DEVNULL,
                   check=True)

    def read(name):
        with open(HOUSE.path(name), encoding="utf-8") as text:
            return text.read()
    said = read("said")
    report.equal([int(read(name)) for name in ("first", "second", "third")], [75, 75, 1], said)
    report.check("No space left on device" in said and "make room, then go on with --resume" in said, said)
    for name in ("first.ndjson", "second.ndjson"):
        text = read(name)
        kept = [json.loads(line) for line in text.splitlines()]
        report.check(text.endswith("\n") and 100 < len(kept) < len(whole), f"{len(kept)} whole records")
        report.equal(journal.stable(kept), journal.stable(whole)[:len(kept)], "the first ones")
    report.equal(journal.stable(journal.read(HOUSE.path("done"))), journal.stable(whole), "as if there had always been room")


def test_a_limit_on_files_is_no_crash():
    place = HOUSE.path("limited")
    done = subprocess.run(HOUSE.command(many(), *forms.RECEIVED, "--journal", place, "--progress", "none"), cwd=HOUSE.directory, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600 << 10, 600 << 10)))
    report.equal((done.returncode, "File too large" in done.stderr), (75, True), done.stderr)
    report.check(100 < len(journal.read(place)) < 30 * COUNT, "whole records")


def test_no_room_for_a_large_item_is_the_error_of_that_item():
    good = next(i for i in HOUSE.items if i.expected == ("pass", "ok"))
    name = os.path.basename(good.name)
    HOUSE.put(f"large/{name}", good.octets)
    HOUSE.put("large/big.xml", b"<a>" + b"b" * (4 << 20) + b"</a>")
    os.makedirs(HOUSE.path("tmp"))
    script = 'mount -t tmpfs -o size=1m none tmp && TMPDIR=tmp exec "$@"'
    done = subprocess.run([*namespace(), "sh", "-c", script, "sh", *HOUSE.command("large", *forms.RECEIVED, "--journal", "run-large", "--mem", "1M")],
                          cwd=HOUSE.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    found = {r["loc"]: told(r)[1:] for r in journal.read(HOUSE.path("run-large"))}
    report.equal((done.returncode, found), (3, {"large/big.xml": ("error", "io-error"), f"large/{name}": ("pass", "ok")}), done.stderr)


def test_a_journal_of_another_policy_is_not_gone_on_with():
    conf, place = HOUSE.path("own.conf"), HOUSE.path("of-policy")

    def run(limit, *args):
        with open(conf, "w", encoding="utf-8") as out:
            out.write(f"policy own {{ limits {{ body {limit}; }} }}\n")
        done = product.countersign("-c", conf, "--keystore", HOUSE.keystore.uri, "archive", "verify", *args, "--journal", place, check=False)
        with open(os.path.join(place, "results.ndjson"), "rb") as lines:
            return done.returncode, lines.read(), done.stderr
    code, whole, said = run("1M", HOUSE.path("many.tar"), *forms.RECEIVED, "--policy", "own")
    report.equal(code, 1, said)
    half = whole[:len(whole) // 2]
    with open(os.path.join(place, "results.ndjson"), "wb") as out:
        out.write(half)
    code, left, said = run("2M", "--resume")
    report.equal((code, "policies or partners of the configuration have changed" in said, left[-1:]), (75, True, b"\n"), said)
    report.equal(left, half[:half.rindex(b"\n") + 1], "but for the torn line nothing was written")
    code, after, said = run("1M", "--resume")
    report.equal((code, after.count(b"\n")), (1, whole.count(b"\n")), said)


if __name__ == "__main__":
    report.run("archive damage", report.tests_of(sys.modules[__name__]))
