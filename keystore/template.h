/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h: notices in the words and the language of a house. A directory of each locale holds one file for a kind of
 * notice: an optional line "Subject: …", a blank line, the text; {{word}} stands for what the notice knows. What is
 * wrong in a file is told when the configuration is taken into use, not when somebody should have had a mail.
 */
#ifndef KS_TEMPLATE_H
#define KS_TEMPLATE_H

#include "base/buffer.h"
#include "base/config.h"
#include "keystore/config.h"
#include "keystore/notice.h"

#define KS_LOCALE   32              /* octets of its name, with its NUL */
#define KS_BUILT_IN "en"            /* the locale of which nothing needs to be written */
#define KS_TEMPLATE ((size_t)16384) /* octets of a file, at most */

/** What {{…}} stands for. */
enum ks_template_word {
    KS_SAY_NAME,
    KS_SAY_ENTRY,
    KS_SAY_ALIAS,
    KS_SAY_ABOUT,
    KS_SAY_DAYS,
    KS_SAY_TEXT,
    KS_SAY_SUBJECT,
    KS_SAY_ISSUER,
    KS_SAY_SERIAL,
    KS_SAY_NOT_BEFORE,
    KS_SAY_NOT_AFTER,
    KS_SAY_PROCESS_STOP,
    KS_SAY_SHA256,
    KS_SAY_PUBLIC_KEY,
    KS_SAY_ROLE,
    KS_SAY_STATE,
    KS_SAY_SYSTEM_TYPE,
    KS_SAY_SYSTEM_NAME,
    KS_SAY_BODY,
    KS_SAY_OPT_OUT,
    KS_SAY_OPT_OUT_LINK,
    KS_SAYS
};

struct ks_template_row {
    const char *word, *help;
    bool lines; /**< may be several lines, or none: not in a subject */
};
const struct ks_template_row *ks_template_rows(size_t *n);

/** A letter of one kind. */
struct ks_template {
    char *subject; /**< owned; NULL: that of the kind */
    char *body;    /**< owned; lines end with LF */
    uint32_t says; /**< set of 1 << ks_template_word in the body */
};

/** Read one file. What is wrong stands in report as name:line:column: message. @return owned, NULL: told, or no memory
 */
struct ks_template *ks_template_read(const char *name, enum ks_notice kind, const char *text, size_t n,
                                     struct cs_conf_report *report);
void ks_template_free(struct ks_template *t);

/** Write what a word stands for. @return 0; 1: there is nothing, the line with it is left out; -1 with e set */
typedef int ks_say(void *ctx, enum ks_template_word word, cs_buf *out, cs_error *e);
/** A subject or body with its words filled in; lines end with CRLF. */
int ks_template_fill(const char *text, ks_say *say, void *ctx, cs_buf *out, cs_error *e) CS_MUST_CHECK;

/* ---- of a configuration ----------------------------------------------------------------------------------------- */

/** Those of one locale. */
struct ks_locale {
    char name[KS_LOCALE];
    const struct cs_conf_node *node;
    struct ks_template *letter[KS_NOTICES]; /**< owned; NULL: the built-in one */
};

/** Whose letters are of which locale. */
struct ks_locale_of {
    const char *whom; /**< "anna@example.com", "@example.com"; "" everybody else; borrowed from the configuration */
    size_t locale;
};

struct ks_templates {
    char directory[1024]; /**< "": there is none */
    struct ks_locale *locale;
    size_t n;
    struct ks_locale_of *of;
    size_t n_of;
    bool read;
};

/** Read the files of every locale that the block mail names, once. @return 0; -1: told in the report */
int ks_templates_read(struct ks_mail *mail, struct cs_conf_report *report) CS_MUST_CHECK;
/** The letter of that kind to that address, NULL: the built-in one. Borrowed from the configuration. */
const struct ks_template *ks_template_for(const struct ks_mail *mail, const char *address, enum ks_notice kind);
void ks_templates_free(struct ks_templates *t);

/* setters of the rows in config.c */
void ks_set_mail_templates(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);
void ks_set_mail_locale(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report);

#endif
