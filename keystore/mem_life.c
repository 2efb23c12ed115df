/* SPDX-License-Identifier: Apache-2.0 */
/* mem_life.c: what stands beside an entry, in memory: trash, what is scheduled, messages that wait, roll-overs; and who
 * a TLS client is, holds and proposals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))

static struct ks_value number(int64_t n)
{
    return (struct ks_value){.kind = KS_VALUE_NUMBER, .number = n};
}

/** Alias and number of an entry; false: not there, or not of that slot (0: any). */
static bool name_of(struct ks_backend *b, int64_t entry_id, int64_t slot_id, char alias[KS_WORD], unsigned *n)
{
    struct ks_mem_scan entry;
    struct ks_mem_scan slot;
    if (!ks_mem_find(b, &entry, "entry", "entry_id", number(entry_id))) {
        return false;
    }
    bool found = (slot_id == 0 || ks_mem_num(&entry, "slot_id") == slot_id) &&
                 ks_mem_find(b, &slot, "slot", "slot_id", *ks_mem_value(&entry, "slot_id"));
    if (found) {
        *n = (unsigned)ks_mem_num(&entry, "n");
        cs_copy(alias, KS_WORD, ks_mem_text(&slot, "alias"));
        ks_mem_done(&slot);
    }
    ks_mem_done(&entry);
    return found;
}

static int by_name(const char *a, unsigned m, const char *b, unsigned n)
{
    int order = strcmp(a, b);
    return order != 0 ? order : (m > n) - (m < n);
}

static int by_time(cs_time a, cs_time b)
{
    return (a > b) - (a < b);
}

/* ---- the trash ----------------------------------------------------------------------------------------------------
 */

static int trash_set(struct ks_backend *b, const struct ks_trash_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("entry_id", row->entry_id), MEM_NUM("at", row->at),
                                     MEM_NUM("until", row->until), MEM_TEXT("actor", row->actor)};
    return ks_mem_insert(b, "trash", set, MEM_COUNT(set), NULL, e);
}

static int trash_remove(struct ks_backend *b, int64_t entry_id, cs_error *e)
{
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "trash", "entry_id", number(entry_id))) {
        return 0;
    }
    int rc = ks_mem_delete(b, &s, e);
    ks_mem_done(&s);
    return rc;
}

static int by_until(const void *a, const void *b)
{
    const struct ks_trash_row *x = a;
    const struct ks_trash_row *y = b;
    int order = by_time(x->until, y->until);
    return order != 0 ? order : by_name(x->alias, x->n, y->alias, y->n);
}

static int trash(struct ks_backend *b, int64_t slot_id, ks_visit_trash *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "trash");
    struct ks_trash_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0 && name_of(b, ks_mem_num(&s, "entry_id"), slot_id, row[n].alias, &row[n].n)) {
            row[n].entry_id = ks_mem_num(&s, "entry_id");
            row[n].at = ks_mem_num(&s, "at");
            row[n].until = ks_mem_num(&s, "until");
            COPY(row[n].actor, &s, "actor");
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_until);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

/* ---- what is scheduled --------------------------------------------------------------------------------------------
 */

static int schedule_set(struct ks_backend *b, const struct ks_schedule_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {
        MEM_NUM("entry_id", row->entry_id), MEM_TEXT("verb", row->verb),
        MEM_NUM("due_at", row->due_at),     MEM_NUM("set_at", row->set_at),
        MEM_TEXT("actor", row->actor),      MEM_TEXT("reason", row->reason[0] != '\0' ? row->reason : NULL)};
    struct ks_mem_scan s = ks_mem_scan(b, "schedule");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == row->entry_id && ks_mem_is(&s, "verb", row->verb)) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "schedule", set, MEM_COUNT(set), NULL, e);
}

static int schedule_remove(struct ks_backend *b, int64_t entry_id, const char *verb, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "schedule");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == entry_id && (verb == NULL || ks_mem_is(&s, "verb", verb)) &&
            ks_mem_delete(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

static int by_due(const void *a, const void *b)
{
    const struct ks_schedule_row *x = a;
    const struct ks_schedule_row *y = b;
    int order = by_time(x->due_at, y->due_at);
    order = order != 0 ? order : by_name(x->alias, x->n, y->alias, y->n);
    return order != 0 ? order : strcmp(x->verb, y->verb);
}

static int schedules(struct ks_backend *b, int64_t slot_id, ks_visit_schedule *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "schedule");
    struct ks_schedule_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0 && name_of(b, ks_mem_num(&s, "entry_id"), slot_id, row[n].alias, &row[n].n)) {
            row[n].entry_id = ks_mem_num(&s, "entry_id");
            row[n].due_at = ks_mem_num(&s, "due_at");
            row[n].set_at = ks_mem_num(&s, "set_at");
            COPY(row[n].verb, &s, "verb");
            COPY(row[n].actor, &s, "actor");
            COPY(row[n].reason, &s, "reason");
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_due);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

/* ---- shares that are signed with a successor ----------------------------------------------------------------------
 */

