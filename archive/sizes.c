/* SPDX-License-Identifier: Apache-2.0 */
/* sizes.c: see sizes.h. */
#include "archive/sizes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/walk.h"

struct archive_sizes {
    const struct archive_order *order;
    pthread_t thread;
    atomic_bool stop;
    _Atomic uint64_t octets;
};

static void *walk(void *ctx)
{
    struct archive_sizes *s = ctx;
    struct archive_walk *w = NULL;
    struct archive_item item = ARCHIVE_ITEM_INIT;
    struct stat st;
    uint64_t octets = 0;
    int fd = -1;
    bool known = archive_walk_new(&w, &s->order->path, s->order->directory, NULL) == 0;
    while (known && !s->stop && archive_walk_next(w, &fd, &st, &item) == 1) {
        if (fd >= 0) {
            known = S_ISREG(st.st_mode);
            octets += known ? (uint64_t)st.st_size : 0;
            close(fd);
        }
        archive_item_clear(&item);
    }
    s->octets = known && !s->stop ? octets : 0;
    archive_item_clear(&item);
    archive_walk_free(w);
    return NULL;
}

/* Standard input, and a list that is a pipe, are read once, and that is for the run. */
static bool is_read_twice(const struct archive_order *order)
{
    int start = open(order->directory != NULL ? order->directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool twice = start >= 0;
    for (size_t i = 0; twice && i < order->path.n; i++) {
        const char *text = order->path.text[i];
        struct stat st;
        if (text[0] == '@') {
            twice = fstatat(start, text + 1, &st, 0) == 0 && S_ISREG(st.st_mode);
        } else {
            twice = strcmp(text, "-") != 0;
        }
    }
    if (start >= 0) {
        close(start);
    }
    return twice;
}

struct archive_sizes *archive_sizes_begin(const struct archive_order *order)
{
    struct archive_sizes *s = is_read_twice(order) ? calloc(1, sizeof *s) : NULL;
    if (s != NULL) {
        s->order = order;
        if (pthread_create(&s->thread, NULL, walk, s) != 0) {
            free(s);
            return NULL;
        }
    }
    return s;
}

uint64_t archive_sizes_octets(const struct archive_sizes *s)
{
    return s != NULL ? s->octets : 0;
}

void archive_sizes_end(struct archive_sizes *s)
{
    if (s != NULL) {
        s->stop = true;
        (void)pthread_join(s->thread, NULL);
        free(s);
    }
}
