/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_expiring.c: keystore expiring: which slots have nothing valid any more at an instant, if nothing is done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "keystore/renewal.h"

#define WITHIN (30 * CS_DAY)

/* What follows an entry that ends. */
struct after {
    const ks_info *covered_by; /* active, and still valid then; NULL: none */
    const ks_info *ready;      /* waits to be activated, and valid then; NULL: none */
    cs_time planned;           /* ready is activated then by itself, in time; 0: not */
    ks_auto_info renews;       /* on: the slot makes its successor by itself, and nothing went wrong with it yet */
};

static bool is_covered(const struct after *after)
{
    return after->covered_by != NULL || after->planned != 0 || after->renews.on;
}

/* ---- what follows ------------------------------------------------------------------------------------------------ */

static int keep_auto(void *ctx, const ks_auto_info *i, cs_error *e)
{
    (void)e;
    *(ks_auto_info *)ctx = *i;
    return 0;
}

/* A successor that only a person activates, or that could not be made, covers nothing. */
static int ask_auto(ks_store *s, const ks_info *i, cs_time now, struct after *after, cs_error *e)
{
    ks_auto_info *a = &after->renews;
    if (ks_auto_each(s, i->alias, now, keep_auto, a, e) != 0) {
        return -1;
    }
    a->on = a->on && !a->fingerprint && a->error[0] == '\0' && a->n == i->n && a->at <= i->not_after;
    return 0;
}

static cs_time planned_for(const ks_info *ready, const ks_info *of)
{
    for (size_t k = 0; ready != NULL && k < ready->n_planned; k++) {
        if (ready->planned[k].verb == KS_DO_ACTIVATE && ready->planned[k].at <= of->not_after) {
            return ready->planned[k].at;
        }
    }
    return 0;
}

/* A tls-server slot has one per key type: only one of the same type takes its place. */
static bool takes_the_place(const ks_info *of, const ks_info *other, cs_time then)
{
    return strcmp(of->alias, other->alias) == 0 && of->n != other->n && other->not_before <= then &&
           other->not_after >= then &&
           (of->role != KS_TLS_SERVER || strcmp(of->key_algorithm, other->key_algorithm) == 0);
}

static struct after what_follows(const ks_list *l, size_t i, cs_time then)
{
    struct after after = {NULL, NULL, 0, {.on = false}};
    size_t first = i;
    while (first > 0 && strcmp(l->info[first - 1].alias, l->info[i].alias) == 0) {
        first--;
    }
    for (size_t k = first; k < l->n && strcmp(l->info[k].alias, l->info[i].alias) == 0; k++) {
        const ks_info *other = &l->info[k];
        if (!takes_the_place(&l->info[i], other, then)) {
            continue;
        }
        if (other->state == KS_ACTIVE) {
            after.covered_by = other;
        } else if (other->state == KS_PRE_ACTIVE) {
            after.ready = other;
        }
    }
    after.planned = planned_for(after.ready, &l->info[i]);
    return after;
}

static const char *next_command(const ks_info *i, const struct after *after, char *out, size_t size)
{
    char entry[KS_WORD + 12];
    if (is_covered(after)) {
        return NULL;
    }
    if (after->ready != NULL) {
        cli_entry_text(after->ready, entry, sizeof entry);
        snprintf(out, size, "countersign keystore activate %s", entry);
    } else if (i->has_key) {
        snprintf(out, size, "countersign keystore generate --alias %s", i->alias);
    } else {
        snprintf(out, size, "countersign keystore add --role %s%s%s --alias %s FILE", ks_role_word(i->role),
                 i->partner[0] != '\0' ? " --partner " : "", i->partner, i->alias);
    }
    return out;
}

/* "covered by …", in words. */
static void tell_cover(const struct after *after, const char *by, char *out, size_t size)
{
    char date[CS_TIME_TEXT];
    if (after->covered_by != NULL) {
        snprintf(out, size, "covered by %s", by);
    } else if (after->planned != 0) {
        snprintf(out, size, "%s is activated %s by itself", by, cli_date(after->planned, date));
    } else {
        snprintf(out, size, "renews itself %s", cli_date(after->renews.at, date));
    }
}

/* Routes that name the slot or its partner, each once. */
static void add_routes(const ks_evidence *v, cs_json *j, cs_buf *text)
{
    for (size_t i = 0; i < v->n_where; i++) {
        bool told = false;
        for (size_t k = 0; k < i; k++) {
            told = told || strcmp(v->where[k].route, v->where[i].route) == 0;
        }
        if (told) {
            continue;
        }
        if (j != NULL) {
            cs_json_str(j, NULL, v->where[i].route);
        } else {
            cs_buf_addf(text, " %s", v->where[i].route);
        }
    }
}

