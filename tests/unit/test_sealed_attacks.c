/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sealed_attacks.c: encryption turned against its receiver: values cut and drawn out, keys and algorithms
 * confused, ciphertexts and keys moved, content that would be more than content. Each with a twin that differs in that
 * one thing and opens.
 */
#include "tests/unit/sealing.h"

const char *const harness_suite = "sealed-attacks";

#define OAEP_SHA256 "<d:DigestMethod xmlns:d=\"" NS_DS "\" Algorithm=\"" NS_XENC "sha256\"/>"
#define OAEP_SHA1   "<d:DigestMethod xmlns:d=\"" NS_DS "\" Algorithm=\"" NS_DS "sha1\"/>"
#define LABEL       "<e:OAEPparams>AAAA</e:OAEPparams>"

static const struct {
    const char *what;
    struct crafted attack, twin; /* twin without plaintext: the usual message */
} values[] = {
    {"an octet of the iv", {.plaintext = BODY, .flip = 1}, {NULL}},
    {"an octet of the tag", {.plaintext = BODY, .flip_last = true}, {NULL}},
    {"a ciphertext without its last octet", {.plaintext = BODY, .cut = 1}, {NULL}},
    {"a ciphertext without its tag", {.plaintext = BODY, .cut = 16}, {NULL}},
    {"an octet behind the tag", {.plaintext = BODY, .extend = 1}, {NULL}},
    {"a block behind the tag", {.plaintext = BODY, .extend = 16}, {NULL}},
    {"a block behind a cipher without a tag that empties it",
     {.plaintext = BODY, .cipher = "aes128-cbc", .extend = 17},
     {.plaintext = BODY, .cipher = "aes128-cbc"}},
    {"a block that goes from a cipher without a tag",
     {.plaintext = "<a>0123456789abcdef0123456789abcdef</a>", .cipher = "aes128-cbc", .cut = 16},
     {.plaintext = "<a>0123456789abcdef0123456789abcdef</a>", .cipher = "aes128-cbc"}},
    {"an octet of the wrapped key", {.plaintext = BODY, .wrapped_flip = 100}, {NULL}},
    {"the first octet of the wrapped key", {.plaintext = BODY, .wrapped_flip = 1}, {NULL}},
    {"a wrapped key without its last octet", {.plaintext = BODY, .wrapped_cut = 1}, {NULL}},
    {"an octet behind the wrapped key", {.plaintext = BODY, .wrapped_extend = 1}, {NULL}},
    {"RSA 1.5 that says to be OAEP",
     {.plaintext = BODY, .transport = "rsa-1_5", .claim = "rsa-oaep-mgf1p"},
     {.plaintext = BODY, .transport = "rsa-1_5"}},
    {"OAEP that says to be RSA 1.5", {.plaintext = BODY, .claim = "rsa-1_5"}, {.plaintext = BODY}},
    {"OAEP of another digest",
     {.plaintext = BODY, .parameters = OAEP_SHA256},
     {.plaintext = BODY, .parameters = OAEP_SHA1}},
    {"OAEP of another mask generation",
     {.plaintext = BODY,
      .claim = "rsa-oaep",
      .parameters = OAEP_SHA1 "<m:MGF xmlns:m=\"" NS_XENC11 "\" Algorithm=\"" NS_XENC11 "mgf1sha256\"/>"},
     {.plaintext = BODY,
      .claim = "rsa-oaep",
      .parameters = OAEP_SHA1 "<m:MGF xmlns:m=\"" NS_XENC11 "\" Algorithm=\"" NS_XENC11 "mgf1sha1\"/>"}},
    {"OAEP with a label that nobody sealed",
     {.plaintext = BODY, .parameters = LABEL},
     {.plaintext = BODY, .parameters = OAEP_SHA1}},
    {"a content key of another length",
     {.plaintext = BODY, .cipher = "aes128-gcm", .wrong_length = true},
     {.plaintext = BODY, .cipher = "aes128-gcm"}},
    {"a key of somebody else", {.plaintext = BODY, .to = &stranger}, {NULL}},
    {"an element beside the one",
     {.plaintext = "<a/><b/>", .type = "Element"},
     {.plaintext = "<a/>", .type = "Element"}},
    {"text for an element", {.plaintext = "a", .type = "Element"}, {.plaintext = "<a/>", .type = "Element"}},
    {"nothing for an element", {.plaintext = "<!-- -->", .type = "Element"}, {.plaintext = "<a/>", .type = "Element"}},
    {"a second Body", {.plaintext = "</S:Body><S:Body>"}, {.plaintext = "<S:Body></S:Body>"}},
    {"the end of the message", {.plaintext = "</S:Body></S:Envelope>"}, {.plaintext = "<S:Envelope/>"}},
    {"an XML declaration", {.plaintext = "<?xml version=\"1.0\"?><a/>"}, {.plaintext = "<a/>"}},
    {"a document type", {.plaintext = "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"}, {.plaintext = "<a/>"}},
    {"half of a character", {.plaintext = "<a>\xc3</a>"}, {.plaintext = "<a>\xc3\xa4</a>"}},
};

