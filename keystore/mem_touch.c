/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_touch.c: rows as JSON for the audit, and what a transaction touched: the rows that it found against those that it
 * leaves, which differ wherever their pointers do. And all rows as values, out and in.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "keystore/dump.h"
#include "keystore/mem.h"

#define BLOB_IN_FULL 32 /* octets; of a longer one the SHA-256 */

/* ---- a row as text ------------------------------------------------------------------------------------------------
 */

static void add_octets(cs_json *j, const char *name, const struct ks_value *v)
{
    uint8_t hash[32];
    cs_json_array(j, name);
    if (v->n <= BLOB_IN_FULL) {
        cs_json_hex(j, NULL, v->p, v->n);
    } else {
        SHA256(v->p, v->n, hash);
        cs_json_str(j, NULL, "sha256");
        cs_json_hex(j, NULL, hash, sizeof hash);
    }
    cs_json_array_end(j);
}

static char *row_json(const struct ks_mem_scan *s)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    size_t n = 0;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    for (size_t i = 0; i < s->t->n; i++) {
        const char *name = s->t->column[i].name;
        const struct ks_value *v = &ks_mem_values(s->row)[i];
        switch (v->kind) {
        case KS_VALUE_NULL: cs_json_null(&j, name); break;
        case KS_VALUE_NUMBER: cs_json_int(&j, name, v->number); break;
        case KS_VALUE_TEXT: cs_json_strn(&j, name, (const char *)v->p, v->n); break;
        case KS_VALUE_OCTETS: add_octets(&j, name, v); break;
        }
    }
    cs_json_object_end(&j);
    char *text = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return text;
}

/** "entry/5": how the audit calls the row. */
static char *row_object(const struct ks_mem_scan *s, const char *key)
{
    cs_buf b = CS_BUF_INIT;
    size_t n = 0;
    cs_buf_adds(&b, s->t->name);
    for (const char *at = key; *at != '\0'; at += strspn(at, " ")) {
        char column[32];
        size_t length = strcspn(at, " ");
        snprintf(column, sizeof column, "%.*s", (int)length, at);
        const struct ks_value *v = ks_mem_value(s, column);
        cs_buf_adds(&b, "/");
        for (size_t i = 0; v->kind == KS_VALUE_OCTETS && i < v->n; i++) {
            cs_buf_addf(&b, "%02x", v->p[i]);
        }
        if (v->kind == KS_VALUE_NUMBER) {
            cs_buf_addf(&b, "%lld", (long long)v->number);
        } else if (v->kind == KS_VALUE_TEXT) {
            cs_buf_add(&b, v->p, v->n);
        }
        at += length;
    }
    char *text = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return text;
}

/** Rows that are no decision: named in the condition of the schema by their key. */
static bool excepted(const struct ks_schema_audit *a, const struct ks_mem_scan *s)
{
    char quoted[96];
    snprintf(quoted, sizeof quoted, "'%s'", ks_mem_text(s, a->key));
    return a->except != NULL && strstr(a->except, quoted) != NULL;
}

/* ---- what was touched ---------------------------------------------------------------------------------------------
 */

struct touched {
    struct one {
        char *object, *before, *now;
    } * one;
    size_t n, cap;
    bool failed;
};

static struct one *one_of(struct touched *t, char *object)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->one[i].object, object) == 0) {
            free(object);
            return &t->one[i];
        }
    }
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 16 : t->cap * 2;
        struct one *grown = realloc(t->one, cap * sizeof *grown);
        if (grown == NULL) {
            free(object);
            return NULL;
        }
        t->one = grown;
        t->cap = cap;
    }
    t->one[t->n] = (struct one){object, NULL, NULL};
    return &t->one[t->n++];
}

static void add_row(struct touched *t, const struct ks_schema_audit *a, const struct ks_mem_scan *s, bool now)
{
    if (excepted(a, s)) {
        return;
    }
    char *object = row_object(s, a->key);
    char *text = row_json(s);
    struct one *one = object != NULL && text != NULL ? one_of(t, object) : NULL;
    if (one == NULL) {
        t->failed = true;
        free(text);
    } else if (now) {
        one->now = text;
    } else {
        one->before = text;
    }
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const void *const *)a;
    uintptr_t y = (uintptr_t) * (const void *const *)b;
    return (x > y) - (x < y);
}

/** Rows of one walk that the other has not. */
static void only_in(struct touched *t, const struct ks_schema_audit *a, struct ks_mem_scan s, struct ks_mem_scan other,
                    bool now)
{
    size_t n = ks_mem_count(&other);
    const void **row = calloc(n + 1, sizeof *row);
    size_t k = 0;
    t->failed = t->failed || row == NULL;
    while (ks_mem_next(&other)) {
        if (row != NULL) {
            row[k++] = other.row;
        }
    }
    if (row != NULL) {
        qsort(row, k, sizeof *row, by_address);
    }
    while (ks_mem_next(&s)) {
        const void *mine = s.row;
        if (row != NULL && bsearch(&mine, row, k, sizeof *row, by_address) == NULL) {
            add_row(t, a, &s, now);
        }
    }
    free(row);
}

/** The rows of a table as the transaction found them. */
static struct ks_mem_scan scan_from(struct ks_backend *b, const char *table)
{
    struct ks_mem_state now = b->now;
    b->now = b->from;
    struct ks_mem_scan s = ks_mem_scan(b, table);
    b->now = now;
    return s;
}

static int by_object(const void *a, const void *b)
{
    return strcmp(((const struct one *)a)->object, ((const struct one *)b)->object);
}

static void touched_free(struct touched *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->one[i].object);
        free(t->one[i].before);
        free(t->one[i].now);
    }
    free(t->one);
}

