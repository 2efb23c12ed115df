/* SPDX-License-Identifier: Apache-2.0 */
/* revalidate.c: see revalidate.h. When in doubt, a record does not stand: judging the message again is never wrong. */
#include "archive/revalidate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/conclusion.h"
#include "archive/done.h"
#include "base/text.h"

#define ANEW     "revalidating" /* the journal that is being made */
#define PAYLOADS 1000000
#define MOST     256 /* certificates of a partner that are looked at */

struct again {
    const struct archive_run *old, *fresh;
    const struct archive_court *court;
    bool same_facts, same_keystore, chains;
    uint8_t (*key)[32]; /* owned: public keys of all verifiers of the court, sorted */
    size_t n_key;
};

/* ---- what stands ----------------------------------------------------------------------------------------------------
 */

static int by_octets(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static int gather_keys(struct again *a, cs_error *e)
{
    ks_candidate found[MOST];
    const struct archive_court *court = a->court;
    for (size_t p = 0; p < court->n_partner; p++) {
        size_t n = ks_candidates(court->snapshot, court->partner[p].name, NULL, KS_CAN_VERIFY, court->now, found, MOST);
        uint8_t(*grown)[32] = reallocarray(a->key, a->n_key + n + 1, sizeof *grown);
        if (grown == NULL) {
            return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        }
        a->key = grown;
        for (size_t i = 0; i < n; i++) {
            memcpy(a->key[a->n_key++], ks_entry_spki_sha256(found[i].entry), 32);
        }
        a->chains |= court->partner[p].chain != NULL;
        a->same_facts &= n < MOST; /* there may be more: nothing is known of them */
    }
    if (a->n_key > 1) {
        qsort(a->key, a->n_key, sizeof *a->key, by_octets);
    }
    return 0;
}

/* One certificate alone has that key: whoever is asked for it, at whatever instant, this is the answer. */
static bool alone(const struct again *a, const uint8_t spki[32])
{
    const uint8_t(*at)[32] =
        a->n_key > 0 ? (const uint8_t(*)[32])bsearch(spki, a->key, a->n_key, sizeof *a->key, by_octets) : NULL;
    if (at == NULL) {
        return false;
    }
    size_t i = (size_t)(at - (const uint8_t(*)[32])a->key);
    return (i == 0 || by_octets(a->key[i - 1], spki) != 0) &&
           (i + 1 == a->n_key || by_octets(a->key[i + 1], spki) != 0);
}

static bool has_note(const struct wssec_verdict *v, const char *begin)
{
    for (unsigned i = 0; i < v->n_notes; i++) {
        if (strncmp(v->notes[i], begin, strlen(begin)) == 0) {
            return true;
        }
    }
    return false;
}

/* A good signature: the same certificate would be found for it. */
static bool signer_stands(const struct again *a, const struct archive_record *r)
{
    const struct wssec_certificate *c = &r->v.certificate;
    const struct archive_partner *p = archive_partner_of(a->court, r->partner);
    const ks_entry *e = r->v.has_certificate ? ks_entry_find(a->court->snapshot, c->alias, c->ordinal) : NULL;
    return p != NULL && p->chain == NULL && p->users == NULL && e != NULL && r->v.n_also == 0 &&
           memcmp(ks_entry_sha256(e), c->sha256, sizeof c->sha256) == 0 &&
           strcmp(ks_entry_partner(e), r->partner) == 0 && alone(a, ks_entry_spki_sha256(e));
}

/* The instant that counts now. @return false: the record does not say */
static bool settle_instant(const struct again *a, struct archive_record *r)
{
    struct wssec_verdict *v = &r->v;
    bool by_anchor = v->time_source == WSSEC_TIME_POE || has_note(v, "timestamp-");
    if (by_anchor && a->fresh->order.timestamp_anchors.n > 0) {
        return a->same_keystore; /* an authority may count no more, or count now */
    }
    if (archive_time_certain(v->time_source)) {
        return true;
    }
    bool claim = archive_claim_counts(a->court, &a->fresh->order, archive_policy_of(a->court, r->partner), v);
    if (v->time_source == WSSEC_TIME_CLAIMED) {
        return claim;
    }
    cs_time t = claim ? v->claimed : v->time_source == WSSEC_TIME_NOW ? a->court->now : v->t;
    if (t != v->t) {
        archive_drop_lateness(v);
    }
    v->t = t;
    v->time_source = claim ? WSSEC_TIME_CLAIMED : v->time_source;
    return true;
}

static bool stands(const struct again *a, struct archive_record *r)
{
    if (!a->same_facts || !r->has_payload || r->v.verdict == WSSEC_ERROR || has_note(&r->v, "legacy ")) {
        return false;
    }
    bool facts = r->facts == WSSEC_OK
                     ? signer_stands(a, r)
                     : a->same_keystore && !a->chains && r->v.reason == r->facts && r->facts != WSSEC_LEGACY_ENDED;
    return facts && settle_instant(a, r);
}

static void decide_again(const struct again *a, struct archive_record *r)
{
    struct wssec_verdict *v = &r->v;
    v->verdict = r->facts == WSSEC_OK ? WSSEC_PASS : WSSEC_FAIL;
    v->generation = ks_snapshot_generation(a->court->snapshot);
    if (r->facts == WSSEC_OK) {
        v->detail[0] = '\0';
    }
    archive_record_final(r, r->facts);
    if (r->facts != WSSEC_PARTNER_AMBIGUOUS && v->has_certificate) {
        archive_decide(a->court, archive_policy_of(a->court, r->partner), r);
    } else if (r->facts != WSSEC_PARTNER_AMBIGUOUS) {
        archive_decide_beyond(a->court, r);
    }
}

/* ---- the new journal ------------------------------------------------------------------------------------------------
 */

static int fill(const struct again *a, int from, struct archive_journal *to, struct archive_revalidated *out,
                cs_error *e)
{
    struct archive_payloads *payloads = archive_payloads_new(PAYLOADS);
    struct archive_reader *reader = NULL;
    int rc = payloads == NULL ? cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory")
             : archive_reader_fd(&reader, from, e) == 0 ? 1
                                                        : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        out->items += rc == 1 ? 1 : 0;
        if (rc == 1 && stands(a, &r)) {
            decide_again(a, &r);
            r.seq = ++out->stand;
            r.dup_of = archive_payloads_seen(payloads, r.payload_sha256, r.seq);
            (void)cs_copy(r.run, sizeof r.run, a->fresh->id);
            rc = archive_journal_add(to, &r, e) == 0 ? 1 : -1;
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    archive_payloads_free(payloads);
    return rc == 0 ? archive_journal_flush(to, true, e) : -1;
}

static int not_replaced(const char *directory, cs_error *e)
{
    return cs_error_set(e, errno == ENOSPC ? CS_EXIT_STOPPED : CS_EXIT_UNAVAILABLE, "not-written",
                        "the journal in %.300s cannot be replaced: %s", directory, strerror(errno));
}

/* What a run that was killed here left behind counts for nothing. */
static void drop_unfinished(int at)
{
    (void)unlinkat(at, ANEW "/" ARCHIVE_RUN_FILE, 0);
    (void)unlinkat(at, ANEW "/" ARCHIVE_RESULTS_FILE, 0);
    (void)unlinkat(at, ANEW, AT_REMOVEDIR);
}

/* The old files get a second name first; a name that is there from a run that was killed holds the older ones. */
static int keep_old(int at, const char *before)
{
    static const char *const files[] = {ARCHIVE_RESULTS_FILE, ARCHIVE_RUN_FILE, ARCHIVE_CONCLUSION_FILE};
    char path[128];
    int rc = mkdirat(at, before, 0755) == 0 || errno == EEXIST ? 0 : -1;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == 0; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", before, files[i]);
        rc = linkat(at, files[i], at, path, 0) == 0 || errno == EEXIST || errno == ENOENT ? 0 : -1;
    }
    return rc;
}

/* Results before run.json: one that was killed between them still says what the old verdicts were made by, so it is
 * refused, and revalidated again. */
static int replace(int at, const char *before)
{
    if (keep_old(at, before) != 0 || fsync(at) != 0 ||
        (unlinkat(at, ARCHIVE_CONCLUSION_FILE, 0) != 0 && errno != ENOENT) ||
        renameat(at, ANEW "/" ARCHIVE_RESULTS_FILE, at, ARCHIVE_RESULTS_FILE) != 0 ||
        renameat(at, ANEW "/" ARCHIVE_RUN_FILE, at, ARCHIVE_RUN_FILE) != 0 || fsync(at) != 0) {
        return -1;
    }
    return 0;
}

int archive_revalidate(const char *directory, struct archive_journal **j, const struct archive_run *old,
                       const struct archive_run *fresh, const struct archive_court *court,
                       struct archive_revalidated *out, cs_error *e)
{
    struct again a = {.old = old, .fresh = fresh, .court = court};
    struct archive_journal *made = NULL;
    char *path = NULL;
    *out = (struct archive_revalidated){.items = 0};
    (void)snprintf(out->before, sizeof out->before, ARCHIVE_BEFORE "%s", old->id);
    a.same_facts = old->facts_sha256[0] != '\0' && strcmp(old->facts_sha256, fresh->facts_sha256) == 0 &&
                   strcmp(old->version, fresh->version) == 0;
    a.same_keystore = strcmp(old->keystore_sha256, fresh->keystore_sha256) == 0;
    int rc = -1;
    int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || asprintf(&path, "%s/" ANEW, directory) < 0) {
        rc = not_replaced(directory, e);
        path = NULL;
        goto out;
    }
    drop_unfinished(at);
    if (gather_keys(&a, e) != 0 || archive_journal_create(&made, path, fresh, e) != 0 ||
        fill(&a, archive_journal_fd(*j), made, out, e) != 0) {
        goto out;
    }
    rc = replace(at, out->before) == 0 ? 0 : not_replaced(directory, e);
    if (rc == 0) {
        archive_journal_close(*j);
        *j = made;
        made = NULL;
    }
out:
    archive_journal_close(made);
    if (at >= 0) {
        drop_unfinished(at);
        close(at);
    }
    free(a.key);
    free(path);
    return rc;
}

