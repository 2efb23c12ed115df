/* SPDX-License-Identifier: Apache-2.0 */
/* letter.c: see letter.h. */
#include "keystore/letter.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/link.h"

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

/** How a subscriber gets no more of them. */
static int add_way_out(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, cs_error *e)
{
    char reference[KS_WORD + 16];
    if (m->d.sub_id == 0 || m->d.alias[0] == '\0') {
        return 0;
    }
    cs_buf_addf(&m->body, "\r\nNo more of these mails:  countersign keystore unsubscribe %s --mail %s\r\n", m->d.alias,
                m->d.mail);
    if (mail->link == NULL) {
        return 0;
    }
    ks_link_opt_out(m->d.alias, reference, sizeof reference);
    if (mail->link(mail->link_base, s, reference, m->d.mail, now, &m->opt_out, e) != 0) {
        return -1;
    }
    cs_buf_addf(&m->body, "or:  %s\r\n", m->opt_out.data != NULL ? m->opt_out.data : "");
    return 0;
}

/** One line of a letter that came ready; the mark of a link becomes a link, or the line goes. */
static int add_line(ks_store *s, const ks_mail *mail, struct ks_mailing *m, const char *line, size_t n, cs_time now,
                    cs_error *e)
{
    cs_buf *b = &m->body;
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

static int add_ready(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, cs_error *e)
{
    for (const char *p = m->d.body; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        if (add_line(s, mail, m, p, n, now, e) != 0) {
            return -1;
        }
        p += n + (p[n] == '\n' ? 1 : 0);
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
    cs_buf_adds(&m->body, "");
    if (m->d.body == NULL) {
        add_composed(m, type, name, now);
    } else if (add_ready(s, mail, m, now, e) != 0) {
        return -1;
    }
    if (add_way_out(s, mail, m, now, e) != 0) {
        return -1;
    }
    return m->body.failed || m->opt_out.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory")
                                               : 0;
}
