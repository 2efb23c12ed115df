/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline_xmlsec.c: how a straightforward program verifies a signed SOAP message with libxmlsec, as its own examples
 * do: parse, register the ids, copy the key for the message, find ds:Signature, verify. No policy, no coverage, no
 * limits.
 *
 * baseline_xmlsec CERTIFICATE MESSAGE SECONDS      prints "messages cpu_us_per_message peak_kb_beyond_the_message"
 */
#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#include "tests/bench/clock.h"

#define WSU "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

static int register_ids(xmlDoc *doc, xmlNode *node)
{
    for (xmlNode *n = node; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) {
            continue;
        }
        xmlAttr *id = xmlHasNsProp(n, BAD_CAST "Id", BAD_CAST WSU);
        if (id != NULL) {
            xmlChar *value = xmlNodeListGetString(doc, id->children, 1);
            if (value == NULL || xmlAddID(NULL, doc, value, id) == NULL) {
                xmlFree(value);
                return -1;
            }
            xmlFree(value);
        }
        if (register_ids(doc, n->children) != 0) {
            return -1;
        }
    }
    return 0;
}

/** @return 0 when the signature is valid */
static int verify_one(xmlSecKeyPtr key, const char *message, size_t n)
{
    int rc = -1;
    xmlSecDSigCtxPtr ctx = NULL;
    xmlDoc *doc = xmlReadMemory(message, (int)n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_HUGE);
    if (doc == NULL || register_ids(doc, xmlDocGetRootElement(doc)) != 0) {
        goto out;
    }
    xmlNode *signature = xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs);
    ctx = xmlSecDSigCtxCreate(NULL);
    if (signature == NULL || ctx == NULL) {
        goto out;
    }
    ctx->signKey = xmlSecKeyDuplicate(key);
    if (ctx->signKey == NULL || xmlSecDSigCtxVerify(ctx, signature) < 0) {
        goto out;
    }
    rc = ctx->status == xmlSecDSigStatusSucceeded ? 0 : -1;
out:
    if (ctx != NULL) {
        xmlSecDSigCtxDestroy(ctx);
    }
    xmlFreeDoc(doc);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: baseline_xmlsec CERTIFICATE MESSAGE SECONDS\n");
        return 64;
    }
    size_t n = 0;
    char *message = bench_read(argv[2], &n);
    xmlInitParser();
    if (message == NULL || xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0) {
        fprintf(stderr, "baseline_xmlsec: cannot start\n");
        return 70;
    }
    xmlSecKeyPtr key = xmlSecCryptoAppKeyLoad(argv[1], xmlSecKeyDataFormatCertPem, NULL, NULL, NULL);
    if (key == NULL) {
        return 70;
    }
    struct bench_clock clock = bench_start(strtod(argv[3], NULL));
    do {
        if (verify_one(key, message, n) != 0) {
            fprintf(stderr, "baseline_xmlsec: not valid\n");
            return 1;
        }
    } while (bench_more(&clock));
    bench_print_with_memory(&clock, n);
    xmlSecKeyDestroy(key);
    xmlSecCryptoShutdown();
    xmlSecCryptoAppShutdown();
    xmlSecShutdown();
    xmlCleanupParser();
    free(message);
    return 0;
}
