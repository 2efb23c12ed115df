/* SPDX-License-Identifier: Apache-2.0 */
/* keyinfo.c: tokens and key references on the way out. Prefixes wsse, wsu and ds are bound by the Security header. */
#include "wssec/keyinfo.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "base/dn.h"
#include "base/text.h"
#include "wssec/message.h"

#define ENCODING     " EncodingType=\"" WSSEC_SMS10 "#Base64Binary\""
#define TYPE_X509V3  WSSEC_X509_PROFILE "#X509v3"
#define TYPE_PKIPATH WSSEC_X509_PROFILE "#X509PKIPathv1"

bool wssec_keyref_has_token(enum wssec_keyref kind)
{
    return kind == WSSEC_KEYREF_DIRECT || kind == WSSEC_KEYREF_PKIPATH;
}

void wssec_base64_add(const uint8_t *p, size_t n, cs_buf *out)
{
    size_t need = 4 * ((n + 2) / 3) + 1;
    if (n < SIZE_MAX / 2 && cs_buf_reserve(out, need) == 0) {
        out->len += cs_base64_encode(p, n, out->data + out->len);
    } else {
        out->failed = true;
    }
}

void wssec_xml_escape(const char *text, cs_buf *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': (void)cs_buf_adds(out, "&amp;"); break;
        case '<': (void)cs_buf_adds(out, "&lt;"); break;
        case '>': (void)cs_buf_adds(out, "&gt;"); break;
        case '"': (void)cs_buf_adds(out, "&quot;"); break;
        case '\r': (void)cs_buf_adds(out, "&#13;"); break;
        default: (void)cs_buf_addc(out, *text);
        }
    }
}

/* ---- PKIPath ------------------------------------------------------------------------------------------------------
 */

#define PATH_LONGEST 16

/* Octets of the SEQUENCE at p. @return 0: malformed */
static size_t sequence_octets(const uint8_t *p, size_t n)
{
    const uint8_t *content = p;
    long len = 0;
    int tag = 0;
    int class = 0;
    if (n > LONG_MAX || (ASN1_get_object(&content, &len, &tag, &class, (long)n) & 0x81) != 0 ||
        tag != V_ASN1_SEQUENCE) {
        return 0;
    }
    return (size_t)(content - p) + (size_t)len;
}

