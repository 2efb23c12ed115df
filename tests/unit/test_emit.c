/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_emit.c: the emitter against libxml2's canonicalization, on documents made at random: through the tree, and
 * through the reader of Bodies in pieces of any length. What the reader accepts libxml2 accepts too, and both give the
 * same octets. EMIT_DOCUMENTS and EMIT_SEED of the environment choose how many and which.
 */
#include <inttypes.h>

#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"
#include "wssec/canon.h"
#include "wssec/reader.h"
#include "wssec/stream.h"
#include "wssec/worker.h"

const char *const harness_suite = "emit";

static struct wssec_worker *worker;
static struct wssec_policy *policy;
static struct wssec_walk walk;
static struct wssec_reader reader;
static struct wssec_emitter emitters[2];
static struct wssec_message whole, head, own;
static uint64_t state;

int harness_setup(void)
{
    char err[256] = "";
    static const char *const deep[] = {"250"};
    if (wssec_init(NULL, err, sizeof err) != 0) {
        return -1;
    }
    worker = wssec_worker_new();
    policy = wssec_policy_new("emit");
    return worker == NULL || policy == NULL ||
           wssec_policy_set(policy, "limits.depth", 1, deep, err, sizeof err) != 0 ||
           wssec_policy_freeze(policy, err, sizeof err) < 0;
}

int harness_teardown(void)
{
    wssec_message_free(&whole);
    wssec_message_free(&head);
    wssec_message_free(&own);
    wssec_walk_free(&walk);
    wssec_reader_free(&reader);
    wssec_emit_free(&emitters[0]);
    wssec_emit_free(&emitters[1]);
    wssec_worker_free(worker);
    wssec_policy_unref(policy);
    wssec_shutdown();
    return 0;
}

/* ---- documents at random ------------------------------------------------------------------------------------------
 */

static unsigned chance(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}

static const char *const prefixes[] = {"", "", "a", "b", "n1", "wsu", "S"};
static const char *const names[] = {"x", "order", "Id", "id", "Include", "Fault", "long-name.1", "\xc3\xa4\xc3\xb6",
                                    "_", "xml"};
static const char *const uris[] = {"urn:a",
                                   "urn:b",
                                   "http://example.com/ns",
                                   "urn:a:b",
                                   "http://www.w3.org/2004/08/xop/include",
                                   NS_WSU,
                                   SOAP11,
                                   "urn:long:0123456789012345678901234567890123456789"};
static const char *const texts[] = {"text",
                                    " ",
                                    "\n  ",
                                    "a > b",
                                    "]] >",
                                    "&amp;",
                                    "&lt;tag&gt;",
                                    "&quot;&apos;",
                                    "&#13;",
                                    "&#xD;\r\n",
                                    "\r",
                                    "\r\n",
                                    "\t",
                                    "&#x20AC;",
                                    "\xe2\x82\xac",
                                    "\xf0\x9f\x94\x91",
                                    "&#9;&#10;",
                                    "]",
                                    "]]",
                                    "a\rb\r\r\nc",
                                    "0123456789012345678901234567890123456789",
                                    "&#38;",
                                    "&#60;",
                                    "&#65;",
                                    "'\"",
                                    "-",
                                    "--"};
static const char *const odd[] = {"<?pi x?>",
                                  "<!-- c -->",
                                  "<!---->",
                                  "<!-- - -->",
                                  "<![CDATA[x<&>]]>",
                                  "<![CDATA[]]>",
                                  "<![CDATA[]]]]>",
                                  "<![CDATA[a\r\nb\rc]]>",
                                  "<![CDATA[\r]]>",
                                  "<![CDATA[]]]>",
                                  "<![CDATA[ ]>]] ]]>",
                                  "]]<!-- -->",
                                  "<!-- > -->"};
