/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dom.c: xmlsec judges a signature whose SignedInfo we have already found to be good with a stored key. xmlsec chooses
 * nothing: the key is given, ids and transforms are ours (the chain of each reference is replaced by one transform that
 * gives exactly the octets of the node we resolved), and the algorithms are on the lists that were filled at start.
 * What xmlsec 1.2 lacks (RSA-PSS, Ed25519) is digested by libxml2 and OpenSSL directly.
 */
#include "wssec/dom.h"

#include <libxml/xmlerror.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* its other headers need this one first */
#include <xmlsec/xmlsec.h>

#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

#include "wssec/worker.h"

#define CHUNK ((size_t)1 << 20)

struct dom { /* one xmlSecDSigCtxVerify; dsigCtx->userData */
    struct wssec_judge *judge;
    const struct wssec_siginfo *siginfo;
    struct wssec_source *source;
    unsigned next; /* reference that xmlsec begins next */
    int rc;
};

static _Thread_local char last_error[160];
static _Thread_local bool no_memory;

static void on_error(const char *file, int line, const char *func, const char *object, const char *subject, int reason,
                     const char *msg)
{
    (void)file;
    (void)line;
    no_memory = no_memory || reason == XMLSEC_ERRORS_R_MALLOC_FAILED;
    if (last_error[0] == '\0') {
        snprintf(last_error, sizeof last_error, "%s %s %s: reason %d %s", func != NULL ? func : "",
                 object != NULL ? object : "", subject != NULL ? subject : "", reason, msg != NULL ? msg : "");
    }
}

/* ---- transforms ------------------------------------------------------------------------------------------------ */

struct part { /* the octets of one reference, as an xmlsec transform */
    xmlSecTransform transform;
    struct dom *dom;
    const struct wssec_source *source;
};

struct pushing {
    xmlSecTransformPtr to;
    xmlSecTransformCtxPtr ctx;
};

static int push_on(void *ctx, const void *p, size_t n)
{
    struct pushing *push = ctx;
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t some = n - at < CHUNK ? n - at : CHUNK;
        if (xmlSecTransformPushBin(push->to, (const xmlSecByte *)p + at, (xmlSecSize)some, 0, push->ctx) < 0) {
            return -1;
        }
    }
    return 0;
}

static xmlSecTransformDataType part_type(xmlSecTransformPtr t, xmlSecTransformMode mode, xmlSecTransformCtxPtr ctx)
{
    (void)t;
    (void)ctx;
    return mode == xmlSecTransformModePush ? xmlSecTransformDataTypeXml : xmlSecTransformDataTypeBin;
}

static int part_push(xmlSecTransformPtr t, xmlSecNodeSetPtr nodes, xmlSecTransformCtxPtr ctx)
{
    struct part *part = (struct part *)(void *)t;
    struct pushing push = {t->next, ctx};
    (void)nodes; /* what xmlsec would have selected; ours is resolved already */
    if (t->status != xmlSecTransformStatusNone || t->next == NULL || part->source == NULL) {
        return -1;
    }
    t->status = xmlSecTransformStatusWorking;
    int rc = wssec_source_write(part->source, push_on, &push);
    if (rc != WSSEC_RC_OK) {
        part->dom->rc = rc;
        return -1;
    }
    t->status = xmlSecTransformStatusFinished;
    return xmlSecTransformPushBin(t->next, NULL, 0, 1, ctx);
}

/* Exclusive C14N parameters and the like were judged in siginfo.c; here they are only passed over. */
static int str_read(xmlSecTransformPtr t, xmlNodePtr node, xmlSecTransformCtxPtr ctx)
{
    (void)t;
    (void)node;
    (void)ctx;
    return 0;
}

static int never_push(xmlSecTransformPtr t, xmlSecNodeSetPtr nodes, xmlSecTransformCtxPtr ctx)
{
    (void)t;
    (void)nodes;
    (void)ctx;
    return -1; /* it is always replaced before execution */
}

static const xmlSecTransformKlass part_klass = {.klassSize = sizeof(xmlSecTransformKlass),
                                                .objSize = sizeof(struct part),
                                                .name = BAD_CAST "wssec-part",
                                                .href = NULL,
                                                .usage = xmlSecTransformUsageDSigTransform,
                                                .getDataType = part_type,
                                                .pushXml = part_push};

static const xmlSecTransformKlass str_klass = {.klassSize = sizeof(xmlSecTransformKlass),
                                               .objSize = sizeof(xmlSecTransform),
                                               .name = BAD_CAST "wssec-str",
                                               .href = BAD_CAST WSSEC_SMS10 "#STR-Transform",
                                               .usage = xmlSecTransformUsageDSigTransform,
                                               .readNode = str_read,
                                               .getDataType = part_type,
                                               .pushXml = never_push};

