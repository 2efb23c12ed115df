/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime.c: multipart packages: the same parts however the octets are cut, and what two readers could split
 * otherwise is refused. */
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "wssec/mime.h"

const char *const harness_suite = "mime";

static struct wssec_mime mime;
static struct wssec_mime_limits limits = {5, 400};
static struct wssec_slice slices[65536];
static size_t n_slices;

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    wssec_mime_free(&mime);
    return 0;
}

static void cut(const char *text, size_t n, size_t step)
{
    n_slices = 0;
    for (size_t at = 0; at < n; at += step) {
        slices[n_slices++] = (struct wssec_slice){(const uint8_t *)text + at, n - at < step ? n - at : step};
    }
}

#define TYPE "multipart/related; boundary=B; type=\"text/xml\""
#define ROOT "--B\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n"
#define END  "--B--\r\n"

/* The same answer for every way to cut the octets. */
static const char *split_octets(const char *type, const char *text, size_t n)
{
    const char *first = NULL;
    for (size_t step = 1; step <= n + 1; step = step < 90 ? step + 1 : step * 2 + 1) {
        cut(text, n, step);
        CU_ASSERT_EQUAL(wssec_mime_split(&mime, slices, n_slices, 0, type, &limits), WSSEC_RC_OK);
        const char *got = wssec_reason_code(mime.reason);
        first = first == NULL ? got : first;
        CU_ASSERT_STRING_EQUAL(got, first);
    }
    return first;
}

static const char *split(const char *type, const char *text)
{
    return split_octets(type, text, strlen(text));
}

static int to_buffer(void *ctx, const void *p, size_t n)
{
    return cs_buf_add(ctx, p, n);
}

/* What part i means; "?" not of its encoding. To be freed. */
static char *content(size_t i)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_adds(&b, "");
    int rc = wssec_mime_content(slices, n_slices, &mime.part[i], to_buffer, &b);
    if (rc != 0) {
        cs_buf_free(&b);
        return strdup("?");
    }
    return cs_buf_take(&b, NULL);
}

static void expect_content(size_t i, const char *expected)
{
    CU_ASSERT_FATAL(i < mime.n_part);
    char *got = content(i);
    CU_ASSERT_STRING_EQUAL(got, expected);
    free(got);
}

/* ---- good ones -----------------------------------------------------------------------------------------------------
 */

static void parts_are_found(void)
{
    const char *text =
        "\r\n--B\r\nContent-Type: text/xml;\r\n\tcharset=utf-8\r\nContent-ID: <root@x>\r\n\r\n<a>\r\n--\r\n--b</a>\r\n"
        "--B\r\ncontent-id:two@x\r\nCONTENT-TYPE: Image/PNG; name=\"a;b\"\r\nContent-Transfer-Encoding: Binary\r\n"
        "Content-Length: 7\r\n\r\n\r\r\n-\n-B\r\n"
        "--B\r\n\r\nplain\r\n--B\r\nX: y\r\n\r\n--B--\r\n \t\r\n";
    CU_ASSERT_STRING_EQUAL(split("Multipart/Related;boundary=\"B\"; start=\"<root@x>\";type=text/xml", text), "ok");
    CU_ASSERT_EQUAL_FATAL(mime.n_part, 4);
    expect_content(0, "<a>\r\n--\r\n--b</a>");
    expect_content(1, "\r\r\n-\n-B");
    expect_content(2, "plain");
    expect_content(3, "");
    CU_ASSERT_STRING_EQUAL(mime.part[0].id, "root@x");
    CU_ASSERT_STRING_EQUAL(mime.part[0].type, "text/xml");
    CU_ASSERT_STRING_EQUAL(mime.part[0].content_type, "text/xml;\tcharset=utf-8");
    CU_ASSERT_STRING_EQUAL(mime.part[1].id, "two@x");
    CU_ASSERT_STRING_EQUAL(mime.part[1].type, "image/png");
    CU_ASSERT_STRING_EQUAL(mime.part[2].type, "");
    CU_ASSERT_STRING_EQUAL(mime.part[3].id, "");
    CU_ASSERT_FALSE(mime.xop);
    CU_ASSERT_EQUAL(memcmp(text + mime.part[1].header.from, "content-id", 10), 0);
    CU_ASSERT_EQUAL(memcmp(text + mime.part[1].header.to, "\r\n\r\r\n", 5), 0);
    CU_ASSERT_EQUAL(memcmp(text + mime.part[1].length.from, "Content-Length: 7\r\n\r\n", 21), 0);
}

