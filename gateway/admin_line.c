/* SPDX-License-Identifier: Apache-2.0 */
/* admin_line.c: see admin_line.h; and what each command of the admin socket does. An answer is one JSON object a line.
 */
#include "gateway/admin_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "gateway/admin_hold.h"
#include "gateway/admin_private.h"
#include "gateway/status.h"
#include "gateway/watch.h"

/* From p up to the end of the word. @return behind it, NULL: it is none */
static char *word_end(char *p, const char *end, bool quoted)
{
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (quoted ? c == '"' : c == ' ' || c == '\t') {
            return p;
        }
        if (c == '"' || c == 0x7f || c < (quoted ? ' ' : '!') || (c > 0x7f && !quoted)) {
            return NULL;
        }
    }
    return quoted ? NULL : p;
}

int admin_words_parse(const char *line, size_t n, struct admin_words *out)
{
    out->n = 0;
    if (n > ADMIN_LINE_MAX) {
        return -1;
    }
    memcpy(out->text, line, n);
    out->text[n] = '\0';
    for (char *p = out->text; p < out->text + n;) {
        if (*p == ' ' || *p == '\t') {
            *p++ = '\0';
            continue;
        }
        if (out->n == ADMIN_WORDS) {
            return -1;
        }
        bool quoted = *p == '"';
        out->word[out->n++] = p += quoted;
        p = word_end(p, out->text + n, quoted);
        if (p == NULL) {
            return -1;
        }
        if (quoted) {
            *p++ = '\0';
            if (p < out->text + n && *p != ' ' && *p != '\t') {
                return -1;
            }
        }
    }
    return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void answer_end(struct admin_conn *c, cs_json *j)
{
    cs_json_object_end(j);
    cs_buf_addc(&c->out, '\n');
    admin_send(c);
}

static void answer_begin(struct admin_conn *c, cs_json *j, const cs_error *e)
{
    cs_json_begin(j, &c->out);
    cs_json_object(j, NULL);
    cs_json_bool(j, "ok", e == NULL);
    if (e != NULL) {
        cs_json_int(j, "exit", e->exit_code);
        cs_json_str(j, "reason", e->reason);
        cs_json_str(j, "error", e->text);
    }
}

static void answer_error(struct admin_conn *c, int exit_code, const char *reason, const char *text)
{
    cs_json j;
    cs_error e = {0};
    cs_error_set(&e, exit_code, reason, "%s", text);
    answer_begin(c, &j, &e);
    answer_end(c, &j);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void do_status(struct admin_conn *c, const struct admin_words *w)
{
    (void)w;
    status_write(c->admin->gateway, &c->out);
    cs_buf_addc(&c->out, '\n');
    admin_send(c);
}

struct wish {
    struct watch_wish wish;
    struct admin *admin;
    uint64_t asker;
};

/* The watch thread is done with it; on the admin thread. */
static void reload_answer(struct loop *loop, struct mail *m)
{
    struct wish *w = (struct wish *)m;
    struct admin_conn *c = admin_asker(w->admin, w->asker);
    const struct watch_wish *done = &w->wish;
    cs_json j;
    (void)loop;
    if (c != NULL) {
        answer_begin(c, &j, done->error.exit_code != 0 ? &done->error : NULL);
        cs_json_int(&j, "generation", (int64_t)done->generation);
        cs_json_array(&j, "lines");
        for (size_t i = 0; i < done->report.n; i++) {
            cs_json_str(&j, NULL, done->report.line[i]);
        }
        cs_json_array_end(&j);
        answer_end(c, &j);
    }
    cs_conf_report_free(&w->wish.report);
    free(w);
}

static void do_reload(struct admin_conn *c, const struct admin_words *words)
{
    struct wish *w = calloc(1, sizeof *w);
    (void)words;
    if (w == NULL) {
        answer_error(c, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the reload");
        return;
    }
    w->admin = c->admin;
    w->asker = c->id;
    w->wish.reply_to = &c->admin->loop;
    w->wish.mail.deliver = reload_answer;
    c->waiting = true;
    watch_reload_wish(c->admin->gateway, &w->wish);
}

static void do_drain(struct admin_conn *c, const struct admin_words *w)
{
    cs_json j;
    (void)w;
    gateway_end(c->admin->gateway, false);
    answer_begin(c, &j, NULL);
    cs_json_int(&j, "in_flight", status_in_flight(c->admin->gateway));
    cs_json_int(&j, "connections", atomic_load(&c->admin->gateway->clients));
    answer_end(c, &j);
}

static void do_hold(struct admin_conn *c, const struct admin_words *w)
{
    bool hold = strcmp(w->word[0], "hold") == 0;
    ks_hold_outcome outcome;
    cs_error e = {0};
    cs_json j;
    char name[64];
    admin_caller(c->pid, c->uid, name, sizeof name);
    ks_actor who = {.name = name, .kind = "uid", .reason = w->n > 2 ? w->word[2] : NULL};
    if (admin_hold(c->admin->gateway, w->word[1], hold, &who, &outcome, &e) != 0) {
        answer_begin(c, &j, &e);
        answer_end(c, &j);
        return;
    }
    answer_begin(c, &j, NULL);
    cs_json_str(&j, "route", w->word[1]);
    cs_json_bool(&j, "held", hold);
    cs_json_bool(&j, "already", outcome.already);
    cs_json_time(&j, "since", outcome.hold.since);
    cs_json_str(&j, "by", outcome.hold.actor[0] != '\0' ? outcome.hold.actor : NULL);
    cs_json_int(&j, "generation", (int64_t)outcome.generation);
    answer_end(c, &j);
}

static void do_log_level(struct admin_conn *c, const struct admin_words *w)
{
    cs_json j;
    enum cs_log_level level;
    if (w->n > 1) {
        if (cs_log_level_parse(w->word[1], &level) != 0) {
            answer_error(c, CS_EXIT_USAGE, "log-level", "a log level is error, warn, notice, info or debug");
            return;
        }
        cs_log_set_level(level);
        cs_log(CS_LOG_NOTICE, "log-level", "the log level was changed", CS_STR("level", w->word[1]),
               CS_INT("uid", c->uid));
    }
    answer_begin(c, &j, NULL);
    cs_json_str(&j, "level", cs_log_level_word(cs_log_get_level()));
    answer_end(c, &j);
}

static const struct command {
    const char *word;
    unsigned least, most; /* words behind it */
    void (*run)(struct admin_conn *c, const struct admin_words *w);
} commands[] = {
    {"status", 0, 0, do_status}, {"reload", 0, 0, do_reload}, {"drain", 0, 0, do_drain},
    {"hold", 1, 2, do_hold},     {"release", 1, 2, do_hold},  {"log-level", 0, 1, do_log_level},
};

static void run_line(struct admin_conn *c, const char *line, size_t n)
{
    struct admin_words w;
    if (admin_words_parse(line, n, &w) != 0) {
        answer_error(c, CS_EXIT_USAGE, "admin-line",
                     "a line is a command and up to 3 words; one with blanks stands in double quotes");
        return;
    }
    for (size_t i = 0; w.n > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *row = &commands[i];
        if (strcmp(row->word, w.word[0]) == 0) {
            if (w.n - 1 < row->least || w.n - 1 > row->most) {
                answer_error(c, CS_EXIT_USAGE, "admin-line", "too few or too many words behind the command");
            } else {
                cs_log(CS_LOG_INFO, "admin", "a command came over the admin socket", CS_STR("command", row->word),
                       CS_INT("uid", c->uid), CS_INT("pid", c->pid));
                row->run(c, &w);
            }
            return;
        }
    }
    answer_error(c, CS_EXIT_USAGE, "admin-line", "the commands are status, reload, drain, hold, release and log-level");
}

bool admin_line_step(struct admin_conn *c)
{
    char *end = c->in.len > 0 ? memchr(c->in.data, '\n', c->in.len) : NULL;
    if (end == NULL) {
        if (c->in.len > ADMIN_LINE_MAX + 1) {
            conn_close(&c->conn);
        }
        return false;
    }
    size_t used = (size_t)(end - c->in.data) + 1;
    size_t n = used - 1;
    if (n > 0 && c->in.data[n - 1] == '\r') {
        n--;
    }
    run_line(c, c->in.data, n);
    memmove(c->in.data, c->in.data + used, c->in.len - used);
    c->in.len -= used;
    return true;
}
