/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refusals.c: false signers, algorithms, malformed values and tokens, times, replay: each with its reason, and the
 * message as it should have been as benign twin.
 */
#include "tests/unit/judging.h"

const char *const harness_suite = "refusals";

static struct maker_key rsa, twin_name, stranger, short_rsa, ec, expired, future, no_sign;

int harness_setup(void)
{
    rsa = maker_key_new("rsa:2048", NULL);
    twin_name = maker_key_new("rsa:2048", NULL); /* same subject, issuer and serial, another key */
    stranger = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "stranger", .serial = 5});
    short_rsa = maker_key_new("rsa:1024", &(struct maker_cert){.subject = "short", .serial = 6});
    ec = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "ec", .serial = 7});
    expired = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "old",
                                                             .serial = 8,
                                                             .not_before = MAKER_NOW - 99 * 86400,
                                                             .not_after = MAKER_NOW - 100});
    future =
        maker_key_new("rsa:2048", &(struct maker_cert){.subject = "new", .serial = 9, .not_before = MAKER_NOW + 100});
    no_sign = maker_key_new(
        "rsa:2048", &(struct maker_cert){.subject = "tls", .serial = 10, .key_usage = "critical,keyEncipherment"});
    return judging_begin();
}

int harness_teardown(void)
{
    struct maker_key *all[] = {&rsa, &twin_name, &stranger, &short_rsa, &ec, &expired, &future, &no_sign};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        maker_key_free(all[i]);
    }
    judging_end();
    return 0;
}

static void accept_only(const struct maker_key *a, const struct maker_key *b)
{
    partner.n = 0;
    maker_accept(&partner, a, WSSEC_ACTIVE);
    if (b != NULL) {
        maker_accept(&partner, b, WSSEC_ACTIVE);
    }
}

/* A replacement in a good message of key, and what comes of it; the twin is the message without it. */
struct edit {
    const char *name, *what, *by, *expected;
};

static void edits(const struct maker *m, const struct edit *e, size_t n, const struct setting *set, size_t n_set)
{
    expect(judge(maker_message(m), set, n_set), "ok", "the benign twin");
    for (size_t i = 0; i < n; i++) {
        expect(judge(maker_replace(maker_message(m), e[i].what, e[i].by), set, n_set), e[i].expected, e[i].name);
    }
}

#define EDITS(m, e, set, n_set) edits(m, e, sizeof(e) / sizeof(e)[0], set, n_set)

/* ---- signers ---------------------------------------------------------------------------------------------------- */

static void look_alikes_do_not_pass(void)
{
    accept_only(&rsa, NULL);
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "ok", "twin");
    expect(judge(maker_message(&(struct maker){.key = &twin_name}), NULL, 0), "certificate-unknown",
           "same names, certificate in the message");
    expect(judge(maker_message(&(struct maker){.key = &twin_name, .keyref = "issuer-serial"}), NULL, 0),
           "signature-mismatch", "same names, by issuer and serial");
    expect(judge(maker_message(&(struct maker){.key = &stranger}), NULL, 0), "certificate-unknown", "stranger");
    const char *const kinds[] = {"issuer-serial",         "ski",      "thumbprint",
                                 "x509v3-key-identifier", "embedded", "x509-data"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        expect(judge(maker_message(&(struct maker){.key = &stranger, .keyref = kinds[i]}), NULL, 0),
               "certificate-unknown", kinds[i]);
    }
    /* a stored certificate as decoy, signed by another key */
    struct maker_key decoy = stranger;
    decoy.der = rsa.der;
    decoy.der_len = rsa.der_len;
    expect(judge(maker_message(&(struct maker){.key = &decoy}), NULL, 0), "signature-mismatch", "decoy token");
    const struct setting allow = {"allow", {"missing-key-info", NULL}};
    expect(judge(maker_message(&(struct maker){.key = &stranger, .keyref = "<ds:KeyValue/>"}), &allow, 1),
           "signature-mismatch", "bare KeyValue is no evidence");
}

