/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: see link.h. */
#include "gateway/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/notify.h"

void link_init(struct link *l, int fd)
{
    l->fd = fd;
    l->retire = false;
    pthread_mutex_init(&l->lock, NULL);
    if (fd >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

void link_close(struct link *l)
{
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    pthread_mutex_destroy(&l->lock);
}

int link_bind(const struct gw_address *address, const char **step)
{
    int one = 1;
    *step = "socket";
    int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    *step = "bind";
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(fd, (const struct sockaddr *)&address->sa, address->len) == 0) {
        *step = "listen";
        if (listen(fd, SOMAXCONN) == 0) {
            return fd;
        }
    }
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* One datagram and the descriptor beside it. @return octets, 0 at the end, -1 (errno) */
static ssize_t link_recv(int fd, char text[LINK_TEXT], int *passed, int flags)
{
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {text, LINK_TEXT - 1};
    struct msghdr m = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control.octets};
    ssize_t n;
    do {
        n = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    *passed = -1;
    text[n > 0 ? n : 0] = '\0';
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        memcpy(passed, CMSG_DATA(c), sizeof *passed);
    }
    return n;
}

/* Say text and wait for the answer. @return the descriptor that came with it, or -1: the answer is in out */
static int ask_master(struct link *l, const char *text, char out[LINK_TEXT])
{
    int passed = -1;
    size_t n = strlen(text);
    pthread_mutex_lock(&l->lock);
    out[0] = '\0';
    if (send(l->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n) {
        while (link_recv(l->fd, out, &passed, 0) > 0 && strcmp(out, "retire") == 0) {
            l->retire = true;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return passed;
}

int link_listen(struct link *l, const char *name, const struct gw_address *address, char *why, size_t size)
{
    const char *step;
    char text[LINK_TEXT];
    char answer[LINK_TEXT];
    int fd = -1;
    if (l->fd >= 0) {
        snprintf(text, sizeof text, "listen %s %s", name, address->text);
        fd = ask_master(l, text, answer);
        cs_copy(why, size, strncmp(answer, "error ", 6) == 0 ? answer + 6 : "the master does not answer");
        return fd;
    }
    fd = link_bind(address, &step);
    if (fd < 0) {
        snprintf(why, size, "%s: %s", step, strerror(errno));
    }
    return fd;
}

void link_closing(struct link *l)
{
    char answer[LINK_TEXT];
    int passed = l->fd >= 0 ? ask_master(l, "closing", answer) : -1;
    if (passed >= 0) {
        close(passed);
    }
}

static void link_send(struct link *l, const char *text)
{
    if (send(l->fd, text, strlen(text), MSG_NOSIGNAL) < 0) {
        cs_log(CS_LOG_DEBUG, "link", "the master was not told", CS_STR("why", strerror(errno)));
    }
}

void link_forget(struct link *l, const char *name, const struct gw_address *address)
{
    char text[LINK_TEXT];
    snprintf(text, sizeof text, "forget %s %s", name, address->text);
    if (l->fd >= 0) {
        link_send(l, text);
    }
}

void link_tell(struct link *l, const char *word)
{
    static const struct {
        const char *word, *state;
    } states[] = {{"ready", "READY=1"}, {"reloaded", "READY=1"}, {"alive", "WATCHDOG=1"}, {"stopping", "STOPPING=1"}};
    if (l->fd >= 0) {
        link_send(l, word);
        return;
    }
    if (strcmp(word, "reloading") == 0) {
        notify_reloading();
    }
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i].word, word) == 0) {
            notify_send(states[i].state);
        }
    }
}

enum link_event link_look(struct link *l)
{
    char text[LINK_TEXT];
    int passed = -1;
    enum link_event e = LINK_NOTHING;
    if (l->fd < 0) {
        return LINK_NOTHING;
    }
    /* Who waits for an answer takes it out before we are let in. */
    pthread_mutex_lock(&l->lock);
    ssize_t n = link_recv(l->fd, text, &passed, MSG_DONTWAIT);
    if (l->retire || (n > 0 && strcmp(text, "retire") == 0)) {
        l->retire = false;
        e = LINK_RETIRE;
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
        e = LINK_GONE;
    }
    pthread_mutex_unlock(&l->lock);
    if (passed >= 0) {
        close(passed);
    }
    return e;
}
