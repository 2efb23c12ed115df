/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c: see sandbox.h. What each process may reach; sandbox_files.c and sandbox_calls.c enforce it. */
#include "gateway/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "keystore/template.h"

/* ---- paths ------------------------------------------------------------------------------------------------------- */

void sandbox_let(struct sandbox_paths *p, const char *path, enum sandbox_reach reach)
{
    char *real = realpath(path, NULL);
    if (real == NULL) {
        p->failed |= errno == ENOMEM;
        return;
    }
    struct sandbox_path *more = reallocarray(p->item, p->n + 1, sizeof *more);
    if (more == NULL) {
        p->failed = true;
        free(real);
        return;
    }
    p->item = more;
    more[p->n++] = (struct sandbox_path){real, reach};
}

/* The directory of file into out; "." where there is none. @return 0, -1: too long */
static int directory_of(const char *file, char out[PATH_MAX])
{
    const char *slash = strrchr(file, '/');
    size_t n = slash == NULL ? 0 : slash == file ? 1 : (size_t)(slash - file);
    if (n >= PATH_MAX) {
        return -1;
    }
    memcpy(out, n > 0 ? file : ".", n > 0 ? n : 1);
    out[n > 0 ? n : 1] = '\0';
    return 0;
}

/* Let the process reach the directory that a file stands in, so that the file may be replaced. */
static void let_around(struct sandbox_paths *p, const char *file, enum sandbox_reach reach)
{
    char directory[PATH_MAX];
    struct stat st;
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISSOCK(st.st_mode)) {
        sandbox_let(p, file, SANDBOX_DEVICE); /* a device's directory is no place of ours */
        return;
    }
    if (directory_of(file, directory) == 0) {
        sandbox_let(p, directory, reach);
    }
    /* Where a name leads to another place, both are meant. */
    char *real = realpath(file, NULL);
    if (real != NULL && directory_of(real, directory) == 0) {
        sandbox_let(p, directory, reach);
    }
    free(real);
}

void sandbox_paths_free(struct sandbox_paths *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->item[i].path);
    }
    free(p->item);
    *p = (struct sandbox_paths){0};
}

static bool below(const char *path, const char *directory)
{
    size_t n = strlen(directory);
    return strncmp(path, directory, n) == 0 && (path[n] == '\0' || path[n] == '/' || directory[n - 1] == '/');
}

bool sandbox_allows(const struct sandbox *s, const char *path, enum sandbox_reach reach)
{
    char directory[PATH_MAX];
    if (s->landlock == 0) {
        return true;
    }
    char *real = realpath(path, NULL);
    if (real == NULL && directory_of(path, directory) == 0) {
        real = realpath(directory, NULL); /* a file that is to be made */
    }
    bool allowed = real == NULL; /* no such directory: that is the better sentence */
    for (size_t i = 0; !allowed && i < s->paths.n; i++) {
        const struct sandbox_path *p = &s->paths.item[i];
        bool same = strcmp(real, p->path) == 0;
        allowed = (p->reach >= reach || (same && p->reach == SANDBOX_DEVICE)) && below(real, p->path);
    }
    free(real);
    return allowed;
}

/* Where the report of a sanitizer goes, and the program that it names lines of. */
static void let_reports(struct sandbox_paths *p)
{
    static const char word[] = "log_path=";
    const char *options = getenv("ASAN_OPTIONS");
    const char *log = options != NULL ? strstr(options, word) : NULL;
    char path[PATH_MAX];
    if (log != NULL) {
        log += sizeof word - 1;
        snprintf(path, sizeof path, "%.*s", (int)strcspn(log, ":"), log);
        let_around(p, path, SANDBOX_WRITE);
    }
    sandbox_let(p, "/proc/self/exe", SANDBOX_READ);
}

/* What every process of ours reads: names, libraries, time zones, what the kernel tells; see nsswitch.conf(5). */
static void let_system(struct sandbox_paths *p)
{
    static const char *const readable[] = {"/etc",
                                           "/usr",
                                           "/lib",
                                           "/lib32",
                                           "/lib64",
                                           "/proc",
                                           "/sys/devices/system/cpu",
                                           "/run/systemd/resolve",
                                           "/run/NetworkManager",
                                           "/run/resolvconf",
                                           "/run/nscd",
                                           "/var/lib/p11-kit"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"};
    for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++) {
        sandbox_let(p, readable[i], SANDBOX_READ);
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        sandbox_let(p, devices[i], SANDBOX_DEVICE);
    }
    if (SANDBOX_SANITIZED) {
        let_reports(p);
    }
}

