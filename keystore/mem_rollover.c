/* SPDX-License-Identifier: Apache-2.0 */
/* mem_rollover.c: roll-overs, steps, links, probes and numbers of nodes, in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"
#include "keystore/rollover_store.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))

static struct ks_value number(int64_t n)
{
    return (struct ks_value){.kind = KS_VALUE_NUMBER, .number = n};
}

/* ---- roll-overs ------------------------------------------------------------------------------------------------- */

static int add(struct ks_backend *b, struct ks_roll_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {
        MEM_NUM("slot_id", row->slot_id),     MEM_TEXT("runbook", row->runbook),
        MEM_TEXT("runbook_text", row->text),  MEM_OCT("runbook_hash", row->hash, sizeof row->hash),
        MEM_TEXT("state", row->state),        MEM_NUM("old_entry", row->old_entry),
        MEM_NUM("new_entry", row->new_entry), MEM_NUM("window_from", row->window_from),
        MEM_NUM("window_to", row->window_to), MEM_NUM("started_at", row->started_at),
        MEM_TEXT("actor", row->actor),        MEM_TEXT("settings", row->settings)};
    return ks_mem_insert(b, "rollover", set, MEM_COUNT(set), &row->roll_id, e);
}

static int update(struct ks_backend *b, const struct ks_roll_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("state", row->state),        MEM_NUM("old_entry", row->old_entry),
                                     MEM_NUM("new_entry", row->new_entry), MEM_NUM("window_from", row->window_from),
                                     MEM_NUM("window_to", row->window_to), MEM_NUM("ended_at", row->ended_at),
                                     MEM_TEXT("settings", row->settings)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "rollover", "roll_id", number(row->roll_id))) {
        return 0;
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int give(struct ks_backend *b, const struct ks_mem_scan *s, ks_visit_roll *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan slot;
    struct ks_roll_row row = {.roll_id = ks_mem_num(s, "roll_id"), .slot_id = ks_mem_num(s, "slot_id")};
    if (!ks_mem_find(b, &slot, "slot", "slot_id", number(row.slot_id))) {
        return 0;
    }
    COPY(row.alias, &slot, "alias");
    COPY(row.partner, &slot, "partner");
    int rc = ks_role_parse(ks_mem_text(&slot, "role"), &row.role);
    ks_mem_done(&slot);
    COPY(row.runbook, s, "runbook");
    row.text = ks_mem_text(s, "runbook_text");
    ks_mem_octets(s, "runbook_hash", row.hash, sizeof row.hash);
    COPY(row.state, s, "state");
    row.old_entry = ks_mem_num(s, "old_entry");
    row.new_entry = ks_mem_num(s, "new_entry");
    row.window_from = ks_mem_num(s, "window_from");
    row.window_to = ks_mem_num(s, "window_to");
    row.started_at = ks_mem_num(s, "started_at");
    row.ended_at = ks_mem_num(s, "ended_at");
    COPY(row.actor, s, "actor");
    COPY(row.settings, s, "settings");
    return rc == 0 ? visit(ctx, &row, e) : ks_mem_conflict("role", e);
}

static int each(struct ks_backend *b, int64_t roll_id, bool open, ks_visit_roll *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "rollover"); /* numbered: in the order of their numbers */
    int rc = 0;
    while (rc == 0 && ks_mem_next(&s)) {
        if ((roll_id == 0 || ks_mem_num(&s, "roll_id") == roll_id) && (!open || ks_mem_is(&s, "state", "open"))) {
            rc = give(b, &s, visit, ctx, e) != 0 ? -1 : 0;
        }
    }
    if (rc != 0) {
        ks_mem_done(&s);
    }
    return rc;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static int step_set(struct ks_backend *b, const struct ks_step_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("roll_id", row->roll_id),  MEM_TEXT("n", row->n),
                                     MEM_TEXT("state", row->state),     MEM_TEXT("said", row->said),
                                     MEM_TEXT("done_by", row->done_by), MEM_NUM("done_at", row->done_at),
                                     MEM_NUM("told_at", row->told_at),  MEM_TEXT("evidence", row->evidence)};
    struct ks_mem_scan s = ks_mem_scan(b, "rollover_step");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "roll_id") == row->roll_id && ks_mem_is(&s, "n", row->n)) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "rollover_step", set, MEM_COUNT(set), NULL, e);
}

