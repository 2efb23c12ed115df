/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice.c: facts that people are to be told. Which certificate is how near to its end follows from the rows alone, so
 * a round that did not run is made up for by the next: of several missed thresholds only the nearest is told.
 */
#include "keystore/notice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/notice_store.h"

static const char *const words[KS_NOTICES] = {"expiration", "expired", "renewed", "renewal-failed"};

/** Days before the end at which people are told, nearest first. 0 stands for the end itself. */
static const int64_t threshold[] = {0, 3, 14, 30};
#define THRESHOLDS    (sizeof threshold / sizeof threshold[0])
#define LAST_RESORT_D 3 /* who renews by itself should have done so long before */

const char *ks_notice_word(enum ks_notice k)
{
    return words[k];
}

int ks_notice_add(ks_store *s, enum ks_notice kind, int64_t entry_id, int64_t occasion, const char *text, cs_time now,
                  cs_error *e)
{
    struct ks_fact fact = {
        .kind = kind, .entry_id = entry_id, .occasion = occasion, .due_at = now, .text = text != NULL ? text : ""};
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    if (fact.text[0] != '\0' && !ks_line_ok(fact.text, KS_NOTICE_TEXT)) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "notice-text", "the text of a notice is one line, below %d octets",
                            KS_NOTICE_TEXT);
    }
    snprintf(fact.dedup, sizeof fact.dedup, "%s|%lld|%lld", words[kind], (long long)entry_id, (long long)occasion);
    return s->driver->notices->fact_add(s->b, &fact, e);
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
