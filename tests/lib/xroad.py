# SPDX-License-Identifier: Apache-2.0
"""Signed containers (ASiC-E) and message-log archives as an X-Road security server leaves them behind, made by another
hand: canonical forms are written as they come out, nothing is parsed, and every piece can be left out or damaged."""
import base64
import datetime
import hashlib
import io
import struct
import zipfile

import soap

ASIC = "http://uri.etsi.org/02918/v1.2.1#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
CHAIN = "http://cyber.ee/hashchain"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
SCOPE = f'xmlns:asic="{ASIC}" xmlns:ds="{soap.DS}" xmlns:xades="{XADES}"'
DIGESTS = {"sha1": "http://www.w3.org/2000/09/xmldsig#sha1", "sha256": soap.SHA256, "sha512": "http://www.w3.org/2001/04/xmlenc#sha512"}
MIMETYPE = b"application/vnd.etsi.asic-e+zip"
MESSAGE = (f'<?xml version="1.0" encoding="UTF-8"?>\n<S:Envelope xmlns:S="{soap.SOAP11}" xmlns:x="http://x-road.eu/xsd/xroad.xsd">'
           "<S:Header><x:id>6354aea4</x:id></S:Header><S:Body>%s</S:Body></S:Envelope>")


def message(body='<p:getState xmlns:p="http://test.x-road.global/producer"><p:of>4711</p:of></p:getState>'):
    return (MESSAGE % body).encode()


def b64(octets):
    return base64.b64encode(octets).decode()


def digest(octets, word="sha512"):
    return hashlib.new(word, octets).digest()


def in_scope(text):
    """The canonical form of an element of the signature file: what the root declares stands in its start tag."""
    name = text.index(" ") if " " in text[:text.index(">")] else text.index(">")
    return f"{text[:name]} {SCOPE}{text[name:]}".encode()


def reference(uri, octets, word="sha512", attributes="", transforms=""):
    return (f'<ds:Reference{attributes} URI="{uri}">{transforms}<ds:DigestMethod Algorithm="{DIGESTS[word]}"></ds:DigestMethod>'
            f"<ds:DigestValue>{b64(digest(octets, word))}</ds:DigestValue></ds:Reference>")


def signature(pair, files, moment=None, word="sha512", manifest=(), named=None, token=None, algorithm=None, properties_signed=True,
              more="", transforms=""):
    """META-INF/signatures.xml over files [(name, octets)]. manifest: these through a Manifest. named: the certificate that
    SignedProperties name (DER). token: called with canonical SignatureValue, gives a time-stamp token. more: References as text."""
    moment = moment or datetime.datetime.now(datetime.timezone.utc)
    properties = (f'<xades:SignedProperties Id="properties"><xades:SignedSignatureProperties><xades:SigningTime>'
                  f'{moment.strftime("%Y-%m-%dT%H:%M:%S")}Z</xades:SigningTime><xades:SigningCertificate><xades:Cert><xades:CertDigest>'
                  f'<ds:DigestMethod Algorithm="{DIGESTS["sha512"]}"></ds:DigestMethod><ds:DigestValue>{b64(digest(named or pair.der))}'
                  f"</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificate></xades:SignedSignatureProperties>"
                  f"</xades:SignedProperties>")
    listed = ""
    references = "".join(reference("/" + name, octets, word, transforms=transforms) for name, octets in files)
    if manifest:
        listed = f'<ds:Manifest Id="manifest">{"".join(reference(name, octets, word) for name, octets in manifest)}</ds:Manifest>'
        references += reference("#manifest", in_scope(listed), word, f' Type="{soap.DS}Manifest"')
    if properties_signed:
        references += reference("#properties", in_scope(properties), word, ' Type="http://uri.etsi.org/01903#SignedProperties"')
    kind = algorithm or (soap.ECDSA_SHA256 if hasattr(pair.key, "curve") else soap.RSA_SHA256)
    info = (f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
            f'<ds:SignatureMethod Algorithm="{kind}"></ds:SignatureMethod>{references}{more}</ds:SignedInfo>')
    value = f'<ds:SignatureValue Id="value">{b64(soap.signature_value(pair.key, in_scope(info)))}</ds:SignatureValue>'
    unsigned = ""
    if token is not None:
        unsigned = (f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>"
                    f"{b64(token(in_scope(value)))}</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>"
                    f"</xades:UnsignedSignatureProperties></xades:UnsignedProperties>")
    return (f'<?xml version="1.0" encoding="UTF-8"?><asic:XAdESSignatures {SCOPE}><ds:Signature Id="signature">{info}{value}<ds:KeyInfo>'
            f"<ds:X509Data><ds:X509Certificate>{b64(pair.der)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo><ds:Object>{listed}"
            f'<xades:QualifyingProperties Target="#signature">{properties}{unsigned}</xades:QualifyingProperties></ds:Object>'
            f"</ds:Signature></asic:XAdESSignatures>").encode()


# ---- hash chains ------------------------------------------------------------------------------------------------------

