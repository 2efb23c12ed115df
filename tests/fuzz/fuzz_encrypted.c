/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_encrypted.c: messages that were sealed with keys at hand, then changed by a small program that the input is:
 * cut, copy, move and put in, mostly at the borders of tags. What passes a verification holds the very Body that was
 * signed; what a key opens without one is the very text that was sealed. The messages are made when the target starts,
 * so an input is a program over their structure, and means the same in every run.
 */
#include "tests/fuzz/edits.h"
#include "tests/fuzz/holder.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NS_XENC "http://www.w3.org/2001/04/xmlenc#"
#define ORDER   "<o:order xmlns:o=\"urn:orders\">bolt &amp; nut</o:order>"
#define TO      "<a:To xmlns:a=\"" WSA10 "\">urn:x</a:To>"
#define PLAIN   "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Header>" TO "</S:Header><S:Body>" ORDER "</S:Body></S:Envelope>"
#define BODY    "/*/*[local-name()='Body']"
#define MOST    ((size_t)16384) /* octets of a program */
#define STEPS   24
#define LONGEST ((size_t)200000) /* octets of a message that is changed on */
#define BASES   6

static struct {
    char *text;
    char *body;   /* canonical, as it was signed; NULL: nobody signed */
    char *sealed; /* the same of a signed ciphertext, which passes as it is when nothing leads to its key; NULL: none */
} base[BASES];

/* Takes text. */
static char *made(char *text, const struct wssec_encryption *seal, const struct wssec_recipe *sign)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    struct wssec_verdict v;
    int rc = seal != NULL ? wssec_encrypt(worker, &in, seal, &when, &keys, &out, &v)
                          : wssec_sign(worker, &in, sign, &when, &keys, &out, &v);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        fprintf(stderr, "%s: %s\n", wssec_reason_code(v.reason), v.detail);
        abort();
    }
    char *copy = text_of(&out);
    free(text);
    return copy;
}

static char *canonical_body(const char *text)
{
    int n = 0;
    return maker_canon(text, BODY, EXC_C14N, NULL, &n);
}

static char *opened_by(const char *text, size_t n, bool verify, struct wssec_verdict *v);

static void make_bases(void)
{
    struct wssec_verdict v;
    static const char *const parts[] = {"Body", "Signature", "wsa:To"};
    static const char *const signed_parts[] = {"Body", "Timestamp", "wsa:To"};
    const struct wssec_encryption all = {.part = parts, .n_part = 3, .key_reference = WSSEC_KEYREF_THUMBPRINT};
    const struct wssec_encryption body = {
        .part = parts, .n_part = 1, .cipher = "aes128-gcm", .transport = "rsa-oaep-mgf1p"};
    const struct wssec_encryption body_curve = {.part = parts, .n_part = 1, .cipher = "aes128-gcm"};
    const struct wssec_recipe recipe = {.part = signed_parts, .n_part = 3, .timestamp = true, .join = true};
    char *plain = made(strdup(PLAIN), NULL, &recipe);
    base[0].body = canonical_body(plain);
    base[0].text = made(strdup(plain), &all, NULL);
    base[1].body = strdup(base[0].body);
    base[1].text = made(plain, &body, NULL);
    base[2].text = made(made(strdup(PLAIN), &body, NULL), NULL, &recipe);
    char *opened = opened_by(base[2].text, strlen(base[2].text), true, &v); /* its signature covers the ciphertext */
    base[2].sealed = canonical_body(base[2].text);
    base[2].body = opened != NULL ? canonical_body(opened) : NULL;
    free(opened);
    base[3].text = made(strdup(PLAIN), &body, NULL);
    base[4].text =
        made(made(strdup(PLAIN), &body, NULL), &(struct wssec_encryption){.part = &parts[2], .n_part = 1}, NULL);
    to_curve = true;
    base[5].text = made(made(strdup(PLAIN), NULL, &recipe), &body_curve, NULL);
    opened = opened_by(base[5].text, strlen(base[5].text), true, &v);
    base[5].body = opened != NULL ? canonical_body(opened) : NULL;
    free(opened);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    holder_begin();
    make_bases();
    return 0;
}

static const char *const snippets[] = {
    "<e:EncryptedData xmlns:e=\"" NS_XENC "\" Id=\"x\" Type=\"" NS_XENC "Element\">",
    "</e:EncryptedData>",
    "</xenc:EncryptedData>",
    "<xenc:ReferenceList xmlns:xenc=\"" NS_XENC "\">",
    "</xenc:ReferenceList>",
    "<xenc:DataReference URI=\"#x\"/>",
    "<wsse:Security xmlns:wsse=\"" NS_WSSE "\">",
    "</wsse:Security>",
    "<S:Body>",
    "</S:Body>",
    "<S:Header>",
    "</S:Header>",
    "<a/>",
    "<!-- -->",
    "<?a b?>",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a>",
    " Id=\"x\"",
    " Type=\"" NS_XENC "Content\"",
    " Type=\"" NS_XENC "Element\"",
    "&#x41;",
    "AAAA",
    "<wsse11:EncryptedHeader xmlns:wsse11=\"http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd\">",
    "</wsse11:EncryptedHeader>"};

/* ---- laws
 * -------------------------------------------------------------------------------------------------------------- */

static void fail(const char *law, const char *text, const char *opened)
{
    fprintf(stderr, "%s\n--- message\n%s\n--- opened\n%s\n", law, text, opened);
    abort();
}

static void verified(unsigned which, const char *text, const char *opened)
{
    char *body = canonical_body(opened);
    bool same = (base[which].body != NULL && strcmp(body, base[which].body) == 0) ||
                (base[which].sealed != NULL && strcmp(body, base[which].sealed) == 0);
    if (!same) {
        fail("a message passed whose Body is not the one that was signed", text, opened);
    }
    free(body);
}

/* @return what came out, NULL: refused */
static char *opened_by(const char *text, size_t n, bool verify, struct wssec_verdict *v)
{
    struct wssec_slice slice = {(const uint8_t *)text, n};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    if (wssec_open(worker, &in, policy, &when, &keys, NULL, verify, v, NULL, &out) != WSSEC_RC_OK ||
        v->reason == WSSEC_INTERNAL || v->reason == WSSEC_ENGINE_DISAGREEMENT ||
        (v->verdict == WSSEC_PASS) != (v->reason == WSSEC_OK) || (v->verdict == WSSEC_PASS) != (out.n_piece > 0)) {
        fail(v->detail, text, wssec_reason_code(v->reason));
    }
    return v->verdict == WSSEC_PASS ? text_of(&out) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edits in = {data, size};
    struct wssec_verdict v;
    cs_buf t = CS_BUF_INIT;
    if (size == 0 || size > MOST) {
        return 0;
    }
    unsigned first = edits_octet(&in);
    unsigned which = first % BASES;
    bool verify = first / BASES % 2 == 0;
    cs_buf_adds(&t, base[which].text);
    for (unsigned i = 0; i < STEPS && in.n > 0 && t.len < LONGEST; i++) {
        edits_apply(&t, &in, snippets, sizeof snippets / sizeof snippets[0]);
    }
    char *opened = opened_by(t.data, t.len, verify, &v);
    if (opened != NULL && verify) {
        verified(which, t.data, opened);
    } else if (opened != NULL && v.has_decrypted_with && strstr(opened, ORDER) == NULL && strstr(opened, TO) == NULL) {
        fail("a key opened something that was not sealed", t.data, opened);
    }
    free(opened);
    cs_buf_free(&t);
    return 0;
}
