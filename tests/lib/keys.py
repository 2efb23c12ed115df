# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates, made at run time so that no test ages: self-signed ones, and such of an authority."""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
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
    """kind: rsa:BITS or ec:CURVE, the words of `keystore generate --key`; or x25519."""
    if kind == "x25519":
        return x25519.X25519PrivateKey.generate()
    family, size = kind.split(":")
    if family == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key(CURVES[size]())


def write_pair(directory, name, key, certificate, chain=()):
    """Write directory/NAME.key and NAME.pem (the certificate and its chain)."""
    key_file = os.path.join(directory, f"{name}.key")
    certificate_file = os.path.join(directory, f"{name}.pem")
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()))
    with open(certificate_file, "wb") as out:
        for each in (certificate, *chain):
            out.write(each.public_bytes(serialization.Encoding.PEM))
    return Pair(key, certificate, key_file, certificate_file)


def new_pair(directory, name, kind="rsa:2048", days=(-1, 365), subject=None, key=None):
    """Make directory/NAME.key and NAME.pem. days: notBefore and notAfter, counted from now; key: instead of a new one."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    key = key or new_key(kind)
    dn = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or name)])
    builder = x509.CertificateBuilder(issuer_name=dn, subject_name=dn, public_key=key.public_key(),
                                      serial_number=x509.random_serial_number(),
                                      not_valid_before=now + datetime.timedelta(days=days[0]),
                                      not_valid_after=now + datetime.timedelta(days=days[1]))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = builder.sign(new_key("ec:P-256") if kind == "x25519" else key, hashes.SHA256())  # that one cannot sign
    return write_pair(directory, name, key, certificate)


def issue(directory, name, issuer=None, subject=None, hosts=(), authority=False, kind="ec:P-256", days=(-1, 365), chain=()):
    """A certificate that issuer (a Pair; None: itself) signs. subject: text like "CN=a,O=b", default CN=name. hosts: names
    and addresses of a server. chain: certificates that stand behind it in its file."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    key = new_key(kind)
    dn = x509.Name.from_rfc4514_string(subject or f"CN={name}")
    builder = x509.CertificateBuilder(issuer_name=issuer.certificate.subject if issuer else dn, subject_name=dn,
                                      public_key=key.public_key(), serial_number=x509.random_serial_number(),
                                      not_valid_before=now + datetime.timedelta(days=days[0]),
                                      not_valid_after=now + datetime.timedelta(days=days[1]))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if hosts:
        names = [x509.IPAddress(ipaddress.ip_address(h)) if h[0].isdigit() else x509.DNSName(h) for h in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signer = issuer.key if issuer else key
    return write_pair(directory, name, key, builder.sign(signer, hashes.SHA256()), [c.certificate for c in chain])


def new_crl(directory, name, issuer, revoked=(), days=(-1, 1)):
    """The file of a revocation list of issuer. revoked: Pairs."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder(issuer_name=issuer.certificate.subject,
                                                    last_update=now + datetime.timedelta(days=days[0]),
                                                    next_update=now + datetime.timedelta(days=days[1]))
    for pair in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial_number=pair.certificate.serial_number,
                                           revocation_date=now - datetime.timedelta(hours=1)).build())
    path = os.path.join(directory, f"{name}.crl")
    with open(path, "wb") as out:
        out.write(builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path
