/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_act.h: the commands that a step of a runbook may name: a fixed list, each carried out by a function here. */
#ifndef KS_ROLLOVER_ACT_H
#define KS_ROLLOVER_ACT_H

#include <stddef.h>

enum ks_deed {
    KS_DEED_GENERATE,
    KS_DEED_ACTIVATE_NEW,
    KS_DEED_ACTIVATE_AT,
    KS_DEED_ACTIVATE_CANCEL,
    KS_DEED_ACTIVATE_OLD,
    KS_DEED_DEACTIVATE_OLD,
    KS_DEED_DEACTIVATE_NEW,
    KS_DEED_SUSPEND_NEW,
    KS_DEED_REMOVE_OLD,
    KS_DEED_REMOVE_NEW,
    KS_DEED_HOLD,
    KS_DEED_RELEASE,
    KS_DEED_MAP_NAMES,
    KS_DEED_MAP_USERS,
    KS_DEED_UNMAP_NEW,
    KS_DEED_UNMAP_OLD_NAMES,
    KS_DEED_UNMAP_OLD_USERS,
    KS_DEEDS
};

struct ks_deed_row {
    enum ks_deed deed;
    const char *command; /**< as a runbook writes it, without "countersign" */
};
const struct ks_deed_row *ks_deed_rows(size_t *n);
/** The row of a command, NULL: no runbook may name it. */
const struct ks_deed_row *ks_deed_of(const char *command);

/** How a runbook writes it. */
const char *ks_deed_command(enum ks_deed deed);

/** Words that may stand in {{ }}. Ends with NULL. */
extern const char *const ks_rollover_words[];

#endif
