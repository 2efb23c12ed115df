/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: records to text and back. What is read back was written by this program, and is checked all the same. */
#include "archive/record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

void archive_record_write(const struct archive_record *r, cs_buf *out)
{
    cs_json j;
    char *members = wssec_verdict_json(&r->v);
    if (members == NULL || r->loc == NULL) {
        free(members);
        out->failed = true;
        return;
    }
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_int(&j, "seq", (int64_t)r->seq);
    cs_json_int(&j, "size", (int64_t)r->size);
    cs_json_str(&j, "loc", r->loc);
    cs_json_str(&j, "run", or_null(r->run));
    if (r->has_payload) {
        cs_json_hex(&j, "payload_sha256", r->payload_sha256, sizeof r->payload_sha256);
    } else {
        cs_json_null(&j, "payload_sha256");
    }
    cs_json_str(&j, "partner", or_null(r->partner));
    (void)cs_buf_addc(out, ',');
    (void)cs_buf_adds(out, members);
    cs_json_str(&j, "verdict_now", wssec_result_word(r->verdict_now));
    cs_json_str(&j, "reason_now", wssec_reason_code(r->reason_now));
    cs_json_str(&j, "facts", wssec_reason_code(r->facts));
    cs_json_str(&j, "state_at_t", r->has_state ? wssec_state_word(r->state_at_t) : NULL);
    cs_json_str(&j, "sub_indication", or_null(r->sub_indication));
    if (r->dup_of != 0) {
        cs_json_int(&j, "dup_of", (int64_t)r->dup_of);
    } else {
        cs_json_null(&j, "dup_of");
    }
    cs_json_int(&j, "us", r->us);
    cs_json_object_end(&j);
    (void)cs_buf_addc(out, '\n');
    free(members);
}

void archive_record_error(struct archive_record *r, enum wssec_reason reason)
{
    r->has_payload = false;
    r->v.verdict = r->verdict_now = WSSEC_ERROR;
    r->v.reason = r->facts = r->reason_now = reason;
    (void)cs_copy(r->sub_indication, sizeof r->sub_indication, wssec_reason_etsi(reason));
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* One object of a line; the first member that does not fit is told. */
struct source {
    json_t *object;
    cs_error *e;
    bool bad;
};

static void refuse(struct source *s, const char *member)
{
    s->bad = true;
    (void)cs_error_set(s->e, CS_EXIT_CONFIG, "journal-corrupt", "a record of the journal has no good member \"%s\"",
                       member);
}

/* @return NULL: null, or (needed) refused */
static const char *text_of(struct source *s, const char *member, bool needed)
{
    const json_t *value = json_object_get(s->object, member);
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (needed || !json_is_null(value)) {
        refuse(s, member);
    }
    return NULL;
}

static uint64_t number_of(struct source *s, const char *member, bool or_nothing)
{
    const json_t *value = json_object_get(s->object, member);
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        return (uint64_t)json_integer_value(value);
    }
    if (!or_nothing || !json_is_null(value)) {
        refuse(s, member);
    }
    return 0;
}

static int64_t time_of(struct source *s, const char *member)
{
    cs_time t = 0;
    const char *text = text_of(s, member, false);
    if (text != NULL && cs_time_parse(text, &t) != 0) {
        refuse(s, member);
    }
    return t;
}

static void copy_of(struct source *s, const char *member, char *out, size_t size, bool needed)
{
    const char *text = text_of(s, member, needed);
    if (text != NULL) {
        (void)cs_copy(out, size, text);
    }
}

static void hash_of(struct source *s, const char *member, uint8_t out[32])
{
    const char *text = text_of(s, member, true);
    if (text != NULL && (strlen(text) != 64 || cs_unhex(text, out, 32) != 0)) {
        refuse(s, member);
    }
}

/* Tables of words that the library gives for 0, 1 … */
enum words { WORDS_RESULT, WORDS_STATE, WORDS_REASON, WORDS_SOURCE, WORDS_KEYREF };

static const char *word_at(enum words w, int i)
{
    switch (w) {
    case WORDS_RESULT: return wssec_result_word((enum wssec_result)i);
    case WORDS_STATE: return wssec_state_word((enum wssec_state)i);
    case WORDS_REASON: return wssec_reason_code((enum wssec_reason)i);
    case WORDS_SOURCE: return wssec_time_source_word((enum wssec_time_source)i);
    case WORDS_KEYREF: return wssec_keyref_word((enum wssec_keyref)i);
    }
    return "";
}

