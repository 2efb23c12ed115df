/* SPDX-License-Identifier: Apache-2.0 */
/* capture_tar.c: see capture_tar.h. */
#include "gateway/capture_tar.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ustar, POSIX.1-1988 */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2];
    char user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == CAPTURE_BLOCK, "a header is one block");

#define SIZE_MOST UINT64_C(077777777777)

size_t capture_tar_padding(uint64_t size)
{
    return (CAPTURE_BLOCK - (size_t)(size % CAPTURE_BLOCK)) % CAPTURE_BLOCK;
}

/* Who wrote it stands in the record; owner and rights are the same in every segment. */
static void fill(struct header *h, const char *name, char type, uint64_t size, int64_t mtime)
{
    memset(h, 0, sizeof *h);
    memcpy(h->name, name, strnlen(name, sizeof h->name));
    memcpy(h->mode, type == '5' ? "0000700" : "0000600", 8);
    memcpy(h->uid, "0000000", 8);
    memcpy(h->gid, "0000000", 8);
    char octal[24];
    snprintf(octal, sizeof octal, "%011llo", (unsigned long long)(size & SIZE_MOST));
    memcpy(h->size, octal, sizeof h->size);
    snprintf(octal, sizeof octal, "%011llo", (unsigned long long)((uint64_t)mtime & SIZE_MOST));
    memcpy(h->mtime, octal, sizeof h->mtime);
    h->type = type;
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    memset(h->sum, ' ', sizeof h->sum);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *h; i++) {
        sum += ((const unsigned char *)h)[i];
    }
    snprintf(octal, sizeof octal, "%06o", sum & 0777777U);
    memcpy(h->sum, octal, 7);
}

static void member_name(const struct cs_capture_record *r, char out[100])
{
    bool message = r->kind == CS_CAPTURE_MESSAGE;
    snprintf(out, 100, "%.*s/%012llu.%s%s", 70, r->stream, (unsigned long long)r->record,
             !message      ? cs_capture_kind_word(r->kind)
             : r->response ? "response.http"
                           : "request.http",
             message ? "" : "/");
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static size_t pax_record(char *out, size_t size, const char *text, size_t n)
{
    size_t body = sizeof " " CS_CAPTURE_PAX "=\n" - 1 + n;
    size_t all = body + 2;
    while (all != body + (size_t)snprintf(NULL, 0, "%zu", all)) {
        all++;
    }
    int made = snprintf(out, size, "%zu " CS_CAPTURE_PAX "=%.*s\n", all, (int)n, text);
    return made > 0 && (size_t)made < size ? (size_t)made : 0;
}

size_t capture_tar_head(const struct cs_capture_record *r, const char *text, size_t n, uint8_t out[CAPTURE_HEAD_MOST])
{
    char name[100];
    struct header h;
    memset(out, 0, CAPTURE_HEAD_MOST);
    size_t pax = pax_record((char *)out + CAPTURE_BLOCK, CAPTURE_HEAD_MOST - 2 * CAPTURE_BLOCK, text, n);
    int64_t mtime = r->at_ms / 1000;
    fill(&h, "pax", 'x', pax, mtime);
    memcpy(out, &h, sizeof h);
    size_t at = CAPTURE_BLOCK + pax + capture_tar_padding(pax);
    member_name(r, name);
    fill(&h, name, r->kind == CS_CAPTURE_MESSAGE ? '0' : '5', r->kind == CS_CAPTURE_MESSAGE ? r->size : 0, mtime);
    memcpy(out + at, &h, sizeof h);
    return at + CAPTURE_BLOCK;
}

/* ---- the way back ------------------------------------------------------------------------------------------------ */

/* @return 1 all there, 0 the file ends before, -1 errno */
static int read_at(int fd, uint64_t at, void *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -1 : 0;
        }
        done += (size_t)got;
    }
    return 1;
}

/* The record in the extended header at this place. @return octets of the header with its content, 0: none */
static uint64_t record_at(int fd, uint64_t at, struct cs_capture_record *r)
{
    uint8_t block[CAPTURE_HEAD_MOST];
    struct header h;
    static const char key[] = " " CS_CAPTURE_PAX "=";
    if (read_at(fd, at, &h, sizeof h) != 1 || memcmp(h.magic, "ustar", 5) != 0 || h.type != 'x') {
        return 0;
    }
    char digits[13] = "";
    memcpy(digits, h.size, 12);
    uint64_t size = strtoull(digits, NULL, 8);
    if (size < sizeof key || size > CAPTURE_HEAD_MOST - 2 * CAPTURE_BLOCK ||
        read_at(fd, at + CAPTURE_BLOCK, block, (size_t)size) != 1 || block[size - 1] != '\n') {
        return 0;
    }
    const uint8_t *text = memmem(block, (size_t)size, key, sizeof key - 1);
    if (text == NULL) {
        return 0;
    }
    text += sizeof key - 1;
    return cs_capture_read((const char *)text, (size_t)(block + size - 1 - text), r) == 0
               ? CAPTURE_BLOCK + size + capture_tar_padding(size)
               : 0;
}

/* Have the octets of a message its hash? @return 1, 0, -1 */
static int content_whole(int fd, uint64_t at, const struct cs_capture_record *r)
{
    uint8_t piece[65536];
    uint8_t hash[32];
    uint64_t left = r->size;
    int rc = 1;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        errno = ENOMEM;
        return -1;
    }
    while (rc == 1 && left > 0) {
        size_t n = left < sizeof piece ? (size_t)left : sizeof piece;
        rc = read_at(fd, at, piece, n);
        if (rc == 1 && EVP_DigestUpdate(md, piece, n) != 1) {
            rc = 0;
        }
        at += n;
        left -= n;
    }
    if (rc == 1) {
        rc = EVP_DigestFinal_ex(md, hash, NULL) == 1 && memcmp(hash, r->sha256, sizeof hash) == 0;
    }
    size_t padding = capture_tar_padding(r->size);
    rc = rc == 1 && padding > 0 ? read_at(fd, at, piece, padding) : rc;
    EVP_MD_CTX_free(md);
    return rc;
}

int capture_tar_walk(int fd, struct capture_walk *out)
{
    memset(out, 0, sizeof *out);
    for (;;) {
        struct cs_capture_record r;
        struct header h;
        uint64_t head = record_at(fd, out->octets, &r);
        bool follows = out->records == 0 || memcmp(r.prev, out->last.hash, sizeof r.prev) == 0;
        if (head == 0 || out->ended || !follows || read_at(fd, out->octets + head, &h, sizeof h) != 1) {
            return 0;
        }
        uint64_t size = r.kind == CS_CAPTURE_MESSAGE ? r.size : 0;
        int whole = size > 0 ? content_whole(fd, out->octets + head + CAPTURE_BLOCK, &r) : 1;
        if (whole < 0) {
            return -1;
        }
        if (whole == 0) {
            return 0;
        }
        out->octets += head + CAPTURE_BLOCK + size + capture_tar_padding(size);
        out->records++;
        out->messages += r.kind == CS_CAPTURE_MESSAGE;
        out->ended = r.kind == CS_CAPTURE_END;
        out->last = r;
    }
}
