/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory.c: every allocation of a verification fails in turn: never a crash, never a pass of a changed message,
 * and the worker is as good as new afterwards; so with signing. The sanitizers bring their own allocator, in which
 * nothing fails.
 *
 * tests/run: plain
 */
#include "tests/unit/judging.h"

const char *const harness_suite = "memory";

static struct maker_key rsa;
static long countdown; /* allocations until one fails; 0: none fails */
static long seen;

#if defined(__SANITIZE_ADDRESS__)
#define CAN_FAIL 0
#else
#define CAN_FAIL 1
/* the libraries are to find these too */
#define EXPORTED __attribute__((visibility("default")))
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool fails_now(void)
{
    seen++;
    return countdown > 0 && --countdown == 0;
}

EXPORTED void *malloc(size_t n)
{
    return fails_now() ? NULL : __libc_malloc(n);
}

EXPORTED void *calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __libc_calloc(n, size);
}

EXPORTED void *realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __libc_realloc(p, n);
}
#endif

int harness_setup(void)
{
    return judging_begin_with(&rsa, NULL);
}

int harness_teardown(void)
{
    return judging_end_with(&rsa, NULL);
}

static int once(struct wssec_worker *w, const char *text, struct wssec_policy *p, long fail_at)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    seen = 0;
    countdown = fail_at;
    int rc = wssec_verify(w, &in, p, &live, &r, NULL, &v, NULL);
    countdown = 0;
    return rc;
}

/* The message as it is, or as the first part of a package (taken). */
static char *wrapped(char *envelope, const char *content_type)
{
    cs_buf b = CS_BUF_INIT;
    if (content_type == NULL) {
        return envelope;
    }
    (void)cs_buf_addf(&b,
                      "--=_B\r\nContent-Type: %s\r\n\r\n%s\r\n--=_B\r\nContent-ID: <a@x>\r\n\r\nhello\r\n--=_B--\r\n",
                      content_type, envelope);
    free(envelope);
    return cs_buf_take(&b, NULL);
}

static void run_as(const struct maker *m, bool fresh, const char *content_type)
{
    struct wssec_policy *p = policy_of(NULL, 0);
    char *good = wrapped(maker_message(m), content_type);
    if (content_type != NULL && m->attached == NULL) { /* XOP: signed as text, sent as an Include */
        good = maker_replace(good, ">aGVsbG8=<",
                             "><x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:a@x\"/><");
    }
    char *bad[] = {maker_replace(strdup(good), ">bolt<", ">bomb<"),
                   maker_replace(strdup(good), "n=\"1\"", "n=\"1\" m=\"\""),
                   maker_replace(strdup(good), "<o:item ", "<o:item xmlns:p=\"urn:p\" p:m=\"1\" ")};
    struct wssec_worker *w = wssec_worker_new();
    CU_ASSERT_EQUAL(once(w, good, p, 0), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(once(w, good, p, 0), WSSEC_RC_OK);
    long points = seen; /* of a worker in use; a new one needs more */
    int refused = 0;
    int blamed = 0; /* refusals that name the message although memory was the cause: closed, but misleading */
    for (long i = 1; i <= 2 * points && CAN_FAIL; i++) {
        if (fresh) {
            wssec_worker_free(w);
            w = wssec_worker_new();
        }
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            (void)once(w, bad[k], p, i);
            CU_ASSERT(v.verdict != WSSEC_PASS);
        }
        int rc = once(w, good, p, i);
        CU_ASSERT((rc == WSSEC_RC_OK) == (v.verdict != WSSEC_ERROR || v.reason == WSSEC_ENGINE_DISAGREEMENT));
        refused += v.verdict != WSSEC_PASS;
        blamed += v.verdict == WSSEC_FAIL;
        CU_ASSERT_EQUAL(once(w, good, p, 0), WSSEC_RC_OK);
        CU_ASSERT_EQUAL(v.verdict, WSSEC_PASS);
    }
    CU_ASSERT(!CAN_FAIL || refused > points / 2);
    CU_ASSERT(blamed <= 1 + points / 100); /* one place in RSA's arithmetic of which OpenSSL does not tell */
    wssec_worker_free(w);
    wssec_policy_unref(p);
    free(good);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        free(bad[k]);
    }
}

