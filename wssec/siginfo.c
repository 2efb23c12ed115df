/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siginfo.c: the exact shape of ds:Signature, before any cryptography: what is not on the list is refused here, so that
 * no transform, no external URI and no weak algorithm is ever handed to a library.
 */
#include "wssec/siginfo.h"

#include <string.h>
#include <strings.h>

#define SIGNATURE_VALUE_MAX ((size_t)2048) /* RSA 16384 */
#define T_ENVELOPED         WSSEC_NS_DS "enveloped-signature"
#define T_STR               WSSEC_SMS10 "#STR-Transform"
#define T_C14N10            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define T_ENCRYPTED_KEY     WSSEC_SMS11 "#EncryptedKey" /* and its #EncryptedKeySHA1 */
#define TYPE_MANIFEST       WSSEC_NS_DS "Manifest"

static int malformed(const struct wssec_key_reader *r, const char *what)
{
    (void)wssec_refuse(r->why, WSSEC_SIGNATURE_MALFORMED, "%s", what);
    return WSSEC_RC_OK;
}

static bool refused(const struct wssec_key_reader *r)
{
    return r->why->reason != WSSEC_OK;
}

/* Algorithm attribute of a method element; NULL and refused when there is none. */
static const char *algorithm_of(const struct wssec_key_reader *r, const xmlNode *method)
{
    const xmlChar *uri = wssec_attr(method, NULL, "Algorithm");
    if (uri == NULL) {
        (void)wssec_refuse(r->why, WSSEC_SIGNATURE_MALFORMED, "%.32s has no Algorithm", method->name);
    }
    return (const char *)uri;
}

/* KeyInfo leads to an EncryptedKey: holds one, or refers to one by its id, token type or digest. */
static bool by_encrypted_key(const struct wssec_key_reader *r, const xmlNode *key_info)
{
    const xmlNode *str = wssec_first_element(key_info);
    const xmlNode *n = wssec_first_element(str);
    const xmlChar *type = n != NULL ? wssec_attr(n, NULL, "ValueType") : NULL;
    const xmlChar *uri = wssec_is(n, WSSEC_NS_WSSE, "Reference") ? wssec_attr(n, NULL, "URI") : NULL;
    bool twice = false;
    if (wssec_is(str, WSSEC_NS_XENC, "EncryptedKey") ||
        (type != NULL && strncmp((const char *)type, T_ENCRYPTED_KEY, strlen(T_ENCRYPTED_KEY)) == 0)) {
        return true;
    }
    return uri != NULL && uri[0] == '#' &&
           wssec_is(wssec_ids_find(&r->message->ids, uri + 1, strlen((const char *)uri + 1), &twice), WSSEC_NS_XENC,
                    "EncryptedKey");
}

/* An algorithm that is not in the table: forbidden when it is known by name, else unsupported. */
static void unknown(const struct wssec_key_reader *r, const char *uri, const xmlNode *key_info)
{
    const char *name = wssec_forbidden_name(uri);
    if (name != NULL && strncmp(name, "hmac-", 5) == 0 && key_info != NULL && by_encrypted_key(r, key_info)) {
        (void)wssec_refuse(r->why, WSSEC_HMAC_ENCRYPTED_KEY, "%s under the key of an EncryptedKey", name);
    } else if (name != NULL) {
        (void)wssec_refuse(r->why, WSSEC_ALGORITHM_FORBIDDEN, "%s is never accepted", name);
    } else {
        (void)wssec_refuse(r->why, WSSEC_ALGORITHM_UNSUPPORTED, "%.200s", uri);
    }
}

