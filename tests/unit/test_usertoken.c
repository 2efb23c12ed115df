/* SPDX-License-Identifier: Apache-2.0 */
/* test_usertoken.c: UsernameTokens in a signed message: digest and clear text, freshness, the nonce once, every wrong
 * shape. */
#include <openssl/evp.h>

#include "tests/unit/engine.h"
#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"
#include "wssec/policy.h"

const char *const harness_suite = "usertoken";

#define UTP "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
#define B64 "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

static struct wssec_worker *worker;
static struct maker_key signer;
static struct wssec_verdict v;
static bool required;
static bool tls, with_passwords, freshness;
static uint8_t seen[8][32];
static unsigned n_seen;

int harness_setup(void)
{
    char err[256];
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    worker = wssec_worker_new();
    signer = maker_key_new("rsa:2048", NULL);
    return worker == NULL;
}

int harness_teardown(void)
{
    maker_key_free(&signer);
    wssec_worker_free(worker);
    wssec_shutdown();
    return 0;
}

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    struct wssec_entry *e = maker_accept(&p, &signer, WSSEC_ACTIVE);
    e->key = use == WSSEC_USE_SIGN ? signer.pkey : e->key;
    return maker_candidates(&p, use, h, at, out, max);
}

static int password(void *ctx, const char *user, char *out, size_t outsize)
{
    (void)ctx;
    if (strcmp(user, "broken") == 0) {
        return -1;
    }
    return strcmp(user, "anna") == 0 && snprintf(out, outsize, "s3cret") > 0;
}

static int claim(void *ctx, const uint8_t key[32], int64_t keep_until)
{
    (void)ctx;
    CU_ASSERT_TRUE(keep_until > MAKER_NOW);
    for (unsigned i = 0; i < n_seen; i++) {
        if (memcmp(seen[i], key, 32) == 0) {
            return 0;
        }
    }
    memcpy(seen[n_seen++], key, 32);
    return 1;
}

static void reset(void)
{
    required = true;
    tls = false;
    with_passwords = true;
    freshness = true;
    n_seen = 0;
}

/* A message signed over its Body, Timestamp and this token. @return the reason of the judgement */
static const char *judged(const char *token)
{
    char err[256];
    struct wssec_resolver keys = {NULL, 1, candidates, with_passwords ? password : NULL};
    struct wssec_replay replay = {NULL, claim};
    struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, freshness, true};
    char *message = maker_message(
        &(struct maker){.key = &signer, .in_security = token, .refs = token != NULL ? "Body TS UT" : "Body TS"});
    struct wssec_slice slice = {(const uint8_t *)message, strlen(message)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .over_tls = tls};
    struct wssec_policy *p = wssec_policy_new("test");
    static const char *const parts[] = {"Body", "UsernameToken"};
    CU_ASSERT_EQUAL_FATAL(wssec_policy_set(p, "require-signed", required ? 2 : 1, parts, err, sizeof err), 0);
    CU_ASSERT_FATAL(wssec_policy_freeze(p, err, sizeof err) >= 0);
    int rc = wssec_verify(worker, &in, p, &when, &keys, &replay, &v, NULL);
    CU_ASSERT_TRUE(rc == WSSEC_RC_OK || v.verdict == WSSEC_ERROR);
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, v.reason == WSSEC_OK);
    wssec_policy_unref(p);
    free(message);
    return wssec_reason_code(v.reason);
}

static void is(char *token, const char *reason)
{
    const char *got = judged(token);
    if (strcmp(got, reason) != 0) {
        printf("  # expected %s, got %s (%s)\n", reason, got, v.detail);
    }
    CU_ASSERT_STRING_EQUAL(got, reason);
    free(token);
}

static char *token_of(const char *children)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "<wsse:UsernameToken wsu:Id=\"UT\">%s</wsse:UsernameToken>", children);
    return cs_buf_take(&b, NULL);
}

static char *digest_token(const char *user, const char *secret, const char *nonce, int64_t created, bool spaced)
{
    char when[CS_TIME_TEXT];
    uint8_t sha1[20];
    cs_buf b = CS_BUF_INIT;
    cs_buf children = CS_BUF_INIT;
    (void)cs_time_format(created, when);
    (void)cs_buf_addf(&b, "%s%s%s", nonce, when, secret);
    CU_ASSERT_EQUAL(EVP_Digest(b.data, b.len, sha1, NULL, EVP_sha1(), NULL), 1);
    char *value = maker_base64(sha1, sizeof sha1);
    char *coded = maker_base64((const uint8_t *)nonce, strlen(nonce));
    (void)cs_buf_addf(&children,
                      "<wsse:Username>%s</wsse:Username><wsse:Password Type=\"" UTP
                      "#PasswordDigest\">%s</wsse:Password>"
                      "<wsse:Nonce EncodingType=\"" B64 "\">%.4s%s%s</wsse:Nonce><wsu:Created>%s</wsu:Created>",
                      user, value, coded, spaced ? "\n" : "", coded + 4, when);
    char *made = token_of(children.data);
    free(value);
    free(coded);
    cs_buf_free(&b);
    cs_buf_free(&children);
    return made;
}

