/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encrypt.c: parts of a message give way to EncryptedData, octet range by octet range, under one fresh content key that
 * travels in an EncryptedKey. It becomes the first child of the Security header: headers are processed in their order,
 * so what was signed before is verified after opening.
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "wssec/agreement.h"
#include "wssec/encrypted.h"
#include "wssec/header.h"
#include "wssec/key.h"
#include "wssec/keyinfo.h"
#include "wssec/markup.h"
#include "wssec/target.h"

#define PARTS 16

struct sealing { /* one call */
    struct wssec_worker *w;
    const struct wssec_input *in;
    const struct wssec_encryption *how;
    const struct wssec_when *t;
    struct wssec_policy *policy; /* owned: limits and encodings of what may be encrypted */
    struct wssec_entry entry;
    enum wssec_keyref kind;
    const struct wssec_cipher_alg *cipher;
    struct wssec_transport transport;
    struct wssec_agreement agreement; /* with key wrap */
    uint8_t point[WSSEC_POINT_MAX];
    uint8_t salt[WSSEC_SALT];
    uint8_t key[WSSEC_CONTENT_KEY_MAX];
    struct wssec_place place[PARTS];
    bool content[PARTS];
    char id[PARTS][WSSEC_ID_TEXT];
    char name[PARTS][64];
    cs_buf data[PARTS]; /* owned: the EncryptedData that takes the place */
    unsigned n;
    struct wssec_part_edit edit[PARTS]; /* owned: attachments and their ciphertext */
    char edit_id[PARTS][WSSEC_ID_TEXT];
    unsigned n_edit;
    char key_id[WSSEC_ID_TEXT], token_id[WSSEC_ID_TEXT];
    cs_buf text, sealed; /* owned: the header; octets of one ciphertext */
    xmlNodePtr security; /* the header of our role, NULL: to be made */
    struct wssec_refusal why;
};

/* ---- what and with what ---------------------------------------------------------------------------------------- */

static int choose_key(struct sealing *k, const struct wssec_resolver *r)
{
    int n = r->candidates(r->ctx, WSSEC_USE_ENCRYPT, NULL, k->t->at, &k->entry, 1);
    if (n < 0) {
        return WSSEC_RC_INTERNAL;
    }
    if (n == 0 || k->entry.key == NULL) {
        (void)wssec_refuse(&k->why, WSSEC_KEY_UNAVAILABLE, "no active certificate to encrypt to");
    } else if (k->entry.not_after != 0 && k->t->at > k->entry.not_after) {
        (void)wssec_refuse(&k->why, WSSEC_CERTIFICATE_EXPIRED,
                           "%.64s#%u has expired: its holder may have destroyed the key", k->entry.alias,
                           k->entry.ordinal);
    }
    return WSSEC_RC_OK;
}

/* How the content key travels: as asked for, else by the kind of the holder's key. */
static const struct wssec_transport_alg *choose_transport(const struct sealing *k)
{
    const char *word = k->how->transport;
    bool agreed = word != NULL ? strcmp(word, "ecdh-es") == 0 || strcmp(word, "x25519") == 0
                               : wssec_curve_of(k->entry.key) != NULL;
    if (agreed) {
        return wssec_transport_wrap(k->cipher->key);
    }
    return wssec_transport_by_word(word != NULL ? word : wssec_transport_words()[0]);
}

/* Can the holder's key be used with the transport that was chosen? */
static bool key_fits(const struct sealing *k)
{
    const struct wssec_curve *curve = wssec_curve_of(k->entry.key);
    if (k->transport.alg->wrap == 0) {
        return EVP_PKEY_get_base_id(k->entry.key) == EVP_PKEY_RSA;
    }
    return curve != NULL &&
           (k->how->transport == NULL || strcmp(k->how->transport, curve->uri != NULL ? "ecdh-es" : "x25519") == 0);
}

