# SPDX-License-Identifier: Apache-2.0
"""multipart/related packages, made from octets and read by Python's own reader of MIME."""
import email
import email.policy

TYPE = 'multipart/related; boundary="=_next"; type="text/xml"'
XOP = 'multipart/related; boundary="=_next"; type="application/xop+xml"; start-info="text/xml"'
ROOT = "Content-Type: text/xml; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-ID: <root@house>\r\n"
XOP_ROOT = 'Content-Type: application/xop+xml; charset=utf-8; type="text/xml"\r\nContent-ID: <root@house>\r\n'


def part(identifier, octets, content_type="application/octet-stream", coding="binary"):
    """One attachment with its header, as octets."""
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {coding}\r\nContent-ID: <{identifier}>\r\n\r\n"
    return head.encode() + octets


def package(envelope, *parts, root=ROOT):
    """The body of a package whose Content-Type is TYPE (or XOP with root=XOP_ROOT)."""
    all_parts = [root.encode() + b"\r\n" + envelope.encode(), *parts]
    return b"".join(b"--=_next\r\n" + p + b"\r\n" for p in all_parts) + b"--=_next--\r\n"


def read(octets, content_type):
    """[(Content-ID without brackets, octets)], the root first, as Python's email package reads them."""
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + octets,
                                       policy=email.policy.HTTP)
    return [(str(p["Content-ID"]).strip("<>"), p.get_payload(decode=True)) for p in message.iter_parts()]