static void renewed_certificate_and_successor_are_told(void)
{
    struct maker_key again = maker_key_again(&rsa, &(struct maker_cert){.serial = 77});
    struct maker_key next = maker_key_new("rsa:2048", &(struct maker_cert){.serial = 78});
    accept_only(&rsa, NULL);
    expect(judge(maker_message(&(struct maker){.key = &again}), NULL, 0), "certificate-unknown",
           "renewed with the same key");
    CU_ASSERT_PTR_NOT_NULL(strstr(v.detail, "acme-sign#1"));
    CU_ASSERT_EQUAL(v.n_notes, 0);
    expect(judge(maker_message(&(struct maker){.key = &next}), NULL, 0), "certificate-unknown", "successor");
    CU_ASSERT_EQUAL(v.n_notes, 1);
    CU_ASSERT_STRING_EQUAL(v.notes[0], "unknown-successor");
    maker_key_free(&again);
    maker_key_free(&next);
}

static void every_candidate_is_tried_in_any_order(void)
{
    struct maker_key keys[8];
    const struct setting allow = {"allow", {"missing-key-info", NULL}};
    for (size_t i = 0; i < 8; i++) {
        keys[i] = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "many", .serial = 100 + (long)i});
    }
    for (unsigned n = 1; n <= 8; n++) {
        partner.n = 0;
        for (unsigned i = 0; i < n; i++) {
            maker_accept(&partner, &keys[i], WSSEC_ACTIVE);
        }
        for (unsigned i = 0; i < n; i++) {
            expect(judge(maker_message(
                             &(struct maker){.key = &keys[i], .algorithm = NS_DSMORE "ecdsa-sha256", .keyref = "none"}),
                         &allow, 1),
                   "ok", "candidate");
            CU_ASSERT_EQUAL(v.certificate.ordinal, i + 1);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        maker_key_free(&keys[i]);
    }
}

static void states_and_dates_of_the_entry(void)
{
    static const struct {
        enum wssec_state state;
        const char *expected;
    } states[] = {{WSSEC_ACTIVE, "ok"},
                  {WSSEC_DEACTIVATED, "ok"},
                  {WSSEC_PRE_ACTIVE, "certificate-pre-active"},
                  {WSSEC_ARCHIVED, "certificate-archived"},
                  {WSSEC_SUSPENDED, "certificate-suspended"},
                  {WSSEC_COMPROMISED, "certificate-compromised"},
                  {WSSEC_DESTROYED, "certificate-archived"}};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        partner.n = 0;
        maker_accept(&partner, &rsa, states[i].state)->process_stop = MAKER_NOW + 10;
        expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), states[i].expected, "state");
        expect(judge(maker_replace(maker_message(&(struct maker){.key = &rsa}), ">bolt<", ">bomb<"), NULL, 0),
               strcmp(states[i].expected, "ok") == 0 ? "digest-mismatch" : states[i].expected,
               "state of a broken message");
    }
    partner.n = 0;
    maker_accept(&partner, &rsa, WSSEC_DEACTIVATED)->process_stop = MAKER_NOW - 1;
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "certificate-archived", "past process stop");
    partner.n = 0;
    maker_accept(&partner, &rsa, WSSEC_ACTIVE)->revoked_at = MAKER_NOW;
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "certificate-revoked", "revoked");
    partner.entry[0].revoked_at = MAKER_NOW + 1;
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "ok", "revoked later");
    accept_only(&future, NULL);
    expect(judge(maker_message(&(struct maker){.key = &future}), NULL, 0), "certificate-not-yet-valid",
           "not yet valid");
    accept_only(&no_sign, NULL);
    expect(judge(maker_message(&(struct maker){.key = &no_sign}), NULL, 0), "certificate-key-usage", "key usage");
    static const struct {
        enum wssec_trust trust;
        const char *expected;
    } trusts[] = {{WSSEC_TRUST_CHAIN_GOOD, "ok"},
                  {WSSEC_TRUST_CHAIN_BROKEN, "certificate-chain"},
                  {WSSEC_TRUST_SUBJECT_DENIED, "subject-denied"},
                  {WSSEC_TRUST_CRL_MISSING, "revocation-unknown"}};
    for (size_t i = 0; i < sizeof trusts / sizeof trusts[0]; i++) {
        accept_only(&rsa, NULL);
        partner.entry[0].trust = trusts[i].trust;
        expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), trusts[i].expected, "trust");
    }
}