static int choose_algorithms(struct sealing *k)
{
    const char *cipher = k->how->cipher != NULL ? k->how->cipher : wssec_cipher_words()[0];
    k->kind = k->how->key_reference != WSSEC_KEYREF_NONE ? k->how->key_reference : WSSEC_KEYREF_ISSUER_SERIAL;
    k->cipher = wssec_cipher_by_word(cipher);
    k->transport.alg = k->cipher != NULL ? choose_transport(k) : NULL;
    const struct wssec_transport_alg *t = k->transport.alg;
    if (t == NULL) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_UNSUPPORTED, "no algorithm %.40s",
                           k->cipher == NULL ? cipher : k->how->transport);
    } else if (k->cipher->legacy != WSSEC_LEGACY_NONE || t->legacy != WSSEC_LEGACY_NONE) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_FORBIDDEN, "%s with %s is not made any more", cipher, t->word);
    } else if (!key_fits(k)) {
        (void)wssec_refuse(&k->why, WSSEC_ALGORITHM_UNSUPPORTED, "the key of %.64s#%u is none for %s", k->entry.alias,
                           k->entry.ordinal, k->how->transport != NULL ? k->how->transport : "encryption");
    } else if (t->wrap != 0) {
        bool x25519 = wssec_curve_of(k->entry.key)->uri == NULL;
        return wssec_agreement_usual(&k->agreement, x25519, t->uri, t->wrap, k->salt) == 0 ? WSSEC_RC_OK
                                                                                           : WSSEC_RC_INTERNAL;
    } else {
        k->transport.digest = k->transport.mgf_digest = t->mgf_named ? "SHA256" : "SHA1";
    }
    return WSSEC_RC_OK;
}

static int add_part(struct sealing *k, const struct wssec_part *part, const xmlNode *node)
{
    if (node == NULL) {
        if (!part->optional) {
            (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE, "part %s is not in the message", part->name);
        }
        return WSSEC_RC_OK;
    }
    for (unsigned i = 0; i < k->n; i++) {
        if (k->place[i].node == node) {
            return WSSEC_RC_OK; /* named twice, encrypted once */
        }
    }
    if (k->n == PARTS) {
        (void)wssec_refuse(&k->why, WSSEC_LIMIT_ENCRYPTED, "more than %d parts", PARTS);
        return WSSEC_RC_OK;
    }
    k->place[k->n] = (struct wssec_place){.node = node};
    k->content[k->n] = part->kind == WSSEC_PART_BODY;
    (void)cs_copy(k->name[k->n], sizeof k->name[0], part->name);
    return wssec_id_new(k->id[k->n++]);
}

static int add_attachments(struct sealing *k)
{
    const struct wssec_mime *m = &k->w->package.mime;
    for (size_t i = 1; i < m->n_part && k->n_edit == i - 1; i++) { /* named twice, encrypted once */
        if (m->part[i].id[0] == '\0') {
            (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE,
                               "part %zu has no Content-ID, so no reference can name it", i + 1);
            return WSSEC_RC_OK;
        }
        if (k->n + k->n_edit == PARTS) {
            (void)wssec_refuse(&k->why, WSSEC_LIMIT_ENCRYPTED, "more than %d parts", PARTS);
            return WSSEC_RC_OK;
        }
        k->edit[k->n_edit] = (struct wssec_part_edit){.part = i};
        int rc = wssec_id_new(k->edit_id[k->n_edit++]);
        if (rc != WSSEC_RC_OK) {
            return rc;
        }
    }
    return WSSEC_RC_OK;
}

