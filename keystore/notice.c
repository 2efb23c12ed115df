/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice.c: facts that people are to be told. Which certificate is how near to its end follows from the rows alone, so
 * a round that did not run is made up for by the next: of several missed thresholds only the nearest is told.
 */
#include "keystore/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/addressee.h"
#include "keystore/notice_store.h"

static const char *const words[KS_NOTICES] = {
    [KS_NOTICE_EXPIRATION] = "expiration",
    [KS_NOTICE_EXPIRED] = "expired",
    [KS_NOTICE_RENEWED] = "renewed",
    [KS_NOTICE_RENEWAL_FAILED] = "renewal-failed",
    [KS_NOTICE_ACTIVATED] = "activated",
    [KS_NOTICE_RETENTION_EXTENDED] = "retention-extended",
    [KS_NOTICE_PARTNER_SWITCHED] = "partner-switched",
    [KS_NOTICE_STEP_DUE] = "step-due",
    [KS_NOTICE_NODE_STALE] = "node-stale",
    [KS_NOTICE_AUDIT_CHECKPOINT] = "audit-checkpoint",
    [KS_NOTICE_ENGINE_DISAGREEMENT] = "engine-disagreement",
    [KS_NOTICE_LEGACY_ENDS] = "legacy-ends",
    [KS_NOTICE_SHARE_ENDED] = "share-ended",
};

/** Days before the end at which people are told, nearest first. 0 stands for the end itself. */
static const int64_t threshold[] = {0, 3, 14, 30};
#define THRESHOLDS    (sizeof threshold / sizeof threshold[0])
#define LAST_RESORT_D 3 /* who renews by itself should have done so long before */

int64_t ks_notice_threshold(cs_time end, cs_time now)
{
    for (size_t i = 1; i < THRESHOLDS && now < end; i++) {
        if (end - threshold[i] * CS_DAY <= now) {
            return threshold[i];
        }
    }
    return 0;
}

const char *ks_notice_word(enum ks_notice k)
{
    return words[k];
}

