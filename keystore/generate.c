/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c: a key and its certificate are made here. The first of an empty slot is active at once (T1, T2); the next
 * waits, with the same name and issuer, until the other side has it. Judged twice: before the key is made, which takes
 * seconds for a large one and is in vain when a guard refuses, and again in the transaction that stores it.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "keystore/add.h"
#include "keystore/making.h"
#include "keystore/notice_store.h"
#include "keystore/talk.h"

/* ---- the change ------------------------------------------------------------------------------------------------- */

/** The certificate and behind it its issuer, read as if they came in as a file. */
static int read_made(X509 *x, X509 *issuer, struct ks_certificate *out, cs_error *e)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    int rc = -1;
    if (bio == NULL || PEM_write_bio_X509(bio, x) != 1 || PEM_write_bio_X509(bio, issuer) != 1) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    } else {
        long n = BIO_get_mem_data(bio, &data);
        rc = ks_certificate_read(data, (size_t)n, out, e);
    }
    BIO_free(bio);
    return rc;
}

static void notes(const struct ks_work *w, const struct ks_making *m, const struct ks_own_ca *ca, ks_outcome *out)
{
    const ks_info *i = &out->info;
    if (w->dry_run) {
        ks_note(out, "nothing is kept: the key and certificate shown here were made for the rehearsal");
        return;
    }
    if (ca->made) {
        ks_note(out,
                "%s#%u, the certification authority of this keystore, is new; for who checks the issuer: "
                "countersign keystore export %s#%u",
                KS_OWN_CA, ca->n, KS_OWN_CA, ca->n);
    }
    if (m->predecessor != NULL &&
        X509_NAME_cmp(X509_get_issuer_name(m->predecessor), X509_get_subject_name(ca->certificate)) != 0) {
        ks_note(out, "%s#%u has another issuer: a partner that checks the issuer must be told", i->alias, m->before);
    }
    if (m->replaces != 0) {
        ks_note(out, "%s#%u made room: removed in the same moment", i->alias, m->replaces);
    }
    ks_note(out, "for the other side: countersign keystore export %s#%u", i->alias, i->n);
    if (i->state == KS_PRE_ACTIVE) {
        ks_note(out, "not in use yet; when the other side has it: countersign keystore activate %s#%u", i->alias, i->n);
    }
}

/** One act for each predecessor: did somebody do it meanwhile, or is the predecessor no longer in use? */
static bool is_not_ours(struct ks_work *w, const struct ks_making *m, cs_error *e)
{
    struct ks_renewal_row r = {0};
    const struct ks_row *row = m->follows != 0 ? ks_work_row(w, m->follows) : NULL;
    if (m->follows == 0) {
        return false;
    }
    int found = row != NULL ? w->s->driver->renewal_get(w->s->b, row->entry_id, &r, e) : 0;
    if (found < 0) {
        return true;
    }
    if (row == NULL || row->info.state != KS_ACTIVE || m->before != m->follows || (found == 1 && r.successor != 0)) {
        cs_error_set(e, CS_EXIT_CONFLICT, "renewed-already", "%s#%u has its successor already", m->asked->alias,
                     m->follows);
        return true;
    }
    return false;
}

static int note_renewal(struct ks_work *w, const struct ks_making *m, unsigned n, int64_t entry_id, cs_error *e)
{
    struct ks_renewal_row r = {.predecessor = m->follows_id, .slot_id = w->slot.slot_id, .successor = n, .at = w->now};
    if (m->follows != 0 && w->s->driver->renewal_set(w->s->b, &r, e) != 0) {
        return -1;
    }
    return m->tell != NULL && ks_notice_add(w->s, KS_NOTICE_RENEWED, entry_id, 0, m->tell, w->now, e) < 0 ? -1 : 0;
}

/** What mails about the slot call the system that it stands for. */
static int set_system(const struct ks_work *w, const ks_new *g, cs_error *e)
{
    return g->system_type == NULL && g->system_name == NULL ? 0
           : ks_need_notices(w->s, e) != 0
               ? -1
               : w->s->driver->notices->system_set(w->s->b, w->slot.slot_id, g->system_type, g->system_name, e);
}

