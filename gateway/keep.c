/* SPDX-License-Identifier: Apache-2.0 */
/* keep.c: see keep.h. */
#include "gateway/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

static atomic_uint kept;

/* @return 0, or -1 (errno); what was begun is gone then */
static int write_file(int directory, const char *name, const struct wssec_slice *piece, size_t n)
{
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = cs_write_all(file, piece[i].p, piece[i].n);
    }
    int error = errno;
    if (close(file) != 0 && rc == 0) {
        error = errno;
        rc = -1;
    }
    if (rc != 0) {
        (void)unlinkat(directory, name, 0);
        errno = error;
    }
    return rc;
}

bool keep_message(struct spool *s, const struct wssec_slice *piece, size_t n, const char *route, const char *detail,
                  char *name, size_t size)
{
    uint8_t bits[8];
    char hex[2 * sizeof bits + 1];
    const char *why = "there is no spool directory";
    bool written = false;
    name[0] = '\0';
    if (s->open && atomic_fetch_add(&kept, 1) < KEEP_FILES && RAND_bytes(bits, sizeof bits) == 1) {
        (void)snprintf(name, size, "engine-disagreement-%s.xml", cs_hex(bits, sizeof bits, hex));
        written = write_file(s->directory, name, piece, n) == 0;
        why = written ? "" : strerror(errno);
    } else if (s->open) {
        why = "enough are kept";
    }
    cs_log(CS_LOG_ERROR, "engine-disagreement",
           "two judges of one message disagree; it is refused. This is a bug: report it", CS_STR("route", route),
           CS_STR("detail", detail), CS_STR("kept", written ? name : "no"), CS_STR("why", why));
    return written;
}
