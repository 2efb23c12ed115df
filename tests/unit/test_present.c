/* SPDX-License-Identifier: Apache-2.0 */
/* test_present.c: what TLS takes from a snapshot: who is presented with which chain and key, who anchors, the number
 * that tells a change, and who a client is. */
#include "keystore/snapshot.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "present";

int harness_setup(void)
{
    return 0;
}

int harness_teardown(void)
{
    return 0;
}

static const ks_snapshot *read_snapshot(struct fixture *f)
{
    const ks_snapshot *s = NULL;
    MADE(ks_snapshot_read(f->s, NOW, &s, &f->e) == 0);
    return s;
}

static uint64_t version_of(struct fixture *f, const char *alias, cs_time when)
{
    const ks_snapshot *s = read_snapshot(f);
    uint64_t v = ks_slot_version(s, alias, when);
    ks_snapshot_release(s);
    return v;
}

/** A leaf with its issuer behind it, as one PEM text. */
static char *with_issuer(const struct made *leaf, const struct made *issuer)
{
    size_t n = strlen(leaf->pem) + strlen(issuer->pem) + 1;
    char *text = malloc(n);
    MADE(text != NULL);
    snprintf(text, n, "%s%s", leaf->pem, issuer->pem);
    return text;
}

static void test_active_entry_has_certificate_chain_and_key(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made ca = make_certificate(&(struct recipe){.cn = "CA", .ca = true});
    struct made m = make_certificate(&(struct recipe){.cn = "localhost", .issuer = &ca});
    char *both = with_issuer(&m, &ca);
    ks_add a = adding(KS_TLS_CLIENT, NULL, "ack-client", &m, true);
    a.certificate_pem = both;
    a.certificate_len = strlen(both);
    CU_ASSERT_EQUAL_FATAL(add_at(&f, &a, NOW), 0);

    const ks_snapshot *s = read_snapshot(&f);
    const ks_entry *e = ks_active(s, "ack-client");
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    CU_ASSERT_EQUAL(X509_cmp(ks_entry_certificate(e), m.x), 0);
    CU_ASSERT_EQUAL_FATAL(sk_X509_num(ks_entry_issuers(e)), 1);
    CU_ASSERT_EQUAL(X509_cmp(sk_X509_value(ks_entry_issuers(e), 0), ca.x), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ks_entry_private_key(e));
    CU_ASSERT_EQUAL(X509_check_private_key(ks_entry_certificate(e), ks_entry_private_key(e)), 1);
    ks_snapshot_release(s);
    free(both);
    made_free(&m);
    made_free(&ca);
    fixture_close(&f);
}

static void test_server_slot_presents_one_per_key_type(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made ec = make_certificate(&(struct recipe){.cn = "localhost"});
    struct made rsa = make_certificate(&(struct recipe){.cn = "localhost", .rsa_bits = 2048});
    struct made next = make_certificate(&(struct recipe){.cn = "localhost"});
    const struct made *order[] = {&ec, &rsa, &next};
    for (size_t i = 0; i < 3; i++) {
        ks_add a = adding(KS_TLS_SERVER, NULL, "gw-server", order[i], i < 2);
        MADE(add_at(&f, &a, NOW + (cs_time)i) == 0);
    }
    const ks_entry *active[4];
    const ks_snapshot *s = read_snapshot(&f);
    CU_ASSERT_EQUAL(ks_actives(s, "gw-server", active, 4), 2);
    CU_ASSERT_EQUAL(ks_actives(s, "gw-server", active, 1), 1);
    CU_ASSERT_EQUAL(ks_entry_n(active[0]), 1);
    CU_ASSERT_EQUAL(ks_actives(s, "nobody", active, 4), 0);
    uint64_t before = ks_slot_version(s, "gw-server", NOW);
    ks_snapshot_release(s);

    CU_ASSERT_EQUAL(act_at(&f, KS_DO_ACTIVATE, "gw-server", 3, NOW + 10), 0);
    s = read_snapshot(&f);
    CU_ASSERT_EQUAL_FATAL(ks_actives(s, "gw-server", active, 4), 2);
    CU_ASSERT_EQUAL(ks_entry_n(active[0]), 2);
    CU_ASSERT_EQUAL(ks_entry_n(active[1]), 3);
    CU_ASSERT_NOT_EQUAL(ks_slot_version(s, "gw-server", NOW), before);
    ks_snapshot_release(s);
    for (size_t i = 0; i < 3; i++) {
        made_free((struct made *)(uintptr_t)order[i]);
    }
    fixture_close(&f);
}

