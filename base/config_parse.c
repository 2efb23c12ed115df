/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_parse.c: recursive descent over statements and blocks, and the files they come from. After an error reading
 * goes on behind the statement, so that one run names all errors. Depth of blocks and includes is bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/config_tree.h"

struct source { /* a file being read, innermost first */
    const struct source *outer;
    dev_t device;
    ino_t inode;
    int depth;
};

struct parser {
    struct cs_conf *tree;
    struct cs_conf_report *report;
    struct conf_lexer lexer;
    struct conf_token pushed; /* given back by a rule that met the end of its block */
    bool has_pushed;
    const struct source *source; /* NULL: text from memory, which includes nothing */
};

typedef struct cs_conf_node **tail_t;

static void parse_file(struct cs_conf *tree, struct cs_conf_report *report, const char *file, struct conf_place at,
                       const struct source *outer, int block_depth, tail_t *tail);

static struct conf_token next(struct parser *p)
{
    if (p->has_pushed) {
        p->has_pushed = false;
        return p->pushed;
    }
    return conf_next(&p->lexer);
}

static void push(struct parser *p, struct conf_token t)
{
    p->pushed = t;
    p->has_pushed = true;
}

/* Read on behind the statement (and its block) in which something was wrong. */
static void skip_statement(struct parser *p, int level)
{
    for (;;) {
        struct conf_token t = next(p);
        if (t.kind == CONF_END || (t.kind == CONF_CLOSE && level == 0)) {
            push(p, t);
            return;
        }
        level += t.kind == CONF_OPEN;
        level -= t.kind == CONF_CLOSE;
        if (level == 0 && (t.kind == CONF_CLOSE || t.kind == CONF_END_STATEMENT)) {
            return;
        }
    }
}

static void append(tail_t *tail, struct cs_conf_node *node)
{
    **tail = node;
    *tail = &node->next;
}

/* include "file"; relative to the file that it stands in. */
static void include(struct parser *p, const struct cs_conf_node *node, int block_depth, tail_t *tail)
{
    struct conf_place at = {node->file, node->line, node->column};
    if (node->argc != 1 || node->has_block || node->arg[0].text[0] == '\0') {
        conf_error_at(p->report, at, "include takes the name of one file: include \"FILE\";");
        return;
    }
    const char *name = node->arg[0].text;
    if (p->source == NULL) {
        conf_error_at(p->report, at, "include is not possible here");
        return;
    }
    cs_buf path = CS_BUF_INIT;
    const char *slash = strrchr(node->file, '/');
    if (name[0] != '/' && slash != NULL) {
        cs_buf_add(&path, node->file, (size_t)(slash - node->file) + 1);
    }
    cs_buf_adds(&path, name);
    char *file = path.failed ? NULL : conf_text(p->tree, path.data, path.len);
    cs_buf_free(&path);
    if (file == NULL) {
        conf_error_at(p->report, at, "out of memory");
        return;
    }
    parse_file(p->tree, p->report, file, at, p->source, block_depth, tail);
}

/* Words and strings behind the name, up to what ends them, which goes to *end. @return 0, or -1: reported, statement to
 * be skipped */
static int parse_arguments(struct parser *p, struct cs_conf_node *node, struct conf_token *end)
{
    struct cs_conf_arg arg[CONF_ARGUMENTS];
    int argc = 0;
    struct conf_token t = next(p);
    while (t.kind == CONF_WORD || t.kind == CONF_STRING) {
        if (argc == CONF_ARGUMENTS) {
            conf_error_at(p->report, t.at, "\"%.64s\" has more than %d arguments", node->name, CONF_ARGUMENTS);
            return -1;
        }
        arg[argc++] = (struct cs_conf_arg){t.text, t.kind == CONF_STRING, t.at.line, t.at.column};
        t = next(p);
    }
    *end = t;
    if (t.kind == CONF_BAD) {
        return -1;
    }
    struct cs_conf_arg *copy = conf_alloc(p->tree, (size_t)argc * sizeof *copy + 1);
    if (copy == NULL) {
        conf_error_at(p->report, t.at, "out of memory");
        return -1;
    }
    if (argc != 0) {
        memcpy(copy, arg, (size_t)argc * sizeof *copy);
    }
    node->arg = copy;
    node->argc = argc;
    return 0;
}

static void parse_statements(struct parser *p, const struct conf_place *open, int block_depth, tail_t *tail);

static void parse_statement(struct parser *p, struct conf_token name, int block_depth, tail_t *tail)
{
    struct conf_token end;
    struct cs_conf_node *node = conf_alloc(p->tree, sizeof *node);
    if (node == NULL) {
        conf_error_at(p->report, name.at, "out of memory");
        skip_statement(p, 0);
        return;
    }
    node->file = name.at.file;
    node->line = name.at.line;
    node->column = name.at.column;
    node->name = name.text;
    if (parse_arguments(p, node, &end) != 0) {
        skip_statement(p, 0);
        return;
    }
    if (end.kind == CONF_CLOSE || end.kind == CONF_END) {
        conf_error_at(p->report, end.at, "';' is missing before %s",
                      end.kind == CONF_CLOSE ? "'}'" : "the end of the file");
        push(p, end);
    }
    node->has_block = end.kind == CONF_OPEN;
    if (node->has_block && block_depth == CONF_BLOCK_DEPTH) {
        conf_error_at(p->report, end.at, "blocks are nested deeper than %d", CONF_BLOCK_DEPTH);
        skip_statement(p, 1);
        return;
    }
    if (node->has_block) {
        tail_t inner = &node->child;
        parse_statements(p, &end.at, block_depth + 1, &inner);
    }
    if (strcmp(node->name, "include") == 0) {
        include(p, node, block_depth, tail);
    } else {
        append(tail, node);
    }
}

