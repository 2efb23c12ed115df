/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h: what the files of the in-memory driver share. Tables are made from the one schema (schema.h): columns, keys,
 * what may not be null, what refers to what. Rows never change: a table is an array of pointers to rows, shared by
 * whoever looks at it, and copied by the transaction that writes. So a reader keeps what it began with, a rollback
 * drops the copy, and what a transaction touched is the difference of the two.
 */
#ifndef KS_MEM_H
#define KS_MEM_H

#include "keystore/schema.h"
#include "keystore/store.h"

#define KS_MEM_COLUMNS 48
#define KS_MEM_TABLES  48
#define KS_MEM_KEY     4

struct ks_mem_column {
    char name[32], refers[32]; /**< refers: table whose key it holds; "" none */
    bool not_null, has_default;
    int64_t otherwise; /**< its default */
};

struct ks_mem_table {
    const char *name;
    struct ks_mem_column column[KS_MEM_COLUMNS];
    size_t n;
    bool numbered; /**< one integer is its primary key, given out here where it is null */
    struct {
        size_t column[KS_MEM_KEY];
        size_t n;
    } unique[KS_MEM_KEY]; /**< [0] the primary key, if it has one */
    size_t n_unique;
};

struct ks_mem_row;  /* counted; never changes */
struct ks_mem_rows; /* the rows of a table at a moment; counted */

struct ks_mem_state {
    struct ks_mem_rows *rows[KS_MEM_TABLES];
};

struct ks_mem_base; /* of one name, shared by its handles */

struct ks_backend {
    struct ks_mem_base *base; /**< lives until the process ends */
    struct ks_mem_state now;  /**< as this handle sees it */
    struct ks_mem_state from; /**< as the transaction found it */
    enum ks_access access;
    bool within, read_only, loading;
    int busy_ms;
    uint64_t seen, told;
};

/** A walk over the rows of a table as they are when it begins; writing does not disturb it. */
struct ks_mem_scan {
    const struct ks_mem_table *t;
    struct ks_mem_rows *rows;
    size_t at;
    const struct ks_mem_row *row; /**< where it stands */
};

struct ks_mem_set {
    const char *column;
    struct ks_value value;
};

/* store_mem.c */
/** Outside of a transaction: what others committed meanwhile. */
void ks_mem_refresh(struct ks_backend *b);

/* mem_table.c */
const struct ks_mem_table *ks_mem_tables(size_t *n); /**< in the order of the schema */
size_t ks_mem_table_at(const char *name);            /**< KS_MEM_TABLES: there is none */
int ks_mem_state_make(struct ks_mem_state *s);       /**< empty tables. @return 0, -1 no memory */
void ks_mem_state_share(struct ks_mem_state *to, const struct ks_mem_state *from);
void ks_mem_state_drop(struct ks_mem_state *s);

struct ks_mem_scan ks_mem_scan(struct ks_backend *b, const char *table);
/** Go to the next row. At the end (or when stopped early: ks_mem_done) the rows are let go. */
bool ks_mem_next(struct ks_mem_scan *s);
void ks_mem_done(struct ks_mem_scan *s);
size_t ks_mem_count(const struct ks_mem_scan *s);
/** The row whose column is v; the scan stands on it and must be ended. @return false: none, ended already */
bool ks_mem_find(struct ks_backend *b, struct ks_mem_scan *s, const char *table, const char *column, struct ks_value v);
const struct ks_value *ks_mem_value(const struct ks_mem_scan *s, const char *column);
const struct ks_value *ks_mem_values(const struct ks_mem_row *row);
int64_t ks_mem_num(const struct ks_mem_scan *s, const char *column);      /**< null: 0 */
const char *ks_mem_text(const struct ks_mem_scan *s, const char *column); /**< null: "" */
bool ks_mem_is(const struct ks_mem_scan *s, const char *column, const char *text);
bool ks_mem_is_null(const struct ks_mem_scan *s, const char *column);
void ks_mem_octets(const struct ks_mem_scan *s, const char *column, uint8_t *out, size_t n);
/** Null, numbers, text, octets; within a kind by value. */
int ks_mem_order(const struct ks_value *a, const struct ks_value *b);

struct ks_value ks_mem_of_text(const char *s); /**< NULL: null. Borrowed */
struct ks_value ks_mem_of_octets(const void *p, size_t n);
#define MEM_NUM(c, v)                                                                                                  \
    {                                                                                                                  \
        (c),                                                                                                           \
        {                                                                                                              \
            .kind = KS_VALUE_NUMBER, .number = (int64_t)(v)                                                            \
        }                                                                                                              \
    }
#define MEM_TEXT(c, s)                                                                                                 \
    {                                                                                                                  \
        (c), ks_mem_of_text(s)                                                                                         \
    }
#define MEM_OCT(c, p, n)                                                                                               \
    {                                                                                                                  \
        (c), ks_mem_of_octets((p), (n))                                                                                \
    }
#define MEM_NULL(c)                                                                                                    \
    {                                                                                                                  \
        (c),                                                                                                           \
        {                                                                                                              \
            .kind = KS_VALUE_NULL                                                                                      \
        }                                                                                                              \
    }
#define MEM_COUNT(set) (sizeof(set) / sizeof(set)[0])

/** @param id of a numbered table: the number given; may be NULL */
int ks_mem_insert(struct ks_backend *b, const char *table, const struct ks_mem_set *set, size_t n, int64_t *id,
                  cs_error *e);
/** The row on which s stands. */
int ks_mem_update(struct ks_backend *b, const struct ks_mem_scan *s, const struct ks_mem_set *set, size_t n,
                  cs_error *e);
int ks_mem_delete(struct ks_backend *b, const struct ks_mem_scan *s, cs_error *e);
int ks_mem_no_memory(cs_error *e);
int ks_mem_conflict(const char *what, cs_error *e);

/* mem_guard.c: what no bug may ever commit, as the schema says it in SQL; before NULL: insert, after NULL: delete */
int ks_mem_guard(struct ks_backend *b, const struct ks_mem_table *t, const struct ks_mem_row *before,
                 const struct ks_mem_row *after, cs_error *e);
/** The partial indexes over all rows, after a load. */
int ks_mem_guard_all(struct ks_backend *b, cs_error *e);

/* mem_touch.c */
int ks_mem_touched_count(struct ks_backend *b, uint64_t *n, cs_error *e);
int ks_mem_touched(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);
int ks_mem_contents(struct ks_backend *b, ks_visit_content *visit, void *ctx, cs_error *e);
int ks_mem_dump(struct ks_backend *b, ks_visit_dump *visit, void *ctx, cs_error *e);
int ks_mem_load_begin(struct ks_backend *b, cs_error *e);
int ks_mem_load(struct ks_backend *b, const char *table, const char *const *column, const struct ks_value *value,
                size_t n, cs_error *e);
int ks_mem_load_end(struct ks_backend *b, cs_error *e);

/** The functions of store.h by noun: each file fills its own into the driver's table. */
struct ks_driver;
void ks_mem_entry_functions(struct ks_driver *d);
void ks_mem_life_functions(struct ks_driver *d);
void ks_mem_renewal_functions(struct ks_driver *d);
void ks_mem_key_functions(struct ks_driver *d);
void ks_mem_log_functions(struct ks_driver *d);
void ks_mem_node_functions(struct ks_driver *d);
void ks_mem_use_functions(struct ks_driver *d);

#endif
