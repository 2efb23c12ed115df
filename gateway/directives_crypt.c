/* SPDX-License-Identifier: Apache-2.0 */
/* directives_crypt.c: rows about what is decrypted and encrypted on its way. */
#include "gateway/directives.h"

SETTER(set_decrypt)
{
    (void)child;
    struct gw_actions *a = parent;
    gw_where_set(&a->crypt.decrypt_at, node);
    gw_step_add(a, "decrypt", node);
    a->crypt.decrypt = true;
    take_words(node, &a->crypt.decrypt_alias, report);
}

SETTER(set_encrypt)
{
    struct gw_actions *a = parent;
    gw_where_set(&a->crypt.encrypt_at, node);
    gw_step_add(a, "encrypt", node);
    keep_in(&a->crypt.encrypt_to, node, report);
    *child = a;
}

SETTER(set_parts)
{
    (void)child;
    take_words(node, &((struct gw_actions *)parent)->crypt.part, report);
    check_parts(node, WSSEC_USE_ENCRYPT, report);
}

SETTER(set_key_reference)
{
    (void)child;
    take_key_reference(node, &((struct gw_actions *)parent)->crypt.key_reference, report);
}

SETTER(set_cipher)
{
    (void)child;
    keep_in(&((struct gw_actions *)parent)->crypt.cipher, node, report);
}

SETTER(set_transport)
{
    (void)child;
    keep_in(&((struct gw_actions *)parent)->crypt.transport, node, report);
}

const struct cs_directive gw_rows_crypt[] = {
    {"decrypt", "request|response", "name*", NULL, 0, NULL,
     "Open what is encrypted for us, with the active and deactivated keys of these slots (none: of every slot of role "
     "decrypt); beside verify in the order of the Security header, alone nobody is asked who sent it.",
     "decrypt own-dec;", "decrypt \"\";", set_decrypt},
    {"encrypt", "request|response", "name", "route-encrypt?", 0, NULL,
     "Encrypt to the active encrypt-to certificate of this partner, before or behind sign as they are written.",
     "encrypt acme { parts Body Signature; }", "encrypt;", set_encrypt},
    {"parts", "route-encrypt", "string+", NULL, 0, "Body",
     "Parts that are encrypted: the content of Body; Signature, UsernameToken, wsa:X, {namespace}local as whole "
     "elements.",
     "parts Body Signature;", "parts;", set_parts},
    {"key-reference", "route-encrypt", "word", NULL, 0, "issuer-serial",
     "How the message names the partner's certificate.", "key-reference thumbprint;", "key-reference by-hand;",
     set_key_reference},
    {"data-algorithm", "route-encrypt", "aes256-gcm|aes192-gcm|aes128-gcm", NULL, 0, "aes256-gcm",
     "Cipher of the parts.", "data-algorithm aes256-gcm;", "data-algorithm aes256-cbc;", set_cipher},
    {"key-transport", "route-encrypt", "rsa-oaep|rsa-oaep-mgf1p|ecdh-es|x25519", NULL, 0, NULL,
     "How the content key travels: RSA-OAEP with SHA-256, or with SHA-1 for receivers that lack it; ecdh-es "
     "(ConcatKDF, AES "
     "key wrap) to a key of P-256, P-384 or P-521; x25519 (HKDF, AES key wrap) to a key of X25519; not said: by the "
     "key.",
     "key-transport rsa-oaep-mgf1p;", "key-transport rsa-1_5;", set_transport},
};
const size_t gw_rows_crypt_n = sizeof gw_rows_crypt / sizeof gw_rows_crypt[0];
