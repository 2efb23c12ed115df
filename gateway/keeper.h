/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h: what is due in the keystore is done while the gateway runs. */
#ifndef GW_KEEPER_H
#define GW_KEEPER_H

struct keeper;
struct fetch;
struct gateway;

/** Start the thread over the keystore at uri (copied); keys are opened with the key-encryption key of the configuration
 * in force. fetch (borrowed) is woken when people are to be told something. @return NULL: no memory, or no thread */
struct keeper *keeper_start(struct gateway *gw, const char *uri, struct fetch *fetch);
/** The keystore changed: something else may be due next. Any thread. */
void keeper_wake(struct keeper *k);
/** End the thread and free everything; NULL is allowed. A change that is being made is finished. */
void keeper_stop(struct keeper *k);

#endif
