/* SPDX-License-Identifier: Apache-2.0 */
/* coding.c: byte order mark, XML declaration, charset; UTF-16 and Latin-1 to UTF-8 and back. Strict: a doubt is a
 * refusal. */
#include "wssec/coding.h"

#include <string.h>
#include <strings.h>

#include "wssec/policy.h"
#include "wssec/run.h"

#define HEAD 512 /* a declaration is about 60 octets; one that does not end within these is refused */

/* What a witness names; UNKNOWN is an encoding outside the profile. */
enum named { SAID_NOTHING, SAID_UTF8, SAID_ASCII, SAID_UTF16, SAID_UTF16LE, SAID_UTF16BE, SAID_LATIN1, SAID_UNKNOWN };

static enum named name_of(const char *p, size_t n)
{
    static const struct {
        const char *name;
        enum named said;
    } names[] = {
        {"utf-8", SAID_UTF8},       {"utf8", SAID_UTF8},         {"us-ascii", SAID_ASCII},
        {"ascii", SAID_ASCII},      {"utf-16", SAID_UTF16},      {"utf-16le", SAID_UTF16LE},
        {"utf-16be", SAID_UTF16BE}, {"iso-8859-1", SAID_LATIN1}, {"latin1", SAID_LATIN1},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) == n && strncasecmp(names[i].name, p, n) == 0) {
            return names[i].said;
        }
    }
    return SAID_UNKNOWN;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Value of one parameter behind '=': a quoted string or everything up to ';'. @return behind it, NULL: a quote is open
 */
static const char *parameter_value(const char *p, const char **value, size_t *n)
{
    if (*p == '"') {
        *value = ++p;
        while (*p != '"') {
            if (*p == '\0' || (*p == '\\' && *++p == '\0')) {
                return NULL;
            }
            p++;
        }
        *n = (size_t)(p - *value);
        p++;
        return p + strcspn(p, ";");
    }
    *value = p;
    p += strcspn(p, ";");
    *n = (size_t)(p - *value);
    while (*n > 0 && is_space((*value)[*n - 1])) {
        (*n)--;
    }
    return p;
}

/* charset of a Content-Type. @return 0, or -1 with why */
static int charset_of(const char *content_type, enum named *said, struct wssec_refusal *why)
{
    *said = SAID_NOTHING;
    if (content_type == NULL) {
        return 0;
    }
    const char *p = content_type + strcspn(content_type, ";");
    while (*p == ';') {
        p++;
        while (is_space(*p)) {
            p++;
        }
        size_t name = strcspn(p, "=;");
        if (p[name] != '=') {
            p += name;
            continue;
        }
        const char *key = p;
        const char *value = NULL;
        size_t n = 0;
        p = parameter_value(p + name + 1, &value, &n);
        if (p == NULL) {
            return wssec_refuse(why, WSSEC_XML_ENCODING, "Content-Type has a quoted string without end");
        }
        if (name < 7 || strncasecmp(key, "charset", 7) != 0) {
            continue;
        }
        if (name != 7 || *said != SAID_NOTHING) { /* charset*=, charset*0=, "charset =", or twice: readers differ */
            return wssec_refuse(why, WSSEC_XML_ENCODING, "Content-Type names its charset twice or in an unusual form");
        }
        *said = name_of(value, n);
        if (*said == SAID_UNKNOWN) {
            return wssec_refuse(why, WSSEC_XML_ENCODING, "charset %.*s of Content-Type is not known",
                                (int)(n < 40 ? n : 40), value);
        }
    }
    return 0;
}

/* First octets of the text as one piece. */
static size_t gather(const struct wssec_slice *slice, size_t n_slice, size_t skip, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < n_slice && n < size; i++) {
        size_t from = skip < slice[i].n ? skip : slice[i].n;
        size_t take = slice[i].n - from < size - n ? slice[i].n - from : size - n;
        skip -= from;
        if (take != 0) {
            memcpy(out + n, slice[i].p + from, take);
            n += take;
        }
    }
    return n;
}

