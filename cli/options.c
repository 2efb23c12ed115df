/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c: the command line against the tables. Global options may stand anywhere; those of a command behind its
 * name. What the tables say of a value (time, duration, number, words) is checked here, once for every command.
 */
#include "cli/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct cli_option cli_global_options[] = {
    {"config", 'c', CLI_FILE, "FILE", 0,
     "configuration; else $COUNTERSIGN_CONF, else /etc/countersign/countersign.conf"},
    {"keystore", 0, CLI_TEXT, "URI", 0, "keystore (sqlite:PATH) instead of the configuration's"},
    {"now", 0, CLI_TIME, "TIME", 0, "act as if it were this time (rehearsal, tests)"},
    {"json", 0, CLI_FLAG, NULL, 0, "results as one JSON object per line"},
    {"quiet", 'q', CLI_FLAG, NULL, 0, "no messages, only results, warnings and errors"},
    {"verbose", 'v', CLI_FLAG, NULL, 0, "more messages"},
    {"version", 0, CLI_FLAG, NULL, 0, "versions of countersign and its libraries"},
    {"help", 'h', CLI_FLAG, NULL, 0, "this text"},
    {0},
};

struct cli_parsed {
    size_t n;
    struct {
        const struct cli_option *option;
        const char *value;
    } use[];
};

struct scan {
    int argc, at;
    char *const *argv;
    bool only_operands; /* behind "--" */
    struct cli_call *call;
};

static int problem(struct cli_call *call, const char *fmt, ...) CS_PRINTF(2, 3);
static int problem(struct cli_call *call, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(call->problem, sizeof call->problem, fmt, ap);
    va_end(ap);
    return -1;
}

void cli_command_words(const struct cli_command *command, char *out, size_t size)
{
    if (command->parent != NULL) {
        snprintf(out, size, "%s %s", command->parent, command->name);
    } else {
        cs_copy(out, size, command->name);
    }
}

/* ---- look-ups ------------------------------------------------------------------------------------------------ */

static const struct cli_option *find_in(const struct cli_option *table, const char *name, size_t n, char letter)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (letter != 0 ? table->letter == letter : strlen(table->name) == n && memcmp(table->name, name, n) == 0) {
            return table;
        }
    }
    return NULL;
}

static const struct cli_option *find_option(const struct cli_call *call, const char *name, size_t n, char letter)
{
    const struct cli_option *own = call->command != NULL ? find_in(call->command->options, name, n, letter) : NULL;
    return own != NULL ? own : find_in(cli_global_options, name, n, letter);
}

static const char *nearest_option(const struct cli_call *call, const char *name, size_t name_n)
{
    char wanted[64];
    const char *words[128] = {NULL};
    const struct cli_option *tables[] = {cli_global_options, call->command != NULL ? call->command->options : NULL};
    size_t n = 0;
    if (name_n >= sizeof wanted) {
        return NULL;
    }
    memcpy(wanted, name, name_n);
    wanted[name_n] = '\0';
    for (size_t t = 0; t < 2; t++) {
        for (const struct cli_option *o = tables[t]; o != NULL && o->name != NULL && n + 1 < 128; o++) {
            if ((o->flags & CLI_HIDDEN) == 0) {
                words[n++] = o->name;
            }
        }
    }
    return cs_nearest(wanted, words);
}

