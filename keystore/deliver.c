/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.c: what is queued goes out. Each delivery is claimed in one transaction and settled in another, with nothing
 * open while a server is waited for; whoever is killed in between left it claimed, and when its lease is over it goes
 * out again with the same Message-ID: nothing is lost, and who keeps mails apart by that id sees one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/mail.h"
#include "keystore/notice_store.h"

#define LEASE_S    300 /* longer than any letter may take */
#define FIRST_WAIT 60  /* after a failed attempt, doubled each time */
#define LONGEST    14400
#define SILENT_MAX 3 /* servers that say nothing in a row: the way is down, the others wait for the next round */

/** Subject by kind; %s: type and name of the system. */
static const char *const subjects[KS_NOTICES] = {
    "Outbound Certificate Expiration. %s System: %s",
    "Outbound Certificate Expiration. %s System: %s",
    "Outbound Certificate Renewed. %s System: %s",
    "Outbound Certificate Renewal Failed. %s System: %s",
};

struct mailing {
    struct ks_delivery d;
    ks_info info;
    cs_buf body;
    char subject[2 * KS_FULL_NAME + 64];
    char *pem; /**< owned; NULL: nothing is attached */
};

static int claim(ks_store *s, const ks_mail *mail, cs_time now, struct ks_delivery *d, cs_error *e)
{
    cs_time lease = now + LEASE_S + mail->timeout_ms / 1000;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = s->driver->notices->claim(s->b, now, lease, ks_mail_domain(mail->from), d, e);
    if (rc == 1 && s->driver->commit(s->b, e) != 0) {
        rc = -1;
    }
    s->driver->rollback(s->b);
    return rc;
}

static int settle(ks_store *s, const struct ks_delivery *d, const char *state, cs_time next, const char *text,
                  cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_UPKEEP, e);
    if (rc == 0 && (rc = s->driver->notices->settle(s->b, d, state, next, text, e)) == 0) {
        rc = s->driver->commit(s->b, e);
    }
    s->driver->rollback(s->b);
    return rc;
}

static cs_time wait_s(int64_t attempts)
{
    cs_time wait = FIRST_WAIT;
    for (int64_t i = 1; i < attempts && wait < LONGEST; i++) {
        wait *= 2;
    }
    return wait < LONGEST ? wait : LONGEST;
}

/* ---- what a letter says ----------------------------------------------------------------------------------------- */

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
    add_hex(b, "SHA-256:     ", i->sha256);
    add_hex(b, "Public key:  ", i->spki_sha256);
}

static void add_opening(struct mailing *m, cs_time now)
{
    const ks_info *i = &m->info;
    int64_t days = (i->not_after - now) / CS_DAY;
    cs_buf *b = &m->body;
    switch (m->d.kind) {
    case KS_NOTICE_EXPIRATION:
        cs_buf_addf(b, "The certificate %s#%u ends in %lld day%s.\r\n", i->alias, i->n, (long long)days,
                    days == 1 ? "" : "s");
        break;
    case KS_NOTICE_EXPIRED:
        cs_buf_addf(b, "The certificate %s#%u has expired, and is still the one in use.\r\n", i->alias, i->n);
        break;
    case KS_NOTICE_RENEWED:
        cs_buf_addf(b, "The certificate of %s was renewed: %s#%u is the new one, attached to this mail.\r\n", i->alias,
                    i->alias, i->n);
        break;
    case KS_NOTICE_RENEWAL_FAILED:
    case KS_NOTICES:
        cs_buf_addf(b, "The certificate of %s could not be renewed; it ends in %lld day%s.\r\n", i->alias,
                    (long long)days, days == 1 ? "" : "s");
        break;
    }
    if (m->d.text[0] != '\0') {
        cs_buf_addf(b, "%s\r\n", m->d.text);
    }
}

