/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate.h: judges in processes of their own, which see the octets of messages and the keys to judge them with, and
 * nothing else: no file, no network, no other process, bounded memory. One that crashes or hangs costs one item.
 *
 * They are made by a template: a process that is forked while there are no threads yet, and forks again when asked to.
 */
#ifndef ARCHIVE_ISOLATE_H
#define ARCHIVE_ISOLATE_H

#include "archive/judge.h"

struct archive_template;

/** Fork the template; the caller has no threads. All borrowed until it ends. */
int archive_template_start(struct archive_template **out, const struct archive_court *court,
                           const struct archive_order *order, const struct archive_groups *groups,
                           const struct archive_times *times, cs_error *e) CS_MUST_CHECK;
/** Ends it; judges end when their sockets are closed. */
void archive_template_end(struct archive_template *t);

/** One judge; of one thread. */
struct archive_child {
    int socket; /**< owned, -1: there is none */
    int pid;    /**< owned: a descriptor of the process */
};
#define ARCHIVE_CHILD_INIT                                                                                             \
    {                                                                                                                  \
        .socket = -1, .pid = -1                                                                                        \
    }

/** Judge item in c, which is made when there is none. A crash or no answer within ms is the verdict error of r. r is to
 * be cleared. Any thread. @return 0, or -1: no judge can be made, e is filled */
int archive_child_judge(struct archive_template *t, struct archive_child *c, const struct archive_item *item,
                        int64_t ms, struct archive_record *r, cs_error *e) CS_MUST_CHECK;
void archive_child_end(struct archive_child *c);

#endif
