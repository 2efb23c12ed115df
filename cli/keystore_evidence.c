/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_evidence.c: keystore safe-to-remove: who still uses an entry, and what stands against its removal. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/keystore.h"

#define WAIT_MS       3000 /* for the counters of all nodes, without --wait */
#define LOOK_AGAIN_NS 20000000
#define SENDERS_SHOWN 8

/* ---- output ------------------------------------------------------------------------------------------------------ */

void cli_where_print(const ks_evidence *v)
{
    if (v->n_where > 0) {
        printf("  where used:");
        for (size_t i = 0; i < v->n_where; i++) {
            const ks_where *w = &v->where[i];
            printf("%s route %s (%s, %zu node%s)", i > 0 ? "," : "", w->route,
                   w->alias[0] != '\0' ? "alias" : "partner", w->nodes, w->nodes == 1 ? "" : "s");
        }
        putchar('\n');
    }
    if (v->n_twin > 0) {
        printf("  the same key:");
        for (size_t i = 0; i < v->n_twin; i++) {
            const ks_twin *t = &v->twin[i];
            printf("%s %s#%u (%s, %s)", i > 0 ? "," : "", t->alias, t->n, ks_role_word(t->role),
                   ks_state_word(t->state));
        }
        putchar('\n');
    }
}

static void where_json(cs_json *j, const ks_evidence *v)
{
    cs_json_array(j, "where_used");
    for (size_t i = 0; i < v->n_where; i++) {
        const ks_where *w = &v->where[i];
        cs_json_object(j, NULL);
        cs_json_str(j, "route", w->route);
        cs_json_str(j, "alias", w->alias[0] != '\0' ? w->alias : NULL);
        cs_json_str(j, "partner", w->partner[0] != '\0' ? w->partner : NULL);
        cs_json_int(j, "nodes", (int64_t)w->nodes);
        cs_json_object_end(j);
    }
    cs_json_array_end(j);
    cs_json_array(j, "same_key");
    for (size_t i = 0; i < v->n_twin; i++) {
        char entry[KS_WORD + 12];
        snprintf(entry, sizeof entry, "%s#%u", v->twin[i].alias, v->twin[i].n);
        cs_json_str(j, NULL, entry);
    }
    cs_json_array_end(j);
}

