/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: a keystore opened by its URI; what is asked of it without changing anything. */
#include "keystore/store.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/content.h"
#include "keystore/facts.h"
#include "keystore/kek.h"
#include "keystore/time.h"

#define BUSY_MS          10000
#define DELIVERY_DEFAULT (14 * CS_DAY)

static const struct ks_driver *driver_of(const char *uri, const char **where, cs_error *e)
{
    const struct ks_driver *const drivers[] = {&ks_driver_sqlite, ks_driver_memory()};
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        size_t n = strlen(drivers[i]->scheme);
        if (strncmp(uri, drivers[i]->scheme, n) == 0 && uri[n] == ':' && uri[n + 1] != '\0') {
            *where = uri + n + 1;
            return drivers[i];
        }
    }
    cs_error_set(e, CS_EXIT_USAGE, "keystore-uri", "\"%s\" names no keystore; here: sqlite:PATH", uri);
    return NULL;
}

static char *kek_path(const char *where)
{
    size_t n = strlen(where) + sizeof ".kek";
    char *path = malloc(n);
    if (path != NULL) {
        snprintf(path, n, "%s.kek", where);
    }
    return path;
}

static void sources_free(ks_store *s)
{
    for (size_t i = 0; i < s->n_kek; i++) {
        free((char *)(uintptr_t)s->kek[i].where);
    }
    s->n_kek = 0;
}

int ks_store_sources(ks_store *s, const ks_options *opt)
{
    sources_free(s);
    for (size_t i = 0; i < opt->n_kek && i < KS_KEK_SOURCES; i++) {
        const char *where = strdup(opt->kek[i].where);
        if (where == NULL) {
            return -1;
        }
        s->kek[i] = (ks_kek_source){opt->kek[i].kind, where};
        s->n_kek++;
    }
    return 0;
}

static int busy_of(const ks_options *opt)
{
    return opt->busy_ms > 0 ? opt->busy_ms : BUSY_MS;
}

