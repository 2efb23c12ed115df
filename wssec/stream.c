/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: which digests of Body are due, and the one pass that makes them; ids and facts of Body on the way. */
#include "wssec/stream.h"

#include <libxml/c14n.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/target.h"
#include "wssec/worker.h"

#define PIECE   ((size_t)32768) /* what is looked at three times (octets, reader, digest) stays near the processor */
#define IDS_MAX 4096            /* rows that a worker keeps between messages */

struct wssec_stream *wssec_stream_begin(struct wssec_worker *w)
{
    if (w->stream == NULL) {
        w->stream = calloc(1, sizeof *w->stream);
    }
    struct wssec_stream *s = w->stream;
    if (s != NULL) {
        if (s->cap_id > IDS_MAX) {
            free(s->id);
            s->id = NULL;
            s->cap_id = 0;
        }
        s->n_emitter = 0;
        s->n_sum = 0;
        s->n_id = 0;
        s->asked.n = 0;
        s->asked.missing = false;
        s->cause = NULL;
        s->reason = WSSEC_OK;
    }
    return s;
}

void wssec_stream_free(struct wssec_stream *s)
{
    if (s == NULL) {
        return;
    }
    wssec_walk_free(&s->walk);
    wssec_reader_free(&s->reader);
    wssec_build_free(&s->builder);
    for (size_t i = 0; i < WSSEC_EMITTERS; i++) {
        wssec_emit_free(&s->emitter[i]);
    }
    for (size_t i = 0; i < WSSEC_SUMS; i++) {
        EVP_MD_CTX_free(s->sum[i].md);
    }
    free(s->id);
    free(s);
}

int wssec_stream_pass_on(struct wssec_stream *s, enum wssec_reason reason, const char *cause)
{
    if (s->cause == NULL) {
        s->cause = cause;
        s->reason = reason;
    }
    return WSSEC_RC_OK;
}

/* ---- references ----------------------------------------------------------------------------------------------------
 */

static bool same_prefixes(xmlChar *const *a, xmlChar *const *b)
{
    while (a != NULL && b != NULL && *a != NULL && *b != NULL && xmlStrEqual(*a, *b)) {
        a++;
        b++;
    }
    return (a == NULL || *a == NULL) && (b == NULL || *b == NULL);
}

/* A digest that several references ask for is made once. */
const uint8_t *wssec_stream_digest(const struct wssec_stream *s, const struct wssec_digest_alg *alg, xmlChar **prefix)
{
    for (unsigned i = 0; i < s->n_sum; i++) {
        if (s->sum[i].alg == alg && same_prefixes(s->prefix[s->sum[i].emitter], prefix)) {
            return s->sum[i].value;
        }
    }
    return NULL;
}

int wssec_stream_note(struct wssec_stream *s, const struct wssec_digest_alg *alg, xmlChar **prefix)
{
    if (wssec_stream_digest(s, alg, prefix) != NULL) {
        return WSSEC_RC_OK;
    }
    unsigned e = 0;
    while (e < s->n_emitter && !same_prefixes(s->prefix[e], prefix)) {
        e++;
    }
    if (e == WSSEC_EMITTERS || s->n_sum == WSSEC_SUMS) {
        return wssec_stream_pass_on(s, WSSEC_OK, "many-digests");
    }
    if (e == s->n_emitter) {
        s->prefix[s->n_emitter++] = prefix;
    }
    struct wssec_sum *sum = &s->sum[s->n_sum];
    if (sum->md == NULL && (sum->md = EVP_MD_CTX_new()) == NULL) {
        return WSSEC_RC_NOMEM;
    }
    sum->alg = alg;
    sum->emitter = e;
    s->n_sum++;
    return EVP_DigestInit_ex(sum->md, wssec_md(alg->evp), NULL) == 1 ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

static int to_digest(void *ctx, const void *p, size_t n)
{
    return EVP_DigestUpdate(ctx, p, n) == 1 ? 0 : -1;
}

/* A part of the header, by our own emitter where it knows the way. */
static int digest_header(struct wssec_judge *j, struct wssec_stream *s, const struct wssec_reference *ref,
                         struct wssec_source *source)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int rc = WSSEC_RC_OK;
    if (source->canon.node == NULL || source->canon.mode != XML_C14N_EXCLUSIVE_1_0) {
        rc = wssec_source_digest(j->worker, source, ref->digest, digest);
    } else if (EVP_DigestInit_ex(j->worker->md, wssec_md(ref->digest->evp), NULL) != 1) {
        rc = WSSEC_RC_NOMEM;
    } else {
        rc = wssec_emit_tree(&s->walk, &source->canon, to_digest, j->worker->md);
        if (rc == WSSEC_RC_OK && (EVP_DigestFinal_ex(j->worker->md, digest, &n) != 1 || n != ref->digest->octets)) {
            rc = WSSEC_RC_NOMEM;
        }
    }
    if (rc == WSSEC_RC_OK && j->why->reason == WSSEC_OK) {
        source->judged = true;
        source->ok = CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0;
    }
    return rc;
}

