/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_timestamp.c: any octets as a time-stamp token over the empty payload. Where no authority is an anchor, none
 * proves anything, and whatever is refused has its note. */
#include <stdlib.h>

#include "archive/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 2000000000 /* after every seed */

static const ks_snapshot *empty_keystore(void)
{
    static const ks_snapshot *snapshot;
    static ks_store *store;
    static const char uri[] = "memory:fuzz";
    bool created = false;
    cs_error e = {0};
    if (snapshot == NULL && (ks_init(uri, NULL, NOW, &created, &e) != 0 || ks_open(&store, uri, NULL, &e) != 0 ||
                             ks_snapshot_read(store, NOW, &snapshot, &e) != 0)) {
        abort();
    }
    return snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "stamps";
    char *slot[] = {name};
    const struct archive_texts anchors = {slot, 1};
    const struct archive_court court = {.snapshot = empty_keystore(), .now = NOW};
    cs_time proven = 1;
    enum archive_stamp s = archive_timestamp_check(&court, &anchors, data, size, (const uint8_t *)"", 0, &proven);
    if (s == ARCHIVE_STAMP_GOOD || proven != 0 || archive_timestamp_note(s) == NULL) {
        abort();
    }
    return 0;
}
