/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover.c: coverage by node identity. For each required part the element at its absolute position is taken, and that
 * very node must be what a reference of the signature resolved to; names and ids prove nothing. This is what stands
 * between a valid signature and a wrapped message.
 */
#include "wssec/cover.h"

#include <stdio.h>
#include <string.h>

#include "wssec/worker.h"

const char *wssec_path(const xmlNode *node, char *out, size_t size)
{
    const xmlNode *chain[24];
    size_t n = 0;
    for (; node != NULL && node->type == XML_ELEMENT_NODE && n < sizeof chain / sizeof chain[0]; node = node->parent) {
        chain[n++] = node;
    }
    size_t at = 0;
    out[0] = '\0';
    if (node != NULL && node->type == XML_ELEMENT_NODE) {
        int put = snprintf(out, size, "…");
        at = put > 0 ? (size_t)put : 0;
    }
    while (n > 0 && at < size) {
        int put = snprintf(out + at, size - at, "/%.40s", chain[--n]->name);
        at += put > 0 ? (size_t)put : size;
    }
    return out;
}

bool wssec_covers(const struct wssec_cover *c, const xmlNode *node)
{
    for (unsigned i = 0; i < c->siginfo->n_reference; i++) {
        const xmlNode *target =
            c->siginfo->reference[i].str_transform ? c->source[i].canon.node : c->siginfo->reference[i].target;
        if (target != NULL && target == node) {
            return true;
        }
    }
    return false;
}

