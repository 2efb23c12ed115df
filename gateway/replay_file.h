/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_file.h: a replay table in a file that every process of the node maps. The file holds rows only, no lock: locks
 * are those of the kernel on octets of the header (open file description locks), which end with their process however
 * it ends, and which no restart of the machine leaves behind.
 *
 * What a claim wrote is in the kernel's memory when the claim is answered: it outlives kill -9, restart and upgrade.
 * The disk has it when the kernel writes it back (seconds); a power failure may lose the last ones. The file must lie
 * on a local file system: mappings of network file systems do not agree with each other.
 */
#ifndef GW_REPLAY_FILE_H
#define GW_REPLAY_FILE_H

#include "base/error.h"
#include "gateway/replay_table.h"

struct replay_file;

#define REPLAY_FILE_HEADER 4096

/**
 * Open the file, or make it (mode 0600, all of its room taken from the disk at once). Who opens it first, alone, reads
 * every row and brings it to another size when entries is another; what is remembered is kept.
 * @param live where to put how many keys are remembered, or NULL; 0 when others have it open
 * @return owned by the caller; NULL with e: 78 damaged, of another version or not ours; 69 cannot be opened or made
 */
struct replay_file *replay_file_open(const char *path, uint64_t entries, cs_time now, uint64_t *live, cs_error *e);
/** The table inside, mapped until replay_file_close(). */
void *replay_file_memory(const struct replay_file *f);
/** Lock of one shard among processes. Threads of one process share it: they exclude each other before. @return 0, or -1
 */
int replay_file_lock(const struct replay_file *f, unsigned shard);
void replay_file_unlock(const struct replay_file *f, unsigned shard);
void replay_file_close(struct replay_file *f);

/** The header of a file of size octets. @param entries where to put its room for keys
 *  @return NULL, or what is wrong with it, as the end of a sentence that begins with the file */
const char *replay_file_judge(const void *header, size_t n, uint64_t size, uint64_t *entries);
/** For a check of the configuration: can path be used? Changes nothing. @return 0, or -1 with e */
int replay_file_look(const char *path, cs_error *e);

#endif
