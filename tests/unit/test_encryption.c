/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_encryption.c: messages are encrypted and opened in both orders; every class of attack on encryption has a
 * message that a peer with our public key could make, and a benign twin that differs in one thing.
 */
#include "tests/unit/sealing.h"
#include "wssec/markup.h"
#include "wssec/message.h"

const char *const harness_suite = "encryption";

/* ---- both directions ------------------------------------------------------------------------------------------- */

static void every_algorithm_and_key_reference_opens_to_the_same_octets(void)
{
    static const char *const ciphers[] = {"aes256-gcm", "aes192-gcm", "aes128-gcm"};
    static const char *const transports[] = {"rsa-oaep", "rsa-oaep-mgf1p"};
    static const enum wssec_keyref kinds[] = {
        WSSEC_KEYREF_DIRECT,     WSSEC_KEYREF_PKIPATH, WSSEC_KEYREF_ISSUER_SERIAL, WSSEC_KEYREF_SKI,
        WSSEC_KEYREF_THUMBPRINT, WSSEC_KEYREF_X509V3,  WSSEC_KEYREF_EMBEDDED,      WSSEC_KEYREF_X509_DATA};
    reset();
    for (size_t i = 0; i < 3; i++) {
        for (size_t t = 0; t < 2; t++) {
            struct wssec_encryption how = {.cipher = ciphers[i], .transport = transports[t]};
            opens_to(encrypted(PLAIN, &how), false, NULL, PLAIN);
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct wssec_encryption how = {.key_reference = kinds[i]};
        opens_to(encrypted(PLAIN, &how), false, NULL, PLAIN);
        CU_ASSERT_STRING_EQUAL(v.decrypted_with.alias, "acme-sign");
    }
}

static void a_body_without_content_and_a_header_block_are_encrypted(void)
{
    static const char *const parts[] = {"Body", "wsa:To"};
    static const char text[] = "<S:Envelope xmlns:S=\"" SOAP12 "\"><S:Header><a:To xmlns:a=\"" WSA10
                               "\">urn:x</a:To></S:Header><S:Body></S:Body></S:Envelope>";
    struct wssec_encryption how = {.part = parts, .n_part = 2};
    reset();
    char *sealed = encrypted(text, &how);
    CU_ASSERT_PTR_NULL(strstr(sealed, "urn:x"));
    opens_to(sealed, false, NULL, text);
    opens_to(encrypted("<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body/></S:Envelope>", NULL), false, NULL,
             "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body></S:Body></S:Envelope>");
}

static void sign_then_encrypt_is_opened_before_it_is_verified(void)
{
    static const char *const parts[] = {"Body", "Signature"};
    struct wssec_encryption how = {.part = parts, .n_part = 2};
    reset();
    char *text = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    char *sealed = encrypted(text, &how);
    CU_ASSERT_PTR_NULL(strstr(sealed, "SignedInfo"));
    opens_to(sealed, true, NULL, text);
    CU_ASSERT_TRUE(v.has_certificate);
    CU_ASSERT_EQUAL(v.n_covers, 2);
    /* the tampered twin: signed, changed, then encrypted */
    char *changed = with(strdup(text), "bolt", "gold");
    refused(encrypted(changed, NULL), true, NULL, "digest-mismatch");
    CU_ASSERT_TRUE(v.opening);
    free(changed);
    free(text);
}

static void encrypt_then_sign_is_verified_before_it_is_opened(void)
{
    reset();
    char *sealed = encrypted(PLAIN, NULL);
    char *text = signed_text(sealed, &(struct wssec_recipe){.timestamp = true, .join = true});
    char *made = opened(text, true, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_PTR_NOT_NULL(strstr(made, BODY));
    CU_ASSERT_PTR_NULL(strstr(made, "EncryptedKey"));
    CU_ASSERT_TRUE(v.has_decrypted_with && v.has_certificate);
    free(made);
    refused(with(strdup(text), "<S:Body", "<S:Body x=\"1\""), true, NULL, "digest-mismatch");
    CU_ASSERT_FALSE(v.opening);
    free(text);
    free(sealed);
}

static void the_header_is_removed_from_what_was_opened(void)
{
    struct wssec_output out;
    reset();
    char *text = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    char *sealed = encrypted(text, NULL);
    struct wssec_slice slice = {(const uint8_t *)sealed, strlen(sealed)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_policy *p = policy_with(NULL);
    CU_ASSERT_EQUAL(wssec_open(worker, &in, p, &when, &keys, NULL, true, &v, NULL, &out), WSSEC_RC_OK);
    CU_ASSERT_EQUAL_FATAL(v.verdict, WSSEC_PASS);
    in.slice = out.piece;
    in.n_slice = out.n_piece;
    CU_ASSERT_EQUAL(wssec_remove_header(worker, &in, &v, &out), WSSEC_RC_OK);
    char *made = text_of(&out);
    CU_ASSERT_PTR_NULL(strstr(made, "Security"));
    CU_ASSERT_PTR_NOT_NULL(strstr(made, BODY));
    free(made);
    free(sealed);
    free(text);
    wssec_policy_unref(p);
}

static void an_older_key_opens_in_its_retention_and_the_record_says_so(void)
{
    reset();
    with_older = true;
    opens_to(CRAFT(.plaintext = BODY, .to = &older), false, NULL, OPENED(BODY));
    CU_ASSERT_EQUAL(v.decrypted_with.ordinal, 2);
    CU_ASSERT_STRING_EQUAL(v.notes[0], "decrypted-with-deactivated");
    older_state = WSSEC_ARCHIVED;
    refused(CRAFT(.plaintext = BODY, .to = &older), false, NULL, "decryption-failed");
    own_state = WSSEC_SUSPENDED;
    refused(CRAFT(.plaintext = BODY, .to = &older), false, NULL, "no-decryption-key");
    reset();
}

static enum wssec_reason verified_alone(const char *text)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_policy *p = policy_with(NULL);
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &when, &keys, NULL, &v, NULL), WSSEC_RC_OK);
    wssec_policy_unref(p);
    return v.reason;
}

