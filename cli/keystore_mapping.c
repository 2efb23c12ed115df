/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_mapping.c: keystore mapping list, add and retire: which client certificate stands for which user. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"

static void mapping_json(cs_json *j, const ks_mapping_info *i)
{
    cs_json_int(j, "mapping", i->map_id);
    if (i->certificate) {
        char entry[KS_WORD + 12];
        snprintf(entry, sizeof entry, "%s#%u", i->alias, i->n);
        cs_json_str(j, "entry", entry);
        cs_json_hex(j, "sha256", i->sha256, sizeof i->sha256);
        cs_json_str(j, "user", i->user);
    } else {
        cs_json_str(j, "route", i->route);
        cs_json_str(j, "subject", i->subject);
        cs_json_str(j, "issuer", i->issuer);
    }
    cs_json_time(j, "from", i->from);
    cs_json_time(j, "to", i->to);
}

/* One mapping for people. @return out */
static const char *mapping_text(const ks_mapping_info *i, char *out, size_t size)
{
    if (i->certificate) {
        snprintf(out, size, "%s#%u is user %s", i->alias, i->n, i->user);
    } else {
        snprintf(out, size, "route %s lets in subject %s, issuer %s", i->route, i->subject, i->issuer);
    }
    return out;
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static int list_json(struct cli_context *c, const ks_mapping_list *list)
{
    int rc = CS_EXIT_OK;
    for (size_t i = 0; rc == CS_EXIT_OK && i < list->n; i++) {
        cs_buf b = CS_BUF_INIT;
        cs_json j;
        cs_json_begin(&j, &b);
        cs_json_object(&j, NULL);
        mapping_json(&j, &list->info[i]);
        cs_json_object_end(&j);
        rc = cli_json_line(c, &b);
        cs_buf_free(&b);
    }
    return rc;
}

static int run_list(struct cli_context *c)
{
    ks_store *store = NULL;
    ks_mapping_list list = {NULL, 0};
    char text[1200];
    char date[CS_TIME_TEXT];
    int rc = CS_EXIT_OK;
    if (cli_open_store(c, true, NULL, &store) != 0 ||
        ks_mapping_read(store, cli_given(c, "retired"), &list, &c->error) != 0) {
        rc = cli_fail(c);
    } else if (c->json) {
        rc = list_json(c, &list);
    } else if (list.n == 0) {
        cli_say(c, "no mappings");
    }
    for (size_t i = 0; rc == CS_EXIT_OK && !c->json && i < list.n; i++) {
        const ks_mapping_info *m = &list.info[i];
        printf("%lld  %s%s%s\n", (long long)m->map_id, mapping_text(m, text, sizeof text),
               m->to != 0 ? "; retired " : "", m->to != 0 ? cli_date(m->to, date) : "");
    }
    ks_mapping_list_free(&list);
    ks_close(store);
    return rc;
}

static const struct cli_option list_options[] = {
    {"retired", 0, CLI_FLAG, NULL, 0, "also those that are over"},
    {0},
};

const struct cli_command cli_cmd_keystore_mapping_list = {
    .parent = "keystore mapping",
    .name = "list",
    .summary = "Client certificates with their users, and names that a route lets in",
    .options = list_options,
    .run = run_list,
};

/* ---- changes ---------------------------------------------------------------------------------------------------- */

static int print_outcome(struct cli_context *c, const char *verb, const ks_mapping_outcome *out)
{
    char text[1200];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    if (!c->json) {
        printf("%smapping %lld %s: %s; generation %llu\n", out->done ? "" : "dry run: ", (long long)out->info.map_id,
               verb, mapping_text(&out->info, text, sizeof text), (unsigned long long)out->generation);
        return CS_EXIT_OK;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", verb);
    mapping_json(&j, &out->info);
    cs_json_bool(&j, "done", out->done);
    cs_json_int(&j, "generation", (int64_t)out->generation);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

/* what NULL: retire. @return exit code */
static int change(struct cli_context *c, const ks_mapping_new *what, int64_t map_id)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_mapping_outcome out;
    struct cli_caller caller;
    bool dry_run = cli_given(c, "dry-run");
    cli_caller_find(c, &caller);
    int rc = cli_keystore_open(c, &settings, &store);
    if (rc == 0) {
        rc = what != NULL ? ks_mapping_add(store, what, dry_run, &caller.actor, c->now, &out, &c->error)
                          : ks_mapping_retire(store, map_id, dry_run, &caller.actor, c->now, &out, &c->error);
    }
    if (rc != 0) {
        rc = cli_fail(c);
    } else {
        rc = print_outcome(c, what != NULL ? "added" : "retired", &out);
        if (what == NULL && out.info.certificate && out.left == 0) {
            cli_warn(c, "no certificate is mapped to user %s any more", out.info.user);
        }
    }
    if (rc == CS_EXIT_OK && out.done) {
        rc = cli_wait_applied(c, store, out.generation);
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int read_number(struct cli_context *c, const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *out <= 0) {
        cli_usage(c, "\"%.40s\" is no number of a mapping; see: countersign keystore mapping list", text);
        return -1;
    }
    return 0;
}

static int run_add(struct cli_context *c)
{
    ks_mapping_new what = {.route = cli_option(c, "route"),
                           .subject = cli_option(c, "subject"),
                           .issuer = cli_option(c, "issuer"),
                           .user = cli_option(c, "user")};
    const char *certificate = cli_option(c, "certificate");
    const char *copy = cli_option(c, "copy-user-from");
    struct cli_entry entry;
    bool names = what.route != NULL || what.subject != NULL || what.issuer != NULL;
    if ((certificate != NULL) == names) {
        return cli_usage(c, "either --certificate ENTRY with its user, or --route R --subject DN --issuer DN");
    }
    if (certificate == NULL) {
        return what.route != NULL && what.subject != NULL && what.issuer != NULL && what.user == NULL && copy == NULL
                   ? change(c, &what, 0)
                   : cli_usage(c, "names need --route, --subject and --issuer, and have no user");
    }
    if ((what.user != NULL) == (copy != NULL)) {
        return cli_usage(c, "whom does the certificate stand for? --user U, or --copy-user-from MAP");
    }
    if (cli_entry_read(c, certificate, false, &entry) != 0 ||
        (copy != NULL && read_number(c, copy, &what.copy_from) != 0)) {
        return CS_EXIT_USAGE;
    }
    what.alias = entry.alias;
    what.n = entry.n;
    return change(c, &what, 0);
}

static const struct cli_option add_options[] = {
    {"certificate", 0, CLI_TEXT, "ENTRY", 0, "a stored certificate of role authz-client"},
    {"user", 0, CLI_TEXT, "USER", 0, "whom it stands for"},
    {"copy-user-from", 0, CLI_NUMBER, "MAP", 0, "the same user as another mapping"},
    {"route", 0, CLI_TEXT, "ROUTE", 0, "the route that lets the names in"},
    {"subject", 0, CLI_TEXT, "DN", 0, "rule for the subject; a star stands for characters of one value"},
    {"issuer", 0, CLI_TEXT, "DN", 0, "rule for the issuer"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_mapping_add = {
    .parent = "keystore mapping",
    .name = "add",
    .summary = "Let a client certificate stand for a user, or names in on a route",
    .options = add_options,
    .more =
        "Examples:\n"
        "  countersign keystore mapping add --certificate senders#2 --copy-user-from 1\n"
        "  countersign keystore mapping add --route orders --subject \"CN=sender,O=ACME\" --issuer \"CN=Senders CA\"\n"
        "Exit: 0 added; 12 it is there already; 64 no such entry, another role, no name.",
    .run = run_add,
};

static int run_retire(struct cli_context *c)
{
    int64_t map_id = 0;
    return read_number(c, c->argv[0], &map_id) != 0 ? CS_EXIT_USAGE : change(c, NULL, map_id);
}

static const struct cli_option retire_options[] = {
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_mapping_retire = {
    .parent = "keystore mapping",
    .name = "retire",
    .summary = "End a mapping; it stays as a record",
    .operands = "MAP",
    .min_operands = 1,
    .max_operands = 1,
    .options = retire_options,
    .more = "Exit: 0 ended; 12 it was over already; 64 no such mapping.",
    .run = run_retire,
};
