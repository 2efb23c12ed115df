/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c: a policy from its defaults over its words to its frozen form, and the questions that judges ask it. */
#include "wssec/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "wssec/policy_words.h"
#include "wssec/refusal.h"

#define RSA_LONGEST 16384

/* ---- parts --------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    enum wssec_part_kind kind;
} part_words[] = {
    {"Body", WSSEC_PART_BODY},
    {"Timestamp", WSSEC_PART_TIMESTAMP},
    {"BinarySecurityToken", WSSEC_PART_TOKEN},
    {"Signature", WSSEC_PART_SIGNATURE},
    {"UsernameToken", WSSEC_PART_USERNAME_TOKEN},
    {"attachments", WSSEC_PART_ATTACHMENTS},
};

static const char *const wsa_words[] = {"To", "Action", "MessageID", "ReplyTo", "From", "FaultTo", "RelatesTo", NULL};

static int part_unknown(const char *text, char *err, size_t errsize)
{
    static const char *const words[] = {
        "Body",       "Timestamp",     "BinarySecurityToken", "Signature", "UsernameToken", "attachments",   "wsa:To",
        "wsa:Action", "wsa:MessageID", "wsa:ReplyTo",         "wsa:From",  "wsa:FaultTo",   "wsa:RelatesTo", NULL};
    const char *near = cs_nearest(text, words);
    if (near != NULL) {
        (void)snprintf(err, errsize, "part %.64s is not known; did you mean %s?", text, near);
    } else {
        (void)snprintf(err, errsize, "part %.64s is not known; a header block is written {namespace}local", text);
    }
    return -1;
}

/* "{namespace}local" */
static int part_element(const char *text, size_t n, struct wssec_part *part, char *err, size_t errsize)
{
    const char *close = memchr(text, '}', n);
    size_t ns = close != NULL ? (size_t)(close - text) - 1 : 0;
    size_t local = close != NULL ? n - ns - 2 : 0;
    if (ns == 0 || local == 0) {
        (void)snprintf(err, errsize, "part %.64s: a header block is written {namespace}local", text);
        return -1;
    }
    if (ns >= sizeof part->ns || local >= sizeof part->local) {
        (void)snprintf(err, errsize, "part %.64s… is longer than a part can be", text);
        return -1;
    }
    part->kind = WSSEC_PART_ELEMENT;
    memcpy(part->ns, text + 1, ns);
    memcpy(part->local, close + 1, local);
    return 0;
}

int wssec_part_parse(const char *text, struct wssec_part *part, char *err, size_t errsize)
{
    size_t n = strlen(text);
    memset(part, 0, sizeof *part);
    part->optional = n > 1 && text[n - 1] == '?';
    n -= part->optional ? 1 : 0;
    wssec_part_show(part->name, sizeof part->name, text, n);
    if (text[0] == '{') {
        return part_element(text, n, part, err, errsize);
    }
    for (size_t i = 0; i < sizeof part_words / sizeof part_words[0]; i++) {
        if (strlen(part_words[i].word) == n && memcmp(part_words[i].word, text, n) == 0) {
            part->kind = part_words[i].kind;
            return 0;
        }
    }
    for (size_t i = 0; n > 4 && memcmp(text, "wsa:", 4) == 0 && wsa_words[i] != NULL; i++) {
        if (strlen(wsa_words[i]) == n - 4 && memcmp(wsa_words[i], text + 4, n - 4) == 0) {
            part->kind = WSSEC_PART_WSA;
            memcpy(part->local, wsa_words[i], n - 4);
            return 0;
        }
    }
    return part_unknown(text, err, errsize);
}

