/* SPDX-License-Identifier: Apache-2.0 */
/* archive_court.h: what stored messages are judged with: keystore, policies, partners, as the commands of archive open
 * them. */
#ifndef CLI_ARCHIVE_COURT_H
#define CLI_ARCHIVE_COURT_H

#include "archive/archive.h"
#include "cli/settings.h"

struct cli_court {
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct archive_partner *partner;                               /**< owned */
    struct archive_court court;                                    /**< for archive/ */
    char policy_sha256[65], facts_sha256[65], keystore_sha256[65]; /**< as in struct archive_run */
};

/** Open it for the partner and policy of order (partner NULL: all). The library is started. @return 0, or -1 with
 * c->error filled; cli_court_close in either case */
int cli_court_open(struct cli_court *k, struct cli_context *c, const struct archive_order *order) CS_MUST_CHECK;
void cli_court_close(struct cli_court *k);

#endif
