/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_csr.c: keystore csr and import-reply: certificates of outside authorities; open requests as lists show them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keystore.h"
#include "keystore/renewal.h"

/* ---- open requests ----------------------------------------------------------------------------------------------- */

struct shown {
    struct cli_context *c;
    const ks_filter *filter;
};

/* The members of the record of an open request into an open object. */
static void request_json(cs_json *j, const ks_csr *r)
{
    char entry[KS_WORD + 12];
    snprintf(entry, sizeof entry, "%s#%u", r->alias, r->n);
    cs_json_str(j, "alias", r->alias);
    cs_json_str(j, "entry", entry);
    cs_json_str(j, "role", ks_role_word(r->role));
    cs_json_str(j, "partner", NULL);
    cs_json_str(j, "state", ks_state_word(KS_PRE_ACTIVE));
    cs_json_bool(j, "certificate", false);
    cs_json_str(j, "subject", r->subject);
    cs_json_time(j, "created_at", r->created_at);
    cs_json_bool(j, "private_key", true);
    cs_json_str(j, "csr", r->pem);
}

static int show_request(void *ctx, const ks_csr *r, cs_error *e)
{
    (void)e;
    const struct shown *s = ctx;
    const ks_filter *f = s->filter;
    char entry[KS_WORD + 12];
    char when[80];
    if ((f->n != 0 && f->n != r->n) || f->partner != NULL || (f->has_role && f->role != r->role) ||
        (f->has_state && f->state != KS_PRE_ACTIVE)) {
        return 0;
    }
    snprintf(entry, sizeof entry, "%s#%u", r->alias, r->n);
    if (!s->c->json) {
        printf(
            "%s  %s  -  pre-active (no certificate)  requested %s for %s; next: countersign keystore import-reply --alias %s FILE\n",
            entry, ks_role_word(r->role), cli_time_local(r->created_at, when, sizeof when), r->subject, r->alias);
        return 0;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    request_json(&j, r);
    cs_json_object_end(&j);
    int rc = cli_json_line(s->c, &b) == CS_EXIT_OK ? 0 : -1;
    cs_buf_free(&b);
    return rc;
}

int cli_requests_print(struct cli_context *c, ks_store *s, const ks_filter *f)
{
    struct shown shown = {c, f};
    return ks_csr_each(s, f->alias, show_request, &shown, &c->error) == 0 ? CS_EXIT_OK : cli_fail(c);
}

/* ---- csr --------------------------------------------------------------------------------------------------------- */

static int print_made(struct cli_context *c, const ks_csr *r, bool discard)
{
    bool dry_run = cli_given(c, "dry-run");
    const char *path = cli_option(c, "output");
    if (discard) {
        cli_say(c, "the request of %s#%u %s given up, its key %s", r->alias, r->n, dry_run ? "would be" : "is",
                dry_run ? "destroyed" : "is destroyed");
    } else if (dry_run && !r->again) {
        cli_say(c, "a request for %s would be %s#%u: pre-active (no certificate); nothing is kept", r->subject,
                r->alias, r->n);
    } else {
        cli_say(c,
                "%s#%u %s: pre-active (no certificate); when the reply is here: countersign keystore import-reply "
                "--alias %s FILE",
                r->alias, r->n, r->again ? "waits already, this is its request" : "has its key in the store", r->alias);
    }
    if (!discard && !(dry_run && !r->again) && (path != NULL || !c->json) &&
        cli_output_write(c, path, r->pem, r->pem_len, 0644) != 0) {
        return cli_fail(c);
    }
    if (!c->json) {
        return CS_EXIT_OK;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    request_json(&j, r);
    cs_json_str(&j, "action", discard ? "csr-discard" : "csr");
    cs_json_bool(&j, "dry_run", dry_run);
    cs_json_bool(&j, "done", !dry_run && !r->again);
    cs_json_int(&j, "generation", r->generation > INT64_MAX ? INT64_MAX : (int64_t)r->generation);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b);
    cs_buf_free(&b);
    return rc;
}

static int csr_within(struct cli_context *c, const ks_new *what, ks_csr *made, ks_outcome *refused)
{
    struct cli_settings *settings = NULL;
    struct cli_caller caller;
    ks_store *store = NULL;
    bool discard = cli_given(c, "discard");
    bool dry_run = cli_given(c, "dry-run");
    int rc = CS_EXIT_OK;
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0 ||
        (discard ? ks_csr_discard(store, what->alias, dry_run, &caller.actor, c->now, made, &c->error)
                 : ks_csr_make(store, what, dry_run, &caller.actor, c->now, made, refused, &c->error)) != 0) {
        const struct cli_change change = {"csr", what->alias, dry_run, false};
        rc = refused->n_refusal > 0 ? cli_refused(c, &change, refused) : cli_fail(c);
    } else {
        rc = print_made(c, made, discard);
    }
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}

