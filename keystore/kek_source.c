/* SPDX-License-Identifier: Apache-2.0 */
/* kek_source.c: a key-encryption key out of a file, a credential of the service manager, a passphrase or a token. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "keystore/kek_source.h"
#include "keystore/pkcs11.h"

#define KEK_TEXT       65   /* 64 digits and a line end */
#define PASSPHRASE_MAX 1024 /* octets of a passphrase file */
#define PASSPHRASE_MIN 12
#define SCRYPT_N       (1U << 17)
#define SCRYPT_R       8
#define SCRYPT_P       1
#define SCRYPT_MEMORY  (256U << 20) /* it needs 128 N r, 128 MiB; a bound, not a reservation */
#define WRAPPED_MAX    1024

static void name_kek(struct ks_kek *k)
{
    uint8_t hash[32];
    SHA256(k->key, sizeof k->key, hash);
    cs_hex(hash, 8, k->id);
}

void ks_kek_wipe(struct ks_kek *k)
{
    OPENSSL_cleanse(k, sizeof *k);
}

int ks_kek_random(struct ks_kek *out, cs_error *e)
{
    if (RAND_priv_bytes(out->key, sizeof out->key) != 1) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "random", "no random numbers");
    }
    name_kek(out);
    return 0;
}

const char *ks_kek_where(const ks_kek_source *source, char *out, size_t size)
{
    static const char *const word[] = {[KS_KEK_FILE] = "file",
                                       [KS_KEK_CREDENTIAL] = "credential",
                                       [KS_KEK_PASSPHRASE] = "passphrase file",
                                       [KS_KEK_PKCS11] = "pkcs11"};
    snprintf(out, size, "%s %s", word[source->kind], source->where);
    return out;
}

/* ---- secrets in files ------------------------------------------------------------------------------------------ */

/** Who may read a secret's file: its owner, who is this account or root. A credential is the service manager's: it
 *  stands in a directory that only the service enters, so a group entry of its access list does not matter. */
static int check_file(int fd, const char *path, bool credential, cs_error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable", "%s is no file", path);
    }
    if ((st.st_mode & (credential ? 007U : 077U)) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-exposed",
                            "the key-encryption key %s is open to others (mode %03o); close it with: chmod 600 %s",
                            path, (unsigned)st.st_mode & 0777U, path);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-exposed",
                            "the key-encryption key %s belongs to uid %u, who can change it; give it to uid %u with: "
                            "chown %u %s",
                            path, (unsigned)st.st_uid, (unsigned)geteuid(), (unsigned)geteuid(), path);
    }
    return 0;
}

/** @return octets read into text (at most size), or -1 */
static ssize_t read_secret(const char *path, bool credential, char *text, size_t size, cs_error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return cs_error_set(
            e, CS_EXIT_CONFIG, "kek-unavailable",
            "the key-encryption key %s cannot be read: %s. Without it no private key opens; put the file back", path,
            strerror(errno));
    }
    ssize_t n = -1;
    if (check_file(fd, path, credential, e) == 0) {
        n = read(fd, text, size);
        if (n < 0) {
            cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable", "the key-encryption key %s cannot be read: %s", path,
                         strerror(errno));
        }
    }
    close(fd);
    return n;
}

static int read_digits(const char *path, bool credential, struct ks_kek *out, cs_error *e)
{
    char text[KEK_TEXT + 2];
    ssize_t n = read_secret(path, credential, text, sizeof text - 1, e);
    int rc = n < 0 ? -1 : 0;
    if (rc == 0) {
        bool whole = n == KEK_TEXT - 1 || (n == KEK_TEXT && text[KEK_TEXT - 1] == '\n');
        text[KEK_TEXT - 1] = '\0';
        if (!whole || cs_unhex(text, out->key, sizeof out->key) != 0) {
            rc = cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable",
                              "%s is no key-encryption key (64 hexadecimal digits)", path);
        }
    }
    OPENSSL_cleanse(text, sizeof text);
    if (rc != 0) {
        ks_kek_wipe(out);
        return -1;
    }
    name_kek(out);
    return 0;
}

int ks_kek_read(const char *path, struct ks_kek *out, cs_error *e)
{
    return read_digits(path, false, out, e);
}

/** A file that has no name yet, in the directory of path; where that cannot be, one of a name of this process (named).
 */
