/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rollover_abort.c: every runbook that is shipped is walked from its first step to its last one, and taken back
 * after each move on the way. What was before is there again, or what nobody can take back stands; in either case the
 * keystore is sound, and the slot is free for the next one.
 */
#include <dirent.h>

#include "keystore/rollover.h"
#include "tests/unit/runbooks.h"

const char *const harness_suite = "rollover_abort";

#define ALIAS   "rolled"
#define PARTNER "acme"
#define SENDER  "CN=sender 1"
#define MOVES   48
#define BOOKS   32
#define FROM    (NOW + CS_DAY)
#define TO      (FROM + 3600)

int harness_setup(void)
{
    fixture_scheme = "memory"; /* some thousand transactions */
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

struct walk {
    struct fixture f;
    struct ks_runbook *book;
    cs_time now;
    bool used; /* the new one was, on live traffic */
};

/* ---- the scene -------------------------------------------------------------------------------------------------- */

static bool takes_names(const struct ks_runbook *r)
{
    return r->role == KS_AUTHZ_CLIENT;
}

static void add_entry(struct walk *w, enum ks_role role, const char *alias, const char *cn, bool activate)
{
    struct made m = make_certificate(&(struct recipe){
        .cn = cn, .from = NOW - CS_DAY, .to = w->now + (activate ? 300 : 365) * CS_DAY, .ca = role == KS_TRUST_ANCHOR});
    bool partner = role == KS_VERIFIER || role == KS_ENCRYPT_TO;
    ks_add a = adding(role, partner ? PARTNER : NULL, alias, &m, activate);
    int rc = add_at(&w->f, &a, w->now);
    if (rc != 0) {
        printf("# %s: %s\n", w->book->name, w->f.e.text);
    }
    CU_ASSERT_EQUAL(rc, 0);
    made_free(&m);
}

static void add_mapping(struct walk *w, const ks_mapping_new *what)
{
    ks_mapping_outcome out;
    CU_ASSERT_EQUAL(EXIT_OF(&w->f, ks_mapping_add(w->f.s, what, false, &actor, w->now, &out, &w->f.e)), 0);
}

/** A slot with one certificate in use, a route that uses it, and who it stands for. */
static void begin(struct walk *w, struct ks_runbook *book)
{
    const ks_node_use use = {"orders", ALIAS, PARTNER};
    const struct ks_roll_request q = {
        .runbook = book, .alias = ALIAS, .window_from = book->window ? FROM : 0, .window_to = book->window ? TO : 0};
    memset(w, 0, sizeof *w);
    fixture_open(&w->f);
    w->book = book;
    w->now = NOW;
    add_entry(w, book->role, ALIAS, "sender 1", true);
    if (takes_names(book)) {
        add_mapping(w, &(ks_mapping_new){.alias = ALIAS, .n = 1, .user = "orders"});
        add_mapping(w, &(ks_mapping_new){.route = "orders", .subject = SENDER, .issuer = SENDER});
    }
    MADE(ks_report_node(w->f.s, "gone", &use, 1, w->now, &w->f.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&w->f, ks_rollover_start(w->f.s, &q, false, &actor, w->now, NULL, &w->f.e)), 0);
}

static void end(struct walk *w)
{
    fixture_close(&w->f);
}

static struct ks_rollover *look(struct walk *w)
{
    struct ks_rollover *r = NULL;
    bool changed = false;
    MADE(ks_rollover_advance(w->f.s, 1, &actor, w->now, &changed, &w->f.e) == 0);
    MADE(ks_rollover_read(w->f.s, 1, w->now, &r, &w->f.e) == 0);
    return r;
}

/* ---- one move --------------------------------------------------------------------------------------------------- */

/** A use on live traffic, by a gateway that is gone again. */
static void use_new(struct walk *w, unsigned n)
{
    ks_live *l = NULL;
    ks_options opt = {.node = "gone"};
    MADE(ks_live_open(&l, w->f.uri, &opt, w->now, &w->f.e) == 0 && ks_live_step(l, 0, w->now, &w->f.e) >= 0);
    use_at(l, ALIAS, n, true, w->now);
    ks_live_close(l);
    w->used = true;
}

/** The instant comes, and what is due then is done. @return false: it was there already */
static bool wait_for(struct walk *w, cs_time at)
{
    ks_report report;
    if (at <= w->now) {
        return false;
    }
    w->now = at;
    MADE(ks_tick(w->f.s, false, NULL, w->now, &report, &w->f.e) == 0);
    ks_report_free(&report);
    return true;
}

/** @return false: there is one already */
static bool back_up(struct walk *w)
{
    char path[4600];
    ks_backup_info info;
    snprintf(path, sizeof path, "%s.backup", w->f.path);
    return EXIT_OF(&w->f, ks_backup(w->f.s, path, &actor, w->now, &info, &w->f.e)) == 0;
}

/** Make a check hold that is not a word. @return false: it comes by another one, or by nothing here */
static bool satisfy(struct walk *w, const struct ks_rollover *r, enum ks_fact_of f)
{
    switch (f) {
    case KS_FACT_RECEIVED:
    case KS_FACT_KEY_MATCH: add_entry(w, w->book->role, ALIAS, "sender 2", false); return true;
    case KS_FACT_CA_OFFERED: add_entry(w, KS_TRUST_ANCHOR, "senders", "sender 2", true); return true;
    case KS_FACT_WINDOW_BEGUN: w->now = FROM + 1; return true; /* its steps one by one, not all at once by the keeper */
    case KS_FACT_FIRST_USE_NEW: use_new(w, r->new_info.n); return true;
    case KS_FACT_QUIET_OLD: w->now += CS_DAY + 1; return true;
    case KS_FACT_PROCESS_STOP: return wait_for(w, r->old_info.process_stop);
    case KS_FACT_REMOVED: return wait_for(w, r->old_info.process_stop) || back_up(w); /* G8, then G14 */
    case KS_FACT_EXCHANGED: return wait_for(w, FROM + 1);
    default: return false;
    }
}

static bool run(struct walk *w, const struct ks_rollover *r, size_t at)
{
    ks_outcome *out = calloc(1, sizeof *out);
    MADE(out != NULL);
    uint64_t before = ks_generation(w->f.s);
    int rc = EXIT_OF(&w->f, ks_rollover_run(w->f.s, r, at, false, &actor, w->now, out, &w->f.e));
    free(out);
    return rc == 0 && ks_generation(w->f.s) != before;
}

/** A check that holds does not say what is missing. */
static void check_words(const struct ks_rollover *r)
{
    for (size_t f = 0; f < KS_FACTS; f++) {
        bool says = strstr(r->facts.text[f], "are not over") != NULL || strstr(r->facts.text[f], " yet") != NULL;
        CU_ASSERT_FALSE(says && (r->facts.hold & KS_BIT(f)) != 0);
    }
}

/** What the step whose turn it is asks for. @return false: nothing is left to be done */
static bool move(struct walk *w)
{
    struct ks_rollover *r = look(w);
    size_t at = 0;
    check_words(r);
    while (at < r->runbook->n && r->judged[at].state != KS_STEP_READY) {
        at++;
    }
    bool moved = strcmp(r->row.state, "open") == 0 && at < r->runbook->n;
    if (moved && !run(w, r, at)) {
        const struct ks_runbook_step *s = &r->runbook->step[at];
        bool good = false;
        for (size_t way = 0; way < s->n_way && !good; way++) {
            for (size_t f = 0; f < KS_FACTS && !good; f++) {
                bool lacks = (s->way[way] & KS_BIT(f) & ~r->facts.hold) != 0;
                good = lacks && satisfy(w, r, (enum ks_fact_of)f);
            }
        }
        if (!good) {
            good = EXIT_OF(&w->f, ks_rollover_confirm(w->f.s, 1, s->n, KS_ANYBODY, "told", false, &actor, w->now,
                                                      &w->f.e)) == 0;
        }
        if (!good) {
            printf("# %s: step %s does not close: %s; %s\n", w->book->name, s->n, r->judged[at].missing, w->f.e.text);
        }
        moved = good;
    }
    ks_rollover_free(r);
    return moved;
}

/* ---- taken back ------------------------------------------------------------------------------------------------- */

static size_t count_mappings(struct walk *w, bool old)
{
    ks_mapping_list l;
    size_t n = 0;
    MADE(ks_mapping_read(w->f.s, false, &l, &w->f.e) == 0);
    for (size_t i = 0; i < l.n; i++) {
        bool first = l.info[i].certificate ? l.info[i].n == 1 : strcmp(l.info[i].subject, SENDER) == 0;
        n += l.info[i].to == 0 && first == old;
    }
    ks_mapping_list_free(&l);
    return n;
}

static int count_scheduled(void *ctx, const ks_scheduled *s, cs_error *e)
{
    (void)s;
    (void)e;
    ++*(size_t *)ctx;
    return 0;
}

static bool held(struct walk *w)
{
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(w->f.s, w->now, &s, &w->f.e) == 0);
    bool yes = ks_held(s, "orders") != NULL;
    ks_snapshot_release(s);
    return yes;
}

