/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_life.c: the tables of the life cycle, walked through without a row left out: every transition with every guard,
 * and every world that three entries of one slot can reach, for each role.
 */
#include <stdlib.h>

#include "tests/unit/life.h"

const char *const harness_suite = "life";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/* ---- every transition with every guard -------------------------------------------------------------------------- */

struct cell {
    struct ks_view before;
    struct ks_rule_plan plan;
};

/** A view on which the transition passes all guards: entry 1 is its subject, entry 2 a companion out of the way. */
static void prepare(struct cell *c, const struct ks_transition_row *row, enum ks_state from, enum ks_role role)
{
    memset(c, 0, sizeof *c);
    c->before = slot(role, 2, (enum ks_state[]){from, KS_ARCHIVED});
    struct ks_view_entry *e = &c->before.entry[0];
    if (from == KS_DEACTIVATED && row->t == KS_T5_RETIRE) {
        e->exchanged_at = NOW - 95 * CS_DAY;
        e->process_stop = NOW - CS_DAY;
    }
    e->in_trash = row->t == KS_T9_DESTROY && row->way != KS_WAY_ON;
    c->plan.until = NOW + CS_DAY;
    c->plan.step[0] = (struct ks_step){row->t, row->way, 1};
    c->plan.n = 1;
    if (row->from == 0) {
        c->before.n = 0;
        c->plan.fresh = *e;
    }
}

/** Make the one guard refuse, and no other. @return false: no such world for this transition */
static bool spoil(struct cell *c, const struct ks_transition_row *row, enum ks_guard g)
{
    struct ks_view *v = &c->before;
    struct ks_view_entry *e = &v->entry[0];
    switch (g) {
    case KS_G4_OVERLAP: e->not_after = NOW - 1; return true;
    case KS_G5_KEY_MATCH: memcpy(c->plan.key_problem, "wrong key", sizeof "wrong key"); return true;
    case KS_G6_DISTRIBUTION:
        e->version = 7;
        v->n_node = 1;
        v->node[0] = (struct ks_view_node){"gw1", 6, 0};
        return true;
    case KS_G7_INACTIVE_ONLY: e->state = KS_ACTIVE; return true;
    case KS_G8_RETENTION:
        e->exchanged_at = NOW - 1;
        e->process_stop = NOW + CS_DAY;
        return true;
    case KS_G9_EVIDENCE:
        e->open_messages = 1;
        e->open_since = NOW - 200 * CS_DAY;
        return true;
    case KS_G10_TWO_PERSONS: c->plan.approval = KS_APPROVAL_MISSING; return true;
    case KS_G11_PROBE: c->plan.probe = KS_PROBE_FAILED; return true;
    case KS_G12_REVOCATION: e->revocation = KS_REVOCATION_REVOKED; return true;
    case KS_G13_ONE_ROLLOVER:
        c->plan.starts_rollover = true;
        memcpy(v->rollover, "R-1", sizeof "R-1");
        return true;
    case KS_G14_BACKUP: e->changed_at = NOW - 5; return true;
    case KS_G1_ONE_ACTIVE:
        if (row->to == KS_ACTIVE) {
            v->entry[1].state = KS_ACTIVE;
        } else {
            v->entry[1].state = KS_ACTIVE;
            e->resume_state = KS_ACTIVE;
        }
        return row->to == KS_ACTIVE || (row->to == KS_AS_BEFORE && row->t != KS_T9_DESTROY);
    case KS_G2_LIMIT_TWO: /* a third key comes, or one comes back */
        if (row->t != KS_T1_RECEIVE) {
            return false;
        }
        v->n = 2;
        v->entry[0].n = 2;
        v->entry[1].n = 3;
        v->entry[0].state = KS_ACTIVE;
        v->entry[1].state = KS_PRE_ACTIVE;
        return true;
    case KS_G3_LAST_ACCEPTABLE: v->partner_routed = true; return row->t == KS_T7_SUSPEND && row->way == KS_WAY_ON;
    }
    return false;
}

