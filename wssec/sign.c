/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign.c: a recipe and a message give the message with a Security header. The header is written with empty digests,
 * spliced in, and the result is read by the same reader that verification uses: what is digested is what a receiver
 * will parse, and an input that a verifier would refuse for its shape is never signed. Digests and the signature value
 * have a known length, so they are then put in their places without moving an octet.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/canon.h"
#include "wssec/confirm.h"
#include "wssec/early.h"
#include "wssec/header.h"
#include "wssec/keyinfo.h"
#include "wssec/splice.h"
#include "wssec/stream.h"
#include "wssec/target.h"
#include "wssec/usertoken.h"

#define EXCLUSIVE     "http://www.w3.org/2001/10/xml-exc-c14n#"
#define DEFAULT_TTL   300
#define SIGNATURE_MAX 2048 /* RSA-16384 */

struct making { /* one call */
    struct wssec_worker *w;
    const struct wssec_input *in;
    const struct wssec_recipe *recipe;
    const struct wssec_when *t;
    struct wssec_policy *policy; /* owned: limits and encodings of what may be signed */
    struct wssec_entry entry;
    enum wssec_keyref kind;
    const struct wssec_signature_alg *signature;
    const struct wssec_digest_alg *digest;
    size_t signature_octets;
    struct wssec_targets targets;
    size_t digest_at[WSSEC_MAX_REFERENCES]; /* in text */
    size_t value_at;
    cs_buf text;                 /* owned: the Security header */
    struct wssec_stream *stream; /* one pass; NULL: by trees of the whole message */
    cs_buf head;                 /* owned: the message made, up to the content of Body */
    size_t behind, made_behind;  /* octets in front of the content of Body: of the input, of the message made */
    char timestamp_id[WSSEC_ID_TEXT], token_id[WSSEC_ID_TEXT], signature_id[WSSEC_ID_TEXT], user_id[WSSEC_ID_TEXT];
    char confirm_id[WSSEC_CONFIRMATIONS][WSSEC_ID_TEXT];
    bool timestamp;
    xmlNodePtr beside; /* our header of this message, NULL: none yet */
    struct wssec_refusal why;
};

static size_t base64_octets(size_t n)
{
    return 4 * ((n + 2) / 3);
}

/* ---- the key and what it can do -----------------------------------------------------------------------------------
 */

static int choose_key(struct making *k, const struct wssec_resolver *r)
{
    int n = r->candidates(r->ctx, WSSEC_USE_SIGN, NULL, k->t->at, &k->entry, 1);
    if (n < 0) {
        return WSSEC_RC_INTERNAL;
    }
    if (n == 0 || k->entry.key == NULL) {
        (void)wssec_refuse(&k->why, WSSEC_KEY_UNAVAILABLE, "no active entry with a private key to sign with");
    }
    return WSSEC_RC_OK;
}

/* Octets of a signature value, fixed by algorithm and key. @return 0: the key cannot do it */
static size_t value_octets(const struct wssec_signature_alg *a, const EVP_PKEY *key)
{
    if (a->key_type == EVP_PKEY_EC) {
        return wssec_ecdsa_octets(key);
    }
    int n = EVP_PKEY_get_size(key);
    return n > 0 && n <= SIGNATURE_MAX ? (size_t)n : 0;
}

