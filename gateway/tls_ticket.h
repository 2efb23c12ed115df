/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_ticket.h: keys of session tickets. A set belongs to one context of one listener, so a context made anew (another
 * certificate, other anchors) takes no ticket of the one before; within a set the key changes every 12 hours.
 */
#ifndef GW_TLS_TICKET_H
#define GW_TLS_TICKET_H

#include <openssl/ssl.h>
#include <stdint.h>

struct tls_tickets;

/** @return owned by the caller, NULL: no memory or random numbers */
struct tls_tickets *tls_tickets_new(int64_t now_us);
void tls_tickets_free(struct tls_tickets *t); /**< wipes; NULL is allowed */

#define TLS_TICKET_KEY_US (INT64_C(12) * 3600 * 1000000)

/** For SSL_CTX_set_tlsext_ticket_key_evp_cb(): set up cipher and mac for a ticket that is made (encrypt) or read.
 *  @return 1 good; 2 good, but a new ticket is due; 0 not one of ours; -1 no ticket can be made */
int tls_tickets_key(struct tls_tickets *t, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int encrypt, int64_t now_us);

#endif
