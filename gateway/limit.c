/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.c: see limit.h. Rates are kept as one instant per client, the one at which its next request is due (GCRA): a
 * request is on time when that instant lies less than a second ahead, and moves it on by 1/rate.
 */
#include "gateway/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECOND_US INT64_C(1000000)
#define SHARDS    16

#define PARTNER_KEY 80

struct peer {
    struct peer *chain;         /* same bucket */
    struct peer *newer, *older; /* by last use, within the shard */
    uint64_t hash;
    unsigned connections;
    int64_t due_us;
    char key[];
};

struct shard {
    pthread_mutex_t lock;
    struct peer **bucket;
    struct peer *newest, *oldest;
    unsigned n;
};

struct limiter {
    unsigned per_shard; /* entries, and buckets: a power of two */
    unsigned shards;    /* made */
    uint64_t seed;      /* nobody outside can choose addresses that meet in one chain */
    struct shard shard[SHARDS];
};

struct limiter *limiter_new(unsigned most)
{
    struct limiter *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    if (getrandom(&l->seed, sizeof l->seed, 0) != (ssize_t)sizeof l->seed) {
        free(l);
        return NULL;
    }
    l->per_shard = 1;
    while (l->per_shard * SHARDS < most) {
        l->per_shard *= 2;
    }
    for (; l->shards < SHARDS; l->shards++) {
        struct shard *s = &l->shard[l->shards];
        s->bucket = calloc(l->per_shard, sizeof *s->bucket);
        if (s->bucket == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
            free(s->bucket);
            limiter_free(l);
            return NULL;
        }
    }
    return l;
}

void limiter_free(struct limiter *l)
{
    if (l == NULL) {
        return;
    }
    for (unsigned i = 0; i < l->shards; i++) {
        struct shard *s = &l->shard[i];
        while (s->newest != NULL) {
            struct peer *p = s->newest;
            s->newest = p->older;
            free(p);
        }
        free(s->bucket);
        pthread_mutex_destroy(&s->lock);
    }
    free(l);
}

void limit_address(const struct sockaddr *sa, char out[LIMIT_ADDRESS])
{
    snprintf(out, LIMIT_ADDRESS, "?");
    if (sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, LIMIT_ADDRESS);
    } else if (sa->sa_family == AF_INET6) {
        struct in6_addr a = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&a)) {
            inet_ntop(AF_INET, &a.s6_addr[12], out, LIMIT_ADDRESS);
            return;
        }
        memset(&a.s6_addr[8], 0, 8);
        inet_ntop(AF_INET6, &a, out, LIMIT_ADDRESS);
    }
}

static uint64_t hash_of(const struct limiter *l, const char *key)
{
    uint64_t h = l->seed;
    for (; *key != '\0'; key++) {
        h = (h ^ (unsigned char)*key) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h;
}

static struct shard *shard_of(struct limiter *l, uint64_t hash)
{
    return &l->shard[hash >> 60 & (SHARDS - 1)];
}

static void list_out(struct shard *s, struct peer *p)
{
    *(p->newer != NULL ? &p->newer->older : &s->newest) = p->older;
    *(p->older != NULL ? &p->older->newer : &s->oldest) = p->newer;
}

static void list_front(struct shard *s, struct peer *p)
{
    p->newer = NULL;
    p->older = s->newest;
    *(s->newest != NULL ? &s->newest->newer : &s->oldest) = p;
    s->newest = p;
}

static void forget(struct limiter *l, struct shard *s, struct peer *p)
{
    struct peer **place = &s->bucket[p->hash & (l->per_shard - 1)];
    while (*place != p) {
        place = &(*place)->chain;
    }
    *place = p->chain;
    list_out(s, p);
    s->n--;
    free(p);
}

static struct peer *find(struct limiter *l, struct shard *s, uint64_t hash, const char *key)
{
    struct peer *p = s->bucket[hash & (l->per_shard - 1)];
    while (p != NULL && (p->hash != hash || strcmp(p->key, key) != 0)) {
        p = p->chain;
    }
    return p;
}

/* The entry of key, now the newest of its shard. NULL: no memory, or all others hold connections. */
static struct peer *take(struct limiter *l, struct shard *s, uint64_t hash, const char *key)
{
    struct peer *p = find(l, s, hash, key);
    if (p != NULL) {
        list_out(s, p);
        list_front(s, p);
        return p;
    }
    if (s->n >= l->per_shard) {
        struct peer *old = s->oldest;
        while (old != NULL && old->connections > 0) {
            old = old->newer;
        }
        if (old == NULL) {
            return NULL;
        }
        forget(l, s, old);
    }
    size_t n = strlen(key) + 1;
    p = calloc(1, sizeof *p + n);
    if (p == NULL) {
        return NULL;
    }
    p->hash = hash;
    memcpy(p->key, key, n);
    p->chain = s->bucket[hash & (l->per_shard - 1)];
    s->bucket[hash & (l->per_shard - 1)] = p;
    list_front(s, p);
    s->n++;
    return p;
}

bool limit_connection(struct limiter *l, const char *address, unsigned most)
{
    if (most == 0) {
        return true;
    }
    uint64_t hash = hash_of(l, address);
    struct shard *s = shard_of(l, hash);
    pthread_mutex_lock(&s->lock);
    struct peer *p = take(l, s, hash, address);
    bool good = p != NULL && p->connections < most;
    if (good) {
        p->connections++;
    }
    pthread_mutex_unlock(&s->lock);
    return good;
}

void limit_release(struct limiter *l, const char *address)
{
    uint64_t hash = hash_of(l, address);
    struct shard *s = shard_of(l, hash);
    pthread_mutex_lock(&s->lock);
    struct peer *p = find(l, s, hash, address);
    if (p != NULL && --p->connections == 0) {
        forget(l, s, p);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Beside addresses in the same table: no address begins with a letter and a blank. */
static const char *partner_key(const char *partner, char key[PARTNER_KEY])
{
    snprintf(key, PARTNER_KEY, "p %s", partner);
    return key;
}

bool limit_partner(struct limiter *l, const char *partner, unsigned most)
{
    char key[PARTNER_KEY];
    return limit_connection(l, partner_key(partner, key), most);
}

void limit_partner_release(struct limiter *l, const char *partner)
{
    char key[PARTNER_KEY];
    limit_release(l, partner_key(partner, key));
}

bool limit_request(struct limiter *l, const char *route, char kind, const char *who, unsigned per_second,
                   int64_t now_us)
{
    char key[224];
    if (per_second == 0) {
        return true;
    }
    snprintf(key, sizeof key, "%c %s %s", kind, route, who);
    uint64_t hash = hash_of(l, key);
    struct shard *s = shard_of(l, hash);
    pthread_mutex_lock(&s->lock);
    struct peer *p = take(l, s, hash, key);
    bool good = false;
    if (p != NULL) {
        int64_t due = p->due_us > now_us ? p->due_us : now_us;
        good = due - now_us <= SECOND_US - SECOND_US / per_second;
        p->due_us = good ? due + SECOND_US / per_second : due;
    }
    pthread_mutex_unlock(&s->lock);
    return good;
}

unsigned limiter_entries(struct limiter *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&l->shard[i].lock);
        n += l->shard[i].n;
        pthread_mutex_unlock(&l->shard[i].lock);
    }
    return n;
}
