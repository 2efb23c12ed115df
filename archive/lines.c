/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c: see lines.h. */
#include "archive/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define CHUNK ((size_t)65536)
#define OTHER ((size_t)1 << 20) /* octets of a line besides its payload */

struct archive_lines {
    struct archive_bytes *b;
    const char *loc;
    struct archive_lines_how how;
    cs_buf text;
    size_t from;
    uint64_t number; /* of the line, from 0 */
};

struct archive_lines *archive_lines_open(struct archive_bytes *b, const char *loc, const struct archive_lines_how *how)
{
    struct archive_lines *l = calloc(1, sizeof *l);
    if (l != NULL) {
        *l = (struct archive_lines){.b = b, .loc = loc, .how = *how, .text = CS_BUF_INIT};
        l->how.field = how->field != NULL ? how->field : "payload";
    }
    return l;
}

void archive_lines_close(struct archive_lines *l)
{
    if (l != NULL) {
        cs_buf_free(&l->text);
        free(l);
    }
}

static size_t longest(const struct archive_lines *l)
{
    uint64_t most = l->how.most / 3 * 4 * (l->how.text ? 5 : 1) + OTHER; /* text: \u0000 for an octet */
    return most < SIZE_MAX / 2 ? (size_t)most : SIZE_MAX / 2;
}

/* The rest of a line that is too long, without keeping it. @return 1: the next one begins here; -1 trouble */
static int pass_line(struct archive_lines *l, struct archive_item *item)
{
    const char *feed = NULL;
    while (feed == NULL) {
        l->text.len = 0;
        ssize_t got = archive_bytes_read(l->b, (uint8_t *)l->text.data, CHUNK, item);
        if (got <= 0) {
            return got < 0 ? -1 : 1;
        }
        l->text.len = (size_t)got;
        feed = memchr(l->text.data, '\n', l->text.len);
    }
    l->from = (size_t)(feed - l->text.data) + 1;
    return 1;
}

/* @return 1: line and n without the line feed, line NULL: trouble with this one alone; 0: no more; -1 trouble */
static int next_line(struct archive_lines *l, const char **line, size_t *n, struct archive_item *item)
{
    if (l->from > 0) {
        memmove(l->text.data, l->text.data + l->from, l->text.len - l->from);
        l->text.len -= l->from;
        l->from = 0;
    }
    for (size_t seen = 0;;) {
        const char *feed = l->text.len > seen ? memchr(l->text.data + seen, '\n', l->text.len - seen) : NULL;
        if (feed != NULL || (l->b->over && l->b->from == l->b->to && l->text.len > 0)) {
            *line = l->text.data;
            *n = feed != NULL ? (size_t)(feed - l->text.data) : l->text.len;
            l->from = feed != NULL ? *n + 1 : *n;
            return 1;
        }
        seen = l->text.len;
        if (seen > longest(l)) {
            *line = NULL;
            int rc = pass_line(l, item);
            archive_item_trouble(item, WSSEC_LIMIT_MEMBER, "line %llu is longer than a payload can be",
                                 (unsigned long long)l->number + 1);
            return rc;
        }
        if (cs_buf_reserve(&l->text, CHUNK) != 0) {
            archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for a line");
            return -1;
        }
        ssize_t got = archive_bytes_read(l->b, (uint8_t *)l->text.data + l->text.len, CHUNK, item);
        if (got < 0 || (got == 0 && l->text.len == 0)) {
            return got < 0 ? -1 : 0;
        }
        l->text.len += (size_t)got;
    }
}

static void take_payload(const struct archive_lines *l, const json_t *value, struct archive_item *item)
{
    const char *text = json_string_value(value);
    size_t n = text != NULL ? json_string_length(value) : 0;
    size_t room = l->how.text ? n : cs_base64_decoded_max(n);
    size_t got = n;
    if (text == NULL) {
        archive_item_trouble(item, WSSEC_UNSUPPORTED_FORMAT, "the line has no text in a member \"%.64s\"",
                             l->how.field);
        return;
    }
    item->data = malloc(room > 0 ? room : 1);
    if (item->data == NULL) {
        archive_item_trouble(item, WSSEC_OUT_OF_MEMORY, "no memory for %zu octets", room);
    } else if (l->how.text) {
        memcpy(item->data, text, n);
    } else if (cs_base64_decode(text, n, item->data, room, &got) != 0) {
        archive_item_trouble(item, WSSEC_UNSUPPORTED_FORMAT, "member \"%.64s\" is not base64", l->how.field);
    }
    item->size = got;
    if (item->size > l->how.most) {
        archive_item_trouble(item, WSSEC_LIMIT_MEMBER, "larger than %llu octets", (unsigned long long)l->how.most);
    }
}

int archive_lines_next(struct archive_lines *l, struct archive_item *item)
{
    const char *line = NULL;
    size_t n = 0;
    json_error_t why;
    cs_buf loc = CS_BUF_INIT;
    int rc = 1;
    do {
        rc = next_line(l, &line, &n, item);
        l->number++;
    } while (rc == 1 && line != NULL && (n == 0 || (n == 1 && line[0] == '\r')));
    if (rc == 0) {
        return 0;
    }
    (void)cs_buf_addf(&loc, "%s#%llu", l->loc, (unsigned long long)l->number - 1);
    free(item->loc);
    item->loc = cs_buf_take(&loc, NULL);
    if (rc < 0 || line == NULL) {
        return rc;
    }
    item->fields = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!json_is_object(item->fields)) {
        archive_item_trouble(item, WSSEC_UNSUPPORTED_FORMAT, "the line is no JSON object: %.100s", why.text);
    } else {
        take_payload(l, json_object_get(item->fields, l->how.field), item);
        (void)json_object_del(item->fields, l->how.field);
    }
    if (item->trouble != WSSEC_OK) {
        free(item->data);
        item->data = NULL;
    }
    return 1;
}
