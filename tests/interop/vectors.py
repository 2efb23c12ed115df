#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: engines
# tests/run: limit 300
# tests/run: table
"""Signed SOAP messages of other products, collected in a folder beside the checkout (COUNTERSIGN_VECTORS).

Each row of its manifest.tsv that is a signature over a SOAP message is judged by `countersign verify` as of its own time, with
the signer's certificate in a keystore and a policy that opens what the row's columns name (SHA-1, RSA-1024, inclusive C14N …),
and must give the expected verdict. What was opened is then closed, one at a time: the message must be refused with the reason
for it. A valid message whose Body is changed must fail. Encrypted rows are opened with the private key that the manifest names,
under the exceptions that their algorithms need: those that are signed too must pass behind it, the others must come out of
`countersign decrypt` with nothing sealed left. Encrypted XML that is no SOAP message is put into a Body."""
import csv
import datetime
import json
import os
import re
from xml.etree import ElementTree
from xml.parsers import expat

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
from lxml import etree

from keys import new_pair
from product import countersign, new_directory
from report import Skip, check, equal, run
from soap import DS, SOAP11, WSSE

VECTORS = os.environ.get("COUNTERSIGN_VECTORS", os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared", "vectors"))
XENC = "http://www.w3.org/2001/04/xmlenc#"
INCLUSIVE = {"c14n10": "inclusive", "c14n11": "inclusive-1.1"}
EXPECTED = {"valid": ("pass", "ok"), "valid-after-decrypt": ("pass", "ok"), "invalid": ("fail", None), "decrypts": ("fail", "no-signature"),
            "outside-profile": ("fail", "algorithm-forbidden"),
            "valid-if-attachment-key": ("fail", "no-decryption-key")}  # nobody has published it
# Rows whose outcome is another one here, and why.
OTHERWISE = {"cxf-encrypted_body_element": ("fail", "soap-shape", "Body itself is encrypted, which WSS forbids: no SOAP envelope is left"),
             "phase4-dump-raw": ("fail", "attachment-missing", "the SOAP part without its attachment"),
             "cxf-encrypted_body_content_signed_with_encrypted_header": ("fail", "duplicate-id", "two EncryptedHeader carry the wsu:Id _9")}
TABLE = []


def rows():
    manifest = os.path.join(VECTORS, "manifest.tsv")
    if not os.path.exists(manifest):
        return None
    with open(manifest, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))


def instant(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def place_of_body(message):
    """Offset behind the name of the Body's start tag."""
    found = []
    depth = 0
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name, _attributes):
        nonlocal depth
        depth += 1
        if depth == 2 and name.endswith(" Body"):
            found.append(parser.CurrentByteIndex)

    def end(_name):
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.Parse(message, True)
    return found[0] + re.match(rb"<[^\s/>]+", message[found[0]:]).end()


def out_of_reach(row):
    """Why this row is not judged here; None: it is."""
    if row["soap"] not in ("1.1", "1.2"):
        return None if enveloped(row) else "no SOAP message"
    if row["expected"] not in EXPECTED:
        return f"expected {row['expected']}"
    return None


