/* SPDX-License-Identifier: Apache-2.0 */
/* content.c: see content.h. */
#include "keystore/content.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

struct writer {
    ks_store *s;
    const ks_actor *who;
    cs_time now;
    uint64_t last;
    /* gathered before the first is written: the log must not grow under the statement that reads */
    struct content {
        char *object, *before, *now;
    } * row;
    size_t n, cap;
};

static int gather(void *ctx, const char *object, const char *before, const char *now, cs_error *e)
{
    struct writer *w = ctx;
    if (w->n == w->cap) {
        size_t cap = w->cap == 0 ? 16 : w->cap * 2;
        struct content *grown = reallocarray(w->row, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        w->row = grown;
        w->cap = cap;
    }
    struct content *c = &w->row[w->n++];
    *c = (struct content){object != NULL ? strdup(object) : NULL, before != NULL ? strdup(before) : NULL,
                          now != NULL ? strdup(now) : NULL};
    return c->object != NULL && (before == NULL || c->before != NULL) && (now == NULL || c->now != NULL)
               ? 0
               : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/** The hash of a content as a JSON string. */
static const char *quoted_hash(const char *content, char out[68])
{
    uint8_t hash[32];
    if (content == NULL) {
        return NULL;
    }
    SHA256((const uint8_t *)content, strlen(content), hash);
    out[0] = '"';
    cs_hex(hash, sizeof hash, out + 1);
    out[65] = '"';
    out[66] = '\0';
    return out;
}

static int write_all(struct writer *w, cs_error *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->n; i++) {
        char hash[68];
        struct ks_audit_row row = {.at = w->now,
                                   .actor = w->who->name,
                                   .actor_kind = w->who->kind,
                                   .verb = KS_CONTENT_VERB,
                                   .object = w->row[i].object,
                                   .before = quoted_hash(w->row[i].before, hash),
                                   .after = w->row[i].now};
        rc = ks_audit_append(w->s, &row, e);
        w->last = row.seq;
    }
    return rc;
}

static void writer_free(struct writer *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->row[i].object);
        free(w->row[i].before);
        free(w->row[i].now);
    }
    free(w->row);
}

int ks_content_log(ks_store *s, const ks_actor *who, cs_time now, uint64_t *last, cs_error *e)
{
    struct writer w = {.s = s, .who = who, .now = now};
    int rc = s->driver->touched(s->b, gather, &w, e) == 0 && write_all(&w, e) == 0 ? 0 : -1;
    *last = w.last;
    writer_free(&w);
    return rc;
}

int ks_content_log_all(ks_store *s, const ks_actor *who, cs_time now, cs_error *e)
{
    struct writer w = {.s = s, .who = who, .now = now};
    int rc = s->driver->contents(s->b, gather, &w, e) == 0 && write_all(&w, e) == 0 ? 0 : -1;
    writer_free(&w);
    return rc;
}

/* ---- checking --------------------------------------------------------------------------------------------------- */

struct said {
    char *object, *before, *now; /**< owned; NULL: none */
    uint64_t seq;
    bool seen;
};

struct ks_contents {
    struct said *said;
    size_t n, cap;
    /* while rows are compared */
    bool broken;
    char *text;
    size_t size;
};

struct ks_contents *ks_contents_new(void)
{
    return calloc(1, sizeof(struct ks_contents));
}

void ks_contents_free(struct ks_contents *c)
{
    for (size_t i = 0; c != NULL && i < c->n; i++) {
        free(c->said[i].object);
        free(c->said[i].before);
        free(c->said[i].now);
    }
    if (c != NULL) {
        free(c->said);
        free(c);
    }
}

int ks_contents_take(struct ks_contents *c, const struct ks_audit_row *row, cs_error *e)
{
    if (strcmp(row->verb, KS_CONTENT_VERB) != 0) {
        return 0;
    }
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 256 : c->cap * 2;
        struct said *grown = reallocarray(c->said, cap, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        c->said = grown;
        c->cap = cap;
    }
    struct said *s = &c->said[c->n++];
    *s = (struct said){.object = strdup(row->object),
                       .before = row->before != NULL ? strdup(row->before) : NULL,
                       .now = row->after != NULL ? strdup(row->after) : NULL,
                       .seq = row->seq};
    return s->object != NULL && (row->before == NULL || s->before != NULL) && (row->after == NULL || s->now != NULL)
               ? 0
               : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

static int by_object(const void *a, const void *b)
{
    const struct said *x = a;
    const struct said *y = b;
    int by = strcmp(x->object, y->object);
    return by != 0 ? by : x->seq < y->seq ? -1 : x->seq > y->seq;
}

/** The first row of the log whose "before" is not what the log itself says of before. The list is sorted. */
static const struct said *first_break(const struct ks_contents *c, const struct said **last)
{
    const struct said *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct said *s = &c->said[i];
        const struct said *old = i > 0 && strcmp(s[-1].object, s->object) == 0 ? s - 1 : NULL;
        char hash[68];
        const char *is = quoted_hash(old != NULL ? old->now : NULL, hash);
        bool same = is != NULL && s->before != NULL ? strcmp(is, s->before) == 0 : is == s->before;
        /* said again without a change (upgrade) */
        same = same || (s->before == NULL && s->now != NULL && old != NULL && old->now != NULL &&
                        strcmp(s->now, old->now) == 0);
        if (!same && (found == NULL || s->seq < found->seq)) {
            found = s;
            *last = old;
        }
    }
    return found;
}

