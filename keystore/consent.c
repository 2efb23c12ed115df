/* SPDX-License-Identifier: Apache-2.0 */
/* consent.c: proposals and agreements of two persons; see consent.h. */
#include "keystore/consent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"
#include "keystore/record.h"

#define PERSONS_MAX 8192 /* octets of the list in the store */
#define PERSONS_KEY "persons"

/* ---- persons ---------------------------------------------------------------------------------------------------- */

/** Next word of a line. @return behind it, or NULL at the end of the line */
static const char *word_of(const char *at, char *out, size_t size)
{
    at += strspn(at, " ");
    size_t n = strcspn(at, " \n");
    if (n == 0 || n >= size) {
        return NULL;
    }
    memcpy(out, at, n);
    out[n] = '\0';
    return at + n;
}

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end != NULL ? end + 1 : at + strlen(at);
}

static int persons_read(ks_store *s, char *out, cs_error *e)
{
    out[0] = '\0';
    return s->driver->meta_get(s->b, PERSONS_KEY, out, PERSONS_MAX, e) < 0 ? -1 : 0;
}

/** The approvers of a list into names, blanks between. @return how many */
static unsigned approvers(const char *persons, char *names, size_t size)
{
    char word[KS_WORD];
    unsigned n = 0;
    names[0] = '\0';
    for (const char *line = persons; *line != '\0'; line = next_line(line)) {
        const char *at = word_of(line, word, sizeof word);
        while (at != NULL && strncmp(line, "approvers ", 10) == 0 && (at = word_of(at, word, sizeof word)) != NULL) {
            size_t used = strlen(names);
            snprintf(names + used, size - used, "%s%s", n > 0 ? " " : "", word);
            n++;
        }
    }
    return n;
}

static bool is_approver(const char *persons, const char *person)
{
    char word[KS_WORD];
    for (const char *line = persons; *line != '\0'; line = next_line(line)) {
        const char *at = word_of(line, word, sizeof word);
        while (at != NULL && strncmp(line, "approvers ", 10) == 0 && (at = word_of(at, word, sizeof word)) != NULL) {
            if (strcmp(word, person) == 0) {
                return true;
            }
        }
    }
    return false;
}

/** The operator whose account login is; an account that only bears the name of an operator is not that person. */
static void person_in(const char *persons, const char *login, char out[KS_WORD])
{
    char name[KS_WORD];
    char word[KS_WORD];
    bool taken = false;
    for (const char *line = persons; *line != '\0'; line = next_line(line)) {
        const char *at = word_of(line, word, sizeof word);
        if (at == NULL || strcmp(word, "operator") != 0 || (at = word_of(at, name, sizeof name)) == NULL) {
            continue;
        }
        taken = taken || strcmp(name, login) == 0;
        while ((at = word_of(at, word, sizeof word)) != NULL) {
            if (strcmp(word, login) == 0) {
                cs_copy(out, KS_WORD, name);
                return;
            }
        }
    }
    snprintf(out, KS_WORD, "%s%.59s", taken ? "uid:" : "", login);
}

/* The person behind an actor, by the store's list of operators; of an account without one its own name. */
static int person_of(ks_store *s, const ks_actor *who, char out[KS_WORD], cs_error *e)
{
    char *persons = malloc(PERSONS_MAX);
    int rc = persons != NULL ? persons_read(s, persons, e)
                             : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    if (rc == 0) {
        person_in(persons, who->name, out);
    }
    free(persons);
    return rc;
}

/* ---- consent ---------------------------------------------------------------------------------------------------- */

struct search {
    const char *persons;
    char person[KS_WORD]; /**< who asks */
    cs_time now;
    struct ks_consent *out;
};

static int look_at(void *ctx, const ks_proposal *a, const char *plan, cs_error *e)
{
    (void)plan;
    (void)e;
    struct search *search = ctx;
    if (a->used_at != 0 || search->now >= a->expires_at || search->out->given) {
        return 0;
    }
    /* who agreed must be another person than who proposed and than who carries it out, and still be an approver */
    bool agreed = a->approved_at != 0 && strcmp(a->approver, a->proposer) != 0 &&
                  strcmp(a->approver, search->person) != 0 && is_approver(search->persons, a->approver);
    if (agreed || search->out->proposal.id == 0) {
        search->out->proposal = *a;
        search->out->given = agreed;
    }
    return 0;
}

