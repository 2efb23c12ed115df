/* SPDX-License-Identifier: Apache-2.0 */
/* template_set.c: the letters of a configuration: which locales there are, whose letters are of which. See template.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "keystore/template.h"

#define SUFFIX ".txt"

/* ---- statements ------------------------------------------------------------------------------------------------- */

static struct ks_templates *of_mail(ks_mail *m, const struct cs_conf_node *node, struct cs_conf_report *report)
{
    m->templates = m->templates != NULL ? m->templates : calloc(1, sizeof *m->templates);
    if (m->templates == NULL) {
        cs_conf_error(report, node, -1, "out of memory");
    }
    return m->templates;
}

void ks_set_mail_templates(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_templates *t = of_mail(parent, node, report);
    const char *path = node->arg[0].text;
    if (t != NULL && (!ks_line_ok(path, sizeof t->directory) || !cs_copy(t->directory, sizeof t->directory, path))) {
        cs_conf_error(report, node, 0, "\"%s\" is no path", path);
    }
}

/** The place of a locale, made where it is new. @return t->n: no memory */
static size_t locale_at(struct ks_templates *t, const char *name, const struct cs_conf_node *node)
{
    size_t i = 0;
    while (i < t->n && strcmp(t->locale[i].name, name) != 0) {
        i++;
    }
    if (i == t->n) {
        struct ks_locale *grown = reallocarray(t->locale, t->n + 1, sizeof *grown);
        if (grown == NULL) {
            return t->n;
        }
        t->locale = grown;
        t->locale[t->n] = (struct ks_locale){.node = node};
        cs_copy(t->locale[t->n++].name, KS_LOCALE, name);
    }
    return i;
}

static bool add_whom(struct ks_templates *t, const char *whom, size_t locale)
{
    struct ks_locale_of *grown = reallocarray(t->of, t->n_of + 1, sizeof *grown);
    if (grown != NULL) {
        t->of = grown;
        t->of[t->n_of++] = (struct ks_locale_of){whom, locale};
    }
    return grown != NULL;
}

static const char *locale_of(const struct ks_templates *t, const char *whom)
{
    for (size_t i = 0; i < t->n_of; i++) {
        if (strcmp(t->of[i].whom, whom) == 0) {
            return t->locale[t->of[i].locale].name;
        }
    }
    return NULL;
}

void ks_set_mail_locale(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_templates *t = of_mail(parent, node, report);
    const char *name = node->arg[0].text;
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    if (t == NULL) {
        return;
    }
    if (name[n] != '\0' || n == 0 || n >= KS_LOCALE) {
        cs_conf_error(report, node, 0, "\"%s\" is no locale as de or pt-BR", name);
        return;
    }
    size_t at = locale_at(t, name, node);
    for (int i = node->argc == 1 ? 0 : 1; at < t->n && i < node->argc; i++) {
        const char *whom = i == 0 ? "" : node->arg[i].text;
        const char *other = locale_of(t, whom);
        char probe[KS_MAIL + 1];
        snprintf(probe, sizeof probe, "%s%.254s", whom[0] == '@' ? "x" : "", whom);
        if (i > 0 && !ks_mail_ok(probe)) {
            cs_conf_error(report, node, i, "\"%s\" is neither an address nor the domain of one as @example.com", whom);
        } else if (other != NULL) {
            cs_conf_error(report, node, i, "%s gets letters of locale %s already", i > 0 ? whom : "everybody else",
                          other);
        } else if (!add_whom(t, whom, at)) {
            at = t->n;
        }
    }
    if (at == t->n) {
        cs_conf_error(report, node, -1, "out of memory");
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

/** The octets of a file, at most one more than a letter may have. @return owned, NULL: *why tells */
static char *slurp(int directory, const char *name, size_t *n, const char **why)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    char *text = fd >= 0 ? malloc(KS_TEMPLATE + 1) : NULL;
    ssize_t got = 1;
    *n = 0;
    *why = NULL;
    if (text == NULL) {
        *why = strerror(fd < 0 ? errno : ENOMEM);
    } else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *why = "is no file";
    }
    while (*why == NULL && got > 0 && *n <= KS_TEMPLATE) {
        got = read(fd, text + *n, KS_TEMPLATE + 1 - *n);
        *n += got > 0 ? (size_t)got : 0;
        *why = got < 0 ? strerror(errno) : NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (*why != NULL) {
        free(text);
        text = NULL;
    }
    return text;
}

static void no_such_kind(struct cs_conf_report *report, const char *path, const char *kind)
{
    const char *words[KS_NOTICES + 1] = {NULL};
    const struct cs_conf_node at = {.file = path, .line = 1, .column = 1};
    for (size_t i = 0; i < KS_NOTICES; i++) {
        words[i] = ks_notice_word((enum ks_notice)i);
    }
    const char *near = cs_nearest(kind, words);
    cs_conf_error(report, &at, -1, "no notice is of the kind %s%s%s%s; the kinds stand in docs/notices.md", kind,
                  near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? SUFFIX "?" : "");
}

/** One file of a locale. @return 0; -1: told */
static int read_file(struct ks_locale *l, const char *place, int directory, const char *file,
                     struct cs_conf_report *report)
{
    char path[1024 + KS_LOCALE + NAME_MAX + 2];
    char kind[NAME_MAX + 1];
    const char *why = NULL;
    size_t length = strlen(file);
    size_t n = 0;
    size_t k = 0;
    if (file[0] == '.' || length <= sizeof SUFFIX || strcmp(file + length - (sizeof SUFFIX - 1), SUFFIX) != 0) {
        return 0; /* a README, what an editor leaves behind */
    }
    snprintf(path, sizeof path, "%s/%s", place, file);
    snprintf(kind, sizeof kind, "%.*s", (int)(length - (sizeof SUFFIX - 1)), file);
    while (k < KS_NOTICES && strcmp(ks_notice_word((enum ks_notice)k), kind) != 0) {
        k++;
    }
    if (k == KS_NOTICES) {
        no_such_kind(report, path, kind);
        return -1;
    }
    char *text = slurp(directory, file, &n, &why);
    if (text == NULL) {
        cs_conf_error(report, &(const struct cs_conf_node){.file = path, .line = 1, .column = 1}, -1, "%s", why);
        return -1;
    }
    l->letter[k] = ks_template_read(path, (enum ks_notice)k, text, n, report);
    free(text);
    return l->letter[k] != NULL ? 0 : -1;
}

/** Kinds that the locale has no letter for go out in English, and that is said. */
static void tell_missing(const struct ks_locale *l, struct cs_conf_report *report)
{
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < KS_NOTICES && used < sizeof names; i++) {
        if (l->letter[i] == NULL) {
            int n = snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "",
                             ks_notice_word((enum ks_notice)i));
            used += n > 0 ? (size_t)n : 0;
        }
    }
    if (used > 0) {
        cs_conf_warn(report, l->node, 0, "locale %s has no letter (KIND" SUFFIX ") for: %s; those go out in English",
                     l->name, names);
    }
}

