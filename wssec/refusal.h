/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.h: why a step of wssec said no. The first cause wins and is never overwritten; what a function returns to its
 * caller is only 0 or -1.
 */
#ifndef WSSEC_REFUSAL_H
#define WSSEC_REFUSAL_H

#include "wssec/wssec.h"

struct wssec_refusal {
    enum wssec_reason reason; /**< WSSEC_OK: nothing refused yet */
    char detail[384];         /**< what was expected and found; never payload text */
};

/** Fill r unless it is filled already; text is cut to fit and control octets become '?'. @return -1 */
int wssec_refuse(struct wssec_refusal *r, enum wssec_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** The name of a part, n octets, cut to fit: {ns}local loses the beginning of ns, since ends tell names apart. */
void wssec_part_show(char *to, size_t size, const char *name, size_t n);

/** Reason, detail and verdict of a call that ended with rc: trouble of our own is WSSEC_ERROR, never WSSEC_FAIL. */
void wssec_refusal_show(const struct wssec_refusal *r, int rc, struct wssec_verdict *v);

/** Add a step to x (NULL: nobody asked). Cheap when x is NULL: arguments only. */
void wssec_explain_add(struct wssec_explain *x, const char *step, bool ok, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
