/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c: what a running process sees: candidates and their order, states at an instant, following a store,
 * use. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "snapshot";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static const ks_snapshot *read_snapshot(struct fixture *f, cs_time now)
{
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(f->s, now, &s, &f->e) == 0);
    return s;
}

/** The numbers of the candidates of acme in order, as "2 1"; state words' first letters behind: "2a 1d". */
static const char *candidates(const ks_snapshot *s, const ks_hint *hint, cs_time when)
{
    static char text[128];
    ks_candidate c[8];
    size_t n = ks_candidates(s, "acme", hint, KS_CAN_VERIFY, when, c, 8);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%u%.2s", i > 0 ? " " : "", ks_entry_n(c[i].entry),
                 ks_state_word(c[i].state));
    }
    return text;
}

static void test_candidates_active_first_then_deactivated_then_refused(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m[4];
    for (size_t i = 0; i < 4; i++) {
        m[i] = add_verifier(&f, "acme-sign", NOW + (cs_time)i);
    }
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 4, NOW + 10) == 0);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 10) == 0);
    const ks_snapshot *s = read_snapshot(&f, NOW + 20);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 20), "3ac 2ac 1de 4su");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 10 + 90 * CS_DAY - 1), "3ac 2ac 1de 4su");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 10 + 90 * CS_DAY), "3ac 2ac 4su 1ar");
    CU_ASSERT_EQUAL(ks_candidates(s, "beta", NULL, KS_CAN_VERIFY, NOW, &(ks_candidate){0}, 1), 0);
    ks_snapshot_release(s);
    for (size_t i = 0; i < 4; i++) {
        made_free(&m[i]);
    }
    fixture_close(&f);
}

static void test_hint_narrows_and_never_widens(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m[2];
    for (size_t i = 0; i < 2; i++) { /* same subject and issuer: the normal case of a roll-over */
        m[i] = make_certificate(&(struct recipe){.cn = "partner", .ski = true});
        ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &m[i], true);
        MADE(add_at(&f, &a, NOW) == 0);
    }
    const ks_snapshot *s = read_snapshot(&f, NOW);
    ks_hint by_hash = {.has_sha256 = true};
    unsigned n = 0;
    MADE(X509_digest(m[0].x, EVP_sha256(), by_hash.sha256, &n) == 1);
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_hash, NOW), "1ac");
    by_hash.sha256[31] ^= 1;
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_hash, NOW), "");
    ks_hint by_thumbprint = {.has_sha1 = true};
    MADE(X509_digest(m[1].x, EVP_sha1(), by_thumbprint.sha1, &n) == 1);
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_thumbprint, NOW), "2ac");
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(m[1].x);
    ks_hint by_ski = {.ski = ASN1_STRING_get0_data(ski), .ski_len = (size_t)ASN1_STRING_length(ski)};
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_ski, NOW), "2ac");
    char serial[32];
    snprintf(serial, sizeof serial, "%ld", ASN1_INTEGER_get(X509_get0_serialNumber(m[0].x)));
    ks_hint by_serial = {.issuer = "CN=partner", .serial = serial};
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_serial, NOW), "1ac");
    by_serial.issuer = "CN=another";
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_serial, NOW), "");
    by_serial.issuer = "no name at all";
    CU_ASSERT_STRING_EQUAL(candidates(s, &by_serial, NOW), "");
    ks_snapshot_release(s);
    made_free(&m[0]);
    made_free(&m[1]);
    fixture_close(&f);
}

static void test_state_at_an_instant_of_the_past(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW + 100);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-sign", 1, NOW + 200) == 0);
    MADE(act_at(&f, KS_DO_RESUME, "acme-sign", 1, NOW + 300) == 0);
    const ks_snapshot *s = read_snapshot(&f, NOW + 310);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 50), "1pr");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 150), "1ac");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 250), "1su");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 300), "1ac");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 296), "1ac"); /* clocks of two nodes differ by seconds */
    ks_snapshot_release(s);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW + 400) == 0);
    s = read_snapshot(&f, NOW + 410);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 350), "1ac");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 400), "1de");
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 250), "1su");
    ks_snapshot_release(s);
    made_free(&m);
    fixture_close(&f);
}

