/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c: see resolve.h. */
#include "gateway/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* A name that has no answer is asked for again soon, whatever its interval. */
#define AGAIN_US INT64_C(5000000)
#define IDLE_US  INT64_C(60000000)

/* Ask the name service; a failure leaves the addresses as they are. @return false: it failed */
static bool name_look_up(struct resolve_name *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = name->literal ? AI_NUMERICHOST | AI_NUMERICSERV : AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(name->host, name->port, &hints, &list);
    if (rc != 0) {
        cs_log(CS_LOG_WARN, "resolve", "an upstream's name cannot be resolved", CS_STR("host", name->host),
               CS_STR("why", gai_strerror(rc)));
        return false;
    }
    pthread_mutex_lock(&name->lock);
    unsigned n = 0;
    for (const struct addrinfo *a = list; a != NULL && n < RESOLVE_ADDRESSES; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof name->address[n].sa) {
            struct gw_address *out = &name->address[n++];
            memset(out, 0, sizeof *out);
            memcpy(&out->sa, a->ai_addr, a->ai_addrlen);
            out->len = a->ai_addrlen;
            gw_address_text(out);
        }
    }
    name->n_address = n;
    pthread_mutex_unlock(&name->lock);
    freeaddrinfo(list);
    return true;
}

static bool host_literal(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    bool literal = getaddrinfo(host, port, &hints, &list) == 0;
    if (literal) {
        freeaddrinfo(list);
    }
    return literal;
}

/* With the lock. @return a reference to a name that is due, NULL: none, *next_us says when one is */
static struct resolve_name *take_due(struct resolver_thread *r, int64_t now_us, int64_t *next_us)
{
    *next_us = now_us + IDLE_US;
    for (struct resolve_name *n = r->names; n != NULL; n = n->next) {
        if (n->literal) {
            continue;
        }
        if (n->due_us <= now_us) {
            atomic_fetch_add(&n->refs, 1);
            return n;
        }
        *next_us = n->due_us < *next_us ? n->due_us : *next_us;
    }
    return NULL;
}

static void *resolver_run(void *ctx)
{
    struct resolver_thread *r = ctx;
    pthread_setname_np(pthread_self(), "resolve");
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        int64_t next_us;
        struct resolve_name *name = take_due(r, cs_clock_mono_us(), &next_us);
        if (name == NULL) {
            struct timespec until = {(time_t)(next_us / 1000000), (long)(next_us % 1000000) * 1000};
            pthread_cond_timedwait(&r->wake, &r->lock, &until);
            continue;
        }
        /* Without the lock: a name service may take its time. */
        pthread_mutex_unlock(&r->lock);
        bool good = name_look_up(name);
        pthread_mutex_lock(&r->lock);
        int64_t wait_us = good || name->every_us < AGAIN_US ? name->every_us : AGAIN_US;
        name->due_us = cs_clock_mono_us() + wait_us;
        pthread_mutex_unlock(&r->lock);
        resolve_unref(r, name);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int resolver_start(struct resolver_thread *r)
{
    pthread_condattr_t monotonic;
    memset(r, 0, sizeof *r);
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        return -1;
    }
    bool cond = pthread_condattr_init(&monotonic) == 0 && pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&r->wake, &monotonic) == 0;
    if (cond && pthread_create(&r->thread, NULL, resolver_run, r) == 0) {
        r->started = true;
        return 0;
    }
    if (cond) {
        pthread_cond_destroy(&r->wake);
    }
    pthread_mutex_destroy(&r->lock);
    return -1;
}

void resolver_stop(struct resolver_thread *r)
{
    if (!r->started) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    r->started = false;
}

static void name_free(struct resolve_name *n)
{
    free(n->host);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

struct resolve_name *resolve_get(struct resolver_thread *r, const char *host, const char *port, int64_t every_ms)
{
    pthread_mutex_lock(&r->lock);
    struct resolve_name *n = r->names;
    while (n != NULL && (strcmp(n->host, host) != 0 || strcmp(n->port, port) != 0)) {
        n = n->next;
    }
    if (n != NULL) {
        atomic_fetch_add(&n->refs, 1);
        if (every_ms * 1000 < n->every_us) { /* who asks most often decides for all */
            n->every_us = every_ms * 1000;
            int64_t due_us = cs_clock_mono_us() + n->every_us;
            n->due_us = due_us < n->due_us ? due_us : n->due_us;
            pthread_cond_signal(&r->wake);
        }
    }
    pthread_mutex_unlock(&r->lock);
    if (n != NULL) {
        return n;
    }
    n = calloc(1, sizeof *n);
    if (n == NULL || (n->host = strdup(host)) == NULL || strlen(port) >= sizeof n->port ||
        pthread_mutex_init(&n->lock, NULL) != 0) {
        if (n != NULL) {
            free(n->host);
        }
        free(n);
        return NULL;
    }
    memcpy(n->port, port, strlen(port) + 1);
    atomic_store(&n->refs, 1);
    n->literal = host_literal(host, port);
    n->every_us = every_ms * 1000;
    bool good = name_look_up(n);
    n->due_us = cs_clock_mono_us() + (good || n->every_us < AGAIN_US ? n->every_us : AGAIN_US);
    pthread_mutex_lock(&r->lock);
    n->next = r->names;
    r->names = n;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    return n;
}

struct resolve_name *resolve_ref(struct resolve_name *name)
{
    atomic_fetch_add(&name->refs, 1);
    return name;
}

void resolve_unref(struct resolver_thread *r, struct resolve_name *name)
{
    if (name == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    bool last = atomic_fetch_sub(&name->refs, 1) == 1;
    if (last) {
        struct resolve_name **place = &r->names;
        while (*place != name) {
            place = &(*place)->next;
        }
        *place = name->next;
    }
    pthread_mutex_unlock(&r->lock);
    if (last) {
        name_free(name);
    }
}

bool resolve_address(struct resolve_name *name, unsigned i, struct gw_address *out)
{
    pthread_mutex_lock(&name->lock);
    bool there = i < name->n_address;
    if (there) {
        *out = name->address[i];
    }
    pthread_mutex_unlock(&name->lock);
    return there;
}
