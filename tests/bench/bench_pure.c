/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_pure.c: what verification alone costs of the messages of an archive: each of them judged once, from memory,
 * without freshness, as a run over the archive judges them.
 *
 * bench_pure CERTIFICATE < NAMES      prints "messages cpu_us_per_message"; names of files, one a line
 */
#include <string.h>

#include "samples/common/identity.h"
#include "tests/bench/clock.h"
#include "wssec/wssec.h"

struct message {
    char *octets;
    size_t n;
};

/* @return how many, owned: each and *out; -1 */
static long read_all(struct message **out)
{
    char name[4096];
    size_t n = 0;
    *out = NULL;
    while (fgets(name, sizeof name, stdin) != NULL) {
        struct message *grown = reallocarray(*out, n + 1, sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        *out = grown;
        name[strcspn(name, "\n")] = '\0';
        grown[n].octets = bench_read(name, &grown[n].n);
        if (grown[n++].octets == NULL) {
            return -1;
        }
    }
    return (long)n;
}

int main(int argc, char **argv)
{
    char why[256] = "";
    static const char *const none[] = {"0%"};
    struct identity signer;
    struct wssec_verdict verdict;
    struct wssec_resolver resolver;
    struct message *message = NULL;
    if (argc != 2 || wssec_init(&(struct wssec_options){0}, why, sizeof why) != 0 ||
        identity_read(&signer, argv[1], NULL) != 0) {
        fprintf(stderr, "usage: bench_pure CERTIFICATE < NAMES  %s\n", why);
        return 64;
    }
    struct wssec_worker *worker = wssec_worker_new();
    struct wssec_policy *policy = wssec_policy_new("bench");
    long n = read_all(&message);
    if (n < 0 || worker == NULL || policy == NULL ||
        wssec_policy_set(policy, "cross-check", 1, none, why, sizeof why) != 0 ||
        wssec_policy_freeze(policy, why, sizeof why) < 0) {
        fprintf(stderr, "bench_pure: %s\n", why);
        return 70;
    }
    const int64_t now = time(NULL);
    const struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_RECEIVED};
    identity_resolver(&signer, &resolver);
    struct bench_clock clock = bench_start(-(double)n);
    for (long i = 0; i < n; i++) {
        const struct wssec_slice slice = {(const uint8_t *)message[i].octets, message[i].n};
        const struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true, .over_tls = true};
        if (wssec_verify(worker, &in, policy, &when, &resolver, NULL, &verdict, NULL) != WSSEC_RC_OK ||
            verdict.verdict != WSSEC_PASS) {
            fprintf(stderr, "bench_pure: %s: %s\n", wssec_reason_code(verdict.reason), verdict.detail);
            return 1;
        }
        (void)bench_more(&clock);
    }
    bench_print(&clock);
    for (long i = 0; i < n; i++) {
        free(message[i].octets);
    }
    free(message);
    wssec_policy_unref(policy);
    wssec_worker_free(worker);
    identity_clear(&signer);
    wssec_shutdown();
    return 0;
}
