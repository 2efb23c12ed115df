/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bsp.c: the rules of the Basic Security Profile, one message for each that breaks it and is in order by all other
 * measures: passed over, noted, refused as the policy says.
 */
#include "tests/unit/judging.h"
#include "wssec/bsp.h"

const char *const harness_suite = "bsp";

#define NS_XENC           "http://www.w3.org/2001/04/xmlenc#"
#define NS_WSSE11         "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
#define PKIPATH           O4 "x509-token-profile-1.0#X509PKIPathv1"
#define UTP               O4 "username-token-profile-1.0"
#define TOKEN(attributes) "<wsse:BinarySecurityToken " attributes ">@der@</wsse:BinarySecurityToken>"
#define GOOD_TOKEN        TOKEN("ValueType=\"" X509V3 "\" EncodingType=\"" BASE64_BINARY "\" wsu:Id=\"X509\"")
#define STR(content)      "<wsse:SecurityTokenReference>" content "</wsse:SecurityTokenReference>"
#define BY_ID             STR("<wsse:Reference URI=\"#X509\" ValueType=\"" X509V3 "\"/>")
#define EK(attributes, key_info)                                                                                       \
    "<e:EncryptedKey xmlns:e=\"" NS_XENC "\" xmlns:w=\"" NS_WSSE "\" xmlns:d=\"" NS_DS "\"" attributes ">" key_info    \
    "</e:EncryptedKey>"
#define ENC_INFO(content) "<d:KeyInfo>" content "</d:KeyInfo>"
#define THUMB             "<wsse:KeyIdentifier EncodingType=\"" BASE64_BINARY "\" ValueType=\"urn:x\">AAAA</wsse:KeyIdentifier>"

static struct maker_key key;

int harness_setup(void)
{
    return judging_begin_with(&key, NULL);
}

int harness_teardown(void)
{
    return judging_end_with(&key, NULL);
}

static const struct setting relaxed[] = {{"canonicalization", {"exclusive", "inclusive"}},
                                         {"legacy", {"reference-without-valuetype", "until", "2030-01-01"}}};

