/* SPDX-License-Identifier: Apache-2.0 */
/* archive_progress.c: see archive_progress.h. */
#include "cli/archive_progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/sizes.h"
#include "base/json.h"

#define PLAIN_US 10000000 /* between two plain lines */

static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t state_wanted;

static void on_stop(int signal_number)
{
    (void)signal_number;
    if (stop_wanted != 0) {
        _exit(CS_EXIT_STOPPED);
    }
    stop_wanted = 1;
}

static void on_state(int signal_number)
{
    (void)signal_number;
    state_wanted = 1;
}

/* ---- what is shown
 * --------------------------------------------------------------------------------------------------- */

/* A share by items where their number is known, else by octets of files. @return 0 … 1, negative: not known */
static double share_of(const struct cli_progress *p, const struct archive_progress *now)
{
    if (p->expected > 0) {
        double share = (double)now->counts.items / (double)p->expected;
        return share < 1 ? share : 1;
    }
    if (p->octets > 0) {
        double share = (double)now->octets / (double)p->octets;
        return share < 1 ? share : 1;
    }
    return -1;
}

/* The newest second weighs as much as all before: a run speeds up and slows down with what lies in its way. */
static void take_rate(struct cli_progress *p, const struct archive_progress *now)
{
    int64_t passed = now->us - p->us;
    uint64_t items = now->counts.items - now->before;
    if (passed >= 200000 || (now->over && p->us == 0 && passed > 0)) { /* a short run has one rate, that of the whole */
        double newest = (double)(items - p->items) * 1e6 / (double)passed;
        double octets = (double)(now->octets - p->octets_read) * 1e6 / (double)passed;
        double weight = p->us == 0 ? 1 : passed >= 1000000 ? 0.5 : 0.5 * (double)passed / 1e6;
        p->rate = p->rate * (1 - weight) + newest * weight;
        p->octet_rate = p->octet_rate * (1 - weight) + octets * weight;
        p->us = now->us;
        p->items = items;
        p->octets_read = now->octets;
    }
}

/* Seconds to go at the present rate; negative: not known. */
static double left_of(const struct cli_progress *p, const struct archive_progress *now)
{
    if (p->expected > 0) {
        uint64_t left = p->expected > now->counts.items ? p->expected - now->counts.items : 0;
        return left == 0 ? 0 : p->rate > 0 ? (double)left / p->rate : -1;
    }
    uint64_t left = p->octets > now->octets ? p->octets - now->octets : 0;
    if (p->octets > 0 && left == 0) {
        return 0;
    }
    return p->octets > 0 && p->octet_rate > 0 ? (double)left / p->octet_rate : -1;
}

static void numbers(const struct archive_progress *now, const struct cli_progress *p, FILE *out)
{
    const uint64_t *v = now->counts.verdict;
    double share = share_of(p, now);
    double left = left_of(p, now);
    if (share >= 0) {
        fprintf(out, "%5.1f%%  ", share * 100);
    }
    fprintf(out, "%llu items  %.0f/s", (unsigned long long)now->counts.items, p->rate);
    if (left >= 0 && !now->over) {
        fprintf(out, "  ETA %dm%02ds", (int)(left / 60), (int)left % 60);
    }
    fprintf(out, "  pass %llu  fail %llu  indeterminate %llu  error %llu", (unsigned long long)v[WSSEC_PASS],
            (unsigned long long)v[WSSEC_FAIL], (unsigned long long)v[WSSEC_INDETERMINATE],
            (unsigned long long)v[WSSEC_ERROR]);
}

static void draw_bar(struct cli_progress *p, const struct archive_progress *now)
{
    char bar[27];
    double share = share_of(p, now);
    int filled = share >= 0 ? (int)(share * 24) : 0;
    memset(bar, ' ', sizeof bar);
    memset(bar, '=', (size_t)filled);
    bar[filled] = filled < 24 ? '>' : ' ';
    bar[24] = '\0';
    fprintf(stderr, "\r\033[K[%s] ", bar);
    numbers(now, p, stderr);
    fputs(now->over ? "\n" : "", stderr);
    fflush(stderr);
    p->drawn = true;
}