static int choose_algorithms(struct making *k)
{
    const struct wssec_recipe *r = k->recipe;
    enum wssec_legacy used = WSSEC_LEGACY_NONE;
    k->kind = r->key_reference != WSSEC_KEYREF_NONE ? r->key_reference : WSSEC_KEYREF_DIRECT;
    k->signature = r->signature_algorithm != NULL ? wssec_signature_by_word(r->signature_algorithm)
                                                  : wssec_signature_for_key(k->entry.key);
    k->digest = wssec_digest_by_word(r->digest_algorithm != NULL ? r->digest_algorithm : "sha256");
    if (k->signature == NULL || k->digest == NULL) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_UNSUPPORTED, "no such algorithm, or a key that none fits");
        return WSSEC_RC_OK;
    }
    if (k->signature->legacy != WSSEC_LEGACY_NONE || k->digest->legacy != WSSEC_LEGACY_NONE) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_FORBIDDEN, "%s with %s is not made any more", k->signature->word,
                           k->digest->word);
        return WSSEC_RC_OK;
    }
    k->signature_octets = value_octets(k->signature, k->entry.key);
    if (!wssec_signature_fits_key(k->signature, k->entry.key) || k->signature_octets == 0) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_UNSUPPORTED, "%s does not fit the key of %s#%u", k->signature->word,
                           k->entry.alias, k->entry.ordinal);
        return WSSEC_RC_OK;
    }
    if (wssec_policy_key(k->policy, k->entry.key, k->t->at, &used) != WSSEC_OK) {
        (void)wssec_refuse(&k->why, WSSEC_KEY_TOO_SHORT, "the key of %s#%u is too short to sign with", k->entry.alias,
                           k->entry.ordinal);
    }
    return WSSEC_RC_OK;
}

/* ---- the input ----------------------------------------------------------------------------------------------------
 */

/* Our signature beside somebody else's in one header could be wrapped, so the role must be free, unless we made the
 * header for this very message. */
static int role_is_free(struct making *k)
{
    k->beside = wssec_header_of_role(&k->w->message, k->recipe->role);
    if (k->beside == NULL || (k->recipe->join && wssec_header_is_ours(k->beside))) {
        return 0;
    }
    return wssec_refuse(&k->why, WSSEC_MULTIPLE_SECURITY, "the message has a Security header for this role already");
}

static bool makes_timestamp(const struct wssec_recipe *r)
{
    bool named = r->timestamp;
    for (size_t i = 0; i < r->n_part; i++) {
        named |= strcmp(r->part[i], "Timestamp") == 0 || strcmp(r->part[i], "Timestamp?") == 0;
    }
    return named;
}

/* A UsernameToken that anybody could put into another message would prove nothing: it is signed, named or not. */
static void add_user(struct making *k)
{
    bool there = k->recipe->user == NULL;
    for (unsigned i = 0; i < k->targets.n; i++) {
        there = there || k->targets.row[i].id == k->user_id;
    }
    if (!there) {
        k->targets.row[k->targets.n++] = (struct wssec_target){.name = "UsernameToken", .id = k->user_id};
    }
}

/* The confirmations of the request's signatures are parts that signing makes, each with an id of its own. */
static int add_made(struct making *k)
{
    size_t n = k->recipe->n_confirm;
    if (n > WSSEC_CONFIRMATIONS || k->targets.n + n + (k->recipe->user != NULL) > WSSEC_MAX_REFERENCES) {
        (void)wssec_refuse(&k->why, WSSEC_LIMIT_REFERENCES, "%zu signatures are to be confirmed beside %u parts", n,
                           k->targets.n);
        return WSSEC_RC_OK;
    }
    add_user(k);
    for (size_t i = 0; i < n; i++) {
        if (wssec_id_new(k->confirm_id[i]) != WSSEC_RC_OK) {
            return WSSEC_RC_INTERNAL;
        }
        k->targets.row[k->targets.n++] = (struct wssec_target){.name = "SignatureConfirmation", .id = k->confirm_id[i]};
    }
    return WSSEC_RC_OK;
}

static size_t octets_of(const struct wssec_input *in)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n_slice; i++) {
        n += in->slice[i].n;
    }
    return n;
}

static bool stopped(const struct making *k)
{
    return k->why.reason != WSSEC_OK || (k->stream != NULL && k->stream->cause != NULL);
}

/* The whole message, or all of it in front of the content of Body, which nothing here changes. */
static int read_message(struct making *k, const struct wssec_input *in, cs_buf *head, struct wssec_message *m,
                        size_t *behind)
{
    if (k->stream == NULL) {
        return wssec_message_read(k->w, in, k->policy, m, &k->why);
    }
    if (octets_of(in) > k->policy->limits.body || !wssec_early_text(in, head, behind)) {
        return wssec_stream_pass_on(k->stream, WSSEC_OK, "head");
    }
    const struct wssec_slice slice = {(const uint8_t *)head->data, head->len};
    struct wssec_input front = *in;
    front.slice = &slice;
    front.n_slice = 1;
    int rc = wssec_message_read(k->w, &front, k->policy, m, &k->why);
    if (rc == WSSEC_RC_OK && (k->why.reason != WSSEC_OK || m->scan.coding != WSSEC_CODING_UTF8)) {
        rc = wssec_stream_pass_on(k->stream, WSSEC_OK, "head");
    }
    return rc;
}

