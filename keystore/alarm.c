/* SPDX-License-Identifier: Apache-2.0 */
/* alarm.c: see alarm.h. */
#include "keystore/alarm.h"

#include <string.h>

#include "base/text.h"
#include "keystore/store.h"

static void one_line(char *out, size_t size, const char *text)
{
    (void)cs_copy(out, size, text);
    for (char *p = out; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
    }
}

void ks_alarm_take(struct ks_alarms *a, enum ks_notice kind, const char *about, int64_t occasion, const char *text,
                   cs_time now)
{
    struct ks_alarm one = {.kind = kind, .occasion = occasion, .at = now};
    one_line(one.about, sizeof one.about, about);
    one_line(one.text, sizeof one.text, text);
    for (size_t i = 0; i < a->n; i++) {
        if (a->row[i].kind == kind && strcmp(a->row[i].about, one.about) == 0) {
            return;
        }
    }
    if (a->n < KS_ALARMS) {
        a->row[a->n++] = one;
    }
}

void ks_alarm_drop(struct ks_alarms *a)
{
    if (a->n > 0) {
        a->n--;
        memmove(&a->row[0], &a->row[1], a->n * sizeof a->row[0]);
    }
}

int ks_alarm_write(ks_store *s, const struct ks_alarm *a, cs_error *e)
{
    const ks_tell t = {
        .kind = a->kind, .about = a->about, .occasion = a->occasion, .text = a->text, .role = "tenant-admin"};
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0) {
        rc = ks_notice_tell(s, &t, a->at, e) < 0 ? -1 : s->driver->commit(s->b, e);
    }
    s->driver->rollback(s->b);
    return rc;
}
