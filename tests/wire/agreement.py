#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Content keys under an agreed key, by a second hand: ECDH-ES and X25519, ConcatKDF and HKDF, AES key wrap of
pyca/cryptography and lxml, in both directions, with the command line and through the gateway."""
import base64
import os
import sys

import house
import keys
import product
import report
import soap
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from lxml import etree

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
DSIG11 = "http://www.w3.org/2009/xmldsig11#"
MORE = "http://www.w3.org/2021/04/xmldsig-more#"
HMAC = "http://www.w3.org/2001/04/xmldsig-more#hmac-"
SPACES = {"x": XENC, "x11": XENC11, "d": soap.DS, "d11": DSIG11, "m": MORE}
CURVES = {"ec:P-256": (ec.SECP256R1(), "1.2.840.10045.3.1.7"), "ec:P-384": (ec.SECP384R1(), "1.3.132.0.34")}
PRFS = {HMAC + "sha256": hashes.SHA256(), HMAC + "sha512": hashes.SHA512()}
DIGESTS = {XENC + "sha256": hashes.SHA256(), XENC + "sha512": hashes.SHA512()}

ROUTE = """
route opened {{ listener front; path "/opened"; upstream "{url}"; request {{ decrypt; }} }}
route sealed {{ listener front; path "/sealed"; upstream "{url}"; request {{ encrypt p256 {{ data-algorithm aes128-gcm; }} }} }}
"""


class Home(house.House):
    def __init__(self):
        super().__init__(routes=ROUTE)

    def prepare(self):
        self.pairs = {}
        for kind in (*CURVES, "x25519"):
            name = kind[kind.find(":") + 1:].replace("-", "").lower()
            pair = keys.new_pair(self.place, name, kind)
            self.pairs[kind] = (name, pair)
            self.keystore.run("add", "--role", "decrypt", "--alias", f"{name}-dec", pair.certificate_file, "--private-key", pair.key_file, "--activate")
            self.keystore.run("add", "--role", "encrypt-to", "--partner", name, "--alias", f"{name}-enc", pair.certificate_file, "--activate")

    def command(self, *args, text):
        return product.countersign("--keystore", self.keystore.uri, *args, "-", stdin=text, check=False)


def derived(secret, octets, digest, info):
    return ConcatKDFHash(algorithm=digest, length=octets, otherinfo=info).derive(secret)


def agreed(find, pair, octets):
    """The key-encryption key of a message by X25519 and HKDF."""
    other = serialization.load_der_public_key(base64.b64decode(find("string(//d11:DEREncodedKeyValue)")))
    report.equal(find("string(//m:HKDFParams/m:KeyLength)"), str(octets), "KeyLength")
    salt, info = (base64.b64decode(find(f"string(//m:HKDFParams/m:{name})")) for name in ("Salt", "Info"))
    report.check(len(salt) == 32, "no salt")
    return HKDF(PRFS[find("string(//m:HKDFParams/m:PRF/@Algorithm)")], octets, salt, info).derive(pair.key.exchange(other))


def agreed_ecdh(find, pair, octets):
    point = base64.b64decode(find("string(//d11:PublicKey)"))
    other = ec.EllipticCurvePublicKey.from_encoded_point(pair.key.curve, point)
    params = find("//x11:ConcatKDFParams")[0]
    info = b"".join(bytes.fromhex(params.get(name, ""))[1:] for name in ("AlgorithmID", "PartyUInfo", "PartyVInfo", "SuppPubInfo", "SuppPrivInfo"))
    digest = DIGESTS[find("string(//x11:ConcatKDFParams/d:DigestMethod/@Algorithm)")]
    return derived(pair.key.exchange(ec.ECDH(), other), octets, digest, info)


def opened(text, pair):
    """The plaintext of the one EncryptedData, by the private key of pair."""
    root = etree.fromstring(text.encode())
    find = lambda path: root.xpath(path, namespaces=SPACES)
    wrap = find("string(//x:EncryptedKey/x:EncryptionMethod/@Algorithm)")
    octets = int(wrap[len(XENC + "kw-aes"):]) // 8
    kek = agreed(find, pair, octets) if isinstance(pair.key, x25519.X25519PrivateKey) else agreed_ecdh(find, pair, octets)
    content_key = aes_key_unwrap(kek, base64.b64decode(find("string(//x:EncryptedKey/x:CipherData/x:CipherValue)")))
    sealed = base64.b64decode(find("string(//x:EncryptedData/x:CipherData/x:CipherValue)"))
    return AESGCM(content_key).decrypt(sealed[:12], sealed[12:], None).decode()


def sealed(pair, kind, body, octets=16, digest=XENC + "sha256", der=False, info=(b"", b"A", b"B"), content_octets=16):
    """A message with its Body's content encrypted to pair, key wrap of so many octets."""
    curve, oid = CURVES[kind]
    own = ec.generate_private_key(curve)
    kek = derived(own.exchange(ec.ECDH(), pair.key.public_key()), octets, DIGESTS[digest], b"".join(info))
    point = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    spki = own.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    originator = (f'<d11:DEREncodedKeyValue>{base64.b64encode(spki).decode()}</d11:DEREncodedKeyValue>' if der else
                  f'<ds:KeyValue><d11:ECKeyValue><d11:NamedCurve URI="urn:oid:{oid}"/><d11:PublicKey>{base64.b64encode(point).decode()}'
                  '</d11:PublicKey></d11:ECKeyValue></ds:KeyValue>')
    certificate = x509.load_der_x509_certificate(pair.der)
    ski = base64.b64encode(certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest).decode() if not der else None
    recipient = (f'<x:RecipientKeyInfo><ds:X509Data><ds:X509SKI>{ski}</ds:X509SKI></ds:X509Data></x:RecipientKeyInfo>' if ski else "")
    parts = " ".join(f'{name}="00{value.hex()}"' for name, value in zip(("AlgorithmID", "PartyUInfo", "PartyVInfo"), info))
    method = (f'<x:AgreementMethod Algorithm="{XENC11}ECDH-ES">'
              f'<x11:KeyDerivationMethod Algorithm="{XENC11}ConcatKDF"><x11:ConcatKDFParams {parts}><ds:DigestMethod Algorithm="{digest}"/>'
              f'</x11:ConcatKDFParams></x11:KeyDerivationMethod><x:OriginatorKeyInfo>{originator}</x:OriginatorKeyInfo>{recipient}'
              '</x:AgreementMethod>')
    return message(method, kek, body, content_octets)