static void every_wrong_value_is_one_refusal_and_its_twin_opens(void)
{
    char fault[2048] = "";
    reset();
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        static const struct crafted usual = {.plaintext = BODY};
        const struct crafted *twin = values[i].twin.plaintext != NULL ? &values[i].twin : &usual;
        char other[2048];
        char *text = craft(&values[i].attack);
        char *made = opened(text, false, every_exception);
        if (made != NULL || v.reason != WSSEC_DECRYPTION_FAILED || !v.opening) {
            printf("  # %s: %s (%s)\n", values[i].what, wssec_reason_code(v.reason), v.detail);
        }
        CU_ASSERT_PTR_NULL(made);
        CU_ASSERT_EQUAL(v.reason, WSSEC_DECRYPTION_FAILED);
        (void)wssec_fault(&v, "5f0c", i == 0 ? fault : other, sizeof fault);
        CU_ASSERT(i == 0 || strcmp(fault, other) == 0);
        free(made);
        free(text);
        text = craft(twin);
        made = opened(text, false, every_exception);
        if (made == NULL) {
            printf("  # twin of %s: %s (%s)\n", values[i].what, wssec_reason_code(v.reason), v.detail);
        }
        CU_ASSERT_PTR_NOT_NULL(made);
        CU_ASSERT(made != NULL && strstr(made, twin->plaintext) != NULL);
        free(made);
        free(text);
    }
}

/* ---- what is moved -------------------------------------------------------------------------------------------------
 */

/* The text from one word to the end of another, cut out of *text. */
static char *taken(char **text, const char *from, const char *to)
{
    char *at = strstr(*text, from);
    char *end = at != NULL ? strstr(at, to) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    end += strlen(to);
    char *piece = strndup(at, (size_t)(end - at));
    memmove(at, end, strlen(end) + 1);
    return piece;
}

static char *moved(const char *from, const char *to, const char *place, const char *before, const char *behind)
{
    char *text = CRAFT(.plaintext = "<a/>", .type = "Element");
    char *piece = taken(&text, from, to);
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "%s%s%s%s", before, piece, behind, place);
    text = with(text, place, b.data);
    cs_buf_free(&b);
    free(piece);
    return text;
}

#define DATA "<e:EncryptedData", "</e:EncryptedData>"
#define KEY  "<e:EncryptedKey", "</e:EncryptedKey>"

/* Either nothing is opened and the message stays sealed, or it is refused before a key is used. */
static void untouched(char *text, const char *what, const char *reason)
{
    char *made = opened(text, false, NULL);
    if (strcmp(wssec_reason_code(v.reason), reason) != 0 || v.opening) {
        printf("  # %s: %s (%s)\n", what, wssec_reason_code(v.reason), v.detail);
    }
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), reason);
    CU_ASSERT_FALSE(v.opening);
    CU_ASSERT(made == NULL || strcmp(made, text) == 0);
    free(made);
    free(text);
}

static void a_ciphertext_or_key_that_was_moved_is_not_opened(void)
{
    static const char other[] = "<w:Security S:actor=\"urn:somebody\">";
    reset();
    opens_to(CRAFT(.plaintext = "<a/>", .type = "Element"), false, NULL, OPENED("<a/>"));
    untouched(moved(DATA, "</S:Header>", other, "</w:Security>"), "a ciphertext in the header of another role",
              "security-malformed");
    untouched(moved(DATA, "</S:Envelope>", "", ""), "a ciphertext behind Body", "soap-shape");
    untouched(moved(DATA, "</e:EncryptedKey>", "<e:Object>", "</e:Object>"), "a ciphertext in its own key",
              "security-malformed");
    untouched(moved(KEY, "</S:Header>", other, "</w:Security>"), "a key in the header of another role", "ok");
    untouched(moved(KEY, "</S:Body>", "", ""), "a key in Body", "ok");
    untouched(moved(KEY, "</S:Header>", "<x>", "</x>"), "a key in a block of the header", "ok");
    untouched(moved(KEY, "</w:Security>", "<w:Security>", "</w:Security>"), "a key in a header in the header", "ok");
}

