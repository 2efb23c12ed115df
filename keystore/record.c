/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: see record.h. */
#include "keystore/record.h"
#include "keystore/checkpoint.h"

int ks_record_begin(struct ks_record *r, ks_store *s, const ks_actor *who, bool dry_run, cs_time now, cs_error *e)
{
    *r = (struct ks_record){.s = s, .who = who, .now = now, .dry_run = dry_run};
    if (s->driver->begin(s->b, dry_run ? KS_READ : KS_WRITE, e) != 0 ||
        s->driver->generation(s->b, &r->generation, e) != 0) {
        return -1;
    }
    r->generation++;
    return 0;
}

int ks_record_audit(struct ks_record *r, const char *verb, const char *object, const char *before, const char *after,
                    cs_error *e)
{
    struct ks_audit_row row = {.at = r->now,
                               .actor = r->who->name,
                               .actor_kind = r->who->kind,
                               .verb = verb,
                               .object = object,
                               .before = before,
                               .after = after,
                               .reason = r->who->reason,
                               .approver = r->approver};
    if (r->dry_run) {
        return 0;
    }
    if (ks_audit_append(r->s, &row, e) != 0) {
        return -1;
    }
    r->seq = row.seq;
    return 0;
}

int ks_record_commit(struct ks_record *r, const char *kind, cs_error *e)
{
    if (r->dry_run) {
        return 0;
    }
    if (ks_generation_next(r->s, r->now, kind, r->who, r->seq, r->generation, e) != 0) {
        return -1;
    }
    return ks_commit(r->s, e);
}

void ks_record_end(struct ks_record *r)
{
    if (r->s != NULL) {
        r->s->driver->rollback(r->s->b);
    }
}
