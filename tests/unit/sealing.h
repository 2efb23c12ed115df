/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealing.h: keys of both sides, calls, and messages sealed as a peer with our public key could make them: in order, or
 * wrong in one place. Shared by tests of encryption.
 */
#ifndef TESTS_SEALING_H
#define TESTS_SEALING_H

#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"
#include "wssec/cipher.h"
#include "wssec/policy.h"

#define NS_XENC   "http://www.w3.org/2001/04/xmlenc#"
#define NS_XENC11 "http://www.w3.org/2009/xmlenc11#"
#define BODY      "<o:order xmlns:o=\"urn:orders\">bolt &amp; nut</o:order>"
#define PLAIN     "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body>" BODY "</S:Body></S:Envelope>"

static struct wssec_worker *worker;
static struct maker_key signer, own, older, stranger;
static enum wssec_state own_state, older_state;
static bool with_older;
static struct wssec_verdict v;
static struct wssec_explain steps;
static const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};

int harness_setup(void)
{
    char err[256];
    static const struct maker_cert own_cert = {.subject = "own", .serial = 11, .key_usage = "keyEncipherment"};
    static const struct maker_cert older_cert = {.subject = "own", .serial = 10, .key_usage = "keyEncipherment"};
    if (wssec_init(NULL, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    worker = wssec_worker_new();
    signer = maker_key_new("rsa:2048", NULL);
    own = maker_key_new("rsa:2048", &own_cert);
    older = maker_key_new("rsa:2048", &older_cert);
    stranger = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "stranger", .serial = 12});
    return worker == NULL;
}

int harness_teardown(void)
{
    maker_key_free(&signer);
    maker_key_free(&own);
    maker_key_free(&older);
    maker_key_free(&stranger);
    wssec_explain_free(&steps);
    wssec_worker_free(worker);
    wssec_shutdown();
    return 0;
}

/* ---- keys, policies, calls ------------------------------------------------------------------------------------- */

static MAKER_UNUSED int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at,
                                   struct wssec_entry *out, int max)
{
    struct maker_partner p = {.n = 0};
    (void)ctx;
    if (use == WSSEC_USE_VERIFY || use == WSSEC_USE_SIGN) {
        struct wssec_entry *e = maker_accept(&p, &signer, WSSEC_ACTIVE);
        e->key = use == WSSEC_USE_SIGN ? signer.pkey : e->key;
    } else if (use == WSSEC_USE_ENCRYPT) {
        (void)maker_accept(&p, &own, WSSEC_ACTIVE);
    } else {
        maker_accept(&p, &own, own_state)->key = own.pkey;
        if (with_older) {
            maker_accept(&p, &older, older_state)->key = older.pkey;
        }
    }
    return maker_candidates(&p, use, h, at, out, max);
}

static const struct wssec_resolver keys = {NULL, 7, candidates, NULL};

static MAKER_UNUSED struct wssec_policy *policy_with(const char *const legacy[])
{
    char err[256] = "";
    struct wssec_policy *p = wssec_policy_new("test");
    for (size_t i = 0; legacy != NULL && legacy[i] != NULL; i++) {
        const char *words[] = {legacy[i], "until", "2030-01-01"};
        CU_ASSERT_EQUAL_FATAL(wssec_policy_set(p, "legacy", 3, words, err, sizeof err), 0);
    }
    CU_ASSERT_FATAL(wssec_policy_freeze(p, err, sizeof err) >= 0);
    return p;
}

static MAKER_UNUSED char *text_of(const struct wssec_output *out)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < out->n_piece; i++) {
        (void)cs_buf_add(&b, out->piece[i].p, out->piece[i].n);
    }
    return cs_buf_take(&b, NULL);
}

/* @return the opened text (caller frees), NULL: refused */
static MAKER_UNUSED char *opened(const char *text, bool verify, const char *const legacy[])
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = "text/xml; charset=utf-8"};
    struct wssec_policy *p = policy_with(legacy);
    struct wssec_output out;
    wssec_explain_free(&steps);
    int rc = wssec_open(worker, &in, p, &when, &keys, NULL, verify, &v, &steps, &out);
    CU_ASSERT_EQUAL(rc, WSSEC_RC_OK);
    char *made = v.verdict == WSSEC_PASS ? text_of(&out) : NULL;
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, out.n_piece > 0);
    wssec_policy_unref(p);
    return made;
}

static MAKER_UNUSED void refused(char *text, bool verify, const char *const legacy[], const char *reason)
{
    char *made = opened(text, verify, legacy);
    if (strcmp(wssec_reason_code(v.reason), reason) != 0) {
        printf("  # expected %s, got %s (%s)\n", reason, wssec_reason_code(v.reason), v.detail);
    }
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), reason);
    CU_ASSERT_PTR_NULL(made);
    free(made);
    free(text);
}

