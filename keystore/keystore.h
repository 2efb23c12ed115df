/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore.h: certificates and keys with a life: slots, entries, states, guarded transitions, retention, audit.
 *
 * Nothing here starts a thread or reads a clock: every decision takes now. A ks_store belongs to one thread. Snapshots
 * are immutable and reference-counted; any thread may hold one. Every function with a cs_error returns 0, or -1 with
 * the error filled (exit code, reason, sentence); "all or nothing" holds for every change.
 */
#ifndef KS_KEYSTORE_H
#define KS_KEYSTORE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/dn.h"
#include "base/error.h"
#include "base/time.h"

/* ---- words ---------------------------------------------------------------------------------------------------- */

enum ks_role {
    KS_VERIFIER,
    KS_ENCRYPT_TO,
    KS_SIGN,
    KS_DECRYPT,
    KS_TLS_CLIENT,
    KS_TLS_SERVER,
    KS_TRUST_ANCHOR,
    KS_AUTHZ_CLIENT,
    KS_ROLES
};
enum ks_state {
    KS_PRE_ACTIVE,
    KS_ACTIVE,
    KS_DEACTIVATED,
    KS_ARCHIVED,
    KS_SUSPENDED,
    KS_COMPROMISED,
    KS_DESTROYED,
    KS_STATES
};
/** What an entry may be used for at an instant; interval rows carry one of these. */
enum ks_capability {
    KS_CAN_VERIFY,
    KS_CAN_SIGN,
    KS_CAN_DECRYPT,
    KS_CAN_ENCRYPT,
    KS_CAN_PRESENT,
    KS_CAN_ANCHOR,
    KS_CAN_AUTHORIZE,
    KS_CAPABILITIES
};
/** T1..T10 of the life cycle. */
enum ks_transition {
    KS_T1_RECEIVE = 1,
    KS_T2_ACTIVATE,
    KS_T3_DEACTIVATE,
    KS_T4_ROLL_BACK,
    KS_T5_RETIRE,
    KS_T6_REOPEN,
    KS_T7_SUSPEND,
    KS_T8_COMPROMISE,
    KS_T9_DESTROY,
    KS_T10_DISCARD
};
/** G1..G14; numbers are stable. */
enum ks_guard {
    KS_G1_ONE_ACTIVE = 1,
    KS_G2_LIMIT_TWO,
    KS_G3_LAST_ACCEPTABLE,
    KS_G4_OVERLAP,
    KS_G5_KEY_MATCH,
    KS_G6_DISTRIBUTION,
    KS_G7_INACTIVE_ONLY,
    KS_G8_RETENTION,
    KS_G9_EVIDENCE,
    KS_G10_TWO_PERSONS,
    KS_G11_PROBE,
    KS_G12_REVOCATION,
    KS_G13_ONE_ROLLOVER,
    KS_G14_BACKUP
};

const char *ks_role_word(enum ks_role r);
const char *ks_state_word(enum ks_state s);
const char *ks_capability_word(enum ks_capability c);
const char *ks_guard_word(enum ks_guard g);           /**< "one-active", "retention" … */
int ks_role_parse(const char *word, enum ks_role *r); /**< @return 0, or -1 */
int ks_state_parse(const char *word, enum ks_state *s);

/* ---- store ---------------------------------------------------------------------------------------------------- */

typedef struct ks_store ks_store;
typedef struct ks_live ks_live; /* a running process that follows a store */

/** Where the key-encryption key comes from. where: a path, a credential's name, a "pkcs11:" address. */
enum ks_kek_kind { KS_KEK_FILE, KS_KEK_CREDENTIAL, KS_KEK_PASSPHRASE, KS_KEK_PKCS11 };
typedef struct ks_kek_source {
    enum ks_kek_kind kind;
    const char *where;
} ks_kek_source;
#define KS_KEK_SOURCES 2 /* the one in force, or to be, and the one before */

/** What becomes of private keys that do not open when a snapshot is built. */
enum ks_keys {
    KS_KEYS_TRY, /**< the entry stands without key (commands that may need none) */
    KS_KEYS_NEED /**< no snapshot: exit 78 */
};

