/* SPDX-License-Identifier: Apache-2.0 */
/* route.c: see route.h. */
#include "gateway/route.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

static bool path_fits(const struct gw_route *r, const char *path)
{
    if (r->path[r->path_n - 1] == '/') {
        return strncmp(path, r->path, r->path_n) == 0;
    }
    return strcmp(path, r->path) == 0;
}

static bool method_fits(const struct gw_route *r, const char *method)
{
    for (unsigned i = 0; i < r->n_method; i++) {
        if (strcmp(r->method[i], method) == 0) {
            return true;
        }
    }
    return false;
}

static void allow_add(char allow[256], const struct gw_route *r)
{
    for (unsigned i = 0; i < r->n_method; i++) {
        size_t n = strlen(allow);
        snprintf(allow + n, 256 - n, "%s%s", n > 0 ? ", " : "", r->method[i]);
    }
}

const struct plan_route *route_find(const struct plan *p, const struct listening *l, const char *path,
                                    const char *method, bool *path_known, char allow[256])
{
    size_t longest = 0;
    *path_known = false;
    allow[0] = '\0';
    for (unsigned i = 0; i < p->n_route; i++) { /* longest path first */
        const struct plan_route *r = &p->route[i];
        if (r->listening != l || r->conf->path_n < longest || !path_fits(r->conf, path)) {
            continue;
        }
        if (method_fits(r->conf, method)) {
            return r;
        }
        /* A shorter path never serves a method that the best-fitting one refuses. */
        longest = r->conf->path_n;
        *path_known = true;
        allow_add(allow, r->conf);
    }
    return NULL;
}

int route_target(cs_buf *out, const struct gw_route *r, const struct gw_upstream *u, const char *path,
                 const char *query)
{
    if (u->path[0] == '\0') {
        cs_buf_adds(out, path);
    } else {
        cs_buf_adds(out, u->path);
        if (r->path[r->path_n - 1] == '/') {
            size_t n = strlen(u->path);
            cs_buf_adds(out, path + r->path_n - (u->path[n - 1] == '/' ? 0 : 1));
        }
    }
    if (query != NULL) {
        cs_buf_addc(out, '?');
        cs_buf_adds(out, query);
    }
    return out->failed ? -1 : 0;
}
