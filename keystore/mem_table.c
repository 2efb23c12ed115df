/* SPDX-License-Identifier: Apache-2.0 */
/* mem_table.c: tables made from the schema's text, their rows, and the rules that every table has: see mem.h. */
#include "keystore/mem.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct ks_mem_row {
    atomic_uint refs;
    size_t size; /**< octets of the whole */
    struct ks_value value[];
};

struct ks_mem_rows {
    atomic_uint refs;
    size_t n, cap;
    struct ks_mem_row **row;
};

/* ---- the schema -------------------------------------------------------------------------------------------------- */

static struct ks_mem_table tables[KS_MEM_TABLES];
static size_t n_tables;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t column_at(const struct ks_mem_table *t, const char *name, size_t n)
{
    size_t i = 0;
    while (i < t->n && (strncmp(t->column[i].name, name, n) != 0 || t->column[i].name[n] != '\0')) {
        i++;
    }
    return i;
}

/** "(a, b)": the columns that are unique together. */
static void take_unique(struct ks_mem_table *t, const char *list)
{
    size_t at = t->n_unique++;
    for (const char *p = list + 1; *p != ')' && *p != '\0'; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ",) ");
        t->unique[at].column[t->unique[at].n++] = column_at(t, p, n);
        p += n;
    }
}

static void take_column(struct ks_mem_table *t, const char *text)
{
    struct ks_mem_column *c = &t->column[t->n];
    const char *refers = strstr(text, " references ");
    const char *otherwise = strstr(text, " default ");
    bool primary = strstr(text, " primary key") != NULL;
    snprintf(c->name, sizeof c->name, "%.*s", (int)strcspn(text, " "), text);
    c->not_null = strstr(text, " not null") != NULL || (primary && strstr(text, " integer ") == NULL);
    c->has_default = otherwise != NULL;
    c->otherwise = otherwise != NULL ? strtoll(otherwise + strlen(" default "), NULL, 10) : 0;
    if (refers != NULL) {
        refers += strlen(" references ");
        snprintf(c->refers, sizeof c->refers, "%.*s", (int)strspn(refers, "abcdefghijklmnopqrstuvwxyz_"), refers);
    }
    if (primary || strstr(text, " unique") != NULL) {
        t->unique[t->n_unique].column[0] = t->n;
        t->unique[t->n_unique++].n = 1;
        t->numbered = t->numbered || (primary && strstr(text, " integer ") != NULL);
    }
    t->n++;
}

/** One item of what stands in the parentheses of "create table". */
static void take_item(struct ks_mem_table *t, const char *text)
{
    if (strncmp(text, "primary key(", 12) == 0 || strncmp(text, "unique(", 7) == 0) {
        take_unique(t, strchr(text, '('));
    } else {
        take_column(t, text);
    }
}

static void take_table(const struct ks_schema_row *row)
{
    struct ks_mem_table *t = &tables[n_tables++];
    char item[512];
    int depth = 0;
    size_t n = 0;
    t->name = row->table;
    for (const char *p = row->columns;; p++) {
        depth += (*p == '(') - (*p == ')');
        if (*p == '\0' || (*p == ',' && depth == 0)) {
            item[n] = '\0';
            take_item(t, item + strspn(item, " "));
            n = 0;
        } else if (n + 1 < sizeof item) {
            item[n++] = *p;
        }
        if (*p == '\0') {
            return;
        }
    }
}

static void take_schema(void)
{
    size_t n = 0;
    const struct ks_schema_row *row = ks_schema_rows(&n);
    for (size_t i = 0; i < n && n_tables < KS_MEM_TABLES; i++) {
        if (row[i].table != NULL) {
            take_table(&row[i]);
        }
    }
}

const struct ks_mem_table *ks_mem_tables(size_t *n)
{
    pthread_once(&once, take_schema);
    *n = n_tables;
    return tables;
}

