/* SPDX-License-Identifier: Apache-2.0 */
/* test_generate.c: keys and certificates made by the keystore: what they say, who signs them, what is refused, and that
 * a refusal or a rehearsal leaves nothing behind. */
#include <unistd.h>

#include "keystore/audit.h"
#include "keystore/live.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "generate";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static ks_new client(const char *alias)
{
    return (ks_new){.alias = alias, .has_role = true, .role = KS_TLS_CLIENT, .subject = "CN=acme", .key = "ec:P-256"};
}

static int generate_at(struct fixture *f, const ks_new *g, cs_time now)
{
    return EXIT_OF(f, ks_generate(f->s, g, false, &actor, now, &f->out, &f->e));
}

static ks_info info_of(struct fixture *f, const char *alias, unsigned n, cs_time now)
{
    ks_list l;
    MADE(ks_list_entries(f->s, &(ks_filter){.alias = alias, .n = n, .with_destroyed = true}, now, &l, &f->e) == 0 &&
         l.n == 1);
    ks_info info = l.info[0];
    ks_list_free(&l);
    return info;
}

static size_t entries(struct fixture *f, cs_time now)
{
    ks_list l;
    MADE(ks_list_entries(f->s, &(ks_filter){.with_destroyed = true}, now, &l, &f->e) == 0);
    size_t n = l.n;
    ks_list_free(&l);
    return n;
}

/** The certificate of an entry; with chain: its issuer into *issuer. */
static X509 *certificate_of(struct fixture *f, const char *alias, unsigned n, X509 **issuer)
{
    char *pem = NULL;
    MADE(export_pem(f->s, alias, n, issuer != NULL, &pem, &f->e) == 0);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    MADE(x != NULL);
    if (issuer != NULL) {
        *issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        MADE(*issuer != NULL);
    }
    BIO_free(bio);
    free(pem);
    return x;
}

/* ---- a slot fills up --------------------------------------------------------------------------------------------- */

static void test_the_first_is_active_the_second_waits(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("ack-client");
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), 0);
    CU_ASSERT_EQUAL(f.out.generation, 2);
    CU_ASSERT_TRUE(f.out.done);
    ks_info one = info_of(&f, "ack-client", 1, NOW);
    CU_ASSERT_EQUAL(one.state, KS_ACTIVE);
    CU_ASSERT_TRUE(one.has_key);
    CU_ASSERT_EQUAL(one.not_after, NOW + 365 * CS_DAY);
    CU_ASSERT_TRUE(one.not_before < NOW);

    ks_new next = {.alias = "ack-client"};
    CU_ASSERT_EQUAL(generate_at(&f, &next, NOW + CS_DAY), 0);
    ks_info two = info_of(&f, "ack-client", 2, NOW + CS_DAY);
    CU_ASSERT_EQUAL(two.state, KS_PRE_ACTIVE);
    CU_ASSERT_FALSE(f.out.has_other);
    CU_ASSERT_STRING_EQUAL(two.subject, one.subject);
    CU_ASSERT_STRING_EQUAL(two.issuer, one.issuer);
    CU_ASSERT_STRING_EQUAL(two.key_algorithm, "EC");
    CU_ASSERT_EQUAL(two.key_bits, 256);
    CU_ASSERT_NOT_EQUAL(memcmp(two.sha256, one.sha256, 32), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(two.spki_sha256, one.spki_sha256, 32), 0);
    CU_ASSERT_STRING_NOT_EQUAL(two.serial, one.serial);
    CU_ASSERT_EQUAL(info_of(&f, "ack-client", 1, NOW + CS_DAY).state, KS_ACTIVE);
    fixture_close(&f);
}

