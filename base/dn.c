/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dn.c: distinguished names as sequences of RDNs in certificate order, values folded as RFC 5280 7.1 compares them.
 * Text comes from KeyInfo of any stack and from configuration: RFC 4514 and 2253, quoted values of RFC 1779, .NET
 * (doubled quotes, "S=" for a state) and Java ("OID.1.2.3="), the slash form of OpenSSL. Bytes that fit none: no DN.
 */
#include "base/dn.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"

#define DN_TEXT_MAX 4096
#define OID_TEXT    80

struct ava {
    char oid[OID_TEXT];
    char *value; /* owned; folded; may hold NUL octets */
    size_t n;
    size_t rdn; /* number of the RDN that it belongs to */
};

/* One flat list: attributes of one RDN stand together, sorted, so that comparing two names is one walk. */
struct cs_dn {
    struct ava *ava; /* owned */
    size_t n, cap;
    size_t rdns;
};

/* Names that stacks use for attribute types beside those that OpenSSL knows. Upper-case; any case is read. */
static const struct {
    const char *name, *oid;
} attribute_names[] = {
    {"CN", "2.5.4.3"},
    {"C", "2.5.4.6"},
    {"L", "2.5.4.7"},
    {"ST", "2.5.4.8"},
    {"S", "2.5.4.8"},
    {"SP", "2.5.4.8"},
    {"STREET", "2.5.4.9"},
    {"O", "2.5.4.10"},
    {"OU", "2.5.4.11"},
    {"T", "2.5.4.12"},
    {"TITLE", "2.5.4.12"},
    {"SN", "2.5.4.4"},
    {"SURNAME", "2.5.4.4"},
    {"SERIALNUMBER", "2.5.4.5"},
    {"DESCRIPTION", "2.5.4.13"},
    {"POSTALCODE", "2.5.4.17"},
    {"G", "2.5.4.42"},
    {"GN", "2.5.4.42"},
    {"GIVENNAME", "2.5.4.42"},
    {"I", "2.5.4.43"},
    {"INITIALS", "2.5.4.43"},
    {"GENERATION", "2.5.4.44"},
    {"DNQ", "2.5.4.46"},
    {"DNQUALIFIER", "2.5.4.46"},
    {"PSEUDONYM", "2.5.4.65"},
    {"ORGANIZATIONIDENTIFIER", "2.5.4.97"},
    {"UID", "0.9.2342.19200300.100.1.1"},
    {"DC", "0.9.2342.19200300.100.1.25"},
    {"E", "1.2.840.113549.1.9.1"},
    {"EMAIL", "1.2.840.113549.1.9.1"},
    {"EMAILADDRESS", "1.2.840.113549.1.9.1"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Attribute type of n octets at s as dotted OID. @return 0, or -1: unknown */
static int attribute_oid(const char *s, size_t n, char oid[OID_TEXT])
{
    char name[OID_TEXT];
    if (n > 4 && strncasecmp(s, "OID.", 4) == 0) {
        s += 4;
        n -= 4;
    }
    if (n == 0 || n >= sizeof name) {
        return -1;
    }
    memcpy(name, s, n);
    name[n] = '\0';
    if (strlen(name) != n) {
        return -1;
    }
    for (size_t i = 0; i < sizeof attribute_names / sizeof attribute_names[0]; i++) {
        if (strcasecmp(name, attribute_names[i].name) == 0) {
            return cs_copy(oid, OID_TEXT, attribute_names[i].oid) ? 0 : -1;
        }
    }
    ASN1_OBJECT *object = OBJ_txt2obj(name, 0);
    if (object == NULL) {
        ERR_clear_error();
        return -1;
    }
    int length = OBJ_obj2txt(oid, OID_TEXT, object, 1);
    ASN1_OBJECT_free(object);
    return length > 0 && length < OID_TEXT ? 0 : -1;
}

/* ASCII letters to lower case, blanks at both ends dropped, runs of blanks to one. */
static int fold(const char *s, size_t n, char **out, size_t *outlen)
{
    char *value = malloc(n + 1);
    size_t len = 0;
    bool blank = false;
    if (value == NULL) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_blank(s[i])) {
            blank = len != 0;
            continue;
        }
        if (blank) {
            value[len++] = ' ';
            blank = false;
        }
        value[len++] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
    }
    value[len] = '\0';
    *out = value;
    *outlen = len;
    return 0;
}

