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

void ks_alarm_take(struct ks_alarm *a, enum ks_notice kind, const char *about, const char *text, cs_time now)
{
    if (!a->waiting) {
        a->waiting = true;
        a->kind = kind;
        a->at = now;
        one_line(a->about, sizeof a->about, about);
        one_line(a->text, sizeof a->text, text);
    }
}

int ks_alarm_write(ks_store *s, const struct ks_alarm *a, cs_error *e)
{
    const ks_tell t = {
        .kind = a->kind, .about = a->about, .occasion = a->at / CS_DAY, .text = a->text, .role = "tenant-admin"};
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0) {
        rc = ks_notice_tell(s, &t, a->at, e) < 0 ? -1 : s->driver->commit(s->b, e);
    }
    s->driver->rollback(s->b);
    return rc;
}
