/* SPDX-License-Identifier: Apache-2.0 */
/* rollover_text.c: what people are told about a step: {{…}} filled in from the store, and the mails of steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/addressee.h"
#include "keystore/rollover.h"

#define NONE "none known" /* an empty list */

struct filling {
    ks_store *s;
    const struct ks_rollover *r;
    cs_buf *out;
    cs_error *e;
};

/* ---- words ----------------------------------------------------------------------------------------------------- */

static void add_time(cs_buf *out, cs_time t)
{
    char text[CS_TIME_TEXT];
    cs_buf_adds(out, t != 0 ? cs_time_format(t, text) : "(not set)");
}

static void add_hex(cs_buf *out, const uint8_t sha256[32])
{
    char hex[65];
    cs_buf_adds(out, cs_hex(sha256, 32, hex));
}

/** A word of an entry. @return false: it is none */
static bool add_entry_word(cs_buf *out, const ks_info *i, const char *word)
{
    if (strcmp(word, "sha256") == 0) {
        add_hex(out, i->sha256);
    } else if (strcmp(word, "subject") == 0) {
        cs_buf_adds(out, i->subject);
    } else if (strcmp(word, "issuer") == 0 || strcmp(word, "root") == 0) {
        cs_buf_adds(out, i->issuer);
    } else if (strcmp(word, "serial") == 0) {
        cs_buf_adds(out, i->serial);
    } else if (strcmp(word, "not-before") == 0) {
        add_time(out, i->not_before);
    } else if (strcmp(word, "not-after") == 0) {
        add_time(out, i->not_after);
    } else if (strcmp(word, "process-stop") == 0) {
        add_time(out, i->process_stop);
    } else if (strcmp(word, "uses") == 0) {
        cs_buf_addf(out, "%llu", (unsigned long long)i->uses);
    } else {
        return false;
    }
    return true;
}

/** Names of routes, or numbers of mappings, that a word stands for. */
static int add_mappings(struct filling *f, const char *word)
{
    struct ks_roll_mappings all;
    bool any = false;
    if (ks_rollover_mappings(f->s, f->r, &all, f->e) != 0) {
        return -1;
    }
    for (size_t i = 0; i < all.n; i++) {
        const struct ks_roll_mapping *m = &all.row[i];
        bool routes = strcmp(word, "old.routes") == 0;
        bool wanted =
            m->info.to == 0 && (strcmp(word, "old.users") == 0      ? m->user_old
                                : strcmp(word, "new.mappings") == 0 ? m->user_new || (m->names_new && !m->names_old)
                                                                    : m->names_old);
        if (wanted && routes) {
            cs_buf_addf(f->out, "%s%s", any ? " " : "", m->info.route);
        } else if (wanted) {
            cs_buf_addf(f->out, "%s%lld", any ? " " : "", (long long)m->info.map_id);
        }
        any = any || wanted;
    }
    cs_buf_adds(f->out, any ? "" : NONE);
    free(all.row);
    return 0;
}

static int add_word(struct filling *f, const char *word)
{
    const struct ks_rollover *r = f->r;
    bool old = strncmp(word, "old", 3) == 0;
    const ks_info *i = old ? &r->old_info : &r->new_info;
    bool there = old ? r->has_old : r->has_new;
    char entry[KS_WORD + 12];
    if (strcmp(word, "old") == 0 || strcmp(word, "new") == 0) {
        ks_rollover_entry(r, old, entry, sizeof entry);
        cs_buf_adds(f->out, there ? entry : "(new)");
    } else if (strcmp(word, "old.routes") == 0 || strcmp(word, "old.users") == 0 || strcmp(word, "old.names") == 0 ||
               strcmp(word, "new.mappings") == 0) {
        return add_mappings(f, word);
    } else if (strncmp(word, "old.", 4) == 0 || strncmp(word, "new.", 4) == 0) {
        if (!there) {
            cs_buf_adds(f->out, "(not known yet)");
        } else if (!add_entry_word(f->out, i, word + 4)) {
            return cs_error_set(f->e, CS_EXIT_INTERNAL, "internal", "no text for {{%s}}", word);
        }
    } else if (strncmp(word, "window.", 7) == 0) {
        add_time(f->out, strcmp(word + 7, "from") == 0 ? r->row.window_from : r->row.window_to);
    } else if (strcmp(word, "routes") == 0) {
        for (size_t k = 0; k < r->n_route; k++) {
            cs_buf_addf(f->out, "%s%s", k > 0 ? " " : "", r->route[k]);
        }
        cs_buf_adds(f->out, r->n_route == 0 ? NONE : "");
    } else {
        cs_buf_adds(f->out, strcmp(word, "id") == 0 ? r->name : strcmp(word, "alias") == 0 ? r->row.alias : r->partner);
    }
    return 0;
}