int wssec_part_check(const char *word, enum wssec_use use, char *err, size_t errsize)
{
    struct wssec_part part;
    if (wssec_part_parse(word, &part, err, errsize) != 0) {
        return -1;
    }
    if (use == WSSEC_USE_SIGN && part.kind == WSSEC_PART_SIGNATURE && !part.optional) {
        (void)snprintf(err, errsize, "part Signature cannot be signed: the header made holds no other signature");
        return -1;
    }
    if (use == WSSEC_USE_ENCRYPT && (part.kind == WSSEC_PART_TIMESTAMP || part.kind == WSSEC_PART_TOKEN)) {
        (void)snprintf(err, errsize, "part %s cannot be encrypted", part.name);
        return -1;
    }
    return 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------------
 */

static const struct wssec_limits default_limits = {
    .body = (uint64_t)64 << 20,
    .dom = (uint64_t)16 << 20,
    .text = (uint64_t)10 << 20,
    .header = (uint64_t)256 << 10,
    .start_tag = (uint64_t)64 << 10,
    .name = 1024,
    .part_header = (uint64_t)16 << 10,
    .parts = 100,
    .depth = 128,
    .attributes = 256,
    .namespaces = 64,
    .header_nodes = 2000,
    .ids = 10000,
    .references = 30,
    .transforms = 5,
    .signatures = 4,
    .encrypted = 8,
    .candidates = 8,
};

static bool by_default(const char *word)
{
    static const char *const words[] = {"rsa-sha256",   "rsa-sha384",   "rsa-sha512", "ecdsa-sha256",
                                        "ecdsa-sha384", "ecdsa-sha512", NULL};
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

struct wssec_policy *wssec_policy_new(const char *name)
{
    if (strlen(name) >= sizeof((struct wssec_policy *)0)->name) {
        return NULL;
    }
    struct wssec_policy *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    char unused[1];
    atomic_init(&p->refs, 1);
    (void)cs_copy(p->name, sizeof p->name, name);
    if (wssec_part_parse("Body", &p->required[0], unused, sizeof unused) != 0 ||
        wssec_part_parse("Timestamp?", &p->required[1], unused, sizeof unused) != 0) {
        free(p);
        return NULL;
    }
    p->n_required = 2;
    p->ttl = 300;
    p->skew = 300;
    for (unsigned i = 0; wssec_signature_row(i) != NULL; i++) {
        p->signature_mask |= by_default(wssec_signature_row(i)->word) ? 1u << i : 0;
    }
    for (unsigned i = 0; wssec_digest_row(i) != NULL; i++) {
        p->digest_mask |= wssec_digest_row(i)->legacy == WSSEC_LEGACY_NONE ? 1u << i : 0;
    }
    p->c14n_mask = 1u << wssec_c14n_by_word("exclusive")->index;
    p->encodings = WSSEC_ENC_UTF8 | WSSEC_ENC_UTF16;
    p->minimum_rsa = 2048;
    p->replay = true;
    p->cross_check_ppm = 10000;
    p->expired = WSSEC_EXPIRED_AT_SIGNING;
    p->limits = default_limits;
    return p;
}

struct wssec_policy *wssec_policy_copy(const struct wssec_policy *p)
{
    struct wssec_policy *copy = wssec_policy_new(p->name);
    if (copy != NULL) {
        memcpy((char *)copy + offsetof(struct wssec_policy, frozen),
               (const char *)p + offsetof(struct wssec_policy, frozen),
               sizeof *p - offsetof(struct wssec_policy, frozen));
        copy->frozen = false;
    }
    return copy;
}

struct wssec_policy *wssec_policy_ref(struct wssec_policy *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void wssec_policy_unref(struct wssec_policy *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1) {
        free(p);
    }
}

int wssec_policy_set(struct wssec_policy *p, const char *word, int argc, const char *const argv[], char *err,
                     size_t errsize)
{
    if (p->frozen) {
        (void)snprintf(err, errsize, "policy %s is frozen", p->name);
        return -1;
    }
    const struct wssec_policy_word *row = NULL;
    for (size_t i = 0; (row = wssec_policy_word_row(i)) != NULL; i++) {
        if (strcmp(row->word, word) == 0) {
            break;
        }
    }
    if (row == NULL) {
        (void)snprintf(err, errsize, "%.64s is no word of a policy", word);
        return -1;
    }
    if (argc < row->least || (row->most >= 0 && argc > row->most)) {
        (void)snprintf(err, errsize, "%s takes %s%d argument%s", row->word, row->least == row->most ? "" : "at least ",
                       row->least, row->least == 1 ? "" : "s");
        return -1;
    }
    return row->set(p, row, argc, argv, err, errsize);
}

static bool requires(const struct wssec_policy *p, enum wssec_part_kind kind)
{
    for (unsigned i = 0; i < p->n_required; i++) {
        if (p->required[i].kind == kind) {
            return true;
        }
    }
    return false;
}

int wssec_policy_freeze(struct wssec_policy *p, char *err, size_t errsize)
{
    if (p->frozen) {
        return 0;
    }
    bool any = false;
    for (unsigned i = 0; i < p->n_required; i++) {
        any |= !p->required[i].optional;
    }
    if (!any) {
        (void)snprintf(err, errsize, "require-signed demands nothing: every part has a '?'");
        return -1;
    }
    if (p->minimum_rsa < 2048) {
        (void)snprintf(err, errsize,
                       "minimum-rsa %u is below 2048; shorter keys need a dated exception: legacy rsa-1024 until DATE",
                       p->minimum_rsa);
        return -1;
    }
    if (p->timestamp_required && p->ttl == 0) {
        (void)snprintf(err, errsize, "timestamp { required yes } with ttl 0 refuses every message");
        return -1;
    }
    if (p->limits.name >= p->limits.start_tag) {
        (void)snprintf(err, errsize, "limits { name } must be below limits { start-tag }");
        return -1;
    }
    p->frozen = true;
    if (p->timestamp_required && !requires(p, WSSEC_PART_TIMESTAMP)) {
        (void)snprintf(
            err, errsize,
            "timestamp { required yes } without Timestamp in require-signed: an unsigned Timestamp proves nothing");
        return 1;
    }
    if (p->replay_said && p->replay && !p->timestamp_required) {
        (void)snprintf(
            err, errsize,
            "replay on without timestamp { required yes }: a message without Timestamp is remembered for 24 hours only");
        return 1;
    }
    return 0;
}

const char *wssec_policy_name(const struct wssec_policy *p)
{
    return p->name;
}

uint64_t wssec_policy_body_limit(const struct wssec_policy *p)
{
    return p->limits.body;
}

int64_t wssec_policy_legacy_end(const struct wssec_policy *p, const char *word)
{
    enum wssec_legacy l = wssec_legacy_parse(word);
    return l < WSSEC_LEGACIES ? p->legacy_end[l] : 0;
}

bool wssec_policy_requires(const struct wssec_policy *p, const char *part)
{
    for (unsigned i = 0; i < p->n_required; i++) {
        if (!p->required[i].optional && strcmp(p->required[i].name, part) == 0) {
            return true;
        }
    }
    return false;
}

bool wssec_policy_replay(const struct wssec_policy *p)
{
    return p->replay;
}

/* ---- questions of the judges --------------------------------------------------------------------------------------
 */

enum wssec_dated wssec_policy_legacy(const struct wssec_policy *p, enum wssec_legacy l, int64_t t)
{
    if ((unsigned)l >= WSSEC_LEGACIES || p->legacy_end[l] == 0) {
        return WSSEC_DATED_ABSENT;
    }
    return t < p->legacy_end[l] ? WSSEC_DATED_IN_FORCE : WSSEC_DATED_OVER;
}

/* The answer for something that only a dated exception can allow. */
static enum wssec_reason dated(const struct wssec_policy *p, enum wssec_legacy l, int64_t t, enum wssec_reason refused,
                               enum wssec_legacy *used)
{
    switch (wssec_policy_legacy(p, l, t)) {
    case WSSEC_DATED_IN_FORCE: *used = l; return WSSEC_OK;
    case WSSEC_DATED_OVER: return WSSEC_LEGACY_ENDED;
    case WSSEC_DATED_ABSENT: break;
    }
    return refused;
}

static enum wssec_reason algorithm(const struct wssec_policy *p, uint32_t mask, unsigned index, enum wssec_legacy l,
                                   int64_t t, enum wssec_legacy *used)
{
    *used = WSSEC_LEGACY_NONE;
    if (l != WSSEC_LEGACY_NONE) {
        return dated(p, l, t, WSSEC_ALGORITHM_FORBIDDEN, used);
    }
    return (mask & 1u << index) != 0 ? WSSEC_OK : WSSEC_ALGORITHM_FORBIDDEN;
}

enum wssec_reason wssec_policy_signature(const struct wssec_policy *p, const struct wssec_signature_alg *a, int64_t t,
                                         enum wssec_legacy *used)
{
    return algorithm(p, p->signature_mask, a->index, a->legacy, t, used);
}

enum wssec_reason wssec_policy_digest(const struct wssec_policy *p, const struct wssec_digest_alg *a, int64_t t,
                                      enum wssec_legacy *used)
{
    return algorithm(p, p->digest_mask, a->index, a->legacy, t, used);
}

enum wssec_reason wssec_policy_c14n(const struct wssec_policy *p, const struct wssec_c14n_alg *a)
{
    return (p->c14n_mask & 1u << a->index) != 0 ? WSSEC_OK : WSSEC_CANONICALIZATION_FORBIDDEN;
}

enum wssec_reason wssec_policy_key(const struct wssec_policy *p, const EVP_PKEY *key, int64_t t,
                                   enum wssec_legacy *used)
{
    *used = WSSEC_LEGACY_NONE;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: return wssec_ecdsa_octets(key) != 0 ? WSSEC_OK : WSSEC_KEY_TOO_SHORT;
    case EVP_PKEY_ED25519: return WSSEC_OK;
    case EVP_PKEY_RSA: break;
    default: return WSSEC_KEY_TOO_SHORT;
    }
    int bits = EVP_PKEY_get_bits(key);
    if (bits < 1024 || bits > RSA_LONGEST) {
        return WSSEC_KEY_TOO_SHORT;
    }
    /* the exception covers 1024..2047; a policy that demands more than 2048 means it */
    if (bits < 2048) {
        return dated(p, WSSEC_LEGACY_RSA_1024, t, WSSEC_KEY_TOO_SHORT, used);
    }
    return (unsigned)bits >= p->minimum_rsa ? WSSEC_OK : WSSEC_KEY_TOO_SHORT;
}
