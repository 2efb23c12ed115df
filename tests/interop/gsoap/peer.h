// SPDX-License-Identifier: Apache-2.0
// The directives below begin right behind the slashes:
// clang-format off
// What soapcpp2 makes the serializers of: one operation, and the WS-Security of gSOAP's own plugin.
//gsoap o schema namespace: urn:orders
//gsoap o schema form: qualified
#import "wsse.h"
typedef char *xsd__string;
int o__order(xsd__string o__item, void);