size_t ks_mem_table_at(const char *name)
{
    size_t n = 0;
    const struct ks_mem_table *t = ks_mem_tables(&n);
    size_t i = 0;
    while (i < n && strcmp(t[i].name, name) != 0) {
        i++;
    }
    return i < n ? i : KS_MEM_TABLES;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

struct ks_value ks_mem_of_text(const char *s)
{
    return s != NULL ? (struct ks_value){.kind = KS_VALUE_TEXT, .p = (const uint8_t *)s, .n = strlen(s)}
                     : (struct ks_value){.kind = KS_VALUE_NULL};
}

struct ks_value ks_mem_of_octets(const void *p, size_t n)
{
    return p != NULL ? (struct ks_value){.kind = KS_VALUE_OCTETS, .p = p, .n = n}
                     : (struct ks_value){.kind = KS_VALUE_NULL};
}

int ks_mem_order(const struct ks_value *a, const struct ks_value *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->kind == KS_VALUE_NULL || a->kind == KS_VALUE_NUMBER) {
        return (a->number > b->number) - (a->number < b->number);
    }
    size_t n = a->n < b->n ? a->n : b->n;
    int order = n > 0 ? memcmp(a->p, b->p, n) : 0;
    return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

int ks_mem_no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

int ks_mem_conflict(const char *what, cs_error *e)
{
    return cs_error_set(e, CS_EXIT_CONFLICT, "conflict", "the change contradicts what is stored (%s)", what);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static struct ks_mem_row *row_make(const struct ks_value *v, size_t n)
{
    size_t size = sizeof(struct ks_mem_row) + n * sizeof *v;
    for (size_t i = 0; i < n; i++) {
        size += v[i].kind >= KS_VALUE_TEXT ? v[i].n + 1 : 0;
    }
    struct ks_mem_row *row = calloc(1, size);
    if (row == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)&row->value[n];
    atomic_init(&row->refs, 1);
    row->size = size;
    for (size_t i = 0; i < n; i++) {
        row->value[i] = (struct ks_value){.kind = v[i].kind, .number = v[i].kind == KS_VALUE_NUMBER ? v[i].number : 0};
        if (v[i].kind >= KS_VALUE_TEXT) {
            row->value[i].p = at;
            row->value[i].n = v[i].n;
            if (v[i].n > 0) {
                memcpy(at, v[i].p, v[i].n);
            }
            at += v[i].n + 1;
        }
    }
    return row;
}

static void row_drop(struct ks_mem_row *row)
{
    if (atomic_fetch_sub(&row->refs, 1) == 1) {
        OPENSSL_cleanse(row, row->size);
        free(row);
    }
}

static void rows_drop(struct ks_mem_rows *r)
{
    if (r != NULL && atomic_fetch_sub(&r->refs, 1) == 1) {
        for (size_t i = 0; i < r->n; i++) {
            row_drop(r->row[i]);
        }
        free(r->row);
        free(r);
    }
}

static struct ks_mem_rows *rows_make(size_t cap)
{
    struct ks_mem_rows *r = calloc(1, sizeof *r);
    if (r != NULL) {
        atomic_init(&r->refs, 1);
        r->cap = cap > 0 ? cap : 4;
        r->row = calloc(r->cap, sizeof(struct ks_mem_row *));
    }
    if (r != NULL && r->row == NULL) {
        free(r);
        r = NULL;
    }
    return r;
}

int ks_mem_state_make(struct ks_mem_state *s)
{
    size_t n = 0;
    int rc = 0;
    ks_mem_tables(&n);
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < n; i++) {
        s->rows[i] = rows_make(0);
        rc = s->rows[i] != NULL ? rc : -1;
    }
    if (rc != 0) {
        ks_mem_state_drop(s);
    }
    return rc;
}

void ks_mem_state_share(struct ks_mem_state *to, const struct ks_mem_state *from)
{
    *to = *from;
    for (size_t i = 0; i < KS_MEM_TABLES; i++) {
        if (to->rows[i] != NULL) {
            atomic_fetch_add(&to->rows[i]->refs, 1);
        }
    }
}

void ks_mem_state_drop(struct ks_mem_state *s)
{
    for (size_t i = 0; i < KS_MEM_TABLES; i++) {
        rows_drop(s->rows[i]);
        s->rows[i] = NULL;
    }
}

/** The rows of a table for writing: this handle's alone, with room for one more. */
static struct ks_mem_rows *own(struct ks_backend *b, size_t at)
{
    struct ks_mem_rows *r = b->now.rows[at];
    if (atomic_load(&r->refs) == 1 && r->n < r->cap) {
        return r;
    }
    struct ks_mem_rows *copy = rows_make(r->n * 2);
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < r->n; i++) {
        atomic_fetch_add(&r->row[i]->refs, 1);
        copy->row[i] = r->row[i];
    }
    copy->n = r->n;
    rows_drop(r);
    b->now.rows[at] = copy;
    return copy;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct ks_mem_scan ks_mem_scan(struct ks_backend *b, const char *table)
{
    size_t n = 0;
    size_t at = ks_mem_table_at(table);
    ks_mem_refresh(b);
    struct ks_mem_scan s = {.t = &ks_mem_tables(&n)[at], .rows = b->now.rows[at]};
    atomic_fetch_add(&s.rows->refs, 1);
    return s;
}

bool ks_mem_next(struct ks_mem_scan *s)
{
    if (s->at == s->rows->n) {
        ks_mem_done(s);
        return false;
    }
    s->row = s->rows->row[s->at++];
    return true;
}

void ks_mem_done(struct ks_mem_scan *s)
{
    rows_drop(s->rows);
    s->rows = NULL;
    s->row = NULL;
}

size_t ks_mem_count(const struct ks_mem_scan *s)
{
    return s->rows->n;
}

const struct ks_value *ks_mem_values(const struct ks_mem_row *row)
{
    return row->value;
}

const struct ks_value *ks_mem_value(const struct ks_mem_scan *s, const char *column)
{
    return &s->row->value[column_at(s->t, column, strlen(column))];
}

bool ks_mem_find(struct ks_backend *b, struct ks_mem_scan *s, const char *table, const char *column, struct ks_value v)
{
    *s = ks_mem_scan(b, table);
    while (ks_mem_next(s)) {
        if (ks_mem_order(ks_mem_value(s, column), &v) == 0) {
            return true;
        }
    }
    return false;
}

int64_t ks_mem_num(const struct ks_mem_scan *s, const char *column)
{
    return ks_mem_value(s, column)->number;
}

const char *ks_mem_text(const struct ks_mem_scan *s, const char *column)
{
    const struct ks_value *v = ks_mem_value(s, column);
    return v->kind == KS_VALUE_TEXT ? (const char *)v->p : "";
}

bool ks_mem_is(const struct ks_mem_scan *s, const char *column, const char *text)
{
    return strcmp(ks_mem_text(s, column), text) == 0;
}

bool ks_mem_is_null(const struct ks_mem_scan *s, const char *column)
{
    return ks_mem_value(s, column)->kind == KS_VALUE_NULL;
}

void ks_mem_octets(const struct ks_mem_scan *s, const char *column, uint8_t *out, size_t n)
{
    const struct ks_value *v = ks_mem_value(s, column);
    memset(out, 0, n);
    if (v->kind == KS_VALUE_OCTETS && v->n > 0) {
        memcpy(out, v->p, v->n < n ? v->n : n);
    }
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int may_write(const struct ks_backend *b, cs_error *e)
{
    return b->within && b->access != KS_READ
               ? 0
               : cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a write outside of a transaction that writes");
}

/** Do two rows agree in all columns of a key? Null agrees with nothing. */
static bool same_key(const struct ks_mem_table *t, size_t key, const struct ks_value *a, const struct ks_value *b)
{
    for (size_t i = 0; i < t->unique[key].n; i++) {
        size_t c = t->unique[key].column[i];
        if (a[c].kind == KS_VALUE_NULL || ks_mem_order(&a[c], &b[c]) != 0) {
            return false;
        }
    }
    return true;
}

static bool referred(const struct ks_backend *b, const char *table, const struct ks_value *v)
{
    size_t n = 0;
    size_t at = ks_mem_table_at(table);
    const struct ks_mem_table *t = &ks_mem_tables(&n)[at];
    const struct ks_mem_rows *r = b->now.rows[at];
    for (size_t i = 0; i < r->n; i++) {
        if (ks_mem_order(&r->row[i]->value[t->unique[0].column[0]], v) == 0) {
            return true;
        }
    }
    return false;
}

/** Null, references, keys: what holds for a row of every table; but: the row that it takes the place of. */
static int check(const struct ks_backend *b, size_t at, const struct ks_value *v, const struct ks_mem_row *but,
                 cs_error *e)
{
    size_t n = 0;
    char what[96];
    const struct ks_mem_table *t = &ks_mem_tables(&n)[at];
    const struct ks_mem_rows *r = b->now.rows[at];
    for (size_t i = 0; i < t->n; i++) {
        const struct ks_mem_column *c = &t->column[i];
        bool null = v[i].kind == KS_VALUE_NULL;
        if ((c->not_null && null) || (c->refers[0] != '\0' && !null && !referred(b, c->refers, &v[i]))) {
            snprintf(what, sizeof what, "%s.%s %s", t->name, c->name, null ? "is missing" : "refers to nothing");
            return ks_mem_conflict(what, e);
        }
    }
    for (size_t k = 0; k < t->n_unique; k++) {
        for (size_t i = 0; i < r->n; i++) {
            if (r->row[i] != but && same_key(t, k, v, r->row[i]->value)) {
                snprintf(what, sizeof what, "%s.%s is there already", t->name, t->column[t->unique[k].column[0]].name);
                return ks_mem_conflict(what, e);
            }
        }
    }
    return 0;
}

static int take_set(const struct ks_mem_table *t, struct ks_value *v, const struct ks_mem_set *set, size_t n,
                    cs_error *e)
{
    for (size_t i = 0; i < n; i++) {
        size_t c = column_at(t, set[i].column, strlen(set[i].column));
        if (c == t->n) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "%s has no column %s", t->name, set[i].column);
        }
        v[c] = set[i].value;
    }
    return 0;
}

