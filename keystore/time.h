/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time.h: may what is due be done by the clock alone? Verification goes on in any case; only what nobody asked for just
 * now (T2 at its instant, T5, the end of the trash) waits while the clock is in doubt. Pure.
 */
#ifndef KS_TIME_H
#define KS_TIME_H

#include "keystore/keystore.h"

#define KS_META_CLOCK "clock_high_water" /* meta: latest instant at which the store was changed, RFC 3339 */
#define KS_META_BOOT  "clock_witness"    /* meta: an instant that was believed, and how long the machine ran then */

enum ks_clock {
    KS_CLOCK_GOOD,
    KS_CLOCK_BACK,   /**< it went back */
    KS_CLOCK_JUMP,   /**< further ahead than a stop explains */
    KS_CLOCK_AHEAD,  /**< it ran away while the machine was running */
    KS_CLOCK_BEHIND, /**< it fell behind while the machine was running */
    KS_CLOCK_SKEW    /**< another live node lives at another time */
};

struct ks_clock_facts {
    cs_time high_water;   /**< 0: the store was never changed */
    cs_time newest_node;  /**< latest clock that another live node told; 0: none */
    bool running;         /**< the two below are known: the machine has run since */
    cs_time last_now;     /**< when the clock was believed last */
    int64_t since_last_s; /**< that passed since then by a clock that nobody can set */
};

/** @return the first doubt; text (size at least 1) tells it, "" none */
enum ks_clock ks_clock_judge(const struct ks_clock_facts *f, cs_time now, char *text, size_t size);

/** The facts that the store knows, within a transaction. up: how long the machine runs; NULL: not known. */
int ks_clock_read(ks_store *s, const ks_uptime *up, struct ks_clock_facts *out, cs_error *e) CS_MUST_CHECK;
/** The clock is believed at now, when the machine has run for up (NULL: nothing is kept). Within a write transaction.
 */
int ks_clock_witness(ks_store *s, const ks_uptime *up, cs_time now, cs_error *e) CS_MUST_CHECK;
/** A change is made at now: raise the mark, unless that very clock is in doubt. Within a write transaction. */
int ks_clock_raise(ks_store *s, cs_time now, cs_error *e) CS_MUST_CHECK;

#endif
