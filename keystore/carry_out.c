/* SPDX-License-Identifier: Apache-2.0 */
/*
 * carry_out.c: a proposed verb, agreed to, is carried out from its plan: the same request in the name of who proposed
 * it. The change builds its plan anew, and only if that has the hash agreed to is it made.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/consent.h"

struct found {
    ks_proposal proposal;
    struct ks_plan plan;
    bool there;
};

static int take(void *ctx, const ks_proposal *p, const char *plan, cs_error *e)
{
    struct found *f = ctx;
    f->proposal = *p;
    f->there = true;
    return ks_plan_read(plan, &f->plan) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the plan of proposal %lld cannot be read",
                              (long long)p->id);
}

static cs_time time_of(const struct ks_plan *p, const char *name)
{
    cs_time t = 0;
    const char *text = ks_plan_get(p, KS_PLAN_ASKED, name);
    return text != NULL && cs_time_parse(text, &t) == 0 ? t : 0;
}

static bool yes(const struct ks_plan *p, const char *name)
{
    return ks_plan_get(p, KS_PLAN_ASKED, name) != NULL;
}

/** @return whether the plan is that of a verb on an entry; alias has room for its name */
static bool request_of(const struct ks_plan *p, ks_request *r, char alias[KS_WORD])
{
    const char *mark = strchr(p->object, '#');
    *r = (ks_request){.verb = KS_VERBS};
    for (int v = 0; v < KS_VERBS; v++) {
        r->verb = strcmp(ks_verb_word((enum ks_verb)v), p->verb) == 0 ? (enum ks_verb)v : r->verb;
    }
    if (r->verb == KS_VERBS || mark == NULL || (size_t)(mark - p->object) >= KS_WORD) {
        return false;
    }
    memcpy(alias, p->object, (size_t)(mark - p->object));
    alias[mark - p->object] = '\0';
    r->alias = alias;
    r->n = (unsigned)strtoul(mark + 1, NULL, 10);
    r->force = yes(p, "force");
    r->no_backup_ok = yes(p, "no-backup-ok");
    r->shorter_ok = yes(p, "shorter-ok");
    r->without_node = ks_plan_get(p, KS_PLAN_ASKED, "without-node");
    const char *share = ks_plan_get(p, KS_PLAN_ASKED, "share");
    r->has_share = share != NULL;
    r->share = share != NULL ? (unsigned)strtoul(share, NULL, 10) : 0;
    r->since = time_of(p, "since");
    r->until = time_of(p, "until");
    r->at = time_of(p, "at");
    return true;
}

int ks_carry_out(ks_store *s, int64_t id, cs_time now, bool *carried, ks_outcome *out, cs_error *e)
{
    char alias[KS_WORD];
    ks_request r;
    struct found *f = calloc(1, sizeof *f);
    int rc = -1;
    *carried = false;
    if (f == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (ks_proposals(s, id, now, take, f, e) != 0) {
        goto out;
    }
    if (!f->there || !request_of(&f->plan, &r, alias)) {
        rc = 0; /* its proposer repeats it: it needs his files */
        goto out;
    }
    const char *reason = f->proposal.reason[0] != '\0' ? f->proposal.reason : NULL;
    ks_actor who = {f->proposal.proposer, "uid", reason};
    rc = ks_change(s, &r, &who, now, out, e);
    *carried = rc == 0;
out:
    free(f);
    return rc;
}
