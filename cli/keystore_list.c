/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_list.c: keystore list, show and acceptable: what is stored, asked without changing anything. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "keystore/notice.h"

/* Records or a table; at: the instant asked about. @return exit code */
static int print_list(struct cli_context *c, ks_store *store, const ks_list *list, cs_time at)
{
    int rc = CS_EXIT_OK;
    if (list->n == 0) {
        return rc;
    }
    if (!c->json) {
        cli_table_print(list, at);
        return rc;
    }
    if (ks_reading_begin(store, &c->error) != 0) {
        return cli_fail(c);
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < list->n; i++) {
        rc = cli_record_print(c, store, &list->info[i]);
    }
    ks_reading_end(store);
    return rc;
}

static int warn_unreached(void *ctx, const ks_unreached *u, cs_error *e)
{
    (void)e;
    char date[CS_TIME_TEXT];
    cli_warn(
        ctx,
        "notice-undeliverable: %s#%u ends on %s and %s; countersign keystore subscribe %s --name NAME --mail ADDRESS",
        u->alias, u->n, cli_date(u->not_after, date),
        u->subscribers == 0 ? "nobody is told" : "no mail about it arrives", u->alias);
    return 0;
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static int run_list(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_list list = {NULL, 0};
    ks_filter filter = {.partner = cli_option(c, "partner")};
    cs_time at = c->now;
    filter.has_role = cli_given(c, "role") && ks_role_parse(cli_option(c, "role"), &filter.role) == 0;
    filter.has_state = cli_given(c, "state") && ks_state_parse(cli_option(c, "state"), &filter.state) == 0;
    cli_option_time(c, "as-of", &at);
    if (cli_open_store(c, true, NULL, &store) != 0 ||
        (at < c->now ? ks_list_past(store, &filter, at, &list, &c->error)
                     : ks_list_entries(store, &filter, at, &list, &c->error)) != 0) {
        ks_close(store);
        return cli_fail(c);
    }
    int rc = print_list(c, store, &list, at);
    if (rc == CS_EXIT_OK && at >= c->now) {
        rc = cli_requests_print(c, store, &filter);
    }
    if (rc == CS_EXIT_OK && at >= c->now) {
        rc = cli_autos_print(c, store, &filter);
    }
    if (rc == CS_EXIT_OK && ks_unreached_each(store, warn_unreached, c, &c->error) != 0) {
        rc = cli_fail(c);
    }
    if (list.n == 0 && filter.partner != NULL) {
        cli_warn_unknown_partner(c, store, filter.partner);
    } else if (list.n == 0) {
        cli_say(c, "no entries");
    }
    ks_list_free(&list);
    ks_close(store);
    return rc;
}

static const struct cli_option list_options[] = {
    {"role", 0, CLI_TEXT, "verifier|encrypt-to|sign|decrypt|tls-client|tls-server|trust-anchor|authz-client", 0,
     "only entries of this role"},
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "only entries of this partner"},
    {"state", 0, CLI_TEXT, "pre-active|active|deactivated|archived|suspended|compromised|destroyed", 0,
     "only entries in this state"},
    {"as-of", 0, CLI_TIME, "TIME", 0, "states as they were then, or will be if nothing is done"},
    {0},
};

const struct cli_command cli_cmd_keystore_list = {
    .parent = "keystore",
    .name = "list",
    .summary = "All entries with state, validity, last use and the end of their window",
    .options = list_options,
    .more = "With --json one record per entry. A mark ! stands at entries in use that end within 30 days.",
    .run = run_list,
};

/* ---- show ------------------------------------------------------------------------------------------------------- */

static int count_request(void *ctx, const ks_csr *r, cs_error *e)
{
    (void)e;
    unsigned *wanted = ctx;
    if (*wanted == 0 || *wanted == r->n) {
        *wanted = UINT_MAX;
    }
    return 0;
}