typedef struct ks_options {
    int64_t retention;           /**< seconds; 0: what the store was told last, else 90 d */
    int64_t guaranteed_delivery; /**< seconds; 0: what the store was told last, else 14 d */
    ks_kek_source kek[KS_KEK_SOURCES];
    size_t n_kek; /**< 0: PATH.kek beside an SQLite store. Copied by ks_open */
    enum ks_keys keys;
    int busy_ms; /**< how long a write waits for another writer; 0: 10,000 */
    bool read_only;
    const char *node;  /**< ks_live_open: name of this node; NULL: the host's */
    const char *place; /**< ks_live_open: admin socket, which tells two nodes of a host apart; NULL: none */
    /** Private keys are elsewhere: gives what stands for that of alias#n, NULL: none can. Any thread. NULL: keys are
     * opened here. */
    EVP_PKEY *(*lend)(void *ctx, const char *alias, unsigned n, EVP_PKEY *public_key);
    void *lend_ctx;
    bool time_given; /**< now is not the clock's: not held against it, and no witness of it */
} ks_options;

#define KS_RETENTION_FLOOR (90 * CS_DAY)

/** Make an empty store (and PATH.kek, mode 0600). On a store of this version: changes nothing, *created false. */
int ks_init(const char *uri, const ks_options *opt, cs_time now, bool *created, cs_error *e) CS_MUST_CHECK;
/** Open "sqlite:PATH". Missing, corrupt, of another version: exit 78; locked, unreachable, not writable when written:
 * exit 69. */
int ks_open(ks_store **out, const char *uri, const ks_options *opt, cs_error *e) CS_MUST_CHECK;
/** A store that is used again and again by one thread: *kept is opened when it is NULL, and anew when another file took
 * the place of its own. All options but read_only hold from now on. @return 0, or -1 as ks_open, with *kept NULL */
int ks_keep_open(ks_store **kept, const char *uri, const ks_options *opt, cs_error *e) CS_MUST_CHECK;
void ks_close(ks_store *s);
uint64_t ks_generation(ks_store *s);
#define KS_SCHEMA_VERSION 2 /* of the tables that this release makes; it works with the version before, too */
/** Of the open store: this release's, or the one before. A store of the version before is read and followed, nodes
 * report into it; it is changed only after ks_upgrade (exit 78 until then). */
int ks_schema_version(const ks_store *s);

/* ---- entries as data ------------------------------------------------------------------------------------------ */

/** What may be done to an entry. */
enum ks_verb {
    KS_DO_ACTIVATE,
    KS_DO_DEACTIVATE,
    KS_DO_SUSPEND,
    KS_DO_RESUME,
    KS_DO_RETIRE,
    KS_DO_REMOVE,
    KS_DO_REOPEN,
    KS_DO_COMPROMISE,
    KS_DO_CLEAR /**< compromise --undo */,
    KS_DO_RESTORE /**< out of the trash */,
    KS_DO_DISCARD /**< for good */,
    KS_VERBS
};
const char *ks_verb_word(enum ks_verb v); /**< "activate" … */
#define KS_PLANNED 6                      /* verbs of one entry that can wait for an instant */

#define KS_SENDER 64 /* octets of a sender's name: address, user or host of the other side; longer ones are cut */
#define KS_WORD   65 /* alias, partner: [A-Za-z0-9._-], at most 64 octets */

typedef struct ks_info { /** One entry, copied out of the store. */
    char alias[KS_WORD], partner[KS_WORD];
    unsigned n;
    enum ks_role role;
    enum ks_state state;
    uint8_t sha256[32], spki_sha256[32];
    char subject[512], issuer[512], serial[80]; /**< RFC 2253; decimal serial */
    char key_algorithm[16];
    int key_bits; /**< "RSA" 2048; "EC" 256; "Ed25519" 256 */
    cs_time not_before, not_after, created_at, activated_at, exchanged_at, process_stop, last_use; /**< 0: none */
    uint64_t uses;
    bool has_key;
    uint64_t version;
    cs_time trash_until; /**< removed, and can be restored so long; 0: not in the trash */
    struct ks_planned {
        enum ks_verb verb;
        cs_time at;
    } planned[KS_PLANNED];
    size_t n_planned; /**< verbs that wait for their instant, the next one first */
    unsigned share;   /**< per cent of requests signed with it before it is activated; 0: none */
} ks_info;

