/* SPDX-License-Identifier: Apache-2.0 */
/* notice_change.c: facts that a change of a slot makes, raised in its own transaction. */
#include <stdio.h>
#include <string.h>

#include "keystore/notice_store.h"

bool ks_notice_role(enum ks_role role)
{
    return role == KS_SIGN || role == KS_DECRYPT || role == KS_TLS_CLIENT || role == KS_TLS_SERVER;
}

/** The entry whose place it takes in this change; NULL: nobody's. */
static const struct ks_step *exchanged(const struct ks_work *w, unsigned n)
{
    for (size_t i = 0; i < w->plan.n; i++) {
        if (w->plan.step[i].t == KS_T3_DEACTIVATE && w->plan.step[i].n != n) {
            return &w->plan.step[i];
        }
    }
    return NULL;
}

int ks_notice_active(struct ks_work *w, int64_t entry_id, unsigned n, cs_error *e)
{
    bool keeper = strcmp(w->who->kind, "keeper") == 0;
    const struct ks_step *other = exchanged(w, n);
    char text[KS_NOTICE_TEXT] = "";
    if (!ks_notice_role(w->slot.role) || w->before.n == 0) { /* the first of a slot comes as no surprise */
        return 0;
    }
    if (other != NULL) {
        snprintf(text, sizeof text, "It took the place of %s#%u, which is deactivated.", w->slot.alias, other->n);
    }
    return ks_notice_add(w->s, keeper ? KS_NOTICE_RENEWED : KS_NOTICE_ACTIVATED, entry_id, keeper ? 0 : w->now, text,
                         w->now, e) < 0
               ? -1
               : 0;
}
