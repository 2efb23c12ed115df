/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c: see notify.h. */
#include "gateway/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LISTEN_MAX 256

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path != NULL ? strlen(path) : 0;
    if (n == 0 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, len) < 0) {
        cs_log(CS_LOG_DEBUG, "notify", "the service manager was not told", CS_STR("why", strerror(errno)));
    }
    if (fd >= 0) {
        close(fd);
    }
}

void notify_reloading(void)
{
    char state[96];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)cs_clock_mono_us());
    notify_send(state);
}

const char *notify_listen_name(unsigned i, char *out, size_t size)
{
    const char *p = getenv("LISTEN_FDNAMES");
    out[0] = '\0';
    for (; p != NULL && i > 0; i--) {
        p = strchr(p, ':');
        p = p != NULL ? p + 1 : NULL;
    }
    if (p != NULL) {
        snprintf(out, size, "%.*s", (int)strcspn(p, ":"), p);
    }
    return out;
}

unsigned notify_listen_fds(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    unsigned long n = 0;
    if (pid != NULL && fds != NULL && strtoul(pid, NULL, 10) == (unsigned long)getpid()) {
        n = strtoul(fds, NULL, 10);
        n = n < LISTEN_MAX ? n : LISTEN_MAX;
    }
    for (unsigned i = 0; i < n; i++) {
        int flags = fcntl(NOTIFY_LISTEN_FIRST + (int)i, F_GETFD);
        if (flags < 0 || fcntl(NOTIFY_LISTEN_FIRST + (int)i, F_SETFD, flags | FD_CLOEXEC) != 0) {
            n = i;
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (unsigned)n;
}
