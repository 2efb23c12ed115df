/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_push.c: a message that is judged while it comes. That pieces of any length give the record of the whole message
 * is shown on random messages by test_engines.c; here stands what may happen between the pieces.
 */
#include <pthread.h>

#include "tests/unit/judging.h"
#include "wssec/worker.h"

const char *const harness_suite = "push";

static struct maker_key key, other;
static struct maker_partner *keys = &partner; /* at the next begin */

int harness_setup(void)
{
    key = maker_key_new("rsa:2048", NULL);
    other = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "other", .serial = 2});
    maker_accept(&partner, &key, WSSEC_ACTIVE);
    int rc = judging_begin();
    wssec_forced_engine = WSSEC_ENGINE_STREAM;
    return rc;
}

int harness_teardown(void)
{
    maker_key_free(&key);
    maker_key_free(&other);
    judging_end();
    return 0;
}

/* ---- a message under way -------------------------------------------------------------------------------------------
 */

struct course { /* one push */
    char *text;
    struct wssec_slice slice;
    struct wssec_input in;
    struct wssec_resolver resolver;
    struct wssec_when when;
    struct wssec_policy *policy;
    struct wssec_verdict verdict;
    enum wssec_need need;
    size_t at;
};

static char *long_message(const struct maker_key *by)
{
    cs_buf body = CS_BUF_INIT;
    for (int i = 0; i < 2000; i++) {
        cs_buf_addf(&body, "<o:item xmlns:o=\"urn:o\" n=\"%d\">bolt &amp; nut</o:item>\n", i);
    }
    char *text = maker_message(&(struct maker){.key = by, .body = body.data});
    cs_buf_free(&body);
    return text;
}

static void course_begin(struct course *c, char *text, const struct setting *set, size_t n)
{
    *c = (struct course){.text = text, .slice = {(const uint8_t *)text, strlen(text)}, .when = live};
    c->in = (struct wssec_input){.slice = &c->slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8"};
    c->resolver = (struct wssec_resolver){keys, 57, maker_candidates, NULL};
    c->policy = policy_of(set, n);
    CU_ASSERT_EQUAL(wssec_verify_begin(worker, &c->in, c->policy, &c->when, &c->resolver, &c->verdict, NULL),
                    WSSEC_RC_OK);
    c->need = WSSEC_NEED_MORE;
}

/* Feed up to that octet. */
static void course_feed(struct course *c, size_t to)
{
    while (c->at < to && c->need == WSSEC_NEED_MORE) {
        size_t n = to - c->at < 1000 ? to - c->at : 1000;
        CU_ASSERT_EQUAL(wssec_verify_feed(worker, c->text + c->at, n, &c->need), WSSEC_RC_OK);
        c->at += n;
    }
}

static int course_finish(struct course *c, bool whole)
{
    return wssec_verify_finish(worker, whole ? &c->in : NULL, &c->when, &c->resolver, NULL);
}

static void course_end(struct course *c)
{
    free(c->text);
    wssec_policy_unref(c->policy);
}

static void expect_reason(const struct course *c, enum wssec_reason reason)
{
    if (c->verdict.reason != reason) {
        printf("  # %s: %s\n", wssec_reason_code(c->verdict.reason), c->verdict.detail);
    }
    CU_ASSERT_EQUAL(c->verdict.reason, reason);
    CU_ASSERT_EQUAL(c->verdict.verdict == WSSEC_PASS, reason == WSSEC_OK);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------
 */

static void a_message_passes_without_being_kept(void)
{
    struct course c;
    course_begin(&c, long_message(&key), NULL, 0);
    course_feed(&c, c.slice.n);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_MORE);
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_OK);
    CU_ASSERT_EQUAL(c.verdict.engine, WSSEC_ENGINE_STREAM);
    CU_ASSERT_EQUAL(course_finish(&c, true), WSSEC_RC_USAGE); /* once only */
    course_end(&c);
}

static void a_forged_one_is_refused_at_its_front(void)
{
    struct course c;
    course_begin(&c, long_message(&other), NULL, 0);
    course_feed(&c, c.slice.n);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_NOTHING);
    CU_ASSERT(c.at < 16384);
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_CERTIFICATE_UNKNOWN);
    course_end(&c);
}

static void a_changed_octet_is_found_at_the_end(void)
{
    struct course c;
    course_begin(&c, maker_replace(long_message(&key), "n=\"1999\"", "n=\"1998\""), NULL, 0);
    course_feed(&c, c.slice.n);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_MORE);
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_DIGEST_MISMATCH);
    course_end(&c);
}

