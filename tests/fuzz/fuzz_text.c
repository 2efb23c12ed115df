/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_text.c: the small readers that stand before everything else: base64, hexadecimal, instants, durations, sizes.
 * What is read must come back the same when it is written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)4096)

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static void base64(const char *text, size_t n)
{
    uint8_t octets[MOST];
    uint8_t again[MOST];
    char written[4 * ((MOST + 2) / 3) + 1];
    size_t got = 0;
    size_t got_again = 0;
    must(cs_base64_decoded_max(n) <= sizeof octets);
    if (cs_base64_decode(text, n, octets, sizeof octets, &got) != 0) {
        return;
    }
    must(got <= cs_base64_decoded_max(n));
    size_t length = cs_base64_encode(octets, got, written);
    must(length == strlen(written));
    must(cs_base64_decode(written, length, again, sizeof again, &got_again) == 0 && got_again == got &&
         memcmp(octets, again, got) == 0);
    if (got > 0) { /* one octet of room less is refused, not overrun */
        must(cs_base64_decode(text, n, again, got - 1, &got_again) != 0);
    }
}

static void instant(const char *text)
{
    char written[CS_TIME_TEXT];
    cs_time t = 0;
    cs_time again = 0;
    int64_t ms = 0;
    uint64_t octets = 0;
    if (cs_time_parse(text, &t) == 0) {
        must(cs_time_parse(cs_time_format(t, written), &again) == 0);
        must(t == again || t < cs_time_civil(0, 1, 1, 0, 0, 0) || t > cs_time_civil(9999, 12, 31, 23, 59, 59));
    }
    (void)cs_duration_parse(text, &ms);
    (void)cs_size_parse(text, &octets);
    (void)wssec_datetime_parse(text, strlen(text), &t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"Body", "Timestamp", "wsa:To", "canonicalization", NULL};
    uint8_t octets[MOST];
    if (size >= MOST) {
        return 0;
    }
    char *text = malloc(size + 1); /* of its very size, so that a read beyond is seen */
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    base64(text, size);
    instant(text);
    if (cs_unhex(text, octets, size / 2) == 0) {
        char written[MOST + 1];
        (void)cs_hex(octets, size / 2, written);
        must(strlen(written) == size / 2 * 2);
    }
    (void)cs_nearest(text, words);
    free(text);
    return 0;
}
