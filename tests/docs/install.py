#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An installed copy: a program outside this tree builds with libwssec by pkg-config alone, and uninstall leaves nothing."""
import json
import os
import re
import shutil
import subprocess
import sys

import keys
import product
import report
import soap

PLACE = product.new_directory()
PREFIX = os.path.join(PLACE, "usr")
SANITIZERS = "-fsanitize=address,undefined"


def run(*command, env=None, cwd=PLACE, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200, check=False, cwd=cwd, env=env)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{' '.join(command)[:200]}: exit {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    return done


def make(*targets):
    """make in this tree with the build that is under test; not as a child of the make that runs the tests."""
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    sanitized = ["SAN=1"] if is_sanitized() else []
    run("make", *sanitized, f"OUT={os.path.relpath(product.OUT, product.ROOT)}", *targets, env=env, cwd=product.ROOT)


def is_sanitized():
    return "__asan_init" in run("nm", "-D", os.path.join(product.OUT, "libwssec.so.1")).stdout


def installed(*path):
    return os.path.join(PREFIX, *path)


def pkg_config(*args):
    return run("pkg-config", *args, env={**os.environ, "PKG_CONFIG_PATH": installed("lib", "pkgconfig")}).stdout.split()


def compile_example(name, *libraries):
    """@return the program, built from the installed source and nothing of this tree"""
    program = os.path.join(PLACE, name)
    flags = [SANITIZERS] if is_sanitized() else []
    run("cc", "-Wall", "-Wextra", "-Werror", *flags, "-o", program, installed("share", "doc", "countersign", "verify_file.c"),
        *pkg_config("--cflags", "wssec"), *libraries)
    return program


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names)


def signed_message():
    """@return the pair that signed, the file, and the file of its tampered twin"""
    pair = keys.new_pair(PLACE, "partner")
    keystore = product.Keystore(PLACE)
    keystore.add_signer(pair)
    plain, signed, tampered = (os.path.join(PLACE, name) for name in ("plain.xml", "signed.xml", "tampered.xml"))
    with open(plain, "w", encoding="utf-8") as out:
        out.write(soap.envelope())
    product.countersign("--keystore", keystore.uri, "sign", "--alias", "own-sign", "--timestamp", plain, "-o", signed)
    with open(signed, encoding="utf-8") as text:
        twin = text.read().replace("4711", "4712")
    with open(tampered, "w", encoding="utf-8") as out:
        out.write(twin)
    return pair, signed, tampered


def judges(program, env=None):
    """The example tells a signed message from a tampered one, and one signer from another."""
    pair, signed, tampered = signed_message()
    other = keys.new_pair(PLACE, "other")
    passed = json.loads(run(program, pair.certificate_file, signed, env=env).stdout)
    report.equal((passed["verdict"], passed["reason"], sorted(passed["covers"])), ("pass", "ok", ["Body", "Timestamp"]), "signed")
    failed = json.loads(run(program, pair.certificate_file, tampered, env=env, status=1).stdout)
    report.equal((failed["verdict"], failed["reason"]), ("fail", "digest-mismatch"), "tampered")
    foreign = json.loads(run(program, other.certificate_file, signed, env=env, status=1).stdout)
    report.equal(foreign["reason"], "certificate-unknown", "another signer")
    os.remove(os.path.join(PLACE, "ks.db"))


