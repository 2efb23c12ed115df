/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_notice.c: facts, subscribers and deliveries, as rows. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/notice_store.h"
#include "keystore/sqlite_rows.h"

#define OF_ENDS   "('expiration', 'expired', 'renewal-failed')" /* kinds that somebody must hear of */
#define OWN_ROLES "('sign', 'decrypt', 'tls-client', 'tls-server')"

static int damaged(const struct ks_backend *b, const char *table, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                        "keystore %s is damaged: a row of %s has not its shape; restore it from a backup", b->path,
                        table);
}

/* ---- subscribers ------------------------------------------------------------------------------------------------ */

static int subscriber_add(struct ks_backend *b, int64_t slot_id, const ks_subscriber *row, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "insert into subscriber(slot_id, name, mail, kind, added_at, actor) values(?1,?2,?3,?4,?5,?6)");
    ks_query_int(&q, slot_id);
    ks_query_text(&q, row->name);
    ks_query_text(&q, row->mail);
    ks_query_text(&q, ks_subscriber_word(row->kind));
    ks_query_int(&q, row->since);
    ks_query_text(&q, row->actor);
    return ks_query_run(&q, e);
}

static int subscriber_remove(struct ks_backend *b, int64_t sub_id, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from delivery where sub_id=?1");
    ks_query_int(&q, sub_id);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    q = ks_query_open(b, "delete from subscriber where sub_id=?1");
    ks_query_int(&q, sub_id);
    return ks_query_run(&q, e);
}

static int read_subscriber(struct ks_query *q, ks_subscriber *row)
{
    char kind[16];
    memset(row, 0, sizeof *row);
    row->id = sqlite3_column_int64(q->stmt, 0);
    row->since = sqlite3_column_int64(q->stmt, 4);
    if (ks_column_text(q, 1, row->name, sizeof row->name) != 0 ||
        ks_column_text(q, 2, row->mail, sizeof row->mail) != 0 || ks_column_text(q, 3, kind, sizeof kind) != 0 ||
        ks_column_text(q, 5, row->actor, sizeof row->actor) != 0) {
        return -1;
    }
    for (int k = KS_SUBSCRIBER_SELF; k <= KS_SUBSCRIBER_GROUP; k++) {
        if (strcmp(kind, ks_subscriber_word((enum ks_subscriber_kind)k)) == 0) {
            row->kind = (enum ks_subscriber_kind)k;
            return 0;
        }
    }
    return -1;
}

static int subscribers(struct ks_backend *b, int64_t slot_id, ks_visit_subscriber *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select sub_id, name, mail, kind, added_at, actor from subscriber"
                                         " where slot_id=?1 order by mail");
    ks_query_int(&q, slot_id);
    int rc = 0;
    while ((rc = ks_query_row(&q, e)) == 1) {
        ks_subscriber row;
        rc = read_subscriber(&q, &row) != 0 ? damaged(b, "subscriber", e) : visit(ctx, &row, e);
        if (rc != 0) {
            rc = -1;
            break;
        }
    }
    ks_query_done(&q);
    return rc;
}

static int system_set(struct ks_backend *b, int64_t slot_id, const char *type, const char *name, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "update slot set policy_json=json_set(coalesce(policy_json,'{}'),"
                         " '$.system_type', coalesce(?2, json_extract(policy_json,'$.system_type')),"
                         " '$.system_name', coalesce(?3, json_extract(policy_json,'$.system_name'))) where slot_id=?1");
    ks_query_int(&q, slot_id);
    ks_query_text(&q, type);
    ks_query_text(&q, name);
    return ks_query_run(&q, e);
}

static int opt_out_add(struct ks_backend *b, const struct ks_opt_out_row *row, cs_time before, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from opt_out where made_at<?1");
    ks_query_int(&q, before);
    if (ks_query_run(&q, e) != 0) {
        return -1;
    }
    q = ks_query_open(b, "insert into opt_out(token_hash, slot_id, mail, made_at) values(?1,?2,?3,?4)");
    ks_query_blob(&q, row->token_hash, sizeof row->token_hash);
    ks_query_int(&q, row->slot_id);
    ks_query_text(&q, row->mail);
    ks_query_int(&q, row->made_at);
    return ks_query_run(&q, e);
}

static int opt_out_get(struct ks_backend *b, struct ks_opt_out_row *row, char alias[KS_WORD], cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select slot_id, mail, made_at, alias from opt_out join slot using(slot_id) where token_hash=?1");
    ks_query_blob(&q, row->token_hash, sizeof row->token_hash);
    int rc = ks_query_row(&q, e);
    if (rc == 1) {
        row->slot_id = sqlite3_column_int64(q.stmt, 0);
        row->made_at = sqlite3_column_int64(q.stmt, 2);
        rc = ks_column_text(&q, 1, row->mail, sizeof row->mail) != 0 || ks_column_text(&q, 3, alias, KS_WORD) != 0
                 ? damaged(b, "opt_out", e)
                 : 1;
    }
    ks_query_done(&q);
    return rc;
}

