#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Reports of a run, made from its journal: every number against a count by a second hand, every format by a reader that
is not ours, and names that want to be more than names."""
import csv
import gzip
import html.parser
import io
import json
import os
import stat
import subprocess
import sys

import junitparser
from lxml import etree

import journal
import product
import report

EVIL = 'in/<b onclick=x>&"\'=cmd%7C.xml'
FORMULA = "=HYPERLINK(1).xml"
RECORDS = ([journal.record(f"2026/08/a.tar.zst!m/{n:03}.xml#0", t=f"2026-08-{n % 28 + 1:02}T10:00:00Z") for n in range(40)]
           + [journal.record(f"2026/09/b.zip!m/{n:03}.xml#0", entry="acme-sign#2", t="2026-09-05T10:00:00Z") for n in range(10)]
           + [journal.record(EVIL, "fail"), journal.record(FORMULA, "fail", "certificate-unknown", entry=None),
              journal.record("2026/c.xml", "indeterminate"), journal.record("2026/d.xml", "error", entry=None, t=None),
              journal.record("2026/e.xml", dup_of=1, payload="2026/08/a.tar.zst!m/000.xml#0")])
DIRECTORY = journal.write(os.path.join(product.new_directory(), "run"), RECORDS)


def made(kind, *more, directory=DIRECTORY):
    return product.countersign("archive", "report", directory, "--report", f"{kind}:-", *more).stdout


def test_summary_as_object_counts_what_a_second_hand_counts():
    found = json.loads(made("summary", "--json"))
    report.equal([found[v] for v in ("messages", "pass", "fail", "indeterminate", "error", "duplicates")], [55, 51, 2, 1, 1, 1], "counts")
    report.equal(found["reasons"], {"digest-mismatch": 1, "certificate-unknown": 1, "time-unknown": 1, "xml-malformed": 1}, "reasons")
    by_entry = {c["entry"]: c for c in found["certificates"]}
    report.equal((by_entry["acme-sign#1"]["pass"], by_entry["acme-sign#1"]["fail"], by_entry["acme-sign#2"]["pass"]), (41, 1, 10), "by entry")
    report.equal(by_entry[None]["fail"], 1, "without certificate")
    report.equal([(m["month"], m["pass"]) for m in by_entry["acme-sign#2"]["months"]], [("2026-09", 10)], "months")
    report.equal((by_entry["acme-sign#1"]["first_seen"], by_entry["acme-sign#1"]["last_seen"]),
                 ("2026-08-01T10:00:00Z", "2026-08-28T10:00:00Z"), "first and last")
    report.equal(found["merkle_root"], journal.merkle(journal.lines(DIRECTORY)).hex(), "Merkle root")
    report.equal(found["time_sources"]["received"], 54, "sources of time")


def test_summary_for_people_names_each_certificate():
    text = made("summary")
    for words in ("messages 55   pass 51   fail 2   indeterminate 1   error 1   duplicates 1", "acme-sign#1 ", "acme-sign#2 ", "(none)",
                  "1 digest-mismatch", "1 certificate-unknown", "2026-08-01  2026-08-28", "merkle root sha256:"):
        report.check(words in text, f"{words}: {text}")


def test_summary_for_people_names_the_first_that_did_not_pass():
    """A number of failures alone left the reader without the file to look at."""
    lines = [f"    {r['loc']}: {r['verdict']} {r['reason']}" for r in RECORDS if r["verdict"] != "pass"]
    report.equal([line for line in made("summary").splitlines() if line in lines], lines, "named")


def test_ndjson_is_the_journal_compressed_by_the_suffix():
    path = os.path.join(product.new_directory(), "all.ndjson.gz")
    product.countersign("archive", "report", DIRECTORY, "--report", f"ndjson:{path}")
    with gzip.open(path) as text:
        report.equal(text.read().splitlines(), journal.lines(DIRECTORY), "records")


def test_csv_is_read_back_and_no_name_is_a_formula():
    rows = list(csv.DictReader(io.StringIO(made("csv"), newline="")))
    report.equal([r["verdict"] for r in rows], [r["verdict"] for r in RECORDS], "verdicts")
    report.equal((rows[50]["loc"], rows[51]["loc"]), (EVIL, "'" + FORMULA), "names")
    report.equal((rows[0]["entry"], rows[0]["certificate_sha256"]), ("acme-sign#1", journal.sha("certificate acme-sign#1")), "certificate")
    report.equal(rows[53]["t"], "", "no time")


def test_junit_is_taken_by_a_junit_reader():
    path = os.path.join(product.new_directory(), "out.xml")
    product.countersign("archive", "report", DIRECTORY, "--report", f"junit:{path}")
    suites = junitparser.JUnitXml.fromfile(path)
    report.equal((suites.tests, suites.failures, suites.errors, suites.skipped), (55, 2, 1, 1), "totals")
    found = [(s.name, s.tests, s.failures, len(list(s))) for s in suites]
    report.equal(found[:2], [("2026/08/a.tar.zst", 40, 0, 40), ("2026/09/b.zip", 10, 0, 10)], "containers are suites")
    cases = [c for s in suites for c in s]
    report.equal(cases[0].name, "m/000.xml#0", "a message is a case")
    report.equal(cases[50].name, EVIL[3:], "a name with marks of XML")
    kinds = [type(c.result[0]).__name__ for c in cases if c.result]
    report.equal(kinds, ["Failure", "Failure", "Skipped", "Error"], "outcomes")
    report.equal(cases[50].result[0].type, "digest-mismatch", "the reason")


def test_junit_above_its_limit_counts_passes_as_one_number():
    text = made("junit", "--junit-max", "54")
    report.equal(text.count("<testcase "), 4, "cases")
    report.check('<property name="passed" value="40"/>' in text, text[:600])
    report.equal(etree.fromstring(text.encode()).tag, "testsuites", "well-formed")


class Page(html.parser.HTMLParser):
    """Elements that are open must close; which elements there are."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        for name, value in attrs:
            report.check(not name.startswith("on") and not (value or "").startswith("http"), f"{tag} {name}={value}")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        report.equal(self.open.pop(), tag, "element that closes")

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_one_page_without_script_and_names_are_text():
    text = made("html")
    page = Page()
    page.feed(text)
    report.equal(page.open, [], "open elements")
    report.check(not page.seen & {"script", "link", "img", "iframe"}, page.seen)
    report.check(EVIL in page.text, "the name as text")
    report.check("Content-Security-Policy" in text and "default-src 'none'" in text, "policy of the page")


