/* SPDX-License-Identifier: Apache-2.0 */
/* mem_entry.c: slots, entries and intervals in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))

static void read_slot(const struct ks_mem_scan *s, struct ks_slot *out)
{
    memset(out, 0, sizeof *out);
    out->slot_id = ks_mem_num(s, "slot_id");
    COPY(out->alias, s, "alias");
    COPY(out->partner, s, "partner");
    if (ks_role_parse(ks_mem_text(s, "role"), &out->role) != 0) {
        out->role = KS_ROLES;
    }
}

static int slot_get(struct ks_backend *b, const char *alias, struct ks_slot *out, cs_error *e)
{
    struct ks_mem_scan s;
    (void)e;
    if (!ks_mem_find(b, &s, "slot", "alias", ks_mem_of_text(alias))) {
        return 0;
    }
    read_slot(&s, out);
    ks_mem_done(&s);
    return 1;
}

static int slot_add(struct ks_backend *b, struct ks_slot *slot, uint64_t version, cs_error *e)
{
    const struct ks_role_row *role = ks_role_row(slot->role);
    const struct ks_mem_set set[] = {MEM_TEXT("alias", slot->alias),          MEM_TEXT("role", role->word),
                                     MEM_TEXT("partner", slot->partner),      MEM_NUM("max_keyed", role->max_keyed),
                                     MEM_NUM("max_active", role->max_active), MEM_NUM("version", version)};
    return ks_mem_insert(b, "slot", set, MEM_COUNT(set), &slot->slot_id, e);
}

static int nearest(struct ks_backend *b, const char *kind, const char *name, char out[KS_WORD], cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "slot");
    (void)e;
    out[0] = '\0';
    while (ks_mem_next(&s)) {
        const char *word = ks_mem_text(&s, kind);
        const char *const words[] = {word, out[0] != '\0' ? out : NULL, NULL};
        const char *best = word[0] != '\0' ? cs_nearest(name, words) : NULL;
        if (best == word && best != NULL) {
            cs_copy(out, KS_WORD, word);
        }
    }
    return 0;
}

static int last_n(struct ks_backend *b, int64_t slot_id, unsigned *n, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "entry");
    (void)e;
    *n = 0;
    while (ks_mem_next(&s)) {
        unsigned k = (unsigned)ks_mem_num(&s, "n");
        *n = ks_mem_num(&s, "slot_id") == slot_id && k > *n ? k : *n;
    }
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------------------------------
 */

static void read_uses(struct ks_backend *b, struct ks_row *row)
{
    struct ks_mem_scan s = ks_mem_scan(b, "use_day");
    while (ks_mem_next(&s)) {
        int64_t ok = ks_mem_num(&s, "ok");
        if (ks_mem_num(&s, "entry_id") == row->entry_id && ok > 0) {
            cs_time last = ks_mem_num(&s, "last_at");
            row->info.last_use = last > row->info.last_use ? last : row->info.last_use;
            row->info.uses += (uint64_t)ok;
        }
    }
}

static void read_times(const struct ks_mem_scan *s, struct ks_row *row)
{
    row->info.not_before = ks_mem_num(s, "not_before");
    row->info.not_after = ks_mem_num(s, "not_after");
    row->info.created_at = ks_mem_num(s, "created_at");
    row->info.activated_at = ks_mem_num(s, "activated_at");
    row->info.exchanged_at = ks_mem_num(s, "exchanged_at");
    row->info.process_stop = ks_mem_num(s, "process_stop");
    row->compromised_since = ks_mem_num(s, "compromised_since");
    row->changed_at = ks_mem_num(s, "changed_at");
    row->info.version = (uint64_t)ks_mem_num(s, "version");
}

