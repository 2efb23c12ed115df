/* SPDX-License-Identifier: Apache-2.0 */
/* archive_chain.h: the chain of an archive, ours with what the keystore was told of it; for every command that asks. */
#ifndef CLI_ARCHIVE_CHAIN_H
#define CLI_ARCHIVE_CHAIN_H

#include "archive/chain.h"
#include "cli/command.h"

/** Follow the chain of that kind ("countersign": our captures; "xroad": message logs of X-Road) below paths. store
 * NULL: only the chain itself speaks. Gaps are told on stderr.
 *  @return 0, complete or not; -1 with c->error filled. archive_chain_clear in either case */
int cli_archive_chain(struct cli_context *c, const char *kind, const struct archive_texts *path, ks_store *store,
                      struct archive_chain *out) CS_MUST_CHECK;

#endif
