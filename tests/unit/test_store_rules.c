/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_rules.c: what a driver refuses whatever asks for it: rows that no rule of the keystore would write. */
#include "keystore/store.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "store_rules";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static int keep(void *ctx, const struct ks_row *row, cs_error *e)
{
    (void)e;
    *(struct ks_row *)ctx = *row;
    return 0;
}

/** Entry n as stored, changed by the caller; within a transaction that writes. */
static struct ks_row begin_with(struct fixture *f, unsigned n)
{
    struct ks_row row = {0};
    struct ks_row_filter filter = {.alias = "own", .n = n};
    MADE(f->s->driver->begin(f->s->b, KS_WRITE, &f->e) == 0);
    MADE(f->s->driver->rows(f->s->b, &filter, keep, &row, &f->e) == 0 && row.entry_id != 0);
    return row;
}

/** Two entries of a slot where one is active: 2; 1 is deactivated. */
static void open_two(struct fixture *f)
{
    fixture_open(f);
    for (int i = 0; i < 2; i++) {
        struct made m = make_certificate(&(struct recipe){0});
        ks_add a = adding(KS_SIGN, NULL, "own", &m, true);
        MADE(add_at(f, &a, NOW + i) == 0);
        made_free(&m);
    }
}

static void test_two_active_of_one_slot_are_refused(void)
{
    struct fixture f;
    open_two(&f);
    struct ks_row row = begin_with(&f, 1);
    row.info.state = KS_ACTIVE;
    CU_ASSERT_EQUAL(EXIT_OF(&f, f.s->driver->row_update(f.s->b, &row, &f.e)), CS_EXIT_CONFLICT);
    f.s->driver->rollback(f.s->b);
    fixture_close(&f);
}

static void test_retirement_before_process_stop_is_refused(void)
{
    struct fixture f;
    open_two(&f);
    struct ks_row row = begin_with(&f, 1);
    row.info.state = KS_ARCHIVED;
    row.changed_at = row.info.process_stop - 1;
    CU_ASSERT_EQUAL(EXIT_OF(&f, f.s->driver->row_update(f.s->b, &row, &f.e)), CS_EXIT_GUARD);
    row.info.state = KS_DEACTIVATED;
    row.info.process_stop--;
    CU_ASSERT_EQUAL(EXIT_OF(&f, f.s->driver->row_update(f.s->b, &row, &f.e)), CS_EXIT_GUARD);
    row.info.process_stop++;
    row.info.state = KS_ARCHIVED;
    row.changed_at = row.info.process_stop;
    CU_ASSERT_EQUAL(EXIT_OF(&f, f.s->driver->row_update(f.s->b, &row, &f.e)), 0);
    f.s->driver->rollback(f.s->b);
    fixture_close(&f);
}

static void test_change_that_nobody_audited_is_not_committed(void)
{
    struct fixture f;
    char value[8];
    open_two(&f);
    MADE(f.s->driver->begin(f.s->b, KS_WRITE, &f.e) == 0);
    MADE(f.s->driver->meta_set(f.s->b, "quiet", "1", &f.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, f.s->driver->commit(f.s->b, &f.e)), CS_EXIT_INTERNAL);
    f.s->driver->rollback(f.s->b);
    CU_ASSERT_EQUAL(f.s->driver->meta_get(f.s->b, "quiet", value, sizeof value, &f.e), 0);
    fixture_close(&f);
}

static void test_reader_keeps_what_it_began_with_and_one_writes(void)
{
    struct fixture f;
    ks_store *other = NULL;
    uint64_t gen = 0;
    const ks_options quick = {.busy_ms = 1};
    open_two(&f);
    MADE(ks_open(&other, f.uri, &quick, &f.e) == 0);
    uint64_t before = ks_generation(f.s);
    MADE(other->driver->begin(other->b, KS_READ, &f.e) == 0);
    MADE(other->driver->generation(other->b, &gen, &f.e) == 0 && gen == before);
    MADE(act_at(&f, KS_DO_SUSPEND, "own", 1, NOW + 5) == 0);
    CU_ASSERT(other->driver->generation(other->b, &gen, &f.e) == 0 && gen == before);
    other->driver->rollback(other->b);
    CU_ASSERT(other->driver->generation(other->b, &gen, &f.e) == 0 && gen == before + 1);
    CU_ASSERT_EQUAL(other->driver->changed(other->b, &f.e), 1);
    CU_ASSERT_EQUAL(other->driver->changed(other->b, &f.e), 0);
    MADE(f.s->driver->begin(f.s->b, KS_WRITE, &f.e) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, other->driver->begin(other->b, KS_WRITE, &f.e)), CS_EXIT_UNAVAILABLE);
    f.s->driver->rollback(f.s->b);
    CU_ASSERT_EQUAL(EXIT_OF(&f, other->driver->begin(other->b, KS_WRITE, &f.e)), 0);
    ks_close(other);
    fixture_close(&f);
}

IN_MEMORY(two_active_of_one_slot_are_refused)
IN_MEMORY(retirement_before_process_stop_is_refused)
IN_MEMORY(change_that_nobody_audited_is_not_committed)
IN_MEMORY(reader_keeps_what_it_began_with_and_one_writes)

const struct harness_test harness_tests[] = {
    {"two_active_of_one_slot_are_refused", test_two_active_of_one_slot_are_refused},
    {"retirement_before_process_stop_is_refused", test_retirement_before_process_stop_is_refused},
    {"change_that_nobody_audited_is_not_committed", test_change_that_nobody_audited_is_not_committed},
    {"reader_keeps_what_it_began_with_and_one_writes", test_reader_keeps_what_it_began_with_and_one_writes},
    {"two_active_of_one_slot_are_refused_in_memory", test_two_active_of_one_slot_are_refused_in_memory},
    {"retirement_before_process_stop_is_refused_in_memory", test_retirement_before_process_stop_is_refused_in_memory},
    {"change_that_nobody_audited_is_not_committed_in_memory",
     test_change_that_nobody_audited_is_not_committed_in_memory},
    {"reader_keeps_what_it_began_with_and_one_writes_in_memory",
     test_reader_keeps_what_it_began_with_and_one_writes_in_memory},
    {NULL, NULL},
};
