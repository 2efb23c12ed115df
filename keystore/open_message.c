/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open_message.c: messages that wait in a queue or among dead letters, as somebody tells who watches those. While one
 * waits, the entry that it needs is kept: its window ends a guaranteed delivery after the newest of them.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/change.h"
#include "keystore/checkpoint.h"

struct found {
    const char *ref;
    int64_t entry_id;
    bool known, open;
    cs_time since;
};

static int find_ref(void *ctx, const struct ks_open_row *row, cs_error *e)
{
    (void)e;
    struct found *f = ctx;
    if (row->entry_id == f->entry_id && strcmp(row->ref, f->ref) == 0) {
        f->known = true;
        f->open = row->open;
        f->since = row->since;
    }
    return 0;
}

static int check_ref(const char *ref, cs_error *e)
{
    size_t n = strlen(ref);
    bool ok = n > 0 && n < KS_REF;
    for (size_t i = 0; ok && i < n; i++) {
        ok = (unsigned char)ref[i] >= 0x20 && ref[i] != 0x7f;
    }
    return ok ? 0
              : cs_error_set(e, CS_EXIT_USAGE, "reference",
                             "a reference has 1 to %d octets without control characters: a message id, a file",
                             KS_REF - 1);
}

static int record(struct ks_work *w, unsigned n, const struct ks_open_row *row, cs_error *e)
{
    char object[KS_WORD + 12];
    snprintf(object, sizeof object, "%s#%u", w->slot.alias, n);
    struct ks_audit_row audit = {.at = w->now,
                                 .actor = w->who->name,
                                 .actor_kind = w->who->kind,
                                 .verb = row->open ? "open-message add" : "open-message close",
                                 .object = object,
                                 .after = row->ref,
                                 .reason = w->who->reason};
    if (w->s->driver->open_message_set(w->s->b, row, e) != 0 || ks_audit_append(w->s, &audit, e) != 0) {
        return -1;
    }
    w->seq = audit.seq;
    /* its end moves in the same change: no node may see the one without the other */
    return ks_extend_waiting(w->s, w->slot.partner[0] != '\0' ? w->slot.partner : NULL, w->generation, w->who, w->now,
                             &w->seq, e) == 0 &&
                   ks_generation_next(w->s, w->now, w->verb, w->who, w->seq, w->generation, e) == 0
               ? ks_commit(w->s, e)
               : -1;
}

static int tell(struct ks_work *w, const struct ks_row *row, const ks_waiting *m, ks_outcome *out, cs_error *e)
{
    struct found f = {.ref = m->ref, .entry_id = row->entry_id};
    if (w->s->driver->open_messages(w->s->b, w->slot.slot_id, find_ref, &f, e) != 0) {
        return -1;
    }
    out->generation = w->generation;
    if (!m->open && !f.known) {
        return cs_error_set(e, CS_EXIT_USAGE, "reference-unknown", "no open message %.200s of %s#%u is known", m->ref,
                            w->slot.alias, m->n);
    }
    if (f.known && f.open == m->open) {
        ks_note(out, "%s is %s already: nothing to do", m->ref, m->open ? "open" : "closed");
        out->generation = w->generation - 1;
        return 0;
    }
    struct ks_open_row set = {.entry_id = row->entry_id, .since = m->open ? w->now : f.since, .open = m->open};
    cs_copy(set.ref, sizeof set.ref, m->ref);
    return w->dry_run ? 0 : record(w, m->n, &set, e);
}

struct again {
    unsigned n;
    ks_info *out;
};

static int read_again(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    struct again *a = ctx;
    if (row->info.n == a->n) {
        *a->out = row->info;
    }
    return 0;
}

int ks_open_message(ks_store *s, const ks_waiting *m, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                    cs_error *e)
{
    memset(out, 0, sizeof *out);
    if (check_ref(m->ref, e) != 0) {
        return -1;
    }
    struct ks_work *w = ks_work_begin(s, m->alias, "open-message", dry_run, who, now, e);
    if (w == NULL) {
        return -1;
    }
    const struct ks_row *row = w->slot.slot_id != 0 ? ks_work_row(w, m->n) : NULL;
    int rc = row != NULL ? tell(w, row, m, out, e) : ks_work_unknown(w, m->alias, m->n, e);
    ks_work_free(w);
    struct again a = {m->n, &out->info};
    struct ks_row_filter f = {.alias = m->alias, .n = m->n};
    if (rc == 0) {
        rc = s->driver->rows(s->b, &f, read_again, &a, e);
    }
    out->done = rc == 0 && !dry_run;
    return rc;
}
