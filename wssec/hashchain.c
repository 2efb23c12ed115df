/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hashchain.c: see hashchain.h. A step refers to steps behind it only, as its only producer writes them: so there are
 * no circles, each step is made once, and two passes over the list do for any chain.
 */
#include "wssec/hashchain.h"

#include <openssl/crypto.h>
#include <string.h>

#include "wssec/worker.h"

#define NS_CHAIN   "http://cyber.ee/hashchain"
#define STEPS_MAX  16    /* of one chain, as children of any root: a batch of 2^14 messages */
#define VALUES_MAX 16384 /* of one chain: attachments of one message */
#define ID_MAX     64

struct step {
    const xmlNode *node;
    const xmlChar *id;
    bool reached;
    struct wssec_slice der; /* its values, of the arena */
};

struct reading {
    struct wssec_judge *judge;
    struct wssec_hashchain *out;
    const struct wssec_digest_alg *deflt;
    const xmlNode *deflt_method;
    struct step step[STEPS_MAX];
    size_t n, values;
};

/* ---- documents ------------------------------------------------------------------------------------------------- */

/* The file as a tree in worker->second. @return its root; NULL: see *rc and why, or it is no XML */
static const xmlNode *document_of(struct wssec_judge *j, size_t file, bool any, int *rc)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_message *m = &j->worker->second;
    const struct wssec_file *part = &j->reader.files->part[file - 1];
    const struct wssec_input in = {.slice = &part->content, .n_slice = 1};
    *rc = wssec_document_read(j->worker, &in, j->policy, m, &why);
    if (*rc == WSSEC_RC_OK && why.reason != WSSEC_OK && !any) {
        (void)wssec_refuse(j->why, WSSEC_HASH_CHAIN_BROKEN, "%.64s cannot be read: %.200s", part->name, why.detail);
    }
    return *rc == WSSEC_RC_OK && why.reason == WSSEC_OK ? xmlDocGetRootElement(m->doc) : NULL;
}

static int broken(struct wssec_judge *j, const char *what)
{
    (void)wssec_refuse(j->why, WSSEC_HASH_CHAIN_BROKEN, "%s", what);
    return WSSEC_RC_OK;
}

static bool stopped(const struct wssec_judge *j)
{
    return j->why->reason != WSSEC_OK;
}

/* ---- DER ------------------------------------------------------------------------------------------------------- */

static void put_head(cs_buf *b, uint8_t tag, size_t n)
{
    uint8_t head[6] = {tag};
    size_t len = 1;
    if (n < 0x80) {
        head[len++] = (uint8_t)n;
    } else {
        size_t octets = n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x1000000 ? 3 : 4;
        head[len++] = (uint8_t)(0x80 | octets);
        for (size_t i = octets; i > 0; i--) {
            head[len++] = (uint8_t)(n >> (8 * (i - 1)));
        }
    }
    (void)cs_buf_add(b, head, len);
}

/* SingleDigest ::= SEQUENCE { OCTET STRING, UTF8String (URI of the digest), SEQUENCE {} (transforms) } */
static void put_digest(cs_buf *b, const struct wssec_digest_alg *alg, const uint8_t *value)
{
    size_t uri = strlen(alg->uri);
    put_head(b, 0x30, 2 + alg->octets + 2 + uri + 2);
    put_head(b, 0x04, alg->octets);
    (void)cs_buf_add(b, value, alg->octets);
    put_head(b, 0x0c, uri);
    (void)cs_buf_add(b, alg->uri, uri);
    put_head(b, 0x30, 0);
}

