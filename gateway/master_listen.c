/* SPDX-License-Identifier: Apache-2.0 */
/* master_listen.c: the listening descriptors of the master: bound once, handed to every process that serves them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/master_private.h"
#include "gateway/notify.h"

/* The address that a descriptor is bound to. @return 0, -1: it does not listen on TCP */
static int bound_text(int fd, char out[64])
{
    struct gw_address a = {.len = sizeof a.sa};
    int listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens ||
        getsockname(fd, (struct sockaddr *)&a.sa, &a.len) != 0 ||
        (a.sa.ss_family != AF_INET && a.sa.ss_family != AF_INET6)) {
        return -1;
    }
    gw_address_text(&a);
    memcpy(out, a.text, sizeof a.text);
    return 0;
}

int master_high(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, NOTIFY_LISTEN_FIRST + SHARED_MAX);
    int err = errno;
    close(fd);
    errno = err;
    return high;
}

void shared_inherit(struct shared_list *s)
{
    char name[SHARED_MAX][KS_WORD];
    for (unsigned i = 0; i < SHARED_MAX; i++) {
        notify_listen_name(i, name[i], sizeof name[i]);
    }
    unsigned n = notify_listen_fds();
    for (unsigned i = 0; i < n && s->n < SHARED_MAX; i++) {
        struct shared *x = &s->item[s->n];
        *x = (struct shared){.fd = NOTIFY_LISTEN_FIRST + (int)i};
        memcpy(x->name, name[i], sizeof x->name);
        if (bound_text(x->fd, x->bound) != 0) {
            cs_log(CS_LOG_WARN, "listen-fds",
                   "a descriptor that was handed over does not listen on TCP; it is left alone",
                   CS_INT("descriptor", x->fd), CS_STR("name", x->name));
            continue;
        }
        x->fd = master_high(x->fd);
        int flags = x->fd >= 0 ? fcntl(x->fd, F_GETFL) : -1;
        if (flags < 0) {
            cs_log(CS_LOG_ERROR, "listen-fds", "a descriptor that was handed over is lost", CS_STR("name", x->name),
                   CS_STR("why", strerror(errno)));
            continue;
        }
        (void)fcntl(x->fd, F_SETFL, flags | O_NONBLOCK);
        s->n++;
    }
}

static bool port_free(const char *address)
{
    size_t n = strlen(address);
    return n > 2 && strcmp(address + n - 2, ":0") == 0;
}

static struct shared *shared_find(struct shared_list *s, const char *name, const char *address)
{
    bool by_name = port_free(address);
    for (unsigned i = 0; i < s->n; i++) {
        struct shared *x = &s->item[i];
        if (by_name ? strcmp(x->name, name) == 0 && (x->wanted[0] == '\0' || strcmp(x->wanted, address) == 0)
                    : strcmp(x->bound, address) == 0) {
            return x;
        }
    }
    return NULL;
}

int shared_get(struct shared_list *s, pid_t asker, const char *name, const char *address, char *why, size_t size)
{
    struct shared *x = shared_find(s, name, address);
    struct gw_address a;
    const char *step = "address";
    if (x != NULL) {
        cs_copy(x->wanted, sizeof x->wanted, address);
        cs_copy(x->name, sizeof x->name, name);
        x->asker = asker;
        return x->fd;
    }
    int fd = -1;
    errno = ENOSPC;
    if (s->n < SHARED_MAX && gw_address_parse(address, &a) == 0) {
        fd = link_bind(&a, &step);
        fd = fd >= 0 ? master_high(fd) : fd;
    }
    if (fd < 0) {
        bool may_not = errno == EACCES;
        snprintf(why, size, "%s: %s%s%s", step, strerror(errno),
                 may_not ? "; let the service manager bind it: write in countersign.socket ListenStream=" : "",
                 may_not ? address : "");
        return -1;
    }
    x = &s->item[s->n++];
    *x = (struct shared){.fd = fd, .asker = asker};
    cs_copy(x->name, sizeof x->name, name);
    cs_copy(x->wanted, sizeof x->wanted, address);
    (void)bound_text(fd, x->bound);
    return fd;
}

void shared_forget(struct shared_list *s, const char *name, const char *address)
{
    struct shared *x = shared_find(s, name, address);
    if (x != NULL) {
        close(x->fd);
        *x = s->item[--s->n];
    }
}

void shared_sweep(struct shared_list *s, pid_t asker)
{
    for (unsigned i = s->n; i-- > 0;) {
        struct shared *x = &s->item[i];
        if (x->asker == 0) {
            cs_log(CS_LOG_WARN, "listen-fds", "the service manager hands over an address that no listener has",
                   CS_STR("address", x->bound), CS_STR("name", x->name));
        } else if (x->asker != asker) {
            close(x->fd);
            *x = s->item[--s->n];
        }
    }
}

void shared_close(struct shared_list *s)
{
    while (s->n > 0) {
        close(s->item[--s->n].fd);
    }
}

int shared_hand_over(const struct shared_list *s)
{
    cs_buf names = CS_BUF_INIT;
    char number[16];
    int rc = 0;
    for (unsigned i = 0; i < s->n; i++) {
        rc |= dup2(s->item[i].fd, NOTIFY_LISTEN_FIRST + (int)i) < 0 ? -1 : 0;
        cs_buf_addf(&names, "%s%s", i > 0 ? ":" : "", s->item[i].name);
    }
    snprintf(number, sizeof number, "%ld", (long)getpid());
    rc |= setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof number, "%u", s->n);
    rc |= setenv("LISTEN_FDS", number, 1);
    rc |= names.failed ? -1 : setenv("LISTEN_FDNAMES", s->n > 0 ? names.data : "", 1);
    cs_buf_free(&names);
    return rc;
}

void shared_take_back(const struct shared_list *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        close(NOTIFY_LISTEN_FIRST + (int)i);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