/* One pseudo attribute: S name Eq "value". @return behind it, p: none here, NULL: malformed */
static const char *pseudo(const char *p, const char *end, const char *name, const char **value, size_t *n)
{
    const char *q = p;
    while (q < end && is_space(*q)) {
        q++;
    }
    size_t len = strlen(name);
    if (q == p || (size_t)(end - q) < len || memcmp(q, name, len) != 0) {
        return p;
    }
    q += len;
    while (q < end && is_space(*q)) {
        q++;
    }
    if (q == end || *q++ != '=') {
        return NULL;
    }
    while (q < end && is_space(*q)) {
        q++;
    }
    if (q == end || (*q != '"' && *q != '\'')) {
        return NULL;
    }
    const char *stop = memchr(q + 1, *q, (size_t)(end - q - 1));
    if (stop == NULL) {
        return NULL;
    }
    *value = q + 1;
    *n = (size_t)(stop - q - 1);
    return stop + 1;
}

/* The XML declaration at the start of head. @return 0, or -1 with why */
static int declaration(const char *head, size_t n, enum named *said, struct wssec_refusal *why)
{
    *said = SAID_NOTHING;
    if (n < 6 || memcmp(head, "<?xml", 5) != 0 || !is_space(head[5])) {
        return 0;
    }
    const char *end = memmem(head, n, "?>", 2);
    const char *value = NULL;
    size_t len = 0;
    const char *p = end != NULL ? pseudo(head + 5, end, "version", &value, &len) : NULL;
    if (p == NULL || value == NULL) {
        return wssec_refuse(why, WSSEC_XML_MALFORMED, "line 1: the XML declaration cannot be read");
    }
    if (len != 3 || memcmp(value, "1.0", 3) != 0) {
        return wssec_refuse(why, WSSEC_XML_VERSION, "version %.*s is declared", (int)(len < 16 ? len : 16), value);
    }
    value = NULL;
    p = pseudo(p, end, "encoding", &value, &len);
    if (p != NULL && value != NULL) {
        *said = name_of(value, len);
        if (*said == SAID_UNKNOWN) {
            return wssec_refuse(why, WSSEC_XML_ENCODING, "the declared encoding %.*s is not known",
                                (int)(len < 40 ? len : 40), value);
        }
    }
    const char *standalone = NULL;
    p = p != NULL ? pseudo(p, end, "standalone", &standalone, &len) : NULL;
    while (p != NULL && p < end && is_space(*p)) {
        p++;
    }
    return p == end ? 0 : wssec_refuse(why, WSSEC_XML_MALFORMED, "line 1: the XML declaration cannot be read");
}

static bool fits(enum wssec_coding coding, enum named said)
{
    switch (said) {
    case SAID_NOTHING: return true;
    case SAID_UTF8:
    case SAID_ASCII: return coding == WSSEC_CODING_UTF8;
    case SAID_UTF16: return coding == WSSEC_CODING_UTF16LE || coding == WSSEC_CODING_UTF16BE;
    case SAID_UTF16LE: return coding == WSSEC_CODING_UTF16LE;
    case SAID_UTF16BE: return coding == WSSEC_CODING_UTF16BE;
    case SAID_LATIN1: return coding == WSSEC_CODING_LATIN1;
    case SAID_UNKNOWN: return false;
    }
    return false;
}

