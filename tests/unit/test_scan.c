/* SPDX-License-Identifier: Apache-2.0 */
/* test_scan.c: the byte scanner: encodings, what it refuses, limits one below, at and above, and the places it records.
 */
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/scan.h"

const char *const harness_suite = "scan";

static struct wssec_scan scan;
static struct wssec_limits limits;

int harness_setup(void)
{
    limits = (struct wssec_limits){.body = 1 << 20,
                                   .text = 1 << 16,
                                   .header = 1 << 16,
                                   .start_tag = 4096,
                                   .name = 256,
                                   .depth = 16,
                                   .header_nodes = 50};
    return 0;
}

int harness_teardown(void)
{
    wssec_scan_free(&scan);
    return 0;
}

/* Scan n octets in slices of step octets. @return reason code */
static const char *scan_sliced(const void *p, size_t n, size_t step, const char *content_type, unsigned encodings)
{
    size_t count = n != 0 ? (n + step - 1) / step : 0;
    struct wssec_slice *slice = calloc(count + 1, sizeof *slice);
    for (size_t i = 0; i < count; i++) {
        slice[i] = (struct wssec_slice){(const uint8_t *)p + i * step, n - i * step < step ? n - i * step : step};
    }
    CU_ASSERT_EQUAL(wssec_scan_run(&scan, slice, count, content_type, &limits, encodings), WSSEC_RC_OK);
    free(slice);
    return wssec_reason_code(scan.reason);
}

/* The same answer for every way to cut the octets. */
static void expect_octets(const void *p, size_t n, const char *content_type, unsigned encodings, const char *expected,
                          const char *what)
{
    for (size_t step = 1; step <= n + 1; step = step < 4 ? step + 1 : step * 2 + 1) {
        const char *got = scan_sliced(p, n, step, content_type, encodings);
        if (strcmp(got, expected) != 0) {
            printf("  # %s, slices of %zu: expected %s, got %s (%s)\n", what, step, expected, got, scan.detail);
        }
        CU_ASSERT_STRING_EQUAL(got, expected);
    }
}

static void expect(const char *text, const char *expected)
{
    expect_octets(text, strlen(text), NULL, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16, expected, text);
}

struct row {
    const char *text, *reason;
};

static void all(const struct row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        expect(row[i].text, row[i].reason);
    }
}

#define ALL(rows) all(rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- tests --------------------------------------------------------------------------------------------------------
 */

static void markup_that_is_no_tag_hides_what_is_in_it(void)
{
    static const struct row rows[] = {
        {"<a/>", "ok"},
        {"<a><!-- <!DOCTYPE a> < & --></a>", "ok"},
        {"<a><![CDATA[<!DOCTYPE a> ]] ]> <b>]]></a>", "ok"},
        {"<a x='>' y=\"/>'\"/>", "ok"},
        {"<a><?pi <b> ?></a>", "ok"},
        {"<?xml version='1.0'?><a/>", "ok"},
        {"<a><!----></a>", "ok"},
        {"<a><?p?></a>", "ok"},
        {"\n<a >\n</a >\n", "ok"},
    };
    ALL(rows);
    expect("<a><b><c><d></d></c></b></a><!-- x --><?p x?>", "ok");
    CU_ASSERT_EQUAL(scan.comments, 1);
    CU_ASSERT_EQUAL(scan.instructions, 1);
    CU_ASSERT_EQUAL(scan.instructions_outside, 1);
    CU_ASSERT_EQUAL(scan.folded, 3);
    expect("<?xml version='1.0' encoding='utf-8'?><a><?p x?></a>", "ok");
    CU_ASSERT_EQUAL(scan.instructions, 1);
    CU_ASSERT_EQUAL(scan.instructions_outside, 0);
}

static void a_document_type_declaration_is_refused_wherever_it_stands(void)
{
    static const struct row rows[] = {
        {"<!DOCTYPE a><a/>", "dtd-forbidden"},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "dtd-forbidden"},
        {"<?xml version='1.0'?>\n<!-- c --><!DOCTYPE a><a/>", "dtd-forbidden"},
        {"<!doctype a><a/>", "dtd-forbidden"},
        {"<a><!DOCTYPE a></a>", "dtd-forbidden"},
        {"<a/><!DOCTYPE a>", "dtd-forbidden"},
        {"<a><!ENTITY x 'y'></a>", "dtd-forbidden"},
        {"<a><!-x></a>", "xml-malformed"},
        {"<a><![CDAT [x]]></a>", "xml-malformed"},
        {"<a><![INCLUDE[x]]></a>", "xml-malformed"},
    };
    ALL(rows);
}