/* The one element child of parent that a part means. */
static const xmlNode *only_child(struct sealing *k, const xmlNode *parent, const struct wssec_part *part)
{
    const xmlNode *found = NULL;
    for (const xmlNode *n = wssec_first_element(parent); n != NULL; n = wssec_next_element(n)) {
        bool hit = part->kind == WSSEC_PART_SIGNATURE        ? wssec_is(n, WSSEC_NS_DS, "Signature")
                   : part->kind == WSSEC_PART_USERNAME_TOKEN ? wssec_is(n, WSSEC_NS_WSSE, "UsernameToken")
                   : part->kind == WSSEC_PART_WSA
                       ? wssec_is(n, WSSEC_NS_WSA10, part->local) || wssec_is(n, WSSEC_NS_WSA04, part->local)
                       : wssec_is(n, part->ns, part->local);
        if (hit && found != NULL) {
            (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE, "part %s stands twice in the message", part->name);
        }
        found = hit ? n : found;
    }
    return found;
}

static int find_part(struct sealing *k, const char *word)
{
    const struct wssec_message *m = &k->w->message;
    struct wssec_part part;
    char err[256];
    if (wssec_part_parse(word, &part, err, sizeof err) != 0) {
        (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE, "%s", err);
        return WSSEC_RC_OK;
    }
    switch (part.kind) {
    case WSSEC_PART_BODY: return add_part(k, &part, m->body);
    case WSSEC_PART_SIGNATURE:
    case WSSEC_PART_USERNAME_TOKEN: return add_part(k, &part, only_child(k, k->security, &part));
    case WSSEC_PART_WSA:
    case WSSEC_PART_ELEMENT: return add_part(k, &part, only_child(k, m->header, &part));
    case WSSEC_PART_ATTACHMENTS: return add_attachments(k);
    case WSSEC_PART_TIMESTAMP:
    case WSSEC_PART_TOKEN: break;
    }
    (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE, "part %s cannot be encrypted", part.name);
    return WSSEC_RC_OK;
}

static int read_input(struct sealing *k)
{
    static const char *const defaults[] = {"Body", "attachments"};
    const char *const *word = k->how->n_part != 0 ? k->how->part : defaults;
    size_t n = k->how->n_part != 0 ? k->how->n_part : sizeof defaults / sizeof defaults[0];
    struct wssec_message *m = &k->w->message;
    int rc = wssec_message_read(k->w, k->in, k->policy, m, &k->why);
    if (rc != WSSEC_RC_OK || k->why.reason != WSSEC_OK) {
        return rc;
    }
    k->security = wssec_header_of_role(m, k->how->role);
    if (k->security != NULL && wssec_keyref_has_token(k->kind) && !wssec_header_is_ours(k->security)) {
        (void)wssec_refuse(&k->why, WSSEC_MULTIPLE_SECURITY,
                           "no token can be put into a Security header of another maker: use another key reference");
        return WSSEC_RC_OK;
    }
    for (size_t i = 0; i < n && rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK; i++) {
        rc = find_part(k, word[i]);
    }
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK && k->n + k->n_edit == 0) {
        (void)wssec_refuse(&k->why, WSSEC_POLICY_NOT_EVALUABLE, "no part is left to encrypt");
    }
    return rc;
}

/* ---- ciphertext ------------------------------------------------------------------------------------------------ */

static int text_of(struct sealing *k)
{
    const struct wssec_scan *s = &k->w->message.scan;
    cs_buf_reset(&k->w->scratch);
    for (size_t i = 0; i < s->n_piece; i++) {
        (void)cs_buf_add(&k->w->scratch, s->piece[i].p, s->piece[i].n);
    }
    if (k->w->scratch.failed) {
        return WSSEC_RC_NOMEM;
    }
    return wssec_markup_locate(&k->w->message, k->w->scratch.data, k->w->scratch.len, k->place, k->n) == 0
               ? WSSEC_RC_OK
               : WSSEC_RC_INTERNAL;
}

