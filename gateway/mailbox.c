/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c: see mailbox.h. Only the first mail of an empty box costs a system call. */
#include "gateway/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *b)
{
    b->first = NULL;
    b->last = &b->first;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd < 0) {
        return -1;
    }
    int rc = pthread_mutex_init(&b->lock, NULL);
    if (rc != 0) {
        close(b->fd);
        errno = rc;
        return -1;
    }
    return 0;
}

void mailbox_destroy(struct mailbox *b)
{
    pthread_mutex_destroy(&b->lock);
    close(b->fd);
}

void mailbox_post(struct mailbox *b, struct mail *m)
{
    m->next = NULL;
    pthread_mutex_lock(&b->lock);
    int was_empty = b->first == NULL;
    *b->last = m;
    b->last = &m->next;
    pthread_mutex_unlock(&b->lock);
    if (was_empty) {
        uint64_t one = 1;
        /* An eventfd refuses only at 2^64-1 wake-ups, and then it is readable already. */
        while (write(b->fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

struct mail *mailbox_take(struct mailbox *b)
{
    uint64_t count;
    while (read(b->fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    pthread_mutex_lock(&b->lock);
    struct mail *m = b->first;
    b->first = NULL;
    b->last = &b->first;
    pthread_mutex_unlock(&b->lock);
    return m;
}