/** der and chain are those of the row: they last as long as the walk. */
static int read_row(struct ks_backend *b, const struct ks_mem_scan *s, const struct ks_slot *slot, struct ks_row *row)
{
    const char *resume = ks_mem_text(s, "resume_state");
    memset(row, 0, sizeof *row);
    row->entry_id = ks_mem_num(s, "entry_id");
    row->slot_id = slot->slot_id;
    row->info.n = (unsigned)ks_mem_num(s, "n");
    row->info.role = slot->role;
    cs_copy(row->info.alias, sizeof row->info.alias, slot->alias);
    cs_copy(row->info.partner, sizeof row->info.partner, slot->partner);
    row->suspended_too = resume[0] == '+';
    resume += row->suspended_too;
    if (ks_state_parse(ks_mem_text(s, "state"), &row->info.state) != 0 ||
        (resume[0] != '\0' && ks_state_parse(resume, &row->resume_state) != 0)) {
        return -1;
    }
    ks_mem_octets(s, "sha256", row->info.sha256, 32);
    ks_mem_octets(s, "sha1", row->sha1, 20);
    ks_mem_octets(s, "spki_sha256", row->info.spki_sha256, 32);
    ks_mem_octets(s, "ski", row->ski, sizeof row->ski);
    row->ski_len = ks_mem_value(s, "ski")->n < sizeof row->ski ? ks_mem_value(s, "ski")->n : sizeof row->ski;
    COPY(row->info.subject, s, "subject_dn");
    COPY(row->info.issuer, s, "issuer_dn");
    COPY(row->info.serial, s, "serial");
    COPY(row->info.key_algorithm, s, "key_alg");
    COPY(row->key_id, s, "key_id");
    row->info.key_bits = (int)ks_mem_num(s, "key_bits");
    row->info.has_key = row->key_id[0] != '\0';
    row->der = ks_mem_value(s, "der")->p;
    row->der_len = ks_mem_value(s, "der")->n;
    row->chain = ks_mem_value(s, "chain_der")->p;
    row->chain_len = ks_mem_value(s, "chain_der")->n;
    read_times(s, row);
    read_uses(b, row);
    return 0;
}

static int by_alias(const void *a, const void *b)
{
    const struct ks_row *x = a;
    const struct ks_row *y = b;
    int order = strcmp(x->info.alias, y->info.alias);
    return order != 0 ? order : (x->info.n > y->info.n) - (x->info.n < y->info.n);
}

/** Does the row fit? ctx is the question's. */
typedef bool fits(struct ks_backend *b, const struct ks_row *row, const void *ctx);

static int visit_fitting(struct ks_backend *b, fits *fit, const void *question, bool with_der, ks_visit_row *visit,
                         void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "entry");
    struct ks_mem_scan hold = ks_mem_scan(b, "entry"); /* keeps what the rows borrow */
    struct ks_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        struct ks_mem_scan slot;
        struct ks_slot of;
        if (rc == 0 && ks_mem_find(b, &slot, "slot", "slot_id", *ks_mem_value(&s, "slot_id"))) {
            read_slot(&slot, &of);
            ks_mem_done(&slot);
            rc = read_row(b, &s, &of, &row[n]) != 0
                     ? cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "a row of entry has not its shape")
                     : 0;
            n += rc == 0 && fit(b, &row[n], question);
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_alias);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!with_der) {
            row[i].der = row[i].chain = NULL;
            row[i].der_len = row[i].chain_len = 0;
        }
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc;
}

static bool fits_filter(struct ks_backend *b, const struct ks_row *row, const void *ctx)
{
    const struct ks_row_filter *f = ctx;
    (void)b;
    return (f->alias == NULL || strcmp(f->alias, row->info.alias) == 0) &&
           (f->partner == NULL || strcmp(f->partner, row->info.partner) == 0) && (f->n == 0 || f->n == row->info.n) &&
           (!f->has_role || f->role == row->info.role) && (f->with_destroyed || row->info.state != KS_DESTROYED) &&
           row->info.version > f->version_above && (f->spki == NULL || memcmp(f->spki, row->info.spki_sha256, 32) == 0);
}

static int rows(struct ks_backend *b, const struct ks_row_filter *f, ks_visit_row *visit, void *ctx, cs_error *e)
{
    return visit_fitting(b, fits_filter, f, f->with_der, visit, ctx, e);
}

struct acceptance {
    const char *partner, *capability;
    cs_time at;
    int64_t seq;
};

/** Valid time and knowledge: does an interval row of the entry cover both? */
static bool fits_acceptance(struct ks_backend *b, const struct ks_row *row, const void *ctx)
{
    const struct acceptance *a = ctx;
    bool covered = false;
    if (strcmp(row->info.partner, a->partner) != 0) {
        return false;
    }
    struct ks_mem_scan s = ks_mem_scan(b, "interval");
    while (ks_mem_next(&s)) {
        covered = covered || (ks_mem_num(&s, "entry_id") == row->entry_id &&
                              ks_mem_is(&s, "capability", a->capability) && ks_mem_num(&s, "from_ts") <= a->at &&
                              (ks_mem_is_null(&s, "to_ts") || a->at < ks_mem_num(&s, "to_ts")) &&
                              ks_mem_num(&s, "cause_seq") <= a->seq &&
                              (ks_mem_is_null(&s, "end_seq") || a->seq < ks_mem_num(&s, "end_seq")));
    }
    return covered;
}

