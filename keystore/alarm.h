/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alarm.h: what a thread that handles messages found and people must be told of. It waits for the watch thread, which
 * alone writes the store; one at a time, since one is enough to send somebody looking.
 */
#ifndef KS_ALARM_H
#define KS_ALARM_H

#include <pthread.h>
#include <stdbool.h>

#include "keystore/notice_store.h"

struct ks_alarm { /** One that waits. Zeroed: none does. */
    bool waiting;
    enum ks_notice kind;
    char about[KS_ABOUT], text[KS_NOTICE_TEXT];
    cs_time at;
};

/** Take a copy, unless one waits already; both texts are made one line. Under lock of the caller. */
void ks_alarm_take(struct ks_alarm *a, enum ks_notice kind, const char *about, const char *text, cs_time now);
/** Tell the tenant administrators, once a day for the same kind and object. Its own transaction. @return 0, or -1 */
int ks_alarm_write(ks_store *s, const struct ks_alarm *a, cs_error *e) CS_MUST_CHECK;

#endif
