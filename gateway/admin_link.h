/* SPDX-License-Identifier: Apache-2.0 */
/* admin_link.h: the page behind a confirm link: somebody outside says once that a step of a roll-over is done. */
#ifndef GW_ADMIN_LINK_H
#define GW_ADMIN_LINK_H

#include <stdbool.h>

#include "base/buffer.h"

struct gateway;

#define LINK_PATH "/rollover/confirm/"

/** Looked at (a mail program may do that by itself) it only shows what it is for; sent, it closes the step. Admin
 * thread.
 *  @param path what stands behind LINK_PATH  @return HTTP status; the page is in body */
int admin_link(struct gateway *gw, const char *path, bool sent, cs_buf *body);

#endif
