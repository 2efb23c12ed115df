/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_scan.c: the scanner gives one answer however the octets are cut, its places lie within the text and within each
 * other, and where libxml2 finds a well-formed document both saw the same elements.
 */
#include <libxml/parser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wssec_limits limits = {.body = 1 << 20,
                                           .text = 1 << 16,
                                           .header = 1 << 16,
                                           .start_tag = 4096,
                                           .name = 256,
                                           .depth = 64,
                                           .header_nodes = 100};

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static void ignore(void *ctx, const char *fmt, ...)
{
    (void)ctx;
    (void)fmt;
}

static void run(struct wssec_scan *s, const uint8_t *p, size_t n, size_t step)
{
    struct wssec_slice *slice = calloc(n / step + 1, sizeof *slice);
    size_t count = 0;
    must(slice != NULL);
    for (size_t at = 0; at < n; at += step) {
        slice[count++] = (struct wssec_slice){p + at, n - at < step ? n - at : step};
    }
    must(wssec_scan_run(s, slice, count, NULL, &limits, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16 | WSSEC_ENC_LATIN1) ==
         WSSEC_RC_OK);
    free(slice);
}

static void check_places(const struct wssec_scan *s)
{
    for (size_t i = 0; i < s->n_element; i++) {
        const struct wssec_scan_element *e = &s->element[i];
        must(e->from < e->name_end && e->name_end < e->open_end && e->open_end <= e->close_from &&
             e->close_from <= e->to && e->to <= s->text_octets);
        must(e->name_at + e->name_len <= s->names.len && e->depth >= 1 && e->depth <= 3);
        if (e->parent >= 0) {
            const struct wssec_scan_element *up = &s->element[e->parent];
            must((size_t)e->parent < i && up->depth + 1 == e->depth && up->open_end <= e->from &&
                 e->to <= up->close_from);
        }
        must(wssec_scan_original(s, e->to) <= s->octets);
    }
}

static void fold_tree(const xmlNode *node, unsigned depth, uint64_t *fold)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) {
            continue;
        }
        char name[1024];
        const char *prefix = node->ns != NULL ? (const char *)node->ns->prefix : NULL;
        int n = snprintf(name, sizeof name, "%s%s%s", prefix != NULL ? prefix : "", prefix != NULL ? ":" : "",
                         (const char *)node->name);
        wssec_scan_fold(fold, depth, name, (size_t)n);
        if (depth < 3) {
            fold_tree(node->children, depth + 1, fold);
        }
    }
}

/* @param joined the text in one piece */
static void check_parser(const struct wssec_scan *s, const char *joined)
{
    xmlParserCtxtPtr c = xmlNewParserCtxt();
    must(c != NULL);
    xmlDocPtr doc = xmlCtxtReadMemory(c, joined, (int)s->text_octets, NULL, NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                          XML_PARSE_IGNORE_ENC);
    if (doc != NULL && c->wellFormed && c->nsWellFormed) {
        uint64_t fold = WSSEC_SCAN_FOLD;
        fold_tree(doc->children, 1, &fold);
        must(doc->intSubset == NULL);
        must(fold == s->fold);
    }
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wssec_scan whole;
    static struct wssec_scan cut;
    static int started;
    if (!started) {
        xmlSetGenericErrorFunc(NULL, ignore);
        started = 1;
    }
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[0] % 9 + 1;
    run(&whole, data + 1, size - 1, size);
    run(&cut, data + 1, size - 1, step);
    must(whole.reason == cut.reason);
    if (whole.reason == WSSEC_OK) {
        must(whole.fold == cut.fold && whole.n_element == cut.n_element && whole.text_octets == cut.text_octets);
        check_places(&whole);
        check_places(&cut);
        check_parser(&whole, (const char *)whole.piece[0].p);
    }
    return 0;
}