static int acceptable(struct ks_backend *b, const char *partner, enum ks_capability c, cs_time at, uint64_t known_seq,
                      ks_visit_row *visit, void *ctx, cs_error *e)
{
    const struct acceptance a = {partner, ks_capability_word(c), at, (int64_t)known_seq};
    return visit_fitting(b, fits_acceptance, &a, false, visit, ctx, e);
}

static int row_add(struct ks_backend *b, struct ks_row *row, cs_error *e)
{
    const struct ks_role_row *role = ks_role_row(row->info.role);
    const ks_info *i = &row->info;
    const char *one = role->max_active != 1 ? NULL : role->per_key_type ? i->key_algorithm : "";
    const struct ks_mem_set set[] = {
        MEM_NUM("slot_id", row->slot_id),
        MEM_NUM("n", i->n),
        MEM_TEXT("state", ks_state_word(i->state)),
        MEM_TEXT("one_key", one),
        MEM_OCT("sha256", i->sha256, 32),
        MEM_OCT("sha1", row->sha1, 20),
        MEM_OCT("ski", row->ski_len > 0 ? row->ski : NULL, row->ski_len),
        MEM_OCT("spki_sha256", i->spki_sha256, 32),
        MEM_TEXT("subject_dn", i->subject),
        MEM_TEXT("issuer_dn", i->issuer),
        MEM_TEXT("serial", i->serial),
        MEM_TEXT("key_alg", i->key_algorithm),
        MEM_NUM("key_bits", i->key_bits),
        MEM_NUM("not_before", i->not_before),
        MEM_NUM("not_after", i->not_after),
        MEM_OCT("der", row->der, row->der_len),
        MEM_OCT("chain_der", row->chain, row->chain_len),
        MEM_TEXT("key_id", row->key_id[0] != '\0' ? row->key_id : NULL),
        MEM_TEXT("origin", "add"),
        MEM_NUM("created_at", i->created_at),
        MEM_NUM("activated_at", i->activated_at),
        MEM_NUM("exchanged_at", i->exchanged_at),
        MEM_NUM("process_stop", i->process_stop),
        MEM_NUM("changed_at", row->changed_at),
        MEM_NUM("version", i->version),
    };
    return ks_mem_insert(b, "entry", set, MEM_COUNT(set), &row->entry_id, e);
}

