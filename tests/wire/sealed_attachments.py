#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Encrypted attachments by a second hand: pyca/cryptography, lxml and Python's reader of MIME, in both directions and both
orders with signatures, as content and complete with headers; each beside twins that are changed in one place."""
import base64
import json
import os
import re
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

import keys
import mime
import product
import report
import soap

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SMS11 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
SECURITY = 'soap:mustUnderstand="1">'
PARTS = (("picture@house", "image/png", b"\x89PNG\r\n\x1a\n\x00octets"), ("notes&more@house", "text/plain; charset=utf-8", b"line\r\nother \xc3\xa4"))
OAEP = {"sha1": ("rsa-oaep-mgf1p", soap.DS + "sha1", hashes.SHA1()), "sha256": ("rsa-oaep", XENC + "sha256", hashes.SHA256())}


class Home:
    """Whom messages are sealed for, and who signs."""

    def __init__(self):
        place = product.new_directory()
        self.keystore = product.Keystore(place)
        self.own, self.sender = keys.new_pair(place, "own"), keys.new_pair(place, "sender")
        self.keystore.add_verifier(self.sender, "sender")
        add = lambda *args: self.keystore.run("add", *args, "--activate")
        add("--role", "decrypt", "--alias", "own-dec", self.own.certificate_file, "--private-key", self.own.key_file)
        add("--role", "encrypt-to", "--partner", "we", "--alias", "we-enc", self.own.certificate_file)
        self.file, self.out = os.path.join(place, "package"), os.path.join(place, "out")

    def command(self, name, octets, *options):
        """@return (what it said, octets that came out or None)"""
        with open(self.file, "wb") as package:
            package.write(octets)
        more = () if name == "verify" else ("-o", self.out)
        done = product.countersign("--keystore", self.keystore.uri, name, *options, *(() if "--content-type" in options else ("--content-type", mime.TYPE)), self.file, *more, check=False)
        if done.returncode != 0 or name == "verify":
            return done.stdout + done.stderr, None
        with open(self.out, "rb") as made:
            return done.stdout, made.read()

    def verdict(self, octets):
        record = json.loads(self.command("verify", octets, "--partner", "sender", "--json")[0])
        return record["reason"], record["decrypted_with"]


# ---- the second hand: seals and opens


def header_of(identifier, content_type):
    return f"Content-Type: {content_type}\r\nContent-Disposition: attachment; filename=a\r\nContent-ID: <{identifier}>\r\n"


def uri_of(identifier):
    return "cid:" + identifier.replace("&", "%26")


class Seal:
    """A content key for the attachments of one message."""

    def __init__(self, pair, parts=PARTS, complete=False, octets=32, oaep="sha256"):
        secret = os.urandom(octets)
        word, digest_uri, digest = OAEP[oaep]
        space = XENC11 if oaep == "sha256" else XENC
        mask = f'<m:MGF xmlns:m="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>' if oaep == "sha256" else ""
        wrapped = pair.certificate.public_key().encrypt(secret, padding.OAEP(padding.MGF1(digest), digest, None))
        self.kind = "Complete" if complete else "Content-Only"
        self.cipher = f"{XENC11}aes{8 * octets}-gcm"
        self.sealed = []
        for identifier, content_type, content in parts:
            iv = os.urandom(12)
            plain = header_of(identifier, content_type).encode() + b"\r\n" + content if complete else content
            self.sealed.append((identifier, content_type, iv + AESGCM(secret).encrypt(iv, plain, None)))
        names = "".join(f'<x:DataReference URI="#ed{i}"/>' for i in range(len(parts)))
        self.header = (f'<x:EncryptedKey xmlns:x="{XENC}" Id="ek"><x:EncryptionMethod Algorithm="{space}{word}"><d:DigestMethod xmlns:d="{soap.DS}" '
                       f'Algorithm="{digest_uri}"/>{mask}</x:EncryptionMethod><x:CipherData><x:CipherValue>{base64.b64encode(wrapped).decode()}'
                       f'</x:CipherValue></x:CipherData><x:ReferenceList>{names}</x:ReferenceList></x:EncryptedKey>'
                       + "".join(self.data(i, *one) for i, one in enumerate(self.sealed)))

    def data(self, number, identifier, content_type, _octets):
        media = content_type.replace('"', "&quot;")
        return (f'<x:EncryptedData xmlns:x="{XENC}" Id="ed{number}" Type="{soap.SWA}#Attachment-{self.kind}" MimeType="{media}">'
                f'<x:EncryptionMethod Algorithm="{self.cipher}"/><d:KeyInfo xmlns:d="{soap.DS}"><w:SecurityTokenReference xmlns:w="{soap.WSSE}">'
                f'<w:Reference URI="#ek" ValueType="{SMS11}#EncryptedKey"/></w:SecurityTokenReference></d:KeyInfo><x:CipherData>'
                f'<x:CipherReference URI="{uri_of(identifier)}"><x:Transforms><d:Transform xmlns:d="{soap.DS}" '
                f'Algorithm="{soap.SWA}#Attachment-Ciphertext-Transform"/></x:Transforms></x:CipherReference></x:CipherData></x:EncryptedData>')

    def package(self, envelope, order=(0, 1)):
        """The envelope with the sealed attachments; order: whose octets stand under each name."""
        return mime.package(envelope, *(mime.part(one[0], self.sealed[order[i]][2]) for i, one in enumerate(self.sealed)))


def opened(package, key):
    """What the second hand finds in a package of ours: {id: octets}"""
    parts = mime.read(package, mime.TYPE)
    root = etree.fromstring(parts[0][1])
    spaces = {"x": XENC, "d": soap.DS}
    transport = root.find(".//x:EncryptedKey/x:EncryptionMethod", spaces)
    digest = next(d for word, uri, d in OAEP.values() if uri == transport.find("d:DigestMethod", spaces).get("Algorithm"))
    secret = key.decrypt(base64.b64decode(root.findtext(".//x:EncryptedKey/x:CipherData/x:CipherValue", namespaces=spaces)),
                         padding.OAEP(padding.MGF1(digest), digest, None))
    found = {}
    for data in root.xpath("//x:EncryptedData[x:CipherData/x:CipherReference]", namespaces=spaces):
        uri = data.find("x:CipherData/x:CipherReference", spaces).get("URI")
        identifier, octets = next(p for p in parts if uri_of(p[0]) == uri)
        found[identifier] = AESGCM(secret).decrypt(octets[:12], octets[12:], None)
    return found


def signed_then_sealed(home, seal, order=(0, 1)):
    text = soap.sign(home.sender, body=soap.ORDER, attachments=[(uri_of(i), octets) for i, _, octets in PARTS])
    report.equal(text.count(SECURITY), 1, "places for the key")
    return seal.package(text.replace(SECURITY, SECURITY + seal.header), order)


def changed(package, find, octet=0):
    at = package.index(find) + octet
    return package[:at] + bytes([package[at] ^ 1]) + package[at + 1:]


# ---- tests


def test_what_another_hand_seals_is_opened(home):
    for complete in (False, True):
        for octets, oaep in ((16, "sha1"), (24, "sha256"), (32, "sha256")):
            seal = Seal(home.own, complete=complete, octets=octets, oaep=oaep)
            security = f'<w:Security xmlns:w="{soap.WSSE}">{seal.header}</w:Security>'
            said, made = home.command("decrypt", seal.package(soap.envelope(header=security)))
            report.check(made is not None, said)
            report.equal(mime.read(made, mime.TYPE)[1:], [(i, c) for i, _, c in PARTS], f"attachments (complete {complete}, {oaep})")
            for identifier, content_type, _ in PARTS:
                report.check(content_type.encode() in made, f"{identifier} has lost its type")
            report.equal(b"filename=a" in made, complete, "headers that were sealed")


def test_what_we_seal_another_hand_opens(home):
    package = mime.package(soap.envelope(), *(mime.part(i, octets, content_type) for i, content_type, octets in PARTS))
    for options in ((), ("--complete",), ("--key-transport", "rsa-oaep-mgf1p", "--data-algorithm", "aes128-gcm")):
        said, made = home.command("encrypt", package, "--partner", "we", *options)
        report.check(made is not None and b"\x89PNG" not in made, f"{options}: {said}")
        found = opened(made, home.own.key)
        for identifier, content_type, octets in PARTS:
            header, _, content = found[identifier].partition(b"\r\n\r\n") if options == ("--complete",) else (b"", b"", found[identifier])
            report.equal(content, octets, f"content of {identifier} {options}")
            report.equal(content_type.encode() in header, options == ("--complete",), "the header that was sealed")


def test_signed_then_sealed_is_opened_and_verified(home):
    for complete in (False, True):
        seal = Seal(home.own, complete=complete)
        good = signed_then_sealed(home, seal)
        report.equal(home.verdict(good), ("ok", "own-dec#1"), f"complete {complete}")
        twins = {"an octet of a ciphertext": (changed(good, seal.sealed[0][2], 20), "decryption-failed"),
                 "an octet of a tag": (changed(good, seal.sealed[1][2], len(seal.sealed[1][2]) - 1), "decryption-failed"),
                 "one content under the name of the other": (signed_then_sealed(home, seal, (1, 0)), "decryption-failed" if complete else "digest-mismatch"),
                 "other content sealed": (signed_then_sealed(home, Seal(home.own, [(i, t, c + b"!") for i, t, c in PARTS], complete)), "digest-mismatch"),
                 "sealed for somebody else": (signed_then_sealed(home, Seal(home.sender, complete=complete)), "decryption-failed")}
        for what, (octets, reason) in twins.items():
            report.check(octets != good, f"{what}: nothing was changed")
            report.equal(home.verdict(octets)[0], reason, f"{what} (complete {complete})")


def test_sealed_then_signed_is_verified_and_opened(home):
    seal = Seal(home.own)
    sealed = [(uri_of(i), octets) for i, _, octets in seal.sealed]

    def message(attachments):
        """The data stand behind the signature, as what is to be done behind it."""
        text = soap.sign(home.sender, body=soap.ORDER, attachments=attachments)
        return seal.package(text.replace("</wsse:Security>", seal.header + "</wsse:Security>"))
    good = message(sealed)
    report.equal(home.verdict(good), ("ok", "own-dec#1"), "covered")
    report.equal(home.verdict(changed(good, seal.sealed[0][2], 20)), ("digest-mismatch", None), "an octet of a ciphertext")
    report.equal(home.verdict(message(sealed[:1])), ("part-not-signed", None), "one that is not covered")


def test_ciphertext_as_a_part_is_not_opened(home):
    """Some stacks can write CipherValue as an Include; the refusal says so."""
    text = soap.sign(home.sender, body=soap.ORDER)
    sealed = home.command("encrypt", text.encode(), "--content-type", "text/xml", "--partner", "we", "--parts", "Body,Signature")[1].decode()
    values = re.findall(r"CipherValue>([^<]+)<", sealed)
    report.equal(len(values), 3, "ciphertexts")
    options = ("--content-type", mime.XOP, "--partner", "sender", "--json")
    record = json.loads(home.command("verify", mime.package(sealed, root=mime.XOP_ROOT), *options)[0])
    report.equal(record["reason"], "ok", "as text")
    include = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:value@house"/>'
    for value in values:
        package = mime.package(sealed.replace(value, include), mime.part("value@house", base64.b64decode(value)), root=mime.XOP_ROOT)
        record = json.loads(home.command("verify", package, *options)[0])
        report.equal((record["reason"], record["decrypted_with"]), ("token-unsupported", None), f"as a part ({record['detail']})")
        report.check("xop:Include" in record["detail"], record["detail"])


def main():
    home = Home()
    report.run("wire/sealed_attachments", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