/* SEQUENCE OF Certificate from the topmost issuer down to the signer, as a PkiPath runs. */
static int pkipath(const struct wssec_entry *e, cs_buf *out, struct wssec_refusal *why)
{
    struct wssec_slice link[PATH_LONGEST] = {e->der};
    size_t n = 1;
    size_t total = e->der.n;
    for (size_t at = 0; at < e->chain.n;) {
        size_t len = sequence_octets(e->chain.p + at, e->chain.n - at);
        if (len == 0 || n == PATH_LONGEST) {
            (void)wssec_refuse(why, WSSEC_TOKEN_MALFORMED, "the stored chain of %s#%u cannot be read", e->alias,
                               e->ordinal);
            return WSSEC_RC_OK;
        }
        link[n++] = (struct wssec_slice){e->chain.p + at, len};
        total += len;
        at += len;
    }
    uint8_t head[16];
    uint8_t *behind = head;
    if (total > INT_MAX) {
        return WSSEC_RC_INTERNAL;
    }
    ASN1_put_object(&behind, 1, (int)total, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    (void)cs_buf_add(out, head, (size_t)(behind - head));
    while (n != 0) {
        n--;
        (void)cs_buf_add(out, link[n].p, link[n].n);
    }
    return out->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

/* ---- tokens -------------------------------------------------------------------------------------------------------
 */

static void token(const char *id, const char *type, const uint8_t *p, size_t n, cs_buf *out)
{
    (void)cs_buf_adds(out, "<wsse:BinarySecurityToken" ENCODING " ValueType=\"");
    (void)cs_buf_adds(out, type);
    (void)cs_buf_adds(out, "\"");
    if (id != NULL) {
        (void)cs_buf_addf(out, " wsu:Id=\"%s\"", id);
    }
    (void)cs_buf_adds(out, ">");
    wssec_base64_add(p, n, out);
    (void)cs_buf_adds(out, "</wsse:BinarySecurityToken>");
}

int wssec_token_write(enum wssec_keyref kind, const struct wssec_entry *e, const char *id, cs_buf *out,
                      struct wssec_refusal *why)
{
    if (kind != WSSEC_KEYREF_PKIPATH) {
        token(id, TYPE_X509V3, e->der.p, e->der.n, out);
        return out->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
    }
    cs_buf path = CS_BUF_INIT;
    int rc = pkipath(e, &path, why);
    if (rc == WSSEC_RC_OK && why->reason == WSSEC_OK) {
        token(id, TYPE_PKIPATH, (const uint8_t *)path.data, path.len, out);
        rc = out->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
    }
    cs_buf_free(&path);
    return rc;
}

/* ---- references ---------------------------------------------------------------------------------------------------
 */

static void identifier(const char *type, const uint8_t *p, size_t n, cs_buf *out)
{
    (void)cs_buf_adds(out, "<wsse:KeyIdentifier" ENCODING " ValueType=\"");
    (void)cs_buf_adds(out, type);
    (void)cs_buf_adds(out, "\">");
    wssec_base64_add(p, n, out);
    (void)cs_buf_adds(out, "</wsse:KeyIdentifier>");
}

static int write_reference(enum wssec_keyref kind, const char *token_id, cs_buf *out)
{
    (void)cs_buf_addf(out, "<wsse:Reference URI=\"#%s\" ValueType=\"%s\"/>", token_id,
                      kind == WSSEC_KEYREF_PKIPATH ? TYPE_PKIPATH : TYPE_X509V3);
    return WSSEC_RC_OK;
}

static int write_thumbprint(const struct wssec_entry *e, cs_buf *out)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (EVP_Digest(e->der.p, e->der.n, md, &n, EVP_sha1(), NULL) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    identifier(WSSEC_SMS11 "#ThumbprintSHA1", md, n, out);
    return WSSEC_RC_OK;
}

static int write_ski(const struct wssec_entry *e, X509 *x, cs_buf *out, struct wssec_refusal *why)
{
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    if (ski == NULL) {
        (void)wssec_refuse(why, WSSEC_TOKEN_UNSUPPORTED,
                           "the certificate of %s#%u has no subject key identifier; use another key reference",
                           e->alias, e->ordinal);
        return WSSEC_RC_OK;
    }
    identifier(WSSEC_X509_PROFILE "#X509SubjectKeyIdentifier", ASN1_STRING_get0_data(ski),
               (size_t)ASN1_STRING_length(ski), out);
    return WSSEC_RC_OK;
}

static int write_issuer_serial(const X509 *x, cs_buf *out)
{
    char dn[2048];
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *serial = number != NULL ? BN_bn2dec(number) : NULL;
    int rc = WSSEC_RC_INTERNAL;
    if (serial != NULL && cs_dn_text(X509_get_issuer_name(x), dn, sizeof dn) != 0) {
        (void)cs_buf_adds(out, "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>");
        wssec_xml_escape(dn, out);
        (void)cs_buf_addf(
            out,
            "</ds:X509IssuerName><ds:X509SerialNumber>%s</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>",
            serial);
        rc = WSSEC_RC_OK;
    }
    OPENSSL_free(serial);
    BN_free(number);
    return rc;
}

/* Content of the SecurityTokenReference. */
static int write_str(enum wssec_keyref kind, const struct wssec_entry *e, const char *token_id, cs_buf *out,
                     struct wssec_refusal *why)
{
    switch (kind) {
    case WSSEC_KEYREF_DIRECT:
    case WSSEC_KEYREF_PKIPATH: return write_reference(kind, token_id, out);
    case WSSEC_KEYREF_THUMBPRINT: return write_thumbprint(e, out);
    case WSSEC_KEYREF_X509V3: identifier(TYPE_X509V3, e->der.p, e->der.n, out); return WSSEC_RC_OK;
    case WSSEC_KEYREF_EMBEDDED:
        (void)cs_buf_adds(out, "<wsse:Embedded>");
        token(NULL, TYPE_X509V3, e->der.p, e->der.n, out);
        (void)cs_buf_adds(out, "</wsse:Embedded>");
        return WSSEC_RC_OK;
    default: break;
    }
    const uint8_t *der = e->der.p;
    X509 *x = e->der.n <= LONG_MAX ? d2i_X509(NULL, &der, (long)e->der.n) : NULL;
    if (x == NULL) {
        return WSSEC_RC_INTERNAL;
    }
    int rc = kind == WSSEC_KEYREF_SKI ? write_ski(e, x, out, why) : write_issuer_serial(x, out);
    X509_free(x);
    return rc;
}

int wssec_keyinfo_write(enum wssec_keyref kind, const struct wssec_entry *e, const char *token_id, cs_buf *out,
                        struct wssec_refusal *why)
{
    int rc = WSSEC_RC_OK;
    (void)cs_buf_adds(out, "<ds:KeyInfo>");
    if (kind == WSSEC_KEYREF_X509_DATA) {
        (void)cs_buf_adds(out, "<ds:X509Data><ds:X509Certificate>");
        wssec_base64_add(e->der.p, e->der.n, out);
        (void)cs_buf_adds(out, "</ds:X509Certificate></ds:X509Data>");
    } else {
        /* Basic Security Profile, R5215: a reference to a path names the type of token */
        (void)cs_buf_adds(out, kind == WSSEC_KEYREF_PKIPATH
                                   ? "<wsse:SecurityTokenReference xmlns:wsse11=\"" WSSEC_NS_WSSE11
                                     "\" wsse11:TokenType=\"" TYPE_PKIPATH "\">"
                                   : "<wsse:SecurityTokenReference>");
        rc = write_str(kind, e, token_id, out, why);
        (void)cs_buf_adds(out, "</wsse:SecurityTokenReference>");
    }
    (void)cs_buf_adds(out, "</ds:KeyInfo>");
    return rc == WSSEC_RC_OK && out->failed ? WSSEC_RC_NOMEM : rc;
}
