/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c: the words of a policy: what each takes and refuses, exceptions with an end, contradictions, the
 * questions. */
#include "tests/unit/harness.h"

#include <libxml/c14n.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/time.h"
#include "wssec/directives.h"
#include "wssec/policy.h"
#include "wssec/policy_words.h"

const char *const harness_suite = "policy";

static char err[512];

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

#define MAX 8

struct statement {
    const char *word;
    const char *argument[MAX];
};

static int set(struct wssec_policy *p, const struct statement *s)
{
    int argc = 0;
    while (argc < MAX && s->argument[argc] != NULL) {
        argc++;
    }
    err[0] = '\0';
    return wssec_policy_set(p, s->word, argc, s->argument, err, sizeof err);
}

static int one(struct wssec_policy *p, const char *word, const char *a, const char *b, const char *c)
{
    return set(p, &(struct statement){word, {a, b, c}});
}

static void the_default_is_what_the_manual_says(void)
{
    struct wssec_policy *p = wssec_policy_new("default");
    CU_ASSERT_EQUAL(wssec_policy_freeze(p, err, sizeof err), 0);
    CU_ASSERT_STRING_EQUAL(wssec_policy_name(p), "default");
    CU_ASSERT_EQUAL(p->n_required, 2);
    CU_ASSERT(p->required[0].kind == WSSEC_PART_BODY && !p->required[0].optional);
    CU_ASSERT(p->required[1].kind == WSSEC_PART_TIMESTAMP && p->required[1].optional);
    CU_ASSERT(!p->timestamp_required && p->ttl == 300 && p->skew == 300);
    CU_ASSERT(wssec_policy_replay(p) && !p->comments_allowed && p->allow == 0);
    CU_ASSERT_EQUAL(p->encodings, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16);
    CU_ASSERT_EQUAL(p->minimum_rsa, 2048);
    CU_ASSERT_EQUAL(p->cross_check_ppm, 10000);
    CU_ASSERT_EQUAL(p->expired, WSSEC_EXPIRED_AT_SIGNING);
    CU_ASSERT_EQUAL(wssec_policy_body_limit(p), 64u << 20);
    CU_ASSERT(p->limits.depth == 128 && p->limits.attributes == 256 && p->limits.namespaces == 64 &&
              p->limits.references == 30 && p->limits.transforms == 5);
    static const struct {
        const char *word;
        bool allowed;
    } algorithms[] = {{"rsa-sha256", true},
                      {"ecdsa-sha512", true},
                      {"rsa-sha1", false},
                      {"rsa-pss-sha256", false},
                      {"ed25519", false}};
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        enum wssec_legacy used;
        enum wssec_reason r = wssec_policy_signature(p, wssec_signature_by_word(algorithms[i].word), 0, &used);
        CU_ASSERT_EQUAL(r, algorithms[i].allowed ? WSSEC_OK : WSSEC_ALGORITHM_FORBIDDEN);
        CU_ASSERT_EQUAL(used, WSSEC_LEGACY_NONE);
    }
    CU_ASSERT_EQUAL(wssec_policy_c14n(p, wssec_c14n_by_word("exclusive")), WSSEC_OK);
    CU_ASSERT_EQUAL(wssec_policy_c14n(p, wssec_c14n_by_word("inclusive")), WSSEC_CANONICALIZATION_FORBIDDEN);
    wssec_policy_unref(p);
    CU_ASSERT_PTR_NULL(wssec_policy_new("a-name-that-is-longer-than-sixty-four-characters-is-not-a-name-at-all"));
}

