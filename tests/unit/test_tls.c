/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tls.c: what TLS rests on without a socket: ticket keys over time, words of a tls block, and the judgement of a
 * peer's certificate. The authorities are made at run time; "look-alikes" bear the same names with other keys.
 */
#include <openssl/core_names.h>

#include "gateway/tls_ticket.h"
#include "gateway/tls_verify.h"
#include "gateway/tls_words.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "tls";

static struct made root, middle, leaf, look_alike, other_leaf;

static struct made authority(const char *cn, const struct made *issuer)
{
    return make_certificate(&(struct recipe){.cn = cn, .o = "ACME", .issuer = issuer, .ca = true});
}

int harness_setup(void)
{
    root = authority("Root", NULL);
    middle = authority("Middle", &root);
    leaf = make_certificate(&(struct recipe){.cn = "client", .issuer = &middle, .to = NOW + 100});
    look_alike = authority("Root", NULL);
    other_leaf = make_certificate(&(struct recipe){.cn = "client", .issuer = &look_alike});
    return 0;
}

int harness_teardown(void)
{
    struct made *all[] = {&root, &middle, &leaf, &look_alike, &other_leaf};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        made_free(all[i]);
    }
    return 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void test_words(void)
{
    static const struct {
        const char *word, *alias;
        int n; /* -1: refused */
    } rows[] = {
        {"gw", "gw", 0},
        {"gw#2", "gw", 2},
        {"gw#123456", "gw", 123456},
        {"gw#", "", -1},
        {"gw#0", "", -1},
        {"gw#x", "", -1},
        {"gw#1x", "", -1},
        {"#1", "", -1},
        {"gw#1234567", "", -1},
        {"gw#-1", "", -1},
        {"gw##1", "", -1},
        {"a123456789b123456789c123456789d123456789e123456789f123456789g123",
         "a123456789b123456789c123456789d123456789e123456789f123456789g123", 0},
        {"a123456789b123456789c123456789d123456789e123456789f123456789g1234", "", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char alias[KS_WORD] = "";
        unsigned n = 99;
        int rc = tls_certificate_word(rows[i].word, alias, &n);
        CU_ASSERT_EQUAL(rc, rows[i].n < 0 ? -1 : 0);
        if (rc == 0) {
            CU_ASSERT_STRING_EQUAL(alias, rows[i].alias);
            CU_ASSERT_EQUAL(n, (unsigned)rows[i].n);
        }
    }
}

static void test_who_is_asked(void)
{
    char *word[] = {"senders"};
    const struct gw_words some = {word, 1};
    const struct gw_words none = {NULL, 0};
    static const struct {
        enum gw_client_certificate said;
        bool anchors, asks, requires;
    } rows[] = {
        {GW_CLIENT_UNSET, false, false, false}, {GW_CLIENT_UNSET, true, true, true},
        {GW_CLIENT_NONE, true, false, false},   {GW_CLIENT_OPTIONAL, true, true, false},
        {GW_CLIENT_REQUIRE, true, true, true},  {GW_CLIENT_REQUIRE, false, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_tls t = {.client_certificate = rows[i].said, .anchors = rows[i].anchors ? some : none};
        CU_ASSERT_EQUAL(gw_tls_asks(&t), rows[i].asks);
        CU_ASSERT_EQUAL(gw_tls_requires(&t), rows[i].requires);
    }
}

/* ---- tickets ---------------------------------------------------------------------------------------------------- */

#define HOUR_US (INT64_C(3600) * 1000000)

struct ticket {
    unsigned char name[16], iv[EVP_MAX_IV_LENGTH], sealed[64], mac[64];
    int n;
    size_t mac_n;
};

static EVP_MAC_CTX *hmac(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    MADE(ctx != NULL);
    return ctx;
}

static const unsigned char secret[] = "what a session is made of";

static int seal(struct tls_tickets *t, int64_t now_us, struct ticket *out)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = hmac();
    int last = 0;
    memset(out, 0, sizeof *out);
    int rc = tls_tickets_key(t, out->name, out->iv, cipher, mac, 1, now_us);
    if (rc == 1) {
        MADE(EVP_EncryptUpdate(cipher, out->sealed, &out->n, secret, sizeof secret) == 1);
        MADE(EVP_EncryptFinal_ex(cipher, out->sealed + out->n, &last) == 1);
        out->n += last;
        MADE(EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, out->sealed, (size_t)out->n) == 1 &&
             EVP_MAC_final(mac, out->mac, &out->mac_n, sizeof out->mac) == 1);
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return rc;
}

/* @return as tls_tickets_key(); -2: what came out is not what went in */
static int open_ticket(struct tls_tickets *t, int64_t now_us, const struct ticket *in)
{
    struct ticket copy = *in;
    unsigned char plain[64];
    unsigned char mac_now[64];
    size_t mac_n = 0;
    int n = 0;
    int last = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = hmac();
    int rc = tls_tickets_key(t, copy.name, copy.iv, cipher, mac, 0, now_us);
    if (rc > 0) {
        bool same = EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, in->sealed, (size_t)in->n) == 1 &&
                    EVP_MAC_final(mac, mac_now, &mac_n, sizeof mac_now) == 1 && mac_n == in->mac_n &&
                    memcmp(mac_now, in->mac, mac_n) == 0 &&
                    EVP_DecryptUpdate(cipher, plain, &n, in->sealed, in->n) == 1 &&
                    EVP_DecryptFinal_ex(cipher, plain + n, &last) == 1 && (size_t)(n + last) == sizeof secret &&
                    memcmp(plain, secret, sizeof secret) == 0;
        rc = same ? rc : -2;
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return rc;
}

static void test_ticket_keys_change(void)
{
    struct tls_tickets *t = tls_tickets_new(HOUR_US);
    struct ticket first;
    struct ticket second;
    struct ticket third;
    MADE(t != NULL);
    CU_ASSERT_EQUAL(seal(t, HOUR_US, &first), 1);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US, &first), 1);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + TLS_TICKET_KEY_US - 1, &first), 1);
    CU_ASSERT_EQUAL(seal(t, HOUR_US + TLS_TICKET_KEY_US - 1, &second), 1);
    CU_ASSERT_EQUAL(memcmp(first.name, second.name, 16), 0);
    /* the key is due, though nobody asked for a new ticket yet */
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + TLS_TICKET_KEY_US, &first), 2);
    CU_ASSERT_EQUAL(seal(t, HOUR_US + TLS_TICKET_KEY_US, &second), 1);
    CU_ASSERT_NOT_EQUAL(memcmp(first.name, second.name, 16), 0);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + TLS_TICKET_KEY_US, &second), 1);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + 2 * TLS_TICKET_KEY_US - 1, &first), 2);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + 2 * TLS_TICKET_KEY_US, &first), 0);
    /* two keys on: the first is gone */
    CU_ASSERT_EQUAL(seal(t, HOUR_US + 2 * TLS_TICKET_KEY_US, &third), 1);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US + 2 * TLS_TICKET_KEY_US, &second), 2);
    CU_ASSERT_EQUAL(open_ticket(t, HOUR_US, &first), 0);
    tls_tickets_free(t);
}

