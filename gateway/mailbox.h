/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h: what other threads tell an I/O loop: an intrusive list behind a mutex and an eventfd that the loop
 * watches. Mails are delivered on the loop's thread, in the order of their posting.
 */
#ifndef GW_MAILBOX_H
#define GW_MAILBOX_H

#include <pthread.h>

struct loop;

/** Embedded in what is sent. Until its delivery it belongs to the mailbox. */
struct mail {
    struct mail *next;
    /** Runs on the loop's thread; owns m from here on. */
    void (*deliver)(struct loop *loop, struct mail *m);
};

struct mailbox {
    pthread_mutex_t lock;
    struct mail *first;
    struct mail **last;
    int fd; /**< eventfd, readable while mails wait */
};

/** @return 0, or -1 (errno) */
int mailbox_init(struct mailbox *b) __attribute__((warn_unused_result));
void mailbox_destroy(struct mailbox *b);
/** Any thread; takes m. */
void mailbox_post(struct mailbox *b, struct mail *m);
/** The loop's thread: all mails in order; the descriptor is silent afterwards. @return list, NULL: none */
struct mail *mailbox_take(struct mailbox *b);

#endif