/* ---- facts ------------------------------------------------------------------------------------------------------ */

static int drop_older(struct ks_backend *b, const struct ks_fact *fact, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "update delivery set state='dropped' where state='queued' and dedup_key<>?1 and dedup_key in"
           " (select dedup_key from notification where entry_id=?2 and kind in ('expiration', 'expired'))");
    ks_query_text(&q, fact->dedup);
    ks_query_int(&q, fact->told.entry_id);
    return ks_query_run(&q, e);
}

static int insert_fact(struct ks_backend *b, const struct ks_fact *fact, cs_error *e)
{
    const ks_tell *t = &fact->told;
    struct ks_query q =
        ks_query_open(b, "insert into notification(dedup_key, kind, entry_id, about, threshold, due_at,"
                         " text, subject, body, attach, link)"
                         " values(?1,?2,nullif(?3,0),?4,?5,?6,?7,?8,?9,?10,?11) on conflict do nothing");
    ks_query_text(&q, fact->dedup);
    ks_query_text(&q, ks_notice_word(t->kind));
    ks_query_int(&q, t->entry_id);
    ks_query_text(&q, t->about);
    ks_query_int(&q, t->occasion);
    ks_query_int(&q, fact->due_at);
    ks_query_text(&q, t->text);
    ks_query_text(&q, t->subject);
    ks_query_text(&q, t->body);
    ks_query_int(&q, t->attach);
    ks_query_text(&q, t->link);
    return ks_query_run(&q, e) != 0 ? -1 : sqlite3_changes(b->db) != 0;
}

static int delivery_add(struct ks_backend *b, const struct ks_fact *fact, const char *name, const char *mail,
                        cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "insert into delivery(dedup_key, mail, name, sub_id, state, next_at, message_id)"
                         " values(?1, ?2, ?3, null, 'queued', ?4, lower(hex(randomblob(16)))) on conflict do nothing");
    ks_query_text(&q, fact->dedup);
    ks_query_text(&q, mail);
    ks_query_text(&q, name);
    ks_query_int(&q, fact->due_at);
    return ks_query_run(&q, e);
}

static int fact_add(struct ks_backend *b, const struct ks_fact *fact, cs_error *e)
{
    const ks_tell *t = &fact->told;
    int rc = insert_fact(b, fact, e);
    if (rc == 1 && delivery_add(b, fact, "", "", e) != 0) { /* for the webhook, if there is one */
        return -1;
    }
    if (rc != 1 || t->entry_id == 0) {
        return rc;
    }
    if ((t->kind == KS_NOTICE_EXPIRATION || t->kind == KS_NOTICE_EXPIRED) && drop_older(b, fact, e) != 0) {
        return -1;
    }
    struct ks_query q =
        ks_query_open(b, "insert into delivery(dedup_key, mail, name, sub_id, state, next_at, message_id)"
                         " select ?1, mail, name, sub_id, 'queued', ?3, lower(hex(randomblob(16)))"
                         " from subscriber join entry using(slot_id) where entry_id=?2");
    ks_query_text(&q, fact->dedup);
    ks_query_int(&q, t->entry_id);
    ks_query_int(&q, fact->due_at);
    return ks_query_run(&q, e) == 0 ? 1 : -1;
}

/** Two columns of the one row that there always is. */
static int read_pair(struct ks_query *q, int64_t *first, int64_t *second, cs_error *e)
{
    int rc = ks_query_row(q, e);
    *first = rc == 1 ? sqlite3_column_int64(q->stmt, 0) : 0;
    *second = rc == 1 ? sqlite3_column_int64(q->stmt, 1) : 0;
    ks_query_done(q);
    return rc == 1 ? 0 : -1;
}

static int fact_last(struct ks_backend *b, enum ks_notice kind, int64_t *occasion, cs_time *due_at, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select coalesce(max(threshold), 0), coalesce(max(due_at), 0) from notification where kind=?1");
    ks_query_text(&q, ks_notice_word(kind));
    return read_pair(&q, occasion, due_at, e);
}

static int facts_forget(struct ks_backend *b, enum ks_notice kind, cs_time before, cs_error *e)
{
    static const char *const text[] = {
        "delete from delivery where dedup_key in (select dedup_key from notification where kind=?1 and due_at<?2)",
        "delete from notification where kind=?1 and due_at<?2"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof text / sizeof text[0]; i++) {
        struct ks_query q = ks_query_open(b, text[i]);
        ks_query_text(&q, ks_notice_word(kind));
        ks_query_int(&q, before);
        rc = ks_query_run(&q, e);
    }
    return rc;
}

