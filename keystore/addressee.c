/* SPDX-License-Identifier: Apache-2.0 */
/* addressee.c: see addressee.h. The list is text, one line each: role, partner, name, address, tabs between. */
#include "keystore/addressee.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/notice_store.h"
#include "keystore/record.h"

#define LIST_MAX     32768 /* octets of the list in the store */
#define LIST_KEY     "addressees"
#define CONTACTS_MAX 32 /* of one partner */

/* ---- of the configuration ---------------------------------------------------------------------------------------- */

/** A role that somebody outside can have. */
static bool is_role(const char *word)
{
    for (size_t i = 0; ks_operator_role(i) != NULL; i++) {
        if (strcmp(ks_operator_role(i), word) == 0 && strcmp(word, KS_AUDITOR_ROLE) != 0) {
            return true;
        }
    }
    return false;
}

void ks_set_contact(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_partner_config *p = parent;
    const char *role = node->arg[0].text;
    const char *name = node->arg[1].text;
    const char *mail = node->arg[2].text;
    if (!is_role(role)) {
        cs_conf_error(report, node, 0,
                      "unknown role \"%s\"; here: tenant-admin, receiver-admin, sender-admin, lb-admin, "
                      "integration-developer",
                      role);
    } else if (!ks_line_ok(name, KS_FULL_NAME)) {
        cs_conf_error(report, node, 1, "a name is one line of at most %d characters, not empty", KS_FULL_NAME - 1);
    } else if (!ks_mail_ok(mail)) {
        cs_conf_error(report, node, 2, "\"%s\" is no address for mail", mail);
    } else if (p->n_contact == CONTACTS_MAX) {
        cs_conf_error(report, node, -1, "a partner has at most %d contacts", CONTACTS_MAX);
    } else {
        struct ks_contact *grown = reallocarray(p->contact, p->n_contact + 1, sizeof *grown);
        if (grown == NULL) {
            cs_conf_error(report, node, -1, "out of memory");
            return;
        }
        p->contact = grown;
        p->contact[p->n_contact++] = (struct ks_contact){role, name, mail};
    }
}

void ks_contacts_free(struct ks_partner_config *p)
{
    free(p->contact);
    p->contact = NULL;
    p->n_contact = 0;
}

/** A field: what would end it becomes a blank. */
static void add_field(cs_buf *b, const char *text, char end)
{
    for (const char *p = text; *p != '\0'; p++) {
        cs_buf_addc(b, (unsigned char)*p < 0x20 ? ' ' : *p);
    }
    cs_buf_addc(b, end);
}

static void add_line(cs_buf *b, const char *role, const char *partner, const char *name, const char *mail)
{
    add_field(b, role, '\t');
    add_field(b, partner, '\t');
    add_field(b, name, '\t');
    add_field(b, mail, '\n');
}

char *ks_config_addressees(const struct ks_config *c)
{
    cs_buf b = CS_BUF_INIT;
    size_t n = 0;
    cs_buf_adds(&b, "");
    for (size_t i = 0; i < c->n_operator; i++) {
        const struct ks_operator *o = c->operators[i];
        for (size_t k = 0; o->mail[0] != '\0' && ks_operator_role(k) != NULL; k++) {
            if ((o->roles & 1U << k) != 0) {
                add_line(&b, ks_operator_role(k), "", o->full_name[0] != '\0' ? o->full_name : o->name, o->mail);
            }
        }
    }
    for (size_t i = 0; i < c->n_partner; i++) {
        const struct ks_partner_config *p = c->partner[i];
        for (size_t k = 0; k < p->n_contact; k++) {
            add_line(&b, p->contact[k].role, p->name, p->contact[k].name, p->contact[k].mail);
        }
    }
    char *list = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return list;
}

/* ---- of the store ------------------------------------------------------------------------------------------------ */

static int read_list(ks_store *s, char list[LIST_MAX], cs_error *e)
{
    list[0] = '\0';
    return s->driver->meta_get(s->b, LIST_KEY, list, LIST_MAX, e) < 0 ? -1 : 0;
}

static int audit(struct ks_record *r, const char *before, const char *after, cs_error *e)
{
    cs_buf old = CS_BUF_INIT;
    cs_buf new = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &old);
    cs_json_str(&j, NULL, before);
    cs_json_begin(&j, &new);
    cs_json_str(&j, NULL, after);
    int rc = old.failed || new.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                                      : ks_record_audit(r, "configure", LIST_KEY, old.data, new.data, e);
    cs_buf_free(&old);
    cs_buf_free(&new);
    return rc;
}

int ks_set_addressees(ks_store *s, const char *list, const ks_actor *who, cs_time now, bool *changed, cs_error *e)
{
    struct ks_record r = {0};
    int rc = -1;
    *changed = false;
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    char *held = malloc(LIST_MAX);
    if (held == NULL || strlen(list) >= LIST_MAX) {
        cs_error_set(e, CS_EXIT_USAGE, "addressees", "the list of operators and contacts is too long");
        goto out;
    }
    if (read_list(s, held, e) != 0 || strcmp(held, list) == 0) {
        rc = strcmp(held, list) == 0 ? 0 : -1;
        goto out;
    }
    rc = ks_record_begin(&r, s, who, false, now, e) == 0 && read_list(s, held, e) == 0 &&
                 s->driver->meta_set(s->b, LIST_KEY, list, e) == 0 && audit(&r, held, list, e) == 0 &&
                 ks_record_commit(&r, "configure", e) == 0
             ? 0
             : -1;
    *changed = rc == 0;
out:
    ks_record_end(&r);
    free(held);
    return rc;
}

/** The next field into out; a list that was cut or altered gives empty ones. @return behind it */
static const char *take(const char *p, char *out, size_t size)
{
    size_t n = strcspn(p, "\t\n");
    size_t kept = n < size ? n : size - 1;
    memcpy(out, p, kept);
    out[kept] = '\0';
    return p + n + (p[n] == '\t' ? 1 : 0);
}

static const char *take_line(const char *p, ks_addressee *a)
{
    memset(a, 0, sizeof *a);
    p = take(p, a->role, sizeof a->role);
    p = take(p, a->partner, sizeof a->partner);
    p = take(p, a->name, sizeof a->name);
    p = take(p, a->mail, sizeof a->mail);
    p += strcspn(p, "\n");
    return *p == '\n' ? p + 1 : p;
}

int ks_addressees_each(ks_store *s, const char *role, const char *partner, ks_visit_addressee *visit, void *ctx,
                       cs_error *e)
{
    bool every = partner != NULL && strcmp(partner, KS_EVERY_PARTNER) == 0;
    char *list = malloc(LIST_MAX);
    int rc = list != NULL ? read_list(s, list, e) : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    for (const char *p = list; rc == 0 && *p != '\0';) {
        ks_addressee a;
        p = take_line(p, &a);
        bool meant = (role == NULL || strcmp(a.role, role) == 0) &&
                     (a.partner[0] == '\0' || every || (partner != NULL && strcmp(a.partner, partner) == 0));
        if (meant && a.mail[0] != '\0') {
            rc = visit(ctx, &a, e);
        }
    }
    free(list);
    return rc;
}
