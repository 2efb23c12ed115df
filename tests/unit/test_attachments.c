/* SPDX-License-Identifier: Apache-2.0 */
/* test_attachments.c: signed attachments and XOP packages: what is verified, made, and refused; each attack beside its
 * harmless twin. */
#include "tests/unit/judging.h"
#include "wssec/package.h"

const char *const harness_suite = "attachments";

static struct maker_key rsa;

int harness_setup(void)
{
    rsa = maker_key_new("rsa:2048", NULL);
    maker_accept(&partner, &rsa, WSSEC_ACTIVE);
    return judging_begin();
}

int harness_teardown(void)
{
    judging_end();
    maker_key_free(&rsa);
    return 0;
}

#define RELATED "multipart/related; boundary=\"=_B\"; type=\"text/xml\""
#define XOP     "multipart/related; boundary=\"=_B\"; type=\"application/xop+xml\"; start-info=\"text/xml\""

struct part { /* of a package, behind its root */
    const char *header, *content;
};

/* A package around an envelope, which it takes. */
static char *package(char *envelope, const char *root_header, const struct part *part, size_t n)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b, "--=_B\r\n%s\r\n%s\r\n", root_header, envelope);
    for (size_t i = 0; i < n; i++) {
        (void)cs_buf_addf(&b, "--=_B\r\n%s\r\n%s\r\n", part[i].header, part[i].content);
    }
    (void)cs_buf_adds(&b, "--=_B--\r\n");
    free(envelope);
    return cs_buf_take(&b, NULL);
}

#define ROOT "Content-Type: text/xml; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <root@x>\r\n"

/* Judge text (taken), cut into slices of step octets. */
static const char *judge_sliced(char *text, const char *type, const struct setting *set, size_t n_set, size_t step)
{
    size_t n = strlen(text);
    struct wssec_policy *p = policy_of(set, n_set);
    struct wssec_slice *slice = calloc(n / step + 1, sizeof *slice);
    size_t n_slice = 0;
    for (size_t at = 0; at < n; at += step) {
        slice[n_slice++] = (struct wssec_slice){(const uint8_t *)text + at, n - at < step ? n - at : step};
    }
    struct wssec_input in = {
        .slice = slice, .n_slice = n_slice, .content_type = type, .response = true, .http_status = 200};
    struct wssec_resolver r = {&partner, 57, maker_candidates, NULL};
    wssec_explain_free(&steps);
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, &steps), WSSEC_RC_OK);
    if (v.verdict == WSSEC_PASS) { /* where the record says that they are */
        CU_ASSERT_EQUAL(memcmp(text + v.security.from, "<wsse:Security", 14), 0);
        CU_ASSERT_EQUAL(memcmp(text + v.security.to - 16, "</wsse:Security>", 16), 0);
    }
    free(slice);
    wssec_policy_unref(p);
    free(text);
    return wssec_reason_code(v.reason);
}

static const char *judge_package(char *text, const char *type)
{
    return judge_sliced(text, type, NULL, 0, 1000);
}

static const struct maker_attached one[] = {{"cid:a@x", NULL, "\x01\x02 data \r\n"}, {NULL, NULL, NULL}};
#define PART_A                                                                                                         \
    {                                                                                                                  \
        "Content-Type: application/octet-stream\r\nContent-ID: <a@x>\r\n", "\x01\x02 data \r\n"                        \
    }

static char *signed_one(void)
{
    return maker_message(&(struct maker){.key = &rsa, .attached = one});
}

/* ---- verified ------------------------------------------------------------------------------------------------------
 */

static void a_signed_attachment_passes_however_the_octets_are_cut(void)
{
    const struct part a = PART_A;
    for (size_t step = 1; step < 4000; step = step * 3 + 1) {
        expect(judge_sliced(package(signed_one(), ROOT, &a, 1), RELATED, NULL, 0, step), "ok", "signed attachment");
    }
    CU_ASSERT_EQUAL(v.n_covers, 3);
    CU_ASSERT_STRING_EQUAL(v.covers[2], "cid:a@x");
    CU_ASSERT_EQUAL(v.n_notes, 0);
}

static void both_engines_judge_attachments(void)
{
    const struct part a = PART_A;
    const struct setting dom = {"engine", {"xmlsec"}};
    expect(judge_sliced(package(signed_one(), ROOT, &a, 1), RELATED, &dom, 1, 1000), "ok", "tree engine");
    CU_ASSERT_EQUAL(v.engine, engine_of_environment() == WSSEC_ENGINE_STREAM ? WSSEC_ENGINE_STREAM : WSSEC_ENGINE_DOM);
    if (engine_of_environment() != WSSEC_ENGINE_DOM) {
        expect(judge_package(package(signed_one(), ROOT, &a, 1), RELATED), "ok", "one pass");
        CU_ASSERT_EQUAL(v.engine, WSSEC_ENGINE_STREAM);
        CU_ASSERT_STRING_EQUAL(v.fallback, "");
    }
    const struct setting both = {"cross-check", {"100%"}};
    expect(judge_sliced(package(signed_one(), ROOT, &a, 1), RELATED, &both, 1, 1000), "ok", "both");
}

