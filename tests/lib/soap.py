# SPDX-License-Identifier: Apache-2.0
"""SOAP messages, signed by a second hand: lxml and cryptography, nothing of this house. Built from text, so that a test
can leave out, double or damage every piece."""
import base64
import datetime
import hashlib
import uuid

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
X509V3 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
UTP = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
SWA = "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

ORDER = '<o:GetOrder xmlns:o="urn:example:orders"><o:number>4711</o:number></o:GetOrder>'
ANSWER = '<o:GetOrderResponse xmlns:o="urn:example:orders"><o:number>4711</o:number><o:state>shipped</o:state></o:GetOrderResponse>'


def envelope(body=ORDER, header="", soap=SOAP11, body_attributes=""):
    """An envelope as text; an empty header leaves soap:Header out."""
    if header:
        header = f"<soap:Header>{header}</soap:Header>"
    return f'<soap:Envelope xmlns:soap="{soap}">{header}<soap:Body{body_attributes}>{body}</soap:Body></soap:Envelope>'


def content_type(soap=SOAP11):
    return "application/soap+xml; charset=utf-8" if soap == SOAP12 else "text/xml; charset=utf-8"


def _instant(seconds):
    moment = datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def timestamp(created_s=0, ttl_s=240, identifier="TS"):
    """A wsu:Timestamp; created_s counts from now."""
    return (f'<wsu:Timestamp wsu:Id="{identifier}"><wsu:Created>{_instant(created_s)}</wsu:Created>'
            f'<wsu:Expires>{_instant(created_s + ttl_s)}</wsu:Expires></wsu:Timestamp>')


def user_token(user, password, text=False, nonce=None, created_s=0, identifier="UT"):
    """A UsernameToken by the profile: a digest of the password, or with text the password itself."""
    nonce = nonce or uuid.uuid4().bytes
    created = _instant(created_s)
    value = password if text else base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()
    return (f'<wsse:UsernameToken wsu:Id="{identifier}"><wsse:Username>{user}</wsse:Username>'
            f'<wsse:Password Type="{UTP}#Password{"Text" if text else "Digest"}">{value}</wsse:Password>'
            f'<wsse:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
            f'<wsu:Created>{created}</wsu:Created></wsse:UsernameToken>')


def canonical(text, xpath):
    """Exclusive canonical form of the one element that xpath finds in text."""
    found = etree.fromstring(text.encode()).xpath(xpath, namespaces={"ds": DS, "wsu": WSU, "wsse": WSSE})
    return etree.tostring(found[0], method="c14n", exclusive=True, with_comments=False)


def _digest(text, identifier):
    octets = canonical(text, f'//*[@wsu:Id="{identifier}"]')
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


