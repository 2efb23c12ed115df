/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linking.h: is a message log of X-Road complete? Each archive (mlog-….zip) holds linking information: a hash step per
 * container, of which the first one goes on from the last one of the archive before.
 */
#ifndef ARCHIVE_LINKING_H
#define ARCHIVE_LINKING_H

#include "archive/chain.h"

/** Is a member, by its name in loc and how it begins, the linking information of its archive? */
bool archive_linking_is(const uint8_t *p, size_t n, const char *loc);

/** Follow all archives of message logs below paths, as archive_chain_follow does captures: every container is hashed,
 *  every archive is to go on where another one ended, or to begin a log. Files without linking information are passed
 *  over. What was cut off behind the newest archive nobody can see. @return as archive_chain_follow */
int archive_linking_follow(const struct archive_texts *path, struct archive_chain *out, cs_error *e) CS_MUST_CHECK;

#endif
