/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subject.c: names for certificates that are made here. Whoever judges a certificate by its name trusts that nobody
 * else got it: so what was typed is read strictly, and what was built is compared with what base/ reads in the same
 * text.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/dn.h"
#include "base/text.h"
#include "keystore/issuer.h"

#define SUBJECT_TEXT_MAX 480 /* fits the columns that keep it, with escapes */
#define HOST_MAX         253
#define LABEL_MAX        63

static const struct attribute {
    const char *word;
    int nid;
} attribute[] = {
    {"CN", NID_commonName},
    {"O", NID_organizationName},
    {"OU", NID_organizationalUnitName},
    {"C", NID_countryName},
    {"L", NID_localityName},
    {"ST", NID_stateOrProvinceName},
    {"STREET", NID_streetAddress},
    {"DC", NID_domainComponent},
    {"UID", NID_userId},
    {"serialNumber", NID_serialNumber},
    {"emailAddress", NID_pkcs9_emailAddress},
};

static int bad_subject(cs_error *e, const char *why, const char *at)
{
    return cs_error_set(e, CS_EXIT_USAGE, "subject", "the subject is no name for a certificate: %s%s%.64s%s", why,
                        at[0] != '\0' ? ", at \"" : "", at, at[0] != '\0' ? "\"" : "");
}

static int attribute_nid(const char *s, size_t n)
{
    for (size_t i = 0; i < sizeof attribute / sizeof attribute[0]; i++) {
        if (strlen(attribute[i].word) == n && strncasecmp(attribute[i].word, s, n) == 0) {
            return attribute[i].nid;
        }
    }
    return NID_undef;
}

/** A value up to an unescaped comma or the end. *s then stands there. */
static int read_value(const char **s, cs_buf *value, cs_error *e)
{
    const char *p = *s;
    while (*p != '\0' && *p != ',') {
        if (strchr("+\"<>;=", *p) != NULL || (p == *s && (*p == '#' || *p == ' '))) {
            return bad_subject(e, "this character needs a backslash before it", p);
        }
        if (*p != '\\') {
            cs_buf_addc(value, *p++);
            continue;
        }
        const char hex[3] = {p[1], p[1] != '\0' ? p[2] : '\0', '\0'};
        uint8_t octet = 0;
        if (cs_unhex(hex, &octet, 1) == 0) {
            cs_buf_addc(value, (char)octet);
            p += 3;
        } else if (p[1] != '\0' && strchr(",+\"\\<>;=# ", p[1]) != NULL) {
            cs_buf_addc(value, p[1]);
            p += 2;
        } else {
            return bad_subject(e, "a backslash stands before a special character or two hexadecimal digits", p);
        }
    }
    *s = p;
    return 0;
}

static int check_value(const cs_buf *value, const char *at, cs_error *e)
{
    if (value->failed) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (value->len == 0) {
        return bad_subject(e, "an attribute has no value", at);
    }
    if (value->data[0] == ' ' || value->data[value->len - 1] == ' ') {
        return bad_subject(e, "a value begins or ends with a blank", at);
    }
    for (size_t i = 0; i < value->len; i++) {
        if ((unsigned char)value->data[i] < 0x20 || value->data[i] == 0x7f) {
            return bad_subject(e, "a value holds a control character", at);
        }
    }
    return 0;
}

/** TYPE=VALUE to the front of name: text has the most specific first, a certificate has it last. */
static int read_attribute(const char **s, X509_NAME *name, cs_error *e)
{
    cs_buf value = CS_BUF_INIT;
    int rc = -1;
    const char *at = *s;
    size_t n = strcspn(at, "=,");
    int nid = attribute_nid(at, n);
    if (at[n] != '=' || nid == NID_undef) {
        return bad_subject(e, "CN, O, OU, C, L, ST, STREET, DC, UID, serialNumber or emailAddress and = is expected",
                           at);
    }
    *s = at + n + 1;
    if (read_value(s, &value, e) != 0 || check_value(&value, at, e) != 0) {
        goto out;
    }
    if (X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value.data, (int)value.len, 0, 0) !=
        1) {
        ERR_clear_error();
        bad_subject(e, "a value is no UTF-8, or too long (64 characters; C: two letters)", at);
        goto out;
    }
    rc = 0;
out:
    cs_buf_free(&value);
    return rc;
}

/** Is name what text says, in the eyes of everybody else here? */
static bool same_name(const char *text, const X509_NAME *name)
{
    cs_dn *said = cs_dn_parse(text);
    cs_dn *built = cs_dn_from_name(name);
    bool same = said != NULL && built != NULL && cs_dn_equal(said, built, false);
    cs_dn_free(said);
    cs_dn_free(built);
    return same;
}

int ks_subject_parse(const char *text, X509_NAME **out, cs_error *e)
{
    char shown[512];
    const char *s = text;
    int rc = -1;
    *out = NULL;
    if (text[0] == '\0' || strlen(text) > SUBJECT_TEXT_MAX) {
        return bad_subject(e, "it is empty or longer than 480 octets", "");
    }
    X509_NAME *name = X509_NAME_new();
    if (name == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    for (;;) {
        s += strspn(s, " ");
        if (read_attribute(&s, name, e) != 0) {
            goto out;
        }
        if (*s == '\0') {
            break;
        }
        s++;
    }
    if (cs_dn_text(name, shown, sizeof shown) == 0) {
        bad_subject(e, "it is longer than 511 octets when written with its escapes", "");
    } else if (!same_name(text, name)) {
        bad_subject(e, "it can be read in two ways", text);
    } else {
        *out = name;
        name = NULL;
        rc = 0;
    }
out:
    X509_NAME_free(name);
    return rc;
}

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

static bool host_name_ok(const char *host)
{
    size_t label = 0;
    if (host[0] == '\0' || strlen(host) > HOST_MAX) {
        return false;
    }
    for (const char *p = host; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (*p == '.') {
            if (label == 0 || p[-1] == '-' || p[1] == '\0') {
                return false;
            }
            label = 0;
            continue;
        }
        if ((!letter && (*p != '-' || label == 0)) || ++label > LABEL_MAX) {
            return false;
        }
    }
    return host[strlen(host) - 1] != '-';
}

static GENERAL_NAME *host_name(const char *host)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    ERR_clear_error();
    if (name != NULL && ip != NULL) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, ip);
        return name;
    }
    ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
    if (name != NULL && dns != NULL && ASN1_STRING_set(dns, host, -1) == 1) {
        GENERAL_NAME_set0_value(name, GEN_DNS, dns);
        return name;
    }
    ASN1_OCTET_STRING_free(ip);
    ASN1_IA5STRING_free(dns);
    GENERAL_NAME_free(name);
    return NULL;
}

int ks_host_add(GENERAL_NAMES **names, const char *host, cs_error *e)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    ERR_clear_error();
    bool known = ip != NULL || host_name_ok(host);
    ASN1_OCTET_STRING_free(ip);
    if (!known) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "host",
            "\"%.64s\" is neither a host name nor an IP address; name what clients connect to: --host NAME", host);
    }
    GENERAL_NAME *name = host_name(host);
    if (*names == NULL) {
        *names = sk_GENERAL_NAME_new_null();
    }
    if (name == NULL || *names == NULL || sk_GENERAL_NAME_push(*names, name) <= 0) {
        GENERAL_NAME_free(name);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    return 0;
}
