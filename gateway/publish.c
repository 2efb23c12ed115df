/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c: see publish.h. */
#include "gateway/publish.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/fetch.h"
#include "gateway/gateway_private.h"
#include "gateway/listener.h"
#include "gateway/tls_peer.h"
#include "keystore/published.h"

int publish_init(struct publish *p)
{
    memset(p, 0, sizeof *p);
    return pthread_mutex_init(&p->lock, NULL) == 0 ? 0 : -1;
}

void publish_free(struct publish *p)
{
    cs_buf_free(&p->text);
    pthread_mutex_destroy(&p->lock);
}

static bool is_published_here(const struct exchange *ex)
{
    const struct gw_config *c = exchange_config(ex);
    for (const struct gw_listener *l = c->listener; l != NULL; l = l->next) {
        if (l->publish && listening_is(ex->client->listening, l)) {
            return true;
        }
    }
    return false;
}

/* Under the lock: the text of the snapshot. The tag follows the content, so that nodes of one keystore give the same.
 */
static int refresh(struct publish *p, const ks_snapshot *s)
{
    uint8_t digest[32];
    char hex[65];
    if (p->generation == ks_snapshot_generation(s)) {
        return 0;
    }
    p->generation = 0;
    cs_buf_reset(&p->text);
    if (ks_published(s, &p->text) != 0 ||
        EVP_Digest(p->text.data, p->text.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        cs_buf_free(&p->text);
        return -1;
    }
    snprintf(p->tag, sizeof p->tag, "\"%s\"", cs_hex(digest, sizeof digest, hex));
    p->generation = ks_snapshot_generation(s);
    return 0;
}

/* One of a list of tags, or all of them. */
static bool has_tag(const char *field, const char *tag)
{
    return field != NULL && (strcmp(field, "*") == 0 || strstr(field, tag) != NULL);
}

/* Who is known by a certificate of his that the keystore holds. */
static bool is_identified(const struct exchange *ex, const ks_snapshot *s)
{
    enum ks_state state = KS_STATES;
    const struct tls_peer *peer = ex->client->peer;
    return peer != NULL && ks_client_entry(s, peer->sha256, &state) != NULL &&
           (state == KS_ACTIVE || state == KS_DEACTIVATED);
}

static int write_reply(struct exchange *ex, struct publish *p, const ks_snapshot *s)
{
    const struct http1_head *h = http1_head(ex->parser);
    pthread_mutex_lock(&p->lock);
    int rc = refresh(p, s);
    if (rc == 0) {
        const struct http1_extra extra[] = {{"ETag", p->tag}, {"Cache-Control", "no-cache"}};
        bool known = has_tag(http1_field_value(h, "If-None-Match"), p->tag);
        ex->status = known ? 304 : 200;
        const struct http1_plain reply = {.status = ex->status,
                                          .type = "application/json",
                                          .body = p->text.data,
                                          .n = p->text.len,
                                          .close = true,
                                          .head_only = known || strcmp(h->method, "HEAD") == 0,
                                          .extra = extra,
                                          .n_extra = 2};
        rc = http1_write_plain(&ex->client_head, &reply);
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

bool publish_answer(struct exchange *ex)
{
    struct gateway *gw = ex->loop->gateway;
    const struct http1_head *h = http1_head(ex->parser);
    bool get = strcmp(h->method, "GET") == 0 || strcmp(h->method, "HEAD") == 0;
    if (!get || strcmp(h->path, PUBLISH_PATH) != 0 || !is_published_here(ex)) {
        return false;
    }
    struct runtime *rt = gateway_runtime(gw);
    if (write_reply(ex, &gw->publish, rt->snapshot) != 0) {
        cs_buf_free(&ex->client_head);
        ex->status = 0;
        exchange_fail(ex, WSSEC_OUT_OF_MEMORY, "no memory for the certificates");
    } else {
        if (ex->status == 200 && is_identified(ex, rt->snapshot)) {
            atomic_store(&gw->publish.taken, rt->generation);
            fetch_wake(gw->fetch);
        }
        ex->keep = false;
        exchange_answered(ex);
    }
    runtime_unref(rt);
    return true;
}

void publish_note(struct publish *p, const struct runtime *rt, ks_store *store, const char *node, cs_time now)
{
    cs_error e = {0};
    uint64_t taken = atomic_exchange(&p->taken, 0);
    if (taken == rt->generation && ks_published_taken(store, rt->snapshot, node, now, &e) != 0) {
        atomic_store(&p->taken, taken);
    }
}
