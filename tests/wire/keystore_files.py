#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""Keystore files that cannot be used as they are: missing, foreign, damaged, of another version, read-only, locked, of
another owner. Each is told in one sentence with its exit code, and no file is changed."""
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile

import product
import report
from product import countersign
from report import check, equal
from stores import PARTNER, Store, filled_store, made, stopped_between_writes, write

READING = [["list"], ["show", "acme-sign#1"], ["acceptable", "--partner", "acme"], ["export", "acme-sign#1"], ["audit", "verify"]]
WRITING = [["deactivate", "acme-sign#1"], ["suspend", "acme-sign#1"], ["remove", "acme-sign#1"], [*PARTNER, "NEXT", "--activate"]]


def files_of(directory):
    """Name, content and times of the files that hold data (not SQLite's shared index)."""
    found = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if not name.endswith(("-shm", "-wal")) or os.path.getsize(path) and name.endswith("-wal"):
            with open(path, "rb") as data:
                found[name] = (data.read(), os.stat(path).st_mtime_ns)
    return found


def cannot_use(path, exit_code, says, commands):
    """Each command must end so, with this sentence, and leave every file as it is."""
    before = files_of(os.path.dirname(path))
    for command in commands:
        command = [made("next").certificate_file if word == "NEXT" else word for word in command]
        done = countersign("--keystore", f"sqlite:{path}", "keystore", *command, check=False)
        equal(done.returncode, exit_code, f"{' '.join(command)}: {done.stderr.strip()}: exit")
        check(says in done.stderr and done.stdout == "", f"{' '.join(command)}: {done.stderr}")
        check(len(done.stderr.splitlines()) == 1, f"one sentence: {done.stderr}")
        equal(files_of(os.path.dirname(path)).keys(), before.keys(), "files")
        check(files_of(os.path.dirname(path)) == before, f"{' '.join(command)}: a file was changed")


def test_a_store_that_is_not_there():
    path = os.path.join(product.new_directory(), "ks.db")
    cannot_use(path, 78, "keystore init", READING + WRITING)
    for uri in ("ks.db", "mysql:x", "sqlite:", "postgresql://localhost/x"):
        done = countersign("--keystore", uri, "keystore", "list", check=False)
        equal(done.returncode, 64, f"{uri}: exit")
    done = countersign("-c", write("nothing.conf", "retention 90d;\n"), "keystore", "list", check=False)
    equal(done.returncode, 64, "no keystore named: exit")


def test_a_file_that_is_no_keystore():
    for content in (b"this is a text file, longer than a page header of SQLite has octets, so that it is read as one\n" * 20, b"\0" * 8192):
        path = os.path.join(product.new_directory(), "ks.db")
        with open(path, "wb") as out:
            out.write(content)
        cannot_use(path, 78, "", [["init"]] + READING + WRITING)


def test_a_database_of_another_program():
    path = os.path.join(product.new_directory(), "ks.db")
    with sqlite3.connect(path) as db:
        db.execute("create table songs(title text)")
    cannot_use(path, 78, "another program", [["init"]] + READING + WRITING)


def test_a_damaged_store():
    store = filled_store()
    with sqlite3.connect(store.path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    size = os.path.getsize(store.path)
    with open(store.path, "r+b") as data:
        for page in range(1, size // 4096):
            data.seek(page * 4096)
            data.write(b"\xa5" * 4096)
    cannot_use(store.path, 78, "damaged", READING + WRITING)
    cut = filled_store()
    with sqlite3.connect(cut.path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    os.truncate(cut.path, 8192)
    cannot_use(cut.path, 78, "", READING + WRITING)


def test_a_store_of_another_version():
    store = filled_store()
    store.change("pragma user_version=99")
    with sqlite3.connect(store.path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    cannot_use(store.path, 78, "version 99", [["init"]] + READING + WRITING)


def test_a_read_only_store_can_be_asked_but_not_changed():
    for target in ("file", "directory"):
        store = filled_store()
        with sqlite3.connect(store.path) as db:
            db.execute("pragma wal_checkpoint(truncate)")
        path = store.path if target == "file" else os.path.dirname(store.path)
        mode = os.stat(path).st_mode
        os.chmod(path, 0o444 if target == "file" else 0o555)
        try:
            cannot_use(store.path, 69, "read-only", WRITING)
            for command in READING:
                equal(store.run(*command, check=False).returncode, 0, f"{target} read-only: {' '.join(command)}: exit")
        finally:
            os.chmod(path, mode)


def test_a_locked_store():
    store = filled_store()
    db = sqlite3.connect(store.path, isolation_level=None)
    db.execute("begin immediate")
    try:
        before = store.content()
        for command in WRITING:
            command = [made("next").certificate_file if word == "NEXT" else word for word in command]
            done = store.run(*command, "--wait", "50ms", check=False)
            equal(done.returncode, 69, f"{' '.join(command)}: exit")
            check("locked" in done.stderr, done.stderr)
        for command in READING:
            equal(store.run(*command, check=False).returncode, 0, f"{' '.join(command)} beside a writer: exit")
        equal(store.content(), before, "content")
    finally:
        db.close()
    store.run("deactivate", "acme-sign#1", "--wait", "50ms")


def test_wait_names_the_nodes_that_do_not_follow():
    store = filled_store()
    routes = 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; response { verify acme; } }'
    with product.Gateway(os.path.dirname(store.path), store, routes) as gateway:
        store.verifier("next", "--activate", "--wait", "60s")
        with sqlite3.connect(store.path) as db:
            node = report.until(lambda: db.execute("select node_id from node").fetchone(), what="the node's row")[0]
        report.until(lambda: stopped_between_writes(gateway.serving_pid, store), what="the gateway stands still")
        late = store.run("deactivate", "acme-sign#1", "--wait", "100ms", check=False)
        os.kill(gateway.serving_pid, signal.SIGCONT)
    equal(late.returncode, 13, "exit")
    check(node in late.stderr, late.stderr)
    equal(store.entries()["acme-sign#1"]["state"], "deactivated", "the change stands")


def test_output_that_cannot_be_written_is_no_success():
    store = filled_store()
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([product.COUNTERSIGN, "--keystore", store.uri, "keystore", "list"], stdout=full, stderr=subprocess.PIPE,
                              timeout=report.PATIENCE_S, check=False)
    equal(done.returncode, 69, "exit")


def test_root_leaves_files_of_the_stores_owner():
    if os.geteuid() != 0:
        raise report.Skip("only root can become another account")
    place = tempfile.mkdtemp(prefix="cs-owner-", dir="/var/tmp")  # this tree may stand where others may not enter
    try:
        store = Store(place)
        store.verifier("new", "--activate")
        os.chown(place, 65534, 65534)
        for name in os.listdir(place):
            os.chown(os.path.join(place, name), 65534, 65534)
        store.signer("own", "--activate") # its key file is readable for root only
        store.run("list")
        fresh = os.path.join(place, "fresh.db")
        countersign("--keystore", f"sqlite:{fresh}", "keystore", "init")
        for name in os.listdir(place):
            equal(os.stat(os.path.join(place, name)).st_uid, 65534, f"owner of {name}")
    finally:
        product.remove(place)


if __name__ == "__main__":
    report.run("keystore-files", report.tests_of(sys.modules[__name__]))