/* KeyInfo is not signed: naming the healthy one of two certificates must not help a compromised key. */
static void a_key_is_as_good_as_its_worst_entry(void)
{
    struct maker_key again = maker_key_again(&rsa, &(struct maker_cert){.serial = 79});
    partner.n = 0;
    maker_accept(&partner, &rsa, WSSEC_ACTIVE);
    maker_accept(&partner, &again, WSSEC_ACTIVE);
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "ok", "two certificates, one key");
    CU_ASSERT_EQUAL(v.n_also, 1);
    CU_ASSERT_EQUAL(v.also_matches[0].ordinal, 2);
    partner.entry[1].state = WSSEC_COMPROMISED;
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "certificate-compromised",
           "one is compromised");
    maker_key_free(&again);
}

static void date_rule_one_second_each_side(void)
{
    const int64_t end = expired.x509 != NULL ? MAKER_NOW - 100 : 0;
    const struct setting refuse = {"expired-certificate", {"refuse", NULL}};
    const struct setting grace = {"expired-certificate", {"grace", "100s", NULL}};
    const struct setting grace_short = {"expired-certificate", {"grace", "99s", NULL}};
    struct maker before = {.key = &expired, .created = end, .expires = end + 300};
    struct maker behind = {.key = &expired, .created = end + 1, .expires = end + 300};
    partner.n = 0;
    maker_accept(&partner, &expired, WSSEC_DEACTIVATED)->process_stop = MAKER_NOW + 1000;
    expect(judge(maker_message(&before), NULL, 0), "ok", "signed in the last second, retention runs");
    CU_ASSERT_EQUAL(v.n_notes, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.notes[0], "expired-since "));
    expect(judge(maker_message(&behind), NULL, 0), "certificate-expired", "signed a second later");
    expect(judge(maker_message(&before), &refuse, 1), "certificate-expired", "refuse");
    expect(judge(maker_message(&behind), &grace, 1), "ok", "grace to the second");
    expect(judge(maker_message(&behind), &grace_short, 1), "certificate-expired", "grace over for a second");
    const struct setting body = {"require-signed", {"Body", NULL}};
    before.refs = "Body";
    expect(judge(maker_message(&before), &body, 1), "certificate-expired", "Created is not signed");
    before.refs = NULL;
    partner.entry[0].state = WSSEC_ACTIVE;
    expect(judge(maker_message(&before), NULL, 0), "certificate-expired", "an active entry that expired");
}

/* ---- algorithms ------------------------------------------------------------------------------------------------- */

