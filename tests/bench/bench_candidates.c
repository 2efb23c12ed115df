/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_candidates.c: what each candidate key beyond the first costs. Every entry is offered as the certificate that
 * the message names, so the engine tries all keys; the right one comes last. In turn: one candidate, many, and the bare
 * operation of OpenSSL on the wrong keys, in rounds, so that all three see the same machine.
 *
 * bench_candidates CERTIFICATE MESSAGE SECONDS      prints "cpu_us_per_further_candidate cpu_us_per_operation"
 */
#include <openssl/rsa.h>
#include <string.h>

#include "samples/common/identity.h"
#include "tests/bench/clock.h"
#include "tests/unit/engine.h"
#include "wssec/wssec.h"

#define FURTHER 7
#define ROUND   40

struct offer {
    struct identity signer;
    EVP_PKEY *wrong[FURTHER];
    int n; /* wrong keys in front */
};

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max)
{
    const struct offer *o = ctx;
    (void)use;
    (void)hint;
    (void)at;
    for (int i = 0; i <= o->n && i < max; i++) {
        out[i] = (struct wssec_entry){.alias = "bench",
                                      .ordinal = (unsigned)i + 1,
                                      .state = WSSEC_ACTIVE,
                                      .not_before = o->signer.not_before,
                                      .not_after = o->signer.not_after,
                                      .trust = WSSEC_TRUST_PINNED,
                                      .key = i < o->n ? o->wrong[i] : o->signer.key,
                                      .der = {o->signer.der, o->signer.der_n}};
        memcpy(out[i].sha256, o->signer.sha256, sizeof out[i].sha256);
        memcpy(out[i].spki_sha256, o->signer.spki_sha256, sizeof out[i].spki_sha256);
    }
    return o->n < max ? o->n + 1 : max;
}

/* @return CPU seconds for ROUND operations on each wrong key, negative: failed */
static double operations(const struct offer *o)
{
    uint8_t digest[32] = {1};
    uint8_t value[512] = {0};
    double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < FURTHER; i++) {
        size_t n = (size_t)EVP_PKEY_get_size(o->wrong[i]);
        memset(value + 1, 0x5a, sizeof value - 1);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(o->wrong[i], NULL);
        bool good = ctx != NULL && n <= sizeof value && EVP_PKEY_verify_init(ctx) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1;
        for (int k = 0; k < ROUND && good; k++) {
            good = EVP_PKEY_verify(ctx, value, n, digest, sizeof digest) != 1;
        }
        EVP_PKEY_CTX_free(ctx);
        if (!good) {
            return -1;
        }
    }
    return bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
}

struct judging {
    struct wssec_worker *worker;
    struct wssec_policy *policy;
    struct wssec_input in;
    struct wssec_when when;
    struct wssec_resolver resolver;
};

/* @return CPU seconds for ROUND messages, negative: one did not pass */
static double messages(const struct judging *j)
{
    struct wssec_verdict verdict;
    double from = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < ROUND; i++) {
        if (wssec_verify(j->worker, &j->in, j->policy, &j->when, &j->resolver, NULL, &verdict, NULL) != WSSEC_RC_OK ||
            verdict.verdict != WSSEC_PASS) {
            fprintf(stderr, "bench_candidates: %s: %s\n", wssec_reason_code(verdict.reason), verdict.detail);
            return -1;
        }
    }
    return bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
}

static int measure(struct offer *offer, const struct judging *j, double seconds)
{
    double one = 0;
    double many = 0;
    double bare = 0;
    struct bench_clock clock = bench_start(seconds);
    do {
        offer->n = 0;
        double a = messages(j);
        offer->n = FURTHER;
        double b = messages(j);
        double c = operations(offer);
        if (a < 0 || b < 0 || c < 0) {
            return 1;
        }
        one += a;
        many += b;
        bare += c;
    } while (bench_more(&clock));
    double each = 1e6 / ((double)clock.messages * ROUND * FURTHER);
    printf("%.2f %.2f\n", (many - one) * each, bare * each);
    return 0;
}

int main(int argc, char **argv)
{
    char why[256] = "";
    struct offer offer = {0};
    size_t n = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: bench_candidates CERTIFICATE MESSAGE SECONDS\n");
        return 64;
    }
    char *message = bench_read(argv[2], &n);
    if (message == NULL || wssec_init(&(struct wssec_options){engine_of_environment()}, why, sizeof why) != 0 ||
        identity_read(&offer.signer, argv[1], NULL) != 0) {
        fprintf(stderr, "bench_candidates: %s\n", why);
        return 70;
    }
    struct judging j = {.worker = wssec_worker_new(), .policy = wssec_policy_new("bench")};
    bool ready = j.worker != NULL && j.policy != NULL && wssec_policy_freeze(j.policy, why, sizeof why) >= 0;
    for (int i = 0; i < FURTHER && ready; i++) {
        offer.wrong[i] = EVP_RSA_gen((unsigned)EVP_PKEY_get_bits(offer.signer.key));
        ready = offer.wrong[i] != NULL;
    }
    const struct wssec_slice slice = {(const uint8_t *)message, n};
    j.in = (struct wssec_input){.slice = &slice, .n_slice = 1, .response = true};
    const int64_t now = time(NULL);
    j.when = (struct wssec_when){.now = now, .at = now, .source = WSSEC_TIME_NOW, .freshness = true};
    j.resolver = (struct wssec_resolver){.ctx = &offer, .candidates = candidates};
    int rc = ready ? measure(&offer, &j, strtod(argv[3], NULL)) : 70;
    for (int i = 0; i < FURTHER; i++) {
        EVP_PKEY_free(offer.wrong[i]);
    }
    wssec_policy_unref(j.policy);
    wssec_worker_free(j.worker);
    identity_clear(&offer.signer);
    wssec_shutdown();
    free(message);
    return rc;
}