static void a_signature_over_a_sealed_header_block_asks_for_a_key_not_for_the_block(void)
{
    static const char *const parts[] = {"wsa:To", "Body"};
    static const char *const all[] = {"wsa:To", "Body", "Timestamp"};
    static const char text[] = "<S:Envelope xmlns:S=\"" SOAP12 "\"><S:Header><a:To xmlns:a=\"" WSA10
                               "\">urn:x</a:To></S:Header><S:Body>" BODY "</S:Body></S:Envelope>";
    reset();
    char *signed_over = signed_text(text, &(struct wssec_recipe){.part = all, .n_part = 3, .timestamp = true});
    char *sealed = encrypted(signed_over, &(struct wssec_encryption){.part = parts, .n_part = 2});
    CU_ASSERT_EQUAL(verified_alone(sealed), WSSEC_NO_DECRYPTION_KEY);
    opens_to(sealed, true, NULL, signed_over);
    free(signed_over);
}

/* What stands from one word to the end of another. */
static char *part_of(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    const char *end = at != NULL ? strstr(at, to) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    return strndup(at, (size_t)(end - at) + strlen(to));
}

static void a_key_ahead_of_the_signature_whose_list_follows_it_is_used_behind_it(void)
{
    reset();
    char *sealed = encrypted(PLAIN, NULL);
    char *text = signed_text(sealed, &(struct wssec_recipe){.timestamp = true, .join = true});
    char *list = part_of(text, "<xenc:ReferenceList", "</xenc:ReferenceList>");
    text = with(text, list, "");
    char *key = part_of(text, "<xenc:EncryptedKey", "</xenc:EncryptedKey>");
    char *stamp = part_of(text, "<wsu:Timestamp", ">");
    char *first = with(strdup(key), "</xenc:EncryptedKey>", "</xenc:EncryptedKey>@");
    first = with(first, "@", stamp);
    char *last = with(with(strdup("@</wsse:Security>"), "@", list), "<xenc:ReferenceList",
                      "<xenc:ReferenceList xmlns:xenc=\"" NS_XENC "\"");
    text = with(with(with(text, key, ""), stamp, first), "</wsse:Security>", last);
    char *made = opened(text, true, NULL);
    CU_ASSERT_PTR_NOT_NULL(made);
    CU_ASSERT(made != NULL && strstr(made, BODY) != NULL);
    free(made);
    refused(with(text, "<S:Body", "<S:Body x=\"1\""), true, NULL, "digest-mismatch");
    free(last);
    free(first);
    free(stamp);
    free(key);
    free(list);
    free(sealed);
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

static void weak_algorithms_need_their_exception(void)
{
    static const char *const only_cbc[] = {"cbc", NULL};
    reset();
    refused(CRAFT(.plaintext = BODY, .cipher = "aes128-cbc"), false, NULL, "algorithm-forbidden");
    refused(CRAFT(.plaintext = BODY, .cipher = "aes128-cbc"), false, only_cbc, "algorithm-forbidden");
    refused(CRAFT(.plaintext = BODY, .transport = "rsa-1_5"), false, NULL, "algorithm-forbidden");
    refused(CRAFT(.plaintext = BODY, .cipher = "tripledes-cbc"), false, NULL, "algorithm-forbidden");
    CU_ASSERT_FALSE(v.opening);
    opens_to(CRAFT(.plaintext = BODY, .cipher = "aes128-cbc"), false, every_exception, OPENED(BODY));
    CU_ASSERT_EQUAL(v.n_legacy, 2);
    opens_to(CRAFT(.plaintext = BODY, .transport = "rsa-1_5"), false, every_exception, OPENED(BODY));
    opens_to(CRAFT(.plaintext = BODY, .cipher = "tripledes-cbc"), false, every_exception, OPENED(BODY));
}

static void damaged_ciphertext_and_wrong_keys_are_one_refusal(void)
{
    char first[2048];
    char other[2048];
    static const struct crafted cases[] = {
        {.plaintext = BODY, .flip = 1},
        {.plaintext = BODY, .flip = 20},
        {.plaintext = BODY, .cut = 1},
        {.plaintext = BODY, .cut = 40},
        {.plaintext = BODY, .to = &stranger},
        {.plaintext = BODY, .cipher = "aes128-gcm", .wrong_length = true},
        {.plaintext = BODY, .transport = "rsa-1_5", .to = &stranger},
        {.plaintext = BODY, .transport = "rsa-1_5", .cipher = "aes128-gcm", .wrong_length = true},
        {.plaintext = BODY, .cipher = "aes128-cbc", .cut = 1},
        {.plaintext = BODY, .cipher = "aes128-cbc", .to = &stranger},
        {.plaintext = "</S:Body><S:Body>"},
        {.plaintext = "<!DOCTYPE x>" BODY},
        {.plaintext = "text", .type = "Element"},
    };
    reset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refused(craft(&cases[i]), false, every_exception, "decryption-failed");
        size_t n = wssec_fault(&v, "5f0c", i == 0 ? first : other, sizeof first);
        CU_ASSERT(n > 0 && strstr(first, "wsse:FailedCheck") != NULL);
        CU_ASSERT(i == 0 || strcmp(first, other) == 0);
    }
    opens_to(craft(&(struct crafted){.plaintext = BODY}), false, every_exception, OPENED(BODY));
}

