/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soapmaker.h: keys, certificates and signed SOAP messages for tests, made at run time by a second hand:
 * canonicalization of an XPath node set by libxml2 and plain OpenSSL, no code of wssec/. Every step can be bent, so
 * that messages can be made that a correct signer would never write.
 */
#ifndef TESTS_SOAPMAKER_H
#define TESTS_SOAPMAKER_H

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/text.h"
#include "base/time.h"
#include "wssec/wssec.h"

#define MAKER_UNUSED  __attribute__((unused))
#define O4            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
#define NS_WSSE       O4 "wssecurity-secext-1.0.xsd"
#define NS_WSU        O4 "wssecurity-utility-1.0.xsd"
#define NS_DS         "http://www.w3.org/2000/09/xmldsig#"
#define NS_DSMORE     "http://www.w3.org/2001/04/xmldsig-more#"
#define EXC_C14N      "http://www.w3.org/2001/10/xml-exc-c14n#"
#define INC_C14N      "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define STR_TRANSFORM O4 "soap-message-security-1.0#STR-Transform"
#define BASE64_BINARY O4 "soap-message-security-1.0#Base64Binary"
#define X509V3        O4 "x509-token-profile-1.0#X509v3"
#define SOAP11        "http://schemas.xmlsoap.org/soap/envelope/"
#define SOAP12        "http://www.w3.org/2003/05/soap-envelope"
#define WSA10         "http://www.w3.org/2005/08/addressing"
#define MAKER_NOW     ((int64_t)1790000000) /* 2026-09-21T14:13:20Z: the clock of all tests */

/* ---- keys ------------------------------------------------------------------------------------------------------- */

struct maker_key {
    EVP_PKEY *pkey;
    X509 *x509;
    uint8_t *der;
    int der_len;
    uint8_t sha256[32], sha1[20], spki_sha256[32];
    char issuer[128], serial[64];
    uint8_t ski[20];
};

struct maker_cert {      /* what differs from the usual; zeroed: usual */
    const char *subject; /* CN */
    long serial;
    int64_t not_before, not_after;
    const char *key_usage; /* NULL: digitalSignature; "": none */
};

static MAKER_UNUSED void maker_fail(const char *what)
{
    fprintf(stderr, "soapmaker: %s\n", what);
    abort();
}

static MAKER_UNUSED EVP_PKEY *maker_pkey(const char *kind)
{
    EVP_PKEY *k = NULL;
    if (strncmp(kind, "rsa:", 4) == 0) {
        k = EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
    } else if (strncmp(kind, "ec:", 3) == 0) {
        k = EVP_EC_gen(kind + 3);
    } else {
        k = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    }
    if (k == NULL) {
        maker_fail("key");
    }
    return k;
}