static int missed_since(struct ks_backend *b, uint64_t generation, cs_time *at, cs_error *e)
{
    int64_t unused = 0;
    struct ks_query q = ks_query_open(b, "select coalesce(min(at), 0), 0 from generation where gen>?1");
    ks_query_int(&q, (int64_t)generation);
    return read_pair(&q, at, &unused, e);
}

static int endings(struct ks_backend *b, cs_time before, ks_visit_ending *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select entry_id, not_after, coalesce(auto,'') like 'on%', (select min(case kind when 'expired' then 0"
           " else threshold end) from notification f where f.entry_id=e.entry_id and kind in ('expiration','expired'))"
           " from entry e join slot s using(slot_id) where state='active' and key_id is not null and not_after<?1"
           " and s.role in " OWN_ROLES " order by entry_id");
    ks_query_int(&q, before);
    int rc = 0;
    while ((rc = ks_query_row(&q, e)) == 1) {
        struct ks_ending row = {.entry_id = sqlite3_column_int64(q.stmt, 0),
                                .not_after = sqlite3_column_int64(q.stmt, 1),
                                .automatic = sqlite3_column_int(q.stmt, 2) != 0,
                                .told = INT64_MAX};
        if (sqlite3_column_type(q.stmt, 3) != SQLITE_NULL) {
            row.told = sqlite3_column_int64(q.stmt, 3);
        }
        if (visit(ctx, &row, e) != 0) {
            rc = -1;
            break;
        }
    }
    ks_query_done(&q);
    return rc;
}

static int unreached(struct ks_backend *b, ks_visit_unreached *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select s.alias, e.n, e.not_after, (select count(*) from subscriber u where u.slot_id=s.slot_id)"
           " from entry e join slot s using(slot_id) where e.state='active' and exists(select 1 from notification f"
           " where f.entry_id=e.entry_id and f.kind in " OF_ENDS ") and not exists(select 1 from notification f"
           " join delivery d using(dedup_key) where f.entry_id=e.entry_id and f.kind in " OF_ENDS
           " and (d.state='sent' or (d.mail<>'' and d.state in ('queued', 'sending')))) order by s.alias, e.n");
    int rc = 0;
    while ((rc = ks_query_row(&q, e)) == 1) {
        ks_unreached row = {.n = (unsigned)sqlite3_column_int(q.stmt, 1),
                            .not_after = sqlite3_column_int64(q.stmt, 2),
                            .subscribers = (size_t)sqlite3_column_int64(q.stmt, 3)};
        rc = ks_column_text(&q, 0, row.alias, sizeof row.alias) != 0 ? damaged(b, "slot", e) : visit(ctx, &row, e);
        if (rc != 0) {
            rc = -1;
            break;
        }
    }
    ks_query_done(&q);
    return rc;
}

/* ---- deliveries ------------------------------------------------------------------------------------------------- */

/** Columns as claim() asks for them. */
static int read_delivery(struct ks_query *q, struct ks_delivery *d)
{
    const struct {
        char *out;
        size_t size;
    } text[] = {{d->dedup, sizeof d->dedup},
                {d->mail, sizeof d->mail},
                {d->name, sizeof d->name},
                {d->message_id, sizeof d->message_id},
                {d->alias, sizeof d->alias},
                {d->system_type, sizeof d->system_type},
                {d->system_name, sizeof d->system_name},
                {d->about, sizeof d->about},
                {d->text, sizeof d->text},
                {d->subject, sizeof d->subject},
                {d->link, sizeof d->link}};
    const int texts = (int)(sizeof text / sizeof text[0]);
    char kind[24];
    memset(d, 0, sizeof *d);
    for (int i = 0; i < texts; i++) {
        if (ks_column_text(q, i, text[i].out, text[i].size) != 0) {
            return -1;
        }
    }
    d->sub_id = sqlite3_column_int64(q->stmt, texts);
    d->occasion = sqlite3_column_int64(q->stmt, texts + 1);
    d->n = (unsigned)sqlite3_column_int(q->stmt, texts + 2);
    d->attempts = sqlite3_column_int64(q->stmt, texts + 3);
    d->due_at = sqlite3_column_int64(q->stmt, texts + 4);
    d->attach = sqlite3_column_int(q->stmt, texts + 5) != 0;
    d->interrupted = sqlite3_column_int(q->stmt, texts + 8) != 0;
    const char *body = (const char *)sqlite3_column_text(q->stmt, texts + 7);
    for (int k = 0; k < KS_NOTICES; k++) {
        if (ks_column_text(q, texts + 6, kind, sizeof kind) == 0 &&
            strcmp(kind, ks_notice_word((enum ks_notice)k)) == 0) {
            d->kind = (enum ks_notice)k;
            d->body = body != NULL ? strdup(body) : NULL;
            return body != NULL && d->body == NULL ? -1 : 0;
        }
    }
    return -1;
}

