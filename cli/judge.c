/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c: see judge.h. */
#include "cli/judge.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* ---- one message --------------------------------------------------------------------------------------------------
 */

struct wssec_policy *cli_judge_policy(struct cli_judge *k, const char *partner)
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
    } else if (wssec_policy_set(own, "require-signed", (int)k->require.n, (const char *const *)k->require.word, why,
                                sizeof why) != 0 ||
               wssec_policy_freeze(own, why, sizeof why) < 0) {
        cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--require: %s", why);
        wssec_policy_unref(own);
        own = NULL;
    }
    return own;
}

/* What is encrypted for us is opened with the keys that the keystore has for it. */
static bool to_be_opened(const struct cli_judge *k, const struct wssec_verdict *v)
{
    ks_candidate any;
    bool encrypted = v->reason == WSSEC_NO_DECRYPTION_KEY;
    for (unsigned i = 0; i < v->n_notes; i++) {
        encrypted = encrypted || strcmp(v->notes[i], "encrypted-content") == 0;
    }
    return encrypted && ks_decrypters(k->snapshot, NULL, 0, NULL, k->when.at, &any, 1) > 0;
}

#define PIECE ((size_t)65536)

/* @return 0 with *rc of the judgement, or -1: the file cannot be read (errno, 0: it has become shorter) */
static int feed_file(struct cli_judge *k, const struct cli_input *file, int *rc)
{
    static uint8_t piece[PIECE];
    enum wssec_need need = WSSEC_NEED_MORE;
    for (size_t at = 0; at < file->size && need == WSSEC_NEED_MORE && *rc == WSSEC_RC_OK;) {
        size_t wanted = file->size - at < sizeof piece ? file->size - at : sizeof piece;
        ssize_t n = cli_input_read(file, at, piece, wanted);
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return -1;
        }
        *rc = wssec_verify_feed(k->worker, piece, (size_t)n, &need);
        at += (size_t)n;
    }
    return 0;
}

static void unreadable(struct wssec_verdict *v, const char *why)
{
    v->verdict = WSSEC_ERROR;
    v->reason = WSSEC_INPUT_UNREADABLE;
    (void)cs_copy(v->detail, sizeof v->detail, why);
}

/* What a judgement needs beside its message. */
struct asked {
    struct wssec_input in; /* without octets */
    struct wssec_policy *policy;
    struct wssec_resolver resolver;
    struct wssec_explain *explain;
};

/* In pieces, where the file is not held. @return as wssec_verify; WSSEC_RC_WHOLE: it is for wssec_verify */
static int judge_pieces(struct cli_judge *k, const struct cli_input *file, const struct asked *a,
                        struct cli_judgement *j)
{
    if (file->held) {
        return WSSEC_RC_WHOLE;
    }
    int rc = wssec_verify_begin(k->worker, &a->in, a->policy, &k->when, &a->resolver, &j->verdict, a->explain);
    if (rc == WSSEC_RC_OK && feed_file(k, file, &rc) != 0) {
        unreadable(&j->verdict, errno != 0 ? strerror(errno) : "it became shorter while it was read");
        return WSSEC_RC_OK;
    }
    return rc == WSSEC_RC_OK ? wssec_verify_finish(k->worker, NULL, &k->when, &a->resolver, NULL) : rc;
}

/* In one piece. */
static int judge_whole(struct cli_judge *k, struct cli_input *file, struct asked *a, bool open, struct cli_judgement *j)
{
    char why[128];
    struct wssec_output opened;
    if (cli_input_hold(file, why, sizeof why) != 0) {
        unreadable(&j->verdict, why);
        return WSSEC_RC_OK;
    }
    a->in.slice = &file->slice;
    a->in.n_slice = 1;
    if (!open) {
        return wssec_verify(k->worker, &a->in, a->policy, &k->when, &a->resolver, NULL, &j->verdict, a->explain);
    }
    wssec_explain_free(&j->explain);
    return wssec_open(k->worker, &a->in, a->policy, &k->when, &a->resolver, NULL, true, &j->verdict, a->explain,
                      &opened);
}

