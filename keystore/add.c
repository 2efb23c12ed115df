/* SPDX-License-Identifier: Apache-2.0 */
/* add.c: a certificate comes in (T1), and with activate takes its place at once (T2, T3 of whom it exchanges). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "keystore/add.h"
#include "keystore/config.h"
#include "keystore/import.h"
#include "keystore/notice_store.h"
#include "keystore/pkcs11.h"
#include "keystore/seal.h"

static int check_words(const ks_add *a, cs_error *e)
{
    if (a->alias == NULL || !ks_name_ok(a->alias)) {
        return cs_error_set(e, CS_EXIT_USAGE, "alias", "an alias has 1 to 64 characters of: letters, digits, . _ -");
    }
    if (a->partner != NULL && !ks_name_ok(a->partner)) {
        return cs_error_set(e, CS_EXIT_USAGE, "partner",
                            "a partner name has 1 to 64 characters of: letters, digits, . _ -");
    }
    if (a->until != 0 && a->activate) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage",
                            "--until makes an entry of the past, which is never active: leave --activate out");
    }
    if (a->has_until && !a->has_since) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "--until needs --since");
    }
    if (a->has_since && !a->has_until && !a->activate) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage",
                            "--since needs --activate (accepted since then), or --until (accepted only in between)");
    }
    return 0;
}

static int check_times(const ks_add *a, struct ks_incoming *in, cs_time now, cs_error *e)
{
    if (a->has_since) {
        in->since = a->since != 0 ? a->since : in->certificate.not_before;
    }
    in->until = a->has_until ? a->until : 0;
    if (in->since > now || in->until > now) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "--since and --until name instants of the past");
    }
    if (a->has_until && in->until <= in->since) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "--until is not later than --since");
    }
    return 0;
}

/** The key: out of a file, with its passphrase where it has one, or a handle to that of a token. */
static int read_key(const ks_add *a, struct ks_incoming *in, cs_error *e)
{
    if (a->pkcs11_uri != NULL) {
        in->pkcs11_uri = a->pkcs11_uri;
        return ks_pkcs11_key(a->pkcs11_uri, &in->key, e);
    }
    if (a->key_pem == NULL) {
        return 0;
    }
    return a->passphrase != NULL ? ks_import_key(a->key_pem, a->key_len, a->passphrase, &in->key, e)
                                 : ks_key_read(a->key_pem, a->key_len, &in->key, e);
}

static int read_incoming(const ks_add *a, struct ks_incoming *in, cs_time now, cs_error *e)
{
    if (ks_certificate_read(a->certificate_pem, a->certificate_len, &in->certificate, e) != 0 ||
        read_key(a, in, e) != 0 || check_times(a, in, now, e) != 0) {
        return -1;
    }
    if (a->expect_sha256 != NULL) {
        char found[65];
        cs_hex(in->certificate.sha256, 32, found);
        if (strlen(a->expect_sha256) != 64 || strcasecmp(a->expect_sha256, found) != 0) {
            return cs_error_set(
                e, CS_EXIT_USAGE, "fingerprint-differs",
                "the certificate has SHA-256 %s, not the one expected: do not use it before its owner confirmed it",
                found);
        }
    }
    return 0;
}

