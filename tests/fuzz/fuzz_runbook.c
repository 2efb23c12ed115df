/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_runbook.c: any octets as a runbook; one that is taken ends when every check holds, and is judged without a step
 * before its turn. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keystore/runbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct ks_runbook *r)
{
    static struct ks_facts facts;
    static struct ks_step_known known[KS_STEPS_MAX];
    static struct ks_step_judged out[KS_STEPS_MAX];
    facts.hold = 0;
    memset(known, 0, sizeof known);
    for (size_t i = 0; i < r->n; i++) {
        ks_runbook_judge(r, &facts, known, out);
        if (out[i].state == KS_STEP_DONE && out[i].by == 0 && out[i].with == KS_STEPS_MAX) {
            __builtin_trap(); /* closed by nothing */
        }
        known[i].confirmed = ~0U;
        known[i].delivered = true;
    }
    facts.hold = KS_BIT(KS_FACTS) - 1;
    if (!ks_runbook_judge(r, &facts, known, out)) {
        __builtin_trap(); /* a runbook that nothing can end */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_conf_report report = {0};
    struct ks_runbook *r = ks_runbook_read("fuzz", (const char *)data, size, &report);
    if (r == NULL && report.n == 0) {
        __builtin_trap(); /* refused, and nobody said why */
    }
    if (r != NULL) {
        judge(r);
    }
    ks_runbook_free(r);
    cs_conf_report_free(&report);
    return 0;
}