class Case:
    """One row with its keystore and the openings that its columns ask for."""

    def __init__(self, row):
        self.row = row
        self.directory = new_directory()
        self.file = os.path.join(VECTORS, row["file"])
        self.as_received = [os.path.join(VECTORS, name) for name in row["extra_files"].split(",") if name.endswith(".raw.mime")]
        self.certificates = [os.path.join(VECTORS, name) for name in row["cert_files"].split(",") if name]
        self.own = os.path.join(VECTORS, row["private_key"]) if row["enc_algs"] and row["private_key"] else None
        self.leaf = None
        if self.own and row["expected"] == "decrypts":
            self.leaf = self.read(self.own_certificate())
        elif self.certificates:
            self.leaf = self.read(self.certificates[0])
        self.at = self.instant()
        self.now = self.at + datetime.timedelta(hours=2)
        self.openings = self.find_openings()

    @staticmethod
    def read(file):
        with open(file, "rb") as pem:
            return x509.load_pem_x509_certificate(pem.read())

    def own_certificate(self):
        return self.own.replace(".key.pem", ".crt.pem")

    def instant(self):
        """The verification time of the manifest; "now" means within the certificate's validity."""
        text = self.row["verification_time_utc"]
        if re.match(r"\d{4}-", text):
            return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
        present = datetime.datetime.utcnow().replace(microsecond=0)
        if self.leaf is None:
            return present
        return min(present, self.leaf.not_valid_after - datetime.timedelta(hours=3))

    def find_openings(self):
        """What the policy must open: pairs of a directive and the reason that is expected when it is left out."""
        row = self.row
        until = (self.at + datetime.timedelta(days=1)).strftime("%Y-%m-%d")
        found = []
        if "sha1" in row["sig"].split("-") or row["digest"] == "sha1":
            found.append((f"legacy sha1 until {until};", "algorithm-forbidden"))
        key = self.leaf.public_key() if self.leaf else None
        if row["sig"] and isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
            found.append((f"legacy rsa-1024 until {until};", "key-too-short"))
        modes = [INCLUSIVE[m] for m in INCLUSIVE if m in row["c14n"] or m in row["transforms"]]
        if not row["transforms"] and row["sig"]:
            modes = ["inclusive"]  # a reference without transforms is inclusive C14N by definition
        if modes:
            found.append((f"canonicalization exclusive {' '.join(modes)};", "canonicalization-forbidden"))
        found += self.exceptions_of_ciphers(until)
        if row["keyref"].split("-")[0] in ("KeyValue", "KeyName", "none"):
            found.append(("allow missing-key-info;", None))
        if row["expected"] == "valid" and self.has_comment_in_body() or row["expected"] == "valid-after-decrypt" and "XML comment" in row["note"]:
            found.append(("comments allow;", "comment-in-signed-part"))
        return found

    def exceptions_of_ciphers(self, until):
        """Dated exceptions for what the message is encrypted with, which is no cipher with a tag as a rule."""
        algorithms = self.row["enc_algs"].split(",")
        words = {"tripledes" if a.startswith("tripledes") else "cbc" for a in algorithms if a.endswith("-cbc")}
        if words and self.row["expected"] != "valid":  # that one is signed over the ciphertext
            words.add("cbc-before-verify")
        if "rsa-1_5" in algorithms:
            words.add("rsa-1_5")
        return [(f"legacy {word} until {until};", "algorithm-forbidden") for word in sorted(words)]

    def has_comment_in_body(self):
        return any(child.tag is ElementTree.Comment
                   for body in ElementTree.parse(self.file, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))).iter()
                   if isinstance(body.tag, str) and body.tag.endswith("}Body") for child in body.iter())

    def add_certificates(self):
        """The signer first; where the message names no certificate, all that the manifest lists."""
        if self.own:
            begin = instant(self.read(self.own_certificate()).not_valid_before + datetime.timedelta(minutes=1))
            countersign("--now", begin, "--keystore", f"sqlite:{self.directory}/ks.db", "keystore", "add", "--role", "decrypt", "--alias",
                        "own", self.own_certificate(), "--private-key", self.own, "--activate")
        if not self.row["sig"]:
            return
        wanted = self.certificates if self.row["keyref"].startswith("KeyValue") else self.certificates[:1]
        for number, pem in enumerate(wanted):
            until = instant(self.at + datetime.timedelta(hours=1))
            self.command("keystore", "add", "--role", "verifier", "--partner", "peer", "--alias", f"peer-{number}", pem,
                         "--since", "not-before", "--until", until, check=number == 0)

    def command(self, *args, **keywords):
        return countersign("--now", instant(self.now), "--keystore", f"sqlite:{self.directory}/ks.db", *args, **keywords)

    def write_policy(self, openings):
        """@return the configuration file"""
        parts = ["Body"] + (["Timestamp?"] if "Timestamp" in self.row["signed_parts"] else [])
        conf = os.path.join(self.directory, "countersign.conf")
        with open(conf, "w", encoding="utf-8") as text:
            text.write(f"policy row {{ require-signed {' '.join(parts)}; {' '.join(o[0] for o in openings)} }}\n")
        return conf

    def judge(self, file, openings):
        conf = self.write_policy(openings)
        done = self.command("-c", conf, "verify", "--json", "--explain", "--partner", "peer", "--policy", "row", "--as-of", instant(self.at), file,
                            check=False)
        check(done.stdout, f"no record: {done.stderr.strip()}")
        record = json.loads(done.stdout)
        equal(done.returncode, {"pass": 0, "fail": 1}.get(record["verdict"]), "exit code")
        return record

    def expect(self):
        record = self.judge(self.file, self.openings)
        verdict, reason, why = OTHERWISE.get(self.row["id"], (*EXPECTED[self.row["expected"]], ""))
        if self.row["sig"].startswith("hmac") and self.row["keyref"].endswith("EncryptedKey") and not why:
            reason = "hmac-encrypted-key"
        TABLE.append((self.row["id"], self.row["expected"], record["verdict"], f"{record['reason']}{f' ({why})' if why else ''}", engine_of(record), record["decrypted_with"]))
        equal(record["verdict"], verdict, f"verdict ({record['reason']}: {record['detail']})")
        if reason:
            equal(record["reason"], reason, f"reason ({record['detail']})")
        equal(record["decrypted_with"], "own#1" if self.opens() or self.row["expected"] == "valid" and self.own else None, "decrypted with")

    def expect_as_received(self):
        """With the header that it came with, and with its attachments: the same."""
        for file in self.as_received:
            record = self.judge(file, self.openings)
            equal((record["verdict"], record["reason"]), EXPECTED[self.row["expected"]], f"verdict as received ({record['detail']})")

    def opens(self):
        return self.row["expected"] in ("decrypts", "valid-after-decrypt") and self.row["id"] not in OTHERWISE

    def expect_opened(self):
        """Nothing of what our header listed is sealed any more, and what stands instead is XML."""
        done = self.command("-c", self.write_policy(self.openings), "decrypt", "--policy", "row", self.file)
        tree = ElementTree.fromstring(done.stdout.encode())
        equal([e.tag for e in tree.iter() if e.tag.split("}")[0] == "{http://www.w3.org/2001/04/xmlenc#"], [], "encrypted elements left")
        check(len(tree.find(f"{tree.tag.split('}')[0]}}}Body")) > 0, "nothing in Body")

    def expect_closed(self):
        """Each opening is needed: without it the reason names it."""
        for opening in self.openings:
            if opening[1] is not None:
                record = self.judge(self.file, [o for o in self.openings if o is not opening])
                equal(record["reason"], opening[1], f"reason without {opening[0]}")

    def expect_tampered(self):
        with open(self.file, "rb") as octets:
            message = octets.read()
        at = place_of_body(message)
        twin = os.path.join(self.directory, "twin.xml")
        with open(twin, "wb") as out:
            out.write(message[:at] + b" changed='1'" + message[at:])
        equal(self.judge(twin, self.openings)["reason"], "digest-mismatch", "reason of the changed twin")