static void judged(const struct wssec_key_reader *r, enum wssec_reason reason, const char *word, enum wssec_legacy used)
{
    if (reason != WSSEC_OK) {
        (void)wssec_refuse(r->why, reason, "%s", word);
    } else if (used != WSSEC_LEGACY_NONE) {
        *r->legacy |= 1u << used;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* PrefixList: NCNames and #default, white space between. */
static int read_prefixes(const struct wssec_key_reader *r, const xmlNode *inclusive, xmlChar ***out)
{
    const char *list = (const char *)wssec_attr(inclusive, NULL, "PrefixList");
    if (list == NULL || inclusive->children != NULL) {
        return malformed(r, "InclusiveNamespaces is malformed");
    }
    size_t max = r->policy->limits.namespaces;
    xmlChar **prefix = wssec_arena_take(r->arena, (max + 1) * sizeof *prefix);
    if (prefix == NULL) {
        return WSSEC_RC_NOMEM;
    }
    size_t n = 0;
    for (const char *p = list; *p != '\0';) {
        size_t len = 0;
        while (p[len] != '\0' && !is_blank(p[len])) {
            len++;
        }
        if (len == 0) {
            p++;
            continue;
        }
        bool deflt = len == 8 && memcmp(p, "#default", 8) == 0;
        if (n == max || (!deflt && !wssec_is_ncname((const xmlChar *)p, len))) {
            (void)wssec_refuse(r->why, n == max ? WSSEC_LIMIT_NAMESPACES : WSSEC_SIGNATURE_MALFORMED, "PrefixList");
            return WSSEC_RC_OK;
        }
        prefix[n] = (xmlChar *)wssec_arena_text(r->arena, p, len);
        if (prefix[n++] == NULL) {
            return WSSEC_RC_NOMEM;
        }
        p += len;
    }
    *out = n > 0 ? prefix : NULL;
    return WSSEC_RC_OK;
}

/* Children of a method element that may hold InclusiveNamespaces (exclusive C14N) and nothing else. */
static int read_c14n_content(const struct wssec_key_reader *r, const xmlNode *method, const struct wssec_c14n_alg *alg,
                             xmlChar ***prefix)
{
    const xmlNode *child = wssec_first_element(method);
    if (child == NULL) {
        return WSSEC_RC_OK;
    }
    if (strcmp(alg->word, "exclusive") != 0 || !wssec_is(child, WSSEC_NS_EXC_C14N, "InclusiveNamespaces") ||
        wssec_next_element(child) != NULL) {
        return malformed(r, "a canonicalization has parameters that it does not know");
    }
    return read_prefixes(r, child, prefix);
}

/* The rule of the policy is about messages, of which others see more than what is signed; files stand alone. */
static enum wssec_reason c14n_allowed(const struct wssec_key_reader *r, const struct wssec_c14n_alg *alg)
{
    return r->files != NULL ? WSSEC_OK : wssec_policy_c14n(r->policy, alg);
}

static int read_c14n_method(const struct wssec_key_reader *r, const xmlNode *method, const struct wssec_c14n_alg **alg,
                            xmlChar ***prefix)
{
    const char *uri = algorithm_of(r, method);
    if (uri == NULL) {
        return WSSEC_RC_OK;
    }
    *alg = wssec_c14n_by_uri(uri);
    if (*alg == NULL) {
        (void)wssec_refuse(r->why, WSSEC_ALGORITHM_FORBIDDEN, "canonicalization %.200s", uri);
        return WSSEC_RC_OK;
    }
    judged(r, c14n_allowed(r, *alg), (*alg)->word, WSSEC_LEGACY_NONE);
    return refused(r) ? WSSEC_RC_OK : read_c14n_content(r, method, *alg, prefix);
}

/* TransformationParameters of the STR-Transform: one CanonicalizationMethod. */
static int read_str_parameters(const struct wssec_key_reader *r, const xmlNode *transform, struct wssec_reference *ref)
{
    const xmlNode *parameters = wssec_first_element(transform);
    const xmlNode *method = wssec_first_element(parameters);
    if (!wssec_is(parameters, WSSEC_NS_WSSE, "TransformationParameters") || wssec_next_element(parameters) != NULL ||
        !wssec_is(method, WSSEC_NS_DS, "CanonicalizationMethod") || wssec_next_element(method) != NULL) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN,
                           "STR-Transform needs TransformationParameters with one CanonicalizationMethod");
        return WSSEC_RC_OK;
    }
    ref->str_transform = true;
    return read_c14n_method(r, method, &ref->c14n, &ref->prefix);
}

