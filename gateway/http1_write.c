/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_write.c: heads that we send, rebuilt from typed fields (rules 16, 18). Raw lines are never copied, fields of
 * the connection stay here, and the length is always ours, so the ambiguity that smuggling needs cannot be written.
 */
#include <string.h>

#include "gateway/http1_private.h"

static const struct {
    int status;
    const char *text;
} status_text[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http1_status_text(int status)
{
    for (size_t i = 0; i < sizeof status_text / sizeof *status_text; i++) {
        if (status_text[i].status == status) {
            return status_text[i].text;
        }
    }
    return "";
}

/* Field names as a CGI-like receiver sees them: any case, '_' is '-'. */
static bool alike(const char *a, size_t a_n, const char *b)
{
    size_t b_n = strlen(b);
    if (a_n != b_n) {
        return false;
    }
    for (size_t i = 0; i < a_n; i++) {
        char x = a[i] == '_' ? '-' : a[i];
        char y = b[i] == '_' ? '-' : b[i];
        if (x != y && strncasecmp(&x, &y, 1) != 0) {
            return false;
        }
    }
    return true;
}

static bool in_extra(const struct http1_field *f, const struct http1_extra *extra, size_t n_extra)
{
    for (size_t i = 0; i < n_extra; i++) {
        if (alike(f->name, f->name_n, extra[i].name)) {
            return true;
        }
    }
    return false;
}

static bool named_in_connection(const struct http1_head *in, const struct http1_field *f)
{
    for (size_t i = 0; i < in->n_field; i++) {
        const struct http1_field *c = &in->field[i];
        if (c->known == HTTP1_F_CONNECTION && http1_list_has(c->value, c->value_n, f->name, f->name_n)) {
            return true;
        }
    }
    return false;
}

/* Our own fields: a value that could end its line is refused, whatever made it. @return 0, -1 */
static int add_extra(cs_buf *out, const struct http1_extra *extra, size_t n_extra)
{
    for (size_t i = 0; i < n_extra; i++) {
        const char *name = extra[i].name;
        const char *value = extra[i].value;
        if (name[0] == '\0') {
            return -1;
        }
        for (size_t k = 0; name[k] != '\0'; k++) {
            if (!http1_is(name[k], HTTP1_TOKEN)) {
                return -1;
            }
        }
        for (size_t k = 0; value[k] != '\0'; k++) {
            if (!http1_is(value[k], HTTP1_VALUE)) {
                return -1;
            }
        }
        cs_buf_adds(out, name);
        cs_buf_add(out, ": ", 2);
        cs_buf_adds(out, value);
        cs_buf_add(out, "\r\n", 2);
    }
    return out->failed ? -1 : 0;
}

static void add_fields(cs_buf *out, const struct http1_head *in, unsigned drop, const struct http1_extra *extra,
                       size_t n_extra)
{
    bool connection = false;
    for (size_t i = 0; i < in->n_field; i++) {
        connection |= in->field[i].known == HTTP1_F_CONNECTION;
    }
    for (size_t i = 0; i < in->n_field; i++) {
        const struct http1_field *f = &in->field[i];
        if ((http1_known_flags(f->known) & drop) != 0 || in_extra(f, extra, n_extra) ||
            (connection && named_in_connection(in, f))) {
            continue;
        }
        cs_buf_add(out, f->name, f->name_n);
        cs_buf_add(out, ": ", 2);
        cs_buf_add(out, f->value, f->value_n);
        cs_buf_add(out, "\r\n", 2);
    }
}

static void add_length(cs_buf *out, uint64_t n)
{
    cs_buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)n);
}

static int finish(cs_buf *out)
{
    cs_buf_add(out, "\r\n", 2);
    return out->failed ? -1 : 0;
}

int http1_write_request(cs_buf *out, const struct http1_head *in, const char *target, const char *host, uint64_t body_n,
                        bool has_body, const struct http1_extra *extra, size_t n_extra)
{
    const struct http1_extra own = {"Host", host};
    cs_buf_adds(out, in->method);
    cs_buf_addc(out, ' ');
    cs_buf_adds(out, target);
    cs_buf_adds(out, " HTTP/1.1\r\n");
    if (add_extra(out, &own, 1) != 0) {
        return -1;
    }
    add_fields(out, in, HTTP1_NOT_UP, extra, n_extra);
    if (add_extra(out, extra, n_extra) != 0) {
        return -1;
    }
    if (has_body) {
        add_length(out, body_n);
    }
    return finish(out);
}

static void add_status_line(cs_buf *out, int status)
{
    cs_buf_addf(out, "HTTP/1.1 %d %s\r\n", status, http1_status_text(status));
}

int http1_write_response(cs_buf *out, const struct http1_head *in, uint64_t body_n, bool close,
                         const struct http1_extra *extra, size_t n_extra)
{
    add_status_line(out, in->status);
    add_fields(out, in, HTTP1_NOT_DOWN, extra, n_extra);
    if (add_extra(out, extra, n_extra) != 0) {
        return -1;
    }
    if (in->status != 204 && in->status != 304) {
        add_length(out, body_n);
    }
    if (close) {
        cs_buf_adds(out, "Connection: close\r\n");
    }
    return finish(out);
}

int http1_write_plain(cs_buf *out, const struct http1_plain *p)
{
    const struct http1_extra type = {"Content-Type", p->type};
    add_status_line(out, p->status);
    if ((p->type != NULL && add_extra(out, &type, 1) != 0) || add_extra(out, p->extra, p->n_extra) != 0) {
        return -1;
    }
    if (p->status >= 200 && p->status != 204 && p->status != 304) {
        add_length(out, p->n);
    }
    if (p->close) {
        cs_buf_adds(out, "Connection: close\r\n");
    }
    if (finish(out) != 0) {
        return -1;
    }
    return p->head_only ? 0 : cs_buf_add(out, p->body, p->n);
}