bool wssec_covers_part(const struct wssec_cover *c, const struct wssec_package *k, size_t part)
{
    for (unsigned i = 0; i < c->siginfo->n_reference; i++) {
        const struct wssec_reference *ref = &c->siginfo->reference[i];
        if (ref->attachment == part) {
            return true;
        }
        for (size_t n = 0; n < k->n_include && ref->target != NULL; n++) {
            if (k->include[n].part == part && wssec_within(ref->target, k->include[n].text)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- positions of parts ---------------------------------------------------------------------------------------- */

static bool has_name(const xmlNode *n, const struct wssec_part *p)
{
    switch (p->kind) {
    case WSSEC_PART_BODY: return wssec_is(n, WSSEC_NS_SOAP11, "Body") || wssec_is(n, WSSEC_NS_SOAP12, "Body");
    case WSSEC_PART_TIMESTAMP: return wssec_is(n, WSSEC_NS_WSU, "Timestamp");
    case WSSEC_PART_USERNAME_TOKEN: return wssec_is(n, WSSEC_NS_WSSE, "UsernameToken");
    case WSSEC_PART_WSA: return wssec_is(n, WSSEC_NS_WSA10, p->local) || wssec_is(n, WSSEC_NS_WSA04, p->local);
    case WSSEC_PART_ELEMENT: return wssec_is(n, p->ns, p->local);
    case WSSEC_PART_TOKEN:
    case WSSEC_PART_SIGNATURE:
    case WSSEC_PART_ATTACHMENTS: break;
    }
    return false;
}

unsigned wssec_part_count(const struct wssec_message *m, const struct wssec_part *p)
{
    bool header = p->kind == WSSEC_PART_WSA || p->kind == WSSEC_PART_ELEMENT;
    if (!header && p->kind != WSSEC_PART_TIMESTAMP && p->kind != WSSEC_PART_USERNAME_TOKEN) {
        return 1;
    }
    unsigned count = 0;
    for (xmlNodePtr n = wssec_first_element(header ? m->header : m->security); n != NULL; n = wssec_next_element(n)) {
        count += has_name(n, p);
    }
    return count;
}

/* The element at the part's absolute position. *twice: a second one stands there too. */
static xmlNodePtr position(const struct wssec_judge *j, const struct wssec_security *s, const struct wssec_cover *c,
                           const struct wssec_part *p, bool *twice)
{
    xmlNodePtr found = NULL;
    *twice = false;
    switch (p->kind) {
    case WSSEC_PART_BODY: return j->message->body;
    case WSSEC_PART_TIMESTAMP: return s->timestamp;
    case WSSEC_PART_USERNAME_TOKEN: return s->username;
    case WSSEC_PART_TOKEN: return c->signer->name.token;
    case WSSEC_PART_SIGNATURE:
        for (unsigned i = 0; i < s->n_signature; i++) { /* a signature cannot cover itself: another one of our header */
            if (s->signature[i] != c->siginfo->node) {
                *twice = found != NULL;
                found = s->signature[i];
            }
        }
        return found;
    case WSSEC_PART_WSA:
    case WSSEC_PART_ELEMENT:
        for (xmlNodePtr n = wssec_first_element(j->message->header); n != NULL; n = wssec_next_element(n)) {
            if (has_name(n, p)) {
                *twice = *twice || found != NULL;
                found = n;
            }
        }
        return found;
    case WSSEC_PART_ATTACHMENTS: break; /* a message that is no multipart has none */
    }
    return found;
}

/* Where c signed an element of the part's name, but not at the part's position. */
static const xmlNode *namesake(const struct wssec_cover *c, const struct wssec_part *p, const xmlNode *at)
{
    for (unsigned i = 0; i < c->siginfo->n_reference; i++) {
        const xmlNode *target = c->siginfo->reference[i].target;
        if (target != at && has_name(target, p)) {
            return target;
        }
    }
    return NULL;
}

static int wrapped(struct wssec_judge *j, const struct wssec_part *p, const xmlNode *was_signed,
                   const xmlNode *in_place)
{
    char from[128];
    char to[128];
    (void)wssec_path(was_signed, from, sizeof from);
    (void)wssec_path(in_place, to, sizeof to);
    wssec_explain_add(j->explain, "coverage", false, "%s: signed is %s (line %ld); in its place stands %s (line %ld)",
                      p->name, from, xmlGetLineNo(was_signed), in_place != NULL ? to : "nothing",
                      in_place != NULL ? xmlGetLineNo(in_place) : 0L);
    return wssec_refuse(j->why, WSSEC_WRAPPED_PART, "%s: signed is %s, in its place stands %s", p->name, from,
                        in_place != NULL ? to : "nothing");
}

/* Does c meet this part? first: where the reason goes. */
static int judge_part(struct wssec_judge *j, const struct wssec_security *s, const struct wssec_cover *c,
                      const struct wssec_part *p, struct wssec_refusal *first)
{
    bool twice = false;
    const xmlNode *at = position(j, s, c, p, &twice);
    const xmlNode *elsewhere = namesake(c, p, at);
    if (elsewhere != NULL) {
        return wrapped(j, p, elsewhere, at);
    }
    if (twice) {
        enum wssec_reason reason = p->kind == WSSEC_PART_SIGNATURE ? WSSEC_POLICY_NOT_EVALUABLE : WSSEC_WRAPPED_PART;
        return wssec_refuse(first, reason, "%s stands there more than once", p->name);
    }
    if (p->kind == WSSEC_PART_ATTACHMENTS || (at == NULL && p->optional)) {
        return 0;
    }
    if (at == NULL && p->kind == WSSEC_PART_TIMESTAMP) {
        return wssec_refuse(first, WSSEC_TIMESTAMP_MISSING,
                            "the policy demands a signed Timestamp, the header holds none");
    }
    if (at == NULL) {
        return wssec_refuse(first, WSSEC_PART_NOT_SIGNED, "%s is demanded and not in the message", p->name);
    }
    if (!wssec_covers(c, at)) {
        char path[128];
        wssec_explain_add(j->explain, "coverage", false, "%s at %s (line %ld) is not signed", p->name,
                          wssec_path(at, path, sizeof path), xmlGetLineNo(at));
        return wssec_refuse(first, WSSEC_PART_NOT_SIGNED, "%s is not covered by the signature", p->name);
    }
    wssec_explain_add(j->explain, "coverage", true, "%s is signed in its place", p->name);
    return 0;
}

/* ---- what is always demanded ----------------------------------------------------------------------------------- */

static bool harmless_address(const xmlNode *reply)
{
    static const char *const harmless[] = {WSSEC_NS_WSA10 "/anonymous", WSSEC_NS_WSA10 "/none",
                                           WSSEC_NS_WSA04 "/role/anonymous"};
    for (const xmlNode *n = wssec_first_element(reply); n != NULL; n = wssec_next_element(n)) {
        if (!wssec_is(n, WSSEC_NS_WSA10, "Address") && !wssec_is(n, WSSEC_NS_WSA04, "Address")) {
            continue;
        }
        size_t len = 0;
        const char *text = (const char *)wssec_text(n, &len);
        if (text == NULL) {
            return false;
        }
        size_t skip = strspn(text, " \t\r\n");
        text += skip;
        len -= skip;
        while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
            len--;
        }
        for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
            if (strlen(harmless[i]) == len && memcmp(harmless[i], text, len) == 0) {
                return true;
            }
        }
        return false;
    }
    return false;
}

static int to_digest(void *ctx, const void *p, size_t n)
{
    return EVP_DigestUpdate(ctx, p, n) == 1 ? 0 : -1;
}

/* The octets of a part are the certificate that was accepted. */
static bool is_certificate(const struct wssec_judge *j, size_t part, const struct wssec_entry *e)
{
    const struct wssec_package *k = j->package;
    EVP_MD_CTX *md = j->worker->md;
    uint8_t digest[EVP_MAX_MD_SIZE];
    return EVP_DigestInit_ex(md, wssec_md("SHA256"), NULL) == 1 &&
           wssec_mime_content(k->in->slice, k->in->n_slice, &k->mime.part[part], to_digest, md) == 0 &&
           EVP_DigestFinal_ex(md, digest, NULL) == 1 && memcmp(digest, e->sha256, sizeof e->sha256) == 0;
}

/* Stacks that write binary data as parts write tokens and signatures so, too. No signature covers its own value, and
 * few cover their certificate; but what such a part holds was compared: it can be no other octets. */
static bool is_of_signer(const struct wssec_judge *j, const struct wssec_cover *c, size_t part)
{
    const struct wssec_package *k = j->package;
    for (size_t i = 0; i < k->n_include; i++) {
        const xmlNode *parent = k->include[i].text->parent;
        if (k->include[i].part != part || !wssec_within(j->message->security, parent)) {
            continue;
        }
        return (wssec_is(parent, WSSEC_NS_DS, "SignatureValue") && parent->parent == c->siginfo->node) ||
               (wssec_is(parent, WSSEC_NS_WSSE, "BinarySecurityToken") && is_certificate(j, part, c->signer->matched));
    }
    return false;
}

/* Every part but the root is signed, or stands by an Include in what is signed or in what signed it. */
static int judge_attachments(struct wssec_judge *j, const struct wssec_cover *c, struct wssec_refusal *first)
{
    const struct wssec_package *k = j->package;
    bool demanded = (j->policy->allow & WSSEC_ALLOW_UNSIGNED_ATTACHMENTS) == 0;
    for (unsigned i = 0; i < j->policy->n_required; i++) {
        demanded =
            demanded || (j->policy->required[i].kind == WSSEC_PART_ATTACHMENTS && !j->policy->required[i].optional);
    }
    for (size_t part = 1; k != NULL && part < k->mime.n_part; part++) {
        if (demanded && !wssec_covers_part(c, k, part) && !is_of_signer(j, c, part)) {
            return wssec_refuse(first, WSSEC_PART_NOT_SIGNED,
                                "part %zu of the package (%.100s) is not covered by the signature", part + 1,
                                k->mime.part[part].id[0] != '\0' ? k->mime.part[part].id : "no Content-ID");
        }
    }
    return 0;
}

static int judge_always(struct wssec_judge *j, const struct wssec_security *s, const struct wssec_cover *c,
                        struct wssec_refusal *first)
{
    if (judge_attachments(j, c, first) != 0) {
        return -1;
    }
    if (s->username != NULL && !wssec_covers(c, s->username)) {
        return wssec_refuse(first, WSSEC_PART_NOT_SIGNED, "the UsernameToken is not covered by the signature");
    }
    for (xmlNodePtr n = wssec_first_element(j->message->header); n != NULL && !j->input->response;
         n = wssec_next_element(n)) {
        bool wsa = n->ns != NULL && (strcmp((const char *)n->ns->href, WSSEC_NS_WSA10) == 0 ||
                                     strcmp((const char *)n->ns->href, WSSEC_NS_WSA04) == 0);
        bool reply =
            wsa && (strcmp((const char *)n->name, "ReplyTo") == 0 || strcmp((const char *)n->name, "FaultTo") == 0);
        if (reply && !harmless_address(n) && !wssec_covers(c, n)) {
            return wssec_refuse(first, WSSEC_PART_NOT_SIGNED, "wsa:%.16s names an address and is not signed", n->name);
        }
    }
    return 0;
}

/* Both WS-Addressing namespaces in one Header: sender and receiver may read different ones. */
static int judge_addressing(struct wssec_judge *j)
{
    bool has10 = false;
    bool has04 = false;
    for (xmlNodePtr n = wssec_first_element(j->message->header); n != NULL; n = wssec_next_element(n)) {
        has10 = has10 || (n->ns != NULL && strcmp((const char *)n->ns->href, WSSEC_NS_WSA10) == 0);
        has04 = has04 || (n->ns != NULL && strcmp((const char *)n->ns->href, WSSEC_NS_WSA04) == 0);
    }
    return has10 && has04
               ? wssec_refuse(j->why, WSSEC_POLICY_NOT_EVALUABLE, "the header uses two versions of WS-Addressing")
               : 0;
}

/* Step 13. Canonicalization drops comments, so the next hop could read a text that was not signed as such; and an
 * xop:Include stands for octets that are elsewhere, so its digest says nothing about them. */
static bool is_comment(const xmlNode *n)
{
    return n->type == XML_COMMENT_NODE;
}

static bool is_include(const xmlNode *n)
{
    return wssec_is(n, WSSEC_NS_XOP, "Include");
}

static bool holds(const xmlNode *top, bool (*wanted)(const xmlNode *))
{
    for (const xmlNode *n = top; n != NULL; n = wssec_next_below(top, n)) {
        if (wanted(n)) {
            return true;
        }
    }
    return false;
}

static bool part_holds(const struct wssec_message *m, const xmlNode *part, bool (*wanted)(const xmlNode *))
{
    if (m->streamed && part == m->body) {
        return wanted == is_include ? m->body_xop : m->body_comments > 0;
    }
    return holds(part, wanted);
}

static const xmlNode *signed_part_with(const struct wssec_message *m, const struct wssec_cover *cover, unsigned n,
                                       bool (*wanted)(const xmlNode *))
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < cover[i].siginfo->n_reference; k++) {
            const xmlNode *target = cover[i].siginfo->reference[k].target;
            if (target != NULL && part_holds(m, target, wanted)) {
                return target;
            }
        }
    }
    return NULL;
}

