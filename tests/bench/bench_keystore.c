/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_keystore.c: wssec_verify with its keys from a keystore: does the number of certificates of others matter?
 * The signer is one partner's; the other entries, two in a slot, are spread over a hundred others. A small and a large
 * keystore take turns.
 *
 * bench_keystore DIRECTORY CERTIFICATE MESSAGE SECONDS FEW MANY      prints "cpu_us_with_few cpu_us_with_many"
 */
#include "resolver/resolver.h"
#include "tests/bench/clock.h"
#include "tests/unit/certificates.h"
#include "tests/unit/engine.h"
#include "wssec/wssec.h"

#define ROUND    100
#define PARTNERS 100

static const ks_actor actor = {"bench", "uid", "a measurement"};

static void add(ks_store *s, const char *partner, const char *alias, const char *pem, size_t n, cs_time now)
{
    cs_error e = {0};
    ks_outcome out;
    ks_add a = {.role = KS_VERIFIER,
                .partner = partner,
                .alias = alias,
                .certificate_pem = pem,
                .certificate_len = n,
                .activate = true};
    MADE(ks_add_entry(s, &a, false, &actor, now, &out, &e) == 0);
}

/* A keystore of count entries, one of them the signer's, read into memory. */
static const ks_snapshot *keystore(const char *directory, const char *signer, size_t n, unsigned long count,
                                   cs_time now)
{
    char uri[4400];
    bool created = false;
    cs_error e = {0};
    ks_store *s = NULL;
    const ks_snapshot *snapshot = NULL;
    snprintf(uri, sizeof uri, "sqlite:%s/bench-%lu.db", directory, count);
    MADE(ks_init(uri, NULL, now, &created, &e) == 0 && ks_open(&s, uri, NULL, &e) == 0);
    for (unsigned long i = 1; i < count; i++) {
        char partner[32];
        char alias[32];
        snprintf(partner, sizeof partner, "p%lu", i / 2 % PARTNERS);
        snprintf(alias, sizeof alias, "a%lu", i / 2);
        struct made m = make_certificate(&(struct recipe){.cn = alias});
        add(s, partner, alias, m.pem, strlen(m.pem), now);
        made_free(&m);
    }
    add(s, "signer", "signer", signer, n, now);
    MADE(ks_snapshot_read(s, now, &snapshot, &e) == 0);
    ks_close(s);
    return snapshot;
}

/* @return CPU seconds for ROUND messages */
static double messages(struct wssec_worker *worker, const struct wssec_input *in, const struct wssec_policy *policy,
                       const ks_snapshot *snapshot, cs_time now)
{
    struct resolver ctx;
    struct wssec_resolver resolver;
    struct wssec_verdict verdict;
    const struct wssec_when when = {.now = now, .at = now, .source = WSSEC_TIME_NOW, .freshness = true};
    resolver_init(&resolver, &ctx, snapshot, "signer", NULL);
    double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < ROUND; i++) {
        if (wssec_verify(worker, in, policy, &when, &resolver, NULL, &verdict, NULL) != WSSEC_RC_OK ||
            verdict.verdict != WSSEC_PASS) {
            fprintf(stderr, "bench_keystore: %s: %s\n", wssec_reason_code(verdict.reason), verdict.detail);
            exit(1);
        }
    }
    return bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
}

int main(int argc, char **argv)
{
    char why[256] = "";
    size_t n_message = 0;
    size_t n_signer = 0;
    if (argc != 7) {
        fprintf(stderr, "usage: bench_keystore DIRECTORY CERTIFICATE MESSAGE SECONDS FEW MANY\n");
        return 64;
    }
    char *signer = bench_read(argv[2], &n_signer);
    char *message = bench_read(argv[3], &n_message);
    MADE(signer != NULL && message != NULL &&
         wssec_init(&(struct wssec_options){engine_of_environment()}, why, sizeof why) == 0);
    struct wssec_worker *worker = wssec_worker_new();
    struct wssec_policy *policy = wssec_policy_new("bench");
    MADE(worker != NULL && policy != NULL && wssec_policy_freeze(policy, why, sizeof why) >= 0);
    const cs_time now = time(NULL);
    const ks_snapshot *store[2] = {NULL, NULL};
    double cpu[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        store[i] = keystore(argv[1], signer, n_signer, strtoul(argv[5 + i], NULL, 10), now);
    }
    const struct wssec_slice slice = {(const uint8_t *)message, n_message};
    const struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true};
    struct bench_clock clock = bench_start(strtod(argv[4], NULL));
    do {
        for (int i = 0; i < 2; i++) {
            cpu[i] += messages(worker, &in, policy, store[i], now);
        }
    } while (bench_more(&clock));
    double each = 1e6 / ((double)clock.messages * ROUND);
    printf("%.2f %.2f\n", cpu[0] * each, cpu[1] * each);
    for (int i = 0; i < 2; i++) {
        ks_snapshot_release(store[i]);
    }
    wssec_policy_unref(policy);
    wssec_worker_free(worker);
    wssec_shutdown();
    free(signer);
    free(message);
    return 0;
}