static MAKER_UNUSED void opens_to(char *text, bool verify, const char *const legacy[], const char *expected)
{
    char *made = opened(text, verify, legacy);
    if (made == NULL) {
        printf("  # %s: %s\n", wssec_reason_code(v.reason), v.detail);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_STRING_EQUAL(made, expected);
    free(made);
    free(text);
}

static MAKER_UNUSED char *encrypted(const char *text, const struct wssec_encryption *how)
{
    static const struct wssec_encryption usual = {0};
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    struct wssec_verdict made;
    int rc = wssec_encrypt(worker, &in, how != NULL ? how : &usual, &when, &keys, &out, &made);
    CU_ASSERT_EQUAL_FATAL(rc, WSSEC_RC_OK);
    if (made.verdict != WSSEC_PASS) {
        printf("  # %s: %s\n", wssec_reason_code(made.reason), made.detail);
    }
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    return text_of(&out);
}

static MAKER_UNUSED char *signed_text(const char *text, const struct wssec_recipe *recipe)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_output out;
    struct wssec_verdict made;
    int rc = wssec_sign(worker, &in, recipe, &when, &keys, &out, &made);
    CU_ASSERT_EQUAL_FATAL(rc, WSSEC_RC_OK);
    CU_ASSERT_EQUAL_FATAL(made.verdict, WSSEC_PASS);
    return text_of(&out);
}

/* ---- a message as a peer could make it ------------------------------------------------------------------------- */

struct crafted {
    const char *plaintext;
    const char *type;            /* Content, Element */
    const char *cipher;          /* word; NULL: aes256-gcm */
    const char *transport;       /* word; NULL: rsa-oaep-mgf1p */
    const struct maker_key *to;  /* NULL: own */
    const char *key_info;        /* of EncryptedKey; NULL: none */
    const char *before, *behind; /* in Body, around the EncryptedData */
    const char *header;          /* children of our Security behind the EncryptedKey */
    unsigned flip;               /* octet of the ciphertext that is changed, counted from 1 */
    size_t cut;                  /* octets that go from its end */
    int extra_keys;              /* more references of the list */
    bool wrong_length;           /* a content key of another length than the cipher's */
    bool flip_last;              /* the last octet of the ciphertext is changed: the tag's, where there is one */
    size_t extend;               /* octets that come behind its end */
    const char *claim;           /* the message says this transport instead; its parameters behind it, or NULL */
    const char *parameters;
    unsigned wrapped_flip; /* octet of the wrapped key, counted from 1 */
    size_t wrapped_cut, wrapped_extend;
};

static MAKER_UNUSED void add_base64(cs_buf *b, const uint8_t *p, size_t n)
{
    char *text = malloc(4 * ((n + 2) / 3) + 1);
    (void)cs_base64_encode(p, n, text);
    (void)cs_buf_adds(b, text);
    free(text);
}

/* AES-CBC with the padding of XML Encryption, as a peer makes it. */
static MAKER_UNUSED void seal_cbc(const struct wssec_cipher_alg *a, const uint8_t *key, const char *text, cs_buf *out)
{
    uint8_t iv[16] = "0123456789abcde";
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, a->evp, NULL);
    size_t n = strlen(text);
    size_t pad = a->iv - n % a->iv;
    uint8_t *padded = calloc(1, n + pad);
    int made = 0;
    memcpy(padded, text, n);
    padded[n + pad - 1] = (uint8_t)pad;
    (void)cs_buf_add(out, iv, a->iv);
    (void)cs_buf_reserve(out, n + pad + 32);
    EVP_EncryptInit_ex(ctx, c, NULL, key, iv);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    EVP_EncryptUpdate(ctx, (uint8_t *)out->data + out->len, &made, padded, (int)(n + pad));
    out->len += (size_t)made;
    free(padded);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(c);
}

static MAKER_UNUSED void wrap_pkcs1(EVP_PKEY *key, const uint8_t *p, size_t n, cs_buf *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    uint8_t wrapped[512];
    size_t len = sizeof wrapped;
    EVP_PKEY_encrypt_init(ctx);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
    EVP_PKEY_encrypt(ctx, wrapped, &len, p, n);
    EVP_PKEY_CTX_free(ctx);
    (void)cs_buf_add(out, wrapped, len);
}

