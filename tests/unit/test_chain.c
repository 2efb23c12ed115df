/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_chain.c: certificates that only a message brings: chains to named anchors, names, CRLs. The authorities are made
 * at run time: root -> issuing CA -> signer; "look-alikes" bear the same names with other keys.
 */
#include "keystore/audit.h"
#include "keystore/live.h"
#include "tests/unit/keystore_fixture.h"

const char *const harness_suite = "chain";

static struct made root, issuing, leaf, evil_root, evil_issuing, evil_leaf;

static struct made authority(const char *cn, const struct made *issuer)
{
    return make_certificate(&(struct recipe){.cn = cn, .o = "ACME", .issuer = issuer, .ca = true, .ski = true});
}

static struct made signer(const char *o, const struct made *issuer)
{
    return make_certificate(
        &(struct recipe){.cn = "signer", .o = o, .issuer = issuer, .key_usage = "digitalSignature"});
}

int harness_setup(void)
{
    root = authority("ACME Root", NULL);
    issuing = authority("ACME Issuing CA", &root);
    leaf = signer("ACME Ltd", &issuing);
    evil_root = authority("ACME Root", NULL);
    evil_issuing = authority("ACME Issuing CA", &evil_root);
    evil_leaf = signer("ACME Ltd", &evil_issuing);
    return 0;
}

int harness_teardown(void)
{
    struct made *all[] = {&root, &issuing, &leaf, &evil_root, &evil_issuing, &evil_leaf};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        made_free(all[i]);
    }
    return 0;
}

/* ---- short forms ---------------------------------------------------------------------------------------------- */

static ks_chain_rule rule_of(const char *anchor, const char *subject, const char *issuer)
{
    ks_chain_rule r = {.n_anchor = 1, .subject = cs_dn_rule_parse(subject), .issuer = cs_dn_rule_parse(issuer)};
    snprintf(r.anchor[0], sizeof r.anchor[0], "%s", anchor);
    MADE(r.subject != NULL && r.issuer != NULL);
    return r;
}

static void rule_free(ks_chain_rule *r)
{
    cs_dn_free(r->subject);
    cs_dn_free(r->issuer);
}

static ks_octets der_of(const struct made *m)
{
    uint8_t *der = NULL;
    int n = i2d_X509(m->x, &der);
    MADE(n > 0);
    return (ks_octets){der, (size_t)n};
}

static void octets_free(ks_octets *o)
{
    OPENSSL_free((void *)(uintptr_t)o->p);
}

static void anchor_add(struct fixture *f, const char *alias, const struct made *m)
{
    ks_add a = adding(KS_TRUST_ANCHOR, NULL, alias, m, true);
    MADE(add_at(f, &a, NOW - CS_DAY) == 0);
}

struct judged {
    int rc;
    ks_chain_verdict v;
    const ks_snapshot *s;
};

static struct judged judge_by(struct fixture *f, const ks_chain_rule *r, const struct made *m, const struct made *other,
                              cs_time when)
{
    struct judged j = {0};
    ks_octets one = der_of(m);
    ks_octets path = other != NULL ? der_of(other) : (ks_octets){NULL, 0};
    MADE(ks_snapshot_read(f->s, NOW, &j.s, &f->e) == 0);
    j.rc = ks_chain_judge(j.s, r, one, &path, other != NULL, when, &j.v);
    octets_free(&one);
    octets_free(&path);
    return j;
}

static void judged_free(struct judged *j)
{
    ks_chain_clear(&j->v);
    ks_snapshot_release(j->s);
}

#define BROKEN ((int)KS_CHAIN_BROKEN)
#define GOOD   ((int)KS_CHAIN_GOOD)

