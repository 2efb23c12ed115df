/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey.c: all private keys from one key-encryption key to the next, in one transaction. The key rows keep their names,
 * so that no process opens a key anew because of it; a process that opens one later finds either key in its ring.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/consent.h"
#include "keystore/seal.h"

/** One key on its way. */
struct moving {
    struct ks_key_row row;
    struct ks_slot slot;
    uint8_t *ct; /**< owned */
};

struct rekey {
    ks_store *s;
    struct ks_keyring *ring; /**< opens the rows as they are */
    struct ks_kek next;
    char store_id[KS_ID];
    struct moving *key; /**< owned; sealed ones only */
    size_t n, cap;
    cs_time now;
    bool dry_run;
    char wanted[KS_KEK_ID]; /**< what a node must be able to open */
    char *lagging;
    size_t size;
};

static int keep(void *ctx, const struct ks_key_row *row, const struct ks_slot *slot, cs_error *e)
{
    struct rekey *r = ctx;
    if (row->pkcs11_uri[0] != '\0') {
        return 0;
    }
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 16 : r->cap * 2;
        struct moving *more = reallocarray(r->key, cap, sizeof *more);
        if (more == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        r->key = more;
        r->cap = cap;
    }
    struct moving *m = &r->key[r->n];
    *m = (struct moving){.row = *row, .slot = *slot, .ct = malloc(row->ct_len)};
    if (m->ct == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    memcpy(m->ct, row->ct, row->ct_len);
    m->row.ct = m->ct;
    r->n++;
    return 0;
}

static int lacks(void *ctx, const char *node, cs_time clock_at, const char *names, cs_error *e)
{
    (void)e;
    struct rekey *r = ctx;
    if (r->now - clock_at > KS_NODE_ALIVE || strstr(names, r->wanted) != NULL) {
        return 0;
    }
    size_t used = strlen(r->lagging);
    snprintf(r->lagging + used, r->size - used, "%s%s", used > 0 ? " " : "", node);
    return 0;
}

/** Every live node must be able to open the next key before anything is sealed under it. Without configured sources all
 *  processes are on this host and look beside the store. */
static int ask_nodes(struct rekey *r, cs_error *e)
{
    char names[256] = "";
    if (r->s->n_kek == 0) {
        return 0;
    }
    r->lagging = names;
    r->size = sizeof names;
    if (ks_kek_name(r->s, &r->s->kek[0], r->wanted, e) != 0 || r->s->driver->node_keys(r->s->b, lacks, r, e) != 0) {
        return -1;
    }
    r->lagging = NULL;
    return names[0] == '\0'
               ? 0
               : cs_error_set(e, CS_EXIT_LAG, "kek-not-everywhere",
                              "these nodes cannot open the new key-encryption key yet: %s. Put it beside the old one "
                              "there, with key-encryption-key … previous …; in the configuration, and reload them",
                              names);
}

static int move(struct rekey *r, struct moving *m, cs_error *e)
{
    const struct ks_kek *kek = NULL;
    EVP_PKEY *key = NULL;
    uint8_t *ct = NULL;
    int rc = -1;
    if (ks_keyring_find(r->ring, m->row.kek_id, &kek, e) == 0 &&
        ks_unseal(kek, r->store_id, &m->slot, &m->row, &key, e) == 0 &&
        ks_seal(&r->next, r->store_id, &m->slot, key, &m->row, &ct, e) == 0) {
        rc = r->s->driver->key_reseal(r->s->b, &m->row, e);
    }
    free(ct);
    EVP_PKEY_free(key);
    return rc;
}

static int audit(struct rekey *r, const char *from, const ks_actor *who, const char *approver, uint64_t *seq,
                 cs_error *e)
{
    char before[64];
    char after[96];
    snprintf(before, sizeof before, "{\"kek_id\":\"%s\"}", from);
    snprintf(after, sizeof after, "{\"kek_id\":\"%s\",\"keys\":%zu}", r->next.id, r->n);
    struct ks_audit_row row = {.at = r->now,
                               .actor = who->name,
                               .actor_kind = who->kind,
                               .verb = "rekey",
                               .object = r->store_id,
                               .before = before,
                               .after = after,
                               .reason = who->reason,
                               .approver = approver};
    int rc = ks_audit_append(r->s, &row, e);
    *seq = row.seq;
    return rc;
}

/** @return 0; 1: a second person must agree first; -1 */
static int ask(struct rekey *r, const char *from, const ks_actor *who, struct ks_plan *p, struct ks_consent *c,
               cs_error *e)
{
    ks_plan_begin(p, "rekey", "");
    ks_plan_put(p, KS_PLAN_ASKED, "reason", who->reason);
    for (size_t i = 0; i < r->s->n_kek; i++) {
        char where[KS_PLAN_VALUE];
        ks_plan_put(p, KS_PLAN_ASKED, i == 0 ? "to" : "from", ks_kek_where(&r->s->kek[i], where, sizeof where));
    }
    ks_plan_put(p, KS_PLAN_FOUND, "kek", from);
    if (ks_consent_ask(r->s, p, who, r->now, c, e) != 0) {
        return -1;
    }
    return c->asked && !c->given && !r->dry_run ? 1 : 0;
}

/** @return 0; 1: a second person must agree first; -1 */
static int within(struct rekey *r, const ks_actor *who, struct ks_plan *p, ks_rekeyed *out, cs_error *e)
{
    struct ks_consent c;
    const struct ks_driver *d = r->s->driver;
    uint64_t seq = 0;
    if (d->meta_get(r->s->b, "store_id", r->store_id, sizeof r->store_id, e) != 1 ||
        d->meta_get(r->s->b, "kek_id", out->from, sizeof out->from, e) != 1 ||
        d->generation(r->s->b, &out->generation, e) != 0) {
        return -1;
    }
    int asked = ask(r, out->from, who, p, &c, e);
    if (asked != 0) {
        return asked;
    }
    /* a rehearsal leaves no file behind: any key will do */
    bool rehearsed = r->dry_run && r->s->n_kek == 0;
    if (ask_nodes(r, e) != 0 || (rehearsed ? ks_kek_random(&r->next, e) : ks_kek_next(r->s, &r->next, e)) != 0) {
        return -1;
    }
    cs_copy(out->to, sizeof out->to, r->next.id);
    if (strcmp(out->from, out->to) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "kek-same",
                            "every private key is sealed under this key-encryption key already. Make the next one: "
                            "(umask 077; openssl rand -hex 32 > NEW), and write: key-encryption-key file NEW previous "
                            "file OLD;");
    }
    if (d->keys(r->s->b, keep, r, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (move(r, &r->key[i], e) != 0) {
            return -1;
        }
    }
    out->keys = r->n;
    out->generation++;
    return d->meta_set(r->s->b, "kek_id", r->next.id, e) != 0 ||
                   (c.given && ks_consent_use(r->s, &c, r->now, e) != 0) ||
                   audit(r, out->from, who, ks_consent_approver(&c), &seq, e) != 0 ||
                   ks_generation_next(r->s, r->now, "rekey", who, seq, out->generation, e) != 0
               ? -1
               : 0;
}

/** One that ended between its commit and its last step left the new key's file at its first name. */
static int finish_earlier(ks_store *s, cs_error *e)
{
    char id[KS_KEK_ID] = "";
    int found = s->driver->meta_get(s->b, "kek_id", id, sizeof id, e);
    return found < 0 ? -1 : ks_kek_settle(s, id, e);
}

int ks_rekey(ks_store *s, bool dry_run, const ks_actor *who, cs_time now, ks_rekeyed *out, cs_error *e)
{
    struct rekey *r = OPENSSL_secure_zalloc(sizeof *r);
    struct ks_plan plan;
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (r == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    r->s = s;
    r->now = now;
    r->dry_run = dry_run;
    r->ring = ks_keyring_new(s);
    if (r->ring == NULL) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    } else if (finish_earlier(s, e) == 0 &&
               s->driver->begin(s->b, KS_WRITE, e) == 0) { /* a rehearsal writes, too, and rolls back */
        rc = within(r, who, &plan, out, e);
        if (rc == 0 && !dry_run) {
            rc = ks_commit(s, e);
        }
        s->driver->rollback(s->b);
    }
    if (rc == 1) {
        rc = ks_consent_propose(s, &plan, who, now, e);
    }
    if (rc == 0 && !dry_run) {
        s->driver->scrub(s->b);
        out->done = true;
        rc = ks_kek_settle(s, out->to, e);
    }
    for (size_t i = 0; i < r->n; i++) {
        free(r->key[i].ct);
    }
    free(r->key);
    ks_keyring_free(r->ring);
    OPENSSL_secure_clear_free(r, sizeof *r);
    return rc;
}
