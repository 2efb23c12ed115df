/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c: see plan.h. */
#include "archive/plan.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/feed.h"
#include "archive/walk.h"
#include "base/clock.h"
#include "base/text.h"

#define DENSITY   256 /* items of an archive that are counted to know how many there are to an octet; of few archives */
#define MORE      4096 /* that many more together */
#define IN_MEMORY ((size_t)4 << 20)

void archive_plan_clear(struct archive_plan *p)
{
    for (size_t i = 0; i < ARCHIVE_PLAN_ITEMS; i++) {
        free(p->drawn[i]);
    }
    free(p->largest);
    memset(p, 0, sizeof *p);
}

const char *archive_form_word(enum archive_form f)
{
    static const char *const word[ARCHIVE_UNKNOWN + 1] = {
        [ARCHIVE_EMPTY] = "empty",       [ARCHIVE_MESSAGE] = "message",   [ARCHIVE_LINES] = "json-lines",
        [ARCHIVE_PACKED] = "compressed", [ARCHIVE_CONTAINER] = "archive", [ARCHIVE_SEEK_CONTAINER] = "zip-7z",
        [ARCHIVE_UNKNOWN] = "unknown",
    };
    return word[f];
}

static int no_memory(cs_error *e)
{
    return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
}

/* ---- the walk -------------------------------------------------------------------------------------------------------
 */

static bool is_source(enum archive_form f)
{
    return f == ARCHIVE_LINES || f == ARCHIVE_PACKED || f == ARCHIVE_CONTAINER || f == ARCHIVE_SEEK_CONTAINER;
}

/* Each file has the same chance, and the same archive always gives the same sample: its random numbers are a row that
 * begins anew with each plan. */
static int draw(struct archive_plan *p, const char *loc, enum archive_form form)
{
    uint64_t x = ++p->draws * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    uint64_t at = p->draws <= ARCHIVE_PLAN_ITEMS ? p->draws - 1 : (x ^ (x >> 31)) % p->draws;
    if (at >= ARCHIVE_PLAN_ITEMS) {
        return 0;
    }
    char *copy = strdup(loc);
    if (copy == NULL) {
        return -1;
    }
    free(p->drawn[at]);
    p->drawn[at] = copy;
    p->drawn_form[at] = form;
    return 0;
}

static int take_file(struct archive_plan *p, int fd, const struct stat *st, const char *loc)
{
    uint8_t head[512];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0) {
        p->unreadable++;
        return 0;
    }
    enum archive_form form = archive_sniff(head, (size_t)n);
    uint64_t octets = (uint64_t)st->st_size;
    p->form[form].files++;
    p->form[form].octets += octets;
    p->files++;
    p->octets += octets;
    if (is_source(form) && octets > p->largest_octets) {
        free(p->largest);
        p->largest = strdup(loc);
        p->largest_octets = octets;
        if (p->largest == NULL) {
            return -1;
        }
    }
    return form != ARCHIVE_EMPTY ? draw(p, loc, form) : 0;
}

int archive_plan_walk(struct archive_plan *p, const struct archive_order *order, cs_error *e)
{
    struct archive_walk *w = NULL;
    struct archive_item item = ARCHIVE_ITEM_INIT;
    struct stat st;
    int fd = -1;
    memset(p, 0, sizeof *p);
    int rc = archive_walk_new(&w, &order->path, order->directory, e);
    while (rc == 0 && archive_walk_next(w, &fd, &st, &item) == 1) {
        if (fd >= 0 && !S_ISREG(st.st_mode)) {
            rc = cs_error_set(e, CS_EXIT_USAGE, "usage", "%.300s is read once only: a plan needs files", item.loc);
        } else if (fd < 0) {
            p->unreadable++;
        } else if (take_file(p, fd, &st, item.loc) != 0) {
            rc = no_memory(e);
        }
        if (fd >= 0) {
            close(fd);
        }
        archive_item_clear(&item);
    }
    archive_item_clear(&item);
    archive_walk_free(w);
    return rc;
}

