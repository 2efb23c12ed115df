/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose.c: countersign diagnose: why one message is refused, as a report that may be given to the other side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/judge.h"

static void print_json(const char *loc, const struct cli_judgement *j, const struct wssec_diagnosis *d)
{
    cs_buf out = CS_BUF_INIT;
    cs_json w;
    cs_json_begin(&w, &out);
    cs_json_object(&w, NULL);
    cs_json_int(&w, "v", 1);
    cs_json_str(&w, "loc", loc);
    cs_json_str(&w, "verdict", wssec_result_word(j->verdict.verdict));
    cs_json_str(&w, "reason", wssec_reason_code(j->verdict.reason));
    cs_json_str(&w, "partner", j->partner);
    cs_json_time(&w, "t", j->verdict.t);
    cs_json_str(&w, "cause", d->cause);
    cs_json_str(&w, "sender_stack", d->stack[0] != '\0' ? d->stack : NULL);
    cs_json_str(&w, "sender_stack_evidence", d->evidence[0] != '\0' ? d->evidence : NULL);
    if (d->has_created) {
        cs_json_int(&w, "created_ahead_s", d->created_ahead);
    } else {
        cs_json_null(&w, "created_ahead_s");
    }
    cs_json_array(&w, "certificates_tried");
    for (unsigned i = 0; i < d->n_tried; i++) {
        const struct wssec_tried *t = &d->tried[i];
        char entry[80];
        snprintf(entry, sizeof entry, "%s#%u", t->certificate.alias, t->certificate.ordinal);
        cs_json_object(&w, NULL);
        cs_json_str(&w, "entry", entry);
        cs_json_hex(&w, "sha256", t->certificate.sha256, sizeof t->certificate.sha256);
        cs_json_str(&w, "state", wssec_state_word(t->certificate.state));
        cs_json_time(&w, "not_before", t->not_before);
        cs_json_time(&w, "not_after", t->certificate.not_after);
        cs_json_bool(&w, "named", t->named);
        cs_json_str(&w, "finding", t->finding[0] != '\0' ? t->finding : NULL);
        cs_json_object_end(&w);
    }
    cs_json_array_end(&w);
    cs_json_array(&w, "security_header");
    for (unsigned i = 0; i < d->n_outline; i++) {
        cs_json_str(&w, NULL, d->outline[i]);
    }
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    printf("%s\n", out.failed ? "{\"v\":1,\"verdict\":\"error\",\"reason\":\"out-of-memory\"}" : out.data);
    cs_buf_free(&out);
}

static void print_human(const char *loc, const struct cli_judgement *j, const struct wssec_diagnosis *d)
{
    const struct wssec_verdict *v = &j->verdict;
    printf("%s: %s: %s", loc, wssec_result_word(v->verdict), wssec_reason_code(v->reason));
    printf("%s%s\n", j->partner != NULL ? ", partner " : "", j->partner != NULL ? j->partner : "");
    printf("  likely cause   %s\n", d->cause);
    printf("  sender         %s%s%s%s\n", d->stack[0] != '\0' ? d->stack : "not recognised",
           d->evidence[0] != '\0' ? " (" : "", d->evidence, d->evidence[0] != '\0' ? ")" : "");
    if (d->has_created) {
        printf("  clock          Created is %lld s %s now\n",
               (long long)(d->created_ahead < 0 ? -d->created_ahead : d->created_ahead),
               d->created_ahead > 0 ? "ahead of" : "before");
    }
    for (unsigned i = 0; i < d->n_tried; i++) {
        const struct wssec_tried *t = &d->tried[i];
        char sha[65];
        (void)cs_hex(t->certificate.sha256, sizeof t->certificate.sha256, sha);
        printf("  %-14s %s#%u %s sha256 %.16s… %s\n", i == 0 ? "certificates" : "", t->certificate.alias,
               t->certificate.ordinal, wssec_state_word(t->certificate.state), sha,
               t->finding[0] != '\0' ? t->finding : "it signed");
    }
    if (d->n_tried == 0) {
        printf("  certificates   none is stored for this partner\n");
    }
    for (unsigned i = 0; i < d->n_outline; i++) {
        printf("  %-14s %s\n", i == 0 ? "header" : "", d->outline[i]);
    }
}