/** Only the newest of each object, still sorted. */
static void keep_newest(struct ks_contents *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        struct said s = c->said[i];
        if (i + 1 < c->n && strcmp(c->said[i + 1].object, s.object) == 0) {
            free(s.object);
            free(s.before);
            free(s.now);
            c->said[i].object = NULL;
        } else {
            c->said[n++] = s;
        }
    }
    c->n = n;
}

/** The name of the member in which two contents first differ. */
static void member_of(const char *a, const char *b, char *out, size_t size)
{
    size_t depth = 0;
    size_t start = 0;
    bool text = false;
    size_t i = 0;
    for (; a[i] != '\0' && a[i] == b[i]; i++) {
        if (text && a[i] == '\\' && a[i + 1] == b[i + 1]) {
            i++;
        } else if (a[i] == '"') {
            text = !text;
        } else if (!text && (a[i] == '{' || a[i] == '[')) {
            depth++;
            start = depth == 1 ? i + 1 : start;
        } else if (!text && (a[i] == '}' || a[i] == ']')) {
            depth--;
        } else if (!text && depth == 1 && a[i] == ',') {
            start = i + 1;
        }
    }
    size_t n = a[start] == '"' ? strcspn(a + start + 1, "\"") : 0;
    snprintf(out, size, "%.*s", (int)n, a + start + (n > 0));
}

/** "entry/5" as people say it, with the alias where the content tells one. */
static void compare(struct ks_contents *c, struct said *s, const char *object, const char *now)
{
    char member[64];
    if (s == NULL || s->now == NULL) {
        snprintf(c->text, c->size, "row %s is not in the log: it was put there behind it", object);
        c->broken = true;
    } else if (strcmp(s->now, now) != 0) {
        member_of(s->now, now, member, sizeof member);
        snprintf(c->text, c->size, "row %s, column %s is not as audit row %llu left it", object, member,
                 (unsigned long long)s->seq);
        c->broken = true;
    } else {
        s->seen = true;
    }
}

static int compare_row(void *ctx, const char *object, const char *before, const char *now, cs_error *e)
{
    (void)before;
    (void)e;
    struct ks_contents *c = ctx;
    struct said key = {.object = (char *)(uintptr_t)object};
    size_t low = 0;
    size_t high = c->n;
    while (low < high && !c->broken) { /* the first that is not below */
        size_t mid = low + (high - low) / 2;
        if (strcmp(c->said[mid].object, key.object) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (!c->broken) {
        compare(c, low < c->n && strcmp(c->said[low].object, object) == 0 ? &c->said[low] : NULL, object, now);
    }
    return 0;
}

int ks_contents_check(struct ks_contents *c, ks_store *s, char *text, size_t size, cs_error *e)
{
    if (c->n == 0) {
        return 0;
    }
    qsort(c->said, c->n, sizeof *c->said, by_object);
    const struct said *last = NULL;
    const struct said *broken = first_break(c, &last);
    if (broken != NULL) {
        snprintf(text, size, "row %s was not as audit row %llu left it when audit row %llu was written", broken->object,
                 (unsigned long long)(last != NULL ? last->seq : 0), (unsigned long long)broken->seq);
        return 1;
    }
    keep_newest(c);
    c->text = text;
    c->size = size;
    if (s->driver->contents(s->b, compare_row, c, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < c->n && !c->broken; i++) {
        if (c->said[i].now != NULL && !c->said[i].seen) {
            snprintf(text, size, "row %s is missing: audit row %llu wrote it", c->said[i].object,
                     (unsigned long long)c->said[i].seq);
            c->broken = true;
        }
    }
    return c->broken ? 1 : 0;
}
