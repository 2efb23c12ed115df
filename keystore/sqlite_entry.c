/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_entry.c: slots, entries, intervals and keys as rows. */
#include "keystore/sqlite_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ROW_COLUMNS                                                                                                    \
    "e.entry_id, e.slot_id, e.n, e.state, e.resume_state, e.sha256, e.sha1, e.ski, e.spki_sha256, e.subject_dn, "      \
    "e.issuer_dn, "                                                                                                    \
    "e.serial, e.key_alg, e.key_bits, e.not_before, e.not_after, e.key_id, e.created_at, e.activated_at, "             \
    "e.exchanged_at, "                                                                                                 \
    "e.process_stop, e.compromised_since, e.changed_at, e.version, s.alias, s.role, s.partner, "                       \
    "(select max(last_at) from use_day u where u.entry_id = e.entry_id and u.ok > 0), "                                \
    "(select sum(ok) from use_day u where u.entry_id = e.entry_id)"

/** The state underneath; a plus in front: and suspended before it was compromised. */
static int resume_parse(const char *word, struct ks_row *row)
{
    row->suspended_too = word[0] == '+';
    word += row->suspended_too;
    return word[0] != '\0' ? ks_state_parse(word, &row->resume_state) : 0;
}

static int read_words(struct ks_query *q, struct ks_row *row)
{
    char word[16];
    row->resume_state = KS_PRE_ACTIVE;
    if (ks_column_text(q, 3, word, sizeof word) != 0 || ks_state_parse(word, &row->info.state) != 0 ||
        ks_column_text(q, 4, word, sizeof word) != 0 || resume_parse(word, row) != 0 ||
        ks_column_text(q, 25, word, sizeof word) != 0 || ks_role_parse(word, &row->info.role) != 0) {
        return -1;
    }
    return ks_column_text(q, 9, row->info.subject, sizeof row->info.subject) |
           ks_column_text(q, 10, row->info.issuer, sizeof row->info.issuer) |
           ks_column_text(q, 11, row->info.serial, sizeof row->info.serial) |
           ks_column_text(q, 12, row->info.key_algorithm, sizeof row->info.key_algorithm) |
           ks_column_text(q, 16, row->key_id, sizeof row->key_id) |
           ks_column_text(q, 24, row->info.alias, sizeof row->info.alias) |
           ks_column_text(q, 26, row->info.partner, sizeof row->info.partner);
}

/** The row that q stands on; der and chain from columns 29 and 30, where the query has them. */
static int read_row(struct ks_query *q, struct ks_row *row, bool with_der, cs_error *e)
{
    sqlite3_stmt *s = q->stmt;
    memset(row, 0, sizeof *row);
    row->entry_id = sqlite3_column_int64(s, 0);
    row->slot_id = sqlite3_column_int64(s, 1);
    row->info.n = (unsigned)sqlite3_column_int64(s, 2);
    if (read_words(q, row) != 0 || ks_column_octets(q, 5, row->info.sha256, 32) != 0 ||
        ks_column_octets(q, 6, row->sha1, 20) != 0 || ks_column_octets(q, 8, row->info.spki_sha256, 32) != 0 ||
        sqlite3_column_bytes(s, 7) > (int)sizeof row->ski) {
        return ks_query_damaged(q, "entry", e);
    }
    row->ski_len = (size_t)sqlite3_column_bytes(s, 7);
    if (row->ski_len > 0) {
        memcpy(row->ski, sqlite3_column_blob(s, 7), row->ski_len);
    }
    row->info.key_bits = sqlite3_column_int(s, 13);
    row->info.not_before = sqlite3_column_int64(s, 14);
    row->info.not_after = sqlite3_column_int64(s, 15);
    row->info.has_key = row->key_id[0] != '\0';
    row->info.created_at = sqlite3_column_int64(s, 17);
    row->info.activated_at = sqlite3_column_int64(s, 18);
    row->info.exchanged_at = sqlite3_column_int64(s, 19);
    row->info.process_stop = sqlite3_column_int64(s, 20);
    row->compromised_since = sqlite3_column_int64(s, 21);
    row->changed_at = sqlite3_column_int64(s, 22);
    row->info.version = (uint64_t)sqlite3_column_int64(s, 23);
    row->info.last_use = sqlite3_column_int64(s, 27);
    row->info.uses = (uint64_t)sqlite3_column_int64(s, 28);
    if (with_der) {
        row->der = sqlite3_column_blob(s, 29);
        row->der_len = (size_t)sqlite3_column_bytes(s, 29);
        row->chain = sqlite3_column_blob(s, 30);
        row->chain_len = (size_t)sqlite3_column_bytes(s, 30);
    }
    return 0;
}