/** @return how many refuse; bit g of *who: guard g does */
static size_t judge(struct cell *c, unsigned *who)
{
    static struct ks_view after;
    ks_refusal refusal[16];
    char text[256];
    ks_view_copy(&after, &c->before);
    bool applied = ks_plan_apply(&after, &c->plan, NOW, text, sizeof text) == 0;
    size_t n = ks_judge(&c->before, applied ? &after : NULL, &c->plan, NOW, refusal, 16);
    *who = 0;
    for (size_t i = 0; i < n; i++) {
        *who |= 1U << refusal[i].guard;
        CU_ASSERT(refusal[i].text[0] != '\0');
    }
    return n;
}

/** The role in which a guard has something to say. */
static enum ks_role role_for(enum ks_guard g)
{
    switch (g) {
    case KS_G1_ONE_ACTIVE:
    case KS_G6_DISTRIBUTION:
    case KS_G11_PROBE: return KS_SIGN;
    case KS_G2_LIMIT_TWO: return KS_TLS_CLIENT;
    case KS_G14_BACKUP: return KS_DECRYPT;
    default: return KS_VERIFIER;
    }
}

static enum ks_state one_from(const struct ks_transition_row *row, enum ks_guard g)
{
    static const enum ks_state wanted[] = {KS_ACTIVE, KS_DEACTIVATED, KS_ARCHIVED, KS_COMPROMISED, KS_SUSPENDED};
    if (g == KS_G8_RETENTION && row->t == KS_T9_DESTROY) {
        return KS_COMPROMISED; /* an archived one has its window behind it */
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if ((row->from & (1U << wanted[i])) != 0) {
            return wanted[i];
        }
    }
    return KS_PRE_ACTIVE;
}

static void check_cell(const struct ks_transition_row *row, const struct ks_guard_row *guard)
{
    static struct cell c;
    enum ks_guard g = guard->guard;
    unsigned who = 0;
    prepare(&c, row, one_from(row, g), role_for(g));
    c.before.backup_at = g == KS_G14_BACKUP ? NOW - 10 : 0;
    CU_ASSERT_EQUAL(judge(&c, &who), 0);
    if (!spoil(&c, row, g)) {
        CU_ASSERT(guard->kind == KS_GUARD_INVARIANT); /* a precondition can always be spoilt */
        return;
    }
    bool asked = guard->kind != KS_GUARD_PRECONDITION || (row->guards & (1U << g)) != 0;
    if (g == KS_G10_TWO_PERSONS) {
        asked = (row->guards & (1U << g)) != 0;
    }
    judge(&c, &who);
    if (asked != (who == 1U << g) || (!asked && who != 0)) {
        printf("  # T%d way %d (%s), G%d: refused by %#x\n", (int)row->t, (int)row->way, row->word, (int)g, who);
    }
    CU_ASSERT_EQUAL(who, asked ? 1U << g : 0U);
}

static void test_every_transition_with_every_guard(void)
{
    size_t n_row = 0;
    size_t n_guard = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n_row);
    const struct ks_guard_row *guard = ks_guard_rows(&n_guard);
    CU_ASSERT_EQUAL(n_guard, 14);
    for (size_t r = 0; r < n_row; r++) {
        for (size_t g = 0; g < n_guard; g++) {
            CU_ASSERT_EQUAL(guard[g].guard, g + 1);
            check_cell(&row[r], &guard[g]);
        }
    }
}

static void test_every_row_of_the_tables_is_reached_by_a_verb(void)
{
    size_t n_row = 0;
    size_t n_verb = 0;
    const struct ks_transition_row *row = ks_transition_rows(&n_row);
    const struct ks_verb_row *verb = ks_verb_rows(&n_verb);
    for (size_t r = 0; r < n_row; r++) {
        bool reached = row[r].t == KS_T1_RECEIVE;
        for (size_t i = 0; i < n_verb; i++) {
            for (size_t k = 0; k < 2; k++) {
                reached = reached || (verb[i].step[k].t == row[r].t && verb[i].step[k].way == row[r].way);
            }
        }
        CU_ASSERT(reached);
    }
    for (size_t i = 0; i < n_verb; i++) {
        for (size_t k = i + 1; k < n_verb; k++) { /* one meaning per verb and state */
            CU_ASSERT(verb[i].verb != verb[k].verb || verb[i].state != verb[k].state);
        }
    }
}

/* ---- every world of three entries ------------------------------------------------------------------------------- */

#define WORLDS 60000

/** What the walk keeps of a world. */
struct world {
    uint64_t kind;
    cs_time now;
    struct ks_view_entry entry[3];
};