/* Content is canonical by its media type; what the transfer encoding hides is undone first. */
static void content_is_digested_by_its_type(void)
{
    static const struct {
        const char *what, *header, *content, *digested, *reason;
    } rows[] = {
        {"octets", "Content-Type: image/png\r\n", "a\nb\rc", "a\nb\rc", "ok"},
        {"octets, line ends changed", "Content-Type: image/png\r\n", "a\r\nb", "a\nb", "digest-mismatch"},
        {"text", "Content-Type: text/plain; charset=utf-8\r\n", "a\nb\rc\r\nd\r\r\n\n", "a\r\nb\r\nc\r\nd\r\n\r\n\r\n",
         "ok"},
        {"no type is text", "", "a\nb", "a\r\nb", "ok"},
        {"XML", "Content-Type: application/xml\r\n", "<?xml version=\"1.0\"?>\n<a  b='1' xmlns:n=\"urn:n\"><c/></a>",
         "<a b=\"1\"><c></c></a>", "ok"},
        {"XML by suffix", "Content-Type: image/svg+xml\r\n", "<a/>", "<a></a>", "ok"},
        {"XML, as octets", "Content-Type: text/xml\r\n", "<a/>", "<a/>", "digest-mismatch"},
        {"broken XML", "Content-Type: text/xml\r\n", "<a>", "<a>", "xml-malformed"},
        {"XML with a document type", "Content-Type: text/xml\r\n", "<!DOCTYPE a><a/>", "<a></a>", "dtd-forbidden"},
        {"XML with a comment", "Content-Type: text/xml\r\n", "<a>1<!---->2</a>", "<a>12</a>", "comment-in-signed-part"},
        {"XML of an encoding that it does not say", "Content-Type: text/xml; charset=utf-16\r\n", "<a/>", "<a></a>",
         "xml-encoding"},
        {"base64", "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n", "aGVs\r\nbG8=", "hello", "ok"},
        {"base64 noise", "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n", "aGVs*bG8=", "hello",
         "mime-malformed"},
        {"quoted-printable", "Content-Type: image/png\r\nContent-Transfer-Encoding: quoted-printable\r\n",
         "h=65llo=\r\n", "hello", "ok"},
        {"empty", "Content-Type: image/png\r\n", "", "", "ok"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char header[200];
        const struct maker_attached a[] = {{"cid:a@x", NULL, rows[i].digested}, {NULL, NULL, NULL}};
        (void)snprintf(header, sizeof header, "Content-ID: <a@x>\r\n%s", rows[i].header);
        const struct part p = {header, rows[i].content};
        for (size_t step = 1; step < 3000; step = step * 40 + 7) {
            expect(judge_sliced(package(maker_message(&(struct maker){.key = &rsa, .attached = a}), ROOT, &p, 1),
                                RELATED, NULL, 0, step),
                   rows[i].reason, rows[i].what);
        }
    }
}

#define COMPLETE "<ds:Transform Algorithm=\"" SWA_COMPLETE "\"/>"

static void headers_are_signed_with_complete(void)
{
    static const struct {
        const char *what, *header, *canonical, *reason;
    } rows[] = {
        {"usual", "Content-Type: text/Plain; charset=US-ASCII\r\nContent-ID: <a@x>\r\n",
         "Content-ID:<a@x>\r\nContent-Type:text/plain;charset=\"us-ascii\"\r\n", "ok"},
        {"an empty line between", "Content-Type: text/Plain; charset=US-ASCII\r\nContent-ID: <a@x>\r\n",
         "Content-ID:<a@x>\r\nContent-Type:text/plain;charset=\"us-ascii\"\r\n\r\n", "ok"},
        {"order, case, folds, other fields",
         "X-Other: 1\r\ncontent-type: text/plain;\r\n\tType=\"X/Y\" ; name=\"A \\\"b\\\"\\c (1)\"\r\nCONTENT-ID:\r\n "
         "<a@x>\r\n"
         "Content-Description: The\r\n file\r\nContent-Location: Http://X/y\r\n"
         "Content-Disposition: ATTACHMENT; filename=\"Report.PDF\"; size=10\r\n",
         "Content-Description:The "
         "file\r\nContent-Disposition:attachment;filename=\"report.pdf\";size=\"10\"\r\nContent-ID:<a@x>\r\n"
         "Content-Location:Http://X/y\r\nContent-Type:text/plain;name=\"A \\\"b\\\"c (1)\";type=\"x/y\"\r\n",
         "ok"},
        {"no type", "Content-ID: <a@x>\r\n", "Content-ID:<a@x>\r\nContent-Type:text/plain;charset=\"us-ascii\"\r\n",
         "ok"},
        {"file name changed",
         "Content-ID: <a@x>\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=b\r\n",
         "Content-Disposition:attachment;filename=\"a\"\r\nContent-ID:<a@x>\r\nContent-Type:text/plain\r\n",
         "digest-mismatch"},
        {"a field added", "Content-ID: <a@x>\r\nContent-Type: text/plain\r\nContent-Location: b\r\n",
         "Content-ID:<a@x>\r\nContent-Type:text/plain\r\n", "digest-mismatch"},
        {"a comment", "Content-ID: <a@x>\r\nContent-Description: a (b)\r\n", "", "mime-malformed"},
        {"an encoded word", "Content-ID: <a@x>\r\nContent-Description: =?utf-8?Q?=C3=A4?=\r\n", "", "mime-malformed"},
        {"octets beyond ASCII", "Content-ID: <a@x>\r\nContent-Disposition: attachment; filename=\"\xC3\xA4\"\r\n", "",
         "mime-malformed"},
        {"an encoded parameter", "Content-ID: <a@x>\r\nContent-Disposition: attachment; filename*=utf-8''x\r\n", "",
         "mime-malformed"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char digested[600];
        (void)snprintf(digested, sizeof digested, "%sbody", rows[i].canonical);
        const struct maker_attached a[] = {{"cid:a@x", COMPLETE, digested}, {NULL, NULL, NULL}};
        const struct part p = {rows[i].header, "body"};
        expect(judge_package(package(maker_message(&(struct maker){.key = &rsa, .attached = a}), ROOT, &p, 1), RELATED),
               rows[i].reason, rows[i].what);
    }
}

/* ---- attacks
 * --------------------------------------------------------------------------------------------------------- */

static void attachments_cannot_be_exchanged(void)
{
    const struct part a = PART_A;
    const struct part b = {"Content-Type: application/octet-stream\r\nContent-ID: <b@x>\r\n", "other"};
    const struct part a_as_b = {"Content-Type: application/octet-stream\r\nContent-ID: <b@x>\r\n", a.content};
    const struct part changed = {a.header, "\x01\x02 data \r"};
    const struct part nameless = {"Content-Type: application/octet-stream\r\n", "x"};
    const struct part twice[] = {PART_A, {a.header, "other"}};
    const struct part both[] = {PART_A, {"Content-Type: application/octet-stream\r\nContent-ID: <b@x>\r\n", "other"}};
    const struct part swapped[] = {{"Content-Type: application/octet-stream\r\nContent-ID: <a@x>\r\n", "other"},
                                   {"Content-Type: application/octet-stream\r\nContent-ID: <b@x>\r\n", a.content}};
    const struct part more[] = {PART_A, nameless};
    static const struct maker_attached two[] = {
        {"cid:a@x", NULL, "\x01\x02 data \r\n"}, {"cid:b%40x", NULL, "other"}, {NULL, NULL, NULL}};
    expect(judge_package(package(signed_one(), ROOT, &a, 1), RELATED), "ok", "harmless");
    expect(judge_package(package(signed_one(), ROOT, &changed, 1), RELATED), "digest-mismatch", "changed");
    expect(judge_package(package(signed_one(), ROOT, NULL, 0), RELATED), "attachment-missing", "removed");
    expect(judge_package(package(signed_one(), ROOT, &a_as_b, 1), RELATED), "attachment-missing", "renamed");
    expect(judge_package(package(signed_one(), ROOT, &b, 1), RELATED), "attachment-missing", "another one");
    expect(judge_package(package(signed_one(), ROOT, both, 2), RELATED), "part-not-signed", "added");
    expect(judge_package(package(signed_one(), ROOT, more, 2), RELATED), "part-not-signed", "added without a name");
    expect(judge_package(package(signed_one(), ROOT, twice, 2), RELATED), "mime-malformed", "doubled id");
    char *message = maker_message(&(struct maker){.key = &rsa, .attached = two});
    char *again = strdup(message);
    expect(judge_package(package(message, ROOT, both, 2), RELATED), "ok", "two attachments");
    expect(judge_package(package(again, ROOT, swapped, 2), RELATED), "digest-mismatch", "swapped");
    /* stripped to a plain message */
    expect(judge(signed_one(), NULL, 0), "attachment-missing", "stripped");
}

static void unsigned_attachments_pass_only_where_they_are_allowed(void)
{
    const struct part a = PART_A;
    const struct setting allow = {"allow", {"unsigned-attachments"}};
    const struct setting required[] = {{"allow", {"unsigned-attachments"}},
                                       {"require-signed", {"Body", "attachments"}}};
    const struct setting maybe[] = {{"allow", {"unsigned-attachments"}}, {"require-signed", {"Body", "attachments?"}}};
    struct maker plain = {.key = &rsa};
    expect(judge_package(package(maker_message(&plain), ROOT, &a, 1), RELATED), "part-not-signed", "by default");
    expect(judge_sliced(package(maker_message(&plain), ROOT, &a, 1), RELATED, &allow, 1, 1000), "ok", "allowed");
    CU_ASSERT_EQUAL_FATAL(v.n_notes, 1);
    CU_ASSERT_STRING_EQUAL(v.notes[0], "unsigned-attachment 2");
    expect(judge_sliced(package(maker_message(&plain), ROOT, &a, 1), RELATED, required, 2, 1000), "part-not-signed",
           "allowed, yet required");
    expect(judge_sliced(package(maker_message(&plain), ROOT, &a, 1), RELATED, maybe, 2, 1000), "ok",
           "allowed, and not required");
    expect(judge_package(package(maker_message(&plain), ROOT, NULL, 0), RELATED), "ok", "none there");
    expect(judge_sliced(maker_message(&plain), "text/xml", required + 1, 1, 1000), "ok", "required, none there");
    /* a signed one may not be broken all the same */
    const struct part changed = {a.header, "x"};
    expect(judge_sliced(package(signed_one(), ROOT, &changed, 1), RELATED, &allow, 1, 1000), "digest-mismatch",
           "allowed, signed, changed");
}

static void references_to_attachments_have_one_form(void)
{
    static const struct {
        const char *what, *uri, *transforms, *reason;
    } rows[] = {
        {"usual", "cid:a@x", NULL, "ok"},
        {"escaped", "cid:%61%40x", NULL, "ok"},
        {"broken escape", "cid:a%4", NULL, "reference-uri-forbidden"},
        {"nothing named", "cid:", NULL, "reference-uri-forbidden"},
        {"root named", "cid:root@x", NULL, "attachment-missing"},
        {"no transform", "cid:a@x", "", "transform-forbidden"},
        {"canonicalization", "cid:a@x", "<ds:Transform Algorithm=\"" EXC_C14N "\"/>", "transform-forbidden"},
        {"two transforms", "cid:a@x",
         "<ds:Transform Algorithm=\"" SWA_CONTENT "\"/><ds:Transform Algorithm=\"" EXC_C14N "\"/>",
         "transform-forbidden"},
        {"parameters", "cid:a@x", "<ds:Transform Algorithm=\"" SWA_CONTENT "\"><ds:XPath>1</ds:XPath></ds:Transform>",
         "transform-forbidden"},
        {"ciphertext transform", "cid:a@x",
         "<ds:Transform "
         "Algorithm=\"http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Ciphertext-Transform\"/>",
         "transform-forbidden"},
        {"http", "http://127.0.0.1/a", NULL, "transform-forbidden"},
        {"file", "file:///etc/passwd", NULL, "transform-forbidden"}};
    const struct part a = PART_A;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct maker_attached x[] = {{rows[i].uri, rows[i].transforms, a.content}, {NULL, NULL, NULL}};
        expect(judge_package(package(maker_message(&(struct maker){.key = &rsa, .attached = x}), ROOT, &a, 1), RELATED),
               rows[i].reason, rows[i].what);
    }
    const struct maker_attached same[] = {
        {"cid:a@x", NULL, a.content}, {"cid:%61@x", NULL, a.content}, {NULL, NULL, NULL}};
    expect(judge_package(package(maker_message(&(struct maker){.key = &rsa, .attached = same}), ROOT, &a, 1), RELATED),
           "signature-malformed", "one attachment twice");
    /* the transform of attachments on an element */
    expect(judge(maker_message(
                     &(struct maker){.key = &rsa, .transforms = "<ds:Transform Algorithm=\"" SWA_CONTENT "\"/>"}),
                 NULL, 0),
           "transform-forbidden", "on an element");
}

static void a_second_root_or_another_boundary_gains_nothing(void)
{
    struct maker plain = {.key = &rsa};
    const struct part second = {"Content-Type: text/xml\r\nContent-ID: <b@x>\r\n",
                                "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body/></S:Envelope>"};
    expect(judge_package(package(maker_message(&plain), ROOT, &second, 1), RELATED), "part-not-signed",
           "second envelope");
    expect(judge_package(package(maker_message(&plain), ROOT, &second, 1), RELATED "; start=\"<b@x>\""),
           "mime-malformed", "start names it");
    expect(judge_package(package(maker_message(&plain), ROOT, &second, 1), RELATED "; boundary=x"), "mime-malformed",
           "two boundaries");
    expect(judge_package(package(maker_message(&plain), "Content-Type: text/html\r\n", NULL, 0), RELATED),
           "mime-malformed", "type of the root");
    expect(judge_package(maker_message(&plain), RELATED), "mime-malformed", "XML that says multipart");
    const struct setting small = {"limits.body", {"3000"}};
    char *text = package(maker_message(&plain), ROOT, NULL, 0);
    bool larger = strlen(text) > 3000;
    expect(judge_sliced(text, RELATED, &small, 1, 1000), larger ? "limit-body" : "ok", "limit");
    const struct setting parts = {"limits.parts", {"1"}};
    expect(judge_sliced(package(maker_message(&plain), ROOT, &second, 1), RELATED, &parts, 1, 1000), "limit-parts",
           "parts");
    const struct setting header = {"limits.part-header", {"60"}};
    expect(judge_sliced(package(maker_message(&plain), ROOT, &second, 1), RELATED, &header, 1, 1000), "limit-parts",
           "header");
}

/* ---- XOP
 * ------------------------------------------------------------------------------------------------------------- */

#define XOP_ROOT     "Content-Type: application/xop+xml; charset=utf-8; type=\"text/xml\"\r\nContent-ID: <root@x>\r\n"
#define INCLUDE(uri) "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"" uri "\"/>"
#define CODED(id)                                                                                                      \
    "Content-Type: application/ciphervalue\r\nContent-ID: <" id ">\r\nContent-Transfer-Encoding: base64\r\n"
#define ORDER(in) "<o:order xmlns:o=\"urn:orders\"><o:file>" in "</o:file><o:n>1</o:n></o:order>"

/* Signed with the base64 in place, sent with an Include instead. */
static char *optimised(const char *base64, const char *include)
{
    cs_buf body = CS_BUF_INIT;
    (void)cs_buf_addf(&body, ORDER("%s"), base64);
    char *text = maker_message(&(struct maker){.key = &rsa, .body = body.data});
    char from[256];
    char to[256];
    (void)snprintf(from, sizeof from, "<o:file>%s</o:file>", base64);
    (void)snprintf(to, sizeof to, "<o:file>%s</o:file>", include);
    cs_buf_free(&body);
    return maker_replace(text, from, to);
}

static void an_include_is_judged_as_the_text_that_it_stands_for(void)
{
    const struct part hello = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", "hello"};
    const struct part coded = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n",
                               "aGVs\r\nbG8="};
    const struct part noise = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n",
                               "aGVs*bG8="};
    const struct part hallo = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", "hallo"};
    const struct part empty = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", ""};
    for (size_t step = 1; step < 4000; step = step * 9 + 1) {
        expect(
            judge_sliced(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), XOP_ROOT, &hello, 1), XOP, NULL, 0, step),
            "ok", "Include");
    }
    CU_ASSERT_STRING_EQUAL(v.fallback, engine_of_environment() == WSSEC_ENGINE_DOM ? "" : "xop");
    expect(judge_package(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), XOP_ROOT, &coded, 1), XOP), "ok",
           "base64 on its way");
    expect(judge_package(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), XOP_ROOT, &noise, 1), XOP),
           "mime-malformed", "base64 noise");
    expect(judge_package(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), XOP_ROOT, &hallo, 1), XOP),
           "digest-mismatch", "swapped");
    expect(judge_package(package(optimised("", INCLUDE("cid:a@x")), XOP_ROOT, &empty, 1), XOP), "ok", "empty");
    expect(judge_package(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), XOP_ROOT, NULL, 0), XOP),
           "attachment-missing", "removed");
}

