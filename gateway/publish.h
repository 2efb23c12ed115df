/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.h: /.well-known/countersign/certs on a listener with `publish certificates;`: own public certificates, in use
 * or soon to be, so that a partner's machine can follow them.
 */
#ifndef GW_PUBLISH_H
#define GW_PUBLISH_H

#include "gateway/exchange.h"

#define PUBLISH_PATH "/.well-known/countersign/certs"

/** What was written for a generation; shared by the loops. */
struct publish {
    pthread_mutex_t lock;
    uint64_t generation; /**< of text; 0: none yet. Under lock, as text and tag */
    cs_buf text;
    char tag[70];           /**< ETag, with its quotes */
    _Atomic uint64_t taken; /**< generation that an identified partner took, and nobody wrote down yet; 0: none */
};
int publish_init(struct publish *p);
void publish_free(struct publish *p);

/** Is this request answered here? Then it has been, and is over. */
bool publish_answer(struct exchange *ex);
/** Fetch thread: what partners took is written down. */
void publish_note(struct publish *p, const struct runtime *rt, ks_store *store, const char *node, cs_time now);

#endif