static int word_of(struct source *s, const char *member, enum words w)
{
    static const int count[] = {[WORDS_RESULT] = WSSEC_ERROR + 1,
                                [WORDS_STATE] = WSSEC_DESTROYED + 1,
                                [WORDS_REASON] = WSSEC_REASONS,
                                [WORDS_SOURCE] = WSSEC_TIME_MTIME + 1,
                                [WORDS_KEYREF] = WSSEC_KEYREF_X509_DATA + 1};
    const char *text = text_of(s, member, true);
    for (int i = 0; text != NULL && i < count[w]; i++) {
        if (strcmp(word_at(w, i), text) == 0) {
            return i;
        }
    }
    refuse(s, member);
    return 0;
}

static void certificate_of(struct source *s, const json_t *value, struct wssec_certificate *c)
{
    struct source inner = {.object = (json_t *)value, .e = s->e};
    const char *entry = text_of(&inner, "entry", true);
    const char *mark = entry != NULL ? strrchr(entry, '#') : NULL;
    copy_of(&inner, "alias", c->alias, sizeof c->alias, true);
    if (mark == NULL) {
        refuse(&inner, "entry");
    } else {
        c->ordinal = (unsigned)strtoul(mark + 1, NULL, 10);
    }
    hash_of(&inner, "sha256", c->sha256);
    hash_of(&inner, "spki_sha256", c->spki_sha256);
    c->state = (enum wssec_state)word_of(&inner, "state", WORDS_STATE);
    c->not_after = time_of(&inner, "not_after");
    c->process_stop = time_of(&inner, "process_stop");
    s->bad |= inner.bad;
}

static void signature_of(struct source *s, struct wssec_verdict *v)
{
    const json_t *value = json_object_get(s->object, "signature");
    if (json_is_null(value)) {
        return;
    }
    struct source inner = {.object = (json_t *)value, .e = s->e};
    copy_of(&inner, "algorithm", v->algorithm, sizeof v->algorithm, false);
    copy_of(&inner, "canonicalization", v->canonicalization, sizeof v->canonicalization, false);
    v->key_reference = (enum wssec_keyref)word_of(&inner, "key_reference", WORDS_KEYREF);
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(value, "references"), i, item)
    {
        if (v->n_reference < WSSEC_MAX_REFERENCES) {
            struct wssec_reference_result *r = &v->reference[v->n_reference++];
            struct source one = {.object = (json_t *)item, .e = s->e};
            copy_of(&one, "uri", r->uri, sizeof r->uri, true);
            copy_of(&one, "digest", r->digest, sizeof r->digest, true);
            r->judged = json_is_boolean(json_object_get(item, "ok"));
            r->ok = json_is_true(json_object_get(item, "ok"));
            inner.bad |= one.bad;
        }
    }
    s->bad |= inner.bad;
}

/* An array of texts into rows of width octets. @return how many */
static unsigned texts_of(struct source *s, const char *member, char *out, unsigned rows, size_t width)
{
    size_t i = 0;
    unsigned n = 0;
    const json_t *item = NULL;
    const json_t *array = json_object_get(s->object, member);
    if (!json_is_array(array)) {
        refuse(s, member);
        return 0;
    }
    json_array_foreach(array, i, item)
    {
        if (n < rows && json_is_string(item)) {
            (void)cs_copy(out + width * n++, width, json_string_value(item));
        }
    }
    return n;
}

/* "acme-crypt#2" */
static void decrypted_of(struct source *s, struct wssec_verdict *v)
{
    const char *entry = text_of(s, "decrypted_with", false);
    const char *mark = entry != NULL ? strrchr(entry, '#') : NULL;
    if (mark != NULL && (size_t)(mark - entry) < sizeof v->decrypted_with.alias) {
        v->has_decrypted_with = true;
        memcpy(v->decrypted_with.alias, entry, (size_t)(mark - entry));
        v->decrypted_with.ordinal = (unsigned)strtoul(mark + 1, NULL, 10);
    }
}

