/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealing.h: keys of both sides, calls and expectations, shared by tests of encryption.
 */
#ifndef TESTS_SEALING_H
#define TESTS_SEALING_H

#include "tests/unit/engine.h"
#include "tests/unit/harness.h"
#include "tests/unit/sealed.h"
#include "wssec/policy.h"

#define BODY  "<o:order xmlns:o=\"urn:orders\">bolt &amp; nut</o:order>"
#define PLAIN "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body>" BODY "</S:Body></S:Envelope>"

static struct wssec_worker *worker;
static struct maker_key signer, older, stranger;
static enum wssec_state own_state, older_state;
static bool with_older;
static unsigned older_times = 1; /* how often it is a candidate then */
static struct wssec_verdict v;
static struct wssec_explain steps;
static const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};

int harness_setup(void)
{
    char err[256];
    static const struct maker_cert own_cert = {.subject = "own", .serial = 11, .key_usage = "keyEncipherment"};
    static const struct maker_cert older_cert = {.subject = "own", .serial = 10, .key_usage = "keyEncipherment"};
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    worker = wssec_worker_new();
    signer = maker_key_new("rsa:2048", NULL);
    own = maker_key_new("rsa:2048", &own_cert);
    older = maker_key_new("rsa:2048", &older_cert);
    stranger = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "stranger", .serial = 12});
    return worker == NULL;
}

int harness_teardown(void)
{
    maker_key_free(&signer);
    maker_key_free(&own);
    maker_key_free(&older);
    maker_key_free(&stranger);
    wssec_explain_free(&steps);
    wssec_worker_free(worker);
    wssec_shutdown();
    return 0;
}

/* ---- keys, policies, calls ------------------------------------------------------------------------------------- */

static MAKER_UNUSED int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at,
                                   struct wssec_entry *out, int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    if (use == WSSEC_USE_VERIFY || use == WSSEC_USE_SIGN) {
        struct wssec_entry *e = maker_accept(&p, &signer, WSSEC_ACTIVE);
        e->key = use == WSSEC_USE_SIGN ? signer.pkey : e->key;
    } else if (use == WSSEC_USE_ENCRYPT) {
        (void)maker_accept(&p, &own, WSSEC_ACTIVE);
    } else {
        maker_accept(&p, &own, own_state)->key = own.pkey;
        for (unsigned i = 0; with_older && i < older_times; i++) {
            maker_accept(&p, &older, older_state)->key = older.pkey;
        }
    }
    return maker_candidates(&p, use, h, at, out, max);
}

static const struct wssec_resolver keys = {NULL, 7, candidates, NULL};

static MAKER_UNUSED struct wssec_policy *policy_with(const char *const legacy[])
{
    char err[256] = "";
    struct wssec_policy *p = wssec_policy_new("test");
    for (size_t i = 0; legacy != NULL && legacy[i] != NULL; i++) {
        const char *words[] = {legacy[i], "until", "2030-01-01"};
        CU_ASSERT_EQUAL_FATAL(wssec_policy_set(p, "legacy", 3, words, err, sizeof err), 0);
    }
    CU_ASSERT_FATAL(wssec_policy_freeze(p, err, sizeof err) >= 0);
    return p;
}

static MAKER_UNUSED char *text_of(const struct wssec_output *out)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < out->n_piece; i++) {
        (void)cs_buf_add(&b, out->piece[i].p, out->piece[i].n);
    }
    return cs_buf_take(&b, NULL);
}

/* @return the opened text (caller frees), NULL: refused */
static MAKER_UNUSED char *opened(const char *text, bool verify, const char *const legacy[])
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8"};
    struct wssec_policy *p = policy_with(legacy);
    struct wssec_output out;
    wssec_explain_free(&steps);
    int rc = wssec_open(worker, &in, p, &when, &keys, NULL, verify, &v, &steps, &out);
    CU_ASSERT_EQUAL(rc, WSSEC_RC_OK);
    char *made = v.verdict == WSSEC_PASS ? text_of(&out) : NULL;
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, out.n_piece > 0);
    wssec_policy_unref(p);
    return made;
}

static MAKER_UNUSED void refused(char *text, bool verify, const char *const legacy[], const char *reason)
{
    char *made = opened(text, verify, legacy);
    if (strcmp(wssec_reason_code(v.reason), reason) != 0) {
        printf("  # expected %s, got %s (%s)\n", reason, wssec_reason_code(v.reason), v.detail);
    }
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), reason);
    CU_ASSERT_PTR_NULL(made);
    free(made);
    free(text);
}

static MAKER_UNUSED void opens_to(char *text, bool verify, const char *const legacy[], const char *expected)
{
    char *made = opened(text, verify, legacy);
    if (made == NULL) {
        printf("  # %s: %s\n", wssec_reason_code(v.reason), v.detail);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_STRING_EQUAL(made, expected);
    free(made);
    free(text);
}

static MAKER_UNUSED char *encrypted(const char *text, const struct wssec_encryption *how)
{
    static const struct wssec_encryption usual = {0};
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    struct wssec_verdict made;
    int rc = wssec_encrypt(worker, &in, how != NULL ? how : &usual, &when, &keys, &out, &made);
    CU_ASSERT_EQUAL_FATAL(rc, WSSEC_RC_OK);
    if (made.verdict != WSSEC_PASS) {
        printf("  # %s: %s\n", wssec_reason_code(made.reason), made.detail);
    }
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    return text_of(&out);
}

static MAKER_UNUSED char *signed_text(const char *text, const struct wssec_recipe *recipe)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    struct wssec_verdict made;
    int rc = wssec_sign(worker, &in, recipe, &when, &keys, &out, &made);
    CU_ASSERT_EQUAL_FATAL(rc, WSSEC_RC_OK);
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    return text_of(&out);
}

#define CRAFT(...) craft(&(struct crafted){__VA_ARGS__})
#define OPENED(body)                                                                                                   \
    "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:e=\"" NS_XENC "\" xmlns:w=\"" NS_WSSE "\"><S:Body>" body                 \
    "</S:Body></S:Envelope>"

/* The first place of a text gives way to another. */
static MAKER_UNUSED char *with(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);
    cs_buf b = CS_BUF_INIT;
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    (void)cs_buf_add(&b, text, (size_t)(at - text));
    (void)cs_buf_adds(&b, new);
    (void)cs_buf_adds(&b, at + strlen(old));
    free(text);
    return cs_buf_take(&b, NULL);
}

static MAKER_UNUSED void reset(void)
{
    own_state = WSSEC_ACTIVE;
    older_state = WSSEC_DEACTIVATED;
    with_older = false;
    older_times = 1;
}

static MAKER_UNUSED const char *const every_exception[] = {"cbc", "cbc-before-verify", "rsa-1_5", "tripledes", NULL};

#endif
