/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mime.c: a package is split alike however its octets are cut, its parts lie in order between delimiters that a
 * plain search finds too, and what a part means is of its encoding or refused.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wssec_mime_limits limits = {20, 2000};

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static size_t cut(const uint8_t *p, size_t n, size_t step, struct wssec_slice *slice)
{
    size_t count = 0;
    for (size_t at = 0; at < n; at += step) {
        slice[count++] = (struct wssec_slice){p + at, n - at < step ? n - at : step};
    }
    return count;
}

struct sum {
    uint64_t value;
    size_t n;
};

static int to_sum(void *ctx, const void *p, size_t n)
{
    struct sum *s = ctx;
    for (size_t i = 0; i < n; i++) {
        s->value = s->value * 31 + ((const uint8_t *)p)[i];
    }
    s->n += n;
    return 0;
}

/* Each part ends where the first delimiter behind its beginning stands. */
static void check_parts(const struct wssec_mime *m, const uint8_t *p, size_t n)
{
    char needle[128];
    size_t len = (size_t)snprintf(needle, sizeof needle, "\r\n--%s", m->boundary);
    size_t behind = 0;
    must(m->n_part > 0 && m->n_part <= limits.parts);
    for (size_t i = 0; i < m->n_part; i++) {
        const struct wssec_mime_part *part = &m->part[i];
        must(behind <= part->header.from && part->header.from <= part->header.to &&
             part->header.to + 2 == part->content.from && part->content.from <= part->content.to &&
             part->content.to <= n && part->header.to - part->header.from <= limits.header);
        const uint8_t *hit = memmem(p + part->content.from - 2, n - part->content.from + 2, needle, len);
        must(hit != NULL && ((size_t)(hit - p) == part->content.to || part->content.to == part->content.from));
        behind = part->content.to;
        for (size_t k = 0; k < i; k++) {
            must(part->id[0] == '\0' || strcmp(part->id, m->part[k].id) != 0);
        }
    }
}

static void check_contents(const struct wssec_mime *m, const struct wssec_slice *a, size_t n_a,
                           const struct wssec_slice *b, size_t n_b)
{
    for (size_t i = 0; i < m->n_part; i++) {
        struct sum x = {0, 0};
        struct sum y = {0, 0};
        int rc = wssec_mime_content(a, n_a, &m->part[i], to_sum, &x);
        must(rc == wssec_mime_content(b, n_b, &m->part[i], to_sum, &y));
        must(rc >= 0 && x.value == y.value && x.n == y.n);
        must(m->part[i].coding != WSSEC_MIME_IDENTITY || x.n == m->part[i].content.to - m->part[i].content.from);
        if (m->part[i].id[0] != '\0') {
            char uri[2000];
            (void)snprintf(uri, sizeof uri, "cid:%s", m->part[i].id);
            int found = wssec_mime_find(m, uri);
            must(found <= (int)i || strchr(m->part[i].id, '%') != NULL || found == (int)i);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wssec_mime whole;
    static struct wssec_mime parts;
    if (size < 4 || size > 20000) {
        return 0;
    }
    size_t step = (size_t)data[0] % 90 + 1;
    size_t type_n = (size_t)data[1] < size - 2 ? data[1] : size - 2;
    const uint8_t *p = data + 2 + type_n;
    size_t n = size - 2 - type_n;
    char *type = strndup((const char *)data + 2, type_n);
    struct wssec_slice one = {p, n};
    struct wssec_slice *many = calloc(n / step + 1, sizeof *many);
    must(type != NULL && many != NULL);
    size_t n_many = cut(p, n, step, many);
    struct wssec_mime_front front;
    struct wssec_mime_front again;
    const char *said = type_n > 0 ? type : NULL;
    must(wssec_mime_front(&whole, &one, 1, said, &limits, &front) == WSSEC_RC_OK);
    must(wssec_mime_front(&parts, many, n_many, said, &limits, &again) == WSSEC_RC_OK);
    must(front.kind == again.kind && front.octets == again.octets && front.octets <= n);
    if (front.kind == WSSEC_MIME_PACKAGE) {
        must(wssec_mime_split(&whole, &one, 1, front.octets, front.content_type, &limits) == WSSEC_RC_OK);
        must(wssec_mime_split(&parts, many, n_many, again.octets, again.content_type, &limits) == WSSEC_RC_OK);
        must(whole.reason == parts.reason && whole.n_part == parts.n_part && strcmp(whole.detail, parts.detail) == 0);
        if (whole.reason == WSSEC_OK) {
            check_parts(&whole, p, n);
            check_contents(&whole, &one, 1, many, n_many);
        }
    }
    free(many);
    free(type);
    return 0;
}
