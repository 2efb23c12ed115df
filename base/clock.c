/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: wall clock and monotonic clock of the system; nothing else in the product asks it. */
#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Both clocks exist on every Linux; clock_gettime() fails only for an unknown clock or a bad address. */
static int64_t read_us(clockid_t id)
{
    struct timespec ts = {0};
    if (clock_gettime(id, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000 + (int64_t)ts.tv_nsec / 1000;
}

cs_time cs_clock_now(void)
{
    return read_us(CLOCK_REALTIME) / 1000000;
}

int64_t cs_clock_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t cs_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static char boot[CS_BOOT];

static void read_boot(void)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, boot, sizeof boot - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    boot[n > 0 ? n : 0] = '\0';
    boot[strcspn(boot, "\r\n")] = '\0';
    if (boot[0] == '\0') {
        snprintf(boot, sizeof boot, "process-%ld-%lld", (long)getpid(), (long long)read_us(CLOCK_BOOTTIME));
    }
}

void cs_clock_uptime(cs_uptime *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_boot);
    memcpy(out->boot, boot, sizeof boot);
    out->s = read_us(CLOCK_BOOTTIME) / 1000000;
}
