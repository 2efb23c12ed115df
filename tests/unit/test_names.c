/* SPDX-License-Identifier: Apache-2.0 */
/* test_names.c: what a document calls itself, and that nothing doubtful has a name. */
#include "tests/unit/judging.h"

const char *const harness_suite = "names";

static struct wssec_policy *policy;

int harness_setup(void)
{
    int rc = judging_begin();
    policy = policy_of(NULL, 0);
    return rc;
}

int harness_teardown(void)
{
    wssec_policy_unref(policy);
    judging_end();
    return 0;
}

/* In pieces of one octet each where cut, so that no name may depend on how the octets came. */
static struct wssec_names names_of(const char *text, size_t n, bool cut)
{
    struct wssec_names names;
    struct wssec_slice *slice = calloc(n + 1, sizeof *slice);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slice);
    for (size_t i = 0; i < n; i++) {
        slice[i] = (struct wssec_slice){(const uint8_t *)text + i, 1};
    }
    if (!cut) {
        slice[0].n = n;
    }
    struct wssec_input in = {.slice = slice, .n_slice = cut ? n : 1};
    CU_ASSERT_EQUAL(wssec_names(worker, &in, policy, &names), WSSEC_RC_OK);
    free(slice);
    return names;
}

#define WSDL       "<wsdl:definitions xmlns:wsdl='http://schemas.xmlsoap.org/wsdl/'/>"
#define SOAP(body) "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'>" body "</e:Envelope>"

static void documents_have_names(void)
{
    static const struct {
        const char *text, *ns, *local, *payload_ns, *payload;
    } cases[] = {
        {WSDL, "http://schemas.xmlsoap.org/wsdl/", "definitions", "", ""},
        {"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- > -->\n" WSDL, "http://schemas.xmlsoap.org/wsdl/", "definitions", "",
         ""},
        {"<a/>", "", "a", "", ""},
        {"<a xmlns='urn:x'><b/></a>", "urn:x", "a", "", ""},
        {SOAP("<e:Header><h/></e:Header><e:Body> <!-- c --> <o:Get xmlns:o='urn:o'/><Other/></e:Body>"),
         "http://schemas.xmlsoap.org/soap/envelope/", "Envelope", "urn:o", "Get"},
        {SOAP("<e:Body/>"), "http://schemas.xmlsoap.org/soap/envelope/", "Envelope", "", ""},
        {SOAP("<Body><x/></Body>"), "http://schemas.xmlsoap.org/soap/envelope/", "Envelope", "", ""},
        {"<Envelope><Body><x/></Body></Envelope>", "", "Envelope", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int cut = 0; cut < 2; cut++) {
            struct wssec_names n = names_of(cases[i].text, strlen(cases[i].text), cut != 0);
            CU_ASSERT_EQUAL(n.reason, WSSEC_OK);
            CU_ASSERT_STRING_EQUAL(n.root.ns, cases[i].ns);
            CU_ASSERT_STRING_EQUAL(n.root.local, cases[i].local);
            CU_ASSERT_STRING_EQUAL(n.payload.ns, cases[i].payload_ns);
            CU_ASSERT_STRING_EQUAL(n.payload.local, cases[i].payload);
        }
    }
}

#define WSSE        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
#define FAULT(code) SOAP("<e:Body><e:Fault>" code "<faultstring>no</faultstring></e:Fault></e:Body>")
#define FAULT12(code)                                                                                                  \
    "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body><e:Fault>" code                             \
    "</e:Fault></e:Body></e:Envelope>"