static int judge_as(struct cli_judge *k, struct cli_input *file, const char *partner, struct cli_judgement *j)
{
    struct asked a = {.in = {.response = true,
                             .over_tls = cli_given(k->c, "over-tls"),
                             .content_type = cli_option(k->c, "content-type")},
                      .explain = k->explain ? &j->explain : NULL};
    struct resolver ctx;
    a.policy = cli_judge_policy(k, partner);
    if (a.policy == NULL) {
        return -1;
    }
    memset(j, 0, sizeof *j);
    j->partner = partner;
    resolver_init(&a.resolver, &ctx, k->snapshot, partner, NULL);
    resolver_now(&ctx, k->when.now);
    resolver_users(&a.resolver, &ctx, ks_config_users(&k->settings->config, partner));
    resolver_trust(&ctx, ks_config_chain(&k->settings->config, partner));
    int64_t from = cs_clock_mono_us();
    int rc = judge_pieces(k, file, &a, j);
    if (rc == WSSEC_RC_WHOLE) {
        rc = judge_whole(k, file, &a, false, j);
    }
    if (rc == WSSEC_RC_OK && to_be_opened(k, &j->verdict)) {
        rc = judge_whole(k, file, &a, true, j);
    }
    if (rc != WSSEC_RC_OK) {
        j->verdict.verdict = WSSEC_ERROR; /* the record says why; the next file is judged all the same */
    }
    j->us = cs_clock_mono_us() - from;
    resolver_clear(&ctx);
    wssec_policy_unref(a.policy);
    return 0;
}

/* Which judgement tells more: a pass, then one that found a certificate of the partner (number 0: nobody vouches for
 * it). */
static int weight(const struct cli_judgement *j)
{
    const struct wssec_verdict *v = &j->verdict;
    return v->verdict == WSSEC_PASS ? 2 : v->has_certificate && v->certificate.ordinal != 0 ? 1 : 0;
}

/* The i-th partner: those of the keystore, then those of the file that need no entry there. NULL: no more */
static const char *partner_at(const struct cli_judge *k, size_t i)
{
    const char *const *known = ks_snapshot_partners(k->snapshot);
    size_t n = 0;
    while (known[n] != NULL && n < i) {
        n++;
    }
    if (known[n] != NULL) {
        return known[n];
    }
    const struct ks_config *config = &k->settings->config;
    for (size_t p = 0; p < config->n_partner; p++) {
        const char *name = config->partner[p]->name;
        if (ks_config_chain(config, name) != NULL && !ks_snapshot_has_partner(k->snapshot, name) && n++ == i) {
            return name;
        }
    }
    return NULL;
}

/* Without --partner every partner is asked; a refusal that names no certificate belongs to nobody. */
int cli_judge_message(struct cli_judge *k, struct cli_input *in, struct cli_judgement *best)
{
    const char *named = cli_option(k->c, "partner");
    if (named != NULL) {
        return judge_as(k, in, named, best);
    }
    const char *partner = NULL;
    bool any = false;
    for (size_t i = 0; (partner = partner_at(k, i)) != NULL && !(any && best->verdict.verdict == WSSEC_PASS); i++) {
        struct cli_judgement j;
        if (judge_as(k, in, partner, &j) != 0) {
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
        return judge_as(k, in, NULL, best);
    }
    if (weight(best) == 0) {
        best->partner = NULL;
    }
    return 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

int cli_judge_begin(struct cli_judge *k, struct cli_context *c)
{
    *k = (struct cli_judge){.c = c, .explain = cli_given(c, "explain")};
    const char *partner = cli_option(c, "partner");
    const char *require = NULL;
    for (size_t i = 0; (require = cli_option_nth(c, "require", i)) != NULL; i++) {
        if (cli_words_add(&k->require, require) != 0) {
            return cs_error_set(&c->error, CS_EXIT_USAGE, "usage", "--require: an empty word in \"%.128s\"", require);
        }
    }
    k->when =
        (struct wssec_when){.now = c->now, .at = c->now, .source = WSSEC_TIME_NOW, .freshness = true, .replay = false};
    if (cli_option_time(c, "as-of", &k->when.at)) {
        k->when.source = WSSEC_TIME_AS_OF;
        k->when.freshness = false;
    }
    if (cli_wssec_init(c) != 0 || cli_open_store(c, true, &k->settings, &k->store) != 0 ||
        cli_users_read(c, k->settings) != 0 || ks_snapshot_read(k->store, c->now, &k->snapshot, &c->error) != 0) {
        return -1;
    }
    k->worker = wssec_worker_new();
    if (k->worker == NULL) {
        return cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (partner != NULL && !ks_snapshot_has_partner(k->snapshot, partner) &&
        ks_config_partner(&k->settings->config, partner) == NULL) {
        const char *near = cs_nearest(partner, ks_snapshot_partners(k->snapshot));
        cli_warn(c, "partner \"%s\" is not known%s%s%s; its messages are judged without certificates", partner,
                 near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    return 0;
}

void cli_judge_end(struct cli_judge *k)
{
    wssec_worker_free(k->worker);
    ks_snapshot_release(k->snapshot);
    ks_close(k->store);
    cli_settings_free(k->settings);
    cli_words_free(&k->require);
    wssec_shutdown();
}
