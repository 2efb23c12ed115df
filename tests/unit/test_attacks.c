/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_attacks.c: what an attacker makes of a validly signed message by moving, doubling and renaming its parts. Each
 * row changes a fresh message and names the reason of the refusal; the same message without the change is its benign
 * twin and must pass under the same policy.
 */
#include "tests/unit/judging.h"

const char *const harness_suite = "attacks";

static struct maker_key rsa, other;

int harness_setup(void)
{
    rsa = maker_key_new("rsa:2048", NULL);
    other = maker_key_new("rsa:2048", &(struct maker_cert){.subject = "mallory", .serial = 666});
    maker_accept(&partner, &rsa, WSSEC_ACTIVE);
    return judging_begin();
}

int harness_teardown(void)
{
    maker_key_free(&rsa);
    maker_key_free(&other);
    judging_end();
    return 0;
}

/* ---- surgery on text -------------------------------------------------------------------------------------------- */

/* Cut [from … behind to) out of *text. @return the piece, to be freed */
static char *cut(char **text, const char *from, const char *to)
{
    char *a = strstr(*text, from);
    char *b = a != NULL ? strstr(a, to) : NULL;
    if (b == NULL) {
        maker_fail(from);
    }
    b += strlen(to);
    char *piece = strndup(a, (size_t)(b - a));
    memmove(a, b, strlen(b) + 1);
    return piece;
}

/* Put what in front of the first before. Takes text. */
static char *put(char *text, const char *before, const char *what)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_adds(&b, what);
    cs_buf_adds(&b, before);
    text = maker_replace(text, before, b.data);
    cs_buf_free(&b);
    return text;
}

static char *wrap(const char *before, const char *piece, const char *behind)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_adds(&b, before);
    cs_buf_adds(&b, piece);
    cs_buf_adds(&b, behind);
    return cs_buf_take(&b, NULL);
}

#define EVIL      "<o:order xmlns:o=\"urn:orders\"><o:item n=\"1000\">gold</o:item></o:order>"
#define BODY_FROM "<S:Body wsu:Id=\"Body\">"
#define TS_FROM   "<wsu:Timestamp wsu:Id=\"TS\">"
#define WRAP      "<w:w xmlns:w=\"urn:w\">"

/* The signed Body goes between two texts in front of a marker, an unsigned one takes its place. */
static char *body_to(char *t, const char *marker, const char *before, const char *behind, const char *new_body)
{
    char *body = cut(&t, BODY_FROM, "</S:Body>");
    char *piece = wrap(before, body, behind);
    t = put(t, "</S:Envelope>", new_body);
    t = put(t, marker, piece);
    free(body);
    free(piece);
    return t;
}

static char *body_in_header(char *t)
{
    return body_to(t, "<wsse:Security", WRAP, "</w:w>", "<S:Body>" EVIL "</S:Body>");
}

static char *body_in_security(char *t)
{
    return body_to(t, "<ds:Signature", WRAP, "</w:w>", "<S:Body>" EVIL "</S:Body>");
}

static char *body_in_other_security(char *t)
{
    return body_to(t, "</S:Header>", "<wsse:Security S:actor=\"urn:other\">", "</wsse:Security>",
                   "<S:Body wsu:Id=\"b2\">" EVIL "</S:Body>");
}

static char *body_in_object(char *t)
{
    return body_to(t, "</ds:Signature>", "<ds:Object>", "</ds:Object>", "<S:Body>" EVIL "</S:Body>");
}

static char *body_in_body(char *t)
{
    char *body = cut(&t, BODY_FROM, "</S:Body>");
    char *piece = wrap("<S:Body>" EVIL, body, "</S:Body>");
    t = put(t, "</S:Envelope>", piece);
    free(body);
    free(piece);
    return t;
}

static char *body_behind_body(char *t)
{
    return put(t, "<S:Body wsu:Id", "<S:Body>" EVIL "</S:Body>");
}

static char *body_before_body(char *t)
{
    return put(t, "</S:Envelope>", "<S:Body>" EVIL "</S:Body>");
}

static char *empty_body_first(char *t)
{
    return put(t, "<S:Body wsu:Id", "<S:Body/>");
}

