/* SPDX-License-Identifier: Apache-2.0 */
/* test_route.c: choice of the route and of the upstream's target; what is not SOAP; addresses and URLs of the
 * configuration. */
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_private.h"
#include "gateway/plain.h"
#include "gateway/route.h"

const char *const harness_suite = "route";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static struct gw_route route_of(const char *name, const char *path, const char *method, const char *second)
{
    struct gw_route r = {
        .name = (char *)(uintptr_t)name, .path = (char *)(uintptr_t)path, .path_n = strlen(path), .n_method = 1};
    snprintf(r.method[0], sizeof r.method[0], "%s", method);
    if (second != NULL) {
        snprintf(r.method[r.n_method++], sizeof r.method[0], "%s", second);
    }
    return r;
}

/* The rows of a plan are sorted by the length of their paths. */
static const char *found(const char *path, const char *method, bool *known, char allow[256])
{
    static int front;
    static int back;
    const struct listening *on_front = (const struct listening *)(void *)&front;
    const struct listening *on_back = (const struct listening *)(void *)&back;
    struct gw_route conf[] = {route_of("deep", "/orders/new/", "POST", NULL),
                              route_of("whole", "/orders", "POST", "GET"), route_of("below", "/orders/", "PUT", NULL),
                              route_of("all", "/", "POST", NULL), route_of("other", "/orders/x", "POST", NULL)};
    struct plan_route row[] = {{.conf = &conf[0], .listening = on_front},
                               {.conf = &conf[4], .listening = on_back},
                               {.conf = &conf[2], .listening = on_front},
                               {.conf = &conf[1], .listening = on_front},
                               {.conf = &conf[3], .listening = on_front}};
    struct plan p = {.route = row, .n_route = 5};
    const struct plan_route *r = route_find(&p, on_front, path, method, known, allow);
    return r == NULL             ? ""
           : r->conf == &conf[0] ? "deep"
           : r->conf == &conf[1] ? "whole"
           : r->conf == &conf[2] ? "below"
           : r->conf == &conf[3] ? "all"
                                 : "other";
}

static void longest_path_wins(void)
{
    static const struct {
        const char *path, *method, *route, *allow;
    } cases[] = {
        {"/orders", "POST", "whole", ""},
        {"/orders", "GET", "whole", ""},
        {"/orders", "PUT", "", "POST, GET"},
        {"/orders/", "PUT", "below", ""},
        {"/orders/x", "PUT", "below", ""},
        {"/orders/x", "POST", "", "PUT"},
        {"/orders/new/1", "POST", "deep", ""},
        {"/orders/new", "PUT", "below", ""},
        {"/ordersx", "POST", "all", ""},
        {"/", "POST", "all", ""},
        {"/", "GET", "", "POST"},
        {"/orders/new/1", "PUT", "", "POST"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool known;
        char allow[256];
        const char *name = found(cases[i].path, cases[i].method, &known, allow);
        CU_ASSERT_STRING_EQUAL(name, cases[i].route);
        if (cases[i].route[0] == '\0') {
            CU_ASSERT_TRUE(known);
            CU_ASSERT_STRING_EQUAL(allow, cases[i].allow);
        }
    }
}

static void unknown_path(void)
{
    struct gw_route conf = route_of("whole", "/orders", "POST", NULL);
    int front;
    int back;
    struct plan_route row = {.conf = &conf, .listening = (const struct listening *)(void *)&front};
    struct plan p = {.route = &row, .n_route = 1};
    bool known;
    char allow[256];
    CU_ASSERT_PTR_NULL(route_find(&p, row.listening, "/order", "POST", &known, allow));
    CU_ASSERT_FALSE(known);
    CU_ASSERT_PTR_NULL(route_find(&p, row.listening, "/orders/", "POST", &known, allow));
    CU_ASSERT_FALSE(known);
    CU_ASSERT_PTR_NULL(route_find(&p, (const struct listening *)(void *)&back, "/orders", "POST", &known, allow));
    CU_ASSERT_FALSE(known);
}

static void target_of_upstream(void)
{
    static const struct {
        const char *route, *upstream, *path, *query, *target;
    } cases[] = {
        {"/orders", "http://h", "/orders", NULL, "/orders"},
        {"/orders", "http://h/soap", "/orders", NULL, "/soap"},
        {"/orders", "http://h/", "/orders", NULL, "/"},
        {"/orders", "http://h/soap", "/orders", "wsdl", "/soap?wsdl"},
        {"/o/", "http://h", "/o/a/b", NULL, "/o/a/b"},
        {"/o/", "http://h/s", "/o/a/b", NULL, "/s/a/b"},
        {"/o/", "http://h/s/", "/o/a/b", "q=1", "/s/a/b?q=1"},
        {"/o/", "http://h/", "/o/a", NULL, "/a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gw_upstream *u = calloc(1, sizeof *u);
        struct gw_route r = route_of("r", cases[i].route, "POST", NULL);
        cs_buf out = CS_BUF_INIT;
        char why[160];
        CU_ASSERT_EQUAL_FATAL(gw_upstream_parse(u, cases[i].upstream, why, sizeof why), 0);
        CU_ASSERT_EQUAL(route_target(&out, &r, u, cases[i].path, cases[i].query), 0);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].target);
        cs_buf_free(&out);
        gw_upstream_free(u);
    }
}

