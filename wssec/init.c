/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.c: start-up of the libraries under us. Their tables are process-wide and without locks, so everything that is
 * ever written to them is written here, before other threads begin.
 */
#include <libxml/catalog.h>
#include <libxml/parser.h>
#include <libxml/xmlversion.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/xmlsec.h>

#include "wssec/dom.h"
#include "wssec/worker.h"

enum wssec_engine wssec_forced_engine = WSSEC_ENGINE_AUTO;

static struct {
    const char *name;
    EVP_MD *md;
} digests[] = {{"SHA256", NULL}, {"SHA384", NULL}, {"SHA512", NULL}, {"SHA1", NULL}};
static char versions[128];

const EVP_MD *wssec_md(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof digests / sizeof digests[0]; i++) {
        if (strcmp(digests[i].name, name) == 0) {
            return digests[i].md;
        }
    }
    return NULL;
}

/* Nothing outside the message is ever loaded, whoever asks. */
static xmlParserInputPtr refuse_entity(const char *url, const char *id, xmlParserCtxtPtr parser)
{
    (void)url;
    (void)id;
    (void)parser;
    return NULL;
}

static _Thread_local bool library_failed;

/*
 * libxml2 reports here what it does not tell its caller; above all its lists and strings go on without the item that
 * they found no memory for. Nothing goes to the standard error of the process, but a message that was judged meanwhile
 * is void.
 */
static void on_library_error(void *ctx, const char *fmt, ...)
{
    (void)ctx;
    (void)fmt;
    library_failed = true;
}

bool wssec_library_failed(void)
{
    return library_failed;
}

void wssec_library_reset(void)
{
    library_failed = false;
}

static int fetch_digests(void)
{
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        if (digests[i].md == NULL) {
            digests[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL);
        }
        if (digests[i].md == NULL) {
            return -1;
        }
    }
    return 0;
}

int wssec_init(const struct wssec_options *opt, char *err, size_t errsize)
{
    wssec_forced_engine = opt != NULL ? opt->engine : WSSEC_ENGINE_AUTO;
    xmlInitParser();
    LIBXML_TEST_VERSION
    xmlSetExternalEntityLoader(refuse_entity);
    xmlSetGenericErrorFunc(NULL, on_library_error);       /* this thread */
    xmlThrDefSetGenericErrorFunc(NULL, on_library_error); /* threads to come */
#ifdef LIBXML_CATALOG_ENABLED
    xmlCatalogSetDefaults(XML_CATA_ALLOW_NONE);
#endif
    if (fetch_digests() != 0) {
        snprintf(err, errsize, "OpenSSL does not offer SHA-1, SHA-256, SHA-384 and SHA-512");
        return -1;
    }
    if (wssec_dom_init() != 0) {
        snprintf(err, errsize, "xmlsec cannot be started or lacks an algorithm that the profile needs");
        return -1;
    }
    snprintf(versions, sizeof versions, "libxml2 %s xmlsec %s OpenSSL %s", LIBXML_DOTTED_VERSION, XMLSEC_VERSION,
             OpenSSL_version(OPENSSL_VERSION_STRING));
    return 0;
}

void wssec_shutdown(void)
{
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        EVP_MD_free(digests[i].md);
        digests[i].md = NULL;
    }
    xmlSecOpenSSLShutdown();
    xmlSecOpenSSLAppShutdown();
    xmlSecShutdown();
    xmlCleanupParser();
}

const char *wssec_versions(void)
{
    return versions;
}
