/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_agreement.c: content keys that travel under an agreed key (ECDH-ES, X25519; ConcatKDF, HKDF; AES key wrap):
 * every curve and cipher in both directions; what is wrong in a value is the one refusal, what is wrong in the form is
 * refused before a key is used.
 */
#include "tests/unit/sealing.h"

const char *const harness_suite = "agreement";

#define NS_MORE "http://www.w3.org/2021/04/xmldsig-more#"
#define DER_KEY "DEREncodedKeyValue xmlns:dsig11=\"http://www.w3.org/2009/xmldsig11#\">"

static void use(const char *kind)
{
    static const struct maker_cert cert = {.subject = "own", .serial = 21, .key_usage = "keyAgreement"};
    maker_key_free(&own);
    own = maker_key_new(kind, &cert);
    reset();
}

static void every_curve_cipher_and_key_reference_opens_to_the_same_octets(void)
{
    static const char *const curves[] = {"ec:P-256", "ec:P-384", "ec:P-521", "x25519"};
    static const struct {
        const char *cipher, *wrap;
    } ciphers[] = {{"aes256-gcm", "#kw-aes256"}, {"aes192-gcm", "#kw-aes192"}, {"aes128-gcm", "#kw-aes128"}};
    static const enum wssec_keyref kinds[] = {
        WSSEC_KEYREF_DIRECT, WSSEC_KEYREF_ISSUER_SERIAL, WSSEC_KEYREF_SKI,      WSSEC_KEYREF_THUMBPRINT,
        WSSEC_KEYREF_X509V3, WSSEC_KEYREF_EMBEDDED,      WSSEC_KEYREF_X509_DATA};
    for (size_t c = 0; c < 4; c++) {
        use(curves[c]);
        for (size_t i = 0; i < 3; i++) {
            char *sealed = encrypted(PLAIN, &(struct wssec_encryption){.cipher = ciphers[i].cipher});
            CU_ASSERT_PTR_NOT_NULL(strstr(sealed, c < 3 ? "xmlenc11#ECDH-ES" : "2021/04/xmldsig-more#x25519"));
            CU_ASSERT_PTR_NOT_NULL(strstr(sealed, ciphers[i].wrap));
            opens_to(sealed, false, NULL, PLAIN);
            CU_ASSERT_TRUE(v.has_decrypted_with && v.opening);
        }
    }
    for (size_t i = 0; i < 2 * sizeof kinds / sizeof kinds[0]; i++) {
        use(i % 2 == 0 ? "ec:P-256" : "x25519");
        opens_to(encrypted(PLAIN, &(struct wssec_encryption){.key_reference = kinds[i / 2],
                                                             .transport = i % 2 == 0 ? "ecdh-es" : "x25519"}),
                 false, NULL, PLAIN);
    }
    char *inner = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    opens_to(encrypted(inner, NULL), true, NULL, inner);
    free(inner);
}

/* sealed text with one piece changed */
static char *changed(const char *from, const char *to)
{
    return with(encrypted(PLAIN, NULL), from, to);
}

/* The octet at is another one; counted behind word. */
static char *flipped(const char *word, size_t at)
{
    char *text = encrypted(PLAIN, NULL);
    char *p = strstr(text, word);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    p += strlen(word) + at;
    *p = *p == 'A' ? 'B' : 'A';
    return text;
}

/* Nobody learns from the answer which of the texts it was. Takes the texts. */
static void all_are_one_refusal(char *const *text, size_t n)
{
    char fault[2048] = "";
    for (size_t i = 0; i < n; i++) {
        char other[sizeof fault];
        refused(text[i], false, NULL, "decryption-failed");
        CU_ASSERT_TRUE(v.opening);
        (void)wssec_fault(&v, "5f0c", i == 0 ? fault : other, sizeof fault);
        CU_ASSERT(i == 0 || strcmp(fault, other) == 0);
    }
}

