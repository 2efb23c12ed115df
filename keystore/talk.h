/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h: one talk with an issuer, by each of the ways; and the rows that say which requests are whose. */
#ifndef KS_TALK_H
#define KS_TALK_H

#include "keystore/change.h"
#include "keystore/entry.h"
#include "keystore/issuers.h"

/** Everything that a way may need; all borrowed. */
struct ks_talk {
    const ks_issuer *issuer;
    const char *alias;
    enum ks_role role;
    X509_REQ *request;
    EVP_PKEY *key; /**< of the request */
    X509 *old;     /**< certificate that is to be succeeded, by the same issuer and not expired; NULL: none */
    STACK_OF(X509) * old_chain;
    EVP_PKEY *old_key;
    const char *old_sha256; /**< hexadecimal; "" none */
    ks_stop stop;
    cs_time now;
    /* out */
    cs_buf *reply;   /**< what ks_import_reply reads */
    int64_t again_s; /**< the issuer said when to ask again; 0: it did not */
    char text[384];  /**< why there is no certificate */
};

/** LATER: pending, or trouble that may pass; NEVER: the issuer refused. */
enum ks_talked { KS_TALK_DONE, KS_TALK_LATER, KS_TALK_NEVER };
typedef enum ks_talked ks_talk_way(struct ks_talk *t);
ks_talk_way ks_talk_cmp, ks_talk_est, ks_talk_exec;

/** That an issuer is asked for the open request of a slot. */
struct ks_issuing_row {
    int64_t slot_id;
    char alias[KS_WORD]; /**< when read */
    char issuer[KS_WORD];
    int64_t follows;  /**< entry that the keeper is to succeed; 0: a person asked */
    bool replace;     /**< the inactive entry of a full slot makes room */
    int64_t attempts; /**< that failed */
    cs_time next_at;  /**< not asked before; while it is asked: when that is given up for lost */
    char error[256];
};
typedef int ks_visit_issuing(void *ctx, const struct ks_issuing_row *row, cs_error *e);

struct ks_issuing_driver {
    int (*issuer_set)(struct ks_backend *b, int64_t slot_id, const char *name, uint64_t version, cs_error *e);
    int (*issuer_get)(struct ks_backend *b, int64_t slot_id, char out[KS_WORD], cs_error *e); /**< "" none */
    int (*set)(struct ks_backend *b, const struct ks_issuing_row *row, cs_error *e);
    int (*remove)(struct ks_backend *b, int64_t slot_id, cs_error *e);
    /** Nobody else's until the instant. @return 1, 0: it is no longer as in row, -1 */
    int (*claim)(struct ks_backend *b, const struct ks_issuing_row *row, cs_time until, cs_error *e);
    int (*each)(struct ks_backend *b, ks_visit_issuing *visit, void *ctx, cs_error *e); /**< by alias */
};
extern const struct ks_issuing_driver ks_sqlite_issuing;

/** Whose the request shall be that is opened. */
struct ks_issue_wish {
    const char *issuer;
    unsigned follows; /**< number of the entry that the keeper is to succeed; 0: a person asks */
    bool replace;
};
/** As ks_csr_make; with wish the issuer and its row are written in the same transaction. */
int ks_csr_make_for(ks_store *s, const ks_new *g, const struct ks_issue_wish *wish, bool dry_run, const ks_actor *who,
                    cs_time now, ks_csr *out, ks_outcome *refused, cs_error *e) CS_MUST_CHECK;

/** Concatenated DER, as stored, into a stack that is the caller's; *out NULL: there is none. @return 0, or -1 */
int ks_issuers_read(const uint8_t *der, size_t n, STACK_OF(X509) * *out) CS_MUST_CHECK;
/** The row of a slot. @return 1 found, 0 there is none, -1 */
int ks_issuing_find(ks_store *s, int64_t slot_id, struct ks_issuing_row *out, cs_error *e) CS_MUST_CHECK;
/** An attempt to succeed the entry predecessor failed: written down with its audit row and its facts. *next_at: when to
 *  try again; may be NULL */
int ks_renewal_failed(ks_store *s, const char *alias, int64_t predecessor, const char *why, cs_time now,
                      cs_time *next_at, cs_error *e) CS_MUST_CHECK;

/** How a reply comes in that an issuer gave. */
struct ks_reply_terms {
    int64_t follows; /**< as in the row */
    bool replace;
};
/** Does what an issuer gave fit what is there? Completes add and the plan of w. @return 0, or -1: exit 10, out filled
 */
int ks_reply_judge(struct ks_work *w, const struct ks_reply_terms *terms, const struct ks_certificate *c, ks_add *add,
                   ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** The row of the slot ends with its request, and who follows has its successor: entry n. */
int ks_reply_note(struct ks_work *w, const struct ks_reply_terms *terms, unsigned n, int64_t entry_id,
                  cs_error *e) CS_MUST_CHECK;
/** As ks_import_reply, with the checks that replace a person's eye: a later end, overlap, the same anchor. Ends the
 * row, too, and notes the successor of who follows. */
int ks_reply_issued(ks_store *s, const char *alias, const char *data, size_t n, const struct ks_reply_terms *terms,
                    const ks_actor *who, cs_time now, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

#endif
