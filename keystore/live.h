/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h: certificates and keys in force, as a running process works with them: snapshots of the store, which are
 * immutable and reference-counted, so that any thread may hold one and ask it without a lock; and what such a process
 * tells the store. Errors and time as in keystore.h.
 */
#ifndef KS_LIVE_H
#define KS_LIVE_H

#include "keystore/keystore.h"

/* ---- certificates that nobody stored
 * --------------------------------------------------------------------------------- */

/** A message of partner is signed with a certificate (DER) that is not stored and has the names of one that is. Copied,
 * judged and stored by the watch thread; kept only when its issuer's stored certificate signed it. Any thread. */
void ks_seen(ks_live *l, const char *partner, const uint8_t *der, size_t n, cs_time now);
/** The judges of a message of that route disagree: the tenant administrators are told, once a day for each route, by
 * the watch thread. text: what was found, one line. Any thread. */
void ks_disagreement(ks_live *l, const char *route, const char *text, cs_time now);
/** A message of partner passed by a dated exception (legacy NAME until DATE) only. In the last 30, 14 and 3 days before
 *  until, its first refused instant, the tenant administrators are told once each, by the watch thread. Any thread. */
void ks_legacy_used(ks_live *l, const char *partner, const char *exception, cs_time until, cs_time now);
/** One of those kept. @return 0 with *der malloc'ed, the caller's; -1: exit 64, there is none of this fingerprint */
int ks_seen_get(ks_store *s, const char *partner, const uint8_t sha256[32], uint8_t **der, size_t *n,
                cs_error *e) CS_MUST_CHECK;

/* ---- snapshots: what a running process works with ------------------------------------------------------------- */

typedef struct ks_snapshot ks_snapshot;
typedef struct ks_entry ks_entry; /* in a snapshot: immutable, lives as long as the snapshot */

/** Open the store for following; builds the first snapshot. Private keys of sign slots are unsealed into it. */
int ks_live_open(ks_live **out, const char *uri, const ks_options *opt, cs_time now, cs_error *e) CS_MUST_CHECK;
/** Watch thread only: wait at most timeout_ms for a change (SQLite: data_version poll every 50 ms, device and inode
 * checked), build and publish the next snapshot, flush use counters. A build that fails keeps the old snapshot.
 *  @return 1 a new snapshot is in force, 0 nothing new, -1 store not available (e filled; the old snapshot stays) */
int ks_live_step(ks_live *l, int timeout_ms, cs_time now, cs_error *e);
/** Make ks_live_step return soon. Any thread. */
void ks_live_wake(ks_live *l);
/** The sources of the key-encryption key as a reload found them. Watch thread only. @return 0, or -1: no memory */
int ks_live_sources(ks_live *l, const ks_options *opt, cs_error *e) CS_MUST_CHECK;
void ks_live_close(ks_live *l);
/** The name under which the store knows this process. */
const char *ks_live_node(const ks_live *l);
/** What keystore nodes shows of this one: version, hash of the configuration (hexadecimal). Any thread. */
void ks_live_describe(ks_live *l, const char *build, const char *conf);
/** The newest snapshot, a new reference. Any thread. */
const ks_snapshot *ks_live_get(ks_live *l);
/** One-shot commands: a snapshot without following. */
int ks_snapshot_read(ks_store *s, cs_time now, const ks_snapshot **out, cs_error *e) CS_MUST_CHECK;
/** A bundle as the snapshot that the keystore had, without keys. signer: who must have signed it (ks_bundle_head),
 * NULL: anybody or nobody. data is not kept. Any thread.
 *  @return 0 with a reference, or -1: exit 64 not a bundle, or one of a later version; 78 cut, changed, not in itself
 * right, or not signed by signer */
int ks_bundle_read(const char *data, size_t n, const char *signer, const ks_snapshot **out, ks_bundle_head *head,
                   cs_error *e) CS_MUST_CHECK;
const ks_snapshot *ks_snapshot_ref(const ks_snapshot *s);
void ks_snapshot_release(const ks_snapshot *s); /**< any thread; the last one frees */
uint64_t ks_snapshot_generation(const ks_snapshot *s);
bool ks_snapshot_has_partner(const ks_snapshot *s, const char *partner);
/** Partners known, NULL-terminated, borrowed from the snapshot (verify without --partner tries them all). */
const char *const *ks_snapshot_partners(const ks_snapshot *s);

/** Routes on hold, by name; borrowed from the snapshot. */
const ks_hold_info *ks_holds(const ks_snapshot *s, size_t *n);
/** The hold of a route, NULL: it is not held. Borrowed from the snapshot. */
const ks_hold_info *ks_held(const ks_snapshot *s, const char *route);