static int digest_of(const struct wssec_slice *octets, const struct wssec_digest_alg *alg, uint8_t out[64])
{
    return EVP_Digest(octets->p, octets->n, out, NULL, wssec_md(alg->evp), NULL) == 1 ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* ---- values of a step ------------------------------------------------------------------------------------------ */

struct value { /* HashValue, StepRef, DataRef */
    const struct wssec_digest_alg *digest;
    const xmlNode *said; /* DigestValue, NULL: none */
    uint8_t octets[64];
};

/* @return the DigestMethod that holds for a value; NULL and refused: its shape is another one */
static const xmlNode *parts_of(const struct reading *r, const xmlNode *node, struct value *v)
{
    const xmlNode *n = wssec_first_element(node);
    const xmlNode *method = r->deflt_method;
    if (wssec_is(n, WSSEC_NS_DS, "Transforms")) {
        (void)wssec_refuse(r->judge->why, WSSEC_TRANSFORM_FORBIDDEN, "a value of the hash chain with transforms");
        return NULL;
    }
    if (wssec_is(n, WSSEC_NS_DS, "DigestMethod")) {
        method = n;
        n = wssec_next_element(n);
    }
    if (wssec_is(n, WSSEC_NS_DS, "DigestValue")) {
        v->said = n;
        n = wssec_next_element(n);
    }
    if (n != NULL) {
        (void)broken(r->judge, "a value of the hash chain is not DigestMethod, DigestValue");
        return NULL;
    }
    return method;
}

/* "#STEP1", or with the name of the chain in front. @return place, or r->n: no such step */
static size_t step_named(const struct reading *r, const xmlChar *uri)
{
    const char *mark = uri != NULL ? strchr((const char *)uri, '#') : NULL;
    size_t i = r->n;
    if (mark != NULL && mark != (const char *)uri) {
        char base[256];
        size_t n = (size_t)(mark - (const char *)uri);
        if (n >= sizeof base) {
            return i;
        }
        memcpy(base, uri, n);
        base[n] = '\0';
        if (wssec_file_named(r->judge->reader.files, BAD_CAST base) != r->out->chain) {
            return i;
        }
    }
    for (i = 0; mark != NULL && i < r->n && strcmp((const char *)r->step[i].id, mark + 1) != 0; i++) {
    }
    return mark != NULL ? i : r->n;
}

/* Which of them the first step leads to; references go down the list. */
static int reach(struct reading *r, size_t at)
{
    for (const xmlNode *n = wssec_first_element(r->step[at].node); n != NULL; n = wssec_next_element(n)) {
        if (++r->values > VALUES_MAX) {
            return broken(r->judge, "the hash chain has too many values");
        }
        if (wssec_is(n, NS_CHAIN, "StepRef")) {
            size_t to = step_named(r, wssec_attr(n, NULL, "URI"));
            if (to <= at || to >= r->n) {
                return broken(r->judge, "a step of the hash chain refers to none behind it");
            }
            r->step[to].reached = true;
        } else if (!wssec_is(n, NS_CHAIN, "HashValue") && !wssec_is(n, NS_CHAIN, "DataRef")) {
            return broken(r->judge, "a step of the hash chain holds something unknown");
        }
    }
    return WSSEC_RC_OK;
}

static int add_end(struct reading *r, const xmlNode *node, const struct value *v)
{
    struct wssec_hashchain *out = r->out;
    const xmlChar *uri = wssec_attr(node, NULL, "URI");
    if (uri == NULL || v->said == NULL) {
        return broken(r->judge, "a DataRef of the hash chain has no URI or no DigestValue");
    }
    if (out->end == NULL) {
        out->end = wssec_arena_take(&r->judge->worker->arena, r->values * sizeof *out->end);
    }
    struct wssec_chained *end = out->end != NULL ? &out->end[out->n_end++] : NULL;
    if (end == NULL) {
        return WSSEC_RC_NOMEM;
    }
    end->uri = BAD_CAST wssec_arena_text(&r->judge->worker->arena, uri, strlen((const char *)uri));
    end->file = wssec_file_named(r->judge->reader.files, uri);
    end->digest = v->digest;
    memcpy(end->value, v->octets, sizeof end->value);
    return end->uri != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* The digest that stands for a value in its step. */
static int value_of(struct reading *r, const xmlNode *node, struct value *v)
{
    struct wssec_judge *j = r->judge;
    const xmlNode *method = parts_of(r, node, v);
    int rc = WSSEC_RC_OK;
    if (method == NULL) {
        return rc;
    }
    bool step = wssec_is(node, NS_CHAIN, "StepRef");
    if (v->said != NULL) {
        rc = wssec_digest_read(&j->reader, method, v->said, &v->digest, v->octets);
    } else if (!step) {
        return broken(j, "a value of the hash chain has no DigestValue");
    } else {
        v->digest = r->deflt;
    }
    if (rc != WSSEC_RC_OK || stopped(j)) {
        return rc;
    }
    if (step) {
        uint8_t made[64];
        if (v->said == NULL && method != r->deflt_method) {
            return broken(j, "a StepRef of the hash chain has a DigestMethod and no DigestValue");
        }
        rc = digest_of(&r->step[step_named(r, wssec_attr(node, NULL, "URI"))].der, v->digest, made);
        if (rc == WSSEC_RC_OK && v->said != NULL && CRYPTO_memcmp(made, v->octets, v->digest->octets) != 0) {
            return broken(j, "a StepRef of the hash chain has another digest than its step");
        }
        memcpy(v->octets, made, sizeof made);
        return rc;
    }
    return wssec_is(node, NS_CHAIN, "DataRef") ? add_end(r, node, v) : rc;
}

static int make(struct reading *r, struct step *s)
{
    struct wssec_judge *j = r->judge;
    cs_buf list = CS_BUF_INIT;
    cs_buf der = CS_BUF_INIT;
    int rc = WSSEC_RC_OK;
    for (const xmlNode *n = wssec_first_element(s->node); n != NULL && rc == WSSEC_RC_OK && !stopped(j);
         n = wssec_next_element(n)) {
        struct value v = {NULL, NULL, {0}};
        rc = value_of(r, n, &v);
        if (rc == WSSEC_RC_OK && !stopped(j)) {
            put_digest(&list, v.digest, v.octets);
        }
    }
    if (rc == WSSEC_RC_OK && !stopped(j)) {
        put_head(&der, 0x30, list.len);
        (void)cs_buf_add(&der, list.data, list.len);
        s->der.n = der.len;
        s->der.p = list.failed || der.failed ? NULL : (uint8_t *)wssec_arena_text(&j->worker->arena, der.data, der.len);
        rc = s->der.p != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
    }
    cs_buf_free(&list);
    cs_buf_free(&der);
    return rc;
}

/* ---- the chain ------------------------------------------------------------------------------------------------- */

static int read_steps(struct reading *r, const xmlNode *root)
{
    struct wssec_judge *j = r->judge;
    const xmlNode *n = wssec_first_element(root);
    if (!wssec_is(root, NS_CHAIN, "HashChain") || !wssec_is(n, NS_CHAIN, "DefaultDigestMethod")) {
        return broken(j, "the hash chain does not begin with DefaultDigestMethod");
    }
    const xmlChar *uri = wssec_attr(n, NULL, "Algorithm");
    r->deflt = uri != NULL ? wssec_digest_by_uri((const char *)uri) : NULL;
    r->deflt_method = n;
    if (r->deflt == NULL) {
        (void)wssec_refuse(j->why, WSSEC_ALGORITHM_UNSUPPORTED, "%.200s", uri != NULL ? (const char *)uri : "(none)");
        return WSSEC_RC_OK;
    }
    for (n = wssec_next_element(n); n != NULL; n = wssec_next_element(n)) {
        const xmlChar *id = wssec_attr(n, NULL, "id");
        if (!wssec_is(n, NS_CHAIN, "HashStep") || id == NULL || strlen((const char *)id) > ID_MAX ||
            r->n == STEPS_MAX) {
            return broken(j, "the hash chain holds something that is no HashStep with an id, or too many of them");
        }
        for (size_t i = 0; i < r->n; i++) {
            if (strcmp((const char *)r->step[i].id, (const char *)id) == 0) {
                return broken(j, "two steps of the hash chain have one id");
            }
        }
        r->step[r->n++] = (struct step){.node = n, .id = id};
    }
    return WSSEC_RC_OK;
}

static int follow(struct reading *r, const xmlNode *root, const xmlChar *first, const struct wssec_chained *result)
{
    struct wssec_judge *j = r->judge;
    int rc = read_steps(r, root);
    size_t from = stopped(j) ? 0 : step_named(r, first);
    if (rc != WSSEC_RC_OK || stopped(j) || from == r->n) {
        return stopped(j) || rc != WSSEC_RC_OK ? rc : broken(j, "the result names no step of the hash chain");
    }
    r->step[from].reached = true;
    for (size_t i = from; i < r->n && rc == WSSEC_RC_OK && !stopped(j); i++) {
        rc = r->step[i].reached ? reach(r, i) : rc;
    }
    for (size_t i = r->n; i > from && rc == WSSEC_RC_OK && !stopped(j); i--) {
        rc = r->step[i - 1].reached ? make(r, &r->step[i - 1]) : rc;
    }
    uint8_t made[64];
    if (rc == WSSEC_RC_OK && !stopped(j)) {
        rc = digest_of(&r->step[from].der, result->digest, made);
    }
    if (rc == WSSEC_RC_OK && !stopped(j) && CRYPTO_memcmp(made, result->value, result->digest->octets) != 0) {
        return broken(j, "the hash chain gives another digest than its signed result has");
    }
    return rc;
}

/* DigestMethod, DigestValue and the URI of the first step, which outlive the tree of the result. */
static int read_result(struct wssec_judge *j, const xmlNode *root, struct wssec_chained *result)
{
    const xmlNode *method = wssec_first_element(root);
    const xmlNode *value = wssec_next_element(method);
    const xmlChar *uri = wssec_attr(root, NULL, "URI");
    const char *mark = uri != NULL ? strchr((const char *)uri, '#') : NULL;
    if (!wssec_is(method, WSSEC_NS_DS, "DigestMethod") || !wssec_is(value, WSSEC_NS_DS, "DigestValue") ||
        wssec_next_element(value) != NULL || mark == NULL) {
        return broken(j, "HashChainResult is not DigestMethod, DigestValue, with the URI of a step");
    }
    int rc = wssec_digest_read(&j->reader, method, value, &result->digest, result->value);
    char *base = wssec_arena_text(&j->worker->arena, uri, (size_t)(mark - (const char *)uri));
    char *whole = wssec_arena_text(&j->worker->arena, uri, strlen((const char *)uri));
    if (base == NULL || whole == NULL) {
        return WSSEC_RC_NOMEM;
    }
    result->uri = BAD_CAST whole;
    result->file = base[0] != '\0' ? wssec_file_named(j->reader.files, BAD_CAST base) : 0;
    return rc;
}

int wssec_hashchain_read(struct wssec_judge *j, size_t file, struct wssec_hashchain *out)
{
    struct wssec_chained result = {.file = 0};
    int rc = WSSEC_RC_OK;
    *out = (struct wssec_hashchain){.is_one = false};
    const xmlNode *root = document_of(j, file, true, &rc);
    out->is_one = wssec_is(root, NS_CHAIN, "HashChainResult");
    if (out->is_one) {
        rc = read_result(j, root, &result);
    }
    if (rc != WSSEC_RC_OK || !out->is_one || stopped(j)) {
        wssec_message_reset(&j->worker->second);
        return rc;
    }
    struct reading *r = wssec_arena_take(&j->worker->arena, sizeof *r);
    out->chain = result.file;
    if (out->chain == 0 || r == NULL) {
        wssec_message_reset(&j->worker->second);
        return r == NULL ? WSSEC_RC_NOMEM : broken(j, "the hash chain is not in the container");
    }
    r->judge = j;
    r->out = out;
    root = document_of(j, out->chain, false, &rc);
    if (root != NULL) {
        rc = follow(r, root, result.uri, &result);
    }
    wssec_message_reset(&j->worker->second);
    return rc;
}