/* [enveloped-signature] then one canonicalization or the STR-Transform; nothing behind it. */
static int read_transform(const struct wssec_key_reader *r, const xmlNode *transform, struct wssec_reference *ref)
{
    const char *uri = algorithm_of(r, transform);
    if (uri == NULL) {
        return WSSEC_RC_OK;
    }
    if (ref->c14n == NULL && !ref->enveloped && strcmp(uri, T_ENVELOPED) == 0 &&
        wssec_first_element(transform) == NULL) {
        ref->enveloped = true;
        return WSSEC_RC_OK;
    }
    if (ref->c14n == NULL && !ref->enveloped && strcmp(uri, T_STR) == 0) {
        return read_str_parameters(r, transform, ref);
    }
    const struct wssec_c14n_alg *alg = wssec_c14n_by_uri(uri);
    if (ref->c14n != NULL || alg == NULL) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN, "%.200s", uri);
        return WSSEC_RC_OK;
    }
    ref->c14n = alg;
    judged(r, c14n_allowed(r, alg), alg->word, WSSEC_LEGACY_NONE);
    return refused(r) ? WSSEC_RC_OK : read_c14n_content(r, transform, alg, &ref->prefix);
}

/* More than max elements from first on: counted before any of them is read. */
static bool children_above(const xmlNode *first, uint32_t max)
{
    uint32_t n = 0;
    for (const xmlNode *c = first; c != NULL && n <= max; c = wssec_next_element(c)) {
        n++;
    }
    return n > max;
}

static int read_transforms(const struct wssec_key_reader *r, const xmlNode *transforms, struct wssec_reference *ref)
{
    if (children_above(wssec_first_element(transforms), r->policy->limits.transforms)) {
        (void)wssec_refuse(r->why, WSSEC_LIMIT_TRANSFORMS, "more than %u transforms", r->policy->limits.transforms);
        return WSSEC_RC_OK;
    }
    for (const xmlNode *t = wssec_first_element(transforms); t != NULL; t = wssec_next_element(t)) {
        if (!wssec_is(t, WSSEC_NS_DS, "Transform")) {
            return malformed(r, "Transforms holds something that is no Transform");
        }
        int rc = read_transform(r, t, ref);
        if (rc != WSSEC_RC_OK || refused(r)) {
            return rc;
        }
    }
    if (ref->c14n == NULL) { /* XML-DSig: a node set that reaches the digest goes through inclusive C14N 1.0 */
        ref->c14n = wssec_c14n_by_uri(T_C14N10);
        judged(r, c14n_allowed(r, ref->c14n), "inclusive (no canonicalization named)", WSSEC_LEGACY_NONE);
    }
    return WSSEC_RC_OK;
}

static void resolve(const struct wssec_key_reader *r, struct wssec_reference *ref)
{
    const xmlChar *uri = ref->uri;
    size_t n = uri != NULL && uri[0] == '#' ? strlen((const char *)uri + 1) : 0;
    bool twice = false;
    if (n == 0 || !wssec_is_ncname(uri + 1, n)) {
        (void)wssec_refuse(r->why, WSSEC_REFERENCE_URI_FORBIDDEN, "URI \"%.100s\" is not of the form #id",
                           uri != NULL ? (const char *)uri : "(none)");
        return;
    }
    ref->target = wssec_ids_find(&r->message->ids, uri + 1, n, &twice);
    if (twice) {
        (void)wssec_refuse(r->why, WSSEC_DUPLICATE_ID, "two elements carry the referenced id \"%.64s\"", uri + 1);
    } else if (ref->target == NULL) {
        (void)wssec_refuse(r->why, WSSEC_REFERENCE_UNRESOLVED, "no element has the id \"%.64s\"", uri + 1);
    }
}

/* In a plain message only where an attachment was signed, which is missing then. */
static bool is_cid(const struct wssec_key_reader *r, const xmlNode *transforms, const xmlChar *uri)
{
    const xmlNode *transform = wssec_first_element(transforms);
    const xmlChar *name = transform != NULL ? wssec_attr(transform, NULL, "Algorithm") : NULL;
    return uri != NULL && strncasecmp((const char *)uri, "cid:", 4) == 0 &&
           (r->package != NULL || (name != NULL && strncmp((const char *)name, WSSEC_SWA "#", sizeof WSSEC_SWA) == 0));
}

