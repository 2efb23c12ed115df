/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1.h: one HTTP/1 message being read, and heads being written (RFC 9112, strict; rules 1-18 of http1_policy.c).
 * A parser belongs to one connection and thread. No I/O here: bytes in, events out, independent of how they are cut.
 */
#ifndef GW_HTTP1_H
#define GW_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "wssec/wssec.h"

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE };

struct http1_limits { size_t head, field, fields, target, chunk_extension; uint64_t body; };
#define HTTP1_LIMITS_DEFAULT {32768, 8192, 100, 8192, 256, UINT64_C(64) << 20}

struct http1_field { const char *name; const char *value; size_t name_n, value_n; /**< value without outer blanks; NUL-terminated */
                     unsigned known; /**< for the writer: row of http1_field.c */ };

struct http1_head {                 /** Borrowed from the parser until http1_next(). */
    char method[24];                /**< requests */
    const char *target;             /**< as received */
    const char *path;               /**< origin-form path, validated (rule 5): what routes are chosen by */
    const char *query;              /**< behind '?', NULL: none */
    const char *host;               /**< value of Host */
    int status;                     /**< responses */
    int minor;                      /**< HTTP/1.minor */
    const struct http1_field *field; size_t n_field;
    bool has_length; uint64_t length; bool chunked;
    bool until_close;               /**< response without framing: refused by rule 17 when a body may be there */
    bool keep_alive;                /**< what the peer offers */
    bool expect_continue;
};

enum http1_event { HTTP1_MORE /**< all input used, more is needed */, HTTP1_HEAD /**< head complete, http1_head() */,
                   HTTP1_BODY /**< *body, *body_n: a piece of content, borrowed from the input */, HTTP1_DONE /**< message complete */,
                   HTTP1_INTERIM /**< response 1xx complete, the next head follows */, HTTP1_ERROR /**< http1_failure() */ };

struct http1_failure { enum wssec_reason reason; int status; /**< to answer with (responses: 502) */ char detail[160]; };

struct http1;
/** @return owned by the caller (http1_free), NULL: no memory */
struct http1 *http1_new(enum http1_kind kind, const struct http1_limits *limits);
void http1_free(struct http1 *p);
/** Read on. *used: octets taken; call again with the rest, also with n = 0, until HTTP1_MORE, HTTP1_DONE or HTTP1_ERROR
 *  (behind a head without body HTTP1_DONE comes with the next call). data is not needed when n is 0. Octets behind HTTP1_DONE
 *  are not taken: they are for the call after http1_next(). An error stays. For responses tell the request's method
 *  first (HEAD has no body). */
enum http1_event http1_feed(struct http1 *p, const char *data, size_t n, size_t *used, const char **body, size_t *body_n);
/** The peer closed. @return HTTP1_DONE (message was complete), HTTP1_MORE (nothing was begun) or HTTP1_ERROR (cut:
 *  client-gone, upstream-closed) */
enum http1_event http1_eof(struct http1 *p);
/** The typed head. Behind HTTP1_ERROR it holds what was known by then, for the log: method (""), target, path (NULL). */
const struct http1_head *http1_head(const struct http1 *p);
const struct http1_failure *http1_failure(const struct http1 *p);
/** Body limit for the message whose head was just given (route's policy); default limits.body. @return false: the declared
 *  length is above it, so the next http1_feed() refuses; tell before 100 Continue goes out */
bool http1_set_body_limit(struct http1 *p, uint64_t octets);
/** Rule 14 for a request that carries a message, once its route is known: exactly one Content-Type of a SOAP kind.
 *  @return NULL, or the failure (the parser has failed then) */
const struct http1_failure *http1_check_content(struct http1 *p);
void http1_set_request_method(struct http1 *p, const char *method);
/** Octets of content seen so far; whether anything of a message was seen. */
uint64_t http1_body_seen(const struct http1 *p);
bool http1_begun(const struct http1 *p); /**< the one empty line that may stand before a request is nothing */
/** Ready for the next message on the connection (keep-alive). */
void http1_next(struct http1 *p);
/** Value of the first field of that name (any case), NULL: none. */
const char *http1_field_value(const struct http1_head *h, const char *name);

/* ---- writing (rule 18): heads rebuilt from the typed list, hop-by-hop fields dropped, always Content-Length -------- */

struct http1_extra { const char *name, *value; };   /**< fields of our own; value with CR, LF or NUL is refused */

/** Request head to the upstream: method, target (path and query as judged), Host of the upstream, end-to-end fields of in
 *  without those in extra, extra, Content-Length (body_n; none for a GET without body). @return 0, or -1 (no memory, bad extra) */
int http1_write_request(cs_buf *out, const struct http1_head *in, const char *target, const char *host, uint64_t body_n, bool has_body, const struct http1_extra *extra, size_t n_extra) __attribute__((warn_unused_result));
/** Reply head to the client, rebuilt from the upstream's. close: Connection: close. */
int http1_write_response(cs_buf *out, const struct http1_head *in, uint64_t body_n, bool close, const struct http1_extra *extra, size_t n_extra) __attribute__((warn_unused_result));
/** A whole reply of our own (plain refusals, faults). */
int http1_write_plain(cs_buf *out, int status, const char *content_type, const char *body, size_t body_n, bool close, bool head_only, const struct http1_extra *extra, size_t n_extra) __attribute__((warn_unused_result));
const char *http1_status_text(int status);

#endif
