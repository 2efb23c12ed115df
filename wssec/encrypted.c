/* SPDX-License-Identifier: Apache-2.0 */
/* encrypted.c: see encrypted.h. */
#include "wssec/encrypted.h"

#include "wssec/agreement.h"

#include <string.h>

#define LABEL_MAX         ((size_t)1024)
#define WRAPPED_MAX       ((size_t)2048)
#define SEALED_MAX        ((size_t)1 << 30)
#define TYPE_ELEMENT      WSSEC_NS_XENC "Element"
#define TYPE_CONTENT      WSSEC_NS_XENC "Content"
#define TYPE_COMPLETE     WSSEC_SWA "#Attachment-Complete"
#define TYPE_CONTENT_ONLY WSSEC_SWA "#Attachment-Content-Only"
#define VT_KEY_SHA1       WSSEC_SMS11 "#EncryptedKeySHA1"
#define VT_KEY            WSSEC_SMS11 "#EncryptedKey"

static bool is_text(const xmlChar *a, const char *b)
{
    return a != NULL && strcmp((const char *)a, b) == 0;
}

static int refuse(const struct wssec_key_reader *r, enum wssec_reason reason, const char *what, const xmlChar *which)
{
    (void)wssec_refuse(r->why, reason, "%s%s%.160s", what, which != NULL ? " " : "",
                       which != NULL ? (const char *)which : "");
    return WSSEC_RC_OK;
}

static bool stopped(const struct wssec_key_reader *r)
{
    return r->why->reason != WSSEC_OK;
}

/* ---- algorithms ------------------------------------------------------------------------------------------------ */

/* An exception that an algorithm needs: taken, or why not. */
static bool dated(const struct wssec_key_reader *r, enum wssec_legacy l, const char *what)
{
    if (l == WSSEC_LEGACY_NONE) {
        return true;
    }
    switch (wssec_policy_legacy(r->policy, l, r->at)) {
    case WSSEC_DATED_IN_FORCE: *r->legacy |= 1u << l; return true;
    case WSSEC_DATED_OVER:
        (void)wssec_refuse(r->why, WSSEC_LEGACY_ENDED, "%s: the exception %s is over", what, wssec_legacy_word(l));
        return false;
    case WSSEC_DATED_ABSENT: break;
    }
    (void)wssec_refuse(r->why, WSSEC_ALGORITHM_FORBIDDEN, "%s needs: legacy %s until DATE", what, wssec_legacy_word(l));
    return false;
}

/* xenc:EncryptionMethod as first child. @return NULL with why filled */
static const xmlChar *method_of(const struct wssec_key_reader *r, const xmlNode *node, xmlNodePtr *method)
{
    *method = wssec_first_element(node);
    if (!wssec_is(*method, WSSEC_NS_XENC, "EncryptionMethod")) {
        (void)refuse(r, WSSEC_SECURITY_MALFORMED, "no EncryptionMethod in", node->name);
        return NULL;
    }
    const xmlChar *uri = wssec_attr(*method, NULL, "Algorithm");
    if (uri == NULL) {
        (void)refuse(r, WSSEC_SECURITY_MALFORMED, "EncryptionMethod names no algorithm", NULL);
    }
    return uri;
}

