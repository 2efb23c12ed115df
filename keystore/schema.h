/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.h: the tables of the keystore, as rows: one per table, with the version that brought it. A new store is made
 * by running all of them in order, an older one is upgraded by running those above its version: both end alike.
 *
 * How the schema grows: raise KS_SCHEMA_VERSION (store.h) once per release, append rows of that version. A new fact
 * gets a new table: then a store of the version before works, its missing tables read as empty, until "keystore init
 * --upgrade" has run. A column added to an old table breaks that, and the test of old stores with it.
 */
#ifndef KS_SCHEMA_H
#define KS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

struct ks_schema_row {
    int version;         /**< that brought it */
    const char *table;   /**< name; NULL: only extra */
    const char *columns; /**< what stands in the parentheses; types integer, text, blob */
    bool keyed;          /**< primary key of its own, no row number (SQLite: without rowid) */
    const char *extra;   /**< indexes and triggers, NULL: none */
};

const struct ks_schema_row *ks_schema_rows(size_t *n);

/** A table whose rows the audit holds word by word: what decides about certificates. Counters and what nodes say of
 *  themselves are not among them. */
struct ks_schema_audit {
    const char *table;
    const char *key;    /**< columns that name a row for good, blanks between */
    const char *except; /**< condition on a column, for rows that are no decision; NULL: none */
};

const struct ks_schema_audit *ks_schema_audited(size_t *n);

#endif
