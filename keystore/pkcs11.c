/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pkcs11.c: the one file that talks to an ENGINE. OpenSSL 3 calls engines deprecated, but the provider that follows
 * them is not in every distribution yet; what is deprecated is therefore kept to this file.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "keystore/pkcs11.h"

#include <errno.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

#define URI_MAX    512
#define MODULE_MAX 1024

static const char scheme[] = "pkcs11:";

bool ks_pkcs11_is_uri(const char *text)
{
    return strncmp(text, scheme, sizeof scheme - 1) == 0;
}

/* ---- addresses ------------------------------------------------------------------------------------------------- */

/** Value of a query attribute of the address. @return its first octet and *n, or NULL */
static const char *query_value(const char *uri, const char *name, size_t *n)
{
    const char *p = strchr(uri, '?');
    size_t len = strlen(name);
    while (p != NULL) {
        p++;
        if (strncmp(p, name, len) == 0 && p[len] == '=') {
            *n = strcspn(p + len + 1, "&");
            return p + len + 1;
        }
        p = strchr(p, '&');
    }
    return NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/** %XX undone. @return 0, or -1: too long, or not well-formed */
static int unescape(const char *p, size_t n, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++, used++) {
        if (used + 1 >= size) {
            return -1;
        }
        out[used] = p[i];
        if (p[i] == '%') {
            int high = i + 2 < n ? hex_digit(p[i + 1]) : -1;
            int low = i + 2 < n ? hex_digit(p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0) {
                return -1;
            }
            out[used] = (char)(high * 16 + low);
            i += 2;
        }
    }
    out[used] = '\0';
    return 0;
}

int ks_pkcs11_check(const char *uri, cs_error *e)
{
    size_t n = 0;
    size_t path = strcspn(uri, "?");
    if (!ks_pkcs11_is_uri(uri) || strlen(uri) >= URI_MAX || strpbrk(uri, " \t\r\n\"'<>") != NULL) {
        return cs_error_set(e, CS_EXIT_USAGE, "pkcs11-uri",
                            "no address of a token's key (RFC 7512), as "
                            "pkcs11:token=T;object=O;type=private?pin-source=file:/etc/countersign/pin");
    }
    if (strstr(uri, "pin-value") != NULL) {
        return cs_error_set(
            e, CS_EXIT_USAGE, "pkcs11-uri",
            "a PIN in the address would be seen by all; write it into a file of mode 0600 and name that: "
            "?pin-source=file:PATH");
    }
    const char *object = strstr(uri, "object=");
    const char *id = strstr(uri, "id=");
    if ((object == NULL || object > uri + path) && (id == NULL || id > uri + path)) {
        return cs_error_set(e, CS_EXIT_USAGE, "pkcs11-uri",
                            "the address names no key: it needs object=LABEL or id=%%XX before the \"?\"");
    }
    char text[MODULE_MAX];
    const char *module = query_value(uri, "module-path", &n);
    if (module != NULL && (unescape(module, n, text, sizeof text) != 0 || text[0] != '/')) {
        return cs_error_set(e, CS_EXIT_USAGE, "pkcs11-uri", "module-path is no absolute path");
    }
    return 0;
}

/** The address without module-path, which is ours and not the engine's. */
static void without_module(const char *uri, char out[URI_MAX])
{
    size_t n = 0;
    const char *value = query_value(uri, "module-path", &n);
    cs_copy(out, URI_MAX, uri);
    if (value == NULL) {
        return;
    }
    char *begin = out + (value - uri) - strlen("module-path=");
    char *behind = out + (value - uri) + n;
    if (*behind == '&') {
        memmove(begin, behind + 1, strlen(behind)); /* with its end */
    } else {
        begin[-1] = '\0'; /* the ? or & before it goes too */
    }
}

/* ---- engine ---------------------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ENGINE *engine;          /* opened once, kept until the process ends */
static char module[MODULE_MAX]; /* that it was opened with; "": the system's own list of modules (p11-kit) */

/** What OpenSSL's queue says, in one line. */
static void engine_says(char *out, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    cs_copy(out, size, reason != NULL ? reason : "nothing");
    ERR_clear_error();
}

static int open_engine(const char *path, cs_error *e)
{
    char says[128];
    OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL);
    ENGINE *made = ENGINE_by_id("pkcs11");
    if (made == NULL) {
        ERR_clear_error();
        return cs_error_set(e, CS_EXIT_CONFIG, "pkcs11",
                            "OpenSSL has no engine for tokens here; install the package libengine-pkcs11-openssl");
    }
    (void)ENGINE_ctrl_cmd_string(made, "QUIET", NULL, 0); /* what goes wrong is told once, by us */
    if ((path[0] != '\0' && ENGINE_ctrl_cmd_string(made, "MODULE_PATH", path, 0) != 1) || ENGINE_init(made) != 1) {
        engine_says(says, sizeof says);
        ENGINE_free(made);
        return cs_error_set(e, CS_EXIT_CONFIG, "pkcs11", "the token's module %s cannot be started: %s",
                            path[0] != '\0' ? path : "(of p11-kit)", says);
    }
    ENGINE_free(made); /* the functional reference stays */
    engine = made;
    cs_copy(module, sizeof module, path);
    return 0;
}

