/* SPDX-License-Identifier: Apache-2.0 */
/* test_sign.c: what wssec_sign makes verifies, and differs from its input only by what it inserted. */
#include "tests/unit/engine.h"
#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"
#include "wssec/coding.h"
#include "wssec/worker.h"

const char *const harness_suite = "sign";

static struct wssec_worker *worker, *judge;
static struct maker_key rsa, p256, p384, p521, ed, weak;
static struct wssec_policy *policy;
static struct wssec_verdict v;
static struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};

int harness_setup(void)
{
    char err[256] = "";
    static const char *const algorithms[] = {"rsa-sha256",     "rsa-sha384",     "rsa-sha512",   "rsa-pss-sha256",
                                             "rsa-pss-sha384", "rsa-pss-sha512", "ecdsa-sha256", "ecdsa-sha384",
                                             "ecdsa-sha512",   "ed25519"};
    static const char *const encodings[] = {"utf-8", "utf-16", "iso-8859-1"};
    static const char *const parts[] = {"Body", "Timestamp?"};
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    worker = wssec_worker_new();
    judge = wssec_worker_new();
    policy = wssec_policy_new("test");
    if (worker == NULL || judge == NULL || policy == NULL ||
        wssec_policy_set(policy, "signature-algorithms", 10, algorithms, err, sizeof err) != 0 ||
        wssec_policy_set(policy, "encodings", 3, encodings, err, sizeof err) != 0 ||
        wssec_policy_set(policy, "require-signed", 2, parts, err, sizeof err) != 0 ||
        wssec_policy_freeze(policy, err, sizeof err) < 0) {
        fprintf(stderr, "%s\n", err);
        return -1;
    }
    rsa = maker_key_new("rsa:2048", NULL);
    p256 = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "p256", .serial = 1});
    p384 = maker_key_new("ec:P-384", &(struct maker_cert){.subject = "p384", .serial = 2});
    p521 = maker_key_new("ec:P-521", &(struct maker_cert){.subject = "p521", .serial = 3});
    ed = maker_key_new("ed25519", &(struct maker_cert){.subject = "ed", .serial = 4});
    weak = maker_key_new("rsa:1024", &(struct maker_cert){.subject = "weak", .serial = 5});
    return 0;
}

int harness_teardown(void)
{
    struct maker_key *all[] = {&rsa, &p256, &p384, &p521, &ed, &weak};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        maker_key_free(all[i]);
    }
    wssec_policy_unref(policy);
    wssec_worker_free(worker);
    wssec_worker_free(judge);
    wssec_shutdown();
    return 0;
}

/* ---- one call -----------------------------------------------------------------------------------------------------
 */

static int own_key(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                   int max)
{
    const struct maker_key *k = ctx;
    struct maker_partner p = {.n = 0};
    (void)h;
    (void)at;
    if (k == NULL || max < 1) {
        return 0;
    }
    CU_ASSERT_EQUAL(use, WSSEC_USE_SIGN);
    out[0] = *maker_accept(&p, k, WSSEC_ACTIVE);
    out[0].alias = "own-sign";
    out[0].key = k->pkey;
    return 1;
}

static cs_buf joined(const struct wssec_output *out)
{
    cs_buf b = CS_BUF_INIT;
    for (size_t i = 0; i < out->n_piece; i++) {
        (void)cs_buf_add(&b, out->piece[i].p, out->piece[i].n);
    }
    CU_ASSERT_EQUAL(b.len, out->octets);
    return b;
}

/* Sign octets that lie in n_slice slices of equal size. Empty result: refused, see v. */
static cs_buf sign_octets(const void *p, size_t n, size_t n_slice, const struct maker_key *k,
                          const struct wssec_recipe *recipe)
{
    struct wssec_slice *slice = calloc(n_slice, sizeof *slice);
    size_t step = n / n_slice;
    for (size_t i = 0; i < n_slice; i++) {
        slice[i] = (struct wssec_slice){(const uint8_t *)p + i * step, i + 1 < n_slice ? step : n - i * step};
    }
    struct wssec_input in = {.slice = slice, .n_slice = n_slice};
    struct wssec_resolver r = {(void *)(uintptr_t)k, 3, own_key, NULL};
    struct wssec_output out;
    CU_ASSERT_EQUAL(wssec_sign(worker, &in, recipe, &when, &r, &out, &v), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.verdict == WSSEC_PASS, out.n_piece != 0);
    cs_buf b = joined(&out);
    free(slice);
    return b;
}