static void test_a_third_is_refused_until_an_inactive_one_goes(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("ack-client");
    MADE(generate_at(&f, &g, NOW) == 0 && generate_at(&f, &g, NOW) == 0);
    uint64_t generation = ks_generation(f.s);
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.n_refusal, 1);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G2_LIMIT_TWO);
    CU_ASSERT_FALSE(f.out.done);
    CU_ASSERT_EQUAL(ks_generation(f.s), generation);
    CU_ASSERT_EQUAL(entries(&f, NOW), 3); /* with the authority */
    MADE(act_at(&f, KS_DO_REMOVE, "ack-client", 2, NOW) == 0);
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), 0);
    CU_ASSERT_EQUAL(f.out.info.n, 3);
    CU_ASSERT_EQUAL(f.out.info.state, KS_PRE_ACTIVE);
    fixture_close(&f);
}

static void test_activation_exchanges_and_goes_back(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("ack-client");
    MADE(generate_at(&f, &g, NOW) == 0 && generate_at(&f, &g, NOW) == 0);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_ACTIVATE, "ack-client", 2, NOW + 10), 0);
    CU_ASSERT_EQUAL(f.out.other.n, 1);
    CU_ASSERT_EQUAL(info_of(&f, "ack-client", 1, NOW + CS_DAY).state, KS_DEACTIVATED);
    CU_ASSERT_EQUAL(info_of(&f, "ack-client", 2, NOW + CS_DAY).state, KS_ACTIVE);
    CU_ASSERT_NOT_EQUAL(sql(&f, "update entry set state='active' where n=1"),
                        SQLITE_OK); /* one-active by the store too */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_ACTIVATE, "ack-client", 1, NOW + 2 * CS_DAY), 0);
    CU_ASSERT_EQUAL(info_of(&f, "ack-client", 2, NOW + 2 * CS_DAY).state, KS_DEACTIVATED);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "ack-client", 1, NOW + 3 * CS_DAY), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G7_INACTIVE_ONLY);
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_REMOVE, "ack-client", 2, NOW + 3 * CS_DAY), 0);
    CU_ASSERT_EQUAL(info_of(&f, "ack-client", 2, NOW + 3 * CS_DAY).trash_until, NOW + 33 * CS_DAY);
    fixture_close(&f);
}

/* ---- what the certificates say ----------------------------------------------------------------------------------- */

static void test_every_kind_of_key_for_every_role(void)
{
    static const struct {
        const char *kind, *algorithm;
        int bits;
    } kind[] = {{"rsa:2048", "RSA", 2048}, {"ec:P-256", "EC", 256},     {"ec:P-384", "EC", 384},
                {"ec:P-521", "EC", 521},   {"ed25519", "Ed25519", 256}, {"rsa:3072", "RSA", 3072}};
    static const struct {
        enum ks_role role;
        uint32_t rsa, other, extended;
    } role[] = {
        {KS_SIGN, KU_DIGITAL_SIGNATURE, KU_DIGITAL_SIGNATURE, UINT32_MAX},
        {KS_DECRYPT, KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT, KU_KEY_AGREEMENT, UINT32_MAX},
        {KS_TLS_CLIENT, KU_DIGITAL_SIGNATURE, KU_DIGITAL_SIGNATURE, XKU_SSL_CLIENT},
        {KS_TLS_SERVER, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT, KU_DIGITAL_SIGNATURE, XKU_SSL_SERVER},
    };
    struct fixture f;
    fixture_open(&f);
    for (size_t r = 0; r < sizeof role / sizeof role[0]; r++) {
        for (size_t k = 0; k < sizeof kind / sizeof kind[0]; k++) {
            char alias[32];
            snprintf(alias, sizeof alias, "slot-%zu-%zu", r, k);
            ks_new g = {.alias = alias, .has_role = true, .role = role[r].role, .key = kind[k].kind};
            bool only_signs = role[r].role == KS_DECRYPT && strcmp(kind[k].kind, "ed25519") == 0;
            CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), only_signs ? CS_EXIT_USAGE : 0);
            if (only_signs) {
                continue;
            }
            CU_ASSERT_STRING_EQUAL(f.out.info.key_algorithm, kind[k].algorithm);
            CU_ASSERT_EQUAL(f.out.info.key_bits, kind[k].bits);
            X509 *x = certificate_of(&f, alias, 1, NULL);
            CU_ASSERT_EQUAL(X509_get_key_usage(x), k == 0 || k == 5 ? role[r].rsa : role[r].other);
            CU_ASSERT_EQUAL(X509_get_extended_key_usage(x), role[r].extended);
            CU_ASSERT_EQUAL(X509_check_ca(x), 0);
            CU_ASSERT_EQUAL(ASN1_STRING_length(X509_get0_serialNumber(x)) >= 12, 1);
            X509_free(x);
        }
    }
    fixture_close(&f);
}

