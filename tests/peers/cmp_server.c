/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmp_server.c: a small certification authority that is asked by CMP over HTTP, on OpenSSL's server side: for tests of
 * our client. One connection after the other, on a free port of loopback, which it prints.
 *
 *   cmp_server CA.pem CA.key REFERENCE SECRET MODE
 *
 * MODE: grant; pending (poll twice first); name (another subject); key (another key); reject; die (close without
 * answer). Each line on stdout behind the port tells a request: "ir", "kur", "poll", "conf".
 */
#include <netinet/in.h>
#include <openssl/cmp.h>
#include <openssl/cmp_util.h>
#include <openssl/crmf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 65536
#define DAYS        90
#define BODY_KUR    7 /* RFC 4210 section 5.1.2 */

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
    const char *mode;
    OSSL_CMP_MSG *saved; /* the request while it is pending */
    int polls;
    int granted; /* each lasts a day longer than the one before */
};

/* ---- the authority --------------------------------------------------------------------------------------------------
 */

static int take_extensions(X509 *x, const OSSL_CRMF_CERTTEMPLATE *wanted)
{
    const X509_EXTENSIONS *all = OSSL_CRMF_CERTTEMPLATE_get0_extensions(wanted);
    int good = 1;
    for (int i = 0; i < sk_X509_EXTENSION_num(all); i++) {
        good = good && X509_add_ext(x, sk_X509_EXTENSION_value(all, i), -1) == 1;
    }
    return good;
}

static X509 *issue(struct authority *a, const OSSL_CRMF_CERTTEMPLATE *wanted, EVP_PKEY *asked)
{
    X509 *x = X509_new();
    EVP_PKEY *key = strcmp(a->mode, "key") == 0 ? EVP_EC_gen("P-256") : asked;
    X509_NAME *name = X509_NAME_dup(OSSL_CRMF_CERTTEMPLATE_get0_subject(wanted));
    uint64_t serial = 0;
    int good = x != NULL && key != NULL && name != NULL && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1;
    if (good && strcmp(a->mode, "name") == 0) {
        good = X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_ASC, (const unsigned char *)"else", -1, -1, 0);
    }
    good = good && X509_set_version(x, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 && X509_set_subject_name(x, name) == 1 &&
           X509_set_issuer_name(x, X509_get_subject_name(a->certificate)) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(x), -60) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(x), (DAYS + a->granted++) * 86400L) != NULL &&
           X509_set_pubkey(x, key) == 1 && take_extensions(x, wanted) && X509_sign(x, a->key, EVP_sha256()) > 0;
    X509_NAME_free(name);
    if (key != asked) {
        EVP_PKEY_free(key);
    }
    if (!good) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

/* Step into the value at *p; it ends at *end then. @return its tag, context-specific ones with 0x80; -1: none */
static int step_in(const unsigned char **p, const unsigned char **end)
{
    long n = 0;
    int tag = 0;
    int class = 0;
    if (*p >= *end || (ASN1_get_object(p, &n, &tag, &class, *end - *p) & 0x80) != 0) {
        return -1;
    }
    *end = *p + n;
    return class == V_ASN1_CONTEXT_SPECIFIC ? tag | 0x80 : tag;
}

/* The public key of a template has no getter in OpenSSL 3.0: CertReqMsg { CertRequest { id, CertTemplate { … [6] key */
static EVP_PKEY *key_of(const OSSL_CRMF_MSG *crm)
{
    unsigned char *der = NULL;
    int n = i2d_OSSL_CRMF_MSG((OSSL_CRMF_MSG *)(uintptr_t)crm, &der);
    const unsigned char *p = der;
    const unsigned char *end = der + (n > 0 ? n : 0);
    const unsigned char *id = NULL;
    EVP_PKEY *key = NULL;
    if (step_in(&p, &end) >= 0 && step_in(&p, &end) >= 0) {
        id = end;
        if (step_in(&p, &id) == V_ASN1_INTEGER) {
            p = id;
            step_in(&p, &end);
        }
    }
    while (p != NULL && p < end && key == NULL) {
        unsigned char *at = der + (p - der);
        const unsigned char *to = end;
        int tag = step_in(&p, &to);
        if (tag == (6 | 0x80)) {
            const unsigned char *from = at;
            *at = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED;
            key = d2i_PUBKEY(NULL, &from, to - at);
        }
        p = tag >= 0 ? to : end;
    }
    OPENSSL_free(der);
    return key;
}