def sealed_x25519(pair, body, octets=16, prf=HMAC + "sha256", salt=b"", info=b"", length=True):
    """The same by X25519 and HKDF, as the eDelivery profile of AS4 2.0 writes it."""
    own = x25519.X25519PrivateKey.generate()
    kek = HKDF(PRFS[prf], octets, salt or None, info).derive(own.exchange(pair.key.public_key()))
    spki = own.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = lambda name, value: f"<m:{name}>{base64.b64encode(value).decode()}</m:{name}>" if value else ""
    method = (f'<x:AgreementMethod Algorithm="{MORE}x25519"><x11:KeyDerivationMethod Algorithm="{MORE}hkdf"><m:HKDFParams xmlns:m="{MORE}">'
              f'<m:PRF Algorithm="{prf}"/>{text("Salt", salt)}{text("Info", info)}{f"<m:KeyLength>{octets}</m:KeyLength>" if length else ""}'
              f'</m:HKDFParams></x11:KeyDerivationMethod><x:OriginatorKeyInfo><d11:DEREncodedKeyValue>{base64.b64encode(spki).decode()}'
              '</d11:DEREncodedKeyValue></x:OriginatorKeyInfo></x:AgreementMethod>')
    return message(method, kek, body, 16)


def message(method, kek, body, content_octets):
    """The content of its Body under a fresh key, which is wrapped under the agreed one."""
    content_key = os.urandom(content_octets)
    iv = os.urandom(12)
    data = base64.b64encode(iv + AESGCM(content_key).encrypt(iv, body.encode(), None)).decode()
    wrapped = base64.b64encode(aes_key_wrap(kek, content_key)).decode()
    security = (f'<wsse:Security xmlns:wsse="{soap.WSSE}"><x:EncryptedKey xmlns:x="{XENC}" xmlns:x11="{XENC11}" xmlns:ds="{soap.DS}" xmlns:d11="{DSIG11}">'
                f'<x:EncryptionMethod Algorithm="{XENC}kw-aes{8 * len(kek)}"/><ds:KeyInfo>{method}</ds:KeyInfo>'
                f'<x:CipherData><x:CipherValue>{wrapped}</x:CipherValue></x:CipherData>'
                '<x:ReferenceList><x:DataReference URI="#ed"/></x:ReferenceList></x:EncryptedKey></wsse:Security>')
    content = (f'<x:EncryptedData xmlns:x="{XENC}" Id="ed" Type="{XENC}Content"><x:EncryptionMethod Algorithm="{XENC11}aes{8 * content_octets}-gcm"/>'
               f'<x:CipherData><x:CipherValue>{data}</x:CipherValue></x:CipherData></x:EncryptedData>')
    return soap.envelope(content, security)


