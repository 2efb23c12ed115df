/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h: JSON writer over cs_buf (RFC 8259), for result records, logs and listings. Writes what it is told in order;
 * commas and nesting are kept by the writer. Invalid UTF-8 becomes U+FFFD, so that output is always JSON.
 */
#ifndef CS_BASE_JSON_H
#define CS_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/time.h"

typedef struct cs_json {
    cs_buf *out;     /**< borrowed */
    unsigned depth;  /**< at most 32 */
    uint32_t filled; /**< bit per depth: a value stands before */
} cs_json;

void cs_json_begin(cs_json *j, cs_buf *out);
/** key NULL: value of an array or the root. */
void cs_json_object(cs_json *j, const char *key);
void cs_json_object_end(cs_json *j);
void cs_json_array(cs_json *j, const char *key);
void cs_json_array_end(cs_json *j);
void cs_json_str(cs_json *j, const char *key, const char *value); /**< NULL value: null */
void cs_json_strn(cs_json *j, const char *key, const char *value, size_t n);
void cs_json_int(cs_json *j, const char *key, int64_t value);
void cs_json_bool(cs_json *j, const char *key, bool value);
void cs_json_null(cs_json *j, const char *key);
void cs_json_time(cs_json *j, const char *key, cs_time t);     /**< RFC 3339; 0: null */
void cs_json_time_ms(cs_json *j, const char *key, int64_t ms); /**< the same with milliseconds; never null */
void cs_json_hex(cs_json *j, const char *key, const uint8_t *p, size_t n);

#endif
