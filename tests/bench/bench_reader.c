/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_reader.c: reading alone, nothing canonicalized or digested: the reader of Body's content (octets checked, names
 * and namespaces resolved, ids looked for, limits held), or libxml2's SAX parser with handlers that do nothing.
 *
 * bench_reader reader|libxml2 MESSAGE SECONDS      prints "messages cpu_us_per_message"
 */
#include <libxml/parser.h>
#include <string.h>

#include "tests/bench/clock.h"
#include "wssec/policy.h"
#include "wssec/stream.h"
#include "wssec/worker.h"

#define PIECE ((size_t)32768) /* as the gateway's workers give it */
#define TAIL  "</soap:Body></soap:Envelope>"

struct scene {
    struct wssec_worker *worker;
    struct wssec_policy *policy;
    struct wssec_message front; /* the message with an empty Body */
    const char *text;
    size_t n, content; /* where the content of Body begins */
};

static int begin(struct scene *s, char *text, size_t n)
{
    char why[256] = "";
    const char *body = strstr(text, "<soap:Body");
    const char *content = body != NULL ? strchr(body, '>') : NULL;
    if (content == NULL || wssec_init(NULL, why, sizeof why) != 0) {
        return -1;
    }
    s->text = text;
    s->n = n;
    s->content = (size_t)(content + 1 - text);
    s->worker = wssec_worker_new();
    s->policy = wssec_policy_new("bench");
    const struct wssec_slice slice[] = {{(const uint8_t *)text, s->content}, {(const uint8_t *)TAIL, strlen(TAIL)}};
    const struct wssec_input in = {.slice = slice, .n_slice = 2};
    struct wssec_refusal refusal = {WSSEC_OK, ""};
    return s->worker != NULL && s->policy != NULL && wssec_policy_freeze(s->policy, why, sizeof why) >= 0 &&
                   wssec_message_read(s->worker, &in, s->policy, &s->front, &refusal) == WSSEC_RC_OK &&
                   refusal.reason == WSSEC_OK
               ? 0
               : -1;
}

static bool by_reader(struct scene *s)
{
    struct wssec_stream *stream = wssec_stream_begin(s->worker);
    if (stream == NULL) {
        return false;
    }
    struct wssec_reader *r = &stream->reader;
    r->limits = &s->policy->limits;
    r->on_id = NULL;
    r->n_emit = 0;
    int rc = wssec_reader_begin(r, &s->front, false) == WSSEC_RC_OK ? 0 : -1;
    for (size_t at = s->content; at < s->n && rc == 0; at += PIECE) {
        rc = wssec_reader_push(r, (const uint8_t *)s->text + at, s->n - at < PIECE ? s->n - at : PIECE);
    }
    return rc == 0 && wssec_reader_end(r) == 0;
}

static bool by_libxml2(struct scene *s)
{
    static xmlSAXHandler nothing = {.initialized = XML_SAX2_MAGIC};
    return xmlSAXUserParseMemory(&nothing, NULL, s->text, (int)s->n) == 0;
}

int main(int argc, char **argv)
{
    struct scene s = {0};
    size_t n = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: bench_reader reader|libxml2 MESSAGE SECONDS\n");
        return 64;
    }
    char *text = bench_read(argv[2], &n);
    if (text != NULL) {
        text[n] = '\0';
    }
    if (text == NULL || begin(&s, text, n) != 0) {
        fprintf(stderr, "bench_reader: cannot start\n");
        return 70;
    }
    bool (*read)(struct scene *) = strcmp(argv[1], "reader") == 0 ? by_reader : by_libxml2;
    struct bench_clock clock = bench_start(strtod(argv[3], NULL));
    do {
        if (!read(&s)) {
            fprintf(stderr, "bench_reader: the message is not read to its end\n");
            return 1;
        }
    } while (bench_more(&clock));
    bench_print(&clock);
    wssec_message_reset(&s.front);
    wssec_policy_unref(s.policy);
    wssec_worker_free(s.worker);
    wssec_shutdown();
    free(text);
    return 0;
}
