/* SPDX-License-Identifier: Apache-2.0 */
/* runbook.c: the words of runbooks and the pure step function; see runbook.h. */
#include "keystore/runbook.h"

#include <stdio.h>
#include <string.h>

static const char *const part_word[KS_PARTS] = {"tenant-admin", "receiver-admin", "sender-admin", "lb-admin",
                                                "integration-developer"};
static const char *const kind_word[KS_STEP_KINDS] = {"do", "inform", "wait", "auto"};
static const char *const state_word[KS_STEP_STATES] = {"waits", "ready", "done", "skipped", "undone"};

const char *ks_part_word(enum ks_part p)
{
    return part_word[p];
}

const char *ks_step_kind_word(enum ks_step_kind k)
{
    return kind_word[k];
}

const char *ks_step_state_word(enum ks_step_state s)
{
    return state_word[s];
}

static int place_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int ks_part_parse(const char *word, enum ks_part *p)
{
    int i = place_of(word, part_word, KS_PARTS);
    *p = i >= 0 ? (enum ks_part)i : KS_TENANT_ADMIN;
    return i >= 0 ? 0 : -1;
}

int ks_step_state_parse(const char *word, enum ks_step_state *s)
{
    int i = place_of(word, state_word, KS_STEP_STATES);
    *s = i >= 0 ? (enum ks_step_state)i : KS_STEP_WAITS;
    return i >= 0 ? 0 : -1;
}

static const struct ks_fact_row fact_row[KS_FACTS] = {
    {KS_FACT_CONFIRMED, "confirmed", "somebody of the step's role said so, by command or by link"},
    {KS_FACT_DELIVERED, "delivered", "the mail of the step went out to everybody whom it is for"},
    {KS_FACT_RECEIVED, "received", "the keystore has the new certificate"},
    {KS_FACT_KEY_MATCH, "key-match",
     "the keystore has the new certificate together with its key, and it lasts longer than the old one"},
    {KS_FACT_FETCHED, "fetched", "the partner took the new certificate from /.well-known/countersign/certs"},
    {KS_FACT_PROBE_NEW, "probe-new", "every live node probed the other side with the new certificate: accepted"},
    {KS_FACT_PROBE_BOTH, "probe-both",
     "every live node probed the other side with the new and with the old certificate: both accepted"},
    {KS_FACT_PROBE_OLD_REFUSED, "probe-old-refused",
     "every live node probed the other side with the old certificate: refused"},
    {KS_FACT_EXCHANGED, "exchanged", "the new certificate is active and the old one is not"},
    {KS_FACT_ACCEPTED, "accepted", "the new certificate is active, whatever the old one is"},
    {KS_FACT_SCHEDULED, "scheduled", "the activation of the new certificate waits for its instant, or is done"},
    {KS_FACT_CONVERGED, "converged", "every live node works with the change"},
    {KS_FACT_OLD_CONNECTIONS_ZERO, "old-connections-zero",
     "no node has a connection that was made with the old certificate"},
    {KS_FACT_IN_FLIGHT_ZERO, "in-flight-zero", "the routes are on hold on every node, and nothing is under way"},
    {KS_FACT_QUEUE_EMPTY, "queue-empty", "no request waits at the routes any more"},
    {KS_FACT_HELD, "held", "every route that uses the slot is on hold"},
    {KS_FACT_RELEASED, "released", "no route that uses the slot is on hold"},
    {KS_FACT_WINDOW_SET, "window-set", "the span of the downtime is set"},
    {KS_FACT_WINDOW_BEGUN, "window-begun", "the agreed span has begun"},
    {KS_FACT_FIRST_USE_NEW, "first-use-new", "the new certificate was used on live traffic"},
    {KS_FACT_QUIET_OLD, "quiet-old", "the new certificate is in use, and the old one was not for 24 h"},
    {KS_FACT_NONE_REFUSED, "none-refused",
     "the new certificate is in use, and no handshake or message with it was refused"},
    {KS_FACT_CA_OFFERED, "ca-offered", "a trust anchor in force bears the name of the new certificate's issuer"},
    {KS_FACT_DN_UNCHANGED, "dn-unchanged", "subject and issuer are those of the old certificate"},
    {KS_FACT_ROOT_UNCHANGED, "root-unchanged", "the same authority issued both certificates"},
    {KS_FACT_NAMES_MAPPED, "names-mapped",
     "every route that lets in the names of the old certificate lets in those of the new one"},
    {KS_FACT_NAMES_RETIRED, "names-retired", "no route lets in the names of the old certificate any more"},
    {KS_FACT_SAME_USER, "same-user", "the new certificate stands for every user for whom the old one does"},
    {KS_FACT_NO_USER_MAPPING, "no-user-mapping", "the old certificate stands for no user"},
    {KS_FACT_USER_RETIRED, "user-retired", "the old certificate stands for no user any more"},
    {KS_FACT_ROUTED, "routed", "a route of a live node uses the slot"},
    {KS_FACT_OLD_STOPPED, "old-stopped", "the old certificate is deactivated: its retention counts"},
    {KS_FACT_OPEN_MESSAGES_ZERO, "open-messages-zero", "no message that waits somewhere needs the old certificate"},
    {KS_FACT_PROCESS_STOP, "process-stop", "the retention window of the old certificate is over"},
    {KS_FACT_REMOVED, "removed", "the old certificate is removed"},
};

