/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c: see tally.h. */
#include "archive/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/journal.h"
#include "base/text.h"

#define PLACES_FIRST 64

/* ---- signers ----------------------------------------------------------------------------------------------------- */

static size_t place_of(const struct archive_signer *s, size_t places)
{
    uint64_t h = 0;
    memcpy(&h, s->certificate.sha256, sizeof h);
    return (size_t)((h ^ s->certificate.ordinal) % places);
}

static bool same(const struct archive_signer *a, const struct archive_signer *b)
{
    return a->there == b->there && a->certificate.ordinal == b->certificate.ordinal &&
           memcmp(a->certificate.sha256, b->certificate.sha256, sizeof a->certificate.sha256) == 0 &&
           strcmp(a->certificate.alias, b->certificate.alias) == 0;
}

/* Numbers in the table count from 1. */
static void put(struct archive_tally *t, size_t number)
{
    size_t i = place_of(&t->signer[number - 1], t->places);
    while (t->place[i] != 0) {
        i = (i + 1) % t->places;
    }
    t->place[i] = number;
}

static int grow(struct archive_tally *t)
{
    size_t places = t->places == 0 ? PLACES_FIRST : t->places * 2;
    size_t *place = calloc(places, sizeof *place);
    struct archive_signer *signer = reallocarray(t->signer, places / 2, sizeof *signer);
    t->signer = signer != NULL ? signer : t->signer;
    if (place == NULL || signer == NULL) {
        free(place);
        return -1;
    }
    free(t->place);
    t->place = place;
    t->places = places;
    for (size_t i = 1; i <= t->n_signer; i++) {
        put(t, i);
    }
    return 0;
}

static struct archive_signer *signer_of(struct archive_tally *t, const struct archive_mark *m)
{
    struct archive_signer wanted = {.there = m->has_certificate};
    if (wanted.there) {
        wanted.certificate = m->certificate;
    }
    if (t->n_signer > 0 && same(&t->signer[t->hit], &wanted)) {
        return &t->signer[t->hit];
    }
    if (t->n_signer >= t->places / 2 && grow(t) != 0) {
        return NULL;
    }
    size_t i = place_of(&wanted, t->places);
    while (t->place[i] != 0 && !same(&t->signer[t->place[i] - 1], &wanted)) {
        i = (i + 1) % t->places;
    }
    if (t->place[i] == 0) {
        (void)cs_copy(wanted.partner, sizeof wanted.partner, wanted.there ? m->partner : "");
        t->signer[t->n_signer++] = wanted;
        t->place[i] = t->n_signer;
    }
    t->hit = t->place[i] - 1;
    return &t->signer[t->hit];
}

static int month_of(cs_time t)
{
    const time_t at = (time_t)t;
    struct tm civil;
    if (gmtime_r(&at, &civil) == NULL || civil.tm_year < -1900 || civil.tm_year > 9999 - 1900) {
        return t < 0 ? 0 : 9999 * 12 + 11;
    }
    return (civil.tm_year + 1900) * 12 + civil.tm_mon;
}

void archive_month_text(int month, char out[16])
{
    snprintf(out, 16, "%04d-%02d", month / 12, month % 12 + 1);
}