static void includes_have_one_form(void)
{
    static const struct {
        const char *what, *include, *reason;
    } rows[] = {
        {"usual", INCLUDE("cid:a@x"), "ok"},
        {"escaped", INCLUDE("cid:%61%40x"), "ok"},
        {"white space beside it", " " INCLUDE("cid:a@x"), "xop-malformed"},
        {"an element beside it", "<a/>" INCLUDE("cid:a@x"), "xop-malformed"},
        {"a comment beside it", INCLUDE("cid:a@x") "<!---->", "xop-malformed"},
        {"content", "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:a@x\">a</x:Include>",
         "xop-malformed"},
        {"no href", "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\"/>", "xop-malformed"},
        {"another attribute", "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:a@x\" b=\"1\"/>",
         "xop-malformed"},
        {"http", INCLUDE("http://127.0.0.1/a"), "xop-malformed"},
        {"file", INCLUDE("file:///etc/passwd"), "xop-malformed"},
        {"relative", INCLUDE("a@x"), "xop-malformed"},
        {"fragment", INCLUDE("#Body"), "xop-malformed"},
        {"root", INCLUDE("cid:root@x"), "attachment-missing"},
        {"no such part", INCLUDE("cid:b@x"), "attachment-missing"}};
    const struct part hello = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", "hello"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(judge_package(package(optimised("aGVsbG8=", rows[i].include), XOP_ROOT, &hello, 1), XOP), rows[i].reason,
               rows[i].what);
    }
    char *text = optimised("aGVsbG8=", INCLUDE("cid:a@x"));
    text = maker_replace(text, "<o:n>1</o:n>", "<o:n>" INCLUDE("cid:a@x") "</o:n>");
    expect(judge_package(package(text, XOP_ROOT, &hello, 1), XOP), "xop-malformed", "one part twice");
    /* what is signed as text must not come as an Include, nor the other way round */
    expect(judge_package(package(optimised("aGVsbG8=", INCLUDE("cid:a@x")), ROOT, &hello, 1), RELATED),
           "digest-mismatch", "no XOP package");
    text = maker_message(&(struct maker){.key = &rsa, .body = ORDER(INCLUDE("cid:a@x"))});
    expect(judge_package(package(text, XOP_ROOT, &hello, 1), XOP), "digest-mismatch", "literally signed");
    text = maker_message(&(struct maker){.key = &rsa, .body = ORDER(INCLUDE("cid:a@x"))});
    expect(judge_package(package(text, ROOT, &hello, 1), RELATED), "part-not-signed",
           "literally signed, no XOP package");
    const struct setting allow = {"allow", {"unsigned-attachments"}};
    text = maker_message(&(struct maker){.key = &rsa, .body = ORDER(INCLUDE("cid:a@x"))});
    expect(judge_sliced(package(text, ROOT, &hello, 1), RELATED, &allow, 1, 1000), "xop-malformed",
           "literally signed, unsigned parts allowed");
}

