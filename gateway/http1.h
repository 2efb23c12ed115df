/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1.h: one HTTP/1 message being read, and heads being written (RFC 9112, strict; rules 1-18 of http1_policy.c).
 * A parser belongs to one connection and thread. No I/O here: octets in, events out, independent of how they are cut.
 */
#ifndef GW_HTTP1_H
#define GW_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "wssec/wssec.h"

/** Methods that a route can serve; any other is refused before routes are looked at. */
#define HTTP1_METHODS "POST|GET|HEAD|PUT|DELETE|OPTIONS|PATCH|TRACE"

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE };

/** In octets, but for fields (a number). head and fields hold for a trailer section too. */
struct http1_limits {
    size_t head;
    size_t field;
    size_t fields;
    size_t target;
    size_t chunk_extension;
    uint64_t body;
};
/* clang-format off */
#define HTTP1_LIMITS_DEFAULT {32768, 8192, 100, 8192, 256, UINT64_C(64) << 20}
/* clang-format on */

/** Name and value (without outer blanks) are NUL-terminated; no other NUL, CR or LF is in them. */
struct http1_field {
    const char *name;
    const char *value;
    size_t name_n;
    size_t value_n;
    unsigned known; /**< for the writer: row of http1_field.c */
};

/** A typed head, borrowed from the parser until http1_next(), for a 1xx until the next http1_feed(). */
struct http1_head {
    char method[24];                 /**< requests */
    const char *target;              /**< as received */
    const char *path;                /**< normalised path (rule 5): what routes are chosen by */
    const char *query;               /**< behind '?', as received; NULL: none */
    const char *host;                /**< value of Host; NULL in responses */
    int status;                      /**< responses */
    int minor;                       /**< HTTP/1.minor */
    const struct http1_field *field; /**< all, as received and in their order */
    size_t n_field;
    bool has_length;
    uint64_t length; /**< Content-Length */
    bool chunked;
    bool keep_alive; /**< what the peer offers */
    bool expect_continue;
};

enum http1_event {
    HTTP1_MORE,    /**< all input used, more is needed */
    HTTP1_HEAD,    /**< head complete: http1_head() */
    HTTP1_BODY,    /**< *body, *body_n: a piece of content, borrowed from the input */
    HTTP1_DONE,    /**< message complete; octets behind it are not taken, they are for after http1_next() */
    HTTP1_INTERIM, /**< a 1xx response was read, the next head follows */
    HTTP1_ERROR    /**< http1_failure(); stays until the parser is freed */
};

struct http1_failure {
    enum wssec_reason reason;
    int status;       /**< to answer with; responses: 502 */
    char detail[160]; /**< rule and what is wrong, for the log; nothing that the peer wrote */
};

struct http1;
/** @return owned by the caller (http1_free), NULL: no memory. limits are copied. */
struct http1 *http1_new(enum http1_kind kind, const struct http1_limits *limits);
void http1_free(struct http1 *p);
/**
 * Read on. *used: octets taken. Call again with the rest, also with n = 0, until HTTP1_MORE, HTTP1_DONE or HTTP1_ERROR
 * (behind a head without body HTTP1_DONE comes with the next call). data is not read when n is 0.
 */
enum http1_event http1_feed(struct http1 *p, const char *data, size_t n, size_t *used, const char **body,
                            size_t *body_n);
/** The peer closed. @return HTTP1_DONE (the message was complete), HTTP1_MORE (nothing was begun) or HTTP1_ERROR (cut:
 *  client-gone, upstream-closed) */
enum http1_event http1_eof(struct http1 *p);
/** The typed head. Behind HTTP1_ERROR it holds what was known by then, for the log: method (""), target, path (NULL).
 */
const struct http1_head *http1_head(const struct http1 *p);
/** Why http1_feed() or http1_eof() said HTTP1_ERROR; borrowed until http1_free(). */
const struct http1_failure *http1_failure(const struct http1 *p);
/** Body limit for the message whose head was just given (default limits.body). @return false: the declared length is
 *  above it, so the next http1_feed() refuses; ask before 100 Continue goes out */
bool http1_set_body_limit(struct http1 *p, uint64_t octets);
/** Rule 14 for a request that carries a message, once its route is known: exactly one Content-Type of a SOAP kind.
 *  @return NULL, or the failure (the parser has failed then) */
const struct http1_failure *http1_check_content(struct http1 *p);
/** Responses: tell the method of the request before its response is fed (HEAD has no body). */
void http1_set_request_method(struct http1 *p, const char *method);
/** Octets of content seen so far. */
uint64_t http1_body_seen(const struct http1 *p);
/** Whether anything of a message was seen; the one empty line that may stand before a request is nothing. */
bool http1_begun(const struct http1 *p);
/** Forget this message, whatever its state: ready for the next one. Everything borrowed ends here. */
void http1_next(struct http1 *p);
/** How many fields of that name (any case) there are. */
size_t http1_field_count(const struct http1_head *h, const char *name);
/** Value of the first field of that name (any case), NULL: none. */
const char *http1_field_value(const struct http1_head *h, const char *name);

/* ---- writing (rules 16, 18): heads rebuilt from the typed list, hop-by-hop fields dropped, always Content-Length ----
 */

/** A field of our own; a name that is no token or a value with a control character fails the writer. */
struct http1_extra {
    const char *name;
    const char *value;
};

/**
 * Request head to the upstream: method of in, target (path and query as judged), Host of the upstream, end-to-end
 * fields of in without those in extra, extra, Content-Length (body_n; none without has_body).
 * @return 0, or -1 (no memory, bad extra); out then holds a part that is not to be sent
 */
int http1_write_request(cs_buf *out, const struct http1_head *in, const char *target, const char *host, uint64_t body_n,
                        bool has_body, const struct http1_extra *extra, size_t n_extra) CS_MUST_CHECK;
/** Reply head to the client, rebuilt from the upstream's; no Content-Length on 204 and 304. close: Connection: close.
 *  @return as http1_write_request() */
int http1_write_response(cs_buf *out, const struct http1_head *in, uint64_t body_n, bool close,
                         const struct http1_extra *extra, size_t n_extra) CS_MUST_CHECK;
/** A whole reply of our own: plain refusals, faults, 100 Continue. All borrowed. */
struct http1_plain {
    int status;
    const char *type; /**< Content-Type; NULL: none */
    const char *body;
    size_t n;
    bool close;
    bool head_only; /**< reply to HEAD: the length of the body, not the body */
    const struct http1_extra *extra;
    size_t n_extra;
};
/** @return as http1_write_request() */
int http1_write_plain(cs_buf *out, const struct http1_plain *p) CS_MUST_CHECK;
/** Reason phrase, "" for a status without one. */
const char *http1_status_text(int status);

#endif
