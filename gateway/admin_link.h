/* SPDX-License-Identifier: Apache-2.0 */
/* admin_link.h: the pages behind links of mails: a step of a roll-over is done, no more mails about a certificate. */
#ifndef GW_ADMIN_LINK_H
#define GW_ADMIN_LINK_H

#include <stdbool.h>

#include "base/buffer.h"

struct gateway;

/** Is there such a page? */
bool admin_link_is(const char *path);
/** Looked at (a mail program may do that by itself) it only shows what it is for; sent, it does that. Admin thread.
 *  @param path of which admin_link_is() is true  @return HTTP status; the page is in body */
int admin_link(struct gateway *gw, const char *path, bool sent, cs_buf *body);

#endif
