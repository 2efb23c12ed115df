/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h: the seam to a database: what the keystore asks of it, as a table of functions. A driver keeps rows and
 * transactions; it decides nothing about certificates. One handle per thread.
 *
 * Every function with a cs_error gives 0, or -1 with the error filled; rc 1 where documented. Visitors return 0 to go
 * on, anything else to stop (handed through).
 */
#ifndef KS_STORE_H
#define KS_STORE_H

#include "keystore/audit.h"
#include "keystore/counts.h"
#include "keystore/keystore.h"
#include "keystore/lease.h"
#include "keystore/rules.h"

#define KS_ID      33 /* 32 hexadecimal digits */
#define KS_FOREVER INT64_MAX
#define KS_URI     512

struct ks_slot {
    int64_t slot_id;
    char alias[KS_WORD], partner[KS_WORD];
    enum ks_role role;
};

/** An entry as stored. */
struct ks_row {
    int64_t entry_id, slot_id;
    ks_info info; /**< last_use and uses summed from the use table */
    enum ks_state resume_state;
    bool suspended_too; /**< while compromised: suspended underneath */
    cs_time compromised_since, changed_at;
    uint8_t sha1[20], ski[64];
    size_t ski_len;
    const uint8_t *der, *chain; /**< borrowed: within the visit, or the caller's while adding */
    size_t der_len, chain_len;
    char key_id[KS_ID]; /**< "" no key */
};

struct ks_row_filter {
    const char *alias, *partner; /**< NULL: all */
    unsigned n;                  /**< 0: all */
    bool has_role;
    enum ks_role role;
    bool with_destroyed;
    uint64_t version_above; /**< changed after that generation only; 0: all */
    bool with_der;
    const uint8_t *spki; /**< of this key only (32 octets), NULL: all */
};

struct ks_interval {
    int64_t entry_id;
    enum ks_capability capability;
    cs_time from, to;            /**< to KS_FOREVER: open */
    uint64_t cause_seq, end_seq; /**< audit rows; end_seq 0: holds */
};

struct ks_key_row {
    char key_id[KS_ID], kek_id[KS_ID];
    uint8_t spki_sha256[32], nonce[12], tag[16];
    const uint8_t *ct; /**< borrowed as der above */
    size_t ct_len;
    cs_time created_at;
    char pkcs11_uri[KS_URI]; /**< "": sealed here; else where the token has it, and nothing is sealed */
};

struct ks_audit_row {
    uint64_t seq;
    cs_time at;
    const char *actor, *actor_kind, *verb, *object, *before, *after, *reason; /**< borrowed; NULL: none */
    const char *peer, *approver;                                              /**< the same */
    uint8_t prev_hash[32], hash[32];
};

struct ks_partner_row {
    char name[KS_WORD];
    int64_t guaranteed_delivery;
};

#define KS_PLACE 256
struct ks_node_row {
    char node[KS_WORD];
    char place[KS_PLACE];     /**< "host|admin socket|process"; "" not known */
    char build[32], conf[65]; /**< version of the program, hash of its configuration; "" not known */
    uint64_t applied;
    cs_time applied_at, clock_at;
};

/** A CRL as stored, without its octets. */
struct ks_crl_row {
    uint8_t sha256[32];
    const char *issuer; /**< borrowed; RFC 2253 text */
    cs_time this_update, next_update, added_at;
};

/** Who a TLS client is: a certificate and its user (entry_id), or names that a route lets in. */
struct ks_mapping_row {
    int64_t map_id;
    char route[KS_WORD], user[KS_WORD];
    const char *subject, *issuer; /**< of names: rules as text; borrowed */
    int64_t entry_id;             /**< of a certificate; 0: names. With alias, n and sha256 when read */
    char alias[KS_WORD];
    unsigned n;
    uint8_t sha256[32];
    cs_time from, to; /**< to KS_FOREVER: in force */
};

/** Uses as stored: of one node on one day, by_sender: of one sender of them. */
struct ks_use_row {
    char node[KS_WORD];
    bool by_sender;
    struct ks_count c;
};
#define KS_SENDERS_MAX 64

/** A certificate that a partner's messages bring and nobody stored. */
struct ks_seen_row {
    char partner[KS_WORD];
    uint8_t sha256[32];
    const uint8_t *der; /**< borrowed */
    size_t der_len;
    cs_time first_at, last_at;
    uint64_t n; /**< messages */
};