static void upstream_urls(void)
{
    static const struct {
        const char *url, *host, *port, *path, *authority;
    } good[] = {
        {"http://127.0.0.1:8080/soap", "127.0.0.1", "8080", "/soap", "127.0.0.1:8080"},
        {"http://receiver.example", "receiver.example", "80", "", "receiver.example"},
        {"http://[::1]:81/x/", "::1", "81", "/x/", "[::1]:81"},
        {"http://[2001:db8::2]/", "2001:db8::2", "80", "/", "[2001:db8::2]"},
        {"https://h/", "h", "443", "/", "h"},
    };
    static const char *const bad[] = {"ftp://h/",        "http://",      "http://:80/",  "http://h:0/",
                                      "http://h:65536/", "http://h:x/",  "http://[::1/", "http://h/a?b",
                                      "http://h/a#b",    "http://h/a b", "http://u@h/",  "http://h:80:80/"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct gw_upstream *u = calloc(1, sizeof *u);
        char why[160] = "";
        CU_ASSERT_EQUAL_FATAL(gw_upstream_parse(u, good[i].url, why, sizeof why), 0);
        CU_ASSERT_STRING_EQUAL(u->host, good[i].host);
        CU_ASSERT_STRING_EQUAL(u->port, good[i].port);
        CU_ASSERT_STRING_EQUAL(u->path, good[i].path);
        CU_ASSERT_STRING_EQUAL(u->authority, good[i].authority);
        gw_upstream_free(u);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gw_upstream *u = calloc(1, sizeof *u);
        char why[160] = "";
        CU_ASSERT_EQUAL(gw_upstream_parse(u, bad[i], why, sizeof why), -1);
        CU_ASSERT_NOT_EQUAL(why[0], '\0');
        gw_upstream_free(u);
    }
}

static void addresses(void)
{
    static const struct {
        const char *text, *shown;
        bool loopback;
    } good[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"10.1.2.3:65535", "10.1.2.3:65535", false},
        {"[::1]:8443", "[::1]:8443", true},
        {"[2001:db8::1]:1", "[2001:db8::1]:1", false},
        {"*:0", "0.0.0.0:0", false},
    };
    static const char *const bad[] = {"127.0.0.1", "localhost:80", "127.0.0.1:65536", "127.0.0.1:",  ":80",
                                      "[::1:80",   "::1:80",       "127.0.0.1:-1",    "127.0.0.1:8 "};
    struct gw_address a;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(gw_address_parse(good[i].text, &a), 0);
        CU_ASSERT_STRING_EQUAL(a.text, good[i].shown);
        CU_ASSERT_EQUAL(gw_address_loopback(&a), good[i].loopback);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(gw_address_parse(bad[i], &a), -1);
    }
}

