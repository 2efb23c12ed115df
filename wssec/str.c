/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.c: key references (wsse:SecurityTokenReference, ds:X509Data) -> a hint for the key resolver. A hint only says
 * where to look: which key counts is decided by what is stored, never by what stands here.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/text.h"
#include "wssec/sec.h"
#include "wssec/token.h"
#include "wssec/worker.h"

#define CERTIFICATE_MAX ((size_t)65536)
#define NAME_MAX_OCTETS ((size_t)4096)

#define VT_X509V3  WSSEC_X509_PROFILE "#X509v3"
#define VT_PKIPATH WSSEC_X509_PROFILE "#X509PKIPathv1"
#define VT_X509_ANY                                                                                                    \
    WSSEC_X509_PROFILE "#X509" /* of no standard, but .NET senders write it on wsse:Reference: the token says which */
#define VT_SKI        WSSEC_X509_PROFILE "#X509SubjectKeyIdentifier"
#define VT_THUMBPRINT WSSEC_SMS11 "#ThumbprintSHA1"
#define ET_BASE64     WSSEC_SMS10 "#Base64Binary"

static bool is_text(const xmlChar *a, const char *b)
{
    return a != NULL && strcmp((const char *)a, b) == 0;
}

static int malformed(const struct wssec_key_reader *r, const char *what)
{
    (void)wssec_refuse(r->why, WSSEC_TOKEN_MALFORMED, "%s", what);
    return WSSEC_RC_OK;
}

static int unsupported(const struct wssec_key_reader *r, const char *what, const xmlChar *which)
{
    (void)wssec_refuse(r->why, WSSEC_TOKEN_UNSUPPORTED, "%s %.160s", what,
                       which != NULL ? (const char *)which : "without a type");
    return WSSEC_RC_OK;
}

/* A dated exception that this message needs. */
static bool exception(const struct wssec_key_reader *r, enum wssec_legacy l)
{
    if (wssec_policy_legacy(r->policy, l, r->at) != WSSEC_DATED_IN_FORCE) {
        return false;
    }
    *r->legacy |= 1u << l;
    return true;
}

/* Its digest stands in the hint already. */
static void name_certificate(struct wssec_key_name *k, struct wssec_slice der, enum wssec_keyref kind)
{
    k->hint.kind = kind;
    k->hint.cert = der.p;
    k->hint.cert_len = der.n;
    k->hint.has_cert = true;
}

static int set_certificate(struct wssec_key_name *k, struct wssec_slice der, enum wssec_keyref kind)
{
    name_certificate(k, der, kind);
    return EVP_Digest(der.p, der.n, k->hint.cert_sha256, NULL, wssec_md("SHA256"), NULL) == 1 ? WSSEC_RC_OK
                                                                                              : WSSEC_RC_NOMEM;
}

/* Length of the DER element at p (tag and length included), 0: not one that fits into n. */
static size_t der_element(const uint8_t *p, size_t n, size_t *head)
{
    if (n < 2 || p[0] != 0x30) {
        return 0;
    }
    size_t len = p[1];
    *head = 2;
    if (len >= 0x80) {
        size_t octets = len & 0x7f;
        if (octets == 0 || octets > 3 || n < 2 + octets) {
            return 0;
        }
        len = 0;
        for (size_t i = 0; i < octets; i++) {
            len = len << 8 | p[2 + i];
        }
        *head += octets;
    }
    return len <= n - *head ? len + *head : 0;
}

