/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_octets.c: encodings, DTDs, comments and floods (refused before any key is asked), Timestamps and replay: what is
 * refused around the signature, with the benign twin beside it.
 */
#include <sys/resource.h>

#include "tests/unit/judging.h"

const char *const harness_suite = "octets";

static struct maker_key rsa, ec;

int harness_setup(void)
{
    return judging_begin_with(&rsa, &ec);
}

int harness_teardown(void)
{
    return judging_end_with(&rsa, &ec);
}

struct edit {
    const char *name, *what, *by, *expected;
};

static char *good(void)
{
    return maker_message(&(struct maker){.key = &rsa});
}

static void walk(const struct edit *e, size_t n)
{
    expect(judge(good(), NULL, 0), "ok", "the benign twin");
    for (size_t i = 0; i < n; i++) {
        expect(judge(maker_replace(good(), e[i].what, e[i].by), NULL, 0), e[i].expected, e[i].name);
    }
}

#define ROOT "<S:Envelope "

static void encodings_dtd_and_well_formedness(void)
{
    static const struct edit rows[] = {
        {"DOCTYPE", ROOT, "<!DOCTYPE x>" ROOT, "dtd-forbidden"},
        {"entity bomb", ROOT, "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>" ROOT,
         "dtd-forbidden"},
        {"external entity", ROOT, "<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\">" ROOT, "dtd-forbidden"},
        {"ATTLIST that makes ids", ROOT, "<!DOCTYPE x [<!ATTLIST x id ID #IMPLIED>]>" ROOT, "dtd-forbidden"},
        {"undeclared entity", ">bolt<", ">&bolt;<", "xml-malformed"},
        {"XML 1.1", ROOT, "<?xml version=\"1.1\"?>" ROOT, "xml-version"},
        {"declared Latin-1", ROOT, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" ROOT, "xml-encoding"},
        {"declared UTF-16", ROOT, "<?xml version=\"1.0\" encoding=\"UTF-16\"?>" ROOT, "xml-encoding"},
        {"declared UTF-7", ROOT, "<?xml version=\"1.0\" encoding=\"UTF-7\"?>" ROOT, "xml-encoding"},
        {"broken UTF-8", ">bolt<", ">\xff<", "xml-encoding"},
        {"control octet", ">bolt<", ">\x01<", "xml-malformed"},
        {"text behind the root", "</S:Envelope>", "</S:Envelope>x", "xml-malformed"},
        {"second root", "</S:Envelope>", "</S:Envelope><x/>", "xml-malformed"},
        {"end tag missing", "</S:Envelope>", "", "xml-malformed"},
        {"attribute twice", "n=\"1\"", "n=\"1\" n=\"2\"", "xml-malformed"},
        {"attribute twice by two prefixes", "<o:item n=\"1\"", "<o:item xmlns:p=\"urn:orders\" o:n=\"1\" p:n=\"2\"",
         "xml-malformed"},
        {"prefix not declared", "<o:item n=\"1\"", "<o:item q:n=\"1\"", "xml-malformed"},
        {"relative namespace", "<o:item n=\"1\"", "<o:item xmlns:p=\"relative\" n=\"1\"", "namespace-uri-unsupported"},
        {"ampersand in a namespace", "<o:item n=\"1\"", "<o:item xmlns:p=\"urn:a&amp;b\" n=\"1\"",
         "namespace-uri-unsupported"},
        {"quote in a namespace", "<o:item n=\"1\"", "<o:item xmlns:p='urn:a\"b' n=\"1\"", "namespace-uri-unsupported"},
        {"blank in a namespace", "<o:item n=\"1\"", "<o:item xmlns:p='urn:a b' n=\"1\"", "namespace-uri-unsupported"},
        {"instruction in the prolog", ROOT, "<?go away?>" ROOT, "processing-instruction"},
        {"instruction behind the root", "</S:Envelope>", "</S:Envelope><?go away?>", "processing-instruction"},
        {"instruction in the Envelope", "<S:Body ", "<?go away?><S:Body ", "processing-instruction"},
        {"instruction in the Body", ">bolt<", "><?go away?>bolt<", "digest-mismatch"},
        {"comment in the Body", ">bolt<", ">bo<!-- -->lt<", "comment-in-signed-part"},
        {"comment in the Timestamp", "<wsu:Created>", "<!-- --><wsu:Created>", "comment-in-signed-part"},
        {"comment beside the parts", "<S:Body ", "<!-- --><S:Body ", "ok"},
        {"declared UTF-8", ROOT, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" ROOT, "ok"},
        {"white space around", "</S:Envelope>", "</S:Envelope>\n\n", "ok"},
        {"character reference for the same text", ">bolt<", ">&#98;olt<", "ok"},
        {"CDATA for the same text", ">bolt<", "><![CDATA[bolt]]><", "ok"},
    };
    walk(rows, sizeof rows / sizeof rows[0]);
    expect(judge(strdup("GET / HTTP/1.1\r\n\r\n"), NULL, 0), "xml-malformed", "not XML");
    expect(judge(strdup(""), NULL, 0), "xml-malformed", "nothing");
    const struct setting allow = {"comments", {"allow", NULL}};
    expect(judge(maker_replace(good(), ">bolt<", ">bo<!-- -->lt<"), &allow, 1), "ok", "comment, allowed");
}

static void utf16_reads_as_the_same_message(void)
{
    char *text = good();
    size_t n = strlen(text);
    uint8_t *wide = malloc(2 * n + 2);
    wide[0] = 0xff;
    wide[1] = 0xfe;
    for (size_t i = 0; i < n; i++) {
        wide[2 + 2 * i] = (uint8_t)text[i];
        wide[3 + 2 * i] = 0;
    }
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_slice slice[3] = {{wide, 5}, {wide + 5, 1000}, {wide + 1005, 2 * n + 2 - 1005}};
    struct wssec_input in = {.slice = slice, .n_slice = 3, .response = true};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
    expect(wssec_reason_code(v.reason), "ok", "UTF-16 in three slices");
    CU_ASSERT_EQUAL(v.security.from % 2, 0);
    CU_ASSERT(memcmp(wide + v.security.from, "<\0w\0s\0s\0e\0:\0S\0", 14) == 0);
    in.n_slice = 2;
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.verdict, WSSEC_FAIL);
    wssec_policy_unref(p);
    free(wide);
    free(text);
}

static void slices_are_one_message(void)
{
    char *text = good();
    size_t n = strlen(text);
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    struct wssec_slice *slice = calloc(n, sizeof *slice);
    for (size_t i = 0; i < n; i++) {
        slice[i] = (struct wssec_slice){(const uint8_t *)text + i, 1};
    }
    struct wssec_input in = {.slice = slice, .n_slice = n, .response = true};
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
    expect(wssec_reason_code(v.reason), "ok", "one octet a slice");
    CU_ASSERT(memcmp(text + v.security.from, "<wsse:Security ", 15) == 0);
    CU_ASSERT(memcmp(text + v.security.to - 16, "</wsse:Security>", 16) == 0);
    CU_ASSERT(memcmp(text + v.header.from, "<S:Header>", 10) == 0);
    wssec_policy_unref(p);
    free(slice);
    free(text);
}

static void multipart_is_not_read_as_xml(void)
{
    char *text = good();
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {
        .slice = &slice, .n_slice = 1, .content_type = " Multipart/Related; boundary=x", .response = true};
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
    expect(wssec_reason_code(v.reason), "mime-malformed", "multipart");
    wssec_policy_unref(p);
    free(text);
}

/* ---- floods ----------------------------------------------------------------------------------------------------- */

/* n times each, with its number for every '@'. */
static char *many(const char *before, const char *each, size_t n, const char *behind)
{
    cs_buf b = CS_BUF_INIT;
    cs_buf_adds(&b, before);
    for (size_t i = 0; i < n; i++) {
        for (const char *p = each; *p != '\0'; p++) {
            (void)(*p == '@' ? cs_buf_addf(&b, "%zu", i) : cs_buf_addc(&b, *p));
        }
    }
    cs_buf_adds(&b, behind);
    return cs_buf_take(&b, NULL);
}

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec;
}

