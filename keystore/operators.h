/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators.h: the people of a configuration: operator rows, and who may agree to another one's change (two-persons).
 * Setters of the rows in config.c; the list in the form in which the store keeps it (ks_set_persons).
 */
#ifndef KS_OPERATORS_H
#define KS_OPERATORS_H

#include "keystore/config.h"

typedef void ks_setter(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
ks_setter ks_set_operator, ks_set_operator_uid, ks_set_operator_certificate, ks_set_operator_roles,
    ks_set_operator_name, ks_set_operator_mail, ks_set_two_persons, ks_set_approvers;

#define KS_AUDITOR_ROLE "auditor" /* is told how far the audit has come; no step of a roll-over is his */

/** Roles by number, the place of each in the set of an operator; NULL behind the last. */
const char *ks_operator_role(size_t i);
/** Lines "approvers anna ben" and "operator anna LOGIN…", sorted; "" where the file names nobody. malloc'ed; NULL: no
 *  memory */
char *ks_config_persons(const struct ks_config *c);
/** Free what the setters above made. */
void ks_operators_free(struct ks_config *c);

#endif
