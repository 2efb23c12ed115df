/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h: the thread that follows the keystore and rebuilds the runtime: a keystore change makes a new one over the
 * same configuration, a reload reads the configuration anew. On any error the old one stays in force.
 */
#ifndef GW_WATCH_H
#define GW_WATCH_H

#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "gateway/mailbox.h"

struct gateway;
struct loop;
struct runtime;

/** A reload that somebody waits for; its mail is posted to reply_to when it is done. Embedded in its owner. */
struct watch_wish {
    struct mail mail; /**< first; deliver is the owner's */
    struct watch_wish *next;
    struct loop *reply_to;
    struct cs_conf_report report; /**< errors or warnings; cs_conf_report_free by the owner */
    cs_error error;               /**< exit_code 0: in force */
    uint64_t generation;
};

/** @return 0, or -1 with a sentence logged */
int watch_start(struct gateway *gw) CS_MUST_CHECK;
void watch_stop(struct gateway *gw);
/** Any thread: read the configuration anew. */
void watch_reload(struct gateway *gw);
/** The same, with an answer: w belongs to the watch thread until its mail is delivered, which always happens. */
void watch_reload_wish(struct gateway *gw, struct watch_wish *w);
/** Tell the keystore what this node uses; a failure is only logged. Watch thread, or before it starts. */
void watch_report(struct gateway *gw, const struct runtime *rt);

#endif
