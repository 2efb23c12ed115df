/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore_import.c: keystore import: files of other products (PKCS#12, PKCS#7, any PEM), one by one or a whole list,
 * of which all entries come in or none.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/keystore.h"
#include "cli/message.h"
#include "cli/passphrase.h"
#include "keystore/entry.h"
#include "keystore/pkcs11.h"

#define LIST_MOST ((size_t)4 << 20)

enum {
    COLUMN_ALIAS,
    COLUMN_ROLE,
    COLUMN_PARTNER,
    COLUMN_FILE,
    COLUMN_KEY,
    COLUMN_SINCE,
    COLUMN_UNTIL,
    COLUMN_ACTIVATE,
    COLUMNS
};

/** One entry to come, with all that ks_add borrows. */
struct coming {
    int line;
    char *column[COLUMNS]; /* into the list's text; NULL: not said */
    ks_imported file;
    cs_buf key;
};

struct import {
    struct cli_context *c;
    cs_buf text;
    struct coming *coming; /* owned */
    ks_add *add;           /* owned; as many */
    size_t n;
    char *passphrase;
};

static void import_free(struct import *m)
{
    for (size_t i = 0; i < m->n; i++) {
        ks_imported_free(&m->coming[i].file);
        cs_buf_wipe(&m->coming[i].key);
    }
    free(m->coming);
    free(m->add);
    cs_buf_free(&m->text);
    cli_passphrase_free(m->passphrase);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static int read_file(struct import *m, const char *path, ks_imported *out)
{
    cs_buf octets = CS_BUF_INIT;
    cs_error why = {0};
    int rc = cli_file_read(m->c, path, &octets);
    if (rc == 0 && ks_import_read(octets.data, octets.len, m->passphrase, out, &why) != 0) {
        rc = cs_error_set(&m->c->error, why.exit_code, why.reason, "%.256s: %s", path, why.text);
    }
    cs_buf_wipe(&octets);
    return rc;
}

/** The key that comes with the file, that of a file of its own, or a token's. */
static int choose_key(struct import *m, struct coming *k, const char *named, ks_add *add)
{
    add->passphrase = NULL;
    if (named != NULL && ks_pkcs11_is_uri(named)) {
        add->pkcs11_uri = named;
        return 0;
    }
    if (named != NULL) {
        if (cli_file_read(m->c, named, &k->key) != 0) {
            return -1;
        }
        add->key_pem = k->key.data;
        add->key_len = k->key.len;
        add->passphrase = m->passphrase;
        return 0;
    }
    add->key_pem = k->file.key;
    add->key_len = k->file.key_len;
    return 0;
}

static int load(struct import *m, size_t i, const char *path, const char *key)
{
    struct coming *k = &m->coming[i];
    if (read_file(m, path, &k->file) != 0 || choose_key(m, k, key, &m->add[i]) != 0) {
        return -1;
    }
    for (size_t n = 0; n < k->file.n_note; n++) {
        cli_warn(m->c, "%.256s: %s", path, k->file.note[n]);
    }
    m->add[i].certificate_pem = k->file.certificate;
    m->add[i].certificate_len = k->file.certificate_len;
    return 0;
}

static int room(struct import *m, size_t n)
{
    m->coming = calloc(n, sizeof *m->coming);
    m->add = calloc(n, sizeof *m->add);
    if (m->coming == NULL || m->add == NULL) {
        return cs_error_set(&m->c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    return 0;
}

/* ---- one file --------------------------------------------------------------------------------------------------- */

static int read_one(struct import *m)
{
    struct cli_context *c = m->c;
    if (room(m, 1) != 0) {
        return -1;
    }
    m->n = 1;
    ks_add *a = &m->add[0];
    a->alias = cli_option(c, "alias");
    a->partner = cli_option(c, "partner");
    a->activate = cli_given(c, "activate");
    a->shorter_ok = cli_given(c, "shorter-ok");
    if (ks_role_parse(cli_option(c, "role"), &a->role) != 0) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--role: unknown role");
    }
    return load(m, 0, c->argv[0], cli_option(c, "private-key"));
}

/* ---- a list ------------------------------------------------------------------------------------------------------ */

static int bad_line(struct import *m, int line, const char *what, const char *value)
{
    return cs_error_set(&m->c->error, CS_EXIT_USAGE, "list", "%.256s:%d: %s%s%.64s%s", cli_option(m->c, "list"), line,
                        what, value != NULL ? ": \"" : "", value != NULL ? value : "", value != NULL ? "\"" : "");
}

/** Columns of one line, ended in place; "" and "-" stand for nothing. @return 0, or -1 */
static int split(struct import *m, char *line, struct coming *k)
{
    for (int i = 0; line != NULL; i++) {
        char *next = strchr(line, '\t');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (i == COLUMNS) {
            return bad_line(m, k->line, "more than eight columns", NULL);
        }
        k->column[i] = line[0] == '\0' || strcmp(line, "-") == 0 ? NULL : line;
        line = next;
    }
    return k->column[COLUMN_ALIAS] != NULL && k->column[COLUMN_ROLE] != NULL && k->column[COLUMN_FILE] != NULL
               ? 0
               : bad_line(m, k->line,
                          "alias, role and file are needed, columns stand between tabulators: alias role partner "
                          "file [private_key since until activate]",
                          NULL);
}

static int read_times(struct import *m, const struct coming *k, ks_add *a)
{
    const char *since = k->column[COLUMN_SINCE];
    const char *until = k->column[COLUMN_UNTIL];
    a->has_since = since != NULL;
    a->has_until = until != NULL;
    if (since != NULL && strcmp(since, "not-before") != 0 && cs_time_parse(since, &a->since) != 0) {
        return bad_line(m, k->line, "since is neither a time as 2026-08-02T22:40:10Z nor not-before", since);
    }
    return until == NULL || cs_time_parse(until, &a->until) == 0
               ? 0
               : bad_line(m, k->line, "until is not a time as 2026-08-02T22:40:10Z", until);
}

static int read_line(struct import *m, char *line, int number)
{
    struct coming *k = &m->coming[m->n];
    ks_add *a = &m->add[m->n];
    k->line = number;
    m->n++;
    if (split(m, line, k) != 0 || read_times(m, k, a) != 0) {
        return -1;
    }
    const char *activate = k->column[COLUMN_ACTIVATE];
    if (ks_role_parse(k->column[COLUMN_ROLE], &a->role) != 0) {
        return bad_line(m, number, "unknown role", k->column[COLUMN_ROLE]);
    }
    if (activate != NULL && strcmp(activate, "yes") != 0 && strcmp(activate, "no") != 0) {
        return bad_line(m, number, "activate is yes or no", activate);
    }
    a->alias = k->column[COLUMN_ALIAS];
    a->partner = k->column[COLUMN_PARTNER];
    a->activate = activate != NULL && strcmp(activate, "yes") == 0;
    if (load(m, m->n - 1, k->column[COLUMN_FILE], k->column[COLUMN_KEY]) != 0) {
        cs_error why = m->c->error;
        cs_error_clear(&m->c->error);
        return cs_error_set(&m->c->error, why.exit_code, why.reason, "%.256s:%d: %s", cli_option(m->c, "list"), number,
                            why.text);
    }
    return 0;
}

static int read_list(struct import *m)
{
    struct cli_context *c = m->c;
    char why[128];
    size_t lines = 1;
    int number = 0;
    if (cli_octets_read(cli_option(c, "list"), LIST_MOST, &m->text, why, sizeof why) != 0 ||
        cs_buf_addc(&m->text, '\0') != 0) {
        return cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.256s: %s", cli_option(c, "list"),
                            why);
    }
    if (m->text.len > LIST_MOST || strlen(m->text.data) + 1 != m->text.len) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "list",
                            "%.256s is no list of lines with tabulators between columns", cli_option(c, "list"));
    }
    for (const char *p = m->text.data; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    if (room(m, lines) != 0) {
        return -1;
    }
    for (char *line = m->text.data; line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        number++;
        bool heading = strncmp(line, "alias\t", 6) == 0;
        if (line[0] != '\0' && line[0] != '#' && !heading && read_line(m, line, number) != 0) {
            return -1;
        }
        line = next;
    }
    return m->n > 0 ? 0 : cs_error_set(&c->error, CS_EXIT_USAGE, "list", "%.256s holds no line", cli_option(c, "list"));
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static int refused(struct import *m, ks_outcome *out, size_t failed)
{
    struct cli_context *c = m->c;
    cs_error why = c->error;
    bool listed = cli_given(c, "list") && failed < m->n;
    for (size_t i = 0; failed < m->n && i < out[failed].n_refusal; i++) {
        const ks_refusal *r = &out[failed].refusal[i];
        fprintf(stderr, "refused G%d %s: %s\n", (int)r->guard, ks_guard_word(r->guard), r->text);
    }
    if (listed) {
        cs_error_clear(&c->error);
        cs_error_set(&c->error, why.exit_code, why.reason, "%.256s:%d: %s; none of the list was taken in",
                     cli_option(c, "list"), m->coming[failed].line, why.text);
    }
    return cli_fail(c);
}

static int print(struct import *m, ks_store *store, const ks_outcome *out)
{
    struct cli_context *c = m->c;
    int rc = CS_EXIT_OK;
    for (size_t i = 0; i < m->n && rc == CS_EXIT_OK; i++) {
        char entry[KS_WORD + 12];
        cli_entry_text(&out[i].info, entry, sizeof entry);
        for (size_t k = 0; k < out[i].n_note; k++) {
            cli_say(c, "%s: %s", entry, out[i].note[k]);
        }
        if (c->json && out[i].done) {
            rc = cli_record_print(c, store, &out[i].info);
        } else if (out[i].done) {
            puts(entry);
        } else {
            printf("dry run: %s would be %s\n", entry, ks_state_word(out[i].info.state));
        }
    }
    return rc;
}

static int import(struct import *m)
{
    struct cli_context *c = m->c;
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_outcome *out = calloc(m->n, sizeof *out);
    struct cli_caller caller;
    size_t failed = m->n;
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (out == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        rc = cli_fail(c);
    } else if (cli_keystore_open(c, &settings, &store) != 0) {
        rc = cli_fail(c);
    } else if (ks_add_entries(store, m->add, m->n, cli_given(c, "dry-run"), &caller.actor, c->now, out, &failed,
                              &c->error) != 0) {
        rc = refused(m, out, failed);
    } else {
        rc = print(m, store, out);
        rc = rc == CS_EXIT_OK && out[0].done ? cli_wait_applied(c, store, ks_generation(store)) : rc;
    }
    free(out);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run(struct cli_context *c)
{
    struct import m = {.c = c, .text = CS_BUF_INIT};
    bool list = cli_given(c, "list");
    int rc = CS_EXIT_USAGE;
    if (list == (c->argc == 1)) {
        return cli_usage(c,
                         list ? "FILE and --list do not go together" : "what is to be imported? FILE, or --list TSV");
    }
    if (!list && (!cli_given(c, "role") || !cli_given(c, "alias"))) {
        return cli_usage(c, "--role and --alias are missing");
    }
    if (list && (cli_given(c, "role") || cli_given(c, "alias") || cli_given(c, "partner") ||
                 cli_given(c, "private-key") || cli_given(c, "activate"))) {
        return cli_usage(c, "with --list the lines say role, alias, partner, private key and activate");
    }
    if (cli_passphrase_read(c, "Passphrase of the file: ", false, &m.passphrase) != 0 ||
        (list ? read_list(&m) : read_one(&m)) != 0) {
        rc = cli_fail(c);
    } else {
        rc = import(&m);
    }
    import_free(&m);
    return rc;
}

static const struct cli_option options[] = {
    {"role", 0, CLI_TEXT, "verifier|encrypt-to|sign|decrypt|tls-client|tls-server|trust-anchor|authz-client", 0,
     "what the slot is for"},
    {"alias", 0, CLI_TEXT, "ALIAS", 0, "the slot; made when it is not there yet"},
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose certificate it is (verifier, encrypt-to)"},
    {"private-key", 0, CLI_FILE, "FILE|URI", 0,
     "the private key, where FILE does not hold it; or a token's (pkcs11:…)"},
    {"activate", 0, CLI_FLAG, NULL, 0, "in force at once"},
    {"shorter-ok", 0, CLI_FLAG, NULL, 0, "it may end before the entry that it exchanges"},
    {"list", 0, CLI_FILE, "TSV", 0, "many at once: alias role partner file [private_key since until activate]"},
    CLI_PASSPHRASE_OPTIONS,
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_import = {
    .parent = "keystore",
    .name = "import",
    .summary = "Take in what other products export: PKCS#12, PKCS#7, PEM in any order, DER; or a list of files",
    .operands = "[FILE|-]",
    .min_operands = 0,
    .max_operands = 1,
    .options = options,
    .more =
        "The certificate is the one of the private key, or the one that issued no other; its issuers are put in order.\n"
        "A list has one entry per line, tabulators between the columns, - for nothing; all come in, or none.\n"
        "Examples:\n"
        "  countersign keystore import --role sign --alias own-sign old.p12 --passphrase-file pass --activate\n"
        "  countersign keystore import --list partners.tsv --dry-run\n"
        "Exit: 0 taken in; 3 a file cannot be read; 10 refused by a guard; 12 held already; 64 not read, or it "
        "does not fit.",
    .run = run,
};
