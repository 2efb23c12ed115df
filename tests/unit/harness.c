/* SPDX-License-Identifier: Apache-2.0 */
/* harness.c: runs the tests of one file under CUnit and prints a line for each; arguments select tests by name. */
#include "tests/unit/harness.h"

#include <CUnit/TestRun.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[4096];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

const char *harness_dir(void)
{
    if (dir[0] == '\0') {
        const char *tmp = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/countersign-unit-XXXXXX", tmp != NULL ? tmp : "/tmp");
        if (mkdtemp(dir) == NULL) {
            perror("mkdtemp");
            exit(70);
        }
    }
    return dir;
}

static void print_failures(void)
{
    for (CU_pFailureRecord f = CU_get_failure_list(); f != NULL; f = f->pNext) {
        printf("  # %s:%u: %s\n", f->strFileName != NULL ? f->strFileName : "?", f->uiLineNumber,
               f->strCondition != NULL ? f->strCondition : "?");
    }
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (CU_initialize_registry() != CUE_SUCCESS || harness_setup() != 0) {
        printf("not ok %s: set-up failed\n", harness_suite);
        return 1;
    }
    CU_pSuite suite = CU_add_suite(harness_suite, NULL, NULL);
    for (const struct harness_test *t = harness_tests; t->name != NULL; t++) {
        int wanted = argc < 2;
        for (int i = 1; i < argc; i++) {
            wanted |= strcmp(argv[i], t->name) == 0;
        }
        if (!wanted) {
            continue;
        }
        CU_pTest test = CU_add_test(suite, t->name, t->run);
        CU_ErrorCode rc = CU_run_test(suite, test);
        unsigned bad = CU_get_number_of_failures();
        printf("%s %s: %s\n", rc == CUE_SUCCESS && bad == 0 ? "ok" : "not ok", harness_suite, t->name);
        if (bad != 0) {
            print_failures();
            failed++;
        }
        fflush(stdout);
    }
    failed += harness_teardown() != 0;
    CU_cleanup_registry();
    if (dir[0] != '\0') {
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return failed == 0 ? 0 : 1;
}