static OSSL_CMP_PKISI *on_request(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, int id, const OSSL_CRMF_MSG *crm,
                                  const X509_REQ *p10, X509 **out, STACK_OF(X509) * *chain, STACK_OF(X509) * *ca)
{
    struct authority *a = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
    (void)id;
    (void)p10;
    *out = NULL;
    *chain = NULL;
    *ca = NULL;
    puts(OSSL_CMP_MSG_get_bodytype(msg) == BODY_KUR ? "kur" : "ir");
    fflush(stdout);
    if (strcmp(a->mode, "pending") == 0 && a->polls == 0) {
        OSSL_CMP_MSG_free(a->saved);
        a->saved = OSSL_CMP_MSG_dup(msg);
        return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, NULL);
    }
    a->polls = 0;
    if (crm == NULL || strcmp(a->mode, "reject") == 0) {
        return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_rejection, 1 << OSSL_CMP_PKIFAILUREINFO_badCertTemplate,
                                       "this authority gives you nothing");
    }
    OSSL_CRMF_CERTTEMPLATE *wanted = OSSL_CRMF_MSG_get0_tmpl(crm);
    EVP_PKEY *key = key_of(crm);
    X509 *x = key != NULL ? issue(a, wanted, key) : NULL;
    EVP_PKEY_free(key);
    if (x == NULL) {
        ERR_print_errors_fp(stderr);
        return NULL;
    }
    *out = x;
    *chain = sk_X509_new_null();
    X509_up_ref(a->certificate);
    sk_X509_push(*chain, a->certificate);
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static int on_poll(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, int id, OSSL_CMP_MSG **request, int64_t *after)
{
    struct authority *a = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
    (void)msg;
    (void)id;
    puts("poll");
    fflush(stdout);
    *after = 1;
    *request = ++a->polls < 2 ? NULL : a->saved;
    a->saved = *request != NULL ? NULL : a->saved;
    return 1;
}

static int on_confirm(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, int id, const ASN1_OCTET_STRING *hash,
                      const OSSL_CMP_PKISI *si)
{
    (void)srv;
    (void)msg;
    (void)id;
    (void)hash;
    (void)si;
    puts("conf");
    fflush(stdout);
    return 1;
}

static void on_error(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, const OSSL_CMP_PKISI *status,
                     const ASN1_INTEGER *code, const OSSL_CMP_PKIFREETEXT *details)
{
    (void)srv;
    (void)msg;
    (void)status;
    (void)code;
    (void)details;
    puts("error");
    fflush(stdout);
}

static int on_genm(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, const STACK_OF(OSSL_CMP_ITAV) * in,
                   STACK_OF(OSSL_CMP_ITAV) * *out)
{
    (void)srv;
    (void)msg;
    (void)in;
    *out = NULL;
    return 0;
}

static OSSL_CMP_PKISI *on_revocation(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *msg, const X509_NAME *issuer,
                                     const ASN1_INTEGER *serial)
{
    (void)srv;
    (void)msg;
    (void)issuer;
    (void)serial;
    return NULL;
}

