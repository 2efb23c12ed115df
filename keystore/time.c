/* SPDX-License-Identifier: Apache-2.0 */
/* time.c: whether the clock can be believed; see time.h. */
#include "keystore/time.h"

#include <stdio.h>

#define BACK_S  5            /* a step back up to here is a correction, not a doubt */
#define JUMP_S  (7 * CS_DAY) /* a stop may last so long without anybody asking */
#define DRIFT_S 60           /* wall clock against the one that nobody sets, while running */
#define SKEW_S  300          /* two nodes */

enum ks_clock ks_clock_judge(const struct ks_clock_facts *f, cs_time now, char *text, size_t size)
{
    char mark[CS_TIME_TEXT];
    char mine[CS_TIME_TEXT];
    cs_time_format(now, mine);
    text[0] = '\0';
    if (f->running && now - f->last_now > f->since_last_s + DRIFT_S) {
        snprintf(text, size, "the clock went ahead by %lld s within %lld s", (long long)(now - f->last_now),
                 (long long)f->since_last_s);
        return KS_CLOCK_AHEAD;
    }
    if (f->running && now - f->last_now < f->since_last_s - DRIFT_S) {
        snprintf(text, size, "the clock fell behind by %lld s within %lld s",
                 (long long)(f->since_last_s - (now - f->last_now)), (long long)f->since_last_s);
        return KS_CLOCK_BEHIND;
    }
    if (f->high_water != 0 && now < f->high_water - BACK_S) {
        snprintf(text, size, "the clock shows %s, but the keystore was changed %s", mine,
                 cs_time_format(f->high_water, mark));
        return KS_CLOCK_BACK;
    }
    if (f->high_water != 0 && now - f->high_water > JUMP_S) {
        snprintf(text, size, "the clock shows %s, %lld days after the last change of the keystore (%s)", mine,
                 (long long)((now - f->high_water) / CS_DAY), cs_time_format(f->high_water, mark));
        return KS_CLOCK_JUMP;
    }
    if (f->newest_node != 0 && f->newest_node - now > SKEW_S) {
        snprintf(text, size, "the clock shows %s, another node lives at %s", mine,
                 cs_time_format(f->newest_node, mark));
        return KS_CLOCK_SKEW;
    }
    return KS_CLOCK_GOOD;
}