static const struct {
    struct statement s;
    bool good;
} argument_rows[] = {
    {{"require-signed",
      {"Body", "Timestamp?", "wsa:To", "{urn:a}b", "attachments", "Signature", "UsernameToken", "BinarySecurityToken"}},
     true},
    {{"require-signed", {NULL}}, false},
    {{"require-signed", {"Boddy"}}, false},
    {{"require-signed", {"Body", "Body?"}}, false},
    {{"require-signed", {"wsa:Too"}}, false},
    {{"require-signed", {"wsa:"}}, false},
    {{"require-signed", {"{urn:a}"}}, false},
    {{"require-signed", {"{}b"}}, false},
    {{"require-signed", {"{urn:a"}}, false},
    {{"require-signed", {"?"}}, false},
    {{"timestamp.required", {"yes"}}, true},
    {{"timestamp.required", {"perhaps"}}, false},
    {{"timestamp.ttl", {"5m"}}, true},
    {{"timestamp.ttl", {"300"}}, false},
    {{"timestamp.ttl", {"1500ms"}}, false},
    {{"timestamp.skew", {"24h"}}, true},
    {{"timestamp.skew", {"86401s"}}, false},
    {{"signature-algorithms", {"ed25519", "rsa-pss-sha512"}}, true},
    {{"signature-algorithms", {"rsa-sha1"}}, false},
    {{"signature-algorithms", {"hmac-sha256"}}, false},
    {{"digest-algorithms", {"sha512"}}, true},
    {{"digest-algorithms", {"sha1"}}, false},
    {{"canonicalization", {"exclusive", "inclusive", "inclusive-1.1"}}, true},
    {{"canonicalization", {"none"}}, false},
    {{"legacy", {"sha1", "until", "2027-06-30"}}, true},
    {{"legacy", {"sha1", "until", "2027-06-30T12:00:00Z"}}, true},
    {{"legacy", {"sha1", "until", "2027-06-31"}}, false},
    {{"legacy", {"sha1", "until", "ever"}}, false},
    {{"legacy", {"sha1", "till", "2027-06-30"}}, false},
    {{"legacy", {"sha1"}}, false},
    {{"legacy", {"md5", "until", "2027-06-30"}}, false},
    {{"minimum-rsa", {"4096"}}, true},
    {{"minimum-rsa", {"16385"}}, false},
    {{"minimum-rsa", {"0"}}, false},
    {{"replay", {"off"}}, true},
    {{"replay", {"maybe"}}, false},
    {{"signature-confirmation", {"require"}}, true},
    {{"signature-confirmation", {"yes"}}, false},
    {{"bsp", {"enforce"}}, true},
    {{"bsp", {"on"}}, false},
    {{"comments", {"allow"}}, true},
    {{"comments", {"yes"}}, false},
    {{"encodings", {"utf-8", "iso-8859-1"}}, true},
    {{"encodings", {"utf-7"}}, false},
    {{"engine", {"xmlsec"}}, true},
    {{"engine", {"openssl"}}, false},
    {{"cross-check", {"0.5%"}}, true},
    {{"cross-check", {"100%"}}, true},
    {{"cross-check", {"101%"}}, false},
    {{"cross-check", {"-1%"}}, false},
    {{"cross-check", {"nan%"}}, false},
    {{"cross-check", {"1"}}, false},
    {{"expired-certificate", {"refuse"}}, true},
    {{"expired-certificate", {"grace", "24h"}}, true},
    {{"expired-certificate", {"grace"}}, false},
    {{"expired-certificate", {"refuse", "24h"}}, false},
    {{"expired-certificate", {"grace", "0s"}}, false},
    {{"allow", {"unsigned-faults", "missing-key-info", "unsigned-attachments"}}, true},
    {{"allow", {"everything"}}, false},
    {{"limits.body", {"64M"}}, true},
    {{"limits.body", {"3G"}}, false},
    {{"limits.body", {"0"}}, false},
    {{"limits.references", {"30"}}, true},
    {{"limits.references", {"31"}}, false},
    {{"limits.depth", {"2048"}}, true},
    {{"limits.depth", {"2049"}}, false},
    {{"limits.widthh", {"1"}}, false},
    {{"no-such-word", {"1"}}, false},
};

static void every_word_takes_good_and_refuses_bad_arguments(void)
{
    for (size_t i = 0; i < sizeof argument_rows / sizeof argument_rows[0]; i++) {
        struct wssec_policy *p = wssec_policy_new("p");
        int rc = set(p, &argument_rows[i].s);
        if ((rc == 0) != argument_rows[i].good) {
            printf("  # %s %s: %s\n", argument_rows[i].s.word,
                   argument_rows[i].s.argument[0] != NULL ? argument_rows[i].s.argument[0] : "", err);
        }
        CU_ASSERT_EQUAL(rc == 0, argument_rows[i].good);
        CU_ASSERT_EQUAL(err[0] != '\0', !argument_rows[i].good);
        wssec_policy_unref(p);
    }
}