static void algorithms_off_the_list(void)
{
    static const char rsa256[] = "Algorithm=\"" NS_DSMORE "rsa-sha256\"";
    static const char sha256[] = "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"";
    static const char method[] = "<ds:CanonicalizationMethod Algorithm=\"" EXC_C14N "\"/>";
    static const struct edit rows[] = {
        {"HMAC", rsa256, "Algorithm=\"" NS_DS "hmac-sha1\"", "algorithm-forbidden"},
        {"HMAC-SHA-256", rsa256, "Algorithm=\"" NS_DSMORE "hmac-sha256\"", "algorithm-forbidden"},
        {"RSA-SHA-1", rsa256, "Algorithm=\"" NS_DS "rsa-sha1\"", "algorithm-forbidden"},
        {"RSA-MD5", rsa256, "Algorithm=\"" NS_DSMORE "rsa-md5\"", "algorithm-forbidden"},
        {"DSA", rsa256, "Algorithm=\"" NS_DS "dsa-sha1\"", "algorithm-forbidden"},
        {"PSS with parameters", rsa256, "Algorithm=\"http://www.w3.org/2007/05/xmldsig-more#rsa-pss\"",
         "algorithm-forbidden"},
        {"unknown", rsa256, "Algorithm=\"urn:unknown\"", "algorithm-unsupported"},
        {"none", rsa256, "", "signature-malformed"},
        {"MD5 digest", sha256, "Algorithm=\"" NS_DSMORE "md5\"", "algorithm-forbidden"},
        {"SHA-1 digest", sha256, "Algorithm=\"" NS_DS "sha1\"", "algorithm-forbidden"},
        {"unknown digest", sha256, "Algorithm=\"urn:unknown\"", "algorithm-unsupported"},
        {"unknown canonicalization", method, "<ds:CanonicalizationMethod Algorithm=\"urn:unknown\"/>",
         "algorithm-forbidden"},
        {"canonicalization with comments", method,
         "<ds:CanonicalizationMethod Algorithm=\"" EXC_C14N "WithComments\"/>", "algorithm-forbidden"},
        {"inclusive canonicalization", method, "<ds:CanonicalizationMethod Algorithm=\"" INC_C14N "\"/>",
         "canonicalization-forbidden"},
        {"HMACOutputLength", "rsa-sha256\"/>",
         "rsa-sha256\"><ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>", "signature-malformed"},
        {"ECDSA with an RSA key", rsa256, "Algorithm=\"" NS_DSMORE "ecdsa-sha256\"", "signature-malformed"},
    };
    accept_only(&rsa, &ec);
    EDITS((&(struct maker){.key = &rsa}), rows, NULL, 0);
    struct maker m = {.key = &ec, .algorithm = NS_DSMORE "ecdsa-sha256"};
    static const struct edit crossed[] = {{"RSA with an EC key", "ecdsa-sha256", "rsa-sha256", "signature-mismatch"}};
    EDITS(&m, crossed, NULL, 0);
}

