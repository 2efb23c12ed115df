/* SPDX-License-Identifier: Apache-2.0 */
/* mem_key.c: private keys, sealed or in a token, what nodes can open, and revocation lists, in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mem.h"

#define COPY(out, s, column) cs_copy((out), sizeof(out), ks_mem_text((s), (column)))

static int key_add(struct ks_backend *b, const struct ks_key_row *k, cs_error *e)
{
    bool token = k->pkcs11_uri[0] != '\0';
    const struct ks_mem_set set[] = {MEM_TEXT("key_id", k->key_id),
                                     MEM_OCT("spki_sha256", k->spki_sha256, 32),
                                     MEM_TEXT("kek_id", token ? NULL : k->kek_id),
                                     MEM_OCT("nonce", token ? NULL : k->nonce, sizeof k->nonce),
                                     MEM_OCT("ct", token ? NULL : k->ct, k->ct_len),
                                     MEM_OCT("tag", token ? NULL : k->tag, sizeof k->tag),
                                     MEM_NUM("created_at", k->created_at),
                                     MEM_TEXT("backend", token ? "pkcs11" : "sealed"),
                                     MEM_TEXT("pkcs11_uri", token ? k->pkcs11_uri : NULL)};
    return ks_mem_insert(b, "private_key", set, MEM_COUNT(set), NULL, e);
}

static void read_key(const struct ks_mem_scan *s, struct ks_key_row *out)
{
    memset(out, 0, sizeof *out);
    COPY(out->key_id, s, "key_id");
    COPY(out->kek_id, s, "kek_id");
    COPY(out->pkcs11_uri, s, "pkcs11_uri");
    ks_mem_octets(s, "spki_sha256", out->spki_sha256, 32);
    ks_mem_octets(s, "nonce", out->nonce, sizeof out->nonce);
    ks_mem_octets(s, "tag", out->tag, sizeof out->tag);
    out->created_at = ks_mem_num(s, "created_at");
    out->ct = ks_mem_value(s, "ct")->p;
    out->ct_len = ks_mem_value(s, "ct")->n;
}

/** The scan stands on the key that is not destroyed. */
static bool find_key(struct ks_backend *b, struct ks_mem_scan *s, const char *key_id)
{
    if (!ks_mem_find(b, s, "private_key", "key_id", ks_mem_of_text(key_id))) {
        return false;
    }
    if (!ks_mem_is_null(s, "destroyed_at")) {
        ks_mem_done(s);
        return false;
    }
    return true;
}

static int copy_octets(const uint8_t *p, size_t n, uint8_t **out, cs_error *e)
{
    *out = malloc(n + 1);
    if (*out == NULL) {
        return ks_mem_no_memory(e);
    }
    if (n > 0) {
        memcpy(*out, p, n);
    }
    return 1;
}

static int key_get(struct ks_backend *b, const char *key_id, struct ks_key_row *out, uint8_t **ct, cs_error *e)
{
    struct ks_mem_scan s;
    *ct = NULL;
    if (!find_key(b, &s, key_id)) {
        return 0;
    }
    read_key(&s, out);
    int rc = out->ct != NULL ? copy_octets(out->ct, out->ct_len, ct, e) : 1;
    out->ct = *ct;
    ks_mem_done(&s);
    return rc;
}

static int key_destroy(struct ks_backend *b, const char *key_id, cs_time now, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_NULL("ct"), MEM_NULL("nonce"), MEM_NULL("tag"), MEM_NUM("destroyed_at", now)};
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "private_key", "key_id", ks_mem_of_text(key_id))) {
        return 0;
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

static int slot_of(struct ks_backend *b, const struct ks_mem_scan *entry, struct ks_slot *out)
{
    struct ks_mem_scan s;
    memset(out, 0, sizeof *out);
    if (!ks_mem_find(b, &s, "slot", "slot_id", *ks_mem_value(entry, "slot_id"))) {
        return -1;
    }
    out->slot_id = ks_mem_num(&s, "slot_id");
    COPY(out->alias, &s, "alias");
    COPY(out->partner, &s, "partner");
    int rc = ks_role_parse(ks_mem_text(&s, "role"), &out->role);
    ks_mem_done(&s);
    return rc;
}

static int keys(struct ks_backend *b, ks_visit_key *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "entry");
    int rc = 0;
    while (rc == 0 && ks_mem_next(&s)) {
        struct ks_mem_scan key;
        struct ks_key_row row;
        struct ks_slot slot;
        if (!find_key(b, &key, ks_mem_text(&s, "key_id"))) {
            continue;
        }
        read_key(&key, &row);
        rc = slot_of(b, &s, &slot) != 0 ? ks_mem_conflict("a key of no slot", e) : visit(ctx, &row, &slot, e);
        ks_mem_done(&key);
    }
    if (s.rows != NULL) {
        ks_mem_done(&s);
    }
    return rc;
}

static int key_reseal(struct ks_backend *b, const struct ks_key_row *k, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("kek_id", k->kek_id), MEM_OCT("nonce", k->nonce, sizeof k->nonce),
                                     MEM_OCT("ct", k->ct, k->ct_len), MEM_OCT("tag", k->tag, sizeof k->tag)};
    struct ks_mem_scan s;
    if (!find_key(b, &s, k->key_id)) {
        return 0;
    }
    int rc = ks_mem_update(b, &s, set, MEM_COUNT(set), e);
    ks_mem_done(&s);
    return rc;
}

