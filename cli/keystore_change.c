/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore_change.c: keystore activate, deactivate, suspend, resume, retire, remove, reopen, compromise, and trash
 * restore and discard: one verb on one entry each.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/archive_impact.h"
#include "cli/keystore.h"
#include "keystore/probe.h"

#define PROBE_S       20       /* that nodes have for calling the other side */
#define LOOK_AGAIN_NS 50000000 /* a live node follows within that time as a rule */

struct asked {
    struct cli_context *c;
    ks_request request;
    int64_t wait_ms; /* for nodes that have not got the entry yet */
    char without[256];
};

static bool only_waits_for(const ks_outcome *out, enum ks_guard guard)
{
    for (size_t i = 0; i < out->n_refusal; i++) {
        if (out->refusal[i].guard != guard) {
            return false;
        }
    }
    return out->n_refusal > 0;
}

/* All nodes that use the slot call the other side with the entry; until they have, or it takes too long. */
static int probe(ks_store *s, const struct asked *a, const ks_actor *who, cs_time now, cs_error *e)
{
    const struct timespec again = {0, LOOK_AGAIN_NS};
    int64_t begun = cs_clock_mono_us();
    uint64_t generation = 0;
    ks_probe_said said;
    if (ks_probe_ask(s, a->request.alias, a->request.n, who, now, &generation, e) != 0) {
        return -1;
    }
    for (;;) {
        if (ks_probe_summary(s, a->request.alias, a->request.n, now, cs_clock_now(), &said, e) != 0) {
            return -1;
        }
        if (said.unheard == 0 || (cs_clock_mono_us() - begun) / 1000000 >= PROBE_S) {
            cli_say(a->c, "G11 probe with %s#%u: %s", a->request.alias, a->request.n, said.text);
            return 0;
        }
        nanosleep(&again, NULL);
    }
}

static int carry_verb(ks_store *s, const void *what, bool dry_run, const ks_actor *who, cs_time now, ks_outcome *out,
                      cs_error *e)
{
    const struct asked *a = what;
    const struct timespec again = {0, LOOK_AGAIN_NS};
    int64_t begun = cs_clock_mono_us();
    bool probed = dry_run;
    for (;;) {
        int rc = ks_change(s, &a->request, who, now, out, e);
        if (rc != 0 && !probed && out->info.role == KS_TLS_CLIENT && only_waits_for(out, KS_G11_PROBE)) {
            cs_error why = {0};
            probed = true;
            if (probe(s, a, who, now, &why) != 0) {
                *e = why;
                return -1;
            }
            continue;
        }
        if (rc == 0 || !only_waits_for(out, KS_G6_DISTRIBUTION) || (cs_clock_mono_us() - begun) / 1000 >= a->wait_ms) {
            return rc;
        }
        nanosleep(&again, NULL);
    }
}

/* The nodes named by --without-node, blanks between. @return 0, or -1: too many */
static int nodes_left_out(const struct cli_context *c, char *out, size_t size)
{
    size_t used = 0;
    const char *name = NULL;
    out[0] = '\0';
    for (size_t i = 0; (name = cli_option_nth(c, "without-node", i)) != NULL; i++) {
        int n = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", name);
        if (n < 0 || (size_t)n >= size - used) {
            return -1;
        }
        used += (size_t)n;
    }
    return 0;
}

/* @return 0 with --canary in r if it is given, or -1 */
static int share_read(const struct cli_context *c, ks_request *r)
{
    const char *text = cli_option(c, "canary");
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    if (text == NULL) {
        return 0;
    }
    if (digits == 0 || digits > 2 || (text[digits] != '\0' && strcmp(text + digits, "%") != 0)) {
        return -1;
    }
    r->has_share = true;
    r->share = (unsigned)strtoul(text, NULL, 10);
    return 0;
}