/* How an EncryptedData names its key. */
static void write_key_reference(const struct sealing *k, cs_buf *b)
{
    (void)cs_buf_addf(b,
                      "<ds:KeyInfo xmlns:ds=\"" WSSEC_NS_DS "\">"
                      "<wsse:SecurityTokenReference xmlns:wsse=\"" WSSEC_NS_WSSE "\" xmlns:wsse11=\"" WSSEC_NS_WSSE11
                      "\" wsse11:TokenType=\"" WSSEC_SMS11 "#EncryptedKey\"><wsse:Reference URI=\"#%s\"/>"
                      "</wsse:SecurityTokenReference></ds:KeyInfo>",
                      k->key_id);
}

static void write_data(struct sealing *k, unsigned i)
{
    cs_buf *b = &k->data[i];
    (void)cs_buf_addf(b,
                      "<xenc:EncryptedData xmlns:xenc=\"" WSSEC_NS_XENC "\" Id=\"%s\" Type=\"" WSSEC_NS_XENC "%s\">"
                      "<xenc:EncryptionMethod Algorithm=\"%s\"/>",
                      k->id[i], k->content[i] ? "Content" : "Element", k->cipher->uri);
    write_key_reference(k, b);
    (void)cs_buf_adds(b, "<xenc:CipherData><xenc:CipherValue>");
    wssec_base64_add((const uint8_t *)k->sealed.data, k->sealed.len, b);
    (void)cs_buf_adds(b, "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>");
}