static void every_wrong_value_is_one_refusal(void)
{
    use("ec:P-256");
    char *text[] = {
        flipped("PublicKey>", 20), /* no point of the curve */
        flipped("</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>", 5),
        changed("AlgorithmID=\"00", "AlgorithmID=\"0000"),
        changed("PartyUInfo=\"00\"", "PartyUInfo=\"00AB\""),
        changed("ConcatKDFParams AlgorithmID", "ConcatKDFParams SuppPubInfo=\"0001\" AlgorithmID"),
        changed("<ds:DigestMethod Algorithm=\"" NS_XENC "sha256\"", "<ds:DigestMethod Algorithm=\"" NS_XENC "sha512\""),
        changed("#kw-aes256", "#kw-aes128"),
        changed("urn:oid:1.2.840.10045.3.1.7", "urn:oid:1.3.132.0.34"),
    };
    all_are_one_refusal(text, sizeof text / sizeof text[0]);
    opens_to(changed("PartyUInfo=\"00\" PartyVInfo=\"00\"", "PartyUInfo=\"\""), false, NULL, PLAIN);
}

static void every_wrong_value_with_hkdf_is_the_same_refusal(void)
{
    /* points that agree on nothing but zeros with whatever key */
    static const uint8_t zeros[32] = {0};
    static const uint8_t one[32] = {1};
    char none[64];
    char first[64];
    use("x25519");
    char *text[] = {
        flipped(DER_KEY, 20),
        flipped("<more:Salt>", 3),
        flipped("<more:Info>", 3),
        changed("hmac-sha256", "hmac-sha512"),
        flipped("</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>", 5),
        with(changed("#kw-aes256", "#kw-aes128"), "<more:KeyLength>32", "<more:KeyLength>16"),
        strdup(""),
        strdup(""),
    };
    (void)cs_base64_encode(zeros, sizeof zeros, none);
    (void)cs_base64_encode(one, sizeof one, first);
    for (size_t i = 0; i < 2; i++) { /* the head of the key is 12 octets, 16 of base64 */
        char *sealed = encrypted(PLAIN, NULL);
        char *at = strstr(strstr(sealed, "DEREncodedKeyValue"), ">") + 1;
        memcpy(at + 16, i == 0 ? none : first, 44);
        free(text[6 + i]);
        text[6 + i] = sealed;
    }
    all_are_one_refusal(text, sizeof text / sizeof text[0]);
    opens_to(changed("<more:KeyLength>32</more:KeyLength>", ""), false, NULL, PLAIN);
}

struct wrong_form {
    const char *from, *to, *reason;
};

static void each_is_refused_before_a_key_is_used(const char *kind, const struct wrong_form *row, size_t n)
{
    use(kind);
    for (size_t i = 0; i < n; i++) {
        refused(changed(row[i].from, row[i].to), false, NULL, row[i].reason);
        CU_ASSERT_FALSE(v.opening);
    }
}

static void wrong_forms_are_refused_before_a_key_is_used(void)
{
    static const struct wrong_form rows[] = {
        {"xmlenc11#ECDH-ES", "xmlenc11#dh-es", "algorithm-unsupported"},
        {"xmlenc11#ConcatKDF", "xmlenc11#pbkdf2", "algorithm-unsupported"},
        {NS_XENC "sha256", NS_DS "sha1", "algorithm-unsupported"},
        {"urn:oid:1.2.840.10045.3.1.7", "urn:oid:1.3.132.0.10", "algorithm-unsupported"},
        {NS_XENC "kw-aes256", NS_XENC "rsa-oaep-mgf1p", "token-unsupported"},
        {NS_XENC "kw-aes256", NS_XENC "kw-tripledes", "algorithm-unsupported"},
        {"AlgorithmID=\"00", "AlgorithmID=\"04", "security-malformed"},
        {"AlgorithmID=\"00", "AlgorithmID=\"0", "security-malformed"},
        {"AlgorithmID=\"00", "AlgorithmID=\"xy", "security-malformed"},
        {"PublicKey>", "PublicKey>!", "security-malformed"},
        {"<xenc:OriginatorKeyInfo>", "<xenc:OriginatorKeyInfo><ds:KeyName/>", "security-malformed"},
        {"<xenc:RecipientKeyInfo>", "<xenc:KA-Nonce/><xenc:RecipientKeyInfo>", "security-malformed"},
        {"<xenc:AgreementMethod", "<ds:KeyName/><xenc:AgreementMethod", "token-unsupported"},
        {"</xenc:AgreementMethod>", "</xenc:AgreementMethod><ds:KeyName/>", "token-unsupported"},
        {"<ds:KeyValue>", "<ds:RSAKeyValue/><ds:KeyValue>", "security-malformed"},
    };
    static const struct wrong_form x25519_rows[] = {
        {"xmldsig-more#x25519", "xmldsig-more#x448", "algorithm-unsupported"},
        {NS_MORE "x25519", NS_XENC11 "ECDH-ES", "security-malformed"},
        {"xmldsig-more#hkdf", "xmldsig-more#pbkdf2", "algorithm-unsupported"},
        {NS_MORE "hkdf", NS_XENC11 "ConcatKDF", "security-malformed"},
        {"hmac-sha256", "hmac-sha1", "algorithm-unsupported"},
        {"<more:PRF", "<more:PRG", "security-malformed"},
        {"<more:Salt>", "<more:Salt>*", "security-malformed"},
        {"<more:Info>", "<more:Info><more:Info/>", "security-malformed"},
        {"<more:KeyLength>32", "<more:KeyLength>16", "security-malformed"},
        {"<more:KeyLength>32", "<more:KeyLength>+32", "security-malformed"},
        {"<more:KeyLength>32", "<more:KeyLength>0000000000000032", "security-malformed"},
        {"</more:HKDFParams>", "<more:KeyLength>32</more:KeyLength></more:HKDFParams>", "security-malformed"},
        {"</more:HKDFParams>", "</more:HKDFParams><a/>", "security-malformed"},
        {DER_KEY, DER_KEY "AAAA", "algorithm-unsupported"},
    };
    each_is_refused_before_a_key_is_used("ec:P-256", rows, sizeof rows / sizeof rows[0]);
    each_is_refused_before_a_key_is_used("x25519", x25519_rows, sizeof x25519_rows / sizeof x25519_rows[0]);
}

