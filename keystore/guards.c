/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guards.c: what a change must not break. Preconditions are asked per step on the view before; invariants
 * (invariants.c) are compared before and after the whole composite. One row per guard; all that refuse are told, not
 * only the first.
 */
#include "keystore/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_SKEW 300 /* seconds that two clocks may differ: a notBefore so far ahead is not "in the future" */

struct verdict {
    ks_refusal *out;
    size_t max;
    size_t n;
};

static void refuse(struct verdict *v, enum ks_guard g, cs_time allowed_from, const char *fmt, ...) CS_PRINTF(4, 5);

static void refuse(struct verdict *v, enum ks_guard g, cs_time allowed_from, const char *fmt, ...)
{
    ks_refusal r = {.guard = g, .allowed_from = allowed_from};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.text, sizeof r.text, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < v->n && i < v->max; i++) {
        if (v->out[i].guard == g && strcmp(v->out[i].text, r.text) == 0) {
            return; /* two steps of the change ask alike */
        }
    }
    if (v->n < v->max) {
        v->out[v->n] = r;
    }
    v->n++;
}

/* ---- preconditions --------------------------------------------------------------------------------------------- */

typedef void precondition(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step,
                          cs_time now, struct verdict *v);

static const struct ks_view_entry *subject(const struct ks_view *before, const struct ks_rule_plan *p,
                                           const struct ks_step *step)
{
    return p->fresh.n != 0 && p->fresh.n == step->n ? &p->fresh : ks_view_get(before, step->n);
}

static void g4_shorter(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_view_entry *e,
                       struct verdict *v)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_view_entry *old = p->step[i].t == KS_T3_DEACTIVATE ? ks_view_get(before, p->step[i].n) : NULL;
        if (old != NULL && e->not_after < old->not_after) {
            char mine[CS_TIME_TEXT];
            char theirs[CS_TIME_TEXT];
            refuse(v, KS_G4_OVERLAP, 0,
                   "%s#%u ends %s, before the active %s#%u does (%s). If that is right: --shorter-ok", before->alias,
                   e->n, cs_time_format(e->not_after, mine), before->alias, old->n,
                   cs_time_format(old->not_after, theirs));
        }
    }
}

static void g4(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    const struct ks_view_entry *e = subject(before, p, step);
    if (e == NULL) {
        return;
    }
    char when[CS_TIME_TEXT];
    if (now > e->not_after) {
        refuse(v, KS_G4_OVERLAP, 0,
               "the certificate of %s#%u expired %s. For archived messages of its time: "
               "countersign keystore add --since TIME --until TIME",
               before->alias, e->n, cs_time_format(e->not_after, when));
    } else if (e->not_before > now + CLOCK_SKEW) {
        refuse(v, KS_G4_OVERLAP, e->not_before,
               "the certificate of %s#%u is valid from %s only. Until then keep it pre-active", before->alias, e->n,
               cs_time_format(e->not_before, when));
    } else if (!p->shorter_ok && step->t == KS_T2_ACTIVATE) { /* the way back (T4) leads to an older one as a rule */
        g4_shorter(before, p, e, v);
    }
}

static void g5(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    (void)before;
    (void)step;
    (void)now;
    if (p->key_problem[0] != '\0') {
        refuse(v, KS_G5_KEY_MATCH, 0, "%s", p->key_problem);
    }
}

/** Of a slot with one active entry: who could take the place of e; NULL: nobody is there. */
static const struct ks_view_entry *in_its_place(const struct ks_view *v, const struct ks_view_entry *e)
{
    const struct ks_view_entry *found = NULL;
    for (size_t i = 0; ks_role_row(v->role)->max_active == 1 && i < v->n; i++) {
        const struct ks_view_entry *o = &v->entry[i];
        bool able = o != e && (o->state == KS_PRE_ACTIVE || o->state == KS_DEACTIVATED);
        found = able && (found == NULL || o->n > found->n) ? o : found;
    }
    return found;
}