static void a_boundary_with_dashes_is_found_among_dashes(void)
{
    const char *text = "------=_P\r\n\r\n--\r\n-----=_P\r\n------=_\r\n-------=_P\r\n------=_P--";
    CU_ASSERT_STRING_EQUAL(split("multipart/related; boundary=\"----=_P\"", text), "ok");
    CU_ASSERT_EQUAL_FATAL(mime.n_part, 1);
    expect_content(0, "--\r\n-----=_P\r\n------=_\r\n-------=_P");
}

static void an_xop_package_is_told(void)
{
    const char *type = "multipart/related; type=\"application/xop+xml\"; boundary=B; start-info=\"text/xml\"";
    CU_ASSERT_STRING_EQUAL(
        split(type, "--B\r\nContent-Type: application/xop+xml; charset=utf-8; type=\"text/xml\"\r\n\r\n<a/>\r\n--B--"),
        "ok");
    CU_ASSERT_TRUE(mime.xop);
    CU_ASSERT_STRING_EQUAL(split(type, "--B\r\n\r\n<a/>\r\n--B--"), "mime-malformed");
    CU_ASSERT_STRING_EQUAL(split(TYPE, "--B\r\nContent-Type: application/xop+xml\r\n\r\n<a/>\r\n--B--"),
                           "mime-malformed");
}

/* ---- what is refused -----------------------------------------------------------------------------------------------
 */

#define XML "--B\r\nContent-Type: text/xml\r\n\r\n"
/* as many fields as a part may have */
#define FIELDS                                                                                                         \
    "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\nk:\r\nl:\r\nm:\r\nn:\r\no:\r\np:\r\nq:\r\nr:"         \
    "\r\ns:\r\nt:\r\nu:\r\nv:\r\nw:\r\nx:\r\ny:\r\nz:\r\na1:\r\nb1:\r\nc1:\r\nd1:\r\ne1:\r\nf1:\r\ng1:\r\nh1:\r\ni1:"  \
    "\r\n"                                                                                                             \
    "j1:\r\nk1:\r\nl1:\r\nm1:\r\nn1:\r\no1:\r\np1:\r\nq1:\r\nr1:\r\ns1:\r\nt1:\r\nu1:\r\nv1:\r\nw1:\r\nx1:\r\ny1:"     \
    "\r\nz1:\r\n"                                                                                                      \
    "a2:\r\nb2:\r\nc2:\r\nd2:\r\ne2:\r\nf2:\r\ng2:\r\nh2:\r\ni2:\r\nj2:\r\nk2:\r\nl2:\r\n"

