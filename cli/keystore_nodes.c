/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_nodes.c: keystore nodes: which gateways serve the keystore, how far they follow, who is silent. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/keystore.h"

static int node_json(struct cli_context *c, const ks_node_info *i, uint64_t generation)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "node", i->node);
    cs_json_bool(&j, "live", i->live);
    cs_json_bool(&j, "keeper", i->keeper);
    cs_json_int(&j, "generation", (int64_t)i->applied);
    cs_json_int(&j, "behind", i->applied < generation ? (int64_t)(generation - i->applied) : 0);
    cs_json_time(&j, "applied_at", i->applied_at);
    cs_json_time(&j, "seen_at", i->seen_at);
    cs_json_str(&j, "version", i->build[0] != '\0' ? i->build : NULL);
    cs_json_str(&j, "configuration", i->conf[0] != '\0' ? i->conf : NULL);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

/* What most nodes have: a node of another word is the one to look at. Few nodes: every pair is compared. */
static const char *common(const ks_node_list *l, bool conf)
{
    const char *best = "";
    size_t most = 0;
    for (size_t i = 0; i < l->n; i++) {
        const char *word = conf ? l->info[i].conf : l->info[i].build;
        size_t n = 0;
        for (size_t k = 0; k < l->n; k++) {
            n += l->info[k].live && strcmp(word, conf ? l->info[k].conf : l->info[k].build) == 0;
        }
        if (n > most) {
            most = n;
            best = word;
        }
    }
    return best;
}

static void print_table(const ks_node_list *l, uint64_t generation)
{
    const char *build = common(l, false);
    const char *conf = common(l, true);
    char seen[80];
    printf("%-20s %-6s %10s  %-10s %-9s %s\n", "NODE", "", "GENERATION", "VERSION", "CONF", "LAST WORD");
    for (size_t i = 0; i < l->n; i++) {
        const ks_node_info *n = &l->info[i];
        printf("%-20s %-6s %10llu%c %-9s%c %-8.8s%c %s%s\n", n->node, n->live ? "live" : "silent",
               (unsigned long long)n->applied, n->applied < generation ? '!' : ' ',
               n->build[0] != '\0' ? n->build : "-", strcmp(n->build, build) != 0 ? '!' : ' ',
               n->conf[0] != '\0' ? n->conf : "-", strcmp(n->conf, conf) != 0 ? '!' : ' ',
               cli_time_local(n->seen_at, seen, sizeof seen), n->keeper ? "  keeper" : "");
    }
}

static int show(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_node_list list = {NULL, 0};
    int rc = CS_EXIT_OK;
    if (cli_open_store(c, true, NULL, &store) != 0 || ks_nodes(store, c->now, &list, &c->error) != 0) {
        ks_close(store);
        return cli_fail(c);
    }
    uint64_t generation = ks_generation(store);
    if (list.n == 0) {
        cli_say(c, "no gateway serves this keystore");
    } else if (!c->json) {
        print_table(&list, generation);
    }
    for (size_t i = 0; c->json && rc == CS_EXIT_OK && i < list.n; i++) {
        rc = node_json(c, &list.info[i], generation);
    }
    ks_node_list_free(&list);
    ks_close(store);
    return rc;
}

static int forget(struct cli_context *c, const char *node)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    uint64_t generation = 0;
    struct cli_caller caller;
    bool dry_run = cli_given(c, "dry-run");
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_node_forget(store, node, dry_run, &caller.actor, c->now, &generation, &c->error) != 0) {
        rc = cli_fail(c);
    } else {
        cli_say(c, "%snode %s forgotten, with what its routes used; generation %llu", dry_run ? "dry run: " : "", node,
                (unsigned long long)generation);
        rc = dry_run ? CS_EXIT_OK : cli_wait_applied(c, store, generation);
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run(struct cli_context *c)
{
    if (c->argc == 0) {
        return show(c);
    }
    if (c->argc != 2 || strcmp(c->argv[0], "forget") != 0) {
        return cli_usage(c, "write: countersign keystore nodes, or: countersign keystore nodes forget NODE");
    }
    return forget(c, c->argv[1]);
}

static const struct cli_option options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_nodes = {
    .parent = "keystore",
    .name = "nodes",
    .summary = "The gateways that serve the keystore; forget one that is gone for good",
    .operands = "[forget NODE]",
    .max_operands = 2,
    .options = options,
    .more =
        "The keeper is the node that does what is due by itself: scheduled changes, renewals, roll-overs, notices.\n"
        "A mark ! stands at a generation that is not the newest, and at a version or configuration that most others do not\n"
        "have. A node is silent when it was not heard of for 60 s.\n"
        "Exit: 0; 12 forget: the node is alive; 64 there is no such node.",
    .run = run,
};
