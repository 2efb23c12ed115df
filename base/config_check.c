/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check.c: a parsed tree against the joined rows of all folders: known name, right block, shape of arguments,
 * repetition, required words. What no row allows is refused with the nearest word that one does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_tree.h"
#include "base/text.h"
#include "base/time.h"

#define WORDS_MAX 512

struct check {
    const struct cs_conf_table *table;
    size_t n_table;
    struct cs_conf_report *report;
    const char *file; /* of the tree, for errors without a node */
};

/* ---- shapes -------------------------------------------------------------------------------------------------- */

static bool shape_word(const struct cs_conf_arg *a)
{
    return a->text[0] != '\0' && strpbrk(a->text, " \t") == NULL;
}

static bool shape_string(const struct cs_conf_arg *a)
{
    (void)a;
    return true;
}

static bool shape_name(const struct cs_conf_arg *a)
{
    size_t n = strlen(a->text);
    return n >= 1 && n <= 64 && a->text[0] != '-' && a->text[0] != '.' &&
           strspn(a->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static bool shape_number(const struct cs_conf_arg *a)
{
    size_t n = strlen(a->text);
    return n >= 1 && n <= 18 && strspn(a->text, "0123456789") == n;
}

static bool shape_duration(const struct cs_conf_arg *a)
{
    int64_t ms = 0;
    return cs_duration_parse(a->text, &ms) == 0;
}

static bool shape_size(const struct cs_conf_arg *a)
{
    uint64_t octets = 0;
    return cs_size_parse(a->text, &octets) == 0;
}

/* RFC 3339, or a date alone (its first second, UTC). */
static bool shape_time(const struct cs_conf_arg *a)
{
    char text[32];
    cs_time t = 0;
    if (strlen(a->text) == 10 && cs_copy(text, sizeof text, a->text)) {
        memcpy(text + 10, "T00:00:00Z", sizeof "T00:00:00Z");
        return cs_time_parse(text, &t) == 0;
    }
    return cs_time_parse(a->text, &t) == 0;
}

/* HOST:PORT, [IPV6]:PORT; whether the host exists is for its user to find out. */
static bool shape_address(const struct cs_conf_arg *a)
{
    const char *colon = strrchr(a->text, ':');
    if (colon == NULL || colon == a->text) {
        return false;
    }
    size_t host = (size_t)(colon - a->text);
    size_t digits = strlen(colon + 1);
    bool bracketed = a->text[0] == '[' && colon[-1] == ']' && host > 2;
    bool plain = strcspn(a->text, "[]:/ ") == host;
    return (bracketed || plain) && digits >= 1 && digits <= 5 && strspn(colon + 1, "0123456789") == digits &&
           strtoul(colon + 1, NULL, 10) <= 65535;
}

static bool shape_yes_no(const struct cs_conf_arg *a)
{
    return strcmp(a->text, "yes") == 0 || strcmp(a->text, "no") == 0;
}

static bool shape_on_off(const struct cs_conf_arg *a)
{
    return strcmp(a->text, "on") == 0 || strcmp(a->text, "off") == 0;
}

static const struct shape {
    const char *name;
    bool (*fits)(const struct cs_conf_arg *a);
    const char *meaning;
} shapes[] = {
    {"word", shape_word, "a word"},
    {"string", shape_string, "a string"},
    {"name", shape_name, "a name (letters, digits, . _ -, at most 64)"},
    {"number", shape_number, "a number"},
    {"duration", shape_duration, "a duration as 500ms, 300s, 12h or 90d"},
    {"size", shape_size, "a size as 512, 64k or 10M"},
    {"time", shape_time, "a date as 2027-06-30 or a time as 2027-06-30T12:00:00Z"},
    {"address", shape_address, "an address as 127.0.0.1:8080 or [::1]:8080"},
    {"yes-no", shape_yes_no, "yes|no"},
    {"on-off", shape_on_off, "on|off"},
};

static const struct shape *find_shape(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strlen(shapes[i].name) == n && memcmp(shapes[i].name, name, n) == 0) {
            return &shapes[i];
        }
    }
    return NULL;
}

