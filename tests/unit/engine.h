/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h: COUNTERSIGN_ENGINE (auto, dom, stream) for programs that call wssec_init themselves, as cli/ reads it. */
#ifndef TESTS_ENGINE_H
#define TESTS_ENGINE_H

#include <stdlib.h>
#include <string.h>

#include "wssec/wssec.h"

static __attribute__((unused)) enum wssec_engine engine_of_environment(void)
{
    const char *word = getenv("COUNTERSIGN_ENGINE");
    if (word == NULL || strcmp(word, "auto") == 0) {
        return WSSEC_ENGINE_AUTO;
    }
    return strcmp(word, "stream") == 0 ? WSSEC_ENGINE_STREAM : WSSEC_ENGINE_DOM;
}

#endif
