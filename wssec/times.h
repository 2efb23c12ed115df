/* SPDX-License-Identifier: Apache-2.0 */
/* times.h: wsu:Timestamp: its shape, and whether a message comes in time (step 14). */
#ifndef WSSEC_TIMES_H
#define WSSEC_TIMES_H

#include "wssec/key.h"

struct wssec_timestamp {
    xmlNodePtr node;          /**< NULL: none */
    int64_t created, expires; /**< UTC seconds; expires 0: not given */
};

/** xsd:dateTime in UTC ("Z" or "+00:00"), fraction dropped. @return 0; 1: a date-time with another offset or none; -1:
 * not one */
int wssec_datetime_parse(const char *text, size_t n, int64_t *out);
/** Read the Timestamp of our header; *out zeroed when there is none. @return 0, or -1 with why filled */
int wssec_timestamp_read(const struct wssec_security *s, struct wssec_timestamp *out,
                         struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Lifetime and freshness by policy; lateness of an archived message is a note. @return 0, or -1 with j->why filled */
int wssec_timestamp_judge(struct wssec_judge *j, const struct wssec_timestamp *t) WSSEC_MUST_CHECK;
/** Until when a replay of this message could still be accepted, and must be remembered. */
int64_t wssec_replay_until(const struct wssec_judge *j, const struct wssec_timestamp *t);
/** Enter a key into the replay store; what names it in a refusal. @return true: it is new, false: j->why is filled */
bool wssec_replay_claim(struct wssec_judge *j, const struct wssec_replay *c, const uint8_t key[32], int64_t until,
                        const char *what) WSSEC_MUST_CHECK;

#endif
