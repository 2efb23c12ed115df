/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_scene.h: roll-over R-1 of a slot, one gateway that follows at once, and the keeper that looks. */
#ifndef TESTS_ROLLOVER_SCENE_H
#define TESTS_ROLLOVER_SCENE_H

#include "keystore/node.h"
#include "keystore/rollover.h"
#include "tests/unit/runbooks.h"

#define NODE "gw1"

struct scene {
    struct fixture f;
    struct ks_runbook *book;
    const char *alias, *word;
    cs_time now;
    size_t told; /* lines of the report with the word */
};

/** A new keystore at NOW. word: which lines of the keeper's reports are counted */
static inline void scene_open(struct scene *s, const char *alias, const char *word)
{
    fixture_open(&s->f);
    s->alias = alias;
    s->word = word;
    s->now = NOW;
    s->told = 0;
}

/** A gateway that follows at once, and has nothing under way. */
static inline void follow(struct scene *s)
{
    const ks_node_use use = {"orders", s->alias, NULL};
    const ks_gauge idle[] = {{"under-way", "orders", 0}, {"waiting", "orders", 0}, {"old-connections", "back", 0}};
    struct ks_identity me = {.node = NODE, .place = "host|socket|1"};
    MADE(ks_report_node(s->f.s, NODE, &use, 1, s->now, &s->f.e) == 0);
    MADE(ks_node_tell(s->f.s, &me, ks_generation(s->f.s), "", "", "", s->now) == 0);
    MADE(ks_gauges_put(s->f.s, NODE, idle, 3, s->now, &s->f.e) == 0);
}

/** The keeper looks, some times in a row: the node follows in between. */
static inline void keep(struct scene *s, cs_time at)
{
    s->now = at;
    for (size_t i = 0; i < 4; i++) {
        ks_report report;
        follow(s);
        MADE(ks_tick(s->f.s, false, NULL, s->now, &report, &s->f.e) == 0);
        for (size_t k = 0; k < report.n; k++) {
            s->told += strcmp(report.due[k].word, s->word) == 0;
        }
        ks_report_free(&report);
    }
}

static inline struct ks_rollover *look(struct scene *s)
{
    struct ks_rollover *r = NULL;
    MADE(ks_rollover_read(s->f.s, 1, s->now, &r, &s->f.e) == 0);
    return r;
}

static inline bool is(struct scene *s, const char *state)
{
    struct ks_rollover *r = look(s);
    bool same = strcmp(r->row.state, state) == 0;
    ks_rollover_free(r);
    return same;
}

static inline enum ks_step_state state_of(struct scene *s, const char *step)
{
    struct ks_rollover *r = look(s);
    enum ks_step_state state = r->judged[ks_runbook_find(r->runbook, step)].state;
    ks_rollover_free(r);
    return state;
}

static inline bool active(struct scene *s, unsigned n)
{
    struct ks_rollover *r = look(s);
    bool yes = (n == 1 ? r->old_info.state : r->new_info.state) == KS_ACTIVE;
    ks_rollover_free(r);
    return yes;
}

/** @return exit code */
static inline int confirm(struct scene *s, const char *step)
{
    return EXIT_OF(&s->f, ks_rollover_confirm(s->f.s, 1, step, KS_ANYBODY, "told", false, &actor, s->now, &s->f.e));
}

#endif
