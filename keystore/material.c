/* SPDX-License-Identifier: Apache-2.0 */
/*
 * material.c: what never changes of an entry, parsed once and shared by all snapshots that hold it: certificate, names,
 * keys. A private key is opened here, and only in the states that may need it.
 */
#include "keystore/snapshot.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "keystore/seal.h"
#include "keystore/talk.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "memory ran out while the keystore was read");
}

void ks_material_release(struct ks_material *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    X509_free(m->certificate);
    sk_X509_pop_free(m->issuers, X509_free);
    EVP_PKEY_free(m->public_key);
    EVP_PKEY_free(m->private_key);
    cs_dn_free(m->issuer);
    free(m->der);
    free(m->chain);
    free(m);
}

static int copy_octets(uint8_t **out, const uint8_t *p, size_t n)
{
    *out = NULL;
    if (n == 0) {
        return 0;
    }
    *out = malloc(n);
    if (*out == NULL) {
        return -1;
    }
    memcpy(*out, p, n);
    return 0;
}

/** Roles of which a TLS context is made: it wants certificates as objects, which cost some 10 KB each. */
static bool for_tls(enum ks_role role)
{
    return role == KS_TLS_CLIENT || role == KS_TLS_SERVER || role == KS_TRUST_ANCHOR;
}

/** The certificate's own fields. A row that was judged when it came in must parse; else the store is damaged. */
static int material_parse(struct ks_material *m, cs_error *e)
{
    const uint8_t *p = m->der;
    X509 *x = d2i_X509(NULL, &p, (long)m->der_len);
    int rc = -1;
    if (x != NULL) {
        m->public_key = X509_get_pubkey(x);
        m->issuer = cs_dn_from_name(X509_get_issuer_name(x));
    }
    if (m->public_key == NULL || m->issuer == NULL ||
        (for_tls(m->role) && ks_issuers_read(m->chain, m->chain_len, &m->issuers) != 0)) {
        ERR_clear_error();
        cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                     "the certificate of %s#%u cannot be parsed; restore the keystore from a backup", m->alias, m->n);
        goto out;
    }
    if (for_tls(m->role)) {
        m->certificate = x;
        x = NULL;
    }
    rc = 0;
out:
    X509_free(x);
    return rc;
}

bool ks_material_opens(const struct ks_row *row)
{
    enum ks_state state = row->info.state;
    /* the key of the own certification authority makes certificates; no process with traffic needs it */
    return row->key_id[0] != '\0' && row->info.role != KS_TRUST_ANCHOR &&
           (state == KS_PRE_ACTIVE || state == KS_ACTIVE || state == KS_DEACTIVATED);
}

/** Own keys are opened where they work. One that cannot be: no snapshot for who needs keys; for others an entry
 * without, told once, since the cause is one for all as a rule. */
static int material_unseal(struct ks_material *m, ks_store *s, struct ks_keyring *ring, const struct ks_row *row,
                           cs_error *e)
{
    cs_error why = {0};
    struct ks_slot slot = {.slot_id = row->slot_id, .role = m->role};
    if (!ks_material_opens(row)) {
        return 0;
    }
    if (s->options.lend != NULL) {
        m->private_key = s->options.lend(s->options.lend_ctx, m->alias, m->n, m->public_key);
        if (m->private_key == NULL) {
            cs_log(CS_LOG_WARN, "key-unavailable", "a key of this kind cannot be used from another process",
                   CS_STR("alias", m->alias), CS_INT("n", m->n));
        }
        return 0;
    }
    memcpy(slot.alias, m->alias, sizeof slot.alias);
    memcpy(slot.partner, m->partner, sizeof slot.partner);
    if (ks_key_open(s, ring, &slot, m->key_id, &m->private_key, &why) == 0) {
        return 0;
    }
    m->private_key = NULL;
    if (s->options.keys == KS_KEYS_NEED) {
        return cs_error_set(e, why.exit_code, why.reason, "no key of %s#%u: %s", m->alias, m->n, why.text);
    }
    if (ks_keyring_complain(ring)) {
        cs_log(CS_LOG_WARN, "key-unavailable", "a private key cannot be opened", CS_STR("alias", m->alias),
               CS_INT("n", m->n), CS_STR("why", why.text));
    }
    return 0;
}

struct ks_material *ks_material_new(ks_store *s, struct ks_keyring *ring, const struct ks_row *row, cs_error *e)
{
    struct ks_material *m = calloc(1, sizeof *m);
    if (m == NULL) {
        no_memory(e);
        return NULL;
    }
    atomic_init(&m->refs, 1);
    m->entry_id = row->entry_id;
    memcpy(m->alias, row->info.alias, sizeof m->alias);
    memcpy(m->partner, row->info.partner, sizeof m->partner);
    m->n = row->info.n;
    m->role = row->info.role;
    memcpy(m->key_id, row->key_id, sizeof m->key_id);
    memcpy(m->sha256, row->info.sha256, sizeof m->sha256);
    memcpy(m->sha1, row->sha1, sizeof m->sha1);
    memcpy(m->spki_sha256, row->info.spki_sha256, sizeof m->spki_sha256);
    memcpy(m->ski, row->ski, sizeof m->ski);
    m->ski_len = row->ski_len;
    memcpy(m->serial, row->info.serial, sizeof m->serial);
    m->der_len = row->der_len;
    m->chain_len = row->chain_len;
    if (copy_octets(&m->der, row->der, row->der_len) != 0 || copy_octets(&m->chain, row->chain, row->chain_len) != 0) {
        no_memory(e);
        ks_material_release(m);
        return NULL;
    }
    if (material_parse(m, e) != 0 || material_unseal(m, s, ring, row, e) != 0) {
        ks_material_release(m);
        return NULL;
    }
    return m;
}
