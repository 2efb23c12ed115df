/* SPDX-License-Identifier: Apache-2.0 */
/* mail.c: one letter by SMTP. */
#include "keystore/mail.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "keystore/http.h"

#define WORD_OCTETS 45 /* of text in one encoded word: 60 characters of base64, 72 with its frame, of 75 allowed */

const char *ks_mail_domain(const char *mail)
{
    const char *at = strrchr(mail, '@');
    return at != NULL ? at + 1 : "localhost";
}

/* ---- headers ---------------------------------------------------------------------------------------------------- */

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/** Octets of text for the next word: no character is cut in two. */
static size_t word_length(const char *text)
{
    size_t n = strlen(text);
    if (n <= WORD_OCTETS) {
        return n;
    }
    n = WORD_OCTETS;
    while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

/* The value of a header: as it is where it is ASCII, else in encoded words of RFC 2047. @return 0, or -1: a control
 * character, or no memory */
static int header_words(cs_buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return -1;
        }
    }
    if (is_ascii(text)) {
        return cs_buf_adds(out, text);
    }
    for (const char *p = text; *p != '\0';) {
        char word[4 * ((WORD_OCTETS + 2) / 3) + 1];
        size_t n = word_length(p);
        cs_base64_encode((const uint8_t *)p, n, word);
        cs_buf_addf(out, "%s=?UTF-8?B?%s?=", p == text ? "" : "\r\n ", word);
        p += n;
    }
    return out->failed ? -1 : 0;
}

/** A display name: quoted where it is ASCII. */
static int add_name(cs_buf *out, const char *name)
{
    if (!is_ascii(name)) {
        return header_words(out, name);
    }
    cs_buf_addc(out, '"');
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return -1;
        }
        if (*p == '"' || *p == '\\') {
            cs_buf_addc(out, '\\');
        }
        cs_buf_addc(out, *p);
    }
    return cs_buf_addc(out, '"');
}

static void date_text(cs_time t, char *out, size_t size)
{
    static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm = {0};
    time_t then = (time_t)t;
    gmtime_r(&then, &tm);
    snprintf(out, size, "%s, %02d %s %d %02d:%02d:%02d +0000", day[tm.tm_wday], tm.tm_mday, month[tm.tm_mon],
             tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int append(struct curl_slist **list, cs_buf *line)
{
    struct curl_slist *more = line->failed ? NULL : curl_slist_append(*list, line->data);
    cs_buf_reset(line);
    if (more == NULL) {
        return -1;
    }
    *list = more;
    return 0;
}

/** @return the headers, to be freed; NULL: a value that breaks a line, or no memory */
static struct curl_slist *headers(const ks_mail *mail, const ks_letter *l)
{
    struct curl_slist *list = NULL;
    cs_buf b = CS_BUF_INIT;
    char date[64];
    date_text(l->date, date, sizeof date);
    bool good = ks_mail_ok(l->to_mail) && ks_mail_ok(mail->from) && ks_line_ok(l->message_id, 998);
    good = good && cs_buf_addf(&b, "Date: %s", date) == 0 && append(&list, &b) == 0;
    good = good && cs_buf_addf(&b, "From: countersign <%s>", mail->from) == 0 && append(&list, &b) == 0;
    good = good && cs_buf_adds(&b, "To: ") == 0 && add_name(&b, l->to_name) == 0 &&
           cs_buf_addf(&b, " <%s>", l->to_mail) == 0 && append(&list, &b) == 0;
    good = good && cs_buf_adds(&b, "Subject: ") == 0 && header_words(&b, l->subject) == 0 && append(&list, &b) == 0;
    good = good && cs_buf_addf(&b, "Message-ID: <%s>", l->message_id) == 0 && append(&list, &b) == 0;
    if (l->unsubscribe != NULL) { /* one click: the mail program posts to the link by itself */
        good = good && ks_line_ok(l->unsubscribe, 900) &&
               cs_buf_addf(&b, "List-Unsubscribe: <%s>", l->unsubscribe) == 0 && append(&list, &b) == 0 &&
               cs_buf_adds(&b, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") == 0 && append(&list, &b) == 0;
    }
    /* nobody's out-of-office answers a machine */
    good = good && cs_buf_adds(&b, "Auto-Submitted: auto-generated") == 0 && append(&list, &b) == 0;
    if (!good) {
        curl_slist_free_all(list);
        list = NULL;
    }
    cs_buf_free(&b);
    return list;
}

static curl_mime *parts(CURL *curl, const ks_letter *l)
{
    curl_mime *mime = curl_mime_init(curl);
    curl_mimepart *part = mime != NULL ? curl_mime_addpart(mime) : NULL;
    bool good = part != NULL && curl_mime_data(part, l->body, CURL_ZERO_TERMINATED) == CURLE_OK &&
                curl_mime_type(part, "text/plain; charset=utf-8") == CURLE_OK &&
                curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
    if (good && l->attachment != NULL) {
        part = curl_mime_addpart(mime);
        good = part != NULL && curl_mime_data(part, l->attachment, CURL_ZERO_TERMINATED) == CURLE_OK &&
               curl_mime_type(part, "application/x-pem-file") == CURLE_OK &&
               curl_mime_filename(part, l->attachment_name) == CURLE_OK &&
               curl_mime_encoder(part, "base64") == CURLE_OK;
    }
    if (!good) {
        curl_mime_free(mime);
        mime = NULL;
    }
    return mime;
}

/* ---- the way ---------------------------------------------------------------------------------------------------- */

static int asked_to_stop(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const ks_mail *mail = ctx;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return mail->stop != NULL && mail->stop(mail->stop_ctx);
}

static bool set_way(CURL *curl, const ks_mail *mail, const struct curl_slist *to, const char *password)
{
    bool tls = mail->starttls_required || mail->user[0] != '\0';
    char sender[KS_MAIL + 2];
    snprintf(sender, sizeof sender, "<%s>", mail->from);
    bool good = curl_easy_setopt(curl, CURLOPT_URL, mail->server) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)mail->timeout_ms) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)mail->timeout_ms) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(tls ? CURLUSESSL_ALL : CURLUSESSL_TRY)) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, asked_to_stop) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_XFERINFODATA, mail) == CURLE_OK;
    if (good && mail->ca_file[0] != '\0') {
        good = curl_easy_setopt(curl, CURLOPT_CAINFO, mail->ca_file) == CURLE_OK;
    }
    if (good && mail->user[0] != '\0') {
        good = curl_easy_setopt(curl, CURLOPT_USERNAME, mail->user) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_PASSWORD, password) == CURLE_OK;
    }
    return good;
}