static int read_oaep(const struct wssec_key_reader *r, const xmlNode *method, struct wssec_transport *t)
{
    t->digest = t->mgf_digest = "SHA1";
    for (const xmlNode *n = wssec_first_element(method); n != NULL; n = wssec_next_element(n)) {
        const xmlChar *uri = wssec_attr(n, NULL, "Algorithm");
        int rc = WSSEC_RC_OK;
        if (wssec_is(n, WSSEC_NS_DS, "DigestMethod") && uri != NULL) {
            const struct wssec_digest_alg *d = wssec_digest_by_uri((const char *)uri);
            if (d == NULL) {
                return refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "digest of RSA-OAEP", uri);
            }
            t->digest = d->evp; /* also SHA-1: in OAEP it guards nothing that a collision could break */
        } else if (wssec_is(n, WSSEC_NS_XENC11, "MGF") && uri != NULL && t->alg->mgf_named) {
            t->mgf_digest = wssec_mgf_digest((const char *)uri);
            if (t->mgf_digest == NULL) {
                return refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "mask generation function", uri);
            }
        } else if (wssec_is(n, WSSEC_NS_XENC, "OAEPparams")) {
            t->label = wssec_base64_content(r->arena, n, LABEL_MAX, &rc);
            if (rc != WSSEC_RC_OK || t->label.p == NULL) {
                return rc != WSSEC_RC_OK ? rc : refuse(r, WSSEC_SECURITY_MALFORMED, "OAEPparams is not base64", NULL);
            }
        } else {
            return refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "parameter of RSA-OAEP", n->name);
        }
    }
    return WSSEC_RC_OK;
}

static int read_transport(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_transport *t)
{
    xmlNodePtr method = NULL;
    const xmlChar *uri = method_of(r, node, &method);
    if (uri == NULL) {
        return WSSEC_RC_OK;
    }
    t->alg = wssec_transport_by_uri((const char *)uri);
    if (t->alg == NULL) {
        return refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "key transport", uri);
    }
    if (!dated(r, t->alg->legacy, t->alg->word)) {
        return WSSEC_RC_OK;
    }
    if (t->alg->oaep) {
        return read_oaep(r, method, t);
    }
    return wssec_first_element(method) == NULL
               ? WSSEC_RC_OK
               : refuse(r, WSSEC_SECURITY_MALFORMED, "this key transport takes no parameter", NULL);
}

static const struct wssec_cipher_alg *read_cipher(const struct wssec_key_reader *r, const xmlNode *node,
                                                  bool authenticated)
{
    xmlNodePtr method = NULL;
    const xmlChar *uri = method_of(r, node, &method);
    if (uri == NULL) {
        return NULL;
    }
    const struct wssec_cipher_alg *a = wssec_cipher_by_uri((const char *)uri);
    if (a == NULL) {
        (void)refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "data encryption", uri);
        return NULL;
    }
    for (const xmlNode *n = wssec_first_element(method); n != NULL; n = wssec_next_element(n)) {
        if (!wssec_is(n, WSSEC_NS_XENC, "KeySize")) {
            (void)refuse(r, WSSEC_ALGORITHM_UNSUPPORTED, "parameter of the data encryption", n->name);
            return NULL;
        }
    }
    /* Without a tag, what opens is decided by whoever sends: only octets that a verified signature vouches for. */
    enum wssec_legacy more = a->tag == 0 && !authenticated ? WSSEC_LEGACY_CBC_BEFORE_VERIFY : WSSEC_LEGACY_NONE;
    return dated(r, a->legacy, a->word) && dated(r, more, a->word) ? a : NULL;
}

/* ---- elements -------------------------------------------------------------------------------------------------- */

/* The octets of CipherData/CipherValue, the next element child behind at. */
static int read_value(const struct wssec_key_reader *r, const xmlNode *data, size_t max, struct wssec_slice *out)
{
    xmlNodePtr value = wssec_first_element(data);
    int rc = WSSEC_RC_OK;
    if (!wssec_is(data, WSSEC_NS_XENC, "CipherData") || value == NULL || wssec_next_element(value) != NULL) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "CipherData is missing or holds more than one value", NULL);
    }
    if (!wssec_is(value, WSSEC_NS_XENC, "CipherValue")) {
        return refuse(r, WSSEC_REFERENCE_URI_FORBIDDEN, "CipherData with", value->name);
    }
    if (wssec_is(wssec_first_element(value), WSSEC_NS_XOP, "Include")) {
        return refuse(r, WSSEC_TOKEN_UNSUPPORTED, "a CipherValue that an xop:Include stands for is not opened", NULL);
    }
    *out = wssec_base64_content(r->arena, value, max, &rc);
    if (rc == WSSEC_RC_OK && out->p == NULL) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "CipherValue is not base64, empty or too long", NULL);
    }
    return rc;
}

