/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin.c: the receiver of the proxy bench: reads each request whole, then answers /NAME with DIRECTORY/body-NAME.xml
 * from memory. Its own CPU time is not measured; it only must not be the slowest.
 *
 * origin DIRECTORY NAME…      prints "listening PORT"
 */
#include "samples/common/http.h"
#include "tests/bench/clock.h"

#include <limits.h>
#include <string.h>

enum { FILES_MAX = 8 };

static struct {
    const char *name;
    char *body;
    size_t n;
} files[FILES_MAX];

static int answer(int fd, const struct http_message *request)
{
    const char *path = strchr(request->head, '/');
    for (size_t i = 0; path != NULL && i < FILES_MAX && files[i].name != NULL; i++) {
        size_t n = strlen(files[i].name);
        if (strncmp(path + 1, files[i].name, n) == 0 && path[1 + n] == ' ') {
            return http_write_reply_head(fd, 200, "text/xml; charset=utf-8", files[i].n) == 0
                       ? http_write(fd, files[i].body, files[i].n, false)
                       : -1;
        }
    }
    return http_write_reply_head(fd, 404, "text/plain", 0);
}

static void serve(int fd, void *ctx)
{
    (void)ctx;
    struct http_peer *peer = calloc(1, sizeof *peer);
    bool open = peer != NULL;
    if (open) {
        peer->fd = fd;
    }
    while (open) {
        struct http_message request;
        if (http_read(peer, &request) != 1) {
            break;
        }
        open = answer(fd, &request) == 0 && !request.close;
        http_message_clear(&request);
    }
    free(peer);
}

int main(int argc, char **argv)
{
    int port = 0;
    if (argc < 3 || argc - 2 > FILES_MAX) {
        fprintf(stderr, "usage: origin DIRECTORY NAME...\n");
        return 64;
    }
    for (int i = 2; i < argc; i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/body-%s.xml", argv[1], argv[i]);
        files[i - 2].name = argv[i];
        files[i - 2].body = n > 0 && (size_t)n < sizeof path ? bench_read(path, &files[i - 2].n) : NULL;
        if (files[i - 2].body == NULL) {
            return 70;
        }
    }
    int listener = http_listen(0, &port);
    if (listener < 0) {
        perror("origin: listen");
        return 69;
    }
    printf("listening %d\n", port);
    fflush(stdout);
    http_serve(listener, serve, NULL);
    return 69;
}
