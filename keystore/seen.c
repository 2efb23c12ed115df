/* SPDX-License-Identifier: Apache-2.0 */
/* seen.c: see seen.h. */
#include "keystore/seen.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "keystore/notice.h"

struct item {
    struct ks_seen_row row;
    uint8_t der[KS_SEEN_DER];
};

struct ks_seen_queue {
    pthread_mutex_t lock;
    struct item *item[KS_SEEN_WAITING]; /**< owned */
    size_t n;
};

struct ks_seen_queue *ks_seen_new(void)
{
    struct ks_seen_queue *q = calloc(1, sizeof *q);
    if (q != NULL && pthread_mutex_init(&q->lock, NULL) != 0) {
        free(q);
        q = NULL;
    }
    return q;
}

void ks_seen_free(struct ks_seen_queue *q)
{
    if (q != NULL) {
        for (size_t i = 0; i < q->n; i++) {
            free(q->item[i]);
        }
        pthread_mutex_destroy(&q->lock);
        free(q);
    }
}

static struct item *item_new(const char *partner, const uint8_t sha256[32], const uint8_t *der, size_t n, cs_time now)
{
    struct item *i = calloc(1, sizeof *i);
    if (i != NULL) {
        cs_copy(i->row.partner, sizeof i->row.partner, partner);
        memcpy(i->row.sha256, sha256, sizeof i->row.sha256);
        memcpy(i->der, der, n);
        i->row.der = i->der;
        i->row.der_len = n;
        i->row.first_at = now;
    }
    return i;
}

void ks_seen_take(struct ks_seen_queue *q, const char *partner, const uint8_t *der, size_t n, cs_time now)
{
    uint8_t sha256[32];
    struct item *found = NULL;
    if (n == 0 || n > KS_SEEN_DER || SHA256(der, n, sha256) == NULL) {
        return;
    }
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->n && found == NULL; i++) {
        struct item *one = q->item[i];
        found = memcmp(one->row.sha256, sha256, 32) == 0 && strcmp(one->row.partner, partner) == 0 ? one : NULL;
    }
    if (found == NULL && q->n < KS_SEEN_WAITING) {
        found = item_new(partner, sha256, der, n, now);
        if (found != NULL) {
            q->item[q->n++] = found;
        }
    }
    if (found != NULL) {
        found->row.n++;
        found->row.last_at = now;
    }
    pthread_mutex_unlock(&q->lock);
}

/* ---- judging ------------------------------------------------------------------------------------------------------
 */

static bool signed_by(X509 *x, X509 *issuer)
{
    EVP_PKEY *key = issuer != NULL ? X509_get0_pubkey(issuer) : NULL;
    return key != NULL && X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(issuer)) == 0 &&
           X509_verify(x, key) == 1;
}

/** Did one of the certificates that came with an accepted entry sign it? */
static bool signed_in_chain(X509 *x, const struct ks_material *m)
{
    const uint8_t *p = m->chain;
    const uint8_t *end = m->chain + m->chain_len;
    bool good = false;
    while (p != NULL && p < end && !good) {
        X509 *issuer = d2i_X509(NULL, &p, (long)(end - p));
        if (issuer == NULL) {
            break;
        }
        good = signed_by(x, issuer);
        X509_free(issuer);
    }
    return good;
}

/** Is it signed by a stored authority: an anchor, or the chain of an entry of the partner? */
static bool vouched_for(const ks_snapshot *s, const struct ks_seen_row *row)
{
    const uint8_t *p = row->der;
    X509 *x = d2i_X509(NULL, &p, (long)row->der_len);
    bool good = false;
    for (size_t i = 0; x != NULL && i < s->n && !good; i++) {
        const ks_entry *e = &s->entry[i];
        if (e->state != KS_ACTIVE && e->state != KS_DEACTIVATED) {
            continue;
        }
        good = e->m->role == KS_TRUST_ANCHOR ? signed_by(x, e->m->certificate)
                                             : strcmp(e->m->partner, row->partner) == 0 && signed_in_chain(x, e->m);
    }
    X509_free(x);
    ERR_clear_error();
    return good;
}

static void announce(const struct ks_seen_row *row)
{
    char hex[65];
    cs_log(CS_LOG_NOTICE, "partner-switched",
           "messages are signed with a certificate that is not stored, by the authority of one that is; compare its "
           "fingerprint with the partner by another channel, then: keystore add --seen",
           CS_STR("partner", row->partner), CS_STR("sha256", cs_hex(row->sha256, sizeof row->sha256, hex)));
}

/** At most once a day for each partner. */
static int tell(ks_store *s, const struct ks_seen_row *row, cs_error *e)
{
    char hex[65];
    char text[128];
    snprintf(text, sizeof text, "SHA-256 of the certificate: %s", cs_hex(row->sha256, sizeof row->sha256, hex));
    const ks_tell t = {.kind = KS_NOTICE_PARTNER_SWITCHED,
                       .about = row->partner,
                       .occasion = row->last_at / CS_DAY,
                       .text = text,
                       .role = "tenant-admin"};
    return ks_notice_tell(s, &t, row->last_at, e) < 0 ? -1 : 0;
}

/** One certificate into the store. @return 0, or -1 */
static int store_one(ks_store *s, const ks_snapshot *snapshot, const char *node, const struct ks_seen_row *row,
                     bool *new, cs_error *e)
{
    *new = false;
    if (!vouched_for(snapshot, row)) {
        return s->driver->observe(s->b, node, "unknown-successor", row->partner, row->n, row->last_at, e);
    }
    int rc = s->driver->seen_add(s->b, row, KS_SEEN_PARTNER, e);
    *new = rc == 1;
    return rc < 0 || (*new &&tell(s, row, e) != 0) ? -1 : 0;
}

int ks_seen_flush(ks_store *s, struct ks_seen_queue *q, const ks_snapshot *snapshot, const char *node, cs_error *e)
{
    struct item *taken[KS_SEEN_WAITING];
    bool new[KS_SEEN_WAITING] = {false};
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    memcpy(taken, q->item, n * sizeof(struct item *));
    q->n = 0;
    pthread_mutex_unlock(&q->lock);
    if (n == 0) {
        return 0;
    }
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = store_one(s, snapshot, node, &taken[i]->row, &new[i], e);
    }
    if (rc == 0) {
        rc = s->driver->commit(s->b, e);
    }
    s->driver->rollback(s->b);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0 && new[i]) {
            announce(&taken[i]->row);
        }
        free(taken[i]); /* what could not be written comes again with the next message */
    }
    return rc;
}

/* ---- asking -------------------------------------------------------------------------------------------------------
 */

struct find {
    const uint8_t *sha256;
    uint8_t *der;
    size_t n;
    bool failed;
};

static int take_der(void *ctx, const struct ks_seen_row *row, cs_error *e)
{
    struct find *f = ctx;
    (void)e;
    if (memcmp(row->sha256, f->sha256, 32) == 0 && f->der == NULL) {
        f->der = malloc(row->der_len);
        f->failed = f->der == NULL;
        if (f->der != NULL) {
            memcpy(f->der, row->der, row->der_len);
            f->n = row->der_len;
        }
    }
    return 0;
}

int ks_seen_get(ks_store *s, const char *partner, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e)
{
    struct find f = {.sha256 = sha256};
    *der = NULL;
    if (s->driver->seen(s->b, partner, take_der, &f, e) != 0) {
        return -1;
    }
    if (f.failed) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (f.der == NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "seen-unknown",
                            "no message of partner %.64s brought a certificate with this fingerprint", partner);
    }
    *der = f.der;
    *n = f.n;
    return 0;
}
