/* SPDX-License-Identifier: Apache-2.0 */
/* agreement.c: see agreement.h. */
#include "wssec/agreement.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wssec/alg.h"
#include "wssec/encrypted.h"
#include "wssec/keyinfo.h"

#define DSIG_MORE  "http://www.w3.org/2001/04/xmldsig-more#"
#define NS_MORE    "http://www.w3.org/2021/04/xmldsig-more#" /* RFC 9231 and its successor */
#define ECDH_ES    WSSEC_NS_XENC11 "ECDH-ES"
#define X25519     NS_MORE "x25519"
#define HKDF       NS_MORE "hkdf"
#define CONCAT_KDF WSSEC_NS_XENC11 "ConcatKDF"
#define NS_DSIG11  "http://www.w3.org/2009/xmldsig11#"
#define INFO_MAX   ((size_t)1024) /* octets of one member of OtherInfo */
#define SPKI_MAX   ((size_t)256)
#define INFO_PARTS 5

/* In front of the octets of a key in its SubjectPublicKeyInfo (RFC 8410). */
static const uint8_t x25519_head[] = {0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x6E, 0x03, 0x21, 0x00};

static const struct {
    const char *uri, *evp;
} prfs[] = {
    {DSIG_MORE "hmac-sha256", "SHA256"}, {DSIG_MORE "hmac-sha384", "SHA384"}, {DSIG_MORE "hmac-sha512", "SHA512"}};

/* In the order of OtherInfo. */
static const char *const info_parts[INFO_PARTS] = {"AlgorithmID", "PartyUInfo", "PartyVInfo", "SuppPubInfo",
                                                   "SuppPrivInfo"};

static int malformed(const struct wssec_key_reader *r, const char *what)
{
    (void)wssec_refuse(r->why, WSSEC_SECURITY_MALFORMED, "%s", what);
    return WSSEC_RC_OK;
}

static int unsupported(const struct wssec_key_reader *r, const char *what, const xmlChar *uri)
{
    (void)wssec_refuse(r->why, WSSEC_ALGORITHM_UNSUPPORTED, "%s %.160s", what,
                       uri != NULL ? (const char *)uri : "(none)");
    return WSSEC_RC_OK;
}

static bool says(const xmlNode *n, const char *uri)
{
    const xmlChar *said = n != NULL ? wssec_attr(n, NULL, "Algorithm") : NULL;
    return said != NULL && strcmp((const char *)said, uri) == 0;
}

/* Members of OtherInfo are bit strings: the first octet says how many bits of the last one do not count. Whole octets
 * are taken only, which is what senders write. @return 0, or -1 with why filled */
static int add_info(const struct wssec_key_reader *r, const xmlNode *params, const char *name, uint8_t *out, size_t *n)
{
    uint8_t octets[INFO_MAX];
    const char *hex = (const char *)wssec_attr(params, NULL, name);
    size_t digits = hex != NULL ? strlen(hex) : 0;
    if (digits == 0) {
        return 0;
    }
    if (digits % 2 != 0 || digits / 2 > sizeof octets || cs_unhex(hex, octets, digits / 2) != 0 || octets[0] != 0) {
        (void)wssec_refuse(r->why, WSSEC_SECURITY_MALFORMED, "%s of ConcatKDF is no bit string of whole octets", name);
        return -1;
    }
    memcpy(out + *n, octets + 1, digits / 2 - 1);
    *n += digits / 2 - 1;
    return 0;
}

static int read_concat(const struct wssec_key_reader *r, const xmlNode *params, struct wssec_agreement *out)
{
    const xmlNode *digest = wssec_first_element(params);
    const xmlChar *uri = digest != NULL ? wssec_attr(digest, NULL, "Algorithm") : NULL;
    if (!wssec_is(params, WSSEC_NS_XENC11, "ConcatKDFParams") || !wssec_is(digest, WSSEC_NS_DS, "DigestMethod") ||
        uri == NULL || wssec_next_element(digest) != NULL) {
        return malformed(r, "ConcatKDFParams with one DigestMethod is missing");
    }
    const struct wssec_digest_alg *d = wssec_digest_by_uri((const char *)uri);
    if (d == NULL || d->legacy != WSSEC_LEGACY_NONE) {
        return unsupported(r, "digest of ConcatKDF", uri);
    }
    out->digest = d->evp;
    uint8_t *info = wssec_arena_take(r->arena, INFO_PARTS * INFO_MAX);
    if (info == NULL) {
        return WSSEC_RC_NOMEM;
    }
    out->info = (struct wssec_slice){info, 0};
    for (size_t i = 0; i < INFO_PARTS; i++) {
        if (add_info(r, params, info_parts[i], info, &out->info.n) != 0) {
            break;
        }
    }
    return WSSEC_RC_OK;
}

