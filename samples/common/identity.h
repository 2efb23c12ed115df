/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h: a key and a certificate from PEM files, and the smallest possible key resolver for libwssec over them.
 * A program with a keystore of its own would fill struct wssec_resolver from that instead.
 */
#ifndef SAMPLES_IDENTITY_H
#define SAMPLES_IDENTITY_H

#include "wssec/wssec.h"

/** One certificate, with its private key when it signs. Immutable once read, so threads may share it. */
struct identity {
    const char *name; /**< borrowed: the file it came from */
    EVP_PKEY *key;    /**< owned: private (signing) or public (verifying) */
    uint8_t *der;     /**< owned */
    size_t der_n;
    int64_t not_before; /**< UTC seconds */
    int64_t not_after;  /**< UTC seconds */
    uint8_t sha256[32];
    uint8_t spki_sha256[32];
};

/** Read certificate_file, and key_file unless NULL. @return 0, or -1 after a sentence on stderr; clear in both cases */
int identity_read(struct identity *id, const char *certificate_file, const char *key_file);
void identity_clear(struct identity *id);
/** Point r at id: the one and only candidate for either use. id is borrowed as long as r is used. */
void identity_resolver(const struct identity *id, struct wssec_resolver *r);

#endif
