/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.h: what certification authorities and other products hand out: PEM in any order, DER, PKCS#7 replies, PKCS#12,
 * PKCS#8 with or without a passphrase. ks_import_read (keystore.h) gives all of it as what `ks_add` takes: a
 * certificate with its issuers in order, and a private key. Input is untrusted: sizes and iteration counts are bounded.
 */
#ifndef KS_IMPORT_H
#define KS_IMPORT_H

#include "keystore/keystore.h"

/** The one private key of a file in any of the formats. @return 0 with *key owned by the caller, or -1 as
 * ks_import_read */
int ks_import_key(const char *data, size_t n, const char *passphrase, EVP_PKEY **key, cs_error *e) CS_MUST_CHECK;

#endif
