/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed.h: messages sealed as a peer with our public key could make them: in order, or wrong in one place. Shared by
 * tests and by programs that measure.
 */
#ifndef TESTS_SEALED_H
#define TESTS_SEALED_H

#include "tests/unit/soapmaker.h"
#include "wssec/cipher.h"

#define NS_XENC   "http://www.w3.org/2001/04/xmlenc#"
#define NS_XENC11 "http://www.w3.org/2009/xmlenc11#"

static struct maker_key own; /* whom messages are sealed for unless they say so */

static MAKER_UNUSED void sealed_must(bool good)
{
    if (!good) {
        maker_fail("seal");
    }
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
    bool wrapped_all_ones; /* the wrapped key is a number above every modulus of its length */
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
    struct wssec_transport t = {wssec_transport_by_word(c->transport != NULL ? c->transport : "rsa-oaep-mgf1p"),
                                "SHA1",
                                "SHA1",
                                {NULL, 0},
                                NULL};
    EVP_PKEY *to = c->to != NULL ? c->to->pkey : own.pkey;
    cs_buf data = CS_BUF_INIT;
    cs_buf wrapped = CS_BUF_INIT;
    cs_buf b = CS_BUF_INIT;
    size_t key_octets = a->key + (c->wrong_length ? 8 : 0);
    if (a->tag != 0) {
        const struct wssec_slice plain = {(const uint8_t *)c->plaintext, strlen(c->plaintext)};
        sealed_must(wssec_cipher_close(a, key, plain, &data) == 0);
    } else {
        seal_cbc(a, key, c->plaintext, &data);
    }
    if (t.alg->oaep) {
        sealed_must(wssec_transport_close(&t, to, key, key_octets % 33, &wrapped) == 0);
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
    if (c->wrapped_all_ones) {
        memset(wrapped.data, 0xFF, wrapped.len);
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

#endif
