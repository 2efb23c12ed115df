/* SPDX-License-Identifier: Apache-2.0 */
/* mapping_change.c: mappings listed, added and retired. A retired row stays as a record of who was whom until when. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/dn.h"
#include "base/json.h"
#include "base/text.h"
#include "keystore/config.h"
#include "keystore/mapping.h"
#include "keystore/record.h"

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
}

static void info_of(const struct ks_mapping_row *row, ks_mapping_info *out)
{
    memset(out, 0, sizeof *out);
    out->map_id = row->map_id;
    out->certificate = row->entry_id != 0;
    memcpy(out->route, row->route, sizeof out->route);
    memcpy(out->user, row->user, sizeof out->user);
    memcpy(out->alias, row->alias, sizeof out->alias);
    memcpy(out->sha256, row->sha256, sizeof out->sha256);
    cs_copy(out->subject, sizeof out->subject, row->subject != NULL ? row->subject : "");
    cs_copy(out->issuer, sizeof out->issuer, row->issuer != NULL ? row->issuer : "");
    out->n = row->n;
    out->from = row->from;
    out->to = row->to == KS_FOREVER ? 0 : row->to;
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

struct collect {
    ks_mapping_list *list;
    bool retired;
};

static int collect_row(void *ctx, const struct ks_mapping_row *row, cs_error *e)
{
    struct collect *c = ctx;
    if (row->to != KS_FOREVER && !c->retired) {
        return 0;
    }
    ks_mapping_info *more = reallocarray(c->list->info, c->list->n + 1, sizeof *more);
    if (more == NULL) {
        return no_memory(e);
    }
    c->list->info = more;
    info_of(row, &more[c->list->n++]);
    return 0;
}

int ks_mapping_read(ks_store *s, bool retired, ks_mapping_list *out, cs_error *e)
{
    struct collect c = {out, retired};
    *out = (ks_mapping_list){NULL, 0};
    int rc = s->driver->mappings(s->b, collect_row, &c, e);
    if (rc != 0) {
        ks_mapping_list_free(out);
    }
    return rc;
}

void ks_mapping_list_free(ks_mapping_list *l)
{
    free(l->info);
    *l = (ks_mapping_list){NULL, 0};
}

static const ks_mapping_info *find(const ks_mapping_list *l, int64_t map_id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->info[i].map_id == map_id) {
            return &l->info[i];
        }
    }
    return NULL;
}

/* ---- change ------------------------------------------------------------------------------------------------------ */

static int audit(struct ks_record *r, const char *verb, const ks_mapping_info *i, bool added, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    char object[40];
    snprintf(object, sizeof object, "mapping %lld", (long long)i->map_id);
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    if (i->certificate) {
        cs_json_str(&j, "alias", i->alias);
        cs_json_int(&j, "n", i->n);
        cs_json_str(&j, "user", i->user);
    } else {
        cs_json_str(&j, "route", i->route);
        cs_json_str(&j, "subject", i->subject);
        cs_json_str(&j, "issuer", i->issuer);
    }
    cs_json_object_end(&j);
    int rc =
        b.failed ? no_memory(e) : ks_record_audit(r, verb, object, added ? NULL : b.data, added ? b.data : NULL, e);
    cs_buf_free(&b);
    return rc;
}

/** Snapshots read mappings anew when this number moved. */
static int mark_changed(struct ks_record *r, cs_error *e)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)r->generation);
    return r->s->driver->meta_set(r->s->b, KS_META_MAPPINGS, text, e);
}

/* What ends each change of a mapping: its audit, the mark, the commit. */
static int end(struct ks_record *r, const char *verb, bool added, ks_mapping_outcome *out, cs_error *e)
{
    if (audit(r, verb, &out->info, added, e) != 0 || (!r->dry_run && mark_changed(r, e) != 0) ||
        ks_record_commit(r, "mapping", e) != 0) {
        return -1;
    }
    out->done = !r->dry_run;
    return 0;
}

struct found_entry {
    int64_t entry_id;
    enum ks_state state;
    uint8_t sha256[32];
};

static int take_entry(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct found_entry *found = ctx;
    (void)e;
    found->entry_id = row->entry_id;
    found->state = row->info.state;
    memcpy(found->sha256, row->info.sha256, sizeof found->sha256);
    return 0;
}

static bool user_ok(const char *user)
{
    size_t n = strlen(user);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)user[i] < 0x20 || user[i] == 0x7f) {
            return false;
        }
    }
    return n > 0 && n < KS_WORD && user[0] != ' ' && user[n - 1] != ' ';
}

