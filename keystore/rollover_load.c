/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_load.c: a roll-over read out of the store: its row, its runbook, its entries, what is known of its steps. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/facts.h"
#include "keystore/rollover.h"

void ks_rollover_free(struct ks_rollover *r)
{
    if (r != NULL) {
        ks_runbook_free(r->runbook);
        free(r->word);
        free(r);
    }
}

int64_t ks_rollover_number(const char *text)
{
    char *end = NULL;
    const char *digits = (text[0] == 'R' || text[0] == 'r') && text[1] == '-' ? text + 2 : text;
    if (!isdigit((unsigned char)digits[0]) || strcspn(digits, "/") > 15) {
        return 0;
    }
    long long n = strtoll(digits, &end, 10);
    return *end == '\0' || *end == '/' ? n : 0;
}

bool ks_rollover_setting(const struct ks_rollover *r, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = r->row.settings; *p != '\0'; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (strcspn(p, " ") == n && memcmp(p, word, n) == 0) {
            return true;
        }
    }
    return false;
}

void ks_rollover_entry(const struct ks_rollover *r, bool old, char *out, size_t size)
{
    if (old ? r->has_old : r->has_new) {
        snprintf(out, size, "%s#%u", r->row.alias, old ? r->old_info.n : r->new_info.n);
    } else {
        cs_copy(out, size, "-");
    }
}

/* ---- the row and its runbook ----------------------------------------------------------------------------------- */

static int take_row(void *ctx, const struct ks_roll_row *row, cs_error *e)
{
    struct ks_rollover *r = ctx;
    struct cs_conf_report report = {0};
    r->row = *row;
    r->stored_new = row->new_entry;
    r->runbook = ks_runbook_read(row->runbook, row->text, strlen(row->text), &report);
    r->row.text = r->runbook != NULL ? r->runbook->text : NULL;
    bool good = r->runbook != NULL && memcmp(r->runbook->hash, row->hash, sizeof row->hash) == 0;
    if (!good) {
        cs_error_set(
            e, CS_EXIT_CONFIG, "runbook",
            "the runbook of roll-over R-%lld is not what it was started with%s%s; end it: countersign rollover "
            "abort R-%lld --reason TEXT",
            (long long)row->roll_id, report.n > 0 ? ": " : "", report.n > 0 ? report.line[0] : "",
            (long long)row->roll_id);
    }
    cs_conf_report_free(&report);
    return good ? 0 : -1;
}

static int take_step(void *ctx, const struct ks_step_row *row, cs_error *e)
{
    struct ks_rollover *r = ctx;
    const char *sender = "";
    size_t at = ks_rollover_place(r, row->n, &sender);
    if (at == r->runbook->n) {
        return 0;
    }
    if (sender[0] != '\0') {
        return ks_rollover_add_word(r, at, sender, row->done_by, row->done_at, e);
    }
    struct ks_roll_step *s = &r->step[at];
    s->row = *row;
    snprintf(s->evidence, sizeof s->evidence, "%s", row->evidence != NULL ? row->evidence : "");
    s->row.evidence = NULL;
    return 0;
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

static int take_entry(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct ks_rollover *r = ctx;
    (void)e;
    if (row->entry_id == r->row.old_entry) {
        r->old_info = row->info;
        r->has_old = true;
    }
    /* until one is bound, the newest that came behind the old one and can come into use is the new one */
    bool fits = r->row.new_entry != 0
                    ? row->entry_id == r->row.new_entry
                    : row->info.n > (r->has_old ? r->old_info.n : 0) && row->entry_id != r->row.old_entry &&
                          (row->info.state == KS_PRE_ACTIVE || row->info.state == KS_ACTIVE);
    if (fits) {
        r->new_info = row->info;
        r->has_new = true;
    }
    return 0;
}

struct bind {
    struct ks_rollover *r;
    int64_t entry_id;
};

static int take_id(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct bind *b = ctx;
    (void)e;
    if (b->r->has_new && row->info.n == b->r->new_info.n) {
        b->entry_id = row->entry_id;
    }
    return 0;
}

static int read_entries(ks_store *s, struct ks_rollover *r, cs_error *e)
{
    const struct ks_row_filter f = {.alias = r->row.alias, .with_destroyed = true};
    struct bind b = {r, 0};
    r->has_old = r->has_new = false;
    if (s->driver->rows(s->b, &f, take_entry, r, e) != 0 || s->driver->rows(s->b, &f, take_id, &b, e) != 0) {
        return -1;
    }
    r->row.new_entry = b.entry_id;
    struct ks_trash trash;
    if (ks_trash_read(s, r->row.slot_id, &trash, e) != 0) {
        return -1;
    }
    r->old_info.trash_until = r->has_old ? ks_trash_until(&trash, r->row.old_entry) : 0;
    r->new_info.trash_until = r->has_new ? ks_trash_until(&trash, r->row.new_entry) : 0;
    free(trash.row);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static void known_of(struct ks_rollover *r)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        const struct ks_roll_step *s = &r->step[i];
        struct ks_step_known *k = &r->known[i];
        const struct ks_runbook_step *step = &r->runbook->step[i];
        memset(k, 0, sizeof *k);
        if (ks_step_state_parse(s->row.state, &k->state) != 0) {
            k->state = KS_STEP_WAITS;
        }
        for (size_t p = 0; p < KS_PARTS; p++) {
            const char *word = ks_part_word((enum ks_part)p);
            const char *at = strstr(s->row.said, word);
            k->confirmed |= at != NULL ? 1U << p : 0;
        }
        if (ks_rollover_by_sender(r, i) && ks_rollover_unsaid(r, i, k->unsaid, sizeof k->unsaid) == 0) {
            k->confirmed |= 1U << KS_SENDER_ADMIN;
        }
        /* nobody of the house has an address: what rollover status shows is the message */
        bool inside = step->told && (step->to == KS_TENANT_ADMIN || step->to == KS_INTEGRATION_DEVELOPER);
        k->delivered = s->row.told_at != 0 && (s->told > 0 ? s->sent == s->told : inside);
    }
}