static const char *const broken[] = {"]]>",
                                     "&",
                                     "&x;",
                                     "&#0;",
                                     "&#xD800;",
                                     "<",
                                     "</",
                                     "<a",
                                     "<!--",
                                     "<![CDATA[",
                                     "--",
                                     "<!DOCTYPE x>",
                                     "\x01",
                                     "\xff",
                                     "\xc3",
                                     "<x:y/>",
                                     "<a b='1' b='2'/>",
                                     "<a b='<'/>",
                                     "<a b=1/>",
                                     "<a b='1'c='2'/>",
                                     "<:a/>",
                                     "<a:/>",
                                     "<a:b:c/>",
                                     "<1/>",
                                     "<a xmlns:b=''/>",
                                     "<a xmlns:xml='urn:x'/>",
                                     "<xmlns:a/>",
                                     "<a xmlns:b='x y'/>",
                                     "<a xmlns='rel'/>",
                                     "&amp",
                                     "<a/ >",
                                     "< a/>",
                                     "</a>",
                                     "<a b></a>",
                                     "<!---->-->",
                                     "<!--->-->",
                                     "<!-- -- -->",
                                     "\"",
                                     "'",
                                     ">",
                                     "/>",
                                     "<a xmlns:p='urn:p' xmlns:q='urn:p' p:i='1' q:i='2'/>",
                                     "<a xmlns:p='urn:p' xmlns:p='urn:q'/>",
                                     "<a xml:lang='de'/>",
                                     "<xml:a/>",
                                     "<?xml version='1.0'?>",
                                     "<a xml:id='1 2'/>",
                                     "\xef\xbb\xbf",
                                     "\xef\xbf\xbf",
                                     "&#xFFFE;",
                                     "</S:Body>",
                                     "</S:Envelope>",
                                     "<a\xc3\x97/>",
                                     "<a b='&lt;'/>",
                                     "<a b='&#10;&#13;&#9; \n\r\n\t'/>",
                                     "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
                                     "<a xmlns:z='http://www.w3.org/XML/1998/namespace'/>",
                                     "<a xmlns:z='&#117;rn:z' z:q=''/>",
                                     "<a  b = \"1\"  />"};

#define PICK(table) ((table)[chance(sizeof(table) / sizeof(table)[0])])

struct bound { /* what is declared around the element that is being written */
    const char *prefix[64];
    size_t n;
};

static bool declared(const struct bound *b, const char *prefix)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->prefix[i], prefix) == 0) {
            return true;
        }
    }
    return prefix[0] == '\0';
}

static void put_value(cs_buf *out)
{
    char quote = chance(4) == 0 ? '\'' : '"';
    cs_buf_addc(out, quote);
    for (unsigned n = chance(3); n > 0; n--) {
        const char *t = PICK(texts);
        cs_buf_adds(out, strchr(t, quote) != NULL || strchr(t, '<') != NULL ? "v" : t);
    }
    cs_buf_addc(out, quote);
}

static void put_declarations(cs_buf *out, struct bound *b)
{
    static const char *const any[] = {"", "a", "b", "n1"};
    unsigned from = chance(4);
    for (unsigned i = 0, n = chance(3); i < n && b->n < 60; i++) {
        const char *prefix = any[(from + i) % 4];
        const char *uri = prefix[0] == '\0' && chance(3) == 0 ? "" : PICK(uris);
        cs_buf_addf(out, chance(6) == 0 ? "\n xmlns%s%s='%s'" : " xmlns%s%s=\"%s\"", prefix[0] != '\0' ? ":" : "",
                    prefix, uri);
        b->prefix[b->n++] = prefix;
    }
}

static void put_attributes(cs_buf *out, const struct bound *b)
{
    static const char *const locals[] = {"p", "q", "Id", "ID", "nil", "zz", "k"};
    unsigned from = chance(7);
    for (unsigned i = 0, n = chance(4); i < n; i++) {
        const char *prefix = chance(2) == 0 ? "" : chance(6) == 0 ? "xml" : PICK(prefixes);
        const char *local = strcmp(prefix, "xml") == 0 ? "lang" : locals[(from + i) % 7];
        if (strcmp(prefix, "xml") != 0 && !declared(b, prefix)) {
            continue;
        }
        cs_buf_addf(out, chance(8) == 0 ? "  %s%s%s =" : " %s%s%s=", prefix, prefix[0] != '\0' ? ":" : "", local);
        if (chance(3) == 0) {
            put_value(out);
        } else {
            cs_buf_addf(out, "\"%u\"", chance(100000));
        }
    }
}

