/* SPDX-License-Identifier: Apache-2.0 */
/* http.c: blocking HTTP/1.1 for the samples. */
#include "samples/common/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/** Read more octets behind those that are there. @return how many, 0 at the end, -1 */
static ssize_t read_some(int fd, char *to, size_t room)
{
    ssize_t n;
    do {
        n = read(fd, to, room);
    } while (n < 0 && errno == EINTR);
    return n;
}

/** Collect the head up to its blank line. @return octets up to and with the blank line, 0 at the end, -1 */
static ssize_t read_head(struct http_peer *peer)
{
    for (;;) {
        char *end = memmem(peer->ahead, peer->ahead_n, "\r\n\r\n", 4);
        if (end != NULL) {
            return end - peer->ahead + 4;
        }
        if (peer->ahead_n == sizeof peer->ahead) {
            return -1;
        }
        ssize_t n = read_some(peer->fd, peer->ahead + peer->ahead_n, sizeof peer->ahead - peer->ahead_n);
        if (n <= 0) {
            return n == 0 && peer->ahead_n == 0 ? 0 : -1;
        }
        peer->ahead_n += (size_t)n;
    }
}

/* Value of a field (case-insensitive name), or NULL; copied into out, cut to fit. */
static const char *field(const struct http_message *m, const char *name, char *out, size_t outsize)
{
    size_t name_n = strlen(name);
    for (const char *line = strstr(m->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_n) != 0 || line[name_n] != ':') {
            continue;
        }
        const char *value = line + name_n + 1;
        value += strspn(value, " \t");
        snprintf(out, outsize, "%.*s", (int)strcspn(value, "\r"), value);
        return out;
    }
    return NULL;
}

/** Octets of the body. @return 0, or -1 where the length is missing, malformed, too large or coded */
static int body_length(const struct http_message *m, size_t *length)
{
    char text[32];
    *length = 0;
    if (field(m, "Transfer-Encoding", text, sizeof text) != NULL) {
        return -1;
    }
    if (field(m, "Content-Length", text, sizeof text) == NULL) {
        return strncmp(m->head, "POST ", 5) == 0 ? -1 : 0;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n > HTTP_BODY_MAX) {
        return -1;
    }
    *length = (size_t)n;
    return 0;
}

static int read_body(struct http_peer *peer, size_t head_n, size_t length, struct http_message *m)
{
    m->body = malloc(length + 1);
    if (m->body == NULL) {
        return -1;
    }
    size_t there = peer->ahead_n - head_n;
    if (there > length) {
        there = length;
    }
    memcpy(m->body, peer->ahead + head_n, there);
    peer->ahead_n -= head_n + there;
    memmove(peer->ahead, peer->ahead + head_n + there, peer->ahead_n);
    while (there < length) {
        ssize_t n = read_some(peer->fd, m->body + there, length - there);
        if (n <= 0) {
            return -1;
        }
        there += (size_t)n;
    }
    m->body[length] = '\0';
    m->body_n = length;
    return 0;
}

int http_read(struct http_peer *peer, struct http_message *m)
{
    *m = (struct http_message){0};
    ssize_t head_n = read_head(peer);
    if (head_n <= 0) {
        return (int)head_n;
    }
    size_t length = 0;
    char connection[32];
    m->head = strndup(peer->ahead, (size_t)head_n - 4);
    if (m->head == NULL || body_length(m, &length) != 0 || read_body(peer, (size_t)head_n, length, m) != 0) {
        http_message_clear(m);
        return -1;
    }
    m->close = field(m, "Connection", connection, sizeof connection) != NULL && strcasecmp(connection, "close") == 0;
    return 1;
}

void http_message_clear(struct http_message *m)
{
    free(m->head);
    free(m->body);
    *m = (struct http_message){0};
}

int http_write(int fd, const void *octets, size_t n, bool more)
{
    const char *from = octets;
    while (n > 0) {
        ssize_t done = send(fd, from, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return -1;
        }
        from += done;
        n -= (size_t)done;
    }
    return 0;
}

int http_write_reply_head(int fd, int status, const char *content_type, size_t n)
{
    char head[256];
    const char *phrase = status < 300 ? "OK" : status < 500 ? "Bad Request" : "Internal Server Error";
    int head_n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                          status, phrase, content_type, n);
    return head_n > 0 && (size_t)head_n < sizeof head ? http_write(fd, head, (size_t)head_n, n > 0) : -1;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int http_listen(int port, int *bound)
{
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *bound = ntohs(address.sin_port);
    return fd;
}

int http_connect(int port)
{
    struct sockaddr_in address = loopback(port);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct served {
    int fd;
    void (*serve)(int fd, void *ctx);
    void *ctx;
};

static void *serve_one(void *arg)
{
    struct served *s = arg;
    s->serve(s->fd, s->ctx);
    close(s->fd);
    free(s);
    return NULL;
}

void http_serve(int listener, void (*serve)(int fd, void *ctx), void *ctx)
{
    for (;;) {
        const int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            return;
        }
        pthread_t thread;
        struct served *s = malloc(sizeof *s);
        if (s == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
            free(s);
            close(fd);
            continue;
        }
        *s = (struct served){fd, serve, ctx};
        if (pthread_create(&thread, NULL, serve_one, s) != 0) {
            free(s);
            close(fd);
            continue;
        }
        pthread_detach(thread);
    }
}