static void g7(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    (void)now;
    const struct ks_view_entry *e = subject(before, p, step);
    const struct ks_view_entry *other = e != NULL && e->state == KS_ACTIVE ? in_its_place(before, e) : NULL;
    if (other != NULL) {
        refuse(v, KS_G7_INACTIVE_ONLY, 0,
               "%s#%u is active. First put another in its place: countersign keystore activate %s#%u", before->alias,
               e->n, before->alias, other->n);
    } else if (e != NULL && e->state == KS_ACTIVE) {
        refuse(v, KS_G7_INACTIVE_ONLY, 0, "%s#%u is active. First: countersign keystore deactivate %s#%u",
               before->alias, e->n, before->alias, e->n);
    } else if (e != NULL && e->state == KS_SUSPENDED) {
        refuse(v, KS_G7_INACTIVE_ONLY, 0,
               "%s#%u is suspended, and its window keeps running. First: countersign keystore resume %s#%u",
               before->alias, e->n, before->alias, e->n);
    }
}

/** What brought the end of a window behind its length, for people. */
static const char *moved_by(const struct ks_view *v, const struct ks_view_entry *e, cs_time stop)
{
    if (stop <= e->exchanged_at + ks_window(v->role, &v->terms)) {
        return "";
    }
    if (ks_process_stop(v->role, &v->terms, e->exchanged_at, e->not_after, e->last_use, 0) >= stop) {
        return ", moved by its last use";
    }
    bool by_message = ks_process_stop(v->role, &v->terms, e->exchanged_at, e->not_after, 0, e->open_since) >= stop;
    return by_message ? ", moved by an open message" : ", moved since then";
}

static void g8(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    const struct ks_view_entry *e = subject(before, p, step);
    cs_time stop = e != NULL ? ks_view_stop(before, e) : 0;
    if (e == NULL || now >= stop) {
        return;
    }
    char until[CS_TIME_TEXT];
    char exchanged[CS_TIME_TEXT];
    int64_t days = ks_window(before->role, &before->terms) / CS_DAY;
    const char *moved = moved_by(before, e, stop);
    refuse(v, KS_G8_RETENTION, stop,
           "accepted until %s (exchanged %s, %lld d%s). To refuse its messages now, those in flight too: "
           "countersign keystore suspend %s#%u",
           cs_time_format(stop, until), cs_time_format(e->exchanged_at, exchanged), (long long)days, moved,
           before->alias, e->n);
}

static bool named(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = words; (s = strstr(s, word)) != NULL; s += n) {
        if ((s == words || s[-1] == ' ') && (s[n] == '\0' || s[n] == ' ')) {
            return true;
        }
    }
    return false;
}

/** Roles whose active key goes out to others: all nodes must have it before one of them shows it. */
bool ks_protects(enum ks_role role)
{
    unsigned can = KS_CAN(KS_CAN_SIGN) | KS_CAN(KS_CAN_ENCRYPT) | KS_CAN(KS_CAN_PRESENT);
    return (ks_role_row(role)->while_active & can) != 0;
}

static void g6(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    (void)now;
    /* what comes and is activated in one change comes to each node in one: there is nothing to wait for */
    const struct ks_view_entry *e = ks_view_get(before, step->n);
    if (e == NULL || !ks_protects(before->role) || p->ahead) {
        return;
    }
    for (size_t i = 0; i < before->n_node; i++) {
        const struct ks_view_node *node = &before->node[i];
        char when[CS_TIME_TEXT];
        bool without = named(p->without_node, node->name);
        if (node->applied >= e->version || (without && p->reasoned)) {
            continue;
        }
        if (without) {
            refuse(v, KS_G6_DISTRIBUTION, 0, "--without-node %s needs a reason: --reason TEXT", node->name);
        } else if (node->silent_since != 0) {
            refuse(v, KS_G6_DISTRIBUTION, 0,
                   "node %s was last heard of %s and has not got %s#%u. If it is gone: countersign keystore nodes "
                   "forget %s; to go on without it: --without-node %s --reason TEXT",
                   node->name, cs_time_format(node->silent_since, when), before->alias, e->n, node->name, node->name);
        } else {
            refuse(v, KS_G6_DISTRIBUTION, 0,
                   "node %s works with generation %llu, %s#%u came with %llu. It follows within a second; to wait: "
                   "--wait 10s",
                   node->name, (unsigned long long)node->applied, before->alias, e->n, (unsigned long long)e->version);
        }
    }
}

static void g9(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
               struct verdict *v)
{
    const struct ks_view_entry *e = subject(before, p, step);
    char text[256];
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].t == KS_T6_REOPEN) {
            return; /* it comes back in the same change */
        }
    }
    if (e == NULL || !ks_still_needed(before, e, now, text, sizeof text) || (p->forced && p->reasoned)) {
        return;
    }
    if (p->forced) {
        refuse(v, KS_G9_EVIDENCE, 0, "--force needs a reason: --reason TEXT");
        return;
    }
    refuse(v, KS_G9_EVIDENCE, 0,
           "%s. See: countersign keystore safe-to-remove %s#%u; in spite of it: --force --reason TEXT", text,
           before->alias, e->n);
}

