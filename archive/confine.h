/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h: what a judge's process takes away from itself before it reads the first octet of a message. */
#ifndef ARCHIVE_CONFINE_H
#define ARCHIVE_CONFINE_H

#include <stdint.h>

/** Close all descriptors but standard error and this one; standard input and output become /dev/null. */
void archive_confine_close(int keep);
/** No new files, sockets, processes or privileges; memory for a payload of that size and no more. What the kernel lacks
 * is gone without. @return 0, or -1: the process must not go on */
int archive_confine(uint64_t largest);
/** Of archive_confine, alone: no file can be opened, made or removed any more, no port reached. The caller gave up new
 * privileges. @return 1, 0: this kernel has no Landlock, -1: it refused */
int archive_confine_files(void);

#endif
