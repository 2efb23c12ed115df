/* SPDX-License-Identifier: Apache-2.0 */
/* message.h: what the commands on single messages share: octets of a file or of stdin, lists of PART words. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "base/buffer.h"
#include "cli/command.h"

/** Option row of commands that read messages. */
#define CLI_CONTENT_TYPE                                                                                               \
    {                                                                                                                  \
        "content-type", 0, CLI_TEXT, "TYPE", 0,                                                                        \
            "Content-Type that the message came with; without it a file tells by its first octets what it is"          \
    }

/** Words of a comma list; commas inside {namespace} do not count. Owned. */
struct cli_words {
    char **word;
    size_t n;
};

/** Add the words of text. @return 0, or -1: an empty word, or no memory */
int cli_words_add(struct cli_words *w, const char *text) CS_MUST_CHECK;
void cli_words_free(struct cli_words *w);

/** All octets of a file; "-": stdin. More than limit octets: only limit + 1 are read. @return 0, or -1 with a sentence
 * in why */
int cli_octets_read(const char *file, size_t limit, cs_buf *out, char *why, size_t size) CS_MUST_CHECK;
/** The operand is a directory. */
bool cli_is_directory(const char *file);
/** Pieces to stdout (file NULL), or to a new file, of this mode but for the umask, that takes the place of file only
 * when it is complete; two that write one file at a time do not meet.
 *  @return 0, or -1 with e filled (exit 69) */
struct wssec_output;
int cli_octets_write(const char *file, const struct wssec_output *out, unsigned mode, cs_error *e) CS_MUST_CHECK;

#endif
