/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_capture.c: a segment of a capture as it may lie on a disk. The walk ends, stays inside the file, and what it
 * calls a record is one that was written so: its text, written again, is the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/capture_tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_capture_record r;
    struct capture_walk w;
    char text[CS_CAPTURE_TEXT];
    if (cs_capture_read((const char *)data, size, &r) == 0) {
        must(cs_capture_write(&r, text) == size && memcmp(text, data, size) == 0);
    }
    int fd = memfd_create("segment", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    must(capture_tar_walk(fd, &w) == 0);
    must(w.octets <= size && w.messages <= w.records);
    close(fd);
    return 0;
}