/* Each beside what it would be if it were in order: good_type, good (NULL: as type, or one part). */
static const struct {
    const char *what, *type, *text, *good_type, *good;
} refused[] = {
    {"text in front", TYPE, "hello\r\n" ROOT END, NULL, NULL},
    {"white space in front", TYPE, " \r\n" ROOT END, NULL, NULL},
    {"text behind", TYPE, ROOT END "more", NULL, ROOT END "\r\n"},
    {"closing delimiter goes on", TYPE, ROOT "--B--x", NULL, ROOT "--B--"},
    {"a part behind the closing delimiter", TYPE, ROOT END ROOT END, NULL, ROOT ROOT END},
    {"no closing delimiter", TYPE, ROOT, NULL, NULL},
    {"ends in a header", TYPE, ROOT "--B\r\nContent-Type: a/b\r\n", NULL,
     ROOT "--B\r\nContent-Type: a/b\r\n\r\n\r\n" END},
    {"no part", TYPE, END, NULL, NULL},
    {"nothing", TYPE, "", NULL, NULL},
    {"bare line feed in front of a delimiter", TYPE, XML "<a/>\n--B\r\n\r\nx\r\n" END, NULL,
     XML "<a/>\r\n--B\r\n\r\nx\r\n" END},
    {"bare carriage return in front of a delimiter", TYPE, XML "<a/>\r--B\r\n\r\nx\r\n" END, NULL,
     XML "<a/>\r\r\n--B\r\n\r\nx\r\n" END},
    {"line feed, line feed in front", TYPE, XML "<a/>\n\n--B\r\n\r\nx\r\n" END, NULL,
     XML "<a/>\n\r\n--B\r\n\r\nx\r\n" END},
    {"delimiter with bare line feed behind", TYPE, "--B\nContent-Type: text/xml\r\n\r\n<a/>\r\n" END, NULL, NULL},
    {"longer boundary at the start of a line", TYPE, XML "<a/>\r\n--Bx\r\n" END, NULL, XML "<a/>\r\n-- Bx\r\n" END},
    {"white space behind a boundary", TYPE, "--B \r\nContent-Type: text/xml\r\n\r\n<a/>\r\n" END, NULL, NULL},
    {"header lines with bare line feeds", TYPE, "--B\r\nContent-Type: text/xml\n\n<a/>\r\n" END, NULL, NULL},
    {"header without empty line", TYPE, "--B\r\nContent-Type: text/xml\r\n<a/>\r\n" END, NULL, NULL},
    {"header that begins with a fold", TYPE, "--B\r\n Content-Type: text/xml\r\n\r\n<a/>\r\n" END, NULL,
     "--B\r\nContent-Type:\r\n text/xml\r\n\r\n<a/>\r\n" END},
    {"fold of white space only", TYPE, "--B\r\nContent-Type: text/xml\r\n \r\nX: y\r\n\r\n<a/>\r\n" END, NULL,
     "--B\r\nContent-Type: text/xml;\r\n charset=utf-8\r\nX: y\r\n\r\n<a/>\r\n" END},
    {"space in front of the colon", TYPE, "--B\r\nContent-Type : text/xml\r\n\r\n<a/>\r\n" END, NULL,
     "--B\r\nContent-Type:text/xml\r\n\r\n<a/>\r\n" END},
    {"control octet in a header", TYPE, "--B\r\nX: \001\r\n\r\n<a/>\r\n" END, NULL, "--B\r\nX: \t\r\n\r\n<a/>\r\n" END},
    {"a field twice", TYPE, "--B\r\nContent-Type: text/xml\r\ncontent-type: text/html\r\n\r\n<a/>\r\n" END, NULL,
     "--B\r\nContent-Type: text/xml\r\nX-content-type: text/html\r\n\r\n<a/>\r\n" END},
    {"parameter twice", TYPE, "--B\r\nContent-Type: text/xml; charset=utf-8; charset=utf-7\r\n\r\n<a/>\r\n" END, NULL,
     "--B\r\nContent-Type: text/xml; charset=utf-8; other=utf-7\r\n\r\n<a/>\r\n" END},
    {"parameter in pieces", TYPE, "--B\r\nContent-Type: text/xml; charset*0=utf-; charset*1=8\r\n\r\n<a/>\r\n" END,
     NULL, "--B\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n\r\n<a/>\r\n" END},
    {"comment in a type", TYPE, "--B\r\nContent-Type: text/xml (really)\r\n\r\n<a/>\r\n" END, NULL, NULL},
    {"unknown transfer encoding", TYPE, ROOT "--B\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nx\r\n" END, NULL,
     ROOT "--B\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n" END},
    {"root with transfer encoding", TYPE, "--B\r\nContent-Transfer-Encoding: base64\r\n\r\nPGEvPg==\r\n" END, NULL,
     "--B\r\nContent-Transfer-Encoding: binary\r\n\r\n<a/>\r\n" END},
    {"nested multipart", TYPE, ROOT "--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C--\r\n" END, NULL,
     ROOT "--B\r\nContent-Type: text/plain; boundary=C\r\n\r\n--C--\r\n" END},
    {"two parts with one id", TYPE, ROOT "--B\r\nContent-ID: <x>\r\n\r\n1\r\n--B\r\nContent-ID: x\r\n\r\n2\r\n" END,
     NULL, ROOT "--B\r\nContent-ID: <x>\r\n\r\n1\r\n--B\r\nContent-ID: X\r\n\r\n2\r\n" END},
    {"empty id", TYPE, ROOT "--B\r\nContent-ID: <>\r\n\r\n1\r\n" END, NULL,
     ROOT "--B\r\nContent-ID: <a>\r\n\r\n1\r\n" END},
    {"id with a space", TYPE, ROOT "--B\r\nContent-ID: <a b>\r\n\r\n1\r\n" END, NULL,
     ROOT "--B\r\nContent-ID: <a-b>\r\n\r\n1\r\n" END},
    {"wrong length", TYPE, ROOT "--B\r\nContent-Length: 2\r\n\r\n1\r\n" END, NULL,
     ROOT "--B\r\nContent-Length: 1\r\n\r\n1\r\n" END},
    {"length that is no number", TYPE, ROOT "--B\r\nContent-Length: +1\r\n\r\n1\r\n" END, NULL,
     ROOT "--B\r\nContent-Length: 01\r\n\r\n1\r\n" END},
    {"type that is not the root's", "multipart/related; boundary=B; type=\"text/html\"", ROOT END,
     "multipart/related; boundary=B; type=\"TEXT/xml\"", ROOT END},
    {"start names a later part", "multipart/related; boundary=B; start=\"<x>\"",
     ROOT "--B\r\nContent-ID: <x>\r\n\r\n<b/>\r\n" END, "multipart/related; boundary=B; start=\"<x>\"",
     "--B\r\nContent-ID: <x>\r\n\r\n<b/>\r\n" ROOT END},
    {"start names nothing", "multipart/related; boundary=B; start=\"<x>\"", ROOT END, "multipart/related; boundary=B",
     NULL},
    {"no boundary", "multipart/related; type=\"text/xml\"", ROOT END, TYPE, NULL},
    {"boundary twice", "multipart/related; boundary=B; boundary=C", ROOT END, "multipart/related; boundary=B; other=C",
     NULL},
    {"boundary in pieces", "multipart/related; boundary*0=B", ROOT END, "multipart/related; boundary=\"B\"", NULL},
    {"boundary with an octet that none has", "multipart/related; boundary=\"B<\"", "--B<\r\n\r\n<a/>\r\n--B<--\r\n",
     "multipart/related; boundary=\"B'\"", "--B'\r\n\r\n<a/>\r\n--B'--\r\n"},
    {"empty boundary", "multipart/related; boundary=\"\"", "--\r\n\r\n<a/>\r\n----\r\n",
     "multipart/related; boundary=\"-\"", "---\r\n\r\n<a/>\r\n-----\r\n"},
    {"boundary that ends with a space", "multipart/related; boundary=\"B \"", "--B \r\n\r\n<a/>\r\n--B --\r\n",
     "multipart/related; boundary=\"B C\"", "--B C\r\n\r\n<a/>\r\n--B C--\r\n"},
    {"other multipart", "multipart/mixed; boundary=B", ROOT END, "Multipart/Related; boundary=B", NULL},
    {"open quote", "multipart/related; boundary=\"B", ROOT END, "multipart/related; boundary=\"B\"", NULL},
    {"text behind a parameter", "multipart/related; boundary=B C", ROOT END, "multipart/related; boundary=B ", NULL},
    {"too many fields", TYPE, "--B\r\n" FIELDS "m2:\r\n\r\n<a/>\r\n" END, NULL, "--B\r\n" FIELDS "\r\n<a/>\r\n" END},
};