/** Under the usual rule; -1: nothing to judge. */
static int outcome(struct fixture *f, const char *anchor, const struct made *m, const struct made *other, cs_time when)
{
    ks_chain_rule r = rule_of(anchor, "O=ACME*", "CN=ACME Issuing CA,O=ACME");
    struct judged j = judge_by(f, &r, m, other, when);
    int how = j.rc == 0 ? (int)j.v.outcome : -1;
    judged_free(&j);
    rule_free(&r);
    return how;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *name;
    bool fits;
} name_rows[] = {
    {"O=ACME*", "CN=signer,O=ACME Ltd,C=DE", true},
    {"O=ACME*", "CN=signer,O=acme", true},
    {"O=ACME*", "CN=signer,O=The ACME", false},
    {"O=*ACME", "CN=signer,O=The ACME", true},
    {"O=A*M*", "CN=x,O=Allen Moore", true},
    {"O=A*b*c", "CN=x,O=Abbcbc", true},
    {"O=A*b*c", "CN=x,O=Abbcbd", false},
    {"O=*", "CN=x,O=", true},
    {"O=*", "CN=x", false},
    /* what looks like the rule inside another value */
    {"O=ACME*", "CN=O\\=ACME,O=Evil", false},
    {"O=ACME*", "CN=x\\,O\\=ACME", false},
    {"CN=signer*", "CN=signer\\,O\\=ACME,O=Evil", true},
    {"CN=signer*,O=ACME", "CN=signer\\,O\\=ACME,O=Evil", false},
    {"CN=signer*,O=ACME", "CN=signer\\,O\\=ACME", false},
    /* the same type twice: which one counts would be a matter of taste */
    {"O=ACME*", "CN=x,O=ACME,O=Evil", false},
    {"O=ACME*", "CN=x,O=Evil,O=ACME", false},
    {"O=ACME,O=Evil", "CN=x,O=ACME,O=Evil", true},
    {"O=ACME*", "CN=x+O=ACME", false},
    {"CN=x+O=ACME*", "O=ACME Ltd+CN=x", true},
    /* order is part of a permission */
    {"CN=x,O=ACME", "CN=x,OU=a,O=ACME", true},
    {"CN=x,O=ACME", "O=ACME,OU=a,CN=x", false},
    {"O=ACME,CN=x", "O=ACME,CN=x", true},
    /* an escaped star is a star */
    {"CN=\\*.acme.example", "CN=*.acme.example", true},
    {"CN=\\*.acme.example", "CN=www.acme.example", false},
    {"CN=\"*.acme.example\"", "CN=www.acme.example", true},
    {"CN=\\2a", "CN=evil", false},
    {"/O=ACME*/CN=x", "CN=x,O=ACME Ltd", true},
};

static void test_names(void)
{
    for (size_t i = 0; i < sizeof name_rows / sizeof name_rows[0]; i++) {
        cs_dn *rule = cs_dn_rule_parse(name_rows[i].rule);
        cs_dn *name = cs_dn_parse(name_rows[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_PTR_NOT_NULL_FATAL(name);
        bool fits = cs_dn_fits(rule, name);
        if (fits != name_rows[i].fits) {
            printf("  # %s over %s\n", name_rows[i].rule, name_rows[i].name);
        }
        CU_ASSERT_EQUAL(fits, name_rows[i].fits);
        cs_dn_free(rule);
        cs_dn_free(name);
    }
    static const char *const none[] = {"", "ACME*", "*", "*=ACME", "O=ACME,", "O=a\\01b", "O=a\x01"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        cs_dn *rule = cs_dn_rule_parse(none[i]);
        CU_ASSERT_PTR_NULL(rule);
        cs_dn_free(rule);
    }
}

/* ---- chains --------------------------------------------------------------------------------------------------- */

static void test_good(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "acme-issuing", &issuing);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW), GOOD);
    CU_ASSERT_EQUAL(outcome(&f, "acme-issuing", &leaf, NULL, NOW), GOOD); /* an anchor need not be a root */
    ks_chain_rule r = rule_of("acme-root", "O=ACME*", "CN=ACME Issuing CA*");
    struct judged j = judge_by(&f, &r, &leaf, &issuing, NOW);
    CU_ASSERT_EQUAL_FATAL(j.rc, 0);
    CU_ASSERT_STRING_EQUAL(j.v.text, "chain to acme-root#1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(j.v.anchor);
    CU_ASSERT_STRING_EQUAL(ks_entry_alias(j.v.anchor), "acme-root");
    CU_ASSERT_EQUAL(j.v.state, KS_ACTIVE);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(j.v.key, leaf.key), 1);
    CU_ASSERT_EQUAL(j.v.revoked_at, 0);
    judged_free(&j);
    rule_free(&r);
    fixture_close(&f);
}