static void a_misspelt_word_names_its_nearest(void)
{
    static const struct {
        struct statement s;
        const char *near;
    } rows[] = {
        {{"require-signed", {"Boddy"}}, "Body"},
        {{"require-signed", {"wsa:Acton"}}, "wsa:Action"},
        {{"signature-algorithms", {"rsa-sha265"}}, "rsa-sha256"},
        {{"digest-algorithms", {"sha521"}}, "sha512"},
        {{"legacy", {"sha-1", "until", "2027-01-01"}}, "sha1"},
        {{"encodings", {"utf8"}}, "utf-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wssec_policy *p = wssec_policy_new("p");
        char expected[64];
        snprintf(expected, sizeof expected, "did you mean %s?", rows[i].near);
        CU_ASSERT_EQUAL(set(p, &rows[i].s), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err, expected));
        wssec_policy_unref(p);
    }
}

static void an_exception_ends_with_its_day(void)
{
    struct wssec_policy *p = wssec_policy_new("p");
    int64_t last = cs_time_civil(2027, 6, 30, 23, 59, 59);
    enum wssec_legacy used;
    CU_ASSERT_EQUAL(wssec_policy_legacy(p, WSSEC_LEGACY_SHA1, last), WSSEC_DATED_ABSENT);
    CU_ASSERT_EQUAL(one(p, "legacy", "sha1", "until", "2027-06-30"), 0);
    CU_ASSERT_EQUAL(one(p, "legacy", "rsa-1024", "until", "2027-06-30T12:00:00Z"), 0);
    CU_ASSERT_EQUAL(wssec_policy_freeze(p, err, sizeof err), 0);
    CU_ASSERT_EQUAL(wssec_policy_legacy(p, WSSEC_LEGACY_SHA1, last), WSSEC_DATED_IN_FORCE);
    CU_ASSERT_EQUAL(wssec_policy_legacy(p, WSSEC_LEGACY_SHA1, last + 1), WSSEC_DATED_OVER);
    CU_ASSERT_EQUAL(wssec_policy_legacy(p, WSSEC_LEGACY_RSA_1024, cs_time_civil(2027, 6, 30, 11, 59, 59)),
                    WSSEC_DATED_IN_FORCE);
    CU_ASSERT_EQUAL(wssec_policy_legacy(p, WSSEC_LEGACY_RSA_1024, cs_time_civil(2027, 6, 30, 12, 0, 0)),
                    WSSEC_DATED_OVER);
    CU_ASSERT_EQUAL(wssec_policy_signature(p, wssec_signature_by_word("rsa-sha1"), last, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(used, WSSEC_LEGACY_SHA1);
    CU_ASSERT_EQUAL(wssec_policy_signature(p, wssec_signature_by_word("rsa-sha1"), last + 1, &used),
                    WSSEC_LEGACY_ENDED);
    CU_ASSERT_EQUAL(wssec_policy_digest(p, wssec_digest_by_word("sha1"), last, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(wssec_policy_digest(p, wssec_digest_by_word("sha1"), last + 1, &used), WSSEC_LEGACY_ENDED);
    wssec_policy_unref(p);
}

static void contradictions_stop_the_freeze_and_doubts_warn(void)
{
    static const struct {
        struct statement s[3];
        int rc;
    } rows[] = {
        {{{"require-signed", {"Body?", "Timestamp?"}}}, -1},
        {{{"minimum-rsa", {"1024"}}}, -1},
        {{{"timestamp.required", {"yes"}}, {"timestamp.ttl", {"0s"}}}, -1},
        {{{"limits.start-tag", {"1k"}}}, -1},
        {{{"require-signed", {"Body"}}, {"timestamp.required", {"yes"}}}, 1},
        {{{"replay", {"on"}}}, 1},
        {{{"replay", {"on"}}, {"timestamp.required", {"yes"}}}, 0},
        {{{"replay", {"off"}}}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wssec_policy *p = wssec_policy_new("p");
        for (size_t k = 0; k < 3 && rows[i].s[k].word != NULL; k++) {
            CU_ASSERT_EQUAL(set(p, &rows[i].s[k]), 0);
        }
        err[0] = '\0';
        CU_ASSERT_EQUAL(wssec_policy_freeze(p, err, sizeof err), rows[i].rc);
        CU_ASSERT_EQUAL(err[0] != '\0', rows[i].rc != 0);
        wssec_policy_unref(p);
    }
}

static void a_frozen_policy_changes_only_as_a_copy(void)
{
    struct wssec_policy *p = wssec_policy_new("p");
    CU_ASSERT_EQUAL(wssec_policy_freeze(p, err, sizeof err), 0);
    CU_ASSERT_EQUAL(one(p, "comments", "allow", NULL, NULL), -1);
    struct wssec_policy *copy = wssec_policy_copy(p);
    CU_ASSERT_EQUAL(one(copy, "comments", "allow", NULL, NULL), 0);
    CU_ASSERT(copy->comments_allowed && !p->comments_allowed);
    CU_ASSERT_STRING_EQUAL(wssec_policy_name(copy), "p");
    CU_ASSERT_PTR_EQUAL(wssec_policy_ref(p), p);
    wssec_policy_unref(p);
    wssec_policy_unref(p);
    wssec_policy_unref(copy);
    wssec_policy_unref(NULL);
}

static enum wssec_reason key_reason(const struct wssec_policy *p, EVP_PKEY *k, int64_t t, enum wssec_legacy *used)
{
    enum wssec_reason r = wssec_policy_key(p, k, t, used);
    EVP_PKEY_free(k);
    return r;
}

static void keys_are_judged_by_kind_and_length(void)
{
    enum wssec_legacy used;
    struct wssec_policy *p = wssec_policy_new("p");
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(1024), 0, &used), WSSEC_KEY_TOO_SHORT);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(2047), 0, &used), WSSEC_KEY_TOO_SHORT);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(2048), 0, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(key_reason(p, EVP_EC_gen("P-256"), 0, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(key_reason(p, EVP_EC_gen("P-521"), 0, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(key_reason(p, EVP_EC_gen("secp256k1"), 0, &used), WSSEC_KEY_TOO_SHORT);
    CU_ASSERT_EQUAL(key_reason(p, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(key_reason(p, EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), 0, &used), WSSEC_KEY_TOO_SHORT);
    CU_ASSERT_EQUAL(one(p, "legacy", "rsa-1024", "until", "2027-06-30"), 0);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(1024), 1, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(used, WSSEC_LEGACY_RSA_1024);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(2047), 1, &used), WSSEC_OK);
    CU_ASSERT_EQUAL(used, WSSEC_LEGACY_RSA_1024);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(1023), 1, &used), WSSEC_KEY_TOO_SHORT);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(1024), cs_time_civil(2027, 7, 1, 0, 0, 0), &used), WSSEC_LEGACY_ENDED);
    CU_ASSERT_EQUAL(one(p, "minimum-rsa", "3072", NULL, NULL), 0);
    CU_ASSERT_EQUAL(key_reason(p, EVP_RSA_gen(2048), 1, &used), WSSEC_KEY_TOO_SHORT);
    wssec_policy_unref(p);
}

