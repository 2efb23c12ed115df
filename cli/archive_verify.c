/* SPDX-License-Identifier: Apache-2.0 */
/* archive_verify.c: archive verify: stored messages in bulk, each as of its own time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/revalidate.h"
#include "archive/times.h"
#include "archive/verify.h"
#include "base/text.h"
#include "cli/archive_court.h"
#include "cli/archive_end.h"
#include "cli/archive_order.h"
#include "cli/archive_progress.h"

struct verifying {
    struct cli_context *c;
    struct archive_run run; /* owned */
    struct archive_means means;
    struct archive_journal *journal;
    struct cli_court court;
    struct cli_progress progress;
    struct archive_counts counts;
    struct archive_tally tally; /* owned */
    struct cli_end end;         /* owned */
    bool resume, revalidate;
    const char *directory; /* of the journal, NULL: none */
};

/* ---- the run --------------------------------------------------------------------------------------------------------
 */

/* A new one by what it is judged by; its order is there. */
static int new_run(struct verifying *k)
{
    const struct cli_court *court = &k->court;
    k->run.started = k->c->now;
    k->run.generation = ks_snapshot_generation(court->snapshot);
    (void)cs_copy(k->run.version, sizeof k->run.version, CS_VERSION);
    (void)cs_copy(k->run.policy_sha256, sizeof k->run.policy_sha256, court->policy_sha256);
    (void)cs_copy(k->run.facts_sha256, sizeof k->run.facts_sha256, court->facts_sha256);
    (void)cs_copy(k->run.keystore_sha256, sizeof k->run.keystore_sha256, court->keystore_sha256);
    return archive_run_id(k->c->now, k->run.id) == 0
               ? 0
               : cs_error_set(&k->c->error, CS_EXIT_INTERNAL, "internal", "no random numbers");
}

static int begin(struct verifying *k)
{
    struct cli_context *c = k->c;
    struct archive_times *times = NULL;
    if (cli_order_take(c, &k->run.order) != 0 || cli_court_open(&k->court, c, &k->run.order) != 0) {
        return -1;
    }
    int rc = archive_times_make(&times, &k->run.order, &c->error); /* wrong ones before anything is made */
    archive_times_free(times);
    if (rc != 0) {
        return -1;
    }
    return new_run(k) == 0 ? archive_journal_create(&k->journal, k->directory, &k->run, &c->error) : -1;
}

/* Under what is known and asked for today. */
static int decide_again(struct verifying *k)
{
    const struct archive_run old = k->run; /* the order is that of both */
    struct archive_revalidated done;
    if (new_run(k) != 0 ||
        archive_revalidate(k->directory, &k->journal, &old, &k->run, &k->court.court, &done, &k->c->error) != 0) {
        return -1;
    }
    cli_say(k->c,
            "%llu of %llu records stand and are decided again without their messages, %llu are judged again; as it "
            "was: %s/%s",
            (unsigned long long)done.stand, (unsigned long long)done.items,
            (unsigned long long)(done.items - done.stand), k->directory, done.before);
    return 0;
}

/* What was begun is judged to its end by what it began with, or not at all. */
static int go_on(struct verifying *k)
{
    struct cli_context *c = k->c;
    if (k->directory == NULL || c->argc > 0) {
        return cs_error_set(&c->error, CS_EXIT_USAGE, "usage",
                            "--resume takes --journal DIR alone: paths and options are those that the run began with");
    }
    if (archive_journal_resume(&k->journal, k->directory, &k->run, &c->error) != 0 ||
        cli_court_open(&k->court, c, &k->run.order) != 0) {
        return -1;
    }
    if (k->revalidate) {
        return decide_again(k);
    }
    if (strcmp(k->run.policy_sha256, k->court.policy_sha256) != 0) {
        return cs_error_set(&c->error, CS_EXIT_STOPPED, "policy-changed",
                            "policies or partners of the configuration have changed since %.300s was begun; put them "
                            "back, decide its records again by them (--resume --revalidate), or begin another journal",
                            k->directory);
    }
    if (strcmp(k->run.keystore_sha256, k->court.keystore_sha256) != 0) {
        return cs_error_set(&c->error, CS_EXIT_STOPPED, "keystore-changed",
                            "certificates or their times have changed since %.300s was begun (generation %llu, now "
                            "%llu); decide its records again by them (--resume --revalidate), or begin another journal",
                            k->directory, (unsigned long long)k->run.generation,
                            (unsigned long long)ks_snapshot_generation(k->court.snapshot));
    }
    if (k->run.order.bundle == NULL) { /* else the instant up to which that speaks */
        k->court.court.now = k->run.started;
    }
    return 0;
}

