/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c: see capture.h. */
#include "base/capture.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define MAGIC "cs-capture-1 "

static const char *const kinds[CS_CAPTURE_KINDS] = {"begin", "message", "lost", "end"};

const char *cs_capture_kind_word(enum cs_capture_kind k)
{
    return (unsigned)k < CS_CAPTURE_KINDS ? kinds[k] : "?";
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A word never has a blank or an '=': it could end early, or begin another field. */
static const char *clean(const char *word, char out[CS_CAPTURE_WORD])
{
    size_t n = 0;
    for (; word[n] != '\0' && n < CS_CAPTURE_WORD - 1; n++) {
        out[n] = (word[n] > ' ' && word[n] < 0x7f && word[n] != '=') ? word[n] : '_';
    }
    if (n == 0) {
        out[n++] = '-';
    }
    out[n] = '\0';
    return out;
}

struct text {
    char *out;
    size_t n;
};

static void add(struct text *t, const char *key, const char *value)
{
    int n = snprintf(t->out + t->n, CS_CAPTURE_TEXT - t->n, " %s=%s", key, value);
    t->n += n > 0 && (size_t)n < CS_CAPTURE_TEXT - t->n ? (size_t)n : 0;
}

static void add_number(struct text *t, const char *key, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    add(t, key, digits);
}

static void add_word(struct text *t, const char *key, const char *value)
{
    char word[CS_CAPTURE_WORD];
    add(t, key, clean(value, word));
}

static void add_hash(struct text *t, const char *key, const uint8_t hash[32])
{
    char hex[65];
    add(t, key, cs_hex(hash, 32, hex));
}

size_t cs_capture_write(struct cs_capture_record *r, char out[CS_CAPTURE_TEXT])
{
    char at[CS_TIME_TEXT_MS];
    struct text t = {out, 0};
    t.n = (size_t)snprintf(out, CS_CAPTURE_TEXT, MAGIC "%s", kinds[r->kind]);
    cs_time_format_ms(r->at_ms, at);
    add_word(&t, "stream", r->stream);
    add_number(&t, "segment", r->segment);
    add_number(&t, "record", r->record);
    add(&t, "at", at);
    if (r->kind == CS_CAPTURE_MESSAGE) {
        add_word(&t, "exchange", r->exchange);
        add(&t, "direction", r->response ? "response" : "request");
        add_word(&t, "route", r->route);
        add_word(&t, "partner", r->partner);
        add_word(&t, "verdict", r->verdict);
        add_word(&t, "reason", r->reason);
        add_number(&t, "size", r->size);
        add_hash(&t, "sha256", r->sha256);
    } else if (r->kind != CS_CAPTURE_BEGIN) {
        add_number(&t, "count", r->count);
    }
    add_hash(&t, "prev", r->prev);
    SHA256((const uint8_t *)out, t.n, r->hash);
    add_hash(&t, "hash", r->hash);
    return t.n;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The value of the next field, which must be key; the cursor stands behind it. @return 0, -1 */
static int take(char **at, const char *key, char **value)
{
    size_t n = strlen(key);
    if (**at != ' ' || strncmp(*at + 1, key, n) != 0 || (*at)[1 + n] != '=') {
        return -1;
    }
    *value = *at + n + 2;
    *at = *value + strcspn(*value, " ");
    return 0;
}

static int take_word(char **at, const char *key, char out[CS_CAPTURE_WORD])
{
    char *value;
    if (take(at, key, &value) != 0 || *at == value || *at - value >= CS_CAPTURE_WORD) {
        return -1;
    }
    memcpy(out, value, (size_t)(*at - value));
    out[*at - value] = '\0';
    return 0;
}

static int take_number(char **at, const char *key, uint64_t *out)
{
    char word[CS_CAPTURE_WORD];
    char *end;
    if (take_word(at, key, word) != 0 || strlen(word) > 19 || strspn(word, "0123456789") != strlen(word)) {
        return -1;
    }
    *out = strtoull(word, &end, 10);
    return 0;
}

static int take_hash(char **at, const char *key, uint8_t out[32])
{
    char word[CS_CAPTURE_WORD];
    return take_word(at, key, word) == 0 && strlen(word) == 64 ? cs_unhex(word, out, 32) : -1;
}

static int take_instant(char **at, int64_t *ms)
{
    char word[CS_CAPTURE_WORD];
    cs_time seconds;
    if (take_word(at, "at", word) != 0 || strlen(word) != sizeof "2026-08-02T22:40:10.123Z" - 1 ||
        strspn(word + 20, "0123456789") != 3 || cs_time_parse(word, &seconds) != 0) {
        return -1;
    }
    *ms = seconds * 1000 + (word[20] - '0') * 100 + (word[21] - '0') * 10 + (word[22] - '0');
    return 0;
}

static int take_message(char **at, struct cs_capture_record *r)
{
    char direction[CS_CAPTURE_WORD];
    if (take_word(at, "exchange", r->exchange) != 0 || take_word(at, "direction", direction) != 0 ||
        take_word(at, "route", r->route) != 0 || take_word(at, "partner", r->partner) != 0 ||
        take_word(at, "verdict", r->verdict) != 0 || take_word(at, "reason", r->reason) != 0 ||
        take_number(at, "size", &r->size) != 0 || take_hash(at, "sha256", r->sha256) != 0) {
        return -1;
    }
    r->response = strcmp(direction, "response") == 0;
    return 0;
}

static int take_kind(char **at, enum cs_capture_kind *kind)
{
    for (size_t i = 0; i < CS_CAPTURE_KINDS; i++) {
        size_t n = strlen(kinds[i]);
        if (strncmp(*at, kinds[i], n) == 0 && (*at)[n] == ' ') {
            *at += n;
            *kind = (enum cs_capture_kind)i;
            return 0;
        }
    }
    return -1;
}

int cs_capture_read(const char *text, size_t n, struct cs_capture_record *out)
{
    char copy[CS_CAPTURE_TEXT];
    char again[CS_CAPTURE_TEXT];
    char *at = copy + sizeof MAGIC - 1;
    memset(out, 0, sizeof *out);
    if (n >= sizeof copy || n < sizeof MAGIC || memcmp(text, MAGIC, sizeof MAGIC - 1) != 0 ||
        memchr(text, '\0', n) != NULL) {
        return -1;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (take_kind(&at, &out->kind) != 0 || take_word(&at, "stream", out->stream) != 0 ||
        take_number(&at, "segment", &out->segment) != 0 || take_number(&at, "record", &out->record) != 0 ||
        take_instant(&at, &out->at_ms) != 0 || (out->kind == CS_CAPTURE_MESSAGE && take_message(&at, out) != 0) ||
        ((out->kind == CS_CAPTURE_LOST || out->kind == CS_CAPTURE_END) &&
         take_number(&at, "count", &out->count) != 0) ||
        take_hash(&at, "prev", out->prev) != 0) {
        return -1;
    }
    /* One form only: what reads differently from what it was written as was not written by us. */
    return cs_capture_write(out, again) == n && memcmp(again, text, n) == 0 ? 0 : -1;
}