static void ecdsa_values_keep_their_numbers_in_both_shapes(void)
{
    static const size_t octets[] = {64, 96, 132};
    for (size_t i = 0; i < sizeof octets / sizeof octets[0]; i++) {
        for (int shape = 0; shape < 4; shape++) {
            uint8_t raw[132];
            uint8_t der[160];
            uint8_t back[132];
            memset(raw, shape == 0 ? 0x7F : shape == 1 ? 0xFF : 0, sizeof raw);
            if (shape >= 2) { /* small numbers: leading zeros fall away and come back */
                raw[octets[i] / 2 - 1] = shape == 2 ? 0x80 : 1;
                raw[octets[i] - 1] = 1;
            }
            size_t n = wssec_ecdsa_to_der(raw, octets[i], octets[i], der, sizeof der);
            const uint8_t *p = der;
            ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
            CU_ASSERT_PTR_NOT_NULL(sig);
            CU_ASSERT(n > 0 && p == der + n);
            ECDSA_SIG_free(sig);
            CU_ASSERT_EQUAL(wssec_ecdsa_from_der(der, n, octets[i], back, sizeof back), octets[i]);
            CU_ASSERT_EQUAL(memcmp(raw, back, octets[i]), 0);
            for (size_t cut = 0; cut < n; cut++) {
                CU_ASSERT_EQUAL(wssec_ecdsa_from_der(der, cut, octets[i], back, sizeof back), 0);
            }
            CU_ASSERT_EQUAL(wssec_ecdsa_to_der(raw, octets[i] - 1, octets[i], der, sizeof der), 0);
            CU_ASSERT_EQUAL(wssec_ecdsa_to_der(raw, octets[i], octets[i], der, n - 1), 0);
        }
        uint8_t zero[132] = {0};
        uint8_t der[160];
        CU_ASSERT_EQUAL(wssec_ecdsa_to_der(zero, octets[i], octets[i], der, sizeof der), 0);
        zero[octets[i] - 1] = 1;
        CU_ASSERT_EQUAL(wssec_ecdsa_to_der(zero, octets[i], octets[i], der, sizeof der), 0);
    }
}

