/* SPDX-License-Identifier: Apache-2.0 */
/* file.h: octets into a descriptor, all of them or none that count. */
#ifndef CS_BASE_FILE_H
#define CS_BASE_FILE_H

#include <stddef.h>

/** Write n octets, over interruptions and short writes (write(2)); a write that takes nothing is a full disk. @return
 * 0, or -1 with errno; some may stand then */
int cs_write_all(int fd, const void *octets, size_t n);

#endif