int ks_consent_ask(ks_store *s, const struct ks_plan *p, const ks_actor *who, cs_time now, struct ks_consent *out,
                   cs_error *e)
{
    uint8_t hash[32];
    char *persons = malloc(PERSONS_MAX);
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (persons == NULL || ks_plan_hash(p, hash) != 0) {
        cs_error_set(e, persons == NULL ? CS_EXIT_INTERNAL : CS_EXIT_USAGE, "plan",
                     persons == NULL ? "out of memory" : "this change is too long to be agreed to: shorten the reason");
        goto out;
    }
    if (persons_read(s, persons, e) != 0) {
        goto out;
    }
    out->asked = approvers(persons, out->names, sizeof out->names) >= 2;
    if (out->asked) {
        struct search search = {.persons = persons, .now = now, .out = out};
        person_in(persons, who->name, search.person);
        rc = s->driver->approvals(s->b, 0, hash, look_at, &search, e);
    } else {
        rc = 0;
    }
out:
    free(persons);
    return rc;
}

static char *approval_json(const ks_proposal *a)
{
    cs_buf b = CS_BUF_INIT;
    cs_json j;
    size_t n = 0;
    cs_json_begin(&j, &b);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "approval", a->id);
    cs_json_str(&j, "verb", a->verb);
    cs_json_hex(&j, "plan", a->plan_hash, sizeof a->plan_hash);
    cs_json_str(&j, "proposer", a->proposer);
    cs_json_str(&j, "approver", a->approver[0] != '\0' ? a->approver : NULL);
    cs_json_time(&j, "expires", a->expires_at);
    cs_json_object_end(&j);
    char *text = cs_buf_take(&b, &n);
    cs_buf_free(&b);
    return text;
}

static int audit_approval(struct ks_record *r, const char *verb, const ks_proposal *a, cs_error *e)
{
    char *text = approval_json(a);
    int rc = text != NULL ? ks_record_audit(r, verb, a->object[0] != '\0' ? a->object : "store", NULL, text, e)
                          : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    free(text);
    return rc;
}

static int write_proposal(struct ks_record *r, const struct ks_plan *p, ks_proposal *a, cs_error *e)
{
    char *text = malloc(KS_PLAN_TEXT);
    int rc = text != NULL && ks_plan_write(p, text, KS_PLAN_TEXT) == 0
                 ? 0
                 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    cs_copy(a->verb, sizeof a->verb, p->verb);
    cs_copy(a->object, sizeof a->object, p->object);
    cs_copy(a->reason, sizeof a->reason, r->who->reason != NULL ? r->who->reason : "");
    a->proposed_at = r->now;
    a->expires_at = r->now + KS_CONSENT_LASTS;
    if (rc == 0) {
        rc = r->s->driver->approval_add(r->s->b, a, text, e) == 0 && audit_approval(r, "propose", a, e) == 0 &&
                     ks_record_commit(r, "approval", e) == 0
                 ? 0
                 : -1;
    }
    free(text);
    return rc;
}

int ks_consent_propose(ks_store *s, const struct ks_plan *p, const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_consent c;
    ks_proposal a = {0};
    char until[CS_TIME_TEXT];
    if (ks_record_begin(&r, s, who, false, now, e) != 0 || ks_consent_ask(s, p, who, now, &c, e) != 0 ||
        person_of(s, who, a.proposer, e) != 0 || ks_plan_hash(p, a.plan_hash) != 0) {
        ks_record_end(&r);
        return -1;
    }
    bool open = c.proposal.id != 0 && c.proposal.approved_at == 0 && strcmp(c.proposal.proposer, a.proposer) == 0;
    if (open) {
        a = c.proposal;
    }
    int rc = open ? 0 : write_proposal(&r, p, &a, e);
    ks_record_end(&r);
    return rc != 0 ? -1
                   : cs_error_set(e, CS_EXIT_APPROVAL, "approval-needed",
                                  "%s needs a second person (%s), other than %s, until %s: countersign keystore "
                                  "approve %lld",
                                  p->verb, c.names, a.proposer, cs_time_format(a.expires_at, until), (long long)a.id);
}