def signature_value(key, octets):
    """The value of a signature over octets, as XML Signature writes it."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def attachment_reference(uri, octets):
    """A ds:Reference to the content of an attachment."""
    value = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    return (f'<ds:Reference URI="{uri}"><ds:Transforms><ds:Transform Algorithm="{SWA}#Attachment-Content-Signature-Transform">'
            f'</ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
            f'<ds:DigestValue>{value}</ds:DigestValue></ds:Reference>')


def sign(pair, body=ANSWER, soap=SOAP11, created_s=0, ttl_s=240, parts=("Body", "TS"), other_header="", token=True, inside="",
         attachments=()):
    """A message signed by pair over the elements with these ids; inside: more children of Security; attachments: (URI, octets)
    that are signed too. @return text"""
    mark = uuid.uuid4().hex
    stamp = timestamp(created_s, ttl_s) if created_s is not None else ""
    parts = [p for p in parts if p != "TS" or stamp]
    binary = (f'<wsse:BinarySecurityToken wsu:Id="X509-{mark}" EncodingType="{BASE64}" ValueType="{X509V3}">'
              f'{base64.b64encode(pair.der).decode()}</wsse:BinarySecurityToken>') if token else ""

    def message(signature):
        security = (f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" soap:mustUnderstand="1">'
                    f'{binary}{stamp}{inside}{signature}</wsse:Security>{other_header}')
        return envelope(body, security, soap, f' xmlns:wsu="{WSU}" wsu:Id="Body"')

    algorithm = ECDSA_SHA256 if isinstance(pair.key, ec.EllipticCurvePrivateKey) else RSA_SHA256
    bare = message("")
    references = "".join(
        f'<ds:Reference URI="#{p}"><ds:Transforms><ds:Transform Algorithm="{EXC}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>{_digest(bare, p)}</ds:DigestValue>'
        f'</ds:Reference>' for p in parts) + "".join(attachment_reference(*a) for a in attachments)
    # The mark is part of what is signed: an RSA signature over equal octets is equal, and within one millisecond the
    # Timestamps are equal too; such a pair would truly be a replay.
    signed_info = (f'<ds:SignedInfo Id="SI-{mark}"><ds:CanonicalizationMethod Algorithm="{EXC}"></ds:CanonicalizationMethod>'
                   f'<ds:SignatureMethod Algorithm="{algorithm}"></ds:SignatureMethod>{references}</ds:SignedInfo>')
    key_info = (f'<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#X509-{mark}" ValueType="{X509V3}"/>'
                f'</wsse:SecurityTokenReference></ds:KeyInfo>')

    def signature(value):
        return (f'<ds:Signature xmlns:ds="{DS}" Id="SIG-{mark}">{signed_info}'
                f'<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>')

    octets = canonical(message(signature("")), "//ds:SignedInfo")
    return message(signature(base64.b64encode(signature_value(pair.key, octets)).decode()))


def signer(text):
    """The certificate (DER) in a message by whose RSA key its signature and the digest of its Body are good; None: it is no
    good."""
    root = etree.fromstring(text.encode())
    spaces = {"ds": DS, "wsse": WSSE, "wsu": WSU, "a": SOAP11}
    token, value = (root.xpath(f"string(//{name})", namespaces=spaces) for name in ("wsse:BinarySecurityToken", "ds:SignatureValue"))
    body = root.xpath("string(//a:Body/@wsu:Id)", namespaces=spaces)
    digest = root.xpath(f"string(//ds:Reference[@URI='#{body}']/ds:DigestValue)", namespaces=spaces)
    if not token or digest != _digest(text, body):
        return None
    der = base64.b64decode(token)
    try:
        x509.load_der_x509_certificate(der).public_key().verify(base64.b64decode(value), canonical(text, "//ds:SignedInfo"),
                                                                padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return None
    return der


def opened(text, keys):
    """What is in the one encrypted Body, in octets, by the first RSA key that opens it; None: none does."""
    values = etree.fromstring(text.encode()).xpath("//x:CipherValue/text()", namespaces={"x": "http://www.w3.org/2001/04/xmlenc#"})
    if len(values) != 2:
        return None
    wrapped, sealed = map(base64.b64decode, values)
    for key in keys:
        try:
            secret = key.decrypt(wrapped, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
            return AESGCM(secret).decrypt(sealed[:12], sealed[12:], None)
        except ValueError:
            continue
    return None


def tampered(text, find="shipped", replace="snipped"):
    """text with one piece changed; fails when there is nothing to change."""
    changed = text.replace(find, replace, 1)
    if changed == text:
        raise AssertionError(f"{find!r} is not in the message")
    return changed


def fault_code(octets):
    """(faultcode as local name, text) of a SOAP fault of either version, or None."""
    root = etree.fromstring(octets)
    spaces = {"a": SOAP11, "b": SOAP12}
    code = root.xpath("string(//a:Fault/faultcode | //b:Fault/b:Code/b:Subcode/b:Value)", namespaces=spaces) or \
        root.xpath("string(//b:Fault/b:Code/b:Value)", namespaces=spaces)
    text = root.xpath("string(//a:Fault/faultstring | //b:Fault/b:Reason/b:Text)", namespaces=spaces)
    return (code.split(":")[-1], text) if code else None