/* The statements of a block (open: where it began) or of a whole file (open NULL). */
static void parse_statements(struct parser *p, const struct conf_place *open, int block_depth, tail_t *tail)
{
    for (;;) {
        struct conf_token t = next(p);
        switch (t.kind) {
        case CONF_WORD: parse_statement(p, t, block_depth, tail); break;
        case CONF_END:
            if (open != NULL) {
                conf_error_at(p->report, *open, "the block is not closed; '}' is missing");
                push(p, t);
            }
            return;
        case CONF_CLOSE:
            if (open != NULL) {
                return;
            }
            conf_error_at(p->report, t.at, "'}' closes nothing");
            break;
        case CONF_END_STATEMENT: conf_error_at(p->report, t.at, "';' ends nothing; a block needs none"); break;
        case CONF_OPEN:
            conf_error_at(p->report, t.at, "a block without a name");
            skip_statement(p, 1);
            break;
        case CONF_STRING:
            conf_error_at(p->report, t.at, "a statement begins with its name, not with a string");
            skip_statement(p, 0);
            break;
        case CONF_BAD: skip_statement(p, 0); break;
        }
    }
}

static void parse_source(struct cs_conf *tree, struct cs_conf_report *report, const char *file, const char *text,
                         size_t n, const struct source *source, int block_depth, tail_t *tail)
{
    struct parser p = {.tree = tree, .report = report, .source = source};
    conf_lexer_init(&p.lexer, tree, report, file, text, n);
    parse_statements(&p, NULL, block_depth, tail);
}

/* All octets of fd. @return NULL, or why not (static text) */
static const char *read_all(int fd, cs_buf *out)
{
    for (;;) {
        if (cs_buf_reserve(out, 65536) != 0) {
            return "out of memory";
        }
        ssize_t n = read(fd, out->data + out->len, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return strerrordesc_np(errno);
        }
        if (n == 0) {
            return NULL;
        }
        out->len += (size_t)n;
        if (out->len > CONF_FILE_OCTETS) {
            return "larger than 1 MiB";
        }
    }
}

static bool is_open(const struct source *s, const struct stat *st)
{
    for (; s != NULL; s = s->outer) {
        if (s->device == st->st_dev && s->inode == st->st_ino) {
            return true;
        }
    }
    return false;
}

/* No memory: told by whatever needs some next. */
static void remember(struct cs_conf *tree, const char *file)
{
    struct conf_file *f = conf_alloc(tree, sizeof *f);
    char *name = f != NULL ? conf_text(tree, file, strlen(file)) : NULL;
    if (name == NULL) {
        return;
    }
    *f = (struct conf_file){name, tree->file};
    tree->file = f;
}

void cs_conf_each_file(const struct cs_conf *tree, void (*each)(void *ctx, const char *file), void *ctx)
{
    for (const struct conf_file *f = tree->file; f != NULL; f = f->next) {
        each(ctx, f->name);
    }
}

static void parse_file(struct cs_conf *tree, struct cs_conf_report *report, const char *file, struct conf_place at,
                       const struct source *outer, int block_depth, tail_t *tail)
{
    struct stat st;
    cs_buf text = CS_BUF_INIT;
    const char *why = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        why = strerrordesc_np(errno);
    } else if (S_ISDIR(st.st_mode)) {
        why = "it is a directory";
    } else if (outer != NULL && outer->depth == CONF_INCLUDE_DEPTH) {
        why = "includes are nested deeper than 8";
    } else if (is_open(outer, &st)) {
        why = "it includes itself";
    } else {
        why = read_all(fd, &text);
    }
    if (why == NULL && text.len > CONF_TOTAL_OCTETS - tree->octets) {
        why = "all files together are larger than 8 MiB";
    }
    if (why != NULL) {
        conf_error_at(report, at, "cannot read %.300s: %s", file, why);
    } else {
        struct source source = {outer, st.st_dev, st.st_ino, outer != NULL ? outer->depth + 1 : 0};
        tree->octets += text.len;
        remember(tree, file);
        parse_source(tree, report, file, text.data, text.len, &source, block_depth, tail);
    }
    cs_buf_free(&text);
    if (fd >= 0) {
        close(fd);
    }
}

void conf_parse_text(struct cs_conf *tree, struct cs_conf_report *report, const char *file, const char *text, size_t n)
{
    tail_t tail = &tree->root;
    if (n > CONF_FILE_OCTETS) {
        conf_error_at(report, (struct conf_place){file, 1, 1}, "larger than 1 MiB");
        return;
    }
    parse_source(tree, report, file, text, n, NULL, 0, &tail);
}

void conf_parse_file(struct cs_conf *tree, struct cs_conf_report *report, const char *file)
{
    tail_t tail = &tree->root;
    parse_file(tree, report, file, (struct conf_place){file, 1, 1}, NULL, 0, &tail);
}
