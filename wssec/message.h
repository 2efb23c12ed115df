/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h: octets -> a parsed message whose shape is known (steps 1 to 5 of the judgement): scanned, parsed with
 * counters and without DTD, an Envelope with at most one Header and one Body, our Security header found, ids in a table
 * of our own. Verification and signing start from here, so what is signed passed the same checks as what is verified.
 */
#ifndef WSSEC_MESSAGE_H
#define WSSEC_MESSAGE_H

#include <libxml/tree.h>

#include "wssec/policy.h"
#include "wssec/refusal.h"
#include "wssec/scan.h"
#include "wssec/wssec.h"

/* Namespaces of the profile, each named once. */
#define WSSEC_NS_SOAP11    "http://schemas.xmlsoap.org/soap/envelope/"
#define WSSEC_NS_SOAP12    "http://www.w3.org/2003/05/soap-envelope"
#define WSSEC_O4           "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
#define WSSEC_NS_WSSE      WSSEC_O4 "wssecurity-secext-1.0.xsd"
#define WSSEC_NS_WSU       WSSEC_O4 "wssecurity-utility-1.0.xsd"
#define WSSEC_NS_WSSE11    "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
#define WSSEC_NS_DS        "http://www.w3.org/2000/09/xmldsig#"
#define WSSEC_NS_DS11      "http://www.w3.org/2009/xmldsig11#"
#define WSSEC_NS_XENC      "http://www.w3.org/2001/04/xmlenc#"
#define WSSEC_NS_EXC_C14N  "http://www.w3.org/2001/10/xml-exc-c14n#"
#define WSSEC_NS_XOP       "http://www.w3.org/2004/08/xop/include"
#define WSSEC_NS_WSA10     "http://www.w3.org/2005/08/addressing"
#define WSSEC_NS_WSA04     "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define WSSEC_SMS10        WSSEC_O4 "soap-message-security-1.0"
#define WSSEC_SMS11        "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
#define WSSEC_SWA          "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1"
#define WSSEC_X509_PROFILE WSSEC_O4 "x509-token-profile-1.0"

struct wssec_id {         /** One id-like attribute of one element. */
    const xmlChar *value; /**< borrowed from the tree */
    size_t len;
    xmlNodePtr node;
    bool named;  /**< wsu:Id, Id, xml:id: can be referenced; false: only looks like one (ID, id, …) */
    bool strict; /**< must be unique: named, and not a plain Id inside the content of Body (payload) */
};

#define WSSEC_ASKED 64 /* ids that a header names */

struct wssec_asked {                       /** The ids that were looked up while a header was judged. */
    struct wssec_slice value[WSSEC_ASKED]; /**< borrowed from the tree */
    unsigned n;
    bool missing; /**< one was not found (or there were too many to note): it may stand where nobody looked */
};

struct wssec_ids { /** Every id-like attribute of the document, sorted by value: no hash that a peer could aim at. */
    struct wssec_id *row;
    size_t n, cap, strict;
    struct wssec_asked *asked; /**< where look-ups are noted; NULL: nowhere */
};

struct wssec_message {                           /** Zeroed before the first use; buffers are kept between messages. */
    struct wssec_scan scan;                      /**< octet ranges and the text that was parsed (scan.h) */
    xmlDocPtr doc;                               /**< owned */
    xmlNodePtr envelope, header, body, security; /**< in doc; header and security may be NULL */
    uint8_t soap;                                /**< 11 or 12; 0 until the envelope is known */
    bool is_fault;                               /**< Body holds exactly one SOAP Fault */
    bool has_xop;                                /**< an xop:Include stands somewhere */
    bool arena_doc;                              /**< doc is memory of the call, not libxml2's */
    bool streamed;          /**< what Body holds was read and is not in doc; what is known of it: */
    bool body_xop;          /**< an xop:Include */
    uint32_t body_comments; /**< comments */
    struct wssec_ids ids;
    struct wssec_range security_at, header_at; /**< octets of the input as received; 0,0: not there */
};

struct wssec_worker;

/**
 * Steps 1 to 5 on in. m is filled as far as it came (soap is known as soon as the root was read). A missing Security
 * header is not refused here: m->security is NULL. m borrows the octets of in until it is reset. The worker lends its
 * parser only during the call, so that it may hold several messages. @return WSSEC_RC_OK, see why->reason;
 * WSSEC_RC_NOMEM
 */
int wssec_message_read(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                       struct wssec_message *m, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** What is read of any document: scan and tree, nothing about SOAP. As wssec_message_read. */
int wssec_document_read(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                        struct wssec_message *m, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** As wssec_message_read, for the front of a message that its call judges without changing its tree: built by our own
 *  reader where that knows the way, in the worker's arena. Nodes have no line numbers then. */
int wssec_message_read_front(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                             struct wssec_message *m, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Forget the message, keep the buffers. */
void wssec_message_reset(struct wssec_message *m);
void wssec_message_free(struct wssec_message *m);

/** Element with that local name and namespace. */
bool wssec_is(const xmlNode *node, const char *ns, const char *local);
/** First element child of node (NULL allowed); next element sibling. */
xmlNodePtr wssec_first_element(const xmlNode *node);
/** The node after n in document order, below top (which is where a walk starts), or NULL at the end. */
const xmlNode *wssec_next_below(const xmlNode *top, const xmlNode *n);
xmlNodePtr wssec_next_element(const xmlNode *node);
/** inner is outer or stands somewhere in it. */
bool wssec_within(const xmlNode *outer, const xmlNode *inner);
/** Value of attribute ns:local (ns NULL: without namespace), borrowed from the tree; NULL: not there. Attributes are
 *  plain text here: the parser ran without a DTD and entity references are resolved. */
const xmlChar *wssec_attr(const xmlNode *node, const char *ns, const char *local);

/* ids.c */
/** Fill the table from the tree: limits and uniqueness rules of step 5. @return 0, or -1 with why filled */
int wssec_ids_build(struct wssec_ids *ids, const struct wssec_message *m, size_t limit,
                    struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** The element that an id names. NULL: none; *twice: another element has the same value in any id-like attribute. */
xmlNodePtr wssec_ids_find(const struct wssec_ids *ids, const xmlChar *value, size_t len, bool *twice);
/** An id that must be unique has this value. */
bool wssec_ids_is_strict(const struct wssec_ids *ids, const void *value, size_t len);
/** value (n octets, UTF-8 as the parser took it) is an NCName of XML 1.0, fifth edition. */
bool wssec_is_ncname(const xmlChar *value, size_t n);

/* soap.c */
/** Step 3: shape of the envelope; fills soap, envelope, header, body, is_fault. @return 0, or -1 with why filled */
int wssec_soap_read(struct wssec_message *m, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Step 4: our Security header; fills security (NULL: none). @return 0, or -1 with why filled */
int wssec_soap_security(struct wssec_message *m, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Nothing but white space between the element children of node; comments and processing instructions pass only if
 * loose. */
bool wssec_element_content(const xmlNode *node, bool loose);
/** The text of an element without element children, in one piece: NULL when it holds elements, comments or anything
 * else. *len octets, borrowed from the tree, not terminated when cut by the caller. "" when empty. */
const xmlChar *wssec_text(const xmlNode *node, size_t *len);

#endif