/* The octets of an optional child, the next one behind *at. */
static int read_octets(const struct wssec_key_reader *r, const xmlNode **at, const char *name, struct wssec_slice *out)
{
    int rc = WSSEC_RC_OK;
    if (!wssec_is(*at, NS_MORE, name)) {
        return WSSEC_RC_OK;
    }
    if ((*at)->children != NULL) { /* an empty one is none */
        *out = wssec_base64_content(r->arena, *at, INFO_MAX, &rc);
        if (rc == WSSEC_RC_OK && out->p == NULL) {
            (void)wssec_refuse(r->why, WSSEC_SECURITY_MALFORMED, "%s of HKDF is not base64", name);
        }
    }
    *at = wssec_next_element(*at);
    return rc;
}

/* KeyLength: octets, in decimal. */
static void read_key_length(const struct wssec_key_reader *r, const xmlNode **at, struct wssec_agreement *out)
{
    const xmlNode *text = *at != NULL ? (*at)->children : NULL;
    if (!wssec_is(*at, NS_MORE, "KeyLength")) {
        return;
    }
    const char *digits =
        text != NULL && text->next == NULL && text->type == XML_TEXT_NODE ? (const char *)text->content : "";
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 3 || digits[n] != '\0') {
        (void)malformed(r, "KeyLength of HKDF is no number of octets");
        return;
    }
    out->key_octets = strtoul(digits, NULL, 10);
    *at = wssec_next_element(*at);
}

static int read_hkdf(const struct wssec_key_reader *r, const xmlNode *params, struct wssec_agreement *out)
{
    const xmlNode *at = wssec_first_element(params);
    const xmlChar *uri = at != NULL ? wssec_attr(at, NULL, "Algorithm") : NULL;
    out->hkdf = true;
    if (!wssec_is(params, NS_MORE, "HKDFParams") || !wssec_is(at, NS_MORE, "PRF") || uri == NULL) {
        return malformed(r, "HKDFParams with a PRF is missing");
    }
    for (size_t i = 0; i < sizeof prfs / sizeof prfs[0]; i++) {
        out->digest = strcmp(prfs[i].uri, (const char *)uri) == 0 ? prfs[i].evp : out->digest;
    }
    if (out->digest == NULL) {
        return unsupported(r, "PRF of HKDF", uri);
    }
    at = wssec_next_element(at);
    int rc = read_octets(r, &at, "Salt", &out->salt);
    if (rc == WSSEC_RC_OK && r->why->reason == WSSEC_OK) {
        rc = read_octets(r, &at, "Info", &out->info);
    }
    if (rc == WSSEC_RC_OK && r->why->reason == WSSEC_OK) {
        read_key_length(r, &at, out);
    }
    if (rc == WSSEC_RC_OK && r->why->reason == WSSEC_OK && at != NULL) {
        (void)wssec_refuse(r->why, WSSEC_SECURITY_MALFORMED, "HKDFParams with %.100s", (const char *)at->name);
    }
    return rc;
}

static int read_derivation(const struct wssec_key_reader *r, const xmlNode *method, struct wssec_agreement *out)
{
    const xmlNode *params = wssec_first_element(method);
    bool hkdf = says(method, HKDF);
    if (!wssec_is(method, WSSEC_NS_XENC11, "KeyDerivationMethod") || (!hkdf && !says(method, CONCAT_KDF))) {
        return unsupported(r, "key derivation", method != NULL ? wssec_attr(method, NULL, "Algorithm") : NULL);
    }
    if (wssec_next_element(params) != NULL) {
        return malformed(r, "KeyDerivationMethod holds more than its parameters");
    }
    return hkdf ? read_hkdf(r, params, out) : read_concat(r, params, out);
}