/** Mails of each step; of one that each sender hears of, those to all of them. */
static int read_mails(ks_store *s, struct ks_rollover *r, cs_error *e)
{
    for (size_t i = 0; i < r->runbook->n; i++) {
        size_t n = r->runbook->step[i].each_sender ? r->n_sender : 0;
        r->step[i].told = r->step[i].sent = 0;
        for (size_t k = 0; k < n || k == 0; k++) {
            char about[KS_ROLL_REFERENCE];
            size_t told = 0;
            size_t sent = 0;
            ks_rollover_reference(r, i, n > 0 ? r->sender[k] : "", about);
            if (s->driver->rollovers->mails(s->b, about, &told, &sent, e) != 0) {
                return -1;
            }
            r->step[i].told += told;
            r->step[i].sent += sent;
        }
    }
    return 0;
}

static int gather(ks_store *s, struct ks_rollover *r, cs_time now, cs_error *e)
{
    return read_entries(s, r, e) == 0 && ks_rollover_facts(s, r, now, e) == 0 && ks_rollover_senders(s, r, e) == 0
               ? read_mails(s, r, e)
               : -1;
}

static void conclude(struct ks_rollover *r)
{
    known_of(r);
    r->complete = ks_runbook_judge(r->runbook, &r->facts, r->known, r->judged);
}

int ks_rollover_look(ks_store *s, struct ks_rollover *r, cs_time now, cs_error *e)
{
    if (gather(s, r, now, e) != 0) {
        return -1;
    }
    conclude(r);
    return 0;
}

int ks_rollover_load(ks_store *s, int64_t id, cs_time now, struct ks_rollover **out, cs_error *e)
{
    struct ks_rollover *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = id > 0 ? s->driver->rollovers->each(s->b, id, false, take_row, r, e) : 0;
    if (rc == 0 && r->runbook == NULL) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "rollover-unknown",
                          "there is no roll-over R-%lld; see: countersign rollover history", (long long)id);
    }
    snprintf(r->name, sizeof r->name, "R-%lld", (long long)id);
    if (rc == 0) {
        rc = s->driver->rollovers->steps(s->b, id, take_step, r, e) == 0 ? gather(s, r, now, e) : -1;
    }
    if (rc == 0) {
        conclude(r);
    }
    if (rc != 0) {
        ks_rollover_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

int ks_rollover_read(ks_store *s, int64_t id, cs_time now, struct ks_rollover **out, cs_error *e)
{
    *out = NULL;
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = ks_rollover_load(s, id, now, out, e);
        s->driver->rollback(s->b);
    }
    return rc;
}

int ks_rollover_each(ks_store *s, bool open, ks_visit_rollover *visit, void *ctx, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->rollovers->each(s->b, 0, open, visit, ctx, e);
        s->driver->rollback(s->b);
    }
    return rc;
}
