/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h: as much HTTP/1.1 as the samples need: blocking, Content-Length only, keep-alive. The samples stand behind the
 * gateway, which sends nothing else; what does not fit is refused, never guessed.
 */
#ifndef SAMPLES_HTTP_H
#define SAMPLES_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_HEAD_MAX = 32 * 1024, HTTP_BODY_MAX = 128 * 1024 * 1024 };

/** One connection and what was read ahead on it. */
struct http_peer {
    int fd; /**< borrowed */
    char ahead[HTTP_HEAD_MAX];
    size_t ahead_n;
};

/** One request or reply. Owned strings; http_message_clear gives them back. */
struct http_message {
    char *head; /**< start line and fields, NUL-terminated, without the blank line */
    char *body; /**< NUL-terminated beyond body_n */
    size_t body_n;
    bool close; /**< the peer asked for the end of the connection */
};

/** Read one message. m is filled anew. @return 1; 0: the peer closed between messages; -1: malformed, cut or too large
 */
int http_read(struct http_peer *peer, struct http_message *m);
void http_message_clear(struct http_message *m);

/** Write all octets; with more, the kernel may wait for those that follow and send them together. @return 0 or -1 */
int http_write(int fd, const void *octets, size_t n, bool more);
/** Write a reply head with Content-Length n; the body follows with http_write. @return 0 or -1 */
int http_write_reply_head(int fd, int status, const char *content_type, size_t n);

/** Listen on 127.0.0.1:port (0: any), and tell the port. @return the descriptor, or -1 */
int http_listen(int port, int *bound);
/** Connect to 127.0.0.1:port. @return the descriptor, or -1 */
int http_connect(int port);
/** Accept for ever; each connection gets a detached thread that runs serve(fd, ctx) and closes fd afterwards. */
void http_serve(int listener, void (*serve)(int fd, void *ctx), void *ctx);

#endif
