/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directives.h: the rows of the `policy NAME { … }` block and the set of named policies that a configuration makes.
 */
#ifndef WSSEC_DIRECTIVES_H
#define WSSEC_DIRECTIVES_H

#include "base/config.h"
#include "wssec/wssec.h"

struct wssec_policies; /* a growing set while a configuration is applied; afterwards read-only, any thread */

/** Rows for the joined directive tables. Their root object (cs_conf_apply) is a struct wssec_policies. */
struct cs_conf_table wssec_directives(void);

/** An empty set. @return owned by the caller, NULL: no memory */
struct wssec_policies *wssec_policies_new(void) WSSEC_MUST_CHECK;
void wssec_policies_free(struct wssec_policies *set);
/** After cs_conf_apply: freeze every policy; contradictions become errors, doubts warnings, at the line of the policy.
 *  Makes the built-in "default" when the file names none. @return 0, or -1: see report */
int wssec_policies_freeze(struct wssec_policies *set, struct cs_conf_report *report) WSSEC_MUST_CHECK;
/** The policy of that name; NULL name: "default". Borrowed (wssec_policy_ref to keep). @return NULL: not in the set */
struct wssec_policy *wssec_policies_find(const struct wssec_policies *set, const char *name);
/** Names for suggestions: NULL-terminated, borrowed from the set. */
const char *const *wssec_policies_names(const struct wssec_policies *set);

#endif
