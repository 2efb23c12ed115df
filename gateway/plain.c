/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain.c: see plain.h. The root of a service description is named by a scan of the first octets that understands only
 * what every XML parser understands alike: UTF-8 without DTD; whatever else it meets, the reply does not pass.
 */
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

/* ---- the root element ------------------------------------------------------------------------------------------ */

struct scan {
    const char *p, *end;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && blank(*s->p)) {
        s->p++;
    }
}

static bool skip_over(struct scan *s, const char *what)
{
    size_t n = strlen(what);
    const char *at = memmem(s->p, (size_t)(s->end - s->p), what, n);
    if (at == NULL) {
        return false;
    }
    s->p = at + n;
    return true;
}

static bool begins(const struct scan *s, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(s->end - s->p) >= n && memcmp(s->p, what, n) == 0;
}

/* Stand on the start tag of the root. */
static bool find_root(struct scan *s)
{
    if (begins(s, "\xef\xbb\xbf")) {
        s->p += 3;
    }
    for (;;) {
        skip_blanks(s);
        if (begins(s, "<!--") ? !skip_over(s, "-->") : begins(s, "<?") ? !skip_over(s, "?>") : true) {
            break;
        }
    }
    return begins(s, "<") && !begins(s, "<!") && !begins(s, "<?");
}

static bool name_octet(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static size_t name_length(const struct scan *s)
{
    size_t n = 0;
    while (s->p + n < s->end && name_octet((unsigned char)s->p[n])) {
        n++;
    }
    return n;
}

static bool same(const char *a, size_t n, const char *b)
{
    return strlen(b) == n && memcmp(a, b, n) == 0;
}

/* Next attribute of the start tag. @return false: the tag ends here, or is not understood */
static bool next_attribute(struct scan *s, const char **name, size_t *name_n, const char **value, size_t *value_n)
{
    skip_blanks(s);
    *name = s->p;
    while (s->p < s->end && !blank(*s->p) && strchr("=/>\"'<", *s->p) == NULL) {
        s->p++;
    }
    *name_n = (size_t)(s->p - *name);
    skip_blanks(s);
    if (*name_n == 0 || s->p == s->end || *s->p++ != '=') {
        return false;
    }
    skip_blanks(s);
    if (s->p == s->end || (*s->p != '"' && *s->p != '\'')) {
        return false;
    }
    char quote = *s->p++;
    *value = s->p;
    const char *close = memchr(s->p, quote, (size_t)(s->end - s->p));
    if (close == NULL) {
        return false;
    }
    *value_n = (size_t)(close - s->p);
    s->p = close + 1;
    return true;
}

static bool root_is_description(struct scan s)
{
    static const struct {
        const char *local, *space;
    } roots[] = {{"definitions", "http://schemas.xmlsoap.org/wsdl/"},
                 {"description", "http://www.w3.org/ns/wsdl"},
                 {"schema", "http://www.w3.org/2001/XMLSchema"}};
    if (!find_root(&s)) {
        return false;
    }
    s.p++;
    const char *prefix = s.p;
    size_t prefix_n = name_length(&s);
    s.p += prefix_n;
    const char *local = prefix;
    size_t local_n = prefix_n;
    if (s.p < s.end && *s.p == ':') {
        s.p++;
        local = s.p;
        local_n = name_length(&s);
        s.p += local_n;
    } else {
        prefix_n = 0;
    }
    const char *name;
    const char *value;
    size_t name_n;
    size_t value_n;
    while (next_attribute(&s, &name, &name_n, &value, &value_n)) {
        bool binds = prefix_n == 0 ? same(name, name_n, "xmlns")
                                   : name_n == prefix_n + 6 && memcmp(name, "xmlns:", 6) == 0 &&
                                         memcmp(name + 6, prefix, prefix_n) == 0;
        for (size_t i = 0; binds && i < sizeof roots / sizeof roots[0]; i++) {
            if (same(local, local_n, roots[i].local) && same(value, value_n, roots[i].space)) {
                return true;
            }
        }
    }
    return false;
}

bool plain_reply_allowed(const struct http1_head *h, const struct body *body)
{
    if (h->status != 200 || body->first == NULL || !type_is_description(http1_field_value(h, "Content-Type"))) {
        return false;
    }
    return root_is_description((struct scan){body->first->data, body->first->data + body->first->n});
}