static int visit_rows(struct ks_query *q, bool with_der, ks_visit_row *visit, void *ctx, cs_error *e)
{
    int rc = 0;
    while ((rc = ks_query_row(q, e)) == 1) {
        struct ks_row row;
        if (read_row(q, &row, with_der, e) != 0 || visit(ctx, &row, e) != 0) {
            rc = -1;
            break;
        }
    }
    ks_query_done(q);
    return rc;
}

#define ROW_WHERE                                                                                                      \
    " from entry e join slot s using(slot_id) where (?1 is null or s.alias = ?1) and (?2 is null or s.partner = ?2)"   \
    " and (?3 = 0 or e.n = ?3) and (?4 is null or s.role = ?4) and (?5 or e.state <> 'destroyed') and e.version > ?6"  \
    " order by s.alias, e.n"
/* the same with the indexes that the two frequent questions need: all of one slot, what changed since */
#define ROW_WHERE_ALIAS                                                                                                \
    " from slot s join entry e using(slot_id) where s.alias = ?1 and (?2 is null or s.partner = ?2)"                   \
    " and (?3 = 0 or e.n = ?3) and (?4 is null or s.role = ?4) and (?5 or e.state <> 'destroyed') and e.version > ?6"  \
    " order by e.n"

/* what changed since, and who has the same key: the indexes that the planner cannot know to be narrow */
#define ROW_WHERE_CHANGED                                                                                              \
    " from entry e indexed by entry_version join slot s using(slot_id) where (?1 is null or s.alias = ?1)"             \
    " and (?2 is null or s.partner = ?2) and (?3 = 0 or e.n = ?3) and (?4 is null or s.role = ?4)"                     \
    " and (?5 or e.state <> 'destroyed') and e.version > ?6 order by s.alias, e.n"
#define ROW_WHERE_KEY                                                                                                  \
    " from entry e indexed by entry_spki join slot s using(slot_id) where e.spki_sha256 = ?7"                          \
    " and (?1 is null or s.alias = ?1) and (?2 is null or s.partner = ?2) and (?3 = 0 or e.n = ?3)"                    \
    " and (?4 is null or s.role = ?4) and (?5 or e.state <> 'destroyed') and e.version > ?6 order by s.alias, e.n"

/** The text for a filter, twice: without and with certificates. */
static const char *rows_text(const struct ks_row_filter *f)
{
    static const char *const text[][2] = {
        {"select " ROW_COLUMNS ROW_WHERE, "select " ROW_COLUMNS ", e.der, e.chain_der" ROW_WHERE},
        {"select " ROW_COLUMNS ROW_WHERE_ALIAS, "select " ROW_COLUMNS ", e.der, e.chain_der" ROW_WHERE_ALIAS},
        {"select " ROW_COLUMNS ROW_WHERE_CHANGED, "select " ROW_COLUMNS ", e.der, e.chain_der" ROW_WHERE_CHANGED},
        {"select " ROW_COLUMNS ROW_WHERE_KEY, "select " ROW_COLUMNS ", e.der, e.chain_der" ROW_WHERE_KEY},
    };
    return text[f->spki != NULL ? 3 : f->alias != NULL ? 1 : f->version_above > 0 ? 2 : 0][f->with_der];
}

int ks_sqlite_rows(struct ks_backend *b, const struct ks_row_filter *f, ks_visit_row *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, rows_text(f));
    ks_query_text(&q, f->alias);
    ks_query_text(&q, f->partner);
    ks_query_int(&q, f->n);
    ks_query_text(&q, f->has_role ? ks_role_word(f->role) : NULL);
    ks_query_int(&q, f->with_destroyed);
    ks_query_int(&q, (int64_t)f->version_above);
    if (f->spki != NULL) {
        ks_query_blob(&q, f->spki, 32);
    }
    return visit_rows(&q, f->with_der, visit, ctx, e);
}

int ks_sqlite_acceptable(struct ks_backend *b, const char *partner, enum ks_capability c, cs_time at,
                         uint64_t known_seq, ks_visit_row *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select " ROW_COLUMNS " from slot s join entry e using(slot_id) join interval i using(entry_id)"
           " where s.partner = ?1 and i.capability = ?2 and i.from_ts <= ?3 and (i.to_ts is null or ?3 < i.to_ts)"
           " and i.cause_seq <= ?4 and (i.end_seq is null or ?4 < i.end_seq) order by s.alias, e.n");
    ks_query_text(&q, partner);
    ks_query_text(&q, ks_capability_word(c));
    ks_query_int(&q, at);
    ks_query_int(&q, (int64_t)known_seq);
    return visit_rows(&q, false, visit, ctx, e);
}

