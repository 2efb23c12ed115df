/* SPDX-License-Identifier: Apache-2.0 */
/*
 * making.c: what a new key and its certificate shall be. A certificate that follows another has its name, and its kind
 * of key unless another one is asked for: partners may know the slot by either.
 */
#include "keystore/making.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/dn.h"
#include "base/text.h"
#include "keystore/config.h"

#define DAYS_DEFAULT 365
#define KIND_DEFAULT "rsa:3072"
#define BACKDATED    300 /* seconds: another's clock may be behind when the certificate is shown for the first time */

void ks_making_free(struct ks_making *m)
{
    X509_free(m->predecessor);
    X509_NAME_free(m->subject);
    GENERAL_NAMES_free(m->hosts);
    m->predecessor = NULL;
    m->subject = NULL;
    m->hosts = NULL;
}

/* ---- what is asked for ------------------------------------------------------------------------------------------ */

static bool is_made(enum ks_role role)
{
    return role == KS_SIGN || role == KS_DECRYPT || role == KS_TLS_CLIENT || role == KS_TLS_SERVER;
}

int ks_making_ask(const ks_new *g, struct ks_making *m, cs_time now, cs_error *e)
{
    if (g->alias == NULL || !ks_name_ok(g->alias)) {
        return cs_error_set(e, CS_EXIT_USAGE, "alias", "an alias has 1 to 64 characters of: letters, digits, . _ -");
    }
    if (strcmp(g->alias, KS_OWN_CA) == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "alias",
                            "%s is the keystore's own certification authority; it is made when it is needed",
                            KS_OWN_CA);
    }
    if (g->days < 0 || g->days > KS_NEW_DAYS_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "days", "a certificate made here lasts 1 to %d days", KS_NEW_DAYS_MAX);
    }
    if (g->key != NULL && ks_key_kind_find(g->key) == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "key-kind",
                            "no kind of key \"%.32s\"; there are rsa:2048 rsa:3072 rsa:4096 ec:P-256 ec:P-384 ec:P-521 "
                            "ed25519",
                            g->key);
    }
    m->asked = g;
    m->from = now - BACKDATED;
    m->until = now + (g->days != 0 ? g->days : DAYS_DEFAULT) * CS_DAY;
    return 0;
}

/* ---- what the slot tells ---------------------------------------------------------------------------------------- */

static int read_predecessor(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct ks_making *m = ctx;
    const uint8_t *p = row->der;
    m->predecessor = d2i_X509(NULL, &p, (long)row->der_len);
    return m->predecessor != NULL
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the certificate of %s#%u cannot be read",
                              row->info.alias, row->info.n);
}

/** The entry that the new one follows: the active one, else the newest that is in use or may be again. */
static const struct ks_row *find_predecessor(const struct ks_work *w, unsigned follows)
{
    const struct ks_row *found = NULL;
    for (size_t i = 0; i < w->n_row; i++) {
        const ks_info *info = &w->row[i].info;
        if (info->state == KS_ACTIVE && (follows == 0 || info->n == follows)) {
            return &w->row[i];
        }
        if ((info->state == KS_PRE_ACTIVE || info->state == KS_DEACTIVATED || info->state == KS_SUSPENDED) &&
            (found == NULL || info->n > found->info.n)) {
            found = &w->row[i];
        }
    }
    return found;
}

const ks_info *ks_making_before(const struct ks_work *w)
{
    const struct ks_row *row = find_predecessor(w, 0);
    return row != NULL ? &row->info : NULL;
}

static int resolve_role(const struct ks_work *w, struct ks_making *m, cs_error *e)
{
    const ks_new *g = m->asked;
    if (w->slot.slot_id == 0 && !g->has_role) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "alias %s is new: --role tells what it is for", g->alias);
    }
    m->role = g->has_role ? g->role : w->slot.role;
    return is_made(m->role) ? 0
                            : cs_error_set(e, CS_EXIT_USAGE, "role",
                                           "keys are made for the roles sign, decrypt, tls-client and tls-server; role "
                                           "%s keeps certificates of others: countersign keystore add",
                                           ks_role_word(m->role));
}

static int resolve_kind(const struct ks_row *before, struct ks_making *m, cs_error *e)
{
    const struct ks_key_kind *kind =
        before != NULL ? ks_key_kind_of(before->info.key_algorithm, before->info.key_bits) : NULL;
    if (m->asked->key != NULL) {
        kind = ks_key_kind_find(m->asked->key);
    }
    m->kind = kind != NULL ? kind : ks_key_kind_find(KIND_DEFAULT);
    if (m->role == KS_DECRYPT && strcmp(m->kind->algorithm, "Ed25519") == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "key-kind", "an Ed25519 key only signs: nothing can be encrypted to it");
    }
    return 0;
}