static void test_broken(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "other", &evil_root);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, NULL, NOW), BROKEN);               /* issuing CA is not there */
    CU_ASSERT_EQUAL(outcome(&f, "other", &leaf, &issuing, NOW), BROKEN);               /* wrong anchor */
    CU_ASSERT_EQUAL(outcome(&f, "nobody", &leaf, &issuing, NOW), BROKEN);              /* no such anchor */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &evil_leaf, &evil_issuing, NOW), BROKEN); /* look-alike hierarchy */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &evil_leaf, &issuing, NOW), BROKEN);      /* look-alike issuer */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &evil_issuing, NOW), BROKEN);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &evil_leaf, &evil_root, NOW), BROKEN); /* it brings its own root */
    struct made self = signer("ACME Ltd", NULL);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &self, NULL, NOW), BROKEN);
    /* a signer's certificate issues no further one */
    struct made below = signer("ACME Ltd", &leaf);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &below, &leaf, NOW), BROKEN);
    struct made weak = make_certificate(&(struct recipe){.o = "ACME", .issuer = &issuing, .md = EVP_sha1()});
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &weak, &issuing, NOW), BROKEN);
    made_free(&self);
    made_free(&below);
    made_free(&weak);
    fixture_close(&f);
}

static void test_only_named_anchors(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "other", &evil_root);
    /* the verifier slot of that name is no anchor, and another partner's anchor is none of ours */
    struct made v = make_certificate(&(struct recipe){.ca = true});
    ks_add a = adding(KS_VERIFIER, "acme", "acme-sign", &v, true);
    MADE(add_at(&f, &a, NOW - CS_DAY) == 0);
    struct made under = signer("ACME", &v);
    CU_ASSERT_EQUAL(outcome(&f, "acme-sign", &under, NULL, NOW), BROKEN);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &evil_leaf, &evil_issuing, NOW), BROKEN);
    CU_ASSERT_EQUAL(outcome(&f, "other", &evil_leaf, &evil_issuing, NOW), GOOD);
    made_free(&v);
    made_free(&under);
    fixture_close(&f);
}

static void test_dates(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    struct made old = make_certificate(
        &(struct recipe){.o = "ACME", .issuer = &issuing, .from = NOW - 100 * CS_DAY, .to = NOW - CS_DAY});
    struct made old_ca = make_certificate(&(struct recipe){.cn = "ACME Issuing CA",
                                                           .o = "ACME",
                                                           .issuer = &root,
                                                           .ca = true,
                                                           .from = NOW - 100 * CS_DAY,
                                                           .to = NOW - 3600});
    struct made under = signer("ACME", &old_ca);
    ks_chain_rule r = rule_of("acme-root", "O=ACME*", "CN=ACME Issuing CA*");
    /* the dates of the signer's certificate have their own rules: the caller judges them */
    struct judged j = judge_by(&f, &r, &old, &issuing, NOW);
    CU_ASSERT_EQUAL(j.rc, 0);
    CU_ASSERT_EQUAL(j.v.outcome, KS_CHAIN_GOOD);
    CU_ASSERT_EQUAL(j.v.not_after, NOW - CS_DAY);
    CU_ASSERT_EQUAL(j.v.not_before, NOW - 100 * CS_DAY);
    judged_free(&j);
    rule_free(&r);
    /* those of an authority are part of the chain, at the instant that is asked for */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &under, &old_ca, NOW), BROKEN);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &under, &old_ca, NOW - 7200), GOOD);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW - 2 * CS_DAY), BROKEN); /* the anchor came later */
    made_free(&old);
    made_free(&old_ca);
    made_free(&under);
    fixture_close(&f);
}