/* ds:KeyValue/dsig11:ECKeyValue with a named curve. */
static int read_ec_key_value(const struct wssec_key_reader *r, const xmlNode *value, struct wssec_agreement *out)
{
    const xmlNode *curve = wssec_first_element(value);
    const xmlNode *point = wssec_next_element(curve);
    const xmlChar *uri = curve != NULL ? wssec_attr(curve, NULL, "URI") : NULL;
    int rc = WSSEC_RC_OK;
    if (!wssec_is(value, NS_DSIG11, "ECKeyValue") || !wssec_is(curve, NS_DSIG11, "NamedCurve") || uri == NULL ||
        !wssec_is(point, NS_DSIG11, "PublicKey") || wssec_next_element(point) != NULL) {
        return malformed(r, "the originator's key is no ECKeyValue with a named curve");
    }
    out->curve = wssec_curve_by_uri((const char *)uri);
    if (out->curve == NULL) {
        return unsupported(r, "curve", uri);
    }
    out->point = wssec_base64_content(r->arena, point, WSSEC_POINT_MAX, &rc);
    return rc != WSSEC_RC_OK || out->point.p != NULL ? rc : malformed(r, "the originator's PublicKey is not base64");
}

/* dsig11:DEREncodedKeyValue: a SubjectPublicKeyInfo. */
static int read_der_key_value(const struct wssec_key_reader *r, const xmlNode *value, struct wssec_agreement *out)
{
    int rc = WSSEC_RC_OK;
    struct wssec_slice der = wssec_base64_content(r->arena, value, SPKI_MAX, &rc);
    const uint8_t *at = der.p;
    const uint8_t *point = NULL;
    int n = 0;
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    X509_PUBKEY *spki = der.p != NULL ? d2i_X509_PUBKEY(NULL, &at, (long)der.n) : NULL;
    const EVP_PKEY *key = spki != NULL ? X509_PUBKEY_get0(spki) : NULL;
    out->curve = key != NULL ? wssec_curve_of(key) : NULL;
    if (out->curve != NULL && X509_PUBKEY_get0_param(NULL, &point, &n, NULL, spki) == 1 && n > 0) {
        out->point.n = (size_t)n;
        out->point.p = (const uint8_t *)wssec_arena_text(r->arena, point, (size_t)n);
        rc = out->point.p != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
    } else {
        (void)wssec_refuse(r->why, WSSEC_ALGORITHM_UNSUPPORTED,
                           "the originator's key is not of P-256, P-384, P-521 or X25519");
    }
    X509_PUBKEY_free(spki);
    return rc;
}

int wssec_agreement_read(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_agreement *out,
                         xmlNodePtr *recipient)
{
    const xmlNode *method = wssec_first_element(node);
    const xmlNode *originator = wssec_next_element(method);
    xmlNodePtr holder = wssec_next_element(originator);
    const xmlNode *key = wssec_first_element(originator);
    memset(out, 0, sizeof *out);
    *recipient = NULL;
    bool x25519 = says(node, X25519);
    if (!x25519 && !says(node, ECDH_ES)) {
        return unsupported(r, "key agreement", wssec_attr(node, NULL, "Algorithm"));
    }
    int rc = read_derivation(r, method, out);
    if (rc != WSSEC_RC_OK || r->why->reason != WSSEC_OK) {
        return rc;
    }
    if (!wssec_is(originator, WSSEC_NS_XENC, "OriginatorKeyInfo") || key == NULL || wssec_next_element(key) != NULL ||
        (holder != NULL &&
         (!wssec_is(holder, WSSEC_NS_XENC, "RecipientKeyInfo") || wssec_next_element(holder) != NULL))) {
        return malformed(
            r, "AgreementMethod is not KeyDerivationMethod, OriginatorKeyInfo with one key, RecipientKeyInfo");
    }
    *recipient = holder;
    rc = wssec_is(key, NS_DSIG11, "DEREncodedKeyValue") ? read_der_key_value(r, key, out)
         : wssec_is(key, WSSEC_NS_DS, "KeyValue")       ? read_ec_key_value(r, wssec_first_element(key), out)
                                                        : malformed(r, "the originator's key is no KeyValue");
    if (rc == WSSEC_RC_OK && r->why->reason == WSSEC_OK && (out->curve->uri == NULL) != x25519) {
        return malformed(r, "the originator's key is not of the key agreement");
    }
    return rc;
}