static void test_version_changes_exactly_with_the_material(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made one = make_certificate(&(struct recipe){.cn = "acme"});
    struct made two = make_certificate(&(struct recipe){.cn = "acme"});
    ks_add a = adding(KS_TLS_CLIENT, NULL, "ack-client", &one, true);
    ks_add b = adding(KS_TLS_CLIENT, NULL, "ack-client", &two, false);
    CU_ASSERT_EQUAL(version_of(&f, "ack-client", NOW), 0);
    MADE(add_at(&f, &a, NOW) == 0);
    uint64_t first = version_of(&f, "ack-client", NOW);
    CU_ASSERT_NOT_EQUAL(first, 0);

    /* another slot, and an entry that nobody presents yet: the same number */
    struct made other = add_verifier(&f, "acme-sign", NOW + 1);
    MADE(add_at(&f, &b, NOW + 2) == 0);
    CU_ASSERT_EQUAL(version_of(&f, "ack-client", NOW), first);
    MADE(act_at(&f, KS_DO_ACTIVATE, "ack-client", 2, NOW + 3) == 0);
    uint64_t second = version_of(&f, "ack-client", NOW);
    CU_ASSERT_NOT_EQUAL(second, first);
    MADE(act_at(&f, KS_DO_SUSPEND, "ack-client", 2, NOW + 4) == 0);
    CU_ASSERT_EQUAL(version_of(&f, "ack-client", NOW), 0);
    MADE(act_at(&f, KS_DO_RESUME, "ack-client", 2, NOW + 5) == 0);
    CU_ASSERT_EQUAL(version_of(&f, "ack-client", NOW), second);
    /* back to the first certificate is back to the first number: what was built for it fits again */
    MADE(act_at(&f, KS_DO_ACTIVATE, "ack-client", 1, NOW + 6) == 0);
    CU_ASSERT_EQUAL(version_of(&f, "ack-client", NOW), first);
    made_free(&one);
    made_free(&two);
    made_free(&other);
    fixture_close(&f);
}

/** An empty list of ca, PEM. */
static char *crl_of(const struct made *ca, cs_time from, cs_time to)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    BIO *bio = BIO_new(BIO_s_mem());
    MADE(crl != NULL && t != NULL && bio != NULL && X509_CRL_set_version(crl, 1) == 1);
    MADE(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x)) == 1);
    MADE(ASN1_TIME_set(t, from) != NULL && X509_CRL_set1_lastUpdate(crl, t) == 1);
    MADE(ASN1_TIME_set(t, to) != NULL && X509_CRL_set1_nextUpdate(crl, t) == 1);
    MADE(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0 && PEM_write_bio_X509_CRL(bio, crl) == 1);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return bio_text(bio);
}

static size_t anchors_at(struct fixture *f, cs_time when, size_t *crls)
{
    const ks_snapshot *s = read_snapshot(f);
    ks_anchor_set set;
    MADE(ks_anchors(s, "receiver-ca", when, &set) == 0);
    ks_snapshot_release(s); /* the set outlives it */
    size_t n = (size_t)sk_X509_num(set.certificate);
    *crls = (size_t)sk_X509_CRL_num(set.crl);
    ks_anchors_clear(&set);
    return n;
}

static void test_anchors_come_with_their_lists(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made ca[2] = {make_certificate(&(struct recipe){.cn = "Receiver CA", .ca = true}),
                         make_certificate(&(struct recipe){.cn = "Receiver CA", .ca = true})};
    size_t crls = 9;
    CU_ASSERT_EQUAL(anchors_at(&f, NOW, &crls), 0);
    CU_ASSERT_EQUAL(crls, 0);
    for (size_t i = 0; i < 2; i++) {
        ks_add a = adding(KS_TRUST_ANCHOR, NULL, "receiver-ca", &ca[i], true);
        MADE(add_at(&f, &a, NOW - CS_DAY) == 0);
    }
    CU_ASSERT_EQUAL(anchors_at(&f, NOW, &crls), 2);
    CU_ASSERT_EQUAL(crls, 0);
    uint64_t without = version_of(&f, "receiver-ca", NOW);

    char *pem = crl_of(&ca[1], NOW - CS_DAY, NOW + CS_DAY);
    ks_crl_info info;
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_crl(f.s, "receiver-ca", pem, strlen(pem), false, &actor, NOW, &info, &f.e)), 0);
    free(pem);
    CU_ASSERT_EQUAL(anchors_at(&f, NOW, &crls), 2);
    CU_ASSERT_EQUAL(crls, 1);
    CU_ASSERT_NOT_EQUAL(version_of(&f, "receiver-ca", NOW), without);

    MADE(act_at(&f, KS_DO_DEACTIVATE, "receiver-ca", 2, NOW) == 0);
    CU_ASSERT_EQUAL(anchors_at(&f, NOW + 1, &crls), 2);
    uint64_t waiting = version_of(&f, "receiver-ca", NOW + 1);
    /* past its process stop it anchors no more, and its list goes with it: by comparison, nobody wrote anything */
    CU_ASSERT_EQUAL(anchors_at(&f, NOW + 91 * CS_DAY, &crls), 1);
    CU_ASSERT_EQUAL(crls, 0);
    CU_ASSERT_NOT_EQUAL(version_of(&f, "receiver-ca", NOW + 91 * CS_DAY), waiting);
    MADE(act_at(&f, KS_DO_SUSPEND, "receiver-ca", 1, NOW + 2) == 0);
    CU_ASSERT_EQUAL(anchors_at(&f, NOW + 3, &crls), 1);
    made_free(&ca[0]);
    made_free(&ca[1]);
    fixture_close(&f);
}

