/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_early.c: a large message is asked for its signature before its Body is read. That only ever refuses, only what
 * the whole message would be refused for too, and cannot be deceived by what looks like the end of the header.
 */
#include "tests/unit/judging.h"
#include "wssec/early.h"

const char *const harness_suite = "early";

static struct maker_key rsa, other;
static char *large; /* content of a Body */

int harness_setup(void)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_adds(&b, "<o:order xmlns:o=\"urn:o\">");
    for (int i = 0; i < 20000; i++) { /* few nodes: the second hand that signs is slow with many */
        cs_buf_addf(&b, "%d bolts for you, ", i);
    }
    cs_buf_adds(&b, "</o:order>");
    large = cs_buf_take(&b, NULL);
    rsa = maker_key_new("rsa:2048", NULL);
    other = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "other", .serial = 2});
    maker_accept(&partner, &rsa, WSSEC_ACTIVE);
    return large == NULL || judging_begin() != 0;
}

int harness_teardown(void)
{
    free(large);
    maker_key_free(&rsa);
    maker_key_free(&other);
    judging_end();
    return 0;
}

static char *message(const struct maker_key *key)
{
    return maker_message(&(struct maker){.key = key, .body = large});
}

/* Something in SignedInfo that no digest depends on. */
static char *forged(char *text)
{
    return maker_replace(text, "URI=\"#Body\"", "URI=\"#Body\" Id=\"r\"");
}

static void the_body_is_not_read_when_no_key_fits(void)
{
    /* an end that is not well-formed shows who has read it */
    expect(judge(maker_replace(message(&rsa), "</o:order>", "</o:oder>"), NULL, 0), "xml-malformed", "the way it ends");
    expect(judge(forged(maker_replace(message(&rsa), "</o:order>", "</o:oder>")), NULL, 0), "signature-mismatch",
           "forged");
    expect(judge(maker_replace(message(&other), "</o:order>", "</o:oder>"), NULL, 0), "certificate-unknown",
           "a stranger's certificate");
    CU_ASSERT_EQUAL(v.soap, 11);
    CU_ASSERT(v.security.to > v.security.from);
    CU_ASSERT_EQUAL(v.n_signatures, 1);
}

static void only_the_whole_message_passes(void)
{
    expect(judge(message(&rsa), NULL, 0), "ok", "a large message");
    CU_ASSERT_EQUAL(v.n_covers, 2);
    CU_ASSERT_EQUAL(v.n_reference, 2);
    CU_ASSERT_EQUAL(v.n_notes, 0);
    unsigned shapes = 0;
    for (size_t i = 0; i < steps.n; i++) {
        shapes += strcmp(steps.step[i].step, "signature-shape") == 0;
    }
    CU_ASSERT_EQUAL(shapes, 1); /* told once */
    expect(judge(maker_replace(message(&rsa), " 7000 bolts", " 7001 bolts"), NULL, 0), "digest-mismatch",
           "Body changed");
    expect(judge(maker_replace(message(&rsa), "2026-09-21T14:18", "2026-09-21T14:17"), NULL, 0), "digest-mismatch",
           "Expires changed");
    expect(judge(maker_replace(message(&rsa), "</S:Body>", "</S:Body><S:Body/>"), NULL, 0), "soap-shape", "two Bodies");
}

static void what_looks_like_the_end_of_the_header_deceives_nobody(void)
{
    static const struct {
        const char *name, *what, *by;
    } rows[] = {
        {"in a comment", "<S:Header>", "<S:Header><!-- </S:Header><S:Body wsu:Id=\"Body\"> -->"},
        {"in CDATA", "<S:Header>", "<S:Header><x xmlns=\"urn:x\"><![CDATA[</S:Header><S:Body>]]></x>"},
        {"in an attribute", "<S:Header>", "<S:Header><x xmlns=\"urn:x\" a=\"&lt;/S:Header>\"/>"},
        {"a block of that name", "<S:Header>", "<S:Header><x:Header xmlns:x=\"urn:x\"></x:Header>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(judge(maker_replace(message(&rsa), rows[i].what, rows[i].by), NULL, 0), "ok", rows[i].name);
        expect(judge(forged(maker_replace(message(&rsa), rows[i].what, rows[i].by)), NULL, 0), "signature-mismatch",
               rows[i].name);
    }
}

static bool cut(const char *text, size_t n, const char *expected)
{
    cs_buf filled = CS_BUF_INIT;
    cs_buf out = CS_BUF_INIT;
    cs_buf_adds(&filled, text);
    while (filled.len < n) {
        cs_buf_adds(&filled, "                                                                ");
    }
    const struct wssec_slice slice[] = {{(const uint8_t *)filled.data, 5},
                                        {(const uint8_t *)filled.data + 5, filled.len - 5}};
    const struct wssec_input in = {.slice = slice, .n_slice = 2};
    size_t behind = 0;
    bool made = wssec_early_text(&in, &out, &behind);
    bool good =
        expected == NULL ? !made : made && out.len == strlen(expected) && memcmp(out.data, expected, out.len) == 0;
    cs_buf_free(&filled);
    cs_buf_free(&out);
    return good;
}

static void the_text_ends_behind_the_start_tag_of_body(void)
{
    const size_t n = (size_t)300 << 10;
    CU_ASSERT(cut("<a:E><H:Header></H:Header>\n <b:Body x='>'>", n,
                  "<a:E><H:Header></H:Header>\n <b:Body x='>'></b:Body></a:E>"));
    CU_ASSERT(cut("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<E><Header></Header ><Body>", n,
                  "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<E><Header></Header ><Body></Body></E>"));
    CU_ASSERT(cut("<E><Body>", n, "<E><Body></Body></E>"));
    CU_ASSERT(cut("<E>\n<h:Header a='>' />\n<Body x=\"/\">", n, "<E>\n<h:Header a='>' />\n<Body x=\"/\"></Body></E>"));
    CU_ASSERT(cut("<E><Header></Header><Body x='/'/>", n, "<E><Header></Header><Body x='/'/></E>"));
    CU_ASSERT(cut("<!-- <E> --> <!----> <E><!-- --><Header></Header><!-- --> <Body>", n,
                  "<!-- <E> --> <!----> <E><!-- --><Header></Header><!-- --> <Body></Body></E>"));
    CU_ASSERT(cut("<E><Header><!--</Header>--><Header/><E><x:Header></x:Header><Body/></E></Header><Body>", n,
                  "<E><Header><!--</Header>--><Header/><E><x:Header></x:Header><Body/></E></Header><Body></Body></E>"));
    static const char *const none[] = {"<E><Header></Header><Other>",
                                       "<E><Header></Header>",
                                       "<E><Header></Header><Body x='",
                                       "<E><Header></Header",
                                       "<E><Header></",
                                       "<?xml",
                                       "<",
                                       "<!-- --<E><Header></Header><Body>",
                                       "<E><Header><Header></Header><Body>",
                                       "x<E><Header></Header><Body>",
                                       "<E><Other/><Body>",
                                       "<E><Header/>x<Body>"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CU_ASSERT(cut(none[i], n, NULL));
    }
}

const struct harness_test harness_tests[] = {
    {"the Body is not read when no key fits", the_body_is_not_read_when_no_key_fits},
    {"only the whole message passes", only_the_whole_message_passes},
    {"what looks like the end of the header deceives nobody", what_looks_like_the_end_of_the_header_deceives_nobody},
    {"the text ends behind the start tag of Body", the_text_ends_behind_the_start_tag_of_body},
    {NULL, NULL},
};
