/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c: the first cause of a refusal, and the steps for `verify --explain`. */
#include "wssec/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void plain(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
        }
    }
}

int wssec_refuse(struct wssec_refusal *r, enum wssec_reason reason, const char *fmt, ...)
{
    if (r->reason == WSSEC_OK) {
        va_list ap;
        va_start(ap, fmt);
        r->reason = reason;
        if (vsnprintf(r->detail, sizeof r->detail, fmt, ap) < 0) {
            r->detail[0] = '\0';
        }
        va_end(ap);
        plain(r->detail);
    }
    return -1;
}

void wssec_part_show(char *to, size_t size, const char *name, size_t n)
{
    static const char begin[] = "{...";
    size_t room = size - 1;
    size_t kept = n;
    if (n > room && name[0] == '{' && room > sizeof begin) {
        kept = room - strlen(begin);
        while (kept > 0 && ((unsigned char)name[n - kept] & 0xC0) == 0x80) { /* no half of a character */
            kept--;
        }
    } else if (n > room) {
        n = kept = room;
    }
    (void)snprintf(to, size, "%s%.*s", kept < n ? begin : "", (int)kept, name + n - kept);
}

void wssec_refusal_show(const struct wssec_refusal *r, int rc, struct wssec_verdict *v)
{
    v->reason = rc == WSSEC_RC_NOMEM ? WSSEC_OUT_OF_MEMORY : rc != WSSEC_RC_OK ? WSSEC_INTERNAL : r->reason;
    (void)cs_copy(v->detail, sizeof v->detail, r->detail);
    switch (v->reason) {
    case WSSEC_OK: v->verdict = WSSEC_PASS; break;
    case WSSEC_OUT_OF_MEMORY:
    case WSSEC_INTERNAL:
    case WSSEC_ENGINE_DISAGREEMENT: v->verdict = WSSEC_ERROR; break;
    default: v->verdict = WSSEC_FAIL; break;
    }
}

void wssec_explain_add(struct wssec_explain *x, const char *step, bool ok, const char *fmt, ...)
{
    if (x == NULL) {
        return;
    }
    if (x->n == x->cap) {
        size_t cap = x->cap == 0 ? 16 : x->cap * 2;
        struct wssec_explain_step *more = realloc(x->step, cap * sizeof *more);
        if (more == NULL) {
            return; /* an explanation may be short; the verdict does not depend on it */
        }
        x->step = more;
        x->cap = cap;
    }
    struct wssec_explain_step *s = &x->step[x->n++];
    va_list ap;
    va_start(ap, fmt);
    snprintf(s->step, sizeof s->step, "%s", step);
    s->ok = ok;
    if (vsnprintf(s->text, sizeof s->text, fmt, ap) < 0) {
        s->text[0] = '\0';
    }
    va_end(ap);
    plain(s->text);
}

void wssec_explain_free(struct wssec_explain *e)
{
    if (e != NULL) {
        free(e->step);
        e->step = NULL;
        e->n = 0;
        e->cap = 0;
    }
}
