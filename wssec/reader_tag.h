/* SPDX-License-Identifier: Apache-2.0 */
/* reader_tag.h: the inside of the reader that its two files share: how it stops, tags, references. */
#ifndef WSSEC_READER_TAG_H
#define WSSEC_READER_TAG_H

#include "wssec/reader.h"

/** Stop with a reason and a word. @return NULL */
const uint8_t *wssec_reader_stop(struct wssec_reader *r, enum wssec_reason reason, const char *cause);
/** A start tag at lt ('<' and a name). @return behind it; lt: it does not end before end; NULL: stopped */
const uint8_t *wssec_reader_start_tag(struct wssec_reader *r, const uint8_t *lt, const uint8_t *end);
/** An end tag at lt ("</"), which closes the element in hand. @return as above */
const uint8_t *wssec_reader_end_tag(struct wssec_reader *r, const uint8_t *lt, const uint8_t *end);
/** Read the reference at p ('&'): one character, or one of the five names. @return behind its ';'; p: it does not end
 *  before end; NULL: not one, *point is not set */
const uint8_t *wssec_reader_reference(const uint8_t *p, const uint8_t *end, uint32_t *point);
/** Write a character as UTF-8. @return octets, at most 4 */
size_t wssec_reader_utf8(uint32_t point, uint8_t out[4]);

#endif