/* An attachment is digested as octets, by exactly one transform of the SwA profile. */
static void read_attachment(const struct wssec_key_reader *r, const xmlNode *transforms, struct wssec_reference *ref)
{
    const xmlNode *transform = wssec_first_element(transforms);
    const xmlChar *uri =
        wssec_is(transform, WSSEC_NS_DS, "Transform") ? wssec_attr(transform, NULL, "Algorithm") : NULL;
    const char *name = uri != NULL ? (const char *)uri : "(none)";
    if (uri == NULL || wssec_next_element(transform) != NULL || wssec_first_element(transform) != NULL ||
        (strcmp(name, WSSEC_SWA "#Attachment-Content-Signature-Transform") != 0 &&
         strcmp(name, WSSEC_SWA "#Attachment-Complete-Signature-Transform") != 0)) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN,
                           "an attachment with another transform than those of SwA: %.200s", name);
        return;
    }
    ref->form = strstr(name, "#Attachment-Complete") != NULL ? WSSEC_ATTACHMENT_COMPLETE : WSSEC_ATTACHMENT_CONTENT;
    int part = r->package != NULL ? wssec_mime_find(&r->package->mime, (const char *)ref->uri) : 0;
    if (part < 0) {
        (void)wssec_refuse(r->why, WSSEC_REFERENCE_URI_FORBIDDEN, "URI \"%.100s\" names no part without doubt",
                           ref->uri);
    } else if (part == 0) {
        (void)wssec_refuse(r->why, WSSEC_ATTACHMENT_MISSING, "no attachment has the Content-ID of \"%.100s\"",
                           ref->uri);
    }
    ref->attachment = part > 0 ? (size_t)part : 0;
}

int wssec_digest_read(const struct wssec_key_reader *r, const xmlNode *method, const xmlNode *value,
                      const struct wssec_digest_alg **alg, uint8_t octets[64])
{
    const char *uri = algorithm_of(r, method);
    if (uri == NULL) {
        return WSSEC_RC_OK;
    }
    *alg = wssec_digest_by_uri(uri);
    if (*alg == NULL) {
        unknown(r, uri, NULL);
        return WSSEC_RC_OK;
    }
    enum wssec_legacy used = WSSEC_LEGACY_NONE;
    enum wssec_reason reason = wssec_policy_digest(r->policy, *alg, r->at, &used);
    judged(r, reason, (*alg)->word, used);
    if (refused(r)) {
        return WSSEC_RC_OK;
    }
    int rc = WSSEC_RC_OK;
    struct wssec_slice decoded = wssec_base64_content(r->arena, value, 64, &rc);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    if (decoded.n != (*alg)->octets || wssec_first_element(method) != NULL) {
        return malformed(r, "DigestValue has not the length of its digest, or DigestMethod has parameters");
    }
    memcpy(octets, decoded.p, decoded.n);
    return WSSEC_RC_OK;
}

static const char *without_slash(const char *name)
{
    return name[0] == '/' ? name + 1 : name;
}

size_t wssec_file_named(const struct wssec_container *files, const xmlChar *uri)
{
    for (size_t i = 0; i < files->n_part; i++) {
        if (strcmp(without_slash(files->part[i].name), without_slash((const char *)uri)) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Octets of a file, as they are. Whether it may be missing is for the caller to say. */
static void read_file(const struct wssec_key_reader *r, const xmlNode *transforms, struct wssec_reference *ref)
{
    if (transforms != NULL) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN, "a file (%.100s) with a transform", ref->uri);
        return;
    }
    ref->named = true;
    ref->file = wssec_file_named(r->files, ref->uri);
}

/* What the transforms say is held against the element that was found: enveloped-signature may stand there, as node-soap
 * writes it, but must have nothing to remove. */
static void judge_target(const struct wssec_key_reader *r, const struct wssec_reference *ref,
                         const struct wssec_siginfo *s)
{
    if (ref->enveloped && wssec_within(ref->target, s->node)) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN,
                           "enveloped-signature on an element that holds the signature");
    }
    if (ref->str_transform && !wssec_is(ref->target, WSSEC_NS_WSSE, "SecurityTokenReference")) {
        (void)wssec_refuse(r->why, WSSEC_TRANSFORM_FORBIDDEN, "STR-Transform on %.64s", ref->target->name);
    }
}