/** Lines of a letter: no control characters but their ends. */
static bool is_body(const char *body)
{
    for (const char *p = body; *p != '\0'; p++) {
        if (((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f) {
            return false;
        }
    }
    return strlen(body) < KS_BODY;
}

static bool is_line(const char *text, size_t size)
{
    return text == NULL || text[0] == '\0' || ks_line_ok(text, size);
}

static int check(const ks_tell *t, cs_error *e)
{
    bool good = is_line(t->text, KS_NOTICE_TEXT) && is_line(t->about, KS_ABOUT) && is_line(t->subject, KS_SUBJECT) &&
                is_line(t->link, KS_LINK) && (t->body == NULL || is_body(t->body)) &&
                (t->entry_id != 0 || (t->about != NULL && t->about[0] != '\0'));
    return good ? 0
                : cs_error_set(e, CS_EXIT_INTERNAL, "notice-text",
                               "a notice is about an entry or something named; its text is one line, below %d octets",
                               KS_NOTICE_TEXT);
}

struct telling {
    ks_store *s;
    const struct ks_fact *fact;
};

/** An address, and whether it is met on a list. */
struct meeting {
    const char *mail;
    bool met;
};

static int meet(void *ctx, const ks_addressee *a, cs_error *e)
{
    struct meeting *m = ctx;
    (void)e;
    m->met = m->met || strcmp(a->mail, m->mail) == 0;
    return 0;
}

static int tell_one(void *ctx, const ks_addressee *a, cs_error *e)
{
    const struct telling *t = ctx;
    const ks_tell *told = &t->fact->told;
    struct meeting himself = {a->mail, false};
    if (told->author != NULL && ks_addressees_each(t->s, told->author, told->partner, meet, &himself, e) != 0) {
        return -1;
    }
    return !himself.met && ks_mail_ok(a->mail) && ks_line_ok(a->name, sizeof a->name)
               ? t->s->driver->notices->delivery_add(t->s->b, t->fact, a->name, a->mail, e)
               : 0;
}

int ks_notice_tell(ks_store *s, const ks_tell *t, cs_time now, cs_error *e)
{
    struct ks_fact fact = {.told = *t, .due_at = now};
    char object[KS_ABOUT + 24];
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    if (check(t, e) != 0) {
        return -1;
    }
    if (t->entry_id == 0) {
        snprintf(object, sizeof object, "%s", t->about);
    } else {
        snprintf(object, sizeof object, "%lld%s%s", (long long)t->entry_id, t->about != NULL ? " " : "",
                 t->about != NULL ? t->about : "");
    }
    snprintf(fact.dedup, sizeof fact.dedup, "%s|%s|%lld", words[t->kind], object, (long long)t->occasion);
    struct telling telling = {s, &fact};
    int added = s->driver->notices->fact_add(s->b, &fact, e);
    return added == 1 && t->role != NULL && ks_addressees_each(s, t->role, t->partner, tell_one, &telling, e) != 0
               ? -1
               : added;
}

int ks_notice_add(ks_store *s, enum ks_notice kind, int64_t entry_id, int64_t occasion, const char *text, cs_time now,
                  cs_error *e)
{
    const ks_tell t = {.kind = kind, .entry_id = entry_id, .occasion = occasion, .text = text};
    return ks_notice_tell(s, &t, now, e);
}

/* ---- what nears its end ----------------------------------------------------------------------------------------- */

struct due {
    int64_t entry_id, days;
};

struct round {
    cs_time now, next;
    struct due *due; /**< owned */
    size_t n;
};

static int add_due(struct round *r, int64_t entry_id, int64_t days, cs_error *e)
{
    struct due *more = reallocarray(r->due, r->n + 1, sizeof *more);
    if (more == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    r->due = more;
    r->due[r->n++] = (struct due){entry_id, days};
    return 0;
}

static int find_due(void *ctx, const struct ks_ending *row, cs_error *e)
{
    struct round *r = ctx;
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < THRESHOLDS; i++) {
        cs_time at = row->not_after - threshold[i] * CS_DAY;
        if (row->automatic && threshold[i] > LAST_RESORT_D) {
            continue;
        }
        if (at <= r->now) {
            due = threshold[i];
            break;
        }
        if (r->next == 0 || at < r->next) {
            r->next = at;
        }
    }
    return due < row->told ? add_due(r, row->entry_id, due, e) : 0;
}

static int raise_all(ks_store *s, const struct round *r, size_t *made, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        const struct due *d = &r->due[i];
        int added = ks_notice_add(s, d->days == 0 ? KS_NOTICE_EXPIRED : KS_NOTICE_EXPIRATION, d->entry_id, d->days,
                                  NULL, r->now, e);
        rc = added < 0 ? -1 : 0;
        *made += added == 1;
    }
    if (rc == 0) {
        rc = s->driver->commit(s->b, e);
    }
    s->driver->rollback(s->b);
    return rc;
}

int ks_notice_due(ks_store *s, bool dry_run, cs_time now, size_t *made, cs_time *next, cs_error *e)
{
    struct round r = {.now = now};
    *made = 0;
    *next = 0;
    if (!ks_keeps_notices(s)) {
        return 0; /* what is written there would not last, and be told again and again */
    }
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = s->driver->notices->endings(s->b, INT64_MAX, find_due, &r, e);
    s->driver->rollback(s->b);
    if (rc == 0 && r.n > 0 && dry_run) {
        *made = r.n;
    } else if (rc == 0 && r.n > 0) {
        rc = raise_all(s, &r, made, e);
    }
    *next = r.next;
    free(r.due);
    return rc;
}

int ks_unreached_each(ks_store *s, ks_visit_unreached *visit, void *ctx, cs_error *e)
{
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = s->driver->notices->unreached(s->b, visit, ctx, e);
    s->driver->rollback(s->b);
    return rc;
}
