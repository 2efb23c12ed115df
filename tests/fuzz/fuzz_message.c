/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_message.c: a whole message. First octet even: the rest is the message. Odd: the rest is a list of edits to a
 * message that was signed at start (elements cut, copied, moved, text put in). One key ever signed, and it signed one
 * Body and one Timestamp; so whatever passes must show exactly these two where a receiver reads them.
 */
#include "tests/fuzz/edits.h"
#include "tests/unit/engine.h"
#include "wssec/steps.h"
#include "wssec/worker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIGNED      4 /* messages, one for each kind of key reference below */
#define MESSAGE_MAX ((size_t)65536)

static struct maker_key key;
static struct maker_partner partner;
static struct wssec_worker *worker;
static struct wssec_policy *policies[2];
static char *messages[SIGNED];
static char *body, *stamp;
static int body_len, stamp_len;

static const char *const snippets[] = {"<S:Body>",
                                       "</S:Body>",
                                       "<S:Body wsu:Id=\"Body\">",
                                       "<S:Header>",
                                       "</S:Header>",
                                       "<wsse:Security>",
                                       "</wsse:Security>",
                                       "<w:w xmlns:w=\"urn:w\">",
                                       "</w:w>",
                                       " wsu:Id=\"Body\"",
                                       " Id=\"TS\"",
                                       " xml:id=\"Body\"",
                                       "<!-- -->",
                                       "<?pi?>",
                                       "<![CDATA[x]]>",
                                       "<!DOCTYPE x>",
                                       "&#60;",
                                       " xmlns=\"\"",
                                       " xmlns:S=\"urn:x\"",
                                       "<ds:Reference URI=\"#TS\"/>",
                                       "<ds:Transform Algorithm=\"" NS_DS "enveloped-signature\"/>",
                                       "<wsse:BinarySecurityToken wsu:Id=\"X509\">AAAA</wsse:BinarySecurityToken>",
                                       "<wsu:Timestamp wsu:Id=\"TS\">",
                                       "</wsu:Timestamp>",
                                       "<x/>",
                                       " S:actor=\"urn:x\"",
                                       "<e:EncryptedKey xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>",
                                       "\xff\xfe",
                                       "#default"};

static void must(int condition)
{
    if (!condition) {
        abort();
    }
}

static struct wssec_policy *policy_new(bool loose)
{
    char err[200];
    const char *const all[] = {"exclusive", "inclusive", "inclusive-1.1"};
    const char *const allow[] = {"allow"};
    const char *const missing[] = {"missing-key-info"};
    struct wssec_policy *p = wssec_policy_new("fuzz");
    must(p != NULL);
    if (loose) {
        must(wssec_policy_set(p, "canonicalization", 3, all, err, sizeof err) == 0);
        must(wssec_policy_set(p, "comments", 1, allow, err, sizeof err) == 0);
        must(wssec_policy_set(p, "allow", 1, missing, err, sizeof err) == 0);
    }
    must(wssec_policy_freeze(p, err, sizeof err) >= 0);
    return p;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const kinds[SIGNED] = {"direct", "thumbprint", "issuer-serial", "x509-data"};
    char err[200];
    (void)argc;
    (void)argv;
    must(wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) == 0);
    worker = wssec_worker_new();
    key = maker_key_new("ec:P-256", NULL);
    maker_accept(&partner, &key, WSSEC_ACTIVE);
    for (int i = 0; i < SIGNED; i++) {
        messages[i] = maker_message(&(struct maker){.key = &key,
                                                    .keyref = kinds[i],
                                                    .algorithm = NS_DSMORE "ecdsa-sha256",
                                                    .refs = i == 0 ? "Body TS *STR" : NULL});
    }
    body = maker_canon(messages[0], "/*/*[local-name()='Body']", EXC_C14N, NULL, &body_len);
    stamp = maker_canon(messages[0], "//wsu:Timestamp", EXC_C14N, NULL, &stamp_len);
    policies[0] = policy_new(false);
    policies[1] = policy_new(true);
    xmlSetGenericErrorFunc(NULL, NULL);
    return 0;
}

