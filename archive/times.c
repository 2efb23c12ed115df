/* SPDX-License-Identifier: Apache-2.0 */
/* times.c: see times.h. */
#include "archive/times.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum kind { BY_NAME, BY_HEADER, BY_FIELD, BY_INDEX, BY_MTIME };

/* One --received-from. */
struct spec {
    enum kind kind;
    char *word;      /* owned: name of the header or field */
    regex_t pattern; /* BY_NAME */
    struct row {
        const char *path; /* in text */
        cs_time t;
    } * row; /* owned: BY_INDEX, sorted by path */
    size_t n_row;
    char *text; /* owned: the index */
};

struct archive_times {
    cs_time as_of;
    struct spec *spec; /* owned */
    size_t n;
    char *format;   /* owned, NULL: RFC 3339 or its basic form */
    int64_t offset; /* of texts without zone, seconds east of UTC */
};

bool archive_time_certain(enum wssec_time_source s)
{
    return s == WSSEC_TIME_AS_OF || s == WSSEC_TIME_POE || s == WSSEC_TIME_RECEIVED;
}

/* ---- texts of instants
 * ----------------------------------------------------------------------------------------------- */

static bool digits(const char **p, int n, int *out)
{
    for (*out = 0; n > 0; n--, (*p)++) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static void pass(const char **p, const char *any)
{
    if (**p != '\0' && strchr(any, **p) != NULL) {
        (*p)++;
    }
}

/* "+02:00", "+0200", "Z"; *out in seconds east. */
static bool zone_of(const char *p, int64_t *out)
{
    int hours = 0;
    int minutes = 0;
    char sign = *p;
    if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0 || strcmp(p, "UTC") == 0) {
        *out = 0;
        return true;
    }
    if (sign != '+' && sign != '-') {
        return false;
    }
    p++;
    if (!digits(&p, 2, &hours)) {
        return false;
    }
    pass(&p, ":");
    if (!digits(&p, 2, &minutes) || *p != '\0' || hours > 14 || minutes > 59) {
        return false;
    }
    *out = (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool civil(int year, int month, int day, int hour, int minute, int second, cs_time *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1] + (month == 2 && leap) || hour > 23 ||
        minute > 59 || second > 60) {
        return false;
    }
    *out = cs_time_civil(year, month, day, hour, minute, second < 60 ? second : 59);
    return true;
}

/* RFC 3339 or its basic form, with or without zone: 20260802T224010Z, 2026-08-02 22:40:10.5+02:00, 20260802224010. */
static bool iso(const struct archive_times *t, const char *p, cs_time *out)
{
    int v[6];
    static const int width[] = {4, 2, 2, 2, 2, 2};
    static const char *const between[] = {"-", "-", "T t_", ":-", ":-", ""};
    for (int i = 0; i < 6; i++) {
        if (!digits(&p, width[i], &v[i])) {
            return false;
        }
        pass(&p, between[i]);
    }
    if (*p == '.' || *p == ',') {
        for (p++; *p >= '0' && *p <= '9'; p++) {
        }
    }
    int64_t offset = t->offset;
    if (!civil(v[0], v[1], v[2], v[3], v[4], v[5], out) || (*p != '\0' && !zone_of(p, &offset))) {
        return false;
    }
    *out -= offset;
    return true;
}

/* "Sun, 02 Aug 2026 22:40:10 GMT": the Date of HTTP */
static bool http_date(const char *p, cs_time *out)
{
    struct tm tm = {0};
    const char *end = strptime(p, "%a, %d %b %Y %H:%M:%S", &tm);
    return end != NULL && strcmp(end, " GMT") == 0 &&
           civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, out);
}

static bool instant(const struct archive_times *t, const char *text, cs_time *out)
{
    if (t->format == NULL) {
        return iso(t, text, out) || http_date(text, out);
    }
    struct tm tm = {.tm_mday = 1, .tm_gmtoff = 0};
    bool own_zone = strstr(t->format, "%z") != NULL;
    const char *end = strptime(text, t->format, &tm);
    if (end == NULL || *end != '\0') {
        return false;
    }
    if (strcmp(t->format, "%s") == 0) { /* seconds: strptime makes local time of them */
        char *stop = NULL;
        errno = 0;
        *out = strtoll(text, &stop, 10);
        return errno == 0 && *stop == '\0';
    }
    if (!civil(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, out)) {
        return false;
    }
    *out -= own_zone ? tm.tm_gmtoff : t->offset;
    return true;
}