static void write_json(const struct cli_progress *p, const struct archive_progress *now)
{
    cs_buf out = CS_BUF_INIT;
    cs_json j;
    double share = share_of(p, now);
    double left = left_of(p, now);
    cs_json_begin(&j, &out);
    cs_json_object(&j, NULL);
    cs_json_str(&j, "event", "progress");
    cs_json_str(&j, "run", p->run);
    cs_json_int(&j, "items", (int64_t)now->counts.items);
    for (int i = 0; i <= WSSEC_ERROR; i++) {
        cs_json_int(&j, wssec_result_word((enum wssec_result)i), (int64_t)now->counts.verdict[i]);
    }
    cs_json_int(&j, "duplicates", (int64_t)now->counts.duplicates);
    cs_json_int(&j, "octets", (int64_t)now->octets);
    cs_json_int(&j, "per_second", (int64_t)p->rate);
    if (share >= 0) {
        cs_json_int(&j, "permille", (int64_t)(share * 1000));
    } else {
        cs_json_null(&j, "permille");
    }
    if (left >= 0) {
        cs_json_int(&j, "seconds_left", (int64_t)left);
    } else {
        cs_json_null(&j, "seconds_left");
    }
    cs_json_bool(&j, "over", now->over);
    cs_json_object_end(&j);
    fprintf(stderr, "%s\n", out.failed ? "{}" : out.data);
    cs_buf_free(&out);
}

/* Another name first: a collector reads a whole file or the one before. */
static void write_metrics(const struct cli_progress *p, const struct archive_progress *now)
{
    char *other = NULL;
    FILE *out = asprintf(&other, "%s.new", p->metrics) >= 0 ? fopen(other, "we") : NULL;
    if (out != NULL) {
        fprintf(out, "# HELP countersign_archive_items_total Items judged by a run, by verdict.\n# TYPE "
                     "countersign_archive_items_total counter\n");
        for (int i = 0; i <= WSSEC_ERROR; i++) {
            fprintf(out, "countersign_archive_items_total{run=\"%s\",verdict=\"%s\"} %llu\n", p->run,
                    wssec_result_word((enum wssec_result)i), (unsigned long long)now->counts.verdict[i]);
        }
        fprintf(out,
                "# HELP countersign_archive_over 1 when the run is over.\n# TYPE countersign_archive_over "
                "gauge\ncountersign_archive_over{run=\"%s\"} %d\n",
                p->run, now->over ? 1 : 0);
        if (fclose(out) != 0 || rename(other, p->metrics) != 0) {
            (void)unlink(other);
        }
    }
    free(other);
}

static void tick(void *ctx, const struct archive_progress *now)
{
    struct cli_progress *p = ctx;
    p->octets = archive_sizes_octets(p->sizes);
    take_rate(p, now);
    if (p->metrics != NULL) {
        write_metrics(p, now);
    }
    if (p->kind == CLI_PROGRESS_BAR) {
        draw_bar(p, now);
    } else if (p->kind == CLI_PROGRESS_JSON) {
        write_json(p, now);
    }
    if (state_wanted != 0 || (p->kind == CLI_PROGRESS_PLAIN && (now->over || now->us - p->told >= PLAIN_US))) {
        state_wanted = 0;
        p->told = now->us;
        fprintf(stderr, "%scountersign: ", p->drawn ? "\n" : "");
        numbers(now, p, stderr);
        fputc('\n', stderr);
    }
}

/* ---- how it is shown
 * -------------------------------------------------------------------------------------------------- */

int cli_progress_begin(struct cli_progress *p, struct cli_context *c, const struct archive_order *order)
{
    const char *word = cli_option(c, "progress");
    bool terminal = isatty(STDERR_FILENO) == 1;
    *p = (struct cli_progress){.expected = order->has_expect_count ? order->expect_count : 0,
                               .metrics = cli_option(c, "metrics-file")};
    if (word == NULL || strcmp(word, "auto") == 0) {
        p->kind = terminal && !c->quiet ? CLI_PROGRESS_BAR : CLI_PROGRESS_NONE;
    } else {
        p->kind = strcmp(word, "plain") == 0  ? CLI_PROGRESS_PLAIN
                  : strcmp(word, "json") == 0 ? CLI_PROGRESS_JSON
                                              : CLI_PROGRESS_NONE;
    }
    const struct sigaction stop = {.sa_handler = on_stop};
    const struct sigaction state = {.sa_handler = on_state, .sa_flags = SA_RESTART};
    if (sigaction(SIGINT, &stop, NULL) != 0 || sigaction(SIGTERM, &stop, NULL) != 0 ||
        sigaction(SIGUSR1, &state, NULL) != 0) {
        return cs_error_set(&c->error, CS_EXIT_INTERNAL, "internal", "signals cannot be caught");
    }
    if (p->kind != CLI_PROGRESS_NONE && p->expected == 0) {
        p->sizes = archive_sizes_begin(order);
    }
    return 0;
}

void cli_progress_end(struct cli_progress *p)
{
    archive_sizes_end(p->sizes);
    p->sizes = NULL;
}

void cli_progress_watch(struct cli_progress *p, struct archive_watch *out)
{
    *out = (struct archive_watch){
        .stop = &stop_wanted, .every_us = p->kind == CLI_PROGRESS_BAR ? 200000 : 1000000, .tick = tick, .ctx = p};
}