/* One alternative after the other of "a|b|number". rest moves on. @return length of the alternative, 0: no more */
static size_t next_word(const char **rest, size_t *left, const char **word, char separator)
{
    if (*left == 0) {
        return 0;
    }
    const char *end = memchr(*rest, separator, *left);
    size_t n = end != NULL ? (size_t)(end - *rest) : *left;
    *word = *rest;
    *rest += n + (end != NULL);
    *left -= n + (end != NULL);
    return n;
}

static bool literal_fits(const struct cs_conf_arg *a, const char *word, size_t n)
{
    return strlen(a->text) == n && memcmp(a->text, word, n) == 0;
}

static bool fits(const struct cs_conf_arg *a, const char *spec, size_t n)
{
    const char *word = NULL;
    for (size_t m = next_word(&spec, &n, &word, '|'); m != 0; m = next_word(&spec, &n, &word, '|')) {
        const struct shape *shape = find_shape(word, m);
        bool taken = shape != NULL ? shape->fits(a) : literal_fits(a, word, m);
        if (taken) {
            return true;
        }
    }
    return false;
}

/* What spec asks for, in words: "yes|no" stays, "duration" is explained. */
static const char *spec_meaning(const char *spec, size_t n, char *out, size_t size)
{
    size_t len = 0;
    const char *word = NULL;
    out[0] = '\0';
    for (size_t m = next_word(&spec, &n, &word, '|'); m != 0; m = next_word(&spec, &n, &word, '|')) {
        const struct shape *shape = find_shape(word, m);
        const char *text = shape != NULL ? shape->meaning : word;
        size_t text_n = shape != NULL ? strlen(text) : m;
        if (len + text_n + 5 > size) {
            break;
        }
        if (len != 0) {
            memcpy(out + len, " | ", 3);
            len += 3;
        }
        memcpy(out + len, text, text_n);
        len += text_n;
        out[len] = '\0';
    }
    return out;
}

/* The literal of spec that the user may have meant, or NULL. */
static const char *nearest_literal(const char *text, const char *spec, size_t n, char *store, size_t size)
{
    const char *words[WORDS_MAX / 8] = {NULL};
    size_t n_words = 0;
    const char *word = NULL;
    size_t used = 0;
    for (size_t m = next_word(&spec, &n, &word, '|'); m != 0; m = next_word(&spec, &n, &word, '|')) {
        if (find_shape(word, m) != NULL || used + m + 1 > size || n_words + 1 >= sizeof words / sizeof words[0]) {
            continue;
        }
        memcpy(store + used, word, m);
        store[used + m] = '\0';
        words[n_words++] = store + used;
        used += m + 1;
    }
    return cs_nearest(text, words);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static bool stands_in(const struct cs_directive *row, const char *block)
{
    const char *rest = row->block;
    size_t left = strlen(rest);
    const char *word = NULL;
    if (left == 0) {
        return block[0] == '\0';
    }
    for (size_t n = next_word(&rest, &left, &word, '|'); n != 0; n = next_word(&rest, &left, &word, '|')) {
        if (strlen(block) == n && memcmp(block, word, n) == 0) {
            return true;
        }
    }
    return false;
}

static const struct cs_directive *find_row(const struct check *k, const char *name, const char *block)
{
    for (size_t t = 0; t < k->n_table; t++) {
        for (size_t i = 0; i < k->table[t].n; i++) {
            const struct cs_directive *row = &k->table[t].row[i];
            if (strcmp(row->name, name) == 0 && (block == NULL || stands_in(row, block))) {
                return row;
            }
        }
    }
    return NULL;
}

static bool opens(const struct cs_directive *row, const char *block, size_t n)
{
    return row->opens != NULL && strncmp(row->opens, block, n) == 0 &&
           (row->opens[n] == '\0' || strcmp(row->opens + n, "?") == 0);
}

/* Blocks as people write them: kinds are internal words ("policy-limits"), the directive that opens one is not. */
static const char *block_words(const struct check *k, const char *blocks, char *out, size_t size)
{
    size_t left = strlen(blocks);
    size_t used = 0;
    const char *word = NULL;
    cs_copy(out, size, blocks[0] != '\0' ? "" : "no block (top level)");
    for (size_t n = next_word(&blocks, &left, &word, '|'); n != 0; n = next_word(&blocks, &left, &word, '|')) {
        const struct cs_directive *opener = NULL;
        for (size_t t = 0; t < k->n_table && opener == NULL; t++) {
            for (size_t i = 0; i < k->table[t].n && opener == NULL; i++) {
                opener = opens(&k->table[t].row[i], word, n) ? &k->table[t].row[i] : NULL;
            }
        }
        if (opener != NULL && used + strlen(opener->name) + 2 < size) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used != 0 ? "|" : "", opener->name);
        }
    }
    return out;
}

