/* SPDX-License-Identifier: Apache-2.0 */
/* template.c: one letter: read, checked, filled in; see template.h. */
#include "keystore/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keystore/http.h"

#define SUBJECT "Subject:"

static const struct ks_template_row word_row[KS_SAYS] = {
    [KS_SAY_NAME] = {"name", "to whom the mail goes", false},
    [KS_SAY_ENTRY] = {"entry", "the certificate, as ack-client#1", false},
    [KS_SAY_ALIAS] = {"alias", "its alias", false},
    [KS_SAY_ABOUT] = {"about", "what it is about besides: a partner, a node, a roll-over, an exception", false},
    [KS_SAY_DAYS] = {"days", "days that are left until its end", false},
    [KS_SAY_TEXT] = {"text",
                     "the sentence of this very notice, in English; a line with it is left out where there is none",
                     false},
    [KS_SAY_SUBJECT] = {"subject", "subject of the certificate", false},
    [KS_SAY_ISSUER] = {"issuer", "its issuer", false},
    [KS_SAY_SERIAL] = {"serial", "its serial number", false},
    [KS_SAY_NOT_BEFORE] = {"not-before", "begin of its validity", false},
    [KS_SAY_NOT_AFTER] = {"not-after", "end of its validity", false},
    [KS_SAY_PROCESS_STOP] = {"process-stop", "end of its window after an exchange", false},
    [KS_SAY_SHA256] = {"sha256", "SHA-256 of the certificate", false},
    [KS_SAY_PUBLIC_KEY] = {"public-key", "SHA-256 of its public key", false},
    [KS_SAY_ROLE] = {"role", "its role", false},
    [KS_SAY_STATE] = {"state", "its state", false},
    [KS_SAY_SYSTEM_TYPE] = {"system.type", "type of the system that the alias stands for", false},
    [KS_SAY_SYSTEM_NAME] = {"system.name", "name of that system", false},
    [KS_SAY_BODY] = {"body", "step-due: the text of the step, with its link", true},
    [KS_SAY_OPT_OUT] = {"opt-out", "the command by which a subscriber gets no more of them; likewise", true},
    [KS_SAY_OPT_OUT_LINK] = {"opt-out.link", "a link that does the same; likewise", true},
};

const struct ks_template_row *ks_template_rows(size_t *n)
{
    *n = KS_SAYS;
    return word_row;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

/** What each kind must say, besides the sentence of the notice: who does not read that knows nothing. */
static uint32_t needed(enum ks_notice kind)
{
    static const uint32_t of[KS_NOTICES] = {
        [KS_NOTICE_EXPIRATION] = 1U << KS_SAY_ENTRY | 1U << KS_SAY_NOT_AFTER,
        [KS_NOTICE_EXPIRED] = 1U << KS_SAY_ENTRY,
        [KS_NOTICE_RENEWED] = 1U << KS_SAY_ENTRY | 1U << KS_SAY_SHA256,
        [KS_NOTICE_RENEWAL_FAILED] = 1U << KS_SAY_ENTRY | 1U << KS_SAY_NOT_AFTER,
        [KS_NOTICE_ACTIVATED] = 1U << KS_SAY_ENTRY | 1U << KS_SAY_SHA256,
        [KS_NOTICE_RETENTION_EXTENDED] = 1U << KS_SAY_ENTRY,
        [KS_NOTICE_PARTNER_SWITCHED] = 1U << KS_SAY_ABOUT,
        [KS_NOTICE_STEP_DUE] = 1U << KS_SAY_BODY,
        [KS_NOTICE_NODE_STALE] = 1U << KS_SAY_ABOUT,
        [KS_NOTICE_ENGINE_DISAGREEMENT] = 1U << KS_SAY_ABOUT,
        [KS_NOTICE_LEGACY_ENDS] = 1U << KS_SAY_ABOUT,
        [KS_NOTICE_SHARE_ENDED] = 1U << KS_SAY_ENTRY,
    };
    return of[kind] | 1U << KS_SAY_TEXT;
}

/** The next {{word}} from p on. @return where it begins, NULL: there is none; *n: octets of the word, *end behind it,
 *  NULL: it has no end in its line */
static const char *next_word(const char *p, size_t *n, const char **end)
{
    const char *open = strstr(p, "{{");
    if (open != NULL) {
        const char *close = strstr(open, "}}");
        *n = close != NULL ? (size_t)(close - open) - 2 : 0;
        *end = close != NULL && memchr(open, '\n', *n + 2) == NULL ? close + 2 : NULL;
    }
    return open;
}

static enum ks_template_word word_of(const char *word, size_t n)
{
    size_t i = 0;
    while (i < KS_SAYS && (strlen(word_row[i].word) != n || memcmp(word_row[i].word, word, n) != 0)) {
        i++;
    }
    return (enum ks_template_word)i;
}

int ks_template_fill(const char *text, ks_say *say, void *ctx, cs_buf *out, cs_error *e)
{
    size_t n = 0;
    size_t line = out->len; /* where the line that is written began */
    const char *end = NULL;
    cs_buf_adds(out, "");
    for (const char *p = text;; p = end) {
        const char *open = next_word(p, &n, &end);
        const char *stop = open != NULL ? open : p + strlen(p);
        for (; p < stop; p++) {
            cs_buf_adds(out, *p == '\n' ? "\r" : "");
            cs_buf_addc(out, *p);
            line = *p == '\n' ? out->len : line;
        }
        if (open == NULL) {
            break;
        }
        enum ks_template_word word = end != NULL ? word_of(open + 2, n) : KS_SAYS;
        int said = word != KS_SAYS
                       ? say(ctx, word, out, e)
                       : cs_error_set(e, CS_EXIT_INTERNAL, "internal", "a letter with a word that is not known");
        if (said < 0) {
            return -1;
        }
        if (said == 1 && !out->failed) { /* a line about what there is not goes */
            out->len = line;
            out->data[line] = '\0';
            end += strcspn(end, "\n");
            end += *end == '\n';
        }
    }
    return out->failed ? cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory") : 0;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reading {
    const char *name;
    struct cs_conf_report *report;
    bool good;
};

/** An error at an octet of text. */
static void wrong(struct reading *r, const char *text, const char *at, const char *what, const char *word)
{
    struct cs_conf_node node = {.file = r->name, .line = 1, .column = 1};
    for (const char *p = text; p < at; p++) {
        node.column = *p == '\n' ? 1 : node.column + 1;
        node.line += *p == '\n';
    }
    r->good = false;
    cs_conf_error(r->report, &node, -1, "%s%s", what, word);
}

static void unknown(struct reading *r, const char *text, const char *at, size_t n)
{
    const char *words[KS_SAYS + 1] = {NULL};
    char word[64];
    char what[192];
    for (size_t i = 0; i < KS_SAYS; i++) {
        words[i] = word_row[i].word;
    }
    snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at + 2);
    ks_printable(word);
    const char *near = cs_nearest(word, words);
    snprintf(what, sizeof what, "a letter knows nothing as {{%s}}%s%s%s", word, near != NULL ? "; did you mean {{" : "",
             near != NULL ? near : "", near != NULL ? "}}?" : "");
    wrong(r, text, at, what, "");
}

