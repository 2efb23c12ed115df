/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c: see checkpoint.h. */
#include "keystore/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"

#define HEAD      "cs-checkpoint-1"
#define LINES_MAX (64L * 1024 * 1024)

/** "sqlite:PATH" and a suffix as a path; "" where the store has no place of its own. */
static void path_of(const ks_store *s, const char *suffix, char *out, size_t size)
{
    static const char scheme[] = "sqlite:";
    int n = strncmp(s->uri, scheme, sizeof scheme - 1) == 0
                ? snprintf(out, size, "%s%s", s->uri + sizeof scheme - 1, suffix)
                : 0;
    if (n <= 0 || (size_t)n >= size) {
        out[0] = '\0';
    }
}

/* ---- the key ---------------------------------------------------------------------------------------------------- */

static EVP_PKEY *key_read(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0 || (st.st_mode & 077) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    FILE *f = fdopen(fd, "r");
    EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f != NULL) {
        fclose(f);
    } else {
        close(fd);
    }
    if (key != NULL && EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/** A new key under its name, whole or not at all; one that is there already is taken. */
static EVP_PKEY *key_make(const char *path, cs_error *e)
{
    char part[4128];
    EVP_PKEY *key = key_read(path);
    if (key != NULL) {
        return key;
    }
    snprintf(part, sizeof part, "%s.%ld", path, (long)getpid());
    unlink(part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = f != NULL && (key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")) != NULL &&
                PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fflush(f) == 0 && fsync(fd) == 0;
    if (f != NULL) {
        good = fclose(f) == 0 && good;
    } else if (fd >= 0) {
        close(fd);
    }
    good = good && link(part, path) == 0;
    unlink(part);
    if (!good) {
        EVP_PKEY_free(key);
        key = key_read(path); /* another process was faster */
    }
    if (key == NULL) {
        cs_error_set(e, CS_EXIT_UNAVAILABLE, "audit-key",
                     "the key that signs the audit's checkpoints, %s, cannot be made: %s", path, strerror(errno));
    }
    return key;
}

int ks_checkpoint_begin(ks_store *s, cs_error *e)
{
    char path[4096];
    uint8_t raw[32];
    size_t n = sizeof raw;
    char text[65];
    char known[65];
    path_of(s, ".audit.key", path, sizeof path);
    if (path[0] == '\0' || s->driver->meta_get(s->b, KS_CHECKPOINT_KEY, known, sizeof known, e) == 1) {
        return 0;
    }
    EVP_PKEY *key = key_make(path, e);
    int rc = key != NULL && EVP_PKEY_get_raw_public_key(key, raw, &n) == 1 && n == sizeof raw
                 ? s->driver->meta_set(s->b, KS_CHECKPOINT_KEY, cs_hex(raw, n, text), e)
                 : cs_error_set(e, CS_EXIT_UNAVAILABLE, "audit-key", "%s is no key that could sign the audit", path);
    EVP_PKEY_free(key);
    return rc;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/** The end of a log. */
struct end {
    uint64_t seq, generation;
    cs_time at;
    uint8_t hash[32];
};

static bool sign(EVP_PKEY *key, const char *text, size_t n, char out[KS_SIGNATURE_TEXT])
{
    uint8_t signature[64];
    size_t length = sizeof signature;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(md, signature, &length, (const uint8_t *)text, n) == 1;
    EVP_MD_CTX_free(md);
    if (good) {
        cs_base64_encode(signature, length, out);
    }
    return good;
}

/** One line about the end of the log. @return its length, or -1 */
static int line_of(ks_store *s, EVP_PKEY *key, const struct end *log, char out[KS_CHECKPOINT_TEXT])
{
    char store_id[KS_ID];
    char hash[65];
    char when[CS_TIME_TEXT];
    char signature[KS_SIGNATURE_TEXT];
    if (s->driver->meta_get(s->b, "store_id", store_id, sizeof store_id, NULL) != 1) {
        return -1;
    }
    int len = snprintf(out, KS_CHECKPOINT_TEXT, HEAD " %s %llu %s %llu %s", store_id, (unsigned long long)log->seq,
                       cs_hex(log->hash, 32, hash), (unsigned long long)log->generation, cs_time_format(log->at, when));
    if (len <= 0 || len >= KS_CHECKPOINT_TEXT || !sign(key, out, (size_t)len, signature)) {
        return -1;
    }
    int more = snprintf(out + len, (size_t)(KS_CHECKPOINT_TEXT - len), " %s\n", signature);
    return more > 0 && more < KS_CHECKPOINT_TEXT - len ? len + more : -1;
}

static EVP_PKEY *signer(ks_store *s)
{
    char path[4096];
    if (s->audit_key == NULL) {
        path_of(s, ".audit.key", path, sizeof path);
        s->audit_key = path[0] != '\0' ? key_read(path) : NULL;
    }
    return s->audit_key;
}

int ks_checkpoint_now(ks_store *s, cs_time now, char out[KS_CHECKPOINT_TEXT], uint64_t *seq, cs_error *e)
{
    struct end log = {.at = now};
    int n = 0;
    if (s->driver->audit_head(s->b, &log.seq, log.hash, e) != 0 ||
        s->driver->generation(s->b, &log.generation, e) != 0) {
        return -1;
    }
    *seq = log.seq;
    if (log.seq == 0 || signer(s) == NULL || (n = line_of(s, s->audit_key, &log, out)) <= 0) {
        return 0;
    }
    out[n - 1] = '\0'; /* the end of the line */
    return 1;
}

bool ks_checkpoint_sign(ks_store *s, const char *text, size_t n, char out[KS_SIGNATURE_TEXT])
{
    return signer(s) != NULL && sign(s->audit_key, text, n, out);
}

static int append(ks_store *s)
{
    char path[4096];
    char line[KS_CHECKPOINT_TEXT];
    struct end log = {.seq = s->log_seq, .generation = s->log_generation, .at = s->log_at};
    memcpy(log.hash, s->log_hash, sizeof log.hash);
    int n = signer(s) != NULL ? line_of(s, s->audit_key, &log, line) : -1;
    path_of(s, ".checkpoints", path, sizeof path);
    int fd = n > 0 ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600) : -1;
    int rc = fd >= 0 && write(fd, line, (size_t)n) == n ? 0 : -1;
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int ks_commit(ks_store *s, cs_error *e)
{
    char known[65];
    char path[4096];
    uint64_t seq = 0;
    uint8_t hash[32];
    /* what a transaction left here that was rolled back is no end of the log */
    bool wrote = s->log_seq != 0 && s->driver->audit_head(s->b, &seq, hash, NULL) == 0 && seq == s->log_seq &&
                 memcmp(hash, s->log_hash, sizeof hash) == 0;
    if (s->driver->commit(s->b, e) != 0) {
        return -1;
    }
    path_of(s, ".checkpoints", path, sizeof path);
    bool due = wrote && path[0] != '\0' && s->driver->meta_get(s->b, KS_CHECKPOINT_KEY, known, sizeof known, NULL) == 1;
    if (due && append(s) != 0) {
        cs_log(CS_LOG_WARN, "checkpoint", "the change stands, but its checkpoint could not be written",
               CS_STR("file", path),
               CS_STR("why", s->audit_key == NULL ? "the key .audit.key cannot be read" : strerror(errno)));
    }
    s->log_seq = 0;
    return 0;
}

void ks_checkpoint_end(ks_store *s)
{
    EVP_PKEY_free(s->audit_key);
    s->audit_key = NULL;
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

struct line {
    char store_id[KS_ID], hash[65], when[CS_TIME_TEXT], signature[96];
    unsigned long long seq, generation;
    size_t signed_len;
};

/** @return 0, or -1: it is no checkpoint */
static int line_read(const char *text, size_t n, struct line *l)
{
    char copy[KS_CHECKPOINT_TEXT];
    int end = 0;
    if (n >= sizeof copy) {
        return -1;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (sscanf(copy, HEAD " %32s %20llu %64s %20llu %24s%n %95s", l->store_id, &l->seq, l->hash, &l->generation,
               l->when, &end, l->signature) != 6) {
        return -1;
    }
    l->signed_len = (size_t)end;
    return 0;
}

bool ks_checkpoint_signed(const uint8_t key[32], const char *text, size_t n, const char *signature)
{
    uint8_t octets[128];
    size_t length = 0;
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = public != NULL && md != NULL &&
                cs_base64_decode(signature, strlen(signature), octets, sizeof octets, &length) == 0 &&
                EVP_DigestVerifyInit(md, NULL, NULL, NULL, public) == 1 &&
                EVP_DigestVerify(md, octets, length, (const uint8_t *)text, n) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(public);
    ERR_clear_error();
    return good;
}

/** @return whether the line fits the log; else text says why */
static bool fits(const struct ks_log_seen *log, const char *at, const struct line *l, char *text, size_t size)
{
    char hash[65];
    if (!log->has_key || !ks_checkpoint_signed(log->key, at, l->signed_len, l->signature)) {
        snprintf(text, size, "the checkpoint of %s at row %llu is not signed with the key of this keystore", l->when,
                 l->seq);
    } else if (l->seq == 0 || l->seq > log->n) {
        snprintf(text, size,
                 "row %llu is missing: the checkpoint of %s saw it. The log was cut, or an older copy of the store was "
                 "put back",
                 (unsigned long long)log->n + 1, l->when);
    } else if (strcmp(l->hash, cs_hex(log->hash[l->seq - 1], 32, hash)) != 0) {
        snprintf(
            text, size,
            "row %llu is another one than the checkpoint of %s saw. The log was written anew from an older copy of "
            "the store on",
            l->seq, l->when);
    } else {
        return true;
    }
    return false;
}

int ks_checkpoint_compare(const struct ks_log_seen *log, const char *lines, const char *source, char *text, size_t size,
                          cs_error *e)
{
    bool any = false;
    for (const char *at = lines; *at != '\0';) {
        struct line l;
        size_t n = strcspn(at, "\n");
        bool whole = at[n] == '\n' || source == NULL;
        if (line_read(at, n, &l) == 0 && strcmp(l.store_id, log->store_id) == 0) {
            any = true;
            if (whole && !fits(log, at, &l, text, size)) {
                return 1;
            }
        } else if (source == NULL && n > 0) { /* beside the store a line may have been cut by a crash */
            return cs_error_set(e, CS_EXIT_USAGE, "checkpoint", "--from: not a checkpoint of this keystore: %.60s", at);
        }
        at += n + (at[n] == '\n');
    }
    return any || source != NULL ? 0 : cs_error_set(e, CS_EXIT_USAGE, "checkpoint", "--from names no checkpoint");
}

char *ks_checkpoint_lines(const ks_store *s)
{
    char path[4096];
    struct stat st;
    char *lines = NULL;
    path_of(s, ".checkpoints", path, sizeof path);
    int fd = path[0] != '\0' ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < LINES_MAX &&
        (lines = calloc(1, (size_t)st.st_size + 1)) != NULL && read(fd, lines, (size_t)st.st_size) < 0) {
        free(lines);
        lines = NULL;
    }
    close(fd);
    return lines;
}
