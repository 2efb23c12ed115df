/* SPDX-License-Identifier: Apache-2.0 */
/* header.c: see header.h. */
#include "wssec/header.h"

#include <string.h>

#include "wssec/keyinfo.h"
#include "wssec/target.h"

/* Prefix of the SOAP namespace for attributes; declared on Security where the Envelope uses none or it is hidden. */
static const char *soap_prefix(const struct wssec_message *m, bool *declare)
{
    const xmlNode *at = m->header != NULL ? m->header : m->envelope;
    const char *prefix = (const char *)m->envelope->ns->prefix;
    const char *bound = prefix != NULL ? wssec_scope(at, prefix) : NULL;
    *declare = bound == NULL || strcmp(bound, (const char *)m->envelope->ns->href) != 0;
    return *declare ? "soap" : prefix;
}

static void add_header_tag(const struct wssec_message *m, const char *open, cs_buf *b)
{
    const char *prefix = (const char *)m->envelope->ns->prefix;
    (void)cs_buf_addf(b, "%s%s%sHeader>", open, prefix != NULL ? prefix : "", prefix != NULL ? ":" : "");
}

void wssec_header_open(const struct wssec_message *m, const char *role, bool must_understand, cs_buf *b)
{
    bool declare = false;
    const char *soap = soap_prefix(m, &declare);
    if (m->header == NULL) {
        add_header_tag(m, "<", b);
    }
    (void)cs_buf_adds(b, "<wsse:Security xmlns:wsse=\"" WSSEC_NS_WSSE "\" xmlns:wsu=\"" WSSEC_NS_WSU "\"");
    if (declare && (must_understand || role != NULL)) {
        (void)cs_buf_addf(b, " xmlns:soap=\"%s\"", m->soap == 12 ? WSSEC_NS_SOAP12 : WSSEC_NS_SOAP11);
    }
    if (must_understand) {
        (void)cs_buf_addf(b, " %s:mustUnderstand=\"1\"", soap);
    }
    if (role != NULL) {
        (void)cs_buf_addf(b, " %s:%s=\"", soap, m->soap == 12 ? "role" : "actor");
        wssec_xml_escape(role, b);
        (void)cs_buf_adds(b, "\"");
    }
    (void)cs_buf_adds(b, ">");
}

void wssec_header_close(const struct wssec_message *m, cs_buf *b)
{
    (void)cs_buf_adds(b, "</wsse:Security>");
    if (m->header == NULL) {
        add_header_tag(m, "</", b);
    }
}

int wssec_header_place(struct wssec_arena *arena, const struct wssec_message *m, const xmlNode *node,
                       const cs_buf *text, struct wssec_edit *e)
{
    const struct wssec_scan_element *at = wssec_place(m, node);
    if (at == NULL) {
        return WSSEC_RC_INTERNAL;
    }
    *e = (struct wssec_edit){at->open_end, at->open_end, text->data, text->len};
    if (!at->empty) {
        return WSSEC_RC_OK;
    }
    cs_buf opened = CS_BUF_INIT; /* "<soap:Header/>": '/' and '>' give way */
    (void)cs_buf_adds(&opened, ">");
    (void)cs_buf_add(&opened, text->data, text->len);
    (void)cs_buf_addf(&opened, "</%.*s>", (int)at->name_len, m->scan.names.data + at->name_at);
    char *copy = opened.failed ? NULL : wssec_arena_text(arena, opened.data, opened.len);
    *e = (struct wssec_edit){at->open_end - 2, at->open_end, copy, opened.len};
    cs_buf_free(&opened);
    return copy != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

xmlNodePtr wssec_header_of_role(const struct wssec_message *m, const char *role)
{
    if (role == NULL) {
        return m->security;
    }
    const char *ns = m->soap == 12 ? WSSEC_NS_SOAP12 : WSSEC_NS_SOAP11;
    for (xmlNodePtr n = wssec_first_element(m->header); n != NULL; n = wssec_next_element(n)) {
        const xmlChar *said = wssec_attr(n, ns, m->soap == 12 ? "role" : "actor");
        if (wssec_is(n, WSSEC_NS_WSSE, "Security") && said != NULL && strcmp((const char *)said, role) == 0) {
            return n;
        }
    }
    return NULL;
}

bool wssec_header_is_ours(const xmlNode *security)
{
    const char *wsse = wssec_scope(security, "wsse");
    const char *wsu = wssec_scope(security, "wsu");
    return wsse != NULL && wsu != NULL && strcmp(wsse, WSSEC_NS_WSSE) == 0 && strcmp(wsu, WSSEC_NS_WSU) == 0;
}
