/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify.c: whole messages through wssec_verify: what passes, what is refused and why. */
#include "tests/unit/judging.h"

const char *const harness_suite = "verify";

static struct maker_key rsa, rsa2, p256, p384, p521, ed;

int harness_setup(void)
{
    rsa = maker_key_new("rsa:2048", NULL);
    rsa2 = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "next", .serial = 99});
    p256 = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "p256", .serial = 1});
    p384 = maker_key_new("ec:P-384", &(struct maker_cert){.subject = "p384", .serial = 2});
    p521 = maker_key_new("ec:P-521", &(struct maker_cert){.subject = "p521", .serial = 3});
    ed = maker_key_new("ed25519", &(struct maker_cert){.subject = "ed", .serial = 4});
    return judging_begin();
}

int harness_teardown(void)
{
    struct maker_key *all[] = {&rsa, &rsa2, &p256, &p384, &p521, &ed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        maker_key_free(all[i]);
    }
    judging_end();
    return 0;
}

static void accept_all(void)
{
    const struct maker_key *all[] = {&rsa, &rsa2, &p256, &p384, &p521, &ed};
    partner.n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        maker_accept(&partner, all[i], WSSEC_ACTIVE);
    }
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void good_message_passes(void)
{
    accept_all();
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "ok", "Body and Timestamp, RSA");
    CU_ASSERT_STRING_EQUAL(v.certificate.alias, "acme-sign");
    CU_ASSERT_EQUAL(v.certificate.ordinal, 1);
    CU_ASSERT_STRING_EQUAL(v.algorithm, "rsa-sha256");
    CU_ASSERT_STRING_EQUAL(v.canonicalization, "exclusive");
    CU_ASSERT_EQUAL(v.key_reference, WSSEC_KEYREF_DIRECT);
    CU_ASSERT_EQUAL(v.n_covers, 2);
    CU_ASSERT_STRING_EQUAL(v.covers[0], "Body");
    CU_ASSERT_STRING_EQUAL(v.covers[1], "Timestamp");
    CU_ASSERT_EQUAL(v.n_reference, 2);
    CU_ASSERT(v.reference[0].ok && v.reference[1].ok);
    CU_ASSERT_EQUAL(v.claimed, MAKER_NOW);
    CU_ASSERT_EQUAL(v.soap, 11);
    CU_ASSERT_EQUAL(v.generation, 57);
    CU_ASSERT(v.has_replay_key);
    CU_ASSERT(v.security.to > v.security.from);
}

static void changed_octet_fails(void)
{
    accept_all();
    expect(judge(maker_replace(maker_message(&(struct maker){.key = &rsa}), ">bolt<", ">bomb<"), NULL, 0),
           "digest-mismatch", "Body changed");
    CU_ASSERT(!v.reference[0].ok && v.reference[0].judged);
    expect(judge(maker_replace(maker_message(&(struct maker){.key = &rsa}), "2026-09-21T14:18", "2026-09-21T14:17"),
                 NULL, 0),
           "digest-mismatch", "Expires changed");
    expect(judge(maker_replace(maker_message(&(struct maker){.key = &rsa}), "URI=\"#Body\"", "URI=\"#Body\" Id=\"r\""),
                 NULL, 0),
           "signature-mismatch", "SignedInfo changed");
}

static void every_algorithm(void)
{
    static const struct {
        const struct maker_key *key;
        const char *uri, *word;
    } rows[] = {{&rsa, NS_DSMORE "rsa-sha256", "rsa-sha256"},
                {&rsa, NS_DSMORE "rsa-sha384", "rsa-sha384"},
                {&rsa, NS_DSMORE "rsa-sha512", "rsa-sha512"},
                {&p256, NS_DSMORE "ecdsa-sha256", "ecdsa-sha256"},
                {&p384, NS_DSMORE "ecdsa-sha384", "ecdsa-sha384"},
                {&p521, NS_DSMORE "ecdsa-sha512", "ecdsa-sha512"},
                {&rsa, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "rsa-pss-sha256"},
                {&rsa, "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", "rsa-pss-sha512"},
                {&ed, "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", "ed25519"}};
    accept_all();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct setting set = {"signature-algorithms", {rows[i].word, NULL}};
        struct maker m = {.key = rows[i].key, .algorithm = rows[i].uri};
        expect(judge(maker_message(&m), &set, 1), "ok", rows[i].word);
        CU_ASSERT_STRING_EQUAL(v.algorithm, rows[i].word);
        expect(judge(maker_replace(maker_message(&m), ">bolt<", ">bomb<"), &set, 1), "digest-mismatch", rows[i].word);
        expect(judge(maker_replace(maker_message(&m), "<ds:SignedInfo>", "<ds:SignedInfo >"), &set, 1), "ok",
               "same canonical form");
        expect(judge(maker_replace(maker_message(&m), "<ds:SignedInfo>", "<ds:SignedInfo Id=\"x\">"), &set, 1),
               "signature-mismatch", rows[i].word);
    }
}

