/* SPDX-License-Identifier: Apache-2.0 */
/* runbooks.h: the runbooks that are shipped, for tests. */
#ifndef TESTS_RUNBOOKS_H
#define TESTS_RUNBOOKS_H

#include "keystore/runbook.h"
#include "tests/unit/keystore_fixture.h"

/** The runbook of that file of conf/runbooks. Owned by the caller. */
static inline struct ks_runbook *read_book(const char *name)
{
    char path[512];
    char text[KS_RUNBOOK_TEXT];
    struct cs_conf_report report = {0};
    snprintf(path, sizeof path, "conf/runbooks/%s", name);
    FILE *file = fopen(path, "r");
    MADE(file != NULL);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    struct ks_runbook *r = ks_runbook_read(path, text, n, &report);
    cs_conf_report_free(&report);
    MADE(r != NULL);
    return r;
}

#endif
