/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: the store's witness of the time: its high-water mark, told at every change, and how a person sets it right.
 */
#include <stdio.h>
#include <string.h>

#include "keystore/record.h"
#include "keystore/time.h"

static int keep_newest(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    (void)e;
    cs_time *newest = ctx;
    *newest = row->clock_at > *newest ? row->clock_at : *newest;
    return 0;
}

static int mark_read(ks_store *s, cs_time *mark, cs_error *e)
{
    char text[CS_TIME_TEXT];
    *mark = 0;
    int found = s->driver->meta_get(s->b, KS_META_CLOCK, text, sizeof text, e);
    if (found == 1 && cs_time_parse(text, mark) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "meta %s of the keystore is no instant", KS_META_CLOCK);
    }
    return found < 0 ? -1 : 0;
}

static int mark_write(ks_store *s, cs_time now, cs_error *e)
{
    char text[CS_TIME_TEXT];
    return s->driver->meta_set(s->b, KS_META_CLOCK, cs_time_format(now, text), e);
}

/** "BOOT UPTIME INSTANT". One of another boot says nothing, and one that cannot be read is made anew. */
static int witness_read(ks_store *s, const ks_uptime *up, struct ks_clock_facts *out, cs_error *e)
{
    char text[128];
    char boot[64];
    char instant[CS_TIME_TEXT];
    long long ran = 0;
    int found = s->driver->meta_get(s->b, KS_META_BOOT, text, sizeof text, e);
    if (found == 1 && sscanf(text, "%63s %lld %23s", boot, &ran, instant) == 3 && strcmp(boot, up->boot) == 0 &&
        up->s >= ran && cs_time_parse(instant, &out->last_now) == 0) {
        out->running = true;
        out->since_last_s = up->s - ran;
    }
    return found < 0 ? -1 : 0;
}

int ks_clock_witness(ks_store *s, const ks_uptime *up, cs_time now, cs_error *e)
{
    char text[128];
    char instant[CS_TIME_TEXT];
    if (up == NULL) {
        return 0;
    }
    int n = snprintf(text, sizeof text, "%s %lld %s", up->boot, (long long)up->s, cs_time_format(now, instant));
    return n < 0 || (size_t)n >= sizeof text
               ? cs_error_set(e, CS_EXIT_INTERNAL, "internal", "the name of the boot is too long")
               : s->driver->meta_set(s->b, KS_META_BOOT, text, e);
}

int ks_clock_read(ks_store *s, const ks_uptime *up, struct ks_clock_facts *out, cs_error *e)
{
    memset(out, 0, sizeof *out);
    return mark_read(s, &out->high_water, e) != 0 || (up != NULL && witness_read(s, up, out, e) != 0)
               ? -1
               : s->driver->nodes(s->b, keep_newest, &out->newest_node, e);
}

int ks_clock_raise(ks_store *s, cs_time now, cs_error *e)
{
    struct ks_clock_facts f = {0};
    char text[256];
    if (s->options.time_given) {
        return 0;
    }
    if (mark_read(s, &f.high_water, e) != 0) {
        return -1;
    }
    bool believed = ks_clock_judge(&f, now, text, sizeof text) == KS_CLOCK_GOOD;
    return believed && now > f.high_water ? mark_write(s, now, e) : 0;
}

int ks_clock_look(ks_store *s, const ks_uptime *up, cs_time now, ks_clock_info *out, cs_error *e)
{
    struct ks_clock_facts f;
    memset(out, 0, sizeof *out);
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = ks_clock_read(s, up, &f, e);
    s->driver->rollback(s->b);
    if (rc == 0) {
        out->high_water = f.high_water;
        out->suspect = !s->options.time_given && ks_clock_judge(&f, now, out->text, sizeof out->text) != KS_CLOCK_GOOD;
    }
    return rc;
}

int ks_clock_accept(ks_store *s, bool dry_run, const ks_actor *who, const ks_uptime *up, cs_time now,
                    ks_clock_info *out, cs_error *e)
{
    struct ks_record r = {0};
    char before[CS_TIME_TEXT];
    char after[CS_TIME_TEXT];
    cs_time mark = 0;
    memset(out, 0, sizeof *out);
    int rc = ks_record_begin(&r, s, who, dry_run, now, e);
    if (rc == 0) {
        rc = mark_read(s, &mark, e);
    }
    if (rc == 0 && !dry_run) {
        cs_time_format(now, after);
        rc = mark_write(s, now, e) == 0 && ks_clock_witness(s, up, now, e) == 0 &&
                     ks_record_audit(&r, "clock accept", "clock", mark != 0 ? cs_time_format(mark, before) : NULL,
                                     after, e) == 0 &&
                     ks_record_commit(&r, "clock", e) == 0
                 ? 0
                 : -1;
    }
    ks_record_end(&r);
    out->high_water = rc == 0 && !dry_run ? now : mark;
    return rc;
}
