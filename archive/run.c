/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: see run.h. Every member of an order is a row, so that none can be written and not read. */
#include "archive/run.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* ---- texts and orders ---------------------------------------------------------------------------------------------
 */

int archive_texts_add(struct archive_texts *t, const char *text)
{
    char **grown = reallocarray(t->text, t->n + 1, sizeof *grown);
    if (grown == NULL) {
        return -1;
    }
    t->text = grown;
    t->text[t->n] = strdup(text);
    return t->text[t->n] != NULL ? (t->n++, 0) : -1;
}

void archive_texts_free(struct archive_texts *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->text[i]);
    }
    free(t->text);
    *t = (struct archive_texts){NULL, 0};
}

enum kind { TEXT, TEXTS, FLAG, NUMBER, SMALL, TIME };

static const struct row {
    const char *member;
    enum kind kind;
    size_t at; /* in struct archive_order */
} rows[] = {
#define ROW(name, kind)                                                                                                \
    {                                                                                                                  \
#name, kind, offsetof(struct archive_order, name)                                                              \
    }
    ROW(path, TEXTS),
    ROW(directory, TEXT),
    ROW(partner, TEXT),
    ROW(policy, TEXT),
    ROW(as_of, TIME),
    ROW(received, TEXTS),
    ROW(received_format, TEXT),
    ROW(received_zone, TEXT),
    ROW(trust_claimed, FLAG),
    ROW(max_member, NUMBER),
    ROW(max_ratio, NUMBER),
    ROW(max_members, NUMBER),
    ROW(max_nesting, SMALL),
    ROW(item_ms, NUMBER),
    ROW(ndjson_field, TEXT),
    ROW(ndjson_text, FLAG),
    ROW(shard, SMALL),
    ROW(shards, SMALL),
    ROW(has_expect_count, FLAG),
    ROW(expect_count, NUMBER),
    ROW(expect_manifest, TEXT),
    ROW(chain, TEXT),
    ROW(bundle, TEXT),
    ROW(bundle_key, TEXT),
    ROW(timestamp_anchors, TEXTS),
#undef ROW
};
#define ROWS (sizeof rows / sizeof rows[0])

static void *at(const struct archive_order *o, const struct row *row)
{
    return (char *)o + row->at;
}

void archive_order_free(struct archive_order *o)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == TEXT) {
            char **text = at(o, &rows[i]);
            free(*text);
            *text = NULL;
        } else if (rows[i].kind == TEXTS) {
            archive_texts_free(at(o, &rows[i]));
        }
    }
}

void archive_run_clear(struct archive_run *r)
{
    archive_order_free(&r->order);
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static void write_row(cs_json *j, const struct archive_order *o, const struct row *row)
{
    const void *p = at(o, row);
    const struct archive_texts *texts = p;
    switch (row->kind) {
    case TEXT: cs_json_str(j, row->member, *(char *const *)p); break;
    case TEXTS:
        cs_json_array(j, row->member);
        for (size_t i = 0; i < texts->n; i++) {
            cs_json_str(j, NULL, texts->text[i]);
        }
        cs_json_array_end(j);
        break;
    case FLAG: cs_json_bool(j, row->member, *(const bool *)p); break;
    case NUMBER: cs_json_int(j, row->member, (int64_t) * (const uint64_t *)p); break;
    case SMALL: cs_json_int(j, row->member, *(const unsigned *)p); break;
    case TIME: cs_json_time(j, row->member, *(const cs_time *)p); break;
    }
}

void archive_run_write(const struct archive_run *r, cs_buf *out)
{
    cs_json j;
    cs_json_begin(&j, out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_str(&j, "run", r->id);
    cs_json_time(&j, "started", r->started);
    cs_json_str(&j, "version", r->version);
    cs_json_str(&j, "policy_sha256", r->policy_sha256[0] != '\0' ? r->policy_sha256 : NULL);
    cs_json_str(&j, "facts_sha256", r->facts_sha256[0] != '\0' ? r->facts_sha256 : NULL);
    cs_json_int(&j, "generation", (int64_t)r->generation);
    cs_json_str(&j, "keystore_sha256", r->keystore_sha256[0] != '\0' ? r->keystore_sha256 : NULL);
    cs_json_object(&j, "order");
    for (size_t i = 0; i < ROWS; i++) {
        write_row(&j, &r->order, &rows[i]);
    }
    cs_json_object_end(&j);
    cs_json_object_end(&j);
    (void)cs_buf_addc(out, '\n');
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static bool take_text(char **out, const json_t *value)
{
    if (json_is_string(value)) {
        free(*out);
        *out = strdup(json_string_value(value));
        return *out != NULL;
    }
    return value == NULL || json_is_null(value);
}

static bool take_texts(struct archive_texts *out, const json_t *value)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item) || archive_texts_add(out, json_string_value(item)) != 0) {
            return false;
        }
    }
    return json_is_array(value);
}

