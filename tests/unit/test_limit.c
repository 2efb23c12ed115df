/* SPDX-License-Identifier: Apache-2.0 */
/* test_limit.c: what one client may have, what the table of clients costs, and when waiting means overload. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/limit.h"
#include "gateway/shed.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "limit";

#define SECOND INT64_C(1000000)

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static void connections_of_an_address_are_counted_up_and_down(void)
{
    struct limiter *l = limiter_new(1024);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(limit_connection(l, "192.0.2.1", 3));
    }
    CU_ASSERT_FALSE(limit_connection(l, "192.0.2.1", 3));
    CU_ASSERT_TRUE(limit_connection(l, "192.0.2.2", 3));
    CU_ASSERT_TRUE(limit_connection(l, "192.0.2.3", 0));
    limit_release(l, "192.0.2.1");
    CU_ASSERT_TRUE(limit_connection(l, "192.0.2.1", 3));
    CU_ASSERT_FALSE(limit_connection(l, "192.0.2.1", 3));
    for (int i = 0; i < 3; i++) {
        limit_release(l, "192.0.2.1");
    }
    limit_release(l, "192.0.2.2");
    CU_ASSERT_EQUAL(limiter_entries(l), 0);
    limiter_free(l);
}

static unsigned granted(struct limiter *l, unsigned rate, int64_t now, unsigned tries)
{
    unsigned n = 0;
    for (unsigned i = 0; i < tries; i++) {
        n += limit_request(l, "orders", 'a', "192.0.2.1", rate, now);
    }
    return n;
}

static void a_second_s_worth_at_once_then_the_rate(void)
{
    static const unsigned rates[] = {1, 2, 50, 1000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct limiter *l = limiter_new(1024);
        CU_ASSERT_PTR_NOT_NULL_FATAL(l);
        int64_t now = 77 * SECOND;
        CU_ASSERT_EQUAL(granted(l, rates[i], now, 5000), rates[i]);
        CU_ASSERT_EQUAL(granted(l, rates[i], now + SECOND / rates[i] - 1, 5000), 0);
        CU_ASSERT_EQUAL(granted(l, rates[i], now + SECOND / rates[i], 5000), 1);
        CU_ASSERT_EQUAL(granted(l, rates[i], now + 100 * SECOND, 5000), rates[i]);
        limiter_free(l);
    }
}

static void routes_and_kinds_have_rates_of_their_own(void)
{
    struct limiter *l = limiter_new(1024);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    CU_ASSERT_TRUE(limit_request(l, "a", 'a', "x", 1, SECOND));
    CU_ASSERT_FALSE(limit_request(l, "a", 'a', "x", 1, SECOND));
    CU_ASSERT_TRUE(limit_request(l, "b", 'a', "x", 1, SECOND));
    CU_ASSERT_TRUE(limit_request(l, "a", 'c', "x", 1, SECOND));
    CU_ASSERT_TRUE(limit_request(l, "a", 'a', "x", 0, SECOND));
    limiter_free(l);
}

static void a_flood_of_addresses_is_bounded_and_forgets_no_connection(void)
{
    struct limiter *l = limiter_new(1024);
    char address[32];
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    CU_ASSERT_TRUE(limit_connection(l, "192.0.2.1", 2));
    CU_ASSERT_TRUE(limit_connection(l, "192.0.2.1", 2));
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        CU_ASSERT_TRUE(limit_request(l, "orders", 'a', address, 1, SECOND + i));
    }
    CU_ASSERT_TRUE(limiter_entries(l) <= 1024);
    CU_ASSERT_FALSE(limit_connection(l, "192.0.2.1", 2));
    limiter_free(l);
}

static void a_table_full_of_connections_refuses_new_addresses(void)
{
    struct limiter *l = limiter_new(64);
    char address[32];
    unsigned taken = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    for (int i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "10.0.%d.%d", i >> 8, i & 255);
        taken += limit_connection(l, address, 5);
    }
    CU_ASSERT_EQUAL(taken, limiter_entries(l));
    CU_ASSERT_TRUE(taken <= 64);
    limiter_free(l);
}

static void address_is(int family, const char *text, const char *expected)
{
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    char out[LIMIT_ADDRESS];
    void *place = family == AF_INET ? (void *)&((struct sockaddr_in *)&sa)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)&sa)->sin6_addr;
    CU_ASSERT_EQUAL_FATAL(inet_pton(family, text, place), 1);
    limit_address((const struct sockaddr *)&sa, out);
    CU_ASSERT_STRING_EQUAL(out, expected);
}

static void an_address_counts_as_one_client(void)
{
    address_is(AF_INET, "192.0.2.7", "192.0.2.7");
    address_is(AF_INET6, "::ffff:192.0.2.7", "192.0.2.7");
    address_is(AF_INET6, "2001:db8:1:2:aaaa::1", "2001:db8:1:2::");
    address_is(AF_INET6, "2001:db8:1:2::", "2001:db8:1:2::");
}

static const struct shed_limits usual = {.wait_ms = 100, .interval_ms = 1000};

static void a_burst_is_no_overload(void)
{
    struct shed s = {0};
    int64_t now = 10 * SECOND;
    CU_ASSERT_FALSE(shed_now(&s, &usual, 0, now));
    CU_ASSERT_FALSE(shed_now(&s, &usual, now - 500000, now)); /* long, but not for long */
    CU_ASSERT_FALSE(shed_now(&s, &usual, now - 500000, now + 900000));
    shed_observe(&s, &usual, 50000, now + 950000); /* one was quick */
    CU_ASSERT_FALSE(shed_now(&s, &usual, now + 900000, now + 1500000));
    CU_ASSERT_FALSE(shed_now(&s, &usual, now + 900000, now + 2400000));
    CU_ASSERT_TRUE(shed_now(&s, &usual, now + 900000, now + 2500000));
}

