/* SPDX-License-Identifier: Apache-2.0 */
/* config_report.c: the list of what is wrong with a configuration, one line each; and the memory of a read tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config_tree.h"

#define REPORT_LINES 200 /* a file of pure nonsense must not fill the terminal, or the memory */
#define LINE_OCTETS  1024

struct conf_memory {
    struct conf_memory *next;
    size_t used, size;
    max_align_t octets[];
};

void *conf_alloc(struct cs_conf *tree, size_t n)
{
    const size_t align = sizeof(max_align_t);
    struct conf_memory *m = tree->memory;
    if (n > CONF_TOTAL_OCTETS * 4) {
        return NULL;
    }
    n = (n + align - 1) / align * align;
    if (m == NULL || m->size - m->used < n) {
        size_t size = n > 16384 ? n : 16384;
        m = calloc(1, sizeof *m + size);
        if (m == NULL) {
            return NULL;
        }
        m->size = size;
        m->next = tree->memory;
        tree->memory = m;
    }
    void *p = (char *)m->octets + m->used;
    m->used += n;
    return p;
}

char *conf_text(struct cs_conf *tree, const char *s, size_t n)
{
    char *copy = conf_alloc(tree, n + 1);
    if (copy != NULL && n != 0) {
        memcpy(copy, s, n);
    }
    return copy;
}

void cs_conf_free(struct cs_conf *tree)
{
    if (tree == NULL) {
        return;
    }
    while (tree->memory != NULL) {
        struct conf_memory *next = tree->memory->next;
        free(tree->memory);
        tree->memory = next;
    }
    free(tree);
}

const struct cs_conf_node *cs_conf_root(const struct cs_conf *tree)
{
    return tree->root;
}

bool conf_report_bad(const struct cs_conf_report *r)
{
    return r->n != 0 && !r->warning_only;
}

/* Peers do not write configurations, but editors leave control characters: they must not reach a terminal. */
static void make_printable(char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < 0x20 || *line == 0x7f) {
            *line = '?';
        }
    }
}

/* Room doubles: a list of 2^k lines is full. */
static int append(struct cs_conf_report *r, const char *line)
{
    if ((r->n & (r->n - 1)) == 0) {
        size_t cap = r->n == 0 ? 1 : r->n * 2;
        char **grown = reallocarray(r->line, cap, sizeof *grown);
        if (grown == NULL) {
            return -1;
        }
        r->line = grown;
    }
    r->line[r->n] = strdup(line);
    if (r->line[r->n] == NULL) {
        return -1;
    }
    r->n++;
    return 0;
}

static void add_line(struct cs_conf_report *r, bool warning, struct conf_place at, const char *fmt, va_list ap)
    CS_PRINTF(4, 0);
static void add_line(struct cs_conf_report *r, bool warning, struct conf_place at, const char *fmt, va_list ap)
{
    char line[LINE_OCTETS];
    r->warning_only = warning && (r->n == 0 || r->warning_only);
    if (r->n > REPORT_LINES) {
        return;
    }
    int head = snprintf(line, sizeof line, "%.400s:%d:%d: %s", at.file, at.line, at.column, warning ? "warning: " : "");
    if (r->n == REPORT_LINES) {
        snprintf(line, sizeof line, "%.400s: more errors are not shown", at.file);
    } else if (head > 0 && (size_t)head < sizeof line) {
        vsnprintf(line + head, sizeof line - (size_t)head, fmt, ap);
    }
    make_printable(line);
    if (append(r, line) != 0) {
        r->warning_only = false;
    }
}

int cs_conf_report_copy(struct cs_conf_report *to, const struct cs_conf_report *from)
{
    to->warning_only = from->warning_only && (to->n == 0 || to->warning_only);
    for (size_t i = 0; i < from->n; i++) {
        if (append(to, from->line[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

void conf_error_at(struct cs_conf_report *r, struct conf_place at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(r, false, at, fmt, ap);
    va_end(ap);
}

static struct conf_place place_of(const struct cs_conf_node *node, int arg)
{
    struct conf_place at = {node->file, node->line, node->column};
    if (arg >= 0 && arg < node->argc) {
        at.line = node->arg[arg].line;
        at.column = node->arg[arg].column;
    }
    return at;
}

void cs_conf_error(struct cs_conf_report *r, const struct cs_conf_node *node, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(r, false, place_of(node, arg), fmt, ap);
    va_end(ap);
}

void cs_conf_warn(struct cs_conf_report *r, const struct cs_conf_node *node, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_line(r, true, place_of(node, arg), fmt, ap);
    va_end(ap);
}

void cs_conf_report_free(struct cs_conf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->line[i]);
    }
    free(r->line);
    memset(r, 0, sizeof *r);
}