static void every_algorithm_is_found_by_uri_and_by_word(void)
{
    for (unsigned i = 0; wssec_signature_row(i) != NULL; i++) {
        const struct wssec_signature_alg *a = wssec_signature_row(i);
        CU_ASSERT(a->index == i && wssec_signature_by_uri(a->uri) == a && wssec_signature_by_word(a->word) == a);
        CU_ASSERT_PTR_NULL(wssec_forbidden_name(a->uri));
        CU_ASSERT(a->evp == NULL || EVP_get_digestbyname(a->evp) != NULL);
    }
    for (unsigned i = 0; wssec_digest_row(i) != NULL; i++) {
        const struct wssec_digest_alg *a = wssec_digest_row(i);
        CU_ASSERT(a->index == i && wssec_digest_by_uri(a->uri) == a && wssec_digest_by_word(a->word) == a);
        CU_ASSERT_EQUAL((size_t)EVP_MD_get_size(EVP_get_digestbyname(a->evp)), a->octets);
    }
    CU_ASSERT_EQUAL(wssec_c14n_by_uri("http://www.w3.org/2001/10/xml-exc-c14n#")->libxml2_mode, XML_C14N_EXCLUSIVE_1_0);
    CU_ASSERT_PTR_NULL(wssec_c14n_by_uri("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"));
    CU_ASSERT_PTR_NOT_NULL(wssec_forbidden_name("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"));
    CU_ASSERT_PTR_NOT_NULL(wssec_forbidden_name("http://www.w3.org/2000/09/xmldsig#hmac-sha1"));
    CU_ASSERT_PTR_NULL(wssec_signature_by_uri(NULL));
    CU_ASSERT_PTR_NULL(wssec_forbidden_name("urn:unknown"));
}