/* A Body without content is opened: <soap:Body/> becomes <soap:Body>…</soap:Body>. */
static int seal_part(struct sealing *k, unsigned i)
{
    const struct wssec_place *p = &k->place[i];
    const char *text = k->w->scratch.data;
    bool inner = k->content[i];
    size_t from = inner ? p->open_end : p->from;
    size_t to = inner ? p->close_from : p->to;
    cs_buf_reset(&k->sealed);
    if (wssec_cipher_close(k->cipher, k->key, (struct wssec_slice){(const uint8_t *)text + from, to - from},
                           &k->sealed) != 0) {
        return WSSEC_RC_INTERNAL;
    }
    if (inner && p->empty) {
        size_t n = strcspn(text + p->from + 1, " \t\r\n/>");
        (void)cs_buf_adds(&k->data[i], ">");
        write_data(k, i);
        (void)cs_buf_addf(&k->data[i], "</%.*s>", (int)n, text + p->from + 1);
    } else {
        write_data(k, i);
    }
    return k->data[i].failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

/* An attachment's octets give way to their ciphertext, and its header says no more of them than it must. */
static int seal_attachment(struct sealing *k, unsigned i)
{
    static const char *const kept_out[] = {"Content-Type", "Content-Transfer-Encoding", "Content-Length", NULL};
    static const char *const sealed_too[] = {"Content-Type",
                                             "Content-Transfer-Encoding",
                                             "Content-Length",
                                             "Content-Description",
                                             "Content-Disposition",
                                             "Content-Location",
                                             NULL};
    static const char *const not_sealed[] = {"Content-Transfer-Encoding", "Content-Length", "MIME-Version", NULL};
    const struct wssec_package *package = &k->w->package;
    struct wssec_part_edit *e = &k->edit[i];
    struct wssec_flow flow;
    cs_buf front = CS_BUF_INIT; /* what is sealed ahead of the content */
    int rc = wssec_attachment_fields(&k->w->package, e->part, k->how->complete ? sealed_too : kept_out, &e->header);
    (void)cs_buf_adds(&e->header, "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n");
    if (rc == WSSEC_RC_OK && k->how->complete) {
        rc = wssec_attachment_fields(package, e->part, not_sealed, &front);
        (void)cs_buf_adds(&front, "\r\n");
    }
    size_t room = front.len + wssec_attachment_most(package, e->part) + WSSEC_FLOW_MORE;
    uint8_t *out = rc == WSSEC_RC_OK ? wssec_attachment_room(package, room, &e->heap) : NULL;
    if (out == NULL || front.failed || e->header.failed) {
        cs_buf_wipe(&front);
        return WSSEC_RC_NOMEM;
    }
    bool good = wssec_flow_close(&flow, k->cipher, k->key, out, room) == 0 &&
                wssec_flow_add(&flow, front.data, front.len) == 0 &&
                wssec_attachment_pass(package, e->part, wssec_flow_add, &flow, &k->why) == WSSEC_RC_OK;
    rc = wssec_flow_end(&flow, good) == 1 ? WSSEC_RC_OK : WSSEC_RC_INTERNAL;
    e->content = (struct wssec_slice){out, flow.n};
    cs_buf_wipe(&front);
    return rc;
}

static void write_attachment(struct sealing *k, unsigned i)
{
    cs_buf *b = &k->text;
    const struct wssec_mime_part *p = &k->w->package.mime.part[k->edit[i].part];
    const char *uri = wssec_cid(&k->w->arena, p->id);
    (void)cs_buf_addf(
        b, "<xenc:EncryptedData xmlns:xenc=\"" WSSEC_NS_XENC "\" Id=\"%s\" Type=\"" WSSEC_SWA "#Attachment-%s\"",
        k->edit_id[i], k->how->complete ? "Complete" : "Content-Only");
    if (p->content_type != NULL) {
        (void)cs_buf_adds(b, " MimeType=\"");
        for (const char *c = p->content_type; *c != '\0'; c++) {
            if (strchr("<>&\"'", *c) != NULL) {
                (void)cs_buf_addf(b, "&#%d;", *c);
            } else {
                (void)cs_buf_addc(b, *c == '\t' ? ' ' : *c);
            }
        }
        (void)cs_buf_adds(b, "\"");
    }
    (void)cs_buf_addf(b, "><xenc:EncryptionMethod Algorithm=\"%s\"/>", k->cipher->uri);
    write_key_reference(k, b);
    (void)cs_buf_addf(b,
                      "<xenc:CipherData><xenc:CipherReference URI=\"%s\"><xenc:Transforms>"
                      "<ds:Transform xmlns:ds=\"" WSSEC_NS_DS "\" Algorithm=\"" WSSEC_SWA
                      "#Attachment-Ciphertext-Transform\"/>"
                      "</xenc:Transforms></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>",
                      uri != NULL ? uri : "");
    b->failed = b->failed || uri == NULL;
}

/* ---- the header ------------------------------------------------------------------------------------------------ */

static void write_method(struct sealing *k)
{
    cs_buf *b = &k->text;
    (void)cs_buf_addf(b, "<xenc:EncryptionMethod Algorithm=\"%s\">", k->transport.alg->uri);
    if (k->transport.alg->wrap != 0) {
        (void)cs_buf_adds(b, "</xenc:EncryptionMethod>");
        return;
    }
    const struct wssec_digest_alg *d = wssec_digest_by_word(k->transport.alg->mgf_named ? "sha256" : "sha1");
    (void)cs_buf_addf(b, "<ds:DigestMethod Algorithm=\"%s\"/>", d->uri);
    if (k->transport.alg->mgf_named) {
        (void)cs_buf_addf(b, "<xenc11:MGF xmlns:xenc11=\"" WSSEC_NS_XENC11 "\" Algorithm=\"%s\"/>",
                          wssec_mgf_uri(k->transport.mgf_digest));
    }
    (void)cs_buf_adds(b, "</xenc:EncryptionMethod>");
}

/* Whose key it is; for a wrapped one inside of how the key above it is agreed on. */
static int write_holder(struct sealing *k)
{
    static const char open[] = "<ds:KeyInfo>";
    static const char close[] = "</ds:KeyInfo>";
    cs_buf *b = &k->text;
    if (k->transport.alg->wrap == 0) {
        return wssec_keyinfo_write(k->kind, &k->entry, k->token_id, b, &k->why);
    }
    cs_buf info = CS_BUF_INIT;
    int rc = wssec_keyinfo_write(k->kind, &k->entry, k->token_id, &info, &k->why);
    if (rc == WSSEC_RC_OK && info.len >= strlen(open) + strlen(close)) {
        (void)cs_buf_adds(b, open);
        wssec_agreement_write(&k->agreement, info.data + strlen(open), info.len - strlen(open) - strlen(close), b);
        (void)cs_buf_adds(b, close);
    }
    cs_buf_free(&info);
    return rc;
}

static int wrap_key(struct sealing *k)
{
    const struct wssec_transport_alg *t = k->transport.alg;
    return t->wrap != 0
               ? wssec_agree_close(&k->agreement, k->entry.key, t->wrap, k->key, k->cipher->key, k->point, &k->sealed)
               : wssec_transport_close(&k->transport, k->entry.key, k->key, k->cipher->key, &k->sealed);
}

static int write_header(struct sealing *k)
{
    cs_buf *b = &k->text;
    const struct wssec_message *m = &k->w->message;
    int rc = WSSEC_RC_OK;
    if (wrap_key(k) != 0) {
        return WSSEC_RC_INTERNAL;
    }
    if (k->security == NULL) {
        wssec_header_open(m, k->how->role, k->how->must_understand, b);
    }
    if (wssec_keyref_has_token(k->kind)) {
        rc = wssec_token_write(k->kind, &k->entry, k->token_id, b, &k->why);
    }
    (void)cs_buf_addf(b,
                      "<xenc:EncryptedKey xmlns:xenc=\"" WSSEC_NS_XENC "\" xmlns:ds=\"" WSSEC_NS_DS
                      "\" xmlns:wsse=\"" WSSEC_NS_WSSE "\" Id=\"%s\">",
                      k->key_id);
    write_method(k);
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK) {
        rc = write_holder(k);
    }
    (void)cs_buf_adds(b, "<xenc:CipherData><xenc:CipherValue>");
    wssec_base64_add((const uint8_t *)k->sealed.data, k->sealed.len, b);
    (void)cs_buf_adds(b, "</xenc:CipherValue></xenc:CipherData><xenc:ReferenceList>");
    for (unsigned i = 0; i < k->n; i++) {
        (void)cs_buf_addf(b, "<xenc:DataReference URI=\"#%s\"/>", k->id[i]);
    }
    for (unsigned i = 0; i < k->n_edit; i++) {
        (void)cs_buf_addf(b, "<xenc:DataReference URI=\"#%s\"/>", k->edit_id[i]);
    }
    (void)cs_buf_adds(b, "</xenc:ReferenceList></xenc:EncryptedKey>");
    for (unsigned i = 0; i < k->n_edit; i++) {
        write_attachment(k, i);
    }
    if (k->security == NULL) {
        wssec_header_close(m, b);
    }
    return rc == WSSEC_RC_OK && b->failed ? WSSEC_RC_NOMEM : rc;
}

