/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h: a process that holds private keys: memory that is not swapped, dumped or read by a debugger. */
#ifndef CS_BASE_SECRET_H
#define CS_BASE_SECRET_H

/** Before any thread and any key: OpenSSL's secure heap (locked where the limit allows, left out of dumps, wiped when
 *  freed; private numbers of keys live there), no core file, and no other process of this account may look inside. */
void cs_secret_start(void);

#endif
