/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c: see dump.h. What is read is somebody's file: nothing of it is believed before it was measured. */
#include "keystore/dump.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char magic[] = "B\tcountersign-backup\t1\n";

/* ---- writing ---------------------------------------------------------------------------------------------------- */

struct writer {
    cs_buf *out;
    uint64_t rows;
};

static void write_text(cs_buf *out, const uint8_t *p, size_t n)
{
    cs_buf_addc(out, 't');
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '\t': cs_buf_adds(out, "\\t"); break;
        case '\n': cs_buf_adds(out, "\\n"); break;
        case '\\': cs_buf_adds(out, "\\\\"); break;
        default: cs_buf_addc(out, (char)p[i]); break;
        }
    }
}

static void write_value(cs_buf *out, const struct ks_value *v)
{
    static const char digits[] = "0123456789abcdef";
    switch (v->kind) {
    case KS_VALUE_NULL: cs_buf_addc(out, 'n'); break;
    case KS_VALUE_NUMBER: cs_buf_addf(out, "i%lld", (long long)v->number); break;
    case KS_VALUE_TEXT: write_text(out, v->p, v->n); break;
    case KS_VALUE_OCTETS:
        cs_buf_addc(out, 'x');
        for (size_t i = 0; i < v->n; i++) {
            cs_buf_addc(out, digits[v->p[i] >> 4]);
            cs_buf_addc(out, digits[v->p[i] & 15]);
        }
        break;
    }
}

static int write_row(void *ctx, const char *table, const char *const *column, const struct ks_value *value, size_t n,
                     cs_error *e)
{
    struct writer *w = ctx;
    (void)e;
    if (value == NULL) {
        cs_buf_addf(w->out, "T\t%s", table);
        for (size_t i = 0; i < n; i++) {
            cs_buf_addf(w->out, "\t%s", column[i]);
        }
    } else {
        cs_buf_addc(w->out, 'R');
        for (size_t i = 0; i < n; i++) {
            cs_buf_addc(w->out, '\t');
            write_value(w->out, &value[i]);
        }
        w->rows++;
    }
    return cs_buf_addc(w->out, '\n');
}

int ks_dump_write(ks_store *s, const struct ks_dump_head *head, cs_buf *out, uint64_t *rows, cs_error *e)
{
    struct writer w = {.out = out};
    char at[CS_TIME_TEXT];
    cs_buf_adds(out, magic);
    cs_buf_addf(out, "H\tstore_id\t%s\nH\tkek_id\t%s\nH\tgeneration\t%llu\nH\tschema\t%d\nH\tat\t%s\n", head->store_id,
                head->kek_id, (unsigned long long)head->generation, head->schema, cs_time_format(head->at, at));
    int rc = s->driver->dump(s->b, write_row, &w, e);
    *rows = w.rows;
    if (rc == 0 && out->failed) {
        rc = cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    return rc;
}

/** HMAC over text under a key that is derived from the key-encryption key for this alone. */
static int seal_of(const char *text, size_t n, const struct ks_kek *kek, uint8_t out[32])
{
    static const char purpose[] = "countersign-backup-1";
    uint8_t key[32];
    unsigned int length = 0;
    bool good = HMAC(EVP_sha256(), kek->key, sizeof kek->key, (const uint8_t *)purpose, sizeof purpose - 1, key,
                     &length) != NULL &&
                HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)text, n, out, &length) != NULL && length == 32;
    OPENSSL_cleanse(key, sizeof key);
    return good ? 0 : -1;
}

int ks_dump_seal(cs_buf *out, uint64_t rows, const struct ks_kek *kek, cs_error *e)
{
    uint8_t seal[32];
    char text[65];
    if (out->failed || seal_of(out->data, out->len, kek, seal) != 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "the backup cannot be sealed: out of memory");
    }
    cs_hex(seal, sizeof seal, text);
    cs_buf_addf(out, "E\t%llu\t%s\n", (unsigned long long)rows, text);
    return out->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

