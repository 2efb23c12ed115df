/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dn.h: distinguished names compared as parsed RDN sequences (RFC 4514, RFC 2253 and the old quoted styles of
 * Java, WCF and OpenSSL), in certificate order and reversed. Look-ups accept both orders; permissions only one.
 */
#ifndef CS_BASE_DN_H
#define CS_BASE_DN_H

#include <openssl/x509.h>
#include <stdbool.h>

typedef struct cs_dn cs_dn;

/** Parse a DN as text (untrusted, at most 4096 octets).
 *  @return owned by the caller (cs_dn_free), NULL: not a DN or no memory */
cs_dn *cs_dn_parse(const char *text);
/** The DN of a certificate field. @return owned by the caller, or NULL */
cs_dn *cs_dn_from_name(const X509_NAME *name);
void cs_dn_free(cs_dn *dn);
/** Same RDNs in the same order, or (either_order) in reversed order too. Values: case-insensitive, inner white space
 * folded (RFC 5280 7.1). */
bool cs_dn_equal(const cs_dn *a, const cs_dn *b, bool either_order);
/**
 * A rule about names, for permissions: text as for cs_dn_parse, in which an unescaped '*' stands for any characters of
 * that one attribute value. @return owned by the caller (cs_dn_free), for cs_dn_fits only; NULL: not a DN or no memory
 */
cs_dn *cs_dn_rule_parse(const char *text);
/** name fits the rule: of the RDNs with an attribute type that the rule names, each fits the rule's, one by one in
 * certificate order; RDNs of other types are passed over. So "O=ACME*" says nothing of CN, but a second O is refused.
 */
bool cs_dn_fits(const cs_dn *rule, const cs_dn *name);
/** RFC 2253 text in the usual (most specific first) order. @return length written, 0: did not fit */
size_t cs_dn_text(const X509_NAME *name, char *out, size_t size);

#endif