static void test_own_key_is_opened_for_signing_only(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_SIGN, NULL, "own-sign", &m, true);
    MADE(add_at(&f, &a, NOW) == 0);
    const ks_snapshot *s = read_snapshot(&f, NOW);
    const ks_entry *e = ks_active(s, "own-sign");
    enum ks_role role;
    CU_ASSERT(e != NULL && ks_entry_private_key(e) != NULL);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(ks_entry_private_key(e), m.key), 1);
    CU_ASSERT(ks_has_slot(s, "own-sign", &role) && role == KS_SIGN);
    CU_ASSERT_PTR_NULL(ks_active(s, "other"));
    ks_snapshot_release(s);
    made_free(&m);
    fixture_close(&f);
}

static void test_snapshot_in_hand_does_not_change(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
    const ks_snapshot *before = ks_live_get(l);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW, &f.e), 1);
    const ks_snapshot *after = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(before, NULL, NOW), "");
    CU_ASSERT_STRING_EQUAL(candidates(after, NULL, NOW), "1ac");
    CU_ASSERT_EQUAL(ks_snapshot_generation(after), ks_snapshot_generation(before) + 1);
    CU_ASSERT_TRUE(ks_snapshot_has_partner(after, "acme"));
    CU_ASSERT_FALSE(ks_snapshot_has_partner(before, "acme"));
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW, &f.e), 1);
    const ks_snapshot *last = ks_live_get(l);
    ks_live_close(l); /* what is in hand outlives the follower */
    ks_candidate c1;
    ks_candidate c2;
    CU_ASSERT_EQUAL(ks_candidates(after, "acme", NULL, KS_CAN_VERIFY, NOW, &c1, 1), 1);
    CU_ASSERT_EQUAL(ks_candidates(last, "acme", NULL, KS_CAN_VERIFY, NOW, &c2, 1), 1);
    CU_ASSERT_PTR_EQUAL(ks_entry_public_key(c1.entry), ks_entry_public_key(c2.entry)); /* parsed once */
    ks_snapshot_release(before);
    ks_snapshot_release(after);
    ks_snapshot_release(last);
    made_free(&m);
    fixture_close(&f);
}

static void test_removed_entry_leaves_the_next_snapshot(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct made other = add_verifier(&f, "acme-sign", NOW);
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0);
    MADE(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, NOW + 90 * CS_DAY) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW, &f.e), 1);
    const ks_snapshot *s = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 90 * CS_DAY), "2ac 1ar"); /* in the trash: told as archived */
    ks_snapshot_release(s);
    MADE(act_at(&f, KS_DO_DISCARD, "acme-sign", 1, NOW + 90 * CS_DAY) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 1000, NOW, &f.e), 1);
    s = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 90 * CS_DAY), "2ac");
    ks_snapshot_release(s);
    ks_live_close(l);
    made_free(&m);
    made_free(&other);
    fixture_close(&f);
}

static ks_info only(struct fixture *f, const char *alias, unsigned n)
{
    ks_list list;
    MADE(ks_list_entries(f->s, &(ks_filter){.alias = alias, .n = n}, NOW, &list, &f->e) == 0 && list.n == 1);
    ks_info i = list.info[0];
    ks_list_free(&list);
    return i;
}