static int run_csr(struct cli_context *c)
{
    const char *role = cli_option(c, "role");
    const char *host[CLI_HOSTS_MAX];
    ks_csr made = {.pem = NULL};
    ks_new what = {.alias = cli_option(c, "alias"), .subject = cli_option(c, "subject"), .key = cli_option(c, "key")};
    if (role != NULL) {
        what.has_role = true;
        if (ks_role_parse(role, &what.role) != 0) {
            return cli_usage(c, "--role: unknown role");
        }
    }
    if (cli_hosts_read(c, host, &what.n_host) != 0) {
        return CS_EXIT_USAGE;
    }
    what.host = host;
    ks_outcome *refused = calloc(1, sizeof *refused);
    if (refused == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        return cli_fail(c);
    }
    int rc = csr_within(c, &what, &made, refused);
    ks_csr_free(&made);
    free(refused);
    return rc;
}

static const struct cli_option csr_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot; made when it is not there yet"},
    {"role", 0, CLI_TEXT, "sign|decrypt|tls-client|tls-server", 0, "what a new slot is for"},
    {"subject", 0, CLI_TEXT, "DN", 0, "name of the first certificate of a slot (CN=ALIAS); later ones keep it"},
    {"key", 0, CLI_TEXT, "KIND", 0, "as of generate; else as the entry before, else rsa:3072"},
    {"host", 0, CLI_TEXT, "NAME", CLI_REPEAT,
     "tls-server: what clients connect to (host name or IP address), else the CN"},
    {"output", 'o', CLI_FILE, "FILE", 0, "write the request to FILE instead of stdout"},
    {"discard", 0, CLI_FLAG, NULL, 0, "give the open request up and destroy its key"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_csr = {
    .parent = "keystore",
    .name = "csr",
    .summary = "Make a key, and a request (PKCS#10) for the certificate that an outside authority signs",
    .options = csr_options,
    .more =
        "The key is sealed in the keystore before the request leaves. Until the reply comes the entry is \"pre-active (no\n"
        "certificate)\"; asked again, the same request is given again.\n"
        "Example:\n"
        "  countersign keystore csr --role tls-client --alias ack-client --subject \"CN=acme\" -o ack-client.csr\n"
        "Exit: 0 made, or given again; 10 refused by a guard (G2: two entries with a key at most); 12 another "
        "request is open.",
    .run = run_csr,
};

/* ---- import-reply ------------------------------------------------------------------------------------------------ */

struct reply {
    const char *alias;
    const cs_buf *file;
};

static int carry_reply(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                       cs_error *e)
{
    const struct reply *r = what;
    return ks_import_reply(s, r->alias, r->file->data, r->file->len, dry_run, who, now, out, e);
}

static int run_import_reply(struct cli_context *c)
{
    cs_buf file = CS_BUF_INIT;
    const struct reply reply = {cli_option(c, "alias"), &file};
    const struct cli_change change = {"import-reply", reply.alias, cli_given(c, "dry-run"), true};
    int rc = cli_file_read(c, c->argv[0], &file) != 0 ? cli_fail(c) : cli_change_run(c, &change, carry_reply, &reply);
    cs_buf_free(&file);
    return rc;
}

static const struct cli_option reply_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot whose request is answered"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_import_reply = {
    .parent = "keystore",
    .name = "import-reply",
    .summary = "Join the certificate that an authority sent to the key of its request, and print the entry",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = reply_options,
    .more =
        "FILE: PEM with its chain in any order, DER, or PKCS#7; - is stdin. In a slot without an active entry it is active\n"
        "at once, else it waits for \"keystore activate\".\n"
        "Exit: 0 joined; 10 another key or name than requested, or not for the role (G5); 12 it came already; 64 "
        "no request is open.",
    .run = run_import_reply,
};