int ks_sqlite_slot_get(struct ks_backend *b, const char *alias, struct ks_slot *out, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select slot_id, alias, partner, role from slot where alias = ?1");
    ks_query_text(&q, alias);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        char role[16];
        memset(out, 0, sizeof *out);
        out->slot_id = sqlite3_column_int64(q.stmt, 0);
        if (ks_column_text(&q, 1, out->alias, sizeof out->alias) != 0 ||
            ks_column_text(&q, 2, out->partner, sizeof out->partner) != 0 ||
            ks_column_text(&q, 3, role, sizeof role) != 0 || ks_role_parse(role, &out->role) != 0) {
            rc = ks_query_damaged(&q, "slot", e);
        }
    }
    ks_query_done(&q);
    return rc;
}

int ks_sqlite_slot_add(struct ks_backend *b, struct ks_slot *slot, uint64_t version, cs_error *e)
{
    const struct ks_role_row *role = ks_role_row(slot->role);
    struct ks_query q = ks_query_open(
        b, "insert into slot(alias, role, partner, max_keyed, max_active, version) values(?1,?2,?3,?4,?5,?6)");
    ks_query_text(&q, slot->alias);
    ks_query_text(&q, role->word);
    ks_query_text(&q, slot->partner);
    ks_query_int(&q, role->max_keyed);
    ks_query_int(&q, role->max_active);
    ks_query_int(&q, (int64_t)version);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    slot->slot_id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

int ks_sqlite_nearest(struct ks_backend *b, const char *kind, const char *name, char out[KS_WORD], cs_error *e)
{
    static const char aliases[] = "select alias from slot";
    static const char partners[] = "select distinct partner from slot"; /* along its index */
    struct ks_query q = ks_query_open(b, strcmp(kind, "alias") == 0 ? aliases : partners);
    out[0] = '\0';
    int rc = 0;
    while ((rc = ks_query_row(&q, e)) == 1) {
        const char *word = (const char *)sqlite3_column_text(q.stmt, 0);
        /* the best so far against the next: never more than two words in hand */
        const char *const words[] = {word, out[0] != '\0' ? out : NULL, NULL};
        const char *best = word != NULL && word[0] != '\0' ? cs_nearest(name, words) : NULL;
        if (best == word && best != NULL) {
            cs_copy(out, KS_WORD, word);
        }
    }
    ks_query_done(&q);
    return rc;
}

int ks_sqlite_last_n(struct ks_backend *b, int64_t slot_id, unsigned *n, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select max(n) from (select n from entry where slot_id=?1 "
                                         "union all select n from key_request where slot_id=?1)");
    ks_query_int(&q, slot_id);
    int rc = ks_query_row(&q, e);
    *n = rc == 1 ? (unsigned)sqlite3_column_int64(q.stmt, 0) : 0;
    ks_query_done(&q);
    return rc == 1 ? 0 : -1;
}

int ks_sqlite_row_add(struct ks_backend *b, struct ks_row *row, cs_error *e)
{
    const struct ks_role_row *role = ks_role_row(row->info.role);
    const char *one = role->max_active != 1 ? NULL : role->per_key_type ? row->info.key_algorithm : "";
    struct ks_query q = ks_query_open(
        b, "insert into entry(slot_id, n, state, one_key, sha256, sha1, ski, spki_sha256, subject_dn, issuer_dn,"
           " serial, key_alg, key_bits, not_before, not_after, der, chain_der, key_id, origin, created_at, "
           "activated_at, exchanged_at,"
           " process_stop, changed_at, version) "
           "values(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25)");
    const ks_info *i = &row->info;
    ks_query_int(&q, row->slot_id);
    ks_query_int(&q, i->n);
    ks_query_text(&q, ks_state_word(i->state));
    ks_query_text(&q, one);
    ks_query_blob(&q, i->sha256, 32);
    ks_query_blob(&q, row->sha1, 20);
    ks_query_blob(&q, row->ski_len > 0 ? row->ski : NULL, row->ski_len);
    ks_query_blob(&q, i->spki_sha256, 32);
    ks_query_text(&q, i->subject);
    ks_query_text(&q, i->issuer);
    ks_query_text(&q, i->serial);
    ks_query_text(&q, i->key_algorithm);
    ks_query_int(&q, i->key_bits);
    ks_query_int(&q, i->not_before);
    ks_query_int(&q, i->not_after);
    ks_query_blob(&q, row->der, row->der_len);
    ks_query_blob(&q, row->chain, row->chain_len);
    ks_query_text(&q, row->key_id[0] != '\0' ? row->key_id : NULL);
    ks_query_text(&q, "add");
    ks_query_int(&q, i->created_at);
    ks_query_int(&q, i->activated_at);
    ks_query_int(&q, i->exchanged_at);
    ks_query_int(&q, i->process_stop);
    ks_query_int(&q, row->changed_at);
    ks_query_int(&q, (int64_t)i->version);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    row->entry_id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

int ks_sqlite_row_update(struct ks_backend *b, const struct ks_row *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "update entry set state=?2, resume_state=?3, activated_at=?4, exchanged_at=?5, process_stop=?6,"
           " compromised_since=?7, changed_at=?8, version=?9, key_id=?10,"
           " destroyed_at=case when ?2='destroyed' then ?8 else null end where entry_id=?1");
    const ks_info *i = &row->info;
    char resume[16];
    snprintf(resume, sizeof resume, "%s%s", row->suspended_too ? "+" : "", ks_state_word(row->resume_state));
    ks_query_int(&q, row->entry_id);
    ks_query_text(&q, ks_state_word(i->state));
    ks_query_text(&q, resume);
    ks_query_int(&q, i->activated_at);
    ks_query_int(&q, i->exchanged_at);
    ks_query_int(&q, i->process_stop);
    ks_query_int(&q, row->compromised_since);
    ks_query_int(&q, row->changed_at);
    ks_query_int(&q, (int64_t)i->version);
    ks_query_text(&q, row->key_id[0] != '\0' ? row->key_id : NULL);
    return ks_query_run(&q, e);
}

int ks_sqlite_interval_add(struct ks_backend *b, const struct ks_interval *i, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into interval(entry_id, capability, from_ts, to_ts, cause_seq) "
                                         "values(?1,?2,?3,nullif(?4,9223372036854775807),?5)");
    ks_query_int(&q, i->entry_id);
    ks_query_text(&q, ks_capability_word(i->capability));
    ks_query_int(&q, i->from);
    ks_query_int(&q, i->to);
    ks_query_int(&q, (int64_t)i->cause_seq);
    return ks_query_run(&q, e);
}

