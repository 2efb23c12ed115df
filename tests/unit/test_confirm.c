/* SPDX-License-Identifier: Apache-2.0 */
/* test_confirm.c: a reply confirms the signatures of its request: made, judged, and every way to get it wrong. */
#include "tests/unit/engine.h"
#include "tests/unit/harness.h"
#include "tests/unit/soapmaker.h"

const char *const harness_suite = "confirm";

#define REQUEST                                                                                                        \
    "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body><o:order xmlns:o=\"urn:orders\">bolt</o:order></S:Body></S:Envelope>"
#define REPLY                                                                                                          \
    "<S:Envelope xmlns:S=\"" SOAP11 "\"><S:Body><o:done xmlns:o=\"urn:orders\">bolt</o:done></S:Body></S:Envelope>"
#define CONFIRMATION                                                                                                   \
    "<c:SignatureConfirmation xmlns:c=\"http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd\""

static struct wssec_worker *worker;
static struct maker_key own, acme;
static struct wssec_policy *accepting, *demanding;
static struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, true, false};

static struct wssec_policy *new_policy(const char *word)
{
    char err[256];
    struct wssec_policy *p = wssec_policy_new("test");
    if (p == NULL || wssec_policy_set(p, "signature-confirmation", 1, &word, err, sizeof err) != 0 ||
        wssec_policy_freeze(p, err, sizeof err) < 0) {
        return NULL;
    }
    return p;
}

int harness_setup(void)
{
    char err[256];
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        return -1;
    }
    worker = wssec_worker_new();
    accepting = new_policy("accept");
    demanding = new_policy("require");
    own = maker_key_new("rsa:2048", NULL);
    acme = maker_key_new("ec:P-256", &(struct maker_cert){.subject = "acme", .serial = 7});
    return worker != NULL && accepting != NULL && demanding != NULL ? 0 : -1;
}

int harness_teardown(void)
{
    maker_key_free(&own);
    maker_key_free(&acme);
    wssec_policy_unref(accepting);
    wssec_policy_unref(demanding);
    wssec_worker_free(worker);
    wssec_shutdown();
    return 0;
}

static int the_key(void *ctx, enum wssec_use use, const struct wssec_hint *h, int64_t at, struct wssec_entry *out,
                   int max)
{
    const struct maker_key *k = ctx;
    struct maker_partner p = {.n = 0};
    (void)use;
    (void)h;
    (void)at;
    (void)max;
    out[0] = *maker_accept(&p, k, WSSEC_ACTIVE);
    out[0].key = k->pkey;
    return 1;
}

