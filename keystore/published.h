/* SPDX-License-Identifier: Apache-2.0 */
/*
 * published.h: what partners may take from us without asking a person: own public certificates that are in use or will
 * be, and trust anchors. Certificates of others are never among them.
 */
#ifndef KS_PUBLISHED_H
#define KS_PUBLISHED_H

#include "keystore/keystore.h"
#include "keystore/live.h"

/** As one JSON object: generation, certificates with alias, role, state, fingerprint, dates and PEM, leaf first. Any
 *  thread. @return 0, or -1: no memory */
int ks_published(const ks_snapshot *s, cs_buf *out) CS_MUST_CHECK;
/** A partner took them all: the evidence `fetched` of each. */
int ks_published_taken(ks_store *s, const ks_snapshot *snapshot, const char *node, cs_time now,
                       cs_error *e) CS_MUST_CHECK;

#endif