static void verdict_of(struct source *s, struct wssec_verdict *v)
{
    v->verdict = (enum wssec_result)word_of(s, "verdict", WORDS_RESULT);
    v->reason = (enum wssec_reason)word_of(s, "reason", WORDS_REASON);
    copy_of(s, "detail", v->detail, sizeof v->detail, false);
    v->t = time_of(s, "t");
    v->time_source = (enum wssec_time_source)word_of(s, "time_source", WORDS_SOURCE);
    v->claimed = time_of(s, "claimed");
    const json_t *certificate = json_object_get(s->object, "certificate");
    v->has_certificate = json_is_object(certificate);
    if (v->has_certificate) {
        certificate_of(s, certificate, &v->certificate);
    }
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(s->object, "also_matches"), i, item)
    {
        if (v->n_also < WSSEC_MAX_CANDIDATES) {
            certificate_of(s, item, &v->also_matches[v->n_also++]);
        }
    }
    signature_of(s, v);
    v->n_covers = texts_of(s, "covers", v->covers[0], WSSEC_MAX_REFERENCES, sizeof v->covers[0]);
    v->n_notes = texts_of(s, "notes", v->notes[0], WSSEC_MAX_NOTES, sizeof v->notes[0]);
    decrypted_of(s, v);
    v->generation = number_of(s, "generation", false);
    copy_of(s, "policy", v->policy, sizeof v->policy, true);
}

int archive_record_read(struct archive_record *r, const char *line, size_t n, cs_error *e)
{
    memset(r, 0, sizeof *r);
    json_error_t why;
    struct source s = {.object = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why), .e = e};
    if (!json_is_object(s.object)) {
        json_decref(s.object);
        return cs_error_set(e, CS_EXIT_CONFIG, "journal-corrupt", "a line of the journal is no JSON object: %.100s",
                            why.text);
    }
    const char *loc = text_of(&s, "loc", true);
    if (number_of(&s, "v", false) != 1) {
        refuse(&s, "v");
    }
    r->loc = strdup(loc != NULL ? loc : "");
    r->seq = number_of(&s, "seq", false);
    r->size = number_of(&s, "size", false);
    copy_of(&s, "run", r->run, sizeof r->run, false);
    r->has_payload = json_is_string(json_object_get(s.object, "payload_sha256"));
    if (r->has_payload) {
        hash_of(&s, "payload_sha256", r->payload_sha256);
    }
    copy_of(&s, "partner", r->partner, sizeof r->partner, false);
    verdict_of(&s, &r->v);
    r->verdict_now = (enum wssec_result)word_of(&s, "verdict_now", WORDS_RESULT);
    r->reason_now = (enum wssec_reason)word_of(&s, "reason_now", WORDS_REASON);
    r->facts = (enum wssec_reason)word_of(&s, "facts", WORDS_REASON);
    r->has_state = json_is_string(json_object_get(s.object, "state_at_t"));
    if (r->has_state) {
        r->state_at_t = (enum wssec_state)word_of(&s, "state_at_t", WORDS_STATE);
    }
    copy_of(&s, "sub_indication", r->sub_indication, sizeof r->sub_indication, false);
    r->dup_of = number_of(&s, "dup_of", true);
    r->us = (int64_t)number_of(&s, "us", false);
    json_decref(s.object);
    if (r->loc == NULL) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    }
    return s.bad ? -1 : 0;
}

/* ---- the key alone ------------------------------------------------------------------------------------------------
 */

struct cursor {
    const char *p, *end;
};

static bool expect(struct cursor *c, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0) {
        return false;
    }
    c->p += n;
    return true;
}

static bool number(struct cursor *c, uint64_t *out)
{
    const char *from = c->p;
    for (*out = 0; c->p < c->end && *c->p >= '0' && *c->p <= '9' && *out < UINT64_MAX / 16; c->p++) {
        *out = *out * 10 + (uint64_t)(*c->p - '0');
    }
    return c->p > from;
}

/* A loc holds no control character, so its writer escapes quotation mark and backslash alone; U+2028 and the like are
 * escaped by number and stay as they are: only equality counts. */
static bool quoted(struct cursor *c, cs_buf *out)
{
    for (; c->p < c->end && *c->p != '"'; c->p++) {
        if (*c->p == '\\' && c->p + 1 < c->end && (c->p[1] == '"' || c->p[1] == '\\')) {
            c->p++;
        }
        (void)cs_buf_addc(out, *c->p);
    }
    return expect(c, "\"") && !out->failed;
}

int archive_record_key(const char *line, size_t n, uint64_t *seq, uint64_t *size, cs_buf *loc)
{
    struct cursor c = {line, line + n};
    cs_buf_reset(loc);
    return expect(&c, "{\"v\":1,\"seq\":") && number(&c, seq) && expect(&c, ",\"size\":") && number(&c, size) &&
                   expect(&c, ",\"loc\":\"") && quoted(&c, loc) && expect(&c, ",")
               ? 0
               : -1;
}

void archive_record_clear(struct archive_record *r)
{
    free(r->loc);
    r->loc = NULL;
}