static void g11(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
                struct verdict *v)
{
    (void)now;
    bool first = true;
    for (size_t i = 0; i < before->n; i++) {
        first = first && (before->entry[i].n == step->n || before->entry[i].activated_at == 0);
    }
    /* the first entry of a slot is one that nobody can know yet */
    if (p->ahead || first || (before->role != KS_TLS_CLIENT && before->role != KS_SIGN)) {
        return;
    }
    if (p->probe == KS_PROBE_DUE) {
        refuse(v, KS_G11_PROBE, 0, "a probe is configured, and with the key of %s#%u there is none yet that passed: %s",
               before->alias, step->n, p->probe_text[0] != '\0' ? p->probe_text : "none was made");
    } else if (p->probe == KS_PROBE_FAILED) {
        refuse(v, KS_G11_PROBE, 0, "the probe with the key of %s#%u failed: %s", before->alias, step->n, p->probe_text);
    }
}

static void g12(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
                struct verdict *v)
{
    (void)now;
    const struct ks_view_entry *e = subject(before, p, step);
    if (e == NULL || e->revocation == KS_REVOCATION_GOOD) {
        return;
    }
    if (e->revocation == KS_REVOCATION_REVOKED) {
        refuse(v, KS_G12_REVOCATION, 0, "its issuer has revoked the certificate of %s#%u. Ask for a new one",
               before->alias, e->n);
    } else if (before->revocation_required && !p->ahead) {
        refuse(v, KS_G12_REVOCATION, 0,
               "partner %s asks for a current revocation list, and none of the issuer of %s#%u is stored. First: "
               "countersign keystore add-crl --alias ANCHOR FILE",
               before->partner, before->alias, e->n);
    }
}

static void g14(const struct ks_view *before, const struct ks_rule_plan *p, const struct ks_step *step, cs_time now,
                struct verdict *v)
{
    (void)now;
    const struct ks_view_entry *e = subject(before, p, step);
    char when[CS_TIME_TEXT];
    if (e == NULL || before->role != KS_DECRYPT || !e->has_key || p->no_backup_ok || p->automatic ||
        (before->backup_at != 0 && before->backup_at >= e->changed_at)) {
        return;
    }
    refuse(v, KS_G14_BACKUP, 0,
           "what was encrypted to %s#%u can never be read again without its key, and %s%s. First: countersign keystore "
           "backup -o FILE; without one: --no-backup-ok",
           before->alias, e->n,
           before->backup_at != 0 ? "the last backup is older than its last change: " : "there is no backup",
           before->backup_at != 0 ? cs_time_format(before->backup_at, when) : "");
}

static const struct precondition_row {
    enum ks_guard guard;
    precondition *ask;
} precondition_row[] = {
    {KS_G4_OVERLAP, g4},       {KS_G5_KEY_MATCH, g5},    {KS_G6_DISTRIBUTION, g6},
    {KS_G7_INACTIVE_ONLY, g7}, {KS_G8_RETENTION, g8},    {KS_G9_EVIDENCE, g9},
    {KS_G11_PROBE, g11},       {KS_G12_REVOCATION, g12}, {KS_G14_BACKUP, g14},
};

/* ---- the change as a whole ------------------------------------------------------------------------------------- */

static void g13(const struct ks_view *before, const struct ks_rule_plan *p, struct verdict *v)
{
    if (p->starts_rollover && before->rollover[0] != '\0') {
        refuse(v, KS_G13_ONE_ROLLOVER, 0, "roll-over %s of %s is under way. First: countersign rollover status %s",
               before->rollover, before->alias, before->rollover);
    }
}

bool ks_plan_asks_consent(const struct ks_rule_plan *p)
{
    bool asked = p->forced;
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_transition_row *row = ks_transition_row(&p->step[i]);
        asked = asked || (row != NULL && (row->guards & (1U << KS_G10_TWO_PERSONS)) != 0);
    }
    return asked && !p->automatic;
}