static void test_tickets_of_others_are_not_taken(void)
{
    struct tls_tickets *mine = tls_tickets_new(HOUR_US);
    struct tls_tickets *theirs = tls_tickets_new(HOUR_US);
    struct ticket t;
    MADE(mine != NULL && theirs != NULL);
    CU_ASSERT_EQUAL(seal(theirs, HOUR_US, &t), 1);
    CU_ASSERT_EQUAL(open_ticket(mine, HOUR_US, &t), 0);
    memset(t.name, 0, sizeof t.name); /* the name of a key that is not there yet */
    CU_ASSERT_EQUAL(open_ticket(mine, HOUR_US, &t), 0);
    tls_tickets_free(mine);
    tls_tickets_free(theirs);
    tls_tickets_free(NULL);
}

/* ---- judgement -------------------------------------------------------------------------------------------------- */

static void anchor_add(struct fixture *f, const char *alias, const struct made *m)
{
    ks_add a = adding(KS_TRUST_ANCHOR, NULL, alias, m, true);
    MADE(add_at(f, &a, NOW - CS_DAY) == 0);
}

struct question {
    const struct made *leaf;
    const struct made *beside; /* NULL: nothing is sent */
    cs_time when;
    int purpose;
    bool crl_require;
};

static struct tls_verdict judge(struct fixture *f, const struct question *q)
{
    char *word[] = {"one", "two"};
    const struct gw_words alias = {word, 2};
    struct tls_verdict v = {0};
    const ks_snapshot *s = NULL;
    STACK_OF(X509) *others = NULL;
    MADE(ks_snapshot_read(f->s, q->when, &s, &f->e) == 0);
    struct tls_anchors *a = tls_anchors_new(s, &alias, q->crl_require, q->when);
    MADE(a != NULL);
    if (q->beside != NULL) {
        others = sk_X509_new_null();
        MADE(others != NULL && sk_X509_push(others, q->beside->x) > 0);
    }
    CU_ASSERT_EQUAL(
        tls_judge(a, s, q->leaf->x, others, q->purpose != 0 ? q->purpose : X509_PURPOSE_SSL_CLIENT, q->when, &v), 0);
    sk_X509_free(others);
    tls_anchors_free(a);
    ks_snapshot_release(s);
    return v;
}

