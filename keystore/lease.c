/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c: see lease.h. */
#include "keystore/lease.h"

#include <string.h>

#include "base/text.h"
#include "keystore/store.h"

/** An instant that lies further ahead than any lease was left by a clock that was wrong. */
static bool held_by_another(const ks_lease *l, const char *holder, int64_t seconds, cs_time now)
{
    return strcmp(l->holder, holder) != 0 && l->until > now && l->until - now <= 2 * seconds;
}

int ks_lease_take(ks_store *s, const char *name, const char *holder, int64_t seconds, cs_time now, ks_lease *out,
                  cs_error *e)
{
    *out = (ks_lease){.fence = 0};
    if (ks_schema_version(s) != KS_SCHEMA_VERSION) {
        return 1;
    }
    int rc = s->driver->begin(s->b, KS_UPKEEP, e) == 0 ? s->driver->lease_get(s->b, name, out, e) : -1;
    if (rc < 0) {
        goto out;
    }
    if (held_by_another(out, holder, seconds, now)) {
        rc = 0;
        goto out;
    }
    out->fence += strcmp(out->holder, holder) != 0;
    cs_copy(out->holder, sizeof out->holder, holder);
    out->until = now + seconds;
    rc = s->driver->lease_set(s->b, name, out, e) == 0 && s->driver->commit(s->b, e) == 0 ? 1 : -1;
out:
    s->driver->rollback(s->b);
    return rc;
}

int ks_lease_drop(ks_store *s, const char *name, const char *holder, cs_time now, cs_error *e)
{
    ks_lease l = {.fence = 0};
    if (ks_schema_version(s) != KS_SCHEMA_VERSION) {
        return 0;
    }
    int rc = s->driver->begin(s->b, KS_UPKEEP, e) == 0 ? s->driver->lease_get(s->b, name, &l, e) : -1;
    if (rc == 1 && strcmp(l.holder, holder) == 0) {
        l.until = now;
        rc = s->driver->lease_set(s->b, name, &l, e) == 0 ? s->driver->commit(s->b, e) : -1;
    }
    s->driver->rollback(s->b);
    return rc < 0 ? -1 : 0;
}