static void g10(const struct ks_rule_plan *p, struct verdict *v)
{
    if (ks_plan_asks_consent(p) && p->approval == KS_APPROVAL_MISSING) {
        refuse(v, KS_G10_TWO_PERSONS, 0, "a second person must agree within 24 h: countersign keystore approve");
    }
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static const struct ks_guard_row guard_row[] = {
    {KS_G1_ONE_ACTIVE, KS_GUARD_INVARIANT,
     "one active entry in a one-active slot (tls-server: per key type); at most 8 in a verifier slot",
     "deactivate one"},
    {KS_G2_LIMIT_TWO, KS_GUARD_INVARIANT,
     "at most two entries with a key (pre-active, active, deactivated) in a tls-client slot",
     "remove the inactive one"},
    {KS_G3_LAST_ACCEPTABLE, KS_GUARD_INVARIANT,
     "a partner with traffic keeps an acceptable verifier, a mapped user an acceptable certificate, a trust-anchor "
     "slot in use an anchor; only a compromise goes before it, with an alarm",
     "add and activate another one"},
    {KS_G4_OVERLAP, KS_GUARD_PRECONDITION,
     "valid by now (5 min for clocks that differ), not expired; in a one-active slot not ending before the one it "
     "exchanges",
     "wait for its notBefore; --shorter-ok"},
    {KS_G5_KEY_MATCH, KS_GUARD_PRECONDITION, "key fits certificate; algorithm, size and usages fit the role",
     "the right file"},
    {KS_G6_DISTRIBUTION, KS_GUARD_PRECONDITION, "in a role that protects, every node has the generation with the entry",
     "--wait; nodes forget; --without-node ID --reason TEXT"},
    {KS_G7_INACTIVE_ONLY, KS_GUARD_PRECONDITION, "neither active nor suspended", "deactivate or resume it"},
    {KS_G8_RETENTION, KS_GUARD_PRECONDITION, "process stop is reached",
     "time; nothing else. To stop acceptance sooner: suspend, compromise"},
    {KS_G9_EVIDENCE, KS_GUARD_PRECONDITION,
     "no open message needs it; where it has no window, no use in the last 24 hours after its exchange",
     "--force --reason TEXT, and a second person where that rule is in force"},
    {KS_G10_TWO_PERSONS, KS_GUARD_PLAN,
     "a second person agreed to exactly this change within 24 hours; in force once two approvers are named",
     "countersign keystore approve"},
    {KS_G11_PROBE, KS_GUARD_PRECONDITION,
     "tls-client: where a route has probe { }, every node's probe with the new key passed; sign: where a route has "
     "probe "
     "{ accepted N; }, N requests of a share signed with the new key were accepted; not for the first entry of a slot; "
     "within a day of the end a slot with auto on, known by its names, is exchanged all the same",
     "the probe; activate --canary"},
    {KS_G12_REVOCATION, KS_GUARD_PRECONDITION,
     "not revoked; a current revocation list where the partner's policy asks for one", "add-crl"},
    {KS_G13_ONE_ROLLOVER, KS_GUARD_PLAN, "one roll-over of a slot at a time", "finish or abort the other one"},
    {KS_G14_BACKUP, KS_GUARD_PRECONDITION, "decrypt keys: the store was backed up after their last change",
     "backup; --no-backup-ok"},
};

const struct ks_guard_row *ks_guard_rows(size_t *n)
{
    *n = sizeof guard_row / sizeof guard_row[0];
    return guard_row;
}

size_t ks_judge(const struct ks_view *before, const struct ks_view *after, const struct ks_rule_plan *p, cs_time now,
                ks_refusal *out, size_t max)
{
    struct verdict v = {out, max, 0};
    for (size_t i = 0; i < p->n; i++) {
        const struct ks_transition_row *row = ks_transition_row(&p->step[i]);
        for (size_t g = 0; row != NULL && g < sizeof precondition_row / sizeof precondition_row[0]; g++) {
            if ((row->guards & (1U << precondition_row[g].guard)) != 0) {
                precondition_row[g].ask(before, p, &p->step[i], now, &v);
            }
        }
    }
    g13(before, p, &v);
    for (enum ks_guard g = KS_G1_ONE_ACTIVE; after != NULL && g <= KS_G3_LAST_ACCEPTABLE; g++) {
        char text[sizeof out->text];
        if (ks_invariant_broken(g, before, after, p, now, text, sizeof text)) {
            refuse(&v, g, 0, "%s", text);
        }
    }
    if (v.n == 0) { /* nobody is asked to agree to what is refused anyway */
        g10(p, &v);
    }
    return v.n;
}