/* Whatever is wrong behind the first private operation, the answer is the same. */
static void every_fault_behind_decryption_is_the_same(void)
{
    char fault[2048];
    char other[2048];
    reset();
    refused(CRAFT(.plaintext = BODY, .flip = 3), true, NULL, "decryption-failed");
    (void)wssec_fault(&v, "5f0c", fault, sizeof fault);
    refused(CRAFT(.plaintext = BODY), true, NULL, "no-signature");
    (void)wssec_fault(&v, "5f0c", other, sizeof other);
    CU_ASSERT_STRING_EQUAL(fault, other);
    refused(CRAFT(.plaintext = "<a><c:d/></a>"), true, NULL, "xml-malformed");
    (void)wssec_fault(&v, "5f0c", other, sizeof other);
    CU_ASSERT_STRING_EQUAL(fault, other);
}

static void plaintext_stays_within_its_place(void)
{
    static const char *const bad[] = {"</S:Body>",
                                      "<a>",
                                      "</a>",
                                      "<a></a></b>",
                                      "<!-- ",
                                      "<![CDATA[ ",
                                      "<a",
                                      "<a b='",
                                      "<?pi ",
                                      "<!ENTITY x 'y'>",
                                      "<?xml version='1.0'?><a/>",
                                      "</S:Body><S:Body><x/>"};
    static const char *const good[] = {"<a/>",
                                       "<a></a><b/>",
                                       "text",
                                       "",
                                       "<!-- c --><a/>",
                                       "<a b='>'/>",
                                       "<a b=\"</S:Body>\"/>",
                                       "<![CDATA[</S:Body>]]>"};
    struct wssec_fragment f;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(wssec_markup_fragment(bad[i], strlen(bad[i]), &f), -1);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL(wssec_markup_fragment(good[i], strlen(good[i]), &f), 0);
    }
    reset();
    refused(CRAFT(.plaintext = "<a/><b/>", .type = "Element"), false, NULL, "decryption-failed");
    opens_to(CRAFT(.plaintext = "<a/><b/>", .type = "Content"), false, NULL, OPENED("<a/><b/>"));
}

