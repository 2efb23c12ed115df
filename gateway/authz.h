/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authz.h: who may use a route, asked for every request on the newest keystore: also on an open connection and on a
 * session that was taken up again, where the handshake says nothing about today.
 */
#ifndef GW_AUTHZ_H
#define GW_AUTHZ_H

#include "gateway/runtime.h"
#include "gateway/tls_peer.h"
#include "wssec/wssec.h"

struct authz_answer {
    enum wssec_reason reason; /**< OK, or why not */
    char user[2049];          /**< who was authorized, "": nobody was asked for */
    char detail[256];         /**< for the log */
};

/** May peer (NULL: no certificate) use the route of conf now?
 *  @param front of the listener in the runtime in force, NULL: a plain one */
void authz_ask(const struct gw_route *conf, struct tls_peer *peer, const struct tls_front *front, const ks_snapshot *s,
               cs_time now, struct authz_answer *out);

#endif
