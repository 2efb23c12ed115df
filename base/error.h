/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h: one error of a command or a start-up step: exit code, stable reason, a sentence for people.
 * The first cause wins: setting a filled cs_error changes nothing.
 */
#ifndef CS_BASE_ERROR_H
#define CS_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#define CS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CS_MUST_CHECK        __attribute__((warn_unused_result))

/** Exit codes of the countersign command; contract with scripts. */
enum cs_exit {
    CS_EXIT_OK = 0,
    CS_EXIT_FAIL = 1,          /**< at least one message fails, or a check found a problem */
    CS_EXIT_INDETERMINATE = 2, /**< no failure, at least one indeterminate */
    CS_EXIT_UNREADABLE = 3,    /**< an input could not be read */
    CS_EXIT_NOTHING = 4,       /**< nothing to verify */
    CS_EXIT_GAP = 5,           /**< coverage gap */
    CS_EXIT_GUARD = 10,        /**< refused by a guard */
    CS_EXIT_APPROVAL = 11,     /**< waits for an approval */
    CS_EXIT_CONFLICT = 12,     /**< conflict with a concurrent change */
    CS_EXIT_LAG = 13,          /**< not converged in time */
    CS_EXIT_USAGE = 64,
    CS_EXIT_UNAVAILABLE = 69, /**< store or service unavailable */
    CS_EXIT_INTERNAL = 70,
    CS_EXIT_STOPPED = 75, /**< stopped before the end, resumable */
    CS_EXIT_CONFIG = 78   /**< configuration or keystore cannot be read */
};

typedef struct cs_error {
    int exit_code;   /**< one of enum cs_exit; 0: no error */
    char reason[48]; /**< stable kebab-case code */
    char text[1024]; /**< one sentence: what, where, cure; never a secret */
} cs_error;

/** Fill e (may be NULL) unless it is filled already. Any thread. @return -1, so that callers can return it. */
int cs_error_set(cs_error *e, int exit_code, const char *reason, const char *fmt, ...) CS_PRINTF(4, 5);
/** Empty e. */
void cs_error_clear(cs_error *e);

#endif