static int by_done(const void *a, const void *b)
{
    const struct ks_step_row *x = a;
    const struct ks_step_row *y = b;
    return x->done_at != y->done_at ? (x->done_at > y->done_at) - (x->done_at < y->done_at) : strcmp(x->n, y->n);
}

static int steps(struct ks_backend *b, int64_t roll_id, ks_visit_step *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "rollover_step");
    struct ks_mem_scan hold = ks_mem_scan(b, "rollover_step"); /* the texts are its rows' */
    struct ks_step_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc != 0 || ks_mem_num(&s, "roll_id") != roll_id) {
            continue;
        }
        row[n].roll_id = roll_id;
        COPY(row[n].n, &s, "n");
        COPY(row[n].state, &s, "state");
        COPY(row[n].said, &s, "said");
        COPY(row[n].done_by, &s, "done_by");
        row[n].done_at = ks_mem_num(&s, "done_at");
        row[n].told_at = ks_mem_num(&s, "told_at");
        row[n].evidence = ks_mem_is_null(&s, "evidence") ? NULL : ks_mem_text(&s, "evidence");
        n++;
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_done);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc;
}

/** A store in memory keeps no notices. */
static int mails(struct ks_backend *b, const char *about, size_t *told, size_t *sent, cs_error *e)
{
    (void)b;
    (void)about;
    (void)e;
    *told = *sent = 0;
    return 0;
}

/* ---- links ----------------------------------------------------------------------------------------------------- */

static int link_add(struct ks_backend *b, const struct ks_link_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_OCT("token_hash", row->token_hash, sizeof row->token_hash),
                                     MEM_NUM("roll_id", row->roll_id), MEM_TEXT("n", row->n),
                                     MEM_TEXT("role", row->role), MEM_NUM("expires", row->expires)};
    return ks_mem_insert(b, "link", set, MEM_COUNT(set), NULL, e);
}

static int link_get(struct ks_backend *b, const uint8_t token_hash[32], struct ks_link_row *out, cs_error *e)
{
    struct ks_mem_scan s;
    (void)e;
    memset(out, 0, sizeof *out);
    if (!ks_mem_find(b, &s, "link", "token_hash", ks_mem_of_octets(token_hash, 32))) {
        return 0;
    }
    memcpy(out->token_hash, token_hash, sizeof out->token_hash);
    out->roll_id = ks_mem_num(&s, "roll_id");
    out->expires = ks_mem_num(&s, "expires");
    out->used_at = ks_mem_num(&s, "used_at");
    COPY(out->n, &s, "n");
    COPY(out->role, &s, "role");
    ks_mem_done(&s);
    return 1;
}

static int link_use(struct ks_backend *b, const uint8_t token_hash[32], cs_time now, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("used_at", now)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "link", "token_hash", ks_mem_of_octets(token_hash, 32))) {
        return 0;
    }
    int rc = ks_mem_num(&s, "used_at") == 0 ? ks_mem_update(b, &s, set, MEM_COUNT(set), e) : 0;
    ks_mem_done(&s);
    return rc;
}

/* ---- what nodes say -------------------------------------------------------------------------------------------- */

static int probe_put(struct ks_backend *b, int64_t entry_id, const ks_probe_result *r, cs_error *e)
{
    const struct ks_mem_set set[] = {
        MEM_TEXT("node_id", r->node),   MEM_NUM("entry_id", entry_id), MEM_TEXT("target", r->target),
        MEM_NUM("outcome", r->outcome), MEM_NUM("asked", r->asked),    MEM_NUM("status", r->status),
        MEM_TEXT("tls", r->tls),        MEM_TEXT("detail", r->detail), MEM_NUM("at", r->at)};
    struct ks_mem_scan s = ks_mem_scan(b, "probe");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == entry_id && ks_mem_is(&s, "node_id", r->node) &&
            ks_mem_is(&s, "target", r->target)) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "probe", set, MEM_COUNT(set), NULL, e);
}

/** Alias and number of an entry; @return its slot, 0: not there */
static int64_t name_of(struct ks_backend *b, int64_t entry_id, char alias[KS_WORD], unsigned *n)
{
    struct ks_mem_scan entry;
    struct ks_mem_scan slot;
    int64_t slot_id = 0;
    if (!ks_mem_find(b, &entry, "entry", "entry_id", number(entry_id))) {
        return 0;
    }
    *n = (unsigned)ks_mem_num(&entry, "n");
    if (ks_mem_find(b, &slot, "slot", "slot_id", *ks_mem_value(&entry, "slot_id"))) {
        slot_id = ks_mem_num(&slot, "slot_id");
        cs_copy(alias, KS_WORD, ks_mem_text(&slot, "alias"));
        ks_mem_done(&slot);
    }
    ks_mem_done(&entry);
    return slot_id;
}

