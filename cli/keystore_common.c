/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_common.c: arguments of the keystore commands, the store opened as its owner, and who calls. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cli/keystore.h"
#include "keystore/addressee.h"
#include "keystore/audit.h"
#include "keystore/entry.h"

/* ---- arguments -------------------------------------------------------------------------------------------------- */

int cli_entry_read(struct cli_context *c, const char *text, bool slot_too, struct cli_entry *out)
{
    const char *mark = strchr(text, '#');
    size_t n = mark != NULL ? (size_t)(mark - text) : strlen(text);
    memset(out, 0, sizeof *out);
    if (n < sizeof out->alias) {
        memcpy(out->alias, text, n);
    }
    if (!ks_name_ok(out->alias)) {
        cli_usage(c, "\"%.80s\" names no entry; write it as acme-sign#2", text);
        return -1;
    }
    if (mark == NULL && slot_too) {
        return 0;
    }
    if (mark == NULL) {
        cli_usage(c, "which entry of %s? Write %s#N; \"countersign keystore show %s\" lists them", out->alias,
                  out->alias, out->alias);
        return -1;
    }
    const char *digits = mark + 1;
    size_t width = strspn(digits, "0123456789");
    if (width == 0 || width > 9 || digits[width] != '\0' || digits[0] == '0') {
        cli_usage(c, "\"%.80s\" names no entry; behind # stands its number, as in %s#2", text, out->alias);
        return -1;
    }
    out->n = (unsigned)strtoul(digits, NULL, 10);
    return 0;
}

int cli_file_read(struct cli_context *c, const char *path, cs_buf *out)
{
    bool from_stdin = strcmp(path, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;
    if (fd < 0) {
        return cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.512s cannot be read: %s", path,
                            strerror(errno));
    }
    /* reserved at once: a key must not be left behind in memory that a growing buffer gave back */
    if (cs_buf_reserve(out, KS_INPUT_MAX + 2) != 0) {
        cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
        goto out;
    }
    do {
        got = read(fd, out->data + out->len, KS_INPUT_MAX + 1 - out->len);
        out->len += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && out->len <= KS_INPUT_MAX) || (got < 0 && errno == EINTR));
    if (got < 0) {
        cs_error_set(&c->error, CS_EXIT_UNREADABLE, "input-unreadable", "%.512s cannot be read: %s", path,
                     strerror(errno));
    } else {
        out->data[out->len] = '\0';
    }
out:
    if (!from_stdin) {
        close(fd);
    }
    return got < 0 ? -1 : 0;
}

/* ---- store ------------------------------------------------------------------------------------------------------ */

/* Directory part of path into out; "." where there is none. */
static void directory_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (n == 0 || n >= size) {
        cs_copy(out, size, ".");
        return;
    }
    memcpy(out, path, n);
    out[n] = '\0';
}

int cli_become_owner(struct cli_context *c, const char *uri)
{
    static const char scheme[] = "sqlite:";
    struct stat st;
    char directory[4096];
    if (geteuid() != 0 || strncmp(uri, scheme, sizeof scheme - 1) != 0) {
        return 0;
    }
    const char *path = uri + sizeof scheme - 1;
    directory_of(path, directory, sizeof directory);
    if ((stat(path, &st) != 0 && stat(directory, &st) != 0) || st.st_uid == 0) {
        return 0; /* root's own, or nothing there: opening it tells what is wrong */
    }
    struct passwd entry;
    struct passwd *owner = NULL;
    char room[4096];
    gid_t gid =
        getpwuid_r(st.st_uid, &entry, room, sizeof room, &owner) == 0 && owner != NULL ? owner->pw_gid : st.st_gid;
    if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(st.st_uid, st.st_uid, st.st_uid) != 0) {
        return cs_error_set(&c->error, CS_EXIT_UNAVAILABLE, "store-owner",
                            "keystore %.512s belongs to uid %u, and working as that account failed: %s", path,
                            (unsigned)st.st_uid, strerror(errno));
    }
    return 0;
}

/* A window that is over "then" must not be opened in a store with traffic by saying that it is then. */
static int check_given_time(struct cli_context *c, ks_store *s)
{
    bool served = false;
    if (!c->now_given || cli_given(c, "dry-run")) {
        return 0;
    }
    if (ks_served(s, &served, &c->error) != 0) {
        return -1;
    }
    return !served ? 0
                   : cs_error_set(&c->error, CS_EXIT_USAGE, "time-given",
                                  "a gateway works with this keystore: with --now nothing is written to it; "
                                  "rehearse with --dry-run, or on a copy made for that");
}

/* A delivery promise to a partner moves the end of its entries' windows: what the file says goes into the store before
 * a change is judged, as a starting gateway does. */
