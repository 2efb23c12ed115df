/* SPDX-License-Identifier: Apache-2.0 */
/* bsp.c: see bsp.h. One walk over the header; each element is asked the rules that speak of it. */
#include "wssec/bsp.h"

#include <stdio.h>
#include <string.h>

#define EXCLUSIVE     "http://www.w3.org/2001/10/xml-exc-c14n#"
#define SWA           "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#"
#define STR_TRANSFORM WSSEC_SMS10 "#STR-Transform"
#define VT_X509V3     WSSEC_X509_PROFILE "#X509v3"
#define VT_PKIPATH    WSSEC_X509_PROFILE "#X509PKIPathv1"
#define VT_SKI        WSSEC_X509_PROFILE "#X509SubjectKeyIdentifier"
#define VT_THUMBPRINT WSSEC_SMS11 "#ThumbprintSHA1"
#define VT_KEY        WSSEC_SMS11 "#EncryptedKey"

/* ---- what elements say ------------------------------------------------------------------------------------------- */

static bool says(const xmlNode *n, const char *ns, const char *local, const char *value)
{
    const xmlChar *text = n != NULL ? wssec_attr(n, ns, local) : NULL;
    return text != NULL && strcmp((const char *)text, value) == 0;
}

static bool has(const xmlNode *n, const char *local)
{
    return wssec_attr(n, NULL, local) != NULL;
}

/* What a URI of the form #id names. NULL: nothing that is known here */
static const xmlNode *target_of(const struct wssec_message *m, const xmlNode *n)
{
    const xmlChar *uri = wssec_attr(n, NULL, "URI");
    bool twice = false;
    if (uri == NULL || uri[0] != '#' || uri[1] == '\0') {
        return NULL;
    }
    return wssec_ids_find(&m->ids, uri + 1, strlen((const char *)uri + 1), &twice);
}

static bool named_by(const xmlNode *reference, const xmlNode *target, const char *ns)
{
    const xmlChar *uri = wssec_attr(reference, NULL, "URI");
    const xmlChar *id = wssec_attr(target, ns, "Id");
    return id != NULL && xmlStrEqual(id, uri + 1);
}

static bool inside(const xmlNode *n, const char *ns, const char *local)
{
    while (n != NULL && n->type == XML_ELEMENT_NODE && !wssec_is(n, ns, local)) {
        n = n->parent;
    }
    return n != NULL && n->type == XML_ELEMENT_NODE;
}

static bool of_signature(const xmlNode *n)
{
    return wssec_is(n->parent, WSSEC_NS_DS, "Signature");
}

static bool of_encryption(const xmlNode *n)
{
    return wssec_is(n->parent, WSSEC_NS_XENC, "EncryptedKey") || wssec_is(n->parent, WSSEC_NS_XENC, "EncryptedData");
}

/* ---- checks: true when the rule does not hold ----------------------------------------------------------------------
 */

#define CHECK(name) static bool name(const struct wssec_message *m, const xmlNode *n)

CHECK(finer_than_milliseconds)
{
    size_t len = 0;
    const xmlChar *text = wssec_text(n, &len);
    const char *dot = text != NULL ? memchr(text, '.', len) : NULL;
    (void)m;
    return dot != NULL && strspn(dot + 1, "0123456789") > 3;
}

CHECK(no_encoding_type)
{
    (void)m;
    return !has(n, "EncodingType");
}

CHECK(no_type)
{
    (void)m;
    return !has(n, "Type");
}

CHECK(no_wsu_id)
{
    (void)m;
    return wssec_attr(n, WSSEC_NS_WSU, "Id") == NULL;
}

CHECK(not_exclusive)
{
    (void)m;
    return !says(n, NULL, "Algorithm", EXCLUSIVE);
}

CHECK(empty_prefix_list)
{
    const xmlNode *list = wssec_first_element(n);
    const xmlChar *prefixes =
        wssec_is(list, EXCLUSIVE, "InclusiveNamespaces") ? wssec_attr(list, NULL, "PrefixList") : NULL;
    (void)m;
    return wssec_is(list, EXCLUSIVE, "InclusiveNamespaces") &&
           (prefixes == NULL || prefixes[strspn((const char *)prefixes, " \t\r\n")] == '\0');
}

