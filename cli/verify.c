/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: countersign verify: judge files one by one, a record each, in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/message.h"
#include "cli/settings.h"
#include "resolver/resolver.h"

#define OCTETS_MOST ((size_t)2 << 30) /* ceiling of limits { body } */

struct verifying {
    struct cli_context *c;
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct wssec_worker *worker;
    struct cli_words require;
    struct wssec_when when;
    bool failed, error, indeterminate, unreadable;
};

/* What one partner's certificates and policy say. */
struct judgement {
    struct wssec_verdict verdict;
    struct wssec_explain explain;
    const char *partner;  /* NULL: none */
    int64_t us;
};

/* ---- one message -------------------------------------------------------------------------------------------------- */

static struct wssec_policy *policy_for(struct verifying *k, const char *partner)
{
    struct cli_context *c = k->c;
    char why[256];
    struct wssec_policy *p = cli_settings_policy(c, k->settings, cli_option(c, "policy"), partner);
    if (p == NULL || k->require.n == 0) {
        return p;
    }
    struct wssec_policy *own = wssec_policy_copy(p);
    wssec_policy_unref(p);
    if (own == NULL) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    } else if (wssec_policy_set(own, "require-signed", (int)k->require.n, (const char *const *)k->require.word, why, sizeof why) != 0 ||
               wssec_policy_freeze(own, why, sizeof why) < 0) {
        cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--require: %s", why);
        wssec_policy_unref(own);
        own = NULL;
    }
    return own;
}

static int judge_as(struct verifying *k, const cs_buf *octets, const char *partner, struct judgement *j)
{
    struct wssec_slice slice = {(const uint8_t *)octets->data, octets->len};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = true};
    struct wssec_resolver r;
    struct resolver ctx;
    struct wssec_policy *policy = policy_for(k, partner);
    if (policy == NULL) {
        return -1;
    }
    memset(j, 0, sizeof *j);
    j->partner = partner;
    resolver_init(&r, &ctx, k->snapshot, partner, NULL);
    int64_t from = cs_clock_mono_us();
    if (wssec_verify(k->worker, &in, policy, &k->when, &r, NULL, &j->verdict, cli_given(k->c, "explain") ? &j->explain : NULL) != WSSEC_RC_OK) {
        j->verdict.verdict = WSSEC_ERROR; /* the record says why; the next file is judged all the same */
    }
    j->us = cs_clock_mono_us() - from;
    wssec_policy_unref(policy);
    return 0;
}

/* Which judgement tells more: a pass, then one that found a certificate of the partner. */
static int weight(const struct judgement *j)
{
    return j->verdict.verdict == WSSEC_PASS ? 2 : j->verdict.has_certificate ? 1 : 0;
}

/* Without --partner every partner is asked; a refusal that names no certificate belongs to nobody. */
static int judge(struct verifying *k, const cs_buf *octets, struct judgement *best)
{
    const char *named = cli_option(k->c, "partner");
    if (named != NULL) {
        return judge_as(k, octets, named, best);
    }
    const char *const *partner = ks_snapshot_partners(k->snapshot);
    bool any = false;
    for (size_t i = 0; partner[i] != NULL && !(any && best->verdict.verdict == WSSEC_PASS); i++) {
        struct judgement j;
        if (judge_as(k, octets, partner[i], &j) != 0) {
            if (any) {
                wssec_explain_free(&best->explain);
            }
            return -1;
        }
        if (!any || weight(&j) > weight(best)) {
            if (any) {
                wssec_explain_free(&best->explain);
            }
            *best = j;
            any = true;
        } else {
            wssec_explain_free(&j.explain);
        }
    }
    if (!any) {
        return judge_as(k, octets, NULL, best);
    }
    if (weight(best) == 0) {
        best->partner = NULL;
    }
    return 0;
}

/* ---- records ------------------------------------------------------------------------------------------------------ */

static void print_json(const char *loc, const struct judgement *j)
{
    cs_buf out = CS_BUF_INIT;
    cs_json w;
    char *members = wssec_verdict_json(&j->verdict);
    cs_json_begin(&w, &out);
    cs_json_object(&w, NULL);
    cs_json_int(&w, "v", 1);
    cs_json_str(&w, "loc", loc);
    if (members != NULL) {
        (void)cs_buf_addf(&out, ",%s", members);
    }
    cs_json_str(&w, "partner", j->partner);
    cs_json_int(&w, "us", j->us);
    if (j->explain.n != 0) {
        cs_json_array(&w, "explain");
        for (size_t i = 0; i < j->explain.n; i++) {
            cs_json_object(&w, NULL);
            cs_json_str(&w, "step", j->explain.step[i].step);
            cs_json_bool(&w, "ok", j->explain.step[i].ok);
            cs_json_str(&w, "text", j->explain.step[i].text);
            cs_json_object_end(&w);
        }
        cs_json_array_end(&w);
    }
    cs_json_object_end(&w);
    printf("%s\n", out.failed || members == NULL ? "{\"v\":1,\"verdict\":\"error\",\"reason\":\"out-of-memory\"}" : out.data);
    free(members);
    cs_buf_free(&out);
}