/* Whose key it is, and for a wrapped one how the key above it is agreed on. A key that is wrapped by another one of the
 * message would need a chain of keys, which nobody sends. */
static int read_holder(const struct wssec_key_reader *r, xmlNodePtr info, struct wssec_encrypted_key *k)
{
    const xmlNode *method = wssec_first_element(info);
    bool agreed = wssec_is(method, WSSEC_NS_XENC, "AgreementMethod");
    xmlNodePtr recipient = info;
    if (agreed != (k->transport.alg->wrap != 0) || (agreed && wssec_next_element(method) != NULL)) {
        return refuse(r, WSSEC_TOKEN_UNSUPPORTED, "key wrap goes with one AgreementMethod, and only key wrap does:",
                      BAD_CAST k->transport.alg->word);
    }
    if (agreed) {
        k->transport.agreement = wssec_arena_take(r->arena, sizeof *k->transport.agreement);
        if (k->transport.agreement == NULL) {
            return WSSEC_RC_NOMEM;
        }
        int rc = wssec_agreement_read(r, method, k->transport.agreement, &recipient);
        if (rc != WSSEC_RC_OK || stopped(r)) {
            return rc;
        }
        size_t said = k->transport.agreement->key_octets;
        if (said != 0 && said != k->transport.alg->wrap) {
            return refuse(r, WSSEC_SECURITY_MALFORMED, "the key derivation says another KeyLength than that of",
                          BAD_CAST k->transport.alg->word);
        }
    }
    return recipient != NULL ? wssec_key_info_read(r, recipient, &k->name) : WSSEC_RC_OK;
}

/* Where a key's KeyInfo may name it wrongly, whoever the candidates are decides: the octets do not tell. */
static int read_key(const struct wssec_key_reader *r, xmlNodePtr node, struct wssec_encrypted *all,
                    struct wssec_encrypted_key **made)
{
    if (all->n_key > all->limit) {
        (void)wssec_refuse(r->why, WSSEC_LIMIT_ENCRYPTED, "more than %u encrypted keys", all->limit);
        return WSSEC_RC_OK;
    }
    struct wssec_encrypted_key *k = &all->key[all->n_key];
    *k = (struct wssec_encrypted_key){.node = node};
    int rc = read_transport(r, node, &k->transport);
    xmlNodePtr n = wssec_next_element(wssec_first_element(node));
    if (rc == WSSEC_RC_OK && !stopped(r) && wssec_is(n, WSSEC_NS_DS, "KeyInfo")) {
        rc = read_holder(r, n, k);
        n = wssec_next_element(n);
    } else if (rc == WSSEC_RC_OK && !stopped(r) && k->transport.alg->wrap != 0) {
        return refuse(r, WSSEC_KEY_REFERENCE_MISSING, "a wrapped key does not say how its key is agreed on", NULL);
    }
    if (rc == WSSEC_RC_OK && !stopped(r)) {
        rc = read_value(r, n, WRAPPED_MAX, &k->wrapped);
        n = wssec_next_element(n);
    }
    for (; n != NULL && rc == WSSEC_RC_OK && !stopped(r); n = wssec_next_element(n)) {
        if (wssec_is(n, WSSEC_NS_XENC, "ReferenceList") && k->references == NULL) {
            k->references = n;
        } else if (!wssec_is(n, WSSEC_NS_XENC, "CarriedKeyName")) {
            return refuse(r, WSSEC_SECURITY_MALFORMED, "EncryptedKey with", n->name);
        }
    }
    if (rc != WSSEC_RC_OK || stopped(r)) {
        return rc;
    }
    if (EVP_Digest(k->wrapped.p, k->wrapped.n, k->sha1, NULL, EVP_sha1(), NULL) != 1) {
        return WSSEC_RC_NOMEM;
    }
    all->n_key++;
    *made = k;
    return WSSEC_RC_OK;
}