/* What an Include outside of signed elements names is not signed. */
static void an_include_outside_of_what_is_signed_covers_nothing(void)
{
    const struct part hello = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", "hello"};
    struct maker m = {.key = &rsa, .header = "<h:file xmlns:h=\"urn:h\">" INCLUDE("cid:a@x") "</h:file>"};
    expect(judge_package(package(maker_message(&m), XOP_ROOT, &hello, 1), XOP), "part-not-signed",
           "in an unsigned header");
}

/* text with the value of an element as an Include of a part. @return that value */
static char *taken_out(char **text, const char *element, const char *include)
{
    char *at = strstr(*text, element);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    at = strchr(at, '>') + 1;
    char *value = strndup(at, strcspn(at, "<"));
    *text = maker_replace(*text, value, include);
    return value;
}

/* Includes in our header: parts that hold what signed the message, and no other octets. */
static void parts_of_the_signer_need_no_signature(void)
{
    static const char coded[] = CODED("a@x");
    static const struct {
        const char *element, *reason; /* of other octets */
    } rows[] = {{"<wsse:BinarySecurityToken", "certificate-unknown"}, {"<ds:SignatureValue", "signature-mismatch"}};
    struct maker_key other = maker_key_new("rsa:2048", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = maker_message(&(struct maker){.key = &rsa});
        char *strange = maker_message(&(struct maker){.key = &other});
        char *value = taken_out(&text, rows[i].element, INCLUDE("cid:a@x"));
        char *changed = taken_out(&strange, rows[i].element, INCLUDE("cid:a@x"));
        const struct part good = {coded, value};
        const struct part bad = {coded, changed};
        expect(judge_package(package(strdup(text), XOP_ROOT, &good, 1), XOP), "ok", rows[i].element);
        expect(judge_package(package(text, XOP_ROOT, &bad, 1), XOP), rows[i].reason, "with other octets");
        free(strange);
        free(changed);
        free(value);
    }
    /* a token that nobody asked for is no token of the signer's */
    char *strange = maker_message(&(struct maker){.key = &other});
    char *unasked = taken_out(&strange, "<wsse:BinarySecurityToken", INCLUDE("cid:a@x"));
    const struct part part = {coded, unasked};
    static const char token[] = "<wsse:BinarySecurityToken>" INCLUDE("cid:a@x") "</wsse:BinarySecurityToken>";
    struct maker m = {.key = &rsa, .in_security = token};
    expect(judge_package(package(maker_message(&m), XOP_ROOT, &part, 1), XOP), "part-not-signed",
           "a token unasked for");
    m = (struct maker){.key = &rsa, .header = "<h:file xmlns:h=\"urn:h\">" INCLUDE("cid:a@x") "</h:file>"};
    char *text = maker_message(&(struct maker){.key = &rsa});
    free(strange);
    strange = taken_out(&text, "<wsse:BinarySecurityToken", INCLUDE("cid:a@x"));
    const struct part certificate = {coded, strange};
    expect(judge_package(package(maker_message(&m), XOP_ROOT, &certificate, 1), XOP), "part-not-signed",
           "the certificate in another header");
    free(strange);
    free(unasked);
    free(text);
    maker_key_free(&other);
}

