/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_facts.c: the evidence of a roll-over: for each check whether it holds, and what was seen. Everything comes
 * from rows: entries, uses, nodes, holds, mappings, probes and what nodes report; nobody is asked and nothing is
 * called.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/facts.h"
#include "keystore/rollover.h"

#define GAUGE_FRESH_S 90 /* a number of a node older than that says nothing */

struct seen {
    ks_store *s;
    struct ks_rollover *r;
    cs_time now;
    struct ks_view_node node[KS_VIEW_NODES];
    bool uses[KS_VIEW_NODES]; /* the node has a route that uses the slot */
    size_t n_node;
    size_t held, ca;
    size_t users_old, users_missing,
        users_left; /* user mappings of the old one: ever, not yet of the new one, in force */
    size_t names_old, names_missing;
    bool scheduled;
    bool fetched;
    uint64_t refused; /* with the new one */
};

static void say(struct seen *v, enum ks_fact_of f, bool holds, const char *fmt, ...) CS_PRINTF(4, 5);
static void say(struct seen *v, enum ks_fact_of f, bool holds, const char *fmt, ...)
{
    va_list ap;
    struct ks_facts *facts = &v->r->facts;
    facts->hold = holds ? facts->hold | KS_BIT(f) : facts->hold & ~KS_BIT(f);
    va_start(ap, fmt);
    vsnprintf(facts->text[f], KS_FACT_TEXT, fmt, ap);
    va_end(ap);
}

/* ---- nodes and routes ------------------------------------------------------------------------------------------ */

static int take_node(void *ctx, const struct ks_node_row *row, cs_error *e)
{
    struct seen *v = ctx;
    (void)e;
    if (v->n_node < KS_VIEW_NODES) {
        struct ks_view_node *node = &v->node[v->n_node++];
        cs_copy(node->name, sizeof node->name, row->node);
        node->applied = row->applied;
        node->silent_since = v->now - row->clock_at > KS_NODE_ALIVE ? row->clock_at : 0;
    }
    return 0;
}

static int take_use(void *ctx, const char *node, const ks_node_use *use, cs_error *e)
{
    struct seen *v = ctx;
    struct ks_rollover *r = v->r;
    (void)e;
    bool by_partner = r->row.role == KS_VERIFIER || r->row.role == KS_ENCRYPT_TO;
    bool mine =
        (use->alias != NULL && strcmp(use->alias, r->row.alias) == 0) ||
        (by_partner && r->row.partner[0] != '\0' && use->partner != NULL && strcmp(use->partner, r->row.partner) == 0);
    if (!mine) {
        return 0;
    }
    for (size_t i = 0; i < v->n_node; i++) {
        v->uses[i] = v->uses[i] || strcmp(v->node[i].name, node) == 0;
    }
    for (size_t i = 0; i < r->n_route; i++) {
        if (strcmp(r->route[i], use->route) == 0) {
            return 0;
        }
    }
    if (r->n_route < KS_ROLL_ROUTES) {
        cs_copy(r->route[r->n_route++], KS_WORD, use->route);
    }
    return 0;
}

static bool has_route(const struct ks_rollover *r, const char *route)
{
    for (size_t i = 0; i < r->n_route; i++) {
        if (strcmp(r->route[i], route) == 0) {
            return true;
        }
    }
    return false;
}

/** A tls-client slot has no partner of its own: it is the one that its routes verify or encrypt to. */
static int take_partner(void *ctx, const char *node, const ks_node_use *use, cs_error *e)
{
    struct seen *v = ctx;
    (void)node;
    (void)e;
    if (v->r->partner[0] == '\0' && use->partner != NULL && use->partner[0] != '\0' && has_route(v->r, use->route)) {
        cs_copy(v->r->partner, KS_WORD, use->partner);
    }
    return 0;
}

static int read_nodes(struct seen *v, cs_error *e)
{
    ks_store *s = v->s;
    const char *named = strstr(v->r->row.settings, "partner=");
    v->r->n_route = 0;
    v->r->partner[0] = '\0';
    if (named != NULL) {
        snprintf(v->r->partner, KS_WORD, "%.*s", (int)strcspn(named + 8, " "), named + 8);
    } else {
        cs_copy(v->r->partner, KS_WORD, v->r->row.partner);
    }
    return s->driver->nodes(s->b, take_node, v, e) == 0 && s->driver->node_uses_each(s->b, take_use, v, e) == 0
               ? s->driver->node_uses_each(s->b, take_partner, v, e)
               : -1;
}