int ks_rollover_text(ks_store *s, const struct ks_rollover *r, const char *text, cs_buf *out, cs_error *e)
{
    struct filling f = {s, r, out, e};
    const char *open = NULL;
    for (const char *p = text;; p = open) {
        open = strstr(p, "{{");
        const char *end = open != NULL ? strstr(open, "}}") : NULL;
        char word[64];
        if (end == NULL || (size_t)(end - open) - 2 >= sizeof word) {
            cs_buf_adds(out, p);
            break;
        }
        cs_buf_add(out, p, (size_t)(open - p));
        snprintf(word, sizeof word, "%.*s", (int)(end - open) - 2, open + 2);
        if (add_word(&f, word) != 0) {
            return -1;
        }
        open = end + 2;
    }
    return out->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

/* ---- mails ----------------------------------------------------------------------------------------------------- */

static bool outside(enum ks_part p)
{
    return (KS_OUTSIDE & 1U << p) != 0;
}

static void add_entry(cs_buf *b, const char *head, const ks_info *i)
{
    cs_buf_addf(b, "%s %s#%u\n  SHA-256 ", head, i->alias, i->n);
    add_hex(b, i->sha256);
    cs_buf_addf(b, "\n  subject %s\n  issuer  %s\n  serial  %s\n  valid   ", i->subject, i->issuer, i->serial);
    add_time(b, i->not_before);
    cs_buf_adds(b, " to ");
    add_time(b, i->not_after);
    cs_buf_addc(b, '\n');
}

/** How long there is, in the largest unit of which there is one. */
static void add_left(cs_buf *b, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{CS_DAY, "day"}, {3600, "hour"}, {60, "minute"}};
    size_t i = 0;
    while (i < 2 && seconds < units[i].seconds) {
        i++;
    }
    long long n = (long long)(seconds / units[i].seconds);
    cs_buf_addf(b, "%lld %s%s", n, units[i].unit, n == 1 ? "" : "s");
}

static int compose(ks_store *s, const struct ks_rollover *r, size_t place, const struct ks_reminder *again, bool link,
                   cs_buf *b, cs_error *e)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    if (again != NULL) {
        cs_buf_adds(b, "This step is still open. Time left: ");
        add_left(b, again->deadline - again->now);
        cs_buf_addf(b, "; %s ", again->until);
        add_time(b, again->deadline);
        cs_buf_adds(b, ".\n\n");
    }
    cs_buf_addf(b, "%s, step %s of %s: ", r->name, step->n, r->runbook->title);
    if (ks_rollover_text(s, r, step->title, b, e) != 0) {
        return -1;
    }
    cs_buf_adds(b, "\n\n");
    if (ks_rollover_text(s, r, step->text[0] != '\0' ? step->text : step->by_hand, b, e) != 0) {
        return -1;
    }
    cs_buf_adds(b, "\n\n");
    if (r->has_new) {
        add_entry(b, "new", &r->new_info);
    }
    if (r->has_old) {
        add_entry(b, "old", &r->old_info);
    }
    if (link) {
        cs_buf_adds(b, "\nWhen it is done, say so (once, within 72 hours, no login): {{link}}\n");
    }
    return b->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

static int subject_of(ks_store *s, const struct ks_rollover *r, size_t place, const struct ks_reminder *again,
                      cs_buf *b, cs_error *e)
{
    cs_buf_addf(b, "%sCertificate roll-over %s of %s, step %s: ", again != NULL ? "Reminder: " : "", r->name,
                r->row.alias, r->runbook->step[place].n);
    return ks_rollover_text(s, r, r->runbook->step[place].title, b, e);
}

int ks_rollover_message(ks_store *s, const struct ks_rollover *r, size_t place, cs_buf *out, cs_error *e)
{
    cs_buf_adds(out, "Subject: ");
    if (subject_of(s, r, place, NULL, out, e) != 0) {
        return -1;
    }
    cs_buf_adds(out, "\n\n");
    return compose(s, r, place, NULL, false, out, e);
}

/** Of an inform step that goes to somebody of the house: the role that it comes from, so that nobody writes to himself.
 *  NULL: it is sent in any case. */
static const char *author_of(const struct ks_runbook_step *step)
{
    size_t p = 0;
    while (p < KS_PARTS && (step->who & (1U << p)) == 0) {
        p++;
    }
    return step->kind == KS_STEP_INFORM && !outside(step->to) && p < KS_PARTS ? ks_part_word((enum ks_part)p) : NULL;
}

/** By which one telling of a step is another than the one before: a reminder, or an agreed span that was moved. */
static int64_t occasion_of(const struct ks_rollover *r, size_t place, enum ks_part part,
                           const struct ks_reminder *again)
{
    cs_time at = again != NULL ? again->due_at : ks_rollover_tells_span(r, place) ? r->row.window_from : 0;
    return at * KS_PARTS + (int64_t)part;
}