/* Does a reference before the last one mean the same as the last one? */
static bool is_repeated(const struct wssec_siginfo *s)
{
    const struct wssec_reference *ref = &s->reference[s->n_reference - 1];
    for (unsigned i = 0; i + 1 < s->n_reference; i++) {
        const struct wssec_reference *other = &s->reference[i];
        if (other->target == ref->target && other->attachment == ref->attachment && other->file == ref->file &&
            (!ref->named || strcmp((const char *)other->uri, (const char *)ref->uri) == 0)) {
            return true;
        }
    }
    return false;
}

static int read_reference(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_siginfo *s)
{
    struct wssec_reference *ref = &s->reference[s->n_reference++];
    const xmlNode *n = wssec_first_element(node);
    const xmlNode *transforms = NULL;
    if (wssec_is(n, WSSEC_NS_DS, "Transforms")) {
        transforms = n;
        n = wssec_next_element(n);
    }
    const xmlNode *value = wssec_next_element(n);
    const xmlChar *type = wssec_attr(node, NULL, "Type");
    if (!wssec_is(n, WSSEC_NS_DS, "DigestMethod") || !wssec_is(value, WSSEC_NS_DS, "DigestValue") ||
        wssec_next_element(value) != NULL) {
        return malformed(r, "Reference is not Transforms, DigestMethod, DigestValue");
    }
    if (type != NULL && strcmp((const char *)type, TYPE_MANIFEST) == 0 && r->files == NULL) {
        return malformed(r, "a Reference to a Manifest");
    }
    ref->uri = wssec_attr(node, NULL, "URI");
    int rc = WSSEC_RC_OK;
    bool file = r->files != NULL && ref->uri != NULL && ref->uri[0] != '#';
    bool attachment = !file && is_cid(r, transforms, ref->uri);
    if (file) {
        read_file(r, transforms, ref);
    } else if (attachment) {
        read_attachment(r, transforms, ref);
    } else {
        rc = read_transforms(r, transforms, ref);
    }
    if (rc == WSSEC_RC_OK && !refused(r)) {
        rc = wssec_digest_read(r, n, value, &ref->digest, ref->value);
    }
    if (rc != WSSEC_RC_OK || refused(r)) {
        return rc;
    }
    if (!attachment && !file) {
        resolve(r, ref);
    }
    if (refused(r)) {
        return WSSEC_RC_OK;
    }
    judge_target(r, ref, s);
    return is_repeated(s) ? malformed(r, "two references to one element") : WSSEC_RC_OK;
}

static int read_signature_method(const struct wssec_key_reader *r, const xmlNode *method, struct wssec_siginfo *s)
{
    const char *uri = algorithm_of(r, method);
    if (uri == NULL) {
        return WSSEC_RC_OK;
    }
    s->algorithm = wssec_signature_by_uri(uri);
    if (s->algorithm == NULL) {
        unknown(r, uri, s->key_info);
        return WSSEC_RC_OK;
    }
    enum wssec_legacy used = WSSEC_LEGACY_NONE;
    enum wssec_reason reason = wssec_policy_signature(r->policy, s->algorithm, r->at, &used);
    judged(r, reason, s->algorithm->word, used);
    if (!refused(r) && wssec_first_element(method) != NULL) {
        return malformed(r, "SignatureMethod has parameters");
    }
    return WSSEC_RC_OK;
}

static bool too_many_references(const struct wssec_key_reader *r, const xmlNode *first)
{
    uint32_t max =
        r->policy->limits.references < WSSEC_MAX_REFERENCES ? r->policy->limits.references : WSSEC_MAX_REFERENCES;
    bool many = children_above(first, max);
    if (many) {
        (void)wssec_refuse(r->why, WSSEC_LIMIT_REFERENCES, "more than %u references", max);
    }
    return many;
}

static int read_references(const struct wssec_key_reader *r, const xmlNode *first, struct wssec_siginfo *s)
{
    int rc = WSSEC_RC_OK;
    for (const xmlNode *n = first; n != NULL && rc == WSSEC_RC_OK && !refused(r); n = wssec_next_element(n)) {
        if (!wssec_is(n, WSSEC_NS_DS, "Reference")) {
            return malformed(r, "a list of References holds something that is none");
        }
        rc = read_reference(r, n, s);
    }
    return rc == WSSEC_RC_OK && !refused(r) && s->n_reference == 0 ? malformed(r, "SignedInfo has no Reference") : rc;
}