static int count_month(struct archive_signer *s, cs_time t, enum wssec_result verdict)
{
    int month = month_of(t);
    size_t at = s->n_month;
    while (at > 0 && s->month[at - 1].month > month) {
        at--;
    }
    if (at > 0 && s->month[at - 1].month == month) {
        s->month[at - 1].n[verdict]++;
        return 0;
    }
    struct archive_month *more = reallocarray(s->month, s->n_month + 1, sizeof *more);
    if (more == NULL) {
        return -1;
    }
    s->month = more;
    memmove(more + at + 1, more + at, (s->n_month - at) * sizeof *more);
    more[at] = (struct archive_month){.month = month};
    more[at].n[verdict] = 1;
    s->n_month++;
    return 0;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

void archive_mark_of(const struct archive_record *r, struct archive_mark *out)
{
    *out = (struct archive_mark){.verdict = r->v.verdict,
                                 .reason = r->v.reason,
                                 .source = r->v.time_source,
                                 .t = r->v.t,
                                 .size = r->size,
                                 .duplicate = r->dup_of != 0,
                                 .has_certificate = r->v.has_certificate};
    (void)cs_copy(out->partner, sizeof out->partner, r->partner);
    if (out->has_certificate) {
        out->certificate = r->v.certificate;
    }
}

/* The first of those that did not pass are told by name. */
static int keep_place(struct archive_tally *t, const struct archive_mark *m, const char *line, size_t n)
{
    uint64_t seq = 0;
    uint64_t size = 0;
    cs_buf loc = CS_BUF_INIT;
    struct archive_shown *s = &t->shown[t->n_shown];
    *s = (struct archive_shown){.verdict = m->verdict, .reason = m->reason};
    if (archive_record_key(line, n, &seq, &size, &loc) == 0 && !loc.failed) {
        s->loc = strndup(loc.data, loc.len);
    }
    cs_buf_free(&loc);
    t->n_shown += s->loc != NULL ? 1 : 0;
    return s->loc != NULL ? 0 : -1;
}

int archive_tally_add(struct archive_tally *t, const struct archive_mark *m, const char *line, size_t n)
{
    struct archive_signer *s = signer_of(t, m);
    if (s == NULL || (m->t != 0 && count_month(s, m->t, m->verdict) != 0)) {
        return -1;
    }
    t->items++;
    t->verdict[m->verdict]++;
    t->reason[m->verdict][m->reason]++;
    t->duplicates += m->duplicate ? 1 : 0;
    t->octets += m->size;
    t->source[m->source]++;
    s->n[m->verdict]++;
    if (m->t != 0) {
        s->first = s->first == 0 || m->t < s->first ? m->t : s->first;
        s->last = m->t > s->last ? m->t : s->last;
    }
    if (line != NULL) {
        uint8_t leaf[32];
        archive_merkle_leaf(line, n, leaf);
        archive_merkle_add(&t->merkle, leaf);
    }
    bool told = line != NULL && m->verdict != WSSEC_PASS && t->n_shown < ARCHIVE_SHOWN;
    return told ? keep_place(t, m, line, n) : 0;
}

int archive_tally_read(struct archive_tally *t, int fd, cs_error *e)
{
    struct archive_reader *reader = NULL;
    const char *line = NULL;
    size_t n = 0;
    int rc = archive_reader_fd(&reader, fd, e) == 0 ? 1 : -1;
    while (rc == 1 && (rc = archive_reader_line(reader, &line, &n, e)) == 1) {
        struct archive_record r;
        struct archive_mark mark;
        rc = archive_record_read(&r, line, n - 1, e) == 0 ? 1 : -1;
        if (rc == 1) {
            archive_mark_of(&r, &mark);
        }
        if (rc == 1 && archive_tally_add(t, &mark, line, n - 1) != 0) {
            rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory to count the records");
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    return rc < 0 ? -1 : 0;
}

static int compare(const void *x, const void *y)
{
    const struct archive_signer *a = x;
    const struct archive_signer *b = y;
    if (a->there != b->there) {
        return a->there ? -1 : 1;
    }
    int c = strcmp(a->certificate.alias, b->certificate.alias);
    if (c != 0 || a->certificate.ordinal == b->certificate.ordinal) {
        return c != 0 ? c : memcmp(a->certificate.sha256, b->certificate.sha256, sizeof a->certificate.sha256);
    }
    return a->certificate.ordinal < b->certificate.ordinal ? -1 : 1;
}

void archive_tally_sort(struct archive_tally *t)
{
    if (t->n_signer > 1) {
        qsort(t->signer, t->n_signer, sizeof *t->signer, compare);
    }
}

void archive_tally_free(struct archive_tally *t)
{
    for (size_t i = 0; i < t->n_signer; i++) {
        free(t->signer[i].month);
    }
    for (size_t i = 0; i < t->n_shown; i++) {
        free(t->shown[i].loc);
    }
    free(t->signer);
    free(t->place);
    *t = (struct archive_tally){.items = 0};
}
