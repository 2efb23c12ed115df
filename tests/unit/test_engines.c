/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_engines.c: the law of the two engines. What the stream engine passes the tree engine passes, with the same
 * parts, certificate and ranges; what it does not know it leaves to the tree engine, and says why. Where both refuse
 * they give one reason, but for a signature that no key fits: the stream engine stops there and does not look for what
 * else is wrong. ENGINE_MESSAGES and ENGINE_SEED of the environment choose how many random messages, and which.
 */
#include <inttypes.h>

#include "tests/unit/judging.h"
#include "wssec/worker.h"

const char *const harness_suite = "engines";

static struct maker_key rsa, ec;
static uint64_t state;

int harness_setup(void)
{
    return judging_begin_with(&rsa, &ec);
}

int harness_teardown(void)
{
    return judging_end_with(&rsa, &ec);
}

static const struct setting loose[] = {{"canonicalization", {"exclusive", "inclusive", "inclusive-1.1"}},
                                       {"comments", {"allow"}},
                                       {"allow", {"missing-key-info"}},
                                       {"require-signed", {"Timestamp"}}};

/* Judge by one engine. */
static struct wssec_verdict by(enum wssec_engine engine, const char *text, struct wssec_policy *p)
{
    enum wssec_engine before = wssec_forced_engine;
    wssec_forced_engine = engine;
    judge_with(text, p, &live, NULL);
    wssec_forced_engine = before;
    return v;
}

static bool same_parts(const struct wssec_verdict *a, const struct wssec_verdict *b)
{
    bool same = a->n_reference == b->n_reference && a->n_covers == b->n_covers && a->n_signatures == b->n_signatures;
    for (unsigned i = 0; same && i < a->n_reference; i++) {
        same = strcmp(a->reference[i].uri, b->reference[i].uri) == 0 && a->reference[i].ok == b->reference[i].ok &&
               a->reference[i].judged == b->reference[i].judged &&
               strcmp(a->reference[i].digest, b->reference[i].digest) == 0;
    }
    for (unsigned i = 0; same && i < a->n_covers; i++) {
        same = strcmp(a->covers[i], b->covers[i]) == 0;
    }
    return same;
}

static bool same_record(const struct wssec_verdict *a, const struct wssec_verdict *b)
{
    return same_parts(a, b) && a->has_certificate == b->has_certificate &&
           a->certificate.ordinal == b->certificate.ordinal && a->claimed == b->claimed && a->is_fault == b->is_fault &&
           a->soap == b->soap && a->security.from == b->security.from && a->security.to == b->security.to &&
           a->header.from == b->header.from && a->header.to == b->header.to && a->n_notes == b->n_notes &&
           a->has_replay_key == b->has_replay_key && memcmp(a->replay_key, b->replay_key, sizeof a->replay_key) == 0 &&
           strcmp(a->message_id, b->message_id) == 0;
}

/* @return false: the law is broken */
static bool lawful(const struct wssec_verdict *stream, const struct wssec_verdict *dom)
{
    if (stream->verdict == WSSEC_ERROR || dom->verdict == WSSEC_ERROR || dom->engine != WSSEC_ENGINE_DOM) {
        return false;
    }
    if (stream->verdict == WSSEC_PASS || dom->verdict == WSSEC_PASS) {
        return stream->verdict == dom->verdict && same_record(stream, dom);
    }
    return stream->reason == dom->reason || stream->reason == WSSEC_SIGNATURE_MISMATCH ||
           stream->reason == WSSEC_CERTIFICATE_UNKNOWN;
}

/* In pieces it is the same record to the last octet. */
static bool same_in_pieces(const char *text, struct wssec_policy *p, const struct wssec_verdict *stream)
{
    static uint64_t seed;
    static const size_t most[] = {1, 7, 100, 5000, 100000};
    enum wssec_engine before = wssec_forced_engine;
    struct wssec_verdict pieces;
    enum wssec_need need;
    wssec_forced_engine = WSSEC_ENGINE_STREAM;
    seed++;
    int rc = judge_pieces(text, p, most[seed % 5], seed, &pieces, &need);
    wssec_forced_engine = before;
    bool same = rc == WSSEC_RC_OK && memcmp(&pieces, stream, sizeof pieces) == 0;
    if (!same) {
        printf("  # in pieces of up to %zu (%" PRIu64 "): %s %s\n", most[seed % 5], seed,
               wssec_reason_code(pieces.reason), pieces.detail);
    }
    return same;
}