static int print_one(struct cli_context *c, const ks_info *i, const struct after *after, const ks_evidence *used,
                     cs_time then)
{
    char entry[KS_WORD + 12];
    char by[KS_WORD + 12] = "";
    char cover[160] = "";
    char left[32];
    char next[400];
    char date[CS_TIME_TEXT];
    const char *command = next_command(i, after, next, sizeof next);
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cli_entry_text(i, entry, sizeof entry);
    if (after->covered_by != NULL || after->planned != 0) {
        cli_entry_text(after->covered_by != NULL ? after->covered_by : after->ready, by, sizeof by);
    }
    if (!c->json) {
        tell_cover(after, by, cover, sizeof cover);
        if (command != NULL && used->n_where > 0) {
            cs_buf_adds(&b, "  breaks route");
            add_routes(used, NULL, &b);
        }
        printf("%-24s %-12s %-12s ends %s (%s)  %s%s%s\n", entry, ks_role_word(i->role),
               i->partner[0] != '\0' ? i->partner : "-", cli_date(i->not_after, date),
               i->not_after >= c->now ? cli_span(i->not_after - c->now, left, sizeof left) : "expired",
               command == NULL ? "" : "next: ", command == NULL ? cover : command,
               b.data != NULL && !b.failed ? b.data : "");
        cs_buf_free(&b);
        return CS_EXIT_OK;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "entry", entry);
    cs_json_str(&j, "alias", i->alias);
    cs_json_str(&j, "role", ks_role_word(i->role));
    cs_json_str(&j, "partner", i->partner[0] != '\0' ? i->partner : NULL);
    cs_json_time(&j, "not_after", i->not_after);
    cs_json_time(&j, "at", then);
    cs_json_str(&j, "covered_by", by[0] != '\0' ? by : NULL);
    cs_json_time(&j, "planned_at", after->planned);
    cs_json_time(&j, "renews_at", after->renews.on ? after->renews.at : 0);
    cs_json_str(&j, "next", command);
    cs_json_array(&j, "routes");
    add_routes(used, &j, NULL);
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int run(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_list list = {NULL, 0};
    const ks_filter filter = {.alias = NULL};
    cs_time then = c->now + WITHIN;
    int64_t within_ms = 0;
    char when[80];
    size_t found = 0;
    size_t open = 0;
    if (cli_given(c, "within") && cli_given(c, "at")) {
        return cli_usage(c, "either --within or --at");
    }
    if (cli_option_duration(c, "within", &within_ms)) {
        then = c->now + within_ms / 1000;
    }
    cli_option_time(c, "at", &then);
    if (then < c->now) {
        return cli_usage(c, "--at looks ahead; states of the past tells: countersign keystore list --as-of TIME");
    }
    int rc = CS_EXIT_OK;
    if (cli_open_store(c, true, NULL, &store) != 0 || ks_list_entries(store, &filter, c->now, &list, &c->error) != 0) {
        rc = cli_fail(c);
    }
    for (size_t i = 0; rc == CS_EXIT_OK && i < list.n; i++) {
        if (list.info[i].state != KS_ACTIVE || list.info[i].not_after >= then) {
            continue;
        }
        struct after after = what_follows(&list, i, then);
        ks_evidence used = {.n_where = 0};
        found++;
        rc = ask_auto(store, &list.info[i], c->now, &after, &c->error) == 0 &&
                     ks_where_used(store, &list.info[i], &used, &c->error) == 0
                 ? CS_EXIT_OK
                 : cli_fail(c);
        if (rc == CS_EXIT_OK) {
            open += !is_covered(&after);
            rc = print_one(c, &list.info[i], &after, &used, then);
        }
        ks_evidence_free(&used);
    }
    if (rc == CS_EXIT_OK) {
        cli_say(c, "%zu active %s before %s; nothing takes the place of %zu", found,
                found == 1 ? "entry ends" : "entries end", cli_time_local(then, when, sizeof when), open);
        rc = open > 0 ? CS_EXIT_FAIL : CS_EXIT_OK;
    }
    ks_list_free(&list);
    ks_close(store);
    return rc;
}

static const struct cli_option options[] = {
    {"within", 0, CLI_DURATION, "DURATION", 0, "look so far ahead; without it 30d"},
    {"at", 0, CLI_TIME, "TIME", 0, "look ahead to this instant: what breaks then if nothing is done"},
    {0},
};

const struct cli_command cli_cmd_keystore_expiring = {
    .parent = "keystore",
    .name = "expiring",
    .summary = "Active entries that end soon, and what is to be done about each",
    .options = options,
    .more =
        "An entry is covered when another active one of its slot is valid at the end of the span, when one is activated in\n"
        "time by itself (activate --at), or when the slot renews itself (auto) without a hand and without trouble. What\n"
        "is not covered is told with the routes that need it.\n"
        "Exit: 0 all that end are covered; 1 some are not.",
    .run = run,
};
