/* SPDX-License-Identifier: Apache-2.0 */
/* kek_source.h: one source of a key-encryption key; kek.c keeps the ring of them. */
#ifndef KS_KEK_SOURCE_H
#define KS_KEK_SOURCE_H

#include "keystore/kek.h"

/** Read the key of a source. store_id salts a passphrase; id names the key that a token is to unwrap.
 *  @return 0; -1: exit 78, with the cure */
int ks_kek_load(ks_store *s, const ks_kek_source *source, const char *store_id, const char *id, struct ks_kek *out,
                cs_error *e) CS_MUST_CHECK;
/** A new key, wrapped by the token's key and stored so. Within a write transaction. */
int ks_kek_wrap(ks_store *s, const char *uri, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;

#endif