typedef struct ks_list {
    ks_info *info;
    size_t n;
} ks_list;
void ks_list_free(ks_list *l);

typedef struct ks_filter {
    const char *alias;
    unsigned n; /**< 0: all */
    const char *partner;
    bool has_role;
    enum ks_role role;
    bool has_state;
    enum ks_state state;
    bool with_destroyed;
} ks_filter;
/** Entries by alias, then number. An unknown alias in the filter: error exit 64 with the nearest name. State is as of
 * now (a deactivated entry whose process stop is past is shown as archived). */
int ks_list_entries(ks_store *s, const ks_filter *f, cs_time now, ks_list *out, cs_error *e) CS_MUST_CHECK;
/** The same as it stood at an instant of the past, by the audit log; entries that were not there yet are left out. Uses
 * are today's. */
int ks_list_past(ks_store *s, const ks_filter *f, cs_time at, ks_list *out, cs_error *e) CS_MUST_CHECK;
/** Who was acceptable to partner for cap at the instant at, as known at generation known_at (0: now). Interval rows. */
int ks_acceptable(ks_store *s, const char *partner, enum ks_capability cap, cs_time at, uint64_t known_at, ks_list *out,
                  cs_error *e) CS_MUST_CHECK;
/** The generation that was in force at an instant (known_at of ks_acceptable); 0: none yet. */
int ks_generation_at(ks_store *s, cs_time at, uint64_t *generation, cs_error *e) CS_MUST_CHECK;
enum ks_export_what { KS_EXPORT_CERTIFICATE, KS_EXPORT_CHAIN, KS_EXPORT_ROOT };
enum ks_export_form { KS_EXPORT_PEM, KS_EXPORT_DER, KS_EXPORT_PKCS7 };
typedef struct ks_export_request {
    const char *alias;
    unsigned n;
    enum ks_export_what what;
    enum ks_export_form form;
} ks_export_request;
/** The certificate of an entry in any state, with its issuers, or its root alone. *out: malloc'ed, with a NUL behind
 * it. */
int ks_export(ks_store *s, const ks_export_request *q, char **out, size_t *n, cs_error *e) CS_MUST_CHECK;
#define KS_ALGORITHM 48
/** With which algorithm its issuer signed a certificate ("ecdsa-with-SHA256"). */
int ks_signature_algorithm(ks_store *s, const char *alias, unsigned n, char out[KS_ALGORITHM],
                           cs_error *e) CS_MUST_CHECK;
/** Of a bundle: up to when it speaks; how many entries; the public audit key that signed it, hexadecimal, "" nobody
 * did. */
typedef struct ks_bundle_head {
    cs_time as_of;
    size_t entries;
    char signer[65];
} ks_bundle_head;
/** All that an auditor needs to judge what was signed up to an instant, as one JSON object; public data only. Signed
 * where the audit key is here and this account can read it. */
int ks_bundle(ks_store *s, cs_time as_of, cs_buf *out, ks_bundle_head *head, cs_error *e) CS_MUST_CHECK;
/** Octets in front of its last members, signature (where there is one) and hash: what those are over. */
size_t ks_bundle_body(const char *data, size_t n);

/* ---- changes -------------------------------------------------------------------------------------------------- */

typedef struct ks_actor {
    const char *name;
    const char *kind;
    const char *reason;
} ks_actor; /**< kind: "uid", "keeper" …; reason may be NULL */

typedef struct ks_add {
    enum ks_role role;
    const char *partner;
    const char *alias;
    const char *certificate_pem;
    size_t certificate_len; /**< PEM (first is the leaf, others its chain) or DER */
    const char *key_pem;
    size_t key_len;            /**< NULL: none; PEM or DER, PKCS#8 or traditional */
    const char *passphrase;    /**< of the key; NULL: it has none */
    const char *pkcs11_uri;    /**< NULL, or where a token has the key (then no key_pem) */
    const char *expect_sha256; /**< NULL, or 64 digits that the leaf must have */
    bool activate;
    bool shorter_ok; /**< G4: may end before the entry that it exchanges */
    bool has_since;
    cs_time since; /**< has_since with since 0: the certificate's notBefore */
    bool has_until;
    cs_time until;
} ks_add;

