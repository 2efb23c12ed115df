/* SPDX-License-Identifier: Apache-2.0 */
/* status.h: what the process is doing now, for operators and probes. All functions: any thread, loops run. */
#ifndef GW_STATUS_H
#define GW_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "gateway/runtime.h"

struct gateway;

/** One JSON object without newline. */
void status_write(struct gateway *gw, cs_buf *out);
/** Exchanges that have begun and not ended. */
int64_t status_in_flight(struct gateway *gw);
/** Did every loop turn within the last ten seconds? */
bool status_alive(struct gateway *gw);
/** May a load balancer send requests here? Not while draining, nor when no route is usable. JSON with the why into out
 *  (NULL: not wanted). */
bool status_ready(struct gateway *gw, cs_buf *out);

#endif
