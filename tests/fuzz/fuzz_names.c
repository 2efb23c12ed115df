/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_names.c: a document has the same names however its octets are cut, and a root only where libxml2 reads the whole
 * document and finds that root.
 */
#include <libxml/parser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/scan.h"
#include "wssec/wssec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wssec_worker *worker;
static struct wssec_policy *policy;

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static void start(void)
{
    char err[256];
    static const char *const all[] = {"utf-8", "utf-16", "iso-8859-1"};
    must(wssec_init(NULL, err, sizeof err) == 0);
    must((worker = wssec_worker_new()) != NULL);
    must((policy = wssec_policy_new("fuzz")) != NULL);
    must(wssec_policy_set(policy, "encodings", 3, all, err, sizeof err) == 0);
    must(wssec_policy_freeze(policy, err, sizeof err) >= 0);
}

static struct wssec_names names_of(const uint8_t *p, size_t n, size_t step)
{
    struct wssec_slice *slice = calloc(n / step + 1, sizeof *slice);
    struct wssec_names names;
    size_t count = 0;
    must(slice != NULL);
    for (size_t at = 0; at < n; at += step) {
        slice[count++] = (struct wssec_slice){p + at, n - at < step ? n - at : step};
    }
    struct wssec_input in = {.slice = slice, .n_slice = count};
    must(wssec_names(worker, &in, policy, &names) == WSSEC_RC_OK);
    free(slice);
    return names;
}

/* The parser has its own idea of encodings: only what is UTF-8 for sure is compared. */
static void compare(const uint8_t *p, size_t n, const struct wssec_names *names)
{
    xmlDocPtr doc =
        xmlReadMemory((const char *)p, (int)n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *root = doc != NULL ? xmlDocGetRootElement(doc) : NULL;
    must(root != NULL);
    if (names->root.local[0] != '\0') {
        must(strcmp((const char *)root->name, names->root.local) == 0);
        must(strcmp(root->ns != NULL ? (const char *)root->ns->href : "", names->root.ns) == 0);
    }
    xmlFreeDoc(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16) {
        return 0;
    }
    if (worker == NULL) {
        start();
    }
    struct wssec_names whole = names_of(data, size, size);
    struct wssec_names cut = names_of(data, size, 1 + size % 7);
    must(whole.reason == cut.reason);
    must(memcmp(&whole.root, &cut.root, sizeof whole.root) == 0);
    must(memcmp(&whole.payload, &cut.payload, sizeof whole.payload) == 0);
    must(memcmp(&whole.fault, &cut.fault, sizeof whole.fault) == 0);
    must(whole.fault.local[0] == '\0' || strcmp(whole.payload.local, "Fault") == 0);
    if (whole.reason == WSSEC_OK && data[0] == '<' && memmem(data, size, "encoding", 8) == NULL) {
        compare(data, size, &whole);
    }
    return 0;
}