const char *ks_consent_approver(const struct ks_consent *c)
{
    return c->given ? c->proposal.approver : NULL;
}

int ks_consent_use(ks_store *s, const struct ks_consent *c, cs_time now, cs_error *e)
{
    ks_proposal a = c->proposal;
    a.used_at = now;
    return s->driver->approval_update(s->b, &a, e);
}

/* ---- agreeing --------------------------------------------------------------------------------------------------- */

struct one {
    ks_proposal *a;
    struct ks_plan *plan; /**< NULL: not wanted */
    bool found;
};

static int take_one(void *ctx, const ks_proposal *a, const char *plan, cs_error *e)
{
    struct one *one = ctx;
    *one->a = *a;
    one->found = true;
    if (one->plan != NULL && ks_plan_read(plan, one->plan) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "the plan of approval %lld cannot be read",
                            (long long)a->id);
    }
    return 0;
}

static int find_one(ks_store *s, int64_t id, ks_proposal *a, struct ks_plan *plan, cs_error *e)
{
    struct one one = {a, plan, false};
    if (s->driver->approvals(s->b, id, NULL, take_one, &one, e) != 0) {
        return -1;
    }
    return one.found && id > 0
               ? 0
               : cs_error_set(e, CS_EXIT_USAGE, "approval-unknown",
                              "there is no proposal %lld; those that wait: countersign keystore approve",
                              (long long)id);
}

struct open_only {
    ks_visit_proposal *visit;
    void *ctx;
    cs_time now;
    bool all;
};

static int visit_open(void *ctx, const ks_proposal *a, const char *plan, cs_error *e)
{
    struct open_only *o = ctx;
    return o->all || (a->used_at == 0 && o->now < a->expires_at) ? o->visit(o->ctx, a, plan, e) : 0;
}

int ks_proposals(ks_store *s, int64_t id, cs_time now, ks_visit_proposal *visit, void *ctx, cs_error *e)
{
    struct open_only o = {visit, ctx, now, id != 0};
    ks_proposal a;
    if (s->driver->begin(s->b, KS_READ, e) != 0) {
        return -1;
    }
    int rc = id != 0 ? find_one(s, id, &a, NULL, e) : 0;
    if (rc == 0) {
        rc = s->driver->approvals(s->b, id, NULL, visit_open, &o, e);
    }
    s->driver->rollback(s->b);
    return rc;
}

static int may_agree(const ks_proposal *a, const char *person, const char *persons, cs_time now, cs_error *e)
{
    char when[CS_TIME_TEXT];
    if (a->used_at != 0) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "approval-used", "proposal %lld was carried out %s", (long long)a->id,
                            cs_time_format(a->used_at, when));
    }
    if (now >= a->expires_at) {
        return cs_error_set(e, CS_EXIT_CONFLICT, "approval-expired", "proposal %lld expired %s; it must be made again",
                            (long long)a->id, cs_time_format(a->expires_at, when));
    }
    if (!is_approver(persons, person)) {
        return cs_error_set(e, CS_EXIT_GUARD, "two-persons", "refused G10 two-persons: %s is no approver", person);
    }
    if (strcmp(a->proposer, person) == 0) {
        return cs_error_set(e, CS_EXIT_GUARD, "two-persons",
                            "refused G10 two-persons: %s proposed this; another person must agree", person);
    }
    return 0;
}