def test_what_we_seal_the_second_hand_opens(home):
    for name, pair in home.pairs.values():
        for cipher in ("aes128-gcm", "aes256-gcm"):
            done = home.command("encrypt", "--partner", name, "--data-algorithm", cipher, text=soap.envelope(soap.ORDER))
            report.equal((done.returncode, opened(done.stdout, pair)), (0, soap.ORDER), f"{name}, {cipher}: {done.stderr}")


def test_what_the_second_hand_seals_we_open_and_nothing_that_differs(home):
    for kind in CURVES:
        pair = home.pairs[kind][1]
        for octets in (16, 24, 32):
            for digest in DIGESTS:
                for der in (False, True) if octets == 16 else (False,):
                    text = sealed(pair, kind, soap.ORDER, octets, digest, der)
                    done = home.command("decrypt", text=text)
                    report.check(done.returncode == 0 and soap.ORDER in done.stdout, f"{kind}, {octets}, {digest}, {der}: {done.stderr}")
            done = home.command("decrypt", text=text.replace('PartyUInfo="0041"', 'PartyUInfo="0042"'))
            report.check(done.returncode == 1 and "decryption-failed" in done.stderr, f"a changed party: {done.stderr}")


def test_x25519_of_the_second_hand_is_opened_and_nothing_that_differs(home):
    pair = home.pairs["x25519"][1]
    for octets in (16, 24, 32):
        for prf in PRFS:
            for salt, info, length in ((os.urandom(32), b"info", True), (b"", b"", True), (os.urandom(7), b"", False), (b"", b"info", False)):
                done = home.command("decrypt", text=sealed_x25519(pair, soap.ORDER, octets, prf, salt, info, length))
                report.check(done.returncode == 0 and soap.ORDER in done.stdout, f"{octets}, {prf}, {salt}, {info}, {length}: {done.stderr}")
    text = sealed_x25519(pair, soap.ORDER, salt=b"salt of the twin", info=b"twin")
    for old, new in ((b"salt of the twin", b"salt of another!"), (b"twin", b"twim")):
        old, new = (f">{base64.b64encode(v).decode()}<" for v in (old, new))
        report.check(old in text, "nothing to change")
        done = home.command("decrypt", text=text.replace(old, new))
        report.check(done.returncode == 1 and "decryption-failed" in done.stderr, f"{new}: {done.stderr}")


def test_a_key_of_x25519_has_the_two_roles_of_encryption(home):
    pair = home.pairs["x25519"][1]
    for args in (("--role", "verifier", "--partner", "other", "--alias", "v", pair.certificate_file),
                 ("--role", "sign", "--alias", "s", pair.certificate_file, "--private-key", pair.key_file)):
        done = product.countersign("--keystore", home.keystore.uri, "keystore", "add", *args, check=False)
        report.check(done.returncode != 0 and "decrypt and encrypt-to" in done.stderr, f"{args[1]}: {done.returncode} {done.stderr}")
    other = keys.new_pair(home.place, "other-x25519", "x25519")
    done = product.countersign("--keystore", home.keystore.uri, "keystore", "add", "--role", "decrypt", "--alias", "wrong", pair.certificate_file,
                               "--private-key", other.key_file, check=False)
    report.check(done.returncode != 0, "the key of another certificate was taken")


def test_the_gateway_opens_and_seals_so(home):
    pair = home.pairs["ec:P-256"][1]
    with home.client() as client:
        report.equal(client.post(sealed(pair, "ec:P-256", soap.ORDER), "/opened").status, 200, "status of one that is opened")
        record = home.record(client)
        report.equal(record["request"]["decrypted_with"], "p256-dec#1", "entry")
        report.check(soap.ORDER.encode() in home.upstream.requests[-1].body, "the upstream did not get the plain message")
        report.equal(client.post(soap.envelope(soap.ORDER), "/sealed").status, 200, "status of one that is sealed")
        report.equal(opened(home.upstream.requests[-1].body.decode(), pair), soap.ORDER, "what the partner opens")
        x_pair = home.pairs["x25519"][1]
        report.equal(client.post(sealed_x25519(x_pair, soap.ORDER, salt=b"salt"), "/opened").status, 200, "status of one by X25519")
        report.check(soap.ORDER.encode() in home.upstream.requests[-1].body, "the upstream did not get the plain message by X25519")


def main():
    with Home() as home:
        home.answer = wire.reply_octets(b"<ok/>")
        report.run("wire/agreement", [(name, lambda test=test: test(home)) for name, test in report.tests_of(sys.modules[__name__])])


if __name__ == "__main__":
    main()
