/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_backup.c: files that somebody hands to `keystore restore`. Every value that reaches the store lies within the
 * text and is of a kind that the store knows; what is refused says why.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static uint64_t sum; /* every octet of every value is looked at */

static int load(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                size_t n, cs_error *e)
{
    (void)b;
    (void)e;
    must(table != NULL && n > 0 && n <= KS_DUMP_FIELDS);
    for (size_t i = 0; i < n; i++) {
        sum += strlen(column[i]);
        must(value[i].kind <= KS_VALUE_OCTETS && (value[i].p != NULL || value[i].n == 0));
        for (size_t k = 0; k < value[i].n; k++) {
            sum += value[i].p[k];
        }
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_driver driver = {.load = load};
    static const struct ks_kek kek = {.id = "0000000000000000"};
    struct ks_dump_head head;
    cs_error e = {0};
    size_t sealed = 0;
    uint8_t seal[32];
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    if (ks_dump_head_read(copy, size, &head, &e) == 0) {
        must(head.store_id[0] != '\0' && head.kek_id[0] != '\0' && head.schema > 0);
    } else {
        must(e.exit_code != 0);
    }
    cs_error_clear(&e);
    if (ks_dump_read(copy, size, NULL, &driver, &head, &sealed, seal, &e) == 0) {
        must(sealed < size);
        must(!ks_dump_sealed_by((const char *)data, sealed, seal, &kek) || sealed > 0);
    } else {
        must(e.exit_code != 0 && e.text[0] != '\0');
    }
    free(copy);
    return 0;
}