static MAKER_UNUSED void maker_certify(struct maker_key *k, const struct maker_cert *c)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), c->serial != 0 ? c->serial : 4711);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(c->not_before != 0 ? c->not_before : MAKER_NOW - 86400));
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(c->not_after != 0 ? c->not_after : MAKER_NOW + 365 * 86400));
    X509_NAME *n = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8, (const unsigned char *)"ACME", -1, -1, 0);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
                               (const unsigned char *)(c->subject != NULL ? c->subject : "signer"), -1, -1, 0);
    X509_set_issuer_name(x, n);
    X509_set_pubkey(x, k->pkey);
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    const char *usage = c->key_usage != NULL ? c->key_usage : "critical,digitalSignature";
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    if (usage[0] != '\0') {
        e = X509V3_EXT_conf_nid(NULL, &ctx, NID_key_usage, usage);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    int type = EVP_PKEY_get_base_id(k->pkey);
    EVP_PKEY *issuer = type == EVP_PKEY_X25519 ? maker_pkey("ed25519") : NULL; /* it cannot sign */
    bool no_digest = type == EVP_PKEY_ED25519 || issuer != NULL;
    if (X509_sign(x, issuer != NULL ? issuer : k->pkey, no_digest ? NULL : EVP_sha256()) <= 0) {
        maker_fail("certificate");
    }
    EVP_PKEY_free(issuer);
    k->x509 = x;
    k->der_len = i2d_X509(x, &k->der);
    EVP_Digest(k->der, (size_t)k->der_len, k->sha256, NULL, EVP_sha256(), NULL);
    EVP_Digest(k->der, (size_t)k->der_len, k->sha1, NULL, EVP_sha1(), NULL);
    unsigned char *spki = NULL;
    int n_spki = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    EVP_Digest(spki, (size_t)n_spki, k->spki_sha256, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
    snprintf(k->issuer, sizeof k->issuer, "CN=%s,O=ACME", c->subject != NULL ? c->subject : "signer");
    snprintf(k->serial, sizeof k->serial, "%ld", c->serial != 0 ? c->serial : 4711);
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    memcpy(k->ski, ASN1_STRING_get0_data(ski), 20);
}

/* kind: rsa:2048, ec:P-256, ed25519, x25519 */
static MAKER_UNUSED struct maker_key maker_key_new(const char *kind, const struct maker_cert *c)
{
    static const struct maker_cert usual = {0};
    struct maker_key k = {0};
    k.pkey = maker_pkey(kind);
    maker_certify(&k, c != NULL ? c : &usual);
    return k;
}

/* Another certificate for the same key. */
static MAKER_UNUSED struct maker_key maker_key_again(const struct maker_key *old, const struct maker_cert *c)
{
    struct maker_key k = {0};
    EVP_PKEY_up_ref(old->pkey);
    k.pkey = old->pkey;
    maker_certify(&k, c);
    return k;
}

static MAKER_UNUSED void maker_key_free(struct maker_key *k)
{
    EVP_PKEY_free(k->pkey);
    X509_free(k->x509);
    OPENSSL_free(k->der);
    memset(k, 0, sizeof *k);
}

static MAKER_UNUSED char *maker_base64(const uint8_t *p, size_t n)
{
    char *out = malloc(4 * ((n + 2) / 3) + 1);
    if (out == NULL) {
        maker_fail("memory");
    }
    cs_base64_encode(p, n, out);
    return out;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

#define SWA_CONTENT  "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Signature-Transform"
#define SWA_COMPLETE "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Complete-Signature-Transform"

struct maker_attached {           /* a reference to an attachment */
    const char *uri, *transforms; /* transforms NULL: its content */
    const char *digested;         /* octets that are signed */
};

struct maker { /* NULL and 0: usual */
    const struct maker_key *key;
    int soap;                /* 11, 12 */
    const char *body;        /* content of Body */
    const char *header;      /* header blocks beside Security; ids W1, W2 … as they like */
    const char *in_security; /* extra children of Security, before the Signature */
    const char *security_attributes;
    const char *refs;            /* ids, blank-separated: "Body TS"; a leading '*': with STR-Transform */
    const char *keyref;          /* KIND words, or raw KeyInfo content beginning with '<'; "none": no KeyInfo */
    const char *algorithm;       /* SignatureMethod URI */
    const char *digest;          /* DigestMethod URI */
    const char *c14n;            /* CanonicalizationMethod and Transform */
    const char *c14n_content;    /* children of CanonicalizationMethod */
    const char *transforms;      /* Transforms content of every reference instead of the usual; "none": no Transforms */
    const char *prefixes;        /* PrefixList of the references */
    int64_t created, expires;    /* 0: now, now + 300; -1: no Timestamp at all */
    const char *timestamp;       /* raw Timestamp element instead */
    const char *after_signature; /* children of Security behind the Signature */
    const struct maker_attached *attached; /* more references, up to one without URI */
    bool no_token;                         /* no BinarySecurityToken for kind direct */
    const char *body_attributes;
};

static MAKER_UNUSED const char *maker_default(const char *s, const char *deflt)
{
    return s != NULL ? s : deflt;
}

static MAKER_UNUSED void maker_key_info(cs_buf *b, const struct maker *m)
{
    const struct maker_key *k = m->key;
    const char *kind = maker_default(m->keyref, "direct");
    char *der = maker_base64(k->der, (size_t)k->der_len);
    char *sha1 = maker_base64(k->sha1, 20);
    char *ski = maker_base64(k->ski, 20);
    cs_buf_adds(b, "<ds:KeyInfo>");
    if (kind[0] == '<') {
        cs_buf_adds(b, kind);
    } else if (strcmp(kind, "direct") == 0) {
        cs_buf_adds(b, "<wsse:SecurityTokenReference wsu:Id=\"STR\"><wsse:Reference URI=\"#X509\" ValueType=\"" X509V3
                       "\"/></wsse:SecurityTokenReference>");
    } else if (strcmp(kind, "issuer-serial") == 0) {
        cs_buf_addf(b,
                    "<wsse:SecurityTokenReference "
                    "wsu:Id=\"STR\"><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>%s</"
                    "ds:X509IssuerName><ds:X509SerialNumber>%s"
                    "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></wsse:SecurityTokenReference>",
                    k->issuer, k->serial);
    } else if (strcmp(kind, "ski") == 0) {
        cs_buf_addf(
            b,
            "<wsse:SecurityTokenReference wsu:Id=\"STR\"><wsse:KeyIdentifier EncodingType=\"" BASE64_BINARY
            "\" ValueType=\"" O4
            "x509-token-profile-1.0#X509SubjectKeyIdentifier\">%s</wsse:KeyIdentifier></wsse:SecurityTokenReference>",
            ski);
    } else if (strcmp(kind, "thumbprint") == 0) {
        cs_buf_addf(b,
                    "<wsse:SecurityTokenReference wsu:Id=\"STR\"><wsse:KeyIdentifier EncodingType=\"" BASE64_BINARY
                    "\" ValueType=\"http://docs.oasis-open.org/wss/"
                    "oasis-wss-soap-message-security-1.1#ThumbprintSHA1\">%s</wsse:KeyIdentifier></"
                    "wsse:SecurityTokenReference>",
                    sha1);
    } else if (strcmp(kind, "x509v3-key-identifier") == 0) {
        cs_buf_addf(b,
                    "<wsse:SecurityTokenReference wsu:Id=\"STR\"><wsse:KeyIdentifier EncodingType=\"" BASE64_BINARY
                    "\" ValueType=\"" X509V3 "\">%s</wsse:KeyIdentifier></wsse:SecurityTokenReference>",
                    der);
    } else if (strcmp(kind, "embedded") == 0) {
        cs_buf_addf(b,
                    "<wsse:SecurityTokenReference wsu:Id=\"STR\"><wsse:Embedded><wsse:BinarySecurityToken "
                    "EncodingType=\"" BASE64_BINARY "\" ValueType=\"" X509V3
                    "\">%s</wsse:BinarySecurityToken></wsse:Embedded></wsse:SecurityTokenReference>",
                    der);
    } else if (strcmp(kind, "x509-data") == 0) {
        cs_buf_addf(b, "<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data>", der);
    } else if (strcmp(kind, "zeep") == 0) {
        cs_buf_addf(b,
                    "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial/><ds:X509Certificate>%s</"
                    "ds:X509Certificate></ds:X509Data></wsse:SecurityTokenReference>",
                    der);
    }
    cs_buf_adds(b, "</ds:KeyInfo>");
    free(der);
    free(sha1);
    free(ski);
}

static MAKER_UNUSED void maker_reference(cs_buf *b, const struct maker *m, const char *id, size_t n, int index)
{
    bool str = id[0] == '*';
    const char *c14n = maker_default(m->c14n, EXC_C14N);
    bool bare = m->transforms != NULL && strcmp(m->transforms, "none") == 0;
    cs_buf_addf(b, "<ds:Reference URI=\"#%.*s\">%s", (int)(n - str), id + str, bare ? "" : "<ds:Transforms>");
    if (m->transforms != NULL) {
        cs_buf_adds(b, bare ? "" : m->transforms);
    } else if (str) {
        cs_buf_addf(b,
                    "<ds:Transform Algorithm=\"" STR_TRANSFORM
                    "\"><wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm=\"%s\"/>"
                    "</wsse:TransformationParameters></ds:Transform>",
                    c14n);
    } else if (m->prefixes != NULL) {
        cs_buf_addf(b,
                    "<ds:Transform Algorithm=\"%s\"><ec:InclusiveNamespaces xmlns:ec=\"" EXC_C14N
                    "\" PrefixList=\"%s\"/></ds:Transform>",
                    c14n, m->prefixes);
    } else {
        cs_buf_addf(b, "<ds:Transform Algorithm=\"%s\"/>", c14n);
    }
    cs_buf_addf(b, "%s<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue>@D%d@</ds:DigestValue></ds:Reference>",
                bare ? "" : "</ds:Transforms>", maker_default(m->digest, "http://www.w3.org/2001/04/xmlenc#sha256"),
                index);
}

static MAKER_UNUSED void maker_signature(cs_buf *b, const struct maker *m)
{
    cs_buf_addf(b,
                "<ds:Signature xmlns:ds=\"" NS_DS "\" Id=\"SIG\"><ds:SignedInfo><ds:CanonicalizationMethod "
                "Algorithm=\"%s\"%s%s%s"
                "<ds:SignatureMethod Algorithm=\"%s\"/>",
                maker_default(m->c14n, EXC_C14N), m->c14n_content != NULL ? ">" : "/>",
                maker_default(m->c14n_content, ""), m->c14n_content != NULL ? "</ds:CanonicalizationMethod>" : "",
                maker_default(m->algorithm, NS_DSMORE "rsa-sha256"));
    int index = 0;
    for (const char *p = maker_default(m->refs, "Body TS"); *p != '\0'; index++) {
        size_t n = strcspn(p, " ");
        maker_reference(b, m, p, n, index);
        p += n + strspn(p + n, " ");
    }
    for (const struct maker_attached *a = m->attached; a != NULL && a->uri != NULL; a++, index++) {
        cs_buf_addf(
            b,
            "<ds:Reference URI=\"%s\"><ds:Transforms>%s</ds:Transforms><ds:DigestMethod "
            "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>@D%d@</ds:DigestValue></ds:Reference>",
            a->uri, maker_default(a->transforms, "<ds:Transform Algorithm=\"" SWA_CONTENT "\"/>"), index);
    }
    cs_buf_adds(b, "</ds:SignedInfo><ds:SignatureValue>@SV@</ds:SignatureValue>");
    if (m->keyref == NULL || strcmp(m->keyref, "none") != 0) {
        maker_key_info(b, m);
    }
    cs_buf_adds(b, "</ds:Signature>");
}

static MAKER_UNUSED void maker_timestamp(cs_buf *b, const struct maker *m)
{
    char from[CS_TIME_TEXT];
    char to[CS_TIME_TEXT];
    if (m->timestamp != NULL) {
        cs_buf_adds(b, m->timestamp);
    } else if (m->created >= 0) {
        int64_t created = m->created != 0 ? m->created : MAKER_NOW;
        cs_buf_addf(
            b,
            "<wsu:Timestamp wsu:Id=\"TS\"><wsu:Created>%s</wsu:Created><wsu:Expires>%s</wsu:Expires></wsu:Timestamp>",
            cs_time_format(created, from), cs_time_format(m->expires != 0 ? m->expires : created + 300, to));
    }
}

/* The unsigned text with @D0@ … and @SV@ where values go. */
static MAKER_UNUSED char *maker_skeleton(const struct maker *m)
{
    cs_buf b = CS_BUF_INIT;
    const char *kind = maker_default(m->keyref, "direct");
    cs_buf_addf(&b,
                "<S:Envelope xmlns:S=\"%s\" xmlns:wsu=\"" NS_WSU "\" xmlns:wsse=\"" NS_WSSE
                "\"><S:Header>%s<wsse:Security%s>",
                m->soap == 12 ? SOAP12 : SOAP11, maker_default(m->header, ""),
                maker_default(m->security_attributes, " S:mustUnderstand=\"1\""));
    if (strcmp(kind, "direct") == 0 && !m->no_token) {
        char *der = maker_base64(m->key->der, (size_t)m->key->der_len);
        cs_buf_addf(&b,
                    "<wsse:BinarySecurityToken EncodingType=\"" BASE64_BINARY "\" ValueType=\"" X509V3
                    "\" wsu:Id=\"X509\">%s</wsse:BinarySecurityToken>",
                    der);
        free(der);
    }
    maker_timestamp(&b, m);
    cs_buf_adds(&b, maker_default(m->in_security, ""));
    maker_signature(&b, m);
    cs_buf_addf(&b, "%s</wsse:Security></S:Header><S:Body wsu:Id=\"Body\"%s>%s</S:Body></S:Envelope>",
                maker_default(m->after_signature, ""), maker_default(m->body_attributes, ""),
                maker_default(m->body, "<o:order xmlns:o=\"urn:orders\"><o:item n=\"1\">bolt</o:item></o:order>"));
    return cs_buf_take(&b, NULL);
}

/* text with the first occurrence of what replaced; frees text. Aborts when there is none. */
static MAKER_UNUSED char *maker_replace(char *text, const char *what, const char *by)
{
    char *at = strstr(text, what);
    if (at == NULL) {
        fprintf(stderr, "soapmaker: \"%s\" is not in the message\n", what);
        abort();
    }
    cs_buf b = CS_BUF_INIT;
    cs_buf_add(&b, text, (size_t)(at - text));
    cs_buf_adds(&b, by);
    cs_buf_adds(&b, at + strlen(what));
    free(text);
    return cs_buf_take(&b, NULL);
}

/* Canonical text of the subtree that an XPath names, through a node set: another way than wssec goes. */
static MAKER_UNUSED char *maker_canon(const char *text, const char *xpath, const char *uri, const char *prefixes,
                                      int *len)
{
    xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
    if (doc == NULL) {
        maker_fail("own XML");
    }
    xmlXPathContextPtr x = xmlXPathNewContext(doc);
    xmlXPathRegisterNs(x, BAD_CAST "wsu", BAD_CAST NS_WSU);
    xmlXPathRegisterNs(x, BAD_CAST "wsse", BAD_CAST NS_WSSE);
    xmlXPathRegisterNs(x, BAD_CAST "ds", BAD_CAST NS_DS);
    char expr[1024];
    snprintf(
        expr, sizeof expr,
        "(%s)/descendant-or-self::node() | (%s)/descendant-or-self::*/@* | (%s)/descendant-or-self::*/namespace::*",
        xpath, xpath, xpath);
    xmlXPathObjectPtr o = xmlXPathEvalExpression(BAD_CAST expr, x);
    xmlChar *prefix[16] = {NULL};
    char list[256];
    int n = 0;
    snprintf(list, sizeof list, "%s", prefixes != NULL ? prefixes : "");
    char *rest = NULL;
    for (char *p = strtok_r(list, " ", &rest); p != NULL && n < 15; p = strtok_r(NULL, " ", &rest)) {
        prefix[n++] = BAD_CAST p;
    }
    int mode = strcmp(uri, INC_C14N) == 0                                 ? XML_C14N_1_0
               : strcmp(uri, "http://www.w3.org/2006/12/xml-c14n11") == 0 ? XML_C14N_1_1
                                                                          : XML_C14N_EXCLUSIVE_1_0;
    xmlChar *out = NULL;
    *len = xmlC14NDocDumpMemory(doc, o->nodesetval, mode, n > 0 ? prefix : NULL, 0, &out);
    if (*len <= 0) {
        fprintf(stderr, "soapmaker: nothing at %s\n", xpath);
        abort();
    }
    char *copy = malloc((size_t)*len + 1);
    memcpy(copy, out, (size_t)*len + 1);
    xmlFree(out);
    xmlXPathFreeObject(o);
    xmlXPathFreeContext(x);
    xmlFreeDoc(doc);
    return copy;
}

static MAKER_UNUSED const EVP_MD *maker_md(const char *uri)
{
    return strstr(uri, "512") != NULL    ? EVP_sha512()
           : strstr(uri, "384") != NULL  ? EVP_sha384()
           : strstr(uri, "sha1") != NULL ? EVP_sha1()
                                         : EVP_sha256();
}

/* SignatureValue of data: decoded octets in the shape of XML-DSig. */
static MAKER_UNUSED size_t maker_sign(const struct maker_key *k, const char *uri, const void *data, size_t n,
                                      uint8_t *out)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    size_t len = 2048;
    bool ed = EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_ED25519;
    if (EVP_DigestSignInit(c, &p, ed ? NULL : maker_md(uri), NULL, k->pkey) != 1) {
        maker_fail("sign");
    }
    if (strstr(uri, "MGF1") != NULL) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
    }
    if (EVP_DigestSign(c, out, &len, data, n) != 1) {
        maker_fail("sign");
    }
    EVP_MD_CTX_free(c);
    if (EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_EC) {
        const unsigned char *der = out;
        ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
        int half = (EVP_PKEY_get_bits(k->pkey) + 7) / 8;
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half);
        ECDSA_SIG_free(sig);
        len = (size_t)(2 * half);
    }
    return len;
}

