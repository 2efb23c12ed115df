# SPDX-License-Identifier: Apache-2.0
"""The forms in which messages are kept: files, archives, lines of JSON, HTTP dumps, packages, captures of a gateway.
Written by other hands than ours; the capture after docs/capture.md."""
import base64
import bz2
import email.utils
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import tarfile
import zipfile

import mime
import stored


class Kept:
    """Where an item lies: its loc, and the octets of its payload there."""

    def __init__(self, loc, octets, item):
        self.loc = loc
        self.sha256 = hashlib.sha256(octets).hexdigest()
        self.item = item


def _put(path, octets):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(octets)


def _as_is(loc, items):
    return [Kept(loc.format(item.name), item.octets, item) for item in items]


# ---- files -----------------------------------------------------------------------------------------------------------

def tree(place, name, items):
    stored.write_tree(os.path.join(place, name), items)
    return [name], _as_is(name + "/{}", items)


def listed(place, name, items):
    stored.write_tree(os.path.join(place, name), items)
    _put(os.path.join(place, name + ".list"), "".join(f"{name}/{item.name}\n" for item in items).encode())
    return ["@" + name + ".list"], _as_is(name + "/{}", items)


def packed_files(place, name, items):
    """Each file packed for itself."""
    packers = [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lambda o: lzma.compress(o, preset=0))]
    kept = []
    for number, item in enumerate(items):
        suffix, pack = packers[number % len(packers)]
        _put(os.path.join(place, name, item.name + suffix), pack(item.octets))
        kept.append(Kept(f"{name}/{item.name}{suffix}", item.octets, item))
    return [name], kept


# ---- archives --------------------------------------------------------------------------------------------------------

def _tar(suffix, mode, **how):
    def write(place, name, items):
        with tarfile.open(os.path.join(place, name + suffix), mode, **how) as out:
            for item in items:
                info = tarfile.TarInfo(item.name)
                info.size = len(item.octets)
                out.addfile(info, io.BytesIO(item.octets))
        return [name + suffix], _as_is(name + suffix + "!{}#0", items)
    return write


def _tar_zst(place, name, items):
    operands, _ = _tar(".tar", "w")(place, name, items)
    path = os.path.join(place, operands[0])
    subprocess.run(["zstd", "-q", "--rm", path], check=True)
    return [name + ".tar.zst"], _as_is(name + ".tar.zst!{}#0", items)


def _zip(place, name, items):
    with zipfile.ZipFile(os.path.join(place, name + ".zip"), "w", zipfile.ZIP_DEFLATED) as out:
        for item in items:
            out.writestr(item.name, item.octets)
    return [name + ".zip"], _as_is(name + ".zip!{}#0", items)


def _bsdtar(suffix, form):
    def write(place, name, items):
        below = os.path.join(place, name)
        stored.write_tree(below, items)
        names = "".join(item.name + "\n" for item in items)
        subprocess.run(["bsdtar", "-C", below, "--format", form, "-cf", os.path.join(place, name + suffix), "-T", "-"],
                       input=names.encode(), check=True)
        return [name + suffix], _as_is(name + suffix + "!{}#0", items)
    return write


# ---- with a word about themselves --------------------------------------------------------------------------------------

def lines(place, name, items):
    """Lines of JSON: payload in base64, time of receipt beside it."""
    rows = [json.dumps({"received": stored.text_of(i.received), "payload": base64.b64encode(i.octets).decode()}) for i in items]
    _put(os.path.join(place, name + ".ndjson"), "".join(row + "\n" for row in rows).encode())
    return [name + ".ndjson"], [Kept(f"{name}.ndjson#{n}", item.octets, item) for n, item in enumerate(items)]


def http_of(item, first, *fields):
    head = [first, "Host: receiver", f"Content-Type: {item.content_type}", f"Content-Length: {len(item.octets)}", *fields, "", ""]
    return "\r\n".join(head).encode() + item.octets


