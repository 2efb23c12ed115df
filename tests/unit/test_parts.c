/* SPDX-License-Identifier: Apache-2.0 */
/* test_parts.c: the small readers under the judge: names, date-times, canonical octets of a subtree. */
#include "tests/unit/judging.h"
#include "wssec/canon.h"
#include "wssec/times.h"

const char *const harness_suite = "parts";

int harness_setup(void)
{
    return judging_begin();
}

int harness_teardown(void)
{
    judging_end();
    return 0;
}

static void ncnames(void)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {{"a", true},
                {"_", true},
                {"Body-1.2", true},
                {"\xc3\xa9t\xc3\xa9", true},
                {"a\xc2\xb7", true},
                {"\xf0\x90\x80\x80", true},
                {"", false},
                {"1a", false},
                {"-a", false},
                {".a", false},
                {"a:b", false},
                {"a b", false},
                {"a'b", false},
                {"a%20", false},
                {"\xc2\xb7", false},
                {"a\xc3\x97", false},
                {"a(b)", false},
                {"a/b", false},
                {"\xef\xbf\xbf", false},
                {"a\xcd\xbe", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(wssec_is_ncname((const xmlChar *)rows[i].text, strlen(rows[i].text)), rows[i].good);
    }
}

static void datetimes(void)
{
    static const struct {
        const char *text;
        int kind;
        int64_t at;
    } rows[] = {{"1970-01-01T00:00:00Z", 0, 0},
                {"2026-09-21T14:13:20Z", 0, MAKER_NOW},
                {"2026-09-21T14:13:20.999Z", 0, MAKER_NOW},
                {"2024-02-29T00:00:00Z", 0, 1709164800},
                {"2026-09-21T14:13:20+00:00", 0, MAKER_NOW},
                {"2026-09-21T14:13:20.5+00:00", 0, MAKER_NOW},
                {"2026-09-21T14:13:20-00:00", 1, MAKER_NOW},
                {"2026-09-21T14:13:20+00:01", 1, MAKER_NOW},
                {"2026-09-21T14:13:20+01:00", 1, MAKER_NOW},
                {"2026-09-21T14:13:20+00:00Z", -1, 0},
                {"2026-09-21T14:13:20+00:0", -1, 0},
                {"2026-09-21T14:13:20Z+00:00", -1, 0},
                {"2026-09-21T14:13:20", 1, MAKER_NOW},
                {"2026-02-29T00:00:00Z", -1, 0},
                {"2026-13-01T00:00:00Z", -1, 0},
                {"2026-00-01T00:00:00Z", -1, 0},
                {"2026-01-00T00:00:00Z", -1, 0},
                {"2026-01-01T24:00:00Z", -1, 0},
                {"2026-01-01T00:60:00Z", -1, 0},
                {"2026-01-01 00:00:00Z", -1, 0},
                {"2026-01-01t00:00:00z", -1, 0},
                {"+2026-01-01T00:00:00Z", -1, 0},
                {"-2026-01-01T00:00:00Z", -1, 0},
                {"12026-01-01T00:00:00Z", -1, 0},
                {"2026-01-01T00:00:00Zx", -1, 0},
                {"2026-01-01T00:00:00.Z", -1, 0},
                {"2026-01-01T00:00:00+25:00", -1, 0},
                {"2026-1-1T0:0:0Z", -1, 0},
                {"", -1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t at = 0;
        CU_ASSERT_EQUAL(wssec_datetime_parse(rows[i].text, strlen(rows[i].text), &at), rows[i].kind);
        if (rows[i].kind >= 0) {
            CU_ASSERT_EQUAL(at, rows[i].at);
        }
    }
}

/* Our way (a view of the subtree) against the textbook one (an XPath node set over the document). */
static void canonical_subtrees(void)
{
    static const char text[] =
        "<?xml version=\"1.0\"?><!-- c --><r xmlns=\"urn:d\" xmlns:a=\"urn:a\" xmlns:b=\"urn:b\" xml:lang=\"en\" "
        "a:x=\"1\">t"
        "<a:s xmlns:c=\"urn:c\" xml:space=\"preserve\" z=\"&lt;&quot;&#9;&#10;\" b:y=\"2\" a:y=\"3\"> <!-- in --><q "
        "xmlns=\"\">&amp;&gt;&#13;"
        "<![CDATA[<x>]]><b:u c:v=\"\"/></q>\xc3\xa9</a:s><a:s xmlns:a=\"urn:other\"/>tail<last/></r><?p i?>";
    static const char *const paths[] = {"/*", "/*/*[1]", "/*/*[2]", "/*/*[3]", "/*/*[1]/*", "/*/*[1]/*/*"};
    static const char *const prefixes[] = {NULL, "a b", "c #default"};
    static const struct {
        int mode;
        const char *uri;
    } modes[] = {{XML_C14N_EXCLUSIVE_1_0, EXC_C14N},
                 {XML_C14N_1_0, INC_C14N},
                 {XML_C14N_1_1, "http://www.w3.org/2006/12/xml-c14n11"}};
    xmlDocPtr doc = xmlReadMemory(text, (int)sizeof text - 1, NULL, NULL, XML_PARSE_NOENT);
    xmlXPathContextPtr x = xmlXPathNewContext(doc);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        for (size_t k = 0; k < 3 * sizeof modes / sizeof modes[0]; k++) {
            const char *list = prefixes[k % 3];
            xmlChar one[] = "a", two[] = "b", three[] = "c", four[] = "#default";
            xmlChar *chosen[2][3] = {{one, two, NULL}, {three, four, NULL}};
            xmlXPathObjectPtr o = xmlXPathEvalExpression(BAD_CAST paths[i], x);
            struct wssec_canon c = {.node = o->nodesetval->nodeTab[0], .mode = modes[k / 3].mode};
            c.prefix = list != NULL ? chosen[k % 3 - 1] : NULL;
            cs_buf out = CS_BUF_INIT;
            int len = 0;
            char *expected = maker_canon(text, paths[i], modes[k / 3].uri, k / 3 == 0 ? list : NULL, &len);
            CU_ASSERT_EQUAL(wssec_canon_text(&c, &out), WSSEC_RC_OK);
            CU_ASSERT_EQUAL(out.len, (size_t)len);
            CU_ASSERT(out.len == (size_t)len && memcmp(out.data, expected, out.len) == 0);
            free(expected);
            cs_buf_free(&out);
            xmlXPathFreeObject(o);
        }
    }
    xmlXPathFreeContext(x);
    xmlFreeDoc(doc);
}

const struct harness_test harness_tests[] = {{"NCNames", ncnames},
                                             {"date-times", datetimes},
                                             {"canonical octets of a subtree", canonical_subtrees},
                                             {NULL, NULL}};
