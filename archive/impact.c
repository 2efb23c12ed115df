/* SPDX-License-Identifier: Apache-2.0 */
/* impact.c: see impact.h. */
#include "archive/impact.h"

#include <stdlib.h>
#include <string.h>

#include "archive/journal.h"

struct work {
    const struct archive_court *court;
    struct archive_without *without;
    size_t n;
};

int archive_without_parse(const char *text, size_t n, struct archive_without *out)
{
    const char *mark = memrchr(text, '#', n);
    memset(out, 0, sizeof *out);
    if (mark == NULL || mark == text || (size_t)(mark - text) >= sizeof out->alias || text + n - mark < 2 ||
        text + n - mark > 9) {
        return -1;
    }
    memcpy(out->alias, text, (size_t)(mark - text));
    for (const char *d = mark + 1; d < text + n; d++) {
        if (*d < '0' || *d > '9') {
            return -1;
        }
        out->ordinal = out->ordinal * 10 + (unsigned)(*d - '0');
    }
    return 0;
}

static struct archive_without *thought_away(const struct work *w, const struct wssec_certificate *c)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->without[i].ordinal == c->ordinal && strcmp(w->without[i].alias, c->alias) == 0) {
            return &w->without[i];
        }
    }
    return NULL;
}

/* A message that names its certificate is nobody's when that one is not there, whoever else has the key. */
static bool would_be_asked(const struct archive_record *r, const struct wssec_certificate *other)
{
    bool named = r->v.key_reference != WSSEC_KEYREF_NONE && r->v.key_reference != WSSEC_KEYREF_SKI;
    return !named || memcmp(other->sha256, r->v.certificate.sha256, sizeof other->sha256) == 0;
}

/* As it would be judged with the best of the others that have the key. */
static void without_it(const struct work *w, const struct archive_record *r, struct archive_record *after)
{
    *after = *r;
    after->v.has_certificate = false;
    after->v.verdict = WSSEC_FAIL;
    after->v.reason = WSSEC_CERTIFICATE_UNKNOWN;
    after->v.detail[0] = '\0';
    for (unsigned i = 0; i < r->v.n_also; i++) {
        struct archive_record with = *r;
        if (thought_away(w, &r->v.also_matches[i]) != NULL || !would_be_asked(r, &r->v.also_matches[i])) {
            continue;
        }
        with.v.certificate = r->v.also_matches[i];
        with.v.n_also = 0;
        archive_decide(w->court, archive_policy_of(w->court, r->partner), &with);
        if (with.v.verdict == WSSEC_PASS || !after->v.has_certificate) {
            *after = with;
        }
        if (with.v.verdict == WSSEC_PASS) {
            return;
        }
    }
}

static void widen(cs_time t, cs_time *oldest, cs_time *newest)
{
    *oldest = *oldest == 0 || t < *oldest ? t : *oldest;
    *newest = t > *newest ? t : *newest;
}

static int look(const struct work *w, const struct archive_record *r, archive_visit_lost *visit, void *ctx,
                struct archive_impact *out, cs_error *e)
{
    struct archive_record after;
    struct archive_without *it = r->v.has_certificate ? thought_away(w, &r->v.certificate) : NULL;
    if (it == NULL) {
        return 0;
    }
    it->passed++;
    without_it(w, r, &after);
    if (after.v.verdict == WSSEC_PASS) {
        it->held++;
        return 0;
    }
    it->lost++;
    out->lost++;
    widen(r->v.t, &it->oldest, &it->newest);
    widen(r->v.t, &out->oldest, &out->newest);
    return visit != NULL ? visit(ctx, r, &after, e) : 0;
}

int archive_impact(int fd, const struct archive_court *court, struct archive_without *without, size_t n, cs_time from,
                   archive_visit_lost *visit, void *ctx, struct archive_impact *out, cs_error *e)
{
    struct work w = {court, without, n};
    struct archive_reader *reader = NULL;
    memset(out, 0, sizeof *out);
    int rc = archive_reader_fd(&reader, fd, e) == 0 ? 1 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1 && r.v.t >= from) {
            out->items++;
            out->passed += r.v.verdict == WSSEC_PASS;
            if (r.v.verdict == WSSEC_PASS && look(&w, &r, visit, ctx, out, e) != 0) {
                rc = -1;
            }
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    return rc;
}