/** One role, of one sender ("": of the partner of all of it). Whom of a step it is that acts, gets a link where a word
 *  closes it. @return as ks_notice_tell */
static int tell_one(ks_store *s, const struct ks_rollover *r, size_t place, enum ks_part part, const char *sender,
                    const struct ks_reminder *again, cs_time now, cs_error *e)
{
    const char *partner = sender[0] != '\0' ? sender : r->partner;
    const struct ks_runbook_step *step = &r->runbook->step[place];
    char about[KS_ROLL_REFERENCE];
    cs_buf subject = CS_BUF_INIT;
    cs_buf body = CS_BUF_INIT;
    bool informs = step->kind == KS_STEP_INFORM;
    bool link = !informs && outside(part) && ks_step_takes_word(step);
    ks_rollover_reference(r, place, sender, about);
    int rc = subject_of(s, r, place, again, &subject, e) == 0 ? compose(s, r, place, again, link, &body, e) : -1;
    if (rc == 0) {
        /* with the entry the certificate goes along, and those hear of it who subscribed to the slot */
        const ks_tell t = {.kind = KS_NOTICE_STEP_DUE,
                           .entry_id = informs && r->has_new ? r->row.new_entry : 0,
                           .attach = informs && r->has_new,
                           .about = about,
                           .occasion = occasion_of(r, place, part, again),
                           .role = ks_part_word(part),
                           .partner = partner[0] != '\0' ? partner : NULL,
                           .author = author_of(step),
                           .subject = subject.data,
                           .body = body.data,
                           .link = link ? about : NULL};
        rc = ks_notice_tell(s, &t, now, e);
    }
    cs_buf_free(&subject);
    cs_buf_free(&body);
    return rc;
}

/** As tell_one; of a step that each sender hears of, to each one of them who did not say yet that it is done. */
static int tell_part(ks_store *s, const struct ks_rollover *r, size_t place, enum ks_part part,
                     const struct ks_reminder *again, cs_time now, cs_error *e)
{
    bool by_sender = r->runbook->step[place].each_sender && part == KS_SENDER_ADMIN && r->n_sender > 0;
    int told = 0;
    if (!by_sender) {
        return tell_one(s, r, place, part, "", again, now, e);
    }
    for (size_t i = 0; i < r->n_sender; i++) {
        int rc = ks_rollover_word(r, place, r->sender[i]) == NULL
                     ? tell_one(s, r, place, part, r->sender[i], again, now, e)
                     : 0;
        if (rc < 0) {
            return rc;
        }
        told = rc == 1 ? 1 : told;
    }
    return told;
}

/** Is a mail to that role of any use? Those of the house see in rollover status what only waits. */
static bool acts(const struct ks_runbook_step *step, enum ks_part p)
{
    return (step->who & (1U << p)) != 0 &&
           (outside(p) ? step->text[0] != '\0' || ks_step_takes_word(step) : step->kind == KS_STEP_DO);
}

/** Did a mail of the step before ask somebody of the house for this very thing? (To those outside the mail of their
 *  step brings the link.) */
static bool was_asked(const struct ks_rollover *r, size_t place, enum ks_part p)
{
    for (size_t i = 0; i < place && !outside(p); i++) {
        const struct ks_runbook_step *before = &r->runbook->step[i];
        if ((r->runbook->step[place].after & (1U << i)) != 0 && before->kind == KS_STEP_INFORM && before->to == p &&
            r->step[i].sent > 0) {
            return true;
        }
    }
    return false;
}

bool ks_rollover_tells_span(const struct ks_rollover *r, size_t place)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    return step->kind == KS_STEP_INFORM && r->row.window_from != 0 && strstr(step->text, "{{window.") != NULL;
}

int ks_rollover_tell(ks_store *s, const struct ks_rollover *r, size_t place, cs_time now, cs_error *e)
{
    const struct ks_runbook_step *step = &r->runbook->step[place];
    if (step->kind == KS_STEP_INFORM) {
        return tell_part(s, r, place, step->to, NULL, now, e) < 0 ? -1 : 0;
    }
    for (size_t p = 0; step->kind != KS_STEP_AUTO && p < KS_PARTS; p++) {
        if (acts(step, (enum ks_part)p) && !was_asked(r, place, (enum ks_part)p) &&
            tell_part(s, r, place, (enum ks_part)p, NULL, now, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int ks_rollover_tell_again(ks_store *s, const struct ks_rollover *r, size_t place, const struct ks_reminder *again,
                           size_t *made, cs_error *e)
{
    for (size_t p = 0; p < KS_PARTS; p++) {
        bool open = (r->known[place].confirmed & (1U << p)) == 0;
        int told = open && acts(&r->runbook->step[place], (enum ks_part)p)
                       ? tell_part(s, r, place, (enum ks_part)p, again, again->now, e)
                       : 0;
        if (told < 0) {
            return -1;
        }
        *made += told == 1;
    }
    return 0;
}