typedef int ks_visit_seen(void *ctx, const struct ks_seen_row *row, cs_error *e);
typedef int ks_visit_use(void *ctx, const struct ks_use_row *row, cs_error *e);
/** An entry that was removed and can be restored until its key is destroyed. */
struct ks_trash_row {
    int64_t entry_id;
    char alias[KS_WORD]; /**< with n: when read */
    unsigned n;
    cs_time at, until;
    char actor[64];
};

/** A verb that is to be carried out on an entry at an instant. */
/** Share of requests that are signed with an entry before it is activated. */
struct ks_canary_row {
    int64_t entry_id;
    char alias[KS_WORD];
    unsigned n;
    unsigned share; /**< per cent, 1 to 99 */
    cs_time since;
    char actor[64], reason[256];
};

struct ks_schedule_row {
    int64_t entry_id;
    char alias[KS_WORD]; /**< with n: when read */
    unsigned n;
    char verb[24];
    cs_time due_at, set_at;
    char actor[64], reason[256]; /**< reason "": none */
};

/** A key that is sealed already and waits for the certificate that was requested for it; one per slot. */
struct ks_request_row {
    int64_t slot_id;
    char alias[KS_WORD]; /**< with role: when read */
    enum ks_role role;
    unsigned n; /**< number that the entry will have */
    char key_id[KS_ID];
    char subject[512];
    const uint8_t *csr; /**< DER; borrowed */
    size_t csr_len;
    cs_time created_at;
    char actor[64];
};
typedef int ks_visit_request(void *ctx, const struct ks_request_row *row, cs_error *e);

/** A slot whose certificates are succeeded without a hand, or were. */
struct ks_auto_row {
    int64_t slot_id;
    char alias[KS_WORD]; /**< with role: when read */
    enum ks_role role;
    char settings[128]; /**< "on days=14 window=…", "off" */
    char pinning[16];   /**< "dn", "fingerprint" */
};
typedef int ks_visit_auto(void *ctx, const struct ks_auto_row *row, cs_error *e);
/** What was done, or failed, for an entry that was about to end. */
struct ks_renewal_row {
    int64_t predecessor, slot_id;
    unsigned successor; /**< number of the entry made; 0: none yet */
    cs_time at;
    int64_t attempts; /**< that failed */
    cs_time next_at;  /**< not tried again before */
    char error[256];
};

#define KS_REF 201
/** A message that waits somewhere and needs the entry when it is taken up again. */
struct ks_open_row {
    char ref[KS_REF];
    int64_t entry_id;
    char alias[KS_WORD]; /**< with n: when read */
    unsigned n;
    cs_time since;
    bool open;
};

typedef int ks_visit_trash(void *ctx, const struct ks_trash_row *row, cs_error *e);
typedef int ks_visit_canary(void *ctx, const struct ks_canary_row *row, cs_error *e);
typedef int ks_visit_schedule(void *ctx, const struct ks_schedule_row *row, cs_error *e);
typedef int ks_visit_open(void *ctx, const struct ks_open_row *row, cs_error *e);
typedef int ks_visit_row(void *ctx, const struct ks_row *row, cs_error *e);
typedef int ks_visit_interval(void *ctx, const struct ks_interval *i, cs_error *e);
typedef int ks_visit_audit(void *ctx, const struct ks_audit_row *row, cs_error *e);
typedef int ks_visit_partner(void *ctx, const struct ks_partner_row *row, cs_error *e);
typedef int ks_visit_crl(void *ctx, const struct ks_crl_row *row, cs_error *e);
typedef int ks_visit_mapping(void *ctx, const struct ks_mapping_row *row, cs_error *e);
typedef int ks_visit_hold(void *ctx, const ks_hold_info *row, cs_error *e);
typedef int ks_visit_key(void *ctx, const struct ks_key_row *row, const struct ks_slot *slot, cs_error *e);
/** names: what ks_kek_name gives for each source of the node, blanks between. */
typedef int ks_visit_node_keys(void *ctx, const char *node, cs_time clock_at, const char *names, cs_error *e);
#define KS_NODE_KEYS 64
typedef int ks_visit_node_use(void *ctx, const char *node, const ks_node_use *use, cs_error *e);
typedef int ks_visit_node(void *ctx, const struct ks_node_row *row, cs_error *e);

/** The content of a stored row, named "entry/5", as JSON: before a change (NULL: it was not there, or is not asked) and
 *  as it is now (NULL: it is gone). Borrowed. */
