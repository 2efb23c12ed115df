#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: limit 300
"""node-soap sends messages with attachments: the gateway signs them, and verifies again what it signed."""
import json
import os
import shutil
import subprocess
import sys

import mime
import node_soap
import product
import report
import soap
import wire
from keys import new_pair

ROUTES = """
partner buyer {{ }}
partner acme {{ }}
route signed {{
    listener front; path "/signed"; methods POST;
    upstream "{url}";
    request {{ sign own-sign {{ parts Body Timestamp attachments; }} }}
    response {{ verify acme; remove-security-header yes; }}
}}
route orders {{ listener front; path "/orders"; methods POST; upstream "{url}"; request {{ verify buyer; }} }}
"""


def call(place, address, files):
    done = subprocess.run(["node", "attach.mjs", address, node_soap.WSDL, *files], cwd=place, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=report.PATIENCE_S, check=False)
    report.equal(done.returncode, 0, f"node: {done.stderr}")
    return json.loads(done.stdout)


def attachments_of_node_soap_are_signed_and_pass():
    place = product.new_directory()
    client = node_soap.installed_client()
    shutil.copy(os.path.join(node_soap.SOURCE, "attach.mjs"), client)
    buyer, acme = new_pair(place, "buyer"), new_pair(place, "acme")
    keystore = product.Keystore(place)
    keystore.add_signer(buyer)
    keystore.add_verifier(buyer, "buyer")
    keystore.add_verifier(acme)
    contents = {"picture.bin": os.urandom(100_000), "notes.txt": b"line\nline\r\n"}
    for name, octets in contents.items():
        with open(os.path.join(place, name), "wb") as out:
            out.write(octets)
    files = [os.path.join(place, name) for name in contents]
    with wire.Upstream(lambda _: wire.reply_octets(soap.sign(acme))) as upstream:
        with product.Gateway(place, keystore, ROUTES.format(url=upstream.url)) as gateway:
            answer = call(client, f"http://{gateway.address}/signed", files)
            report.equal(answer.get("answer", {}).get("state"), "shipped", f"answer {answer}")
            seen = upstream.requests[-1]
            kind = seen.fields["content-type"]
            print(f"  # {kind}")
            found = dict(mime.read(seen.body, kind)[1:])
            report.equal(found, {f"{name}@client": octets for name, octets in contents.items()}, "attachments upstream")
            with wire.Client(gateway.address) as again:
                report.equal(again.post(seen.body, "/orders", kind).status, 200, "status where it is verified")
                changed = seen.body.replace(b"line\nline", b"line\nlime")
                report.equal(again.post(changed, "/orders", kind).status, 500, "status of a changed attachment")
            gateway.logged(lambda r: product.reason_of(r) == "digest-mismatch")


if __name__ == "__main__":
    sys.exit(report.run("node-attachments", [attachments_of_node_soap_are_signed_and_pass]))
