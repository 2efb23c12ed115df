/* SPDX-License-Identifier: Apache-2.0 */
/* letter.c: see letter.h. */
#include "keystore/letter.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/link.h"
#include "keystore/template.h"

#define LINK_MARK "{{link}}"

/** What each kind says. In texts stands for what: e the entry, a the alias, o what it is about, d the days left. */
static const struct kind_row {
    const char *subject; /**< behind it: type and name of the system, or what it is about */
    bool system;
    const char *opening;
    const char *next; /**< NULL: nothing is to be done */
} rows[KS_NOTICES] = {
    [KS_NOTICE_EXPIRATION] = {"Outbound Certificate Expiration.", true, "The certificate {e} ends in {d}.",
                              "Next:  countersign keystore generate --alias {a}\r\nthen, when the other side has it:  "
                              "countersign keystore activate {a}#N"},
    [KS_NOTICE_EXPIRED] = {"Outbound Certificate Expiration.", true,
                           "The certificate {e} has expired, and is still the one in use.",
                           "Next:  countersign keystore generate --alias {a}\r\nthen, when the other side has it:  "
                           "countersign keystore activate {a}#N"},
    [KS_NOTICE_RENEWED] = {"Outbound Certificate Renewed.", true,
                           "The certificate of {a} was renewed: {e} is the new one, attached to this mail.",
                           "Who compares fingerprints needs the attached certificate.\r\nSee:  countersign keystore "
                           "show {a}"},
    [KS_NOTICE_RENEWAL_FAILED] = {"Outbound Certificate Renewal Failed.", true,
                                  "The certificate of {a} could not be renewed; {e} ends in {d}.",
                                  "It is tried again by itself. By hand:  countersign keystore renew {a}\r\nthen, when "
                                  "the other side has it:  countersign keystore activate {a}#N"},
    [KS_NOTICE_ACTIVATED] = {"Outbound Certificate Activated.", true, "The certificate {e} is in use from now on.",
                             "Back to the one before, while it lasts:  countersign keystore show {a}"},
    [KS_NOTICE_RETENTION_EXTENDED] = {"Certificate Window Extended.", false,
                                      "The exchanged certificate {e} is still used: its window was moved.",
                                      "By whom:  countersign keystore safe-to-remove {e}"},
    [KS_NOTICE_PARTNER_SWITCHED] = {"Partner Signs With Another Certificate.", false,
                                    "{o} signs with a certificate that is not stored; its messages are refused.",
                                    "Compare its fingerprint with the partner by another channel. Then:  countersign "
                                    "keystore add --role verifier --partner {o} --alias ALIAS --seen SHA256 "
                                    "--activate"},
    [KS_NOTICE_STEP_DUE] = {"Roll-over Step Due.", false, "A step of {o} is due.",
                            "See:  countersign rollover status {o}"},
    [KS_NOTICE_NODE_STALE] = {"Gateway Node Silent.", false, "The gateway node {o} says nothing any more.",
                              "See:  countersign keystore nodes\r\nWhen it is gone for good:  countersign keystore "
                              "nodes forget {o}"},
    [KS_NOTICE_AUDIT_CHECKPOINT] = {"Audit Checkpoint.", false,
                                    "Keep this line where nobody who can write the keystore can change it:",
                                    "Compare, with the line in quotes or in a file:  countersign keystore audit verify "
                                    "--from CHECKPOINT"},
    [KS_NOTICE_ENGINE_DISAGREEMENT] = {"Verification Engines Disagree.", false,
                                       "Two engines judged one message of {o} differently; it was refused.", NULL},
    [KS_NOTICE_SHARE_ENDED] = {"Outbound Certificate Refused.", true,
                               "Requests signed with {e} were refused; the active certificate signs all of them again.",
                               "See what the other side lacks. Then again:  countersign keystore activate {e} --canary "
                               "5%"},
    [KS_NOTICE_LEGACY_ENDS] = {"Legacy Exception Ends.", false, "The exception {o} ends, and is still used.",
                               "Who still needs it: the metric countersign_legacy_messages_total, and legacy-used in "
                               "the log. Ask the partner for the newer algorithm, or move the date in the policy."},
};

