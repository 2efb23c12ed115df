/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.c: what is queued goes out. Each delivery is claimed in one transaction and settled in another, with nothing
 * open while a server is waited for; whoever is killed in between left it claimed, and when its lease is over it goes
 * out again with the same Message-ID: nothing is lost, and who keeps mails apart by that id sees one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keystore/letter.h"
#include "keystore/webhook.h"

#define LEASE_S    300 /* longer than any letter may take */
#define FIRST_WAIT 60  /* after a failed attempt, doubled each time */
#define LONGEST    14400
#define HOOK_NEWS  (7 * CS_DAY) /* what is older is not told to a webhook any more */
#define URGENT     (3 * CS_DAY)
#define SILENT_MAX 3 /* servers that say nothing in a row: the way is down, the others wait for the next round */

static int claim(ks_store *s, const ks_mail *mail, const struct ks_ways *ways, cs_time now, struct ks_delivery *d,
                 cs_error *e)
{
    cs_time lease = now + LEASE_S + (mail->timeout_ms + mail->hook.timeout_ms) / 1000;
    if (s->driver->begin(s->b, KS_UPKEEP, e) != 0) {
        return -1;
    }
    int rc = s->driver->notices->claim(s->b, ways, now, lease, d, e);
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

/* ---- one letter ------------------------------------------------------------------------------------------------- */

/** The entry as it is now, and its certificate where that goes along. */
static int read_entry(ks_store *s, struct ks_mailing *m, cs_time now, cs_error *e)
{
    const ks_filter f = {.alias = m->d.alias, .n = m->d.n, .with_destroyed = true};
    const ks_export_request q = {m->d.alias, m->d.n, m->d.attach ? KS_EXPORT_CHAIN : KS_EXPORT_CERTIFICATE,
                                 KS_EXPORT_PEM};
    ks_list list = {NULL, 0};
    size_t n = 0;
    if (m->d.n == 0) {
        return 0;
    }
    if (ks_list_entries(s, &f, now, &list, e) != 0) {
        return -1;
    }
    if (list.n == 1) {
        m->info = list.info[0];
    }
    ks_list_free(&list);
    return m->d.attach || m->d.kind == KS_NOTICE_RENEWED ? ks_export(s, &q, &m->pem, &n, e) : 0;
}

/** Nobody needs to hear any more that a certificate ends which is not in use any more. */
static bool is_stale(const struct ks_mailing *m)
{
    return (m->d.kind == KS_NOTICE_EXPIRATION || m->d.kind == KS_NOTICE_EXPIRED) && m->info.state != KS_ACTIVE;
}

/** Is it about an end that is near? Then a mail too many is better than one too few. */
static bool is_urgent(const struct ks_mailing *m, cs_time now)
{
    bool end =
        m->d.kind == KS_NOTICE_EXPIRATION || m->d.kind == KS_NOTICE_EXPIRED || m->d.kind == KS_NOTICE_RENEWAL_FAILED;
    return end && m->info.not_after - now <= URGENT;
}

static enum ks_sent post(const ks_mail *mail, const struct ks_mailing *m, cs_time now, char *text, size_t size)
{
    char file[KS_WORD + 24];
    snprintf(file, sizeof file, "%s-%u.pem", m->info.alias, m->info.n);
    const ks_letter letter = {.to_name = m->d.name,
                              .to_mail = m->d.mail,
                              .subject = m->subject,
                              .message_id = m->d.message_id,
                              .body = m->body.data,
                              .unsubscribe = m->opt_out.len > 0 ? m->opt_out.data : NULL,
                              .attachment = m->pem,
                              .attachment_name = file,
                              .date = now};
    return ks_mail_send(mail, &letter, text, size);
}

/** @return 0, or -1: the store cannot be worked with. *silent: no server was reached */
static int deliver(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, ks_delivered *out, bool *silent,
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
    bool hook = m->d.mail[0] == '\0';
    if (m->d.interrupted && mail->assume_sent && !hook && !is_urgent(m, now)) {
        out->sent++;
        return settle(s, &m->d, "sent", now, "assumed: its process ended while it was on its way", e);
    }
    if (ks_letter_compose(s, mail, m, now, hook, e) != 0 || (hook && ks_hook_compose(m, now, e) != 0)) {
        return -1;
    }
    enum ks_sent sent = hook ? ks_hook_send(mail, m, now, text, sizeof text) : post(mail, m, now, text, sizeof text);
    if (sent == KS_SENT) {
        out->sent++;
        return settle(s, &m->d, "sent", now, NULL, e);
    }
    snprintf(out->text, sizeof out->text, "%.254s: %.120s", hook ? mail->hook.url : m->d.mail, text);
    if (sent == KS_SENT_NEVER) {
        out->failed++;
        return settle(s, &m->d, "failed", now, text, e);
    }
    out->put_off++;
    *silent = strstr(text, hook ? "HTTP " : ": 4") == NULL;
    return settle(s, &m->d, "queued", now + wait_s(m->d.attempts), text, e);
}

static int count_waiting(ks_store *s, const ks_mail *mail, const struct ks_ways *ways, ks_delivered *out, cs_error *e)
{
    size_t mails = 0;
    int rc = s->driver->begin(s->b, KS_READ, e);
    if (rc == 0) {
        rc = s->driver->notices->waiting(s->b, ways, &out->waiting, &out->next, &mails, e);
        s->driver->rollback(s->b);
    }
    out->stuck = mail->given ? 0 : mails;
    return rc;
}

/** One of those that are due. @return 1 one was taken up, 0 nothing is due, -1; silent: servers that said nothing in a
 *  row, of mail and of the webhook */
static int next_one(ks_store *s, const ks_mail *mail, const struct ks_ways *ways, cs_time now, ks_delivered *out,
                    int silent[2], cs_error *e)
{
    bool lost = false;
    struct ks_mailing *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    int rc = claim(s, mail, ways, now, &m->d, e);
    if (rc == 1 && deliver(s, mail, m, now, out, &lost, e) != 0) {
        rc = -1;
    }
    int *row = &silent[m->d.mail[0] == '\0'];
    *row = lost ? *row + 1 : 0;
    cs_buf_wipe(&m->opt_out);
    cs_buf_wipe(&m->body); /* there may be a link in it that opens something */
    free(m->d.body);
    free(m->pem);
    free(m);
    return rc;
}

int ks_deliver(ks_store *s, const ks_mail *mail, cs_time now, ks_delivered *out, cs_error *e)
{
    const struct ks_ways all = {mail->given, mail->hook.given, now - HOOK_NEWS, ks_mail_domain(mail->from)};
    struct ks_ways open = all;
    int silent[2] = {0, 0};
    memset(out, 0, sizeof *out);
    if (!ks_keeps_notices(s)) {
        return 0;
    }
    int rc = count_waiting(s, mail, &all, out, e);
    if (rc != 0 || out->waiting == 0 || out->next > now) {
        return rc; /* the lock of writers is not even asked for */
    }
    do {
        rc = next_one(s, mail, &open, now, out, silent, e);
        open.mail = all.mail && silent[0] < SILENT_MAX;
        open.hook = all.hook && silent[1] < SILENT_MAX;
    } while (rc == 1 && (open.mail || open.hook) && (mail->stop == NULL || !mail->stop(mail->stop_ctx)));
    return rc < 0 ? -1 : count_waiting(s, mail, &all, out, e);
}
