#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 400
# tests/run: table
"""Signatures between countersign and stacks that nobody here wrote, in both directions: WSS4J, xmlsec1, python-xmlsec, and zeep,
node-soap, xml-crypto, gSOAP of peers.py.

We sign with every key reference, key kind and SOAP version, each peer verifies what it can; each peer signs in its variants, we
verify. Every message has a twin with one changed octet that must be refused. What a peer cannot do stands in LIMITS. What came
out is docs/interoperability.md; with --write this page is written, else it must be what is there."""
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from lxml import etree
import xmlsec

import admin
from keys import new_pair
from peers import Gsoap, NodeSoap, XmlCrypto, Zeep
from product import ROOT, Gateway, Keystore, countersign, new_directory
from report import PATIENCE_S, Skip, check, equal, run
import wire
from soap import SOAP11, SOAP12

HERE = os.path.dirname(os.path.abspath(__file__))
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
DSMORE = "http://www.w3.org/2001/04/xmldsig-more#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
JARS = [f"/usr/share/java/{name}.jar" for name in ("wss4j", "xmlsec", "slf4j-api", "slf4j-nop", "commons-logging")]
REFERENCES = ("direct", "pkipath", "issuer-serial", "ski", "thumbprint", "x509v3-key-identifier", "embedded", "x509-data")
KEYS = ("rsa", "ec")
ORDER = "<o:order xmlns:o='urn:orders'><!-- c --><o:item n='1'>bolt</o:item>&#13;</o:order>"

OPEN = ("policy open {{ require-signed Body Timestamp; comments allow; legacy sha1 until 2099-12-31; allow missing-key-info; timestamp {{ ttl 600s; }} "
        "signature-algorithms rsa-sha256 rsa-sha512 rsa-pss-sha256 ecdsa-sha256 ecdsa-sha512; {more} }}\npartner peer {{ policy open; }}\n")
PAGE = os.path.join(ROOT, "docs", "interoperability.md")

# What a peer cannot verify of what we sign: peer, key reference or kind, why.
LIMITS = {
    ("wss4j", "embedded"): "WSS4J 1.6 does not read wsse:Embedded with a token in a signature",
    ("wss4j", "x509-data"): "WSS4J 1.6 reads no X509Certificate outside a SecurityTokenReference",
    ("xml-crypto", "ec"): "xml-crypto 6.3 has no ECDSA",
    ("gsoap", "ec"): "gSOAP 2.8 takes and writes an ECDSA value as DER; XML Signature demands r||s, so we refuse its own as signature-malformed",
}
# What a peer signs besides these: nothing.
SIGNS = {
    Zeep: {("direct", "x509-data"): (("rsa", "sha1"), ("rsa", "sha256"), ("rsa", "sha512"), ("ec", "sha256"), ("ec", "sha512"))},
    NodeSoap: {("direct",): (("rsa", "sha1"), ("rsa", "sha256"), ("rsa", "sha512"))},
    XmlCrypto: {REFERENCES: (("rsa", "sha1"), ("rsa", "sha256"), ("rsa", "sha512"), ("rsa", "pss"))},
    Gsoap: {("direct", "ski", "thumbprint", "x509v3-key-identifier", "x509-data"): (("rsa", "sha1"), ("rsa", "sha256"), ("rsa", "sha512"))},
}
DIGESTS = {"sha1": DS + "sha1", "sha256": XENC + "sha256", "sha512": XENC + "sha512"}
SIGNATURES = {("rsa", "sha1"): DS + "rsa-sha1", ("rsa", "sha256"): DSMORE + "rsa-sha256", ("rsa", "sha512"): DSMORE + "rsa-sha512",
              ("ec", "sha256"): DSMORE + "ecdsa-sha256", ("ec", "sha512"): DSMORE + "ecdsa-sha512"}


