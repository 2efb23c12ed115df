/* SPDX-License-Identifier: Apache-2.0 */
/* file.c: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

int cs_write_all(int fd, const void *octets, size_t n)
{
    const char *p = octets;
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            errno = done == 0 ? ENOSPC : errno;
            return -1;
        }
        p += done;
        n -= (size_t)done;
    }
    return 0;
}