bool ks_dump_sealed_by(const char *text, size_t sealed, const uint8_t seal[32], const struct ks_kek *kek)
{
    uint8_t is[32];
    return seal_of(text, sealed, kek, is) == 0 && CRYPTO_memcmp(is, seal, sizeof is) == 0;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reader {
    char *at, *end;
    size_t line;
    uint64_t rows;
    char *field[KS_DUMP_FIELDS + 2]; /* of the line that stands; ended in place */
    size_t n;
    char *table;
    const char *column[KS_DUMP_FIELDS];
    size_t n_column;
};

static int bad(const struct reader *r, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_USAGE, "backup-damaged", "line %zu of the backup is damaged or cut off", r->line);
}

/** The next line in fields. @return 1, 0 at the end, -1: no line end, or too many fields */
static int next_line(struct reader *r)
{
    char *at = r->at;
    if (at == r->end) {
        return 0;
    }
    char *stop = memchr(at, '\n', (size_t)(r->end - at));
    r->line++;
    if (stop == NULL || memchr(at, '\0', (size_t)(stop - at)) != NULL) {
        return -1;
    }
    *stop = '\0';
    r->at = stop + 1;
    r->n = 0;
    while (at != NULL) {
        char *tab = strchr(at, '\t');
        if (r->n == KS_DUMP_FIELDS + 2) {
            return -1;
        }
        if (tab != NULL) {
            *tab++ = '\0';
        }
        r->field[r->n++] = at;
        at = tab;
    }
    return 1;
}

static int read_text(char *p, struct ks_value *v)
{
    char *out = p;
    v->kind = KS_VALUE_TEXT;
    v->p = (const uint8_t *)p;
    for (; *p != '\0'; p++) {
        if (*p == '\\') {
            p++;
            if (*p != 't' && *p != 'n' && *p != '\\') {
                return -1;
            }
            *out++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : '\\';
        } else {
            *out++ = *p;
        }
    }
    v->n = (size_t)(out - (const char *)v->p);
    *out = '\0';
    return 0;
}

static int read_octets(char *p, struct ks_value *v)
{
    size_t n = strlen(p);
    v->kind = KS_VALUE_OCTETS;
    v->p = (const uint8_t *)p;
    v->n = n / 2;
    /* in place: two digits are read before the octet of their place is written */
    for (size_t i = 0; i < v->n; i++) {
        char two[3] = {p[2 * i], p[2 * i + 1], '\0'};
        if (cs_unhex(two, (uint8_t *)p + i, 1) != 0) {
            return -1;
        }
    }
    return n % 2 == 0 ? 0 : -1;
}

static int read_value(char *p, struct ks_value *v)
{
    char *end = NULL;
    *v = (struct ks_value){.kind = KS_VALUE_NULL};
    switch (p[0]) {
    case 'n': return p[1] == '\0' ? 0 : -1;
    case 'i':
        v->kind = KS_VALUE_NUMBER;
        v->number = strtoll(p + 1, &end, 10);
        return p[1] != '\0' && *end == '\0' ? 0 : -1;
    case 't': return read_text(p + 1, v);
    case 'x': return read_octets(p + 1, v);
    default: return -1;
    }
}

static int read_fact(const struct reader *r, struct ks_dump_head *h)
{
    const char *name = r->n == 3 ? r->field[1] : "";
    const char *value = r->n == 3 ? r->field[2] : "";
    if (strcmp(name, "store_id") == 0) {
        return cs_copy(h->store_id, sizeof h->store_id, value) ? 0 : -1;
    }
    if (strcmp(name, "kek_id") == 0) {
        return cs_copy(h->kek_id, sizeof h->kek_id, value) ? 0 : -1;
    }
    if (strcmp(name, "generation") == 0) {
        h->generation = strtoull(value, NULL, 10);
    } else if (strcmp(name, "schema") == 0) {
        h->schema = (int)strtol(value, NULL, 10);
    } else if (strcmp(name, "at") == 0) {
        return cs_time_parse(value, &h->at);
    } else {
        return -1;
    }
    return 0;
}

