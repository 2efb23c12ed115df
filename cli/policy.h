/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h: settings read without a command line, and which policy judges a partner; shared by commands and gateway
 * loader. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/settings.h"

/** Takes a further folder's part of the tree. @return 0; -1: see report */
typedef int (*cli_apply)(const struct cs_conf *tree, void *root, struct cs_conf_report *report);

/** Read file (NULL: none) and apply the rows of keystore and wssec, and by also those of a further folder. References
 *  are not resolved. @return owned by the caller (cli_settings_free); NULL: see report, or no memory when it is empty
 */
struct cli_settings *cli_settings_read(const char *file, const char *keystore_uri, struct cs_conf_report *report,
                                       cli_apply also, void *also_root);

/** The frozen policy of a partner: the one that it names, with its own words over it. A new reference; NULL: reported.
 */
struct wssec_policy *cli_partner_policy(const struct cli_settings *s, const struct ks_partner_config *partner,
                                        struct cs_conf_report *report) CS_MUST_CHECK;

#endif
