/* SPDX-License-Identifier: Apache-2.0 */
/* regenerate.h: the part of ks_tick that makes successors of certificates before they end. */
#ifndef KS_REGENERATE_H
#define KS_REGENERATE_H

#include "base/zone.h"
#include "keystore/store.h"

#define KS_AUTO_DAYS 14 /* before its end a certificate is succeeded at the earliest */

/** How a slot renews itself, as stored. */
struct ks_auto {
    bool on;
    int days;         /**< begin so long before the end; 1 to KS_AUTO_DAYS */
    bool fingerprint; /**< partners know the certificate itself: nothing is activated without a hand */
    char window[64];  /**< "" at any time */
};

/** When a window is open: "Mon-Thu 09:00-12:00", behind it UTC, a zone as Europe/Berlin, or local (which is meant when
 *  nothing stands there). */
struct ks_hours {
    unsigned days; /**< set of 1 << day, Sunday 0 */
    int from, to;  /**< minutes of the day, from < to */
    bool local;
    cs_zone *zone; /**< owned; NULL: local, or UTC */
};
/** @return 0 (to be freed), 1 a zone that this machine does not know: as UTC; -1 no window */
int ks_hours_parse(const char *text, struct ks_hours *out);
void ks_hours_free(struct ks_hours *h);
/** The first instant from t on at which the window is open. */
cs_time ks_hours_next(const struct ks_hours *h, cs_time t);
/** When the successor of a certificate is to be made: within the first tenth of the days before its end, by its
 * fingerprint, or then in the window; but not later than a day before the end. */
cs_time ks_regenerate_at(const struct ks_auto *a, const uint8_t sha256[32], cs_time not_after);

void ks_auto_read(const struct ks_auto_row *row, struct ks_auto *out);
void ks_auto_write(const struct ks_auto *a, struct ks_auto_row *row);

/** Append a row. *row is good until the next one. */
int ks_report_add(ks_report *out, const char *alias, unsigned n, const char *word, const char *text, ks_due **row,
                  cs_error *e) CS_MUST_CHECK;
/** Make and activate what is due; rows are appended to out. @return 0, or -1: the store cannot be worked with */
int ks_regenerate_due(ks_store *s, bool dry_run, cs_time now, ks_report *out, cs_error *e) CS_MUST_CHECK;

#endif