/** What is known of the signer (mirrors wssec's hint; resolver/ copies). Zero length or NULL: not said. */
typedef struct ks_hint {
    bool has_sha256;
    uint8_t sha256[32];
    bool has_sha1;
    uint8_t sha1[20];
    const uint8_t *ski;
    size_t ski_len;
    const char *issuer, *serial;
} ks_hint;
typedef struct ks_candidate {
    const ks_entry *entry;
    enum ks_state state; /**< at the instant asked */
} ks_candidate;
/** Best first: exact hint, active by newest use, deactivated by newest use; then such that will be refused. A hint
 * narrows.
 *  @return how many, at most max. Any thread, no lock, no I/O. Cost independent of the number of entries of others. */
size_t ks_candidates(const ks_snapshot *s, const char *partner, const ks_hint *hint, enum ks_capability cap,
                     cs_time when, ks_candidate *out, size_t max);
/** Entries of role decrypt in the slots named (none named: in every one), best first, as ks_candidates; refused ones
 * with their state. */
size_t ks_decrypters(const ks_snapshot *s, const char *const *alias, size_t n_alias, const ks_hint *hint, cs_time when,
                     ks_candidate *out, size_t max);
/** The private key of a decrypt entry, borrowed as ks_entry_private_key; NULL: there is none, or its retention is over
 * at now, whether a tick has told the store so already or not. */
EVP_PKEY *ks_entry_opening_key(const ks_entry *e, cs_time now);
/** The active encrypt-to entry of a partner (of several slots the one activated last), NULL: none. */
const ks_entry *ks_encrypter(const ks_snapshot *s, const char *partner);
/** The active entry of a slot, NULL: none. */
const ks_entry *ks_active(const ks_snapshot *s, const char *alias);
/** Who signs the next request: the active entry, or in its share the successor. Counts turns: once per request. Any
 * thread. */
const ks_entry *ks_signer(const ks_snapshot *s, const char *alias);
/** A successor of the slot signs a share of the requests. Any thread. */
bool ks_share_set(const ks_snapshot *s, const char *alias);
/** The other side answered a request that alias#n signed; without a share in the slot nothing is counted. Any thread.
 *  refused: it does not accept the signature or the key; what else it may have refused is no fault of the key. */
void ks_signed_answer(const ks_snapshot *s, const char *alias, unsigned n, bool refused);
/** The entry alias#n whatever its state, NULL: none. */
const ks_entry *ks_entry_at(const ks_snapshot *s, const char *alias, unsigned n);
/** Entry alias#n, NULL: none. */
const ks_entry *ks_entry_find(const ks_snapshot *s, const char *alias, unsigned n);
/** A slot of that name and role is there (references of a configuration). */
bool ks_has_slot(const ks_snapshot *s, const char *alias, enum ks_role *role);
/** The alias that a configuration names is there, and of that role. @return 0, or -1: text says what is wrong, with the
 *  nearest alias or the command that makes it */
int ks_alias_fits(const ks_snapshot *s, const char *alias, enum ks_role wanted, char *text, size_t size);

const char *ks_entry_alias(const ks_entry *e);
const char *ks_entry_partner(const ks_entry *e); /**< "" none */
/** State at an instant, by comparison: intervals for the past, process stop for the retention window. */
enum ks_state ks_entry_state(const ks_entry *e, enum ks_capability cap, cs_time when);
unsigned ks_entry_n(const ks_entry *e);
void ks_entry_times(const ks_entry *e, cs_time *not_before, cs_time *not_after, cs_time *process_stop,
                    cs_time *compromised_since);
const uint8_t *ks_entry_sha256(const ks_entry *e);
const uint8_t *ks_entry_spki_sha256(const ks_entry *e);
EVP_PKEY *ks_entry_public_key(const ks_entry *e);  /**< borrowed */
EVP_PKEY *ks_entry_private_key(const ks_entry *e); /**< borrowed; NULL: none */
const uint8_t *ks_entry_der(const ks_entry *e, size_t *n);
const uint8_t *ks_entry_chain(const ks_entry *e, size_t *n); /**< concatenated DER */

/* ---- TLS: what a context is made of ------------------------------------------------------------------------------ */

/** All active entries of a slot (tls-server: one per host name and key type), by number. Borrowed from the snapshot.
 *  @return how many, at most max */
size_t ks_actives(const ks_snapshot *s, const char *alias, const ks_entry **out, size_t max);
X509 *ks_entry_certificate(const ks_entry *e); /**< borrowed; roles tls-client, tls-server, trust-anchor; else NULL */
STACK_OF(X509) * ks_entry_issuers(const ks_entry *e); /**< borrowed; what to send behind the leaf; NULL: nothing */
/** A number that changes exactly when the TLS material of a slot does: who is active, chain, key that can be used; of a
 *  trust anchor slot: who anchors at when, and the CRLs of those. The same content gives the same number in every
 * process. 0: no such slot, or nothing to use in it. Any thread, no lock, no I/O. */
uint64_t ks_slot_version(const ks_snapshot *s, const char *alias, cs_time when);

