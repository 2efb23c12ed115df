/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h: what one client may have: connections per address, requests per second per address or client certificate;
 * and what one partner may have under way.
 * One table for all loops, of bounded size: when it is full, whoever was seen longest ago and holds no connection is
 * forgotten (and has its whole rate again), so that a flood of addresses costs a bounded amount of memory and nobody
 * their connection count. An IPv6 client counts by its /64.
 */
#ifndef GW_LIMIT_H
#define GW_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define LIMIT_ADDRESS 48

struct limiter;

/** @return owned by the caller (limiter_free), NULL: no memory. most: entries kept. */
struct limiter *limiter_new(unsigned most);
void limiter_free(struct limiter *l);

/** What an address is counted by, as text. */
void limit_address(const struct sockaddr *sa, char out[LIMIT_ADDRESS]);
/** One more connection of address; at most most (0: any number, and nothing is remembered). Any thread.
 *  @return false: it has as many already. true: give back with limit_release(), unless most was 0 */
bool limit_connection(struct limiter *l, const char *address, unsigned most);
void limit_release(struct limiter *l, const char *address);
/** One more exchange of partner on any route, at most most; counted as connections are. Any thread.
 *  @return false: it has as many already. true: give back with limit_partner_release() */
bool limit_partner(struct limiter *l, const char *partner, unsigned most);
void limit_partner_release(struct limiter *l, const char *partner);
/** One more request on route of who (an address, or a certificate: kind tells them apart). A second's worth may come
 *  at once. Any thread. @return false: faster than per_second */
bool limit_request(struct limiter *l, const char *route, char kind, const char *who, unsigned per_second,
                   int64_t now_us);
/** Entries held now. */
unsigned limiter_entries(struct limiter *l);

#endif
