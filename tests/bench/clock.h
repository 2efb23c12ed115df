/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: how the bench programs measure: CPU time of the process over a given time, at least one message. */
#ifndef TESTS_BENCH_CLOCK_H
#define TESTS_BENCH_CLOCK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench_clock {
    double cpu_from;   /* seconds */
    double wall_until; /* seconds, monotonic; below wall_from: one message only (instruction counts) */
    unsigned long messages;
};

static inline double bench_seconds(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/** seconds 0: one message; negative: so many messages. */
static inline struct bench_clock bench_start(double seconds)
{
    struct bench_clock clock = {bench_seconds(CLOCK_PROCESS_CPUTIME_ID), seconds, 0};
    if (seconds > 0) {
        clock.wall_until += bench_seconds(CLOCK_MONOTONIC);
    }
    return clock;
}

/** Count a message. @return whether there is time for one more */
static inline bool bench_more(struct bench_clock *clock)
{
    clock->messages++;
    return clock->wall_until > 0 ? bench_seconds(CLOCK_MONOTONIC) < clock->wall_until
                                 : (double)clock->messages < -clock->wall_until;
}

static inline void bench_print(const struct bench_clock *clock)
{
    double cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - clock->cpu_from;
    printf("%lu %.2f\n", clock->messages, cpu * 1e6 / (double)clock->messages);
}

/** The most memory that this program had, in KB; not what its parent had before exec, as getrusage would say. */
static inline long bench_peak_kb(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %ld", &peak) != 1) {
    }
    if (status != NULL) {
        fclose(status);
    }
    return peak;
}

/** As bench_print, and the most memory the process had, beyond a message of n octets that it holds. */
static inline void bench_print_with_memory(const struct bench_clock *clock, size_t n)
{
    double cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - clock->cpu_from;
    printf("%lu %.2f %ld\n", clock->messages, cpu * 1e6 / (double)clock->messages, bench_peak_kb() - (long)(n / 1024));
}

/** A whole file. @return malloc'ed, or NULL after a message */
static inline char *bench_read(const char *name, size_t *n)
{
    char *text = NULL;
    FILE *in = fopen(name, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0) {
        perror(name);
        goto out;
    }
    long size = ftell(in);
    if (size < 0 || fseek(in, 0, SEEK_SET) != 0) {
        goto out;
    }
    text = malloc((size_t)size + 1);
    if (text != NULL && fread(text, 1, (size_t)size, in) == (size_t)size) {
        *n = (size_t)size;
    } else {
        free(text);
        text = NULL;
    }
out:
    if (in != NULL) {
        fclose(in);
    }
    return text;
}

#endif