static void report_unknown(const struct check *k, const struct cs_conf_node *node, const char *block,
                           const char *block_name)
{
    char where[128];
    const char *words[WORDS_MAX] = {NULL};
    size_t n = 0;
    const struct cs_directive *elsewhere = find_row(k, node->name, NULL);
    if (elsewhere != NULL) {
        cs_conf_error(k->report, node, -1, "\"%s\" does not stand here; it stands in: %s", node->name,
                      block_words(k, elsewhere->block, where, sizeof where));
        return;
    }
    for (size_t t = 0; t < k->n_table; t++) {
        for (size_t i = 0; i < k->table[t].n && n + 1 < WORDS_MAX; i++) {
            if (stands_in(&k->table[t].row[i], block)) {
                words[n++] = k->table[t].row[i].name;
            }
        }
    }
    if (n + 1 < WORDS_MAX) {
        words[n++] = "include";
    }
    const char *near = cs_nearest(node->name, words);
    const char *in = block_name[0] != '\0' ? " in " : "";
    if (near != NULL) {
        cs_conf_error(k->report, node, -1, "unknown directive \"%.64s\"%s%s; did you mean \"%s\"?", node->name, in,
                      block_name, near);
    } else {
        cs_conf_error(k->report, node, -1, "unknown directive \"%.64s\"%s%s", node->name, in, block_name);
    }
}

/* A forgotten ';' makes the next statement an argument: then say so. @return true: said */
static bool report_swallowed(const struct check *k, const struct cs_conf_node *node, int from)
{
    for (int i = from > 0 ? from : 0; i < node->argc; i++) {
        int line = i == 0 ? node->line : node->arg[i - 1].line;
        if (node->arg[i].line > line && !node->arg[i].quoted && find_row(k, node->arg[i].text, NULL) != NULL) {
            cs_conf_error(k->report, node, i, "';' is missing before \"%s\" (the statement \"%s\" of line %d)",
                          node->arg[i].text, node->name, node->line);
            return true;
        }
    }
    return false;
}

/* @return true: the arguments have the shape of the row */
static bool check_arguments(const struct check *k, const struct cs_conf_node *node)
{
    const char *rest = node->row->args;
    size_t left = strlen(rest);
    const char *spec = NULL;
    char text[512];
    int at = 0;
    for (size_t n = next_word(&rest, &left, &spec, ' '); n != 0; n = next_word(&rest, &left, &spec, ' ')) {
        char mark = spec[n - 1];
        bool many = mark == '+' || mark == '*';
        bool may_lack = mark == '?' || mark == '*';
        n -= many || may_lack;
        int taken = 0;
        while (at < node->argc && (taken == 0 || many) && fits(&node->arg[at], spec, n)) {
            at++;
            taken++;
        }
        if (taken != 0 || may_lack) {
            continue;
        }
        if (at == node->argc) {
            cs_conf_error(k->report, node, -1, "\"%s\" lacks %s", node->name, spec_meaning(spec, n, text, sizeof text));
        } else if (!report_swallowed(k, node, at)) {
            char store[512];
            const char *near = nearest_literal(node->arg[at].text, spec, n, store, sizeof store);
            cs_conf_error(k->report, node, at, "\"%.64s\" is not %s%s%s%s", node->arg[at].text,
                          spec_meaning(spec, n, text, sizeof text), near != NULL ? "; did you mean \"" : "",
                          near != NULL ? near : "", near != NULL ? "\"?" : "");
        }
        return false;
    }
    if (at < node->argc) {
        if (!report_swallowed(k, node, at)) {
            cs_conf_error(k->report, node, at, "\"%s\" does not take \"%.64s\"", node->name, node->arg[at].text);
        }
        return false;
    }
    return true;
}