/* PkiPath: SEQUENCE OF Certificate, the leaf last; ours is leaf first. */
static int split_path(const struct wssec_key_reader *r, struct wssec_slice path, struct wssec_key_name *k)
{
    size_t head = 0;
    if (der_element(path.p, path.n, &head) != path.n) {
        return malformed(r, "the PKIPath is not a DER sequence");
    }
    for (size_t at = head; at < path.n;) {
        size_t inner = 0;
        size_t n = der_element(path.p + at, path.n - at, &inner);
        if (n == 0 || k->n_certificate == WSSEC_CERTIFICATES) {
            return malformed(r,
                             n == 0 ? "the PKIPath holds something that is no certificate" : "the PKIPath is too long");
        }
        memmove(&k->certificate[1], &k->certificate[0], k->n_certificate * sizeof k->certificate[0]);
        k->certificate[0] = (struct wssec_slice){path.p + at, n};
        k->n_certificate++;
        at += n;
    }
    if (k->n_certificate == 0) {
        return malformed(r, "the PKIPath is empty");
    }
    k->hint.path = &k->certificate[1];
    k->hint.n_path = k->n_certificate - 1;
    return set_certificate(k, k->certificate[0], WSSEC_KEYREF_PKIPATH);
}

static int read_token(const struct wssec_key_reader *r, xmlNodePtr token, enum wssec_keyref kind,
                      struct wssec_key_name *k)
{
    const xmlChar *type = wssec_attr(token, NULL, "ValueType");
    const xmlChar *encoding = wssec_attr(token, NULL, "EncodingType");
    bool path = is_text(type, VT_PKIPATH);
    if (!path && !is_text(type, VT_X509V3)) {
        return unsupported(r, "BinarySecurityToken of type", type);
    }
    if (encoding != NULL && !is_text(encoding, ET_BASE64)) {
        return malformed(r, "BinarySecurityToken has another EncodingType than Base64Binary");
    }
    int rc = WSSEC_RC_OK;
    struct wssec_slice der = wssec_token_octets(r->tokens, r->arena, token, CERTIFICATE_MAX, k->hint.cert_sha256, &rc);
    if (rc != WSSEC_RC_OK || der.p == NULL) {
        return rc != WSSEC_RC_OK ? rc : malformed(r, "BinarySecurityToken does not hold base64");
    }
    k->token = token;
    if (path) {
        return split_path(r, der, k);
    }
    k->certificate[0] = der;
    k->n_certificate = 1;
    name_certificate(k, der, kind);
    return WSSEC_RC_OK;
}

/* Ids that begin with a digit, which XML forbids and WSS4J 1.6 gives its tokens. Our own table finds the element:
 * nothing pastes this text into an expression. */
#define AS_WSS4J_WRITES "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-"

/* wsse:Reference URI="#id" to a BinarySecurityToken of our header. */
static int read_reference(const struct wssec_key_reader *r, xmlNodePtr reference, struct wssec_key_name *k)
{
    const xmlChar *uri = wssec_attr(reference, NULL, "URI");
    const xmlChar *type = wssec_attr(reference, NULL, "ValueType");
    if (uri == NULL || uri[0] != '#') {
        return unsupported(r,
                           "a key reference to something outside the message:", uri != NULL ? uri : BAD_CAST "no URI");
    }
    size_t n = strlen((const char *)uri + 1);
    bool twice = false;
    if (!wssec_is_ncname(uri + 1, n) && (n == 0 || strspn((const char *)uri + 1, AS_WSS4J_WRITES) != n)) {
        return malformed(r, "the URI of a key reference is not of the form #id");
    }
    xmlNodePtr token = wssec_ids_find(&r->message->ids, uri + 1, n, &twice);
    if (twice) {
        (void)wssec_refuse(r->why, WSSEC_DUPLICATE_ID, "two elements carry the id of the referenced token");
        return WSSEC_RC_OK;
    }
    if (token == NULL) {
        (void)wssec_refuse(r->why, WSSEC_TOKEN_NOT_FOUND, "no token has the id \"%.64s\"", uri + 1);
        return WSSEC_RC_OK;
    }
    if (!wssec_is(token, WSSEC_NS_WSSE, "BinarySecurityToken")) {
        return unsupported(r, "the key reference points to", token->name);
    }
    if (token->parent != r->message->security) {
        return malformed(r, "the BinarySecurityToken does not stand in our Security header");
    }
    if (type == NULL && !exception(r, WSSEC_LEGACY_REFERENCE_WITHOUT_VALUETYPE)) {
        return malformed(r, "wsse:Reference has no ValueType");
    }
    const xmlChar *own = wssec_attr(token, NULL, "ValueType");
    /* "#X509" names the profile, not a kind of token: Czech tax clients (.NET) write it; the token's own type decides
     */
    if (type != NULL && own != NULL && !xmlStrEqual(type, own) &&
        !xmlStrEqual(type, BAD_CAST WSSEC_X509_PROFILE "#X509")) {
        return malformed(r, "wsse:Reference and its token differ in ValueType");
    }
    return read_token(r, token, WSSEC_KEYREF_DIRECT, k);
}

