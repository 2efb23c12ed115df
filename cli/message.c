/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: octets in and out of the commands on single messages. */
#include "cli/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "wssec/wssec.h"

#define CHUNK ((size_t)65536)

int cli_words_add(struct cli_words *w, const char *text)
{
    for (const char *p = text;; p++) {
        const char *from = p;
        bool braces = false;
        for (; *p != '\0' && (*p != ',' || braces); p++) {
            braces = *p == '{' || (braces && *p != '}');
        }
        char **grown = reallocarray(w->word, w->n + 1, sizeof *grown);
        if (grown == NULL || p == from) {
            w->word = grown != NULL ? grown : w->word;
            return -1;
        }
        w->word = grown;
        w->word[w->n] = strndup(from, (size_t)(p - from));
        if (w->word[w->n] == NULL) {
            return -1;
        }
        w->n++;
        if (*p == '\0') {
            return 0;
        }
    }
}

void cli_words_free(struct cli_words *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->word[i]);
    }
    free(w->word);
    *w = (struct cli_words){NULL, 0};
}

bool cli_is_directory(const char *file)
{
    struct stat st;
    return strcmp(file, "-") != 0 && stat(file, &st) == 0 && S_ISDIR(st.st_mode);
}

int cli_octets_read(const char *file, size_t limit, cs_buf *out, char *why, size_t size)
{
    int fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = -1;
    if (fd < 0) {
        (void)snprintf(why, size, "%s", strerror(errno));
        return -1;
    }
    while (out->len <= limit) {
        size_t room = limit + 1 - out->len < CHUNK ? limit + 1 - out->len : CHUNK;
        if (cs_buf_reserve(out, room) != 0) {
            (void)snprintf(why, size, "no memory for %zu octets", out->len + room);
            goto out;
        }
        ssize_t n = read(fd, out->data + out->len, room);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            (void)snprintf(why, size, "%s", strerror(errno));
            goto out;
        }
        if (n == 0) {
            break;
        }
        out->len += (size_t)n;
    }
    rc = 0;
out:
    close(fd);
    return rc;
}

static int write_pieces(int fd, const struct wssec_output *out)
{
    for (size_t i = 0; i < out->n_piece; i++) {
        if (cs_write_all(fd, out->piece[i].p, out->piece[i].n) != 0) {
            return -1;
        }
    }
    return 0;
}

static int write_failed(cs_error *e, const char *file)
{
    return cs_error_set(e, CS_EXIT_UNAVAILABLE, "not-written", "%.256s cannot be written: %s", file, strerror(errno));
}

/* A device or pipe is written in place: a rename would put a file where it stands. */
static int write_in_place(const char *file, const struct wssec_output *out, cs_error *e)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return write_failed(e, file);
    }
    int rc = write_pieces(fd, out) == 0 ? 0 : write_failed(e, file);
    if (close(fd) != 0 && rc == 0) {
        rc = write_failed(e, file);
    }
    return rc;
}

int cli_octets_write(const char *file, const struct wssec_output *out, unsigned mode, cs_error *e)
{
    struct stat st;
    char *temporary = NULL;
    if (file == NULL) {
        return fflush(stdout) == 0 && write_pieces(STDOUT_FILENO, out) == 0 ? 0 : write_failed(e, "standard output");
    }
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
        return write_in_place(file, out, e);
    }
    if (asprintf(&temporary, "%s.XXXXXX", file) < 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    mode_t mask = umask(0);
    (void)umask(mask);
    int fd = mkostemp(temporary, O_CLOEXEC);
    int rc = fd >= 0 && write_pieces(fd, out) == 0 && fchmod(fd, mode & ~mask) == 0 ? 0 : write_failed(e, file);
    if (fd >= 0 && close(fd) != 0 && rc == 0) {
        rc = write_failed(e, file);
    }
    if (rc == 0 && rename(temporary, file) != 0) {
        rc = write_failed(e, file);
    }
    if (rc != 0 && fd >= 0) {
        (void)unlink(temporary);
    }
    free(temporary);
    return rc;
}
