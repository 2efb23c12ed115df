/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c: see webhook.h. */
#include "keystore/webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "keystore/http.h"

static void add_entry(cs_json *j, const struct ks_mailing *m, cs_time now)
{
    const ks_info *i = &m->info;
    char entry[KS_WORD + 12];
    snprintf(entry, sizeof entry, "%s#%u", i->alias, i->n);
    cs_json_object(j, "certificate");
    cs_json_str(j, "alias", i->alias);
    cs_json_str(j, "entry", entry);
    cs_json_str(j, "role", ks_role_word(i->role));
    cs_json_str(j, "state", ks_state_word(i->state));
    cs_json_str(j, "system_type", m->d.system_type[0] != '\0' ? m->d.system_type : NULL);
    cs_json_str(j, "system_name", m->d.system_name[0] != '\0' ? m->d.system_name : NULL);
    cs_json_str(j, "subject", i->subject);
    cs_json_str(j, "issuer", i->issuer);
    cs_json_str(j, "serial", i->serial);
    cs_json_hex(j, "sha256", i->sha256, sizeof i->sha256);
    cs_json_time(j, "not_before", i->not_before);
    cs_json_time(j, "not_after", i->not_after);
    cs_json_int(j, "days_left", i->not_after > now ? (i->not_after - now) / CS_DAY : 0);
    cs_json_str(j, "pem", m->pem);
    cs_json_object_end(j);
}

int ks_hook_compose(struct ks_mailing *m, cs_time now, cs_error *e)
{
    cs_json j;
    cs_json_begin(&j, &m->body);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_str(&j, "id", m->d.message_id);
    cs_json_str(&j, "kind", ks_notice_word(m->d.kind));
    cs_json_int(&j, "occasion", m->d.occasion);
    cs_json_time(&j, "raised", m->d.due_at);
    cs_json_str(&j, "subject", m->subject);
    cs_json_str(&j, "about", m->d.about[0] != '\0' ? m->d.about : NULL);
    cs_json_str(&j, "text", m->d.text[0] != '\0' ? m->d.text : NULL);
    if (m->info.n != 0) {
        add_entry(&j, m, now);
    }
    cs_json_object_end(&j);
    return m->body.failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

/** Header of the signature. @return 0, or -1: the secret cannot be read, or no memory */
static int sign(const ks_hook *hook, const struct ks_mailing *m, cs_time now, char *out, size_t size)
{
    char secret[KS_SECRET_MAX] = "";
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    cs_buf signed_text = CS_BUF_INIT;
    cs_buf_addf(&signed_text, "%lld.", (long long)now);
    cs_buf_add(&signed_text, m->body.data, m->body.len);
    int rc = !signed_text.failed && ks_secret_read(hook->secret_file, secret) == 0 &&
                     HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)signed_text.data, signed_text.len,
                          mac, &n) != NULL
                 ? 0
                 : -1;
    if (rc == 0) {
        snprintf(out, size, "Countersign-Signature: t=%lld,v1=%s", (long long)now, cs_hex(mac, n, hex));
    }
    OPENSSL_cleanse(secret, sizeof secret);
    cs_buf_free(&signed_text);
    return rc;
}

static enum ks_sent judge(long code)
{
    static const long never[] = {400, 410, 413, 422};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if (code == never[i]) {
            return KS_SENT_NEVER;
        }
    }
    return code >= 200 && code <= 299 ? KS_SENT : KS_SENT_LATER;
}

enum ks_sent ks_hook_send(const ks_mail *ways, const struct ks_mailing *m, cs_time now, char *text, size_t size)
{
    const ks_hook *hook = &ways->hook;
    char signature[192];
    char key[KS_MESSAGE_ID + 24];
    text[0] = '\0';
    if (sign(hook, m, now, signature, sizeof signature) != 0) {
        snprintf(text, size, "the secret %.200s cannot be read", hook->secret_file);
        return KS_SENT_LATER;
    }
    snprintf(key, sizeof key, "Idempotency-Key: %s", m->d.message_id);
    struct ks_http h = {.url = hook->url,
                        .post_type = "application/json",
                        .header = {key, signature},
                        .body = m->body.data,
                        .body_len = m->body.len,
                        .ca_file = hook->ca_file,
                        .timeout_ms = hook->timeout_ms,
                        .stop = {ways->stop, ways->stop_ctx}};
    if (ks_http_do(&h) != 0) {
        snprintf(text, size, "%s", h.text);
        return KS_SENT_LATER;
    }
    enum ks_sent sent = judge(h.status);
    if (sent != KS_SENT) {
        snprintf(text, size, "HTTP %ld", h.status);
    }
    return sent;
}