static int gather(struct ks_backend *b, struct touched *t, cs_error *e)
{
    size_t n = 0;
    const struct ks_schema_audit *a = ks_schema_audited(&n);
    memset(t, 0, sizeof *t);
    for (size_t i = 0; b->within && b->access != KS_READ && i < n; i++) {
        size_t at = ks_mem_table_at(a[i].table);
        if (b->from.rows[at] != b->now.rows[at]) {
            only_in(t, &a[i], scan_from(b, a[i].table), ks_mem_scan(b, a[i].table), false);
            only_in(t, &a[i], ks_mem_scan(b, a[i].table), scan_from(b, a[i].table), true);
        }
    }
    if (t->failed) {
        touched_free(t);
        return ks_mem_no_memory(e);
    }
    if (t->n > 0) {
        qsort(t->one, t->n, sizeof t->one[0], by_object);
    }
    return 0;
}

int ks_mem_touched_count(struct ks_backend *b, uint64_t *n, cs_error *e)
{
    struct touched t;
    if (gather(b, &t, e) != 0) {
        return -1;
    }
    *n = t.n;
    touched_free(&t);
    return 0;
}

int ks_mem_touched(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e)
{
    struct touched t;
    int rc = gather(b, &t, e);
    b->told = 0;
    for (size_t i = 0; rc == 0 && i < t.n; i++) {
        b->told++;
        rc = visit(ctx, t.one[i].object, t.one[i].before, t.one[i].now, e) != 0 ? -1 : 0;
    }
    touched_free(&t);
    return rc;
}

int ks_mem_contents(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e)
{
    size_t n = 0;
    int rc = 0;
    const struct ks_schema_audit *a = ks_schema_audited(&n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct ks_mem_scan s = ks_mem_scan(b, a[i].table);
        while (rc == 0 && ks_mem_next(&s)) {
            if (excepted(&a[i], &s)) {
                continue;
            }
            char *object = row_object(&s, a[i].key);
            char *text = row_json(&s);
            rc = object == NULL || text == NULL ? ks_mem_no_memory(e) : visit(ctx, object, NULL, text, e) != 0 ? -1 : 0;
            free(object);
            free(text);
        }
        if (rc != 0 && s.rows != NULL) {
            ks_mem_done(&s);
        }
    }
    return rc;
}

/* ---- all rows, out and in -----------------------------------------------------------------------------------------
 */

/** What nodes say of themselves belongs to those nodes. */
static bool of_nodes(const char *table)
{
    static const char *const own[] = {"node", "node_uses", "observation", "lease", "probe", "probe_ask"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(own[i], table) == 0) {
            return true;
        }
    }
    return false;
}

static int by_first_columns(const void *a, const void *b)
{
    const struct ks_value *x = *(const struct ks_value *const *)a;
    const struct ks_value *y = *(const struct ks_value *const *)b;
    int order = ks_mem_order(&x[0], &y[0]);
    return order != 0 ? order : ks_mem_order(&x[1], &y[1]);
}

static int dump_table(struct ks_backend *b, const struct ks_mem_table *t, ks_visit_dump *visit, void *ctx, cs_error *e)
{
    const char *column[KS_MEM_COLUMNS];
    struct ks_mem_scan s = ks_mem_scan(b, t->name);
    struct ks_mem_scan hold = ks_mem_scan(b, t->name);
    const struct ks_value **row = calloc(ks_mem_count(&s) + 1, sizeof *row);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        column[i] = t->column[i].name;
    }
    while (ks_mem_next(&s)) {
        if (row != NULL) {
            row[n++] = ks_mem_values(s.row);
        }
    }
    int rc = row == NULL             ? ks_mem_no_memory(e)
             : t->n > KS_DUMP_FIELDS ? -1
                                     : visit(ctx, t->name, column, NULL, t->n, e);
    if (rc == 0) {
        qsort(row, n, sizeof *row, by_first_columns);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = visit(ctx, t->name, column, row[i], t->n, e) != 0 ? -1 : 0;
    }
    ks_mem_done(&hold);
    free(row);
    return rc != 0 ? -1 : 0;
}

int ks_mem_dump(struct ks_backend *b, ks_visit_dump *visit, void *ctx, cs_error *e)
{
    size_t n = 0;
    int rc = 0;
    const struct ks_mem_table *t = ks_mem_tables(&n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = of_nodes(t[i].name) ? 0 : dump_table(b, &t[i], visit, ctx, e);
    }
    return rc;
}

int ks_mem_load_begin(struct ks_backend *b, cs_error *e)
{
    struct ks_mem_state empty;
    if (ks_mem_state_make(&empty) != 0) {
        return ks_mem_no_memory(e);
    }
    ks_mem_state_drop(&b->now);
    b->now = empty;
    b->loading = true;
    return 0;
}

int ks_mem_load(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                size_t n, cs_error *e)
{
    struct ks_mem_set set[KS_MEM_COLUMNS];
    cs_error why = {0};
    bool known = ks_mem_table_at(table) != KS_MEM_TABLES && !of_nodes(table) && n <= KS_MEM_COLUMNS;
    for (size_t i = 0; known && i < n; i++) {
        set[i] = (struct ks_mem_set){column[i], value[i]};
    }
    return known && ks_mem_insert(b, table, set, n, NULL, &why) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_USAGE, "backup-damaged",
                              "the backup holds a row of %.40s that this keystore does not take", table);
}

int ks_mem_load_end(struct ks_backend *b, cs_error *e)
{
    b->loading = false;
    if (ks_mem_guard_all(b, e) != 0) {
        return -1;
    }
    /* the rows are another store's, with its log: nothing of this one's was touched */
    ks_mem_state_drop(&b->from);
    ks_mem_state_share(&b->from, &b->now);
    return 0;
}
