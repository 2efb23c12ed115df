#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 500
# tests/run: table
"""Encryption between countersign and WSS4J and the xmlsec1 command line, in both directions; shapes.py has what is not Body alone.

We encrypt with every cipher, key transport and key reference, alone and with a signature in both orders (the second by a
gateway), and the peer opens and verifies; the peer encrypts in its variants, and we open and verify. Each sealed message has a
twin with one changed octet that must be refused. What a peer cannot do stands in LIMITS. What came out is
docs/interoperability-encryption.md; with --write this page is written, else it must be what is there."""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

from product import ROOT, Gateway, countersign
from report import Skip, check, equal, run
import shapes
from signatures import REFERENCES, WORLD, WRITE, XENC, Wss4j
from soap import SOAP11, SOAP12
import wire

PAGE = os.path.join(ROOT, "docs", "interoperability-encryption.md")
XENC11 = "http://www.w3.org/2009/xmlenc11#"
CIPHERS = {"aes128-gcm": XENC11 + "aes128-gcm", "aes192-gcm": XENC11 + "aes192-gcm", "aes256-gcm": XENC11 + "aes256-gcm",
           "aes128-cbc": XENC + "aes128-cbc", "aes192-cbc": XENC + "aes192-cbc", "aes256-cbc": XENC + "aes256-cbc",
           "tripledes-cbc": XENC + "tripledes-cbc"}
GCM = ("aes128-gcm", "aes192-gcm", "aes256-gcm")
TRANSPORTS = {"rsa-oaep-mgf1p": XENC + "rsa-oaep-mgf1p", "rsa-1_5": XENC + "rsa-1_5"}
SEALED_REFERENCES = ("issuer-serial", "direct", "ski", "thumbprint", "x509v3-key-identifier")
ORDERS = ("encrypt", "sign-encrypt", "encrypt-sign")
VERSIONS = ((SOAP11, "1.1"), (SOAP12, "1.2"))
# What a peer cannot open of what we seal: peer, word, why.
LIMITS = {
    ("wss4j", "rsa-oaep"): "WSS4J 1.6 does not know rsa-oaep of XML Encryption 1.1; rsa-oaep-mgf1p is the word for such peers",
    ("wss4j", "embedded"): "WSS4J 1.6 does not read wsse:Embedded in an EncryptedKey",
    ("wss4j", "x509-data"): "WSS4J 1.6 reads no X509Certificate outside a SecurityTokenReference",
    ("wss4j", "aes192-gcm"): "WSS4J 1.6 seals with it and does not open it",
    ("xmlsec1", "rsa-oaep"): "xmlsec1 1.2 does not know rsa-oaep of XML Encryption 1.1",
}
EXCEPTIONS = ("cbc", "cbc-before-verify", "rsa-1_5", "tripledes")
TABLE = {}
PEERS = {}


def prepare():
    """The same pair opens for us and is what the peer encrypts to."""
    pair = WORLD.pairs["rsa"]
    WORLD.keystore.run("add", "--role", "decrypt", "--alias", "own-dec", pair.certificate_file, "--private-key", pair.key_file, "--activate")
    WORLD.keystore.run("add", "--role", "encrypt-to", "--partner", "peer", "--alias", "peer-enc", pair.certificate_file, "--activate")
    configure(EXCEPTIONS)


def configure(exceptions):
    with open(WORLD.path("conf"), "w", encoding="utf-8") as conf:
        conf.write("policy open { require-signed Body Timestamp; comments allow; "
                   + "".join(f"legacy {word} until 2099-12-31; " for word in exceptions) + "}\npartner peer { policy open; }\n")


def wss4j():
    if "wss4j" not in PEERS:
        PEERS["wss4j"] = Wss4j(WORLD)
    return PEERS["wss4j"]


def text_of(file):
    with open(file, encoding="utf-8") as octets:
        return octets.read()


def written(text):
    file = WORLD.new_file()
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    return file


def twin(file):
    """One octet of the Body's ciphertext is another, in the middle of it."""
    def changed(match):
        at = len(match.group(2)) // 2
        octet = match.group(2)[at]
        return match.group(1) + match.group(2)[:at] + ("A" if octet != "A" else "B") + match.group(2)[at + 1:]
    text = text_of(file)
    changed_text = re.sub(r"(<(?:\w+:)?Body.*?CipherValue>)([^<]+)", changed, text, flags=re.S)
    check(changed_text != text, "nothing to change")
    return written(changed_text)


def ours(command, file, *options, check_exit=True):
    out = WORLD.new_file()
    done = countersign("-c", WORLD.path("conf"), "--keystore", WORLD.keystore.uri, command, *options, file, "-o", out, check=check_exit)
    return out if done.returncode == 0 else None


