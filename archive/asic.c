/* SPDX-License-Identifier: Apache-2.0 */
/* asic.c: see asic.h. What a second reader might see otherwise is refused: names twice, paths that lead elsewhere. */
#include "archive/asic.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

#define MEMBERS_MAX  1024 /* X-Road: a dozen files, and attachments */
#define NAME_LONGEST 255
#define RATIO_FROM   ((uint64_t)1 << 20)
#define CHUNK        ((size_t)65536)
#define MIMETYPE     "application/vnd.etsi.asic-e+zip"

bool archive_asic_is(const uint8_t *p, size_t n, const char *loc)
{
    static const char suffix[] = ".asice";
    const char *number = strrchr(loc, '#');
    size_t end = number != NULL && strchr(number, '/') == NULL && strchr(loc, '!') != NULL ? (size_t)(number - loc)
                                                                                           : strlen(loc);
    if (n < 4 || memcmp(p, "PK\x03\x04", 4) != 0) {
        return false;
    }
    return (n >= 38 && p[26] == 8 && p[27] == 0 && memcmp(p + 30, "mimetype", 8) == 0) ||
           (end >= sizeof suffix - 1 && memcmp(loc + end - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0);
}

/* ---- members --------------------------------------------------------------------------------------------------------
 */

struct reading {
    struct archive_asic *out;
    const struct archive_order *order;
    size_t packed;
    uint64_t unpacked;
    char *why;
    size_t size;
};

static enum wssec_reason refuse(struct reading *r, enum wssec_reason reason, const char *fmt, ...) CS_PRINTF(3, 4);
static enum wssec_reason refuse(struct reading *r, enum wssec_reason reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->why, r->size, fmt, ap);
    va_end(ap);
    return reason;
}

/* A path below the container, as any reader would take it: UTF-8, no root, no way up, nothing that is not shown. */
static bool name_good(const char *name)
{
    const uint8_t *p = (const uint8_t *)name;
    size_t n = strlen(name);
    size_t used = 0;
    if (n == 0 || n > NAME_LONGEST || strchr(name, '\\') != NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i += used) {
        used = cs_utf8_length(p + i, n - i);
        if (used == 0 || p[i] < 0x20 || p[i] == 0x7f) {
            return false;
        }
    }
    for (size_t from = 0; from <= n; from += used + 1) {
        used = strcspn(name + from, "/");
        if (used == 0 || (used <= 2 && strspn(name + from, ".") >= used)) {
            return false;
        }
    }
    return true;
}

static enum wssec_reason take_content(struct reading *r, struct archive *in, struct archive_asic_member *m)
{
    size_t cap = 0;
    la_ssize_t got = 0;
    do {
        if (m->n == cap) {
            uint8_t *grown = realloc(m->data, cap = cap == 0 ? CHUNK : cap * 2);
            if (grown == NULL) {
                return refuse(r, WSSEC_OUT_OF_MEMORY, "no memory to open the container");
            }
            m->data = grown;
        }
        got = archive_read_data(in, m->data + m->n, cap - m->n);
        if (got < 0) {
            return refuse(r, WSSEC_IO_ERROR, "%.64s is damaged: %.100s", m->name,
                          archive_error_string(in) != NULL ? archive_error_string(in) : "not readable");
        }
        m->n += (size_t)got;
        r->unpacked += (uint64_t)got;
        if (r->unpacked > r->order->max_member) {
            return refuse(r, WSSEC_LIMIT_MEMBER, "its files have more than %llu octets",
                          (unsigned long long)r->order->max_member);
        }
        if (r->order->max_ratio != 0 && r->unpacked > RATIO_FROM && r->unpacked / r->order->max_ratio > r->packed) {
            return refuse(r, WSSEC_LIMIT_RATIO, "%llu octets out of %zu, allowed are %llu to 1",
                          (unsigned long long)r->unpacked, r->packed, (unsigned long long)r->order->max_ratio);
        }
    } while (got > 0);
    return WSSEC_OK;
}

static enum wssec_reason take_member(struct reading *r, struct archive *in, struct archive_entry *entry)
{
    struct archive_asic *a = r->out;
    const char *name = archive_entry_pathname(entry);
    name = name != NULL ? name : archive_entry_pathname_utf8(entry);
    if (archive_entry_filetype(entry) == AE_IFDIR) {
        return WSSEC_OK;
    }
    if (name == NULL || !name_good(name)) {
        return refuse(r, WSSEC_CONTAINER_MALFORMED, "file %zu has a name that is not taken", a->n_member + 1);
    }
    if (archive_entry_hardlink(entry) != NULL ||
        (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != 0)) {
        return refuse(r, WSSEC_CONTAINER_MALFORMED, "%.64s is no plain file", name);
    }
    if (archive_entry_is_encrypted(entry) != 0) {
        return refuse(r, WSSEC_IO_ERROR, "%.64s is encrypted", name);
    }
    for (size_t i = 0; i < a->n_member; i++) {
        if (strcmp(a->member[i].name, name) == 0) {
            return refuse(r, WSSEC_CONTAINER_MALFORMED, "two files have the name %.64s", name);
        }
    }
    if (a->n_member == MEMBERS_MAX || a->n_member == r->order->max_members) {
        return refuse(r, WSSEC_LIMIT_MEMBERS, "it has more than %zu files", a->n_member);
    }
    if (a->n_member == a->cap_member) {
        size_t cap = a->cap_member == 0 ? 16 : a->cap_member * 2;
        struct archive_asic_member *grown = reallocarray(a->member, cap, sizeof *grown);
        if (grown == NULL) {
            return refuse(r, WSSEC_OUT_OF_MEMORY, "no memory to open the container");
        }
        a->member = grown;
        a->cap_member = cap;
    }
    struct archive_asic_member *m = &a->member[a->n_member++];
    *m = (struct archive_asic_member){.name = strdup(name)};
    return m->name != NULL ? take_content(r, in, m) : refuse(r, WSSEC_OUT_OF_MEMORY, "no memory to open the container");
}