static bool compare(const char *text, struct wssec_policy *p, struct wssec_verdict *stream)
{
    *stream = by(WSSEC_ENGINE_STREAM, text, p);
    struct wssec_verdict dom = by(WSSEC_ENGINE_DOM, text, p);
    bool good = same_in_pieces(text, p, stream) && lawful(stream, &dom);
    if (!good) {
        printf("  # stream (%s %s): %s %s\n  # dom: %s %s\n  # %s\n",
               stream->engine == WSSEC_ENGINE_STREAM ? "own" : "passed on", stream->fallback,
               wssec_reason_code(stream->reason), stream->detail, wssec_reason_code(dom.reason), dom.detail, text);
    }
    return good;
}

/* ---- usual messages ------------------------------------------------------------------------------------------------
 */

static void usual_messages_are_its_own(void)
{
    static const char *const kinds[] = {"direct",   "issuer-serial", "ski", "thumbprint", "x509v3-key-identifier",
                                        "embedded", "x509-data",     "zeep"};
    struct wssec_policy *p = policy_of(NULL, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int soap = 11; soap <= 12; soap++) {
            struct wssec_verdict got;
            char *text = maker_message(&(struct maker){
                .key = i % 2 ? &ec : &rsa,
                .keyref = kinds[i],
                .algorithm = i % 2 ? NS_DSMORE "ecdsa-sha256" : NULL,
                .soap = soap,
                .prefixes = i % 3 ? NULL : "S wsu",
                .refs = strcmp(kinds[i], "zeep") != 0 && i < 4 ? "Body TS *STR" : NULL,
                .body = "<S:Fault><faultcode>a&amp;b &#169; \r\n<![CDATA[<x>]]></faultcode></S:Fault>"});
            CU_ASSERT(compare(text, p, &got));
            CU_ASSERT_EQUAL(got.verdict, WSSEC_PASS);
            CU_ASSERT_EQUAL(got.engine, WSSEC_ENGINE_STREAM);
            CU_ASSERT_STRING_EQUAL(got.fallback, "");
            CU_ASSERT(got.is_fault);
            free(text);
        }
    }
    wssec_policy_unref(p);
}

struct foreign {
    const char *what, *by, *cause, *reason;
    struct maker maker;
};

#define COMMENTED "<!-- <S:Body> -->"

static void an_empty_body_is_its_own(void)
{
    static const char *const bodies[][2] = {
        {">@</S:Body>", " />"}, {">@</S:Body>", "/>\n"}, {">@</S:Body>", "></S:Body>"}};
    struct wssec_policy *p = policy_of(NULL, 0);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct maker m = {.key = &rsa, .body = "@"};
        struct wssec_verdict got;
        char *text = maker_fill(maker_replace(maker_skeleton(&m), bodies[i][0], bodies[i][1]), &m);
        CU_ASSERT(compare(text, p, &got));
        CU_ASSERT_EQUAL(got.verdict, WSSEC_PASS);
        CU_ASSERT_EQUAL(got.engine, WSSEC_ENGINE_STREAM);
        CU_ASSERT_FALSE(got.is_fault);
        free(text);
    }
    wssec_policy_unref(p);
}

