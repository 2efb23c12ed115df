/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: the inside of struct wssec_policy, for the judges of this folder. Read-only after freeze; any thread.
 * Built by policy.c from the directive words of the configuration.
 */
#ifndef WSSEC_POLICY_H
#define WSSEC_POLICY_H

#include <stdatomic.h>

#include "wssec/alg.h"
#include "wssec/wssec.h"

enum wssec_part_kind {
    WSSEC_PART_BODY,
    WSSEC_PART_TIMESTAMP,
    WSSEC_PART_TOKEN /**< BinarySecurityToken */,
    WSSEC_PART_SIGNATURE,
    WSSEC_PART_USERNAME_TOKEN,
    WSSEC_PART_WSA,     /**< header block local in either WS-Addressing namespace */
    WSSEC_PART_ELEMENT, /**< header block {ns}local */
    WSSEC_PART_ATTACHMENTS
};

struct wssec_part {
    enum wssec_part_kind kind;
    bool optional;  /**< written with a trailing '?': to be signed if present */
    char ns[192];   /**< WSSEC_PART_ELEMENT only */
    char local[64]; /**< WSSEC_PART_WSA, WSSEC_PART_ELEMENT */
    char name[64];  /**< as shown in "covers" and details: Body, wsa:To, {ns}local (by its end, to fit), without '?' */
};

/** Read a PART word. @return 0, or -1 and a sentence in err */
int wssec_part_parse(const char *text, struct wssec_part *part, char *err, size_t errsize) WSSEC_MUST_CHECK;

#define WSSEC_NS_WSA      "http://www.w3.org/2005/08/addressing"
#define WSSEC_NS_WSA_2004 "http://schemas.xmlsoap.org/ws/2004/08/addressing"

struct wssec_limits { /** Counts and octets; a value above the limit is refused. */
    uint64_t body, dom, text, header, start_tag, name, part_header;
    uint32_t depth, attributes, namespaces, header_nodes, ids, references, transforms, signatures, encrypted,
        candidates, parts;
};

enum wssec_encodings { WSSEC_ENC_UTF8 = 1, WSSEC_ENC_UTF16 = 2, WSSEC_ENC_LATIN1 = 4 };
enum wssec_expired { WSSEC_EXPIRED_AT_SIGNING, WSSEC_EXPIRED_REFUSE, WSSEC_EXPIRED_GRACE };
enum wssec_allow {
    WSSEC_ALLOW_UNSIGNED_FAULTS = 1,
    WSSEC_ALLOW_MISSING_KEY_INFO = 2,
    WSSEC_ALLOW_UNSIGNED_ATTACHMENTS = 4
};
enum wssec_policy_engine { WSSEC_POLICY_AUTO, WSSEC_POLICY_XMLSEC };

enum wssec_bsp { WSSEC_BSP_OFF, WSSEC_BSP_WARN, WSSEC_BSP_ENFORCE };

#define WSSEC_MAX_PARTS 32

struct wssec_policy {
    atomic_uint refs;
    bool frozen;
    char name[65];
    unsigned n_required;
    struct wssec_part required[WSSEC_MAX_PARTS]; /**< default: Body, Timestamp? */
    bool timestamp_required;
    int64_t ttl, skew;                               /**< seconds */
    uint32_t signature_mask, digest_mask, c14n_mask; /**< bit = index of the alg.h row; legacy rows are not in here */
    unsigned encodings;                              /**< enum wssec_encodings */
    unsigned allow;                                  /**< enum wssec_allow */
    int64_t legacy_end[WSSEC_LEGACIES]; /**< first instant at which the exception is over; 0: no exception */
    unsigned minimum_rsa;               /**< bits */
    bool replay, replay_said;
    bool confirmation_required; /**< a reply to a request that we signed must confirm its signatures */
    enum wssec_bsp bsp;         /**< rules of the Basic Security Profile 1.1: passed over, noted, demanded */
    bool comments_allowed;      /**< comments and processing instructions inside signed parts */
    enum wssec_policy_engine engine;
    uint32_t cross_check_ppm; /**< share of live messages judged by both engines, in millionths */
    enum wssec_expired expired;
    int64_t grace; /**< seconds, with WSSEC_EXPIRED_GRACE */
    struct wssec_limits limits;
};

enum wssec_dated { WSSEC_DATED_ABSENT, WSSEC_DATED_IN_FORCE, WSSEC_DATED_OVER };
/** Is the dated exception in force at the instant t (the "t" of the verdict)? */
enum wssec_dated wssec_policy_legacy(const struct wssec_policy *p, enum wssec_legacy l, int64_t t);

/**
 * May this algorithm be used at t? @return WSSEC_OK, or the reason why not (algorithm-forbidden, legacy-ended).
 * *used: the exception that made it acceptable, WSSEC_LEGACY_NONE: none needed (for v->legacy).
 */
enum wssec_reason wssec_policy_signature(const struct wssec_policy *p, const struct wssec_signature_alg *a, int64_t t,
                                         enum wssec_legacy *used);
enum wssec_reason wssec_policy_digest(const struct wssec_policy *p, const struct wssec_digest_alg *a, int64_t t,
                                      enum wssec_legacy *used);
/** WSSEC_OK or WSSEC_CANONICALIZATION_FORBIDDEN. */
enum wssec_reason wssec_policy_c14n(const struct wssec_policy *p, const struct wssec_c14n_alg *a);
/** Length of the signer's key: WSSEC_OK, WSSEC_KEY_TOO_SHORT or legacy-ended; also refuses RSA above 16384 bits and
 * curves outside P-256/384/521. */
enum wssec_reason wssec_policy_key(const struct wssec_policy *p, const EVP_PKEY *key, int64_t t,
                                   enum wssec_legacy *used);

#endif
