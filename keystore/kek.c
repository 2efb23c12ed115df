/* SPDX-License-Identifier: Apache-2.0 */
/* kek.c: which key-encryption key a store is sealed under, and the ring of those that may open it. */
#include "keystore/kek.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "keystore/kek_source.h"

/* Without configured sources: the file beside the store, the one that a rekey is making, the one before. */
enum { BESIDE_NOW, BESIDE_NEXT, BESIDE_BEFORE, BESIDE };
static const char *const beside[BESIDE] = {"", ".new", ".old"};

enum { RING = KS_KEK_SOURCES > BESIDE ? KS_KEK_SOURCES : BESIDE };

struct ks_keyring {
    ks_store *s; /**< borrowed */
    struct ks_kek loaded[RING];
    bool tried[RING]; /**< read or found unreadable: not again in this piece of work */
    char store_id[KS_ID];
    bool complained;
    bool again; /**< all were read a second time: a rekey moves the files beside a store */
};

static char *beside_path(const ks_store *s, int which)
{
    size_t n = strlen(s->kek_file) + 8;
    char *path = malloc(n);
    if (path != NULL) {
        snprintf(path, n, "%s%s", s->kek_file, beside[which]);
    }
    return path;
}

static int store_id_read(ks_store *s, char out[KS_ID], cs_error *e)
{
    int found = s->driver->meta_get(s->b, "store_id", out, KS_ID, e);
    return found == 1  ? 0
           : found < 0 ? -1
                       : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                                      "the store has no identity; restore it from a backup");
}

/* ---- ring ------------------------------------------------------------------------------------------------------ */

struct ks_keyring *ks_keyring_new(ks_store *s)
{
    struct ks_keyring *ring = OPENSSL_secure_zalloc(sizeof *ring);
    if (ring != NULL) {
        ring->s = s;
    }
    return ring;
}

void ks_keyring_free(struct ks_keyring *ring)
{
    OPENSSL_secure_clear_free(ring, sizeof *ring);
}

bool ks_keyring_complain(struct ks_keyring *ring)
{
    bool first = !ring->complained;
    ring->complained = true;
    return first;
}

static size_t ring_size(const struct ks_keyring *ring)
{
    return ring->s->n_kek > 0 ? ring->s->n_kek : BESIDE;
}

static int load(struct ks_keyring *ring, size_t i, const char *id, struct ks_kek *out, cs_error *e)
{
    ks_store *s = ring->s;
    if (ring->store_id[0] == '\0' && store_id_read(s, ring->store_id, e) != 0) {
        return -1;
    }
    if (s->n_kek > 0) {
        return ks_kek_load(s, &s->kek[i], ring->store_id, id, out, e);
    }
    char *path = beside_path(s, (int)i);
    int rc =
        path != NULL ? ks_kek_read(path, out, e) : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    free(path);
    return rc;
}

int ks_keyring_find(struct ks_keyring *ring, const char *id, const struct ks_kek **out, cs_error *e)
{
    cs_error first = {0};
    bool read_one = false;
    for (size_t i = 0; i < ring_size(ring); i++) {
        struct ks_kek *k = &ring->loaded[i];
        cs_error why = {0};
        bool token = ring->s->n_kek > 0 && ring->s->kek[i].kind == KS_KEK_PKCS11; /* holds any number of them */
        if (!ring->tried[i] || (token && strcmp(k->id, id) != 0)) {
            ring->tried[i] = true;
            if (load(ring, i, id, k, &why) != 0) {
                ks_kek_wipe(k);
                first = first.exit_code == 0 ? why : first;
            }
        }
        if (strcmp(k->id, id) == 0) {
            *out = k;
            return 0;
        }
        read_one |= k->id[0] != '\0';
    }
    if (ring->s->n_kek == 0 && !ring->again) {
        ring->again = true;
        memset(ring->tried, 0, sizeof ring->tried);
        return ks_keyring_find(ring, id, out, e);
    }
    if (!read_one && first.exit_code != 0) {
        if (e != NULL) {
            *e = first;
        }
        return -1;
    }
    return cs_error_set(
        e, CS_EXIT_CONFIG, "kek-unavailable",
        "the key-encryption key is not the one that sealed the private keys (%s): put that one back, or "
        "name it in the configuration: key-encryption-key file NEW previous file OLD;",
        id);
}