/** A key and a certificate to be made here, signed by the keystore's own certification authority. */
typedef struct ks_new {
    const char *alias;
    bool has_role;
    enum ks_role role;   /**< sign, decrypt, tls-client, tls-server; a new slot needs it */
    const char *subject; /**< RFC 4514; NULL: that of the entry before, else CN=alias */
    const char *key; /**< rsa:2048|3072|4096, ec:P-256|P-384|P-521, ed25519; NULL: as the entry before, else rsa:3072 */
    int64_t days;    /**< how long it lasts; 0: 365 */
    const char *system_type, *system_name; /**< what mails about the slot call it, one line each; NULL: as before */
    bool own;                              /**< the slot has no other issuer from now on */
    const char *const *host;
    size_t n_host; /**< tls-server: host names and addresses; none: those of the entry before, else the CN */
} ks_new;
#define KS_NEW_DAYS_MAX 3650

typedef struct ks_refusal {
    enum ks_guard guard;
    cs_time allowed_from; /**< 0: by a condition */
    char text[384];
} ks_refusal;

typedef struct ks_outcome {
    bool done;    /**< false: refused, or a dry run */
    ks_info info; /**< the entry afterwards */
    ks_info other;
    bool has_other;      /**< the one that the change exchanged (one-active slots) */
    uint64_t generation; /**< after the change; for a dry run the next one */
    ks_refusal refusal[8];
    size_t n_refusal; /**< guards that fail; error exit is CS_EXIT_GUARD then */
    char note[8][256];
    size_t n_note; /**< warnings and the next command */
} ks_outcome;

/** T1 (and T2 with activate). A certificate that the slot holds already: exit 12. Refused by a guard: -1, exit 10,
 * outcome filled. */
int ks_add_entry(ks_store *s, const ks_add *a, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                 cs_error *e) CS_MUST_CHECK;
/** T1, and T2 where the slot has no entry in use. Name and issuer follow the entry before. The authority ("own-ca", a
 * trust anchor with a sealed key) is made in the same transaction when there is none that lasts. Refused by a guard:
 * -1, exit 10, outcome filled. Takes up to seconds of CPU for RSA keys, outside of the transaction. */
int ks_generate(ks_store *s, const ks_new *g, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                cs_error *e) CS_MUST_CHECK;
/** Several at once, in order, as one generation: all or nothing. out: n outcomes. On failure *failed is the number of
 * the one that was refused (its outcome filled, for exit 10), or n where it was none of them. */
int ks_add_entries(ks_store *s, const ks_add *a, size_t n, bool dry_run, const ks_actor *who, cs_time now,
                   ks_outcome *out, size_t *failed, cs_error *e) CS_MUST_CHECK;

/** What a file of another product holds, in the form of ks_add: PEM, the leaf first, its issuers behind it in order;
 * and the key, where there is one (secure heap). */
typedef struct ks_imported {
    char *certificate;
    size_t certificate_len;
    char *key;
    size_t key_len; /**< NULL: none */
    char note[2][256];
    size_t n_note; /**< what should be known of the file */
} ks_imported;
/** Read PEM (any order), DER, PKCS#7, PKCS#12. passphrase NULL: none given. Anything else, cut off, several owners or
 * keys, passphrase missing or wrong: exit 64 */
int ks_import_read(const char *data, size_t n, const char *passphrase, ks_imported *out, cs_error *e) CS_MUST_CHECK;
void ks_imported_free(ks_imported *i); /**< wipes the key */

