# SPDX-License-Identifier: Apache-2.0
"""TLS as its peers see it: an authority with servers and clients, a gateway with TLS in front, contexts for both ends."""
import os
import ssl

import keys
import product
import wire

ROUTE = """
tls front-tls {{ certificate gw; {tls} }}
route plain {{ listener front; path "/plain"; methods POST GET; upstream "{url}" {{ response-timeout 120s; {upstream} }} {route} }}
"""
LISTENER = "listener front { address 127.0.0.1:0; tls front-tls; }"
HOST = "gw.test"
BODY = b"<a/>"


def client_context(authority, pair=None, version=None):
    """Trusts authority (a Pair); presents pair; speaks only that version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.certificate_file)
    if pair is not None:
        context.load_cert_chain(pair.certificate_file, pair.key_file)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(pair, authority=None, version=None):
    """Presents pair; demands a client certificate of authority, if any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate_file, pair.key_file)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate_file)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class House:
    """A gateway that speaks TLS in front of an upstream. tls, route, upstream: words for these blocks. The authority
    `senders` stands in the slot of the same name, `receivers` likewise; the gateway is gw.test."""

    def __init__(self, tls="", route="", upstream="", answer=None, upstream_tls=None, extra="", prepare=None, routes=ROUTE,
                 listeners=LISTENER):
        self.place = product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.senders = keys.issue(self.place, "senders", authority=True, subject="CN=Senders CA,O=ACME")
        self.receivers = keys.issue(self.place, "receivers", authority=True, subject="CN=Receivers CA")
        self.server = self.issue("gw-1", self.receivers, hosts=(HOST,))
        for alias, pair in (("senders", self.senders), ("receivers", self.receivers)):
            self.keystore.run("add", "--role", "trust-anchor", "--alias", alias, pair.certificate_file, "--activate")
        self.add("tls-server", "gw", self.server)
        if prepare is not None:
            prepare(self)
        context = upstream_tls(self) if upstream_tls else None
        self.upstream = wire.Upstream(answer or wire.reply_octets(b"<ok/>"), tls=context)
        self.text = {"tls": tls, "route": route, "upstream": upstream, "url": self.upstream.url}
        self.routes = routes
        extra = extra(self) if callable(extra) else extra  # it may name what prepare made
        self.gateway = product.Gateway(self.place, self.keystore, routes.format(**self.text), extra, listeners=listeners)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.upstream.stop()
        self.gateway.__exit__()

    def issue(self, name, issuer=None, **more):
        return keys.issue(self.place, name, issuer or self.senders, **more)

    def add(self, role, alias, pair, *more):
        """@return the entry"""
        return self.keystore.run("add", "--role", role, "--alias", alias, pair.certificate_file, "--private-key", pair.key_file,
                                 *(more or ["--activate"])).stdout.strip()

    def client(self, pair=None, version=None, name=HOST, context=None, session=None):
        """A connection under TLS."""
        context = context or client_context(self.receivers, pair, version)
        return wire.Client(self.gateway.address, tls=context, name=name, session=session)

    def post(self, client, path="/plain", host=HOST, fields=()):
        """One request. @return the reply"""
        client.send(post(path, host, fields))
        return client.reply()

    def generation(self):
        """The number of the newest generation that is in force in the gateway."""
        return self.gateway.log()[-1]["generation"]


def post(path="/plain", host=HOST, fields=(), body=BODY):
    return wire.post_octets(body, path, fields=fields).replace(b"Host: gateway.test", b"Host: " + host.encode())


def openssl_file(house, name):
    return os.path.join(house.place, name)