static void what_it_does_not_know_it_passes_on(void)
{
    static const struct foreign rows[] = {
        {"<S:Header>", "<S:Header>" COMMENTED, "", "ok", {.body = NULL}},
        {"<S:Header>", "<S:Header><!-- </S:Header><S:Body> -->", "", "ok", {.body = NULL}},
        {"<S:Header>", "<S:Header><x xmlns=\"\"><![CDATA[</S:Header><S:Body>]]></x>", "head", "ok", {.body = NULL}},
        {"<S:Header>",
         "<S:Header><S:Header/><x xmlns=\"\"><S:Envelope><S:Header><y/></S:Header><S:Body/></S:Envelope></x>",
         "",
         "ok",
         {.body = NULL}},
        {"<S:Envelope", "<!-- <S:Envelope> --> <!---->\n<S:Envelope", "", "ok", {.body = NULL}},
        {"</S:Header>", "</S:Header><!-- <S:Body/> -->", "", "ok", {.body = NULL}},
        {NULL, NULL, "reference-in-body", "ok", {.refs = "Part TS", .body = "<x wsu:Id=\"Part\"/>"}},
        {NULL, NULL, "inclusive-body", "ok", {.c14n = INC_C14N}},
        {"</wsse:Security>",
         "<e:EncryptedKey xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/></wsse:Security>",
         "encrypted",
         "ok",
         {.body = NULL}},
        {"<o:item", "<?pi?><o:item", "instruction", "ok", {.body = NULL}},
        {"<o:item", "<o:item wsu:Id=\"TS\"", "duplicate-id", "duplicate-id", {.body = NULL}},
        {"<o:item", "<x wsu:Id=\"a\"/><x xml:id=\"a\"/><o:item", "duplicate-id", "duplicate-id", {.body = NULL}},
        {"bolt", "bolt & nut", "reference", "xml-malformed", {.body = NULL}},
        {"bolt", "bolt]]>", "malformed", "xml-malformed", {.body = NULL}},
        {"</S:Body>", "</S:Body><x/>", "behind-body", "soap-shape", {.body = NULL}},
        {"</S:Body>", "</S:Body>text", "behind-body", "soap-shape", {.body = NULL}},
        {"</S:Envelope>", "</S:Envelope><x/>", "behind-body", "xml-malformed", {.body = NULL}},
        {"</S:Envelope>", "", "unfinished", "xml-malformed", {.body = NULL}},
        {"<o:item", "<o:item xmlns:y=\"relative\"", "namespace", "namespace-uri-unsupported", {.body = NULL}},
        {"bolt", "\x01", "octets", "xml-malformed", {.body = NULL}},
    };
    struct wssec_policy *p = policy_of(loose, sizeof loose / sizeof loose[0]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wssec_verdict got;
        struct maker m = rows[i].maker;
        m.key = &rsa;
        char *text = maker_message(&m);
        if (rows[i].what != NULL) {
            text = maker_replace(text, rows[i].what, rows[i].by);
        }
        CU_ASSERT(compare(text, p, &got));
        const char *reason = wssec_reason_code(got.reason);
        if (strcmp(got.fallback, rows[i].cause) != 0 ||
            (strcmp(reason, rows[i].reason) != 0 && strcmp(reason, "digest-mismatch") != 0)) {
            printf("  # row %zu: \"%s\", %s\n", i, got.fallback, reason);
            CU_FAIL("another cause");
        }
        free(text);
    }
    wssec_policy_unref(p);
}

/* ---- a share by both ------------------------------------------------------------------------------------------------
 */

struct turncoat { /* a resolver that knows the certificates once, and not the second time */
    unsigned asked, claimed;
    bool loyal;
};

static int turncoat_candidates(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at,
                               struct wssec_entry *out, int max)
{
    struct turncoat *t = ctx;
    return t->asked++ == 0 || t->loyal ? maker_candidates(&partner, use, h, at, out, max) : 0;
}

static int count_claims(void *ctx, const uint8_t key[32], int64_t until)
{
    struct turncoat *t = ctx;
    (void)key;
    (void)until;
    t->claimed++;
    return 1;
}

static struct wssec_verdict by_both(const char *text, const char *share, bool loyal, unsigned *claimed)
{
    const struct setting set[] = {{"cross-check", {share}}};
    struct wssec_policy *p = policy_of(set, 1);
    struct turncoat t = {.loyal = loyal};
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_resolver r = {&t, 1, turncoat_candidates, NULL};
    struct wssec_replay replay = {&t, count_claims};
    struct wssec_verdict got;
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &live, &r, &replay, &got, NULL), WSSEC_RC_OK);
    wssec_policy_unref(p);
    *claimed = t.claimed;
    return got;
}

