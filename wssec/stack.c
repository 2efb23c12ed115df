/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c: each WS-Security implementation has its own way to make ids, to choose prefixes and to build key references.
 * One row per habit; the first that is seen wins, so rows that are told apart least stand last.
 */
#include "wssec/stack.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum habit {
    HABIT_TOKEN_ID, /* wsu:Id of the BinarySecurityToken begins with text */
    HABIT_TIMESTAMP_ID,
    HABIT_BODY_ID,
    HABIT_SIGNATURE_ID, /* Id of ds:Signature */
    HABIT_PREFIX,       /* prefix of the Security header */
    HABIT_ENVELOPED,    /* a reference by id with an enveloped-signature transform */
    HABIT_EMPTY_SERIAL, /* X509IssuerSerial without content beside X509Certificate */
    HABIT_DER_ECDSA     /* ECDSA SignatureValue that begins like a DER sequence */
};

static const struct {
    enum habit habit;
    const char *text;
    const char *stack, *evidence;
} rows[] = {
    {HABIT_EMPTY_SERIAL, "", "zeep", "an empty X509IssuerSerial beside X509Certificate"},
    {HABIT_ENVELOPED, "", "node-soap", "an enveloped-signature transform on a reference by id"},
    {HABIT_DER_ECDSA, "", "gSOAP", "a DER-encoded ECDSA SignatureValue"},
    {HABIT_TOKEN_ID, "X509Token", "gSOAP", "the token's id X509Token"},
    {HABIT_TOKEN_ID, "x509-", "node-soap", "a token id x509-…"},
    {HABIT_TOKEN_ID, "X509-", "WSS4J (CXF, Axis2, Spring-WS)", "a token id X509-…"},
    {HABIT_SIGNATURE_ID, "SIG-", "WSS4J (CXF, Axis2, Spring-WS)", "a signature id SIG-…"},
    {HABIT_SIGNATURE_ID, "Signature-", "WSS4J (CXF, Axis2, Spring-WS)", "a signature id Signature-…"},
    {HABIT_TIMESTAMP_ID, "TS-", "WSS4J (CXF, Axis2, Spring-WS)", "a Timestamp id TS-…"},
    {HABIT_TIMESTAMP_ID, "Timestamp-", "WSS4J (CXF, Axis2, Spring-WS)", "a Timestamp id Timestamp-…"},
    {HABIT_TOKEN_ID, "XWSSGID-", "XWSS (Metro)", "a token id XWSSGID-…"},
    {HABIT_BODY_ID, "XWSSGID-", "XWSS (Metro)", "a Body id XWSSGID-…"},
    {HABIT_BODY_ID, "wsuid-", "SAP AS Java", "a Body id wsuid-…"},
    {HABIT_BODY_ID, "wssecurity_", "IBM WebSphere", "a Body id wssecurity_…"},
    {HABIT_TOKEN_ID, "uuid-", "WCF (.NET)", "a token id uuid-…"},
    {HABIT_PREFIX, "o", "WCF (.NET)", "the prefix o of the Security header"},
};

xmlNodePtr wssec_find(xmlNodePtr top, const char *ns, const char *local)
{
    xmlNodePtr n = top;
    while (n != NULL) {
        if (wssec_is(n, ns, local)) {
            return n;
        }
        xmlNodePtr next = wssec_first_element(n);
        while (next == NULL && n != top) {
            next = wssec_next_element(n);
            n = next == NULL ? n->parent : n;
        }
        n = next;
    }
    return NULL;
}

static bool id_begins(xmlNodePtr node, const char *ns, const char *text)
{
    const char *id = node != NULL ? (const char *)wssec_attr(node, ns, "Id") : NULL;
    return id != NULL && strncmp(id, text, strlen(text)) == 0;
}

static bool has_enveloped(xmlNodePtr signature)
{
    for (xmlNodePtr t = wssec_find(signature, WSSEC_NS_DS, "SignedInfo"); t != NULL; t = NULL) {
        for (xmlNodePtr ref = wssec_first_element(t); ref != NULL; ref = wssec_next_element(ref)) {
            xmlNodePtr first = wssec_find(ref, WSSEC_NS_DS, "Transform");
            const char *uri = (const char *)wssec_attr(ref, NULL, "URI");
            const char *algorithm = first != NULL ? (const char *)wssec_attr(first, NULL, "Algorithm") : NULL;
            if (uri != NULL && uri[0] == '#' && algorithm != NULL &&
                strcmp(algorithm, WSSEC_NS_DS "enveloped-signature") == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool has_empty_serial(xmlNodePtr signature)
{
    xmlNodePtr serial = wssec_find(signature, WSSEC_NS_DS, "X509IssuerSerial");
    return serial != NULL && wssec_find(signature, WSSEC_NS_DS, "X509Certificate") != NULL &&
           wssec_first_element(serial) == NULL;
}

/* "MEUC" and the like: SEQUENCE, a length, INTEGER. r||s begins so by chance only once in many thousands. */
static bool has_der_ecdsa(xmlNodePtr signature)
{
    xmlNodePtr method = wssec_find(signature, WSSEC_NS_DS, "SignatureMethod");
    xmlNodePtr value = wssec_find(signature, WSSEC_NS_DS, "SignatureValue");
    const char *algorithm = method != NULL ? (const char *)wssec_attr(method, NULL, "Algorithm") : NULL;
    size_t n = 0;
    const char *text = value != NULL ? (const char *)wssec_text(value, &n) : NULL;
    if (algorithm == NULL || strstr(algorithm, "#ecdsa-") == NULL || text == NULL) {
        return false;
    }
    while (n > 0 && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    /* 30, then the length: a little less when r or s begins with zeros */
    return n > 4 && text[0] == 'M' && strchr("CDEFGHIJ", text[1]) != NULL && strchr("EIMQUYcg", text[2]) != NULL;
}

static bool seen(const struct wssec_message *m, enum habit habit, const char *text)
{
    xmlNodePtr signature = wssec_find(m->security, WSSEC_NS_DS, "Signature");
    switch (habit) {
    case HABIT_TOKEN_ID:
        return id_begins(wssec_find(m->security, WSSEC_NS_WSSE, "BinarySecurityToken"), WSSEC_NS_WSU, text);
    case HABIT_TIMESTAMP_ID: return id_begins(wssec_find(m->security, WSSEC_NS_WSU, "Timestamp"), WSSEC_NS_WSU, text);
    case HABIT_BODY_ID: return id_begins(m->body, WSSEC_NS_WSU, text);
    case HABIT_SIGNATURE_ID: return id_begins(signature, NULL, text);
    case HABIT_PREFIX:
        return m->security->ns != NULL && m->security->ns->prefix != NULL &&
               strcmp((const char *)m->security->ns->prefix, text) == 0;
    case HABIT_ENVELOPED: return signature != NULL && has_enveloped(signature);
    case HABIT_EMPTY_SERIAL: return signature != NULL && has_empty_serial(signature);
    case HABIT_DER_ECDSA: return signature != NULL && has_der_ecdsa(signature);
    }
    return false;
}

void wssec_stack_guess(const struct wssec_message *m, struct wssec_diagnosis *d)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (seen(m, rows[i].habit, rows[i].text)) {
            snprintf(d->stack, sizeof d->stack, "%s", rows[i].stack);
            snprintf(d->evidence, sizeof d->evidence, "%s", rows[i].evidence);
            return;
        }
    }
}
