/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_private.h: what the files of the HTTP/1 layer share: octet classes, known fields, the rule table, the scanners
 * and the parser itself. Two judges read every message: our own scanners with the rule table, and llhttp. The scanners
 * come first and decide; llhttp gets only what they let through and must then agree on every span and length, so no
 * outcome depends on the version of llhttp, and what one of the two would read differently is refused.
 */
#ifndef GW_HTTP1_PRIVATE_H
#define GW_HTTP1_PRIVATE_H

#include <llhttp.h>

#include "gateway/http1.h"

/* ---- octets (http1_head.c) ------------------------------------------------------------------------------------- */

enum {
    HTTP1_TOKEN = 1,  /**< RFC 9110 tchar */
    HTTP1_VALUE = 2,  /**< field value: tab, space, visible, 0x80 and above */
    HTTP1_TARGET = 4, /**< visible ASCII */
    HTTP1_HEX = 8,
    HTTP1_PCHAR = 16, /**< RFC 3986 pchar without '%' */
    HTTP1_PLAIN = 32  /**< RFC 3986 unreserved */
};
extern const uint8_t http1_octet[256];

static inline bool http1_is(char c, unsigned classes)
{
    return (http1_octet[(unsigned char)c] & classes) != 0;
}

/* ---- known fields (http1_field.c) ------------------------------------------------------------------------------ */

enum http1_known {
    HTTP1_F_OTHER,
    HTTP1_F_HOST,
    HTTP1_F_CONTENT_LENGTH,
    HTTP1_F_TRANSFER_ENCODING,
    HTTP1_F_CONNECTION,
    HTTP1_F_EXPECT,
    HTTP1_F_UPGRADE,
    HTTP1_F_HTTP2_SETTINGS,
    HTTP1_F_CONTENT_TYPE,
    HTTP1_F_CONTENT_ENCODING,
    HTTP1_F_KEEP_ALIVE,
    HTTP1_F_PROXY_CONNECTION,
    HTTP1_F_PROXY_AUTHENTICATE,
    HTTP1_F_PROXY_AUTHORIZATION,
    HTTP1_F_TE,
    HTTP1_F_TRAILER,
    HTTP1_F_ACCEPT_ENCODING,
    HTTP1_F_RANGE,
    HTTP1_F_IF_RANGE,
    HTTP1_F_CONTENT_RANGE,
    HTTP1_F_AUTHORIZATION,
    HTTP1_F_COOKIE,
    HTTP1_F_SET_COOKIE,
    HTTP1_F_SOAPACTION,
    HTTP1_F_MIME_VERSION,
    HTTP1_F_DATE,
    HTTP1_F_COUNT
};
#define HTTP1_F_RESPELT 0x80u /**< bit of http1_field.known: '_' stands for '-', as CGI-like receivers read it */

enum {
    HTTP1_NOT_UP = 1 /**< never sent to the upstream */,
    HTTP1_NOT_DOWN = 2 /**< nor to the client */,
    HTTP1_END_TO_END = 4 /**< Connection must not name it */
};

/** Row of a field name, any case, '_' like '-' (then with HTTP1_F_RESPELT). HTTP1_F_OTHER: none. */
unsigned http1_known(const char *name, size_t n);
unsigned http1_known_flags(unsigned known);
/** Whether list (as in Connection) has the token, any case. '_' is not '-' here. */
bool http1_list_has(const char *list, size_t list_n, const char *token, size_t token_n);
/** Next element of a comma list: blanks around it are cut, empty ones skipped. @return false at the end */
bool http1_list_next(const char **at, const char *end, const char **element, size_t *n);

/* ---- rules (http1_policy.c) ------------------------------------------------------------------------------------ */

