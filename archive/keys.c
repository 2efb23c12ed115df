/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c: see keys.h. */
#include "archive/keys.h"

#include <stdlib.h>
#include <string.h>

static void remember(struct archive_keys *k, const struct wssec_entry *e, size_t partner, bool chain)
{
    if (k->n_given < ARCHIVE_FITTING && archive_keys_given(k, e->sha256) == NULL) {
        struct archive_candidate *c = &k->given[k->n_given++];
        *c = (struct archive_candidate){.partner = partner, .chain = chain};
        memcpy(c->sha256, e->sha256, sizeof c->sha256);
    }
}

/* One that is stored: its life is judged later, by the instant of the message. Its place among the candidates is kept:
 * the resolver puts those first that were good at the instant asked. */
static void without_time(struct wssec_entry *e)
{
    e->state = WSSEC_ACTIVE;
    e->not_before = e->not_after = e->process_stop = e->revoked_at = e->compromised_at = 0;
}

static bool is_stored(const struct archive_keys *k, const struct wssec_entry *e)
{
    const ks_entry *stored = e->ordinal != 0 ? ks_entry_find(k->court->snapshot, e->alias, e->ordinal) : NULL;
    return stored != NULL && memcmp(ks_entry_sha256(stored), e->sha256, sizeof e->sha256) == 0;
}

static int candidates(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max)
{
    struct archive_keys *k = ctx;
    int n = 0;
    if (use != WSSEC_USE_VERIFY) {
        return k->n_group > 0 ? k->face[k->group[0]].candidates(k->face[k->group[0]].ctx, use, hint, at, out, max) : 0;
    }
    for (size_t i = 0; i < k->n_group; i++) {
        const struct wssec_resolver *one = &k->face[k->group[i]];
        if (n >= max) {
            k->overflow = true;
            break;
        }
        int more = one->candidates(one->ctx, use, hint, at, out + n, max - n);
        if (more < 0) {
            return more;
        }
        for (int c = n; c < n + more; c++) {
            bool stored = is_stored(k, &out[c]);
            remember(k, &out[c], k->group[i], !stored);
            if (stored) {
                without_time(&out[c]);
            }
        }
        n += more;
    }
    return n;
}

/* Partners of a group have the same users, or none. */
static int password(void *ctx, const char *user, char *out, size_t outsize)
{
    struct archive_keys *k = ctx;
    const struct wssec_resolver *one = &k->face[k->group[0]];
    return one->password(one->ctx, user, out, outsize);
}

const struct archive_candidate *archive_keys_given(const struct archive_keys *k, const uint8_t sha256[32])
{
    for (size_t i = 0; i < k->n_given; i++) {
        if (memcmp(k->given[i].sha256, sha256, 32) == 0) {
            return &k->given[i];
        }
    }
    return NULL;
}

void archive_keys_ask(struct archive_keys *k, const size_t *group, size_t n)
{
    for (size_t i = 0; i < k->n_group; i++) {
        resolver_clear(&k->partner[k->group[i]]);
    }
    k->group = group;
    k->n_group = n;
    k->resolver.password = n > 0 && k->face[group[0]].password != NULL ? password : NULL;
    k->n_given = 0;
    k->overflow = false;
}

int archive_keys_make(struct archive_keys *k, const struct archive_court *court)
{
    memset(k, 0, sizeof *k);
    k->court = court;
    k->resolver = (struct wssec_resolver){
        .ctx = k, .generation = ks_snapshot_generation(court->snapshot), .candidates = candidates};
    k->partner = calloc(court->n_partner + 1, sizeof *k->partner);
    k->face = calloc(court->n_partner + 1, sizeof *k->face);
    if (k->partner == NULL || k->face == NULL) {
        return -1;
    }
    for (size_t i = 0; i < court->n_partner; i++) {
        resolver_init(&k->face[i], &k->partner[i], court->snapshot, court->partner[i].name, NULL);
        resolver_trust(&k->partner[i], court->partner[i].chain);
        resolver_users(&k->face[i], &k->partner[i], court->partner[i].users);
        resolver_now(&k->partner[i], court->now);
        resolver_decrypt(&k->partner[i], court->decrypt, court->n_decrypt);
    }
    return 0;
}

void archive_keys_free(struct archive_keys *k)
{
    if (k->partner != NULL && k->face != NULL) {
        archive_keys_ask(k, NULL, 0);
    }
    free(k->partner);
    free(k->face);
    k->partner = NULL;
    k->face = NULL;
}