/* The EncryptedKey of this message that a SecurityTokenReference names; NULL: none. *known: it is a way to name one. */
static int key_named(const struct wssec_key_reader *r, const xmlNode *str, struct wssec_encrypted *all, bool *known,
                     struct wssec_encrypted_key **out)
{
    const xmlNode *n = wssec_first_element(str);
    const xmlChar *type = n != NULL ? wssec_attr(n, NULL, "ValueType") : NULL;
    int rc = WSSEC_RC_OK;
    *known = true;
    if (wssec_is(n, WSSEC_NS_WSSE, "Reference") && (type == NULL || is_text(type, VT_KEY))) {
        const xmlChar *uri = wssec_attr(n, NULL, "URI");
        bool twice = false;
        xmlNodePtr at = uri != NULL && uri[0] == '#'
                            ? wssec_ids_find(&r->message->ids, uri + 1, strlen((const char *)uri + 1), &twice)
                            : NULL;
        for (unsigned i = 0; i < all->n_key && !twice; i++) {
            if (all->key[i].node == at) {
                *out = &all->key[i];
            }
        }
    } else if (wssec_is(n, WSSEC_NS_WSSE, "KeyIdentifier") && is_text(type, VT_KEY_SHA1)) {
        struct wssec_slice sha1 = wssec_base64_content(r->arena, n, 20, &rc);
        for (unsigned i = 0; i < all->n_key && sha1.n == 20; i++) {
            if (memcmp(all->key[i].sha1, sha1.p, 20) == 0) {
                *out = &all->key[i];
            }
        }
    } else {
        *known = false;
    }
    return rc;
}

static int find_key(const struct wssec_key_reader *r, const xmlNode *str, struct wssec_encrypted *all,
                    struct wssec_encrypted_key **out)
{
    bool known = false;
    int rc = key_named(r, str, all, &known, out);
    if (!known) {
        return refuse(r, WSSEC_TOKEN_UNSUPPORTED, "EncryptedData names its key in another way than by an EncryptedKey",
                      NULL);
    }
    if (rc == WSSEC_RC_OK && *out == NULL) {
        return refuse(r, WSSEC_TOKEN_NOT_FOUND,
                      "no EncryptedKey in our Security header is the one that EncryptedData names", NULL);
    }
    return rc;
}

static int read_data_key(const struct wssec_key_reader *r, const xmlNode *info, struct wssec_encrypted *all,
                         struct wssec_encrypted_key **out)
{
    xmlNodePtr n = wssec_first_element(info);
    if (n == NULL || wssec_next_element(n) != NULL) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "KeyInfo of EncryptedData does not hold exactly one reference",
                      NULL);
    }
    struct wssec_encrypted_key *own = NULL;
    int rc = WSSEC_RC_OK;
    if (wssec_is(n, WSSEC_NS_XENC, "EncryptedKey")) {
        rc = read_key(r, n, all, &own);
    } else if (wssec_is(n, WSSEC_NS_WSSE, "SecurityTokenReference")) {
        rc = find_key(r, n, all, &own);
    } else if (*out == NULL) {
        return refuse(r, WSSEC_TOKEN_UNSUPPORTED, "KeyInfo of EncryptedData with", n->name);
    }
    if (own != NULL && *out != NULL && own != *out) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "an EncryptedData is listed under another key than it names", NULL);
    }
    *out = own != NULL ? own : *out;
    return rc;
}