/** The slot's purpose does not change with its certificates. */
static int check_slot(struct ks_work *w, const ks_add *a, ks_outcome *out, cs_error *e)
{
    bool partnered = a->role == KS_VERIFIER || a->role == KS_ENCRYPT_TO;
    if (w->slot.slot_id != 0) {
        if (w->slot.role != a->role) {
            return cs_error_set(e, CS_EXIT_USAGE, "role-differs", "alias %s has role %s, not %s", a->alias,
                                ks_role_word(w->slot.role), ks_role_word(a->role));
        }
        if (a->partner != NULL && strcmp(a->partner, w->slot.partner) != 0) {
            return cs_error_set(e, CS_EXIT_USAGE, "partner-differs", "alias %s belongs to partner %s, not %s", a->alias,
                                w->slot.partner[0] != '\0' ? w->slot.partner : "none", a->partner);
        }
        return 0;
    }
    if (partnered && a->partner == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "role %s needs --partner", ks_role_word(a->role));
    }
    cs_copy(w->slot.alias, sizeof w->slot.alias, a->alias);
    cs_copy(w->slot.partner, sizeof w->slot.partner, a->partner != NULL ? a->partner : "");
    w->slot.role = a->role;
    char near[KS_WORD] = "";
    if (w->s->driver->nearest(w->s->b, "alias", a->alias, near, e) != 0) {
        return -1;
    }
    ks_note(out, "alias %s is new%s%s", a->alias, near[0] != '\0' ? "; nearest known: " : "", near);
    if (a->partner != NULL) {
        bool known = false;
        struct ks_partner_row row;
        int found = w->s->driver->partner_get(w->s->b, a->partner, &row, e);
        if (found < 0 || w->s->driver->nearest(w->s->b, "partner", a->partner, near, e) != 0) {
            return -1;
        }
        known = found == 1 || strcmp(near, a->partner) == 0;
        if (!known) {
            ks_note(out, "partner %s is new%s%s", a->partner, near[0] != '\0' ? "; nearest known: " : "", near);
        }
    }
    return ks_view_read(w->s, &w->slot, &w->before, e);
}

static int check_duplicate(struct ks_work *w, const struct ks_incoming *in, ks_outcome *out, cs_error *e)
{
    for (size_t i = 0; i < w->n_row; i++) {
        const ks_info *held = &w->row[i].info;
        if (memcmp(held->sha256, in->certificate.sha256, 32) == 0) {
            const struct ks_view_entry *v = ks_view_get(&w->before, held->n);
            bool in_trash = v != NULL && v->in_trash;
            return cs_error_set(e, CS_EXIT_CONFLICT, "held-already", "%s#%u holds this certificate already (%s)%s",
                                held->alias, held->n, in_trash ? "in the trash" : ks_state_word(held->state),
                                in_trash ? "; to have it back: countersign keystore trash restore" : "");
        }
        if (memcmp(held->spki_sha256, in->certificate.spki_sha256, 32) == 0) {
            ks_note(out, "it has the same key as %s#%u: a roll-over of the certificate, not of the key", held->alias,
                    held->n);
        }
    }
    return 0;
}

static void fill_fresh(struct ks_work *w, const ks_add *a, const struct ks_incoming *in, unsigned n)
{
    struct ks_view_entry *f = &w->plan.fresh;
    const struct ks_certificate *c = &in->certificate;
    f->n = n;
    f->has_key = in->key != NULL;
    cs_copy(f->key_algorithm, sizeof f->key_algorithm, c->key_algorithm);
    memcpy(f->spki_sha256, c->spki_sha256, 32);
    f->not_before = c->not_before;
    f->not_after = c->not_after;
    f->since = in->since;
    f->until = in->until;
    w->plan.shorter_ok = a->shorter_ok;
    w->fresh_issuer = c->issuer;
    w->fresh_serial = c->serial;
}

static void fill_row(const struct ks_work *w, const struct ks_incoming *in, const struct ks_view_entry *v,
                     struct ks_row *row)
{
    const struct ks_certificate *c = &in->certificate;
    ks_info *i = &row->info;
    memset(row, 0, sizeof *row);
    row->slot_id = w->slot.slot_id;
    cs_copy(i->alias, sizeof i->alias, w->slot.alias);
    cs_copy(i->partner, sizeof i->partner, w->slot.partner);
    i->n = v->n;
    i->role = w->slot.role;
    i->state = v->state;
    memcpy(i->sha256, c->sha256, 32);
    memcpy(i->spki_sha256, c->spki_sha256, 32);
    memcpy(row->sha1, c->sha1, 20);
    memcpy(row->ski, c->ski, c->ski_len);
    row->ski_len = c->ski_len;
    cs_copy(i->subject, sizeof i->subject, c->subject);
    cs_copy(i->issuer, sizeof i->issuer, c->issuer);
    cs_copy(i->serial, sizeof i->serial, c->serial);
    cs_copy(i->key_algorithm, sizeof i->key_algorithm, c->key_algorithm);
    i->key_bits = c->key_bits;
    i->not_before = c->not_before;
    i->not_after = c->not_after;
    i->created_at = w->now;
    i->activated_at = v->activated_at;
    i->process_stop = v->process_stop;
    i->has_key = in->key != NULL;
    i->version = w->generation;
    row->changed_at = w->now;
    row->der = c->der;
    row->der_len = c->der_len;
    row->chain = c->chain;
    row->chain_len = c->chain_len;
}

