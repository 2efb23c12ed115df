# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates, made at run time so that no test ages."""
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}


class Pair:
    """A private key and its self-signed certificate, as objects and as PEM files."""

    def __init__(self, key, certificate, key_file, certificate_file):
        self.key = key
        self.certificate = certificate
        self.key_file = key_file
        self.certificate_file = certificate_file

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def sha256(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def new_key(kind):
    """kind: rsa:BITS or ec:CURVE, the words of `keystore generate --key`."""
    family, size = kind.split(":")
    if family == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key(CURVES[size]())


def new_pair(directory, name, kind="rsa:2048", days=(-1, 365), subject=None):
    """Make directory/NAME.key and NAME.pem. days: notBefore and notAfter, counted from now."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    key = new_key(kind)
    dn = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or name)])
    builder = x509.CertificateBuilder(issuer_name=dn, subject_name=dn, public_key=key.public_key(),
                                      serial_number=x509.random_serial_number(),
                                      not_valid_before=now + datetime.timedelta(days=days[0]),
                                      not_valid_after=now + datetime.timedelta(days=days[1]))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    key_file = os.path.join(directory, f"{name}.key")
    certificate_file = os.path.join(directory, f"{name}.pem")
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()))
    with open(certificate_file, "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))
    return Pair(key, certificate, key_file, certificate_file)