/* In an XOP package the parts that Includes stand for are signed with the elements that hold them. */
static int expand(struct making *k, struct wssec_message *m)
{
    struct wssec_judge j = {
        .worker = k->w, .package = &k->w->package, .policy = k->policy, .message = m, .why = &k->why};
    return wssec_xop_expand(&j);
}

static int read_input(struct making *k)
{
    struct wssec_message *m = &k->w->message;
    int rc = read_message(k, k->in, &k->w->scratch, m, &k->behind);
    if (rc != WSSEC_RC_OK || stopped(k) || role_is_free(k) != 0) {
        return rc;
    }
    k->timestamp = makes_timestamp(k->recipe);
    if (wssec_id_new(k->timestamp_id) != WSSEC_RC_OK || wssec_id_new(k->token_id) != WSSEC_RC_OK ||
        wssec_id_new(k->signature_id) != WSSEC_RC_OK || wssec_id_new(k->user_id) != WSSEC_RC_OK) {
        return WSSEC_RC_INTERNAL;
    }
    rc = expand(k, m);
    if (rc != WSSEC_RC_OK || stopped(k)) {
        return rc;
    }
    rc = wssec_targets_find(&k->w->arena, m, &k->w->package, k->recipe, k->timestamp ? k->timestamp_id : NULL,
                            wssec_keyref_has_token(k->kind) ? k->token_id : NULL,
                            k->recipe->user != NULL ? k->user_id : NULL, &k->targets, &k->why);
    return rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK ? add_made(k) : rc;
}

/* ---- the Security header, as UTF-8 text ---------------------------------------------------------------------------
 */

static void write_timestamp(struct making *k)
{
    char created[CS_TIME_TEXT];
    char expires[CS_TIME_TEXT];
    int64_t ttl = k->recipe->ttl > 0 ? k->recipe->ttl : DEFAULT_TTL;
    (void)cs_buf_addf(
        &k->text,
        "<wsu:Timestamp wsu:Id=\"%s\"><wsu:Created>%s</wsu:Created><wsu:Expires>%s</wsu:Expires></wsu:Timestamp>",
        k->timestamp_id, cs_time_format(k->t->at, created), cs_time_format(k->t->at + ttl, expires));
}

/* A place for octets that come later; 'A' is a base64 character, so the text is well-formed meanwhile. */
static size_t reserve(cs_buf *b, size_t n)
{
    size_t at = b->len;
    for (size_t i = 0; i < n; i++) {
        (void)cs_buf_addc(b, 'A');
    }
    return at;
}

static void write_signed_info(struct making *k)
{
    cs_buf *b = &k->text;
    (void)cs_buf_addf(b,
                      "<ds:Signature xmlns:ds=\"" WSSEC_NS_DS "\" Id=\"%s\"><ds:SignedInfo>"
                      "<ds:CanonicalizationMethod Algorithm=\"" EXCLUSIVE "\"/><ds:SignatureMethod Algorithm=\"%s\"/>",
                      k->signature_id, k->signature->uri);
    for (unsigned i = 0; i < k->targets.n; i++) {
        const struct wssec_target *t = &k->targets.row[i];
        (void)cs_buf_addf(b,
                          "<ds:Reference URI=\"%s%s\"><ds:Transforms><ds:Transform Algorithm=\"%s\"/></ds:Transforms>"
                          "<ds:DigestMethod Algorithm=\"%s\"/><ds:DigestValue>",
                          t->attachment != 0 ? "" : "#", t->id,
                          t->attachment == 0    ? EXCLUSIVE
                          : k->recipe->complete ? WSSEC_SWA "#Attachment-Complete-Signature-Transform"
                                                : WSSEC_SWA "#Attachment-Content-Signature-Transform",
                          k->digest->uri);
        k->digest_at[i] = reserve(b, base64_octets(k->digest->octets));
        (void)cs_buf_adds(b, "</ds:DigestValue></ds:Reference>");
    }
    (void)cs_buf_adds(b, "</ds:SignedInfo><ds:SignatureValue>");
    k->value_at = reserve(b, base64_octets(k->signature_octets));
    (void)cs_buf_adds(b, "</ds:SignatureValue>");
}