typedef struct ks_anchor_set {
    STACK_OF(X509) * certificate;
    STACK_OF(X509_CRL) * crl;
} ks_anchor_set; /**< never NULL after success */
/** Who of slot alias (role trust-anchor) anchors at when, and the stored CRLs that they signed, whether current or not.
 *  None: two empty stacks. @return 0; -1 no memory. The set is the caller's (ks_anchors_clear); its objects are shared.
 */
int ks_anchors(const ks_snapshot *s, const char *alias, cs_time when, ks_anchor_set *out) CS_MUST_CHECK;
void ks_anchors_clear(ks_anchor_set *a);
/** Is this key (SHA-256 of the SubjectPublicKeyInfo) that of a compromised entry, in whatever slot? *since: 0 unknown;
 * may be NULL. */
bool ks_key_compromised(const ks_snapshot *s, const uint8_t spki_sha256[32], cs_time *since);

/** What the stored revocation lists, of whatever slot, say of x, which the key with issuer_spki issued. A stale list
 * that has it counts too. @return a list that is current at when was asked; *revoked_at 0: not revoked */
bool ks_revocation(const ks_snapshot *s, X509 *x, const uint8_t issuer_spki[32], cs_time when, cs_time *revoked_at);

/* ---- who a TLS client is ----------------------------------------------------------------------------------------- */

/** A client certificate that is mapped to a user. Borrowed from the snapshot. */
typedef struct ks_client {
    int64_t map_id;
    const char *user;
    const ks_entry *entry;
    enum ks_state state;
    bool accepted; /**< active or deactivated */
} ks_client;
/** The user that the certificate with this fingerprint stands for. Its dates are the caller's to judge. A certificate
 * may stand for several users; user NULL: the first of them. @return false: for none (or not for that user) */
bool ks_mapping(const ks_snapshot *s, const uint8_t sha256[32], const char *user, ks_client *out);
/** The entry of role authz-client with this fingerprint, mapped or not; NULL: none. Looks through all entries. */
const ks_entry *ks_client_entry(const ks_snapshot *s, const uint8_t sha256[32], enum ks_state *state);
/** Does a subject-and-issuer row of the route fit these names? Only of a certificate whose chain was verified.
 *  @return the row's number, 0 none, -1 no memory */
int64_t ks_mapping_rule(const ks_snapshot *s, const char *route, const X509 *leaf);

/* ---- certificates that only a message brings ------------------------------------------------------------------- */

typedef struct ks_octets {
    const uint8_t *p;
    size_t n;
} ks_octets;

#define KS_ANCHORS_MAX 16 /* named by one partner */
/** Which certificates are a partner's without being stored: all three must hold. */
typedef struct ks_chain_rule {
    char anchor[KS_ANCHORS_MAX][KS_WORD];
    size_t n_anchor; /**< slots of role trust-anchor; no other is asked */
    cs_dn *subject,
        *issuer;      /**< owned by the configuration; rules of cs_dn_rule_parse over the certificate's own names */
    bool crl_require; /**< without a current CRL of every issuer on the way: refused */
} ks_chain_rule;

enum ks_chain { KS_CHAIN_GOOD, KS_CHAIN_BROKEN, KS_CHAIN_SUBJECT_DENIED, KS_CHAIN_CRL_MISSING };

typedef struct ks_chain_verdict {
    enum ks_chain outcome;
    const ks_entry *anchor;        /**< where the chain ends; borrowed from the snapshot; NULL: there is no chain */
    enum ks_state state;           /**< active; compromised: the key is that of such an entry */
    EVP_PKEY *key;                 /**< of the certificate; owned */
    cs_time not_before, not_after; /**< of the certificate; judged by the caller, not here */
    cs_time revoked_at;            /**< of it or of an issuer on the way; 0: not revoked */
    cs_time compromised_since;     /**< 0: not */
    uint8_t sha256[32], spki_sha256[32];
    char text[256]; /**< a sentence about the outcome, for people */
} ks_chain_verdict;

/** Judge the certificate leaf (DER, untrusted) by rule as of the instant when, with the other certificates of the
 * message (any order, at most 8 are taken) on the way to an anchor. Nothing is fetched. Any thread, no lock, no I/O.
 *  @return 0 judged; 1 it is none that could sign a message (not X.509, a CA's own, a key beyond reason); -1 no memory
 */
int ks_chain_judge(const ks_snapshot *s, const ks_chain_rule *rule, ks_octets leaf, const ks_octets *path,
                   size_t n_path, cs_time when, ks_chain_verdict *out) CS_MUST_CHECK;
void ks_chain_clear(ks_chain_verdict *v);

/** One live use of alias#n as s holds it. No lock, no I/O: counted by the calling thread, written by ks_live_step. Any
 * thread. sender NULL: not known. */
void ks_use(ks_live *l, const ks_snapshot *s, const char *alias, unsigned n, const char *sender, bool ok, cs_time now);

#endif
