/* SPDX-License-Identifier: Apache-2.0 */
/* plain.c: see plain.h. */
#include "gateway/plain.h"

#include <string.h>
#include <strings.h>

static bool value_good(const char *v)
{
    return v[strspn(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

bool plain_request_allowed(const struct http1_head *h)
{
    const char *q = h->query;
    if (strcmp(h->method, "GET") != 0 || q == NULL || h->chunked || (h->has_length && h->length > 0)) {
        return false;
    }
    if (strcasecmp(q, "wsdl") == 0 || strcasecmp(q, "singlewsdl") == 0) {
        return true;
    }
    return (strncasecmp(q, "wsdl=", 5) == 0 && value_good(q + 5)) ||
           (strncasecmp(q, "xsd=", 4) == 0 && value_good(q + 4));
}

/* Media type of a Content-Type, parameters left aside. */
static bool type_is(const char *content_type, const char *type)
{
    size_t n = strlen(type);
    return content_type != NULL && strncasecmp(content_type, type, n) == 0 &&
           strchr("; \t", content_type[n]) != NULL; /* finds the NUL too */
}

bool plain_type_is_soap12(const char *content_type)
{
    return type_is(content_type, "application/soap+xml");
}

bool plain_type_is_soap(const char *content_type)
{
    return type_is(content_type, "text/xml") || type_is(content_type, "application/soap+xml") ||
           type_is(content_type, "multipart/related");
}

static bool type_is_description(const char *content_type)
{
    return type_is(content_type, "text/xml") || type_is(content_type, "application/xml") ||
           type_is(content_type, "application/wsdl+xml");
}

bool plain_reply_typed(const struct http1_head *h)
{
    return h->status == 200 && type_is_description(http1_field_value(h, "Content-Type"));
}

bool plain_root_allowed(const char *ns, const char *local)
{
    static const struct {
        const char *local, *ns;
    } roots[] = {{"definitions", "http://schemas.xmlsoap.org/wsdl/"},
                 {"description", "http://www.w3.org/ns/wsdl"},
                 {"schema", "http://www.w3.org/2001/XMLSchema"}};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        if (strcmp(local, roots[i].local) == 0 && strcmp(ns, roots[i].ns) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- SOAPAction ------------------------------------------------------------------------------------------------- */

/* A parameter of a media type, as written between the quotes. @return false: not there, or doubtful (*bad) */
static bool parameter(const char *type, const char *name, char *out, size_t size, bool *bad)
{
    const char *p = type;
    size_t n = strlen(name);
    bool found = false;
    while ((p = strchr(p, ';')) != NULL) {
        p += 1 + strspn(p + 1, " \t");
        bool mine = strncasecmp(p, name, n) == 0 && p[n] == '=';
        p += strcspn(p, ";=");
        if (*p != '=') {
            continue;
        }
        bool quoted = *++p == '"';
        size_t len = strcspn(p + quoted, quoted ? "\"" : "; \t");
        const char *value = p + quoted;
        p = value + len;
        if (quoted && *p++ != '"') {
            *bad = true; /* a quote without end */
            return false;
        }
        p += strspn(p, " \t");
        bool doubtful = (*p != ';' && *p != '\0') || memchr(value, quoted ? '\\' : '"', len) != NULL;
        if (doubtful || (mine && (found || len >= size))) {
            *bad = true;
            return false;
        }
        if (mine) {
            found = true;
            memcpy(out, value, len);
            out[len] = '\0';
        }
    }
    return found;
}

bool plain_soap_action(const char *header, const char *content_type, char out[PLAIN_ACTION])
{
    char other[PLAIN_ACTION] = "";
    bool bad = false;
    size_t n = header != NULL ? strlen(header) : 0;
    size_t quoted = n >= 2 && header[0] == '"' && header[n - 1] == '"';
    out[0] = '\0';
    if (n - 2 * quoted >= PLAIN_ACTION || (n > 0 && memchr(header + quoted, '"', n - 2 * quoted) != NULL)) {
        return false;
    }
    if (n > 0) {
        memcpy(out, header + quoted, n - 2 * quoted);
        out[n - 2 * quoted] = '\0';
    }
    if (plain_type_is_soap12(content_type)) {
        (void)parameter(content_type, "action", other, sizeof other, &bad);
    }
    if (bad || (out[0] != '\0' && other[0] != '\0' && strcmp(out, other) != 0)) {
        return false;
    }
    if (out[0] == '\0') {
        memcpy(out, other, sizeof other);
    }
    return true;
}

bool plain_action_names(const char *action, const char *ns, const char *local)
{
    size_t n = strlen(action);
    size_t n_local = strlen(local);
    if (n_local == 0 || n < n_local || strcmp(action + n - n_local, local) != 0) {
        return false;
    }
    size_t before = n - n_local;
    if (before == 0) {
        return true;
    }
    /* namespace and name, joined as stacks do it; a namespace may end in the separator itself */
    size_t n_ns = strlen(ns);
    bool separated = strchr("/#:", action[before - 1]) != NULL;
    return separated && n_ns > 0 && strncmp(action, ns, n_ns) == 0 && (before == n_ns || before == n_ns + 1);
}