def test_reports_are_whole_or_not_there():
    place = product.new_directory()
    path = os.path.join(place, "missing", "x.csv")
    done = product.countersign("archive", "report", DIRECTORY, "--report", f"csv:{path}", check=False)
    report.equal(done.returncode, 69, done.stderr)
    report.check(path in done.stderr, done.stderr)
    pipe = os.path.join(place, "pipe")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        product.countersign("archive", "report", DIRECTORY, "--report", f"csv:{pipe}")
        report.check(reader.stdout.read().startswith(b"loc,") and stat.S_ISFIFO(os.stat(pipe).st_mode), "a pipe stays one")
    damaged = journal.write(os.path.join(place, "damaged"), RECORDS)
    with open(os.path.join(damaged, "results.ndjson"), "r+b") as text:
        text.seek(500)
        text.write(b"\x00\x00")
    kept = os.path.join(place, "old.csv")
    with open(kept, "w", encoding="utf-8") as old:
        old.write("old")
    done = product.countersign("archive", "report", damaged, "--report", f"csv:{kept}", check=False)
    report.equal(done.returncode, 78, done.stderr)
    with open(kept, encoding="utf-8") as old:
        report.equal((old.read(), os.listdir(place).count("old.csv.new")), ("old", 0), "the report of before")


def test_wrong_words_are_named():
    for words, part in (("sumary:-", "did you mean summary"), ("csv", "needs a file"), ("csv:-,html:-", "two reports go to -")):
        done = product.countersign("archive", "report", DIRECTORY, "--report", words, check=False)
        report.equal((done.returncode, part in done.stderr), (64, True), done.stderr)
    done = product.countersign("archive", "report", product.new_directory(), check=False)
    report.equal(done.returncode, 78, done.stderr)


def test_diff_names_each_change_and_a_lost_pass_is_a_failure():
    place = product.new_directory()
    old = journal.write(os.path.join(place, "old"), [journal.record(f"a/{n}") for n in range(6)]
                        + [journal.record("b", "fail"), journal.record("c", payload="one"), journal.record("d", "fail")])
    new = journal.write(os.path.join(place, "new"), [journal.record("b")] + [journal.record(f"a/{n}") for n in reversed(range(5))]
                        + [journal.record("a/5", "fail", "certificate-unknown"), journal.record("c", payload="other"), journal.record("d", "fail", "part-not-signed")])
    done = product.countersign("archive", "diff", old, new, "--json", check=False)
    found = {c["loc"]: (c["before"]["verdict"], c["after"]["verdict"], c["after"]["reason"]) for c in map(json.loads, done.stdout.splitlines())}
    report.equal(found, {"b": ("fail", "pass", "ok"), "a/5": ("pass", "fail", "certificate-unknown"),
                         "d": ("fail", "fail", "part-not-signed")}, "changes")
    report.equal(done.returncode, 1, done.stderr)
    report.check("8 messages in both runs: 3 changed, of them 1 lost their pass and 1 got one; 1 only in the old run, 1 only in the new" in done.stderr, done.stderr)
    report.equal(product.countersign("archive", "diff", old, old).stdout, "", "a run and itself")


def test_an_empty_run_has_reports_too():
    empty = journal.write(os.path.join(product.new_directory(), "run"), [])
    report.equal(json.loads(made("summary", "--json", directory=empty))["messages"], 0, "messages")
    report.check("<testsuites" in made("junit", directory=empty), "junit")


if __name__ == "__main__":
    report.run("cli/archive_reports", report.tests_of(sys.modules[__name__]))