/* Canonical octets of the token that a SecurityTokenReference stands for. */
static MAKER_UNUSED char *maker_token(const char *text, const struct maker *m, int *len)
{
    const char *kind = maker_default(m->keyref, "direct");
    if (strcmp(kind, "direct") == 0) {
        char *canon = maker_canon(text, "//wsse:BinarySecurityToken", EXC_C14N, NULL, len);
        canon = maker_replace(canon, "<wsse:BinarySecurityToken", "<wsse:BinarySecurityToken xmlns=\"\"");
        *len = (int)strlen(canon);
        return canon;
    }
    char *der = maker_base64(m->key->der, (size_t)m->key->der_len);
    cs_buf b = CS_BUF_INIT;
    cs_buf_addf(&b,
                "<wsse:BinarySecurityToken xmlns=\"\" xmlns:wsse=\"" NS_WSSE "\" EncodingType=\"" BASE64_BINARY
                "\" ValueType=\"" X509V3 "\">%s</wsse:BinarySecurityToken>",
                der);
    free(der);
    *len = (int)b.len;
    return cs_buf_take(&b, NULL);
}

/* Fill @D…@ and @SV@ of a skeleton (takes it). */
static MAKER_UNUSED char *maker_fill(char *text, const struct maker *m)
{
    const char *c14n = maker_default(m->c14n, EXC_C14N);
    const char *digest = maker_default(m->digest, "http://www.w3.org/2001/04/xmlenc#sha256");
    int index = 0;
    int len = 0;
    for (const char *p = maker_default(m->refs, "Body TS"); *p != '\0'; index++) {
        char xpath[256];
        char place[16];
        uint8_t md[EVP_MAX_MD_SIZE];
        unsigned n_md = 0;
        size_t n = strcspn(p, " ");
        snprintf(xpath, sizeof xpath, "//*[@wsu:Id='%.*s' or @Id='%.*s' or @xml:id='%.*s']", (int)n, p, (int)n, p,
                 (int)n, p);
        char *canon = p[0] == '*' ? maker_token(text, m, &len) : maker_canon(text, xpath, c14n, m->prefixes, &len);
        EVP_Digest(canon, (size_t)len, md, &n_md, maker_md(digest), NULL);
        free(canon);
        char *b64 = maker_base64(md, n_md);
        snprintf(place, sizeof place, "@D%d@", index);
        text = maker_replace(text, place, b64);
        free(b64);
        p += n + strspn(p + n, " ");
    }
    for (const struct maker_attached *a = m->attached; a != NULL && a->uri != NULL; a++, index++) {
        char place[16];
        uint8_t md[32];
        snprintf(place, sizeof place, "@D%d@", index);
        EVP_Digest(a->digested, strlen(a->digested), md, NULL, EVP_sha256(), NULL);
        char *b64 = maker_base64(md, sizeof md);
        text = maker_replace(text, place, b64);
        free(b64);
    }
    char *canon = maker_canon(text, "(//ds:SignatureValue[.='@SV@']/../ds:SignedInfo)[1]", c14n, NULL, &len);
    uint8_t value[2048];
    size_t n = maker_sign(m->key, maker_default(m->algorithm, NS_DSMORE "rsa-sha256"), canon, (size_t)len, value);
    free(canon);
    char *b64 = maker_base64(value, n);
    text = maker_replace(text, "@SV@", b64);
    free(b64);
    return text;
}

