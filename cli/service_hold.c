/* SPDX-License-Identifier: Apache-2.0 */
/* service_hold.c: countersign hold and release: a downtime window of a receiver, without a lost request. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "cli/service.h"

#define LOOK_MS 50

static int add_reason(struct cli_context *c, cs_buf *line)
{
    const char *reason = cli_option(c, "reason");
    if (reason == NULL) {
        return 0;
    }
    if (strlen(reason) > 255 || strchr(reason, '"') != NULL || strpbrk(reason, "\t\r\n") != NULL) {
        cli_usage(c, "--reason: one line of at most 255 octets without double quotes");
        return -1;
    }
    cs_buf_addf(line, " \"%s\"", reason);
    return 0;
}

/* @return the answer, NULL: *rc says how it ended */
static json_t *ask(struct cli_context *c, const char *verb, int *rc)
{
    cs_buf line = CS_BUF_INIT;
    json_t *answer = NULL;
    *rc = CS_EXIT_USAGE;
    if (c->argv[0][strcspn(c->argv[0], " \"\t\r\n")] != '\0') {
        cli_usage(c, "%.64s is no name of a route", c->argv[0]);
        return NULL;
    }
    cs_buf_addf(&line, "%s %s", verb, c->argv[0]);
    if (add_reason(c, &line) == 0) {
        answer = line.failed ? NULL : cli_service_ask(c, line.data);
        *rc = answer != NULL ? CS_EXIT_OK : cli_fail(c);
    }
    cs_buf_free(&line);
    return answer;
}

static const json_t *route_of(const json_t *status, const char *name)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_object_get(status, "routes"), i, r)
    {
        const char *have = json_string_value(json_object_get(r, "route"));
        if (have != NULL && strcmp(have, name) == 0) {
            return r;
        }
    }
    return NULL;
}

static long long number_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

/* Until nothing of the route is under way and its connections are closed, on this node. */
static int wait_empty(struct cli_context *c, int64_t wait_ms)
{
    int64_t end_us = cs_clock_mono_us() + wait_ms * 1000;
    for (;;) {
        json_t *status = cli_service_look(c);
        if (status == NULL) {
            return cli_fail(c);
        }
        const json_t *r = route_of(status, c->argv[0]);
        long long in_flight = number_of(r, "in_flight");
        long long connections = number_of(r, "connections");
        bool empty = json_is_true(json_object_get(r, "held")) && in_flight == 0 && connections == 0;
        json_decref(status);
        if (empty) {
            cli_say(c, "nothing of %s is under way, and no connection is open", c->argv[0]);
            return CS_EXIT_OK;
        }
        if (cs_clock_mono_us() > end_us) {
            cs_error_set(&c->error, CS_EXIT_LAG, "not-empty",
                         "the hold stands, but %lld exchanges are under way and %lld connections open", in_flight,
                         connections);
            return cli_fail(c);
        }
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
    }
}

static int run_hold(struct cli_context *c)
{
    int64_t wait_ms = 0;
    int rc;
    json_t *answer = ask(c, "hold", &rc);
    if (answer == NULL) {
        return rc;
    }
    cli_say(c, "route %s %s hold on every node; its requests wait. To let it go: countersign release %s", c->argv[0],
            json_is_true(json_object_get(answer, "already")) ? "is already on" : "is on", c->argv[0]);
    json_decref(answer);
    return cli_option_duration(c, "wait", &wait_ms) ? wait_empty(c, wait_ms) : CS_EXIT_OK;
}

static int run_release(struct cli_context *c)
{
    int rc;
    json_t *answer = ask(c, "release", &rc);
    if (answer == NULL) {
        return rc;
    }
    cli_say(c,
            json_is_true(json_object_get(answer, "already")) ? "route %s was not on hold"
                                                             : "route %s goes on, with the keys of now",
            c->argv[0]);
    json_decref(answer);
    return CS_EXIT_OK;
}

static const struct cli_option hold_options[] = {
    CLI_SERVICE_OPTIONS,
    {"reason", 0, CLI_TEXT, "TEXT", 0, "why, for the audit"},
    {"wait", 0, CLI_DURATION, "DURATION", 0,
     "wait so long until nothing is under way on this node and no connection open (13)"},
    {0},
};

static const struct cli_option release_options[] = {
    CLI_SERVICE_OPTIONS,
    {"reason", 0, CLI_TEXT, "TEXT", 0, "why, for the audit"},
    {0},
};

const struct cli_command cli_cmd_hold = {
    .name = "hold",
    .summary = "Let the requests of a route wait, on every node, while its receiver is away",
    .operands = "ROUTE",
    .min_operands = 1,
    .max_operands = 1,
    .options = hold_options,
    .more =
        "Exchanges under way are finished, idle connections to the receiver are closed, new requests are read and wait\n"
        "as hold { } of the route says. countersign status shows when nothing is under way. A hold outlives reload,\n"
        "upgrade and restart.\n"
        "Exit: 0 on hold; 13 not empty within --wait, the hold stands; 64 no such route; 69 no gateway or no keystore.",
    .run = run_hold,
};

const struct cli_command cli_cmd_release = {
    .name = "release",
    .summary = "Let a route go on: what waits is sent, first in, first out, with the keys of now",
    .operands = "ROUTE",
    .min_operands = 1,
    .max_operands = 1,
    .options = release_options,
    .more = "Exit: 0 it goes on; 64 no such route; 69 no gateway or no keystore.",
    .run = run_release,
};