static void every_key_reference(void)
{
    static const struct {
        const char *kind;
        enum wssec_keyref word;
    } rows[] = {{"direct", WSSEC_KEYREF_DIRECT},
                {"issuer-serial", WSSEC_KEYREF_ISSUER_SERIAL},
                {"ski", WSSEC_KEYREF_SKI},
                {"thumbprint", WSSEC_KEYREF_THUMBPRINT},
                {"x509v3-key-identifier", WSSEC_KEYREF_X509V3},
                {"embedded", WSSEC_KEYREF_EMBEDDED},
                {"x509-data", WSSEC_KEYREF_X509_DATA},
                {"zeep", WSSEC_KEYREF_X509_DATA}};
    accept_all();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int soap = 11; soap <= 12; soap++) {
            struct maker m = {.key = &rsa2, .keyref = rows[i].kind, .soap = soap};
            expect(judge(maker_message(&m), NULL, 0), "ok", rows[i].kind);
            CU_ASSERT_EQUAL(v.key_reference, rows[i].word);
            CU_ASSERT_EQUAL(v.certificate.ordinal, 2);
            CU_ASSERT_EQUAL(v.soap, soap);
            expect(judge(maker_replace(maker_message(&m), ">bolt<", ">bomb<"), NULL, 0), "digest-mismatch",
                   rows[i].kind);
        }
    }
}

static void str_transform_signs_the_token(void)
{
    static const char *const kinds[] = {"direct", "issuer-serial", "ski", "thumbprint", "x509v3-key-identifier"};
    accept_all();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct maker m = {.key = &rsa, .keyref = kinds[i], .refs = "Body TS *STR"};
        expect(judge(maker_message(&m), NULL, 0), "ok", kinds[i]);
    }
    const struct setting token = {"require-signed", {"Body", "BinarySecurityToken", NULL}};
    expect(judge(maker_message(&(struct maker){.key = &rsa, .refs = "Body TS *STR"}), &token, 1), "ok",
           "token covered through its reference");
    expect(judge(maker_message(&(struct maker){.key = &rsa}), &token, 1), "part-not-signed", "token not covered");
}

static void missing_key_info_only_when_allowed(void)
{
    const struct setting allow = {"allow", {"missing-key-info", NULL}};
    accept_all();
    struct maker m = {.key = &rsa2, .keyref = "none"};
    expect(judge(maker_message(&m), NULL, 0), "key-reference-missing", "no KeyInfo");
    expect(judge(maker_message(&m), &allow, 1), "ok", "no KeyInfo, allowed");
    CU_ASSERT_EQUAL(v.certificate.ordinal, 2);
    m.keyref = "<ds:KeyName>somebody</ds:KeyName>";
    expect(judge(maker_message(&m), NULL, 0), "certificate-unknown", "KeyName");
    expect(judge(maker_message(&m), &allow, 1), "ok", "KeyName, allowed");
}

static void inclusive_only_by_directive(void)
{
    const struct setting both = {"canonicalization", {"exclusive", "inclusive", "inclusive-1.1", NULL}};
    accept_all();
    struct maker m = {.key = &rsa, .c14n = INC_C14N};
    expect(judge(maker_message(&m), NULL, 0), "canonicalization-forbidden", "inclusive");
    expect(judge(maker_message(&m), &both, 1), "ok", "inclusive, allowed");
    CU_ASSERT_STRING_EQUAL(v.canonicalization, "inclusive");
    m.c14n = "http://www.w3.org/2006/12/xml-c14n11";
    expect(judge(maker_message(&m), &both, 1), "ok", "inclusive 1.1, allowed");
    m = (struct maker){.key = &rsa, .prefixes = "S wsse #default"};
    expect(judge(maker_message(&m), NULL, 0), "ok", "prefix list");
}

static void sha1_only_by_dated_exception(void)
{
    const struct setting until = {"legacy", {"sha1", "until", "2027-06-30", NULL}};
    const struct setting over = {"legacy", {"sha1", "until", "2026-06-30", NULL}};
    struct maker m = {.key = &rsa, .algorithm = NS_DS "rsa-sha1", .digest = NS_DS "sha1"};
    accept_all();
    expect(judge(maker_message(&m), NULL, 0), "algorithm-forbidden", "SHA-1");
    expect(judge(maker_message(&m), &until, 1), "ok", "SHA-1, excepted");
    CU_ASSERT_EQUAL(v.n_legacy, 1);
    CU_ASSERT_STRING_EQUAL(v.legacy[0], "sha1");
    CU_ASSERT_PTR_NOT_NULL(strstr(v.notes[0], "legacy sha1 until "));
    expect(judge(maker_message(&m), &over, 1), "legacy-ended", "SHA-1, exception over");
}

const struct harness_test harness_tests[] = {
    {"a good message passes and the verdict says what was judged", good_message_passes},
    {"a changed octet fails", changed_octet_fails},
    {"every signature algorithm", every_algorithm},
    {"every key reference in both SOAP versions", every_key_reference},
    {"STR-Transform signs the token that the reference stands for", str_transform_signs_the_token},
    {"missing KeyInfo only when allowed", missing_key_info_only_when_allowed},
    {"inclusive canonicalization only by directive", inclusive_only_by_directive},
    {"SHA-1 only by a dated exception", sha1_only_by_dated_exception},
    {NULL, NULL}};