int wssec_agreement_usual(struct wssec_agreement *a, bool x25519, const char *uri, size_t key_octets,
                          uint8_t salt[WSSEC_SALT])
{
    *a = (struct wssec_agreement){
        .hkdf = x25519, .digest = "SHA256", .info = {(const uint8_t *)uri, strlen(uri)}, .key_octets = key_octets};
    if (x25519) {
        a->salt = (struct wssec_slice){salt, WSSEC_SALT};
        return RAND_bytes(salt, WSSEC_SALT) == 1 ? 0 : -1;
    }
    return 0;
}

static void write_concat(const struct wssec_agreement *a, cs_buf *out)
{
    (void)cs_buf_adds(out, CONCAT_KDF "\"><xenc11:ConcatKDFParams AlgorithmID=\"00");
    for (size_t i = 0; i < a->info.n; i++) {
        (void)cs_buf_addf(out, "%02X", a->info.p[i]);
    }
    (void)cs_buf_addf(out,
                      "\" PartyUInfo=\"00\" PartyVInfo=\"00\"><ds:DigestMethod Algorithm=\"%s\"/>"
                      "</xenc11:ConcatKDFParams>",
                      wssec_digest_by_word("sha256")->uri);
}

static void write_hkdf(const struct wssec_agreement *a, cs_buf *out)
{
    (void)cs_buf_adds(out, HKDF "\"><more:HKDFParams xmlns:more=\"" NS_MORE "\"><more:PRF Algorithm=\"");
    (void)cs_buf_addf(out, "%s\"/><more:Salt>", prfs[0].uri);
    wssec_base64_add(a->salt.p, a->salt.n, out);
    (void)cs_buf_adds(out, "</more:Salt><more:Info>");
    wssec_base64_add(a->info.p, a->info.n, out);
    (void)cs_buf_addf(out, "</more:Info><more:KeyLength>%zu</more:KeyLength></more:HKDFParams>", a->key_octets);
}

static void write_originator(const struct wssec_agreement *a, cs_buf *out)
{
    uint8_t spki[sizeof x25519_head + 32];
    if (a->curve->uri != NULL) {
        (void)cs_buf_addf(out,
                          "<ds:KeyValue><dsig11:ECKeyValue xmlns:dsig11=\"" NS_DSIG11
                          "\"><dsig11:NamedCurve URI=\"%s\"/><dsig11:PublicKey>",
                          a->curve->uri);
        wssec_base64_add(a->point.p, a->point.n, out);
        (void)cs_buf_adds(out, "</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue>");
        return;
    }
    memcpy(spki, x25519_head, sizeof x25519_head);
    memcpy(spki + sizeof x25519_head, a->point.p, 32);
    (void)cs_buf_adds(out, "<dsig11:DEREncodedKeyValue xmlns:dsig11=\"" NS_DSIG11 "\">");
    wssec_base64_add(spki, sizeof spki, out);
    (void)cs_buf_adds(out, "</dsig11:DEREncodedKeyValue>");
}

void wssec_agreement_write(const struct wssec_agreement *a, const char *recipient, size_t n, cs_buf *out)
{
    (void)cs_buf_addf(
        out,
        "<xenc:AgreementMethod Algorithm=\"%s\"><xenc11:KeyDerivationMethod xmlns:xenc11=\"" WSSEC_NS_XENC11
        "\" Algorithm=\"",
        a->curve->uri != NULL ? ECDH_ES : X25519);
    if (a->hkdf) {
        write_hkdf(a, out);
    } else {
        write_concat(a, out);
    }
    (void)cs_buf_adds(out, "</xenc11:KeyDerivationMethod><xenc:OriginatorKeyInfo>");
    write_originator(a, out);
    (void)cs_buf_adds(out, "</xenc:OriginatorKeyInfo><xenc:RecipientKeyInfo>");
    (void)cs_buf_add(out, recipient, n);
    (void)cs_buf_adds(out, "</xenc:RecipientKeyInfo></xenc:AgreementMethod>");
}