/* The new header block, or what goes into the one that is ours already. */
static int write_header(struct making *k)
{
    const struct wssec_message *m = &k->w->message;
    int rc = WSSEC_RC_OK;
    if (k->beside == NULL) {
        wssec_header_open(m, k->recipe->role, k->recipe->must_understand, &k->text);
    }
    if (k->timestamp) {
        write_timestamp(k);
    }
    for (size_t i = 0; i < k->recipe->n_confirm; i++) {
        wssec_confirm_write(k->recipe->confirm[i], k->confirm_id[i], &k->text);
    }
    if (k->recipe->user != NULL) {
        rc = wssec_user_token_write(k->recipe->user, k->t->at, k->user_id, &k->text, &k->why);
    }
    if (rc == WSSEC_RC_OK && wssec_keyref_has_token(k->kind)) {
        rc = wssec_token_write(k->kind, &k->entry, k->token_id, &k->text, &k->why);
    }
    write_signed_info(k);
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK) {
        rc = wssec_keyinfo_write(k->kind, &k->entry, k->token_id, &k->text, &k->why);
    }
    (void)cs_buf_adds(&k->text, "</ds:Signature>");
    if (k->beside == NULL) {
        wssec_header_close(m, &k->text);
    }
    return rc == WSSEC_RC_OK && k->text.failed ? WSSEC_RC_NOMEM : rc;
}

/* ---- splicing -----------------------------------------------------------------------------------------------------
 */

static int splice(struct making *k, struct wssec_output *out)
{
    struct wssec_edit edit[WSSEC_MAX_REFERENCES + 1];
    size_t n = 1;
    const struct wssec_message *m = &k->w->message;
    const xmlNode *at = k->beside != NULL ? k->beside : m->header != NULL ? m->header : m->envelope;
    int rc = wssec_header_place(&k->w->arena, m, at, &k->text, &edit[0]);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    for (unsigned i = 0; i < k->targets.n; i++) {
        const struct wssec_target *t = &k->targets.row[i];
        if (t->splice != NULL) {
            size_t to = n++;
            for (; to > 0 && edit[to - 1].from > t->at; to--) { /* sorted by place */
                edit[to] = edit[to - 1];
            }
            edit[to] = (struct wssec_edit){t->at, t->at, t->splice, strlen(t->splice)};
        }
    }
    const struct wssec_scan *s = &k->w->message.scan;
    for (size_t i = 0; i < n; i++) {
        edit[i].from = wssec_scan_original(s, edit[i].from);
        edit[i].to = wssec_scan_original(s, edit[i].to);
    }
    return wssec_splice(k->w, k->in, s->coding, edit, n, out);
}

/* ---- digests and signature ----------------------------------------------------------------------------------------
 */

static int to_digest(void *ctx, const void *p, size_t n)
{
    return EVP_DigestUpdate(ctx, p, n) == 1 ? 0 : -1;
}

static void put_digest(struct making *k, unsigned i, const uint8_t *digest)
{
    char text[4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1];
    size_t n = cs_base64_encode(digest, k->digest->octets, text);
    memcpy(k->text.data + k->digest_at[i], text, n);
}

static int digest_attachment(struct making *k, unsigned i)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    enum wssec_attachment_form form = k->recipe->complete ? WSSEC_ATTACHMENT_COMPLETE : WSSEC_ATTACHMENT_CONTENT;
    if (EVP_DigestInit_ex(k->w->md, wssec_md(k->digest->evp), NULL) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    int rc = wssec_attachment_write(k->w, k->policy, k->targets.row[i].attachment, form, to_digest, k->w->md, &k->why);
    if (rc != WSSEC_RC_OK || EVP_DigestFinal_ex(k->w->md, md, NULL) != 1) {
        return rc != WSSEC_RC_OK ? rc : WSSEC_RC_INTERNAL;
    }
    put_digest(k, i, md);
    return WSSEC_RC_OK;
}

