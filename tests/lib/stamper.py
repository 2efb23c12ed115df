# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority: `openssl ts`, moved to the time of what it stamps."""
import datetime
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import faketime
import keys

CONFIG = """[tsa]
default_tsa = own
[own]
dir = {directory}
serial = {directory}/{name}.serial
crypto_device = builtin
signer_digest = {signer_digest}
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
accuracy = secs:2, millisecs:500
ess_cert_id_alg = sha256
"""


class Stamper:
    """A time-stamping authority below its own root."""

    def __init__(self, directory, name, days=(-2000, 2000), purpose=x509.oid.ExtendedKeyUsageOID.TIME_STAMPING):
        self.directory = directory
        self.name = name
        self.root = keys.issue(directory, f"{name}-root", authority=True, days=(-2100, 2100))
        key = keys.new_key("rsa:2048")
        now = datetime.datetime.utcnow().replace(microsecond=0)
        builder = x509.CertificateBuilder(
            issuer_name=self.root.certificate.subject, subject_name=x509.Name.from_rfc4514_string(f"CN={name}"),
            public_key=key.public_key(), serial_number=x509.random_serial_number(),
            not_valid_before=now + datetime.timedelta(days=days[0]), not_valid_after=now + datetime.timedelta(days=days[1]))
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        self.pair = keys.write_pair(directory, name, key, builder.sign(self.root.key, hashes.SHA256()))

    def token(self, octets, moment, digest="sha256", signer_digest="sha256", bare=False):
        """The answer over octets as of moment."""
        place = os.path.join(self.directory, self.name)
        with open(place + ".data", "wb") as out:
            out.write(octets)
        with open(place + ".serial", "w", encoding="ascii") as out:
            out.write("01\n")
        with open(place + ".conf", "w", encoding="ascii") as out:
            out.write(CONFIG.format(directory=self.directory, name=self.name, signer_digest=signer_digest))
        subprocess.run(["openssl", "ts", "-query", "-data", place + ".data", "-" + digest, "-cert", "-out", place + ".tsq"],
                       check=True, stderr=subprocess.PIPE)
        moved = dict(os.environ, LD_PRELOAD=faketime.LIBRARY, FAKETIME=f"{int((moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds()):+d}")
        subprocess.run(["openssl", "ts", "-reply", "-config", place + ".conf", "-queryfile", place + ".tsq", "-signer",
                        self.pair.certificate_file, "-inkey", self.pair.key_file, "-out", place + ".tsr",
                        *(["-token_out"] if bare else [])], check=True, env=moved, stderr=subprocess.PIPE)
        with open(place + ".tsr", "rb") as answer:
            return answer.read()