/** Every node that lives works with a generation; the others are named. */
static bool applied(const struct seen *v, uint64_t generation, char *text, size_t size)
{
    size_t used = 0;
    size_t good = 0;
    text[0] = '\0';
    for (size_t i = 0; i < v->n_node; i++) {
        const struct ks_view_node *n = &v->node[i];
        if (n->silent_since == 0 && n->applied >= generation) {
            good++;
        } else if (used < size) {
            int len = snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "", n->name,
                               n->silent_since != 0 ? "is silent" : "has not got it yet");
            used += len > 0 ? (size_t)len : 0;
        }
    }
    if (good == v->n_node) {
        snprintf(text, size, v->n_node == 0 ? "no gateway serves this keystore" : "%zu of %zu nodes", good, v->n_node);
    }
    return good == v->n_node;
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

static bool gone(const ks_info *i)
{
    return i->state == KS_DESTROYED || i->trash_until != 0;
}

static bool has_new(const struct ks_rollover *r)
{
    return r->has_new && !gone(&r->new_info);
}

static bool old_is_out(const struct ks_rollover *r)
{
    return !r->has_old || r->old_info.state != KS_ACTIVE;
}

static const char *old_word(const struct ks_rollover *r)
{
    return r->has_old ? ks_state_word(r->old_info.state) : "not there";
}

/* The new certificate: here, usable, in force. */
static void judge_new(struct seen *v)
{
    const struct ks_rollover *r = v->r;
    const ks_info *o = &r->old_info;
    const ks_info *n = &r->new_info;
    const char *state = has_new(r) ? ks_state_word(n->state) : "not there";
    bool own = r->row.role == KS_SIGN || r->row.role == KS_DECRYPT || r->row.role == KS_TLS_CLIENT ||
               r->row.role == KS_TLS_SERVER;
    bool longer = has_new(r) && (!r->has_old || n->not_after >= o->not_after);
    bool active = has_new(r) && n->state == KS_ACTIVE;
    say(v, KS_FACT_RECEIVED, has_new(r), has_new(r) ? "%s#%u" : "there is no certificate behind %s#%u", r->row.alias,
        has_new(r) ? n->n : o->n);
    say(v, KS_FACT_KEY_MATCH, longer && (!own || n->has_key),
        !has_new(r) ? "no new certificate yet"
        : !longer   ? "%s#%u ends before the old one"
                    : "%s#%u",
        r->row.alias, n->n);
    say(v, KS_FACT_ACCEPTED, active, "the new one is %s", state);
    say(v, KS_FACT_EXCHANGED, active && old_is_out(r), "the new one is %s, the old one %s", state, old_word(r));
    say(v, KS_FACT_SCHEDULED, active || (has_new(r) && v->scheduled), "%s",
        v->scheduled ? "it waits for its instant"
        : r->planned ? "it is scheduled for another instant"
                     : "nothing is scheduled");
}

/* The old one on its way out. */
static void judge_old(struct seen *v)
{
    const struct ks_rollover *r = v->r;
    const ks_info *o = &r->old_info;
    char date[CS_TIME_TEXT];
    say(v, KS_FACT_OLD_STOPPED, old_is_out(r), "the old one is %s", old_word(r));
    bool stopped = r->has_old && (o->state == KS_ARCHIVED || gone(o) ||
                                  (o->state == KS_DEACTIVATED && o->process_stop != 0 && v->now >= o->process_stop));
    say(v, KS_FACT_PROCESS_STOP, stopped, "%s%s",
        o->process_stop != 0 ? "its window ends " : "its window has not begun",
        o->process_stop != 0 ? cs_time_format(o->process_stop, date) : "");
    say(v, KS_FACT_REMOVED, r->has_old && gone(o), "the old one is %s", old_word(r));
}