static int read_locale(struct ks_locale *l, const char *below, struct cs_conf_report *report)
{
    char place[1024 + KS_LOCALE + 1];
    bool built_in = strcmp(l->name, KS_BUILT_IN) == 0;
    snprintf(place, sizeof place, "%s/%s", below, l->name);
    int fd = below[0] != '\0' ? open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        const char *why = strerror(errno);
        if (fd >= 0) {
            close(fd);
        }
        if (built_in && (below[0] == '\0' || errno == ENOENT)) {
            return 0;
        }
        if (below[0] == '\0') {
            cs_conf_error(report, l->node, 0, "letters of locale %s stand in a directory: templates \"DIRECTORY\";",
                          l->name);
        } else {
            cs_conf_error(report, l->node, 0,
                          "locale %s is not known: %s: %s; make it, with a file KIND" SUFFIX " for each kind of notice "
                          "(samples: share/countersign/letters)",
                          l->name, place, why);
        }
        return -1;
    }
    int rc = 0;
    for (const struct dirent *d = readdir(directory); d != NULL; d = readdir(directory)) {
        rc |= read_file(l, place, fd, d->d_name, report);
    }
    closedir(directory);
    if (rc == 0 && !built_in) {
        tell_missing(l, report);
    }
    return rc;
}

int ks_templates_read(struct ks_mail *mail, struct cs_conf_report *report)
{
    struct ks_templates *t = mail->templates;
    int rc = 0;
    for (size_t i = 0; t != NULL && !t->read && i < t->n; i++) {
        rc |= read_locale(&t->locale[i], t->directory, report);
    }
    if (t != NULL) {
        t->read = true;
    }
    return rc;
}

/* ---- use -------------------------------------------------------------------------------------------------------- */

const struct ks_template *ks_template_for(const struct ks_mail *mail, const char *address, enum ks_notice kind)
{
    const struct ks_templates *t = mail->templates;
    const char *domain = strrchr(address, '@');
    const char *const best[] = {address, domain != NULL ? domain : "", ""}; /* the nearest that is said of it */
    for (size_t k = 0; t != NULL && k < sizeof best / sizeof best[0]; k++) {
        for (size_t i = 0; i < t->n_of; i++) {
            if (strcasecmp(t->of[i].whom, best[k]) == 0) {
                return t->locale[t->of[i].locale].letter[kind];
            }
        }
    }
    return NULL;
}

void ks_templates_free(struct ks_templates *t)
{
    for (size_t i = 0; t != NULL && i < t->n; i++) {
        for (size_t k = 0; k < KS_NOTICES; k++) {
            ks_template_free(t->locale[i].letter[k]);
        }
    }
    if (t != NULL) {
        free(t->locale);
        free(t->of);
        free(t);
    }
}