/** One verb on alias#n, with what it may be told besides. */
typedef struct ks_request {
    enum ks_verb verb;
    const char *alias;
    unsigned n;
    uint64_t expect_version; /**< 0: any */
    bool shorter_ok;         /**< G4: may end before the entry that it exchanges */
    bool dry_run;
    bool force;        /**< G9: in spite of the evidence; needs a reason */
    bool no_backup_ok; /**< G14 */
    bool crl_required; /**< G12: the partner's policy asks for a revocation list */
    bool automatic;    /**< the keeper carries out what was decided before */
    bool probe_later;  /**< G11: the other side takes the new one only behind the exchange; a roll-over probes then */
    const char *without_node; /**< G6: nodes not waited for, blanks between; NULL: none. Needs a reason */
    cs_time since;            /**< compromise: in wrong hands since; 0: now */
    cs_time until;            /**< reopen: accepted until */
    cs_time at;               /**< activate, deactivate, suspend, resume, retire, remove: then, not now; 0: now */
    bool has_share;           /**< activate: only for this share of requests; the entry stays pre-active */
    unsigned share;           /**< per cent, 1 to 99; 0: no longer */
    bool cancel;              /**< take back what was scheduled with at */
} ks_request;
int ks_change(ks_store *s, const ks_request *r, const ks_actor *who, cs_time now, ks_outcome *out,
              cs_error *e) CS_MUST_CHECK;

