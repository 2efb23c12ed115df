/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.c: routes on hold. A row in the store is what every gateway obeys, those too that start during the window;
 * whoever ends it needs no node.
 */
#include "keystore/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "keystore/config.h"
#include "keystore/record.h"

static int take_hold(void *ctx, const ks_hold_info *row, cs_error *e)
{
    ks_snapshot *s = ctx;
    ks_hold_info *more = reallocarray(s->hold, s->n_hold + 1, sizeof *more);
    if (more == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was read");
    }
    s->hold = more;
    s->hold[s->n_hold++] = *row;
    return 0;
}

int ks_holds_read(ks_store *store, ks_snapshot *s, cs_error *e)
{
    return store->driver->holds(store->b, take_hold, s, e);
}

const ks_hold_info *ks_holds(const ks_snapshot *s, size_t *n)
{
    *n = s->n_hold;
    return s->hold;
}

const ks_hold_info *ks_held(const ks_snapshot *s, const char *route)
{
    for (size_t i = 0; i < s->n_hold; i++) {
        if (strcmp(s->hold[i].route, route) == 0) {
            return &s->hold[i];
        }
    }
    return NULL;
}

struct search {
    const char *route;
    ks_hold_info *out;
    bool found;
};

static int find_hold(void *ctx, const ks_hold_info *row, cs_error *e)
{
    (void)e;
    struct search *search = ctx;
    if (strcmp(row->route, search->route) == 0) {
        *search->out = *row;
        search->found = true;
    }
    return 0;
}

static int audit(struct ks_record *r, const ks_hold_info *h, bool hold, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_time(&j, "since", h->since);
    cs_json_str(&j, "by", h->actor);
    cs_json_object_end(&j);
    int rc = b.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                      : ks_record_audit(r, hold ? "hold" : "release", h->route, hold ? NULL : b.data,
                                        hold ? b.data : NULL, e);
    cs_buf_free(&b);
    return rc;
}

static void begin_hold(ks_hold_info *h, const ks_actor *who, cs_time now)
{
    h->since = now;
    cs_copy(h->actor, sizeof h->actor, who->name);
    cs_copy(h->reason, sizeof h->reason, who->reason != NULL ? who->reason : "");
}

static int change(ks_store *s, const char *route, bool hold, bool dry_run, const ks_actor *who, cs_time now,
                  ks_hold_outcome *out, cs_error *e)
{
    struct ks_record r = {0};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (!ks_name_ok(route)) {
        return cs_error_set(e, CS_EXIT_USAGE, "route-name", "\"%.80s\" is no name of a route", route);
    }
    cs_copy(out->hold.route, sizeof out->hold.route, route);
    struct search search = {route, &out->hold, false};
    if (ks_record_begin(&r, s, who, dry_run, now, e) != 0 || s->driver->holds(s->b, find_hold, &search, e) != 0) {
        goto out;
    }
    out->already = search.found == hold;
    if (out->already) {
        out->generation = r.generation - 1;
        rc = 0;
        goto out;
    }
    out->generation = r.generation;
    if (hold) {
        begin_hold(&out->hold, who, now);
    }
    if (dry_run) {
        rc = 0;
        goto out;
    }
    if ((hold ? s->driver->hold_add(s->b, &out->hold, e) : s->driver->hold_remove(s->b, route, e)) != 0 ||
        audit(&r, &out->hold, hold, e) != 0 || ks_record_commit(&r, "hold", e) != 0) {
        goto out;
    }
    out->done = true;
    rc = 0;
out:
    ks_record_end(&r);
    return rc;
}

int ks_hold(ks_store *s, const char *route, bool dry_run, const ks_actor *who, cs_time now, ks_hold_outcome *out,
            cs_error *e)
{
    return change(s, route, true, dry_run, who, now, out, e);
}

int ks_release(ks_store *s, const char *route, bool dry_run, const ks_actor *who, cs_time now, ks_hold_outcome *out,
               cs_error *e)
{
    return change(s, route, false, dry_run, who, now, out, e);
}
