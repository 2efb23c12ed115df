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

/** How many octets from p on are plain for sure and written as they stand: both questions below in one look, for long
 *  texts. May say fewer, also 0. */
size_t wssec_run_clean(const uint8_t *p, size_t n);
/** How many octets from p on are plain for sure: printable ASCII, tab, LF, CR. May say fewer. */
size_t wssec_run_plain(const uint8_t *p, size_t n);
/** First octet of text that is not written as it stands: '<', '&', '>' or a carriage return. @return end: none */
const uint8_t *wssec_run_text(const uint8_t *p, const uint8_t *end);

struct wssec_run_way { /** One way to do it, for tests that compare them. */
    const char *name;
    size_t (*clean)(const uint8_t *p, size_t n); /**< NULL: says 0 */
    size_t (*plain)(const uint8_t *p, size_t n);
    const uint8_t *(*text)(const uint8_t *p, const uint8_t *end);
};

/** The ways that this processor and build know, the portable one first. @return the n-th, NULL: there is none */
const struct wssec_run_way *wssec_run_way(size_t n);

#endif
