/* SPDX-License-Identifier: Apache-2.0 */
/* config_apply.c: read and check a configuration, then hand each folder the statements of its own rows. */
#include <stdlib.h>
#include <string.h>

#include "base/config_tree.h"

/* @return a tree that remembers its name, or NULL (reported) */
static struct cs_conf *new_tree(const char *name, struct cs_conf_report *report)
{
    struct cs_conf *t = calloc(1, sizeof *t);
    if (t != NULL) {
        t->name = conf_text(t, name, strlen(name));
        if (t->name != NULL) {
            return t;
        }
    }
    conf_error_at(report, (struct conf_place){name, 1, 1}, "out of memory");
    cs_conf_free(t);
    return NULL;
}

int cs_conf_read(const char *file, const struct cs_conf_table *tables, size_t n_tables, struct cs_conf **tree,
                 struct cs_conf_report *report)
{
    *tree = NULL;
    struct cs_conf *t = new_tree(file, report);
    if (t == NULL) {
        return -1;
    }
    conf_parse_file(t, report, t->name);
    conf_check(t, tables, n_tables, report);
    *tree = t;
    return conf_report_bad(report) ? -1 : 0;
}

int cs_conf_read_text(const char *name, const char *text, size_t n, const struct cs_conf_table *tables, size_t n_tables,
                      struct cs_conf **tree, struct cs_conf_report *report)
{
    *tree = NULL;
    struct cs_conf *t = new_tree(name, report);
    if (t == NULL) {
        return -1;
    }
    conf_parse_text(t, report, t->name, text, n);
    conf_check(t, tables, n_tables, report);
    *tree = t;
    return conf_report_bad(report) ? -1 : 0;
}

static bool is_row_of(const struct cs_conf_table *table, const struct cs_directive *row)
{
    return row != NULL && row >= table->row && row < table->row + table->n;
}

/* Depth is bounded by the parser. */
static void apply(const struct cs_conf_node *node, const struct cs_conf_table *table, void *parent,
                  struct cs_conf_report *report)
{
    for (; node != NULL; node = node->next) {
        if (node->bad || !is_row_of(table, node->row)) {
            continue;
        }
        void *child = node->row->set == NULL ? parent : NULL;
        if (node->row->set != NULL) {
            node->row->set(node, parent, &child, report);
        }
        /* no object for the block: the setter has refused it, or judges the statements inside itself */
        if (child != NULL && (node->row->flags & CS_DIR_FREE_BLOCK) == 0) {
            apply(node->child, table, child, report);
        }
    }
}

int cs_conf_apply(const struct cs_conf *tree, struct cs_conf_table table, void *root, struct cs_conf_report *report)
{
    apply(tree->root, &table, root, report);
    return conf_report_bad(report) ? -1 : 0;
}
