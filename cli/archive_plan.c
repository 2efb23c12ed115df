/* SPDX-License-Identifier: Apache-2.0 */
/* archive_plan.c: archive plan: what a run would meet, before hours are spent. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/plan.h"
#include "base/file.h"
#include "cli/archive_court.h"
#include "cli/archive_order.h"

struct planning {
    struct cli_context *c;
    struct archive_order order; /* owned */
    struct cli_court court;
    struct archive_plan plan; /* owned */
};

static void size_text(uint64_t octets, char out[32])
{
    static const char *const unit[] = {"octets", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)octets;
    size_t i = 0;
    for (; size >= 1024 && i + 1 < sizeof unit / sizeof unit[0]; i++) {
        size /= 1024;
    }
    (void)snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", size, unit[i]);
}

static void span_text(double seconds, char out[32])
{
    long s = (long)(seconds + 0.5);
    (void)(s < 60     ? snprintf(out, 32, "%lds", s)
           : s < 3600 ? snprintf(out, 32, "%ldm%02lds", s / 60, s % 60)
                      : snprintf(out, 32, "%ldh%02ldm", s / 3600, s / 60 % 60));
}

static void print_forms(const struct archive_plan *p)
{
    char size[32];
    for (int i = 0; i <= ARCHIVE_UNKNOWN; i++) {
        const struct archive_plan_form *f = &p->form[i];
        if (f->files > 0) {
            size_text(f->octets, size);
            printf("  %-12s %10llu files  %12s\n", archive_form_word((enum archive_form)i),
                   (unsigned long long)f->files, size);
        }
    }
    if (p->unreadable > 0) {
        printf("  %-12s %10llu files, links and others: each of them becomes an error of the run\n", "unreadable",
               (unsigned long long)p->unreadable);
    }
    if (p->largest != NULL) {
        size_text(p->largest_octets, size);
        printf("  largest archive: %s, %s\n", p->largest, size);
    }
}

static void print_names(const char *what, const struct archive_plan_names *k)
{
    printf("  %s", what);
    for (size_t i = 0; i < k->used; i++) {
        printf("%s %s %llu", i > 0 ? "," : "", k->name[i][0] != '\0' ? k->name[i] : "(none)",
               (unsigned long long)k->n[i]);
    }
    printf(k->others > 0 ? ", others %llu\n" : "\n", (unsigned long long)k->others);
}

static void print_sample(const struct archive_plan *p)
{
    printf("sample   %llu items\n", (unsigned long long)p->items);
    if (p->items == 0) {
        return;
    }
    print_names("partner", &p->partner);
    print_names("certificate", &p->entry);
    printf("  time");
    const char *comma = "";
    for (int i = 0; i <= WSSEC_TIME_MTIME; i++) {
        if (p->source[i] > 0) {
            printf("%s %s %llu", comma, wssec_time_source_word((enum wssec_time_source)i),
                   (unsigned long long)p->source[i]);
            comma = ",";
        }
    }
    printf("\n  facts");
    comma = "";
    for (int i = 0; i < WSSEC_REASONS; i++) {
        if (p->facts[i] > 0) {
            printf("%s %s %llu", comma, wssec_reason_code((enum wssec_reason)i), (unsigned long long)p->facts[i]);
            comma = ",";
        }
    }
    printf("\n");
}

static void print_plan(const struct planning *k)
{
    const struct archive_plan *p = &k->plan;
    char size[32];
    char span[32];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_text(p->octets, size);
    span_text(archive_plan_seconds(p) / (double)(cores > 0 ? cores : 1), span);
    printf("plan     about %llu messages in %llu files, %s, generation %llu; about %s with %ld workers\n",
           (unsigned long long)archive_plan_items(p), (unsigned long long)p->files, size,
           (unsigned long long)ks_snapshot_generation(k->court.snapshot), span, cores > 0 ? cores : 1);
    print_forms(p);
    print_sample(p);
    for (size_t i = 0; i < p->n_hint; i++) {
        printf("hint     %s\n", p->hint[i]);
    }
}

/* Whole or not there. */
static int write_file(struct planning *k, const char *file, const cs_buf *text)
{
    char *fresh = NULL;
    int fd = asprintf(&fresh, "%s.new", file) >= 0 ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    int rc = fd >= 0 ? cs_write_all(fd, text->data, text->len) : -1;
    rc = fd >= 0 && close(fd) != 0 ? -1 : rc;
    rc = rc == 0 ? rename(fresh, file) : rc;
    if (rc != 0) {
        (void)cs_error_set(&k->c->error, CS_EXIT_UNAVAILABLE, "not-written", "%.300s cannot be written: %s", file,
                           strerror(errno));
        if (fd >= 0) {
            (void)unlink(fresh);
        }
    }
    free(fresh);
    return rc;
}

static int tell(struct planning *k)
{
    const char *file = cli_option(k->c, "output");
    cs_buf text = CS_BUF_INIT;
    int rc = 0;
    archive_plan_write(&k->plan, &k->order, &k->court.court, &text);
    if (text.failed) {
        rc = cs_error_set(&k->c->error, CS_EXIT_INTERNAL, "no-memory", "out of memory");
    } else if (file != NULL) {
        rc = write_file(k, file, &text);
    }
    if (rc == 0 && k->c->json) {
        fputs(text.data, stdout);
    } else if (rc == 0) {
        print_plan(k);
    }
    cs_buf_free(&text);
    return rc;
}

static int run(struct cli_context *c)
{
    struct planning k = {.c = c};
    int rc = cli_order_take(c, &k.order) == 0 && cli_court_open(&k.court, c, &k.order) == 0 &&
                     archive_plan_walk(&k.plan, &k.order, &c->error) == 0 &&
                     archive_plan_sample(&k.plan, &k.order, &k.court.court, &c->error) == 0 && tell(&k) == 0
                 ? CS_EXIT_OK
                 : cli_fail(c);
    if (rc == CS_EXIT_OK && k.plan.files == 0) {
        rc = CS_EXIT_NOTHING;
    }
    archive_plan_clear(&k.plan);
    cli_court_close(&k.court);
    archive_order_free(&k.order);
    return rc;
}

static const struct cli_option options[] = {
    {"output", 'o', CLI_FILE, "FILE", 0, "the plan as JSON, too"},
    CLI_ORDER_JUDGED,
    CLI_ORDER_LIMITS,
    {0},
};

const struct cli_command cli_cmd_archive_plan = {
    .parent = "archive",
    .name = "plan",
    .summary = "What a run of archive verify would meet: files, sizes, a sample of 100 items",
    .operands = "PATH…|@LIST",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .more =
        "Walks over everything and looks at a sample with the options of archive verify: whose messages they are, by "
        "which certificates, where\n"
        "their times come from, what is no message. Numbers of messages in archives and the time that a run takes "
        "are expected from the\n"
        "sample. No verdict is given: that is for archive verify. The same files always give the same sample.\n"
        "Exit: 0 planned; 4 nothing is there; 64 usage; 69 or 78 keystore, configuration or output.\n"
        "  countersign --keystore sqlite:ks.db archive plan in/2026 --received-from name:'([0-9]{8}T[0-9]{6}Z)'\n",
    .run = run,
};
