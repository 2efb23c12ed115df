/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: structured logging. One line per fact: a stable event word, a short sentence, typed fields.
 * Format "human" (a terminal) or "json" (one object per line). Any thread; a line is one write(2).
 * Never a payload, a secret or key octets; content of a peer only as a field (escaped and cut here).
 */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum cs_log_level { CS_LOG_ERROR, CS_LOG_WARN, CS_LOG_NOTICE, CS_LOG_INFO, CS_LOG_DEBUG };
enum cs_log_format { CS_LOG_HUMAN, CS_LOG_JSON };

struct cs_field {
    const char *name; /**< NULL ends the list */
    enum { CS_FIELD_STR, CS_FIELD_INT, CS_FIELD_BOOL } kind;
    const char *s;
    int64_t i;
};

#define CS_STR(name, value)                                                                                            \
    {                                                                                                                  \
        (name), CS_FIELD_STR, (value), 0                                                                               \
    }
#define CS_INT(name, value)                                                                                            \
    {                                                                                                                  \
        (name), CS_FIELD_INT, NULL, (int64_t)(value)                                                                   \
    }
#define CS_BOOL(name, value)                                                                                           \
    {                                                                                                                  \
        (name), CS_FIELD_BOOL, NULL, (value) ? 1 : 0                                                                   \
    }

/** Set once by main before other threads. fd is borrowed. Default: human, NOTICE, stderr. */
void cs_log_setup(enum cs_log_format format, enum cs_log_level level, int fd);
/** From now on. Any thread. */
void cs_log_set_level(enum cs_log_level level);
enum cs_log_level cs_log_get_level(void);
const char *cs_log_level_word(enum cs_log_level level);
/** @return 0, or -1: no such level */
int cs_log_level_parse(const char *word, enum cs_log_level *level);
bool cs_log_on(enum cs_log_level level);
void cs_log_fields(enum cs_log_level level, const char *event, const char *sentence, const struct cs_field *fields);

/** cs_log(CS_LOG_WARN, "keystore-stale", "the last snapshot stays in force", CS_STR("why", text)); */
#define cs_log(level, event, ...)                                                                                      \
    do {                                                                                                               \
        if (cs_log_on(level)) {                                                                                        \
            CS_LOG_PICK(level, event, __VA_ARGS__, {0});                                                               \
        }                                                                                                              \
    } while (0)
#define CS_LOG_PICK(level, event, sentence, ...)                                                                       \
    cs_log_fields((level), (event), (sentence), (const struct cs_field[]){__VA_ARGS__})

#endif