/** Whatever step it was: nothing waits any more, nothing is on hold, the audit is sound, the next one may begin. */
static void check_sound(struct walk *w)
{
    uint64_t rows = 0;
    char text[256];
    size_t scheduled = 0;
    const struct ks_roll_request q = {.runbook = w->book,
                                      .alias = ALIAS,
                                      .window_from = w->book->window ? w->now + CS_DAY : 0,
                                      .window_to = w->book->window ? w->now + 2 * CS_DAY : 0};
    CU_ASSERT_EQUAL(EXIT_OF(&w->f, ks_audit_verify(w->f.s, &rows, text, sizeof text, &w->f.e)), 0);
    CU_ASSERT_EQUAL(ks_schedules(w->f.s, ALIAS, count_scheduled, &scheduled, &w->f.e), 0);
    CU_ASSERT_EQUAL(scheduled, 0);
    CU_ASSERT_FALSE(held(w));
    int rc = EXIT_OF(&w->f, ks_rollover_start(w->f.s, &q, false, &actor, w->now, NULL, &w->f.e));
    CU_ASSERT_EQUAL(rc, 0);
}

/** The two certificates, and who they stand for, behind an abort. */
static bool is_back(struct walk *w, const struct ks_rollover *before, const struct ks_rollover *after)
{
    const ks_info *n = &after->new_info;
    const ks_info *b = &before->new_info;
    bool many = w->book->role == KS_VERIFIER || w->book->role == KS_AUTHZ_CLIENT || w->book->role == KS_TRUST_ANCHOR;
    bool good = after->old_info.state == KS_ACTIVE;
    if (w->used && many) { /* the other side uses it: it is let in as before */
        good = good && n->state == b->state && (!takes_names(w->book) || count_mappings(w, false) == 2);
    } else if (takes_names(w->book)) { /* who stands for nobody is not let in */
        good = good && count_mappings(w, false) == 0;
    } else {
        good = good && (!after->has_new || n->state != KS_ACTIVE);
    }
    return good && (!takes_names(w->book) || count_mappings(w, true) == 2);
}