/** The keystore's own authority again, where the slot had an issuer of others. */
static int set_own(const struct ks_work *w, const ks_new *g, cs_error *e)
{
    const struct ks_issuing_driver *d = w->s->driver->issuing;
    return g->own && d != NULL ? d->issuer_set(w->s->b, w->slot.slot_id, NULL, w->generation, e) : 0;
}

/** They stand in the subject of mails: one line each. */
static int check_system(const ks_new *g, cs_error *e)
{
    if ((g->system_type == NULL || ks_line_ok(g->system_type, KS_FULL_NAME)) &&
        (g->system_name == NULL || ks_line_ok(g->system_name, KS_FULL_NAME))) {
        return 0;
    }
    return cs_error_set(e, CS_EXIT_USAGE, "system-name",
                        "type and name of a system are one line of 1 to %d octets each, without control characters",
                        KS_FULL_NAME - 1);
}

static int make_within(struct ks_work *w, struct ks_making *m, EVP_PKEY *key, ks_outcome *out, cs_error *e)
{
    const struct ks_key_kind *expected = m->kind;
    struct ks_own_ca ca = {0};
    struct ks_incoming in = {.key = key};
    X509 *x = NULL;
    int rc = -1;
    if (ks_making_resolve(w, m, e) != 0) {
        return -1;
    }
    if (m->kind != expected) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "conflict", "%s was changed by somebody else: try again",
                            m->asked->alias);
    }
    const ks_add add = {.role = m->role, .alias = m->asked->alias, .activate = m->before == 0 || m->activate};
    ks_making_plan(w, m);
    if (is_not_ours(w, m, e) || ks_own_ca_get(w, m->until, &ca, e) != 0) {
        return -1;
    }
    const struct ks_wanted wanted = {m->role, m->subject, m->hosts, key, m->from, m->until};
    x = ks_own_issue(&ca, &wanted, e);
    if (x == NULL || read_made(x, ca.certificate, &in.certificate, e) != 0 || ks_take_in(w, &add, &in, out, e) != 0 ||
        (!w->dry_run && (set_system(w, m->asked, e) != 0 || set_own(w, m->asked, e) != 0 ||
                         note_renewal(w, m, out->info.n, in.entry_id, e) != 0 || ks_work_commit(w, e) != 0))) {
        goto out;
    }
    out->done = !w->dry_run;
    notes(w, m, &ca, out);
    rc = 0;
out:
    X509_free(x);
    ks_certificate_free(&in.certificate);
    ks_own_ca_free(&ca);
    return rc;
}

int ks_generate_made(ks_store *s, struct ks_making *m, const char *verb, bool dry_run, const ks_actor *who, cs_time now,
                     ks_outcome *out, cs_error *e)
{
    EVP_PKEY *key = NULL;
    int rc = -1;
    struct ks_work *w = ks_work_begin(s, m->asked->alias, verb, true, who, now, e);
    if (w == NULL || ks_making_resolve(w, m, e) != 0 || ks_making_rehearse(w, m, out, e) != 0) {
        goto out;
    }
    ks_work_free(w);
    w = NULL;
    key = ks_key_make(m->kind, e);
    if (key != NULL) {
        w = ks_work_begin(s, m->asked->alias, verb, dry_run, who, now, e);
        rc = w != NULL ? make_within(w, m, key, out, e) : -1;
    }
out:
    ks_work_free(w);
    EVP_PKEY_free(key);
    return rc;
}

int ks_generate(ks_store *s, const ks_new *g, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                cs_error *e)
{
    struct ks_making m = {0};
    memset(out, 0, sizeof *out);
    int rc = check_system(g, e) == 0 && ks_making_ask(g, &m, now, e) == 0
                 ? ks_generate_made(s, &m, "generate", dry_run, who, now, out, e)
                 : -1;
    ks_making_free(&m);
    return rc;
}