static void test_use_is_counted_and_orders_candidates(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct made other = add_verifier(&f, "acme-sign", NOW + 1);
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f.uri, NULL, NOW + 2, &f.e) == 0);
    const ks_snapshot *s = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 2), "2ac 1ac");
    use_at(l, "acme-sign", 1, true, NOW + 50);
    use_at(l, "acme-sign", 1, true, NOW + 40);
    use_at(l, "acme-sign", 1, false, NOW + 60);
    use_at(l, "acme-sign", 2, false, NOW + 61);
    use_at(l, "nobody", 1, true, NOW + 60);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW + 60), "1ac 2ac"); /* at once, before anything is written */
    ks_snapshot_release(s);
    ks_live_close(l);
    ks_info i = only(&f, "acme-sign", 1);
    CU_ASSERT_EQUAL(i.uses, 2);
    CU_ASSERT_EQUAL(i.last_use, NOW + 50);
    i = only(&f, "acme-sign", 2);
    CU_ASSERT_EQUAL(i.uses, 0);
    CU_ASSERT_EQUAL(i.last_use, 0);
    made_free(&m);
    made_free(&other);
    fixture_close(&f);
}

static void test_late_use_keeps_an_entry_beyond_its_window(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-sign", 1, NOW) == 0);
    cs_time stop = NOW + 90 * CS_DAY;
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f.uri, NULL, stop - 10, &f.e) == 0);
    use_at(l, "acme-sign", 1, true, stop - 10);
    const ks_snapshot *s = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, stop), "1de"); /* at once */
    ks_snapshot_release(s);
    ks_live_close(l);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "acme-sign", 1, stop), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].allowed_from, stop - 10 + 14 * CS_DAY);
    CU_ASSERT_EQUAL(acceptable_at(&f, stop, 0), 1); /* and in the answer for auditors */
    CU_ASSERT_EQUAL(acceptable_at(&f, stop - 10 + 14 * CS_DAY, 0), 0);
    made_free(&m);
    fixture_close(&f);
}

static void test_store_that_is_replaced_or_behind_is_not_adopted(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    ks_live *l = NULL;
    MADE(ks_live_open(&l, f.uri, NULL, NOW, &f.e) == 0);
    fixture_close(&f);
    char away[4500];
    snprintf(away, sizeof away, "%s.old", f.path);
    MADE(rename(f.path, away) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW, &f.e), -1);
    bool created = false;
    cs_error_clear(&f.e);
    MADE(ks_init(f.uri, NULL, NOW, &created, &f.e) == 0);
    CU_ASSERT_EQUAL(ks_live_step(l, 0, NOW, &f.e), -1);
    const ks_snapshot *s = ks_live_get(l);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW), "1ac"); /* the old snapshot stays in force */
    ks_snapshot_release(s);
    ks_live_close(l);
    made_free(&m);
}

struct follower {
    ks_live *l;
    atomic_bool stop;
    atomic_ullong generation;
};