static int splice(struct sealing *k, struct wssec_output *out)
{
    struct wssec_edit edit[PARTS + 1];
    const struct wssec_message *m = &k->w->message;
    const xmlNode *at = k->security != NULL ? k->security : m->header != NULL ? m->header : m->envelope;
    int rc = wssec_header_place(&k->w->arena, m, at, &k->text, &edit[0]);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    for (unsigned i = 0; i < k->n; i++) {
        const struct wssec_place *p = &k->place[i];
        struct wssec_edit e = {p->from, p->to, k->data[i].data, k->data[i].len};
        if (k->content[i]) {
            e.from = p->empty ? p->open_end - 2 : p->open_end;
            e.to = p->empty ? p->open_end : p->close_from;
        }
        size_t to = i + 1;
        for (; to > 0 && edit[to - 1].from > e.from; to--) {
            edit[to] = edit[to - 1];
        }
        edit[to] = e;
    }
    for (unsigned i = 0; i <= k->n; i++) {
        edit[i].from = wssec_scan_original(&m->scan, edit[i].from);
        edit[i].to = wssec_scan_original(&m->scan, edit[i].to);
    }
    return wssec_splice(k->w, k->in, m->scan.coding, edit, k->n + 1, out);
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

static int make(struct sealing *k, const struct wssec_resolver *r, struct wssec_output *out)
{
    int (*const steps[])(struct sealing *) = {choose_algorithms, read_input, text_of};
    int rc = wssec_package_open(&k->w->package, k->in, &k->policy->limits, &k->why);
    k->in = &k->w->package.root;
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK) {
        rc = choose_key(k, r);
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK; i++) {
        rc = steps[i](k);
    }
    if (rc != WSSEC_RC_OK || k->why.reason != WSSEC_OK) {
        return rc;
    }
    if (RAND_bytes(k->key, sizeof k->key) != 1 || wssec_id_new(k->key_id) != WSSEC_RC_OK ||
        wssec_id_new(k->token_id) != WSSEC_RC_OK) {
        return WSSEC_RC_INTERNAL;
    }
    for (unsigned i = 0; i < k->n && rc == WSSEC_RC_OK; i++) {
        rc = seal_part(k, i);
    }
    for (unsigned i = 0; i < k->n_edit && rc == WSSEC_RC_OK; i++) {
        rc = seal_attachment(k, i);
    }
    if (rc == WSSEC_RC_OK) {
        rc = write_header(k);
    }
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK) {
        rc = splice(k, out);
    }
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK && k->n_edit > 0) {
        rc = wssec_package_replace(&k->w->package, &k->policy->limits, k->edit, k->n_edit, &k->why);
    }
    return rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK ? wssec_package_wrap(&k->w->package, out) : rc;
}