/* What a refusal of text costs beyond what reading a good message of a few kilobytes costs is bounded. */
static void flood(const char *name, const char *what, char *by, const char *expected)
{
    char *text = maker_replace(good(), what, by);
    int64_t from = cpu_us();
    const char *got = judge(text, NULL, 0);
    int64_t took = cpu_us() - from;
#if defined(__SANITIZE_ADDRESS__)
    took /= 10;
#endif
    expect(got, expected, name);
    if (took > 50000) {
        printf("  # %s: %lld us\n", name, (long long)took);
    }
    CU_ASSERT(took <= 50000);
    free(by);
}

static void floods_are_refused_cheaply(void)
{
    static char each[2100];
    flood("depth", ">bolt<", many(">", "<x>", 10000, "<"), "limit-depth");
    flood("attributes", "<o:item ", many("<o:item ", "a@=\"\" ", 300, ""), "limit-attributes");
    flood("more attributes", "<o:item ", many("<o:item ", "a@=\"\" ", 40000, ""), "limit-start-tag");
    flood("namespaces", "<o:item ", many("<o:item ", "xmlns:a@=\"urn:a@\" ", 70, ""), "limit-namespaces");
    memset(each, 'n', 2000);
    flood("name", ">bolt<", many("><", each, 1, "/><"), "limit-name");
    flood("header elements", "<S:Header>", many("<S:Header>", "<x xmlns=\"urn:x\"/>", 2100, ""), "limit-header");
    flood("header octets", "<S:Header>",
          many("<S:Header><x xmlns=\"urn:x\">", "0123456789012345678901234567890123456789", 8000, "</x>"),
          "limit-header");
    flood("ids", ">bolt<", many(">", "<x wsu:Id=\"i@\"/>", 10001, "<"), "limit-ids");
    flood("references", "</ds:SignedInfo>",
          many("",
               "<ds:Reference URI=\"#i@\"><ds:DigestMethod "
               "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>AA==</ds:DigestValue></"
               "ds:Reference>",
               100, "</ds:SignedInfo>"),
          "limit-references");
    flood("transforms", "<ds:Transforms>",
          many("<ds:Transforms>", "<ds:Transform Algorithm=\"" NS_DS "enveloped-signature\"/>", 200, ""),
          "limit-transforms");
    flood("signatures", "</wsse:Security>", many("", "<ds:Signature xmlns:ds=\"" NS_DS "\"/>", 10, "</wsse:Security>"),
          "limit-signatures");
}

