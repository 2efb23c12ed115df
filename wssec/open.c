/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c: a message with encrypted parts becomes one without. The plaintext takes the place of its EncryptedData octet
 * for octet, and the result is read anew from its first octet on, by the reader that every message passes. From the
 * first private operation on all failures take the same way: every key is tried, a key that does not open is replaced
 * by random octets, and the record alone tells what happened.
 */
#include "wssec/open.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "wssec/coding.h"
#include "wssec/encrypted.h"
#include "wssec/markup.h"
#include "wssec/splice.h"

#define PRIVATE_OPERATIONS 16
#define CUTS               (2 * WSSEC_ENCRYPTED)

struct opener { /* decryption of one text */
    struct wssec_worker *w;
    const struct wssec_resolver *resolver;
    const struct wssec_when *when;
    const struct wssec_input *in; /* the text */
    struct wssec_key_reader reader;
    struct wssec_opening *opening;
    struct wssec_explain *explain;
    unsigned operations;
    char tried[160];                              /* entries, for the record */
    struct wssec_part_edit edit[WSSEC_ENCRYPTED]; /* owned: attachments that were opened, sorted */
    size_t n_edit;
};

static bool stopped(const struct opener *o)
{
    return o->reader.why->reason != WSSEC_OK;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static bool usable(const struct wssec_entry *e)
{
    return e->key != NULL && (e->state == WSSEC_ACTIVE || e->state == WSSEC_DEACTIVATED);
}

static void tell(struct opener *o, const struct wssec_entry *e)
{
    size_t at = strlen(o->tried);
    bool closed = e->key == NULL && (e->state == WSSEC_ACTIVE || e->state == WSSEC_DEACTIVATED);
    (void)snprintf(o->tried + at, sizeof o->tried - at, "%s%.64s#%u (%s%s)", at > 0 ? ", " : "", e->alias, e->ordinal,
                   wssec_state_word(e->state), closed ? " then, its private key is closed now" : "");
}

/* All candidates, whichever fits: how long this takes tells nothing. */
static int try_entries(struct opener *o, struct wssec_encrypted_key *k, const struct wssec_entry *entry, int n)
{
    uint8_t key[WSSEC_CONTENT_KEY_MAX];
    int rc = WSSEC_RC_OK;
    if (RAND_bytes(k->key, sizeof k->key) != 1) {
        return WSSEC_RC_INTERNAL;
    }
    for (int i = 0; i < n && rc == WSSEC_RC_OK; i++) {
        tell(o, &entry[i]);
        if (!usable(&entry[i]) || o->operations == PRIVATE_OPERATIONS) {
            continue;
        }
        o->operations++;
        int fits = wssec_transport_open(&k->transport, entry[i].key, k->wrapped, k->length, key);
        if (fits < 0) {
            rc = WSSEC_RC_NOMEM;
        } else if (fits == 1 && k->entry == NULL) {
            memcpy(k->key, key, k->length);
            k->entry = &entry[i];
        }
    }
    OPENSSL_cleanse(key, sizeof key);
    return rc;
}

static int open_key(struct opener *o, struct wssec_encrypted_key *k)
{
    struct wssec_entry *entry = wssec_arena_take(o->reader.arena, WSSEC_MAX_CANDIDATES * sizeof *entry);
    if (entry == NULL) {
        return WSSEC_RC_NOMEM;
    }
    const struct wssec_hint *hint = k->name.hint.kind != WSSEC_KEYREF_NONE ? &k->name.hint : NULL;
    int n =
        o->resolver->candidates(o->resolver->ctx, WSSEC_USE_DECRYPT, hint, o->when->at, entry, WSSEC_MAX_CANDIDATES);
    if (n < 0) {
        return WSSEC_RC_INTERNAL;
    }
    bool any = false;
    for (int i = 0; i < n; i++) {
        any = any || usable(&entry[i]);
    }
    if (!any) {
        for (int i = 0; i < n; i++) {
            tell(o, &entry[i]);
        }
        (void)wssec_refuse(o->reader.why, WSSEC_NO_DECRYPTION_KEY, "%s: %s",
                           n == 0 ? "no stored key is the one that the EncryptedKey names" : "not to be used any more",
                           n == 0 ? wssec_keyref_word(k->name.hint.kind) : o->tried);
    }
    return try_entries(o, k, entry, n);
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* One element for an Element, balanced by itself in any case: it cannot close what stands around it. */
static bool fits_its_place(const struct wssec_encrypted_data *d, const cs_buf *text)
{
    struct wssec_fragment f;
    struct wssec_octets octets = {0};
    size_t bad = 0;
    if (wssec_octets_check(&octets, (const uint8_t *)text->data, text->len, &bad) != WSSEC_OK || octets.follow != 0) {
        return false; /* what a wrong key leaves of a cipher without a tag */
    }
    if (memchr(text->data, '\0', text->len) != NULL || wssec_markup_fragment(text->data, text->len, &f) != 0) {
        return false;
    }
    return d->content || (f.elements == 1 && !f.text);
}

/* The header of an opened attachment: its own but for what describes the ciphertext. */
static int opened_header(const struct opener *o, const struct wssec_encrypted_data *d, cs_buf *header)
{
    static const char *const with_type[] = {"Content-Type", "Content-Transfer-Encoding", "Content-Length", NULL};
    int rc = wssec_attachment_fields(&o->w->package, d->attachment, d->mime_type != NULL ? with_type : with_type + 1,
                                     header);
    if (d->mime_type != NULL) {
        (void)cs_buf_addf(header, "Content-Type: %s\r\n", d->mime_type);
    }
    (void)cs_buf_adds(header, "Content-Transfer-Encoding: binary\r\n");
    return rc == WSSEC_RC_OK && header->failed ? WSSEC_RC_NOMEM : rc;
}

/* The header that was sealed with its content, which is left in *plain. @return false: it is none, or not this part's
 */
static bool split_complete(const struct opener *o, const struct wssec_encrypted_data *d, struct wssec_slice *plain,
                           cs_buf *header)
{
    struct wssec_mime_field field[WSSEC_MIME_FIELDS];
    char ignored[384];
    const char *text = (const char *)plain->p;
    size_t most =
        o->reader.policy->limits.part_header < plain->n ? (size_t)o->reader.policy->limits.part_header : plain->n;
    const char *end = most > 0 ? memmem(text, most, "\r\n\r\n", 4) : NULL;
    size_t n = end != NULL ? (size_t)(end - text) + 2 : 0;
    int count = n > 0 ? wssec_mime_fields(text, n, field, ignored) : -1;
    const char *id = NULL;
    for (int i = 0; i < count; i++) {
        if (field[i].name_n < 8 || strncasecmp(field[i].name, "Content-", 8) != 0 ||
            wssec_mime_is_field(&field[i], "Content-Transfer-Encoding") ||
            wssec_mime_is_field(&field[i], "Content-Length")) {
            return false;
        }
        id = wssec_mime_is_field(&field[i], "Content-ID") ? wssec_mime_unfold(o->reader.arena, &field[i]) : id;
    }
    const char *own = o->w->package.mime.part[d->attachment].id;
    size_t own_n = strlen(own);
    bool same = id != NULL && (strcmp(id, own) == 0 ||
                               (id[0] == '<' && strncmp(id + 1, own, own_n) == 0 && strcmp(id + 1 + own_n, ">") == 0));
    if (!same) {
        return false;
    }
    (void)cs_buf_add(header, plain->p, n);
    (void)cs_buf_adds(header, "Content-Transfer-Encoding: binary\r\n");
    *plain = (struct wssec_slice){plain->p + n + 2, plain->n - n - 2};
    return true;
}

/* e is taken. */
static int keep_attachment(struct opener *o, const struct wssec_encrypted_data *d, struct wssec_part_edit *e)
{
    int rc = WSSEC_RC_OK;
    if (!d->complete) {
        rc = opened_header(o, d, &e->header);
    } else if (!split_complete(o, d, &e->content, &e->header)) {
        (void)wssec_refuse(o->reader.why, WSSEC_DECRYPTION_FAILED,
                           "the plaintext does not begin with the header of its attachment");
    }
    size_t at = o->n_edit++;
    for (; at > 0 && o->edit[at - 1].part > d->attachment; at--) {
        o->edit[at] = o->edit[at - 1];
    }
    o->edit[at] = *e;
    bool failed = e->header.failed;
    *e = (struct wssec_part_edit){.part = 0};
    return failed ? WSSEC_RC_NOMEM : rc;
}

/* Why something does not open. */
static void not_opened(const struct opener *o, const struct wssec_encrypted_data *d)
{
    (void)wssec_refuse(o->reader.why, WSSEC_DECRYPTION_FAILED, "%s; tried %s",
                       d->key->entry == NULL ? "no key opens the EncryptedKey"
                                             : "the EncryptedData does not open with its key",
                       o->tried);
}

/* Piece by piece, into room of its own; nothing of it goes on unless the tag holds. */
static int open_attachment(struct opener *o, const struct wssec_encrypted_data *d)
{
    const struct wssec_package *package = &o->w->package;
    struct wssec_part_edit e = {.part = d->attachment};
    struct wssec_flow flow;
    size_t room = wssec_attachment_most(package, d->attachment) + WSSEC_FLOW_MORE;
    uint8_t *out = wssec_attachment_room(package, room, &e.heap);
    if (out == NULL) {
        return WSSEC_RC_NOMEM;
    }
    bool good = wssec_flow_open(&flow, d->cipher, d->key->key, out, room) == 0 &&
                wssec_attachment_pass(package, d->attachment, wssec_flow_add, &flow, o->reader.why) == WSSEC_RC_OK;
    int opened = wssec_flow_end(&flow, good);
    int rc = opened < 0 ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
    e.content = (struct wssec_slice){out, flow.n};
    if (opened == 1) {
        rc = keep_attachment(o, d, &e);
    } else if (opened == 0) {
        not_opened(o, d);
        OPENSSL_cleanse(out, flow.n);
    }
    wssec_part_edit_free(&e);
    return rc;
}

static int open_data(struct opener *o, const struct wssec_encrypted_data *d, struct wssec_slice *plain)
{
    cs_buf *text = &o->w->scratch;
    if (d->attachment != 0) {
        *plain = (struct wssec_slice){(const uint8_t *)"", 0};
        return open_attachment(o, d);
    }
    int rc = wssec_cipher_open(d->cipher, d->key->key, d->sealed, text);
    if (rc < 0) {
        return WSSEC_RC_NOMEM;
    }
    bool fits = text->len == 0 || fits_its_place(d, text); /* asked in any case: see wssec_cipher_open */
    if (rc == 0) {
        not_opened(o, d);
    } else if (!fits) {
        (void)wssec_refuse(o->reader.why, WSSEC_DECRYPTION_FAILED, "the plaintext is not %s",
                           d->content ? "balanced by itself" : "exactly one element");
    }
    plain->n = text->len;
    plain->p = (const uint8_t *)wssec_arena_text(o->reader.arena, text->len > 0 ? text->data : "", text->len);
    if (text->data != NULL) {
        OPENSSL_cleanse(text->data, text->len);
    }
    return plain->p != NULL ? WSSEC_RC_OK : WSSEC_RC_NOMEM;
}

static int decrypt(struct opener *o, struct wssec_encrypted *all, struct wssec_slice *plain)
{
    int rc = WSSEC_RC_OK;
    o->opening->began = true;
    for (unsigned i = 0; i < all->n_key && rc == WSSEC_RC_OK; i++) {
        if (all->key[i].length != 0) {
            rc = open_key(o, &all->key[i]);
        }
    }
    for (unsigned i = 0; i < all->n_data && rc == WSSEC_RC_OK; i++) {
        rc = open_data(o, &all->data[i], &plain[i]);
    }
    for (unsigned i = 0; i < all->n_key; i++) {
        OPENSSL_cleanse(all->key[i].key, sizeof all->key[i].key);
        if (all->key[i].entry != NULL && !o->opening->has_entry) {
            wssec_certificate_fill(&o->opening->entry, all->key[i].entry);
            o->opening->has_entry = true;
        }
    }
    return rc;
}

/* ---- texts ----------------------------------------------------------------------------------------------------- */

/* The text that the tree was made of, in one piece, in the worker's scratch. */
static int whole_text(struct opener *o)
{
    const struct wssec_scan *s = &o->reader.message->scan;
    cs_buf_reset(&o->w->scratch);
    if (cs_buf_reserve(&o->w->scratch, s->text_octets) != 0) {
        return WSSEC_RC_NOMEM;
    }
    for (size_t i = 0; i < s->n_piece; i++) {
        (void)cs_buf_add(&o->w->scratch, s->piece[i].p, s->piece[i].n);
    }
    return o->w->scratch.failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

/* Apply edits (offsets in the text) and keep the result as the opening's newest text. */
static int rewrite(struct opener *o, struct wssec_edit *edit, size_t n)
{
    const struct wssec_scan *s = &o->reader.message->scan;
    cs_buf *into = &o->w->opened[o->opening->text == &o->w->opened[0] ? 1 : 0];
    struct wssec_output made;
    for (size_t i = 1; i < n; i++) { /* few: insertion */
        struct wssec_edit e = edit[i];
        size_t at = i;
        for (; at > 0 && edit[at - 1].from > e.from; at--) {
            edit[at] = edit[at - 1];
        }
        edit[at] = e;
    }
    for (size_t i = 0; i < n; i++) {
        edit[i].from = wssec_scan_original(s, edit[i].from);
        edit[i].to = wssec_scan_original(s, edit[i].to);
    }
    int rc = wssec_splice(o->w, o->in, s->coding, edit, n, &made);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    cs_buf_wipe(into);
    if (cs_buf_reserve(into, made.octets) != 0) {
        return WSSEC_RC_NOMEM;
    }
    for (size_t i = 0; i < made.n_piece; i++) {
        (void)cs_buf_add(into, made.piece[i].p, made.piece[i].n);
    }
    o->opening->text = into;
    return into->failed ? WSSEC_RC_NOMEM : WSSEC_RC_OK;
}

static int put_in_place(struct opener *o, const struct wssec_encrypted *all, const struct wssec_slice *plain)
{
    struct wssec_edit edit[WSSEC_ENCRYPTED];
    struct wssec_place place[WSSEC_ENCRYPTED];
    for (unsigned i = 0; i < all->n_data; i++) {
        place[i] = (struct wssec_place){.node = all->data[i].replaced};
    }
    int rc = whole_text(o);
    if (rc != WSSEC_RC_OK) {
        return rc;
    }
    if (wssec_markup_locate(o->reader.message, o->w->scratch.data, o->w->scratch.len, place, all->n_data) != 0) {
        (void)wssec_refuse(o->reader.why, WSSEC_ENGINE_DISAGREEMENT, "an EncryptedData is not where the parser saw it");
        return WSSEC_RC_OK;
    }
    for (unsigned i = 0; i < all->n_data; i++) {
        edit[i] = (struct wssec_edit){place[i].from, place[i].to, (const char *)plain[i].p, plain[i].n};
    }
    return rewrite(o, edit, all->n_data);
}

/* One text opened at a stage; the message of the reader was made of it. */
static int open_stage(struct opener *o, enum wssec_stage stage, const struct wssec_cover *cover)
{
    struct wssec_encrypted all;
    struct wssec_slice plain[WSSEC_ENCRYPTED];
    int rc = wssec_encrypted_collect(&o->reader, stage, cover != NULL, &all);
    if (rc != WSSEC_RC_OK || stopped(o) || all.n_data == 0) {
        return rc;
    }
    if (cover != NULL && o->w->package.n_include > 0) { /* the tree is not the text any more */
        (void)wssec_refuse(o->reader.why, WSSEC_XOP_MALFORMED,
                           "an XOP package with encrypted parts behind its signature");
        return WSSEC_RC_OK;
    }
    for (unsigned i = 0; i < all.n_data && cover != NULL; i++) {
        const xmlNode *n = all.data[i].replaced;
        if (all.data[i].attachment != 0 && wssec_covers_part(cover, &o->w->package, all.data[i].attachment)) {
            continue;
        }
        while (n != NULL && n->type == XML_ELEMENT_NODE && !wssec_covers(cover, n)) {
            n = n->parent;
        }
        if (n == NULL || n->type != XML_ELEMENT_NODE) {
            (void)wssec_refuse(o->reader.why, WSSEC_PART_NOT_SIGNED,
                               "the signature does not cover an EncryptedData that is opened behind it");
            return WSSEC_RC_OK;
        }
    }
    rc = decrypt(o, &all, plain);
    if (rc == WSSEC_RC_OK && !stopped(o)) {
        wssec_explain_add(o->explain, "decryption", true, "%u part(s) opened %s the signature; tried %s", all.n_data,
                          stage == WSSEC_STAGE_BEHIND ? "behind" : "ahead of", o->tried);
        rc = put_in_place(o, &all, plain);
    }
    if (rc == WSSEC_RC_OK && !stopped(o) && o->n_edit > 0) {
        rc = wssec_package_replace(&o->w->package, &o->reader.policy->limits, o->edit, o->n_edit, o->reader.why);
    }
    for (size_t i = 0; i < o->n_edit; i++) {
        wssec_part_edit_free(&o->edit[i]);
    }
    o->n_edit = 0;
    return rc;
}

/* ---- behind the signature -------------------------------------------------------------------------------------- */

static struct wssec_input text_input(const struct wssec_input *as, struct wssec_slice *piece, const cs_buf *text)
{
    struct wssec_input in = *as;
    *piece = (struct wssec_slice){(const uint8_t *)text->data, text->len};
    in.slice = piece;
    in.n_slice = 1;
    return in;
}

/* What was opened behind the signature must not add a second one of what the policy demands. */
static void same_parts(struct wssec_judge *j, const struct wssec_message *opened)
{
    for (unsigned i = 0; i < j->policy->n_required; i++) {
        if (wssec_part_count(opened, &j->policy->required[i]) > 1) {
            (void)wssec_refuse(j->why, WSSEC_WRAPPED_PART, "%s stands twice once the message is opened",
                               j->policy->required[i].name);
        }
    }
}

static int behind(struct wssec_opening *opening, struct wssec_judge *j, const struct wssec_cover *decisive)
{
    const cs_buf *before = opening->text;
    struct opener o = {.w = j->worker,
                       .resolver = j->resolver,
                       .when = j->when,
                       .in = j->input,
                       .reader = j->reader,
                       .opening = opening,
                       .explain = j->explain};
    int rc = open_stage(&o, WSSEC_STAGE_BEHIND, decisive);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK || opening->text == before) {
        return rc;
    }
    struct wssec_slice piece;
    struct wssec_input in = text_input(j->input, &piece, opening->text);
    rc = wssec_message_read(j->worker, &in, j->policy, &j->worker->second, j->why);
    if (rc == WSSEC_RC_OK && j->why->reason == WSSEC_OK) {
        same_parts(j, &j->worker->second);
    }
    return rc;
}

void wssec_opening_show(const struct wssec_opening *o, struct wssec_verdict *v)
{
    v->opening = o->began;
    v->has_decrypted_with = o->has_entry;
    v->decrypted_with = o->entry;
    if (o->has_entry && o->entry.state != WSSEC_ACTIVE) {
        wssec_note(v, "decrypted-with-%s", wssec_state_word(o->entry.state));
    }
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

struct call { /* one wssec_open */
    struct wssec_worker *w;
    struct wssec_input in; /* the newest text */
    struct wssec_slice piece;
    const struct wssec_policy *policy;
    const struct wssec_when *when;
    const struct wssec_resolver *resolver;
    struct wssec_explain *explain;
    struct wssec_opening opening;
    struct wssec_refusal why;
    bool unread; /* the text cannot be read: the judge says so as for any message */
};

static struct opener opener_of(struct call *k)
{
    struct opener o = {.w = k->w,
                       .resolver = k->resolver,
                       .when = k->when,
                       .in = &k->in,
                       .opening = &k->opening,
                       .explain = k->explain};
    o.reader = (struct wssec_key_reader){.arena = &k->w->arena,
                                         .message = &k->w->second,
                                         .package = k->w->package.mime.n_part > 0 ? &k->w->package : NULL,
                                         .policy = k->policy,
                                         .at = k->when->at,
                                         .legacy = &k->opening.legacy,
                                         .why = &k->why,
                                         .tokens = &k->w->tokens};
    return o;
}

/* Read the newest text and open a stage of it. A text that cannot be read is not refused here: the judge does that. */
static int open_first(struct call *k, enum wssec_stage stage)
{
    int rc = wssec_message_read(k->w, &k->in, k->policy, &k->w->second, &k->why);
    k->unread = k->why.reason != WSSEC_OK;
    if (rc != WSSEC_RC_OK || k->unread) {
        return rc;
    }
    struct opener o = opener_of(k);
    rc = open_stage(&o, stage, NULL);
    if (rc == WSSEC_RC_OK && k->why.reason == WSSEC_OK && k->opening.text != NULL) {
        k->in = text_input(&k->in, &k->piece, k->opening.text);
    }
    return rc;
}

static bool is_spent(const struct wssec_message *m, const xmlNode *c)
{
    if (wssec_is(c, WSSEC_NS_XENC, "EncryptedKey") || wssec_is(c, WSSEC_NS_XENC, "ReferenceList")) {
        return true;
    }
    if (!wssec_is(c, WSSEC_NS_WSSE, "BinarySecurityToken")) {
        return false;
    }
    for (const xmlNode *n = wssec_first_element(m->security); n != NULL; n = wssec_next_element(n)) {
        if (!wssec_is(n, WSSEC_NS_XENC, "EncryptedKey") && !wssec_is(n, WSSEC_NS_XENC, "ReferenceList") &&
            !wssec_is(n, WSSEC_NS_WSSE, "BinarySecurityToken")) {
            return false; /* somebody else may need the token */
        }
    }
    return true;
}

/* What of our Security header has done its work and names nothing any more; the header itself when nothing else is in
 * it, and soap:Header when nothing else is in that. @return how many places */
static size_t spent(const struct wssec_message *m, struct wssec_place place[CUTS])
{
    size_t n = 0;
    bool all = m->security != NULL;
    for (xmlNodePtr c = wssec_first_element(m->security); c != NULL && n < CUTS; c = wssec_next_element(c)) {
        if (is_spent(m, c)) {
            place[n++] = (struct wssec_place){.node = c};
        } else {
            all = false;
        }
    }
    if (all && n > 0) {
        bool alone =
            wssec_next_element(wssec_first_element(m->header)) == NULL && wssec_element_content(m->header, false);
        place[0] = (struct wssec_place){.node = alone ? m->header : m->security};
        n = 1;
    }
    return n;
}

/* Octets that go of what stands at range. */
static struct wssec_range left_of(const struct wssec_message *m, struct wssec_range range,
                                  const struct wssec_place *place, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t from = wssec_scan_original(&m->scan, place[i].from);
        size_t to = wssec_scan_original(&m->scan, place[i].to);
        if (from <= range.from && range.to <= to) {
            return (struct wssec_range){0, 0};
        }
        range.to -= to - from;
    }
    return range;
}

static int clear_header(struct call *k, struct wssec_verdict *v)
{
    struct wssec_edit edit[CUTS];
    struct wssec_place place[CUTS];
    k->in = text_input(&k->in, &k->piece, k->opening.text);
    int rc = wssec_message_read(k->w, &k->in, k->policy, &k->w->second, &k->why);
    if (rc != WSSEC_RC_OK || k->why.reason != WSSEC_OK) {
        return rc;
    }
    struct opener o = opener_of(k);
    const struct wssec_message *m = &k->w->second;
    size_t n = spent(m, place);
    rc = whole_text(&o);
    if (rc == WSSEC_RC_OK && wssec_markup_locate(m, k->w->scratch.data, k->w->scratch.len, place, n) != 0) {
        rc = WSSEC_RC_INTERNAL;
    }
    if (rc == WSSEC_RC_OK) {
        for (size_t i = 0; i < n; i++) {
            edit[i] = (struct wssec_edit){place[i].from, place[i].to, "", 0};
        }
        v->security = left_of(m, m->security_at, place, n);
        v->header = left_of(m, m->header_at, place, n);
        rc = rewrite(&o, edit, n);
    }
    return rc;
}

/* The record of a message that is only decrypted, or that was refused before its signature was asked for. */
static int report(const struct call *k, int rc, struct wssec_verdict *v)
{
    const struct wssec_message *m = &k->w->second;
    memset(v, 0, sizeof *v);
    v->t = k->when->at;
    v->time_source = k->when->source;
    v->generation = k->resolver->generation;
    v->engine = WSSEC_ENGINE_DOM;
    v->soap = m->soap;
    v->is_fault = m->is_fault;
    v->security = m->security_at;
    v->header = m->header_at;
    (void)cs_copy(v->policy, sizeof v->policy, wssec_policy_name(k->policy));
    if (rc != WSSEC_RC_NOMEM && wssec_library_failed()) {
        rc = WSSEC_RC_NOMEM;
    }
    wssec_opening_show(&k->opening, v);
    wssec_exceptions_show(v, k->policy, k->opening.legacy);
    wssec_refusal_show(&k->why, rc, v);
    wssec_explain_add(k->explain, "verdict", v->verdict == WSSEC_PASS, "%s%s%s", wssec_reason_code(v->reason),
                      v->detail[0] != '\0' ? ": " : "", v->detail);
    return rc;
}

/* What was opened, or the input. */
static int give(struct call *k, const struct wssec_input *in, struct wssec_verdict *v, struct wssec_output *out)
{
    wssec_package_show(&k->w->package, v, k->opening.text != NULL ? k->opening.text->len : SIZE_MAX);
    if (k->opening.text == NULL) {
        *out = (struct wssec_output){in->slice, in->n_slice, 0};
        for (size_t i = 0; i < in->n_slice; i++) {
            out->octets += in->slice[i].n;
        }
        return WSSEC_RC_OK;
    }
    k->w->opened_piece = (struct wssec_slice){(const uint8_t *)k->opening.text->data, k->opening.text->len};
    *out = (struct wssec_output){&k->w->opened_piece, 1, k->w->opened_piece.n};
    return wssec_package_wrap(&k->w->package, out);
}

int wssec_open(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
               const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c, bool verify,
               struct wssec_verdict *v, struct wssec_explain *x, struct wssec_output *out)
{
    struct call k = {.w = w, .policy = p, .when = t, .resolver = r, .explain = x, .opening.behind = behind};
    *out = (struct wssec_output){NULL, 0, 0};
    wssec_library_reset();
    wssec_arena_reset(&w->arena);
    int rc = wssec_package_open(&w->package, in, &p->limits, &k.why);
    if (rc != WSSEC_RC_OK || k.why.reason != WSSEC_OK) {
        return wssec_refused(w, in, p, t, r, rc, &k.why, v, x);
    }
    k.in = w->package.root;
    rc = open_first(&k, verify ? WSSEC_STAGE_BEFORE : WSSEC_STAGE_ALL);
    if (!verify || rc != WSSEC_RC_OK || (k.why.reason != WSSEC_OK && !k.unread)) {
        rc = report(&k, rc, v);
    } else {
        k.why = (struct wssec_refusal){WSSEC_OK, ""};
        wssec_message_reset(&w->second);
        rc = wssec_verify_opening(w, &k.in, p, t, r, c, v, x, &k.opening);
    }
    if (rc == WSSEC_RC_OK && v->verdict == WSSEC_PASS && k.opening.text != NULL) {
        wssec_arena_reset(&w->arena);
        rc = clear_header(&k, v);
        if (rc != WSSEC_RC_OK || k.why.reason != WSSEC_OK) {
            rc = report(&k, rc, v);
        }
    }
    if (rc == WSSEC_RC_OK && v->verdict == WSSEC_PASS) {
        rc = give(&k, in, v, out);
    }
    wssec_message_reset(&w->second);
    wssec_message_reset(&w->message);
    ERR_clear_error();
    return rc;
}