/* May something be opened here? Body and what is in it, a header block or in one, a child of our Security header. */
static bool good_place(const struct wssec_message *m, const struct wssec_encrypted_data *d)
{
    const xmlNode *parent = d->replaced->parent;
    if (d->content) { /* the whole content, else others could slip in beside it */
        const xmlNode *n = parent != NULL ? parent->children : NULL;
        for (; n != NULL; n = n->next) {
            if (n != d->replaced && !(n->type == XML_TEXT_NODE && xmlIsBlankNode(n))) {
                return false;
            }
        }
    }
    if (parent == m->security || parent == m->header) {
        return !d->content;
    }
    for (; parent != NULL && parent->type == XML_ELEMENT_NODE; parent = parent->parent) {
        if (parent == m->body) {
            return true;
        }
        if (parent == m->security || wssec_is(parent, WSSEC_NS_WSSE, "Security") ||
            wssec_is(parent, WSSEC_NS_XENC, "EncryptedData")) {
            return false;
        }
        if (parent->parent == m->header && m->header != NULL) {
            return true;
        }
    }
    return false;
}

/* Type and place of an attachment's data: a child of our Security header. */
static int read_attachment(const struct wssec_key_reader *r, const xmlNode *node, struct wssec_encrypted_data *d)
{
    const char *type = (const char *)wssec_attr(node, NULL, "MimeType");
    struct wssec_mime_value v;
    if (node->parent != r->message->security || r->package == NULL) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "the EncryptedData of an attachment where there is none", NULL);
    }
    if (type != NULL && (strlen(type) > 200 || strpbrk(type, "\r\n") != NULL ||
                         wssec_mime_value_read(r->arena, type, &v) != 1 || strchr(v.word, '/') == NULL)) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "the MimeType of an EncryptedData cannot be read", NULL);
    }
    d->mime_type = type;
    return WSSEC_RC_OK;
}

/* CipherData of an attachment: a reference to its part, through the one transform that means its octets. */
static int read_cipher_reference(const struct wssec_key_reader *r, const xmlNode *data,
                                 const struct wssec_encrypted *all, struct wssec_encrypted_data *d)
{
    const xmlNode *reference = wssec_first_element(data);
    const xmlNode *transforms = wssec_first_element(reference);
    const xmlNode *transform = wssec_first_element(transforms);
    const xmlChar *uri =
        wssec_is(reference, WSSEC_NS_XENC, "CipherReference") ? wssec_attr(reference, NULL, "URI") : NULL;
    if (!wssec_is(data, WSSEC_NS_XENC, "CipherData") || uri == NULL || wssec_next_element(reference) != NULL ||
        !wssec_is(transforms, WSSEC_NS_XENC, "Transforms") || wssec_next_element(transforms) != NULL ||
        !wssec_is(transform, WSSEC_NS_DS, "Transform") || wssec_next_element(transform) != NULL ||
        wssec_first_element(transform) != NULL) {
        return refuse(r, WSSEC_SECURITY_MALFORMED,
                      "CipherData of an attachment is not one CipherReference with one Transform", NULL);
    }
    const xmlChar *name = wssec_attr(transform, NULL, "Algorithm");
    if (!is_text(name, WSSEC_SWA "#Attachment-Ciphertext-Transform")) {
        return refuse(r, WSSEC_TRANSFORM_FORBIDDEN, "CipherReference with", name);
    }
    int part = wssec_mime_find(&r->package->mime, (const char *)uri);
    if (part <= 0) {
        return refuse(r, part < 0 ? WSSEC_REFERENCE_URI_FORBIDDEN : WSSEC_ATTACHMENT_MISSING,
                      "CipherReference names no attachment:", uri);
    }
    for (unsigned i = 0; i < all->n_data; i++) {
        if (all->data[i].attachment == (size_t)part) {
            return refuse(r, WSSEC_SECURITY_MALFORMED, "two EncryptedData for one attachment", NULL);
        }
    }
    d->attachment = (size_t)part;
    return WSSEC_RC_OK;
}