/* ---- what nodes can open: an observation of the node, kind kek ----------------------------------------------------
 */

static int node_keys_set(struct ks_backend *b, const char *node, const char *names, cs_time now, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "observation");
    int rc = 0;
    while (rc == 0 && ks_mem_next(&s)) {
        if (ks_mem_is(&s, "node_id", node) && ks_mem_is(&s, "kind", "kek")) {
            rc = ks_mem_delete(b, &s, e);
        }
    }
    if (s.rows != NULL) {
        ks_mem_done(&s);
    }
    for (const char *p = names; rc == 0 && *p != '\0';) {
        size_t n = strcspn(p, " ");
        char one[KS_NODE_KEYS];
        size_t kept = n < sizeof one ? n : sizeof one - 1;
        memcpy(one, p, kept);
        one[kept] = '\0';
        const struct ks_mem_set set[] = {MEM_TEXT("node_id", node), MEM_TEXT("kind", "kek"), MEM_TEXT("object", one),
                                         MEM_NUM("gen", 0),         MEM_NUM("n", 1),         MEM_NUM("last_at", now)};
        rc = ks_mem_insert(b, "observation", set, MEM_COUNT(set), NULL, e);
        p += n + (p[n] == ' ');
    }
    return rc;
}

static int node_keys(struct ks_backend *b, ks_visit_node_keys *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "node");
    int rc = 0;
    while (rc == 0 && ks_mem_next(&s)) {
        char names[KS_NODE_KEYS] = "";
        struct ks_mem_scan o = ks_mem_scan(b, "observation");
        while (ks_mem_next(&o)) {
            size_t used = strlen(names);
            if (ks_mem_is(&o, "node_id", ks_mem_text(&s, "node_id")) && ks_mem_is(&o, "kind", "kek")) {
                snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? " " : "", ks_mem_text(&o, "object"));
            }
        }
        rc = visit(ctx, ks_mem_text(&s, "node_id"), ks_mem_num(&s, "clock_at"), names, e);
    }
    if (s.rows != NULL) {
        ks_mem_done(&s);
    }
    return rc;
}

/* ---- revocation lists ---------------------------------------------------------------------------------------------
 */

static int crl_add(struct ks_backend *b, const struct ks_crl_row *row, const uint8_t *der, size_t n, cs_error *e)
{
    const struct ks_mem_set set[] = {MEM_TEXT("issuer_dn", row->issuer),
                                     MEM_OCT("sha256", row->sha256, sizeof row->sha256),
                                     MEM_OCT("der", der, n),
                                     MEM_NUM("this_update", row->this_update),
                                     MEM_NUM("next_update", row->next_update),
                                     MEM_NUM("added_at", row->added_at)};
    return ks_mem_insert(b, "crl", set, MEM_COUNT(set), NULL, e);
}

static int crl_remove(struct ks_backend *b, const uint8_t sha256[32], cs_error *e)
{
    struct ks_mem_scan s;
    if (!ks_mem_find(b, &s, "crl", "sha256", ks_mem_of_octets(sha256, 32))) {
        return 0;
    }
    int rc = ks_mem_delete(b, &s, e);
    ks_mem_done(&s);
    return rc;
}

static int by_added(const void *a, const void *b)
{
    const struct ks_crl_row *x = a;
    const struct ks_crl_row *y = b;
    int order = (x->added_at > y->added_at) - (x->added_at < y->added_at);
    return order != 0 ? order : memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static int crls(struct ks_backend *b, ks_visit_crl *visit, void *ctx, cs_error *e)
{
    struct ks_mem_scan s = ks_mem_scan(b, "crl");
    struct ks_mem_scan hold = ks_mem_scan(b, "crl"); /* keeps the names that the rows borrow */
    struct ks_crl_row *row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    int rc = row != NULL ? 0 : ks_mem_no_memory(e);
    while (ks_mem_next(&s)) {
        if (rc == 0) {
            row[n].issuer = ks_mem_text(&s, "issuer_dn");
            row[n].this_update = ks_mem_num(&s, "this_update");
            row[n].next_update = ks_mem_num(&s, "next_update");
            row[n].added_at = ks_mem_num(&s, "added_at");
            ks_mem_octets(&s, "sha256", row[n].sha256, sizeof row[n].sha256);
            n++;
        }
    }
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_added);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, &row[i], e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc;
}

static int crl_get(struct ks_backend *b, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e)
{
    struct ks_mem_scan s;
    *der = NULL;
    *n = 0;
    if (!ks_mem_find(b, &s, "crl", "sha256", ks_mem_of_octets(sha256, 32))) {
        return 0;
    }
    const struct ks_value *v = ks_mem_value(&s, "der");
    int rc = copy_octets(v->p, v->n, der, e);
    *n = rc == 1 ? v->n : 0;
    ks_mem_done(&s);
    return rc;
}

void ks_mem_key_functions(struct ks_driver *d)
{
    d->key_add = key_add;
    d->key_get = key_get;
    d->key_destroy = key_destroy;
    d->keys = keys;
    d->key_reseal = key_reseal;
    d->node_keys_set = node_keys_set;
    d->node_keys = node_keys;
    d->crl_add = crl_add;
    d->crl_remove = crl_remove;
    d->crls = crls;
    d->crl_get = crl_get;
}