static int open_unnamed(const char *path, char *named, size_t size)
{
    char directory[4096];
    named[0] = '\0';
    const char *slash = strrchr(path, '/');
    int n = snprintf(directory, sizeof directory, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
                     slash != NULL ? path : ".");
    if (n <= 0 || (size_t)n >= sizeof directory) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
        return fd;
    }
    n = snprintf(named, size, "%s.%ld", path, (long)getpid());
    if (n <= 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    unlink(named); /* what a process of this number left when it was killed */
    return open(named, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/** Give the finished file its name, unless there is one of it already (EEXIST). */
static int give_name(int fd, const char *named, const char *path)
{
    char self[64];
    if (named[0] != '\0') {
        return link(named, path);
    }
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

/** Under its name the file is whole at every moment: who is killed here leaves none, not half a key. */
int ks_kek_make(const char *path, struct ks_kek *out, cs_error *e)
{
    char text[KEK_TEXT + 1];
    char named[4128];
    if (access(path, F_OK) == 0) {
        return ks_kek_read(path, out, e);
    }
    int fd = open_unnamed(path, named, sizeof named);
    if (fd < 0) {
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable", "the key-encryption key %s cannot be made: %s",
                            path, strerror(errno));
    }
    int rc = ks_kek_random(out, e);
    bool there = false;
    if (rc == 0) {
        cs_hex(out->key, sizeof out->key, text);
        text[KEK_TEXT - 1] = '\n';
        rc = write(fd, text, KEK_TEXT) == KEK_TEXT && fsync(fd) == 0 ? give_name(fd, named, path) : -1;
        there = rc != 0 && errno == EEXIST;
    }
    int why = errno;
    close(fd);
    if (named[0] != '\0') {
        unlink(named);
    }
    OPENSSL_cleanse(text, sizeof text);
    if (there) { /* another process was faster */
        ks_kek_wipe(out);
        return ks_kek_read(path, out, e);
    }
    if (rc != 0) {
        ks_kek_wipe(out);
        return cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable",
                            "the key-encryption key %s cannot be written: %s", path, strerror(why));
    }
    return 0;
}

static int from_credential(const char *name, struct ks_kek *out, cs_error *e)
{
    char path[4096];
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (directory == NULL || directory[0] != '/') {
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable",
                            "credential %s: this process has no credentials of systemd; in the unit: "
                            "LoadCredential=%s:PATH or LoadCredentialEncrypted=%s:PATH",
                            name, name, name);
    }
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    return n > 0 && (size_t)n < sizeof path
               ? read_digits(path, true, out, e)
               : cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable", "credential %s: its path is too long", name);
}

/** The salt is the store's identity: it is random, and the same passphrase opens every copy of this store only. */
static int from_passphrase(const char *path, const char *store_id, struct ks_kek *out, cs_error *e)
{
    char text[PASSPHRASE_MAX + 1];
    char salt[64];
    ssize_t n = read_secret(path, false, text, sizeof text, e);
    int rc = n < 0 ? -1 : 0;
    size_t length = n > 0 ? (size_t)n : 0;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) {
        length--;
    }
    if (rc == 0 && (length < PASSPHRASE_MIN || length > PASSPHRASE_MAX)) {
        rc = cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable", "the passphrase in %s has not %d to %d characters",
                          path, PASSPHRASE_MIN, PASSPHRASE_MAX);
    }
    snprintf(salt, sizeof salt, "countersign|%s", store_id);
    if (rc == 0 && EVP_PBE_scrypt(text, length, (const uint8_t *)salt, strlen(salt), SCRYPT_N, SCRYPT_R, SCRYPT_P,
                                  SCRYPT_MEMORY, out->key, sizeof out->key) != 1) {
        ERR_clear_error();
        rc = cs_error_set(e, CS_EXIT_UNAVAILABLE, "kek-unavailable",
                          "scrypt of the passphrase failed; it needs 128 MiB of memory");
    }
    OPENSSL_cleanse(text, sizeof text);
    if (rc == 0) {
        name_kek(out);
    }
    return rc;
}

/* ---- wrapped by a token ---------------------------------------------------------------------------------------- */

static void wrapped_name(const char *id, char out[64])
{
    snprintf(out, 64, "kek_wrapped.%s", id);
}

static int from_token(ks_store *s, const char *uri, const char *id, struct ks_kek *out, cs_error *e)
{
    char name[64];
    char text[2 * WRAPPED_MAX + 1];
    uint8_t wrapped[WRAPPED_MAX];
    wrapped_name(id, name);
    int found = s->driver->meta_get(s->b, name, text, sizeof text, e);
    size_t n = strlen(text) / 2;
    if (found < 0) {
        return -1;
    }
    if (found == 0 || n == 0 || cs_unhex(text, wrapped, n) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "kek-unavailable",
                            "the store holds no key-encryption key %s that the token wrapped", id);
    }
    if (ks_pkcs11_unwrap(uri, wrapped, n, out->key, sizeof out->key, e) != 0) {
        return -1;
    }
    name_kek(out);
    return 0;
}

int ks_kek_wrap(ks_store *s, const char *uri, struct ks_kek *out, cs_error *e)
{
    char name[64];
    char text[2 * WRAPPED_MAX + 1];
    uint8_t wrapped[WRAPPED_MAX];
    size_t n = sizeof wrapped;
    if (ks_kek_random(out, e) != 0 || ks_pkcs11_wrap(uri, out->key, sizeof out->key, wrapped, &n, e) != 0) {
        ks_kek_wipe(out);
        return -1;
    }
    wrapped_name(out->id, name);
    cs_hex(wrapped, n, text);
    return s->driver->meta_set(s->b, name, text, e);
}

/* ---- any source ------------------------------------------------------------------------------------------------ */

int ks_kek_load(ks_store *s, const ks_kek_source *source, const char *store_id, const char *id, struct ks_kek *out,
                cs_error *e)
{
    switch (source->kind) {
    case KS_KEK_FILE: return ks_kek_read(source->where, out, e);
    case KS_KEK_CREDENTIAL: return from_credential(source->where, out, e);
    case KS_KEK_PASSPHRASE: return from_passphrase(source->where, store_id, out, e);
    case KS_KEK_PKCS11: return from_token(s, source->where, id, out, e);
    }
    return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "no such source of a key-encryption key");
}
