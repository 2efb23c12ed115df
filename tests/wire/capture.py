#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Judged messages kept as they were received: tar files that any tool reads, a chain that any tool follows, what happens
when there is no room, and what a crash leaves. The chain is followed here by a second hand."""
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import sqlite3
import sys
import tarfile

import house
import product
import report
import soap
import wire

PAX = "SCHILY.xattr.user.countersign"
NODE = 'node n1;\nadmin {{ socket "{place}/admin.sock"; }}\n'


class House(house.House):
    """A house that keeps its messages; words: statements of the block."""

    def __init__(self, words=""):
        self.words = words
        super().__init__()

    def prepare(self):
        self.directory = os.path.join(self.place, "kept")
        self.statements = NODE.format(place=self.place) + f'capture "{self.directory}" {{ {self.words} }}\n'
        return self.statements

    def again(self):
        """Another process of the same configuration, behind the first."""
        routes = house.ROUTES.format(url=self.upstream.url, response_timeout="120s")
        self.gateway = product.Gateway(self.place, self.keystore, routes, extra=self.statements)


def fields_of(text):
    words = text.split(" ")
    report.equal(words[0], "cs-capture-1", text)
    return dict([("kind", words[1])] + [w.split("=", 1) for w in words[2:]])


def read(path):
    """Every record of a segment, its chain followed, its octets hashed."""
    found = []
    with tarfile.open(path) as tar:
        for member in tar:
            text = member.pax_headers[PAX]
            record = fields_of(text)
            body, tail = text.rsplit(" hash=", 1)
            report.equal(hashlib.sha256(body.encode()).hexdigest(), tail, "hash of record " + record["record"])
            if record["kind"] == "message":
                octets = tar.extractfile(member).read()
                report.equal((len(octets), hashlib.sha256(octets).hexdigest()), (int(record["size"]), record["sha256"]), record)
                record["octets"] = octets
            if found:
                report.equal(record["prev"], found[-1]["hash"], "chain at record " + record["record"])
                report.equal(int(record["record"]), int(found[-1]["record"]) + 1, "number of the record")
            found.append(record)
    return found


def segments(directory):
    return sorted(glob.glob(os.path.join(directory, "*.tar")))


def chain(directory):
    """All records of all closed segments, as one chain."""
    records = []
    for path in segments(directory):
        part = read(path)
        report.equal(part[0]["prev"], records[-1]["hash"] if records else "0" * 64, "first of " + path)
        records += part
    return records


def call(place, text, path="/orders", fields=()):
    with wire.Client(place.gateway.address) as client:
        return client.post(text, path, fields=fields)


def kinds(records):
    return [r["kind"] for r in records]


def test_what_was_judged_is_kept_as_it_came_and_chained():
    with House() as place:
        good = soap.sign(place.sender, body=soap.ORDER)
        bad = soap.sign(place.sender, body=soap.ORDER).replace("4711", "4712")
        report.equal(call(place, good, fields=("Authorization: Basic c2VjcmV0", "X-Mark: 7")).status, 200, "a good call")
        report.equal(call(place, bad).status, 500, "a bad one")
        place.gateway.__exit__()
        records = chain(place.directory)
        report.equal(kinds(records), ["begin", "message", "message", "message", "end"], "records")
        request, reply, refused = records[1:4]
        head, body = request["octets"].split(b"\r\n\r\n", 1)
        report.equal(body.decode(), good, "the octets as received")
        report.check(head.startswith(b"POST /orders HTTP/1.1\r\n") and b"X-Mark: 7" in head, head)
        report.check(b"c2VjcmV0" not in head and b"Authorization: \r\n" in head, head)
        report.check(reply["octets"].startswith(b"HTTP/1.1 200 OK\r\n"), reply["octets"][:40])
        report.equal([(r["direction"], r["verdict"], r["reason"], r["partner"], r["route"]) for r in records[1:4]],
                     [("request", "pass", "ok", "sender", "orders"), ("response", "pass", "ok", "acme", "orders"),
                      ("request", "fail", "digest-mismatch", "sender", "orders")], "what the records say")
        report.equal(request["exchange"], reply["exchange"], "one exchange")
        report.check(re.fullmatch(r"n1\.0", request["stream"]), request["stream"])
        report.equal(oct(os.stat(segments(place.directory)[0]).st_mode & 0o777), "0o600", "mode")
        report.equal(records[-1]["count"], "3", "the end counts them")


def test_segments_follow_each_other_over_a_restart_and_the_keystore_knows_the_last():
    with House("segment-size 64k; quota 16M;") as place:
        for _ in range(30):
            report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call")
        report.until(lambda: len(segments(place.directory)) >= 2, what="two closed segments")
        place.gateway.__exit__()
        place.again()
        report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call after the restart")
        place.gateway.__exit__()
        records = chain(place.directory)
        report.equal(kinds(records).count("message"), 62, "messages")
        with sqlite3.connect(place.keystore.path) as store:
            rows = store.execute("select object, after_json from audit where verb = 'capture segment' order by seq").fetchall()
        report.equal((rows[-1][0], json.loads(rows[-1][1])["hash"]), ("n1.0", records[-1]["hash"]), "the last hash in the audit")
        report.equal(place.keystore.run("audit", "verify").returncode, 0, "the audit")


def test_a_crash_loses_the_torn_record_only():
    with House("sync each;") as place:
        report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call")
        (left,) = report.until(lambda: glob.glob(os.path.join(place.directory, "*.open")), what="a segment in work")
        report.until(lambda: len(read_open(left)) == 3, what="two messages written")
        place.gateway.crash()
        with open(left, "r+b") as torn:
            torn.seek(0, os.SEEK_END)
            torn.write(open(left, "rb").read()[1536:3000])  # the next record was being written
        place.again()
        report.check("capture-recovered" in place.gateway.stderr(), "it says so")
        report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call")
        place.gateway.__exit__()
        report.equal(kinds(chain(place.directory)), ["begin", "message", "message", "end"] * 2, "records")


def read_open(path):
    try:
        return read(path)
    except (tarfile.TarError, AssertionError, LookupError, ValueError, AttributeError, OSError):  # in the middle of a record
        return []


def fill(place, calls):
    for _ in range(calls):
        yield call(place, soap.sign(place.sender, body=soap.ORDER + "<x>" + "y" * 9000 + "</x>")).status


def test_no_room_with_drop_messages_go_on_and_the_chain_tells_how_many_are_missing():
    with House("segment-size 64k; quota 128k; on-full drop;") as place:
        report.equal(set(fill(place, 16)), {200}, "all calls")
        text = report.until(lambda: "capture-full" in place.gateway.stderr() and place.gateway.stderr(), what="the alarm")
        report.equal(text.count("capture-full"), 1, "alarms of one episode")
        for path in segments(place.directory)[:1]:
            os.rename(path, os.path.join(place.place, os.path.basename(path)))  # the operator makes room

        def kept_again():
            list(fill(place, 1))
            return "capture-again" in place.gateway.stderr()
        report.until(kept_again, what="kept again")
        place.gateway.__exit__()
        os.rename(os.path.join(place.place, "n1.0-00000001.tar"), os.path.join(place.directory, "n1.0-00000001.tar"))
        records = chain(place.directory)
        lost = sum(int(r["count"]) for r in records if r["kind"] == "lost")
        served = len(place.gateway.log())
        report.equal(lost + kinds(records).count("message"), 2 * served, "kept and lost are all")
        report.check(lost > 0, "some were lost")


def test_no_room_with_refuse_nothing_goes_on_unkept():
    with House("segment-size 64k; quota 128k; on-full refuse; sync each;") as place:
        statuses = list(fill(place, 16))
        report.check(503 in statuses and statuses[0] == 200, statuses)
        place.gateway.logged(lambda r: r["reason"] == "capture-full")
        seen = len(place.upstream.requests)
        place.gateway.__exit__()
        records = chain(place.directory)
        kept = [r for r in records if r["kind"] == "message" and r["direction"] == "request" and r["verdict"] == "pass"]
        report.check(len(kept) >= seen, f"{seen} went on, {len(kept)} are kept")
        report.equal([r for r in records if r["kind"] == "lost"], [], "nothing is lost")


def test_two_gateways_of_a_node_write_to_streams_of_their_own():
    with House() as place:
        routes = house.ROUTES.format(url=place.upstream.url, response_timeout="120s")
        extra = f'node n1;\ncapture "{place.directory}" {{ }}'
        with product.Gateway(product.new_directory(), place.keystore, routes, extra) as other:
            with wire.Client(other.address) as client:
                report.equal(client.post(soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call of the other")
        report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a call")
        place.gateway.__exit__()
        streams = {r["stream"] for path in segments(place.directory) for r in read(path)}
        report.equal(len(streams), 2, streams)


def test_chain_names_what_was_changed_taken_out_or_cut():
    with House("segment-size 64k; quota 64M;") as place:
        list(fill(place, 6))  # more than there is room for in the first
        # the keystore learns of the newest end once a second; where the second segment begins is looked for below
        report.until(lambda: '"capture segment"' in place.keystore.run("audit", "list", "--json").stdout, what="the end of the first")
        list(fill(place, 18))
        place.gateway.__exit__()
        files = segments(place.directory)
        report.check(len(files) >= 3, files)

        def chain_of(change=lambda directory: None, keystore=True):
            copy = os.path.join(product.new_directory(), "copy")
            shutil.copytree(place.directory, copy)
            change(copy)
            store = ("--keystore", place.keystore.uri) if keystore else ()
            done = product.countersign(*store, "archive", "chain", copy, "--json", check=False)
            return done.returncode, json.loads(done.stdout)

        def named(directory, n):
            return os.path.join(directory, os.path.basename(files[n]))

        def flip(directory):
            with open(named(directory, 1), "r+b") as segment:
                octets = segment.read()
                segment.seek(octets.index(b"yyyyyyyy"))
                segment.write(b"z")

        def cut(directory):
            with open(named(directory, 0), "r+b") as segment:
                segment.truncate(30000)

        def pack(directory):
            for n in range(len(files)):
                with open(named(directory, n), "rb") as segment, gzip.open(named(directory, n) + ".gz", "wb") as packed:
                    packed.write(segment.read())
                os.remove(named(directory, n))

        code, found = chain_of()
        report.equal((code, found["complete"], found["files"], found["messages"]), (0, True, len(files), 48), found)
        report.equal(chain_of(pack), (0, found), "the same, packed")
        for what, change, part in (("an octet", flip, "was changed"), ("a cut file", cut, "cannot be read behind record"),
                                   ("a file taken out", lambda d: os.remove(named(d, 1)), "are missing"),
                                   ("the first taken out", lambda d: os.remove(named(d, 0)), "end"),
                                   ("the tail taken out", lambda d: os.remove(named(d, -1)), "the keystore knows"),
                                   ("all of the stream", lambda d: [os.remove(f) for f in segments(d)], "is missing: the keystore knows")):
            code, found = chain_of(change)
            if what == "the first taken out":  # where it begins is an end that the keystore knows
                report.equal(code, 0, found)
                code, found = chain_of(change, keystore=False)
                part = "what was before is missing"
            report.equal((code, found["complete"]), (5, False), what)
            report.check(any(part in g for g in found["gaps"]), f"{what}: {found['gaps']}")
        report.equal(chain_of(lambda d: os.remove(named(d, -1)), keystore=False)[0], 0, "nobody says where it ends")


def test_what_was_captured_is_judged_again_as_of_its_receipt():
    with House() as place:
        report.equal(call(place, soap.sign(place.sender, body=soap.ORDER)).status, 200, "a good call")
        call(place, soap.sign(place.sender, body=soap.ORDER).replace("4711", "4712"))
        place.gateway.__exit__()
        journal = os.path.join(place.place, "run")
        command = ("--keystore", place.keystore.uri, "archive", "verify", place.directory, "--chain", "countersign", "--journal", journal)
        done = product.countersign(*command, check=False)
        report.equal(done.returncode, 1, done.stderr)
        report.check("chain complete: 1 files in 1 streams, 3 messages" in done.stdout, done.stdout)
        with open(os.path.join(journal, "results.ndjson"), encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        records = [r for r in chain(place.directory) if r["kind"] == "message"]
        by_hash = {r["payload_sha256"]: r for r in found}
        report.equal(len(found), 3, "messages, and nothing else")
        for record in records:
            again = by_hash[record["sha256"]]
            report.equal((again["verdict"], again["reason"], again["partner"]), (record["verdict"], record["reason"], record["partner"]), again["loc"])
            report.equal((again["t"][:19], again["time_source"]), (record["at"][:19], "received"), "the instant of receipt")
        os.remove(segments(place.directory)[0])
        done = product.countersign(*command[:-1], journal + "-2", check=False)
        report.equal(done.returncode, 5, done.stdout)


def test_a_large_message_that_is_judged_while_it_arrives_is_kept():
    with House() as place:
        large = soap.sign(place.sender, body=soap.ORDER + "<x>" + "y" * 3000000 + "</x>")
        with wire.Client(place.gateway.address) as client:
            octets = wire.post_octets(large, "/orders", "text/xml; charset=utf-8", ())
            for at in range(0, len(octets), 400000):
                client.send(octets[at:at + 400000])
            report.equal(client.reply().status, 200, "the call")
        place.gateway.__exit__()
        kept = [r for r in chain(place.directory) if r["kind"] == "message"]
        report.equal([(r["direction"], r["verdict"]) for r in kept], [("request", "pass"), ("response", "pass")], "kept")
        report.equal(kept[0]["octets"].split(b"\r\n\r\n", 1)[1].decode(), large, "its octets")


def test_chain_counts_what_was_lost_as_a_gap():
    with House("segment-size 64k; quota 128k; on-full drop;") as place:
        list(fill(place, 12))
        place.gateway.__exit__()  # the end of the chain tells of what was lost, too
        done = product.countersign("archive", "chain", place.directory, "--json", check=False)
        found = json.loads(done.stdout)
        records = [r for path in segments(place.directory) for r in read(path)]
        report.equal(found["lost"], sum(int(r["count"]) for r in records if r["kind"] == "lost"), "lost")
        report.equal((done.returncode, found["complete"]), (5, False) if found["lost"] else (0, True), found)


def test_a_directory_that_others_may_enter_stops_the_start():
    directory = product.new_directory()
    os.chmod(directory, 0o755)
    store = product.Keystore(product.new_directory())
    conf = os.path.join(product.new_directory(), "c.conf")
    with open(conf, "w", encoding="utf-8") as text:
        text.write(f'keystore sqlite "{store.path}";\nlistener f {{ address 127.0.0.1:0; }}\ncapture "{directory}" {{ }}\n')
    done = product.countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, done.stderr)
    report.check("others may enter it" in done.stderr and f"{conf}:3:" in done.stderr, done.stderr)


if __name__ == "__main__":
    report.run("wire/capture", report.tests_of(sys.modules[__name__]))