static void run(const struct maker *m, bool fresh)
{
    run_as(m, fresh, NULL);
}

static void attachments(void)
{
    static const struct maker_attached a[] = {{"cid:a@x", NULL, "hello"}, {NULL, NULL, NULL}};
    static const char body[] =
        "<o:order xmlns:o=\"urn:o\"><o:item n=\"1\">bolt</o:item><o:file>aGVsbG8=</o:file></o:order>";
    run_as(&(struct maker){.key = &rsa, .attached = a}, false, "text/xml");
    run_as(&(struct maker){.key = &rsa, .attached = a}, true, "text/xml");
    run_as(&(struct maker){.key = &rsa, .body = body}, true, "application/xop+xml");
}

static void warm_worker(void)
{
    run(&(struct maker){.key = &rsa}, false);
}

static void fresh_worker(void)
{
    run(&(struct maker){.key = &rsa, .keyref = "thumbprint", .refs = "Body TS *STR"}, true);
}

/* ---- signing ---------------------------------------------------------------------------------------------------- */

static int own_key(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                   int max)
{
    (void)use;
    (void)h;
    (void)at;
    (void)max;
    out[0] = ((struct maker_partner *)ctx)->entry[0];
    out[0].key = rsa.pkey;
    return 1;
}

/* @return the signed octets, empty when it was refused */
static cs_buf sign_once(struct wssec_worker *w, enum wssec_keyref kind, long fail_at)
{
    static const char text[] = "<S:Envelope xmlns:S=\"" SOAP11
                               "\"><S:Header/><S:Body><o:item xmlns:o=\"urn:o\">bolt</o:item></S:Body></S:Envelope>";
    struct wssec_slice slice = {(const uint8_t *)text, sizeof text - 1};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_recipe recipe = {.timestamp = true, .key_reference = kind};
    struct wssec_resolver r = {&partner, 1, own_key, NULL};
    struct wssec_output out;
    cs_buf b = CS_BUF_INIT;
    seen = 0;
    countdown = fail_at;
    int rc = wssec_sign(w, &in, &recipe, &live, &r, &out, &v);
    countdown = 0;
    CU_ASSERT_EQUAL(rc == WSSEC_RC_OK && v.verdict == WSSEC_PASS, out.n_piece != 0);
    for (size_t i = 0; i < out.n_piece; i++) {
        (void)cs_buf_add(&b, out.piece[i].p, out.piece[i].n);
    }
    return b;
}

static void what_is_signed_short_of_memory_verifies_or_is_not_given_out(void)
{
    static const enum wssec_keyref kinds[] = {WSSEC_KEYREF_DIRECT, WSSEC_KEYREF_ISSUER_SERIAL, WSSEC_KEYREF_PKIPATH};
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_worker *judge = wssec_worker_new();
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        long points = 1;
        int given = 0;
        int blamed = 0; /* refusals that name the message although memory was the cause */
        for (long i = 0; i <= 2 * points && (i == 0 || CAN_FAIL); i++) {
            struct wssec_worker *w = wssec_worker_new();
            cs_buf b = sign_once(w, kinds[k], i);
            points = i == 0 ? seen : points;
            blamed += v.verdict == WSSEC_FAIL;
            if (b.len != 0) {
                char *text = cs_buf_take(&b, NULL);
                CU_ASSERT_EQUAL(once(judge, text, p, 0), WSSEC_RC_OK);
                CU_ASSERT_EQUAL(v.verdict, WSSEC_PASS);
                given++;
                free(text);
            }
            wssec_worker_free(w);
        }
        CU_ASSERT(given > 0 && (!CAN_FAIL || given < points * 2));
        CU_ASSERT(blamed <= 1 + points / 100); /* one place in RSA's arithmetic of which OpenSSL does not tell */
    }
    wssec_worker_free(judge);
    wssec_policy_unref(p);
}

const struct harness_test harness_tests[] = {{"every allocation fails once, worker in use", warm_worker},
                                             {"every allocation fails once, attachments and Includes", attachments},
                                             {"every allocation fails once, new worker", fresh_worker},
                                             {"what is signed short of memory verifies or is not given out",
                                              what_is_signed_short_of_memory_verifies_or_is_not_given_out},
                                             {NULL, NULL}};
