/* SPDX-License-Identifier: Apache-2.0 */
/* token.c: see token.h. */
#include "wssec/token.h"

#include <string.h>

#include "wssec/sec.h"
#include "wssec/worker.h"

#define REMEMBERED 8192 /* octets of a text; a longer one is decoded each time */

static const struct wssec_token *find(const struct wssec_tokens *t, const xmlChar *text, size_t n)
{
    for (size_t i = 0; i < WSSEC_TOKENS; i++) {
        if (t->seen[i].text.len == n && memcmp(t->seen[i].text.data, text, n) == 0) {
            return &t->seen[i];
        }
    }
    return NULL;
}

/* Without memory it is as if it had not been seen. */
static void keep(struct wssec_tokens *t, const xmlChar *text, size_t n, struct wssec_slice octets,
                 const uint8_t sha256[32])
{
    struct wssec_token *to = &t->seen[t->next];
    t->next = (t->next + 1) % WSSEC_TOKENS;
    cs_buf_reset(&to->text);
    cs_buf_reset(&to->octets);
    memcpy(to->sha256, sha256, sizeof to->sha256);
    if (cs_buf_add(&to->octets, octets.p, octets.n) != 0 || cs_buf_add(&to->text, text, n) != 0) {
        cs_buf_reset(&to->text);
        cs_buf_reset(&to->octets);
    }
}

struct wssec_slice wssec_token_octets(struct wssec_tokens *tokens, struct wssec_arena *arena, const xmlNode *node,
                                      size_t max, uint8_t sha256[32], int *rc)
{
    size_t n = 0;
    const xmlChar *text = wssec_text(node, &n);
    bool counts = tokens != NULL && text != NULL && n > 0 && n <= REMEMBERED;
    const struct wssec_token *seen = counts ? find(tokens, text, n) : NULL;
    struct wssec_slice out = {NULL, 0};
    if (seen != NULL && seen->octets.len <= max) {
        out.p = (const uint8_t *)wssec_arena_text(arena, seen->octets.data, seen->octets.len);
        out.n = out.p != NULL ? seen->octets.len : 0;
        *rc = out.p != NULL ? *rc : WSSEC_RC_NOMEM;
        memcpy(sha256, seen->sha256, sizeof seen->sha256);
        return out;
    }
    out = wssec_base64_content(arena, node, max, rc);
    if (out.p != NULL && EVP_Digest(out.p, out.n, sha256, NULL, wssec_md("SHA256"), NULL) != 1) {
        *rc = WSSEC_RC_NOMEM;
        return (struct wssec_slice){NULL, 0};
    }
    if (out.p != NULL && counts) {
        keep(tokens, text, n, out, sha256);
    }
    return out;
}

void wssec_tokens_free(struct wssec_tokens *t)
{
    for (size_t i = 0; i < WSSEC_TOKENS; i++) {
        cs_buf_free(&t->seen[i].text);
        cs_buf_free(&t->seen[i].octets);
    }
}