def signed_by_us(soap):
    return WORLD.sign(soap, "rsa", "direct")


def sealed_by_us(soap, order, cipher, transport, reference):
    """Sign-then-encrypt by the command line; encrypt-then-sign is what a gateway does."""
    options = ("--partner", "peer", "--data-algorithm", cipher, "--key-transport", transport, "--key-reference", reference)
    if order == "encrypt":
        return ours("encrypt", WORLD.plain(soap), *options)
    if order == "sign-encrypt":
        return ours("encrypt", signed_by_us(soap), *options, "--parts", "Body,Signature")
    return through_gateway(soap, cipher, transport, reference)


def through_gateway(soap, cipher, transport, reference):
    if "gateway" not in PEERS:
        PEERS["gateway"] = Sealing()
    return PEERS["gateway"].seal(text_of(WORLD.plain(soap)), f"/{cipher}/{transport}/{reference}")


class Sealing:
    """A gateway that encrypts, then signs: a route for each variant."""

    def __init__(self):
        self.upstream = wire.Upstream(wire.reply_octets(b"<ok/>"))
        routes = "partner peer { }\n" + "".join(
            f'route out-{number} {{ listener front; path "/{cipher}/{transport}/{reference}"; upstream "{self.upstream.url}"; request {{ '
            f"encrypt peer {{ data-algorithm {cipher}; key-transport {transport}; key-reference {reference}; }} "
            "sign own-rsa { parts Body Timestamp; } } }\n"
            for number, (cipher, transport, reference) in enumerate(itertools.product(GCM, ("rsa-oaep", "rsa-oaep-mgf1p"), REFERENCES)))
        place = WORLD.new_file()
        os.mkdir(place)
        self.gateway = Gateway(place, WORLD.keystore, routes)

    def seal(self, text, path):
        """@return file of what came out"""
        with wire.Client(self.gateway.address) as client:
            equal(client.post(text, path).status, 200, f"status of {path}")
        return written(self.upstream.requests.pop().body.decode())

    def close(self):
        self.upstream.stop()
        self.gateway.__exit__()


def peer_opens(soap, order, cipher, transport, reference):
    file = sealed_by_us(soap, order, cipher, transport, reference)
    check(">bolt<" not in text_of(file), "not encrypted")
    out = WORLD.new_file()
    answer = wss4j().task("decrypt", WORLD.path("rsa.p12"), order, file, out)
    if any(("wss4j", word) in LIMITS for word in (cipher, transport, reference)):
        check(answer != "ok", "the peer has learnt it: take the row out of LIMITS")
        return
    equal(answer, "ok", "answer of WSS4J")
    check(">bolt<" in text_of(out), "not opened")
    check(wss4j().task("decrypt", WORLD.path("rsa.p12"), order, twin(file), out) != "ok", "WSS4J takes the changed twin")
    note("wss4j", "opens", order, (cipher, transport, reference))


