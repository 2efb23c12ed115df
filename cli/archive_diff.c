/* SPDX-License-Identifier: Apache-2.0 */
/* archive_diff.c: archive diff: which verdicts changed between two runs. */
#include <stdio.h>
#include <string.h>

#include "archive/diff.h"
#include "base/json.h"
#include "cli/archive_common.h"
#include "cli/keystore.h"

static void add_outcome(cs_json *j, const char *key, const struct archive_outcome *o)
{
    cs_json_object(j, key);
    cs_json_str(j, "verdict", wssec_result_word(o->verdict));
    cs_json_str(j, "reason", wssec_reason_code(o->reason));
    cs_json_object_end(j);
}

static int print_change(void *ctx, const struct archive_change *change, cs_error *e)
{
    struct cli_context *c = ctx;
    (void)e;
    if (!c->json) {
        printf("%s  %s %s -> %s %s\n", change->loc, wssec_result_word(change->before.verdict),
               wssec_reason_code(change->before.reason), wssec_result_word(change->after.verdict),
               wssec_reason_code(change->after.reason));
        return 0;
    }
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "loc", change->loc);
    add_outcome(&j, "before", &change->before);
    add_outcome(&j, "after", &change->after);
    cs_json_object_end(&j);
    int rc = cli_json_line(c, &b) == CS_EXIT_OK ? 0 : -1;
    cs_buf_free(&b);
    return rc;
}

static int run(struct cli_context *c)
{
    struct cli_journal old = CLI_JOURNAL_INIT;
    struct cli_journal new = CLI_JOURNAL_INIT;
    struct archive_difference d;
    int rc = CS_EXIT_OK;
    if (cli_journal_open(c, c->argv[0], &old) != 0 || cli_journal_open(c, c->argv[1], &new) != 0 ||
        archive_diff(old.fd, new.fd, print_change, c, &d, &c->error) != 0) {
        rc = cli_fail(c);
    } else {
        cli_say(c,
                "%llu messages in both runs: %llu changed, of them %llu lost their pass and %llu got one; %llu only in "
                "the old run, "
                "%llu only in the new one",
                (unsigned long long)d.both, (unsigned long long)d.changed, (unsigned long long)d.lost,
                (unsigned long long)d.gained, (unsigned long long)d.only_old, (unsigned long long)d.only_new);
        rc = d.lost > 0 ? CS_EXIT_FAIL : CS_EXIT_OK;
    }
    cli_journal_close(&old);
    cli_journal_close(&new);
    return rc;
}

const struct cli_command cli_cmd_archive_diff = {
    .parent = "archive",
    .name = "diff",
    .summary = "Which verdicts changed between two runs",
    .operands = "OLD NEW",
    .min_operands = 2,
    .max_operands = 2,
    .more = "Messages are the same when their place and their octets are. Nothing is verified anew.\n"
            "Exit: 0 no message lost its pass; 1 some did; 78 there is no journal.",
    .run = run,
};
