/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail.h: notices by mail. Letters are composed here alone, so that nothing which was stored can add a header; each
 * goes to one recipient in one SMTP transaction by libcurl.
 */
#ifndef KS_MAIL_H
#define KS_MAIL_H

#include "keystore/notice.h"

/** The block webhook { }. */
typedef struct ks_hook {
    bool given;
    char url[512];
    char secret_file[1024]; /**< its first line signs; read for each notice */
    char ca_file[1024];     /**< PEM; "": the system's authorities */
    int64_t timeout_ms;
} ks_hook;

struct ks_templates;

/** The ways for notices: the block mail { } of a configuration, and beside it the webhook. Plain data: a copy is one's
 *  own. */
typedef struct ks_mail {
    bool given;       /**< there is such a block */
    char server[256]; /**< smtp://HOST:PORT or smtps://HOST:PORT */
    char from[KS_MAIL];
    char user[128];           /**< "": no authentication */
    char password_file[1024]; /**< read for each letter */
    char ca_file[1024];       /**< PEM; "": the system's authorities */
    bool starttls_required;   /**< a server without TLS gets no letter; where a user is given, too */
    int64_t timeout_ms;       /**< of one letter, connection included */
    bool assume_sent; /**< what was on its way when its process was killed counts as sent, but for ends within 3 days */
    struct ks_templates *templates; /**< the configuration's; NULL: letters are the built-in ones */
    ks_hook hook;
    bool (*stop)(void *ctx); /**< asked now and then while a letter is under way: true gives it up. NULL: never */
    void *stop_ctx;
    /** Write the link that a reference (ks_tell) stands for, with a token of its own for that address, into out. Called
     *  with no transaction open. NULL: there are no links. @return 0, or -1 with e set: the letter waits */
    int (*link)(const char *base, ks_store *s, const char *reference, const char *address, cs_time now, cs_buf *out,
                cs_error *e);
    const char *link_base; /**< what links begin with, as "https://confirm.example.com"; borrowed */
} ks_mail;

#define KS_MAIL_TIMEOUT_MS 30000

/** What ks_deliver did. */
typedef struct ks_delivered {
    size_t sent, failed, put_off, dropped; /**< failed: for good; put_off: tried again later; dropped: no longer true */
    size_t waiting;                        /**< deliveries in the queue afterwards that have a way */
    size_t stuck;                          /**< mails in the queue, and there is no way for mail */
    cs_time next;                          /**< when the next of them is due; 0: none waits */
    char text[384];                        /**< of the last that did not go; "" all went */
} ks_delivered;

/**
 * Send what is due, one letter after the other. No transaction is open while a server is waited for: a delivery is
 * claimed, sent, settled. After a kill in between it is sent again with the same Message-ID. 4xx and trouble with the
 * connection: again after 1 min to 4 h; 5xx: failed for good; neither touches the other letters. The webhook likewise,
 * for a week. A letter whose process was killed in between goes out again (the same Message-ID), or counts as sent
 * (assume_sent). What has no way given stays in the queue. May run in several processes at once.
 * Any thread with a store of its own; blocks up to the timeout per letter.
 */
int ks_deliver(ks_store *s, const ks_mail *mail, cs_time now, ks_delivered *out, cs_error *e) CS_MUST_CHECK;

/** One letter to an address that proves the way. Refused or unreachable: exit 69, with what the server said. */
int ks_mail_test(const ks_mail *mail, const char *address, cs_time now, cs_error *e) CS_MUST_CHECK;

/* ---- letters ---------------------------------------------------------------------------------------------------- */

typedef struct ks_letter {
    const char *to_name, *to_mail; /**< borrowed, as all */
    const char *subject, *message_id;
    const char *body;
    const char *unsubscribe;                  /**< a link for List-Unsubscribe (RFC 8058); NULL: none */
    const char *attachment, *attachment_name; /**< a PEM file; NULL: none */
    cs_time date;
} ks_letter;

enum ks_sent { KS_SENT, KS_SENT_LATER /**< try again */, KS_SENT_NEVER };
/** @param text what the server or the library said; "" sent */
enum ks_sent ks_mail_send(const ks_mail *mail, const ks_letter *l, char *text, size_t size);

/** Part of an address behind its @. */
const char *ks_mail_domain(const char *mail);

#endif