class World:
    """Keys, a keystore that knows them as signers and as a partner's, and the policy for verification."""

    def __init__(self):
        self.directory = new_directory()
        self.keystore = Keystore(self.directory)
        self.pairs = {"rsa": new_pair(self.directory, "rsa", "rsa:2048"), "ec": new_pair(self.directory, "ec", "ec:P-256")}
        for kind, pair in self.pairs.items():
            self.keystore.add_signer(pair, f"own-{kind}")
            self.keystore.add_verifier(pair, "peer", f"peer-{kind}")
            with open(self.path(f"{kind}.p12"), "wb") as out:
                out.write(pkcs12.serialize_key_and_certificates(b"peer", pair.key, pair.certificate, None, BestAvailableEncryption(b"password")))
        with open(self.path("conf"), "w", encoding="utf-8") as conf:
            conf.write(OPEN.format(more=""))
        self.count = 0
        self.engines = []  # how each message of a peer was judged
        self.good = []  # files of those that passed

    def path(self, name):
        return os.path.join(self.directory, name)

    def plain(self, soap, order=ORDER):
        """A message to be signed. @return its file"""
        file = self.path("plain.xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"<s:Envelope xmlns:s='{soap}'><s:Header/><s:Body>{order}</s:Body></s:Envelope>")
        return file

    def new_file(self):
        self.count += 1
        return self.path(f"message-{self.count}.xml")

    def sign(self, soap, key, reference, order=ORDER, digest="sha256"):
        file = self.new_file()
        algorithm = f"{'ecdsa' if key == 'ec' else key}-{digest}"
        countersign("--keystore", self.keystore.uri, "sign", "--alias", f"own-{key}", "--key-reference", reference, "--timestamp",
                    "--signature-algorithm", algorithm, "--digest-algorithm", digest, self.plain(soap, order), "-o", file)
        return file

    def twin(self, file):
        with open(file, "rb") as octets:
            message = octets.read()
        equal(message.count(b">bolt<"), 1, "places to change")
        changed = self.new_file()
        with open(changed, "wb") as out:
            out.write(message.replace(b">bolt<", b">volt<"))
        return changed

    def expect_pass(self, file, parts):
        """Our verdict over a peer's message, and over its twin."""
        record = self.judge(file)
        equal((record["verdict"], record["reason"]), ("pass", "ok"), f"verdict ({record['detail']})")
        check(set(parts) <= set(record["covers"]), f"covers {record['covers']}")
        equal(self.judge(self.twin(file))["reason"], "digest-mismatch", "reason of the twin")
        self.good.append(file)

    def judge(self, file):
        done = countersign("-c", self.path("conf"), "--keystore", self.keystore.uri, "verify", "--partner", "peer", "--json", "--explain", file,
                           check=False)
        check(done.stdout, done.stderr.strip())
        record = json.loads(done.stdout)
        self.engines += [step["text"] for step in record["explain"] if step["step"] == "engine"]
        return record


class Wss4j:
    """WSS4J in a Java process that takes one task a line."""

    name = "wss4j"

    def __init__(self, world):
        self.world = world
        if not shutil.which("javac") or not shutil.which("java") or not all(map(os.path.exists, JARS)):
            raise Skip("no javac or no WSS4J here (packages default-jdk-headless, libwss4j-java)")
        classes = world.path("classes")
        made = subprocess.run(["javac", "-cp", ":".join(JARS), "-d", classes, *glob.glob(os.path.join(HERE, "wss4j", "*.java"))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check(made.returncode == 0, made.stdout)
        self.child = subprocess.Popen(["java", "-Xshare:auto", "-cp", ":".join([classes] + JARS), "Peer"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def task(self, *fields):
        self.child.stdin.write("\t".join(fields) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def verify(self, file, key):
        """@return None: good, else why not"""
        answer = self.task("verify", self.world.path(f"{key}.p12"), file)
        return None if answer == "ok" else answer

    def sign(self, soap, key, reference, digest, str_transform):
        file = self.world.new_file()
        equal(self.task("sign", self.world.path(f"{key}.p12"), reference, SIGNATURES[key, digest], DIGESTS[digest],
                        "yes" if str_transform else "no", self.world.plain(soap), file), "ok", "answer of WSS4J")
        return file

    def close(self):
        self.child.stdin.close()
        self.child.wait(PATIENCE_S)


class Xmlsec1:
    """The xmlsec1 command line, its keys pinned."""

    name = "xmlsec1"

    def __init__(self, world):
        self.world = world
        if not shutil.which("xmlsec1"):
            raise Skip("no xmlsec1 here")

    IDS = ["--id-attr:Id", f"{SOAP11}:Body", "--id-attr:Id", f"{SOAP12}:Body", "--id-attr:Id", f"{WSU}:Timestamp"]

    def verify(self, file, key):
        done = subprocess.run(["xmlsec1", "--verify", "--enabled-key-data", "key-name", "--pubkey-cert-pem",
                               self.world.pairs[key].certificate_file, *self.IDS, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return None if done.returncode == 0 else done.stdout.decode("utf-8", "replace").splitlines()[0]

    def sign(self, soap, key, reference, digest, str_transform):
        check(not str_transform)
        signed = self.world.new_file()
        template = template_of(self.world, soap, key, reference, digest)
        subprocess.run(["xmlsec1", "--sign", "--privkey-pem", self.world.pairs[key].key_file, *self.IDS, "--output", signed, template],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return signed

    def close(self):
        """Nothing stays."""


class PythonXmlsec:
    """python-xmlsec over lxml: another parser set-up and another way to name the key."""

    name = "python-xmlsec"

    def __init__(self, world):
        self.world = world

    @staticmethod
    def context(tree):
        context = xmlsec.SignatureContext()
        for node in tree.iter():
            if isinstance(node.tag, str) and node.get(f"{{{WSU}}}Id") is not None:
                context.register_id(node, "Id", WSU)
        return context

    def verify(self, file, key):
        tree = etree.parse(file).getroot()
        context = self.context(tree)
        context.key = xmlsec.Key.from_file(self.world.pairs[key].certificate_file, xmlsec.KeyFormat.CERT_PEM)
        try:
            context.verify(tree.find(f".//{{{DS}}}Signature"))
        except xmlsec.Error as error:
            return str(error) or "refused"
        return None

    def sign(self, soap, key, reference, digest, str_transform):
        check(not str_transform)
        signed = self.world.new_file()
        tree = etree.parse(template_of(self.world, soap, key, reference, digest)).getroot()
        context = self.context(tree)
        context.key = xmlsec.Key.from_file(self.world.pairs[key].key_file, xmlsec.KeyFormat.PEM)
        context.sign(tree.find(f".//{{{DS}}}Signature"))
        etree.ElementTree(tree).write(signed, encoding="UTF-8", xml_declaration=True)
        return signed

    def close(self):
        """Nothing stays."""


def template_of(world, soap, key, reference, digest):
    """A message as countersign signs it with every value taken out: what remains is ours, the values are the peer's."""
    file = world.sign(soap, key, reference)
    with open(file, encoding="utf-8") as text:
        message = text.read()
    message = re.sub(r"(<ds:DigestValue>)[^<]*", r"\1", message)
    message = re.sub(r"(<ds:SignatureValue>)[^<]*", r"\1", message)
    message = re.sub(r'(<ds:SignatureMethod Algorithm=")[^"]*', lambda m: m.group(1) + SIGNATURES[key, digest], message)
    message = re.sub(r'(<ds:DigestMethod Algorithm=")[^"]*', lambda m: m.group(1) + DIGESTS[digest], message)
    with open(file, "w", encoding="utf-8") as text:
        text.write(message)
    return file


WORLD = World()
PEERS = {}
TABLE = {}


def peer(kind):
    """Started at its first test."""
    if kind not in PEERS:
        PEERS[kind] = kind(WORLD)
    return PEERS[kind]


def peer_verifies(kind, soap, key, reference, digest="sha256"):
    cell = (kind.name, "verifies", reference)
    judge = peer(kind)
    file = WORLD.sign(soap, key, reference, getattr(kind, "order", ORDER), digest)
    limit = LIMITS.get((kind.name, reference)) or LIMITS.get((kind.name, key))
    refused = judge.verify(file, key)
    if limit:
        check(refused, "the peer has learnt it: take the row out of LIMITS")
        TABLE.setdefault(cell, set())
        return
    check(refused is None, f"{kind.name}: {refused}")
    check(judge.verify(WORLD.twin(file), key), f"{kind.name} takes the changed twin")
    TABLE.setdefault(cell, set()).add((f"{key}-{digest}", soap))


def peer_signs(kind, soap, key, reference, digest, str_transform=False):
    maker = peer(kind)
    parts = ["Body", "Timestamp"]
    if str_transform:  # what is signed is the token itself where the message has it
        parts.append("BinarySecurityToken" if reference in ("direct", "pkipath") else "SecurityTokenReference")
    WORLD.expect_pass(maker.sign(soap, key, reference, digest, str_transform), parts)
    TABLE.setdefault((kind.name, "signs", reference), set()).add((f"{key}-{digest}", soap, str_transform))


def der_ecdsa_is_refused(soap):
    maker = peer(Gsoap)
    record = WORLD.judge(maker.sign(soap, "ec", "direct", "sha256", False))
    equal((record["verdict"], record["reason"]), ("fail", "signature-malformed"), "verdict")


def all_tests():
    for soap, version in ((SOAP11, "1.1"), (SOAP12, "1.2")):
        for kind in (Wss4j, Xmlsec1, PythonXmlsec, Zeep, XmlCrypto, Gsoap):
            for reference in REFERENCES:
                for key in KEYS:
                    yield (f"{kind.name} verifies {reference} {key} SOAP {version}",
                           lambda a=(kind, soap, key, reference): peer_verifies(*a))
                    if kind in (Xmlsec1, PythonXmlsec):
                        yield (f"{kind.name} signs {reference} {key} SOAP {version}",
                               lambda a=(kind, soap, key, reference, "sha256"): peer_signs(*a))
            for key in KEYS:
                for digest in ("sha384", "sha512") if kind in (Wss4j, Xmlsec1, PythonXmlsec) else ("sha512",):
                    yield (f"{kind.name} verifies {key} {digest} SOAP {version}",
                           lambda a=(kind, soap, key, "direct", digest): peer_verifies(*a))
        for reference in ("direct", "pkipath", "issuer-serial", "ski", "thumbprint", "x509v3-key-identifier"):
            for key, digest in SIGNATURES:
                for transform in (False, True):
                    yield (f"wss4j signs {reference} {key} {digest}{' STR-Transform' if transform else ''} SOAP {version}",
                           lambda a=(Wss4j, soap, key, reference, digest, transform): peer_signs(*a))
        yield f"wss4j signs key-value rsa SOAP {version}", lambda a=(Wss4j, soap, "rsa", "key-value", "sha256"): peer_signs(*a)
        for kind, variants in SIGNS.items():
            for references, algorithms in variants.items():
                for reference in references:
                    for key, digest in algorithms:
                        for variant in (False, True) if kind is NodeSoap else (False,):
                            yield (f"{kind.name} signs {reference} {key} {digest}{' profile transforms' if variant else ''} SOAP {version}",
                                   lambda a=(kind, soap, key, reference, digest, variant): variant_signs(*a))
        yield f"gsoap's DER-encoded ECDSA is refused SOAP {version}", lambda soap=soap: der_ecdsa_is_refused(soap)


def variant_signs(kind, soap, key, reference, digest, variant):
    """As peer_signs(), for a peer without STR-Transform."""
    WORLD.expect_pass(peer(kind).sign(soap, key, reference, digest, variant), ["Body", "Timestamp"])
    TABLE.setdefault((kind.name, "signs", reference), set()).add((f"{key}-{digest}", soap, variant))


def page():
    """What came out, as docs/interoperability.md."""
    columns = REFERENCES + ("key-value",)
    lines = ["# Interoperability", "", "Written by `tests/interop/signatures.py --write`; a test compares this page with what comes out.", "",
             "Numbers count messages, each with a twin that differs in one octet and is refused. Every message carries a signed Body and",
             "Timestamp. `no`: the peer cannot, see the limits; `-`: the peer offers no such key reference, or we do not write it.", ""]
    for direction, title in (("verifies", "We sign, the peer verifies"), ("signs", "The peer signs, we verify")):
        rows = sorted({name for name, way, _ in TABLE if way == direction})
        lines += [f"## {title}", "", "| peer | " + " | ".join(columns) + " | algorithms |", "|---" * (len(columns) + 2) + "|"]
        for row in rows:
            cells = [TABLE.get((row, direction, column)) for column in columns]
            algorithms = sorted({variant[0] for cell in cells for variant in cell or ()})
            lines.append(f"| {row} | " + " | ".join("-" if cell is None else str(len(cell) or "no") for cell in cells)
                         + f" | {', '.join(algorithms)} |")
        lines.append("")
    lines += ["Both tables hold for SOAP 1.1 and SOAP 1.2. WSS4J's messages are signed with and without STR-Transform; node-soap's with its own",
              "transforms and plain Id attributes, and with exclusive canonicalization alone and wsu:Id; xmlsec1, python-xmlsec and xml-crypto",
              "take our key references and make digests and value themselves.", "", "## Limits of peers", ""]
    lines += [f"- {name}, {what}: {why}." for (name, what), why in LIMITS.items()]
    lines.append("- node-soap signs only, and only with a token in the message; its Timestamp lives 600 seconds, more than our default of 300.")
    return "\n".join(lines) + "\n"


def page_is_current():
    missing = [kind.name for kind in (Wss4j, Xmlsec1, PythonXmlsec, NodeSoap, *SIGNS) if kind not in PEERS]
    if missing:
        raise Skip(f"not here: {', '.join(missing)}")
    found = page()
    print("".join(f"# {line}\n" for line in found.splitlines()), end="")
    if WRITE:
        with open(PAGE, "w", encoding="utf-8") as out:
            out.write(found)
    with open(PAGE, encoding="utf-8") as committed:
        check(committed.read() == found, "docs/interoperability.md is not what came out; tests/interop/signatures.py --write writes it")


def nearly_all_are_judged_in_one_pass():
    if os.environ.get("COUNTERSIGN_ENGINE") == "dom":
        raise Skip("libxmlsec judges every message of this run")
    left = collections.Counter(text for text in WORLD.engines if text != "in one pass")
    print(f"# {len(WORLD.engines)} messages of peers, left to libxmlsec: {dict(left)}")
    check(sum(left.values()) < 0.05 * len(WORLD.engines), f"of {len(WORLD.engines)} messages were left to libxmlsec: {dict(left)}")


def a_gateway_that_has_them_all_counts_few():
    """One message of each peer in each of its variants goes through a gateway, which is asked for its metrics."""
    if os.environ.get("COUNTERSIGN_ENGINE") == "dom":
        raise Skip("libxmlsec judges every message of this run")
    address = f"127.0.0.1:{wire.unused_port()}"
    # messages of one second may differ in their key reference alone: with RSA their signature values are equal
    extra = f"admin {{ http {address}; }}\n" + OPEN.format(more="replay off;")
    with wire.Upstream(lambda _: wire.reply_octets("<taken/>")) as upstream:
        route = f'route peers {{ listener front; path "/orders"; methods POST; upstream "{upstream.url}"; request {{ verify peer; }} }}'
        with Gateway(new_directory(), WORLD.keystore, route, extra=extra) as gateway, wire.Client(gateway.address) as client:
            for file in WORLD.good:
                with open(file, "rb") as octets:
                    message = octets.read()
                kind = "application/soap+xml" if SOAP12.encode() in message else "text/xml"
                equal(client.post(message, content_type=f"{kind}; charset=utf-8").status, 200, f"status of {file}")
            gateway.logged_count(len(WORLD.good))
            series = admin.metrics(address)
    passed = admin.value(series, "countersign_messages_total", direction="request", verdict="pass")
    left = {labels["reason"]: count for name, labels, count in series if name == "countersign_engine_fallback_total" and count}
    print(f"# Through a gateway: {passed:.0f} messages passed, left to libxmlsec: {left}")
    equal(passed, len(WORLD.good), "messages that passed")
    check(sum(left.values()) < 0.05 * passed, f"of {passed:.0f} messages were left to libxmlsec: {left}")


WRITE = "--write" in sys.argv
sys.argv = [word for word in sys.argv if word != "--write"]


def main():
    try:
        run("signatures", list(all_tests()) + [
            ("nearly all of them are judged in one pass", nearly_all_are_judged_in_one_pass),
            ("a gateway that has them all counts few that it left to libxmlsec", a_gateway_that_has_them_all_counts_few),
            ("the page of peers is current", page_is_current)])
    finally:
        for one in PEERS.values():
            one.close()


if __name__ == "__main__":
    main()
