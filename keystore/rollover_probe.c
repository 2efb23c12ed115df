/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_probe.c: what a roll-over that waits does to learn whether it waits in vain. A step that a probe may close
 * has nodes call the other side by itself, so that nobody has to think of it; in a downtime often, since everybody
 * waits for the answer.
 */
#include "keystore/probe.h"
#include "keystore/rollover.h"

#define HELD_S  5   /* between two probes while the routes are on hold */
#define CALM_S  600 /* while traffic flows */
#define HEARD_S 5   /* between two looks at what nodes report without a change of the keystore */
#define BACK_S  60  /* what was found that long before the end of a span tells what is at its end */
#define MUTE_S  30  /* a node that found nothing for so long finds nothing */

static const ks_actor keeper = {"keeper", "keeper", NULL};

static void sooner(cs_time *next, cs_time at)
{
    *next = *next == 0 || at < *next ? at : *next;
}

/** Checks that a step whose turn it is still lacks. */
static uint64_t lacking(const struct ks_rollover *r)
{
    uint64_t facts = 0;
    for (size_t i = 0; i < r->runbook->n; i++) {
        const struct ks_runbook_step *step = &r->runbook->step[i];
        for (size_t w = 0; r->judged[i].state == KS_STEP_READY && w < step->n_way; w++) {
            facts |= step->way[w];
        }
        facts |= r->judged[i].state == KS_STEP_READY ? step->optional : 0;
    }
    return facts & ~r->facts.hold;
}

static int have_probed(ks_store *s, const struct ks_rollover *r, const ks_info *i, int64_t pause, cs_time now,
                       cs_time *next, cs_error *e)
{
    cs_error why = {0};
    cs_time asked = 0;
    uint64_t generation = 0;
    if (ks_probe_asked_at(s, r->row.alias, i->n, now, &asked, e) != 0) {
        return -1;
    }
    bool due = asked == 0 || now - asked >= pause;
    if (due && ks_probe_ask(s, r->row.alias, i->n, &keeper, now, &generation, &why) != 0) {
        if (why.exit_code == CS_EXIT_USAGE) {
            return 0; /* its key is gone meanwhile */
        }
        *e = why;
        return -1;
    }
    sooner(next, due ? now + pause : asked + pause);
    return 0;
}

int ks_rollover_await(ks_store *s, const struct ks_rollover *r, cs_time now, cs_time *next, cs_error *e)
{
    const uint64_t of_new = KS_BIT(KS_FACT_PROBE_NEW) | KS_BIT(KS_FACT_PROBE_BOTH);
    const uint64_t of_old = KS_BIT(KS_FACT_PROBE_OLD_REFUSED) | KS_BIT(KS_FACT_PROBE_BOTH);
    const uint64_t reported = of_new | of_old | KS_BIT(KS_FACT_DELIVERED) | KS_BIT(KS_FACT_FETCHED) |
                              KS_BIT(KS_FACT_CONVERGED) | KS_BIT(KS_FACT_OLD_CONNECTIONS_ZERO) |
                              KS_BIT(KS_FACT_IN_FLIGHT_ZERO) | KS_BIT(KS_FACT_QUEUE_EMPTY) |
                              KS_BIT(KS_FACT_FIRST_USE_NEW);
    uint64_t lacks = lacking(r);
    bool held = r->n_route > 0 && (r->facts.hold & KS_BIT(KS_FACT_HELD)) != 0;
    int64_t pause = held ? HELD_S : CALM_S;
    *next = 0;
    if ((lacks & reported) != 0) {
        sooner(next, now + HEARD_S);
    }
    if (r->row.role != KS_TLS_CLIENT || r->n_route == 0) {
        return 0; /* no node has an upstream that could be called with it */
    }
    if ((lacks & of_new) != 0 && r->has_new && r->new_info.has_key &&
        have_probed(s, r, &r->new_info, pause, now, next, e) != 0) {
        return -1;
    }
    return (lacks & of_old) != 0 && r->has_old && r->old_info.has_key
               ? have_probed(s, r, &r->old_info, pause, now, next, e)
               : 0;
}

int ks_rollover_way_back(ks_store *s, const struct ks_rollover *r, cs_time now, ks_probe_said *seen, cs_error *e)
{
    cs_time asked = 0;
    cs_time next = 0;
    cs_time since = r->row.window_to - BACK_S;
    *seen = (ks_probe_said){.nodes = 0};
    if (r->row.role != KS_TLS_CLIENT || !r->has_old || !r->old_info.has_key) {
        return 1;
    }
    if (ks_probe_summary(s, r->row.alias, r->old_info.n, since, now, seen, e) != 0 ||
        ks_probe_asked_at(s, r->row.alias, r->old_info.n, now, &asked, e) != 0) {
        return -1;
    }
    if (seen->nodes == 0) {
        return 1;
    }
    /* what was found is asked again now and then: it is the answer of this hour */
    bool again = asked < since || now - asked >= CALM_S;
    if (again && have_probed(s, r, &r->old_info, 0, now, &next, e) != 0) {
        return -1;
    }
    if (seen->refused > 0) {
        return 0;
    }
    return seen->unheard > 0 && (again || now - asked < MUTE_S) ? 2 : 1;
}