static cs_buf sign(const char *text, const struct maker_key *k, const struct wssec_recipe *recipe)
{
    static const struct wssec_recipe usual = {.timestamp = true};
    cs_buf b = sign_octets(text, strlen(text), 1, k, recipe != NULL ? recipe : &usual);
    if (v.reason != WSSEC_OK) {
        CU_ASSERT_EQUAL(b.len, 0);
    }
    return b;
}

/* The reason that a verifier which accepts k gives. */
static const char *verify_into(const void *p, size_t n, const struct maker_key *k, struct wssec_verdict *out)
{
    struct maker_partner partner = {.n = 0};
    (void)maker_accept(&partner, k, WSSEC_ACTIVE);
    struct wssec_slice slice = {p, n};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    CU_ASSERT_EQUAL(wssec_verify(judge, &in, policy, &when, &r, NULL, out, NULL), WSSEC_RC_OK);
    return wssec_reason_code(out->reason);
}

static const char *verify(const cs_buf *b, const struct maker_key *k)
{
    static struct wssec_verdict seen;
    const char *reason = verify_into(b->data, b->len, k, &seen);
    if (strcmp(reason, "ok") != 0) {
        printf("  # %s (%s)\n", reason, seen.detail);
    }
    return reason;
}

static char *envelope(int soap, const char *header, const char *body)
{
    cs_buf b = CS_BUF_INIT;
    (void)cs_buf_addf(&b,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<S:Envelope xmlns:S=\"%s\" xmlns:a=\"" WSA10
                      "\">\n  %s<S:Body  >%s</S:Body>\n</S:Envelope>\n",
                      soap == 12 ? SOAP12 : SOAP11, header, body);
    return cs_buf_take(&b, NULL);
}

#define ORDER "<o:order xmlns:o=\"urn:orders\"><o:item>bolt</o:item></o:order>"

/* ---- tests --------------------------------------------------------------------------------------------------------
 */

static void every_key_reference_verifies_and_its_tampered_twin_does_not(void)
{
    const struct maker_key *keys[] = {&rsa, &p256, &p384, &p521, &ed};
    for (int soap = 11; soap <= 12; soap++) {
        for (int kind = WSSEC_KEYREF_DIRECT; kind <= WSSEC_KEYREF_X509_DATA; kind++) {
            for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
                char *text = envelope(soap, "", ORDER);
                cs_buf b = sign(text, keys[i],
                                &(struct wssec_recipe){.timestamp = true, .key_reference = (enum wssec_keyref)kind});
                CU_ASSERT_EQUAL(v.reason, WSSEC_OK);
                CU_ASSERT_STRING_EQUAL(verify(&b, keys[i]), "ok");
                CU_ASSERT_EQUAL(v.soap, soap);
                CU_ASSERT_STRING_EQUAL(v.certificate.alias, "own-sign");
                CU_ASSERT_EQUAL(v.n_covers, 2);
                struct wssec_verdict seen;
                char *at = b.data != NULL ? strstr(b.data, "bolt") : NULL;
                CU_ASSERT_PTR_NOT_NULL_FATAL(at);
                at[0] = 'c';
                CU_ASSERT_STRING_EQUAL(verify_into(b.data, b.len, keys[i], &seen), "digest-mismatch");
                cs_buf_free(&b);
                free(text);
            }
        }
    }
}