/* Before a reference is executed: everything in front of its digest goes, our part comes. */
static int before_reference(xmlSecTransformCtxPtr ctx)
{
    xmlSecDSigReferenceCtxPtr ref =
        (xmlSecDSigReferenceCtxPtr)(void *)((char *)ctx - offsetof(xmlSecDSigReferenceCtx, transformCtx));
    struct dom *d = ref->dsigCtx->userData;
    if (d->next >= d->siginfo->n_reference || ref->digestMethod == NULL || ref->uri == NULL ||
        !xmlStrEqual(ref->uri, d->siginfo->reference[d->next].uri)) {
        return -1;
    }
    while (ctx->first != NULL && ctx->first != ref->digestMethod) {
        xmlSecTransformPtr t = ctx->first;
        ctx->first = t->next;
        xmlSecTransformRemove(t);
        xmlSecTransformDestroy(t);
    }
    struct part *part = (struct part *)(void *)xmlSecTransformCtxCreateAndPrepend(ctx, &part_klass);
    if (part == NULL || part->transform.next != ref->digestMethod) {
        return -1;
    }
    part->dom = d;
    part->source = &d->source[d->next++];
    return 0;
}

/* ---- one signature --------------------------------------------------------------------------------------------- */

static const xmlSecTransformId *signature_list(size_t *n)
{
    static xmlSecTransformId list[24];
    static size_t filled; /* by wssec_dom_init, before other threads */
    if (filled == 0) {
        const xmlSecTransformId all[] = {xmlSecTransformExclC14NId,           xmlSecTransformInclC14NId,
                                         xmlSecTransformInclC14N11Id,         xmlSecOpenSSLTransformRsaSha1Id,
                                         xmlSecOpenSSLTransformRsaSha256Id,   xmlSecOpenSSLTransformRsaSha384Id,
                                         xmlSecOpenSSLTransformRsaSha512Id,   xmlSecOpenSSLTransformEcdsaSha1Id,
                                         xmlSecOpenSSLTransformEcdsaSha256Id, xmlSecOpenSSLTransformEcdsaSha384Id,
                                         xmlSecOpenSSLTransformEcdsaSha512Id};
        memcpy(list, all, sizeof all);
        filled = sizeof all / sizeof all[0];
    }
    *n = filled;
    return list;
}

static const xmlSecTransformId *reference_list(size_t *n)
{
    static xmlSecTransformId list[24];
    static size_t filled;
    if (filled == 0) {
        const xmlSecTransformId all[] = {xmlSecTransformExclC14NId,
                                         xmlSecTransformInclC14NId,
                                         xmlSecTransformInclC14N11Id,
                                         xmlSecTransformEnvelopedId,
                                         &str_klass,
                                         &part_klass,
                                         xmlSecOpenSSLTransformSha1Id,
                                         xmlSecOpenSSLTransformSha256Id,
                                         xmlSecOpenSSLTransformSha384Id,
                                         xmlSecOpenSSLTransformSha512Id};
        memcpy(list, all, sizeof all);
        filled = sizeof all / sizeof all[0];
    }
    *n = filled;
    return list;
}

