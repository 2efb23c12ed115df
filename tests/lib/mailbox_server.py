# SPDX-License-Identifier: Apache-2.0
"""A mail server (aiosmtpd) on loopback that keeps what it takes, and misbehaves for addresses that ask for it."""
import asyncio
import email
import email.policy
import socket
import threading

from aiosmtpd.smtp import SMTP, AuthResult


class Mailbox:
    """with Mailbox() as box: mails come to box.url and stand in box.mails as (recipient, message).
    Recipients whose local part begins with "later" get 451, with "never" 550. tls: certificate and key files: STARTTLS is
    needed; user: (name, password) is needed, too."""

    def __init__(self, tls=None, user=None, slow_s=0.0):
        self.mails = []
        self.refused = []
        self.slow_s = slow_s
        self.user = user
        self.logins = []
        self.options = {"hostname": "box.example", "enable_SMTPUTF8": False}
        if tls is not None:
            self.options.update(tls_context=tls, require_starttls=True)
        if user is not None:
            self.options.update(auth_required=True, authenticator=self.authenticate)
        self.loop = asyncio.new_event_loop()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            self.loop.create_server(lambda: SMTP(self, loop=self.loop, **self.options), sock=self.socket))
        self.loop.run_forever()
        self.server.close()
        self.loop.run_until_complete(self.server.wait_closed())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == self.user)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        for begin, answer in (("later", "451 come again"), ("never", "550 no such person")):
            if address.startswith(begin):
                self.refused.append(address)
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((tuple(envelope.rcpt_tos), message))
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        return "250 taken"