/* ---- the sample -----------------------------------------------------------------------------------------------------
 */

/* Names that look like instants. */
static const char *const time_patterns[ARCHIVE_PLAN_PATTERNS] = {
    "([0-9]{8}T[0-9]{6}Z)",
    "([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)",
};

struct sampling {
    struct archive_plan *plan;
    struct archive_bench bench;
    regex_t pattern[ARCHIVE_PLAN_PATTERNS]; /* owned: `compiled` of them */
    size_t compiled;
    uint64_t files, look; /* of each file so many items are looked at */
};

static void count_name(struct archive_plan_names *k, const char *name)
{
    size_t i = 0;
    while (i < k->used && strcmp(k->name[i], name) != 0) {
        i++;
    }
    if (i == ARCHIVE_PLAN_NAMES) {
        k->others++;
        return;
    }
    if (i == k->used) {
        (void)cs_copy(k->name[k->used++], sizeof k->name[0], name);
    }
    k->n[i]++;
}

static void note_record(struct sampling *s, const struct archive_record *r)
{
    struct archive_plan *p = s->plan;
    char entry[80] = "";
    if (r->v.has_certificate) {
        (void)snprintf(entry, sizeof entry, "%s#%u", r->v.certificate.alias, r->v.certificate.ordinal);
    }
    p->items++;
    count_name(&p->partner, r->partner);
    count_name(&p->entry, entry);
    p->source[r->v.time_source]++;
    p->facts[r->facts]++;
    for (size_t i = 0; i < s->compiled; i++) {
        p->named[i] += regexec(&s->pattern[i], r->loc, 0, NULL, 0) == 0 ? 1 : 0;
    }
}

/* A loc of the walk as an operand: what was escaped is as it was, and nothing means more than a name. @return owned */
static char *operand_of(const char *loc)
{
    bool special = loc[0] == '@' || strcmp(loc, "-") == 0;
    char *name = NULL;
    if (asprintf(&name, "%s%s", special ? "./" : "", loc) < 0) {
        return NULL;
    }
    char *out = name;
    for (const char *c = name; *c != '\0'; c++) {
        uint8_t octet = 0;
        const char digits[3] = {c[0] == '%' ? c[1] : '\0', c[0] == '%' && c[1] != '\0' ? c[2] : '\0', '\0'};
        if (*c == '%' && cs_unhex(digits, &octet, 1) == 0) {
            *out++ = (char)octet;
            c += 2;
        } else {
            *out++ = *c;
        }
    }
    *out = '\0';
    return name;
}

/* Some items of one file are looked at, more are counted where it is an archive. */
static int sample_file(struct sampling *s, size_t at, cs_error *e)
{
    struct archive_plan *p = s->plan;
    struct archive_order one = *s->bench.order;
    struct archive_item item = ARCHIVE_ITEM_INIT;
    struct archive_feed *feed = NULL;
    struct archive_plan_form *form = &p->form[p->drawn_form[at]];
    char *name = operand_of(p->drawn[at]);
    one.path = (struct archive_texts){&name, 1};
    one.shards = 0;
    int rc = name != NULL ? archive_feed_new(&feed, &one, NULL, 1, IN_MEMORY, e) : no_memory(e);
    uint64_t most = is_source(p->drawn_form[at]) ? DENSITY + MORE / s->files : 1;
    for (uint64_t i = 0; rc == 0 && i < most && archive_feed_next(feed, &item) == 1; i++) {
        form->seen++;
        if (i < s->look) {
            struct archive_record r;
            int64_t from = cs_clock_mono_us();
            archive_bench_judge(&s->bench, &item, &r);
            form->us += cs_clock_mono_us() - from;
            form->judged++;
            note_record(s, &r);
            archive_record_clear(&r);
        }
        archive_item_clear(&item);
    }
    form->read += rc == 0 ? archive_feed_octets(feed) : 0;
    archive_item_clear(&item);
    archive_feed_free(feed);
    free(name);
    return rc;
}