/* Add an attribute to RDN number rdn. @return 0, or -1: no memory */
static int add_ava(cs_dn *dn, const char *oid, const char *value, size_t n, size_t rdn)
{
    if (dn->n == dn->cap) {
        size_t cap = dn->cap == 0 ? 8 : dn->cap * 2;
        struct ava *more = reallocarray(dn->ava, cap, sizeof *more);
        if (more == NULL) {
            return -1;
        }
        dn->ava = more;
        dn->cap = cap;
    }
    struct ava *a = &dn->ava[dn->n];
    memset(a, 0, sizeof *a);
    if (!cs_copy(a->oid, sizeof a->oid, oid) || fold(value, n, &a->value, &a->n) != 0) {
        return -1;
    }
    a->rdn = rdn;
    dn->n++;
    return 0;
}

/* A value that is no string (#hex of other DER) compares by its DER octets. */
static int add_der(cs_dn *dn, const char *oid, const uint8_t *der, size_t n, size_t rdn)
{
    cs_buf hex = CS_BUF_INIT;
    int rc = -1;
    if (n <= DN_TEXT_MAX && cs_buf_reserve(&hex, 2 * n + 1) == 0) {
        hex.data[0] = '#';
        cs_hex(der, n, hex.data + 1);
        rc = add_ava(dn, oid, hex.data, 2 * n + 1, rdn);
    }
    cs_buf_free(&hex);
    return rc;
}

static int add_asn1(cs_dn *dn, const char *oid, const ASN1_STRING *value, size_t rdn)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, value);
    int rc = -1;
    if (n >= 0) {
        rc = add_ava(dn, oid, (const char *)utf8, (size_t)n, rdn);
        OPENSSL_free(utf8);
        return rc;
    }
    ERR_clear_error();
    const unsigned char *p = ASN1_STRING_get0_data(value);
    int length = ASN1_STRING_length(value);
    return p != NULL && length >= 0 ? add_der(dn, oid, p, (size_t)length, rdn) : -1;
}

/* "#0c0441434d45": the DER of a value in hexadecimal. */
static int add_hex(cs_dn *dn, const char *oid, const char *hex, size_t n, size_t rdn)
{
    uint8_t der[DN_TEXT_MAX / 2];
    char text[DN_TEXT_MAX + 1];
    if (n == 0 || n % 2 != 0 || n / 2 > sizeof der) {
        return -1;
    }
    memcpy(text, hex, n);
    text[n] = '\0';
    if (cs_unhex(text, der, n / 2) != 0) {
        return -1;
    }
    const unsigned char *p = der;
    ASN1_TYPE *value = d2i_ASN1_TYPE(NULL, &p, (long)(n / 2));
    int rc = -1;
    if (value != NULL && p == der + n / 2 && ASN1_TYPE_get(value) != V_ASN1_SEQUENCE &&
        ASN1_TYPE_get(value) != V_ASN1_OBJECT && ASN1_TYPE_get(value) != V_ASN1_BOOLEAN &&
        ASN1_TYPE_get(value) != V_ASN1_NULL) {
        rc = add_asn1(dn, oid, value->value.asn1_string, rdn);
    } else if (value != NULL && p == der + n / 2) {
        rc = add_der(dn, oid, der, n / 2, rdn);
    }
    ERR_clear_error();
    ASN1_TYPE_free(value);
    return rc;
}

