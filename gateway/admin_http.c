/* SPDX-License-Identifier: Apache-2.0 */
/* admin_http.c: probes and metrics over HTTP, read by the same strict layer as traffic. */
#include <stdio.h>
#include <string.h>

#include "gateway/admin_link.h"
#include "gateway/admin_private.h"
#include "gateway/status.h"

struct answer {
    int status;
    const char *type;
    cs_buf body;
};

static void get_livez(struct admin *admin, struct answer *a)
{
    bool alive = status_alive(admin->gateway);
    a->status = alive ? 200 : 503;
    cs_buf_adds(&a->body, alive ? "{\"alive\":true}\n" : "{\"alive\":false}\n");
}

static void get_readyz(struct admin *admin, struct answer *a)
{
    a->status = status_ready(admin->gateway, &a->body) ? 200 : 503;
    cs_buf_addc(&a->body, '\n');
}

static void get_metrics(struct admin *admin, struct answer *a)
{
    a->status = 200;
    metrics_write(admin->metrics, &a->body);
}

static const struct page {
    const char *path;
    const char *type;
    void (*get)(struct admin *admin, struct answer *a);
} pages[] = {
    {"/livez", "application/json", get_livez},
    {"/readyz", "application/json", get_readyz},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", get_metrics},
};

static void answer_request(struct admin_conn *c, const struct http1_head *h)
{
    struct answer a = {404, "text/plain; charset=us-ascii", CS_BUF_INIT};
    static const struct http1_extra extra[] = {{"Allow", "GET, HEAD"}, {"Cache-Control", "no-store"}};
    bool head_only = strcmp(h->method, "HEAD") == 0;
    bool close = !h->keep_alive || c->ended || admin_tls_retired(c);
    bool link = c->kind == ADMIN_HTTP && admin_link_is(h->path);
    bool sent = link && strcmp(h->method, "POST") == 0;
    if (link && (sent || strcmp(h->method, "GET") == 0)) {
        a.type = "text/html; charset=utf-8";
        a.status = admin_link(c->admin->gateway, h->path, sent, &a.body);
    } else if (!head_only && strcmp(h->method, "GET") != 0) {
        a.status = 405;
    }
    for (size_t i = 0; a.status == 404 && i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(pages[i].path, h->path) == 0) {
            a.type = pages[i].type;
            pages[i].get(c->admin, &a);
        }
    }
    if (a.body.len == 0) {
        cs_buf_addf(&a.body, "%d %s\n", a.status, http1_status_text(a.status));
    }
    c->last = close;
    const struct http1_plain reply = {.status = a.status,
                                      .type = a.type,
                                      .body = a.body.data,
                                      .n = a.body.len,
                                      .close = close,
                                      .head_only = head_only,
                                      .extra = a.status == 405 ? extra : extra + 1,
                                      .n_extra = a.status == 405 ? 2 : 1};
    if (a.body.failed || http1_write_plain(&c->out, &reply) != 0) {
        conn_close(&c->conn);
    } else {
        admin_send(c);
    }
    cs_buf_free(&a.body);
}

static void answer_malformed(struct admin_conn *c)
{
    char text[64];
    int status = http1_failure(c->parser)->status;
    int n = snprintf(text, sizeof text, "%d %s\n", status, http1_status_text(status));
    c->last = true;
    const struct http1_plain reply = {
        .status = status, .type = "text/plain; charset=us-ascii", .body = text, .n = (size_t)n, .close = true};
    if (http1_write_plain(&c->out, &reply) != 0) {
        conn_close(&c->conn);
    } else {
        admin_send(c);
    }
}

bool admin_http_step(struct admin_conn *c)
{
    size_t used = 0;
    const char *body = NULL;
    size_t body_n = 0;
    if (c->last) {
        return false;
    }
    enum http1_event e = http1_feed(c->parser, c->in.data, c->in.len, &used, &body, &body_n);
    if (used > 0) {
        memmove(c->in.data, c->in.data + used, c->in.len - used);
        c->in.len -= used;
    }
    if (e == HTTP1_DONE && !admin_tls_welcome(c)) {
        conn_close(&c->conn);
    } else if (e == HTTP1_DONE) {
        answer_request(c, http1_head(c->parser));
        http1_next(c->parser);
    } else if (e == HTTP1_ERROR) {
        answer_malformed(c);
    }
    return e != HTTP1_MORE;
}
