/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_memory.c: every allocation of a verification fails in turn: never a crash, never a pass of a changed message, and
 * the worker is as good as new afterwards. The sanitizers bring their own allocator, there the test stands aside.
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
    rsa = maker_key_new("rsa:2048", NULL);
    maker_accept(&partner, &rsa, WSSEC_ACTIVE);
    return judging_begin();
}

int harness_teardown(void)
{
    maker_key_free(&rsa);
    judging_end();
    return 0;
}

static int once(struct wssec_worker *w, const char *text, struct wssec_policy *p, long fail_at)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true};
    struct wssec_resolver r = {&partner, 1, maker_candidates};
    seen = 0;
    countdown = fail_at;
    int rc = wssec_verify(w, &in, p, &live, &r, NULL, &v, NULL);
    countdown = 0;
    return rc;
}

static void run(const struct maker *m, bool fresh)
{
    struct wssec_policy *p = policy_of(NULL, 0);
    char *good = maker_message(m);
    char *bad[] = {maker_replace(strdup(good), ">bolt<", ">bomb<"), maker_replace(strdup(good), "n=\"1\"", "n=\"1\" m=\"\""),
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
    CU_ASSERT(blamed <= points / 100);
    wssec_worker_free(w);
    wssec_policy_unref(p);
    free(good);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        free(bad[k]);
    }
}

static void warm_worker(void)
{
    run(&(struct maker){.key = &rsa}, false);
}

static void fresh_worker(void)
{
    run(&(struct maker){.key = &rsa, .keyref = "thumbprint", .refs = "Body TS *STR"}, true);
}

const struct harness_test harness_tests[] = {
    {"every allocation fails once, worker in use", warm_worker},
    {"every allocation fails once, new worker", fresh_worker},
    {NULL, NULL}};
