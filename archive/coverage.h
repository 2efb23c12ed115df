/* SPDX-License-Identifier: Apache-2.0 */
/* coverage.h: is the archive complete? What a count or a list of hashes says against the records of a run. */
#ifndef ARCHIVE_COVERAGE_H
#define ARCHIVE_COVERAGE_H

#include "archive/journal.h"

#define ARCHIVE_NAMED 10 /* items that are named of each kind */

struct archive_coverage {
    bool complete;
    uint64_t expected, found;
    uint64_t missing, extra,
        different;  /**< manifest: lines without item, items without line, names with another content */
    char text[256]; /**< a sentence with the numbers */
    struct archive_texts missing_name, extra_name, different_name; /**< owned; the first ones */
};
void archive_coverage_clear(struct archive_coverage *c);

void archive_coverage_count(struct archive_coverage *out, uint64_t expected, uint64_t found);
/** manifest: a file as sha256sum writes it ("HEX  NAME", "HEX *NAME", escaped names begin with a backslash). An item is
 * there when its payload has the hash, whatever its name. fd: the records. A manifest that cannot be read: exit 64.
 *  @return 0, or -1 with e filled; archive_coverage_clear in either case */
int archive_coverage_manifest(struct archive_coverage *out, const char *directory, const char *manifest, int fd,
                              cs_error *e) CS_MUST_CHECK;

#endif
