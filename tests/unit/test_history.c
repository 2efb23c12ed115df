/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_history.c: who was acceptable when, as known when, against the audit log played again from its first row. The
 * oracle knows nothing of interval rows: for one instant it walks through the log with one bit per entry, and of each
 * row takes the instant, the state that it left behind, the end of the window and the date of a compromise.
 */
#include <stdlib.h>
#include <string.h>

#include "keystore/audit.h"
#include "tests/unit/keystore_fixture.h"

#define STEPS     500
#define QUESTIONS 1000
#define ENTRIES   96
#define EVENTS    4096

const char *const harness_suite = "history";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

/** The same history in each run. */
static uint32_t dice_state;

static uint32_t dice(uint32_t n)
{
    dice_state = dice_state * 1664525U + 1013904223U;
    return (dice_state >> 8) % n;
}

/* ---- a random history ------------------------------------------------------------------------------------------- */

static const struct {
    const char *alias, *partner;
    enum ks_role role;
} slots[] = {{"acme-a", "acme", KS_VERIFIER},
             {"acme-b", "acme", KS_VERIFIER},
             {"acme-to", "acme", KS_ENCRYPT_TO},
             {"bolt-a", "bolt", KS_VERIFIER}};
#define SLOTS (sizeof slots / sizeof slots[0])

struct history {
    struct fixture f;
    cs_time now;
    unsigned n[SLOTS]; /**< entries of each slot */
    struct made made[24];
    size_t n_made;
    unsigned done[KS_VERBS], back_dated, scheduled, carried, twins;
};

static void add_one(struct history *h)
{
    size_t at = dice(SLOTS);
    if (h->n[at] == 20) {
        return;
    }
    bool twin =
        h->n_made > 4 && (h->n_made == 24 || dice(3) == 0); /* the key of another entry, as likely of another slot */
    if (!twin) {
        h->made[h->n_made++] = make_certificate(&(struct recipe){0});
    }
    const struct made *m = &h->made[twin ? dice((uint32_t)h->n_made) : h->n_made - 1];
    ks_add a = adding(slots[at].role, slots[at].partner, slots[at].alias, m, dice(3) != 0);
    a.has_since = a.activate && dice(3) == 0;
    a.since = h->now - (cs_time)dice(200) * CS_DAY - 7;
    if (add_at(&h->f, &a, h->now) == 0) {
        h->n[at] = h->f.out.info.n;
        h->back_dated += a.has_since;
        h->twins += twin;
    }
}

/** A verb on an entry, both by chance. @return whether anything was changed */
static bool act_once(struct history *h)
{
    static const ks_actor who = {"tester", "uid", "it has to be"};
    size_t at = dice(SLOTS);
    if (h->n[at] == 0) {
        return false;
    }
    ks_request r = {
        .verb = (enum ks_verb)dice(KS_VERBS), .alias = slots[at].alias, .n = 1 + dice(h->n[at]), .shorter_ok = true};
    if ((r.verb == KS_DO_DISCARD || r.verb == KS_DO_COMPROMISE) && dice(3) != 0) { /* what ends the life of entries */
        return false;
    }
    r.since = r.verb == KS_DO_COMPROMISE && dice(2) == 0 ? h->now - (cs_time)dice(150 * 86400) : 0;
    r.until = r.verb == KS_DO_REOPEN ? h->now + 1 + (cs_time)dice(60 * 86400) : 0;
    r.at = r.verb <= KS_DO_REMOVE && dice(4) == 0 ? h->now + 1 + (cs_time)dice(20 * 86400) : 0;
    cs_error_clear(&h->f.e);
    if (ks_change(h->f.s, &r, &who, h->now, &h->f.out, &h->f.e) == 0 && h->f.out.done) {
        if (r.at != 0) {
            h->scheduled++;
        } else {
            h->done[r.verb]++;
        }
        return true;
    }
    return false;
}

/** What is due is done, and time goes on: by seconds, days, now and then by months. */
static void pass(struct history *h)
{
    static const uint32_t reach[] = {1, 2, 3600, 86400, 2 * 86400};
    ks_report report;
    h->now += dice(reach[dice(5)]) + (dice(70) == 0 ? 95 * CS_DAY : 0);
    MADE(ks_clock_accept(h->f.s, false, &actor, NULL, h->now, &(ks_clock_info){0}, &h->f.e) == 0);
    MADE(ks_tick(h->f.s, false, NULL, h->now, &report, &h->f.e) == 0);
    for (size_t i = 0; i < report.n; i++) {
        h->carried += report.due[i].done;
    }
    ks_report_free(&report);
}

static void live(struct history *h)
{
    fixture_open(&h->f);
    h->now = NOW;
    for (int i = 0; i < STEPS; i++) {
        if (dice(7) == 0 || i < 8) {
            add_one(h);
        }
        for (int tries = 0; tries < 6 && !act_once(h); tries++) {
            continue; /* most of what chance proposes is refused */
        }
        pass(h);
    }
}

/* ---- the log, played again -------------------------------------------------------------------------------------- */

