/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.h: the time of day in a named time zone (IANA), for any thread: the C library knows one zone per process. Reads
 * compiled zone files (RFC 8536) as every Unix has them below /usr/share/zoneinfo.
 */
#ifndef CS_BASE_ZONE_H
#define CS_BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef struct cs_zone cs_zone;

/** A name as Europe/Berlin: letters, digits and + - _ / in parts that do not begin with a dot; 1 to 63 octets. */
bool cs_zone_name_ok(const char *name);
/** The zone of that name; to be freed with cs_zone_free. NULL: no such zone here, or its file is not understood. */
cs_zone *cs_zone_open(const char *name);
/** A zone from the octets of its file. NULL: they are none (leap seconds are not read), or no memory. */
cs_zone *cs_zone_read(const uint8_t *data, size_t n);
void cs_zone_free(cs_zone *z);
/** Seconds that the zone's clocks are ahead of UTC at an instant. Any thread. */
int32_t cs_zone_offset(const cs_zone *z, cs_time t);

#endif