static int compare_ava(const void *va, const void *vb)
{
    const struct ava *a = va;
    const struct ava *b = vb;
    if (a->rdn != b->rdn) {
        return a->rdn < b->rdn ? -1 : 1;
    }
    int order = strcmp(a->oid, b->oid);
    if (order != 0) {
        return order;
    }
    order = memcmp(a->value, b->value, a->n < b->n ? a->n : b->n);
    return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

/* Number the RDNs in certificate order and bring the list into that order. */
static void finish(cs_dn *dn, bool most_specific_first)
{
    if (most_specific_first) {
        for (size_t i = 0; i < dn->n; i++) {
            dn->ava[i].rdn = dn->rdns - 1 - dn->ava[i].rdn;
        }
    }
    if (dn->n != 0) {
        qsort(dn->ava, dn->n, sizeof *dn->ava, compare_ava);
    }
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

/* What stands behind a backslash at s[*i]: a special character, or two hexadecimal digits. */
static int unescape(const char *s, size_t *i, cs_buf *value)
{
    const char hex[3] = {s[*i + 1], s[*i + 1] != '\0' ? s[*i + 2] : '\0', '\0'};
    uint8_t octet = 0;
    if (cs_unhex(hex, &octet, 1) == 0) {
        *i += 3;
        return cs_buf_addc(value, (char)octet);
    }
    if (hex[0] == '\0') {
        return -1;
    }
    *i += 2;
    return cs_buf_addc(value, hex[0]);
}

/* A value in quotes from s[*i]; '\' escapes, and a doubled quote stands for one (.NET). */
static int quoted_value(const char *s, size_t *i, cs_buf *value)
{
    (*i)++;
    for (;;) {
        if (s[*i] == '\0') {
            return -1;
        }
        if (s[*i] == '\\') {
            if (unescape(s, i, value) != 0) {
                return -1;
            }
        } else if (s[*i] == '"' && s[*i + 1] == '"') {
            cs_buf_addc(value, '"');
            *i += 2;
        } else if (s[*i] == '"') {
            (*i)++;
            return 0;
        } else {
            cs_buf_addc(value, s[(*i)++]);
        }
    }
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '+';
}

static int bare_value(const char *s, size_t *i, cs_buf *value)
{
    while (s[*i] != '\0' && !is_separator(s[*i])) {
        if (s[*i] == '"') {
            return -1;
        }
        if (s[*i] != '\\') {
            cs_buf_addc(value, s[(*i)++]);
        } else if (unescape(s, i, value) != 0) {
            return -1;
        }
    }
    return 0;
}

static void skip_blanks(const char *s, size_t *i)
{
    while (is_blank(s[*i])) {
        (*i)++;
    }
}

/* TYPE = VALUE from s[*i] up to a separator or the end. */
static int parse_ava(cs_dn *dn, const char *s, size_t *i, size_t rdn)
{
    char oid[OID_TEXT];
    cs_buf value = CS_BUF_INIT;
    int rc = -1;
    skip_blanks(s, i);
    size_t start = *i;
    size_t equals = start + strcspn(s + start, "=");
    size_t end = equals;
    while (end > start && is_blank(s[end - 1])) {
        end--;
    }
    if (s[equals] != '=' || attribute_oid(s + start, end - start, oid) != 0) {
        return -1;
    }
    *i = equals + 1;
    skip_blanks(s, i);
    if (s[*i] == '#') {
        size_t n = strspn(s + *i + 1, "0123456789abcdefABCDEF");
        rc = add_hex(dn, oid, s + *i + 1, n, rdn);
        *i += 1 + n;
    } else if ((s[*i] == '"' ? quoted_value(s, i, &value) : bare_value(s, i, &value)) == 0 &&
               cs_buf_reserve(&value, 0) == 0) {
        rc = add_ava(dn, oid, value.data, value.len, rdn);
    }
    skip_blanks(s, i);
    cs_buf_free(&value);
    return rc == 0 && (s[*i] == '\0' || is_separator(s[*i])) ? 0 : -1;
}

static int parse_commas(cs_dn *dn, const char *s)
{
    size_t i = 0;
    size_t rdn = 0;
    for (;;) {
        if (parse_ava(dn, s, &i, rdn) != 0) {
            return -1;
        }
        if (s[i] == '\0') {
            dn->rdns = rdn + 1;
            return 0;
        }
        rdn += s[i] != '+';
        i++;
    }
}

/* A slash begins an attribute only when a known type and '=' follow: values may hold slashes. */
static bool begins_attribute(const char *s, char oid[OID_TEXT], size_t *value_at)
{
    size_t n = strcspn(s, "=/");
    *value_at = n + 1;
    return s[n] == '=' && attribute_oid(s, n, oid) == 0;
}

static int parse_slashes(cs_dn *dn, const char *s)
{
    char oid[OID_TEXT];
    size_t at = 0;
    if (!begins_attribute(s + 1, oid, &at)) {
        return -1;
    }
    s += 1 + at;
    for (;;) {
        char next[OID_TEXT];
        size_t n = strcspn(s, "/");
        while (s[n] == '/' && !begins_attribute(s + n + 1, next, &at)) {
            n += 1 + strcspn(s + n + 1, "/");
        }
        if (add_ava(dn, oid, s, n, dn->rdns++) != 0) {
            return -1;
        }
        if (s[n] == '\0') {
            return 0;
        }
        memcpy(oid, next, sizeof oid);
        s += n + 1 + at;
    }
}

cs_dn *cs_dn_parse(const char *text)
{
    cs_dn *dn = NULL;
    if (strnlen(text, DN_TEXT_MAX + 1) > DN_TEXT_MAX) {
        return NULL;
    }
    while (is_blank(*text)) {
        text++;
    }
    dn = calloc(1, sizeof *dn);
    if (dn == NULL) {
        return NULL;
    }
    bool slashes = text[0] == '/';
    if ((slashes ? parse_slashes(dn, text) : parse_commas(dn, text)) != 0) {
        cs_dn_free(dn);
        return NULL;
    }
    finish(dn, !slashes);
    return dn;
}

/* ---- certificates -------------------------------------------------------------------------------------------- */

cs_dn *cs_dn_from_name(const X509_NAME *name)
{
    cs_dn *dn = calloc(1, sizeof *dn);
    if (dn == NULL) {
        return NULL;
    }
    int last_set = -1;
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        char oid[OID_TEXT];
        if (i == 0 || X509_NAME_ENTRY_set(entry) != last_set) {
            dn->rdns++;
        }
        last_set = X509_NAME_ENTRY_set(entry);
        int length = OBJ_obj2txt(oid, sizeof oid, X509_NAME_ENTRY_get_object(entry), 1);
        if (length <= 0 || (size_t)length >= sizeof oid ||
            add_asn1(dn, oid, X509_NAME_ENTRY_get_data(entry), dn->rdns - 1) != 0) {
            cs_dn_free(dn);
            return NULL;
        }
    }
    finish(dn, false);
    return dn;
}

void cs_dn_free(cs_dn *dn)
{
    if (dn == NULL) {
        return;
    }
    for (size_t i = 0; i < dn->n; i++) {
        free(dn->ava[i].value);
    }
    free(dn->ava);
    free(dn);
}

static bool same_attribute(const struct ava *a, const struct ava *b)
{
    return a->n == b->n && strcmp(a->oid, b->oid) == 0 && memcmp(a->value, b->value, a->n) == 0;
}

/* Attributes of the RDN that begins at i. */
static size_t rdn_size(const cs_dn *dn, size_t i)
{
    size_t n = 1;
    while (i + n < dn->n && dn->ava[i + n].rdn == dn->ava[i].rdn) {
        n++;
    }
    return n;
}

static bool equal_forward(const cs_dn *a, const cs_dn *b)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->ava[i].rdn != b->ava[i].rdn || !same_attribute(&a->ava[i], &b->ava[i])) {
            return false;
        }
    }
    return true;
}