static void every_algorithm_can_be_asked_for(void)
{
    static const struct {
        const char *word;
        const struct maker_key *key;
        const char *reason;
    } row[] = {
        {"rsa-sha256", &rsa, "ok"},
        {"rsa-sha384", &rsa, "ok"},
        {"rsa-sha512", &rsa, "ok"},
        {"rsa-pss-sha256", &rsa, "ok"},
        {"rsa-pss-sha384", &rsa, "ok"},
        {"rsa-pss-sha512", &rsa, "ok"},
        {"ecdsa-sha256", &p521, "ok"},
        {"ecdsa-sha384", &p256, "ok"},
        {"ecdsa-sha512", &p384, "ok"},
        {"ed25519", &ed, "ok"},
        {"ed25519", &rsa, "algorithm-unsupported"},
        {"rsa-sha256", &p256, "algorithm-unsupported"},
        {"rsa-sha1", &rsa, "algorithm-forbidden"},
        {"rsa-md5", &rsa, "algorithm-unsupported"},
        {"rsa-sha256", &weak, "key-too-short"},
        {"rsa-sha256", NULL, "key-unavailable"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *text = envelope(11, "", ORDER);
        cs_buf b = sign(text, row[i].key,
                        &(struct wssec_recipe){.signature_algorithm = row[i].word,
                                               .digest_algorithm = i % 2 != 0 ? "sha512" : NULL});
        CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), row[i].reason);
        if (strcmp(row[i].reason, "ok") == 0) {
            CU_ASSERT_STRING_EQUAL(verify(&b, row[i].key), "ok");
            CU_ASSERT_STRING_EQUAL(v.algorithm, row[i].word);
        }
        cs_buf_free(&b);
        free(text);
    }
}

/* Cut the first occurrence of [from..to) texts out of b. */
static void cut(cs_buf *b, const char *from, const char *to)
{
    char *p = strstr(b->data, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    char *q = strstr(p, to);
    CU_ASSERT_PTR_NOT_NULL_FATAL(q);
    q += strlen(to);
    memmove(p, q, strlen(q) + 1);
    b->len -= (size_t)(q - p);
}

static void nothing_but_the_header_and_an_id_is_inserted(void)
{
    char *text = envelope(11, "<S:Header>\n<a:To><!-- here -->urn:x</a:To></S:Header><!-- & -->\r\n",
                          "<![CDATA[ <x> ]]>&#13;\xC3\xA9");
    cs_buf b = sign(text, &rsa, &(struct wssec_recipe){.timestamp = true});
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    cut(&b, "<wsse:Security", "</wsse:Security>");
    cut(&b, " xmlns:wsu=\"", "\" wsu:Id=\"");
    cut(&b, "_", "\"");
    CU_ASSERT_STRING_EQUAL(b.data, text);
    cs_buf_free(&b);
    free(text);
}

static void every_shape_of_header_takes_the_security_block(void)
{
    static const char *const shapes[] = {
        "",
        "<S:Header/>",
        "<S:Header />",
        "<S:Header></S:Header>",
        "<S:Header a:x=\">\"/>",
        "<S:Header a:x='/>'><a:To>t</a:To></S:Header>",
        "<S:Header xmlns:S=\"" SOAP11 "\"><a:To>t</a:To></S:Header>",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char *text = envelope(11, shapes[i], ORDER);
        cs_buf b = sign(text, &rsa, &(struct wssec_recipe){.timestamp = true, .must_understand = true});
        CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
        CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "S:mustUnderstand=\"1\""));
        cs_buf_free(&b);
        free(text);
    }
    /* the SOAP namespace as default: elements without prefix, attributes with one of their own */
    const char *plain = "<Envelope xmlns=\"" SOAP12 "\"><Body><x xmlns=\"\"/></Body></Envelope>";
    cs_buf b =
        sign(plain, &rsa, &(struct wssec_recipe){.must_understand = true, .role = SOAP12 "/role/ultimateReceiver"});
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "<Header><wsse:Security"));
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "soap:mustUnderstand=\"1\" soap:role=\"" SOAP12 "/role/ultimateReceiver\""));
    cs_buf_free(&b);
}

static void prefixes_bound_to_something_else_are_left_alone(void)
{
    const char *text =
        "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"urn:other\" xmlns:wsse=\"urn:more\" xmlns:ds=\"urn:d\"><S:Body>"
        "<wsu:x ds:y=\"1\"/></S:Body></S:Envelope>";
    cs_buf b = sign(text, &rsa, NULL);
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "<S:Body xmlns:wsu1="));
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "<wsu:x ds:y=\"1\"/>"));
    cs_buf_free(&b);
    text = "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsu=\"" NS_WSU "\"><S:Body/></S:Envelope>";
    b = sign(text, &rsa, NULL);
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "<S:Body wsu:Id="));
    cs_buf_free(&b);
}