static void test_no_question(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &issuing, NULL, NOW), -1); /* an authority signs no messages */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &root, NULL, NOW), -1);
    ks_chain_rule r = rule_of("acme-root", "O=*", "O=*");
    const ks_snapshot *s = NULL;
    ks_chain_verdict v;
    MADE(ks_snapshot_read(f.s, NOW, &s, &f.e) == 0);
    ks_octets good = der_of(&leaf);
    uint8_t *longer = malloc(good.n + 1);
    MADE(longer != NULL);
    memcpy(longer, good.p, good.n);
    longer[good.n] = 0;
    const ks_octets bad[] = {{NULL, 0}, {(const uint8_t *)"x", 1}, {good.p, good.n - 1}, {longer, good.n + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(ks_chain_judge(s, &r, bad[i], NULL, 0, NOW, &v), 1);
        CU_ASSERT_PTR_NULL(v.key);
    }
    /* what cannot be read beside it is passed over */
    ks_octets path[10] = {bad[1]};
    path[1] = der_of(&issuing);
    CU_ASSERT_EQUAL(ks_chain_judge(s, &r, good, path, 2, NOW, &v), 0);
    CU_ASSERT_EQUAL(v.outcome, KS_CHAIN_GOOD);
    ks_chain_clear(&v);
    octets_free(&path[1]);
    octets_free(&good);
    free(longer);
    ks_snapshot_release(s);
    rule_free(&r);
    fixture_close(&f);
}

static void test_subject_and_issuer(void)
{
    static const struct {
        const char *subject, *issuer;
        enum ks_chain expected;
        const char *word;
    } row[] = {
        {"O=ACME*", "CN=ACME Issuing CA,O=ACME", KS_CHAIN_GOOD, "chain"},
        {"CN=signer,O=ACME Ltd", "O=ACME", KS_CHAIN_GOOD, "chain"},
        {"O=Globex*", "CN=ACME Issuing CA,O=ACME", KS_CHAIN_SUBJECT_DENIED, "the subject"},
        {"O=ACME", "CN=ACME Issuing CA,O=ACME", KS_CHAIN_SUBJECT_DENIED, "the subject"},
        {"O=ACME*", "CN=ACME Root,O=ACME", KS_CHAIN_SUBJECT_DENIED, "the issuer"},
        {"OU=*", "O=*", KS_CHAIN_SUBJECT_DENIED, "the subject"},
    };
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        ks_chain_rule r = rule_of("acme-root", row[i].subject, row[i].issuer);
        struct judged j = judge_by(&f, &r, &leaf, &issuing, NOW);
        CU_ASSERT_EQUAL(j.rc, 0);
        CU_ASSERT_EQUAL(j.v.outcome, row[i].expected);
        CU_ASSERT_EQUAL(strncmp(j.v.text, row[i].word, strlen(row[i].word)), 0);
        judged_free(&j);
        rule_free(&r);
    }
    fixture_close(&f);
}

/* Two authorities of one name: a roll-over of the CA's key. Leaves carry no key identifier that could tell them apart.
 */
static void test_anchors_of_one_name(void)
{
    struct made old_ca = make_certificate(&(struct recipe){.cn = "ACME Issuing CA", .o = "ACME", .ca = true});
    struct made new_ca = make_certificate(&(struct recipe){.cn = "ACME Issuing CA", .o = "ACME", .ca = true});
    struct made old_leaf = signer("ACME", &old_ca);
    struct made new_leaf = signer("ACME", &new_ca);
    for (int turned = 0; turned < 2; turned++) {
        struct fixture f;
        fixture_open(&f);
        anchor_add(&f, "acme-ca", turned ? &new_ca : &old_ca);
        anchor_add(&f, "acme-ca", turned ? &old_ca : &new_ca);
        CU_ASSERT_EQUAL(outcome(&f, "acme-ca", &old_leaf, NULL, NOW), GOOD);
        CU_ASSERT_EQUAL(outcome(&f, "acme-ca", &new_leaf, NULL, NOW), GOOD);
        fixture_close(&f);
    }
    made_free(&old_ca);
    made_free(&new_ca);
    made_free(&old_leaf);
    made_free(&new_leaf);
}

