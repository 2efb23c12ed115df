/* SPDX-License-Identifier: Apache-2.0 */
/* input.c: see input.h. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_input_open(struct cli_input *in, const char *file, size_t limit, char *why, size_t size)
{
    struct stat st;
    *in = (struct cli_input){.fd = -1, .octets = CS_BUF_INIT};
    if (strcmp(file, "-") != 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
        in->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (in->fd < 0) {
            (void)snprintf(why, size, "%s", strerror(errno));
            return -1;
        }
        if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t)CLI_INPUT_HELD) {
            in->size = (size_t)st.st_size;
            return 0;
        }
        close(in->fd);
        in->fd = -1;
    }
    if (cli_octets_read(file, limit, &in->octets, why, size) != 0) {
        return -1;
    }
    in->held = true;
    in->slice = (struct wssec_slice){(const uint8_t *)in->octets.data, in->octets.len};
    return 0;
}

void cli_input_close(struct cli_input *in)
{
    if (in->map != NULL) {
        (void)munmap(in->map, in->size);
    }
    if (in->fd >= 0) {
        close(in->fd);
    }
    cs_buf_wipe(&in->octets);
    *in = (struct cli_input){.fd = -1, .octets = CS_BUF_INIT};
}

ssize_t cli_input_read(const struct cli_input *in, size_t at, void *out, size_t n)
{
    ssize_t got = -1;
    do {
        got = pread(in->fd, out, n, (off_t)at);
    } while (got < 0 && errno == EINTR);
    return got;
}

int cli_input_hold(struct cli_input *in, char *why, size_t size)
{
    if (in->held) {
        return 0;
    }
    cs_buf_reset(&in->octets);
    if (cs_buf_reserve(&in->octets, in->size) != 0) {
        (void)snprintf(why, size, "no memory for %zu octets", in->size);
        return -1;
    }
    while (in->octets.len < in->size) {
        ssize_t n = cli_input_read(in, in->octets.len, in->octets.data + in->octets.len, in->size - in->octets.len);
        if (n <= 0) {
            (void)snprintf(why, size, "%s", n < 0 ? strerror(errno) : "it became shorter while it was read");
            return -1;
        }
        in->octets.len += (size_t)n;
    }
    in->held = true;
    in->slice = (struct wssec_slice){(const uint8_t *)in->octets.data, in->octets.len};
    return 0;
}

/* The kernel's word for a mapped file of which the end is gone. Nothing was written in place of a complete message. */
static void file_was_cut(int number)
{
    static const char sentence[] = "countersign: the file became shorter while it was read\n";
    (void)number;
    if (write(STDERR_FILENO, sentence, sizeof sentence - 1) < 0) {
        _exit(CS_EXIT_UNREADABLE);
    }
    _exit(CS_EXIT_UNREADABLE);
}

int cli_input_map(struct cli_input *in, char *why, size_t size)
{
    struct sigaction cut = {.sa_handler = file_was_cut};
    if (in->held || in->map != NULL) {
        return 0;
    }
    void *p = mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, in->fd, 0);
    if (p == MAP_FAILED || sigaction(SIGBUS, &cut, NULL) != 0) {
        (void)snprintf(why, size, "%s", strerror(errno));
        return -1;
    }
    (void)madvise(p, in->size, MADV_SEQUENTIAL);
    in->map = p;
    in->slice = (struct wssec_slice){p, in->size};
    return 0;
}
