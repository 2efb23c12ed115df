/* SPDX-License-Identifier: Apache-2.0 */
/* conn_tls.c: see conn_tls.h. */
#include "gateway/conn_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* Why the last call failed, in words that an operator can look up: OpenSSL's reason of the first error on its queue. */
static void note_why(struct conn *c, int error, int saved_errno)
{
    unsigned long code = ERR_get_error();
    c->reason = code != 0 ? ERR_GET_REASON(code) : 0;
    const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (why == NULL) {
        why = error == SSL_ERROR_ZERO_RETURN                   ? "the peer closed in the handshake"
              : error == SSL_ERROR_SYSCALL && saved_errno != 0 ? strerror(saved_errno)
              : code != 0 && ERR_SYSTEM_ERROR(code)            ? strerror(ERR_GET_REASON(code))
                                                               : "the peer closed without a word";
    }
    /* what the judgement of the peer said itself tells more than "verify failed" */
    if (!c->securing || c->why == NULL) {
        conn_note(c, why);
    }
    ERR_clear_error();
}

enum conn_result conn_tls_handshake(struct conn *c, bool *wants_write)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        return CONN_DONE;
    }
    int saved_errno = errno;
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        *wants_write = error == SSL_ERROR_WANT_WRITE;
        return CONN_LATER;
    }
    note_why(c, error, saved_errno);
    return CONN_BROKEN;
}

enum conn_tls_event conn_tls_read(struct conn *c, char *out, size_t size, size_t *n, int *err)
{
    *n = 0;
    while (*n < size) {
        size_t got = 0;
        ERR_clear_error();
        errno = 0;
        int rc = SSL_read_ex(c->ssl, out + *n, size - *n, &got);
        if (rc == 1) {
            *n += got;
            if (conn_tls_waits(c)) {
                continue;
            }
            return CONN_TLS_WAIT;
        }
        int saved_errno = errno;
        int error = SSL_get_error(c->ssl, rc);
        switch (error) {
        case SSL_ERROR_WANT_READ: return CONN_TLS_WAIT;
        case SSL_ERROR_WANT_WRITE: return CONN_TLS_WANTS_WRITE;
        case SSL_ERROR_ZERO_RETURN: return CONN_TLS_END;
        default: break;
        }
        /* A close without close_notify comes here too: whoever cuts a connection must not be able to end a message. */
        c->broken = true;
        note_why(c, error, saved_errno);
        *err = CONN_TLS;
        return CONN_TLS_BROKEN;
    }
    return CONN_TLS_MORE;
}

bool conn_tls_waits(const struct conn *c)
{
    return SSL_has_pending(c->ssl) == 1 || (SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* The octets of the next record: a large piece as it lies, small ones joined. After SSL_ERROR_WANT_WRITE the same
 * octets come again, for what waits only grows at its end. */
static const char *next_record(const struct conn *c, size_t *n)
{
    const struct iovec *first = &c->out[c->first_out];
    if (first->iov_len >= TLS_RECORD || c->first_out + 1 == c->n_out) {
        *n = first->iov_len;
        return first->iov_base;
    }
    *n = 0;
    for (size_t i = c->first_out; i < c->n_out && *n < TLS_RECORD; i++) {
        size_t more = c->out[i].iov_len < TLS_RECORD - *n ? c->out[i].iov_len : TLS_RECORD - *n;
        memcpy(c->loop->record + *n, c->out[i].iov_base, more);
        *n += more;
    }
    return c->loop->record;
}

enum conn_result conn_tls_write(struct conn *c)
{
    while (c->first_out < c->n_out) {
        size_t n;
        size_t done = 0;
        const char *p = next_record(c, &n);
        ERR_clear_error();
        errno = 0;
        int rc = SSL_write_ex(c->ssl, p, n, &done);
        if (rc == 1) {
            conn_taken(c, done);
            continue;
        }
        int saved_errno = errno;
        int error = SSL_get_error(c->ssl, rc);
        if (error == SSL_ERROR_WANT_WRITE) {
            return CONN_LATER;
        }
        /* Without renegotiation a write never has to read first. */
        c->broken = true;
        note_why(c, error, saved_errno);
        errno = saved_errno != 0 ? saved_errno : ECONNRESET;
        return CONN_BROKEN;
    }
    return CONN_DONE;
}

bool conn_tls_quiet(struct conn *c)
{
    char octet;
    size_t n = 0;
    if (c->securing || c->broken) {
        return false;
    }
    ERR_clear_error();
    int rc = SSL_peek_ex(c->ssl, &octet, 1, &n);
    bool quiet = rc != 1 && SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return quiet;
}

void conn_tls_end(struct conn *c)
{
    /* Behind half a record an alert would be taken for the other half. */
    if (!c->securing && !c->broken && c->first_out == c->n_out && (SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
        ERR_clear_error();
    }
}