/** A refusal of this letter is final; what is wrong with the way there (connection, TLS, who we are) is not the
 *  letter's, and may be mended. */
static enum ks_sent judge(CURLcode rc, long code)
{
    if (rc == CURLE_OK) {
        return KS_SENT;
    }
    bool way = rc == CURLE_LOGIN_DENIED || rc == CURLE_USE_SSL_FAILED || code == 530 || code == 535 || code == 502;
    return !way && code >= 500 && code <= 599 ? KS_SENT_NEVER : KS_SENT_LATER;
}

static enum ks_sent perform(CURL *curl, char *text, size_t size)
{
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    if (curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why) != CURLE_OK) {
        snprintf(text, size, "out of memory");
        return KS_SENT_LATER;
    }
    CURLcode rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    enum ks_sent sent = judge(rc, code);
    if (sent != KS_SENT) {
        snprintf(text, size, "%s", why[0] != '\0' ? why : curl_easy_strerror(rc));
        if (code >= 400 && strstr(text, ": 4") == NULL && strstr(text, ": 5") == NULL) {
            size_t n = strlen(text);
            snprintf(text + n, size - n, " (the server said %ld)", code);
        }
    }
    ks_printable(text);
    return sent;
}

enum ks_sent ks_mail_send(const ks_mail *mail, const ks_letter *l, char *text, size_t size)
{
    char password[KS_SECRET_MAX] = "";
    char address[KS_MAIL + 2];
    enum ks_sent sent = KS_SENT_LATER;
    struct curl_slist *to = NULL, *header = NULL;
    curl_mime *mime = NULL;
    text[0] = '\0';
    CURL *curl = ks_http_ready() ? curl_easy_init() : NULL;
    snprintf(address, sizeof address, "<%s>", l->to_mail);
    if (mail->user[0] != '\0' && ks_secret_read(mail->password_file, password) != 0) {
        snprintf(text, size, "the password file %.200s cannot be read", mail->password_file);
        goto out;
    }
    header = headers(mail, l);
    if (header == NULL) {
        snprintf(text, size, "a header of the letter holds what must not stand there");
        sent = KS_SENT_NEVER;
        goto out;
    }
    to = curl_slist_append(NULL, address);
    mime = curl != NULL && to != NULL ? parts(curl, l) : NULL;
    if (mime == NULL || !set_way(curl, mail, to, password) ||
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime) != CURLE_OK) {
        snprintf(text, size, "the letter could not be prepared: out of memory");
        goto out;
    }
    sent = perform(curl, text, size);
out:
    OPENSSL_cleanse(password, sizeof password);
    curl_easy_cleanup(curl);
    curl_mime_free(mime);
    curl_slist_free_all(to);
    curl_slist_free_all(header);
    return sent;
}

int ks_mail_test(const ks_mail *mail, const char *address, cs_time now, cs_error *e)
{
    char text[384];
    char id[KS_MAIL + 64];
    uint8_t random[16];
    char hex[33];
    if (!mail->given) {
        return cs_error_set(e, CS_EXIT_CONFIG, "mail-missing",
                            "the configuration tells no way for mail; write: mail { server \"smtp://HOST:587\"; from "
                            "\"ADDRESS\"; }");
    }
    if (!ks_mail_ok(address)) {
        return cs_error_set(e, CS_EXIT_USAGE, "mail-address",
                            "not an address for mail: one local part, @, one domain; no blanks, quotes or line breaks");
    }
    if (RAND_bytes(random, sizeof random) != 1) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "random", "no random numbers");
    }
    snprintf(id, sizeof id, "%s@%s", cs_hex(random, sizeof random, hex), ks_mail_domain(mail->from));
    const ks_letter letter = {.to_name = address,
                              .to_mail = address,
                              .subject = "countersign: test of the way for notices",
                              .message_id = id,
                              .body = "This mail was asked for with: countersign keystore test-mail\r\n"
                                      "Notices about own certificates come the same way.\r\n",
                              .date = now};
    return ks_mail_send(mail, &letter, text, sizeof text) == KS_SENT
               ? 0
               : cs_error_set(e, CS_EXIT_UNAVAILABLE, "mail-not-sent", "%s took no mail: %s", mail->server, text);
}