enum http1_rule_id {
    HTTP1_R_NONE,
    /* found by the scanners */
    HTTP1_R_REQUEST_LINE,
    HTTP1_R_STATUS_LINE,
    HTTP1_R_PREFACE,
    HTTP1_R_CONNECT,
    HTTP1_R_METHOD_UNKNOWN,
    HTTP1_R_LINE_END,
    HTTP1_R_FOLD,
    HTTP1_R_FIELD_NAME,
    HTTP1_R_FIELD_VALUE,
    HTTP1_R_TARGET_SIZE,
    HTTP1_R_HEAD_SIZE,
    HTTP1_R_FIELD_SIZE,
    HTTP1_R_FIELD_COUNT,
    HTTP1_R_TARGET_FORM,
    HTTP1_R_TARGET_PATH,
    HTTP1_R_TARGET_ESCAPE,
    HTTP1_R_CHUNK_SIZE,
    HTTP1_R_CHUNK_EXTENSION,
    HTTP1_R_CHUNK_EXTENSION_SIZE,
    HTTP1_R_CHUNK_END,
    HTTP1_R_TRAILER_FIELD,
    HTTP1_R_TRAILER_FORBIDDEN,
    HTTP1_R_BODY_SIZE,
    HTTP1_R_INTERIM_FLOOD,
    /* tests over the head, in this order */
    HTTP1_R_LENGTH_TWICE,
    HTTP1_R_LENGTH_VALUE,
    HTTP1_R_LENGTH_AND_CODING,
    HTTP1_R_CODING_TWICE,
    HTTP1_R_CODING_1_0,
    HTTP1_R_CODING_VALUE,
    HTTP1_R_HOST_ONE,
    HTTP1_R_HOST_VALID,
    HTTP1_R_HOST_TARGET,
    HTTP1_R_UPGRADE,
    HTTP1_R_CONNECTION_NAMES,
    HTTP1_R_BODY_ON_GET,
    HTTP1_R_LENGTH_MISSING,
    HTTP1_R_EXPECT,
    HTTP1_R_CONTENT_CODED,
    HTTP1_R_SWITCH,
    HTTP1_R_INTERIM_LAST,
    HTTP1_R_BODILESS,
    HTTP1_R_UNTIL_CLOSE,
    /* tests that wait for the choice of the route: http1_check_content() */
    HTTP1_R_CONTENT_TYPE,
    /* not a rule: the second judge disagrees */
    HTTP1_R_JUDGES_HEAD,
    HTTP1_R_JUDGES_BODY,
    HTTP1_R_COUNT
};

enum { HTTP1_ON_REQUEST = 1, HTTP1_ON_RESPONSE = 2, HTTP1_ON_BOTH = 3 };

struct http1_rule {
    uint8_t number; /**< as the rules are counted in http1_policy.c; 0: second judge */
    uint8_t on;
    uint16_t status;                       /**< for requests; responses: 502 */
    enum wssec_reason reason;              /**< for requests; responses: upstream-framing, or limit-body */
    bool (*broken)(const struct http1 *p); /**< over the complete head; NULL: found by a scanner */
    const char *text;                      /**< what is wrong, for the log */
    const char
        *example; /**< a message that breaks exactly this rule under HTTP1_LIMITS_EXAMPLE; NULL: cannot be written */
};
#define HTTP1_LIMITS_EXAMPLE                                                                                           \
    {                                                                                                                  \
        400, 100, 8, 60, 16, 64                                                                                        \
    }

extern const struct http1_rule http1_rule[HTTP1_R_COUNT];
/** First rule from..to that the complete head breaks, or HTTP1_R_NONE. */
enum http1_rule_id http1_policy(const struct http1 *p, enum http1_rule_id from, enum http1_rule_id to);
/** Content-Length of the head. @return false: none. Valid behind HTTP1_R_LENGTH_VALUE. */
bool http1_declared(const struct http1 *p, uint64_t *length);
/** Whether a Connection field lists the token. */
bool http1_connection_has(const struct http1 *p, const char *token);

/* ---- target and host (http1_target.c) -------------------------------------------------------------------------- */

struct http1_target {
    const char *authority; /**< absolute-form; NULL: origin-form */
    size_t authority_n;
    const char *query; /**< NULL: none */
};
/** Judge a target (rule 5). path gets the normalised path, NUL-terminated: room for n + 2. Pointers lead into target.
 */
