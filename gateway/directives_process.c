/* SPDX-License-Identifier: Apache-2.0 */
/* directives_process.c: rows about how the gateway confines itself. */
#include "gateway/directives.h"

SETTER(set_keys)
{
    (void)child;
    (void)report;
    ((struct gw_config *)parent)->keys_process = strcmp(arg(node, 0), "yes") == 0;
}

const struct cs_directive gw_rows_process[] = {
    {"process", "", "", "gateway-process", 0, NULL, "How the gateway confines itself.", "process { keys no; }",
     "process keys;", open_same},
    {"keys", "gateway-process", "yes-no", NULL, CS_DIR_RESTART, "no",
     "yes: private keys stand in a process of their own, which signs and unwraps when asked; RSA and EC keys only.",
     "keys yes;", "keys maybe;", set_keys},
};
const size_t gw_rows_process_n = sizeof gw_rows_process / sizeof gw_rows_process[0];