int wssec_stream_references(struct wssec_judge *j, struct wssec_stream *s, const struct wssec_siginfo *info,
                            const struct wssec_signer *signer, struct wssec_source *source)
{
    const xmlNode *body = j->message->body;
    int rc = wssec_sources(j, info, signer, source);
    for (unsigned i = 0; i < info->n_reference && rc == WSSEC_RC_OK && j->why->reason == WSSEC_OK; i++) {
        const struct wssec_reference *ref = &info->reference[i];
        const xmlNode *node = source[i].canon.node;
        if (node == body) {
            rc = ref->c14n->libxml2_mode == XML_C14N_EXCLUSIVE_1_0
                     ? wssec_stream_note(s, ref->digest, ref->prefix)
                     : wssec_stream_pass_on(s, WSSEC_OK, "inclusive-body");
        } else if (node != NULL && wssec_within(node, body)) {
            rc = wssec_stream_pass_on(s, WSSEC_OK, "around-body");
        } else {
            rc = digest_header(j, s, ref, &source[i]);
        }
    }
    return rc;
}

/* Xmlsec stops at the first reference that does not fit; what comes behind it stays unjudged here too. */
void wssec_stream_compare(struct wssec_judge *j, const struct wssec_stream *s, const struct wssec_siginfo *info,
                          struct wssec_source *source)
{
    bool stopped = false;
    for (unsigned i = 0; i < info->n_reference; i++) {
        const struct wssec_reference *ref = &info->reference[i];
        if (source[i].canon.node == j->message->body) {
            const uint8_t *digest = wssec_stream_digest(s, ref->digest, ref->prefix);
            source[i].judged = digest != NULL;
            source[i].ok = digest != NULL && CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0;
        }
        if (stopped) {
            source[i].judged = false;
            source[i].ok = false;
        }
        if (source[i].judged && !source[i].ok) {
            stopped = true;
            wssec_source_refuse(j, ref);
        } else if (!source[i].ok) { /* belt: nothing passes that was not found good */
            (void)wssec_refuse(j->why, WSSEC_INTERNAL, "a reference was not judged");
        }
    }
}

/* ---- Body ----------------------------------------------------------------------------------------------------------
 */

static int to_sums(void *ctx, const void *p, size_t n)
{
    const struct wssec_tee *t = ctx;
    for (unsigned i = 0; i < t->stream->n_sum; i++) {
        const struct wssec_sum *sum = &t->stream->sum[i];
        if (sum->emitter == t->emitter && EVP_DigestUpdate(sum->md, p, n) != 1) {
            return -1;
        }
    }
    return 0;
}

static bool is_asked(const struct wssec_asked *asked, struct wssec_slice value)
{
    for (unsigned i = 0; i < asked->n; i++) {
        if (asked->value[i].n == value.n && memcmp(asked->value[i].p, value.p, value.n) == 0) {
            return true;
        }
    }
    return false;
}

/* An id inside Body. One that the header names, or that stands twice, is a matter for the tree engine to word. */
static int on_id(void *ctx, const struct wssec_seen_id *id)
{
    struct wssec_stream *s = ctx;
    struct wssec_judge *j = s->judge;
    if (is_asked(&s->asked, id->value) ||
        (id->strict && wssec_ids_is_strict(&j->message->ids, id->value.p, id->value.n))) {
        (void)wssec_stream_pass_on(s, WSSEC_DUPLICATE_ID, "duplicate-id");
    }
    if (!id->strict) {
        return 0;
    }
    if (j->message->ids.strict + s->n_id >= j->policy->limits.ids) {
        (void)wssec_stream_pass_on(s, WSSEC_LIMIT_IDS, "limit-ids");
        return 0;
    }
    if (s->n_id == s->cap_id) {
        size_t cap = s->cap_id == 0 ? 64 : s->cap_id * 2;
        struct stream_id *more = reallocarray(s->id, cap, sizeof *more);
        if (more == NULL) {
            return -1;
        }
        s->id = more;
        s->cap_id = cap;
    }
    const char *value = wssec_arena_text(&j->worker->arena, id->value.p, id->value.n);
    s->id[s->n_id++] = (struct stream_id){{(const uint8_t *)value, id->value.n}, id->number};
    return value != NULL ? 0 : -1;
}

static int by_value(const void *x, const void *y)
{
    const struct stream_id *a = x;
    const struct stream_id *b = y;
    if (a->value.n != b->value.n) {
        return a->value.n < b->value.n ? -1 : 1;
    }
    int c = memcmp(a->value.p, b->value.p, a->value.n);
    return c != 0 ? c : (a->number > b->number) - (a->number < b->number);
}

static void judge_ids(struct wssec_stream *s)
{
    if (s->n_id > 1) {
        qsort(s->id, s->n_id, sizeof *s->id, by_value);
    }
    for (size_t i = 1; i < s->n_id; i++) {
        const struct stream_id *a = &s->id[i - 1];
        const struct stream_id *b = &s->id[i];
        if (a->number != b->number && a->value.n == b->value.n && memcmp(a->value.p, b->value.p, a->value.n) == 0) {
            (void)wssec_stream_pass_on(s, WSSEC_DUPLICATE_ID, "duplicate-id");
        }
    }
}

