/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h: the inside of a snapshot, shared by its builder (snapshot.c), the selection of candidates (select.c), use
 * counters (use.c) and the follower (watch.c). Everything but the counters is immutable once published.
 */
#ifndef KS_SNAPSHOT_H
#define KS_SNAPSHOT_H

#include <stdatomic.h>

#include "base/dn.h"
#include "keystore/store.h"

/** What became of requests while a share of them is signed with the entry: [0] with the active one, [1] with this. */
struct ks_canary_count {
    atomic_ullong turn;
    atomic_ullong answered[2], refused[2];
    atomic_llong since; /**< the share that they belong to */
    uint64_t told;      /**< sum that the store has; watch thread only */
};

/** What never changes of an entry, parsed once and shared by all generations; with the newest use in this process. */
struct ks_material {
    atomic_uint refs;
    int64_t entry_id;
    char alias[KS_WORD], partner[KS_WORD];
    unsigned n;
    enum ks_role role;
    char key_id[KS_ID];
    uint8_t sha256[32], sha1[20], spki_sha256[32], ski[64];
    size_t ski_len;
    char serial[80];
    cs_dn *issuer;        /**< owned */
    uint8_t *der, *chain; /**< owned */
    size_t der_len, chain_len;
    X509 *certificate;                  /**< owned; roles tls-client, tls-server and trust-anchor, else NULL */
    STACK_OF(X509) * issuers;           /**< owned; of those roles; NULL: none */
    EVP_PKEY *public_key, *private_key; /**< owned; private_key NULL: none, or not to be opened */
    struct ks_canary_count canary;
    atomic_llong last_use; /**< newest use seen by this process; 0: none */
};

struct ks_crl;      /* crl.h */
struct ks_keyring;  /* kek.h */
struct ks_mappings; /* mapping.h */

struct ks_span {
    enum ks_capability capability;
    cs_time from, to;
};

struct ks_spans {
    atomic_uint refs; /**< snapshots that share them */
    struct ks_span span[];
};

struct ks_entry {
    struct ks_material *m; /**< a reference */
    enum ks_state state;   /**< compromised too where another entry of the key is */
    enum ks_state stored;  /**< as the store has it, with its compromised_since */
    cs_time stored_since;
    cs_time not_before, not_after, activated_at, exchanged_at, process_stop, last_use, compromised_since;
    unsigned share; /**< per cent of requests that are signed with it although it is pre-active; 0: none */
    cs_time share_since;
    struct ks_terms terms;  /**< in force for its partner */
    struct ks_spans *spans; /**< a reference; NULL: none */
    struct ks_span *span;   /**< in spans */
    size_t n_span;
};

struct ks_snapshot {
    atomic_uint refs;
    uint64_t generation;
    uint64_t log_seq; /**< end of the audit log that belongs to it */
    uint8_t log_hash[32];
    struct ks_entry *entry; /**< owned; by alias, then number */
    size_t n;
    const char **partner;  /**< owned array of names, sorted, NULL-terminated */
    char (*name)[KS_WORD]; /**< owned: those that no entry has; the others stand in their material */
    size_t n_partner;
    uint32_t *verifier;          /**< entries of role verifier, by partner (same order as `partner`) */
    uint32_t *first;             /**< n_partner + 1 offsets into verifier */
    uint32_t *hash, hash_size;   /**< open addressing over verifier entries by SHA-256 of the certificate: index + 1 */
    uint32_t *by_id, by_id_size; /**< the same over all entries by their number in the store */
    uint32_t *crypt;             /**< entries of roles decrypt and encrypt-to */
    size_t n_crypt;
    struct ks_crl **crl; /**< owned array of references */
    size_t n_crl;
    size_t n_canary;    /**< entries with a share */
    ks_hold_info *hold; /**< owned; by route */
    size_t n_hold;
    struct ks_mappings *mappings; /**< a reference; NULL: none */
};

/** Parse what row says of an entry, open its key where its state may need it, its key-encryption key out of ring (one
 * that cannot be opened leaves the entry without, or under KS_KEYS_NEED fails). @return a reference, or NULL */
struct ks_material *ks_material_new(ks_store *s, struct ks_keyring *ring, const struct ks_row *row, cs_error *e);
/** Does an entry in this state work with its private key? */
bool ks_material_opens(const struct ks_row *row);
void ks_material_release(struct ks_material *m);

/** Build the snapshot that the store holds now, taking over what did not change from old (may be NULL). */
int ks_snapshot_build(ks_store *s, const ks_snapshot *old, const ks_snapshot **out, cs_error *e) CS_MUST_CHECK;
/** Position of the partner in s->partner, or -1. */
ptrdiff_t ks_snapshot_partner(const ks_snapshot *s, const char *partner);
/** First entry of the slot, NULL: no such slot with entries. Others of the slot follow. */
const ks_entry *ks_snapshot_slot(const ks_snapshot *s, const char *alias);
/** Process stop with the uses that this process has seen itself. 0: not deactivated. */
cs_time ks_entry_stop(const ks_entry *e);
/** Build the indexes over s->entry. partner: of the store, sorted by name. */
int ks_snapshot_index(ks_snapshot *s, const struct ks_partner_row *partner, size_t n, cs_error *e) CS_MUST_CHECK;
void ks_snapshot_index_free(ks_snapshot *s);
/** The entry of that number in the store, NULL: not in s. */
const ks_entry *ks_snapshot_entry(const ks_snapshot *s, int64_t entry_id);

#endif