static bool equal_reversed(const cs_dn *a, const cs_dn *b)
{
    size_t j = b->n;
    for (size_t i = 0; i < a->n;) {
        size_t size = rdn_size(a, i);
        if (j < size || rdn_size(b, j - size) != size || b->ava[j - size].rdn != b->rdns - 1 - a->ava[i].rdn) {
            return false;
        }
        j -= size;
        for (size_t k = 0; k < size; k++) {
            if (!same_attribute(&a->ava[i + k], &b->ava[j + k])) {
                return false;
            }
        }
        i += size;
    }
    return true;
}

bool cs_dn_equal(const cs_dn *a, const cs_dn *b, bool either_order)
{
    if (a->n != b->n || a->rdns != b->rdns) {
        return false;
    }
    return equal_forward(a, b) || (either_order && equal_reversed(a, b));
}

/* ---- rules --------------------------------------------------------------------------------------------------- */

/* Stands for "any characters" in the values of a rule, so that an escaped star is a star. */
#define ANY '\x01'

static size_t count_any(const cs_dn *dn)
{
    size_t any = 0;
    for (size_t i = 0; i < dn->n; i++) {
        for (size_t k = 0; k < dn->ava[i].n; k++) {
            any += dn->ava[i].value[k] == ANY;
        }
    }
    return any;
}