int ks_sqlite_interval_end(struct ks_backend *b, const struct ks_interval *i, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "update interval set end_seq=?5 where entry_id=?1 and capability=?2 and from_ts=?3"
                         " and to_ts is nullif(?4,9223372036854775807) and end_seq is null");
    ks_query_int(&q, i->entry_id);
    ks_query_text(&q, ks_capability_word(i->capability));
    ks_query_int(&q, i->from);
    ks_query_int(&q, i->to);
    ks_query_int(&q, (int64_t)i->end_seq);
    return ks_query_run(&q, e);
}

static int capability_parse(const char *word, enum ks_capability *c)
{
    for (int i = 0; i < KS_CAPABILITIES; i++) {
        if (strcmp(ks_capability_word((enum ks_capability)i), word) == 0) {
            *c = (enum ks_capability)i;
            return 0;
        }
    }
    return -1;
}

static int read_interval(struct ks_query *q, struct ks_interval *i)
{
    char word[16];
    memset(i, 0, sizeof *i);
    i->entry_id = sqlite3_column_int64(q->stmt, 0);
    i->from = sqlite3_column_int64(q->stmt, 2);
    i->to = sqlite3_column_type(q->stmt, 3) == SQLITE_NULL ? KS_FOREVER : sqlite3_column_int64(q->stmt, 3);
    i->cause_seq = (uint64_t)sqlite3_column_int64(q->stmt, 4);
    i->end_seq = (uint64_t)sqlite3_column_int64(q->stmt, 5);
    return ks_column_text(q, 1, word, sizeof word) != 0 || capability_parse(word, &i->capability) != 0 ? -1 : 0;
}

int ks_sqlite_intervals_visit(struct ks_query *q, ks_visit_interval *visit, void *ctx, cs_error *e)
{
    int rc = 0;
    while (ks_query_next(q, &rc, e)) {
        struct ks_interval i;
        if (read_interval(q, &i) != 0) {
            rc = ks_query_damaged(q, "interval", e);
        } else {
            rc = visit(ctx, &i, e);
        }
    }
    return rc;
}

int ks_sqlite_intervals(struct ks_backend *b, int64_t entry_id, uint64_t version_above, ks_visit_interval *visit,
                        void *ctx, cs_error *e)
{
    static const char one[] =
        "select entry_id, capability, from_ts, to_ts, cause_seq, end_seq from interval where entry_id=?1 "
        "and end_seq is null and 0<=?2 order by from_ts";
    static const char all[] = "select i.entry_id, i.capability, i.from_ts, i.to_ts, i.cause_seq, i.end_seq from "
                              "interval i join entry e using(entry_id)"
                              " where ?1=0 and e.version > ?2 and i.end_seq is null order by i.entry_id, i.from_ts";
    struct ks_query q = ks_query_open(b, entry_id != 0 ? one : all);
    ks_query_int(&q, entry_id);
    ks_query_int(&q, (int64_t)version_above);
    return ks_sqlite_intervals_visit(&q, visit, ctx, e);
}
