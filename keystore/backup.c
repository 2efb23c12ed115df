/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c: a store as one sealed file. Keys in it are sealed as they are in the store; the key-encryption key stays
 * out. */
#include "keystore/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "keystore/dump.h"
#include "keystore/record.h"

static int head_read(ks_store *s, cs_time now, struct ks_dump_head *h, cs_error *e)
{
    memset(h, 0, sizeof *h);
    h->at = now;
    h->schema = s->driver->version(s->b);
    if (s->driver->meta_get(s->b, "store_id", h->store_id, sizeof h->store_id, e) != 1 ||
        s->driver->meta_get(s->b, "kek_id", h->kek_id, sizeof h->kek_id, e) != 1) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the store has no identity; it cannot be backed up");
    }
    return s->driver->generation(s->b, &h->generation, e);
}

static int dump(ks_store *s, cs_time now, cs_buf *out, ks_backup_info *info, cs_error *e)
{
    struct ks_dump_head head;
    const struct ks_kek *kek = NULL;
    struct ks_keyring *ring = ks_keyring_new(s);
    int rc = ring != NULL ? s->driver->begin(s->b, KS_READ, e)
                          : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    if (rc == 0) {
        rc = head_read(s, now, &head, e) == 0 && ks_dump_write(s, &head, out, &info->rows, e) == 0 &&
                     ks_keyring_current(ring, &kek, e) == 0 && ks_dump_seal(out, info->rows, kek, e) == 0
                 ? 0
                 : -1;
        s->driver->rollback(s->b);
    }
    if (rc == 0) {
        info->generation = head.generation;
        info->octets = out->len;
        cs_copy(info->kek_id, sizeof info->kek_id, head.kek_id);
    }
    ks_keyring_free(ring);
    return rc;
}

/** The file takes its place when it is complete: what stood there before is a backup, too. */
static int write_file(const char *path, const cs_buf *text, cs_error *e)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s.part", path);
    if (n <= 0 || (size_t)n >= sizeof part) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "the path of the backup is too long");
    }
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd >= 0 ? cs_write_all(fd, text->data, text->len) : -1;
    rc = rc == 0 && fsync(fd) == 0 ? 0 : -1;
    int why = errno;
    if (fd >= 0 && close(fd) != 0) {
        rc = -1;
    }
    if (rc == 0 && rename(part, path) != 0) {
        why = errno;
        rc = -1;
    }
    if (rc != 0) {
        unlink(part);
        cs_error_set(e, CS_EXIT_UNAVAILABLE, "backup-not-written", "the backup %s cannot be written: %s", path,
                     strerror(why));
    }
    return rc;
}

/** The store remembers when it was backed up last: guard G14 asks. */
static int remember(ks_store *s, const ks_actor *who, cs_time now, const ks_backup_info *info, cs_error *e)
{
    struct ks_record r = {0};
    char at[32];
    char after[128];
    snprintf(at, sizeof at, "%lld", (long long)now);
    snprintf(after, sizeof after, "{\"generation\":%llu,\"rows\":%llu}", (unsigned long long)info->generation,
             (unsigned long long)info->rows);
    int rc = ks_record_begin(&r, s, who, false, now, e) == 0 && s->driver->meta_set(s->b, KS_BACKUP_AT, at, e) == 0 &&
                     ks_record_audit(&r, "backup", "store", NULL, after, e) == 0 &&
                     ks_record_commit(&r, "backup", e) == 0
                 ? 0
                 : -1;
    ks_record_end(&r);
    return rc;
}

int ks_backup(ks_store *s, const char *path, const ks_actor *who, cs_time now, ks_backup_info *out, cs_error *e)
{
    cs_buf text = CS_BUF_INIT;
    memset(out, 0, sizeof *out);
    int rc = dump(s, now, &text, out, e) == 0 && write_file(path, &text, e) == 0 && remember(s, who, now, out, e) == 0
                 ? 0
                 : -1;
    cs_buf_free(&text);
    return rc;
}
