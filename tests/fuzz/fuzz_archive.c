/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_archive.c: any octets as an archive: every item has a loc of its own that can be shown, and the walk ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/done.h"
#include "archive/feed.h"
#include "archive/message.h"

#define ITEMS_MAX 2000

static void check_loc(const char *loc)
{
    for (const unsigned char *p = (const unsigned char *)loc; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            abort();
        }
    }
}

static void look_at(const struct archive_item *item)
{
    struct archive_message m;
    char why[128];
    const uint8_t *p = NULL;
    size_t n = 0;
    if (item->loc == NULL) {
        abort();
    }
    check_loc(item->loc);
    if (item->trouble != WSSEC_OK) {
        if (item->data != NULL || item->detail[0] == '\0') {
            abort();
        }
    } else if (archive_item_map(item, &p, &n) == 0) {
        if (archive_message_read(&m, p, n, why, sizeof why) == 0 && m.head.n + m.content.n != n) {
            abort();
        }
        archive_item_unmap(item, p, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    cs_error e = {0};
    struct archive_feed *feed = NULL;
    struct archive_order order = ARCHIVE_ORDER_INIT;
    struct archive_item item = ARCHIVE_ITEM_INIT;
    int fd = memfd_create("item", MFD_CLOEXEC);
    order.max_member = 1 << 20;
    order.max_ratio = 50;
    order.max_members = 1000;
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (archive_texts_add(&order.path, path) != 0 || archive_feed_new(&feed, &order, NULL, 1, 65536, &e) != 0) {
        abort();
    }
    uint64_t seq = 0;
    while (archive_feed_next(feed, &item) == 1 && seq < ITEMS_MAX) {
        if (item.seq != ++seq) {
            abort();
        }
        look_at(&item);
        archive_item_clear(&item);
    }
    archive_item_clear(&item);
    archive_feed_free(feed);
    archive_order_free(&order);
    close(fd);
    return 0;
}