int ks_approve(ks_store *s, int64_t id, const ks_actor *who, cs_time now, ks_proposal *out, cs_error *e)
{
    struct ks_record r = {0};
    char person[KS_WORD];
    char *persons = malloc(PERSONS_MAX);
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (persons == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    if (ks_record_begin(&r, s, who, false, now, e) != 0 || find_one(s, id, out, NULL, e) != 0 ||
        persons_read(s, persons, e) != 0) {
        goto out;
    }
    person_in(persons, who->name, person);
    if (may_agree(out, person, persons, now, e) != 0) {
        goto out;
    }
    if (out->approved_at != 0 && strcmp(out->approver, person) == 0) {
        rc = 0;
        goto out;
    }
    cs_copy(out->approver, sizeof out->approver, person);
    out->approved_at = now;
    rc = s->driver->approval_update(s->b, out, e) == 0 && audit_approval(&r, "approve", out, e) == 0 &&
                 ks_record_commit(&r, "approval", e) == 0
             ? 0
             : -1;
out:
    ks_record_end(&r);
    free(persons);
    return rc;
}

/* ---- the list of persons ---------------------------------------------------------------------------------------- */

/** In force the list guards itself: who could add an approver alone could agree with himself. */
static int may_list(ks_store *s, const char *persons, const ks_actor *who, cs_time now, struct ks_plan *p,
                    struct ks_consent *c, cs_error *e)
{
    ks_plan_begin(p, "two-persons", "");
    for (const char *line = persons; *line != '\0'; line = next_line(line)) {
        char text[KS_PLAN_VALUE];
        size_t n = strcspn(line, "\n");
        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), line);
        p->failed = p->failed || n >= sizeof text;
        ks_plan_put(p, KS_PLAN_ASKED, "line", text);
    }
    return ks_consent_ask(s, p, who, now, c, e);
}

static int audit_persons(struct ks_record *r, const char *held, const char *wanted, cs_error *e)
{
    cs_buf old = CS_BUF_INIT;
    cs_buf new = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &old);
    cs_json_str(&j, NULL, held);
    cs_json_begin(&j, &new);
    cs_json_str(&j, NULL, wanted);
    int rc = old.failed || new.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                                      : ks_record_audit(r, "configure", PERSONS_KEY, old.data, new.data, e);
    cs_buf_free(&old);
    cs_buf_free(&new);
    return rc;
}

int ks_set_persons(ks_store *s, const char *persons, const ks_actor *who, cs_time now, bool *changed, cs_error *e)
{
    struct ks_record r = {0};
    struct ks_consent c = {0};
    const char *wanted = persons != NULL ? persons : "";
    char *held = malloc(PERSONS_MAX);
    struct ks_plan *p = malloc(sizeof *p);
    int rc = -1;
    *changed = false;
    if (held == NULL || p == NULL || strlen(wanted) >= PERSONS_MAX) {
        cs_error_set(e, CS_EXIT_USAGE, "persons", "the list of operators is too long");
        goto out;
    }
    if (persons_read(s, held, e) != 0 || strcmp(held, wanted) == 0) {
        rc = strcmp(held, wanted) == 0 ? 0 : -1;
        goto out;
    }
    if (ks_record_begin(&r, s, who, false, now, e) != 0 || persons_read(s, held, e) != 0 ||
        may_list(s, wanted, who, now, p, &c, e) != 0) {
        goto out;
    }
    if (c.asked && !c.given && strcmp(who->kind, "node") == 0) {
        cs_error_set(
            e, CS_EXIT_APPROVAL, "approval-needed",
            "the configuration names other operators or approvers than are in force; the next keystore command "
            "that a person runs with it proposes the change");
        goto out;
    }
    if (c.asked && !c.given) {
        ks_record_end(&r);
        rc = ks_consent_propose(s, p, who, now, e);
        goto out;
    }
    r.approver = ks_consent_approver(&c);
    rc = s->driver->meta_set(s->b, PERSONS_KEY, wanted, e) == 0 && (!c.given || ks_consent_use(s, &c, now, e) == 0) &&
                 audit_persons(&r, held, wanted, e) == 0 && ks_record_commit(&r, "configure", e) == 0
             ? 0
             : -1;
    *changed = rc == 0;
out:
    ks_record_end(&r);
    free(held);
    free(p);
    return rc;
}