/** Which entry, and which user it stands for. */
static int fill_certificate(ks_store *s, const ks_mapping_new *what, const ks_mapping_list *all,
                            struct ks_mapping_row *row, cs_error *e)
{
    struct ks_slot slot;
    struct found_entry entry = {0};
    struct ks_row_filter f = {.alias = what->alias, .n = what->n};
    const ks_mapping_info *from = what->copy_from != 0 ? find(all, what->copy_from) : NULL;
    const char *user = what->user;
    if (what->copy_from != 0 && (from == NULL || !from->certificate)) {
        return cs_error_set(e, CS_EXIT_USAGE, "mapping-unknown",
                            "mapping %lld %s; see: countersign keystore mapping list", (long long)what->copy_from,
                            from == NULL ? "is not there" : "has no user to copy");
    }
    user = from != NULL ? from->user : user;
    if (user == NULL || !user_ok(user)) {
        return cs_error_set(e, CS_EXIT_USAGE, "user-name",
                            "a user has 1 to %d characters, none of them a control character", KS_WORD - 1);
    }
    int known = s->driver->slot_get(s->b, what->alias, &slot, e);
    if (known < 0 || (known == 1 && s->driver->rows(s->b, &f, take_entry, &entry, e) != 0)) {
        return -1;
    }
    if (entry.entry_id == 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "entry-unknown", "no entry %s#%u", what->alias, what->n);
    }
    if (slot.role != KS_AUTHZ_CLIENT) {
        return cs_error_set(e, CS_EXIT_USAGE, "role-differs", "%s has role %s; a user is mapped to entries of role %s",
                            what->alias, ks_role_word(slot.role), ks_role_word(KS_AUTHZ_CLIENT));
    }
    if (entry.state == KS_COMPROMISED || entry.state == KS_ARCHIVED) {
        return cs_error_set(e, CS_EXIT_USAGE, "entry-state", "%s#%u is %s and stands for nobody", what->alias, what->n,
                            ks_state_word(entry.state));
    }
    row->entry_id = entry.entry_id;
    row->n = what->n;
    memcpy(row->sha256, entry.sha256, sizeof row->sha256);
    cs_copy(row->alias, sizeof row->alias, what->alias);
    cs_copy(row->user, sizeof row->user, user);
    return 0;
}

static int fill_names(const ks_mapping_new *what, struct ks_mapping_row *row, cs_error *e)
{
    const struct {
        const char *text, *word;
    } both[] = {{what->subject, "subject"}, {what->issuer, "issuer"}};
    if (what->route == NULL || !ks_name_ok(what->route)) {
        return cs_error_set(e, CS_EXIT_USAGE, "route-name", "\"%.80s\" is no name of a route",
                            what->route != NULL ? what->route : "");
    }
    for (size_t i = 0; i < 2; i++) {
        cs_dn *rule = both[i].text != NULL && strlen(both[i].text) < sizeof((ks_mapping_info *)0)->subject
                          ? cs_dn_rule_parse(both[i].text)
                          : NULL;
        if (rule == NULL) {
            return cs_error_set(e, CS_EXIT_USAGE, "not-a-name",
                                "the %s \"%.120s\" is no distinguished name as CN=sender,O=ACME: a star stands for "
                                "characters of one value",
                                both[i].word, both[i].text != NULL ? both[i].text : "");
        }
        cs_dn_free(rule);
    }
    cs_copy(row->route, sizeof row->route, what->route);
    row->subject = what->subject;
    row->issuer = what->issuer;
    return 0;
}

static int refuse_twin(const ks_mapping_list *all, const struct ks_mapping_row *row, cs_error *e)
{
    for (size_t i = 0; i < all->n; i++) {
        const ks_mapping_info *m = &all->info[i];
        bool same = row->entry_id != 0
                        ? m->certificate && m->n == row->n && strcmp(m->alias, row->alias) == 0 &&
                              strcmp(m->user, row->user) == 0
                        : !m->certificate && strcmp(m->route, row->route) == 0 &&
                              strcmp(m->subject, row->subject) == 0 && strcmp(m->issuer, row->issuer) == 0;
        if (same && m->to == 0) {
            return cs_error_set(e, CS_EXIT_CONFLICT, "held-already", "mapping %lld says so already",
                                (long long)m->map_id);
        }
    }
    return 0;
}

int ks_mapping_add(ks_store *s, const ks_mapping_new *what, bool dry_run, const ks_actor *who, cs_time now,
                   ks_mapping_outcome *out, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_mapping_row row = {.from = now, .to = KS_FOREVER};
    ks_mapping_list all = {NULL, 0};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_record_begin(&r, s, who, dry_run, now, e) != 0 || ks_mapping_read(s, true, &all, e) != 0) {
        goto out;
    }
    if ((what->alias != NULL ? fill_certificate(s, what, &all, &row, e) : fill_names(what, &row, e)) != 0 ||
        refuse_twin(&all, &row, e) != 0 || (!dry_run && s->driver->mapping_add(s->b, &row, e) != 0)) {
        goto out;
    }
    info_of(&row, &out->info);
    out->generation = r.generation;
    rc = end(&r, "mapping-add", true, out, e);
out:
    ks_record_end(&r);
    ks_mapping_list_free(&all);
    return rc;
}

int ks_mapping_retire(ks_store *s, int64_t map_id, bool dry_run, const ks_actor *who, cs_time now,
                      ks_mapping_outcome *out, cs_error *e)
{
    struct ks_record r = {0};
    ks_mapping_list all = {NULL, 0};
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (ks_record_begin(&r, s, who, dry_run, now, e) != 0 || ks_mapping_read(s, true, &all, e) != 0) {
        goto out;
    }
    const ks_mapping_info *found = find(&all, map_id);
    if (found == NULL) {
        cs_error_set(e, CS_EXIT_USAGE, "mapping-unknown", "no mapping %lld; see: countersign keystore mapping list",
                     (long long)map_id);
        goto out;
    }
    out->info = *found;
    if (found->to != 0) {
        char when[CS_TIME_TEXT];
        cs_error_set(e, CS_EXIT_CONFLICT, "retired-already", "mapping %lld was retired %s", (long long)map_id,
                     cs_time_format(found->to, when));
        goto out;
    }
    for (size_t i = 0; found->certificate && i < all.n; i++) {
        out->left += all.info[i].certificate && all.info[i].to == 0 && all.info[i].map_id != map_id &&
                     strcmp(all.info[i].user, found->user) == 0;
    }
    out->info.to = now;
    out->generation = r.generation;
    if (dry_run || s->driver->mapping_end(s->b, map_id, now, e) == 0) {
        rc = end(&r, "mapping-retire", false, out, e);
    }
out:
    ks_record_end(&r);
    ks_mapping_list_free(&all);
    return rc;
}
