#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Pages that come from tables are as the tables are, manual pages are well-formed, and the completion completes."""
import os
import re
import subprocess
import sys

import product
import report

GENERATE = os.path.join(product.OUT, "generate")
COMPLETION = os.path.join(product.OUT, "countersign.bash")
GENERATED = ("reasons.md", "bsp.md", "keystore-rules.md", "rollover.md", "man/countersign.1", "man/countersign.conf.5")
MANUALS = ("man/countersign.1", "man/wssec.3", "man/countersign.conf.5")


def source(*path):
    with open(os.path.join(product.ROOT, *path), encoding="utf-8") as text:
        return text.read()


def generated(template):
    return subprocess.run([GENERATE], input=template, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)


def test_committed_pages_are_as_the_tables_are():
    for page in GENERATED:
        fresh = generated(source("docs", "templates", os.path.basename(page) + ".in"))
        report.equal(fresh.returncode, 0, f"exit for {page}")
        report.check(fresh.stdout == source("docs", page), f"docs/{page} is stale: make docs writes it")


def test_each_kind_of_notice_stands_on_its_page():
    kinds = re.findall(r'\[KS_NOTICE_\w+\] = "([a-z-]+)"', source("keystore", "notice.c"))
    report.equal(sorted(re.findall(r"^\| `([a-z-]+)` \|", source("docs", "notices.md"), re.M)), sorted(kinds), "kinds")
    report.check(len(kinds) > 10, f"too few kinds were found: {kinds}")


def test_each_word_of_a_letter_stands_on_its_page():
    words = re.findall(r'\[KS_SAY_\w+\] = \{"([a-z0-9.-]+)"', source("keystore", "template.c"))
    told = {word for row in re.findall(r"^\| (`\{\{.*?) \|", source("docs", "notices.md"), re.M) for word in re.findall(r"\{\{([a-z0-9.-]+)\}\}", row)}
    report.equal(told, set(words), "words")
    report.check(len(words) > 15, f"too few words were found: {words}")


def test_a_template_that_names_no_table_is_refused():
    done = generated("one\n@NO-TABLE@\ntwo\n")
    report.equal(done.returncode, 1, "exit")
    report.check("no table @NO-TABLE@" in done.stderr, done.stderr)


def test_every_reason_has_its_row():
    page = source("docs", "reasons.md")
    codes = re.findall(r'^ROW\(\w+, "([a-z0-9-]+)"', source("wssec", "reason.def"), re.M)
    report.check(len(codes) > 80, f"{len(codes)} reasons")
    report.equal(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.M), codes, "rows")
    for row in re.findall(r"^\| `.*$", page, re.M):
        report.equal(len(re.findall(r"(?<!\\)\|", row)), 7, f"cells of {row[:40]}")


def test_each_attack_that_is_named_is_tried():
    rows = [row for row in re.findall(r"^\| .*$", source("docs", "attacks.md"), re.M) if "`tests/" in row]
    report.check(len(rows) > 30, f"{len(rows)} attacks")
    for row in rows:
        cells = row.strip("| ").split(" | ")
        report.equal(len(cells), 4, f"cells of {row[:40]}")
        for file, names in re.findall(r'`(tests/[^`]+)` ("[^`;]+")', cells[2]):
            text = source(*file.split("/"))
            for name in re.findall(r'"([^"]+)"', names):
                report.check(name in text, f"{file} has no {name}: docs/attacks.md")


def test_manual_pages_are_well_formed():
    for page in MANUALS:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(product.ROOT, "docs", page)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=report.PATIENCE_S, check=False)
        # a machine whose clock is behind the date of the page is no fault of the page
        said = [line for line in done.stdout.splitlines() if "date in the future" not in line]
        report.check(not said and (done.returncode == 0 or done.stdout), f"{page}: {done.stdout}")


def test_every_command_of_the_help_stands_in_the_manual():
    commands = re.findall(r"^  ([a-z][a-z -]*?)  +\S", product.countersign("--help").stdout.split("Options of")[0], re.M)
    report.check("keystore add" in commands, commands)
    report.equal(re.findall(r"^\.Ss (.*)$", source("docs", "man", "countersign.1"), re.M), commands, "sections")


def test_every_public_function_stands_in_the_manual():
    exported = re.findall(r"\bwssec_\w+(?=;)", source("wssec", "wssec.map"))
    declared = re.findall(r"^WSSEC_API .*?\b(wssec_\w+)\(", source("wssec", "wssec.h"), re.M)
    documented = re.findall(r"^\.Fn (wssec_\w+) ", source("docs", "man", "wssec.3"), re.M)
    report.equal(sorted(exported), sorted(declared), "wssec.map against wssec.h")
    report.equal(sorted(set(exported) - set(documented)), [], "functions without a line in wssec(3)")
    report.equal(sorted(set(documented) - set(exported)), [], "lines in wssec(3) without a function")


def completed(line, cwd=None):
    """@return what bash offers for the last word of a command line"""
    words = line.split(" ")
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _countersign; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", COMPLETION, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=report.PATIENCE_S, check=True, cwd=cwd)
    report.equal(done.stderr, "", "stderr of bash")
    return done.stdout.split()


def test_completion_offers_commands_and_groups():
    report.check({"gateway", "verify", "sign", "keystore"} <= set(completed("countersign ")), "top level")
    report.equal(completed("countersign keyst"), ["keystore"], "a beginning")
    report.check("add" in completed("countersign --keystore sqlite:ks.db keystore "), "a group behind a global option")
    report.equal(completed("countersign -q keystore audit v"), ["verify"], "a third word")


def test_completion_offers_the_options_of_the_command():
    report.check({"--partner", "--explain", "--keystore"} <= set(completed("countersign verify --")), "verify")
    report.check("--explain" not in completed("countersign sign --"), "an option of another command")
    report.equal(completed("countersign keystore add --role verifier --par"), ["--partner"], "behind other options")


def test_completion_offers_words_and_files_for_values():
    place = product.new_directory()
    for name in ("partner.pem", "message.xml"):
        open(os.path.join(place, name), "wb").close()
    report.check("trust-anchor" in completed("countersign keystore add --role "), "words")
    report.equal(completed("countersign keystore add --role ver"), ["verifier"], "a word begun")
    report.equal(completed("countersign verify --partner x", place), [], "a name that only the caller knows")
    report.equal(completed("countersign -c mess", place), ["message.xml"], "a file behind a letter")
    report.equal(completed("countersign verify --partner acme mess", place), ["message.xml"], "an operand")


report.run("docs", report.tests_of(sys.modules[__name__]))