static struct world world[WORLDS];
static size_t worlds;
static uint32_t seen[1 << 18]; /* open addressing by kind: index + 1 */
static struct ks_view at, next;

/** All that a rule can tell apart in an entry. */
static uint32_t kind_of(const struct ks_view *v, const struct ks_view_entry *e, cs_time now)
{
    const uint32_t bit[] = {(uint32_t)e->state,        (uint32_t)e->resume_state,
                            e->suspended_too,          e->in_trash,
                            e->compromised_since != 0, e->activated_at != 0,
                            e->exchanged_at != 0,      e->process_stop != 0 && now >= ks_view_stop(v, e)};
    uint32_t k = 0;
    for (size_t i = 0; i < sizeof bit / sizeof bit[0]; i++) {
        k = k * (i < 2 ? 8 : 2) + bit[i];
    }
    return k;
}

/** The three are alike but for their numbers, so worlds that differ in the order only are one. */
static uint64_t kind_of_world(const struct ks_view *v, cs_time now)
{
    uint32_t k[3];
    for (size_t i = 0; i < 3; i++) {
        k[i] = kind_of(v, &v->entry[i], now);
        for (size_t m = i; m > 0 && k[m] < k[m - 1]; m--) {
            uint32_t t = k[m];
            k[m] = k[m - 1];
            k[m - 1] = t;
        }
    }
    return ((uint64_t)k[0] * 4096 + k[1]) * 4096 + k[2];
}

static void remember(const struct ks_view *v, cs_time now)
{
    uint64_t kind = kind_of_world(v, now);
    size_t i = (size_t)((kind * 0x9e3779b97f4a7c15U) >> 46);
    for (; seen[i] != 0; i = (i + 1) % (sizeof seen / sizeof seen[0])) {
        if (world[seen[i] - 1].kind == kind) {
            return;
        }
    }
    if (worlds < WORLDS) {
        world[worlds] = (struct world){.kind = kind, .now = now};
        memcpy(world[worlds].entry, v->entry, sizeof world[worlds].entry);
        seen[i] = (uint32_t)++worlds;
    }
}

static void promises_of(const struct ks_view_entry *old, const struct ks_view_entry *new, enum ks_verb verb, bool asked,
                        cs_time now)
{
    if (old->state == KS_DESTROYED) {
        CU_ASSERT_EQUAL(memcmp(old, new, sizeof *old), 0);
        return;
    }
    if (new->state == KS_DESTROYED) { /* only what was asked for, and only unused or out of the trash */
        CU_ASSERT(asked && (old->in_trash ? verb == KS_DO_DISCARD : verb == KS_DO_REMOVE));
        CU_ASSERT(old->in_trash || old->activated_at == 0);
    }
    if (new->in_trash && !old->in_trash) { /* no way round the window */
        CU_ASSERT(asked && verb == KS_DO_REMOVE && old->state != KS_ACTIVE && old->state != KS_SUSPENDED);
        CU_ASSERT(old->activated_at == 0 || (old->exchanged_at != 0 && now >= ks_view_stop(&at, old)));
    }
    if (old->state == KS_DEACTIVATED && new->state == KS_DEACTIVATED) {
        CU_ASSERT(new->process_stop >= old->process_stop &&new->exchanged_at == old->exchanged_at);
    }
    if (old->state != new->state) {
        CU_ASSERT(new->state != KS_PRE_ACTIVE || old->activated_at == 0);
        CU_ASSERT(!old->in_trash || asked);
    }
    CU_ASSERT(new->state != KS_COMPROMISED || new->compromised_since != 0);
    CU_ASSERT(new->state == KS_COMPROMISED || new->state == KS_SUSPENDED || new->state == KS_DESTROYED ||
              new->compromised_since == 0);
}

