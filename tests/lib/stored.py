# SPDX-License-Identifier: Apache-2.0
"""An archive as a gateway leaves it behind: messages over three years, signed with four certificates in turn, with a
ledger that says of every one of them what a verdict must be. Signed with cryptography; nothing of this house."""
import base64
import datetime
import hashlib
import os
import random

import keys
import mime
import soap

UTC = datetime.timezone.utc
FORMAT = "%Y%m%dT%H%M%SZ"


def text_of(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Generation:
    """One certificate and when it counted: from, to (None: it still does), compromised (None: never)."""

    def __init__(self, pair, begin, end, compromised=None):
        self.pair = pair
        self.begin = begin
        self.end = end
        self.compromised = compromised
        self.entry = None


class Item:
    """A message of the ledger. expected: verdict, reason. content_type: as a sender would declare it."""

    def __init__(self, name, octets, received, entry, expected, content_type="text/xml; charset=utf-8"):
        self.name = name
        self.octets = octets
        self.received = received
        self.entry = entry
        self.expected = expected
        self.content_type = content_type

    @property
    def sha256(self):
        return hashlib.sha256(self.octets).hexdigest()


def four_generations(directory, keystore, today, partner="acme", kind="ec:P-256"):
    """Certificates 1 to 3 of the past, each for 15 months, 3 of them beside the next one; 2 was stolen in its tenth
    month; 4 is in force. Into the keystore of partner. @return them"""
    month = datetime.timedelta(days=30)
    start = today - 36 * month
    found = []
    for number in range(4):
        begin = start + number * 12 * month if number < 3 else today - 3 * month
        end = begin + 15 * month if number < 2 else None
        if number == 2:
            end = today - 1 * month
        days = ((begin - today).days - 1, 400 if end is None else (end - today).days + 400)
        pair = keys.new_pair(directory, f"{partner}-{number + 1}", kind, days=days)
        found.append(Generation(pair, begin, end, begin + 10 * month if number == 1 else None))
    for number, one in enumerate(found, 1):
        args = ["add", "--role", "verifier", "--partner", partner, "--alias", f"{partner}-sign", one.pair.certificate_file,
                "--since", text_of(one.begin)]
        args += ["--until", text_of(one.end)] if one.end else ["--activate"]
        one.entry = keystore.run(*args).stdout.strip()
        if one.compromised:
            keystore.run("compromise", one.entry, "--since", text_of(one.compromised), "--reason", "laptop stolen")
    return found


def expected_of(generation, received):
    """What a message of this certificate, received then, must be judged as."""
    if received < generation.begin:
        return "fail", "certificate-pre-active"
    if generation.compromised and received >= generation.compromised:
        return "fail", "certificate-compromised"
    if generation.end and received >= generation.end:
        return "fail", "certificate-archived"
    if generation.compromised:
        return "indeterminate", "certificate-compromised"
    return "pass", "ok"


class Maker:
    """Signs many messages quickly: the canonical forms are known, so nothing is parsed."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.filler = "".join(self.random.choices("abcdefghij klmnop", k=1 << 16)).replace("  ", " x")
        self.serial = 0

    def message(self, pair, created, padding=0, attachments=()):
        """A signed envelope; padding: octets of text more; attachments: (URI, octets) that are signed, too."""
        self.serial += 1
        at = self.random.randrange(len(self.filler) - padding)
        filler = self.filler[at:at + padding]
        body = (f'<soap:Body xmlns:soap="{soap.SOAP11}" xmlns:wsu="{soap.WSU}" wsu:Id="B"><o:Order xmlns:o="urn:example:orders">'
                f'<o:number>{self.serial}</o:number><o:text>{filler}</o:text></o:Order></soap:Body>')
        stamp = (f'<wsu:Timestamp xmlns:wsu="{soap.WSU}" wsu:Id="T"><wsu:Created>{text_of(created)}</wsu:Created>'
                 f'<wsu:Expires>{text_of(created + datetime.timedelta(seconds=240))}</wsu:Expires></wsu:Timestamp>')
        references = "".join(
            f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{soap.EXC}"></ds:Transform></ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{soap.SHA256}"></ds:DigestMethod>'
            f'<ds:DigestValue>{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}</ds:DigestValue></ds:Reference>'
            for name, part in (("B", body), ("T", stamp))) + "".join(soap.attachment_reference(*a) for a in attachments)
        algorithm = soap.ECDSA_SHA256 if hasattr(pair.key, "curve") else soap.RSA_SHA256
        info = (f'<ds:SignedInfo xmlns:ds="{soap.DS}"><ds:CanonicalizationMethod Algorithm="{soap.EXC}"></ds:CanonicalizationMethod>'
                f'<ds:SignatureMethod Algorithm="{algorithm}"></ds:SignatureMethod>{references}</ds:SignedInfo>')
        value = base64.b64encode(soap.signature_value(pair.key, info.encode())).decode()
        token = base64.b64encode(pair.der).decode()
        return (f'<soap:Envelope xmlns:soap="{soap.SOAP11}"><soap:Header><wsse:Security xmlns:wsse="{soap.WSSE}" xmlns:wsu="{soap.WSU}" '
                f'soap:mustUnderstand="1"><wsse:BinarySecurityToken wsu:Id="X" EncodingType="{soap.BASE64}" ValueType="{soap.X509V3}">{token}'
                f'</wsse:BinarySecurityToken>{stamp}<ds:Signature xmlns:ds="{soap.DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue>'
                f'<ds:KeyInfo><wsse:SecurityTokenReference><wsse:Reference URI="#X" ValueType="{soap.X509V3}"/>'
                f'</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature></wsse:Security></soap:Header>{body}</soap:Envelope>').encode()


def packed(maker, pair, created, padding, damaged):
    """A message with an attachment, which is damaged or not."""
    octets = os.urandom(300)
    envelope = maker.message(pair, created, max(0, padding - 400), [("cid:scan@house", octets)])
    octets = octets[:-1] + bytes([octets[-1] ^ 1]) if damaged else octets
    return mime.package(envelope.decode(), mime.part("scan@house", octets))


def three_years(generations, count, today, stranger=None, seed=1, padding=2000, packages=0):
    """count messages at even steps, most of them by the certificate that was the newest then; of each hundred a few by an
    older one, one changed after signing, one by a stranger. packages: one of so many has an attachment; 0: none.
    @return items in the order of time"""
    maker = Maker(seed)
    start = generations[0].begin - datetime.timedelta(days=10)
    step = (today - start) / count
    items = []
    for number in range(count):
        received = (start + number * step).replace(microsecond=0)
        newest = [g for g in generations if g.begin <= received] or generations[:1]
        signer = newest[max(-len(newest), -2)] if number % 100 in (7, 21, 63) else newest[-1]
        name = f"{received.strftime('%Y/%m')}/{number:06d}-{received.strftime(FORMAT)}.xml"
        expected = expected_of(signer, received)
        entry = signer.entry
        pair = signer.pair
        if number % 100 == 50 and stranger is not None:
            pair, entry, expected = stranger, None, ("fail", "certificate-unknown")
        created = received - datetime.timedelta(seconds=2)
        damaged = number % 100 == 80
        expected = ("fail", "digest-mismatch") if damaged else expected
        if packages and number % packages == 3:
            items.append(Item(name, packed(maker, pair, created, padding, damaged), received, entry, expected, mime.TYPE))
            continue
        octets = maker.message(pair, created, padding)
        octets = octets.replace(b"<o:number>", b"<o:number>9", 1) if damaged else octets
        items.append(Item(name, octets, received, entry, expected))
    return items


def write_tree(directory, items):
    for item in items:
        path = os.path.join(directory, item.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(item.octets)


def ledger(items):
    """Messages per entry and verdict."""
    counts = {}
    for item in items:
        key = (item.entry, *item.expected)
        counts[key] = counts.get(key, 0) + 1
    return counts