def enveloped(row):
    """Whether a row is encrypted XML without SOAP, to an RSA key: its EncryptedData can stand in a Body as well."""
    return row["soap"] not in ("1.1", "1.2") and row["expected"] == "decrypts" and "rsa" in row["enc_algs"]


class Enveloped(Case):
    """The document of such a row in a Body, with a header that lists its EncryptedData."""

    def __init__(self, row):
        document = etree.parse(os.path.join(VECTORS, row["file"]), etree.XMLParser(no_network=True, load_dtd=False)).getroot()
        data = next(document.iter(f"{{{XENC}}}EncryptedData"))
        data.set("Id", "ed")
        if row["file"].count("encrypt-data"):
            data.set("Type", XENC + "Content")  # text to its sender, content of Body here
        for name in (f".//{{{DS}}}RetrievalMethod", f".//{{{XENC}}}EncryptedKey/{{{DS}}}KeyInfo"):
            for element in data.findall(name):  # the key stands beside the one, and has another certificate here than the other
                element.getparent().remove(element)
        directory = new_directory()
        self.pair = self.pair_of(row, directory)
        message = os.path.join(directory, "message.xml")
        with open(message, "w", encoding="utf-8") as out:
            out.write(f'<s:Envelope xmlns:s="{SOAP11}"><s:Header><w:Security xmlns:w="{WSSE}"><x:ReferenceList xmlns:x="{XENC}"><x:DataReference URI="#ed"/>'
                      f'</x:ReferenceList></w:Security></s:Header><s:Body>{etree.tostring(document, encoding="unicode", with_tail=False)}</s:Body></s:Envelope>')
        super().__init__(dict(row, file=message, private_key=self.pair.key_file))

    @staticmethod
    def pair_of(row, directory):
        """The private key of the collection; what its certificate may be used for is another matter, so it gets one here."""
        der = next(name for name in row["extra_files"].split(",") if name.endswith(".der"))
        with open(os.path.join(VECTORS, der), "rb") as key:
            return new_pair(directory, "own", key=load_der_private_key(key.read(), None))

    def own_certificate(self):
        return self.pair.certificate_file

    def expect_opened(self):
        """As the collection says that it reads."""
        done = self.command("-c", self.write_policy(self.openings), "decrypt", "--policy", "row", self.file)
        body = etree.fromstring(done.stdout.encode()).find(f"{{{SOAP11}}}Body")
        with open(os.path.join(VECTORS, next(f for f in self.row["extra_files"].split(",") if f.endswith(".data"))), "rb") as text:
            plaintext = text.read()
        if len(body) == 0:
            equal(body.text.strip(), plaintext.decode().strip(), "plaintext")
        else:
            equal(canonical(body[0]), canonical(etree.fromstring(plaintext)), "plaintext")