/** A verb that waits for its instant. */
typedef struct ks_scheduled {
    char alias[KS_WORD];
    unsigned n;
    enum ks_verb verb;
    cs_time due_at, set_at;
    char actor[64], reason[256];
} ks_scheduled;
typedef int ks_visit_scheduled(void *ctx, const ks_scheduled *s, cs_error *e);
/** What is scheduled, by instant. alias NULL: everywhere. */
int ks_schedules(ks_store *s, const char *alias, ks_visit_scheduled *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

/** What is in the trash, by the instant at which its key is destroyed. */
int ks_trash_list(ks_store *s, cs_time now, ks_list *out, cs_error *e) CS_MUST_CHECK;

/** A message that waits somewhere (queue, dead letters) and needs alias#n when it is taken up again. */
typedef struct ks_waiting {
    const char *ref; /**< what its keeper calls it */
    const char *alias;
    unsigned n;
    bool open; /**< false: it waits no more */
} ks_waiting;
/** Until a message that waits is told to be over, the entry's window does not end. A ref open already (or closed
 * already): nothing changes, *out done. */
int ks_open_message(ks_store *s, const ks_waiting *m, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                    cs_error *e) CS_MUST_CHECK;

/* ---- what is due ------------------------------------------------------------------------------------------------ */

/** The clock as the store knows it. */
typedef struct ks_clock_info {
    bool suspect;       /**< nothing is done by itself until the clock is right again, or accepted */
    cs_time high_water; /**< latest instant at which the store was changed; 0: never */
    char text[256];     /**< a sentence */
} ks_clock_info;
/** How long the machine runs, by a clock that nobody can set, and the name of this boot: what the time of day is held
 * against while it runs. Borrowed. NULL where one is asked for: it is not. */
typedef struct ks_uptime {
    const char *boot;
    int64_t s;
} ks_uptime;
int ks_clock_look(ks_store *s, const ks_uptime *up, cs_time now, ks_clock_info *out, cs_error *e) CS_MUST_CHECK;
/** A person says that the clock is right. */
int ks_clock_accept(ks_store *s, bool dry_run, const ks_actor *who, const ks_uptime *up, cs_time now,
                    ks_clock_info *out, cs_error *e) CS_MUST_CHECK;

/** One thing that was due. */
typedef struct ks_due {
    enum ks_verb verb;
    const char *word; /**< what it is called; static */
    char alias[KS_WORD];
    unsigned n;
    bool done;
    uint64_t generation;
    char text[384]; /**< why not; "" done */
} ks_due;
typedef struct ks_report {
    ks_clock_info clock;
    ks_due *due;
    size_t n;
    cs_time next;   /**< instant of what is due next; 0: nothing */
    size_t notices; /**< facts that people are to be told now */
} ks_report;
void ks_report_free(ks_report *r);
/** All due work, once: windows that are over (T5), what was scheduled, what is long enough in the trash. With a suspect
 * clock nothing. Each in its own transaction; one that a guard refuses is told and tried again next time. */
int ks_tick(ks_store *s, bool dry_run, const ks_uptime *up, cs_time now, ks_report *out, cs_error *e) CS_MUST_CHECK;

/** Many looks at one state of the keystore (ks_actions of a list): one transaction for all of them, until the end. No
 *  change by this handle in between; those of others are not seen. */
int ks_reading_begin(ks_store *s, cs_error *e) CS_MUST_CHECK;
void ks_reading_end(ks_store *s);
/** What may be done with an entry now, and what not and why: one row per verb that its state knows. */
typedef struct ks_action {
    enum ks_verb verb;
    bool possible;
    ks_refusal refusal; /**< the first guard that refuses */
} ks_action;
/** @return how many rows of out are filled (at most KS_VERBS), or -1 */
int ks_actions(ks_store *s, const ks_info *info, cs_time now, ks_action out[KS_VERBS], cs_error *e) CS_MUST_CHECK;

/** A certificate revocation list as taken in. */
typedef struct ks_crl_info {
    bool done;                 /**< false: a dry run */
    char issuer[512];          /**< RFC 2253 */
    char signer[KS_WORD + 12]; /**< the entry whose key signed it, "acme-ca#1" */
    uint8_t sha256[32];
    cs_time this_update, next_update; /**< next_update 0: not said */
    size_t revoked;                   /**< certificates in it */
    uint64_t generation;              /**< after the change; for a dry run the next one */
} ks_crl_info;
/** Take a CRL (PEM or DER) of a trust anchor in slot alias; it takes the place of that issuer's older one. Not signed
 * by an entry of the slot, or only a part of its issuer's list: exit 64; held already, or older than the one held: 12.
 */
int ks_add_crl(ks_store *s, const char *alias, const char *data, size_t n, bool dry_run, const ks_actor *who,
               cs_time now, ks_crl_info *out, cs_error *e) CS_MUST_CHECK;

typedef struct ks_rekeyed {
    bool done;             /**< false: a dry run */
    size_t keys;           /**< private keys that were sealed anew */
    char from[17], to[17]; /**< ids of the two key-encryption keys */
    uint64_t generation;   /**< after the change; for a dry run the next one */
} ks_rekeyed;
/** Seal every private key anew under the first of the store's key-encryption keys; without configured ones under a new
 *  file beside the store, which takes the place of the one before (kept as PATH.kek.old). One transaction. A live node
 *  that cannot open the new one yet: exit 13, nothing changed. Every key is under it already: 64. */
int ks_rekey(ks_store *s, bool dry_run, const ks_actor *who, cs_time now, ks_rekeyed *out, cs_error *e) CS_MUST_CHECK;

#define KS_PASSPHRASE_MIN 12
/** The private key as PKCS#8 PEM, encrypted under passphrase (needed); an audit row is left. Guard G10: exit 11. */
int ks_export_private(ks_store *s, const char *alias, unsigned entry, const char *passphrase, const ks_actor *who,
                      cs_time now, char **out, size_t *n, cs_error *e) CS_MUST_CHECK;

typedef struct ks_backup_info {
    uint64_t generation, rows;
    size_t octets;
    char kek_id[17];
} ks_backup_info;
/** The whole store as one file (0600), private keys sealed as they are in it, the file sealed under the key-encryption
 * key, which is not in it. Leaves an audit row, and the instant for guard G14. */
int ks_backup(ks_store *s, const char *path, const ks_actor *who, cs_time now, ks_backup_info *out,
              cs_error *e) CS_MUST_CHECK;

enum ks_difference_kind { KS_ONLY_HERE, KS_ONLY_BACKUP, KS_DIFFERS };
typedef struct ks_difference {
    enum ks_difference_kind kind;
    ks_info info;       /**< of the backup; KS_ONLY_HERE: of the store */
    enum ks_state here; /**< state in the store; KS_STATES: it is not there */
} ks_difference;
typedef struct ks_restore_request {
    bool merge;       /**< take what the store lacks; an empty store takes all, identity and audit too */
    const char *only; /**< or only what it lacks of this alias */
    bool dry_run;     /**< neither: only tell what differs */
} ks_restore_request;
typedef struct ks_restored {
    bool done, whole;
    char store_id[33];
    cs_time at; /**< of the backup */
    ks_difference *difference;
    size_t n;
    size_t taken; /**< entries that came in, or would */
    size_t crls;  /**< revocation lists likewise */
    uint64_t generation;
} ks_restored;
/** Compare a backup (its octets) with the store, and as asked take in what the store lacks; never replace or remove.
 * Not a backup, cut off, changed, sealed under a key-encryption key that is not here: refused (64, 78). out:
 * ks_restored_free */
int ks_restore(ks_store *s, const char *text, size_t n, const ks_restore_request *q, const ks_actor *who, cs_time now,
               ks_restored *out, cs_error *e) CS_MUST_CHECK;
void ks_restored_free(ks_restored *r);

/** What a node uses (guard G3 knows routed partners by it); written at start and reload. partner_delivery: seconds, 0:
 * none. */
typedef struct ks_node_use {
    const char *route, *alias, *partner;
} ks_node_use;
int ks_report_node(ks_store *s, const char *node, const ks_node_use *use, size_t n, cs_time now,
                   cs_error *e) CS_MUST_CHECK;
/** Has a node ever reported itself? Then only the real time may write. */
int ks_served(ks_store *s, bool *served, cs_error *e) CS_MUST_CHECK;
/** Live nodes that do not serve this generation yet, their names (blanks between) into names. @return how many, or -1
 */
int ks_lagging(ks_store *s, uint64_t generation, cs_time now, char *names, size_t size, cs_error *e) CS_MUST_CHECK;
#define KS_NODE_ALIVE 60 /* seconds since its last word after which a node is taken for gone */

/** A process that serves the store, or did and did not say goodbye. */
typedef struct ks_node_info {
    char node[KS_WORD];
    uint64_t applied;
    cs_time applied_at; /**< generation in force there */
    cs_time seen_at;
    bool live;                /**< last word; not older than KS_NODE_ALIVE */
    char build[32], conf[65]; /**< version of the program, hash of its configuration; "" not known */
    bool keeper;              /**< it does what is due in the keystore (lease.h) */
} ks_node_info;
typedef struct ks_node_list {
    ks_node_info *info;
    size_t n;
} ks_node_list;
int ks_nodes(ks_store *s, cs_time now, ks_node_list *out, cs_error *e) CS_MUST_CHECK; /**< by name */
void ks_node_list_free(ks_node_list *l);
/** Forget a node that is gone for good, with what its routes used. Alive: exit 12; unknown: 64. */
int ks_node_forget(ks_store *s, const char *node, bool dry_run, const ks_actor *who, cs_time now, uint64_t *generation,
                   cs_error *e) CS_MUST_CHECK;
/** Ask all nodes for their counters: a node that acknowledges *generation (ks_lagging) has written all uses before it.
 */
int ks_flush(ks_store *s, cs_time now, uint64_t *generation, cs_error *e) CS_MUST_CHECK;
/** Retention rules of a partner as configured; kept in the store for commands without a configuration. Seconds, 0:
 * none. */
int ks_set_partner(ks_store *s, const char *partner, int64_t guaranteed_delivery, cs_time now,
                   cs_error *e) CS_MUST_CHECK;

/* ---- holds ------------------------------------------------------------------------------------------------------ */

/** A route on hold: every gateway of this keystore queues its requests. */
typedef struct ks_hold_info {
    char route[KS_WORD];
    cs_time since;
    char actor[64];
    char reason[256];
} ks_hold_info;
typedef struct ks_hold_outcome {
    bool done;           /**< false: a dry run, or already so */
    bool already;        /**< held, or not held, before: nothing was changed */
    ks_hold_info hold;   /**< the hold that begins, is there already, or ended */
    uint64_t generation; /**< after the change; for a dry run the next one */
} ks_hold_outcome;
/** Put a route on hold, or let it go. Any name of a route is taken: who asks knows which there are. Nodes follow by
 * their snapshot. */
int ks_hold(ks_store *s, const char *route, bool dry_run, const ks_actor *who, cs_time now, ks_hold_outcome *out,
            cs_error *e) CS_MUST_CHECK;
int ks_release(ks_store *s, const char *route, bool dry_run, const ks_actor *who, cs_time now, ks_hold_outcome *out,
               cs_error *e) CS_MUST_CHECK;

/** Bring the tables of a store of the version before to this one, with an audit row and a generation of its own, all or
 * nothing. On a store of this version nothing is written. *from: the version that it had. After a failure close the
 * store. */
int ks_upgrade(ks_store *s, const ks_actor *who, cs_time now, int *from, cs_error *e) CS_MUST_CHECK;

/* ---- mappings --------------------------------------------------------------------------------------------------- */

/** Who a TLS client is: a stored certificate (role authz-client) and its user, or names that a route lets in. */
typedef struct ks_mapping_info {
    int64_t map_id;
    bool certificate; /**< else names */
    char alias[KS_WORD];
    unsigned n;
    uint8_t sha256[32];
    char user[KS_WORD];                             /**< of a certificate */
    char route[KS_WORD], subject[512], issuer[512]; /**< of names: rules as written */
    cs_time from, to;                               /**< to 0: in force */
} ks_mapping_info;
typedef struct ks_mapping_list {
    ks_mapping_info *info;
    size_t n;
} ks_mapping_list;
int ks_mapping_read(ks_store *s, bool retired, ks_mapping_list *out,
                    cs_error *e) CS_MUST_CHECK; /**< by number; retired: those too */
void ks_mapping_list_free(ks_mapping_list *l);

typedef struct ks_mapping_new {
    const char *route, *subject, *issuer; /**< of names */
    const char *alias;
    unsigned n; /**< of a certificate; NULL: of names */
    const char *user;
    int64_t copy_from; /**< its user, or that of another mapping (0: none) */
} ks_mapping_new;
typedef struct ks_mapping_outcome {
    bool done; /**< false: a dry run */
    ks_mapping_info info;
    size_t left;         /**< retire: certificates that the user still has */
    uint64_t generation; /**< after the change; for a dry run the next one */
} ks_mapping_outcome;
/** The same mapping is in force already: exit 12. Unknown entry, wrong role, no name: 64. */
int ks_mapping_add(ks_store *s, const ks_mapping_new *what, bool dry_run, const ks_actor *who, cs_time now,
                   ks_mapping_outcome *out, cs_error *e) CS_MUST_CHECK;
int ks_mapping_retire(ks_store *s, int64_t map_id, bool dry_run, const ks_actor *who, cs_time now,
                      ks_mapping_outcome *out, cs_error *e) CS_MUST_CHECK;

/* ---- evidence --------------------------------------------------------------------------------------------------- */

typedef struct ks_sender_use {
    char node[KS_WORD], sender[KS_SENDER]; /**< "": not known, or beyond the bound */
    uint64_t n;
    cs_time last;
} ks_sender_use;
typedef struct ks_where {
    char route[KS_WORD], partner[KS_WORD], alias[KS_WORD]; /**< partner or alias, the other "" */
    size_t nodes;
} ks_where;
typedef struct ks_twin {
    char alias[KS_WORD];
    unsigned n;
    enum ks_role role;
    enum ks_state state;
} ks_twin;

/** What is known of the use of an entry, and whether it may go. */
typedef struct ks_evidence {
    ks_info info;
    uint64_t recent_ok, recent_bad; /**< since the beginning of yesterday, UTC */
    char last_node[KS_WORD];        /**< of the last use, "" never used */
    ks_sender_use *sender;
    size_t n_sender; /**< of the recent uses, most first */
    ks_where *where;
    size_t n_where; /**< routes that name its alias or its partner */
    ks_twin *twin;
    size_t n_twin; /**< other entries with the same key */
    char (*silent)[KS_WORD];
    size_t n_silent; /**< nodes that are not heard of: what they counted may be missing */
    ks_refusal refusal[8];
    size_t n_refusal; /**< guards that refuse its removal now */
    cs_time earliest; /**< when the last of them is lifted by itself; 0: not by time alone, or nothing refuses */
    bool safe;        /**< nothing refuses and no node is silent */
} ks_evidence;
/** Evidence about alias#n as the store has it now; to have all uses in it, ks_flush first. out is to be freed with
 *  ks_evidence_free in either case. Unknown entry: exit 64. */
int ks_evidence_read(ks_store *s, const char *alias, unsigned n, const ks_actor *who, cs_time now, ks_evidence *out,
                     cs_error *e) CS_MUST_CHECK;
/** The part that show needs: without refusals, nodes and flush. */
int ks_where_used(ks_store *s, const ks_info *info, ks_evidence *out, cs_error *e) CS_MUST_CHECK;
void ks_evidence_free(ks_evidence *v);

#endif