/** The engine for an address that was checked. Called under the lock. */
static int need_engine(const char *uri, cs_error *e)
{
    char path[MODULE_MAX] = "";
    size_t n = 0;
    const char *value = query_value(uri, "module-path", &n);
    if (value != NULL && unescape(value, n, path, sizeof path) != 0) {
        return cs_error_set(e, CS_EXIT_USAGE, "pkcs11-uri", "module-path cannot be read");
    }
    if (engine == NULL) {
        return open_engine(path, e);
    }
    return strcmp(path, module) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "pkcs11",
                              "one process works with one module; it has \"%.200s\" already, and the address names "
                              "\"%.200s\". Register both with p11-kit, and leave module-path out",
                              module, path);
}

/** The PIN file, as closed as a key-encryption key. */
static int check_pin_file(const char *uri, cs_error *e)
{
    char path[MODULE_MAX];
    struct stat st;
    size_t n = 0;
    const char *value = query_value(uri, "pin-source", &n);
    if (value == NULL || unescape(value, n, path, sizeof path) != 0) {
        return 0; /* a token without PIN; or the engine says what it does not like */
    }
    const char *file = strncmp(path, "file:", 5) == 0 ? path + 5 : path;
    if (stat(file, &st) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "pkcs11-pin", "the PIN file %s cannot be read: %s", file,
                            strerror(errno));
    }
    return (st.st_mode & 077) == 0
               ? 0
               : cs_error_set(e, CS_EXIT_CONFIG, "pkcs11-pin",
                              "the PIN file %s is open to others (mode %03o); close it with: chmod 600 %s", file,
                              (unsigned)st.st_mode & 0777U, file);
}

/** No prompt: where the PIN is missing there is nobody to ask. */
static EVP_PKEY *load_key(const char *uri, cs_error *e)
{
    char address[URI_MAX];
    char says[128];
    EVP_PKEY *key = NULL;
    if (ks_pkcs11_check(uri, e) != 0 || check_pin_file(uri, e) != 0) {
        return NULL;
    }
    without_module(uri, address);
    pthread_mutex_lock(&lock);
    if (need_engine(uri, e) == 0) {
        UI_METHOD *nobody = (UI_METHOD *)(uintptr_t)UI_null();
        key = ENGINE_load_private_key(engine, address, nobody, NULL);
        if (key == NULL) {
            engine_says(says, sizeof says);
            cs_error_set(
                e, CS_EXIT_CONFIG, "pkcs11",
                "the token gives no key for %s (%s): is it there, is the PIN file readable and right, do token "
                "and object have these names?",
                address, says);
        }
    }
    pthread_mutex_unlock(&lock);
    return key;
}

int ks_pkcs11_key(const char *uri, EVP_PKEY **key, cs_error *e)
{
    *key = load_key(uri, e);
    return *key != NULL ? 0 : -1;
}

/* ---- short secrets --------------------------------------------------------------------------------------------- */

/** OAEP with SHA-1, whose collisions do not matter there: other digests are rare in tokens. */
static EVP_PKEY_CTX *oaep(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    if (ctx != NULL && (init(ctx) != 1 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1)) {
        EVP_PKEY_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

static int token_failed(const char *what, cs_error *e)
{
    char says[128];
    engine_says(says, sizeof says);
    return cs_error_set(e, CS_EXIT_CONFIG, "pkcs11",
                        "the token does not %s the key-encryption key (%s); it needs an RSA key that decrypts", what,
                        says);
}

int ks_pkcs11_wrap(const char *uri, const uint8_t *secret, size_t n, uint8_t *out, size_t *m, cs_error *e)
{
    EVP_PKEY *key = load_key(uri, e); /* its handle holds the public part, and so both halves are there */
    if (key == NULL) {
        return -1;
    }
    EVP_PKEY_CTX *ctx = oaep(key, EVP_PKEY_encrypt_init);
    int rc = ctx != NULL && EVP_PKEY_encrypt(ctx, out, m, secret, n) == 1 ? 0 : token_failed("wrap", e);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}

int ks_pkcs11_unwrap(const char *uri, const uint8_t *wrapped, size_t m, uint8_t *secret, size_t n, cs_error *e)
{
    uint8_t plain[1024];
    size_t got = sizeof plain;
    EVP_PKEY *key = load_key(uri, e);
    if (key == NULL) {
        return -1;
    }
    EVP_PKEY_CTX *ctx = oaep(key, EVP_PKEY_decrypt_init);
    int rc =
        ctx != NULL && EVP_PKEY_decrypt(ctx, plain, &got, wrapped, m) == 1 && got == n ? 0 : token_failed("unwrap", e);
    if (rc == 0) {
        memcpy(secret, plain, n);
    }
    OPENSSL_cleanse(plain, sizeof plain);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}
