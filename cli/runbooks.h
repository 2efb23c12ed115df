/* SPDX-License-Identifier: Apache-2.0 */
/* runbooks.h: where runbooks are found: files NAME.conf in the site's folder and in the one that came with the program.
 */
#ifndef CLI_RUNBOOKS_H
#define CLI_RUNBOOKS_H

#include "cli/command.h"
#include "keystore/runbook.h"

struct cli_runbooks {
    struct cli_runbook {
        struct ks_runbook *runbook; /**< owned */
        char *file;                 /**< owned: where it was read */
    } * one;                        /**< owned; by name */
    size_t n;
    size_t bad; /**< files that were refused, told on stderr */
};

/** All of them; one of the site hides a shipped one of its name. @return 0, or -1 with c->error set */
int cli_runbooks_read(struct cli_context *c, struct cli_runbooks *out) CS_MUST_CHECK;
/** The one of that name; what is wrong with its file is told. @return NULL with c->error set: 64 unknown (with the
 *  nearest name), 78 refused. To be freed with ks_runbook_free */
struct ks_runbook *cli_runbook_find(struct cli_context *c, const char *name) CS_MUST_CHECK;
void cli_runbooks_free(struct cli_runbooks *r);

#endif
