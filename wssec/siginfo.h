/* SPDX-License-Identifier: Apache-2.0 */
/* siginfo.h: ds:Signature -> a plain struct, after the exact shape and every algorithm were judged (step 7). */
#ifndef WSSEC_SIGINFO_H
#define WSSEC_SIGINFO_H

#include "wssec/package.h"
#include "wssec/sec.h"

struct wssec_reference { /** One ds:Reference; nodes borrowed from the tree, the rest from tables or the arena. */
    const xmlChar *uri;  /**< "#id" */
    xmlNodePtr target;   /**< what the id names; NULL: an attachment */
    size_t attachment;   /**< part of the package; 0: none */
    enum wssec_attachment_form form;
    const struct wssec_digest_alg *digest;
    uint8_t value[64]; /**< digest->octets octets */
    const struct wssec_c14n_alg *c14n;
    xmlChar **prefix;   /**< NULL: none */
    bool str_transform; /**< target is a SecurityTokenReference that stands for its token */
    bool enveloped;     /**< an enveloped-signature transform that does nothing */
};

struct wssec_siginfo {
    xmlNodePtr node, signed_info, key_info,
        str; /**< key_info NULL: none; str: SecurityTokenReference right in the Signature (bare-str) */
    const struct wssec_c14n_alg *c14n;
    xmlChar **prefix;
    const struct wssec_signature_alg *algorithm;
    struct wssec_slice value; /**< SignatureValue, decoded */
    struct wssec_reference reference[WSSEC_MAX_REFERENCES];
    unsigned n_reference;
};

/** Read and judge signature; out is zeroed first. @return WSSEC_RC_OK, see r->why; WSSEC_RC_NOMEM */
int wssec_siginfo_read(const struct wssec_key_reader *r, xmlNodePtr signature,
                       struct wssec_siginfo *out) WSSEC_MUST_CHECK;

#endif