enum http1_rule_id http1_target_judge(const char *target, size_t n, struct http1_target *out, char *path);
/** host[:port] with a name, an IPv4 or a bracketed IPv6 address. */
bool http1_host_valid(const char *host, size_t n);

/* ---- scanners (http1_head.c, http1_chunk.c) -------------------------------------------------------------------- */

enum http1_scan_result {
    HTTP1_SCAN_MORE,
    HTTP1_SCAN_LINE /**< start line complete */,
    HTTP1_SCAN_END,
    HTTP1_SCAN_BROKEN
};

struct http1_scan {
    uint8_t state;
    bool trailer;            /**< reads a trailer section: names are judged, nothing is kept */
    enum http1_rule_id rule; /**< of HTTP1_SCAN_BROKEN */
    size_t octets;           /**< of the section so far */
    size_t line_octets;      /**< of the line, or of the element of the start line */
    size_t lines;            /**< complete ones */
    size_t fields;
    size_t target, target_n; /**< offset and length in the section; requests */
    int minor;
    int status;
    size_t name_n; /**< trailers: octets of the name */
    char name[32];
    char method[24];
    char version[8];
};
void http1_scan_start(struct http1_scan *s, enum http1_kind kind);
void http1_scan_trailer(struct http1_scan *s);
/** Read on in a head or trailer section. *used: octets taken. */
enum http1_scan_result http1_scan(struct http1_scan *s, const struct http1_limits *limits, const char *data, size_t n,
                                  size_t *used);

struct http1_chunk_scan {
    uint8_t state;
    uint8_t digits;
    enum http1_rule_id rule;
    size_t extension; /**< octets of it */
    uint64_t size;
};
void http1_chunk_start(struct http1_chunk_scan *s);
/** Read a chunk line up to its CRLF. */
enum http1_scan_result http1_chunk_scan(struct http1_chunk_scan *s, const struct http1_limits *limits, const char *data,
                                        size_t n, size_t *used);

/* ---- the parser (http1.c) -------------------------------------------------------------------------------------- */

enum http1_phase {
    HTTP1_P_HEAD,
    HTTP1_P_GIVEN,  /**< head was handed out, the limit for the body may still be set */
    HTTP1_P_LENGTH, /**< content by Content-Length */
    HTTP1_P_CHUNK_LINE,
    HTTP1_P_CHUNK_DATA,
    HTTP1_P_CHUNK_END, /**< CRLF behind the data */
    HTTP1_P_TRAILER,
    HTTP1_P_INTERIM, /**< a 1xx was handed out */
    HTTP1_P_DONE,
    HTTP1_P_FAILED,
    HTTP1_P_ANY /**< number of phases */
};

struct http1 {
    enum http1_kind kind;
    enum http1_phase phase;
    struct http1_limits limits;
    uint64_t body_limit;
    uint64_t body_seen;
    uint64_t left;     /**< of the content or of the chunk */
    unsigned interim;  /**< 1xx seen before this head */
    bool head_request; /**< response to HEAD */
    bool end_cr;       /**< CR of the CRLF behind a chunk was seen */
    struct http1_scan scan;
    struct http1_chunk_scan chunk;
    cs_buf raw;                /**< the head as received; content of the typed head */
    char *path;                /**< owned: normalised path */
    struct http1_field *field; /**< owned */
    size_t n_field;
    uint16_t known_count[HTTP1_F_COUNT];
    uint16_t known_first[HTTP1_F_COUNT];
    struct http1_target target;
    struct http1_head head;
    struct http1_failure failure;
    /* second judge */
    llhttp_t llhttp;
    size_t judge_field;   /**< fields it reported */
    uint64_t judge_body;  /**< octets of content of this call */
    uint64_t judge_chunk; /**< size that it read from a chunk line */
    bool judge_chunk_seen;
    bool judge_done;
    bool judge_differs;
};

/** The first field of a known name; NULL: none. */
const struct http1_field *http1_known_field(const struct http1 *p, enum http1_known known);

#endif
