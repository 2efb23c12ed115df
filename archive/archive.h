/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive.h: bulk verification of stored messages, each as of its own time: what a run is asked for, what it judges
 * with, what comes out. Nothing here changes a keystore or speaks to a network.
 *
 * A run leaves a directory: run.json (what was asked) and results.ndjson (one record per item, in the order of the
 * walk). These two are the result; reports are made from them, also later.
 */
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/record.h"
#include "base/time.h"
#include "keystore/keystore.h"
#include "keystore/live.h"

/* ---- what a run is asked for --------------------------------------------------------------------------------------
 */

/** A list of texts. Owned. */
struct archive_texts {
    char **text;
    size_t n;
};
/** @return 0, or -1: no memory */
int archive_texts_add(struct archive_texts *t, const char *text) CS_MUST_CHECK;
void archive_texts_free(struct archive_texts *t);

/** What decides results: kept in run.json, so that a run goes on as it began. All owned (archive_order_free). */
struct archive_order {
    struct archive_texts path;     /**< operands as given; relative to directory */
    char *directory;               /**< where the run was started */
    char *partner;                 /**< NULL: auto */
    char *policy;                  /**< NULL: the partner's */
    cs_time as_of;                 /**< 0: each item's own time */
    struct archive_texts received; /**< --received-from, first one first */
    char *received_format;         /**< strptime; NULL: RFC 3339 or its basic form */
    char *received_zone;           /**< "+02:00" for texts without zone; NULL: UTC */
    bool trust_claimed;
    uint64_t max_member;    /**< octets of one payload */
    uint64_t max_ratio;     /**< unpacked to packed octets */
    uint64_t max_members;   /**< of one container */
    unsigned max_nesting;   /**< containers inside each other */
    int64_t item_ms;        /**< longest work on one item */
    char *ndjson_field;     /**< member that holds the payload; NULL: "payload" */
    bool ndjson_text;       /**< it holds text, else base64 */
    unsigned shard, shards; /**< shards 0: all items */
    bool has_expect_count;
    uint64_t expect_count;
    char *expect_manifest; /**< a file in the format of sha256sum; NULL: none */
    char *chain;           /**< "xroad", "countersign"; NULL: none */
    char *bundle;          /**< judged with this file in place of a keystore; NULL: none */
    char *bundle_key;      /**< who must have signed it, hexadecimal; NULL: anybody or nobody */
    /** slots of role trust-anchor: time-stamp tokens of these authorities prove when a message existed */
    struct archive_texts timestamp_anchors;
};
#define ARCHIVE_ORDER_INIT                                                                                             \
    {                                                                                                                  \
        .max_member = (uint64_t)64 << 20, .max_ratio = 200, .max_members = 10000000, .max_nesting = 3,                 \
        .item_ms = 10000                                                                                               \
    }
void archive_order_free(struct archive_order *o);

/** How the work is done; never changes a result. */
struct archive_means {
    unsigned jobs;   /**< workers; 0: one per core */
    uint64_t memory; /**< octets for payloads, done items and hashes; 0: 256 MiB */
    bool isolate;    /**< workers are processes of their own */
};

/* ---- what it judges with ------------------------------------------------------------------------------------------
 */

struct archive_partner {
    const char *name;
    struct wssec_policy *policy;
    const ks_chain_rule *chain; /**< NULL: only stored certificates count */
    const struct ks_partner_config
        *users; /**< whose user names are judged by their passwords; NULL: they are not looked at */
};

/** Everything borrowed and immutable for the length of a run. */
struct archive_court {
    const ks_snapshot *snapshot;
    const struct archive_partner *partner; /**< those that come into question; with --partner that one */
    size_t n_partner;
    struct wssec_policy *fallback; /**< for items that are nobody's */
    const char *const *decrypt;
    size_t n_decrypt; /**< slots; none: every one */
    cs_time now;      /**< when the run began */
    cs_time until;    /**< what is known ends here: nothing is said of later; 0: it does not end */
};

/* ---- what came out ------------------------------------------------------------------------------------------------
 */

/** run.json. Owned: archive_run_clear. */
struct archive_run {
    char id[ARCHIVE_RUN_ID];
    cs_time started;
    char version[32];         /**< of the program that began it */
    char policy_sha256[65];   /**< of all that the configuration says of policies and partners; "" no file */
    char facts_sha256[65];    /**< of what of it decides about a message at any time; "": not known */
    uint64_t generation;      /**< of the keystore */
    char keystore_sha256[65]; /**< of all certificates and their intervals; of a bundle: of its octets */
    struct archive_order order;
};
void archive_run_clear(struct archive_run *r);
/** A new id: time and 80 random bits. @return 0, or -1 */
int archive_run_id(cs_time now, char out[ARCHIVE_RUN_ID]) CS_MUST_CHECK;

struct archive_counts {
    uint64_t items, verdict[WSSEC_ERROR + 1]; /**< by enum wssec_result */
    uint64_t duplicates, octets;
    uint64_t source[WSSEC_TIME_MTIME + 1]; /**< items per time source */
    uint64_t left_behind;                  /**< items whose worker did not come back: do not tear down, end */
    uint64_t judged_by_signature;          /**< messages whose signature was computed in this call */
};

#endif
