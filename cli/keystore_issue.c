/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_issue.c: certificates of outside issuers that answer by themselves, for generate, renew and tick. */
#include "cli/keystore_issue.h"

#include <string.h>

#include "keystore/issuer_config.h"

/* A program may be asked from here: no sandbox forbids it. */
static ks_issuers issuers_of(const struct cli_context *c)
{
    ks_issuers all = ks_config_issuers(&c->settings->config);
    all.commands = true;
    return all;
}

/* ---- one slot ------------------------------------------------------------------------------------------------------
 */

static int keep(void *ctx, const ks_issued *i, cs_error *e)
{
    (void)e;
    *(ks_issued *)ctx = *i;
    return 0;
}

static int not_yet(const struct cli_issue *what, const ks_csr *csr, const ks_issued *told, cs_error *e)
{
    const char *next = "it is asked again by itself, or by: countersign keystore tick";
    return told->waits ? cs_error_set(e, CS_EXIT_STOPPED, "issuer-waits", "%s#%u waits for its certificate: %.250s; %s",
                                      what->ask.new->alias, csr->n, told->text, next)
                       : cs_error_set(e, CS_EXIT_UNAVAILABLE, "issuer-failed",
                                      "%s#%u has no certificate yet: %.250s; its key is kept, and %s; to give it up: "
                                      "countersign keystore csr --alias %s --discard",
                                      what->ask.new->alias, csr->n, told->text, next, what->ask.new->alias);
}

static int tell_made(ks_store *s, const ks_issued *told, cs_time now, ks_outcome *out, cs_error *e)
{
    const ks_filter f = {.alias = told->alias, .n = told->n};
    ks_list list = {NULL, 0};
    if (ks_list_entries(s, &f, now, &list, e) != 0) {
        return -1;
    }
    if (list.n == 1) {
        out->info = list.info[0];
    }
    ks_list_free(&list);
    out->done = true;
    out->generation = told->generation;
    return 0;
}

static int rehearsed(const ks_csr *csr, ks_outcome *out)
{
    memset(out, 0, sizeof *out);
    out->info.n = csr->n;
    out->info.role = csr->role;
    out->info.state = KS_PRE_ACTIVE;
    out->generation = csr->generation;
    memcpy(out->info.alias, csr->alias, sizeof out->info.alias);
    memcpy(out->info.subject, csr->subject, sizeof out->info.subject);
    return 0;
}

int cli_issue_carry(ks_store *s, const void *ctx, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                    cs_error *e)
{
    const struct cli_issue *what = ctx;
    const ks_issuers all = issuers_of(what->c);
    ks_issued told = {.waits = true};
    cs_time next = 0;
    ks_csr csr;
    int rc = ks_issue_ask(s, &all, &what->ask, dry_run, who, now, &csr, out, e);
    if (rc == 0 && dry_run) {
        rc = rehearsed(&csr, out);
    } else if (rc == 0) {
        rc = ks_issue_due(s, &all, what->ask.new->alias, now, keep, &told, &next, e);
        rc = rc == 0 && !told.done ? not_yet(what, &csr, &told, e) : rc;
        rc = rc == 0 ? tell_made(s, &told, now, out, e) : rc;
        if (rc == 0) {
            cli_say(what->c, "Certificate generated successfully");
        }
    }
    ks_csr_free(&csr);
    return rc;
}

bool cli_issue_wanted(struct cli_context *c, ks_store *s, const char *alias, const char *issuer, int *rc)
{
    char held[KS_WORD] = "";
    *rc = 0;
    if (issuer != NULL) {
        return strcmp(issuer, "own") != 0;
    }
    *rc = ks_issuer_of(s, alias, held, &c->error);
    return *rc == 0 && held[0] != '\0';
}

/* ---- all that are due
 * ------------------------------------------------------------------------------------------------ */

struct ticking {
    struct cli_context *c;
    bool refused;
};

static int tell(void *ctx, const ks_issued *i, cs_error *e)
{
    (void)e;
    struct ticking *t = ctx;
    char when[80];
    t->refused = t->refused || (!i->done && !i->waits);
    if (i->done) {
        cli_say(t->c, "%s#%u has its certificate from issuer %s", i->alias, i->n, i->issuer);
    } else {
        cli_warn(t->c, "%s#%u %s: %s%s%s", i->alias, i->n,
                 i->waits ? "waits for its certificate" : "has no certificate", i->text,
                 i->next_at != 0 ? "; asked again " : "",
                 i->next_at != 0 ? cli_time_local(i->next_at, when, sizeof when) : "");
    }
    return 0;
}

int cli_issue_due(struct cli_context *c, ks_store *s, bool *came, bool *refused)
{
    const ks_issuers all = issuers_of(c);
    struct ticking t = {c, false};
    cs_time next = 0;
    uint64_t before = ks_generation(s);
    int rc = ks_issue_due(s, &all, NULL, c->now, tell, &t, &next, &c->error);
    *came = ks_generation(s) != before;
    *refused = t.refused;
    return rc;
}
