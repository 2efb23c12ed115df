/* SPDX-License-Identifier: Apache-2.0 */
/* hours.c: when a certificate may be succeeded: the hours of a week in which somebody is there, and the days before its
 * end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "keystore/regenerate.h"

static const char *const day_word[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
#define WEEK    7
#define MINUTES 1440

static int read_day(const char **s)
{
    for (int d = 0; d < WEEK; d++) {
        if (strncmp(*s, day_word[d], 3) == 0) {
            *s += 3;
            return d;
        }
    }
    return -1;
}

/** "Mon-Thu", "Sat", "Mon,Wed": a set. */
static int read_days(const char **s, unsigned *set)
{
    for (;;) {
        int from = read_day(s);
        int to = from;
        if (from >= 0 && **s == '-') {
            (*s)++;
            to = read_day(s);
        }
        if (from < 0 || to < 0) {
            return -1;
        }
        for (int d = from; d != to; d = (d + 1) % WEEK) {
            *set |= 1U << d;
        }
        *set |= 1U << to;
        if (**s != ',') {
            return 0;
        }
        (*s)++;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int read_minute(const char **s, int *minute)
{
    const char *p = *s;
    for (int i = 0; i < 5; i++) {
        if (i == 2 ? p[i] != ':' : !is_digit(p[i])) {
            return -1;
        }
    }
    int hours = (p[0] - '0') * 10 + p[1] - '0';
    int minutes = (p[3] - '0') * 10 + p[4] - '0';
    *s += 5;
    *minute = hours * 60 + minutes;
    return minutes < 60 && *minute <= MINUTES ? 0 : -1;
}

int ks_hours_parse(const char *text, struct ks_hours *out)
{
    const char *s = text;
    memset(out, 0, sizeof *out);
    if (is_digit(*s)) {
        out->days = (1U << WEEK) - 1;
    } else if (read_days(&s, &out->days) != 0 || *s++ != ' ') {
        return -1;
    }
    if (read_minute(&s, &out->from) != 0 || *s++ != '-' || read_minute(&s, &out->to) != 0 || out->from >= out->to) {
        return -1;
    }
    out->local = *s == '\0' || strcmp(s, " local") == 0;
    if (out->local || strcmp(s, " UTC") == 0) {
        return 0;
    }
    if (*s++ != ' ' || !cs_zone_name_ok(s)) {
        return -1;
    }
    out->zone = cs_zone_open(s);
    return out->zone != NULL ? 0 : 1;
}

void ks_hours_free(struct ks_hours *h)
{
    cs_zone_free(h->zone);
    h->zone = NULL;
}

static bool clock_at(const struct ks_hours *h, cs_time t, struct tm *tm)
{
    time_t seconds = (time_t)(h->zone != NULL ? t + cs_zone_offset(h->zone, t) : t);
    return (h->local ? localtime_r(&seconds, tm) : gmtime_r(&seconds, tm)) != NULL;
}

cs_time ks_hours_next(const struct ks_hours *h, cs_time t)
{
    for (cs_time at = t; at < t + (2 * WEEK + 1) * CS_DAY;) { /* an hour of one week may be skipped by summer time */
        struct tm tm;
        if (!clock_at(h, at, &tm)) {
            return t;
        }
        int minute = tm.tm_hour * 60 + tm.tm_min;
        if ((h->days & (1U << tm.tm_wday)) != 0 && minute >= h->from && minute < h->to) {
            return at;
        }
        at += 60 - tm.tm_sec % 60; /* a minute at a time: clocks are put forward and back */
    }
    return t;
}

cs_time ks_regenerate_at(const struct ks_auto *a, const uint8_t sha256[32], cs_time not_after)
{
    struct ks_hours hours;
    int64_t before = a->days * CS_DAY;
    int64_t spread = before / 10 - CS_DAY / 100; /* a look may be a minute late */
    uint32_t pick = (uint32_t)sha256[0] << 24 | (uint32_t)sha256[1] << 16 | (uint32_t)sha256[2] << 8 | sha256[3];
    cs_time at = not_after - before + (int64_t)(pick % (uint32_t)spread);
    cs_time latest = not_after - CS_DAY;
    if (a->window[0] == '\0' || at >= latest || ks_hours_parse(a->window, &hours) < 0) {
        return at;
    }
    cs_time open = ks_hours_next(&hours, at);
    ks_hours_free(&hours);
    return open < latest ? open : latest;
}

/* ---- as stored --------------------------------------------------------------------------------------------------- */

void ks_auto_read(const struct ks_auto_row *row, struct ks_auto *out)
{
    memset(out, 0, sizeof *out);
    const char *days = strstr(row->settings, " days=");
    const char *window = strstr(row->settings, " window=");
    out->on = strncmp(row->settings, "on", 2) == 0;
    out->days = days != NULL ? (int)strtol(days + 6, NULL, 10) : KS_AUTO_DAYS;
    out->days = out->days < 1 || out->days > KS_AUTO_DAYS ? KS_AUTO_DAYS : out->days;
    out->fingerprint = strcmp(row->pinning, "dn") != 0;
    if (window != NULL) {
        cs_copy(out->window, sizeof out->window, window + 8);
    }
}

void ks_auto_write(const struct ks_auto *a, struct ks_auto_row *row)
{
    snprintf(row->settings, sizeof row->settings, "%s days=%d%s%s", a->on ? "on" : "off", a->days,
             a->window[0] != '\0' ? " window=" : "", a->window);
    snprintf(row->pinning, sizeof row->pinning, "%s", a->fingerprint ? "fingerprint" : "dn");
}