static int row_update(struct ks_backend *b, const struct ks_row *row, cs_error *e)
{
    struct ks_mem_scan s;
    const ks_info *i = &row->info;
    char resume[16];
    snprintf(resume, sizeof resume, "%s%s", row->suspended_too ? "+" : "", ks_state_word(row->resume_state));
    const struct ks_mem_set set[] = {
        MEM_TEXT("state", ks_state_word(i->state)),
        MEM_TEXT("resume_state", resume),
        MEM_NUM("activated_at", i->activated_at),
        MEM_NUM("exchanged_at", i->exchanged_at),
        MEM_NUM("process_stop", i->process_stop),
        MEM_NUM("compromised_since", row->compromised_since),
        MEM_NUM("changed_at", row->changed_at),
        MEM_NUM("version", i->version),
        MEM_TEXT("key_id", row->key_id[0] != '\0' ? row->key_id : NULL),
        {"destroyed_at",
         {.kind = i->state == KS_DESTROYED ? KS_VALUE_NUMBER : KS_VALUE_NULL, .number = row->changed_at}},
    };
    const struct ks_value id = {.kind = KS_VALUE_NUMBER, .number = row->entry_id};
    if (!ks_mem_find(b, &s, "entry", "entry_id", id)) {
        return 0;
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

/* ---- intervals ----------------------------------------------------------------------------------------------------
 */

static int interval_add(struct ks_backend *b, const struct ks_interval *i, cs_error *e)
{
    const struct ks_mem_set set[] = {
        MEM_NUM("entry_id", i->entry_id), MEM_TEXT("capability", ks_capability_word(i->capability)),
        MEM_NUM("from_ts", i->from), MEM_NUM("cause_seq", i->cause_seq), MEM_NUM("to_ts", i->to)};
    return ks_mem_insert(b, "interval", set, MEM_COUNT(set) - (i->to == KS_FOREVER), NULL, e);
}

static int read_interval(const struct ks_mem_scan *s, struct ks_interval *i)
{
    *i = (struct ks_interval){.entry_id = ks_mem_num(s, "entry_id"),
                              .capability = KS_CAPABILITIES,
                              .from = ks_mem_num(s, "from_ts"),
                              .to = ks_mem_is_null(s, "to_ts") ? KS_FOREVER : ks_mem_num(s, "to_ts"),
                              .cause_seq = (uint64_t)ks_mem_num(s, "cause_seq"),
                              .end_seq = (uint64_t)ks_mem_num(s, "end_seq")};
    for (int c = 0; c < KS_CAPABILITIES; c++) {
        if (ks_mem_is(s, "capability", ks_capability_word((enum ks_capability)c))) {
            i->capability = (enum ks_capability)c;
        }
    }
    return i->capability == KS_CAPABILITIES ? -1 : 0;
}

static int interval_end(struct ks_backend *b, const struct ks_interval *i, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "interval");
    const struct ks_mem_set set[] = {MEM_NUM("end_seq", i->end_seq)};
    while (ks_mem_next(&s)) {
        struct ks_interval held;
        if (read_interval(&s, &held) == 0 && held.end_seq == 0 && held.entry_id == i->entry_id &&
            held.capability == i->capability && held.from == i->from && held.to == i->to &&
            ks_mem_update(b, &s, set, 1, e) != 0) {
            ks_mem_done(&s);
            return -1;
        }
    }
    return 0;
}

static int by_entry(const void *a, const void *b)
{
    const struct ks_interval *x = a;
    const struct ks_interval *y = b;
    int order = (x->entry_id > y->entry_id) - (x->entry_id < y->entry_id);
    order = order != 0 ? order : (x->from > y->from) - (x->from < y->from);
    return order != 0 ? order : strcmp(ks_capability_word(x->capability), ks_capability_word(y->capability));
}

static uint64_t version_of(struct ks_backend *b, int64_t entry_id)
{
    struct ks_mem_scan s;
    uint64_t version = 0;
    if (ks_mem_find(b, &s, "entry", "entry_id", (struct ks_value){.kind = KS_VALUE_NUMBER, .number = entry_id})) {
        version = (uint64_t)ks_mem_num(&s, "version");
        ks_mem_done(&s);
    }
    return version;
}

/** entry_id 0: of all changed after above. known 0: that hold; else that held after that row. */
static int visit_intervals(struct ks_backend *b, int64_t entry_id, uint64_t above, bool past, uint64_t known,
                           ks_visit_interval *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "interval");
    struct ks_interval *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        struct ks_interval i;
        if (rc != 0 || read_interval(&s, &i) != 0) {
            continue;
        }
        bool held = past ? i.cause_seq <= known && (i.end_seq == 0 || i.end_seq > known) : i.end_seq == 0;
        if (held && (entry_id != 0 ? i.entry_id == entry_id : version_of(b, i.entry_id) > above)) {
            row[n++] = i;
        }
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

static int intervals(struct ks_backend *b, int64_t entry_id, uint64_t version_above, ks_visit_interval *visit,
                     void *ctx, cs_error *e)
{
    return visit_intervals(b, entry_id, version_above, false, 0, visit, ctx, e);
}

static int intervals_known(struct ks_backend *b, int64_t entry_id, uint64_t known_seq, ks_visit_interval *visit,
                           void *ctx, cs_error *e)
{
    return visit_intervals(b, entry_id, 0, true, known_seq, visit, ctx, e);
}

void ks_mem_entry_functions(struct ks_driver *d)
{
    d->slot_get = slot_get;
    d->slot_add = slot_add;
    d->nearest = nearest;
    d->last_n = last_n;
    d->rows = rows;
    d->row_add = row_add;
    d->row_update = row_update;
    d->interval_add = interval_add;
    d->interval_end = interval_end;
    d->intervals = intervals;
    d->intervals_known = intervals_known;
    d->acceptable = acceptable;
}