typedef int ks_visit_content(void *ctx, const char *object, const char *before, const char *now, cs_error *e);

/** A value of a stored row, borrowed. */
enum ks_value_kind { KS_VALUE_NULL, KS_VALUE_NUMBER, KS_VALUE_TEXT, KS_VALUE_OCTETS };
struct ks_value {
    enum ks_value_kind kind;
    int64_t number;
    const uint8_t *p; /**< text, octets */
    size_t n;
};
/** A row of a table; value NULL: the table begins. */
typedef int ks_visit_dump(void *ctx, const char *table, const char *const *column, const struct ks_value *value,
                          size_t n, cs_error *e);

struct ks_backend;         /* of the driver */
struct ks_notice_driver;   /* notice_store.h */
struct ks_rollover_driver; /* rollover_store.h */
struct ks_issuing_driver;  /* talk.h */

/** What a transaction is for. Upkeep is what a serving node writes without being asked (counters, its own row, the end
 *  of a window that grew): allowed in a store of the version before, too, where changes wait for the upgrade. */
enum ks_access { KS_READ = 0, KS_WRITE = 1, KS_UPKEEP = 2 };

struct ks_driver {
    const char *scheme; /**< what stands before ':' in a URI */
    /** Make the tables where there are none. *created tells. */
    int (*init)(const char *where, cs_time now, bool *created, cs_error *e);
    int (*open)(struct ks_backend **b, const char *where, bool read_only, int busy_ms, cs_error *e);
    void (*close)(struct ks_backend *b);
    /** Start a transaction; no other writer until the end of one that writes. Not writable: exit 69; KS_WRITE in a
     *  store of the version before: exit 78. */
    int (*begin)(struct ks_backend *b, enum ks_access access, cs_error *e);
    int (*version)(const struct ks_backend *b); /**< of the schema of the open store */
    /** Bring the tables to this version, within a transaction begun for upkeep. *from: the version before */
    int (*upgrade)(struct ks_backend *b, int *from, cs_error *e);
    int (*commit)(struct ks_backend *b, cs_error *e);
    void (*rollback)(struct ks_backend *b); /**< harmless outside of a transaction */
    /** Has another handle committed since the last call, or the store been replaced? @return 1, 0, -1 */
    int (*changed)(struct ks_backend *b, cs_error *e);
    void (*set_busy)(struct ks_backend *b, int ms);
    /** After key octets went: leave none of them in logs and free pages. */
    void (*scrub)(struct ks_backend *b);

    int (*meta_get)(struct ks_backend *b, const char *key, char *out, size_t size, cs_error *e); /**< 1 found, 0 none */
    int (*meta_set)(struct ks_backend *b, const char *key, const char *value, cs_error *e);
    int (*generation)(struct ks_backend *b, uint64_t *gen, cs_error *e);
    int (*generation_add)(struct ks_backend *b, uint64_t gen, cs_time at, const char *kind, const char *actor,
                          const char *reason, uint64_t audit_seq, cs_error *e);
    int (*generation_at)(struct ks_backend *b, cs_time at, uint64_t *gen, cs_error *e);
    int (*generation_seq)(struct ks_backend *b, uint64_t gen, uint64_t *audit_seq,
                          cs_error *e); /**< last audit row of gen or before */

    int (*slot_get)(struct ks_backend *b, const char *alias, struct ks_slot *out, cs_error *e); /**< 1 found, 0 none */
    int (*slot_add)(struct ks_backend *b, struct ks_slot *slot, uint64_t version, cs_error *e); /**< fills slot_id */
    /** What the slot calls itself nearest to name ("" none); kind: "alias" or "partner". */
    int (*nearest)(struct ks_backend *b, const char *kind, const char *name, char out[KS_WORD], cs_error *e);
    int (*last_n)(struct ks_backend *b, int64_t slot_id, unsigned *n, cs_error *e);
    int (*rows)(struct ks_backend *b, const struct ks_row_filter *f, ks_visit_row *visit, void *ctx, cs_error *e);
    int (*row_add)(struct ks_backend *b, struct ks_row *row, cs_error *e); /**< fills entry_id */
    int (*row_update)(struct ks_backend *b, const struct ks_row *row,
                      cs_error *e); /**< state, times, version, key_id */
    int (*interval_add)(struct ks_backend *b, const struct ks_interval *i, cs_error *e);
    /** Close one that holds, known by entry, capability, from and to, with end_seq. */
    int (*interval_end)(struct ks_backend *b, const struct ks_interval *i, cs_error *e);
    /** Those that hold; entry_id 0: of all entries changed after version_above. */
    int (*intervals)(struct ks_backend *b, int64_t entry_id, uint64_t version_above, ks_visit_interval *visit,
                     void *ctx, cs_error *e);
    /** Those of an entry that held after audit row known_seq. */
    int (*intervals_known)(struct ks_backend *b, int64_t entry_id, uint64_t known_seq, ks_visit_interval *visit,
                           void *ctx, cs_error *e);
    /** Entries acceptable to partner at an instant, as known after audit row known_seq. */
    int (*acceptable)(struct ks_backend *b, const char *partner, enum ks_capability c, cs_time at, uint64_t known_seq,
                      ks_visit_row *visit, void *ctx, cs_error *e);