static void a_message_that_stops_is_none(void)
{
    for (size_t to = 0; to < 40000; to += 1999) {
        struct course c;
        course_begin(&c, long_message(&key), NULL, 0);
        course_feed(&c, to);
        c.slice.n = to;
        CU_ASSERT_EQUAL(course_finish(&c, true), WSSEC_RC_OK);
        expect_reason(&c, WSSEC_XML_MALFORMED);
        course_end(&c);
    }
}

/* Octets that were judged and octets that go on are the same ones, or nothing goes on. */
static void other_octets_than_were_fed_are_an_error(void)
{
    struct course c;
    course_begin(&c, long_message(&key), NULL, 0);
    course_feed(&c, c.slice.n);
    c.slice.n--;
    CU_ASSERT_EQUAL(course_finish(&c, true), WSSEC_RC_INTERNAL);
    CU_ASSERT_EQUAL(c.verdict.verdict, WSSEC_ERROR);
    course_end(&c);
}

static void keys_of_another_generation_judge_anew(void)
{
    for (int whole = 0; whole <= 1; whole++) {
        struct course c;
        course_begin(&c, long_message(&key), NULL, 0);
        course_feed(&c, c.slice.n);
        struct maker_partner none = {0};
        c.resolver.ctx = &none;
        c.resolver.generation++;
        CU_ASSERT_EQUAL(course_finish(&c, whole == 1), whole == 1 ? WSSEC_RC_OK : WSSEC_RC_WHOLE);
        CU_ASSERT_EQUAL(c.verdict.verdict, whole == 1 ? WSSEC_FAIL : WSSEC_ERROR);
        CU_ASSERT_EQUAL(c.verdict.generation, 58);
        CU_ASSERT_EQUAL(c.verdict.reason, whole == 1 ? WSSEC_CERTIFICATE_UNKNOWN : WSSEC_INTERNAL);
        course_end(&c);
    }
}

static void a_key_that_came_meanwhile_is_used(void)
{
    struct course c;
    struct maker_partner both = {0};
    maker_accept(&both, &key, WSSEC_ACTIVE);
    maker_accept(&both, &other, WSSEC_ACTIVE);
    course_begin(&c, long_message(&other), NULL, 0);
    course_feed(&c, c.slice.n);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_NOTHING);
    c.resolver.ctx = &both;
    c.resolver.generation++;
    CU_ASSERT_EQUAL(course_finish(&c, true), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_OK);
    course_end(&c);
}

/* The state of a key is that of the end, not of the first octet. */
static void a_window_that_ends_meanwhile_has_ended(void)
{
    struct maker_partner leaving = {0};
    maker_accept(&leaving, &key, WSSEC_DEACTIVATED);
    leaving.entry[0].process_stop = MAKER_NOW + 5;
    keys = &leaving;
    for (int64_t seconds = 4; seconds <= 6; seconds += 2) {
        struct course c;
        course_begin(&c, long_message(&key), NULL, 0);
        course_feed(&c, c.slice.n);
        c.when.now += seconds;
        c.when.at += seconds;
        CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
        expect_reason(&c, seconds < 5 ? WSSEC_OK : WSSEC_CERTIFICATE_ARCHIVED);
        CU_ASSERT_EQUAL(c.verdict.t, MAKER_NOW + seconds);
        course_end(&c);
    }
    keys = &partner;
}

static void a_timestamp_is_as_old_as_at_the_end(void)
{
    struct course c;
    course_begin(&c, long_message(&key), NULL, 0);
    course_feed(&c, c.slice.n);
    c.when.now += 7200;
    c.when.at += 7200;
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_TIMESTAMP_EXPIRED);
    course_end(&c);
}

static void a_message_above_the_limit_is_not_waited_for(void)
{
    static const struct setting small[] = {{"limits.body", {"32k"}}};
    struct course c;
    course_begin(&c, long_message(&key), small, 1);
    course_feed(&c, c.slice.n);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_NOTHING);
    CU_ASSERT(c.at > 32768 && c.at <= 32768 + 1000);
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_LIMIT_BODY);
    course_end(&c);
}

