/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alarm.h: what a thread that handles messages found and people must be told of. It waits for the watch thread, which
 * alone writes the store; a few at a time, since what is left out is found again.
 */
#ifndef KS_ALARM_H
#define KS_ALARM_H

#include <pthread.h>
#include <stdbool.h>

#include "keystore/notice_store.h"

#define KS_ALARMS 32

struct ks_alarm {
    enum ks_notice kind;
    char about[KS_ABOUT], text[KS_NOTICE_TEXT];
    int64_t occasion;
    cs_time at;
};

struct ks_alarms { /** Those that wait, the oldest first. Zeroed: none does. */
    struct ks_alarm row[KS_ALARMS];
    size_t n;
};

/** Take a copy, unless one of this kind and object waits already, or too many do; both texts are made one line. Under
 *  lock of the caller. */
void ks_alarm_take(struct ks_alarms *a, enum ks_notice kind, const char *about, int64_t occasion, const char *text,
                   cs_time now);
/** The oldest is written. Under lock of the caller. */
void ks_alarm_drop(struct ks_alarms *a);
/** Tell the tenant administrators, once for the same kind, object and occasion. Its own transaction. @return 0, or -1
 */
int ks_alarm_write(ks_store *s, const struct ks_alarm *a, cs_error *e) CS_MUST_CHECK;

#endif