static void add_days(cs_buf *b, int64_t seconds)
{
    int64_t days = seconds > 0 ? seconds / CS_DAY : 0;
    cs_buf_addf(b, "%lld day%s", (long long)days, days == 1 ? "" : "s");
}

/** Text with its places filled in. */
static void add_filled(cs_buf *b, const char *text, const struct ks_mailing *m, cs_time now)
{
    const ks_info *i = &m->info;
    const char *about = m->d.about[0] != '\0' ? m->d.about : i->alias;
    for (const char *p = text; *p != '\0';) {
        if (p[0] != '{' || p[1] == '\0' || p[2] != '}') {
            cs_buf_addc(b, *p++);
            continue;
        }
        if (p[1] == 'e') {
            cs_buf_addf(b, "%s#%u", i->alias, i->n);
        } else if (p[1] == 'd') {
            add_days(b, i->not_after - now);
        } else {
            cs_buf_adds(b, p[1] == 'a' ? i->alias : about);
        }
        p += 3;
    }
}

static void add_hex(cs_buf *b, const char *name, const uint8_t sha256[32])
{
    char hex[65];
    cs_buf_addf(b, "%s%s\r\n", name, cs_hex(sha256, 32, hex));
}

static void add_entry(cs_buf *b, const ks_info *i)
{
    char from[CS_TIME_TEXT];
    char until[CS_TIME_TEXT];
    cs_buf_addf(b, "Entry:       %s#%u (%s, %s)\r\n", i->alias, i->n, ks_role_word(i->role), ks_state_word(i->state));
    cs_buf_addf(b, "Subject:     %s\r\nIssuer:      %s\r\nSerial:      %s\r\n", i->subject, i->issuer, i->serial);
    cs_buf_addf(b, "Valid:       %s to %s\r\n", cs_time_format(i->not_before, from),
                cs_time_format(i->not_after, until));
    if (i->process_stop != 0 && i->state == KS_DEACTIVATED) {
        cs_buf_addf(b, "Window:      to %s\r\n", cs_time_format(i->process_stop, until));
    }
    add_hex(b, "SHA-256:     ", i->sha256);
    add_hex(b, "Public key:  ", i->spki_sha256);
}

static void add_composed(struct ks_mailing *m, const char *type, const char *name, cs_time now)
{
    const struct kind_row *row = &rows[m->d.kind];
    cs_buf *b = &m->body;
    add_filled(b, row->opening, m, now);
    cs_buf_adds(b, "\r\n");
    if (m->d.text[0] != '\0') {
        cs_buf_addf(b, "%s\r\n", m->d.text);
    }
    if (m->info.n != 0) {
        cs_buf_addf(b, "\r\nSystem:      %s, %s\r\n", type, name);
        add_entry(b, &m->info);
    }
    if (row->next != NULL) {
        cs_buf_adds(b, "\r\n");
        add_filled(b, row->next, m, now);
        cs_buf_adds(b, "\r\n");
    }
}

/** The link of a subscriber by which he gets no more of them, if links are served. */
static int make_way_out(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, cs_error *e)
{
    char reference[KS_WORD + 16];
    if (m->d.sub_id == 0 || m->d.alias[0] == '\0' || mail->link == NULL) {
        return 0;
    }
    ks_link_opt_out(m->d.alias, reference, sizeof reference);
    return mail->link(mail->link_base, s, reference, m->d.mail, now, &m->opt_out, e);
}

static void add_command_out(cs_buf *b, const struct ks_mailing *m)
{
    cs_buf_addf(b, "countersign keystore unsubscribe %s --mail %s", m->d.alias, m->d.mail);
}

