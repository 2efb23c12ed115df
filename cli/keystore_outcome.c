/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_outcome.c: what came of a change: done, done before, only rehearsed, or refused by which guards; and whether
 * all nodes follow. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cli/keystore.h"

#define LOOK_AGAIN_NS 20000000L /* 20 ms: a node follows within 50 ms */

static void other_text(const ks_outcome *out, char *text, size_t size)
{
    if (out->has_other) {
        cli_entry_text(&out->other, text, size);
    }
}

/* ---- refused ---------------------------------------------------------------------------------------------------- */

int cli_refused(struct cli_context *c, const struct cli_change *change, const ks_outcome *out)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    int exit_code = c->error.exit_code;
    for (size_t i = 0; i < out->n_refusal; i++) {
        const ks_refusal *r = &out->refusal[i];
        fprintf(stderr, "refused G%d %s: %s\n", (int)r->guard, ks_guard_word(r->guard), r->text);
    }
    if (!c->json) {
        return exit_code;
    }
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "action", change->verb);
    cs_json_str(&j, "target", change->target);
    cs_json_bool(&j, "dry_run", change->dry_run);
    cs_json_bool(&j, "done", false);
    cs_json_array(&j, "refused");
    bool full = false;
    for (size_t i = 0; i < out->n_refusal; i++) {
        cli_refusal_json(&j, &out->refusal[i], NULL);
        full = full || out->refusal[i].guard == KS_G2_LIMIT_TWO;
    }
    cs_json_array_end(&j);
    if (full) {
        cs_json_bool(&j, "can_generate", false);
    }
    cs_json_object_end(&j);
    if (cli_json_line(c, &b) != CS_EXIT_OK) {
        exit_code = CS_EXIT_INTERNAL;
    }
    cs_buf_free(&b);
    return exit_code;
}

/* ---- done ------------------------------------------------------------------------------------------------------- */

static int print_json(struct cli_context *c, ks_store *s, const struct cli_change *change, const ks_outcome *out)
{
    ks_action action[KS_VERBS];
    char other[KS_WORD + 12];
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    /* of an entry that is only rehearsed the store knows nothing yet */
    int n = out->done ? ks_actions(s, &out->info, c->now, action, &c->error) : 0;
    if (n < 0) {
        return cli_fail(c);
    }
    struct cli_concerns concerns = {0};
    if (change->dry_run && cli_concerns_read(c, s, &out->info, &concerns) != 0) {
        cli_concerns_free(&concerns);
        return cli_fail(c);
    }
    other_text(out, other, sizeof other);
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cli_record_json(&j, &out->info, action, n);
    int rc = cli_auto_member(c, s, &out->info, &j) == 0 ? CS_EXIT_OK : cli_fail(c);
    cs_json_str(&j, "action", change->verb);
    cs_json_bool(&j, "dry_run", change->dry_run);
    cs_json_bool(&j, "done", out->done);
    cs_json_int(&j, "generation", out->generation > INT64_MAX ? INT64_MAX : (int64_t)out->generation);
    cs_json_str(&j, "exchanged", out->has_other ? other : NULL);
    cs_json_array(&j, "notes");
    for (size_t i = 0; i < out->n_note; i++) {
        cs_json_str(&j, NULL, out->note[i]);
    }
    cs_json_array_end(&j);
    if (change->dry_run) {
        cli_concerns_tell(&concerns, &j);
    }
    cs_json_object_end(&j);
    cli_concerns_free(&concerns);
    rc = rc == CS_EXIT_OK ? cli_json_line(c, &b) : rc;
    cs_buf_free(&b);
    return rc;
}

