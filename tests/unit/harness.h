/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness.h: one CUnit program per file: a table of tests, results as "ok NAME" / "not ok NAME" lines for tests/run.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <CUnit/CUnit.h>

struct harness_test {
    const char *name;
    void (*run)(void);
};

/** Each file defines these. */
extern const char *const harness_suite;
extern const struct harness_test harness_tests[]; /* ends with {NULL, NULL} */
/** Called once before and after all tests; may be empty. @return 0 */
int harness_setup(void);
int harness_teardown(void);
/** A new directory below TMPDIR for this program, removed at its end. */
const char *harness_dir(void);

#endif
