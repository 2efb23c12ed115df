/* SPDX-License-Identifier: Apache-2.0 */
/* legacy.c: see legacy.h. */
#include "gateway/legacy.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define ROWS 256 /* pairs of partner and exception; what comes beyond is counted together in the last row */
#define NEAR (30 * CS_DAY)

struct row {
    char partner[65];
    char exception[32];
    uint64_t count;
    cs_time until, told;
};

struct legacy {
    pthread_mutex_t lock; /* taken by messages that need an exception only */
    struct row row[ROWS];
    size_t n;
};

struct legacy *legacy_new(void)
{
    struct legacy *l = calloc(1, sizeof *l);
    if (l != NULL && pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return NULL;
    }
    return l;
}

void legacy_free(struct legacy *l)
{
    if (l != NULL) {
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

static struct row *row_of(struct legacy *l, const char *partner, const char *exception)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->row[i].partner, partner) == 0 && strcmp(l->row[i].exception, exception) == 0) {
            return &l->row[i];
        }
    }
    if (l->n == ROWS) {
        return &l->row[ROWS - 1];
    }
    struct row *r = &l->row[l->n++];
    (void)cs_copy(r->partner, sizeof r->partner, l->n == ROWS ? "other" : partner);
    (void)cs_copy(r->exception, sizeof r->exception, l->n == ROWS ? "other" : exception);
    return r;
}

static void tell(const struct row *r, enum cs_log_level level)
{
    char until[CS_TIME_TEXT];
    cs_log(level, "legacy-used", "messages pass by a dated exception only", CS_STR("partner", r->partner),
           CS_STR("exception", r->exception), CS_INT("messages", r->count),
           CS_STR("until", cs_time_format(r->until, until)));
}

bool legacy_use(struct legacy *l, const char *partner, const char *exception, cs_time until, cs_time now)
{
    pthread_mutex_lock(&l->lock);
    struct row *r = row_of(l, partner, exception);
    bool due = r->count == 0 || now - r->told >= CS_DAY;
    r->count++;
    r->until = until;
    if (due) {
        r->told = now;
    }
    struct row copy = *r;
    pthread_mutex_unlock(&l->lock);
    if (due) {
        tell(&copy, until - now <= NEAR ? CS_LOG_WARN : CS_LOG_NOTICE);
    }
    return due;
}

void legacy_each(struct legacy *l, void (*each)(void *ctx, const char *partner, const char *exception, uint64_t count),
                 void *ctx)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n; i++) {
        each(ctx, l->row[i].partner, l->row[i].exception, l->row[i].count);
    }
    pthread_mutex_unlock(&l->lock);
}

void legacy_log(struct legacy *l)
{
    for (size_t i = 0; i < l->n; i++) {
        tell(&l->row[i], CS_LOG_NOTICE);
    }
}
