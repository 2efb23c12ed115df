/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_text.c: see metrics.h; what a scrape reads: the loops added up, the process, the keystore. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "gateway/gateway_private.h"
#include "gateway/meter.h"
#include "gateway/metrics_private.h"
#include "gateway/status.h"

/* ---- text -------------------------------------------------------------------------------------------------------- */

void prom_family(cs_buf *out, const char *name, const char *type, const char *help)
{
    cs_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prom_label(cs_buf *out, const char *key, const char *value)
{
    cs_buf_addf(out, "%s%s=\"", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", key);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"') {
            cs_buf_addc(out, '\\');
        }
        if (*value == '\n') {
            cs_buf_adds(out, "\\n");
        } else {
            cs_buf_addc(out, *value);
        }
    }
    cs_buf_addc(out, '"');
}

/* A number as Prometheus reads it: whole ones without an exponent, so that nothing of a counter is lost. */
static void add_number(cs_buf *out, double value)
{
    if (value >= 0 && value < 9e15 && value == (double)(uint64_t)value) {
        cs_buf_addf(out, " %" PRIu64 "\n", (uint64_t)value);
    } else {
        cs_buf_addf(out, " %.17g\n", value);
    }
}

void prom_value(cs_buf *out, double value)
{
    cs_buf_addc(out, '}');
    add_number(out, value);
}

void prom_one(cs_buf *out, const char *name, const char *type, const char *help, double value)
{
    prom_family(out, name, type, help);
    cs_buf_adds(out, name);
    add_number(out, value);
}

/* ---- series ------------------------------------------------------------------------------------------------------ */

static const char *direction(bool response)
{
    return response ? "response" : "request";
}

static void labels(cs_buf *out, const struct series *s)
{
    switch (s->kind) {
    case SERIES_MESSAGES:
        prom_label(out, "direction", direction(s->response));
        prom_label(out, "partner", s->a);
        prom_label(out, "verdict", wssec_result_word((enum wssec_result)s->verdict));
        prom_label(out, "reason", s->b);
        break;
    case SERIES_CERTIFICATE:
        prom_label(out, "partner", s->a);
        prom_label(out, "entry", s->b);
        break;
    case SERIES_CERTIFICATE_REFUSED:
        prom_label(out, "partner", s->a);
        prom_label(out, "entry", s->b);
        prom_label(out, "reason", wssec_reason_code((enum wssec_reason)s->reason));
        break;
    case SERIES_HTTP_REFUSED:
    case SERIES_FALLBACK: prom_label(out, "reason", s->a); break;
    case SERIES_CLIENT_TIME:
        prom_label(out, "direction", "client");
        prom_label(out, "upstream", "");
        break;
    case SERIES_UPSTREAM_TIME:
        prom_label(out, "direction", "upstream");
        prom_label(out, "upstream", s->a);
        break;
    case SERIES_SIZE: prom_label(out, "direction", direction(s->response)); break;
    default: break;
    }
}

static void histogram(cs_buf *out, const char *name, const struct series *s)
{
    const struct bounds *b = series_bounds(s->kind);
    uint64_t sum = 0;
    char bound[32];
    for (unsigned i = 0; i <= b->n; i++) {
        sum = i < b->n ? sum + s->bucket[i] : s->count;
        cs_buf_addf(out, "%s_bucket{", name);
        labels(out, s);
        snprintf(bound, sizeof bound, "%.15g", i < b->n ? b->bound[i] : 0);
        prom_label(out, "le", i < b->n ? bound : "+Inf");
        prom_value(out, (double)sum);
    }
    cs_buf_addf(out, "%s_sum{", name);
    labels(out, s);
    prom_value(out, s->sum);
    cs_buf_addf(out, "%s_count{", name);
    labels(out, s);
    prom_value(out, (double)s->count);
}

