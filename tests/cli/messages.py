#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: engines
# tests/run: quick
"""countersign verify and countersign sign as a script sees them: records, exit codes, what is warned of, what is written."""
import datetime
import gzip
import json
import os
import stat
import sys

import mime
import product
import soap
from keys import new_pair
from report import check, equal, run, tests_of

DIRECTORY = product.new_directory()
KEYSTORE = product.Keystore(DIRECTORY)
OWN = new_pair(DIRECTORY, "own")
ACME = new_pair(DIRECTORY, "acme")
GLOBEX = new_pair(DIRECTORY, "globex", "ec:P-256")
STRANGER = new_pair(DIRECTORY, "stranger")
KEYSTORE.add_signer(OWN)
KEYSTORE.add_verifier(OWN, "ourselves")
KEYSTORE.add_verifier(ACME)
KEYSTORE.add_verifier(GLOBEX, "globex")


def path(name):
    return os.path.join(DIRECTORY, name)


def written(name, text):
    with open(path(name), "w", encoding="utf-8") as out:
        out.write(text)
    return path(name)


GOOD = written("good.xml", soap.sign(ACME))
CHANGED = written("changed.xml", soap.tampered(soap.sign(ACME)))
PLAIN = written("plain.xml", soap.envelope())


def command(*args, **keywords):
    return product.countersign("--keystore", KEYSTORE.uri, *args, check=False, **keywords)


