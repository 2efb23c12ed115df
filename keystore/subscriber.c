/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.c: who is told of what concerns a slot. Every change is audited and makes a generation. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/change.h"
#include "keystore/notice_store.h"
#include "keystore/record.h"

static const char *const words[] = {"me", "other", "group"};

const char *ks_subscriber_word(enum ks_subscriber_kind k)
{
    return words[k];
}

bool ks_line_ok(const char *text, size_t size)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return n > 0 && n < size;
}

bool ks_mail_ok(const char *mail)
{
    static const char never[] = " \"(),:;<>[]\\";
    const char *at = strchr(mail, '@');
    size_t n = strlen(mail);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)mail[i] <= 0x20 || (unsigned char)mail[i] >= 0x7f || strchr(never, mail[i]) != NULL) {
            return false;
        }
    }
    return n < KS_MAIL && at != NULL && at != mail && at[1] != '\0' && at[1] != '.' && mail[0] != '-' &&
           strchr(at + 1, '@') == NULL && at - mail <= 64;
}

static int check(const ks_subscriber *told, cs_error *e)
{
    if (!ks_mail_ok(told->mail)) {
        return cs_error_set(e, CS_EXIT_USAGE, "mail-address",
                            "not an address for mail: one local part, @, one domain; no blanks, quotes or line breaks");
    }
    if (!ks_line_ok(told->name, sizeof told->name)) {
        return cs_error_set(e, CS_EXIT_USAGE, "mail-name",
                            "the name of a subscriber is one line of 1 to %d octets without control characters",
                            KS_FULL_NAME - 1);
    }
    return 0;
}

static int slot_of(ks_store *s, const char *alias, struct ks_slot *slot, cs_error *e)
{
    char near[KS_WORD] = "";
    int rc = s->driver->slot_get(s->b, alias, slot, e);
    if (rc != 0) {
        return rc < 0 ? -1 : 0;
    }
    if (s->driver->nearest(s->b, "alias", alias, near, e) != 0) {
        return -1;
    }
    return cs_error_set(e, CS_EXIT_USAGE, "alias-unknown", "no alias \"%.64s\" in this keystore%s%s%s", alias,
                        near[0] != '\0' ? "; did you mean " : "", near, near[0] != '\0' ? "?" : "");
}

struct search {
    const char *mail;
    ks_subscriber found;
};

static int find(void *ctx, const ks_subscriber *row, cs_error *e)
{
    (void)e;
    struct search *search = ctx;
    if (strcasecmp(row->mail, search->mail) == 0) {
        search->found = *row;
    }
    return 0;
}

static int audit(struct ks_record *r, const char *alias, const ks_subscriber *told, bool add, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "name", told->name);
    cs_json_str(&j, "mail", told->mail);
    cs_json_str(&j, "kind", ks_subscriber_word(told->kind));
    cs_json_object_end(&j);
    int rc = b.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                      : ks_record_audit(r, add ? "subscribe" : "unsubscribe", alias, add ? NULL : b.data,
                                        add ? b.data : NULL, e);
    cs_buf_free(&b);
    return rc;
}

static int commit(struct ks_record *r, const char *alias, const ks_subscriber *told, bool add, cs_error *e)
{
    return audit(r, alias, told, add, e) == 0 && ks_record_commit(r, add ? "subscribe" : "unsubscribe", e) == 0 ? 0
                                                                                                                : -1;
}

static int is_own(const struct ks_slot *slot, cs_error *e)
{
    if (ks_notice_role(slot->role)) {
        return 0;
    }
    return cs_error_set(e, CS_EXIT_USAGE, "role",
                        "mails are sent about own certificates (roles sign, decrypt, tls-client, tls-server); %s is of "
                        "role %s",
                        slot->alias, ks_role_word(slot->role));
}

int ks_subscribe(ks_store *s, const char *alias, const ks_subscriber *told, bool dry_run, const ks_actor *who,
                 cs_time now, uint64_t *generation, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_slot slot = {0};
    struct search search = {.mail = told->mail};
    ks_subscriber row = *told;
    int rc = -1;
    if (ks_need_notices(s, e) != 0 || check(told, e) != 0) {
        return -1;
    }
    row.since = now;
    cs_copy(row.actor, sizeof row.actor, who->name);
    if (ks_record_begin(&r, s, who, dry_run, now, e) != 0 || slot_of(s, alias, &slot, e) != 0 ||
        is_own(&slot, e) != 0 || s->driver->notices->subscribers(s->b, slot.slot_id, find, &search, e) != 0) {
        goto out;
    }
    if (search.found.id != 0) {
        cs_error_set(e, CS_EXIT_CONFLICT, "conflict", "%s is told about %s already, as \"%s\"", told->mail, alias,
                     search.found.name);
        goto out;
    }
    *generation = r.generation;
    rc = dry_run                                                                ? 0
         : s->driver->notices->subscriber_add(s->b, slot.slot_id, &row, e) == 0 ? commit(&r, alias, &row, true, e)
                                                                                : -1;
out:
    ks_record_end(&r);
    return rc;
}

int ks_unsubscribe(ks_store *s, const char *alias, const char *mail, bool dry_run, const ks_actor *who, cs_time now,
                   uint64_t *generation, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_slot slot = {0};
    struct search search = {.mail = mail};
    int rc = -1;
    if (ks_need_notices(s, e) != 0 || ks_record_begin(&r, s, who, dry_run, now, e) != 0 ||
        slot_of(s, alias, &slot, e) != 0 ||
        s->driver->notices->subscribers(s->b, slot.slot_id, find, &search, e) != 0) {
        goto out;
    }
    if (search.found.id == 0) {
        cs_error_set(e, CS_EXIT_USAGE, "subscriber-unknown",
                     "%.254s is not told about %s; who is: countersign keystore subscribers %s", mail, alias, alias);
        goto out;
    }
    *generation = r.generation;
    rc = dry_run ? 0
         : s->driver->notices->subscriber_remove(s->b, search.found.id, e) == 0
             ? commit(&r, alias, &search.found, false, e)
             : -1;
out:
    ks_record_end(&r);
    return rc;
}

int ks_subscribers(ks_store *s, const char *alias, ks_visit_subscriber *visit, void *ctx, cs_error *e)
{
    struct ks_slot slot = {0};
    if (ks_need_notices(s, e) != 0 || s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = slot_of(s, alias, &slot, e) == 0 ? s->driver->notices->subscribers(s->b, slot.slot_id, visit, ctx, e) : -1;
    s->driver->rollback(s->b);
    return rc;
}
