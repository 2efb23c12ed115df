/* SPDX-License-Identifier: Apache-2.0 */
/* siginfo.h: ds:Signature -> a plain struct, after the exact shape and every algorithm were judged (step 7). */
#ifndef WSSEC_SIGINFO_H
#define WSSEC_SIGINFO_H

#include "wssec/package.h"
#include "wssec/sec.h"

struct wssec_reference { /** One ds:Reference; nodes borrowed from the tree, the rest from tables or the arena. */
    const xmlChar *uri;  /**< "#id" */
    xmlNodePtr target;   /**< what the id names; NULL: an attachment, or a file */
    size_t attachment;   /**< part of the package; 0: none */
    bool named;          /**< it names a file beside the signature (r->files) … */
    size_t file;         /**< … this one, counted from 1; 0: none of that name is there */
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
        str;           /**< key_info NULL: none; str: SecurityTokenReference right in the Signature (bare-str) */
    xmlNodePtr object; /**< of a detached signature, the only ds:Object; NULL: none */
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
/** The References of a ds:Manifest to files; out is zeroed first. @return as wssec_siginfo_read */
int wssec_manifest_read(const struct wssec_key_reader *r, xmlNodePtr manifest,
                        struct wssec_siginfo *out) WSSEC_MUST_CHECK;
/** Judge a ds:DigestMethod and the octets of its ds:DigestValue (at most 64). @return as wssec_siginfo_read */
int wssec_digest_read(const struct wssec_key_reader *r, const xmlNode *method, const xmlNode *value,
                      const struct wssec_digest_alg **alg, uint8_t octets[64]) WSSEC_MUST_CHECK;
/** Place of the file that a URI names, counted from 1; a '/' in front says nothing. @return 0: there is none */
size_t wssec_file_named(const struct wssec_container *files, const xmlChar *uri);

#endif
