/* SPDX-License-Identifier: Apache-2.0 */
/* policy_words.c: what each word of a policy does to it. A list of values replaces the default, `legacy` and `allow`
 * add. */
#include "wssec/policy_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define ARGS                                                                                                           \
    struct wssec_policy *p, const struct wssec_policy_word *row, int argc, const char *const argv[], char *err,        \
        size_t errsize

static int say(char *err, size_t errsize, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int say(char *err, size_t errsize, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err, errsize, fmt, ap);
    va_end(ap);
    return -1;
}

/* "WORD is not known; did you mean …" out of a NULL-terminated list. */
static int unknown(char *err, size_t errsize, const char *what, const char *given, const char *const words[])
{
    const char *near = cs_nearest(given, words);
    if (near != NULL) {
        return say(err, errsize, "%s %.64s is not known; did you mean %s?", what, given, near);
    }
    return say(err, errsize, "%s %.64s is not known", what, given);
}

struct choice {
    const char *word;
    unsigned value;
};

static int choose(const struct choice *list, size_t n, const char *what, const char *given, unsigned *value, char *err,
                  size_t errsize)
{
    const char *words[17] = {NULL};
    for (size_t i = 0; i < n && i < 16; i++) {
        words[i] = list[i].word;
        if (strcmp(list[i].word, given) == 0) {
            *value = list[i].value;
            return 0;
        }
    }
    return unknown(err, errsize, what, given, words);
}

#define CHOOSE(list, what, given, value)                                                                               \
    choose(list, sizeof(list) / sizeof((list)[0]), what, given, value, err, errsize)

static void *member(struct wssec_policy *p, const struct wssec_policy_word *row)
{
    return (char *)p + row->offset;
}

/* ---- setters ------------------------------------------------------------------------------------------------------
 */

static int set_parts(ARGS)
{
    (void)row;
    if (argc > WSSEC_MAX_PARTS) {
        return say(err, errsize, "at most %d parts", WSSEC_MAX_PARTS);
    }
    struct wssec_part part[WSSEC_MAX_PARTS];
    for (int i = 0; i < argc; i++) {
        if (wssec_part_parse(argv[i], &part[i], err, errsize) != 0) {
            return -1;
        }
        for (int k = 0; k < i; k++) {
            if (part[k].kind == part[i].kind && strcmp(part[k].ns, part[i].ns) == 0 &&
                strcmp(part[k].local, part[i].local) == 0) {
                return say(err, errsize, "part %s is named twice", part[i].name);
            }
        }
    }
    memcpy(p->required, part, sizeof part[0] * (size_t)argc);
    p->n_required = (unsigned)argc;
    return 0;
}

static int set_flag(ARGS)
{
    static const struct choice words[] = {{"yes", 1}, {"no", 0}, {"on", 1}, {"off", 0}};
    unsigned value = 0;
    (void)argc;
    if (CHOOSE(words, "value", argv[0], &value) != 0) {
        return -1;
    }
    *(bool *)member(p, row) = value != 0;
    if (row->offset == offsetof(struct wssec_policy, replay)) {
        p->replay_said = true;
    }
    return 0;
}

static int set_seconds(ARGS)
{
    int64_t ms = 0;
    (void)argc;
    if (cs_duration_parse(argv[0], &ms) != 0 || ms < 0 || ms % 1000 != 0) {
        return say(err, errsize, "%.64s is not a duration of whole seconds (as 300s, 5m, 12h)", argv[0]);
    }
    if (row->ceiling != 0 && (uint64_t)(ms / 1000) > row->ceiling) {
        return say(err, errsize, "%.64s is above the highest allowed value of %llu s", argv[0],
                   (unsigned long long)row->ceiling);
    }
    *(int64_t *)member(p, row) = ms / 1000;
    return 0;
}

