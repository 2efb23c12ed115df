/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h: the thread that waits for servers of others: mails that the keystore has queued,
 * certificates that an issuer is asked for. */
#ifndef GW_FETCH_H
#define GW_FETCH_H

struct fetch;
struct gateway;

/** Start the thread; the configuration in force (mail { }, issuer { }) is asked for at each round. @return NULL: no
 * memory, no thread */
struct fetch *fetch_start(struct gateway *gw, const char *uri);
/** Something was queued. Any thread. */
void fetch_wake(struct fetch *f);
/** End the thread and free everything; NULL is allowed. A letter under way is given up: it goes out again later. */
void fetch_stop(struct fetch *f);

#endif
