/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_certificate.c: files that somebody hands to `keystore add`: certificates and keys, PEM and DER. What is read has
 * all its facts in bounds; what is refused says why and owns nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keystore/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_certificate c;
    cs_error e = {0};
    if (ks_certificate_read((const char *)data, size, &c, &e) == 0) {
        char text[320];
        char warning[320];
        must(c.der != NULL && c.der_len > 0 && c.key != NULL && c.not_before <= c.not_after);
        must(c.ski_len <= sizeof c.ski && (c.chain != NULL) == (c.chain_len > 0));
        must(memchr(c.subject, '\0', sizeof c.subject) != NULL && memchr(c.issuer, '\0', sizeof c.issuer) != NULL);
        must(c.serial[0] != '\0' && memchr(c.serial, '\0', sizeof c.serial) != NULL);
        for (int role = 0; role < KS_ROLES; role++) {
            bool fits = ks_key_fits((enum ks_role)role, &c, NULL, text, sizeof text, warning, sizeof warning);
            must(fits == (text[0] == '\0'));
        }
        ks_certificate_free(&c);
    } else {
        must(e.exit_code != 0 && e.text[0] != '\0' && c.der == NULL && c.key == NULL);
    }
    EVP_PKEY *key = NULL;
    cs_error_clear(&e);
    must((ks_key_read((const char *)data, size, &key, &e) == 0) == (key != NULL));
    EVP_PKEY_free(key);
    return 0;
}