/** Behind a step of no return the new one stays in use; what came behind that step may let the old one in again. */
static bool stands(const struct ks_rollover *before, const struct ks_rollover *after)
{
    return before->new_info.state == after->new_info.state &&
           (before->old_info.state == after->old_info.state || after->old_info.state == KS_ACTIVE);
}

static void check_abort(struct walk *w, size_t moves)
{
    struct ks_rollover *before = look(w);
    struct ks_rollover *after = NULL;
    char kept[KS_STEP_NAME];
    ks_outcome *out = calloc(1, sizeof *out);
    MADE(out != NULL);
    uint64_t generation = ks_generation(w->f.s);
    size_t mapped = count_mappings(w, false);
    CU_ASSERT_EQUAL(EXIT_OF(&w->f, ks_rollover_abort(w->f.s, 1, true, &actor, w->now, kept, out, &w->f.e)), 0);
    CU_ASSERT_EQUAL(ks_generation(w->f.s), generation);
    int rc = EXIT_OF(&w->f, ks_rollover_abort(w->f.s, 1, false, &actor, w->now, kept, out, &w->f.e));
    MADE(ks_rollover_read(w->f.s, 1, w->now, &after, &w->f.e) == 0);
    bool good =
        rc == 0 && strcmp(after->row.state, "aborted") == 0 &&
        (kept[0] == '\0' ? is_back(w, before, after) : stands(before, after) && count_mappings(w, false) == mapped);
    if (!good) {
        printf("# %s after %zu moves, kept \"%s\": exit %d %s; old %s, new %s, mappings %zu %zu\n", w->book->name,
               moves, kept, rc, rc != 0 ? w->f.e.text : "", ks_state_word(after->old_info.state),
               after->has_new ? ks_state_word(after->new_info.state) : "none", count_mappings(w, true),
               count_mappings(w, false));
    }
    CU_ASSERT(good);
    if (after->old_info.state == KS_ACTIVE || after->new_info.state == KS_ACTIVE) {
        check_sound(w);
    }
    free(out);
    ks_rollover_free(before);
    ks_rollover_free(after);
}

/** @return how many moves it takes to its end */
static size_t walk_through(struct ks_runbook *book, size_t stop)
{
    struct walk w;
    size_t moves = 0;
    begin(&w, book);
    while (moves < stop && moves < MOVES && move(&w)) {
        moves++;
    }
    struct ks_rollover *r = look(&w);
    bool open = strcmp(r->row.state, "open") == 0;
    ks_rollover_free(r);
    if (open && moves == stop) {
        check_abort(&w, moves);
    } else if (open) {
        printf("# %s stands still after %zu moves\n", book->name, moves);
        CU_FAIL("nobody gets stuck on the way");
    }
    end(&w);
    return moves;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static void test_every_runbook_is_taken_back_after_each_move(void)
{
    struct dirent **found = NULL;
    int n = scandir("conf/runbooks", &found, NULL, alphasort);
    CU_ASSERT_FATAL(n > 2);
    for (int i = 0; i < n; i++) {
        if (strstr(found[i]->d_name, ".conf") != NULL) {
            struct ks_runbook *book = read_book(found[i]->d_name);
            size_t moves = walk_through(book, MOVES);
            CU_ASSERT(moves >= book->n / 2);
            for (size_t stop = 0; stop < moves; stop++) {
                (void)walk_through(book, stop);
            }
            printf("# %s: taken back at %zu places\n", book->name, moves);
            ks_runbook_free(book);
        }
        free(found[i]);
    }
    free(found);
}

const struct harness_test harness_tests[] = {
    {"every_runbook_is_taken_back_after_each_move", test_every_runbook_is_taken_back_after_each_move},
    {NULL, NULL},
};
