/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.h: the message that a command works on. Small ones and what comes through a pipe are held; a large file stays
 * where it is and is read in pieces, or mapped, so that its size is no matter of memory.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/message.h"
#include "wssec/wssec.h"

#define CLI_INPUT_HELD ((size_t)1 << 20) /* files up to this size are simply read */

struct cli_input {
    int fd;        /**< owned; -1: not needed any more */
    size_t size;   /**< of a file that is not held */
    cs_buf octets; /**< owned: all of them, where held */
    bool held;
    void *map;                /**< owned: cli_input_map; NULL: not mapped */
    struct wssec_slice slice; /**< the octets, where held or mapped */
};

/** Open file ("-": stdin, read to its end). More than limit octets: it may be cut behind limit + 1. @return 0, or -1
 * with a sentence in why; call cli_input_close in either case */
int cli_input_open(struct cli_input *in, const char *file, size_t limit, char *why, size_t size) CS_MUST_CHECK;
void cli_input_close(struct cli_input *in);
/** Hold what is not held yet. @return 0, or -1 with a sentence in why */
int cli_input_hold(struct cli_input *in, char *why, size_t size) CS_MUST_CHECK;
/** Let in->slice be the octets, held or mapped. A file that is cut by somebody else from here on ends the program with
 *  exit 3 and a sentence. @return 0, or -1 with a sentence in why */
int cli_input_map(struct cli_input *in, char *why, size_t size) CS_MUST_CHECK;
/** Octets at a place of a file that is not held. @return how many, 0: it ends; -1: errno */
ssize_t cli_input_read(const struct cli_input *in, size_t at, void *out, size_t n) CS_MUST_CHECK;

#endif