static int read_signed_info(const struct wssec_key_reader *r, struct wssec_siginfo *s)
{
    const xmlNode *c14n = wssec_first_element(s->signed_info);
    const xmlNode *method = wssec_next_element(c14n);
    if (!wssec_is(c14n, WSSEC_NS_DS, "CanonicalizationMethod") || !wssec_is(method, WSSEC_NS_DS, "SignatureMethod")) {
        return malformed(r, "SignedInfo does not begin with CanonicalizationMethod, SignatureMethod");
    }
    if (too_many_references(r, wssec_next_element(method))) {
        return WSSEC_RC_OK;
    }
    int rc = read_c14n_method(r, c14n, &s->c14n, &s->prefix);
    if (rc == WSSEC_RC_OK && !refused(r)) {
        rc = read_signature_method(r, method, s);
    }
    return rc == WSSEC_RC_OK && !refused(r) ? read_references(r, wssec_next_element(method), s) : rc;
}

int wssec_manifest_read(const struct wssec_key_reader *r, xmlNodePtr manifest, struct wssec_siginfo *out)
{
    memset(out, 0, sizeof *out);
    out->node = manifest;
    const xmlNode *first = wssec_first_element(manifest);
    return too_many_references(r, first) ? WSSEC_RC_OK : read_references(r, first, out);
}

/* No comment, no processing instruction and no stray text anywhere below; elements with text hold nothing else. */
static bool plain_below(const xmlNode *top)
{
    for (const xmlNode *n = top; n != NULL; n = wssec_next_below(top, n)) {
        if (n->type != XML_ELEMENT_NODE && n->type != XML_TEXT_NODE && n->type != XML_CDATA_SECTION_NODE) {
            return false;
        }
        if (n->type == XML_ELEMENT_NODE && wssec_first_element(n) != NULL && !wssec_element_content(n, false)) {
            return false;
        }
    }
    return true;
}

int wssec_siginfo_read(const struct wssec_key_reader *r, xmlNodePtr signature, struct wssec_siginfo *out)
{
    memset(out, 0, sizeof *out);
    out->node = signature;
    out->signed_info = wssec_first_element(signature);
    xmlNodePtr value = wssec_next_element(out->signed_info);
    xmlNodePtr last = wssec_next_element(value);
    if (!plain_below(signature)) {
        return malformed(r, "a comment, a processing instruction or text stands inside the Signature");
    }
    xmlNodePtr behind = wssec_next_element(last);
    if (r->files != NULL && wssec_is(behind, WSSEC_NS_DS, "Object")) {
        out->object = behind;
        behind = wssec_next_element(behind);
    }
    if (!wssec_is(out->signed_info, WSSEC_NS_DS, "SignedInfo") || !wssec_is(value, WSSEC_NS_DS, "SignatureValue") ||
        behind != NULL) {
        return malformed(r, "Signature is not SignedInfo, SignatureValue, KeyInfo");
    }
    if (wssec_is(last, WSSEC_NS_DS, "KeyInfo")) {
        out->key_info = last;
    } else if (wssec_is(last, WSSEC_NS_WSSE, "SecurityTokenReference") &&
               wssec_policy_legacy(r->policy, WSSEC_LEGACY_BARE_STR, r->at) == WSSEC_DATED_IN_FORCE) {
        out->str = last;
        *r->legacy |= 1u << WSSEC_LEGACY_BARE_STR;
    } else if (wssec_is(last, WSSEC_NS_WSSE, "SecurityTokenReference")) {
        (void)wssec_refuse(r->why, WSSEC_TOKEN_MALFORMED,
                           "a SecurityTokenReference stands right in ds:Signature, without KeyInfo");
        return WSSEC_RC_OK;
    } else if (last != NULL) {
        return malformed(r, "Signature holds something behind SignatureValue that is no KeyInfo");
    }
    int rc = read_signed_info(r, out);
    if (rc != WSSEC_RC_OK || refused(r)) {
        return rc;
    }
    out->value = wssec_base64_content(r->arena, value, SIGNATURE_VALUE_MAX, &rc);
    if (rc == WSSEC_RC_OK && out->value.p == NULL) {
        return malformed(r, "SignatureValue does not hold base64");
    }
    return rc;
}
