/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reader.c: anything as the content of a Body, in pieces of any length. What the reader accepts libxml2 accepts
 * too, with the same canonical octets; what it builds a tree of libxml2 takes for well-formed.
 */
#include "tests/fuzz/worker.h"
#include "tests/unit/soapmaker.h"
#include "wssec/canon.h"
#include "wssec/stream.h"
#include "wssec/worker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD                                                                                                           \
    "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"" NS_WSU "\" xmlns=\"urn:d\"><S:Header/><S:Body wsu:Id=\"body\">"
#define TAIL "</S:Body></S:Envelope>"

static struct wssec_emitter emitter;
static struct wssec_message whole, head, own;

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    worker_begin();
    worker_ready();
    return 0;
}

static int to_buffer(void *ctx, const void *p, size_t n)
{
    return cs_buf_add(ctx, p, n);
}

static enum wssec_reason read_message(const char *text, size_t n, struct wssec_message *m)
{
    struct wssec_slice slice = {(const uint8_t *)text, n};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_refusal why = {WSSEC_OK, ""};
    wssec_library_reset();
    must(wssec_message_read(worker, &in, policy, m, &why) == WSSEC_RC_OK);
    return why.reason;
}

/* @return whether the reader went through all of it; the canonical Body in out */
static bool read_body(struct wssec_stream *s, const uint8_t *p, size_t n, size_t piece, cs_buf *out)
{
    struct wssec_reader *r = &s->reader;
    must(read_message(HEAD TAIL, strlen(HEAD TAIL), &head) == WSSEC_OK);
    wssec_emit_begin(&emitter, to_buffer, out, NULL, false);
    r->limits = &policy->limits;
    r->on_id = NULL;
    r->emit[0] = &emitter;
    r->n_emit = 1;
    must(wssec_reader_begin(r, &head, false) == WSSEC_RC_OK);
    must(wssec_emit_node_start(&s->walk, &r->scope, head.body, 2, true, r->emit, 1) == 0);
    bool good = true;
    for (size_t at = 0; at < n && good; at += piece) {
        size_t some = piece < n - at ? piece : n - at;
        uint8_t *copy = malloc(some);
        must(copy != NULL);
        memcpy(copy, p + at, some);
        good = wssec_reader_push(r, copy, some) == 0;
        free(copy);
    }
    return good && wssec_reader_end(r) == 0 && wssec_emit_finish(&emitter) == WSSEC_RC_OK;
}

static void build(struct wssec_stream *s, const cs_buf *text, bool well_formed)
{
    struct wssec_slice slice = {(const uint8_t *)text->data, text->len};
    bool built = false;
    wssec_arena_reset(&worker->arena);
    wssec_message_reset(&own);
    must(wssec_scan_coding(&own.scan, &slice, 1, NULL, &policy->limits, policy->encodings) == WSSEC_RC_OK);
    must(wssec_build(&s->builder, &s->reader, &worker->arena, slice, &policy->limits, &own, &built) == WSSEC_RC_OK);
    must(!built || well_formed);
    own.arena_doc = true;
    wssec_message_reset(&own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536) {
        return 0;
    }
    struct wssec_stream *s = wssec_stream_begin(worker);
    cs_buf text = CS_BUF_INIT;
    cs_buf got = CS_BUF_INIT;
    must(s != NULL);
    cs_buf_adds(&text, HEAD);
    cs_buf_add(&text, data + 2, size - 2);
    cs_buf_adds(&text, data[1] % 4 != 0 ? TAIL : "");
    size_t from = strlen(HEAD);
    bool passed = read_body(s, (const uint8_t *)text.data + from, text.len - from, 1 + (size_t)data[0], &got);
    enum wssec_reason reason = read_message(text.data, text.len, &whole);
    bool well_formed = whole.doc != NULL;
    if (passed) {
        must(reason == WSSEC_OK || reason == WSSEC_DUPLICATE_ID || reason == WSSEC_LIMIT_IDS);
        cs_buf expected = CS_BUF_INIT;
        struct wssec_canon c = {.node = whole.body, .mode = XML_C14N_EXCLUSIVE_1_0};
        must(wssec_canon_text(&c, &expected) == WSSEC_RC_OK);
        must(expected.len == got.len && memcmp(expected.data, got.data, got.len) == 0);
        cs_buf_free(&expected);
    }
    build(s, &text, well_formed);
    wssec_message_reset(&whole);
    wssec_message_reset(&head);
    cs_buf_free(&text);
    cs_buf_free(&got);
    return 0;
}
