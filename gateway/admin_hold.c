/* SPDX-License-Identifier: Apache-2.0 */
/* admin_hold.c: hold and release over the admin socket: a row in the keystore, so that every node follows. */
#include "gateway/admin_hold.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway_private.h"

/* The admin thread answers probes, too: it waits no longer for another writer of the keystore. */
#define BUSY_MS 2000

/* The account that logged in, which a change of account leaves as it was; else the one that connected. */
static uid_t login_of(pid_t pid, uid_t uid)
{
    char path[64];
    char text[24] = "";
    snprintf(path, sizeof path, "/proc/%ld/loginuid", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    size_t digits = strspn(text, "0123456789");
    unsigned long login = n > 0 && digits > 0 ? strtoul(text, NULL, 10) : UINT32_MAX;
    return login < UINT32_MAX ? (uid_t)login : uid;
}

void admin_caller(pid_t pid, uid_t uid, char *out, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];
    uid_t who = login_of(pid, uid);
    if (getpwuid_r(who, &entry, room, sizeof room, &found) == 0 && found != NULL) {
        cs_copy(out, size, found->pw_name);
    } else {
        snprintf(out, size, "uid:%u", (unsigned)who);
    }
}

static const struct plan_route *route_named(const struct runtime *rt, const char *name)
{
    for (unsigned i = 0; i < rt->plan->n_route; i++) {
        if (strcmp(rt->plan->route[i].conf->name, name) == 0) {
            return &rt->plan->route[i];
        }
    }
    return NULL;
}

static int no_such_route(const struct runtime *rt, const char *name, cs_error *e)
{
    const char **names = calloc((size_t)rt->plan->n_route + 1, sizeof *names);
    for (unsigned i = 0; names != NULL && i < rt->plan->n_route; i++) {
        names[i] = rt->plan->route[i].conf->name;
    }
    const char *near = names != NULL ? cs_nearest(name, names) : NULL;
    cs_error_set(e, CS_EXIT_USAGE, "route-unknown", "the configuration has no route %.64s%s%s%s", name,
                 near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    free(names);
    return -1;
}

int admin_hold(struct gateway *gw, const char *route, bool hold, const ks_actor *who, ks_hold_outcome *out, cs_error *e)
{
    struct runtime *rt = gateway_runtime(gw);
    const struct gw_settings *s = rt->plan->settings;
    ks_options options = s->keystore;
    ks_store *store = NULL;
    int rc = -1;
    options.busy_ms = BUSY_MS;
    /* A route that went out of the configuration while it was held can still be let go. */
    if (route_named(rt, route) == NULL && (hold || ks_held(rt->snapshot, route) == NULL)) {
        no_such_route(rt, route, e);
    } else if (ks_open(&store, s->keystore_uri, &options, e) == 0) {
        rc = (hold ? ks_hold : ks_release)(store, route, false, who, cs_clock_now(), out, e);
    }
    ks_close(store);
    runtime_unref(rt);
    if (rc == 0) {
        ks_live_wake(gw->live);
    }
    return rc;
}