def canonical(element):
    return etree.tostring(element, method="c14n", exclusive=True)


def engine_of(record):
    return next((step["text"] for step in record["explain"] if step["step"] == "engine"), "")


def judge_row(row):
    why = out_of_reach(row)
    if why:
        TABLE.append((row["id"], row["expected"], "skipped", why, "", None))
        raise Skip(why)
    case = Enveloped(row) if enveloped(row) else Case(row)
    case.command("keystore", "init")
    case.add_certificates()
    case.expect()
    case.expect_as_received()
    if case.opens():
        case.expect_opened()
        if row["expected"] == "decrypts":
            case.expect_closed()
    if row["expected"] in ("valid", "valid-after-decrypt"):
        case.expect_closed()
        case.expect_tampered()


def nearly_all_signed_rows_are_judged_in_one_pass():
    """What is encrypted needs a tree; of the others at most one in twenty is left to it."""
    if os.environ.get("COUNTERSIGN_ENGINE") == "dom":
        raise Skip("libxmlsec judges every message of this run")
    signed = [row for row in TABLE if row[1] in ("valid", "invalid") and row[2] != "skipped" and row[5] is None]
    left = [(row[0], row[4]) for row in signed if row[4] != "in one pass"]
    check(len(left) <= 0.05 * len(signed), f"of {len(signed)} rows are left to libxmlsec: {left}")


def print_table():
    for row in TABLE:
        print(f"# {row[0]:60} {row[1]:19} {row[2]:8} {row[3]:40} {row[4]}")


def main():
    listed = rows()
    if listed is None:
        print(f"skip vectors: no folder {VECTORS}")
        return
    tests = [(row["id"], lambda row=row: judge_row(row)) for row in listed]
    run("vectors", tests + [("nearly all signed rows are judged in one pass", nearly_all_signed_rows_are_judged_in_one_pass), ("table of verdicts", print_table)])


if __name__ == "__main__":
    main()
