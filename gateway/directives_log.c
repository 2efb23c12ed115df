/* SPDX-License-Identifier: Apache-2.0 */
/* directives_log.c: log { } and replay { }: what a node writes down, and what it remembers. */
#include "gateway/directives.h"

SETTER(set_access)
{
    (void)child;
    struct gw_config *c = parent;
    keep_in(&c->access_log, node, report);
    gw_where_set(&c->access_at, node);
    if (c->access_log != NULL && strcmp(c->access_log, "off") == 0) {
        free(c->access_log);
        c->access_log = NULL;
    }
}

SETTER(set_ring)
{
    (void)child;
    take_count(node, 16, 1 << 20, &((struct gw_config *)parent)->ring, report);
}

SETTER(set_store)
{
    (void)node;
    (void)parent;
    (void)child;
    (void)report;
}

SETTER(set_entries)
{
    (void)child;
    take_size(node, 1024, UINT64_C(1) << 28, &((struct gw_config *)parent)->replay.entries, report);
}

SETTER(set_partner_share)
{
    (void)child;
    take_count(node, 1, 100, &((struct gw_config *)parent)->replay.share, report);
}

SETTER(set_replay_file)
{
    (void)child;
    struct gw_config *c = parent;
    if (arg(node, 0)[0] == '\0') {
        cs_conf_error(report, node, 0, "the file of the replay store has no name");
        return;
    }
    keep_in(&c->replay_file, node, report);
    gw_where_set(&c->replay_at, node);
}

#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_log[] = {
    {"log", "", "", "gateway-log", 0, NULL, "Where access lines go.", "log { access \"/tmp/a.json\"; }", "log x;",
     open_same},
    {"access", "gateway-log", "string", NULL, 0, "-",
     "File of the access log, one JSON line per exchange; - is standard output, off none.", "access \"/tmp/a.json\";",
     "access;", set_access},
    {"ring", "gateway-log", "number", NULL, RESTART, "8192",
     "Lines that may wait for the disk; more are counted and dropped.", "ring 8192;", "ring 1;", set_ring},
    {"replay", "", "", "gateway-replay", 0, NULL, "Where signatures already seen are remembered.",
     "replay { store local; }", "replay x;", open_same},
    {"store", "gateway-replay", "local", NULL, RESTART, "local", "local: what this node has seen.", "store local;",
     "store disk;", set_store},
    {"entries", "gateway-replay", "size", NULL, RESTART, "1M", "Signatures remembered; a full store refuses messages.",
     "entries 1M;", "entries 1;", set_entries},
    {"partner-share", "gateway-replay", "number", NULL, RESTART, "50",
     "Hundredths of the entries that one partner may hold, so that no partner uses up the store of all.",
     "partner-share 50;", "partner-share 101;", set_partner_share},
    {"file", "gateway-replay", "string", NULL, RESTART, NULL,
     "File, on a local disk, that keeps them over a restart and for two processes at once; without it they are "
     "forgotten when the process ends.",
     "file \"/var/lib/countersign/replay\";", "file \"\";", set_replay_file},
};

const size_t gw_rows_log_n = sizeof gw_rows_log / sizeof gw_rows_log[0];