/* Counts and sizes: both may be written with k, M, G. */
static int set_number(ARGS)
{
    uint64_t value = 0;
    (void)argc;
    if (cs_size_parse(argv[0], &value) != 0 || value == 0) {
        return say(err, errsize, "%.64s is not a positive number (as 30, 64k, 10M)", argv[0]);
    }
    if (row->ceiling != 0 && value > row->ceiling) {
        return say(err, errsize, "%.64s is above the highest allowed value of %llu", argv[0],
                   (unsigned long long)row->ceiling);
    }
    if (row->size == sizeof(uint32_t)) {
        *(uint32_t *)member(p, row) = (uint32_t)value;
    } else {
        *(uint64_t *)member(p, row) = value;
    }
    return 0;
}

/* Rows of alg.h that may be listed: those that need no dated exception. */
static int set_signatures(ARGS)
{
    uint32_t mask = 0;
    (void)row;
    for (int i = 0; i < argc; i++) {
        const struct wssec_signature_alg *a = wssec_signature_by_word(argv[i]);
        if (a == NULL) {
            const char *words[33] = {NULL};
            for (unsigned k = 0; k < 32 && wssec_signature_row(k) != NULL; k++) {
                words[k] = wssec_signature_row(k)->word;
            }
            return unknown(err, errsize, "signature algorithm", argv[i], words);
        }
        if (a->legacy != WSSEC_LEGACY_NONE) {
            return say(err, errsize, "%s needs a dated exception: legacy %s until DATE", a->word,
                       wssec_legacy_word(a->legacy));
        }
        mask |= 1u << a->index;
    }
    p->signature_mask = mask;
    return 0;
}

static int set_digests(ARGS)
{
    uint32_t mask = 0;
    (void)row;
    for (int i = 0; i < argc; i++) {
        const struct wssec_digest_alg *a = wssec_digest_by_word(argv[i]);
        if (a == NULL) {
            const char *words[33] = {NULL};
            for (unsigned k = 0; k < 32 && wssec_digest_row(k) != NULL; k++) {
                words[k] = wssec_digest_row(k)->word;
            }
            return unknown(err, errsize, "digest algorithm", argv[i], words);
        }
        if (a->legacy != WSSEC_LEGACY_NONE) {
            return say(err, errsize, "%s needs a dated exception: legacy %s until DATE", a->word,
                       wssec_legacy_word(a->legacy));
        }
        mask |= 1u << a->index;
    }
    p->digest_mask = mask;
    return 0;
}

static int set_canonicalization(ARGS)
{
    uint32_t mask = 0;
    (void)row;
    for (int i = 0; i < argc; i++) {
        const struct wssec_c14n_alg *a = wssec_c14n_by_word(argv[i]);
        if (a == NULL) {
            static const char *const words[] = {"exclusive", "inclusive", "inclusive-1.1", NULL};
            return unknown(err, errsize, "canonicalization", argv[i], words);
        }
        mask |= 1u << a->index;
    }
    p->c14n_mask = mask;
    return 0;
}

/* End of the exception: a day counts to its end, an instant is exact. @return 0, or -1 */
static int end_of(const char *text, int64_t *end)
{
    char day[40];
    cs_time t = 0;
    if (strlen(text) == 10) {
        (void)snprintf(day, sizeof day, "%.10sT00:00:00Z", text);
        if (cs_time_parse(day, &t) != 0) {
            return -1;
        }
        t += CS_DAY;
    } else if (cs_time_parse(text, &t) != 0) {
        return -1;
    }
    *end = t;
    return t > 0 ? 0 : -1;
}

static int set_legacy(ARGS)
{
    (void)row;
    (void)argc;
    enum wssec_legacy l = wssec_legacy_parse(argv[0]);
    if (l == WSSEC_LEGACY_NONE) {
        const char *words[WSSEC_LEGACIES + 1] = {NULL};
        for (unsigned i = 0; i < WSSEC_LEGACIES; i++) {
            words[i] = wssec_legacy_word((enum wssec_legacy)i);
        }
        return unknown(err, errsize, "legacy exception", argv[0], words);
    }
    if (strcmp(argv[1], "until") != 0 || end_of(argv[2], &p->legacy_end[l]) != 0) {
        return say(err, errsize, "an exception has an end: legacy %s until DATE (as 2027-06-30)", argv[0]);
    }
    return 0;
}

