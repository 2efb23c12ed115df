# SPDX-License-Identifier: Apache-2.0
"""An outside certification authority of the tests, made at run time."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


def name(*values):
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in values])


class Authority:
    """An outside certification authority with a root and an issuer below it."""

    def __init__(self, issuer="outside issuer"):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root, issuer = name((NameOID.COMMON_NAME, "outside root")), name((NameOID.COMMON_NAME, issuer))
        self.root = self.sign(root, self.root_key.public_key(), root, self.root_key, authority=True)
        self.issuer = self.sign(issuer, self.key.public_key(), root, self.root_key, authority=True)

    @staticmethod
    def sign(subject, key, issuer, issuer_key, authority=False, days=(-1, 365), usage=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(authority, None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False))
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def answer(self, csr, subject=None, key=None, **more):
        more.setdefault("usage", x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH)
        return self.sign(subject or csr.subject, key or csr.public_key(), self.issuer.subject, self.key, **more)

    def pem(self, leaf, order=(0, 1, 2)):
        parts = [leaf, self.issuer, self.root]
        return b"".join(parts[i].public_bytes(PEM) for i in order)