static void every_reason_is_complete(void)
{
    static const char *const hints[] = {"S", "L", "O", "-"};
    for (unsigned i = 0; i < WSSEC_REASONS; i++) {
        enum wssec_reason r = (enum wssec_reason)i;
        bool known = false;
        for (size_t k = 0; k < sizeof hints / sizeof hints[0]; k++) {
            known |= strcmp(wssec_reason_hint(r), hints[k]) == 0;
        }
        CU_ASSERT(known);
        CU_ASSERT(strspn(wssec_reason_code(r), "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                  strlen(wssec_reason_code(r)));
        CU_ASSERT(wssec_reason_meaning(r)[0] != '\0' && wssec_reason_cure(r)[0] != '\0');
        for (unsigned k = 0; k < i; k++) {
            CU_ASSERT_STRING_NOT_EQUAL(wssec_reason_code(r), wssec_reason_code((enum wssec_reason)k));
        }
    }
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(WSSEC_REASONS), "internal");
    CU_ASSERT_STRING_EQUAL(wssec_reason_fault(WSSEC_DIGEST_MISMATCH), "wsse:FailedCheck");
    CU_ASSERT_STRING_EQUAL(wssec_reason_fault(WSSEC_TIMESTAMP_EXPIRED), "wsu:MessageExpired");
    CU_ASSERT_STRING_EQUAL(wssec_reason_fault(WSSEC_TIME_UNKNOWN), "");
}

static void a_fault_tells_the_standard_code_and_an_id_only(void)
{
    char out[2048];
    struct wssec_verdict v = {.verdict = WSSEC_FAIL, .soap = 11};
    for (unsigned i = 1; i < WSSEC_REASONS; i++) {
        v.reason = (enum wssec_reason)i;
        snprintf(v.detail, sizeof v.detail, "secret detail");
        for (uint8_t soap = 0; soap <= 12; soap = soap == 0 ? 11 : (uint8_t)(soap + 1)) {
            v.soap = soap;
            size_t n = wssec_fault(&v, "0b0f\"<>&-id", out, sizeof out);
            CU_ASSERT(n > 0 && n == strlen(out));
            CU_ASSERT_PTR_NULL(strstr(out, "secret"));
            CU_ASSERT_PTR_NOT_NULL(strstr(out, ">0b0f-id</cs:fault-id>"));
            CU_ASSERT_PTR_NOT_NULL(
                strstr(out, soap == 12 ? "2003/05/soap-envelope" : "schemas.xmlsoap.org/soap/envelope/"));
            CU_ASSERT_EQUAL(wssec_fault(&v, "id", out, n / 2), 0);
        }
    }
    v.reason = WSSEC_DIGEST_MISMATCH;
    v.soap = 12;
    CU_ASSERT(wssec_fault(&v, "id", out, sizeof out) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        out, "<env:Value>env:Sender</env:Value><env:Subcode><env:Value>wsse:FailedCheck</env:Value></env:Subcode>"));
    CU_ASSERT_EQUAL(wssec_fault_status(&v, false), 400);
    CU_ASSERT_EQUAL(wssec_fault_status(&v, true), 502);
    v.soap = 11;
    CU_ASSERT(wssec_fault(&v, "id", out, sizeof out) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "<faultcode>wsse:FailedCheck</faultcode>"));
    CU_ASSERT_EQUAL(wssec_fault_status(&v, false), 500);
    v.reason = WSSEC_OUT_OF_MEMORY;
    v.soap = 12;
    CU_ASSERT_EQUAL(wssec_fault_status(&v, false), 500);
}

/* ---- the configuration block ---------------------------------------------------------------------------------------
 */

static struct wssec_policies *read_conf(const char *text, struct cs_conf_report *report, struct cs_conf **tree)
{
    struct cs_conf_table table = wssec_directives();
    struct wssec_policies *set_of = wssec_policies_new();
    *tree = NULL;
    if (cs_conf_read_text("test", text, strlen(text), &table, 1, tree, report) == 0 &&
        cs_conf_apply(*tree, table, set_of, report) == 0 && wssec_policies_freeze(set_of, report) == 0) {
        return set_of;
    }
    wssec_policies_free(set_of);
    return NULL;
}

