/* SPDX-License-Identifier: Apache-2.0 */
/* test_keystore_input.c: certificates and keys that must not come in; each is refused with its reason and changes
 * nothing. */
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "keystore_input";

static struct fixture f;
static struct made good, other;

int harness_setup(void)
{
    fixture_open(&f);
    good = make_certificate(&(struct recipe){.cn = "good"});
    other = make_certificate(&(struct recipe){.cn = "good"});
    return 0;
}

int harness_teardown(void)
{
    made_free(&good);
    made_free(&other);
    fixture_close(&f);
    return 0;
}

/** Refused with this exit and reason, generation and slot as before. */
static void refused(const ks_add *a, int exit_code, const char *reason)
{
    uint64_t before = ks_generation(f.s);
    int got = add_at(&f, a, NOW);
    if (got != exit_code || strcmp(f.e.reason, reason) != 0) {
        printf("  # got %d %s: %s; expected %d %s\n", got, f.e.reason, f.e.text, exit_code, reason);
    }
    CU_ASSERT_EQUAL(got, exit_code);
    CU_ASSERT_STRING_EQUAL(f.e.reason, reason);
    CU_ASSERT_EQUAL(ks_generation(f.s), before);
}

static ks_add verifier_of(const char *text, size_t n)
{
    return (ks_add){.role = KS_VERIFIER,
                    .partner = "acme",
                    .alias = "acme-sign",
                    .certificate_pem = text,
                    .certificate_len = n,
                    .activate = true};
}

static void refused_text(const char *text, size_t n, const char *reason)
{
    ks_add a = verifier_of(text, n);
    refused(&a, CS_EXIT_USAGE, reason);
}

static void test_what_is_no_certificate_is_named(void)
{
    static char large[1024 * 1024];
    memset(large, 'A', sizeof large);
    memcpy(large, "-----BEGIN CERTIFICATE-----\n", 28);
    refused_text("", 0, "not-a-certificate");
    refused_text("hello", 5, "not-a-certificate");
    refused_text(good.key_pem, strlen(good.key_pem), "not-a-certificate");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "--private-key"));
    refused_text("\xfe\xed\xfe\xed\0\0\0\2", 8, "not-a-certificate");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "keytool"));
    refused_text(good.pem, strlen(good.pem) / 2, "not-a-certificate");
    refused_text(large, sizeof large, "input-too-large");
    refused_text(large, 200 * 1024, "not-a-certificate");
}

static void test_changed_octets_of_a_certificate_never_crash(void)
{
    uint8_t *der = NULL;
    int n = i2d_X509(good.x, &der);
    MADE(n > 0);
    for (int i = 0; i < n; i++) {
        der[i] ^= 0x41;
        ks_add a = verifier_of((const char *)der, (size_t)n);
        CU_ASSERT(EXIT_OF(&f, ks_add_entry(f.s, &a, true, &actor, NOW, &f.out, &f.e)) <= CS_EXIT_CONFIG);
        der[i] ^= 0x41;
    }
    ks_add a = verifier_of((const char *)der, (size_t)n);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &a, true, &actor, NOW, &f.out, &f.e)), 0); /* DER is read */
    a.certificate_len--;
    refused(&a, CS_EXIT_USAGE, "not-a-certificate");
    OPENSSL_free(der);
}

static void test_two_certificates_of_one_subject_need_two_files(void)
{
    char both[8192];
    snprintf(both, sizeof both, "%s%s", good.pem, other.pem);
    refused_text(both, strlen(both), "chain-order");
}

static void test_key_must_belong_to_the_certificate(void)
{
    ks_add a = adding(KS_SIGN, NULL, "own-sign", &good, true);
    a.key_pem = other.key_pem;
    a.key_len = strlen(other.key_pem);
    refused(&a, CS_EXIT_GUARD, "key-match");
    a.key_pem = NULL;
    refused(&a, CS_EXIT_GUARD, "key-match");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "--private-key"));
    a.key_pem = good.pem;
    a.key_len = strlen(good.pem);
    refused(&a, CS_EXIT_USAGE, "not-a-key");
    ks_add v = adding(KS_VERIFIER, "acme", "acme-sign", &good, true);
    v.key_pem = good.key_pem;
    v.key_len = strlen(good.key_pem);
    refused(&v, CS_EXIT_GUARD, "key-match");
}

static void test_encrypted_key_is_refused_without_asking(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MADE(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, good.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
    char *text = bio_text(bio);
    ks_add a = adding(KS_SIGN, NULL, "own-sign", &good, true);
    a.key_pem = text;
    a.key_len = strlen(text);
    refused(&a, CS_EXIT_USAGE, "key-encrypted");
    free(text);
}

static void test_key_size_by_role(void)
{
    static const struct {
        int bits;
        enum ks_role role;
        int exit_code;
        bool warned;
    } row[] = {
        {1023, KS_VERIFIER, CS_EXIT_GUARD, false},
        {1024, KS_VERIFIER, 0, true},
        {2047, KS_VERIFIER, 0, true},
        {2048, KS_VERIFIER, 0, false},
        {1024, KS_SIGN, CS_EXIT_GUARD, false},
        {2048, KS_SIGN, 0, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct made m = make_certificate(&(struct recipe){.rsa_bits = row[i].bits});
        ks_add a = adding(row[i].role, row[i].role == KS_VERIFIER ? "acme" : NULL, "sized", &m, false);
        CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &a, true, &actor, NOW, &f.out, &f.e)), row[i].exit_code);
        bool warned = false;
        for (size_t k = 0; k < f.out.n_note; k++) {
            warned = warned || strstr(f.out.note[k], "bits only") != NULL;
        }
        CU_ASSERT_EQUAL(warned, row[i].warned);
        made_free(&m);
    }
}