static void faults_have_a_code(void)
{
    static const struct {
        const char *text, *ns, *local;
    } cases[] = {
        {FAULT("<faultcode xmlns:w='" WSSE "'>w:FailedCheck</faultcode>"), WSSE, "FailedCheck"},
        {FAULT("<faultcode xmlns:w='" WSSE "'>\n w:Fail<![CDATA[ed]]>Ch&#x65;ck </faultcode>"), WSSE, "FailedCheck"},
        {FAULT("<faultcode>e:Server</faultcode>"), "http://schemas.xmlsoap.org/soap/envelope/", "Server"},
        {FAULT("<faultcode xmlns='" WSSE "'>FailedCheck</faultcode>"), "", ""}, /* an element of another name */
        {FAULT("<faultcode>Client</faultcode>"), "", "Client"},
        {SOAP("<e:Body xmlns:w='urn:a'><e:Fault xmlns:w='" WSSE "'><faultcode>w:X</faultcode></e:Fault></e:Body>"),
         WSSE, "X"},
        {FAULT12("<e:Code><e:Value>e:Sender</e:Value></e:Code>"), "http://www.w3.org/2003/05/soap-envelope", "Sender"},
        {FAULT12("<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value xmlns:w='" WSSE
                 "'>w:InvalidSecurity</e:Value></e:Subcode></e:Code>"),
         WSSE, "InvalidSecurity"},
        {FAULT12("<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>e:a</e:Value><e:Subcode><e:Value>e:b</e:Value>"
                 "</e:Subcode></e:Subcode></e:Code><e:Detail><e:Value>e:c</e:Value></e:Detail>"),
         "http://www.w3.org/2003/05/soap-envelope", "b"},
        /* nothing that a reader of QNames would take */
        {FAULT("<faultcode>w:FailedCheck</faultcode>"), "", ""},
        {FAULT("<o xmlns:w='" WSSE "'/><faultcode>w:FailedCheck</faultcode>"), "", ""},
        {FAULT("<faultcode xmlns:w='" WSSE "'>w:Failed Check</faultcode>"), "", ""},
        {FAULT("<faultcode xmlns:w='" WSSE "'>w:Failed<i/>Check</faultcode>"), "", ""},
        {FAULT("<faultcode xmlns:w='" WSSE "'>w:a:b</faultcode>"), "", ""},
        {FAULT("<faultcode/>"), "", ""},
        {FAULT("<d><faultcode>e:Server</faultcode></d>"), "", ""},
        /* a fault is the first that stands in Body, and stands nowhere else */
        {SOAP("<e:Body><a/><e:Fault><faultcode>e:Server</faultcode></e:Fault></e:Body>"), "", ""},
        {SOAP("<e:Header><e:Fault><faultcode>e:Server</faultcode></e:Fault></e:Header><e:Body/>"), "", ""},
        {SOAP("<e:Body><a><e:Fault><faultcode>e:Server</faultcode></e:Fault></a></e:Body>"), "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int cut = 0; cut < 2; cut++) {
            struct wssec_names n = names_of(cases[i].text, strlen(cases[i].text), cut != 0);
            CU_ASSERT_EQUAL(n.reason, WSSEC_OK);
            CU_ASSERT_STRING_EQUAL(n.fault.ns, cases[i].ns);
            CU_ASSERT_STRING_EQUAL(n.fault.local, cases[i].local);
        }
    }
}

static void what_is_doubtful_has_none(void)
{
    static const char *const texts[] = {
        "<!DOCTYPE a>" WSDL,
        "<!-- " WSDL,
        "text " WSDL,
        "<",
        "",
        WSDL "<b/>",
        WSDL " x",
        "<x:definitions/>",
        "<wsdl:definitions xmlns:wsdl='http://schemas.xmlsoap.org/wsdl/'>",
        "<?xml version='1.1'?>" WSDL,
        "<a>&unknown;</a>",
        "<a b='1' b='2'/>",
        "<?xml version='1.0' encoding='iso-8859-1'?>" WSDL,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct wssec_names n = names_of(texts[i], strlen(texts[i]), false);
        CU_ASSERT_NOT_EQUAL(n.reason, WSSEC_OK);
        CU_ASSERT_STRING_EQUAL(n.root.local, "");
    }
}

static void a_name_too_long_is_none(void)
{
    char text[512];
    char name[200];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "<%s/>", name);
    struct wssec_names n = names_of(text, strlen(text), false);
    CU_ASSERT_EQUAL(n.reason, WSSEC_OK);
    CU_ASSERT_STRING_EQUAL(n.root.local, "");
}

const struct harness_test harness_tests[] = {
    {"documents have names", documents_have_names},
    {"faults have a code", faults_have_a_code},
    {"what is doubtful has none", what_is_doubtful_has_none},
    {"a name too long is none", a_name_too_long_is_none},
    {NULL, NULL},
};
