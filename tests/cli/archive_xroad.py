#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
# tests/run: table
"""Message logs of X-Road: each container is one item, judged with its files, its hash chain and its time-stamp token; the chain
from archive to archive is followed. Each attack stands beside a container of the same form that passes."""
import csv
import datetime
import io
import json
import os
import subprocess
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import keys
import product
import report
import soap
import stored
import xroad
from stamper import Stamper

VECTORS = os.environ.get("COUNTERSIGN_VECTORS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "vectors"))
CHANGED = xroad.message("<p:getState xmlns:p='http://test.x-road.global/producer'><p:of>4712</p:of></p:getState>")
EMPTIED = (xroad.message(""), xroad.message('<p:getState xmlns:p="http://test.x-road.global/producer"/>'))
PASS = ("pass", "ok")


class House:
    """A keystore with one member of X-Road, and a stranger."""

    def __init__(self):
        self.directory = product.new_directory()
        self.keystore = product.Keystore(self.directory)
        self.pair = keys.new_pair(self.directory, "member")
        self.curve = keys.new_pair(self.directory, "curve", "ec:P-256")
        self.stranger = keys.new_pair(self.directory, "stranger", "ec:P-256")
        for pair, partner in ((self.pair, "member"), (self.curve, "curve")):
            self.keystore.add_verifier(pair, partner)
        self.runs = 0

    def verify(self, files, *args, expected=None):
        """Judge {name: octets} in one run. @return {loc: record} and the run"""
        self.runs += 1
        place = os.path.join(self.directory, f"in-{self.runs}")
        os.makedirs(place)
        for name, octets in files.items():
            with open(os.path.join(place, name), "wb") as out:
                out.write(octets)
        return self.run(f"in-{self.runs}", *args, expected=expected)

    def run(self, path, *args, expected=None):
        journal = os.path.join(self.directory, f"run-{len(os.listdir(self.directory))}")
        done = subprocess.run([product.COUNTERSIGN, "--keystore", self.keystore.uri, "archive", "verify", path, *args, "--journal", journal],
                              cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
        report.check(expected is None or done.returncode == expected, f"exit {done.returncode}: {done.stderr}")
        with open(os.path.join(journal, "results.ndjson"), encoding="utf-8") as lines:
            return {r["loc"].split("/", 1)[1]: r for r in map(json.loads, lines)}, done


HOUSE = House()


def judged(containers, *args):
    """What {name: octets} are judged as: {name: (verdict, reason)}; every one is one item."""
    found, _ = HOUSE.verify({f"{name}.asice": octets for name, octets in containers.items()}, *args)
    report.equal(len(found), len(containers), f"items: {sorted(found)}")
    return {name: found[f"{name}.asice"] for name in containers}


def table(rows, *args):
    """rows: name -> (octets, verdict, reason)."""
    found = judged({name: row[0] for name, row in rows.items()}, *args)
    for name, row in rows.items():
        record = found[name]
        report.equal((record["verdict"], record["reason"]), row[1:], f"{name}: {record['detail']}")
        report.check("xroad-core-only" in record["notes"], f"{name}: {record['notes']}")
    return found


def test_containers_of_every_form_pass():
    pair = HOUSE.pair
    whole = xroad.message()
    listed = [("q1-message.xml", whole), ("q1-attachment1", b"one")]
    deep = [[("step", i + 1), ("hash", xroad.digest(bytes([i])))] for i in range(14)] + [[("data", "message.xml", whole)]]
    found = table({
        "simple": (xroad.simple(pair), *PASS),
        "ecdsa": (xroad.simple(HOUSE.curve), *PASS),
        "sha256": (xroad.simple(pair, word="sha256"), *PASS),
        "manifest": (xroad.container(listed, xroad.signature(pair, [], manifest=listed)), *PASS),
        "batch": (xroad.batch(pair), *PASS),
        "batch-attachments": (xroad.batch(pair, attachments=[b"one", b"\0" * 70000]), *PASS),
        "batch-sha256": (xroad.batch(pair, chain=xroad.Chain([[("data", "message.xml", whole)]], "sha256")), *PASS),
        "batch-deep": (xroad.batch(pair, chain=xroad.Chain(deep)), *PASS),
        "rest": (xroad.simple(pair, b"GET /r1/DEV/COM/4321 HTTP/1.1\r\nx-road-id: 1\r\n\r\n"), *PASS),
        "packed-type": (xroad.zipped([("mimetype", xroad.MIMETYPE), ("message.xml", whole),
                                      ("META-INF/signatures.xml", xroad.signature(pair, [("message.xml", whole)]))], stored=()), *PASS)})
    report.equal(found["batch-attachments"]["covers"],
                 ["message.xml", "attachment1", "attachment2", "sig-hashchainresult.xml", "sig-hashchain.xml"], "covers")
    report.equal((found["simple"]["partner"], found["ecdsa"]["partner"]), ("member", "curve"), "partner, found by the certificate")
    report.check(found["simple"]["claimed"] is not None, "SigningTime is what the signer claims")


def test_files_that_are_not_as_they_were_signed():
    pair = HOUSE.pair
    simple, batch = xroad.simple(pair), xroad.batch(pair, attachments=[b"one", b"two"])
    listed = [("q1-message.xml", xroad.message()), ("q1-attachment1", b"one")]
    manifest = xroad.container(listed, xroad.signature(pair, [], manifest=listed))
    fail, lost = ("fail", "digest-mismatch"), ("indeterminate", "attachment-missing")
    found = table({
        "message": (xroad.with_member(simple, "message.xml", CHANGED), *fail),
        "message-batch": (xroad.with_member(batch, "message.xml", CHANGED), *fail),
        "message-manifest": (xroad.with_member(manifest, "q1-message.xml", CHANGED), *fail),
        "message-of-another": (xroad.with_member(batch, "message.xml", xroad.member(xroad.batch(pair, CHANGED), "message.xml")), *fail),
        "attachment": (xroad.with_member(batch, "attachment2", b"three"), *fail),
        "attachments-swapped": (xroad.with_member(xroad.with_member(batch, "attachment1", b"two"), "attachment2", b"one"), *fail),
        "attachment-manifest": (xroad.with_member(manifest, "q1-attachment1", b"three"), *fail),
        "attachment-lost": (xroad.without(batch, "attachment1"), *lost),
        "attachment-lost-manifest": (xroad.without(manifest, "q1-attachment1"), *lost),
        "attachment-lost-and-message": (xroad.with_member(xroad.without(batch, "attachment1"), "message.xml", CHANGED), *fail),
        "attachment-added": (xroad.with_member(batch, "attachment3", b"three"), "fail", "part-not-signed"),
        "file-added": (xroad.with_member(simple, "invoice.pdf", b"three"), "fail", "part-not-signed"),
        "message-lost": (xroad.without(simple, "message.xml"), "error", "container-malformed"),
        "body-emptied": (xroad.with_member(simple, "message.xml", EMPTIED[0]), "indeterminate", "body-not-archived"),
        "content-emptied": (xroad.with_member(batch, "message.xml", EMPTIED[1]), "indeterminate", "body-not-archived"),
        "empty-and-signed": (xroad.simple(pair, EMPTIED[0]), *PASS),
        "body-with-blanks": (xroad.with_member(simple, "message.xml", xroad.message(" <p/> ")), *fail),
        "body-of-text": (xroad.with_member(simple, "message.xml", xroad.message("paid")), *fail),
        "body-with-attribute": (xroad.with_member(simple, "message.xml", xroad.message('<p a="paid"/>')), *fail)})
    report.equal(found["attachment-lost"]["sub_indication"], "SIGNED_DATA_NOT_FOUND", "sub-indication")
    report.check("attachment1" in found["attachment-lost"]["detail"], found["attachment-lost"]["detail"])


def test_hash_chains_that_do_not_hold():
    pair, whole = HOUSE.pair, xroad.message()
    batch = xroad.batch(pair)
    broken = ("fail", "hash-chain-broken")
    chain = xroad.member(batch, "sig-hashchain.xml")
    result = xroad.member(batch, "sig-hashchainresult.xml")
    value = b"<d:DigestValue>"
    other = xroad.Chain([[("step", 1), ("hash", b"x" * 64)], [("data", "message.xml", CHANGED)]])

    def edited(old, new, count=1):
        report.check(old in chain, f"{old} is in the chain")
        return xroad.with_member(batch, "sig-hashchain.xml", chain.replace(old, new, count))

    def signed(text):
        """A chain file of any text under a result that was signed all the same."""
        made = xroad.Chain([[("data", "message.xml", whole)]])
        files = [("message.xml", whole), ("sig-hashchainresult.xml", made.result()), ("sig-hashchain.xml", text(made.file()))]
        return xroad.container(files, xroad.signature(pair, [("sig-hashchainresult.xml", made.result())]))

    step = b'<c:HashStep id="STEP0">'
    table({
        "benign": (signed(lambda t: t), *PASS),
        "benign-unused-step": (signed(lambda t: t.replace(b"</c:HashChain>", b'<c:HashStep id="S9"></c:HashStep></c:HashChain>')), *PASS),
        "benign-own-method": (signed(lambda t: t.replace(value, b'<d:DigestMethod Algorithm="' + xroad.DIGESTS["sha512"].encode() + b'"/>' + value, 1)), *PASS),
        "value": (edited(value, value + b"AAAA"), "fail", "signature-malformed"),
        "digest-of-message": (edited(xroad.b64(xroad.digest(whole)).encode(), xroad.b64(xroad.digest(CHANGED)).encode()), *broken),
        "digest-and-message": (xroad.with_member(edited(xroad.b64(xroad.digest(whole)).encode(), xroad.b64(xroad.digest(CHANGED)).encode()),
                                                 "message.xml", CHANGED), *broken),
        "step-cut": (edited(b'<c:StepRef URI="#STEP1"/>', b""), *broken),
        "step-circle": (edited(b"#STEP2", b"#STEP0"), *broken),
        "step-itself": (edited(b"#STEP1", b"#STEP0"), *broken),
        "step-unknown": (edited(b"#STEP1", b"#STEP7"), *broken),
        "step-elsewhere": (edited(b"#STEP1", b"/other.xml#STEP1"), *broken),
        "order": (edited(b'<c:StepRef URI="#STEP1"/><c:HashValue>', b"<c:HashValue>"), *broken),
        "ids-twice": (edited(b'id="STEP2"', b'id="STEP1"'), *broken),
        "unreached": (xroad.with_member(xroad.with_member(batch, "sig-hashchain.xml", chain.replace(
            b"</c:HashChain>", b'<c:HashStep id="S9"><c:DataRef URI="/extra.xml">' + value + xroad.b64(xroad.digest(b"e")).encode()
            + b"</d:DigestValue></c:DataRef></c:HashStep></c:HashChain>")), "extra.xml", b"e"), "fail", "part-not-signed"),
        "transform": (edited(b'<c:DataRef URI="/message.xml">', b'<c:DataRef URI="/message.xml"><d:Transforms/>'), "fail", "transform-forbidden"),
        "algorithm": (edited(b"xmlenc#sha512", b"xmlenc#sha999"), "fail", "algorithm-unsupported"),
        "weak": (xroad.batch(pair, chain=xroad.Chain([[("data", "message.xml", whole)]], "sha1")), "fail", "algorithm-forbidden"),
        "result": (xroad.with_member(batch, "sig-hashchainresult.xml", result.replace(b"STEP0", b"STEP1")), "fail", "digest-mismatch"),
        "of-another-batch": (xroad.with_member(batch, "sig-hashchain.xml", other.file()), *broken),
        "without-chain": (xroad.without(batch, "sig-hashchain.xml"), *broken),
        "no-xml": (xroad.with_member(batch, "sig-hashchain.xml", b"<c"), *broken),
        "entity": (edited(b"<c:HashChain", b'<!DOCTYPE x [<!ENTITY a "b">]><c:HashChain'), *broken),
        "other-root": (xroad.with_member(batch, "sig-hashchain.xml", whole), *broken),
        "many-steps": (signed(lambda t: t.replace(b"</c:HashChain>", b"".join(b'<c:HashStep id="A%d"/>' % i for i in range(20))
                                                  + b"</c:HashChain>")), *broken),
        "many-values": (signed(lambda t: t.replace(step, step + b"<c:HashValue/>" * 20000, 1)), *broken),
        "foreign": (edited(b"<c:HashValue", b"<c:Other/><c:HashValue"), *broken)})


def test_signatures_of_another_shape_or_hand():
    pair, whole = HOUSE.pair, xroad.message()
    files = [("message.xml", whole)]
    good = xroad.signature(pair, files)
    forbidden = {"/foobar.xml": "reference-unresolved", "#signature": "wrapped-part", "#nobody": "reference-unresolved", "": "reference-unresolved"}
    properties = good[good.index(b"<xades:SignedProperties"):good.index(b"</xades:SignedProperties>") + 25]
    forged = properties.replace(b'Id="properties"', b"").replace(b"T", b"T", 1)
    twice = good[good.index(b"<ds:Signature "):good.index(b"</ds:Signature>") + 15]

    def with_signature(signed):
        return xroad.container(files, signed)

    rows = {
        "benign": (with_signature(good), *PASS),
        "changed": (with_signature(good.replace(b'URI="/message.xml"', b'URI="message.xml"')), "fail", "signature-mismatch"),
        "value-of-another": (with_signature(good.replace(good[good.index(b"<ds:SignatureValue"):good.index(b"<ds:KeyInfo")], (lambda o: o[o.index(
            b"<ds:SignatureValue"):o.index(b"<ds:KeyInfo")])(xroad.signature(pair, [("message.xml", CHANGED)])))), "fail", "signature-mismatch"),
        "stranger": (with_signature(xroad.signature(HOUSE.stranger, files)), "fail", "certificate-unknown"),
        "stranger-as-member": (with_signature(xroad.signature(HOUSE.stranger, files).replace(
            xroad.b64(HOUSE.stranger.der).encode(), xroad.b64(HOUSE.curve.der).encode())), "fail", "signature-mismatch"),
        "certificate-named": (with_signature(xroad.signature(pair, files, named=HOUSE.curve.der)), "fail", "certificate-unknown"),
        "properties-changed": (with_signature(good.replace(b"<xades:SigningTime>2", b"<xades:SigningTime>1")), "fail", "digest-mismatch"),
        "properties-unsigned": (with_signature(xroad.signature(pair, files, properties_signed=False)), "fail", "part-not-signed"),
        "properties-wrapped": (with_signature(good.replace(properties, forged).replace(
            b"</xades:QualifyingProperties>", b"<xades:UnsignedProperties>" + properties + b"</xades:UnsignedProperties></xades:QualifyingProperties>")),
            "fail", "wrapped-part"),
        "properties-twice": (with_signature(good.replace(b"</xades:QualifyingProperties>", properties + b"</xades:QualifyingProperties>")),
                             "fail", "duplicate-id"),
        "of-another-signature": (with_signature(good.replace(b'Target="#signature"', b'Target="#other"')), "fail", "signature-malformed"),
        "two": (with_signature(good.replace(twice, twice + twice.replace(b'"', b'"', 1))), "fail", "duplicate-id"),
        "none": (with_signature(good.replace(twice, b"")), "fail", "no-signature"),
        "bare": (with_signature(good[good.index(b"<ds:Signature "):].replace(b"</asic:XAdESSignatures>", b"")), "error", "xml-malformed"),
        "other-root": (with_signature(good.replace(b"asic:XAdESSignatures", b"asic:Signatures")), "fail", "signature-malformed"),
        "comment": (with_signature(good.replace(b"<ds:KeyInfo>", b"<!-- --><ds:KeyInfo>")), "fail", "signature-malformed"),
        "entity": (with_signature(good.replace(b"<asic:XAdES", b'<!DOCTYPE a [<!ENTITY b "c">]><asic:XAdES', 1)), "fail", "dtd-forbidden"),
        "transform": (with_signature(xroad.signature(pair, files, transforms='<ds:Transforms><ds:Transform Algorithm="'
                                                     'http://www.w3.org/2000/09/xmldsig#base64"></ds:Transform></ds:Transforms>')), "fail", "transform-forbidden"),
        "weak-digest": (with_signature(xroad.signature(pair, files, word="sha1")), "fail", "algorithm-forbidden"),
        "nothing-of-the-message": (with_signature(xroad.signature(pair, [])), "fail", "part-not-signed"),
        "behind-the-properties": (with_signature(good.replace(b"</ds:Object>", b"<ds:SignatureProperties/></ds:Object>")), "fail", "signature-malformed")}
    for uri, reason in forbidden.items():
        rows[f"to-{uri.strip('/#')}"] = (with_signature(xroad.signature(pair, files, more=xroad.reference(uri, b"x"))), "fail", reason)
    table(rows)


def test_zip_files_that_are_read_in_two_ways():
    pair, whole = HOUSE.pair, xroad.message()
    signed = xroad.signature(pair, [("message.xml", whole)])
    usual = [("mimetype", xroad.MIMETYPE), ("message.xml", whole), ("META-INF/signatures.xml", signed)]
    good = xroad.zipped(usual)
    bad = ("error", "container-malformed")
    link = zipfile.ZipInfo("attachment1")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as made:
            for name, octets in usual:
                made.writestr(name, octets)
            made.writestr(link, "/etc/passwd")
        linked = out.getvalue()
    deep = xroad.zipped([*usual, ("META-INF/manifest.xml", b"<m/>"), ("META-INF/other.bin", b"\0")])
    rows = {"benign": (good, *PASS), "benign-more-meta": (deep, *PASS)}
    for name, more in {"message-twice": ("message.xml", CHANGED), "signatures-twice": ("META-INF/signatures.xml", signed),
                       "two-signatures": ("META-INF/signatures2.xml", signed), "two-messages": ("q-message.xml", CHANGED),
                       "up": ("../message.xml", CHANGED), "up-inside": ("a/../message.xml", CHANGED), "dot": ("./message.xml", CHANGED),
                       "root": ("/message.xml", CHANGED), "control": ("a\nb", CHANGED)}.items():
        rows[name] = (xroad.zipped([*usual, more]), *bad)
    rows |= {"message-twice-before": (xroad.zipped([usual[0], ("message.xml", CHANGED), *usual[1:]]), *bad),
             "no-type": (xroad.zipped(usual[1:]), *bad), "link": (linked, *bad),
             "other-type": (xroad.zipped([("mimetype", b"application/vnd.oasis.opendocument.text"), *usual[1:]]), "error", "unsupported-format"),
             "no-signature": (xroad.zipped(usual[:2]), "fail", "no-signature"),
             "cut": (good[:-30], "error", "io-error"),
             "bomb": (xroad.zipped([*usual, ("attachment1", bytes(8 << 20))]), "error", "limit-ratio"),
             "large": (xroad.zipped([*usual, ("attachment1", os.urandom(5 << 20).hex())]), "error", "limit-member"),
             "many": (xroad.zipped([*usual, *((f"attachment{i}", b"") for i in range(1100))]), "error", "limit-members")}
    table(rows, "--max-member", "9M")
    table({"many": (good, "error", "limit-members")}, "--max-members", "2")



# ---- archives of a message log ------------------------------------------------------------------------------------------

def log_of(count, word="SHA-512"):
    """Archives of a log with two containers each. @return [(name, octets)]"""
    log, made = xroad.Log(word), []
    for n in range(count):
        inside = [(f"{n}{i}-request-Ab{i}.asice", xroad.simple(HOUSE.curve, xroad.message(f"<p>{n}{i}</p>"))) for i in range(2)]
        made.append((f"mlog-2026080{n}100858-2026080{n}100905-{log.step[:16] or 'first'}.zip", None))
        made[-1] = (made[-1][0], log.archive(made[-1][0], inside))
    return made


def chain_of(files, expected, *words):
    """Follow the chain of these archives, by both commands; each of words is told of."""
    found, done = HOUSE.verify(dict(files), "--chain", "xroad", expected=expected)
    alone = product.countersign("archive", "chain", "--of", "xroad", os.path.join(HOUSE.directory, f"in-{HOUSE.runs}"), check=False)
    report.equal(alone.returncode, expected if expected in (0, 5) else alone.returncode, f"archive chain: {alone.stderr}")
    for word in words:
        report.check(word in done.stderr and word in alone.stderr, f"{word}: {done.stderr} {alone.stderr}")
    return found, done


def test_a_log_is_followed_from_archive_to_archive():
    for word in ("SHA-256", "SHA-384", "SHA-512"):
        found, done = chain_of(log_of(3, word), 0)
        report.equal((len(found), {r["verdict"] for r in found.values()}), (6, {"pass"}), "containers, and no linking information")
        report.check("chain complete: 3 files in 1 streams, 6 messages; 0 gaps\n" in done.stdout, done.stdout)
    report.check(all("!" in loc and loc.endswith(".asice#0") for loc in found), f"{found.keys()}")
    first, second, third = log_of(3)
    chain_of([first, second, third, ("copy.zip", third[1])], 0)
    other, _ = HOUSE.verify({second[0]: second[1]}, "--received-from", "name:mlog-([0-9]{14})")
    report.equal({r["t"] for r in other.values()}, {"2026-08-01T10:08:58Z"}, "time of receipt from the archive's name")


def test_a_cut_or_edited_log_has_a_gap():
    first, second, third = log_of(3)
    inside = "10-request-Ab0.asice"
    linking = xroad.member(second[1], "linkinginfo")
    lines = linking.splitlines(keepends=True)
    stranger = xroad.Log()
    stranger.step, stranger.name = "ab" * 64, "mlog-0.zip"

    def edited(octets):
        return [first, (second[0], octets), third]

    chain_of([second, third], 5, "goes on from", first[0])
    chain_of([first, third], 5, "goes on from", second[0])
    chain_of([first, second], 0)
    chain_of(edited(xroad.without(second[1], inside)), 5, f"{inside} is missing")
    chain_of(edited(xroad.with_member(second[1], inside, xroad.simple(HOUSE.curve, CHANGED))), 5, f"{inside} was changed")
    chain_of(edited(xroad.with_member(second[1], "extra.asice", xroad.simple(HOUSE.curve, CHANGED))), 5, "nothing links extra.asice")
    chain_of(edited(xroad.with_member(second[1], "linkinginfo", b"".join([lines[0], lines[2]]))), 5, "nothing links", "was changed")
    chain_of(edited(xroad.with_member(second[1], "linkinginfo", b"".join([*lines, lines[2]]))), 5, "twice")
    chain_of(edited(xroad.with_member(second[1], "linkinginfo", linking.replace(b" 10-", b"  10-"))), 5, "is missing")
    chain_of(edited(xroad.with_member(second[1], "linkinginfo", lines[0] + b"x\n")), 5, "a line of its linking information")
    chain_of([*edited(second[1]), ("alone.zip", stranger.archive("alone.zip", []))], 5, "mlog-0.zip, which is missing")
    other = xroad.Log()
    other.archive(first[0], [(n, xroad.member(first[1], n)) for n in ("00-request-Ab0.asice", "01-request-Ab1.asice")])
    chain_of([first, second, ("fork.zip", other.archive("fork.zip", [("a.asice", xroad.simple(HOUSE.curve))]))], 5, "both go on from")
    found, _ = HOUSE.verify({"a.zip": xroad.with_member(first[1], "linkinginfo", b"no such text\n")})
    report.equal(sorted(r["reason"] for r in found.values()), ["ok", "ok", "unsupported-format"], "only linking information is passed over")


def test_judges_of_their_own_and_a_run_that_goes_on_say_the_same():
    pair = HOUSE.pair
    files = dict(log_of(2))
    files["b.asice"] = xroad.batch(pair, attachments=[b"one"])
    files["c.asice"] = xroad.without(files["b.asice"], "attachment1")
    files["d.asice"] = xroad.zipped([("mimetype", xroad.MIMETYPE), ("../message.xml", b"")])
    plain, _ = HOUSE.verify(files)
    alone, _ = HOUSE.run(f"in-{HOUSE.runs}", "--isolate", "--jobs", "2")
    keep = ("loc", "verdict", "reason", "detail", "covers", "notes", "signature", "payload_sha256", "sub_indication", "facts")
    report.equal([[r[k] for k in keep] for r in alone.values()], [[r[k] for k in keep] for r in plain.values()], "records")
    report.equal(len(plain), 7, "items")


# ---- time-stamp tokens ---------------------------------------------------------------------------------------------------

def test_a_container_s_own_token_proves_its_age():
    house = House()
    now = datetime.datetime.now(stored.UTC).replace(microsecond=0)
    stamper, other = Stamper(house.directory, "stamper"), Stamper(house.directory, "other")
    house.keystore.run("add", "--role", "trust-anchor", "--alias", "stamps", stamper.root.certificate_file, "--activate")
    pair = keys.new_pair(house.directory, "stolen", days=(-400, 400))
    since, theft = (stored.text_of(now - datetime.timedelta(days=d)) for d in (390, 30))
    house.keystore.run("add", "--role", "verifier", "--partner", "stolen", "--alias", "stolen", pair.certificate_file, "--since", since, "--activate")
    house.keystore.run("compromise", "stolen#1", "--since", theft, "--reason", "left in a train")
    old, young = now - datetime.timedelta(days=60), now - datetime.timedelta(days=10)
    content = xroad.message()

    def batch_stamped(moment, by=stamper, chain_over=None):
        signed = xroad.signature(pair, [("message.xml", content)])
        chain = xroad.Chain([[("hash", b"h" * 64), ("step", 1)], [("data", "META-INF/signatures.xml", chain_over or signed)]], name="ts-hashchain.xml")
        result = chain.result()
        return xroad.container([("message.xml", content), ("ts-hashchainresult.xml", result), ("ts-hashchain.xml", chain.file()),
                                ("META-INF/timestamp.tst", by.token(result, moment, bare=True))], signed)

    def stamped(moment, by=stamper, token=None):
        return xroad.simple(pair, content, token=lambda octets: (token or (lambda o: o))(by.token(octets, moment, digest="sha512", bare=True)))

    unproven = ("indeterminate", "certificate-compromised", "claimed")
    rows = {
        "old": (stamped(old), ("pass", "ok", "poe"), None),
        "old-batch": (batch_stamped(old), ("pass", "ok", "poe"), None),
        "young": (stamped(young), ("fail", "certificate-compromised", "poe"), None),
        "young-batch": (batch_stamped(young), ("fail", "certificate-compromised", "poe"), None),
        "none": (xroad.simple(pair, content, moment=old), unproven, None),
        "stranger": (stamped(old, other), ("indeterminate", "certificate-compromised", "claimed"), "timestamp-untrusted"),
        "cut": (stamped(old, token=lambda o: o[:-9]), ("indeterminate", "certificate-compromised", "claimed"), "timestamp-malformed"),
        "of-another": (stamped(old, token=lambda o: stamper.token(b"else", old, bare=True)), ("indeterminate", "certificate-compromised", "claimed"),
                       "timestamp-of-other-octets"),
        "batch-of-another": (batch_stamped(old, chain_over=b"else"), ("indeterminate", "certificate-compromised", "claimed"), None)}
    found, _ = house.verify({f"{n}.asice": r[0] for n, r in rows.items()}, "--timestamp-anchors", "stamps", "--trust-claimed")
    for name, (_, expected, note) in rows.items():
        record = found[f"{name}.asice"]
        told = (record["verdict"], record["reason"], record["time_source"])
        if expected[2] == "claimed":
            report.equal((told[2], told[0] == "pass"), ("claimed", False), f"{name}: {record}")
        else:
            report.equal(told, expected, f"{name}: {record['notes']} {record['detail']}")
        report.equal([n for n in record["notes"] if n.startswith("timestamp")], [note] if note else [], name)


# ---- other people's containers --------------------------------------------------------------------------------------------

# What the manifest says is about more than the signature, or the files of the collection are not all there.
OTHERWISE = {"xroad-asic-attachments": ("indeterminate", "attachment-missing"),
             "xroad-asic-valid-signed-hashchain": ("indeterminate", "attachment-missing"),
             "xroad-asic-valid-batch-ts": ("fail", "digest-mismatch")}
INVALID = {"xroad-asic-invalid-hashchain-modified-message": "digest-mismatch", "xroad-asic-invalid-incorrect-references": "reference-unresolved",
           "xroad-asic-wrong-message": "digest-mismatch"}


def test_containers_of_x_road_itself():
    manifest = os.path.join(VECTORS, "manifest.tsv")
    if not os.path.exists(manifest):
        raise report.Skip(f"no vectors in {VECTORS}")
    with open(manifest, encoding="utf-8", newline="") as text:
        rows = [r for r in csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if r["source"] == "xroad"]
    report.check(len(rows) >= 8, f"{len(rows)} rows")
    house = House()
    files, files_of = {}, {}
    for row in rows:
        folder = os.path.join(VECTORS, "xroad", row["id"] + ".d")
        inside = [(os.path.relpath(os.path.join(place, name), folder), os.path.join(place, name))
                  for place, _, names in os.walk(folder) for name in names]
        with open(os.path.join(VECTORS, row["file"]), "rb") as signed:
            contents = [("mimetype", xroad.MIMETYPE), ("META-INF/signatures.xml", signed.read())]
        for name, path in sorted(inside):
            with open(path, "rb") as octets:
                contents.append((name, octets.read()))
        files[row["id"] + ".asice"] = xroad.zipped(contents)
        file = os.path.join(VECTORS, row["cert_files"].split(",")[0])
        with open(file, "rb") as pem:
            files_of[pem.read()] = (file, row["leaf_not_after"])
    for number, (file, end) in enumerate(sorted(files_of.values())):
        until = ["--until", end + "T00:00:00Z"] if end < stored.text_of(datetime.datetime.now(stored.UTC)) else ["--activate"]
        house.keystore.run("add", "--role", "verifier", "--partner", f"member-{number}", "--alias", f"member-{number}", "--since", "not-before",
                           *until, file)
    early, _ = house.verify(files, "--as-of", "2013-01-01T00:00:00Z")
    late, _ = house.verify(files, "--as-of", "2025-01-01T00:00:00Z")
    for row in rows:
        name = row["id"]
        record = (late if row["verification_time_utc"] == "now" else early)[name + ".asice"]
        if name == "xroad-sign-0-ocsp-no-responses":
            record = house.run(f"in-{house.runs - 1}/{name}.asice", "--as-of", "2014-10-03T13:25:34Z")[0][f"{name}.asice"]
        expected = OTHERWISE.get(name) or (PASS if row["expected"] == "valid" else ("fail", INVALID[name]))
        report.equal((record["verdict"], record["reason"]), expected, f"{name}: {record['detail']}")


if __name__ == "__main__":
    report.run("cli/archive_xroad", report.tests_of(sys.modules[__name__]))