static bool take_time(cs_time *out, const json_t *value)
{
    *out = 0;
    return json_is_null(value) || (json_is_string(value) && cs_time_parse(json_string_value(value), out) == 0);
}

static bool take_row(struct archive_order *o, const struct row *row, const json_t *value)
{
    void *p = at(o, row);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    switch (row->kind) {
    case TEXT: return take_text(p, value);
    case TEXTS: return take_texts(p, value);
    case TIME: return take_time(p, value);
    case FLAG: *(bool *)p = json_is_true(value); return json_is_boolean(value);
    case NUMBER: *(uint64_t *)p = (uint64_t)number; return number >= 0;
    case SMALL: *(unsigned *)p = (unsigned)number; return number >= 0 && number <= UINT32_MAX;
    }
    return false;
}

static bool take_word(char *out, size_t size, const json_t *value)
{
    return json_is_null(value) || (json_is_string(value) && cs_copy(out, size, json_string_value(value)));
}

static const char *take(struct archive_run *r, const json_t *object)
{
    const json_t *generation = json_object_get(object, "generation");
    const json_t *order = json_object_get(object, "order");
    if (json_integer_value(json_object_get(object, "v")) != 1) {
        return "v";
    }
    if (!take_word(r->id, sizeof r->id, json_object_get(object, "run")) || r->id[0] == '\0') {
        return "run";
    }
    if (!take_time(&r->started, json_object_get(object, "started"))) {
        return "started";
    }
    if (!take_word(r->version, sizeof r->version, json_object_get(object, "version")) ||
        !take_word(r->policy_sha256, sizeof r->policy_sha256, json_object_get(object, "policy_sha256")) ||
        !take_word(r->keystore_sha256, sizeof r->keystore_sha256, json_object_get(object, "keystore_sha256"))) {
        return "version, policy_sha256 or keystore_sha256";
    }
    const json_t *facts = json_object_get(object, "facts_sha256");
    if (facts != NULL && !take_word(r->facts_sha256, sizeof r->facts_sha256, facts)) {
        return "facts_sha256";
    }
    if (!json_is_integer(generation) || json_integer_value(generation) < 0) {
        return "generation";
    }
    r->generation = (uint64_t)json_integer_value(generation);
    for (size_t i = 0; i < ROWS; i++) {
        if (!take_row(&r->order, &rows[i], json_object_get(order, rows[i].member))) {
            return rows[i].member;
        }
    }
    return NULL;
}

int archive_run_read(struct archive_run *r, const char *text, size_t n, cs_error *e)
{
    json_error_t why;
    *r = (struct archive_run){.order = ARCHIVE_ORDER_INIT};
    json_t *object = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    const char *bad = json_is_object(object) ? take(r, object) : "{}";
    json_decref(object);
    return bad == NULL ? 0
                       : cs_error_set(e, CS_EXIT_CONFIG, "journal-corrupt",
                                      "run.json is damaged or of another version, at \"%s\"", bad);
}

/* ---- ids ----------------------------------------------------------------------------------------------------------
 */

int archive_run_id(cs_time now, char out[ARCHIVE_RUN_ID])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford: sorts as its number does */
    uint8_t random[16];
    uint64_t ms = (uint64_t)(now > 0 ? now : 0) * 1000;
    if (RAND_bytes(random, sizeof random) != 1) {
        return -1;
    }
    for (int i = 9; i >= 0; i--, ms >>= 5) {
        out[i] = digits[ms & 31];
    }
    for (int i = 0; i < 16; i++) {
        out[10 + i] = digits[random[i] & 31];
    }
    out[ARCHIVE_RUN_ID - 1] = '\0';
    return 0;
}
