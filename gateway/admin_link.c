/* SPDX-License-Identifier: Apache-2.0 */
/* admin_link.c: see admin_link.h. A token is never logged and never shown; pages hold no more than the mail did. */
#include "gateway/admin_link.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/gateway_private.h"
#include "keystore/rollover.h"

#define BUSY_MS 2000 /* the admin thread answers probes, too */

static void add_text(cs_buf *b, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '<': cs_buf_adds(b, "&lt;"); break;
        case '>': cs_buf_adds(b, "&gt;"); break;
        case '&': cs_buf_adds(b, "&amp;"); break;
        case '"': cs_buf_adds(b, "&quot;"); break;
        default: cs_buf_addc(b, *p);
        }
    }
}

/* button: what it says; NULL: there is none */
static void page(cs_buf *b, const char *head, const char *text, const char *button)
{
    cs_buf_adds(b, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"referrer\" "
                   "content=\"no-referrer\"><title>countersign</title><h1>");
    add_text(b, head);
    cs_buf_adds(b, "</h1><p>");
    add_text(b, text);
    cs_buf_adds(b, "</p>");
    if (button != NULL) {
        cs_buf_addf(b, "<form method=\"post\"><button>%s</button></form>", button);
    }
    cs_buf_adds(b, "</html>\n");
}

static int show_step(ks_store *store, const char *token, cs_time now, cs_buf *body, cs_error *e)
{
    struct ks_rollover *r = NULL;
    size_t place = 0;
    cs_buf text = CS_BUF_INIT;
    int rc = ks_link_look(store, token, now, &r, &place, e);
    if (rc == 0 && place < r->runbook->n) {
        rc = ks_rollover_text(store, r, r->runbook->step[place].title, &text, e);
        cs_buf_adds(&text, ". ");
        rc = rc == 0 ? ks_rollover_text(store, r, r->runbook->step[place].text, &text, e) : rc;
    }
    if (rc == 0) {
        page(body, r->name, text.data, "It is done");
    }
    cs_buf_free(&text);
    ks_rollover_free(r);
    return rc;
}

static int close_step(ks_store *store, const char *token, cs_time now, cs_buf *body, cs_error *e)
{
    if (ks_link_use(store, token, now, e) != 0) {
        return -1;
    }
    page(body, "Thank you", "It is written down that this step is done.", NULL);
    return 0;
}

static int opt_out_page(const ks_opt_out *o, bool still, cs_buf *body)
{
    char text[KS_MAIL + KS_WORD + 64];
    snprintf(text, sizeof text,
             still ? "%s gets mails about the certificate %s." : "%s gets no more mails about the certificate %s.",
             o->mail, o->alias);
    page(body, "Mails about a certificate", text, still ? "No more of them" : NULL);
    return 0;
}

static int show_opt_out(ks_store *store, const char *token, cs_time now, cs_buf *body, cs_error *e)
{
    ks_opt_out o;
    (void)now;
    return ks_opt_out_look(store, token, &o, e) == 0 ? opt_out_page(&o, o.listed, body) : -1;
}

static int opt_out(ks_store *store, const char *token, cs_time now, cs_buf *body, cs_error *e)
{
    ks_opt_out o;
    return ks_opt_out_use(store, token, now, &o, e) == 0 ? opt_out_page(&o, false, body) : -1;
}

typedef int answer_link(ks_store *store, const char *token, cs_time now, cs_buf *body, cs_error *e);
static const struct link_row {
    const char *path;
    answer_link *show, *act;
} rows[] = {{KS_LINK_STEP, show_step, close_step}, {KS_LINK_OPT_OUT, show_opt_out, opt_out}};

static const struct link_row *row_of(const char *path)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strncmp(path, rows[i].path, strlen(rows[i].path)) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

bool admin_link_is(const char *path)
{
    return row_of(path) != NULL;
}

static int status_of(const cs_error *e)
{
    switch (e->exit_code) {
    case CS_EXIT_USAGE: return 404;
    case CS_EXIT_CONFLICT:
    case CS_EXIT_GUARD: return 409;
    default: return 503;
    }
}

int admin_link(struct gateway *gw, const char *path, bool sent, cs_buf *body)
{
    struct runtime *rt = gateway_runtime(gw);
    const struct gw_settings *s = rt->plan->settings;
    ks_options options = s->keystore;
    ks_store *store = NULL;
    cs_error e = {0};
    cs_time now = cs_clock_now();
    int rc = -1;
    options.busy_ms = BUSY_MS;
    if (s->config->admin.links == NULL) {
        cs_error_set(&e, CS_EXIT_USAGE, "link-unknown", "there are no links here");
    } else if (ks_open(&store, s->keystore_uri, &options, &e) == 0) {
        const struct link_row *row = row_of(path);
        rc = (sent ? row->act : row->show)(store, path + strlen(row->path), now, body, &e);
    }
    int status = rc == 0 ? 200 : status_of(&e);
    if (rc != 0) {
        page(body, "This link does nothing", status == 503 ? "Please try again later." : e.text, NULL);
    }
    ks_close(store);
    runtime_unref(rt);
    return status;
}
