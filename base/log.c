/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c: one line per fact, written with one write(2) so that lines of threads and processes do not mix. No lock is
 * taken; the line is built in memory of the caller and freed behind it.
 */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#define FIELD_OCTETS 512 /* what a field of a peer may take; the rest is cut */

/* Written by cs_log_setup() before other threads exist; afterwards only the level changes. */
static enum cs_log_format log_format = CS_LOG_HUMAN;
static _Atomic int log_level = CS_LOG_NOTICE;
static int log_fd = STDERR_FILENO;

static const char *const level_word[] = {"error", "warn", "notice", "info", "debug"};

void cs_log_setup(enum cs_log_format format, enum cs_log_level level, int fd)
{
    log_format = format;
    atomic_store(&log_level, (int)level);
    log_fd = fd;
}

void cs_log_set_level(enum cs_log_level level)
{
    atomic_store(&log_level, (int)level);
}

enum cs_log_level cs_log_get_level(void)
{
    return (enum cs_log_level)atomic_load(&log_level);
}

const char *cs_log_level_word(enum cs_log_level level)
{
    return (unsigned)level <= CS_LOG_DEBUG ? level_word[level] : "?";
}

int cs_log_level_parse(const char *word, enum cs_log_level *level)
{
    for (unsigned i = 0; i <= CS_LOG_DEBUG; i++) {
        if (strcmp(level_word[i], word) == 0) {
            *level = (enum cs_log_level)i;
            return 0;
        }
    }
    return -1;
}

bool cs_log_on(enum cs_log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* Cut at FIELD_OCTETS, but not inside a UTF-8 sequence. */
static size_t field_length(const char *s)
{
    size_t n = strnlen(s, FIELD_OCTETS + 1);
    if (n <= FIELD_OCTETS) {
        return n;
    }
    n = FIELD_OCTETS;
    while (n > FIELD_OCTETS - 4 && ((unsigned char)s[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

static void write_json(cs_buf *b, enum cs_log_level level, const char *event, const char *sentence,
                       const struct cs_field *f)
{
    cs_json j;
    cs_json_begin(&j, b);
    cs_json_object(&j, NULL);
    cs_json_time_ms(&j, "t", cs_clock_now_ms());
    cs_json_str(&j, "level", level_word[level]);
    cs_json_str(&j, "event", event);
    cs_json_str(&j, "message", sentence);
    for (; f->name != NULL; f++) {
        if (f->kind == CS_FIELD_STR && f->s == NULL) {
            cs_json_null(&j, f->name);
        } else if (f->kind == CS_FIELD_STR) {
            cs_json_strn(&j, f->name, f->s, field_length(f->s));
        } else if (f->kind == CS_FIELD_INT) {
            cs_json_int(&j, f->name, f->i);
        } else {
            cs_json_bool(&j, f->name, f->i != 0);
        }
    }
    cs_json_object_end(&j);
    cs_buf_addc(b, '\n');
}

static bool is_plain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c == '"' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return n != 0;
}

static void write_human(cs_buf *b, enum cs_log_level level, const char *event, const char *sentence,
                        const struct cs_field *f)
{
    char stamp[CS_TIME_TEXT];
    cs_buf_addf(b, "%s %s %s: %s", cs_time_format(cs_clock_now(), stamp), level_word[level], event, sentence);
    for (; f->name != NULL; f++) {
        cs_buf_addf(b, " %s=", f->name);
        if (f->kind == CS_FIELD_INT) {
            cs_buf_addf(b, "%lld", (long long)f->i);
        } else if (f->kind == CS_FIELD_BOOL) {
            cs_buf_adds(b, f->i != 0 ? "yes" : "no");
        } else if (f->s == NULL) {
            cs_buf_addc(b, '-');
        } else if (is_plain(f->s, field_length(f->s))) {
            cs_buf_add(b, f->s, field_length(f->s));
        } else {
            cs_json j;
            cs_json_begin(&j, b);
            cs_json_strn(&j, NULL, f->s, field_length(f->s));
        }
    }
    cs_buf_addc(b, '\n');
}

void cs_log_fields(enum cs_log_level level, const char *event, const char *sentence, const struct cs_field *fields)
{
    static const char no_memory[] = "error log-no-memory: a log line was lost\n";
    cs_buf b = CS_BUF_INIT;
    int saved = errno; /* callers report errno after logging */
    if (log_format == CS_LOG_JSON) {
        write_json(&b, level, event, sentence, fields);
    } else {
        write_human(&b, level, event, sentence, fields);
    }
    /* a line that cannot be written has nowhere left to be told */
    (void)(b.failed ? cs_write_all(log_fd, no_memory, sizeof no_memory - 1) : cs_write_all(log_fd, b.data, b.len));
    cs_buf_free(&b);
    errno = saved;
}
