/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: countersign verify: judge files one by one, a record each, in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/judge.h"

struct verifying {
    struct cli_judge judge;
    bool failed, error, indeterminate, unreadable;
};

/* ---- records ------------------------------------------------------------------------------------------------------
 */

static void print_json(const char *loc, const struct cli_judgement *j)
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
    printf("%s\n",
           out.failed || members == NULL ? "{\"v\":1,\"verdict\":\"error\",\"reason\":\"out-of-memory\"}" : out.data);
    free(members);
    cs_buf_free(&out);
}

static void print_human(const char *loc, const struct cli_judgement *j)
{
    const struct wssec_verdict *v = &j->verdict;
    printf("%s: %s", loc, wssec_result_word(v->verdict));
    if (v->verdict != WSSEC_PASS) {
        printf(": %s: %s", wssec_reason_code(v->reason),
               v->detail[0] != '\0' ? v->detail : wssec_reason_meaning(v->reason));
    }
    if (v->has_certificate) {
        printf(", %s %s#%u (%s)", v->verdict == WSSEC_PASS ? "signed with" : "certificate", v->certificate.alias,
               v->certificate.ordinal, wssec_state_word(v->certificate.state));
    }
    for (unsigned i = 0; i < v->n_covers; i++) {
        printf("%s%s", i == 0 ? ", covers " : " ", v->covers[i]);
    }
    for (unsigned i = 0; i < v->n_notes; i++) {
        printf("%s%s", i == 0 ? ", notes: " : "; ", v->notes[i]);
    }
    printf("\n");
    for (size_t i = 0; i < j->explain.n; i++) {
        printf("  %-3s %-16s %s\n", j->explain.step[i].ok ? "ok" : "NO", j->explain.step[i].step,
               j->explain.step[i].text);
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
    struct cli_input in;
    struct cli_judgement j;
    char why[128];
    int rc = 0;
    memset(&j, 0, sizeof j);
    if (cli_input_open(&in, file, CLI_OCTETS_MOST, why, sizeof why) != 0) {
        j.verdict.verdict = WSSEC_ERROR;
        j.verdict.reason = WSSEC_INPUT_UNREADABLE;
        j.verdict.t = k->judge.when.at;
        j.verdict.time_source = k->judge.when.source;
        j.verdict.generation = ks_snapshot_generation(k->judge.snapshot);
        j.partner = cli_option(k->judge.c, "partner");
        (void)cs_copy(j.verdict.detail, sizeof j.verdict.detail, why);
    } else {
        rc = cli_judge_message(&k->judge, &in, &j);
    }
    if (rc == 0) {
        (k->judge.c->json ? print_json : print_human)(file, &j);
        count(k, &j.verdict);
        wssec_explain_free(&j.explain);
    }
    cli_input_close(&in);
    return rc;
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

static int run(struct cli_context *c)
{
    struct verifying k = {0};
    for (int i = 0; i < c->argc; i++) {
        if (cli_is_directory(c->argv[i])) {
            return cli_usage(c, "%s is a directory; verify takes files", c->argv[i]);
        }
    }
    int rc = cli_judge_begin(&k.judge, c);
    for (int i = 0; i < c->argc && rc == 0; i++) {
        rc = verify_file(&k, c->argv[i]);
    }
    cli_judge_end(&k.judge);
    if (rc != 0) {
        return cli_fail(c);
    }
    return k.failed          ? CS_EXIT_FAIL
           : k.error         ? CS_EXIT_INTERNAL
           : k.indeterminate ? CS_EXIT_INDETERMINATE
           : k.unreadable    ? CS_EXIT_UNREADABLE
                             : CS_EXIT_OK;
}

static const struct cli_option options[] = {
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose message it is; without it every partner is tried"},
    {"policy", 0, CLI_TEXT, "NAME", 0, "judge under this policy instead of the partner's"},
    {"require", 0, CLI_TEXT, "PART,…", CLI_REPEAT, "parts that must be signed, instead of the policy's require-signed"},
    {"as-of", 0, CLI_TIME, "TIME", 0, "judge as of that instant, with the certificates that were acceptable then"},
    {"over-tls", 0, CLI_FLAG, NULL, 0,
     "the messages came over TLS, so a UsernameToken may hold a password in the clear"},
    CLI_CONTENT_TYPE,
    {"explain", 0, CLI_FLAG, NULL, 0, "print every step: what was expected, what was found"},
    {0},
};

const struct cli_command cli_cmd_verify = {
    .name = "verify",
    .summary = "Judge messages: are they signed by the partner, unchanged and fresh",
    .operands = "FILE…|-",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .more =
        "PART: Body, Timestamp, BinarySecurityToken, Signature, UsernameToken, wsa:To …, {namespace}local, attachments; '?' behind: if present.\n"
        "Exit: 0 every message passes; 1 one fails; 2 one is indeterminate; 3 an input cannot be read; 64 usage; 69 or 78 no keystore.\n"
        "  countersign --keystore sqlite:ks.db verify --partner acme --json in/*.xml\n",
    .run = run,
};
