/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.c: a backup becomes a store again, in a directory that nobody else enters: only there can it be asked for
 * entries and keys like any other, and a bad one has harmed nothing.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keystore/backup.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

/** A store that opens keys like s, but lies elsewhere. */
static int make(struct ks_scratch *x, ks_store *s, cs_time now, cs_error *e)
{
    char path[96];
    bool created = false;
    ks_options opt = {.n_kek = s->n_kek};
    memcpy(opt.kek, s->kek, sizeof opt.kek);
    snprintf(x->directory, sizeof x->directory, "/tmp/countersign-restore-XXXXXX");
    if (mkdtemp(x->directory) == NULL) {
        x->directory[0] = '\0';
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "scratch", "no directory can be made below /tmp");
    }
    snprintf(path, sizeof path, "%s/store", x->directory);
    x->s = calloc(1, sizeof *x->s);
    if (x->s == NULL) {
        return no_memory(e);
    }
    x->s->driver = &ks_driver_sqlite;
    x->s->uri = strdup(path);
    x->s->kek_file = strdup(s->kek_file);
    if (x->s->uri == NULL || x->s->kek_file == NULL || ks_store_sources(x->s, &opt) != 0) {
        return no_memory(e);
    }
    return x->s->driver->init(path, now, &created, e) == 0 && x->s->driver->open(&x->s->b, path, false, 1000, e) == 0
               ? 0
               : -1;
}

/** Rows into the store, then the seal by the key that the rows themselves name: a token's key is wrapped in them. */
static int fill(struct ks_scratch *x, const char *text, size_t n, cs_error *e)
{
    const struct ks_driver *d = x->s->driver;
    const struct ks_kek *kek = NULL;
    uint8_t seal[32];
    size_t sealed = 0;
    char *copy = malloc(n + 1);
    struct ks_keyring *ring = ks_keyring_new(x->s);
    int rc = copy != NULL && ring != NULL ? d->begin(x->s->b, KS_WRITE, e) : no_memory(e);
    if (rc == 0) {
        memcpy(copy, text, n);
        rc = d->load_begin(x->s->b, e) == 0 && ks_dump_read(copy, n, x->s->b, d, &x->head, &sealed, seal, e) == 0 &&
                     d->load_end(x->s->b, e) == 0 && ks_keyring_find(ring, x->head.kek_id, &kek, e) == 0
                 ? 0
                 : -1;
    }
    if (rc == 0 && !ks_dump_sealed_by(text, sealed, seal, kek)) {
        rc = cs_error_set(e, CS_EXIT_USAGE, "backup-changed",
                          "the backup was changed after it was made: its seal does not fit; take another one");
    }
    rc = rc == 0 ? d->commit(x->s->b, e) : -1;
    d->rollback(x->s->b);
    ks_keyring_free(ring);
    free(copy);
    return rc;
}

int ks_scratch_open(struct ks_scratch *x, ks_store *s, const char *text, size_t n, cs_time now, cs_error *e)
{
    *x = (struct ks_scratch){0};
    if (ks_dump_head_read(text, n, &x->head, e) != 0) {
        return -1;
    }
    if (x->head.schema > s->driver->version(s->b)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "backup-version",
                            "the backup is of a store of version %d, this one has version %d: restore it with a newer "
                            "release",
                            x->head.schema, s->driver->version(s->b));
    }
    return make(x, s, now, e) == 0 ? fill(x, text, n, e) : -1;
}

void ks_scratch_close(struct ks_scratch *x)
{
    static const char *const file[] = {"store", "store-wal", "store-shm", "store-journal"};
    char path[96];
    ks_close(x->s);
    x->s = NULL;
    for (size_t i = 0; x->directory[0] != '\0' && i < sizeof file / sizeof file[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", x->directory, file[i]);
        unlink(path);
    }
    if (x->directory[0] != '\0') {
        rmdir(x->directory);
    }
}