/* A keystore, and what opens its keys. SQLite makes files beside its own, also for a reader. */
static void let_keystore(struct sandbox_paths *p, const char *uri, const ks_options *options)
{
    static const char scheme[] = "sqlite:";
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (strncmp(uri, scheme, sizeof scheme - 1) == 0) {
        let_around(p, uri + sizeof scheme - 1, SANDBOX_WRITE);
    }
    for (size_t i = 0; i < options->n_kek; i++) {
        if (options->kek[i].kind == KS_KEK_FILE || options->kek[i].kind == KS_KEK_PASSPHRASE) {
            let_around(p, options->kek[i].where, SANDBOX_READ);
        }
    }
    if (credentials != NULL) {
        sandbox_let(p, credentials, SANDBOX_READ);
    }
}

static void let_words(struct sandbox_paths *p, const struct gw_words *w, enum sandbox_reach reach)
{
    for (size_t i = 0; i < w->n; i++) {
        sandbox_let(p, w->word[i], reach);
    }
}

static void let_issuers(struct sandbox_paths *p, const ks_issuers *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->issuer[i]->password_file[0] != '\0') {
            let_around(p, all->issuer[i]->password_file, SANDBOX_READ);
        }
        if (all->issuer[i]->ca_file[0] != '\0') {
            let_around(p, all->issuer[i]->ca_file, SANDBOX_READ);
        }
    }
}

/* What notices need on their ways. */
static void let_ways(struct sandbox_paths *p, const ks_mail *ways)
{
    if (ways == NULL) {
        return;
    }
    const char *const file[] = {ways->password_file, ways->ca_file, ways->hook.secret_file, ways->hook.ca_file};
    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++) {
        if (file[i][0] != '\0') {
            let_around(p, file[i], SANDBOX_READ);
        }
    }
    if (ways->templates != NULL && ways->templates->directory[0] != '\0') {
        sandbox_let(p, ways->templates->directory, SANDBOX_READ); /* read anew by a reload */
    }
}

static void let_file(void *ctx, const char *file)
{
    let_around(ctx, file, SANDBOX_READ);
}

/* ---- confinement ------------------------------------------------------------------------------------------------- */

static void tell_degraded(const char *part, const char *why)
{
    cs_log(CS_LOG_WARN, "sandbox-degraded", "a part of the sandbox is not to be had here; the rest is in force",
           CS_STR("part", part), CS_STR("why", why));
}

int sandbox_confine(struct sandbox *s, const struct sandbox_rules *rules, cs_error *e)
{
    const char *why = NULL;
    if (s->paths.failed) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the sandbox");
    }
    int version = sandbox_files(&s->paths, rules, &why, e);
    if (version < 0) {
        return -1;
    }
    if (version == 0) {
        tell_degraded("landlock", why);
    }
    /* No core file with keys in it, and nobody of our account looks inside. */
    if (!SANDBOX_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        tell_degraded("dumpable", strerrordesc_np(errno));
    }
    int calls = sandbox_calls(rules, &why, e);
    if (calls < 0) {
        return -1;
    }
    if (calls == 0) {
        tell_degraded("seccomp", why);
    }
    s->landlock = version;
    s->seccomp = calls > 0;
    return 0;
}

/* ---- account ----------------------------------------------------------------------------------------------------- */

/* A directory that the account will need and could not make. */
static int make_directory(const char *path, mode_t mode, const struct passwd *owner, cs_error *e)
{
    if (mkdir(path, mode) == 0 && owner != NULL && chown(path, owner->pw_uid, owner->pw_gid) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "sandbox", "the directory %s cannot be given to %s: %s", path,
                            owner->pw_name, strerror(errno));
    }
    return 0; /* there already, or whoever needs it says why it is not */
}

static int make_directories(const struct gw_config *c, const struct passwd *owner, cs_error *e)
{
    char directory[PATH_MAX];
    if (c->spool_directory != NULL && make_directory(c->spool_directory, 0700, owner, e) != 0) {
        return -1;
    }
    if (c->capture.directory != NULL && make_directory(c->capture.directory, 0700, owner, e) != 0) {
        return -1;
    }
    return c->admin.socket != NULL && directory_of(c->admin.socket, directory) == 0
               ? make_directory(directory, 0750, owner, e)
               : 0;
}

int sandbox_become(const struct gw_config *c, cs_error *e)
{
    const struct passwd *pw = NULL;
    if (c->user != NULL) {
        errno = 0;
        pw = getpwnam(c->user);
        if (pw == NULL) {
            return cs_error_set(e, CS_EXIT_CONFIG, "sandbox", "%s:%d:%d: there is no account %s%s%s", c->user_at.file,
                                c->user_at.line, c->user_at.column, c->user, errno != 0 ? ": " : "",
                                errno != 0 ? strerror(errno) : "");
        }
    }
    if (make_directories(c, geteuid() == 0 ? pw : NULL, e) != 0) {
        return -1;
    }
    if (pw == NULL || pw->pw_uid == geteuid()) {
        return 0;
    }
    if (geteuid() != 0) {
        cs_log(CS_LOG_WARN, "sandbox-account", "only root can go over to another account; this one is kept",
               CS_STR("user", c->user), CS_INT("uid", geteuid()));
        return 0;
    }
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "sandbox", "the account %s cannot be taken on: %s", c->user,
                            strerror(errno));
    }
    if (pw->pw_uid != 0 && setuid(0) == 0) {
        return cs_error_set(e, CS_EXIT_INTERNAL, "sandbox", "root can be had back, which must not be");
    }
    cs_log(CS_LOG_NOTICE, "sandbox-account", "the process has given up root", CS_STR("user", c->user),
           CS_INT("uid", geteuid()));
    return 0;
}