static int begin_body(struct wssec_judge *j, struct wssec_stream *s, bool hash)
{
    struct wssec_reader *r = &s->reader;
    r->limits = &j->policy->limits;
    r->on_id = on_id;
    r->ctx = s;
    r->n_emit = hash ? s->n_emitter : 0;
    s->judge = j;
    for (unsigned i = 0; i < r->n_emit; i++) {
        s->tee[i] = (struct wssec_tee){s, i};
        wssec_emit_begin(&s->emitter[i], to_sums, &s->tee[i], s->prefix[i], false);
        r->emit[i] = &s->emitter[i];
    }
    int rc = wssec_reader_begin(r, j->message, j->message->scan.ascii_only);
    if (rc == WSSEC_RC_OK && r->n_emit > 0 &&
        wssec_emit_node_start(&s->walk, &r->scope, j->message->body, 2, true, r->emit, r->n_emit) != 0) {
        rc = WSSEC_RC_NOMEM;
    }
    return rc;
}

static int finish_sums(struct wssec_stream *s)
{
    for (unsigned i = 0; i < s->n_emitter; i++) {
        int rc = wssec_emit_finish(&s->emitter[i]);
        if (rc != WSSEC_RC_OK) {
            return rc;
        }
    }
    for (unsigned i = 0; i < s->n_sum; i++) {
        unsigned n = 0;
        if (EVP_DigestFinal_ex(s->sum[i].md, s->sum[i].value, &n) != 1 || n != s->sum[i].alg->octets) {
            return WSSEC_RC_NOMEM;
        }
    }
    return WSSEC_RC_OK;
}

/* Of <Body/> nothing is left to read but the end tag that it stands for. */
static int end_empty(struct wssec_judge *j, struct wssec_stream *s)
{
    struct wssec_reader *r = &s->reader;
    const struct wssec_scan_element *place = wssec_place(j->message, j->message->body);
    if (place == NULL) {
        return WSSEC_RC_INTERNAL;
    }
    if (!place->empty) {
        return WSSEC_RC_OK;
    }
    cs_buf end = CS_BUF_INIT;
    int rc = WSSEC_RC_NOMEM;
    if (cs_buf_addf(&end, "</%.*s>", (int)r->open[2].n, r->names.data + r->open[2].at) == 0) {
        rc = wssec_reader_push(r, (const uint8_t *)end.data, end.len) == 0 ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
        r->octets_read = 0;
    }
    cs_buf_free(&end);
    return rc;
}

int wssec_stream_body_begin(struct wssec_judge *j, struct wssec_stream *s, bool hash)
{
    int rc = begin_body(j, s, hash);
    s->hash = hash;
    return rc == WSSEC_RC_OK ? end_empty(j, s) : rc;
}

/* The reader stopped: for want of memory, or because it does not know what it read. */
static int reader_stopped(struct wssec_stream *s)
{
    return s->reader.no_memory ? WSSEC_RC_NOMEM : wssec_stream_pass_on(s, s->reader.reason, s->reader.cause);
}

int wssec_stream_body_feed(struct wssec_stream *s, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n && s->cause == NULL;) {
        size_t piece = n - at < PIECE ? n - at : PIECE;
        if (wssec_reader_push(&s->reader, p + at, piece) != 0) {
            return reader_stopped(s);
        }
        at += piece;
    }
    return WSSEC_RC_OK;
}

int wssec_stream_body_rest(struct wssec_stream *s, const struct wssec_input *in, size_t from)
{
    int rc = WSSEC_RC_OK;
    for (size_t i = 0; i < in->n_slice && rc == WSSEC_RC_OK && s->cause == NULL; i++) {
        size_t at = from < in->slice[i].n ? from : in->slice[i].n;
        from -= at;
        rc = wssec_stream_body_feed(s, in->slice[i].p + at, in->slice[i].n - at);
    }
    return rc;
}

int wssec_stream_body_end(struct wssec_judge *j, struct wssec_stream *s, size_t from)
{
    const struct wssec_reader *r = &s->reader;
    struct wssec_message *m = j->message;
    if (s->cause == NULL && wssec_reader_end(&s->reader) != 0) {
        return reader_stopped(s);
    }
    judge_ids(s);
    m->streamed = true;
    m->is_fault = r->is_fault;
    m->body_comments = r->comments;
    m->scan.comments += r->comments;
    m->body_xop = r->has_xop;
    m->has_xop = m->has_xop || r->has_xop;
    if (m->has_xop && j->package != NULL && j->package->mime.xop) {
        return wssec_stream_pass_on(s, WSSEC_OK, "xop");
    }
    m->scan.octets = from + r->octets_read;
    return s->hash && s->cause == NULL ? finish_sums(s) : WSSEC_RC_OK;
}

int wssec_stream_body(struct wssec_judge *j, struct wssec_stream *s, size_t from, bool hash)
{
    int rc = wssec_stream_body_begin(j, s, hash);
    if (rc == WSSEC_RC_OK) {
        rc = wssec_stream_body_rest(s, j->input, from);
    }
    return rc == WSSEC_RC_OK ? wssec_stream_body_end(j, s, from) : rc;
}
