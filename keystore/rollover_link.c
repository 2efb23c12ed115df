/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover_link.c: links by which somebody outside says that a step is done. The token is made for one mail and never
 * kept: only its hash is stored, and it works once.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/addressee.h"
#include "keystore/rollover.h"

/* ---- made ------------------------------------------------------------------------------------------------------ */

struct role_of {
    const char *address;
    const struct ks_runbook_step *step;
    enum ks_part part;
    bool found;
};

static int take_addressee(void *ctx, const ks_addressee *a, cs_error *e)
{
    struct role_of *o = ctx;
    enum ks_part part;
    (void)e;
    if (!o->found && strcmp(a->mail, o->address) == 0 && ks_part_parse(a->role, &part) == 0 &&
        (o->step->who & (1U << part)) != 0) {
        o->part = part;
        o->found = true;
    }
    return 0;
}

/** The role in which the one at that address closes the step. */
static int find_role(ks_store *s, const struct ks_rollover *r, size_t place, const char *sender, const char *address,
                     enum ks_part *part, cs_error *e)
{
    const char *partner = sender[0] != '\0' ? sender : r->partner;
    struct role_of o = {.address = address, .step = &r->runbook->step[place]};
    if (ks_addressees_each(s, NULL, partner[0] != '\0' ? partner : NULL, take_addressee, &o, e) != 0) {
        return -1;
    }
    *part = o.part;
    return o.found ? 0
                   : cs_error_set(e, CS_EXIT_USAGE, "link-role", "%.254s has no role that closes step %s of %s",
                                  address, o.step->n, r->name);
}

int ks_link_make(ks_store *s, const char *reference, const char *address, cs_time now, char token[KS_LINK_TOKEN],
                 cs_error *e)
{
    struct ks_rollover *r = NULL;
    struct ks_link_row row = {.expires = now + KS_LINK_LASTS};
    const char *slash = strchr(reference, '/');
    const char *sender = "";
    enum ks_part part = KS_TENANT_ADMIN;
    int rc = -1;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0 ||
        ks_rollover_load(s, ks_rollover_number(reference), now, &r, e) != 0) {
        goto out;
    }
    size_t place = slash != NULL ? ks_rollover_place(r, slash + 1, &sender) : r->runbook->n;
    if (place == r->runbook->n) {
        cs_error_set(e, CS_EXIT_USAGE, "link-step", "%.64s is no step of a roll-over", reference);
        goto out;
    }
    if (find_role(s, r, place, sender, address, &part, e) != 0) {
        goto out;
    }
    row.roll_id = r->row.roll_id;
    cs_copy(row.n, sizeof row.n, slash + 1);
    cs_copy(row.role, sizeof row.role, ks_part_word(part));
    if (ks_link_token(token, row.token_hash, e) == 0 && s->driver->rollovers->link_add(s->b, &row, e) == 0) {
        rc = s->driver->commit(s->b, e);
    }
out:
    if (rc != 0) {
        OPENSSL_cleanse(token, KS_LINK_TOKEN);
    }
    s->driver->rollback(s->b);
    ks_rollover_free(r);
    return rc;
}

/* ---- used ------------------------------------------------------------------------------------------------------ */

static int find(ks_store *s, const char *token, cs_time now, struct ks_link_row *row, cs_error *e)
{
    uint8_t hash[32];
    char at[CS_TIME_TEXT];
    if (ks_link_hash(token, hash, e) != 0) {
        return -1;
    }
    int rc = s->driver->rollovers->link_get(s->b, hash, row, e);
    if (rc == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "link-unknown", "this link is not known");
    }
    if (rc == 1 && row->used_at != 0) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "link-used", "this link was used %s: it works once",
                            cs_time_format(row->used_at, at));
    }
    if (rc == 1 && now >= row->expires) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "link-expired",
                            "this link ended %s; ask for a new one, or say by another way that the step is done",
                            cs_time_format(row->expires, at));
    }
    return rc == 1 ? 0 : -1;
}

int ks_link_look(ks_store *s, const char *token, cs_time now, struct ks_rollover **out, size_t *place, cs_error *e)
{
    struct ks_link_row row;
    const char *sender = "";
    *out = NULL;
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = find(s, token, now, &row, e) == 0 ? ks_rollover_load(s, row.roll_id, now, out, e) : -1;
        *place = rc == 0 ? ks_rollover_place(*out, row.n, &sender) : 0;
        s->driver->rollback(s->b);
    }
    return rc;
}

int ks_link_use(ks_store *s, const char *token, cs_time now, cs_error *e)
{
    struct ks_link_row row;
    enum ks_part part;
    int rc = s->driver->begin(s->b, KS_READ, e) == 0 ? find(s, token, now, &row, e) : -1;
    s->driver->rollback(s->b);
    if (rc != 0 || ks_part_parse(row.role, &part) != 0) {
        return -1;
    }
    /* the step's own rules stand before the token: a second use finds the step closed, whoever comes first */
    const ks_actor who = {row.role, "link", NULL};
    if (ks_rollover_confirm(s, row.roll_id, row.n, 1U << part, NULL, false, &who, now, e) != 0) {
        return -1;
    }
    rc = s->driver->begin(s->b, KS_UPKEEP, e) == 0 && s->driver->rollovers->link_use(s->b, row.token_hash, now, e) == 0
             ? s->driver->commit(s->b, e)
             : -1;
    s->driver->rollback(s->b);
    return rc;
}