static int judge_content(struct wssec_judge *j, const struct wssec_cover *cover, unsigned n)
{
    const struct wssec_scan *scan = &j->message->scan;
    const xmlNode *part = j->message->has_xop ? signed_part_with(j->message, cover, n, is_include) : NULL;
    if (part != NULL) {
        return wssec_refuse(j->why, WSSEC_XOP_MALFORMED,
                            "%.64s holds an xop:Include, but the message is no XOP package", part->name);
    }
    if (j->policy->comments_allowed) {
        return 0;
    }
    if (scan->instructions > 0) {
        return wssec_refuse(j->why, WSSEC_PROCESSING_INSTRUCTION, "the Envelope holds a processing instruction");
    }
    part = scan->comments > 0 ? signed_part_with(j->message, cover, n, is_comment) : NULL;
    return part != NULL ? wssec_refuse(j->why, WSSEC_COMMENT_IN_SIGNED_PART, "in %.64s", part->name) : 0;
}

int wssec_cover_judge(struct wssec_judge *j, const struct wssec_security *s, const struct wssec_cover *cover,
                      unsigned n, unsigned *decisive)
{
    struct wssec_refusal first = {WSSEC_OK, ""};
    bool met = false;
    if (judge_addressing(j) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        struct wssec_refusal missing = {WSSEC_OK, ""};
        for (unsigned k = 0; k < j->policy->n_required; k++) {
            (void)judge_part(j, s, &cover[i], &j->policy->required[k], &missing);
        }
        (void)judge_always(j, s, &cover[i], &missing);
        if (missing.reason == WSSEC_OK && !met) {
            met = true;
            *decisive = i;
        } else if (missing.reason != WSSEC_OK && first.reason == WSSEC_OK) {
            first = missing;
        }
    }
    if (j->why->reason != WSSEC_OK) { /* a wrapped part of any signature */
        return -1;
    }
    for (size_t part = 1; met && j->package != NULL && part < j->package->mime.n_part; part++) {
        if (!wssec_covers_part(&cover[*decisive], j->package, part)) {
            wssec_note(j->verdict, "unsigned-attachment %zu", part + 1);
        }
    }
    if (!met) {
        return wssec_refuse(j->why, first.reason, "%s", first.detail);
    }
    return judge_content(j, cover, n);
}