static void hint(struct archive_plan *p, const char *fmt, ...) CS_PRINTF(2, 3);
static void hint(struct archive_plan *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (p->n_hint < ARCHIVE_PLAN_HINTS) {
        (void)vsnprintf(p->hint[p->n_hint++], sizeof p->hint[0], fmt, ap);
    }
    va_end(ap);
}

static void find_hints(struct archive_plan *p)
{
    uint64_t none = p->facts[WSSEC_UNSUPPORTED_FORMAT];
    uint64_t unknown = p->facts[WSSEC_CERTIFICATE_UNKNOWN];
    if (p->source[WSSEC_TIME_NOW] * 2 > p->items) {
        size_t i = 0;
        while (i < ARCHIVE_PLAN_PATTERNS && p->named[i] * 10 < p->items * 9) {
            i++;
        }
        if (i < ARCHIVE_PLAN_PATTERNS) {
            hint(p, "no time of receipt is known, but names look like it: --received-from name:'%s'", time_patterns[i]);
        } else {
            hint(p, "no time of receipt is known: messages are judged as of now; see --received-from, --as-of and "
                    "--trust-claimed");
        }
    }
    if (none > 0) {
        hint(p, "%llu of %llu items of the sample are no messages", (unsigned long long)none,
             (unsigned long long)p->items);
    }
    if (unknown > 0) {
        hint(p,
             "%llu of %llu items of the sample are signed with certificates that are not stored; those of the past are "
             "added with keystore add --since TIME --until TIME",
             (unsigned long long)unknown, (unsigned long long)p->items);
    }
    if (p->facts[WSSEC_NO_DECRYPTION_KEY] > 0) {
        hint(p, "%llu of %llu items of the sample cannot be opened: their keys are not stored",
             (unsigned long long)p->facts[WSSEC_NO_DECRYPTION_KEY], (unsigned long long)p->items);
    }
}

int archive_plan_sample(struct archive_plan *p, const struct archive_order *order, const struct archive_court *court,
                        cs_error *e)
{
    struct archive_groups groups = {.n = 0};
    struct archive_times *times = NULL;
    struct sampling s = {.plan = p, .files = p->draws < ARCHIVE_PLAN_ITEMS ? p->draws : ARCHIVE_PLAN_ITEMS};
    s.look = s.files > 0 ? (ARCHIVE_PLAN_ITEMS + s.files - 1) / s.files : 0;
    int rc = archive_times_make(&times, order, e);
    while (rc == 0 && s.compiled < ARCHIVE_PLAN_PATTERNS &&
           regcomp(&s.pattern[s.compiled], time_patterns[s.compiled], REG_EXTENDED | REG_NOSUB) == 0) {
        s.compiled++;
    }
    if (rc == 0 && (s.compiled < ARCHIVE_PLAN_PATTERNS || archive_groups_make(&groups, court) != 0 ||
                    archive_bench_make(&s.bench, court, order, &groups, times) != 0)) {
        rc = no_memory(e);
    }
    for (size_t i = 0; rc == 0 && i < s.files; i++) {
        rc = sample_file(&s, i, e);
    }
    find_hints(p);
    while (s.compiled > 0) {
        regfree(&s.pattern[--s.compiled]);
    }
    archive_bench_free(&s.bench);
    archive_groups_free(&groups);
    archive_times_free(times);
    return rc;
}

/* ---- what to expect -------------------------------------------------------------------------------------------------
 */

static double items_of(const struct archive_plan_form *f, enum archive_form form)
{
    if (!is_source(form)) {
        return (double)f->files;
    }
    return f->read > 0 ? (double)f->seen * (double)f->octets / (double)f->read : 0;
}

uint64_t archive_plan_items(const struct archive_plan *p)
{
    double items = (double)p->unreadable;
    for (int i = 0; i <= ARCHIVE_UNKNOWN; i++) {
        items += items_of(&p->form[i], (enum archive_form)i);
    }
    return (uint64_t)(items + 0.5);
}

