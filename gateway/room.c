/* SPDX-License-Identifier: Apache-2.0 */
/* room.c: see room.h. */
#include "gateway/room.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

/* The mapping keeps the file. @return NULL: quota, disk or memory */
static uint8_t *take_spooled(struct spool *s, size_t octets)
{
    if (spool_take(s, octets) != 0) {
        return NULL;
    }
    int file = spool_file(s);
    uint8_t *p = file >= 0 ? (uint8_t *)spool_window(file, 0, octets) : NULL;
    if (file >= 0) {
        close(file);
    }
    if (p == NULL) {
        spool_give(s, octets);
    }
    return p;
}

void *room_take(void *room, size_t n)
{
    struct room *r = room;
    if (n > SIZE_MAX - PAGE) {
        return NULL;
    }
    struct room_piece *grown = reallocarray(r->piece, r->n_piece + 1, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    r->piece = grown;
    bool large = r->memory->spool.open && n > r->memory->per_body;
    struct room_piece made = {.n = n, .spooled = large ? (n + PAGE - 1) / PAGE * PAGE : 0};
    made.p = large ? take_spooled(&r->memory->spool, made.spooled) : malloc(n > 0 ? n : 1);
    if (made.p != NULL) {
        r->piece[r->n_piece++] = made;
    }
    return made.p;
}

bool room_holds(const struct room *r, const uint8_t *p)
{
    for (size_t i = 0; i < r->n_piece; i++) {
        if (p >= r->piece[i].p && p < r->piece[i].p + r->piece[i].n) {
            return true;
        }
    }
    return false;
}

void room_clear(struct room *r)
{
    for (size_t i = 0; i < r->n_piece; i++) {
        const struct room_piece *p = &r->piece[i];
        if (p->spooled == 0) {
            free(p->p);
        } else if (munmap(p->p, p->spooled) == 0) {
            spool_give(&r->memory->spool, p->spooled);
        }
    }
    free(r->piece);
    r->piece = NULL;
    r->n_piece = 0;
}
