/* SPDX-License-Identifier: Apache-2.0 */
/* config_tree.h: what the parts of the configuration reader share among themselves; nobody else includes it. */
#ifndef CS_BASE_CONFIG_TREE_H
#define CS_BASE_CONFIG_TREE_H

#include "base/config.h"

#define CONF_FILE_OCTETS   ((size_t)1 << 20) /* one file */
#define CONF_TOTAL_OCTETS  ((size_t)8 << 20) /* all files of one configuration: includes of includes cannot multiply */
#define CONF_INCLUDE_DEPTH 8
#define CONF_BLOCK_DEPTH   16
#define CONF_ARGUMENTS     256 /* of one statement */

struct conf_memory; /* a piece of the arena */

struct cs_conf {
    struct conf_memory *memory; /* owned: nodes, arguments, texts; freed as a whole */
    struct cs_conf_node *root;
    const char *name; /* of the first file */
    struct conf_file {
        const char *name;
        struct conf_file *next;
    } * file;      /* those that were read, the last one first */
    size_t octets; /* read so far, all files */
};

/* n zeroed octets that live as long as the tree, NULL: no memory. */
void *conf_alloc(struct cs_conf *tree, size_t n);
/* A copy of n octets with NUL behind them, NULL: no memory. */
char *conf_text(struct cs_conf *tree, const char *s, size_t n);

/* ---- report ---- */
struct conf_place {
    const char *file;
    int line, column;
};
void conf_error_at(struct cs_conf_report *r, struct conf_place at, const char *fmt, ...) CS_PRINTF(3, 4);
bool conf_report_bad(const struct cs_conf_report *r); /* holds an error */

/* ---- lexer ---- */
enum conf_kind { CONF_WORD, CONF_STRING, CONF_END_STATEMENT, CONF_OPEN, CONF_CLOSE, CONF_END, CONF_BAD /* reported */ };

struct conf_token {
    enum conf_kind kind;
    const char *text; /* word or string, unescaped, lives as long as the tree */
    struct conf_place at;
};

struct conf_lexer {
    struct cs_conf *tree;
    struct cs_conf_report *report;
    const char *file;
    const char *p, *end; /* borrowed */
    const char *counted; /* column is that of this octet */
    int line, column;
};

void conf_lexer_init(struct conf_lexer *x, struct cs_conf *tree, struct cs_conf_report *report, const char *file,
                     const char *text, size_t n);
struct conf_token conf_next(struct conf_lexer *x);

/* ---- parser, checker ---- */

/* Statements of a text into tree->root; include is refused. Errors go to the report. */
void conf_parse_text(struct cs_conf *tree, struct cs_conf_report *report, const char *file, const char *text, size_t n);
/* The same for a file on disk and what it includes. */
void conf_parse_file(struct cs_conf *tree, struct cs_conf_report *report, const char *file);
/* Names, places, shapes, repetition, required words. Errors go to the report. */
void conf_check(struct cs_conf *tree, const struct cs_conf_table *tables, size_t n_tables,
                struct cs_conf_report *report);

#endif
