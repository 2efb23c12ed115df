/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_action.c: the action that HTTP names, from two field values: never a quote or more than fits, and nothing that
 * stands in neither.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = memchr(data, '\n', size);
    if (cut == NULL || memchr(data, '\0', size) != NULL) {
        return 0;
    }
    char *header = strndup((const char *)data, (size_t)(cut - data));
    char *type = strndup((const char *)cut + 1, size - (size_t)(cut - data) - 1);
    char action[PLAIN_ACTION];
    if (header == NULL || type == NULL) {
        abort();
    }
    memset(action, 'x', sizeof action);
    if (plain_soap_action(header, type, action)) {
        if (memchr(action, '\0', sizeof action) == NULL || strchr(action, '"') != NULL ||
            (strstr(header, action) == NULL && strstr(type, action) == NULL)) {
            abort();
        }
        (void)plain_action_names(action, type, header);
    }
    free(header);
    free(type);
    return 0;
}
