/* SPDX-License-Identifier: Apache-2.0 */
/* users.c: see users.h. */
#include "keystore/users.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "keystore/notice.h"

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static struct ks_user *find(const struct ks_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_user; i++) {
        if (strcmp(c->user[i]->name, name) == 0) {
            return c->user[i];
        }
    }
    return NULL;
}

const struct ks_user *ks_config_user(const struct ks_config *c, const char *name)
{
    return find(c, name);
}

void ks_set_user(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct ks_config *c = parent;
    const char *name = node->arg[0].text;
    const struct ks_user *same = find(c, name);
    if (!ks_name_ok(name)) {
        cs_conf_error(
            report, node, 0,
            "\"%s\" is no name for a user here: letters, digits, . _ -, at most 64; as messages say it: name \"…\"",
            name);
        return;
    }
    if (same != NULL) {
        cs_conf_error(report, node, 0, "user \"%s\" stands already in %s:%d", name, same->node->file, same->node->line);
        return;
    }
    struct ks_user **grown = reallocarray(c->user, c->n_user + 1, sizeof(struct ks_user *));
    struct ks_user *u = calloc(1, sizeof *u);
    c->user = grown != NULL ? grown : c->user;
    if (grown == NULL || u == NULL) {
        free(u);
        cs_conf_error(report, node, -1, "out of memory");
        return;
    }
    cs_copy(u->name, sizeof u->name, name);
    cs_copy(u->said, sizeof u->said, name);
    u->node = node;
    c->user[c->n_user++] = u;
    *child = u;
}

void ks_set_user_name(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_user *u = parent;
    if (!ks_line_ok(node->arg[0].text, sizeof u->said) || !cs_copy(u->said, sizeof u->said, node->arg[0].text)) {
        cs_conf_error(report, node, 0, "a user name is one line of at most %zu octets, not empty", sizeof u->said - 1);
    }
}

void ks_set_user_password(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    struct ks_user *u = parent;
    if (strcmp(node->arg[0].text, "file") != 0) {
        cs_conf_error(report, node, 0, "a password stands in a file of its own: password file \"PATH\"");
    } else if (!ks_line_ok(node->arg[1].text, sizeof u->file) || !cs_copy(u->file, sizeof u->file, node->arg[1].text)) {
        cs_conf_error(report, node, 1, "\"%s\" is no path", node->arg[1].text);
    }
    u->file_node = node;
}

void ks_set_partner_users(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    (void)report;
    ((struct ks_partner_config *)parent)->users_node = node;
}

/* ---- passwords -------------------------------------------------------------------------------------------------- */

/* The first line of what fd leads to. @return NULL, or why not */
static const char *first_line(int fd, char out[KS_SECRET])
{
    struct stat st;
    size_t n = 0;
    ssize_t got = 1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return "is no file";
    }
    if ((st.st_mode & 077) != 0) {
        return "is open to others; close it with chmod 600";
    }
    while (n < KS_SECRET - 1 && got > 0 && memchr(out, '\n', n) == NULL) {
        got = read(fd, out + n, KS_SECRET - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    out[n] = '\0';
    if (got < 0) {
        return strerror(errno);
    }
    if (n == KS_SECRET - 1 && memchr(out, '\n', n) == NULL) {
        return "holds a line of more than 254 octets";
    }
    n = strcspn(out, "\r\n");
    OPENSSL_cleanse(out + n, KS_SECRET - n);
    return n == 0 ? "holds no password in its first line" : NULL;
}

static int read_password(struct ks_user *u, struct cs_conf_report *report)
{
    if (u->password[0] != '\0' || u->file[0] == '\0') {
        return 0; /* read before; or told of before, where the row was refused */
    }
    int fd = open(u->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *why = fd < 0 ? strerror(errno) : first_line(fd, u->password);
    if (why != NULL) {
        OPENSSL_cleanse(u->password, sizeof u->password);
        cs_conf_error(report, u->file_node, 1, "the password file %s: %s", u->file, why);
    }
    if (fd >= 0) {
        close(fd);
    }
    return why == NULL ? 0 : -1;
}

static int check_users(const struct ks_config *c, const struct ks_partner_config *p, struct cs_conf_report *report)
{
    int rc = 0;
    for (int i = 0; p->users_node != NULL && i < p->users_node->argc; i++) {
        const char *name = p->users_node->arg[i].text;
        const struct ks_user *u = find(c, name);
        if (u == NULL) {
            cs_conf_error(report, p->users_node, i,
                          "no user \"%s\" in this configuration; write: user %s { password file \"PATH\"; }", name,
                          name);
            rc = -1;
        }
        for (int k = 0; k < i && u != NULL; k++) {
            const struct ks_user *other = find(c, p->users_node->arg[k].text);
            if (other != NULL && strcmp(other->said, u->said) == 0) {
                cs_conf_error(report, p->users_node, i,
                              "messages say \"%s\" for the users %s and %s: only one of them can be meant", u->said,
                              other->name, u->name);
                rc = -1;
            }
        }
    }
    return rc;
}

int ks_users_read(struct ks_config *c, struct cs_conf_report *report)
{
    int rc = 0;
    for (size_t i = 0; i < c->n_user; i++) {
        rc |= read_password(c->user[i], report);
    }
    for (size_t i = 0; i < c->n_partner; i++) {
        rc |= check_users(c, c->partner[i], report);
    }
    return rc;
}

const struct ks_partner_config *ks_config_users(const struct ks_config *c, const char *partner)
{
    const struct ks_partner_config *p = partner != NULL ? ks_config_partner(c, partner) : NULL;
    return p != NULL && p->users_node != NULL ? p : NULL;
}

int ks_users_password(const struct ks_partner_config *p, const char *said, char out[KS_SECRET])
{
    int found = 0;
    for (int i = 0; i < p->users_node->argc; i++) { /* all of them: how long it takes does not tell who is there */
        const struct ks_user *u = find(p->config, p->users_node->arg[i].text);
        if (u != NULL && u->password[0] != '\0' && strcmp(u->said, said) == 0) {
            memcpy(out, u->password, KS_SECRET);
            found = 1;
        }
    }
    return found;
}

void ks_users_free(struct ks_config *c)
{
    for (size_t i = 0; i < c->n_user; i++) {
        OPENSSL_cleanse(c->user[i]->password, sizeof c->user[i]->password);
        free(c->user[i]);
    }
    free(c->user);
}