/* The two beside each other, and whether every node has heard of both. */
static void judge_both(struct seen *v)
{
    const struct ks_rollover *r = v->r;
    const ks_info *o = &r->old_info;
    const ks_info *n = &r->new_info;
    char text[KS_FACT_TEXT - 8];
    bool root = has_new(r) && r->has_old && strcmp(o->issuer, n->issuer) == 0;
    bool names = root && strcmp(o->subject, n->subject) == 0;
    say(v, KS_FACT_DN_UNCHANGED, names, "%s",
        names        ? "subject and issuer are the same"
        : has_new(r) ? "subject or issuer differ"
                     : "no new certificate yet");
    say(v, KS_FACT_ROOT_UNCHANGED, root, "%s",
        root         ? "the issuer is the same"
        : has_new(r) ? "the issuer differs"
                     : "no new certificate yet");
    uint64_t generation = n->version > o->version ? n->version : o->version;
    say(v, KS_FACT_CONVERGED, applied(v, generation, text, sizeof text), "%s", text);
}

static void judge_use(struct seen *v)
{
    const struct ks_rollover *r = v->r;
    const ks_info *o = &r->old_info;
    const ks_info *n = &r->new_info;
    char date[CS_TIME_TEXT];
    bool used = r->has_new && n->last_use != 0;
    say(v, KS_FACT_FIRST_USE_NEW, used, used ? "used %llu times, last %s" : "%llu uses%s",
        (unsigned long long)(r->has_new ? n->uses : 0), used ? cs_time_format(n->last_use, date) : " so far");
    cs_time since = r->row.started_at > n->activated_at ? r->row.started_at : n->activated_at;
    since = o->last_use > since ? o->last_use : since;
    bool quiet = used && v->now - since >= CS_DAY;
    say(v, KS_FACT_QUIET_OLD, quiet, o->last_use != 0 ? "the old one was used last %s" : "the old one was not used%s",
        o->last_use != 0 ? cs_time_format(o->last_use, date)
        : quiet          ? ""
                         : ", the 24 h are not over");
}

static int take_refused(void *ctx, const struct ks_use_row *row, cs_error *e)
{
    struct seen *v = ctx;
    (void)e;
    v->refused += row->by_sender ? 0 : row->c.bad;
    return 0;
}

/** What was refused with the new one. Of a certificate that a listener shows: by whom; where one of them is known by
 *  name and the old certificate can still come back, that is offered. */
static int judge_refused(struct seen *v, cs_error *e)
{
    struct ks_rollover *r = v->r;
    char who[KS_FACT_TEXT - 110] = "";
    bool used = r->has_new && r->new_info.last_use != 0;
    memset(&r->denied, 0, sizeof r->denied);
    if (r->has_new &&
        (v->s->driver->uses(v->s->b, r->row.new_entry, r->row.started_at / CS_DAY, take_refused, v, e) != 0 ||
         (v->refused > 0 && ks_refused_read(v->s, r->row.new_entry, v->now, &r->denied, e) != 0))) {
        return -1;
    }
    ks_refused_text(&r->denied, who, sizeof who);
    if (v->refused == 0) {
        say(v, KS_FACT_NONE_REFUSED, used, "%s", used ? "none" : "it was not used so far");
    } else if (ks_rollover_denied_named(r) > 0) {
        say(v, KS_FACT_NONE_REFUSED, false, "%s; back: countersign keystore activate %s#%u", who, r->row.alias,
            r->old_info.n);
    } else {
        say(v, KS_FACT_NONE_REFUSED, false, "%llu refused%s", (unsigned long long)v->refused,
            strchr(who, ':') != NULL ? strchr(who, ':') : "");
    }
    return 0;
}

static int take_anchor(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct seen *v = ctx;
    (void)e;
    v->ca += row->info.state == KS_ACTIVE && strcmp(row->info.subject, v->r->new_info.issuer) == 0;
    return 0;
}

static int take_schedule(void *ctx, const struct ks_schedule_row *row, cs_error *e)
{
    struct seen *v = ctx;
    (void)e;
    if (!v->r->has_new || row->n != v->r->new_info.n || strcmp(row->verb, ks_verb_word(KS_DO_ACTIVATE)) != 0) {
        return 0;
    }
    /* a span that was moved leaves its old instant behind: that is not what was agreed */
    v->r->planned = true;
    v->scheduled = v->r->row.window_from == 0 || row->due_at == v->r->row.window_from;
    return 0;
}

/* ---- mappings -------------------------------------------------------------------------------------------------- */

