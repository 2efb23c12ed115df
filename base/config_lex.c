/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_lex.c: octets of a configuration file to tokens. A '#' begins a comment only where a token may begin, so that
 * "acme-sign#1" stays one word. Strings end on their line: a forgotten quote is named where it stands.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/config_tree.h"

void conf_lexer_init(struct conf_lexer *x, struct cs_conf *tree, struct cs_conf_report *report, const char *file,
                     const char *text, size_t n)
{
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark, as some editors leave it */
    if (n >= 3 && memcmp(text, mark, 3) == 0) {
        text += 3;
        n -= 3;
    }
    *x = (struct conf_lexer){tree, report, file, text, text + n, text, 1, 1};
}

/* Line and column (characters, not octets) of p, which is never before the place asked for last. */
static struct conf_place place(struct conf_lexer *x, const char *p)
{
    for (; x->counted < p; x->counted++) {
        x->column += ((unsigned char)*x->counted & 0xc0) != 0x80;
    }
    return (struct conf_place){x->file, x->line, x->column};
}

static void next_line(struct conf_lexer *x)
{
    x->line++;
    x->counted = x->p + 1;
    x->column = 1;
}

static struct conf_token token(enum conf_kind kind, const char *text, struct conf_place at)
{
    return (struct conf_token){kind, text, at};
}

static struct conf_token no_memory(struct conf_lexer *x, struct conf_place at)
{
    conf_error_at(x->report, at, "out of memory");
    x->p = x->end;
    return token(CONF_BAD, NULL, at);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_mark(char c)
{
    return c == ';' || c == '{' || c == '}';
}

static void skip_blanks(struct conf_lexer *x)
{
    while (x->p < x->end) {
        if (*x->p == '\n') {
            next_line(x);
        } else if (*x->p == '#') {
            const char *eol = memchr(x->p, '\n', (size_t)(x->end - x->p));
            x->p = eol != NULL ? eol : x->end;
            continue;
        } else if (!is_blank(*x->p)) {
            return;
        }
        x->p++;
    }
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && !is_blank(c)) || c == 0x7f;
}

/* Behind a token that is none: go on at what ends the line, most likely the end of the statement. */
static void skip_line(struct conf_lexer *x)
{
    const char *eol = memchr(x->p, '\n', (size_t)(x->end - x->p));
    const char *last = eol != NULL ? eol : x->end;
    while (last > x->p && is_blank(last[-1])) {
        last--;
    }
    x->p = last > x->p && is_mark(last[-1]) ? last - 1 : last;
}

/* Octets that no text has: the rest of the file is not looked at. */
static void not_text(struct conf_lexer *x)
{
    conf_error_at(x->report, place(x, x->p), "octet 0x%02x: not a text file", (unsigned)(unsigned char)*x->p);
    x->p = x->end;
}

/* A string in quotes; '\' stands before a quote or another '\', nowhere else. */
static struct conf_token string(struct conf_lexer *x)
{
    struct conf_place at = place(x, x->p);
    char quote = *x->p++;
    const char *start = x->p;
    cs_buf text = CS_BUF_INIT;
    struct conf_token t = token(CONF_BAD, NULL, at);
    while (x->p < x->end && *x->p != quote) {
        if (*x->p == '\n') {
            break;
        }
        if (is_control(*x->p)) {
            not_text(x);
            goto out;
        }
        if (*x->p == '\\') {
            x->p++;
            if (x->p == x->end || (*x->p != '\\' && *x->p != '"' && *x->p != '\'')) {
                conf_error_at(x->report, place(x, x->p - 1),
                              "a backslash stands only before a quote or a backslash; write \\\\");
                skip_line(x);
                goto out;
            }
        }
        cs_buf_addc(&text, *x->p++);
    }
    if (x->p == x->end || *x->p == '\n') {
        conf_error_at(x->report, at, "the string is not closed on its line; a %c is missing", quote);
        x->p = start;
        skip_line(x);
        goto out;
    }
    x->p++;
    if (x->p < x->end && !is_blank(*x->p) && !is_mark(*x->p)) {
        conf_error_at(x->report, place(x, x->p), "a blank or ';' is missing behind the string");
        skip_line(x);
        goto out;
    }
    const char *copy = text.failed ? NULL : conf_text(x->tree, text.data, text.len);
    t = copy == NULL ? no_memory(x, at) : token(CONF_STRING, copy, at);
out:
    cs_buf_free(&text);
    return t;
}

static struct conf_token word(struct conf_lexer *x)
{
    struct conf_place at = place(x, x->p);
    const char *start = x->p;
    while (x->p < x->end && !is_blank(*x->p) && !is_mark(*x->p)) {
        if (is_control(*x->p)) {
            not_text(x);
            return token(CONF_BAD, NULL, at);
        }
        if (*x->p == '"') {
            conf_error_at(x->report, place(x, x->p), "a quote inside a word; quote the whole of it");
            skip_line(x);
            return token(CONF_BAD, NULL, at);
        }
        x->p++;
    }
    const char *copy = conf_text(x->tree, start, (size_t)(x->p - start));
    return copy == NULL ? no_memory(x, at) : token(CONF_WORD, copy, at);
}

struct conf_token conf_next(struct conf_lexer *x)
{
    skip_blanks(x);
    if (x->p == x->end) {
        return token(CONF_END, NULL, place(x, x->p));
    }
    if (is_mark(*x->p)) {
        struct conf_place at = place(x, x->p);
        char c = *x->p++;
        return token(c == ';' ? CONF_END_STATEMENT : c == '{' ? CONF_OPEN : CONF_CLOSE, NULL, at);
    }
    return *x->p == '"' || *x->p == '\'' ? string(x) : word(x);
}