static void put_element(cs_buf *out, const struct bound *around, unsigned depth)
{
    struct bound b = *around;
    cs_buf declarations = CS_BUF_INIT;
    if (chance(3) == 0) {
        put_declarations(&declarations, &b);
    }
    const char *prefix = PICK(prefixes);
    prefix = declared(&b, prefix) ? prefix : "";
    const char *name = PICK(names);
    cs_buf_addf(out, "<%s%s%s", prefix, prefix[0] != '\0' ? ":" : "", name);
    cs_buf attributes = CS_BUF_INIT;
    if (chance(2) == 0) {
        put_attributes(&attributes, &b);
    }
    bool first = chance(2) == 0;
    cs_buf_add(out, first ? declarations.data : attributes.data, first ? declarations.len : attributes.len);
    cs_buf_add(out, first ? attributes.data : declarations.data, first ? attributes.len : declarations.len);
    cs_buf_free(&declarations);
    cs_buf_free(&attributes);
    if (chance(5) == 0) {
        cs_buf_adds(out, chance(3) == 0 ? " />" : "/>");
        return;
    }
    cs_buf_adds(out, chance(10) == 0 ? "\n>" : ">");
    for (unsigned n = chance(5); n > 0; n--) {
        unsigned what = chance(10);
        if (what < 5 && depth < 7) {
            put_element(out, &b, depth + 1);
        } else {
            cs_buf_adds(out, what == 9 ? PICK(odd) : PICK(texts));
        }
    }
    cs_buf_addf(out, "</%s%s%s%s>", prefix, prefix[0] != '\0' ? ":" : "", name, chance(12) == 0 ? " \n" : "");
}

/* *body: where the content of Body begins. */
static char *document(size_t *body)
{
    cs_buf out = CS_BUF_INIT;
    struct bound b = {{"S", "wsu"}, 2};
    cs_buf_adds(&out, "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"" NS_WSU "\"");
    put_declarations(&out, &b);
    cs_buf_adds(&out, "><S:Header/><S:Body");
    if (chance(2) == 0) {
        put_declarations(&out, &b);
    }
    cs_buf_adds(&out, " wsu:Id=\"body\">");
    *body = out.len;
    for (unsigned n = 1 + chance(3); n > 0; n--) {
        put_element(&out, &b, 0);
        cs_buf_adds(&out, chance(3) == 0 ? PICK(texts) : "");
    }
    cs_buf_adds(&out, chance(9) == 0 ? "</S:Body >\n </S:Envelope>\n" : "</S:Body></S:Envelope>");
    return cs_buf_take(&out, NULL);
}

static char *mutated(char *text, size_t from)
{
    size_t n = strlen(text);
    size_t at = from + chance((unsigned)(n - from + 1));
    const char *with = chance(3) == 0 ? PICK(texts) : PICK(broken);
    size_t cut = chance(3) == 0 ? chance(6) : 0;
    cs_buf out = CS_BUF_INIT;
    cs_buf_add(&out, text, at);
    cs_buf_adds(&out, chance(4) == 0 ? "" : with);
    cs_buf_adds(&out, text + (at + cut < n ? at + cut : n));
    free(text);
    return cs_buf_take(&out, NULL);
}

/* ---- both ways ----------------------------------------------------------------------------------------------------
 */

static int to_buffer(void *ctx, const void *p, size_t n)
{
    return cs_buf_add(ctx, p, n);
}

static bool read_whole(const char *text, size_t n, struct wssec_message *m)
{
    struct wssec_slice slice = {(const uint8_t *)text, n};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_refusal why = {WSSEC_OK, ""};
    wssec_library_reset();
    CU_ASSERT_EQUAL(wssec_message_read(worker, &in, policy, m, &why), WSSEC_RC_OK);
    return why.reason == WSSEC_OK || why.reason == WSSEC_DUPLICATE_ID; /* ids are judged elsewhere */
}

/* Through the reader in random pieces. @return false: it stopped */
static bool read_body(const char *text, size_t n, size_t body, xmlChar **prefix, cs_buf *out, cs_buf *plain)
{
    char *cut = malloc(body + 32);
    memcpy(cut, text, body);
    memcpy(cut + body, "</S:Body></S:Envelope>", 23);
    bool good = read_whole(cut, body + 22, &head);
    CU_ASSERT_TRUE(good);
    free(cut);
    struct wssec_emitter *list[2] = {&emitters[0], &emitters[1]};
    wssec_emit_begin(list[0], to_buffer, out, prefix, false);
    wssec_emit_begin(list[1], to_buffer, plain, NULL, false);
    reader.limits = &policy->limits;
    reader.emit[0] = list[0];
    reader.emit[1] = list[1];
    reader.n_emit = 2;
    if (wssec_reader_begin(&reader, &head, false) != WSSEC_RC_OK ||
        wssec_emit_node_start(&walk, &reader.scope, head.body, 2, true, list, 2) != 0) {
        CU_FAIL("no memory");
        return false;
    }
    unsigned most = chance(3) == 0 ? 3 : chance(2) == 0 ? 40 : 100000;
    for (size_t at = body; at < n;) {
        size_t some = 1 + chance(most);
        some = some < n - at ? some : n - at;
        uint8_t *piece = malloc(some); /* of its own, so that reading beyond it shows */
        memcpy(piece, text + at, some);
        int rc = wssec_reader_push(&reader, piece, some);
        free(piece);
        if (rc != 0) {
            return false;
        }
        at += some;
    }
    return wssec_reader_end(&reader) == 0 && wssec_emit_finish(list[0]) == WSSEC_RC_OK &&
           wssec_emit_finish(list[1]) == WSSEC_RC_OK;
}