static int judge_mappings(struct seen *v, cs_error *e)
{
    struct ks_rollover *r = v->r;
    struct ks_roll_mappings all;
    if (ks_rollover_mappings(v->s, r, &all, e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < all.n; i++) {
        const struct ks_roll_mapping *m = &all.row[i];
        bool open = m->info.to == 0;
        v->users_old += m->user_old;
        v->users_left += m->user_old && open;
        v->users_missing += m->user_old && open && !m->answered;
        v->names_old += m->names_old && !m->names_new && open;
        v->names_missing += m->names_old && open && !m->answered;
    }
    free(all.row);
    say(v, KS_FACT_NO_USER_MAPPING, v->users_old == 0, "%zu users", v->users_old);
    say(v, KS_FACT_USER_RETIRED, v->users_left == 0, "%zu left", v->users_left);
    say(v, KS_FACT_SAME_USER, has_new(r) && v->users_old > 0 && v->users_missing == 0, "%zu of %zu users missing",
        v->users_missing, v->users_left);
    say(v, KS_FACT_NAMES_MAPPED, has_new(r) && v->names_missing == 0, "%zu routes missing", v->names_missing);
    say(v, KS_FACT_NAMES_RETIRED, v->names_old == 0, "%zu left", v->names_old);
    return 0;
}

/* ---- holds and numbers of nodes -------------------------------------------------------------------------------- */

static int take_hold(void *ctx, const ks_hold_info *row, cs_error *e)
{
    struct seen *v = ctx;
    (void)e;
    v->held += has_route(v->r, row->route);
    return 0;
}

struct gauge {
    struct seen *v;
    const char *object; /* NULL: a route of the slot */
    bool heard[KS_VIEW_NODES];
    int64_t sum;
};

static int take_gauge(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    struct gauge *g = ctx;
    (void)e;
    if (g->v->now - at > GAUGE_FRESH_S ||
        (g->object != NULL ? strcmp(object, g->object) != 0 : !has_route(g->v->r, object))) {
        return 0;
    }
    for (size_t i = 0; i < g->v->n_node; i++) {
        if (strcmp(g->v->node[i].name, node) == 0 && g->v->node[i].silent_since == 0) {
            g->heard[i] = true;
            g->sum += n;
        }
    }
    return 0;
}

/** What all live nodes that use the slot report of kind. @return 0 with *zero: all of them reported, and nothing */
static int read_gauge(struct seen *v, const char *kind, const char *object, bool *zero, char *text, size_t size,
                      cs_error *e)
{
    struct gauge g = {.v = v, .object = object};
    if (v->s->driver->rollovers->gauges(v->s->b, kind, take_gauge, &g, e) != 0) {
        return -1;
    }
    const char *silent = NULL;
    for (size_t i = 0; i < v->n_node; i++) {
        silent = v->uses[i] && !g.heard[i] ? v->node[i].name : silent;
    }
    *zero = silent == NULL && g.sum == 0;
    if (silent != NULL) {
        snprintf(text, size, "%s has not reported", silent);
    } else {
        snprintf(text, size, "%lld on all nodes together", (long long)g.sum);
    }
    return 0;
}

static int judge_nodes(struct seen *v, cs_error *e)
{
    struct ks_rollover *r = v->r;
    char text[KS_FACT_TEXT - 8];
    char lag[KS_FACT_TEXT - 8];
    bool zero = false;
    uint64_t generation = 0;
    if (v->s->driver->holds(v->s->b, take_hold, v, e) != 0 || v->s->driver->generation(v->s->b, &generation, e) != 0) {
        return -1;
    }
    bool held = v->held == r->n_route && r->n_route > 0;
    bool follow = applied(v, generation, lag, sizeof lag);
    say(v, KS_FACT_HELD, held || r->n_route == 0, "%zu of %zu routes", v->held, r->n_route);
    say(v, KS_FACT_RELEASED, v->held == 0, "%zu of %zu routes on hold", v->held, r->n_route);
    say(v, KS_FACT_ROUTED, r->n_route > 0, "%zu routes", r->n_route);
    if (read_gauge(v, "under-way", NULL, &zero, text, sizeof text, e) != 0) {
        return -1;
    }
    say(v, KS_FACT_IN_FLIGHT_ZERO, (held && follow && zero) || r->n_route == 0, "%s", follow ? text : lag);
    if (read_gauge(v, "waiting", NULL, &zero, text, sizeof text, e) != 0) {
        return -1;
    }
    say(v, KS_FACT_QUEUE_EMPTY, v->held == 0 && follow && zero, "%s", follow ? text : lag);
    if (read_gauge(v, "old-connections", r->row.role == KS_TLS_SERVER ? "front" : "back", &zero, text, sizeof text,
                   e) != 0) {
        return -1;
    }
    bool exchanged = (r->facts.hold & KS_BIT(KS_FACT_EXCHANGED)) != 0;
    say(v, KS_FACT_OLD_CONNECTIONS_ZERO, exchanged && follow && zero, "%s",
        !exchanged ? "not exchanged yet"
        : follow   ? text
                   : lag);
    return 0;
}

/* ---- probes, messages, span ------------------------------------------------------------------------------------ */

static int take_fetched(void *ctx, const char *node, const char *object, int64_t n, cs_time at, cs_error *e)
{
    struct seen *v = ctx;
    char hex[65];
    (void)node;
    (void)e;
    v->fetched = v->fetched || (v->r->has_new && n > 0 && at >= v->r->row.started_at &&
                                strcmp(object, cs_hex(v->r->new_info.sha256, 32, hex)) == 0);
    return 0;
}

static int judge_probes(struct seen *v, cs_error *e)
{
    struct ks_rollover *r = v->r;
    ks_probe_said o = {.nodes = 0};
    ks_probe_said n = {.nodes = 0};
    cs_time since = r->row.started_at;
    if (v->s->driver->rollovers->gauges(v->s->b, "fetched", take_fetched, v, e) != 0 ||
        (has_new(r) && ks_probe_summary(v->s, r->row.alias, r->new_info.n, since, v->now, &n, e) != 0) ||
        (r->has_old && !gone(&r->old_info) &&
         ks_probe_summary(v->s, r->row.alias, r->old_info.n, since, v->now, &o, e) != 0)) {
        return -1;
    }
    bool new = n.nodes > 0 && n.accepted == n.nodes;
    bool old = o.nodes > 0 && o.accepted == o.nodes;
    say(v, KS_FACT_PROBE_NEW, new, "new: %s", n.text);
    say(v, KS_FACT_PROBE_BOTH, new &&old, "new: %.90s; old: %.90s", n.text, o.text);
    say(v, KS_FACT_PROBE_OLD_REFUSED, o.nodes > 0 && o.refused == o.nodes, "old: %s", o.text);
    say(v, KS_FACT_FETCHED, v->fetched, "%s", v->fetched ? "the partner took it" : "not taken yet");
    return 0;
}

static int judge_open(struct seen *v, cs_error *e)
{
    struct ks_rollover *r = v->r;
    unsigned open = 0;
    cs_time since = 0;
    char date[CS_TIME_TEXT];
    if (r->row.old_entry != 0 && ks_open_of(v->s, r->row.slot_id, r->row.old_entry, &since, &open, e) != 0) {
        return -1;
    }
    say(v, KS_FACT_OPEN_MESSAGES_ZERO, open == 0, "%u messages wait", open);
    bool set = r->row.window_from != 0;
    say(v, KS_FACT_WINDOW_SET, set, "%s",
        set ? cs_time_format(r->row.window_from, date) : "countersign rollover window");
    say(v, KS_FACT_WINDOW_BEGUN, set && v->now >= r->row.window_from, "%s%s", set ? "at " : "no span is set",
        set ? cs_time_format(r->row.window_from, date) : "");
    return 0;
}

int ks_rollover_facts(ks_store *s, struct ks_rollover *r, cs_time now, cs_error *e)
{
    struct seen v = {.s = s, .r = r, .now = now};
    const struct ks_row_filter anchors = {.has_role = true, .role = KS_TRUST_ANCHOR};
    memset(&r->facts, 0, sizeof r->facts);
    r->planned = false;
    if (read_nodes(&v, e) != 0 || s->driver->schedules(s->b, r->row.slot_id, take_schedule, &v, e) != 0 ||
        (r->has_new && s->driver->rows(s->b, &anchors, take_anchor, &v, e) != 0)) {
        return -1;
    }
    judge_new(&v);
    judge_old(&v);
    judge_both(&v);
    judge_use(&v);
    say(&v, KS_FACT_CA_OFFERED, v.ca > 0, "%s",
        v.ca > 0 ? "it is one of the trust anchors" : "no trust anchor bears that name");
    return judge_refused(&v, e) == 0 && judge_mappings(&v, e) == 0 && judge_nodes(&v, e) == 0 &&
                   judge_probes(&v, e) == 0
               ? judge_open(&v, e)
               : -1;
}
