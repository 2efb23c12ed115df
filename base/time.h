/* SPDX-License-Identifier: Apache-2.0 */
/* time.h: instants, durations and sizes as text. Pure: nothing here reads a clock (clock.h does). */
#ifndef CS_BASE_TIME_H
#define CS_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t cs_time; /**< an instant: seconds since 1970-01-01T00:00:00Z, UTC, days of 86,400 s */

#define CS_DAY          ((int64_t)86400)
#define CS_TIME_TEXT    24 /**< "2026-08-02T22:40:10Z" and room for years up to 9999 */
#define CS_TIME_TEXT_MS (CS_TIME_TEXT + 4)

/** Text of t as RFC 3339 UTC with seconds, into buf. Years outside 0..9999 are clamped. @return buf */
const char *cs_time_format(cs_time t, char buf[CS_TIME_TEXT]);
/** The same with three digits of milliseconds, of an instant in milliseconds since 1970. @return buf */
const char *cs_time_format_ms(int64_t ms, char buf[CS_TIME_TEXT_MS]);
/** Read RFC 3339 (date, 'T' or 't', time, optional fraction, 'Z' or offset), fraction dropped. @return 0, or -1: not
 * such a text */
int cs_time_parse(const char *text, cs_time *t);
/** Read a civil date-time of known validity; pure calendar arithmetic. month 1..12, day 1..31. */
cs_time cs_time_civil(int year, int month, int day, int hour, int minute, int second);
/** Read "300s" "5m" "12h" "90d" "500ms"; ms: result in milliseconds. @return 0, or -1: not a duration or overflow */
int cs_duration_parse(const char *text, int64_t *ms);
/** Read "64k" "10M" "1G" "123": octets, powers of 1024. @return 0, or -1 */
int cs_size_parse(const char *text, uint64_t *octets);

#endif