static int64_t next_number(const struct ks_mem_rows *r, size_t column)
{
    int64_t most = 0;
    for (size_t i = 0; i < r->n; i++) {
        int64_t n = r->row[i]->value[column].number;
        most = n > most ? n : most;
    }
    return most + 1;
}

/** A row that is checked and judged, to take its place. NULL: refused. */
static struct ks_mem_row *row_new(struct ks_backend *b, size_t at, const struct ks_value *v,
                                  const struct ks_mem_row *before, cs_error *e)
{
    size_t n = 0;
    const struct ks_mem_table *t = &ks_mem_tables(&n)[at];
    if (check(b, at, v, before, e) != 0) {
        return NULL;
    }
    struct ks_mem_row *row = row_make(v, t->n);
    if (row == NULL) {
        ks_mem_no_memory(e);
    } else if (!b->loading && ks_mem_guard(b, t, before, row, e) != 0) {
        row_drop(row);
        row = NULL;
    }
    return row;
}

int ks_mem_insert(struct ks_backend *b, const char *table, const struct ks_mem_set *set, size_t n, int64_t *id,
                  cs_error *e)
{
    size_t all = 0;
    size_t at = ks_mem_table_at(table);
    const struct ks_mem_table *t = &ks_mem_tables(&all)[at];
    struct ks_value v[KS_MEM_COLUMNS];
    for (size_t i = 0; i < t->n; i++) {
        v[i] = (struct ks_value){.kind = t->column[i].has_default ? KS_VALUE_NUMBER : KS_VALUE_NULL,
                                 .number = t->column[i].otherwise};
    }
    if (may_write(b, e) != 0 || take_set(t, v, set, n, e) != 0) {
        return -1;
    }
    struct ks_mem_rows *r = own(b, at);
    if (r == NULL) {
        return ks_mem_no_memory(e);
    }
    struct ks_value *number = t->numbered ? &v[t->unique[0].column[0]] : NULL;
    if (number != NULL && number->kind == KS_VALUE_NULL) {
        *number = (struct ks_value){.kind = KS_VALUE_NUMBER, .number = next_number(r, t->unique[0].column[0])};
    }
    struct ks_mem_row *row = row_new(b, at, v, NULL, e);
    if (row == NULL) {
        return -1;
    }
    r->row[r->n++] = row;
    if (id != NULL && number != NULL) {
        *id = number->number;
    }
    return 0;
}