static void a_disagreement_refuses_the_message(void)
{
    enum wssec_engine before = wssec_forced_engine;
    unsigned claimed = 0;
    char *text = maker_message(&(struct maker){.key = &rsa});
    wssec_forced_engine = WSSEC_ENGINE_AUTO;
    struct wssec_verdict got = by_both(text, "100%", true, &claimed);
    CU_ASSERT_EQUAL(got.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(got.engine, WSSEC_ENGINE_STREAM);
    CU_ASSERT_EQUAL(claimed, 1);
    got = by_both(text, "100%", false, &claimed);
    CU_ASSERT_EQUAL(got.verdict, WSSEC_ERROR);
    CU_ASSERT_EQUAL(got.reason, WSSEC_ENGINE_DISAGREEMENT);
    CU_ASSERT_EQUAL(claimed, 0); /* it may come again */
    got = by_both(text, "0%", false, &claimed);
    CU_ASSERT_EQUAL(got.verdict, WSSEC_PASS);
    free(text);
    wssec_forced_engine = before;
}

static void a_share_is_judged_by_both(void)
{
    enum wssec_engine before = wssec_forced_engine;
    unsigned claimed = 0;
    unsigned caught = 0;
    char *text = maker_message(&(struct maker){.key = &rsa});
    wssec_forced_engine = WSSEC_ENGINE_AUTO;
    for (int i = 0; i < 100; i++) {
        caught += by_both(text, "5%", false, &claimed).reason == WSSEC_ENGINE_DISAGREEMENT;
    }
    CU_ASSERT_EQUAL(caught, 5);
    free(text);
    wssec_forced_engine = before;
}

static void the_policy_may_demand_libxmlsec(void)
{
    static const struct setting xmlsec[] = {{"engine", {"xmlsec"}}};
    enum wssec_engine before = wssec_forced_engine;
    struct wssec_policy *p = policy_of(xmlsec, 1);
    char *text = maker_message(&(struct maker){.key = &rsa});
    struct wssec_verdict got = by(WSSEC_ENGINE_AUTO, text, p);
    CU_ASSERT_EQUAL(got.verdict, WSSEC_PASS);
    CU_ASSERT_EQUAL(got.engine, WSSEC_ENGINE_DOM);
    CU_ASSERT_STRING_EQUAL(got.fallback, "");
    free(text);
    wssec_policy_unref(p);
    wssec_forced_engine = before;
}

/* ---- at random ------------------------------------------------------------------------------------------------------
 */

static unsigned chance(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}

static const char *const snippets[] = {"<S:Body>",
                                       "</S:Body>",
                                       "<S:Body wsu:Id=\"Body\">",
                                       "<S:Header>",
                                       "</S:Header>",
                                       "<wsse:Security>",
                                       "</wsse:Security>",
                                       "<w:w xmlns:w=\"urn:w\">",
                                       "</w:w>",
                                       "<!-- -->",
                                       "<?pi?>",
                                       "<![CDATA[x]]>",
                                       "&#60;",
                                       "<ds:Reference URI=\"#TS\"/>",
                                       "<wsse:BinarySecurityToken wsu:Id=\"X509\">AAAA</wsse:BinarySecurityToken>",
                                       "<wsu:Timestamp wsu:Id=\"TS\">",
                                       "</wsu:Timestamp>",
                                       "<x/>",
                                       "<x Id=\"Body\"/>",
                                       "<x wsu:Id=\"q\"/>",
                                       "<x ID=\"TS\"/>",
                                       "\r\n",
                                       "\t",
                                       "&amp;",
                                       "<S:Fault/>",
                                       "<i:Include xmlns:i=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:x\"/>",
                                       "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>",
                                       "<x xmlns=\"urn:x\" a='\"'/>"};

/* t with what put in at place at and cut octets left out there */
static void change(cs_buf *t, size_t at, size_t cut, const char *what, size_t n)
{
    cs_buf out = CS_BUF_INIT;
    at = at < t->len ? at : t->len;
    cut = cut < t->len - at ? cut : t->len - at;
    cs_buf_add(&out, t->data, at);
    cs_buf_add(&out, what, n);
    cs_buf_add(&out, t->data + at + cut, t->len - at - cut);
    cs_buf_free(t);
    *t = out;
}

static void edit(cs_buf *t)
{
    size_t from = maker_tag(t, chance(100));
    size_t to = maker_tag(t, chance(100));
    size_t n = to > from && to - from < 4000 ? to - from : 0;
    char *piece = malloc(n + 1);
    memcpy(piece, t->data + from, n);
    const char *s = snippets[chance(sizeof snippets / sizeof snippets[0])];
    char octet = (char)(32 + chance(95));
    switch (chance(6)) {
    case 0: change(t, from, n, "", 0); break;
    case 1: change(t, maker_tag(t, chance(100)), 0, piece, n); break;
    case 2: /* moved */
        change(t, from, n, "", 0);
        change(t, maker_tag(t, chance(100)), 0, piece, n);
        break;
    case 3: change(t, chance((unsigned)t->len), 1, &octet, 1); break;
    default: change(t, from, 0, s, strlen(s)); break;
    }
    free(piece);
}

static char *base_message(unsigned i)
{
    static const char *const kinds[] = {"direct", "thumbprint", "issuer-serial", "none"};
    return maker_message(
        &(struct maker){.key = &rsa,
                        .keyref = kinds[i % 4],
                        .refs = i % 4 == 0 ? "Body TS *STR"
                                : i == 5   ? "Part TS"
                                           : NULL,
                        .prefixes = i == 2 ? "S #default" : NULL,
                        .c14n = i == 6 ? INC_C14N : NULL,
                        .header = i == 4 ? "<a:To xmlns:a=\"" WSA10 "\" wsu:Id=\"W1\">urn:x</a:To>" : NULL,
                        .body = i == 5 ? "<x><y wsu:Id=\"Part\" Id=\"Other\">z</y>&lt;\n</x>" : NULL});
}

static uint64_t number_of(const char *name, uint64_t deflt)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : deflt;
}