    /* slot_id 0: of all slots */
    int (*trash_set)(struct ks_backend *b, const struct ks_trash_row *row, cs_error *e);
    int (*trash_remove)(struct ks_backend *b, int64_t entry_id, cs_error *e);
    int (*trash)(struct ks_backend *b, int64_t slot_id, ks_visit_trash *visit, void *ctx, cs_error *e); /**< by end */
    int (*schedule_set)(struct ks_backend *b, const struct ks_schedule_row *row,
                        cs_error *e); /**< one per entry, verb */
    int (*schedule_remove)(struct ks_backend *b, int64_t entry_id, const char *verb,
                           cs_error *e); /**< verb NULL: all */
    int (*schedules)(struct ks_backend *b, int64_t slot_id, ks_visit_schedule *visit, void *ctx,
                     cs_error *e);                                                         /**< by instant */
    int (*canary_set)(struct ks_backend *b, const struct ks_canary_row *row, cs_error *e); /**< one per entry */
    int (*canary_remove)(struct ks_backend *b, int64_t entry_id, cs_error *e);
    int (*canaries)(struct ks_backend *b, int64_t slot_id, ks_visit_canary *visit, void *ctx,
                    cs_error *e); /**< by alias, then number */
    int (*open_message_set)(struct ks_backend *b, const struct ks_open_row *row, cs_error *e);
    int (*open_messages)(struct ks_backend *b, int64_t slot_id, ks_visit_open *visit, void *ctx,
                         cs_error *e); /**< closed ones too, by age */

    int (*key_add)(struct ks_backend *b, const struct ks_key_row *k, cs_error *e);
    /** @return 1 found; ct is malloc'ed then and the caller's. 0 none */
    int (*key_get)(struct ks_backend *b, const char *key_id, struct ks_key_row *out, uint8_t **ct, cs_error *e);
    int (*key_destroy)(struct ks_backend *b, const char *key_id, cs_time now, cs_error *e);
    int (*keys)(struct ks_backend *b, ks_visit_key *visit, void *ctx, cs_error *e);   /**< all that are not destroyed */
    int (*key_reseal)(struct ks_backend *b, const struct ks_key_row *k, cs_error *e); /**< kek_id, nonce, ct, tag */
    int (*node_keys_set)(struct ks_backend *b, const char *node, const char *names, cs_time now, cs_error *e);
    int (*node_keys)(struct ks_backend *b, ks_visit_node_keys *visit, void *ctx, cs_error *e);

    int (*crl_add)(struct ks_backend *b, const struct ks_crl_row *row, const uint8_t *der, size_t n, cs_error *e);
    int (*crl_remove)(struct ks_backend *b, const uint8_t sha256[32], cs_error *e);
    int (*crls)(struct ks_backend *b, ks_visit_crl *visit, void *ctx, cs_error *e);
    /** @return 1 found; der is malloc'ed then and the caller's. 0 none */
    int (*crl_get)(struct ks_backend *b, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e);

    int (*approval_add)(struct ks_backend *b, ks_proposal *a, const char *plan, cs_error *e); /**< fills id */
    int (*approval_update)(struct ks_backend *b, const ks_proposal *a, cs_error *e);          /**< approver and times */
    /** By number (0: all) and plan hash (NULL: all), oldest first. */
    int (*approvals)(struct ks_backend *b, int64_t id, const uint8_t *plan_hash, ks_visit_proposal *visit, void *ctx,
                     cs_error *e);