static char *body_same_id(char *t)
{
    return body_to(t, "<wsse:Security", WRAP, "</w:w>", "<S:Body wsu:Id=\"Body\">" EVIL "</S:Body>");
}

static char *envelope_in_body(char *t)
{
    char *security = cut(&t, "<wsse:Security", "</wsse:Security>");
    cs_buf b = CS_BUF_INIT;
    cs_buf_addf(&b,
                "<S:Envelope xmlns:S=\"%s\" xmlns:wsu=\"" NS_WSU "\" xmlns:wsse=\"" NS_WSSE
                "\"><S:Header>%s</S:Header><S:Body>%s</S:Body></S:Envelope>",
                SOAP11, security, t);
    free(security);
    free(t);
    return cs_buf_take(&b, NULL);
}

static char *envelope_in_body_whole(char *t)
{
    char *whole = wrap("<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Header/><S:Body>", t, "</S:Body></S:Envelope>");
    free(t);
    return whole;
}

static char *timestamp_moved(char *t)
{
    char *ts = cut(&t, TS_FROM, "</wsu:Timestamp>");
    char *piece = wrap(WRAP, ts, "</w:w><wsse:Security");
    t = maker_replace(t, "<wsse:Security", piece);
    free(piece);
    free(ts);
    return t;
}

static char *timestamp_exchanged(char *t)
{
    t = timestamp_moved(t);
    return put(t, "<ds:Signature", "<wsu:Timestamp><wsu:Created>2026-09-21T14:13:21Z</wsu:Created></wsu:Timestamp>");
}

static char *timestamp_in_signature(char *t)
{
    char *ts = cut(&t, TS_FROM, "</wsu:Timestamp>");
    t = put(t, "</ds:KeyInfo>", ts);
    free(ts);
    return t;
}

static char *to_exchanged(char *t)
{
    char *to = cut(&t, "<a:To ", "</a:To>");
    char *piece = wrap("<a:To xmlns:a=\"" WSA10 "\">urn:evil</a:To>" WRAP, to, "</w:w><wsse:Security");
    t = maker_replace(t, "<wsse:Security", piece);
    free(piece);
    free(to);
    return t;
}

static char *to_moved(char *t)
{
    char *to = cut(&t, "<a:To ", "</a:To>");
    char *piece = wrap(WRAP, to, "</w:w></S:Header>");
    t = maker_replace(t, "</S:Header>", piece);
    free(piece);
    free(to);
    return t;
}

static char *second_to(char *t)
{
    return put(t, "<wsse:Security", "<a:To xmlns:a=\"" WSA10 "\">urn:evil</a:To>");
}

static char *security_twice(char *t)
{
    return put(t, "</S:Header>", "<wsse:Security/>");
}

static char *security_nested(char *t)
{
    char *s = cut(&t, "<wsse:Security", "</wsse:Security>");
    char *piece = wrap(WRAP, s, "</w:w></S:Header>");
    t = maker_replace(t, "</S:Header>", piece);
    free(piece);
    free(s);
    return t;
}

static char *signature_outside(char *t)
{
    char *s = cut(&t, "<ds:Signature", "</ds:Signature>");
    t = put(t, "</S:Header>", s);
    free(s);
    return t;
}

static char *no_signature(char *t)
{
    free(cut(&t, "<ds:Signature", "</ds:Signature>"));
    return t;
}

static char *no_security(char *t)
{
    free(cut(&t, "<wsse:Security", "</wsse:Security>"));
    return t;
}

static char *empty_security(char *t)
{
    free(cut(&t, "<wsse:Security", "</wsse:Security>"));
    return put(t, "</S:Header>", "<wsse:Security/>");
}

static char *no_header(char *t)
{
    free(cut(&t, "<S:Header>", "</S:Header>"));
    return t;
}

static char *no_reference(char *t)
{
    free(cut(&t, "<ds:Reference", "</ds:Reference>"));
    free(cut(&t, "<ds:Reference", "</ds:Reference>"));
    return t;
}

