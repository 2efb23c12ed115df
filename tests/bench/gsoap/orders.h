// SPDX-License-Identifier: Apache-2.0
// The directives below begin right behind the slashes:
// clang-format off
// What soapcpp2 makes the serializers of: the two kinds of Body of the bench, and the WS-Security of gSOAP's own plugin.
//gsoap o schema namespace: urn:example:orders
//gsoap o schema form: qualified
#import "wsse.h"
typedef char *xsd__string;
struct o__price {
    xsd__string __item;
    @xsd__string currency;
};
struct o__item {
    xsd__string article;
    xsd__string quantity;
    struct o__price price;
};
struct o__GetOrderResponse {
    $int __size;
    struct o__item *item;
};
int o__GetOrder(struct o__GetOrderResponse request, void);
