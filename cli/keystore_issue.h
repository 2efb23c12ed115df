/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_issue.h: certificates of outside issuers that answer by themselves, for generate, renew and tick. */
#ifndef CLI_KEYSTORE_ISSUE_H
#define CLI_KEYSTORE_ISSUE_H

#include "cli/keystore.h"
#include "keystore/issuers.h"

struct cli_issue {
    struct cli_context *c;
    ks_ask ask;
};
/** Does an issuer of others make it: named, or the slot's? *rc -1: c->error set */
bool cli_issue_wanted(struct cli_context *c, ks_store *s, const char *alias, const char *issuer, int *rc);
/** cli_change_do over a struct cli_issue: key and request, the talk, the entry. It waits for the issuer: exit 75; the
 *  issuer refused or is away: 69. In both cases the request stays open. */
int cli_issue_carry(ks_store *s, const void *ctx, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                    cs_error *e);
/** Ask for all that is due, and tell. *came: something came in; *refused: something was refused. @return 0, or -1 with
 *  c->error set */
int cli_issue_due(struct cli_context *c, ks_store *s, bool *came, bool *refused);

#endif
