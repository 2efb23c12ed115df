/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past.c: the entries as they stood at an instant that is over, by the audit log: what every change left behind, up to
 * then. What the keystore learned later (an interval opened in the past, a compromise since) is not in it; who was
 * acceptable by the knowledge of today is asked of the intervals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/content.h"

struct stand {
    bool known;
    enum ks_state state;
    cs_time activated_at, exchanged_at, process_stop;
};

struct replay {
    const ks_list *list; /**< by alias, then number */
    struct stand *stand; /**< one per entry */
    cs_time at;
};

/** Place of "alias#n" in the list, or -1: another object. */
static ptrdiff_t place_of(const ks_list *l, const char *object)
{
    const char *mark = strrchr(object, '#');
    char alias[KS_WORD];
    if (mark == NULL || (size_t)(mark - object) >= sizeof alias) {
        return -1;
    }
    memcpy(alias, object, (size_t)(mark - object));
    alias[mark - object] = '\0';
    unsigned long n = strtoul(mark + 1, NULL, 10);
    size_t low = 0;
    size_t high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(l->info[middle].alias, alias);
        if (order < 0 || (order == 0 && l->info[middle].n < n)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < l->n && l->info[low].n == n && strcmp(l->info[low].alias, alias) == 0 ? (ptrdiff_t)low : -1;
}

/** A member of the audit's own JSON, whose strings here need no escapes. @return false: not there */
static bool member(const char *json, const char *name, char *out, size_t size)
{
    char key[40];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *from = strstr(json, key);
    const char *end = from != NULL ? strchr(from + strlen(key), '"') : NULL;
    out[0] = '\0';
    if (end == NULL) {
        return false;
    }
    snprintf(out, size, "%.*s", (int)(end - from - (ptrdiff_t)strlen(key)), from + strlen(key));
    return true;
}

static cs_time time_member(const char *json, const char *name)
{
    char text[40];
    cs_time t = 0;
    return member(json, name, text, sizeof text) && cs_time_parse(text, &t) == 0 ? t : 0;
}

static int take(void *ctx, const struct ks_audit_row *row, cs_error *e)
{
    struct replay *r = ctx;
    char word[24];
    (void)e;
    if (row->at > r->at || row->after == NULL || strcmp(row->verb, KS_CONTENT_VERB) == 0 ||
        !member(row->after, "state", word, sizeof word)) {
        return 0;
    }
    ptrdiff_t at = place_of(r->list, row->object);
    enum ks_state state = KS_DESTROYED;
    if (at < 0 || ks_state_parse(word, &state) != 0) {
        return 0;
    }
    r->stand[at] = (struct stand){true, state, time_member(row->after, "activated_at"),
                                  time_member(row->after, "exchanged_at"), time_member(row->after, "process_stop")};
    return 0;
}

/** Keep what was there and fits, as it stood. */
static void rewrite(ks_list *l, const struct stand *stand, const ks_filter *f, cs_time at)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        ks_info info = l->info[i];
        if (!stand[i].known) {
            continue;
        }
        info.state = stand[i].state == KS_DEACTIVATED && stand[i].process_stop != 0 && at >= stand[i].process_stop
                         ? KS_ARCHIVED
                         : stand[i].state;
        info.activated_at = stand[i].activated_at;
        info.exchanged_at = stand[i].exchanged_at;
        info.process_stop = stand[i].process_stop;
        bool wanted = f->has_state ? info.state == f->state : info.state != KS_DESTROYED || f->with_destroyed;
        if (wanted) {
            l->info[n++] = info;
        }
    }
    l->n = n;
}

int ks_list_past(ks_store *s, const ks_filter *f, cs_time at, ks_list *out, cs_error *e)
{
    ks_filter all = *f;
    all.has_state = false;
    all.with_destroyed = true;
    if (ks_list_entries(s, &all, at, out, e) != 0) {
        return -1;
    }
    struct replay r = {out, calloc(out->n + 1, sizeof(struct stand)), at};
    int rc = r.stand != NULL ? s->driver->audit_each(s->b, take, &r, e)
                             : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    if (rc == 0) {
        rewrite(out, r.stand, f, at);
    } else {
        ks_list_free(out);
    }
    free(r.stand);
    return rc;
}