/* Does an entry wait for its certificate there? */
static bool is_requested(struct cli_context *c, ks_store *store, const ks_filter *f)
{
    unsigned n = f->n;
    return ks_csr_each(store, f->alias, count_request, &n, &c->error) == 0 && n == UINT_MAX;
}

static int run_show(struct cli_context *c)
{
    struct cli_entry entry;
    ks_store *store = NULL;
    ks_list list = {NULL, 0};
    if (cli_entry_read(c, c->argv[0], true, &entry) != 0) {
        return CS_EXIT_USAGE;
    }
    ks_filter filter = {.alias = entry.alias, .n = entry.n, .with_destroyed = true};
    int rc = cli_open_store(c, true, NULL, &store);
    if (rc == 0) {
        rc = ks_list_entries(store, &filter, c->now, &list, &c->error);
    }
    if (rc == 0 && list.n == 0 && !is_requested(c, store, &filter)) {
        rc =
            cs_error_set(&c->error, CS_EXIT_USAGE, "entry-unknown",
                         "%s holds no entry #%u; see: countersign keystore show %s", entry.alias, entry.n, entry.alias);
    }
    if (rc != 0) {
        rc = cli_fail(c);
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < list.n; i++) {
        rc = c->json ? cli_record_print(c, store, &list.info[i]) : cli_entry_print(c, store, &list.info[i]);
    }
    if (rc == CS_EXIT_OK) {
        rc = cli_requests_print(c, store, &filter);
    }
    if (rc == CS_EXIT_OK) {
        rc = cli_autos_print(c, store, &filter);
    }
    ks_list_free(&list);
    ks_close(store);
    return rc;
}

const struct cli_command cli_cmd_keystore_show = {
    .parent = "keystore",
    .name = "show",
    .summary = "One entry, or all of a slot, in full: dates, fingerprints, use, what may be done with it now",
    .operands = "ALIAS|ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_show,
};

/* ---- acceptable ------------------------------------------------------------------------------------------------- */

/* --known-at TIME as a generation. @return 1: known; 0: no generation was there then; -1 with c->error set */
static int known_generation(struct cli_context *c, ks_store *store, uint64_t *generation)
{
    cs_time known_at = 0;
    *generation = 0;
    if (!cli_option_time(c, "known-at", &known_at)) {
        return 1;
    }
    if (ks_generation_at(store, known_at, generation, &c->error) != 0) {
        return -1;
    }
    return *generation != 0;
}

static int run_acceptable(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_list list = {NULL, 0};
    cs_time at = c->now;
    uint64_t generation = 0;
    char when[80];
    const char *partner = cli_option(c, "partner");
    cli_option_time(c, "at", &at);
    int known = cli_open_store(c, true, NULL, &store) == 0 ? known_generation(c, store, &generation) : -1;
    if (known < 0 ||
        (known == 1 && ks_acceptable(store, partner, KS_CAN_VERIFY, at, generation, &list, &c->error) != 0)) {
        ks_close(store);
        return cli_fail(c);
    }
    if (list.n == 0) {
        cli_warn_unknown_partner(c, store, partner);
        cli_say(c, "no certificate of %s was acceptable at %s", partner, cli_time_local(at, when, sizeof when));
    }
    int rc = print_list(c, store, &list, at);
    ks_list_free(&list);
    ks_close(store);
    return rc;
}

static const struct cli_option acceptable_options[] = {
    {"partner", 0, CLI_TEXT, "PARTNER", CLI_NEEDED, "whose signatures"},
    {"at", 0, CLI_TIME, "TIME", 0, "accepted at this instant; without it now"},
    {"known-at", 0, CLI_TIME, "TIME", 0, "by what the keystore knew then; without it now"},
    {0},
};

const struct cli_command cli_cmd_keystore_acceptable = {
    .parent = "keystore",
    .name = "acceptable",
    .summary = "The certificates with which a partner's signatures were accepted at an instant",
    .options = acceptable_options,
    .more = "Example:\n  countersign keystore acceptable --partner acme --at 2026-03-03T00:00:00Z",
    .run = run_acceptable,
};