/* What a receiver reads: Body as child of the root; a Timestamp in our Security header. */
static void must_show(const char *text, size_t n, const char *xpath, const char *expected, int expected_len)
{
    char *copy = edits_copy(text, n);
    int len = 0;
    char *canon = maker_canon(copy, xpath, EXC_C14N, NULL, &len);
    must(len == expected_len && memcmp(canon, expected, (size_t)len) == 0);
    free(canon);
    free(copy);
}

/* In pieces it is the same record, whatever their lengths. */
static void judge_pieces(const struct wssec_input *in, const struct wssec_policy *p, const struct wssec_when *when,
                         const struct wssec_resolver *r, const struct wssec_verdict *v)
{
    static struct wssec_verdict pieces;
    enum wssec_need need = WSSEC_NEED_MORE;
    const uint8_t *text = in->slice[0].p;
    size_t n = wssec_input_octets(in);
    must(wssec_verify_begin(worker, in, p, when, r, &pieces, NULL) == WSSEC_RC_OK);
    for (size_t at = 0, i = 0; at < n && need == WSSEC_NEED_MORE; i++) {
        size_t some = 1 + (n * 31 + i * i * 7) % 97;
        some = some < n - at ? some : n - at;
        must(wssec_verify_feed(worker, text + at, some, &need) == WSSEC_RC_OK);
        at += some;
    }
    must(wssec_verify_finish(worker, in, when, r, NULL) == WSSEC_RC_OK);
    must(memcmp(&pieces, v, sizeof pieces) == 0);
}

static void judge(const char *text, size_t n)
{
    struct wssec_slice slice[2] = {{(const uint8_t *)text, n / 2}, {(const uint8_t *)text + n / 2, n - n / 2}};
    struct wssec_input in = {.slice = slice, .n_slice = 2, .response = true, .http_status = 200};
    struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, true};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    static struct wssec_verdict v;
    static struct wssec_verdict other;
    for (int i = 0; i < 2; i++) {
        struct wssec_explain x = {NULL, 0, 0};
        wssec_forced_engine = WSSEC_ENGINE_DOM;
        must(wssec_verify(worker, &in, policies[i], &when, &r, NULL, &other, NULL) == WSSEC_RC_OK);
        wssec_forced_engine = WSSEC_ENGINE_STREAM;
        must(wssec_verify(worker, &in, policies[i], &when, &r, NULL, &v, i == 0 ? &x : NULL) == WSSEC_RC_OK);
        judge_pieces(&in, policies[i], &when, &r, &v);
        must((v.verdict == WSSEC_PASS) == (other.verdict == WSSEC_PASS));
        must(v.reason == other.reason || v.reason == WSSEC_SIGNATURE_MISMATCH || v.reason == WSSEC_CERTIFICATE_UNKNOWN);
        must(v.verdict != WSSEC_PASS || (v.n_covers == other.n_covers && v.n_reference == other.n_reference));
        must(v.verdict == WSSEC_PASS || v.verdict == WSSEC_FAIL);
        must((v.verdict == WSSEC_PASS) == (v.reason == WSSEC_OK));
        wssec_explain_free(&x);
        if (v.verdict == WSSEC_PASS) {
            must_show(text, n, "/*/*[local-name()='Body']", body, body_len);
            must_show(text, n, "/*/*[local-name()='Header']/wsse:Security[not(@*[local-name()='actor'])]/wsu:Timestamp",
                      stamp, stamp_len);
            must(v.security.from < v.security.to && v.security.to <= n && text[v.security.from] == '<' &&
                 text[v.security.to - 1] == '>');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > MESSAGE_MAX) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        judge((const char *)data + 1, size - 1);
        return 0;
    }
    struct edits in = {data + 1, size - 1};
    cs_buf t = CS_BUF_INIT;
    cs_buf_adds(&t, messages[data[0] / 2 % SIGNED]);
    while (in.n > 0 && t.len < MESSAGE_MAX) {
        edits_apply(&t, &in, snippets, sizeof snippets / sizeof snippets[0]);
    }
    judge(t.data, t.len);
    cs_buf_free(&t);
    return 0;
}
