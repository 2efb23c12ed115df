/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_words.c: what runbooks may name: commands, and the facts that {{ }} stand for. */
#include <string.h>

#include "keystore/rollover_act.h"

static const struct ks_deed_row deed_row[KS_DEEDS] = {
    {KS_DEED_GENERATE, "keystore generate --alias {{alias}}"},
    {KS_DEED_ACTIVATE_NEW, "keystore activate {{new}}"},
    {KS_DEED_ACTIVATE_AT, "keystore activate {{new}} --at {{window.from}}"},
    {KS_DEED_ACTIVATE_CANCEL, "keystore activate {{new}} --cancel"},
    {KS_DEED_ACTIVATE_OLD, "keystore activate {{old}}"},
    {KS_DEED_DEACTIVATE_OLD, "keystore deactivate {{old}}"},
    {KS_DEED_DEACTIVATE_NEW, "keystore deactivate {{new}}"},
    {KS_DEED_SUSPEND_NEW, "keystore suspend {{new}}"},
    {KS_DEED_REMOVE_OLD, "keystore remove {{old}}"},
    {KS_DEED_REMOVE_NEW, "keystore remove {{new}}"},
    {KS_DEED_HOLD, "hold {{routes}}"},
    {KS_DEED_RELEASE, "release {{routes}}"},
    {KS_DEED_MAP_NAMES,
     "keystore mapping add --route {{old.routes}} --subject {{new.subject}} --issuer {{new.issuer}}"},
    {KS_DEED_MAP_USERS, "keystore mapping add --certificate {{new}} --copy-user-from {{old.users}}"},
    {KS_DEED_UNMAP_NEW, "keystore mapping retire {{new.mappings}}"},
    {KS_DEED_UNMAP_OLD_NAMES, "keystore mapping retire {{old.names}}"},
    {KS_DEED_UNMAP_OLD_USERS, "keystore mapping retire {{old.users}}"},
};

const struct ks_deed_row *ks_deed_rows(size_t *n)
{
    *n = KS_DEEDS;
    return deed_row;
}

const struct ks_deed_row *ks_deed_of(const char *command)
{
    for (size_t i = 0; i < KS_DEEDS; i++) {
        if (strcmp(deed_row[i].command, command) == 0) {
            return &deed_row[i];
        }
    }
    return NULL;
}

const char *ks_deed_command(enum ks_deed deed)
{
    return deed_row[deed].command;
}

const char *const ks_rollover_words[] = {
    "id",
    "alias",
    "partner",
    "old",
    "new",
    "old.sha256",
    "new.sha256",
    "old.subject",
    "new.subject",
    "old.issuer",
    "new.issuer",
    "old.serial",
    "new.serial",
    "old.not-after",
    "new.not-after",
    "new.not-before",
    "old.process-stop",
    "old.uses",
    "new.uses",
    "new.root",
    "window.from",
    "window.to",
    "routes",
    "old.routes",
    "old.users",
    "old.names",
    "new.mappings",
    NULL,
};
