/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice.h: what people are told about own certificates, and who is told. A fact (a certificate nears its end, was
 * renewed) is one row, known by its key for good; each subscriber of the slot gets one delivery of it, with one
 * Message-ID however often it is tried. Facts are made by the keeper's round, deliveries are carried out by
 * ks_deliver() alone, outside of any transaction.
 */
#ifndef KS_NOTICE_H
#define KS_NOTICE_H

#include "keystore/keystore.h"

#define KS_MAIL      255 /* octets of an address, with its NUL */
#define KS_FULL_NAME 128 /* of the name of a person or a group, likewise; also of a system's type and name */

enum ks_notice {
    KS_NOTICE_EXPIRATION,
    KS_NOTICE_EXPIRED,
    KS_NOTICE_RENEWED,
    KS_NOTICE_RENEWAL_FAILED,
    KS_NOTICE_ACTIVATED,
    KS_NOTICE_RETENTION_EXTENDED,
    KS_NOTICE_PARTNER_SWITCHED,
    KS_NOTICE_STEP_DUE,
    KS_NOTICE_NODE_STALE,
    KS_NOTICE_AUDIT_CHECKPOINT,
    KS_NOTICE_ENGINE_DISAGREEMENT,
    KS_NOTICE_LEGACY_ENDS,
    KS_NOTICE_SHARE_ENDED,
    KS_NOTICES
};
const char *ks_notice_word(enum ks_notice k);

/** A fact to be told; all texts are borrowed for the call. */
typedef struct ks_tell {
    enum ks_notice kind;
    int64_t entry_id; /**< that it is about; 0: none. Subscribers of its slot are told */
    const char
        *about; /**< what it is about where no entry is, or besides: "R-17", "gw2", "acme"; one line; NULL: none */
    int64_t
        occasion; /**< what makes it another fact: the threshold in days, the day of a failure; 0: there is one only */
    const char *text;    /**< a sentence for the mail, one line; NULL: none */
    const char *role;    /**< told, too: operators with this role, and the partner's contacts; NULL: nobody */
    const char *partner; /**< whose contacts; NULL: nobody's */
    const char *author;  /**< role that tells it: an address that has this role, too, gets no mail; NULL: none */
    const char *subject; /**< one line; NULL: that of the kind */
    const char *body;    /**< the whole letter, lines end with LF; NULL: composed of the entry and the text */
    bool attach;         /**< the certificate of the entry and its chain go along */
    const char *link;    /**< what stands behind {{link}} in the body, as the maker of links (ks_mail) understands it; a
                          * line with {{link}} is left out where there is none. NULL: none */
} ks_tell;

/**
 * Raise a fact, once: the same kind, entry, about and occasion again changes nothing. Within the caller's transaction
 * (KS_WRITE or KS_UPKEEP), so that it stands or falls with what it tells of. Who is told now is who is on the lists
 * now.
 * @return 1 a new fact, 0 known already or a store that keeps no notices, -1 with e set
 */
int ks_notice_tell(ks_store *s, const ks_tell *t, cs_time now, cs_error *e) CS_MUST_CHECK;
/** The same about an entry, to the subscribers of its slot. */
int ks_notice_add(ks_store *s, enum ks_notice kind, int64_t entry_id, int64_t occasion, const char *text, cs_time now,
                  cs_error *e) CS_MUST_CHECK;

/** The nearest of 30, 14 and 3 days before the end that is over; 0: none yet, or the end itself is. */
int64_t ks_notice_threshold(cs_time end, cs_time now);

/** All that nears its end: raise what is due now. Its own transaction, begun only when there is something.
 *  *made: facts raised, or with dry_run to be raised; *next: instant of the next one, 0 none. */
int ks_notice_due(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next, cs_error *e) CS_MUST_CHECK;

/** A fact that reaches nobody: the slot has no subscriber, or mail to all of them failed for good. */
typedef struct ks_unreached {
    char alias[KS_WORD];
    unsigned n;
    cs_time not_after;
    size_t subscribers;
} ks_unreached;
typedef int ks_visit_unreached(void *ctx, const ks_unreached *u, cs_error *e);
/** Entries in use whose last notice reaches nobody, by alias. */
int ks_unreached_each(ks_store *s, ks_visit_unreached *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

/* ---- subscribers ------------------------------------------------------------------------------------------------ */

enum ks_subscriber_kind { KS_SUBSCRIBER_SELF, KS_SUBSCRIBER_OTHER, KS_SUBSCRIBER_GROUP };
const char *ks_subscriber_word(enum ks_subscriber_kind k); /**< "me", "other", "group" */

typedef struct ks_subscriber {
    int64_t id;
    char name[KS_FULL_NAME], mail[KS_MAIL];
    enum ks_subscriber_kind kind;
    cs_time since;
    char actor[64];
} ks_subscriber;

/** The address is one local part and one domain, without blanks, quotes and control characters. */
bool ks_mail_ok(const char *mail);
/** One line of text: not empty, no control characters, shorter than size. */
bool ks_line_ok(const char *text, size_t size);

/** Tell name at mail of what concerns the slot. Roles with a key of our own only (64); the address is on the list
 *  already: 12; an address or name that could break a header: 64. *generation: after the change */
int ks_subscribe(ks_store *s, const char *alias, const ks_subscriber *who_is_told, bool dry_run, const ks_actor *who,
                 cs_time now, uint64_t *generation, cs_error *e) CS_MUST_CHECK;
/** Take the address off the list, and what waits for it out of the queue. Not on the list: 64 */
int ks_unsubscribe(ks_store *s, const char *alias, const char *mail, bool dry_run, const ks_actor *who, cs_time now,
                   uint64_t *generation, cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_subscriber(void *ctx, const ks_subscriber *row, cs_error *e);
/** Who is told, by address. Unknown alias: 64 */
int ks_subscribers(ks_store *s, const char *alias, ks_visit_subscriber *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

#endif