/* ---- the gateway process ----------------------------------------------------------------------------------------- */

int sandbox_gateway(struct sandbox *s, const struct gw_settings *settings, bool own_ports, pid_t may_end, cs_error *e)
{
    const struct gw_config *c = settings->config;
    const struct sandbox_rules rules = {SANDBOX_GATEWAY, own_ports, may_end};
    struct sandbox_paths *p = &s->paths;
    s->wanted = c->sandbox;
    if (!c->sandbox) {
        cs_log(CS_LOG_WARN, "sandbox-off", "the configuration says sandbox off: all that the account may is left");
        return 0;
    }
    let_system(p);
    let_keystore(p, settings->keystore_uri, &settings->keystore);
    if (settings->each_file != NULL) {
        settings->each_file(settings, let_file, p);
    }
    let_ways(p, settings->mail);
    let_issuers(p, &settings->issuers);
    if (c->spool_directory != NULL) {
        sandbox_let(p, c->spool_directory, SANDBOX_WRITE);
    }
    if (c->capture.directory != NULL) {
        sandbox_let(p, c->capture.directory, SANDBOX_WRITE);
    }
    if (c->replay_file != NULL) {
        let_around(p, c->replay_file, SANDBOX_WRITE);
    }
    if (c->access_log != NULL && strcmp(c->access_log, "-") != 0) {
        let_around(p, c->access_log, SANDBOX_WRITE);
    }
    if (c->admin.socket != NULL) {
        let_around(p, c->admin.socket, SANDBOX_SOCKET);
    }
    let_words(p, &c->sandbox_read, SANDBOX_READ);
    let_words(p, &c->sandbox_write, SANDBOX_WRITE);
    if (sandbox_confine(s, &rules, e) != 0) {
        return -1;
    }
    cs_log(CS_LOG_NOTICE, "sandbox", "the process has confined itself", CS_BOOL("seccomp", s->seccomp),
           CS_INT("landlock", s->landlock), CS_INT("uid", geteuid()));
    return 0;
}

int sandbox_judge(const struct sandbox *s, const struct gw_settings *settings, cs_error *e)
{
    const struct gw_config *c = settings->config;
    const struct {
        const char *word, *path;
        enum sandbox_reach reach;
    } wanted[] = {
        {"log { access }", c->access_log != NULL && strcmp(c->access_log, "-") != 0 ? c->access_log : NULL,
         SANDBOX_WRITE},
        {"key-encryption-key",
         settings->keystore.n_kek > 0 && settings->keystore.kek[0].kind != KS_KEK_PKCS11 &&
                 settings->keystore.kek[0].kind != KS_KEK_CREDENTIAL
             ? settings->keystore.kek[0].where
             : NULL,
         SANDBOX_READ},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i].path != NULL && !sandbox_allows(s, wanted[i].path, wanted[i].reach)) {
            return cs_error_set(e, CS_EXIT_CONFIG, "sandbox",
                                "%s names %s, which the sandbox of this process does not reach: restart, or upgrade in "
                                "place with SIGUSR2 to the master",
                                wanted[i].word, wanted[i].path);
        }
    }
    return 0;
}

void sandbox_free(struct sandbox *s)
{
    sandbox_paths_free(&s->paths);
}

/* ---- the keys process -------------------------------------------------------------------------------------------- */

int sandbox_keys(const struct gw_settings *settings, cs_error *e)
{
    const struct gw_config *c = settings->config;
    struct sandbox s = {.wanted = c->sandbox};
    const struct sandbox_rules rules = {.kind = SANDBOX_KEYS};
    if (!c->sandbox) {
        return 0;
    }
    let_system(&s.paths);
    let_keystore(&s.paths, settings->keystore_uri, &settings->keystore);
    let_words(&s.paths, &c->sandbox_read, SANDBOX_READ);
    let_words(&s.paths, &c->sandbox_write, SANDBOX_WRITE);
    int rc = sandbox_confine(&s, &rules, e);
    if (rc == 0) {
        cs_log(CS_LOG_NOTICE, "sandbox", "the keys process has confined itself", CS_BOOL("seccomp", s.seccomp),
               CS_INT("landlock", s.landlock), CS_INT("uid", geteuid()));
    }
    sandbox_free(&s);
    return rc;
}
