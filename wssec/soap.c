/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soap.c: steps 3 and 4: the shape of the envelope and our Security header. Positions are absolute from here on: the
 * judge looks at /Envelope/Body and /Envelope/Header/X, never at "the element with that name somewhere".
 */
#include <string.h>

#include "wssec/message.h"

#define WSSE_2002_04 "http://schemas.xmlsoap.org/ws/2002/04/secext"
#define WSSE_2002_07 "http://schemas.xmlsoap.org/ws/2002/07/secext"

struct version {
    uint8_t soap;
    const char *ns, *role_attribute, *other_ns, *other_role_attribute;
    const char *ours[3];       /* roles that are ours, "" is no role */
    const char *understand[5]; /* values of mustUnderstand */
};

static const struct version versions[] = {
    {11,
     WSSEC_NS_SOAP11,
     "actor",
     WSSEC_NS_SOAP12,
     "role",
     {"http://schemas.xmlsoap.org/soap/actor/next", NULL, NULL},
     {"0", "1", NULL, NULL, NULL}},
    {12,
     WSSEC_NS_SOAP12,
     "role",
     WSSEC_NS_SOAP11,
     "actor",
     {WSSEC_NS_SOAP12 "/role/next", WSSEC_NS_SOAP12 "/role/ultimateReceiver", NULL},
     {"0", "1", "true", "false", NULL}},
};

static bool one_of(const char *value, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n && list[i] != NULL; i++) {
        if (strcmp(list[i], value) == 0) {
            return true;
        }
    }
    return false;
}

int wssec_soap_read(struct wssec_message *m, struct wssec_refusal *why)
{
    xmlNodePtr root = xmlDocGetRootElement(m->doc);
    const char *ns = NULL;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (wssec_is(root, versions[i].ns, "Envelope")) {
            m->soap = versions[i].soap;
            ns = versions[i].ns;
        }
    }
    if (ns == NULL) {
        return wssec_refuse(why, WSSEC_SOAP_SHAPE, "the root element is not the Envelope of SOAP 1.1 or 1.2");
    }
    if (m->scan.instructions_outside > 0) {
        return wssec_refuse(why, WSSEC_PROCESSING_INSTRUCTION, "a processing instruction stands outside the Envelope");
    }
    if (!wssec_element_content(root, true)) {
        return wssec_refuse(why, WSSEC_SOAP_SHAPE, "the Envelope holds text");
    }
    m->envelope = root;
    xmlNodePtr n = wssec_first_element(root);
    if (wssec_is(n, ns, "Header")) {
        m->header = n;
        n = wssec_next_element(n);
    }
    if (!wssec_is(n, ns, "Body")) {
        return wssec_refuse(why, WSSEC_SOAP_SHAPE, "Envelope must hold an optional Header, then Body; found %.64s",
                            n != NULL ? (const char *)n->name : "nothing");
    }
    if (wssec_next_element(n) != NULL) {
        return wssec_refuse(why, WSSEC_SOAP_SHAPE, "%.64s stands behind Body", wssec_next_element(n)->name);
    }
    if (m->header != NULL && !wssec_element_content(m->header, true)) {
        return wssec_refuse(why, WSSEC_SOAP_SHAPE, "the Header holds text");
    }
    m->body = n;
    xmlNodePtr fault = wssec_first_element(n);
    m->is_fault = wssec_is(fault, ns, "Fault") && wssec_next_element(fault) == NULL;
    return 0;
}

static const struct version *version_of(const struct wssec_message *m)
{
    return &versions[m->soap == 12];
}

static int judge_attributes(const struct version *v, const xmlNode *security, struct wssec_refusal *why)
{
    const xmlChar *understand = wssec_attr(security, v->ns, "mustUnderstand");
    if (understand != NULL &&
        !one_of((const char *)understand, v->understand, sizeof v->understand / sizeof v->understand[0])) {
        return wssec_refuse(why, WSSEC_MUST_UNDERSTAND, "mustUnderstand has the value \"%.16s\"", understand);
    }
    if (wssec_attr(security, v->other_ns, v->other_role_attribute) != NULL ||
        wssec_attr(security, v->other_ns, "mustUnderstand") != NULL) {
        return wssec_refuse(why, WSSEC_SECURITY_MALFORMED,
                            "an attribute of the other SOAP version stands on the Security header");
    }
    return 0;
}

int wssec_soap_security(struct wssec_message *m, struct wssec_refusal *why)
{
    const struct version *v = version_of(m);
    bool old = false;
    for (xmlNodePtr n = wssec_first_element(m->header); n != NULL; n = wssec_next_element(n)) {
        bool is_old = wssec_is(n, WSSE_2002_04, "Security") || wssec_is(n, WSSE_2002_07, "Security");
        if (!is_old && !wssec_is(n, WSSEC_NS_WSSE, "Security")) {
            continue;
        }
        const xmlChar *other = wssec_attr(n, v->other_ns, v->other_role_attribute);
        const xmlChar *role = wssec_attr(n, v->ns, v->role_attribute);
        if (role != NULL && role[0] != '\0' && other == NULL &&
            !one_of((const char *)role, v->ours, sizeof v->ours / sizeof v->ours[0])) {
            continue; /* somebody else's */
        }
        if (is_old) {
            old = true;
            continue;
        }
        if (m->security != NULL) {
            return wssec_refuse(why, WSSEC_MULTIPLE_SECURITY, "two Security headers are addressed to us");
        }
        if (judge_attributes(v, n, why) != 0) {
            return -1;
        }
        m->security = n;
    }
    if (old && m->security == NULL) {
        return wssec_refuse(why, WSSEC_TOKEN_UNSUPPORTED, "the Security header is of a 2002 draft");
    }
    return 0;
}