def test_install_puts_everything_in_its_place():
    make("install", f"PREFIX={PREFIX}")
    runbooks = [f"share/countersign/runbooks/{name}" for name in os.listdir(os.path.join(product.ROOT, "conf", "runbooks"))]
    report.check(runbooks, "no runbooks")
    letters = [f"share/countersign/letters/de/{name}" for name in os.listdir(os.path.join(product.ROOT, "conf", "letters", "de"))]
    report.check(letters, "no letters")
    report.equal(files_below(PREFIX), sorted([
        *runbooks,
        *letters,
        "bin/countersign", "include/wssec/reason.def", "include/wssec/wssec.h", "lib/libwssec.a", "lib/libwssec.so", "lib/libwssec.so.1",
        "lib/pkgconfig/wssec.pc", "lib/systemd/system/countersign.service", "lib/systemd/system/countersign-tick.service",
        "lib/systemd/system/countersign-tick.timer", "lib/systemd/system/countersign.socket",
        "lib/sysusers.d/countersign.conf", "lib/tmpfiles.d/countersign.conf", "share/bash-completion/completions/countersign",
        "share/countersign/countersign.conf", "share/countersign/issuers/acme-lego", "share/countersign/countersign.logrotate",
        *(f"share/doc/countersign/{name}" for name in os.listdir(os.path.join(product.ROOT, "docs")) if name.endswith(".md")),
        "share/doc/countersign/result.schema.json",
        "share/doc/countersign/verify_file.c",
        "share/man/man1/countersign.1", "share/man/man3/wssec.3", "share/man/man5/countersign.conf.5"]), "files")
    report.check(run(installed("bin", "countersign"), "--version").stdout.startswith("countersign "), "the installed command")


def test_pkg_config_names_the_prefix_that_was_installed_to():
    report.equal(pkg_config("--variable=prefix", "wssec"), [PREFIX], "prefix")
    report.check(f"-I{installed('include')}" in pkg_config("--cflags", "wssec"), "cflags")
    version = product.countersign("--version").stdout.split()[1]
    report.equal(pkg_config("--modversion", "wssec"), [version], "version")


def test_the_example_builds_and_judges_with_the_shared_library():
    program = compile_example("shared", *pkg_config("--libs", "wssec"))
    report.check("libwssec.so.1" in run("readelf", "-d", program).stdout, "not linked with libwssec.so.1")
    judges(program, {**os.environ, "LD_LIBRARY_PATH": installed("lib")})


def test_the_example_builds_and_judges_with_the_static_library():
    program = compile_example("static", installed("lib", "libwssec.a"), *pkg_config("--libs", "libxml-2.0", "xmlsec1-openssl", "openssl"))
    report.check("libwssec" not in run("readelf", "-d", program).stdout, "linked with a shared libwssec")
    judges(program)


def test_only_the_public_names_are_exported():
    public = re.findall(r"\bwssec_\w+(?=;)", open(os.path.join(product.ROOT, "wssec", "wssec.map"), encoding="utf-8").read())
    shared = run("nm", "-D", "--defined-only", installed("lib", "libwssec.so.1")).stdout
    report.equal(sorted(re.findall(r" [A-Z] (\w+)@@WSSEC_1", shared)), sorted(public), "shared library")
    report.equal([line for line in shared.splitlines() if "@@WSSEC_1" not in line and not line.endswith(" A WSSEC_1")], [], "others")
    static = run("nm", "-g", "--defined-only", installed("lib", "libwssec.a")).stdout
    report.equal(sorted(name for name in re.findall(r" [A-Z] (\S+)", static) if not name.startswith("__odr_asan")), sorted(public), "static library")


def test_uninstall_leaves_nothing():
    make("uninstall", f"PREFIX={PREFIX}")
    report.equal(files_below(PREFIX), [], "files left")
    shutil.rmtree(PREFIX)


def test_destdir_goes_before_the_prefix_and_into_no_file():
    root = os.path.join(PLACE, "root")
    make("install", f"DESTDIR={root}", "PREFIX=/usr")
    with open(os.path.join(root, "usr", "lib", "pkgconfig", "wssec.pc"), encoding="utf-8") as text:
        report.equal(text.readline(), "prefix=/usr\n", "prefix in wssec.pc")
    make("uninstall", f"DESTDIR={root}", "PREFIX=/usr")
    report.equal(files_below(root), [], "files left")


report.run("install", report.tests_of(sys.modules[__name__]))