static size_t place_of(const struct ks_mem_rows *r, const struct ks_mem_row *row)
{
    size_t i = 0;
    while (i < r->n && r->row[i] != row) {
        i++;
    }
    return i;
}

int ks_mem_update(struct ks_backend *b, const struct ks_mem_scan *s, const struct ks_mem_set *set, size_t n,
                  cs_error *e)
{
    size_t at = ks_mem_table_at(s->t->name);
    struct ks_value v[KS_MEM_COLUMNS];
    memcpy(v, s->row->value, s->t->n * sizeof v[0]);
    if (may_write(b, e) != 0 || take_set(s->t, v, set, n, e) != 0) {
        return -1;
    }
    struct ks_mem_rows *r = own(b, at);
    if (r == NULL) {
        return ks_mem_no_memory(e);
    }
    size_t place = place_of(r, s->row);
    struct ks_mem_row *row = place < r->n ? row_new(b, at, v, s->row, e) : NULL;
    if (row == NULL) {
        return place < r->n ? -1 : cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a row of %s is gone", s->t->name);
    }
    row_drop(r->row[place]);
    r->row[place] = row;
    return 0;
}

int ks_mem_delete(struct ks_backend *b, const struct ks_mem_scan *s, cs_error *e)
{
    if (may_write(b, e) != 0 || (!b->loading && ks_mem_guard(b, s->t, s->row, NULL, e) != 0)) {
        return -1;
    }
    struct ks_mem_rows *r = own(b, ks_mem_table_at(s->t->name));
    if (r == NULL) {
        return ks_mem_no_memory(e);
    }
    size_t place = place_of(r, s->row);
    if (place < r->n) {
        row_drop(r->row[place]);
        memmove(&r->row[place], &r->row[place + 1], (r->n - place - 1) * sizeof(struct ks_mem_row *));
        r->n--;
    }
    return 0;
}