static int digest_target(struct making *k, unsigned i, const struct wssec_message *m)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    const struct wssec_target *t = &k->targets.row[i];
    bool twice = false;
    if (t->attachment != 0) {
        return digest_attachment(k, i);
    }
    struct wssec_canon c = {.node = wssec_ids_find(&m->ids, (const xmlChar *)t->id, strlen(t->id), &twice),
                            .mode = wssec_c14n_by_word("exclusive")->libxml2_mode};
    if (c.node == NULL || twice || EVP_DigestInit_ex(k->w->md, wssec_md(k->digest->evp), NULL) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    if (k->stream != NULL && c.node == m->body) {
        return wssec_stream_note(k->stream, k->digest, NULL);
    }
    int rc = k->stream != NULL ? wssec_emit_tree(&k->stream->walk, &c, to_digest, k->w->md)
                               : wssec_xop_canon(k->w, &c, to_digest, k->w->md, &k->why);
    if (rc != WSSEC_RC_OK || EVP_DigestFinal_ex(k->w->md, md, NULL) != 1) {
        return rc != WSSEC_RC_OK ? rc : WSSEC_RC_INTERNAL;
    }
    put_digest(k, i, md);
    return WSSEC_RC_OK;
}

/* The content of Body: read as strictly as by a verifier, digested where it is signed. */
static int digest_body(struct making *k, struct wssec_message *m)
{
    struct wssec_judge j = {.worker = k->w, .input = k->in, .policy = k->policy, .message = m, .why = &k->why};
    uint64_t text = k->policy->limits.text;
    k->policy->limits.text = k->policy->limits.body; /* a long text is no attack here, and takes no memory */
    int rc = wssec_stream_body(&j, k->stream, k->behind, true);
    k->policy->limits.text = text;
    const uint8_t *digest = wssec_stream_digest(k->stream, k->digest, NULL);
    for (unsigned i = 0; i < k->targets.n && rc == WSSEC_RC_OK && k->stream->cause == NULL && digest != NULL; i++) {
        if (k->targets.row[i].node == k->w->message.body) {
            put_digest(k, i, digest);
        }
    }
    k->w->message.is_fault = m->is_fault;
    return rc;
}

/* The digests go into the tree too, so that SignedInfo is canonicalised by the code that a verifier uses. */
static int fill_tree(struct making *k, xmlNodePtr signed_info)
{
    unsigned i = 0;
    for (xmlNodePtr r = wssec_first_element(signed_info); r != NULL; r = wssec_next_element(r)) {
        if (!wssec_is(r, WSSEC_NS_DS, "Reference")) {
            continue;
        }
        for (xmlNodePtr v = wssec_first_element(r); v != NULL; v = wssec_next_element(v)) {
            if (wssec_is(v, WSSEC_NS_DS, "DigestValue")) {
                if (i == k->targets.n || v->children == NULL) {
                    return WSSEC_RC_INTERNAL;
                }
                xmlNodeSetContentLen(v, (const xmlChar *)k->text.data + k->digest_at[i],
                                     (int)base64_octets(k->digest->octets));
                if (v->children == NULL) {
                    return WSSEC_RC_NOMEM;
                }
                i++;
            }
        }
    }
    return i == k->targets.n ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
}

/* A wrong RSA value is worse than none: made by a fault in one half of the computation, it gives the key away. */
static bool value_holds(struct making *k, const cs_buf *signed_info, const uint8_t *value, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    bool holds = ctx != NULL &&
                 EVP_DigestVerifyInit(ctx, &pkey, wssec_md(k->signature->evp), NULL, k->entry.key) == 1 &&
                 wssec_signature_padding(k->signature, pkey) == 0 &&
                 EVP_DigestVerify(ctx, value, n, (const uint8_t *)signed_info->data, signed_info->len) == 1;
    EVP_MD_CTX_free(ctx);
    return holds;
}