static int set_encodings(ARGS)
{
    static const struct choice words[] = {
        {"utf-8", WSSEC_ENC_UTF8}, {"utf-16", WSSEC_ENC_UTF16}, {"iso-8859-1", WSSEC_ENC_LATIN1}};
    unsigned mask = 0;
    (void)row;
    for (int i = 0; i < argc; i++) {
        unsigned bit = 0;
        if (CHOOSE(words, "encoding", argv[i], &bit) != 0) {
            return -1;
        }
        mask |= bit;
    }
    p->encodings = mask;
    return 0;
}

static int set_allow(ARGS)
{
    static const struct choice words[] = {{"unsigned-faults", WSSEC_ALLOW_UNSIGNED_FAULTS},
                                          {"missing-key-info", WSSEC_ALLOW_MISSING_KEY_INFO},
                                          {"unsigned-attachments", WSSEC_ALLOW_UNSIGNED_ATTACHMENTS}};
    (void)row;
    for (int i = 0; i < argc; i++) {
        unsigned bit = 0;
        if (CHOOSE(words, "permission", argv[i], &bit) != 0) {
            return -1;
        }
        p->allow |= bit;
    }
    return 0;
}

static int set_confirmation(ARGS)
{
    static const struct choice words[] = {{"require", 1}, {"accept", 0}};
    unsigned value = 0;
    (void)row;
    (void)argc;
    if (CHOOSE(words, "value", argv[0], &value) != 0) {
        return -1;
    }
    p->confirmation_required = value != 0;
    return 0;
}

static int set_bsp(ARGS)
{
    static const struct choice words[] = {
        {"off", WSSEC_BSP_OFF}, {"warn", WSSEC_BSP_WARN}, {"enforce", WSSEC_BSP_ENFORCE}};
    unsigned value = 0;
    (void)row;
    (void)argc;
    if (CHOOSE(words, "value", argv[0], &value) != 0) {
        return -1;
    }
    p->bsp = (enum wssec_bsp)value;
    return 0;
}

static int set_comments(ARGS)
{
    static const struct choice words[] = {{"refuse", 0}, {"allow", 1}};
    unsigned value = 0;
    (void)row;
    (void)argc;
    if (CHOOSE(words, "value", argv[0], &value) != 0) {
        return -1;
    }
    p->comments_allowed = value != 0;
    return 0;
}

static int set_engine(ARGS)
{
    static const struct choice words[] = {{"auto", WSSEC_POLICY_AUTO}, {"xmlsec", WSSEC_POLICY_XMLSEC}};
    unsigned value = 0;
    (void)row;
    (void)argc;
    if (CHOOSE(words, "engine", argv[0], &value) != 0) {
        return -1;
    }
    p->engine = (enum wssec_policy_engine)value;
    return 0;
}

static int set_cross_check(ARGS)
{
    char *end = NULL;
    (void)row;
    (void)argc;
    errno = 0;
    double share = strtod(argv[0], &end);
    if (errno != 0 || end == argv[0] || strcmp(end, "%") != 0 || !(share >= 0 && share <= 100)) {
        return say(err, errsize, "%.64s is not a share from 0%% to 100%%", argv[0]);
    }
    p->cross_check_ppm = (uint32_t)(share * 10000 + 0.5);
    return 0;
}