int ks_keyring_current(struct ks_keyring *ring, const struct ks_kek **out, cs_error *e)
{
    char id[KS_KEK_ID] = "";
    int found = ring->s->driver->meta_get(ring->s->b, "kek_id", id, sizeof id, e);
    if (found < 0) {
        return -1;
    }
    if (found == 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt",
                            "the store does not name its key-encryption key; restore it from a backup");
    }
    return ks_keyring_find(ring, id, out, e);
}

/* ---- first, next ------------------------------------------------------------------------------------------------ */

int ks_kek_first(ks_store *s, const char *store_id, struct ks_kek *out, cs_error *e)
{
    if (s->n_kek == 0) {
        return ks_kek_make(s->kek_file, out, e);
    }
    switch (s->kek[0].kind) {
    case KS_KEK_FILE: return ks_kek_make(s->kek[0].where, out, e);
    case KS_KEK_PKCS11: return ks_kek_wrap(s, s->kek[0].where, out, e);
    case KS_KEK_CREDENTIAL:
    case KS_KEK_PASSPHRASE: break;
    }
    return ks_kek_load(s, &s->kek[0], store_id, "", out, e);
}

int ks_kek_next(ks_store *s, struct ks_kek *out, cs_error *e)
{
    char store_id[KS_ID];
    if (store_id_read(s, store_id, e) != 0) {
        return -1;
    }
    if (s->n_kek > 0) {
        return s->kek[0].kind == KS_KEK_PKCS11 ? ks_kek_wrap(s, s->kek[0].where, out, e)
                                               : ks_kek_load(s, &s->kek[0], store_id, "", out, e);
    }
    char *path = beside_path(s, BESIDE_NEXT);
    int rc =
        path != NULL ? ks_kek_make(path, out, e) : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    free(path);
    return rc;
}

/** Hold the directory of path: two that settle at once would move the new key into the old one's place. @return a
 *  descriptor whose end lets go, -1: it cannot be held */
static int hold_directory(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    int n = snprintf(directory, sizeof directory, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
                     slash != NULL ? path : ".");
    int fd = n > 0 && (size_t)n < sizeof directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            close(fd);
            fd = -1;
        }
    }
    return fd;
}

int ks_kek_settle(ks_store *s, const char *id, cs_error *e)
{
    struct ks_kek next = {0};
    char *path[BESIDE] = {NULL};
    int held = -1;
    int rc = 0;
    if (s->n_kek > 0) {
        return 0;
    }
    for (int i = 0; i < BESIDE; i++) {
        path[i] = beside_path(s, i);
        rc = path[i] != NULL ? rc : -1;
    }
    if (rc != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        goto out;
    }
    cs_error absent = {0};
    if (access(path[BESIDE_NEXT], F_OK) != 0) {
        goto out; /* the usual case, without a lock */
    }
    held = hold_directory(path[BESIDE_NEXT]);
    if (held < 0) {
        rc = cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable", "the directory of %s cannot be locked: %s",
                          path[BESIDE_NEXT], strerror(errno));
        goto out;
    }
    if (access(path[BESIDE_NEXT], F_OK) != 0 || ks_kek_read(path[BESIDE_NEXT], &next, &absent) != 0 ||
        strcmp(next.id, id) != 0) {
        goto out; /* nothing to move: another rekey is at work, or this one was settled */
    }
    /* at each moment all keys are at one of the three places, where a ring looks */
    if ((rename(path[BESIDE_NOW], path[BESIDE_BEFORE]) != 0 && errno != ENOENT) ||
        rename(path[BESIDE_NEXT], path[BESIDE_NOW]) != 0) {
        rc = cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable", "%s cannot take its place: %s", path[BESIDE_NEXT],
                          strerror(errno));
    }
out:
    if (held >= 0) {
        close(held);
    }
    ks_kek_wipe(&next);
    for (int i = 0; i < BESIDE; i++) {
        free(path[i]);
    }
    return rc;
}

int ks_kek_name(ks_store *s, const ks_kek_source *source, char out[KS_KEK_ID], cs_error *e)
{
    struct ks_kek k = {0};
    char store_id[KS_ID];
    uint8_t hash[32];
    if (source->kind == KS_KEK_PKCS11) { /* whoever reaches the token opens every key that it wraps */
        SHA256((const uint8_t *)source->where, strlen(source->where), hash);
        cs_hex(hash, 8, out);
        return 0;
    }
    int rc = store_id_read(s, store_id, e) == 0 ? ks_kek_load(s, source, store_id, "", &k, e) : -1;
    cs_copy(out, KS_KEK_ID, k.id);
    ks_kek_wipe(&k);
    return rc;
}