def verify(*args, **keywords):
    """@return exit code and the records"""
    done = command("verify", "--json", *args, **keywords)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def at(days=0, seconds=0):
    moment = datetime.datetime.utcnow() + datetime.timedelta(days=days, seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def schema():
    with open(os.path.join(product.ROOT, "docs", "result.schema.json"), encoding="utf-8") as text:
        return json.load(text)


def conforms(value, rule, root, where="record"):
    """As much of JSON Schema as docs/result.schema.json uses."""
    if "$ref" in rule:
        return conforms(value, root["$defs"][rule["$ref"].split("/")[-1]], root, where)
    if "oneOf" in rule:
        return equal(sum(not problems(value, one, root, where) for one in rule["oneOf"]), 1, f"fitting forms of {where}")
    if "const" in rule:
        equal(value, rule["const"], where)
    if "enum" in rule:
        check(value in rule["enum"], f"{where} is {value!r}")
    if "type" in rule:
        kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        names = {"NoneType": "null", "str": "string", "dict": "object", "list": "array", "bool": "boolean", "int": "integer"}
        check(names[type(value).__name__] in kinds, f"{where} is {type(value).__name__}")
    for name in rule.get("required", ()):
        check(name in value, f"{where} has no {name}")
    for name, inner in rule.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            conforms(value[name], inner, root, f"{where}.{name}")
    for item in value if isinstance(value, list) else ():
        conforms(item, rule.get("items", {}), root, f"{where}[]")
    return None


def problems(value, rule, root, where):
    try:
        conforms(value, rule, root, where)
    except AssertionError as error:
        return str(error)
    return ""


def test_a_good_message_passes_with_the_documented_record():
    code, records = verify("--partner", "acme", GOOD)
    equal(code, 0, "exit code")
    record = records[0]
    conforms(record, schema(), schema())
    equal((record["verdict"], record["reason"], record["partner"], record["loc"]), ("pass", "ok", "acme", GOOD), "record")
    equal(record["certificate"]["entry"], "acme-sign#1", "entry")
    equal(record["certificate"]["sha256"], ACME.sha256, "fingerprint")
    equal(record["covers"], ["Body", "Timestamp"], "covers")
    equal(record["signature"]["algorithm"], "rsa-sha256", "algorithm")
    equal(record["policy"], "default", "policy")


def test_several_files_give_a_record_each_in_their_order():
    code, records = verify("--partner", "acme", CHANGED, GOOD, path("missing.xml"), PLAIN)
    equal(code, 1, "exit code: a failure counts most")
    equal([(r["loc"], r["reason"]) for r in records],
          [(CHANGED, "digest-mismatch"), (GOOD, "ok"), (path("missing.xml"), "input-unreadable"), (PLAIN, "no-security")], "records")
    for record in records:
        conforms(record, schema(), schema())


def test_an_unreadable_file_is_3_and_no_message_is_1():
    equal(verify("--partner", "acme", GOOD, path("missing.xml"))[0], 3, "exit code with a missing file")
    code, records = verify("--partner", "acme", written("text.xml", "no XML"))
    equal((code, records[0]["verdict"], records[0]["reason"]), (1, "fail", "xml-malformed"), "a text")
    code, records = verify("--partner", "acme", written("empty.xml", ""))
    equal((code, records[0]["reason"]), (1, "xml-malformed"), "an empty file")


def test_a_message_comes_from_standard_input():
    with open(GOOD, encoding="utf-8") as text:
        code, records = verify("--partner", "acme", "-", stdin=text.read())
    equal((code, records[0]["loc"], records[0]["verdict"]), (0, "-", "pass"), "record")


def test_a_directory_and_no_file_are_usage_errors():
    for args in ((DIRECTORY,), (GOOD, DIRECTORY), ()):
        done = command("verify", *args)
        equal(done.returncode, 64, f"exit code of {args}")
        equal(done.stdout, "", "standard output")


def test_without_partner_each_is_tried():
    code, records = verify(written("globex.xml", soap.sign(GLOBEX)), GOOD, written("stranger.xml", soap.sign(STRANGER)))
    equal(code, 1, "exit code")
    equal([(r["partner"], r["reason"]) for r in records], [("globex", "ok"), ("acme", "ok"), (None, "certificate-unknown")], "records")


def test_a_message_of_another_partner_fails():
    code, records = verify("--partner", "globex", GOOD)
    equal((code, records[0]["reason"], records[0]["certificate"]), (1, "certificate-unknown", None), "record")


def test_an_unknown_partner_is_warned_of_with_the_nearest_name():
    done = command("verify", "--json", "--partner", "acne", GOOD)
    equal(done.returncode, 1, "exit code")
    equal(json.loads(done.stdout)["reason"], "certificate-unknown", "reason")
    check('did you mean "acme"' in done.stderr, done.stderr)


def test_require_replaces_the_policy():
    equal(verify("--partner", "acme", "--require", "Body,Timestamp,wsa:To?", GOOD)[0], 0, "exit code")
    code, records = verify("--partner", "acme", "--require", "Body", "--require", "wsa:To", GOOD)
    equal((code, records[0]["reason"]), (1, "part-not-signed"), "a part that is not there")
    for wrong in ("Boddy", "Body,,Timestamp", "Body?"):
        equal(command("verify", "--partner", "acme", "--require", wrong, GOOD).returncode, 64, f"exit code of {wrong}")


def test_a_policy_is_chosen_by_partner_or_by_name():
    conf = written("policies.conf", "policy strict { require-signed Body Timestamp BinarySecurityToken; }\npartner acme { policy strict; }\n")
    equal(verify("-c", conf, "--partner", "acme", GOOD)[1][0]["reason"], "part-not-signed", "the partner's policy")
    code, records = verify("-c", conf, "--partner", "acme", "--policy", "default", GOOD)
    equal((code, records[0]["policy"]), (0, "default"), "a policy by name")
    done = command("-c", conf, "verify", "--policy", "strikt", GOOD)
    equal(done.returncode, 64, "exit code of an unknown policy")
    check('did you mean "strict"' in done.stderr, done.stderr)


def test_freshness_is_judged_now_and_only_noted_as_of_then():
    late = written("late.xml", soap.sign(ACME, created_s=-4000))
    equal(verify("--partner", "acme", late)[1][0]["reason"], "timestamp-expired", "now")
    KEYSTORE.run("add", "--role", "verifier", "--partner", "past", "--alias", "past-sign", STRANGER.certificate_file, "--since", "not-before",
                 "--until", at(seconds=-60))
    past = written("past.xml", soap.sign(STRANGER, created_s=-4000))
    for moment in (at(seconds=-4000), at(seconds=-1000)):
        code, records = verify("--partner", "past", "--as-of", moment, past)
        equal((code, records[0]["time_source"]), (0, "as-of"), f"as of {moment} ({records[0]['reason']})")
    equal(verify("--partner", "past", past)[1][0]["reason"], "certificate-archived", "now")
    early = written("early.xml", soap.sign(ACME, created_s=4000))
    equal(verify("--partner", "acme", early)[1][0]["reason"], "timestamp-future", "a message of the future")
    equal(verify("--now", at(seconds=4000), "--partner", "acme", early)[0], 0, "exit code with the clock ahead")


def test_explain_prints_every_step():
    code, records = verify("--partner", "acme", "--explain", CHANGED)
    equal(code, 1, "exit code")
    steps = records[0]["explain"]
    check(len(steps) > 4 and not steps[-1]["ok"], f"steps {steps}")
    done = command("verify", "--partner", "acme", "--explain", GOOD)
    check("signed-info" in done.stdout and "coverage" in done.stdout, done.stdout)
    check("shipped" not in done.stdout, "payload in the explanation")


def test_people_read_one_line_a_file_and_a_cure():
    done = command("verify", "--partner", "acme", GOOD, CHANGED)
    lines = done.stdout.splitlines()
    check(lines[0].startswith(f"{GOOD}: pass") and "acme-sign#1 (active)" in lines[0], lines[0])
    check(lines[1].startswith(f"{CHANGED}: fail: digest-mismatch"), lines[1])
    equal(len(lines), 3, "lines: the last says what to do")


def test_a_keystore_that_cannot_be_used_is_69_or_78():
    check(product.countersign("--keystore", f"sqlite:{path('none.db')}", "verify", GOOD, check=False).returncode in (69, 78), "missing keystore")
    broken = written("broken.db", "this is no database, only some text that is long enough to be looked at" * 20)
    equal(product.countersign("--keystore", f"sqlite:{broken}", "verify", GOOD, check=False).returncode, 78, "exit code of a broken keystore")


# ---- sign ------------------------------------------------------------------------------------------------------------


def sign(*args, **keywords):
    return command("sign", *args, **keywords)


def test_a_signed_message_verifies_and_keeps_every_octet():
    out = path("signed.xml")
    equal(sign("--alias", "own-sign", "--timestamp", PLAIN, "-o", out).returncode, 0, "exit code")
    code, records = verify("--partner", "ourselves", out)
    equal((code, records[0]["covers"]), (0, ["Body", "Timestamp"]), "verdict")
    with open(out, encoding="utf-8") as text:
        message = text.read()
    start = message.index("<soap:Header>")
    end = message.index("</soap:Header>") + len("</soap:Header>")
    body = message.index(" xmlns:wsu=", end)
    rest = message[:start] + message[end:body] + message[message.index(">", body):]
    equal(rest, soap.envelope(), "octets outside the header and the id")


def test_standard_input_and_output_are_the_default():
    done = sign("--alias", "own-sign", stdin=soap.envelope(soap=soap.SOAP12))
    equal(done.returncode, 0, "exit code")
    equal(verify("--partner", "ourselves", "-", stdin=done.stdout)[1][0]["covers"], ["Body"], "covers")


def test_parts_reference_and_lifetime_are_as_asked():
    addressed = written("addressed.xml", soap.envelope(header='<a:To xmlns:a="http://www.w3.org/2005/08/addressing">urn:x</a:To><h:x xmlns:h="urn:h,1"/>'))
    done = sign("--alias", "own-sign", "--parts", "Body,wsa:To,Timestamp,{urn:h,1}x", "--key-reference", "thumbprint", "--ttl", "60s", addressed)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    code, records = verify("--partner", "ourselves", "-", stdin=done.stdout)
    equal(code, 0, "exit code of verify")
    equal(records[0]["signature"]["key_reference"], "thumbprint", "key reference")
    equal(set(records[0]["covers"]), {"Body", "wsa:To", "Timestamp", "{urn:h,1}x"}, "covers")
    equal(verify("--now", at(seconds=500), "--partner", "ourselves", "-", stdin=done.stdout)[1][0]["reason"], "timestamp-expired", "after its life")


def test_what_cannot_be_signed_is_refused_and_nothing_is_written():
    out = path("not-written.xml")
    for args, code in (((GOOD,), 1), ((written("text.xml", "no XML"),), 1), ((path("missing.xml"),), 3), ((DIRECTORY,), 64), ((PLAIN, PLAIN), 64),
                       (("--parts", "wsa:To", PLAIN), 1), (("--key-reference", "telepathy", PLAIN), 64), (("--ttl", "0s", PLAIN), 64),
                       (("--parts", ",", PLAIN), 64), (("--signature-algorithm", "rsa-sha1", PLAIN), 1),
                       (("--signature-algorithm", "ecdsa-sha256", PLAIN), 1)):
        done = sign("--alias", "own-sign", "-o", out, *args)
        equal(done.returncode, code, f"exit code of {args} ({done.stderr.strip()})")
        check(not os.path.exists(out), f"{args} wrote a file")
        check(done.stderr.startswith("countersign: "), f"{args} says {done.stderr!r}")


def test_the_alias_must_be_a_signing_slot():
    equal(sign(PLAIN).returncode, 64, "exit code without alias")
    for alias, words in (("nobody", "no alias"), ("acme-sign", "role verifier")):
        done = sign("--alias", alias, PLAIN)
        equal(done.returncode, 64, f"exit code of {alias}")
        check(words in done.stderr, done.stderr)


def test_an_output_is_replaced_whole_or_not_at_all():
    out = written("old.xml", "what was there")
    os.chmod(out, 0o600)
    equal(sign("--alias", "own-sign", GOOD, "-o", out).returncode, 1, "exit code of a refused message")
    with open(out, encoding="utf-8") as text:
        equal(text.read(), "what was there", "the file after a refusal")
    equal(sign("--alias", "own-sign", PLAIN, "-o", out).returncode, 0, "exit code")
    check(stat.S_ISREG(os.stat(out).st_mode), "a file")
    equal([n for n in os.listdir(DIRECTORY) if n.startswith("old.xml.")], [], "temporary files left")
    equal(sign("--alias", "own-sign", PLAIN, "-o", path("none/there.xml")).returncode, 69, "exit code where nothing can be written")
    equal(sign("--alias", "own-sign", PLAIN, "-o", "/dev/full").returncode, 69, "exit code on a full device")
    check(not stat.S_ISREG(os.stat("/dev/full").st_mode), "the device is still one")


def mail(name, content_type=True):
    """A message with an attachment as a file, with its header in front or without."""
    octets = mime.package(soap.envelope(), mime.part("a@house", b"attached\x00"))
    head = f"MIME-Version: 1.0\r\nContent-Type: {mime.TYPE}\r\n\r\n".encode() if content_type else b""
    with open(path(name), "wb") as out:
        out.write(head + octets)
    return path(name)


def test_a_message_with_attachments_is_signed_and_judged_as_a_file():
    out = path("signed.mime")
    for options, name, said in (((), "mail.mime", ()), (("--complete",), "mail.mime", ()), ((), "bare.mime", ("--content-type", mime.TYPE))):
        equal(sign("--alias", "own-sign", *options, *said, mail(name, not said), "-o", out).returncode, 0, f"exit code of {options} {name}")
        code, records = verify("--partner", "ourselves", *said, out)
        equal((code, records[0]["covers"]), (0, ["Body", "cid:a@house"]), f"{options} {name}: {records[0]['detail']}")
        with open(out, "rb") as text:
            octets = text.read()
        equal(octets.startswith(b"MIME-Version"), not said, "the header in front")
        changed = path("changed.mime")
        with open(changed, "wb") as text:
            text.write(octets.replace(b"attached", b"attacked"))
        code, records = verify("--partner", "ourselves", *said, changed)
        equal((code, records[0]["reason"]), (1, "digest-mismatch"), "a changed attachment")
    code, records = verify("--partner", "ourselves", "--content-type", "multipart/related; boundary=x", out)
    equal((code, records[0]["reason"]), (1, "mime-malformed"), "another boundary")
    equal(command("diagnose", out).returncode, 0, "exit code of diagnose")


def test_what_is_no_message_is_called_by_its_name():
    pair = new_pair(DIRECTORY, "taken-for-a-message")
    name = path("no-message")
    for octets, what in ((open(pair.certificate_file, "rb").read(), "a PEM file"), (open(pair.key_file, "rb").read(), "a PEM file"),
                         (pair.der, "a DER file"), (b"%PDF-1.4\n", "a PDF"), (gzip.compress(soap.envelope().encode()), "compressed (gzip)"),
                         (b"PK\x03\x04\n", "an archive (zip)")):
        with open(name, "wb") as out:
            out.write(octets)
        code, records = verify(name)
        equal((code, records[0]["verdict"], records[0]["reason"]), (1, "fail", "unsupported-format"), what)
        check(records[0]["detail"].startswith(f"it is {what}") and records[0]["detail"].endswith(", not a message"), records[0]["detail"])
        check("countersign archive verify" in command("verify", name).stdout, f"{what}: the cure")
        check("not a message" in command("decrypt", name).stderr, f"{what} to decrypt")
    with open(name, "wb") as out:
        out.write(b"-----BEGINS\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n-----BEGINS--\r\n")
    equal(verify(name)[1][0]["reason"], "soap-shape", "a multipart whose boundary looks alike")


def test_attachments_are_encrypted_and_decrypted_as_a_file():
    pair = new_pair(DIRECTORY, "reader")
    KEYSTORE.run("add", "--role", "encrypt-to", "--partner", "reader", "--alias", "to-reader", pair.certificate_file, "--activate")
    KEYSTORE.run("add", "--role", "decrypt", "--alias", "own-read", pair.certificate_file, "--private-key", pair.key_file, "--activate")
    for options in ((), ("--complete",)):
        sealed, back = path("sealed.mime"), path("back.mime")
        done = command("encrypt", "--partner", "reader", *options, mail("mail.mime"), "-o", sealed)
        equal((done.returncode, done.stderr), (0, ""), "encrypt")
        with open(sealed, "rb") as text:
            check(b"attached" not in text.read(), "the attachment is in clear")
        done = command("decrypt", sealed, "-o", back)
        equal((done.returncode, done.stderr), (0, ""), "decrypt")
        with open(back, "rb") as text:
            octets = text.read()
        equal(mime.read(octets.split(b"\r\n\r\n", 1)[1], mime.TYPE)[1], ("a@house", b"attached\0"), "the attachment")


if __name__ == "__main__":
    run("messages", tests_of(sys.modules[__name__]))
