/* SPDX-License-Identifier: Apache-2.0 */
/* test_meter.c: series of counters: same labels same series, loops added up, labels of partners folded, a bounded
 * number; and lines of the admin socket taken apart. */
#include <stdio.h>
#include <string.h>

#include "gateway/admin_line.h"
#include "gateway/meter.h"
#include "tests/unit/harness.h"

const char *const harness_suite = "meter";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static struct series named(enum series_kind kind, const char *a, const char *b)
{
    struct series s = {.kind = kind};
    snprintf(s.a, sizeof s.a, "%s", a);
    snprintf(s.b, sizeof s.b, "%s", b);
    return s;
}

static void count(struct meter *m, enum series_kind kind, const char *a, const char *b, uint64_t n)
{
    struct series like = named(kind, a, b);
    struct series *s = meter_series(m, &like);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    s->count += n;
}

static uint64_t counted(struct meter *m, enum series_kind kind, const char *a, const char *b)
{
    struct series like = named(kind, a, b);
    return meter_series(m, &like)->count;
}

static void same_labels_are_one_series(void)
{
    struct meter *m = meter_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    count(m, SERIES_MESSAGES, "acme", "ok", 2);
    count(m, SERIES_MESSAGES, "acme", "ok", 3);
    count(m, SERIES_CERTIFICATE, "acme", "ok", 7);
    struct series reply = named(SERIES_MESSAGES, "acme", "ok");
    reply.response = true;
    meter_series(m, &reply)->count += 11;
    CU_ASSERT_EQUAL(counted(m, SERIES_MESSAGES, "acme", "ok"), 5);
    CU_ASSERT_EQUAL(counted(m, SERIES_CERTIFICATE, "acme", "ok"), 7);
    CU_ASSERT_EQUAL(meter_series(m, &reply)->count, 11);
    CU_ASSERT_EQUAL(m->n, 3);
    meter_free(m);
}

static const char *first_only(void *ctx, const char *partner)
{
    (void)ctx;
    return strcmp(partner, "first") == 0 ? partner : "other";
}

static void loops_add_up_and_partners_fold(void)
{
    struct meter *sum = meter_new();
    struct meter *loop[2] = {meter_new(), meter_new()};
    CU_ASSERT_PTR_NOT_NULL_FATAL(sum);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(loop[i]);
        count(loop[i], SERIES_MESSAGES, "first", "ok", 1);
        count(loop[i], SERIES_MESSAGES, "second", "ok", 10);
        count(loop[i], SERIES_CERTIFICATE, "second", "second-sign#1", 100);
        count(loop[i], SERIES_HTTP_REFUSED, "http-host", "", 1000);
        meter_merge(sum, loop[i], first_only, NULL);
        meter_free(loop[i]);
    }
    CU_ASSERT_EQUAL(counted(sum, SERIES_MESSAGES, "first", "ok"), 2);
    CU_ASSERT_EQUAL(counted(sum, SERIES_MESSAGES, "other", "ok"), 20);
    CU_ASSERT_EQUAL(counted(sum, SERIES_CERTIFICATE, "other", "other"), 200);
    CU_ASSERT_EQUAL(counted(sum, SERIES_HTTP_REFUSED, "http-host", ""), 2000);
    CU_ASSERT_EQUAL(sum->n, 4);
    meter_free(sum);
}

static void their_number_is_bounded(void)
{
    char label[32];
    struct meter *m = meter_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    for (unsigned i = 0; i < METER_SERIES + 50; i++) {
        snprintf(label, sizeof label, "label-%u", i);
        count(m, SERIES_FALLBACK, label, "", 1);
    }
    CU_ASSERT_EQUAL(m->n, METER_SERIES + 1);
    CU_ASSERT_EQUAL(counted(m, SERIES_FALLBACK, "other", "other"), 50);
    meter_free(m);
}

static void bounds_rise(void)
{
    for (int k = 0; k < SERIES_KINDS; k++) {
        const struct bounds *b = series_bounds((enum series_kind)k);
        CU_ASSERT_TRUE(b->n <= BOUNDS_MAX);
        for (unsigned i = 1; i < b->n; i++) {
            CU_ASSERT_TRUE(b->bound[i] > b->bound[i - 1]);
        }
    }
}

static void lines_are_words(void)
{
    static const struct {
        const char *line;
        int n; /* -1: refused */
        const char *last;
    } rows[] = {
        {"", 0, NULL},
        {"status", 1, "status"},
        {"  hold\torders ", 2, "orders"},
        {"hold orders \"down for an hour\"", 3, "down for an hour"},
        {"hold orders \"\"", 3, ""},
        {"a b c d", 4, "d"},
        {"a b c d e", -1, NULL},
        {"hold \"orders", -1, NULL},
        {"hold or\"ders\"", -1, NULL},
        {"hold \"orders\"x", -1, NULL},
        {"hold \x01", -1, NULL},
        {"hold \xc3\xa4", -1, NULL},
        {"hold o \"\xc3\xa4\"", 3, "\xc3\xa4"},
        {"hold \"a\tb\"", -1, NULL},
    };
    struct admin_words w;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = admin_words_parse(rows[i].line, strlen(rows[i].line), &w);
        CU_ASSERT_EQUAL(rc, rows[i].n < 0 ? -1 : 0);
        if (rc == 0 && rows[i].n >= 0) {
            CU_ASSERT_EQUAL(w.n, (unsigned)rows[i].n);
        }
        if (rc == 0 && rows[i].n > 0) {
            CU_ASSERT_STRING_EQUAL(w.word[w.n - 1], rows[i].last);
        }
    }
    char longest[ADMIN_LINE_MAX + 1];
    memset(longest, 'x', sizeof longest);
    CU_ASSERT_EQUAL(admin_words_parse(longest, ADMIN_LINE_MAX, &w), 0);
    CU_ASSERT_EQUAL(admin_words_parse(longest, ADMIN_LINE_MAX + 1, &w), -1);
    CU_ASSERT_EQUAL(admin_words_parse("a\0b", 3, &w), -1);
}

const struct harness_test harness_tests[] = {
    {"the same labels are one series", same_labels_are_one_series},
    {"loops add up, and partners without a label of their own fold", loops_add_up_and_partners_fold},
    {"the number of series is bounded", their_number_is_bounded},
    {"bounds of histograms rise", bounds_rise},
    {"a line of the admin socket is up to four words, a quoted one with blanks", lines_are_words},
    {NULL, NULL},
};
