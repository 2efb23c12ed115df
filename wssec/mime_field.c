/* SPDX-License-Identifier: Apache-2.0 */
/* mime_field.c: header fields of MIME parts and the grammar of their values. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wssec/mime.h"

static bool is_token(char c)
{
    return c > ' ' && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* RFC 5322 ftext: anything visible but the colon. */
static bool is_name(char c)
{
    return c > ' ' && c < 127 && c != ':';
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t';
}

/* End of the field that begins at at: behind its last line. 0: a line has no CR LF, or octets that no line may have */
static size_t field_end(const char *text, size_t n, size_t at)
{
    while (at < n) {
        unsigned char c = (unsigned char)text[at];
        if (c == '\r' && at + 1 < n && text[at + 1] == '\n') {
            at += 2;
            if (at == n || !is_white(text[at])) {
                return at;
            }
            size_t line = at + strspn(text + at, " \t");
            if (line >= n || text[line] == '\r') {
                return 0; /* a line of white space: some readers take it for the end of the header */
            }
        } else if ((c < ' ' && c != '\t') || c == 127) {
            return 0;
        } else {
            at++;
        }
    }
    return 0;
}

/* Of the fields in front of a stored message most tell of its way, and may stand there as often as it pleased. */
static bool may_repeat(const struct wssec_mime_field *f)
{
    static const char content[] = "Content-";
    return (f->name_n < strlen(content) || strncasecmp(f->name, content, strlen(content)) != 0) &&
           !wssec_mime_is_field(f, "MIME-Version");
}

static int read_fields(const char *text, size_t n, bool front, struct wssec_mime_field field[WSSEC_MIME_FIELDS],
                       char detail[384])
{
    int count = 0;
    for (size_t at = 0; at < n;) {
        size_t to = field_end(text, n, at);
        size_t name = at;
        while (name < n && is_name(text[name])) {
            name++;
        }
        if (to == 0 || name == at || name >= to || text[name] != ':') {
            (void)snprintf(detail, 384, "line %d of a part's header is no field", count + 1);
            return -1;
        }
        if (count == WSSEC_MIME_FIELDS) {
            (void)snprintf(detail, 384, "a part's header has more than %d fields", WSSEC_MIME_FIELDS);
            return -1;
        }
        struct wssec_mime_field *f = &field[count++];
        *f = (struct wssec_mime_field){text + at, text + name + 1, name - at, to - 2 - (name + 1), at, to};
        while (f->value_n > 0 && strchr(" \t\r\n", f->value[0]) != NULL) {
            f->value++;
            f->value_n--;
        }
        while (f->value_n > 0 && is_white(f->value[f->value_n - 1])) {
            f->value_n--;
        }
        for (int i = 0; i + 1 < count && !(front && may_repeat(f)); i++) {
            if (field[i].name_n == f->name_n && strncasecmp(field[i].name, f->name, f->name_n) == 0) {
                (void)snprintf(detail, 384, "a part's header has the field %.*s twice",
                               (int)(f->name_n < 60 ? f->name_n : 60), f->name);
                return -1;
            }
        }
        at = to;
    }
    return count;
}

int wssec_mime_fields(const char *text, size_t n, struct wssec_mime_field field[WSSEC_MIME_FIELDS], char detail[384])
{
    return read_fields(text, n, false, field, detail);
}

int wssec_mime_front_fields(const char *text, size_t n, struct wssec_mime_field field[WSSEC_MIME_FIELDS],
                            char detail[384])
{
    return read_fields(text, n, true, field, detail);
}

bool wssec_mime_is_field(const struct wssec_mime_field *f, const char *name)
{
    return strlen(name) == f->name_n && strncasecmp(name, f->name, f->name_n) == 0;
}

char *wssec_mime_unfold(struct wssec_arena *arena, const struct wssec_mime_field *f)
{
    char *out = wssec_arena_text(arena, f->value, f->value_n);
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < f->value_n; i++) {
        if (f->value[i] != '\r' && f->value[i] != '\n') {
            out[n++] = f->value[i];
        }
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}

/* ---- values --------------------------------------------------------------------------------------------------------
 */

struct taking {
    struct wssec_arena *arena;
    const char *p;
};

static void skip_white(struct taking *t)
{
    t->p += strspn(t->p, " \t");
}

/* A token, or tokens with slashes between. NULL: there is none, or no memory (*none false) */
static char *take_token(struct taking *t, bool slashes, bool *none)
{
    size_t n = 0;
    while (is_token(t->p[n]) || (slashes && t->p[n] == '/')) {
        n++;
    }
    *none = n == 0;
    char *out = n > 0 ? wssec_arena_text(t->arena, t->p, n) : NULL;
    t->p += n;
    return out;
}

static void lower(char *s)
{
    for (; *s != '\0'; s++) {
        *s = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
    }
}

/* What stands between double quotes. @return 1, 0, -1 as wssec_mime_value_read */
static int take_quoted(struct taking *t, struct wssec_mime_parameter *out)
{
    char *text = wssec_arena_text(t->arena, t->p, strlen(t->p));
    size_t n = 0;
    if (text == NULL) {
        return -1;
    }
    for (t->p++; *t->p != '"'; t->p++) {
        if (*t->p == '\\') {
            t->p++;
        }
        if (*t->p == '\0' || ((unsigned char)*t->p < ' ' && *t->p != '\t')) {
            return 0;
        }
        text[n++] = *t->p;
    }
    t->p++;
    text[n] = '\0';
    out->value = text;
    out->value_n = n;
    return 1;
}

static int take_parameter(struct taking *t, struct wssec_mime_parameter *out)
{
    bool none = false;
    skip_white(t);
    char *name = take_token(t, false, &none);
    if (name == NULL) {
        return none ? 0 : -1;
    }
    lower(name);
    out->name = name;
    skip_white(t);
    if (*t->p != '=' || strchr(name, '*') != NULL) {
        return 0;
    }
    t->p++;
    skip_white(t);
    if (*t->p == '"') {
        return take_quoted(t, out);
    }
    /* A media type as bare value (type=text/xml) is no token, but common and read by everybody alike. */
    out->value = take_token(t, true, &none);
    out->value_n = out->value != NULL ? strlen(out->value) : 0;
    return out->value != NULL ? 1 : none ? 0 : -1;
}

int wssec_mime_value_read(struct wssec_arena *arena, const char *text, struct wssec_mime_value *out)
{
    struct taking t = {arena, text};
    bool none = false;
    memset(out, 0, sizeof *out);
    skip_white(&t);
    char *word = take_token(&t, true, &none);
    if (word == NULL) {
        return none ? 0 : -1;
    }
    lower(word);
    out->word = word;
    for (skip_white(&t); *t.p == ';'; skip_white(&t)) {
        struct wssec_mime_parameter *p = &out->parameter[out->n_parameter];
        t.p++;
        int rc = out->n_parameter < WSSEC_MIME_PARAMETERS ? take_parameter(&t, p) : 0;
        if (rc != 1) {
            return rc;
        }
        if (wssec_mime_parameter(out, p->name) != NULL) {
            return 0;
        }
        out->n_parameter++;
    }
    return *t.p == '\0' ? 1 : 0;
}

const char *wssec_mime_parameter(const struct wssec_mime_value *v, const char *name)
{
    for (size_t i = 0; i < v->n_parameter; i++) {
        if (strcmp(v->parameter[i].name, name) == 0) {
            return v->parameter[i].value;
        }
    }
    return NULL;
}