/* ---- what counts ----------------------------------------------------------------------------------------------------
 */

static const char *const classes[] = {"fail", "error", "gap", "indeterminate", "none", NULL};

/* @return the exit code with what --fail-on leaves out, or -1: not such a list */
static int code_of(const struct verifying *k, bool gap, int *code)
{
    const char *list = cli_option(k->c, "fail-on");
    struct archive_counts c = k->counts;
    bool on[4] = {list == NULL, list == NULL, list == NULL, list == NULL};
    for (const char *p = list; p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL) {
        size_t n = strcspn(p, ",");
        size_t i = 0;
        while (classes[i] != NULL && (strlen(classes[i]) != n || strncmp(classes[i], p, n) != 0)) {
            i++;
        }
        if (classes[i] == NULL) {
            return cli_order_wrong(k->c, "fail-on", "fail, error, gap, indeterminate, with commas between, or none");
        }
        if (i < 4) {
            on[i] = true;
        }
    }
    c.verdict[WSSEC_FAIL] *= on[0] ? 1 : 0;
    c.verdict[WSSEC_ERROR] *= on[1] ? 1 : 0;
    c.verdict[WSSEC_INDETERMINATE] *= on[3] ? 1 : 0;
    *code = archive_exit_code(&c, gap && on[2]);
    return 0;
}

static int stopped(const struct verifying *k)
{
    if (k->directory != NULL) {
        cli_say(k->c,
                "stopped cleanly; %s holds %llu results; go on with: countersign archive verify --journal %s --resume",
                k->directory, (unsigned long long)k->counts.items, k->directory);
    } else {
        cli_say(k->c, "stopped; without --journal nothing is kept");
    }
    return CS_EXIT_STOPPED;
}

/* A slot that is misspelt is no failure of any message, but nothing is proven by it. */
static void look_at_anchors(const struct verifying *k)
{
    const struct archive_texts *slots = &k->run.order.timestamp_anchors;
    for (size_t i = 0; i < slots->n; i++) {
        if (ks_slot_version(k->court.court.snapshot, slots->text[i], k->court.court.now) == 0) {
            cli_warn(k->c, "--timestamp-anchors %s: no trust anchor of that slot counts today; see keystore list",
                     slots->text[i]);
        }
    }
}

static int judge_all(struct verifying *k, int *code)
{
    struct archive_watch watch;
    look_at_anchors(k);
    if (code_of(k, false, code) != 0 || cli_progress_begin(&k->progress, k->c, &k->run.order) != 0) {
        return -1;
    }
    k->progress.run = k->run.id;
    cli_progress_watch(&k->progress, &watch);
    int rc = archive_verify(&(struct archive_work){&k->run, &k->means, &k->court.court, k->journal, k->resume, &watch},
                            &k->counts, &k->tally, &k->c->error);
    cli_progress_end(&k->progress);
    if (rc == ARCHIVE_STOPPED) {
        *code = stopped(k);
        return 0;
    }
    if (rc != ARCHIVE_COMPLETE ||
        (k->resume &&
         archive_revalidate_end(k->directory, k->journal, &k->run, &k->court.court, &k->counts, &k->c->error) != 0) ||
        cli_end_find(&k->end, k->c, &k->run, k->journal, &k->counts, k->court.store) != 0) {
        return -1;
    }
    uint64_t guessed =
        k->counts.source[WSSEC_TIME_NOW] - (k->counts.verdict[WSSEC_ERROR] < k->counts.source[WSSEC_TIME_NOW]
                                                ? k->counts.verdict[WSSEC_ERROR]
                                                : k->counts.source[WSSEC_TIME_NOW]);
    if (k->counts.items == 0) {
        cli_warn(k->c, "nothing to verify was found there: no file that can be a message, no archive with members");
    }
    if (guessed * 2 > k->counts.items) {
        cli_warn(k->c,
                 "for %llu of %llu items no time of receipt is known: they are judged as of now; see --received-from, "
                 "--as-of and --trust-claimed",
                 (unsigned long long)guessed, (unsigned long long)k->counts.items);
    }
    return cli_end_report(&k->end, k->c, &k->run, k->journal, &k->counts, &k->tally) == 0 ? code_of(k, k->end.gap, code)
                                                                                          : -1;
}

