# SPDX-License-Identifier: Apache-2.0
"""Peers of signatures.py that stand on other ground than WSS4J and xmlsec: zeep, node-soap and xml-crypto, gSOAP.

Each has a name, verify(file, key) -> None or why not, sign(soap, key, reference, digest, variant) -> file, close()."""
import datetime
import json
import os
import shutil
import subprocess

from lxml import etree
import xmlsec
from zeep.exceptions import SignatureVerificationFailed
import zeep.wsse.signature

import gsoap
import node_soap
from report import PATIENCE_S, Skip, check
from soap import SOAP12, WSSE, WSU

HERE = os.path.dirname(os.path.abspath(__file__))
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
DSMORE = "http://www.w3.org/2001/04/xmldsig-more#"
NODE_SIGNATURES = {"sha1": "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "sha256": DSMORE + "rsa-sha256", "sha512": DSMORE + "rsa-sha512",
                   "pss": "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"}
NODE_DIGESTS = {"sha1": "http://www.w3.org/2000/09/xmldsig#sha1", "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
                "sha512": "http://www.w3.org/2001/04/xmlenc#sha512", "pss": "http://www.w3.org/2001/04/xmlenc#sha256"}


class Zeep:
    """zeep's own signer and verifier; the Timestamp is ours, zeep writes none by itself."""

    name = "zeep"

    def __init__(self, world):
        self.world = world

    def verify(self, file, key):
        try:
            zeep.wsse.signature.verify_envelope(etree.parse(file).getroot(), self.world.pairs[key].certificate_file)
        except SignatureVerificationFailed as error:
            return str(error) or "refused"
        return None

    def sign(self, soap, key, reference, digest, _variant):
        kind = {"direct": zeep.wsse.signature.BinarySignature, "x509-data": zeep.wsse.signature.Signature}[reference]
        family = {"rsa": "RSA", "ec": "ECDSA"}[key]
        method = getattr(xmlsec.Transform, f"{family}_{digest.upper()}")
        envelope = etree.parse(self.world.plain(soap)).getroot()
        security = etree.SubElement(envelope[0], f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        now = datetime.datetime.utcnow().replace(microsecond=0)
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = f"{now.isoformat()}Z"
        etree.SubElement(stamp, f"{{{WSU}}}Expires").text = f"{(now + datetime.timedelta(seconds=240)).isoformat()}Z"
        pair = self.world.pairs[key]
        signer = kind(pair.key_file, pair.certificate_file, signature_method=method, digest_method=getattr(xmlsec.Transform, digest.upper()))
        signed = self.world.new_file()
        etree.ElementTree(signer.apply(envelope, {})[0]).write(signed, encoding="UTF-8", xml_declaration=True)
        return signed

    def close(self):
        """Nothing stays."""


class XmlCrypto:
    """xml-crypto in a Node process that takes one task a line."""

    name = "xml-crypto"

    def __init__(self, world):
        self.world = world
        if not shutil.which("node") or not shutil.which("npm"):
            raise Skip("no node or npm here (packages nodejs, npm)")
        place = node_soap.installed_client()
        shutil.copy(os.path.join(HERE, "node-soap", "peer.mjs"), place)
        self.child = subprocess.Popen(["node", "peer.mjs"], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def task(self, **task):
        """@return None: done, else why not"""
        self.child.stdin.write(json.dumps(task) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline()).get("refused")

    def verify(self, file, key):
        return self.task(task="verify", input=file, certificate=self.world.pairs[key].certificate_file)

    def make(self, task, source, key, digest, **more):
        signed = self.world.new_file()
        pair = self.world.pairs[key]
        refused = self.task(task=task, input=source, output=signed, key=pair.key_file, certificate=pair.certificate_file,
                            signature=NODE_SIGNATURES[digest], digest=NODE_DIGESTS[digest], **more)
        check(refused is None, f"{self.name}: {refused}")
        return signed

    def sign(self, soap, key, reference, digest, _variant):
        return self.make("xml-crypto", self.world.sign(soap, key, reference), key, digest)

    def close(self):
        self.child.stdin.close()
        self.child.wait(PATIENCE_S)


class NodeSoap(XmlCrypto):
    """node-soap's WSSecurityCert: with the transforms and plain Id attributes that are its own, or with those of the profile."""

    name = "node-soap"

    def sign(self, soap, key, reference, digest, variant):
        check(reference == "direct")
        more = {"transforms": [EXCLUSIVE], "mode": "wssecurity"} if variant else {}
        return self.make("node-soap", self.world.plain(soap), key, digest, **more)


class Gsoap:
    """gSOAP's wsse plugin in a program that is compiled here."""

    name = "gsoap"
    order = "<o:order xmlns:o='urn:orders'><!-- c --><o:item n='1'>bolt</o:item></o:order>"  # its reader takes no text between elements

    def __init__(self, world):
        self.world = world
        if not gsoap.is_here():
            raise Skip("no gSOAP here (packages gsoap, libgsoap-dev)")
        source = os.path.join(HERE, "gsoap")
        self.program = gsoap.build(world.path("gsoap"), os.path.join(source, "peer.h"), os.path.join(source, "peer.c"))

    def verify(self, file, key):
        with open(file, "rb") as message:
            done = subprocess.run([self.program, "verify", "sha256", self.world.pairs[key].certificate_file], stdin=message,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return None if done.returncode == 0 else done.stdout.decode("utf-8", "replace").strip().replace("\n", " ") or str(done.returncode)

    def sign(self, soap, key, reference, digest, _variant):
        signed = self.world.new_file()
        pair = self.world.pairs[key]
        with open(signed, "wb") as out:
            done = subprocess.run([self.program, "sign", reference, digest, "2" if soap == SOAP12 else "1", pair.key_file, pair.certificate_file],
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        check(done.returncode == 0, f"gSOAP: {done.stderr}")
        return signed

    def close(self):
        """Nothing stays."""