/* text signed by k, confirming n values. */
static cs_buf signed_by(const struct maker_key *k, const char *text, const struct wssec_slice *confirm, size_t n)
{
    struct wssec_slice slice = {(const uint8_t *)text, strlen(text)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_recipe recipe = {.timestamp = true, .confirm = confirm, .n_confirm = n};
    struct wssec_resolver r = {(void *)(uintptr_t)k, 1, the_key, NULL};
    struct wssec_output out;
    struct wssec_verdict v;
    cs_buf b = CS_BUF_INIT;
    CU_ASSERT_EQUAL(wssec_sign(worker, &in, &recipe, &when, &r, &out, &v), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.reason, WSSEC_OK);
    for (size_t i = 0; i < out.n_piece; i++) {
        (void)cs_buf_add(&b, out.piece[i].p, out.piece[i].n);
    }
    return b;
}

/* The request's SignatureValue, as it is kept until its reply comes. */
static size_t request_value(uint8_t out[512])
{
    cs_buf request = signed_by(&own, REQUEST, NULL, 0);
    struct wssec_slice value = wssec_signature_value(worker);
    CU_ASSERT_FATAL(value.n > 0 && value.n <= 512);
    memcpy(out, value.p, value.n);
    cs_buf_free(&request);
    return value.n;
}

static enum wssec_reason judge_as(const cs_buf *b, const struct wssec_policy *p, const struct wssec_slice *confirm,
                                  size_t n, bool response)
{
    struct maker_partner partner = {.n = 0};
    struct wssec_verdict v;
    struct wssec_slice slice = {(const uint8_t *)b->data, b->len};
    struct wssec_input in = {.slice = &slice, .n_slice = 1, .response = response, .confirm = confirm, .n_confirm = n};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    (void)maker_accept(&partner, &acme, WSSEC_ACTIVE);
    CU_ASSERT_EQUAL(wssec_verify(worker, &in, p, &when, &r, NULL, &v, NULL), WSSEC_RC_OK);
    return v.reason;
}

static void a_reply_that_confirms_its_request_passes(void)
{
    uint8_t value[512];
    struct wssec_slice confirm = {value, request_value(value)};
    cs_buf reply = signed_by(&acme, REPLY, &confirm, 1);
    CU_ASSERT_EQUAL(judge_as(&reply, accepting, &confirm, 1, true), WSSEC_OK);
    CU_ASSERT_EQUAL(judge_as(&reply, demanding, &confirm, 1, true), WSSEC_OK);
    cs_buf_free(&reply);
}

static void a_reply_to_another_request_is_refused(void)
{
    uint8_t value[512];
    uint8_t other[512];
    struct wssec_slice confirm = {value, request_value(value)};
    struct wssec_slice another = {other, confirm.n};
    memcpy(other, value, confirm.n);
    other[confirm.n - 1] ^= 1;
    cs_buf reply = signed_by(&acme, REPLY, &another, 1);
    CU_ASSERT_EQUAL(judge_as(&reply, accepting, &confirm, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    cs_buf_free(&reply);
}

static void silence_is_refused_only_where_confirmation_is_demanded(void)
{
    uint8_t value[512];
    struct wssec_slice confirm = {value, request_value(value)};
    cs_buf reply = signed_by(&acme, REPLY, NULL, 0);
    CU_ASSERT_EQUAL(judge_as(&reply, accepting, &confirm, 1, true), WSSEC_OK);
    CU_ASSERT_EQUAL(judge_as(&reply, demanding, &confirm, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    CU_ASSERT_EQUAL(judge_as(&reply, demanding, NULL, 0, true), WSSEC_OK);      /* the request was not signed by us */
    CU_ASSERT_EQUAL(judge_as(&reply, demanding, &confirm, 1, false), WSSEC_OK); /* no reply */
    cs_buf_free(&reply);
}

static void every_signature_is_confirmed_exactly_once(void)
{
    uint8_t value[512];
    struct wssec_slice two[2] = {{value, request_value(value)}, {(const uint8_t *)"another value", 13}};
    struct wssec_slice same[2] = {two[0], two[0]};
    cs_buf half = signed_by(&acme, REPLY, two, 1);
    cs_buf both = signed_by(&acme, REPLY, two, 2);
    cs_buf doubled = signed_by(&acme, REPLY, same, 2);
    CU_ASSERT_EQUAL(judge_as(&half, accepting, two, 2, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    CU_ASSERT_EQUAL(judge_as(&both, accepting, two, 2, true), WSSEC_OK);
    CU_ASSERT_EQUAL(judge_as(&both, accepting, two, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    CU_ASSERT_EQUAL(judge_as(&doubled, accepting, two, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    cs_buf_free(&half);
    cs_buf_free(&both);
    cs_buf_free(&doubled);
}

/* Put element behind the Timestamp, that is: into our header without a signature over it. */
static cs_buf with_unsigned(const cs_buf *b, const char *element)
{
    cs_buf out = CS_BUF_INIT;
    const char *at = strstr(b->data, "</wsu:Timestamp>") + strlen("</wsu:Timestamp>");
    (void)cs_buf_add(&out, b->data, (size_t)(at - b->data));
    (void)cs_buf_adds(&out, element);
    (void)cs_buf_adds(&out, at);
    return out;
}

static void a_confirmation_that_nobody_signed_proves_nothing(void)
{
    uint8_t value[512];
    struct wssec_slice confirm = {value, request_value(value)};
    char *base64 = maker_base64(confirm.p, confirm.n);
    cs_buf element = CS_BUF_INIT;
    (void)cs_buf_addf(&element, CONFIRMATION " Value=\"%s\"/>", base64);
    cs_buf reply = signed_by(&acme, REPLY, NULL, 0);
    cs_buf added = with_unsigned(&reply, element.data);
    cs_buf empty = with_unsigned(&reply, CONFIRMATION "/>");
    cs_buf noise = with_unsigned(&reply, CONFIRMATION " Value=\"*\"/>");
    CU_ASSERT_EQUAL(judge_as(&added, accepting, &confirm, 1, true), WSSEC_PART_NOT_SIGNED);
    CU_ASSERT_EQUAL(judge_as(&empty, accepting, &confirm, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    CU_ASSERT_EQUAL(judge_as(&noise, accepting, &confirm, 1, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    cs_buf_free(&reply);
    cs_buf_free(&added);
    cs_buf_free(&empty);
    cs_buf_free(&noise);
    cs_buf_free(&element);
    free(base64);
}

static void more_confirmations_than_fit_are_refused(void)
{
    struct wssec_slice many[9];
    struct wssec_slice slice = {(const uint8_t *)REPLY, strlen(REPLY)};
    struct wssec_input in = {.slice = &slice, .n_slice = 1};
    struct wssec_recipe recipe = {.confirm = many, .n_confirm = 9};
    struct wssec_resolver r = {&acme, 1, the_key, NULL};
    struct wssec_output out;
    struct wssec_verdict v;
    for (size_t i = 0; i < 9; i++) {
        many[i] = (struct wssec_slice){(const uint8_t *)"value", 5};
    }
    CU_ASSERT_EQUAL(wssec_sign(worker, &in, &recipe, &when, &r, &out, &v), WSSEC_RC_OK);
    CU_ASSERT_EQUAL(v.reason, WSSEC_LIMIT_REFERENCES);
    cs_buf reply = signed_by(&acme, REPLY, NULL, 0);
    CU_ASSERT_EQUAL(judge_as(&reply, accepting, many, 9, true), WSSEC_SIGNATURE_CONFIRMATION_MISMATCH);
    cs_buf_free(&reply);
}

const struct harness_test harness_tests[] = {
    {"a reply that confirms its request passes", a_reply_that_confirms_its_request_passes},
    {"a reply to another request is refused", a_reply_to_another_request_is_refused},
    {"silence is refused only where confirmation is demanded", silence_is_refused_only_where_confirmation_is_demanded},
    {"every signature is confirmed exactly once", every_signature_is_confirmed_exactly_once},
    {"a confirmation that nobody signed proves nothing", a_confirmation_that_nobody_signed_proves_nothing},
    {"more confirmations than fit are refused", more_confirmations_than_fit_are_refused},
    {NULL, NULL},
};