static char *second_signer(char *t)
{
    char *mine = maker_message(&(struct maker){.key = &other, .keyref = "x509v3-key-identifier"});
    char *theirs = cut(&mine, "<ds:Signature", "</ds:Signature>");
    theirs = maker_replace(theirs, "Id=\"SIG\"", "Id=\"SIG2\"");
    theirs = maker_replace(theirs, "wsu:Id=\"STR\"", "");
    t = put(t, "</wsse:Security>", theirs);
    free(mine);
    free(theirs);
    return t;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

struct row {
    const char *name;
    struct maker m; /* key filled in */
    char *(*change)(char *);
    const char *what, *by; /* or a replacement */
    const char *expected;
    struct setting set;
    bool no_twin; /* m itself is the attack; another row is the twin */
};

#define TO "<a:To xmlns:a=\"" WSA10 "\" wsu:Id=\"To\">urn:receiver</a:To>"
#define REQUIRE_TO                                                                                                     \
    {                                                                                                                  \
        "require-signed",                                                                                              \
        {                                                                                                              \
            "Body", "Timestamp", "wsa:To?", NULL                                                                       \
        }                                                                                                              \
    }

static const struct row wrapping[] = {
    {"Body in a wrapper in the Header", {0}, body_in_header, NULL, NULL, "wrapped-part", {0}, false},
    {"Body in a wrapper in our Security header", {0}, body_in_security, NULL, NULL, "wrapped-part", {0}, false},
    {"Body in the Security header of another role",
     {0},
     body_in_other_security,
     NULL,
     NULL,
     "wrapped-part",
     {0},
     false},
    {"Body in ds:Object", {0}, body_in_object, NULL, NULL, "signature-malformed", {0}, false},
    {"Body inside the new Body", {0}, body_in_body, NULL, NULL, "wrapped-part", {0}, false},
    {"new Body in front of the signed one", {0}, body_behind_body, NULL, NULL, "soap-shape", {0}, false},
    {"new Body behind the signed one", {0}, body_before_body, NULL, NULL, "soap-shape", {0}, false},
    {"empty Body first", {0}, empty_body_first, NULL, NULL, "soap-shape", {0}, false},
    {"old Envelope inside a new Body, Security moved up",
     {0},
     envelope_in_body,
     NULL,
     NULL,
     "wrapped-part",
     {0},
     false},
    {"old Envelope inside a new Body, whole", {0}, envelope_in_body_whole, NULL, NULL, "no-security", {0}, false},
    {"Timestamp moved away, none in its place", {0}, timestamp_moved, NULL, NULL, "wrapped-part", {0}, false},
    {"Timestamp moved away, a fresh one in its place",
     {0},
     timestamp_exchanged,
     NULL,
     NULL,
     "wrapped-part",
     {0},
     false},
    {"Timestamp inside KeyInfo", {0}, timestamp_in_signature, NULL, NULL, "token-unsupported", {0}, false},
    {"wsa:To moved away, another in its place",
     {.header = TO, .refs = "Body TS To"},
     to_exchanged,
     NULL,
     NULL,
     "wrapped-part",
     REQUIRE_TO,
     false},
    {"wsa:To moved away, none in its place",
     {.header = TO, .refs = "Body TS To"},
     to_moved,
     NULL,
     NULL,
     "wrapped-part",
     REQUIRE_TO,
     false},
    {"two wsa:To", {.header = TO, .refs = "Body TS To"}, second_to, NULL, NULL, "wrapped-part", REQUIRE_TO, false},
    {"a child of Body signed, Body not",
     {.refs = "part TS", .body = "<p xmlns=\"urn:p\" wsu:Id=\"part\"/>"},
     NULL,
     NULL,
     NULL,
     "part-not-signed",
     {0},
     true},
};

static const struct row ids[] = {
    {"Body wrapped, both with one id", {0}, body_same_id, NULL, NULL, "duplicate-id", {0}, false},
    {"wsu:Id of Body again in the Header",
     {0},
     NULL,
     "<S:Header>",
     "<S:Header><x:x xmlns:x=\"urn:x\" wsu:Id=\"Body\"/>",
     "duplicate-id",
     {0},
     false},
    {"plain Id like that of Body",
     {0},
     NULL,
     "<S:Header>",
     "<S:Header><x:x xmlns:x=\"urn:x\" Id=\"Body\"/>",
     "duplicate-id",
     {0},
     false},
    {"xml:id like that of Body",
     {0},
     NULL,
     "<S:Header>",
     "<S:Header><x:x xmlns:x=\"urn:x\" xml:id=\"Body\"/>",
     "duplicate-id",
     {0},
     false},
    {"ID like that of Body",
     {0},
     NULL,
     "<S:Header>",
     "<S:Header><x:x xmlns:x=\"urn:x\" ID=\"Body\"/>",
     "duplicate-id",
     {0},
     false},
    {"payload Id like that of Body", {0}, NULL, "<o:item ", "<o:item Id=\"Body\" ", "duplicate-id", {0}, false},
    {"Signature/@Id like that of Body", {0}, NULL, "Id=\"SIG\"", "Id=\"Body\"", "duplicate-id", {0}, false},
    {"two tokens with one id",
     {0},
     NULL,
     "<wsu:Timestamp",
     "<wsse:BinarySecurityToken wsu:Id=\"X509\"/><wsu:Timestamp",
     "duplicate-id",
     {0},
     false},
    {"two elements with one id that nobody refers to",
     {.header = "<x:x xmlns:x=\"urn:x\" wsu:Id=\"a\"/><x:x xmlns:x=\"urn:x\" wsu:Id=\"a\"/>"},
     NULL,
     NULL,
     NULL,
     "duplicate-id",
     {0},
     true},
    {"payload Ids may repeat when nobody refers to them",
     {.body = "<p Id=\"a\"/><p Id=\"a\" id=\"a\"/>"},
     NULL,
     NULL,
     NULL,
     "ok",
     {0},
     true},
    {"one element may say one id twice",
     {.body_attributes = " xml:id=\"Body\" Id=\"Body\""},
     NULL,
     NULL,
     NULL,
     "ok",
     {0},
     true},
};

static const struct row structure[] = {
    {"two Security headers for us", {0}, security_twice, NULL, NULL, "multiple-security", {0}, false},
    {"Security inside another header block", {0}, security_nested, NULL, NULL, "no-security", {0}, false},
    {"Security for somebody else only",
     {0},
     NULL,
     " S:mustUnderstand=\"1\"",
     " S:actor=\"urn:other\"",
     "no-security",
     {0},
     false},
    {"Security for the next hop is ours",
     {.security_attributes = " S:actor=\"http://schemas.xmlsoap.org/soap/actor/next\""},
     NULL,
     NULL,
     NULL,
     "ok",
     {0},
     true},
    {"role of SOAP 1.2 on a SOAP 1.1 header",
     {0},
     NULL,
     " S:mustUnderstand=\"1\"",
     " xmlns:T=\"" SOAP12 "\" T:role=\"urn:other\"",
     "security-malformed",
     {0},
     false},
    {"mustUnderstand=true in SOAP 1.1",
     {0},
     NULL,
     "mustUnderstand=\"1\"",
     "mustUnderstand=\"true\"",
     "must-understand",
     {0},
     false},
    {"mustUnderstand=true in SOAP 1.2",
     {.soap = 12, .security_attributes = " S:mustUnderstand=\"true\""},
     NULL,
     NULL,
     NULL,
     "ok",
     {0},
     true},
    {"Signature outside Security", {0}, signature_outside, NULL, NULL, "no-signature", {0}, false},
    {"no Signature", {0}, no_signature, NULL, NULL, "no-signature", {0}, false},
    {"no Security", {0}, no_security, NULL, NULL, "no-security", {0}, false},
    {"empty Security", {0}, empty_security, NULL, NULL, "no-signature", {0}, false},
    {"no Header", {0}, no_header, NULL, NULL, "no-security", {0}, false},
    {"no Reference", {0}, no_reference, NULL, NULL, "signature-malformed", {0}, false},
    {"Body not signed", {.refs = "TS"}, NULL, NULL, NULL, "part-not-signed", {0}, true},
    {"Timestamp not signed", {.refs = "Body"}, NULL, NULL, NULL, "part-not-signed", {0}, true},
    {"text in the Envelope", {0}, NULL, "<S:Body", "text<S:Body", "soap-shape", {0}, false},
    {"an element behind Body",
     {0},
     NULL,
     "</S:Envelope>",
     "<x xmlns=\"urn:x\"/></S:Envelope>",
     "soap-shape",
     {0},
     false},
    {"Header behind Body", {0}, NULL, "</S:Envelope>", "<S:Header/></S:Envelope>", "soap-shape", {0}, false},
    {"root is no Envelope", {0}, NULL, "xmlns:S=\"" SOAP11 "\"", "xmlns:S=\"urn:soap\"", "soap-shape", {0}, false},
    {"a UsernameToken that is not signed",
     {.in_security = "<wsse:UsernameToken><wsse:Username>u</wsse:Username></wsse:UsernameToken>"},
     NULL,
     NULL,
     NULL,
     "part-not-signed",
     {0},
     true},
    {"two versions of WS-Addressing",
     {.header = TO, .refs = "Body TS To"},
     NULL,
     "<S:Header>",
     "<S:Header><b:To xmlns:b=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\">x</b:To>",
     "policy-not-evaluable",
     {0},
     false},
    {"a second signature by an unknown signer", {0}, second_signer, NULL, NULL, "certificate-unknown", {0}, false},
};

static void walk(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct maker m = r->m;
        size_t settings = r->set.word != NULL;
        m.key = m.key != NULL ? m.key : &rsa;
        if (!r->no_twin) {
            expect(judge(maker_message(&m), &r->set, settings), "ok", r->name);
        }
        char *text = maker_message(&m);
        text = r->change != NULL                ? r->change(text)
               : r->what != NULL && !r->no_twin ? maker_replace(text, r->what, r->by)
                                                : text;
        expect(judge(text, &r->set, settings), r->expected, r->name);
    }
}

