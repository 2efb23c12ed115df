/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_backup.c: keystore backup, restore and bundle: the store as a file, back again, and its public part for
 * auditors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "cli/message.h"

#define BACKUP_MOST ((size_t)2 << 30)

/* ---- backup ------------------------------------------------------------------------------------------------------ */

static int run_backup(struct cli_context *c)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_backup_info info;
    struct cli_caller caller;
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_backup(store, cli_option(c, "output"), &caller.actor, c->now, &info, &c->error) != 0) {
        rc = cli_fail(c);
    } else if (c->json) {
        cs_json_begin(&j, &b);
        cs_json_object(&j, NULL);
        cs_json_str(&j, "action", "backup");
        cs_json_str(&j, "file", cli_option(c, "output"));
        cs_json_int(&j, "generation", (int64_t)info.generation);
        cs_json_int(&j, "rows", (int64_t)info.rows);
        cs_json_int(&j, "octets", (int64_t)info.octets);
        cs_json_str(&j, "kek_id", info.kek_id);
        cs_json_object_end(&j);
        rc = cli_json_line(c, &b);
    } else {
        printf("%s: generation %llu, %llu rows\n", cli_option(c, "output"), (unsigned long long)info.generation,
               (unsigned long long)info.rows);
        cli_say(c, "it is of no use without key-encryption key %s, which is not in it: keep both, apart", info.kek_id);
    }
    cs_buf_free(&b);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static const struct cli_option backup_options[] = {
    {"output", 'o', CLI_FILE, "FILE", CLI_NEEDED,
     "where it goes (0600); it takes the place of one that is there when it is complete"},
    {"reason", 0, CLI_TEXT, "TEXT", 0, "why, for the audit"},
    {0},
};

const struct cli_command cli_cmd_keystore_backup = {
    .parent = "keystore",
    .name = "backup",
    .summary = "The whole keystore as one sealed file; the key-encryption key is not in it",
    .options = backup_options,
    .more = "Back again: countersign keystore restore FILE. Gateways go on meanwhile.\n"
            "Exit: 0 written; 69 FILE cannot be written; 78 the key-encryption key is not here.",
    .run = run_backup,
};

/* ---- restore ----------------------------------------------------------------------------------------------------- */

static const char *const difference_words[] = {
    [KS_ONLY_HERE] = "only here", [KS_ONLY_BACKUP] = "only in the backup", [KS_DIFFERS] = "differs"};

static int restore_json(struct cli_context *c, const ks_restored *r)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", "restore");
    cs_json_bool(&j, "done", r->done);
    cs_json_bool(&j, "whole", r->whole);
    cs_json_str(&j, "store_id", r->store_id);
    cs_json_time(&j, "backup_at", r->at);
    cs_json_int(&j, "taken", (int64_t)r->taken);
    cs_json_int(&j, "revocation_lists", (int64_t)r->crls);
    cs_json_int(&j, "generation", (int64_t)r->generation);
    cs_json_array(&j, "differences");
    for (size_t i = 0; i < r->n; i++) {
        const ks_difference *d = &r->difference[i];
        char entry[KS_WORD + 12];
        cli_entry_text(&d->info, entry, sizeof entry);
        cs_json_object(&j, NULL);
        cs_json_str(&j, "difference", difference_words[d->kind]);
        cs_json_str(&j, "entry", entry);
        cs_json_hex(&j, "sha256", d->info.sha256, sizeof d->info.sha256);
        cs_json_str(&j, "here", d->here != KS_STATES ? ks_state_word(d->here) : NULL);
        cs_json_str(&j, "backup", d->kind != KS_ONLY_HERE ? ks_state_word(d->info.state) : NULL);
        cs_json_object_end(&j);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static void restore_text(struct cli_context *c, const ks_restored *r, bool asked)
{
    static const char mark[] = {[KS_ONLY_HERE] = '-', [KS_ONLY_BACKUP] = '+', [KS_DIFFERS] = '~'};
    for (size_t i = 0; i < r->n; i++) {
        const ks_difference *d = &r->difference[i];
        char entry[KS_WORD + 12];
        char both[64];
        cli_entry_text(&d->info, entry, sizeof entry);
        snprintf(both, sizeof both, "%s, here %s", ks_state_word(d->info.state),
                 d->here != KS_STATES ? ks_state_word(d->here) : "");
        printf("%c %s %s %s %s (%s)\n", mark[d->kind], entry, ks_role_word(d->info.role),
               d->info.partner[0] != '\0' ? d->info.partner : "-",
               d->kind == KS_DIFFERS ? both : ks_state_word(d->info.state), difference_words[d->kind]);
    }
    if (r->n == 0) {
        cli_say(c, "the backup and this keystore hold the same entries in the same states");
    } else if (!asked) {
        cli_say(c, "nothing was changed. To take in what is marked +: --merge, or --only ALIAS");
    }
    if (r->done) {
        printf(r->whole ? "the whole keystore came back: %zu entries, its identity and audit; generation %llu\n"
                        : "%zu entries came in; generation %llu\n",
               r->taken, (unsigned long long)r->generation);
    } else if (asked) {
        cli_say(c, r->taken > 0 ? "dry run: %zu entries would come in" : "no entry to take in (%zu)", r->taken);
    }
    if (asked && r->crls > 0) {
        cli_say(c, r->done ? "%zu revocation lists came in" : "dry run: %zu revocation lists would come in", r->crls);
    }
}

static int restore(struct cli_context *c, const cs_buf *text)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_restored r = {0};
    const ks_restore_request q = {cli_given(c, "merge"), cli_option(c, "only"), cli_given(c, "dry-run")};
    struct cli_caller caller;
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        ks_restore(store, text->data, text->len, &q, &caller.actor, c->now, &r, &c->error) != 0) {
        rc = cli_fail(c);
    } else if (c->json) {
        rc = restore_json(c, &r);
    } else {
        restore_text(c, &r, q.merge || q.only != NULL);
    }
    if (rc == CS_EXIT_OK && r.done) {
        rc = cli_wait_applied(c, store, r.generation);
    }
    ks_restored_free(&r);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run_restore(struct cli_context *c)
{
    cs_buf text = CS_BUF_INIT;
    char why[128];
    int rc = 0;
    if (cli_given(c, "merge") && cli_given(c, "only")) {
        return cli_usage(c, "--merge and --only do not go together");
    }
    if (cli_octets_read(c->argv[0], BACKUP_MOST, &text, why, sizeof why) != 0) {
        cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.256s cannot be read: %s", c->argv[0], why);
        rc = cli_fail(c);
    } else {
        rc = restore(c, &text);
    }
    cs_buf_free(&text);
    return rc;
}

