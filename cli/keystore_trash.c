/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_trash.c: keystore trash list: what was removed and can be restored. */
#include <stdio.h>

#include "cli/keystore.h"

static int run_list(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_list list = {NULL, 0};
    int rc = CS_EXIT_OK;
    if (cli_open_store(c, true, NULL, &store) != 0 || ks_trash_list(store, c->now, &list, &c->error) != 0) {
        ks_close(store);
        return cli_fail(c);
    }
    if (list.n == 0) {
        cli_say(c, "the trash is empty");
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < list.n; i++) {
        char entry[KS_WORD + 12];
        char until[80];
        if (c->json) {
            rc = cli_record_print(c, store, &list.info[i]);
            continue;
        }
        cli_entry_text(&list.info[i], entry, sizeof entry);
        printf("%-24s %-12s %-11s key destroyed %s; countersign keystore trash restore %s\n", entry,
               ks_role_word(list.info[i].role), ks_state_word(list.info[i].state),
               cli_time_local(list.info[i].trash_until, until, sizeof until), entry);
    }
    ks_list_free(&list);
    ks_close(store);
    return rc;
}

const struct cli_command cli_cmd_keystore_trash_list = {
    .parent = "keystore trash",
    .name = "list",
    .summary = "Show what was removed and can be restored, by the day on which its key is destroyed",
    .run = run_list,
};