static char *text_token(const char *user, const char *secret)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "<wsse:Username>%s</wsse:Username><wsse:Password>%s</wsse:Password>", user, secret);
    char *made = token_of(b.data);
    cs_buf_free(&b);
    return made;
}

static void a_digest_passes_and_every_other_password_user_or_nonce_does_not(void)
{
    reset();
    is(digest_token("anna", "s3cret", "nonce-of-16-octs", MAKER_NOW, false), "ok");
    is(digest_token("anna", "secret", "nonce-2-16-octet", MAKER_NOW, false), "username-token-refused");
    is(digest_token("ben", "s3cret", "nonce-3-16-octet", MAKER_NOW, false), "username-token-refused");
    is(digest_token("ben", "", "nonce-4-16-octet", MAKER_NOW, false), "username-token-refused");
    CU_ASSERT_EQUAL(n_seen, 2); /* the signature and the nonce of the one that passed */
    is(digest_token("broken", "s3cret", "nonce-5-16-octet", MAKER_NOW, false), "internal");
    CU_ASSERT_EQUAL(v.verdict, WSSEC_ERROR);
}

static void a_nonce_is_taken_once_however_it_is_coded(void)
{
    reset();
    is(digest_token("anna", "s3cret", "nonce-of-16-octs", MAKER_NOW, false), "ok");
    is(digest_token("anna", "s3cret", "nonce-of-16-octs", MAKER_NOW - 1, true), "replay");
    is(digest_token("anna", "s3cret", "nonce-of-16-octx", MAKER_NOW - 1, true), "ok");
}

static void created_is_fresh_by_the_policy_and_only_noted_in_archives(void)
{
    reset();
    is(digest_token("anna", "s3cret", "nonce-1", MAKER_NOW + 300, false), "ok");
    is(digest_token("anna", "s3cret", "nonce-2", MAKER_NOW + 301, false), "username-token-refused");
    is(digest_token("anna", "s3cret", "nonce-3", MAKER_NOW - 600, false), "ok");
    is(digest_token("anna", "s3cret", "nonce-4", MAKER_NOW - 601, false), "username-token-refused");
    freshness = false;
    is(digest_token("anna", "s3cret", "nonce-5", MAKER_NOW - 601, false), "ok");
    CU_ASSERT_STRING_EQUAL(v.notes[0], "username-token-late");
}

static void clear_text_is_taken_over_tls_only(void)
{
    reset();
    is(text_token("anna", "s3cret"), "username-token-refused");
    tls = true;
    is(text_token("anna", "s3cret"), "ok");
    is(text_token("anna", "s3cre"), "username-token-refused");
    is(text_token("ben", "s3cret"), "username-token-refused");
}

static void the_policy_says_whether_a_token_must_be_there_and_passwords_whether_it_is_looked_at(void)
{
    reset();
    is(NULL, "part-not-signed");
    required = false;
    is(NULL, "ok");
    is(digest_token("anna", "wrong", "nonce-1", MAKER_NOW, false), "username-token-refused");
    with_passwords = false;
    is(digest_token("anna", "wrong", "nonce-2", MAKER_NOW, false), "ok");
}

static void every_wrong_shape_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "text<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username>",
        "<wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username/><wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username><b/>anna</wsse:Username><wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username><wsse:Username>ben</wsse:Username><wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password><wsse:Password>s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username><wsse:Password Type=\"urn:x\">s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username><wsse:Password Type=\"" UTP "#PasswordDigest\">s3cret</wsse:Password>",
        "<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password><wsse:Nonce>!</wsse:Nonce>",
        "<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password><wsse:Nonce EncodingType=\"urn:x\">AAAA</wsse:Nonce>",
        "<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password><wsu:Created>yesterday</wsu:Created>",
        "<wsse:Username>anna</wsse:Username><wsse:Password>s3cret</wsse:Password><x xmlns=\"urn:x\"/>",
    };
    reset();
    tls = true;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        is(token_of(bad[i]), "username-token-refused");
    }
}

const struct harness_test harness_tests[] = {
    {"a_digest_passes_and_every_other_password_user_or_nonce_does_not",
     a_digest_passes_and_every_other_password_user_or_nonce_does_not},
    {"a_nonce_is_taken_once_however_it_is_coded", a_nonce_is_taken_once_however_it_is_coded},
    {"created_is_fresh_by_the_policy_and_only_noted_in_archives",
     created_is_fresh_by_the_policy_and_only_noted_in_archives},
    {"clear_text_is_taken_over_tls_only", clear_text_is_taken_over_tls_only},
    {"the_policy_says_whether_a_token_must_be_there_and_passwords_whether_it_is_looked_at",
     the_policy_says_whether_a_token_must_be_there_and_passwords_whether_it_is_looked_at},
    {"every_wrong_shape_is_refused", every_wrong_shape_is_refused},
    {NULL, NULL},
};