/* "acme-sign#1 deactivated, accepted until …; generation 4" */
static void sentence(const struct cli_change *change, const ks_outcome *out, cs_buf *b)
{
    char entry[KS_WORD + 12];
    char other[KS_WORD + 12];
    char until[80];
    const char *would = change->dry_run ? "would be " : "";
    cli_entry_text(&out->info, entry, sizeof entry);
    other_text(out, other, sizeof other);
    bool in_trash = out->info.trash_until != 0;
    cs_buf_addf(b, "%s%s %s%s", change->dry_run ? "dry run: " : "", entry, would,
                in_trash ? "removed" : ks_state_word(out->info.state));
    if (in_trash) {
        cs_buf_addf(b, ", in the trash until %s", cli_time_local(out->info.trash_until, until, sizeof until));
    }
    if (out->info.state == KS_DEACTIVATED && out->info.process_stop > out->info.exchanged_at) {
        cs_buf_addf(b, ", accepted until %s", cli_time_local(out->info.process_stop, until, sizeof until));
    }
    if (out->has_other) {
        cs_buf_addf(b, "; %s %s%s", other, would, ks_state_word(out->other.state));
        if (out->other.state == KS_DEACTIVATED && out->other.process_stop > out->other.exchanged_at) {
            cs_buf_addf(b, ", accepted until %s", cli_time_local(out->other.process_stop, until, sizeof until));
        }
    }
    cs_buf_addf(b, "; generation %llu", (unsigned long long)out->generation);
}

static int print_concerns(struct cli_context *c, ks_store *s, const ks_info *info)
{
    struct cli_concerns concerns;
    int rc = cli_concerns_read(c, s, info, &concerns);
    if (rc == 0) {
        cli_concerns_tell(&concerns, NULL);
    }
    cli_concerns_free(&concerns);
    return rc == 0 ? CS_EXIT_OK : cli_fail(c);
}

static int print_text(struct cli_context *c, ks_store *s, const struct cli_change *change, const ks_outcome *out)
{
    char entry[KS_WORD + 12];
    cs_buf b = CS_BUF_INIT;
    int rc = CS_EXIT_OK;
    sentence(change, out, &b);
    if (b.failed) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        rc = cli_fail(c);
    } else if (!change->prints_entry || change->dry_run) {
        puts(b.data);
        rc = change->dry_run ? print_concerns(c, s, &out->info) : CS_EXIT_OK;
    } else {
        cli_entry_text(&out->info, entry, sizeof entry);
        puts(entry);
        cli_say(c, "%s", b.data);
    }
    cs_buf_free(&b);
    return rc;
}

int cli_wait_applied(struct cli_context *c, ks_store *s, uint64_t generation)
{
    char names[512];
    int64_t wait_ms = 0;
    if (!cli_option_duration(c, "wait", &wait_ms)) {
        return CS_EXIT_OK;
    }
    int64_t begun = cs_clock_mono_us();
    const struct timespec again = {0, LOOK_AGAIN_NS};
    for (;;) {
        int lagging = ks_lagging(s, generation, cs_clock_now(), names, sizeof names, &c->error);
        int64_t waited_ms = (cs_clock_mono_us() - begun) / 1000;
        if (lagging < 0) {
            return cli_fail(c);
        }
        if (lagging == 0) {
            return CS_EXIT_OK;
        }
        if (waited_ms >= wait_ms) {
            cs_error_set(&c->error, CS_EXIT_LAG, "not-applied",
                         "the change stands, but after %lld ms generation %llu is not in force on: %s",
                         (long long)waited_ms, (unsigned long long)generation, names);
            return cli_fail(c);
        }
        nanosleep(&again, NULL);
    }
}

static int print(struct cli_context *c, ks_store *s, const struct cli_change *change, const ks_outcome *out, int rc)
{
    if (rc != 0 && out->n_refusal > 0) {
        return cli_refused(c, change, out);
    }
    if (rc != 0) {
        return cli_fail(c);
    }
    int exit_code = c->json ? print_json(c, s, change, out) : print_text(c, s, change, out);
    for (size_t i = 0; i < out->n_note; i++) {
        cli_say(c, "%s", out->note[i]);
    }
    return exit_code == CS_EXIT_OK && out->done ? cli_wait_applied(c, s, out->generation) : exit_code;
}

int cli_change_run(struct cli_context *c, const struct cli_change *change, cli_change_do *carry, const void *what)
{
    struct cli_settings *settings = NULL;
    ks_store *store = NULL;
    ks_outcome *out = calloc(1, sizeof *out);
    struct cli_caller caller;
    int rc = CS_EXIT_INTERNAL;
    if (out == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        return cli_fail(c);
    }
    cli_caller_find(c, &caller);
    if (cli_keystore_open(c, &settings, &store) != 0) {
        rc = cli_fail(c);
    } else {
        rc = carry(store, what, change->dry_run, &caller.actor, c->now, out, &c->error);
        rc = print(c, store, change, out, rc);
    }
    free(out);
    ks_close(store);
    cli_settings_free(settings);
    return rc;
}