static int read_data(const struct wssec_key_reader *r, xmlNodePtr node, struct wssec_encrypted_key *listed,
                     bool authenticated, struct wssec_encrypted *all)
{
    for (unsigned i = 0; i < all->n_data; i++) {
        if (all->data[i].node == node) {
            return refuse(r, WSSEC_SECURITY_MALFORMED, "an EncryptedData is listed twice", NULL);
        }
    }
    if (all->n_data == all->limit) {
        (void)wssec_refuse(r->why, WSSEC_LIMIT_ENCRYPTED, "more than %u encrypted parts", all->limit);
        return WSSEC_RC_OK;
    }
    struct wssec_encrypted_data *d = &all->data[all->n_data];
    const xmlChar *type = wssec_attr(node, NULL, "Type");
    *d = (struct wssec_encrypted_data){.node = node, .replaced = node, .key = listed};
    d->content = is_text(type, TYPE_CONTENT);
    d->complete = is_text(type, TYPE_COMPLETE);
    bool attachment = d->complete || is_text(type, TYPE_CONTENT_ONLY);
    if (!d->content && !attachment && !is_text(type, TYPE_ELEMENT)) {
        return refuse(r, WSSEC_TOKEN_UNSUPPORTED, "EncryptedData of another Type than Element and Content", type);
    }
    if (wssec_is(node->parent, WSSEC_NS_WSSE11, "EncryptedHeader") && node->parent->parent == r->message->header &&
        !d->content && wssec_first_element(node->parent) == node && wssec_next_element(node) == NULL) {
        d->replaced = node->parent;
    }
    if (attachment) {
        (void)read_attachment(r, node, d);
        if (stopped(r)) {
            return WSSEC_RC_OK;
        }
    } else if (!good_place(r->message, d)) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "an EncryptedData stands where nothing may be opened", NULL);
    }
    d->cipher = read_cipher(r, node, authenticated);
    if (d->cipher == NULL) {
        return WSSEC_RC_OK;
    }
    int rc = WSSEC_RC_OK;
    xmlNodePtr n = wssec_next_element(wssec_first_element(node));
    if (wssec_is(n, WSSEC_NS_DS, "KeyInfo")) {
        rc = read_data_key(r, n, all, &d->key);
        n = wssec_next_element(n);
    }
    if (rc != WSSEC_RC_OK || stopped(r)) {
        return rc;
    }
    if (d->key == NULL) {
        return refuse(r, WSSEC_KEY_REFERENCE_MISSING, "an EncryptedData names no key", NULL);
    }
    if (d->key->length != 0 && d->key->length != d->cipher->key) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "one EncryptedKey serves ciphers of different key lengths", NULL);
    }
    d->key->length = d->cipher->key;
    rc = attachment ? read_cipher_reference(r, n, all, d) : read_value(r, n, SEALED_MAX, &d->sealed);
    n = wssec_next_element(n);
    if (rc == WSSEC_RC_OK && n != NULL && !stopped(r)) {
        return refuse(r, WSSEC_SECURITY_MALFORMED, "EncryptedData with", n->name);
    }
    all->n_data += rc == WSSEC_RC_OK && !stopped(r);
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

/* What "#id" of a list leads to; of an EncryptedHeader, what is in it. */
static xmlNodePtr data_at(const struct wssec_key_reader *r, const xmlChar *uri, size_t len, bool *twice)
{
    xmlNodePtr at = wssec_ids_find(&r->message->ids, uri + 1, len - 1, twice);
    return wssec_is(at, WSSEC_NS_WSSE11, "EncryptedHeader") ? wssec_first_element(at) : at;
}

