/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h: one message judged from the command line: as one partner's, or as whichever partner it turns out to be. */
#ifndef CLI_JUDGE_H
#define CLI_JUDGE_H

#include "cli/input.h"
#include "cli/settings.h"
#include "resolver/resolver.h"

#define CLI_OCTETS_MOST ((size_t)2 << 30) /* ceiling of limits { body } */

/** What a command judges with; made by cli_judge_begin. */
struct cli_judge {
    struct cli_context *c;
    struct cli_settings *settings;
    ks_store *store;
    const ks_snapshot *snapshot;
    struct wssec_worker *worker;
    struct cli_words require; /**< of --require; none: the policy's */
    struct wssec_when when;
    bool explain; /**< keep the steps */
};

/** What one partner's certificates and policy say. */
struct cli_judgement {
    struct wssec_verdict verdict;
    struct wssec_explain explain; /**< owned: wssec_explain_free */
    const char *partner;          /**< NULL: none; borrowed from the command line or the snapshot */
    int64_t us;
};

/** Open keystore and configuration, read --partner, --require and --as-of. @return 0, or -1 with c->error filled; call
 *  cli_judge_end in either case */
int cli_judge_begin(struct cli_judge *k, struct cli_context *c) CS_MUST_CHECK;
void cli_judge_end(struct cli_judge *k);
/** A file that is not held is read in pieces, and held only where it cannot be judged so.
 *  Judge as the partner of --partner, else as each known one until a judgement passes; the one that tells most is kept.
 *  @return 0 with *best filled, or -1 with c->error filled */
int cli_judge_message(struct cli_judge *k, struct cli_input *in, struct cli_judgement *best) CS_MUST_CHECK;
/** The policy that judges messages of partner (NULL: the default one). @return a reference, or NULL with c->error
 * filled */
struct wssec_policy *cli_judge_policy(struct cli_judge *k, const char *partner);

#endif