CHECK(no_transforms)
{
    (void)m;
    return !wssec_is(wssec_first_element(n), WSSEC_NS_DS, "Transforms");
}

CHECK(no_element)
{
    (void)m;
    return wssec_first_element(n) == NULL;
}

static bool closes(const xmlNode *transform)
{
    static const char *const last[] = {EXCLUSIVE, STR_TRANSFORM, SWA "Attachment-Content-Signature-Transform",
                                       SWA "Attachment-Complete-Signature-Transform"};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        if (says(transform, NULL, "Algorithm", last[i])) {
            return true;
        }
    }
    return false;
}

CHECK(wrong_last_transform)
{
    const xmlNode *last = NULL;
    (void)m;
    for (const xmlNode *t = wssec_first_element(n); t != NULL; t = wssec_next_element(t)) {
        last = t;
    }
    return last != NULL && !closes(last);
}

CHECK(not_a_listed_transform)
{
    (void)m;
    return !closes(n) && !says(n, NULL, "Algorithm", WSSEC_NS_DS "enveloped-signature");
}

CHECK(signature_not_by_id)
{
    const xmlNode *target = target_of(m, n);
    return target != NULL && inside(target, WSSEC_NS_DS, "Signature") &&
           !inside(target, WSSEC_NS_WSSE, "SecurityTokenReference") && !named_by(n, target, NULL);
}

static bool is_ciphertext(const xmlNode *n)
{
    return n->ns != NULL && xmlStrEqual(n->ns->href, BAD_CAST WSSEC_NS_XENC);
}

CHECK(ciphertext_not_by_id)
{
    const xmlNode *target = target_of(m, n);
    return target != NULL && is_ciphertext(target) && !named_by(n, target, NULL);
}

CHECK(other_not_by_wsu_id)
{
    const xmlNode *target = target_of(m, n);
    bool own = target != NULL && (is_ciphertext(target) || (inside(target, WSSEC_NS_DS, "Signature") &&
                                                            !inside(target, WSSEC_NS_WSSE, "SecurityTokenReference")));
    return target != NULL && !own && !named_by(n, target, WSSEC_NS_WSU);
}

static bool not_one(const xmlNode *n)
{
    const xmlNode *first = wssec_first_element(n);
    return first == NULL || wssec_next_element(first) != NULL;
}

static bool without_str(const xmlNode *n)
{
    const xmlNode *c = wssec_first_element(n);
    while (c != NULL && !wssec_is(c, WSSEC_NS_WSSE, "SecurityTokenReference")) {
        c = wssec_next_element(c);
    }
    return c == NULL;
}

CHECK(signature_key_info_not_one)
{
    (void)m;
    return of_signature(n) && not_one(n);
}

CHECK(signature_key_info_without_str)
{
    (void)m;
    return of_signature(n) && without_str(n);
}

CHECK(encryption_key_info_not_one)
{
    (void)m;
    return of_encryption(n) && not_one(n);
}

CHECK(encryption_key_info_without_str)
{
    (void)m;
    return of_encryption(n) && without_str(n);
}

static bool to_key(const struct wssec_message *m, const xmlNode *n)
{
    const xmlNode *target = target_of(m, n);
    return target != NULL && wssec_is(target, WSSEC_NS_XENC, "EncryptedKey");
}

CHECK(no_value_type)
{
    return !has(n, "ValueType") && !to_key(m, n);
}

CHECK(x509_by_other_type)
{
    const xmlNode *target = target_of(m, n);
    return says(target, NULL, "ValueType", VT_X509V3) && has(n, "ValueType") && !says(n, NULL, "ValueType", VT_X509V3);
}

CHECK(path_without_token_type)
{
    const xmlNode *target = target_of(m, n);
    return says(target, NULL, "ValueType", VT_PKIPATH) && !says(n->parent, WSSEC_NS_WSSE11, "TokenType", VT_PKIPATH);
}

CHECK(key_without_token_type)
{
    return to_key(m, n) && !says(n->parent, WSSEC_NS_WSSE11, "TokenType", VT_KEY);
}

/* The child of the Security header that n stands in, or is. */
static const xmlNode *child_around(const struct wssec_message *m, const xmlNode *n)
{
    while (n != NULL && n->parent != m->security) {
        n = n->parent;
    }
    return n;
}