/* @return octets of the value in out, 0: failed */
static size_t sign_octets(struct making *k, const cs_buf *signed_info, uint8_t out[SIGNATURE_MAX])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    const EVP_MD *md = k->signature->evp != NULL ? wssec_md(k->signature->evp) : NULL;
    uint8_t der[SIGNATURE_MAX];
    size_t n = sizeof der;
    size_t made = 0;
    if (ctx != NULL && EVP_DigestSignInit(ctx, &pkey, md, NULL, k->entry.key) == 1 &&
        wssec_signature_padding(k->signature, pkey) == 0 &&
        EVP_DigestSign(ctx, der, &n, (const uint8_t *)signed_info->data, signed_info->len) == 1) {
        if (k->signature->key_type == EVP_PKEY_EC) {
            made = wssec_ecdsa_from_der(der, n, k->signature_octets, out, SIGNATURE_MAX);
        } else {
            memcpy(out, der, n);
            made = n;
        }
    }
    EVP_MD_CTX_free(ctx);
    if (made != k->signature_octets ||
        (k->signature->key_type == EVP_PKEY_RSA && !value_holds(k, signed_info, out, made))) {
        return 0;
    }
    return made;
}

static int sign_tree(struct making *k, struct wssec_message *m)
{
    uint8_t value[SIGNATURE_MAX];
    bool twice = false;
    xmlNodePtr signature = wssec_ids_find(&m->ids, (const xmlChar *)k->signature_id, strlen(k->signature_id), &twice);
    xmlNodePtr info = wssec_first_element(signature);
    if (!wssec_is(info, WSSEC_NS_DS, "SignedInfo") || twice) {
        return WSSEC_RC_INTERNAL;
    }
    int rc = WSSEC_RC_OK;
    rc = k->stream == NULL ? expand(k, m) : WSSEC_RC_OK;
    m->ids.asked = k->stream != NULL ? &k->stream->asked : NULL;
    for (unsigned i = 0; i < k->targets.n && rc == WSSEC_RC_OK; i++) {
        rc = digest_target(k, i, m);
    }
    m->ids.asked = NULL;
    if (rc == WSSEC_RC_OK && k->stream != NULL) {
        rc = digest_body(k, m);
    }
    if (rc != WSSEC_RC_OK || stopped(k)) {
        return rc;
    }
    rc = fill_tree(k, info);
    struct wssec_canon c = {.node = info, .mode = wssec_c14n_by_word("exclusive")->libxml2_mode};
    cs_buf_reset(&k->w->signed_info);
    if (rc == WSSEC_RC_OK) {
        rc = k->stream != NULL ? wssec_emit_tree(&k->stream->walk, &c, wssec_to_buffer, &k->w->signed_info)
                               : wssec_canon_text(&c, &k->w->signed_info);
    }
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    size_t n = sign_octets(k, &k->w->signed_info, value);
    if (n == 0) {
        return WSSEC_RC_INTERNAL;
    }
    char text[4 * ((SIGNATURE_MAX + 2) / 3) + 1];
    memcpy(k->text.data + k->value_at, text, cs_base64_encode(value, n, text));
    cs_buf_reset(&k->w->signature_value);
    return cs_buf_add(&k->w->signature_value, value, n) == 0 ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

/* ---- the call -----------------------------------------------------------------------------------------------------
 */

static int make(struct making *k, const struct wssec_resolver *r, struct wssec_output *out)
{
    int (*const steps[])(struct making *) = {choose_algorithms, read_input, write_header};
    int rc = choose_key(k, r);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rc == WSSEC_RC_OK && !stopped(k); i++) {
        rc = steps[i](k);
    }
    if (rc != WSSEC_RC_OK || stopped(k)) {
        return rc;
    }
    rc = splice(k, out);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    struct wssec_input spliced = *k->in;
    spliced.slice = out->piece;
    spliced.n_slice = out->n_piece;
    size_t more = out->octets - octets_of(k->in); /* every edit stands in front of the content of Body */
    rc = read_message(k, &spliced, &k->head, &k->w->second, &k->made_behind);
    if (rc == WSSEC_RC_OK && k->stream != NULL && !stopped(k) && k->made_behind != k->behind + more) {
        rc = wssec_stream_pass_on(k->stream, WSSEC_OK, "head");
    }
    if (rc == WSSEC_RC_OK && !stopped(k)) {
        rc = sign_tree(k, &k->w->second);
    }
    if (rc == WSSEC_RC_OK && !stopped(k)) {
        rc = splice(k, out); /* the same edits with the values in place */
    }
    return rc;
}

