/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pkcs11.h: keys that never leave a token (HSM, smart card), named by RFC 7512 addresses, through OpenSSL's engine
 * "pkcs11" (libengine-pkcs11-openssl). The PIN comes from a file that the address names (pin-source=file:…): in the
 * address itself it would stand in argv, in the store and in logs, and is refused. Any thread: the engine is opened
 * once, under a lock, and keys may be used by several threads.
 */
#ifndef KS_PKCS11_H
#define KS_PKCS11_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** Is it an address of a token's object, to be taken for no file name? */
bool ks_pkcs11_is_uri(const char *text);
/** Check its form. @return 0; -1: exit 64, with the cure */
int ks_pkcs11_check(const char *uri, cs_error *e) CS_MUST_CHECK;
/** The private key as a handle; its octets stay in the token. @return 0 with *key owned by the caller; -1: exit 78 */
int ks_pkcs11_key(const char *uri, EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;
/** Encrypt a short secret to the token's RSA key (OAEP). *m: room in out, then octets used. @return 0, or -1 */
int ks_pkcs11_wrap(const char *uri, const uint8_t *secret, size_t n, uint8_t *out, size_t *m,
                   cs_error *e) CS_MUST_CHECK;
/** Let the token decrypt what ks_pkcs11_wrap made; it must be exactly n octets. @return 0, or -1 */
int ks_pkcs11_unwrap(const char *uri, const uint8_t *wrapped, size_t m, uint8_t *secret, size_t n,
                     cs_error *e) CS_MUST_CHECK;

#endif
