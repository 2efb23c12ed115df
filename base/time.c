/* SPDX-License-Identifier: Apache-2.0 */
/* time.c: calendar arithmetic (proleptic Gregorian, days of 86,400 s), RFC 3339, durations and sizes. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* Days before 1970-01-01 for a civil date; years are counted from March, so that the leap day is the last of a year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

cs_time cs_time_civil(int year, int month, int day, int hour, int minute, int second)
{
    return days_from_civil(year, month, day) * CS_DAY + hour * 3600 + minute * 60 + second;
}

/* By hand: every record of an archive has several. */
static void put_digits(char *p, int n, int value)
{
    for (; n > 0; value /= 10) {
        p[--n] = (char)('0' + value % 10);
    }
}

const char *cs_time_format(cs_time t, char buf[CS_TIME_TEXT])
{
    const cs_time first = INT64_C(-62167219200); /* 0000-01-01T00:00:00Z */
    const cs_time last = INT64_C(253402300799);  /* 9999-12-31T23:59:59Z */
    t = t < first ? first : t > last ? last : t;
    int64_t days = t / CS_DAY;
    int64_t rest = t % CS_DAY;
    if (rest < 0) {
        rest += CS_DAY;
        days--;
    }
    int year = 0;
    int month = 0;
    int day = 0;
    civil_from_days(days, &year, &month, &day);
    memcpy(buf, "0000-00-00T00:00:00Z", sizeof "0000-00-00T00:00:00Z");
    put_digits(buf, 4, year);
    put_digits(buf + 5, 2, month);
    put_digits(buf + 8, 2, day);
    put_digits(buf + 11, 2, (int)(rest / 3600));
    put_digits(buf + 14, 2, (int)(rest / 60 % 60));
    put_digits(buf + 17, 2, (int)(rest % 60));
    return buf;
}

const char *cs_time_format_ms(int64_t ms, char buf[CS_TIME_TEXT_MS])
{
    char whole[CS_TIME_TEXT];
    int64_t part = ms % 1000;
    cs_time_format(ms / 1000 - (part < 0), whole);
    part += part < 0 ? 1000 : 0;
    snprintf(buf, CS_TIME_TEXT_MS, "%.19s.%03dZ", whole, (int)part);
    return buf;
}

/* Exactly n digits at *p; moves *p behind them. @return the number, or -1 */
static int digits(const char **p, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    *p += n;
    return value;
}

static bool skip(const char **p, const char *any)
{
    if (**p == '\0' || strchr(any, **p) == NULL) {
        return false;
    }
    (*p)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : length[month - 1];
}

/* 'Z' or an offset. @return 0 and seconds to subtract, or -1 */
static int parse_zone(const char **p, int *offset)
{
    *offset = 0;
    if (skip(p, "Zz")) {
        return 0;
    }
    int sign = **p == '-' ? -1 : 1;
    if (!skip(p, "+-")) {
        return -1;
    }
    int hour = digits(p, 2);
    if (hour < 0 || hour > 23 || !skip(p, ":")) {
        return -1;
    }
    int minute = digits(p, 2);
    if (minute < 0 || minute > 59) {
        return -1;
    }
    *offset = sign * (hour * 3600 + minute * 60);
    return 0;
}

int cs_time_parse(const char *text, cs_time *t)
{
    const char *p = text;
    int year = digits(&p, 4);
    if (year < 0 || !skip(&p, "-")) {
        return -1;
    }
    int month = digits(&p, 2);
    if (month < 1 || month > 12 || !skip(&p, "-")) {
        return -1;
    }
    int day = digits(&p, 2);
    if (day < 1 || day > days_in_month(year, month) || !skip(&p, "Tt")) {
        return -1;
    }
    int hour = digits(&p, 2);
    if (hour < 0 || hour > 23 || !skip(&p, ":")) {
        return -1;
    }
    int minute = digits(&p, 2);
    if (minute < 0 || minute > 59 || !skip(&p, ":")) {
        return -1;
    }
    int second = digits(&p, 2);
    if (second < 0 || second > 60) { /* 60: a leap second, which is the next second here */
        return -1;
    }
    if (skip(&p, ".")) {
        if (digits(&p, 1) < 0) {
            return -1;
        }
        p += strspn(p, "0123456789");
    }
    int offset = 0;
    if (parse_zone(&p, &offset) != 0 || *p != '\0') {
        return -1;
    }
    *t = cs_time_civil(year, month, day, hour, minute, second) - offset;
    return 0;
}

/* A decimal number at *p. @return 0, or -1: no digit or above max */
static int parse_number(const char **p, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        uint64_t digit = (uint64_t)(**p - '0');
        if (value > (max - digit) / 10) {
            return -1;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return *p == start ? -1 : 0;
}

int cs_duration_parse(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t value = 0;
    if (parse_number(&text, INT64_MAX, &value) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].unit) == 0) {
            if (value > (uint64_t)(INT64_MAX / units[i].ms)) {
                return -1;
            }
            *ms = (int64_t)value * units[i].ms;
            return 0;
        }
    }
    return -1;
}

int cs_size_parse(const char *text, uint64_t *octets)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"", 0}, {"k", 10}, {"K", 10}, {"M", 20}, {"G", 30}};
    uint64_t value = 0;
    if (parse_number(&text, UINT64_MAX, &value) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].unit) == 0) {
            if (value > UINT64_MAX >> units[i].shift) {
                return -1;
            }
            *octets = value << units[i].shift;
            return 0;
        }
    }
    return -1;
}
