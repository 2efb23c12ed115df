/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_hours.c: windows of a week and compiled time zones, as text and files give them. A window that is one opens
 * within two weeks, and not before it is asked; a zone's clock is never far from UTC.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/regenerate.h"

#define FROM 1780272000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static void look_at_zone(const uint8_t *data, size_t size)
{
    cs_zone *z = cs_zone_read(data, size);
    for (int year = 0; z != NULL && year < 400; year++) {
        int32_t offset = cs_zone_offset(z, (cs_time)year * 365 * CS_DAY + year * 1013);
        must(offset > -2 * CS_DAY && offset < 2 * CS_DAY);
        must(offset == cs_zone_offset(z, (cs_time)year * 365 * CS_DAY + year * 1013));
    }
    cs_zone_free(z);
}

static void look_at_window(const char *text)
{
    struct ks_hours h;
    struct ks_auto a = {.on = true, .days = KS_AUTO_DAYS};
    static const uint8_t sha256[32] = {0x80};
    if (ks_hours_parse(text, &h) < 0) {
        return;
    }
    must(h.from < h.to && h.to <= 1440 && h.days != 0);
    cs_time at = ks_hours_next(&h, FROM);
    must(at >= FROM && at < FROM + 15 * CS_DAY);
    must(ks_hours_next(&h, at) == at); /* it is open then */
    ks_hours_free(&h);
    if (strlen(text) < sizeof a.window) {
        memcpy(a.window, text, strlen(text) + 1);
        at = ks_regenerate_at(&a, sha256, FROM);
        must(at >= FROM - 14 * CS_DAY && at <= FROM - CS_DAY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && memcmp(data, "TZif", 4) == 0) {
        look_at_zone(data, size);
    } else if (size < 256) {
        char text[256];
        memcpy(text, data, size);
        text[size] = '\0';
        look_at_window(text);
    }
    return 0;
}