/* An empty list would mean "all": every entry is checked to be there. */
static int fill_lists(xmlSecDSigCtxPtr ctx)
{
    size_t n = 0;
    const xmlSecTransformId *id = signature_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (xmlSecDSigCtxEnableSignatureTransform(ctx, id[i]) < 0) {
            return -1;
        }
    }
    id = reference_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (xmlSecDSigCtxEnableReferenceTransform(ctx, id[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The bare public key: no certificate, no name, nothing that could be searched by. */
static xmlSecKeyPtr bare_key(EVP_PKEY *key)
{
    if (EVP_PKEY_up_ref(key) != 1) {
        return NULL;
    }
    xmlSecKeyDataPtr data = xmlSecOpenSSLEvpKeyAdopt(key);
    if (data == NULL) {
        EVP_PKEY_free(key);
        return NULL;
    }
    xmlSecKeyPtr out = xmlSecKeyCreate();
    if (out == NULL || xmlSecKeySetValue(out, data) < 0) {
        xmlSecKeyDataDestroy(data);
        if (out != NULL) {
            xmlSecKeyDestroy(out);
        }
        return NULL;
    }
    return out;
}

static void take_results(struct dom *d, xmlSecDSigCtxPtr ctx)
{
    for (xmlSecSize i = 0; i < xmlSecPtrListGetSize(&ctx->signedInfoReferences) && i < d->siginfo->n_reference; i++) {
        const xmlSecDSigReferenceCtx *ref = xmlSecPtrListGetItem(&ctx->signedInfoReferences, i);
        d->source[i].judged = ref != NULL && ref->status != xmlSecDSigStatusUnknown;
        d->source[i].ok = ref != NULL && ref->status == xmlSecDSigStatusSucceeded;
    }
}

static int by_xmlsec(struct dom *d, EVP_PKEY *key)
{
    xmlSecDSigCtx ctx;
    int rc = WSSEC_RC_NOMEM;
    last_error[0] = '\0';
    no_memory = false;
    ERR_clear_error();
    if (xmlSecDSigCtxInitialize(&ctx, NULL) < 0) {
        return rc;
    }
    ctx.userData = d;
    /* The second flag only chooses how "#id" is selected, which before_reference replaces: an XPath context less. */
    ctx.flags = XMLSEC_DSIG_FLAGS_IGNORE_MANIFESTS | XMLSEC_DSIG_FLAGS_USE_VISA3D_HACK;
    ctx.enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    ctx.referencePreExecuteCallback = before_reference;
    ctx.signKey = bare_key(key);
    if (ctx.signKey == NULL || fill_lists(&ctx) != 0) {
        goto out;
    }
    /* xmlsec canonicalises SignedInfo by asking for every node of the document whether it belongs to it: the Body is
     * hidden meanwhile. What is digested of it is reached by our own pointers, its namespaces through its parents. */
    xmlNodePtr header = d->judge->message->header;
    xmlNodePtr rest = header->next;
    header->next = NULL;
    int done = xmlSecDSigCtxVerify(&ctx, d->siginfo->node);
    header->next = rest;
    if (d->rc != WSSEC_RC_OK) {
        rc = d->rc;
        goto out;
    }
    if (wssec_openssl_no_memory() || no_memory) {
        goto out;
    }
    rc = WSSEC_RC_OK;
    take_results(d, &ctx);
    bool all = true;
    bool bad = false;
    for (unsigned i = 0; i < d->siginfo->n_reference; i++) {
        all = all && d->source[i].ok;
        bad = bad || (d->source[i].judged && !d->source[i].ok);
    }
    /* Our own judge found the signature good; xmlsec may only have stopped at a digest. */
    if (done < 0 || (all && ctx.status != xmlSecDSigStatusSucceeded) || (!all && !bad)) {
        (void)wssec_refuse(d->judge->why, WSSEC_ENGINE_DISAGREEMENT, "xmlsec does not confirm the signature: %s",
                           last_error);
    }
out:
    xmlSecDSigCtxFinalize(&ctx);
    return rc;
}

static int by_openssl(struct dom *d)
{
    for (unsigned i = 0; i < d->siginfo->n_reference; i++) {
        const struct wssec_reference *ref = &d->siginfo->reference[i];
        uint8_t digest[EVP_MAX_MD_SIZE];
        int rc = wssec_source_digest(d->judge->worker, &d->source[i], ref->digest, digest);
        if (rc != WSSEC_RC_OK || d->judge->why->reason != WSSEC_OK) {
            return rc;
        }
        d->source[i].judged = true;
        d->source[i].ok = CRYPTO_memcmp(digest, ref->value, ref->digest->octets) == 0;
        if (!d->source[i].ok) {
            break;
        }
    }
    return WSSEC_RC_OK;
}

int wssec_dom_references(struct wssec_judge *j, const struct wssec_siginfo *s, const struct wssec_signer *signer,
                         struct wssec_source *source)
{
    struct dom d = {.judge = j, .siginfo = s, .source = source};
    int rc = wssec_sources(j, s, signer, source);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK) {
        return rc;
    }
    bool plain = true; /* xmlsec has no transform for attachments */
    for (unsigned i = 0; i < s->n_reference; i++) {
        plain = plain && s->reference[i].attachment == 0;
    }
    rc = s->algorithm->xmlsec && plain ? by_xmlsec(&d, signer->matched->key) : by_openssl(&d);
    if (rc != WSSEC_RC_OK || j->why->reason != WSSEC_OK) {
        return rc;
    }
    for (unsigned i = 0; i < s->n_reference; i++) {
        const struct wssec_reference *ref = &s->reference[i];
        if (source[i].judged && !source[i].ok) {
            wssec_source_refuse(j, ref);
        }
        if (!source[i].ok) { /* belt: nothing passes that was not found good */
            (void)wssec_refuse(j->why, WSSEC_INTERNAL, "a reference was not judged");
        }
    }
    return WSSEC_RC_OK;
}

int wssec_dom_init(void)
{
    size_t n = 0;
    if (xmlSecInit() < 0 || xmlSecCheckVersion() != 1 || xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0) {
        return -1;
    }
    xmlSecErrorsSetCallback(on_error);
    xmlSecIOCleanupCallbacks(); /* nothing is ever opened by URI */
    if (xmlSecTransformIdsRegister(&str_klass) < 0) {
        return -1;
    }
    const xmlSecTransformId *id = signature_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (id[i] == xmlSecTransformIdUnknown) {
            return -1;
        }
    }
    id = reference_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (id[i] == xmlSecTransformIdUnknown) {
            return -1;
        }
    }
    return 0;
}