static void test_key_usage_by_role(void)
{
    struct made m = make_certificate(&(struct recipe){.key_usage = "keyEncipherment"});
    ks_add a = adding(KS_SIGN, NULL, "own-sign", &m, true);
    refused(&a, CS_EXIT_GUARD, "key-match");
    ks_add v = adding(KS_VERIFIER, "acme", "acme-sign", &m, true); /* the engine judges it at every message */
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &v, true, &actor, NOW, &f.out, &f.e)), 0);
    ks_add t = adding(KS_TRUST_ANCHOR, NULL, "root", &m, true);
    refused(&t, CS_EXIT_GUARD, "key-match");
    made_free(&m);
}

static void test_dates_decide_about_activation_only(void)
{
    struct made old = make_certificate(&(struct recipe){.from = NOW - 20 * CS_DAY, .to = NOW - CS_DAY});
    struct made young = make_certificate(&(struct recipe){.from = NOW + CS_DAY, .to = NOW + 20 * CS_DAY});
    ks_add a = adding(KS_VERIFIER, "acme", "dated", &old, true);
    refused(&a, CS_EXIT_GUARD, "overlap");
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "--since"));
    ks_add b = adding(KS_VERIFIER, "acme", "dated", &young, true);
    refused(&b, CS_EXIT_GUARD, "overlap");
    CU_ASSERT_EQUAL(f.out.refusal[0].allowed_from, NOW + CS_DAY);
    b.activate = false;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &b, true, &actor, NOW, &f.out, &f.e)), 0);
    made_free(&old);
    made_free(&young);
}

static void test_expected_fingerprint_must_fit(void)
{
    uint8_t hash[32];
    char text[65];
    unsigned n = 0;
    MADE(X509_digest(good.x, EVP_sha256(), hash, &n) == 1);
    for (size_t i = 0; i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02X", hash[i]);
    }
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &good, true);
    a.expect_sha256 = text;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_entry(f.s, &a, true, &actor, NOW, &f.out, &f.e)), 0);
    text[0] = text[0] == '0' ? '1' : '0';
    refused(&a, CS_EXIT_USAGE, "fingerprint-differs");
    a.expect_sha256 = "abc";
    refused(&a, CS_EXIT_USAGE, "fingerprint-differs");
}

static void test_names_are_words(void)
{
    static const char *const bad[] = {
        "",   "a#1", "a b",      "-x",
        ".x", "a/b", "\xc3\xa4", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ks_add a = adding(KS_VERIFIER, "acme", bad[i], &good, true);
        refused(&a, CS_EXIT_USAGE, "alias");
        ks_add b = adding(KS_VERIFIER, bad[i], "acme-sign", &good, true);
        refused(&b, CS_EXIT_USAGE, "partner");
    }
    ks_add c = adding(KS_VERIFIER, NULL, "acme-sign", &good, true);
    refused(&c, CS_EXIT_USAGE, "usage");
}

static void test_slot_keeps_role_and_partner(void)
{
    ks_add a = adding(KS_VERIFIER, "acme", "kept", &good, true);
    CU_ASSERT_EQUAL(add_at(&f, &a, NOW), 0);
    refused(&a, CS_EXIT_CONFLICT, "held-already");
    ks_add b = adding(KS_SIGN, NULL, "kept", &other, true);
    refused(&b, CS_EXIT_USAGE, "role-differs");
    ks_add c = adding(KS_VERIFIER, "beta", "kept", &other, true);
    refused(&c, CS_EXIT_USAGE, "partner-differs");
}

const struct harness_test harness_tests[] = {
    {"what_is_no_certificate_is_named", test_what_is_no_certificate_is_named},
    {"changed_octets_of_a_certificate_never_crash", test_changed_octets_of_a_certificate_never_crash},
    {"two_certificates_of_one_subject_need_two_files", test_two_certificates_of_one_subject_need_two_files},
    {"key_must_belong_to_the_certificate", test_key_must_belong_to_the_certificate},
    {"encrypted_key_is_refused_without_asking", test_encrypted_key_is_refused_without_asking},
    {"key_size_by_role", test_key_size_by_role},
    {"key_usage_by_role", test_key_usage_by_role},
    {"dates_decide_about_activation_only", test_dates_decide_about_activation_only},
    {"expected_fingerprint_must_fit", test_expected_fingerprint_must_fit},
    {"names_are_words", test_names_are_words},
    {"slot_keeps_role_and_partner", test_slot_keeps_role_and_partner},
    {NULL, NULL},
};
