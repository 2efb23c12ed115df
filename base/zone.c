/* SPDX-License-Identifier: Apache-2.0 */
/* zone.c: see zone.h. The file has the changes of the past and near future; its last line a rule for all others. */
#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIRECTORY "/usr/share/zoneinfo/"
#define FILE_MAX  131072
#define HEAD      44
#define TYPES_MAX 256
#define FARTHEST  93600 /* seconds that any clock is from UTC at most, with room: 26 hours */
#define LATEST    (INT64_C(1) << 40)

/** One of the two days of a year on which clocks change. */
struct change {
    enum { DAY_OF_WEEK, DAY_WITHOUT_LEAP, DAY_OF_YEAR } kind;
    int month, week, day;
    int32_t time; /**< seconds of that day, by the clock before the change */
};

struct cs_zone {
    size_t n;
    int64_t *at;   /**< owned: when each change happens */
    uint8_t *type; /**< owned: what holds from then on */
    int32_t offset[TYPES_MAX];
    bool ruled, summer;
    int32_t standard_offset, summer_offset;
    struct change begin, end;
};

bool cs_zone_name_ok(const char *name)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";
    size_t n = strlen(name);
    return n > 0 && n < 64 && strspn(name, good) == n && name[0] != '/' && name[n - 1] != '/' &&
           strstr(name, "//") == NULL;
}

/* ---- the rule ---------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int read_number(const char **s, int least, int most, int *out)
{
    int n = 0;
    const char *p = *s;
    while (is_digit(*p) && p - *s < 4) {
        n = n * 10 + *p++ - '0';
    }
    bool good = p != *s && n >= least && n <= most;
    *s = p;
    *out = n;
    return good ? 0 : -1;
}

/** [+-]hh[:mm[:ss]] */
static int read_clock(const char **s, int hours_most, int32_t *out)
{
    int part[3] = {0, 0, 0};
    bool minus = **s == '-';
    *s += **s == '-' || **s == '+';
    for (int i = 0; i < 3; i++) {
        if (i > 0 && **s != ':') {
            break;
        }
        *s += i > 0;
        if (read_number(s, 0, i == 0 ? hours_most : 59, &part[i]) != 0) {
            return -1;
        }
    }
    int32_t seconds = part[0] * 3600 + part[1] * 60 + part[2];
    *out = minus ? -seconds : seconds;
    return 0;
}

static int skip_name(const char **s)
{
    const char *p = *s;
    if (*p == '<') {
        p += strcspn(p, ">");
        if (*p != '>') {
            return -1;
        }
        *s = p + 1;
        return 0;
    }
    while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) {
        p++;
    }
    bool good = p - *s >= 3;
    *s = p;
    return good ? 0 : -1;
}

/** Mm.w.d, Jn or n, each with /time. */
static int read_change(const char **s, struct change *c)
{
    int rc = 0;
    if (*(*s)++ != ',') {
        return -1;
    }
    if (**s == 'M') {
        ++*s;
        c->kind = DAY_OF_WEEK;
        rc = read_number(s, 1, 12, &c->month) != 0 || *(*s)++ != '.' || read_number(s, 1, 5, &c->week) != 0 ||
                     *(*s)++ != '.' || read_number(s, 0, 6, &c->day) != 0
                 ? -1
                 : 0;
    } else if (**s == 'J') {
        ++*s;
        c->kind = DAY_WITHOUT_LEAP;
        rc = read_number(s, 1, 365, &c->day);
    } else {
        c->kind = DAY_OF_YEAR;
        rc = read_number(s, 0, 365, &c->day);
    }
    c->time = 2 * 3600;
    if (rc == 0 && **s == '/') {
        ++*s;
        rc = read_clock(s, 167, &c->time);
    }
    return rc;
}

