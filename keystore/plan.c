/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c: the canonical text of a change. First line "cs-plan-1", then "verb WORD", "object NAME", then a line per
 * field: "asked NAME VALUE" or "found NAME VALUE". In a value a backslash stands before n (line feed) and before
 * itself; no other octet is changed, so two plans have the same text exactly when they are the same.
 */
#include "keystore/plan.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define HEAD "cs-plan-1\n"

static const char *const kind_word[] = {[KS_PLAN_ASKED] = "asked", [KS_PLAN_FOUND] = "found"};

void ks_plan_begin(struct ks_plan *p, const char *verb, const char *object)
{
    memset(p, 0, sizeof *p);
    p->failed = !cs_copy(p->verb, sizeof p->verb, verb) || !cs_copy(p->object, sizeof p->object, object);
}

void ks_plan_put(struct ks_plan *p, enum ks_plan_kind kind, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (p->n == KS_PLAN_FIELDS) {
        p->failed = true;
        return;
    }
    struct ks_plan_field *f = &p->field[p->n++];
    f->kind = kind;
    if (!cs_copy(f->name, sizeof f->name, name) || !cs_copy(f->value, sizeof f->value, value)) {
        p->failed = true;
    }
}

void ks_plan_put_number(struct ks_plan *p, enum ks_plan_kind kind, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    ks_plan_put(p, kind, name, text);
}

void ks_plan_put_time(struct ks_plan *p, enum ks_plan_kind kind, const char *name, cs_time t)
{
    char text[CS_TIME_TEXT];
    if (t != 0) {
        ks_plan_put(p, kind, name, cs_time_format(t, text));
    }
}

void ks_plan_put_hex(struct ks_plan *p, enum ks_plan_kind kind, const char *name, const uint8_t *octets, size_t n)
{
    char text[2 * 64 + 1];
    if (n > 64) {
        p->failed = true;
        return;
    }
    ks_plan_put(p, kind, name, cs_hex(octets, n, text));
}

void ks_plan_put_entry(struct ks_plan *p, const ks_info *info)
{
    char sha256[65];
    char text[KS_PLAN_VALUE];
    snprintf(text, sizeof text, "%s#%u %s %s version %llu", info->alias, info->n, ks_state_word(info->state),
             cs_hex(info->sha256, sizeof info->sha256, sha256), (unsigned long long)info->version);
    ks_plan_put(p, KS_PLAN_FOUND, "entry", text);
}

void ks_plan_put_steps(struct ks_plan *p, const char *alias, const struct ks_rule_plan *steps)
{
    char text[KS_PLAN_VALUE];
    for (size_t i = 0; i < steps->n; i++) {
        const struct ks_step *s = &steps->step[i];
        snprintf(text, sizeof text, "T%d%s %s#%u", (int)s->t, ks_way_word(s->way), alias, s->n);
        ks_plan_put(p, KS_PLAN_FOUND, "step", text);
    }
}

const char *ks_plan_get(const struct ks_plan *p, enum ks_plan_kind kind, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->field[i].kind == kind && strcmp(p->field[i].name, name) == 0) {
            return p->field[i].value;
        }
    }
    return NULL;
}

/* ---- text ------------------------------------------------------------------------------------------------------- */

struct out {
    char *at;
    size_t left;
    bool full;
};

static void add(struct out *o, char c)
{
    if (o->left < 2) {
        o->full = true;
        return;
    }
    *o->at++ = c;
    *o->at = '\0';
    o->left--;
}

static void adds(struct out *o, const char *s)
{
    for (; *s != '\0'; s++) {
        add(o, *s);
    }
}

static void add_value(struct out *o, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\n' || *s == '\\') {
            add(o, '\\');
        }
        add(o, *s == '\n' ? 'n' : *s);
    }
    add(o, '\n');
}

int ks_plan_write(const struct ks_plan *p, char *out, size_t size)
{
    struct out o = {out, size, size == 0};
    adds(&o, HEAD "verb ");
    add_value(&o, p->verb);
    adds(&o, "object ");
    add_value(&o, p->object);
    for (size_t i = 0; i < p->n; i++) {
        adds(&o, kind_word[p->field[i].kind]);
        add(&o, ' ');
        adds(&o, p->field[i].name);
        add(&o, ' ');
        add_value(&o, p->field[i].value);
    }
    return p->failed || o.full ? -1 : 0;
}

/** One line's word up to the blank (or its rest, unescaped, when last). @return behind it, or NULL */
static const char *take(const char *s, bool rest, char *out, size_t size)
{
    size_t n = 0;
    while (*s != '\0' && *s != '\n' && (rest || *s != ' ')) {
        char c = *s++;
        if (rest && c == '\\') {
            c = *s == 'n' ? '\n' : *s == '\\' ? '\\' : '\0';
            s++;
        }
        if (c == '\0' || n + 1 >= size) {
            return NULL;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return *s == (rest ? '\n' : ' ') ? s + 1 : NULL;
}

static const char *take_named(const char *s, const char *word, char *out, size_t size)
{
    size_t n = strlen(word);
    return strncmp(s, word, n) == 0 && s[n] == ' ' ? take(s + n + 1, true, out, size) : NULL;
}

int ks_plan_read(const char *text, struct ks_plan *p)
{
    memset(p, 0, sizeof *p);
    p->failed = true;
    const char *s = strncmp(text, HEAD, sizeof HEAD - 1) == 0 ? text + sizeof HEAD - 1 : NULL;
    s = s != NULL ? take_named(s, "verb", p->verb, sizeof p->verb) : NULL;
    s = s != NULL ? take_named(s, "object", p->object, sizeof p->object) : NULL;
    while (s != NULL && *s != '\0') {
        char kind[8];
        struct ks_plan_field *f = &p->field[p->n];
        if (p->n == KS_PLAN_FIELDS || (s = take(s, false, kind, sizeof kind)) == NULL ||
            (strcmp(kind, kind_word[KS_PLAN_ASKED]) != 0 && strcmp(kind, kind_word[KS_PLAN_FOUND]) != 0)) {
            return -1;
        }
        f->kind = strcmp(kind, kind_word[KS_PLAN_ASKED]) == 0 ? KS_PLAN_ASKED : KS_PLAN_FOUND;
        s = take(s, false, f->name, sizeof f->name);
        s = s != NULL ? take(s, true, f->value, sizeof f->value) : NULL;
        p->n += s != NULL;
    }
    p->failed = s == NULL;
    return p->failed ? -1 : 0;
}

int ks_plan_hash(const struct ks_plan *p, uint8_t out[32])
{
    char *text = malloc(KS_PLAN_TEXT);
    int rc = text != NULL && ks_plan_write(p, text, KS_PLAN_TEXT) == 0 ? 0 : -1;
    if (rc == 0) {
        SHA256((const uint8_t *)text, strlen(text), out);
    }
    free(text);
    return rc;
}