static int set_expired(ARGS)
{
    static const struct choice words[] = {
        {"at-signing", WSSEC_EXPIRED_AT_SIGNING}, {"refuse", WSSEC_EXPIRED_REFUSE}, {"grace", WSSEC_EXPIRED_GRACE}};
    unsigned value = 0;
    int64_t ms = 0;
    (void)row;
    if (CHOOSE(words, "rule", argv[0], &value) != 0) {
        return -1;
    }
    if ((value == WSSEC_EXPIRED_GRACE) != (argc == 2)) {
        return say(err, errsize, "grace, and only grace, has a duration: expired-certificate grace 24h");
    }
    if (argc == 2 && (cs_duration_parse(argv[1], &ms) != 0 || ms < 1000 || ms > 365 * CS_DAY * 1000)) {
        return say(err, errsize, "%.64s is not a duration from 1s to 365d", argv[1]);
    }
    p->expired = (enum wssec_expired)value;
    p->grace = ms / 1000;
    return 0;
}

/* ---- the table ----------------------------------------------------------------------------------------------------
 */

#define WORD(word, least, most, set)                                                                                   \
    {                                                                                                                  \
        word, least, most, set, 0, 0, 0                                                                                \
    }
#define MEMBER(word, set, field, ceiling)                                                                              \
    {                                                                                                                  \
        word, 1, 1, set, offsetof(struct wssec_policy, field), sizeof(((struct wssec_policy *)0)->field), ceiling      \
    }

static const struct wssec_policy_word words_table[] = {
    WORD("require-signed", 1, -1, set_parts),
    MEMBER("timestamp.required", set_flag, timestamp_required, 0),
    MEMBER("timestamp.ttl", set_seconds, ttl, 366 * 86400),
    MEMBER("timestamp.skew", set_seconds, skew, 86400),
    WORD("signature-algorithms", 1, -1, set_signatures),
    WORD("digest-algorithms", 1, -1, set_digests),
    WORD("canonicalization", 1, 3, set_canonicalization),
    WORD("legacy", 3, 3, set_legacy),
    MEMBER("minimum-rsa", set_number, minimum_rsa, 16384),
    MEMBER("replay", set_flag, replay, 0),
    WORD("signature-confirmation", 1, 1, set_confirmation),
    WORD("bsp", 1, 1, set_bsp),
    WORD("comments", 1, 1, set_comments),
    WORD("encodings", 1, 3, set_encodings),
    WORD("engine", 1, 1, set_engine),
    WORD("cross-check", 1, 1, set_cross_check),
    WORD("expired-certificate", 1, 2, set_expired),
    WORD("allow", 1, 3, set_allow),
    MEMBER("limits.body", set_number, limits.body, (uint64_t)2 << 30),
    MEMBER("limits.dom", set_number, limits.dom, (uint64_t)1 << 30),
    MEMBER("limits.text", set_number, limits.text, (uint64_t)1 << 30),
    MEMBER("limits.header", set_number, limits.header, (uint64_t)64 << 20),
    MEMBER("limits.start-tag", set_number, limits.start_tag, (uint64_t)10 << 20),
    MEMBER("limits.name", set_number, limits.name, 2000),
    MEMBER("limits.depth", set_number, limits.depth, 2048),
    MEMBER("limits.attributes", set_number, limits.attributes, 4096),
    MEMBER("limits.namespaces", set_number, limits.namespaces, 1024),
    MEMBER("limits.header-nodes", set_number, limits.header_nodes, 1000000),
    MEMBER("limits.ids", set_number, limits.ids, 10000000),
    MEMBER("limits.references", set_number, limits.references, WSSEC_MAX_REFERENCES),
    MEMBER("limits.transforms", set_number, limits.transforms, 5),
    MEMBER("limits.signatures", set_number, limits.signatures, 16),
    MEMBER("limits.encrypted", set_number, limits.encrypted, 64),
    MEMBER("limits.candidates", set_number, limits.candidates, WSSEC_MAX_CANDIDATES),
    MEMBER("limits.parts", set_number, limits.parts, 1000),
    MEMBER("limits.part-header", set_number, limits.part_header, (uint64_t)1 << 20),
};

const struct wssec_policy_word *wssec_policy_word_row(size_t index)
{
    return index < sizeof words_table / sizeof words_table[0] ? &words_table[index] : NULL;
}