static void nothing_is_promoted_out_of_a_plaintext(void)
{
    static const char security[] = "<w:Security xmlns:w=\"" NS_WSSE "\"/>";
    reset();
    /* a Security header inside of Body is payload; one that becomes a header block is a second one of our role */
    opens_to(CRAFT(.plaintext = security), false, NULL, OPENED("<w:Security xmlns:w=\"" NS_WSSE "\"/>"));
    char *text = craft(&(struct crafted){.plaintext = security, .type = "Element"});
    char *from = strstr(text, "<e:EncryptedData");
    char *to = strstr(text, "</S:Body>");
    char *data = strndup(from, (size_t)(to - from));
    memset(from, ' ', (size_t)(to - from));
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "%s</S:Header>", data);
    refused(with(text, "</S:Header>", b.data), false, NULL, "multiple-security");
    cs_buf_free(&b);
    free(data);
}

static void what_is_encrypted_inside_is_not_opened(void)
{
    reset();
    char *inner = craft(&(struct crafted){.plaintext = BODY});
    char *from = strstr(inner, "<e:EncryptedData");
    char *to = strstr(inner, "</S:Body>");
    char *data = strndup(from, (size_t)(to - from));
    char *outer = craft(&(struct crafted){.plaintext = data});
    char *made = opened(outer, false, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_PTR_NOT_NULL(strstr(made, "EncryptedData"));
    free(made);
    free(outer);
    free(data);
    free(inner);
}

static void places_and_lists_are_judged_before_any_key_is_used(void)
{
    static const struct {
        const char *old, *new, *reason;
    } cases[] = {
        {"URI=\"#ed\"", "URI=\"#other\"", "reference-unresolved"},
        {"URI=\"#ed\"", "URI=\"cid:ed\"", "reference-uri-forbidden"},
        {"URI=\"#ed\"", "URI=\"http://127.0.0.1/ed\"", "reference-uri-forbidden"},
        {"URI=\"#ed\"", "URI=\"#ek\"", "reference-unresolved"},
        {"<e:DataReference URI=\"#ed\"/>", "<e:DataReference URI=\"#ed\"/><e:DataReference URI=\"#ed\"/>",
         "security-malformed"},
        {"<e:DataReference URI=\"#ed\"/>", "<e:KeyReference URI=\"#ed\"/>", "security-malformed"},
        {"<S:Body>", "<S:Body>text", "security-malformed"},
        {"<S:Body>", "<S:Body><x Id=\"ed\"/>", "duplicate-id"},
        {"Type=\"" NS_XENC "Content\"", "Type=\"urn:x\"", "token-unsupported"},
        {"<e:CipherData><e:CipherValue>", "<e:CipherData><e:CipherReference URI=\"http://127.0.0.1/\"/><e:CipherValue>",
         "security-malformed"},
        {"<e:CipherData><e:CipherValue>", "<e:CipherData><e:CipherValue>!", "security-malformed"},
        {"Algorithm=\"" NS_XENC "rsa-oaep-mgf1p\"", "Algorithm=\"" NS_XENC "kw-aes128\"", "key-reference-missing"},
        {"Algorithm=\"" NS_XENC11 "aes256-gcm\"", "Algorithm=\"urn:x\"", "algorithm-unsupported"},
        {"<e:EncryptedData ", "<e:EncryptedData Encoding=\"x\" ", "ok"},
    };
    reset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = with(craft(&(struct crafted){.plaintext = BODY}), cases[i].old, cases[i].new);
        if (strcmp(cases[i].reason, "ok") == 0) {
            opens_to(text, false, NULL, OPENED(BODY));
            continue;
        }
        refused(text, false, NULL, cases[i].reason);
        CU_ASSERT_FALSE(v.opening);
    }
}

