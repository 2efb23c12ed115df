/* SPDX-License-Identifier: Apache-2.0 */
/* text.c: hexadecimal, strict base64, bounded copies, UTF-8, nearest word. */
#include "base/text.h"

#include <string.h>

char *cs_hex(const uint8_t *p, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[p[i] >> 4];
        out[2 * i + 1] = digit[p[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int cs_unhex(const char *text, uint8_t *out, size_t n)
{
    if (strnlen(text, n > SIZE_MAX / 2 - 1 ? SIZE_MAX : 2 * n + 1) != 2 * n) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return -1;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

size_t cs_base64_decoded_max(size_t n)
{
    return n / 4 * 3 + 3;
}

/* Value + 1 of each digit; 0: none. */
static const uint8_t base64_digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static int base64_value(char c)
{
    return base64_digits[(uint8_t)c] - 1;
}

/* Whole groups of four digits, as far as they go. @return characters read; out has three octets for each four */
static size_t base64_groups(const char *text, size_t n, uint8_t *out, size_t room)
{
    size_t i = 0;
    for (; n - i >= 4 && room >= 3; i += 4, room -= 3) {
        uint32_t a = base64_digits[(uint8_t)text[i]];
        uint32_t b = base64_digits[(uint8_t)text[i + 1]];
        uint32_t c = base64_digits[(uint8_t)text[i + 2]];
        uint32_t d = base64_digits[(uint8_t)text[i + 3]];
        if (((a - 1) | (b - 1) | (c - 1) | (d - 1)) > 63) { /* of 0 that is the largest number */
            break;
        }
        uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *out++ = (uint8_t)(bits >> 16);
        *out++ = (uint8_t)(bits >> 8);
        *out++ = (uint8_t)bits;
    }
    return i;
}

/* A full group of four, pad of them '='. @return octets written, -1: unused bits set or no room */
static int base64_group(uint32_t bits, int pad, uint8_t *out, size_t room)
{
    int octets = 3 - pad;
    if ((size_t)octets > room || (pad == 1 && (bits & 0xff) != 0) || (pad == 2 && (bits & 0xffff) != 0)) {
        return -1;
    }
    for (int i = 0; i < octets; i++) {
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return octets;
}

int cs_base64_decode(const char *text, size_t n, uint8_t *out, size_t outsize, size_t *outlen)
{
    uint32_t bits = 0;
    int have = 0;
    int pad = 0;
    bool ended = false;
    size_t len = 0;
    *outlen = 0;
    for (size_t i = 0; i < n; i++) {
        if (have == 0 && !ended) {
            size_t read = base64_groups(text + i, n - i, out + len, outsize - len);
            i += read;
            len += read / 4 * 3;
            if (i == n) {
                break;
            }
        }
        char c = text[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            continue;
        }
        int value = c == '=' ? 0 : base64_value(c);
        /* nothing may follow the group with padding; '=' stands only in third or fourth place, and then to the end */
        if (value < 0 || ended || (c == '=' && have < 2) || (c != '=' && pad != 0)) {
            return -1;
        }
        pad += c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++have == 4) {
            int octets = base64_group(bits, pad, out + len, outsize - len);
            if (octets < 0) {
                return -1;
            }
            len += (size_t)octets;
            ended = pad != 0;
            bits = 0;
            have = 0;
        }
    }
    if (have != 0) {
        return -1;
    }
    *outlen = len;
    return 0;
}

size_t cs_base64_encode(const uint8_t *p, size_t n, char *out)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        out[len++] = digit[bits >> 18];
        out[len++] = digit[bits >> 12 & 63];
        out[len++] = left > 1 ? digit[bits >> 6 & 63] : '=';
        out[len++] = left > 2 ? digit[bits & 63] : '=';
    }
    out[len] = '\0';
    return len;
}

uint64_t cs_fnv1a(uint64_t hash, const void *octets, size_t n)
{
    const uint8_t *p = octets;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

bool cs_copy(char *dst, size_t size, const char *s)
{
    if (size == 0) {
        return false;
    }
    size_t n = strnlen(s, size);
    bool fits = n < size;
    if (!fits) {
        n = size - 1;
    }
    memcpy(dst, s, n);
    dst[n] = '\0';
    return fits;
}

size_t cs_utf8_length(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t from, to, low, high, length;
    } form[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        if (p[0] < form[i].from || p[0] > form[i].to) {
            continue;
        }
        if (form[i].length > n || (form[i].length > 1 && (p[1] < form[i].low || p[1] > form[i].high))) {
            return 0;
        }
        for (size_t k = 2; k < form[i].length; k++) {
            if ((p[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return form[i].length;
    }
    return 0;
}

#define NEAREST_MAX 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b; case does not count. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= nb; j++) {
        row[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3];
        const unsigned *last = row[(i - 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
                now[j] = least(now[j], row[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return row[na % 3][nb];
}

/** Which letters stand in it, as bits (some share one). An edit adds one letter at most, and takes one away. */
static uint64_t letters(const char *s, size_t n)
{
    uint64_t set = 0;
    for (size_t i = 0; i < n; i++) {
        set |= UINT64_C(1) << ((unsigned char)lower(s[i]) & 63);
    }
    return set;
}

const char *cs_nearest(const char *s, const char *const words[])
{
    const char *best = NULL;
    unsigned best_distance = 3;
    size_t n = strnlen(s, NEAREST_MAX + 1);
    if (n > NEAREST_MAX) {
        return NULL;
    }
    uint64_t have = letters(s, n);
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t m = strnlen(words[i], NEAREST_MAX + 1);
        /* most words are further away than the best one at first sight */
        if (m > NEAREST_MAX || m >= n + best_distance || n >= m + best_distance ||
            (unsigned)__builtin_popcountll(have ^ letters(words[i], m)) > 2 * (best_distance - 1)) {
            continue;
        }
        unsigned d = distance(s, n, words[i], m);
        if (d < best_distance && 2 * d < m) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}