static int read_key_identifier(const struct wssec_key_reader *r, xmlNodePtr id, struct wssec_key_name *k)
{
    static const struct {
        const char *type;
        enum wssec_keyref kind;
        size_t max;
    } types[] = {{VT_SKI, WSSEC_KEYREF_SKI, 256},
                 {VT_THUMBPRINT, WSSEC_KEYREF_THUMBPRINT, 20},
                 {VT_X509V3, WSSEC_KEYREF_X509V3, CERTIFICATE_MAX}};
    const xmlChar *type = wssec_attr(id, NULL, "ValueType");
    const xmlChar *encoding = wssec_attr(id, NULL, "EncodingType");
    size_t t = 0;
    while (t < sizeof types / sizeof types[0] && !is_text(type, types[t].type)) {
        t++;
    }
    if (t == sizeof types / sizeof types[0]) {
        return unsupported(r, "KeyIdentifier of type", type);
    }
    if (encoding != NULL && !is_text(encoding, ET_BASE64)) {
        return malformed(r, "KeyIdentifier has another EncodingType than Base64Binary");
    }
    int rc = WSSEC_RC_OK;
    struct wssec_slice value = wssec_base64_content(r->arena, id, types[t].max, &rc);
    if (rc != WSSEC_RC_OK || value.p == NULL) {
        return rc != WSSEC_RC_OK ? rc : malformed(r, "KeyIdentifier does not hold base64 of the right length");
    }
    k->hint.kind = types[t].kind;
    switch (types[t].kind) {
    case WSSEC_KEYREF_SKI:
        k->hint.ski = value.p;
        k->hint.ski_len = value.n;
        return WSSEC_RC_OK;
    case WSSEC_KEYREF_THUMBPRINT:
        if (value.n != sizeof k->hint.thumbprint) {
            return malformed(r, "ThumbprintSHA1 has not 20 octets");
        }
        memcpy(k->hint.thumbprint, value.p, value.n);
        return WSSEC_RC_OK;
    default:
        k->certificate[0] = value;
        k->n_certificate = 1;
        return set_certificate(k, value, WSSEC_KEYREF_X509V3);
    }
}

/* Trimmed text of an element. @return in the arena; NULL with *rc OK: empty, too long or not plain text */
static char *trimmed(const struct wssec_key_reader *r, const xmlNode *node, int *rc)
{
    size_t n = 0;
    const xmlChar *text = wssec_text(node, &n);
    while (text != NULL && n > 0 && strchr(" \t\r\n", text[0]) != NULL) {
        text++;
        n--;
    }
    while (text != NULL && n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL) {
        n--;
    }
    if (text == NULL || n == 0 || n > NAME_MAX_OCTETS) {
        return NULL;
    }
    char *copy = wssec_arena_text(r->arena, text, n);
    *rc = copy == NULL ? WSSEC_RC_NOMEM : *rc;
    return copy;
}

/* xsd:integer without sign and leading zeros. */
static const char *serial_digits(const char *text)
{
    text += text[0] == '+';
    while (text[0] == '0' && text[1] != '\0') {
        text++;
    }
    const char *p = text + (text[0] == '-');
    return p[0] != '\0' && strspn(p, "0123456789") == strlen(p) && strlen(p) <= 79 ? text : NULL;
}