static bool same(const char *what, const cs_buf *expected, const cs_buf *got, const char *text)
{
    bool equal = expected->len == got->len && memcmp(expected->data, got->data, got->len) == 0;
    if (!equal) {
        printf("  # %s differs\n  # document %s\n  # libxml2  %.*s\n  # ours     %.*s\n", what, text,
               (int)expected->len, expected->data, (int)got->len, got->data);
    }
    return equal;
}

static void fill_prefixes(xmlChar *list[5])
{
    static const char *const any[] = {"a", "#default", "b", "S", "n1", "nobody"};
    size_t n = chance(4);
    for (size_t i = 0; i < n; i++) {
        list[i] = BAD_CAST PICK(any);
    }
    list[n] = NULL;
}

/* ---- the tree that the reader builds ------------------------------------------------------------------------------
 */

static bool same_text(const xmlChar *a, const xmlChar *b)
{
    return strcmp(a != NULL ? (const char *)a : "", b != NULL ? (const char *)b : "") == 0;
}

static bool same_ns(const xmlNs *a, const xmlNs *b)
{
    return (a == NULL) == (b == NULL) &&
           (a == NULL || (same_text(a->href, b->href) && same_text(a->prefix, b->prefix)));
}

static bool same_node(const xmlNode *a, const xmlNode *b)
{
    if (a->type != b->type || a->type != XML_ELEMENT_NODE) {
        return a->type == b->type && (a->type == XML_COMMENT_NODE || same_text(a->content, b->content));
    }
    const xmlNs *x = a->nsDef;
    const xmlNs *y = b->nsDef;
    for (; x != NULL && same_ns(x, y); x = x->next) {
        y = y->next;
    }
    const xmlAttr *p = a->properties;
    const xmlAttr *q = b->properties;
    while (p != NULL && q != NULL && same_text(p->name, q->name) && same_ns(p->ns, q->ns) &&
           same_text(p->children != NULL ? p->children->content : NULL, q->children->content)) {
        p = p->next;
        q = q->next;
    }
    return x == NULL && y == NULL && p == NULL && q == NULL && same_text(a->name, b->name) && same_ns(a->ns, b->ns);
}

static bool same_tree(const xmlNode *a, const xmlNode *b)
{
    if (!same_node(a, b)) {
        return false;
    }
    const xmlNode *x = a->type == XML_ELEMENT_NODE ? a->children : NULL;
    const xmlNode *y = b->type == XML_ELEMENT_NODE ? b->children : NULL;
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        if (y->parent != b || (y->next != NULL && y->next->prev != y) || !same_tree(x, y)) {
            return false;
        }
    }
    return x == NULL && y == NULL;
}

static bool same_places(const struct wssec_scan *a, const struct wssec_scan *b)
{
    bool same = a->n_element == b->n_element && a->comments == b->comments;
    for (size_t i = 0; same && i < a->n_element; i++) {
        struct wssec_scan_element x = a->element[i];
        struct wssec_scan_element y = b->element[i];
        same = x.from == y.from && x.name_end == y.name_end && x.open_end == y.open_end &&
               x.close_from == y.close_from && x.to == y.to && x.parent == y.parent && x.depth == y.depth &&
               x.empty == y.empty && x.name_len == y.name_len &&
               memcmp(a->names.data + x.name_at, b->names.data + y.name_at, x.name_len) == 0;
    }
    return same;
}