/* Left out of every list a part would be handed on as ciphertext, without the key that stood in our header. */
static void a_part_that_names_a_key_of_ours_is_listed_or_refused(void)
{
    static const char method[] = "<e:EncryptionMethod Algorithm=\"" NS_XENC11 "aes256-gcm\"/>";
    static const char named[] = "<e:EncryptionMethod Algorithm=\"" NS_XENC11 "aes256-gcm\"/><d:KeyInfo xmlns:d=\"" NS_DS
                                "\"><w:SecurityTokenReference><w:Reference URI=\"#ek\"/></w:SecurityTokenReference>"
                                "</d:KeyInfo>";
    static const struct {
        const char *old, *new, *reason;
    } cases[] = {
        {"URI=\"#ek\"", "URI=\"#ek\"", "ok"},
        {"<e:DataReference URI=\"#ed\"/>", "", "security-malformed"},
        {"<e:DataReference URI=\"#ed\"/>", "e:DataReference URI=\"#ed\"/&gt;", "security-malformed"},
        {"<e:ReferenceList><e:DataReference URI=\"#ed\"/></e:ReferenceList>", "", "security-malformed"},
        {"</e:EncryptedKey>", "</e:EncryptedKey><e:ReferenceList/>", "ok"},
    };
    reset();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = with(with(craft(&(struct crafted){.plaintext = BODY}), method, named), cases[i].old, cases[i].new);
        if (strcmp(cases[i].reason, "ok") == 0) {
            opens_to(text, false, NULL, OPENED(BODY));
            continue;
        }
        refused(text, false, NULL, cases[i].reason);
        CU_ASSERT_FALSE(v.opening);
    }
    /* for somebody behind us: it names no key of our header */
    char *other = with(with(with(craft(&(struct crafted){.plaintext = BODY}), method, named), "URI=\"#ek\"",
                            "URI=\"#key-of-another\""),
                       "<e:DataReference URI=\"#ed\"/>", "");
    opens_to(strdup(other), false, NULL, other);
    free(other);
}

static void a_flood_of_encrypted_parts_is_refused_before_any_key_is_used(void)
{
    cs_buf b = CS_BUF_INIT;
    reset();
    for (int i = 0; i < 10000; i++) {
        (void)cs_buf_addf(
            &b,
            "<e:EncryptedData Id=\"ed%d\" Type=\"" NS_XENC "Element\"><e:EncryptionMethod Algorithm=\"" NS_XENC11
            "aes256-gcm\"/><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedData>",
            i);
    }
    refused(craft(&(struct crafted){.plaintext = "<a/>", .type = "Element", .behind = b.data, .extra_keys = 9}), false,
            NULL, "limit-encrypted");
    CU_ASSERT_FALSE(v.opening);
    refused(craft(&(struct crafted){.plaintext = "<a/>", .type = "Element", .extra_keys = 10000}), false, NULL,
            "limit-header");
    cs_buf_free(&b);
}

/* Signed first: what is opened behind the signature counts only where the signature covers its ciphertext. */
static void an_uncovered_part_is_not_opened_behind_a_signature(void)
{
    static const char *const parts[] = {"Body"};
    struct wssec_recipe recipe = {.timestamp = true, .part = parts, .n_part = 1, .join = true};
    static const char *const header[] = {"wsa:To"};
    static const char text[] = "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Header><a:To xmlns:a=\"" WSA10
                               "\">urn:x</a:To></S:Header><S:Body>" BODY "</S:Body></S:Envelope>";
    struct wssec_encryption how = {.part = header, .n_part = 1};
    reset();
    char *sealed = encrypted(text, &how);
    refused(signed_text(sealed, &recipe), true, NULL, "part-not-signed");
    free(sealed);
}