static void test_anchor_states(void)
{
    struct fixture f;
    fixture_open(&f);
    ks_add a = adding(KS_TRUST_ANCHOR, NULL, "acme-root", &root, false);
    MADE(add_at(&f, &a, NOW - CS_DAY) == 0);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW), BROKEN); /* pre-active */
    MADE(act_at(&f, KS_DO_ACTIVATE, "acme-root", 1, NOW - 100) == 0);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW), GOOD);
    MADE(act_at(&f, KS_DO_SUSPEND, "acme-root", 1, NOW - 90) == 0);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW), BROKEN);
    MADE(act_at(&f, KS_DO_RESUME, "acme-root", 1, NOW - 80) == 0);
    MADE(act_at(&f, KS_DO_DEACTIVATE, "acme-root", 1, NOW - 70) == 0);
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW), GOOD); /* retention holds for anchors too */
    CU_ASSERT_EQUAL(outcome(&f, "acme-root", &leaf, &issuing, NOW + 91 * CS_DAY), BROKEN);
    fixture_close(&f);
}

/* The key is what was compromised, in whatever slot and under whatever certificate. */
static void test_compromised_key(void)
{
    struct fixture f;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    struct made twin = make_certificate(&(struct recipe){.key = leaf.key});
    ks_add a = adding(KS_VERIFIER, "globex", "globex-sign", &twin, true);
    MADE(add_at(&f, &a, NOW - CS_DAY) == 0);
    MADE(sql(&f, "update entry set state='compromised', compromised_since=1780000000 where state='active' and "
                 "slot_id=(select slot_id from slot where alias='globex-sign')") == SQLITE_OK);
    ks_chain_rule r = rule_of("acme-root", "O=ACME*", "O=ACME");
    struct judged j = judge_by(&f, &r, &leaf, &issuing, NOW);
    CU_ASSERT_EQUAL(j.v.state, KS_COMPROMISED);
    CU_ASSERT_EQUAL(j.v.compromised_since, 1780000000);
    judged_free(&j);
    rule_free(&r);
    made_free(&twin);
    fixture_close(&f);
}

/* ---- revocation ----------------------------------------------------------------------------------------------- */

struct list {
    const struct made *issuer;
    cs_time from, to; /**< to 0: not said */
    const struct made *revoked;
    cs_time revoked_at;
    bool delta;
};

