/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tamper.c: a hop that nobody wanted: forwards requests and changes one octet of text in the Body of each reply.
 *
 * tamper [--port N] --upstream PORT       Prints "listening PORT".
 */
#include "samples/common/http.h"

#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Change the first letter or digit of text behind the Body's start tag. */
static void change_one_octet(char *body)
{
    char *at = strstr(body, ":Body");
    bool in_text = false;
    for (; at != NULL && *at != '\0'; at++) {
        if (*at == '>') {
            in_text = true;
        } else if (*at == '<') {
            in_text = false;
        } else if (in_text && isalnum((unsigned char)*at)) {
            *at = *at == '7' ? '8' : '7';
            return;
        }
    }
}

/** One request to the upstream on a connection of its own, its reply changed and sent back. @return 0 or -1 */
static int forward(int fd, int upstream_port, const struct http_message *request)
{
    static const char blank_line[] = "\r\n\r\n";
    struct http_message reply = {0};
    struct http_peer *upstream = calloc(1, sizeof *upstream);
    int rc = -1;
    if (upstream == NULL) {
        return -1;
    }
    upstream->fd = http_connect(upstream_port);
    if (upstream->fd < 0 || http_write(upstream->fd, request->head, strlen(request->head), true) != 0 ||
        http_write(upstream->fd, blank_line, 4, true) != 0 ||
        http_write(upstream->fd, request->body, request->body_n, false) != 0 || http_read(upstream, &reply) != 1) {
        goto out;
    }
    change_one_octet(reply.body);
    if (http_write(fd, reply.head, strlen(reply.head), true) == 0 && http_write(fd, blank_line, 4, true) == 0) {
        rc = http_write(fd, reply.body, reply.body_n, false);
    }
out:
    http_message_clear(&reply);
    if (upstream->fd >= 0) {
        close(upstream->fd);
    }
    free(upstream);
    return rc;
}

static void serve(int fd, void *ctx)
{
    const int *upstream_port = ctx;
    struct http_peer *client = calloc(1, sizeof *client);
    bool open = client != NULL;
    if (open) {
        client->fd = fd;
    }
    while (open) {
        struct http_message request;
        if (http_read(client, &request) != 1) {
            break;
        }
        open = forward(fd, *upstream_port, &request) == 0 && !request.close;
        http_message_clear(&request);
    }
    free(client);
}

static int port_number(const char *text)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    return end != text && *end == '\0' && n >= 0 && n <= 65535 ? (int)n : -1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"upstream", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    int port = 0;
    static int upstream_port = -1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'p') {
            port = port_number(optarg);
        } else if (option == 'u') {
            upstream_port = port_number(optarg);
        } else {
            return 64;
        }
    }
    if (port < 0 || upstream_port <= 0) {
        fprintf(stderr, "usage: tamper [--port N] --upstream PORT\n");
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = http_listen(port, &port);
    if (listener < 0) {
        perror("tamper: listen");
        return 69;
    }
    printf("listening %d\n", port);
    fflush(stdout);
    http_serve(listener, serve, &upstream_port);
    return 69;
}