static int run(struct cli_context *c)
{
    struct verifying k = {.c = c,
                          .resume = cli_given(c, "resume"),
                          .revalidate = cli_given(c, "revalidate"),
                          .directory = cli_option(c, "journal")};
    int64_t jobs = 0;
    int code = CS_EXIT_INTERNAL;
    if (c->argc == 0 && !k.resume) {
        return cli_usage(c, "nothing to verify is named: PATH, @LIST, or - for standard input");
    }
    if (k.revalidate && !k.resume) {
        return cli_usage(c, "--revalidate goes with --resume: it is the records of a journal that are decided again");
    }
    (void)cli_option_number(c, "jobs", &jobs);
    k.means = (struct archive_means){.jobs = jobs < 256 ? (unsigned)jobs : 256, .isolate = cli_given(c, "isolate")};
    k.end.directory = k.directory;
    int rc = cli_order_size(c, "mem", &k.means.memory) == 0 ? cli_end_wanted(&k.end, c) : -1;
    rc = rc == 0 ? (k.resume ? go_on : begin)(&k) : rc;
    rc = rc == 0 ? judge_all(&k, &code) : rc;
    if (rc != 0) {
        code = cli_fail(c);
    }
    if (k.counts.left_behind > 0) { /* a worker that hangs still uses what would be freed */
        (void)fflush(stdout);
        _exit(code);
    }
    archive_tally_free(&k.tally);
    cli_end_clear(&k.end);
    archive_journal_close(k.journal);
    cli_court_close(&k.court);
    archive_run_clear(&k.run);
    return code;
}

static const struct cli_option options[] = {
    CLI_ORDER_JUDGED,
    {"journal", 0, CLI_FILE, "DIR", 0, "keep order and results there: run.json, results.ndjson"},
    {"resume", 0, CLI_FLAG, NULL, 0, "go on with the run of that journal; paths and options are its own"},
    {"revalidate", 0, CLI_FLAG, NULL, 0,
     "with --resume: by the certificates and policies of today; what the records answer is not computed again"},
    {"jobs", 'j', CLI_NUMBER, "N", 0, "workers; without it one per core"},
    {"isolate", 0, CLI_FLAG, NULL, 0,
     "judge in processes without files, network and privileges: a crash costs one item"},
    {"mem", 0, CLI_TEXT, "SIZE", 0, "memory for payloads and what is done; without it 256M"},
    {"shard", 0, CLI_TEXT, "I/N", 0, "only the items of part I of N (counted from 0)"},
    {"expect-count", 0, CLI_NUMBER, "N", 0, "so many items must be there"},
    {"expect-manifest", 0, CLI_FILE, "FILE", 0, "these payloads must be there, and no others; as sha256sum writes it"},
    {"chain", 0, CLI_TEXT, "countersign|xroad", 0,
     "the captures there must be a chain without gap, up to the ends that the keystore knows; or X-Road's message "
     "logs"},
    CLI_REPORT_OPTIONS,
    {"fail-on", 0, CLI_TEXT, "CLASS,…", 0,
     "what makes the exit code: fail, error, gap, indeterminate; without it all; none"},
    {"progress", 0, CLI_TEXT, "auto|plain|json|none", 0, "how far it is, on stderr; auto: a bar on a terminal"},
    {"metrics-file", 0, CLI_FILE, "FILE", 0, "counts for a textfile collector, every second"},
    CLI_ORDER_LIMITS,
    {0},
};

const struct cli_command cli_cmd_archive_verify = {
    .parent = "archive",
    .name = "verify",
    .summary = "Judge stored messages in bulk, each as of its own time",
    .operands = "PATH…|@LIST|-",
    .min_operands = 0,
    .max_operands = -1,
    .options = options,
    .more =
        "PATH: messages (XML, MIME, HTTP), JSON lines, directories, tar, zip, 7z, cpio, gzip, xz, zstd, bzip2, "
        "also inside each other.\n"
        "What is damaged, cut or larger than allowed is an error: of the member, of ARCHIVE!#N where a member cannot "
        "be found any more, or of\n"
        "the archive. What stood before it is judged, and what stands behind it as far as the form allows.\n"
        "FILE.tsr beside a message FILE, or right behind it in an archive, is its time-stamp token over the octets "
        "of FILE: a response or a bare\n"
        "token, in DER. It counts before every time but --as-of. One that does not hold proves nothing, and the "
        "record notes why: timestamp-untrusted,\n"
        "-revoked, -malformed, -unreadable, -weak-digest, -of-other-octets, -ahead, -not-checked (no "
        "--timestamp-anchors).\n"
        "Exit: 0 all pass; 1 one fails; 3 one cannot be read; 5 a coverage gap; 2 one is indeterminate; 4 nothing "
        "to verify; 75 stopped, go on\n"
        "with --resume; 64 usage; 69 or 78 keystore, journal or configuration. 1 goes before 3, 5, 2.\n"
        "  countersign --keystore sqlite:ks.db archive verify in/2026 --received-from name:'([0-9]{8}T[0-9]{6}Z)' "
        "--journal run-2026\n",
    .run = run,
};