static void limits_one_at_and_one_above(void)
{
    const struct setting depth_at = {"limits.depth", {"8", NULL}};
    const struct setting depth_above = {"limits.depth", {"7", NULL}};
    expect(judge(good(), &depth_at, 1), "ok", "depth at the limit");
    expect(judge(good(), &depth_above, 1), "limit-depth", "depth above the limit");
    const struct setting refs_at = {"limits.references", {"2", NULL}};
    const struct setting refs_above = {"limits.references", {"1", NULL}};
    expect(judge(good(), &refs_at, 1), "ok", "references at the limit");
    expect(judge(good(), &refs_above, 1), "limit-references", "references above the limit");
    const struct setting small = {"limits.body", {"1k", NULL}};
    expect(judge(good(), &small, 1), "limit-body", "body above the limit");
    const struct setting dom = {"limits.dom", {"1k", NULL}};
    expect(judge(good(), &dom, 1), "limit-dom", "tree above the limit");
    const struct setting text = {"limits.text", {"100", NULL}};
    expect(judge(good(), &text, 1), "limit-text", "text above the limit");
}

/* ---- times ------------------------------------------------------------------------------------------------------ */

#define CREATED(t)   "<wsu:Created>" t "</wsu:Created>"
#define EXPIRES(t)   "<wsu:Expires>" t "</wsu:Expires>"
#define STAMP(inner) "<wsu:Timestamp wsu:Id=\"TS\">" inner "</wsu:Timestamp>"
#define GOOD_C       CREATED("2026-09-21T14:13:20Z")
#define GOOD_E       EXPIRES("2026-09-21T14:18:20Z")

