/* SPDX-License-Identifier: Apache-2.0 */
/* text.h: hexadecimal, strict base64, bounded copies, UTF-8, nearest word for suggestions. */
#ifndef CS_BASE_TEXT_H
#define CS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Lower-case hexadecimal of n octets into out (2n+1). @return out */
char *cs_hex(const uint8_t *p, size_t n, char *out);
/** Read exactly n octets from 2n digits (either case). @return 0, or -1 */
int cs_unhex(const char *text, uint8_t *out, size_t n);
/** Octets that base64 text of n characters can decode to, at most. */
size_t cs_base64_decoded_max(size_t n);
/**
 * Strict base64 (RFC 4648 section 4, padding demanded, unused bits zero); XML white space (space, tab, CR, LF)
 * between characters is skipped, anything else refused. @return 0 and *outlen, or -1
 */
int cs_base64_decode(const char *text, size_t n, uint8_t *out, size_t outsize, size_t *outlen);
/** Base64 on one line, NUL-terminated, into out (4*((n+2)/3)+1). @return length without NUL */
size_t cs_base64_encode(const uint8_t *p, size_t n, char *out);
/** Copy at most size-1 octets of s and terminate. @return false: cut */
bool cs_copy(char *dst, size_t size, const char *s);
/** Octets of the well-formed UTF-8 sequence that n octets at p begin with (RFC 3629: no overlong form, no surrogate, at
 * most U+10FFFF), n > 0. @return 1..4, or 0: none */
size_t cs_utf8_length(const uint8_t *p, size_t n);
#define CS_FNV1A_BASIS UINT64_C(0xcbf29ce484222325)
/** FNV-1a (64 bits) of n octets, going on from hash, which CS_FNV1A_BASIS begins. Spreads; withstands nobody who means
 * it. */
uint64_t cs_fnv1a(uint64_t hash, const void *octets, size_t n);
/** The word of the NULL-terminated list nearest to s (edit distance at most 2 and below half its length), or NULL. */
const char *cs_nearest(const char *s, const char *const words[]);

#endif