double archive_plan_seconds(const struct archive_plan *p)
{
    double us = 0;
    for (int i = 0; i <= ARCHIVE_UNKNOWN; i++) {
        const struct archive_plan_form *f = &p->form[i];
        us += f->judged > 0 ? items_of(f, (enum archive_form)i) * (double)f->us / (double)f->judged : 0;
    }
    return us / 1e6;
}

/* ---- as JSON --------------------------------------------------------------------------------------------------------
 */

static void write_names(cs_json *j, const char *key, const struct archive_plan_names *k)
{
    cs_json_object(j, key);
    for (size_t i = 0; i < k->used; i++) {
        cs_json_int(j, k->name[i][0] != '\0' ? k->name[i] : "none", (int64_t)k->n[i]);
    }
    if (k->others > 0) {
        cs_json_int(j, "others", (int64_t)k->others);
    }
    cs_json_object_end(j);
}

static void write_sample(cs_json *j, const struct archive_plan *p)
{
    cs_json_object(j, "sample");
    cs_json_int(j, "items", (int64_t)p->items);
    write_names(j, "partners", &p->partner);
    write_names(j, "entries", &p->entry);
    cs_json_object(j, "time_sources");
    for (int i = 0; i <= WSSEC_TIME_MTIME; i++) {
        if (p->source[i] > 0) {
            cs_json_int(j, wssec_time_source_word((enum wssec_time_source)i), (int64_t)p->source[i]);
        }
    }
    cs_json_object_end(j);
    cs_json_object(j, "facts");
    for (int i = 0; i < WSSEC_REASONS; i++) {
        if (p->facts[i] > 0) {
            cs_json_int(j, wssec_reason_code((enum wssec_reason)i), (int64_t)p->facts[i]);
        }
    }
    cs_json_object_end(j);
    cs_json_object_end(j);
}

void archive_plan_write(const struct archive_plan *p, const struct archive_order *order,
                        const struct archive_court *court, cs_buf *out)
{
    cs_json j;
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_time(&j, "made", court->now);
    cs_json_int(&j, "generation", (int64_t)ks_snapshot_generation(court->snapshot));
    cs_json_str(&j, "directory", order->directory);
    cs_json_array(&j, "path");
    for (size_t i = 0; i < order->path.n; i++) {
        cs_json_str(&j, NULL, order->path.text[i]);
    }
    cs_json_array_end(&j);
    cs_json_int(&j, "files", (int64_t)p->files);
    cs_json_int(&j, "octets", (int64_t)p->octets);
    cs_json_int(&j, "unreadable", (int64_t)p->unreadable);
    cs_json_int(&j, "items_expected", (int64_t)archive_plan_items(p));
    cs_json_int(&j, "cpu_seconds_expected", (int64_t)(archive_plan_seconds(p) + 0.5));
    cs_json_object(&j, "forms");
    for (int i = 0; i <= ARCHIVE_UNKNOWN; i++) {
        if (p->form[i].files > 0) {
            cs_json_object(&j, archive_form_word((enum archive_form)i));
            cs_json_int(&j, "files", (int64_t)p->form[i].files);
            cs_json_int(&j, "octets", (int64_t)p->form[i].octets);
            cs_json_object_end(&j);
        }
    }
    cs_json_object_end(&j);
    cs_json_object(&j, "largest_archive");
    cs_json_str(&j, "loc", p->largest);
    cs_json_int(&j, "octets", (int64_t)p->largest_octets);
    cs_json_object_end(&j);
    write_sample(&j, p);
    cs_json_array(&j, "hints");
    for (size_t i = 0; i < p->n_hint; i++) {
        cs_json_str(&j, NULL, p->hint[i]);
    }
    cs_json_array_end(&j);
    cs_json_object_end(&j);
    cs_buf_addc(out, '\n');
}