static int canary_set(struct ks_backend *b, const struct ks_canary_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("entry_id", row->entry_id), MEM_NUM("share", row->share),
                                     MEM_NUM("since", row->since), MEM_TEXT("actor", row->actor),
                                     MEM_TEXT("reason", row->reason[0] != '\0' ? row->reason : NULL)};
    struct ks_mem_scan s = ks_mem_scan(b, "canary");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == row->entry_id) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "canary", set, MEM_COUNT(set), NULL, e);
}

static int canary_remove(struct ks_backend *b, int64_t entry_id, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "canary");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == entry_id && ks_mem_delete(b, &s, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct ks_canary_row *x = a;
    const struct ks_canary_row *y = b;
    return by_name(x->alias, x->n, y->alias, y->n);
}

static int canaries(struct ks_backend *b, int64_t slot_id, ks_visit_canary *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "canary");
    struct ks_canary_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0 && name_of(b, ks_mem_num(&s, "entry_id"), slot_id, row[n].alias, &row[n].n)) {
            row[n].entry_id = ks_mem_num(&s, "entry_id");
            row[n].share = (unsigned)ks_mem_num(&s, "share");
            row[n].since = ks_mem_num(&s, "since");
            COPY(row[n].actor, &s, "actor");
            COPY(row[n].reason, &s, "reason");
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_place);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

/* ---- messages that wait -------------------------------------------------------------------------------------------
 */

static int open_message_set(struct ks_backend *b, const struct ks_open_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("ref", row->ref), MEM_NUM("entry_id", row->entry_id),
                                     MEM_NUM("since", row->since), MEM_TEXT("state", row->open ? "open" : "closed")};
    struct ks_mem_scan s = ks_mem_scan(b, "open_message");
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "entry_id") == row->entry_id && ks_mem_is(&s, "ref", row->ref)) {
            int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
            ks_mem_done(&s);
            return rc;
        }
    }
    return ks_mem_insert(b, "open_message", set, MEM_COUNT(set), NULL, e);
}

static int by_since(const void *a, const void *b)
{
    const struct ks_open_row *x = a;
    const struct ks_open_row *y = b;
    int order = by_time(x->since, y->since);
    order = order != 0 ? order : strcmp(x->ref, y->ref);
    return order != 0 ? order : by_name(x->alias, x->n, y->alias, y->n);
}

static int open_messages(struct ks_backend *b, int64_t slot_id, ks_visit_open *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "open_message");
    struct ks_open_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0 && name_of(b, ks_mem_num(&s, "entry_id"), slot_id, row[n].alias, &row[n].n)) {
            row[n].entry_id = ks_mem_num(&s, "entry_id");
            row[n].since = ks_mem_num(&s, "since");
            row[n].open = ks_mem_is(&s, "state", "open");
            COPY(row[n].ref, &s, "ref");
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_since);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

static int rollover_open(struct ks_backend *b, int64_t slot_id, int64_t *roll_id, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "rollover");
    (void)e;
    *roll_id = 0;
    while (ks_mem_next(&s)) {
        if (ks_mem_num(&s, "slot_id") == slot_id && ks_mem_is(&s, "state", "open")) {
            *roll_id = ks_mem_num(&s, "roll_id");
        }
    }
    return 0;
}

/* ---- mappings -----------------------------------------------------------------------------------------------------
 */

static int mapping_add(struct ks_backend *b, struct ks_mapping_row *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("route", row->route),
                                     MEM_TEXT("user", row->user[0] != '\0' ? row->user : NULL),
                                     MEM_TEXT("kind", row->entry_id != 0 ? "certificate" : "names"),
                                     MEM_TEXT("subject_dn", row->subject),
                                     MEM_TEXT("issuer_dn", row->issuer),
                                     MEM_NUM("from_ts", row->from),
                                     MEM_NUM("entry_id", row->entry_id)};
    return ks_mem_insert(b, "mapping", set, MEM_COUNT(set) - (row->entry_id == 0), &row->map_id, e);
}

static int mapping_end(struct ks_backend *b, int64_t map_id, cs_time to, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NUM("to_ts", to)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "mapping", "map_id", number(map_id))) {
        return 0;
    }
    int rc = ks_mem_is_null(&s, "to_ts") ? ks_mem_update(b, &s, set, 1, e) : 0;
    ks_mem_done(&s);
    return rc;
}

