/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h: traffic that is no SOAP message: what of it may pass a route that verifies. */
#ifndef GW_PLAIN_H
#define GW_PLAIN_H

#include "gateway/body.h"
#include "gateway/http1.h"

/** GET without a body whose query is exactly wsdl, wsdl=…, singleWsdl or xsd=…: the question for a service description.
 */
bool plain_request_allowed(const struct http1_head *h);
/** Its reply: 200, an XML type, and a root that is one of WSDL 1.1, WSDL 2.0 or XML Schema. Anything doubtful: false.
 */
bool plain_reply_allowed(const struct http1_head *h, const struct body *body);
/** Content-Type is one of those that SOAP messages have. NULL: none was sent. */
bool plain_type_is_soap(const char *content_type);
/** ... and the one of SOAP 1.2. */
bool plain_type_is_soap12(const char *content_type);

#endif
