/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hashchain.h: batch signatures of X-Road: what is signed is a HashChainResult, and a HashChain leads from it to the
 * files of one message (Profile for High-Performance Digital Signatures). A step is the DER list of its values; its
 * digest stands in the step above, that of the first step in the result.
 */
#ifndef WSSEC_HASHCHAIN_H
#define WSSEC_HASHCHAIN_H

#include "wssec/key.h"

struct wssec_chained {  /** A file at an end of the chain. */
    const xmlChar *uri; /**< of the arena */
    size_t file;        /**< counted from 1; 0: none of that name is there */
    const struct wssec_digest_alg *digest;
    uint8_t value[64]; /**< what it should have */
};

struct wssec_hashchain {
    bool is_one;               /**< the file is a HashChainResult */
    size_t chain;              /**< the file that holds the steps, counted from 1 */
    struct wssec_chained *end; /**< of the arena */
    size_t n_end;
};

/** Read the file (counted from 1) as a HashChainResult and follow its chain: only ends that it really leads to are
 *  given, and their files are not looked at. No HashChainResult: out->is_one false, nothing refused.
 *  @return WSSEC_RC_OK, see j->why (hash-chain-broken, algorithm-forbidden …); else an error of ours */
int wssec_hashchain_read(struct wssec_judge *j, size_t file, struct wssec_hashchain *out) WSSEC_MUST_CHECK;

#endif