/** One delivery is meant when its way is among ?1 mail, ?2 webhook, whose facts are not older than ?3. */
#define HAS_WAY "d.state in ('queued', 'sending') and case d.mail when '' then ?2 and f.due_at>=?3 else ?1 end"

static void bind_ways(struct ks_query *q, const struct ks_ways *ways)
{
    ks_query_int(q, ways->mail);
    ks_query_int(q, ways->hook);
    ks_query_int(q, ways->hook_from);
}

static int claim(struct ks_backend *b, const struct ks_ways *ways, cs_time now, cs_time lease, struct ks_delivery *out,
                 cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select d.dedup_key, d.mail, d.name, d.message_id, s.alias, json_extract(s.policy_json,'$.system_type'),"
           " json_extract(s.policy_json,'$.system_name'), f.about, f.text, f.subject, f.link,"
           " d.sub_id, f.threshold, n.n, d.attempts, f.due_at, f.attach, f.kind, f.body, d.state='sending'"
           " from delivery d join notification f using(dedup_key) left join entry n on n.entry_id=f.entry_id"
           " left join slot s on s.slot_id=n.slot_id"
           " where " HAS_WAY " and d.next_at<=?4 order by d.next_at, d.dedup_key, d.mail limit 1");
    bind_ways(&q, ways);
    ks_query_int(&q, now);
    int rc = ks_query_row(&q, e);
    if (rc == 1 && read_delivery(&q, out) != 0) {
        rc = damaged(b, "delivery", e);
    }
    ks_query_done(&q);
    if (rc != 1) {
        return rc;
    }
    size_t used = strlen(out->message_id);
    if (out->mail[0] != '\0' && strchr(out->message_id, '@') == NULL) {
        snprintf(out->message_id + used, sizeof out->message_id - used, "@%.255s", ways->domain);
    }
    out->attempts++;
    q = ks_query_open(b, "update delivery set state='sending', attempts=?3, next_at=?4, message_id=?5"
                         " where dedup_key=?1 and mail=?2");
    ks_query_text(&q, out->dedup);
    ks_query_text(&q, out->mail);
    ks_query_int(&q, out->attempts);
    ks_query_int(&q, lease);
    ks_query_text(&q, out->message_id);
    return ks_query_run(&q, e) == 0 ? 1 : -1;
}

static int settle(struct ks_backend *b, const struct ks_delivery *d, const char *state, cs_time next_at,
                  const char *error, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "update delivery set state=?4, next_at=?5, last_error=?6 where dedup_key=?1"
                                         " and mail=?2 and attempts=?3 and state='sending'");
    ks_query_text(&q, d->dedup);
    ks_query_text(&q, d->mail);
    ks_query_int(&q, d->attempts);
    ks_query_text(&q, state);
    ks_query_int(&q, next_at);
    ks_query_text(&q, error);
    return ks_query_run(&q, e);
}

static int waiting(struct ks_backend *b, const struct ks_ways *ways, size_t *n, cs_time *at, size_t *mails, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "select count(case when " HAS_WAY " then 1 end), coalesce(min(case when " HAS_WAY " then d.next_at end), 0),"
           " count(nullif(d.mail, '')) from delivery d join notification f using(dedup_key)"
           " where d.state in ('queued', 'sending')");
    bind_ways(&q, ways);
    int rc = ks_query_row(&q, e);
    *n = rc == 1 ? (size_t)sqlite3_column_int64(q.stmt, 0) : 0;
    *at = rc == 1 ? sqlite3_column_int64(q.stmt, 1) : 0;
    *mails = rc == 1 ? (size_t)sqlite3_column_int64(q.stmt, 2) : 0;
    ks_query_done(&q);
    return rc == 1 ? 0 : -1;
}

const struct ks_notice_driver ks_sqlite_notices = {
    .subscriber_add = subscriber_add,
    .subscriber_remove = subscriber_remove,
    .subscribers = subscribers,
    .system_set = system_set,
    .fact_add = fact_add,
    .delivery_add = delivery_add,
    .fact_last = fact_last,
    .facts_forget = facts_forget,
    .missed_since = missed_since,
    .endings = endings,
    .claim = claim,
    .settle = settle,
    .waiting = waiting,
    .opt_out_add = opt_out_add,
    .opt_out_get = opt_out_get,
    .unreached = unreached,
};