#define WALK(rows) walk(rows, sizeof rows / sizeof rows[0])

static void test_wrapping(void)
{
    WALK(wrapping);
}

static void test_ids(void)
{
    WALK(ids);
}

static void test_structure(void)
{
    WALK(structure);
}

/* The operator must see what was signed and what stood in its place. */
static void explanation_names_both_elements(void)
{
    bool seen = false;
    expect(judge(body_in_header(maker_message(&(struct maker){.key = &rsa})), NULL, 0), "wrapped-part", "wrapped");
    for (size_t i = 0; i < steps.n; i++) {
        seen = seen || (strcmp(steps.step[i].step, "coverage") == 0 &&
                        strstr(steps.step[i].text, "/Envelope/Header/w/Body") != NULL &&
                        strstr(steps.step[i].text, "/Envelope/Body") != NULL);
    }
    CU_ASSERT(seen);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.detail, "/Envelope/Header/w/Body"));
}

/* A reply address is where answers go: on a request it must be signed when it names somebody. */
static void reply_address_must_be_signed_on_requests(void)
{
    static const char *const addresses[] = {"http://evil.example/", WSA10 "/anonymous", WSA10 "/none"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "<a:ReplyTo xmlns:a=\"" WSA10 "\" wsu:Id=\"R\"><a:Address>%s</a:Address></a:ReplyTo>", addresses[i]);
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            struct maker m = {.key = &rsa, .header = header, .refs = is_signed ? "Body TS R" : "Body TS"};
            char *text = maker_message(&m);
            struct wssec_policy *p = policy_of(NULL, 0);
            struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
            struct wssec_input in = {.slice = &slice, .n_slice = 1};
            struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
            CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
            expect(wssec_reason_code(v.reason), i == 0 && !is_signed ? "part-not-signed" : "ok", addresses[i]);
            wssec_policy_unref(p);
            free(text);
        }
    }
}

const struct harness_test harness_tests[] = {
    {"wrapping", test_wrapping},
    {"duplicate and confused ids", test_ids},
    {"doubled, misplaced and missing structure", test_structure},
    {"the explanation names the signed element and the one in its place", explanation_names_both_elements},
    {"a reply address must be signed on requests", reply_address_must_be_signed_on_requests},
    {NULL, NULL}};