static void an_id_that_is_there_is_used(void)
{
    const char *text = "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:u=\"" NS_WSU "\"><S:Body u:Id=\"mine\"/></S:Envelope>";
    cs_buf b = sign(text, &rsa, NULL);
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "URI=\"#mine\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, "<S:Body u:Id=\"mine\"/>"));
    cs_buf_free(&b);
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:u=\"" NS_WSU
         "\"><S:Body u:Id=\"mine\"><x ID=\"mine\"/></S:Body></S:Envelope>",
         "duplicate-id"},
        {"<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:u=\"" NS_WSU
         "\"><S:Body u:Id=\"mine\"><x u:Id=\"mine\"/></S:Body></S:Envelope>",
         "duplicate-id"},
        {"<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:u=\"" NS_WSU "\"><S:Body u:Id=\"a b\"/></S:Envelope>",
         "reference-uri-forbidden"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        b = sign(bad[i].text, &rsa, NULL);
        CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), bad[i].reason);
        cs_buf_free(&b);
    }
}

#define FAR "http://www.example.org/a/namespace/that/is/longer/than/what/names/it/"

/* A record names each part, one of a long namespace without the beginning of that. */
static void parts_are_found_at_their_places(void)
{
    static const struct {
        const char *part[4];
        const char *reason, *covers;
    } row[] = {
        {{"Body", "wsa:To"}, "ok", "Body wsa:To"},
        {{"wsa:To", "{urn:h}block", "Body", "Timestamp"}, "ok", "wsa:To {urn:h}block Body Timestamp"},
        {{"Body", "BinarySecurityToken"}, "ok", "Body BinarySecurityToken"},
        {{"Body", "wsa:ReplyTo?", "{urn:h}none?", "attachments"}, "ok", "Body"},
        {{"Body", "Body"}, "ok", "Body"},
        {{"Body", "wsa:ReplyTo"}, "policy-not-evaluable", ""},
        {{"Body", "UsernameToken"}, "policy-not-evaluable", ""},
        {{"{urn:h}twice"}, "policy-not-evaluable", ""},
        {{"Body", "{urn:h}twice?"}, "policy-not-evaluable", ""},
        {{"attachments"}, "policy-not-evaluable", ""},
        {{"Boddy"}, "policy-not-evaluable", ""},
        {{"Body", "{" FAR "}near"}, "ok", "Body {...ple.org/a/namespace/that/is/longer/than/what/names/it/}near"},
    };
    char *text = envelope(
        11,
        "<S:Header><near xmlns=\"" FAR
        "\"/><a:To>t</a:To><block xmlns=\"urn:h\"><a:ReplyTo/></block><h:twice xmlns:h=\"urn:h\"/><h:twice xmlns:h=\"urn:h\"/></S:Header>",
        ORDER);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        size_t n = 0;
        while (n < 4 && row[i].part[n] != NULL) {
            n++;
        }
        cs_buf b = sign(text, &rsa, &(struct wssec_recipe){.part = row[i].part, .n_part = n});
        CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), row[i].reason);
        if (strcmp(row[i].reason, "ok") == 0) {
            char covers[512] = "";
            for (unsigned k = 0; k < v.n_covers; k++) {
                snprintf(covers + strlen(covers), sizeof covers - strlen(covers), "%s%s", k != 0 ? " " : "",
                         v.covers[k]);
            }
            CU_ASSERT_STRING_EQUAL(covers, row[i].covers);
            CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
        }
        cs_buf_free(&b);
    }
    free(text);
}

static void a_header_of_the_role_that_is_there_already_is_refused(void)
{
    char *text = envelope(11, "", ORDER);
    cs_buf once = sign(text, &rsa, NULL);
    cs_buf b = sign(once.data, &rsa, NULL);
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), "multiple-security");
    cs_buf_free(&b);
    b = sign(once.data, &rsa, &(struct wssec_recipe){.role = "urn:other"});
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), "ok");
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok"); /* the first header still is */
    cs_buf twice = sign(b.data, &rsa, &(struct wssec_recipe){.role = "urn:other"});
    CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), "multiple-security");
    cs_buf_free(&twice);
    cs_buf_free(&b);
    cs_buf_free(&once);
    free(text);
}