static void report(const struct sealing *k, int rc, const struct wssec_resolver *r, struct wssec_verdict *v)
{
    v->t = k->t->at;
    v->time_source = k->t->source;
    v->generation = r->generation;
    v->soap = k->w->message.soap;
    v->is_fault = k->w->message.is_fault;
    wssec_refusal_show(&k->why, rc, v);
    if (k->entry.alias != NULL) {
        v->has_certificate = true;
        wssec_certificate_fill(&v->certificate, &k->entry);
    }
    for (unsigned i = 0; v->verdict == WSSEC_PASS && i < k->n; i++) {
        (void)cs_copy(v->covers[v->n_covers++], sizeof v->covers[0], k->name[i]);
    }
    for (unsigned i = 0; v->verdict == WSSEC_PASS && i < k->n_edit; i++) {
        (void)snprintf(v->covers[v->n_covers++], sizeof v->covers[0], "cid:%s",
                       k->w->package.mime.part[k->edit[i].part].id);
    }
}

int wssec_encrypt(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_encryption *e,
                  const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_output *out,
                  struct wssec_verdict *v)
{
    struct sealing k = {.w = w, .in = in, .how = e, .t = t};
    int rc = WSSEC_RC_NOMEM;
    memset(v, 0, sizeof *v);
    *out = (struct wssec_output){NULL, 0, 0};
    wssec_arena_reset(&w->arena);
    k.policy = wssec_policy_new("encrypt");
    if (k.policy != NULL) {
        k.policy->encodings |= WSSEC_ENC_LATIN1;
        k.policy->limits.body = WSSEC_MADE_BODY;
        wssec_library_reset();
        rc = make(&k, r, out);
        rc = wssec_library_failed() ? WSSEC_RC_NOMEM : rc;
    }
    report(&k, rc, r, v);
    if (v->verdict != WSSEC_PASS) {
        *out = (struct wssec_output){NULL, 0, 0};
    }
    OPENSSL_cleanse(k.key, sizeof k.key);
    wssec_message_reset(&w->message);
    wssec_policy_unref(k.policy);
    for (unsigned i = 0; i < PARTS; i++) {
        wssec_part_edit_free(&k.edit[i]);
        cs_buf_free(&k.data[i]);
    }
    cs_buf_free(&k.text);
    cs_buf_free(&k.sealed);
    return rc;
}
