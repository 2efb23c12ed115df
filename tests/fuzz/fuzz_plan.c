/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_plan.c: any text as the plan of a change that waits for a second person. What is taken is canonical: written
 * again it is the same text, so its hash is that of what was agreed to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ks_plan plan;
    static char again[KS_PLAN_TEXT];
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return 0;
    }
    if (size != 0) {
        memcpy(text, data, size);
    }
    uint8_t hash[32];
    if (ks_plan_read(text, &plan) == 0) {
        must(ks_plan_write(&plan, again, sizeof again) == 0 && strcmp(again, text) == 0 &&
             ks_plan_hash(&plan, hash) == 0);
    } else {
        must(ks_plan_hash(&plan, hash) != 0);
    }
    free(text);
    return 0;
}