static enum wssec_reason take_all(struct reading *r, const uint8_t *p, size_t n)
{
    struct archive *in = archive_read_new();
    struct archive_entry *entry = NULL;
    enum wssec_reason reason = WSSEC_OK;
    int rc = in != NULL ? archive_read_support_format_zip_seekable(in) : ARCHIVE_FATAL;
    rc = rc == ARCHIVE_OK ? archive_read_open_memory(in, p, n) : rc;
    while (rc == ARCHIVE_OK && reason == WSSEC_OK) {
        rc = archive_read_next_header(in, &entry);
        rc = rc == ARCHIVE_WARN ? ARCHIVE_OK : rc;
        reason = rc == ARCHIVE_OK ? take_member(r, in, entry) : reason;
    }
    if (reason == WSSEC_OK && rc != ARCHIVE_EOF) {
        const char *text = in != NULL ? archive_error_string(in) : NULL;
        reason = refuse(r, in == NULL ? WSSEC_OUT_OF_MEMORY : WSSEC_IO_ERROR, "the container is damaged: %.150s",
                        text != NULL ? text : "not readable");
    }
    if (in != NULL) {
        (void)archive_read_free(in);
    }
    return reason;
}

/* ---- what they are --------------------------------------------------------------------------------------------------
 */

static bool ends(const char *name, const char *tail)
{
    size_t n = strlen(name);
    size_t t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

static struct wssec_slice slice_of(const struct archive_asic_member *m)
{
    return (struct wssec_slice){m->data, m->n};
}

static enum wssec_reason check_type(struct reading *r, const struct archive_asic_member *m)
{
    size_t n = m->n;
    while (n > 0 && (m->data[n - 1] == '\n' || m->data[n - 1] == '\r' || m->data[n - 1] == ' ')) {
        n--;
    }
    return n == sizeof MIMETYPE - 1 && memcmp(m->data, MIMETYPE, n) == 0
               ? WSSEC_OK
               : refuse(r, WSSEC_UNSUPPORTED_FORMAT, "it is a container of another kind than ASiC-E");
}

/* The signature, one message, and what else lies with it. */
static enum wssec_reason sort_out(struct reading *r)
{
    struct archive_asic *a = r->out;
    struct wssec_container *c = &a->container;
    const struct archive_asic_member *type = NULL;
    unsigned signatures = 0;
    a->part = calloc(a->n_member + 1, sizeof *a->part);
    c->part = a->part;
    if (a->part == NULL) {
        return refuse(r, WSSEC_OUT_OF_MEMORY, "no memory to open the container");
    }
    for (size_t i = 0; i < a->n_member; i++) {
        const struct archive_asic_member *m = &a->member[i];
        if (strcmp(m->name, "mimetype") == 0) {
            type = m;
        } else if (strcmp(m->name, "META-INF/timestamp.tst") == 0) {
            c->batch_token = slice_of(m);
        } else if (strncmp(m->name, "META-INF/", 9) == 0 && strstr(m->name, "signatures") != NULL &&
                   ends(m->name, ".xml")) {
            c->signature = slice_of(m);
            signatures++;
        } else if (strcmp(m->name, "ts-hashchainresult.xml") == 0) {
            c->batch_stamped[0] = (struct wssec_file){m->name, slice_of(m)};
        } else if (strcmp(m->name, "ts-hashchain.xml") == 0) {
            c->batch_stamped[1] = (struct wssec_file){m->name, slice_of(m)};
        } else if (strncmp(m->name, "META-INF/", 9) != 0) {
            bool is_message = strcmp(m->name, "message.xml") == 0 || ends(m->name, "-message.xml");
            if (is_message && c->message != NULL) {
                return refuse(r, WSSEC_CONTAINER_MALFORMED, "it holds two messages: %.64s and %.64s", c->message,
                              m->name);
            }
            c->message = is_message ? m->name : c->message;
            a->part[c->n_part++] = (struct wssec_file){m->name, slice_of(m)};
        }
    }
    enum wssec_reason reason = type != NULL
                                   ? check_type(r, type)
                                   : refuse(r, WSSEC_CONTAINER_MALFORMED, "it does not say what it is (mimetype)");
    if (reason == WSSEC_OK && c->message == NULL) {
        reason = refuse(r, WSSEC_CONTAINER_MALFORMED, "it holds no message (message.xml)");
    }
    if (reason == WSSEC_OK && signatures != 1) {
        reason = signatures == 0 ? refuse(r, WSSEC_NO_SIGNATURE, "it holds no signature (META-INF/signatures.xml)")
                                 : refuse(r, WSSEC_CONTAINER_MALFORMED, "it holds %u signatures", signatures);
    }
    return reason;
}

enum wssec_reason archive_asic_read(struct archive_asic *a, const uint8_t *p, size_t n, const struct archive_order *o,
                                    char *why, size_t size)
{
    struct reading r = {.out = a, .order = o, .packed = n, .why = why, .size = size};
    *a = (struct archive_asic){.n_member = 0};
    enum wssec_reason reason = take_all(&r, p, n);
    return reason == WSSEC_OK ? sort_out(&r) : reason;
}

void archive_asic_clear(struct archive_asic *a)
{
    for (size_t i = 0; i < a->n_member; i++) {
        free(a->member[i].name);
        free(a->member[i].data);
    }
    free(a->member);
    free(a->part);
    *a = (struct archive_asic){.n_member = 0};
}