static void test_judge_chain(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "one", &root);
    struct tls_verdict v = judge(&f, &(struct question){&leaf, &middle, NOW, 0, false});
    CU_ASSERT_EQUAL(v.error, X509_V_OK);
    CU_ASSERT_EQUAL(v.until, NOW + 100); /* the end of the leaf */
    v = judge(&f, &(struct question){&leaf, NULL, NOW, 0, false});
    CU_ASSERT_EQUAL(v.error, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    v = judge(&f, &(struct question){&leaf, &middle, NOW + 99, 0, false});
    CU_ASSERT_EQUAL(v.error, X509_V_OK);
    v = judge(&f, &(struct question){&leaf, &middle, NOW + 101, 0, false});
    CU_ASSERT_EQUAL(v.error, X509_V_ERR_CERT_HAS_EXPIRED);
    v = judge(&f, &(struct question){&other_leaf, NULL, NOW, 0, false});
    CU_ASSERT_NOT_EQUAL(v.error, X509_V_OK);
    /* what is an anchor itself needs no chain */
    v = judge(&f, &(struct question){&root, NULL, NOW, 0, false});
    CU_ASSERT_EQUAL(v.error, X509_V_OK);
    fixture_close(&f);
}

/* A roll-over of an authority under one name: OpenSSL's own search would stop at the first of them. */
static void test_two_anchors_of_one_name(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "one", &look_alike);
    anchor_add(&f, "one", &root);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW, 0, false}).error, X509_V_OK);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&other_leaf, NULL, NOW, 0, false}).error, X509_V_OK);
    fixture_close(&f);
    fixture_open(&f);
    anchor_add(&f, "two", &root);
    anchor_add(&f, "one", &look_alike);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW, 0, false}).error, X509_V_OK);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&other_leaf, NULL, NOW, 0, false}).error, X509_V_OK);
    fixture_close(&f);
}

static void test_judge_without_anchors(void)
{
    struct fixture f;
    fixture_open(&f);
    CU_ASSERT_NOT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW, 0, false}).error, X509_V_OK);
    CU_ASSERT_NOT_EQUAL(judge(&f, &(struct question){&root, NULL, NOW, 0, false}).error, X509_V_OK);
    fixture_close(&f);
}

static void test_judge_purpose_and_strength(void)
{
    struct fixture f;
    struct made weak = make_certificate(&(struct recipe){.cn = "weak", .issuer = &root, .rsa_bits = 1024});
    struct made old = make_certificate(&(struct recipe){.cn = "old", .issuer = &root, .md = EVP_sha1()});
    struct made other =
        make_certificate(&(struct recipe){.cn = "crl", .issuer = &root, .key_usage = "critical,cRLSign"});
    struct made server = make_certificate(&(struct recipe){.cn = "server", .issuer = &root});
    fixture_open(&f);
    anchor_add(&f, "one", &root);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&weak, NULL, NOW, 0, false}).error, X509_V_ERR_EE_KEY_TOO_SMALL);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&old, NULL, NOW, 0, false}).error, X509_V_ERR_CA_MD_TOO_WEAK);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&other, NULL, NOW, 0, false}).error, X509_V_ERR_INVALID_PURPOSE);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&server, NULL, NOW, X509_PURPOSE_SSL_SERVER, false}).error, X509_V_OK);
    fixture_close(&f);
    made_free(&weak);
    made_free(&old);
    made_free(&other);
    made_free(&server);
}