static void each_series(cs_buf *out, const struct meter *m, const char *name, enum series_kind kind)
{
    for (unsigned i = 0; i < METER_BUCKETS; i++) {
        for (const struct series *s = m->bucket[i]; s != NULL; s = s->next) {
            if (s->kind != kind) {
                continue;
            }
            if (series_bounds(kind)->n > 0) {
                histogram(out, name, s);
            } else {
                cs_buf_addf(out, "%s{", name);
                labels(out, s);
                prom_value(out, (double)s->count);
            }
        }
    }
}

static const struct family {
    const char *name, *type, *help;
    enum series_kind kind[2];
    unsigned n;
} families[] = {
    {"countersign_messages_total", "counter", "Messages judged.", {SERIES_MESSAGES}, 1},
    {"countersign_certificate_messages_total",
     "counter",
     "Messages that passed under a certificate.",
     {SERIES_CERTIFICATE},
     1},
    {"countersign_certificate_refusals_total",
     "counter",
     "Messages refused of which a certificate of the partner was found.",
     {SERIES_CERTIFICATE_REFUSED},
     1},
    {"countersign_http_refusals_total",
     "counter",
     "Exchanges refused or given up for another reason than a verdict.",
     {SERIES_HTTP_REFUSED},
     1},
    {"countersign_engine_fallback_total",
     "counter",
     "Messages that the one-pass engine left to libxmlsec, by why.",
     {SERIES_FALLBACK},
     1},
    {"countersign_verify_duration_seconds",
     "histogram",
     "Time a worker had one message: verify, decrypt, sign, encrypt.",
     {SERIES_WORK_TIME},
     1},
    {"countersign_queue_wait_seconds", "histogram", "Time a message waited for a worker.", {SERIES_QUEUE_TIME}, 1},
    {"countersign_request_duration_seconds",
     "histogram",
     "First octet to last towards the client; request to whole reply towards an upstream.",
     {SERIES_CLIENT_TIME, SERIES_UPSTREAM_TIME},
     2},
    {"countersign_message_size_bytes", "histogram", "Octets of messages that workers had.", {SERIES_SIZE}, 1},
};

static void write_series(cs_buf *out, const struct meter *m)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *f = &families[i];
        prom_family(out, f->name, f->type, f->help);
        for (unsigned k = 0; k < f->n; k++) {
            each_series(out, m, f->name, f->kind[k]);
        }
    }
}

/* ---- partners ---------------------------------------------------------------------------------------------------- */

/* A partner keeps its label once it has one; who comes when all are given out is one of the others. */
static const char *partner_label(void *ctx, const char *partner)
{
    struct metrics *m = ctx;
    for (unsigned i = 0; i < m->n_partner; i++) {
        if (strcmp(m->partner[i], partner) == 0) {
            return partner;
        }
    }
    if (m->n_partner < m->partner_max) {
        char(*grown)[KS_WORD] = reallocarray(m->partner, m->n_partner + 1, sizeof *grown);
        if (grown != NULL) {
            m->partner = grown;
            cs_copy(m->partner[m->n_partner++], KS_WORD, partner);
            return partner;
        }
    }
    return "other";
}

const char *metrics_partner(struct metrics *m, const char *partner)
{
    return partner_label(m, partner);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct metrics *metrics_new(struct gateway *gw)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->gateway = gw;
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m != NULL) {
        ks_list_free(&m->list);
        ks_node_list_free(&m->nodes);
        free(m->partner);
        free(m);
    }
}

void metrics_write(struct metrics *m, cs_buf *out)
{
    struct gateway *gw = m->gateway;
    struct runtime *rt = gateway_runtime(gw);
    struct meter *sum = meter_new();
    m->partner_max = rt->plan->config->admin.partner_labels;
    for (unsigned i = 0; sum != NULL && i < gw->n_loop; i++) {
        meter_merge(sum, gw->loop[i].meter, partner_label, m);
    }
    if (sum != NULL) {
        write_series(out, sum);
    } else {
        out->failed = true;
    }
    metrics_process(m, rt, out);
    metrics_keystore(m, rt, out);
    meter_free(sum);
    runtime_unref(rt);
}
