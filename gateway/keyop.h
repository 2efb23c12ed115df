/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyop.h: private keys in a process of their own. The gateway process then holds public keys only; each use of a
 * private key is a question over a socket: sign this digest, unwrap this block. The keys process answers these and
 * nothing else, and only to the process that started it.
 */
#ifndef GW_KEYOP_H
#define GW_KEYOP_H

#include <openssl/evp.h>

#include "base/error.h"
#include "gateway/gateway.h"

struct keyop;

/** Start the keys process, which reads the keystore of these settings (its own store handle). Before any thread and
 *  before the keystore is opened here. @return owned by the caller (keyop_stop), NULL with e filled */
struct keyop *keyop_start(const struct gw_settings *settings, cs_error *e);
/** As ks_options.lend, ctx a struct keyop: a key that asks the keys process. RSA and EC; NULL: another kind. Any
 * thread. */
EVP_PKEY *keyop_lend(void *ctx, const char *alias, unsigned n, EVP_PKEY *public_key);
/** Has a private operation of this thread failed for want of the keys process since the last question? Forgets it. */
bool keyop_failed(void);
/** Process id of the keys process' keeper (status). */
int keyop_pid(const struct keyop *k);
/** After the last key was given back. NULL is allowed. */
void keyop_stop(struct keyop *k);

#endif
