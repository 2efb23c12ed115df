/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_verify.c: wssec_verify on one file, all checks of the default policy, for comparison with baseline_xmlsec.
 *
 * bench_verify CERTIFICATE MESSAGE SECONDS [REASON]      prints "messages cpu_us_per_message"
 *
 * With REASON the message must be refused with it: what a refusal costs.
 */
#include <string.h>

#include "samples/common/identity.h"
#include "tests/unit/engine.h"
#include "tests/bench/clock.h"
#include "wssec/wssec.h"

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
    if (message == NULL || wssec_init(&(struct wssec_options){engine_of_environment()}, why, sizeof why) != 0 || identity_read(&signer, argv[1], NULL) != 0) {
        fprintf(stderr, "bench_verify: %s\n", why);
        return 70;
    }
    struct wssec_worker *worker = wssec_worker_new();
    struct wssec_policy *policy = wssec_policy_new("bench");
    if (worker == NULL || policy == NULL || wssec_policy_freeze(policy, why, sizeof why) < 0) {
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
    bench_print(&clock);
    wssec_policy_unref(policy);
    wssec_worker_free(worker);
    identity_clear(&signer);
    wssec_shutdown();
    free(message);
    return 0;
}