static int print_json(struct cli_context *c, const ks_evidence *v)
{
    char entry[KS_WORD + 12];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cli_entry_text(&v->info, entry, sizeof entry);
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "entry", entry);
    cs_json_bool(&j, "safe", v->safe);
    cs_json_array(&j, "refused");
    for (size_t i = 0; i < v->n_refusal; i++) {
        cli_refusal_json(&j, &v->refusal[i], NULL);
    }
    cs_json_array_end(&j);
    cs_json_time(&j, "earliest", v->earliest);
    cs_json_int(&j, "uses", (int64_t)v->info.uses);
    cs_json_int(&j, "recent_uses", (int64_t)v->recent_ok);
    cs_json_int(&j, "recent_refused", (int64_t)v->recent_bad);
    cs_json_time(&j, "last_use", v->info.last_use);
    cs_json_str(&j, "last_node", v->last_node[0] != '\0' ? v->last_node : NULL);
    cs_json_array(&j, "senders");
    for (size_t i = 0; i < v->n_sender; i++) {
        cs_json_object(&j, NULL);
        cs_json_str(&j, "sender", v->sender[i].sender[0] != '\0' ? v->sender[i].sender : NULL);
        cs_json_str(&j, "node", v->sender[i].node);
        cs_json_int(&j, "uses", (int64_t)v->sender[i].n);
        cs_json_time(&j, "last_use", v->sender[i].last);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    where_json(&j, v);
    cs_json_array(&j, "silent_nodes");
    for (size_t i = 0; i < v->n_silent; i++) {
        cs_json_str(&j, NULL, v->silent[i]);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

/* A line of the list; the first one bears the answer. */
static void line(bool *first, bool safe)
{
    printf("%s- ", *first ? (safe ? "YES " : "NO  ") : "    ");
    *first = false;
}

static void print_uses(struct cli_context *c, const ks_evidence *v)
{
    char ago[32];
    if (v->info.last_use == 0) {
        puts("no message has used it");
        return;
    }
    printf("last use %s ago", cli_span(c->now > v->info.last_use ? c->now - v->info.last_use : 0, ago, sizeof ago));
    if (v->last_node[0] != '\0') {
        printf(" on %s", v->last_node);
    }
    printf(": %llu in all, %llu since yesterday", (unsigned long long)v->info.uses, (unsigned long long)v->recent_ok);
    for (size_t i = 0; i < v->n_sender && i < SENDERS_SHOWN; i++) {
        const ks_sender_use *u = &v->sender[i];
        printf("%s %s (%llu)", i == 0 ? ", senders:" : ",", u->sender[0] != '\0' ? u->sender : "others",
               (unsigned long long)u->n);
    }
    puts(v->n_sender > SENDERS_SHOWN ? ", …" : "");
}

static void print_text(struct cli_context *c, const ks_evidence *v)
{
    char entry[KS_WORD + 12];
    char when[80];
    bool first = true;
    cli_entry_text(&v->info, entry, sizeof entry);
    for (size_t i = 0; i < v->n_refusal; i++) {
        line(&first, v->safe);
        printf("G%d %s: %s\n", (int)v->refusal[i].guard, ks_guard_word(v->refusal[i].guard), v->refusal[i].text);
    }
    for (size_t i = 0; i < v->n_silent; i++) {
        line(&first, v->safe);
        printf("node %s is silent: what it counted may be missing. Start it, or if it is gone for good: countersign "
               "keystore nodes forget %s\n",
               v->silent[i], v->silent[i]);
    }
    line(&first, v->safe);
    print_uses(c, v);
    cli_where_print(v);
    if (v->safe) {
        printf("    next: countersign keystore remove %s\n", entry);
    } else if (v->earliest != 0 && v->n_silent == 0) {
        printf("    earliest safe time if nothing more arrives: %s\n", cli_time_local(v->earliest, when, sizeof when));
    }
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* Have the living nodes write what they counted. A node that does not answer in time is warned of. @return 0, or -1;
 * *lag: some did not */
static int fetch_counters(struct cli_context *c, ks_store *store, bool *lag)
{
    char names[512] = "";
    uint64_t generation = 0;
    int64_t wait_ms = WAIT_MS;
    const struct timespec again = {0, LOOK_AGAIN_NS};
    *lag = false;
    /* nobody lives: nothing to ask for, and nothing to write */
    int lagging = ks_lagging(store, UINT64_MAX, cs_clock_now(), names, sizeof names, &c->error);
    if (lagging <= 0 || c->now_given) {
        return lagging < 0 ? -1 : 0;
    }
    if (ks_flush(store, c->now, &generation, &c->error) != 0) {
        return -1;
    }
    cli_option_duration(c, "wait", &wait_ms);
    int64_t begun = cs_clock_mono_us();
    while ((lagging = ks_lagging(store, generation, cs_clock_now(), names, sizeof names, &c->error)) > 0 &&
           (cs_clock_mono_us() - begun) / 1000 < wait_ms) {
        nanosleep(&again, NULL);
    }
    if (lagging > 0) {
        cli_warn(c, "these nodes have not written their counters within %lld ms: %s", (long long)wait_ms, names);
    }
    *lag = lagging > 0;
    return lagging < 0 ? -1 : 0;
}

static int run(struct cli_context *c)
{
    struct cli_entry entry;
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_evidence v = {.safe = false};
    struct cli_caller caller;
    bool lag = false;
    int rc = CS_EXIT_OK;
    if (cli_entry_read(c, c->argv[0], false, &entry) != 0) {
        return CS_EXIT_USAGE;
    }
    cli_caller_find(c, &caller);
    if ((c->now_given ? cli_open_store(c, true, &settings, &store) : cli_keystore_open(c, &settings, &store)) != 0 ||
        fetch_counters(c, store, &lag) != 0 ||
        ks_evidence_read(store, entry.alias, entry.n, &caller.actor, c->now, &v, &c->error) != 0) {
        rc = cli_fail(c);
        goto out;
    }
    v.safe = v.safe && !lag;
    if (c->json) {
        rc = print_json(c, &v);
    } else {
        print_text(c, &v);
    }
    rc = rc == CS_EXIT_OK && !v.safe ? CS_EXIT_FAIL : rc;
out:
    ks_evidence_free(&v);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option options[] = {
    {"wait", 0, CLI_DURATION, "DURATION", 0, "wait so long for the counters of the living nodes; without it 3s"},
    {0},
};

const struct cli_command cli_cmd_keystore_safe_to_remove = {
    .parent = "keystore",
    .name = "safe-to-remove",
    .summary = "Whether an entry may go: guards, last use, senders, where it is used",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .more =
        "The living gateways write their counters first, so that the counts are exact; silent ones are named. \"Recent\" is\n"
        "since the beginning of yesterday, UTC.\n"
        "Exit: 0 yes; 1 no.",
    .run = run,
};
