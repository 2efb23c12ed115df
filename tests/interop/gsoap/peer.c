/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gSOAP as a peer, over its wsse plugin: peer sign REFERENCE DIGEST 1|2 KEY CERTIFICATE writes a signed message to
 * standard output (1, 2: SOAP 1.1, 1.2); peer verify DIGEST CERTIFICATE judges the one on standard input. Status 0:
 * signed, or good; 1: refused, why is on standard error; 2: not a task.
 */
#include "c14n.nsmap"
#include "wsseapi.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define SOAP_11      "http://schemas.xmlsoap.org/soap/envelope/"
#define SOAP_12      "http://www.w3.org/2003/05/soap-envelope"
#define X509_PROFILE "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#"
#define THUMBPRINT   "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"

static int algorithm_of(const char *digest, const EVP_PKEY *key, int use)
{
    int algorithm = strcmp(digest, "sha1") == 0     ? SOAP_SMD_SHA1
                    : strcmp(digest, "sha512") == 0 ? SOAP_SMD_SHA512
                                                    : SOAP_SMD_SHA256;
    return algorithm | use | (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? SOAP_SMD_ECDSA : 0);
}

static X509 *certificate_in(const char *file)
{
    FILE *in = fopen(file, "r");
    X509 *certificate = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
    if (in) {
        fclose(in);
    }
    return certificate;
}

static EVP_PKEY *key_in(const char *file)
{
    FILE *in = fopen(file, "r");
    EVP_PKEY *key = in ? PEM_read_PrivateKey(in, NULL, NULL, NULL) : NULL;
    if (in) {
        fclose(in);
    }
    return key;
}

static int refer(struct soap *soap, const char *reference, X509 *certificate)
{
    if (strcmp(reference, "direct") == 0) {
        return soap_wsse_add_BinarySecurityTokenX509(soap, "X509Token", certificate) ||
               soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#X509Token");
    }
    if (strcmp(reference, "x509-data") == 0) {
        return soap_wsse_add_KeyInfo_X509Certificate(soap, certificate);
    }
    if (strcmp(reference, "ski") == 0) {
        const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(certificate);
        return soap_wsse_add_KeyInfo_SecurityTokenReferenceKeyIdentifier(
            soap, NULL, X509_PROFILE "X509SubjectKeyIdentifier", (unsigned char *)ASN1_STRING_get0_data(ski),
            ASN1_STRING_length(ski));
    }
    if (strcmp(reference, "thumbprint") == 0) {
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        return !X509_digest(certificate, EVP_sha1(), hash, &size) ||
               soap_wsse_add_KeyInfo_SecurityTokenReferenceKeyIdentifier(soap, NULL, THUMBPRINT, hash, (int)size);
    }
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der);
    int failed = size < 0 || soap_wsse_add_KeyInfo_SecurityTokenReferenceKeyIdentifier(
                                 soap, NULL, X509_PROFILE "X509v3", der, size);
    OPENSSL_free(der);
    return failed;
}

static int sign(struct soap *soap, char **task)
{
    EVP_PKEY *key = key_in(task[3]);
    X509 *certificate = certificate_in(task[4]);
    if (!key || !certificate) {
        return 2;
    }
    soap->mustUnderstand = 1;
    int failed = soap_wsse_add_Timestamp(soap, "Time", 240) || refer(soap, task[0], certificate) ||
                 soap_wsse_sign_body(soap, algorithm_of(task[1], key, SOAP_SMD_SIGN), key, 0) ||
                 soap_send_o__order(soap, "", NULL, (char *)"bolt");
    EVP_PKEY_free(key);
    X509_free(certificate);
    return failed ? 1 : 0;
}

static int verify(struct soap *soap, char **task)
{
    struct o__order order;
    X509 *certificate = certificate_in(task[1]);
    if (!certificate) {
        return 2;
    }
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    soap->cafile = task[1];
    soap_wsse_verify_auto(soap, algorithm_of(task[0], key, SOAP_SMD_VRFY), key, 0);
    int failed =
        soap_begin_recv(soap) || soap_envelope_begin_in(soap) || soap_recv_header(soap) || soap_body_begin_in(soap) ||
        !soap_get_o__order(soap, &order, "o:order", NULL) || soap_body_end_in(soap) || soap_envelope_end_in(soap) ||
        soap_end_recv(soap) ||
        soap_wsse_verify_element(soap, SOAP_11, "Body") + soap_wsse_verify_element(soap, SOAP_12, "Body") != 1 ||
        soap_wsse_verify_Timestamp(soap);
    X509_free(certificate);
    return failed ? 1 : 0;
}

int main(int count, char **arguments)
{
    if (count == 7 && strcmp(arguments[4], "2") == 0) { /* the version is that of the first row, read by soap_new1() */
        namespaces[0].ns = SOAP_12;
        namespaces[1].ns = "http://www.w3.org/2003/05/soap-encoding";
    }
    struct soap *soap = soap_new1(SOAP_XML_CANONICAL);
    int status = 2;
    soap_register_plugin(soap, soap_wsse);
    if (count == 7 && strcmp(arguments[1], "sign") == 0) {
        status = sign(soap, arguments + 2);
    } else if (count == 4 && strcmp(arguments[1], "verify") == 0) {
        status = verify(soap, arguments + 2);
    }
    if (status == 1) {
        soap_print_fault(soap, stderr);
    }
    soap_destroy(soap);
    soap_end(soap);
    soap_free(soap);
    return status;
}