static void long_waits_for_an_interval_shed_until_one_is_short(void)
{
    struct shed s = {0};
    int64_t now = 10 * SECOND;
    shed_observe(&s, &usual, 150000, now);
    CU_ASSERT_FALSE(shed_now(&s, &usual, now + 990000, now + 999999));
    CU_ASSERT_TRUE(shed_now(&s, &usual, now + 990000, now + 1000000));
    shed_observe(&s, &usual, 100001, now + 1500000);
    CU_ASSERT_TRUE(shed_now(&s, &usual, now + 1490000, now + 1500000));
    CU_ASSERT_FALSE(shed_now(&s, &usual, 0, now + 1500000)); /* nobody waits */
    shed_observe(&s, &usual, 100000, now + 1600000);
    CU_ASSERT_FALSE(shed_now(&s, &usual, now + 1590000, now + 1600000));
}

static void without_a_target_nothing_is_shed(void)
{
    struct shed s = {0};
    struct shed_limits off = {.wait_ms = 0, .interval_ms = 1};
    shed_observe(&s, &off, 1, SECOND);
    CU_ASSERT_FALSE(shed_now(&s, &off, SECOND, 100 * SECOND));
}

const struct harness_test harness_tests[] = {
    {"connections of an address are counted up and down", connections_of_an_address_are_counted_up_and_down},
    {"a second's worth at once, then the rate", a_second_s_worth_at_once_then_the_rate},
    {"routes and kinds have rates of their own", routes_and_kinds_have_rates_of_their_own},
    {"a flood of addresses is bounded and forgets no connection",
     a_flood_of_addresses_is_bounded_and_forgets_no_connection},
    {"a table full of connections refuses new addresses", a_table_full_of_connections_refuses_new_addresses},
    {"an address counts as one client", an_address_counts_as_one_client},
    {"a burst is no overload", a_burst_is_no_overload},
    {"long waits for an interval shed until one is short", long_waits_for_an_interval_shed_until_one_is_short},
    {"without a target nothing is shed", without_a_target_nothing_is_shed},
    {NULL, NULL},
};
