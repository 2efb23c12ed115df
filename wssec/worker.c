/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: making and freeing what one thread keeps between messages. */
#include "wssec/worker.h"

#include <stdlib.h>

#include "wssec/push.h"
#include "wssec/stream.h"

struct wssec_worker *wssec_worker_new(void)
{
    struct wssec_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->md = EVP_MD_CTX_new();
    if (w->md == NULL) {
        wssec_worker_free(w);
        return NULL;
    }
    return w;
}

void wssec_worker_room(struct wssec_worker *w, const struct wssec_room *room)
{
    w->package.room = room;
}

void wssec_worker_free(struct wssec_worker *w)
{
    if (w == NULL) {
        return;
    }
    wssec_message_free(&w->message);
    wssec_message_free(&w->second);
    wssec_push_free(w->push);
    wssec_package_free(&w->package);
    wssec_stream_free(w->stream);
    wssec_arena_free(&w->arena);
    xmlFreeParserCtxt(w->parser);
    EVP_MD_CTX_free(w->md);
    for (size_t i = 0; i < WSSEC_READY_KEYS; i++) {
        EVP_PKEY_CTX_free(w->ready[i].ctx);
    }
    wssec_tokens_free(&w->tokens);
    cs_buf_free(&w->signed_info);
    cs_buf_free(&w->scratch);
    cs_buf_free(&w->out);
    cs_buf_free(&w->signature_value);
    cs_buf_wipe(&w->opened[0]);
    cs_buf_wipe(&w->opened[1]);
    free(w->piece);
    free(w);
}
