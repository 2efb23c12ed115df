/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_selection.c: what a signature may point to and through which transforms: everything but "#id" through an allowed
 * canonicalization is refused by its shape, before anything is fetched, run or digested.
 */
#include "tests/unit/judging.h"

const char *const harness_suite = "selection";

static struct maker_key rsa;

int harness_setup(void)
{
    return judging_begin_with(&rsa, NULL);
}

int harness_teardown(void)
{
    return judging_end_with(&rsa, NULL);
}

struct row {
    const char *name, *by, *expected;
};

/* by stands in the place of what, in a good message that passes without the change */
static void walk(const char *what, const struct row *rows, size_t n)
{
    expect(judge(maker_message(&(struct maker){.key = &rsa}), NULL, 0), "ok", "the benign twin");
    for (size_t i = 0; i < n; i++) {
        char *text = maker_replace(maker_message(&(struct maker){.key = &rsa}), what, rows[i].by);
        expect(judge(text, NULL, 0), rows[i].expected, rows[i].name);
    }
}

#define WALK(what, rows) walk(what, rows, sizeof rows / sizeof rows[0])
#define T(uri)           "<ds:Transform Algorithm=\"" uri "\"/>"
#define EXC              T(EXC_C14N)
#define ENVELOPED        T(NS_DS "enveloped-signature")
#define STR(inner)       "<ds:Transform Algorithm=\"" STR_TRANSFORM "\">" inner "</ds:Transform>"
#define PARAMETERS(uri)                                                                                                \
    "<wsse:TransformationParameters><ds:CanonicalizationMethod Algorithm=\"" uri "\"/></"                              \
    "wsse:TransformationParameters>"
#define XPATH                                                                                                          \
    "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>1</ds:XPath></ds:Transform>"

static void transforms(void)
{
    static const struct row rows[] = {
        {"XPath", XPATH, "transform-forbidden"},
        {"XPath behind the canonicalization", EXC XPATH, "transform-forbidden"},
        {"XPath filter 2", T("http://www.w3.org/2002/06/xmldsig-filter2") EXC, "transform-forbidden"},
        {"XSLT", T("http://www.w3.org/TR/1999/REC-xslt-19991116"), "transform-forbidden"},
        {"base64", T(NS_DS "base64"), "transform-forbidden"},
        {"canonicalization twice", EXC EXC, "transform-forbidden"},
        {"canonicalization with comments", T(EXC_C14N "WithComments"), "transform-forbidden"},
        {"inclusive canonicalization", T(INC_C14N), "canonicalization-forbidden"},
        {"none, which means inclusive", "", "canonicalization-forbidden"},
        {"enveloped-signature alone", ENVELOPED, "canonicalization-forbidden"},
        {"enveloped-signature twice", ENVELOPED ENVELOPED EXC, "transform-forbidden"},
        {"enveloped-signature last", EXC ENVELOPED, "transform-forbidden"},
        {"STR-Transform on the Body", STR(PARAMETERS(EXC_C14N)), "transform-forbidden"},
        {"STR-Transform without parameters", STR(""), "transform-forbidden"},
        {"STR-Transform with inclusive", STR(PARAMETERS(INC_C14N)), "canonicalization-forbidden"},
        {"attachment transform",
         T("http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Signature-Transform"),
         "transform-forbidden"},
        {"no algorithm", "<ds:Transform/>", "signature-malformed"},
        {"no transform", "<ds:Other/>", "signature-malformed"},
        {"five", EXC EXC EXC EXC EXC, "transform-forbidden"},
        {"six", EXC EXC EXC EXC EXC EXC, "limit-transforms"},
    };
    WALK(EXC, rows);
}

static void uris(void)
{
    static const struct row rows[] = {
        {"whole document", "URI=\"\"", "reference-uri-forbidden"},
        {"no URI", "", "reference-uri-forbidden"},
        {"no id", "URI=\"#\"", "reference-uri-forbidden"},
        {"xpointer", "URI=\"#xpointer(id('Body'))\"", "reference-uri-forbidden"},
        {"xpointer to the root", "URI=\"#xpointer(/)\"", "reference-uri-forbidden"},
        {"text pasted into an xpointer", "URI=\"#Body') | id('TS\"", "reference-uri-forbidden"},
        {"two ids", "URI=\"#Body TS\"", "reference-uri-forbidden"},
        {"percent-encoded", "URI=\"#%42ody\"", "reference-uri-forbidden"},
        {"http", "URI=\"http://127.0.0.1:1/x\"", "reference-uri-forbidden"},
        {"file", "URI=\"file:///etc/passwd\"", "reference-uri-forbidden"},
        {"relative", "URI=\"x.xml#Body\"", "reference-uri-forbidden"},
        {"cid", "URI=\"cid:part\"", "reference-uri-forbidden"},
        {"dangling", "URI=\"#Nobody\"", "reference-unresolved"},
        {"one element twice", "URI=\"#TS\"", "signature-malformed"},
        {"to a Manifest", "URI=\"#Body\" Type=\"" NS_DS "Manifest\"", "signature-malformed"},
    };
    WALK("URI=\"#Body\"", rows);
}

static void content(void)
{
    static const struct row prefix[] = {{"prefix of the Body re-bound", "xmlns:o=\"urn:odders\"", "digest-mismatch"}};
    WALK("xmlns:o=\"urn:orders\"", prefix);
    const char *include = "<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:x\"/>";
    const char *other = "<i:Include xmlns:i=\"urn:i\" href=\"cid:x\"/>";
    expect(judge(maker_message(&(struct maker){.key = &rsa, .body = include}), NULL, 0), "xop-malformed", "Include");
    expect(judge(maker_message(&(struct maker){.key = &rsa, .body = other}), NULL, 0), "ok", "another Include");
}

/* node-soap writes enveloped-signature on every reference: harmless, as long as the signature is not in the part. */
static void enveloped_only_as_no_op(void)
{
    const struct setting body = {"require-signed", {"Body", NULL}};
    struct maker m = {.key = &rsa, .transforms = ENVELOPED EXC};
    expect(judge(maker_message(&m), NULL, 0), "ok", "enveloped on Body and Timestamp");
    m.security_attributes = " wsu:Id=\"Sec\"";
    m.refs = "Body Sec";
    expect(judge(maker_message(&m), &body, 1), "transform-forbidden", "enveloped on the Security header");
}

const struct harness_test harness_tests[] = {
    {"transforms", transforms},
    {"URIs of references", uris},
    {"prefixes and xop:Include", content},
    {"enveloped-signature only where it does nothing", enveloped_only_as_no_op},
    {NULL, NULL}};