/* ---- one item
 * --------------------------------------------------------------------------------------------------------- */

static bool by_name(const struct archive_times *t, const struct spec *s, const struct archive_item *item, cs_time *out)
{
    regmatch_t group[2];
    char text[64];
    if (regexec(&s->pattern, item->loc, 2, group, 0) != 0 || group[1].rm_so < 0) {
        return false;
    }
    size_t n = (size_t)(group[1].rm_eo - group[1].rm_so);
    if (n >= sizeof text) {
        return false;
    }
    memcpy(text, item->loc + group[1].rm_so, n);
    text[n] = '\0';
    return instant(t, text, out);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

static bool row_of(const struct spec *s, const char *path, cs_time *out)
{
    const struct row wanted = {.path = path};
    const struct row *found = s->n_row > 0 ? bsearch(&wanted, s->row, s->n_row, sizeof wanted, by_path) : NULL;
    if (found != NULL) {
        *out = found->t;
    }
    return found != NULL;
}

/* By its loc, else by its own name in the archive or directory. */
static bool by_index(const struct spec *s, const struct archive_item *item, cs_time *out)
{
    if (row_of(s, item->loc, out)) {
        return true;
    }
    const char *member = strrchr(item->loc, '!');
    char *name = strdup(member != NULL ? member + 1 : item->loc);
    char *number = name != NULL && member != NULL ? strrchr(name, '#') : NULL;
    if (number != NULL) {
        *number = '\0';
    }
    const char *slash = name != NULL ? strrchr(name, '/') : NULL;
    bool found = name != NULL && (row_of(s, name, out) || (slash != NULL && row_of(s, slash + 1, out)));
    free(name);
    return found;
}

static bool fits(const struct archive_times *t, const struct spec *s, const struct archive_item *item,
                 archive_header_of *header, void *ctx, cs_time *out)
{
    char value[256];
    const char *text = NULL;
    switch (s->kind) {
    case BY_NAME: return by_name(t, s, item, out);
    case BY_HEADER: text = header != NULL ? header(ctx, s->word, value, sizeof value) : NULL; break;
    case BY_FIELD: text = json_string_value(json_object_get(item->fields, s->word)); break;
    case BY_INDEX: return by_index(s, item, out);
    case BY_MTIME: *out = item->mtime; return item->mtime != 0;
    }
    return text != NULL && instant(t, text, out);
}

struct archive_instant archive_times_of(const struct archive_times *t, const struct archive_item *item,
                                        archive_header_of *header, void *ctx)
{
    struct archive_instant best = {0, WSSEC_TIME_NOW, false};
    if (t->as_of != 0) {
        return (struct archive_instant){t->as_of, WSSEC_TIME_AS_OF, false};
    }
    if (item->proven != 0) {
        return (struct archive_instant){item->proven, WSSEC_TIME_POE, false};
    }
    for (size_t i = 0; i < t->n; i++) {
        cs_time found = 0;
        if (!fits(t, &t->spec[i], item, header, ctx, &found)) {
            best.missed = true;
        } else if (t->spec[i].kind != BY_MTIME) {
            return (struct archive_instant){found, WSSEC_TIME_RECEIVED, best.missed};
        } else if (best.source == WSSEC_TIME_NOW) {
            best.t = found;
            best.source = WSSEC_TIME_MTIME;
        }
    }
    return item->captured != 0 ? (struct archive_instant){item->captured, WSSEC_TIME_RECEIVED, best.missed} : best;
}

/* ---- reading the order
 * ------------------------------------------------------------------------------------------------ */

static int refuse(cs_error *e, const char *spec, const char *why)
{
    return cs_error_set(e, CS_EXIT_USAGE, "usage", "--received-from %.200s: %.200s", spec, why);
}

static int read_file(const char *directory, const char *file, char **text, size_t *n)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", file[0] != '/' && directory != NULL ? directory : "",
                 file[0] != '/' && directory != NULL ? "/" : "", file) < 0) {
        return -1;
    }
    FILE *in = fopen(path, "re");
    ssize_t got = -1;
    *text = NULL;
    *n = 0;
    if (in != NULL) {
        got = getdelim(text, n, '\0', in); /* an index holds no NUL */
        got = got < 0 && feof(in) ? 0 : got;
        (void)fclose(in);
    }
    free(path);
    *n = got > 0 ? (size_t)got : 0;
    return got >= 0 ? 0 : -1;
}