/** How a subscriber gets no more of them. */
static void add_way_out(struct ks_mailing *m)
{
    if (m->d.sub_id == 0 || m->d.alias[0] == '\0') {
        return;
    }
    cs_buf_adds(&m->body, "\r\nNo more of these mails:  ");
    add_command_out(&m->body, m);
    cs_buf_adds(&m->body, "\r\n");
    if (m->opt_out.len > 0) {
        cs_buf_addf(&m->body, "or:  %s\r\n", m->opt_out.data);
    }
}

/** One line of a letter that came ready; the mark of a link becomes a link, or the line goes. */
static int add_line(ks_store *s, const ks_mail *mail, const struct ks_mailing *m, const char *line, size_t n,
                    cs_time now, cs_buf *b, cs_error *e)
{
    const char *mark = memmem(line, n, LINK_MARK, sizeof LINK_MARK - 1);
    if (mark == NULL) {
        cs_buf_add(b, line, n);
        return cs_buf_adds(b, "\r\n");
    }
    if (mail->link == NULL || m->d.link[0] == '\0') {
        return 0;
    }
    size_t before = (size_t)(mark - line);
    size_t behind = before + sizeof LINK_MARK - 1;
    cs_buf_add(b, line, before);
    if (mail->link(mail->link_base, s, m->d.link, m->d.mail, now, b, e) != 0) {
        return -1;
    }
    cs_buf_add(b, line + behind, n - behind);
    return cs_buf_adds(b, "\r\n");
}

static int add_ready(ks_store *s, const ks_mail *mail, const struct ks_mailing *m, cs_time now, cs_buf *b, cs_error *e)
{
    for (const char *p = m->d.body; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        if (add_line(s, mail, m, p, n, now, b, e) != 0) {
            return -1;
        }
        p += n + (p[n] == '\n' ? 1 : 0);
    }
    return 0;
}

/* ---- in the words of the house ------------------------------------------------------------------------------------
 */

struct saying {
    ks_store *s;
    const ks_mail *mail;
    const struct ks_mailing *m;
    cs_time now;
    const char *type, *name; /* of the system */
};

static void say_time(cs_buf *out, cs_time t)
{
    char text[CS_TIME_TEXT];
    cs_buf_adds(out, t != 0 ? cs_time_format(t, text) : "-");
}

static void say_hash(cs_buf *out, const uint8_t sha256[32])
{
    char hex[65];
    cs_buf_adds(out, cs_hex(sha256, 32, hex));
}

/** A word about the entry; of none: "-". */
static void say_entry(const struct saying *y, enum ks_template_word word, cs_buf *out)
{
    const ks_info *i = &y->m->info;
    const char *const text[KS_SAYS] = {
        [KS_SAY_ALIAS] = i->alias,   [KS_SAY_SUBJECT] = i->subject,         [KS_SAY_ISSUER] = i->issuer,
        [KS_SAY_SERIAL] = i->serial, [KS_SAY_ROLE] = ks_role_word(i->role), [KS_SAY_STATE] = ks_state_word(i->state)};
    int64_t left = i->not_after > y->now ? i->not_after - y->now : 0;
    if (i->n == 0) {
        cs_buf_adds(out, "-");
    } else if (text[word] != NULL) {
        cs_buf_adds(out, text[word]);
    } else if (word == KS_SAY_ENTRY) {
        cs_buf_addf(out, "%s#%u", i->alias, i->n);
    } else if (word == KS_SAY_DAYS) {
        cs_buf_addf(out, "%lld", (long long)(left / CS_DAY));
    } else if (word == KS_SAY_SHA256 || word == KS_SAY_PUBLIC_KEY) {
        say_hash(out, word == KS_SAY_SHA256 ? i->sha256 : i->spki_sha256);
    } else {
        say_time(out, word == KS_SAY_NOT_BEFORE  ? i->not_before
                      : word == KS_SAY_NOT_AFTER ? i->not_after
                                                 : i->process_stop);
    }
}

