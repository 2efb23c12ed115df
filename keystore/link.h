/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h: links in mails by which somebody does one thing without a login: say that a step of a roll-over is done, get
 * no more mails about a certificate. A token is made for one mail and is nowhere else; only its hash is stored.
 */
#ifndef KS_LINK_H
#define KS_LINK_H

#include "keystore/notice.h"

#define KS_LINK_TOKEN   33 /* 128 bit as hexadecimal digits, with NUL */
#define KS_LINK_STEP    "/rollover/confirm/"
#define KS_LINK_OPT_OUT "/notices/unsubscribe/"

/** A token and its hash. */
int ks_link_token(char token[KS_LINK_TOKEN], uint8_t hash[32], cs_error *e) CS_MUST_CHECK;
/** The hash of one that came from outside. It has not the shape of one: 64 */
int ks_link_hash(const char *token, uint8_t hash[32], cs_error *e) CS_MUST_CHECK;

/** How the reference of a link is written that takes an address off the list of a slot. */
void ks_link_opt_out(const char *alias, char *out, size_t size);

/** Maker of links (ks_mail.link): base is the text in front of the path, as "https://confirm.example.com". reference:
 * as ks_link_opt_out writes it, or a step ("R-17/3"). */
int ks_link_write(const char *base, ks_store *s, const char *reference, const char *address, cs_time now, cs_buf *out,
                  cs_error *e) CS_MUST_CHECK;

/** Whom a link takes off which list. */
typedef struct ks_opt_out {
    char alias[KS_WORD], mail[KS_MAIL];
    bool listed; /**< still on it */
} ks_opt_out;
/** What a token is for. Unknown: 64 */
int ks_opt_out_look(ks_store *s, const char *token, ks_opt_out *out, cs_error *e) CS_MUST_CHECK;
/** Take the address off the list; one that is not on it any more is no error: mail programs try twice. Unknown: 64 */
int ks_opt_out_use(ks_store *s, const char *token, cs_time now, ks_opt_out *out, cs_error *e) CS_MUST_CHECK;

#endif
