/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directives.h: what the files with rows of this folder share: the shape of a setter and the readers of its arguments.
 * Rows stand in directives.c (traffic) and in one file per other subject, directives_NOUN.c, which gives gw_rows_NOUN;
 * gw_directives() joins them.
 */
#ifndef GW_DIRECTIVES_H
#define GW_DIRECTIVES_H

#include <stdlib.h>
#include <string.h>

#include "gateway/config.h"

extern const struct cs_directive gw_rows_log[]; /**< log { }, replay { } */
extern const size_t gw_rows_log_n;
extern const struct cs_directive gw_rows_traffic[]; /**< bodies, limits, overload */
extern const size_t gw_rows_traffic_n;
extern const struct cs_directive gw_rows_admin[]; /**< admin { } */
extern const size_t gw_rows_admin_n;
extern const struct cs_directive gw_rows_tls[]; /**< tls { }, authorize { }, TLS towards upstreams */
extern const size_t gw_rows_tls_n;
extern const struct cs_directive gw_rows_crypt[]; /**< decrypt, encrypt { } */
extern const size_t gw_rows_crypt_n;
extern const struct cs_directive gw_rows_capture[]; /**< capture { } */
extern const size_t gw_rows_capture_n;
extern const struct cs_directive gw_rows_process[]; /**< process { } */
extern const size_t gw_rows_process_n;

#define SETTER(name)                                                                                                   \
    static void name(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)

static inline const char *arg(const struct cs_conf_node *node, int i)
{
    return i < node->argc ? node->arg[i].text : NULL;
}

static inline char *keep(const struct cs_conf_node *node, const char *text, struct cs_conf_report *report)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        cs_conf_error(report, node, -1, "no memory");
    }
    return copy;
}

static inline void keep_in(char **place, const struct cs_conf_node *node, struct cs_conf_report *report)
{
    free(*place);
    *place = keep(node, arg(node, 0), report);
}

static inline void take_ms(const struct cs_conf_node *node, int64_t low, int64_t high, int64_t *out,
                           struct cs_conf_report *report)
{
    int64_t ms;
    if (cs_duration_parse(arg(node, 0), &ms) != 0) {
        cs_conf_error(report, node, 0, "%s is not a duration", arg(node, 0));
    } else if (ms < low || ms > high) {
        cs_conf_error(report, node, 0, "%s lies outside %lldms to %llds", node->name, (long long)low,
                      (long long)(high / 1000));
    } else {
        *out = ms;
    }
}

static inline void take_size(const struct cs_conf_node *node, uint64_t low, uint64_t high, uint64_t *out,
                             struct cs_conf_report *report)
{
    uint64_t value;
    if (cs_size_parse(arg(node, 0), &value) != 0) {
        cs_conf_error(report, node, 0, "%s is not a number or size", arg(node, 0));
    } else if (value < low || value > high) {
        cs_conf_error(report, node, 0, "%s lies outside %llu to %llu", node->name, (unsigned long long)low,
                      (unsigned long long)high);
    } else {
        *out = value;
    }
}

static inline void take_count(const struct cs_conf_node *node, unsigned low, unsigned high, unsigned *out,
                              struct cs_conf_report *report)
{
    uint64_t value = *out;
    take_size(node, low, high, &value, report);
    *out = (unsigned)value;
}

/* All arguments behind those that are there. */
static inline void take_words(const struct cs_conf_node *node, struct gw_words *w, struct cs_conf_report *report)
{
    char **more = reallocarray(w->word, w->n + (size_t)node->argc + 1, sizeof *more);
    if (more == NULL) {
        cs_conf_error(report, node, -1, "no memory");
        return;
    }
    w->word = more;
    for (int i = 0; i < node->argc; i++) {
        w->word[w->n] = keep(node, arg(node, i), report);
        w->n += w->word[w->n] != NULL;
    }
}

/* A block whose statements go to the object of the block around it. */
static inline void open_same(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)node;
    (void)report;
    *child = parent;
}

/** PART words of sign and encrypt. */
static inline void check_parts(const struct cs_conf_node *node, enum wssec_use use, struct cs_conf_report *report)
{
    char err[256];
    for (int i = 0; i < node->argc; i++) {
        if (wssec_part_check(arg(node, i), use, err, sizeof err) != 0) {
            cs_conf_error(report, node, i, "%s", err);
        }
    }
}

static inline void take_key_reference(const struct cs_conf_node *node, enum wssec_keyref *out,
                                      struct cs_conf_report *report)
{
    if (wssec_keyref_parse(arg(node, 0), out) != 0 || *out == WSSEC_KEYREF_NONE) {
        cs_conf_error(report, node, 0,
                      "%s is not a key reference: direct, pkipath, issuer-serial, ski, thumbprint, "
                      "x509v3-key-identifier, embedded or x509-data",
                      arg(node, 0));
    }
}

#endif