static void timestamps(void)
{
    static const struct {
        const char *name, *stamp, *expected;
    } rows[] = {
        {"usual", STAMP(GOOD_C GOOD_E), "ok"},
        {"Created alone", STAMP(GOOD_C), "ok"},
        {"fraction", STAMP(CREATED("2026-09-21T14:13:20.123456789Z") GOOD_E), "ok"},
        {"white space", STAMP(CREATED("\n 2026-09-21T14:13:20Z ") " " GOOD_E), "ok"},
        {"empty", STAMP(""), "timestamp-malformed"},
        {"no Created", STAMP(GOOD_E), "timestamp-malformed"},
        {"two Created", STAMP(GOOD_C GOOD_C), "timestamp-malformed"},
        {"two Expires", STAMP(GOOD_C GOOD_E GOOD_E), "timestamp-malformed"},
        {"reversed order", STAMP(GOOD_E GOOD_C), "timestamp-malformed"},
        {"something else", STAMP(GOOD_C GOOD_E "<x xmlns=\"urn:x\"/>"), "timestamp-malformed"},
        {"text", STAMP("now" GOOD_C), "timestamp-malformed"},
        {"no zone", STAMP(CREATED("2026-09-21T14:13:20")), "timestamp-malformed"},
        {"offset", STAMP(CREATED("2026-09-21T16:13:20+02:00")), "timestamp-malformed"},
        {"leap second", STAMP(CREATED("2026-09-21T14:13:60Z")), "timestamp-malformed"},
        {"30 February", STAMP(CREATED("2026-02-30T14:13:20Z")), "timestamp-malformed"},
        {"nonsense", STAMP(CREATED("soon")), "timestamp-malformed"},
        {"empty fraction", STAMP(CREATED("2026-09-21T14:13:20.Z")), "timestamp-malformed"},
        {"ValueType", STAMP("<wsu:Created ValueType=\"x\">2026-09-21T14:13:20Z</wsu:Created>"), "timestamp-malformed"},
        {"reversed", STAMP(CREATED("2026-09-21T14:13:20Z") EXPIRES("2026-09-21T14:13:19Z")), "timestamp-malformed"},
        {"ten years", STAMP(GOOD_C EXPIRES("2036-09-21T14:18:20Z")), "timestamp-lifetime"},
        {"a second too long", STAMP(GOOD_C EXPIRES("2026-09-21T14:18:21Z")), "timestamp-lifetime"},
        {"at the skew ahead", STAMP(CREATED("2026-09-21T14:18:20Z")), "ok"},
        {"a second beyond the skew ahead", STAMP(CREATED("2026-09-21T14:18:21Z")), "timestamp-future"},
        {"at ttl and skew behind", STAMP(CREATED("2026-09-21T14:03:20Z")), "ok"},
        {"a second beyond ttl and skew", STAMP(CREATED("2026-09-21T14:03:19Z")), "timestamp-expired"},
        {"Expires within the skew", STAMP(CREATED("2026-09-21T14:08:00Z") EXPIRES("2026-09-21T14:08:20Z")), "ok"},
        {"Expires beyond the skew", STAMP(CREATED("2026-09-21T14:08:00Z") EXPIRES("2026-09-21T14:08:19Z")),
         "timestamp-expired"},
        {"two Timestamps", STAMP(GOOD_C GOOD_E) "<wsu:Timestamp>" GOOD_C "</wsu:Timestamp>", "timestamp-malformed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(judge(maker_message(&(struct maker){.key = &rsa, .timestamp = rows[i].stamp}), NULL, 0),
               rows[i].expected, rows[i].name);
    }
    const struct setting required = {"timestamp.required", {"yes", NULL}};
    expect(judge(maker_message(&(struct maker){.key = &rsa, .created = -1, .refs = "Body"}), NULL, 0), "ok", "none");
    expect(judge(maker_message(&(struct maker){.key = &rsa, .created = -1, .refs = "Body"}), &required, 1),
           "timestamp-missing", "none, required");
}

