/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_checkpoint.c: any text as the checkpoints of a log, beside the store and from elsewhere. No text is signed by a
 * key that nobody has, so none may speak for the log. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t rows[3][32] = {{1}, {2}, {3}};
    static const struct ks_log_seen log = {
        .hash = rows, .n = 3, .store_id = "0123456789abcdef0123456789abcdef", .key = {1, 2, 3}, .has_key = true};
    char why[256];
    cs_error e = {0};
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    if (ks_checkpoint_compare(&log, text, NULL, why, sizeof why, &e) == 0) {
        __builtin_trap();
    }
    (void)ks_checkpoint_compare(&log, text, "beside", why, sizeof why, &e);
    free(text);
    return 0;
}
