/* SPDX-License-Identifier: Apache-2.0 */
/* service.c: commands to the running gateway over its admin socket: one line there, one JSON object back. */
#include "cli/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cli/policy.h"

#define DEFAULT_SOCKET "/run/countersign/admin.sock"
#define ANSWER_MAX     ((size_t)4 << 20)

static int apply_gateway(const struct cs_conf *tree, void *root, struct cs_conf_report *report)
{
    return cs_conf_apply(tree, gw_directives(), root, report);
}

/* Where the gateway listens. The file may be wrong: that is what a reload is asked to judge, so no error is one here.
 */
static void find_socket(struct cli_context *c, char *out, size_t size)
{
    const char *given = cli_option(c, "socket");
    struct cs_conf_report report = {0};
    struct gw_config *config = given == NULL ? gw_config_new() : NULL;
    if (config != NULL && access(c->config_file, R_OK) == 0) {
        cli_settings_free(cli_settings_read(c->config_file, NULL, &report, apply_gateway, config));
        given = gw_admin_socket(config);
    }
    cs_copy(out, size, given != NULL ? given : DEFAULT_SOCKET);
    gw_config_free(config);
    cs_conf_report_free(&report);
}

static int service_connect(struct cli_context *c, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "admin-socket", "the path of the socket is too long");
    }
    cs_copy(name.sun_path, sizeof name.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        cs_error_set(
            &c->error, CS_EXIT_UNAVAILABLE, "no-gateway", "no gateway answers at %.200s: %s%s", path, strerror(errno),
            errno == ENOENT ? "; does the configuration have admin { socket \"PATH\"; } and does the gateway run?"
                            : "");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR) {
            return -1;
        }
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* @return 0 with a whole line in out, -1 */
static int read_line(int fd, cs_buf *out)
{
    char part[16384];
    while (out->len < ANSWER_MAX && !out->failed) {
        ssize_t n = recv(fd, part, sizeof part, 0);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            errno = n == 0 ? ECONNRESET : errno;
            return -1;
        }
        cs_buf_add(out, part, n > 0 ? (size_t)n : 0);
        char *end = n > 0 && !out->failed ? memchr(out->data + out->len - (size_t)n, '\n', (size_t)n) : NULL;
        if (end != NULL) {
            *end = '\0';
            out->len = (size_t)(end - out->data);
            return 0;
        }
    }
    errno = EMSGSIZE;
    return -1;
}

/* What the gateway refused, as it said it. */
static int answer_error(struct cli_context *c, const json_t *answer)
{
    json_t *lines = json_object_get(answer, "lines");
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        fprintf(stderr, "%s\n", json_string_value(line) != NULL ? json_string_value(line) : "");
    }
    json_int_t code = json_integer_value(json_object_get(answer, "exit"));
    const char *reason = json_string_value(json_object_get(answer, "reason"));
    const char *text = json_string_value(json_object_get(answer, "error"));
    return cs_error_set(&c->error, code > 0 && code < 126 ? (int)code : CS_EXIT_INTERNAL,
                        reason != NULL ? reason : "gateway", "%.900s", text != NULL ? text : "the gateway refused");
}

static json_t *ask(struct cli_context *c, const char *line, bool print)
{
    char path[256];
    cs_buf in = CS_BUF_INIT;
    cs_buf out = CS_BUF_INIT;
    json_t *answer = NULL;
    find_socket(c, path, sizeof path);
    int fd = service_connect(c, path);
    if (fd < 0) {
        return NULL;
    }
    cs_buf_addf(&out, "%s\n", line);
    if (out.failed || write_all(fd, out.data, out.len) != 0 || read_line(fd, &in) != 0) {
        cs_error_set(&c->error, CS_EXIT_UNAVAILABLE, "no-gateway",
                     "the gateway at %.200s closed without an answer (%s); may this account use its socket?", path,
                     strerror(errno));
        goto out;
    }
    answer = json_loadb(in.data, in.len, JSON_REJECT_DUPLICATES, NULL);
    if (answer == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "gateway", "what answers at %.200s is no gateway", path);
    } else if (!json_is_true(json_object_get(answer, "ok"))) {
        answer_error(c, answer);
        json_decref(answer);
        answer = NULL;
    } else if (print) {
        puts(in.data);
    }
out:
    cs_buf_free(&in);
    cs_buf_free(&out);
    close(fd);
    return answer;
}

json_t *cli_service_ask(struct cli_context *c, const char *line)
{
    return ask(c, line, c->json);
}

json_t *cli_service_look(struct cli_context *c)
{
    return ask(c, "status", false);
}

/* ---- reload, drain, log-level ------------------------------------------------------------------------------------ */

static int run_reload(struct cli_context *c)
{
    json_t *answer = cli_service_ask(c, "reload");
    if (answer == NULL) {
        return cli_fail(c);
    }
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        if (json_string_value(line) != NULL) {
            fprintf(stderr, "%s\n", json_string_value(line));
        }
    }
    cli_say(c,
            "the configuration was read anew and is in force, with generation %" JSON_INTEGER_FORMAT " of the keystore",
            json_integer_value(json_object_get(answer, "generation")));
    json_decref(answer);
    return CS_EXIT_OK;
}

static int run_drain(struct cli_context *c)
{
    json_t *answer = cli_service_ask(c, "drain");
    if (answer == NULL) {
        return cli_fail(c);
    }
    cli_say(c,
            "the gateway drains: %" JSON_INTEGER_FORMAT " exchanges in flight, %" JSON_INTEGER_FORMAT
            " client connections; it exits when they have ended",
            json_integer_value(json_object_get(answer, "in_flight")),
            json_integer_value(json_object_get(answer, "connections")));
    json_decref(answer);
    return CS_EXIT_OK;
}

static int run_log_level(struct cli_context *c)
{
    char line[64] = "log-level";
    if (c->argc == 1 && (size_t)snprintf(line, sizeof line, "log-level %s", c->argv[0]) >= sizeof line) {
        return cli_usage(c, "a log level is error, warn, notice, info or debug");
    }
    json_t *answer = cli_service_ask(c, line);
    if (answer == NULL) {
        return cli_fail(c);
    }
    if (!c->json) {
        puts(json_string_value(json_object_get(answer, "level")));
    }
    json_decref(answer);
    return CS_EXIT_OK;
}

static const struct cli_option options[] = {CLI_SERVICE_OPTIONS, {0}};

#define EXITS "69 no gateway at the socket"

const struct cli_command cli_cmd_reload = {
    .name = "reload",
    .summary = "Make the running gateway read its configuration anew, and tell what came of it",
    .options = options,
    .more = "A wrong configuration is named as file:line:column: message, and the old one stays in force.\n"
            "Exit: 0 in force; 78 refused; " EXITS ".",
    .run = run_reload,
};

const struct cli_command cli_cmd_drain = {
    .name = "drain",
    .summary = "Let the running gateway finish what is in flight and exit",
    .options = options,
    .more = "As SIGTERM: /readyz says 503, after drain-delay accepting ends, replies carry Connection: close.\n"
            "Exit: 0 it drains; " EXITS ".",
    .run = run_drain,
};

const struct cli_command cli_cmd_log_level = {
    .name = "log-level",
    .summary = "Show or change how much the running gateway logs, until it ends",
    .operands = "[error|warn|notice|info|debug]",
    .max_operands = 1,
    .options = options,
    .more = "Exit: 0; 64 no such level; " EXITS ".",
    .run = run_log_level,
};
