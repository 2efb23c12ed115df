/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbooks.c: see runbooks.h. Folders, in this order: $COUNTERSIGN_RUNBOOKS, /etc/countersign/runbooks, and the one
 * that came with this program: ../share/countersign/runbooks beside it, or conf/runbooks of the tree that it was built
 * in.
 */
#include "cli/runbooks.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/keystore.h"

#define SITE_FOLDER "/etc/countersign/runbooks"
#define ENDING      ".conf"

/* ---- folders --------------------------------------------------------------------------------------------------- */

/* The folder that came with the program. @return false: there is none */
static bool shipped(char *out, size_t size)
{
    static const char *const beside[] = {"../share/countersign/runbooks", "../conf/runbooks", "../../conf/runbooks"};
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = NULL;
    if (n <= 0) {
        return false;
    }
    program[n] = '\0';
    slash = strrchr(program, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        int made = snprintf(out, size, "%s/%s", program, beside[i]);
        if (made > 0 && (size_t)made < size && access(out, R_OK | X_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- one file -------------------------------------------------------------------------------------------------- */

static bool has(const struct cli_runbooks *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->one[i].runbook->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int keep(struct cli_runbooks *r, struct ks_runbook *runbook, const char *file, cs_error *e)
{
    struct cli_runbook *grown = reallocarray(r->one, r->n + 1, sizeof *grown);
    char *where = strdup(file);
    r->one = grown != NULL ? grown : r->one;
    if (grown == NULL || where == NULL) {
        free(where);
        ks_runbook_free(runbook);
        return cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "out of memory");
    }
    r->one[r->n++] = (struct cli_runbook){runbook, where};
    return 0;
}

/* Read a file; one that is no runbook is told and counted. name: of the file without its ending */
static int take_file(struct cli_context *c, struct cli_runbooks *r, const char *path, const char *name)
{
    struct cs_conf_report report = {0};
    cs_buf text = CS_BUF_INIT;
    int rc = cli_file_read(c, path, &text);
    if (rc == 0) {
        struct ks_runbook *runbook = ks_runbook_read(path, text.data != NULL ? text.data : "", text.len, &report);
        for (size_t i = 0; i < report.n; i++) {
            fprintf(stderr, "%s\n", report.line[i]);
        }
        if (runbook != NULL && strcmp(runbook->name, name) != 0) {
            fprintf(stderr, "%s:1:1: runbook %s stands in a file of another name; call it %s%s\n", path, runbook->name,
                    runbook->name, ENDING);
            ks_runbook_free(runbook);
            runbook = NULL;
        }
        r->bad += runbook == NULL;
        rc = runbook != NULL ? keep(r, runbook, path, &c->error) : 0;
    }
    cs_conf_report_free(&report);
    cs_buf_free(&text);
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

/* only NULL: every file */
static int take_folder(struct cli_context *c, struct cli_runbooks *r, const char *folder, const char *only)
{
    struct dirent **found = NULL;
    int n = scandir(folder, &found, NULL, alphasort);
    int rc = 0;
    if (n < 0) {
        return errno == ENOENT
                   ? 0
                   : cs_error_set(&c->error, CS_EXIT_CONFIG, "runbooks", "folder %s: %s", folder, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        char name[KS_WORD];
        const char *file = found[i]->d_name;
        size_t length = strlen(file);
        bool ours = file[0] != '.' && length > sizeof ENDING - 1 && length - (sizeof ENDING - 1) < sizeof name &&
                    strcmp(file + length - (sizeof ENDING - 1), ENDING) == 0;
        if (ours) {
            memcpy(name, file, length - (sizeof ENDING - 1));
            name[length - (sizeof ENDING - 1)] = '\0';
            int made = snprintf(path, sizeof path, "%s/%s", folder, file);
            if (rc == 0 && made > 0 && (size_t)made < sizeof path && !has(r, name) &&
                (only == NULL || strcmp(only, name) == 0)) {
                rc = take_file(c, r, path, name);
            }
        }
        free(found[i]);
    }
    free(found);
    return rc;
}

static int take_folders(struct cli_context *c, struct cli_runbooks *r, const char *only)
{
    const char *own = getenv("COUNTERSIGN_RUNBOOKS");
    char folder[PATH_MAX];
    int rc = own != NULL && own[0] != '\0' ? take_folder(c, r, own, only) : 0;
    rc = rc == 0 ? take_folder(c, r, SITE_FOLDER, only) : rc;
    return rc == 0 && shipped(folder, sizeof folder) ? take_folder(c, r, folder, only) : rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cli_runbook *)a)->runbook->name, ((const struct cli_runbook *)b)->runbook->name);
}

int cli_runbooks_read(struct cli_context *c, struct cli_runbooks *out)
{
    *out = (struct cli_runbooks){NULL, 0, 0};
    int rc = take_folders(c, out, NULL);
    if (out->n > 1) {
        qsort(out->one, out->n, sizeof *out->one, by_name);
    }
    return rc;
}

/* Who asks for one that is not there is told what there is. */
static void tell_unknown(struct cli_context *c, const char *name)
{
    struct cli_runbooks all;
    const char *words[128] = {NULL};
    if (cli_runbooks_read(c, &all) == 0) {
        for (size_t i = 0; i < all.n && i + 1 < sizeof words / sizeof words[0]; i++) {
            words[i] = all.one[i].runbook->name;
        }
        const char *near = cs_nearest(name, words);
        cs_error_set(&c->error, CS_EXIT_USAGE, "runbook-unknown",
                     "there is no runbook %.64s%s%s%s; see: countersign rollover list-runbooks", name,
                     near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    }
    cli_runbooks_free(&all);
}

struct ks_runbook *cli_runbook_find(struct cli_context *c, const char *name)
{
    struct cli_runbooks r = {NULL, 0, 0};
    struct ks_runbook *found = NULL;
    if (take_folders(c, &r, name) == 0 && r.n == 1) {
        found = r.one[0].runbook;
        r.one[0].runbook = NULL;
    } else if (r.bad > 0) {
        cs_error_set(&c->error, CS_EXIT_CONFIG, "runbook", "runbook %.64s is refused: see above", name);
    } else if (c->error.exit_code == CS_EXIT_OK) {
        tell_unknown(c, name);
    }
    cli_runbooks_free(&r);
    return found;
}

void cli_runbooks_free(struct cli_runbooks *r)
{
    for (size_t i = 0; i < r->n; i++) {
        ks_runbook_free(r->one[i].runbook);
        free(r->one[i].file);
    }
    free(r->one);
    *r = (struct cli_runbooks){NULL, 0, 0};
}