/* ---- what is not SOAP ------------------------------------------------------------------------------------------ */

static void service_description_asked(void)
{
    static const struct {
        const char *method, *query;
        bool passes;
    } cases[] = {
        {"GET", "wsdl", true},
        {"GET", "WSDL", true},
        {"GET", "singleWsdl", true},
        {"GET", "wsdl=a.wsdl", true},
        {"GET", "xsd=types-1.xsd", true},
        {"GET", NULL, false},
        {"GET", "", false},
        {"GET", "wsdl&a=b", false},
        {"GET", "xsd=../x/y", false},
        {"GET", "xsd=%2e", false},
        {"GET", "delete", false},
        {"POST", "wsdl", false},
        {"HEAD", "wsdl", false},
        {"DELETE", "wsdl", false},
        {"GET", "wsdlx", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http1_head h = {.query = cases[i].query};
        snprintf(h.method, sizeof h.method, "%s", cases[i].method);
        CU_ASSERT_EQUAL(plain_request_allowed(&h), cases[i].passes);
    }
    struct http1_head h = {.method = "GET", .query = "wsdl", .has_length = true, .length = 1};
    CU_ASSERT_FALSE(plain_request_allowed(&h));
}

static bool typed(int status, const char *type)
{
    struct http1_field f = {.name = "Content-Type", .value = type, .name_n = 12, .value_n = strlen(type)};
    struct http1_head h = {.status = status, .field = &f, .n_field = 1};
    return plain_reply_typed(&h);
}

static void service_description_given(void)
{
    CU_ASSERT_TRUE(typed(200, "text/xml; charset=utf-8"));
    CU_ASSERT_TRUE(typed(200, "application/wsdl+xml"));
    CU_ASSERT_TRUE(typed(200, "application/xml"));
    CU_ASSERT_FALSE(typed(201, "text/xml"));
    CU_ASSERT_FALSE(typed(200, "text/html"));
    CU_ASSERT_FALSE(typed(200, "text/xmlx"));
    CU_ASSERT_TRUE(plain_root_allowed("http://schemas.xmlsoap.org/wsdl/", "definitions"));
    CU_ASSERT_TRUE(plain_root_allowed("http://www.w3.org/ns/wsdl", "description"));
    CU_ASSERT_TRUE(plain_root_allowed("http://www.w3.org/2001/XMLSchema", "schema"));
    CU_ASSERT_FALSE(plain_root_allowed("http://www.w3.org/2001/XMLSchema", "definitions"));
    CU_ASSERT_FALSE(plain_root_allowed("", "definitions"));
    CU_ASSERT_FALSE(plain_root_allowed("http://schemas.xmlsoap.org/soap/envelope/", "Envelope"));
}

static void soap_action_of_http(void)
{
#define S12 "application/soap+xml"
    static const struct {
        const char *header, *type, *action;
    } cases[] = {
        {NULL, "text/xml", ""},
        {"", "text/xml", ""},
        {"\"\"", "text/xml", ""},
        {"\"urn:a\"", "text/xml", "urn:a"},
        {"urn:a", "text/xml", "urn:a"},
        {NULL, S12 "; action=\"urn:a\"", "urn:a"},
        {NULL, S12 ";charset=utf-8;action=urn:a", "urn:a"},
        {"\"urn:a\"", S12 "; action=\"urn:a\"", "urn:a"},
        {"\"\"", S12 "; action=\"urn:a;b\"; x=y", "urn:a;b"},
        {NULL, "text/xml; action=\"urn:a\"", ""},
        {NULL, S12 "; xaction=\"urn:a\"", ""},
        {NULL, S12 "; x=\"action=b\"", ""},
        {"\"a\"b\"", "text/xml", NULL},
        {"\"", "text/xml", NULL},
        {"\"urn:b\"", S12 "; action=\"urn:a\"", NULL},
        {NULL, S12 "; action=\"urn:a\"; action=\"urn:b\"", NULL},
        {NULL, S12 "; action=\"urn:a", NULL},
        {NULL, S12 "; action=\"a\\\"b\"", NULL},
        {NULL, S12 ";action=urn\"", NULL},
        {NULL, S12 "; action=\"a\"b", NULL},
        {NULL, S12 "; charset = utf-8 ; action=\"urn:a\"", NULL},
        {NULL, S12 "; a; action=urn:a", "urn:a"},
        {NULL, NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char action[PLAIN_ACTION];
        bool good = plain_soap_action(cases[i].header, cases[i].type, action);
        CU_ASSERT_EQUAL(good, cases[i].action != NULL);
        if (good && cases[i].action != NULL) {
            CU_ASSERT_STRING_EQUAL(action, cases[i].action);
        }
    }
    char too_long[400];
    char action[PLAIN_ACTION];
    memset(too_long, 'a', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    CU_ASSERT_FALSE(plain_soap_action(too_long, "text/xml", action));
}

static void an_action_names_an_element(void)
{
    static const struct {
        const char *action, *ns, *local;
        bool names;
    } cases[] = {
        {"GetOrder", "urn:o", "GetOrder", true},
        {"urn:o/GetOrder", "urn:o", "GetOrder", true},
        {"urn:o#GetOrder", "urn:o", "GetOrder", true},
        {"urn:o:GetOrder", "urn:o", "GetOrder", true},
        {"http://o/GetOrder", "http://o/", "GetOrder", true},
        {"http://o/GetOrder", "", "GetOrder", false},
        {"", "urn:o", "GetOrder", false},
        {"urn:x/GetOrder", "urn:o", "GetOrder", false},
        {"urn:o/GetOrders", "urn:o", "GetOrder", false},
        {"urn:o/ForgetOrder", "urn:o", "Order", false},
        {"urn:o/x/GetOrder", "urn:o", "GetOrder", false},
        {"GetOrder", "urn:o", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(plain_action_names(cases[i].action, cases[i].ns, cases[i].local), cases[i].names);
    }
}

static void soap_types(void)
{
    CU_ASSERT_TRUE(plain_type_is_soap("text/xml"));
    CU_ASSERT_TRUE(plain_type_is_soap("Text/XML;charset=utf-8"));
    CU_ASSERT_TRUE(plain_type_is_soap("application/soap+xml; action=\"a\""));
    CU_ASSERT_TRUE(plain_type_is_soap("multipart/related ; type=x"));
    CU_ASSERT_FALSE(plain_type_is_soap("text/html"));
    CU_ASSERT_FALSE(plain_type_is_soap("text/xml-like"));
    CU_ASSERT_FALSE(plain_type_is_soap(""));
    CU_ASSERT_FALSE(plain_type_is_soap(NULL));
    CU_ASSERT_TRUE(plain_type_is_soap12("application/soap+xml"));
    CU_ASSERT_FALSE(plain_type_is_soap12("text/xml"));
}

const struct harness_test harness_tests[] = {
    {"the longest path that fits wins, and its methods decide", longest_path_wins},
    {"a path or listener that no route has is unknown", unknown_path},
    {"the upstream is asked for its own path, else for the path as judged", target_of_upstream},
    {"URLs of upstreams are split, or refused with a sentence", upstream_urls},
    {"addresses of listeners are read, or refused", addresses},
    {"only a GET for a service description passes without a check", service_description_asked},
    {"its reply passes only as WSDL or XML Schema", service_description_given},
    {"the action that HTTP names", soap_action_of_http},
    {"an action names an element", an_action_names_an_element},
    {"content types of SOAP are told from others", soap_types},
    {NULL, NULL},
};