    /** Rows of the audited tables (schema.h) that this transaction touched so far. A commit is refused (70) where rows
     *  were touched and not asked for here: nothing changes without its audit rows. */
    int (*touched_count)(struct ks_backend *b, uint64_t *n, cs_error *e);
    int (*touched)(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);
    /** All rows of the audited tables as they are. */
    int (*contents)(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);
    int (*audit_head)(struct ks_backend *b, uint64_t *seq, uint8_t hash[32], cs_error *e);
    int (*audit_hash)(struct ks_backend *b, uint64_t seq, uint8_t hash[32], cs_error *e); /**< 1 found, 0 none */
    int (*audit_add)(struct ks_backend *b, const struct ks_audit_row *row, cs_error *e);
    int (*audit_each)(struct ks_backend *b, ks_visit_audit *visit, void *ctx, cs_error *e);

    int (*partner_get)(struct ks_backend *b, const char *partner, struct ks_partner_row *out,
                       cs_error *e); /**< 1 found, 0 none */
    int (*partner_set)(struct ks_backend *b, const struct ks_partner_row *row, cs_error *e);
    int (*partners)(struct ks_backend *b, ks_visit_partner *visit, void *ctx, cs_error *e);
    int (*partner_routed)(struct ks_backend *b, const char *partner, bool *routed, cs_error *e);
    int (*alias_used)(struct ks_backend *b, const char *alias, bool *used, cs_error *e);
    /** The roll-over of a slot that is under way; 0: none. */
    int (*rollover_open)(struct ks_backend *b, int64_t slot_id, int64_t *roll_id, cs_error *e);
    int (*node_uses)(struct ks_backend *b, const char *node, const ks_node_use *use, size_t n, cs_error *e);
    int (*node_uses_each)(struct ks_backend *b, ks_visit_node_use *visit, void *ctx, cs_error *e); /**< by route */
    int (*node_set)(struct ks_backend *b, const struct ks_node_row *row, cs_error *e);
    int (*node_forget)(struct ks_backend *b, const char *node, cs_error *e);
    int (*nodes)(struct ks_backend *b, ks_visit_node *visit, void *ctx, cs_error *e);
    int (*lease_get)(struct ks_backend *b, const char *name, ks_lease *out, cs_error *e); /**< 1 found, 0 none */
    int (*lease_set)(struct ks_backend *b, const char *name, const ks_lease *row, cs_error *e);
    /** Add to the row of that certificate; a new one only while the partner has fewer than most. @return 1 new, 0, -1
     */
    int (*seen_add)(struct ks_backend *b, const struct ks_seen_row *row, unsigned most, cs_error *e);
    int (*seen)(struct ks_backend *b, const char *partner, ks_visit_seen *visit, void *ctx, cs_error *e); /**< by age */
    /** Count what a node observed of an object. */
    int (*observe)(struct ks_backend *b, const char *node, const char *kind, const char *object, uint64_t n, cs_time at,
                   cs_error *e);
    /** Add to the counters of an entry on a node and day, and of the sender: of each entry, node and day at most
     *  KS_SENDERS_MAX by name, the others as "". An entry that is not there is passed over. */
    int (*use_add)(struct ks_backend *b, const char *node, const struct ks_count *c, cs_error *e);
    /** Rows of one entry from a day on: days first, then senders. */
    int (*uses)(struct ks_backend *b, int64_t entry_id, int64_t from_day, ks_visit_use *visit, void *ctx, cs_error *e);
    /** Names of senders that are older than half a year go. */
    int (*use_prune)(struct ks_backend *b, cs_time now, cs_error *e);

    int (*mapping_add)(struct ks_backend *b, struct ks_mapping_row *row, cs_error *e); /**< fills map_id */
    int (*mapping_end)(struct ks_backend *b, int64_t map_id, cs_time to, cs_error *e);
    int (*mappings)(struct ks_backend *b, ks_visit_mapping *visit, void *ctx,
                    cs_error *e); /**< by number, retired too */

    /** Every row of every table but what nodes say of themselves. */
    int (*dump)(struct ks_backend *b, ks_visit_dump *visit, void *ctx, cs_error *e);
    /** Within a write transaction: all tables empty and unguarded, rows into them, guards again. */
    int (*load_begin)(struct ks_backend *b, cs_error *e);
    int (*load)(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                size_t n, cs_error *e);
    int (*load_end)(struct ks_backend *b, cs_error *e);

