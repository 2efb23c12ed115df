/* SPDX-License-Identifier: Apache-2.0 */
/* service_status.c: countersign status: what the running gateway does, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/service.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "-";
}

static long long number_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static bool truth_of(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static void print_head(const json_t *s)
{
    size_t i;
    json_t *listener;
    printf("countersign %s on %s, process %lld, %s since %s, %s\n", text_of(s, "version"), text_of(s, "node"),
           number_of(s, "pid"), text_of(s, "state"), text_of(s, "started"),
           truth_of(s, "ready") ? "ready" : "NOT READY");
    printf("listeners    ");
    json_array_foreach(json_object_get(s, "listeners"), i, listener)
    {
        printf(" %s", json_string_value(listener) != NULL ? json_string_value(listener) : "?");
    }
    printf("\nkeystore      generation %lld", number_of(s, "generation"));
    if (number_of(s, "keystore_stale_s") > 0) {
        printf(", AWAY for %lld s: the last snapshot is in force", number_of(s, "keystore_stale_s"));
    }
    putchar('\n');
}

static void print_load(const json_t *s)
{
    const json_t *conns = json_object_get(s, "connections");
    const json_t *exchanges = json_object_get(s, "exchanges");
    const json_t *workers = json_object_get(s, "workers");
    const json_t *memory = json_object_get(s, "memory");
    const json_t *reload = json_object_get(s, "reload");
    printf("connections   %lld of %lld from clients, %lld to upstreams\n", number_of(conns, "clients"),
           number_of(conns, "limit"), number_of(conns, "upstream"));
    printf("exchanges     %lld in flight, %lld ended, %lld refused\n", number_of(exchanges, "in_flight"),
           number_of(exchanges, "ended"), number_of(exchanges, "refused"));
    printf("workers       %lld, %lld messages wait\n", number_of(workers, "threads"), number_of(workers, "queue"));
    printf("memory        %lld of %lld octets for bodies\n", number_of(memory, "reserved"),
           number_of(memory, "ceiling"));
    if (number_of(s, "log_dropped") > 0) {
        printf("access log    %lld lines DROPPED\n", number_of(s, "log_dropped"));
    }
    printf("reloads       %lld, %lld refused", number_of(reload, "done"), number_of(reload, "refused"));
    if (number_of(reload, "done") + number_of(reload, "refused") > 0) {
        printf("; the last %s %s", truth_of(reload, "last_good") ? "in force since" : "REFUSED at",
               text_of(reload, "last"));
    }
    putchar('\n');
}

static void print_notices(const json_t *s)
{
    const json_t *n = json_object_get(s, "notices");
    printf("notices       %lld sent, %lld wait, %lld failed\n", number_of(n, "sent"), number_of(n, "waiting"),
           number_of(n, "failed"));
    if (number_of(n, "unreached") > 0) {
        printf("              of %lld certificate%s that end%s NOBODY IS TOLD; which: countersign keystore list\n",
               number_of(n, "unreached"), number_of(n, "unreached") == 1 ? "" : "s",
               number_of(n, "unreached") == 1 ? "s" : "");
    }
}

static void print_route(const json_t *r)
{
    size_t i;
    json_t *u;
    printf("route %-20s %s%s\n", text_of(r, "route"), truth_of(r, "usable") ? "usable" : "NOT USABLE",
           truth_of(r, "monitored") ? ", MONITORED: refuses nothing" : "");
    if (truth_of(r, "held")) {
        printf("      ON HOLD since %s by %s: %lld wait, %lld in flight, %lld connections\n", text_of(r, "held_since"),
               text_of(r, "held_by"), number_of(r, "waiting"), number_of(r, "in_flight"), number_of(r, "connections"));
    }
    if (!truth_of(r, "usable")) {
        printf("      %s: %s\n", text_of(r, "about"), text_of(r, "trouble"));
    }
    json_array_foreach(json_object_get(r, "upstreams"), i, u)
    {
        printf("      %s: %s%lld in flight\n", text_of(u, "url"), truth_of(u, "up") ? "" : "DOWN, ",
               number_of(u, "in_flight"));
    }
}

static int run(struct cli_context *c)
{
    json_t *s = cli_service_ask(c, "status");
    size_t i;
    json_t *r;
    if (s == NULL) {
        return cli_fail(c);
    }
    if (!c->json) {
        print_head(s);
        print_load(s);
        print_notices(s);
        json_array_foreach(json_object_get(s, "routes"), i, r)
        {
            print_route(r);
        }
    }
    bool ready = truth_of(s, "ready");
    json_decref(s);
    return ready ? CS_EXIT_OK : CS_EXIT_FAIL;
}

static const struct cli_option options[] = {CLI_SERVICE_OPTIONS, {0}};

const struct cli_command cli_cmd_status = {
    .name = "status",
    .summary = "What the running gateway does: connections, exchanges, routes, reloads",
    .options = options,
    .more = "Exit: 0 ready; 1 it answers, but is not ready for requests (it drains, or no route is usable);\n"
            "69 no gateway at the socket.",
    .run = run,
};