/** @return PEM, owned by the caller */
static char *make_list(const struct list *l)
{
    X509_CRL *x = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, l->from);
    MADE(x != NULL && t != NULL && X509_CRL_set_version(x, 1) == 1);
    MADE(X509_CRL_set_issuer_name(x, X509_get_subject_name(l->issuer->x)) == 1 && X509_CRL_set1_lastUpdate(x, t) == 1);
    if (l->to != 0) {
        MADE(ASN1_TIME_set(t, l->to) != NULL && X509_CRL_set1_nextUpdate(x, t) == 1);
    }
    if (l->revoked != NULL) {
        X509_REVOKED *row = X509_REVOKED_new();
        MADE(row != NULL && ASN1_TIME_set(t, l->revoked_at) != NULL && X509_REVOKED_set_revocationDate(row, t) == 1);
        MADE(X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(l->revoked->x)) == 1 &&
             X509_CRL_add0_revoked(x, row) == 1);
    }
    if (l->delta) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        MADE(base != NULL && ASN1_INTEGER_set(base, 1) == 1);
        MADE(X509_CRL_add1_ext_i2d(x, NID_delta_crl, base, 1, 0) == 1);
        ASN1_INTEGER_free(base);
    }
    MADE(X509_CRL_sort(x) == 1 && X509_CRL_sign(x, l->issuer->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    MADE(bio != NULL && PEM_write_bio_X509_CRL(bio, x) == 1);
    ASN1_TIME_free(t);
    X509_CRL_free(x);
    return bio_text(bio);
}

static int list_add(struct fixture *f, const char *alias, const struct list *l, bool dry_run)
{
    ks_crl_info info;
    char *pem = make_list(l);
    int rc = EXIT_OF(f, ks_add_crl(f->s, alias, pem, strlen(pem), dry_run, &actor, NOW, &info, &f->e));
    free(pem);
    return rc;
}

static cs_time revoked_at(struct fixture *f, bool require, cs_time when, enum ks_chain *how)
{
    ks_chain_rule r = rule_of("acme-root", "O=ACME*", "O=ACME");
    r.crl_require = require;
    struct judged j = judge_by(f, &r, &leaf, &issuing, when);
    cs_time at = j.v.revoked_at;
    *how = j.v.outcome;
    CU_ASSERT_EQUAL(j.rc, 0);
    judged_free(&j);
    rule_free(&r);
    return at;
}

static void test_revoked(void)
{
    struct fixture f;
    enum ks_chain how = KS_CHAIN_BROKEN;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "acme-issuing", &issuing);
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW, &how), 0);
    struct list l = {&issuing, NOW - CS_DAY, NOW + CS_DAY, &leaf, NOW - 3600, false};
    uint64_t before = ks_generation(f.s);
    CU_ASSERT_EQUAL(list_add(&f, "acme-issuing", &l, true), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), before);
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW, &how), 0); /* a dry run changes nothing */
    CU_ASSERT_EQUAL(list_add(&f, "acme-issuing", &l, false), 0);
    CU_ASSERT_EQUAL(ks_generation(f.s), before + 1);
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW, &how), NOW - 3600);
    CU_ASSERT_EQUAL(how, KS_CHAIN_GOOD);                                         /* the caller compares the instant */
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW + 30 * CS_DAY, &how), NOW - 3600); /* a stale list revokes all the same */
    /* the next list no longer has it: that one counts */
    struct list next = {&issuing, NOW - 100, NOW + 2 * CS_DAY, NULL, 0, false};
    CU_ASSERT_EQUAL(list_add(&f, "acme-issuing", &next, false), 0);
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW, &how), 0);
    /* an authority on the way */
    struct list up = {&root, NOW - CS_DAY, NOW + CS_DAY, &issuing, NOW - 50, false};
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &up, false), 0);
    CU_ASSERT_EQUAL(revoked_at(&f, false, NOW, &how), NOW - 50);
    char text[256] = "";
    uint64_t rows = 0;
    CU_ASSERT_EQUAL(ks_audit_verify(f.s, &rows, text, sizeof text, &f.e), 0);
    fixture_close(&f);
}

static void test_crl_required(void)
{
    struct fixture f;
    enum ks_chain how = KS_CHAIN_BROKEN;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "acme-issuing", &issuing);
    (void)revoked_at(&f, true, NOW, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_CRL_MISSING);
    struct list l = {&issuing, NOW - CS_DAY, NOW + CS_DAY, NULL, 0, false};
    MADE(list_add(&f, "acme-issuing", &l, false) == 0);
    (void)revoked_at(&f, true, NOW, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_CRL_MISSING); /* nothing is known of the issuing CA itself */
    struct list up = {&root, NOW - CS_DAY, NOW + CS_DAY, NULL, 0, false};
    MADE(list_add(&f, "acme-root", &up, false) == 0);
    (void)revoked_at(&f, true, NOW, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_GOOD);
    (void)revoked_at(&f, true, NOW + CS_DAY, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_GOOD);
    (void)revoked_at(&f, true, NOW + CS_DAY + 1, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_CRL_MISSING); /* stale */
    (void)revoked_at(&f, false, NOW + CS_DAY + 1, &how);
    CU_ASSERT_EQUAL(how, KS_CHAIN_GOOD);
    fixture_close(&f);
}

