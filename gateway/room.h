/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h: where the octets lie that an action makes of a message: small ones in memory; large ones, opened and sealed
 * attachments above all, in files of the spool as large bodies do. It belongs to a job: filled by its worker, given
 * back on its loop's thread when the message has gone.
 */
#ifndef GW_ROOM_H
#define GW_ROOM_H

#include "gateway/body.h"

struct room_piece {
    uint8_t *p;
    size_t n;
    size_t spooled; /**< octets of a spool file that are mapped here; 0: memory */
};

struct room {              /** Zeroed: empty. */
    struct memory *memory; /**< borrowed */
    struct room_piece *piece;
    size_t n_piece;
};

/** Memory of n octets until room_clear. room: struct room (struct wssec_room's take). @return NULL: none is left */
void *room_take(void *room, size_t n);
/** Whether p points into what was taken. */
bool room_holds(const struct room *r, const uint8_t *p);
void room_clear(struct room *r);

#endif