static bool judged_as(const char *what, const char *type, const char *text, const char *expected)
{
    const char *got = split(type, text);
    if (strcmp(got, expected) != 0) {
        printf("  # %s: %s (%s)\n", what, got, mime.detail);
    }
    return strcmp(got, expected) == 0;
}

static void what_readers_could_split_otherwise_is_refused(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char twin[100];
        (void)snprintf(twin, sizeof twin, "twin of %s", refused[i].what);
        CU_ASSERT_TRUE(judged_as(refused[i].what, refused[i].type, refused[i].text, "mime-malformed"));
        CU_ASSERT_EQUAL(mime.n_part, 0);
        CU_ASSERT_NOT_EQUAL(mime.detail[0], '\0');
        CU_ASSERT_TRUE(judged_as(twin, refused[i].good_type != NULL ? refused[i].good_type : refused[i].type,
                                 refused[i].good != NULL ? refused[i].good : ROOT END, "ok"));
    }
}

static void limits_hold_one_below_at_and_above(void)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t parts = 1; parts <= limits.parts + 1; parts++) {
        cs_buf_reset(&b);
        for (size_t i = 0; i < parts; i++) {
            (void)cs_buf_adds(&b, "--B\r\n\r\nx\r\n");
        }
        (void)cs_buf_adds(&b, END);
        CU_ASSERT_STRING_EQUAL(split("multipart/related; boundary=B", b.data),
                               parts <= limits.parts ? "ok" : "limit-parts");
    }
    for (size_t n = limits.header - 6; n <= limits.header + 2; n++) { /* the empty line counts */
        cs_buf_reset(&b);
        (void)cs_buf_adds(&b, "--B\r\nX:");
        for (size_t i = 4; i + 2 < n; i++) {
            (void)cs_buf_addc(&b, 'y');
        }
        (void)cs_buf_adds(&b, "\r\n\r\n<a/>\r\n" END);
        CU_ASSERT_STRING_EQUAL(split("multipart/related; boundary=B", b.data),
                               n <= limits.header ? "ok" : "limit-parts");
    }
    cs_buf_free(&b);
}