static int mappings(struct ks_backend *b, ks_visit_mapping *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "mapping"); /* numbered and appended: by number already */
    while (ks_mem_next(&s)) {
        struct ks_mapping_row row = {.map_id = ks_mem_num(&s, "map_id"),
                                     .entry_id = ks_mem_num(&s, "entry_id"),
                                     .from = ks_mem_num(&s, "from_ts"),
                                     .to = ks_mem_is_null(&s, "to_ts") ? KS_FOREVER : ks_mem_num(&s, "to_ts")};
        struct ks_mem_scan entry;
        row.subject = ks_mem_is_null(&s, "subject_dn") ? NULL : ks_mem_text(&s, "subject_dn");
        row.issuer = ks_mem_is_null(&s, "issuer_dn") ? NULL : ks_mem_text(&s, "issuer_dn");
        COPY(row.route, &s, "route");
        COPY(row.user, &s, "user");
        if (row.entry_id != 0 && name_of(b, row.entry_id, 0, row.alias, &row.n) &&
            ks_mem_find(b, &entry, "entry", "entry_id", number(row.entry_id))) {
            ks_mem_octets(&entry, "sha256", row.sha256, sizeof row.sha256);
            ks_mem_done(&entry);
        }
        if (visit(ctx, &row, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

/* ---- holds --------------------------------------------------------------------------------------------------------
 */

static int hold_add(struct ks_backend *b, const ks_hold_info *row, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("route", row->route), MEM_NUM("since", row->since),
                                     MEM_TEXT("actor", row->actor), MEM_TEXT("reason", row->reason)};
    return ks_mem_insert(b, "hold", set, MEM_COUNT(set), NULL, e);
}

static int hold_remove(struct ks_backend *b, const char *route, cs_error *e)
{
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "hold", "route", ks_mem_of_text(route))) {
        return 0;
    }
    int rc = ks_mem_delete(b, &s, e);
    ks_mem_done(&s);
    return rc;
}

static int by_route(const void *a, const void *b)
{
    return strcmp(((const ks_hold_info *)a)->route, ((const ks_hold_info *)b)->route);
}

static int holds(struct ks_backend *b, ks_visit_hold *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "hold");
    ks_hold_info *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0) {
            row[n].since = ks_mem_num(&s, "since");
            COPY(row[n].route, &s, "route");
            COPY(row[n].actor, &s, "actor");
            COPY(row[n].reason, &s, "reason");
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_route);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    free(row);
    return rc;
}

/* ---- proposals ----------------------------------------------------------------------------------------------------
 */

static int approval_add(struct ks_backend *b, ks_proposal *a, const char *plan, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_OCT("plan_hash", a->plan_hash, sizeof a->plan_hash),
                                     MEM_TEXT("plan", plan),
                                     MEM_TEXT("verb", a->verb),
                                     MEM_TEXT("object", a->object),
                                     MEM_TEXT("proposer", a->proposer),
                                     MEM_TEXT("reason", a->reason[0] != '\0' ? a->reason : NULL),
                                     MEM_NUM("proposed_at", a->proposed_at),
                                     MEM_NUM("expires_at", a->expires_at)};
    return ks_mem_insert(b, "approval", set, MEM_COUNT(set), &a->id, e);
}

static int approval_update(struct ks_backend *b, const ks_proposal *a, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("approver", a->approver[0] != '\0' ? a->approver : NULL),
                                     MEM_NUM("approved_at", a->approved_at), MEM_NUM("used_at", a->used_at)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "approval", "approval_id", number(a->id))) {
        return 0;
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int approvals(struct ks_backend *b, int64_t id, const uint8_t *plan_hash, ks_visit_proposal *visit, void *ctx,
                     cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "approval"); /* by number, as mappings */
    while (ks_mem_next(&s)) {
        ks_proposal a;
        memset(&a, 0, sizeof a);
        a.id = ks_mem_num(&s, "approval_id");
        ks_mem_octets(&s, "plan_hash", a.plan_hash, sizeof a.plan_hash);
        if ((id != 0 && id != a.id) || (plan_hash != NULL && memcmp(plan_hash, a.plan_hash, sizeof a.plan_hash) != 0)) {
            continue;
        }
        a.proposed_at = ks_mem_num(&s, "proposed_at");
        a.expires_at = ks_mem_num(&s, "expires_at");
        a.approved_at = ks_mem_num(&s, "approved_at");
        a.used_at = ks_mem_num(&s, "used_at");
        COPY(a.verb, &s, "verb");
        COPY(a.object, &s, "object");
        COPY(a.proposer, &s, "proposer");
        COPY(a.approver, &s, "approver");
        COPY(a.reason, &s, "reason");
        if (visit(ctx, &a, ks_mem_text(&s, "plan"), e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

void ks_mem_life_functions(struct ks_driver *d)
{
    d->trash_set = trash_set;
    d->trash_remove = trash_remove;
    d->trash = trash;
    d->canary_set = canary_set;
    d->canary_remove = canary_remove;
    d->canaries = canaries;
    d->schedule_set = schedule_set;
    d->schedule_remove = schedule_remove;
    d->schedules = schedules;
    d->open_message_set = open_message_set;
    d->open_messages = open_messages;
    d->rollover_open = rollover_open;
    d->mapping_add = mapping_add;
    d->mapping_end = mapping_end;
    d->mappings = mappings;
    d->hold_add = hold_add;
    d->hold_remove = hold_remove;
    d->holds = holds;
    d->approval_add = approval_add;
    d->approval_update = approval_update;
    d->approvals = approvals;
}
