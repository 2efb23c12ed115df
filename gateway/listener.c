/* SPDX-License-Identifier: Apache-2.0 */
/* listener.c: see listener.h. */
#include "gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/client.h"
#include "gateway/gateway_private.h"

/* Connections taken per wake-up: the other loops shall have theirs. */
#define ACCEPT_AT_ONCE  4
#define ACCEPT_PAUSE_MS 100

struct listening {
    _Atomic unsigned refs;
    _Atomic unsigned
        watches; /* loops that accept from it; the last one closes, so that clients are refused and not lost */
    _Atomic int fd;
    struct gateway *gateway;
    char name[KS_WORD];
    struct gw_address written; /* as configured */
    struct gw_address address; /* as bound */
};

struct listener_watch {
    struct listener_watch *next;
    struct loop *loop;
    struct listening *listening;
    struct event event;
    bool watching;
    bool listed; /* by the runtime that is looked at now */
};

struct listening *listening_open(struct gateway *gw, const struct gw_listener *l, cs_error *e)
{
    struct listening *made = calloc(1, sizeof *made);
    char why[256] = "no memory";
    int fd = made != NULL ? link_listen(&gw->link, l->name, &l->address, why, sizeof why) : -1;
    if (fd < 0) {
        goto fail;
    }
    made->address.len = sizeof made->address.sa;
    if (getsockname(fd, (struct sockaddr *)&made->address.sa, &made->address.len) != 0) {
        snprintf(why, sizeof why, "its address is not told: %s", strerror(errno));
        goto fail;
    }
    gw_address_text(&made->address);
    made->gateway = gw;
    made->written = l->address;
    cs_copy(made->name, sizeof made->name, l->name);
    atomic_store(&made->refs, 1);
    atomic_store(&made->fd, fd);
    return made;
fail:
    cs_error_set(e, CS_EXIT_CONFIG, "listen", "%s:%d:%d: listener %s cannot take %s: %s", l->at.file, l->at.line,
                 l->at.column, l->name, l->address.text, why);
    if (fd >= 0) {
        close(fd);
    }
    free(made);
    return NULL;
}

bool listening_is(const struct listening *l, const struct gw_listener *conf)
{
    bool any_port = strcmp(conf->address.text + strlen(conf->address.text) - 2, ":0") == 0;
    return strcmp(l->written.text, conf->address.text) == 0 && (!any_port || strcmp(l->name, conf->name) == 0);
}

struct listening *listening_ref(struct listening *l)
{
    atomic_fetch_add(&l->refs, 1);
    return l;
}

static void listening_close(struct listening *l)
{
    int fd = atomic_exchange(&l->fd, -1);
    if (fd >= 0) {
        close(fd);
        /* The one at the end of the process is for the next process; one that a reload took away is for nobody. */
        if (!atomic_load(&l->gateway->draining)) {
            link_forget(&l->gateway->link, l->name, &l->written);
        }
    }
}

void listening_unref(struct listening *l)
{
    if (l != NULL && atomic_fetch_sub(&l->refs, 1) == 1) {
        listening_close(l);
        free(l);
    }
}

const char *listening_address(const struct listening *l)
{
    return l->address.text;
}

/* ---- accepting ------------------------------------------------------------------------------------------------ */

static void watch_pause(struct loop *loop)
{
    for (struct listener_watch *w = loop->watch; w != NULL; w = w->next) {
        if (w->watching) {
            event_del(&w->event);
            w->watching = false;
        }
    }
    timer_set(&loop->accept_again, ACCEPT_PAUSE_MS);
}

/* Out of descriptors: the spare one lets the peer be closed politely instead of waiting for its own timeout. */
static void accept_refuse(struct loop *loop, int listening_fd)
{
    if (loop->reserve_fd >= 0) {
        close(loop->reserve_fd);
        loop->reserve_fd = -1;
        int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
        }
    }
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cs_log(CS_LOG_WARN, "descriptors", "no descriptor is left for a client; accepting pauses");
}