static void messages_keep_their_encoding(void)
{
    static const enum wssec_coding codings[] = {WSSEC_CODING_UTF16LE, WSSEC_CODING_UTF16BE, WSSEC_CODING_LATIN1};
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        bool wide = codings[i] != WSSEC_CODING_LATIN1;
        char text[1024];
        cs_buf coded = CS_BUF_INIT;
        snprintf(text, sizeof text,
                 "<?xml version=\"1.0\" encoding=\"%s\"?><S:Envelope xmlns:S=\"" SOAP11
                 "\"><S:Header><!-- \xC3\xA9 --></S:Header><S:Body>\xC3\xA9%s</S:Body></S:Envelope>",
                 wide ? "UTF-16" : "ISO-8859-1", wide ? "\xF0\x9F\x94\x91\xE2\x82\xAC" : "");
        if (wide) {
            (void)cs_buf_add(&coded, codings[i] == WSSEC_CODING_UTF16LE ? "\xFF\xFE" : "\xFE\xFF", 2);
        }
        CU_ASSERT_EQUAL(wssec_encode(codings[i], text, strlen(text), &coded), 0);
        for (size_t n_slice = 1; n_slice <= coded.len;
             n_slice += coded.len - 1) { /* in one piece, and octet by octet */
            cs_buf b = sign_octets(coded.data, coded.len, n_slice, &rsa, &(struct wssec_recipe){.timestamp = true});
            CU_ASSERT_EQUAL(v.reason, WSSEC_OK);
            CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
            cs_buf_free(&b);
        }
        cs_buf_free(&coded);
    }
}

static void slices_of_any_size_give_the_same_message(void)
{
    char *text = envelope(12, "<S:Header/>", ORDER);
    for (size_t n_slice = 1; n_slice <= strlen(text); n_slice = n_slice * 3 / 2 + 1) {
        cs_buf b = sign_octets(text, strlen(text), n_slice, &p256, &(struct wssec_recipe){.timestamp = true});
        CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), "ok");
        CU_ASSERT_STRING_EQUAL(verify(&b, &p256), "ok");
        cs_buf_free(&b);
    }
    free(text);
}