static void test_the_chain_leads_to_the_own_authority(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("ack-client");
    MADE(generate_at(&f, &g, NOW) == 0);
    X509 *issuer = NULL;
    X509 *x = certificate_of(&f, "ack-client", 1, &issuer);
    X509 *anchor = certificate_of(&f, "own-ca", 1, NULL);
    CU_ASSERT_EQUAL(X509_cmp(issuer, anchor), 0);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    MADE(X509_STORE_add_cert(store, anchor) == 1 && X509_STORE_CTX_init(ctx, store, x, NULL) == 1);
    X509_STORE_CTX_set_time(ctx, 0, NOW);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    MADE(X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1);
    CU_ASSERT_EQUAL(X509_verify_cert(ctx), 1);
    CU_ASSERT_EQUAL(X509_STORE_CTX_get_error(ctx), X509_V_OK);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(x);
    X509_free(issuer);
    X509_free(anchor);
    fixture_close(&f);
}

static void test_a_server_is_named_by_its_hosts(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = {.alias = "front",
                .has_role = true,
                .role = KS_TLS_SERVER,
                .subject = "CN=gw.example,O=Acme",
                .key = "ec:P-256"};
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), 0);
    X509 *x = certificate_of(&f, "front", 1, NULL);
    CU_ASSERT_EQUAL(X509_check_host(x, "gw.example", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
    X509_free(x);
    const char *const host[] = {"a.example", "10.0.0.1", "::1"};
    ks_new named = {.alias = "side",
                    .has_role = true,
                    .role = KS_TLS_SERVER,
                    .subject = "CN=No Host",
                    .key = "ec:P-256",
                    .host = host,
                    .n_host = 3};
    CU_ASSERT_EQUAL(generate_at(&f, &named, NOW), 0);
    CU_ASSERT_EQUAL(generate_at(&f, &(ks_new){.alias = "side"}, NOW), 0); /* keeps them */
    x = certificate_of(&f, "side", 2, NULL);
    CU_ASSERT_EQUAL(X509_check_host(x, "a.example", 0, 0, NULL), 1);
    CU_ASSERT_EQUAL(X509_check_ip_asc(x, "10.0.0.1", 0), 1);
    CU_ASSERT_EQUAL(X509_check_ip_asc(x, "::1", 0), 1);
    CU_ASSERT_EQUAL(X509_check_host(x, "gw.example", 0, 0, NULL), 0);
    X509_free(x);
    static const char *const bad[] = {"",   "a b", "-a.example", "a..example", "a.example.",
                                      ".a", "a_b", "*.example",  "a-",         "DNS:a,IP:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ks_new wrong = {.alias = "third",
                        .has_role = true,
                        .role = KS_TLS_SERVER,
                        .subject = "CN=gw.example",
                        .key = "ec:P-256",
                        .host = &bad[i],
                        .n_host = 1};
        CU_ASSERT_EQUAL(generate_at(&f, &wrong, NOW), CS_EXIT_USAGE);
    }
    ks_new nameless = {
        .alias = "third", .has_role = true, .role = KS_TLS_SERVER, .subject = "CN=No Host", .key = "ec:P-256"};
    CU_ASSERT_EQUAL(generate_at(&f, &nameless, NOW), CS_EXIT_USAGE);
    fixture_close(&f);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void test_a_subject_is_what_was_typed(void)
{
    static const struct {
        const char *text, *subject;
    } name[] = {
        {"CN=acme", "CN=acme"},
        {"CN=Jo\\, Doe,O=A\\=B", "CN=Jo\\, Doe,O=A=B"},
        {"cn=x, o=Acme AG, c=DE", "CN=x,O=Acme AG,C=DE"},
        {"CN=a\\2cO\\3dEvil", "CN=a\\,O=Evil"},
        {"CN=a/O=Evil", NULL},
        {"CN=M\xc3\xbcller,DC=example,UID=7", "CN=M\xc3\xbcller,DC=example,UID=7"},
    };
    struct fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char alias[16];
        snprintf(alias, sizeof alias, "slot-%zu", i);
        ks_new g = client(alias);
        g.subject = name[i].text;
        CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), name[i].subject != NULL ? 0 : CS_EXIT_USAGE);
        if (name[i].subject != NULL) {
            CU_ASSERT_STRING_EQUAL(f.out.info.subject, name[i].subject);
            CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), 0); /* the same words name the same slot again */
        }
    }
    fixture_close(&f);
}