static void a_key_of_another_kind_or_curve_does_not_open(void)
{
    use("ec:P-256");
    char *text = changed("<xenc:RecipientKeyInfo>", "<xenc:RecipientKeyInfo><!-- -->"); /* comments count for nothing */
    char *nobody = encrypted(PLAIN, &(struct wssec_encryption){.key_reference = WSSEC_KEYREF_THUMBPRINT});
    opens_to(strdup(text), false, NULL, PLAIN);
    use("ec:P-256");
    refused(nobody, false, NULL, "no-decryption-key");
    refused(strdup(text), false, NULL, "decryption-failed"); /* issuer and serial fit, the key does not */
    use("ec:P-384");
    refused(strdup(text), false, NULL, "decryption-failed");
    use("x25519");
    refused(strdup(text), false, NULL, "decryption-failed");
    use("rsa:2048");
    refused(text, false, NULL, "decryption-failed");
}

static void what_a_key_cannot_do_is_not_made(void)
{
    static const struct {
        const char *key, *transport;
    } rows[] = {{"rsa:2048", "ecdh-es"}, {"ec:P-256", "rsa-oaep"}, {"ed25519", NULL},
                {"ec:P-256", "x25519"},  {"x25519", "ecdh-es"},    {"x25519", "rsa-oaep"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        use(rows[i].key);
        struct wssec_slice slice = {(const uint8_t *)PLAIN, strlen(PLAIN)};
        struct wssec_input in = {.slice = &slice, .n_slice = 1};
        struct wssec_output out;
        struct wssec_verdict made;
        CU_ASSERT_EQUAL(wssec_encrypt(worker, &in, &(struct wssec_encryption){.transport = rows[i].transport}, &when,
                                      &keys, &out, &made),
                        WSSEC_RC_OK);
        CU_ASSERT_EQUAL(made.reason, WSSEC_ALGORITHM_UNSUPPORTED);
        CU_ASSERT_EQUAL(out.n_piece, 0);
    }
}

const struct harness_test harness_tests[] = {
    {"every_curve_cipher_and_key_reference_opens_to_the_same_octets",
     every_curve_cipher_and_key_reference_opens_to_the_same_octets},
    {"every_wrong_value_is_one_refusal", every_wrong_value_is_one_refusal},
    {"every_wrong_value_with_hkdf_is_the_same_refusal", every_wrong_value_with_hkdf_is_the_same_refusal},
    {"wrong_forms_are_refused_before_a_key_is_used", wrong_forms_are_refused_before_a_key_is_used},
    {"a_key_of_another_kind_or_curve_does_not_open", a_key_of_another_kind_or_curve_does_not_open},
    {"what_a_key_cannot_do_is_not_made", what_a_key_cannot_do_is_not_made},
    {NULL, NULL},
};