/* One key opens and authenticates: what the profile refuses by a reason of its own, however the key is named. */
static void an_hmac_keyed_by_the_encrypted_key_has_its_own_refusal(void)
{
    static const struct {
        const char *key_info, *reason;
    } rows[] = {
        {"<w:SecurityTokenReference><w:Reference URI=\"#ek\"/></w:SecurityTokenReference>", "hmac-encrypted-key"},
        {"<w:SecurityTokenReference><w:Reference URI=\"#ek\" ValueType=\"" WSSEC_SMS11 "#EncryptedKey\"/>"
         "</w:SecurityTokenReference>",
         "hmac-encrypted-key"},
        {"<w:SecurityTokenReference><w:KeyIdentifier ValueType=\"" WSSEC_SMS11
         "#EncryptedKeySHA1\">AAAA</w:KeyIdentifier>"
         "</w:SecurityTokenReference>",
         "hmac-encrypted-key"},
        {"<e:EncryptedKey/>", "hmac-encrypted-key"},
        {"<w:SecurityTokenReference><w:Reference URI=\"#ed\"/></w:SecurityTokenReference>", "algorithm-forbidden"},
        {"<d:KeyName>k</d:KeyName>", "algorithm-forbidden"},
    };
    reset();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cs_buf b = CS_BUF_INIT;
        (void)cs_buf_addf(
            &b,
            "<d:Signature xmlns:d=\"" NS_DS "\"><d:SignedInfo><d:CanonicalizationMethod Algorithm=\"" EXC_C14N
            "\"/><d:SignatureMethod Algorithm=\"" NS_DSMORE
            "hmac-sha256\"/></d:SignedInfo><d:SignatureValue>AAAA</d:SignatureValue><d:KeyInfo>%s</d:KeyInfo>"
            "</d:Signature>",
            rows[i].key_info);
        refused(CRAFT(.plaintext = BODY, .header = b.data), true, NULL, rows[i].reason);
        cs_buf_free(&b);
    }
    char *text = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    text = with(text, NS_DSMORE "rsa-sha256", NS_DSMORE "hmac-sha256");
    refused(encrypted(text, NULL), true, NULL, "algorithm-forbidden");
    free(text);
}

/* A key that a list of its own and the data name by its digest (EncryptedKeySHA1), as it stands in the header. */
static void data_that_names_its_key_by_its_digest_is_opened(void)
{
    static const struct {
        int flip;
        const char *type, *reason;
    } rows[] = {{0, WSSEC_SMS11 "#EncryptedKeySHA1", "ok"},
                {1, WSSEC_SMS11 "#EncryptedKeySHA1", "token-not-found"},
                {0, WSSEC_SMS11 "#ThumbprintSHA1", "token-unsupported"}};
    reset();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = CRAFT(.plaintext = BODY);
        const char *value = strstr(text, "<e:CipherValue>") + strlen("<e:CipherValue>");
        uint8_t wrapped[256];
        uint8_t sha1[20];
        char name[32];
        cs_buf reference = CS_BUF_INIT;
        cs_buf whole = CS_BUF_INIT;
        size_t octets = 0;
        CU_ASSERT_FATAL(cs_base64_decode(value, strcspn(value, "<"), wrapped, sizeof wrapped, &octets) == 0 &&
                        octets == sizeof wrapped);
        EVP_Digest(wrapped, sizeof wrapped, sha1, NULL, EVP_sha1(), NULL);
        sha1[0] ^= (uint8_t)rows[i].flip;
        (void)cs_base64_encode(sha1, sizeof sha1, name);
        (void)cs_buf_addf(&reference,
                          "<d:KeyInfo xmlns:d=\"" NS_DS
                          "\"><w:SecurityTokenReference><w:KeyIdentifier ValueType=\"%s\">%s</w:KeyIdentifier>"
                          "</w:SecurityTokenReference></d:KeyInfo><e:CipherData>",
                          rows[i].type, name);
        const char *data = strstr(strstr(text, "<S:Body>"), "<e:CipherData>");
        (void)cs_buf_addf(&whole, "%.*s%s%s", (int)(data - text), text, reference.data,
                          data + strlen("<e:CipherData>"));
        /* the list stands beside the key, not in it */
        char *beside =
            with(strdup(whole.data), "<e:ReferenceList><e:DataReference URI=\"#ed\"/></e:ReferenceList>", "");
        beside = with(beside, "</e:EncryptedKey>",
                      "</e:EncryptedKey><e:ReferenceList><e:DataReference URI=\"#ed\"/></e:ReferenceList>");
        if (strcmp(rows[i].reason, "ok") == 0) {
            opens_to(strdup(whole.data), false, NULL, OPENED(BODY));
            opens_to(beside, false, NULL, OPENED(BODY));
            CU_ASSERT_TRUE(v.has_decrypted_with);
        } else {
            refused(strdup(whole.data), false, NULL, rows[i].reason);
            refused(beside, false, NULL, rows[i].reason);
            CU_ASSERT_FALSE(v.opening);
        }
        cs_buf_free(&whole);
        cs_buf_free(&reference);
        free(text);
    }
}