def peer_seals_every_variant(soap, order):
    """Each cipher with each key transport and each key reference, and each with its changed twin: all of them judged by one command."""
    variants = list(itertools.product(CIPHERS, TRANSPORTS, SEALED_REFERENCES))
    files = []
    for cipher, transport, reference in variants:
        file = WORLD.new_file()
        equal(wss4j().task("encrypt", WORLD.path("rsa.p12"), reference, CIPHERS[cipher], TRANSPORTS[transport], order, WORLD.plain(soap), file),
              "ok", f"answer of WSS4J to {cipher} {transport} {reference}")
        check(">bolt<" not in text_of(file), "not encrypted")
        files += [file, twin(file)]
    done = countersign("-c", WORLD.path("conf"), "--keystore", WORLD.keystore.uri, "verify", "--partner", "peer", "--json", *files, check=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    equal([record["loc"] for record in records], files, "files with a record")
    wanted = ("fail", "no-signature") if order == "encrypt" else ("pass", "ok")
    for variant, good, changed in zip(variants, records[::2], records[1::2]):
        equal((good["verdict"], good["reason"], good["decrypted_with"]), (*wanted, "own-dec#1"), f"{' '.join(variant)} ({good['detail']})")
        check(order == "encrypt" or {"Body", "Timestamp"} <= set(good["covers"]), f"{' '.join(variant)} covers {good['covers']}")
        equal(changed["verdict"], "fail", f"the changed twin of {' '.join(variant)}")
        if variant[0] in GCM:
            equal(changed["reason"], "digest-mismatch" if order == "encrypt-sign" else "decryption-failed", f"the changed twin of {' '.join(variant)}")
        note("wss4j", "seals", order, variant)


def note(name, does, order, what):
    TABLE.setdefault((name, does, order), set()).add(what)


def peer_seals(soap, order, cipher, transport, reference):
    file = WORLD.new_file()
    equal(wss4j().task("encrypt", WORLD.path("rsa.p12"), reference, CIPHERS[cipher], TRANSPORTS[transport], order, WORLD.plain(soap), file),
          "ok", "answer of WSS4J")
    check(">bolt<" not in text_of(file), "not encrypted")
    opened = ours("decrypt", file, "--policy", "open") if order != "encrypt-sign" else None
    check(opened is None or ">bolt<" in text_of(opened), "not opened")
    if order == "encrypt":
        if cipher in GCM:
            equal(ours("decrypt", twin(file), "--policy", "open", check_exit=False), None, "the changed twin")
    else:
        record = WORLD.judge(file)
        equal((record["verdict"], record["decrypted_with"]), ("pass", "own-dec#1"), f"verdict ({record['reason']}: {record['detail']})")
        check({"Body", "Timestamp"} <= set(record["covers"]), f"covers {record['covers']}")
        equal(WORLD.judge(twin(file))["verdict"], "fail", "the changed twin")
    note("wss4j", "seals", order, (cipher, transport, reference))


def weak_ones_are_refused_without_their_exception(soap):
    for cipher, transport, order, needed in (("aes128-cbc", "rsa-oaep-mgf1p", "encrypt-sign", {"cbc"}),
                                             ("aes128-cbc", "rsa-oaep-mgf1p", "sign-encrypt", {"cbc", "cbc-before-verify"}),
                                             ("aes128-gcm", "rsa-1_5", "sign-encrypt", {"rsa-1_5"}),
                                             ("tripledes-cbc", "rsa-oaep-mgf1p", "encrypt-sign", {"tripledes"})):
        file = WORLD.new_file()
        equal(wss4j().task("encrypt", WORLD.path("rsa.p12"), "direct", CIPHERS[cipher], TRANSPORTS[transport], order, WORLD.plain(soap), file),
              "ok", "answer of WSS4J")
        try:
            configure(())
            equal(WORLD.judge(file)["reason"], "algorithm-forbidden", f"{cipher} {transport} {order} without exception")
            configure(sorted(needed))
            equal(WORLD.judge(file)["verdict"], "pass", f"{cipher} {transport} {order} with {needed}")
        finally:
            configure(EXCEPTIONS)


def xmlsec1(*words):
    if not shutil.which("xmlsec1"):
        raise Skip("no xmlsec1 here")
    return subprocess.run(["xmlsec1", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def xmlsec1_opens(soap, cipher):
    """It looks for a key within the KeyInfo of EncryptedData only, so our EncryptedKey is moved there."""
    text = text_of(sealed_by_us(soap, "encrypt", cipher, "rsa-oaep-mgf1p", "issuer-serial"))
    key = re.search(r"<xenc:EncryptedKey.*?</xenc:EncryptedKey>", text, flags=re.S).group(0)
    bare = re.sub(r"<ds:KeyInfo.*?</ds:KeyInfo>|<xenc:ReferenceList.*?</xenc:ReferenceList>", "", key, flags=re.S)
    data = re.search(r"<xenc:EncryptedData.*</xenc:EncryptedData>", text, flags=re.S).group(0)
    moved = re.sub(r"(<ds:KeyInfo[^>]*>).*?(</ds:KeyInfo>)", lambda m: m.group(1) + bare + m.group(2), data, flags=re.S)
    out = WORLD.new_file()
    done = xmlsec1("--decrypt", "--privkey-pem", WORLD.pairs["rsa"].key_file, "--output", out, written(moved))
    equal(done.returncode, 0, done.stdout.decode("utf-8", "replace"))
    check(">bolt<" in text_of(out), "not opened")
    note("xmlsec1", "opens", "encrypt", (cipher, "rsa-oaep-mgf1p", "issuer-serial"))


def xmlsec1_seals(soap, cipher, transport):
    """A template with an EncryptedKey within EncryptedData; we list it in our header."""
    template = written(f'<e:EncryptedData xmlns:e="{XENC}" Id="ed" Type="{XENC}Content"><e:EncryptionMethod Algorithm="{CIPHERS[cipher]}"/>'
                       '<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"><e:EncryptedKey><e:EncryptionMethod '
                       f'Algorithm="{TRANSPORTS[transport]}"/><e:CipherData><e:CipherValue/></e:CipherData></e:EncryptedKey></d:KeyInfo>'
                       "<e:CipherData><e:CipherValue/></e:CipherData></e:EncryptedData>")
    whole = text_of(WORLD.plain(soap))
    content = re.search(r"<s:Body>(.*)</s:Body>", whole, flags=re.S).group(1)
    out = WORLD.new_file()
    kind = "des-192" if cipher.startswith("triple") else f"aes-{cipher[3:6]}"
    done = xmlsec1("--encrypt", "--pubkey-cert-pem", WORLD.pairs["rsa"].certificate_file, "--session-key", kind, "--binary-data",
                   written(content), "--output", out, template)
    equal(done.returncode, 0, done.stdout.decode("utf-8", "replace"))
    data = re.sub(r"^<\?xml[^>]*\?>\s*", "", text_of(out)).strip()
    header = ('<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">'
              f'<e:ReferenceList xmlns:e="{XENC}"><e:DataReference URI="#ed"/></e:ReferenceList></w:Security>')
    message = written(whole.replace(content, data).replace("<s:Header/>", f"<s:Header>{header}</s:Header>"))
    opened = text_of(ours("decrypt", message, "--policy", "open"))
    check(content in opened, "not opened to the same octets")
    note("xmlsec1", "seals", "encrypt", (cipher, transport, "none"))


def all_tests():
    for soap, version in VERSIONS:
        for order in ORDERS:
            variants = [(*variant[:1], "rsa-oaep-mgf1p", variant[1]) for variant in itertools.product(GCM, REFERENCES)]
            if soap == SOAP12:  # the envelope has no part in what is left out here
                variants = [v for v in variants if "issuer-serial" in v or "aes256-gcm" in v]
            variants.append(("aes256-gcm", "rsa-oaep", "issuer-serial"))
            for variant in variants:
                yield f"wss4j opens {order} {' '.join(variant)} SOAP {version}", lambda a=(soap, order, *variant): peer_opens(*a)
            for variant in [(cipher, "rsa-oaep-mgf1p", "issuer-serial") for cipher in CIPHERS]:
                yield f"wss4j seals {order} {' '.join(variant)} SOAP {version}", lambda a=(soap, order, *variant): peer_seals(*a)
            yield f"wss4j seals {order}, every variant SOAP {version}", lambda a=(soap, order): peer_seals_every_variant(*a)
        for cipher in GCM:
            yield f"xmlsec1 opens {cipher} SOAP {version}", lambda a=(soap, cipher): xmlsec1_opens(*a)
        for cipher in CIPHERS:
            for transport in TRANSPORTS:
                yield f"xmlsec1 seals {cipher} {transport} SOAP {version}", lambda a=(soap, cipher, transport): xmlsec1_seals(*a)
    yield from shapes.all_tests(sys.modules[__name__])
    yield "weak ones are refused without their exception", lambda: weak_ones_are_refused_without_their_exception(SOAP11)


def page():
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "<!-- Written by tests/interop/encryption.py --write -->", "# Encryption with other stacks",
             "", "Variants that passed: every combination of a row's words, SOAP 1.1 and 1.2 (what WSS4J opens, 1.2: each word once), each with a twin",
             "that one changed octet makes refused.", "",
             "| peer | order | ciphers | key transport | key references |", "|---|---|---|---|---|"]
    for (name, does, order), variants in sorted(TABLE.items()):
        columns = (", ".join(sorted({variant[i] for variant in variants})) for i in range(3))
        lines.append(f"| {name} {does} | {order} | {' | '.join(columns)} |")
    lines += ["", "`encrypt`: no signature. `sign-encrypt`: Body and signature are encrypted behind the signature. `encrypt-sign`: the signature",
              "covers the ciphertext; on our side this is what a gateway makes with `encrypt` ahead of `sign`. Ciphers without a tag (CBC),",
              "triple DES and RSA 1.5 are opened under dated exceptions only (`legacy cbc`, `cbc-before-verify`, `tripledes`, `rsa-1_5`).",
              "", *shapes.page(), "", "## Limits of peers", ""]
    lines += [f"- {name}, {what}: {why}." for (name, what), why in LIMITS.items()]
    return "\n".join(lines) + "\n"


def page_is_current():
    if "wss4j" not in PEERS or not shutil.which("xmlsec1"):
        raise Skip("not here: WSS4J or xmlsec1")
    found = page()
    print("".join(f"# {line}\n" for line in found.splitlines()), end="")
    if WRITE:
        with open(PAGE, "w", encoding="utf-8") as out:
            out.write(found)
    equal(text_of(PAGE), found, "docs/interoperability-encryption.md; tests/interop/encryption.py --write writes it")


def main():
    prepare()
    try:
        run("encryption with peers", list(all_tests()) + [("the page of peers is current", page_is_current)])
    finally:
        for one in PEERS.values():
            one.close()


if __name__ == "__main__":
    main()
