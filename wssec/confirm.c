/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.c: see confirm.h. */
#include "wssec/confirm.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/text.h"

#define VALUE_MAX 2048 /* RSA-16384 */

/* Which of the request's values an element repeats. @return its index, -1: none, or one that was repeated before */
static int match(const struct wssec_input *in, const xmlNode *node, const bool *seen)
{
    uint8_t value[VALUE_MAX];
    size_t n = 0;
    const char *text = (const char *)wssec_attr(node, NULL, "Value");
    if (text == NULL || cs_base64_decode(text, strlen(text), value, sizeof value, &n) != 0) {
        return -1;
    }
    for (size_t i = 0; i < in->n_confirm && i < WSSEC_CONFIRMATIONS; i++) {
        if (!seen[i] && in->confirm[i].n == n && CRYPTO_memcmp(in->confirm[i].p, value, n) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int wssec_confirm_judge(struct wssec_judge *j, const struct wssec_cover *c, size_t *confirmed)
{
    const struct wssec_input *in = j->input;
    bool seen[WSSEC_CONFIRMATIONS] = {false};
    size_t found = 0;
    *confirmed = 0;
    if (!in->response || in->n_confirm == 0) {
        return 0;
    }
    if (in->n_confirm > WSSEC_CONFIRMATIONS) {
        return wssec_refuse(j->why, WSSEC_SIGNATURE_CONFIRMATION_MISMATCH, "the request has more than %d signatures",
                            WSSEC_CONFIRMATIONS);
    }
    for (xmlNodePtr n = wssec_first_element(j->message->security); n != NULL; n = wssec_next_element(n)) {
        if (!wssec_is(n, WSSEC_NS_WSSE11, "SignatureConfirmation")) {
            continue;
        }
        int which = match(in, n, seen);
        if (which < 0) {
            return wssec_refuse(j->why, WSSEC_SIGNATURE_CONFIRMATION_MISMATCH,
                                "a SignatureConfirmation names no signature of the request, or one twice");
        }
        if (!wssec_covers(c, n)) {
            return wssec_refuse(j->why, WSSEC_PART_NOT_SIGNED, "SignatureConfirmation is not covered by the signature");
        }
        seen[which] = true;
        found++;
    }
    if (found == 0 && !j->policy->confirmation_required) {
        return 0; /* a peer of WSS 1.0 */
    }
    if (found != in->n_confirm) {
        return wssec_refuse(j->why, WSSEC_SIGNATURE_CONFIRMATION_MISMATCH,
                            "%zu of %zu signatures of the request are confirmed", found, in->n_confirm);
    }
    *confirmed = found;
    return 0;
}

void wssec_confirm_write(struct wssec_slice value, const char *id, cs_buf *out)
{
    char text[4 * ((VALUE_MAX + 2) / 3) + 1];
    if (value.n > VALUE_MAX) {
        out->failed = true;
        return;
    }
    (void)cs_base64_encode(value.p, value.n, text);
    (void)cs_buf_addf(out,
                      "<wsse11:SignatureConfirmation xmlns:wsse11=\"" WSSEC_NS_WSSE11 "\" wsu:Id=\"%s\" Value=\"%s\"/>",
                      id, text);
}