/** The words of a part of text, up to its end. @return the set of them */
static uint32_t take_words(struct reading *r, const char *text, const char *part, const char *stop, bool header)
{
    uint32_t set = 0;
    size_t n = 0;
    const char *end = NULL;
    for (const char *p = part; (p = next_word(p, &n, &end)) != NULL && p < stop; p = end != NULL ? end : p + 2) {
        enum ks_template_word word = end != NULL ? word_of(p + 2, n) : KS_SAYS;
        if (end == NULL || end > stop) {
            wrong(r, text, p, "\"{{\" has no \"}}\" behind one word", "");
        } else if (word == KS_SAYS) {
            unknown(r, text, p, n);
        } else if (header && word_row[word].lines) {
            wrong(r, text, p, "a subject is one line; it cannot hold ", word_row[word].word);
        } else {
            set |= 1U << word;
        }
    }
    return set;
}

/** Octets that a letter may hold: UTF-8 without control characters but tabs and ends of lines. */
static bool check_octets(struct reading *r, const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = cs_utf8_length((const uint8_t *)text + i, n - i);
        if (length == 0 || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            wrong(r, text, text + i, "a letter is UTF-8 without control characters", "");
            return false;
        }
        i += length;
    }
    return true;
}

/** A subject, if there is one: the first line, and a blank one behind it. @return where the body begins */
static const char *take_subject(struct reading *r, struct ks_template *t, const char *text)
{
    if (strncmp(text, SUBJECT, sizeof SUBJECT - 1) != 0) {
        return text;
    }
    const char *line = text + sizeof SUBJECT - 1;
    line += strspn(line, " \t");
    const char *end = line + strcspn(line, "\n");
    if (end == line) {
        wrong(r, text, line, "the subject is empty", "");
    } else if (end[0] == '\0' || end[1] != '\n') {
        wrong(r, text, end[0] == '\0' ? end : end + 1,
              "behind the subject stands a blank line: a letter has no other header", "");
    } else {
        take_words(r, text, line, end, true);
        t->subject = strndup(line, (size_t)(end - line));
        r->good = r->good && t->subject != NULL;
        return end + 2;
    }
    return end;
}

struct ks_template *ks_template_read(const char *name, enum ks_notice kind, const char *text, size_t n,
                                     struct cs_conf_report *report)
{
    struct reading r = {name, report, true};
    struct ks_template *t = calloc(1, sizeof *t);
    char *copy = malloc(n + 1);
    size_t used = 0;
    bool whole = n <= KS_TEMPLATE;
    for (size_t i = 0; copy != NULL && i < n; i++) { /* lines end with LF, whatever the editor wrote */
        if (text[i] != '\r' || i + 1 == n || text[i + 1] != '\n') {
            copy[used++] = text[i];
        }
    }
    if (t == NULL || copy == NULL) {
        r.good = false;
        goto out;
    }
    copy[used] = '\0';
    if (!whole) {
        wrong(&r, copy, copy, "a letter has at most 16384 octets", "");
    } else if (check_octets(&r, copy, used)) {
        const char *body = take_subject(&r, t, copy);
        t->says = take_words(&r, copy, body, copy + used, false);
        for (size_t i = 0; i < KS_SAYS && r.good; i++) {
            if ((needed(kind) & ~t->says & 1U << i) != 0) {
                char what[160];
                snprintf(what, sizeof what, "a letter about %s must say {{%s}}: ", ks_notice_word(kind),
                         word_row[i].word);
                wrong(&r, copy, copy + used, what, word_row[i].help);
            }
        }
        t->body = r.good ? strdup(body) : NULL;
        r.good = r.good && t->body != NULL;
    }
out:
    free(copy);
    if (!r.good) {
        ks_template_free(t);
        t = NULL;
    }
    return t;
}

void ks_template_free(struct ks_template *t)
{
    if (t != NULL) {
        free(t->subject);
        free(t->body);
        free(t);
    }
}