static int read_list(const struct wssec_key_reader *r, const xmlNode *list, struct wssec_encrypted_key *key,
                     bool authenticated, struct wssec_encrypted *all)
{
    int rc = WSSEC_RC_OK;
    for (const xmlNode *n = wssec_first_element(list); n != NULL && rc == WSSEC_RC_OK && !stopped(r);
         n = wssec_next_element(n)) {
        const xmlChar *uri = wssec_attr(n, NULL, "URI");
        bool twice = false;
        if (!wssec_is(n, WSSEC_NS_XENC, "DataReference") || wssec_first_element(n) != NULL) {
            return refuse(r, WSSEC_SECURITY_MALFORMED, "ReferenceList with", n->name);
        }
        size_t len = uri != NULL ? strlen((const char *)uri) : 0;
        if (len < 2 || uri[0] != '#' || !wssec_is_ncname(uri + 1, len - 1)) {
            return refuse(r, WSSEC_REFERENCE_URI_FORBIDDEN, "DataReference is not of the form #id:", uri);
        }
        xmlNodePtr at = data_at(r, uri, len, &twice);
        if (twice) {
            return refuse(r, WSSEC_DUPLICATE_ID, "two elements carry the id of an EncryptedData", NULL);
        }
        if (!wssec_is(at, WSSEC_NS_XENC, "EncryptedData")) {
            return refuse(r, WSSEC_REFERENCE_UNRESOLVED, "no EncryptedData has the id", uri + 1);
        }
        rc = read_data(r, at, key, authenticated, all);
    }
    return rc;
}

/* All EncryptedKeys of the header: a list on one side of the Signature may name a key on the other. */
static int read_keys(const struct wssec_key_reader *r, struct wssec_encrypted *all)
{
    int rc = WSSEC_RC_OK;
    for (xmlNodePtr n = wssec_first_element(r->message->security); n != NULL && rc == WSSEC_RC_OK && !stopped(r);
         n = wssec_next_element(n)) {
        struct wssec_encrypted_key *made = NULL;
        if (wssec_is(n, WSSEC_NS_XENC, "EncryptedKey")) {
            rc = read_key(r, n, all, &made);
        }
    }
    return rc;
}

static struct wssec_encrypted_key *key_at(struct wssec_encrypted *all, const xmlNode *node)
{
    for (unsigned i = 0; i < all->n_key; i++) {
        if (all->key[i].node == node) {
            return &all->key[i];
        }
    }
    return NULL;
}

static int read_child(const struct wssec_key_reader *r, xmlNodePtr n, bool authenticated, struct wssec_encrypted *all)
{
    struct wssec_encrypted_key *key = key_at(all, n);
    if (key != NULL) {
        return key->references != NULL ? read_list(r, key->references, key, authenticated, all) : WSSEC_RC_OK;
    }
    if (wssec_is(n, WSSEC_NS_XENC, "ReferenceList")) {
        return read_list(r, n, NULL, authenticated, all);
    }
    if (wssec_is(n, WSSEC_NS_XENC, "EncryptedData")) {
        for (unsigned i = 0; i < all->n_data; i++) {
            if (all->data[i].node == n) {
                return WSSEC_RC_OK; /* a list named it before */
            }
        }
        return read_data(r, n, NULL, authenticated, all);
    }
    return WSSEC_RC_OK;
}

/* ---- what no list names ---------------------------------------------------------------------------------------- */

/* Does a list of our header lead to this EncryptedData, itself or by its EncryptedHeader? */
static bool is_listed(const struct wssec_key_reader *r, const xmlNode *list, const xmlNode *data)
{
    bool twice = false;
    for (const xmlNode *n = wssec_first_element(list); n != NULL; n = wssec_next_element(n)) {
        const xmlChar *uri = wssec_attr(n, NULL, "URI");
        if (uri != NULL && uri[0] == '#' && data_at(r, uri, strlen((const char *)uri), &twice) == data) {
            return true;
        }
    }
    return false;
}

