/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_private_work.c: how often a private key is used for a message, counted where the key is: not at all before every
 * check that needs none, as often for a message that does not open as for one that does, and never above the bound.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* a method of the key is what counts */
#include "tests/unit/sealing.h"

const char *const harness_suite = "private-work";

static unsigned operations;

static int counted(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    operations++;
    return RSA_meth_get_priv_dec(RSA_PKCS1_OpenSSL())(n, from, to, rsa, padding);
}

static RSA_METHOD *method;

/* The key k, its private operations counted. */
static void count(struct maker_key *k)
{
    RSA *known = EVP_PKEY_get1_RSA(k->pkey);
    RSA *copy = known != NULL ? RSAPrivateKey_dup(known) : NULL;
    EVP_PKEY *key = EVP_PKEY_new();
    if (method == NULL) {
        method = RSA_meth_dup(RSA_PKCS1_OpenSSL());
        CU_ASSERT_EQUAL_FATAL(RSA_meth_set_priv_dec(method, counted), 1);
    }
    CU_ASSERT_FATAL(copy != NULL && key != NULL && RSA_set_method(copy, method) == 1 &&
                    EVP_PKEY_assign_RSA(key, copy) == 1);
    RSA_free(known);
    EVP_PKEY_free(k->pkey);
    k->pkey = key;
}

/* Both keys count, and both are candidates. */
static void begin(void)
{
    static bool counting;
    reset();
    with_older = true;
    if (!counting) {
        count(&own);
        count(&older);
        counting = true;
    }
    operations = 0;
}

static void costs(char *text, bool verify, const char *reason, unsigned expected, const char *what)
{
    operations = 0;
    char *made = opened(text, verify, every_exception);
    if (strcmp(wssec_reason_code(v.reason), reason) != 0 || operations != expected) {
        printf("  # %s: %s (%s), %u operations\n", what, wssec_reason_code(v.reason), v.detail, operations);
    }
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), reason);
    CU_ASSERT_EQUAL(operations, expected);
    free(made);
    free(text);
}

/* head and tail with a number between, n times */
static char *repeated(const char *head, const char *tail, unsigned n)
{
    cs_buf b = CS_BUF_INIT;
    for (unsigned i = 0; i < n; i++) {
        (void)cs_buf_addf(&b, "%s%u%s", head, i, tail);
    }
    return cs_buf_take(&b, NULL);
}

#define A_KEY                                                                                                          \
    "<e:EncryptedKey Id=\"k",                                                                                          \
        "\"><e:EncryptionMethod Algorithm=\"" NS_XENC                                                                  \
        "rsa-oaep-mgf1p\"/><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedKey>"
#define A_DATUM                                                                                                        \
    "<e:EncryptedData Id=\"ed",                                                                                        \
        "\" Type=\"" NS_XENC "Element\"><e:EncryptionMethod Algorithm=\"" NS_XENC11                                    \
        "aes256-gcm\"/><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedData>"

static void floods_are_refused_without_a_private_operation(void)
{
    begin();
    costs(CRAFT(.plaintext = "<a/>", .type = "Element"), false, "ok", 2, "the twin of all of them");
    char *data = repeated(A_DATUM, 10000);
    costs(CRAFT(.plaintext = "<a/>", .type = "Element", .behind = data, .extra_keys = 10), false, "limit-encrypted", 0,
          "10,000 ciphertexts, 11 listed");
    costs(CRAFT(.plaintext = "<a/>", .type = "Element", .behind = data, .extra_keys = 10000), false, "limit-header", 0,
          "10,000 ciphertexts, all listed");
    costs(CRAFT(.plaintext = "<a/>", .type = "Element", .header = data), false, "limit-header", 0,
          "10,000 ciphertexts in the header");
    costs(CRAFT(.plaintext = "<a/>", .type = "Element", .behind = data), false, "ok", 2,
          "10,000 ciphertexts that nobody lists stay payload");
    free(data);
    data = repeated(A_KEY, 10000);
    costs(CRAFT(.plaintext = BODY, .header = data), false, "limit-header", 0, "10,000 keys");
    free(data);
    data = repeated(A_KEY, 100);
    costs(CRAFT(.plaintext = BODY, .header = data), false, "limit-encrypted", 0, "100 keys");
    free(data);
}