static void archives_only_note_lateness(void)
{
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_when archive = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_RECEIVED, false, false};
    char *text = maker_message(&(struct maker){.key = &rsa, .created = MAKER_NOW - 86000});
    judge_with(text, p, &archive, NULL);
    expect(wssec_reason_code(v.reason), "ok", "late");
    CU_ASSERT_EQUAL(v.n_notes, 1);
    CU_ASSERT_STRING_EQUAL(v.notes[0], "late 85700s");
    judge_with(text, p, &live, NULL);
    expect(wssec_reason_code(v.reason), "timestamp-expired", "late on live traffic");
    wssec_policy_unref(p);
    free(text);
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

struct seen {
    uint8_t key[16][32];
    int64_t until;
    int n;
    int answer;
};

static int claim(void *ctx, const uint8_t key[32], int64_t until)
{
    struct seen *s = ctx;
    if (s->answer != 1) {
        return s->answer;
    }
    for (int i = 0; i < s->n; i++) {
        if (memcmp(s->key[i], key, 32) == 0) {
            return 0;
        }
    }
    memcpy(s->key[s->n++ % 16], key, 32);
    s->until = until;
    return 1;
}

static void replay_with(struct seen *s, char *text, const char *expected, const char *name)
{
    struct wssec_policy *p = policy_of(NULL, 0);
    struct wssec_replay c = {s, claim};
    judge_with(text, p, &live, &c);
    expect(wssec_reason_code(v.reason), expected, name);
    wssec_policy_unref(p);
    free(text);
}

/* n - s is as good as s for the mathematics; it must not be as good for the replay cache. */
static char *high_s(const char *text)
{
    const char *from = strstr(text, "<ds:SignatureValue>") + strlen("<ds:SignatureValue>");
    const char *to = strstr(from, "<");
    uint8_t raw[66];
    size_t n = 0;
    CU_ASSERT_EQUAL(cs_base64_decode(from, (size_t)(to - from), raw, sizeof raw, &n), 0);
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *s = BN_bin2bn(raw + 32, 32, NULL);
    BN_sub(s, EC_GROUP_get0_order(g), s);
    BN_bn2binpad(s, raw + 32, 32);
    BN_free(s);
    EC_GROUP_free(g);
    char *b64 = maker_base64(raw, 64);
    cs_buf b = CS_BUF_INIT;
    cs_buf_add(&b, text, (size_t)(from - text));
    cs_buf_adds(&b, b64);
    cs_buf_adds(&b, to);
    free(b64);
    return cs_buf_take(&b, NULL);
}

static void replays_are_refused(void)
{
    struct seen s = {.answer = 1};
    char *text =
        maker_message(&(struct maker){.key = &ec, .algorithm = NS_DSMORE "ecdsa-sha256", .keyref = "thumbprint"});
    replay_with(&s, maker_replace(strdup(text), ">bolt<", ">bomb<"), "digest-mismatch", "a broken copy first");
    CU_ASSERT_EQUAL(s.n, 0);
    replay_with(&s, high_s(text), "ok", "high s is a good signature");
    CU_ASSERT_EQUAL(s.n, 1);
    CU_ASSERT_EQUAL(s.until, MAKER_NOW + 300 + 300 + 300);
    replay_with(&s, strdup(text), "replay", "the same with low s");
    replay_with(&s, maker_replace(strdup(text), "<S:Header>", "<S:Header >"), "replay", "other white space in markup");
    replay_with(&s, maker_replace(strdup(text), "</ds:KeyInfo>", "<ds:KeyName>x</ds:KeyName></ds:KeyInfo>"), "replay",
                "KeyInfo changed");
    s.answer = -1;
    replay_with(&s, strdup(text), "replay-store-unavailable", "the store is away");
    free(text);
    s = (struct seen){.answer = 1};
    replay_with(&s, maker_message(&(struct maker){.key = &rsa, .created = -1, .refs = "Body"}), "ok", "no Timestamp");
    CU_ASSERT_EQUAL(s.until, MAKER_NOW + 86400 + 300);
    CU_ASSERT_STRING_EQUAL(v.notes[0], "no-freshness");
}

