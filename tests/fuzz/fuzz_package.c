/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_package.c: signed packages (attachments alone, with their headers, included by XOP, sealed in both orders),
 * changed by a small program that the input is: between tags, lines and delimiters. What passes has the Body and the
 * attachments that were signed, each once and under its name, and no other.
 */
#include "tests/fuzz/edits.h"
#include "tests/fuzz/holder.h"
#include "wssec/mime.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPE     "multipart/related; boundary=\"=_B\"; type=\"text/xml\""
#define TYPE_XOP "multipart/related; boundary=\"=_B\"; type=\"application/xop+xml\"; start-info=\"text/xml\""
#define ROOT     "--=_B\r\nContent-Type: text/xml\r\nContent-ID: <root@x>\r\n\r\n"
#define ROOT_XOP                                                                                                       \
    "--=_B\r\nContent-Type: application/xop+xml; charset=utf-8; type=\"text/xml\"\r\nContent-ID: <root@x>\r\n\r\n"
#define XOP_NS   "http://www.w3.org/2004/08/xop/include"
#define FILE_64  "aGVsbG8gd29ybGQh" /* hello world! */
#define CONTENT  "hello world!"
#define BODY(in) "<o:order xmlns:o=\"urn:orders\"><o:file>" in "</o:file></o:order>"
#define PLAIN    "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Header></S:Header><S:Body>" BODY(FILE_64) "</S:Body></S:Envelope>"
#define MOST     ((size_t)16384) /* octets of a program */
#define STEPS    24
#define LONGEST  ((size_t)200000)
#define BASES    5

/* Attachments of every base but the one with an Include, which has the first alone. */
static const struct {
    const char *id, *header, *content;
} attached[] = {{"a@x", "Content-Type: image/png\r\nContent-ID: <a@x>\r\n\r\n", CONTENT},
                {"b@x", "Content-ID: <b@x>\r\nContent-Type: application/x-y; name=n\r\n\r\n", "line\r\nother \x01"}};

static struct {
    cs_buf octets;
    const char *type;
    char *body;        /* canonical, Includes expanded */
    size_t n_attached; /* as signed */
    bool sealed;       /* its attachments are ciphertext until they are opened */
} base[BASES];

/* ---- packages ------------------------------------------------------------------------------------------------------
 */

/* Takes root. */
static cs_buf package(const char *header, char *root, size_t n)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "%s%s", header, root);
    for (size_t i = 0; i < n; i++) {
        (void)cs_buf_addf(&b, "\r\n--=_B\r\n%s%s", attached[i].header, attached[i].content);
    }
    (void)cs_buf_adds(&b, "\r\n--=_B--\r\n");
    free(root);
    return b;
}

/* Takes in. */
static cs_buf made(cs_buf in, const char *type, const struct wssec_encryption *seal, const struct wssec_recipe *sign)
{
    struct wssec_slice slice = {(const uint8_t *)in.data, in.len};
    struct wssec_input input = {.slice = &slice, .n_slice = 1, .content_type = type};
    struct wssec_output out;
    struct wssec_verdict v;
    int rc = seal != NULL ? wssec_encrypt(worker, &input, seal, &when, &keys, &out, &v)
                          : wssec_sign(worker, &input, sign, &when, &keys, &out, &v);
    if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS) {
        fprintf(stderr, "%s: %s\n", wssec_reason_code(v.reason), v.detail);
        abort();
    }
    cs_buf b = octets_of(&out);
    cs_buf_free(&in);
    return b;
}

static struct wssec_mime mime;
static const struct wssec_mime_limits limits = {100, 16384};

/* @return whether it is a package */
static bool split(const struct wssec_slice *slice, const char *type)
{
    if (wssec_mime_split(&mime, slice, 1, 0, type, &limits) != WSSEC_RC_OK) {
        abort();
    }
    return mime.reason == WSSEC_OK;
}

static int to_buffer(void *ctx, const void *p, size_t n)
{
    return cs_buf_add(ctx, p, n);
}

static cs_buf content_of(const struct wssec_slice *slice, size_t part)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_adds(&b, "");
    if (wssec_mime_content(slice, 1, &mime.part[part], to_buffer, &b) != 0) {
        b.failed = true;
    }
    return b;
}

/* What an Include stands for; the base64 of its part, or its name when there is none. */
static char *expansion(const struct wssec_slice *slice, const char *href)
{
    int part = wssec_mime_find(&mime, href);
    if (part <= 0) {
        return strdup(href);
    }
    cs_buf content = content_of(slice, (size_t)part);
    char *text = maker_base64((const uint8_t *)content.data, content.len);
    cs_buf_free(&content);
    return text;
}

