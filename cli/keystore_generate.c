/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_generate.c: keystore generate: a key and its certificate are made, and come into a slot. */
#include <string.h>

#include "cli/keystore_issue.h"

struct generating {
    struct cli_context *c;
    const ks_new *new;
    const char *issuer; /* as given; NULL: not */
};

static int carry_generate(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now,
                          ks_outcome *out, cs_error *e)
{
    const struct generating *g = what;
    int rc = 0;
    if (cli_issue_wanted(g->c, s, g->new->alias, g->issuer, &rc)) {
        const struct cli_issue issue = {g->c, {g->new, g->issuer, false}};
        return cli_issue_carry(s, &issue, dry_run, who, now, out, e);
    }
    rc = rc != 0 ? rc : ks_generate(s, g->new, dry_run, who, now, out, e);
    if (rc == 0 && out->done) {
        cli_say(g->c, "Certificate generated successfully");
    }
    return rc;
}

static int generate(struct cli_context *c, const ks_new *what)
{
    const struct cli_change change = {"generate", what->alias, cli_given(c, "dry-run"), true};
    return cli_change_run(c, &change, carry_generate, &(const struct generating){c, what, cli_option(c, "issuer")});
}

int cli_hosts_read(struct cli_context *c, const char *host[CLI_HOSTS_MAX], size_t *n)
{
    for (*n = 0; *n < CLI_HOSTS_MAX && (host[*n] = cli_option_nth(c, "host", *n)) != NULL; (*n)++) {
    }
    if (*n == CLI_HOSTS_MAX && cli_option_nth(c, "host", CLI_HOSTS_MAX) != NULL) {
        cli_usage(c, "--host: more than %d of them", CLI_HOSTS_MAX);
        return -1;
    }
    return 0;
}

static int run_generate(struct cli_context *c)
{
    const char *host[CLI_HOSTS_MAX];
    const char *role = cli_option(c, "role");
    ks_new what = {.alias = cli_option(c, "alias"),
                   .subject = cli_option(c, "subject"),
                   .key = cli_option(c, "key"),
                   .system_type = cli_option(c, "system-type"),
                   .system_name = cli_option(c, "system-name")};
    if (role != NULL) {
        what.has_role = true;
        if (ks_role_parse(role, &what.role) != 0) {
            return cli_usage(c, "--role: unknown role");
        }
    }
    if (cli_option_number(c, "days", &what.days) && what.days == 0) {
        return cli_usage(c, "--days: a certificate lasts one day or more");
    }
    if (cli_hosts_read(c, host, &what.n_host) != 0) {
        return CS_EXIT_USAGE;
    }
    what.host = host;
    const char *issuer = cli_option(c, "issuer");
    what.own = issuer != NULL && strcmp(issuer, "own") == 0;
    if (issuer != NULL && strcmp(issuer, "csr-only") == 0) {
        return cli_usage(c, "an authority that is asked by hand: countersign keystore csr --alias %s -o FILE",
                         what.alias);
    }
    return generate(c, &what);
}

static const struct cli_option generate_options[] = {
    {"alias", 0, CLI_TEXT, "ALIAS", CLI_NEEDED, "the slot; made when it is not there yet"},
    {"role", 0, CLI_TEXT, "sign|decrypt|tls-client|tls-server", 0, "what a new slot is for"},
    {"subject", 0, CLI_TEXT, "DN", 0, "name of the first certificate of a slot (CN=ALIAS); later ones keep it"},
    {"key", 0, CLI_TEXT, "KIND", 0,
     "rsa:2048, rsa:3072, rsa:4096, ec:P-256, ec:P-384, ec:P-521 or ed25519; else as the entry before, else rsa:3072"},
    {"days", 0, CLI_NUMBER, "N", 0, "how long it lasts, 365 when not given"},
    {"host", 0, CLI_TEXT, "NAME", CLI_REPEAT,
     "tls-server: what clients connect to (host name or IP address), else the CN"},
    {"system-type", 0, CLI_TEXT, "TYPE", 0, "kind of system that the slot stands for, in the subject of mails"},
    {"system-name", 0, CLI_TEXT, "NAME", 0, "its name there"},
    {"issuer", 0, CLI_TEXT, "NAME", 0,
     "who signs it: own, the keystore's certification authority, or an issuer of the configuration; else the slot's"},
    CLI_WRITING_OPTIONS,
    {0},
};

const struct cli_command cli_cmd_keystore_generate = {
    .parent = "keystore",
    .name = "generate",
    .summary = "Make a key and its certificate, and print the entry",
    .options = generate_options,
    .more =
        "The first entry of a slot is active at once. The next is not (pre-active): it has the same name and issuer, and\n"
        "waits for \"keystore activate\", which deactivates the one before in the same moment.\n"
        "Example:\n"
        "  countersign keystore generate --role tls-client --alias ack-client --subject \"CN=acme\" --key ec:P-256\n"
        "An issuer of the configuration is asked with the key stored already; while it does not answer, the entry is\n"
        "\"pre-active (no certificate)\", and the gateway and \"keystore tick\" ask again.\n"
        "Exit: 0 made; 10 refused by a guard (G2: a tls-client slot has two entries with a key at most); 12 the slot was\n"
        "changed meanwhile; 64 the name, the kind of key or the role does not fit; 69 the issuer is away, or refused; 75 it\n"
        "lets us wait.",
    .run = run_generate,
};
