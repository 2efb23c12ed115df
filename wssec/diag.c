/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag.c: why a message was refused, in a form that may be given away. Only names of the profile's own elements,
 * algorithm names and what the keystore knows go out; text, attribute values and names of the payload never do.
 */
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dn.h"
#include "base/time.h"
#include "wssec/key.h"
#include "wssec/stack.h"
#include "wssec/worker.h"

#define OUTLINE_DEPTH 8

struct look { /* one call */
    struct wssec_message *message;
    const struct wssec_when *when;
    const struct wssec_resolver *resolver;
    const struct wssec_verdict *verdict;
    struct wssec_key_name name; /* what the first signature says of its key */
    bool has_name;
    struct wssec_diagnosis *out;
};

/* ---- outline --------------------------------------------------------------------------------------------------- */

static bool is_ours(const xmlNode *n)
{
    static const char *const known[] = {WSSEC_NS_WSSE, WSSEC_NS_WSU,  WSSEC_NS_WSSE11,  WSSEC_NS_DS,
                                        WSSEC_NS_DS11, WSSEC_NS_XENC, WSSEC_NS_EXC_C14N};
    for (size_t i = 0; n->ns != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp((const char *)n->ns->href, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The name behind the last '#' or '/' of an identifier of the standards; anything else is only said to be there. */
static const char *short_name(const xmlChar *uri)
{
    static const char *const owner[] = {"http://www.w3.org/", "http://docs.oasis-open.org/"};
    const char *text = (const char *)uri;
    for (size_t i = 0; i < sizeof owner / sizeof owner[0]; i++) {
        if (strncmp(text, owner[i], strlen(owner[i])) == 0 &&
            strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.#-_") == strlen(text)) {
            const char *hash = strrchr(text, '#');
            const char *slash = strrchr(text, '/');
            const char *from = hash != NULL && hash[1] != '\0' ? hash : slash;
            return from != NULL && strlen(from + 1) < 48 ? from + 1 : "a long name";
        }
    }
    return "not of a standard";
}

static void target_name(const struct look *k, const xmlChar *uri, char *out, size_t size)
{
    bool twice = false;
    xmlNodePtr n = uri[0] == '#' ? wssec_ids_find(&k->message->ids, uri + 1, (size_t)xmlStrlen(uri + 1), &twice) : NULL;
    const char *what = uri[0] != '#'           ? "not an id"
                       : n == NULL             ? "nothing"
                       : n == k->message->body ? "Body"
                       : is_ours(n)            ? (const char *)n->name
                                               : "an element of the payload or header";
    snprintf(out, size, " -> %s%s", what, twice ? " (the id stands twice)" : "");
}

/* Depth is bounded: a Security header that is deeper than its own standards know is not drawn further. */
static void outline(struct look *k, const xmlNode *node, int depth)
{
    struct wssec_diagnosis *d = k->out;
    for (const xmlNode *n = wssec_first_element(node); n != NULL && d->n_outline < WSSEC_MAX_OUTLINE;
         n = wssec_next_element(n)) {
        char *line = d->outline[d->n_outline++];
        if (!is_ours(n)) {
            snprintf(line, sizeof d->outline[0], "%*s(an element of another namespace)", depth * 2, "");
            continue;
        }
        const xmlChar *algorithm = wssec_attr(n, NULL, "Algorithm");
        const xmlChar *type = wssec_attr(n, NULL, "ValueType");
        const xmlChar *uri = wssec_attr(n, NULL, "URI");
        char target[64] = "";
        if (uri != NULL) {
            target_name(k, uri, target, sizeof target);
        }
        snprintf(line, sizeof d->outline[0], "%*s%.40s%s%s%s%s%s", depth * 2, "", (const char *)n->name,
                 algorithm != NULL ? " " : "", algorithm != NULL ? short_name(algorithm) : "", type != NULL ? " " : "",
                 type != NULL ? short_name(type) : "", target);
        if (depth < OUTLINE_DEPTH) {
            outline(k, n, depth + 1);
        }
    }
}

/* ---- certificates ---------------------------------------------------------------------------------------------- */

/* Serial fits, issuer does not: the two sides write one name in two ways that do not parse to the same. */
static bool only_serial_fits(const struct look *k, const struct wssec_entry *e)
{
    const struct wssec_hint *h = &k->name.hint;
    if (!k->has_name || h->serial == NULL || h->issuer == NULL) {
        return false;
    }
    const uint8_t *p = e->der.p;
    X509 *x = d2i_X509(NULL, &p, (long)e->der.n);
    BIGNUM *serial = x != NULL ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL) : NULL;
    char *text = serial != NULL ? BN_bn2dec(serial) : NULL;
    cs_dn *stored = x != NULL ? cs_dn_from_name(X509_get_issuer_name(x)) : NULL;
    cs_dn *said = cs_dn_parse(h->issuer);
    bool found = text != NULL && strcmp(text, h->serial) == 0 &&
                 (said == NULL || stored == NULL || !cs_dn_equal(stored, said, true));
    cs_dn_free(said);
    cs_dn_free(stored);
    OPENSSL_free(text);
    BN_free(serial);
    X509_free(x);
    return found;
}

static void finding(const struct look *k, const struct wssec_entry *e, struct wssec_tried *t)
{
    const struct wssec_verdict *v = k->verdict;
    bool matched = v->has_certificate && memcmp(v->certificate.sha256, e->sha256, sizeof e->sha256) == 0;
    if (matched && v->verdict == WSSEC_PASS) {
        t->finding[0] = '\0';
    } else if (matched) {
        snprintf(t->finding, sizeof t->finding, "its key made the signature; refused for: %s",
                 wssec_reason_code(v->reason));
    } else if (only_serial_fits(k, e)) {
        snprintf(t->finding, sizeof t->finding, "the serial number fits, the issuer's name is written differently");
    } else if (!t->named) {
        snprintf(t->finding, sizeof t->finding, "the message names another certificate");
    } else if (e->state != WSSEC_ACTIVE && e->state != WSSEC_DEACTIVATED) {
        snprintf(t->finding, sizeof t->finding, "its state is %s", wssec_state_word(e->state));
    } else if (v->reason == WSSEC_SIGNATURE_MISMATCH) {
        snprintf(t->finding, sizeof t->finding, "its key does not fit the signature");
    } else {
        snprintf(t->finding, sizeof t->finding, "not reached: %s", wssec_reason_code(v->reason));
    }
}

static bool names(const struct wssec_entry *named, int n, const struct wssec_entry *e)
{
    for (int i = 0; i < n; i++) {
        if (memcmp(named[i].sha256, e->sha256, sizeof e->sha256) == 0) {
            return true;
        }
    }
    return false;
}

static void tried(struct look *k)
{
    struct wssec_entry named[WSSEC_MAX_CANDIDATES];
    struct wssec_entry all[WSSEC_MAX_CANDIDATES];
    struct wssec_diagnosis *d = k->out;
    int n_named = 0;
    if (k->has_name) {
        n_named = k->resolver->candidates(k->resolver->ctx, WSSEC_USE_VERIFY, &k->name.hint, k->when->at, named,
                                          WSSEC_MAX_CANDIDATES);
    }
    int n = k->resolver->candidates(k->resolver->ctx, WSSEC_USE_VERIFY, NULL, k->when->at, all, WSSEC_MAX_CANDIDATES);
    for (int i = 0; i < n; i++) {
        struct wssec_tried *t = &d->tried[d->n_tried++];
        wssec_certificate_fill(&t->certificate, &all[i]);
        t->not_before = all[i].not_before;
        t->named = names(named, n_named, &all[i]);
        finding(k, &all[i], t);
    }
}

/* ---- likely cause ---------------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) cause(struct look *k, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(k->out->cause, sizeof k->out->cause, fmt, ap);
    va_end(ap);
}

/* White space with line ends between the Envelope's own children: a printer was at work. */
static bool is_indented(const struct wssec_message *m)
{
    const xmlNode *n = m->envelope != NULL ? m->envelope->children : NULL;
    return n != NULL && n->type == XML_TEXT_NODE && xmlStrchr(n->content, '\n') != NULL;
}

static bool noted(const struct wssec_verdict *v, const char *note)
{
    for (unsigned i = 0; i < v->n_notes; i++) {
        if (strcmp(v->notes[i], note) == 0) {
            return true;
        }
    }
    return false;
}

static void cause_unknown_certificate(struct look *k)
{
    for (unsigned i = 0; i < k->out->n_tried; i++) {
        if (strncmp(k->out->tried[i].finding, "the serial number fits", 22) == 0) {
            cause(
                k,
                "the sender writes the issuer's name in another way than the certificate does (quoting or order, known from WCF and Java); a key reference by thumbprint or "
                "SKI avoids names");
            return;
        }
    }
    if (strstr(k->verdict->detail, "renewed with the same key") != NULL) {
        cause(
            k,
            "the sender has renewed its certificate and kept its key; add the new certificate: countersign keystore add --role verifier … --activate");
    } else if (noted(k->verdict, "unknown-successor")) {
        cause(
            k,
            "the sender has changed to a new certificate of the same name; have its fingerprint confirmed, then add it: countersign keystore add --role verifier … --activate");
    } else {
        cause(k, "%s: %s", wssec_reason_meaning(WSSEC_CERTIFICATE_UNKNOWN),
              wssec_reason_cure(WSSEC_CERTIFICATE_UNKNOWN));
    }
}

static void cause_time(struct look *k)
{
    int64_t ahead = k->out->created_ahead;
    if (!k->out->has_created) {
        cause(k, "%s", wssec_reason_meaning(k->verdict->reason));
    } else if (ahead > 0) {
        cause(
            k,
            "Created lies %lld s ahead of this clock: the sender's clock is fast or this one is slow; compare both with a time server",
            (long long)ahead);
    } else {
        cause(k,
              "Created lies %lld s back: the message waited that long, was sent again, or the sender's clock is slow",
              (long long)-ahead);
    }
}

static void likely(struct look *k)
{
    const struct wssec_verdict *v = k->verdict;
    switch (v->reason) {
    case WSSEC_OK: cause(k, "nothing is wrong: every check that the policy demands holds"); break;
    case WSSEC_CERTIFICATE_UNKNOWN: cause_unknown_certificate(k); break;
    case WSSEC_TIMESTAMP_EXPIRED:
    case WSSEC_TIMESTAMP_FUTURE: cause_time(k); break;
    case WSSEC_DIGEST_MISMATCH:
        cause(k, "the signature itself is good, so the right key signed; the part was changed afterwards%s",
              is_indented(k->message) ? ". The message is indented: something printed it prettily after it was signed"
                                      : ": by a hop that writes XML anew, a logger, or somebody on the way");
        break;
    case WSSEC_SIGNATURE_MALFORMED:
        if (strcmp(k->out->stack, "gSOAP") == 0) {
            cause(
                k,
                "the ECDSA SignatureValue is DER-encoded, as gSOAP writes it; XML Signature wants r and s side by side: let the sender use RSA");
            break;
        }
        cause(k, "%s: %s", wssec_reason_meaning(v->reason), wssec_reason_cure(v->reason));
        break;
    case WSSEC_DUPLICATE_ID:
        cause(k, "two elements carry one id%s",
              strcmp(k->out->stack, "node-soap") == 0 ? ", as node-soap writes when a message is signed twice"
                                                      : "; treat as an attack until explained");
        break;
    default: cause(k, "%s: %s", wssec_reason_meaning(v->reason), wssec_reason_cure(v->reason)); break;
    }
}

/* ---- the call -------------------------------------------------------------------------------------------------- */

static void created(struct look *k)
{
    xmlNodePtr node = wssec_find(k->message->security, WSSEC_NS_WSU, "Created");
    size_t n = 0;
    const char *text = node != NULL ? (const char *)wssec_text(node, &n) : NULL;
    char copy[64];
    cs_time t = 0;
    if (text == NULL || n >= sizeof copy) {
        return;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (cs_time_parse(copy, &t) == 0) {
        k->out->has_created = true;
        k->out->created_ahead = t - k->when->now;
    }
}

/* The key reference of the first signature; one that cannot be read is no reason here, the verdict has said so. */
static int read_name(struct look *k, struct wssec_worker *w, const struct wssec_policy *p)
{
    struct wssec_refusal ignored = {WSSEC_OK, ""};
    unsigned legacy = 0;
    struct wssec_key_reader reader = {
        .arena = &w->arena, .message = k->message, .policy = p, .at = k->when->at, .legacy = &legacy, .why = &ignored};
    xmlNodePtr signature = wssec_find(k->message->security, WSSEC_NS_DS, "Signature");
    xmlNodePtr info = NULL;
    for (xmlNodePtr n = wssec_first_element(signature); n != NULL; n = wssec_next_element(n)) {
        info = wssec_is(n, WSSEC_NS_DS, "KeyInfo") ? n : info;
    }
    if (info == NULL) {
        return WSSEC_RC_OK;
    }
    int rc = wssec_key_info_read(&reader, info, &k->name);
    k->has_name = rc == WSSEC_RC_OK && ignored.reason == WSSEC_OK;
    return rc;
}

int wssec_diagnose(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                   const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_verdict *v,
                   struct wssec_diagnosis *d)
{
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct look k = {.message = &w->message, .when = t, .resolver = r, .verdict = v, .out = d};
    memset(d, 0, sizeof *d);
    wssec_arena_reset(&w->arena);
    int rc = wssec_package_open(&w->package, in, &p->limits, &why);
    if (rc == WSSEC_RC_OK && why.reason == WSSEC_OK) {
        rc = wssec_message_read(w, &w->package.root, p, k.message, &why);
    }
    if (rc == WSSEC_RC_OK && k.message->security != NULL) {
        wssec_stack_guess(k.message, d);
        created(&k);
    }
    if (rc == WSSEC_RC_OK && k.message->security != NULL && why.reason == WSSEC_OK) { /* ids are in their table */
        outline(&k, k.message->security, 0);
        rc = read_name(&k, w, p);
    }
    if (rc == WSSEC_RC_OK) {
        tried(&k);
        likely(&k);
    }
    wssec_message_reset(k.message);
    return rc;
}
