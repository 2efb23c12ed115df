/* SPDX-License-Identifier: Apache-2.0 */
/* directives_capture.c: capture { }: messages that are kept for archives. */
#include "gateway/directives.h"

SETTER(set_capture)
{
    struct gw_capture *c = &((struct gw_config *)parent)->capture;
    *child = c;
    gw_where_set(&((struct gw_config *)parent)->capture_at, node);
    keep_in(&c->directory, node, report);
    if (c->directory != NULL && strcmp(c->directory, "off") == 0) {
        free(c->directory);
        c->directory = NULL;
    } else if (c->directory != NULL && c->directory[0] != '/') {
        cs_conf_error(report, node, 0, "%s is no absolute path", c->directory);
    }
}

SETTER(set_segment)
{
    (void)child;
    take_ms(node, 1000, 31 * CS_DAY * 1000, &((struct gw_capture *)parent)->segment_ms, report);
}

SETTER(set_segment_size)
{
    (void)child;
    take_size(node, 65536, UINT64_C(1) << 40, &((struct gw_capture *)parent)->segment_octets, report);
}

SETTER(set_quota)
{
    (void)child;
    take_size(node, 65536, UINT64_C(1) << 50, &((struct gw_capture *)parent)->quota, report);
}

SETTER(set_buffer)
{
    (void)child;
    take_size(node, 65536, UINT64_C(1) << 36, &((struct gw_capture *)parent)->buffer, report);
}

SETTER(set_on_full)
{
    (void)child;
    (void)report;
    ((struct gw_capture *)parent)->refuse = strcmp(arg(node, 0), "refuse") == 0;
}

SETTER(set_sync)
{
    (void)child;
    (void)report;
    const char *word = arg(node, 0);
    ((struct gw_capture *)parent)->sync = strcmp(word, "each") == 0      ? GW_SYNC_EACH
                                          : strcmp(word, "segment") == 0 ? GW_SYNC_SEGMENT
                                                                         : GW_SYNC_SECOND;
}

#define RESTART CS_DIR_RESTART

const struct cs_directive gw_rows_capture[] = {
    {"capture", "", "string", "gateway-capture?", RESTART, "off",
     "Directory of mode 0700 in which judged messages are kept as they were received, chained, for archive verify; "
     "off: "
     "none are.",
     "capture \"/var/lib/countersign/capture\" { segment 1h; on-full drop; }", "capture \"relative\";", set_capture},
    {"segment", "gateway-capture", "duration", NULL, RESTART, "1h", "Longest time of one file.", "segment 1h;",
     "segment 0s;", set_segment},
    {"segment-size", "gateway-capture", "size", NULL, RESTART, "256M", "Octets after which a new file begins.",
     "segment-size 256M;", "segment-size 1;", set_segment_size},
    {"quota", "gateway-capture", "size", NULL, RESTART, "16G", "Octets of all files in the directory.", "quota 16G;",
     "quota 1;", set_quota},
    {"buffer", "gateway-capture", "size", NULL, RESTART, "64M", "Octets that may wait for the disk.", "buffer 64M;",
     "buffer 1;", set_buffer},
    {"on-full", "gateway-capture", "drop|refuse", NULL, RESTART, "drop",
     "What becomes of a message that cannot be kept. drop: it goes on, and the chain tells how many were lost. refuse: "
     "it is answered with 503; every message waits until it is written.",
     "on-full refuse;", "on-full wait;", set_on_full},
    {"sync", "gateway-capture", "second|each|segment", NULL, RESTART, "second",
     "When what was written is forced to the disk: every second, before each message goes on (with on-full refuse), or "
     "when a file is closed.",
     "sync each;", "sync never;", set_sync},
};
const size_t gw_rows_capture_n = sizeof gw_rows_capture / sizeof gw_rows_capture[0];