/* A signed message; the caller frees it. */
static MAKER_UNUSED char *maker_message(const struct maker *m)
{
    return maker_fill(maker_skeleton(m), m);
}

/* ---- a resolver over a table ------------------------------------------------------------------------------------ */

struct maker_partner {
    struct wssec_entry entry[80];
    int n;
    const struct maker_key *key[80];
};

static MAKER_UNUSED struct wssec_entry *maker_accept(struct maker_partner *p, const struct maker_key *k,
                                                     enum wssec_state state)
{
    struct wssec_entry *e = &p->entry[p->n];
    memset(e, 0, sizeof *e);
    e->alias = "acme-sign";
    e->ordinal = (unsigned)p->n + 1;
    e->state = state;
    struct tm tm;
    ASN1_TIME_to_tm(X509_get0_notBefore(k->x509), &tm);
    e->not_before = timegm(&tm);
    ASN1_TIME_to_tm(X509_get0_notAfter(k->x509), &tm);
    e->not_after = timegm(&tm);
    memcpy(e->sha256, k->sha256, 32);
    memcpy(e->spki_sha256, k->spki_sha256, 32);
    e->key = X509_get0_pubkey(k->x509);
    e->der = (struct wssec_slice){k->der, (size_t)k->der_len};
    p->key[p->n++] = k;
    return e;
}

