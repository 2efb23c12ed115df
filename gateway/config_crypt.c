/* SPDX-License-Identifier: Apache-2.0 */
/* config_crypt.c: do the references of decrypt and encrypt hold? */
#include "gateway/config_check.h"

#include <stdlib.h>

void gw_crypt_clear(struct gw_crypt *c)
{
    free(c->decrypt_at.file);
    free(c->encrypt_at.file);
    gw_words_clear(&c->decrypt_alias);
    gw_words_clear(&c->part);
    free(c->encrypt_to);
    free(c->cipher);
    free(c->transport);
}

static void check_decrypt(struct check *ck, const struct gw_actions *a)
{
    const struct gw_crypt *c = &a->crypt;
    for (size_t i = 0; c->decrypt && i < c->decrypt_alias.n; i++) {
        (void)check_alias(ck, &c->decrypt_at, c->decrypt_alias.word[i], KS_DECRYPT);
    }
}

static void check_encrypt(struct check *ck, const struct gw_route *r, const struct gw_actions *a)
{
    const struct gw_crypt *c = &a->crypt;
    if (c->encrypt_to == NULL) {
        return;
    }
    if (ck->snapshot != NULL && ks_encrypter(ck->snapshot, c->encrypt_to) == NULL) {
        WARN(ck, c->encrypt_at, "partner %s has no active entry of role encrypt-to: messages of route %s are refused",
             c->encrypt_to, r->name);
    }
    if (a->on_failure == GW_MONITOR) {
        BAD(ck, c->encrypt_at, "encrypt never stands beside on-failure monitor: it would seal what nobody verified");
    }
    if (a->partner != NULL && !a->remove_header) {
        BAD(ck, c->encrypt_at, "encrypt behind verify needs remove-security-header yes");
    }
}

void check_crypt(struct check *ck, const struct gw_route *r, const struct gw_actions *a)
{
    check_decrypt(ck, a);
    check_encrypt(ck, r, a);
}