static void large_parts_are_digested_as_they_go_by(void)
{
    enum { OCTETS = 3000001 };
    uint8_t *octets = malloc(OCTETS);
    char *base64 = malloc(4 * (OCTETS / 3 + 1) + 1);
    for (size_t i = 0; i < OCTETS; i++) {
        octets[i] = (uint8_t)(' ' + i * 31 % 90);
    }
    octets[OCTETS - 1] = '\0';
    (void)cs_base64_encode(octets, OCTETS - 1, base64);
    cs_buf body = CS_BUF_INIT;
    (void)cs_buf_addf(&body, ORDER("%s"), base64);
    char *text = maker_message(&(struct maker){.key = &rsa, .body = body.data});
    char *cut = strstr(text, base64);
    cs_buf small = CS_BUF_INIT;
    (void)cs_buf_add(&small, text, (size_t)(cut - text));
    (void)cs_buf_adds(&small, INCLUDE("cid:a@x"));
    (void)cs_buf_adds(&small, cut + strlen(base64));
    const struct part large = {"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", (const char *)octets};
    const struct setting dom = {"limits.dom", {"100k"}};
    expect(judge_sliced(package(cs_buf_take(&small, NULL), XOP_ROOT, &large, 1), XOP, &dom, 1, 65536), "ok",
           "3 MB in a tree of 100 kB");
    cs_buf_free(&body);
    free(text);
    free(base64);
    free(octets);
}