CHECK(token_behind)
{
    const xmlNode *token = target_of(m, n);
    const xmlNode *user = child_around(m, n);
    if (token == NULL || user == NULL || token->parent != m->security) {
        return false;
    }
    const xmlNode *c = wssec_first_element(m->security);
    while (c != NULL && c != token && c != user) {
        c = wssec_next_element(c);
    }
    return c != token;
}

CHECK(not_ski_or_thumbprint)
{
    (void)m;
    return says(n, NULL, "ValueType", VT_X509V3); /* the certificate itself; other kinds are refused before */
}

CHECK(has_type)
{
    (void)m;
    return has(n, "Type");
}

CHECK(has_mime_type)
{
    (void)m;
    return has(n, "MimeType");
}

CHECK(has_encoding)
{
    (void)m;
    return has(n, "Encoding");
}

CHECK(has_recipient)
{
    (void)m;
    return has(n, "Recipient");
}

CHECK(child_of_soap_header)
{
    return n->parent == m->header;
}

/* ---- the table -----------------------------------------------------------------------------------------------------
 */

#define MUST   true
#define SHOULD false
static const struct wssec_bsp_rule rules[] = {
#define BSP(number, level, ns, local, check, text) {number, level, ns, local, text},
#include "wssec/bsp.def"
};
static bool (*const broken[])(const struct wssec_message *m, const xmlNode *n) = {
#define BSP(number, level, ns, local, check, text) check,
#include "wssec/bsp.def"
};
#define RULES (sizeof rules / sizeof rules[0])

const struct wssec_bsp_rule *wssec_bsp_rule(size_t index)
{
    return index < RULES ? &rules[index] : NULL;
}

/* ---- the walk ------------------------------------------------------------------------------------------------------
 */

struct findings {
    bool found[RULES];
    size_t first; /* that must hold, RULES: none */
};

static void ask(const struct wssec_message *m, const xmlNode *n, struct findings *f)
{
    for (size_t i = 0; i < RULES; i++) {
        if (!f->found[i] && wssec_is(n, rules[i].ns, rules[i].local) && broken[i](m, n)) {
            f->found[i] = true;
            f->first = f->first == RULES && rules[i].must ? i : f->first;
        }
    }
}

/* The element behind n in the order of the document, within top. */
static const xmlNode *step(const xmlNode *n, const xmlNode *top)
{
    const xmlNode *next = wssec_first_element(n);
    while (next == NULL && n != top) {
        next = wssec_next_element(n);
        n = n->parent;
    }
    return next;
}

/* "bsp R3029 R5417", as many as have room. */
static void tell(struct wssec_judge *j, const struct findings *f)
{
    char text[sizeof j->verdict->notes[0]] = "bsp";
    size_t n = strlen(text);
    for (size_t i = 0; i < RULES; i++) {
        if (f->found[i] && n + 1 + strlen(rules[i].number) < sizeof text) {
            n += (size_t)snprintf(text + n, sizeof text - n, " %s", rules[i].number);
            wssec_explain_add(j->explain, "bsp", !rules[i].must, "%s does not hold: %s", rules[i].number,
                              rules[i].text);
        }
    }
    if (n > strlen("bsp")) {
        wssec_note(j->verdict, "%s", text);
    } else {
        wssec_explain_add(j->explain, "bsp", true, "%zu rules of the Basic Security Profile 1.1 hold", RULES);
    }
}

void wssec_bsp_judge(struct wssec_judge *j)
{
    const struct wssec_message *m = j->message;
    struct findings f = {.first = RULES};
    if (j->policy->bsp == WSSEC_BSP_OFF || m->security == NULL) {
        return;
    }
    for (const xmlNode *n = wssec_first_element(m->header); n != NULL; n = wssec_next_element(n)) {
        ask(m, n, &f);
    }
    for (const xmlNode *n = m->security; n != NULL; n = step(n, m->security)) {
        ask(m, n, &f);
    }
    tell(j, &f);
    if (j->policy->bsp == WSSEC_BSP_ENFORCE && f.first < RULES) {
        (void)wssec_refuse(j->why, WSSEC_BSP_VIOLATION, "%s: %s", rules[f.first].number, rules[f.first].text);
    }
}