static void list_add(struct fixture *f, const char *alias, const struct made *issuer, const struct made *revoked,
                     cs_time to)
{
    ks_crl_info info;
    X509_CRL *x = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, NOW - CS_DAY);
    MADE(x != NULL && t != NULL && X509_CRL_set_version(x, 1) == 1 &&
         X509_CRL_set_issuer_name(x, X509_get_subject_name(issuer->x)) == 1 && X509_CRL_set1_lastUpdate(x, t) == 1);
    if (revoked != NULL) {
        X509_REVOKED *row = X509_REVOKED_new();
        MADE(row != NULL && X509_REVOKED_set_revocationDate(row, t) == 1 &&
             X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(revoked->x)) == 1 &&
             X509_CRL_add0_revoked(x, row) == 1);
    }
    MADE(ASN1_TIME_set(t, to) != NULL && X509_CRL_set1_nextUpdate(x, t) == 1 && X509_CRL_sort(x) == 1 &&
         X509_CRL_sign(x, issuer->key, EVP_sha256()) > 0);
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(x, &der);
    MADE(n > 0);
    MADE(EXIT_OF(f, ks_add_crl(f->s, alias, (const char *)der, (size_t)n, false, &actor, NOW, &info, &f->e)) == 0);
    OPENSSL_free(der);
    ASN1_TIME_free(t);
    X509_CRL_free(x);
}

static void test_judge_lists(void)
{
    struct fixture f;
    const struct question demanding = {&leaf, &middle, NOW, 0, true};
    const struct question late = {&leaf, &middle, NOW + 50, 0, true};
    fixture_open(&f);
    anchor_add(&f, "one", &root);
    anchor_add(&f, "elsewhere", &middle); /* a slot that nobody here names: its list counts all the same */
    CU_ASSERT_EQUAL(judge(&f, &demanding).error, X509_V_ERR_UNABLE_TO_GET_CRL);
    list_add(&f, "elsewhere", &middle, NULL, NOW + 20);
    CU_ASSERT_EQUAL(judge(&f, &demanding).error, X509_V_ERR_UNABLE_TO_GET_CRL); /* nothing of the root yet */
    list_add(&f, "one", &root, NULL, NOW + CS_DAY);
    struct tls_verdict v = judge(&f, &demanding);
    CU_ASSERT_EQUAL(v.error, X509_V_OK);
    CU_ASSERT_EQUAL(v.until, NOW + 1);                                     /* asked again: a list ends without a sign */
    CU_ASSERT_EQUAL(judge(&f, &late).error, X509_V_ERR_UNABLE_TO_GET_CRL); /* stale */
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW + 50, 0, false}).error, X509_V_OK);
    fixture_close(&f);
    fixture_open(&f);
    anchor_add(&f, "one", &root);
    anchor_add(&f, "elsewhere", &middle);
    list_add(&f, "elsewhere", &middle, &leaf, NOW + 20);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW, 0, false}).error, X509_V_ERR_CERT_REVOKED);
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW + 50, 0, false}).error, X509_V_ERR_CERT_REVOKED);
    fixture_close(&f);
    fixture_open(&f);
    anchor_add(&f, "one", &root);
    list_add(&f, "one", &root, &middle, NOW + CS_DAY); /* an authority on the way */
    CU_ASSERT_EQUAL(judge(&f, &(struct question){&leaf, &middle, NOW, 0, false}).error, X509_V_ERR_CERT_REVOKED);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"words name an alias or one entry", test_words},
    {"who is asked for a certificate", test_who_is_asked},
    {"ticket keys change after twelve hours and are forgotten after a day", test_ticket_keys_change},
    {"tickets of others are not taken", test_tickets_of_others_are_not_taken},
    {"a chain to an anchor, and until when", test_judge_chain},
    {"of two anchors with one name each is tried", test_two_anchors_of_one_name},
    {"without anchors nobody is good", test_judge_without_anchors},
    {"purpose and strength count", test_judge_purpose_and_strength},
    {"revocation lists of any slot count", test_judge_lists},
    {NULL, NULL},
};