static int by_entry(const void *a, const void *b)
{
    const ks_probe_result *x = a;
    const ks_probe_result *y = b;
    int order = (x->n > y->n) - (x->n < y->n);
    order = order != 0 ? order : strcmp(x->target, y->target);
    return order != 0 ? order : strcmp(x->node, y->node);
}

static int probes(struct ks_backend *b, int64_t slot_id, int64_t entry_id, ks_visit_probe *visit, void *ctx,
                  cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "probe");
    ks_probe_result *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        ks_probe_result *r = &row[n];
        int64_t of = ks_mem_num(&s, "entry_id");
        if (rc != 0 || (entry_id != 0 && of != entry_id) || name_of(b, of, r->alias, &r->n) != slot_id) {
            continue;
        }
        COPY(r->node, &s, "node_id");
        COPY(r->target, &s, "target");
        r->outcome = (enum ks_probe_outcome)ks_mem_num(&s, "outcome");
        r->asked = ks_mem_num(&s, "asked") != 0;
        r->status = (int)ks_mem_num(&s, "status");
        COPY(r->tls, &s, "tls");
        COPY(r->detail, &s, "detail");
        r->at = ks_mem_num(&s, "at");
        n++;
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_entry);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

static int probe_ask(struct ks_backend *b, int64_t entry_id, cs_time at, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("entry_id", entry_id), MEM_NUM("at", at)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "probe_ask", "entry_id", number(entry_id))) {
        return ks_mem_insert(b, "probe_ask", set, MEM_COUNT(set), NULL, e);
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int by_age(const void *a, const void *b)
{
    const ks_probe_asked *x = a;
    const ks_probe_asked *y = b;
    int order = (x->at < y->at) - (x->at > y->at);
    order = order != 0 ? order : strcmp(x->alias, y->alias);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static int probe_asks(struct ks_backend *b, cs_time since, ks_visit_asked *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "probe_ask");
    ks_probe_asked *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        row[n].at = rc == 0 ? ks_mem_num(&s, "at") : 0;
        if (rc == 0 && row[n].at >= since && name_of(b, ks_mem_num(&s, "entry_id"), row[n].alias, &row[n].n) != 0) {
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_age);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

static int gauge_set(struct ks_backend *b, const char *node, const char *kind, const char *object, int64_t n,
                     cs_time at, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("node_id", node), MEM_TEXT("kind", kind), MEM_TEXT("object", object),
                                     MEM_NUM("gen", 0),         MEM_NUM("n", n),        MEM_NUM("last_at", at)};
    struct ks_mem_scan s = ks_mem_scan(b, "observation");
    while (ks_mem_next(&s)) {
        if (ks_mem_is(&s, "node_id", node) && ks_mem_is(&s, "kind", kind) && ks_mem_is(&s, "object", object) &&
            ks_mem_num(&s, "gen") == 0) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "observation", set, MEM_COUNT(set), NULL, e);
}

static int gauges(struct ks_backend *b, const char *kind, ks_visit_gauge *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "observation");
    int rc = 0;
    while (rc == 0 && ks_mem_next(&s)) {
        if (ks_mem_is(&s, "kind", kind) && ks_mem_num(&s, "gen") == 0) {
            rc = visit(ctx, ks_mem_text(&s, "node_id"), ks_mem_text(&s, "object"), ks_mem_num(&s, "n"),
                       ks_mem_num(&s, "last_at"), e);
        }
    }
    if (rc != 0) {
        ks_mem_done(&s);
    }
    return rc;
}

const struct ks_rollover_driver ks_mem_rollovers = {
    .add = add,
    .update = update,
    .each = each,
    .step_set = step_set,
    .steps = steps,
    .mails = mails,
    .link_add = link_add,
    .link_get = link_get,
    .link_use = link_use,
    .probe_put = probe_put,
    .probes = probes,
    .probe_ask = probe_ask,
    .probe_asks = probe_asks,
    .gauge_set = gauge_set,
    .gauges = gauges,
};
