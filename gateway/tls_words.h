/* SPDX-License-Identifier: Apache-2.0 */
/* tls_words.h: what the words of a `tls` block mean, for the check and for the contexts. */
#ifndef GW_TLS_WORDS_H
#define GW_TLS_WORDS_H

#include "gateway/config.h"

/* Active entries of one tls-server slot: one per key type. */
#define TLS_ACTIVES 8

/** Split ALIAS or ALIAS#N. *n 0: whatever is active. @return 0, or -1: neither */
int tls_certificate_word(const char *word, char alias[KS_WORD], unsigned *n);
/** Are clients asked for a certificate? Without the statement: when there is something to judge them by. */
bool gw_tls_asks(const struct gw_tls *t);
/** Must they have one? */
bool gw_tls_requires(const struct gw_tls *t);

#endif