static void test_list_refused(void)
{
    struct fixture f;
    ks_crl_info info;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    struct made v = add_verifier(&f, "acme-sign", NOW - CS_DAY);
    struct list good = {&root, NOW - CS_DAY, NOW + CS_DAY, NULL, 0, false};
    struct list look_alike = {&evil_root, NOW - CS_DAY, NOW + CS_DAY, &issuing, NOW - 50, false};
    struct list below = {&issuing, NOW - CS_DAY, NOW + CS_DAY, NULL, 0, false};
    struct list delta = {&root, NOW - CS_DAY, NOW + CS_DAY, NULL, 0, true};
    struct list future = {&root, NOW + CS_DAY, NOW + 2 * CS_DAY, NULL, 0, false};
    struct list older = {&root, NOW - 2 * CS_DAY, NOW + CS_DAY, NULL, 0, false};
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &look_alike, false), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &below, false), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &delta, false), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &future, false), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(list_add(&f, "acme-sign", &good, false), CS_EXIT_USAGE);
    CU_ASSERT_EQUAL(list_add(&f, "acme-rot", &good, false), CS_EXIT_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.e.text, "did you mean acme-root?"));
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &good, false), 0);
    CU_ASSERT_EQUAL(list_add(&f, "acme-root", &older, false), CS_EXIT_CONFLICT);
    char *pem = make_list(&good);
    MADE(ks_add_crl(f.s, "acme-root", pem, strlen(pem), false, &actor, NOW, &info, &f.e) ==
         0); /* of the same instant */
    CU_ASSERT_EQUAL(EXIT_OF(&f, ks_add_crl(f.s, "acme-root", pem, strlen(pem), false, &actor, NOW, &info, &f.e)),
                    CS_EXIT_CONFLICT);
    free(pem);
    const char *junk[] = {"", "junk", root.pem, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        CU_ASSERT_EQUAL(
            EXIT_OF(&f, ks_add_crl(f.s, "acme-root", junk[i], strlen(junk[i]), false, &actor, NOW, &info, &f.e)),
            CS_EXIT_USAGE);
        CU_ASSERT_STRING_EQUAL(f.e.reason, "not-a-crl");
    }
    made_free(&v);
    fixture_close(&f);
}

/* A process that follows the store heeds a list as soon as it is there, without parsing what it has. */
static void test_followed(void)
{
    struct fixture f;
    ks_live *live = NULL;
    fixture_open(&f);
    anchor_add(&f, "acme-root", &root);
    anchor_add(&f, "acme-issuing", &issuing);
    MADE(ks_live_open(&live, f.uri, NULL, NOW, &f.e) == 0);
    struct list l = {&issuing, NOW - CS_DAY, NOW + CS_DAY, &leaf, NOW - 3600, false};
    MADE(list_add(&f, "acme-issuing", &l, false) == 0);
    ks_chain_rule r = rule_of("acme-root", "O=ACME*", "O=ACME");
    ks_octets one = der_of(&leaf);
    ks_octets path = der_of(&issuing);
    for (int generation = 0; generation < 2; generation++) {
        ks_chain_verdict v;
        CU_ASSERT_EQUAL(ks_live_step(live, 1000, NOW, &f.e), 1);
        const ks_snapshot *s = ks_live_get(live);
        CU_ASSERT_EQUAL(ks_chain_judge(s, &r, one, &path, 1, NOW, &v), 0);
        CU_ASSERT_EQUAL(v.revoked_at, NOW - 3600);
        ks_chain_clear(&v);
        ks_snapshot_release(s);
        struct made more = add_verifier(&f, "acme-sign", NOW);
        made_free(&more);
    }
    octets_free(&one);
    octets_free(&path);
    rule_free(&r);
    ks_live_close(live);
    fixture_close(&f);
}

const struct harness_test harness_tests[] = {
    {"a name fits a rule RDN by RDN, stars within one value", test_names},
    {"a chain to a named anchor, root or not", test_good},
    {"no chain: missing, wrong, look-alike, self-made or weak issuers", test_broken},
    {"only the named slots of role trust-anchor are anchors", test_only_named_anchors},
    {"dates: the signer's are left to the caller, an authority's belong to the chain", test_dates},
    {"authorities, octets that are no certificate: nothing to judge", test_no_question},
    {"subject and issuer must both fit", test_subject_and_issuer},
    {"two anchors of one name, in either order", test_anchors_of_one_name},
    {"an anchor counts while it is active or deactivated", test_anchor_states},
    {"a compromised key is one under any certificate", test_compromised_key},
    {"a certificate on a list, its issuer on a list, a later list without it", test_revoked},
    {"crl require: missing and stale lists", test_crl_required},
    {"lists of others, partial, older, future, none at all", test_list_refused},
    {"a list is in force in a process that follows, and stays so", test_followed},
    {NULL, NULL},
};