cs_dn *cs_dn_rule_parse(const char *text)
{
    size_t stars = 0;
    char *marked = strnlen(text, DN_TEXT_MAX + 1) <= DN_TEXT_MAX ? strdup(text) : NULL;
    if (marked == NULL || strchr(marked, ANY) != NULL) {
        free(marked);
        return NULL;
    }
    for (char *p = marked; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        } else if (*p == '*') {
            *p = ANY;
            stars++;
        }
    }
    cs_dn *rule = cs_dn_parse(marked);
    free(marked);
    /* the octet itself may come out of an escape: then nobody can tell what was meant */
    if (rule != NULL && count_any(rule) != stars) {
        cs_dn_free(rule);
        rule = NULL;
    }
    return rule;
}

/* Value against pattern: on a mismatch the last star takes one octet more. */
static bool fits_value(const struct ava *pattern, const struct ava *value)
{
    size_t p = 0;
    size_t v = 0;
    size_t star = SIZE_MAX;
    size_t taken = 0;
    while (v < value->n) {
        if (p < pattern->n && pattern->value[p] == ANY) {
            star = p++;
            taken = v;
        } else if (p < pattern->n && pattern->value[p] == value->value[v]) {
            p++;
            v++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            v = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern->n && pattern->value[p] == ANY) {
        p++;
    }
    return p == pattern->n;
}

static bool names_type(const cs_dn *rule, const char *oid)
{
    for (size_t i = 0; i < rule->n; i++) {
        if (strcmp(rule->ava[i].oid, oid) == 0) {
            return true;
        }
    }
    return false;
}

bool cs_dn_fits(const cs_dn *rule, const cs_dn *name)
{
    size_t r = 0;
    for (size_t i = 0; i < name->n;) {
        size_t size = rdn_size(name, i);
        bool named = false;
        for (size_t k = 0; k < size; k++) {
            named |= names_type(rule, name->ava[i + k].oid);
        }
        if (named && (r == rule->n || rdn_size(rule, r) != size)) {
            return false;
        }
        for (size_t k = 0; named && k < size; k++) {
            if (strcmp(rule->ava[r + k].oid, name->ava[i + k].oid) != 0 ||
                !fits_value(&rule->ava[r + k], &name->ava[i + k])) {
                return false;
            }
        }
        r += named ? size : 0;
        i += size;
    }
    return r > 0 && r == rule->n;
}

size_t cs_dn_text(const X509_NAME *name, char *out, size_t size)
{
    /* RFC 2253, but UTF-8 as it is; control characters stay escaped */
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    size_t written = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (size != 0) {
        out[0] = '\0';
    }
    if (bio == NULL) {
        return 0;
    }
    if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
        char *data = NULL;
        long n = BIO_get_mem_data(bio, &data);
        if (n > 0 && (size_t)n < size) {
            memcpy(out, data, (size_t)n);
            out[n] = '\0';
            written = (size_t)n;
        }
    }
    BIO_free(bio);
    return written;
}
