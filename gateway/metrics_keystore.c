/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_keystore.c: certificates for an alert: when they end, until when they process, when they were used last. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/gateway_private.h"
#include "gateway/metrics_private.h"

/* Counts of use change without a new generation. */
#define READ_AGAIN_S 10

/* The keystore may be away: what was read last is shown then. */
static void list_refresh(struct metrics *m, const struct runtime *rt, cs_time now)
{
    const struct gw_settings *s = rt->plan->settings;
    ks_options options = s->keystore;
    ks_filter all = {0};
    ks_list list = {NULL, 0};
    ks_node_list nodes = {NULL, 0};
    ks_store *store = NULL;
    if (m->list_generation == rt->generation && now - m->list_at < READ_AGAIN_S) {
        return;
    }
    options.read_only = true;
    if (ks_open(&store, s->keystore_uri, &options, NULL) == 0 && ks_list_entries(store, &all, now, &list, NULL) == 0) {
        ks_list_free(&m->list);
        m->list = list;
        m->list_generation = rt->generation;
        if (ks_nodes(store, now, &nodes, NULL) == 0) {
            ks_node_list_free(&m->nodes);
            m->nodes = nodes;
        }
    }
    m->list_at = now;
    ks_close(store);
}

/* What an operator can still do something about. */
static bool shown(const ks_info *i)
{
    return i->state == KS_PRE_ACTIVE || i->state == KS_ACTIVE || i->state == KS_DEACTIVATED || i->state == KS_SUSPENDED;
}

static void write_times(struct metrics *m, cs_buf *out, const char *name, const char *help, size_t offset)
{
    prom_family(out, name, "gauge", help);
    for (size_t k = 0; k < m->list.n; k++) {
        const ks_info *i = &m->list.info[k];
        char entry[KS_WORD + 12];
        cs_time t;
        memcpy(&t, (const char *)i + offset, sizeof t);
        if (!shown(i) || t == 0) {
            continue;
        }
        snprintf(entry, sizeof entry, "%s#%u", i->alias, i->n);
        cs_buf_addf(out, "%s{", name);
        prom_label(out, "partner", i->partner[0] != '\0' ? metrics_partner(m, i->partner) : "");
        prom_label(out, "entry", entry);
        prom_label(out, "role", ks_role_word(i->role));
        prom_label(out, "state", ks_state_word(i->state));
        prom_value(out, (double)t);
    }
}

/* This node as it is, the others as they said last. */
static void write_nodes(const struct metrics *m, const struct runtime *rt, cs_buf *out)
{
    const char *own = ks_live_node(m->gateway->live);
    prom_family(out, "countersign_keystore_generation", "gauge", "Generation of the keystore in force on a node.");
    cs_buf_adds(out, "countersign_keystore_generation{");
    prom_label(out, "node", own);
    prom_value(out, (double)rt->generation);
    for (size_t i = 0; i < m->nodes.n; i++) {
        const ks_node_info *node = &m->nodes.info[i];
        if (node->live && strcmp(node->node, own) != 0) {
            cs_buf_adds(out, "countersign_keystore_generation{");
            prom_label(out, "node", node->node);
            prom_value(out, (double)node->applied);
        }
    }
}

static void write_counts(const struct metrics *m, cs_buf *out)
{
    unsigned n[KS_ROLES][KS_STATES] = {{0}};
    for (size_t k = 0; k < m->list.n; k++) {
        n[m->list.info[k].role][m->list.info[k].state]++;
    }
    prom_family(out, "countersign_certificates", "gauge", "Certificates in the keystore.");
    for (unsigned r = 0; r < KS_ROLES; r++) {
        for (unsigned s = 0; s < KS_STATES; s++) {
            if (n[r][s] > 0) {
                cs_buf_adds(out, "countersign_certificates{");
                prom_label(out, "role", ks_role_word((enum ks_role)r));
                prom_label(out, "state", ks_state_word((enum ks_state)s));
                prom_value(out, n[r][s]);
            }
        }
    }
}

void metrics_keystore(struct metrics *m, const struct runtime *rt, cs_buf *out)
{
    list_refresh(m, rt, cs_clock_now());
    write_nodes(m, rt, out);
    write_counts(m, out);
    write_times(m, out, "countersign_certificate_not_after_timestamp_seconds", "When a certificate ends.",
                offsetof(ks_info, not_after));
    write_times(m, out, "countersign_certificate_process_stop_timestamp_seconds",
                "Until when an exchanged certificate still processes messages.", offsetof(ks_info, process_stop));
    write_times(m, out, "countersign_certificate_last_used_timestamp_seconds", "When a certificate was used last.",
                offsetof(ks_info, last_use));
}
