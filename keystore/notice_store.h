/* SPDX-License-Identifier: Apache-2.0 */
/* notice_store.h: the part of a driver that keeps facts, subscribers and deliveries. Calls as in store.h. */
#ifndef KS_NOTICE_STORE_H
#define KS_NOTICE_STORE_H

#include "keystore/change.h"
#include "keystore/notice.h"
#include "keystore/store.h"

#define KS_DEDUP       256
#define KS_ABOUT       128
#define KS_SUBJECT     256
#define KS_LINK        128
#define KS_BODY        65536
#define KS_MESSAGE_ID  320
#define KS_NOTICE_TEXT 384

struct ks_fact {
    char dedup[KS_DEDUP]; /**< kind|entry or what it is about|occasion */
    ks_tell told;         /**< borrowed */
    cs_time due_at;
};

/** An own certificate in use, as far as its end goes. */
struct ks_ending {
    int64_t entry_id;
    cs_time not_after;
    bool automatic; /**< its slot renews by itself */
    int64_t told;   /**< nearest threshold that a fact stands for, days; INT64_MAX: none, 0: expired was told */
};

/** Which deliveries are asked for. One to the webhook has no address. */
struct ks_ways {
    bool mail, hook;
    cs_time hook_from;  /**< older facts are no news to it */
    const char *domain; /**< of Message-IDs */
};

/** One delivery with all that its mail says. */
struct ks_delivery {
    char dedup[KS_DEDUP];
    int64_t sub_id; /**< 0: no subscriber, told because of a role */
    int64_t occasion;
    enum ks_notice kind;
    cs_time due_at;
    char alias[KS_WORD]; /**< ""; n 0: no entry */
    unsigned n;
    char about[KS_ABOUT], subject[KS_SUBJECT], link[KS_LINK];
    bool attach;
    char *body;                                                /**< owned; NULL: to be composed */
    char system_type[KS_FULL_NAME], system_name[KS_FULL_NAME]; /**< "" not said */
    char name[KS_FULL_NAME], mail[KS_MAIL];
    char message_id[KS_MESSAGE_ID]; /**< without brackets; fixed by the first attempt */
    int64_t attempts;
    bool interrupted; /**< a process that was sending it ended without a word */
    char text[KS_NOTICE_TEXT];
};

typedef int ks_visit_ending(void *ctx, const struct ks_ending *row, cs_error *e);

/** A link that takes an address off the list of a slot. */
struct ks_opt_out_row {
    uint8_t token_hash[32];
    int64_t slot_id;
    char mail[KS_MAIL];
    cs_time made_at;
};

struct ks_notice_driver {
    int (*subscriber_add)(struct ks_backend *b, int64_t slot_id, const ks_subscriber *row, cs_error *e);
    int (*subscriber_remove)(struct ks_backend *b, int64_t sub_id, cs_error *e); /**< with its deliveries */
    int (*subscribers)(struct ks_backend *b, int64_t slot_id, ks_visit_subscriber *visit, void *ctx, cs_error *e);
    /** Type and name of the system that a slot stands for; NULL: as it is. */
    int (*system_set)(struct ks_backend *b, int64_t slot_id, const char *type, const char *name, cs_error *e);
    /** The fact and a delivery per subscriber; older expirations of the entry that still wait are dropped.
     *  @return 1 new, 0 known, -1 */
    int (*fact_add)(struct ks_backend *b, const struct ks_fact *fact, cs_error *e);
    /** One more delivery of it. An address that has one already gets no second. */
    int (*delivery_add)(struct ks_backend *b, const struct ks_fact *fact, const char *name, const char *mail,
                        cs_error *e);
    /** The newest fact of a kind: its occasion and when it was due; both 0: there is none. */
    int (*fact_last)(struct ks_backend *b, enum ks_notice kind, int64_t *occasion, cs_time *due_at, cs_error *e);
    /** Forget facts of a kind that were due before, with their deliveries. */
    int (*facts_forget)(struct ks_backend *b, enum ks_notice kind, cs_time before, cs_error *e);
    /** When the first generation behind this one was made; 0: it is the newest. */
    int (*missed_since)(struct ks_backend *b, uint64_t generation, cs_time *at, cs_error *e);
    /** Active entries with a key of our own that end before an instant. */
    int (*endings)(struct ks_backend *b, cs_time before, ks_visit_ending *visit, void *ctx, cs_error *e);
    /** Take the next due delivery: attempts + 1, the Message-ID of a mail at the domain, nobody else's until lease.
     *  @return 1 (out->body is then the caller's), 0 nothing is due, -1 */
    int (*claim)(struct ks_backend *b, const struct ks_ways *ways, cs_time now, cs_time lease, struct ks_delivery *out,
                 cs_error *e);
    /** What became of a claimed one: state sent, failed, queued (again at next_at) or dropped. One that was claimed
     *  anew meanwhile is left alone. */
    int (*settle)(struct ks_backend *b, const struct ks_delivery *d, const char *state, cs_time next_at,
                  const char *error, cs_error *e);
    /** Deliveries that wait for these ways and the instant of the next (*at 0: none); all mails that wait. */
    int (*waiting)(struct ks_backend *b, const struct ks_ways *ways, size_t *n, cs_time *at, size_t *mails,
                   cs_error *e);
    /** Forgets those that were made before, too. */
    int (*opt_out_add)(struct ks_backend *b, const struct ks_opt_out_row *row, cs_time before, cs_error *e);
    /** By the hash in row, which is filled, and the alias of its slot. @return 1 found, 0 none, -1 */
    int (*opt_out_get)(struct ks_backend *b, struct ks_opt_out_row *row, char alias[KS_WORD], cs_error *e);
    int (*unreached)(struct ks_backend *b, ks_visit_unreached *visit, void *ctx, cs_error *e);
};

extern const struct ks_notice_driver ks_sqlite_notices;

/** Are there notices about entries of that role? Of those whose keys are our own. */
bool ks_notice_role(enum ks_role role);
/** Nodes that are silent or do not follow, and the state of the audit: facts about the house, as ks_notice_due. */
int ks_notice_nodes(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next, cs_error *e) CS_MUST_CHECK;
int ks_notice_checkpoint(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next,
                         cs_error *e) CS_MUST_CHECK;
/** Entry n became active in this change: by the keeper that is a renewal. */
int ks_notice_active(struct ks_work *w, int64_t entry_id, unsigned n, cs_error *e) CS_MUST_CHECK;

/** Does this store keep notices? Not one in memory, and not one of the version before, where they would not last. */
static inline bool ks_keeps_notices(const ks_store *s)
{
    return s->driver->notices != NULL && ks_schema_version(s) == KS_SCHEMA_VERSION;
}
/** The same as an error. @return 0, or -1 with e set (64) */
static inline int ks_need_notices(const ks_store *s, cs_error *e)
{
    return s->driver->notices != NULL
               ? 0
               : cs_error_set(e, CS_EXIT_USAGE, "notices", "a keystore of the kind %s keeps no subscribers and systems",
                              s->driver->scheme);
}

#endif
