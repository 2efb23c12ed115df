/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_tls.c: admin http under TLS, by the same front objects as listeners. Few come, so no session is taken up again:
 * each connection shows what is in force when it is made.
 */
#include "base/clock.h"
#include "gateway/admin_private.h"
#include "gateway/tls.h"
#include "gateway/tls_peer.h"

int admin_tls_begin(struct admin_conn *c, const struct admin_port *port)
{
    if (port->kind != ADMIN_HTTP) {
        return 0;
    }
    struct runtime *rt = gateway_runtime(c->admin->gateway);
    struct tls_front *front = runtime_admin_front(rt);
    if (front != NULL) {
        c->front = tls_front_ref(front);
        tls_use(&c->front->object);
    }
    runtime_unref(rt);
    if (c->front == NULL) {
        return port->secure ? -1 : 0;
    }
    SSL *ssl = tls_front_new_ssl(c->front);
    if (ssl == NULL) {
        return -1;
    }
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    return SSL_set_num_tickets(ssl, 0) == 1 ? conn_secure(&c->conn, ssl) : (SSL_free(ssl), -1);
}

bool admin_tls_connected(struct admin_conn *c, int err)
{
    struct conn *conn = &c->conn;
    bool good = err == 0 && tls_peer_of(conn->ssl, &c->client) == 0;
    if (err != 0 && BIO_number_read(SSL_get_rbio(conn->ssl)) == 0) {
        return false; /* a look at the port is no handshake */
    }
    tls_front_tell(c->front, conn, c->address, good);
    if (!good) {
        loop_log_refused(conn->loop, "tls-refused", "a TLS handshake with admin http failed", c->address,
                         err == 0 ? "its certificate is beyond reading" : conn_why(conn, err));
    }
    return good;
}

bool admin_tls_welcome(struct admin_conn *c)
{
    if (c->client == NULL) {
        return true;
    }
    const ks_snapshot *s = ks_live_get(c->admin->gateway->live);
    int error = tls_peer_judge(c->client, c->front, s, cs_clock_now());
    ks_snapshot_release(s);
    if (error != X509_V_OK) {
        loop_log_refused(c->conn.loop, "tls-refused", "a client of admin http has no good certificate any more",
                         c->address, X509_verify_cert_error_string(error));
    }
    return error == X509_V_OK;
}

bool admin_tls_retired(const struct admin_conn *c)
{
    return c->front != NULL && tls_retired(&c->front->object);
}

void admin_tls_end(struct admin_conn *c)
{
    if (c->front != NULL) {
        tls_leave(&c->front->object);
        tls_front_unref(c->front);
    }
    tls_peer_free(c->client);
}