/* ---- made
 * ------------------------------------------------------------------------------------------------------------ */

static char *sign_package(char *text, const char *type, const struct wssec_recipe *recipe, struct wssec_verdict *made)
{
    struct wssec_entry e = partner.entry[0];
    struct maker_partner own = {.n = 1, .key = {&rsa}};
    struct wssec_output out;
    size_t half = strlen(text) / 2;
    struct wssec_slice slice[2] = {{(const uint8_t *)text, half}, {(const uint8_t *)text + half, strlen(text) - half}};
    struct wssec_input in = {.slice = slice, .n_slice = 2, .content_type = type};
    e.key = rsa.pkey;
    own.entry[0] = e;
    struct wssec_resolver r = {&own, 57, maker_candidates, NULL};
    CU_ASSERT_EQUAL(wssec_sign(worker, &in, recipe, &live, &r, &out, made), WSSEC_RC_OK);
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_adds(&b, "");
    for (size_t i = 0; i < out.n_piece; i++) {
        (void)cs_buf_add(&b, out.piece[i].p, out.piece[i].n);
    }
    CU_ASSERT_EQUAL(b.len, out.octets);
    free(text);
    return cs_buf_take(&b, NULL);
}

#define PLAIN "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body>" ORDER("x") "</S:Body></S:Envelope>"