/* What it cannot judge piece by piece it names, and judges when it is there. */
static void some_are_judged_in_one_piece(void)
{
    static const char *const spoilt[][2] = {
        {"<o:item ", "<?pi?><o:item "}, {"<S:Header>", "<S:Header><x xmlns=\"\"><![CDATA[</S:Header><S:Body>]]></x>"}};
    static const struct setting loose[] = {{"comments", {"allow"}}};
    for (size_t i = 0; i < 4; i++) {
        for (int whole = 0; whole <= 1; whole++) {
            struct course c;
            char *text = long_message(&key);
            text = i < 2 ? maker_replace(text, spoilt[i][0], spoilt[i][1]) : text;
            wssec_forced_engine = i == 2 ? WSSEC_ENGINE_DOM : WSSEC_ENGINE_STREAM;
            course_begin(&c, text, loose, 1);
            if (i == 3) {
                c.in.content_type = " Multipart/Related; boundary=x";
                CU_ASSERT_EQUAL(wssec_verify_begin(worker, &c.in, c.policy, &c.when, &c.resolver, &c.verdict, NULL),
                                WSSEC_RC_OK);
                c.in.content_type = NULL;
            }
            course_feed(&c, c.slice.n);
            CU_ASSERT_EQUAL(c.need, WSSEC_NEED_WHOLE);
            CU_ASSERT(c.at < c.slice.n);
            CU_ASSERT_EQUAL(course_finish(&c, whole == 1), whole == 1 ? WSSEC_RC_OK : WSSEC_RC_WHOLE);
            CU_ASSERT_EQUAL(c.verdict.verdict, whole == 0 ? WSSEC_ERROR : i == 0 ? WSSEC_FAIL : WSSEC_PASS);
            course_end(&c);
        }
    }
    wssec_forced_engine = WSSEC_ENGINE_STREAM;
}

static void another_call_gives_it_up(void)
{
    struct course c;
    course_begin(&c, long_message(&key), NULL, 0);
    course_feed(&c, 10000);
    judge_with(c.text, c.policy, &live, NULL);
    CU_ASSERT_EQUAL(v.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(wssec_verify_feed(worker, "x", 1, &c.need), WSSEC_RC_USAGE);
    CU_ASSERT_EQUAL(c.need, WSSEC_NEED_NOTHING);
    CU_ASSERT_EQUAL(course_finish(&c, true), WSSEC_RC_USAGE);
    CU_ASSERT_NOT_EQUAL(c.verdict.verdict, WSSEC_PASS);
    course_end(&c);
}

static void nothing_was_begun(void)
{
    struct wssec_worker *fresh = wssec_worker_new();
    enum wssec_need need = WSSEC_NEED_MORE;
    const struct wssec_resolver r = {&partner, 57, maker_candidates, NULL};
    CU_ASSERT_EQUAL(wssec_verify_feed(fresh, "x", 1, &need), WSSEC_RC_USAGE);
    CU_ASSERT_EQUAL(wssec_verify_finish(fresh, NULL, &live, &r, NULL), WSSEC_RC_USAGE);
    wssec_worker_free(fresh);
}

static void *feed_some(void *ctx)
{
    struct course *c = ctx;
    course_feed(c, c->at + 10000);
    return NULL;
}

static void pieces_may_come_from_any_thread(void)
{
    struct course c;
    course_begin(&c, long_message(&key), NULL, 0);
    while (c.at < c.slice.n && c.need == WSSEC_NEED_MORE) {
        pthread_t t;
        size_t to = c.at + 10000;
        if (to > c.slice.n) {
            course_feed(&c, c.slice.n);
            break;
        }
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, feed_some, &c), 0);
        pthread_join(t, NULL);
    }
    CU_ASSERT_EQUAL(course_finish(&c, false), WSSEC_RC_OK);
    expect_reason(&c, WSSEC_OK);
    course_end(&c);
}

const struct harness_test harness_tests[] = {
    {"a message passes without being kept", a_message_passes_without_being_kept},
    {"a forged one is refused at its front", a_forged_one_is_refused_at_its_front},
    {"a changed octet is found at the end", a_changed_octet_is_found_at_the_end},
    {"a message that stops is none", a_message_that_stops_is_none},
    {"other octets than were fed are an error", other_octets_than_were_fed_are_an_error},
    {"keys of another generation judge anew", keys_of_another_generation_judge_anew},
    {"a key that came meanwhile is used", a_key_that_came_meanwhile_is_used},
    {"a window that ends meanwhile has ended", a_window_that_ends_meanwhile_has_ended},
    {"a timestamp is as old as at the end", a_timestamp_is_as_old_as_at_the_end},
    {"a message above the limit is not waited for", a_message_above_the_limit_is_not_waited_for},
    {"some are judged in one piece", some_are_judged_in_one_piece},
    {"another call gives it up", another_call_gives_it_up},
    {"nothing was begun", nothing_was_begun},
    {"pieces may come from any thread", pieces_may_come_from_any_thread},
    {NULL, NULL},
};
