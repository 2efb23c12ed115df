/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h: the configuration grammar (nginx-like): statements end in ';', blocks in { }, '#' comments, quoted strings,
 * include "file";. Two steps: cs_conf_read() gives a tree checked against the joined directive tables (grammar, names,
 * argument shapes, block membership), cs_conf_apply() hands each folder its own statements. All errors are collected
 * as file:line:column: message, with the nearest known word for a misspelt one.
 */
#ifndef CS_BASE_CONFIG_H
#define CS_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct cs_conf_arg {
    const char *text; /**< unquoted and unescaped */
    bool quoted;
    int line, column; /**< 1-based */
};

struct cs_conf_node {
    const char *file; /**< as named by the user; lives as long as the tree */
    int line, column;
    const char *name;
    const struct cs_conf_arg *arg; /**< arguments behind the name */
    int argc;
    bool has_block;
    bool bad;                          /**< refused by the checker: cs_conf_apply() passes it over */
    const struct cs_directive *row;    /**< the row it was checked against */
    struct cs_conf_node *child, *next; /**< first statement of the block; next statement of the same block */
};

/** Errors found; all of them, in order. */
struct cs_conf_report {
    char **line; /**< owned: "file:line:column: message" */
    size_t n;
    bool warning_only; /**< no error among them */
};

enum {
    CS_DIR_REPEAT = 1 /**< may stand several times in one block */,
    CS_DIR_REQUIRED = 2,
    CS_DIR_RESTART = 4 /**< a change needs a restart */,
    CS_DIR_FREE_BLOCK = 8 /**< statements inside are taken as they are: word arguments; (the setter judges) */
};

/**
 * One row per directive. args is its shape, words separated by blanks: word string name number duration size time
 * address yes-no on-off, or a|b|c (one of, literals and kinds mixed); "?" behind: optional; "+": one or more;
 * "*": any number.
 *
 * word: not empty, no blank (may be quoted); string: anything; name: [A-Za-z0-9._-], at most 64; time: RFC 3339 or a
 * date.
 */
struct cs_directive {
    const char *name;
    const char *block; /**< kind of block it stands in; "" = top level; several: "request|response" */
    const char *args;
    const char *opens; /**< kind of block it opens, or NULL; a trailing '?': the block may be left out */
    unsigned flags;
    const char *deflt;                      /**< default as text, NULL: none */
    const char *help;                       /**< one sentence */
    const char *example_good, *example_bad; /**< for the table test; without the enclosing block */
    /** Take the statement into parent (object of the enclosing block); for a block give its object in *child: left
     * NULL, the statements inside are passed over. Errors go to the report. set NULL: nothing to take, the block's
     * object is parent. */
    void (*set)(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
};

struct cs_conf_table {
    const struct cs_directive *row;
    size_t n;
};

struct cs_conf; /* a read tree */

/**
 * Read file (and includes, depth 8) and check it against all tables. @return 0; -1: see report. In either case *tree is
 * owned by the caller (NULL: no memory): after -1 it may still be applied, so that the setters name their errors in the
 * same run; nothing may work with the outcome.
 */
int cs_conf_read(const char *file, const struct cs_conf_table *tables, size_t n_tables, struct cs_conf **tree,
                 struct cs_conf_report *report);
/** The same from memory (tests, fuzz); name stands for the file; includes are refused. */
int cs_conf_read_text(const char *name, const char *text, size_t n, const struct cs_conf_table *tables, size_t n_tables,
                      struct cs_conf **tree, struct cs_conf_report *report);
/** Call the setters of one folder's rows, outer statement first; statements of other tables' rows are passed over. root
 * is the parent of top-level statements. @return 0; -1: the report holds an error */
int cs_conf_apply(const struct cs_conf *tree, struct cs_conf_table table, void *root, struct cs_conf_report *report);
const struct cs_conf_node *cs_conf_root(const struct cs_conf *tree); /**< first top-level statement */
/** Each file that was read, the last one first; names as the user wrote them. */
void cs_conf_each_file(const struct cs_conf *tree, void (*each)(void *ctx, const char *file), void *ctx);
void cs_conf_free(struct cs_conf *tree);

/** Add an error at a node or argument (arg -1: the name). */
void cs_conf_error(struct cs_conf_report *r, const struct cs_conf_node *node, int arg, const char *fmt, ...)
    CS_PRINTF(4, 5);
void cs_conf_warn(struct cs_conf_report *r, const struct cs_conf_node *node, int arg, const char *fmt, ...)
    CS_PRINTF(4, 5);
/** Add the lines of from. @return 0, or -1: no memory, some may be missing */
int cs_conf_report_copy(struct cs_conf_report *to, const struct cs_conf_report *from) CS_MUST_CHECK;
void cs_conf_report_free(struct cs_conf_report *r);

#endif