/* ---- what is not there any more -------------------------------------------------------------------------------------
 */

struct ending {
    struct archive_journal *journal;
    const struct archive_run *run;
    const struct archive_court *court;
    struct archive_done *done; /* owned */
    uint64_t last;
    struct archive_counts *counts;
};

static int add_missing(struct ending *k, const struct archive_record *was, cs_error *e)
{
    struct archive_record r = {.seq = ++k->last, .loc = was->loc};
    char then[CS_TIME_TEXT];
    archive_record_error(&r, WSSEC_IO_ERROR);
    (void)snprintf(r.v.detail, sizeof r.v.detail, "it is not there any more; as of %s it was %s (%s)",
                   cs_time_format(was->v.t, then), wssec_result_word(was->v.verdict), wssec_reason_code(was->v.reason));
    r.v.t = k->court->now;
    r.v.time_source = WSSEC_TIME_NOW;
    r.v.generation = ks_snapshot_generation(k->court->snapshot);
    (void)cs_copy(r.v.policy, sizeof r.v.policy, was->v.policy);
    (void)cs_copy(r.run, sizeof r.run, k->run->id);
    k->counts->items++;
    k->counts->verdict[WSSEC_ERROR]++;
    k->counts->source[WSSEC_TIME_NOW]++;
    return archive_journal_add(k->journal, &r, e);
}