static void one_of_two_signatures_removed_is_a_replay(void)
{
    struct seen s = {.answer = 1};
    char *mine = maker_message(&(struct maker){.key = &rsa, .keyref = "thumbprint"});
    char *other =
        maker_message(&(struct maker){.key = &ec, .algorithm = NS_DSMORE "ecdsa-sha256", .keyref = "thumbprint"});
    char *from = strstr(other, "<ds:Signature ");
    cs_buf b = CS_BUF_INIT;
    cs_buf_add(&b, from, (size_t)(strstr(from, "</wsse:Security>") - from));
    cs_buf_adds(&b, "</wsse:Security>");
    char *second =
        maker_replace(maker_replace(cs_buf_take(&b, NULL), "Id=\"SIG\"", "Id=\"SIG2\""), " wsu:Id=\"STR\"", "");
    replay_with(&s, maker_replace(strdup(mine), "</wsse:Security>", second), "ok", "both signatures");
    CU_ASSERT_EQUAL(v.n_signatures, 2);
    CU_ASSERT_EQUAL(s.n, 2);
    replay_with(&s, strdup(mine), "replay", "only the first");
    replay_with(&s, strdup(other), "replay", "only the second");
    free(mine);
    free(other);
    free(second);
}

/* ---- a fault without signature ---------------------------------------------------------------------------------- */

static void unsigned_faults_only_by_directive(void)
{
    static const char fault[] =
        "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body><S:Fault><faultcode>S:Server</faultcode><faultstring>no</"
        "faultstring></S:Fault></S:Body></S:Envelope>";
    const struct setting allow = {"allow", {"unsigned-faults", NULL}};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    struct wssec_slice slice = {(const uint8_t *)fault, strlen(fault)};
    static const struct {
        bool allowed, response;
        int status;
        const char *expected;
    } rows[] = {{true, true, 500, "ok"},
                {false, true, 500, "no-security"},
                {true, true, 200, "no-security"},
                {true, false, 500, "no-security"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wssec_policy *p = policy_of(&allow, rows[i].allowed);
        struct wssec_input in = {
            .slice = &slice, .n_slice = 1, .response = rows[i].response, .http_status = rows[i].status};
        CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, NULL, &v, NULL), WSSEC_RC_OK);
        expect(wssec_reason_code(v.reason), rows[i].expected, "unsigned fault");
        CU_ASSERT(!v.has_certificate);
        wssec_policy_unref(p);
    }
}

const struct harness_test harness_tests[] = {
    {"encodings, DTDs, comments, well-formedness", encodings_dtd_and_well_formedness},
    {"UTF-16 reads as the same message", utf16_reads_as_the_same_message},
    {"slices are one message", slices_are_one_message},
    {"a multipart is not read as XML", multipart_is_not_read_as_xml},
    {"floods are refused cheaply", floods_are_refused_cheaply},
    {"limits: one at, one above", limits_one_at_and_one_above},
    {"Timestamps", timestamps},
    {"archives only note lateness", archives_only_note_lateness},
    {"replays are refused", replays_are_refused},
    {"one of two signatures removed is a replay", one_of_two_signatures_removed_is_a_replay},
    {"unsigned faults only by directive", unsigned_faults_only_by_directive},
    {NULL, NULL}};