static void test_client_certificate_stands_for_its_user(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made one = make_certificate(&(struct recipe){.cn = "sender"});
    struct made two = make_certificate(&(struct recipe){.cn = "sender"});
    ks_add a = adding(KS_AUTHZ_CLIENT, NULL, "senders", &one, true);
    ks_add b = adding(KS_AUTHZ_CLIENT, NULL, "senders", &two, true);
    MADE(add_at(&f, &a, NOW) == 0 && add_at(&f, &b, NOW) == 0);
    MADE(sql(&f, "insert into mapping(route,user,kind,entry_id,from_ts) values"
                 "('','orders-sender','certificate',1,1),('','audit','certificate',1,1);"
                 "insert into mapping(route,user,kind,entry_id,from_ts,to_ts) values"
                 "('','orders-sender','certificate',2,1,2);") == SQLITE_OK);
    const ks_snapshot *s = read_snapshot(&f);
    const ks_entry *e = ks_snapshot_slot(s, "senders");
    ks_client c;
    CU_ASSERT_TRUE_FATAL(ks_mapping(s, ks_entry_sha256(e), "orders-sender", &c));
    CU_ASSERT_STRING_EQUAL(c.user, "orders-sender");
    CU_ASSERT_PTR_EQUAL(c.entry, e);
    CU_ASSERT_TRUE(c.accepted);
    CU_ASSERT_TRUE_FATAL(ks_mapping(s, ks_entry_sha256(e), NULL, &c));
    CU_ASSERT_STRING_EQUAL(c.user, "audit");
    CU_ASSERT_FALSE(ks_mapping(s, ks_entry_sha256(e), "somebody", &c));
    CU_ASSERT_PTR_NULL(c.user);
    CU_ASSERT_FALSE(ks_mapping(s, ks_entry_sha256(e + 1), NULL, &c)); /* its row was retired */
    ks_snapshot_release(s);

    /* the last certificate of a user stays, until another one stands for the same */
    CU_ASSERT_EQUAL(act_at(&f, KS_DO_SUSPEND, "senders", 1, NOW + 1), CS_EXIT_GUARD);
    CU_ASSERT_EQUAL(f.out.refusal[0].guard, KS_G3_LAST_ACCEPTABLE);
    MADE(sql(&f, "insert into mapping(route,user,kind,entry_id,from_ts) values"
                 "('','orders-sender','certificate',2,1),('','audit','certificate',2,1);") == SQLITE_OK);
    MADE(act_at(&f, KS_DO_SUSPEND, "senders", 1, NOW + 1) == 0);
    s = read_snapshot(&f);
    e = ks_snapshot_slot(s, "senders");
    CU_ASSERT_TRUE_FATAL(ks_mapping(s, ks_entry_sha256(e), "audit", &c));
    CU_ASSERT_FALSE(c.accepted);
    CU_ASSERT_EQUAL(c.state, KS_SUSPENDED);
    ks_snapshot_release(s);
    made_free(&one);
    made_free(&two);
    fixture_close(&f);
}

static void test_names_let_in_on_their_route_only(void)
{
    struct fixture f;
    fixture_open(&f);
    struct made ca = make_certificate(&(struct recipe){.cn = "Senders CA", .ca = true});
    struct made in = make_certificate(&(struct recipe){.cn = "sender", .o = "ACME", .issuer = &ca});
    struct made other = make_certificate(&(struct recipe){.cn = "sender", .o = "ACME"});
    MADE(sql(&f, "insert into mapping(route,kind,subject_dn,issuer_dn,from_ts) values"
                 "('orders','names','CN=sender,O=ACME','CN=Senders CA',1)") == SQLITE_OK);
    const ks_snapshot *s = read_snapshot(&f);
    CU_ASSERT_EQUAL(ks_mapping_rule(s, "orders", in.x), 1);
    CU_ASSERT_EQUAL(ks_mapping_rule(s, "invoices", in.x), 0);
    CU_ASSERT_EQUAL(ks_mapping_rule(s, "orders", other.x), 0);
    ks_snapshot_release(s);
    /* a row that cannot be read is not a row that lets in */
    MADE(sql(&f, "update mapping set subject_dn='no name at all'") == SQLITE_OK);
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_snapshot_read(f.s, NOW, &s, &f.e)), CS_EXIT_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "mapping retire 1"));
    made_free(&ca);
    made_free(&in);
    made_free(&other);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"active_entry_has_certificate_chain_and_key", test_active_entry_has_certificate_chain_and_key},
    {"server_slot_presents_one_per_key_type", test_server_slot_presents_one_per_key_type},
    {"version_changes_exactly_with_the_material", test_version_changes_exactly_with_the_material},
    {"anchors_come_with_their_lists", test_anchors_come_with_their_lists},
    {"client_certificate_stands_for_its_user", test_client_certificate_stands_for_its_user},
    {"names_let_in_on_their_route_only", test_names_let_in_on_their_route_only},
    {NULL, NULL},
};