static void test_a_doubtful_subject_is_refused(void)
{
    static const char *const name[] = {
        "",          ",",          "acme",
        "CN",        "CN=",        "CN= ",
        "CN=a,",     ",CN=a",      "CN=a,,O=b",
        "CN=a+O=b",  "CN=\"a\"",   "CN=a\"b",
        "CN=a;O=b",  "CN=#0c0161", "XX=a",
        "2.5.4.3=a", "C=Germany",  "C=D",
        "CN=a\\",    "CN=a\\x",    "CN=a\\0aO=b",
        "CN=a\\00b", "CN=a\nO=b",  "CN=\xff\xfe",
        "CN=<a>",    "CN=a\x7f",   "/CN=a",
        "/CN=a/O=b", "CN=a\\20",   "CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        ks_new g = client("ack-client");
        g.subject = name[i];
        int code = generate_at(&f, &g, NOW);
        if (code != CS_EXIT_USAGE) {
            fprintf(stderr, "accepted: %s\n", name[i]);
        }
        CU_ASSERT_EQUAL(code, CS_EXIT_USAGE);
        CU_ASSERT_STRING_EQUAL(f.e.reason, "subject");
    }
    char *long_name = calloc(1, 600);
    memcpy(long_name, "CN=a", 4);
    for (int i = 0; i < 80; i++) {
        memcpy(long_name + 4 + i * 7, ",OU=abc", 7);
    }
    ks_new g = client("ack-client");
    g.subject = long_name;
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_USAGE);
    free(long_name);
    CU_ASSERT_EQUAL(entries(&f, NOW), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), 1);
    fixture_close(&f);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void test_what_does_not_fit_is_refused_before_anything_is_made(void)
{
    struct fixture f;
    fixture_open(&f);
    const struct {
        ks_new g;
        const char *reason;
    } wrong[] = {
        {{.alias = "ack-client", .has_role = true, .role = KS_TLS_CLIENT, .key = "rsa:1024"}, "key-kind"},
        {{.alias = "ack-client", .has_role = true, .role = KS_TLS_CLIENT, .key = "ec:secp112r1"}, "key-kind"},
        {{.alias = "ack-client", .has_role = true, .role = KS_TLS_CLIENT, .key = "RSA:2048"}, "key-kind"},
        {{.alias = "ack-client", .has_role = true, .role = KS_TLS_CLIENT, .key = ""}, "key-kind"},
        {{.alias = "ack-client", .has_role = true, .role = KS_VERIFIER}, "role"},
        {{.alias = "ack-client", .has_role = true, .role = KS_TRUST_ANCHOR}, "role"},
        {{.alias = "ack-client"}, "usage"},
        {{.alias = "own-ca", .has_role = true, .role = KS_SIGN}, "alias"},
        {{.alias = "a b", .has_role = true, .role = KS_SIGN}, "alias"},
        {{.alias = NULL, .has_role = true, .role = KS_SIGN}, "alias"},
        {{.alias = "ack-client", .has_role = true, .role = KS_SIGN, .days = KS_NEW_DAYS_MAX + 1}, "days"},
        {{.alias = "ack-client", .has_role = true, .role = KS_SIGN, .days = -1}, "days"},
        {{.alias = "ack-client", .has_role = true, .role = KS_SIGN, .host = (const char *const[]){"a"}, .n_host = 1},
         "host"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(generate_at(&f, &wrong[i].g, NOW), CS_EXIT_USAGE);
        CU_ASSERT_STRING_EQUAL(f.e.reason, wrong[i].reason);
    }
    CU_ASSERT_EQUAL(ks_generation(f.s), 1);
    ks_new g = client("ack-client");
    MADE(generate_at(&f, &g, NOW) == 0);
    g.subject = "CN=acme,O=Other";
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_USAGE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "subject-differs");
    g.subject = NULL;
    g.role = KS_SIGN;
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_USAGE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "role-differs");
    CU_ASSERT_EQUAL(ks_generation(f.s), 2);
    fixture_close(&f);
}