static const struct cli_option restore_options[] = {
    {"only", 0, CLI_TEXT, "ALIAS", 0, "take in what this keystore lacks of one alias"},
    {"merge", 0, CLI_FLAG, NULL, 0,
     "take in what this keystore lacks; one that is empty takes all, identity and audit too"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_restore = {
    .parent = "keystore",
    .name = "restore",
    .summary = "Tell how a backup differs from this keystore, or take in what this one lacks",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = restore_options,
    .more =
        "Nothing that is here is replaced or removed. Keys are sealed anew; the backup's key-encryption key must be here, if\n"
        "need be as the previous one (key-encryption-key … previous file …). On a new machine: init, then restore --merge.\n"
        "Exit: 0 told, or taken in; 10 a slot is full; 11 a second person must agree; 64 no backup, cut off or changed; 78 its\n"
        "key-encryption key is not here.",
    .run = run_restore,
};

/* ---- bundle -------------------------------------------------------------------------------------------------------
 */

static int run_bundle(struct cli_context *c)
{
    ks_store *store = NULL;
    cs_buf text = CS_BUF_INIT;
    cs_time as_of = c->now;
    ks_bundle_head head;
    int rc = CS_EXIT_OK;
    (void)cli_option_time(c, "as-of", &as_of);
    if (cli_open_store(c, true, NULL, &store) != 0 || ks_bundle(store, as_of, &text, &head, &c->error) != 0) {
        rc = cli_fail(c);
    } else if (cs_buf_addc(&text, '\n') != 0) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        rc = cli_fail(c);
    } else if (cli_output_write(c, cli_option(c, "output"), text.data, text.len, 0644) != 0) {
        rc = cli_fail(c);
    } else {
        cli_say(c, "%zu entries that were accepted up to then, public data only", head.entries);
        if (head.signer[0] != '\0') {
            cli_say(c, "signed; tell its reader by another way: archive verify --bundle FILE --bundle-key %s",
                    head.signer);
        } else {
            cli_warn(c, "not signed: this account cannot read the key of the audit, or the keystore has none");
        }
    }
    cs_buf_free(&text);
    ks_close(store);
    return rc;
}

static const struct cli_option bundle_options[] = {
    {"as-of", 0, CLI_TIME, "TIME", CLI_NEEDED, "what was signed up to this instant can be judged with it"},
    {"output", 'o', CLI_FILE, "FILE", CLI_NEEDED, "where it goes; - for standard output"},
    {0},
};

const struct cli_command cli_cmd_keystore_bundle = {
    .parent = "keystore",
    .name = "bundle",
    .summary =
        "Certificates, their times of acceptance and revocation lists as one file, for auditors without the keystore",
    .options = bundle_options,
    .more =
        "One JSON object: entries, each with its certificate and issuers (PEM) and the spans in which it was accepted for\n"
        "what; crls. No private data. Signed by the key of the audit, whose public half is told: give it to the "
        "reader by another\n"
        "way than the file, for archive verify --bundle FILE --bundle-key HEX.\n"
        "Example:\n"
        "  countersign keystore bundle --as-of 2026-03-03T00:00:00Z -o audit.json",
    .run = run_bundle,
};