/* Kind of the block that a row opens, without the '?' of one that may be left out. NULL: none */
static const char *opened_block(const struct cs_directive *row, char *store, size_t size)
{
    if (row->opens == NULL || !cs_copy(store, size, row->opens)) {
        return NULL;
    }
    size_t n = strlen(store);
    if (n != 0 && store[n - 1] == '?') {
        store[n - 1] = '\0';
    }
    return store;
}

static bool check_block_mark(const struct check *k, const struct cs_conf_node *node)
{
    const char *opens = node->row->opens;
    if (node->has_block && opens == NULL) {
        if (!report_swallowed(k, node, 0)) {
            cs_conf_error(k->report, node, -1, "\"%s\" has no block; it ends in ';'", node->name);
        }
        return false;
    }
    if (!node->has_block && opens != NULL && (opens[0] == '\0' || opens[strlen(opens) - 1] != '?')) {
        cs_conf_error(k->report, node, -1, "\"%s\" needs a block { … }", node->name);
        return false;
    }
    return true;
}

/* @return true: it stands there for the first time, or may be repeated */
static bool check_repeated(const struct check *k, const struct cs_conf_node *first, const struct cs_conf_node *node)
{
    if ((node->row->flags & CS_DIR_REPEAT) != 0) {
        return true;
    }
    for (const struct cs_conf_node *earlier = first; earlier != node; earlier = earlier->next) {
        if (earlier->row == node->row) {
            cs_conf_error(k->report, node, -1, "\"%s\" stands already in line %d of %s", node->name, earlier->line,
                          earlier->file);
            return false;
        }
    }
    return true;
}

static void check_required(const struct check *k, const struct cs_conf_node *parent, const struct cs_conf_node *first,
                           const char *block)
{
    for (size_t t = 0; t < k->n_table; t++) {
        for (size_t i = 0; i < k->table[t].n; i++) {
            const struct cs_directive *row = &k->table[t].row[i];
            const struct cs_conf_node *node = first;
            if ((row->flags & CS_DIR_REQUIRED) == 0 || !stands_in(row, block)) {
                continue;
            }
            while (node != NULL && node->row != row) {
                node = node->next;
            }
            if (node == NULL && parent != NULL) {
                cs_conf_error(k->report, parent, -1, "\"%s\" lacks \"%s\"", parent->name, row->name);
            } else if (node == NULL) {
                conf_error_at(k->report, (struct conf_place){k->file, 1, 1}, "the file lacks \"%s\"", row->name);
            }
        }
    }
}

/* One block; its depth is bounded by the parser. */
static void check_block(const struct check *k, struct cs_conf_node *parent, struct cs_conf_node *first,
                        const char *block)
{
    char opened[64];
    for (struct cs_conf_node *node = first; node != NULL; node = node->next) {
        node->row = find_row(k, node->name, block);
        if (node->row == NULL) {
            node->bad = true;
            report_unknown(k, node, block, parent != NULL ? parent->name : "");
            continue;
        }
        /* one error per statement, the others would only follow from it; its block is looked at anyway */
        node->bad = !check_arguments(k, node) || !check_repeated(k, first, node) || !check_block_mark(k, node);
        const char *inner = opened_block(node->row, opened, sizeof opened);
        if (node->has_block && inner != NULL && (node->row->flags & CS_DIR_FREE_BLOCK) == 0) {
            check_block(k, node, node->child, inner);
        }
    }
    check_required(k, parent, first, block);
}

void conf_check(struct cs_conf *tree, const struct cs_conf_table *tables, size_t n_tables,
                struct cs_conf_report *report)
{
    struct check k = {tables, n_tables, report, tree->name};
    check_block(&k, NULL, tree->root, "");
}