/* ---- ids ------------------------------------------------------------------------------------------------------------
 */

static void a_cid_names_one_part_or_none(void)
{
    const char *text = "--B\r\nContent-ID: <root>\r\n\r\n<a/>\r\n--B\r\nContent-ID: "
                       "<a@x>\r\n\r\n1\r\n--B\r\nContent-ID: <50%25>\r\n\r\n2\r\n"
                       "--B\r\nContent-ID: <50%>\r\n\r\n3\r\n--B\r\nContent-ID: <A+\xC3\xA4/b>\r\n\r\n4\r\n--B--";
    /* an id beyond ASCII is none */
    CU_ASSERT_STRING_EQUAL(split("multipart/related; boundary=B", text), "mime-malformed");
    text = "--B\r\nContent-ID: <root>\r\n\r\n<a/>\r\n--B\r\nContent-ID: <a@x>\r\n\r\n1\r\n--B\r\nContent-ID: "
           "<50%25>\r\n\r\n2\r\n"
           "--B\r\nContent-ID: <50%>\r\n\r\n3\r\n--B\r\nContent-ID: <A+/b>\r\n\r\n4\r\n--B--";
    CU_ASSERT_STRING_EQUAL(split("multipart/related; boundary=B", text), "ok");
    static const struct {
        const char *uri;
        int part;
    } rows[] = {{"cid:a@x", 1},      {"cid:a%40x", 1}, {"CID:%61@x", 1},
                {"cid:A@x", 0},      {"cid:a@xx", 0},  {"cid:a@", 0},
                {"cid:", -1},        {"cid:root", 0},  {"cid:50%25", -1 /* both of them */},
                {"cid:50%2525", 2},  {"cid:50%", 3},   {"cid:A+/b", 4},
                {"cid:A%2B%2fb", 4}, {"cid:a%4", -1},  {"cid:a%00", -1},
                {"http://a@x", -1},  {"a@x", -1},      {"cid:none", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int got = wssec_mime_find(&mime, rows[i].uri);
        if (got != rows[i].part) {
            printf("  # %s: %d\n", rows[i].uri, got);
        }
        CU_ASSERT_EQUAL(got, rows[i].part);
    }
}

/* ---- transfer encodings ---------------------------------------------------------------------------------------------
 */

static void transfer_encodings_are_undone(void)
{
    static const struct {
        const char *coding, *text, *meant;
    } rows[] = {{"base64", "aGVs\r\nbG8=", "hello"},
                {"BASE64", "aGVsbG8h", "hello!"},
                {"base64", "aA==", "h"},
                {"base64", "", ""},
                {"base64", "aGVsbG8", "?"},
                {"base64", "aGVsbG8=aGVs", "?"},
                {"base64", "aGVs*bG8=", "?"},
                {"base64", "aGVsbG9=", "?"}, /* bits that mean nothing */
                {"base64", "aB==", "?"},
                {"base64", "a===", "?"},
                {"base64", "aGVsbG8==", "?"},
                {"quoted-printable", "a=3Db =\r\nc=3d=0D=0A", "a=b c=\r\n"},
                {"quoted-printable", "two\r\nlines", "two\r\nlines"},
                {"quoted-printable", "a=", "?"},
                {"quoted-printable", "a=4", "?"},
                {"quoted-printable", "a=XY", "?"},
                {"quoted-printable", "a \r\nb", "?"},
                {"quoted-printable", "a\nb", "?"},
                {"quoted-printable", "a\xC3\xA4", "?"},
                {"8bit", "a=3D", "a=3D"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, ROOT "--B\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n" END, rows[i].coding,
                       rows[i].text);
        for (size_t step = 1; step < 9; step++) {
            cut(text, strlen(text), step);
            CU_ASSERT_EQUAL(wssec_mime_split(&mime, slices, n_slices, 0, TYPE, &limits), WSSEC_RC_OK);
            expect_content(1, rows[i].meant);
        }
    }
}

static void base64_of_any_length_comes_back(void)
{
    uint8_t octets[9000];
    char *coded = malloc(2 * sizeof octets);
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t n = 4090; n < 4100; n++) {
        cs_buf text = CS_BUF_INIT;
        cs_buf b = CS_BUF_INIT;
        (void)cs_base64_encode(octets, n, coded);
        (void)cs_buf_addf(&text, ROOT "--B\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n" END, coded);
        cut(text.data, text.len, 1000);
        CU_ASSERT_EQUAL(wssec_mime_split(&mime, slices, n_slices, 0, TYPE, &limits), WSSEC_RC_OK);
        CU_ASSERT_EQUAL(wssec_mime_content(slices, n_slices, &mime.part[1], to_buffer, &b), 0);
        CU_ASSERT_TRUE(b.len == n && memcmp(b.data, octets, n) == 0);
        cs_buf_free(&b);
        cs_buf_free(&text);
    }
    free(coded);
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

static void a_file_tells_what_it_is(void)
{
    static const struct {
        const char *text;
        enum wssec_mime_kind kind;
        size_t octets;
    } rows[] = {{"<a/>", WSSEC_MIME_PLAIN, 0},
                {"\xEF\xBB\xBF<a/>", WSSEC_MIME_PLAIN, 0},
                {"", WSSEC_MIME_PLAIN, 0},
                {"text without a colon\r\n\r\n", WSSEC_MIME_PLAIN, 0},
                {"MIME-Version: 1.0\r\n\r\n<a/>", WSSEC_MIME_PLAIN, 0},
                {"POST / HTTP/1.1\r\nContent-Type: text/xml\r\n\r\n<a/>", WSSEC_MIME_PLAIN, 0},
                {"Content-Type: text/xml; charset=utf-8\r\n\r\n<a/>", WSSEC_MIME_ENTITY, 41},
                {"MIME-Version: 1.0\nContent-Type: text/xml\n\n<a/>", WSSEC_MIME_ENTITY, 42},
                {"MIME-Version: 1.0\r\nContent-Type: " TYPE "\r\n\r\n" ROOT END, WSSEC_MIME_PACKAGE, 83},
                {"Via: a\r\nvia: b\r\nContent-Type: text/xml\r\n\r\n<a/>", WSSEC_MIME_ENTITY, 42},
                {"Content-Type: text/xml\r\ncontent-type: text/html\r\n\r\n<a/>", WSSEC_MIME_PLAIN, 0},
                {"MIME-Version: 1.0\r\nMIME-Version: 1.0\r\nContent-Type: text/xml\r\n\r\n<a/>", WSSEC_MIME_PLAIN, 0},
                {ROOT END, WSSEC_MIME_PACKAGE, 0},
                {"\r\n" ROOT END, WSSEC_MIME_PACKAGE, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wssec_mime_front front;
        cut(rows[i].text, strlen(rows[i].text), 3);
        CU_ASSERT_EQUAL(wssec_mime_front(&mime, slices, n_slices, NULL, &limits, &front), WSSEC_RC_OK);
        if (front.kind != rows[i].kind || front.octets != rows[i].octets) {
            printf("  # %s: %d %zu\n", rows[i].text, (int)front.kind, front.octets);
        }
        CU_ASSERT_EQUAL(front.kind, rows[i].kind);
        CU_ASSERT_EQUAL(front.octets, rows[i].octets);
        if (front.kind == WSSEC_MIME_PACKAGE) {
            CU_ASSERT_EQUAL(wssec_mime_split(&mime, slices, n_slices, front.octets, front.content_type, &limits),
                            WSSEC_RC_OK);
            CU_ASSERT_EQUAL(mime.reason, WSSEC_OK);
            expect_content(0, "<a/>");
        }
    }
}

/* A search that went back to the beginning of each dash would take minutes. */
static void dashes_by_the_million_are_read_once(void)
{
#define LONG "--------------------------------------------------------------------X"
    size_t n = (size_t)8 << 20;
    cs_buf text = CS_BUF_INIT;
    (void)cs_buf_adds(&text, "--" LONG "\r\n\r\n");
    CU_ASSERT_EQUAL_FATAL(cs_buf_reserve(&text, n), 0);
    memset(text.data + text.len, '-', n);
    text.len += n;
    (void)cs_buf_adds(&text, "\r\n--" LONG "--");
    struct wssec_slice whole = {(const uint8_t *)text.data, text.len};
    CU_ASSERT_EQUAL(wssec_mime_split(&mime, &whole, 1, 0, "multipart/related; boundary=" LONG, &limits), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(mime.reason, WSSEC_OK);
    CU_ASSERT_EQUAL_FATAL(mime.n_part, 1);
    CU_ASSERT_EQUAL(mime.part[0].content.to - mime.part[0].content.from, n);
    cs_buf_free(&text);
}

const struct harness_test harness_tests[] = {
    {"parts are found however the octets are cut", parts_are_found},
    {"a boundary with dashes is found among dashes", a_boundary_with_dashes_is_found_among_dashes},
    {"an XOP package is told", an_xop_package_is_told},
    {"what readers could split otherwise is refused", what_readers_could_split_otherwise_is_refused},
    {"limits hold one below, at and above", limits_hold_one_below_at_and_above},
    {"a cid names one part or none", a_cid_names_one_part_or_none},
    {"transfer encodings are undone", transfer_encodings_are_undone},
    {"base64 of any length comes back", base64_of_any_length_comes_back},
    {"a file tells what it is", a_file_tells_what_it_is},
    {"dashes by the million are read once", dashes_by_the_million_are_read_once},
    {NULL, NULL},
};
