/* SPDX-License-Identifier: Apache-2.0 */
/* mem_renewal.c: a store in memory ends with its process: nobody waits there for a certificate, and nothing renews
 * itself. Reading finds none; writing says so. */
#include "keystore/mem.h"

static int refused(cs_error *e, const char *what)
{
    return cs_error_set(e, CS_EXIT_USAGE, "memory-store", "a store in memory ends with its process: it keeps no %s",
                        what);
}

static int request_add(struct ks_backend *b, const struct ks_request_row *row, cs_error *e)
{
    (void)b;
    (void)row;
    return refused(e, "request for a certificate");
}

static int request_remove(struct ks_backend *b, int64_t slot_id, cs_error *e)
{
    (void)b;
    (void)slot_id;
    (void)e;
    return 0;
}

static int requests(struct ks_backend *b, int64_t slot_id, ks_visit_request *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)slot_id;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

static int auto_set(struct ks_backend *b, const struct ks_auto_row *row, uint64_t version, cs_error *e)
{
    (void)b;
    (void)row;
    (void)version;
    return refused(e, "renewal by itself");
}

static int autos(struct ks_backend *b, const char *alias, ks_visit_auto *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)alias;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

static int renewal_get(struct ks_backend *b, int64_t predecessor, struct ks_renewal_row *out, cs_error *e)
{
    (void)b;
    (void)predecessor;
    (void)out;
    (void)e;
    return 0;
}

static int renewal_set(struct ks_backend *b, const struct ks_renewal_row *row, cs_error *e)
{
    (void)b;
    (void)row;
    return refused(e, "renewal");
}

void ks_mem_renewal_functions(struct ks_driver *d)
{
    d->request_add = request_add;
    d->request_remove = request_remove;
    d->requests = requests;
    d->auto_set = auto_set;
    d->autos = autos;
    d->renewal_get = renewal_get;
    d->renewal_set = renewal_set;
}