static int say(void *ctx, enum ks_template_word word, cs_buf *out, cs_error *e)
{
    const struct saying *y = ctx;
    const struct ks_mailing *m = y->m;
    bool subscriber = m->d.sub_id != 0 && m->d.alias[0] != '\0';
    switch (word) {
    case KS_SAY_NAME: return cs_buf_adds(out, m->d.name);
    case KS_SAY_ABOUT: return cs_buf_adds(out, m->d.about[0] != '\0' ? m->d.about : m->info.alias);
    case KS_SAY_TEXT: return m->d.text[0] != '\0' ? cs_buf_adds(out, m->d.text) : 1;
    case KS_SAY_SYSTEM_TYPE: return cs_buf_adds(out, y->type);
    case KS_SAY_SYSTEM_NAME: return cs_buf_adds(out, y->name);
    case KS_SAY_BODY: return m->d.body != NULL ? add_ready(y->s, y->mail, m, y->now, out, e) : 0;
    case KS_SAY_OPT_OUT:
        if (subscriber) {
            add_command_out(out, m);
        }
        return subscriber ? 0 : 1;
    case KS_SAY_OPT_OUT_LINK: return m->opt_out.len > 0 ? cs_buf_adds(out, m->opt_out.data) : 1;
    default: say_entry(y, word, out); return 0;
    }
}

/** The subject of a template takes the place of the usual one, unless what was filled in would break its line. */
static int set_subject(struct saying *y, const char *subject, struct ks_mailing *m, cs_error *e)
{
    cs_buf b = CS_BUF_INIT;
    int rc = ks_template_fill(subject, say, y, &b, e);
    if (rc == 0 && ks_line_ok(b.data, sizeof m->subject)) {
        cs_copy(m->subject, sizeof m->subject, b.data);
    }
    cs_buf_free(&b);
    return rc;
}

static int compose_by(struct saying *y, const struct ks_template *t, struct ks_mailing *m, cs_error *e)
{
    bool own_way_out = (t->says & (1U << KS_SAY_OPT_OUT | 1U << KS_SAY_OPT_OUT_LINK)) != 0;
    if ((t->subject != NULL && set_subject(y, t->subject, m, e) != 0) ||
        ks_template_fill(t->body, say, y, &m->body, e) != 0) {
        return -1;
    }
    if (!own_way_out) {
        add_way_out(m);
    }
    return 0;
}

int ks_letter_compose(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, bool subject_alone,
                      cs_error *e)
{
    const ks_info *i = &m->info;
    const struct kind_row *row = &rows[m->d.kind];
    const char *type = m->d.system_type[0] != '\0' ? m->d.system_type : ks_role_word(i->role);
    const char *name = m->d.system_name[0] != '\0' ? m->d.system_name : i->alias;
    if (m->d.subject[0] != '\0') {
        snprintf(m->subject, sizeof m->subject, "%s", m->d.subject);
    } else if (row->system) {
        snprintf(m->subject, sizeof m->subject, "%s %s System: %s", row->subject, type, name);
    } else {
        snprintf(m->subject, sizeof m->subject, "%s %s", row->subject, m->d.about[0] != '\0' ? m->d.about : i->alias);
    }
    if (subject_alone) {
        return 0;
    }
    const struct ks_template *own = ks_template_for(mail, m->d.mail, m->d.kind);
    struct saying saying = {s, mail, m, now, type, name};
    cs_buf_adds(&m->body, "");
    if (make_way_out(s, mail, m, now, e) != 0) {
        return -1;
    }
    if (own != NULL) {
        if (compose_by(&saying, own, m, e) != 0) {
            return -1;
        }
    } else if (m->d.body == NULL) {
        add_composed(m, type, name, now);
    } else if (add_ready(s, mail, m, now, &m->body, e) != 0) {
        return -1;
    }
    if (own == NULL) {
        add_way_out(m);
    }
    return m->body.failed || m->opt_out.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                                               : 0;
}
