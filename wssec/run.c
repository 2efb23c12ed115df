/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: runs of octets, by eight, sixteen (SSE2) or sixty-four (AVX2) at a time. */
#include "wssec/run.h"

#include <string.h>

#if defined(__x86_64__) && defined(__SSE2__)
#include <immintrin.h>
#define WIDE    1
#define BY_AVX2 __attribute__((target("avx2")))
#else
#define WIDE 0
#endif

/* ---- any processor ------------------------------------------------------------------------------------------------
 */

static uint64_t eight(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static size_t plain_by_eight(const uint8_t *p, size_t n)
{
    static const uint64_t high = 0x8080808080808080u;
    static const uint64_t blank = 0x2020202020202020u;
    size_t i = 0;
    /* none with the top bit, none below 0x20 */
    while (n - i >= 8 && ((eight(p + i) | (eight(p + i) - blank)) & high) == 0) {
        i += 8;
    }
    return i;
}

static const uint8_t *text_by_one(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != '<' && *p != '>' && *p != '&' && *p != '\r') {
        p++;
    }
    return p;
}

static const uint8_t *value_by_one(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= 0x20 && *p != '"' && *p != '\'' && *p != '<' && *p != '&') {
        p++;
    }
    return p;
}

#if WIDE
/* ---- SSE2: every x86-64 --------------------------------------------------------------------------------------------
 */

static __m128i sixteen(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static size_t plain_by_sixteen(const uint8_t *p, size_t n)
{
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i lf = _mm_set1_epi8('\n');
    const __m128i cr = _mm_set1_epi8('\r');
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        __m128i x = sixteen(p + i);
        __m128i below = _mm_cmplt_epi8(x, space); /* signed: those with the top bit are below, too */
        __m128i good = _mm_or_si128(_mm_cmpeq_epi8(x, tab), _mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr)));
        if (_mm_movemask_epi8(_mm_andnot_si128(good, below)) != 0) {
            break;
        }
    }
    return i + plain_by_eight(p + i, n - i);
}

static const uint8_t *text_by_sixteen(const uint8_t *p, const uint8_t *end)
{
    const __m128i lt = _mm_set1_epi8('<');
    const __m128i gt = _mm_set1_epi8('>');
    const __m128i amp = _mm_set1_epi8('&');
    const __m128i cr = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i x = sixteen(p);
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, lt), _mm_cmpeq_epi8(x, gt)),
                                   _mm_or_si128(_mm_cmpeq_epi8(x, amp), _mm_cmpeq_epi8(x, cr)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
    }
    return text_by_one(p, end);
}

static const uint8_t *value_by_sixteen(const uint8_t *p, const uint8_t *end)
{
    const __m128i control = _mm_set1_epi8(0x1F);
    const __m128i one = _mm_set1_epi8(1);
    const __m128i amp_or_quote = _mm_set1_epi8('\''); /* these two differ in the last bit alone */
    const __m128i double_quote = _mm_set1_epi8('"');
    const __m128i lt = _mm_set1_epi8('<');
    for (; end - p >= 16; p += 16) {
        __m128i x = sixteen(p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, lt), _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, double_quote));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_or_si128(x, one), amp_or_quote));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
    }
    return value_by_one(p, end);
}

/* ---- AVX2 ----------------------------------------------------------------------------------------------------------
 * A set of ASCII characters no two of which share their lower four bits is one table: what the lower four bits of an
 * octet select equals the octet when it is of the set. The instruction gives 0 for octets with the top bit, and NONE
 * has the top bit: neither equals anything. */

#define NONE -1

BY_AVX2 static __m256i half(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

BY_AVX2 static __m256i of_set(__m256i set, __m256i x)
{
    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(set, x), x);
}

BY_AVX2 static size_t plain_by_64(const uint8_t *p, size_t n)
{
    const __m256i below = _mm256_set1_epi8(0x1F);
    const __m256i blanks = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, '\t', '\n', NONE, NONE, '\r', NONE, NONE));
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m256i a = half(p + i);
        __m256i b = half(p + i + 32);
        __m256i good_a = _mm256_or_si256(_mm256_cmpgt_epi8(a, below), of_set(blanks, a)); /* signed */
        __m256i good_b = _mm256_or_si256(_mm256_cmpgt_epi8(b, below), of_set(blanks, b));
        if (_mm256_movemask_epi8(_mm256_and_si256(good_a, good_b)) != -1) {
            break;
        }
    }
    return i + plain_by_sixteen(p + i, n - i);
}

/* One look for both: of the control characters only tab and line feed are of the set, of the others only those that are
 * written otherwise. So what is clean is either above the control characters or of the set, not both. */
BY_AVX2 static size_t clean_by_64(const uint8_t *p, size_t n)
{
    const __m256i below = _mm256_set1_epi8(0x1F);
    const __m256i set = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(NONE, NONE, NONE, NONE, NONE, NONE, '&', NONE, NONE, '\t', '\n', NONE, '<', NONE, '>', NONE));
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m256i a = half(p + i);
        __m256i b = half(p + i + 32);
        __m256i clean_a = _mm256_xor_si256(_mm256_cmpgt_epi8(a, below), of_set(set, a)); /* signed */
        __m256i clean_b = _mm256_xor_si256(_mm256_cmpgt_epi8(b, below), of_set(set, b));
        if (_mm256_movemask_epi8(_mm256_and_si256(clean_a, clean_b)) != -1) {
            break;
        }
    }
    return i;
}
#endif

/* ---- the best of them ----------------------------------------------------------------------------------------------
 */

size_t wssec_run_clean(const uint8_t *p, size_t n)
{
#if WIDE
    return n >= 64 && __builtin_cpu_supports("avx2") ? clean_by_64(p, n) : 0;
#else
    (void)p;
    (void)n;
    return 0;
#endif
}

size_t wssec_run_plain(const uint8_t *p, size_t n)
{
#if WIDE
    return n >= 64 && __builtin_cpu_supports("avx2") ? plain_by_64(p, n) : plain_by_sixteen(p, n);
#else
    return plain_by_eight(p, n);
#endif
}

const uint8_t *wssec_run_text(const uint8_t *p, const uint8_t *end)
{
#if WIDE
    return text_by_sixteen(p, end);
#else
    return text_by_one(p, end);
#endif
}

const uint8_t *wssec_run_value(const uint8_t *p, const uint8_t *end)
{
#if WIDE
    return value_by_sixteen(p, end);
#else
    return value_by_one(p, end);
#endif
}

const struct wssec_run_way *wssec_run_way(size_t n)
{
    static const struct wssec_run_way ways[] = {
        {"portable", NULL, plain_by_eight, text_by_one, value_by_one},
#if WIDE
        {"SSE2", NULL, plain_by_sixteen, text_by_sixteen, value_by_sixteen},
        {"AVX2", clean_by_64, plain_by_64, text_by_sixteen, value_by_sixteen}, /* last: not every processor has it */
#endif
    };
    size_t known = sizeof ways / sizeof ways[0];
#if WIDE
    known -= __builtin_cpu_supports("avx2") ? 0 : 1;
#endif
    return n < known ? &ways[n] : NULL;
}