/** The name: the predecessor's, octet for octet, since partners may know the slot by it; else as asked for. */
static int resolve_subject(struct ks_making *m, cs_error *e)
{
    const ks_new *g = m->asked;
    char by_alias[KS_WORD + 4];
    snprintf(by_alias, sizeof by_alias, "CN=%s", g->alias);
    const char *text = g->subject != NULL ? g->subject : by_alias;
    if (g->subject != NULL || m->predecessor == NULL) {
        if (ks_subject_parse(text, &m->subject, e) != 0) {
            return -1;
        }
    }
    if (m->predecessor == NULL) {
        return 0;
    }
    const X509_NAME *held = X509_get_subject_name(m->predecessor);
    if (m->subject != NULL && X509_NAME_cmp(m->subject, held) != 0) {
        char shown[512] = "";
        cs_dn_text(held, shown, sizeof shown);
        return cs_error_set(
            e, CS_EXIT_USAGE, "subject-differs",
            "%s#%u is named %.200s, and what follows it keeps that name; another name has another alias", g->alias,
            m->before, shown);
    }
    X509_NAME_free(m->subject);
    m->subject = X509_NAME_dup(held);
    return m->subject != NULL ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/** What clients connect to: as asked for, else the predecessor's, else the name itself. */
static int resolve_hosts(struct ks_making *m, cs_error *e)
{
    const ks_new *g = m->asked;
    char cn[300];
    if (m->role != KS_TLS_SERVER) {
        return g->n_host == 0 ? 0
                              : cs_error_set(e, CS_EXIT_USAGE, "host",
                                             "--host names what a tls-server is called by; role "
                                             "%s has none",
                                             ks_role_word(m->role));
    }
    for (size_t i = 0; i < g->n_host; i++) {
        if (ks_host_add(&m->hosts, g->host[i], e) != 0) {
            return -1;
        }
    }
    if (m->hosts == NULL && m->predecessor != NULL) {
        m->hosts = X509_get_ext_d2i(m->predecessor, NID_subject_alt_name, NULL, NULL);
        ERR_clear_error();
    }
    if (m->hosts != NULL) {
        return 0;
    }
    int n = X509_NAME_get_text_by_NID(m->subject, NID_commonName, cn, sizeof cn);
    return ks_host_add(&m->hosts, n > 0 && strlen(cn) == (size_t)n ? cn : "", e);
}

/** Who makes room: an inactive entry with a key, the one that was in use before one that never was. */
static unsigned find_inactive(const struct ks_work *w, const struct ks_making *m)
{
    unsigned most = ks_role_row(m->role)->max_keyed;
    unsigned keyed = 0;
    const struct ks_view_entry *found = NULL;
    for (size_t i = 0; i < w->before.n; i++) {
        const struct ks_view_entry *v = &w->before.entry[i];
        bool counts = v->state == KS_PRE_ACTIVE || v->state == KS_ACTIVE || v->state == KS_DEACTIVATED;
        if (!counts || !v->has_key || v->in_trash) {
            continue;
        }
        keyed++;
        if (v->state != KS_ACTIVE && (found == NULL || (found->state == KS_PRE_ACTIVE && v->state == KS_DEACTIVATED))) {
            found = v;
        }
    }
    bool full = most != 0 && keyed >= most;
    return found != NULL && (m->replace_any || (m->replace && full)) ? found->n : 0;
}

int ks_making_resolve(const struct ks_work *w, struct ks_making *m, cs_error *e)
{
    const struct ks_row *before = find_predecessor(w, m->follows);
    ks_making_free(m);
    m->before = before != NULL ? before->info.n : 0;
    m->follows_id = before != NULL ? before->entry_id : 0;
    if (resolve_role(w, m, e) != 0) {
        return -1;
    }
    m->replaces = find_inactive(w, m);
    if (before != NULL) {
        struct ks_row_filter f = {.alias = w->slot.alias, .n = m->before, .with_der = true};
        if (w->s->driver->rows(w->s->b, &f, read_predecessor, m, e) != 0) {
            return -1;
        }
    }
    return resolve_kind(before, m, e) == 0 && resolve_subject(m, e) == 0 && resolve_hosts(m, e) == 0 ? 0 : -1;
}

void ks_making_plan(struct ks_work *w, const struct ks_making *m)
{
    w->plan.replaces = m->replaces;
    w->plan.automatic = m->automatic;
}

int ks_making_rehearse(struct ks_work *w, const struct ks_making *m, ks_outcome *out, cs_error *e)
{
    struct ks_view_entry *f = &w->plan.fresh;
    unsigned n = 0;
    if (w->slot.slot_id == 0 || w->slot.role != m->role) {
        return 0; /* nothing there to break, or refused when it comes in */
    }
    if (w->s->driver->last_n(w->s->b, w->slot.slot_id, &n, e) != 0) {
        return -1;
    }
    f->n = n + 1;
    f->has_key = true;
    cs_copy(f->key_algorithm, sizeof f->key_algorithm, m->kind->algorithm);
    f->not_before = m->from;
    f->not_after = m->until;
    ks_making_plan(w, m);
    ks_plan_add(&w->before, &w->plan, m->before == 0 || m->activate);
    return ks_work_judge(w, out, e);
}