static int tell_partners(struct cli_context *c, const struct cli_settings *settings, ks_store *s)
{
    for (size_t i = 0; i < settings->config.n_partner; i++) {
        const struct ks_partner_config *p = settings->config.partner[i];
        if (p->guaranteed_delivery != 0 && ks_set_partner(s, p->name, p->guaranteed_delivery, c->now, &c->error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* A file that names people is their list. While two persons are in force a change of it waits for one of them, and what
 * was asked for goes on under the list as it is. */
static int tell_persons(struct cli_context *c, const struct cli_settings *settings, ks_store *s)
{
    const struct ks_config *config = &settings->config;
    struct cli_caller caller;
    bool changed = false;
    if (config->n_approver == 0 && config->n_operator == 0) {
        return 0;
    }
    char *persons = ks_config_persons(config);
    cli_caller_find(c, &caller);
    int rc = persons != NULL ? ks_set_persons(s, persons, &caller.actor, c->now, &changed, &c->error)
                             : cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    free(persons);
    if (rc != 0 && c->error.exit_code == CS_EXIT_APPROVAL) {
        cli_warn(c, "the file names other operators or approvers than are in force: %s", c->error.text);
        cs_error_clear(&c->error);
        return 0;
    }
    return rc;
}

/* Likewise for who is told because of a role. */
static int tell_addressees(struct cli_context *c, const struct cli_settings *settings, ks_store *s)
{
    struct cli_caller caller;
    bool changed = false;
    char *list = ks_config_addressees(&settings->config);
    if (list != NULL && list[0] == '\0') {
        free(list);
        return 0;
    }
    cli_caller_find(c, &caller);
    int rc = list != NULL ? ks_set_addressees(s, list, &caller.actor, c->now, &changed, &c->error)
                          : cs_error_set(&c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    free(list);
    return rc;
}

int cli_keystore_open(struct cli_context *c, struct cli_settings **settings, ks_store **store)
{
    struct cli_settings *s = NULL;
    ks_options options;
    int64_t wait_ms = 0;
    *settings = NULL;
    *store = NULL;
    if (cli_settings_load(c, true, &s) != 0) {
        return -1;
    }
    options = s->keystore;
    options.time_given = c->now_given;
    if (cli_option_duration(c, "wait", &wait_ms)) {
        options.busy_ms = wait_ms < 1 ? 1 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
    }
    if (cli_become_owner(c, s->keystore_uri) != 0 || ks_open(store, s->keystore_uri, &options, &c->error) != 0 ||
        check_given_time(c, *store) != 0 ||
        (!cli_given(c, "dry-run") &&
         (tell_persons(c, s, *store) != 0 || tell_addressees(c, s, *store) != 0 || tell_partners(c, s, *store) != 0))) {
        ks_close(*store);
        *store = NULL;
        cli_settings_free(s);
        return -1;
    }
    *settings = s;
    c->settings = s;
    return 0;
}

/* ---- caller ----------------------------------------------------------------------------------------------------- */

/* The kernel's login uid of this process; -1: it has none (a service, a container). */
static long login_uid(void)
{
    char text[24] = "";
    int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return -1;
    }
    text[strspn(text, "0123456789")] = '\0';
    unsigned long uid = strtoul(text, NULL, 10);
    return text[0] == '\0' || uid >= UINT32_MAX ? -1 : (long)uid;
}

void cli_caller_find(const struct cli_context *c, struct cli_caller *out)
{
    long login = login_uid();
    uid_t uid = login >= 0 ? (uid_t)login : getuid();
    struct passwd entry;
    struct passwd *found = NULL;
    char room[4096];
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found != NULL) {
        cs_copy(out->name, sizeof out->name, found->pw_name);
    } else {
        snprintf(out->name, sizeof out->name, "uid:%u", (unsigned)uid);
    }
    out->actor.name = out->name;
    out->actor.kind = c->now_given ? "uid, time given" : "uid"; /* a rehearsal's rows must be told from real ones */
    out->actor.reason = cli_option(c, "reason");
}

void cli_warn_unknown_partner(struct cli_context *c, ks_store *s, const char *partner)
{
    ks_filter filter = {.with_destroyed = true};
    ks_list list = {NULL, 0};
    if (ks_list_entries(s, &filter, c->now, &list, NULL) != 0) {
        return; /* only the hint is lost; the query itself was answered */
    }
    const char **words = calloc(list.n + 1, sizeof *words);
    bool known = words == NULL;
    for (size_t i = 0; i < list.n && !known; i++) {
        words[i] = list.info[i].partner;
        known = strcmp(words[i], partner) == 0;
    }
    if (!known) {
        const char *near = cs_nearest(partner, words);
        cli_warn(c, "the keystore has no partner %.64s%s%s%s", partner, near != NULL ? "; did you mean " : "",
                 near != NULL ? near : "", near != NULL ? "?" : "");
    }
    free(words);
    ks_list_free(&list);
}