static void report(const struct making *k, int rc, const struct wssec_resolver *r, struct wssec_verdict *v)
{
    const struct wssec_entry *e = &k->entry;
    v->t = k->t->at;
    v->time_source = k->t->source;
    v->generation = r->generation;
    v->soap = k->w->message.soap;
    v->is_fault = k->w->message.is_fault;
    wssec_refusal_show(&k->why, rc, v);
    if (e->key != NULL && e->alias != NULL) {
        v->has_certificate = true;
        wssec_certificate_fill(&v->certificate, e);
    }
    if (v->verdict != WSSEC_PASS) {
        return;
    }
    v->claimed = k->timestamp ? k->t->at : 0;
    v->key_reference = k->kind;
    v->n_signatures = 1;
    (void)cs_copy(v->algorithm, sizeof v->algorithm, k->signature->word);
    (void)cs_copy(v->canonicalization, sizeof v->canonicalization, "exclusive");
    for (unsigned i = 0; i < k->targets.n; i++) {
        struct wssec_reference_result *x = &v->reference[v->n_reference++];
        (void)snprintf(x->uri, sizeof x->uri, "%s%s", k->targets.row[i].attachment != 0 ? "" : "#",
                       k->targets.row[i].id);
        (void)cs_copy(x->digest, sizeof x->digest, k->digest->word);
        x->ok = true;
        x->judged = true;
        (void)cs_copy(v->covers[v->n_covers++], sizeof v->covers[0], k->targets.row[i].name);
    }
}

int wssec_sign(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_recipe *recipe,
               const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_output *out,
               struct wssec_verdict *v)
{
    struct making k = {.w = w, .in = in, .recipe = recipe, .t = t};
    int rc = WSSEC_RC_NOMEM;
    memset(v, 0, sizeof *v);
    *out = (struct wssec_output){NULL, 0, 0};
    wssec_arena_reset(&w->arena);
    cs_buf_reset(&w->signature_value);
    k.policy = wssec_policy_new("sign");
    if (k.policy != NULL) {
        k.policy->encodings |= WSSEC_ENC_LATIN1;
        k.policy->limits.body = WSSEC_MADE_BODY;
        wssec_library_reset();
        rc = wssec_package_open(&w->package, in, &k.policy->limits, &k.why);
        k.in = &w->package.root;
        bool trees = wssec_forced_engine == WSSEC_ENGINE_DOM || w->package.mime.xop;
        k.stream = trees ? NULL : wssec_stream_begin(w);
        if (rc == WSSEC_RC_OK && !stopped(&k)) {
            rc = make(&k, r, out);
        }
        if (rc == WSSEC_RC_OK && k.stream != NULL && k.stream->cause != NULL) { /* not its own: once more by trees */
            k.stream = NULL;
            k.why = (struct wssec_refusal){WSSEC_OK, ""};
            cs_buf_reset(&k.text);
            rc = make(&k, r, out);
        }
        if (rc == WSSEC_RC_OK && !stopped(&k)) {
            rc = wssec_package_wrap(&w->package, out);
        }
        if (wssec_library_failed()) {
            rc = WSSEC_RC_NOMEM;
        }
    }
    report(&k, rc, r, v);
    if (v->verdict != WSSEC_PASS) {
        *out = (struct wssec_output){NULL, 0, 0};
        cs_buf_reset(&w->signature_value);
    }
    wssec_message_reset(&w->message);
    wssec_message_reset(&w->second);
    wssec_policy_unref(k.policy);
    cs_buf_free(&k.text);
    cs_buf_free(&k.head);
    return rc;
}

struct wssec_slice wssec_signature_value(const struct wssec_worker *w)
{
    return (struct wssec_slice){(const uint8_t *)w->signature_value.data, w->signature_value.len};
}
