/* SPDX-License-Identifier: Apache-2.0 */
/* directives_traffic.c: bodies, limits, overload. */
#include "gateway/directives.h"

#include "gateway/body.h"

/* ---- bodies --------------------------------------------------------------------------------------------------- */

SETTER(set_body_memory)
{
    (void)child;
    take_size(node, CHUNK_LARGE, UINT64_C(1) << 30, &((struct gw_config *)parent)->body_memory, report);
}

SETTER(set_spool)
{
    (void)report;
    gw_where_set(&((struct gw_config *)parent)->spool_at, node);
    *child = parent;
}

SETTER(set_spool_directory)
{
    (void)child;
    if (arg(node, 0)[0] == '\0') {
        cs_conf_error(report, node, 0, "the spool directory has no name");
        return;
    }
    keep_in(&((struct gw_config *)parent)->spool_directory, node, report);
}

SETTER(set_spool_quota)
{
    (void)child;
    take_size(node, UINT64_C(1) << 20, UINT64_C(1) << 50, &((struct gw_config *)parent)->spool_quota, report);
}

#define REPEAT  CS_DIR_REPEAT
#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_traffic[] = {
    {"body-memory", "", "size", NULL, RESTART, "1M", "Octets of one body that stay in memory when there is a spool.",
     "body-memory 1M;", "body-memory much;", set_body_memory},
    {"spool", "", "", "gateway-spool", RESTART, NULL, "Where large bodies lie; without it they stay in memory.",
     "spool { directory \"/var/spool/countersign\"; }", "spool x;", set_spool},
    {"directory", "gateway-spool", "string", NULL, CS_DIR_REQUIRED | RESTART, NULL,
     "Directory of mode 0700; its files have no names and are gone with the process.",
     "directory \"/var/spool/countersign\";", "directory \"\";", set_spool_directory},
    {"quota", "gateway-spool", "size", NULL, RESTART, "4G", "Octets of all spooled bodies at the same time.",
     "quota 4G;", "quota 1;", set_spool_quota},
};
const size_t gw_rows_traffic_n = sizeof gw_rows_traffic / sizeof gw_rows_traffic[0];