/* The Body of the root, canonical, with Includes expanded. NULL: there is none */
static char *canonical_body(const struct wssec_slice *slice)
{
    cs_buf root = content_of(slice, 0);
    xmlDocPtr doc = xmlReadMemory(root.data, (int)root.len, NULL, NULL, XML_PARSE_NONET);
    xmlXPathContextPtr x = doc != NULL ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObjectPtr found =
        x != NULL ? xmlXPathEval(BAD_CAST "//*[local-name()='Include' and namespace-uri()='" XOP_NS "']", x) : NULL;
    for (int i = 0; found != NULL && found->nodesetval != NULL && i < found->nodesetval->nodeNr; i++) {
        xmlNodePtr include = found->nodesetval->nodeTab[i];
        char *href = (char *)xmlGetProp(include, BAD_CAST "href");
        char *text = expansion(slice, href != NULL ? href : "");
        xmlFree(href);
        xmlNodePtr node = xmlNewDocText(doc, BAD_CAST text);
        xmlReplaceNode(include, node);
        xmlFreeNode(include);
        free(text);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(x);
    xmlChar *dump = NULL;
    int n = 0;
    char *body = NULL;
    if (doc != NULL) {
        xmlDocDumpMemoryEnc(doc, &dump, &n, "UTF-8");
        xmlFreeDoc(doc);
    }
    if (dump != NULL) {
        body = maker_canon((const char *)dump, "/*/*[local-name()='Body']", EXC_C14N, NULL, &n);
        xmlFree(dump);
    }
    cs_buf_free(&root);
    return body;
}

static void make_bases(void)
{
    static const char *const whole[] = {"Body", "attachments", "Signature"};
    const struct wssec_encryption seal = {.part = whole, .n_part = 2, .cipher = "aes128-gcm"};
    const struct wssec_encryption seal_all = {.part = whole, .n_part = 3, .complete = true};
    const struct wssec_recipe usual = {.timestamp = true, .join = true};
    const struct wssec_recipe complete = {.timestamp = true, .complete = true};
    char *include = strdup("<x:Include xmlns:x=\"" XOP_NS "\" href=\"cid:a%40x\"/>");
    for (size_t i = 0; i < BASES; i++) {
        base[i].type = TYPE;
        base[i].n_attached = 2;
    }
    base[0].octets = made(package(ROOT, strdup(PLAIN), 2), TYPE, NULL, &usual);
    base[1].octets = made(package(ROOT, strdup(PLAIN), 2), TYPE, NULL, &complete);
    cs_buf plain = {0};
    (void)cs_buf_adds(&plain, PLAIN);
    cs_buf signed_text = made(plain, "text/xml", NULL, &usual);
    base[2].octets = package(ROOT_XOP, maker_replace(cs_buf_take(&signed_text, NULL), FILE_64, include), 1);
    base[2].type = TYPE_XOP;
    base[2].n_attached = 1;
    base[3].octets = made(made(package(ROOT, strdup(PLAIN), 2), TYPE, NULL, &complete), TYPE, &seal_all, NULL);
    base[4].octets = made(made(package(ROOT, strdup(PLAIN), 2), TYPE, &seal, NULL), TYPE, NULL, &usual);
    base[3].sealed = base[4].sealed = true;
    free(include);
    for (size_t i = 0; i < BASES; i++) {
        struct wssec_verdict v;
        struct wssec_output out;
        const struct wssec_slice slice = {(const uint8_t *)base[i].octets.data, base[i].octets.len};
        const struct wssec_input input = {.slice = &slice, .n_slice = 1, .content_type = base[i].type};
        int rc = wssec_open(worker, &input, policy, &when, &keys, NULL, true, &v, NULL, &out);
        cs_buf opened = octets_of(&out);
        const struct wssec_slice whole = {(const uint8_t *)opened.data, opened.len};
        if (rc != WSSEC_RC_OK || v.verdict != WSSEC_PASS || !split(&whole, base[i].type)) {
            fprintf(stderr, "package %zu: %s: %s\n", i, wssec_reason_code(v.reason), v.detail);
            abort();
        }
        base[i].body = canonical_body(&whole); /* ids are random, so each has its own */
        cs_buf_free(&opened);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    holder_begin();
    make_bases();
    return 0;
}

/* ---- changes -------------------------------------------------------------------------------------------------------
 */

static const char *const snippets[] = {
    "\r\n--=_B\r\n",
    "\r\n--=_B--\r\n",
    "\n--=_B\n",
    "--=_B",
    "\r\n\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "Content-ID: <a@x>\r\n",
    "Content-ID: <b@x>\r\n",
    "Content-ID: <c@x>\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Type: text/xml\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Length: 12\r\n",
    CONTENT,
    FILE_64,
    "<x:Include xmlns:x=\"" XOP_NS "\" href=\"cid:a@x\"/>",
    "<x:Include xmlns:x=\"" XOP_NS "\" href=\"cid:b@x\"/>",
    "<S:Body>",
    "</S:Body>",
    "<a/>",
    "<!-- -->",
    " Id=\"x\"",
    " URI=\"cid:a@x\"",
};

/* Tags and line ends in turn. */
static size_t place(const cs_buf *t, unsigned which)
{
    const char *at = t->data;
    const char *end = t->data + t->len;
    if (which % 2 == 0) {
        return maker_tag(t, which / 2);
    }
    for (unsigned i = which / 2; at != NULL; i--) {
        at = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (i == 0 && at != NULL) {
            return (size_t)(at - t->data) + which / 2 % 2 * 2; /* in front of it, or behind */
        }
        at = at != NULL ? at + 2 : NULL;
    }
    return t->len;
}

/* ---- laws ----------------------------------------------------------------------------------------------------------
 */

static void fail(const char *law, const cs_buf *text, const cs_buf *opened)
{
    fprintf(stderr, "%s\n--- package\n", law);
    (void)fwrite(text->data, 1, text->len, stderr);
    fprintf(stderr, "\n--- opened\n");
    (void)fwrite(opened->data, 1, opened->len, stderr);
    abort();
}

/* Line ends of a part that says to be text are of no account (SwA profile, 4.4.2). */
static bool same(const cs_buf *content, const char *expected)
{
    const char *p = content->data;
    const char *end = p + content->len;
    for (; *expected != '\0' && p < end; expected++) {
        if (*expected == '\r' || *expected == '\n') {
            if (*p != '\r' && *p != '\n') {
                return false;
            }
            p += *p == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
            expected += *expected == '\r' && expected[1] == '\n';
        } else if (*p++ != *expected) {
            return false;
        }
    }
    return *expected == '\0' && p == end;
}

static void check(unsigned which, const cs_buf *text, const cs_buf *opened)
{
    const struct wssec_slice slice = {(const uint8_t *)opened->data, opened->len};
    if (!split(&slice, base[which].type)) {
        fail("a package passed that is none", text, opened);
    }
    if (mime.n_part - 1 != base[which].n_attached) {
        fail("a package passed with attachments that nobody signed, or without one", text, opened);
    }
    for (size_t i = 1; i < mime.n_part; i++) {
        size_t k = strcmp(mime.part[i].id, attached[0].id) == 0 ? 0 : 1;
        cs_buf content = content_of(&slice, i);
        if (strcmp(mime.part[i].id, attached[k].id) != 0 || content.failed || !same(&content, attached[k].content)) {
            fail("an attachment passed that is not what was signed under its name", text, opened);
        }
        cs_buf_free(&content);
    }
    char *body = canonical_body(&slice);
    if (body == NULL || strcmp(body, base[which].body) != 0) {
        fail("a Body passed that is not the one that was signed", text, opened);
    }
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edits in = {data, size};
    struct wssec_verdict v;
    struct wssec_output out;
    cs_buf t = CS_BUF_INIT;
    if (size == 0 || size > MOST) {
        return 0;
    }
    unsigned which = edits_octet(&in) % BASES;
    (void)cs_buf_add(&t, base[which].octets.data, base[which].octets.len);
    for (unsigned i = 0; i < STEPS && in.n > 0 && t.len < LONGEST; i++) {
        edits_apply_at(&t, &in, place, snippets, sizeof snippets / sizeof snippets[0]);
    }
    struct wssec_slice slice = {(const uint8_t *)t.data, t.len};
    struct wssec_input input = {.slice = &slice, .n_slice = 1, .content_type = base[which].type};
    int rc = wssec_open(worker, &input, policy, &when, &keys, NULL, true, &v, NULL, &out);
    cs_buf opened = octets_of(&out);
    if (rc != WSSEC_RC_OK || v.reason == WSSEC_INTERNAL || v.reason == WSSEC_ENGINE_DISAGREEMENT ||
        (v.verdict == WSSEC_PASS) != (out.n_piece > 0)) {
        fail(v.detail, &t, &opened);
    }
    if (v.verdict == WSSEC_PASS && (v.opening || !base[which].sealed)) {
        check(which, &t, &opened);
    } else if (v.verdict == WSSEC_PASS && opened.len != t.len) {
        fail("a package passed without being opened, and was changed", &t, &opened);
    }
    if (size == 1 && v.verdict != WSSEC_PASS) {
        fail("a package as it was made did not pass", &t, &opened);
    }
    cs_buf_free(&opened);
    cs_buf_free(&t);
    return 0;
}