static int exit_code(const struct wssec_verdict *v)
{
    switch (v->verdict) {
    case WSSEC_PASS: return CS_EXIT_OK;
    case WSSEC_FAIL: return CS_EXIT_FAIL;
    case WSSEC_INDETERMINATE: return CS_EXIT_INDETERMINATE;
    case WSSEC_ERROR: break;
    }
    return CS_EXIT_INTERNAL;
}

/** Look at the octets once more, with the certificates and policy of the partner that the judgement found. */
static int look(struct cli_judge *k, const struct wssec_slice *octets, const struct cli_judgement *j,
                struct wssec_diagnosis *d)
{
    struct wssec_input in = {
        .slice = octets, .n_slice = 1, .response = true, .content_type = cli_option(k->c, "content-type")};
    struct wssec_resolver r;
    struct resolver ctx;
    const char *named = cli_option(k->c, "partner");
    struct wssec_policy *p = cli_judge_policy(k, named != NULL ? named : j->partner);
    if (p == NULL) {
        return -1;
    }
    const char *partner = named != NULL ? named : j->partner;
    resolver_init(&r, &ctx, k->snapshot, partner, NULL);
    resolver_now(&ctx, k->when.now);
    resolver_trust(&ctx, ks_config_chain(&k->settings->config, partner));
    int rc = wssec_diagnose(k->worker, &in, p, &k->when, &r, &j->verdict, d);
    resolver_clear(&ctx);
    wssec_policy_unref(p);
    return rc == WSSEC_RC_OK ? 0 : cs_error_set(&k->c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

static int run(struct cli_context *c)
{
    struct cli_judge k;
    struct cli_judgement j = {0};
    struct wssec_diagnosis *d = NULL;
    struct cli_input in = {.fd = -1};
    char why[128];
    const char *file = c->argv[0];
    if (cli_is_directory(file)) {
        return cli_usage(c, "%s is a directory; diagnose takes a file", file);
    }
    int rc = cli_judge_begin(&k, c);
    if (rc == 0 && (cli_input_open(&in, file, CLI_OCTETS_MOST, why, sizeof why) != 0 ||
                    cli_input_hold(&in, why, sizeof why) != 0)) {
        rc = cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.256s cannot be read: %s", file, why);
    }
    if (rc == 0 && (d = calloc(1, sizeof *d)) == NULL) {
        rc = cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (rc == 0) {
        rc = cli_judge_message(&k, &in, &j);
    }
    if (rc == 0) {
        rc = look(&k, &in.slice, &j, d);
    }
    if (rc == 0) {
        (c->json ? print_json : print_human)(file, &j, d);
    }
    wssec_explain_free(&j.explain);
    free(d);
    cli_input_close(&in);
    cli_judge_end(&k);
    return rc != 0 ? cli_fail(c) : exit_code(&j.verdict);
}

static const struct cli_option options[] = {
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose message it is; without it every partner is tried"},
    {"policy", 0, CLI_TEXT, "NAME", 0, "judge under this policy instead of the partner's"},
    {"as-of", 0, CLI_TIME, "TIME", 0, "judge as of that instant, with the certificates that were acceptable then"},
    CLI_CONTENT_TYPE,
    {0},
};

const struct cli_command cli_cmd_diagnose = {
    .name = "diagnose",
    .summary =
        "Say why a message is refused: likely cause, sender's software, certificates tried; nothing of its content",
    .operands = "FILE|-",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .more = "The report may be given away: it holds no text, attribute or element name of the payload.\n"
            "Exit: as verify: 0 passes; 1 fails; 2 indeterminate; 3 cannot be read; 64 usage; 69 or 78 no keystore.\n"
            "  countersign --keystore sqlite:ks.db diagnose --partner acme refused.xml\n",
    .run = run,
};