static int run_verb(struct cli_context *c, enum ks_verb verb)
{
    struct cli_entry entry;
    int64_t version = 0;
    struct asked a = {.c = c, .request = {.verb = verb}};
    ks_request *r = &a.request;
    if (cli_entry_read(c, c->argv[0], false, &entry) != 0) {
        return CS_EXIT_USAGE;
    }
    if (cli_option_number(c, "expect-version", &version) && version == 0) {
        return cli_usage(c, "--expect-version: a stored entry has a version from 1 on");
    }
    if (nodes_left_out(c, a.without, sizeof a.without) != 0) {
        return cli_usage(c,
                         "--without-node: too many nodes; those that are gone: countersign keystore nodes forget NODE");
    }
    r->alias = entry.alias;
    r->n = entry.n;
    r->expect_version = (uint64_t)version;
    r->shorter_ok = cli_given(c, "shorter-ok");
    r->dry_run = cli_given(c, "dry-run");
    r->force = cli_given(c, "force");
    r->no_backup_ok = cli_given(c, "no-backup-ok");
    r->without_node = a.without[0] != '\0' ? a.without : NULL;
    r->cancel = cli_given(c, "cancel");
    cli_option_time(c, "at", &r->at);
    cli_option_time(c, "since", &r->since);
    cli_option_time(c, "until", &r->until);
    cli_option_duration(c, "wait", &a.wait_ms);
    if (share_read(c, r) != 0) {
        return cli_usage(c, "--canary: whole per cent from 0 to 99, as 5%%; all of them is activate without it");
    }
    if (r->has_share && (r->at != 0 || r->cancel)) {
        return cli_usage(c, "--canary is set at once: leave --at and --cancel out");
    }
    if (r->cancel && r->at != 0) {
        return cli_usage(c, "--cancel takes back what was set with --at: give one of them");
    }
    if (r->at != 0 && r->at <= c->now) {
        return cli_usage(c, "--at names an instant of the past; leave it out to do it now");
    }
    const struct cli_change change = {ks_verb_word(verb), c->argv[0], r->dry_run, false};
    return cli_change_run(c, &change, carry_verb, &a);
}

static int run_activate(struct cli_context *c)
{
    return run_verb(c, KS_DO_ACTIVATE);
}

static int run_deactivate(struct cli_context *c)
{
    return run_verb(c, KS_DO_DEACTIVATE);
}

static int run_suspend(struct cli_context *c)
{
    return run_verb(c, KS_DO_SUSPEND);
}

static int run_resume(struct cli_context *c)
{
    return run_verb(c, KS_DO_RESUME);
}

static int run_retire(struct cli_context *c)
{
    return run_verb(c, KS_DO_RETIRE);
}

/* What stored messages say about it stands beside what the guards say. */
static int run_remove(struct cli_context *c)
{
    struct cli_impact impact = {.without = NULL};
    const char *journal = cli_option(c, "archive");
    if (journal == NULL) {
        return run_verb(c, KS_DO_REMOVE);
    }
    if (!cli_given(c, "dry-run")) {
        return cli_usage(c, "--archive asks what stored messages depend on the entry: only with --dry-run");
    }
    int rc =
        cli_impact_ask(&impact, c, journal, c->argv[0], 0, false) == 0 ? cli_impact_print(c, &impact) : cli_fail(c);
    if (rc == CS_EXIT_OK) {
        rc = run_verb(c, KS_DO_REMOVE);
        rc = rc == CS_EXIT_OK && impact.all.lost > 0 ? CS_EXIT_FAIL : rc;
    }
    cli_impact_clear(&impact);
    return rc;
}

static int run_reopen(struct cli_context *c)
{
    return run_verb(c, KS_DO_REOPEN);
}

static int run_compromise(struct cli_context *c)
{
    if (cli_given(c, "undo") && cli_given(c, "since")) {
        return cli_usage(c, "--undo takes the compromise back as a whole: leave --since out");
    }
    return run_verb(c, cli_given(c, "undo") ? KS_DO_CLEAR : KS_DO_COMPROMISE);
}

static int run_restore(struct cli_context *c)
{
    return run_verb(c, KS_DO_RESTORE);
}

static int run_discard(struct cli_context *c)
{
    return run_verb(c, KS_DO_DISCARD);
}

#define VERSION_OPTION                                                                                                 \
    {                                                                                                                  \
        "expect-version", 0, CLI_NUMBER, "N", 0, "only if nobody changed the entry since it was read (12)"             \
    }
#define AT_OPTIONS                                                                                                     \
    {"at", 0, CLI_TIME, "TIME", 0, "then, not now: a gateway does it, or keystore tick"},                              \
    {                                                                                                                  \
        "cancel", 0, CLI_FLAG, NULL, 0, "take back what was set with --at"                                             \
    }