static int read_issuer_serial(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_key_name *k)
{
    const xmlNode *name = wssec_first_element(node);
    const xmlNode *serial = wssec_next_element(name);
    if (name == NULL) {
        return WSSEC_RC_OK; /* empty, as zeep writes it: says nothing */
    }
    if (!wssec_element_content(node, false) || !wssec_is(name, WSSEC_NS_DS, "X509IssuerName") ||
        !wssec_is(serial, WSSEC_NS_DS, "X509SerialNumber") || wssec_next_element(serial) != NULL) {
        return malformed(r, "X509IssuerSerial is not X509IssuerName, X509SerialNumber");
    }
    int rc = WSSEC_RC_OK;
    char *issuer = trimmed(r, name, &rc);
    char *number = trimmed(r, serial, &rc);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    const char *digits = number != NULL ? serial_digits(number) : NULL;
    if (issuer == NULL || digits == NULL) {
        return malformed(r, "X509IssuerName is empty or X509SerialNumber is no number");
    }
    k->hint.issuer = issuer;
    k->hint.serial = digits;
    return WSSEC_RC_OK;
}

/* One child of X509Data. */
static int read_x509(const struct wssec_key_reader *r, const xmlNode *n, struct wssec_key_name *k)
{
    int rc = WSSEC_RC_OK;
    if (wssec_is(n, WSSEC_NS_DS, "X509Certificate")) {
        if (k->n_certificate == WSSEC_CERTIFICATES) {
            return malformed(r, "X509Data holds too many certificates");
        }
        struct wssec_slice der = wssec_base64_content(r->arena, n, CERTIFICATE_MAX, &rc);
        if (rc != WSSEC_RC_OK || der.p == NULL) {
            return rc != WSSEC_RC_OK ? rc : malformed(r, "X509Certificate does not hold base64");
        }
        k->certificate[k->n_certificate++] = der;
    } else if (wssec_is(n, WSSEC_NS_DS, "X509IssuerSerial")) {
        if (k->hint.issuer != NULL) {
            return malformed(r, "X509Data holds two X509IssuerSerial");
        }
        return read_issuer_serial(r, n, k);
    } else if (wssec_is(n, WSSEC_NS_DS, "X509SKI")) {
        struct wssec_slice ski = wssec_base64_content(r->arena, n, 256, &rc);
        if (rc != WSSEC_RC_OK || ski.p == NULL || k->hint.ski != NULL) {
            return rc != WSSEC_RC_OK ? rc : malformed(r, "X509SKI does not hold base64, or stands twice");
        }
        k->hint.ski = ski.p;
        k->hint.ski_len = ski.n;
    } else if (!wssec_is(n, WSSEC_NS_DS, "X509SubjectName") && !wssec_is(n, WSSEC_NS_DS, "X509CRL")) {
        return unsupported(r, "X509Data with", n->name);
    }
    return WSSEC_RC_OK;
}

static int read_x509_data(const struct wssec_key_reader *r, const xmlNode *data, struct wssec_key_name *k)
{
    if (!wssec_element_content(data, false)) {
        return malformed(r, "X509Data holds text");
    }
    for (const xmlNode *n = wssec_first_element(data); n != NULL; n = wssec_next_element(n)) {
        int rc = read_x509(r, n, k);
        if (rc != WSSEC_RC_OK || r->why->reason != WSSEC_OK) {
            return rc;
        }
    }
    if (k->n_certificate > 0) {
        k->hint.path = &k->certificate[1];
        k->hint.n_path = k->n_certificate - 1;
        return set_certificate(k, k->certificate[0], WSSEC_KEYREF_X509_DATA);
    }
    k->hint.kind = k->hint.issuer != NULL ? WSSEC_KEYREF_ISSUER_SERIAL : WSSEC_KEYREF_SKI;
    if (k->hint.issuer == NULL && k->hint.ski == NULL) {
        return malformed(r, "X509Data names no certificate");
    }
    return WSSEC_RC_OK;
}