static void print_human(const char *loc, const struct judgement *j)
{
    const struct wssec_verdict *v = &j->verdict;
    printf("%s: %s", loc, wssec_result_word(v->verdict));
    if (v->verdict != WSSEC_PASS) {
        printf(": %s: %s", wssec_reason_code(v->reason), v->detail[0] != '\0' ? v->detail : wssec_reason_meaning(v->reason));
    }
    if (v->has_certificate) {
        printf(", %s %s#%u (%s)", v->verdict == WSSEC_PASS ? "signed with" : "certificate", v->certificate.alias, v->certificate.ordinal,
               wssec_state_word(v->certificate.state));
    }
    for (unsigned i = 0; i < v->n_covers; i++) {
        printf("%s%s", i == 0 ? ", covers " : " ", v->covers[i]);
    }
    for (unsigned i = 0; i < v->n_notes; i++) {
        printf("%s%s", i == 0 ? ", notes: " : "; ", v->notes[i]);
    }
    printf("\n");
    for (size_t i = 0; i < j->explain.n; i++) {
        printf("  %-3s %-16s %s\n", j->explain.step[i].ok ? "ok" : "NO", j->explain.step[i].step, j->explain.step[i].text);
    }
    if (v->verdict != WSSEC_PASS) {
        printf("  %s\n", wssec_reason_cure(v->reason));
    }
}

static void count(struct verifying *k, const struct wssec_verdict *v)
{
    k->failed |= v->verdict == WSSEC_FAIL;
    k->indeterminate |= v->verdict == WSSEC_INDETERMINATE;
    k->unreadable |= v->reason == WSSEC_INPUT_UNREADABLE;
    k->error |= v->verdict == WSSEC_ERROR && v->reason != WSSEC_INPUT_UNREADABLE;
}

static int verify_file(struct verifying *k, const char *file)
{
    cs_buf octets = CS_BUF_INIT;
    struct judgement j;
    char why[128];
    int rc = 0;
    memset(&j, 0, sizeof j);
    if (cli_octets_read(file, OCTETS_MOST, &octets, why, sizeof why) != 0) {
        j.verdict.verdict = WSSEC_ERROR;
        j.verdict.reason = WSSEC_INPUT_UNREADABLE;
        j.verdict.t = k->when.at;
        j.verdict.time_source = k->when.source;
        j.verdict.generation = ks_snapshot_generation(k->snapshot);
        j.partner = cli_option(k->c, "partner");
        (void)cs_copy(j.verdict.detail, sizeof j.verdict.detail, why);
    } else {
        rc = judge(k, &octets, &j);
    }
    if (rc == 0) {
        (k->c->json ? print_json : print_human)(file, &j);
        count(k, &j.verdict);
        wssec_explain_free(&j.explain);
    }
    cs_buf_free(&octets);
    return rc;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int begin(struct verifying *k)
{
    struct cli_context *c = k->c;
    const char *partner = cli_option(c, "partner");
    const char *require = NULL;
    for (size_t i = 0; (require = cli_option_nth(c, "require", i)) != NULL; i++) {
        if (cli_words_add(&k->require, require) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--require: an empty word in \"%.128s\"", require);
        }
    }
    k->when = (struct wssec_when){.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW, .freshness = true, .replay = false};
    if (cli_option_time(c, "as-of", &k->when.at)) {
        k->when.source = WSSEC_TIME_AS_OF;
        k->when.freshness = false;
    }
    if (cli_wssec_init(c) != 0 || cli_open_store(c, true, &k->settings, &k->store) != 0 ||
        ks_snapshot_read(k->store, c->now, &k->snapshot, &c->error) != 0) {
        return -1;
    }
    k->worker = wssec_worker_new();
    if (k->worker == NULL) {
        return cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (partner != NULL && !ks_snapshot_has_partner(k->snapshot, partner) && ks_config_partner(&k->settings->config, partner) == NULL) {
        const char *near = cs_nearest(partner, ks_snapshot_partners(k->snapshot));
        cli_warn(c, "partner \"%s\" is not known%s%s%s; its messages are judged without certificates", partner, near != NULL ? "; did you mean \"" : "",
                 near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    return 0;
}

static int run(struct cli_context *c)
{
    struct verifying k = {.c = c};
    for (int i = 0; i < c->argc; i++) {
        if (cli_is_directory(c->argv[i])) {
            return cli_usage(c, "%s is a directory; verify takes files", c->argv[i]);
        }
    }
    int rc = begin(&k);
    for (int i = 0; i < c->argc && rc == 0; i++) {
        rc = verify_file(&k, c->argv[i]);
    }
    wssec_worker_free(k.worker);
    ks_snapshot_release(k.snapshot);
    ks_close(k.store);
    cli_settings_free(k.settings);
    cli_words_free(&k.require);
    wssec_shutdown();
    if (rc != 0) {
        return cli_fail(c);
    }
    return k.failed ? CS_EXIT_FAIL : k.error ? CS_EXIT_INTERNAL : k.indeterminate ? CS_EXIT_INDETERMINATE : k.unreadable ? CS_EXIT_UNREADABLE : CS_EXIT_OK;
}

static const struct cli_option options[] = {
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose message it is; without it every partner is tried"},
    {"policy", 0, CLI_TEXT, "NAME", 0, "judge under this policy instead of the partner's"},
    {"require", 0, CLI_TEXT, "PART,…", CLI_REPEAT, "parts that must be signed, instead of the policy's require-signed"},
    {"as-of", 0, CLI_TIME, "TIME", 0, "judge as of that instant, with the certificates that were acceptable then"},
    {"explain", 0, CLI_FLAG, NULL, 0, "print every step: what was expected, what was found"},
    {0},
};

const struct cli_command cli_cmd_verify = {
    .name = "verify",
    .summary = "judge messages: are they signed by the partner, unchanged and fresh",
    .operands = "FILE…|-",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .more = "PART: Body, Timestamp, BinarySecurityToken, Signature, UsernameToken, wsa:To …, {namespace}local, attachments; '?' behind: if present.\n"
            "Exit: 0 every message passes; 1 one fails; 2 one is indeterminate; 3 an input cannot be read; 64 usage; 69 or 78 no keystore.\n"
            "  countersign --keystore sqlite:ks.db verify --partner acme --json in/*.xml\n",
    .run = run,
};