/** Back by the opposite verb: all as it was. */
static void promise_of_return(enum ks_verb verb, unsigned n, cs_time now)
{
    static const struct {
        enum ks_verb verb, opposite;
    } pair[] = {{KS_DO_SUSPEND, KS_DO_RESUME}, {KS_DO_COMPROMISE, KS_DO_CLEAR}, {KS_DO_REMOVE, KS_DO_RESTORE}};
    static struct ks_view back;
    const struct ks_view_entry *old = ks_view_get(&at, n);
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        bool again = verb == KS_DO_COMPROMISE && (old->compromised_since != 0 || old->in_trash);
        if (pair[i].verb != verb || again || ks_view_get(&next, n)->state == KS_DESTROYED) {
            continue;
        }
        int refused = try_verb(&next, pair[i].opposite, n, now, true, &back, NULL);
        CU_ASSERT(refused == 0 ||
                  refused == KS_G2_LIMIT_TWO); /* the walk begins with three keys, one more than a slot may have */
        const struct ks_view_entry *new = ks_view_get(&back, n);
        enum ks_state was = ks_view_state(&at, old, now);
        /* a role without a window ends it by the removal */
        CU_ASSERT_EQUAL(ks_view_state(&back, new, now),
                        verb == KS_DO_REMOVE && was == KS_DEACTIVATED ? KS_ARCHIVED : was);
        CU_ASSERT_EQUAL(new->exchanged_at, old->exchanged_at);
        CU_ASSERT_EQUAL(new->suspended_too, old->suspended_too);
    }
}

static void promises(enum ks_verb verb, unsigned n, cs_time now)
{
    unsigned active = 0;
    for (size_t i = 0; i < next.n; i++) {
        const struct ks_view_entry *e = &next.entry[i];
        promises_of(&at.entry[i], e, verb, e->n == n, now);
        active += e->state == KS_ACTIVE;
    }
    const struct ks_role_row *role = ks_role_row(next.role);
    CU_ASSERT(active <= role->max_active);
    promise_of_return(verb, n, now);
}

/** Time passes: until the end of an entry's window. */
static void wait_for(const struct ks_view_entry *e, cs_time now)
{
    cs_time stop = ks_view_stop(&at, e);
    if (stop > now) {
        remember(&at, stop);
    }
}

static size_t walk_from(size_t w)
{
    size_t edges = 0;
    cs_time now = world[w].now;
    memcpy(at.entry, world[w].entry, sizeof world[w].entry);
    for (unsigned i = 1; i <= 3; i++) {
        size_t ways = 0;
        for (int verb = 0; verb < KS_VERBS; verb++) {
            if (try_verb(&at, (enum ks_verb)verb, i, now, true, &next, NULL) == 0) {
                ways++;
                promises((enum ks_verb)verb, i, now);
                remember(&next, now);
            }
        }
        CU_ASSERT(at.entry[i - 1].state == KS_DESTROYED || ways > 0); /* no dead end */
        edges += ways;
        wait_for(&at.entry[i - 1], now);
    }
    return edges;
}

static void walk(enum ks_role role)
{
    memset(seen, 0, sizeof seen);
    worlds = 0;
    at = slot(role, 3, (enum ks_state[]){KS_PRE_ACTIVE, KS_PRE_ACTIVE, KS_PRE_ACTIVE});
    for (size_t i = 0; i < 3; i++) { /* dates play no part here: nothing expires on the walk */
        at.entry[i].not_after = NOW + 100000 * CS_DAY;
        at.entry[i].has_key = at.entry[i].has_key && role != KS_DECRYPT; /* G14 has its own test */
    }
    remember(&at, NOW);
    size_t edges = 0;
    for (size_t w = 0; w < worlds; w++) {
        edges += walk_from(w);
    }
    printf("  # %s: %zu worlds, %zu edges\n", ks_role_word(role), worlds, edges);
    CU_ASSERT(worlds > 100 && worlds < WORLDS); /* all of them */
}

static void test_three_entries_walked_through_break_no_promise(void)
{
    /* one role of each kind: several active or one, with keys or without, window of 90 days, a day, none */
    static const enum ks_role role[] = {KS_VERIFIER,   KS_SIGN,       KS_ENCRYPT_TO,
                                        KS_TLS_CLIENT, KS_TLS_SERVER, KS_AUTHZ_CLIENT};
    for (size_t i = 0; i < sizeof role / sizeof role[0]; i++) {
        walk(role[i]);
    }
}

const struct harness_test harness_tests[] = {
    {"every_transition_with_every_guard", test_every_transition_with_every_guard},
    {"every_row_of_the_tables_is_reached_by_a_verb", test_every_row_of_the_tables_is_reached_by_a_verb},
    {"three_entries_walked_through_break_no_promise", test_three_entries_walked_through_break_no_promise},
    {NULL, NULL},
};
