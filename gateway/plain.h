/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h: what HTTP says beside the message: traffic that is no SOAP message, and SOAPAction. */
#ifndef GW_PLAIN_H
#define GW_PLAIN_H

#include "gateway/http1.h"

/** GET without a body whose query is exactly wsdl, wsdl=…, singleWsdl or xsd=…: the question for a service description.
 */
bool plain_request_allowed(const struct http1_head *h);
/** Its reply: 200 and an XML type ... */
bool plain_reply_typed(const struct http1_head *h);
/** ... and a root that is one of WSDL 1.1, WSDL 2.0 or XML Schema. */
bool plain_root_allowed(const char *ns, const char *local);
/** Content-Type is one of those that SOAP messages have. NULL: none was sent. */
bool plain_type_is_soap(const char *content_type);
/** ... and the one of SOAP 1.2. */
bool plain_type_is_soap12(const char *content_type);

#define PLAIN_ACTION 256
/** The action that HTTP names: SOAPAction, or for SOAP 1.2 action of Content-Type; without quotes, "" none. Each may be
 *  NULL. @return false: malformed, too long, or the two differ */
bool plain_soap_action(const char *header, const char *content_type, char out[PLAIN_ACTION]);
/** action is the element's name, alone or behind its namespace. */
bool plain_action_names(const char *action, const char *ns, const char *local);

#endif