static void test_a_rehearsal_changes_nothing(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("ack-client");
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_generate(f.s, &g, true, &actor, NOW, &f.out, &f.e)), 0);
    CU_ASSERT_FALSE(f.out.done);
    CU_ASSERT_EQUAL(f.out.info.state, KS_ACTIVE);
    CU_ASSERT_EQUAL(f.out.generation, 2);
    CU_ASSERT_EQUAL(ks_generation(f.s), 1);
    CU_ASSERT_EQUAL(entries(&f, NOW), 0);
    MADE(generate_at(&f, &g, NOW) == 0 && generate_at(&f, &g, NOW) == 0);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_generate(f.s, &g, true, &actor, NOW, &f.out, &f.e)), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(ks_generation(f.s), 3);
    fixture_close(&f);
}

static void test_without_the_key_encryption_key_nothing_is_kept(void)
{
    struct fixture f;
    fixture_open(&f);
    char kek[4500];
    snprintf(kek, sizeof kek, "%s.kek", f.path);
    MADE(unlink(kek) == 0);
    ks_new g = client("ack-client");
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_CONFIG);
    CU_ASSERT_EQUAL(entries(&f, NOW), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), 1);
    fixture_close(&f);
}

/* ---- the own authority ------------------------------------------------------------------------------------------- */

static void test_the_authority_is_made_once_and_follows_itself(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = client("one");
    ks_new other = client("two");
    MADE(generate_at(&f, &g, NOW) == 0 && generate_at(&f, &other, NOW) == 0);
    ks_info ca = info_of(&f, "own-ca", 1, NOW);
    CU_ASSERT_EQUAL(ca.role, KS_TRUST_ANCHOR);
    CU_ASSERT_EQUAL(ca.state, KS_ACTIVE);
    CU_ASSERT_TRUE(ca.has_key);
    CU_ASSERT_EQUAL(entries(&f, NOW), 3);
    cs_time late = ca.not_after - 364 * CS_DAY; /* it would end before a certificate of one year does */
    CU_ASSERT_EQUAL(generate_at(&f, &(ks_new){.alias = "two"}, late), 0);
    ks_info next = info_of(&f, "own-ca", 2, late);
    CU_ASSERT_STRING_EQUAL(next.subject, ca.subject);
    CU_ASSERT_TRUE(next.not_after > late + 365 * CS_DAY);
    CU_ASSERT_EQUAL(info_of(&f, "own-ca", 1, late).state, KS_ACTIVE);
    uint64_t rows = 0;
    char text[256];
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    fixture_close(&f);
}

static void test_two_keystores_have_authorities_of_two_names(void)
{
    struct fixture a;
    struct fixture b;
    fixture_open(&a);
    fixture_open(&b);
    ks_new g = client("one");
    MADE(generate_at(&a, &g, NOW) == 0 && generate_at(&b, &g, NOW) == 0);
    CU_ASSERT_STRING_NOT_EQUAL(info_of(&a, "own-ca", 1, NOW).subject, info_of(&b, "own-ca", 1, NOW).subject);
    fixture_close(&a);
    fixture_close(&b);
}

