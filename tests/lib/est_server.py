# SPDX-License-Identifier: Apache-2.0
"""A server for EST (RFC 7030) on loopback, of an authority of the tests."""
import base64
import http.server
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7

from authority import DER


class EstServer:
    """with EstServer(authority, pair, ...) as est: est.url is the address below which simpleenroll stands. pair: of the
    server's TLS; login: (name, password) of who enrols for the first time; clients: file with the authorities of client
    certificates, of whom simplereenroll needs one. est.answer(csr) gives the certificate, or (status, headers, text).
    est.asked: (operation, name, subject of the client certificate or None) of each request."""

    def __init__(self, authority, pair, login=None, clients=None, answer=None):
        self.authority = authority
        self.login = login
        self.answer = answer or authority.answer
        self.asked = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                server.serve(self)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate_file, pair.key_file)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_OPTIONAL
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}/.well-known/est"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    def serve(self, request):
        operation = request.path.rsplit("/", 1)[-1]
        csr = x509.load_der_x509_csr(base64.b64decode(request.rfile.read(int(request.headers["Content-Length"]))))
        shown = request.connection.getpeercert()
        subject = dict(pair for rdn in shown["subject"] for pair in rdn).get("commonName") if shown else None
        sent = request.headers.get("Authorization", "").removeprefix("Basic ")
        name = base64.b64decode(sent).decode()
        self.asked.append((operation, name.split(":")[0] or None, subject))
        if operation == "simplereenroll" and subject is None or operation == "simpleenroll" and self.login and name != ":".join(self.login):
            self.reply(request, 401, {}, b"who are you?")
            return
        made = self.answer(csr)
        if isinstance(made, tuple):
            self.reply(request, *made)
            return
        text = base64.encodebytes(pkcs7.serialize_certificates([made, self.authority.issuer, self.authority.root], DER))
        self.reply(request, 200, {"Content-Type": "application/pkcs7-mime; smime-type=certs-only", "Content-Transfer-Encoding": "base64"},
                   text)

    @staticmethod
    def reply(request, status, headers, body):
        request.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(header, value)
        request.end_headers()
        request.wfile.write(body)