static void keys_that_could_be_meant_for_each_other_are_refused(void)
{
    reset();
    char *text = CRAFT(.plaintext = BODY);
    char *key = taken(&text, KEY);
    cs_buf two = CS_BUF_INIT;
    (void)cs_buf_addf(&two, "%s%s</w:Security>", key, key);
    untouched(with(strdup(text), "</w:Security>", two.data), "one id on two keys", "duplicate-id");
    cs_buf_free(&two);
    free(text);
    free(key);
    /* the list of one key, and the reference of the data to another */
    static const char second[] =
        "<e:EncryptedKey Id=\"ek2\"><e:EncryptionMethod Algorithm=\"" NS_XENC
        "rsa-oaep-mgf1p\"/><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedKey>";
    static const char names[] = "<d:KeyInfo xmlns:d=\"" NS_DS "\"><w:SecurityTokenReference><w:Reference URI=\"#%s\"/>"
                                "</w:SecurityTokenReference></d:KeyInfo><e:CipherData>";
    for (int twin = 0; twin < 2; twin++) {
        cs_buf b = CS_BUF_INIT;
        (void)cs_buf_addf(&b, names, twin == 0 ? "ek2" : "ek");
        char *crossed = CRAFT(.plaintext = BODY, .header = second);
        char *at = strstr(crossed, "<S:Body>");
        at = strstr(at, "<e:CipherData>");
        cs_buf whole = CS_BUF_INIT;
        (void)cs_buf_addf(&whole, "%.*s%s%s", (int)(at - crossed), crossed, b.data, at + strlen("<e:CipherData>"));
        free(crossed);
        if (twin == 0) {
            untouched(strdup(whole.data), "listed under another key than it names", "security-malformed");
        } else {
            opens_to(strdup(whole.data), false, NULL, OPENED(BODY));
        }
        cs_buf_free(&whole);
        cs_buf_free(&b);
    }
}

/* What a plaintext holds is payload: a signature in it vouches for nothing. */
static void a_signature_out_of_a_plaintext_vouches_for_nothing(void)
{
    reset();
    char *inner = signed_text(PLAIN, &(struct wssec_recipe){.timestamp = true});
    char *copy = strdup(inner);
    char *security = taken(&copy, "<wsse:Security", "</wsse:Security>");
    refused(CRAFT(.plaintext = security), true, NULL, "no-signature");
    CU_ASSERT_TRUE(v.opening);
    refused(CRAFT(.plaintext = inner), true, NULL, "no-signature");
    char *sealed = encrypted(inner, NULL);
    opens_to(sealed, true, NULL, inner);
    free(security);
    free(copy);
    free(inner);
}

/* text with n more keys that nobody can open. */
static char *with_keys(char *text, int n)
{
    cs_buf b = CS_BUF_INIT;
    for (int i = 0; i < n; i++) {
        (void)cs_buf_addf(
            &b,
            "<e:EncryptedKey Id=\"k%d\"><e:EncryptionMethod Algorithm=\"" NS_XENC
            "rsa-oaep-mgf1p\"/><e:CipherData><e:CipherValue>AAAA</e:CipherValue></e:CipherData></e:EncryptedKey>",
            i);
    }
    (void)cs_buf_adds(&b, "</w:Security>");
    char *crafted = with(text, "</w:Security>", b.data);
    cs_buf_free(&b);
    return crafted;
}

/* Many keys, each for many candidates: the work is bounded, and the bound is a refusal like any other. */
static void keys_beyond_the_bound_of_private_operations_do_not_open(void)
{
    reset();
    char *text = CRAFT(.plaintext = BODY);
    untouched(with_keys(strdup(text), 9), "ten keys", "limit-encrypted");
    opens_to(with_keys(text, 7), false, NULL, OPENED(BODY));
}

const struct harness_test harness_tests[] = {
    {"every_wrong_value_is_one_refusal_and_its_twin_opens", every_wrong_value_is_one_refusal_and_its_twin_opens},
    {"a_ciphertext_or_key_that_was_moved_is_not_opened", a_ciphertext_or_key_that_was_moved_is_not_opened},
    {"keys_that_could_be_meant_for_each_other_are_refused", keys_that_could_be_meant_for_each_other_are_refused},
    {"a_signature_out_of_a_plaintext_vouches_for_nothing", a_signature_out_of_a_plaintext_vouches_for_nothing},
    {"keys_beyond_the_bound_of_private_operations_do_not_open",
     keys_beyond_the_bound_of_private_operations_do_not_open},
    {NULL, NULL},
};