static void what_is_wrong_in_form_costs_no_private_operation(void)
{
    static const struct {
        const char *from, *to, *reason;
    } rows[] = {
        {NS_XENC11 "aes256-gcm", "urn:x", "algorithm-unsupported"},
        {NS_XENC "rsa-oaep-mgf1p", "urn:x", "algorithm-unsupported"},
        {"URI=\"#ed\"", "URI=\"#none\"", "reference-unresolved"},
        {"URI=\"#ed\"", "URI=\"http://127.0.0.1/\"", "reference-uri-forbidden"},
        {"<S:Body>", "<S:Body><x Id=\"ed\"/>", "duplicate-id"},
        {"<S:Body>", "<S:Body>text", "security-malformed"},
        {"<e:CipherValue>", "<e:CipherValue>*", "security-malformed"},
        {"</e:ReferenceList>", "<e:DataReference URI=\"#ed\"/></e:ReferenceList>", "security-malformed"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        costs(with(CRAFT(.plaintext = BODY), rows[i].from, rows[i].to), false, rows[i].reason, 0, rows[i].to);
    }
}

/* A signature over the ciphertext comes first: nobody who cannot sign has a key used. */
static void a_bad_signature_ahead_costs_no_private_operation(void)
{
    static const struct {
        const char *from, *to, *reason;
    } rows[] = {{"", "", "ok"},
                {"<ds:SignatureValue>", "<ds:SignatureValue>AAAA", "signature-mismatch"},
                {"<S:Body ", "<S:Body changed=\"\" ", "digest-mismatch"},
                {"#rsa-sha256", "#hmac-sha256", "algorithm-forbidden"}};
    begin();
    char *sealed = encrypted(PLAIN, NULL);
    char *text = signed_text(sealed, &(struct wssec_recipe){.timestamp = true, .join = true});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        costs(with(strdup(text), rows[i].from, rows[i].to), true, rows[i].reason, i == 0 ? 1 : 0, rows[i].reason);
    }
    free(text);
    free(sealed);
}

/* Whether a message opens does not show in how often its keys are used. */
static void what_does_not_open_costs_as_much_as_what_does(void)
{
    static const struct {
        const char *what;
        struct crafted made;
    } rows[] = {{"another key", {.plaintext = BODY, .to = &stranger}},
                {"the second of two keys", {.plaintext = BODY, .to = &older}},
                {"a changed wrap", {.plaintext = BODY, .wrapped_flip = 100}},
                {"a number above every modulus", {.plaintext = BODY, .wrapped_all_ones = true}},
                {"a changed tag", {.plaintext = BODY, .flip_last = true}},
                {"a content key of another length", {.plaintext = BODY, .cipher = "aes128-gcm", .wrong_length = true}},
                {"RSA 1.5 of a stranger", {.plaintext = BODY, .transport = "rsa-1_5", .to = &stranger}},
                {"a cipher without a tag", {.plaintext = BODY, .cipher = "aes128-cbc", .flip_last = true}},
                {"a label", {.plaintext = BODY, .parameters = "<e:OAEPparams>AAAA</e:OAEPparams>"}}};
    begin();
    costs(CRAFT(.plaintext = BODY), false, "ok", 2, "one that opens");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        costs(craft(&rows[i].made), false, i == 1 ? "ok" : "decryption-failed", 2, rows[i].what);
    }
}

/* Each key of the message is tried with each candidate, and all of them together sixteen times at most. */
static void private_operations_of_a_message_have_a_bound(void)
{
    static const struct {
        unsigned keys, others, expected;
    } rows[] = {{1, 1, 2}, {2, 1, 4}, {7, 1, 14}, {8, 1, 16}, {5, 2, 15}, {4, 3, 16}, {4, 4, 16}, {2, 7, 16}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        older_times = rows[i].others;
        cs_buf keys_text = CS_BUF_INIT;
        cs_buf data = CS_BUF_INIT;
        char *one = CRAFT(.plaintext = "<a/>", .type = "Element");
        const char *value = strstr(one, "<e:CipherValue>");
        const char *end = strstr(value, "</e:CipherData>");
        const char *sealed = strstr(strstr(one, "<S:Body>"), "<e:EncryptionMethod");
        const char *sealed_end = strstr(sealed, "</e:EncryptedData>");
        for (unsigned k = 1; k < rows[i].keys; k++) {
            (void)cs_buf_addf(&keys_text,
                              "<e:EncryptedKey><e:EncryptionMethod Algorithm=\"" NS_XENC
                              "rsa-oaep-mgf1p\"/><e:CipherData>%.*s</e:CipherData><e:ReferenceList><e:DataReference "
                              "URI=\"#d%u\"/></e:ReferenceList></e:EncryptedKey>",
                              (int)(end - value), value, k);
            (void)cs_buf_addf(&data, "<e:EncryptedData Id=\"d%u\" Type=\"" NS_XENC "Element\">%.*s</e:EncryptedData>",
                              k, (int)(sealed_end - sealed), sealed);
        }
        (void)cs_buf_adds(&keys_text, "</w:Security>");
        (void)cs_buf_adds(&data, "</S:Body>");
        char *text = with(strdup(one), "</w:Security>", keys_text.data);
        text = with(text, "</S:Body>", data.data);
        costs(text, false, "ok", rows[i].expected, "several keys");
        cs_buf_free(&keys_text);
        cs_buf_free(&data);
        free(one);
    }
}

const struct harness_test harness_tests[] = {
    {"floods_are_refused_without_a_private_operation", floods_are_refused_without_a_private_operation},
    {"what_is_wrong_in_form_costs_no_private_operation", what_is_wrong_in_form_costs_no_private_operation},
    {"a_bad_signature_ahead_costs_no_private_operation", a_bad_signature_ahead_costs_no_private_operation},
    {"what_does_not_open_costs_as_much_as_what_does", what_does_not_open_costs_as_much_as_what_does},
    {"private_operations_of_a_message_have_a_bound", private_operations_of_a_message_have_a_bound},
    {NULL, NULL},
};