static OSSL_CMP_SRV_CTX *new_server(struct authority *a, const char *reference, const char *secret)
{
    OSSL_CMP_SRV_CTX *srv = OSSL_CMP_SRV_CTX_new(NULL, NULL);
    X509_STORE *trusted = X509_STORE_new();
    if (srv == NULL || trusted == NULL || X509_STORE_add_cert(trusted, a->certificate) != 1 ||
        X509_STORE_set_flags(trusted, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
        OSSL_CMP_SRV_CTX_init(srv, a, on_request, on_revocation, on_genm, on_error, on_confirm, on_poll) != 1) {
        return NULL;
    }
    OSSL_CMP_CTX *ctx = OSSL_CMP_SRV_CTX_get0_cmp_ctx(srv);
    int good = OSSL_CMP_CTX_set1_cert(ctx, a->certificate) == 1 && OSSL_CMP_CTX_set1_pkey(ctx, a->key) == 1 &&
               OSSL_CMP_CTX_set1_referenceValue(ctx, (const unsigned char *)reference, (int)strlen(reference)) == 1 &&
               OSSL_CMP_CTX_set1_secretValue(ctx, (const unsigned char *)secret, (int)strlen(secret)) == 1 &&
               OSSL_CMP_CTX_set0_trustedStore(ctx, trusted) == 1 &&
               OSSL_CMP_SRV_CTX_set_grant_implicit_confirm(srv, 0) == 1;
    return good ? srv : NULL;
}

/* ---- HTTP
 * ------------------------------------------------------------------------------------------------------------- */

/* @return octets of the body, whose begin stands in *body; 0: none came */
static size_t read_post(int fd, char *data, size_t size, char **body)
{
    size_t n = 0;
    size_t length = 0;
    *body = NULL;
    while (n + 1 < size) {
        ssize_t got = read(fd, data + n, size - n - 1);
        if (got <= 0) {
            return 0;
        }
        n += (size_t)got;
        data[n] = '\0';
        char *end = *body == NULL ? strstr(data, "\r\n\r\n") : NULL;
        if (end != NULL) {
            const char *field = strcasestr(data, "\r\nContent-Length:");
            *body = end + 4;
            length = field != NULL ? strtoul(field + 17, NULL, 10) : 0;
        }
        if (*body != NULL && n - (size_t)(*body - data) >= length) {
            return length;
        }
    }
    return 0;
}

static void answer(int fd, OSSL_CMP_SRV_CTX *srv, const struct authority *a)
{
    static char data[MESSAGE_MAX];
    char head[160];
    char *body = NULL;
    unsigned char *der = NULL;
    size_t n = read_post(fd, data, sizeof data, &body);
    const unsigned char *p = (const unsigned char *)body;
    OSSL_CMP_MSG *request = n > 0 ? d2i_OSSL_CMP_MSG(NULL, &p, (long)n) : NULL;
    if (request == NULL || strcmp(a->mode, "die") == 0) {
        puts("closed");
        fflush(stdout);
        OSSL_CMP_MSG_free(request);
        return;
    }
    OSSL_CMP_MSG *reply = OSSL_CMP_SRV_process_request(srv, request);
    int length = reply != NULL ? i2d_OSSL_CMP_MSG(reply, &der) : 0;
    if (length > 0) {
        int h = snprintf(head, sizeof head,
                         "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: %d\r\nConnection: "
                         "close\r\n\r\n",
                         length);
        if (write(fd, head, (size_t)h) != h || write(fd, der, (size_t)length) != length) {
            perror("cmp_server");
        }
    } else {
        ERR_print_errors_fp(stderr);
    }
    OPENSSL_free(der);
    OSSL_CMP_MSG_free(reply);
    OSSL_CMP_MSG_free(request);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
        return -1;
    }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static int read_files(const char *certificate, const char *key, struct authority *a)
{
    BIO *in = BIO_new_file(certificate, "r");
    a->certificate = in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    in = BIO_new_file(key, "r");
    a->key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    return a->certificate != NULL && a->key != NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct authority a = {.mode = argc > 5 ? argv[5] : "grant"};
    if (argc < 5 || read_files(argv[1], argv[2], &a) != 0) {
        fprintf(stderr, "usage: cmp_server CA.pem CA.key REFERENCE SECRET [MODE]\n");
        return 64;
    }
    OSSL_CMP_SRV_CTX *srv = new_server(&a, argv[3], argv[4]);
    int listening = srv != NULL ? listen_on_loopback() : -1;
    if (listening < 0) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0) {
            return 1;
        }
        answer(fd, srv, &a);
        close(fd);
    }
}