static bool is_listed_anywhere(const struct wssec_key_reader *r, const struct wssec_encrypted *all, const xmlNode *data)
{
    for (unsigned i = 0; i < all->n_key; i++) {
        if (all->key[i].references != NULL && is_listed(r, all->key[i].references, data)) {
            return true;
        }
    }
    for (const xmlNode *n = wssec_first_element(r->message->security); n != NULL; n = wssec_next_element(n)) {
        if (wssec_is(n, WSSEC_NS_XENC, "ReferenceList") && is_listed(r, n, data)) {
            return true;
        }
    }
    return false;
}

/* The EncryptedKey of ours that an EncryptedData outside our header names; NULL: none. */
static int key_of(const struct wssec_key_reader *r, const xmlNode *data, struct wssec_encrypted *all,
                  struct wssec_encrypted_key **out)
{
    bool known = false;
    for (const xmlNode *n = wssec_first_element(data); n != NULL; n = wssec_next_element(n)) {
        const xmlNode *str = wssec_is(n, WSSEC_NS_DS, "KeyInfo") ? wssec_first_element(n) : NULL;
        if (wssec_is(str, WSSEC_NS_WSSE, "SecurityTokenReference")) {
            return key_named(r, str, all, &known, out);
        }
    }
    return WSSEC_RC_OK;
}

/* An EncryptedData that names a key of our header is meant for us. Left out of every list it would be handed on as
 * ciphertext without its key, as if it had been read. What names no key of ours may be meant for somebody behind us. */
static int refuse_unlisted(const struct wssec_key_reader *r, struct wssec_encrypted *all)
{
    const xmlNode *root = xmlDocGetRootElement(r->message->security->doc);
    unsigned seen = 0;
    int rc = WSSEC_RC_OK;
    for (const xmlNode *n = root; n != NULL && rc == WSSEC_RC_OK && !stopped(r); n = wssec_next_below(root, n)) {
        struct wssec_encrypted_key *key = NULL;
        if (!wssec_is(n, WSSEC_NS_XENC, "EncryptedData") || n->parent == r->message->security) {
            continue;
        }
        rc = key_of(r, n, all, &key);
        if (rc == WSSEC_RC_OK && key != NULL && ++seen > 2 * all->limit) { /* as many at either stage */
            (void)wssec_refuse(r->why, WSSEC_LIMIT_ENCRYPTED, "more than %u encrypted parts", 2 * all->limit);
            return WSSEC_RC_OK;
        }
        if (rc == WSSEC_RC_OK && key != NULL && !is_listed_anywhere(r, all, n)) {
            return refuse(r, WSSEC_SECURITY_MALFORMED,
                          "an EncryptedData names an EncryptedKey of our header, and no ReferenceList lists it", NULL);
        }
    }
    return rc;
}

int wssec_encrypted_collect(const struct wssec_key_reader *r, enum wssec_stage stage, bool authenticated,
                            struct wssec_encrypted *out)
{
    unsigned limit = r->policy->limits.encrypted < WSSEC_ENCRYPTED ? r->policy->limits.encrypted : WSSEC_ENCRYPTED;
    *out = (struct wssec_encrypted){.limit = limit};
    if (r->message->security == NULL) {
        return WSSEC_RC_OK;
    }
    out->key = wssec_arena_take(r->arena, (limit + 1) * sizeof *out->key);
    out->data = wssec_arena_take(r->arena, (limit + 1) * sizeof *out->data);
    if (out->key == NULL || out->data == NULL) {
        return WSSEC_RC_NOMEM;
    }
    int rc = read_keys(r, out);
    bool behind = false;
    for (xmlNodePtr n = wssec_first_element(r->message->security); n != NULL && rc == WSSEC_RC_OK && !stopped(r);
         n = wssec_next_element(n)) {
        behind = behind || wssec_is(n, WSSEC_NS_DS, "Signature");
        if (stage == WSSEC_STAGE_ALL || (stage == WSSEC_STAGE_BEHIND) == behind) {
            rc = read_child(r, n, authenticated, out);
        }
    }
    return rc == WSSEC_RC_OK && !stopped(r) ? refuse_unlisted(r, out) : rc;
}