static void put_utf8(cs_buf *out, uint32_t c)
{
    char u[4];
    size_t n = 1;
    if (c < 0x80) {
        u[0] = (char)c;
    } else if (c < 0x800) {
        u[0] = (char)(0xC0 | (c >> 6));
        u[1] = (char)(0x80 | (c & 0x3F));
        n = 2;
    } else if (c < 0x10000) {
        u[0] = (char)(0xE0 | (c >> 12));
        u[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        u[2] = (char)(0x80 | (c & 0x3F));
        n = 3;
    } else {
        u[0] = (char)(0xF0 | (c >> 18));
        u[1] = (char)(0x80 | ((c >> 12) & 0x3F));
        u[2] = (char)(0x80 | ((c >> 6) & 0x3F));
        u[3] = (char)(0x80 | (c & 0x3F));
        n = 4;
    }
    (void)cs_buf_add(out, u, n); /* failure is sticky, looked at by the caller */
}

struct utf16 {
    int half;      /* first octet of a unit that a slice border cut, -1: none */
    uint32_t high; /* high surrogate that waits for its partner, 0: none */
};

/* One unit. @return 0, or -1: a surrogate without partner */
static int utf16_unit(struct utf16 *u, uint32_t unit, cs_buf *out)
{
    bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (low != (u->high != 0)) {
        return -1;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        u->high = unit;
        return 0;
    }
    put_utf8(out, low ? 0x10000 + ((u->high - 0xD800) << 10) + (unit - 0xDC00) : unit);
    u->high = 0;
    return 0;
}

static int from_utf16(const struct wssec_slice *slice, size_t n_slice, bool little, cs_buf *out,
                      struct wssec_refusal *why)
{
    struct utf16 u = {-1, 0};
    size_t skip = 2;
    for (size_t i = 0; i < n_slice; i++) {
        for (size_t k = 0; k < slice[i].n; k++) {
            uint32_t octet = slice[i].p[k];
            if (skip != 0) {
                skip--;
            } else if (u.half < 0) {
                u.half = (int)octet;
            } else {
                uint32_t first = (uint32_t)u.half;
                u.half = -1;
                if (utf16_unit(&u, little ? first | octet << 8 : first << 8 | octet, out) != 0) {
                    return wssec_refuse(why, WSSEC_XML_ENCODING, "UTF-16 with a surrogate that has no partner");
                }
            }
        }
    }
    if (u.half >= 0 || u.high != 0) {
        return wssec_refuse(why, WSSEC_XML_ENCODING, "UTF-16 that ends inside a character");
    }
    return 0;
}

static void from_latin1(const struct wssec_slice *slice, size_t n_slice, cs_buf *out)
{
    for (size_t i = 0; i < n_slice; i++) {
        for (size_t k = 0; k < slice[i].n; k++) {
            put_utf8(out, slice[i].p[k]);
        }
    }
}

static void byte_order_mark(const uint8_t *head, size_t n, struct wssec_coded *out)
{
    if (n >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0) {
        out->bom = 3;
    } else if (n >= 2 && head[0] == 0xFF && head[1] == 0xFE) {
        out->bom = 2;
        out->coding = WSSEC_CODING_UTF16LE;
    } else if (n >= 2 && head[0] == 0xFE && head[1] == 0xFF) {
        out->bom = 2;
        out->coding = WSSEC_CODING_UTF16BE;
    }
}

int wssec_decode(const struct wssec_slice *slice, size_t n_slice, const char *content_type, unsigned allowed,
                 struct wssec_coded *out, cs_buf *text, struct wssec_refusal *why)
{
    char head[HEAD];
    enum named charset = SAID_NOTHING;
    enum named declared = SAID_NOTHING;
    size_t n = gather(slice, n_slice, 0, head, 4);
    *out = (struct wssec_coded){WSSEC_CODING_UTF8, 0, false, false};
    cs_buf_reset(text);
    byte_order_mark((const uint8_t *)head, n, out);
    if (charset_of(content_type, &charset, why) != 0) {
        return WSSEC_RC_OK;
    }
    if (out->coding != WSSEC_CODING_UTF8) {
        if ((allowed & WSSEC_ENC_UTF16) == 0) {
            (void)wssec_refuse(why, WSSEC_XML_ENCODING, "the message is UTF-16, which encodings does not list");
            return WSSEC_RC_OK;
        }
        if (from_utf16(slice, n_slice, out->coding == WSSEC_CODING_UTF16LE, text, why) != 0) {
            return WSSEC_RC_OK;
        }
        out->transcoded = true;
        n = text->len < HEAD ? text->len : HEAD;
        if (n != 0) {
            memcpy(head, text->data, n);
        }
    } else {
        n = gather(slice, n_slice, out->bom, head, HEAD);
        if (n >= 2 && (head[0] == '\0' || head[1] == '\0')) {
            (void)wssec_refuse(why, WSSEC_XML_ENCODING, "UTF-16 or UTF-32 without byte order mark");
            return WSSEC_RC_OK;
        }
    }
    if (declaration(head, n, &declared, why) != 0) {
        return WSSEC_RC_OK;
    }
    if (declared == SAID_LATIN1 && out->bom == 0) {
        out->coding = WSSEC_CODING_LATIN1;
    }
    out->ascii_only = charset == SAID_ASCII || declared == SAID_ASCII;
    if (!fits(out->coding, declared) || !fits(out->coding, charset)) {
        (void)wssec_refuse(why, WSSEC_XML_ENCODING, "byte order mark, XML declaration and charset do not agree");
        return WSSEC_RC_OK;
    }
    if ((out->coding == WSSEC_CODING_LATIN1 && (allowed & WSSEC_ENC_LATIN1) == 0) ||
        (out->coding == WSSEC_CODING_UTF8 && (allowed & WSSEC_ENC_UTF8) == 0)) {
        (void)wssec_refuse(why, WSSEC_XML_ENCODING, "the message is %s, which encodings does not list",
                           out->coding == WSSEC_CODING_UTF8 ? "UTF-8" : "ISO-8859-1");
        return WSSEC_RC_OK;
    }
    if (out->coding == WSSEC_CODING_LATIN1) {
        from_latin1(slice, n_slice, text);
        out->transcoded = true;
    }
    return text->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

/* ---- octets -------------------------------------------------------------------------------------------------------
 */

/* Begin of a multi-octet character. @return false: no such lead octet */
static bool utf8_lead(struct wssec_octets *o, uint8_t c)
{
    if (c >= 0xC2 && c <= 0xDF) {
        o->follow = 1;
        o->point = c & 0x1F;
        o->least = 0x80;
    } else if (c >= 0xE0 && c <= 0xEF) {
        o->follow = 2;
        o->point = c & 0x0F;
        o->least = 0x800;
    } else if (c >= 0xF0 && c <= 0xF4) {
        o->follow = 3;
        o->point = c & 0x07;
        o->least = 0x10000;
    } else {
        return false;
    }
    return !o->ascii_only;
}

/* @return false: overlong, a surrogate, beyond Unicode, U+FFFE or U+FFFF, or no continuation octet */
static bool utf8_follow(struct wssec_octets *o, uint8_t c)
{
    if ((c & 0xC0) != 0x80) {
        return false;
    }
    o->point = o->point << 6 | (c & 0x3F);
    return --o->follow != 0 || (o->point >= o->least && o->point <= 0x10FFFF &&
                                (o->point < 0xD800 || o->point > 0xDFFF) && o->point != 0xFFFE && o->point != 0xFFFF);
}

enum wssec_reason wssec_octets_check(struct wssec_octets *o, const uint8_t *p, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n; i++) {
        if (o->follow == 0) {
            i += wssec_run_plain(p + i, n - i);
        }
        if (i >= n) {
            break;
        }
        uint8_t c = p[i];
        bool good = c >= 0x20 || c == '\t' || c == '\n' || c == '\r';
        if (o->follow != 0 || c >= 0x80) {
            good = o->follow != 0 ? utf8_follow(o, c) : utf8_lead(o, c);
            if (!good) {
                *bad = i;
                return WSSEC_XML_ENCODING;
            }
        } else if (!good) {
            *bad = i;
            return WSSEC_XML_MALFORMED;
        }
    }
    return WSSEC_OK;
}

/* ---- back to the coding of the message ----------------------------------------------------------------------------
 */

/* One character of valid UTF-8. @return octets used */
static size_t get_utf8(const uint8_t *p, size_t n, uint32_t *c)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    static const uint8_t mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    len = len <= n ? len : n;
    *c = p[0] & mask[len];
    for (size_t i = 1; i < len; i++) {
        *c = *c << 6 | (p[i] & 0x3F);
    }
    return len;
}

static void put_unit(cs_buf *out, uint32_t unit, bool little)
{
    char two[2] = {(char)(little ? unit & 0xFF : unit >> 8), (char)(little ? unit >> 8 : unit & 0xFF)};
    (void)cs_buf_add(out, two, 2);
}

int wssec_encode(enum wssec_coding coding, const char *text, size_t n, cs_buf *out)
{
    if (coding == WSSEC_CODING_UTF8) {
        return cs_buf_add(out, text, n);
    }
    for (size_t at = 0; at < n;) {
        uint32_t c = 0;
        at += get_utf8((const uint8_t *)text + at, n - at, &c);
        if (coding == WSSEC_CODING_LATIN1) {
            if (c > 0xFF) {
                return -1;
            }
            (void)cs_buf_addc(out, (char)c);
        } else if (c < 0x10000) {
            put_unit(out, c, coding == WSSEC_CODING_UTF16LE);
        } else {
            put_unit(out, 0xD800 + ((c - 0x10000) >> 10), coding == WSSEC_CODING_UTF16LE);
            put_unit(out, 0xDC00 + ((c - 0x10000) & 0x3FF), coding == WSSEC_CODING_UTF16LE);
        }
    }
    return out->failed ? -1 : 0;
}