/* ---- what the verdict shows ------------------------------------------------------------------------------------ */

static void name_of(const struct wssec_judge *j, const xmlNode *n, size_t attachment, char *out, size_t size)
{
    static const struct {
        const char *ns, *local, *name;
    } known[] = {{WSSEC_NS_WSU, "Timestamp", "Timestamp"},
                 {WSSEC_NS_WSSE, "BinarySecurityToken", "BinarySecurityToken"},
                 {WSSEC_NS_DS, "Signature", "Signature"},
                 {WSSEC_NS_WSSE, "UsernameToken", "UsernameToken"},
                 {WSSEC_NS_WSSE, "SecurityTokenReference", "SecurityTokenReference"}};
    if (attachment != 0) {
        snprintf(out, size, "cid:%s", j->package->mime.part[attachment].id);
        return;
    }
    if (n == j->message->body) {
        snprintf(out, size, "Body");
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (wssec_is(n, known[i].ns, known[i].local)) {
            snprintf(out, size, "%s", known[i].name);
            return;
        }
    }
    const char *ns = n->ns != NULL ? (const char *)n->ns->href : "";
    if (n->parent == j->message->header && (strcmp(ns, WSSEC_NS_WSA10) == 0 || strcmp(ns, WSSEC_NS_WSA04) == 0)) {
        snprintf(out, size, "wsa:%s", n->name);
    } else {
        char whole[4 * sizeof((struct wssec_verdict *)0)->covers[0]];
        size_t len = strlen(ns);
        (void)snprintf(whole, sizeof whole, "{%s}%s", len > size ? ns + len - size : ns, n->name);
        wssec_part_show(out, size, whole, strlen(whole));
    }
}

static void take_value(const xmlNode *n, char *out, size_t size)
{
    size_t len = 0;
    const char *text = (const char *)wssec_text(n, &len);
    if (text != NULL && len < size) {
        memcpy(out, text, len + 1);
    }
}

void wssec_cover_report(struct wssec_judge *j, const struct wssec_cover *c)
{
    struct wssec_verdict *v = j->verdict;
    v->n_covers = 0;
    for (unsigned i = 0; i < c->siginfo->n_reference && i < WSSEC_MAX_REFERENCES; i++) {
        const struct wssec_reference *ref = &c->siginfo->reference[i];
        const xmlNode *target =
            ref->str_transform && c->source[i].canon.node != NULL ? c->source[i].canon.node : ref->target;
        char *name = v->covers[v->n_covers++];
        name_of(j, target, ref->attachment, name, sizeof v->covers[0]);
        if (strcmp(name, "wsa:MessageID") == 0) {
            take_value(target, v->message_id, sizeof v->message_id);
        } else if (strcmp(name, "wsa:RelatesTo") == 0) {
            take_value(target, v->relates_to, sizeof v->relates_to);
        } else if (strcmp(name, "wsa:Action") == 0) {
            take_value(target, v->action, sizeof v->action);
        }
    }
}