static const struct cli_command *find_command(const char *group, const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const char *parent = cli_commands[i]->parent != NULL ? cli_commands[i]->parent : "";
        if (strcmp(parent, group) == 0 && strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

/* A group of that name has commands ("keystore"). */
static bool is_group(const char *group)
{
    size_t n = strlen(group);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const char *parent = cli_commands[i]->parent;
        if (parent != NULL && strncmp(parent, group, n) == 0 && (parent[n] == '\0' || parent[n] == ' ')) {
            return true;
        }
    }
    return false;
}

/* The command or group whose name is nearest to name in the group. */
static const char *nearest_command(const char *group, const char *name)
{
    const char *words[256] = {NULL};
    static const char *const groups[] = {"keystore", "rollover", "archive"};
    size_t n = 0;
    for (size_t i = 0; cli_commands[i] != NULL && n + 1 < 256; i++) {
        const char *parent = cli_commands[i]->parent != NULL ? cli_commands[i]->parent : "";
        if (strcmp(parent, group) == 0 && !cli_commands[i]->hidden) {
            words[n++] = cli_commands[i]->name;
        }
    }
    for (size_t i = 0; group[0] == '\0' && i < sizeof groups / sizeof groups[0] && n + 1 < 256; i++) {
        if (is_group(groups[i])) {
            words[n++] = groups[i];
        }
    }
    return cs_nearest(name, words);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static bool is_word_list(const char *value)
{
    return strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

static bool in_word_list(const char *list, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = list; *p != '\0';) {
        size_t m = strcspn(p, "|");
        if (m == n && memcmp(p, value, n) == 0) {
            return true;
        }
        p += m + (p[m] == '|');
    }
    return false;
}

static bool parse_number(const char *value, int64_t *out)
{
    size_t n = strlen(value);
    if (n == 0 || n > 18 || strspn(value, "0123456789") != n) {
        return false;
    }
    *out = (int64_t)strtoll(value, NULL, 10);
    return true;
}

static int check_value(struct cli_call *call, const struct cli_option *o, const char *value)
{
    cs_time t = 0;
    int64_t number = 0;
    switch (o->kind) {
    case CLI_FLAG: return 0;
    case CLI_TIME:
        return cs_time_parse(value, &t) == 0
                   ? 0
                   : problem(call, "--%s: \"%.64s\" is not a time as 2026-08-02T22:40:10Z", o->name, value);
    case CLI_DURATION:
        return cs_duration_parse(value, &number) == 0
                   ? 0
                   : problem(call, "--%s: \"%.64s\" is not a duration as 300s, 12h or 90d", o->name, value);
    case CLI_NUMBER:
        return parse_number(value, &number) ? 0 : problem(call, "--%s: \"%.64s\" is not a number", o->name, value);
    case CLI_TEXT:
    case CLI_FILE: break;
    }
    if (value[0] == '\0') {
        return problem(call, "--%s: the value is empty", o->name);
    }
    if (o->value != NULL && is_word_list(o->value) && !in_word_list(o->value, value)) {
        return problem(call, "--%s: \"%.64s\" is none of %s", o->name, value, o->value);
    }
    return 0;
}

static bool is_global(const struct cli_option *o)
{
    for (const struct cli_option *g = cli_global_options; g->name != NULL; g++) {
        if (g == o) {
            return true;
        }
    }
    return false;
}

static int take(struct cli_call *call, const struct cli_option *o, const char *value)
{
    struct cli_parsed *p = call->parsed;
    if (check_value(call, o, value) != 0) {
        return -1;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (p->use[i].option == o && (o->flags & CLI_REPEAT) == 0 && !is_global(o) && o->kind != CLI_FLAG) {
            return problem(call, "--%s is given twice", o->name);
        }
    }
    p->use[p->n].option = o;
    p->use[p->n++].value = value;
    call->help |= strcmp(o->name, "help") == 0;
    call->version |= strcmp(o->name, "version") == 0;
    return 0;
}

/* ---- the line ------------------------------------------------------------------------------------------------ */

/* The value of an option that stands in the next argument. NULL: there is none (problem is set). */
static const char *next_value(struct scan *s, const char *shown)
{
    const char *value = s->at < s->argc ? s->argv[s->at] : NULL;
    if (value == NULL || (strncmp(value, "--", 2) == 0 && value[2] != '\0')) {
        problem(s->call, "%s needs a value", shown);
        return NULL;
    }
    s->at++;
    return value;
}

static int take_long(struct scan *s, const char *arg)
{
    const char *name = arg + 2;
    size_t n = strcspn(name, "=");
    const struct cli_option *o = find_option(s->call, name, n, 0);
    if (o == NULL) {
        const char *near = nearest_option(s->call, name, n);
        return near != NULL
                   ? problem(s->call, "unknown option --%.*s; did you mean --%s?", (int)(n > 64 ? 64 : n), name, near)
                   : problem(s->call, "unknown option --%.*s", (int)(n > 64 ? 64 : n), name);
    }
    if (o->kind == CLI_FLAG) {
        return name[n] == '=' ? problem(s->call, "--%s takes no value", o->name) : take(s->call, o, "");
    }
    const char *value = name[n] == '=' ? name + n + 1 : next_value(s, arg);
    return value == NULL ? -1 : take(s->call, o, value);
}

/* -q, -qv, -o OUT, -oOUT */
static int take_short(struct scan *s, const char *arg)
{
    for (const char *p = arg + 1; *p != '\0'; p++) {
        const struct cli_option *o = find_option(s->call, NULL, 0, *p);
        if (o == NULL) {
            return problem(s->call, "unknown option -%c", *p >= 0x20 && *p < 0x7f ? *p : '?');
        }
        if (o->kind == CLI_FLAG) {
            if (take(s->call, o, "") != 0) {
                return -1;
            }
            continue;
        }
        const char shown[] = {'-', *p, '\0'};
        const char *value = p[1] != '\0' ? p + 1 : next_value(s, shown);
        return value == NULL ? -1 : take(s->call, o, value);
    }
    return 0;
}

/* A word that names the command, or continues a group's name. */
static int take_command(struct scan *s, const char *word)
{
    struct cli_call *call = s->call;
    char longer[sizeof call->group];
    call->command = find_command(call->group, word);
    if (call->command != NULL) {
        return 0;
    }
    if (call->group[0] == '\0' && strcmp(word, "help") == 0) {
        call->help = true;
        return 0;
    }
    int n = snprintf(longer, sizeof longer, "%s%s%.32s", call->group, call->group[0] != '\0' ? " " : "", word);
    if (n > 0 && (size_t)n < sizeof longer && word[0] != '\0' && strchr(word, ' ') == NULL && is_group(longer)) {
        memcpy(call->group, longer, sizeof longer);
        return 0;
    }
    const char *near = nearest_command(call->group, word);
    const char *of = call->group[0] != '\0' ? " of " : "";
    return near != NULL
               ? problem(call, "unknown command \"%.64s\"%s%s; did you mean \"%s\"?", word, of, call->group, near)
               : problem(call, "unknown command \"%.64s\"%s%s", word, of, call->group);
}

static int take_next(struct scan *s)
{
    const char *arg = s->argv[s->at++];
    if (!s->only_operands && strcmp(arg, "--") == 0) {
        s->only_operands = true;
        return 0;
    }
    if (!s->only_operands && strncmp(arg, "--", 2) == 0) {
        return take_long(s, arg);
    }
    if (!s->only_operands && arg[0] == '-' && arg[1] != '\0') {
        return take_short(s, arg);
    }
    if (s->call->command == NULL) {
        return take_command(s, arg);
    }
    s->call->operand[s->call->n_operand++] = arg;
    return 0;
}

static int check_call(struct cli_call *call)
{
    const struct cli_command *c = call->command;
    if (call->help || call->version) {
        return 0;
    }
    if (c == NULL) {
        return call->group[0] != '\0' ? problem(call, "\"%s\" needs a command behind it", call->group)
                                      : problem(call, "a command is missing");
    }
    for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
        if ((o->flags & CLI_NEEDED) != 0 && cli_parsed_value(call->parsed, o->name) == NULL) {
            return problem(call, "--%s %s is missing", o->name, o->value != NULL ? o->value : "");
        }
    }
    if (call->n_operand < c->min_operands) {
        return problem(call, "an argument is missing: %s", c->operands != NULL ? c->operands : "");
    }
    if (c->max_operands >= 0 && call->n_operand > c->max_operands) {
        return problem(call, "too many arguments: \"%.128s\"", call->operand[c->max_operands]);
    }
    return 0;
}

int cli_parse(int argc, char *const argv[], struct cli_call *call)
{
    memset(call, 0, sizeof *call);
    size_t room = argc > 0 ? (size_t)argc : 1;
    size_t longest = 1; /* "-qqq" gives one use per letter */
    for (int i = 0; i < argc; i++) {
        longest += strlen(argv[i]);
    }
    call->operand = calloc(room + 1, sizeof *call->operand);
    call->parsed = calloc(1, sizeof *call->parsed + (room + longest) * sizeof call->parsed->use[0]);
    if (call->operand == NULL || call->parsed == NULL) {
        return problem(call, "out of memory");
    }
    struct scan s = {argc, 1, argv, false, call};
    while (s.at < argc) {
        if (take_next(&s) != 0) {
            return -1;
        }
    }
    return check_call(call);
}

void cli_call_free(struct cli_call *call)
{
    free(call->parsed);
    free(call->operand);
    memset(call, 0, sizeof *call);
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

const char *cli_parsed_value(const struct cli_parsed *parsed, const char *name)
{
    for (size_t i = parsed->n; i > 0; i--) {
        if (strcmp(parsed->use[i - 1].option->name, name) == 0) {
            return parsed->use[i - 1].value;
        }
    }
    return NULL;
}

const char *cli_option(const struct cli_context *c, const char *name)
{
    return cli_parsed_value(c->parsed, name);
}

const char *cli_option_nth(const struct cli_context *c, const char *name, size_t nth)
{
    for (size_t i = 0; i < c->parsed->n; i++) {
        if (strcmp(c->parsed->use[i].option->name, name) == 0 && nth-- == 0) {
            return c->parsed->use[i].value;
        }
    }
    return NULL;
}

bool cli_given(const struct cli_context *c, const char *name)
{
    return cli_option(c, name) != NULL;
}

bool cli_option_time(const struct cli_context *c, const char *name, cs_time *out)
{
    const char *value = cli_option(c, name);
    return value != NULL && cs_time_parse(value, out) == 0;
}

bool cli_option_duration(const struct cli_context *c, const char *name, int64_t *ms)
{
    const char *value = cli_option(c, name);
    return value != NULL && cs_duration_parse(value, ms) == 0;
}

bool cli_option_number(const struct cli_context *c, const char *name, int64_t *out)
{
    const char *value = cli_option(c, name);
    return value != NULL && parse_number(value, out);
}
