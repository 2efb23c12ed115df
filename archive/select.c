/* SPDX-License-Identifier: Apache-2.0 */
/* select.c: the EXPR of archive export. */
#include <stdlib.h>
#include <string.h>

#include "archive/export_private.h"
#include "base/text.h"

static int refuse(cs_error *e, const char *word, const char *why)
{
    return cs_error_set(e, CS_EXIT_USAGE, "select", "--select %.100s: %s", word, why);
}

static int take_time(const char *text, cs_time *out, const char *word, cs_error *e)
{
    return cs_time_parse(text, out) == 0 ? 0 : refuse(e, word, "not an instant as 2026-08-02T22:40:10Z");
}

static int take_text(const char *text, char **out, cs_error *e)
{
    free(*out);
    *out = strdup(text);
    return *out != NULL ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for --select");
}

static int take_verdict(struct archive_select *s, const char *text, const char *word, cs_error *e)
{
    for (int i = 0; i <= WSSEC_ERROR; i++) {
        if (strcmp(wssec_result_word((enum wssec_result)i), text) == 0) {
            s->has_verdict = true;
            s->verdict = (enum wssec_result)i;
            return 0;
        }
    }
    return refuse(e, word, "pass, fail, indeterminate or error");
}

static int take_reason(struct archive_select *s, const char *text, const char *word, cs_error *e)
{
    for (int i = 0; i < WSSEC_REASONS; i++) {
        if (strcmp(wssec_reason_code((enum wssec_reason)i), text) == 0) {
            s->has_reason = true;
            s->reason = (enum wssec_reason)i;
            return 0;
        }
    }
    return refuse(e, word, "no such reason; docs/reasons.md lists them");
}

static int take(struct archive_select *s, const char *word, cs_error *e)
{
    const char *value = strchr(word, '=');
    size_t n = value != NULL ? (size_t)(value - word) : 0;
    if (value == NULL || value[1] == '\0') {
        return refuse(e, word, "write WORD=VALUE: verdict, reason, partner, entry, loc, from, to");
    }
    value++;
#define IS(name) (n == sizeof(name) - 1 && memcmp(word, name, n) == 0)
    return IS("verdict")   ? take_verdict(s, value, word, e)
           : IS("reason")  ? take_reason(s, value, word, e)
           : IS("partner") ? take_text(value, &s->partner, e)
           : IS("entry")   ? take_text(value, &s->entry, e)
           : IS("loc")     ? take_text(value, &s->loc, e)
           : IS("from")    ? take_time(value, &s->from, word, e)
           : IS("to")      ? take_time(value, &s->to, word, e)
                           : refuse(e, word, "not one of verdict, reason, partner, entry, loc, from, to");
#undef IS
}

int archive_select_parse(struct archive_select *s, const char *text, cs_error *e)
{
    char *copy = strdup(text);
    char *save = NULL;
    int rc = copy != NULL ? 0 : cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for --select");
    for (char *word = rc == 0 ? strtok_r(copy, ",", &save) : NULL; rc == 0 && word != NULL;
         word = strtok_r(NULL, ",", &save)) {
        rc = take(s, word, e);
    }
    free(copy);
    return rc;
}

bool archive_selected(const struct archive_select *s, const struct archive_record *r)
{
    char entry[80] = "";
    if (r->v.has_certificate) {
        archive_entry_text(&r->v.certificate, entry);
    }
    return (!s->has_verdict || r->v.verdict == s->verdict) && (!s->has_reason || r->v.reason == s->reason) &&
           (s->partner == NULL || strcmp(s->partner, r->partner) == 0) &&
           (s->entry == NULL || strcmp(s->entry, entry) == 0) && (s->loc == NULL || strstr(r->loc, s->loc) != NULL) &&
           (s->from == 0 || r->v.t >= s->from) && (s->to == 0 || r->v.t < s->to);
}

void archive_select_clear(struct archive_select *s)
{
    free(s->partner);
    free(s->entry);
    free(s->loc);
    memset(s, 0, sizeof *s);
}