static MAKER_UNUSED bool maker_fits(const struct maker_key *k, const struct wssec_hint *h)
{
    if (h == NULL || h->kind == WSSEC_KEYREF_NONE) {
        return true;
    }
    if (h->has_cert) {
        return memcmp(h->cert_sha256, k->sha256, 32) == 0;
    }
    if (h->kind == WSSEC_KEYREF_THUMBPRINT) {
        return memcmp(h->thumbprint, k->sha1, 20) == 0;
    }
    if (h->kind == WSSEC_KEYREF_SKI) {
        return h->ski_len == 20 && memcmp(h->ski, k->ski, 20) == 0;
    }
    return h->issuer != NULL && strcmp(h->issuer, k->issuer) == 0 && strcmp(h->serial, k->serial) == 0;
}

static MAKER_UNUSED int maker_candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at,
                                         struct wssec_entry *out, int max)
{
    struct maker_partner *p = ctx;
    int n = 0;
    (void)use;
    (void)at;
    for (int i = 0; i < p->n && n < max; i++) {
        if (maker_fits(p->key[i], h)) {
            out[n++] = p->entry[i];
        }
    }
    return n;
}

/* Offset of the n-th '<', counted around. */
static MAKER_UNUSED size_t maker_tag(const cs_buf *t, unsigned n)
{
    unsigned tags = 0;
    for (size_t i = 0; i < t->len; i++) {
        tags += t->data[i] == '<';
    }
    n = tags == 0 ? 0 : n % tags;
    for (size_t i = 0; i < t->len; i++) {
        if (t->data[i] == '<' && n-- == 0) {
            return i;
        }
    }
    return 0;
}

#endif