/* Lines of path, time; a first line whose time is none is a heading. */
static int read_index(struct archive_times *t, struct spec *s, const char *directory, const char *spec, cs_error *e)
{
    size_t n = 0;
    size_t cap = 0;
    size_t number = 0;
    char *save = NULL;
    if (read_file(directory, s->word, &s->text, &n) != 0) {
        return refuse(e, spec, strerror(errno));
    }
    for (char *line = strtok_r(s->text, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char *mark = strchr(line, '\t');
        mark = mark != NULL ? mark : strrchr(line, ',');
        cs_time at = 0;
        number++;
        if (mark == NULL || !instant(t, mark + 1, &at)) {
            if (number == 1) {
                continue;
            }
            char why[128];
            (void)snprintf(why, sizeof why, "line %zu is not a path, a tab or comma, and a time", number);
            return refuse(e, spec, why);
        }
        *mark = '\0';
        if (s->n_row == cap) {
            cap = cap == 0 ? 256 : cap * 2;
            struct row *grown = reallocarray(s->row, cap, sizeof *grown);
            if (grown == NULL) {
                return refuse(e, spec, "out of memory");
            }
            s->row = grown;
        }
        s->row[s->n_row++] = (struct row){line, at};
    }
    if (s->n_row > 0) {
        qsort(s->row, s->n_row, sizeof *s->row, by_path);
    }
    return 0;
}

static int read_pattern(struct spec *s, const char *spec, cs_error *e)
{
    char why[128];
    int rc = regcomp(&s->pattern, s->word, REG_EXTENDED);
    if (rc != 0) {
        (void)regerror(rc, &s->pattern, why, sizeof why);
        free(s->word);
        s->word = NULL;
        return refuse(e, spec, why);
    }
    return s->pattern.re_nsub > 0 ? 0
                                  : refuse(e, spec, "the expression needs a group, as in name:([0-9]{8}T[0-9]{6}Z)");
}

static int read_spec(struct archive_times *t, struct spec *s, const char *spec, const char *directory, cs_error *e)
{
    static const struct {
        const char *word;
        enum kind kind;
    } kinds[] = {
        {"name:", BY_NAME}, {"header:", BY_HEADER}, {"field:", BY_FIELD}, {"index:", BY_INDEX}, {"mtime", BY_MTIME}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t n = strlen(kinds[i].word);
        if (strncmp(spec, kinds[i].word, n) != 0) {
            continue;
        }
        s->kind = kinds[i].kind;
        s->word = strdup(spec + n);
        if (s->word == NULL) {
            return refuse(e, spec, "out of memory");
        }
        if ((s->kind == BY_MTIME) != (spec[n] == '\0')) {
            break;
        }
        return s->kind == BY_NAME    ? read_pattern(s, spec, e)
               : s->kind == BY_INDEX ? read_index(t, s, directory, spec, e)
                                     : 0;
    }
    return refuse(e, spec, "neither name:REGEX, header:NAME, field:NAME, index:FILE nor mtime");
}

int archive_times_make(struct archive_times **out, const struct archive_order *o, cs_error *e)
{
    struct archive_times *t = calloc(1, sizeof *t);
    *out = t;
    if (t != NULL) {
        t->as_of = o->as_of;
        t->spec = calloc(o->received.n + 1, sizeof *t->spec);
        t->format = o->received_format != NULL ? strdup(o->received_format) : NULL;
    }
    if (t == NULL || t->spec == NULL || (o->received_format != NULL && t->format == NULL)) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    if (o->received_zone != NULL && !zone_of(o->received_zone, &t->offset)) {
        return cs_error_set(e, CS_EXIT_USAGE, "usage", "--received-zone %.64s: neither UTC nor an offset as +02:00",
                            o->received_zone);
    }
    for (size_t i = 0; i < o->received.n; i++) {
        t->n++;
        if (read_spec(t, &t->spec[i], o->received.text[i], o->directory, e) != 0) {
            return -1;
        }
    }
    return 0;
}

void archive_times_free(struct archive_times *t)
{
    for (size_t i = 0; t != NULL && t->spec != NULL && i < t->n; i++) {
        struct spec *s = &t->spec[i];
        if (s->kind == BY_NAME && s->word != NULL) {
            regfree(&s->pattern);
        }
        free(s->word);
        free(s->row);
        free(s->text);
    }
    if (t != NULL) {
        free(t->spec);
        free(t->format);
        free(t);
    }
}