static void what_does_not_nest_is_malformed(void)
{
    static const struct row rows[] = {
        {"", "xml-malformed"},
        {" ", "xml-malformed"},
        {"x", "xml-malformed"},
        {"<a>", "xml-malformed"},
        {"</a>", "xml-malformed"},
        {"<a/><b/>", "xml-malformed"},
        {"<a", "xml-malformed"},
        {"<a x='", "xml-malformed"},
        {"<a><!-- </a>", "xml-malformed"},
        {"<a><![CDATA[ </a>", "xml-malformed"},
        {"<a></a></a>", "xml-malformed"},
        {"< a/>", "xml-malformed"},
        {"<a <b/>", "xml-malformed"},
        {"<a / x='1'/>", "xml-malformed"},
        {"<a/", "xml-malformed"},
        {"<>", "xml-malformed"},
        {"<a><!-->", "xml-malformed"},
    };
    ALL(rows);
}

static void octets_that_no_text_has_are_refused(void)
{
    static const struct {
        const char *octets;
        size_t n;
        const char *reason;
    } rows[] = {
        {"<a>\0</a>", 8, "xml-malformed"},
        {"<a>\x01</a>", 8, "xml-malformed"},
        {"<a>\x1F</a>", 8, "xml-malformed"},
        {"<a>\t\r\n\x7F</a>", 11, "ok"},
        {"<a>\x80</a>", 8, "xml-encoding"},
        {"<a>\xC0\x80</a>", 9, "xml-encoding"},
        {"<a>\xC1\xBF</a>", 9, "xml-encoding"},
        {"<a>\xC3\xA9</a>", 9, "ok"},
        {"<a>\xC3</a>", 8, "xml-encoding"},
        {"<a>\xE0\x80\x80</a>", 10, "xml-encoding"},
        {"<a>\xE2\x82\xAC</a>", 10, "ok"},
        {"<a>\xED\xA0\x80</a>", 10, "xml-encoding"},
        {"<a>\xEF\xBF\xBE</a>", 10, "xml-encoding"},
        {"<a>\xEF\xBF\xBD</a>", 10, "ok"},
        {"<a>\xF0\x8F\xBF\xBF</a>", 11, "xml-encoding"},
        {"<a>\xF0\x9F\x94\x91</a>", 11, "ok"},
        {"<a>\xF4\x90\x80\x80</a>", 11, "xml-encoding"},
        {"<a>\xF5\x80\x80\x80</a>", 11, "xml-encoding"},
        {"<a/>\xC3", 5, "xml-encoding"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_octets(rows[i].octets, rows[i].n, NULL, WSSEC_ENC_UTF8, rows[i].reason, "octets");
    }
}

static void every_octet_of_a_long_text_is_looked_at(void)
{
    char text[64];
    for (size_t at = 3; at < 40; at++) {
        memset(text, 'x', sizeof text);
        memcpy(text, "<a>", 3);
        memcpy(text + 40, "</a>", 5);
        text[at] = '\x02';
        expect_octets(text, 44, NULL, WSSEC_ENC_UTF8, "xml-malformed", "control octet");
        text[at] = '\xFF';
        expect_octets(text, 44, NULL, WSSEC_ENC_UTF8, "xml-encoding", "foreign octet");
    }
}

static void the_witnesses_of_an_encoding_must_agree(void)
{
    static const struct {
        const char *text, *content_type, *reason;
    } rows[] = {
        {"<a/>", "text/xml", "ok"},
        {"<a/>", "text/xml; charset=utf-8", "ok"},
        {"<a/>", "text/xml;charset=\"UTF-8\"", "ok"},
        {"<a/>", "application/soap+xml; action=\"a;charset=utf-7\"; charset=utf-8 ;", "ok"},
        {"<a/>", "text/xml; charset=us-ascii", "ok"},
        {"<a>\xC3\xA9</a>", "text/xml; charset=us-ascii", "xml-encoding"},
        {"<a/>", "text/xml; charset=utf-7", "xml-encoding"},
        {"<a/>", "text/xml; charset=utf-16", "xml-encoding"},
        {"<a/>", "text/xml; charset=iso-8859-1", "xml-encoding"},
        {"<a/>", "text/xml; charset=utf-8; charset=utf-8", "xml-encoding"},
        {"<a/>", "text/xml; charset*=utf-8''x", "xml-encoding"},
        {"<a/>", "text/xml; charset=\"utf-8", "xml-encoding"},
        {"<?xml version='1.0' encoding='utf-8' standalone='yes' ?><a/>", "text/xml; charset=utf-8", "ok"},
        {"\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?><a/>", NULL, "ok"},
        {"\xEF\xBB\xBF<?xml version='1.0' encoding='iso-8859-1'?><a/>", NULL, "xml-encoding"},
        {"<?xml version='1.0' encoding='utf-16'?><a/>", NULL, "xml-encoding"},
        {"<?xml version='1.0' encoding='utf-7'?><a/>", NULL, "xml-encoding"},
        {"<?xml version='1.0' encoding='ebcdic-cp-us'?><a/>", NULL, "xml-encoding"},
        {"<?xml version='1.0' encoding='iso-8859-1'?><a/>", NULL, "xml-encoding"},
        {"<?xml version='1.1'?><a/>", NULL, "xml-version"},
        {"<?xml version='1.0' encoding='utf-8' encoding='utf-8'?><a/>", NULL, "xml-malformed"},
        {"<?xml encoding='utf-8'?><a/>", NULL, "xml-malformed"},
        {"<?xml version=1.0?><a/>", NULL, "xml-malformed"},
        {"<?xml version='1.0'", NULL, "xml-malformed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_octets(rows[i].text, strlen(rows[i].text), rows[i].content_type, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16,
                      rows[i].reason, rows[i].text);
    }
}

static void utf_16_needs_its_mark_and_whole_characters(void)
{
    static const struct {
        const char *octets;
        size_t n;
        const char *content_type;
        unsigned encodings;
        const char *reason;
    } rows[] = {
        {"\xFF\xFE<\0a\0/\0>\0", 10, "text/xml; charset=utf-16", WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16, "ok"},
        {"\xFE\xFF\0<\0a\0/\0>", 10, "text/xml; charset=utf-16be", WSSEC_ENC_UTF16, "ok"},
        {"\xFE\xFF\0<\0a\0/\0>", 10, "text/xml; charset=utf-16le", WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0/\0>\0", 10, "text/xml; charset=utf-8", WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0/\0>\0", 10, NULL, WSSEC_ENC_UTF8, "xml-encoding"},
        {"<\0a\0/\0>\0", 8, NULL, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16, "xml-encoding"},
        {"\0<\0a\0/\0>", 8, NULL, WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0/\0>\0 ", 11, NULL, WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0>\0\x00\xD8<\0/\0a\0>\0", 18, NULL, WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0>\0\x00\xDC<\0/\0a\0>\0", 18, NULL, WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE<\0a\0>\0\x3D\xD8\x11\xDD<\0/\0a\0>\0", 20, NULL, WSSEC_ENC_UTF16, "ok"},
        {"\xFF\xFE<\0a\0/\0>\0\x3D\xD8", 12, NULL, WSSEC_ENC_UTF16, "xml-encoding"},
        {"\xFF\xFE\0\0<\0\0\0a\0\0\0/\0\0\0>\0\0\0", 20, NULL, WSSEC_ENC_UTF16, "xml-malformed"},
        {"<a/>", 4, NULL, WSSEC_ENC_UTF16, "xml-encoding"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_octets(rows[i].octets, rows[i].n, rows[i].content_type, rows[i].encodings, rows[i].reason, "UTF-16");
    }
}

static void offsets_lead_back_to_the_octets_as_received(void)
{
    static const char latin[] = "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9<b/></a>";
    expect_octets(latin, sizeof latin - 1, NULL, WSSEC_ENC_UTF8, "xml-encoding", "Latin-1 not allowed");
    expect_octets(latin, sizeof latin - 1, NULL, WSSEC_ENC_LATIN1, "ok", "Latin-1");
    CU_ASSERT_EQUAL(scan.coding, WSSEC_CODING_LATIN1);
    CU_ASSERT_EQUAL(scan.n_element, 2);
    CU_ASSERT_EQUAL(wssec_scan_original(&scan, scan.element[1].from), (size_t)(strstr(latin, "<b/>") - latin));
    static const char wide[] = "\xFF\xFE<\0a\0>\0\x3D\xD8\x11\xDD\xE9\0<\0b\0/\0>\0<\0/\0a\0>\0";
    expect_octets(wide, sizeof wide - 1, NULL, WSSEC_ENC_UTF16, "ok", "UTF-16");
    CU_ASSERT_EQUAL(wssec_scan_original(&scan, scan.element[1].from), 2 + 6 + 4 + 2);
    CU_ASSERT_EQUAL(wssec_scan_original(&scan, scan.element[0].to), sizeof wide - 1);
    expect("\xEF\xBB\xBF<a>\xC3\xA9<b/></a>", "ok");
    CU_ASSERT_EQUAL(wssec_scan_original(&scan, scan.element[1].from), 3 + 3 + 2);
}

static void places_of_envelope_header_and_blocks_are_recorded(void)
{
    static const char text[] =
        "<?xml version='1.0'?>\n<s:E a='>'><s:Header ><h:One/>t<Two x='/'>u<z/></Two ></s:Header><s:Body\n><o/></s:Body></s:E>";
    static const struct {
        const char *name, *from, *open_end, *close_from, *to;
        int parent, depth;
        bool empty;
    } rows[] = {
        {"s:E", "<s:E", "<s:Header", "</s:E", "", -1, 1, false},
        {"s:Header", "<s:Header", "<h:One", "</s:Header", "<s:Body", 0, 2, false},
        {"h:One", "<h:One", "t<Two", "t<Two", "t<Two", 1, 3, true},
        {"Two", "<Two", "u<z", "</Two", "</s:Header", 1, 3, false},
        {"s:Body", "<s:Body", "<o/>", "</s:Body", "</s:E", 0, 2, false},
    };
    expect(text, "ok");
    CU_ASSERT_EQUAL_FATAL(scan.n_element, sizeof rows / sizeof rows[0]);
    CU_ASSERT_EQUAL(scan.folded, 6);
    for (size_t i = 0; i < scan.n_element; i++) {
        const struct wssec_scan_element *e = &scan.element[i];
        CU_ASSERT(e->name_len == strlen(rows[i].name) &&
                  memcmp(scan.names.data + e->name_at, rows[i].name, e->name_len) == 0);
        CU_ASSERT_EQUAL(e->from, (size_t)(strstr(text, rows[i].from) - text));
        CU_ASSERT_EQUAL(e->name_end, e->from + 1 + e->name_len);
        CU_ASSERT_EQUAL(e->open_end, (size_t)(strstr(text, rows[i].open_end) - text));
        CU_ASSERT_EQUAL(e->close_from, (size_t)(strstr(text, rows[i].close_from) - text));
        CU_ASSERT_EQUAL(e->to, rows[i].to[0] != '\0' ? (size_t)(strstr(text, rows[i].to) - text) : sizeof text - 1);
        CU_ASSERT_EQUAL(e->parent, rows[i].parent);
        CU_ASSERT_EQUAL(e->depth, rows[i].depth);
        CU_ASSERT_EQUAL(e->empty, rows[i].empty);
    }
}

static void the_fold_tells_structures_apart(void)
{
    static const char *const texts[] = {
        "<a/>", "<b/>", "<a><b/></a>", "<ab/>", "<a><b/><c/></a>", "<a><c/><b/></a>", "<a><b><c/></b></a>", "<x:a/>"};
    uint64_t seen[sizeof texts / sizeof texts[0]];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect(texts[i], "ok");
        seen[i] = scan.fold;
        for (size_t k = 0; k < i; k++) {
            CU_ASSERT_NOT_EQUAL(seen[k], seen[i]);
        }
    }
    uint64_t fold = WSSEC_SCAN_FOLD;
    wssec_scan_fold(&fold, 1, "a", 1);
    wssec_scan_fold(&fold, 2, "b", 1);
    CU_ASSERT_EQUAL(fold, seen[2]);
}

/* text with n times filler between head and tail */
static char *filled(const char *head, char filler, size_t n, const char *tail, size_t *len)
{
    *len = strlen(head) + n + strlen(tail);
    char *text = malloc(*len + 1);
    memcpy(text, head, strlen(head));
    memset(text + strlen(head), filler, n);
    memcpy(text + strlen(head) + n, tail, strlen(tail) + 1);
    return text;
}

static void limits_hold_to_the_octet(void)
{
    static const struct {
        const char *head, *tail;
        size_t fits; /* this many fillers pass, one more does not */
        const char *reason;
    } rows[] = {
        {"<", "/>", 256, "limit-name"},
        {"<a ", "=''/>", 256, "limit-name"},
        {"<a x='", "'/>", 4096 - 9, "limit-start-tag"},
        {"<a>", "</a>", 65536, "limit-text"},
        {"<a><!--", "--></a>", 65536, "limit-text"},
        {"<a><![CDATA[", "]]></a>", 65536, "limit-text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t n = rows[i].fits - 1; n <= rows[i].fits + 1; n++) {
            size_t len = 0;
            char *text = filled(rows[i].head, 'x', n, rows[i].tail, &len);
            expect_octets(text, len, NULL, WSSEC_ENC_UTF8, n <= rows[i].fits ? "ok" : rows[i].reason, rows[i].reason);
            free(text);
        }
    }
}

static void nesting_siblings_and_headers_are_bounded(void)
{
    char text[8192];
    for (unsigned depth = 15; depth <= 17; depth++) {
        size_t n = 0;
        for (unsigned i = 0; i < 2 * depth; i++) {
            n += (size_t)snprintf(text + n, sizeof text - n, i < depth ? "<a>" : "</a>");
        }
        expect(text, depth <= 16 ? "ok" : "limit-depth");
    }
    for (unsigned blocks = 49; blocks <= 51; blocks++) {
        size_t n = (size_t)snprintf(text, sizeof text, "<e><Header>");
        for (unsigned i = 0; i < blocks; i++) {
            n += (size_t)snprintf(text + n, sizeof text - n, "<x/>");
        }
        snprintf(text + n, sizeof text - n, "</Header></e>");
        expect(text, blocks <= 50 ? "ok" : "limit-header");
    }
    for (unsigned children = 16; children <= 17; children++) {
        size_t n = (size_t)snprintf(text, sizeof text, "<e>");
        for (unsigned i = 0; i < children; i++) {
            n += (size_t)snprintf(text + n, sizeof text - n, "<x/>");
        }
        snprintf(text + n, sizeof text - n, "</e>");
        expect(text, children <= 16 ? "ok" : "soap-shape");
    }
    limits.body = 8;
    expect("<a></a >", "ok");
    expect("<a></a  >", "limit-body");
    limits.body = 1 << 20;
    limits.header = 30;
    expect("<e><Header>xxxxxxxxx<a/></Header></e>", "ok");
    expect("<e><Header>xxxxxxxxxxxxxxxxxxxxxxxxx<a/></Header></e>", "limit-header");
    limits.header = 1 << 16;
}

static void a_refusal_names_line_and_column(void)
{
    expect("<a>\n  \x01</a>", "xml-malformed");
    CU_ASSERT_PTR_NOT_NULL(strstr(scan.detail, "line 2, column 3"));
}

const struct harness_test harness_tests[] = {
    {"markup that is no tag hides what is in it", markup_that_is_no_tag_hides_what_is_in_it},
    {"a document type declaration is refused wherever it stands",
     a_document_type_declaration_is_refused_wherever_it_stands},
    {"what does not nest is malformed", what_does_not_nest_is_malformed},
    {"octets that no text has are refused", octets_that_no_text_has_are_refused},
    {"every octet of a long text is looked at", every_octet_of_a_long_text_is_looked_at},
    {"the witnesses of an encoding must agree", the_witnesses_of_an_encoding_must_agree},
    {"UTF-16 needs its mark and whole characters", utf_16_needs_its_mark_and_whole_characters},
    {"offsets lead back to the octets as received", offsets_lead_back_to_the_octets_as_received},
    {"places of envelope, header and blocks are recorded", places_of_envelope_header_and_blocks_are_recorded},
    {"the fold tells structures apart", the_fold_tells_structures_apart},
    {"limits hold to the octet", limits_hold_to_the_octet},
    {"nesting, siblings and headers are bounded", nesting_siblings_and_headers_are_bounded},
    {"a refusal names line and column", a_refusal_names_line_and_column},
    {NULL, NULL},
};