def der(tag, content):
    n = len(content)
    length = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def step_octets(values, word="sha512"):
    return der(0x30, b"".join(der(0x30, der(4, v) + der(0x0c, DIGESTS[word].encode()) + der(0x30, b"")) for v in values))


class Chain:
    """A list of steps, each a list of ("data", name, octets), ("hash", octets of the digest) or ("step", number)."""

    def __init__(self, steps, word="sha512", name="sig-hashchain.xml"):
        self.steps = steps
        self.word = word
        self.name = name

    def value(self, one):
        if one[0] == "data":
            return digest(one[2], self.word)
        return one[1] if one[0] == "hash" else digest(self.made(one[1]), self.word)

    def made(self, number):
        return step_octets([self.value(one) for one in self.steps[number]], self.word)

    def file(self):
        text = {"data": lambda v: f'<c:DataRef URI="/{v[1]}"><d:DigestValue>{b64(self.value(v))}</d:DigestValue></c:DataRef>',
                "hash": lambda v: f"<c:HashValue><d:DigestValue>{b64(v[1])}</d:DigestValue></c:HashValue>",
                "step": lambda v: f'<c:StepRef URI="#STEP{v[1]}"/>'}
        steps = "".join(f'\n <c:HashStep id="STEP{i}">{"".join(text[v[0]](v) for v in step)}</c:HashStep>' for i, step in enumerate(self.steps))
        return (f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<c:HashChain xmlns:d="{soap.DS}" xmlns:c="{CHAIN}">'
                f'<c:DefaultDigestMethod Algorithm="{DIGESTS[self.word]}"/>{steps}\n</c:HashChain>').encode()

    def result(self, made=None):
        return (f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<c:HashChainResult URI="/{self.name}#STEP0" xmlns:d="{soap.DS}" '
                f'xmlns:c="{CHAIN}"><d:DigestMethod Algorithm="{DIGESTS[self.word]}"/><d:DigestValue>'
                f"{b64(made or digest(self.made(0), self.word))}</d:DigestValue></c:HashChainResult>").encode()


# ---- containers and archives --------------------------------------------------------------------------------------------

def zipped(files, stored=("mimetype",)):
    """A ZIP of [(name, octets)], names twice allowed, of one date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, octets in files:
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            made.writestr(entry, octets)
    return out.getvalue()


def container(files, signed, manifest=b"<manifest/>"):
    """files [(name, octets)] and signed = META-INF/signatures.xml."""
    return zipped([("mimetype", MIMETYPE), *files, ("META-INF/signatures.xml", signed), ("META-INF/manifest.xml", manifest)])


def simple(pair, content=None, name="message.xml", **how):
    content = content or message()
    return container([(name, content)], signature(pair, [(name, content)], **how))


def batch(pair, content=None, attachments=(), others=(b"1", b"2"), chain=None, keep=None, **how):
    """A container whose signature is over the result of a hash chain. keep: the files that lie in it (None: all)."""
    content = content or message()
    files = [("message.xml", content), *((f"attachment{i + 1}", a) for i, a in enumerate(attachments))]
    if chain is None:
        own = [("data", name, octets) for name, octets in files]
        steps = [[("step", 1), ("hash", digest(others[0]))], [("hash", digest(others[1])), ("step", 2)], own]
        chain = Chain(steps)
    result = chain.result()
    files += [("sig-hashchainresult.xml", result), (chain.name, chain.file())]
    return container(files if keep is None else keep(files), signature(pair, [("sig-hashchainresult.xml", result)], **how))


class Log:
    """Archives of a message log, one linked to the other."""

    def __init__(self, word="SHA-512"):
        self.word = word
        self.step = ""
        self.name = "-"

    def hexed(self, octets):
        return hashlib.new(self.word.replace("-", "").lower(), octets).hexdigest()

    def archive(self, name, containers):
        """name: of the archive; containers [(name, octets)]. @return its octets"""
        lines = [f'{self.step or "-"} {self.name} {self.word}']
        for inside, octets in containers:
            self.step = self.hexed((self.step + self.hexed(octets)).encode())
            lines.append(f"{self.step} {inside}")
        self.name = name
        return zipped([*containers, ("linkinginfo", ("\n".join(lines) + "\n").encode())], stored=())


def without(octets, *names):
    """A ZIP without these members."""
    with zipfile.ZipFile(io.BytesIO(octets)) as old:
        return zipped([(i.filename, old.read(i)) for i in old.infolist() if i.filename not in names])


def with_member(octets, name, content):
    """A ZIP in which name holds content: in its place, or added behind."""
    with zipfile.ZipFile(io.BytesIO(octets)) as old:
        files = [(i.filename, content if i.filename == name else old.read(i)) for i in old.infolist()]
    return zipped(files if name in (n for n, _ in files) else [*files, (name, content)])


def member(octets, name):
    with zipfile.ZipFile(io.BytesIO(octets)) as old:
        return old.read(name)


def renamed(octets, old, new):
    """The same octets with a name of the same length in the place of another one, wherever it stands."""
    assert len(old) == len(new) and struct.pack("<I", 0x04034b50) in octets
    return octets.replace(old.encode(), new.encode())