static bool connections_full(const struct loop *loop, const struct runtime *rt)
{
    return atomic_load(&loop->gateway->clients) >= rt->plan->config->connections;
}

/* @return false: nothing waits, or accepting pauses */
static bool accept_one(struct listener_watch *w, const struct runtime *rt)
{
    struct loop *loop = w->loop;
    int listening_fd = atomic_load(&w->listening->fd);
    struct gw_address peer = {.len = sizeof peer.sa};
    if (connections_full(loop, rt)) {
        watch_pause(loop);
        return false;
    }
    int fd = accept4(listening_fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            accept_refuse(loop, listening_fd);
            watch_pause(loop);
        } else if (errno == ENOMEM || errno == ENOBUFS) {
            watch_pause(loop);
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    gw_address_text(&peer);
    conn_nodelay(fd);
    if (client_accept(loop, w->listening, rt, fd, &peer) != 0) {
        close(fd);
    }
    return true;
}

static void accept_ready(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct listener_watch *w = ctx;
    struct runtime *rt = gateway_runtime(w->loop->gateway);
    for (int i = 0; i < ACCEPT_AT_ONCE && w->watching && accept_one(w, rt); i++) {
    }
    runtime_unref(rt);
}

void listener_resume(void *ctx)
{
    struct loop *loop = ctx;
    for (struct listener_watch *w = loop->watch; w != NULL; w = w->next) {
        if (!w->watching && !loop->draining) {
            w->watching = event_add(&w->event, NULL) == 0;
        }
    }
}

/* ---- which descriptors ---------------------------------------------------------------------------------------- */

static int watch_add(struct loop *loop, struct listening *l)
{
    struct listener_watch *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return -1;
    }
    w->loop = loop;
    w->listening = listening_ref(l);
    w->listed = true;
    event_assign(&w->event, loop->base, atomic_load(&l->fd), EV_READ | EV_PERSIST, accept_ready, w);
    atomic_fetch_add(&l->watches, 1);
    w->next = loop->watch;
    loop->watch = w;
    w->watching = event_add(&w->event, NULL) == 0;
    return w->watching ? 0 : -1;
}

static void watch_free(struct listener_watch *w)
{
    if (w->watching) {
        event_del(&w->event);
    }
    if (atomic_fetch_sub(&w->listening->watches, 1) == 1) {
        listening_close(w->listening);
    }
    listening_unref(w->listening);
    free(w);
}

int listener_sync(struct loop *loop, const struct runtime *rt)
{
    int rc = 0;
    for (struct listener_watch *w = loop->watch; w != NULL; w = w->next) {
        w->listed = false;
    }
    for (unsigned i = 0; i < rt->plan->n_listening; i++) {
        struct listener_watch *w = loop->watch;
        while (w != NULL && w->listening != rt->plan->listening[i]) {
            w = w->next;
        }
        if (w != NULL) {
            w->listed = true;
        } else if (watch_add(loop, rt->plan->listening[i]) != 0) {
            rc = -1;
        }
    }
    for (struct listener_watch **place = &loop->watch; *place != NULL;) {
        struct listener_watch *w = *place;
        if (w->listed) {
            place = &w->next;
        } else {
            *place = w->next;
            watch_free(w);
        }
    }
    return rc;
}

void listener_unwatch_all(struct loop *loop)
{
    while (loop->watch != NULL) {
        struct listener_watch *w = loop->watch;
        loop->watch = w->next;
        watch_free(w);
    }
    timer_off(&loop->accept_again);
}

void listener_stop(struct loop *loop)
{
    struct runtime *rt = gateway_runtime(loop->gateway);
    for (struct listener_watch *w = loop->watch; w != NULL; w = w->next) {
        while (atomic_load(&w->listening->fd) >= 0 && accept_one(w, rt)) {
        }
    }
    runtime_unref(rt);
    listener_unwatch_all(loop);
}
