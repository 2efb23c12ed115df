/* SPDX-License-Identifier: Apache-2.0 */
/* directives_process.c: rows about how the gateway confines itself. */
#include "gateway/directives.h"

SETTER(set_keys)
{
    (void)child;
    (void)report;
    ((struct gw_config *)parent)->keys_process = strcmp(arg(node, 0), "yes") == 0;
}

SETTER(set_sandbox)
{
    (void)child;
    (void)report;
    ((struct gw_config *)parent)->sandbox = strcmp(arg(node, 0), "on") == 0;
}

static void take_paths(const struct cs_conf_node *node, struct gw_words *w, struct cs_conf_report *report)
{
    for (int i = 0; i < node->argc; i++) {
        if (arg(node, i)[0] != '/') {
            cs_conf_error(report, node, i, "%s is no absolute path", arg(node, i));
            return;
        }
    }
    take_words(node, w, report);
}

SETTER(set_read)
{
    (void)child;
    take_paths(node, &((struct gw_config *)parent)->sandbox_read, report);
}

SETTER(set_write)
{
    (void)child;
    take_paths(node, &((struct gw_config *)parent)->sandbox_write, report);
}

SETTER(set_user)
{
    (void)child;
    struct gw_config *c = parent;
    keep_in(&c->user, node, report);
    gw_where_set(&c->user_at, node);
}

#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_process[] = {
    {"process", "", "", "gateway-process", 0, NULL, "How the gateway confines itself.", "process { sandbox on; }",
     "process sandbox;", open_same},
    {"keys", "gateway-process", "yes-no", NULL, RESTART, "no",
     "yes: private keys stand in a process of their own, which signs and unwraps when asked; RSA and EC keys only."
     " Keys of Ed25519 and X25519 cannot be used then.",
     "keys yes;", "keys maybe;", set_keys},
    {"sandbox", "gateway-process", "on-off", NULL, RESTART, "on",
     "on: before it serves, the process gives up all system calls and files that it does not need.", "sandbox on;",
     "sandbox perhaps;", set_sandbox},
    {"read", "gateway-process", "string+", NULL, RESTART | CS_DIR_REPEAT, NULL,
     "Files and directories that the sandbox lets it read, too: what the module of a token needs.",
     "read \"/opt/token\";", "read \"token\";", set_read},
    {"write", "gateway-process", "string+", NULL, RESTART | CS_DIR_REPEAT, NULL,
     "Directories in which the sandbox lets it make and change files, too.", "write \"/var/lib/softhsm/tokens\";",
     "write;", set_write},
    {"user", "gateway-process", "name", NULL, RESTART, NULL,
     "Account that the serving process goes over to when root starts it; the master stays as it was started.",
     "user countersign;", "user;", set_user},
};
const size_t gw_rows_process_n = sizeof gw_rows_process / sizeof gw_rows_process[0];