static int store_key(struct ks_work *w, const struct ks_incoming *in, struct ks_row *row, cs_error *e)
{
    struct ks_key_row key = {.created_at = w->now};
    if (in->key == NULL) {
        return 0;
    }
    if (in->key_id != NULL) {
        cs_copy(row->key_id, sizeof row->key_id, in->key_id);
        return 0;
    }
    memcpy(key.spki_sha256, in->certificate.spki_sha256, 32);
    if (ks_key_store(w->s, &w->slot, in->key, in->pkcs11_uri, &key, e) != 0) {
        return -1;
    }
    cs_copy(row->key_id, sizeof row->key_id, key.key_id);
    return 0;
}

/** The interval of an entry that is archived at once; others get theirs from their state. */
static int past_interval(struct ks_work *w, int64_t entry_id, const struct ks_incoming *in, cs_error *e)
{
    unsigned can = ks_role_row(w->slot.role)->while_deactivated;
    for (int c = 0; c < KS_CAPABILITIES; c++) {
        struct ks_interval i = {.entry_id = entry_id,
                                .capability = (enum ks_capability)c,
                                .from = in->since,
                                .to = in->until,
                                .cause_seq = w->seq};
        if ((can & KS_CAN(c)) != 0 && w->s->driver->interval_add(w->s->b, &i, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/** The new rows; the exchanged entry goes before them, so that the slot never shows two active ones. */
static int write_new(struct ks_work *w, struct ks_incoming *in, struct ks_row *row, cs_error *e)
{
    const struct ks_view_entry *v = ks_view_get(&w->after, row->info.n);
    if (w->slot.slot_id == 0 && w->s->driver->slot_add(w->s->b, &w->slot, w->generation, e) != 0) {
        return -1;
    }
    row->slot_id = w->slot.slot_id;
    if (ks_work_write(w, e) != 0 || store_key(w, in, row, e) != 0 || w->s->driver->row_add(w->s->b, row, e) != 0 ||
        ks_work_audit(w, v->n, w->verb, NULL, v, e) != 0) {
        return -1;
    }
    in->entry_id = row->entry_id;
    if (v->state == KS_ACTIVE && ks_notice_active(w, row->entry_id, v->n, e) != 0) {
        return -1;
    }
    return in->until != 0 ? past_interval(w, row->entry_id, in, e) : ks_work_intervals(w, row->entry_id, 0, v, e);
}

static void add_notes(struct ks_work *w, const ks_add *a, const struct ks_incoming *in, ks_outcome *out)
{
    const ks_info *i = &out->info;
    char when[CS_TIME_TEXT];
    if (in->warning[0] != '\0') {
        ks_note(out, "%s", in->warning);
    }
    for (size_t k = 0; a->activate && ks_role_row(a->role)->max_active != 1 && k < w->before.n; k++) {
        if (w->before.entry[k].state == KS_ACTIVE && w->before.entry[k].not_after > i->not_after) {
            ks_note(out, "it ends %s, before the active %s#%u", cs_time_format(i->not_after, when), i->alias,
                    w->before.entry[k].n);
            break;
        }
    }
    if (out->has_other) {
        ks_note(out, "%s#%u is deactivated in the same moment; to roll back: countersign keystore activate %s#%u",
                i->alias, out->other.n, i->alias, out->other.n);
    }
    if (i->state == KS_PRE_ACTIVE) {
        ks_note(out, "not accepted yet; next: countersign keystore activate %s#%u", i->alias, i->n);
    } else if (in->first && in->since == 0 && a->role == KS_VERIFIER) {
        ks_note(out, "accepted from now on; for archives that are older, add it with: --since not-before");
    }
}

int ks_take_in(struct ks_work *w, const ks_add *a, struct ks_incoming *in, ks_outcome *out, cs_error *e)
{
    struct ks_row row;
    unsigned n = 0;
    if (check_slot(w, a, out, e) != 0 || check_duplicate(w, in, out, e) != 0) {
        return -1;
    }
    if (w->slot.slot_id != 0 && w->s->driver->last_n(w->s->b, w->slot.slot_id, &n, e) != 0) {
        return -1;
    }
    n = in->n != 0 ? in->n : n + 1;
    in->first = n == 1;
    ks_key_fits(a->role, &in->certificate, in->authority ? NULL : in->key, w->plan.key_problem,
                sizeof w->plan.key_problem, in->warning, sizeof in->warning);
    fill_fresh(w, a, in, n);
    ks_plan_add(&w->before, &w->plan, a->activate);
    if (ks_work_judge(w, out, e) != 0) {
        return -1;
    }
    fill_row(w, in, ks_view_get(&w->after, n), &row);
    out->info = row.info;
    for (size_t i = 0; i < w->plan.n; i++) {
        if (w->plan.step[i].t == KS_T3_DEACTIVATE) {
            ks_work_info(w, w->plan.step[i].n, &out->other);
            out->has_other = true;
        }
    }
    return w->dry_run ? 0 : write_new(w, in, &row, e);
}

static void incoming_free(struct ks_incoming *in)
{
    ks_certificate_free(&in->certificate);
    EVP_PKEY_free(in->key);
}

int ks_add_entry(ks_store *s, const ks_add *a, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                 cs_error *e)
{
    struct ks_incoming in = {0};
    memset(out, 0, sizeof *out);
    int rc = -1;
    struct ks_work *w = NULL;
    if (check_words(a, e) == 0 && read_incoming(a, &in, now, e) == 0) {
        w = ks_work_begin(s, a->alias, "add", dry_run, who, now, e);
        rc = w != NULL ? ks_take_in(w, a, &in, out, e) : -1;
    }
    if (rc == 0 && !dry_run) {
        rc = ks_work_commit(w, e);
    }
    if (rc == 0) {
        out->done = !dry_run;
        add_notes(w, a, &in, out);
    }
    ks_work_free(w);
    incoming_free(&in);
    return rc;
}

/** Those that are read, one after the other, each seeing what the ones before it wrote. */
static int take_all(struct ks_work *outer, const ks_add *a, struct ks_incoming *in, size_t n, ks_outcome *out,
                    size_t *failed, cs_error *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct ks_work *w = i == 0 ? outer : ks_work_within(outer, a[i].alias, e);
        *failed = i;
        rc = w != NULL ? ks_take_in(w, &a[i], &in[i], &out[i], e) : -1;
        if (rc == 0) {
            add_notes(w, &a[i], &in[i], &out[i]);
            outer->seq = w->seq;
        }
        if (w != outer) {
            ks_work_free(w);
        }
    }
    return rc;
}

int ks_add_entries(ks_store *s, const ks_add *a, size_t n, bool dry_run, const ks_actor *who, cs_time now,
                   ks_outcome *out, size_t *failed, cs_error *e)
{
    struct ks_incoming *in = calloc(n + 1, sizeof *in);
    struct ks_work *w = NULL;
    int rc = in != NULL && n > 0 ? 0 : cs_error_set(e, CS_EXIT_USAGE, "usage", "nothing to add");
    *failed = n;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        *failed = i;
        rc = check_words(&a[i], e) != 0 || read_incoming(&a[i], &in[i], now, e) != 0 ? -1 : 0;
    }
    if (rc == 0) {
        /* a rehearsal writes, too: an entry is judged beside those of the same list; nothing is committed */
        *failed = n;
        w = ks_work_begin(s, a[0].alias, "import", false, who, now, e);
        rc = w != NULL ? take_all(w, a, in, n, out, failed, e) : -1;
    }
    if (rc == 0) {
        *failed = n;
        rc = dry_run ? 0 : ks_work_commit(w, e);
    }
    for (size_t i = 0; i < n; i++) {
        out[i].done = rc == 0 && !dry_run;
        if (in != NULL) {
            incoming_free(&in[i]);
        }
    }
    ks_work_free(w);
    free(in);
    return rc;
}