static int read_table(struct reader *r)
{
    if (r->n < 3 || r->n > KS_DUMP_FIELDS + 2) {
        return -1;
    }
    r->table = r->field[1];
    r->n_column = r->n - 2;
    for (size_t i = 0; i < r->n_column; i++) {
        r->column[i] = r->field[i + 2];
    }
    return 0;
}

static int read_row(struct reader *r, struct ks_backend *b, const struct ks_driver *driver, cs_error *e)
{
    struct ks_value value[KS_DUMP_FIELDS];
    if (r->table == NULL || r->n != r->n_column + 1) {
        return bad(r, e);
    }
    for (size_t i = 0; i < r->n_column; i++) {
        if (read_value(r->field[i + 1], &value[i]) != 0) {
            return bad(r, e);
        }
    }
    r->rows++;
    return driver->load(b, r->table, r->column, value, r->n_column, e);
}

/** The last line: nothing may follow, and all rows must be there. */
static int read_end(const struct reader *r, uint8_t seal[32])
{
    char *end = NULL;
    uint64_t rows = r->n == 3 ? strtoull(r->field[1], &end, 10) : 0;
    return r->n == 3 && *end == '\0' && rows == r->rows && r->at == r->end && strlen(r->field[2]) == 64 &&
                   cs_unhex(r->field[2], seal, 32) == 0
               ? 0
               : -1;
}

static bool begins(const char *text, size_t n)
{
    return n >= sizeof magic - 1 && memcmp(text, magic, sizeof magic - 1) == 0;
}

static int not_one(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_USAGE, "no-backup", "the file is no backup of a keystore (version 1)");
}

int ks_dump_head_read(const char *text, size_t n, struct ks_dump_head *head, cs_error *e)
{
    char first[1024];
    memset(head, 0, sizeof *head);
    if (!begins(text, n)) {
        return not_one(e);
    }
    size_t m = n < sizeof first ? n : sizeof first;
    memcpy(first, text, m);
    struct reader r = {.at = first, .end = first + m};
    int more = next_line(&r);
    while (more == 1 && (more = next_line(&r)) == 1 && strcmp(r.field[0], "H") == 0) {
        if (read_fact(&r, head) != 0) {
            return bad(&r, e);
        }
    }
    return head->store_id[0] != '\0' && head->kek_id[0] != '\0' && head->schema > 0 ? 0 : bad(&r, e);
}

int ks_dump_read(char *text, size_t n, struct ks_backend *b, const struct ks_driver *driver, struct ks_dump_head *head,
                 size_t *sealed, uint8_t seal[32], cs_error *e)
{
    struct reader r = {.at = text, .end = text + n};
    if (!begins(text, n)) {
        return not_one(e);
    }
    memset(head, 0, sizeof *head);
    int rc = next_line(&r) == 1 ? 0 : bad(&r, e);
    while (rc == 0) {
        char *line = r.at;
        if (next_line(&r) != 1) {
            return bad(&r, e);
        }
        char kind = r.field[0][0] != '\0' && r.field[0][1] == '\0' ? r.field[0][0] : '?';
        if (kind == 'E') {
            *sealed = (size_t)(line - text);
            return read_end(&r, seal) == 0 ? 0 : bad(&r, e);
        }
        switch (kind) {
        case 'H': rc = read_fact(&r, head) == 0 ? 0 : bad(&r, e); break;
        case 'T': rc = read_table(&r) == 0 ? 0 : bad(&r, e); break;
        case 'R': rc = read_row(&r, b, driver, e); break;
        default: rc = bad(&r, e); break;
        }
    }
    return rc;
}
