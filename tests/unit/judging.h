/* SPDX-License-Identifier: Apache-2.0 */
/* judging.h: one message through wssec_verify under the default policy with some words changed; shared by tests. */
#ifndef TESTS_JUDGING_H
#define TESTS_JUDGING_H

#include "tests/unit/engine.h"
#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"

static struct wssec_worker *worker;
static struct maker_partner partner;
static struct wssec_verdict v;
static struct wssec_explain steps;

static MAKER_UNUSED int judging_begin(void)
{
    char err[256] = "";
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    worker = wssec_worker_new();
    return worker == NULL;
}

static MAKER_UNUSED void judging_end(void)
{
    wssec_explain_free(&steps);
    wssec_worker_free(worker);
    wssec_shutdown();
}

/* The same with keys that the partner may sign with: one of RSA and, unless NULL, one of P-256. */
static MAKER_UNUSED int judging_begin_with(struct maker_key *rsa_key, struct maker_key *ec_key)
{
    *rsa_key = maker_key_new("rsa:2048", NULL);
    maker_accept(&partner, rsa_key, WSSEC_ACTIVE);
    if (ec_key != NULL) {
        *ec_key = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "ec", .serial = 2});
        maker_accept(&partner, ec_key, WSSEC_ACTIVE);
    }
    return judging_begin();
}

static MAKER_UNUSED int judging_end_with(struct maker_key *rsa_key, struct maker_key *ec_key)
{
    maker_key_free(rsa_key);
    if (ec_key != NULL) {
        maker_key_free(ec_key);
    }
    judging_end();
    return 0;
}

struct setting {
    const char *word;
    const char *value[6];
};

static MAKER_UNUSED struct wssec_policy *policy_of(const struct setting *set, size_t n)
{
    char err[256] = "";
    struct wssec_policy *p = wssec_policy_new("test");
    for (size_t i = 0; i < n; i++) {
        int argc = 0;
        while (argc < 6 && set[i].value[argc] != NULL) {
            argc++;
        }
        if (wssec_policy_set(p, set[i].word, argc, set[i].value, err, sizeof err) != 0) {
            fprintf(stderr, "%s: %s\n", set[i].word, err);
            abort();
        }
    }
    if (wssec_policy_freeze(p, err, sizeof err) < 0) {
        fprintf(stderr, "%s\n", err);
        abort();
    }
    return p;
}

static MAKER_UNUSED struct wssec_when live = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, true};

static MAKER_UNUSED void judge_with(const char *text, struct wssec_policy *p, const struct wssec_when *when,
                                    const struct wssec_replay *replay)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {
        .slice = &slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8", .response = true, .http_status = 200};
    struct wssec_resolver r = {&partner, 57, maker_candidates, NULL};
    wssec_explain_free(&steps);
    int rc = wssec_verify(worker, &in, p, when, &r, replay, &v, &steps);
    CU_ASSERT_EQUAL(rc, WSSEC_RC_OK);
}

/* The same text in pieces of 1 to most octets, lengths by seed. need: what was asked for last. @return as finish */
static MAKER_UNUSED int judge_pieces(const char *text, struct wssec_policy *p, size_t most, uint64_t seed,
                                     struct wssec_verdict *out, enum wssec_need *need)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {
        .slice = &slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8", .response = true, .http_status = 200};
    struct wssec_resolver r = {&partner, 57, maker_candidates, NULL};
    *need = WSSEC_NEED_MORE;
    CU_ASSERT_EQUAL(wssec_verify_begin(worker, &in, p, &live, &r, out, NULL), WSSEC_RC_OK);
    for (size_t at = 0; at < slice.n && *need == WSSEC_NEED_MORE;) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t n = 1 + (size_t)(seed >> 33) % most;
        n = n < slice.n - at ? n : slice.n - at;
        char *alone = malloc(n); /* what is looked at behind the call is no octet of the message */
        memcpy(alone, text + at, n);
        CU_ASSERT_EQUAL(wssec_verify_feed(worker, alone, n, need), WSSEC_RC_OK);
        free(alone);
        at += n;
    }
    return wssec_verify_finish(worker, &in, &live, &r, NULL);
}

/* Judge under the default policy changed by set; takes text. @return the reason's code */
static MAKER_UNUSED const char *judge(char *text, const struct setting *set, size_t n)
{
    struct wssec_policy *p = policy_of(set, n);
    judge_with(text, p, &live, NULL);
    wssec_policy_unref(p);
    free(text);
    return wssec_reason_code(v.reason);
}

static MAKER_UNUSED void expect(const char *got, const char *expected, const char *what)
{
    if (strcmp(got, expected) != 0) {
        printf("  # %s: expected %s, got %s (%s)\n", what, expected, got, v.detail);
    }
    CU_ASSERT_STRING_EQUAL(got, expected);
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, strcmp(expected, "ok") == 0);
}

#endif