static int compose(struct mailing *m, cs_time now, cs_error *e)
{
    const ks_info *i = &m->info;
    const char *type = m->d.system_type[0] != '\0' ? m->d.system_type : ks_role_word(i->role);
    const char *name = m->d.system_name[0] != '\0' ? m->d.system_name : i->alias;
    cs_buf *b = &m->body;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(m->subject, sizeof m->subject, subjects[m->d.kind], type, name);
#pragma GCC diagnostic pop
    add_opening(m, now);
    cs_buf_addf(b, "\r\nSystem:      %s, %s\r\n", type, name);
    add_entry(b, i);
    if (m->d.kind == KS_NOTICE_RENEWED) {
        cs_buf_addf(b,
                    "\r\nWho compares fingerprints needs the attached certificate.\r\nSee:  countersign keystore show "
                    "%s\r\n",
                    i->alias);
    } else {
        cs_buf_addf(b,
                    "\r\nNext:  countersign keystore generate --alias %s\r\nthen, when the other side has it:  "
                    "countersign keystore activate %s#N\r\n",
                    i->alias, i->alias);
    }
    cs_buf_addf(b, "\r\nNo more of these mails:  countersign keystore unsubscribe %s --mail %s\r\n", i->alias,
                m->d.mail);
    return b->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

/** The entry as it is now, and its certificate where that goes along. */
static int read_entry(ks_store *s, struct mailing *m, cs_time now, cs_error *e)
{
    const ks_filter f = {.alias = m->d.alias, .n = m->d.n, .with_destroyed = true};
    const ks_export_request q = {m->d.alias, m->d.n, KS_EXPORT_CERTIFICATE, KS_EXPORT_PEM};
    ks_list list = {NULL, 0};
    size_t n = 0;
    if (ks_list_entries(s, &f, now, &list, e) != 0) {
        return -1;
    }
    if (list.n == 1) {
        m->info = list.info[0];
    }
    ks_list_free(&list);
    return m->d.kind == KS_NOTICE_RENEWED ? ks_export(s, &q, &m->pem, &n, e) : 0;
}

/** Nobody needs to hear any more that a certificate ends which is not in use any more. */
static bool is_stale(const struct mailing *m)
{
    return (m->d.kind == KS_NOTICE_EXPIRATION || m->d.kind == KS_NOTICE_EXPIRED) && m->info.state != KS_ACTIVE;
}

static enum ks_sent post(const ks_mail *mail, const struct mailing *m, cs_time now, char *text, size_t size)
{
    char file[KS_WORD + 24];
    snprintf(file, sizeof file, "%s-%u.pem", m->info.alias, m->info.n);
    const ks_letter letter = {.to_name = m->d.name,
                              .to_mail = m->d.mail,
                              .subject = m->subject,
                              .message_id = m->d.message_id,
                              .body = m->body.data,
                              .attachment = m->pem,
                              .attachment_name = file,
                              .date = now};
    return ks_mail_send(mail, &letter, text, size);
}

/** @return 0, or -1: the store cannot be worked with. *silent: no server was reached */
static int deliver(ks_store *s, const ks_mail *mail, struct mailing *m, cs_time now, ks_delivered *out, bool *silent,
                   cs_error *e)
{
    char text[384] = "";
    *silent = false;
    if (read_entry(s, m, now, e) != 0) {
        return -1;
    }
    if (is_stale(m)) {
        out->dropped++;
        return settle(s, &m->d, "dropped", now, "the certificate is not in use any more", e);
    }
    if (compose(m, now, e) != 0) {
        return -1;
    }
    enum ks_sent sent = post(mail, m, now, text, sizeof text);
    if (sent == KS_SENT) {
        out->sent++;
        return settle(s, &m->d, "sent", now, NULL, e);
    }
    snprintf(out->text, sizeof out->text, "%.254s: %.120s", m->d.mail, text);
    if (sent == KS_SENT_NEVER) {
        out->failed++;
        return settle(s, &m->d, "failed", now, text, e);
    }
    out->put_off++;
    *silent = strstr(text, ": 4") == NULL;
    return settle(s, &m->d, "queued", now + wait_s(m->d.attempts), text, e);
}

static int count_waiting(ks_store *s, ks_delivered *out, cs_error *e)
{
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->notices->waiting(s->b, &out->waiting, &out->next, e);
        s->driver->rollback(s->b);
    }
    return rc;
}

/** One of those that are due. @return 1 one was taken up, 0 nothing is due, -1; *silent: no server was reached */
static int next_one(ks_store *s, const ks_mail *mail, cs_time now, ks_delivered *out, bool *silent, cs_error *e)
{
    struct mailing *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = claim(s, mail, now, &m->d, e);
    if (rc == 1 && deliver(s, mail, m, now, out, silent, e) != 0) {
        rc = -1;
    }
    cs_buf_free(&m->body);
    free(m->pem);
    free(m);
    return rc;
}

int ks_deliver(ks_store *s, const ks_mail *mail, cs_time now, ks_delivered *out, cs_error *e)
{
    int silent = 0;
    memset(out, 0, sizeof *out);
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    int rc = count_waiting(s, out, e);
    if (rc != 0 || !mail->given || out->waiting == 0 || out->next > now) {
        return rc; /* the lock of writers is not even asked for */
    }
    do {
        bool lost = false;
        rc = next_one(s, mail, now, out, &lost, e);
        silent = lost ? silent + 1 : 0;
    } while (rc == 1 && silent < SILENT_MAX && (mail->stop == NULL || !mail->stop(mail->stop_ctx)));
    return rc < 0 ? -1 : count_waiting(s, out, e);
}
