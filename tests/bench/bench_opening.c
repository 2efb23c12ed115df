/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_opening.c: does the time of a refusal tell why a message could not be opened? Messages of one shape that are
 * wrong in different places are opened in turn, so that all see the same machine; one of them stands twice, under two
 * names, and shows what the same work differs by. A group is what must not be told apart.
 *
 * bench_opening ROUNDS OCTETS      prints lines "group kind cpu_us difference_percent"; the first kind of a group is
 * the measure, "again" is the noise
 */
#include <stdlib.h>

#include "tests/bench/clock.h"
#include "tests/unit/engine.h"
#include "tests/unit/sealed.h"

#define KINDS 5
#define LATE  1 /* 40 octets from the end of the content */

static struct maker_key stranger;
static char *content; /* of the plaintext: elements */

static struct group {
    const char *name;
    const char *exceptions[4];
    struct {
        const char *name;
        struct crafted how;
        char *text;
        double *us;
    } kind[KINDS];
} groups[] = {
    {"oaep-gcm",
     {NULL},
     {{"wrong-key", {.cipher = "aes128-gcm", .to = &stranger}, NULL, NULL},
      {"bad-tag", {.cipher = "aes128-gcm", .flip_last = true}, NULL, NULL},
      {"bad-ciphertext", {.cipher = "aes128-gcm", .flip = 40}, NULL, NULL},
      {"bad-oaep", {.cipher = "aes128-gcm", .wrapped_flip = 100}, NULL, NULL},
      {"again", {.cipher = "aes128-gcm", .to = &stranger}, NULL, NULL}}},
    {"pkcs1-gcm",
     {"rsa-1_5", NULL},
     {{"bad-padding", {.cipher = "aes128-gcm", .transport = "rsa-1_5", .wrapped_flip = 100}, NULL, NULL},
      {"good-padding-bad-tag", {.cipher = "aes128-gcm", .transport = "rsa-1_5", .flip_last = true}, NULL, NULL},
      {"other-length", {.cipher = "aes128-gcm", .transport = "rsa-1_5", .wrong_length = true}, NULL, NULL},
      {"wrong-key", {.cipher = "aes128-gcm", .transport = "rsa-1_5", .to = &stranger}, NULL, NULL},
      {"again", {.cipher = "aes128-gcm", .transport = "rsa-1_5", .wrapped_flip = 100}, NULL, NULL}}},
    {"cbc-padding", /* all but the end of the text reads well */
     {"rsa-1_5", "cbc", "cbc-before-verify", NULL},
     {{"bad-padding", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .flip_last = true}, NULL, NULL},
      {"good-padding-bad-text", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .flip = LATE}, NULL, NULL},
      {"again", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .flip_last = true}, NULL, NULL}}},
    {"cbc-key", /* what comes out is no text from its first octets on */
     {"rsa-1_5", "cbc", "cbc-before-verify", NULL},
     {{"bad-padding", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .wrapped_flip = 100}, NULL, NULL},
      {"wrong-key", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .to = &stranger}, NULL, NULL},
      {"other-length", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .wrong_length = true}, NULL, NULL},
      {"again", {.cipher = "aes128-cbc", .transport = "rsa-1_5", .wrapped_flip = 100}, NULL, NULL}}},
};

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    maker_accept(&p, &own, WSSEC_ACTIVE)->key = own.pkey;
    return maker_candidates(&p, use, h, at, out, max);
}

static double opening_us(struct wssec_worker *w, const struct wssec_policy *p, const char *text, size_t n)
{
    static const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};
    static const struct wssec_resolver keys = {NULL, 1, candidates, NULL};
    const struct wssec_slice slice = {(const uint8_t *)text, n};
    const struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8"};
    struct wssec_verdict v;
    struct wssec_output out;
    double from = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
    int rc = wssec_open(w, &in, p, &when, &keys, NULL, true, &v, NULL, &out);
    double us = 1e6 * (bench_seconds(CLOCK_THREAD_CPUTIME_ID) - from);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_FAIL || !v.opening) {
        fprintf(stderr, "bench_opening: %s: %s\n", wssec_reason_code(v.reason), v.detail);
        exit(70);
    }
    return us;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct wssec_policy *policy_of(const struct group *g)
{
    char err[200];
    struct wssec_policy *p = wssec_policy_new("bench");
    for (size_t i = 0; p != NULL && g->exceptions[i] != NULL; i++) {
        const char *words[] = {g->exceptions[i], "until", "2030-01-01"};
        sealed_must(wssec_policy_set(p, "legacy", 3, words, err, sizeof err) == 0);
    }
    sealed_must(p != NULL && wssec_policy_freeze(p, err, sizeof err) >= 0);
    return p;
}

/* In another order each round, so that no kind always follows the same one. Lower quartiles are compared: what else the
 * machine does makes some of the times longer, and none shorter. */
static void measure(struct wssec_worker *w, struct group *g, unsigned rounds)
{
    struct wssec_policy *p = policy_of(g);
    unsigned kinds = 0;
    for (; kinds < KINDS && g->kind[kinds].name != NULL; kinds++) {
        unsigned k = kinds;
        g->kind[k].how.plaintext = content;
        g->kind[k].how.flip = g->kind[k].how.flip == LATE ? (unsigned)strlen(content) - 40 : g->kind[k].how.flip;
        g->kind[k].text = craft(&g->kind[k].how);
        g->kind[k].us = calloc(rounds, sizeof(double));
        sealed_must(g->kind[k].us != NULL);
    }
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < kinds; i++) {
            unsigned k = r / kinds % 2 == 0 ? (i + r) % kinds : (2 * kinds - 1 - i - r % kinds) % kinds;
            g->kind[k].us[r] = opening_us(w, p, g->kind[k].text, strlen(g->kind[k].text));
        }
    }
    for (unsigned k = 0; k < kinds; k++) {
        qsort(g->kind[k].us, rounds, sizeof(double), by_size);
        double first = g->kind[0].us[rounds / 4];
        double us = g->kind[k].us[rounds / 4];
        printf("%s %s %.2f %.3f\n", g->name, g->kind[k].name, us, 100 * (us - first) / first);
    }
    for (unsigned k = 0; k < kinds; k++) {
        free(g->kind[k].us);
        free(g->kind[k].text);
    }
    wssec_policy_unref(p);
}

int main(int argc, char **argv)
{
    char why[256] = "";
    cs_buf b = CS_BUF_INIT;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_opening ROUNDS OCTETS\n");
        return 64;
    }
    unsigned rounds = (unsigned)strtoul(argv[1], NULL, 10);
    size_t octets = strtoul(argv[2], NULL, 10);
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, why, sizeof why) != 0 || rounds == 0) {
        fprintf(stderr, "bench_opening: %s\n", why);
        return 70;
    }
    struct wssec_worker *w = wssec_worker_new();
    own = maker_key_new("rsa:2048", NULL);
    stranger = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "stranger", .serial = 12});
    (void)cs_buf_adds(&b, "<o:orders xmlns:o=\"urn:orders\">");
    while (b.len < octets) {
        (void)cs_buf_adds(&b, "<o:item>bolt</o:item>");
    }
    (void)cs_buf_adds(&b, "</o:orders>");
    content = b.data;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0] && w != NULL; i++) {
        measure(w, &groups[i], rounds);
    }
    cs_buf_free(&b);
    maker_key_free(&own);
    maker_key_free(&stranger);
    wssec_worker_free(w);
    wssec_shutdown();
    return w != NULL ? 0 : 70;
}
