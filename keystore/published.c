/* SPDX-License-Identifier: Apache-2.0 */
/* published.c: see published.h. */
#include "keystore/published.h"

#include <openssl/pem.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/rollover_store.h"
#include "keystore/snapshot.h"

static bool is_published(const struct ks_entry *e)
{
    switch (e->m->role) {
    case KS_SIGN:
    case KS_DECRYPT:
    case KS_TLS_CLIENT:
    case KS_TLS_SERVER: return e->state == KS_ACTIVE || e->state == KS_PRE_ACTIVE;
    case KS_TRUST_ANCHOR: return e->state == KS_ACTIVE;
    default: return false;
    }
}

/** Leaf and issuers as PEM. @return 0, or -1 */
static int add_pem(cs_json *j, const struct ks_entry *e)
{
    const struct {
        const uint8_t *p;
        size_t n;
    } part[] = {{e->m->der, e->m->der_len}, {e->m->chain, e->m->chain_len}};
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    int rc = bio != NULL ? 0 : -1;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        const uint8_t *p = part[i].p;
        const uint8_t *end = part[i].n > 0 ? p + part[i].n : p;
        while (p < end && rc == 0) {
            X509 *x = d2i_X509(NULL, &p, (long)(end - p));
            rc = x != NULL && PEM_write_bio_X509(bio, x) == 1 ? 0 : -1;
            X509_free(x);
        }
    }
    if (rc == 0) {
        long n = BIO_get_mem_data(bio, &text);
        cs_json_strn(j, "pem", text, (size_t)n);
    }
    BIO_free(bio);
    return rc;
}

int ks_published(const ks_snapshot *s, cs_buf *out)
{
    cs_json j;
    int rc = 0;
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_array(&j, "certificates");
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        const struct ks_entry *e = &s->entry[i];
        if (!is_published(e)) {
            continue;
        }
        cs_json_object(&j, NULL);
        cs_json_str(&j, "alias", e->m->alias);
        cs_json_int(&j, "n", e->m->n);
        cs_json_str(&j, "role", ks_role_word(e->m->role));
        cs_json_str(&j, "state", ks_state_word(e->state));
        cs_json_hex(&j, "sha256", e->m->sha256, 32);
        cs_json_hex(&j, "spki_sha256", e->m->spki_sha256, 32);
        cs_json_time(&j, "not_before", e->not_before);
        cs_json_time(&j, "not_after", e->not_after);
        rc = add_pem(&j, e);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    cs_buf_addc(out, '\n');
    return rc == 0 && !out->failed ? 0 : -1;
}

int ks_published_taken(ks_store *s, const ks_snapshot *snapshot, const char *node, cs_time now, cs_error *e)
{
    char hex[65];
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    for (size_t i = 0; i < snapshot->n && rc == 0; i++) {
        const struct ks_entry *entry = &snapshot->entry[i];
        if (is_published(entry)) {
            rc = s->driver->rollovers->gauge_set(s->b, node, "fetched", cs_hex(entry->m->sha256, 32, hex), 1, now, e);
        }
    }
    rc = rc == 0 ? ks_commit(s, e) : -1;
    s->driver->rollback(s->b);
    return rc;
}