int ks_open(ks_store **out, const char *uri, const ks_options *opt, cs_error *e)
{
    const char *where = NULL;
    *out = NULL;
    const struct ks_driver *driver = driver_of(uri, &where, e);
    if (driver == NULL) {
        return -1;
    }
    ks_store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    s->driver = driver;
    if (opt != NULL) {
        s->options = *opt;
    }
    s->uri = strdup(uri);
    s->kek_file = kek_path(where);
    if (s->uri == NULL || s->kek_file == NULL || ks_store_sources(s, &s->options) != 0) {
        ks_close(s);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (driver->open(&s->b, where, s->options.read_only, busy_of(&s->options), e) != 0) {
        ks_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

int ks_keep_open(ks_store **kept, const char *uri, const ks_options *opt, cs_error *e)
{
    ks_store *s = *kept;
    cs_error replaced = {0};
    *kept = NULL;
    if (s == NULL || s->driver->changed(s->b, &replaced) < 0) {
        ks_close(s);
        return ks_open(kept, uri, opt, e);
    }
    if (ks_store_sources(s, opt) != 0) {
        ks_close(s);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    s->options = *opt;
    s->driver->set_busy(s->b, busy_of(opt));
    *kept = s;
    return 0;
}

void ks_close(ks_store *s)
{
    if (s != NULL) {
        if (s->b != NULL) {
            s->driver->close(s->b);
        }
        ks_checkpoint_end(s);
        free(s->uri);
        free(s->kek_file);
        sources_free(s);
        free(s);
    }
}

/** First content of an empty store: its identity and the first links of audit and generation. */
static int first_rows(ks_store *s, cs_time now, bool *made, cs_error *e)
{
    struct ks_kek kek = {0};
    uint8_t id[16];
    char text[KS_ID];
    if (RAND_bytes(id, sizeof id) != 1) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "random", "no random numbers");
    }
    cs_hex(id, sizeof id, text);
    ks_actor who = {"init", "command", NULL};
    struct ks_audit_row row = {.at = now, .actor = "init", .actor_kind = "command", .verb = "init", .object = text};
    if (s->driver->begin(s->b, KS_WRITE, e) != 0) {
        return -1;
    }
    char known[KS_ID];
    int found = s->driver->meta_get(s->b, "store_id", known, sizeof known, e);
    if (found != 0) { /* already there, or an error */
        s->driver->rollback(s->b);
        return found < 0 ? -1 : 0;
    }
    int rc = s->driver->meta_set(s->b, "store_id", text, e) == 0 && ks_kek_first(s, text, &kek, e) == 0 &&
                     s->driver->meta_set(s->b, "kek_id", kek.id, e) == 0 && ks_checkpoint_begin(s, e) == 0 &&
                     ks_audit_append(s, &row, e) == 0 && ks_generation_next(s, now, "init", &who, row.seq, 1, e) == 0 &&
                     ks_commit(s, e) == 0
                 ? 0
                 : -1;
    ks_kek_wipe(&kek);
    s->driver->rollback(s->b);
    *made = rc == 0;
    return rc;
}

int ks_init(const char *uri, const ks_options *opt, cs_time now, bool *created, cs_error *e)
{
    const char *where = NULL;
    ks_store *s = NULL;
    *created = false;
    const struct ks_driver *driver = driver_of(uri, &where, e);
    if (driver == NULL || driver->init(where, now, created, e) != 0) {
        return -1;
    }
    if (ks_open(&s, uri, opt, e) != 0) {
        return -1;
    }
    char known[KS_ID];
    int rc = 0;
    int found = driver->meta_get(s->b, "store_id", known, sizeof known, e);
    if (found == 0) {
        *created = false;
        rc = first_rows(s, now, created, e);
    } else if (found < 0) {
        rc = -1;
    }
    ks_close(s);
    return rc;
}

int ks_schema_version(const ks_store *s)
{
    return s->driver->version(s->b);
}

int ks_upgrade(ks_store *s, const ks_actor *who, cs_time now, int *from, cs_error *e)
{
    char before[16];
    char after[16];
    uint64_t generation = 0;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = s->driver->upgrade(s->b, from, e);
    if (rc == 0 && *from != KS_SCHEMA_VERSION) {
        snprintf(before, sizeof before, "%d", *from);
        snprintf(after, sizeof after, "%d", KS_SCHEMA_VERSION);
        struct ks_audit_row row = {.at = now,
                                   .actor = who->name,
                                   .actor_kind = who->kind,
                                   .verb = "upgrade",
                                   .object = "schema",
                                   .before = before,
                                   .after = after,
                                   .reason = who->reason};
        rc = ks_content_log_all(s, who, now, e) == 0 && ks_checkpoint_begin(s, e) == 0 &&
                     ks_audit_append(s, &row, e) == 0 && s->driver->generation(s->b, &generation, e) == 0 &&
                     ks_generation_next(s, now, "upgrade", who, row.seq, generation + 1, e) == 0 && ks_commit(s, e) == 0
                 ? 0
                 : -1;
        s->driver->scrub(s->b); /* the new number must stand in the file itself, where an older release looks for it */
    }
    s->driver->rollback(s->b);
    return rc;
}

uint64_t ks_generation(ks_store *s)
{
    uint64_t gen = 0;
    return s->driver->generation(s->b, &gen, NULL) == 0 ? gen : 0;
}

int ks_generation_at(ks_store *s, cs_time at, uint64_t *generation, cs_error *e)
{
    return s->driver->generation_at(s->b, at, generation, e);
}

int ks_generation_next(ks_store *s, cs_time now, const char *kind, const ks_actor *who, uint64_t audit_seq,
                       uint64_t gen, cs_error *e)
{
    uint64_t touched = 0;
    uint64_t head = 0;
    uint64_t last = 0;
    uint8_t hash[32];
    if (audit_seq == 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a generation of no audited change");
    }
    if (ks_clock_raise(s, now, e) != 0) {
        return -1;
    }
    /* its own row is audited too, and names the last of them */
    if (s->driver->audit_head(s->b, &head, hash, e) != 0 || s->driver->touched_count(s->b, &touched, e) != 0 ||
        s->driver->generation_add(s->b, gen, now, kind, who->name, who->reason, head + touched + 1, e) != 0) {
        return -1;
    }
    if (ks_content_log(s, who, now, &last, e) != 0 || s->driver->audit_head(s->b, &s->log_seq, s->log_hash, e) != 0) {
        s->log_seq = 0;
        return -1;
    }
    s->log_generation = gen;
    s->log_at = now;
    return 0;
}

/* ---- terms ----------------------------------------------------------------------------------------------------- */

static int meta_number(ks_store *s, const char *key, int64_t *out, cs_error *e)
{
    char text[32];
    int rc = s->driver->meta_get(s->b, key, text, sizeof text, e);
    if (rc == 1) {
        *out = strtoll(text, NULL, 10);
    }
    return rc < 0 ? -1 : 0;
}

int ks_terms_read(ks_store *s, const char *partner, struct ks_terms *out, cs_error *e)
{
    struct ks_partner_row row;
    memset(out, 0, sizeof *out);
    out->retention = KS_RETENTION_FLOOR;
    out->guaranteed_delivery = DELIVERY_DEFAULT;
    if (meta_number(s, "retention", &out->retention, e) != 0 ||
        meta_number(s, "guaranteed_delivery", &out->guaranteed_delivery, e) != 0) {
        return -1;
    }
    if (s->options.retention > 0) {
        out->retention = s->options.retention;
    }
    if (s->options.guaranteed_delivery > 0) {
        out->guaranteed_delivery = s->options.guaranteed_delivery;
    }
    if (partner == NULL || partner[0] == '\0') {
        return 0;
    }
    int rc = s->driver->partner_get(s->b, partner, &row, e);
    if (rc == 1) {
        out->partner_delivery = row.guaranteed_delivery;
    }
    return rc < 0 ? -1 : 0;
}

/* ---- views ----------------------------------------------------------------------------------------------------- */

void ks_view_of_row(const struct ks_row *row, struct ks_view_entry *out)
{
    memset(out, 0, sizeof *out);
    out->n = row->info.n;
    out->entry_id = row->entry_id;
    out->suspended_too = row->suspended_too;
    out->changed_at = row->changed_at;
    out->version = row->info.version;
    out->state = row->info.state;
    out->resume_state = row->resume_state;
    out->has_key = row->info.has_key;
    memcpy(out->key_algorithm, row->info.key_algorithm, sizeof out->key_algorithm);
    memcpy(out->spki_sha256, row->info.spki_sha256, sizeof out->spki_sha256);
    out->not_before = row->info.not_before;
    out->not_after = row->info.not_after;
    out->activated_at = row->info.activated_at;
    out->exchanged_at = row->info.exchanged_at;
    out->process_stop = row->info.process_stop;
    out->compromised_since = row->compromised_since;
    out->last_use = row->info.last_use;
}

int ks_view_add(struct ks_view *v, const struct ks_row *row, cs_error *e)
{
    if (v->n == KS_VIEW_MAX) {
        return cs_error_set(e, CS_EXIT_USAGE, "slot-full", "slot %s holds more than %d entries", v->alias, KS_VIEW_MAX);
    }
    ks_view_of_row(row, &v->entry[v->n++]);
    return 0;
}

static int into_view(void *ctx, const struct ks_row *row, cs_error *e)
{
    return ks_view_add(ctx, row, e);
}

int ks_view_begin(ks_store *s, const struct ks_slot *slot, struct ks_view *out, cs_error *e)
{
    cs_copy(out->alias, sizeof out->alias, slot->alias);
    cs_copy(out->partner, sizeof out->partner, slot->partner);
    out->role = slot->role;
    return ks_terms_read(s, slot->partner, &out->terms, e);
}

int ks_view_read(ks_store *s, const struct ks_slot *slot, struct ks_view *out, cs_error *e)
{
    struct ks_row_filter f = {.alias = slot->alias};
    memset(out, 0, sizeof *out);
    if (ks_view_begin(s, slot, out, e) != 0) {
        return -1;
    }
    return slot->slot_id != 0 ? s->driver->rows(s->b, &f, into_view, out, e) : 0;
}

int ks_reading_begin(ks_store *s, cs_error *e)
{
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    s->reading = true;
    return 0;
}

void ks_reading_end(ks_store *s)
{
    s->reading = false;
    s->driver->rollback(s->b);
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

struct collect {
    ks_store *store;
    ks_list *list;
    size_t cap;
    cs_time now;
    const ks_filter *filter;
    struct ks_terms terms;
    const struct ks_trash *trash;       /**< borrowed; NULL: nothing is in the trash */
    const struct ks_calendar *calendar; /**< borrowed; NULL: it is not asked for */
    char partner[KS_WORD];
    bool have_terms;
    bool at_that_time; /**< the entries are acceptable at now, which may be long ago */
};

static enum ks_state state_then(const ks_info *info, cs_time at)
{
    if (info->state == KS_ARCHIVED && info->exchanged_at == 0) {
        return KS_ARCHIVED; /* came in as an entry of the past */
    }
    return info->exchanged_at != 0 && at >= info->exchanged_at ? KS_DEACTIVATED : KS_ACTIVE;
}

static int collect_row(void *ctx, const struct ks_row *row, cs_error *e)
{
    struct collect *c = ctx;
    if (c->list->n == c->cap) {
        size_t cap = c->cap == 0 ? 32 : c->cap * 2;
        ks_info *grown = realloc(c->list->info, cap * sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
        }
        c->list->info = grown;
        c->cap = cap;
    }
    if (!c->have_terms || strcmp(c->partner, row->info.partner) != 0) {
        if (ks_terms_read(c->store, row->info.partner, &c->terms, e) != 0) {
            return -1;
        }
        cs_copy(c->partner, sizeof c->partner, row->info.partner);
        c->have_terms = true;
    }
    ks_info *info = &c->list->info[c->list->n];
    struct ks_view_entry entry;
    *info = row->info;
    ks_view_of_row(row, &entry);
    info->process_stop = ks_stop_of(info->role, &c->terms, &entry);
    info->state = c->at_that_time ? state_then(info, c->now) : ks_state_of(info->role, &c->terms, &entry, c->now);
    info->trash_until = ks_trash_until(c->trash, row->entry_id);
    if (c->calendar != NULL) {
        ks_calendar_tell(c->calendar, row->entry_id, info);
    }
    bool shown = info->trash_until == 0 || c->filter == NULL || c->filter->n != 0 || c->filter->with_destroyed;
    if (shown && (c->filter == NULL || !c->filter->has_state || c->filter->state == info->state)) {
        c->list->n++;
    }
    return 0;
}

void ks_list_free(ks_list *l)
{
    free(l->info);
    l->info = NULL;
    l->n = 0;
}

int ks_alias_unknown(ks_store *s, const char *alias, cs_error *e)
{
    char near[KS_WORD] = "";
    if (s->driver->nearest(s->b, "alias", alias, near, e) != 0) {
        return -1;
    }
    return near[0] != '\0'
               ? cs_error_set(e, CS_EXIT_USAGE, "alias-unknown", "no alias %s; did you mean %s?", alias, near)
               : cs_error_set(e, CS_EXIT_USAGE, "alias-unknown", "no alias %s; see: countersign keystore list", alias);
}

int ks_list_entries(ks_store *s, const ks_filter *f, cs_time now, ks_list *out, cs_error *e)
{
    struct ks_slot slot;
    memset(out, 0, sizeof *out);
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = 0;
    if (f->alias != NULL) {
        int found = s->driver->slot_get(s->b, f->alias, &slot, e);
        rc = found == 0 ? ks_alias_unknown(s, f->alias, e) : found == 1 ? 0 : -1;
    }
    if (rc == 0) {
        struct ks_trash trash = {0};
        struct ks_calendar calendar = {0};
        struct collect c = {.store = s, .list = out, .now = now, .filter = f, .trash = &trash, .calendar = &calendar};
        struct ks_row_filter rf = {.alias = f->alias,
                                   .partner = f->partner,
                                   .n = f->n,
                                   .has_role = f->has_role,
                                   .role = f->role,
                                   .with_destroyed = f->with_destroyed || (f->has_state && f->state == KS_DESTROYED)};
        rc = ks_trash_read(s, 0, &trash, e) == 0 && ks_calendar_read(s, 0, &calendar, e) == 0
                 ? s->driver->rows(s->b, &rf, collect_row, &c, e)
                 : -1;
        free(trash.row);
        ks_calendar_free(&calendar);
    }
    s->driver->rollback(s->b);
    if (rc != 0) {
        ks_list_free(out);
    }
    return rc;
}

int ks_trash_list(ks_store *s, cs_time now, ks_list *out, cs_error *e)
{
    static const ks_filter all = {.with_destroyed = true};
    if (ks_list_entries(s, &all, now, out, e) != 0) {
        return -1;
    }
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++) {
        if (out->info[i].trash_until != 0) {
            out->info[n++] = out->info[i];
        }
    }
    out->n = n;
    return 0;
}

int ks_acceptable(ks_store *s, const char *partner, enum ks_capability cap, cs_time at, uint64_t known_at, ks_list *out,
                  cs_error *e)
{
    struct collect c = {.store = s, .list = out, .now = at, .at_that_time = true};
    uint64_t generation = known_at;
    uint64_t seq = 0;
    memset(out, 0, sizeof *out);
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = known_at == 0 ? s->driver->generation(s->b, &generation, e) : 0;
    if (rc == 0) {
        rc = s->driver->generation_seq(s->b, generation, &seq, e);
    }
    if (rc == 0) {
        rc = s->driver->acceptable(s->b, partner, cap, at, seq, collect_row, &c, e);
    }
    s->driver->rollback(s->b);
    if (rc != 0) {
        ks_list_free(out);
    }
    return rc;
}
