/* SPDX-License-Identifier: Apache-2.0 */
/* json.c: JSON writer. Strings of peers pass through here: control characters, lone octets and U+2028 are escaped. */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define DEPTH_MAX 31

void cs_json_begin(cs_json *j, cs_buf *out)
{
    j->out = out;
    j->depth = 0;
    j->filled = 0;
}

static void add_escaped(cs_buf *out, unsigned char c)
{
    static const char short_form[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof short_form; i += 2) {
        if ((unsigned char)short_form[i] == c) {
            cs_buf_addc(out, '\\');
            cs_buf_addc(out, short_form[i + 1]);
            return;
        }
    }
    cs_buf_addf(out, "\\u%04x", c);
}

/* U+2028 and U+2029 end a line for some readers of "one object per line" */
static bool is_line_separator(const unsigned char *p, size_t length)
{
    return length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
}

static void add_string(cs_buf *out, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    cs_buf_addc(out, '"');
    size_t plain = 0;
    size_t i = 0;
    while (i < n) {
        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') { /* nearly all of them */
            i++;
            continue;
        }
        size_t length = cs_utf8_length(p + i, n - i);
        bool separator = length != 0 && is_line_separator(p + i, length);
        if (length > 1 && !separator) {
            i += length;
            continue;
        }
        cs_buf_add(out, s + plain, i - plain);
        if (length == 0) {
            cs_buf_adds(out, "\xef\xbf\xbd");
            length = 1;
        } else if (separator) {
            cs_buf_adds(out, p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        } else {
            add_escaped(out, p[i]);
        }
        i += length;
        plain = i;
    }
    cs_buf_add(out, s + plain, n - plain);
    cs_buf_addc(out, '"');
}

/* What stands before any value: a comma when it is not the first, its key in an object. */
static void before(cs_json *j, const char *key)
{
    uint32_t bit = UINT32_C(1) << j->depth;
    if ((j->filled & bit) != 0 && j->depth != 0) {
        cs_buf_addc(j->out, ',');
    }
    j->filled |= bit;
    if (key != NULL) {
        add_string(j->out, key, strlen(key));
        cs_buf_addc(j->out, ':');
    }
}

static void open_level(cs_json *j, const char *key, char bracket)
{
    before(j, key);
    cs_buf_addc(j->out, bracket);
    if (j->depth == DEPTH_MAX) {
        j->out->failed = true; /* a programming error must not become wrong JSON */
        return;
    }
    j->depth++;
    j->filled &= ~(UINT32_C(1) << j->depth);
}

static void close_level(cs_json *j, char bracket)
{
    if (j->depth == 0) {
        j->out->failed = true;
        return;
    }
    j->depth--;
    cs_buf_addc(j->out, bracket);
}

void cs_json_object(cs_json *j, const char *key)
{
    open_level(j, key, '{');
}

void cs_json_object_end(cs_json *j)
{
    close_level(j, '}');
}

void cs_json_array(cs_json *j, const char *key)
{
    open_level(j, key, '[');
}

void cs_json_array_end(cs_json *j)
{
    close_level(j, ']');
}

void cs_json_strn(cs_json *j, const char *key, const char *value, size_t n)
{
    before(j, key);
    add_string(j->out, value, n);
}

void cs_json_str(cs_json *j, const char *key, const char *value)
{
    if (value == NULL) {
        cs_json_null(j, key);
        return;
    }
    cs_json_strn(j, key, value, strlen(value));
}

void cs_json_int(cs_json *j, const char *key, int64_t value)
{
    before(j, key);
    cs_buf_addf(j->out, "%" PRId64, value);
}

/* Ready-made JSON, trusted. */
static void raw(cs_json *j, const char *key, const char *json)
{
    before(j, key);
    cs_buf_adds(j->out, json);
}

void cs_json_bool(cs_json *j, const char *key, bool value)
{
    raw(j, key, value ? "true" : "false");
}

void cs_json_null(cs_json *j, const char *key)
{
    raw(j, key, "null");
}

void cs_json_time(cs_json *j, const char *key, cs_time t)
{
    char text[CS_TIME_TEXT];
    cs_json_str(j, key, t == 0 ? NULL : cs_time_format(t, text));
}

void cs_json_time_ms(cs_json *j, const char *key, int64_t ms)
{
    char text[CS_TIME_TEXT_MS];
    cs_json_str(j, key, cs_time_format_ms(ms, text));
}

void cs_json_hex(cs_json *j, const char *key, const uint8_t *p, size_t n)
{
    before(j, key);
    cs_buf_addc(j->out, '"');
    if (n <= SIZE_MAX / 4 && cs_buf_reserve(j->out, 2 * n) == 0) {
        cs_hex(p, n, j->out->data + j->out->len);
        j->out->len += 2 * n;
    } else {
        j->out->failed = true;
    }
    cs_buf_addc(j->out, '"');
}