static void short_keys_only_by_dated_exception(void)
{
    const struct setting until = {"legacy", {"rsa-1024", "until", "2027-06-30", NULL}};
    accept_only(&short_rsa, NULL);
    expect(judge(maker_message(&(struct maker){.key = &short_rsa}), NULL, 0), "key-too-short", "RSA 1024");
    expect(judge(maker_message(&(struct maker){.key = &short_rsa}), &until, 1), "ok", "RSA 1024, excepted");
    CU_ASSERT_STRING_EQUAL(v.legacy[0], "rsa-1024");
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

#define SV "<ds:SignatureValue>"
#define DV "<ds:DigestValue>"

static void malformed_signatures(void)
{
    static const struct edit rows[] = {
        {"two SignedInfo", "</ds:SignedInfo>", "</ds:SignedInfo><ds:SignedInfo/>", "signature-malformed"},
        {"two SignatureValue", SV, "<ds:SignatureValue>AAAA</ds:SignatureValue>" SV, "signature-malformed"},
        {"comment in SignatureValue", SV, SV "<!-- -->", "signature-malformed"},
        {"comment in DigestValue", DV, DV "<!-- -->", "signature-malformed"},
        {"element in DigestValue", DV, DV "<x/>", "signature-malformed"},
        {"junk in SignatureValue", SV, SV "*", "signature-malformed"},
        {"longer DigestValue", DV, DV "AAAA", "signature-malformed"},
        {"ds:Object", "</ds:Signature>", "<ds:Object/></ds:Signature>", "signature-malformed"},
        {"Manifest in SignedInfo", "</ds:SignedInfo>", "<ds:Manifest/></ds:SignedInfo>", "signature-malformed"},
        {"comment in SignedInfo", "<ds:SignedInfo>", "<ds:SignedInfo><!-- -->", "signature-malformed"},
        {"text in SignedInfo", "<ds:SignedInfo>", "<ds:SignedInfo>text", "signature-malformed"},
        {"unknown C14N parameter", "Method Algorithm=\"" EXC_C14N "\"/>",
         "Method Algorithm=\"" EXC_C14N "\"><x/></ds:CanonicalizationMethod>", "signature-malformed"},
    };
    accept_only(&rsa, NULL);
    EDITS((&(struct maker){.key = &rsa}), rows, NULL, 0);
}

static char *with_value(const struct maker *m, const uint8_t *value, size_t n)
{
    char *text = maker_message(m);
    char *from = strstr(text, SV) + strlen(SV);
    char *to = strstr(from, "<");
    char *b64 = maker_base64(value, n);
    cs_buf b = CS_BUF_INIT;
    cs_buf_add(&b, text, (size_t)(from - text));
    cs_buf_adds(&b, b64);
    cs_buf_adds(&b, to);
    free(text);
    free(b64);
    return cs_buf_take(&b, NULL);
}

static void malformed_ecdsa_values(void)
{
    static const uint8_t zero[132] = {0};
    static const uint8_t der[70] = {0x30, 0x44, 0x02, 0x20};
    uint8_t half_zero[64];
    memset(half_zero, 1, sizeof half_zero);
    memset(half_zero, 0, 32);
    struct maker m = {.key = &ec, .algorithm = NS_DSMORE "ecdsa-sha256"};
    accept_only(&ec, NULL);
    expect(judge(maker_message(&m), NULL, 0), "ok", "twin");
    expect(judge(with_value(&m, zero, 64), NULL, 0), "signature-malformed", "zero");
    expect(judge(with_value(&m, half_zero, 64), NULL, 0), "signature-malformed", "r is zero");
    expect(judge(with_value(&m, half_zero + 32, 32), NULL, 0), "signature-malformed", "one half");
    expect(judge(with_value(&m, half_zero, 63), NULL, 0), "signature-malformed", "an octet short");
    expect(judge(with_value(&m, zero, 0), NULL, 0), "signature-malformed", "empty");
    expect(judge(with_value(&m, der, sizeof der), NULL, 0), "signature-malformed", "DER");
    CU_ASSERT_PTR_NOT_NULL(strstr(v.detail, "gSOAP"));
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static void malformed_tokens(void)
{
    static const struct edit rows[] = {
        {"dangling", "URI=\"#X509\"", "URI=\"#nobody\"", "token-not-found"},
        {"to http", "URI=\"#X509\"", "URI=\"http://127.0.0.1:1/cert\"", "token-unsupported"},
        {"to Body", "URI=\"#X509\"", "URI=\"#Body\"", "token-unsupported"},
        {"no URI", "URI=\"#X509\"", "", "token-unsupported"},
        {"without ValueType", "<wsse:Reference URI=\"#X509\" ValueType=\"" X509V3 "\"/>",
         "<wsse:Reference URI=\"#X509\"/>", "token-malformed"},
        {"another ValueType", "<wsse:Reference URI=\"#X509\" ValueType=\"" X509V3 "\"/>",
         "<wsse:Reference URI=\"#X509\" ValueType=\"urn:x\"/>", "token-malformed"},
        {"unknown token type", "ValueType=\"" X509V3 "\" wsu:Id=\"X509\"", "ValueType=\"urn:x\" wsu:Id=\"X509\"",
         "token-malformed"},
        {"PKCS7", "ValueType=\"" X509V3 "\"", "ValueType=\"" O4 "x509-token-profile-1.0#PKCS7\"", "token-malformed"},
        {"HexBinary", BASE64_BINARY, O4 "soap-message-security-1.0#HexBinary", "token-malformed"},
        {"no base64", "wsu:Id=\"X509\">", "wsu:Id=\"X509\">*", "token-malformed"},
        {"no certificate", "wsu:Id=\"X509\">", "wsu:Id=\"X509\">AAAA", "token-malformed"},
        {"two references", "</wsse:SecurityTokenReference>", "<wsse:Reference/></wsse:SecurityTokenReference>",
         "token-malformed"},
        {"empty reference", "<wsse:Reference URI=\"#X509\" ValueType=\"" X509V3 "\"/>", "", "token-malformed"},
        {"KeyName in the reference", "<wsse:Reference URI=\"#X509\" ValueType=\"" X509V3 "\"/>",
         "<ds:KeyName>x</ds:KeyName>", "token-unsupported"},
        {"two ways to name the key", "</ds:KeyInfo>", "<ds:X509Data/></ds:KeyInfo>", "token-malformed"},
        {"RetrievalMethod", "</ds:KeyInfo>", "<ds:RetrievalMethod URI=\"file:///etc/passwd\"/></ds:KeyInfo>",
         "token-unsupported"},
        {"KeyInfoReference", "</ds:KeyInfo>",
         "<d:KeyInfoReference xmlns:d=\"http://www.w3.org/2009/xmldsig11#\" URI=\"http://127.0.0.1:1/\"/></ds:KeyInfo>",
         "token-unsupported"},
        {"reference without KeyInfo", "<ds:KeyInfo>", "", "xml-malformed"},
    };
    accept_only(&rsa, NULL);
    EDITS((&(struct maker){.key = &rsa}), rows, NULL, 0);
    static const struct edit thumb[] = {
        {"short thumbprint", "#ThumbprintSHA1\">", "#ThumbprintSHA1\">AAAA", "token-malformed"},
        {"SAML", "#ThumbprintSHA1\"", "#SAMLID\"", "token-unsupported"},
        {"EncryptedKeySHA1", "#ThumbprintSHA1\"", "#EncryptedKeySHA1\"", "token-unsupported"}};
    EDITS((&(struct maker){.key = &rsa, .keyref = "thumbprint"}), thumb, NULL, 0);
    static const struct edit serial[] = {
        {"no number", "<ds:X509SerialNumber>", "<ds:X509SerialNumber>x", "token-malformed"},
        {"no name", "<ds:X509IssuerName>", "<ds:X509IssuerName><x/>", "signature-malformed"},
        {"swapped", "<ds:X509IssuerName>", "<ds:X509SerialNumber>1</ds:X509SerialNumber><ds:X509IssuerName>",
         "token-malformed"},
        {"another serial", "<ds:X509SerialNumber>", "<ds:X509SerialNumber>1", "certificate-unknown"}};
    EDITS((&(struct maker){.key = &rsa, .keyref = "issuer-serial"}), serial, NULL, 0);
    expect(judge(maker_replace(maker_message(&(struct maker){.key = &rsa, .keyref = "issuer-serial"}),
                               "<ds:X509SerialNumber>", "<ds:X509SerialNumber> +00"),
                 NULL, 0),
           "ok", "serial with sign and zeros");
}

static void encrypted_content_is_not_judged_blindly(void)
{
    accept_only(&rsa, NULL);
    const char *const key =
        "<e:EncryptedKey xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:ReferenceList/></e:EncryptedKey>";
    expect(judge(maker_message(&(struct maker){.key = &rsa, .in_security = key}), NULL, 0), "no-decryption-key",
           "EncryptedKey in front of the Signature");
    expect(judge(maker_message(&(struct maker){.key = &rsa, .after_signature = key}), NULL, 0), "ok",
           "signed over the ciphertext");
    CU_ASSERT_STRING_EQUAL(v.notes[0], "encrypted-content");
}

const struct harness_test harness_tests[] = {
    {"look-alikes and decoys do not pass", look_alikes_do_not_pass},
    {"a renewed certificate and a successor are told apart", renewed_certificate_and_successor_are_told},
    {"every candidate is tried, in any order", every_candidate_is_tried_in_any_order},
    {"states and dates of the entry", states_and_dates_of_the_entry},
    {"a key is as good as its worst entry", a_key_is_as_good_as_its_worst_entry},
    {"the date rule to the second", date_rule_one_second_each_side},
    {"algorithms off the list", algorithms_off_the_list},
    {"short keys only by a dated exception", short_keys_only_by_dated_exception},
    {"malformed signatures", malformed_signatures},
    {"malformed ECDSA values", malformed_ecdsa_values},
    {"malformed tokens and key references", malformed_tokens},
    {"encrypted content is not judged blindly", encrypted_content_is_not_judged_blindly},
    {NULL, NULL}};
