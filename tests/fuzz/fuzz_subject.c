/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_subject.c: names and hosts for certificates that are made here. What is taken has one value per RDN, none with a
 * control character, and is the same name for the reader that everybody else uses.
 */
#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dn.h"
#include "keystore/issuer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static void check_name(const char *text, const X509_NAME *name)
{
    int n = X509_NAME_entry_count(name);
    must(n > 0);
    for (int i = 0; i < n; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        must(X509_NAME_ENTRY_set(entry) == i && ASN1_STRING_length(value) > 0);
        const char *octets = (const char *)ASN1_STRING_get0_data(value);
        for (int k = 0; ASN1_STRING_type(value) != V_ASN1_BMPSTRING && k < ASN1_STRING_length(value); k++) {
            must((unsigned char)octets[k] >= 0x20);
        }
    }
    cs_dn *said = cs_dn_parse(text);
    cs_dn *built = cs_dn_from_name(name);
    must(said != NULL && built != NULL && cs_dn_equal(said, built, false));
    cs_dn_free(said);
    cs_dn_free(built);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cs_error e = {0};
    X509_NAME *name = NULL;
    GENERAL_NAMES *hosts = NULL;
    char *text = size <= 1024 ? calloc(1, size + 1) : NULL;
    if (text == NULL) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    if (ks_subject_parse(text, &name, &e) == 0) {
        check_name(text, name);
    } else {
        must(name == NULL && e.exit_code != 0);
    }
    if (ks_host_add(&hosts, text, &e) == 0) {
        must(strcspn(text, "*_ ,/@\"\\") == strlen(text) && sk_GENERAL_NAME_num(hosts) == 1);
    }
    must(ERR_peek_error() == 0);
    GENERAL_NAMES_free(hosts);
    X509_NAME_free(name);
    free(text);
    return 0;
}
