/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accesslog.h: ready-made lines to a file by a thread of their own. Loops never wait for a disk: what finds the bounded
 * ring full is merged (requests that nobody judged) or counted and dropped.
 */
#ifndef GW_ACCESSLOG_H
#define GW_ACCESSLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/accesslog_merge.h"

struct accesslog;

/** @param path "-": standard output; NULL: off @param ring lines that may wait @return owned by the caller, NULL with e
 * filled */
struct accesslog *accesslog_new(const char *path, unsigned ring, cs_error *e);
/** Write what waits (at most 2 s), then free. NULL is allowed. */
void accesslog_free(struct accesslog *log);
/** Any thread; takes line (malloc'ed, without newline). key NULL: it tells of a verdict; such lines have as much room
 * again when the ring is full, so that a flood of requests refused before any verdict cannot push them out. A line with
 * a key that finds no room is merged with others of its address and reason; one line tells of them all later. */
void accesslog_add(struct accesslog *log, char *line, const struct accesslog_key *key);
/** Nobody reads the lines: callers need not make them. */
bool accesslog_off(const struct accesslog *log);
/** Open the file anew, perhaps another one (reload, logrotate). On an error the old one stays. @return 0, or -1 with e
 * filled */
int accesslog_reopen(struct accesslog *log, const char *path, cs_error *e) CS_MUST_CHECK;
uint64_t accesslog_dropped(const struct accesslog *log);

#endif