static void a_policy_block_becomes_a_policy(void)
{
    struct cs_conf_report report = {0};
    struct cs_conf *tree = NULL;
    struct wssec_policies *s = read_conf(
        "policy a { require-signed Body Timestamp wsa:To? \"{urn:x}y\"; timestamp { required yes; ttl 60s; skew 5s; }\n"
        "legacy sha1 until 2027-06-30; legacy cbc until 2027-01-01; allow unsigned-faults; allow missing-key-info;\n"
        "limits { body 1M; depth 20; start-tag 8k; } cross-check 2.5%; }\npolicy b { require-signed Body; }",
        &report, &tree);
    for (size_t i = 0; i < report.n; i++) {
        printf("  # %s\n", report.line[i]);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    const struct wssec_policy *a = wssec_policies_find(s, "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT(a->frozen && a->n_required == 4 && a->required[2].optional && a->required[3].kind == WSSEC_PART_ELEMENT);
    CU_ASSERT_STRING_EQUAL(a->required[3].ns, "urn:x");
    CU_ASSERT(a->timestamp_required && a->ttl == 60 && a->skew == 5);
    CU_ASSERT(a->legacy_end[WSSEC_LEGACY_SHA1] != 0 && a->legacy_end[WSSEC_LEGACY_CBC] != 0);
    CU_ASSERT_EQUAL(a->allow, WSSEC_ALLOW_UNSIGNED_FAULTS | WSSEC_ALLOW_MISSING_KEY_INFO);
    CU_ASSERT(a->limits.body == 1 << 20 && a->limits.depth == 20 && a->limits.start_tag == 8192);
    CU_ASSERT_EQUAL(a->cross_check_ppm, 25000);
    CU_ASSERT_PTR_NOT_NULL(wssec_policies_find(s, "b"));
    CU_ASSERT_PTR_NOT_NULL(wssec_policies_find(s, NULL));
    CU_ASSERT_PTR_NULL(wssec_policies_find(s, "c"));
    CU_ASSERT_STRING_EQUAL(wssec_policies_names(s)[0], "a");
    wssec_policies_free(s);
    cs_conf_free(tree);
    cs_conf_report_free(&report);
}

static void a_wrong_policy_block_names_its_place(void)
{
    static const struct {
        const char *text, *place, *says;
    } rows[] = {
        {"policy a {\n  require-signed Boddy; }", "test:2:", "did you mean Body?"},
        {"policy a { require-signed Body; }\npolicy a { require-signed Body; }", "test:2:", "there already"},
        {"policy a { require-signed Body?; }", "test:1:", "demands nothing"},
        {"policy a {\n limits {\n depth 5000; } }", "test:3:", "5000"},
        {"policy a {\n timestamp { ttl 1500ms; } }", "test:2:", "whole seconds"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cs_conf_report report = {0};
        struct cs_conf *tree = NULL;
        struct wssec_policies *s = read_conf(rows[i].text, &report, &tree);
        CU_ASSERT_PTR_NULL(s);
        CU_ASSERT_FATAL(report.n > 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(report.line[0], rows[i].place));
        CU_ASSERT_PTR_NOT_NULL(strstr(report.line[0], rows[i].says));
        wssec_policies_free(s);
        cs_conf_free(tree);
        cs_conf_report_free(&report);
    }
}

static void every_word_has_a_row_and_every_row_a_word(void)
{
    struct cs_conf_table table = wssec_directives();
    for (size_t i = 0; wssec_policy_word_row(i) != NULL; i++) {
        const char *word = wssec_policy_word_row(i)->word;
        const char *dot = strchr(word, '.');
        const char *name = dot != NULL ? dot + 1 : word;
        unsigned found = 0;
        for (size_t k = 0; k < table.n; k++) {
            bool grouped = strcmp(table.row[k].block, "policy") != 0;
            found += strcmp(table.row[k].name, name) == 0 && grouped == (dot != NULL) && table.row[k].opens == NULL;
        }
        CU_ASSERT_EQUAL(found, 1);
    }
    size_t words = 0;
    size_t rows = 0;
    for (; wssec_policy_word_row(words) != NULL; words++) {
    }
    for (size_t k = 0; k < table.n; k++) {
        rows += table.row[k].opens == NULL;
    }
    CU_ASSERT_EQUAL(words, rows);
}

const struct harness_test harness_tests[] = {
    {"the default is what the manual says", the_default_is_what_the_manual_says},
    {"every word takes good and refuses bad arguments", every_word_takes_good_and_refuses_bad_arguments},
    {"a misspelt word names its nearest", a_misspelt_word_names_its_nearest},
    {"an exception ends with its day", an_exception_ends_with_its_day},
    {"contradictions stop the freeze and doubts warn", contradictions_stop_the_freeze_and_doubts_warn},
    {"a frozen policy changes only as a copy", a_frozen_policy_changes_only_as_a_copy},
    {"keys are judged by kind and length", keys_are_judged_by_kind_and_length},
    {"ECDSA values keep their numbers in both shapes", ecdsa_values_keep_their_numbers_in_both_shapes},
    {"every algorithm is found by URI and by word", every_algorithm_is_found_by_uri_and_by_word},
    {"every reason is complete", every_reason_is_complete},
    {"a fault tells the standard code and an id only", a_fault_tells_the_standard_code_and_an_id_only},
    {"a policy block becomes a policy", a_policy_block_becomes_a_policy},
    {"a wrong policy block names its place", a_wrong_policy_block_names_its_place},
    {"every word has a row and every row a word", every_word_has_a_row_and_every_row_a_word},
    {NULL, NULL},
};
