/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_key.c: rows of private keys, sealed or in a token, and what each node can open. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/sqlite_rows.h"
#include "keystore/words.h"

int ks_sqlite_key_add(struct ks_backend *b, const struct ks_key_row *k, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "insert into private_key(key_id, spki_sha256, kek_id, nonce, ct, "
                                         "tag, created_at, backend, pkcs11_uri) values(?1,?2,?3,?4,?5,?6,?7,?8,?9)");
    bool token = k->pkcs11_uri[0] != '\0';
    ks_query_text(&q, k->key_id);
    ks_query_blob(&q, k->spki_sha256, 32);
    ks_query_text(&q, token ? NULL : k->kek_id);
    ks_query_blob(&q, token ? NULL : k->nonce, sizeof k->nonce);
    ks_query_blob(&q, token ? NULL : k->ct, k->ct_len);
    ks_query_blob(&q, token ? NULL : k->tag, sizeof k->tag);
    ks_query_int(&q, k->created_at);
    ks_query_text(&q, token ? "pkcs11" : "sealed");
    ks_query_text(&q, token ? k->pkcs11_uri : NULL);
    return ks_query_run(&q, e);
}

/** A key row of the columns of KEY_COLUMNS; ct borrowed from the statement. */
static int take_key(struct ks_query *q, struct ks_key_row *out)
{
    memset(out, 0, sizeof *out);
    if (ks_column_text(q, 0, out->key_id, sizeof out->key_id) != 0 ||
        ks_column_octets(q, 2, out->spki_sha256, 32) != 0 ||
        ks_column_text(q, 7, out->pkcs11_uri, sizeof out->pkcs11_uri) != 0) {
        return -1;
    }
    out->created_at = sqlite3_column_int64(q->stmt, 6);
    if (out->pkcs11_uri[0] != '\0') {
        return 0;
    }
    out->ct_len = (size_t)sqlite3_column_bytes(q->stmt, 5);
    out->ct = sqlite3_column_blob(q->stmt, 5);
    return out->ct != NULL && ks_column_text(q, 1, out->kek_id, sizeof out->kek_id) == 0 &&
                   ks_column_octets(q, 3, out->nonce, sizeof out->nonce) == 0 &&
                   ks_column_octets(q, 4, out->tag, sizeof out->tag) == 0
               ? 0
               : -1;
}

#define KEY_COLUMNS "k.key_id, k.kek_id, k.spki_sha256, k.nonce, k.tag, k.ct, k.created_at, k.pkcs11_uri"

int ks_sqlite_key_get(struct ks_backend *b, const char *key_id, struct ks_key_row *out, uint8_t **ct, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select " KEY_COLUMNS " from private_key k where key_id=?1 and destroyed_at is null");
    *ct = NULL;
    ks_query_text(&q, key_id);
    int rc = ks_query_row(&q, e);
    if (rc == 1 && take_key(&q, out) != 0) {
        rc = ks_query_damaged(&q, "private_key", e);
    }
    if (rc == 1 && out->ct != NULL) {
        *ct = malloc(out->ct_len);
        if (*ct == NULL) {
            rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        } else {
            memcpy(*ct, out->ct, out->ct_len);
        }
        out->ct = *ct;
    }
    ks_query_done(&q);
    return rc;
}

int ks_sqlite_key_destroy(struct ks_backend *b, const char *key_id, cs_time now, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "update private_key set ct=null, nonce=null, tag=null, destroyed_at=?2 where key_id=?1");
    ks_query_text(&q, key_id);
    ks_query_int(&q, now);
    return ks_query_run(&q, e);
}

int ks_sqlite_keys(struct ks_backend *b, ks_visit_key *visit, void *ctx, cs_error *e)
{
    struct ks_query q =
        ks_query_open(b, "select " KEY_COLUMNS ", s.slot_id, s.alias, s.partner, s.role "
                         "from private_key k join (select key_id, slot_id from entry union all "
                         "select key_id, slot_id from key_request) e on e.key_id=k.key_id "
                         "join slot s on s.slot_id=e.slot_id where k.destroyed_at is null order by k.key_id");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        struct ks_key_row row;
        struct ks_slot slot = {.slot_id = sqlite3_column_int64(q.stmt, 8)};
        char role[32];
        rc = take_key(&q, &row) != 0 || ks_column_text(&q, 9, slot.alias, sizeof slot.alias) != 0 ||
                     ks_column_text(&q, 10, slot.partner, sizeof slot.partner) != 0 ||
                     ks_column_text(&q, 11, role, sizeof role) != 0 || ks_role_parse(role, &slot.role) != 0
                 ? ks_query_damaged(&q, "private_key", e)
                 : visit(ctx, &row, &slot, e);
    }
    return rc;
}

int ks_sqlite_key_reseal(struct ks_backend *b, const struct ks_key_row *k, cs_error *e)
{
    struct ks_query q = ks_query_open(
        b, "update private_key set kek_id=?2, nonce=?3, ct=?4, tag=?5 where key_id=?1 and destroyed_at is null");
    ks_query_text(&q, k->key_id);
    ks_query_text(&q, k->kek_id);
    ks_query_blob(&q, k->nonce, sizeof k->nonce);
    ks_query_blob(&q, k->ct, k->ct_len);
    ks_query_blob(&q, k->tag, sizeof k->tag);
    return ks_query_run(&q, e);
}

/* What a node can open is an observation of that node: kind kek, object the name of the source. */

static int node_keys_forget(struct ks_backend *b, const char *node, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "delete from observation where node_id=?1 and kind='kek'");
    ks_query_text(&q, node);
    return ks_query_run(&q, e);
}

int ks_sqlite_node_keys_set(struct ks_backend *b, const char *node, const char *names, cs_time now, cs_error *e)
{
    int rc = node_keys_forget(b, node, e);
    for (const char *p = names; rc == 0 && *p != '\0';) {
        size_t n = strcspn(p, " ");
        char one[KS_NODE_KEYS];
        memcpy(one, p, n < sizeof one ? n : sizeof one - 1);
        one[n < sizeof one ? n : sizeof one - 1] = '\0';
        struct ks_query q = ks_query_open(b, "insert into observation(node_id, kind, object, gen, n, last_at) "
                                             "values(?1,'kek',?2,0,1,?3)");
        ks_query_text(&q, node);
        ks_query_text(&q, one);
        ks_query_int(&q, now);
        rc = ks_query_run(&q, e);
        p += n + (p[n] == ' ');
    }
    return rc;
}

int ks_sqlite_node_keys(struct ks_backend *b, ks_visit_node_keys *visit, void *ctx, cs_error *e)
{
    struct ks_query q = ks_query_open(b, "select n.node_id, n.clock_at, group_concat(o.object, ' ') from node n "
                                         "left join observation o on o.node_id=n.node_id and o.kind='kek' "
                                         "group by n.node_id, n.clock_at order by n.node_id");
    int rc = 0;
    while (ks_query_next(&q, &rc, e)) {
        char node[KS_WORD];
        char names[KS_NODE_KEYS];
        rc = ks_column_text(&q, 0, node, sizeof node) != 0 || ks_column_text(&q, 2, names, sizeof names) != 0
                 ? ks_query_damaged(&q, "observation", e)
                 : visit(ctx, node, sqlite3_column_int64(q.stmt, 1), names, e);
    }
    return rc;
}