def dumps(place, name, items):
    """HTTP messages whose head says when they were received."""
    kept = []
    for number, item in enumerate(items):
        octets = http_of(item, "POST /orders HTTP/1.1", f"X-Received: {email.utils.format_datetime(item.received, usegmt=True)}")
        loc = f"{name}/{number:06d}.as4in"
        _put(os.path.join(place, loc), octets)
        kept.append(Kept(loc, octets, item))
    return [name], kept


def packages(place, name, items):
    """Every one a multipart, by its boundary alone."""
    kept = []
    for item in items:
        octets = item.octets if item.content_type == mime.TYPE else mime.package(item.octets.decode())
        loc = f"{name}/{item.name[:-len('.xml')]}.mime"
        _put(os.path.join(place, loc), octets)
        kept.append(Kept(loc, octets, item))
    return [name], kept


class Chain:
    """Segments of a capture, as a gateway leaves them behind."""

    def __init__(self, place, stream):
        self.place = place
        self.stream = stream
        self.hash = "0" * 64
        self.record = self.segment = 0

    def text(self, kind, moment, words=""):
        self.record += 1
        at = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        text = (f"cs-capture-1 {kind} stream={self.stream} segment={self.segment} record={self.record} at={at} {words}"
                f"prev={self.hash}")
        self.hash = hashlib.sha256(text.encode()).hexdigest()
        return f"{text} hash={self.hash}"

    def member(self, out, suffix, record, octets=None):
        info = tarfile.TarInfo(f"{self.stream}/{self.record:012d}.{suffix}")
        info.type = tarfile.DIRTYPE if octets is None else tarfile.REGTYPE
        info.size = len(octets or b"")
        info.pax_headers = {"SCHILY.xattr.user.countersign": record}
        out.addfile(info, io.BytesIO(octets or b""))
        return info.name

    def write(self, items):
        """One segment. @return (its file, [(member, octets)])"""
        self.segment += 1
        file = f"{self.stream}-{self.segment:08d}.tar"
        found = []
        with tarfile.open(os.path.join(self.place, file), "w", format=tarfile.PAX_FORMAT) as out:
            self.member(out, "begin", self.text("begin", items[0].received))
            for item in items:
                octets = http_of(item, "POST /orders HTTP/1.1")
                words = (f"exchange={hashlib.md5(octets).hexdigest()} direction=request route=orders partner=acme verdict=pass reason=ok "
                         f"size={len(octets)} sha256={hashlib.sha256(octets).hexdigest()} ")
                record = self.text("message", item.received, words)
                found.append((self.member(out, "request.http", record, octets), octets))
            self.member(out, "end", self.text("end", items[-1].received, f"count={len(items)} "))
        return file, found


def captures(place, name, items):
    os.makedirs(os.path.join(place, name))
    chain = Chain(os.path.join(place, name), "n1.0")
    kept = []
    for start in range(0, len(items), 150):
        some = items[start:start + 150]
        file, members = chain.write(some)
        kept += [Kept(f"{name}/{file}!{member}#0", octets, item) for (member, octets), item in zip(members, some)]
    return [name], kept


FORMS = {
    "tree": tree, "listed": listed, "packed-files": packed_files, "tar": _tar(".tar", "w"), "tar-gz": _tar(".tar.gz", "w:gz", compresslevel=1),
    "tar-zst": _tar_zst, "tar-xz": _tar(".tar.xz", "w:xz", preset=0), "tar-bz2": _tar(".tar.bz2", "w:bz2", compresslevel=1), "zip": _zip,
    "7z": _bsdtar(".7z", "7zip"), "cpio": _bsdtar(".cpio", "newc"), "lines": lines, "dumps": dumps, "packages": packages, "captures": captures,
}
RECEIVED = ("--received-from", "name:-([0-9]{8}T[0-9]{6}Z)", "--received-from", "field:received", "--received-from", "header:X-Received")
