/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dn.c: distinguished names as text and as DER of a certificate; the text that we write of one is read again.
 * Equality is reflexive and symmetric, and never wider in one order than in both.
 */
#include <openssl/err.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static void from_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    cs_dn *dn = cs_dn_parse(text);
    if (dn != NULL) {
        must(cs_dn_equal(dn, dn, false) && cs_dn_equal(dn, dn, true));
    }
    cs_dn_free(dn);
    free(text);
}

static void from_der(const uint8_t *data, size_t size)
{
    const unsigned char *p = data;
    char text[4096];
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)size);
    ERR_clear_error();
    if (name == NULL) {
        return;
    }
    cs_dn *dn = cs_dn_from_name(name);
    if (dn != NULL && cs_dn_text(name, text, sizeof text) != 0) {
        cs_dn *again = cs_dn_parse(text);
        if (again != NULL) {
            must(cs_dn_equal(again, dn, false) == cs_dn_equal(dn, again, false));
            must(cs_dn_equal(again, dn, true) == cs_dn_equal(dn, again, true));
            must(!cs_dn_equal(again, dn, false) || cs_dn_equal(again, dn, true));
        }
        must(cs_dn_equal(dn, dn, false));
        cs_dn_free(again);
    }
    cs_dn_free(dn);
    X509_NAME_free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192) {
        return 0;
    }
    if (data[0] == 0x30) { /* DER of a SEQUENCE */
        from_der(data, size);
    } else {
        from_text(data, size);
    }
    return 0;
}