static void test_a_process_with_traffic_never_holds_the_authoritys_key(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_new g = {.alias = "own-sign", .has_role = true, .role = KS_SIGN, .key = "ec:P-256"};
    MADE(generate_at(&f, &g, NOW) == 0);
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(f.s, NOW, &s, &f.e) == 0);
    const ks_entry *sign = ks_active(s, "own-sign");
    const ks_entry *ca = ks_active(s, "own-ca");
    CU_ASSERT_PTR_NOT_NULL_FATAL(sign);
    CU_ASSERT_PTR_NOT_NULL(ks_entry_private_key(sign));
    CU_ASSERT_TRUE(ca == NULL || ks_entry_private_key(ca) == NULL);
    ks_snapshot_release(s);
    fixture_close(&f);
}

static void test_a_slot_in_the_authoritys_place_stops_it(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){0});
    ks_add a = adding(KS_SIGN, NULL, "own-ca", &m, true);
    MADE(add_at(&f, &a, NOW) == 0);
    ks_new g = client("ack-client");
    CU_ASSERT_EQUAL(generate_at(&f, &g, NOW), CS_EXIT_USAGE);
    CU_ASSERT_STRING_EQUAL(f.e.reason, "role-differs");
    CU_ASSERT_EQUAL(ks_generation(f.s), 2);
    made_free(&m);
    fixture_close(&f);
}

static void test_a_certificate_of_another_issuer_is_followed_with_a_warning(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made m = make_certificate(&(struct recipe){.cn = "acme", .to = NOW + 30 * CS_DAY});
    ks_add a = adding(KS_TLS_CLIENT, NULL, "ack-client", &m, true);
    MADE(add_at(&f, &a, NOW) == 0);
    CU_ASSERT_EQUAL(generate_at(&f, &(ks_new){.alias = "ack-client"}, NOW), 0);
    CU_ASSERT_STRING_EQUAL(f.out.info.subject, "CN=acme");
    bool told = false;
    for (size_t i = 0; i < f.out.n_note; i++) {
        told |= strstr(f.out.note[i], "another issuer") != NULL;
    }
    CU_ASSERT_TRUE(told);
    made_free(&m);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"the_first_is_active_the_second_waits", test_the_first_is_active_the_second_waits},
    {"a_third_is_refused_until_an_inactive_one_goes", test_a_third_is_refused_until_an_inactive_one_goes},
    {"activation_exchanges_and_goes_back", test_activation_exchanges_and_goes_back},
    {"every_kind_of_key_for_every_role", test_every_kind_of_key_for_every_role},
    {"the_chain_leads_to_the_own_authority", test_the_chain_leads_to_the_own_authority},
    {"a_server_is_named_by_its_hosts", test_a_server_is_named_by_its_hosts},
    {"a_subject_is_what_was_typed", test_a_subject_is_what_was_typed},
    {"a_doubtful_subject_is_refused", test_a_doubtful_subject_is_refused},
    {"what_does_not_fit_is_refused_before_anything_is_made", test_what_does_not_fit_is_refused_before_anything_is_made},
    {"a_rehearsal_changes_nothing", test_a_rehearsal_changes_nothing},
    {"without_the_key_encryption_key_nothing_is_kept", test_without_the_key_encryption_key_nothing_is_kept},
    {"the_authority_is_made_once_and_follows_itself", test_the_authority_is_made_once_and_follows_itself},
    {"two_keystores_have_authorities_of_two_names", test_two_keystores_have_authorities_of_two_names},
    {"a_process_with_traffic_never_holds_the_authoritys_key",
     test_a_process_with_traffic_never_holds_the_authoritys_key},
    {"a_slot_in_the_authoritys_place_stops_it", test_a_slot_in_the_authoritys_place_stops_it},
    {"a_certificate_of_another_issuer_is_followed_with_a_warning",
     test_a_certificate_of_another_issuer_is_followed_with_a_warning},
    {NULL, NULL},
};