static MAKER_UNUSED char *craft(const struct crafted *c)
{
    uint8_t key[WSSEC_CONTENT_KEY_MAX] = "a content key of thirty-two oct.";
    const struct wssec_cipher_alg *a = wssec_cipher_by_word(c->cipher != NULL ? c->cipher : "aes256-gcm");
    struct wssec_transport t = {
        wssec_transport_by_word(c->transport != NULL ? c->transport : "rsa-oaep-mgf1p"), "SHA1", "SHA1", {NULL, 0}};
    EVP_PKEY *to = c->to != NULL ? c->to->pkey : own.pkey;
    cs_buf data = CS_BUF_INIT;
    cs_buf wrapped = CS_BUF_INIT;
    cs_buf b = CS_BUF_INIT;
    size_t key_octets = a->key + (c->wrong_length ? 8 : 0);
    if (a->tag != 0) {
        CU_ASSERT_EQUAL_FATAL(
            wssec_cipher_close(a, key, (struct wssec_slice){(const uint8_t *)c->plaintext, strlen(c->plaintext)},
                               &data),
            0);
    } else {
        seal_cbc(a, key, c->plaintext, &data);
    }
    if (t.alg->oaep) {
        CU_ASSERT_EQUAL_FATAL(wssec_transport_close(&t, to, key, key_octets % 33, &wrapped), 0);
    } else {
        wrap_pkcs1(to, key, key_octets, &wrapped);
    }
    if (c->flip != 0) {
        data.data[c->flip - 1] = (char)(data.data[c->flip - 1] ^ 1);
    }
    if (c->flip_last) {
        data.data[data.len - 1] = (char)(data.data[data.len - 1] ^ 1);
    }
    data.len -= c->cut;
    (void)cs_buf_add(&data, "0123456789abcdef0123456789abcdef", c->extend);
    if (c->wrapped_flip != 0) {
        wrapped.data[c->wrapped_flip - 1] = (char)(wrapped.data[c->wrapped_flip - 1] ^ 1);
    }
    wrapped.len -= c->wrapped_cut;
    (void)cs_buf_add(&wrapped, "0123456789abcdef0123456789abcdef", c->wrapped_extend);
    (void)cs_buf_addf(&b,
                      "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:e=\"" NS_XENC "\" xmlns:w=\"" NS_WSSE
                      "\"><S:Header><w:Security>"
                      "<e:EncryptedKey Id=\"ek\"><e:EncryptionMethod "
                      "Algorithm=\"%s\">%s</e:EncryptionMethod>%s<e:CipherData><e:CipherValue>",
                      c->claim != NULL ? wssec_transport_by_word(c->claim)->uri : t.alg->uri,
                      c->parameters != NULL ? c->parameters : "", c->key_info != NULL ? c->key_info : "");
    add_base64(&b, (const uint8_t *)wrapped.data, wrapped.len);
    (void)cs_buf_adds(&b, "</e:CipherValue></e:CipherData><e:ReferenceList><e:DataReference URI=\"#ed\"/>");
    for (int i = 0; i < c->extra_keys; i++) {
        (void)cs_buf_addf(&b, "<e:DataReference URI=\"#ed%d\"/>", i);
    }
    (void)cs_buf_addf(&b,
                      "</e:ReferenceList></e:EncryptedKey>%s</w:Security></S:Header><S:Body>%s"
                      "<e:EncryptedData Id=\"ed\" Type=\"" NS_XENC
                      "%s\"><e:EncryptionMethod Algorithm=\"%s\"/><e:CipherData><e:CipherValue>",
                      c->header != NULL ? c->header : "", c->before != NULL ? c->before : "",
                      c->type != NULL ? c->type : "Content", a->uri);
    add_base64(&b, (const uint8_t *)data.data, data.len);
    (void)cs_buf_addf(&b, "</e:CipherValue></e:CipherData></e:EncryptedData>%s</S:Body></S:Envelope>",
                      c->behind != NULL ? c->behind : "");
    cs_buf_free(&data);
    cs_buf_free(&wrapped);
    return cs_buf_take(&b, NULL);
}

#define CRAFT(...) craft(&(struct crafted){__VA_ARGS__})
#define OPENED(body)                                                                                                   \
    "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:e=\"" NS_XENC "\" xmlns:w=\"" NS_WSSE "\"><S:Body>" body                 \
    "</S:Body></S:Envelope>"

/* The first place of a text gives way to another. */
static MAKER_UNUSED char *with(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);
    cs_buf b = CS_BUF_INIT;
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    (void)cs_buf_add(&b, text, (size_t)(at - text));
    (void)cs_buf_adds(&b, new);
    (void)cs_buf_adds(&b, at + strlen(old));
    free(text);
    return cs_buf_take(&b, NULL);
}

static MAKER_UNUSED void reset(void)
{
    own_state = WSSEC_ACTIVE;
    older_state = WSSEC_DEACTIVATED;
    with_older = false;
}

static MAKER_UNUSED const char *const every_exception[] = {"cbc", "cbc-before-verify", "rsa-1_5", "tripledes", NULL};

#endif
