/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kek.h: the key-encryption key: where it comes from (a file, a systemd credential, a passphrase, a token), and a ring
 * of those that a store may be sealed under while one follows the other. A ring lives for one piece of work and is
 * wiped at its end: no key-encryption key stays in memory while a process serves.
 */
#ifndef KS_KEK_H
#define KS_KEK_H

#include "keystore/store.h"

#define KS_KEK_ID 17 /* 16 digits of the SHA-256 of the key: no secret */

struct ks_kek {
    uint8_t key[32];
    char id[KS_KEK_ID];
};

/** Make the file (0600, must not exist) with a new random key; one that is there already is read instead. */
int ks_kek_make(const char *path, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
/** @return 0; -1: exit 78, the file is missing, open to others or of somebody else, or holds none */
int ks_kek_read(const char *path, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
/** A new random key. @return 0, or -1 */
int ks_kek_random(struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
void ks_kek_wipe(struct ks_kek *k);

/** The source in words, for messages: "file /etc/countersign/kek". @return out */
const char *ks_kek_where(const ks_kek_source *source, char *out, size_t size);
/** What a node tells others that it can open: the key's id, or for a token a name made of its address. */
int ks_kek_name(ks_store *s, const ks_kek_source *source, char out[KS_KEK_ID], cs_error *e) CS_MUST_CHECK;

/** The first key of a new store, from its first source; one that can be made here (file, token) is made. Within the
 *  write transaction that begins the store. */
int ks_kek_first(ks_store *s, const char *store_id, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
/** The key that rekey leads to: the first source; without a configured one a new file beside the store, which
 *  ks_kek_settle moves to its place. Within a write transaction (a token's wrapped key is stored). */
int ks_kek_next(ks_store *s, struct ks_kek *out, cs_error *e) CS_MUST_CHECK;
/** After the commit of a rekey without configured sources: the new file takes the place of the old one, which is kept
 *  as PATH.kek.old. Harmless otherwise. id: the key in force. @return 0, or -1 with the error filled */
int ks_kek_settle(ks_store *s, const char *id, cs_error *e) CS_MUST_CHECK;

struct ks_keyring;
/** @return an empty ring over the store's sources, or NULL: no memory. Loads nothing yet. */
struct ks_keyring *ks_keyring_new(ks_store *s);
void ks_keyring_free(struct ks_keyring *ring); /**< wipes */
/** Is this the first complaint about keys of this piece of work? */
bool ks_keyring_complain(struct ks_keyring *ring);
/** The key of that id, borrowed from the ring. @return 0; -1: exit 78, no source has it */
int ks_keyring_find(struct ks_keyring *ring, const char *id, const struct ks_kek **out, cs_error *e) CS_MUST_CHECK;
/** The key that new private keys are sealed with: the one that the store names. */
int ks_keyring_current(struct ks_keyring *ring, const struct ks_kek **out, cs_error *e) CS_MUST_CHECK;

#endif
