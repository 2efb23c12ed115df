/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_log.h: the one access line of an exchange. */
#ifndef GW_EXCHANGE_LOG_H
#define GW_EXCHANGE_LOG_H

#include "gateway/exchange.h"

/** Make the line of an exchange that is over and hand it to the access log. */
void exchange_log(const struct exchange *ex);

#endif
