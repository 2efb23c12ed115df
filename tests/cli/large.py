#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
"""Large files on the command line: judged in pieces and signed in place, with the same records as small ones, and with
memory that does not grow with them."""
import json
import os
import subprocess
import sys
import threading

import product
import soap
from keys import new_pair
from report import Skip, check, equal, run, tests_of

MB = 1 << 20
DIRECTORY = product.new_directory()
KEYSTORE = product.Keystore(DIRECTORY)
OWN = new_pair(DIRECTORY, "own")
ACME = new_pair(DIRECTORY, "acme")
STRANGER = new_pair(DIRECTORY, "stranger")
KEYSTORE.add_signer(OWN)
KEYSTORE.add_verifier(OWN, "ourselves")
KEYSTORE.add_verifier(ACME)
DOM = os.environ.get("COUNTERSIGN_ENGINE") == "dom"


def records(octets):
    record = "<o:item><o:article>A-{:08d}</o:article></o:item>"
    return '<o:GetOrder xmlns:o="urn:example:orders">' + "".join(record.format(i) for i in range(octets // len(record.format(0)))) + "</o:GetOrder>"


def written(name, text):
    path = os.path.join(DIRECTORY, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


TEXT = soap.sign(ACME, body=records(3 * MB))
GOOD = written("good.xml", TEXT)


def command(*args, **keywords):
    return product.countersign("--keystore", KEYSTORE.uri, *args, check=False, **keywords)


def verify(*args):
    """@return exit code and the records"""
    done = command("verify", "--json", *args)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def peak_kb(*args):
    """Most memory of one command."""
    return product.peak_kb(product.COUNTERSIGN, "--keystore", KEYSTORE.uri, *args)


def without(record, *names):
    return {k: v for k, v in record.items() if k not in names}


def test_a_large_file_has_the_record_of_a_held_message():
    code, [in_pieces] = verify("--partner", "acme", GOOD)
    with open(GOOD, "rb") as text:
        done = subprocess.run([product.COUNTERSIGN, "--keystore", KEYSTORE.uri, "verify", "--json", "--partner", "acme", "-"],
                              input=text.read(), stdout=subprocess.PIPE, check=False)
    held = json.loads(done.stdout)
    equal((code, done.returncode), (0, 0), "exit codes")
    equal(without(in_pieces, "loc", "us", "t"), without(held, "loc", "us", "t"), "records")


def test_every_partner_is_tried_on_it():
    code, [record] = verify(GOOD)
    equal((code, record["partner"], record["certificate"]["entry"]), (0, "acme", "acme-sign#1"), "exit, partner, entry")


def test_what_is_wrong_with_it_is_found_wherever_it_stands():
    place = TEXT.rindex("A-000")
    for name, text, reason in (("changed", TEXT[:place] + "B" + TEXT[place + 1:], "digest-mismatch"),
                               ("cut", TEXT[:-20], "xml-malformed"),
                               ("stranger", soap.sign(STRANGER, body=records(2 * MB)), "certificate-unknown"),
                               ("instruction", soap.sign(ACME, body=records(2 * MB) + "<?pi?>"), "processing-instruction"),
                               ("nothing", "x" * (2 * MB), "xml-malformed")):
        code, [record] = verify("--partner", "acme", written(f"{name}.xml", text))
        equal((code, record["verdict"], record["reason"]), (1, "fail", reason), name)


def test_its_steps_are_explained():
    done = command("verify", "--partner", "acme", "--explain", GOOD)
    equal(done.returncode, 0, done.stdout)
    for step in ("message", "signed-info", "reference", "verdict"):
        check(f"ok  {step}" in done.stdout, f"{step} in {done.stdout}")


def test_a_named_pipe_is_read_to_its_end():
    pipe = os.path.join(DIRECTORY, "pipe")
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: written("pipe", TEXT))
    writer.start()
    code, [record] = verify("--partner", "acme", pipe)
    writer.join()
    equal((code, record["reason"]), (0, "ok"), "exit, reason")


def test_a_large_message_is_signed_and_keeps_every_octet():
    body = records(3 * MB)
    plain = written("plain.xml", soap.envelope(body))
    signed = os.path.join(DIRECTORY, "signed.xml")
    done = command("sign", "--alias", "own-sign", "--timestamp", plain, "-o", signed)
    equal(done.returncode, 0, done.stderr)
    with open(signed, encoding="utf-8") as text:
        check(body in text.read(), "the content of Body was changed")
    code, [record] = verify("--partner", "ourselves", signed)
    equal((code, record["covers"]), (0, ["Timestamp", "Body"] if record["covers"][0] == "Timestamp" else ["Body", "Timestamp"]), "exit, covers")


def test_it_is_diagnosed():
    done = command("--json", "diagnose", "--partner", "acme", os.path.join(DIRECTORY, "changed.xml"))
    equal((done.returncode, json.loads(done.stdout)["reason"]), (1, "digest-mismatch"), "exit, reason")


def test_memory_does_not_grow_with_the_file():
    if "build/san" in product.OUT or DOM:
        raise Skip("sanitizers and trees take what they need")
    huge = written("huge.xml", soap.sign(ACME, body=records(40 * MB)))
    small = written("small.xml", soap.sign(ACME))
    least = peak_kb("verify", "--partner", "acme", small)
    most = peak_kb("verify", "--partner", "acme", huge)
    check(most - least < 8 << 10, f"{least} KB grew to {most} KB")
    plain = written("plain.xml", soap.envelope(records(40 * MB)))
    signs = peak_kb("sign", "--alias", "own-sign", plain, "-o", os.path.join(DIRECTORY, "signed.xml"))
    check(signs - least < (40 + 8) << 10, f"{least} KB grew to {signs} KB, of which the mapped file is 40 MB")


def test_an_archive_run_does_not_hold_what_is_larger_than_its_share():
    if DOM:
        raise Skip("trees take what they need")
    os.makedirs(os.path.join(DIRECTORY, "stored"))
    small = written("stored/small.xml", soap.sign(ACME))
    huge = written("stored/huge.xml", soap.sign(ACME, body=records(32 * MB)))
    packed = os.path.join(DIRECTORY, "stored.tar.gz")
    subprocess.run(["tar", "-C", DIRECTORY, "-cf", packed, "--use-compress-program", "gzip -1", "stored/huge.xml"], check=True)
    bounds = ("archive", "verify", "--trust-claimed", "--mem", "8M", "--jobs", "2", "--progress", "none")
    least = peak_kb(*bounds, small)
    for what in (huge, packed):
        most = peak_kb(*bounds, what)
        check(most - least < 12 << 10, f"{what}: {least} KB grew to {most} KB")


def test_an_archive_says_the_same_of_what_it_holds_and_of_what_goes_by():
    names = ["good", "changed", "cut", "stranger", "instruction", "nothing"]
    paths = [os.path.join(DIRECTORY, f"{name}.xml") for name in names]

    def judged(*more):
        journal = os.path.join(DIRECTORY, "run" + "".join(more))
        command("archive", "verify", *paths, "--trust-claimed", "--journal", journal, *more)
        with open(os.path.join(journal, "results.ndjson"), encoding="utf-8") as lines:
            return [without(json.loads(line), "run", "us", "t", "generation") for line in lines]
    held = judged()
    reasons = ["ok", "digest-mismatch", "xml-malformed", "certificate-unknown", "processing-instruction", "unsupported-format"]
    equal([r["reason"] for r in held], reasons, "")
    equal(judged("--mem", "1M"), held, "records")
    equal(judged("--mem", "1M", "--isolate"), held, "records of judges apart")


if __name__ == "__main__":
    sys.exit(run("large", tests_of(sys.modules[__name__])))