static int read_embedded(const struct wssec_key_reader *r, const xmlNode *embedded, struct wssec_key_name *k)
{
    xmlNodePtr token = wssec_first_element(embedded);
    if (token == NULL || wssec_next_element(token) != NULL || !wssec_element_content(embedded, false)) {
        return malformed(r, "wsse:Embedded does not hold exactly one token");
    }
    if (!wssec_is(token, WSSEC_NS_WSSE, "BinarySecurityToken")) {
        return unsupported(r, "wsse:Embedded with", token->name);
    }
    return read_token(r, token, WSSEC_KEYREF_EMBEDDED, k);
}

int wssec_str_read(const struct wssec_key_reader *r, xmlNodePtr str, struct wssec_key_name *out)
{
    memset(out, 0, sizeof *out);
    out->str = str;
    const xmlChar *type = wssec_attr(str, WSSEC_NS_WSSE11, "TokenType");
    if (type != NULL && !is_text(type, VT_X509V3) && !is_text(type, VT_PKIPATH)) {
        return unsupported(r, "SecurityTokenReference with TokenType", type);
    }
    xmlNodePtr n = wssec_first_element(str);
    if (n == NULL || wssec_next_element(n) != NULL || !wssec_element_content(str, false)) {
        return malformed(r, "SecurityTokenReference does not hold exactly one reference");
    }
    if (wssec_is(n, WSSEC_NS_WSSE, "Reference")) {
        return read_reference(r, n, out);
    }
    if (wssec_is(n, WSSEC_NS_WSSE, "KeyIdentifier")) {
        return read_key_identifier(r, n, out);
    }
    if (wssec_is(n, WSSEC_NS_DS, "X509Data")) {
        return read_x509_data(r, n, out);
    }
    if (wssec_is(n, WSSEC_NS_WSSE, "Embedded")) {
        return read_embedded(r, n, out);
    }
    return unsupported(r, "SecurityTokenReference with", n->name);
}

static int no_key_info(const struct wssec_key_reader *r, const char *what, enum wssec_reason reason)
{
    if ((r->policy->allow & WSSEC_ALLOW_MISSING_KEY_INFO) == 0) {
        (void)wssec_refuse(r->why, reason, "%s", what);
    }
    return WSSEC_RC_OK; /* the partner's stored entries decide */
}

int wssec_key_info_read(const struct wssec_key_reader *r, xmlNodePtr key_info, struct wssec_key_name *out)
{
    memset(out, 0, sizeof *out);
    xmlNodePtr str = NULL;
    xmlNodePtr data = NULL;
    bool bare = false;
    for (xmlNodePtr n = wssec_first_element(key_info); n != NULL; n = wssec_next_element(n)) {
        xmlNodePtr *slot = wssec_is(n, WSSEC_NS_WSSE, "SecurityTokenReference") ? &str
                           : wssec_is(n, WSSEC_NS_DS, "X509Data")               ? &data
                                                                                : NULL;
        if (slot == NULL && (wssec_is(n, WSSEC_NS_DS, "KeyValue") || wssec_is(n, WSSEC_NS_DS, "KeyName"))) {
            bare = true;
        } else if (slot == NULL) {
            return unsupported(r, "KeyInfo with", n->name);
        } else if (*slot != NULL) {
            return malformed(r, "KeyInfo names its key twice");
        } else {
            *slot = n;
        }
    }
    if (str != NULL && data != NULL) {
        return malformed(r, "KeyInfo names its key twice");
    }
    if (str != NULL) {
        return wssec_str_read(r, str, out);
    }
    if (data != NULL) {
        return read_x509_data(r, data, out);
    }
    if (bare) {
        return no_key_info(r, "KeyInfo names no certificate, only KeyValue or KeyName", WSSEC_CERTIFICATE_UNKNOWN);
    }
    return no_key_info(r, key_info == NULL ? "the signature has no KeyInfo" : "KeyInfo is empty",
                       WSSEC_KEY_REFERENCE_MISSING);
}