static void what_is_signed_here_passes_here(void)
{
    static const struct wssec_recipe recipes[] = {{.timestamp = true}, {.timestamp = true, .complete = true}};
    const struct part parts[] = {
        {"Content-Type: text/plain\r\nContent-ID: <a&'%\"@x>\r\n", "line\nline"},
        {"Content-Type: text/xml\r\nContent-ID: <b@x>\r\n", "<a  b='c'/>"},
        {"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <c@x>\r\n", "aGVsbG8="}};
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        struct wssec_verdict made;
        char *before = package(strdup(PLAIN), ROOT, parts, 3);
        char *copy = strdup(before);
        char *text = sign_package(before, RELATED, &recipes[i], &made);
        CU_ASSERT_EQUAL(made.verdict, WSSEC_PASS);
        CU_ASSERT_EQUAL(made.n_covers, 5);
        /* every other octet stays */
        CU_ASSERT_EQUAL(strncmp(text, copy, strlen("--=_B\r\n" ROOT "\r\n")), 0);
        CU_ASSERT_STRING_EQUAL(strstr(text, "</S:Envelope>"), strstr(copy, "</S:Envelope>"));
        free(copy);
        char *changed = strdup(text);
        expect(judge_package(text, RELATED), "ok", "signed here");
        CU_ASSERT_STRING_EQUAL(v.covers[2], "cid:a&'%\"@x");
        memcpy(strstr(changed, "aGVsbG8="), "aGVsbGE=", 8);
        expect(judge_package(changed, RELATED), "digest-mismatch", "and then changed");
    }
}

static void an_xop_package_is_signed_as_the_text_that_it_stands_for(void)
{
    const struct part parts[] = {{"Content-Type: image/png\r\nContent-ID: <a@x>\r\n", "hello"},
                                 {"Content-Type: image/png\r\nContent-ID: <b@x>\r\n", "beside"}};
    struct wssec_verdict made;
    char *text = package(
        strdup("<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body>" ORDER(INCLUDE("cid:a@x")) "</S:Body></S:Envelope>"),
        XOP_ROOT, parts, 2);
    text = sign_package(text, XOP, &(struct wssec_recipe){.timestamp = true}, &made);
    CU_ASSERT_EQUAL(made.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(made.n_covers, 3); /* Body with its Include, Timestamp, the part beside */
    char *changed = strdup(text);
    expect(judge_package(text, XOP), "ok", "signed here");
    memcpy(strstr(changed, "hello"), "hallo", 5);
    expect(judge_package(changed, XOP), "digest-mismatch", "and then changed");
}

static void what_no_reference_can_name_is_not_signed(void)
{
    const struct part nameless = {"Content-Type: image/png\r\n", "x"};
    struct wssec_verdict made;
    free(sign_package(package(strdup(PLAIN), ROOT, &nameless, 1), RELATED, &(struct wssec_recipe){.timestamp = true},
                      &made));
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(made.reason), "policy-not-evaluable");
    const char *const body[] = {"Body"};
    char *text = sign_package(package(strdup(PLAIN), ROOT, &nameless, 1), RELATED,
                              &(struct wssec_recipe){.part = body, .n_part = 1}, &made);
    CU_ASSERT_EQUAL(made.verdict, WSSEC_PASS);
    free(text);
    free(sign_package(strdup("--=_B\r\n\r\n<a/>\r\n--=_B"), RELATED, &(struct wssec_recipe){.timestamp = true}, &made));
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(made.reason), "mime-malformed");
}

static char *without_header(char *text, const char *type)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .content_type = type};
    struct wssec_output out;
    cs_buf b = CS_BUF_INIT;
    CU_ASSERT_EQUAL(wssec_remove_header(worker, &in, &v, &out), WSSEC_RC_OK);
    for (size_t i = 0; i < out.n_piece; i++) {
        (void)cs_buf_add(&b, out.piece[i].p, out.piece[i].n);
    }
    CU_ASSERT_EQUAL(out.octets, b.len);
    free(text);
    return cs_buf_take(&b, NULL);
}

