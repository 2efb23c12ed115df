/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_import.c: files that somebody hands to `keystore import`: PEM in any order, PKCS#7, PKCS#8, PKCS#12. What is
 * taken apart comes out as PEM that `keystore add` reads; what is refused says why and owns nothing. The first octet
 * chooses whether a passphrase is given.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keystore/entry.h"
#include "keystore/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ks_imported in;
    cs_error e = {0};
    if (size == 0) {
        return 0;
    }
    const char *passphrase = data[0] % 2 == 0 ? NULL : "fuzz";
    const char *octets = (const char *)data + 1;
    if (ks_import_read(octets, size - 1, passphrase, &in, &e) == 0) {
        struct ks_certificate c;
        EVP_PKEY *key = NULL;
        must(in.certificate != NULL && in.certificate[in.certificate_len] == '\0');
        if (ks_certificate_read(in.certificate, in.certificate_len, &c, &e) == 0) {
            ks_certificate_free(&c);
        }
        if (in.key != NULL) {
            must(ks_key_read(in.key, in.key_len, &key, &e) == 0 && key != NULL);
            EVP_PKEY_free(key);
        }
        ks_imported_free(&in);
    } else {
        must(e.exit_code != 0 && e.text[0] != '\0' && in.certificate == NULL && in.key == NULL);
    }
    EVP_PKEY *key = NULL;
    cs_error_clear(&e);
    must((ks_import_key(octets, size - 1, passphrase, &key, &e) == 0) == (key != NULL));
    EVP_PKEY_free(key);
    return 0;
}