static void a_message_without_encryption_is_judged_as_ever(void)
{
    reset();
    char *text = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    opens_to(strdup(text), true, NULL, text);
    CU_ASSERT_FALSE(v.opening);
    refused(strdup("<a/>"), true, NULL, "soap-shape");
    refused(strdup(PLAIN), true, NULL, "no-security");
    opens_to(strdup(PLAIN), false, NULL, PLAIN);
    free(text);
}

const struct harness_test harness_tests[] = {
    {"every_algorithm_and_key_reference_opens_to_the_same_octets",
     every_algorithm_and_key_reference_opens_to_the_same_octets},
    {"a_body_without_content_and_a_header_block_are_encrypted",
     a_body_without_content_and_a_header_block_are_encrypted},
    {"sign_then_encrypt_is_opened_before_it_is_verified", sign_then_encrypt_is_opened_before_it_is_verified},
    {"encrypt_then_sign_is_verified_before_it_is_opened", encrypt_then_sign_is_verified_before_it_is_opened},
    {"the_header_is_removed_from_what_was_opened", the_header_is_removed_from_what_was_opened},
    {"an_older_key_opens_in_its_retention_and_the_record_says_so",
     an_older_key_opens_in_its_retention_and_the_record_says_so},
    {"a_signature_over_a_sealed_header_block_asks_for_a_key_not_for_the_block",
     a_signature_over_a_sealed_header_block_asks_for_a_key_not_for_the_block},
    {"a_key_ahead_of_the_signature_whose_list_follows_it_is_used_behind_it",
     a_key_ahead_of_the_signature_whose_list_follows_it_is_used_behind_it},
    {"weak_algorithms_need_their_exception", weak_algorithms_need_their_exception},
    {"damaged_ciphertext_and_wrong_keys_are_one_refusal", damaged_ciphertext_and_wrong_keys_are_one_refusal},
    {"every_fault_behind_decryption_is_the_same", every_fault_behind_decryption_is_the_same},
    {"plaintext_stays_within_its_place", plaintext_stays_within_its_place},
    {"nothing_is_promoted_out_of_a_plaintext", nothing_is_promoted_out_of_a_plaintext},
    {"what_is_encrypted_inside_is_not_opened", what_is_encrypted_inside_is_not_opened},
    {"places_and_lists_are_judged_before_any_key_is_used", places_and_lists_are_judged_before_any_key_is_used},
    {"a_part_that_names_a_key_of_ours_is_listed_or_refused", a_part_that_names_a_key_of_ours_is_listed_or_refused},
    {"a_flood_of_encrypted_parts_is_refused_before_any_key_is_used",
     a_flood_of_encrypted_parts_is_refused_before_any_key_is_used},
    {"an_uncovered_part_is_not_opened_behind_a_signature", an_uncovered_part_is_not_opened_behind_a_signature},
    {"an_hmac_keyed_by_the_encrypted_key_has_its_own_refusal", an_hmac_keyed_by_the_encrypted_key_has_its_own_refusal},
    {"data_that_names_its_key_by_its_digest_is_opened", data_that_names_its_key_by_its_digest_is_opened},
    {"a_message_without_encryption_is_judged_as_ever", a_message_without_encryption_is_judged_as_ever},
    {NULL, NULL},
};
