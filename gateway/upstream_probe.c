/* SPDX-License-Identifier: Apache-2.0 */
/* upstream_probe.c: see upstream_probe.h. Steps: connected, under TLS the handshake, the answer. */
#include "gateway/upstream_probe.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/gateway_private.h"
#include "gateway/tls.h"

void probe_end(struct probe *p, bool good)
{
    p->over = true;
    p->good = good;
    if (p->ssl != NULL && SSL_is_init_finished(p->ssl)) {
        SSL_shutdown(p->ssl); /* else its session would count as broken */
    }
    SSL_free(p->ssl);
    p->ssl = NULL;
    ERR_clear_error();
    tls_back_unref(p->back);
    p->back = NULL;
    if (p->fd >= 0) {
        close(p->fd);
        p->fd = -1;
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

/* @return octets, 0: it waits, -1: none will come */
static ssize_t receive(struct probe *p, char *out, size_t size)
{
    ssize_t n;
    if (p->ssl == NULL) {
        n = recv(p->fd, out, size, 0);
        return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    ERR_clear_error();
    n = SSL_read(p->ssl, out, (int)size);
    return n > 0 ? n : SSL_get_error(p->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* Any answer but a 5xx is one of a receiver that is up. */
static void read_answer(struct probe *p)
{
    const size_t whole = sizeof PROBE_ANSWER - 1;
    while (p->got < whole) {
        ssize_t n = receive(p, p->answer + p->got, whole - p->got);
        if (n < 0) {
            probe_end(p, false);
        }
        if (n <= 0) {
            return;
        }
        p->got += (size_t)n;
    }
    probe_end(p, memcmp(p->answer, "HTTP/1.", 7) == 0 && p->answer[9] >= '1' && p->answer[9] <= '4');
}

static void send_request(struct probe *p)
{
    char request[1400];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                     p->receiver->path, p->receiver->authority);
    if (n < 0 || (size_t)n >= sizeof request) {
        probe_end(p, false);
        return;
    }
    /* A request of this size fits the buffer of a connection that was just made. */
    ERR_clear_error();
    ssize_t sent = p->ssl != NULL ? SSL_write(p->ssl, request, n) : send(p->fd, request, (size_t)n, MSG_NOSIGNAL);
    if (sent != n) {
        probe_end(p, false);
        return;
    }
    p->wants = POLLIN;
    p->step = read_answer;
}

/* ---- the way there ----------------------------------------------------------------------------------------------- */

static bool server_good(const struct probe *p)
{
    const ks_snapshot *s = tls_snapshot(&p->back->object);
    int error = tls_back_judge(p->back, p->ssl, s, cs_clock_now()); /* a session taken up again judges nobody */
    ks_snapshot_release(s);
    return error == X509_V_OK;
}

static void shake_hands(struct probe *p)
{
    ERR_clear_error();
    int rc = SSL_connect(p->ssl);
    int error = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        p->wants = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    } else if (rc != 1 || !server_good(p)) {
        probe_end(p, false);
    } else {
        send_request(p);
    }
}

static void connected(struct probe *p)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0 || p->receiver->check == GW_CHECK_TCP) {
        probe_end(p, err == 0);
    } else if (p->back == NULL) {
        send_request(p);
    } else if ((p->ssl = tls_back_new_ssl(p->back)) == NULL || SSL_set_fd(p->ssl, p->fd) != 1) {
        probe_end(p, false);
    } else {
        p->step = shake_hands;
        shake_hands(p);
    }
}

/* The objects of the runtime that is in force, so an exchanged certificate is the one that is presented here, too. */
static struct tls_back *back_of(struct gateway *gw, const char *key)
{
    struct runtime *rt = gateway_runtime(gw);
    struct tls_back *b = rt != NULL ? tls_set_back(rt->tls, key) : NULL;
    b = b != NULL ? tls_back_ref(b) : NULL;
    runtime_unref(rt);
    return b;
}

void probe_begin(struct probe *p, struct gateway *gw, int64_t now_us)
{
    struct gw_address address;
    p->deadline_us = now_us + p->receiver->timeout_ms * 1000;
    p->fd = -1;
    p->wants = POLLOUT;
    p->step = connected;
    if (p->receiver->tls != NULL) {
        p->back = back_of(gw, p->receiver->tls);
        p->unasked = p->back == NULL;
    }
    if (p->unasked || (p->back != NULL && p->back->why[0] != '\0') ||
        !resolve_address(p->receiver->name, 0, &address)) {
        probe_end(p, false);
        return;
    }
    p->fd = socket(address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || (connect(p->fd, (const struct sockaddr *)&address.sa, address.len) != 0 && errno != EINPROGRESS)) {
        probe_end(p, false);
    }
}
