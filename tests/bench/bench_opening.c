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
static const struct maker_key *sealed_for;
static char *content; /* of the plaintext: elements */

/* What is wrong in a message under an agreed key, which is sealed in order first. */
enum damage { NOTHING, WRAP, TEXT, TAG };

#define CRAFTED(what, ...)                                                                                             \
    {                                                                                                                  \
        .name = what, .how = { __VA_ARGS__ }                                                                           \
    }
#define DAMAGED(what, where)                                                                                           \
    {                                                                                                                  \
        .name = what, .damage = where                                                                                  \
    }
#define AGREED                                                                                                         \
    {                                                                                                                  \
        CRAFTED("wrong-key", .to = &stranger), DAMAGED("bad-wrap", WRAP), DAMAGED("bad-ciphertext", TEXT),             \
            DAMAGED("bad-tag", TAG), CRAFTED("again", .to = &stranger)                                                 \
    }
#define PKCS1 .transport = "rsa-1_5"
#define GCM   .cipher = "aes128-gcm"
#define CBC   .cipher = "aes128-cbc", PKCS1

static struct group {
    const char *name;
    const char *agreed; /* kind of the keys; NULL: RSA, and messages are crafted */
    const char *exceptions[4];
    struct {
        const char *name;
        struct crafted how;
        enum damage damage; /* of a message under an agreed key */
        char *text;
        double *us;
    } kind[KINDS];
} groups[] = {
    {"oaep-gcm",
     NULL,
     {NULL},
     {CRAFTED("wrong-key", GCM, .to = &stranger), CRAFTED("bad-tag", GCM, .flip_last = true),
      CRAFTED("bad-ciphertext", GCM, .flip = 40), CRAFTED("bad-oaep", GCM, .wrapped_flip = 100),
      CRAFTED("again", GCM, .to = &stranger)}},
    {"pkcs1-gcm",
     NULL,
     {"rsa-1_5", NULL},
     {CRAFTED("bad-padding", GCM, PKCS1, .wrapped_flip = 100),
      CRAFTED("good-padding-bad-tag", GCM, PKCS1, .flip_last = true),
      CRAFTED("other-length", GCM, PKCS1, .wrong_length = true), CRAFTED("wrong-key", GCM, PKCS1, .to = &stranger),
      CRAFTED("again", GCM, PKCS1, .wrapped_flip = 100)}},
    {"cbc-padding", /* all but the end of the text reads well */
     NULL,
     {"rsa-1_5", "cbc", "cbc-before-verify", NULL},
     {CRAFTED("bad-padding", CBC, .flip_last = true), CRAFTED("good-padding-bad-text", CBC, .flip = LATE),
      CRAFTED("again", CBC, .flip_last = true)}},
    {"cbc-key", /* what comes out is no text from its first octets on */
     NULL,
     {"rsa-1_5", "cbc", "cbc-before-verify", NULL},
     {CRAFTED("bad-padding", CBC, .wrapped_flip = 100), CRAFTED("wrong-key", CBC, .to = &stranger),
      CRAFTED("other-length", CBC, .wrong_length = true), CRAFTED("again", CBC, .wrapped_flip = 100)}},
    {"ecdh-gcm", "ec:P-256", {NULL}, AGREED},
    {"x25519-gcm", "x25519", {NULL}, AGREED},
};

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    if (use == WSSEC_USE_ENCRYPT) {
        (void)maker_accept(&p, sealed_for, WSSEC_ACTIVE);
    } else {
        maker_accept(&p, &own, WSSEC_ACTIVE)->key = own.pkey;
    }
    return maker_candidates(&p, use, h, at, out, max);
}

static const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};
static const struct wssec_resolver keys = {NULL, 1, candidates, NULL};

static double opening_us(struct wssec_worker *w, const struct wssec_policy *p, const char *text, size_t n)
{
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

/* The content under an agreed key for somebody, damaged in one octet. */
static char *agreed_text(struct wssec_worker *w, const struct maker_key *to, enum damage damage)
{
    static const struct wssec_encryption how = {.cipher = "aes128-gcm"};
    cs_buf b = CS_BUF_INIT;
    struct wssec_verdict v;
    struct wssec_output out;
    (void)cs_buf_addf(&b, "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body>%s</S:Body></S:Envelope>", content);
    const struct wssec_slice slice = {(const uint8_t *)b.data, b.len};
    const struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = "text/xml"};
    sealed_for = to;
    sealed_must(wssec_encrypt(w, &in, &how, &when, &keys, &out, &v) == WSSEC_RC_OK && v.verdict == WSSEC_PASS);
    cs_buf made = CS_BUF_INIT;
    for (size_t i = 0; i < out.n_piece; i++) {
        (void)cs_buf_add(&made, out.piece[i].p, out.piece[i].n);
    }
    cs_buf_free(&b);
    char *wrapped = strstr(made.data, "<xenc:CipherValue>");
    char *text = strstr(wrapped + 1, "<xenc:CipherValue>");
    char *end = strstr(text, "</xenc:CipherValue>");
    char *at = damage == WRAP ? wrapped + 20 : damage == TEXT ? text + 60 : end - 6;
    if (damage != NOTHING) {
        *at = *at == 'A' ? 'B' : 'A';
    }
    return cs_buf_take(&made, NULL);
}

static void take_keys(const char *kind)
{
    static const struct maker_cert cert = {.subject = "own", .serial = 21};
    maker_key_free(&own);
    maker_key_free(&stranger);
    own = maker_key_new(kind, &cert);
    stranger = maker_key_new(kind, &cert); /* the same name, so that ours is what is tried */
}

/* In another order each round, so that no kind always follows the same one. Lower quartiles are compared: what else the
 * machine does makes some of the times longer, and none shorter. */
static void measure(struct wssec_worker *w, struct group *g, unsigned rounds)
{
    struct wssec_policy *p = policy_of(g);
    unsigned kinds = 0;
    take_keys(g->agreed != NULL ? g->agreed : "rsa:2048");
    for (; kinds < KINDS && g->kind[kinds].name != NULL; kinds++) {
        unsigned k = kinds;
        g->kind[k].how.plaintext = content;
        g->kind[k].how.flip = g->kind[k].how.flip == LATE ? (unsigned)strlen(content) - 40 : g->kind[k].how.flip;
        g->kind[k].text = g->agreed == NULL
                              ? craft(&g->kind[k].how)
                              : agreed_text(w, g->kind[k].how.to != NULL ? &stranger : &own, g->kind[k].damage);
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