/** As in the variable TZ of POSIX, where west is positive. */
static int read_rule(const char *s, struct cs_zone *z)
{
    if (*s == '\0') {
        return 0;
    }
    if (skip_name(&s) != 0 || read_clock(&s, 24, &z->standard_offset) != 0) {
        return -1;
    }
    z->standard_offset = -z->standard_offset;
    z->ruled = true;
    if (*s == '\0') {
        return 0;
    }
    z->summer = true;
    z->summer_offset = z->standard_offset + 3600;
    if (skip_name(&s) != 0) {
        return -1;
    }
    if (*s != ',' && *s != '\0') {
        if (read_clock(&s, 24, &z->summer_offset) != 0) {
            return -1;
        }
        z->summer_offset = -z->summer_offset;
    }
    return read_change(&s, &z->begin) == 0 && read_change(&s, &z->end) == 0 && *s == '\0' ? 0 : -1;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/** The change in a year, as if its clock were UTC. */
static int64_t change_in(const struct change *c, int year)
{
    static const int days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->kind != DAY_OF_WEEK) {
        int day = c->kind == DAY_OF_YEAR ? c->day : c->day - 1 + (is_leap(year) && c->day >= 60);
        return cs_time_civil(year, 1, 1, 0, 0, 0) + (int64_t)day * CS_DAY + c->time;
    }
    int64_t first = cs_time_civil(year, c->month, 1, 0, 0, 0);
    int weekday = (int)((first / CS_DAY % 7 + 11) % 7); /* the epoch was a Thursday */
    int day = (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
    int days = days_of[c->month - 1] + (c->month == 2 && is_leap(year));
    return first + (int64_t)(day >= days ? day - 7 : day) * CS_DAY + c->time;
}

static int32_t ruled_offset(const struct cs_zone *z, int64_t t)
{
    struct tm tm;
    time_t local = (time_t)(t + z->standard_offset);
    if (!z->summer || gmtime_r(&local, &tm) == NULL) {
        return z->standard_offset;
    }
    int year = tm.tm_year + 1900;
    int64_t begin = change_in(&z->begin, year) - z->standard_offset;
    int64_t end = change_in(&z->end, year) - z->summer_offset;
    bool summer = begin < end ? t >= begin && t < end : t >= begin || t < end;
    return summer ? z->summer_offset : z->standard_offset;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

struct head {
    size_t utc, standard, leap, change, type, name;
};

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t i64(const uint8_t *p)
{
    return (int64_t)((uint64_t)u32(p) << 32 | u32(p + 4));
}

/** @return octets of the block behind it, whose times have so many octets; 0: no head */
static size_t read_head(const uint8_t *p, size_t n, size_t octets, struct head *h)
{
    if (n < HEAD || memcmp(p, "TZif", 4) != 0) {
        return 0;
    }
    size_t *const out[] = {&h->utc, &h->standard, &h->leap, &h->change, &h->type, &h->name};
    for (size_t i = 0; i < 6; i++) {
        *out[i] = u32(p + 20 + 4 * i);
        if (*out[i] > FILE_MAX) {
            return 0;
        }
    }
    size_t body = h->change * (octets + 1) + h->type * 6 + h->name + h->leap * (octets + 4) + h->standard + h->utc;
    return body <= n - HEAD ? HEAD + body : 0;
}

static int read_block(const uint8_t *p, const struct head *h, struct cs_zone *z)
{
    const uint8_t *type = p + h->change * 8;
    const uint8_t *row = type + h->change;
    if (h->type == 0 || h->type > TYPES_MAX || h->leap != 0) {
        return -1;
    }
    for (size_t i = 0; i < h->type; i++) {
        z->offset[i] = (int32_t)u32(row + 6 * i);
        if (z->offset[i] < -FARTHEST || z->offset[i] > FARTHEST) {
            return -1;
        }
    }
    z->at = calloc(h->change + 1, sizeof *z->at);
    z->type = calloc(h->change + 1, 1);
    if (z->at == NULL || z->type == NULL) {
        return -1;
    }
    for (size_t i = 0; i < h->change; i++) {
        z->at[i] = i64(p + 8 * i);
        z->type[i] = type[i];
        if (type[i] >= h->type || (i > 0 && z->at[i] <= z->at[i - 1])) {
            return -1;
        }
    }
    z->n = h->change;
    return 0;
}

static int read_footer(const uint8_t *p, size_t n, struct cs_zone *z)
{
    char rule[128];
    const uint8_t *end = n > 1 && p[0] == '\n' ? memchr(p + 1, '\n', n - 1) : NULL;
    size_t length = end != NULL ? (size_t)(end - p) - 1 : sizeof rule;
    if (length >= sizeof rule || memchr(p + 1, '\0', length) != NULL) {
        return -1;
    }
    memcpy(rule, p + 1, length);
    rule[length] = '\0';
    return read_rule(rule, z);
}

cs_zone *cs_zone_read(const uint8_t *data, size_t n)
{
    struct head first;
    struct head second;
    size_t skip = read_head(data, n, 4, &first);
    if (skip == 0 || data[4] < '2') {
        return NULL;
    }
    size_t size = read_head(data + skip, n - skip, 8, &second);
    cs_zone *z = size != 0 ? calloc(1, sizeof *z) : NULL;
    if (z == NULL || read_block(data + skip + HEAD, &second, z) != 0 ||
        read_footer(data + skip + size, n - skip - size, z) != 0) {
        cs_zone_free(z);
        return NULL;
    }
    return z;
}

cs_zone *cs_zone_open(const char *name)
{
    char path[sizeof DIRECTORY + 64];
    if (!cs_zone_name_ok(name)) {
        return NULL;
    }
    snprintf(path, sizeof path, "%s%s", DIRECTORY, name);
    FILE *in = fopen(path, "re");
    uint8_t *data = in != NULL ? malloc(FILE_MAX) : NULL;
    size_t n = data != NULL ? fread(data, 1, FILE_MAX, in) : 0;
    cs_zone *z = n > 0 && n < FILE_MAX && ferror(in) == 0 ? cs_zone_read(data, n) : NULL;
    if (in != NULL) {
        fclose(in);
    }
    free(data);
    return z;
}

void cs_zone_free(cs_zone *z)
{
    if (z != NULL) {
        free(z->at);
        free(z->type);
        free(z);
    }
}

int32_t cs_zone_offset(const cs_zone *z, cs_time t)
{
    size_t low = 0;
    size_t high = z->n;
    if (t > LATEST || t < -LATEST) {
        return z->ruled ? z->standard_offset : z->offset[0];
    }
    while (low < high) { /* the last change that is not after t stands before low */
        size_t middle = low + (high - low) / 2;
        if (z->at[middle] <= t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == z->n && z->ruled) {
        return ruled_offset(z, t);
    }
    return z->offset[low == 0 ? 0 : z->type[low - 1]];
}