static int look_for(struct ending *k, const char *path, cs_error *e)
{
    struct archive_reader *reader = NULL;
    int rc = archive_reader_open(&reader, path, NULL, e) == 0 ? 1 : -1;
    while (rc == 1) {
        struct archive_record r = {.seq = 0};
        rc = archive_reader_next(reader, &r, e);
        if (rc == 1 && !archive_done_has(k->done, r.loc)) {
            rc = add_missing(k, &r, e) == 0 ? 1 : -1;
        }
        archive_record_clear(&r);
    }
    archive_reader_close(reader);
    return rc;
}

/* What the journal holds by now. */
static int read_done(struct ending *k, cs_error *e)
{
    struct archive_reader *reader = NULL;
    struct archive_counts counted = {.items = 0};
    archive_done_free(k->done);
    k->done = NULL;
    int rc = archive_journal_flush(k->journal, true, e) == 0 &&
                     archive_reader_fd(&reader, archive_journal_fd(k->journal), e) == 0
                 ? archive_done_read(&k->done, reader, NULL, &counted, &k->last, e)
                 : -1;
    archive_reader_close(reader);
    return rc;
}

static int is_before(const struct dirent *d)
{
    return strncmp(d->d_name, ARCHIVE_BEFORE, sizeof ARCHIVE_BEFORE - 1) == 0;
}

int archive_revalidate_end(const char *directory, struct archive_journal *j, const struct archive_run *run,
                           const struct archive_court *court, struct archive_counts *counts, cs_error *e)
{
    struct ending k = {.journal = j, .run = run, .court = court, .counts = counts};
    struct dirent **name = NULL;
    int n = scandir(directory, &name, is_before, alphasort);
    int rc = n >= 0 ? 0
                    : cs_error_set(e, CS_EXIT_UNAVAILABLE, "journal-unreadable", "%.300s cannot be listed: %s",
                                   directory, strerror(errno));
    for (int i = n - 1; i >= 0; i--) { /* ids sort by time: the newest first */
        char *path = NULL;
        rc = rc == 0 && asprintf(&path, "%s/%s", directory, name[i]->d_name) < 0
                 ? cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory")
                 : rc;
        rc = rc == 0 ? read_done(&k, e) : rc;
        rc = rc == 0 ? look_for(&k, path, e) : rc;
        free(path);
        free(name[i]);
    }
    free(name);
    archive_done_free(k.done);
    return rc == 0 && n > 0 ? archive_journal_flush(j, true, e) : rc;
}
