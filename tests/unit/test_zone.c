/* SPDX-License-Identifier: Apache-2.0 */
/* test_zone.c: time zones as the C library has them, and the hours of a week in them. */
#include <stdlib.h>
#include <time.h>

#include "base/zone.h"
#include "keystore/regenerate.h"
#include "tests/unit/certificates.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "zone";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    unsetenv("TZ");
    tzset();
    return 0;
}

static const char *const zones[] = {"UTC",
                                    "Europe/Berlin",
                                    "Europe/Dublin", /* its winter is the exception */
                                    "America/New_York",
                                    "America/St_Johns",
                                    "Australia/Lord_Howe", /* half an hour */
                                    "Asia/Kathmandu",
                                    "Pacific/Apia", /* went over the date line */
                                    "Africa/Casablanca",
                                    "Antarctica/Troll",
                                    "America/Nuuk",
                                    "Asia/Gaza"};

static long offset_of_library(cs_time t)
{
    struct tm tm;
    time_t seconds = (time_t)t;
    MADE(localtime_r(&seconds, &tm) != NULL);
    return tm.tm_gmtoff;
}

/** Every change of eighty years to the second, and instants between. */
static void test_clocks_go_as_the_c_library_says(void)
{
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        cs_zone *z = cs_zone_open(zones[i]);
        size_t wrong = 0;
        MADE(z != NULL && setenv("TZ", zones[i], 1) == 0);
        tzset();
        long before = offset_of_library(0);
        for (cs_time t = 0; t < INT64_C(4102444800) && wrong == 0; t += 6 * 3600 + 7) {
            long now = offset_of_library(t);
            cs_time low = t - 6 * 3600 - 7;
            for (cs_time high = t; now != before && high - low > 1;) {
                cs_time middle = low + (high - low) / 2;
                *(offset_of_library(middle) == before ? &low : &high) = middle;
                wrong += cs_zone_offset(z, low) != offset_of_library(low);
                wrong += cs_zone_offset(z, high) != offset_of_library(high);
            }
            wrong += cs_zone_offset(z, t) != now;
            before = now;
        }
        if (wrong != 0) {
            printf("# %s\n", zones[i]);
        }
        CU_ASSERT_EQUAL(wrong, 0);
        cs_zone_free(z);
    }
}

static void test_names_that_lead_elsewhere_are_no_zones(void)
{
    static const char *const bad[] = {"",          "/etc/passwd",     "../passwd",       "Europe//Berlin",
                                      "Europe/",   "Europe/Berlin\n", "Europe/Berlin.x", "a b",
                                      "Mars/Base", "Europe",          "tzdata.zi",       "zone.tab"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_PTR_NULL(cs_zone_open(bad[i]));
    }
}

static cs_time at(const char *text)
{
    cs_time t = 0;
    MADE(cs_time_parse(text, &t) == 0);
    return t;
}

static cs_time opens(const char *window, const char *from)
{
    struct ks_hours h;
    MADE(ks_hours_parse(window, &h) == 0);
    cs_time t = ks_hours_next(&h, at(from));
    ks_hours_free(&h);
    return t;
}

static void test_hours_of_a_week_follow_summer_time(void)
{
    static const char window[] = "Mon-Thu 09:00-12:00 Europe/Berlin";
    CU_ASSERT_EQUAL(opens(window, "2026-03-26T12:00:00Z"),
                    at("2026-03-30T07:00:00Z")); /* clocks went ahead on Sunday */
    CU_ASSERT_EQUAL(opens(window, "2026-03-25T07:59:59Z"), at("2026-03-25T08:00:00Z"));
    CU_ASSERT_EQUAL(opens(window, "2026-10-22T10:00:00Z"), at("2026-10-26T08:00:00Z"));
    CU_ASSERT_EQUAL(opens(window, "2026-10-26T08:30:10Z"), at("2026-10-26T08:30:10Z"));
    CU_ASSERT_EQUAL(opens("Sun 02:00-03:00 Europe/Berlin", "2026-03-28T00:00:00Z"),
                    at("2026-04-05T00:00:00Z")); /* an hour that is not */
}

static void test_a_zone_that_is_not_known_is_told(void)
{
    struct ks_hours h;
    CU_ASSERT_EQUAL(ks_hours_parse("Mon 09:00-12:00 Mars/Base", &h), 1);
    CU_ASSERT_EQUAL(ks_hours_parse("Mon 09:00-12:00  UTC", &h), -1);
    CU_ASSERT_EQUAL(ks_hours_parse("Mon 09:00-12:00 UTC ", &h), -1);
}

static void test_files_that_are_cut_or_altered_are_no_zones_or_harmless(void)
{
    static uint8_t data[65536];
    FILE *in = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
    MADE(in != NULL);
    size_t n = fread(data, 1, sizeof data, in);
    fclose(in);
    for (size_t i = 0; i < n; i++) {
        cs_zone *cut = cs_zone_read(data, i);
        CU_ASSERT_PTR_NULL(cut);
        cs_zone_free(cut);
        data[i] ^= 0xff;
        cs_zone *z = cs_zone_read(data, n);
        if (z != NULL) {
            int32_t offset = cs_zone_offset(z, 1780272000);
            CU_ASSERT_TRUE(offset > -100000 && offset < 100000);
            cs_zone_free(z);
        }
        data[i] ^= 0xff;
    }
}

const struct harness_test harness_tests[] = {
    {"clocks_go_as_the_c_library_says", test_clocks_go_as_the_c_library_says},
    {"names_that_lead_elsewhere_are_no_zones", test_names_that_lead_elsewhere_are_no_zones},
    {"hours_of_a_week_follow_summer_time", test_hours_of_a_week_follow_summer_time},
    {"a_zone_that_is_not_known_is_told", test_a_zone_that_is_not_known_is_told},
    {"files_that_are_cut_or_altered_are_no_zones_or_harmless",
     test_files_that_are_cut_or_altered_are_no_zones_or_harmless},
    {NULL, NULL},
};