static const struct {
    const char *note; /* every rule that the message breaks; the first MUST decides */
    const char *first;
    struct maker m;
} rows[] = {
    {"bsp R3220",
     NULL,
     {.timestamp =
          "<wsu:Timestamp wsu:Id=\"TS\"><wsu:Created>2026-09-21T14:13:20.0000Z</wsu:Created></wsu:Timestamp>"}},
    {"bsp R3229",
     NULL,
     {.timestamp = "<wsu:Timestamp wsu:Id=\"TS\"><wsu:Created>2026-09-21T14:13:20.123Z</wsu:Created>"
                   "<wsu:Expires>2026-09-21T14:14:20.1234Z</wsu:Expires></wsu:Timestamp>"}},
    {"bsp R3029", "R3029", {.no_token = true, .in_security = TOKEN("ValueType=\"" X509V3 "\" wsu:Id=\"X509\"")}},
    {"bsp R4201",
     "R4201",
     {.refs = "Body TS UT",
      .in_security = "<wsse:UsernameToken wsu:Id=\"UT\"><wsse:Password>x</wsse:Password></wsse:UsernameToken>"}},
    {"bsp R4220",
     "R4220",
     {.refs = "Body TS UT",
      .in_security = "<wsse:UsernameToken wsu:Id=\"UT\"><wsse:Nonce>AAAA</wsse:Nonce></wsse:UsernameToken>"}},
    {"bsp R5441", "R5441", {.in_security = "<w:SignatureConfirmation xmlns:w=\"" NS_WSSE11 "\" Value=\"AAAA\"/>"}},
    {"bsp R5404 R5412 R5423", "R5404", {.c14n = INC_C14N}},
    {"bsp R5406", "R5406", {.c14n_content = "<ec:InclusiveNamespaces xmlns:ec=\"" EXC_C14N "\" PrefixList=\" \"/>"}},
    {"bsp R5404 R5416", "R5404", {.c14n = INC_C14N, .transforms = "none"}},
    {"bsp R5404 R5411", "R5404", {.c14n = INC_C14N, .transforms = ""}},
    {"bsp R5407", "R5407", {.prefixes = ""}},
    {"bsp R3003 R5402",
     "R3003",
     {.in_security = GOOD_TOKEN, .refs = "Body TS KN", .keyref = BY_ID "<ds:KeyName wsu:Id=\"KN\">x</ds:KeyName>"}},
    {"bsp R3004", "R3004", {.refs = "Body TS EK", .in_security = EK(" wsu:Id=\"EK\"", "")}},
    {"bsp R3005", NULL, {.refs = "Body TS W1", .header = "<x:h xmlns:x=\"urn:x\" Id=\"W1\"/>"}},
    {"bsp R5402", "R5402", {.in_security = GOOD_TOKEN, .keyref = BY_ID "<ds:KeyName>x</ds:KeyName>"}},
    {"bsp R5417", "R5417", {.keyref = "x509-data"}},
    {"bsp R5424", "R5424", {.in_security = EK("", ENC_INFO(STR(THUMB) "<d:KeyName>x</d:KeyName>"))}},
    {"bsp R5426", "R5426", {.in_security = EK("", ENC_INFO("<d:KeyName>x</d:KeyName>"))}},
    {"bsp R3059", "R3059", {.in_security = GOOD_TOKEN, .keyref = STR("<wsse:Reference URI=\"#X509\"/>")}},
    {"bsp R5218",
     "R5218",
     {.in_security = GOOD_TOKEN,
      .keyref = STR("<wsse:Reference URI=\"#X509\" ValueType=\"" O4 "x509-token-profile-1.0#X509\"/>")}},
    {"bsp R5215",
     "R5215",
     {.in_security = "<wsse:BinarySecurityToken wsu:Id=\"PP\" EncodingType=\"" BASE64_BINARY "\" ValueType=\"" PKIPATH
                     "\">AAAA</wsse:BinarySecurityToken>" EK(
                         "", ENC_INFO(STR("<wsse:Reference URI=\"#PP\" ValueType=\"" PKIPATH "\"/>")))}},
    {"bsp R3069",
     "R3069",
     {.in_security = EK(" Id=\"EK\"", ""), .after_signature = EK("", ENC_INFO(STR("<wsse:Reference URI=\"#EK\"/>")))}},
    {"bsp R5205", "R5205", {.no_token = true, .after_signature = GOOD_TOKEN}},
    {"bsp R3070",
     "R3070",
     {.keyref = STR("<wsse:KeyIdentifier "
                    "ValueType=\"http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1\">"
                    "@sha1@</wsse:KeyIdentifier>")}},
    {"bsp R5206", "R5206", {.keyref = "x509v3-key-identifier"}},
    {"bsp R3209", "R3209", {.in_security = EK(" Type=\"urn:x\"", "")}},
    {"bsp R5622", "R5622", {.in_security = EK(" MimeType=\"text/xml\"", "")}},
    {"bsp R5623", "R5623", {.in_security = EK(" Encoding=\"urn:x\"", "")}},
    {"bsp R5602", "R5602", {.in_security = EK(" Recipient=\"x\"", "")}},
    {"bsp R3228", "R3228", {.header = "<e:EncryptedData xmlns:e=\"" NS_XENC "\"/>"}},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* @ before and behind a name stands for octets of the key. */
static char *filled(const char *text)
{
    char *der = maker_base64(key.der, (size_t)key.der_len);
    char *sha1 = maker_base64(key.sha1, 20);
    char *out = strdup(text);
    out = strstr(out, "@der@") != NULL ? maker_replace(out, "@der@", der) : out;
    out = strstr(out, "@sha1@") != NULL ? maker_replace(out, "@sha1@", sha1) : out;
    free(der);
    free(sha1);
    return out;
}

static const char *judged(const struct maker *m, const char *level)
{
    struct setting set[] = {relaxed[0], relaxed[1], {"bsp", {level}}};
    struct maker own = *m;
    char *inside = filled(m->in_security != NULL ? m->in_security : "");
    char *behind = filled(m->after_signature != NULL ? m->after_signature : "");
    char *keyref = m->keyref != NULL ? filled(m->keyref) : NULL;
    own.key = &key;
    own.in_security = inside;
    own.after_signature = behind;
    own.keyref = keyref;
    const char *reason = judge(maker_message(&own), set, 3);
    free(inside);
    free(behind);
    free(keyref);
    return reason;
}

static bool noted(const char *text)
{
    for (unsigned i = 0; i < v.n_notes; i++) {
        if (strcmp(v.notes[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned bsp_notes(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v.n_notes; i++) {
        n += strncmp(v.notes[i], "bsp", 3) == 0;
    }
    return n;
}

static void each_rule_is_passed_over_noted_or_demanded_as_the_policy_says(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        expect(judged(&rows[i].m, "off"), "ok", rows[i].note);
        CU_ASSERT_EQUAL(bsp_notes(), 0);
        expect(judged(&rows[i].m, "warn"), "ok", rows[i].note);
        if (!noted(rows[i].note)) {
            printf("  # expected %s, got %s %s\n", rows[i].note, v.notes[0], v.notes[1]);
        }
        CU_ASSERT_TRUE(noted(rows[i].note));
        CU_ASSERT_EQUAL(bsp_notes(), 1);
        expect(judged(&rows[i].m, "enforce"), rows[i].first != NULL ? "bsp-violation" : "ok", rows[i].note);
        CU_ASSERT_TRUE(noted(rows[i].note));
        CU_ASSERT_TRUE(rows[i].first == NULL || strncmp(v.detail, rows[i].first, strlen(rows[i].first)) == 0);
    }
}

static void every_rule_has_a_message_that_breaks_it(void)
{
    const struct wssec_bsp_rule *r = NULL;
    for (size_t i = 0; (r = wssec_bsp_rule(i)) != NULL; i++) {
        bool broken = false;
        for (size_t k = 0; k < ROWS; k++) {
            const char *at = strstr(rows[k].note, r->number);
            broken = broken || (at != NULL && (at[strlen(r->number)] == ' ' || at[strlen(r->number)] == '\0'));
        }
        if (!broken) {
            printf("  # nothing breaks %s\n", r->number);
        }
        CU_ASSERT_TRUE(broken);
        for (size_t k = 0; k < i; k++) {
            CU_ASSERT_STRING_NOT_EQUAL(r->number, wssec_bsp_rule(k)->number);
        }
    }
}

static void usual_messages_keep_every_rule(void)
{
    static const char *const kinds[] = {"direct", "issuer-serial", "ski", "thumbprint", "embedded"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        expect(judged(&(struct maker){.keyref = kinds[i], .no_token = i != 0}, "enforce"), "ok", kinds[i]);
        CU_ASSERT_EQUAL(bsp_notes(), 0);
    }
    expect(judged(&(struct maker){.refs = "Body TS *STR"}, "enforce"), "ok", "STR-Transform");
    CU_ASSERT_EQUAL(bsp_notes(), 0);
}

static void another_doubt_goes_before_a_rule(void)
{
    struct setting set[] = {{"bsp", {"enforce"}}};
    char *text = maker_message(&(struct maker){.key = &key, .keyref = "x509-data"});
    expect(judge(maker_replace(text, "bolt", "nuts"), set, 1), "digest-mismatch", "a changed message");
}

const struct harness_test harness_tests[] = {
    {"each_rule_is_passed_over_noted_or_demanded_as_the_policy_says",
     each_rule_is_passed_over_noted_or_demanded_as_the_policy_says},
    {"every_rule_has_a_message_that_breaks_it", every_rule_has_a_message_that_breaks_it},
    {"usual_messages_keep_every_rule", usual_messages_keep_every_rule},
    {"another_doubt_goes_before_a_rule", another_doubt_goes_before_a_rule},
    {NULL, NULL},
};