const struct ks_fact_row *ks_fact_rows(size_t *n)
{
    *n = KS_FACTS;
    return fact_row;
}

const char *ks_fact_word(enum ks_fact_of f)
{
    return fact_row[f].word;
}

size_t ks_runbook_find(const struct ks_runbook *r, const char *n)
{
    size_t i = 0;
    while (i < r->n && strcmp(r->step[i].n, n) != 0) {
        i++;
    }
    return i;
}

void ks_runbook_numbers(const struct ks_runbook *r, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->n && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", r->step[i].n);
        used += n > 0 ? (size_t)n : 0;
    }
}

bool ks_step_takes_word(const struct ks_runbook_step *step)
{
    for (size_t w = 0; w < step->n_way; w++) {
        if ((step->way[w] & KS_BIT(KS_FACT_CONFIRMED)) != 0) {
            return true;
        }
    }
    return false;
}

/* ---- the step function ----------------------------------------------------------------------------------------- */

/** The facts of the roll-over, and what is known of this step. */
static uint64_t facts_of(const struct ks_runbook_step *s, const struct ks_facts *facts, const struct ks_step_known *k)
{
    uint64_t hold = facts->hold & ~(KS_BIT(KS_FACT_CONFIRMED) | KS_BIT(KS_FACT_DELIVERED));
    unsigned said = k->confirmed & s->who;
    if (s->each ? said == s->who : said != 0) {
        hold |= KS_BIT(KS_FACT_CONFIRMED);
    }
    return k->delivered ? hold | KS_BIT(KS_FACT_DELIVERED) : hold;
}

static void add(char *out, size_t size, size_t *used, const char *text)
{
    if (*used < size) {
        int n = snprintf(out + *used, size - *used, "%s", text);
        *used += n > 0 ? (size_t)n : 0;
    }
}

/** "probe-both (old 200, new 403), or confirmed" */
static void tell_missing(const struct ks_runbook_step *s, const struct ks_facts *facts,
                         const struct ks_step_known *known, uint64_t hold, struct ks_step_judged *out)
{
    size_t used = 0;
    for (size_t w = 0; w < s->n_way; w++) {
        bool first = true;
        add(out->missing, sizeof out->missing, &used, w > 0 ? ", or " : "");
        for (size_t f = 0; f < KS_FACTS; f++) {
            if ((s->way[w] & KS_BIT(f) & ~hold) == 0) {
                continue;
            }
            add(out->missing, sizeof out->missing, &used, first ? "" : " and ");
            add(out->missing, sizeof out->missing, &used, fact_row[f].word);
            const char *seen = f == KS_FACT_CONFIRMED ? known->unsaid : facts->text[f];
            if (seen[0] != '\0') {
                add(out->missing, sizeof out->missing, &used, f == KS_FACT_CONFIRMED ? " (not yet: " : " (");
                add(out->missing, sizeof out->missing, &used, seen);
                add(out->missing, sizeof out->missing, &used, ")");
            }
            first = false;
        }
    }
}

static bool closed(const struct ks_step_judged *j)
{
    return j->state == KS_STEP_DONE || j->state == KS_STEP_SKIPPED;
}

static void judge_open(const struct ks_runbook *r, size_t at, const struct ks_facts *facts,
                       const struct ks_step_known *known, struct ks_step_judged *out)
{
    const struct ks_runbook_step *s = &r->step[at];
    struct ks_step_judged *j = &out[at];
    uint64_t hold = facts_of(s, facts, known);
    for (size_t i = 0; i < at; i++) {
        if ((s->after & (1U << i)) != 0 && !closed(&out[i])) {
            j->waits_for |= 1U << i;
        }
    }
    if (j->waits_for != 0) {
        return;
    }
    if (s->skip_if != 0 && (s->skip_if & ~hold) == 0) {
        j->state = KS_STEP_SKIPPED;
        j->closes_now = true;
        j->by = s->skip_if;
        return;
    }
    for (size_t i = 0; i < at; i++) {
        if ((r->step[i].closes & (1U << at)) != 0 && out[i].state == KS_STEP_DONE) {
            j->state = KS_STEP_DONE;
            j->closes_now = true;
            j->with = i;
            return;
        }
    }
    for (size_t w = 0; w < s->n_way; w++) {
        if ((s->way[w] & ~hold) == 0) {
            j->state = KS_STEP_DONE;
            j->closes_now = true;
            j->by = s->way[w];
            return;
        }
    }
    j->state = KS_STEP_READY;
    tell_missing(s, facts, known, hold, j);
}

bool ks_runbook_judge(const struct ks_runbook *r, const struct ks_facts *facts, const struct ks_step_known *known,
                      struct ks_step_judged *out)
{
    bool all = true;
    for (size_t i = 0; i < r->n; i++) { /* a step waits only for steps before it: one pass is enough */
        out[i] = (struct ks_step_judged){.state = known[i].state, .with = KS_STEPS_MAX};
        if (known[i].state == KS_STEP_WAITS || known[i].state == KS_STEP_READY) {
            out[i].state = KS_STEP_WAITS;
            judge_open(r, i, facts, &known[i], out);
        }
        all = all && closed(&out[i]);
    }
    return all;
}