static void both_agree_on_changed_messages(void)
{
    enum { BASES = 8 };
    char *base[BASES];
    struct wssec_policy *p[2] = {policy_of(NULL, 0), policy_of(loose, sizeof loose / sizeof loose[0])};
    uint64_t n = number_of("ENGINE_MESSAGES", 2000);
    uint64_t seed = number_of("ENGINE_SEED", 1);
    unsigned bad = 0;
    unsigned own = 0;
    unsigned passed = 0;
    for (unsigned i = 0; i < BASES; i++) {
        base[i] = base_message(i);
    }
    for (uint64_t i = 0; i < n && bad < 3; i++) {
        state = seed * UINT64_C(0x9E3779B97F4A7C15) + i * UINT64_C(0xBF58476D1CE4E5B9) + 1;
        struct wssec_verdict got;
        cs_buf t = CS_BUF_INIT;
        cs_buf_adds(&t, base[chance(BASES)]);
        for (unsigned k = 1 + chance(3); k > 0; k--) {
            edit(&t);
        }
        if (!compare(t.data, p[chance(2)], &got)) {
            printf("  # message %" PRIu64 " of seed %" PRIu64 "\n", i, seed);
            bad++;
        }
        own += got.engine == WSSEC_ENGINE_STREAM;
        passed += got.verdict == WSSEC_PASS;
        cs_buf_free(&t);
    }
    printf("  # %" PRIu64 " messages, %u judged by the stream engine alone, %u passed\n", n, own, passed);
    CU_ASSERT_EQUAL(bad, 0);
    CU_ASSERT(n < 1000 || (own > n / 20 && passed > 0));
    for (unsigned i = 0; i < BASES; i++) {
        free(base[i]);
    }
    wssec_policy_unref(p[0]);
    wssec_policy_unref(p[1]);
}

const struct harness_test harness_tests[] = {
    {"usual messages are its own", usual_messages_are_its_own},
    {"an empty Body is its own", an_empty_body_is_its_own},
    {"what it does not know it passes on", what_it_does_not_know_it_passes_on},
    {"a disagreement refuses the message", a_disagreement_refuses_the_message},
    {"a share is judged by both", a_share_is_judged_by_both},
    {"the policy may demand libxmlsec", the_policy_may_demand_libxmlsec},
    {"both agree on changed messages", both_agree_on_changed_messages},
    {NULL, NULL},
};
