/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h: what a sub-command of countersign is, and what it is called with. One table row per command and per
 * option drives parsing, --help, the man page synopsis and shell completion. A command file exports
 * `const struct cli_command cli_cmd_NAME` and stands in the list of commands.c.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/time.h"

enum cli_kind {
    CLI_FLAG,     /**< no value */
    CLI_TEXT,     /**< any text, not empty */
    CLI_FILE,     /**< a path */
    CLI_TIME,     /**< RFC 3339; read with cli_option_time() */
    CLI_DURATION, /**< as 300s; read with cli_option_duration() */
    CLI_NUMBER    /**< decimal, not negative; read with cli_option_number() */
};

enum {
    CLI_HIDDEN = 1 /**< not shown in --help (tests) */,
    CLI_REPEAT = 2 /**< may be given several times */,
    CLI_NEEDED = 4 /**< usage error when it is missing */
};

struct cli_option {
    const char *name; /**< without dashes; NULL ends a table */
    char letter;      /**< as -o; 0: none */
    enum cli_kind kind;
    const char *value; /**< word for the value in help ("TIME"); words without a capital ("a|b|c") are enforced; NULL
                          for flags */
    unsigned flags;
    const char *help; /**< one line */
};

struct cli_context;
struct cli_settings;

struct cli_command {
    const char *parent; /**< "keystore", "rollover", "archive"; NULL: top level. "keystore audit" for a third word */
    const char *name;
    const char *summary;              /**< one line, no full stop */
    const char *operands;             /**< as shown in help ("FILE…|-"), NULL: none */
    int min_operands, max_operands;   /**< max -1: any number */
    const struct cli_option *options; /**< ends with {0}; NULL: only the global ones. Static */
    const char *more;                 /**< text under the option list of --help (examples, exit codes), or NULL */
    bool hidden;
    /** @return exit code. Prints results on stdout; after a failure: return cli_fail(c) */
    int (*run)(struct cli_context *c);
};

/** One call of a command. Everything in it is borrowed by the command and lives until run() returns. */
struct cli_context {
    const struct cli_command *command;
    int argc; /**< operands */
    const char *const *argv;
    cs_time now; /**< --now, else the clock, read once */
    bool now_given;
    bool json, quiet, verbose;
    bool color;                          /**< stderr is a terminal and NO_COLOR is not set */
    const char *config_file;             /**< -c, else $COUNTERSIGN_CONF, else the default path */
    bool config_file_given;              /**< by -c or by the environment: then it must be readable */
    const char *keystore_uri;            /**< --keystore, or NULL */
    const struct cli_settings *settings; /**< of the keystore that is open; borrowed */
    cs_error error;                      /**< for cli_fail() */
    const struct cli_parsed *parsed;     /* option values; options.c */
};

/** Value of an option of this command, NULL: not given. The last one where it was repeated. */
const char *cli_option(const struct cli_context *c, const char *name);
/** i-th value of a CLI_REPEAT option, NULL: no more. */
const char *cli_option_nth(const struct cli_context *c, const char *name, size_t i);
/** A flag, or an option with value, was given. */
bool cli_given(const struct cli_context *c, const char *name);
/** Values that the parser has checked. @return false: not given, *out untouched */
bool cli_option_time(const struct cli_context *c, const char *name, cs_time *out);
bool cli_option_duration(const struct cli_context *c, const char *name, int64_t *ms);
bool cli_option_number(const struct cli_context *c, const char *name, int64_t *out);

/** Print c->error on stderr ("countersign: sentence [reason]"). @return its exit code (70 if it is empty) */
int cli_fail(struct cli_context *c);
/** A usage error found by the command itself; prints it and where help is. @return 64 */
int cli_usage(struct cli_context *c, const char *fmt, ...) CS_PRINTF(2, 3);
/** A sentence for people on stderr; nothing with -q. */
void cli_say(const struct cli_context *c, const char *fmt, ...) CS_PRINTF(2, 3);
/** As cli_say, for warnings ("warning: …"); also with -q. */
void cli_warn(const struct cli_context *c, const char *fmt, ...) CS_PRINTF(2, 3);
/** Only with -v. */
void cli_detail(const struct cli_context *c, const char *fmt, ...) CS_PRINTF(2, 3);

/** All commands, ends with NULL. */
extern const struct cli_command *const cli_commands[];

#endif