/* Whoever reads the package behind us would find a part that nothing names. Parts beside it stay, in whatever order. */
static void parts_of_the_header_go_with_it(void)
{
    const struct part file = {"Content-ID: <file@x>\r\n", "hello"};
    for (unsigned order = 0; order < 3; order++) {
        char *envelope = optimised("aGVsbG8=", INCLUDE("cid:file@x"));
        char *token = taken_out(&envelope, "<wsse:BinarySecurityToken", INCLUDE("cid:token@x"));
        char *value = taken_out(&envelope, "<ds:SignatureValue", INCLUDE("cid:value@x"));
        const struct part certificate = {CODED("token@x"), token};
        const struct part signature = {CODED("value@x"), value};
        const struct part all[3][3] = {
            {file, certificate, signature}, {certificate, file, signature}, {signature, certificate, file}};
        char *text = package(envelope, XOP_ROOT, all[order], 3);
        expect(judge_package(strdup(text), XOP), "ok", "before");
        CU_ASSERT_EQUAL(v.n_header_part, 2);
        text = without_header(text, XOP);
        char *expected =
            package(strdup("<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"" NS_WSU "\" xmlns:wsse=\"" NS_WSSE
                           "\"><S:Body wsu:Id=\"Body\">" ORDER(INCLUDE("cid:file@x")) "</S:Body></S:Envelope>"),
                    XOP_ROOT, &file, 1);
        CU_ASSERT_STRING_EQUAL(text, expected);
        free(expected);
        free(text);
        free(token);
        free(value);
    }
}

/* Our header goes, and with it a length of the SOAP part that is no longer true; the rest stays octet for octet. */
static void the_header_is_cut_out_of_the_package(void)
{
    const struct part a = PART_A;
    for (int with = 0; with < 2; with++) {
        char header[256];
        char *envelope = signed_one();
        (void)snprintf(header, sizeof header, ROOT "Content-Length: %zu\r\n", strlen(envelope));
        char *text = package(envelope, with == 1 ? header : ROOT, &a, 1);
        expect(judge_package(strdup(text), RELATED), "ok", "before");
        text = without_header(text, RELATED);
        char *expected = package(
            strdup("<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"" NS_WSU "\" xmlns:wsse=\"" NS_WSSE
                   "\"><S:Body wsu:Id=\"Body\"><o:order xmlns:o=\"urn:orders\"><o:item n=\"1\">bolt</o:item></o:order>"
                   "</S:Body></S:Envelope>"),
            ROOT, &a, 1);
        CU_ASSERT_STRING_EQUAL(text, expected);
        free(expected);
        free(text);
    }
}

/* ---- files
 * ------------------------------------------------------------------------------------------------------------ */

static void a_file_may_begin_with_its_header(void)
{
    const struct part a = PART_A;
    char *body = package(signed_one(), ROOT, &a, 1);
    cs_buf file = CS_BUF_INIT;
    (void)cs_buf_addf(&file, "MIME-Version: 1.0\r\nContent-Type: " RELATED "\r\n\r\n%s", body);
    expect(judge_package(cs_buf_take(&file, NULL), NULL), "ok", "header in front");
    expect(judge_package(body, NULL), "ok", "its first line names the boundary");
    char *text = maker_message(&(struct maker){.key = &rsa});
    (void)cs_buf_addf(&file, "Content-Type: text/xml; charset=utf-8\n\n%s", text);
    free(text);
    expect(judge_package(cs_buf_take(&file, NULL), NULL), "ok", "XML with a header in front");
}

const struct harness_test harness_tests[] = {
    {"a signed attachment passes however the octets are cut", a_signed_attachment_passes_however_the_octets_are_cut},
    {"both engines judge attachments", both_engines_judge_attachments},
    {"content is digested by its type", content_is_digested_by_its_type},
    {"headers are signed with Attachment-Complete", headers_are_signed_with_complete},
    {"attachments cannot be exchanged, removed or added", attachments_cannot_be_exchanged},
    {"unsigned attachments pass only where they are allowed", unsigned_attachments_pass_only_where_they_are_allowed},
    {"references to attachments have one form", references_to_attachments_have_one_form},
    {"a second root or another boundary gains nothing", a_second_root_or_another_boundary_gains_nothing},
    {"an Include is judged as the text that it stands for", an_include_is_judged_as_the_text_that_it_stands_for},
    {"Includes have one form", includes_have_one_form},
    {"an Include outside of what is signed covers nothing", an_include_outside_of_what_is_signed_covers_nothing},
    {"parts of the signer need no signature", parts_of_the_signer_need_no_signature},
    {"large parts are digested as they go by", large_parts_are_digested_as_they_go_by},
    {"what is signed here passes here", what_is_signed_here_passes_here},
    {"an XOP package is signed as the text that it stands for",
     an_xop_package_is_signed_as_the_text_that_it_stands_for},
    {"what no reference can name is not signed", what_no_reference_can_name_is_not_signed},
    {"the header is cut out of the package", the_header_is_cut_out_of_the_package},
    {"parts of the header go with it", parts_of_the_header_go_with_it},
    {"a file may begin with its header", a_file_may_begin_with_its_header},
    {NULL, NULL},
};
