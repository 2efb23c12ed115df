/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_verify.c: wssec_verify on one file, all checks of the default policy, for comparison with baseline_xmlsec.
 *
 * bench_verify CERTIFICATE MESSAGE SECONDS [REASON]      prints "messages cpu_us_per_message
 * peak_kb_beyond_the_message"
 *
 * With REASON the message must be refused with it: what a refusal costs. COUNTERSIGN_ENGINE chooses the engine. Limits
 * are raised for a message above 8 MB that is to pass; floods are refused as they are by default.
 */
#include <string.h>

#include "samples/common/identity.h"
#include "tests/bench/clock.h"
#include "tests/unit/engine.h"
#include "wssec/wssec.h"

#define LARGE ((size_t)8 << 20)

static int raise_limits(struct wssec_policy *policy, bool large, char *why, size_t size)
{
    static const char *const words[] = {"limits.body", "limits.dom", "limits.text"};
    static const char *const octets[] = {"1G"};
    static const char *const depth[] = {"250"};
    static const char *const none[] = {"0%"};
    const char *nested = getenv("BENCH_DEPTH");
    if (wssec_policy_set(policy, "cross-check", 1, none, why, size) != 0) { /* one engine is measured, not both */
        return -1;
    }
    if (nested != NULL && wssec_policy_set(policy, "limits.depth", 1, depth, why, size) != 0) {
        return -1;
    }
    for (size_t i = 0; large && i < sizeof words / sizeof words[0]; i++) {
        if (wssec_policy_set(policy, words[i], 1, octets, why, size) != 0) {
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    char why[256] = "";
    struct identity signer;
    struct wssec_verdict verdict;
    struct wssec_resolver resolver;
    size_t n = 0;
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: bench_verify CERTIFICATE MESSAGE SECONDS [REASON]\n");
        return 64;
    }
    char *message = bench_read(argv[2], &n);
    if (message == NULL || wssec_init(&(struct wssec_options){engine_of_environment()}, why, sizeof why) != 0 ||
        identity_read(&signer, argv[1], NULL) != 0) {
        fprintf(stderr, "bench_verify: %s\n", why);
        return 70;
    }
    struct wssec_worker *worker = wssec_worker_new();
    struct wssec_policy *policy = wssec_policy_new("bench");
    if (worker == NULL || policy == NULL || raise_limits(policy, argc == 4 && n > LARGE, why, sizeof why) != 0 ||
        wssec_policy_freeze(policy, why, sizeof why) < 0) {
        fprintf(stderr, "bench_verify: %s\n", why);
        return 70;
    }
    const struct wssec_slice slice = {(const uint8_t *)message, n};
    const struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true};
    const int64_t now = time(NULL);
    const struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_NOW, .freshness = true};
    const char *expected = argc == 5 ? argv[4] : wssec_reason_code(WSSEC_OK);
    identity_resolver(&signer, &resolver);
    struct bench_clock clock = bench_start(strtod(argv[3], NULL));
    do {
        if (wssec_verify(worker, &in, policy, &when, &resolver, NULL, &verdict, NULL) != WSSEC_RC_OK ||
            strcmp(wssec_reason_code(verdict.reason), expected) != 0) {
            fprintf(stderr, "bench_verify: %s: %s\n", wssec_reason_code(verdict.reason), verdict.detail);
            return 1;
        }
    } while (bench_more(&clock));
    bench_print_with_memory(&clock, n);
    wssec_policy_unref(policy);
    wssec_worker_free(worker);
    identity_clear(&signer);
    wssec_shutdown();
    free(message);
    return 0;
}