static const struct cli_option activate_options[] = {
    {"shorter-ok", 0, CLI_FLAG, NULL, 0, "it may end before the entry that it exchanges"},
    {"without-node", 0, CLI_TEXT, "NODE", CLI_REPEAT, "do not wait for this node to have the entry; needs --reason"},
    {"canary", 0, CLI_TEXT, "N%", 0, "role sign: only this share of requests, until refusals rise; 0 takes it back"},
    AT_OPTIONS,
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option verb_options[] = {
    AT_OPTIONS,
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option retire_options[] = {
    {"force", 0, CLI_FLAG, NULL, 0,
     "in spite of signs that it is needed; needs --reason; never before its process stop"},
    AT_OPTIONS,
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option remove_options[] = {
    {"force", 0, CLI_FLAG, NULL, 0,
     "in spite of signs that it is needed; needs --reason; never before its process stop"},
    {"no-backup-ok", 0, CLI_FLAG, NULL, 0, "a decrypt key may go without a backup of it"},
    {"archive", 0, CLI_FILE, "DIR", 0,
     "with --dry-run: what messages of this run of archive verify would not verify any more"},
    AT_OPTIONS,
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option reopen_options[] = {
    {"until", 0, CLI_TIME, "TIME", CLI_NEEDED, "accepted until then; needs --reason"},
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option compromise_options[] = {
    {"since", 0, CLI_TIME, "TIME", 0, "in wrong hands since then, not since now"},
    {"undo", 0, CLI_FLAG, NULL, 0, "it was not: back to the state before"},
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

static const struct cli_option trash_options[] = {
    VERSION_OPTION,
    CLI_WRITING_OPTIONS,
    {0},
};

#define EXITS                                                                                                          \
    "Exit: 0 done, or so already; 10 refused by a guard; 11 waits for a second person; 12 changed by somebody else; "  \
    "64 not possible from its state."

const struct cli_command cli_cmd_keystore_activate = {
    .parent = "keystore",
    .name = "activate",
    .summary = "Put an entry in force; where one entry is active at a time, that one is exchanged",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = activate_options,
    .more = "A deactivated entry inside its window becomes active again: that is the way back.\n" EXITS,
    .run = run_activate,
};

const struct cli_command cli_cmd_keystore_deactivate = {
    .parent = "keystore",
    .name = "deactivate",
    .summary = "Take an entry out of use; it is still accepted until the end of its retention window",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_deactivate,
};

const struct cli_command cli_cmd_keystore_suspend = {
    .parent = "keystore",
    .name = "suspend",
    .summary = "Refuse an entry for everything, at once, until resumed; its window keeps running",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_suspend,
};

const struct cli_command cli_cmd_keystore_resume = {
    .parent = "keystore",
    .name = "resume",
    .summary = "Bring a suspended entry back to the state that it had before",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = verb_options,
    .more = EXITS,
    .run = run_resume,
};

const struct cli_command cli_cmd_keystore_retire = {
    .parent = "keystore",
    .name = "retire",
    .summary = "Archive an entry whose window is over; a gateway and keystore tick do that by themselves",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = retire_options,
    .more = EXITS,
    .run = run_retire,
};

const struct cli_command cli_cmd_keystore_remove = {
    .parent = "keystore",
    .name = "remove",
    .summary = "Remove an entry that is out of use and past its process stop; its key can be restored for 30 days",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = remove_options,
    .more = "One that was never used goes at once. Certificate, intervals and audit stay in any case.\n" EXITS,
    .run = run_remove,
};

const struct cli_command cli_cmd_keystore_reopen = {
    .parent = "keystore",
    .name = "reopen",
    .summary = "Accept an archived entry once more, until a new end",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = reopen_options,
    .more = EXITS,
    .run = run_reopen,
};

const struct cli_command cli_cmd_keystore_compromise = {
    .parent = "keystore",
    .name = "compromise",
    .summary = "The key is in wrong hands: refuse every entry that holds it, in all slots",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = compromise_options,
    .more =
        "What was acceptable ends at --since, for archives too. It may leave a partner without a certificate; that is said.\n" EXITS,
    .run = run_compromise,
};

const struct cli_command cli_cmd_keystore_trash_restore = {
    .parent = "keystore trash",
    .name = "restore",
    .summary = "Take an entry out of the trash, as it was",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = trash_options,
    .more = EXITS,
    .run = run_restore,
};

const struct cli_command cli_cmd_keystore_trash_discard = {
    .parent = "keystore trash",
    .name = "discard",
    .summary = "Destroy the key of an entry in the trash now",
    .operands = "ENTRY",
    .min_operands = 1,
    .max_operands = 1,
    .options = trash_options,
    .more = EXITS,
    .run = run_discard,
};
