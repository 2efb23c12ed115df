/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run.c: every way to find the end of a run of octets gives what looking at one octet after the other gives, with
 * any octet at any place.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/harness.h"
#include "wssec/run.h"

const char *const harness_suite = "run";

#define LONGEST 200
#define PIECE   64 /* less than this of a run is left out at its end */

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static bool is_plain(uint8_t c)
{
    return (c >= 0x20 && c < 0x80) || c == '\t' || c == '\n' || c == '\r';
}

static bool is_special(uint8_t c)
{
    return c == '<' || c == '>' || c == '&' || c == '\r';
}

static bool ends_value(uint8_t c)
{
    return c == '"' || c == '\'' || c == '<' || c == '&' || c < 0x20;
}

static size_t plain_octets(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && is_plain(p[i])) {
        i++;
    }
    return i;
}

static size_t text_octets(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && !is_special(p[i])) {
        i++;
    }
    return i;
}

static size_t value_octets(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && !ends_value(p[i])) {
        i++;
    }
    return i;
}

/* n octets, in memory of just that size: a sanitizer sees a look beyond it. @return they are judged right */
static bool judged_right(const struct wssec_run_way *way, const uint8_t *from, size_t n)
{
    uint8_t *p = malloc(n + 1);
    memcpy(p + 1, from, n); /* and not where memory is aligned */
    size_t plain = plain_octets(p + 1, n);
    size_t text = text_octets(p + 1, n);
    size_t both = plain < text ? plain : text;
    size_t said = way->plain(p + 1, n);
    bool good = said <= plain && (plain - said < PIECE || way->clean == NULL) &&
                way->text(p + 1, p + 1 + n) == p + 1 + text &&
                way->value(p + 1, p + 1 + n) == p + 1 + value_octets(p + 1, n);
    if (way->clean != NULL) {
        said = way->clean(p + 1, n);
        good = good && said <= both && both - said < PIECE;
    }
    free(p);
    return good;
}

static void any_octet_anywhere(void)
{
    static const uint8_t around[] = {'a', ' ', '\n', 0x7f, '%', '=', ';', '?'}; /* neighbours of what is looked for */
    const struct wssec_run_way *way = NULL;
    unsigned wrong = 0;
    for (size_t w = 0; (way = wssec_run_way(w)) != NULL; w++) {
        uint8_t text[LONGEST];
        for (size_t i = 0; i < LONGEST; i++) {
            text[i] = around[(i * 7 + i / 8) % sizeof around];
        }
        for (size_t n = 0; n <= LONGEST; n++) {
            wrong += judged_right(way, text, n) ? 0 : 1;
        }
        for (unsigned octet = 0; octet < 256; octet++) {
            for (size_t at = 0; at < LONGEST; at++) {
                uint8_t before = text[at];
                text[at] = (uint8_t)octet;
                wrong += judged_right(way, text, LONGEST) ? 0 : 1;
                text[at] = before;
            }
        }
        printf("# %s\n", way->name);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void octets_side_by_side(void)
{
    const struct wssec_run_way *way = NULL;
    unsigned wrong = 0;
    uint32_t random = 7;
    for (size_t w = 0; (way = wssec_run_way(w)) != NULL; w++) {
        for (unsigned round = 0; round < 20000; round++) {
            uint8_t text[LONGEST];
            random = random * 1664525 + 1013904223;
            size_t n = random >> 8 & 127;
            for (size_t i = 0; i < LONGEST; i++) {
                random = random * 1664525 + 1013904223;
                uint8_t octet = (uint8_t)(random >> 24);
                text[i] = (random >> 12 & 63) == 0 ? octet : 'A' + octet % 26;
            }
            wrong += judged_right(way, text, n) ? 0 : 1;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void any_octet_in_a_value(void)
{
    static const uint8_t around[] = {'!', ' ', '#', '%', '(', ';', '=', '>', 0x7f, 0x80, 0xa2, 0xff};
    const struct wssec_run_way *way = NULL;
    unsigned wrong = 0;
    for (size_t w = 0; (way = wssec_run_way(w)) != NULL; w++) {
        uint8_t text[LONGEST];
        for (size_t i = 0; i < LONGEST; i++) {
            text[i] = around[(i * 7 + i / 8) % sizeof around];
        }
        for (unsigned octet = 0; octet < 256; octet++) {
            for (size_t at = 0; at < LONGEST; at++) {
                uint8_t before = text[at];
                text[at] = (uint8_t)octet;
                const uint8_t *found = way->value(text, text + LONGEST);
                wrong += found == text + (ends_value((uint8_t)octet) ? at : LONGEST) ? 0 : 1;
                text[at] = before;
            }
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void names_that_differ_anywhere(void)
{
    static const uint8_t name[] = "http://docs.example.org/2004/01/name#and-more";
    unsigned wrong = 0;
    for (size_t n = 0; n < sizeof name; n++) {
        uint8_t *other = malloc(n + 1); /* of just that size, as above */
        memcpy(other + 1, name, n);
        wrong += wssec_run_same(name, other + 1, n) ? 0 : 1;
        for (size_t at = 0; at < n; at++) {
            other[1 + at] ^= 0x20;
            wrong += wssec_run_same(name, other + 1, n) ? 1 : 0;
            other[1 + at] ^= 0x20;
        }
        free(other);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void the_best_way_is_one_of_them(void)
{
    static const uint8_t text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef<";
    size_t n = sizeof text - 1;
    CU_ASSERT(wssec_run_way(0) != NULL);
    CU_ASSERT_EQUAL(wssec_run_text(text, text + n) - text, (ptrdiff_t)n - 1);
    CU_ASSERT_EQUAL(wssec_run_value(text, text + n) - text, (ptrdiff_t)n - 1);
    CU_ASSERT(wssec_run_plain(text, n) >= n - 16);
    CU_ASSERT(wssec_run_clean(text, n) < n);
    CU_ASSERT_EQUAL(wssec_run_clean(text, 0), 0);
    CU_ASSERT_EQUAL(wssec_run_plain(text, 0), 0);
}

const struct harness_test harness_tests[] = {{"any octet anywhere", any_octet_anywhere},
                                             {"octets side by side", octets_side_by_side},
                                             {"any octet in a value", any_octet_in_a_value},
                                             {"names that differ anywhere", names_that_differ_anywhere},
                                             {"the best way is one of them", the_best_way_is_one_of_them},
                                             {NULL, NULL}};