struct event {
    uint64_t seq;
    cs_time at, stop, since, compromised;
    size_t entry;
    enum ks_state state;
    bool first;
};

struct log {
    struct event event[EVENTS];
    size_t n;
    char object[ENTRIES][KS_WORD + 12];
    size_t n_object;
    uint64_t seq_of[EVENTS]; /**< row of each generation */
    uint64_t generations;
};

static cs_time member_time(const char *json, const char *name)
{
    char key[40];
    char text[40];
    cs_time t = 0;
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *from = strstr(json, key);
    if (from == NULL) {
        return 0;
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(from + strlen(key), "\""), from + strlen(key));
    MADE(cs_time_parse(text, &t) == 0);
    return t;
}

static enum ks_state member_state(const char *json)
{
    char word[24];
    enum ks_state state = KS_STATES;
    const char *from = strstr(json, "\"state\":\"");
    MADE(from != NULL);
    snprintf(word, sizeof word, "%.*s", (int)strcspn(from + 9, "\""), from + 9);
    MADE(ks_state_parse(word, &state) == 0);
    return state;
}

static int keep_event(void *ctx, const ks_logged *row, cs_error *e)
{
    (void)e;
    struct log *l = ctx;
    if (strcmp(row->verb, "row") == 0) {
        if (strncmp(row->object, "generation/", 11) == 0) {
            l->generations = strtoull(row->object + 11, NULL, 10);
            MADE(l->generations < EVENTS);
            l->seq_of[l->generations] = row->seq;
        }
        return 0;
    }
    if (strchr(row->object, '#') == NULL || row->after == NULL || strstr(row->after, "\"state\"") == NULL) {
        return 0;
    }
    size_t i = 0;
    while (i < l->n_object && strcmp(l->object[i], row->object) != 0) {
        i++;
    }
    MADE(i < ENTRIES && l->n < EVENTS);
    bool first = i == l->n_object;
    if (first) {
        snprintf(l->object[l->n_object++], sizeof l->object[0], "%s", row->object);
    }
    l->event[l->n++] = (struct event){.seq = row->seq,
                                      .at = row->at,
                                      .state = member_state(row->after),
                                      .stop = member_time(row->after, "process_stop"),
                                      .since = member_time(row->after, "activated_at"),
                                      .compromised = member_time(row->after, "compromised_since"),
                                      .entry = i,
                                      .first = first};
    return 0;
}

struct bit {
    bool accepted, saved;
    cs_time compromised, saved_at;
};

/** One row of the log, for one instant. */
static void replay(struct bit *b, const struct event *v, enum ks_role role, cs_time at)
{
    if (b->compromised == 0 && v->compromised != 0) {
        b->saved = b->accepted;
        b->saved_at = v->at;
    }
    if (v->compromised != 0 && at >= v->compromised) {
        b->accepted = false;
    } else if (b->compromised != 0 && v->compromised == 0) { /* it was not, yet refused from then until now */
        b->accepted = b->saved && at < b->saved_at;
    }
    b->compromised = v->compromised;
    bool waits = v->state == KS_DEACTIVATED && role == KS_VERIFIER && at < v->stop;
    if (at >= v->at || (v->first && v->state == KS_ACTIVE && at >= v->since)) {
        b->accepted = v->state == KS_ACTIVE || waits;
    }
}

static size_t slot_of(const char *object)
{
    size_t i = 0;
    while (i < SLOTS &&
           (strncmp(object, slots[i].alias, strlen(slots[i].alias)) != 0 || object[strlen(slots[i].alias)] != '#')) {
        i++;
    }
    MADE(i < SLOTS);
    return i;
}

/** Does the keystore name exactly those that the log makes acceptable? @return how many they are */
static size_t compare(struct history *h, const struct log *l, const char *partner, enum ks_role role, cs_time at,
                      uint64_t known)
{
    struct bit bit[ENTRIES] = {{0}};
    uint64_t seq = l->seq_of[known != 0 ? known : l->generations];
    ks_list list;
    size_t expected = 0;
    for (size_t i = 0; i < l->n && l->event[i].seq <= seq; i++) {
        size_t slot = slot_of(l->object[l->event[i].entry]);
        replay(&bit[l->event[i].entry], &l->event[i], slots[slot].role, at);
    }
    enum ks_capability cap = role == KS_VERIFIER ? KS_CAN_VERIFY : KS_CAN_ENCRYPT;
    MADE(ks_acceptable(h->f.s, partner, cap, at, known, &list, &h->f.e) == 0);
    for (size_t i = 0; i < l->n_object; i++) {
        size_t slot = slot_of(l->object[i]);
        bool named = false;
        for (size_t k = 0; k < list.n; k++) {
            char object[KS_WORD + 12];
            snprintf(object, sizeof object, "%s#%u", list.info[k].alias, list.info[k].n);
            named = named || strcmp(object, l->object[i]) == 0;
        }
        bool mine = strcmp(slots[slot].partner, partner) == 0 && slots[slot].role == role;
        bool wanted = mine && bit[i].accepted;
        expected += wanted;
        if (named != wanted) {
            fprintf(stderr, "%s at %lld, known at %llu: the log says %d, the keystore %d\n", l->object[i],
                    (long long)at, (unsigned long long)known, wanted, named);
        }
        CU_ASSERT_EQUAL(named, wanted);
    }
    CU_ASSERT_EQUAL(list.n, expected); /* and none twice */
    ks_list_free(&list);
    return expected;
}

