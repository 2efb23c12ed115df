/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook.h: notices for programs: one POST of JSON for each fact, signed with a secret that both sides have. The same
 * fact carries the same Idempotency-Key however often it is sent.
 */
#ifndef KS_WEBHOOK_H
#define KS_WEBHOOK_H

#include "keystore/letter.h"

/** The fact as JSON, into m->body. */
int ks_hook_compose(struct ks_mailing *m, cs_time now, cs_error *e) CS_MUST_CHECK;
/**
 * Send what was composed. Header Countersign-Signature: t=SECONDS,v1=HEX, where HEX is the HMAC-SHA256 of SECONDS, a
 * dot and the body. Any answer 2xx is a yes; 400, 410, 413 and 422 are a no for good; all else is tried again.
 * @param text what the other side or the library said; "" sent
 */
enum ks_sent ks_hook_send(const ks_mail *ways, const struct ks_mailing *m, cs_time now, char *text, size_t size);

#endif