static void *follow(void *ctx)
{
    struct follower *x = ctx;
    cs_error e = {0};
    while (!atomic_load(&x->stop)) {
        if (ks_live_step(x->l, 1000, cs_clock_now(), &e) == 1) {
            const ks_snapshot *s = ks_live_get(x->l);
            atomic_store(&x->generation, ks_snapshot_generation(s));
            ks_snapshot_release(s);
        }
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/** Time from the end of a change until a follower serves it. */
static void test_change_is_in_force_within_a_second(void)
{
    enum { CHANGES = 60, PATIENCE_US = 120000000 };
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    struct follower x = {.l = NULL};
    pthread_t thread;
    MADE(ks_live_open(&x.l, f.uri, NULL, cs_clock_now(), &f.e) == 0 && pthread_create(&thread, NULL, follow, &x) == 0);
    const char *n = getenv("KS_CHANGES");
    size_t changes = n != NULL ? strtoul(n, NULL, 10) : CHANGES;
    int64_t *took = calloc(changes, sizeof *took);
    for (size_t i = 0; i < changes; i++) {
        MADE(act_at(&f, i % 2 == 0 ? KS_DO_SUSPEND : KS_DO_RESUME, "acme-sign", 1, NOW + (cs_time)i) == 0);
        int64_t begin = cs_clock_mono_us();
        while (atomic_load(&x.generation) < f.out.generation && cs_clock_mono_us() - begin < PATIENCE_US) {
            nanosleep(&(struct timespec){0, 200000}, NULL);
        }
        CU_ASSERT(atomic_load(&x.generation) >= f.out.generation);
        took[i] = cs_clock_mono_us() - begin;
        nanosleep(&(struct timespec){0, (long)(i * 7919 % 50) * 1000000}, NULL); /* not in step with the poll */
    }
    qsort(took, changes, sizeof *took, by_size);
    printf("  # %zu changes: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", changes, (double)took[changes / 2] / 1000,
           (double)took[changes * 99 / 100] / 1000, (double)took[changes - 1] / 1000);
    CU_ASSERT(took[changes / 2] < 1000000); /* a machine may stand still now and then, not every other time */
    /* and the store hears of it */
    char names[256];
    int64_t begin = cs_clock_mono_us();
    while (ks_lagging(f.s, f.out.generation, cs_clock_now(), names, sizeof names, &f.e) != 0 &&
           cs_clock_mono_us() - begin < PATIENCE_US) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CU_ASSERT_EQUAL(ks_lagging(f.s, f.out.generation, cs_clock_now(), names, sizeof names, &f.e), 0);
    CU_ASSERT_EQUAL(ks_lagging(f.s, f.out.generation + 1, cs_clock_now(), names, sizeof names, &f.e), 1);
    atomic_store(&x.stop, true);
    ks_live_wake(x.l);
    pthread_join(thread, NULL);
    ks_live_close(x.l);
    CU_ASSERT_EQUAL(ks_lagging(f.s, f.out.generation + 1, cs_clock_now(), names, sizeof names, &f.e),
                    0); /* gone, not late */
    free(took);
    made_free(&m);
    fixture_close(&f);
}

static void test_candidates_are_found_among_many_partners(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = add_verifier(&f, "acme-sign", NOW);
    for (int i = 0; i < 300; i++) {
        char partner[32];
        snprintf(partner, sizeof partner, "other-%d", i);
        struct made o = make_certificate(&(struct recipe){0});
        ks_add a = adding(KS_VERIFIER, partner, partner, &o, true);
        MADE(add_at(&f, &a, NOW) == 0);
        made_free(&o);
    }
    const ks_snapshot *s = read_snapshot(&f, NOW);
    CU_ASSERT_STRING_EQUAL(candidates(s, NULL, NOW), "1ac");
    size_t known = 0;
    for (const char *const *p = ks_snapshot_partners(s); *p != NULL; p++) {
        known++;
    }
    CU_ASSERT_EQUAL(known, 301);
    ks_snapshot_release(s);
    made_free(&m);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"candidates_active_first_then_deactivated_then_refused",
     test_candidates_active_first_then_deactivated_then_refused},
    {"hint_narrows_and_never_widens", test_hint_narrows_and_never_widens},
    {"state_at_an_instant_of_the_past", test_state_at_an_instant_of_the_past},
    {"own_key_is_opened_for_signing_only", test_own_key_is_opened_for_signing_only},
    {"snapshot_in_hand_does_not_change", test_snapshot_in_hand_does_not_change},
    {"removed_entry_leaves_the_next_snapshot", test_removed_entry_leaves_the_next_snapshot},
    {"use_is_counted_and_orders_candidates", test_use_is_counted_and_orders_candidates},
    {"late_use_keeps_an_entry_beyond_its_window", test_late_use_keeps_an_entry_beyond_its_window},
    {"store_that_is_replaced_or_behind_is_not_adopted", test_store_that_is_replaced_or_behind_is_not_adopted},
    {"change_is_in_force_within_a_second", test_change_is_in_force_within_a_second},
    {"candidates_are_found_among_many_partners", test_candidates_are_found_among_many_partners},
    {NULL, NULL},
};
