/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_junit.c: JUnit XML. A container is a test suite, a message a test case; fail is a failure, error an error,
 * indeterminate is skipped. A suite tells its numbers before its cases, so the records are read twice.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/report_private.h"

#define MAX_CASES 10000

struct suite {
    char *name; /* owned */
    uint64_t n[ARCHIVE_VERDICTS];
    int64_t us;
};

struct junit {
    struct archive_out *o;
    const struct archive_source *source;
    cs_buf b;
    struct suite *suite; /* owned; in the order of the records */
    size_t n, at;
    uint64_t left; /* cases of the suite that is being written */
    bool passes;   /* are cases, too */
};

/* "a/b.tar.zst!m/1.xml#0" lies in a/b.tar.zst, a loose file in its directory. @return octets of the name of the suite
 */
static size_t suite_of(const char *loc)
{
    const char *mark = strchr(loc, '!');
    const char *slash = strrchr(loc, '/');
    return mark != NULL ? (size_t)(mark - loc) : slash != NULL && slash > loc ? (size_t)(slash - loc) : 0;
}

static bool belongs(const struct suite *s, const char *loc, size_t n)
{
    return n == 0 ? strcmp(s->name, ".") == 0 : strncmp(s->name, loc, n) == 0 && s->name[n] == '\0';
}

static int count(void *ctx, const struct archive_record *r, cs_error *e)
{
    struct junit *j = ctx;
    size_t n = suite_of(r->loc);
    if (j->n == 0 || !belongs(&j->suite[j->n - 1], r->loc, n)) {
        struct suite *more = reallocarray(j->suite, j->n + 1, sizeof *more);
        j->suite = more != NULL ? more : j->suite;
        char *name = n > 0 ? strndup(r->loc, n) : strdup(".");
        if (more == NULL || name == NULL) {
            free(name);
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the list of containers");
        }
        j->suite[j->n++] = (struct suite){.name = name};
    }
    j->suite[j->n - 1].n[r->v.verdict]++;
    j->suite[j->n - 1].us += r->us;
    return 0;
}

static uint64_t all(const uint64_t n[ARCHIVE_VERDICTS])
{
    return n[WSSEC_PASS] + n[WSSEC_FAIL] + n[WSSEC_ERROR] + n[WSSEC_INDETERMINATE];
}

static void attributes(cs_buf *b, const uint64_t n[ARCHIVE_VERDICTS])
{
    cs_buf_addf(b, " tests=\"%llu\" failures=\"%llu\" errors=\"%llu\" skipped=\"%llu\"", (unsigned long long)all(n),
                (unsigned long long)n[WSSEC_FAIL], (unsigned long long)n[WSSEC_ERROR],
                (unsigned long long)n[WSSEC_INDETERMINATE]);
}

static void suite_begin(struct junit *j)
{
    const struct suite *s = &j->suite[j->at];
    char started[CS_TIME_TEXT];
    cs_buf_adds(&j->b, "<testsuite name=\"");
    archive_add_xml(&j->b, s->name);
    cs_buf_addc(&j->b, '"');
    attributes(&j->b, s->n);
    cs_buf_addf(&j->b, " time=\"%.6f\" timestamp=\"%.19s\">\n", (double)s->us / 1e6,
                cs_time_format(j->source->run->started, started));
    if (!j->passes) {
        cs_buf_addf(&j->b, "<properties><property name=\"passed\" value=\"%llu\"/></properties>\n",
                    (unsigned long long)s->n[WSSEC_PASS]);
    }
    j->left = all(s->n);
}

static void outcome(cs_buf *b, const struct archive_record *r)
{
    static const char *const element[ARCHIVE_VERDICTS] = {
        [WSSEC_FAIL] = "failure", [WSSEC_ERROR] = "error", [WSSEC_INDETERMINATE] = "skipped"};
    const char *word = element[r->v.verdict];
    bool skipped = r->v.verdict == WSSEC_INDETERMINATE;
    if (skipped) { /* the schema has no type there */
        cs_buf_addf(b, "<%s message=\"%s: ", word, wssec_reason_code(r->v.reason));
    } else {
        cs_buf_addf(b, "<%s type=\"%s\" message=\"", word, wssec_reason_code(r->v.reason));
    }
    archive_add_xml(b, r->v.detail);
    cs_buf_adds(b, "\"/>");
}

static int test_case(void *ctx, const struct archive_record *r, cs_error *e)
{
    struct junit *j = ctx;
    if (j->left == 0) {
        suite_begin(j);
    }
    const struct suite *s = &j->suite[j->at];
    size_t n = suite_of(r->loc);
    if (j->passes || r->v.verdict != WSSEC_PASS) {
        cs_buf_adds(&j->b, "<testcase classname=\"");
        archive_add_xml(&j->b, s->name);
        cs_buf_adds(&j->b, "\" name=\"");
        archive_add_xml(&j->b, n > 0 ? r->loc + n + 1 : r->loc);
        cs_buf_addf(&j->b, "\" time=\"%.6f\"", (double)r->us / 1e6);
        if (r->v.verdict == WSSEC_PASS) {
            cs_buf_adds(&j->b, "/>\n");
        } else {
            cs_buf_addc(&j->b, '>');
            outcome(&j->b, r);
            cs_buf_adds(&j->b, "</testcase>\n");
        }
    }
    if (--j->left == 0) {
        cs_buf_adds(&j->b, "</testsuite>\n");
        j->at++;
    }
    return archive_out_flush(j->o, &j->b, false, e);
}

int archive_write_junit(struct archive_out *o, const struct archive_source *s, const struct archive_tally *t,
                        cs_error *e)
{
    struct junit j = {.o = o, .source = s, .b = CS_BUF_INIT};
    j.passes = t->items <= (s->junit_max != 0 ? s->junit_max : MAX_CASES);
    int rc = archive_each_record(s, count, &j, e);
    cs_buf_adds(&j.b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"countersign\"");
    attributes(&j.b, t->verdict);
    cs_buf_adds(&j.b, ">\n");
    rc = rc == 0 ? archive_each_record(s, test_case, &j, e) : rc;
    cs_buf_adds(&j.b, "</testsuites>\n");
    rc = rc == 0 ? archive_out_flush(o, &j.b, true, e) : rc;
    for (size_t i = 0; i < j.n; i++) {
        free(j.suite[i].name);
    }
    free(j.suite);
    cs_buf_free(&j.b);
    return rc;
}
