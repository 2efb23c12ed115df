/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle_read.c: a bundle as a snapshot. Its rows are shown to the builder of snapshots as a database would show them,
 * so that they mean what they meant in the keystore they come from. Certificates speak for themselves: of what the
 * bundle says of them only life and times are taken.
 */
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/checkpoint.h"
#include "keystore/crl.h"
#include "keystore/entry.h"

struct ks_backend {
    json_t *root; /* owned */
    uint64_t generation, audit_seq;
    uint8_t audit_hash[32];
};

static int wrong(cs_error *e, const char *what, size_t at)
{
    return cs_error_set(e, CS_EXIT_CONFIG, "bundle-corrupt",
                        "the bundle is not right in itself: %s of number %zu; ask for it again", what, at);
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* null, or not there: 0. @return false: another kind, or no time */
static bool take_time(const json_t *o, const char *name, cs_time *t)
{
    const json_t *value = json_object_get(o, name);
    *t = 0;
    return value == NULL || json_is_null(value) ||
           (json_is_string(value) && cs_time_parse(json_string_value(value), t) == 0);
}

static bool take_word(const json_t *o, const char *name, char *out, size_t size, bool needed)
{
    const char *text = json_string_value(json_object_get(o, name));
    out[0] = '\0';
    return text != NULL ? cs_copy(out, size, text) : !needed && !json_is_string(json_object_get(o, name));
}

static bool take_hash(const json_t *o, const char *name, uint8_t out[32])
{
    const char *text = json_string_value(json_object_get(o, name));
    return text != NULL && strlen(text) == 64 && cs_unhex(text, out, 32) == 0;
}

static bool take_number(const json_t *o, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(o, name);
    *out = json_is_integer(value) && json_integer_value(value) >= 0 ? (uint64_t)json_integer_value(value) : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* ---- as a database ---------------------------------------------------------------------------------------------- */

static int begin(struct ks_backend *b, enum ks_access access, cs_error *e)
{
    (void)b;
    (void)e;
    return access == KS_READ ? 0 : -1;
}

static void rollback(struct ks_backend *b)
{
    (void)b;
}

static int generation(struct ks_backend *b, uint64_t *gen, cs_error *e)
{
    (void)e;
    *gen = b->generation;
    return 0;
}

static int audit_head(struct ks_backend *b, uint64_t *seq, uint8_t hash[32], cs_error *e)
{
    (void)e;
    *seq = b->audit_seq;
    memcpy(hash, b->audit_hash, sizeof b->audit_hash);
    return 0;
}

static int meta_get(struct ks_backend *b, const char *key, char *out, size_t size, cs_error *e)
{
    (void)b;
    (void)key;
    (void)out;
    (void)size;
    (void)e;
    return 0;
}

static int partners(struct ks_backend *b, ks_visit_partner *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

static int mappings(struct ks_backend *b, ks_visit_mapping *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

static int holds(struct ks_backend *b, ks_visit_hold *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

/* A share of requests is signed; nobody signs with a bundle. */
static int canaries(struct ks_backend *b, int64_t slot_id, ks_visit_canary *visit, void *ctx, cs_error *e)
{
    (void)b;
    (void)slot_id;
    (void)visit;
    (void)ctx;
    (void)e;
    return 0;
}

/* The certificate with its issuers behind it, as one text. */
static int read_certificates(const json_t *o, struct ks_certificate *c, cs_error *e)
{
    const char *own = json_string_value(json_object_get(o, "certificate"));
    const char *issuers = json_string_value(json_object_get(o, "issuers"));
    cs_buf text = CS_BUF_INIT;
    int rc = own != NULL && cs_buf_addf(&text, "%s%s", own, issuers != NULL ? issuers : "") == 0
                 ? ks_certificate_read(text.data, text.len, c, e)
                 : -1;
    cs_buf_free(&text);
    return rc;
}

static bool fill_row(const json_t *o, size_t at, const struct ks_certificate *c, struct ks_row *row)
{
    ks_info *i = &row->info;
    char name[KS_WORD + 12];
    char word[32];
    char entry[sizeof name];
    uint8_t sha256[32];
    const char *mark = NULL;
    *row = (struct ks_row){.entry_id = (int64_t)at + 1, .slot_id = (int64_t)at + 1};
    if (!take_word(o, "alias", i->alias, sizeof i->alias, true) || !take_word(o, "entry", name, sizeof name, true) ||
        !take_word(o, "partner", i->partner, sizeof i->partner, false) || (mark = strrchr(name, '#')) == NULL) {
        return false;
    }
    i->n = (unsigned)strtoul(mark + 1, NULL, 10);
    (void)snprintf(entry, sizeof entry, "%s#%u", i->alias, i->n);
    if (i->n == 0 || strcmp(entry, name) != 0 || !take_word(o, "role", word, sizeof word, true) ||
        ks_role_parse(word, &i->role) != 0 || !take_word(o, "state", word, sizeof word, true) ||
        ks_state_parse(word, &i->state) != 0 || !take_hash(o, "sha256", sha256) ||
        memcmp(sha256, c->sha256, sizeof sha256) != 0 || !take_time(o, "activated_at", &i->activated_at) ||
        !take_time(o, "exchanged_at", &i->exchanged_at) || !take_time(o, "process_stop", &i->process_stop) ||
        !take_time(o, "compromised_since", &row->compromised_since)) {
        return false;
    }
    i->state = i->state == KS_DESTROYED ? KS_ARCHIVED : i->state; /* its spans say when it counted */
    memcpy(i->sha256, c->sha256, sizeof i->sha256);
    memcpy(i->spki_sha256, c->spki_sha256, sizeof i->spki_sha256);
    (void)cs_copy(i->serial, sizeof i->serial, c->serial);
    i->not_before = c->not_before;
    i->not_after = c->not_after;
    memcpy(row->sha1, c->sha1, sizeof row->sha1);
    memcpy(row->ski, c->ski, c->ski_len);
    row->ski_len = c->ski_len;
    row->der = c->der;
    row->der_len = c->der_len;
    row->chain = c->chain;
    row->chain_len = c->chain_len;
    return true;
}

static int rows(struct ks_backend *b, const struct ks_row_filter *f, ks_visit_row *visit, void *ctx, cs_error *e)
{
    const json_t *all = json_object_get(b->root, "entries");
    const json_t *o = NULL;
    size_t at = 0;
    int rc = 0;
    (void)f;
    json_array_foreach(all, at, o)
    {
        struct ks_certificate c;
        struct ks_row row;
        cs_error why = {0};
        memset(&c, 0, sizeof c);
        rc = read_certificates(o, &c, &why) != 0 || !fill_row(o, at, &c, &row) ? wrong(e, "entry", at)
                                                                               : visit(ctx, &row, e);
        cs_error_clear(&why);
        ks_certificate_free(&c);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool take_span(const json_t *o, struct ks_interval *i)
{
    char word[24];
    int c = 0;
    if (!take_word(o, "capability", word, sizeof word, true) || !take_time(o, "from", &i->from) ||
        !take_time(o, "to", &i->to) || json_is_null(json_object_get(o, "from"))) {
        return false;
    }
    while (c < KS_CAPABILITIES && strcmp(ks_capability_word((enum ks_capability)c), word) != 0) {
        c++;
    }
    i->capability = (enum ks_capability)c;
    i->to = json_is_null(json_object_get(o, "to")) ? KS_FOREVER : i->to;
    return c < KS_CAPABILITIES && i->from < i->to;
}

static int intervals(struct ks_backend *b, int64_t entry_id, uint64_t version_above, ks_visit_interval *visit,
                     void *ctx, cs_error *e)
{
    const json_t *all = json_object_get(b->root, "entries");
    const json_t *o = NULL;
    size_t at = 0;
    (void)entry_id; /* all are asked for */
    (void)version_above;
    json_array_foreach(all, at, o)
    {
        const json_t *spans = json_object_get(o, "accepted");
        const json_t *one = NULL;
        size_t k = 0;
        if (!json_is_array(spans)) {
            return wrong(e, "entry", at);
        }
        json_array_foreach(spans, k, one)
        {
            struct ks_interval i = {.entry_id = (int64_t)at + 1};
            int rc = take_span(one, &i) ? visit(ctx, &i, e) : wrong(e, "span of an entry", at);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

/* Lists are known by their place. */
static int crls(struct ks_backend *b, ks_visit_crl *visit, void *ctx, cs_error *e)
{
    const json_t *all = json_object_get(b->root, "crls");
    const json_t *o = NULL;
    size_t at = 0;
    json_array_foreach(all, at, o)
    {
        struct ks_crl_row row = {.issuer = json_string_value(json_object_get(o, "issuer"))};
        memcpy(row.sha256, &at, sizeof at);
        int rc = row.issuer != NULL && take_time(o, "this_update", &row.this_update) &&
                         take_time(o, "next_update", &row.next_update)
                     ? visit(ctx, &row, e)
                     : wrong(e, "revocation list", at);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int crl_get(struct ks_backend *b, const uint8_t sha256[32], uint8_t **der, size_t *n, cs_error *e)
{
    size_t at = 0;
    memcpy(&at, sha256, sizeof at);
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(b->root, "crls"), at), "crl"));
    BIO *bio = text != NULL ? BIO_new_mem_buf(text, -1) : NULL;
    X509_CRL *x = bio != NULL ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
    int length = x != NULL ? i2d_X509_CRL(x, der) : -1;
    X509_CRL_free(x);
    BIO_free(bio);
    ERR_clear_error();
    *n = length > 0 ? (size_t)length : 0;
    return length > 0 ? 1 : wrong(e, "revocation list", at);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

#define SEAL      77  /* octets of ,"sha256":"…"} */
#define SIGNATURE 103 /* of ,"signature":"…" before it */

static const char hash_name[] = ",\"sha256\":\"";
static const char signature_name[] = ",\"signature\":\"";

/* Without the line feed behind it. */
static size_t length_of(const char *data, size_t n)
{
    return n > 0 && data[n - 1] == '\n' ? n - 1 : n;
}

static bool has_signature(const char *data, size_t n)
{
    return n > SEAL + SIGNATURE && data[n - SEAL - 1] == '"' &&
           memcmp(data + n - SEAL - SIGNATURE, signature_name, sizeof signature_name - 1) == 0;
}

size_t ks_bundle_body(const char *data, size_t n)
{
    n = length_of(data, n);
    return n <= SEAL ? 0 : n - SEAL - (has_signature(data, n) ? SIGNATURE : 0);
}

/* What stands before the last member is as it was written. */
static bool is_sealed(const char *data, size_t n)
{
    uint8_t digest[32];
    char hex[65];
    n = length_of(data, n);
    if (n <= SEAL) {
        return false;
    }
    const char *at = data + n - SEAL;
    return memcmp(at, hash_name, sizeof hash_name - 1) == 0 && memcmp(data + n - 2, "\"}", 2) == 0 &&
           EVP_Digest(data, n - SEAL, digest, NULL, EVP_sha256(), NULL) == 1 &&
           memcmp(cs_hex(digest, sizeof digest, hex), at + sizeof hash_name - 1, 64) == 0;
}

/* A signature that is there must be right; whose it is, is for signer to say. */
static int check_signature(const json_t *root, const char *data, size_t n, const char *signer, char found[65],
                           cs_error *e)
{
    char statement[KS_BUNDLE_STATEMENT];
    uint8_t key[32];
    const char *signature = json_string_value(json_object_get(root, "signature"));
    if (signature == NULL && signer == NULL) {
        return 0;
    }
    if (signature == NULL) {
        return cs_error_set(e, CS_EXIT_CONFIG, "bundle-unsigned",
                            "nobody signed the bundle; ask for one from the keystore, made by its owner");
    }
    int length = ks_bundle_statement(data, ks_bundle_body(data, n), statement);
    if (length < 0 || !take_hash(root, "audit_key", key) ||
        !ks_checkpoint_signed(key, statement, (size_t)length, signature)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "bundle-forged",
                            "the bundle is not as its keystore signed it; ask for it again");
    }
    (void)cs_hex(key, sizeof key, found);
    return signer == NULL || strcmp(signer, found) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "bundle-foreign", "the bundle is signed by %s, not by %.64s", found,
                              signer);
}

static int check_head(struct ks_backend *b, cs_time *as_of, cs_error *e)
{
    uint64_t version = 0;
    const json_t *o = b->root;
    if (!take_number(o, "version", &version) || version != 1) {
        return cs_error_set(e, CS_EXIT_USAGE, "bundle-version",
                            "a bundle of version %llu; this program reads version 1: take a newer one",
                            (unsigned long long)version);
    }
    if (!take_time(o, "as_of", as_of) || *as_of == 0 || !take_number(o, "generation", &b->generation) ||
        !take_number(o, "audit_seq", &b->audit_seq) || !take_hash(o, "audit_hash", b->audit_hash) ||
        !json_is_array(json_object_get(o, "entries")) || !json_is_array(json_object_get(o, "crls"))) {
        return wrong(e, "a member of the head, or entry", 0);
    }
    return 0;
}

int ks_bundle_read(const char *data, size_t n, const char *signer, const ks_snapshot **out, ks_bundle_head *head,
                   cs_error *e)
{
    static const char first[] = "{\"format\":\"countersign-bundle\",";
    static const struct ks_driver driver = {.scheme = "bundle",
                                            .begin = begin,
                                            .rollback = rollback,
                                            .generation = generation,
                                            .audit_head = audit_head,
                                            .meta_get = meta_get,
                                            .rows = rows,
                                            .intervals = intervals,
                                            .partners = partners,
                                            .mappings = mappings,
                                            .holds = holds,
                                            .canaries = canaries,
                                            .crls = crls,
                                            .crl_get = crl_get};
    *out = NULL;
    *head = (ks_bundle_head){.as_of = 0};
    if (n < sizeof first - 1 || memcmp(data, first, sizeof first - 1) != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "not-a-bundle",
                            "not a bundle; make one with: countersign keystore bundle --as-of TIME -o FILE");
    }
    if (!is_sealed(data, n)) {
        return cs_error_set(e, CS_EXIT_CONFIG, "bundle-corrupt",
                            "the bundle was cut or changed: its hash does not fit; ask for it again");
    }
    struct ks_backend b = {.root = json_loadb(data, n, JSON_REJECT_DUPLICATES, NULL)};
    ks_store store = {.driver = &driver, .b = &b};
    int rc = json_is_object(b.root) ? check_head(&b, &head->as_of, e) : wrong(e, "JSON", 0);
    rc = rc == 0 ? check_signature(b.root, data, n, signer, head->signer, e) : rc;
    rc = rc == 0 ? ks_snapshot_build(&store, NULL, out, e) : rc;
    json_decref(b.root);
    return rc;
}
