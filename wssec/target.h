/* SPDX-License-Identifier: Apache-2.0 */
/* target.h: the parts of a message that are to be signed: where they stand and under which id they are referenced. */
#ifndef WSSEC_TARGET_H
#define WSSEC_TARGET_H

#include "wssec/worker.h"

#define WSSEC_ID_TEXT 34 /* '_' and 32 digits of 128 random bits */

struct wssec_target {
    char name[64];      /**< as shown in "covers" */
    xmlNodePtr node;    /**< in the input; NULL: an attachment, or a part that signing makes (Timestamp, token) */
    size_t attachment;  /**< part of the package, 0: none */
    const char *id;     /**< NCName, of an attachment its URI; borrowed from the tree or the arena */
    const char *splice; /**< attributes to add to the start tag, NULL: the element has an id already; arena */
    size_t at;          /**< where, as offset in the text of the scan */
};

struct wssec_targets {
    struct wssec_target row[WSSEC_MAX_REFERENCES];
    unsigned n;
};

/** '_' and 128 random bits. @return WSSEC_RC_OK, WSSEC_RC_INTERNAL: no randomness */
int wssec_id_new(char out[WSSEC_ID_TEXT]) WSSEC_MUST_CHECK;
/** The parts of a recipe in m: PART words (none: Body, and Timestamp when it makes one). Parts that signing makes get
 * the ids given. A part that is not there is refused unless it has a '?'. @return WSSEC_RC_OK, see why->reason;
 * WSSEC_RC_NOMEM */
int wssec_targets_find(struct wssec_arena *arena, const struct wssec_message *m, const struct wssec_package *package,
                       const struct wssec_recipe *recipe, const char *timestamp_id, const char *token_id,
                       const char *user_id, struct wssec_targets *out, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** The URI of a part with that Content-ID (RFC 2392). @return of the arena, NULL: no memory */
const char *wssec_cid(struct wssec_arena *arena, const char *id);
/** The namespace that a prefix (NULL: the default) means at node; NULL: none. */
const char *wssec_scope(const xmlNode *node, const char *prefix);
/** What the scanner recorded for Envelope, Header, Body or a header block. NULL: not recorded. */
const struct wssec_scan_element *wssec_place(const struct wssec_message *m, const xmlNode *node);

#endif
