/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h: how far the octets of a message need no closer look. Most of a message is such runs, so they are looked at in
 * the widest pieces that the processor has; which these are is asked of the processor, the answers are the same.
 */
#ifndef WSSEC_RUN_H
#define WSSEC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** How many octets from p on are plain for sure and written as they stand: both questions below in one look, for long
 *  texts. May say fewer, also 0. */
size_t wssec_run_clean(const uint8_t *p, size_t n);
/** How many octets from p on are plain for sure: printable ASCII, tab, LF, CR. May say fewer. */
size_t wssec_run_plain(const uint8_t *p, size_t n);
/** First octet of text that is not written as it stands: '<', '&', '>' or a carriage return. @return end: none */
const uint8_t *wssec_run_text(const uint8_t *p, const uint8_t *end);
/** First octet of an attribute's value that may end it or is not written as it stands: a quote of either kind, '<',
 * '&', or a control character. @return end: none */
const uint8_t *wssec_run_value(const uint8_t *p, const uint8_t *end);

/** Are n octets the same? For names, which are short: no call, and most that differ differ at their end. */
static inline bool wssec_run_same(const void *p, const void *q, size_t n)
{
    const uint8_t *a = p;
    const uint8_t *b = q;
    uint64_t x = 0;
    uint64_t y = 0;
    if (n < sizeof x) {
        while (n > 0 && a[n - 1] == b[n - 1]) {
            n--;
        }
        return n == 0;
    }
    for (; n > sizeof x; n -= sizeof x) {
        memcpy(&x, a + n - sizeof x, sizeof x);
        memcpy(&y, b + n - sizeof y, sizeof y);
        if (x != y) {
            return false;
        }
    }
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x == y;
}

struct wssec_run_way { /** One way to do it, for tests that compare them. */
    const char *name;
    size_t (*clean)(const uint8_t *p, size_t n); /**< NULL: says 0 */
    size_t (*plain)(const uint8_t *p, size_t n);
    const uint8_t *(*text)(const uint8_t *p, const uint8_t *end);
    const uint8_t *(*value)(const uint8_t *p, const uint8_t *end);
};

/** The ways that this processor and build know, the portable one first. @return the n-th, NULL: there is none */
const struct wssec_run_way *wssec_run_way(size_t n);

#endif
