# SPDX-License-Identifier: Apache-2.0
"""Shapes of encryption besides the content of Body: elements and header blocks, keys and lists in other places. encryption.py runs
them: what WSS4J makes of each (wss4j/Shapes.java) is judged by us, what we make of ours is opened by WSS4J."""
import re
import textwrap

from report import check, equal
from signatures import WORLD
from soap import SOAP11

PASS = ("pass", "ok")
ORDERS = ("encrypt", "sign-encrypt", "encrypt-sign")
# shape: what it is, orders in which WSS4J makes it
SEALED = {
    "element": ("an element of the payload", ORDERS),
    "element-content": ("the content of an element of the payload", ORDERS),
    "header-block": ("Body and a header block, as EncryptedData of the header", ORDERS),
    "encrypted-header": ("Body and a header block, in an EncryptedHeader", ORDERS),
    "timestamp": ("Body, Signature and Timestamp", ("sign-encrypt",)),
    "two-keys": ("Body and a header block, each under an EncryptedKey of its own", ORDERS),
    "oaep-sha256": ("rsa-oaep-mgf1p with SHA-256", ORDERS),
    "list-apart": ("a ReferenceList beside the EncryptedKey, data that name it by its Id", ORDERS),
    "key-by-digest": ("data that name the EncryptedKey by EncryptedKeySHA1", ORDERS),
    "key-in-data": ("an EncryptedKey within EncryptedData", ORDERS[:2]),
}
# shape: what it is, reason of our refusal
REFUSED = {
    "twice": ("ciphertext within ciphertext", "reference-unresolved"),
    "hmac": ("a signature by HMAC under the key of an EncryptedKey", "hmac-encrypted-key"),
    "derived-key": ("data under a derived key", "token-unsupported"),
}
# parts of ours: what they are, orders
OPENED = {
    "Body,{urn:codes}code": ("Body and a header block", ORDERS[:2]),
    "{urn:codes}code": ("a header block alone", ORDERS[:2]),
    "Body,{urn:codes}code,Signature": ("Body, a header block and Signature", ORDERS[1:2]),
}


def message(tools):
    """A message with a header block that somebody may seal. @return its file"""
    text = tools.text_of(WORLD.plain(SOAP11))
    check("<s:Header/>" in text, "no empty header")
    return tools.written(text.replace("<s:Header/>", "<s:Header><c:code xmlns:c='urn:codes'>secret</c:code></s:Header>"))


def wss4j_seals(tools, shape, order):
    file = WORLD.new_file()
    equal(tools.wss4j().task("seal", WORLD.path("rsa.p12"), shape, order, message(tools), file), "ok", "answer of WSS4J")
    if shape in REFUSED:
        equal(WORLD.judge(file)["reason"], REFUSED[shape][1], "reason")
        return
    check(">bolt<" not in tools.text_of(file), "not encrypted")
    record = WORLD.judge(file)
    wanted = ("fail", "no-signature") if order == "encrypt" else PASS
    equal((record["verdict"], record["reason"], record["decrypted_with"]), (*wanted, "own-dec#1"), f"verdict ({record['detail']})")
    changed = WORLD.judge(tools.twin(file))
    equal((changed["verdict"], changed["reason"]), ("fail", "digest-mismatch" if order == "encrypt-sign" else "decryption-failed"), "the changed twin")
    if order == "encrypt":
        opened = tools.text_of(tools.ours("decrypt", file, "--policy", "open"))
        check(">bolt<" in opened and ">secret<" in opened and "EncryptedData" not in opened and "EncryptedHeader" not in opened, f"opened to {opened}")


def what_no_signature_covers_is_not_opened_behind_it(tools, shape):
    file = WORLD.new_file()
    equal(tools.wss4j().task("seal", WORLD.path("rsa.p12"), shape, "encrypt-sign-less", message(tools), file), "ok", "answer of WSS4J")
    record = WORLD.judge(file)
    equal((record["reason"], record["decrypted_with"]), ("part-not-signed", None), f"reason ({record['detail']})")


def wss4j_opens(tools, parts, order):
    source = message(tools)
    if order == "sign-encrypt":
        source = tools.ours("sign", source, "--alias", "own-rsa", "--timestamp")
    file = tools.ours("encrypt", source, "--partner", "peer", "--data-algorithm", "aes128-gcm", "--key-transport", "rsa-oaep-mgf1p", "--parts", parts)
    check(">secret<" not in tools.text_of(file), "not encrypted")
    out = WORLD.new_file()
    equal(tools.wss4j().task("decrypt", WORLD.path("rsa.p12"), order, file, out), "ok", "answer of WSS4J")
    opened = tools.text_of(out)
    check(re.search(r"<c:code [^>]*>secret</c:code></s:Header>", opened) and ">bolt<" in opened, f"opened to {opened}")


def all_tests(tools):
    """tools: encryption.py, whose keys, peer and helpers these tests use"""
    for shape, (what, orders) in SEALED.items():
        for order in orders:
            yield f"wss4j seals, {order}: {what}", lambda a=(tools, shape, order): wss4j_seals(*a)
    for shape, (what, reason) in REFUSED.items():
        yield f"wss4j seals {what}: {reason}", lambda a=(tools, shape, "encrypt"): wss4j_seals(*a)
    for shape in ("header-block", "encrypted-header", "two-keys"):
        yield (f"wss4j seals a header block that its signature leaves out ({shape}): part-not-signed",
               lambda a=(tools, shape): what_no_signature_covers_is_not_opened_behind_it(*a))
    for parts, (what, orders) in OPENED.items():
        for order in orders:
            yield f"wss4j opens, {order}: {what}", lambda a=(tools, parts, order): wss4j_opens(*a)


def page():
    """Lines about these shapes."""
    lines = ["## Shapes", "", "Each passed in the orders named, beside a changed twin.", "", "| what | orders |", "|---|---|"]
    lines += [f"| WSS4J seals {what} | {', '.join(orders)} |" for what, orders in SEALED.values()]
    lines += [f"| WSS4J opens {what} | {', '.join(orders)} |" for what, orders in OPENED.values()]
    refused = "; ".join(f"{what} (`{reason}`)" for what, reason in REFUSED.values())
    return lines + ["", *textwrap.wrap(f"Refused, of what WSS4J can write: {refused}; behind a signature, data that it does not cover "
                                       "(`part-not-signed`). WSS4J 1.6 has no attachments.", 140)]