/* The document as libxml2 built it (NULL: it is none), and as the reader does. *built: it knew the way */
static bool same_built(const char *text, size_t n, const struct wssec_message *good, bool *built)
{
    struct wssec_slice slice = {(const uint8_t *)text, n};
    struct wssec_stream *s = wssec_stream_begin(worker);
    wssec_message_reset(&own);
    wssec_arena_reset(&worker->arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(wssec_scan_coding(&own.scan, &slice, 1, NULL, &policy->limits, policy->encodings), WSSEC_RC_OK);
    *built = false;
    if (own.scan.reason == WSSEC_OK && own.scan.n_piece == 1) {
        CU_ASSERT_EQUAL(
            wssec_build(&s->builder, &s->reader, &worker->arena, own.scan.piece[0], &policy->limits, &own, built),
            WSSEC_RC_OK);
    }
    bool same = !*built || (good != NULL && good->has_xop == own.has_xop && same_places(&good->scan, &own.scan) &&
                            same_tree(xmlDocGetRootElement(good->doc), xmlDocGetRootElement(own.doc)));
    own.arena_doc = true;
    wssec_message_reset(&own);
    if (!same) {
        printf("  # the tree that was built differs: %s\n", text);
    }
    return same;
}

struct tally {
    unsigned well_formed, read, agreed_bad, built;
};

/* One document both ways. @return false: they differ */
static bool compare_one(const char *text, size_t body, struct tally *t)
{
    xmlChar *list[5];
    size_t n = strlen(text);
    cs_buf want[2] = {CS_BUF_INIT, CS_BUF_INIT};
    cs_buf got[2] = {CS_BUF_INIT, CS_BUF_INIT};
    cs_buf tree = CS_BUF_INIT;
    fill_prefixes(list);
    xmlChar **prefix = list[0] != NULL ? list : NULL;
    bool good = read_whole(text, n, &whole);
    bool passed = read_body(text, n, body, prefix, &got[0], &got[1]);
    bool built = false;
    bool equal = (good || !passed) && same_built(text, n, whole.doc != NULL ? &whole : NULL, &built);
    t->built += built;
    if (!good && passed) {
        printf("  # the reader accepts what libxml2 does not: %s\n", text);
    }
    if (good) {
        struct wssec_canon c = {.node = whole.body, .mode = XML_C14N_EXCLUSIVE_1_0, .prefix = prefix};
        struct wssec_canon bare = {.node = whole.body, .mode = XML_C14N_EXCLUSIVE_1_0, .empty_default = chance(4) == 0};
        cs_buf bare_tree = CS_BUF_INIT;
        equal = equal && wssec_canon_text(&c, &want[0]) == WSSEC_RC_OK &&
                wssec_emit_tree(&walk, &c, to_buffer, &tree) == WSSEC_RC_OK &&
                same("the tree", &want[0], &tree, text) && wssec_canon_text(&bare, &want[1]) == WSSEC_RC_OK &&
                wssec_emit_tree(&walk, &bare, to_buffer, &bare_tree) == WSSEC_RC_OK &&
                same("the tree, without list", &want[1], &bare_tree, text) &&
                (!passed || (same("the reader", &want[0], &got[0], text) &&
                             (bare.empty_default || same("its second", &want[1], &got[1], text))));
        cs_buf_free(&bare_tree);
    }
    t->well_formed += good;
    t->read += passed;
    t->agreed_bad += !good && !passed;
    for (int i = 0; i < 2; i++) {
        cs_buf_free(&want[i]);
        cs_buf_free(&got[i]);
    }
    cs_buf_free(&tree);
    wssec_message_reset(&whole);
    wssec_message_reset(&head);
    return equal;
}

static uint64_t number_of(const char *name, uint64_t deflt)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : deflt;
}

static void compare_many(bool mutate, const char *what)
{
    struct tally t = {0};
    uint64_t n = number_of("EMIT_DOCUMENTS", 10000) / 2;
    uint64_t seed = number_of("EMIT_SEED", 1);
    unsigned bad = 0;
    for (uint64_t i = 0; i < n && bad < 3; i++) {
        size_t body = 0;
        state = (seed * 2 + mutate) * UINT64_C(0x9E3779B97F4A7C15) + i * UINT64_C(0xBF58476D1CE4E5B9) + 1;
        char *text = document(&body);
        for (unsigned k = mutate ? 1 + chance(3) : 0; k > 0; k--) {
            text = mutated(text, body);
        }
        if (!compare_one(text, body, &t)) {
            printf("  # document %" PRIu64 " of seed %" PRIu64 "\n", i, seed);
            bad++;
        }
        free(text);
    }
    printf("  # %s: %" PRIu64 " documents, %u well-formed, %u read, %u built, %u refused by both\n", what, n,
           t.well_formed, t.read, t.built, t.agreed_bad);
    CU_ASSERT_EQUAL(bad, 0);
    CU_ASSERT(t.read > 0 && (mutate || t.read > t.well_formed * 7 / 10));
}

static void both_ways_give_the_same_octets(void)
{
    compare_many(false, "as made");
}

static void what_libxml2_refuses_the_reader_refuses(void)
{
    compare_many(true, "mutated");
}

const struct harness_test harness_tests[] = {
    {"both ways give the same octets", both_ways_give_the_same_octets},
    {"what libxml2 refuses the reader refuses", what_libxml2_refuses_the_reader_refuses},
    {NULL, NULL},
};
