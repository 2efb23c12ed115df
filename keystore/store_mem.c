/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mem.c: a keystore in the memory of this process, "memory:NAME", for tests: the same questions, rules and
 * transactions as on a disk, without one. Every handle of a name sees the same store; it lasts as long as the process.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "keystore/mem.h"
#include "keystore/rollover_store.h"

struct ks_mem_base {
    struct ks_mem_base *next;
    char *name;
    struct ks_mem_state state; /**< what is committed */
    uint64_t commits;
    bool writing; /**< a handle has a transaction that writes */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything below, and of each base */
static struct ks_mem_base *bases;

static struct ks_mem_base *base_of(const char *name)
{
    struct ks_mem_base *at = bases;
    while (at != NULL && strcmp(at->name, name) != 0) {
        at = at->next;
    }
    return at;
}

static struct ks_mem_base *base_new(const char *name)
{
    struct ks_mem_base *base = calloc(1, sizeof *base);
    if (base == NULL || (base->name = strdup(name)) == NULL || ks_mem_state_make(&base->state) != 0) {
        free(base != NULL ? base->name : NULL);
        free(base);
        return NULL;
    }
    base->next = bases;
    bases = base;
    return base;
}

static int init(const char *where, cs_time now, bool *created, cs_error *e)
{
    (void)now;
    *created = false;
    pthread_mutex_lock(&lock);
    struct ks_mem_base *base = base_of(where);
    if (base == NULL) {
        base = base_new(where);
        *created = base != NULL;
    }
    pthread_mutex_unlock(&lock);
    return base != NULL ? 0 : ks_mem_no_memory(e);
}

static int open_base(struct ks_backend **out, const char *where, bool read_only, int busy_ms, cs_error *e)
{
    struct ks_backend *b = calloc(1, sizeof *b);
    *out = NULL;
    if (b == NULL) {
        return ks_mem_no_memory(e);
    }
    b->read_only = read_only;
    b->busy_ms = busy_ms;
    pthread_mutex_lock(&lock);
    b->base = base_of(where);
    if (b->base != NULL) {
        ks_mem_state_share(&b->now, &b->base->state);
        b->seen = b->base->commits;
    }
    pthread_mutex_unlock(&lock);
    if (b->base == NULL) {
        free(b);
        return cs_error_set(e, CS_EXIT_CONFIG, "store-missing", "this process holds no keystore memory:%s", where);
    }
    *out = b;
    return 0;
}

void ks_mem_refresh(struct ks_backend *b)
{
    if (b->within) {
        return;
    }
    pthread_mutex_lock(&lock);
    ks_mem_state_drop(&b->now);
    ks_mem_state_share(&b->now, &b->base->state);
    pthread_mutex_unlock(&lock);
}

/** Wait until no other handle writes; short sleeps, as on a disk. Called and left with the lock held. */
static bool wait_for_writer(struct ks_backend *b)
{
    int64_t until = cs_clock_mono_us() + (int64_t)b->busy_ms * 1000;
    while (b->base->writing) {
        if (cs_clock_mono_us() >= until) {
            return false;
        }
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){0, 500000L}, NULL);
        pthread_mutex_lock(&lock);
    }
    return true;
}

static int begin(struct ks_backend *b, enum ks_access access, cs_error *e)
{
    if (b->within) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a transaction within a transaction");
    }
    if (access != KS_READ && b->read_only) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-read-only", "keystore memory:%s was opened for reading only",
                            b->base->name);
    }
    pthread_mutex_lock(&lock);
    bool mine = access == KS_READ || wait_for_writer(b);
    if (mine) {
        b->base->writing = b->base->writing || access != KS_READ;
        ks_mem_state_drop(&b->now);
        ks_mem_state_share(&b->now, &b->base->state);
        ks_mem_state_share(&b->from, &b->base->state);
        b->within = true;
        b->access = access;
        b->told = 0;
    }
    pthread_mutex_unlock(&lock);
    return mine ? 0
                : cs_error_set(e, CS_EXIT_UNAVAILABLE, "store-locked",
                               "keystore memory:%s is locked by another handle; try again when its change is done",
                               b->base->name);
}

/** Called with the lock held. */
static void end(struct ks_backend *b)
{
    b->base->writing = b->base->writing && b->access == KS_READ;
    b->within = false;
    b->loading = false;
    ks_mem_state_drop(&b->from);
}

static int commit(struct ks_backend *b, cs_error *e)
{
    uint64_t touched = 0;
    if (!b->within) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a commit outside of a transaction");
    }
    if (ks_mem_touched_count(b, &touched, e) != 0) {
        return -1;
    }
    if (touched != b->told) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal",
                            "keystore memory:%s: a change of %llu rows, %llu of them audited", b->base->name,
                            (unsigned long long)touched, (unsigned long long)b->told);
    }
    pthread_mutex_lock(&lock);
    if (b->access != KS_READ) {
        struct ks_mem_state old = b->base->state;
        ks_mem_state_share(&b->base->state, &b->now);
        ks_mem_state_drop(&old);
        b->seen += b->seen == b->base->commits; /* one's own commit is no news, another's before it is */
        b->base->commits++;
    }
    end(b);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void rollback(struct ks_backend *b)
{
    if (b->within) {
        pthread_mutex_lock(&lock);
        end(b);
        pthread_mutex_unlock(&lock);
        ks_mem_refresh(b);
    }
}

static void close_base(struct ks_backend *b)
{
    if (b != NULL) {
        rollback(b);
        ks_mem_state_drop(&b->now);
        free(b);
    }
}

static int changed(struct ks_backend *b, cs_error *e)
{
    (void)e;
    pthread_mutex_lock(&lock);
    bool news = b->seen != b->base->commits;
    b->seen = b->base->commits;
    pthread_mutex_unlock(&lock);
    return news ? 1 : 0;
}

static int version(const struct ks_backend *b)
{
    (void)b;
    return KS_SCHEMA_VERSION;
}

static int upgrade(struct ks_backend *b, int *from, cs_error *e)
{
    (void)b;
    (void)e;
    *from = KS_SCHEMA_VERSION;
    return 0;
}

static void set_busy(struct ks_backend *b, int ms)
{
    b->busy_ms = ms;
}

/** Rows are wiped when the last who looks at them lets them go. */
static void scrub(struct ks_backend *b)
{
    ks_mem_refresh(b);
}

static struct ks_driver driver = {
    .scheme = "memory",
    .init = init,
    .open = open_base,
    .close = close_base,
    .begin = begin,
    .version = version,
    .upgrade = upgrade,
    .commit = commit,
    .rollback = rollback,
    .changed = changed,
    .set_busy = set_busy,
    .scrub = scrub,
    .touched_count = ks_mem_touched_count,
    .touched = ks_mem_touched,
    .contents = ks_mem_contents,
    .dump = ks_mem_dump,
    .load_begin = ks_mem_load_begin,
    .load = ks_mem_load,
    .load_end = ks_mem_load_end,
    .rollovers = &ks_mem_rollovers,
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
    ks_mem_entry_functions(&driver);
    ks_mem_life_functions(&driver);
    ks_mem_renewal_functions(&driver);
    ks_mem_key_functions(&driver);
    ks_mem_log_functions(&driver);
    ks_mem_node_functions(&driver);
    ks_mem_use_functions(&driver);
}

const struct ks_driver *ks_driver_memory(void)
{
    pthread_once(&once, fill);
    return &driver;
}