    int (*request_add)(struct ks_backend *b, const struct ks_request_row *row, cs_error *e);
    int (*request_remove)(struct ks_backend *b, int64_t slot_id, cs_error *e);
    int (*requests)(struct ks_backend *b, int64_t slot_id, ks_visit_request *visit, void *ctx,
                    cs_error *e); /**< by alias; slot_id 0: of all slots */

    int (*auto_set)(struct ks_backend *b, const struct ks_auto_row *row, uint64_t version, cs_error *e);
    /** By alias; alias NULL: of all slots. */
    int (*autos)(struct ks_backend *b, const char *alias, ks_visit_auto *visit, void *ctx, cs_error *e);
    int (*renewal_get)(struct ks_backend *b, int64_t predecessor, struct ks_renewal_row *out,
                       cs_error *e); /**< 1 found, 0 none */
    int (*renewal_set)(struct ks_backend *b, const struct ks_renewal_row *row, cs_error *e);

    int (*hold_add)(struct ks_backend *b, const ks_hold_info *row, cs_error *e);
    int (*hold_remove)(struct ks_backend *b, const char *route, cs_error *e);
    int (*holds)(struct ks_backend *b, ks_visit_hold *visit, void *ctx, cs_error *e); /**< by route */
    const struct ks_notice_driver *notices;
    const struct ks_rollover_driver *rollovers;
    const struct ks_issuing_driver *issuing; /**< talk.h; NULL: none is kept */
};

extern const struct ks_driver ks_driver_sqlite;
/** "memory:NAME": in this process, for tests. Any thread. */
const struct ks_driver *ks_driver_memory(void);

struct ks_store {
    const struct ks_driver *driver;
    struct ks_backend *b;              /**< owned */
    char *uri;                         /**< owned */
    char *kek_file;                    /**< owned: beside the store, used where no source is configured */
    ks_kek_source kek[KS_KEK_SOURCES]; /**< owned strings */
    size_t n_kek;
    ks_options options; /**< its strings are not used from here */
    /* the end of the log as this transaction leaves it, for its checkpoint; log_seq 0: nothing was written */
    uint64_t log_seq, log_generation;
    cs_time log_at;
    uint8_t log_hash[32];
    bool reading;        /**< between ks_reading_begin and ks_reading_end: what only looks begins nothing of its own */
    EVP_PKEY *audit_key; /**< owned; signs checkpoints; NULL: not read yet */
};

/* ---- shared by the files of this folder ------------------------------------------------------------------------ */

/** Take over the sources of the key-encryption key. The thread of the store. @return 0, or -1: no memory */
int ks_store_sources(ks_store *s, const ks_options *opt) CS_MUST_CHECK;
/** Terms in force: the store's, or those the caller opened it with. partner NULL or "": none of its own. */
int ks_terms_read(ks_store *s, const char *partner, struct ks_terms *out, cs_error *e) CS_MUST_CHECK;
/** The slot as a view for the rules, within the caller's transaction. Destroyed entries left out. */
int ks_view_read(ks_store *s, const struct ks_slot *slot, struct ks_view *out, cs_error *e) CS_MUST_CHECK;
/** The same without entries in a view that is all zero, and one entry more: for who has the rows already. */
int ks_view_begin(ks_store *s, const struct ks_slot *slot, struct ks_view *out, cs_error *e) CS_MUST_CHECK;
int ks_view_add(struct ks_view *v, const struct ks_row *row, cs_error *e) CS_MUST_CHECK;
/** Fields of a row that the rules need. */
void ks_view_of_row(const struct ks_row *row, struct ks_view_entry *out);
/** Append an audit row to the chain within the caller's write transaction. Fills seq, prev_hash, hash. */
int ks_audit_append(ks_store *s, struct ks_audit_row *row, cs_error *e) CS_MUST_CHECK;
/** Number the change: generation, and the audit rows with the content of all rows that it touched; the generation is
 *  bound to the last of them. The last step before the commit. audit_seq: of the change's own audit row. */
int ks_generation_next(ks_store *s, cs_time now, const char *kind, const ks_actor *who, uint64_t audit_seq,
                       uint64_t gen, cs_error *e) CS_MUST_CHECK;

/** What the audit key signs of a bundle: a word and the hash of its body. @return its length, or -1 */
#define KS_BUNDLE_STATEMENT 96
int ks_bundle_statement(const char *data, size_t n, char out[KS_BUNDLE_STATEMENT]);

#endif
