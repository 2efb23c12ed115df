/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gSOAP verifies one file again and again, over its wsse plugin: verify CERTIFICATE MESSAGE SECONDS
 * prints "messages cpu_us_per_message peak_kb_beyond_the_message". gSOAP reads a Body into the types that it was
 * generated for (orders.h) while it digests it.
 */
#include "c14n.nsmap"
#include "wsseapi.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/clock.h"

#define SOAP_11 "http://schemas.xmlsoap.org/soap/envelope/"

static int body(struct soap *soap, int records)
{
    struct o__GetOrderResponse order;
    char *text = NULL;
    return records ? soap_get_o__GetOrderResponse(soap, &order, "o:GetOrderResponse", NULL) != NULL
                   : soap_in_xsd__string(soap, "o:document", &text, "xsd:string") != NULL;
}

static int once(struct soap *soap, const char *message, int records, EVP_PKEY *key)
{
    int algorithm = SOAP_SMD_SHA256 | SOAP_SMD_VRFY | (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? SOAP_SMD_ECDSA : 0);
    soap_wsse_verify_auto(soap, algorithm, key, 0);
    soap->is = message;
    int failed = soap_begin_recv(soap) || soap_envelope_begin_in(soap) || soap_recv_header(soap) ||
                 soap_body_begin_in(soap) || !body(soap, records) || soap_body_end_in(soap) ||
                 soap_envelope_end_in(soap) || soap_end_recv(soap) ||
                 soap_wsse_verify_element(soap, SOAP_11, "Body") != 1 || soap_wsse_verify_Timestamp(soap);
    if (failed) {
        soap_print_fault(soap, stderr);
    }
    soap_destroy(soap);
    soap_end(soap);
    return failed ? -1 : 0;
}

int main(int count, char **arguments)
{
    size_t octets = 0;
    FILE *in = count == 4 ? fopen(arguments[1], "r") : NULL;
    X509 *certificate = in != NULL ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    char *message = certificate != NULL ? bench_read(arguments[2], &octets) : NULL;
    if (message == NULL) {
        fprintf(stderr, "usage: verify CERTIFICATE MESSAGE SECONDS\n");
        return 64;
    }
    fclose(in);
    message[octets] = '\0';
    struct soap *soap = soap_new1(SOAP_XML_CANONICAL);
    soap_register_plugin(soap, soap_wsse);
    soap->cafile = arguments[1];
    int records = strstr(message, "<o:GetOrderResponse") != NULL;
    struct bench_clock clock = bench_start(strtod(arguments[3], NULL));
    do {
        if (once(soap, message, records, X509_get0_pubkey(certificate)) != 0) {
            return 1;
        }
    } while (bench_more(&clock));
    bench_print_with_memory(&clock, octets);
    soap_free(soap);
    X509_free(certificate);
    free(message);
    return 0;
}