static void the_verified_header_can_be_cut_out(void)
{
    static const struct {
        const char *header, *left;
    } row[] = {
        {"", ""},
        {"<S:Header/>", ""},
        {"<S:Header x='>'>\r\n\t</S:Header>", ""},
        {"<S:Header><a:To>t</a:To></S:Header>", "<S:Header><a:To>t</a:To></S:Header>"},
        {"<S:Header><!-- kept --></S:Header>", "<S:Header><!-- kept --></S:Header>"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        for (int wide = 0; wide < 2; wide++) {
            struct wssec_verdict seen;
            char *text = envelope(11, row[i].header, ORDER);
            char *expected = envelope(11, row[i].left, ORDER);
            if (wide != 0) {
                text = maker_replace(text, "UTF-8", "UTF-16");
                expected = maker_replace(expected, "UTF-8", "UTF-16");
            }
            cs_buf in = CS_BUF_INIT;
            cs_buf out_coded = CS_BUF_INIT;
            if (wide != 0) {
                (void)cs_buf_add(&in, "\xFF\xFE", 2);
                (void)cs_buf_add(&out_coded, "\xFF\xFE", 2);
            }
            enum wssec_coding coding = wide != 0 ? WSSEC_CODING_UTF16LE : WSSEC_CODING_UTF8;
            CU_ASSERT_EQUAL(wssec_encode(coding, text, strlen(text), &in) |
                                wssec_encode(coding, expected, strlen(expected), &out_coded),
                            0);
            cs_buf b = sign_octets(in.data, in.len, 1, &rsa, &(struct wssec_recipe){.timestamp = true});
            CU_ASSERT_STRING_EQUAL(verify_into(b.data, b.len, &rsa, &seen), "ok");
            struct wssec_slice slice = {(const uint8_t *)b.data, b.len};
            struct wssec_input signed_in = {.slice = &slice, .n_slice = 1};
            struct wssec_output out;
            CU_ASSERT_EQUAL(wssec_remove_header(worker, &signed_in, &seen, &out), WSSEC_RC_OK);
            cs_buf bare = joined(&out);
            /* the Id of Body stays: cut it as the test's own business */
            size_t extra = bare.len - out_coded.len;
            CU_ASSERT_EQUAL(extra, (strlen(" xmlns:wsu=\"" NS_WSU "\" wsu:Id=\"\"") + 33) * (wide != 0 ? 2 : 1));
            CU_ASSERT_EQUAL(memcmp(bare.data + bare.len - 40, out_coded.data + out_coded.len - 40, 40), 0);
            size_t same = 0;
            while (same < out_coded.len && bare.data[same] == out_coded.data[same]) {
                same++;
            }
            CU_ASSERT(same + extra <= bare.len &&
                      memcmp(bare.data + same + extra, out_coded.data + same, out_coded.len - same) == 0);
            seen.verdict = WSSEC_FAIL;
            CU_ASSERT_EQUAL(wssec_remove_header(worker, &signed_in, &seen, &out), WSSEC_RC_USAGE);
            CU_ASSERT_EQUAL(out.n_piece, 0);
            cs_buf_free(&bare);
            cs_buf_free(&b);
            cs_buf_free(&in);
            cs_buf_free(&out_coded);
            free(text);
            free(expected);
        }
    }
}

static void what_a_verifier_would_refuse_is_not_signed(void)
{
    static const struct {
        const char *text, *reason;
    } row[] = {
        {"", "xml-malformed"},
        {"<x/>", "soap-shape"},
        {"<!DOCTYPE x><x/>", "dtd-forbidden"},
        {"<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body/><S:Body/></S:Envelope>", "soap-shape"},
        {"<?xml version=\"1.1\"?><S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body/></S:Envelope>", "xml-version"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        cs_buf b = sign(row[i].text, &rsa, NULL);
        CU_ASSERT_STRING_EQUAL(wssec_reason_code(v.reason), row[i].reason);
        CU_ASSERT_EQUAL(wssec_signature_value(worker).n, 0);
        cs_buf_free(&b);
    }
}

static void the_signature_value_is_kept_for_confirmation(void)
{
    char *text = envelope(11, "", ORDER);
    cs_buf b = sign(text, &rsa, NULL);
    struct wssec_slice value = wssec_signature_value(worker);
    char *base64 = maker_base64(value.p, value.n);
    CU_ASSERT_EQUAL(value.n, 256);
    CU_ASSERT_PTR_NOT_NULL(strstr(b.data, base64));
    free(base64);
    cs_buf_free(&b);
    free(text);
}

static void the_timestamp_lives_as_long_as_asked(void)
{
    char *text = envelope(11, "", ORDER);
    static const char *const parts[] = {"Timestamp", "Body"};
    cs_buf b = sign(text, &rsa, &(struct wssec_recipe){.part = parts, .n_part = 2, .ttl = 60});
    CU_ASSERT_PTR_NOT_NULL(strstr(
        b.data, "<wsu:Created>2026-09-21T14:13:20Z</wsu:Created><wsu:Expires>2026-09-21T14:14:20Z</wsu:Expires>"));
    cs_buf_free(&b);
    b = sign(text, &rsa, &(struct wssec_recipe){.n_part = 0});
    CU_ASSERT_PTR_NULL(strstr(b.data, "Timestamp"));
    cs_buf_free(&b);
    free(text);
}

static char *envelope_without_content(char *text)
{
    char *from = strstr(text, "<S:Body  >");
    char *to = strstr(text, "</S:Body>");
    memmove(from + strlen("<S:Body  />"), to + strlen("</S:Body>"), strlen(to + strlen("</S:Body>")) + 1);
    memcpy(from, "<S:Body  />", strlen("<S:Body  />"));
    return text;
}

/* One pass, by the engine that has no limit of a tree; both are tried where a tree is not too large. */
static void both_engines_sign_so_that_both_verify(void)
{
    static const char *const headers[] = {"", "<S:Header/>", "<S:Header><a:To>urn:x</a:To></S:Header>"};
    static const char *const bodies[] = {
        ORDER, "a &gt; b\r\n<![CDATA[<x>]]><!-- c -->&#169;<x xmlns='urn:x' b='&quot;' a=''/>",
        "<x wsu:Id='a' xmlns:wsu='" NS_WSU "'/>"};
    enum wssec_engine before = wssec_forced_engine;
    static const enum wssec_engine engines[] = {WSSEC_ENGINE_STREAM, WSSEC_ENGINE_DOM};
    for (size_t i = 0; i < 12; i++) {
        for (size_t e = 0; e < 2; e++) {
            char *text = envelope(11, headers[i / 3 % 3], bodies[i % 3]);
            if (i >= 9) {
                text = envelope_without_content(text);
            }
            wssec_forced_engine = engines[e];
            cs_buf b = sign(text, &rsa, NULL);
            for (size_t k = 0; k < 2; k++) {
                wssec_forced_engine = engines[k];
                struct wssec_verdict seen;
                const char *reason = verify_into(b.data, b.len, &rsa, &seen);
                CU_ASSERT_STRING_EQUAL(reason, i == 1 || i == 4 || i == 7 ? "comment-in-signed-part" : "ok");
                CU_ASSERT(seen.n_reference == 2 && seen.reference[0].ok && seen.reference[1].ok);
            }
            cs_buf_free(&b);
            free(text);
        }
    }
    wssec_forced_engine = before;
}

static void a_message_larger_than_any_tree_is_signed_and_verified(void)
{
    enum wssec_engine before = wssec_forced_engine;
    cs_buf body = CS_BUF_INIT;
    for (unsigned i = 0; i < 900000; i++) {
        (void)cs_buf_addf(&body, "<o>%u bolts</o>\n", i);
    }
    CU_ASSERT(body.len > (size_t)16 << 20);
    char *text = envelope(12, "", body.data);
    wssec_forced_engine = WSSEC_ENGINE_DOM;
    cs_buf b = sign_octets(text, strlen(text), 1000, &rsa, &(struct wssec_recipe){.timestamp = true});
    CU_ASSERT_EQUAL(v.reason, WSSEC_LIMIT_DOM);
    cs_buf_free(&b);
    wssec_forced_engine = WSSEC_ENGINE_AUTO;
    b = sign_octets(text, strlen(text), 1000, &rsa, &(struct wssec_recipe){.timestamp = true});
    CU_ASSERT_STRING_EQUAL(verify(&b, &rsa), "ok");
    b.data[b.len - 60]++;
    struct wssec_verdict seen;
    CU_ASSERT_STRING_NOT_EQUAL(verify_into(b.data, b.len, &rsa, &seen), "ok");
    cs_buf_free(&b);
    cs_buf_free(&body);
    free(text);
    wssec_forced_engine = before;
}

const struct harness_test harness_tests[] = {
    {"both engines sign so that both verify", both_engines_sign_so_that_both_verify},
    {"a message larger than any tree is signed and verified", a_message_larger_than_any_tree_is_signed_and_verified},
    {"every key reference verifies and its tampered twin does not",
     every_key_reference_verifies_and_its_tampered_twin_does_not},
    {"every algorithm can be asked for", every_algorithm_can_be_asked_for},
    {"nothing but the header and an id is inserted", nothing_but_the_header_and_an_id_is_inserted},
    {"every shape of header takes the security block", every_shape_of_header_takes_the_security_block},
    {"prefixes bound to something else are left alone", prefixes_bound_to_something_else_are_left_alone},
    {"an id that is there is used", an_id_that_is_there_is_used},
    {"parts are found at their places", parts_are_found_at_their_places},
    {"a header of the role that is there already is refused", a_header_of_the_role_that_is_there_already_is_refused},
    {"messages keep their encoding", messages_keep_their_encoding},
    {"slices of any size give the same message", slices_of_any_size_give_the_same_message},
    {"the verified header can be cut out", the_verified_header_can_be_cut_out},
    {"what a verifier would refuse is not signed", what_a_verifier_would_refuse_is_not_signed},
    {"the signature value is kept for confirmation", the_signature_value_is_kept_for_confirmation},
    {"the timestamp lives as long as asked", the_timestamp_lives_as_long_as_asked},
    {NULL, NULL},
};
