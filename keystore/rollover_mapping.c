/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_mapping.c: which users and names of routes the two certificates of a roll-over stand for. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/rollover.h"

static int take_mapping(void *ctx, const struct ks_mapping_row *row, cs_error *e)
{
    struct ks_roll_mappings *all = ctx;
    struct ks_roll_mapping *grown = reallocarray(all->row, all->n + 1, sizeof *grown);
    if (grown == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    all->row = grown;
    memset(&grown[all->n], 0, sizeof *grown);
    ks_mapping_info *i = &grown[all->n++].info;
    i->map_id = row->map_id;
    i->certificate = row->entry_id != 0;
    i->n = row->n;
    i->from = row->from;
    i->to = row->to == KS_FOREVER ? 0 : row->to;
    cs_copy(i->alias, sizeof i->alias, row->alias);
    cs_copy(i->user, sizeof i->user, row->user);
    cs_copy(i->route, sizeof i->route, row->route);
    cs_copy(i->subject, sizeof i->subject, row->subject != NULL ? row->subject : "");
    cs_copy(i->issuer, sizeof i->issuer, row->issuer != NULL ? row->issuer : "");
    return 0;
}

static bool rule_fits(const char *rule, const char *name)
{
    cs_dn *r = cs_dn_rule_parse(rule);
    cs_dn *n = cs_dn_parse(name);
    bool fits = r != NULL && n != NULL && cs_dn_fits(r, n);
    cs_dn_free(r);
    cs_dn_free(n);
    return fits;
}

static bool lets_in(const ks_mapping_info *m, const ks_info *i)
{
    return !m->certificate && rule_fits(m->subject, i->subject) && rule_fits(m->issuer, i->issuer);
}

static bool stands_for(const ks_mapping_info *m, const ks_info *i)
{
    return m->certificate && m->n == i->n && strcmp(m->alias, i->alias) == 0;
}

static bool answered(const struct ks_roll_mappings *all, const struct ks_roll_mapping *old)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct ks_roll_mapping *m = &all->row[i];
        bool user = old->user_old && m->user_new && strcmp(m->info.user, old->info.user) == 0;
        bool names = old->names_old && m->names_new && strcmp(m->info.route, old->info.route) == 0;
        if (m->info.to == 0 && (user || names)) {
            return true;
        }
    }
    return false;
}

int ks_rollover_mappings(ks_store *s, const struct ks_rollover *r, struct ks_roll_mappings *out, cs_error *e)
{
    *out = (struct ks_roll_mappings){NULL, 0};
    if (s->driver->mappings(s->b, take_mapping, out, e) != 0) {
        free(out->row);
        out->row = NULL;
        return -1;
    }
    for (size_t i = 0; i < out->n; i++) {
        struct ks_roll_mapping *m = &out->row[i];
        m->user_old = r->has_old && stands_for(&m->info, &r->old_info);
        m->user_new = r->has_new && stands_for(&m->info, &r->new_info);
        m->names_old = r->has_old && lets_in(&m->info, &r->old_info);
        m->names_new = r->has_new && lets_in(&m->info, &r->new_info);
    }
    for (size_t i = 0; i < out->n; i++) {
        out->row[i].answered = answered(out, &out->row[i]);
    }
    return 0;
}
