/* SPDX-License-Identifier: Apache-2.0 */
/* transform.h: the frame of commands that make one message of another (sign, encrypt, decrypt): keystore, input,
 * output. */
#ifndef CLI_TRANSFORM_H
#define CLI_TRANSFORM_H

#include "cli/input.h"
#include "cli/settings.h"
#include "resolver/resolver.h"

struct cli_transform {
    struct cli_context *c;
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct wssec_worker *worker;
    const char *file;       /**< operand, "-": standard input */
    struct cli_words parts; /**< of --parts; none: the default of the verb */
    struct cli_input input; /**< the message, owned; held or mapped */
    struct wssec_input in;  /**< over it */
    struct wssec_when when;
};

/** Open configuration and keystore, read --parts and the message, then let work make of it what it is to make.
 *  @param work @return 0, or -1 with c->error filled  @return exit code of the command */
int cli_transform_run(struct cli_context *c, const char *verb, int (*work)(struct cli_transform *t)) CS_MUST_CHECK;
/** --key-reference into *kind, which stays when the option is not given. @return 0, or -1 with c->error filled */
int cli_transform_key_reference(struct cli_transform *t, enum wssec_keyref *kind) CS_MUST_CHECK;
/** The slot is there and has that role. @return 0, or -1 with c->error filled */
int cli_transform_slot(struct cli_transform *t, const char *alias, enum ks_role role) CS_MUST_CHECK;
/** Write the new message where --output says, or tell why there is none. done: "signed".
 *  @return 0, or -1 with c->error filled */
int cli_transform_answer(struct cli_transform *t, int rc, const struct wssec_verdict *v, const struct wssec_output *out,
                         const char *done) CS_MUST_CHECK;

#endif