/** An instant of the history or near it; every second one at a border, where a second decides. */
static cs_time instant(const struct history *h, const struct log *l)
{
    const struct event *v = &l->event[dice((uint32_t)l->n)];
    const cs_time border[] = {v->at, v->stop, v->since, v->compromised};
    cs_time t = border[dice(4)];
    return dice(2) == 0 && t != 0 ? t - 1 + (cs_time)dice(3)
                                  : NOW - 250 * CS_DAY + (cs_time)dice((uint32_t)(h->now - NOW + 400 * CS_DAY));
}

static void test_acceptable_is_what_the_log_played_again_says(void)
{
    struct history *h = calloc(1, sizeof *h);
    struct log *l = calloc(1, sizeof *l);
    MADE(h != NULL && l != NULL);
    dice_state = 20260601;
    live(h);
    MADE(ks_audit_list(h->f.s, true, keep_event, l, &h->f.e) == 0);
    for (int v = 0; v < KS_VERBS; v++) { /* a history in which all of it happened */
        CU_ASSERT(h->done[v] >= 1);
    }
    CU_ASSERT(h->back_dated >= 3 && h->scheduled >= 5 && h->carried >= 5 && h->twins >= 3);
    size_t accepted = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        cs_time at = instant(h, l);
        uint64_t known = dice(3) == 0 ? 0 : 1 + dice((uint32_t)l->generations);
        accepted += compare(h, l, "acme", KS_VERIFIER, at, known);
        accepted += compare(h, l, "acme", KS_ENCRYPT_TO, at, known);
        accepted += compare(h, l, "bolt", KS_VERIFIER, at, known);
    }
    CU_ASSERT(accepted > QUESTIONS);
    for (size_t i = 0; i < h->n_made; i++) {
        made_free(&h->made[i]);
    }
    fixture_close(&h->f);
    free(h);
    free(l);
}

static size_t encrypted_to(struct fixture *f, cs_time at)
{
    ks_list l;
    MADE(ks_acceptable(f->s, "acme", KS_CAN_ENCRYPT, at, 0, &l, &f->e) == 0);
    size_t n = l.n;
    ks_list_free(&l);
    return n;
}

/* An entry that cannot be used from the moment of one action to that of another. */
static void out_of_use_between(enum ks_verb from, enum ks_verb to)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_ENCRYPT_TO, "acme", "acme-to", &m, true);
    MADE(add_at(&f, &a, NOW) == 0 && act_at(&f, from, "acme-to", 1, NOW + 100) == 0 &&
         act_at(&f, to, "acme-to", 1, NOW + 200) == 0);
    CU_ASSERT_EQUAL(encrypted_to(&f, NOW + 99), 1);
    CU_ASSERT_EQUAL(encrypted_to(&f, NOW + 100), 0);
    CU_ASSERT_EQUAL(encrypted_to(&f, NOW + 199), 0);
    CU_ASSERT_EQUAL(encrypted_to(&f, NOW + 200), 1);
    made_free(&m);
    fixture_close(&f);
}

/** An entry without a window ends in the moment of its exchange: coming back must not bridge the time in between. */
static void test_coming_back_does_not_fill_the_gap_behind_an_exchange(void)
{
    out_of_use_between(KS_DO_DEACTIVATE, KS_DO_ACTIVATE);
}

static void test_compromise_taken_back_does_not_fill_the_time_of_refusal(void)
{
    out_of_use_between(KS_DO_COMPROMISE, KS_DO_CLEAR);
}

IN_MEMORY(coming_back_does_not_fill_the_gap_behind_an_exchange)
IN_MEMORY(compromise_taken_back_does_not_fill_the_time_of_refusal)
IN_MEMORY(acceptable_is_what_the_log_played_again_says)

const struct harness_test harness_tests[] = {
    {"coming_back_does_not_fill_the_gap_behind_an_exchange", test_coming_back_does_not_fill_the_gap_behind_an_exchange},
    {"compromise_taken_back_does_not_fill_the_time_of_refusal",
     test_compromise_taken_back_does_not_fill_the_time_of_refusal},
    {"acceptable_is_what_the_log_played_again_says", test_acceptable_is_what_the_log_played_again_says},
    {"coming_back_does_not_fill_the_gap_behind_an_exchange_in_memory",
     test_coming_back_does_not_fill_the_gap_behind_an_exchange_in_memory},
    {"compromise_taken_back_does_not_fill_the_time_of_refusal_in_memory",
     test_compromise_taken_back_does_not_fill_the_time_of_refusal_in_memory},
    {"acceptable_is_what_the_log_played_again_says_in_memory",
     test_acceptable_is_what_the_log_played_again_says_in_memory},
    {NULL, NULL},
};
